"""Interventions: the rest of a step, and all later steps, are made of the changed values."""

import json
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from planting import random_model
from profiles import n_examples
from references import (
    KINDS,
    Kind,
    ids_of,
    name_of,
    next_by_equations,
    read_by_equations,
    recorded,
    unusual_model,
)
from torch import Tensor

from activations import interventions as interventions_module
from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions, add, clamp, identity
from activations.models.sampling import write, write_texts
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site
from probe.untrained import live_twin

TEXT = "The quick brown fox jumps over the lazy dog.\n" * 8
FLOAT32 = ComputeOptions(dtype="float32")
any_add: Any = add
any_clamp: Any = clamp
every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)


def changed(site: Site, values: Tensor, *, at: Intervention) -> Tensor:
    """Apply an intervention to the values of a site as the equations have them: any leading axes, in float64."""
    if site != at.site:
        return values
    rows = values.reshape(-1, values.shape[-1])
    nowhere = torch.full((len(rows),), -1)
    return at.change(rows, LanePositions(nowhere, nowhere)).reshape(values.shape)


def draw_intervention(data: st.DataObject, sites: dict[Site, int]) -> Intervention:
    site = data.draw(st.sampled_from(list(sites)))
    numbers = st.floats(-1, 1, width=32)
    if data.draw(st.booleans()):
        units = st.integers(0, sites[site] - 1)
        return Intervention(site, clamp(data.draw(st.dictionaries(units, numbers, min_size=1))))
    vector = np.array(data.draw(st.lists(numbers, min_size=sites[site], max_size=sites[site])))
    # with gates well above 1 states would grow until float32 itself is coarser than what is asked for
    return Intervention(site, add(vector / 32 if str(site.signal).endswith("gate") else vector))


@every_kind
@pytest.mark.parametrize("n_lanes", [1, 2, 19])
def test_identity_changes_nothing_bit_for_bit(kind: Kind, n_lanes: int) -> None:
    model = unusual_model(TEXT, kind, n_units=13)
    texts = [TEXT[n : n + 150] for n in range(n_lanes)]
    before, after = (
        recorded(model, texts),
        recorded(model, texts, [Intervention(site, identity()) for site in model.sites]),
    )
    for key, values in before.items():
        np.testing.assert_array_equal(after[key], values)
    some = recorded(model, texts, [Intervention(next(iter(model.sites)), identity())])
    for key, values in before.items():
        np.testing.assert_array_equal(some[key], values)


@every_kind
def test_identity_changes_nothing_of_what_is_written(kind: Kind) -> None:
    model = unusual_model(TEXT, kind)
    everywhere = [Intervention(site, identity()) for site in model.sites]
    plain = list(islice(write(model, 3, prompt="The ", seed=1), 20))
    for one, other in zip(plain, write(model, 3, prompt="The ", seed=1, interventions=everywhere), strict=False):
        assert torch.equal(one.logits, other.logits)


@every_kind
@given(data=st.data())
@settings(max_examples=n_examples(12))
def test_clamp_and_add_do_what_they_do_to_the_equations(kind: Kind, data: st.DataObject) -> None:
    model = unusual_model(TEXT, kind, data.draw(st.integers(0, 99)))
    intervention = draw_intervention(data, model.sites)
    texts = [TEXT[n : n + 40] for n in range(data.draw(st.sampled_from([1, 2, 17])))]
    found = recorded(model, texts, [intervention])
    read = {site: torch.from_numpy(found[site]) for site in model.sites}
    expected = next_by_equations(model, ids_of(model, *texts), read, partial(changed, at=intervention))
    for site, values in expected.items():
        span = max(1.0, float(np.ptp(values.numpy())))
        np.testing.assert_allclose(found[site], values, rtol=0, atol=1e-5 * span)


