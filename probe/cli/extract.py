"""`probe extract`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from probe.cli.options import (
    DeviceOption,
    DtypeOption,
    EncodingOption,
    EveryOption,
    FactoryOption,
    JsonOption,
    LanesOption,
    NewlinesOption,
    PrecisionOption,
    RangeOption,
    ReplaceOption,
    SitesOption,
    TextsArgument,
    WarmUpOption,
)
from probe.cli.show import Cell, progress, say, show_rows, warn
from probe.cli.sources import Reading


def extract(
    model: Annotated[
        Path, Argument(help="A checkpoint that `probe train` or `probe import` wrote.", show_default=False)
    ],
    corpus: TextsArgument,
    output: Annotated[Path, Option("--output", "-o", help="Where the recording goes.")] = Path("activations.h5"),
    sites: SitesOption = None,
    part: RangeOption = None,
    every: EveryOption = 1,
    lanes: LanesOption = None,
    warm_up: WarmUpOption = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "float32",
    dtype: DtypeOption = "auto",
    model_factory: FactoryOption = None,
    force: Annotated[
        bool, Option("--force", help="Record also a text that the model predicts worse than letter counts would.")
    ] = False,
    encoding: EncodingOption = "utf-8",
    newlines: NewlinesOption = "keep",
    replace_unknown: ReplaceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Let a model read a text once, and record its activations at every character.

    A run that is stopped goes on where it was when the same command is given again.

    Example:
        probe extract model.pt corpus.txt
    """
    from activations.blocks import select_sites
    from activations.extraction import extract as record
    from activations.files import check_output

    check_output(output, model, *corpus)
    live = Reading(
        model=model,
        texts=corpus,
        encoding=encoding,
        newlines=newlines,
        lanes=lanes,
        replace_unknown=replace_unknown,
        warm_up=warm_up,
        part=part,
        every=every,
        device=device,
        precision=precision,
        dtype=dtype,
        factory=model_factory,
    ).live()
    with progress("reading") as report:
        result = record(live, output, sites=select_sites(live.sites, sites), force=force, progress=report)
    if result.warning:
        warn(f"warning: {result.warning}")
    row: dict[str, Cell] = {
        "path": str(result.path),
        "n_chars": result.n_chars,
        "sites": [str(site) for site in result.sites],
        "nats_per_char": result.nats_per_char,
        "chars_per_s": result.chars_per_s,
        "lane_difference": result.lane_difference,
        "unsettled": [str(unit) for unit in result.unsettled],
    }
    if as_json:
        show_rows([row], as_json=True)
    else:
        say(str(result))
        say("next: probe rank --hypothesis in_quotes" + ("" if output.name == "activations.h5" else f" {output}"))
