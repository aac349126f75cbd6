"""What stands where in a recording: names, versions and the grid of blocks. `docs/recording.md` is the whole of it.

A recording is an HDF5 file with the text, the model's vocabulary, a dataset of activations for each site, the
model's predictions, and a checksum for each block of each of these. Rows are characters, or tokens of
several.
"""

import itertools
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import xxhash
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.recordings.codings import Coding, coding_named
from activations.texts.corpus import Document, end_of_run
from activations.texts.selection import Selection
from activations.units import Site

FORMAT = "character activations"
VERSION = 3
VERSIONS = (2, 3)  # that can be read

JSON_ATTRIBUTES = (
    "range",
    "software",
    "contents",
    "model_config",
    "lane_differences",
    "sites",
    "interventions",
    "reading_rule",
    "token_names",
    "made_by",
)
_READ_BYTES = 1 << 22
WHOLE = ("text", "documents/start", "documents/name", "vocab")  # datasets with one checksum for all of it
TOKENS = ("rows/start", "rows/end")  # the same, of which both or none are there
SITES = "/layers/"
ROWS = (SITES, "/prediction/")  # what has a row for each character


class SiteFacts(NamedTuple):
    """What is known of a recorded site.

    Attributes:
        n_units: How many it has.
        coding: How its values stand in the file.
        range: The lowest and the highest value that there can be; None if there is no limit, or none is known.
        is_state: Whether it is carried from one character to the next.
    """

    n_units: int
    coding: Coding
    range: tuple[float, float] | None = None
    is_state: bool = False


