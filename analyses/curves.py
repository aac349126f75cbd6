"""Curves of probes' scores over what they see: units, characters, lags, sites, penalties, or steps of a training."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from activations.blocks import Source
from activations.deprecation import renamed_keyword
from activations.progress import Progress, no_progress, steps_of
from activations.results import Result
from activations.site_names import AnySites
from activations.units import Site, Unit, units_of
from analyses.errors import AnalysisError
from analyses.fewest_units import SHARES, FewestUnits, fewest_units
from analyses.named_parts import sites_among, sites_of_read_out
from analyses.probing.designs.budgets import available_runs, within_budget
from analyses.probing.forward_selection import select_units
from analyses.probing.options import DEFAULT_OPTIONS, FitOptions
from analyses.probing.probes import fit_characters, fit_units
from analyses.probing.results import ProbeResult, score_names
from analyses.ranking.ranking import rank_all
from analyses.rounding import rounded
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
    """Held-out scores of probes, from the least that they see to the most.

    Attributes:
        hypothesis: What is probed for.
        over: What changes along the curve: `units`, `chars`, `lag`, `sites`, `penalty`, or `steps` of a training.
        values: What it is at each point.
        points: The probe at each point.
        controls: At each point, a probe that sees the last 20 characters of the text alone, and no model.
        units: The best units, in the order of choice, for a curve over units; otherwise the units that the last
            probe sees.
        all_units: The probe of all units of the sites, for a curve over units; otherwise None.
        fewest: For a curve over units the fewest units that reach 95 %, and 99 %, of what all units know above chance.
    """

    hypothesis: str
    over: str
    values: tuple[float | str, ...]
    points: tuple[ProbeResult, ...]
    controls: tuple[ProbeResult, ...] = field(repr=False)
    units: tuple[Unit, ...] = field(repr=False)
    all_units: ProbeResult | None = field(default=None, repr=False)
    fewest: tuple[FewestUnits, ...] = field(default=(), repr=False)

    def rows(self) -> list[dict[str, str | float | int | None]]:
        """Return the rows that `probe curve --json` prints: one for each point, with the score of its control.

        Of a curve over units, each row also has the number and the score of all units, and `units_for_95`, with the
        ends of its interval, and `units_for_99` likewise.
        """
        of_all: dict[str, str | float | int | None] = {}
        if self.all_units is not None:
            of_all |= {"n_all_units": len(self.all_units.units), "all_units_score": self.all_units.score}
            of_all |= {key: number for fewest in self.fewest for key, number in fewest.row().items()}
        return [
            {
                "hypothesis": self.hypothesis,
                self.over: value,
                **{name: getattr(point, name) for name in score_names(point.kind)},
                "low": point.interval[0],
                "high": point.interval[1],
                "control_score": control.score,
                "control_low": control.interval[0],
                "control_high": control.interval[1],
                "n_chars": point.n_chars,
                "n_used": point.n_used,
                "n_train": point.n_train,
                **of_all,
                "note": point.note,
            }
            for value, point, control in zip(self.values, self.points, self.controls, strict=True)
        ]

    def __str__(self) -> str:
        scored = [n for n, point in enumerate(self.points) if not math.isnan(point.score)]
        if not scored:
            return f"{self.hypothesis} over {self.over}: no scores; {self.points[0].note}"
        best = max(scored, key=lambda n: self.points[n].score)
        point, control = self.points[best], self.controls[best]
        first = (
            f"{self.hypothesis} over {self.over}: {point.measure} {rounded(point.score, '.3f')} at "
            f"{self.values[best]}, where the "
            f"last {N_LAST} characters alone give {rounded(control.score, '.3f')}"
        )
        return "\n".join([first, *map(str, self.fewest)])


@renamed_keyword("how", "options")
@question
def curve(
    source: Source,
    hypothesis: AnyHypothesis | Target,
    over: str = "units",
    *,
    sites: AnySites | None = None,
    most: int = MOST_UNITS,
    shares: Sequence[float] = SHARES,
    control: ProbeResult | None = None,
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> Curve:
    """Fit probes that see more and more, and score them on held-out characters beside probes that see no model.

    Args:
        source: A recording or live activations.
        hypothesis: Its name, a function, or a target made before.
        over: What changes along the curve.
            `units`: the best 1, 2, 4, … units together, chosen one by one in training; is it one unit, or many?
            `chars`: the number of training characters, from one stretch of the text on.
            `lag`: which character the label is of: a later one (or an earlier one, below 0), to see what the model
            knows of the text to come, and of the text before.
            `sites`: the site that the probe sees.
            `penalty`: the penalty on the weights.
        sites: The sites that probes see, together. None is all sites for curves over `units` and `sites`; otherwise
            the hidden state of the last layer, which is what the model's read-out sees.
        most: The largest number of units in a curve over units, if there are enough.
        shares: For a curve over units, shares of what all units know above chance, each of which the fewest units are
            sought that reach it. The probe of all units takes longer than the rest; without shares it is not fitted.
        control: For a curve over units, the probe of the last 20 characters, if `fit` has fitted it with the same
            options; None fits it.
        options: How to fit and judge the probes.
        progress: Called, step by step, with the amount done and an estimate of the total.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for, there is no such curve, or a share is not between 0 and 1.
    """
    if over not in CURVES:
        raise AnalysisError(f"there is no curve over {over!r}; there are {', '.join(CURVES)}")
    if not all(0 < share < 1 for share in shares):
        raise AnalysisError(f"the shares are {', '.join(map(str, shares))}; name numbers between 0 and 1, such as 0.95")
    target = target_for(source, hypothesis)
    chosen = sites_among(source, sites)
    if sites is None and over not in ("units", "sites"):
        chosen = sites_of_read_out(chosen)
    seeks_shares = over == "units" and len(shares) > 0
    growing, seeking = steps_of(progress, [1, 3]) if seeks_shares else (progress, no_progress)
    with within_budget(source, chosen, target.split, options.budget, growing) as recording:
        fitted = CURVES[over] if control is None or over != "units" else partial(curve_over_units, control=control)
        result = fitted(recording, target, chosen, most, options, growing)
        return _with_fewest(recording, target, chosen, result, shares, options, seeking) if seeks_shares else result


@renamed_keyword("how", "options")
def curves_over_steps(
    sources: Iterable[tuple[int, Source]],
    hypotheses: ManyHypotheses,
    *,
    sites: AnySites | None = None,
    options: FitOptions = DEFAULT_OPTIONS,
    progress: Progress = no_progress,
) -> dict[str, Curve]:
    """Show when a model that is being trained comes to know a label, and when a single unit of it does.

    Args:
        sources: Numbers of updates of the training, in ascending order, and the same text as read after each.
        hypotheses: What to probe for.
        sites: What a probe sees; None is the hidden state of the last layer.
        options: How to fit and judge the probes.
        progress: Called, within each source, with the amount done and an estimate of the total.

    Returns:
        For each hypothesis two curves, by its name: of all units together, and, with `: one unit` behind the name, of
        the unit that predicts it best alone on training characters, chosen anew each time.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be probed for.
    """
    _refuse_for_steps(listed(hypotheses), options)
    targets: list[Target] = []
    controls: list[ProbeResult] = []
    updates: list[int] = []
    of_all_units: list[list[ProbeResult]] = []
    of_best_unit: list[list[ProbeResult]] = []
    units: list[Unit] = []
    for update, live in sources:
        chosen = sites_among(live, sites) if sites is not None else sites_of_read_out(list(live.sites))
        targets = targets or targets_for(live, hypotheses)
        with within_budget(live, chosen, targets[0].split, options.budget, progress) as source:
            if not controls:
                controls = fit_characters(source, targets, N_LAST, options)
            units = units_of(source.sites, chosen)
            of_all_units.append(fit_units(source, targets, [units], options=options, progress=progress))
            whole = source if len(available_runs(source)) == 1 else live
            best = [ranking.units[0].unit for ranking in rank_all(whole, targets, sites=chosen)]
            of_best_unit.append(
                [
                    fit_units(source, target, [[unit]], options=options)[0]
                    for target, unit in zip(targets, best, strict=True)
                ]
            )
            updates.append(update)
    curves: dict[str, Curve] = {}
    for number, target in enumerate(targets):
        beside = [controls[number]] * len(updates)
        points = [of_update[number] for of_update in of_all_units]
        curves[target.hypothesis] = _curve(target, "steps", tuple(updates), points, beside, units)
        name, points = f"{target.hypothesis}: one unit", [of_update[number] for of_update in of_best_unit]
        of_one = _curve(target, "steps", tuple(updates), points, beside, points[-1].units)
        curves[name] = replace(of_one, hypothesis=name)
    return curves


def _refuse_for_steps(hypotheses: Sequence[AnyHypothesis | Target], options: FitOptions) -> None:
    """Refuse what a curve over steps cannot have: folds, and labels that differ from model to model."""
    if options.folds is not None:
        raise AnalysisError("a curve over steps chooses a unit for one held-out part of the text; leave out the folds")
    for hypothesis in hypotheses:
        name = hypothesis.hypothesis if isinstance(hypothesis, Target) else hypothesis
        if isinstance(name, str) and name.startswith(PREFIX):
            raise AnalysisError(f"{name} is another label for each model, so that there is no curve over steps of it")


def curve_over_units(
    source: Source,
    target: Target,
    sites: Sequence[Site],
    most: int,
    options: FitOptions,
    progress: Progress,
    control: ProbeResult | None = None,
) -> Curve:
    """Fit probes of the best 1, 2, 4, … units together; see `curve`."""
    if options.folds is not None:
        raise AnalysisError("a curve over units chooses them for one held-out part of the text; leave out the folds")
    best = select_units(source, target, sites, most, progress).units
    if not best:
        sites_text = ", ".join(map(str, sites))
        raise AnalysisError(
            f"no unit of {sites_text} changes with {target.hypothesis}, so there is no curve; name other sites"
        )
    powers = [n for n in (1 << power for power in range(len(best).bit_length())) if n < len(best)]
    sizes = (*powers, len(best))
    points = fit_units(source, target, [best[:n] for n in sizes], options=options, progress=progress)
    control = control or fit_characters(source, [target], N_LAST, options)[0]
    return _curve(target, "units", sizes, points, [control] * len(points), best)


def _with_fewest(
    source: Source,
    target: Target,
    sites: Sequence[Site],
    over_units: Curve,
    shares: Sequence[float],
    options: FitOptions,
    progress: Progress,
) -> Curve:
    """Fit the probe of all units, and find the fewest of the best ones that reach shares of what it knows."""
    units, points = units_of(source.sites, sites), over_units.points
    probes = {len(point.units): point for point in points}
    if len(units) not in probes:
        [probes[len(units)]] = fit_units(source, target, [units], options=options, progress=progress)
    all_units = probes[len(units)]

    def fit_best(n: int) -> ProbeResult:
        if n not in probes:
            [probes[n]] = fit_units(source, target, [over_units.units[:n]], options=options)
        return probes[n]

    sizes = [len(point.units) for point in points]
    fewest = tuple(fewest_units(share, sizes, points, all_units, fit_best) for share in shares)
    return replace(over_units, all_units=all_units, fewest=fewest)


def curve_over_chars(
    source: Source, target: Target, sites: Sequence[Site], most: int, options: FitOptions, progress: Progress
) -> Curve:
    """Fit probes on more and more training characters; see `curve`."""
    n_stretches = int((~target.split.held_out).sum())
    sizes = [n for n in (1, 2, 5, 10, 20, 50, 100, 200, 500) if n < n_stretches]
    settings = [replace(options, n_stretches=n) for n in [*sizes, n_stretches]]
    points, controls, units = _fit_with_settings(source, target, sites, settings, progress)
    return _curve(target, "chars", tuple(point.n_train for point in points), points, controls, units)


def curve_over_lag(
    source: Source, target: Target, sites: Sequence[Site], most: int, options: FitOptions, progress: Progress
) -> Curve:
    """Fit probes for the label of later and earlier characters; see `curve`."""
    targets = [lagged(target, source.corpus, lag) for lag in LAGS]
    units = units_of(source.sites, sites)
    points = fit_units(source, targets, [units], options=options, progress=progress)
    return _curve(target, "lag", LAGS, points, fit_characters(source, targets, N_LAST, options), units)


def curve_over_sites(
    source: Source, target: Target, sites: Sequence[Site], most: int, options: FitOptions, progress: Progress
) -> Curve:
    """Fit a probe of each site by itself; see `curve`."""
    designs = [units_of(source.sites, [site]) for site in sites]
    points = fit_units(source, target, designs, options=options, progress=progress)
    [control] = fit_characters(source, [target], N_LAST, options)
    names = tuple(str(site) for site in sites)
    return _curve(target, "sites", names, points, [control] * len(points), units_of(source.sites, sites))


def curve_over_penalty(
    source: Source, target: Target, sites: Sequence[Site], most: int, options: FitOptions, progress: Progress
) -> Curve:
    """Fit probes with larger and larger penalties; see `curve`."""
    settings = [replace(options, penalty=penalty) for penalty in PENALTY_GRID]
    points, controls, units = _fit_with_settings(source, target, sites, settings, progress)
    return _curve(target, "penalty", PENALTY_GRID, points, controls, units)


def _fit_with_settings(
    source: Source, target: Target, sites: Sequence[Site], settings: Sequence[FitOptions], progress: Progress
) -> tuple[list[ProbeResult], list[ProbeResult], list[Unit]]:
    """Fit a probe of some sites, and its control, with each of several settings; also return the units it sees."""
    units = units_of(source.sites, sites)
    points = [fit_units(source, target, [units], options=own_options, progress=progress)[0] for own_options in settings]
    controls = [fit_characters(source, [target], N_LAST, own_options)[0] for own_options in settings]
    return points, controls, units


def _curve(
    target: Target,
    over: str,
    values: tuple[float | str, ...],
    points: Sequence[ProbeResult],
    controls: Sequence[ProbeResult],
    units: Sequence[Unit],
) -> Curve:
    return Curve(
        hypothesis=target.hypothesis,
        over=over,
        values=values,
        points=tuple(points),
        controls=tuple(controls),
        units=tuple(units),
    )


CURVES: dict[str, Callable[[Source, Target, Sequence[Site], int, FitOptions, Progress], Curve]] = {
    "units": curve_over_units,
    "chars": curve_over_chars,
    "lag": curve_over_lag,
    "sites": curve_over_sites,
    "penalty": curve_over_penalty,
}
