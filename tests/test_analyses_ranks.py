"""Ranks, and the AUCs that are made of them, equal scikit-learn's and scipy's, however the rows are cut into blocks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.metrics import roc_auc_score

from analyses.levels.binning import to_levels
from analyses.levels.bins import Bins
from analyses.levels.choosing_bins import bins_around
from analyses.levels.counts import LevelCounts
from analyses.levels.pieces import Pieces, Segmentations
from analyses.levels.rank_kernels import N_COUNT_COLUMNS, _tie_sums
from analyses.levels.ranks import CodeSums, Ranks, ranks_at_once, ranks_by_sorting
from analyses.targets.splits import ALL, TEST, TRAIN

seeds = st.integers(0, 2**32 - 1)


def levels_of(values: NDArray[np.floating], bins: Bins | None = None) -> NDArray[np.uint16]:
    """(n_units, n_chars) levels of (n_chars, n_units) numbers."""
    levels = np.empty(values.T.shape, np.uint16)
    to_levels(values, levels, bins)
    return levels


def ranks_of(levels: NDArray[np.uint16], parts: NDArray[np.int8], cuts: list[int], bins: Bins | None = None) -> Ranks:
    """Ranks of (n_units, n_chars) levels, which are counted in pieces."""
    counts = LevelCounts(N_COUNT_COLUMNS, len(levels))
    for x, own_parts in zip(np.split(levels, cuts, axis=1), np.split(parts, cuts), strict=True):
        counts.update(x, own_parts)
    return Ranks(counts, None if bins is None else bins.middle_levels)


def ranks_among(ranks: Ranks, levels: NDArray[np.uint16], parts: NDArray[np.int8]) -> NDArray[np.int64]:
    """(2 or 3, n_units, n_chars) ranks within their part and among all, and how many share the level."""
    return stacked(ranks.add_up(levels, pieces_of(parts, np.arange(len(parts)), len(parts))))


def stacked(sums: CodeSums) -> NDArray[np.int64]:
    """(2 or 3, n_units, n_codes) the sums in one array; each code is a kind of its own."""
    return np.stack([sums.by_part, sums.overall] + ([] if sums.others is None else [sums.others]))


def pieces_of(parts: NDArray[np.int8], codes: NDArray[np.int64], n_codes: int = 7) -> Pieces:
    """Pieces of characters that are ranked by themselves."""
    return Pieces.cut(parts, codes, np.arange(n_codes), len(parts))


def codes_and_parts(
    rng: np.random.Generator, n: int, n_alike: int, n_codes: int = 7
) -> tuple[NDArray[np.int64], NDArray[np.int8]]:
    """(n,) codes and parts, the same for `n_alike` neighbours."""
    codes = np.repeat(rng.integers(0, n_codes, n), n_alike)[:n]
    return codes, np.repeat(rng.integers(-1, 3, n), n_alike)[:n].astype(np.int8)


def aucs(ranks: NDArray[np.int32], labels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n_units,) AUCs from (n_units, n_chars) ranks."""
    n = ranks.shape[1]
    return np.asarray(0.5 + (ranks[:, labels].mean(axis=1) - ranks[:, ~labels].mean(axis=1)) / (2 * n))


@given(seed=seeds, decimals=st.integers(0, 3), cuts=st.lists(st.integers(0, 300), max_size=4).map(sorted))
def test_auc_agrees_with_scikit_learn_also_on_ties(seed: int, decimals: int, cuts: list[int]) -> None:
    rng = np.random.default_rng(seed)
    labels, parts = rng.random(300) < 0.3, rng.integers(0, 3, 300).astype(np.int8)
    labels[:6], parts[:6] = [True, False] * 3, [0, 0, 1, 1, 2, 2]
    values = (rng.normal(0, 1, (300, 5)) + labels[:, None] * rng.normal(0, 1, 5)).round(decimals).astype(np.float16)
    levels = levels_of(values)
    within, everywhere = ranks_among(ranks_of(levels, parts, cuts), levels, parts)
    expected = [roc_auc_score(labels, column) for column in values.T]
    np.testing.assert_allclose(aucs(everywhere, labels), expected, atol=1e-12)
    for part in (TRAIN, TEST):
        rows = parts == part
        expected = [roc_auc_score(labels[rows], column[rows]) for column in values.T]
        np.testing.assert_allclose(aucs(within[:, rows], labels[rows]), expected, atol=1e-12)


