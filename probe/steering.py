"""Steer a model: let it write with units held or a direction added, and measure what changes in its texts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.interventions import Intervention
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import losses
from activations.models.sampling import default_prompt, write_texts
from activations.progress import Progress, no_progress, steps_of
from activations.results import Result, TableCell
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import rule_of
from activations.texts.tokenising import prompt_text
from analyses.causes.text_effects import LOSS, Measured, TextEffect, name_of, text_effects, text_means
from analyses.passages.effects import SIGNIFICANT
from analyses.targets.labelling import AnyHypothesis, listed
from probe.steered_changes import Steered, SteeredChange, adding, check_factors, checked_direction, held_units, holding

N_MATCHED = 10
Means = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class WritingOptions(Result):
    """Options of how texts are written.

    Attributes:
        n_texts: Number of texts.
        n_chars: Number of characters of each, without the prompt.
        prompt: What each begins with; None is a line's end, if the model knows it.
        temperature: Divides the logits before each draw.
        top_k: Draw only among this number of most probable characters; None for all.
        seed: Seed of the draws.
        device: Where the model is computed.
    """

    n_texts: int = 40
    n_chars: int = 200
    prompt: str | None = None
    temperature: float = 1.0
    top_k: int | None = None
    seed: int = 0
    device: str = "cpu"


DEFAULT_WRITING = WritingOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class SteeredTexts:
    """The texts that a model writes with one change.

    Attributes:
        intervention: What was changed.
        at: The value at which units were held, or the factor of the direction.
        texts: The texts, each of the same seed as the unsteered one in the same place.
    """

    intervention: str
    at: float
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Steering(Result):
    """The changes in the texts of a model if units are held or a direction is added while it writes.

    Attributes:
        steered: What is changed.
        is_held: Whether units are held; otherwise a direction is added.
        effects: For each value or factor the effect on each measure; the last measure is the loss.
        unsteered: The texts without a change.
        samples: The texts with it, for each value or factor.
        n_matched: Number of matched changes beside each.
        options: How the texts were written.
    """

    steered: str
    is_held: bool
    effects: Sequence[TextEffect]
    unsteered: tuple[str, ...]
    samples: Sequence[SteeredTexts]
    n_matched: int
    options: WritingOptions

    def rows(self) -> list[Mapping[str, TableCell]]:
        """Return one row for each value or factor and measure."""
        return [effect.row() for effect in self.effects]

    @property
    def measures(self) -> list[str]:
        """The measures: the hypotheses, and the loss."""
        return list(dict.fromkeys(effect.measure for effect in self.effects))

    @property
    def findings(self) -> list[str]:
        """A sentence for each value or factor and hypothesis: what is shown, or that nothing is."""
        return [_finding(effect) for effect in self.effects if effect.measure != LOSS]

    def __str__(self) -> str:
        head = f"{self.steered}: {len(self.unsteered)} texts of {self.options.n_chars:,} characters"
        return "\n".join([head, *self.findings])


def steer(
    model: CharRNN,
    steered: Steered,
    hypotheses: AnyHypothesis | Sequence[AnyHypothesis] = (),
    *,
    factors: Sequence[float] = (1.0,),
    n_matched: int = N_MATCHED,
    force: bool = False,
    options: WritingOptions = DEFAULT_WRITING,
    progress: Progress = no_progress,
) -> Steering:
    """Let a model write with units held or a direction added, and measure its texts beside unsteered ones.

    Each text is compared with the unsteered one that is drawn with the same random numbers; values are changed at every
    character, those of the prompt included. Beside it stand texts that are written with matched changes: other units
    of the site of about the same variance, held as many standard deviations from their mean; or random directions of
    the same length, each the difference between two characters of the unsteered texts.

        probe.steer(model, {"0/cell/163": [-1.0, 0.0, 1.0]}, ["in_quotes", "line_length"])

    Args:
        model: The model.
        steered: The value of each unit that is held, or several values of each, as many for all, which are then held
            together; or a direction that is added: a `Direction`, or a site and a vector.
        hypotheses: What is measured in the texts: the share of characters at which a hypothesis holds, or the mean of
            its numbers. The loss of the unsteered model on each text is measured, too, or alone if there are none.
        factors: The factors of the direction.
        n_matched: Number of matched changes.
        force: Hold units also at values that they can never have, or add more to one than its range is wide.
        options: How texts are written; its seed also draws the matched changes.
        progress: Called with the amount done and the total.

    Raises:
        ActivationError: If there is no such unit or site, a value is outside its range, a number out of range, or the
            model computes its steps itself.
        AnalysisError: If a hypothesis has several classes.
        HypothesisError: If there is no such hypothesis.
    """
    if not isinstance(model, CharRNN):
        raise ActivationError(
            "a model of your own computes its steps itself; steering is for models that `probe train` or "
            "`probe import` made"
        )
    if n_matched < 0:
        raise ActivationError(f"the number of matched changes is {n_matched}; it cannot be negative")
    chosen: list[AnyHypothesis] = list(cast("Sequence[AnyHypothesis]", listed(hypotheses)))
    writer = _Writer(model, options, chosen)
    rng = np.random.default_rng(options.seed)
    if isinstance(steered, Mapping):
        held = held_units(steered, model, force=force)
        n_values = len(next(iter(held.values())))
        first, later = steps_of(progress, [1, n_values * (1 + n_matched)])
        name, unsteered = " + ".join(map(str, held)), writer.write(progress=first)
        changes = holding(held, model, Corpus.from_texts(unsteered), n_matched, rng)
    else:
        direction = checked_direction(steered, model)
        check_factors(direction, factors, model, force=force)
        first, later = steps_of(progress, [1, len(factors) * (1 + n_matched)])
        name, unsteered = str(direction), writer.write(progress=first)
        changes = adding(direction, factors, model, Corpus.from_texts(unsteered), n_matched, rng)
    samples, measured = writer.write_all(changes, unsteered, later)
    return Steering(
        steered=name,
        is_held=isinstance(steered, Mapping),
        effects=text_effects(measured),
        unsteered=unsteered,
        samples=samples,
        n_matched=min(len(change.matched) for change in changes),
        options=options,
    )


class _Writer:
    """A model that writes texts and measures them."""

    def __init__(self, model: CharRNN, options: WritingOptions, hypotheses: Sequence[AnyHypothesis]) -> None:
        self._model, self._options = model, options
        self._hypotheses = {name_of(hypothesis): hypothesis for hypothesis in hypotheses}
        rule = rule_of(model)
        self._prompt = default_prompt(model.vocabulary, rule) if options.prompt is None else options.prompt
        self._n_prompt = len(prompt_text(self._prompt, rule, model.vocabulary))
        self._is_backwards = rule.backwards

    def write(self, interventions: Sequence[Intervention] = (), progress: Progress = no_progress) -> tuple[str, ...]:
        """Write texts with some interventions, each with the same random numbers as without."""
        options = self._options
        texts = write_texts(
            self._model,
            options.n_texts,
            options.n_chars,
            prompt=self._prompt,
            temperature=options.temperature,
            top_k=options.top_k,
            seed=options.seed,
            device=options.device,
            interventions=interventions,
            progress=progress,
        )
        return tuple(texts)

    def write_all(
        self, changes: Sequence[SteeredChange], unsteered: Sequence[str], progress: Progress
    ) -> tuple[list[SteeredTexts], list[Measured]]:
        """Write texts with all changes and those that are matched to them, and measure them beside unsteered ones."""
        of_sets = iter(steps_of(progress, [1.0] * sum(1 + len(change.matched) for change in changes)))
        before = self.measure(unsteered)
        samples, measured = [], []
        for change in changes:
            texts = self.write(change.interventions, next(of_sets))
            samples.append(SteeredTexts(intervention=change.name, at=change.at, texts=texts))
            means = self.measure(texts)
            means_of_matched = [
                self.measure(self.write(interventions, next(of_sets))) for interventions in change.matched
            ]
            for name, values in before.items():
                matched = np.array([of_texts[name] for of_texts in means_of_matched]).reshape(-1, len(values))
                measured.append(Measured(change.name, change.at, name, values, means[name], matched))
        progress(1, 1)
        return samples, measured

    def measure(self, texts: Sequence[str]) -> Means:
        """Return (n_texts,) what each hypothesis measures in the texts, and the loss of the unsteered model."""
        n_prompt = self._n_prompt
        written = slice(0, -n_prompt or None) if self._is_backwards else slice(n_prompt, None)
        means = {name: text_means(texts, hypothesis, written) for name, hypothesis in self._hypotheses.items()}
        return {**means, LOSS: self._losses(texts)}

    def _losses(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(n_texts,) mean loss over the characters that were written, in nats; the first that is read has none."""
        corpus = Corpus.from_texts(texts)
        nats = losses(self._model, corpus, replace_unknown=True, device=self._options.device).nats
        by_text = np.split(nats, np.cumsum([document.n_chars - 1 for document in corpus.documents])[:-1])
        n_before = max(self._n_prompt - 1, 0)  # characters of the prompt that have a loss
        of_written = [nats[: len(nats) - n_before] if self._is_backwards else nats[n_before:] for nats in by_text]
        return np.array([nats.mean(dtype=np.float64) if len(nats) else np.nan for nats in of_written])


def _finding(effect: TextEffect) -> str:
    """Say what the texts show of one measure."""
    values = f"{effect.measure} {effect.steered:.3g} in place of {effect.unsteered:.3g} ({effect.effect:+.3g}"
    interval = f", 95 % interval {effect.low:+.3g} to {effect.high:+.3g})" if np.isfinite(effect.low) else ")"
    beside = f", matched {effect.matched:+.3g}" if np.isfinite(effect.matched) else ""
    if effect.effect == effect.low == effect.high == 0:
        return f"{effect.intervention}: {effect.measure} {effect.unsteered:.3g}, the same in every text"
    if not np.isfinite(effect.q):
        verdict = "not tested"
    elif effect.q < SIGNIFICANT:
        verdict = f"shown to differ from matched changes (q {effect.q:.2g})"
    else:
        verdict = f"not shown to differ from matched changes (q {effect.q:.2g})"
    return f"{effect.intervention}: {values}{interval}{beside}: {verdict}"
