"""The command `probe extract`, which records activations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Context, Option

from probe.cli.defaults import DEFAULT_RECORDING
from probe.cli.option_groups import with_options
from probe.cli.options import (
    JsonOption,
    MaybeTextsArgument,
    ModelArgument,
    SeedOption,
    SitesOption,
    TemperatureOption,
    TopKOption,
    unescaped,
)
from probe.cli.provenance import command_line, provenance
from probe.cli.reading import ReadingOptions, say_what_is_not_kept
from probe.cli.showing import in_bytes, inform, progress, say, show_rows, warn

if TYPE_CHECKING:
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN
    from activations.reading.live import LiveActivations
    from activations.texts.corpus import Corpus
    from activations.units import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingOptions:
    """Texts that the model writes itself, to be read in place of a corpus."""

    generate: Annotated[
        str | None,
        Option(
            help="Instead of a corpus: texts that the model writes, such as 100x500, 100 of 500 characters.",
            show_default=False,
        ),
    ] = None
    prompt: Annotated[
        str | None,
        Option(
            help="What each of these texts begins with; \\n is a line feed, with which they begin by default if the "
            "model knows it.",
            show_default=False,
        ),
    ] = None
    temperature: TemperatureOption = 1.0
    top_k: TopKOption = None
    seed: SeedOption = 0

    def check(self, corpus: Sequence[Path] | None, context: Context) -> None:
        """Refuse both a corpus and `--generate`, or neither, and options of writing without `--generate`."""
        if (self.generate is None) == (not corpus):
            raise BadParameter("name a text, or ask for texts that the model writes with --generate")
        if self.generate is not None:
            return
        for name in ("prompt", "temperature", "top_k", "seed"):
            source = context.get_parameter_source(name)
            if source is not None and source.name != "DEFAULT":
                option = f"--{name.replace('_', '-')}"
                raise BadParameter(f"{option} is for texts that the model writes: it goes with --generate")

    def write(self, model: "CharRNN | CharModel", device: str) -> "Corpus":
        """Let the model write texts, in the number and of the length that `--generate` gives.

        Raises:
            ActivationError: If that cannot be understood.
        """
        from activations.errors import ActivationError
        from activations.models.sampling import default_prompt, write_texts
        from activations.texts.corpus import Corpus
        from activations.texts.reading_rule import rule_of

        sizes = re.fullmatch(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9})\s*", self.generate or "")
        if sizes is None:
            raise ActivationError(f"{self.generate!r} is no number of texts and characters; write them such as 100x500")
        n_texts, n_chars = map(int, sizes.groups())
        texts = write_texts(
            model,
            n_texts,
            n_chars,
            prompt=default_prompt(model.vocabulary, rule_of(model)) if self.prompt is None else unescaped(self.prompt),
            temperature=self.temperature,
            top_k=self.top_k,
            seed=self.seed,
            device=device,
        )
        return Corpus.from_texts(texts)


@with_options
def extract(
    context: Context,
    model: ModelArgument,
    corpus: MaybeTextsArgument = None,
    output: Annotated[Path, Option("--output", "-o", help="Where the recording goes.")] = DEFAULT_RECORDING,
    sites: SitesOption = None,
    force: Annotated[
        bool, Option("--force", help="Record also a text that the model predicts worse than letter counts would.")
    ] = False,
    *,
    writing: WritingOptions,
    reading: ReadingOptions,
    as_json: JsonOption = False,
) -> None:
    """Let a model read a text once, and record its activations at every character.

    An extraction that was stopped continues when the same command is given again. With --generate, the model reads what
    it writes itself, each text a document.

    The text is read in lanes, side by side. Where one ends, the next has been reading for the length of the warm-up, so
    that the state is known twice: "where lanes meet" is how far the two differ, in the values of the units. Units that
    differ by more than 1 % of their range are named; --lanes 1 is one exact reading, without lanes.

    Example:
        probe extract model.pt corpus.txt
    """
    from activations.files import check_output
    from activations.reading.extraction import extract as record
    from activations.site_names import select_sites

    writing.check(corpus, context)
    check_output(output, model, *(corpus or []), *reading.files)
    text: list[Path] | Corpus = corpus or []
    if writing.generate is not None:
        text = writing.write(reading.load_model(model), reading.device)
    say_what_is_not_kept(corpus, "an extraction")
    live = reading.live(model, text)
    chosen = select_sites(live.sites, sites)
    _say_size(live, chosen, output)
    with progress("reading") as report:
        result = record(
            live,
            output,
            sites=chosen,
            force=force,
            command=command_line(),
            progress=report,
        )
    if result.warning:
        warn(f"warning: {result.warning}")
    if as_json:
        seed = None if writing.generate is None else writing.seed
        show_rows([dict(result.row()) | provenance(live, seed=seed)], as_json=True)
    else:
        say(str(result))
        say("next: probe rank in_quotes" + ("" if output == DEFAULT_RECORDING else f" {output}"))


def _say_size(live: "LiveActivations", sites: "Sequence[Site]", path: Path) -> None:
    """Say on standard error how large the recording will be, and whether its disk has room for it."""
    import shutil

    from activations.reading.extraction import recording_bytes

    size = recording_bytes(live, sites)
    part = path.with_name(f"{path.name}.part")
    room = shutil.disk_usage(path.absolute().parent).free + (part.stat().st_size if part.is_file() else 0)
    sentence = f"{path} will take {in_bytes(size)}"
    if size > room:
        warn(f"{sentence}; its disk has {in_bytes(room)} free: choose --sites or --range, or another disk with -o")
    else:
        inform(sentence)
