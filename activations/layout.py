"""What stands where in a recording: names, versions and the grid of blocks.

A recording is an HDF5 file with the text, the model's vocabulary, a dataset of activations for each site, the
model's predictions, and a checksum for each block of each of these. Rows are characters.
"""

import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.corpus import Document
from activations.units import Site

FORMAT = "character activations"
VERSION = 1

LOG_PROB = "log_prob"
DISTRIBUTION = "log_distribution"
TOP_IDS = "top_ids"
TOP_LOG_PROBS = "top_log_probs"
MOST_WHOLE_DISTRIBUTION = 512
N_TOP = 5


def site_path(site: Site) -> str:
    """Where the activations of a site stand, (n_chars, n_units)."""
    return f"/layers/{site}"


def prediction_path(name: str) -> str:
    """Where the predictions of one kind stand, (n_chars, ...).

    `log_prob`: log probability, in nats, of the true next character; NaN at the end of a document.
    `log_distribution`: the same of every character of the vocabulary, in float16, if it has up to 512.
    `top_ids`, `top_log_probs`: the five most probable characters, for larger vocabularies.
    """
    return f"/prediction/{name}"


def checksum_path(path: str) -> str:
    """Where the checksums of a dataset stand, (n_blocks,) CRC-32 of its rows in little-endian order."""
    return f"/checksums{path}"


def prediction_fields(n_characters: int) -> dict[str, tuple[np.dtype[Any], int | None]]:
    """The number type and width of each kind of prediction; None is one number per character."""
    if n_characters <= MOST_WHOLE_DISTRIBUTION:
        return {LOG_PROB: (np.dtype("<f4"), None), DISTRIBUTION: (np.dtype("<f2"), n_characters)}
    return {
        LOG_PROB: (np.dtype("<f4"), None),
        TOP_IDS: (np.dtype("<u4"), N_TOP),
        TOP_LOG_PROBS: (np.dtype("<f2"), N_TOP),
    }


class Grid:
    """The blocks that checksums stand for: every document cut from its start every `block_chars` characters.

    Attributes:
        starts: (n_blocks,) place of each block's first character in the corpus.
        stops: (n_blocks,) one past its last.
        documents: (n_blocks,) the document that it is part of.
    """

    def __init__(self, documents: tuple[Document, ...], block_chars: int) -> None:
        starts = [np.arange(document.start, document.stop, block_chars) for document in documents]
        self.starts: NDArray[np.int64] = np.concatenate(starts)
        self.documents = np.repeat(np.arange(len(documents)), [len(own) for own in starts])
        ends = np.array([document.stop for document in documents])
        self.stops: NDArray[np.int64] = np.minimum(self.starts + block_chars, ends[self.documents])

    def __len__(self) -> int:
        return len(self.starts)

    def index(self, start: int) -> int:
        """Which block begins at this character."""
        return int(np.searchsorted(self.starts, start))


def checksum(rows: NDArray[Any]) -> int:
    """CRC-32 of rows of a dataset."""
    return zlib.crc32(np.ascontiguousarray(rows).data.cast("B"))
