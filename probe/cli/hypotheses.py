"""`probe hypotheses`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from probe.cli.options import JsonOption, LanguageOption, NoCacheOption
from probe.cli.reading import TextOptions, ends, with_options
from probe.cli.show import Cell, progress, say, show_rows, to_standard_error, warn
from probe.cli.sources import tell_kept

_MOST_ROWS = 20

if TYPE_CHECKING:
    from activations.texts.corpus import Corpus
    from hypotheses.hypothesis import Hypothesis
    from hypotheses.labelling.corpus_labels import CorpusLabels
    from hypotheses.labels import Labels


@with_options
def hypotheses(
    texts: Annotated[list[Path] | None, Argument(help="Text files to label.", show_default=False)] = None,
    show: Annotated[
        str | None,
        Option(help="One hypothesis: its definition, or the texts as it labels them.", show_default=False),
    ] = None,
    part: Annotated[
        str | None, Option("--range", help="The passage to show: from:to in characters.", show_default=False)
    ] = None,
    chars: Annotated[
        int, Option(min=1, help="How many characters of the text to show, if no --range is given.")
    ] = 1500,
    language: LanguageOption = None,
    *,
    how_read: TextOptions,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """List the hypotheses that can be asked for by name, or look at the labels that one gives to a text.

    With --show and texts: a passage coloured by its labels, from the first place where they change; then how often each
    label occurs in all of the texts, and in how long runs. In a pipe, marks below the characters take the place of
    colours. With --show alone: the definition. With texts alone: how often each built-in hypothesis is True.

    Example:
        probe hypotheses --show in_quotes corpus.txt
    """
    from hypotheses.registry import get, registered

    if show is None:
        asked_all = [_in_language(each, language) for each in registered().values()]
        show_rows(_table(asked_all, texts, as_json, how_read, no_cache), as_json=as_json)
        return
    with to_standard_error():  # a user's file may print while it is loaded
        asked = get(show, language=language)
    if not texts:
        _define(asked, as_json)
        return
    corpus, labels = _label(asked, texts, how_read, no_cache)
    tell_kept({asked.name: labels[:0]})
    _show(asked, corpus, labels, part, chars, as_json)


def _table(
    asked: "list[Hypothesis]",
    texts: list[Path] | None,
    as_json: bool,
    how_read: TextOptions,
    no_cache: bool,
) -> list[dict[str, Cell]]:
    """A row for each hypothesis: what it asks, or what its labels on these texts are like."""
    from hypotheses.errors import HypothesisError

    if not texts:
        return [_described(each) if as_json else _listed(each) for each in asked]
    rows: list[dict[str, Cell]] = []
    told: dict[str, Labels] = {}
    corpus = how_read.read(texts)
    with progress("labelling") as report:
        for n_done, each in enumerate(asked):
            report(n_done, len(asked), each.name)
            if each.parameters.required:
                continue
            try:
                row, told[each.name] = _summary_of(each, corpus, no_cache)
            except HypothesisError as error:
                warn(str(error))
                continue
            rows.append(row)
    tell_kept(told)
    return rows


def _summary_of(asked: "Hypothesis", corpus: "Corpus", no_cache: bool) -> "tuple[dict[str, Cell], Labels]":
    """What the labels of a hypothesis are like; and none of them, but with what is known of how they were made."""
    from analyses.targets.labelling import label_in_pieces
    from hypotheses.summary import summarise

    with to_standard_error():
        labels = label_in_pieces(corpus, asked, use_cache=not no_cache, notice=warn)
        found = summarise(labels)
    true = next((count for count in found.counts if count.label == "True"), None)
    row: dict[str, Cell] = {
        "hypothesis": asked.name,
        "kind": found.kind,
        "share_true": true.share if true else None,
        "n_runs": true.n_runs if true else None,
        "lowest": found.lowest,
        "mean": found.mean,
        "highest": found.highest,
        "n_missing": found.n_missing,
    }
    return row, labels[:0]


def _in_language(asked: "Hypothesis", language: str | None) -> "Hypothesis":
    return (
        asked.with_parameters(language=language) if language is not None and "language" in asked.parameters else asked
    )


def _listed(asked: "Hypothesis") -> dict[str, Cell]:
    ahead = " (looks ahead)" if not asked.causal else ""
    kind = asked.unit or asked.kind or ""
    return {"hypothesis": asked.spelling, "labels": kind, "asks": asked.summary + ahead}


def _described(asked: "Hypothesis") -> dict[str, Cell]:
    return {
        "hypothesis": asked.name,
        "spelling": asked.spelling,
        "kind": asked.kind,
        "unit": asked.unit or None,
        "looks_ahead": not asked.causal,
        "summary": asked.summary,
        "source": asked.source,
    }


def _define(asked: "Hypothesis", as_json: bool) -> None:
    import inspect

    if as_json:
        show_rows([_described(asked)], as_json=True)
        return
    say(asked.spelling)
    say(inspect.cleandoc(asked.__doc__ or "It says nothing of itself."))
    for what, found in (
        ("Labels", f"{asked.kind or 'of the kind of its values'}{f', in {asked.unit}' if asked.unit else ''}"),
        ("Looks ahead", "no" if asked.causal else "yes"),
        ("Expected", asked.expects),
        ("Source", asked.source),
    ):
        if found:
            say(f"{what}: {found}")


def _label(
    asked: "Hypothesis", texts: list[Path], how_read: TextOptions, no_cache: bool
) -> "tuple[Corpus, CorpusLabels]":
    from analyses.targets.labelling import label_in_pieces

    corpus = how_read.read(texts)
    with progress(f"labelling by {asked.name}"), to_standard_error():
        return corpus, label_in_pieces(corpus, asked, use_cache=not no_cache, notice=warn)


def _show(
    asked: "Hypothesis", corpus: "Corpus", labels: "CorpusLabels", part: str | None, chars: int, as_json: bool
) -> None:
    from activations.texts.selection import Selection
    from hypotheses.summary import summarise
    from probe.cli.passage import first_of_interest, show_passage

    summary = summarise(labels)
    if as_json:
        show_rows([{"hypothesis": asked.name, "kind": labels.kind, **row} for row in summary.rows()], as_json=True)
        return
    if part is None:
        place = first_of_interest(labels)
        earliest = max(place - chars // 2, 0)
        start = earliest + corpus.text(earliest, place).rfind("\n") + 1
        stop = min(start + chars, len(corpus))
    else:
        chosen = Selection.of(len(corpus), *ends(part))
        start, stop = chosen.start, chosen.stop
    show_passage(corpus.text(start, stop), labels[start:stop])
    say(f"\n{asked.name}, characters {start:,} to {stop:,} above; below, all {len(corpus):,}")
    show_rows(summary.rows()[:_MOST_ROWS], as_json=False)
    if len(summary.counts) > _MOST_ROWS:
        say(f"and {len(summary.counts) - _MOST_ROWS:,} other labels")
    if not any(each.n_chars for each in summary.counts if each.label != "False") and summary.counts:
        say(f"{asked.name} is True nowhere in this text")
    if asked.unit:
        say(f"in {asked.unit}")
