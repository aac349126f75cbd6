"""The command `probe plot gates`, which draws how often gates are saturated."""

from typing import TYPE_CHECKING, Annotated

from typer import Argument

from probe.cli import completion
from probe.cli.defaults import DEFAULT_RECORDING
from probe.cli.option_groups import with_options
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say
from probe.cli.sources import SourceOptions
from probe.cli.words import one_recording

if TYPE_CHECKING:
    from analyses.gate_saturation import GateSaturation

_NAME = "gates"


@with_options
def gates(
    recording: Annotated[
        str | None,
        Argument(
            help=f"A recording with gates, that `probe extract` wrote (default: {DEFAULT_RECORDING})",
            metavar="RECORDING",
            autocompletion=completion.recordings,
            show_default=False,
        ),
    ] = None,
    *,
    source: SourceOptions,
    picture: PictureOptions,
) -> None:
    """Draw how often the gates of each unit are saturated: closed (under .1), or open (over .9).

    A panel for each gate: input, forget and output gate of an LSTM, reset and update gate of a GRU. A point is a unit,
    and its colour and shape say which layer it is in. To the right is the share of characters at which the gate is over
    .9 (right-saturated), upwards the share at which it is under .1 (left-saturated). At the lower left are units whose
    gate is seldom fully open or closed, on the diagonal those that have only these two states. A unit at the right end
    of the forget gate's panel, or of the update gate's, always remembers: with our GRU, 1 keeps the old state.

    --json and --csv have the exact shares of every unit, with 95 % intervals for other text like this, and numbers of
    characters. The recording must have gates; or a model reads a text now (--model and --text).

    Example:
        probe plot gates --model model.pt --text corpus.txt -o gates.png
    """
    subjects = one_recording(recording)
    picture.check_picture(_NAME, *source.inputs(subjects))
    with source.open(subjects) as [(_, session)], progress("counting") as report:
        from analyses.gate_saturation import gate_saturation

        saturation = gate_saturation(session, progress=report)
        made = provenance(session)
    rows: list[dict[str, TableCell]] = [{**row, **made} for row in saturation.rows()]
    picture.show(rows, _means(saturation))
    picture.write(rows)
    say(f"means of units, of {saturation.n_chars:,} characters; --json has every unit", quiet=picture.as_json)
    _draw(saturation, picture)


def _means(saturation: "GateSaturation") -> list[dict[str, TableCell]]:
    """Return a row for each gate of each layer, with means of its units."""
    return [
        {
            "gate": of_site.site.signal,
            "layer": of_site.site.layer,
            "units": len(of_site.left),
            "left": float(of_site.left.mean()),
            "right": float(of_site.right.mean()),
        }
        for of_site in saturation.sites
    ]


def _draw(saturation: "GateSaturation", picture: PictureOptions) -> None:
    from probe.plots import plot_gates

    names = ", ".join(gate.replace("_", " ") for gate in saturation.gates)
    picture.save(_NAME, plot_gates(saturation)[0], f"the saturation of {names}")
