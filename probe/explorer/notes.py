"""Notes, names and lists for units, kept in a JSON file beside a recording."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Any, Literal

from activations.errors import ActivationError
from activations.files import open_file, replacing
from activations.units import Unit

MOST_CHARS = {"name": 60, "note": 4_000, "list": 60}
"""The longest name of a unit, note, and name of a list."""
_FORMAT, _VERSION = "char-probe notes", 1
_MOST_UNITS, _MOST_LISTS, _MOST_LISTED = 10_000, 200, 2_000
_MOST_BYTES = 4 << 20
_IN_NOTES = "\n\t"  # control characters that a note may have

Field = Literal["name", "note"]


class NotesError(ValueError):
    """Notes that cannot be kept; the message is one sentence."""


class ChangedElsewhereError(NotesError):
    """What is to be changed is not any more as whoever changes it has seen it."""


@dataclass(frozen=True, slots=True)
class UnitNote:
    """What is kept for a unit.

    Attributes:
        name: A short name, in one line; empty if it has none.
        note: A text.
    """

    name: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Notes:
    """What is kept for the units of a recording.

    Attributes:
        units: The name and the note of each unit that has one, by the unit's own name, such as `0/cell/12`.
        lists: Units in the order in which they were added, by the name of the list; none is empty.
        model_sha256: Hash of the model whose units these are; empty if that is not known.
    """

    units: Mapping[str, UnitNote] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    model_sha256: str = ""


@dataclass(frozen=True, slots=True)
class TextChange:
    """A new name or note for a unit.

    Attributes:
        unit: The unit.
        field: Which of the two.
        before: What it was when it was last seen.
        after: What it is to be; empty takes it away.
    """

    unit: Unit
    field: Field
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ListChange:
    """A unit that goes into a list, or out of it.

    Attributes:
        name: The list. It is made with its first unit, and goes with its last one.
        unit: The unit.
        is_in: Whether it is to be in the list.
    """

    name: str
    unit: Unit
    is_in: bool


Change = TextChange | ListChange


def changed(notes: Notes, change: Change) -> Notes:
    """Return notes with a change.

    Raises:
        ChangedElsewhereError: If what is to be changed is neither what it was when it was last seen, nor what it is to
            be.
        NotesError: If there would be too many, or a text cannot be kept.
    """
    return _with_text(notes, change) if isinstance(change, TextChange) else _with_list(notes, change)


def _with_text(notes: Notes, change: TextChange) -> Notes:
    unit = str(change.unit)
    now = notes.units.get(unit, UnitNote())
    is_now = getattr(now, change.field)
    after = _checked(change.field, change.after)
    if is_now not in (change.before, after):
        raise ChangedElsewhereError(
            f"the {change.field} of {unit} was changed elsewhere meanwhile, and nothing was replaced; it is now "
            f"{is_now!r:.200}"
        )
    units = {**notes.units, unit: replace(now, **{change.field: after})}
    if units[unit] == UnitNote():
        del units[unit]
    if len(units) > _MOST_UNITS:
        raise NotesError(f"{_MOST_UNITS:,} units have notes already; take some away first")
    return replace(notes, units=units)


def _with_list(notes: Notes, change: ListChange) -> Notes:
    name, unit = _checked("list", change.name), str(change.unit)
    if not name:
        raise NotesError("the list has no name; give it one")
    units = [listed for listed in notes.lists.get(name, ()) if listed != unit or change.is_in]
    if change.is_in and unit not in units:
        units.append(unit)
    if len(units) > _MOST_LISTED:
        raise NotesError(f"the list {name} has {_MOST_LISTED:,} units already; take some away first")
    lists = {**notes.lists, name: tuple(units)}
    if not units:
        del lists[name]
    if len(lists) > _MOST_LISTS:
        raise NotesError(f"there are {_MOST_LISTS:,} lists already; take some away first")
    return replace(notes, lists=lists)


def _checked(what: str, text: str) -> str:
    """Return a text that can be kept, without blanks around it.

    Raises:
        NotesError: If it cannot.
    """
    text = text.strip()
    if len(text) > MOST_CHARS[what]:
        raise NotesError(f"the {what} has {len(text):,} characters; it may have at most {MOST_CHARS[what]:,}")
    allowed = _IN_NOTES if what == "note" else ""
    if wrong := [char for char in text if not char.isprintable() and char not in allowed and _is_control(char)]:
        raise NotesError(f"the {what} has the character {wrong[0]!r} in it, which cannot be seen; remove it")
    return text


def _is_control(char: str) -> bool:
    return ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029" or "\ud800" <= char <= "\udfff"


class NotesFile:
    """The file beside a recording that keeps notes, names and lists; several threads and programs may write to it.

    A change is made to what the file says at that moment, and the file is replaced as a whole, so that nobody loses
    what somebody else has written.

    Attributes:
        path: The file.
    """

    def __init__(self, recording: Path, model_sha256: str = "") -> None:
        """Keep notes beside a recording.

        Args:
            recording: The recording.
            model_sha256: Hash of its model; empty if that is not known.
        """
        self.path = recording.with_name(f"{recording.name}.notes.json")
        self._model_sha256 = model_sha256
        self._lock = Lock()

    def facts(self) -> dict[str, Any]:
        """Return what is kept, as JSON has it; `problem` says in a sentence why nothing can be changed, if so."""
        notes, problem, notice = Notes(), "", ""
        try:
            notes = self.read()
            if not self._is_writable():
                problem = (
                    f"the folder {self.path.parent} is read-only, so that no notes can be kept beside the recording"
                )
        except NotesError as error:
            problem = str(error)
        if notes.model_sha256 and self._model_sha256 and notes.model_sha256 != self._model_sha256:
            notice = f"the notes in {self.path.name} were begun for another model than that of this recording"
        return {
            "file": self.path.name,
            "problem": problem,
            "notice": notice,
            "units": {unit: asdict(note) for unit, note in notes.units.items()},
            "lists": {name: list(units) for name, units in notes.lists.items()},
        }

    def read(self) -> Notes:
        """Return what the file says; nothing if there is none.

        Raises:
            NotesError: If it cannot be read, or says something else than notes.
        """
        try:
            with os.fdopen(open_file(self.path), "rb") as file:
                content = file.read(_MOST_BYTES + 1)
        except FileNotFoundError:
            return Notes()
        except OSError as error:
            raise NotesError(f"the notes in {self.path} cannot be read: {error.strerror}") from error
        try:
            return _notes_of(content)
        except (ValueError, RecursionError) as error:
            raise NotesError(
                f"the notes in {self.path} cannot be read, since {_reason(error)}; mend the file or move it away, and "
                "nothing is changed in it until then"
            ) from error

    def change(self, change: Change) -> None:
        """Change what is kept.

        Raises:
            NotesError: If that cannot be, see `changed`, or the file cannot be read or written.
        """
        with self._lock, self._alone():
            notes = self.read()
            after = changed(notes, change)
            if after == notes:
                return
            after = replace(after, model_sha256=notes.model_sha256 or self._model_sha256)
            content = json.dumps(_json_of(after), ensure_ascii=False, indent=1).encode() + b"\n"
            if len(content) > _MOST_BYTES:
                raise NotesError(f"the notes would have over {_MOST_BYTES:,} bytes; take some away first")
            try:
                with replacing(self.path) as temporary, temporary.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            except ActivationError as error:
                raise NotesError(f"the notes are not kept: {error}") from error

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other programs waiting that change this file, or another one in its folder."""
        try:
            folder = os.open(self.path.parent, os.O_RDONLY)
        except OSError as error:
            raise NotesError(
                f"the notes are not kept: {self.path.parent} cannot be opened: {error.strerror}"
            ) from error
        try:
            with suppress(OSError):  # file systems that know no locks
                fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)

    def _is_writable(self) -> bool:
        return os.access(self.path.parent, os.W_OK)


