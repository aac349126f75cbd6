"""Sites and units are spelled one way, which reads back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.errors import ActivationError
from activations.units import SIGNALS, Site, Unit

units = st.builds(Unit, st.builds(Site, st.integers(0, 99), st.sampled_from(SIGNALS)), st.integers(0, 9999))


@given(units)
def test_a_unit_reads_back_from_its_spelling(unit: Unit) -> None:
    assert Unit.parse(str(unit)) == unit


@pytest.mark.parametrize("text", ["", "1", "1/cell", "cell/1/2", "1/cel/3", "-1/cell/3", "1/cell/x", "²/cell/1"])
def test_a_misspelled_unit_is_told_how_to_spell(text: str) -> None:
    with pytest.raises(ActivationError, match="1/cell"):
        Unit.parse(text)


def test_sites_sort_by_layer_then_signal() -> None:
    assert [str(s) for s in sorted([Site(1, "hidden"), Site(0, "output_gate"), Site(0, "cell")])] == [
        "0/cell",
        "0/output_gate",
        "1/hidden",
    ]
