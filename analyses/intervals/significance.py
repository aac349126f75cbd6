"""Significance: p-values and q-values that hold for slow units and labels, and for trends."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from analyses.intervals.atom_sums import AtomSums
from analyses.intervals.long_run import N_GROUPS, WithinGroups, cosines, position_groups
from analyses.intervals.students_t import two_sided_p

Array = NDArray[np.float64]
FEWEST_PIECES = 10  # independent pieces of the label, below which neither p-value nor interval is given
FEWEST_RUNS = 8  # of the label's rarer value, likewise
_PIECES_PER_COSINE = 20
_FEWEST_COSINES = 8
_SLOW = 3  # times the median memory of its site, above which a unit's own memory is used


class Evidence(NamedTuple):
    """The evidence that units depend on a label, and how fast both change.

    Attributes:
        p: (n_units,) two-sided p-values under the null that unit and label are independent apart from trends; NaN where
            the text is too short.
        label_memory: Integrated autocorrelation time of the label, position removed, in characters.
        n_pieces: Independent pieces of the label in the text: characters over twice its memory.
        unit_pieces: (n_units,) independent pieces of each unit in the text.
        units_keep_levels: (n_units,) whether a unit keeps its level over a large part of the text.
    """

    p: Array
    label_memory: float
    n_pieces: float
    unit_pieces: Array
    units_keep_levels: NDArray[np.bool_]


def evidence(sums: AtomSums) -> Evidence:
    """Test whether each unit of a site depends on a label, by how the atoms of the text agree.

    Characters are compared within eight position groups. If unit and label are independent, the products of their
    deviations there have mean 0, and a memory as short as the shorter of the two. Where that is short, atoms are
    independent, and the test is the cluster-robust t test; where it is not, the variance is that of a few cosines,
    and t has as many degrees of freedom, or fewer if a few parts of the text are most of the sum. For ranks and a
    label that is True or False it is a test of the AUC.

    Args:
        sums: Sums over all atoms, for all units of a site. Their median memory stands for that of each unit that is
            not much slower.

    Returns:
        The evidence; p is NaN for units that never change, and where the label has fewer than 10 independent pieces.
    """
    groups = position_groups(len(sums.n))[sums.n > 0]
    sums = sums.of(sums.n > 0)
    n_atoms, n_units = sums.x.shape
    unknown = np.full(n_units, np.nan)
    if n_atoms < 2 * N_GROUPS:
        return Evidence(unknown, np.nan, np.nan, unknown, np.ones(n_units, np.bool_))
    within = WithinGroups(sums, groups)
    n_chars, label_memory = float(sums.n.sum()), within.label_memory
    n_pieces = n_chars / (2 * label_memory) if label_memory > 0 else np.nan
    memories, drifts = within.unit_memories, within.units_keep_levels
    with np.errstate(invalid="ignore", divide="ignore"):
        unit_pieces = n_chars / (2 * memories)
    if not n_pieces >= FEWEST_PIECES:
        return Evidence(unknown, label_memory, n_pieces, unit_pieces, drifts)
    usual = float(np.median(memories[np.isfinite(memories)])) if np.isfinite(memories).any() else np.nan
    unit_memories = np.where(memories > _SLOW * usual, memories, usual)
    with np.errstate(invalid="ignore", divide="ignore"):
        wanted_cosines = n_chars / _PIECES_PER_COSINE * (1 / label_memory + 1 / unit_memories)
        is_slow = ~(wanted_cosines >= n_atoms / 2)
        spread = within.product.var(axis=0, ddof=1) * n_atoms + within.lost_to_means(label_memory)
        degrees_of_freedom = np.minimum(n_atoms - N_GROUPS, _effective(within.product))
        if is_slow.any():
            most = max(n_atoms // 4, _FEWEST_COSINES)
            n_cosines = np.clip(np.nan_to_num(wanted_cosines[is_slow]), _FEWEST_COSINES, most).astype(int)
            product = within.product[:, is_slow]
            powers = np.cumsum((cosines(n_atoms, most) @ product) ** 2, axis=0)
            of_groups = np.add.reduceat(product, np.flatnonzero(np.diff(groups, prepend=-1)), axis=0)
            spread[is_slow] = n_atoms * powers[n_cosines - 1, np.arange(len(n_cosines))] / n_cosines
            degrees_of_freedom[is_slow] = np.minimum(n_cosines, _effective(of_groups))
        total = within.product.sum(axis=0)
        changes = (spread > 0) & (memories > 0)
        z = np.where(changes, np.abs(total) / np.sqrt(spread), np.nan)
    return Evidence(two_sided_p(z, degrees_of_freedom), label_memory, n_pieces, unit_pieces, drifts)


def _effective(parts: Array) -> Array:
    """(n_units,) the effective number of (n_parts, n_units) parts of a sum: about n_parts if these are alike.

    The parts are taken as Gaussian.

    Source:
        Satterthwaite 1946, Biometrics Bulletin 2:110-114, with the parts' variances estimated by their squares.
    """
    squares = (parts - parts.mean(axis=0)) ** 2
    return np.asarray(3 * squares.sum(axis=0) ** 2 / np.einsum("ij,ij->j", squares, squares))


def too_few(name: str, where: str, n_pieces: float, n_runs: int | None, what: str) -> str:
    """Say why a score of a label has no interval or p-value, as a sentence; empty if it has."""
    if n_runs is not None and n_runs < FEWEST_RUNS:
        runs = f"{n_runs} run{'s' if n_runs != 1 else ''}"
        return f"no {what} for {name}: {where} only {runs} of its rarer value, and {FEWEST_RUNS} are needed"
    if not n_pieces >= FEWEST_PIECES:
        held = (
            f"only about {int(n_pieces)} independent pieces of it" if n_pieces >= 1 else "too few pieces of it to tell"
        )
        return f"no {what} for {name}: {where} {held}, and {FEWEST_PIECES} are needed; use a longer text"
    return ""


def surprise(sums: AtomSums) -> Array:
    """(n_units,) absolute cluster-robust t of unit and label, position removed, by which classes are chosen."""
    groups = position_groups(len(sums.n))[sums.n > 0]
    sums = sums.of(sums.n > 0)
    if len(sums.n) < 2:
        return np.full(sums.x.shape[1], np.nan)
    product = WithinGroups(sums, groups).product
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.abs(product.sum(axis=0)) / np.sqrt(product.var(axis=0, ddof=1) * len(product)))


def q_values(p: Array) -> Array:
    """Return the false discovery rate at each of (n,) p-values, by Benjamini and Hochberg.

    p-values that are NaN stay NaN, and do not count.

    Source:
        Benjamini & Hochberg 1995, Journal of the Royal Statistical Society B 57:289-300.
    """
    q = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known])]
    rates = p[order] * (len(order) / np.arange(1, len(order) + 1))
    q[order] = np.minimum(np.minimum.accumulate(rates[::-1])[::-1], 1)
    return q
