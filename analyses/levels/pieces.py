"""Characters cut into pieces of one part and one code, whose ranks are added up in one go.

A code stands for a combination of part, atom and labels; a kind for a combination of part and labels. Neighbouring
characters mostly have the same code. They are cut into pieces of 8, 4, 2 or 1:

    place   0               8               16    19      23
    code    3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 5 5 5 5 5 5
    pieces  [      8      ] [      8      ] [2] 1 [  4  ] [2]

Pieces of one size and part in the same region of the text are a batch, and follow each other in the arrays:

    batch     part   region   size    starts
    0         TRAIN  0        8       0, 8
    1         TRAIN  0        4       19
    2         TRAIN  0        2       16, 23
    3         TRAIN  0        1       18

so that the loop over a batch has a fixed size, which the processor need not guess.
"""

import itertools
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.targets.splits import PARTS, TEST, TRAIN
from hypotheses.kernels import compiled

SIZES = (8, 4, 2, 1)  # of pieces, whose ranks, each below twice the number of characters, must add up to below 2³²
_N_PARTS = len(PARTS)
_REGION = 1 << 15  # characters whose levels stay in the cache while the pieces of all sizes are added up


class Pieces(NamedTuple):
    """The part and the code of each character, cut into pieces; the module's docstring shows how.

    Attributes:
        parts: (n_chars,) `TRAIN`, `TEST` or `GAP`; a character with a negative one is left out.
        starts: (n_pieces,) where each piece begins.
        codes: (n_pieces,) the code of each piece.
        kinds: (n_codes,) the kind of each code, of which there are few.
        batches: (n_batches, 4) the first piece of each batch, the one behind its last, the size of its pieces, and
            their part.
        code_counts: (n_parts, n_codes) how many characters of each part have a code.
    """

    parts: NDArray[np.int8]
    starts: NDArray[np.uint32]
    codes: NDArray[np.uint32]
    kinds: NDArray[np.uint32]
    batches: NDArray[np.int64]
    code_counts: NDArray[np.int64]

    @classmethod
    def cut(
        cls, parts: NDArray[np.int8], codes: NDArray[np.int64], kinds: NDArray[np.int64], n_ranked: int
    ) -> "Pieces":
        """Cut characters into pieces of one part and code.

        Args:
            parts: (n_chars,) `TRAIN`, `TEST` or `GAP`; a character with a negative one is left out.
            codes: (n_chars,) in [0, n_codes).
            kinds: (n_codes,) the kind of each code, in [0, n_kinds).
            n_ranked: The most characters that are ranked together, these and others.
        """
        longest = next(n for n, size in enumerate(SIZES) if 2 * n_ranked * size <= 1 << 32 or size == 1)
        starts, stops, code_counts = _cut(parts, codes, len(kinds), longest)
        last = stops.ravel()
        first = np.append(0, last[:-1])
        batch_parts, _, size_numbers = (index.ravel() for index in np.indices(stops.shape))
        batches = np.stack([first, last, np.array(SIZES)[size_numbers], batch_parts], axis=1)[first < last]
        return cls(parts, starts, codes[starts].astype(np.uint32), kinds.astype(np.uint32), batches, code_counts)

    @property
    def n(self) -> NDArray[np.int64]:
        """(3,) characters in the training part, in the test part, and in all."""
        n_by_part = self.code_counts.sum(axis=1)
        return np.array([n_by_part[TRAIN], n_by_part[TEST], n_by_part.sum()])

    @property
    def n_codes(self) -> int:
        """The number of different codes."""
        return len(self.kinds)

    @property
    def n_kinds(self) -> int:
        """The number of different kinds of codes."""
        return int(self.kinds.max()) + 1 if len(self.kinds) else 0


