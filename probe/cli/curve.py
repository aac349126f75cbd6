"""`probe curve`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from probe.cli.options import (
    EncodingOption,
    HypothesisOption,
    JsonOption,
    LagOption,
    LanesOption,
    LanguageOption,
    ModelOption,
    NewlinesOption,
    NoCacheOption,
    PenaltyOption,
    RecordingArgument,
    ReplaceOption,
    SitesOption,
    TextOption,
)
from probe.cli.show import progress, say, show_rows
from probe.cli.sources import ask, open_source


def curve(
    hypothesis: HypothesisOption,
    recording: RecordingArgument = Path("activations.h5"),
    output: Annotated[
        Path | None, Option("--output", "-o", help="A picture: .png, .svg or .pdf.", show_default=False)
    ] = None,
    most: Annotated[int, Option(min=1, help="Units at the end of the curve.")] = 64,
    sites: SitesOption = None,
    penalty: PenaltyOption = 1.0,
    model: ModelOption = None,
    text: TextOption = None,
    encoding: EncodingOption = "utf-8",
    newlines: NewlinesOption = "keep",
    lanes: LanesOption = None,
    replace_unknown: ReplaceOption = False,
    lag: LagOption = 0,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw an accuracy curve: probes of the best 1, 2, 4, … units. One unit, or many?

    The units are chosen on training stretches of the text, the probes judged on held-out ones.

    Example:
        probe curve --hypothesis in_quotes -o curve.png
    """
    from activations.blocks import select_sites
    from activations.files import check_output
    from analyses.curves import curve_over_units
    from probe.plots import check_picture, figure_of, plot_curve, save_figure

    if output is not None:
        check_picture(output)
        check_output(output, recording, *(text or []), *([model] if model else []))
    with open_source(
        recording, model, text, encoding=encoding, newlines=newlines, lanes=lanes, replace_unknown=replace_unknown
    ) as source:
        chosen = select_sites(source.sites, sites)
        with progress(f"a curve for {hypothesis}") as report:
            asked = ask(source, hypothesis, language, no_cache, lag)
            result = curve_over_units(source, asked, sites=chosen, most=most, penalty=penalty, progress=report)
    show_rows(result.rows(), as_json=as_json)
    if output is not None:
        save_figure(figure_of(plot_curve(result)), output)
        say(f"{output}: the curve as a picture", quiet=as_json)
