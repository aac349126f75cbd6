"""Perturbation: does a unit, or a probe, follow the text if a few of its characters are changed?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.progress import Progress, no_progress
from activations.results import Result, TableCell
from activations.site_names import AnyUnits, select_units
from activations.texts.corpus import Corpus
from activations.texts.tokenising import check_text
from activations.variants import ModelSource
from analyses.causes.editing.edit_effects import (
    ALL,
    CHANGES,
    CONTRAST,
    LOSS,
    PROBE,
    EditEffect,
    edit_effects,
    reported_steps,
    samples_of,
)
from analyses.causes.editing.edit_matching import Quantities, draw_quantities, tested_beside_matched
from analyses.causes.editing.edited_labels import EditedLabels, LabelChange
from analyses.causes.editing.edited_passages import EditedReadings, read_edited
from analyses.causes.editing.edits import DrawnEdits, Edit, PlacedEdit, draw_edits
from analyses.errors import AnalysisError
from analyses.passages.models import reading_source
from analyses.probing.kept_probes import Probe
from analyses.rounding import rounded
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis, labeller_of_new_texts, target_for
from analyses.targets.lags import lagged
from analyses.targets.predictions import PREFIX
from analyses.targets.target import Target
from hypotheses.hypothesis import Hypothesis

N_PLACES = 200
N_STEPS = 64
N_WARM_UP = 256
N_MATCHED = 20
SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Perturbation(Result):
    """The changes after an edit of the text, where it changes a hypothesis's label and where not.

    Attributes:
        hypothesis: The hypothesis.
        edit: The edit, as it is spelled.
        where_edited: Where it was made, in words.
        effects: The effects on the loss, on a probe, and on units: for each the means, then those at some characters.
        n_places: Places at which the edit was made.
        n_possible: Places at which it is possible.
        n_changed: Places at which it changes the label of any character that is compared.
        n_random: Random edits, all together.
        n_steps: Characters after the edit.
        n_warm_up: Characters before it that the model reads, if its document has as many.
        seed: Seed of the draws.
    """

    hypothesis: str
    edit: str
    where_edited: str
    effects: Sequence[EditEffect]
    n_places: int
    n_possible: int
    n_changed: int
    n_random: int
    n_steps: int
    n_warm_up: int
    seed: int

    @property
    def quantities(self) -> list[str]:
        """The quantities that are measured: `loss`, `probe` if there is one, and the units."""
        return list(dict.fromkeys(effect.quantity for effect in self.effects))

    def effect(self, quantity: str, where: str, n_after: int | None = None) -> EditEffect:
        """Return one of the effects; with None, the mean over all characters after the edit.

        Raises:
            AnalysisError: If there is no such effect.
        """
        for effect in self.effects:
            if (effect.quantity, effect.where, effect.n_after) == (quantity, where, n_after):
                return effect
        raise AnalysisError(f"there is no effect on {quantity!r} where {where!r} after {n_after} characters")

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each quantity, set of characters, and number of characters after the edit."""
        facts: dict[str, TableCell] = {"hypothesis": self.hypothesis, "edit": self.edit}
        return [{**facts, **effect.row()} for effect in self.effects]

    @property
    def findings(self) -> list[str]:
        """One sentence for each quantity: its change, or that none is shown."""
        findings = [_finding_of_loss(self.effect(LOSS, ALL))]
        if not self.n_changed:
            return [
                *findings,
                f"The edit changes the label of {self.hypothesis} nowhere, so that it cannot show what follows it; use "
                "another edit.",
            ]
        if not self.effect(LOSS, CHANGES).n_chars:
            return [
                *findings,
                f"The edit changes the label of {self.hypothesis} only at the edited character itself, and nowhere "
                "after it, so that it cannot show what follows the text; use another edit.",
            ]
        n_units = len(set(self.quantities) - {LOSS, PROBE})
        for quantity in self.quantities:
            if quantity != LOSS:
                findings.append(
                    _finding(self.effect(quantity, CHANGES), self.effect(quantity, CONTRAST), several=n_units > 1)
                )
        return findings

    def __str__(self) -> str:
        return "\n".join(
            [
                f"{self.edit} {self.where_edited}: {self.n_places} places, {self.n_steps} characters after",
                *self.findings,
            ]
        )


