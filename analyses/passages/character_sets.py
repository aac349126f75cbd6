"""Sets of characters on which an effect is measured: where a hypothesis holds, where it ends, and what it predicts."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from analyses.errors import AnalysisError
from analyses.passages.passages import Passages
from analyses.targets.target import Target

SET_NAMES = ("all", "inside", "outside", "end", "predicted")
ALL, INSIDE, OUTSIDE, END, PREDICTED = range(5)
_LIFT = 2.0  # times as frequent inside as outside: a character that the hypothesis predicts
_FEWEST_OCCURRENCES = 10  # of such a character inside


@dataclass(frozen=True, slots=True, eq=False)
class CharacterSets:
    """The sets of characters of some passages on which the effect of an intervention is measured.

    The loss that counts at a character is that of the next one, which the model predicts after it.

    Attributes:
        hypothesis: The hypothesis.
        members: (5, n_counted) bool, the characters of each set of `SET_NAMES`: `all` that have a label and a next
            character; `inside` and `outside`, where the hypothesis holds and where not; `end`, the last ones inside;
            `predicted`, those whose next character is at least twice as frequent inside as outside, if the model
            knows it.
        predicted_characters: These next characters.
        replaced_characters: Others that are as frequent inside, and that do not count because the model does not know
            them: it reads, and predicts, its replacement in their place, or nothing.
    """

    hypothesis: str
    members: NDArray[np.bool_]
    predicted_characters: str
    replaced_characters: str

    @property
    def sizes(self) -> NDArray[np.int64]:
        """(5,) number of characters of each set."""
        return np.asarray(np.count_nonzero(self.members, axis=1), np.int64)


def character_sets(target: Target, source: Source, passages: Passages) -> CharacterSets:
    """Find the sets of a hypothesis in the counted characters of some passages.

    Args:
        target: Labels of the whole text, True or False.
        source: The source of the whole text. A model that reads backwards predicts the character before.
        passages: The passages.

    Raises:
        AnalysisError: If the labels are not True or False, or are all alike in the passages.
    """
    if target.kind != "binary":
        raise AnalysisError(
            f"{target.hypothesis!r} is not True or False, so there is no inside and outside; compare it with a number "
            f"or name one of its classes, such as '{target.hypothesis}>5'"
        )
    positions = passages.positions[passages.is_counted]
    corpus = source.corpus
    step, ends_at = (-1, corpus.starts) if source.reading_rule.backwards else (1, corpus.stops - 1)
    has_next = ~np.isin(positions, ends_at)
    following = np.where(has_next, positions + step, positions)
    label, next_label = _true_at(target, positions), _true_at(target, following)
    is_usable = has_next & _present_at(target, positions)
    inside, outside = is_usable & label, is_usable & ~label
    for name, chosen in (("nowhere", inside), ("everywhere", outside)):
        if not chosen.any():
            raise AnalysisError(
                f"{target.hypothesis!r} holds {name} in the {len(positions):,} characters that are read, so that there "
                "is nothing to compare; use more characters (--chars), or a text in which it changes"
            )
    ends = inside & ~next_label & _present_at(target, following)
    next_codes = corpus.codes[following]
    favoured = [chr(code) for code in _favoured_codes(next_codes[inside], next_codes[outside])]
    known = [char for char in favoured if _is_known(char, source)]
    predicted = is_usable & np.isin(next_codes, [ord(char) for char in known])
    return CharacterSets(
        hypothesis=target.hypothesis,
        members=np.stack([is_usable, inside, outside, ends, predicted]),
        predicted_characters="".join(known),
        replaced_characters="".join(char for char in favoured if char not in known),
    )


def _is_known(char: str, source: Source) -> bool:
    """Return whether a model reads a character as itself, or as its reading rule spells it."""
    tokens = source.reading_rule.spelled(char, source.vocabulary)
    return bool(tokens) and all(token in source.vocabulary.characters for token in tokens)


def _favoured_codes(inside: NDArray[np.integer], outside: NDArray[np.integer]) -> list[int]:
    """Return the characters that are at least twice as frequent inside as outside, the most frequent inside first."""
    codes, counts = np.unique(inside, return_counts=True)
    others = np.array([np.count_nonzero(outside == code) for code in codes])
    share, share_outside = counts / len(inside), (others + 1) / (len(outside) + 1)
    is_favoured = (share >= _LIFT * share_outside) & (counts >= _FEWEST_OCCURRENCES)
    order = np.argsort(-counts, kind="stable")
    return [int(codes[n]) for n in order if is_favoured[n]]


def _true_at(target: Target, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    return np.asarray(target.labels.values_at(positions), bool)


def _present_at(target: Target, positions: NDArray[np.int64]) -> NDArray[np.bool_]:
    missing = target.labels.missing_at(positions)
    return np.ones(len(positions), bool) if missing is None else ~missing
