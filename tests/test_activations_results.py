"""Results as rows, data frames and short lines; that every result has them is tested over `import probe`."""

import builtins
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.results import Result, to_frame
from activations.units import Site, Unit


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Measured(Result):
    """A result of a test.

    Attributes:
        unit: The unit.
        score: Its score.
        path: A file.
        n: A count.
        nothing: What there is not.
        weights: An array.
        units: Units.
    """

    unit: Unit
    score: float
    path: Path
    n: np.int64
    nothing: float | None
    weights: NDArray[np.float64]
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Said(Measured):
    """The same result with words of its own."""

    def __str__(self) -> str:
        return "three units\nand more"


def measured(kind: type[Measured] = Measured) -> Measured:
    third, *units = (Unit(Site("0/cell"), index) for index in (3, 1, 2))
    return kind(
        unit=third,
        score=1 / 3,
        path=Path("a.h5"),
        n=np.int64(5),
        nothing=None,
        weights=np.zeros((2000, 7)),
        units=tuple(units),
    )


def test_a_row_has_what_is_a_number_a_text_or_a_name() -> None:
    expected: dict[str, Any] = {"unit": "0/cell/3", "score": 1 / 3, "path": "a.h5", "n": 5, "nothing": None}
    assert measured().rows() == [expected]


def test_a_repr_says_in_one_line_what_a_result_holds() -> None:
    assert repr(measured()) == (
        "Measured(unit='0/cell/3', score=0.3333, path='a.h5', n=5, weights=<float64 2,000 × 7>, units=<2 Unit>)"
    )
    assert repr(measured(Said)) == "<Said: three units>"


def test_a_frame_has_the_rows_of_one_result_or_of_several() -> None:
    pytest.importorskip("pandas")
    frame = measured().to_frame()
    assert frame.to_dict("records") == measured().rows()
    assert len(to_frame([measured(), measured()])) == 2


def test_without_pandas_one_sentence_says_how_to_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def without_pandas(name: str, *arguments: Any, **options: Any) -> Any:
        if name == "pandas":
            raise ModuleNotFoundError(f"No module named {name!r}")
        return imported(name, *arguments, **options)

    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ActivationError, match=r"pip install 'char-probe\[pandas\]'"):
        measured().to_frame()