@every_kind
def test_every_site_can_be_changed_in_one_lane_in_several_and_while_writing(kind: Kind) -> None:
    model = unusual_model(TEXT, kind)
    for site, n_units in model.sites.items():
        interventions = [
            Intervention(site, clamp({0: 0.5, n_units - 1: 0.25})),
            Intervention(site, add(0.125 * np.arange(n_units))),
        ]
        for n_lanes in (1, 2):
            found = recorded(model, [TEXT[:30]] * n_lanes, interventions)
            assert (found[site][..., 0] == 0.5).all()
            assert (found[site][..., -1] == 0.25 + 0.125 * (n_units - 1)).all()
        steps = list(islice(write(model, 2, prompt="The ", seed=2, interventions=interventions), 6))
        written = torch.cat([ids_of(model, "The ", "The "), torch.stack([step.ids for step in steps])])

        def change(here: Site, values: Tensor, given: list[Intervention] = interventions) -> Tensor:
            for each in given:
                values = changed(here, values, at=each)
            return values

        _, logits = read_by_equations(model, written, change)
        _, unchanged = read_by_equations(model, written)
        told = torch.stack([step.logits for step in steps]).double()
        torch.testing.assert_close(told, logits[3:-1], rtol=1e-5, atol=1e-5)
        assert (logits - unchanged).abs().max() > 1e-3


def show_where(values: Tensor, where: LanePositions) -> Tensor:
    """Write what a change is given into the first units."""
    return torch.cat([where.positions[:, None].float(), where.documents[:, None].float(), values[:, 2:]], dim=1)


@pytest.mark.parametrize("cell", ["lstm", "gru_reset_before"])
@pytest.mark.parametrize("n_lanes", [1, 3, 40])
def test_a_change_is_given_what_is_read(cell: str, n_lanes: int, code_text: str) -> None:
    corpus = Corpus.from_texts([code_text[:700], code_text[700:703], code_text[703:9000]])
    site = Site.of(1, "candidate")
    selection = Selection.of(len(corpus), 100, 8000, 3)
    live = LiveActivations(
        random_model(code_text, cell=cell),
        corpus,
        n_lanes=n_lanes,
        warm_up_chars=200,
        compute=FLOAT32,
        selection=selection,
        interventions=[Intervention(site, show_where, "tells where it is")],
    )
    documents = np.repeat(np.arange(3), [700, 3, 8297])
    for block in live.blocks([site]):
        assert block.values[site][:, 0].tolist() == list(range(len(corpus)))[block.positions]
        assert block.values[site][:, 1].tolist() == documents[block.positions].tolist()
    places = np.arange(100, 8000, 3)
    passage = live.read([site], 1000, 1500)[site]
    np.testing.assert_array_equal(passage[:, 0], places[(places >= 1000) & (places < 1500)])
    sample = live.sample([site], 200)[site]
    sampled = sample[:, 0].astype(int)
    assert (np.diff(sampled) > 0).all() and sampled.min() >= 100 and sampled.max() < 8000
    np.testing.assert_array_equal(sample[:, 1], documents[sampled])


def test_a_change_is_given_each_of_the_short_documents_that_share_a_turn(code_text: str) -> None:
    """Many short documents are read several in one turn."""
    texts = [code_text[n : n + 3 + n % 20] for n in range(1000)]
    corpus, site = Corpus.from_texts(texts), Site.of(1, "candidate")
    documents = np.repeat(np.arange(1000), [len(text) for text in texts])
    for n_lanes in (1, 4):
        interventions = [Intervention(site, show_where, "tells where it is")]
        model = random_model(code_text)
        live = LiveActivations(model, corpus, n_lanes=n_lanes, compute=FLOAT32, interventions=interventions)
        for block in live.blocks([site]):
            assert block.values[site][:, 0].tolist() == list(range(len(corpus)))[block.positions]
            assert block.values[site][:, 1].tolist() == documents[block.positions].tolist()
        plain = LiveActivations(model, corpus, n_lanes=n_lanes, compute=FLOAT32).read([Site.of(1, "cell")])
        same = [Intervention(each, identity()) for each in live.sites]
        through = LiveActivations(model, corpus, n_lanes=n_lanes, compute=FLOAT32, interventions=same)
        np.testing.assert_array_equal(through.read(list(plain))[Site.of(1, "cell")], plain[Site.of(1, "cell")])


