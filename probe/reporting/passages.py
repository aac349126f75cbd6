"""The passage of a report that shows a hypothesis: held-out characters in which its label changes most often."""

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.targets.splits import TEST, Split
from analyses.targets.target import Target

_NEWLINE = ord("\n")
_MOST_CHARS = 2_000_000  # of the text that are searched


def held_out_lines(source: Source, target: Target, n_lines: int, most_chars: int) -> tuple[int, int]:
    """Find the held-out run of whole lines in which the label changes most often.

    Args:
        source: Whose characters may be shown.
        target: The labels. Of a long text only two million characters are searched, from the first held-out one on.
        n_lines: How many lines the passage has; fewer where these are very long.
        most_chars: How many characters it has at most.

    Returns:
        Its start and stop, as positions in the text. Where no held-out stretch has so many whole lines, it is the part
        of a held-out stretch, of `most_chars` characters or fewer, in which the label changes most often.
    """
    used, split = source.selection, target.split
    start = _first_held_out(split, used.start)
    stop = min(used.stop, start + _MOST_CHARS)
    codes = source.corpus.codes[start:stop]
    labels = np.asarray(target.labels.values_at(slice(start, stop)), np.float64)
    changes = np.concatenate([[0], np.cumsum(np.abs(np.diff(labels, prepend=labels[:1])) > 0)])
    firsts = np.flatnonzero(np.concatenate([[True], codes[:-1] == _NEWLINE]))
    begins, ends = firsts[:-n_lines], firsts[n_lines:] - 1
    ends = np.minimum(ends, begins + most_chars)
    within = _are_within_a_held_out_stretch(split, begins + start, ends + start)
    begins, ends = begins[within], ends[within]
    if not len(begins):
        begins, ends = _parts_of_held_out_stretches(split, start, stop, most_chars)
    best = int(np.argmax(changes[ends] - changes[begins]))
    return int(begins[best]) + start, int(ends[best]) + start


def _first_held_out(split: Split, start: int) -> int:
    """Return the first held-out character from `start` on."""
    places = np.concatenate([[start], split.changes[split.changes > start]])
    return int(places[np.argmax(split.parts_of(places) == TEST)])


def _parts_of_held_out_stretches(
    split: Split, start: int, stop: int, most_chars: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where the parts of held-out stretches begin and end, counted from `start`: one from each character."""
    is_held_out = split.parts(start, stop) == TEST
    begins = np.flatnonzero(is_held_out)
    stops = np.append(np.flatnonzero(is_held_out[:-1] & ~is_held_out[1:]) + 1, stop - start)  # of the stretches
    return begins, np.minimum(begins + most_chars, stops[np.searchsorted(stops, begins, side="right")])


def _are_within_a_held_out_stretch(
    split: Split, begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    is_held_out = split.parts_of(begins) == TEST
    return np.asarray(is_held_out & (split.parts_of(ends) == TEST) & (split.stretch(begins) == split.stretch(ends)))
