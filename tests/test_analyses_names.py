"""Names in place of objects: every analysis takes strings for sites, units, hypotheses and recordings."""

import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planting import PLANTED, SITES

import probe
from activations.errors import ActivationError
from activations.recordings.recording import Recording
from activations.site_names import resolve_sites, select_sites, select_units
from activations.units import Site, units_of
from analyses.errors import AnalysisError

Analysis = Callable[[Any, Any], Any]
HIDDEN, CELL = Site("1/hidden"), Site("1/cell")
FAST = probe.FitOptions(penalty=100.0)
STATISTICS = probe.statistics


def sites_of_units(ranking: Any) -> set[Site]:
    return {ranked.unit.site for ranked in ranking.units}


def sites_of_probes(results: list[Any]) -> set[Site]:
    return {Site(result.site) for result in results}


OF_SITES: dict[str, Analysis] = {
    "rank": lambda source, sites: sites_of_units(probe.rank(source, "in_quotes", sites=sites)),
    "rank_all": lambda source, sites: sites_of_units(probe.rank_all(source, "in_quotes", sites=sites)[0]),
    "compare": lambda source, sites: sites_of_units(probe.compare(source, "in_quotes", "f1", sites=sites)[0]),
    "describe_units": lambda source, sites: {
        unit.unit.site for unit in probe.describe_units(source, "in_quotes", sites=sites).units
    },
    "similarity": lambda source, sites: set(probe.similarity(source, source, sites=sites).first_sites),
    "fit": lambda source, sites: sites_of_probes(probe.fit(source, "in_quotes", sites=sites, options=FAST)),
    "curve": lambda source, sites: set(probe.curve(source, "in_quotes", "sites", sites=sites, options=FAST).values),
    "hypothesis_matrix": lambda source, sites: set(
        probe.probing.hypothesis_matrix(source, "in_quotes", sites=sites, options=FAST).sites
    ),
    "design": lambda source, sites: {unit.site for unit in probe.design(source, sites, "in_quotes").X.units},
    "ActivePassages": lambda source, sites: set(STATISTICS.ActivePassages(source, sites).sites),
    "Autocorrelations": lambda source, sites: set(STATISTICS.Autocorrelations(source, sites).sites),
    "GramMatrices": lambda source, sites: set(STATISTICS.GramMatrices(source, "in_quotes", sites).sites),
    "Saturations": lambda source, sites: set(STATISTICS.Saturations(source, sites).sites),
    "read": lambda source, sites: set(probe.Session.of(source).read(sites, 0, 10)),
    "blocks": lambda source, sites: set(next(probe.Session.of(source).blocks(sites)).values),
}
"""For each analysis that takes sites, the sites that it found anything for."""
QUICK = sorted(set(OF_SITES) - {"fit", "curve", "hypothesis_matrix"})
FEW = ("a signal", "a list of names")  # of the others, which take a second each
FORMS = {
    "a signal": ("cell", {CELL}),
    "a layer": ("1", {HIDDEN, CELL}),
    "a site's name": ("1/hidden", {HIDDEN}),
    "several with commas": ("cell, 1/hidden", {HIDDEN, CELL}),
    "a site": (CELL, {CELL}),
    "a list of names": (["1/cell", "1/hidden"], {HIDDEN, CELL}),
    "a tuple of both kinds": ((CELL, "1/hidden"), {HIDDEN, CELL}),
    "a set": ({HIDDEN}, {HIDDEN}),
}
NO_SITES = ["c", "5/cell", "", "1/cell/3", "cell,,1/hidden", ["1/cell", "c"], 5, [5], Site("7/cell"), [Site("7/cell")]]


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in OF_SITES for form in FORMS if name in QUICK or form in FEW]
)
def test_sites_may_be_named(planted: Path, name: str, form: str) -> None:
    sites, expected = FORMS[form]
    assert OF_SITES[name](planted, sites) == expected


@pytest.mark.parametrize("sites", NO_SITES, ids=repr)
@pytest.mark.parametrize("name", OF_SITES)
def test_what_names_no_site_is_one_sentence(planted: Path, name: str, sites: Any) -> None:
    with pytest.raises((ActivationError, AnalysisError), match=r"no site|is not a site") as error:
        OF_SITES[name](planted, sites)
    assert "\n" not in str(error.value)


def test_these_are_all_public_analyses_that_take_sites() -> None:
    groups = (probe.ranking, probe.probing, probe.statistics, probe.targets, probe.similarities)
    taking = {
        name
        for group in groups
        for name, value in vars(group).items()
        if callable(value) and not name.startswith("_") and "sites" in inspect.signature(value).parameters
    }
    made_by_others = {"ActivationMatrix", "Ranking", "Probe", "GateSaturation", "HypothesisMatrix", "UnitTable"}
    others = {"curves_over_steps", *made_by_others}  # of several sources
    assert taking - others == set(OF_SITES) - {"read", "blocks"}


@pytest.mark.parametrize(
    "source_of", [str, Path, Recording, probe.Session], ids=["text", "Path", "Recording", "Session"]
)
def test_a_source_may_be_a_path(planted: Path, source_of: Callable[[Any], Any]) -> None:
    source = source_of(planted)
    assert probe.rank(source, "in_comment").units[0].unit == PLANTED["in_comment"]
    assert len(probe.labels(source, "in_comment")) > 10_000
    [passages] = probe.collect(source, [probe.statistics.ActivePassages(source, "1/cell")])
    assert set(passages) == {CELL}


