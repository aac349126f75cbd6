"""Writing a recording: laid out first, filled block by block, checksummed, and only then given its name.

It is written as `NAME.part`, with `NAME.journal` beside it, which says every few seconds what is done. A run that is
broken off leaves both; the next one of the same job goes on from there.
"""

import errno
import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.errors import ActivationError
from activations.files import write_error_message
from activations.predictions import prediction_fields
from activations.recordings import layout
from activations.recordings.disk import PAGE_BYTES, DiskFile
from activations.recordings.journal import Arrays, job_name, read_journal, remove_journal, write_journal
from activations.recordings.vetting import trust
from activations.texts.codes import text_to_codes
from activations.texts.corpus import Corpus
from activations.texts.lanes import BLOCK_CHARS
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site

CHECKPOINT_S = 2.0
_SOFTWARE = ("torch", "numba", "h5py", "numpy")  # that the last digits depend on
_SHARE_OF_TIME = 50  # a checkpoint may take one part in so many of the time
_TEXT_CHUNK = 1 << 22
_COLUMN_CHUNK = 1 << 20
_OWN = "recorder"


@contextmanager
def new_recording(
    path: Path,
    corpus: Corpus,
    vocabulary: Vocabulary,
    sites: Mapping[Site, layout.SiteFacts],
    *,
    predictions: bool = True,
    selection: Selection | None = None,
    tokens: layout.Tokens | None = None,
    job: Mapping[str, Any] | None = None,
    checkpoint_s: float = CHECKPOINT_S,
) -> Iterator["Recorder"]:
    """Write a recording; it appears when the `with` block ends.

    If the block fails, what was written up to the last checkpoint is kept, unless the failure is an
    `ActivationError`, and the same job goes on from there.

    Args:
        path: Where it will stand.
        corpus: The text.
        vocabulary: The characters of the model.
        sites: What will be written, in the order in which it will be listed.
        predictions: Whether blocks will have the model's predictions, too.
        selection: The characters that will be written; None is all.
        tokens: What rows are, if they are not characters. Blocks then start at rows, and there is no selection.
        job: All that decides what will be written. None: it is not worth going on with.
        checkpoint_s: Seconds between checkpoints, at least; 0 is at every opportunity.

    Raises:
        ActivationError: If the file cannot be written, the disk has no room for it, or another run is writing it; if
            sites cannot stand in one file, or tokens are none of the text's.
    """
    layout.check_names(sites)
    try:
        with _locked(path.with_name(f"{path.name}.part")) as disk:
            selection = selection or Selection.of(len(corpus))
            recorder = Recorder(path, disk, corpus, vocabulary, selection, tokens, checkpoint_s)
            try:
                recorder.begin(sites, predictions=predictions, job=job)
                yield recorder
                recorder.finish()
            except BaseException as error:
                recorder.break_off(keep=not isinstance(error, ActivationError))
                raise
    except OSError as error:
        raise ActivationError(write_error_message(path, error)) from error


