"""`intervene`: whatever reads or writes by a model is changed for the time of a `with` block."""

import json
from collections.abc import Iterator
from copy import deepcopy
from itertools import islice
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from planting import random_model
from references import KINDS, Kind, ids_of, name_of, unusual_model
from torch import Tensor

import probe
from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions, add, clamp, identity
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import save_model
from activations.models.evaluation import losses
from activations.models.intervening import intervene
from activations.models.sampling import write, write_texts
from activations.models.twins import twin
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.units import Site, Unit
from analyses.ranking.ranking import rank
from analyses.session import Session

TEXT = "The quick brown fox jumps over the lazy dog.\n" * 8
CORPUS = Corpus.from_texts([TEXT])
CELL = Site.of(1, "cell")
FLOAT32 = ComputeOptions(dtype="float32")
any_intervene: Any = intervene


def read(model: CharRNN, n_lanes: int, interventions: list[Intervention] | None = None) -> np.ndarray[Any, Any]:
    """(n_chars, n_units) of the top cell."""
    live = LiveActivations(model, CORPUS, n_lanes=n_lanes, compute=FLOAT32, interventions=interventions or [])
    return live.read([CELL])[CELL]


@pytest.mark.parametrize("n_lanes", [1, 3])
def test_a_reading_within_the_block_is_one_with_the_intervention(n_lanes: int) -> None:
    model = random_model(TEXT)
    before = read(model, n_lanes)
    expected = read(model, n_lanes, [Intervention(Site.of(0, "hidden"), clamp({3: 0.5}))])
    live = LiveActivations(model, CORPUS, n_lanes=n_lanes, compute=FLOAT32)  # made before, and read within
    assert (live.read([CELL])[CELL] == before).all()
    with intervene(model, "0/hidden/3", clamp(0.5)):
        np.testing.assert_array_equal(read(model, n_lanes), expected)
        np.testing.assert_array_equal(live.read([CELL])[CELL], expected)
        np.testing.assert_array_equal(live.with_corpus(CORPUS, n_lanes=n_lanes).read([CELL])[CELL], expected)
    np.testing.assert_array_equal(live.read([CELL])[CELL], before)
    np.testing.assert_array_equal(live.read([CELL], 100, 200)[CELL], before[100:200])
    assert (expected != before).any()


def test_an_exception_undoes_it() -> None:
    model = random_model(TEXT)
    before = read(model, 1)
    with pytest.raises(ZeroDivisionError), intervene(model, CELL, clamp(0.0)), intervene(model, CELL, add(1.0)):
        assert len(model.interventions) == 2
        raise ZeroDivisionError
    assert model.interventions == ()
    np.testing.assert_array_equal(read(model, 1), before)


@pytest.mark.parametrize("n_lanes", [1, 2])
def test_the_inner_intervention_acts_on_what_the_outer_one_has_changed(n_lanes: int) -> None:
    model = random_model(TEXT)
    with intervene(model, CELL, clamp(0.25)):
        with intervene(model, "1/cell/2", add(0.5)):
            own = [Intervention(CELL, add({2: 1.0}))]  # after both
            assert (read(model, n_lanes, own)[:, :4] == [0.25, 0.25, 1.75, 0.25]).all()
            assert (read(model, n_lanes)[:, :4] == [0.25, 0.25, 0.75, 0.25]).all()
        assert (read(model, n_lanes) == 0.25).all()
    with intervene(model, "1/cell/2", add(0.5)), intervene(model, CELL, clamp(0.25)):
        assert (read(model, n_lanes) == 0.25).all()


