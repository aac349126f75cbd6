"""Everything that the attributes of a recording say, as typed values; recordings are opened and checked by it alone."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import h5py

from activations.errors import ActivationError
from activations.recordings.format import layout
from activations.recordings.format.attributes import Attribute, json_attribute, read_attributes
from activations.recordings.format.checksums import attributes_checksum
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.units import Site

NO_RECORDING = "it is an HDF5 file but not a recording"
MOST_COMPLAINTS = 20

_NEEDED: Mapping[str, type] = {
    "block_chars": int,
    "range": str,
    "every": int,
    "replacement": str,
    "contents": str,
    "attributes_checksum": str,
}
_OPTIONAL: Mapping[str, type | tuple[type, ...]] = {
    "model_sha256": str,
    "corpus_sha256": str,
    "device": str,
    "precision": str,
    "date": str,
    "nats_per_char": (int, float),
    "n_lanes": (int, float),
    "n_groups": (int, float),
    "warm_up_chars": (int, float),
    "window": int,
    "stride": int,
}
_JSON: Mapping[str, tuple[type[Any], str]] = {
    "range": (list, "JSON list [start, stop]"),
    "sites": (list, "list of sites"),
    "interventions": (list, "JSON list"),
    **dict.fromkeys(
        ("contents", "software", "model_config", "lane_differences", "reading_rule", "token_names", "made_by"),
        (dict, "JSON object"),
    ),
}
_MOST_NAME_CHARS = 200
_MOST_POSITION = 2**62


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Metadata:
    """What the attributes of a recording say.

    Attributes:
        block_chars: Characters for each checksum, at least one.
        part: Start and stop of the recorded part of the text, as the file says them.
        every: Step from one recorded character to the next.
        replacement: The character as which unknown ones were read; None if there is none.
        contents: Dtype and shape of every dataset but the checksums, by path.
        facts: What is said of each site.
        reading_rule: How the characters of the text became the tokens that the model read.
        token_names: Names of tokens that are not characters, by the characters that represent them.
        window: The largest number of tokens that the model saw at one time; None is no limit.
        stride: By how many tokens the window moved on; None if it did not.
        model_sha256: Hash of the model, in hexadecimal; empty if the file does not say.
        description: All attributes by name, those in JSON as what it says.
    """

    block_chars: int
    part: tuple[int, int]
    every: int
    replacement: str | None
    contents: Mapping[str, Any]
    facts: Mapping[Site, layout.SiteFacts]
    reading_rule: ReadingRule
    token_names: Mapping[str, str]
    window: int | None
    stride: int | None
    model_sha256: str
    description: Mapping[str, Any]

    def selection(self, n_chars: int) -> Selection:
        """Return the recorded characters of a text of `n_chars` characters.

        Raises:
            ActivationError: If there are none.
        """
        try:
            return Selection.of(n_chars, *self.part, self.every)
        except ActivationError as error:
            raise ActivationError(f"the attributes 'range' and 'every' name no part of the text: {error}") from error


def read_metadata(file: h5py.File) -> Metadata:
    """Read everything that the attributes of a recording say.

    Raises:
        ActivationError: If the file is not a whole recording of a version that is known, or an attribute is missing,
            of a wrong type or contradicts another; up to twenty of these are named.
    """
    attributes = read_attributes(file)
    _check_kind(attributes)
    description: dict[str, Any] = dict(attributes)
    complaints = []
    for name, (kind, expected) in _JSON.items():
        try:
            if name in attributes:
                description[name] = json_attribute(attributes, name, kind, expected)
        except ActivationError as error:
            complaints.append(str(error))
    _refuse([*complaints, *islice(_wrong_values(description), MOST_COMPLAINTS)])
    contents = description["contents"]
    start, stop = description["range"]
    return Metadata(
        block_chars=description["block_chars"],
        part=(start, stop),
        every=description["every"],
        replacement=description["replacement"] or None,
        contents=contents,
        facts=layout.sites_of(description["format_version"], description.get("sites", []), contents),
        reading_rule=ReadingRule.from_data(description.get("reading_rule", {})),
        token_names=description.get("token_names", {}),
        window=description.get("window"),
        stride=description.get("stride"),
        model_sha256=description.get("model_sha256", ""),
        description=description,
    )


def _check_kind(attributes: Mapping[str, Attribute]) -> None:
    """Refuse attributes of something else than a whole recording, and those that do not fit their checksum."""
    if attributes.get("format") != layout.FORMAT:
        raise ActivationError(NO_RECORDING)
    version = attributes.get("format_version")
    if type(version) is not int or version not in layout.VERSIONS:
        known = " and ".join(map(str, layout.VERSIONS))
        raise ActivationError(
            f"it is a recording of version {str(version)[:20]!r}, and this program reads versions {known}"
        )
    complete = attributes.get("complete")
    if not complete or not isinstance(complete, int):
        raise ActivationError("it is incomplete: its extraction was stopped")
    needed = {**_NEEDED, **({"sites": str} if version == layout.VERSION else {})}
    _refuse(
        [
            f"the attribute {name!r} is {'missing' if name not in attributes else 'of a wrong type'}"
            for name, kind in needed.items()
            if not _is(attributes.get(name), kind)
        ]
    )
    if attributes_checksum(attributes) != attributes["attributes_checksum"]:
        raise ActivationError("its attributes do not fit their checksum")


def _wrong_values(description: Mapping[str, Any]) -> Iterator[str]:
    """Report attributes that say what none can say, one at a time."""
    for name, kind in _OPTIONAL.items():
        if name in description and not _is(description[name], kind):
            yield f"the attribute {name!r} is of a wrong type"
    part = description["range"]
    if not (isinstance(part, list) and len(part) == 2 and all(_is(n, int) and abs(n) <= _MOST_POSITION for n in part)):
        yield f"the attribute 'range' is {str(part)[:40]}, and not [start, stop]"
    for name in ("block_chars", "every", "window", "stride"):
        if _is(description.get(name), int) and not 1 <= description[name] <= _MOST_POSITION:
            yield f"the attribute {name!r} is {description[name]}, and should be 1 or more"
    if len(description["replacement"]) > 1:
        yield f"the attribute 'replacement' is {description['replacement'][:40]!r}, and not one character or none"
    names = description.get("token_names", {})
    if isinstance(names, dict) and not all(_is(name, str) and len(name) <= _MOST_NAME_CHARS for name in names.values()):
        most = _MOST_NAME_CHARS
        yield f"the attribute 'token_names' gives a token no name in angle brackets of up to {most} characters"
    interventions = description.get("interventions", [])
    if isinstance(interventions, list) and not all(_is(text, str) for text in interventions):
        yield "the attribute 'interventions' is no list of texts"
    if isinstance(contents := description["contents"], dict):
        yield from _wrong_contents(contents)


def _wrong_contents(contents: Mapping[str, Any]) -> Iterator[str]:
    """Report datasets of which the attribute `contents` does not say a dtype and a shape."""
    for path, declared in contents.items():
        is_declared = isinstance(declared, list) and len(declared) == 2
        if not (is_declared and _is(declared[0], str) and isinstance(declared[1], list)) or not all(
            _is(n, int) and n >= 0 for n in declared[1]
        ):
            yield f"the attribute 'contents' says of {path[:60]!r} {str(declared)[:40]}, and not [dtype, [sizes]]"


def _is(value: object, kind: type | tuple[type, ...]) -> bool:
    """Is a value of a kind? A truth value is no number."""
    return isinstance(value, kind) and not isinstance(value, bool)


def _refuse(complaints: list[str]) -> None:
    if complaints:
        raise ActivationError("; ".join(complaints[:MOST_COMPLAINTS]))
