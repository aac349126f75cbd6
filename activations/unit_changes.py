"""Changes that are the same at every character: units are held at numbers, or numbers are added to them."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.units import Site

Numbers = float | Mapping[int, float] | ArrayLike | Tensor
"""One number for all units, a number for each, or a number for some of them by their index in the site."""
Kind = Literal["clamp", "add", "identity"]
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True, eq=False)
class UnitChange:
    """A change of units that is the same at every character. `intervene` and `Intervention` bind it to a site.

    Attributes:
        kind: `clamp` holds units at the numbers, `add` adds these, and `identity` leaves units as they are.
        numbers: () float64, the same for all units, or (n_units,) one for each.
        units: (n_units,) the indices of the units in the site, in ascending order; None is all units of the site.
    """

    kind: Kind
    numbers: NDArray[np.float64]
    units: tuple[int, ...] | None = None

    def __call__(self, values: Tensor, where: object, /) -> Tensor:
        """Return the changed values, (n_lanes, n_units), whatever is read."""
        if self.kind == "identity":
            return values
        numbers = self._float32.to(values)
        if self.units is None:
            return values + numbers if self.kind == "add" else numbers.expand_as(values)
        changed, units = values.clone(), self._index.to(values.device)
        changed[:, units] = changed[:, units] + numbers if self.kind == "add" else numbers
        return changed

    @cached_property
    def _float32(self) -> Tensor:
        return torch.from_numpy(self.numbers.astype(np.float32))

    @cached_property
    def _index(self) -> Tensor:
        return torch.tensor(self.units or (), dtype=torch.int64)

    @cached_property
    def description(self) -> str:
        """A few words that distinguish the change from others."""
        if self.kind == "identity":
            return "as it is"
        by, to = ("clamp ", " to ") if self.kind == "clamp" else ("add ", "")
        if self.units is not None:
            pairs = zip(self.units, self.numbers.tolist(), strict=True)
            if self.kind == "clamp":
                return by + ", ".join(f"{unit} to {number!r}" for unit, number in pairs)
            return by + ", ".join(f"{number!r} to {unit}" for unit, number in pairs)
        if not self.numbers.ndim:
            return f"clamp all to {self.numbers.item()!r}" if self.kind == "clamp" else f"add {self.numbers.item()!r}"
        digest = hashlib.sha256(self.numbers.astype(np.float32).tobytes()).hexdigest()[:16]
        return f"{by}{'all' if to else ''}{to}a vector of SHA-256 {digest}"

    @property
    def stays_bounded(self) -> bool:
        """True if values within [-1, 1] stay there."""
        return self.kind == "identity" or (self.kind == "clamp" and bool((abs(self.numbers) <= 1).all()))

    def check(self, site: Site, n_units: int) -> None:
        """Check that a site has the units.

        Raises:
            ActivationError: If it does not, or has another number of units than there are numbers.
        """
        if self.units is not None and self.units and not 0 <= self.units[0] <= self.units[-1] < n_units:
            verb = "clamped" if self.kind == "clamp" else "changed"
            raise ActivationError(
                f"units {list(self.units)} of {site} cannot be {verb}; it has {n_units} units, counted from 0"
            )
        if self.units is None and self.numbers.ndim and self.numbers.shape != (n_units,):
            verb = "added to" if self.kind == "add" else "given to the units of"
            raise ActivationError(
                f"a vector of shape {self.numbers.shape} cannot be {verb} {site}; it has {n_units} units"
            )

    def of_units(self, indices: Sequence[int], rows: Sequence[int], n_named: int) -> "UnitChange":
        """Return the change of those units of a site that are among several named ones.

        Args:
            indices: (n,) the units of the site, by their index in it.
            rows: (n,) their numbers among all units that are named, at this site and at others.
            n_named: Number of all units that are named.

        Raises:
            ActivationError: If the change itself says which units it is for, or has another number of numbers.
        """
        if self.kind == "identity":
            return self
        if self.units is not None:
            raise ActivationError(
                "a change of units by their numbers, such as clamp({3: 1.0}), is for a site: '1/cell'"
            )
        if self.numbers.ndim and self.numbers.shape != (n_named,):
            raise ActivationError(f"{n_named} units are named, and the numbers for them are {len(self.numbers)}")
        numbers = np.broadcast_to(self.numbers, n_named)[list(rows)]
        order = np.argsort(indices)
        return UnitChange(self.kind, numbers[order], tuple(int(indices[row]) for row in order))


def unit_change(kind: Kind, values: Numbers) -> UnitChange:
    """Make a change of one number, a vector, or numbers of some units.

    Raises:
        ActivationError: If they are no finite numbers, or an index is no whole number.
    """
    if isinstance(values, Mapping):
        return _of_mapping(kind, values)
    verb = "clamp to" if kind == "clamp" else "add"
    given: Any = values.numpy(force=True) if isinstance(values, Tensor) else values
    try:
        numbers = np.array(given)
        with np.errstate(over="ignore"):
            singles = numbers.astype(np.float32, casting="same_kind")
    except (TypeError, ValueError) as error:
        raise ActivationError(f"expected a number or a vector of numbers to {verb}: {error}") from error
    if not np.isfinite(singles).all():
        raise ActivationError(f"what to {verb} has values that are no numbers, or too large for float32")
    return UnitChange(kind, numbers.astype(np.float64))


def _of_mapping(kind: Kind, values: Mapping[Any, Any]) -> UnitChange:
    verb = "clamp" if kind == "clamp" else "add to"
    for unit, value in values.items():
        if not isinstance(unit, int | np.integer):
            raise ActivationError(f"{unit!r} is no unit; units of a site are counted from 0")
        if not isinstance(value, float | int | np.number) or not abs(float(value)) <= _LARGEST:
            raise ActivationError(f"{value!r} is no number to {verb} unit {unit}{' to' if kind == 'clamp' else ''}")
    units = tuple(sorted(int(unit) for unit in values))
    return UnitChange(kind, np.array([float(values[unit]) for unit in units], np.float64), units)
