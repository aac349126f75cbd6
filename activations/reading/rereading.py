"""The model of a recording reads the recorded text again: for what needs the model itself."""

from copy import copy
from pathlib import Path
from typing import Any, cast

from activations.errors import ActivationError
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import load_model
from activations.models.identity import sha256
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.reading_rule import ReadingRule, rule_of

_DEFAULT = ComputeOptions()


def live(
    recording: Recording | Path | str, model: CharRNN | CharModel | Path | str, *, compute: ComputeOptions = _DEFAULT
) -> LiveActivations:
    """Let the model of a recording read the recorded text: what only the model itself can answer can be asked then.

    It reads the characters that were recorded, and by the same rule.

    Args:
        recording: The recording, or its path.
        model: The model that was recorded, or its checkpoint.
        compute: Device and precision.

    Raises:
        ActivationError: If the model is not the one that was recorded, or there is no recording or model at a path.
    """
    if not isinstance(recording, Recording):
        with Recording(recording) as opened:
            return live(opened, model, compute=compute)
    same = model_of(recording, model)
    return LiveActivations(
        same,
        recording.corpus,
        rule=recording.reading_rule,
        selection=recording.selection,
        compute=compute,
        stand_in=recording.vocabulary.replacement,
    )


def model_of(recording: Recording, model: CharRNN | CharModel | Path | str) -> CharRNN | CharModel:
    """Return the model of a recording, which reads by the same rule.

    Args:
        recording: The recording.
        model: The model that was recorded, or its checkpoint.

    Raises:
        ActivationError: If it is not the one that was recorded, or there is no model at a path.
    """
    loaded = load_model(model) if isinstance(model, Path | str) else model
    readers = [loaded, _reading_by(recording.reading_rule, loaded)]
    same = [reader for reader in readers if sha256(reader) == recording.model_sha256]
    if not same:
        name = "this" if loaded is model else str(model)
        raise ActivationError(f"{name} is not the model that {recording.path} is a recording of{_reason(recording)}")
    return same[0]


def _reading_by(rule: ReadingRule, model: CharRNN | CharModel) -> CharRNN | CharModel:
    """Return a model that reads by a rule, as part of which a recording may have its hash."""
    if rule_of(model) == rule:
        return model
    changed: Any = copy(model)
    changed.reading_rule = rule
    return cast(CharRNN | CharModel, changed)


def _reason(recording: Recording) -> str:
    if recording.description.get("interventions"):
        return ", which was made with interventions; record the model without any"
    return "; name that one, or let this one read a text with --text"