def _json_of(notes: Notes) -> dict[str, Any]:
    return {
        "format": _FORMAT,
        "version": _VERSION,
        "model_sha256": notes.model_sha256,
        "units": {
            unit: {key: text for key, text in asdict(note).items() if text} for unit, note in notes.units.items()
        },
        "lists": notes.lists,
    }


def _notes_of(content: bytes) -> Notes:
    """Return what a file says.

    Raises:
        ValueError: If it is no file of notes, or says what would not have been written.
    """
    if len(content) > _MOST_BYTES:
        raise NotesError(f"it has over {_MOST_BYTES:,} bytes")
    values = json.loads(content.decode("utf-8"))
    if not isinstance(values, dict) or values.get("format") != _FORMAT:
        raise NotesError(f"it does not say {_FORMAT!r} as its format")
    if values.get("version") != _VERSION:
        raise NotesError(f"it is of version {values.get('version')!r:.20}, and this program knows version {_VERSION}")
    units, lists, model = values.get("units", {}), values.get("lists", {}), values.get("model_sha256", "")
    if not (isinstance(units, dict) and isinstance(lists, dict) and isinstance(model, str)):
        raise NotesError("units and lists have to be objects, and model_sha256 a text")
    if len(units) > _MOST_UNITS or len(lists) > _MOST_LISTS:
        raise NotesError(f"it has over {_MOST_UNITS:,} units or {_MOST_LISTS:,} lists")
    return Notes(
        units={_unit_of(unit): _unit_note_of(unit, note) for unit, note in units.items()},
        lists={_checked("list", name): _listed_of(name, listed) for name, listed in lists.items()},
        model_sha256=model,
    )


def _unit_of(spelled: object) -> str:
    if not isinstance(spelled, str):
        raise NotesError(f"{spelled!r:.50} is no unit")
    return str(Unit.parse(spelled))


def _unit_note_of(unit: str, values: object) -> UnitNote:
    if not isinstance(values, dict) or not all(isinstance(values.get(key, ""), str) for key in ("name", "note")):
        raise NotesError(f"what it says of {unit} is no name and note")
    return UnitNote(_checked("name", values.get("name", "")), _checked("note", values.get("note", "")))


def _listed_of(name: str, units: object) -> tuple[str, ...]:
    if not isinstance(units, list) or not units or len(units) > _MOST_LISTED:
        raise NotesError(f"the list {name!r:.60} has no units, or over {_MOST_LISTED:,}")
    return tuple(dict.fromkeys(map(_unit_of, units)))


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, NotesError | ActivationError) else "it is not JSON in UTF-8"
