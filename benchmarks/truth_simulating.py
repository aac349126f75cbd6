"""Units and labels of known truth: how they are drawn, how long they remember, and a source that has them in memory.

Every process says its `tau`, its integrated autocorrelation time in characters: if characters t apart have an
autocorrelation of exp(−t / tau), it is tau.
"""

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.signal import lfilter
from scipy.special import kv
from scipy.stats import norm

from activations.blocks import Block, thin_out
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.targets.labelling import target_of_labels
from analyses.targets.target import Target
from hypotheses.labels import Labels

SITE = Site.of(0, "hidden")
PLANTED_CLASS = 2  # of a categorical label: the one that a unit is made to tell
_BLOCK_CHARS = 1 << 14
Floats = NDArray[np.float32]
Random = np.random.Generator


class UnitProcess(Protocol):
    """How units that have nothing to do with a label are drawn."""

    @property
    def tau(self) -> float:
        """How long a unit remembers."""
        ...

    def draw(self, rng: Random, n_chars: int, n_units: int) -> Floats:
        """(n_units, n_chars) values."""
        ...

    def shift(self, auc: float) -> float:
        """What to add where a label is True for this AUC."""
        ...


class LabelProcess(Protocol):
    """How labels are drawn."""

    @property
    def tau(self) -> float:
        """How long a label remembers."""
        ...

    def draw(self, rng: Random, n_chars: int) -> Labels:
        """(n_chars,) labels."""
        ...


def autoregressive(rng: Random, n_chars: int, n_units: int, tau: float) -> Floats:
    """(n_units, n_chars) stationary Gaussian values of variance 1, with autocorrelation exp(−t / tau)."""
    keep = math.exp(-1 / tau)
    news = np.float32(math.sqrt(1 - keep**2))
    before = np.float32(keep) * rng.standard_normal((n_units, 1), dtype=np.float32)
    drawn = rng.standard_normal((n_units, n_chars), dtype=np.float32)
    values, _ = lfilter(np.array([news]), np.array([1, -keep], np.float32), drawn, axis=-1, zi=before)
    return np.asarray(values, np.float32)


def pieces(rng: Random, n_chars: int, mean: float) -> NDArray[np.int64]:
    """(n_chars,) the piece that each character is in, where pieces have geometric lengths of this mean."""
    expected = n_chars / mean
    lengths = rng.geometric(1 / mean, int(expected + 6 * math.sqrt(expected)) + 10)
    lengths[-1] += n_chars
    return np.repeat(np.arange(len(lengths)), lengths)[:n_chars]


def _gaussian_shift(auc: float) -> float:
    return math.sqrt(2) * float(norm.ppf(auc))


@dataclass(frozen=True)
class Steady:
    """Units that forget exponentially."""

    tau: float = 100

    def draw(self, rng: Random, n_chars: int, n_units: int) -> Floats:
        """See `UnitProcess`."""
        return autoregressive(rng, n_chars, n_units, self.tau)

    def shift(self, auc: float) -> float:
        """See `UnitProcess`."""
        return _gaussian_shift(auc)


@dataclass(frozen=True)
class Several:
    """Units that forget exponentially, each in its own time: taus between two, in equal ratios."""

    shortest: float
    longest: float
    n_different: int

    @property
    def tau(self) -> float:
        """Of the slowest."""
        return self.longest

    def draw(self, rng: Random, n_chars: int, n_units: int) -> Floats:
        """See `UnitProcess`."""
        taus = np.geomspace(self.shortest, self.longest, self.n_different).tolist()
        shares = [len(part) for part in np.array_split(np.arange(n_units), len(taus))]
        drawn = [autoregressive(rng, n_chars, n, tau) for n, tau in zip(shares, taus, strict=True) if n]
        return np.concatenate(drawn)

    def shift(self, auc: float) -> float:
        """See `UnitProcess`."""
        return _gaussian_shift(auc)


