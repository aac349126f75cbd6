"""Results of a ranking: the scores of each unit by itself, and the units in order."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from activations.deprecation import renamed_attribute
from activations.results import Result
from activations.units import Site, Unit, in_order
from analyses.intervals.estimates import Estimate
from analyses.rounding import rounded

TableRow = dict[str, str | float | int | None]
TABLE_COLUMNS = (
    "hypothesis", "unit", "site", "class", "method", "score", "held_out_score", "overall_score", "score_low",
    "score_high", "score_p", "score_q", "measure", "held_out", "low", "high", "within_position_groups", "p", "q",
    "p_shift", "p_max", "direction", "overall", "tie_probability",
)  # fmt: skip

SCORE_COLUMNS = ("overall_score", "score_low", "score_high", "score_p", "score_q")
"""The columns of a method that gives its scores intervals, such as attribution; others have none of these."""


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class RankedUnit(Result):
    """The scores of one unit, used alone to predict a label.

    Attributes:
        unit: The unit.
        score: The score that orders the ranking, on training characters only, by the ranking's method; see
            `methods.registry.METHODS`. By AUC and r, a unit that never changes comes last, with 0 or NaN.
        held_out_score: The same on held-out characters, with what was chosen in training (a threshold, a direction, the
            means of classes); NaN if the method has none.
        overall: AUC in [0, 1], or Pearson's r in [−1, 1], on all characters. An AUC below .5 means
            that the unit is lower where the label is True.
        held_out: The AUC or r on held-out characters, sign-aligned on the training characters: above chance (.5 for
            AUC, 0 for r) if what was found in training holds.
        low: The lower end of the 95 % interval of `held_out`; NaN if there is none, see `estimate`.
        high: The upper end of that interval.
        within_position_groups: `held_out` among characters of the same eighth of the text, so that what unit and label
            owe to a common trend is left out; sign-aligned; NaN for units without an interval.
        p: p-value under the null that unit and label are independent apart from trends; see `significance.evidence`.
            For several classes, or if the method sees bins of a number: that of the most reliable class against the
            rest, times the number of classes. NaN where the text is too short for one.
        q: False discovery rate at this `p` (Benjamini & Hochberg) among all units that were ranked together.
        tie_probability: Probability that another character, drawn at random, has the same recorded value (or bin) of
            the unit; NaN for a numeric label.
        p_shift: p-value under circular shifts of the label, for this unit alone; None if no shifts were requested.
        p_max: The same for the best of all units that were ranked together.
        direction: +1 if the unit is higher where the label is higher, −1 if lower, on training characters.
        label: Of several classes, the one that the unit distinguishes most reliably in training, which the AUC is
            of; otherwise None.
        overall_score: The method's score on all characters, training and held out, with its sign, if the method gives
            it an interval (attribution); otherwise None, as are the next four.
        score_low: The lower end of its 95 % interval; NaN where the text is too short for one.
        score_high: The upper end.
        score_p: Two-sided p-value of it: of attribution, under the null that the unit is one like those of its site
            that are matched to it in variance; NaN where the text is too short.
        score_q: False discovery rate at `score_p` among all units that were ranked together.
        estimate: `held_out` with the influence of each atom of the text, for comparisons; None if no interval was
            asked for.
    """

    unit: Unit
    score: float
    held_out_score: float
    overall: float
    held_out: float
    low: float
    high: float
    within_position_groups: float
    p: float
    q: float
    tie_probability: float
    direction: int
    p_shift: float | None = None
    p_max: float | None = None
    label: str | None = None
    overall_score: float | None = None
    score_low: float | None = None
    score_high: float | None = None
    score_p: float | None = None
    score_q: float | None = None
    estimate: Estimate | None = field(default=None, repr=False, compare=False)

    test = renamed_attribute("test", "held_out")
    raw = renamed_attribute("raw", "overall")
    within = renamed_attribute("within", "within_position_groups")
    tied = renamed_attribute("tied", "tie_probability")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Ranking(Result):
    """The units of a source, those that predict the label best first.

    Attributes:
        hypothesis: The hypothesis that they are ranked for.
        method: The method whose score orders them.
        measure: The score that every unit has beside that: `auc`, or `r` for a numeric label.
        units: All of them, by falling score; those with the same score by the distance of their AUC (or r) from chance.
        n_train: Training characters with a label.
        n_test: Held-out characters with a label.
        auc_error: How far an AUC may be from the exact one, because activations in float32 are counted in bins; 0 if
            none are.
        prevalence: Share of labelled characters whose label is True; None if it is not binary.
        n_test_runs: Unbroken runs of held-out characters whose label is True, or of the class that has the fewest of
            those that are ranked for; None for a numeric label.
        notes: Sentences that say what makes the scores uncertain, or why there are no intervals or p-values.
        sites: The sites of the units, in the order in which the model declares them.
    """

    hypothesis: str
    method: str
    measure: str
    units: tuple[RankedUnit, ...] = field(repr=False)
    n_train: int
    n_test: int
    auc_error: float
    prevalence: float | None
    n_test_runs: int | None
    notes: tuple[str, ...] = ()
    sites: tuple[Site, ...] = ()

    def best_of_sites(self) -> dict[Site, RankedUnit]:
        """Return the best unit of each site."""
        best: dict[Site, RankedUnit] = {}
        for ranked in self.units:
            best.setdefault(ranked.unit.site, ranked)
        return {site: best[site] for site in in_order(self.sites, best)}

    def rows_of_sites(self, *, best_only: bool = True) -> list[TableRow]:
        """Return the best unit of each site, or all units, as the rows that `probe rank --all --json` prints."""
        units = self.best_of_sites().values() if best_only else self.units
        return [self._row(ranked) | {"site": str(ranked.unit.site)} for ranked in units]

    def rows(self, top: int | None = None) -> list[TableRow]:
        """Return the first `top` units as the rows that `probe rank --json` prints."""
        return [self._row(ranked) for ranked in self.units[:top]]

    def table_rows(self, units: Iterable[RankedUnit] | None = None) -> Iterator[TableRow]:
        """Yield units, one after another, as the rows of a table that hypotheses of all kinds share.

        Args:
            units: Which; None is all of them, in their order.

        Yields:
            `TABLE_COLUMNS`, which are those of `rows`, except that `measure` names the AUC or r; `held_out` and
            `within_position_groups` are that score on held-out characters, and `overall` on all; `class` is None unless
            the hypothesis has several.
        """
        for ranked in self.units if units is None else units:
            values = (
                self.hypothesis, str(ranked.unit), str(ranked.unit.site), ranked.label, self.method, ranked.score,
                ranked.held_out_score, ranked.overall_score, ranked.score_low, ranked.score_high, ranked.score_p,
                ranked.score_q, self.measure, ranked.held_out, ranked.low, ranked.high, ranked.within_position_groups,
                ranked.p, ranked.q, ranked.p_shift, ranked.p_max, ranked.direction, ranked.overall,
                ranked.tie_probability,
            )  # fmt: skip
            yield dict(zip(TABLE_COLUMNS, values, strict=True))

    def _row(self, ranked: RankedUnit) -> TableRow:
        return {
            "hypothesis": self.hypothesis,
            "unit": str(ranked.unit),
            "method": self.method,
            "score": ranked.score,
            **({} if self.method == self.measure else {"held_out_score": ranked.held_out_score}),
            **({} if ranked.overall_score is None else {name: getattr(ranked, name) for name in SCORE_COLUMNS}),
            **({} if ranked.label is None else {"class": ranked.label}),
            f"held_out_{self.measure}": ranked.held_out,
            "low": ranked.low,
            "high": ranked.high,
            f"{self.measure}_within_position_groups": ranked.within_position_groups,
            "p": ranked.p,
            "q": ranked.q,
            **({} if ranked.p_max is None else {"p_shift": ranked.p_shift, "p_max": ranked.p_max}),
            "direction": ranked.direction,
            f"overall_{self.measure}": ranked.overall,
            "tie_probability": ranked.tie_probability,
        }

    def __str__(self) -> str:
        lines = [f"units for {self.hypothesis}, by {self.method} on {self.n_train:,} characters"]
        lines += [
            f"{ranked.unit!s:>22}  held-out {self.measure} {rounded(ranked.held_out, '+.3f')} ({_interval(ranked)})  "
            f"within position groups {rounded(ranked.within_position_groups, '+.3f')}  q {ranked.q:.1g}"
            for ranked in self.units[:10]
        ]
        return "\n".join([*lines, *self.notes])


def _interval(ranked: RankedUnit) -> str:
    return (
        "no interval" if math.isnan(ranked.low) else f"{rounded(ranked.low, '+.3f')} to {rounded(ranked.high, '+.3f')}"
    )
