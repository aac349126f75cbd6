"""Accuracy curves: how a probe's score grows with what it may see."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from activations.blocks import Source
from activations.results import Result
from activations.site_names import AnySites
from activations.units import Site, Unit, units_of
from analyses.errors import AnalysisError
from analyses.named_parts import sites_among
from analyses.probing.designs.budgets import rows_given, within_budget
from analyses.probing.designs.design import Progress
from analyses.probing.probes import fit_characters, fit_units
from analyses.probing.results import DEFAULT, Fitting, ProbeResult, scores_of
from analyses.probing.selection import select
from analyses.ranking.ranking import rank_all
from analyses.session import question
from analyses.targets.labelling import AnyHypothesis, ManyHypotheses, listed, target_for, targets_for
from analyses.targets.lags import lagged
from analyses.targets.predictions import PREFIX
from analyses.targets.target import Target

LAGS = (-50, -20, -10, -5, -2, -1, 0, 1, 2, 5, 10, 20, 50)
PENALTY_GRID = (0.1, 1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0)
N_LAST = 20
MOST_UNITS = 64


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Curve(Result):
    """Held-out scores of probes, from the least that they may see to the most.

    Attributes:
        hypothesis: What is probed for.
        over: What changes: `units`, `chars`, `lag`, `sites`, `penalty`, or `steps` of a training.
        values: What it is at each point.
        points: A probe at each.
        controls: A probe at each that sees the last 20 characters of the text alone, and no model.
        units: The best units, in the order of choice, if it is over units; otherwise what the (last) probe sees.
    """

    hypothesis: str
    over: str
    values: tuple[float | str, ...]
    points: tuple[ProbeResult, ...]
    controls: tuple[ProbeResult, ...] = field(repr=False)
    units: tuple[Unit, ...] = field(repr=False)

    def rows(self) -> list[dict[str, str | float | int | None]]:
        """What `probe curve --json` prints: a row for each point, with the score of its control beside it."""
        return [
            {
                "hypothesis": self.hypothesis,
                self.over: value,
                **{name: getattr(point, name) for name in scores_of(point.kind)},
                "low": point.interval[0],
                "high": point.interval[1],
                "control": control.score,
                "control_low": control.interval[0],
                "control_high": control.interval[1],
                "n_chars": point.n_chars,
                "n_used": point.n_used,
                "n_train": point.n_train,
                "note": point.note,
            }
            for value, point, control in zip(self.values, self.points, self.controls, strict=True)
        ]

    def __str__(self) -> str:
        known = [n for n, point in enumerate(self.points) if not math.isnan(point.score)]
        if not known:
            return f"{self.hypothesis} over {self.over}: no scores; {self.points[0].note}"
        best = max(known, key=lambda n: self.points[n].score)
        point, control = self.points[best], self.controls[best]
        return (
            f"{self.hypothesis} over {self.over}: {point.measure} {point.score:.3f} at {self.values[best]}, where the "
            f"last {N_LAST} characters alone give {control.score:.3f}"
        )


@question
def curve(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    over: str = "units",
    *,
    sites: AnySites | None = None,
    most: int = MOST_UNITS,
    how: Fitting = DEFAULT,
    progress: Progress = lambda done, total: None,
) -> Curve:
    """Probes that see more and more, each held out, beside probes that see no model.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        over: `units`: the best 1, 2, 4, … units together, chosen one by one in training; is it one unit, or many?
            `chars`: the training characters, from one stretch of the text on. `lag`: the label so many characters later
            (or earlier, below 0): what is known of what is to come, and of what is gone. `sites`: each site by itself.
            `penalty`: on the weights.
        sites: Where to look. None is everywhere, for `units` and `sites`; otherwise the hidden state of the last layer,
            which is what the model's read-out sees. Several are seen together.
        most: Units at the end of a curve over units, if there are so many.
        how: How to fit and judge the probes.
        progress: Called, step by step, with what is done and a guess of how much there is to do.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for, or there is no such curve.
    """
    if over not in CURVES:
        raise AnalysisError(f"there is no curve over {over!r}; there are {', '.join(CURVES)}")
    asked = target_for(source, hypothesis)
    chosen = sites_among(source, sites)
    if sites is None and over not in ("units", "sites"):
        chosen = _top(chosen)
    with within_budget(source, chosen, asked.split, how.budget, progress) as recording:
        return CURVES[over](recording, asked, chosen, most, how, progress)


def curves_over_steps(
    sources: Iterable[tuple[int, Source]],
    hypotheses: ManyHypotheses,
    *,
    sites: AnySites | None = None,
    how: Fitting = DEFAULT,
    progress: Progress = lambda done, total: None,
) -> dict[str, Curve]:
    """When a model that is being trained comes to know a label, and when a single unit of it does.

    Args:
        sources: The same text as read after so many updates of the training, in their order.
        hypotheses: What to probe for.
        sites: What a probe sees; None is the hidden state of the last layer.
        how: How to fit and judge the probes.
        progress: Called, within each source, with what is done and a guess of how much there is to do.

    Returns:
        For each hypothesis two curves, by its name: of all units together, and, with `: one unit` behind the name, of
        the unit that tells it best alone on training characters, chosen anew each time.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for.
    """
    if how.folds is not None:
        raise AnalysisError("a curve over steps chooses a unit for one held-out part of the text; leave out the folds")
    for each in listed(hypotheses):
        name = each if isinstance(each, str) else each.hypothesis if isinstance(each, Target) else ""
        if name.startswith(PREFIX):
            raise AnalysisError(f"{name} is another label for each model, so that there is no curve over steps of it")
    targets: list[Target] = []
    controls: list[ProbeResult] = []
    updates: list[int] = []
    together: list[list[ProbeResult]] = []
    alone: list[list[ProbeResult]] = []
    units: list[Unit] = []
    for update, live in sources:
        chosen = sites_among(live, sites) if sites is not None else _top(list(live.sites))
        targets = targets or targets_for(live, hypotheses)
        with within_budget(live, chosen, targets[0].split, how.budget, progress) as source:
            if not controls:
                controls = fit_characters(source, targets, N_LAST, how)
            units = units_of(source.sites, chosen)
            together.append(fit_units(source, targets, [units], how=how, progress=progress))
            whole = source if len(rows_given(source)) == 1 else live
            best = [ranking.units[0].unit for ranking in rank_all(whole, targets, sites=chosen)]
            alone.append(
                [fit_units(source, each, [[unit]], how=how)[0] for each, unit in zip(targets, best, strict=True)]
            )
            updates.append(update)
    found: dict[str, Curve] = {}
    for place, each in enumerate(targets):
        for name, points in ((each.hypothesis, together), (f"{each.hypothesis}: one unit", alone)):
            own = [of_update[place] for of_update in points]
            seen = units if points is together else own[-1].units
            beside = [controls[place]] * len(updates)
            found[name] = replace(_curve(each, "steps", tuple(updates), own, beside, seen), hypothesis=name)
    return found


def _top(sites: Sequence[Site]) -> list[Site]:
    """The hidden state of the last layer, or what else there is of it; the last site of a model without layers."""
    last = max((site.layer for site in sites if site.layer is not None), default=None)
    if last is None:
        return list(sites[-1:])
    top = [site for site in sites if site.layer == last]
    return [site for site in top if site.signal == "hidden"] or top[:1]


def curve_over_units(
    source: Source, asked: Target, sites: Sequence[Site], most: int, how: Fitting, progress: Progress
) -> Curve:
    """See `curve`."""
    if how.folds is not None:
        raise AnalysisError("a curve over units chooses them for one held-out part of the text; leave out the folds")
    best = select(source, asked, sites, most, progress).units
    sizes = [n for n in (1 << power for power in range(len(best).bit_length())) if n < len(best)]
    designs = [best[:n] for n in [*sizes, len(best)]]
    points = fit_units(source, asked, designs, how=how, progress=progress)
    [control] = fit_characters(source, [asked], N_LAST, how)
    return _curve(asked, "units", tuple(len(each) for each in designs), points, [control] * len(points), best)


def curve_over_chars(
    source: Source, asked: Target, sites: Sequence[Site], most: int, how: Fitting, progress: Progress
) -> Curve:
    """See `curve`."""
    n_stretches = int((~asked.split.held_out).sum())
    sizes = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n < n_stretches]
    parts = [replace(how, n_stretches=n) for n in [*sizes, n_stretches]]
    units = units_of(source.sites, sites)
    points = [fit_units(source, asked, [units], how=each, progress=progress)[0] for each in parts]
    controls = [fit_characters(source, [asked], N_LAST, each)[0] for each in parts]
    return _curve(asked, "chars", tuple(point.n_train for point in points), points, controls, units)


def curve_over_lag(
    source: Source, asked: Target, sites: Sequence[Site], most: int, how: Fitting, progress: Progress
) -> Curve:
    """See `curve`."""
    targets = [lagged(asked, source.corpus, lag) for lag in LAGS]
    units = units_of(source.sites, sites)
    points = fit_units(source, targets, [units], how=how, progress=progress)
    return _curve(asked, "lag", LAGS, points, fit_characters(source, targets, N_LAST, how), units)


def curve_over_sites(
    source: Source, asked: Target, sites: Sequence[Site], most: int, how: Fitting, progress: Progress
) -> Curve:
    """See `curve`."""
    points = fit_units(source, asked, [units_of(source.sites, [site]) for site in sites], how=how, progress=progress)
    [control] = fit_characters(source, [asked], N_LAST, how)
    names = tuple(str(site) for site in sites)
    return _curve(asked, "sites", names, points, [control] * len(points), units_of(source.sites, sites))


def curve_over_penalty(
    source: Source, asked: Target, sites: Sequence[Site], most: int, how: Fitting, progress: Progress
) -> Curve:
    """See `curve`."""
    units = units_of(source.sites, sites)
    parts = [replace(how, penalty=penalty) for penalty in PENALTY_GRID]
    points = [fit_units(source, asked, [units], how=each, progress=progress)[0] for each in parts]
    controls = [fit_characters(source, [asked], N_LAST, each)[0] for each in parts]
    return _curve(asked, "penalty", PENALTY_GRID, points, controls, units)


def _curve(
    asked: Target,
    over: str,
    values: tuple[float | str, ...],
    points: Sequence[ProbeResult],
    controls: Sequence[ProbeResult],
    units: Sequence[Unit],
) -> Curve:
    return Curve(
        hypothesis=asked.hypothesis,
        over=over,
        values=values,
        points=tuple(points),
        controls=tuple(controls),
        units=tuple(units),
    )


CURVES: dict[str, Callable[[Source, Target, Sequence[Site], int, Fitting, Progress], Curve]] = {
    "units": curve_over_units,
    "chars": curve_over_chars,
    "lag": curve_over_lag,
    "sites": curve_over_sites,
    "penalty": curve_over_penalty,
}
