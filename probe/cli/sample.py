"""`probe sample`."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text
from typer import Argument, Option

from probe.cli.options import (
    DeviceOption,
    DrawsSeedOption,
    EncodingOption,
    FactoryOption,
    JsonOption,
    TemperatureOption,
    TopKOption,
    unescaped,
)
from probe.cli.reading import load_or_build
from probe.cli.show import SIGNS, progress, say, visible

if TYPE_CHECKING:
    from activations.models.sampling import Guess, Written

    Column = tuple[str, list[Guess]]  # a character, and the guesses that stand below it

_N_GUESSES = 5
_IN_TEXT = SIGNS | {"\n": "\n", "\t": "\t"}
_AS_GUESS = SIGNS | {" ": "␣"}
_STYLES = ((0.5, "bold green"), (0.2, "green"), (0.05, "yellow"), (0.0, "dim"))  # from this probability up
_WIDEST_SAMPLE = 38  # two stand side by side in 80 columns
_GAP = 3
_REPORT_EVERY = 100  # characters


def sample(
    model: Annotated[
        Path, Argument(help="A checkpoint that `probe train` or `probe import` wrote.", show_default=False)
    ],
    prompt: Annotated[
        str | None,
        Option(
            help="What the model reads first; \\n is a line's end, which it reads by default if it knows it.",
            show_default=False,
        ),
    ] = None,
    temperature: TemperatureOption = 1.0,
    top_k: TopKOption = None,
    length: Annotated[int, Option(help="Characters to write beside the prompt.", min=1)] = 500,
    samples: Annotated[int, Option(help="How many texts to write, side by side.", min=1)] = 1,
    seed: DrawsSeedOption = 0,
    device: DeviceOption = "cpu",
    model_factory: FactoryOption = None,
    alternatives: Annotated[
        bool, Option("--alternatives", help="Show below each character the 5 that the model found most probable there.")
    ] = False,
    novelty: Annotated[
        list[Path] | None,
        Option(help="Tell how many of the lines and words are not in this text; may be repeated.", show_default=False),
    ] = None,
    encoding: EncodingOption = "utf-8",
    as_json: JsonOption = False,
) -> None:
    """Let a model write.

    Tokens that are no characters, such as <sos>, are shown, and written in a prompt, by their names. A model that reads
    backwards goes on in front of the prompt.

    In JSON, `text` begins with the prompt, and `alternatives` has a list for each of its characters (of a model of
    bytes: for each byte; backwards: the last first), empty for the prompt's.

    Example:
        probe sample model.pt --prompt "The " --temperature 0.5
    """
    from activations.models.sampling import novelty as novelty_of
    from activations.models.sampling import up_to, usual_prompt, with_prompt, write
    from activations.texts.reading_rule import rule_of
    from activations.texts.text_files import read_text_file
    from activations.texts.tokenising import prompt_text

    known = [read_text_file(path, encoding) for path in novelty or []]
    writer = load_or_build(model, model_factory)
    rule, vocabulary = rule_of(writer), writer.vocabulary
    prompted = usual_prompt(vocabulary, rule) if prompt is None else unescaped(prompt)
    steps = write(writer, samples, prompt=prompted, temperature=temperature, top_k=top_k, seed=seed, device=device)
    steps = up_to(steps, length, rule)
    begin = vocabulary.shown(prompt_text(prompted, rule, vocabulary))
    is_streamed = samples == 1 and not alternatives and not as_json and not rule.backwards and rule.read_as != "bytes"
    if is_streamed:
        texts = [_stream(steps, begin, lambda token: vocabulary.shown(rule.text_of(token, vocabulary)))]
    else:
        written, guesses = _collect(steps, samples, length, alternatives, lambda token: rule.shown(token, vocabulary))
        texts = [vocabulary.shown(with_prompt(prompted, own, length, writer)) for own in written]
    judged = [text.removesuffix(begin) if rule.backwards else text for text in texts]
    judged_prompt = "" if rule.backwards else begin
    if as_json:
        for n, text in enumerate(texts):
            row: dict[str, object] = {"sample": n + 1, "prompt": begin, "text": text}
            if known:
                row["novelty"] = asdict(novelty_of([judged[n]], known, prompt=judged_prompt))
            if alternatives:
                row["alternatives"] = [*([] for _ in begin), *guesses[n]]
            sys.stdout.write(json.dumps(row) + "\n")
        return
    if alternatives:
        shown = [[rule.shown(token, vocabulary) for token in own] for own in written]
        columns = [list(zip(own, below, strict=True)) for own, below in zip(shown, guesses, strict=True)]
        _show_alternatives([[*((char, []) for char in begin), *own] for own in columns])
    elif samples > 1:
        _show_columns(texts)
    elif not is_streamed:
        sys.stdout.write(visible(texts[0].removesuffix("\n"), _IN_TEXT) + "\n")
    if known:
        found = novelty_of(judged, known, prompt=judged_prompt)
        say(f"\n{found} (not in {', '.join(path.name for path in novelty or [])})")


def _stream(steps: Iterator["Written"], prompt: str, spelled: Callable[[str], str]) -> str:
    """Print a text while it is written; all of it."""
    text = prompt
    sys.stdout.write(visible(prompt, _IN_TEXT))
    try:
        for step in steps:
            own = spelled(step.characters)
            text += own
            sys.stdout.write(visible(own, _IN_TEXT))
            sys.stdout.flush()
    finally:  # also if it is stopped
        if not text.endswith("\n"):
            sys.stdout.write("\n")
    return text


def _collect(
    steps: Iterator["Written"], n_texts: int, length: int, with_guesses: bool, shown: Callable[[str], str]
) -> tuple[list[str], list[list[list["Guess"]]]]:
    """The tokens of each text, and for each token the guesses, as they are shown."""
    rows = []
    guesses: list[list[list[Guess]]] = [[] for _ in range(n_texts)]
    with progress("writing") as report:
        for n, step in enumerate(steps, start=1):
            rows.append(step.characters)
            if with_guesses:
                for own, guessed in zip(guesses, step.guesses(_N_GUESSES), strict=True):
                    own.append([guess._replace(character=shown(guess.character)) for guess in guessed])
            if n % _REPORT_EVERY == 0:
                report(n, length)
    return ["".join(tokens) for tokens in zip(*rows, strict=True)], guesses


def _show_columns(texts: Sequence[str]) -> None:
    """Print texts side by side, as many as there is room for, and the others below."""
    console = Console(highlight=False, soft_wrap=True)
    shown = [[f"sample {n}", *visible(text, _IN_TEXT).expandtabs(4).split("\n")] for n, text in enumerate(texts, 1)]
    longest = max(cell_len(line) for lines in shown for line in lines)
    n_columns = max(1, (console.width + _GAP) // (min(longest, _WIDEST_SAMPLE) + _GAP))
    width = min(longest, (console.width + _GAP) // min(n_columns, len(texts)) - _GAP)
    for start in range(0, len(texts), n_columns):
        if start > 0:
            console.print()
        folded = [
            [piece.plain for line in lines for piece in Text(line).wrap(console, width)]
            for lines in shown[start : start + n_columns]
        ]
        for row, pieces in enumerate(zip_longest(*folded, fillvalue="")):
            line = (" " * _GAP).join(set_cell_size(piece, width) for piece in pieces).rstrip()
            console.print(Text(line, style="" if row else "bold"))


def _show_alternatives(texts: Sequence[Sequence["Column"]]) -> None:
    """Print texts line by line, with the guesses below each token."""
    console = Console(highlight=False, soft_wrap=True)
    for n, columns in enumerate(texts, start=1):
        if len(texts) > 1:
            console.print(Text(f"sample {n}\n", style="bold"))
        ends = [place + 1 for place, (token, _) in enumerate(columns) if token == "\n"]
        for start, stop in pairwise(sorted({0, *ends, len(columns)})):
            line = ((visible(token, SIGNS), guesses) for token, guesses in columns[start:stop])
            for part in _folded(line, console.width):
                console.print(_with_guesses(part))
    console.print(Text("below each character the most probable ones, in their order; ␣ space, ↵ line's end, → tab"))


def _folded(columns: Iterator["Column"], width: int) -> Iterator[list["Column"]]:
    """Columns in parts that are not wider than `width`, or one column."""
    part: list[Column] = []
    used = 0
    for column in columns:
        if part and used + _width(column) > width:
            yield part
            part, used = [], 0
        part.append(column)
        used += _width(column)
    yield part


def _with_guesses(columns: Sequence["Column"]) -> Text:
    """A row of characters, and rows of guesses below it."""
    shown = Text()
    for column in columns:
        shown.append(set_cell_size(column[0], _width(column)), "bold")
    for row in range(max(len(guesses) for _, guesses in columns)):
        shown.append("\n")
        for column in columns:
            cell, style = "", ""
            if row < len(column[1]):
                guess = column[1][row]
                cell = visible(guess.character, _AS_GUESS)
                style = next(style for least, style in _STYLES if guess.probability >= least)
            shown.append(set_cell_size(cell, _width(column)), style)
    return shown.append("\n")


def _width(column: "Column") -> int:
    """In cells of the terminal: of some scripts' characters, each takes two."""
    character, guesses = column
    return max(1, cell_len(character), *(cell_len(guess.character) for guess in guesses))
