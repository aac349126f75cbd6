"""Patches: is it this that carries the answer? A part of the state is interchanged between two places of a text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.progress import Progress, no_progress, steps_of
from activations.texts.corpus import Corpus
from activations.units import Site
from activations.variants import ModelSource, VariantChange
from analyses.causes.known_states import (
    PlaceBatch,
    Places,
    Values,
    check_forwards,
    check_sizes,
    read_from_places,
    read_places,
    rows_with_context,
    values_at,
)
from analyses.causes.patching.pairs import Pairs, matched_pairs
from analyses.causes.patching.patch_results import (
    BOTH,
    LOG_PROB,
    LOSS,
    TO_INSIDE,
    TO_OUTSIDE,
    Patch,
    PatchEffect,
    TextPatch,
)
from analyses.causes.patching.patched_parts import (
    AnyPart,
    Part,
    find_part,
    matched_parts,
    part_changes,
    whole_state,
)
from analyses.causes.place_estimates import PlaceAtoms, place_atoms
from analyses.errors import AnalysisError
from analyses.intervals.estimates import Estimate
from analyses.passages.base_reading import BASE_WEIGHT
from analyses.passages.character_sets import END, INSIDE, OUTSIDE, CharacterSets, character_sets
from analyses.passages.effects import beside_matched
from analyses.passages.models import model_source
from analyses.passages.passages import Passages, spread_passages
from analyses.session import AnySource
from analyses.targets.labelling import AnyHypothesis, target_for
from analyses.targets.target import Target

N_PAIRS, N_STEPS, N_MATCHED, N_CHARS = 200, 16, 20, 20_000
_FEWEST_PAIRS = 2
_SAMPLE_CHARS = 4000  # for the variances of units and directions
_NO_DIFFERENCE = "base and source hardly differ in it, so that no share of the difference can be told"

Array = NDArray[np.float64]


def patch(
    source: AnySource,
    hypothesis: AnyHypothesis | Target,
    what: AnyPart,
    *,
    character: str | None = None,
    n_pairs: int = N_PAIRS,
    n_steps: int = N_STEPS,
    n_matched: int = N_MATCHED,
    n_chars: int = N_CHARS,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Patch:
    """Interchange a part of a model's values between places inside and outside, and see what it predicts then.

    The two places of a pair end the same text, of one character or more. At one of them, the base, the values h of the
    part become those of the other, the source: h + (h_source − h) B Bᵀ, with B the part's directions. If the part
    carries the answer, the model then predicts as it does at the source.

    Args:
        source: Live activations: the model and the text.
        hypothesis: A hypothesis that is True or False.
        what: A unit or several together, a `Direction` or a `Subspace`, a site or its name, or `state`, the whole
            state.
        character: The character whose log probability as the next one is measured; None is the one that follows most
            often where the hypothesis ends, such as the closing quote.
        n_pairs: Number of pairs, spread over the text; each is patched in both directions.
        n_steps: Number of characters after the base over which the loss is measured.
        n_matched: Matched parts: units of about the same variance, or random directions.
        n_chars: The characters among which pairs are found, in passages spread over the text.
        seed: Seed of the draws.
        progress: Called with the amount done and the total.

    Raises:
        ActivationError: If there is no such unit.
        AnalysisError: If there is no such part, there are no pairs, the model does not know the character, reads
            backwards, or the source has no model.
    """
    live = model_source(source)
    check_forwards(live, "a patch")
    check_sizes(n_pairs=n_pairs, n_steps=n_steps)
    part = find_part(live, what)
    target = target_for(live, hypothesis)
    passages = spread_passages(live, n_chars)
    sets = character_sets(target, live, passages)
    measured = _character(live, sets, passages) if character is None else character
    _check_character(live, measured)
    rng = np.random.default_rng(seed)
    rows, pairs = _pairs(live, passages, sets, n_pairs, n_steps, rng)
    both = np.concatenate([rows[pairs.inside], rows[pairs.outside]])
    n_read, n_places = BASE_WEIGHT * len(passages.corpus), len(both) * (2 + n_matched)
    finding, sampling, *measuring = steps_of(progress, [n_read, n_read, 3 * n_places, (n_steps + 2) * n_places])
    places = read_places(live, live.corpus, passages, both, part.sites, finding)
    matched = matched_parts(part, _sampled_values(live, passages, part, sampling), live.sites, n_matched, rng)
    measures = _measure(live, places, [whole_state(live), part, *matched], measured, n_steps, measuring)
    return Patch(
        hypothesis=target.hypothesis,
        what=part.name,
        character=measured,
        effects=_effects(part.name, measures, place_atoms(passages, sets, rows[pairs.inside])),
        n_pairs=len(pairs),
        n_common=float(np.median(pairs.n_common)),
        n_steps=n_steps,
        n_matched=len(matched),
        seed=seed,
    )


def _sampled_values(live: ModelSource, passages: Passages, part: Part, progress: Progress) -> Values:
    """(n_sampled, n_units) values of the sites of a part, for their variances."""
    sample = np.flatnonzero(passages.is_counted)[:: max(1, passages.n_counted // _SAMPLE_CHARS)]
    return values_at(live, passages.corpus, sample, part.sites, progress)


def patch_texts(source: AnySource, what: AnyPart, base: str, other: str, character: str) -> TextPatch:
    """Interchange a part of a model's values between the ends of two texts.

    Args:
        source: Live activations; only their model and how it reads count.
        what: See `patch`.
        base: The text after which the model's values are changed, of two characters or more.
        other: The text after which they are taken, the source; likewise.
        character: The character whose log probability as the next one is measured.

    Raises:
        ActivationError: If there is no such unit, or the model does not know a character.
        AnalysisError: If there is no such part, the texts are too short, the model does not know the character, reads
            backwards, or the source has no model.
    """
    live = model_source(source)
    check_forwards(live, "a patch")
    part = find_part(live, what)
    _check_character(live, character)
    if min(len(base), len(other)) < 2:
        raise AnalysisError("base and source are texts of two characters or more")
    corpus = Corpus.from_texts([base, other], ["base", "source"])
    ends = corpus.stops - 1
    wanted: list[Site] = list(dict.fromkeys([*live.carried, *part.sites]))
    both = values_at(live, corpus, np.concatenate([ends - 1, ends]), wanted)
    before, values = {s: both[s][:2] for s in live.carried}, {s: both[s][2:] for s in wanted}
    measures = _log_probs(live, Places(corpus, ends, before, values), [part], character)
    from_base, from_source, patched = measures[0, 0], measures[0, 1], measures[1, 0]
    return TextPatch(
        what=part.name,
        character=character,
        base=from_base,
        source=from_source,
        patched=patched,
        share=(patched - from_base) / (from_source - from_base) if from_source != from_base else float("nan"),
    )


def _character(live: ModelSource, sets: CharacterSets, passages: Passages) -> str:
    """Return the character that follows most often where the hypothesis ends, of those that the model knows."""
    ends = passages.positions[passages.is_counted][sets.members[END]]
    if not len(ends):
        raise AnalysisError(
            f"{sets.hypothesis!r} ends nowhere in the {passages.n_counted:,} characters that are read, so that it "
            "predicts no character; name one whose probability is measured (--character)"
        )
    codes, counts = np.unique(live.corpus.codes[ends + 1], return_counts=True)
    is_known = np.array([chr(code) in live.vocabulary.characters for code in codes])
    return chr(codes[np.argmax(np.where(is_known, counts, -1))])


def _check_character(live: ModelSource, character: str) -> None:
    if len(character) != 1:
        raise AnalysisError(f"{character!r} is not one character; name the one whose probability is measured")
    if character not in live.vocabulary.characters:
        raise AnalysisError(f"the model does not know the character {character!r}; name another one")


def _pairs(
    live: ModelSource,
    passages: Passages,
    sets: CharacterSets,
    n_pairs: int,
    n_steps: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], Pairs]:
    """Pair characters of passages that have enough characters after them.

    Returns:
        Rows of the passages' characters, and pairs of indices into these.
    """
    counted = np.flatnonzero(passages.is_counted)
    is_usable = (sets.members[INSIDE] | sets.members[OUTSIDE]) & rows_with_context(live, passages, n_steps)[counted]
    rows, is_inside = counted[is_usable], sets.members[INSIDE][is_usable]
    pairs = matched_pairs(live.corpus, passages.positions[rows], is_inside, n_pairs, rng)
    if len(pairs) < _FEWEST_PAIRS:
        raise AnalysisError(
            f"{sets.hypothesis!r} holds at {np.count_nonzero(is_inside):,} of the {len(rows):,} characters that have "
            f"{n_steps} characters after them, and {len(pairs)} of these can be paired with one where it does not hold "
            f"and the text ends with the same character; {_FEWEST_PAIRS} pairs are the least: use more characters "
            "(--chars), or a text in which it changes more often"
        )
    return rows, pairs


def _measure(
    live: ModelSource,
    places: Places,
    parts: Sequence[Part],
    character: str,
    n_steps: int,
    progress: Sequence[Progress],
) -> dict[str, Array]:
    """(2 + n_parts, n_places) for each measure: of the base, of the source, and with each part but the first.

    The first part is the whole state, with which the loss of what follows the base is that of the source.
    """
    of_log_probs, of_losses = progress
    log_probs = _log_probs(live, places, parts, character, of_log_probs)
    losses = np.empty_like(log_probs)
    for batch in read_from_places(
        live,
        places,
        _interchanges(places, parts),
        len(parts),
        n_steps,
        progress=of_losses,
    ):
        losses[0, batch.places] = batch.unchanged.mean(axis=-1, dtype=np.float64)
        losses[_rows(batch), batch.places] = batch.losses.mean(axis=-1, dtype=np.float64)
    at_source = _of_partners(log_probs[0])[None]
    return {LOG_PROB: np.concatenate([log_probs[:1], at_source, log_probs[2:]]), LOSS: losses}


def _log_probs(
    live: ModelSource, places: Places, parts: Sequence[Part], character: str, progress: Progress = no_progress
) -> Array:
    """(1 + n_parts, n_places) log probability of a character after each place, without changes and with each part."""
    log_probs = np.empty((1 + len(parts), len(places)))
    for batch in read_from_places(
        live, places, _interchanges(places, parts), len(parts), 1, next_character=character, progress=progress
    ):
        log_probs[0, batch.places] = -batch.unchanged[:, 0]
        log_probs[_rows(batch), batch.places] = -batch.losses[:, :, 0]
    return log_probs


def _rows(batch: PlaceBatch) -> slice:
    """Return the rows of the variants of a batch, after that of the reading without changes."""
    return slice(1 + batch.variants.start, 1 + batch.variants.stop)


def _interchanges(places: Places, parts: Sequence[Part]) -> Callable[[slice], Sequence[VariantChange]]:
    """Return what makes the changes that put the values of its partner into each place."""
    of_partners = {site: _of_partners(array) for site, array in places.values.items()}
    return lambda chosen: part_changes(parts, {site: array[chosen] for site, array in of_partners.items()})


def _of_partners(array: NDArray[Any]) -> NDArray[Any]:
    """Return what each place's partner has: that of place n is place n_pairs + n, and the reverse."""
    return np.roll(array, len(array) // 2, axis=0)


def _effects(what: str, measures: Mapping[str, Array], atoms: PlaceAtoms) -> list[PatchEffect]:
    return [
        _effect(what, measure, direction, values, atoms)
        for measure, values in measures.items()
        for direction in (BOTH, TO_INSIDE, TO_OUTSIDE)
    ]


def _effect(what: str, measure: str, direction: str, values: Array, atoms: PlaceAtoms) -> PatchEffect:
    """Return the share of the way from base to source, beside that of the matched parts.

    Args:
        what: The name of the part.
        measure: The measure.
        direction: The direction.
        values: (3 + n_matched, n_places) the measure of base, source, part and matched parts; in the first half of the
            places, the base is inside.
        atoms: The atom of each pair.
    """
    n_pairs = values.shape[1] // 2
    way = values[1:] - values[0]
    if measure == LOG_PROB:  # the source's is higher if it is inside, and lower if the base is
        way = way * np.repeat([-1.0, 1.0], n_pairs)
    halves = {TO_OUTSIDE: slice(0, n_pairs), TO_INSIDE: slice(n_pairs, None)}
    if direction == BOTH:
        of_pairs = way[:, halves[TO_OUTSIDE]] + way[:, halves[TO_INSIDE]]
        means = [float("nan")] * 3
    else:
        of_pairs = way[:, halves[direction]]
        means = values[:3, halves[direction]].mean(axis=1).tolist()
    share, *matched = _shares(of_pairs, atoms)
    comparison = beside_matched(share, matched, atoms.n_used)
    low, high = _interval(share)
    return PatchEffect(
        what=what,
        measure=measure,
        direction=direction,
        base=means[0],
        source=means[1],
        patched=means[2],
        share=share.value,
        low=low,
        high=high,
        matched=comparison.matched,
        matched_sd=comparison.matched_sd,
        beyond_matched=share.value - comparison.matched,
        p=comparison.p,
        q=comparison.p,
        no_interval_reason=share.no_interval_reason,
    )


def _interval(share: Estimate) -> tuple[float, float]:
    """Return the 95 % interval; where the share is the same in all pairs, the share itself."""
    low, high = share.interval
    is_exact = np.isnan(low) and not share.no_interval_reason
    return (share.value, share.value) if is_exact else (low, high)


def _shares(way: Array, atoms: PlaceAtoms) -> list[Estimate]:
    """Return the share of the first way that each other one is, from (1 + n_parts, n_pairs) ways of each pair.

    Where the interval of the first one has 0 in it, a ratio has no bounded interval (Fieller 1954, Journal of the Royal
    Statistical Society B 16:175-185), and so there is none.
    """
    low, high = atoms.mean(way[0]).interval
    shares = [atoms.ratio(part_way, way[0]) for part_way in way[1:]]
    if low <= 0 <= high:
        return [replace(share, no_interval_reason=_NO_DIFFERENCE) for share in shares]
    return shares