def test_lanes_that_wait_for_others_read_nowhere(code_text: str) -> None:
    seen = set()

    def note(values: Tensor, where: LanePositions) -> Tensor:
        seen.update(where.positions.tolist())
        return values

    corpus = Corpus.from_texts([code_text[:700], code_text[700:750]])
    live = LiveActivations(
        random_model(code_text), corpus, n_lanes=2, interventions=[Intervention(Site.of(0, "cell"), note, "notes")]
    )
    list(live.blocks())
    assert seen == {-1, *range(750)}


def test_a_change_acts_on_the_characters_of_a_warm_up(code_text: str) -> None:
    """A value added long before a lane's first character is still in a cell that forgets nothing."""
    model = random_model(code_text, n_layers=1)
    corpus = Corpus.from_texts([code_text[:6000]])

    def remember(values: Tensor, where: LanePositions) -> Tensor:
        return torch.where((where.positions % 100 == 7)[:, None], values + 1, values)

    interventions = [Intervention(Site.of(0, "forget_gate"), clamp(dict.fromkeys(range(8), 1.0))),
                     Intervention(Site.of(0, "input_gate"), clamp(dict.fromkeys(range(8), 0.0))),
                     Intervention(Site.of(0, "cell"), remember, "adds 1 at some")]  # fmt: skip
    live = LiveActivations(model, corpus, n_lanes=4, warm_up_chars=512, compute=FLOAT32, interventions=interventions)
    for block in live.blocks([Site.of(0, "cell")]):
        warm_up = min(piece.warm_up for piece in live._readings.plan.pieces if piece.start <= block.start < piece.stop)
        marks = np.cumsum(np.arange(warm_up, block.stop) % 100 == 7)[block.start - warm_up :]
        np.testing.assert_array_equal(block.values[Site.of(0, "cell")], np.repeat(marks[:, None], 8, axis=1))


def test_texts_that_are_written_are_told_apart_and_counted_from_the_prompt() -> None:
    seen: list[tuple[list[int], list[int]]] = []

    def note(values: Tensor, where: LanePositions) -> Tensor:
        seen.append((where.documents.tolist(), where.positions.tolist()))
        return values

    interventions = [Intervention(Site.of(0, "cell"), note, "notes")]
    write_texts(random_model("abc"), 2, 4, prompt="ab", interventions=interventions)
    assert seen == [([0, 1], [n, n]) for n in range(5)]


@pytest.mark.parametrize("n_lanes", [1, 2])
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda values, where: values[:, :3], r"gave a value of shape \(\d, 3\); expected a tensor of shape \(\d, 8\)"),
        (lambda values, where: None, "gave a value of type NoneType"),
        (lambda values, where: values.numpy(), "gave a value of type ndarray"),
        (lambda values, where: values + 1j, "gave a value of complex numbers; expected real ones"),
    ],
)
def test_a_value_of_another_shape_is_refused(change: Any, complaint: str, n_lanes: int, tmp_path: Path) -> None:
    interventions = [Intervention(Site.of(1, "output_gate"), change, "is wrong")]
    corpus = Corpus.from_texts(["abc" * 50] * n_lanes)
    live = LiveActivations(random_model("abc"), corpus, n_lanes=n_lanes, interventions=interventions)
    with pytest.raises(ActivationError, match=f"the intervention at 1/output_gate {complaint}"):
        extract(live, tmp_path / "a.h5")
    with pytest.raises(ActivationError, match=f"the intervention at 1/output_gate {complaint}"):
        write_texts(random_model("abc"), n_lanes, 2, prompt="a", interventions=interventions)


@pytest.mark.parametrize(
    ("intervention", "complaint"),
    [
        (
            Intervention(Site.of(2, "cell"), identity()),
            "there is no site 2/cell to intervene at; the model has 0/hidden, 0/cell",
        ),
        (Intervention(Site.of(0, "reset_gate"), identity()), "there is no site 0/reset_gate"),
        (
            Intervention(Site.of(0, "cell"), clamp({3: 0, 8: 0})),
            r"units \[3, 8\] of 0/cell cannot be clamped; it has 8 units",
        ),
        (Intervention(Site.of(0, "cell"), clamp({-1: 0})), r"units \[-1\] of 0/cell cannot be clamped"),
        (
            Intervention(Site.of(0, "cell"), add([1.0])),
            r"a vector of shape \(1,\) cannot be added to 0/cell; it has 8 units",
        ),
        (Intervention(Site.of(0, "cell"), add(np.ones((8, 1)))), r"a vector of shape \(8, 1\) cannot be added"),
    ],
)
def test_a_site_that_a_model_does_not_have_cannot_be_changed(intervention: Intervention, complaint: str) -> None:
    with pytest.raises(ActivationError, match=complaint):
        list(LiveActivations(random_model("ab"), Corpus.from_texts(["ab"]), interventions=[intervention]).blocks())
    with pytest.raises(ActivationError, match=complaint):
        write_texts(random_model("ab"), 1, 2, prompt="a", interventions=[intervention])


