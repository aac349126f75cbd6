"""`import probe` is all that a user needs."""

import importlib

import pytest

import probe


def test_every_public_name_is_there_and_documented() -> None:
    for name in probe.__all__:
        value = getattr(probe, name)
        assert value.__doc__, name
    assert set(probe.__all__) - {"__version__"} == {name for names in probe._HOMES.values() for name in names}
    assert set(probe.__all__) <= set(dir(probe))


def test_names_are_those_of_their_homes() -> None:
    for home, names in probe._HOMES.items():
        for name in names:
            assert getattr(probe, name) is getattr(importlib.import_module(home), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        probe.frobnicate  # noqa: B018
