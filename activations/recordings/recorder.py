"""Writing a recording: laid out first, filled block by block, checksummed, and only then given its name.

It is written as `NAME.part`, with `NAME.journal` beside it, which says every few seconds what is done. A run that is
interrupted leaves both; the next run of the same job resumes from there.
"""

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
from activations.recordings.disk import PAGE_BYTES, DiskFile
from activations.recordings.format import checksums, layout
from activations.recordings.format.grid import Grid
from activations.recordings.format.token_rows import TokenRows
from activations.recordings.journal import Arrays, job_name, read_journal, remove_journal, write_journal
from activations.recordings.part_files import (
    contiguous_dataset,
    hdf5_errors_as_os_errors,
    is_same_file,
    locked,
    sync_folder,
)
from activations.recordings.vetting import VETTER
from activations.texts.codes import text_to_codes
from activations.texts.corpus import Corpus
from activations.texts.lanes import BLOCK_CHARS
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site

CHECKPOINT_S = 2.0
_SOFTWARE = ("torch", "numba", "h5py", "numpy")  # on which the last digits depend
_TIMES_A_CHECKPOINT = 50  # the time between checkpoints is at least this multiple of what one takes
_TEXT_CHUNK = 1 << 22
_COLUMN_CHUNK = 1 << 20
_PREFIX = "recorder/"  # of the recorder's own arrays in the journal


