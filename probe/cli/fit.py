"""The command `probe fit`, which fits linear probes."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import ProbeOptions, SiteOptions, TargetOptions, labels_first
from probe.cli.fit_tables import SourceProbes, keep_predictions, save_probes_of, show_probes, write_probes
from probe.cli.option_groups import spelled, with_options
from probe.cli.options import AllOption, HypothesesOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.showing import progress, say, warn_of_reasons
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from activations.units import Site, Unit
    from analyses.probing.options import FitOptions
    from analyses.probing.results import ProbeResult
    from analyses.session import Session

_MB = 1 << 20
_OF_FITTING = frozenset(
    {"all_hypotheses", "units", "together", "l1_ratio", "balanced", "untrained", "save", "penalty", "folds"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbesOptions(ProbeOptions):
    """Options of what probes see, how they are fitted and judged, and their controls."""

    all_hypotheses: AllOption = False
    units: Annotated[
        str | None,
        Option(
            help="Only these together, such as 0/cell/37,1/cell/40.",
            autocompletion=completion.units,
            show_default=False,
        ),
    ] = None
    together: Annotated[
        bool, Option("--together", help="One probe of all sites together, instead of one for each.")
    ] = False
    l1_ratio: Annotated[float, Option(help="0: an L2 penalty; 1: L1; between: an elastic net.")] = 0.0
    balanced: Annotated[bool, Option("--balanced", help="Give all classes the same weight, however rare.")] = False
    controls: Annotated[
        str | None,
        Option(
            help="Some of {control_names}, with commas between, or none; see above (default: all)",
            autocompletion=completion.controls,
            show_default=False,
        ),
    ] = None
    untrained: Annotated[
        Path | None,
        Option(
            help="The recorded model: fit the same probes to two untrained twins of it, one with fresh weights, one "
            "with its own, shuffled. Their recordings are kept beside the recording.",
            show_default=False,
        ),
    ] = None
    keep: Annotated[
        Path | None,
        Option(
            help="An .npz file for the probes' predictions at each held-out character that was read, with their "
            "logits.",
            show_default=False,
        ),
    ] = None
    save: Annotated[
        Path | None,
        Option(
            help="An .npz file for the probes themselves, to apply them elsewhere, or to take their directions.",
            show_default=False,
        ),
    ] = None
    apply: Annotated[
        Path | None,
        Option(
            help="Fit nothing: judge the probes in this file, which --save wrote, on other activations of the same "
            "model.",
            show_default=False,
        ),
    ] = None
    any_model: Annotated[
        bool, Option("--any-model", help="With --apply: also to another model, such as another checkpoint.")
    ] = False
    memory: Annotated[
        int, Option(min=1, help="MiB of activations to keep in memory; any others are read again in each pass.")
    ] = 384

    def check(self, hypotheses: Sequence[str], inputs: Sequence[Path]) -> None:
        """Refuse options that do not go together, or a file that cannot be written, before any work."""
        from activations.files import check_output
        from analyses.probing.control_names import check_controls

        check_controls(self.control_names)
        if self.apply is not None:
            self._check_applying(hypotheses)
        elif self.any_model:
            raise BadParameter("--any-model applies only with --apply")
        elif bool(hypotheses) == self.all_hypotheses:
            raise BadParameter("name a hypothesis, such as `probe fit in_quotes`, or ask for --all, but not both")
        outputs = [path for path in (self.keep, self.save) if path is not None]
        for path in outputs:
            if path.suffix != ".npz":
                raise BadParameter(f"{path} is not the name of an .npz file; end its name in .npz")
            check_output(path, *inputs, *([self.apply] if self.apply is not None else []))
        if len(set(outputs)) < len(outputs):
            raise BadParameter("--save and --keep name the same file; name two")

    def _check_applying(self, hypotheses: Sequence[str]) -> None:
        """Refuse options of fitting where nothing is fitted."""
        if len(hypotheses) > 1:
            raise BadParameter("--apply takes one hypothesis, or none: that which each probe was fitted to")
        for field in fields(self):
            if field.name in _OF_FITTING and getattr(self, field.name) != field.default:
                option = spelled(type(self), field.name)
                raise BadParameter(f"{option} is for fitting, and --apply takes probes as they are; leave out {option}")

    def fitting(self) -> "FitOptions":
        """Return these options as the library takes them."""
        return replace(
            ProbeOptions.fitting(self),
            l1_ratio=self.l1_ratio,
            balanced=self.balanced,
            memory=self.memory * _MB,
            keep=self.keep is not None,
        )

    @property
    def control_names(self) -> list[str]:
        """The controls named by `--controls`; all if it is not given."""
        from analyses.probing.control_names import APPLIED_CONTROLS, CONTROLS

        if self.controls is None:
            return list(CONTROLS if self.apply is None else APPLIED_CONTROLS)
        names = [name.strip() for name in self.controls.split(",")]
        return [name for name in names if name not in ("", "none")]

    @property
    def drawn_seed(self) -> int | None:
        """The seed, if labels of controls or weights of twins are drawn."""
        from analyses.probing.controls import TASKS

        is_drawn = self.untrained is not None or not TASKS.keys().isdisjoint(self.control_names)
        return self.seed if is_drawn else None

    def designs(self, session: "Session", sites: "Sequence[Site]") -> "list[list[Unit]]":
        """List the units that each probe sees.

        Raises:
            ActivationError: If a unit does not exist.
        """
        from activations.errors import ActivationError
        from activations.units import Unit, units_of

        if self.units is None:
            sites_of_probes = [sites] if self.together else [[site] for site in sites]
            return [units_of(session.sites, of_probe) for of_probe in sites_of_probes]
        named = [Unit.parse(unit.strip()) for unit in self.units.split(",")]
        for unit in named:
            if unit.index >= session.sites.get(unit.site, 0):
                sizes = ", ".join(f"{site} of {n} units" for site, n in session.sites.items())
                raise ActivationError(f"there is no unit {unit} here; there are {sizes}")
        return [list(dict.fromkeys(named))]


@with_options
def fit(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: ProbesOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Fit linear probes: can a hypothesis be read out of all units of a site jointly?

    Binary labels and classes have logistic probes, and numbers ridge regressions. All scores are measured on held-out
    stretches of the text; low and high are the ends of the 95 % interval of the AUC (R² for numbers), which remains
    valid when neighbouring characters are correlated; --json has the intervals of the other scores. auc within (r
    within) is the score among characters of the same eighth of the text, which leaves out what a common trend
    contributes. The penalty is chosen on stretches of the training part.

    A score means something only beside what can be achieved without the model. majority is the accuracy of always
    predicting the most frequent label. The same table has controls: {controls}.
    selectivity is the accuracy (R²) above that of the control context.

    Given two recordings of the same text, the last rows give the improvement of the second recording's probes over the
    first's.

    --save probes.npz keeps the probes, and `probe fit --apply probes.npz other.h5` judges them on another text. Nothing
    is fitted then, so that of the controls only runs applies; majority predicts the class that was most frequent in the
    probe's own training. On the text that a probe was fitted on, only the characters held out then are used.

    Example:
        probe fit in_quotes
    """
    subjects = tell_apart(words, hypotheses)
    options.check(subjects.hypotheses, source.inputs(subjects))
    if options.save is not None and len(subjects.paths) > 1:
        raise BadParameter("--save keeps the probes of one recording; name one")
    tables.check(*source.inputs(subjects))
    results: list[SourceProbes] = []
    reasons: dict[str, str] = {}
    with source.open(subjects) as sessions:
        for name, session in sessions:
            if options.apply is None:
                probes = _fitted(name, session, subjects, options, sites, labels, reasons)
            else:
                probes = _applied(options.apply, session, subjects, options, sites, labels)
            results.append(SourceProbes(name, probes, provenance(session, seed=options.drawn_seed)))
    show_probes(results, tables)
    warn_of_reasons("no score for", reasons)
    if options.keep is not None:
        keep_predictions(options.keep, results)
        say(f"{options.keep}: the probes' predictions at each held-out character", quiet=tables.as_json)
    if options.save is not None:
        n_probes = save_probes_of(options.save, results)
        say(f"{options.save}: {n_probes} {'probe' if n_probes == 1 else 'probes'}", quiet=tables.as_json)
    write_probes(results, tables)