@dataclass(frozen=True)
class LevelShifts:
    """Units that stay at a level for some time, with as much white noise on top."""

    mean: float = 6000

    @property
    def tau(self) -> float:
        """Half that of the levels, since the noise forgets at once."""
        return self.mean / 2

    def draw(self, rng: Random, n_chars: int, n_units: int) -> Floats:
        """See `UnitProcess`."""
        noise = rng.standard_normal((n_units, n_chars), dtype=np.float32)
        for unit in noise:
            own = pieces(rng, n_chars, self.mean)
            unit += rng.standard_normal(int(own[-1]) + 1, dtype=np.float32)[own]
        return noise * np.float32(math.sqrt(0.5))

    def shift(self, auc: float) -> float:
        """See `UnitProcess`."""
        return _gaussian_shift(auc)


@dataclass(frozen=True)
class HeavyTails:
    """Units that forget exponentially, with news of Student's t distribution with 2 degrees of freedom."""

    tau: float = 100

    def draw(self, rng: Random, n_chars: int, n_units: int) -> Floats:
        """See `UnitProcess`."""
        n_before = int(20 * self.tau)
        drawn = rng.standard_t(2, (n_units, n_before + n_chars))
        values = lfilter([1.0], [1.0, -math.exp(-1 / self.tau)], drawn, axis=-1)
        return np.asarray(values[:, n_before:], np.float32)

    def shift(self, auc: float) -> float:
        """See `UnitProcess`."""
        return _heavy_shift(self.tau, auc)


@cache
def _heavy_shift(tau: float, auc: float) -> float:
    """The shift for an AUC, from the characteristic function of the difference of two values (Gil-Pelaez 1951)."""
    t = np.linspace(1e-5, 8 / math.sqrt(tau), 1601)  # the values are more than sqrt(tau) wide
    weights = np.exp(-np.arange(int(10 * tau)) / tau)
    logs = np.zeros(len(t))
    for weight in weights.tolist():
        z = math.sqrt(2) * weight * t
        logs += np.log(z * kv(1, z))  # of Student's t with 2 degrees of freedom
    both = np.exp(2 * logs)

    def auc_of(shift: float) -> float:
        return float(0.5 + np.trapezoid(np.sin(t * shift) / t * both, t) / np.pi)

    return float(brentq(lambda shift: auc_of(shift) - auc, 0.0, 1000.0)) if auc != 0.5 else 0.0


@dataclass(frozen=True)
class Walks:
    """Units that add up what they get, and never forget."""

    tau: float = math.inf

    def draw(self, rng: Random, n_chars: int, n_units: int) -> Floats:
        """See `UnitProcess`."""
        return rng.standard_normal((n_units, n_chars)).cumsum(axis=-1).astype(np.float32)

    def shift(self, auc: float) -> float:
        """See `UnitProcess`; only units of no shift are drawn."""
        return _none(auc)


@dataclass(frozen=True)
class Trending:
    """Units that rise along the text as much as they vary otherwise."""

    noise: float = 100
    tau: float = math.inf

    def draw(self, rng: Random, n_chars: int, n_units: int) -> Floats:
        """See `UnitProcess`."""
        rise = (np.arange(n_chars) / n_chars - 0.5) * math.sqrt(12)
        return autoregressive(rng, n_chars, n_units, self.noise) + rise.astype(np.float32)

    def shift(self, auc: float) -> float:
        """See `UnitProcess`; only units of no shift are drawn."""
        return _none(auc)


def _none(auc: float) -> float:
    if auc != 0.5:
        raise ValueError(f"no shift is known for an AUC of {auc}")
    return 0.0


@dataclass(frozen=True)
class Runs:
    """Labels that are True in runs of one mean length, and False in runs of another, both geometric.

    Such a label is drawn anew after pieces of geometric length.
    """

    true: float = 60
    false: float = 60

    @property
    def tau(self) -> float:
        """Mean length of the pieces."""
        return 1 / (1 / self.true + 1 / self.false)

    def draw(self, rng: Random, n_chars: int) -> Labels:
        """See `LabelProcess`."""
        own = pieces(rng, n_chars, self.tau)
        values = rng.random(int(own[-1]) + 1) < self.true / (self.true + self.false)
        return Labels(values[own], "binary")


