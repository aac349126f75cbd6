"""Which characters a prediction depends on, and what changes if one character of a typed text is another."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.reading.gradients import input_gradients
from activations.reading.live import LiveActivations
from activations.units import Unit
from analyses.errors import AnalysisError
from analyses.threads import one_thread_each
from probe.explorer.questions.plain_values import Answer
from probe.explorer.questions.trying import (
    HIGHEST,
    AnyModel,
    Scales,
    live_of_text,
    notes_on_reading,
    read_once,
    scale_as_json,
)
from probe.viewer.scales import sequential
from probe.viewer.tracks import losses

TOP = 12
MOST_BACK = 1_000
"""Tokens, up to a prediction, on which its dependence is measured."""
MOST_STEPS = 400
"""Characters of a curve that are told; what lasts longer is only counted."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Dependence(Answer):
    """Which characters the prediction after a character depends on.

    Attributes:
        position: The position of the character after which the prediction is made.
        character: The predicted character, or token, whose log probability is differentiated.
        probability: Its probability.
        norms: (n_chars,) norm of the gradient of that log probability with respect to each character's input vector, in
            nats per 1; 0 for characters that are read later, or more than 1,000 tokens before.
        levels: (n_chars,) uint8 the same on a scale from 0 up.
        scale: What the levels mean.
        notes: Sentences on what this shows.
    """

    position: int
    character: str
    probability: float
    norms: Array
    levels: NDArray[np.uint8]
    scale: dict[str, Any]
    notes: tuple[str, ...]


def depends(model: AnyModel, text: str, position: int, character: str | None = None) -> Dependence:
    """Differentiate a prediction with respect to the characters that were read before it.

    Args:
        model: The model, one of `probe train` or `probe import`.
        text: The text.
        position: Position of the character after which the prediction is made.
        character: The predicted character; None is the most probable one.

    Raises:
        ActivationError: If the model is of another kind, or there is no such position or character.
        AnalysisError: If the text is empty or too long.
    """
    live = live_of_text(model, [text])
    token = None if character is None else live.vocabulary.unnamed(character)
    with one_thread_each():  # of steps so small, several threads would spend their time waiting for each other
        measured = input_gradients(live, position, token, n_tokens=MOST_BACK)
    levels, scale = sequential(measured.norms, low=0.0)
    return Dependence(
        position=position,
        character=live.vocabulary.shown(measured.token),
        probability=float(np.exp(measured.log_prob)),
        norms=measured.norms.astype(np.float64),
        levels=levels,
        scale=scale_as_json(scale),
        notes=tuple(_notes_on_dependence(live)),
    )


def _notes_on_dependence(live: LiveActivations) -> list[str]:
    """Say what gradients show, and what not."""
    notes = ["a gradient says what a small change would do; what another character does is seen by changing it"]
    if len(live.corpus) > MOST_BACK:
        notes.append(f"only the last {MOST_BACK:,} characters, or tokens, up to the prediction are measured")
    return [*notes, *notes_on_reading(live)]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChangedUnit(Answer):
    """What a changed character does to one unit.

    Attributes:
        unit: The unit.
        largest: The largest difference from the reading of the unchanged text, with its sign.
        share: Its size as a share of the range that the unit's colours span.
        after: After how many characters it is largest; 0 is the changed character itself.
        lasts: After how many characters the difference is at most 1/e of the largest, for good; None if it is larger at
            the last character that was read.
        curve: (n_steps,) the difference at the changed character and those read after it, at most 400.
    """

    unit: str
    largest: float
    share: float
    after: int
    lasts: int | None
    curve: Array


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Change(Answer):
    """What changes if one character of a text is another.

    Attributes:
        position: The position of the changed character.
        before: The character that was there.
        character: The one that takes its place.
        units: The units that change most, by the share of their range.
        n_steps: Number of characters that were read from the changed one on.
        losses_before: (n_chars,) the loss of each character of the unchanged text, in nats; NaN where there is none.
        losses_after: (n_chars,) that of the changed text.
        notes: Sentences on what is not as it seems.
    """

    position: int
    before: str
    character: str
    units: tuple[ChangedUnit, ...]
    n_steps: int
    losses_before: Array
    losses_after: Array
    notes: tuple[str, ...] = ()


def changed(model: AnyModel, text: str, position: int, character: str, scales: Scales, *, top: int = TOP) -> Change:
    """Change one character of a text, and compare every unit with the reading of the unchanged text.

    Args:
        model: The model.
        text: The text.
        position: Position of the character that is changed.
        character: The character that takes its place.
        scales: The scales of the units; those of other sites are not compared.
        top: Number of units.

    Raises:
        AnalysisError: If the text is empty or too long, there is no such position, or nothing is changed.
    """
    if not 0 <= position < len(text):
        raise AnalysisError(f"there is no character {position:,}; the text has {len(text):,}")
    if len(character) != 1 or character == text[position]:
        raise AnalysisError(f"{character!r:.20} does not take the place of {text[position]!r}; name another character")
    live = live_of_text(model, [text, text[:position] + character + text[position + 1 :]])
    sites = [site for site in live.sites if site in scales]
    values, predictions = read_once(live, sites)
    n = len(text)
    is_backwards = live.reading_rule.backwards
    read_later = slice(position, None, -1) if is_backwards else slice(position, None)
    units = [Unit(site, index) for site in sites for index in range(live.sites[site])]
    differences = np.concatenate(
        [(values[site][n:].astype(np.float64) - values[site][:n])[read_later] for site in sites], axis=1
    )
    loss = losses(live, slice(0, 2 * n), predictions)
    of_loss = np.full(2 * n, np.nan) if loss is None else loss.values
    ranges = np.concatenate([HIGHEST * scales[site].steps for site in sites])
    return Change(
        position=position,
        before=text[position],
        character=character,
        units=_changed_units(units, differences, ranges, top),
        n_steps=len(differences),
        losses_before=of_loss[:n],
        losses_after=of_loss[n:],
        notes=tuple(notes_on_reading(live)),
    )


def _changed_units(units: list[Unit], differences: Array, ranges: Array, top: int) -> tuple[ChangedUnit, ...]:
    """Return the units that change most, of (n_steps, n_units) differences."""
    sizes = np.abs(differences)
    after = sizes.argmax(axis=0)
    largest = differences[after, np.arange(len(units))]
    shares = np.abs(largest) / ranges
    is_there = sizes > np.abs(largest) / np.e
    n_steps = len(differences)
    last = n_steps - 1 - is_there[::-1].argmax(axis=0)
    return tuple(
        ChangedUnit(
            unit=str(units[number]),
            largest=float(largest[number]),
            share=float(shares[number]),
            after=int(after[number]),
            lasts=int(last[number]) + 1 if last[number] + 1 < n_steps else None,
            curve=differences[:MOST_STEPS, number].copy(),
        )
        for number in np.argsort(-shares, kind="stable")[:top].tolist()
        if largest[number]
    )
