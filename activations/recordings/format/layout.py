"""The layout of a recording: its version, its paths, and what it says of sites. See `docs/recording.md`.

A recording is an HDF5 file with the text, the model's vocabulary, a dataset of activations for each site, the model's
predictions, and a checksum for each block of each of these. Rows are characters, or tokens of several characters.
"""

import itertools
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.predictions import prediction_fields
from activations.recordings.format.codings import Coding, coding_named
from activations.units import Site

FORMAT = "character activations"
VERSION = 3
VERSIONS = (2, 3)  # that can be read

WHOLE = ("text", "documents/start", "documents/name", "vocab")  # datasets with a single checksum
TOKENS = ("rows/start", "rows/end")  # also with a single checksum; both or neither are there
SITES = "/layers/"
PREDICTIONS = "/prediction/"
ROWS = (SITES, PREDICTIONS)  # datasets with a row for each character
CODE = np.dtype("<u4")  # of a character of the text
Columns = dict[str, tuple[np.dtype[Any], int | None]]
"""Dtype and width of datasets with an entry for each row, by path; a width of None is one number per row."""


class SiteFacts(NamedTuple):
    """The facts about a site that a recording declares.

    Attributes:
        n_units: Number of units.
        coding: How its values are stored in the file.
        range: The lowest and the highest possible value; None if there is no limit, or none is known.
        is_state: Whether it is carried from one character to the next.
    """

    n_units: int
    coding: Coding
    range: tuple[float, float] | None = None
    is_state: bool = False


def site_path(site: Site) -> str:
    """Return the path of a site's activations, (n_rows, n_units)."""
    return f"{SITES}{site}"


def prediction_path(name: str) -> str:
    """Return the path of one kind of prediction, (n_rows, ...); see `activations.predictions`."""
    return f"{PREDICTIONS}{name}"


def checksum_path(path: str) -> str:
    """Return the path of a dataset's checksums, (n_blocks,)."""
    return f"/checksums{path}"


def lanes_path(site: Site, name: str) -> str:
    """Return the path of a site's lane differences, (n_units,): `largest_difference` or `range`."""
    return f"/lanes/{site}/{name}"


def columns_of(sites: Mapping[Site, SiteFacts], n_characters: int | None) -> Columns:
    """Return what a recording has for each row: dtype and width by path, the sites in their order.

    Args:
        sites: The sites.
        n_characters: Size of the vocabulary whose predictions are recorded, too; None if none are.
    """
    columns: Columns = {site_path(site): (facts.coding.stored, facts.n_units) for site, facts in sites.items()}
    fields = {} if n_characters is None else prediction_fields(n_characters)
    return columns | {prediction_path(name): column for name, column in fields.items()}


def bytes_of_values(n_chars: int, n_rows: int, columns: Columns) -> int:
    """Return how many bytes the text, the activations and the predictions of a recording take.

    Args:
        n_chars: Characters of the whole text, which is recorded even where only some rows are.
        n_rows: Rows.
        columns: See `columns_of`.
    """
    return n_chars * CODE.itemsize + n_rows * sum(dtype.itemsize * (width or 1) for dtype, width in columns.values())


def check_names(sites: Iterable[Site]) -> None:
    """Refuse sites that cannot be in one file.

    Raises:
        ActivationError: If the name of one is the start of the name of another, up to a `/`.
    """
    names = sorted(f"{site}/" for site in sites)
    for shorter, longer in itertools.pairwise(names):
        if longer.startswith(shorter):
            raise ActivationError(
                f"the sites {shorter[:-1]} and {longer[:-1]} cannot be recorded in one file, since the name of one "
                "begins with that of the other; record them apart, or rename one"
            )


def sites_to_data(sites: Mapping[Site, SiteFacts]) -> list[dict[str, Any]]:
    """Return what the attribute `sites` says of each site, in their order."""
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


def sites_of(version: int, entries: Sequence[Any], kinds: Mapping[str, Any]) -> dict[Site, SiteFacts]:
    """Return the sites of a recording, in the order in which its model declares them.

    Args:
        version: The version of the file.
        entries: What its attribute `sites` says; version 2 has none.
        kinds: What its attribute `contents` says: dtype and shape by path.

    Raises:
        ActivationError: If the attributes contradict each other.
    """
    if version == VERSIONS[0]:
        names = [path.removeprefix(SITES) for path in kinds if path.startswith(SITES)]
        return {site: _facts(kinds, site_path(site), {}) for site in sorted(map(Site, names))}
    facts_by_site: dict[Site, SiteFacts] = {}
    try:
        for data in entries:
            if not isinstance(data["name"], str):
                raise ActivationError(f"a site is named {str(data['name'])[:30]}, which is no text")
            site = Site(data["name"], data.get("layer"), data.get("signal"))
            if site_path(site) not in kinds or site in facts_by_site:
                raise ActivationError(f"the attribute 'sites' names {site}, of which there is not one dataset")
            facts_by_site[site] = _facts(kinds, site_path(site), data)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ActivationError(f"the attribute 'sites' is no list of sites: {str(error)[:200]}") from error
    unnamed = {path for path in kinds if path.startswith(SITES)} - {site_path(site) for site in facts_by_site}
    if unnamed:
        raise ActivationError(f"the attribute 'sites' says nothing of {min(unnamed)[:60]}")
    check_names(facts_by_site)
    return facts_by_site


def _facts(kinds: Mapping[str, Any], path: str, data: Mapping[str, Any]) -> SiteFacts:
    """Read what a recording says of a site.

    Args:
        kinds: Dtype and shape by path.
        path: The path of its activations.
        data: The site's entry in the attribute `sites`.
    """
    kind, shape = kinds[path]
    plain = {"<f2": "float16", "<f4": "float32"}.get(kind)
    coding = coding_named(data.get("coding", plain or "float32"))
    if coding.stored.str != kind or len(shape) != 2:
        expected = coding.stored.str if "coding" in data else "<f2 or <f4"
        raise ActivationError(f"{path} is not (n_chars, n_units) in {expected}")
    limits, is_state = data.get("range"), data.get("state", False)
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


def contents(file: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dtype and the shape of every dataset of a file but the checksums, by path."""
    kinds = {}

    def visit(name: str, member: Any) -> None:
        if hasattr(member, "dtype") and not name.startswith("checksums/"):
            kinds[f"/{name}"] = [member.dtype.str, list(member.shape)]

    file.visititems(visit)  # type: ignore[attr-defined]
    return kinds