def test_ranks_are_those_of_scipy(rng: np.random.Generator) -> None:
    values = rng.normal(size=(400, 3)).round(1).astype(np.float16)
    parts = rng.integers(-1, 3, 400).astype(np.int8)
    levels = levels_of(values)
    ranks = ranks_of(levels, parts, [100])
    within, everywhere = ranks_among(ranks, levels, parts)
    for found, rows in ((everywhere, parts >= 0), (within, parts == TRAIN), (within, parts == TEST)):
        np.testing.assert_array_equal(found[:, rows].T, 2 * rankdata(values[rows], axis=0) - rows.sum() - 1)
    assert not everywhere[:, parts < 0].any() and not within[:, (parts < 0) | (parts == ALL)].any()
    for part, found in ((ALL, everywhere), (TRAIN, within * (parts == TRAIN)), (TEST, within * (parts == TEST))):
        squares = (found.astype(np.float64) ** 2).sum(axis=1)
        np.testing.assert_allclose(ranks.summary.squares[:, part], squares, rtol=1e-12)
    assert ranks.summary.n.tolist() == [(parts == TRAIN).sum(), (parts == TEST).sum(), (parts >= 0).sum()]


def test_values_beyond_float16_and_both_zeros_have_their_ranks() -> None:
    parts = np.zeros(4, np.int8)
    values: NDArray[np.float32] = np.array([[1e9], [2e5], [-1e9], [3.0]], np.float32)
    levels = levels_of(values, bins_around(values))
    assert ranks_among(ranks_of(levels, parts, []), levels, parts)[1, 0].tolist() == [3, 1, -3, -1]
    levels = levels_of(np.array([[0.0], [-0.0], [1.0], [-1.0]], np.float16))
    assert ranks_among(ranks_of(levels, parts, []), levels, parts)[1, 0].tolist() == [0, 0, 3, -3]