def _fitted(
    name: str,
    session: "Session",
    subjects: Subjects,
    options: ProbesOptions,
    sites: SiteOptions,
    labels: TargetOptions,
    reasons: dict[str, str],
) -> "list[ProbeResult]":
    """Fit the probes of one source; `reasons` gets why hypotheses have none."""
    from activations.units import in_order
    from analyses.probing.probes import fit_units

    fitting = options.fitting()
    designs = options.designs(session, sites.chosen(session))
    seen = in_order(session.sites, (unit.site for design in designs for unit in design))
    trained = None
    if options.untrained is not None:  # torch is loaded only where it is needed
        from probe.untrained import fit_untrained_twins, trained_model

        trained = trained_model(session, options.untrained, seen)
    with progress(f"fitting probes{f' of {name}' if name else ''}") as report:
        labelling, judging = labels_first(report, subjects.hypotheses, 0.1)
        targets = labels.targets(session, subjects.hypotheses, labelling)
        reasons |= targets.reasons if subjects.hypotheses else {}
        controls = options.control_names
        probes = fit_units(session, targets.made, designs, controls=controls, options=fitting, progress=judging)
    if trained is not None:
        with progress("untrained twins") as report:
            probes += fit_untrained_twins(session, trained, targets.made, designs, options=fitting, progress=report)
    return probes


def _applied(
    path: Path,
    session: "Session",
    subjects: Subjects,
    options: ProbesOptions,
    sites: SiteOptions,
    labels: TargetOptions,
) -> "list[ProbeResult]":
    """Judge the probes in a file on one source.

    Raises:
        AnalysisError: If none of them is of the sites that were asked for.
    """
    from analyses.errors import AnalysisError
    from analyses.probing.applying import apply_probes
    from analyses.probing.kept_probes import load_probes

    probes_in_file = load_probes(path)
    chosen = sites.chosen_if_any(session)
    of_sites = [probe for probe in probes_in_file if chosen is None or set(probe.sites) <= set(chosen)]
    if not of_sites:
        there = ", ".join(dict.fromkeys(probe.site for probe in probes_in_file))
        raise AnalysisError(f"{path} has no probe of these sites; there are probes of {there}")
    results = []
    for hypothesis in dict.fromkeys(probe.hypothesis for probe in of_sites):
        probes = [probe for probe in of_sites if probe.hypothesis == hypothesis]
        [target] = labels.targets(session, subjects.hypotheses or [hypothesis]).made
        with progress(f"judging probes of {hypothesis}") as report:
            results += apply_probes(
                session,
                probes,
                target,
                controls=options.control_names,
                any_model=options.any_model,
                options=options.fitting(),
                progress=report,
            )
    return results
