"""Say what made a row of results: program, command line, model, text and seed."""

import shlex
import sys
from typing import TYPE_CHECKING

from probe import __version__
from probe.cli.showing import TableCell

if TYPE_CHECKING:
    from activations.blocks import Source

PROVENANCE = ("seed", "made_by", "model_sha256", "text_sha256")


def command_line() -> str:
    """Return the command as it can be given again."""
    return shlex.join(["probe", *sys.argv[1:]])


def provenance(
    source: "Source | None" = None,
    *,
    model_sha256: str | None = None,
    text_sha256: str | None = None,
    seed: int | None = None,
) -> dict[str, TableCell]:
    """Return what made a row, under the keys `PROVENANCE`.

    Args:
        source: The activations that were analysed, which know the hashes of their model and text.
        model_sha256: Hash of the model, without a source; None if there is none.
        text_sha256: Hash of the text, likewise.
        seed: The seed of what was drawn; None if nothing was.
    """
    if source is not None:
        model_sha256, text_sha256 = source.model_sha256 or None, source.corpus.sha256
    made_by = f"char-probe {__version__}: {command_line()}"
    return dict(zip(PROVENANCE, (seed, made_by, model_sha256, text_sha256), strict=True))
