"""The command `probe hypotheses`, which lists hypotheses and shows their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from probe.cli import completion
from probe.cli.analysis_options import LabelOptions, report_kept
from probe.cli.option_groups import with_options
from probe.cli.provenance import provenance
from probe.cli.reading import TextOptions, range_ends
from probe.cli.show import TableCell, progress, say, show_rows, to_standard_error, warn
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from activations.texts.corpus import Corpus
    from hypotheses.hypothesis import Hypothesis
    from hypotheses.labelling.corpus_labels import CorpusLabels
    from hypotheses.labels import Labels

_MOST_ROWS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageOptions:
    """Options of which hypothesis is looked at, and in which passage of the text."""

    show: Annotated[
        str | None,
        Option(
            help="One hypothesis: its definition, or the texts as it labels them.",
            autocompletion=completion.hypotheses,
            show_default=False,
        ),
    ] = None
    part: Annotated[
        str | None, Option("--range", help="The passage to show: from:to in characters.", show_default=False)
    ] = None
    chars: Annotated[int, Option(min=1, help="How many characters of the text to show, if no --range is given.")] = 1500

    def passage(self, corpus: "Corpus", labels: "CorpusLabels") -> tuple[int, int]:
        """Return where the passage starts and stops: `--range`, or around the first place where labels change."""
        from activations.texts.selection import Selection
        from probe.viewer.passages import first_change

        if self.part is not None:
            chosen = Selection.of(len(corpus), *range_ends(self.part))
            return chosen.start, chosen.stop
        focus = first_change(labels, slice(0, len(corpus))) or 0
        earliest = max(focus - self.chars // 2, 0)
        start = earliest + corpus.text(earliest, focus).rfind("\n") + 1
        return start, min(start + self.chars, len(corpus))


@with_options
def hypotheses(
    texts: Annotated[list[Path] | None, Argument(help="Text files to label.", show_default=False)] = None,
    *,
    options: PassageOptions,
    labels: LabelOptions,
    text_options: TextOptions,
    tables: TableOptions,
) -> None:
    """List the hypotheses, or show how one of them labels a text.

    With --show and texts: a passage coloured by its labels, from the first place where they change; then how often each
    label occurs in all of the texts, and how long its runs are. In a pipe, marks below the characters replace the
    colours. With --show alone: the definition. With texts alone: how often each built-in hypothesis is True.

    Example:
        probe hypotheses --show in_quotes corpus.txt
    """
    from hypotheses.registry import get, registered

    tables.check(*(texts or []))
    if options.show is None:
        named = [_in_language(hypothesis, labels.language) for hypothesis in registered().values()]
        if texts:
            _summarise_all(named, text_options.read(texts), labels, tables)
        else:
            rows = [_described(hypothesis) | provenance() for hypothesis in named]
            tables.show(rows, [_listed(hypothesis) for hypothesis in named])
            tables.write(rows)
        return
    with to_standard_error():  # a user's file may print while it is loaded
        hypothesis = get(options.show, language=labels.language)
    if texts:
        _show_labels(hypothesis, text_options.read(texts), options, labels, tables)
    else:
        _define(hypothesis, tables)


def _summarise_all(
    hypotheses: "Sequence[Hypothesis]", corpus: "Corpus", options: LabelOptions, tables: TableOptions
) -> None:
    """Show a row for each hypothesis: what its labels on these texts are like."""
    from hypotheses.errors import HypothesisError

    rows: list[dict[str, TableCell]] = []
    facts_by_name: dict[str, Labels] = {}
    with progress("labelling") as report:
        for n_done, hypothesis in enumerate(hypotheses):
            report(n_done, len(hypotheses), hypothesis.name)
            if hypothesis.parameters.required:
                continue
            try:
                row, facts_by_name[hypothesis.name] = _summary_of(hypothesis, corpus, options)
            except HypothesisError as error:
                warn(str(error))
                continue
            rows.append(row)
    report_kept(facts_by_name)
    made = provenance(text_sha256=corpus.sha256)
    tables.show([row | made for row in rows], rows)
    tables.write([row | made for row in rows])


def _summary_of(
    hypothesis: "Hypothesis", corpus: "Corpus", options: LabelOptions
) -> "tuple[dict[str, TableCell], Labels]":
    """Return what a hypothesis's labels are like, and none of them, but the facts of how they were made."""
    from analyses.targets.labelling import label_in_pieces
    from hypotheses.summary import summarise

    with to_standard_error():
        labels = label_in_pieces(corpus, hypothesis, use_cache=not options.no_cache, notice=warn)
        summary = summarise(labels)
    true = next((count for count in summary.counts if count.label == "True"), None)
    row: dict[str, TableCell] = {
        "hypothesis": hypothesis.name,
        "kind": summary.kind,
        "share_true": true.share if true else None,
        "n_runs": true.n_runs if true else None,
        "lowest": summary.lowest,
        "mean": summary.mean,
        "highest": summary.highest,
        "n_missing": summary.n_missing,
    }
    return row, labels[:0]


