"""Every coding keeps the order of values, and is as fine as it promises."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from activations.errors import ActivationError
from activations.recordings.format.codings import CODINGS, coding_named

bounded = npst.arrays(np.float32, st.integers(1, 50), elements=st.floats(-1, 1, width=32))


@pytest.mark.parametrize("name", CODINGS)
@given(values=bounded)
def test_quantised_values_stay_as_they_are_and_in_order(name: str, values: np.ndarray) -> None:
    coding = CODINGS[name]
    stored = coding.encode(values)
    assert stored.dtype == coding.stored
    found = coding.decode(stored)
    assert found.dtype == coding.dtype
    np.testing.assert_array_equal(coding.quantised(found), found)
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()
    np.testing.assert_array_equal(np.sign(found[np.abs(values) > 1e-6]), np.sign(values[np.abs(values) > 1e-6]))


@given(values=bounded)
def test_near_one_is_as_fine_near_one_as_float16_is_near_zero(values: np.ndarray) -> None:
    found = CODINGS["near_one"].quantised(values)
    to_anchor = np.minimum(np.abs(values), 1 - np.abs(values))  # how far from the nearest of -1, 0 and 1
    assert (np.abs(found - values) <= to_anchor * 2.0**-11 + 2.0**-25).all()
    assert (np.abs(found[np.abs(values) == 1]) == 1).all()


def test_every_code_has_a_value_of_its_own() -> None:
    coding = CODINGS["near_one"]
    codes = np.arange(0x3800 * 4 + 1, dtype=np.uint16)
    values = coding.decode(codes)
    assert values[0] == -1 and values[-1] == 1 and (np.diff(values) > 0).all()
    np.testing.assert_array_equal(coding.encode(values), codes)


def test_nan_is_stored_as_nan_and_rounding_beyond_one_is_cut_off() -> None:
    found = CODINGS["near_one"].quantised(np.array([np.nan, np.inf, -np.inf, 1.0000001, -1.5], np.float32))
    np.testing.assert_array_equal(found, np.array([np.nan, np.nan, np.nan, 1, -1], np.float32))
    with pytest.raises(ActivationError, match="no coding 'int8'; there are float16, float32, near_one"):
        coding_named("int8")