@dataclass(frozen=True)
class CountedRuns:
    """Labels with so many runs of True and as many of False, between places drawn at random."""

    n: int
    n_chars: int

    @property
    def tau(self) -> float:
        """About half a run."""
        return self.n_chars / self.n / 4

    def draw(self, rng: Random, n_chars: int) -> Labels:
        """See `LabelProcess`."""
        changes = np.zeros(n_chars, np.int64)
        changes[1 + rng.choice(n_chars - 1, 2 * self.n - 1, replace=False)] = 1
        return Labels((changes.cumsum() + rng.integers(2)) % 2 == 0, "binary")


@dataclass(frozen=True)
class HeavyRuns:
    """Labels in runs whose lengths have no variance: Pareto's with index 1.5."""

    mean: float = 60
    tau: float = math.inf

    def draw(self, rng: Random, n_chars: int) -> Labels:
        """See `LabelProcess`."""
        lengths = np.ceil((rng.pareto(1.5, int(3 * n_chars / self.mean) + 10) + 1) * self.mean / 3).astype(np.int64)
        lengths[-1] += n_chars
        return Labels(np.repeat(np.arange(len(lengths)) % 2 == rng.integers(2), lengths)[:n_chars], "binary")


@dataclass(frozen=True)
class RisingPrevalence:
    """Labels that are True more and more often along the text, from .2 to .8, in runs of some 60 characters."""

    mean: float = 60
    tau: float = math.inf

    def draw(self, rng: Random, n_chars: int) -> Labels:
        """See `LabelProcess`."""
        own = pieces(rng, n_chars, self.mean / 2)
        drawn = rng.random(int(own[-1]) + 1)
        return Labels(drawn[own] < 0.2 + 0.6 * np.arange(n_chars) / n_chars, "binary")


@dataclass(frozen=True)
class ClassRuns:
    """Four classes, equally frequent, in runs of geometric lengths."""

    mean: float = 60
    n_classes: int = 4

    @property
    def tau(self) -> float:
        """Of each class against the rest."""
        return self.mean * (1 - 1 / self.n_classes)

    def draw(self, rng: Random, n_chars: int) -> Labels:
        """See `LabelProcess`."""
        own = pieces(rng, n_chars, self.tau)
        drawn = rng.integers(self.n_classes, size=int(own[-1]) + 1, dtype=np.int32)
        return Labels(drawn[own], "categorical", names=tuple(f"class {n}" for n in range(self.n_classes)))


@dataclass(frozen=True)
class Numbers:
    """Gaussian numbers of variance 1 that forget exponentially, on a trend or not."""

    tau: float = 30
    trend: bool = False

    def draw(self, rng: Random, n_chars: int) -> Labels:
        """See `LabelProcess`."""
        values = autoregressive(rng, n_chars, 1, self.tau)[0].astype(np.float64)
        if self.trend:
            values += (np.arange(n_chars) / n_chars - 0.5) * math.sqrt(12)
        return Labels(values, "numeric")


@dataclass(frozen=True)
class World:
    """What each repetition draws.

    Attributes:
        unit: The units.
        label: The label.
        n_chars: Length of the text.
        truth: True AUC, or r of a numeric label, of every unit; None is chance.
        document: Length of a document, at each of which all begins anew; None is a single one.
    """

    unit: UnitProcess = Steady()
    label: LabelProcess = Runs()
    n_chars: int = 50_000
    truth: float | None = None
    document: int | None = None

    @property
    def is_numeric(self) -> bool:
        """Whether the truth is r, and not an AUC."""
        return isinstance(self.label, Numbers)

    @property
    def chance(self) -> float:
        """The truth of a unit that has nothing to do with the label."""
        return 0.0 if self.is_numeric else 0.5

    @property
    def stationary(self) -> bool:
        """Whether unit and label have a memory that ends, so that it can be said when an interval is due."""
        return math.isfinite(self.unit.tau) and math.isfinite(self.label.tau)

    def true_score(self, direction: int, class_name: str | None = None) -> float:
        """What an interval should cover, as seen from the side of chance that was found in training."""
        truth = self.chance if self.truth is None else self.truth
        if class_name is not None and class_name != f"class {PLANTED_CLASS}":  # its rest has the planted one in it
            truth = (1 - truth) / 3 + 0.5 * 2 / 3
        return truth if direction > 0 else 2 * self.chance - truth