@pytest.mark.parametrize(
    ("where", "change", "expected"),
    [
        ("1/cell/3", clamp(0.5), {3: 0.5}),
        (Unit(CELL, 3), clamp(0.5), {3: 0.5}),
        (["1/cell/3", "1/cell/1"], clamp(0.5), {1: 0.5, 3: 0.5}),
        (["1/cell/3", Unit(CELL, 1)], clamp([0.25, 0.5]), {3: 0.25, 1: 0.5}),
        ("1/cell", clamp({3: 1.0, 0: -1.0}), {0: -1.0, 3: 1.0}),
        (CELL, clamp(0.5), dict.fromkeys(range(8), 0.5)),
        ("1/cell", clamp(np.arange(8)), dict(enumerate(range(8)))),
        (Intervention(CELL, clamp({3: 0.5})), None, {3: 0.5}),
    ],
)
def test_units_are_named_in_any_way(where: Any, change: Any, expected: dict[int, float]) -> None:
    model = random_model(TEXT)
    plain = read(model, 1, [Intervention(CELL, clamp({}))])
    with intervene(model, where, change) as interventions:
        assert interventions == model.interventions
        values = read(model, 1)
    for unit, value in expected.items():
        assert (values[:, unit] == value).all()
    for unit in set(range(8)) - set(expected):
        assert (values[:, unit] != plain[:, unit]).any()


def test_units_of_several_sites_each_have_their_own_number() -> None:
    model = random_model(TEXT)
    live = LiveActivations(model, CORPUS, compute=FLOAT32)
    with intervene(model, ["1/cell/3", "0/hidden/2", "1/cell/1"], clamp([0.1, 0.2, 0.3])):
        values = live.read(["1/cell", "0/hidden"])
    held = {("1/cell", 3): 0.1, ("0/hidden", 2): 0.2, ("1/cell", 1): 0.3}
    for (site, unit), number in held.items():
        assert (values[Site(site)][:, unit] == np.float32(number)).all()


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_the_model_called_as_a_function_is_changed(kind: Kind) -> None:
    """It computes what writing the same characters computes, which other tests compare with the equations."""
    model = unusual_model(TEXT, kind)
    site = Site.of(0, "hidden")
    interventions = [Intervention(site, clamp({1: 0.5})), Intervention(Site.of(1, "hidden"), add({2: 0.25}))]
    with torch.inference_mode():
        plain, _ = model(ids_of(model, TEXT[:30]))
        written = list(islice(write(model, 1, prompt=TEXT[:20], interventions=interventions, seed=3), 10))
        text = TEXT[:20] + "".join(step.characters for step in written)
        with intervene(model, interventions[0]), intervene(model, interventions[1]):
            first, state = model(ids_of(model, text[:25]))
            rest, _ = model(ids_of(model, text[25:]), state)
        again, _ = model(ids_of(model, TEXT[:30]))
    told = torch.stack([step.logits for step in written])
    torch.testing.assert_close(torch.cat([first, rest])[19:-1], told, rtol=1e-5, atol=1e-5)
    assert torch.equal(again, plain)


def test_a_change_is_told_what_the_model_as_a_function_reads() -> None:
    seen = []

    def note(values: Tensor, where: LanePositions) -> Tensor:
        seen.append((where.documents.tolist(), where.positions.tolist()))
        return values

    model = random_model(TEXT)
    with intervene(model, Intervention(Site.of(0, "hidden"), note, "notes")):
        model(ids_of(model, "The").expand(3, 2))
    assert seen == [([0, 1], [n, n]) for n in range(3)]


@pytest.mark.parametrize("rule", [ReadingRule(), ReadingRule(backwards=True)])
def test_losses_within_the_block_are_those_of_a_changed_reading(rule: ReadingRule) -> None:
    """Also if the change depends on the character that is read."""

    def at_some(values: Tensor, where: LanePositions) -> Tensor:
        chosen = (where.positions % 7 == 3) | (where.documents == 2)
        return torch.where(chosen[:, None], 1 - values, values)

    model = random_model(TEXT)
    model.reading_rule = rule
    corpus = Corpus.from_texts([TEXT[:200], TEXT[3:50], TEXT[7:54]])
    plain = losses(model, corpus).nats
    intervention = Intervention(Site.of(0, "hidden"), at_some, "at some")
    live = LiveActivations(model, corpus, n_lanes=3, compute=FLOAT32, interventions=[intervention])
    log_probs = np.empty(len(corpus))
    for block in live.blocks([], predictions=["log_prob"]):
        log_probs[block.positions] = block.predictions["log_prob"]
    with intervene(model, intervention):
        changed = losses(model, corpus).nats
    np.testing.assert_allclose(changed, -log_probs[np.isfinite(log_probs)], atol=1e-5)
    assert abs(changed - plain).max() > 1e-3
    np.testing.assert_array_equal(losses(model, corpus).nats, plain)