class Recorder:
    """A recording that is being written.

    The whole file is laid out by HDF5 before the first block comes, its room on the disk is claimed, and HDF5
    closes it; the values then go straight to where they belong.

    Attributes:
        resumed_from: What the last checkpoint of the same job kept, or None if this is its start.
    """

    def __init__(
        self,
        path: Path,
        disk: DiskFile,
        corpus: Corpus,
        vocabulary: Vocabulary,
        selection: Selection,
        tokens: layout.Tokens | None = None,
        checkpoint_s: float = CHECKPOINT_S,
    ) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._journal = path.with_name(f"{path.name}.journal")
        self._disk = disk
        self._corpus = corpus
        self._vocabulary = vocabulary
        self._tokens = tokens
        self._selection = selection if tokens is None else Selection.of(tokens.n_rows)
        documents = corpus.documents if tokens is None else tokens.rows_of(corpus.documents)
        self._grid = layout.Grid(documents, self._selection, BLOCK_CHARS)
        self._sites: Mapping[Site, layout.SiteFacts] = {}
        self._written = np.zeros(len(self._grid), bool)
        self._columns: dict[str, tuple[np.dtype[Any], int | None]] = {}
        self._offsets: dict[str, int] = {}
        self._checksums: dict[str, NDArray[np.uint64]] = {}
        self._description: dict[str, Any] = {}
        self._differences: dict[str, NDArray[np.float32]] = {}
        self._job: str | None = None
        self._metadata: Arrays = {}
        self._checkpoint_s = checkpoint_s
        self._last_checkpoint = (monotonic(), 0.0)
        self.resumed_from: Arrays | None = None

    @property
    def n_chars_done(self) -> int:
        """How many characters are written, those of an earlier run, too."""
        return int((self._grid.last_rows - self._grid.first_rows)[self._written].sum())

    def begin(
        self,
        sites: Mapping[Site, layout.SiteFacts],
        *,
        predictions: bool,
        job: Mapping[str, Any] | None,
    ) -> None:
        """Go on where the same job was broken off, or give every dataset its place and claim the room."""
        self._sites = sites
        columns: dict[str, tuple[np.dtype[Any], int | None]] = {
            layout.site_path(site): (facts.coding.stored, facts.n_units) for site, facts in sites.items()
        }
        if predictions:
            fields = prediction_fields(len(self._vocabulary))
            columns |= {layout.prediction_path(name): column for name, column in fields.items()}
        self._columns = columns
        self._checksums = {path: np.zeros(len(self._grid), np.uint64) for path in columns}
        if job is not None:
            software = {name: version(name) for name in _SOFTWARE}
            shape = {path: [dtype.str, width] for path, (dtype, width) in columns.items()}
            self._job = job_name(
                version=layout.VERSION,
                block_chars=BLOCK_CHARS,
                corpus=self._corpus.sha256,
                names=[document.name for document in self._corpus.documents],
                selection=str(self._selection),
                columns=shape,
                sites=layout.described(sites),
                software=software,
                **job,
            )
            if self._resume(read_journal(self._journal, self._job)):
                return
        remove_journal(self._journal)
        self._lay_out()

    def write(self, block: Block) -> None:
        """Put a block where it belongs. It must be whole blocks of the grid, and each of these must come once."""
        first, last = self._selection.row(block.start), self._selection.row(block.stop)
        numbers = self._grid.numbers(first, last)
        if self._grid.first_rows[numbers[0]] != first or self._grid.last_rows[numbers[-1]] != last:
            raise RuntimeError(f"the block at character {block.start} does not begin and end with blocks of the grid")
        given: dict[str, NDArray[Any]] = {}
        for site, values in block.values.items():
            if (facts := self._sites.get(site)) is not None:
                facts.coding.check(str(site), values)
                given[layout.site_path(site)] = facts.coding.encode(values)
        given |= {layout.prediction_path(name): values for name, values in block.predictions.items()}
        own = slice(numbers.start, numbers.stop)
        lengths = self._grid.last_rows[own] - self._grid.first_rows[own]
        for path, (dtype, width) in self._columns.items():
            rows = np.ascontiguousarray(given[path], dtype)
            self._checksums[path][own] = layout.checksums(rows, lengths)
            self._disk.write(rows, self._offsets[path] + first * dtype.itemsize * (width or 1))
        self._written[own] = True

    @property
    def wants_checkpoint(self) -> bool:
        """Is it time to keep what is needed to go on?"""
        last, took = self._last_checkpoint
        wait = max(self._checkpoint_s, _SHARE_OF_TIME * took) if self._checkpoint_s else 0.0
        return self._job is not None and monotonic() - last >= wait

    def checkpoint(self, arrays: Arrays) -> None:
        """Make sure that a run that is broken off can go on from here.

        Args:
            arrays: What whoever gives the blocks needs for that; it comes back as `resumed_from`.
        """
        if self._job is None:
            return
        began = monotonic()
        self._disk.sync()
        own = {
            f"{_OWN}/written": self._written,
            f"{_OWN}/checksums": np.array(list(self._checksums.values())),
            f"{_OWN}/offsets": np.array(list(self._offsets.values())),
            **{f"{_OWN}/metadata/{name}": part for name, part in self._metadata.items()},
        }
        write_journal(self._journal, self._job, {**arrays, **own})
        self._last_checkpoint = monotonic(), monotonic() - began

    def column(self, path: str) -> Iterator[NDArray[Any]]:
        """A dataset of one number per character, as it was written, a million at a time."""
        dtype, _ = self._columns[path]
        with self._part.open("rb") as file:
            file.seek(self._offsets[path])
            for start in range(0, self._selection.n_chars, _COLUMN_CHUNK):
                yield np.fromfile(file, dtype, min(_COLUMN_CHUNK, self._selection.n_chars - start))

    def describe(self, **description: Any) -> None:
        """Say more of the recording: attributes of the file, anything that JSON can hold."""
        self._description |= description

    def keep_differences(self, site: Site, largest: NDArray[np.float32], span: NDArray[np.float32]) -> None:
        """Say how far each unit of a site differed where lanes meet, and from where to where it goes."""
        self._differences[layout.lanes_path(site, "largest_difference")] = largest.astype("<f4")
        self._differences[layout.lanes_path(site, "range")] = span.astype("<f4")

    def finish(self) -> None:
        """Add the checksums and the description, say that the recording is complete, and give it its name."""
        if not self._written.all():
            missing = int(self._grid.starts[np.argmin(self._written)])
            raise RuntimeError(f"the block at character {missing} was never written")
        with _told_by_os(), h5py.File(self._part, "r+", locking=False) as file:
            for path, values in self._differences.items():
                file[path] = values
                file[layout.checksum_path(path)] = np.array([layout.checksum(values)], "<u8")
            for path, checksums in self._checksums.items():
                file[layout.checksum_path(path)] = checksums.astype("<u8")
            for path in (*layout.WHOLE, *(layout.TOKENS if self._tokens else ())):
                file[layout.checksum_path(f"/{path}")] = np.array([layout.checksum_of(file[path])], "<u8")
            attrs = {
                "format": layout.FORMAT,
                "format_version": layout.VERSION,
                "block_chars": BLOCK_CHARS,
                "range": [0, len(self._corpus)] if self._tokens else [self._selection.start, self._selection.stop],
                "every": self._selection.every,
                "corpus_sha256": self._corpus.sha256,
                "replacement": self._vocabulary.replacement or "",
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "software": {name: version(name) for name in _SOFTWARE},
                "contents": layout.contents(file),
                "sites": layout.described(self._sites),
                **self._said_of_tokens(),
                **self._description,
            }
            for name, value in attrs.items():
                file.attrs[name] = value if isinstance(value, str | int | float) else json.dumps(value)
            file.attrs["attributes_checksum"] = layout.attributes_checksum(file.attrs)
            file.attrs["complete"] = True
        self._disk.sync()
        self._part.replace(self._path)
        trust(self._path)
        remove_journal(self._journal)
        _sync_folder(self._path.parent)

    def _said_of_tokens(self) -> dict[str, int]:
        if self._tokens is None:
            return {}
        return {name: n for name in ("window", "stride") if (n := getattr(self._tokens, name)) is not None}

    def break_off(self, *, keep: bool) -> None:
        """Leave what can be gone on with, or nothing at all."""
        if keep and self._job is not None and read_journal(self._journal, self._job) is not None:
            return
        if self._part.exists() and os.path.samestat(os.fstat(self._disk.number), self._part.stat()):
            remove_journal(self._journal)
            self._part.unlink()

    def _resume(self, kept: Arrays | None) -> bool:
        """Go on from a checkpoint, if there is one and the file is as it was then."""
        if kept is None:
            return False
        own = {name.removeprefix(f"{_OWN}/"): array for name, array in kept.items() if name.startswith(f"{_OWN}/")}
        size = int(own["metadata/size"])
        if os.fstat(self._disk.number).st_size < size:
            return False
        self._metadata = {name.removeprefix("metadata/"): part for name, part in own.items() if "metadata/" in name}
        os.ftruncate(self._disk.number, size)  # finishing may have begun
        for place, part in self._metadata.items():
            if place != "size":
                self._disk.write(part, int(place))
        self._written = own["written"]
        self._checksums = dict(zip(self._columns, own["checksums"], strict=True))
        self._offsets = dict(zip(self._columns, own["offsets"].tolist(), strict=True))
        self.resumed_from = {name: array for name, array in kept.items() if not name.startswith(f"{_OWN}/")}
        return True

    def _lay_out(self) -> None:
        os.ftruncate(self._disk.number, 0)
        with (
            _told_by_os(),
            h5py.File(
                self._part, "w", locking=False, alignment_threshold=PAGE_BYTES, alignment_interval=PAGE_BYTES
            ) as file,
        ):
            file.attrs["complete"] = False
            text = file.create_dataset("text", (len(self._corpus),), "<u4")
            for start in range(0, len(self._corpus), _TEXT_CHUNK):
                text[start : start + _TEXT_CHUNK] = self._corpus.codes[start : start + _TEXT_CHUNK]
            file["documents/start"] = self._corpus.starts.astype("<i8")
            names = [d.name.encode("utf-8", "backslashreplace") for d in self._corpus.documents]
            longest = h5py.string_dtype("utf-8", max(1, *map(len, names)))
            file.create_dataset("documents/name", data=np.array(names, longest))
            if self._tokens is not None:
                for path, places in zip(layout.TOKENS, (self._tokens.starts, self._tokens.ends), strict=True):
                    file[path] = places.astype("<i8")
            file["vocab"] = text_to_codes(self._vocabulary.characters).astype("<u4")
            for path, (dtype, width) in self._columns.items():
                shape = (self._selection.n_chars,) if width is None else (self._selection.n_chars, width)
                self._offsets[path] = _claim(file, path, shape, dtype)
        size = os.fstat(self._disk.number).st_size
        self._disk.claim(size)
        self._metadata = {"size": np.array(size), **self._around(size)}

    def _around(self, size: int) -> Arrays:
        """The bytes of the file that are neither activations nor predictions nor text: HDF5 changes them at the end."""
        taken = [
            (self._offsets[path], self._selection.n_chars * dtype.itemsize * (width or 1))
            for path, (dtype, width) in self._columns.items()
        ]
        with h5py.File(self._part, "r", locking=False) as file:
            taken.append((file["text"].id.get_offset(), file["text"].nbytes))
        parts = {}
        place = 0
        for offset, n_bytes in [*sorted(taken), (size, 0)]:
            if offset > place:
                parts[str(place)] = np.frombuffer(os.pread(self._disk.number, offset - place, place), np.uint8)
            place = offset + n_bytes
        return parts


@contextmanager
def _told_by_os() -> Iterator[None]:
    """HDF5 tells a full disk in more than one way."""
    try:
        yield
    except RuntimeError as error:
        raise OSError(str(error)) from error


@contextmanager
def _locked(path: Path) -> Iterator[DiskFile]:
    """The file, while no other run has it.

    Raises:
        ActivationError: If another run has.
    """
    while True:
        with DiskFile(path) as disk:
            try:
                fcntl.flock(disk.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                target = path.with_suffix("")
                raise ActivationError(
                    f"another run is writing {target}; wait until it is done, or write to another file with -o"
                ) from None
            except OSError as error:
                if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):  # some network file systems
                    raise
            if path.exists() and os.path.samestat(os.fstat(disk.number), path.stat()):  # not renamed since
                yield disk
                return


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


def _sync_folder(folder: Path) -> None:
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
