"""Arguments that name hypotheses and recordings, and how they are distinguished."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from typer import BadParameter

from probe.cli.defaults import DEFAULT_RECORDING
from probe.cli.showing import inform

_NAME_OR_PATH = re.compile(r"[\w./\\-]+")  # what may be a misspelled name or a path, and runs no file of the user's


class Subjects(NamedTuple):
    """The hypotheses and recordings that a command is about.

    Attributes:
        hypotheses: As they are spelled, each once.
        recordings: Their paths; empty if none is named.
    """

    hypotheses: list[str]
    recordings: list[Path]

    def say_default(self) -> None:
        """Say on standard error that the default recording is read, if none is named and there is one."""
        if not self.recordings and DEFAULT_RECORDING.is_file():
            say_default_recording()

    @property
    def paths(self) -> list[Path]:
        """The recordings that are named, or else the default one."""
        return self.recordings or [DEFAULT_RECORDING]


def tell_apart(words: Iterable[str] | None, hypotheses: Iterable[str] | None) -> Subjects:
    """Tell recordings (existing files, and names ending in .h5) and hypotheses (all others) apart.

    Args:
        words: The arguments of a command, in any order.
        hypotheses: Those given with `--hypothesis`.

    Raises:
        BadParameter: If a word is both a hypothesis and a file.
        HypothesisError: If a word is neither; the message says what to do in either case.
    """
    recordings, named = [], []
    for word in words or ():
        if _is_recording(word):
            recordings.append(Path(word))
        else:
            _check_name(word)
            named.append(word)
    return Subjects(list(dict.fromkeys([*named, *(hypotheses or ())])), recordings)


def say_default_recording() -> None:
    """Say which recording is read where none is named."""
    inform(f"reading {DEFAULT_RECORDING} in this folder, since no recording is named")


def one_recording(path: str | None) -> Subjects:
    """Return the subjects of a command that is about one recording, and about no hypothesis."""
    return Subjects([], [] if path is None else [Path(path)])


def _is_recording(word: str) -> bool:
    from hypotheses.user_files import is_file

    if word.endswith(".py"):  # a file of hypotheses, of which one is to be named
        return False
    if not is_file(Path(word)) or _has_labels(word):
        return word.endswith(".h5") and not _is_registered(word)
    if _is_registered(word):
        raise BadParameter(
            f"{word!r} is a hypothesis and also a file here; write ./{word} for the file, or --hypothesis {word} for "
            "the hypothesis"
        )
    return True


def _has_labels(word: str) -> bool:
    """Tell whether the name of a file says that it is a table, which may have labels in it, and is no recording."""
    from hypotheses.label_files.documents import SUFFIXES

    return Path(word).suffix.lower() in SUFFIXES


def _is_registered(word: str) -> bool:
    """Tell whether a word begins with the name of a hypothesis, with or without parameters."""
    from hypotheses.registry import registered

    return word.partition(":")[0] in registered()


def _check_name(word: str) -> None:
    """Refuse what can be neither a hypothesis nor a recording."""
    from hypotheses.errors import HypothesisError
    from hypotheses.registry import get

    if not _NAME_OR_PATH.fullmatch(word) or _is_registered(word) or word.endswith(".py"):
        return
    try:
        get(word)
    except HypothesisError as error:
        if _has_labels(word):
            raise
        joint = " " if str(error).endswith("?") else "; "
        raise HypothesisError(
            f"{error}{joint}if a recording is meant: there is no file {word}; check its path, or end its name in .h5"
        ) from error
