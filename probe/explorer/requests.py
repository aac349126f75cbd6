"""What a request says, read within bounds: a dataclass for each kind of request, and one sentence for what is wrong."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NoReturn, cast, get_args
from urllib.parse import parse_qsl

from hypotheses.spelling import short_list

MOST_BODY_BYTES = 1 << 20
"""Of a body; a larger one is not read."""
MOST_SPELLED_CHARS = 4_000
"""Of a hypothesis or a pattern."""
MOST_BINS = 10_000
"""Of an overview."""
_MOST_QUERY_CHARS = 2_000
MOST_NAME_CHARS = 200
"""Of a unit, a site or the id of labels."""
MOST_POSITION = 1 << 40
"""Of a character, a tile or a recording."""
_LARGEST = 1e30  # of a number
_WHOLE = re.compile(r"-?[0-9]{1,15}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{16}", re.ASCII)

TileKind = Literal["text", "cells", "guess_ids", "guess_levels"]
TrackKind = Literal["unit", "labels", "loss"]


class RequestError(ValueError):
    """A request that cannot be answered; the message is one sentence.

    Attributes:
        status: The status of HTTP.
    """

    def __init__(self, sentence: str, status: int = 400) -> None:
        super().__init__(sentence)
        self.status = status


@dataclass(frozen=True, slots=True)
class TrackName:
    """Which track is meant.

    Attributes:
        recording: The number of the recording.
        kind: What it shows.
        name: The unit, such as `0/cell/12`, or the id of the labels; empty for the loss.
    """

    recording: int
    kind: TrackKind
    name: str


@dataclass(frozen=True, slots=True)
class TileRequest:
    """Which tile of which text is meant, and which part: its characters, their cells, or what is guessed there."""

    recording: int
    kind: TileKind
    tile: int


@dataclass(frozen=True, slots=True)
class LevelsRequest:
    """Which tile of which track is meant."""

    track: TrackName
    tile: int


@dataclass(frozen=True, slots=True)
class OverviewRequest:
    """Which part of a track is meant, and into how many bins it is divided; None is the end of the text."""

    track: TrackName
    n_bins: int
    start: int
    stop: int | None


@dataclass(frozen=True, slots=True)
class ValueRequest:
    """Which unit is meant, and at which character."""

    track: TrackName
    position: int


@dataclass(frozen=True, slots=True)
class LabelsRequest:
    """Which text is to be labelled, and by which hypothesis."""

    recording: int
    hypothesis: str


@dataclass(frozen=True, slots=True)
class RankRequest:
    """The units of which recording, and of which sites, are to be ranked for which labels; None is all sites."""

    recording: int
    labels: str
    sites: str | None


class Query:
    """The query of an address, each field of which is asked for once."""

    def __init__(self, query: bytes) -> None:
        """Read a query.

        Raises:
            RequestError: If it is too long, is no text, or has a field twice.
        """
        if len(query) > _MOST_QUERY_CHARS:
            raise RequestError(f"the address has over {_MOST_QUERY_CHARS:,} characters after the ?; shorten it")
        try:
            pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
        except ValueError as error:
            raise RequestError("what follows the ? in the address cannot be read; encode it as UTF-8") from error
        self._fields = dict(pairs)
        if len(self._fields) < len(pairs):
            raise RequestError("the address has a field twice after the ?; give each once")

    def only(self, *names: str) -> "Query":
        """Return this query if it has no other fields.

        Raises:
            RequestError: If it has.
        """
        _refuse_unknown(self._fields, names)
        return self

    def whole(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number from `low` to `high`.

        Raises:
            RequestError: If there is none, and no default.
        """
        if name not in self._fields and default is not None:
            return default
        spelled = self.text(name)
        if not _WHOLE.fullmatch(spelled):
            raise RequestError(f"{name} is {spelled!r:.50}; it must be a whole number from {low:,} to {high:,}")
        return in_bounds(name, int(spelled), low, high)

    def has(self, name: str) -> bool:
        """Tell whether there is a field of a name."""
        return name in self._fields

    def text(self, name: str) -> str:
        """Return a field of at most 200 characters.

        Raises:
            RequestError: If there is none, or it is longer.
        """
        if name not in self._fields:
            raise RequestError(f"the address lacks {name}; add it after the ?")
        return _bounded_text(name, self._fields[name], MOST_NAME_CHARS)

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return a field that is one of some words.

        Raises:
            RequestError: If it is another.
        """
        return _one_of(name, self.text(name), choices)


class Body:
    """The body of a request, a JSON object whose fields are read one by one."""

    def __init__(self, content: bytes, *names: str) -> None:
        """Read a body.

        Args:
            content: Its bytes.
            names: The fields that it may have.

        Raises:
            RequestError: If it is no JSON object, or has another field; as of all methods here.
        """
        self._fields = json_of(content)
        _refuse_unknown(self._fields, names)

    def has(self, name: str) -> bool:
        """Tell whether there is a field, and it is not null."""
        return self._fields.get(name) is not None

    def whole(self, name: str, low: int = 0, high: int = MOST_POSITION, default: int = 0) -> int:
        """Return a whole number from `low` to `high`."""
        return _whole(name, self._fields.get(name, default), low, high)

    def wholes(self, name: str, most: int) -> list[int]:
        """Return a list of at most `most` whole numbers, none of which is below 0."""
        return [_whole(name, value, 0, MOST_POSITION) for value in self.items(name, most)]

    def number(self, name: str, default: float | None = None) -> float:
        """Return a finite number."""
        number = self._fields.get(name, default)
        if not isinstance(number, int | float) or isinstance(number, bool) or not abs(number) <= _LARGEST:
            raise RequestError(f"{name} is {number!r:.50}; it must be a number")
        return float(number)

    def text(self, name: str, most_chars: int = MOST_SPELLED_CHARS, default: str | None = None) -> str:
        """Return a text of at most `most_chars` characters."""
        return _text(name, self._fields.get(name, default), most_chars)

    def texts(self, name: str, most: int) -> list[str]:
        """Return a list of at most `most` names."""
        return [_text(name, value, MOST_NAME_CHARS) for value in self.items(name, most)]

    def items(self, name: str, most: int) -> list[Any]:
        """Return a list of at most `most` values, whatever they are; empty if there is no such field."""
        values = self._fields.get(name, [])
        if not isinstance(values, list) or len(values) > most:
            raise RequestError(f"{name} must be a list of at most {most:,}, and is {values!r:.50}")
        return values

    def flag(self, name: str) -> bool:
        """Return whether something is so; it is not if there is no such field."""
        value = self._fields.get(name, False)
        if not isinstance(value, bool):
            raise RequestError(f"{name} is {value!r:.50}; it must be true or false")
        return value

    def choice(self, name: str, choices: Collection[str]) -> str:
        """Return a text that is one of some words."""
        return _one_of(name, self.text(name, MOST_NAME_CHARS), choices)


def in_bounds(name: str, number: int, low: int, high: int) -> int:
    """Return a number if it is within bounds.

    Raises:
        RequestError: If it is not.
    """
    if not low <= number <= high:
        raise RequestError(f"{name} is {number:,}; it must be from {low:,} to {high:,}")
    return number


def tile_request(query: bytes) -> TileRequest:
    """Read a request for a tile of the text."""
    fields = Query(query).only("recording", "kind", "tile")
    kind = cast(TileKind, fields.choice("kind", get_args(TileKind)))
    return TileRequest(_recording(fields), kind, _position(fields, "tile"))


def track_request(query: bytes) -> TrackName:
    """Read which track is meant."""
    return _track(Query(query).only("recording", "unit", "labels", "loss"))


def levels_request(query: bytes) -> LevelsRequest:
    """Read a request for the levels of a tile."""
    fields = Query(query).only("recording", "unit", "labels", "loss", "tile")
    return LevelsRequest(_track(fields), _position(fields, "tile"))


def overview_request(query: bytes) -> OverviewRequest:
    """Read a request for the lowest and highest levels of parts of the text."""
    fields = Query(query).only("recording", "unit", "labels", "loss", "bins", "start", "stop")
    start = fields.whole("start", 0, MOST_POSITION, default=0)
    stop = fields.whole("stop", 0, MOST_POSITION) if fields.has("stop") else None
    return OverviewRequest(_track(fields), fields.whole("bins", 1, MOST_BINS), start, stop)


def value_request(query: bytes) -> ValueRequest:
    """Read a request for the value of a unit at a character."""
    fields = Query(query).only("recording", "unit", "position")
    return ValueRequest(TrackName(_recording(fields), "unit", fields.text("unit")), _position(fields, "position"))


def labels_request(body: bytes) -> LabelsRequest:
    """Read a request for labels."""
    fields = Body(body, "recording", "hypothesis")
    spelled = fields.text("hypothesis")
    if not spelled.strip():
        raise RequestError("the hypothesis is empty; type a name, such as in_quotes, or regex: and a pattern")
    return LabelsRequest(fields.whole("recording"), spelled)


def rank_request(body: bytes) -> RankRequest:
    """Read a request for a ranking."""
    fields = Body(body, "recording", "labels", "sites")
    sites = fields.text("sites") if fields.has("sites") else None
    return RankRequest(fields.whole("recording"), id_in(fields.text("labels", MOST_NAME_CHARS)), sites)


def json_of(body: bytes) -> dict[str, Any]:
    """Read a body, which must be one JSON object in UTF-8, with each key once, and without NaN.

    Raises:
        RequestError: If it is not.
    """
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except RequestError:
        raise
    except (ValueError, RecursionError) as error:  # nested too deeply, or a number of thousands of digits
        raise RequestError("the body of the request cannot be read; send one JSON object in UTF-8") from error
    if not isinstance(value, dict):
        raise RequestError(f"the body of the request is a {type(value).__name__}; send one JSON object")
    return value


def _track(fields: Query) -> TrackName:
    kinds: list[TrackKind] = [kind for kind in ("unit", "labels", "loss") if fields.has(kind)]
    if len(kinds) != 1:
        raise RequestError("name one of unit, labels and loss after the ? in the address")
    [kind] = kinds
    name = "" if kind == "loss" else fields.text(kind)
    return TrackName(_recording(fields), kind, id_in(name) if kind == "labels" else name)


def id_in(labels: str) -> str:
    """Return an id of labels if it is one.

    Raises:
        RequestError: If it is not.
    """
    if not _ID.fullmatch(labels):
        raise RequestError(f"labels are {labels!r:.50}; give the id that the server has answered with")
    return labels


def _recording(fields: Query) -> int:
    return fields.whole("recording", 0, MOST_POSITION, default=0)


def _position(fields: Query, name: str) -> int:
    return fields.whole(name, 0, MOST_POSITION)


def _refuse_unknown(fields: Mapping[str, Any], names: Collection[str]) -> None:
    if unknown := [name for name in fields if name not in names]:
        raise RequestError(
            f"the request has {unknown[0]!r:.50}, which is not known here; there are {short_list([*names])}"
        )


def _whole(name: str, value: object, low: int, high: int) -> int:
    if type(value) is not int:
        raise RequestError(f"{name} is {value!r:.50}; it must be a whole number")
    return in_bounds(name, value, low, high)


def _text(name: str, value: object, most_chars: int) -> str:
    if not isinstance(value, str):
        raise RequestError(f"{name} is {value!r:.50}; it must be a text")
    return _bounded_text(name, value, most_chars)


def _one_of(name: str, word: str, choices: Collection[str]) -> str:
    if word not in choices:
        raise RequestError(f"{name} is {word!r:.50}; it must be {' or '.join(choices)}")
    return word


def _bounded_text(name: str, value: str, most_chars: int) -> str:
    if len(value) > most_chars:
        raise RequestError(f"{name} has {len(value):,} characters; it may have at most {most_chars:,}")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise RequestError(f"{name} has half of a character (a surrogate) in it; remove it") from error
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise RequestError("the body of the request has a key twice; give each once")
    return made


def _refuse_constant(constant: str) -> NoReturn:
    raise RequestError(f"the body of the request has {constant}, which is no number")