@compiled()
def _cut(
    parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int, longest: int
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]:
    """Cut characters into pieces, the longest of which have the size `SIZES[longest]`.

    Pieces are counted in a first round, and written in a second one.

    Returns:
        (n_pieces,) where each starts, those of one size in one region of one part side by side; (n_parts, n_regions,
        n_sizes) how many pieces there are up to the last of these; and how often each part has each code.
    """
    code_counts = np.zeros((_N_PARTS, n_codes), np.int64)
    stops = np.zeros((_N_PARTS, len(parts) // _REGION + 1, len(SIZES)), np.int64)
    starts = np.empty(0, np.uint32)
    for is_second in range(2):
        t = 0
        while t < len(parts):
            part, code, stop = parts[t], codes[t], t + 1
            while stop < len(parts) and parts[stop] == part and codes[stop] == code:
                stop += 1
            if is_second and part >= 0:
                code_counts[part, code] += stop - t
            while t < stop and part >= 0:
                number = longest
                while t + SIZES[number] > stop:
                    number += 1
                region = t // _REGION
                if is_second:
                    starts[stops[part, region, number]] = t
                stops[part, region, number] += 1
                t += SIZES[number]
            t = stop
        if not is_second:
            n_pieces = 0
            for place in np.ndindex(stops.shape):
                n_here = int(stops[place])
                stops[place] = n_pieces
                n_pieces += n_here
            starts = np.empty(n_pieces, np.uint32)
    return starts, stops, code_counts


class ShiftedRuns(NamedTuple):
    """Where labels change whose correlation with ranks is wanted also after circular shifts.

    Attributes:
        steps: (n_steps,) how many characters on the label of a character is taken from, in [0, n_chars).
        places: The characters whose label is another than that of the character before, in a circle, in ascending order
            for each label.
        changes: By how much the label falls there.
        label_borders: (n_labels + 1,) where in these the places of each label begin.
        group_borders: (n_groups + 1,) where each position group begins, and where the last ends.
    """

    steps: NDArray[np.int64]
    places: NDArray[np.int64]
    changes: NDArray[np.float64]
    label_borders: NDArray[np.int64]
    group_borders: NDArray[np.int64]

    @property
    def n_labels(self) -> int:
        """How many labels are shifted."""
        return len(self.label_borders) - 1


NO_SHIFTS = ShiftedRuns(*(np.zeros(n, dtype) for n, dtype in [(0, int), (0, int), (0, float), (1, int), (0, int)]))


class FlatSegmentations(NamedTuple):
    """Several segmentations of the same characters in flat arrays, as compiled loops need them.

    The arrays of all segmentations are joined; a `..._borders` array says where each one begins.

    Attributes:
        n: (n_segmentations, 3) characters in the training part, in the test part, and in all.
        run_starts: Where runs of characters of one part start in the first segmentation.
        run_stops: Where they stop.
        run_parts: Which part they have.
        changed: Places of characters that a part gains or loses from one segmentation to the next.
        changed_parts: The part that gains or loses each of them.
        changes: 1, or what added to a number of 32 bits takes 1 off.
        change_borders: (n_segmentations + 1,) where in these the changes before each segmentation begin.
        starts: The starts of all pieces, see `Pieces`.
        codes: The codes of all pieces; those of a segmentation go on where those of the one before end.
        kinds: The kinds of all codes, which go on likewise.
        batches: The batches of all pieces.
        batch_borders: (n_segmentations + 1,) where in these the batches of each begin.
    """

    n: NDArray[np.int64]
    run_starts: NDArray[np.uint64]
    run_stops: NDArray[np.uint64]
    run_parts: NDArray[np.uint64]
    changed: NDArray[np.uint32]
    changed_parts: NDArray[np.uint8]
    changes: NDArray[np.uint32]
    change_borders: NDArray[np.int64]
    starts: NDArray[np.uint32]
    codes: NDArray[np.uint32]
    kinds: NDArray[np.uint32]
    batches: NDArray[np.int64]
    batch_borders: NDArray[np.int64]


class Segmentations:
    """Several segmentations of the same characters into pieces, which differ in parts, codes, and what is left out.

    Attributes:
        pieces: The pieces of each segmentation.
        code_borders: (n_segmentations + 1,) where the codes of each begin if their sums are put side by side.
        kind_borders: (n_segmentations + 1,) the same for kinds.
        flat: All of them in flat arrays.
    """

    def __init__(self, pieces: Sequence[Pieces]) -> None:
        self.pieces = pieces
        self.code_borders = _borders(segmentation.n_codes for segmentation in pieces)
        self.kind_borders = _borders(segmentation.n_kinds for segmentation in pieces)
        run_starts, run_stops, run_parts = _runs(pieces[0].parts)
        pairs = itertools.pairwise([pieces[0], *pieces])
        changes = [_changes(before.parts, after.parts) for before, after in pairs]
        changed, changed_parts, steps = map(np.concatenate, zip(*changes, strict=True))
        firsts = _borders(len(segmentation.starts) for segmentation in pieces)[:-1]
        codes = [
            segmentation.codes + np.uint32(n) for segmentation, n in zip(pieces, self.code_borders[:-1], strict=True)
        ]
        kinds = [
            segmentation.kinds + np.uint32(n) for segmentation, n in zip(pieces, self.kind_borders[:-1], strict=True)
        ]
        batches = [
            segmentation.batches + np.array([n, n, 0, 0]) for segmentation, n in zip(pieces, firsts, strict=True)
        ]
        self.flat = FlatSegmentations(
            n=np.array([segmentation.n for segmentation in pieces]),
            run_starts=run_starts,
            run_stops=run_stops,
            run_parts=run_parts,
            changed=changed.astype(np.uint32),
            changed_parts=changed_parts.astype(np.uint8),
            changes=steps.astype(np.uint32),
            change_borders=_borders(len(places) for places, _, _ in changes),
            starts=np.concatenate([segmentation.starts for segmentation in pieces]),
            codes=np.concatenate(codes),
            kinds=np.concatenate(kinds),
            batches=np.concatenate(batches),
            batch_borders=_borders(len(segmentation.batches) for segmentation in pieces),
        )


def _borders(lengths: Iterable[int]) -> NDArray[np.int64]:
    """(n + 1,) where each of n joined arrays of these lengths begins, and where the last ends."""
    return np.cumsum([0, *lengths])


def _runs(parts: NDArray[np.int8]) -> tuple[NDArray[np.uint64], NDArray[np.uint64], NDArray[np.uint64]]:
    """Find runs of characters of one part that are not left out: their starts, stops and parts."""
    borders = np.flatnonzero(np.diff(parts, prepend=-2, append=-2))  # -2 is no part
    runs = np.stack([borders[:-1], borders[1:], parts[borders[:-1]]])
    starts, stops, run_parts = runs[:, runs[2] >= 0].astype(np.uint64)
    return starts, stops, run_parts


def _changes(before: NDArray[np.int8], after: NDArray[np.int8]) -> tuple[NDArray[np.int64], ...]:
    """Find characters that parts lose and gain: their places, the part, and by how much its count changes."""
    lost = np.flatnonzero((before != after) & (before >= 0))
    gained = np.flatnonzero((before != after) & (after >= 0))
    steps = np.repeat([-1, 1], [len(lost), len(gained)])
    return np.concatenate([lost, gained]), np.concatenate([before[lost], after[gained]]), steps
