"""Writing a recording: laid out first, filled block by block, checksummed, and only then given its name."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from activations import layout
from activations.blocks import Block
from activations.corpus import Corpus, text_to_codes
from activations.files import replacing
from activations.lanes import BLOCK_CHARS
from activations.units import Site
from activations.vocab import Vocabulary


@contextmanager
def recording(
    path: Path,
    corpus: Corpus,
    vocabulary: Vocabulary,
    sites: Mapping[Site, tuple[int, np.dtype[Any]]],
    *,
    predictions: bool = True,
) -> Iterator["Recorder"]:
    """Write a recording; it appears when the `with` block ends, and nothing is left behind if that fails.

    Args:
        path: Where it will stand.
        corpus: The text.
        vocabulary: The characters of the model.
        sites: What will be written, with the number of units and the number type of each.
        predictions: Whether blocks will have the model's predictions, too.

    Raises:
        ActivationError: If the file cannot be written, or the disk has no room for it.
    """
    with replacing(path) as temporary, Recorder(temporary, corpus, vocabulary) as recorder:
        recorder.lay_out(sites, predictions=predictions)
        yield recorder
        recorder.finish()


class Recorder:
    """A recording that is being written.

    The whole file is laid out by HDF5 before the first block comes, its room on the disk is claimed, and HDF5
    closes it; the values then go straight to where they belong.
    """

    def __init__(self, path: Path, corpus: Corpus, vocabulary: Vocabulary) -> None:
        self._path = path
        self._corpus = corpus
        self._vocabulary = vocabulary
        self._grid = layout.Grid(corpus.documents, BLOCK_CHARS)
        self._written = np.zeros(len(self._grid), bool)
        self._columns: dict[str, tuple[np.dtype[Any], int | None]] = {}
        self._offsets: dict[str, int] = {}
        self._checksums: dict[str, NDArray[np.uint32]] = {}
        self._description: dict[str, Any] = {}
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode=0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._file)

    def lay_out(self, sites: Mapping[Site, tuple[int, np.dtype[Any]]], *, predictions: bool) -> None:
        """Give every dataset its place in the file, and claim the room."""
        self._columns = {
            layout.site_path(site): (dtype.newbyteorder("<"), n_units) for site, (n_units, dtype) in sites.items()
        }
        if predictions:
            fields = layout.prediction_fields(len(self._vocabulary))
            self._columns |= {layout.prediction_path(name): column for name, column in fields.items()}
        self._checksums = {path: np.zeros(len(self._grid), np.uint32) for path in self._columns}
        with h5py.File(self._path, "w") as file:
            file.attrs["format"] = layout.FORMAT
            file.attrs["format_version"] = layout.VERSION
            file.attrs["complete"] = False
            file["text"] = self._corpus.codes.astype("<u4", copy=False)
            file["documents/start"] = np.array([d.start for d in self._corpus.documents], "<i8")
            file["documents/name"] = [
                d.name.encode("utf-8", "backslashreplace").decode() for d in self._corpus.documents
            ]
            file["vocab"] = text_to_codes(self._vocabulary.characters).astype("<u4")
            for path, (dtype, width) in self._columns.items():
                shape = (len(self._corpus),) if width is None else (len(self._corpus), width)
                self._offsets[path] = _claim(file, path, shape, dtype)
        os.posix_fallocate(self._file, 0, os.fstat(self._file).st_size)

    def write(self, block: Block) -> None:
        """Put a block where it belongs. It must be one of the grid, and every one must come once."""
        number = self._grid.index(block.start)
        columns = {layout.site_path(site): values for site, values in block.values.items()}
        columns |= {layout.prediction_path(name): values for name, values in block.predictions.items()}
        for path, (dtype, width) in self._columns.items():
            rows = np.ascontiguousarray(columns[path], dtype)
            self._checksums[path][number] = layout.checksum(rows)
            _write_all(self._file, rows, self._offsets[path] + block.start * dtype.itemsize * (width or 1))
        self._written[number] = True

    def describe(self, **description: Any) -> None:
        """Say more of the recording: attributes of the file, anything that JSON can hold."""
        self._description |= description

    def finish(self) -> None:
        """Add the checksums and the description, and say that the recording is complete."""
        if not self._written.all():
            missing = int(self._grid.starts[np.argmin(self._written)])
            raise RuntimeError(f"the block at character {missing} was never written")
        with h5py.File(self._path, "r+") as file:
            for path, checksums in self._checksums.items():
                file[layout.checksum_path(path)] = checksums
            for path in ("text", "documents/start", "vocab"):
                file[layout.checksum_path(f"/{path}")] = np.array([layout.checksum(file[path][:])], np.uint32)
            file.attrs["block_chars"] = BLOCK_CHARS
            file.attrs["corpus_sha256"] = self._corpus.sha256
            file.attrs["replacement"] = self._vocabulary.replacement or ""
            file.attrs["date"] = datetime.now(UTC).isoformat(timespec="seconds")
            file.attrs["software"] = json.dumps({name: version(name) for name in ("torch", "h5py", "numpy")})
            for name, value in self._description.items():
                file.attrs[name] = value if isinstance(value, str | int | float) else json.dumps(value)
            file.attrs["complete"] = True
        os.fsync(self._file)


def _claim(file: h5py.File, path: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> int:
    """Make a dataset whose place in the file is fixed now, and say at which byte it begins."""
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    properties.set_layout(h5py.h5d.CONTIGUOUS)
    properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    group = file.require_group(path.rpartition("/")[0])
    dataset = h5py.h5d.create(
        group.id,
        path.rpartition("/")[2].encode(),
        h5py.h5t.py_create(dtype, logical=True),
        h5py.h5s.create_simple(shape),
        properties,
    )
    return int(dataset.get_offset())


def _write_all(file: int, rows: NDArray[Any], offset: int) -> None:
    rest = rows.data.cast("B")
    while rest:
        n = os.pwrite(file, rest, offset)
        rest, offset = rest[n:], offset + n