def test_what_is_written_within_the_block_is_changed() -> None:
    model = random_model(TEXT, gain=3.0)
    interventions = [Intervention(CELL, clamp({1: 1.0}))]
    expected = write_texts(model, 2, 30, prompt="T", interventions=interventions)
    plain = write_texts(model, 2, 30, prompt="T")
    with intervene(model, "1/cell/1", clamp(1.0)):
        assert write_texts(model, 2, 30, prompt="T") == expected
    assert write_texts(model, 2, 30, prompt="T") == plain != expected


def test_a_text_may_be_changed_while_it_is_written() -> None:
    """The iterator takes the interventions that act when it is asked for the next character."""
    model = random_model(TEXT)
    site = Site.of(1, "hidden")

    def late(values: Tensor, where: LanePositions) -> Tensor:
        return torch.where(((where.positions >= 6) & (where.positions < 9))[:, None], 0.9, values)

    expected = islice(write(model, 2, prompt="The ", interventions=[Intervention(site, late, "late")]), 9)
    steps = write(model, 2, prompt="The ")
    found = list(islice(steps, 3))
    with intervene(model, site, clamp(0.9)):
        found += islice(steps, 3)
    found += islice(steps, 3)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.logits, other.logits)


def test_a_recording_made_within_the_block_says_so(tmp_path: Path) -> None:
    model = random_model(TEXT)
    live = LiveActivations(model, CORPUS)
    given = LiveActivations(model, CORPUS, interventions=[Intervention(CELL, clamp({1: 0.5}))])
    plain_sha256, plain, changed_sha256 = live.model_sha256, live.description, given.model_sha256
    with intervene(model, "1/cell/1", clamp(0.5)):
        assert live.model_sha256 == changed_sha256 != plain_sha256
        extract(live, tmp_path / "a.h5")
        with h5py.File(tmp_path / "a.h5") as file:
            assert json.loads(file.attrs["interventions"]) == ["1/cell: clamp 1 to 0.5"]
            assert file.attrs["model_sha256"] == live.model_sha256
    assert (live.model_sha256, live.description) == (plain_sha256, plain)


def test_values_beyond_the_range_are_recorded_as_unbounded_only_within_the_block() -> None:
    site = Site.of(0, "hidden")
    model = random_model(TEXT)
    live = LiveActivations(model, CORPUS)
    for _ in range(2):
        assert site not in live.unbounded and live.site_facts(site).range == (-1.0, 1.0)
        with intervene(model, site, add(1.5)):
            assert site in live.unbounded and live.site_facts(site).range is None
            assert live.read([site])[site].max() > 1


def test_a_session_forgets_what_it_read_with_other_interventions(code_text: str) -> None:
    model = random_model(code_text, gain=2.0)
    live = LiveActivations(model, Corpus.from_texts([code_text[:8000]]))
    with Session(live) as session:
        before = rank(session, "in_quotes").rows()
        with intervene(model, Site.of(0, "hidden"), add(0.5)):
            within = rank(session, "in_quotes").rows()
            assert within == rank(live, "in_quotes").rows() != before
        assert rank(session, "in_quotes").rows() == before


def test_other_models_and_deep_copies_are_not_changed() -> None:
    model, other = random_model(TEXT), random_model(TEXT, seed=1)
    plain = read(other, 1)
    with intervene(model, CELL, clamp(0.0)):
        np.testing.assert_array_equal(read(other, 1), plain)
        assert deepcopy(model).interventions == twin(model, "shuffled").interventions == ()
        live = LiveActivations(model, CORPUS, compute=FLOAT32).with_model(other)  # reads as that source does
        assert (live.read([CELL])[CELL] == 0).all()
    assert (live.read([CELL])[CELL] == 0).all()


