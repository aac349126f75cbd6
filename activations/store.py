"""Reading a recording."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from activations import layout
from activations.blocks import Block
from activations.corpus import Corpus, Document, codes_to_text
from activations.errors import ActivationError
from activations.units import Site
from activations.vocab import Vocabulary

_READ_CHARS = 4096


class Recording:
    """A recording on disk, opened for reading: a source of blocks. Also a context manager.

    Every block is checked against its checksum the first time it is read.

    Attributes:
        path: The file.
        corpus: The text that was read.
        vocabulary: The characters of the model that read it.
        sites: What was recorded, and how many units each site has.
    """

    def __init__(self, path: Path | str) -> None:
        """Open a recording.

        Raises:
            ActivationError: If there is no such file, or it is not a recording, incomplete, damaged, or of
                another version.
        """
        self.path = Path(path)
        self._file = _open(self.path)
        try:
            self._attrs = dict(self._file.attrs)
            _check_attrs(self.path, self._attrs)
            self.corpus = self._read_corpus()
            characters = codes_to_text(self._read_whole("vocab"))
            self.vocabulary = Vocabulary(characters, self._attrs["replacement"] or None)
            self.sites: Mapping[Site, int] = self._find_sites()
            self._grid = layout.Grid(self.corpus.documents, int(self._attrs["block_chars"]))
        except (KeyError, OSError, TypeError, IndexError) as error:
            self.close()
            raise ActivationError(f"{self.path} is a damaged recording ({error}); extract it again") from error
        except BaseException:
            self.close()
            raise
        self._verified: dict[str, NDArray[np.bool_]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @cached_property
    def description(self) -> dict[str, Any]:
        """What the file says of itself: model, lanes, loss, software, date."""
        return {name: _plain(value) for name, value in self._attrs.items()}

    @property
    def predictions(self) -> list[str]:
        """The kinds of prediction that were recorded."""
        return sorted(self._file.get("prediction", {}))

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Every character once, in blocks, in the order of the text.

        Args:
            sites: What to give of each character; None is all there is.
            predictions: Whether to give the model's predictions, too.

        Raises:
            ActivationError: If a site was not recorded, or a block is damaged.
        """
        for document in range(len(self.corpus.documents)):
            start, stop = self.corpus.documents[document].start, self.corpus.documents[document].stop
            while start < stop:
                end = min(stop, start + _READ_CHARS // self._block_chars * self._block_chars)
                yield Block(
                    document,
                    start,
                    {site: self.read(site, start, end) for site in (self.sites if sites is None else sites)},
                    {name: self._rows(layout.prediction_path(name), start, end) for name in self.predictions}
                    if predictions
                    else {},
                )
                start = end

    def dtype(self, site: Site) -> np.dtype[Any]:
        """The number type of a site's activations."""
        dtype: np.dtype[Any] = self._file[layout.site_path(site)].dtype
        return dtype

    @contextmanager
    def rereadable(
        self, sites: Collection[Site], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Iterator[Self]:
        """This recording itself: it can be read as often as need be."""
        yield self

    def read(self, site: Site, start: int = 0, stop: int | None = None) -> NDArray[Any]:
        """(n_chars, n_units) activations of a site at the characters from `start` up to `stop`.

        Raises:
            ActivationError: If the site was not recorded, or the file is damaged there.
        """
        if site not in self.sites:
            recorded = ", ".join(str(each) for each in self.sites)
            raise ActivationError(f"{self.path} has no site {site}; it has {recorded}")
        return self._rows(layout.site_path(site), start, len(self.corpus) if stop is None else stop)

    @property
    def _block_chars(self) -> int:
        return int(self._attrs["block_chars"])

    def _find_sites(self) -> dict[Site, int]:
        found = {}
        for layer, group in self._file["layers"].items():
            for signal, dataset in group.items():
                found[Site.parse(f"{layer}/{signal}")] = int(dataset.shape[1])
                if len(dataset) != len(self.corpus):
                    raise IndexError(f"{layer}/{signal} has {len(dataset):,} rows for {len(self.corpus):,} characters")
        return {site: found[site] for site in sorted(found)}

    def _read_corpus(self) -> Corpus:
        codes = self._read_whole("text").astype(np.uint32, copy=False)
        starts = self._read_whole("documents/start").tolist()
        names = self._file["documents/name"].asstr()[:]
        stops = [*starts[1:], len(codes)]
        documents = [Document(n, a, b - a) for n, a, b in zip(names, starts, stops, strict=True)]
        return Corpus(codes, tuple(documents))

    def _read_whole(self, path: str) -> NDArray[Any]:
        rows: NDArray[Any] = self._file[path][:]
        if layout.checksum(rows) != self._file[layout.checksum_path(f"/{path}")][0]:
            raise ActivationError(f"{self.path} is damaged in /{path}; extract it again")
        return rows

    def _rows(self, path: str, start: int, stop: int) -> NDArray[Any]:
        rows = self._mapped[path][start:stop]
        self._verify(path, start, stop)
        return np.asarray(rows)

    def _verify(self, path: str, start: int, stop: int) -> None:
        verified = self._verified.setdefault(path, np.zeros(len(self._grid), bool))
        first = int(np.searchsorted(self._grid.starts, start, side="right")) - 1
        last = int(np.searchsorted(self._grid.starts, stop))
        if verified[first:last].all():
            return
        stored = self._file.get(layout.checksum_path(path))
        if stored is None or len(stored) != len(self._grid):
            raise ActivationError(f"{self.path} has no checksums for {path}; extract it again")
        checksums = stored[first:last]
        for number in range(first, last):
            rows = self._mapped[path][self._grid.starts[number] : self._grid.stops[number]]
            if layout.checksum(rows) != checksums[number - first]:
                raise ActivationError(
                    f"{self.path} is damaged in {path}, characters {self._grid.starts[number]:,} to "
                    f"{self._grid.stops[number]:,}; extract it again"
                )
        verified[first:last] = True

    @cached_property
    def _mapped(self) -> dict[str, NDArray[Any]]:
        """The big datasets, mapped into memory where they stand one row after another."""
        paths = [layout.site_path(site) for site in self.sites]
        paths += [layout.prediction_path(name) for name in self.predictions]
        return {path: _map(self.path, self._file[path]) for path in paths}


def _open(path: Path) -> h5py.File:
    if not path.exists():
        raise ActivationError(
            f"there is no recording {path}; make one with `probe extract model.pt corpus.txt -o {path}`"
        )
    if not path.is_file() or not h5py.is_hdf5(path):
        raise ActivationError(f"{path} is not a recording: not an HDF5 file; `probe extract` writes recordings")
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise ActivationError(f"{path} is truncated or damaged; extract it again") from error


def _check_attrs(path: Path, attrs: Mapping[str, Any]) -> None:
    if attrs.get("format") != layout.FORMAT:
        raise ActivationError(f"{path} is an HDF5 file but not a recording; `probe extract` writes recordings")
    if attrs.get("format_version") != layout.VERSION:
        raise ActivationError(
            f"{path} is a recording of version {attrs.get('format_version')}, and this program reads version "
            f"{layout.VERSION}; extract it again"
        )
    if not attrs.get("complete"):
        raise ActivationError(f"{path} is incomplete: its extraction was stopped; extract it again")


def _map(path: Path, dataset: h5py.Dataset) -> NDArray[Any]:
    offset = dataset.id.get_offset()
    if offset is None:
        raise ActivationError(
            f"{path} keeps {dataset.name} in chunks, which this program does not read; extract it again"
        )
    return np.memmap(path, dataset.dtype, "r", offset, dataset.shape)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str) and value[:1] in ("{", "["):
        return json.loads(value)
    return value
