"""Summary statistics of labels: compared with those that a plain loop over the characters counts."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.describing.summary import summarise
from hypotheses.hypothesis import hypothesis
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import LabelsOnDisk
from hypotheses.labels import Labels

LABELS = st.lists(st.sampled_from([True, False, None]), max_size=60)
CLASSES = st.lists(st.sampled_from(["a", "b", "c", None]), max_size=60)


def plain_counts(answer: list[Any], starts: list[int], first: int, last: int) -> dict[Any, dict[str, Any]]:
    """What a loop over the characters counts: for each label that occurs, what `LabelCount` says of it."""
    borders = {0, len(answer), *starts}
    runs: list[tuple[Any, int, int]] = []
    for t in range(first, last):
        if runs and runs[-1][0] == answer[t] and t not in borders:
            runs[-1] = (answer[t], runs[-1][1], t + 1)
        else:
            runs.append((answer[t], t, t + 1))
    counts = {}
    for label in {label for label, _, _ in runs}:
        spans = [(start, stop) for run_label, start, stop in runs if run_label == label]
        by_length = sorted(spans, key=lambda span: (span[0] - span[1], span[0]))
        start, stop = by_length[0]
        counts[label] = {
            "n_chars": sum(stop - start for start, stop in spans),
            "n_runs": len(spans),
            "longest_run": stop - start,
            "longest_run_start": start,
            "second_longest_run": by_length[1][1] - by_length[1][0] if len(spans) > 1 else 0,
            "longest_ended_run": max((stop - start for start, stop in spans if stop not in borders), default=0),
            "is_unended": stop in borders and start not in borders,
            "first": spans[0][0],
            "last": spans[-1][1] - 1,
        }
    return counts


@pytest.mark.parametrize("chunk", [1, 3, 1 << 18])
@given(answer=st.one_of(LABELS, CLASSES), cuts=st.sets(st.integers(0, 60)), data=st.data())
def test_summaries_are_those_of_a_plain_loop(
    chunk: int, answer: list[Any], cuts: set[int], data: st.DataObject
) -> None:
    starts = sorted(cut for cut in cuts if cut < len(answer))
    first = data.draw(st.integers(0, len(answer)))
    last = data.draw(st.integers(first, len(answer)))
    is_binary = not any(isinstance(label, str) for label in answer)
    labels = Labels.from_answer(answer, len(answer), "binary" if is_binary else "categorical")
    expected = plain_counts(answer, starts, first, last)
    pieces = CorpusLabels.join([labels[:7], labels[7:]])
    for made in (labels, pieces, LabelsOnDisk(pieces)):
        summary = summarise(made, chunk, document_starts=starts, part=slice(first, last))
        assert (summary.n_chars, summary.n_missing) == (last - first, answer[first:last].count(None))
        counts = {count.label: count for count in summary.counts if count.n_runs}
        assert counts.keys() == {"missing" if label is None else str(label) for label in expected}
        for label, facts in expected.items():
            count = counts["missing" if label is None else str(label)]
            assert {name: getattr(count, name) for name in facts} == facts
            assert count.share == facts["n_chars"] / (last - first)
            assert count.mean_run == facts["n_chars"] / facts["n_runs"]
        absent = [count for count in summary.counts if not count.n_runs]
        assert all(count.longest_run_start is count.first is count.last is count.mean_run is None for count in absent)


@pytest.mark.parametrize("chunk", [16, 1 << 18])
@given(answer=st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=40), data=st.data())
def test_extremes_are_where_a_plain_loop_finds_them(chunk: int, answer: list[Any], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(answer)))
    last = data.draw(st.integers(first, len(answer)))
    part = answer[first:last]
    present = [label for label in part if label is not None]
    summary = summarise(Labels.from_answer(answer, len(answer), "numeric"), chunk, part=slice(first, last))
    assert (summary.n_chars, summary.n_missing) == (len(part), part.count(None))
    if not present:
        assert summary.lowest_at is summary.mean is summary.highest_at is None
        return
    assert (summary.lowest, summary.lowest_at) == (min(present), first + part.index(min(present)))
    assert (summary.highest, summary.highest_at) == (max(present), first + part.index(max(present)))
    assert summary.mean == pytest.approx(sum(present) / len(present))


def test_a_run_that_a_part_cuts_off_ends_with_it() -> None:
    """But not with its document, so that nothing is said of where it ends."""
    labels = Labels(np.array([False, True, True, True, True, True]), "binary")
    [_, count] = summarise(labels, part=slice(0, 4)).counts
    assert (count.longest_run, count.longest_ended_run, count.is_unended) == (3, 3, False)
    [_, count] = summarise(labels).counts
    assert (count.longest_run, count.longest_ended_run, count.is_unended) == (5, 0, True)
    [_, count] = summarise(labels, document_starts=[0, 3]).counts
    assert (count.n_runs, count.longest_run, count.last) == (2, 3, 5)


def test_the_rows_say_where_the_runs_are() -> None:
    in_b = hypothesis(lambda text: [char == "b" for char in text])
    assert summarise(in_b("abbabbb"), document_starts=[0, 6]).rows()[1] == {
        "label": "True",
        "n_chars": 5,
        "share": 5 / 7,
        "n_runs": 3,
        "mean_run": 5 / 3,
        "longest_run": 2,
        "longest_run_at": 1,
        "first": 1,
        "last": 6,
    }
