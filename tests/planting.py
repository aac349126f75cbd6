"""What is planted in the recordings that tests generate, and models made by hand."""

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import lfilter

from activations.blocks import Block, thin_out
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.intervals.atom_sums import AtomSums, JointSums
from analyses.levels.columns import LevelReader, ReadingLimits
from analyses.session import AnySource, Session

PLANTED = {
    "in_quotes": Unit(Site.of(0, "hidden"), 3),
    "in_comment": Unit(Site.of(1, "hidden"), 5),
    "position_in_line": Unit(Site.of(1, "cell"), 7),
}
SITES = {Site.of(0, "hidden"): 6, Site.of(1, "hidden"): 9, Site.of(1, "cell"): 8}


def random_model(text: str, seed: int = 0, *, gain: float = 1.0, **config: str | int) -> CharRNN:
    """An untrained model that knows the characters of a text; a larger gain makes it remember longer."""
    torch.manual_seed(seed)
    model = CharRNN(ModelConfig(**{"n_units": 8, **config}), Vocabulary.of([text]))  # type: ignore[arg-type]
    for weight in model.rnn.parameters():
        weight.data *= gain
    return model.eval()


class Arrays:
    """A source of activations that are at hand, of a text that says nothing."""

    is_live = False
    model_sha256 = "0" * 64
    reading_rule = PLAIN

    def __init__(
        self,
        values: Mapping[Site, NDArray[Any]],
        text: str | None = None,
        selection: Selection | None = None,
        *,
        documents: Sequence[int] = (),
        predictions: Mapping[str, NDArray[Any]] | None = None,
    ) -> None:
        """Of (n_chars, n_units) values of a text, if need be one in documents of so many characters."""
        n_chars = len(next(iter(values.values())))
        whole = text or "a" * n_chars
        ends = [*itertools.accumulate(documents)] or [n_chars]
        self.corpus = Corpus.from_texts([whole[a:b] for a, b in itertools.pairwise([0, *ends])])
        self.selection = selection or Selection.of(n_chars)
        self.vocabulary = Vocabulary.of(["a"])
        self.sites = {site: array.shape[1] for site, array in values.items()}
        self._values = dict(values)
        self._predictions = dict(predictions or {})

    def dtype(self, site: Site) -> np.dtype[Any]:
        return self._values[site].dtype

    def blocks(
        self, sites: Collection[Site] | None = None, n_chars: int = 1000, *, predictions: bool = False
    ) -> Iterator[Block]:
        """In blocks, the last first."""
        chosen = list(self.sites if sites is None else sites)
        used, every = self.selection, self.selection.every
        told = self._predictions if predictions else {}
        for document in reversed(self.corpus.documents):
            first, stop = used.first(document.start), min(document.stop, used.stop)
            for start in reversed(range(first, stop, n_chars * every)):
                rows = slice(start, min(start + n_chars * every, stop), every)
                values = {site: self._values[site][rows].copy() for site in chosen}
                yield Block(start, values, {name: own[rows].copy() for name, own in told.items()}, every)

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        part = self.selection.part(start, stop)
        return {site: self._values[site][part.start : part.stop : part.every] for site in sites}

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        part = self.selection.part(start, stop)
        chosen = [kind for kind in self._predictions if kinds is None or kind in kinds]
        return {kind: self._predictions[kind][part.start : part.stop : part.every] for kind in chosen}

    def sample(
        self, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
    ) -> dict[Site, NDArray[np.float32]]:
        return thin_out(self, sites, n_chars, advance)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = no_progress) -> Iterator["Arrays"]:
        yield self


class Live(Arrays):
    """Activations that are dear to read again."""

    is_live = True


class LimitedSession(Session):
    """A session that reads and counts no more together than some limits allow."""

    def __init__(self, source: AnySource, limits: ReadingLimits) -> None:
        super().__init__(source)
        self._limits = limits

    @cached_property
    def levels(self) -> LevelReader:
        return LevelReader(self, limits=self._limits)


def sums_of_rows(x: NDArray[np.floating], y: NDArray[Any], atoms: NDArray[np.int64], n_atoms: int) -> AtomSums:
    """Of (n_chars, n_units) and (n_chars,) numbers, and the atom of each."""
    sums = JointSums(n_atoms, x.shape[1], 1)
    for atom in np.unique(atoms).tolist():
        rows = atoms == atom
        sums.add(atom, x[rows].T, np.column_stack([y[rows], np.ones(rows.sum())]))
    return sums.of_label(0)


def in_runs(rng: np.random.Generator, n_chars: int, mean: float) -> NDArray[np.bool_]:
    """Labels in runs whose lengths are geometric."""
    lengths = rng.geometric(1 / mean, size=int(4 * n_chars / mean) + 10)
    return np.repeat(np.arange(len(lengths)) % 2 == rng.integers(2), lengths)[:n_chars]


def drifting(rng: np.random.Generator, n_chars: int, n_units: int, time_constant: float) -> NDArray[np.float32]:
    """Units that forget slowly, and have nothing to do with anything."""
    keep = np.exp(-1 / time_constant)
    return np.asarray(lfilter([1], [1, -keep], rng.normal(size=(n_chars, n_units)), axis=0), np.float32)
