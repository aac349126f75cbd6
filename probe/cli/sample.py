"""The command `probe sample`, which samples texts from a model."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Option

from probe.cli.option_groups import with_options
from probe.cli.options import (
    DeviceOption,
    EncodingOption,
    FactoryOption,
    JsonOption,
    ModelArgument,
    SeedOption,
    TemperatureOption,
    TopKOption,
    unescaped,
)
from probe.cli.provenance import provenance
from probe.cli.reading import load_or_build
from probe.cli.sample_layout import IN_TEXT, show_alternatives, show_columns
from probe.cli.showing import progress, say, visible

if TYPE_CHECKING:
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN
    from activations.models.sampling import Guess, Novelty, SampledTokens

_N_GUESSES = 5
_REPORT_EVERY = 100  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleOptions:
    """Options of which texts a model writes, and how they are shown."""

    prompt: Annotated[
        str | None,
        Option(
            help="What the model reads first; \\n is a line feed, which it reads by default if it knows it.",
            show_default=False,
        ),
    ] = None
    temperature: TemperatureOption = 1.0
    top_k: TopKOption = None
    length: Annotated[int, Option(help="Characters to write after the prompt.", min=1)] = 500
    samples: Annotated[int, Option(help="How many texts to write, side by side.", min=1)] = 1
    seed: SeedOption = 0
    alternatives: Annotated[
        bool,
        Option("--alternatives", help="Show below each character the 5 that the model found most probable there."),
    ] = False
    novelty: Annotated[
        list[Path] | None,
        Option(
            help="Say how many of the lines and words do not occur in this text; may be repeated.", show_default=False
        ),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Samples:
    """The texts that a model wrote.

    Attributes:
        prompt: What they begin with.
        texts: Each with its prompt.
        tokens: The tokens of each, without the prompt; empty if it was printed while it was written.
        guesses: For each token of each text what was most probable; empty unless that is shown.
        is_backwards: Whether the model writes from the end of the text to its start.
    """

    prompt: str
    texts: list[str]
    tokens: list[list[str]]
    guesses: "list[list[list[Guess]]]"
    is_backwards: bool

    def novelty(self, known: Sequence[str], texts: Sequence[str]) -> "Novelty":
        """Count the lines and words of some of the texts that do not occur in known ones, without the prompt's."""
        from activations.models.sampling import novelty

        if self.is_backwards:
            return novelty([text.removesuffix(self.prompt) for text in texts], known, prompt="")
        return novelty(texts, known, prompt=self.prompt)


@with_options
def sample(
    model: ModelArgument,
    *,
    options: SampleOptions,
    device: DeviceOption = "cpu",
    model_factory: FactoryOption = None,
    encoding: EncodingOption = "utf-8",
    as_json: JsonOption = False,
) -> None:
    """Let a model write text from a prompt.

    Tokens that are not characters, such as <sos>, are shown, and written in a prompt, by their names. A model that
    reads backwards writes what comes before the prompt. To see what it writes with a unit held at a value: `probe
    steer --hold`.

    In JSON, `text` begins with the prompt, and `alternatives` has a list for each of its characters (of a model of
    bytes: for each byte; backwards: the last first), empty for the prompt's.

    Example:
        probe sample model.pt --prompt "The " --temperature 0.5
    """
    from activations.models.identity import sha256
    from activations.texts.text_files import read_text_file

    known = [read_text_file(path, encoding) for path in options.novelty or []]
    writer = load_or_build(model, model_factory)
    samples, is_shown = _write(writer, options, device, as_json=as_json)
    if as_json:
        is_drawn = options.temperature > 0 and options.top_k != 1
        made = provenance(model_sha256=sha256(writer), seed=options.seed if is_drawn else None)
        for number, text in enumerate(samples.texts):
            row: dict[str, object] = {"sample": number + 1, "prompt": samples.prompt, "text": text}
            if known:
                row["novelty"] = asdict(samples.novelty(known, [text]))
            if options.alternatives:
                row["alternatives"] = [*([] for _ in samples.prompt), *samples.guesses[number]]
            sys.stdout.write(json.dumps(row | made) + "\n")
        return
    if not is_shown:
        _show(samples, with_alternatives=options.alternatives)
    if known:
        novelty = samples.novelty(known, samples.texts)
        say(f"\n{novelty} (not in {', '.join(path.name for path in options.novelty or [])})")