def corpus(n_chars: int, document: int | None = None) -> Corpus:
    """A text that says nothing, made once for each length."""
    return _corpus(n_chars, document or n_chars)


@cache
def _corpus(n_chars: int, document: int) -> Corpus:
    return Corpus.from_texts(["a" * min(document, n_chars - start) for start in range(0, n_chars, document)])


class Memory:
    """A source of float32 activations that are at hand."""

    is_live = False
    model_sha256 = "0" * 64
    reading_rule = PLAIN

    def __init__(self, values: NDArray[Any], text: Corpus) -> None:
        self.corpus = text
        self.selection = Selection.of(len(text))
        self.vocabulary = Vocabulary.of(["a"])
        self.sites = {SITE: values.shape[1]}
        self.values = values

    def dtype(self, site: Site) -> np.dtype[Any]:
        """The number type of the values."""
        return self.values.dtype

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Each document in order."""
        for document in self.corpus.documents:
            for start in range(document.start, document.stop, _BLOCK_CHARS):
                rows = slice(start, min(start + _BLOCK_CHARS, document.stop))
                yield Block(start, {SITE: self.values[rows]})

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """A passage."""
        return dict.fromkeys(sites, self.values[start:stop])

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """None."""
        return {}

    def sample(
        self, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
    ) -> dict[Site, NDArray[np.float32]]:
        """One character in so many."""
        return thin_out(self, sites, n_chars, advance)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = no_progress) -> Iterator["Memory"]:
        """It can be read many times as it is."""
        yield self


def draw_units(world: World, rng: Random, n_units: int) -> Floats:
    """(n_units, n_chars) units that have nothing to do with any label."""
    if world.document is None:
        return world.unit.draw(rng, world.n_chars, n_units)
    n_documents = world.n_chars // world.document
    return world.unit.draw(rng, world.document, n_units * n_documents).reshape(n_units, world.n_chars)


def draw_labels(world: World, rng: Random) -> Labels:
    """(n_chars,) labels."""
    if world.document is None:
        return world.label.draw(rng, world.n_chars)
    return Labels.join([world.label.draw(rng, world.document) for _ in range(world.n_chars // world.document)])


def plant(world: World, units: Floats, labels: Labels, truths: NDArray[np.float64]) -> None:
    """Make units tell a label.

    Args:
        world: What they are of.
        units: (n_units, n_chars) values, which are changed.
        labels: The label.
        truths: (n_units,) the AUC or r that each is to have.
    """
    if labels.kind == "numeric":
        for unit, r in zip(units, truths.tolist(), strict=True):
            unit *= np.float32(math.sqrt(1 - r * r))
            unit += (r * labels.values).astype(np.float32)
        return
    told = labels.values == (1 if labels.kind == "binary" else PLANTED_CLASS)
    for unit, auc in zip(units, truths.tolist(), strict=True):
        unit[told] += np.float32(world.unit.shift(auc))


def draw(world: World, rng: Random, n_units: int) -> tuple[Memory, Target]:
    """Units and a label of a world.

    Raises:
        AnalysisError: If the label is all the same in a part of the text.
    """
    labels = draw_labels(world, rng)
    asked = target(world, labels)
    units = draw_units(world, rng, n_units)
    if world.truth is not None:
        plant(world, units, labels, np.full(n_units, world.truth))
    return source(world, units), asked


def source(world: World, units: Floats) -> Memory:
    """(n_units, n_chars) units as a source."""
    return Memory(units.T, corpus(world.n_chars, world.document))


def target(world: World, labels: Labels) -> Target:
    """Labels as the target of an analysis.

    Raises:
        AnalysisError: If the label is all the same in a part of the text.
    """
    return target_of_labels(corpus(world.n_chars, world.document), "drawn", labels)
