"""Measure what a report tells of one recording, or of a model that reads a text."""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from activations.blocks import Source
from activations.errors import ActivationError
from activations.progress import NotedProgress, Progress, no_progress, steps_of
from activations.units import Site
from analyses.causes.ablating_many import Question, ablate_for_each
from analyses.curves import N_LAST, curve
from analyses.errors import AnalysisError
from analyses.gate_saturation import GateSaturation, gate_saturation
from analyses.matrix import HypothesisMatrix
from analyses.named_parts import sites_among
from analyses.probing.control_names import CHARS, POSITION
from analyses.probing.designs.budgets import available_runs, within_budget
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.probing.results import ProbeResult
from analyses.profiling.unit_profile import unit_profile
from analyses.ranking.ranking import rank_all
from analyses.session import AnySource, Session
from analyses.targets.labelling import AnyHypothesis
from analyses.targets.many_hypotheses import Targets, all_targets, targets_of
from analyses.targets.target import Target
from analyses.unit_tables.describe_units import describe_units
from analyses.unit_tables.unit_table import UnitTable
from hypotheses.errors import HypothesisError
from hypotheses.registry import get
from probe.evaluation import evaluate_recorded
from probe.reporting.about import about_of
from probe.reporting.choosing import surest
from probe.reporting.content import N_BEST, Finding, Report, with_left_out
from probe.reporting.passages import held_out_lines
from probe.viewer.making import text_view
from probe.viewer.text_view import TextView

N_HYPOTHESES, N_CURVES, N_CHARS, N_MATCHED = 12, 3, 5_000, 10
_LINES, _PASSAGE_CHARS = 22, 1_600  # of a passage
_NO_MODEL = "what a model does without a unit needs the model itself, not only its recording: --model model.pt"
_SIGNALS = ("hidden", "cell")
_MOST_UNITS = 32  # of a curve
_RANKING, _PROBES, _CURVES = "ranking units", "fitting probes", "fitting curves"
_ABLATIONS, _GATES, _UNITS = "holding units", "counting saturated gates", "describing all units"
_WEIGHTS: Mapping[str, float] = {_RANKING: 8, _PROBES: 30, _CURVES: 14, _ABLATIONS: 14, _GATES: 5, _UNITS: 12}
"""The steps, and about how many seconds each takes for the bundled recording."""
Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """How much a report tells, and how carefully effects are measured.

    Attributes:
        n_hypotheses: How many hypotheses are chosen among those that apply; None is all of them.
        n_curves: For how many of them, the first ones, there is a curve over units.
        n_chars: Characters on which ablations are measured.
        n_matched: Matched units beside each unit that is held.
        has_units: Whether every unit is described.
        seed: Seed of all draws.
    """

    n_hypotheses: int | None = N_HYPOTHESES
    n_curves: int = N_CURVES
    n_chars: int = N_CHARS
    n_matched: int = N_MATCHED
    has_units: bool = True
    seed: int = 0


DEFAULT_OPTIONS = ReportOptions()


def make_report(
    source: AnySource,
    hypotheses: Sequence[AnyHypothesis] | Targets | None = None,
    *,
    among: Targets | None = None,
    model: AnySource | None = None,
    sites: Sequence[Site] | None = None,
    model_name: str = "",
    options: ReportOptions = DEFAULT_OPTIONS,
    progress: NotedProgress = no_progress,
) -> Report:
    """Measure what a report tells of a recording.

    Args:
        source: A recording, live activations, or the path of a recording.
        hypotheses: The hypotheses that are told of, in this order, or their labels; None chooses those with the surest
            units.
        among: If none are named, the labels of the hypotheses to choose from; None is all that apply to the text.
        model: Live activations of the recorded model, for what it does without a unit, and for its gates where these
            were not recorded; None is the source, if that is live.
        sites: Where probes and units are; None is hidden states and cells, or all sites if there are none of these.
        model_name: The file of the model, as the report names it.
        options: How much it tells.
        progress: Called with the amount done, the total, and what is measured now.

    Returns:
        The report. What could not be measured is left out, and its `left_out` says why.

    Raises:
        ActivationError: If there is no recording, or it cannot be read.
        HypothesisError: If the only hypothesis does not exist, or fails on this text.
        AnalysisError: If no hypothesis applies to the text.
    """
    session = Session.of(source)
    live = session if model is None and session.is_live else (None if model is None else Session.of(model))
    making = _Making(session, live, state_sites(session) if sites is None else list(sites), options, progress)
    with session.answering():
        if hypotheses is None:
            return making.report(all_targets(session) if among is None else among, model_name, are_chosen=True)
        named = hypotheses if isinstance(hypotheses, Targets) else targets_of(session, hypotheses)
        return making.report(named, model_name, are_chosen=False)


def state_sites(source: Source) -> list[Site]:
    """Return hidden states and cells, or all sites if there are none of these."""
    states = [site for site in source.sites if site.signal in _SIGNALS]
    return states or list(source.sites)


