"""Results of taking units away in some order: curves, areas, and how few units suffice."""

from collections.abc import Sequence
from dataclasses import dataclass

from activations.results import Result, TableCell
from analyses.passages.effects import CONTRAST, Effect
from analyses.rounding import rounded

REMOVED, KEPT = "removed", "kept"
RANDOM = "random"
ENOUGH = 0.9
_INSIDE = "inside"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RemovalPoint(Result):
    """The increase of the loss with some number of units removed, or with only these kept.

    Attributes:
        n_units: Number of units that are held at their means, or that are not.
        where: The set of characters.
        effect: What this adds to the loss, in nats per character; of random orders, their mean.
        low: The lower end of its 95 % interval, or the smallest of random orders; NaN if there is none.
        high: The upper end, or the largest.
    """

    n_units: int
    where: str
    effect: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RemovalCurve(Result):
    """The points of one order.

    Attributes:
        order: The method whose order it is, or `random` for the mean over random orders.
        kind: `removed` or `kept`.
        points: The points, for each set of characters and number of units.
    """

    order: str
    kind: str
    points: tuple[RemovalPoint, ...]

    def of(self, where: str) -> list[RemovalPoint]:
        """Return the points of one set of characters, by rising number of units."""
        return [point for point in self.points if point.where == where]

    def rows(self) -> list[dict[str, TableCell]]:
        """Return a row for each point."""
        return [{"order": self.order, "kind": self.kind, **point.row()} for point in self.points]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OrderComparison(Result):
    """The orders of some methods, compared by how soon they remove the units that a model uses.

    Attributes:
        hypothesis: The hypothesis.
        sites: The sites whose units are ordered.
        n_units: Their number.
        areas: For each order and set of characters its mean harm, over numbers of units on a log scale; `matched` is
            that of random orders, and `beyond_matched` the difference.
        curves: Two curves of each order, and of random orders.
        n_random: Number of random orders.
        n_chars: Number of characters.
        seed: Seed of the random orders.
    """

    hypothesis: str
    sites: str
    n_units: int
    areas: Sequence[Effect]
    curves: Sequence[RemovalCurve]
    n_random: int
    n_chars: int
    seed: int

    def curve(self, order: str, kind: str = REMOVED) -> RemovalCurve:
        """Return a curve of an order.

        Raises:
            KeyError: If there is none.
        """
        by_name = {(curve.order, curve.kind): curve for curve in self.curves}
        return by_name[order, kind]

    def n_enough(self, order: str, share: float = ENOUGH) -> int:
        """Return the fewest units, of the numbers that were tried, that keep a share of what all of them are worth.

        Worth is the harm inside of holding all units. All are enough if they are worth nothing there.

        Args:
            order: The order.
            share: The share that is kept, of 1.
        """
        worth = self.curve(order, REMOVED).of(_INSIDE)[-1].effect
        points = self.curve(order, KEPT).of(_INSIDE)
        if worth <= 0:
            return self.n_units
        return next(point.n_units for point in points if point.effect <= (1 - share) * worth)

    def lead(self, order: str, where: str = CONTRAST) -> float:
        """Return how much earlier an order harms than random orders: the difference of the mean harm, in nats.

        Above 0 if its harm goes further in the direction of that of random orders, which may be below 0 for inside less
        outside; 0 on average for an order that is no better than these.
        """
        [area] = [area for area in self.areas if (area.intervention, area.where) == (order, where)]
        return float(area.beyond_matched * (-1 if area.matched < 0 else 1))

    @property
    def by_lead(self) -> list[Effect]:
        """The areas of inside less outside, that of the order with the largest lead first."""
        contrasts = [area for area in self.areas if area.where == CONTRAST]
        return sorted(contrasts, key=lambda area: -self.lead(area.intervention))

    @property
    def findings(self) -> list[str]:
        """One sentence for each order: its lead, or that none is shown."""
        return [self._finding(area) for area in self.by_lead]

    def _finding(self, area: Effect) -> str:
        name, lead = area.intervention, self.lead(area.intervention)
        if not area.is_shown:
            reason = f"q {area.q:.2g}" if area.q == area.q else area.no_interval_reason or "too few random orders"
            return f"{name}: not shown to be better or worse than random orders ({reason})"
        direction = "sooner" if lead > 0 else "later"
        return (
            f"{name}: harms {direction} than random orders do, by {rounded(abs(lead), '.4f')} nats per character (q "
            f"{area.q:.2g})"
        )

    def rows(self) -> list[dict[str, TableCell]]:
        """Return a row for each order and set of characters, then one for each point of the curves.

        All have the same keys: what does not apply to one of them is None.
        """
        facts: dict[str, TableCell] = {"hypothesis": self.hypothesis, "sites": self.sites}
        areas: list[dict[str, TableCell]] = [
            {
                **facts,
                "order": area.intervention,
                "kind": "area",
                "n_units": self.n_enough(area.intervention),
                "lead": self.lead(area.intervention, area.where),
            }
            | {key: cell for key, cell in area.row().items() if key != "intervention"}
            for area in self.areas
        ]
        rows = [*areas, *({**facts, **row} for curve in self.curves for row in curve.rows())]
        blank: dict[str, TableCell] = dict.fromkeys(key for row in rows for key in row)
        return [blank | row for row in rows]

    def __str__(self) -> str:
        lines = [
            f"{area.intervention:>20}  leads random orders by {rounded(self.lead(area.intervention), '+.4f')} nats "
            f"per character, "
            f"p {area.p:.2g}; {self.n_enough(area.intervention):,} of {self.n_units:,} units keep {ENOUGH:.0%}"
            for area in self.by_lead
        ]
        return "\n".join([f"{self.hypothesis} at {self.sites}, inside − outside, {self.n_chars:,} characters", *lines])