def test_a_recording_names_interventions_and_has_another_model_hash(tmp_path: Path) -> None:
    model, corpus = random_model("abc"), Corpus.from_texts(["abcab" * 20])
    kinds: list[list[Intervention]] = [
        [],
        [Intervention(Site.of(0, "cell"), clamp({1: 0.5}))],
        [Intervention(Site.of(0, "cell"), clamp({1: 0.5000001}))],
        [Intervention(Site.of(1, "cell"), clamp({1: 0.5}))],
        [Intervention(Site.of(0, "cell"), add(np.arange(8)))],
        [Intervention(Site.of(0, "cell"), add(np.arange(8) + 1e-6))],
    ]
    hashes = []
    for n, interventions in enumerate(kinds):
        live = LiveActivations(model, corpus, interventions=interventions)
        extract(live, tmp_path / f"{n}.h5")
        with h5py.File(tmp_path / f"{n}.h5") as file:
            hashes.append(file.attrs["model_sha256"])
            assert file.attrs["model_sha256"] == live.model_sha256
            said = json.loads(file.attrs["interventions"]) if "interventions" in file.attrs else []
        assert said == [str(each) for each in interventions]
    assert len(set(hashes)) == len(kinds)
    assert "0/cell: clamp 1 to 0.5" in str(kinds[1][0])


def test_a_protocol_model_is_not_intervened_in() -> None:
    class ProtocolModel:
        vocabulary = Vocabulary.of(["ab"])
        sites: ClassVar = {Site.of(0, "hidden"): 1}

        def start(self, n_lanes: int) -> dict[Site, Tensor]:
            return {Site.of(0, "hidden"): torch.zeros(n_lanes, 1)}

        def read(self, ids: Tensor, state: Any) -> tuple[Tensor, dict[Site, Tensor], Any]:
            return torch.zeros(*ids.shape, 2), {Site.of(0, "hidden"): torch.zeros(*ids.shape, 1)}, state

    corpus = Corpus.from_texts(["ab"])
    assert LiveActivations(ProtocolModel(), corpus).n_lanes == 1
    with pytest.raises(ActivationError, match="a model of your own computes its steps itself"):
        LiveActivations(ProtocolModel(), corpus, interventions=[Intervention(Site.of(0, "hidden"), identity())])


def test_a_model_that_interventions_make_worse_than_letter_counts_is_recorded(code_text: str, tmp_path: Path) -> None:
    model = random_model(code_text)
    model.trained = True
    corpus = Corpus.from_texts([code_text])
    with pytest.raises(ActivationError):
        extract(LiveActivations(model, corpus), tmp_path / "a.h5")
    live = LiveActivations(model, corpus, interventions=[Intervention(Site.of(0, "cell"), identity())])
    assert extract(live, tmp_path / "a.h5").n_chars == len(corpus)


def test_the_untrained_twin_of_a_live_source_is_intervened_in_as_that_is() -> None:
    model, interventions = random_model("ab"), [Intervention(Site.of(0, "cell"), clamp({1: 0.5}))]
    live = LiveActivations(model, Corpus.from_texts(["abba" * 9]), interventions=interventions)
    values = live_twin(live, model, "shuffled").read([Site.of(0, "cell")])[Site.of(0, "cell")]
    assert (values[:, 1] == 0.5).all() and not (values[:, 0] == 0.5).any()