@pytest.mark.parametrize("share_levels", [False, True])
@pytest.mark.parametrize(("n_chars", "n_alike"), [(5000, 1), (5000, 3), (5000, 6), (5000, 20), (70_000, 13)])
def test_ranks_add_up_to_the_same_in_any_order_and_by_any_code(
    rng: np.random.Generator, n_chars: int, n_alike: int, share_levels: bool
) -> None:
    """Sums are equal to the last bit, since ranks are whole numbers."""
    dtype = np.float32 if share_levels else np.float16
    values: NDArray[np.floating] = rng.normal(size=(n_chars, 4)).astype(dtype)
    bins = bins_around(values[::9].astype(np.float32)) if share_levels else None
    levels = levels_of(values, bins)
    codes, parts = codes_and_parts(rng, n_chars, n_alike)
    ranks = ranks_of(levels, parts, [], bins)
    each = ranks_among(ranks, levels, parts)
    expected = np.stack([each[..., codes == code].sum(axis=-1) for code in range(7)], axis=-1)
    for order in (np.arange(n_chars), rng.permutation(n_chars)):
        assert (stacked(ranks.add_up(levels[:, order], pieces_of(parts[order], codes[order]))) == expected).all()
    cuts = [n_chars // 3, n_chars // 2]
    tiles = zip(*(np.split(each, cuts, axis=-1) for each in (levels, parts, codes)), strict=True)
    assert (np.sum([stacked(ranks.add_up(own, pieces_of(*rest))) for own, *rest in tiles], axis=0) == expected).all()
    kinds = np.array([0, 1, 1, 0, 2, 1, 0])
    sums = ranks.add_up(levels, Pieces.cut(parts, codes, kinds, len(parts)))
    assert (sums.overall == expected[1]).all()
    of_kinds = [sums.by_part] if sums.others is None else [sums.by_part, sums.others]
    for own, of_codes in zip(of_kinds, expected[::2], strict=True):
        assert (own == np.stack([of_codes[:, kinds == kind].sum(axis=1) for kind in range(3)], axis=1)).all()


@pytest.mark.parametrize("middles", [None, np.full(70, 0x8000)])
@pytest.mark.parametrize("n_alike", [{7: 1}, {7: 6}, {7: 20}, {7: 3000}, {7: 20, 3: 20}, {1: 3000, 12: 1, 7: 20}])
def test_ranks_at_once_are_those_of_two_passes(
    rng: np.random.Generator, n_alike: dict[int, int], middles: NDArray[np.int64] | None
) -> None:
    """Other segmentations have other parts, leave out other characters, and have any number of codes."""
    levels = levels_of(rng.normal(size=(3000, 70)).round(1).astype(np.float16))
    segmentations = [codes_and_parts(rng, 3000, each, n_codes) for n_codes, each in n_alike.items()]
    pieces = [pieces_of(parts, codes, n_codes) for n_codes, (codes, parts) in zip(n_alike, segmentations, strict=True)]
    found = ranks_at_once(levels, Segmentations(pieces), middles)
    assert len(found) == len(segmentations)
    for (_, parts), own, (sums, ranked) in zip(segmentations, pieces, found, strict=True):
        counts = LevelCounts(N_COUNT_COLUMNS, 70)
        counts.update(levels, parts)
        ranks = Ranks(counts, middles)
        assert (stacked(sums) == stacked(ranks.add_up(levels, own))).all()
        for one, other in zip(ranked, ranks.summary, strict=True):
            assert (one == other).all()


def sums_by_scipy(
    levels: NDArray[np.uint16], parts: NDArray[np.int8], codes: NDArray[np.int64], kinds: NDArray[np.int64], middle: int
) -> NDArray[np.float64]:
    """(3, n_units, n_codes) sums of ranks among all, of ranks within parts, and of others with the level.

    Those of a kind are in the column of its number.
    """
    sums = np.zeros((3, len(levels), len(kinds)))
    used = np.flatnonzero(parts >= 0)
    for unit, own in enumerate(levels):
        np.add.at(sums[0, unit], codes[used], 2 * rankdata(own[used]) - len(used) - 1)
        for part in (TRAIN, TEST):
            rows = np.flatnonzero(parts == part)
            np.add.at(sums[1, unit], kinds[codes[rows]], 2 * rankdata(own[rows]) - len(rows) - 1)
        others = np.where(own[used] == middle, 0, np.bincount(own[used], minlength=1 << 16)[own[used]] - 1)
        np.add.at(sums[2, unit], kinds[codes[used]], others)
    return sums


@given(seed=seeds, lengths=st.lists(st.integers(1, 40), min_size=1, max_size=40), n_levels=st.integers(1, 300))
def test_packed_sums_of_ranks_are_those_of_scipy(seed: int, lengths: list[int], n_levels: int) -> None:
    """In two passes, and at once, after another segmentation of the same characters."""
    rng = np.random.default_rng(seed)
    codes, other_codes = (np.repeat(rng.integers(0, 7, len(lengths)), lengths) for _ in range(2))
    parts, other_parts = (np.repeat(rng.integers(-1, 3, len(lengths)), lengths).astype(np.int8) for _ in range(2))
    levels = rng.integers(0, n_levels, (3, len(codes))).astype(np.uint16)
    kinds, middles = rng.integers(0, 3, 7), np.full(3, n_levels // 2)
    kinds[0] = 2
    pieces = Pieces.cut(parts, codes, kinds, len(parts))
    expected = sums_by_scipy(levels, parts, codes, kinds, n_levels // 2)
    counts = LevelCounts(N_COUNT_COLUMNS, 3)
    counts.update(levels, parts)
    before = Pieces.cut(other_parts, other_codes, kinds, len(parts))
    _, (at_once, _) = ranks_at_once(levels, Segmentations([before, pieces]), middles)
    for sums in (Ranks(counts, middles).add_up(levels, pieces), at_once):
        assert sums.others is not None
        assert (sums.overall == expected[0]).all()
        assert (sums.by_part == expected[1, :, :3]).all() and (sums.others == expected[2, :, :3]).all()


@given(
    lengths=st.lists(st.integers(1, 50), min_size=1, max_size=30),
    seed=seeds,
    n_ranked=st.sampled_from([10, 1 << 29, 1 << 30, 1 << 31]),
)
def test_pieces_have_every_character_of_a_part_once(lengths: list[int], seed: int, n_ranked: int) -> None:
    rng = np.random.default_rng(seed)
    codes = np.repeat(rng.integers(0, 3, len(lengths)), lengths)
    parts = np.repeat(rng.integers(-1, 3, len(lengths)), lengths).astype(np.int8)
    pieces = Pieces.cut(parts, codes, np.arange(3), n_ranked)
    seen = np.zeros(len(codes), int)
    for first, last, size, part in pieces.batches.tolist():
        rows = pieces.starts[first:last, None].astype(int) + np.arange(size)
        assert 2 * n_ranked * size <= 1 << 32 and (parts[rows] == part).all()
        assert (codes[rows] == pieces.codes[first:last, None]).all()
        seen[rows] += 1
    assert (seen == (parts >= 0)).all()
    expected = np.zeros((3, 3), int)
    np.add.at(expected, (parts[parts >= 0], codes[parts >= 0]), 1)
    assert (pieces.code_counts == expected).all()


@given(seed=seeds, n_chars=st.integers(0, 300))
def test_levels_are_counted_and_taken_off_as_by_numpy(seed: int, n_chars: int) -> None:
    rng = np.random.default_rng(seed)
    levels, groups = rng.integers(0, 50, (2, n_chars)).astype(np.uint16), rng.integers(-1, 2, n_chars).astype(np.int8)
    counts, expected = LevelCounts(2, 2), np.zeros((2, 1 << 16, 2), int)
    counts.update(levels, groups)
    rows = np.flatnonzero(groups >= 0)
    for unit in range(2):
        np.add.at(expected[unit], (levels[unit, rows], groups[rows]), 1)
    assert (counts.counts == expected).all()
    counts.update(levels, groups, take_off=True)
    assert not counts.counts.any()


@pytest.mark.parametrize("part", [TRAIN, TEST])
@pytest.mark.parametrize(("n_chars", "n_pieces"), [(1 << 28, 1), (1 << 29, 2), (1 << 30, 4), ((1 << 31) - 1, 8)])
def test_the_highest_ranks_of_a_piece_stay_apart(n_chars: int, n_pieces: int, part: int) -> None:
    """Nearly all of very many characters have lower levels, and eight neighbours the highest."""
    counts = LevelCounts(N_COUNT_COLUMNS, 1)
    counts.counts[0, [0, 5], part] = n_chars - 8, 8
    ranks = Ranks(counts, np.array([-1]))
    levels, parts = np.full((1, 8), 5, np.uint16), np.full(8, part, np.int8)
    pieces = Pieces.cut(parts, np.zeros(8, np.int64), np.zeros(1, np.int64), n_chars)
    assert len(pieces.starts) == n_pieces
    assert stacked(ranks.add_up(levels, pieces))[:, 0, 0].tolist() == [8 * (n_chars - 8), 8 * (n_chars - 8), 8 * 7]


def test_ranks_by_sorting_are_those_of_levels(rng: np.random.Generator) -> None:
    values: NDArray[np.float32] = rng.normal(size=(3000, 5)).round(1).astype(np.float16).astype(np.float32)
    codes, parts = rng.integers(0, 7, 3000), rng.integers(-1, 3, 3000).astype(np.int8)
    levels = levels_of(values)
    [(sums, ranked)] = ranks_at_once(levels, Segmentations([pieces_of(parts, codes)]))
    sorted_sums, others = ranks_by_sorting(values.T.copy(), parts, codes, np.arange(7))
    assert (stacked(sums) == stacked(sorted_sums)).all() and (ranked.n == others.n).all()
    np.testing.assert_allclose(ranked.squares, others.squares, rtol=1e-12)


@pytest.mark.parametrize("n_chars", [5, 5000])
def test_characters_that_are_all_left_out_have_no_ranks(rng: np.random.Generator, n_chars: int) -> None:
    levels = levels_of(rng.normal(size=(n_chars, 3)).astype(np.float16))
    nowhere = pieces_of(np.full(n_chars, -1, np.int8), np.zeros(n_chars, int), 1)
    somewhere = pieces_of(np.full(n_chars, TRAIN, np.int8), np.zeros(n_chars, int), 1)
    for segmentations, places in (([nowhere], [0]), ([nowhere, somewhere, nowhere], [0, 2])):
        found = ranks_at_once(levels, Segmentations(segmentations))
        for place in places:
            sums, ranked = found[place]
            assert not stacked(sums).any() and not ranked.n.any() and not ranked.squares.any()
    assert found[1][1].n.tolist() == [n_chars, 0, n_chars]
    assert (found[1][1].squares[:, TRAIN] == found[1][1].squares[:, ALL]).all() and found[1][1].squares[:, ALL].all()


def test_how_many_others_are_in_the_same_bin(rng: np.random.Generator) -> None:
    values: NDArray[np.float32] = rng.integers(0, 20, (300, 1)).astype(np.float32)
    parts = np.zeros(300, np.int8)
    bins = bins_around(values)
    levels = levels_of(values, bins)
    others = ranks_among(ranks_of(levels, parts, [], bins), levels, parts)[2, 0]
    for value in np.unique(values):  # the middle has a level of its own
        expected = 0 if value == bins.middle[0] else (values == value).sum() - 1
        assert set(others[values[:, 0] == value].tolist()) == {expected}


def bound_that_holds(values: NDArray[np.float32], labels: NDArray[np.bool_], every: int) -> NDArray[np.float64]:
    """The bound on the error of AUCs in bins, which are found from some of the characters; asserts that it holds."""
    parts = np.zeros(len(values), np.int8)
    bins = bins_around(values[::every])
    levels = levels_of(values, bins)
    ranks = ranks_of(levels, parts, [], bins)
    assert ranks.summary.n.tolist() == [len(values), 0, len(values)]
    _, everywhere, others = ranks_among(ranks, levels, parts)
    bound = ranks.summary.auc_error(others @ labels.astype(np.float64), labels.sum())
    expected = [roc_auc_score(labels, column) for column in values.T]
    assert (np.abs(aucs(everywhere, labels) - expected) <= bound + 1e-12).all()
    return bound


@pytest.mark.parametrize("offset", [0.0, 1e3, -1e5])
@pytest.mark.parametrize("spike", [0.0, 1e4])
@pytest.mark.parametrize("share", [0.2, 0.01])
def test_auc_in_bins_keeps_its_bound_however_far_from_0(
    rng: np.random.Generator, offset: float, spike: float, share: float
) -> None:
    labels = rng.random(5000) < share
    values: NDArray[np.float32] = (rng.normal(offset, 1, (5000, 4)) + labels[:, None]).astype(np.float32)
    values[17] += spike
    bound = bound_that_holds(values, labels, every=3)
    assert bound.max() < (1e-4 if offset > -1e5 else 1e-2)  # float32 itself is coarse at 1e5


@pytest.mark.parametrize("share", [0.5, 0.03])
def test_auc_in_bins_keeps_its_bound_for_units_that_drift_far_and_units_at_0(
    rng: np.random.Generator, share: float
) -> None:
    n_chars = 30_000
    labels = rng.random(n_chars) < share
    noise = rng.normal(size=n_chars) + labels
    values: NDArray[np.float32] = np.stack(
        [
            np.linspace(0, 3000, n_chars) + noise,  # integrates
            np.where(np.arange(n_chars) < 20_000, noise / 100, np.linspace(0, -5000, n_chars)),  # begins to, late
            np.maximum(noise, 0),  # is often at 0
            np.exp(3 * noise),
        ],
        axis=1,
    ).astype(np.float32)
    bound = bound_that_holds(values, labels, every=7)
    assert bound.max() < 1e-4


@given(seed=seeds, low=st.integers(0, 100))
def test_ties_of_whole_numbers_are_those_of_a_long_text(seed: int, low: int) -> None:
    """Levels that no character has make no difference, and neither does the way in which sums are taken."""
    counts = np.zeros((300, 3), np.uint32)
    counts[low : low + 200] = np.random.default_rng(seed).integers(0, 50, (200, 3))
    together = counts.sum(axis=1, dtype=np.int64)
    a, b = counts[:, TRAIN].astype(np.int64), counts[:, TEST].astype(np.int64)
    expected = [(together * (together - 1)).sum(), *((c * (c * c - 1)).sum() for c in (a, b, together))]
    for n_chars in (30_000, 1 << 22):
        assert list(_tie_sums(counts, 0, 300, n_chars)) == expected
        assert list(_tie_sums(counts, low, low + 200, n_chars)) == expected
