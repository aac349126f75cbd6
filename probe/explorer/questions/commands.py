"""What the page shows, as commands for the shell and as lines of Python that give the same numbers."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from analyses.errors import AnalysisError
from analyses.targets.predictions import PREFIX
from probe.explorer.questions.plain_values import Answer
from probe.explorer.questions.rankings.ranking import N_SHIFTS, N_SHOWN

_PLAIN_WORD = "abcdefghijklmnopqrstuvwxyz_./"  # with which words of a command begin that are no options


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What the page shows.

    Attributes:
        recordings: The recordings that are shown, the first of which is asked; all of the same text.
        unit: The unit that is asked.
        units: The units that colour the text, in their order.
        hypothesis: What is asked, as it is spelled; empty if nothing is.
        is_labelled: Whether its labels are shown over the text.
        loss: Whether the model's loss is shown.
        guesses: Whether the model's five best guesses are shown.
        span: The characters that are selected, or on the screen.
    """

    recordings: Sequence[Path]
    unit: str
    units: Sequence[str] = ()
    hypothesis: str = ""
    is_labelled: bool = False
    loss: bool = False
    guesses: bool = False
    span: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spelled(Answer):
    """A question that the page has answered, for the shell and for Python.

    Attributes:
        about: What it is about: `text`, `ranking` or `unit`.
        command: A line for the shell.
        python: Lines of Python.
    """

    about: str
    command: str
    python: str


def spelled(shown: Shown) -> list[Spelled]:
    """Return commands for what the page shows: the text, the unit, and the ranking if something is asked.

    Raises:
        AnalysisError: If the hypothesis has a character that no command can have.
    """
    commands = [_text(shown), _unit(shown)]
    if shown.hypothesis and not shown.hypothesis.startswith(PREFIX):
        commands.insert(0, _ranking(shown))
    return commands


def ablation_command(recording: Path, model: Path, hypothesis: str, unit: str) -> str:
    """Return the command that measures what a model loses without a unit, as a line for the shell."""
    words = ["ablate", *_hypothesis(hypothesis), _path(recording), "--units", unit, "--model", _path(model)]
    return _line(words)


def _ranking(shown: Shown) -> Spelled:
    words = ["rank", *_hypothesis(shown.hypothesis), _path(shown.recordings[0]), "--top", str(N_SHOWN)]
    lines = [
        "import probe",
        "",
        f"with probe.Session({_python_path(shown.recordings[0])}) as session:",
        f"    ranking = probe.rank(session, {shown.hypothesis!r}, shifts={N_SHIFTS}, n_intervals={N_SHOWN})",
        f"    for row in ranking.rows({N_SHOWN}):",
        "        print(row)",
    ]
    return Spelled(about="ranking", command=_line(words), python=_lines(lines))


def _unit(shown: Shown) -> Spelled:
    words = ["explain", shown.unit, _path(shown.recordings[0])]
    lines = ["import probe", "", f"print(probe.explain({_python_path(shown.recordings[0])}, {shown.unit!r}))"]
    return Spelled(about="unit", command=_line(words), python=_lines(lines))


def _text(shown: Shown) -> Spelled:
    start, stop = shown.span
    words = ["view", *map(_path, shown.recordings)]
    arguments = []
    if shown.units:
        words += [word for unit in shown.units for word in ("--unit", unit)]
        arguments.append(f"units={list(shown.units)!r}")
    if shown.is_labelled:
        words += _hypothesis(shown.hypothesis)
        arguments.append(f"hypotheses={shown.hypothesis!r}")
    for option, is_shown in (("loss", shown.loss), ("guesses", shown.guesses)):
        if is_shown:
            words.append(f"--{option}")
            arguments.append(f"{option}=True")
    words += ["--range", f"{start}:{stop}"]
    arguments.append(f"span=({start}, {stop})")
    lines = [
        "import probe",
        "",
        f"page = probe.view({', '.join([_sources(shown.recordings), *arguments])})",
        'page.save("view.html")',
    ]
    return Spelled(about="text", command=_line(words), python=_lines(lines))


def _hypothesis(spelled_name: str) -> list[str]:
    """Return the words that name a hypothesis, which may look like an option itself."""
    if spelled_name[0].lower() in _PLAIN_WORD:
        return ["-H", spelled_name]
    return [f"--hypothesis={spelled_name}"]


def _path(path: Path) -> str:
    """Return a path as a word of a command, which no option begins like, and no hypothesis is called."""
    return str(path) if path.is_absolute() else f"./{path}"


def _python_path(path: Path) -> str:
    return repr(str(path))


def _sources(recordings: Sequence[Path]) -> str:
    if len(recordings) == 1:
        return _python_path(recordings[0])
    names = [path.stem for path in recordings]
    if len(set(names)) < len(names):
        names = [str(path) for path in recordings]
    return f"{{{', '.join(f'{name!r}: {_python_path(path)}' for name, path in zip(names, recordings, strict=True))}}}"


def _line(words: Sequence[str]) -> str:
    return " ".join(map(_word, ["probe", *words]))


def _word(word: str) -> str:
    """Return a word as the shell takes it, without characters that a terminal obeys when it is pasted.

    Raises:
        AnalysisError: If no word of a command can have one of its characters.
    """
    if "\0" in word:
        raise AnalysisError("the character NUL cannot be in a command; leave it out of the hypothesis")
    if all(char.isprintable() or char == "\n" for char in word):
        return shlex.quote(word)
    return f"$'{''.join(map(_in_dollar_quotes, word))}'"


def _in_dollar_quotes(char: str) -> str:
    """Return a character as `$'…'` of bash and zsh has it."""
    if char in "'\\":
        return f"\\{char}"
    return char if char.isprintable() else "".join(f"\\x{byte:02x}" for byte in char.encode())


def _lines(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n"
