"""The command `probe hypotheses`, which lists hypotheses and shows their labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import LabelOptions, report_kept
from probe.cli.option_groups import with_options
from probe.cli.provenance import provenance
from probe.cli.reading import TextOptions, range_ends
from probe.cli.show_labels import show_labels, where_longest
from probe.cli.showing import TableCell, progress, say, show_rows, visible, warn
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from activations.texts.corpus import Corpus
    from hypotheses.describing.label_warnings import LabelWarning
    from hypotheses.hypothesis import Hypothesis
    from hypotheses.labels import Labels
    from probe.viewer.passages import Place

_MARK = "!"  # of a hypothesis whose labels are hardly right


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
    around: Annotated[
        int | None,
        Option(help="Show the passage around this character (-1: the last).", metavar="POSITION", show_default=False),
    ] = None
    find: Annotated[
        str | None,
        Option(help="Show the passage around the first match of this regular expression.", show_default=False),
    ] = None
    part: Annotated[
        str | None, Option("--range", help="The passage to show: from:to in characters.", show_default=False)
    ] = None
    chars: Annotated[int, Option(min=1, help="About how many characters to show, if no --range is given.")] = 1500

    def place(self, *, has_texts: bool) -> "Place":
        """Return where the passage is to be.

        Raises:
            BadParameter: If a passage is chosen, and no hypothesis or no text.
            AnalysisError: If it is chosen in two ways.
        """
        from probe.viewer.passages import Place

        span = None if self.part is None else range_ends(self.part)
        made = Place(n_chars=self.chars, around=self.around, find=self.find, span=span)
        if not made.is_open and (self.show is None or not has_texts):
            raise BadParameter(
                "--around, --find and --range choose a passage of a text that one hypothesis labels; name both, such "
                "as probe hypotheses --show in_quotes corpus.txt --find TODO"
            )
        return made


@with_options
def hypotheses(
    texts: Annotated[
        list[Path] | None, Argument(help="Text files to label; - is standard input.", show_default=False)
    ] = None,
    *,
    options: PassageOptions,
    labels: LabelOptions,
    text_options: TextOptions,
    tables: TableOptions,
) -> None:
    """List the hypotheses, or show how one of them labels a text.

    With --show and texts: a passage coloured by its labels, from the first place where they change, or where --around,
    --find or --range says; then how often each label occurs in all of the texts, how long its runs are, and where the
    longest begins. Without colours (NO_COLOR, a pipe), marks below the characters replace them. With --show alone: the
    definition. With texts alone: a row for each built-in hypothesis that applies to them, with a ! if its labels are
    hardly right, such as those of a string that is never closed.

    Example:
        probe hypotheses --show in_quotes corpus.txt

        probe hypotheses --show in_quotes corpus.txt --find 'Chapter [IV]+'
    """
    from hypotheses.registry import get, registered

    tables.check(*(texts or []))
    place = options.place(has_texts=bool(texts))
    if options.show is None:
        named = [get(name, language=labels.language) for name in registered()]
        if texts:
            _summarise_all(named, text_options.read(texts), labels, tables)
        else:
            rows = [_described(hypothesis) | provenance() for hypothesis in named]
            tables.show(rows, [_listed(hypothesis) for hypothesis in named])
            tables.write(rows)
        return
    hypothesis = get(options.show, language=labels.language)
    if texts:
        show_labels(hypothesis, text_options.read(texts), place, labels, tables)
    else:
        _define(hypothesis, tables)


def _summarise_all(
    hypotheses: "Sequence[Hypothesis]", corpus: "Corpus", options: LabelOptions, tables: TableOptions
) -> None:
    """Show a row for each hypothesis: what its labels on these texts are like."""
    from analyses.targets.text_kinds import reasons_against, sentence_of_reasons
    from hypotheses.errors import HypothesisError

    reasons: dict[str, str] = {}
    rows: list[dict[str, TableCell]] = []
    warnings: list[LabelWarning] = []
    facts_by_name: dict[str, Labels] = {}
    with progress("labelling") as report:
        for n_done, hypothesis in enumerate(hypotheses):
            report(n_done, len(hypotheses), hypothesis.name)
            if hypothesis.parameters.required:
                continue
            if against := reasons_against(hypothesis, corpus):
                reasons |= against
                continue
            try:
                row, oddities, facts_by_name[hypothesis.name] = _summary_of(hypothesis, corpus, options)
            except HypothesisError as error:
                warn(str(error))
                continue
            rows.append(row)
            warnings += oddities
    report_kept(facts_by_name)
    if reasons:
        warn(sentence_of_reasons(reasons))
    made = provenance(text_sha256=corpus.sha256)
    if tables.as_json:
        tables.show([row | made for row in rows])
    else:
        _print_summaries(rows, warnings)
    tables.write([row | made for row in rows])


def _summary_of(
    hypothesis: "Hypothesis", corpus: "Corpus", options: LabelOptions
) -> "tuple[dict[str, TableCell], list[LabelWarning], Labels]":
    """Return what a hypothesis's labels are like, and none of them, but the facts of how they were made."""
    from analyses.targets.labelling import label_in_pieces
    from hypotheses.describing.label_warnings import warnings_of
    from hypotheses.describing.summary import summarise

    labels = label_in_pieces(corpus, hypothesis, use_cache=not options.no_cache, notice=warn)
    summary = summarise(labels, document_starts=corpus.starts)
    true = summary.count_of("True") if summary.kind == "binary" else None
    warnings = warnings_of(summary, hypothesis.name, corpus.place)
    row: dict[str, TableCell] = {
        "hypothesis": hypothesis.name,
        "kind": summary.kind,
        "share_true": true.share if true else None,
        "n_runs": true.n_runs if true else None,
        "mean_run": true.mean_run if true else None,
        "longest_run": true.longest_run if true else None,
        **where_longest(corpus, true),
        "lowest": summary.lowest,
        "mean": summary.mean,
        "highest": summary.highest,
        "n_missing": summary.n_missing,
        "warning": warnings[0].finding if warnings else None,
    }
    return row, warnings, labels[:0]


