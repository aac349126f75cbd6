"""The passage of a report that shows a hypothesis: held-out lines in which its label changes most often."""

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.targets.splits import TEST
from analyses.targets.target import Target

_NEWLINE = ord("\n")
_MOST_CHARS = 2_000_000  # of the text that are searched


def held_out_lines(source: Source, target: Target, n_lines: int, most_chars: int) -> tuple[int, int]:
    """Find the held-out run of whole lines in which the label changes most often.

    Args:
        source: Whose characters may be shown.
        target: The labels. Of a long text only the first two million characters are searched.
        n_lines: How many lines the passage has; fewer where these are very long.
        most_chars: How many characters it has at most.

    Returns:
        Its start and stop, as positions in the text. Where no held-out stretch has so many whole lines, it is the
        `most_chars` characters around the first change of the label.
    """
    used = source.selection
    start, stop = used.start, min(used.stop, used.start + _MOST_CHARS)
    codes = source.corpus.codes[start:stop]
    labels = np.asarray(target.labels.values_at(slice(start, stop)), np.float64)
    changes = np.concatenate([[0], np.cumsum(np.abs(np.diff(labels, prepend=labels[:1])) > 0)])
    firsts = np.flatnonzero(np.concatenate([[True], codes[:-1] == _NEWLINE]))
    begins, ends = firsts[:-n_lines], firsts[n_lines:] - 1
    ends = np.minimum(ends, begins + most_chars)
    if len(begins):
        within = _are_within_a_held_out_stretch(target, begins + start, ends + start)
        n_changes = np.where(within, changes[ends] - changes[begins], -1)
        best = int(np.argmax(n_changes))
        if n_changes[best] >= 0:
            return int(begins[best]) + start, int(ends[best]) + start
    first_change = int(np.argmax(changes > 0))
    begin = max(0, min(first_change - most_chars // 2, len(codes) - most_chars))
    return begin + start, min(begin + most_chars, len(codes)) + start


def _are_within_a_held_out_stretch(
    target: Target, begins: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.bool_]:
    split = target.split
    is_held_out = split.parts_of(begins) == TEST
    return np.asarray(is_held_out & (split.parts_of(ends) == TEST) & (split.stretch(begins) == split.stretch(ends)))