def _in_language(hypothesis: "Hypothesis", language: str | None) -> "Hypothesis":
    takes_language = language is not None and "language" in hypothesis.parameters
    return hypothesis.with_parameters(language=language) if takes_language else hypothesis


def _listed(hypothesis: "Hypothesis") -> dict[str, TableCell]:
    ahead = " (looks ahead)" if not hypothesis.causal else ""
    kind = hypothesis.unit or hypothesis.kind or ""
    return {"hypothesis": hypothesis.spelling, "labels": kind, "summary": hypothesis.summary + ahead}


def _described(hypothesis: "Hypothesis") -> dict[str, TableCell]:
    return {
        "hypothesis": hypothesis.name,
        "spelling": hypothesis.spelling,
        "kind": hypothesis.kind,
        "unit": hypothesis.unit or None,
        "looks_ahead": not hypothesis.causal,
        "summary": hypothesis.summary,
        "source": hypothesis.source,
    }


def _define(hypothesis: "Hypothesis", tables: TableOptions) -> None:
    """Print the description of a hypothesis."""
    import inspect

    row = _described(hypothesis) | provenance()
    tables.write([row])
    if tables.as_json:
        tables.show([row])
        return
    say(hypothesis.spelling)
    say(inspect.cleandoc(hypothesis.__doc__ or "It has no docstring."))
    unit = f", in {hypothesis.unit}" if hypothesis.unit else ""
    for fact, value in (
        ("Labels", f"{hypothesis.kind or 'of the kind of its values'}{unit}"),
        ("Looks ahead", "no" if hypothesis.causal else "yes"),
        ("Expected", hypothesis.expects),
        ("Source", hypothesis.source),
    ):
        if value:
            say(f"{fact}: {value}")


def _show_labels(
    hypothesis: "Hypothesis",
    corpus: "Corpus",
    options: PassageOptions,
    label_options: LabelOptions,
    tables: TableOptions,
) -> None:
    """Show a passage coloured by a hypothesis's labels, and count the labels of the whole text."""
    from analyses.targets.labelling import label_in_pieces
    from hypotheses.summary import summarise
    from probe.cli.passage import show_passage

    with progress(f"labelling by {hypothesis.name}"), to_standard_error():
        labels = label_in_pieces(corpus, hypothesis, use_cache=not label_options.no_cache, notice=warn)
    report_kept({hypothesis.name: labels[:0]})
    summary = summarise(labels)
    made = provenance(text_sha256=corpus.sha256)
    rows = [{"hypothesis": hypothesis.name, "kind": labels.kind, **row, **made} for row in summary.rows()]
    if tables.as_json:
        tables.show(rows)
    else:
        start, stop = options.passage(corpus, labels)
        show_passage(corpus.text(start, stop), hypothesis.name, labels[start:stop])
        say(f"\n{hypothesis.name}, characters {start:,} to {stop:,} above; below, all {len(corpus):,}")
        show_rows(summary.rows()[:_MOST_ROWS], as_json=False)
        if len(summary.counts) > _MOST_ROWS:
            say(f"and {len(summary.counts) - _MOST_ROWS:,} other labels")
        if summary.counts and not any(count.n_chars for count in summary.counts if count.label != "False"):
            say(f"{hypothesis.name} is True nowhere in this text")
        if hypothesis.unit:
            say(f"in {hypothesis.unit}")
    tables.write(rows)
