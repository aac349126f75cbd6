"""Answers to the page's questions, and their values as JSON can hold them."""

import base64
import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import numpy as np

from activations.results import Result
from activations.units import Site, Unit
from probe.viewer.scales import Scale


class Answer:
    """Base of the frozen dataclasses that answer a question."""

    __slots__ = ()

    def as_json(self) -> dict[str, Any]:
        """Return the fields, with their values as `plain` gives them."""
        return {field.name: plain(getattr(self, field.name)) for field in fields(self)}  # type: ignore[arg-type]


def scale_as_json(scale: Scale) -> dict[str, Any]:
    """Return a scale as the page's tracks have it."""
    return asdict(scale) | {"pivot": scale.pivot}


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it.

    Numbers that are infinite or NaN, which JSON lacks, become None. Arrays become lists, except those of uint8: these
    are levels, and become a string of their bytes in base64. Results become their rows, as the commands print them.

    >>> plain({"unit": Unit.parse("1/cell/37"), "r": float("nan"), "levels": np.array([0, 255], np.uint8)})
    {'unit': '1/cell/37', 'r': None, 'levels': 'AP8='}

    Raises:
        TypeError: If it is of a kind that is not known here.
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Site | Unit | Path):
        return str(value)
    if isinstance(value, np.ndarray):
        return base64.b64encode(value.tobytes()).decode() if value.dtype == np.uint8 else plain(value.tolist())
    if isinstance(value, Answer):
        return value.as_json()
    if isinstance(value, Result):
        return [plain(row) for row in value.rows()]
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, Iterable):
        return [plain(part) for part in value]
    raise TypeError(f"{type(value).__name__} has no form in JSON")
