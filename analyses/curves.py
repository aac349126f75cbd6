"""Accuracy curves: how a probe's score grows with what it may see."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from activations.blocks import Source
from activations.units import Site, Unit
from analyses.alignment import AnyHypothesis, Target, ask, refuse_classes
from analyses.probes import AnyProbeResult, BinaryProbeResult, fit_units
from analyses.ranking import rank

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Held-out scores of probes that see the best 1, 2, 4, … units together.

    Attributes:
        hypothesis: What is probed for.
        units: The best units, chosen one by one on training characters, the best first.
        points: A probe of the first units for each number of them, in rising order.
    """

    hypothesis: str
    units: tuple[Unit, ...] = field(repr=False)
    points: tuple[AnyProbeResult, ...]

    @property
    def sizes(self) -> list[int]:
        """How many units each point has."""
        return [len(point.units) for point in self.points]

    def rows(self) -> list[dict[str, str | float]]:
        """What `probe curve --json` prints: `n_units` in place of the site."""
        return [
            {
                "n_units" if key == "site" else key: len(point.units) if key == "site" else value
                for key, value in point.row().items()
            }
            for point in self.points
        ]

    def __str__(self) -> str:
        last = self.points[-1]
        said = f"accuracy {last.accuracy:.3f}" if isinstance(last, BinaryProbeResult) else f"R² {last.r2:.3f}"
        return f"{self.hypothesis}: {len(last.units)} units reach {said}"


def curve_over_units(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    *,
    sites: Collection[Site] | None = None,
    most: int = 64,
    penalty: float = 1.0,
    progress: Progress = lambda done, total: None,
) -> Curve:
    """Is it one unit or many? Probes of the best 1, 2, 4, … units, each held out.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        sites: Where to look; None is everywhere.
        most: Units at the end of the curve, if there are so many.
        penalty: See `analyses.probes.fit`.
        progress: Called, step by step, with what is done and a guess of how much there is to do.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for.
    """
    asked = ask(source, hypothesis)
    refuse_classes(asked)
    chosen = sorted(source.sites if sites is None else sites)
    with source.rereadable(chosen, progress) as recording:
        ranking = rank(recording, asked, sites=chosen, progress=progress)
        best = tuple(each.unit for each in ranking.units[:most])
        sizes = [n for n in (1 << power for power in range(len(best).bit_length())) if n < len(best)]
        designs = [best[:n] for n in [*sizes, len(best)]]
        points = fit_units(recording, asked, designs, penalty=penalty, progress=progress)
    return Curve(hypothesis=asked.hypothesis, units=best, points=tuple(points))
