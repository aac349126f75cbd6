"""Edits of a text: a few characters deleted, inserted, replaced or repeated, and random ones beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.texts.codes import text_to_codes
from analyses.errors import AnalysisError
from analyses.targets.row_runs import pieces_of_rows, value_counts
from analyses.targets.target import Target

Kind = Literal["delete", "insert", "replace", "repeat"]
_N_ALIKE = 5  # characters of about the same frequency, among which one is drawn
_MOST_KEPT = 100_000  # positions of a character that are kept, or at which something may be inserted
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\s": " "}


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a few characters of a text.

    Attributes:
        kind: `delete`, `insert`, `replace` or `repeat`.
        removed: The characters that are deleted, replaced or repeated; empty of `insert`. Of `delete` and `repeat`,
            empty means the character with which a hypothesis begins to hold.
        inserted: The characters that are inserted, or put in place of others; empty of `delete` and `repeat`.
    """

    kind: Kind
    removed: str = ""
    inserted: str = ""

    def __post_init__(self) -> None:
        needed = {"delete": False, "repeat": False, "insert": True, "replace": True}
        if self.kind not in needed:
            raise AnalysisError(f"there is no edit {self.kind!r}; there are {', '.join(get_args(Kind))}")
        is_right = bool(self.inserted) == needed[self.kind] and bool(self.removed) >= (self.kind == "replace")
        if not is_right or (self.kind == "insert" and self.removed):
            raise AnalysisError(f"{self} is not an edit; write delete, delete CHARS, {_HOW_EDITS_ARE_WRITTEN}")
        if self.kind == "replace" and self.removed == self.inserted:
            raise AnalysisError(f"{self} changes nothing; name two different characters")

    def __str__(self) -> str:
        parts = [self.kind, *(_spelled(chars) for chars in (self.removed, self.inserted) if chars)]
        return " ".join(parts)

    @classmethod
    def parse(cls, text: str) -> "Edit":
        r"""Read an edit from its spelling, in which `\s` is a space, `\n` a line feed and `\t` a tab.

        >>> Edit.parse("replace ( [")
        Edit(kind='replace', removed='(', inserted='[')

        Raises:
            AnalysisError: If it is not the spelling of one.
        """
        kind, *chars = text.split() or [""]
        for spelling, char in _ESCAPES.items():
            chars = [part.replace(spelling, char) for part in chars]
        n_most = {"delete": 1, "repeat": 1, "insert": 1, "replace": 2}.get(kind)
        if n_most is not None and len(chars) > n_most:
            raise AnalysisError(f"{text!r} is not an edit; write delete, delete CHARS, {_HOW_EDITS_ARE_WRITTEN}")
        if kind == "insert":
            return cls("insert", "", *chars)
        return cls(kind, *chars)  # type: ignore[arg-type]

    def where(self, hypothesis: str) -> str:
        """Say in words where it is made."""
        if self.kind == "insert":
            return "anywhere in the text"
        chars = f"occurrences of {_spelled(self.removed)}" if self.removed else f"characters with which {hypothesis}"
        return f"at {chars}" if self.removed else f"at {chars} begins to hold"

    def inserted_for(self, removed: str) -> str:
        """Return what stands in place of the characters that are removed."""
        return {"delete": "", "repeat": removed * 2}.get(self.kind, self.inserted)


_HOW_EDITS_ARE_WRITTEN = (
    r"insert CHARS, replace CHARS CHARS, repeat or repeat CHARS; \s is a space, \n a line feed, \t a tab"
)


class PlacedEdit(NamedTuple):
    """An edit at a place of a text.

    Attributes:
        position: The position of the first character that is removed, or before which something is inserted.
        removed: The characters that are removed.
        inserted: The characters that take their place.
    """

    position: int
    removed: str
    inserted: str

    @property
    def stop(self) -> int:
        """One past the position of the last character that is removed."""
        return self.position + len(self.removed)


