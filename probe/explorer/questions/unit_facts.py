"""Facts about one unit, each a function of its own, so that the quick ones are told first.

Whatever takes a progress may be ended by what the progress raises.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.progress import Progress, counting, no_progress
from activations.site_names import AnySites
from activations.units import Unit
from analyses.collecting.collect import collect
from analyses.errors import AnalysisError
from analyses.named_parts import sites_among, units_among
from analyses.profiling.histograms import histogram
from analyses.profiling.unit_profile import gates_beside, unit_profile
from analyses.ranking.explaining.explanation import Passage, explain, extreme_passages
from analyses.ranking.explaining.one_unit import OneUnit
from analyses.ranking.ranking import rank
from analyses.session import Session
from analyses.statistics.autocorrelations import Autocorrelations
from analyses.targets.labelling import AnyHypothesis, ManyHypotheses, target_of_labels
from analyses.targets.many_hypotheses import all_targets
from analyses.targets.target import Target
from hypotheses.labels import Labels
from probe.explorer.questions.plain_values import Answer
from probe.explorer.sidecar.planning import state_sites

N_PASSAGES, N_NEAREST, N_CHARACTERS = 8, 12, 20
_FEWEST_TIMES = 5  # that a character has to occur for its mean to be told
_LONGEST_LAG = 256

Rows = tuple[Mapping[str, Any], ...]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ReadUnit:
    """A unit that was read once, for several questions.

    Attributes:
        session: The source.
        unit: The unit.
        one_unit: A source with this unit alone, held in memory.
    """

    session: Session
    unit: Unit
    one_unit: OneUnit

    @property
    def values(self) -> NDArray[np.floating]:
        """(n_rows,) the unit at the recorded characters."""
        used = self.session.selection
        return self.one_unit.values()[used.start : used.stop : used.every]

    @property
    def in_one_unit(self) -> Unit:
        """What the unit is called in `one_unit`."""
        return Unit(self.unit.site, 0)


def read_unit(session: Session, unit: Unit | str, *, progress: Progress = no_progress) -> ReadUnit:
    """Read a unit at all recorded characters, and hold it in memory.

    Args:
        session: The source.
        unit: The unit, or its name.
        progress: Called with the characters read, and their number.

    Raises:
        AnalysisError: If there is no such unit.
    """
    [unit] = units_among(session, unit)
    return ReadUnit(session, unit, OneUnit(session, unit, _blocks(session, unit, progress)))


def _blocks(session: Session, unit: Unit, progress: Progress) -> Iterator[Block]:
    advance = counting(progress, session.selection.n_chars)
    for block in session.blocks([unit.site]):
        yield block
        advance(block.n_chars)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Distribution(Answer):
    """How the values of a unit lie.

    Attributes:
        edges: (n_bins + 1,) the borders of equally wide bins, from its lowest value to its highest.
        n: (n_bins,) number of characters in each.
        mean: Its mean.
        sd: Its standard deviation.
        median: Its median.
    """

    edges: Array
    n: NDArray[np.int64]
    mean: float
    sd: float
    median: float


def distribution(read: ReadUnit) -> Distribution:
    """Count the values of a unit at all recorded characters; values that are not numbers are left out.

    Raises:
        AnalysisError: If none is a number.
    """
    values = read.values
    values = values[np.isfinite(values)]
    if not len(values):
        raise AnalysisError(f"{read.unit} has no value that is a number; choose another unit")
    counted = histogram(values, np.zeros(len(values), np.int64), ("all",))
    exact = values.astype(np.float64)
    return Distribution(
        edges=counted.edges,
        n=counted.n[0],
        mean=float(exact.mean()),
        sd=float(exact.std()),
        median=float(np.median(exact)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Extremes(Answer):
    """Where a unit is most and least active.

    Attributes:
        most: Places with some text around, as `probe explain` has them, the most active first.
        least: The least active ones.
    """

    most: Rows
    least: Rows


def extremes(read: ReadUnit, *, n_passages: int = N_PASSAGES) -> Extremes:
    """Find where a unit is most and least active, no place within 200 characters of another."""
    values = read.one_unit.values()
    most, least = (extreme_passages(read.session.corpus, values, n_passages, sign=sign) for sign in (1, -1))
    return Extremes(most=_passage_rows(most), least=_passage_rows(least))


def _passage_rows(passages: Sequence[Passage]) -> Rows:
    return tuple(
        {
            "position": passage.position,
            "value": passage.value,
            "before": passage.before,
            "character": passage.character,
            "after": passage.after,
        }
        for passage in passages
    )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Memory(Answer):
    """How long a unit remembers.

    Attributes:
        time_constant: Characters after which its autocorrelation falls under 1/e; infinite if it does not by lag 256,
            NaN if the unit never changes. Below the shortest lag it says only that this is longer.
        lags: (n_lags,) in characters.
        autocorrelation: (n_lags,) at each lag; NaN where no two characters of a document are so far apart.
        sentence: The time constant in words.
    """

    time_constant: float
    lags: NDArray[np.int64]
    autocorrelation: Array
    sentence: str


def memory(read: ReadUnit) -> Memory:
    """Measure the autocorrelation of a unit, and its time constant."""
    [measured] = collect(read.one_unit, [Autocorrelations(read.one_unit)])[0].values()
    constant = float(measured.time_constant[0])
    sentence = f"its autocorrelation falls under 1/e after {constant:.3g} characters"
    shortest = int(measured.lags[0])
    if constant < shortest:  # found by interpolation from lag 0, where the autocorrelation is 1
        sentence = f"its autocorrelation falls under 1/e within {shortest} character{'s' * (shortest > 1)}"
    elif np.isinf(constant):
        sentence = f"its autocorrelation does not fall under 1/e within {int(measured.lags[-1])} characters"
    elif np.isnan(constant):
        sentence = "it never changes, and so has no autocorrelation"
    return Memory(
        time_constant=constant,
        lags=measured.lags,
        autocorrelation=measured.autocorrelation[:, 0],
        sentence=sentence,
    )


def same_number(session: Session, unit: Unit | str) -> tuple[str, ...]:
    """Return the gates of the same layer and number that the source has, without the unit itself."""
    [unit] = units_among(session, unit)
    return tuple(map(str, gates_beside(session, unit)))


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenBy(Answer):
    """Which characters change a unit, as measured.

    Attributes:
        rows: For each of the characters that explain most of its changes, the first most of all: the `character`, the
            mean `change` of the unit from the character that was read before, its `mean` value then, and `n`, how often
            it occurs.
        sentence: Why there are none; empty if there are.
    """

    rows: Rows
    sentence: str = ""


def written_by(read: ReadUnit, *, top: int = N_CHARACTERS) -> WrittenBy:
    """Measure by how much a unit changes at each character on average.

    Characters are ordered by how much of the changes' variance their means explain. The characters of documents that
    are read first do not count, nor do characters that occur fewer than 5 times.

    Args:
        read: The unit.
        top: Number of characters.
    """
    corpus, every = read.session.corpus, read.session.selection.every
    if every > 1:
        return WrittenBy(
            rows=(),
            sentence=f"only one character of {every} is recorded, which hides what each changes; record all of a part",
        )
    values, changes = read.one_unit.values().astype(np.float64), _changes(read)
    counts = np.isfinite(changes)
    characters, numbers = np.unique(corpus.codes[counts], return_inverse=True)
    if not len(characters):
        return WrittenBy(rows=(), sentence="no two characters that follow each other have values that are numbers")
    n = np.bincount(numbers)
    means = np.bincount(numbers, changes[counts]) / n
    levels = np.bincount(numbers, values[counts]) / n
    explained = np.where(n >= _FEWEST_TIMES, n * (means - changes[counts].mean()) ** 2, -1.0)
    order = [number for number in np.argsort(-explained, kind="stable")[:top].tolist() if explained[number] >= 0]
    return WrittenBy(
        sentence="" if order else f"no character occurs {_FEWEST_TIMES} times",
        rows=tuple(
            {
                "character": chr(int(characters[number])),
                "change": float(means[number]),
                "mean": float(levels[number]),
                "n": int(n[number]),
            }
            for number in order
        ),
    )


def _changes(read: ReadUnit) -> Array:
    """(n_chars,) by how much a unit changes at each character, from the one read before; NaN where there is none."""
    corpus, values = read.session.corpus, read.one_unit.values().astype(np.float64)
    if read.session.reading_rule.backwards:
        changes = np.append(values[:-1] - values[1:], np.nan)
        changes[corpus.stops - 1] = np.nan
    else:
        changes = np.append(np.nan, values[1:] - values[:-1])
        changes[corpus.starts] = np.nan
    return changes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Answer):
    """The hypotheses that a unit answers to.

    Attributes:
        rows: Those that `probe explain --json` prints, without where the recording is from.
        explained: The share of its held-out variance that the first ones explain together.
        tunings: For each of those, its tuning curve: the rows of `Tuning`, with `eta2`, `period` and `wave_p`.
        left_out: One sentence on the hypotheses that were not tried; empty if all were.
    """

    rows: Rows
    explained: float
    tunings: Rows
    left_out: str = ""


def answers(read: ReadUnit, targets: ManyHypotheses | None = None, *, progress: Progress = no_progress) -> Answers:
    """Explain a unit by hypotheses, as `probe explain` does.

    Args:
        read: The unit.
        targets: The hypotheses, or targets made before, which saves labelling the text once more; None is all
            registered ones that have different labels in this text.
        progress: Called with the characters done, and their number.

    Raises:
        AnalysisError: If the unit never changes.
        HypothesisError: If there is no such hypothesis, or it fails on this text.
    """
    left_out = ""
    if targets is None:
        made = all_targets(read.session, notice=lambda sentence: None)
        targets, left_out = made.made, made.left_out
    explanation = replace(
        explain(read.one_unit, read.in_one_unit, targets, n_passages=0, progress=progress), unit=read.unit
    )
    tunings = tuple(
        {
            "hypothesis": tuning.hypothesis,
            "eta2": tuning.eta2,
            "median": tuning.median,
            "period": tuning.period,
            "wave_p": tuning.wave_p,
            "places": tuning.places.tolist(),
            "curve": tuning.rows(),
        }
        for tuning in explanation.tunings
    )
    return Answers(rows=tuple(explanation.rows()), explained=explanation.explained, tunings=tunings, left_out=left_out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(Answer):
    """A unit beside one hypothesis.

    Attributes:
        label: What the histogram and the events are of: the hypothesis, or one class of it.
        rows: The rows of `UnitProfile`: its score, threshold, histogram, averages around events (of its gates, too),
            autocorrelations, and means by class or over a number.
        notes: Sentences on what has no interval, and why.
    """

    label: str
    rows: Rows
    notes: tuple[str, ...]


def profile(
    session: Session, unit: Unit | str, hypothesis: AnyHypothesis | Target, *, progress: Progress = no_progress
) -> Profile:
    """Profile a unit beside a hypothesis: histogram by label, averages around events, tuning.

    For the arguments and errors see `analyses.profiling.unit_profile`.
    """
    profiled = unit_profile(session, unit, hypothesis, progress=progress)
    return Profile(label=profiled.label, rows=tuple(profiled.rows()), notes=tuple(profiled.notes))


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest(Answer):
    """The units that go with a unit.

    Attributes:
        rows: For each of the units whose correlation with it is largest, without itself: the `unit`; `r`, Pearson's
            correlation at all recorded characters; and, on held-out characters and turned by the sign of training,
            `held_out_r` with the ends of its 95 % interval, `low` and `high`, NaN if it has none.
    """

    rows: Rows


def nearest(
    read: ReadUnit, *, sites: AnySites | None = None, top: int = N_NEAREST, progress: Progress = no_progress
) -> Nearest:
    """Find the units whose values are correlated most with those of a unit, in one reading.

    Args:
        read: The unit.
        sites: The sites among whose units to look; None is hidden and cell.
        top: Number of units.
        progress: Called with the characters read, and their number.

    Raises:
        AnalysisError: If the unit never changes, or there is no such site.
    """
    session = read.session
    chosen = state_sites(session.sites) if sites is None else sites_among(session, sites)
    values = read.one_unit.values().astype(np.float64)
    present = np.isfinite(values)
    labels = Labels(np.where(present, values, 0.0), "numeric", None if np.isfinite(read.values).all() else ~present)
    target = target_of_labels(session.corpus, str(read.unit), labels, selection=session.selection)
    ranking = rank(session, target, sites=chosen, n_intervals=top + 1, progress=progress)
    others = [ranked for ranked in ranking.units if ranked.unit != read.unit and np.isfinite(ranked.overall)]
    others.sort(key=lambda ranked: -abs(ranked.overall))
    return Nearest(
        rows=tuple(
            {
                "unit": str(ranked.unit),
                "r": ranked.overall,
                "held_out_r": ranked.held_out,
                "low": ranked.low,
                "high": ranked.high,
            }
            for ranked in others[:top]
        )
    )
