"""Ablation: how much worse a model predicts without a unit, where a hypothesis holds and where it does not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from activations.models.char_rnn import CharRNN
from activations.progress import Progress, no_progress
from activations.reading.rereading import live
from activations.recordings.recording import Recording
from activations.units import Unit
from analyses.causes.ablation import HELD_AT, ablate
from analyses.passages.matching import N_MATCHED
from analyses.passages.passages import N_CHARS
from analyses.session import Session
from analyses.targets.target import Target
from probe.explorer.questions.plain_values import Answer

_HELD_AT = "mean"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Answer):
    """How the loss of a model changes if a unit is held, as `probe ablate` measures it.

    Attributes:
        unit: The unit.
        hypothesis: The hypothesis.
        held_at: The value at which the unit is held, in words.
        rows: The effects on each set of characters, as the rows that `probe ablate --json` prints: `effect`, in nats
            per character, with the ends of its interval, and `matched`, that of units that vary as much.
        findings: What is shown, or that nothing is, as sentences.
        n_chars: Number of characters on which effects are measured.
        n_matched: Number of matched units.
        predicted_characters: The characters that the hypothesis predicts.
        notes: Sentences on what has no interval, and why.
    """

    unit: str
    hypothesis: str
    held_at: str
    rows: Sequence[Mapping[str, Any]]
    findings: Sequence[str]
    n_chars: int
    n_matched: int
    predicted_characters: str
    notes: Sequence[str] = ()


def loss_without(
    recording: Recording,
    model: CharRNN,
    unit: Unit | str,
    target: Target,
    *,
    n_chars: int = N_CHARS,
    n_matched: int = N_MATCHED,
    progress: Progress = no_progress,
) -> Loss:
    """Hold a unit at its mean while the model reads the recorded text again; see `analyses.causes.ablation.ablate`.

    Args:
        recording: The recording, which says what the model reads, and by which rule.
        model: Its model, one of `probe train` or `probe import`.
        unit: The unit.
        target: Labels of the recorded text that are True or False.
        n_chars: Characters to measure on, in passages spread over the text.
        n_matched: Matched units beside the unit.
        progress: Called with the amount done and the total; what it raises ends the work.

    Raises:
        ActivationError: If there is no such unit, or the model is not that of the recording.
        AnalysisError: If the labels have no inside and outside in the characters that are read.
    """
    with Session(live(recording, model)) as reading:
        ablation = ablate(
            reading, target, unit, held_at=_HELD_AT, n_chars=n_chars, n_matched=n_matched, progress=progress
        )
    reasons = dict.fromkeys(effect.no_interval_reason for effect in ablation.effects if effect.no_interval_reason)
    return Loss(
        unit=str(unit),
        hypothesis=ablation.hypothesis,
        held_at=HELD_AT[_HELD_AT],
        rows=ablation.rows(),
        findings=ablation.findings,
        n_chars=ablation.n_chars,
        n_matched=ablation.n_matched,
        predicted_characters=ablation.predicted_characters,
        notes=[reason for reason in reasons if not any(reason in finding for finding in ablation.findings)],
    )