@dataclass(frozen=True, slots=True, eq=False)
class DrawnEdits:
    """Edits at places that were drawn over a text, and random ones beside each.

    Attributes:
        edits: In the order of the text.
        random: For each of them, the random edits beside it; fewer if there are no characters for more.
        n_possible: Places at which the edit is possible.
    """

    edits: Sequence[PlacedEdit]
    random: Sequence[Sequence[PlacedEdit]]
    n_possible: int

    @property
    def together(self) -> list[PlacedEdit]:
        """The edits, and after them all random ones."""
        return [*self.edits, *(placed for beside in self.random for placed in beside)]

    @property
    def owners(self) -> NDArray[np.int64]:
        """(n_random,) the number of the edit beside which each random one stands."""
        return np.repeat(np.arange(len(self.edits)), [len(beside) for beside in self.random])


def draw_edits(
    edit: Edit, source: Source, target: Target, n_places: int, n_after: int, n_random: int, rng: np.random.Generator
) -> DrawnEdits:
    """Draw the places of an edit, at about equal distances among all that are possible, and random edits beside them.

    A place needs a character before it, and `n_after` characters after it, in its document. A random edit is of the
    same kind and size, at a place drawn anywhere: it removes a character of about the same frequency instead (one of
    the five whose frequency is nearest), and inserts such ones.

    Args:
        edit: The edit.
        source: The source of the text.
        target: The labels of the whole text, True or False.
        n_places: Number of places wanted; there may be fewer.
        n_after: Characters needed after the edit.
        n_random: Random edits beside each.
        rng: Draws them.

    Raises:
        AnalysisError: If the edit is possible nowhere.
    """
    possible, n_possible = _possible_positions(edit, source, target, n_after)
    if not n_possible:
        raise AnalysisError(
            f"'{edit}' is possible nowhere in this text: it is made {edit.where(target.hypothesis)}, and needs a "
            f"character before it and {n_after} after it in the same document; use another edit, another text, or "
            "fewer characters after it (--after)"
        )
    n_drawn = min(n_places, len(possible))
    numbers = ((np.arange(n_drawn) + rng.random()) * len(possible) / n_drawn).astype(np.int64)
    corpus = source.corpus
    edits = []
    for position in possible[numbers].tolist():
        n_removed = 0 if edit.kind == "insert" else len(edit.removed) or 1
        removed = corpus.text(position, position + n_removed)
        edits.append(PlacedEdit(position, removed, edit.inserted_for(removed)))
    alike = _AlikeCharacters(source, n_after)
    random = [[drawn for _ in range(n_random) if (drawn := alike.draw(edit, placed, rng))] for placed in edits]
    return DrawnEdits(edits, random, n_possible)


