"""The command `probe fit`, which fits linear probes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli import completion
from probe.cli.analysis_options import ProbeOptions, SiteOptions, TargetOptions
from probe.cli.fit_tables import SourceProbes, keep_predictions, show_probes, write_probes
from probe.cli.option_groups import with_options
from probe.cli.options import AllOption, HypothesesOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.show import progress, say, warn
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from activations.units import Site, Unit
    from analyses.probing.options import FitOptions
    from analyses.session import Session

_MB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbesOptions(ProbeOptions):
    """Options of what probes see, how they are fitted and judged, and their controls."""

    all_hypotheses: AllOption = False
    units: Annotated[
        str | None, Option(help="Only these together, such as 0/cell/37,1/cell/40.", show_default=False)
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
    memory: Annotated[
        int, Option(min=1, help="MiB of activations to keep in memory; any others are read again in each pass.")
    ] = 384

    def check(self, hypotheses: Sequence[str], inputs: Sequence[Path]) -> None:
        """Refuse options that do not go together, or a file that cannot be written, before any work."""
        from activations.files import check_output

        if bool(hypotheses) == self.all_hypotheses:
            raise BadParameter("name a hypothesis, such as `probe fit in_quotes`, or ask for --all, but not both")
        if self.keep is not None:
            if self.keep.suffix != ".npz":
                raise BadParameter(f"{self.keep} is not the name of an .npz file; end its name in .npz")
            check_output(self.keep, *inputs)

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
        from analyses.probing.control_names import CONTROLS

        if self.controls is None:
            return list(CONTROLS)
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

    Example:
        probe fit in_quotes
    """
    from activations.units import in_order
    from analyses.probing.probes import fit_units
    from probe.untrained import fit_untrained_twins, trained_model

    subjects = tell_apart(words, hypotheses)
    options.check(subjects.hypotheses, source.inputs(subjects))
    tables.check(*source.inputs(subjects))
    fitting = options.fitting()
    results: list[SourceProbes] = []
    reasons: dict[str, str] = {}
    with source.open(subjects) as sessions:
        for name, session in sessions:
            designs = options.designs(session, sites.chosen(session))
            seen = in_order(session.sites, (unit.site for design in designs for unit in design))
            trained = None if options.untrained is None else trained_model(session, options.untrained, seen)
            with progress(f"fitting probes{f' of {name}' if name else ''}") as report:
                targets = labels.targets(session, subjects.hypotheses)
                reasons |= targets.reasons
                controls = options.control_names
                probes = fit_units(session, targets.made, designs, controls=controls, options=fitting, progress=report)
            if trained is not None:
                with progress("untrained twins") as report:
                    probes += fit_untrained_twins(
                        session, trained, targets.made, designs, options=fitting, progress=report
                    )
            results.append(SourceProbes(name, probes, provenance(session, seed=options.drawn_seed)))
    show_probes(results, tables)
    for hypothesis, reason in reasons.items():
        warn(f"no score for {hypothesis}: {reason}")
    if options.keep is not None:
        keep_predictions(options.keep, results)
        say(f"{options.keep}: the probes' predictions at each held-out character", quiet=tables.as_json)
    write_probes(results, tables)
