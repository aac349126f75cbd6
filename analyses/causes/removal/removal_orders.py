"""Which ranking is right? Units are taken away in the order of each method, and the sooner it harms, the better."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress, steps_of
from activations.site_names import AnySites
from activations.units import Site, Unit, units_of
from activations.variants import ModelSource
from analyses.causes.ablation import loss_changes
from analyses.causes.removal.removal_results import KEPT, RANDOM, REMOVED, OrderComparison, RemovalCurve, RemovalPoint
from analyses.errors import AnalysisError
from analyses.named_parts import sites_among, sites_of_read_out
from analyses.passages.base_reading import BASE_WEIGHT, read_base
from analyses.passages.character_sets import SET_NAMES, character_sets
from analyses.passages.effects import CONTRAST, EffectSums, effects
from analyses.passages.models import model_source
from analyses.passages.passages import spread_passages
from analyses.ranking.methods.registry import method_for
from analyses.ranking.ranking import compare
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target

N_CHARS = 5_000
N_RANDOM = 10
METHODS = ("auc", "mutual_information", "attribution")
WHERE = (CONTRAST, *SET_NAMES[:3])
_FEWEST_RANDOM = 2

Order = Sequence[Unit]


def compare_orders(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    methods: str | Sequence[str] = METHODS,
    *,
    sites: AnySites | None = None,
    orders: Mapping[str, Order] | None = None,
    n_random: int = N_RANDOM,
    n_chars: int = N_CHARS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> OrderComparison:
    """Hold more and more units at their means, in the order of each ranking, and compare how much the model suffers.

    The first 1, 2, 4, … units of an order are held at every character, up to all units of the sites; the harm is what
    this adds to the loss. The earlier it comes, the more of the units that matter are at the front. The number of an
    order is its mean harm, with the numbers of units on a log scale (the area under its curve). That of random orders
    stands beside it, and the lead of an order is the difference, 0 if the order is no better than chance, in the
    direction in which random orders change the loss: units of a hypothesis may matter more inside or more outside.
    Curves of units that are kept, all others being held, say how few suffice.

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False.
        methods: Methods of `rank` whose orders are compared.
        sites: The sites whose units are ordered, all together; None is the hidden state of the last layer.
        orders: More orders, each of all these units, by the names under which they are shown.
        n_random: Number of random orders.
        n_chars: Characters to measure on, in passages spread over the text.
        seed: Seed of the random orders.
        progress: Called with the amount done and the total.

    Raises:
        AnalysisError: If there is no such method, fewer than 2 random orders, an order that lacks units, no inside and
            outside here, or no model.

    Source:
        Samek et al. 2017, IEEE Transactions on Neural Networks and Learning Systems 28:2660: curves of removal.
    """
    live = model_source(source)
    target = target_for(live, hypothesis)
    if n_random < _FEWEST_RANDOM:
        raise AnalysisError(f"{n_random} random orders have no spread to compare with; use {_FEWEST_RANDOM} or more")
    chosen = sites_of_read_out(list(live.sites)) if sites is None else sites_among(live, sites)
    units = units_of(live.sites, chosen)
    names = [methods] if isinstance(methods, str) else list(methods)
    n_variants = 2 * len(_steps(len(units))) * (len(names) + len(orders or {}) + n_random)
    n_read = BASE_WEIGHT * len(names) * live.selection.n_chars
    ranking, removing = steps_of(progress, [n_read, n_variants * min(n_chars, live.selection.n_chars)])
    by_name = _orders_of_methods(source, target, names, chosen, ranking) | dict(orders or {})
    _check_orders(by_name, units)
    rng = np.random.default_rng(seed)
    drawn = [[units[index] for index in rng.permutation(len(units))] for _ in range(n_random)]
    measured = _Measured.of(live, target, [*by_name.values(), *drawn], n_chars, removing)
    tested = list(range(len(by_name)))
    random = list(range(len(by_name), len(by_name) + n_random))
    return OrderComparison(
        hypothesis=target.hypothesis,
        sites=", ".join(map(str, chosen)),
        n_units=len(units),
        areas=effects(measured.areas(), list(by_name), tested, [random for _ in tested], WHERE),
        curves=[
            *(measured.curve(name, [number], kind) for number, name in enumerate(by_name) for kind in (REMOVED, KEPT)),
            *(measured.curve(RANDOM, random, kind) for kind in (REMOVED, KEPT)),
        ],
        n_random=n_random,
        n_chars=measured.n_chars,
        seed=seed,
    )


def _orders_of_methods(
    source: AnySource, target: Target, methods: Sequence[str], sites: Sequence[Site], progress: Progress
) -> dict[str, Order]:
    """Rank the units of some sites by each method; a method that does not exist is refused before any work."""
    for name in methods:
        method_for(name, target.kind)
    rankings = compare(source, target, methods, sites=sites, progress=progress) if methods else []
    return {ranking.method: [ranked.unit for ranked in ranking.units] for ranking in rankings}


def _check_orders(orders: Mapping[str, Order], units: Sequence[Unit]) -> None:
    for name, order in orders.items():
        if sorted(map(str, order)) != sorted(map(str, units)):
            raise AnalysisError(f"the order {name!r} is not one of all {len(units):,} units of the sites, each once")
    if not orders:
        raise AnalysisError(f"there is no order to compare; name methods, such as {', '.join(METHODS)}")


@dataclass(frozen=True, slots=True, eq=False)
class _Measured:
    """The harm of holding units, for all orders.

    Attributes:
        steps: (n_steps,) numbers of units, from 1 up to all of them.
        variants: The numbers of the variants of each order, by REMOVED and KEPT; a list over steps each. −1 is the
            reading without changes.
        sums: The sums of all variants.
        n_chars: Number of characters.
    """

    steps: list[int]
    variants: dict[str, list[list[int]]]
    sums: EffectSums
    n_chars: int

    @classmethod
    def of(
        cls, live: ModelSource, target: Target, orders: Sequence[Order], n_chars: int, progress: Progress
    ) -> "_Measured":
        """Read the text with all sets of units held."""
        n_units = len(orders[0])
        steps = _steps(n_units)
        held: list[tuple[Unit, ...]] = []
        numbers: dict[frozenset[Unit], int] = {frozenset(): -1}
        variants: dict[str, list[list[int]]] = {REMOVED: [], KEPT: []}
        for order in orders:
            for kind, groups in ((REMOVED, [order[:k] for k in steps]), (KEPT, [order[k:] for k in steps])):
                row = []
                for group in groups:
                    key = frozenset(group)
                    if key not in numbers:
                        numbers[key] = len(held)
                        held.append(tuple(group))
                    row.append(numbers[key])
                variants[kind].append(row)
        passages = spread_passages(live, n_chars)
        sets = character_sets(target, live, passages)
        base = read_base(live, passages, sets, sorted({unit.site for unit in orders[0]}))
        sums = EffectSums(sets, len(held) + 1)  # the last is the reading without changes
        for first, changes in loss_changes(live, base, held, "mean", np.random.default_rng(0), progress):
            sums.add(first, changes)
        return cls(steps, variants, sums, passages.n_counted)

    def areas(self) -> EffectSums:
        """Return the sums of the mean harm of each order, over numbers of units on a log scale."""
        weights = _log_weights(self.steps)
        areas = EffectSums(self.sums.sets, len(self.variants[REMOVED]))
        for number, row in enumerate(self.variants[REMOVED]):
            areas.sums[number] = np.tensordot(weights, self.sums.sums[row], axes=1)
        return areas

    def curve(self, name: str, orders: Sequence[int], kind: str) -> RemovalCurve:
        """Return a curve of one order, with intervals, or the mean of several, from the lowest to the highest."""
        points = []
        for where in WHERE:
            estimates = self.sums.estimates(where)
            for step, k in enumerate(self.steps):
                of_orders = [estimates[self.variants[kind][order][step]] for order in orders]
                values = np.array([estimate.value for estimate in of_orders])
                low, high = of_orders[0].interval if len(of_orders) == 1 else (values.min(), values.max())
                points.append(
                    RemovalPoint(n_units=k, where=where, effect=float(values.mean()), low=float(low), high=float(high))
                )
        return RemovalCurve(order=name, kind=kind, points=tuple(points))


def _steps(n_units: int) -> list[int]:
    """Return 1, 2, 4, … and the number of units itself."""
    return [*(2**n for n in range((n_units - 1).bit_length())), n_units]


def _log_weights(steps: Sequence[int]) -> NDArray[np.float64]:
    """(n_steps,) weights of the trapezoidal rule over the logarithm of the steps, which add up to 1."""
    widths = np.diff(np.log2(steps))
    if not len(widths):
        return np.ones(1)
    weights = (np.append(widths, 0) + np.append(0, widths)) / 2
    return np.asarray(weights / weights.sum())