class _AlikeCharacters:
    """Characters of a text by their frequency, and where they are."""

    def __init__(self, source: Source, n_after: int) -> None:
        selection = source.selection
        self._source, self._n_after = source, n_after
        codes = source.corpus.codes[selection.start : selection.stop]
        self._codes, self._counts = value_counts(codes[piece] for piece in pieces_of_rows(len(codes)))
        self._insertable, _ = _insertable(source, n_after)
        self._positions: dict[tuple[int, int], NDArray[np.int64]] = {}

    def draw(self, edit: Edit, placed: PlacedEdit, rng: np.random.Generator) -> PlacedEdit | None:
        """Draw a random edit of the same kind and size; None if the text has no characters for one."""
        n_removed = len(placed.removed)
        if n_removed:
            codes = self._alike(placed.removed[0], placed.removed + edit.inserted)
            starts = [self._where(code, n_removed) for code in codes]
            starts = [positions for positions in starts if len(positions)]
            if not starts:
                return None
            position = int(rng.choice(starts[rng.integers(len(starts))]))
        else:
            position = int(rng.choice(self._insertable))
        removed = self._source.corpus.text(position, position + n_removed)
        if edit.kind in ("delete", "repeat"):
            return PlacedEdit(position, removed, edit.inserted_for(removed))
        drawn = [self._alike(char, edit.removed + edit.inserted + removed) for char in edit.inserted]
        if not all(map(len, drawn)):
            return None
        return PlacedEdit(position, removed, "".join(chr(rng.choice(codes)) for codes in drawn))

    def _alike(self, char: str, excluded: str) -> NDArray[np.int64]:
        """Return the code points of the characters whose frequency is nearest to that of one, without some."""
        [code] = text_to_codes(char).tolist()
        count = max(int(self._counts[self._codes == code].sum()), 1)
        distance = np.abs(np.log(self._counts) - np.log(count))
        order = self._codes[np.argsort(distance, kind="stable")].astype(np.int64)
        return np.asarray(order[~np.isin(order, text_to_codes(excluded + char))][:_N_ALIKE])

    def _where(self, code: int, n_removed: int) -> NDArray[np.int64]:
        """Return positions from which on characters can be removed, the first of which is a given one."""
        if (code, n_removed) not in self._positions:
            selection, corpus = self._source.selection, self._source.corpus
            chosen = selection.start + np.flatnonzero(corpus.codes[selection.start : selection.stop] == code)
            chosen = chosen[_has_room(self._source, chosen, n_removed, self._n_after)]
            self._positions[code, n_removed] = chosen[:: max(1, len(chosen) // _MOST_KEPT)].copy()
        return self._positions[code, n_removed]


def _possible_positions(edit: Edit, source: Source, target: Target, n_after: int) -> tuple[NDArray[np.int64], int]:
    """Return the positions at which an edit is possible, in ascending order, and their number.

    Of those at which something can be inserted, only some are given; see `_insertable`.
    """
    if edit.kind == "insert":
        return _insertable(source, n_after)
    selection, corpus = source.selection, source.corpus
    first, stop = selection.start, selection.stop
    if edit.removed:
        pattern = text_to_codes(edit.removed)
        is_there = np.ones(max(stop - first - len(pattern) + 1, 0), bool)
        for offset, code in enumerate(pattern):
            is_there &= corpus.codes[first + offset : first + offset + len(is_there)] == code
        positions = first + np.flatnonzero(is_there)
    else:
        holds = np.asarray(target.labels.values_at(slice(first, stop)), bool)
        missing = target.labels.missing_at(slice(first, stop))
        present = np.ones(len(holds), bool) if missing is None else ~missing
        begins = holds[1:] & ~holds[:-1] & present[1:] & present[:-1]
        positions = first + 1 + np.flatnonzero(begins)
    positions = positions[_has_room(source, positions, len(edit.removed) or 1, n_after)]
    return positions, len(positions)


def _insertable(source: Source, n_after: int) -> tuple[NDArray[np.int64], int]:
    """Return positions at which something can be inserted, of many those at equal distances, and the number of all."""
    selection, corpus = source.selection, source.corpus
    first = np.maximum(corpus.starts + 1, selection.start)
    lengths = np.maximum(np.minimum(corpus.stops - n_after + 1, selection.stop) - first, 0)
    ends = np.cumsum(lengths)
    n_all = int(ends[-1])
    numbers = np.arange(0, n_all, max(1, n_all // _MOST_KEPT))
    documents = np.searchsorted(ends, numbers, side="right")
    return first[documents] + numbers - (ends - lengths)[documents], n_all


def _has_room(source: Source, positions: NDArray[np.int64], n_removed: int, n_after: int) -> NDArray[np.bool_]:
    """(n,) whether positions have a character before them, and enough after them, in their document."""
    corpus = source.corpus
    documents = np.searchsorted(corpus.starts, positions, side="right") - 1
    return np.asarray(
        (positions > corpus.starts[documents]) & (positions + n_removed + n_after <= corpus.stops[documents])
    )


def _spelled(chars: str) -> str:
    for spelling, char in _ESCAPES.items():
        chars = chars.replace(char, spelling)
    return chars
