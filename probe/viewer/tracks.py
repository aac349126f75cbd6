"""Tracks: the values of units, labels, probes and losses at the characters of a passage, and the model's guesses."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.predictions import DISTRIBUTION, LOG_PROB, TOP_IDS, TOP_LOG_PROBS
from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.probing.kept_probes import Probe
from hypotheses.labels import Labels
from probe.viewer.scales import Scale, binary, classes, diverging, probabilities, sequential
from probe.viewer.text_view import N_GUESSES, Guesses, Track, TrackKind

Floats = NDArray[np.float64]
_MOST_GUESSED = 1 << 16  # characters that ids of two bytes can count
Middle = Literal["zero", "median"]
Predictions = Mapping[str, NDArray[Any]]
"""Predictions of several kinds, one row for each character; see `activations.predictions`."""
Meaning = Literal["activation", "truth", "probability", "class", "number", "loss"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrackValues:
    """The values of a track before they become levels.

    Attributes:
        name: See `Track`, as for `kind` and `quantity`.
        kind: What its values are.
        meaning: What a value is, which says how it is scaled: a unit's activation, True or False, a probability, the
            number of a class, another number, or a loss.
        values: (n_chars,) NaN where there is none.
        quantity: What they are measured in.
        classes: Names of the classes that numbers stand for.
        shared: Values of the same meaning and with the same `shared` have one scale.
        is_signed: Of activations: whether the units of their site take both signs in the passage.
    """

    name: str
    kind: TrackKind
    meaning: Meaning
    values: Floats
    quantity: str = ""
    classes: tuple[str, ...] = ()
    shared: str = ""
    is_signed: bool = False


def unit_values(source: Source, units: Sequence[Unit], passage: slice) -> list[TrackValues]:
    """Return the activations of units in a passage."""
    sites = list(dict.fromkeys(unit.site for unit in units))
    by_site = source.read(sites, passage.start, passage.stop) if sites else {}
    signed = {site: bool((values > 0).any() and (values < 0).any()) for site, values in by_site.items()}
    return [
        TrackValues(
            name=str(unit),
            kind="unit",
            meaning="activation",
            values=_spread(source, by_site[unit.site][:, unit.index], passage),
            quantity="activation",
            shared=str(unit),
            is_signed=signed[unit.site],
        )
        for unit in units
    ]


def label_values(name: str, labels: Labels) -> TrackValues:
    """Return the labels of a passage.

    Args:
        name: Name of the hypothesis.
        labels: One for each character of the passage.
    """
    meanings: Mapping[str, Meaning] = {"binary": "truth", "categorical": "class", "numeric": "number"}
    return TrackValues(
        name=name,
        kind="labels",
        meaning=meanings[labels.kind],
        values=np.where(labels.present, labels.values.astype(np.float64), np.nan),
        classes=labels.names,
        shared=name,
    )


def probe_values(source: Source, probe: Probe, passage: slice) -> TrackValues:
    """Return what a probe says in a passage: the probability of True, the most probable class, or a number."""
    sites = list(probe.sites)
    by_site = source.read(sites, passage.start, passage.stop)
    outputs = probe.outputs(np.stack([by_site[unit.site][:, unit.index] for unit in probe.units], axis=1))
    meanings: Mapping[str, Meaning] = {"binary": "probability", "categorical": "class", "numeric": "number"}
    if probe.kind == "binary":
        said = 0.5 + 0.5 * np.tanh(0.5 * outputs[:, 0])  # the logistic function, which cannot overflow so
    else:
        said = outputs.argmax(axis=1) if probe.kind == "categorical" else outputs[:, 0]
    return TrackValues(
        name=f"probe of {probe.hypothesis} from {probe.site}",
        kind="probe",
        meaning=meanings[probe.kind],
        values=_spread(source, said, passage),
        quantity="probability of True" if probe.kind == "binary" else "",
        classes=probe.classes,
        shared=probe.hypothesis,
    )


def losses(source: Source, passage: slice, predictions: Predictions | None = None) -> TrackValues | None:
    r"""Return −log p of each character of a passage, given those before it, in nats; None without predictions.

    It is that of the row of the character before, which predicts it; of a model that reads backwards, of the character
    after. There is none at the beginning of a document, and where that row was not recorded.

    Args:
        source: The source.
        passage: The passage.
        predictions: The predictions of the source after the selected characters of the whole text, if they are at hand.
    """
    step = 1 if source.reading_rule.backwards else -1
    predicting = slice(max(passage.start + step, 0), min(passage.stop + step, len(source.corpus)))
    predictions = _predictions(source, (LOG_PROB,), predicting, predictions)
    if LOG_PROB not in predictions:
        return None
    values = np.full(passage.stop - passage.start, np.nan)
    offset = predicting.start - step - passage.start
    spread = _spread(source, -predictions[LOG_PROB].astype(np.float64), predicting)
    values[offset : offset + len(spread)] = spread
    return TrackValues(name="loss", kind="loss", meaning="loss", values=values, quantity="nats", shared="loss")


def guesses_of(source: Source, passage: slice, predictions: Predictions | None = None) -> Guesses | None:
    """Return the model's best guesses after each character of a passage; None without predictions.

    For the arguments see `losses`.
    """
    best = _best_ids(source, passage, predictions)
    if best is None:
        return None
    ids, log_probs = best
    guessed, numbers = np.unique(ids, return_inverse=True)
    characters = source.vocabulary.characters
    shown = tuple(source.vocabulary.shown(characters[number]) for number in guessed.tolist())
    return _guesses_at(source, passage, shown, numbers.reshape(ids.shape), log_probs)


def guesses_of_vocabulary(source: Source, passage: slice) -> Guesses | None:
    """Return the same as `guesses_of`, with ids that count the whole vocabulary, and are the same in every passage.

    It is None without predictions, and where the vocabulary has more characters than the ids can count.
    """
    shown = tuple(source.vocabulary.shown(character) for character in source.vocabulary.characters)
    best = _best_ids(source, passage, None) if len(shown) <= _MOST_GUESSED else None
    return None if best is None else _guesses_at(source, passage, shown, *best)


def _best_ids(
    source: Source, passage: slice, predictions: Predictions | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Return the numbers in the vocabulary of the guesses in every row, (n_rows, ≤ 5), and their log probabilities."""
    predictions = _predictions(source, (DISTRIBUTION, TOP_IDS, TOP_LOG_PROBS), passage, predictions)
    if DISTRIBUTION in predictions:
        log_probs = predictions[DISTRIBUTION].astype(np.float64)
        ids = np.argsort(-log_probs, axis=1, kind="stable")[:, :N_GUESSES]
        return ids, np.take_along_axis(log_probs, ids, axis=1)
    if TOP_IDS in predictions and TOP_LOG_PROBS in predictions:
        return predictions[TOP_IDS].astype(np.int64), predictions[TOP_LOG_PROBS].astype(np.float64)
    return None