def test_a_thread_does_not_see_the_interventions_of_another_threads_model() -> None:
    models = [random_model(TEXT, seed=seed) for seed in range(3)]
    plain = read(models[0], 1)
    together = Barrier(3, timeout=60)
    found: dict[int, Any] = {}

    def work(number: int) -> None:
        with intervene(models[number], CELL, clamp(float(number)) if number else identity()):
            together.wait()
            found[number] = read(models[number], 1)
            together.wait()

    threads = [Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(found[0], plain)
    assert (found[1] == 1).all() and (found[2] == 2).all()


class ProtocolModel:
    """A model of the user's."""

    vocabulary, sites = random_model("ab").vocabulary, {Site("x"): 1}

    def start(self, n_lanes: int) -> Any:
        return None

    def read(self, ids: Tensor, state: Any) -> Any:
        return torch.zeros(*ids.shape, 2), {Site("x"): torch.zeros(*ids.shape, 1)}, state


@pytest.mark.parametrize(
    ("where", "change", "complaint"),
    [
        ("1/cell/8", clamp(0.0), "1/cell has 8 units, 0 to 7, and so no 8"),
        ("7/cell/3", clamp(0.0), "there is no site 7/cell here; there are 0/hidden, 0/cell"),
        ("7/cell", clamp(0.0), "there is no site '7/cell' here; there are 0/hidden, 0/cell"),
        (Site("7/cell"), clamp(0.0), "there is no site 7/cell here; there are"),
        ("1/cell", clamp({8: 0.0}), r"units \[8\] of 1/cell cannot be clamped; it has 8 units"),
        ("1/cell", add(np.ones(7)), r"a vector of shape \(7,\) cannot be added to 1/cell; it has 8 units"),
        ("1/cell/3", clamp({3: 0.0}), "is for a site: '1/cell'"),
        ("1/cell/3", clamp([0.0, 0.1]), "1 units are named, and the numbers for them are 2"),
        (["1/cell/3", "1/cell/3"], clamp(0.0), "a unit is named twice"),
        ("1/cell/3", lambda values, where: values, "a function of your own changes a site"),
        ("1/cell", lambda values, where: values, "needs a description"),
        ("1/cell", None, "say what to change there"),
        ([], clamp(0.0), "name a unit or a site"),
        (Intervention(CELL, clamp(0.0)), clamp(0.0), "leave out the other one"),
        ("1/hidden/3", clamp(1.5), r"1\.5 is outside the range of 1/hidden, .* within \[-1, 1\]"),
        ("1/hidden", clamp({3: -2.0}), r"-2 is outside the range of 1/hidden"),
        ("1/forget_gate/3", clamp(-0.5), r"-0\.5 is outside the range of 1/forget_gate, .* within \[0, 1\]"),
        (Intervention(Site("1/hidden"), clamp(9.0)), None, "9 is outside the range of 1/hidden"),
    ],
)
def test_what_cannot_be_changed_is_refused_at_once(where: Any, change: Any, complaint: str) -> None:
    model = random_model(TEXT)
    with pytest.raises(ActivationError, match=complaint):
        any_intervene(model, where, change)
    assert model.interventions == ()


def test_units_may_be_held_beyond_their_range_by_force() -> None:
    model, site = random_model(TEXT), Site("1/hidden")
    with intervene(model, "1/hidden/3", clamp(1.5), force=True):
        assert (LiveActivations(model, CORPUS).read([site])[site][:, 3] == 1.5).all()
    with intervene(model, "1/cell/3", clamp(50.0)), intervene(model, "1/hidden/3", add(1.5)):
        assert len(model.interventions) == 2  # a cell has no bounds, and what is added is no value


def test_what_cannot_honour_interventions_refuses(tmp_path: Path) -> None:
    model = random_model(TEXT)
    with intervene(model, CELL, clamp(0.0)):
        with pytest.raises(ActivationError, match="a checkpoint cannot hold interventions"):
            save_model(model, tmp_path / "a.pt")
        model.train()
        with pytest.raises(ActivationError, match="do not act on a model that is being trained"):
            model(ids_of(model, "The"))
    assert not (tmp_path / "a.pt").exists()
    with pytest.raises(ActivationError, match="a model of your own computes its steps itself"):
        any_intervene(ProtocolModel(), "x/0", clamp(0.0))


def test_it_is_part_of_the_public_names() -> None:
    def names() -> Iterator[Any]:
        yield from (probe.intervene, probe.clamp, probe.add)

    assert list(names()) == [intervene, clamp, add]
    assert probe.interventions.identity is identity
