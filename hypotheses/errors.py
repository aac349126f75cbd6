"""The errors that a user of the hypotheses can cause."""

import traceback
from collections.abc import Collection
from pathlib import Path


class HypothesisError(ValueError):
    """A hypothesis that is unknown, cannot be loaded, or gives labels that cannot be used."""


class UnusableError(HypothesisError):
    """What a function returned cannot be used as labels."""


def described(error: BaseException, files: Collection[str | None]) -> str:
    """Return what an error says, with the last line in these files through which it went."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
    where = f" in line {frames[-1].lineno} of {Path(frames[-1].filename).name}" if frames else ""
    return f"{type(error).__name__}{where}: {error}"