@pytest.mark.parametrize("source", [5, None, ["a.h5"], Site("1/cell")], ids=repr)
def test_what_is_no_source_is_one_sentence(source: Any) -> None:
    for ask in (lambda: probe.rank(source, "in_quotes"), lambda: probe.design(source, None, "in_quotes")):
        with pytest.raises(AnalysisError, match="is not a source of activations; give a recording, its path"):
            ask()


def test_a_unit_and_what_may_explain_it_may_be_named(planted: Path) -> None:
    unit = PLANTED["in_comment"]
    several = probe.explain(planted, str(unit), ["in_quotes", "in_comment"])
    assert several.unit == unit
    assert several.answers[0].hypothesis == "in_comment"
    [only] = probe.explain(planted, unit, "in_comment").answers
    assert only.hypothesis == "in_comment"


@pytest.mark.slow  # labels the text by every hypothesis
def test_all_hypotheses_may_explain_a_unit(planted: Path) -> None:
    by_default = {answer.hypothesis for answer in probe.explain(planted, str(PLANTED["in_comment"])).answers}
    assert by_default > {"in_quotes", "in_comment", "position_in_line"}


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        ("1/cell", "is not a unit"),
        ("cell", "is not a unit; units are written layer/signal/index"),
        ("1/cell/99", "1/cell has 8 units, 0 to 7, and so no 99"),
        ("7/cell/0", "there is no site 7/cell here"),
        (5, "5 is not a unit; write its name"),
        (CELL, "is not a unit; write its name"),
    ],
)
def test_what_names_no_unit_is_one_sentence(planted: Path, unit: Any, sentence: str) -> None:
    with pytest.raises((ActivationError, AnalysisError), match=re.escape(sentence)):
        probe.explain(planted, unit, "in_quotes")
    with pytest.raises((ActivationError, AnalysisError), match=re.escape(sentence)):
        probe.probing.fit_units(planted, "in_quotes", [[unit]])


def test_units_of_probes_may_be_named(planted: Path) -> None:
    names: list[Any] = [["1/cell/7", "1/hidden/5"], "0/hidden/3", PLANTED["in_quotes"]]
    results = probe.probing.fit_units(planted, "in_quotes", names, options=FAST)
    assert [result.units for result in results] == [
        (PLANTED["position_in_line"], PLANTED["in_comment"]),
        (PLANTED["in_quotes"],),
        (PLANTED["in_quotes"],),
    ]


def test_one_name_stands_for_a_list_of_one(planted: Path) -> None:
    assert [each.hypothesis for each in probe.rank_all(planted, "in_comment")] == ["in_comment"]
    controls = probe.fit(planted, "in_comment", sites="0/hidden", controls="position", options=FAST)
    assert [result.control for result in controls] == [None, "position"]
    with pytest.raises(AnalysisError, match="there is no control 'chance'"):
        probe.fit(planted, "in_comment", controls="chance")
    with pytest.raises(AnalysisError, match="'f3'"):
        probe.compare(planted, "in_comment", "f3")


def test_values_are_found_by_the_name_of_their_site(planted: Path) -> None:
    with Recording(planted) as recording:
        values = recording.read(["1/cell", "0/hidden"], 5, 10)
        assert [str(site) for site in values] == ["1/cell", "0/hidden"]  # in the order of the question
        np.testing.assert_array_equal(values["1/cell"], recording.read([CELL], 5, 10)[CELL])  # type: ignore[index]
        assert recording.sites["1/cell"] == SITES[CELL]  # type: ignore[index]
        assert "1/cell" in recording.sites
        assert "1/cel" not in recording.sites


@given(st.data())
def test_every_spelling_of_some_sites_finds_them(data: st.DataObject) -> None:
    number = st.integers(0, 3)
    names = st.one_of(
        st.builds("{}/{}".format, number, st.sampled_from(["hidden", "cell", "input_gate"])),
        st.sampled_from(["features/pca", "features/ica", "blocks.3.mlp", "blocks.3.attention"]),
    )
    available = [Site(name) for name in data.draw(st.lists(names, min_size=1, unique=True))]
    wanted = data.draw(st.lists(st.sampled_from(available), min_size=1, unique=True))
    spelled = ",".join(map(str, wanted))
    forms: list[Any] = [wanted, list(map(str, wanted)), spelled, [wanted[0], spelled]]
    for form in forms:
        assert resolve_sites(available, form) == wanted
        assert select_sites(available, form) == [site for site in available if site in wanted]
    for site in available:
        if site.signal is not None:
            assert select_sites(available, site.signal) == [each for each in available if each.signal == site.signal]
        if site.layer is not None:
            assert select_sites(available, str(site.layer)) == [each for each in available if each.layer == site.layer]
    sizes = dict.fromkeys(available, 3)
    units = units_of(sizes, wanted)
    assert select_units(sizes, [str(unit) for unit in units]) == units
    assert [select_units(sizes, unit) for unit in map(str, units)] == [[unit] for unit in units]
    assert select_sites(available, None) == available


@given(st.text() | st.integers() | st.none() | st.lists(st.text() | st.integers() | st.none()))
def test_anything_else_is_a_site_or_one_sentence(wanted: Any) -> None:
    available = [Site("0/hidden"), Site("1/cell")]
    for choose in (select_sites, resolve_sites):
        try:
            assert set(choose(available, wanted)) <= set(available)
        except ActivationError as error:
            assert re.search(r"no site|is not a site", str(error))
    try:
        assert isinstance(select_units(dict.fromkeys(available, 2), wanted), list)
    except ActivationError as error:
        assert str(error)


def test_a_site_is_equal_to_its_name_and_hashes_like_it() -> None:
    assert Site("1/cell") == "1/cell" != Site("1/hidden")
    assert Site("1/cell") != 1
    assert hash(Site("1/cell")) == hash("1/cell")
