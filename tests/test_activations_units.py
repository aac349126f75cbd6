"""Sites and units are spelled one way, which reads back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.errors import ActivationError
from activations.units import SIGNALS, Site, Unit, in_order

parts = st.text(st.characters(exclude_categories=["C", "Z"], exclude_characters="/,"), min_size=1, max_size=9)
names = st.lists(parts.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4).map("/".join)
sites = st.one_of(st.builds(Site.of, st.integers(0, 99), st.sampled_from(SIGNALS)), st.builds(Site, names))


@given(st.builds(Unit, sites, st.integers(0, 9999)))
def test_a_unit_reads_back_from_its_spelling(unit: Unit) -> None:
    assert Unit.parse(str(unit)) == unit
    assert Site.parse(str(unit.site)) == unit.site


@pytest.mark.parametrize("text", ["", "1", "cell", "1/cell/x", "/3", "1//3", "a b/3", "a,b/3", "../3", "a\n/3"])
def test_a_misspelled_unit_is_refused_with_the_right_spelling(text: str) -> None:
    with pytest.raises(ActivationError, match="1/cell"):
        Unit.parse(text)


def test_layer_and_signal_are_in_the_name_or_beside_it() -> None:
    assert (Site("1/cell").layer, Site("1/cell").signal) == (1, "cell")
    assert Site.of(1, "cell") == Site("1/cell")
    act = Site("blocks.3.mlp.act", layer=3, signal="act")
    assert (act.layer, act.signal, str(act)) == (3, "act", "blocks.3.mlp.act")
    assert act == Site("blocks.3.mlp.act") and len({act, Site("blocks.3.mlp.act")}) == 1
    one_beside = Site("1/cell", layer=1)
    assert (one_beside.layer, one_beside.signal) == (1, "cell")
    for name in ("features/pca", "01/cell", "1/a/b"):
        assert Site(name).layer is None


@pytest.mark.parametrize("said", [{"layer": -1}, {"layer": 1.5}, {"layer": "1"}, {"signal": 3}, {"signal": "a b"}])
def test_layer_and_signal_are_a_number_and_a_word(said: dict[str, Any]) -> None:
    with pytest.raises(ActivationError, match=f"the {next(iter(said))} of features/pca is"):
        Site("features/pca", **said)


def test_the_old_spelling_still_works_and_names_the_new_one() -> None:
    with pytest.warns(DeprecationWarning, match=r"Site\('1/cell'\)"):
        site = Site(1, "cell")  # type: ignore[arg-type]
    assert site == Site("1/cell") and site.layer == 1 and hash(site) == hash(Site("1/cell"))


@given(st.lists(sites, max_size=8, unique=True))
def test_sites_have_one_order(some: list[Site]) -> None:
    assert sorted(sorted(some, key=str)) == sorted(sorted(some, key=str, reverse=True))
    assert in_order(some, reversed(some)) == list(dict.fromkeys(some))


def test_numbers_in_names_count_as_numbers() -> None:
    some = [Site(name) for name in ("h.10.mlp", "h.2.mlp", "1/odd", "1/cell", "0/update_gate")]
    assert [str(site) for site in sorted(some)] == ["0/update_gate", "1/cell", "1/odd", "h.2.mlp", "h.10.mlp"]


def test_sites_sort_by_layer_then_signal() -> None:
    assert [str(s) for s in sorted([Site.of(1, "hidden"), Site.of(0, "output_gate"), Site.of(0, "cell")])] == [
        "0/cell",
        "0/output_gate",
        "1/hidden",
    ]