@every_kind
@pytest.mark.parametrize("dtype", ["auto", "near_one", "float16"])
def test_values_that_an_intervention_takes_beyond_1_are_recorded_as_they_are(
    kind: Kind, dtype: str, tmp_path: Path
) -> None:
    """So are the hidden states that are made of them; what is beyond float16 is no float16."""
    model = unusual_model(TEXT, kind, n_layers=1)
    for site, n_units in model.sites.items():

        def enlarge(values: Tensor, where: LanePositions) -> Tensor:
            return torch.where((where.positions == 100)[:, None], 3.1234567, values)

        live = LiveActivations(
            model,
            Corpus.from_texts([TEXT]),
            n_lanes=2,
            compute=ComputeOptions(dtype=dtype),
            interventions=[Intervention(site, enlarge, "3.1 at one character")],
        )
        extract(live, tmp_path / "a.h5", force=True)
        with Recording(tmp_path / "a.h5") as recording:
            values = {each: own[100] for each, own in recording.read(list(model.sites)).items()}
            assert recording.facts[site].range is None
        exact = recorded(model, [TEXT], live.interventions)
        for each, own in values.items():
            atol = {"auto": 1e-3, "near_one": 1e-3, "float16": 5e-3}[dtype] * max(1, np.abs(exact[each][100]).max())
            np.testing.assert_allclose(own, exact[each][100, 0], rtol=0, atol=atol)
        assert (values[site] == (np.float16 if dtype == "float16" else np.float32)(3.1234567)).all()
        assert len(values[site]) == n_units


@pytest.mark.parametrize("n_lanes", [1, 2])
def test_interventions_that_keep_to_the_range_are_recorded_in_the_number_types_of_before(n_lanes: int) -> None:
    model, corpus, site = random_model(TEXT), Corpus.from_texts([TEXT]), Site.of(0, "hidden")
    fine = ComputeOptions(dtype="near_one")
    types = [
        {each: live.coding(each).name for each in live.sites}
        for interventions in (
            [],
            [Intervention(each, identity()) for each in model.sites],
            [Intervention(site, clamp({1: -1.0, 2: 1.0}))],
        )
        for live in [LiveActivations(model, corpus, n_lanes=n_lanes, compute=fine, interventions=interventions)]
    ]
    assert types[0] == types[1] == types[2]
    assert set(types[0].values()) == {"near_one", "float32"}


def test_an_intervention_beyond_float16_is_refused_in_float16() -> None:
    site = Site.of(0, "output_gate")
    far = [Intervention(site, lambda values, where: values * 1e6, "far away")]
    live = LiveActivations(
        random_model(TEXT), Corpus.from_texts([TEXT]), compute=ComputeOptions(dtype="float16"), interventions=far
    )
    with pytest.raises(ActivationError, match="0/output_gate goes beyond 65,504, the largest float16"):
        live.read([site])


def test_interventions_may_come_from_anything_that_gives_them_in_turn() -> None:
    site, held = Site.of(1, "hidden"), dict.fromkeys(range(8), 9.0)
    live = LiveActivations(
        random_model(TEXT), Corpus.from_texts([TEXT]), interventions=iter([Intervention(site, clamp(held))])
    )
    assert (live.read([site])[site] == 9).all()
    texts = [
        write_texts(random_model(TEXT), 1, 9, prompt="T", interventions=given)
        for given in ([Intervention(site, clamp(held))], iter([Intervention(site, clamp(held))]), [])
    ]
    assert texts[0] == texts[1] != texts[2]


@pytest.mark.parametrize(
    "given", [Intervention(Site.of(0, "cell"), clamp({0: 0.0})), [lambda values, where: values], [None]]
)
def test_what_is_no_list_of_interventions_is_refused(given: Any) -> None:
    with pytest.raises(ActivationError, match="interventions are a list of Intervention"):
        LiveActivations(random_model(TEXT), Corpus.from_texts([TEXT]), interventions=given)
    with pytest.raises(ActivationError, match="interventions are a list of Intervention"):
        write_texts(random_model(TEXT), 1, 2, prompt="T", interventions=given)


