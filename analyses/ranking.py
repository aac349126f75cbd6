"""Which units respond most to a hypothesis: one unit against one label."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.units import Site, Unit
from analyses.alignment import AnyHypothesis, Target, target
from analyses.errors import AnalysisError
from analyses.splits import PARTS, TEST, TRAIN
from analyses.statistics import Moments, ValueCounts, auc_from_counts

Progress = Callable[[int, int], None]
_TABLE_BYTES = 1 << 29


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedUnit:
    """How well one unit tells the label by itself.

    Attributes:
        unit: Which one.
        score: What orders the ranking, in [0, 1], from training characters only: |2·auc − 1| of a binary label,
            |r| of a numeric one. 0 is chance; NaN for a unit that never changes, which stands last.
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
        prevalence: Share of labelled characters whose label is True; None for a numeric label.
    """

    hypothesis: str
    method: str
    units: tuple[RankedUnit, ...] = field(repr=False)
    n_train: int
    n_test: int
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


class _Scores(NamedTuple):
    """(n_units,) AUCs or correlations on the training, the test, and all characters."""

    train: NDArray[np.float64]
    test: NDArray[np.float64]
    everywhere: NDArray[np.float64]


def rank(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    *,
    sites: Collection[Site] | None = None,
    progress: Progress = lambda done, total: None,
) -> Ranking:
    """Rank units by how well each of them alone tells a label.

    Exact for activations in float16; those in float32 are rounded to float16 for an AUC.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        sites: Where to look; None is everywhere.
        progress: Called with the characters done and their number.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be ranked for, or activations are not numbers.
    """
    asked = hypothesis if isinstance(hypothesis, Target) else target(source.corpus, hypothesis)
    chosen = sorted(source.sites if sites is None else sites)
    groups = list(_groups(source, chosen)) if asked.kind == "binary" else [chosen]
    total = len(groups) * len(source.corpus)
    scores: dict[Site, _Scores] = {}
    for number, group in enumerate(groups):
        done = number * len(source.corpus)
        measure = _aucs if asked.kind == "binary" else _correlations
        scores |= measure(source, asked, group, lambda n, done=done: progress(done + n, total))  # type: ignore[misc]
    chance = 0.5 if asked.kind == "binary" else 0.0
    units = [
        _ranked(Unit(site, index), raw, train, test, chance)
        for site in chosen
        for index, (train, test, raw) in enumerate(zip(*(part.tolist() for part in scores[site]), strict=True))
    ]
    parts = asked.split.parts(0, len(source.corpus))[asked.labels.present]
    values = asked.labels.values[asked.labels.present]
    return Ranking(
        hypothesis=asked.hypothesis,
        method="auc" if asked.kind == "binary" else "r",
        units=tuple(sorted(units, key=lambda each: (np.isnan(each.score), -each.score))),
        n_train=int((parts == TRAIN).sum()),
        n_test=int((parts == TEST).sum()),
        prevalence=float(values.mean()) if asked.kind == "binary" else None,
    )


def _ranked(unit: Unit, raw: float, train: float, test: float, chance: float) -> RankedUnit:
    direction = -1 if train < chance else 1
    score = abs(train - chance) / (1 - chance)
    return RankedUnit(
        unit=unit, score=score, raw=raw, test=test if direction > 0 else 2 * chance - test, direction=direction
    )


def _groups(source: Source, sites: list[Site]) -> Iterator[list[Site]]:
    """The sites, so many at a time that their counts fit the memory set aside for them."""
    group: list[Site] = []
    n_units = 0
    for site in sites:
        if group and ValueCounts.n_bytes(2 * len(PARTS), n_units + source.sites[site]) > _TABLE_BYTES:
            yield group
            group, n_units = [], 0
        group.append(site)
        n_units += source.sites[site]
    yield group


def _aucs(source: Source, asked: Target, sites: list[Site], progress: Callable[[int], None]) -> dict[Site, _Scores]:
    counts = {site: ValueCounts(2 * len(PARTS), source.sites[site]) for site in sites}
    done = 0
    for block in source.blocks(sites):
        labels, parts = asked.rows(block)
        groups = np.where(parts < 0, -1, parts * 2 + labels).astype(np.int8)
        for site in sites:
            try:
                counts[site].update(block.values[site], groups)
            except AnalysisError as error:
                raise AnalysisError(f"{site}: {error}") from error
        done += block.n_chars
        progress(done)
    aucs = {}
    for site in sites:
        table = counts.pop(site).counts
        train, test = (auc_from_counts(table[2 * part + 1], table[2 * part]) for part in (TRAIN, TEST))
        everywhere = auc_from_counts(table[1::2].sum(0, np.uint32), table[::2].sum(0, np.uint32))
        aucs[site] = _Scores(train, test, everywhere)
    return aucs


def _correlations(
    source: Source, asked: Target, sites: list[Site], progress: Callable[[int], None]
) -> dict[Site, _Scores]:
    moments = {(site, part): Moments.empty(source.sites[site]) for site in sites for part in PARTS}
    done = 0
    for block in source.blocks(sites):
        labels, parts = asked.rows(block)
        for part in PARTS:
            rows = parts == part
            for site in sites:
                moments[site, part].merge(Moments.of(block.values[site][rows], labels[rows]))
        done += block.n_chars
        progress(done)
    correlations = {}
    for site in sites:
        train, test, gap = (moments[site, part] for part in PARTS)
        separate = train.correlation, test.correlation
        train.merge(test)
        train.merge(gap)
        correlations[site] = _Scores(*separate, train.correlation)
    return correlations
