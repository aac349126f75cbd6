"""Show how one hypothesis labels a text: a passage, and a summary of all labels, for `probe hypotheses --show`."""

from typing import TYPE_CHECKING

from probe.cli.analysis_options import LabelOptions, report_kept
from probe.cli.provenance import provenance
from probe.cli.showing import SIGNS, TableCell, progress, say, show_rows, visible, warn
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from activations.texts.corpus import Corpus
    from hypotheses.describing.summary import LabelCount, LabelSummary
    from hypotheses.hypothesis import Hypothesis
    from hypotheses.labelling.corpus_labels import CorpusLabels
    from probe.viewer.passages import Place

_MOST_ROWS = 20


def show_labels(
    hypothesis: "Hypothesis", corpus: "Corpus", place: "Place", label_options: LabelOptions, tables: TableOptions
) -> None:
    """Show a passage coloured by a hypothesis's labels, and count the labels of the whole text."""
    from analyses.targets.labelling import label_in_pieces
    from analyses.targets.text_kinds import doubts_about
    from hypotheses.describing.label_warnings import warnings_of
    from hypotheses.describing.summary import summarise

    with progress(f"labelling by {hypothesis.name}"):
        labels = label_in_pieces(corpus, hypothesis, use_cache=not label_options.no_cache, notice=warn)
    report_kept({hypothesis.name: labels[:0]})
    summary = summarise(labels, document_starts=corpus.starts)
    for sentence in doubts_about(hypothesis, corpus):
        warn(sentence)
    warnings = warnings_of(summary, hypothesis.name, corpus.place)
    rows = _rows(summary, corpus, warnings[0].finding if warnings else None)
    made = provenance(text_sha256=corpus.sha256)
    all_rows = [{"hypothesis": hypothesis.name, "kind": labels.kind, **row, **made} for row in rows]
    if tables.as_json:
        tables.show(all_rows)
    else:
        _show_passage(hypothesis, corpus, labels, place)
        show_rows(summary.rows()[:_MOST_ROWS], as_json=False)
        if len(summary.counts) > _MOST_ROWS:
            say(f"and {len(summary.counts) - _MOST_ROWS:,} other labels")
        if summary.counts and not any(count.n_chars for count in summary.counts if count.label != "False"):
            say(f"{hypothesis.name} is True nowhere in this text")
        elif summary.n_missing == summary.n_chars:
            say(f"! {visible(hypothesis.name)} has no label anywhere in this text")
        if hypothesis.unit:
            say(f"in {hypothesis.unit}")
        for warning in warnings:
            say(f"! {visible(str(warning))}")
        if not warnings:
            _say_where_longest(hypothesis.name, summary, corpus)
    tables.write(all_rows)


def where_longest(corpus: "Corpus", count: "LabelCount | None") -> dict[str, TableCell]:
    """Return the columns that say where the longest run of a label begins."""
    if count is None or count.longest_run_start is None:
        return {"longest_run_at": None, "longest_run_file": None, "longest_run_line": None}
    name, line = corpus.line_of(count.longest_run_start)
    return {"longest_run_at": count.longest_run_start, "longest_run_file": name, "longest_run_line": line}


def _rows(summary: "LabelSummary", corpus: "Corpus", warning: str | None) -> list[dict[str, TableCell]]:
    """Return the rows of `--json` and `--csv`, without what is the same in all of them."""
    rows: list[dict[str, TableCell]] = []
    for row, count in zip(summary.rows(), summary.counts or [None], strict=True):
        with_place: dict[str, TableCell] = {}
        for key, value in row.items():
            with_place |= {key: value} if key != "longest_run_at" else where_longest(corpus, count)
        if count is not None:
            with_place["warning"] = warning if count.label == "True" else None
        rows.append(with_place)
    return rows


def _show_passage(hypothesis: "Hypothesis", corpus: "Corpus", labels: "CorpusLabels", place: "Place") -> None:
    """Show a passage, and say where it is."""
    from probe.cli.passage import show_passage
    from probe.viewer.passages import first_match

    everything = slice(0, len(corpus))
    part = place.passage(corpus, [everything], labels)
    show_passage(corpus.text(part.start, part.stop), hypothesis.name, labels[part])
    say(f"\n{hypothesis.name}, characters {part.start:,} to {part.stop:,} above; below, all {len(corpus):,}")
    focus = None
    if place.around is not None:
        focus = place.around + (len(corpus) if place.around < 0 else 0)
    elif place.find is not None:
        focus = first_match(corpus, everything, place.find)
    if focus is not None:
        [label] = labels[focus : focus + 1].tolist()
        character = visible(corpus.text(focus, focus + 1), SIGNS)
        said = "no label" if label is None else f"{label:g}" if isinstance(label, float) else visible(str(label), SIGNS)
        say(f"{visible(corpus.place(focus))}, is '{character}': {said}")
    elif part.start < part.stop:
        name, line = corpus.line_of(part.start)
        last_name, last_line = corpus.line_of(part.stop - 1)
        if name != last_name:
            say(visible(f"line {line:,} of {name} to line {last_line:,} of {last_name}"))
        else:
            say(visible(f"{f'lines {line:,} to {last_line:,}' if line < last_line else f'line {line:,}'} of {name}"))


def _say_where_longest(name: str, summary: "LabelSummary", corpus: "Corpus") -> None:
    """Say where the longest run of a label other than False begins, and how to see it."""
    from hypotheses.describing.label_warnings import command_that_shows

    counts = [count for count in summary.counts if count.label not in ("False", "missing")]
    count = max(counts, key=lambda count: count.longest_run, default=None)
    if count is not None and count.longest_run_start is not None:
        where = visible(corpus.place(count.longest_run_start))
        command = command_that_shows(name, count.longest_run_start)
        say(f"the longest run of {visible(count.label)} begins at {where}, which {command} shows")