def _guesses_at(
    source: Source, passage: slice, characters: tuple[str, ...], ids: NDArray[np.int64], log_probs: NDArray[np.float64]
) -> Guesses:
    """Put the guesses of rows at their characters."""
    shape = (passage.stop - passage.start, N_GUESSES)
    spread_ids, levels = np.zeros(shape, np.uint16), np.zeros(shape, np.uint8)
    rows = _rows(source, passage)
    spread_ids[rows, : ids.shape[1]] = ids
    levels[rows, : ids.shape[1]] = np.floor(np.exp(log_probs) * 255 + 0.5).clip(0, 255)
    return Guesses(characters=characters, ids=spread_ids, levels=levels)


def quantised(groups: Iterable[Sequence[TrackValues]], middle: Middle | None = None) -> list[list[Track]]:
    """Turn groups of values into tracks; those that say the same thing share a scale.

    Args:
        groups: The values of each group, of one passage; values that are in several become one track.
        middle: The value of units in the middle of their colours: `zero`, or `median`, that of the passage; None is
            zero where the units of a site take both signs there, and the median elsewhere, such as of gates.

    Raises:
        AnalysisError: If the middle is another one, or more than 255 classes occur.
    """
    if middle not in (None, *get_args(Middle)):
        raise AnalysisError(f"{middle!r:.50} is not a middle; choose zero or median")
    listed = [list(group) for group in groups]
    by_scale: dict[tuple[Meaning, str], dict[int, TrackValues]] = {}
    for values in (values for group in listed for values in group):
        by_scale.setdefault((values.meaning, values.shared), {})[id(values)] = values
    tracks: dict[int, Track] = {}
    for together in by_scale.values():
        tracks |= zip(together, _on_one_scale(list(together.values()), middle), strict=True)
    return [[tracks[id(values)] for values in group] for group in listed]


