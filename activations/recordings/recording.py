"""Reading a recording."""

import json
import mmap
from collections.abc import Callable, Collection, Iterator, Mapping
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
from activations.recordings import layout
from activations.recordings.structure import selection_of, tokens_of
from activations.recordings.vetting import vet
from activations.site_names import AnySites, resolve_sites
from activations.texts.corpus import Codes, Corpus, Document, codes_to_text, joined, narrowest
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site

_READ_CHARS = 4096  # of a block, at least
_READ_BYTES = 1 << 22  # of a block, where characters have few
_HELD_BYTES = 1 << 25
_LAST_CODE_POINT = 0x10FFFF
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Recording:
    """A recording on disk, opened for reading: a source of blocks. Also a context manager.

    Every block is checked against its checksum the first time it is read.

    Attributes:
        path: The file.
        corpus: The text that was read.
        vocabulary: The characters of the model that read it.
        selection: The characters that were recorded.
        reading_rule: What the model read in place of the text as it stands.
        sites: What was recorded, and how many units each site has.
        facts: What else is known of each site.
        tokens: What rows are, if they are not characters; only `read` and `tokens` then say what is in the file.
    """

    is_live = False

    def __init__(self, path: Path | str) -> None:
        """Open a recording.

        Raises:
            ActivationError: If there is no such file, or it is not a recording, incomplete, damaged, or of
                another version.
        """
        self.path = Path(path)
        _refuse(self.path)
        self._file = h5py.File(self.path, "r")
        try:
            self._attrs = dict(self._file.attrs)
            self.corpus = self._read_corpus()
            self.vocabulary = self._read_vocabulary()
            self.selection = selection_of(self._file)
            self.reading_rule = self._read_rule()
            self._contents = json.loads(self._attrs["contents"])
            self.facts = layout.sites_of(self._attrs, self._contents)
            self.sites: Mapping[Site, int] = {site: facts.n_units for site, facts in self.facts.items()}
            self.tokens = tokens_of(self._file)
            documents, rows = self.corpus.documents, self.selection
            if self.tokens is not None:
                documents, rows = self.tokens.rows_of(documents), Selection.of(self.tokens.n_rows)
                for path in layout.TOKENS:
                    self._refuse_damaged(path)
            self._grid = layout.Grid(documents, rows, int(self._attrs["block_chars"]))
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
        return {
            name: json.loads(value) if name in layout.JSON_ATTRIBUTES else _plain(value)
            for name, value in self._attrs.items()
        }

    @property
    def predictions(self) -> list[str]:
        """The kinds of prediction that were recorded."""
        return sorted(path.removeprefix("/prediction/") for path in self._contents if path.startswith("/prediction/"))

    def blocks(self, sites: AnySites | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Every character once, in blocks, in the order of the text.

        Args:
            sites: What to give of each character; None is all there is.
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
        n_bytes = 0
        per_char = sum(self.dtype(site).itemsize * self.sites[site] for site in chosen if site in self.sites)
        n_chars = _READ_CHARS if predictions or not per_char else max(_READ_CHARS, _READ_BYTES // per_char)
        for numbers in self._grid.runs(n_chars):
            first, last = self._grid.first_rows[numbers[0]], self._grid.last_rows[numbers[-1]]
            start, stop = self._grid.starts[numbers[0]], self._grid.stops[numbers[-1]]
            values = self.read(chosen, int(start), int(stop))
            told = self.predictions if predictions else []
            found = {name: self._rows(layout.prediction_path(name), first, last) for name in told}
            yield Block(
                self.selection.start + int(first) * self.selection.every,
                values,
                found,
                self.selection.every,
            )
            n_bytes += sum(each.nbytes for each in (*values.values(), *found.values()))
            if n_bytes >= _HELD_BYTES:
                self._let_go()
                n_bytes = 0
        self._let_go()

    def dtype(self, site: Site) -> np.dtype[Any]:
        """The number type of a site's activations."""
        return self.facts[site].coding.dtype

    @property
    def model_sha256(self) -> str:
        """Hash of the model that was recorded, in hexadecimal; empty if the file does not tell."""
        return str(self._attrs.get("model_sha256", ""))

    def sample(
        self, sites: Collection[Site], n_chars: int, forward: Callable[[int], None] = lambda n_chars: None
    ) -> dict[Site, NDArray[np.float32]]:
        """(n_sampled, n_units) activations of sites, of one character in so many; see `Source.sample`."""
        return thin_out(self, sites, n_chars, forward)

    @contextmanager
    def rereadable(
        self, sites: Collection[Site], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Iterator[Self]:
        """This recording itself: it can be read as often as need be."""
        yield self

    def read(self, sites: AnySites, start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """(n_chars, n_units) activations of sites at the selected characters of a passage; see `Source.read`.

        Those in float16 and float32 are in the file itself, mapped into memory. If rows are tokens, they are those
        whose last characters stand there.

        Raises:
            ActivationError: If a site was not recorded, or the file is damaged there.
        """
        end = len(self.corpus) if stop is None else stop
        if self.tokens is None:
            first, last = self.selection.row(start), self.selection.row(end)
        else:
            first, last = np.searchsorted(self.tokens.ends, [start + 1, end + 1]).tolist()
        return {
            site: self.facts[site].coding.decode(self._rows(path, first, max(first, last)))
            for site, path in [(site, self._site_path(site)) for site in resolve_sites(self.sites, sites)]
        }

    def _site_path(self, site: Site) -> str:
        if site not in self.sites:
            recorded = ", ".join(str(each) for each in self.sites)
            raise ActivationError(f"{self.path} has no site {site}; it has {recorded}")
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
            return Vocabulary(characters, self._attrs["replacement"] or None, self._table("token_names"))
        except ActivationError as error:
            raise ActivationError(f"{self.path} cannot be used: {error}") from error

    def _read_rule(self) -> ReadingRule:
        try:
            return ReadingRule.from_data(self._table("reading_rule"))
        except ActivationError as error:
            raise ActivationError(f"{self.path} cannot be used: {error}") from error

    def _table(self, attribute: str) -> dict[str, Any]:
        """What an attribute has in JSON, by name; nothing, if it is not there."""
        try:
            found = json.loads(self._attrs.get(attribute, "{}"))
        except (TypeError, ValueError):
            found = None
        if not isinstance(found, dict):
            raise ActivationError(f"its attribute {attribute!r} is no JSON object")
        return found

    def _read_codes(self, path: str) -> Codes:
        codes = joined([narrowest(rows) for rows in layout.rows_of(self._file[path])])
        self._refuse_damaged(path)
        if codes.max() > _LAST_CODE_POINT:
            raise ActivationError(f"{self.path} cannot be used: /{path} has numbers that are no characters")
        return codes

    def _read_whole(self, path: str) -> NDArray[Any]:
        rows: NDArray[Any] = self._file[path][:]
        self._refuse_damaged(path)
        return rows

    def _refuse_damaged(self, path: str) -> None:
        if not self._is_sound(f"/{path}"):
            raise ActivationError(f"{self.path} is damaged in /{path}; extract it again")

    def _rows(self, path: str, first: int, last: int) -> NDArray[Any]:
        rows = self._mapped[path][first:last]
        self._verify(path, first, last)
        return np.asarray(rows)

    def faults(self, progress: Callable[[int, int], None] = lambda done, total: None) -> Iterator[str]:
        """Read everything, and tell what does not fit its checksum, and what is not a number and should be one.

        Args:
            progress: Called with the blocks done and their number.
        """
        for number, path in enumerate(self._mapped):
            n_values = n_chars = n_bytes = 0
            first: int | None = None
            for run in self._grid.runs(_READ_CHARS):
                for block in self._damaged(path, run):
                    yield f"damaged in {path}, characters {self._grid.starts[block]:,} to {self._grid.stops[block]:,}"
                in_rows = self._not_numbers(path, run)
                n_values += int(in_rows.sum())
                n_chars += int(np.count_nonzero(in_rows))
                if first is None and n_values:
                    row = self._grid.first_rows[run.start] + np.flatnonzero(in_rows)[0]
                    first = self.selection.start + int(row) * self.selection.every
                n_bytes += len(in_rows) * self._mapped[path].strides[0]
                if n_bytes >= _HELD_BYTES:
                    self._let_go()
                    n_bytes = 0
                progress(number * len(self._grid) + run.stop, len(self._mapped) * len(self._grid))
            self._let_go()
            if n_values:
                yield (
                    f"{path} has {n_values:,} values that are not numbers (NaN or infinite), at {n_chars:,} of "
                    f"{self.selection.n_chars:,} characters, the first of them {first:,}"
                )
        yield from (f"damaged in {p}" for p in self._contents if p not in self._mapped and not self._is_sound(p))

    def _verify(self, path: str, first: int, last: int) -> None:
        verified = self._verified.setdefault(path, np.zeros(len(self._grid), bool))
        numbers = self._grid.numbers(first, last)
        if verified[numbers.start : numbers.stop].all():
            return
        for number in self._damaged(path, numbers):
            raise ActivationError(
                f"{self.path} is damaged in {path}, characters {self._grid.starts[number]:,} to "
                f"{self._grid.stops[number]:,}; extract it again"
            )
        verified[numbers.start : numbers.stop] = True

    def _damaged(self, path: str, numbers: range) -> Iterator[int]:
        """The blocks whose rows do not fit their checksums."""
        checksums = self._file[layout.checksum_path(path)][numbers.start : numbers.stop]
        firsts, lasts = (each[numbers.start : numbers.stop] for each in (self._grid.first_rows, self._grid.last_rows))
        found = layout.checksums(self._mapped[path][firsts[0] : lasts[-1]], lasts - firsts)
        yield from (numbers.start + np.flatnonzero(np.array(found, np.uint64) != checksums)).tolist()

    def _not_numbers(self, path: str, numbers: range) -> NDArray[np.int64]:
        """(n_rows,) how many values of each row of some blocks are not numbers, but should be."""
        first, last = self._grid.first_rows[numbers[0]], self._grid.last_rows[numbers[-1]]
        rows = self._mapped[path][first:last]
        if path.startswith(layout.SITES):
            rows = self.facts[Site(path.removeprefix(layout.SITES))].coding.decode(rows)
        is_wrong = ~np.isfinite(rows).reshape(len(rows), -1)
        if path == layout.prediction_path(layout.LOG_PROB):  # nothing follows the end of a document
            is_wrong[:, 0] &= ~(self._ends_document(first, last) & np.isnan(rows))
        counts: NDArray[np.int64] = is_wrong.sum(1)
        return counts

    def _ends_document(self, first: int, last: int) -> NDArray[np.bool_]:
        """(n_rows,) whether the reading of documents ends with rows from `first` up to `last`."""
        if self.tokens is not None:
            return np.isin(self.tokens.ends[first:last], self.corpus.stops)
        start, every = self.selection.start, self.selection.every
        ends = self.corpus.is_first if self.reading_rule.backwards else self.corpus.is_last
        return ends(slice(start + first * every, start + (last - 1) * every + 1, every))

    def _is_sound(self, path: str) -> bool:
        """Does a dataset with one checksum fit it?"""
        return bool(layout.checksum_of(self._file[path]) == self._file[layout.checksum_path(path)][0])

    @cached_property
    def _mapped(self) -> dict[str, NDArray[Any]]:
        """The big datasets, mapped into memory where they stand one row after another."""
        paths = [self._site_path(site) for site in self.sites]
        datasets = {p: self._file[p] for p in [*paths, *map(layout.prediction_path, self.predictions)]}
        return {p: np.ndarray(d.shape, d.dtype, self._map, d.id.get_offset()) for p, d in datasets.items()}

    @cached_property
    def _map(self) -> mmap.mmap:
        with self.path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _let_go(self) -> None:
        """Let the system have the memory of what was read; what is still in use is read again from the file."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def _refuse(path: Path) -> None:
    """Refuse what is no whole recording.

    Raises:
        ActivationError: With the reason.
    """
    if not _exists(path):
        raise ActivationError(
            f"there is no recording {path}; make one with `probe extract model.pt corpus.txt -o {path}`"
        )
    if _beginning(path) != _SIGNATURE:
        raise ActivationError(f"{path} is not a recording: not an HDF5 file; `probe extract` writes recordings")
    complaint = vet(path)
    if complaint is not None:
        raise ActivationError(f"{path} cannot be used: {complaint}; extract it again")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _beginning(path: Path) -> bytes:
    if not path.is_file():
        return b""
    try:
        with path.open("rb") as file:
            return file.read(len(_SIGNATURE))
    except OSError as error:
        raise ActivationError(f"cannot read {path}: {error.strerror or error}") from error


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
