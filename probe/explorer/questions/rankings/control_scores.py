"""What can be predicted without the model: the scores that stand beside those of units."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from activations.progress import Progress, no_progress, steps_of
from analyses.errors import AnalysisError
from analyses.probing.probes import LAST_CHARACTERS, fit_characters, fit_position
from analyses.probing.results import ProbeResult
from analyses.session import Session
from analyses.targets.target import Target
from probe.explorer.questions.plain_values import Answer

_SHARES = (1, 1, 4, 12)  # of the time: of one character, the position, and more characters


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlScore(Answer):
    """How well a probe does that sees no model.

    Attributes:
        name: What it sees: `last 5 characters`, or `position`, which is that in the text.
        held_out: Its AUC on held-out characters (of several classes the mean of each against the rest), or Pearson's r
            for a numeric label; NaN if there is none.
        low: The lower end of the 95 % interval; NaN if there is none.
        high: The upper end.
        by_class: Of several classes, the AUC of each against the rest, which is what a unit of that class has.
        note: What makes the score uncertain, or why there is none; empty if nothing does.
    """

    name: str
    held_out: float
    low: float
    high: float
    by_class: Mapping[str, float]
    note: str


def control_scores(
    session: Session,
    labels: Target,
    measure: str,
    *,
    say: Callable[[list[dict[str, Any]]], object] = lambda controls: None,
    progress: Progress = no_progress,
) -> list[dict[str, Any]]:
    """Score probes that see the last characters, and one that sees the position, on the characters that a ranking has.

    Args:
        session: A session of the recording, of which no activations are read.
        labels: The labels of its text.
        measure: The score that units have: `auc`, or `r` for a numeric label.
        say: Called with what is returned, as far as it is known: probes of many characters and classes take long.
        progress: Called with the amount done and the total.

    Returns:
        The fields of each `ControlScore`, with the scores of `probe fit --controls chars,position`; or one that has a
        sentence alone, if labels can be ranked for but not probed for.
    """
    few, *more = (partial(fit_characters, session, [labels], n_last) for n_last in LAST_CHARACTERS)
    position = partial(fit_position, session, [labels])
    steps = steps_of(progress, _SHARES)
    of_characters: list[dict[str, Any]] = []
    of_position: list[dict[str, Any]] = []
    try:
        for fit, step in zip((few, position, *more), steps, strict=True):
            told = [_score(result, measure).as_json() for result in fit(progress=step)]
            (of_position if fit is position else of_characters).extend(told)
            say([*of_characters, *of_position])
    except AnalysisError as error:
        return [_without_score(f"no control for these labels: {error}")]
    return [*of_characters, *of_position]


def _score(result: ProbeResult, measure: str) -> ControlScore:
    low, high = result.intervals.get(measure, (float("nan"), float("nan")))
    return ControlScore(
        name=result.site,
        held_out=getattr(result, measure),
        low=low,
        high=high,
        by_class=result.aucs if measure == "auc" else {},
        note=result.note,
    )


def _without_score(sentence: str) -> dict[str, Any]:
    nan = float("nan")
    return ControlScore(name="", held_out=nan, low=nan, high=nan, by_class={}, note=sentence).as_json()
