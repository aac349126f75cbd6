"""Reading a recording: a source of blocks on disk."""

import mmap
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, thin_out
from activations.errors import ActivationError
from activations.file_kinds import START_BYTES, is_hdf5
from activations.lazy_activations import NamedActivations
from activations.predictions import LOG_PROB, TOP_IDS
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.recordings.format import layout
from activations.recordings.format.checksums import checksums, checksums_sha256, dataset_checksum, rows_of
from activations.recordings.format.grid import Grid
from activations.recordings.format.metadata import read_metadata
from activations.recordings.format.structure import token_rows_of
from activations.recordings.vetting import VETTER
from activations.site_names import AnySites, resolve_sites
from activations.system_errors import reading, reason
from activations.texts.codes import Codes, codes_to_text, concatenate_codes, narrowest
from activations.texts.corpus import Corpus, Document
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site

_READ_CHARS = 4096  # of a block, at least
_READ_BYTES = 1 << 22  # of a block, where characters have few
_HELD_BYTES = 1 << 25
_LAST_CODE_POINT = 0x10FFFF
_UNKNOWN_IDS = "has ids of characters that are not in /vocab"


class Recording(NamedActivations):
    """A recording on disk, opened for reading: a source of blocks. Also a context manager.

    Every block is checked against its checksum the first time it is read.

    Attributes:
        path: The file.
        corpus: The text.
        vocabulary: The characters of the model that read it.
        selection: The characters that were recorded.
        reading_rule: How the characters of the text became the tokens that the model read.
        sites: The sites that were recorded, and the number of units of each.
        facts: What else the file says of each site.
        tokens: The tokens that rows are, if they are not characters; then only `read` and `tokens` are of use.
    """

    is_live = False

    def __init__(self, path: Path | str) -> None:
        """Open a recording for reading.

        Raises:
            ActivationError: If there is no such file, or it is not a recording, incomplete, damaged, or of another
                version.
        """
        self.path = Path(path)
        _check_file(self.path)
        with reading(self.path):
            self._file = h5py.File(self.path, "r")
        try:
            with reading(self.path):
                self._open()
        except ActivationError as error:
            self.close()
            if str(self.path) in str(error):
                raise
            raise ActivationError(f"{self.path} cannot be used: {error}") from error
        except BaseException:
            self.close()
            raise
        self._verified: dict[str, NDArray[np.bool_]] = {}

    def _open(self) -> None:
        """Read all but activations and predictions."""
        self._metadata = read_metadata(self._file)
        self.corpus = self._read_corpus()
        self.vocabulary = self._read_vocabulary()
        self.selection = self._metadata.selection(len(self.corpus))
        self.reading_rule = self._metadata.reading_rule
        self.facts = self._metadata.facts
        self.sites: Mapping[Site, int] = {site: facts.n_units for site, facts in self.facts.items()}
        self.tokens = token_rows_of(self._file, self._metadata)
        documents, rows = self.corpus.documents, self.selection
        if self.tokens is not None:
            documents, rows = self.tokens.documents_in_rows(documents), Selection.of(self.tokens.n_rows)
            for token_path in layout.TOKENS:
                self._check_whole(token_path)
        self._grid = Grid(documents, rows, self._metadata.block_chars)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file of the recording."""
        self._file.close()

    @property
    def description(self) -> dict[str, Any]:
        """The attributes of the file: model, lanes, loss, software, date."""
        return dict(self._metadata.description)

    @property
    def predictions(self) -> list[str]:
        """The kinds of prediction that were recorded."""
        paths = (path for path in self._metadata.contents if path.startswith(layout.PREDICTIONS))
        return sorted(path.removeprefix(layout.PREDICTIONS) for path in paths)

    @property
    def model_sha256(self) -> str:
        """Hash of the model that was recorded, in hexadecimal; empty if the file does not say."""
        return self._metadata.model_sha256

    @cached_property
    def checksums_sha256(self) -> str:
        """Hash of the checksums of all that is in the file, in hexadecimal; of other content it is another one."""
        with reading(self.path):
            return checksums_sha256(self._file)

    def dtype(self, site: Site) -> np.dtype[Any]:
        """Return the dtype of a site's activations."""
        return self.facts[site].coding.dtype

    def blocks(self, sites: AnySites | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Give every recorded character once, in blocks, in the order of the text.

        Args:
            sites: The sites to give; None is all.
            predictions: Whether to give the model's predictions, too.

        Raises:
            ActivationError: If a site was not recorded, or a block is damaged.
        """
        if self.tokens is not None:
            raise ActivationError(
                f"the rows of {self.path} are {self.tokens.n_rows:,} tokens, and not characters; `Recording.read` "
                "gives them, and analyses of tokens are not built yet"
            )
        chosen = resolve_sites(self.sites, sites)
        kinds = self.predictions if predictions else []
        bytes_per_char = sum(self.dtype(site).itemsize * self.sites[site] for site in chosen if site in self.sites)
        few = predictions or not bytes_per_char
        n_chars = _READ_CHARS if few else max(_READ_CHARS, _READ_BYTES // bytes_per_char)
        n_bytes = 0
        for numbers in self._grid.runs(n_chars):
            first, last = self._grid.first_rows[numbers[0]], self._grid.last_rows[numbers[-1]]
            start, stop = self._grid.starts[numbers[0]], self._grid.stops[numbers[-1]]
            values = self.read(chosen, int(start), int(stop))
            of_kinds = {name: self._rows(layout.prediction_path(name), first, last) for name in kinds}
            yield Block(
                self.selection.start + int(first) * self.selection.every, values, of_kinds, self.selection.every
            )
            n_bytes += sum(array.nbytes for array in (*values.values(), *of_kinds.values()))
            if n_bytes >= _HELD_BYTES:
                self._release_memory()
                n_bytes = 0
        self._release_memory()

    def read(self, sites: AnySites, start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """Return (n_chars, n_units) activations of sites at the selected characters of a passage; see `Source.read`.

        Arrays in float16 and float32 are views of the file, mapped into memory. If rows are tokens, those are given
        whose last characters are in the passage.

        Raises:
            ActivationError: If a site was not recorded, or the file is damaged there.
        """
        first, last = self._rows_between(start, stop)
        paths = {site: self._site_path(site) for site in resolve_sites(self.sites, sites)}
        return {site: self.facts[site].coding.decode(self._rows(path, first, last)) for site, path in paths.items()}

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the model's predictions after the selected characters of a passage; see `Source.read_predictions`.

        Arrays are views of the file, mapped into memory. If rows are tokens, those are given whose last characters are
        in the passage.

        Raises:
            ActivationError: If the file is damaged there.
        """
        first, last = self._rows_between(start, stop)
        chosen = [kind for kind in self.predictions if kinds is None or kind in kinds]
        return {kind: self._rows(layout.prediction_path(kind), first, last) for kind in chosen}

    def sample(
        self, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
    ) -> dict[Site, NDArray[np.float32]]:
        """Return (n_sampled, n_units) activations of sites at every k-th character; see `Source.sample`."""
        return thin_out(self, sites, n_chars, advance)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = no_progress) -> Iterator[Self]:
        """Give this recording itself, which can be read many times."""
        yield self

    def faults(self, progress: Progress = no_progress) -> Iterator[str]:
        """Read everything, and give a sentence for each block that does not fit its checksum, and for NaN values.

        Args:
            progress: Called with the blocks done and their number.
        """
        n_blocks = len(self._mapped) * len(self._grid)
        for number, path in enumerate(self._mapped):
            n_values = n_chars = n_bytes = 0
            has_unknown_ids = False
            first: int | None = None
            for run in self._grid.runs(_READ_CHARS):
                for block in self._damaged_blocks(path, run):
                    yield f"damaged in {path}, characters {self._grid.starts[block]:,} to {self._grid.stops[block]:,}"
                has_unknown_ids = has_unknown_ids or self._has_unknown_ids(path, run)
                n_by_row = self._count_not_numbers(path, run)
                n_values += int(n_by_row.sum())
                n_chars += int(np.count_nonzero(n_by_row))
                if first is None and n_values:
                    row = self._grid.first_rows[run.start] + np.flatnonzero(n_by_row)[0]
                    first = self.selection.start + int(row) * self.selection.every
                n_bytes += len(n_by_row) * self._mapped[path].strides[0]
                if n_bytes >= _HELD_BYTES:
                    self._release_memory()
                    n_bytes = 0
                progress(number * len(self._grid) + run.stop, n_blocks)
            self._release_memory()
            if has_unknown_ids:
                yield f"{path} {_UNKNOWN_IDS}"
            if n_values:
                yield (
                    f"{path} has {n_values:,} values that are not numbers (NaN or infinite), at {n_chars:,} of "
                    f"{self.selection.n_chars:,} characters, the first of them {first:,}"
                )
        yield from (
            f"damaged in {p}" for p in self._metadata.contents if p not in self._mapped and not self._is_sound(p)
        )

    def _rows_between(self, start: int, stop: int | None) -> tuple[int, int]:
        """Return the rows of the recorded characters, or of the last characters of tokens, of a passage."""
        end = len(self.corpus) if stop is None else stop
        if self.tokens is None:
            first, last = self.selection.row(start), self.selection.row(end)
        else:
            first, last = np.searchsorted(self.tokens.ends, [start + 1, end + 1]).tolist()
        return first, max(first, last)

    def _site_path(self, site: Site) -> str:
        if site not in self.sites:
            raise ActivationError(f"{self.path} has no site {site}; it has {', '.join(map(str, self.sites))}")
        return layout.site_path(site)

    def _read_corpus(self) -> Corpus:
        codes = self._read_codes("text")
        starts = self._read_whole("documents/start").tolist()
        names = [name.decode("utf-8", "replace") for name in self._read_whole("documents/name").tolist()]
        stops = [*starts[1:], len(codes)]
        documents = [Document(n, a, b - a) for n, a, b in zip(names, starts, stops, strict=True)]
        return Corpus(codes, tuple(documents))

    def _read_vocabulary(self) -> Vocabulary:
        characters = codes_to_text(self._read_codes("vocab"))
        try:
            return Vocabulary(characters, self._metadata.replacement, self._metadata.token_names)
        except ActivationError as error:
            raise ActivationError(f"{self.path} cannot be used: {error}") from error

    def _read_codes(self, path: str) -> Codes:
        codes = concatenate_codes([narrowest(rows) for rows in rows_of(self._file[path])])
        self._check_whole(path)
        if codes.max() > _LAST_CODE_POINT:
            raise ActivationError(f"{self.path} cannot be used: /{path} has numbers that are no characters")
        return codes

    def _read_whole(self, path: str) -> NDArray[Any]:
        rows: NDArray[Any] = self._file[path][:]
        self._check_whole(path)
        return rows

    def _check_whole(self, path: str) -> None:
        """Refuse a dataset that does not fit its single checksum."""
        if not self._is_sound(f"/{path}"):
            raise ActivationError(f"{self.path} is damaged in /{path}; extract it again")

    def _rows(self, path: str, first: int, last: int) -> NDArray[Any]:
        rows = self._mapped[path][first:last]
        self._verify(path, first, last)
        return np.asarray(rows)

    def _verify(self, path: str, first: int, last: int) -> None:
        """Refuse rows that do not fit their checksums, unless that was checked before."""
        verified = self._verified.setdefault(path, np.zeros(len(self._grid), bool))
        numbers = self._grid.numbers(first, last)
        if verified[numbers.start : numbers.stop].all():
            return
        for number in self._damaged_blocks(path, numbers):
            raise ActivationError(
                f"{self.path} is damaged in {path}, characters {self._grid.starts[number]:,} to "
                f"{self._grid.stops[number]:,}; extract it again"
            )
        if self._has_unknown_ids(path, numbers):
            raise ActivationError(f"{self.path} cannot be used: {path} {_UNKNOWN_IDS}; extract it again")
        verified[numbers.start : numbers.stop] = True

    def _has_unknown_ids(self, path: str, numbers: range) -> bool:
        """Are there ids of characters, in some blocks, that the vocabulary does not have?"""
        if path != layout.prediction_path(TOP_IDS):
            return False
        rows = self._mapped[path][self._grid.first_rows[numbers[0]] : self._grid.last_rows[numbers[-1]]]
        return bool((rows >= len(self.vocabulary)).any())

    def _damaged_blocks(self, path: str, numbers: range) -> Iterator[int]:
        """Give the blocks whose rows do not fit their checksums."""
        with reading(self.path):
            expected = self._file[layout.checksum_path(path)][numbers.start : numbers.stop]
        firsts = self._grid.first_rows[numbers.start : numbers.stop]
        lasts = self._grid.last_rows[numbers.start : numbers.stop]
        actual = checksums(self._mapped[path][firsts[0] : lasts[-1]], lasts - firsts)
        yield from (numbers.start + np.flatnonzero(np.array(actual, np.uint64) != expected)).tolist()

    def _count_not_numbers(self, path: str, numbers: range) -> NDArray[np.int64]:
        """(n_rows,) how many values of each row of some blocks are not numbers, but should be."""
        first, last = self._grid.first_rows[numbers[0]], self._grid.last_rows[numbers[-1]]
        rows = self._mapped[path][first:last]
        if path.startswith(layout.SITES):
            rows = self.facts[Site(path.removeprefix(layout.SITES))].coding.decode(rows)
        is_wrong = ~np.isfinite(rows).reshape(len(rows), -1)
        if path == layout.prediction_path(LOG_PROB):  # nothing follows the end of a document
            is_wrong[:, 0] &= ~(self._ends_document(first, last) & np.isnan(rows))
        counts: NDArray[np.int64] = is_wrong.sum(1)
        return counts

    def _ends_document(self, first: int, last: int) -> NDArray[np.bool_]:
        """(n_rows,) whether the reading of a document ends with each of the rows from `first` up to `last`."""
        if self.tokens is not None:
            return np.isin(self.tokens.ends[first:last], self.corpus.stops)
        start, every = self.selection.start, self.selection.every
        ends = self.corpus.is_first if self.reading_rule.backwards else self.corpus.is_last
        return ends(slice(start + first * every, start + (last - 1) * every + 1, every))

    def _is_sound(self, path: str) -> bool:
        """Does a dataset fit its single checksum?"""
        with reading(self.path):
            return bool(dataset_checksum(self._file[path]) == self._file[layout.checksum_path(path)][0])

    @cached_property
    def _mapped(self) -> dict[str, NDArray[Any]]:
        """The datasets with a row for each character, mapped into memory from the file."""
        paths = [self._site_path(site) for site in self.sites]
        with reading(self.path):
            datasets = {p: self._file[p] for p in [*paths, *map(layout.prediction_path, self.predictions)]}
            try:
                return {p: np.ndarray(d.shape, d.dtype, self._map, d.id.get_offset()) for p, d in datasets.items()}
            except TypeError as error:  # what is mapped ends before
                raise ActivationError(f"{self.path} has been truncated while it was open; extract it again") from error

    @cached_property
    def _map(self) -> mmap.mmap:
        with reading(self.path), self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _release_memory(self) -> None:
        """Let the system reuse the memory of what was read; what is still in use is read from the file again."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _check_file(path: Path) -> None:
    """Refuse a file that is no whole recording.

    Raises:
        ActivationError: With the reason.
    """
    if not _exists(path):
        raise ActivationError(
            f"there is no recording {path}; make one with `probe extract model.pt corpus.txt -o {path}`"
        )
    if not is_hdf5(_first_bytes(path)):
        raise ActivationError(f"{path} is not a recording: not an HDF5 file; `probe extract` writes recordings")
    complaint = VETTER.vet(path)
    if complaint is not None:
        way_out = "" if complaint.is_of_the_system else "; extract it again"
        raise ActivationError(f"{path} cannot be used: {complaint.sentence}{way_out}")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _first_bytes(path: Path) -> bytes:
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(START_BYTES)
    except OSError as error:
        raise ActivationError(f"cannot read {path}: {reason(error)}") from error
