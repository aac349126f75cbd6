"""The command `probe plot unit`, which draws the profile of a unit beside a hypothesis."""

from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter

from probe.cli import completion
from probe.cli.analysis_options import TargetOptions
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say, warn
from probe.cli.sources import SourceOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from analyses.profiling.unit_profile import UnitProfile

_NAME = "unit"


@with_options
def unit(
    unit: Annotated[
        str,
        Argument(
            help="Written layer/signal/index, such as 1/cell/37.", autocompletion=completion.units, show_default=False
        ),
    ],
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    source: SourceOptions,
    labels: TargetOptions,
    picture: PictureOptions,
) -> None:
    """Draw what a unit does where a hypothesis holds, when it begins and ends, and how long the unit remembers.

    The histogram has the values of the unit where the hypothesis holds and where it does not, and the threshold that
    tells them best in training, with its balanced accuracy on held-out characters. For a label of several classes it is
    that class which the unit tells best, for a number there are thirds of it.

    The averages run from 20 characters before the hypothesis begins to hold (or ends) to 40 after it; bands are 95 %
    intervals, and missing where there are too few such moments. Below are the same averages of the gates of this unit,
    if they are recorded. Then come its autocorrelation, and its means by class, or its tuning curve to a number.

    Example:
        probe plot unit 0/cell/226 -H in_quotes -o unit.png
    """
    from activations.units import Unit
    from analyses.profiling.unit_profile import unit_profile

    parsed = Unit.parse(unit)
    subjects = tell_apart(words, hypotheses)
    if len(subjects.hypotheses) != 1 or len(subjects.recordings) > 1:
        raise BadParameter(
            "a unit is drawn beside one hypothesis, on one recording: `probe plot unit 0/cell/226 -H in_quotes`"
        )
    picture.check_picture(_NAME, *source.inputs(subjects))
    with source.open(subjects) as [(_, session)], progress(f"profiling {unit}") as report:
        [target] = labels.targets(session, subjects.hypotheses).made
        profile = unit_profile(session, parsed, target, progress=report)
        made = provenance(session)
    rows: list[dict[str, TableCell]] = [{**row, **made} for row in profile.rows()]
    if picture.as_json:
        picture.show(rows)
    else:
        say(str(profile))
    for note in profile.notes:
        warn(f"{parsed}: {note}")
    picture.write(rows)
    _draw(profile, picture)


def _draw(profile: "UnitProfile", picture: PictureOptions) -> None:
    from probe.plots import plot_unit_profile

    panels = plot_unit_profile(profile)
    picture.save(_NAME, panels["histogram"], f"{profile.unit} beside {profile.label}")
