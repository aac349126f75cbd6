"""How alike two models are that read the same text: linear CKA between sites, and each unit's closest partner."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, counting, no_progress, steps_of
from activations.site_names import AnySites
from activations.units import Unit, units_of
from analyses.collecting.text_cells import TextCells
from analyses.intervals.atom_sums import AtomSums
from analyses.intervals.estimates import Estimate
from analyses.intervals.long_run import WithinGroups, n_cosines, position_groups
from analyses.intervals.significance import FEWEST_PIECES
from analyses.named_parts import sites_among
from analyses.session import AnySource, Session
from analyses.similarity.pair_influences import (
    Alignment,
    PairAtomSums,
    PairInfluences,
    pair_influence,
)
from analyses.similarity.pair_products import Covariances, Groups, PairProducts
from analyses.similarity.paired_blocks import Sides, check_same_text, pieces
from analyses.similarity.results import FIRST, SECOND, Similarity, SiteSimilarity, UnitPartner
from analyses.targets.splits import Split

Array = NDArray[np.float64]
_ROUNDING = 1e-12  # of a variance
_TOO_SLOW = "no interval for pairs of which a unit changes so slowly that the text holds too few pieces of it"


def similarity(
    first: AnySource,
    second: AnySource,
    *,
    sites: AnySites | None = None,
    second_sites: AnySites | None = None,
    progress: Progress = no_progress,
) -> Similarity:
    """Compare two models that read the same text: their sites by linear CKA, and their units by correlation.

    The partner of each unit is chosen on training stretches, and r is measured on held-out ones. Both sources are read
    twice; of two live models, the second is recorded in a temporary file first.

    Args:
        first: A recording, its path, or live activations.
        second: Another source, of the same characters of the same text.
        sites: The sites of the first model that are compared; None is all.
        second_sites: Those of the second model; None is the same as `sites`.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If the two are of different texts, have no such sites, or activations are not numbers.

    Source:
        Kornblith, Norouzi, Lee & Hinton 2019, arXiv:1905.00414: linear CKA. Li, Yosinski, Clune, Lipson & Hopcroft
        2015, arXiv:1511.07543: units and their partners.
    """
    with ExitStack() as stack:
        sessions = [_opened(source, stack) for source in (first, second)]
        check_same_text(*sessions)
        chosen = sites_among(sessions[0], sites)
        second_chosen = sites_among(sessions[1], sites if second_sites is None else second_sites)
        recording, *reading = steps_of(progress, [1, 1, 1])
        if sessions[0].is_live and sessions[1].is_live:
            sessions[1] = stack.enter_context(sessions[1].rereadable(second_chosen, recording))
        for session in sessions:
            stack.enter_context(session.answering())
        return _compare(Sides(sessions[0], sessions[1], chosen, second_chosen), reading)


def _opened(source: AnySource, stack: ExitStack) -> Session:
    session = Session.of(source)
    return session if session is source else stack.enter_context(session)


def _compare(sides: Sides, progress: Sequence[Progress]) -> Similarity:
    """Read two sources twice, and make what CKA and the correlations of partners are."""
    used = sides.first.selection
    cells = TextCells(Split.of(used.stop - used.start, used.start))
    groups = Groups.of(cells.split, cells)
    sizes = [[source.sites[site] for site in sites] for source, sites in zip(sides[:2], sides[2:], strict=True)]
    products = PairProducts(groups, *sizes)
    forward = counting(progress[0], used.n_chars)
    for piece in pieces(sides, cells):
        products.add(piece)
        forward(len(piece.x))
    training = products.covariances(groups.training)
    pairs, r_train = _partners(training)
    influences = PairInfluences(groups, cells, products.covariances(), pairs)
    forward = counting(progress[1], used.n_chars)
    for piece in pieces(sides, cells):
        influences.add(piece)
        forward(len(piece.x))
    held_out = products.covariances(np.array([groups.held_out]))
    text = f"{sides.first.corpus.sha256} {used} {cells.split}"
    partners, notes = _unit_partners(sides, pairs, r_train, held_out, influences.pair_sums, cells.split, text)
    return Similarity(
        pairs=tuple(_site_pairs(sides, influences, products.covariances(np.arange(groups.n_folds + 1)), text)),
        partners=tuple(partners),
        first_sites=tuple(sides.first_sites),
        second_sites=tuple(sides.second_sites),
        n_chars=used.n_chars,
        notes=tuple(notes),
    )


def _correlations(covariances: Covariances) -> Array:
    """(n_first_units, n_second_units) correlations; NaN for units that never change."""
    x = _deviations(covariances.x_variance[0], covariances.x_mean[0])
    y = _deviations(covariances.y_variance[0], covariances.y_mean[0])
    return np.asarray(np.clip(covariances.xy[0] / x[:, None] / y, -1.0, 1.0))


def _deviations(variance: Array, mean: Array) -> Array:
    return np.sqrt(np.where(variance > _ROUNDING * mean**2, variance, np.nan))


def _partners(training: Covariances) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], Array]:
    """Return the pairs of units of the first model and of the second: the partner of each unit of either in training.

    Returns:
        (n_pairs,) numbers of units of the first model, and of the second: first those that are the partners of the
        first model's units, then those of the second's. And (n_pairs,) their correlations in training.
    """
    r = _correlations(training)
    size = np.nan_to_num(np.abs(r), nan=-1.0)
    first = np.concatenate([np.arange(r.shape[0]), size.argmax(axis=0)])
    second = np.concatenate([size.argmax(axis=1), np.arange(r.shape[1])])
    return (first, second), r[first, second]


def _unit_partners(
    sides: Sides,
    pairs: tuple[NDArray[np.int64], NDArray[np.int64]],
    r_train: Array,
    held_out: Covariances,
    sums: PairAtomSums,
    split: Split,
    text: str,
) -> tuple[list[UnitPartner], list[str]]:
    """Make the results of pairs of units, and say which have no interval."""
    has_chars = sums.n > 0
    of_atoms = PairAtomSums(*(array[has_chars] for array in sums))
    held_out_atoms = split.held_out_atoms[has_chars]
    sign = np.where(r_train < 0, -1.0, 1.0)
    r = sign * _correlations(held_out)[pairs]
    influence = sign * pair_influence(of_atoms, held_out_atoms)
    is_slow = _is_slow(of_atoms, of_atoms.x, of_atoms.xx) | _is_slow(of_atoms, of_atoms.y, of_atoms.yy)
    units = [units_of(source.sites, sites) for source, sites in zip(sides[:2], sides[2:], strict=True)]
    partners = []
    for number, (first, second) in enumerate(zip(*(of_side.tolist() for of_side in pairs), strict=True)):
        is_first = number < len(units[0])
        unit, partner = units[0][first], units[1][second]
        estimate = Estimate(
            value=float(r[number]),
            influence=influence[:, number],
            n_atoms=int(held_out_atoms.sum()),
            n_cosines=n_cosines(len(held_out_atoms)),
            scale="fisher",
            text=text,
            no_interval_reason=_TOO_SLOW if is_slow[number] else "",
        )
        partners.append(_partner(is_first, (unit, partner), float(r_train[number]), estimate))
    n_slow = int(is_slow.sum())
    return partners, [f"{_TOO_SLOW}, as {n_slow:,} of {len(partners):,} pairs do"] if n_slow else []


def _partner(is_first: bool, units: tuple[Unit, Unit], r_train: float, estimate: Estimate) -> UnitPartner:
    unit, partner = units if is_first else units[::-1]
    model = FIRST if is_first else SECOND
    if not np.isfinite(r_train):
        nan = float("nan")
        return UnitPartner(model=model, unit=unit, partner=None, r_train=nan, r=nan, low=nan, high=nan)
    low, high = estimate.interval
    return UnitPartner(
        model=model,
        unit=unit,
        partner=partner,
        r_train=r_train,
        r=estimate.value,
        low=low,
        high=high,
        estimate=estimate,
    )


def _is_slow(sums: PairAtomSums, x: Array, xx: Array) -> NDArray[np.bool_]:
    """(n_pairs,) whether a unit changes so slowly that the text holds too few pieces of it; see `WithinGroups`."""
    none = np.zeros_like(sums.n)
    within = WithinGroups(AtomSums(sums.n, none, none, x, xx, np.zeros_like(x)), position_groups(len(sums.n)))
    with np.errstate(invalid="ignore", divide="ignore"):
        n_pieces = sums.n.sum() / (2 * within.unit_memories)
    return np.asarray((n_pieces < FEWEST_PIECES) | within.units_keep_levels)


def _site_pairs(sides: Sides, influences: PairInfluences, together: Covariances, text: str) -> list[SiteSimilarity]:
    """Make the CKA of every pair of sites."""
    starts = [np.cumsum([0, *(of_site.shape[1] for of_site in blocks)]) for blocks in (together.xx, together.yy)]
    firsts = [influences.of_first(number) for number in range(len(sides.first_sites))]
    seconds = [influences.of_second(number) for number in range(len(sides.second_sites))]
    pairs = []
    for a, first in enumerate(sides.first_sites):
        for b, second in enumerate(sides.second_sites):
            estimate = _cka(influences.first_with_second(a, b), firsts[a], seconds[b], text)
            xy = together.xy[0, starts[0][a] : starts[0][a + 1], starts[1][b] : starts[1][b + 1]]
            sizes = np.linalg.norm(together.xx[a][0]) * np.linalg.norm(together.yy[b][0])
            with np.errstate(invalid="ignore", divide="ignore"):
                usual = float(np.linalg.norm(xy) ** 2 / sizes)
            low, high = estimate.interval
            pairs.append(
                SiteSimilarity(
                    first=first,
                    second=second,
                    cka=estimate.value,
                    low=low,
                    high=high,
                    usual_cka=usual,
                    estimate=estimate,
                )
            )
    return pairs


def _cka(both: Alignment, first: Alignment, second: Alignment, text: str) -> Estimate:
    """Return CKA with what each atom adds to its error: that of the ratio of three alignments, to first order."""
    if not (first.value > 0 and second.value > 0):
        return Estimate(
            value=float("nan"),
            text=text,
            no_interval_reason="no CKA: the units of a site change too little, or by chance",
        )
    size = np.sqrt(first.value * second.value)
    value = both.value / size
    influence = both.influence / size - value / 2 * (first.influence / first.value + second.influence / second.value)
    n_atoms = len(influence)
    estimate = Estimate(
        value=float(value),
        influence=influence,
        n_atoms=n_atoms,
        n_cosines=n_cosines(n_atoms),
        scale="fisher",
        text=text,
    )
    return estimate if abs(value) < 1 else replace(estimate, scale="plain")
