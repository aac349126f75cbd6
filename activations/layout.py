"""What stands where in a recording: names, versions and the grid of blocks. `docs/recording.md` is the whole of it.

A recording is an HDF5 file with the text, the model's vocabulary, a dataset of activations for each site, the
model's predictions, and a checksum for each block of each of these. Rows are characters.
"""

import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from activations.corpus import Document, end_of_run
from activations.selection import Selection
from activations.units import Site

FORMAT = "character activations"
VERSION = 2

LOG_PROB = "log_prob"
DISTRIBUTION = "log_distribution"
TOP_IDS = "top_ids"
TOP_LOG_PROBS = "top_log_probs"
MOST_WHOLE_DISTRIBUTION = 512
N_TOP = 5
JSON_ATTRIBUTES = ("range", "software", "contents", "model_config", "lane_differences")
_READ_BYTES = 1 << 22
WHOLE = ("text", "documents/start", "documents/name", "vocab")  # datasets with one checksum for all of it


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
    """Where the checksums of a dataset stand, (n_blocks,) XXH3-64 of its rows in little-endian order."""
    return f"/checksums{path}"


def lanes_path(site: Site, what: str) -> str:
    """Where stands how far the units of a site differed where lanes meet: `largest_difference` or `range`."""
    return f"/lanes/{site}/{what}"


def prediction_fields(n_characters: int, *, whole: bool | None = None) -> dict[str, tuple[np.dtype[Any], int | None]]:
    """The number type and width of each kind of prediction; None is one number per character.

    Args:
        n_characters: Of the vocabulary.
        whole: Whether to have the probabilities of all of them, or of the best; None is what `probe extract` records.
    """
    if n_characters <= MOST_WHOLE_DISTRIBUTION if whole is None else whole:
        return {LOG_PROB: (np.dtype("<f4"), None), DISTRIBUTION: (np.dtype("<f2"), n_characters)}
    return {
        LOG_PROB: (np.dtype("<f4"), None),
        TOP_IDS: (np.dtype("<u4"), N_TOP),
        TOP_LOG_PROBS: (np.dtype("<f2"), N_TOP),
    }


class Grid:
    """The blocks that checksums stand for.

    The selected part of every document is cut from its start every `block_chars` characters; a piece of which no
    character is selected is no block.

    Attributes:
        starts: (n_blocks,) where in the corpus each begins.
        stops: (n_blocks,) one past its last character.
        documents: (n_blocks,) the document that it is part of.
        first_rows: (n_blocks,) its first row in a dataset.
        last_rows: (n_blocks,) one past its last row.
    """

    def __init__(self, documents: tuple[Document, ...], selection: Selection, block_chars: int) -> None:
        own_starts = np.array([document.start for document in documents], np.int64).clip(
            selection.start, selection.stop
        )
        own_stops = np.array([document.stop for document in documents], np.int64).clip(selection.start, selection.stop)
        n_each = -(-(own_stops - own_starts) // block_chars)
        of = np.repeat(np.arange(len(documents)), n_each)
        within = np.arange(len(of)) - np.repeat(np.cumsum(n_each) - n_each, n_each)
        self.starts: NDArray[np.int64] = own_starts[of] + within * block_chars
        self.stops: NDArray[np.int64] = np.minimum(self.starts + block_chars, own_stops[of])
        self.first_rows = selection.rows(self.starts)
        self.last_rows = selection.rows(self.stops)
        held = self.first_rows < self.last_rows
        self.documents = of[held]
        self.starts, self.stops = self.starts[held], self.stops[held]
        self.first_rows, self.last_rows = self.first_rows[held], self.last_rows[held]

    def __len__(self) -> int:
        return len(self.starts)

    def numbers(self, first_row: int, last_row: int) -> range:
        """The blocks that the rows from `first_row` up to `last_row` lie in."""
        first = int(np.searchsorted(self.first_rows, first_row, side="right")) - 1
        return range(first, int(np.searchsorted(self.first_rows, last_row)))

    def runs(self, most_chars: int) -> Iterator[range]:
        """All the blocks in order, several at a time, with at most so many rows or one block.

        They are of one document, or, where many would fit, several documents as a whole.
        """
        ends = np.flatnonzero(np.diff(self.documents, append=-1)) + 1  # one past the last block of each document
        first = 0
        while first < len(self):
            fitting = int(np.searchsorted(self.last_rows, self.first_rows[first] + most_chars, side="right"))
            last = end_of_run(ends, first, max(first + 1, fitting))
            yield range(first, last)
            first = last


def checksums(rows: NDArray[Any], lengths: NDArray[np.int64]) -> list[int]:
    """XXH3-64 of each of some runs of rows of a dataset.

    Args:
        rows: (n_rows, ...) all of them, one run after another.
        lengths: (n_runs,) how many rows each has.
    """
    content = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
    ends = (np.cumsum(lengths) * (len(content) // max(1, len(rows)))).tolist()
    return [xxhash.xxh3_64_intdigest(content[start:stop]) for start, stop in pairwise([0, *ends])]


def checksum(rows: NDArray[Any]) -> int:
    """XXH3-64 of rows of a dataset."""
    return checksums(rows, np.array([len(rows)]))[0]


def checksum_of(dataset: Any) -> int:
    """XXH3-64 of the rows of a dataset, which are read some at a time."""
    digest = xxhash.xxh3_64()
    for rows in rows_of(dataset):
        digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
    return int(digest.intdigest())


def rows_of(dataset: Any) -> Iterator[NDArray[Any]]:
    """The rows of a dataset, as many at a time as a few megabytes hold."""
    n_rows = max(1, _READ_BYTES * len(dataset) // max(1, dataset.nbytes))
    for start in range(0, len(dataset), n_rows):
        yield dataset[start : start + n_rows]


def contents(file: Mapping[str, Any]) -> dict[str, Any]:
    """The number type and shape of every dataset of a file but the checksums, by path."""
    found = {}

    def visit(name: str, each: Any) -> None:
        if hasattr(each, "dtype") and not name.startswith("checksums/"):
            found[f"/{name}"] = [each.dtype.str, list(each.shape)]

    file.visititems(visit)  # type: ignore[attr-defined]
    return found


def attributes_checksum(attrs: Mapping[str, Any]) -> str:
    """XXH3-64, in hexadecimal, of the attributes of a file but two, as JSON with sorted keys."""
    facts = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in attrs.items()
        if name not in ("complete", "attributes_checksum")
    }
    return str(xxhash.xxh3_64_hexdigest(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")))
