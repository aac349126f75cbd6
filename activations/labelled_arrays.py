"""The home of xarray: activations with names on their axes, read when they are used."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.units import Unit

if TYPE_CHECKING:
    from xarray import DataArray


class RowArray(Protocol):
    """An array of activations, such as `LazyActivations`, which describes its members."""

    @property
    def units(self) -> Sequence[Unit]: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102
    @property
    def dtype(self) -> np.dtype[Any]: ...  # noqa: D102
    @property
    def positions(self) -> range: ...  # noqa: D102
    def characters(self, rows: Any, /) -> str: ...  # noqa: D102
    def __getitem__(self, key: Any) -> NDArray[Any]: ...


def labelled(activations: RowArray) -> "DataArray":
    """Return activations with the dimensions `char` and `unit`; see `LazyActivations.to_xarray`.

    Raises:
        ActivationError: If xarray is not installed.
    """
    try:
        from pandas import RangeIndex
        from xarray import DataArray, Variable
    except ImportError as error:
        raise ActivationError(
            "an array with named axes needs the library xarray, which is an extra; pip install 'char-probe[xarray]' "
            "has it"
        ) from error
    positions = activations.positions
    dims = ("char", "unit")[: len(activations.shape)]
    values = Variable(dims, _lazy(activations.shape, activations.dtype, activations.__getitem__))
    characters = Variable(("char",), _lazy(activations.shape[:1], np.dtype("<U1"), _characters_of(activations)))
    coords: dict[str, Any] = {"char": RangeIndex(positions.start, positions.stop, positions.step)}
    if len(activations.shape) == 1:
        coords["unit"] = str(activations.units[0])
    else:
        coords["unit"] = [str(unit) for unit in activations.units]
    sites = dict.fromkeys(str(unit.site) for unit in activations.units)
    return DataArray(values, {**coords, "character": characters}, name=", ".join(sites))


def _characters_of(activations: RowArray) -> Callable[[Any], NDArray[np.str_]]:
    """Return a function from a key of rows to the characters at these, an array of single characters."""

    def read(key: Any) -> NDArray[np.str_]:
        rows = key[0] if isinstance(key, tuple) else key
        found = np.array(list(activations.characters(rows)), "<U1")
        return found[0] if np.ndim(rows) == 0 and not isinstance(rows, slice) else found

    return read


def _lazy(shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[Any], Any]) -> Any:
    """Return an array of xarray's that calls `read` for the rows and columns that are used.

    Args:
        shape: Its shape.
        dtype: Of its values.
        read: From a tuple of a slice, an index or an array of indices for each axis, to an array of the values there.
    """
    from xarray.backends import BackendArray
    from xarray.core import indexing

    class Lazy(BackendArray):
        def __init__(self) -> None:
            self.shape = shape
            self.dtype = dtype

        def __getitem__(self, key: Any) -> Any:
            return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER_1VECTOR, read)

    return indexing.LazilyIndexedArray(Lazy())
