"""One unit turned round: which hypotheses it answers to, and where it is most and least active."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source, joined, thin_out
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.intervals.significance import q_values
from analyses.ranking.ranking import rank_all
from analyses.ranking.results import RankedUnit
from analyses.ranking.tuning import Tuning, tune
from analyses.session import question
from analyses.targets.classes import Classes, classes_of
from analyses.targets.labelling import targets_for
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target

_N_CANDIDATES = 12  # that are tried together: those that explain most alone
_LEAST_ADDED = 0.005
_CHARS_AT_ONCE = 1 << 15
_APART = 200  # characters, from one passage to the next
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a unit has to do with one hypothesis.

    Attributes:
        hypothesis: Its name.
        measure: `auc`, or `r` for a number.
        found: Of the unit; `q` is over the hypotheses.
        adds: What share of the unit's held-out variance it explains beyond those that add more; None if it is not one
            of those that explain most together.
        period: Of the wave that the unit makes of a number; None if it makes none, see `waves.find_wave`.
        wave_p: How often a curve with one peak at most would seem to be a wave; None if that cannot be told.
    """

    hypothesis: str
    measure: str
    found: RankedUnit
    adds: float | None
    period: float | None
    wave_p: float | None

    def row(self) -> dict[str, str | float | int | None]:
        """What `probe explain --json` prints."""
        each = self.found
        return {
            "hypothesis": self.hypothesis if each.label is None else f"{self.hypothesis} == {each.label}",
            "measure": self.measure,
            "test": each.held_out,
            "low": each.low,
            "high": each.high,
            "within": each.within,
            "q": each.q,
            "direction": each.direction,
            "adds": self.adds,
            "period": self.period,
            "wave_p": self.wave_p,
            "all": each.overall,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A place where a unit is very active, or hardly.

    Attributes:
        place: Of the character in the corpus.
        value: Of the unit there.
        before: Some text before that character.
        character: The one.
        after: Some text behind it.
    """

    place: int
    value: float
    before: str
    character: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Explanation:
    """What one unit answers to.

    Attributes:
        unit: Which one.
        answers: The hypotheses that explain most of it together first, in the order in which they add to it; then
            the others by how well the unit tells them.
        tunings: For each of the first, its tuning curve.
        most: Where the unit is most active, the most first.
        least: Where it is least.
    """

    unit: Unit
    answers: tuple[Answer, ...] = field(repr=False)
    tunings: tuple[Tuning, ...] = field(repr=False)
    most: tuple[Passage, ...] = field(repr=False)
    least: tuple[Passage, ...] = field(repr=False)

    @property
    def explained(self) -> float:
        """The share of the unit's held-out variance that the hypotheses explain together."""
        return sum(each.adds for each in self.answers if each.adds is not None)

    def __str__(self) -> str:
        lines = [f"{self.unit}: {self.explained:.0%} of it explained by"]
        lines += [f"  {each.hypothesis} ({each.adds:+.1%})" for each in self.answers if each.adds is not None]
        return "\n".join(lines)


@question
def explain(
    source: Source,
    unit: Unit,
    targets: Sequence[Target],
    *,
    n_passages: int = 5,
    progress: Progress = lambda done, total: None,
) -> Explanation:
    """Ask of one unit which hypotheses it answers to.

    Args:
        source: A recording or live activations.
        unit: Which one.
        targets: What may explain it.
        n_passages: How many passages to show where it is most active, and as many where it is least.
        progress: Called with the characters done and their number.

    Raises:
        AnalysisError: If there is no such unit, or it never changes.
    """
    asked = targets_for(source, targets)
    one = _OneUnit(source, unit)
    values = one.values()
    lowest, highest = (float(extreme.reduce(values)) for extreme in (np.fmin, np.fmax))
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise AnalysisError(f"some activations of {unit} are not numbers (NaN or infinite)")
    if lowest == highest:
        raise AnalysisError(f"{unit} is {lowest:g} at every character, so that nothing can explain it")
    rankings = rank_all(one, asked, progress=progress)
    del one  # its memory is wanted
    found = [replace(each.units[0], unit=unit) for each in rankings]
    q = q_values(np.array([each.p for each in found]))
    found = [replace(each, q=float(own)) for each, own in zip(found, q, strict=True)]
    by_score = sorted(range(len(found)), key=lambda place: -np.nan_to_num(found[place].score, nan=-1.0))
    classes = [classes_of(each) for each in asked]
    tunings = [tune(values, each, own) for each, own in zip(asked, classes, strict=True)]
    candidates = sorted(range(len(asked)), key=lambda place: -np.nan_to_num(tunings[place].eta2, nan=-1.0))
    candidates = candidates[:_N_CANDIDATES]
    chosen = _add_one_by_one(values, [(asked[place], classes[place]) for place in candidates])
    adds = {candidates[place]: added for place, added in chosen}
    order = [*adds, *(place for place in by_score if place not in adds)]
    return Explanation(
        unit=unit,
        answers=tuple(
            Answer(
                hypothesis=asked[place].hypothesis,
                measure=rankings[place].measure,
                found=found[place],
                adds=adds.get(place),
                period=tunings[place].period,
                wave_p=tunings[place].wave_p,
            )
            for place in order
        ),
        tunings=tuple(tunings[place] for place in adds),
        most=_passages(source.corpus, values, n_passages),
        least=_passages(source.corpus, values, n_passages, sign=-1),
    )


class _OneUnit:
    """A source with one unit alone, whose index is 0."""

    is_live = False

    def __init__(self, source: Source, unit: Unit) -> None:
        n_units = source.sites.get(unit.site)
        if n_units is None:
            there = ", ".join(map(str, source.sites))
            raise AnalysisError(f"there is no site {unit.site} here; there are {there}")
        if unit.index >= n_units:
            raise AnalysisError(f"{unit.site} has {n_units} units, 0 to {n_units - 1}, and so no {unit.index}")
        self.corpus: Corpus = source.corpus
        self.selection: Selection = source.selection
        self.vocabulary: Vocabulary = source.vocabulary
        self.model_sha256 = source.model_sha256
        self.reading_rule: ReadingRule = source.reading_rule
        self.sites: Mapping[Site, int] = {unit.site: 1}
        self._dtype = source.dtype(unit.site)
        self._blocks = [
            replace(block, values={unit.site: block.values[unit.site][:, unit.index : unit.index + 1].copy()})
            for block in source.blocks([unit.site])
        ]

    def values(self) -> NDArray[np.floating]:
        """(n_chars,) the unit at every character of the text, as it is recorded; NaN at those that are not used."""
        values = np.full(len(self.corpus), np.nan, self._dtype)
        for block in self._blocks:
            [own] = block.values.values()
            values[block.places] = own[:, 0]
        return values

    def dtype(self, site: Site) -> np.dtype[Any]:
        return self._dtype

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        return iter(self._blocks)

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        return joined(self, self._blocks, sites, start, stop)

    def sample(
        self, sites: Collection[Site], n_chars: int, forward: Callable[[int], None] = lambda n_chars: None
    ) -> dict[Site, NDArray[np.float32]]:
        return thin_out(self, sites, n_chars, forward)

    @contextmanager
    def rereadable(
        self, sites: Collection[Site], progress: Callable[[int, int], None] = lambda done, total: None
    ) -> Iterator["_OneUnit"]:
        yield self


def _add_one_by_one(values: NDArray[np.floating], targets: Sequence[tuple[Target, Classes]]) -> list[tuple[int, float]]:
    """The labels that explain a unit together, each the one that adds most to those before it, and how much.

    Chosen on training characters, of those that add something to held-out ones, where what they add is measured. Each
    label stands for the unit's mean in each of its classes, and these are added up: no label has to do with a unit by
    way of another.
    """
    if not targets:
        return []
    sizes = [len(classes.names) for _, classes in targets]
    starts = np.cumsum([0, *sizes])
    pieces = [slice(n, min(n + _CHARS_AT_ONCE, len(values))) for n in range(0, len(values), _CHARS_AT_ONCE)]
    sums = [(float(np.nansum(values[piece], dtype=np.float64)), int(_known(values[piece]).sum())) for piece in pieces]
    middle = sum(total for total, _ in sums) / sum(n for _, n in sums)
    n_columns = starts[-1] + 1
    gram = {part: np.zeros((n_columns, n_columns)) for part in (TRAIN, TEST)}
    product = {part: np.zeros(n_columns) for part in (TRAIN, TEST)}
    scatter, n = {TRAIN: 0.0, TEST: 0.0}, {TRAIN: 0, TEST: 0}
    for piece in pieces:
        parts = targets[0][0].parts_of_places(np.arange(piece.start, piece.stop))
        x = [
            _codes(each, classes, piece)[:, None] == np.arange(size)
            for (each, classes), size in zip(targets, sizes, strict=True)
        ]
        y = values[piece].astype(np.float64) - middle
        design = np.hstack([*x, np.ones((len(y), 1), bool)]).astype(np.float32)
        for part in (TRAIN, TEST):
            rows = (parts == part) & _known(y)
            own = design[rows]
            gram[part] += own.T @ own
            product[part] += y[rows] @ own
            scatter[part] += float(y[rows] @ y[rows])
            n[part] += int(rows.sum())

    def explained(columns: list[int]) -> tuple[float, float]:
        own = np.ix_(columns, columns)
        weights = np.linalg.solve(gram[TRAIN][own] + 1e-3 * np.eye(len(columns)), product[TRAIN][columns])
        return tuple(
            1
            - (scatter[part] - 2 * weights @ product[part][columns] + weights @ gram[part][own] @ weights)
            / (scatter[part] - product[part][-1] ** 2 / n[part])
            for part in (TRAIN, TEST)
        )

    chosen: list[tuple[int, float]] = []
    columns, before = [n_columns - 1], (0.0, 0.0)
    rest = set(range(len(targets)))
    while rest:
        gains = {place: explained([*columns, *range(starts[place], starts[place + 1])]) for place in sorted(rest)}
        rest = {place for place in rest if gains[place][1] - before[1] >= _LEAST_ADDED}
        if rest:
            best = max(sorted(rest), key=lambda place: gains[place][0])
            chosen.append((best, gains[best][1] - before[1]))
            columns, before = [*columns, *range(starts[best], starts[best + 1])], gains[best]
            rest.remove(best)
    return chosen


def _known(values: NDArray[np.floating]) -> NDArray[np.bool_]:
    return np.asarray(~np.isnan(values))


def _codes(asked: Target, classes: Classes, piece: slice) -> NDArray[np.int8]:
    """(n_chars,) the class of each of some characters of the text, -1 where the label is missing."""
    missing = asked.labels.missing_at(piece)
    found = classes.of(piece)
    return (found if missing is None else np.where(missing, -1, found)).astype(np.int8)


def _passages(corpus: Corpus, values: NDArray[np.floating], n: int, sign: int = 1) -> tuple[Passage, ...]:
    """The characters with the highest values, or with the lowest if the sign is −1, none near another."""
    left = sign * values
    left[np.isnan(left)] = -np.inf
    found = []
    for _ in range(n):
        place = int(left.argmax())
        if not np.isfinite(left[place]):
            break
        document = next(each for each in corpus.documents if each.start <= place < each.stop)
        start, stop = max(document.start, place - 60), min(document.stop, place + 30)
        found.append(
            Passage(
                place=place,
                value=float(values[place]),
                before=corpus.text(start, place),
                character=corpus.text(place, place + 1),
                after=corpus.text(place + 1, stop),
            )
        )
        left[max(0, place - _APART) : place + _APART] = -np.inf
    return tuple(found)
