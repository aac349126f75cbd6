"""`probe sample`."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice, zip_longest
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
    JsonOption,
    TemperatureOption,
    TopKOption,
    unescaped,
)
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

    In JSON, `text` begins with the prompt, and `alternatives` has a list for each of its characters, empty for the
    prompt's.

    Example:
        probe sample model.pt --prompt "The " --temperature 0.5
    """
    from activations.corpus import read_text
    from activations.models.checkpoints import load_model
    from activations.models.sampling import novelty as novelty_of
    from activations.models.sampling import usual_prompt, write

    known = [read_text(path, encoding) for path in novelty or []]
    writer = load_model(model)
    begin = usual_prompt(writer.vocabulary) if prompt is None else unescaped(prompt)
    steps = write(writer, samples, prompt=begin, temperature=temperature, top_k=top_k, seed=seed, device=device)
    steps = islice(steps, length)
    if samples == 1 and not alternatives and not as_json:
        texts = [_stream(steps, begin)]
    else:
        texts, guesses = _collect(steps, begin, samples, length, alternatives)
    if as_json:
        for n, text in enumerate(texts):
            row: dict[str, object] = {"sample": n + 1, "prompt": begin, "text": text}
            if known:
                row["novelty"] = asdict(novelty_of([text], known, prompt=begin))
            if alternatives:
                row["alternatives"] = guesses[n]
            sys.stdout.write(json.dumps(row) + "\n")
        return
    if alternatives:
        _show_alternatives(texts, guesses)
    elif samples > 1:
        _show_columns(texts)
    if known:
        found = novelty_of(texts, known, prompt=begin)
        say(f"\n{found} (not in {', '.join(path.name for path in novelty or [])})")


def _stream(steps: Iterator["Written"], prompt: str) -> str:
    """Print a text while it is written; all of it."""
    text = prompt
    sys.stdout.write(visible(prompt, _IN_TEXT))
    try:
        for step in steps:
            text += step.characters
            sys.stdout.write(visible(step.characters, _IN_TEXT))
            sys.stdout.flush()
    finally:  # also if it is stopped
        if not text.endswith("\n"):
            sys.stdout.write("\n")
    return text


def _collect(
    steps: Iterator["Written"], prompt: str, n_texts: int, length: int, with_guesses: bool
) -> tuple[list[str], list[list[list["Guess"]]]]:
    """The texts, and for each of their characters the guesses, none for the prompt."""
    rows = []
    guesses: list[list[list[Guess]]] = [[[] for _ in prompt] for _ in range(n_texts)]
    with progress("writing") as report:
        for n, step in enumerate(steps, start=1):
            rows.append(step.characters)
            if with_guesses:
                for own, guessed in zip(guesses, step.guesses(_N_GUESSES), strict=True):
                    own.append(guessed)
            if n % _REPORT_EVERY == 0:
                report(n, length)
    return [prompt + "".join(text) for text in zip(*rows, strict=True)], guesses


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


def _show_alternatives(texts: Sequence[str], guesses: Sequence[Sequence[list["Guess"]]]) -> None:
    """Print texts line by line, with the guesses below each character."""
    console = Console(highlight=False, soft_wrap=True)
    for n, (text, below) in enumerate(zip(texts, guesses, strict=True), start=1):
        if len(texts) > 1:
            console.print(Text(f"sample {n}\n", style="bold"))
        for line in re.finditer(r".*\n|.+", text):
            columns = zip(visible(line[0], SIGNS), below[line.start() : line.end()], strict=True)
            for part in _folded(columns, console.width):
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