def _write(
    writer: "CharRNN | CharModel", options: SampleOptions, device: str, *, as_json: bool
) -> tuple[Samples, bool]:
    """Let a model write; return whether the text was shown while it was written."""
    from activations.models.sampling import default_prompt, take_chars, with_prompt, write
    from activations.texts.reading_rule import rule_of
    from activations.texts.tokenising import prompt_text

    rule, vocabulary = rule_of(writer), writer.vocabulary
    prompt = default_prompt(vocabulary, rule) if options.prompt is None else unescaped(options.prompt)
    steps = write(
        writer,
        options.samples,
        prompt=prompt,
        temperature=options.temperature,
        top_k=options.top_k,
        seed=options.seed,
        device=device,
    )
    steps = take_chars(steps, options.length, rule)
    shown_prompt = vocabulary.shown(prompt_text(prompt, rule, vocabulary))
    is_one_text = options.samples == 1 and not options.alternatives and not as_json
    if is_one_text and not rule.backwards and rule.read_as != "bytes":
        text = _stream(steps, shown_prompt, lambda token: vocabulary.shown(rule.text_of(token, vocabulary)))
        samples = Samples(prompt=shown_prompt, texts=[text], tokens=[], guesses=[], is_backwards=False)
        return samples, True
    tokens, guesses = _collect(steps, options, lambda token: rule.shown(token, vocabulary))
    samples = Samples(
        prompt=shown_prompt,
        texts=[vocabulary.shown(with_prompt(prompt, of_text, options.length, writer)) for of_text in tokens],
        tokens=[[rule.shown(token, vocabulary) for token in of_text] for of_text in tokens],
        guesses=guesses,
        is_backwards=rule.backwards,
    )
    return samples, False


def _stream(steps: Iterator["SampledTokens"], prompt: str, spelled: Callable[[str], str]) -> str:
    """Print a text while it is written, and return all of it."""
    text = prompt
    sys.stdout.write(visible(prompt, IN_TEXT))
    try:
        for step in steps:
            written = spelled(step.characters)
            text += written
            sys.stdout.write(visible(written, IN_TEXT))
            sys.stdout.flush()
    finally:  # also if it is stopped
        if not text.endswith("\n"):
            sys.stdout.write("\n")
    return text


def _collect(
    steps: Iterator["SampledTokens"], options: SampleOptions, shown: Callable[[str], str]
) -> tuple[list[str], list[list[list["Guess"]]]]:
    """Return the tokens of each text, and the guesses at each token, as they are shown."""
    rows = []
    guesses: list[list[list[Guess]]] = [[] for _ in range(options.samples)]
    with progress("writing") as report:
        for n_done, step in enumerate(steps, start=1):
            rows.append(step.characters)
            if options.alternatives:
                for of_text, guessed in zip(guesses, step.guesses(_N_GUESSES), strict=True):
                    of_text.append([guess._replace(character=shown(guess.character)) for guess in guessed])
            if n_done % _REPORT_EVERY == 0:
                report(n_done, options.length)
    return ["".join(tokens) for tokens in zip(*rows, strict=True)], guesses


def _show(samples: Samples, *, with_alternatives: bool) -> None:
    """Print texts that have been written: with alternatives, side by side, or the only one."""
    if with_alternatives:
        prompt: list[tuple[str, list[Guess]]] = [(character, []) for character in samples.prompt]
        columns = [
            list(zip(tokens, guesses, strict=True))
            for tokens, guesses in zip(samples.tokens, samples.guesses, strict=True)
        ]
        show_alternatives([[*prompt, *of_text] for of_text in columns])
    elif len(samples.texts) > 1:
        show_columns(samples.texts)
    else:
        sys.stdout.write(visible(samples.texts[0].removesuffix("\n"), IN_TEXT) + "\n")