def _on_one_scale(together: Sequence[TrackValues], middle: Middle | None) -> list[Track]:
    """Turn values into tracks with the same scale."""
    values, names = _joined(together)
    if together[0].meaning == "activation":
        present = values[np.isfinite(values)]
        is_zero = any(part.is_signed for part in together) if middle is None else middle == "zero"
        levels, scale = diverging(values, 0.0 if is_zero or not len(present) else float(np.median(present)))
    else:
        levels, scale = _levels_of(values, together[0].meaning, names)
    ends = list(accumulate((len(part.values) for part in together), initial=0))
    return [
        Track(name=part.name, kind=part.kind, levels=levels[start:stop].copy(), scale=scale, quantity=part.quantity)
        for part, (start, stop) in zip(together, pairwise(ends), strict=True)
    ]


def _joined(together: Sequence[TrackValues]) -> tuple[Floats, tuple[str, ...]]:
    """Return all values one after another, and the names of the classes that they then number."""
    names = tuple(dict.fromkeys(name for part in together for name in part.classes))
    if not names:
        return np.concatenate([part.values for part in together]), ()
    parts = []
    for part in together:
        numbers = np.array([names.index(name) for name in part.classes], np.float64)
        is_present = np.isfinite(part.values)
        parts.append(np.where(is_present, numbers[np.where(is_present, part.values, 0).astype(np.intp)], np.nan))
    return np.concatenate(parts), names


def _levels_of(values: Floats, meaning: Meaning, names: tuple[str, ...]) -> tuple[NDArray[np.uint8], Scale]:
    """Quantise values other than activations."""
    present = np.isfinite(values)
    if meaning == "truth":
        return binary(np.where(present, values, 0).astype(np.bool_), present)
    if meaning == "class":
        return classes(np.where(present, values, 0).astype(np.int64), present, names)
    if meaning == "probability":
        return probabilities(values)
    return sequential(values, low=0.0 if meaning == "loss" else None)


def _predictions(
    source: Source, kinds: Sequence[str], passage: slice, of_text: Predictions | None
) -> Mapping[str, NDArray[Any]]:
    """Return predictions after the selected characters of a passage: read, or those of the whole text at hand."""
    if of_text is None:
        return source.read_predictions(kinds, passage.start, passage.stop)
    rows = slice(source.selection.row(passage.start), source.selection.row(passage.stop))
    return {kind: of_text[kind][rows] for kind in kinds if kind in of_text}


def _rows(source: Source, passage: slice) -> slice:
    """Return which characters of a passage a source gives."""
    part = source.selection.part(passage.start, passage.stop)
    return slice(part.start - passage.start, part.stop - passage.start, part.every)


def _spread(source: Source, values: NDArray[np.floating] | NDArray[np.integer], passage: slice) -> Floats:
    """(n_chars,) the values of selected characters at all characters of a passage, NaN at the others."""
    spread = np.full(passage.stop - passage.start, np.nan)
    spread[_rows(source, passage)] = values
    return spread