class _Making:
    """A report in the making: its sources, and how far it has come."""

    def __init__(
        self,
        session: Session,
        live: Session | None,
        sites: Sequence[Site],
        options: ReportOptions,
        progress: NotedProgress,
    ) -> None:
        self._session, self._live, self._options = session, live, options
        self._sites = sites_among(session, sites)
        self._left_out: dict[str, str] = {}
        self._n_tried: int | None = None
        self._progress = dict(zip(_WEIGHTS, _noted_steps(progress, _WEIGHTS), strict=True))

    def report(self, targets: Targets, model_name: str, *, are_chosen: bool) -> Report:
        """Measure all parts, of some hypotheses that are chosen among the targets, or of all targets."""
        session = self._session
        by_name, findings = self._findings_with_rankings(targets, are_chosen=are_chosen)
        split = next(iter(by_name.values())).split
        with within_budget(session, self._sites, split, progress=self._progress[_PROBES]) as kept:
            findings = self._with_probes(kept, findings, by_name)
            self._refuse_nothing(findings, are_chosen=are_chosen)
            findings = self._with_curves(kept, findings, by_name)
            # a live model reads the text no more often for many hypotheses than for one, if all of it was kept
            whole = Session.of(kept) if len(available_runs(kept)) == 1 else session
            findings = [self._with_best_unit(whole, finding, by_name[finding.hypothesis]) for finding in findings]
            units = self._units(whole, [by_name[finding.hypothesis] for finding in findings])
        findings = self._with_ablations(findings, by_name)
        rankings = [finding.ranking for finding in findings]
        probes = [probe for finding in findings for probe in finding.probes]
        return Report(
            about=about_of(session, model_name),
            findings=findings,
            losses=self._or_left_out("loss beside n-gram models", lambda: evaluate_recorded(session)),
            matrix=HypothesisMatrix.of(rankings, probes, n_units=2 * len(findings)),
            gates=self._gates(),
            units=units,
            left_out=self._left_out,
            n_tried=self._n_tried,
            n_chars=self._options.n_chars,
            n_matched=self._options.n_matched,
            seed=self._options.seed,
        )

    def _findings_with_rankings(self, targets: Targets, *, are_chosen: bool) -> tuple[dict[str, Target], list[Finding]]:
        """Rank the units for all hypotheses, and choose those that the report tells of."""
        session = self._session
        made = targets.made
        self._left_out |= {} if are_chosen else targets.reasons
        rankings = rank_all(session, made, sites=self._sites, n_intervals=N_BEST, progress=self._progress[_RANKING])
        if are_chosen:
            chosen = surest(session, made, rankings, self._options.n_hypotheses)
            self._n_tried = len(made) if self._options.n_hypotheses is not None else None
            self._left_out |= chosen.left_out
            made, rankings = chosen.targets, chosen.rankings
        told = [
            (target, ranking)
            for target, ranking in zip(made, rankings, strict=True)
            if ranking.units and not math.isnan(ranking.units[0].held_out)
        ]
        for target, ranking in zip(made, rankings, strict=True):
            if (target, ranking) not in told:
                self._left_out[target.hypothesis] = " ".join(ranking.notes) or "its units have no scores"
        self._refuse_nothing(told, are_chosen=are_chosen)
        return {target.hypothesis: target for target, _ in told}, [
            Finding(
                hypothesis=target.hypothesis,
                meaning=meaning_of(target.hypothesis),
                kind=target.kind,
                prevalence=ranking.prevalence,
                ranking=ranking,
                probes=(),
            )
            for target, ranking in told
        ]

    def _refuse_nothing(self, told: Sequence[object], *, are_chosen: bool) -> None:
        """Refuse a report that tells of no hypothesis, and say why."""
        if told:
            return
        if are_chosen:
            raise AnalysisError(
                "there is nothing to report: no unit is shown to tell a hypothesis that the last characters do not "
                "answer; use a longer text, or name the hypotheses to report on"
            )
        raise AnalysisError(f"there is nothing to report: {'; '.join(map(': '.join, self._left_out.items()))}")

    def _with_probes(self, kept: Source, findings: list[Finding], targets: Mapping[str, Target]) -> list[Finding]:
        """Fit probes of each site, and controls that see no model; leave out hypotheses that cannot be probed for."""
        options = FitOptions(seed=self._options.seed)

        def fitted(chosen: Sequence[Target]) -> list[ProbeResult]:
            progress = self._progress[_PROBES]
            return fit(kept, chosen, sites=self._sites, controls=(CHARS, POSITION), options=options, progress=progress)

        try:
            probes = fitted(list(targets.values()))
        except AnalysisError:  # of one of them
            probes = []
            for target in targets.values():
                probes += self._or_left_out(target.hypothesis, partial(fitted, [target])) or []
        with_probes = []
        for finding in findings:
            of_hypothesis = [probe for probe in probes if probe.hypothesis == finding.hypothesis]
            if of_hypothesis:
                with_probes.append(replace(finding, probes=of_hypothesis))
        return with_probes

    def _with_curves(self, kept: Source, findings: list[Finding], targets: Mapping[str, Target]) -> list[Finding]:
        """Add curves over the units of the site that is read best, for the first hypotheses."""
        n_curves = min(self._options.n_curves, len(findings))
        progress = steps_of(self._progress[_CURVES], [1] * max(n_curves, 1))
        first = {0: "none was asked for", 1: "only the first hypothesis has one"}
        none = f"{first.get(n_curves, f'only the first {n_curves} hypotheses have one')} (--curves)"
        return [
            self._with_curve(kept, finding, targets[finding.hypothesis], progress[number])
            if number < n_curves
            else with_left_out(finding, "curve", none)
            for number, finding in enumerate(findings)
        ]

    def _with_curve(self, kept: Source, finding: Finding, target: Target, progress: Progress) -> Finding:
        name = f"last {N_LAST} characters"
        control = next((probe for probe in finding.probes if (probe.control, probe.site) == (CHARS, name)), None)
        try:
            drawn = curve(
                kept,
                target,
                sites=[Site(finding.probe.site)],
                most=_MOST_UNITS,
                shares=(),
                control=control,
                options=FitOptions(seed=self._options.seed),
                progress=progress,
            )
        except AnalysisError as error:
            return with_left_out(finding, "curve", str(error))
        return replace(finding, curve=drawn)

    def _with_ablations(self, findings: list[Finding], targets: Mapping[str, Target]) -> list[Finding]:
        """Hold the best unit of each hypothesis at its mean, in the model that was recorded."""
        if self._live is None:
            return [with_left_out(finding, "ablation", _NO_MODEL) for finding in findings]
        questions = [Question(targets[finding.hypothesis], finding.best_unit) for finding in findings]
        try:
            measured = ablate_for_each(
                self._live,
                questions,
                n_chars=self._options.n_chars,
                n_matched=self._options.n_matched,
                seed=self._options.seed,
                progress=self._progress[_ABLATIONS],
            )
        except (ActivationError, AnalysisError) as error:
            return [with_left_out(finding, "ablation", str(error)) for finding in findings]
        return [
            replace(finding, ablation=measured.by_hypothesis[finding.hypothesis])
            if finding.hypothesis in measured.by_hypothesis
            else with_left_out(finding, "ablation", measured.reasons[finding.hypothesis])
            for finding in findings
        ]

    def _with_best_unit(self, source: Source, finding: Finding, target: Target) -> Finding:
        """Add what the best unit does, and a passage."""
        try:
            finding = replace(finding, profile=unit_profile(source, finding.best_unit, target))
        except AnalysisError as error:
            finding = with_left_out(finding, "best unit", str(error))
        try:
            return replace(finding, passage=_passage(source, finding, target))
        except (ActivationError, AnalysisError, HypothesisError) as error:
            return with_left_out(finding, "passage", str(error))

    def _gates(self) -> GateSaturation | None:
        """Count how often gates are saturated: those of the recording, or else of the model."""
        has_gates = any((site.signal or "").endswith("_gate") for site in self._session.sites)
        source = self._session if has_gates or self._live is None else self._live
        return self._or_left_out("gates", lambda: gate_saturation(source, progress=self._progress[_GATES]))

    def _units(self, source: Source, targets: Sequence[Target]) -> UnitTable | None:
        """Describe every unit by the hypotheses that the report tells of."""
        if not self._options.has_units:
            self._left_out["units"] = "a short report leaves out the table of all units; see `probe units`"
            return None
        progress = self._progress[_UNITS]
        return self._or_left_out("units", lambda: describe_units(source, targets, sites=self._sites, progress=progress))

    def _or_left_out(self, part: str, measure: Callable[[], Measured]) -> Measured | None:
        """Return what is measured, or nothing, and note why it is left out."""
        try:
            return measure()
        except (ActivationError, AnalysisError) as error:
            self._left_out[part] = str(error)
            return None


def meaning_of(hypothesis: str) -> str:
    """Return the first sentence of what a hypothesis says of itself; nothing for combinations and unknown names."""
    try:
        found = get(hypothesis)
    except HypothesisError:
        return ""
    return inspect.cleandoc(found.__doc__ or "").partition("\n")[0]


def _passage(source: Source, finding: Finding, target: Target) -> TextView:
    """Show some held-out lines with the best unit, the labels, and the prediction of the best site's probe."""
    kept = finding.probe.probe
    view = text_view(
        source,
        units=finding.best_unit,
        hypotheses=target,
        probes=() if kept is None else kept,
        span=held_out_lines(source, target, _LINES, _PASSAGE_CHARS),
    )
    return view.units_first()


def _noted_steps(progress: NotedProgress, weights: Mapping[str, float]) -> Iterator[Progress]:
    """Divide a progress among steps, each with its name as a note."""
    current = ""

    def whole(done: int, total: int) -> None:
        progress(done, total, current)

    def noted(step: Progress, note: str) -> Progress:
        def report(done: int, total: int) -> None:
            nonlocal current
            current = note
            step(done, total)

        return report

    for step, note in zip(steps_of(whole, list(weights.values())), weights, strict=True):
        yield noted(step, note)