def test_a_vector_may_be_any_array_of_numbers() -> None:
    site, model, corpus = Site.of(0, "hidden"), random_model(TEXT), Corpus.from_texts([TEXT])
    plain = list(range(8))
    vectors: list[Any] = [
        plain,
        np.array(plain[::-1])[::-1],
        np.array(plain, ">f8"),
        torch.tensor(plain),
        torch.nn.Parameter(torch.tensor(plain, dtype=torch.float32)),
    ]
    kinds = [[Intervention(site, add(vector))] for vector in vectors]
    assert len({str(each) for [each] in kinds}) == 1
    found = [LiveActivations(model, corpus, interventions=each).read([site])[site] for each in kinds]
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: any_add("abc"), "expected a number or a vector of numbers to add: "),
        (lambda: any_add([1, [2]]), "expected a number or a vector of numbers to add: "),
        (lambda: any_add([1j]), "expected a number or a vector of numbers to add: "),
        (lambda: any_add([0, np.nan]), "what to add has values that are no numbers"),
        (lambda: any_clamp([0, np.inf]), "what to clamp to has values that are no numbers"),
        (lambda: any_clamp({1.5: 0}), r"1\.5 is no unit; units of a site are counted from 0"),
        (lambda: any_clamp({"7": 0}), "'7' is no unit"),
        (lambda: any_clamp({7: "a"}), "'a' is no number to clamp unit 7 to"),
        (lambda: any_clamp({7: float("nan")}), "nan is no number to clamp unit 7 to"),
        (lambda: any_add({7: float("nan")}), "nan is no number to add to unit 7"),
        (lambda: Intervention(Site.of(0, "cell"), lambda values, where: values), "needs a description"),
    ],
)
def test_a_wrong_clamp_or_vector_is_refused_when_it_is_made(make: Any, complaint: str) -> None:
    with pytest.raises(ActivationError, match=complaint):
        make()


def test_the_former_form_with_a_site_warns_and_means_the_same() -> None:
    site, vector = Site.of(0, "cell"), np.arange(8)
    with pytest.warns(DeprecationWarning, match=r"is called Intervention\(site, clamp\(…\)\) now"):
        assert str(clamp(site, {1: 0.5})) == str(Intervention(site, clamp({1: 0.5})))
    with pytest.warns(DeprecationWarning, match=r"is called Intervention\(site, identity\(…\)\) now"):
        assert str(identity(site)) == str(Intervention(site, identity()))
    with pytest.warns(DeprecationWarning, match=r"is called Intervention\(site, add\(…\)\) now") as warned:
        assert str(add(site, vector)) == str(Intervention(site, add(vector)))
    assert warned[0].filename == __file__


@pytest.mark.parametrize("n_lanes", [1, 2])
def test_values_that_are_no_numbers_are_blamed_on_the_intervention(n_lanes: int, tmp_path: Path) -> None:
    """The weights of the model, which are whole, are not blamed."""
    broken = [Intervention(Site.of(1, "hidden"), lambda values, where: values * torch.nan, "is broken")]
    live = LiveActivations(random_model(TEXT), Corpus.from_texts([TEXT]), n_lanes=n_lanes, interventions=broken)
    with pytest.raises(ActivationError, match="not numbers: an intervention makes them so"):
        extract(live, tmp_path / "a.h5")


@pytest.mark.parametrize("n_lanes", [1, 2, 40])
def test_an_error_of_an_intervention_reaches_the_caller(n_lanes: int, tmp_path: Path, code_text: str) -> None:
    def fail(values: Tensor, where: LanePositions) -> Tensor:
        if (where.positions == 700).any():
            raise ZeroDivisionError("of its own")
        return values

    corpus = Corpus.from_texts([code_text[:3000]])
    failing = [Intervention(Site.of(0, "cell"), fail, "fails")]
    live = LiveActivations(random_model(code_text), corpus, n_lanes=n_lanes, interventions=failing)
    with pytest.raises(ZeroDivisionError, match="of its own"):
        extract(live, tmp_path / "a.h5")
    with pytest.raises(ZeroDivisionError, match="of its own"):
        live.read([Site.of(0, "hidden")], 650, 750)
    assert not (tmp_path / "a.h5").exists()


def test_the_former_name_of_lane_positions_warns() -> None:
    with pytest.warns(DeprecationWarning, match="is called LanePositions now"):
        assert interventions_module.Where is LanePositions
    assert not hasattr(interventions_module, "Were")
