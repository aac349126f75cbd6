"""Typed text: what every unit does at each character of it, what the model predicts, and what hypotheses say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, predictions_from_blocks
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.predictions import prediction_fields
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import rule_of
from activations.units import Unit, in_order
from analyses.errors import AnalysisError
from analyses.named_parts import units_among
from analyses.session import Session
from analyses.targets.labelling import AnyHypothesis, label, labeller_of_new_texts
from hypotheses.errors import HypothesisError
from probe.explorer.questions.plain_values import Answer, scale_as_json
from probe.viewer.scales import Scale
from probe.viewer.tracks import guesses_of, label_values, losses, quantised

MOST_CHARS = 20_000
_STAND_IN = " "

AnyModel = CharRNN | CharModel
ByKind = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TriedLabels(Answer):
    """What a hypothesis says of a typed text.

    Attributes:
        name: The hypothesis.
        levels: (n_chars,) uint8 levels; empty if it has none.
        scale: What they mean, as the page's tracks have it; None if it has none.
        error: Why it has none, as a sentence; else empty.
    """

    name: str
    levels: NDArray[np.uint8]
    scale: Mapping[str, Any] | None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Tried(Answer):
    """What a model makes of a typed text.

    Attributes:
        n_chars: Length of the text.
        levels: (n_chars,) uint8 levels of each unit, on its scale.
        losses: (n_chars,) −log p of each character given those before it, in nats; NaN where there is none.
        guessed: The characters that are guessed anywhere, which `guess_ids` count; empty without predictions.
        guess_ids: (n_chars, 5) the guesses after each character, the most probable first.
        guess_levels: (n_chars, 5) uint8 their probabilities, in steps of 1 / 255.
        labels: What each hypothesis says.
        notes: Sentences on what is not as it seems.
    """

    n_chars: int
    levels: Mapping[Unit, NDArray[np.uint8]]
    losses: NDArray[np.float64]
    guessed: tuple[str, ...]
    guess_ids: NDArray[np.uint16]
    guess_levels: NDArray[np.uint8]
    labels: tuple[TriedLabels, ...]
    notes: tuple[str, ...] = ()


def try_text(
    model: AnyModel,
    text: str,
    scales: Mapping[Unit, Scale],
    *,
    hypotheses: Sequence[AnyHypothesis] = (),
) -> Tried:
    """Let a model read a text that was typed, from a zero state.

    Args:
        model: The model.
        text: The text, of 1 to 20,000 characters.
        scales: The units that are told, and their scales.
        hypotheses: What else is said of the text; one that fails has its sentence.

    Raises:
        AnalysisError: If the text is empty or too long, or there is no such unit.
    """
    live = live_of_text(model, [text])
    values, predictions = _read(live, units_among(Session(live), list(scales)) if scales else [])
    whole = slice(0, len(text))
    guesses, loss = guesses_of(live, whole, predictions), losses(live, whole, predictions)
    return Tried(
        n_chars=len(text),
        levels={unit: scale.levels(values[unit]) for unit, scale in scales.items()},
        losses=np.full(len(text), np.nan) if loss is None else loss.values,
        guessed=() if guesses is None else guesses.characters,
        guess_ids=np.zeros((len(text), 0), np.uint16) if guesses is None else guesses.ids,
        guess_levels=np.zeros((len(text), 0), np.uint8) if guesses is None else guesses.levels,
        labels=tuple(_labels(text, hypothesis) for hypothesis in hypotheses),
        notes=tuple(notes_on_reading(live)),
    )


def live_of_text(model: AnyModel, texts: Sequence[str]) -> LiveActivations:
    """Bring a model and typed texts together; characters that it does not know are read as another one.

    Raises:
        AnalysisError: If a text is empty or too long.
    """
    for text in texts:
        if not text:
            raise AnalysisError("there is no text yet; type some")
        if len(text) > MOST_CHARS:
            raise AnalysisError(f"the text has {len(text):,} characters; try at most {MOST_CHARS:,}")
    vocabulary = model.vocabulary
    stand_in = vocabulary.replacement
    if stand_in is None and rule_of(model).read_as != "bytes":
        stand_in = _STAND_IN if _STAND_IN in vocabulary.characters else vocabulary.characters[0]
    corpus = Corpus.from_texts(texts)
    return LiveActivations(model, corpus, n_lanes=1, stand_in=stand_in, compute=ComputeOptions(dtype="float32"))


def notes_on_reading(live: LiveActivations) -> list[str]:
    """Say how many characters of a text are read as another one."""
    if not live.n_replaced:
        return []
    name = live.vocabulary.shown(live.vocabulary.replacement or "")
    n = live.n_replaced
    return [f"{n:,} character{'s' * (n > 1)} that the model does not know {'are' if n > 1 else 'is'} read as {name!r}"]


def _read(live: LiveActivations, units: Sequence[Unit]) -> tuple[dict[Unit, NDArray[np.floating]], ByKind]:
    """Return (n_chars,) activations of units and the predictions of a whole text, in one reading."""
    fields = prediction_fields(len(live.vocabulary)) if live.predicts else {}
    values = {unit: np.empty(len(live.corpus), np.float32) for unit in units}

    def blocks() -> Iterator[Block]:
        for block in live.blocks(in_order(live.sites, [unit.site for unit in units]), predictions=bool(fields)):
            for unit, of_unit in values.items():
                of_unit[block.positions] = block.values[unit.site][:, unit.index]
            yield block

    return dict(values), predictions_from_blocks(live, blocks(), fields)


def _labels(text: str, hypothesis: AnyHypothesis) -> TriedLabels:
    """Label a text by a hypothesis, or say why it cannot be."""
    name = hypothesis if isinstance(hypothesis, str) else getattr(hypothesis, "name", "labels")
    try:
        labeller = labeller_of_new_texts(hypothesis, "a typed text")
        name = labeller.name
        labels = label(Corpus.from_texts([text]), labeller, use_cache=False, notice=lambda sentence: None)
        [[track]] = quantised([[label_values(name, labels)]])
    except (AnalysisError, HypothesisError) as error:
        return TriedLabels(name=str(name), levels=np.empty(0, np.uint8), scale=None, error=str(error))
    return TriedLabels(name=name, levels=track.levels, scale=scale_as_json(track.scale))
