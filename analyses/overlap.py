"""Which characters of a text several models get right: each alone, some together, all, or none."""

import math
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.predictions import DISTRIBUTION, LOG_PROB, TOP_LOG_PROBS
from activations.progress import Progress, no_progress, steps_of
from activations.results import Result, TableCell
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Estimate, Scale
from analyses.intervals.long_run import n_cosines
from analyses.rounding import rounded
from analyses.session import AnySource, Session
from analyses.targets.splits import ATOM_CHARS, FEWEST_ATOMS, MOST_ATOMS

Array = NDArray[np.float64]
MOST_MODELS = 4
_FEWEST_CHARS = 100
_UNKNOWN = 1 << MOST_MODELS  # of a character that none of them predicts, such as the first of a document


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class CorrectSet(Result):
    """The characters that some models get right, and the others do not.

    Attributes:
        models: The models that get them right; the others do not.
        n_chars: How many these are.
        share: Their share of all characters, in [0, 1].
        low: The lower end of its 95 % interval; NaN if there is none.
        high: The upper end.
        if_independent: The share that there would be if what one model gets right did not depend on what others do.
        above: `share` less that.
        above_low: The lower end of its 95 % interval.
        above_high: The upper end.
    """

    models: tuple[str, ...]
    n_chars: int
    share: float
    low: float
    high: float
    if_independent: float
    above: float
    above_low: float
    above_high: float

    @property
    def name(self) -> str:
        """The models in words."""
        return " and ".join(self.models) if self.models else "none"

    def row(self) -> dict[str, TableCell]:
        """Return the row that `probe plot overlap --json` prints."""
        return {
            "right": self.name,
            "n_right": len(self.models),
            "n_chars": self.n_chars,
            "share": self.share,
            "low": self.low,
            "high": self.high,
            "if_independent": self.if_independent,
            "above_independent": self.above,
            "above_low": self.above_low,
            "above_high": self.above_high,
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Overlap(Result):
    """Which characters of a text several models get right: their most probable next character is the true one.

    Attributes:
        models: The names of the models.
        n_chars: The number of predicted characters: all that are selected except the first of each document.
        sets: One for each combination of models that are right while the others are not; these are disjoint, and are
            all characters together. That of all models comes first, and that of none last.
        accuracies: (n_models,) the share that each model gets right, in [0, 1].
        accuracy_intervals: (n_models, 2) their 95 % intervals; NaN if there are none.
        note: Why there are no intervals; empty if there are.
    """

    models: tuple[str, ...]
    n_chars: int
    sets: tuple[CorrectSet, ...] = field(repr=False)
    accuracies: Array = field(repr=False)
    accuracy_intervals: Array = field(repr=False)
    note: str = ""

    def of(self, *models: str) -> CorrectSet:
        """Return the characters that these models get right, and no others.

        Raises:
            AnalysisError: If there is no such model.
        """
        unknown = set(models) - set(self.models)
        if unknown:
            raise AnalysisError(f"there is no model {min(unknown)!r} here; there are {', '.join(self.models)}")
        return next(correct for correct in self.sets if set(correct.models) == set(models))

    def rows(self) -> list[dict[str, TableCell]]:
        """Return the rows that `probe plot overlap --json` prints: one for each set."""
        return [correct.row() for correct in self.sets]

    def __str__(self) -> str:
        lines = [
            f"{correct.name}: {correct.n_chars:,} characters, {rounded(correct.share, '.1%')} "
            f"({_interval(correct.low, correct.high)}; {rounded(correct.if_independent, '.1%')} if independent)"
            for correct in self.sets
        ]
        head = f"right of {self.n_chars:,} characters, the models named and no others"
        return "\n".join([head, *lines, *([self.note] if self.note else [])])


def _interval(low: float, high: float) -> str:
    return "no interval" if math.isnan(low) else f"{rounded(low, '.1%')} to {rounded(high, '.1%')}"


def overlap(sources: Mapping[str, AnySource], *, progress: Progress = no_progress) -> Overlap:
    """Count the characters that each combination of models gets right, in one reading of each.

    A model is right if no character is more probable than the true next one. Recorded probabilities are rounded to
    float16: a tie counts as right.

    Args:
        sources: Two to four sources of the same text, by the names of their models: recordings or their paths, live
            activations, sessions.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If there is no recording at a path, or it cannot be read.
        AnalysisError: If there are too few or too many, they are of different texts or parts of one, or have no
            predictions.
    """
    if not 2 <= len(sources) <= MOST_MODELS:
        raise AnalysisError(f"an overlap is of 2 to {MOST_MODELS} models, and not of {len(sources)}; name as many")
    with ExitStack() as stack:
        sessions = []
        for source in sources.values():
            session = Session.of(source)
            if session is not source:
                stack.enter_context(session)
            sessions.append(stack.enter_context(session.answering()))
        _check_same_text(list(sources), sessions)
        codes = np.zeros(sessions[0].selection.n_chars, np.uint8)
        steps = steps_of(progress, [1] * len(sessions))
        for number, (name, session, step) in enumerate(zip(sources, sessions, steps, strict=True)):
            _add_model(codes, number, name, session, step)
    return _overlap_of(tuple(sources), codes)


def _check_same_text(names: Sequence[str], sources: Sequence[Source]) -> None:
    """Refuse sources that do not predict the same characters."""
    first = sources[0]
    for name, source in zip(names[1:], sources[1:], strict=True):
        if source.corpus.sha256 != first.corpus.sha256 or source.selection != first.selection:
            raise AnalysisError(
                f"{names[0]} and {name} are of different texts, or of other parts of one; record both models on the "
                "same text, from and to the same characters"
            )
        if source.reading_rule.backwards != first.reading_rule.backwards:
            raise AnalysisError(
                f"one of {names[0]} and {name} reads backwards, so that they predict different characters; compare "
                "models that read in the same direction"
            )


def _add_model(codes: NDArray[np.uint8], number: int, name: str, source: Source, progress: Progress) -> None:
    """Set the bit of a model where it is right, and mark characters that are not predicted."""
    n_done = 0
    for block in source.blocks([], predictions=True):
        is_right, is_predicted = _right(block.predictions, name)
        first_row = source.selection.row(block.start)
        rows = slice(first_row, first_row + len(is_right))
        codes[rows] |= is_right.astype(np.uint8) << number
        codes[rows][~is_predicted] |= _UNKNOWN
        n_done += len(is_right)
        progress(n_done, len(codes))


def _right(predictions: Mapping[str, NDArray[Any]], name: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """(n_chars,) True where the most probable next character is the true one, and where there is a true one."""
    most_probable = predictions.get(DISTRIBUTION, predictions.get(TOP_LOG_PROBS))
    if LOG_PROB not in predictions or most_probable is None:
        raise AnalysisError(
            f"{name} has no predictions: it was recorded without them, or is a model that predicts no characters"
        )
    log_prob = predictions[LOG_PROB]
    is_predicted = ~np.isnan(log_prob)
    rounded = log_prob.astype(most_probable.dtype)
    return (rounded >= most_probable.max(axis=1)) & is_predicted, is_predicted


class _Shares(NamedTuple):
    """Shares of characters, with what each atom adds to their errors.

    Attributes:
        values: (n_shares,) the shares.
        influences: (n_atoms, n_shares) the influences of the atoms.
        has_intervals: Whether there are enough characters for intervals.
    """

    values: Array
    influences: Array
    has_intervals: bool

    def interval(self, number: int) -> tuple[float, float]:
        """Return the 95 % interval of one share."""
        return self.interval_of(float(self.values[number]), self.influences[:, number], "logit")

    def interval_of(self, value: float, influence: Array, scale: Scale) -> tuple[float, float]:
        """Return the 95 % interval of a number made of shares, from its (n_atoms,) influences."""
        if not self.has_intervals:
            return math.nan, math.nan
        n_atoms = len(influence)
        estimate = Estimate(
            value=value, influence=influence, n_atoms=n_atoms, n_cosines=n_cosines(n_atoms), scale=scale
        )
        return estimate.interval


def _overlap_of(names: tuple[str, ...], codes: NDArray[np.uint8]) -> Overlap:
    """Make the result of what models are right at each character: bit k of a code is that of model k."""
    n_sets = 1 << len(names)
    counts = _counts_of_atoms(codes, n_sets)
    n_of_atoms = counts.sum(axis=1)
    n_chars = int(n_of_atoms.sum())
    if not n_chars:
        raise AnalysisError("none of these characters is predicted; use a text with more than one character")
    has_intervals = n_chars >= _FEWEST_CHARS
    values = counts.sum(axis=0) / n_chars
    of_sets = _Shares(values, (counts - n_of_atoms[:, None] * values) / n_chars, has_intervals)
    is_right = (np.arange(n_sets)[:, None] >> np.arange(len(names)) & 1).astype(bool)  # (n_sets, n_models)
    of_models = _Shares(values @ is_right, of_sets.influences @ is_right, has_intervals)
    order = sorted(range(n_sets), key=lambda number: (-is_right[number].sum(), number))
    n_of_sets = counts.sum(axis=0).tolist()
    return Overlap(
        models=names,
        n_chars=n_chars,
        sets=tuple(
            _correct_set(names, number, n_of_sets[number], is_right[number], of_sets, of_models) for number in order
        ),
        accuracies=of_models.values,
        accuracy_intervals=np.array([of_models.interval(model) for model in range(len(names))]),
        note="" if has_intervals else f"no intervals: only {n_chars} characters are predicted",
    )


def _correct_set(
    names: Sequence[str], number: int, n_chars: int, is_right: NDArray[np.bool_], of_sets: _Shares, of_models: _Shares
) -> CorrectSet:
    """Compare the share of a set with the product of what the models do alone."""
    factors = np.where(is_right, of_models.values, 1 - of_models.values)
    derivatives = np.array([np.delete(factors, model).prod() for model in range(len(names))])
    of_product = (of_models.influences * np.where(is_right, 1, -1)) @ derivatives
    product, share = float(factors.prod()), float(of_sets.values[number])
    low, high = of_sets.interval(number)
    above_low, above_high = of_sets.interval_of(share - product, of_sets.influences[:, number] - of_product, "plain")
    return CorrectSet(
        models=tuple(name for name, right in zip(names, is_right, strict=True) if right),
        n_chars=n_chars,
        share=share,
        low=low,
        high=high,
        if_independent=product,
        above=share - product,
        above_low=above_low,
        above_high=above_high,
    )


def _counts_of_atoms(codes: NDArray[np.uint8], n_sets: int) -> NDArray[np.int64]:
    """(n_atoms, n_sets) how many characters of each atom the models of each set, and no others, get right."""
    n_rows = len(codes)
    n_atoms = min(max(round(n_rows / ATOM_CHARS), FEWEST_ATOMS), MOST_ATOMS, n_rows)
    borders = np.arange(n_atoms + 1) * n_rows // n_atoms
    return np.stack(
        [
            np.bincount(codes[start:stop], minlength=2 * _UNKNOWN)[:n_sets]
            for start, stop in zip(borders[:-1].tolist(), borders[1:].tolist(), strict=True)
        ]
    ).astype(np.int64)
