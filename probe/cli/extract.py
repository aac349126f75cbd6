"""`probe extract`."""

import re
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, BadParameter, Context, Option

from probe.cli.options import (
    DrawsSeedOption,
    JsonOption,
    MaybeTextsArgument,
    SitesOption,
    TemperatureOption,
    TopKOption,
    unescaped,
)
from probe.cli.reading import ReadingOptions, with_options
from probe.cli.show import Cell, progress, say, show_rows, warn

if TYPE_CHECKING:
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN
    from activations.texts.corpus import Corpus


@with_options
def extract(
    context: Context,
    model: Annotated[
        Path, Argument(help="A checkpoint that `probe train` or `probe import` wrote.", show_default=False)
    ],
    corpus: MaybeTextsArgument = None,
    output: Annotated[Path, Option("--output", "-o", help="Where the recording goes.")] = Path("activations.h5"),
    sites: SitesOption = None,
    generate: Annotated[
        str | None,
        Option(
            help="Instead of a corpus: texts that the model writes, such as 100x500, 100 of 500 characters.",
            show_default=False,
        ),
    ] = None,
    prompt: Annotated[
        str | None,
        Option(
            help="What each of these begins with; \\n is a line's end, with which they begin by default if the model "
            "knows it.",
            show_default=False,
        ),
    ] = None,
    temperature: TemperatureOption = 1.0,
    top_k: TopKOption = None,
    seed: DrawsSeedOption = 0,
    force: Annotated[
        bool, Option("--force", help="Record also a text that the model predicts worse than letter counts would.")
    ] = False,
    *,
    how_read: ReadingOptions,
    as_json: JsonOption = False,
) -> None:
    """Let a model read a text once, and record its activations at every character.

    A run that is stopped goes on where it was when the same command is given again. With --generate, the model reads
    what it writes itself, a document each.

    Example:
        probe extract model.pt corpus.txt
    """
    from activations.files import check_output
    from activations.reading.extraction import extract as record
    from activations.site_names import select_sites

    if (generate is None) == (not corpus):
        raise BadParameter("name a text, or ask for texts that the model writes with --generate")
    if generate is None:
        for name in ("prompt", "temperature", "top_k", "seed"):
            source = context.get_parameter_source(name)
            if source is not None and source.name != "DEFAULT":
                option = f"--{name.replace('_', '-')}"
                raise BadParameter(f"{option} is about texts that the model writes: it goes with --generate")
    check_output(output, model, *(corpus or []), *how_read.files)
    text: list[Path] | Corpus = corpus or []
    if generate is not None:
        draws = {"temperature": temperature, "top_k": top_k, "seed": seed, "device": how_read.device}
        text = _written(how_read.load_model(model), generate, prompt, **draws)
    live = how_read.live(model, text)
    with progress("reading") as report:
        result = record(
            live,
            output,
            sites=select_sites(live.sites, sites),
            force=force,
            command=shlex.join(["probe", *sys.argv[1:]]),
            progress=report,
        )
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
        "saturated": [str(site) for site in result.saturated],
    }
    if as_json:
        show_rows([row], as_json=True)
    else:
        say(str(result))
        say("next: probe rank --hypothesis in_quotes" + ("" if output.name == "activations.h5" else f" {output}"))


def _written(model: "CharRNN | CharModel", generate: str, prompt: str | None, **draws: Any) -> "Corpus":
    """What the model writes: so many texts of so many characters; for the draws see `sampling.write`."""
    from activations.errors import ActivationError
    from activations.models.sampling import usual_prompt, write_texts
    from activations.texts.corpus import Corpus
    from activations.texts.reading_rule import rule_of

    sizes = re.fullmatch(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9})\s*", generate)
    if sizes is None:
        raise ActivationError(f"{generate!r} is no number of texts and characters; write them such as 100x500")
    n_texts, n_chars = map(int, sizes.groups())
    begin = usual_prompt(model.vocabulary, rule_of(model)) if prompt is None else unescaped(prompt)
    return Corpus.from_texts(write_texts(model, n_texts, n_chars, prompt=begin, **draws))
