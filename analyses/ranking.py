"""Which units respond most to a hypothesis: one unit against one label."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import numpy as np

from activations.blocks import Source
from activations.units import Site, Unit
from analyses.alignment import AnyHypothesis, Target, ask
from analyses.scores import aucs, correlations
from analyses.splits import TEST, TRAIN

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedUnit:
    """How well one unit tells the label by itself.

    Attributes:
        unit: Which one.
        score: What orders the ranking, in [0, 1], from training characters only: |2·auc − 1| of a binary label,
            |r| of a numeric one. 0 is chance. A unit that never changes stands last, with 0, or NaN for r.
        raw: AUC in [0, 1], or Pearson's r in [−1, 1], on all characters. An AUC under .5 is a unit that is
            silent where the label is True.
        test: The same on held-out characters, turned the way the training characters say: above chance (.5 for
            AUC, 0 for r) if what was found in training holds.
        direction: +1 if the unit is higher where the label is higher, −1 if lower, on training characters.
    """

    unit: Unit
    score: float
    raw: float
    test: float
    direction: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ranking:
    """The units of a source, the most responsible first.

    Attributes:
        hypothesis: What they are ranked for.
        method: `auc` for a binary label, `r` for a numeric one.
        units: All of them, by falling score.
        n_train: Training characters with a label.
        n_test: Held-out characters with a label.
        auc_error: How far an AUC may be from the exact one, because activations in float32 are counted in bins; 0 if
            none are.
        prevalence: Share of labelled characters whose label is True; None for a numeric label.
    """

    hypothesis: str
    method: str
    units: tuple[RankedUnit, ...] = field(repr=False)
    n_train: int
    n_test: int
    auc_error: float
    prevalence: float | None

    def rows(self, top: int | None = None) -> list[dict[str, str | float | int]]:
        """The first `top` units as the rows that `probe rank --json` prints."""
        return [
            {
                "hypothesis": self.hypothesis,
                "unit": str(each.unit),
                "method": self.method,
                "score": each.score,
                self.method: each.raw,
                f"{self.method}_test": each.test,
                "direction": each.direction,
            }
            for each in self.units[:top]
        ]

    def __str__(self) -> str:
        lines = [f"units for {self.hypothesis}, by {self.method} on {self.n_train:,} characters"]
        lines += [
            f"{each.unit!s:>22}  score {each.score:.3f}  {self.method} {each.raw:+.3f}  held out {each.test:+.3f}"
            for each in self.units[:10]
        ]
        return "\n".join(lines)


def rank(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    *,
    sites: Collection[Site] | None = None,
    progress: Progress = lambda done, total: None,
) -> Ranking:
    """Rank units by how well each of them alone tells a label.

    The AUCs of activations in float16 are exact; those in float32 are counted in bins, with the bound on the error in
    the result.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        sites: Where to look; None is everywhere.
        progress: Called with the characters done and their number.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be ranked for, or activations are not numbers.
    """
    asked = ask(source, hypothesis)
    chosen = sorted(source.sites if sites is None else sites)
    measure = aucs if asked.kind == "binary" else correlations
    scores = measure(source, asked, chosen, progress)
    chance = 0.5 if asked.kind == "binary" else 0.0
    units = [
        _ranked(Unit(site, index), raw, train, test, chance)
        for site in chosen
        for index, (train, test, raw) in enumerate(zip(*(part.tolist() for part in scores[site][:3]), strict=True))
    ]
    labels, parts = asked.all_rows
    return Ranking(
        hypothesis=asked.hypothesis,
        method="auc" if asked.kind == "binary" else "r",
        units=tuple(sorted(units, key=lambda each: (np.isnan(each.score), -each.score))),
        n_train=int((parts == TRAIN).sum()),
        n_test=int((parts == TEST).sum()),
        auc_error=max(float(np.nan_to_num(scores[site].error).max()) for site in chosen),
        prevalence=float(labels[parts >= 0].mean()) if asked.kind == "binary" else None,
    )


def _ranked(unit: Unit, raw: float, train: float, test: float, chance: float) -> RankedUnit:
    direction = -1 if train < chance else 1
    score = abs(train - chance) / (1 - chance)
    return RankedUnit(
        unit=unit, score=score, raw=raw, test=test if direction > 0 else 2 * chance - test, direction=direction
    )