@contextmanager
def new_recording(
    path: Path,
    corpus: Corpus,
    vocabulary: Vocabulary,
    sites: Mapping[Site, layout.SiteFacts],
    *,
    predictions: bool = True,
    selection: Selection | None = None,
    tokens: TokenRows | None = None,
    job: Mapping[str, Any] | None = None,
    checkpoint_s: float = CHECKPOINT_S,
) -> Iterator["Recorder"]:
    """Write a recording, which appears when the `with` block ends.

    If the block fails, what was written up to the last checkpoint is kept, unless the failure is an
    `ActivationError`, and the same job resumes from there.

    Args:
        path: The recording.
        corpus: The text.
        vocabulary: The characters of the model.
        sites: The sites that will be written, in the order in which the recording will list them.
        predictions: Whether blocks will have the model's predictions, too.
        selection: The characters that will be written; None is all.
        tokens: The tokens that rows are, if they are not characters. Blocks then start at rows, and there is no
            selection.
        job: Everything that determines what will be written; None if the job cannot be resumed.
        checkpoint_s: Seconds between checkpoints, at least; more where a checkpoint takes long. 0 makes one at every
            opportunity.

    Raises:
        ActivationError: If the file cannot be written, the disk has no room for it, or another run is writing it; if
            sites cannot be in one file, or tokens do not fit the text.
    """
    layout.check_names(sites)
    selection = selection or Selection.of(len(corpus))
    try:
        with locked(path.with_name(f"{path.name}.part")) as disk:
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

    HDF5 lays the whole file out before the first block comes, its room on the disk is preallocated, and HDF5 closes
    it; the values then go straight to their places.

    Attributes:
        resumed_from: The arrays that the last checkpoint of the same job kept, or None if this is its first run.
    """

    def __init__(
        self,
        path: Path,
        disk: DiskFile,
        corpus: Corpus,
        vocabulary: Vocabulary,
        selection: Selection,
        tokens: TokenRows | None = None,
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
        documents = corpus.documents if tokens is None else tokens.documents_in_rows(corpus.documents)
        self._grid = Grid(documents, self._selection, BLOCK_CHARS)
        self._sites: Mapping[Site, layout.SiteFacts] = {}
        self._written = np.zeros(len(self._grid), bool)
        self._columns: layout.Columns = {}
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
        """Number of characters written, those of an earlier run included."""
        return int((self._grid.last_rows - self._grid.first_rows)[self._written].sum())

    def begin(
        self,
        sites: Mapping[Site, layout.SiteFacts],
        *,
        predictions: bool,
        job: Mapping[str, Any] | None,
    ) -> None:
        """Resume the same job where it was interrupted, or lay the file out anew and preallocate its room."""
        self._sites = sites
        self._columns = layout.columns_of(sites, len(self._vocabulary) if predictions else None)
        self._checksums = {path: np.zeros(len(self._grid), np.uint64) for path in self._columns}
        if job is not None:
            self._job = self._job_name(job)
            if self._resume(read_journal(self._journal, self._job)):
                return
        remove_journal(self._journal)
        self._lay_out()

    def _job_name(self, job: Mapping[str, Any]) -> str:
        return job_name(
            version=layout.VERSION,
            block_chars=BLOCK_CHARS,
            corpus=self._corpus.sha256,
            names=[document.name for document in self._corpus.documents],
            selection=str(self._selection),
            columns={path: [dtype.str, width] for path, (dtype, width) in self._columns.items()},
            sites=layout.sites_to_data(self._sites),
            software={name: version(name) for name in _SOFTWARE},
            **job,
        )

    def write(self, block: Block) -> None:
        """Write a block to its place. It consists of whole blocks of the grid, and each of these comes once."""
        first, last = self._selection.row(block.start), self._selection.row(block.stop)
        numbers = self._grid.numbers(first, last)
        if self._grid.first_rows[numbers[0]] != first or self._grid.last_rows[numbers[-1]] != last:
            raise RuntimeError(f"the block at character {block.start} does not begin and end with blocks of the grid")
        rows_by_path: dict[str, NDArray[Any]] = {}
        for site, values in block.values.items():
            if (facts := self._sites.get(site)) is not None:
                facts.coding.check(str(site), values)
                rows_by_path[layout.site_path(site)] = facts.coding.encode(values)
        rows_by_path |= {layout.prediction_path(name): values for name, values in block.predictions.items()}
        of_block = slice(numbers.start, numbers.stop)
        lengths = self._grid.last_rows[of_block] - self._grid.first_rows[of_block]
        for path, (dtype, width) in self._columns.items():
            rows = np.ascontiguousarray(rows_by_path[path], dtype)
            self._checksums[path][of_block] = checksums.checksums(rows, lengths)
            self._disk.write(rows, self._offsets[path] + first * dtype.itemsize * (width or 1))
        self._written[of_block] = True

    @property
    def wants_checkpoint(self) -> bool:
        """Is it time for a checkpoint?"""
        last, took = self._last_checkpoint
        wait = max(self._checkpoint_s, _TIMES_A_CHECKPOINT * took) if self._checkpoint_s else 0.0
        return self._job is not None and monotonic() - last >= wait

    def checkpoint(self, arrays: Arrays) -> None:
        """Make sure that an interrupted run can be resumed from here.

        Args:
            arrays: What the caller needs to resume; the next run finds it in `resumed_from`.
        """
        if self._job is None:
            return
        began = monotonic()
        self._disk.sync()
        recorder_state = {
            "written": self._written,
            "checksums": np.array(list(self._checksums.values())),
            "offsets": np.array(list(self._offsets.values())),
            **{f"metadata/{name}": part for name, part in self._metadata.items()},
        }
        prefixed = {f"{_PREFIX}{name}": array for name, array in recorder_state.items()}
        write_journal(self._journal, self._job, {**arrays, **prefixed})
        self._last_checkpoint = monotonic(), monotonic() - began

    def column(self, path: str) -> Iterator[NDArray[Any]]:
        """Read back a dataset of one number per character, a million at a time."""
        dtype, _ = self._columns[path]
        with self._part.open("rb") as file:
            file.seek(self._offsets[path])
            for start in range(0, self._selection.n_chars, _COLUMN_CHUNK):
                yield np.fromfile(file, dtype, min(_COLUMN_CHUNK, self._selection.n_chars - start))

    def describe(self, **description: Any) -> None:
        """Add attributes that describe the recording: anything that JSON can hold."""
        self._description |= description

    def keep_differences(self, site: Site, largest: NDArray[np.float32], span: NDArray[np.float32]) -> None:
        """Add how far each unit of a site differed where lanes meet, and the length of its range."""
        self._differences[layout.lanes_path(site, "largest_difference")] = largest.astype("<f4")
        self._differences[layout.lanes_path(site, "range")] = span.astype("<f4")

    def finish(self) -> None:
        """Add the checksums and the attributes, mark the recording as complete, and give it its name."""
        if not self._written.all():
            missing = int(self._grid.starts[np.argmin(self._written)])
            raise RuntimeError(f"the block at character {missing} was never written")
        with hdf5_errors_as_os_errors(), h5py.File(self._part, "r+", locking=False) as file:
            for path, values in self._differences.items():
                file[path] = values
                file[layout.checksum_path(path)] = np.array([checksums.checksum(values)], "<u8")
            for path, of_blocks in self._checksums.items():
                file[layout.checksum_path(path)] = of_blocks.astype("<u8")
            for path in (*layout.WHOLE, *(layout.TOKENS if self._tokens else ())):
                file[layout.checksum_path(f"/{path}")] = np.array([checksums.dataset_checksum(file[path])], "<u8")
            for name, value in self._attributes(file).items():
                file.attrs[name] = value if isinstance(value, str | int | float) else json.dumps(value)
            file.attrs["attributes_checksum"] = checksums.attributes_checksum(file.attrs)
            file.attrs["complete"] = True
        self._disk.sync()
        self._part.replace(self._path)
        VETTER.trust(self._path)
        remove_journal(self._journal)
        sync_folder(self._path.parent)

    def _attributes(self, file: h5py.File) -> dict[str, Any]:
        sizes = {} if self._tokens is None else {"window": self._tokens.window, "stride": self._tokens.stride}
        return {
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
            "sites": layout.sites_to_data(self._sites),
            **{name: n for name, n in sizes.items() if n is not None},
            **self._description,
        }

    def break_off(self, *, keep: bool) -> None:
        """Leave what can be resumed, or nothing at all."""
        if keep and self._job is not None and read_journal(self._journal, self._job) is not None:
            return
        if is_same_file(self._disk, self._part):
            remove_journal(self._journal)
            self._part.unlink()

    def _resume(self, journal: Arrays | None) -> bool:
        """Resume from a checkpoint, if there is one and the file is as it was then."""
        if journal is None:
            return False
        state = {name.removeprefix(_PREFIX): array for name, array in journal.items() if name.startswith(_PREFIX)}
        size = int(state["metadata/size"])
        if os.fstat(self._disk.descriptor).st_size < size:
            return False
        self._metadata = {name.removeprefix("metadata/"): part for name, part in state.items() if "metadata/" in name}
        os.ftruncate(self._disk.descriptor, size)  # finishing may have begun
        self._disk.preallocate(size + self._n_bytes_at_the_end)
        for offset, part in self._metadata.items():
            if offset != "size":
                self._disk.write(part, int(offset))
        self._written = state["written"]
        self._checksums = dict(zip(self._columns, state["checksums"], strict=True))
        self._offsets = dict(zip(self._columns, state["offsets"].tolist(), strict=True))
        self.resumed_from = {name: array for name, array in journal.items() if not name.startswith(_PREFIX)}
        return True

    def _lay_out(self) -> None:
        of_values = layout.bytes_of_values(len(self._corpus), self._selection.n_chars, self._columns)
        self._disk.preallocate(of_values + self._n_bytes_at_the_end)  # HDF5 may crash on a full disk
        os.ftruncate(self._disk.descriptor, 0)
        with (
            hdf5_errors_as_os_errors(),
            h5py.File(
                self._part, "w", locking=False, alignment_threshold=PAGE_BYTES, alignment_interval=PAGE_BYTES
            ) as file,
        ):
            file.attrs["complete"] = False
            text = file.create_dataset("text", (len(self._corpus),), layout.CODE)
            for start in range(0, len(self._corpus), _TEXT_CHUNK):
                text[start : start + _TEXT_CHUNK] = self._corpus.codes[start : start + _TEXT_CHUNK]
            file["documents/start"] = self._corpus.starts.astype("<i8")
            names = [d.name.encode("utf-8", "backslashreplace") for d in self._corpus.documents]
            longest = h5py.string_dtype("utf-8", max(1, *map(len, names)))
            file.create_dataset("documents/name", data=np.array(names, longest))
            if self._tokens is not None:
                for path, positions in zip(layout.TOKENS, (self._tokens.starts, self._tokens.ends), strict=True):
                    file[path] = positions.astype("<i8")
            file["vocab"] = text_to_codes(self._vocabulary.characters).astype(layout.CODE)
            for path, (dtype, width) in self._columns.items():
                shape = (self._selection.n_chars,) if width is None else (self._selection.n_chars, width)
                self._offsets[path] = contiguous_dataset(file, path, shape, dtype)
        size = os.fstat(self._disk.descriptor).st_size
        self._disk.preallocate(size + self._n_bytes_at_the_end)
        self._metadata = {"size": np.array(size), **self._bytes_around_values(size)}

    @property
    def _n_bytes_at_the_end(self) -> int:
        """Bytes, at most, of what `finish` adds; HDF5 cuts off what it does not use."""
        n_datasets = 3 * len(self._columns) + len(layout.WHOLE + layout.TOKENS)
        n_units = sum(facts.n_units for facts in self._sites.values())
        return n_datasets * PAGE_BYTES + 8 * (len(self._columns) * len(self._grid) + n_units)

    def _bytes_around_values(self, size: int) -> Arrays:
        """Read the bytes that are neither activations nor predictions nor text: HDF5 changes them at the end."""
        values = [
            (self._offsets[path], self._selection.n_chars * dtype.itemsize * (width or 1))
            for path, (dtype, width) in self._columns.items()
        ]
        with h5py.File(self._part, "r", locking=False) as file:
            values.append((file["text"].id.get_offset(), file["text"].nbytes))
        parts = {}
        end = 0
        for offset, n_bytes in [*sorted(values), (size, 0)]:
            if offset > end:
                parts[str(end)] = np.frombuffer(os.pread(self._disk.descriptor, offset - end, end), np.uint8)
            end = offset + n_bytes
        return parts