def perturb(
    source: AnySource,
    hypothesis: AnyHypothesis,
    edit: Edit | str,
    *,
    units: AnyUnits = (),
    probe: Probe | None = None,
    n_places: int = N_PLACES,
    n_steps: int = N_STEPS,
    n_warm_up: int = N_WARM_UP,
    n_random: int = 1,
    n_matched: int = N_MATCHED,
    lag: int = 0,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Perturbation:
    """Change a few characters of the text, and measure what changes in the model after them.

    The passage with the edit and the one without are read from the same warm-up, and compared at the same characters
    after it. The hypothesis labels the edited document, too: a unit that encodes the hypothesis changes where the label
    changes, and stays where it stays. Random edits of the same kind and size stand beside, with characters of about the
    same frequency.

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False.
        edit: An edit, or its spelling: `delete` (the character with which the hypothesis begins to hold), `delete "`,
            `insert /*`, `replace ( [`, `repeat`, `repeat x`; see `Edit.parse`.
        units: The units, such as `0/cell/163` or a list of such names.
        probe: A probe of the same model with a single output.
        n_places: Places to edit, at about equal distances among those where it is possible.
        n_steps: Characters after the edit.
        n_warm_up: Characters that the model reads before it.
        n_random: Random edits beside each.
        n_matched: Matched units beside each unit: drawn from its site among those of the nearest variance. Beside the
            probe, random directions of its units whose outputs vary as much.
        lag: Compare with the label of the character this many characters later, or earlier, below 0, in the text and in
            the edited text alike. Where the text is edited does not depend on it.
        seed: Seed of the draws.
        progress: Called with the amount done and the total.

    Raises:
        ActivationError: If there is no such unit, or the model does not know a character of the edit.
        HypothesisError: If there is no such hypothesis, or it fails on an edited text.
        AnalysisError: If the edit is possible nowhere, the hypothesis is not True or False, the probe has several
            outputs or is of another model, or the source has no model.

    Source:
        Minimal pairs: Linzen, Dupoux & Goldberg 2016, Transactions of the ACL 4:521-535. Behavioural tests by small
        edits: Ribeiro et al. 2020, ACL.
    """
    live = reading_source(source)
    edit = Edit.parse(edit) if isinstance(edit, str) else edit
    _check_numbers(n_places=n_places, n_steps=n_steps, n_warm_up=n_warm_up, n_random=n_random, n_matched=n_matched)
    labeller = _labeller(hypothesis)
    _check_reading(live, edit, probe)
    chosen = list(dict.fromkeys(select_units(live.sites, units)))
    edited_where = _binary_target(live, labeller)
    rng = np.random.default_rng(seed)
    drawn = draw_edits(edit, live, edited_where, n_places, n_steps + 1, n_random, rng)
    target = lagged(edited_where, live.corpus, lag)
    edited_labels = EditedLabels(labeller.lagged(lag) if lag else labeller, target, live.corpus, n_steps)
    labels = _label_changes(edited_labels, drawn.together, progress)
    quantities = draw_quantities(live, chosen, probe, n_matched, rng)
    readings = read_edited(
        live,
        drawn.together,
        quantities.units,
        quantities.directions,
        n_steps,
        n_warm_up,
        lambda done, total: progress(len(labels) * (total + done), 2 * len(labels) * total),
    )
    n_edits = len(drawn.edits)
    return Perturbation(
        hypothesis=target.hypothesis,
        edit=str(edit),
        where_edited=edit.where(edited_where.hypothesis),
        effects=_effects(readings, labels, drawn, quantities, n_steps),
        n_places=n_edits,
        n_possible=drawn.n_possible,
        n_changed=int(sum(change.direction.any() for change in labels[:n_edits])),
        n_random=len(drawn.owners),
        n_steps=n_steps,
        n_warm_up=n_warm_up,
        seed=seed,
    )


def _binary_target(live: ModelSource, labeller: Hypothesis) -> Target:
    """Label the text without edits, and refuse labels that are not True or False."""
    target = target_for(live, labeller)
    if target.kind != "binary":
        raise AnalysisError(
            f"{target.hypothesis!r} is not True or False, so that an edit does not turn it; compare it with a number "
            f"or name one of its classes, such as '{target.hypothesis}>5'"
        )
    return target


def _effects(
    readings: EditedReadings, labels: Sequence[LabelChange], drawn: DrawnEdits, quantities: Quantities, n_steps: int
) -> list[EditEffect]:
    """Return the effects of the edits on all that is tested, beside random edits and matched units."""
    n_edits = len(drawn.edits)
    edits, random = samples_of(readings, labels, n_edits, drawn.owners)
    references = _references(readings, labels, n_edits)
    effects = edit_effects(quantities.numbers, edits, random, references, reported_steps(n_steps))
    return tested_beside_matched(effects, edits, random, references, quantities)


def _label_changes(edited: EditedLabels, edits: Sequence[PlacedEdit], progress: Progress) -> list[LabelChange]:
    """Label the document of each edit; this is the first half of the progress."""
    labels: list[LabelChange] = []
    for placed in edits:
        labels.append(edited.change(placed))
        progress(len(labels), 2 * len(edits))
    return labels


def _labeller(hypothesis: AnyHypothesis) -> Hypothesis:
    if isinstance(hypothesis, str) and hypothesis.startswith(PREFIX):
        raise AnalysisError(
            f"{hypothesis!r} is the model's own prediction, and no label of the text that an edit could change"
        )
    return labeller_of_new_texts(hypothesis, "an edited text")


def _check_numbers(**numbers: int) -> None:
    for name, number in numbers.items():
        fewest = 0 if name in ("n_random", "n_matched") else 1
        if number < fewest:
            raise AnalysisError(f"{name} is {number}; it has to be {fewest} or more")


def _check_reading(live: ModelSource, edit: Edit, probe: Probe | None) -> None:
    if live.reading_rule.backwards:
        raise AnalysisError(
            "this model reads backwards, so that what follows an edit in the text comes before it for the model; "
            "perturb a model that reads forwards"
        )
    if probe is not None:
        probe.check_model(live)
        if probe.weights.shape[1] != 1:
            raise AnalysisError(
                f"the probe of {probe.hypothesis!r} has an output for each class; fit one to a class against the rest"
            )
    if edit.inserted:
        try:
            check_text(Corpus.from_texts([edit.inserted * 2]), live.reading_rule, live.vocabulary)
        except ActivationError as error:
            raise AnalysisError(
                f"the model does not know all of the characters that '{edit}' inserts: {error}"
            ) from error


def _references(readings: EditedReadings, labels: Sequence[LabelChange], n_edits: int) -> NDArray[np.float64]:
    """(n_quantities,) mean inside less outside at the characters that are compared, without edits; of the loss NaN."""
    inside = np.stack([change.before & change.is_known for change in labels[:n_edits]])
    outside = np.stack([~change.before & change.is_known for change in labels[:n_edits]])
    values = readings.before[:, :n_edits]
    if not (inside.any() and outside.any()):
        return np.full(len(values), np.nan)
    references = values[:, inside].mean(axis=1) - values[:, outside].mean(axis=1)
    references[0] = np.nan
    return np.asarray(references)


def _finding_of_loss(effect: EditEffect) -> str:
    change = f"{rounded(effect.change, '+.4f')} nats per character{_interval(effect, '+.4f')}"
    beside = (
        f"random edits change it by {rounded(effect.random, '+.4f')}"
        if np.isfinite(effect.random)
        else "no random edits"
    )
    if effect.p < SIGNIFICANT:
        return f"The loss after the edit changes by {change}, and {beside} (p {effect.p:.2g})."
    return f"Not shown that the loss after the edit changes more than by random edits: {change}; {beside}."


def _finding(changed: EditEffect, contrast: EditEffect, *, several: bool) -> str:
    """Say whether a unit or a probe follows the text: whether it changes more where the label changes."""
    is_probe = changed.quantity == PROBE
    name = "the probe" if is_probe else changed.quantity
    level, p = ("q", contrast.q) if several and not is_probe else ("p", contrast.p)
    beside = f", by random edits by {changed.random:+.3g}" if np.isfinite(changed.random) else ""
    change = (
        f"where the label changes, it changes by {changed.change:+.3g} toward the new label"
        f"{_interval(changed, '+.3g')}{beside}"
    )
    if not np.isfinite(p):
        return (
            f"Not shown that {name} follows the text: {change}; there are too few places where the label changes and "
            "others where it stays, equally far after the edit, to tell a memory of the edited character apart; use "
            "more places, or more characters after them."
        )
    matched = (
        f", matched {'directions' if is_probe else 'units'} {contrast.matched:+.3g}"
        if np.isfinite(contrast.matched)
        else ""
    )
    more = (
        f"{contrast.change:+.3g} more than where the label stays, equally far after the edit{matched} ({level} {p:.2g})"
    )
    if not p < SIGNIFICANT:
        return f"Not shown that {name} follows the text: {change}; {more}."
    verb = "follows the text" if contrast.share > 0 else "changes against the label"
    share = (
        f"; that is {rounded(changed.share, '.0%')} of what separates inside from outside"
        if np.isfinite(changed.share)
        else ""
    )
    return f"{name[0].upper() + name[1:]} {verb}: {change}{share}; {more}."


def _interval(effect: EditEffect, digits: str) -> str:
    """Return the interval in brackets, or that there is none, to follow the change."""
    if not np.isfinite(effect.low):
        return " (no interval)"
    return f" ({rounded(effect.low, digits)} to {rounded(effect.high, digits)})"
