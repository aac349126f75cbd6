"""Which characters a prediction depends on, and what changes if one character of a typed text is another."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, predictions_from_blocks
from activations.predictions import LOG_PROB, prediction_fields
from activations.progress import Progress, counting, no_progress
from activations.reading.gradients import input_gradients
from activations.reading.live import LiveActivations
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.threads import one_thread_each
from probe.explorer.questions.plain_values import Answer, scale_as_json
from probe.explorer.questions.trying import (
    AnyModel,
    live_of_text,
    notes_on_reading,
)
from probe.explorer.sidecar.site_scales import SiteScales
from probe.viewer.scales import HIGHEST, sequential
from probe.viewer.tracks import losses

TOP = 12
MOST_BACK = 1_000
"""Tokens, up to a prediction, on which its dependence is measured."""
MOST_STEPS = 400
"""Characters, from the changed one on, at which units are compared."""

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


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
            the last character that was compared.
        curve: (n_steps,) the difference at the changed character and those read after it.
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
        n_steps: Number of characters at which the units were compared, from the changed one on; at most 400.
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


def changed(
    model: AnyModel,
    text: str,
    position: int,
    character: str,
    scales: Mapping[Site, SiteScales],
    *,
    top: int = TOP,
    progress: Progress = no_progress,
) -> Change:
    """Change one character of a text, and compare every unit with the reading of the unchanged text.

    Of the activations only those that are compared are kept.

    Args:
        model: The model.
        text: The text.
        position: Position of the character that is changed.
        character: The character that takes its place.
        scales: The scales of the units; those of other sites are not compared.
        top: Number of units.
        progress: Called with the characters read, of both texts, and their number; what it raises ends the work.

    Raises:
        AnalysisError: If the text is empty or too long, there is no such position, or nothing is changed.
    """
    if not 0 <= position < len(text):
        raise AnalysisError(f"there is no character {position:,}; the text has {len(text):,}")
    if len(character) != 1 or character == text[position]:
        raise AnalysisError(f"{character!r:.20} does not take the place of {text[position]!r}; name another character")
    live = live_of_text(model, [text, text[:position] + character + text[position + 1 :]])
    sites = [site for site in live.sites if site in scales]
    n, is_backwards = len(text), live.reading_rule.backwards
    n_steps = min(position + 1 if is_backwards else n - position, MOST_STEPS)
    start = position + 1 - n_steps if is_backwards else position
    loss = _losses(live, progress)  # which keeps states, so that the passages are not read from the beginning
    before, after = (live.read(sites, first, first + n_steps) for first in (start, n + start))
    in_order = slice(None, None, -1) if is_backwards else slice(None)
    differences = {site: (after[site] - before[site])[in_order] for site in sites}
    units = [unit for site in sites for unit in _changed_units(site, differences[site], scales[site], top)]
    return Change(
        position=position,
        before=text[position],
        character=character,
        units=tuple(sorted(units, key=lambda unit: -unit.share)[:top]),
        n_steps=n_steps,
        losses_before=loss[:n],
        losses_after=loss[n:],
        notes=tuple(notes_on_reading(live)),
    )


def _losses(live: LiveActivations, progress: Progress) -> Array:
    """(n_chars,) the losses of a text, NaN where there is none."""
    n_chars = len(live.corpus)
    if not live.predicts:
        return np.full(n_chars, np.nan)
    advance = counting(progress, n_chars)

    def blocks() -> Iterator[Block]:
        for block in live.blocks((), predictions=(LOG_PROB,)):
            advance(block.n_chars)
            yield block

    fields = {LOG_PROB: prediction_fields(len(live.vocabulary))[LOG_PROB]}
    loss = losses(live, slice(0, n_chars), predictions_from_blocks(live, blocks(), fields))
    return np.full(n_chars, np.nan) if loss is None else loss.values


def _changed_units(site: Site, differences: Floats, scales: SiteScales, top: int) -> list[ChangedUnit]:
    """Return the units of a site that change most, of (n_steps, n_units) differences."""
    sizes = np.abs(differences)
    after = sizes.argmax(axis=0)
    largest = differences[after, np.arange(len(after))]
    shares = np.abs(largest) / (HIGHEST * scales.steps)
    is_there = sizes > np.abs(largest) / np.e
    n_steps = len(differences)
    last = n_steps - 1 - is_there[::-1].argmax(axis=0)
    return [
        ChangedUnit(
            unit=str(Unit(site, number)),
            largest=float(largest[number]),
            share=float(shares[number]),
            after=int(after[number]),
            lasts=int(last[number]) + 1 if last[number] + 1 < n_steps else None,
            curve=differences[:, number].astype(np.float64),
        )
        for number in np.argsort(-shares, kind="stable")[:top].tolist()
        if largest[number]
    ]