def _print_summaries(rows: "Sequence[dict[str, TableCell]]", warnings: "Sequence[LabelWarning]") -> None:
    """Print a table of hypotheses that are True or False, one of those that give numbers, and the warnings."""
    of_kind = {kind: [row for row in rows if row["kind"] == kind] for kind in ("binary", "numeric", "categorical")}
    binary = [
        {
            "": "" if row["warning"] is None else _MARK,
            **{key: row[key] for key in ("hypothesis", "share_true", "n_runs", "longest_run")},
            "at_character": row["longest_run_at"],
            "n_missing": row["n_missing"],
        }
        for row in of_kind["binary"]
    ]
    keys = ("hypothesis", "lowest", "mean", "highest", "n_missing")
    for table in (binary, [{key: row[key] for key in keys} for row in of_kind["numeric"]]):
        if table:
            show_rows(table, as_json=False)
            say("")
    if of_kind["categorical"]:
        say(f"with classes, which --show counts: {', '.join(str(row['hypothesis']) for row in of_kind['categorical'])}")
    for warning in warnings:
        say(f"{_MARK} {visible(str(warning))}")


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
        "asked_of": _kinds(hypothesis) or None,
        "summary": hypothesis.summary,
        "source": hypothesis.source,
    }


def _kinds(hypothesis: "Hypothesis") -> str:
    return " or ".join(kind.described for _, kinds in hypothesis.needs for kind in kinds)


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
        ("Asked of", _kinds(hypothesis)),
        ("Expected", hypothesis.expects),
        ("Source", hypothesis.source),
    ):
        if value:
            say(f"{fact}: {value}")
