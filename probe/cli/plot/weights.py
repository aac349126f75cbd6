"""The command `probe plot weights`, which draws the weights of probes over the units that they see."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.analysis_options import ProbeOptions, SiteOptions, TargetOptions
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say
from probe.cli.sources import SourceOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from analyses.probing.kept_probes import Probe

_NAME = "weights"
_MOST_PANELS, _N_SHOWN = 8, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsOptions(ProbeOptions):
    """Options of whose weights are drawn."""

    probe: Annotated[
        Path | None,
        Option(help="Kept probes, from `probe fit --save`: nothing is fitted or read.", show_default=False),
    ] = None


@with_options
def weights(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: WeightsOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    picture: PictureOptions,
) -> None:
    """Draw the weights of probes over the units that they see, the largest with their names.

    Weights are per standard deviation of each unit. A unit with a large weight does not have to know the label by
    itself, and one that knows it may have none if others know it, too: units that vary together share a weight, so that
    weights have no intervals. `probe plot ranking` has each unit by itself. There is a panel for each hypothesis and
    site: the hidden state of the last layer, unless --sites names others. With --probe, kept probes are drawn, of the
    hypotheses and sites that are named, or all. Of several classes, it is the norm of a unit's weights.

    Example:
        probe plot weights in_quotes --sites 0/cell
    """
    subjects = tell_apart(words, hypotheses)
    kept = [] if options.probe is None else [options.probe]
    picture.check_picture(_NAME, *kept, *([] if kept else source.inputs(subjects)))
    if options.probe is not None:
        if subjects.recordings or source.model:
            raise BadParameter("kept probes have their weights; leave out the recording and --model, or --probe")
        probes = _kept(options.probe, subjects, sites.sites)
        made = provenance(model_sha256=probes[0].model_sha256 or None, text_sha256=probes[0].text_sha256 or None)
    elif subjects.hypotheses:
        probes, made = _fitted(subjects, options, sites, source, labels)
    else:
        raise BadParameter("name a hypothesis, such as `probe plot weights in_quotes`, or kept probes with --probe")
    rows: list[dict[str, TableCell]] = [{**row, **made} for probe in probes for row in _rows(probe)]
    largest = sorted(rows, key=lambda row: -abs(float(row["weight"] or 0)))[:_N_SHOWN]  # type: ignore[arg-type]
    classes = ["class"] if any(row["class"] for row in largest) else []
    shown = ["hypothesis", "site", "unit", *classes, "weight"]
    picture.show(rows, [{key: "" if row[key] is None else row[key] for key in shown} for row in largest])
    say(f"the largest of {len(rows):,} weights; --json has all", quiet=picture.as_json)
    picture.write(rows)
    from probe.plots import plot_weights

    picture.save(_NAME, plot_weights(probes)[0], f"the weights of {len(probes)} probe{'s'[: len(probes) != 1]}")


def _kept(path: Path, subjects: Subjects, sites: str | None) -> "list[Probe]":
    """Load the probes of a file that are of these hypotheses and sites, or all."""
    from activations.errors import ActivationError
    from activations.site_names import select_sites
    from analyses.errors import AnalysisError
    from analyses.probing.kept_probes import load_probes

    probes_in_file = load_probes(path)
    there = {site for probe in probes_in_file for site in probe.sites}
    try:
        chosen = set(select_sites(sorted(there, key=str), sites))
    except ActivationError as error:
        raise AnalysisError(f"{path} has no probe of these sites: {error}") from error
    probes = [
        probe
        for probe in probes_in_file
        if set(probe.sites) <= chosen and probe.hypothesis in (subjects.hypotheses or [probe.hypothesis])
    ]
    if not probes:
        of = ", ".join(dict.fromkeys(f"{probe.hypothesis} from {probe.site}" for probe in probes_in_file))
        raise AnalysisError(f"{path} has no probe of these hypotheses and sites; there are {of}")
    return _not_too_many(probes)


def _fitted(
    subjects: Subjects, options: WeightsOptions, sites: SiteOptions, source: SourceOptions, labels: TargetOptions
) -> "tuple[list[Probe], dict[str, TableCell]]":
    """Fit the probes of each site that is named, or of the hidden state of the last layer."""
    from analyses.errors import AnalysisError
    from analyses.named_parts import sites_of_read_out
    from analyses.probing.probes import fit

    fitting = options.fitting()
    with source.open_only(subjects) as session, progress("fitting probes") as report:
        chosen = sites.chosen_if_any(session) or sites_of_read_out(list(session.sites))
        targets = labels.targets(session, subjects.hypotheses)
        results = fit(session, targets.made, sites=chosen, options=fitting, progress=report)
        made = provenance(session)
    probes = [result.probe for result in results if result.probe is not None]
    if not probes:
        raise AnalysisError(f"there are no weights: {results[0].note}")
    return _not_too_many(probes), made


def _not_too_many(probes: "Sequence[Probe]") -> "list[Probe]":
    from analyses.errors import AnalysisError

    if len(probes) > _MOST_PANELS:
        raise AnalysisError(
            f"{len(probes)} probes are more than the {_MOST_PANELS} that a picture holds; name fewer hypotheses, "
            "or sites with --sites"
        )
    return list(probes)


def _rows(probe: "Probe") -> list[dict[str, TableCell]]:
    """Return a row for each unit, and for each class if there are several."""
    names = probe.classes if probe.weights.shape[1] > 1 else (None,)
    return [
        {
            "hypothesis": probe.hypothesis,
            "site": probe.site,
            "unit": str(unit),
            "class": name,
            "weight": float(weight),
        }
        for unit, of_unit in zip(probe.units, probe.weights, strict=True)
        for name, weight in zip(names, of_unit, strict=True)
    ]