class Tokens(NamedTuple):
    """Rows that are not characters: tokens of several, which a model read through a window.

    Attributes:
        starts: (n_rows,) the place in the corpus of the first character of each; they do not fall.
        ends: (n_rows,) one past its last character; they do not fall.
        window: How many tokens the model saw at most; None is no limit.
        stride: By how many tokens the window moved on; None if it did not.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    window: int | None = None
    stride: int | None = None

    @property
    def n_rows(self) -> int:
        """How many there are."""
        return len(self.starts)

    def rows_of(self, documents: tuple[Document, ...]) -> tuple[Document, ...]:
        """Documents whose places are rows, in place of characters; those without rows are left out.

        Raises:
            ActivationError: If a token has no character, lies beyond the text or crosses a document's end, or comes
                before the one in front of it.
        """
        stops = np.array([document.stop for document in documents])
        of = np.searchsorted(stops, self.starts, side="right")
        if (
            len(self.starts) != len(self.ends)
            or not len(self.starts)
            or (np.diff(self.starts) < 0).any()
            or (np.diff(self.ends) < 0).any()
            or (self.starts < 0).any()
            or (self.ends <= self.starts).any()
            or (of == len(stops)).any()
            or (self.ends > stops[np.minimum(of, len(stops) - 1)]).any()
        ):
            raise ActivationError(
                "tokens must have a first character and one past their last, within one document, in the order of the "
                "text"
            )
        firsts = np.flatnonzero(np.diff(of, prepend=-1))
        lengths = np.diff([*firsts, self.n_rows])
        pairs = zip(firsts.tolist(), lengths.tolist(), strict=True)
        return tuple(Document(documents[of[first]].name, first, n) for first, n in pairs)


def site_path(site: Site) -> str:
    """Where the activations of a site stand, (n_rows, n_units)."""
    return f"{SITES}{site}"


def check_names(sites: Iterable[Site]) -> None:
    """Refuse sites that cannot stand side by side in one file.

    Raises:
        ActivationError: If the name of one is the beginning of that of another, up to a `/`.
    """
    names = sorted(f"{site}/" for site in sites)
    for one, other in itertools.pairwise(names):
        if other.startswith(one):
            raise ActivationError(
                f"the sites {one[:-1]} and {other[:-1]} cannot be recorded in one file, since the name of one begins "
                "with that of the other; record them apart, or rename one"
            )


def described(sites: Mapping[Site, SiteFacts]) -> list[dict[str, Any]]:
    """What the attribute `sites` says of each, in their order."""
    return [
        {
            "name": site.name,
            "layer": site.layer,
            "signal": site.signal,
            "range": None if facts.range is None else list(facts.range),
            "state": facts.is_state,
            "coding": facts.coding.name,
        }
        for site, facts in sites.items()
    ]


def sites_of(attrs: Mapping[str, Any], kinds: Mapping[str, Any]) -> dict[Site, SiteFacts]:
    """The sites of a recording, in the order in which its model declares them.

    Args:
        attrs: The attributes of its root.
        kinds: What its attribute `contents` says.

    Raises:
        ActivationError: If what is said of a site makes no sense.
    """
    if attrs["format_version"] == VERSIONS[0]:
        names = [path.removeprefix(SITES) for path in kinds if path.startswith(SITES)]
        return {site: _facts(kinds, site_path(site), {}) for site in sorted(map(Site, names))}
    found: dict[Site, SiteFacts] = {}
    try:
        for said in json.loads(attrs["sites"]):
            if not isinstance(said["name"], str):
                raise ActivationError(f"a site is named {str(said['name'])[:30]}, which is no text")
            site = Site(said["name"], said.get("layer"), said.get("signal"))
            if site_path(site) not in kinds or site in found:
                raise ActivationError(f"the attribute 'sites' names {site}, of which there is not one dataset")
            found[site] = _facts(kinds, site_path(site), said)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ActivationError(f"the attribute 'sites' is no list of sites: {str(error)[:200]}") from error
    unnamed = {path for path in kinds if path.startswith(SITES)} - {site_path(site) for site in found}
    if unnamed:
        raise ActivationError(f"the attribute 'sites' says nothing of {min(unnamed)}")
    check_names(found)
    return found


def _facts(kinds: Mapping[str, Any], path: str, said: Mapping[str, Any]) -> SiteFacts:
    kind, shape = kinds[path]
    plain = {"<f2": "float16", "<f4": "float32"}.get(kind)
    coding = coding_named(said.get("coding", plain or "float32"))
    if coding.stored.str != kind or len(shape) != 2:
        due = coding.stored.str if "coding" in said else "<f2 or <f4"
        raise ActivationError(f"{path} is not (n_chars, n_units) in {due}")
    limits, is_state = said.get("range"), said.get("state", False)
    if limits is not None and not _is_range(limits):
        raise ActivationError(f"the range of {path} is {str(limits)[:30]}, and not [lowest, highest]")
    if not isinstance(is_state, bool):
        raise ActivationError(f"whether {path} is carried on, 'state', is {str(is_state)[:30]}, and not true or false")
    return SiteFacts(shape[1], coding, None if limits is None else (float(limits[0]), float(limits[1])), is_state)


def _is_range(limits: object) -> bool:
    return (
        isinstance(limits, list)
        and len(limits) == 2
        and all(type(limit) in (int, float) and abs(limit) <= sys.float_info.max for limit in limits)
        and limits[0] <= limits[1]
    )


def prediction_path(name: str) -> str:
    """Where the predictions of one kind stand, (n_chars, ...).

    `log_prob`: log probability, in nats, of the true next character; NaN at the end of a document.
    `log_distribution`: the same of every character of the vocabulary, in float16, if it has up to 512.
    `top_ids`, `top_log_probs`: the five most probable characters, for larger vocabularies.
    """
    return f"/prediction/{name}"


def checksum_path(path: str) -> str:
    """Where the checksums of a dataset stand, (n_blocks,) XXH3-64 of its rows in little-endian order."""
    return f"/checksums{path}"


def lanes_path(site: Site, what: str) -> str:
    """Where stands how far the units of a site differed where lanes meet: `largest_difference` or `range`."""
    return f"/lanes/{site}/{what}"


class Grid:
    """The blocks that checksums stand for.

    The selected part of every document is cut from its start every `block_chars` characters; a piece of which no
    character is selected is no block.

    Attributes:
        starts: (n_blocks,) where in the corpus each begins.
        stops: (n_blocks,) one past its last character.
        documents: (n_blocks,) the document that it is part of.
        first_rows: (n_blocks,) its first row in a dataset.
        last_rows: (n_blocks,) one past its last row.
    """

    def __init__(self, documents: tuple[Document, ...], selection: Selection, block_chars: int) -> None:
        own_starts = np.array([document.start for document in documents], np.int64).clip(
            selection.start, selection.stop
        )
        own_stops = np.array([document.stop for document in documents], np.int64).clip(selection.start, selection.stop)
        n_each = -(-(own_stops - own_starts) // block_chars)
        of = np.repeat(np.arange(len(documents)), n_each)
        within = np.arange(len(of)) - np.repeat(np.cumsum(n_each) - n_each, n_each)
        self.starts: NDArray[np.int64] = own_starts[of] + within * block_chars
        self.stops: NDArray[np.int64] = np.minimum(self.starts + block_chars, own_stops[of])
        self.first_rows = selection.rows(self.starts)
        self.last_rows = selection.rows(self.stops)
        held = self.first_rows < self.last_rows
        self.documents = of[held]
        self.starts, self.stops = self.starts[held], self.stops[held]
        self.first_rows, self.last_rows = self.first_rows[held], self.last_rows[held]

    def __len__(self) -> int:
        return len(self.starts)

    def numbers(self, first_row: int, last_row: int) -> range:
        """The blocks that the rows from `first_row` up to `last_row` lie in."""
        first = int(np.searchsorted(self.first_rows, first_row, side="right")) - 1
        return range(first, int(np.searchsorted(self.first_rows, last_row)))

    def runs(self, most_chars: int) -> Iterator[range]:
        """All the blocks in order, several at a time, with at most so many rows or one block.

        They are of one document, or, where many would fit, several documents as a whole.
        """
        ends = np.flatnonzero(np.diff(self.documents, append=-1)) + 1  # one past the last block of each document
        first = 0
        while first < len(self):
            fitting = int(np.searchsorted(self.last_rows, self.first_rows[first] + most_chars, side="right"))
            last = end_of_run(ends, first, max(first + 1, fitting))
            yield range(first, last)
            first = last


def checksums(rows: NDArray[Any], lengths: NDArray[np.int64]) -> list[int]:
    """XXH3-64 of each of some runs of rows of a dataset.

    Args:
        rows: (n_rows, ...) all of them, one run after another.
        lengths: (n_runs,) how many rows each has.
    """
    content = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
    ends = (np.cumsum(lengths) * (len(content) // max(1, len(rows)))).tolist()
    return [xxhash.xxh3_64_intdigest(content[start:stop]) for start, stop in itertools.pairwise([0, *ends])]


def checksum(rows: NDArray[Any]) -> int:
    """XXH3-64 of rows of a dataset."""
    return checksums(rows, np.array([len(rows)]))[0]


def checksum_of(dataset: Any) -> int:
    """XXH3-64 of the rows of a dataset, which are read some at a time."""
    digest = xxhash.xxh3_64()
    for rows in rows_of(dataset):
        digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
    return int(digest.intdigest())


def rows_of(dataset: Any) -> Iterator[NDArray[Any]]:
    """The rows of a dataset, as many at a time as a few megabytes hold."""
    n_rows = max(1, _READ_BYTES * len(dataset) // max(1, dataset.nbytes))
    for start in range(0, len(dataset), n_rows):
        yield dataset[start : start + n_rows]


def contents(file: Mapping[str, Any]) -> dict[str, Any]:
    """The number type and shape of every dataset of a file but the checksums, by path."""
    found = {}

    def visit(name: str, each: Any) -> None:
        if hasattr(each, "dtype") and not name.startswith("checksums/"):
            found[f"/{name}"] = [each.dtype.str, list(each.shape)]

    file.visititems(visit)  # type: ignore[attr-defined]
    return found


def attributes_checksum(attrs: Mapping[str, Any]) -> str:
    """XXH3-64, in hexadecimal, of the attributes of a file but two, as JSON with sorted keys."""
    facts = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in attrs.items()
        if name not in ("complete", "attributes_checksum")
    }
    return str(xxhash.xxh3_64_hexdigest(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")))
