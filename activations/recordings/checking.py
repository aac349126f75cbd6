"""Checking a recording: is it whole and sound, and are its numbers numbers? Every byte of it is read."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from activations.errors import ActivationError
from activations.progress import Progress, no_progress
from activations.recordings.recording import Recording
from activations.results import Result, TableCell

_MOST_COMPLAINTS = 100


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Check(Result):
    """The result of checking a recording.

    Attributes:
        path: The file.
        complaints: One for each thing that is missing, wrong or damaged, up to a hundred; none if the file is sound.
        description: What the file says of itself, in a few words; empty if it could not be opened.
    """

    path: Path
    complaints: tuple[str, ...]
    description: str = ""

    @property
    def sound(self) -> bool:
        """Is there nothing wrong with it?"""
        return not self.complaints

    def row(self) -> dict[str, TableCell]:
        """Return the row that `probe check --json` prints."""
        return {"path": str(self.path), "sound": self.sound, "complaints": list(self.complaints)}

    def __str__(self) -> str:
        if self.sound:
            return f"{self.path} is sound: {self.description}"
        return "\n  ".join([f"{self.path} is not sound:", *self.complaints])


def check(path: Path | str, progress: Progress = no_progress) -> Check:
    """Read a recording from beginning to end, and report what is wrong with it.

    Args:
        path: A file that may be a recording.
        progress: Called with the blocks done and their number.
    """
    path = Path(path)
    try:
        with Recording(path) as recording:
            complaints = tuple(islice(recording.faults(progress), _MOST_COMPLAINTS))
            return Check(path=path, complaints=complaints, description=_description(recording))
    except ActivationError as error:
        return Check(path=path, complaints=(str(error),))


def _description(recording: Recording) -> str:
    n_rows = f"{recording.selection.n_chars:,} characters"
    if (tokens := recording.tokens) is not None:
        sizes = [f"{name} {n}" for name, n in (("window", tokens.window), ("stride", tokens.stride)) if n is not None]
        n_rows = ", ".join([f"{tokens.n_rows:,} tokens of {len(recording.corpus):,} characters", *sizes])
    n_rows += "" if recording.reading_rule.is_plain else f", read {recording.reading_rule}"
    codings = sorted({facts.coding.name for facts in recording.facts.values()})
    in_codings = f" in {' and '.join(codings)}" if codings else ""
    return f"{n_rows}, {len(recording.sites)} sites{in_codings}"
