"""Protocol models: models of users, read through the protocol that they follow."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import renamed, state_dict
from torch import Tensor, nn

from activations.blocks import Block
from activations.errors import ActivationError
from activations.importers.wrapping import contents_from_factory, model_from_factory, wrap
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import save_model
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from activations.units import Site

HIDDEN = Site.of(0, "hidden")
CELL = Site.of(0, "cell")
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 60


class OwnLSTM:
    """An LSTM as a user might write it: a cell in a loop, which shows only the sites of interest."""

    def __init__(self, n_units: int = 7) -> None:
        torch.manual_seed(0)
        self.vocabulary = Vocabulary.of([TEXT])
        self.sites = {HIDDEN: n_units, CELL: n_units}
        self.unbounded = {CELL}
        self.cell = nn.LSTMCell(len(self.vocabulary), n_units)
        self.out = nn.Linear(n_units, len(self.vocabulary))

    def start(self, n_lanes: int) -> dict[Site, Tensor]:
        return {site: torch.zeros(n_lanes, n) for site, n in self.sites.items()}

    def read(
        self, ids: Tensor, state: Mapping[Site, Tensor]
    ) -> tuple[Tensor, Mapping[Site, Tensor], Mapping[Site, Tensor]]:
        h, c = state[HIDDEN], state[CELL]
        hs, cs = [], []
        for step in ids:
            h, c = self.cell(nn.functional.one_hot(step, len(self.vocabulary)).float(), (h, c))
            hs.append(h)
            cs.append(c)
        hidden = torch.stack(hs)
        return self.out(hidden), {HIDDEN: hidden, CELL: torch.stack(cs)}, {HIDDEN: h, CELL: c}


def blocks_by_place(live: LiveActivations) -> dict[int, Block]:
    return {block.start: block for block in live.blocks([HIDDEN, CELL], predictions=True)}


@pytest.mark.parametrize("n_lanes", [1, 6])
def test_a_protocol_model_gives_what_the_same_model_of_ours_gives(n_lanes: int) -> None:
    protocol_model = OwnLSTM()
    assert isinstance(protocol_model, CharModel)
    ours = wrap(None, protocol_model.cell, protocol_model.out, protocol_model.vocabulary)
    corpus = Corpus.from_texts([TEXT, TEXT[:500]])
    kept = ComputeOptions(dtype="float32")
    found = blocks_by_place(LiveActivations(protocol_model, corpus, n_lanes=n_lanes, compute=kept))
    expected = blocks_by_place(LiveActivations(ours, corpus, n_lanes=n_lanes, compute=kept))
    assert found.keys() == expected.keys()
    for place, block in found.items():
        for site in (HIDDEN, CELL):
            np.testing.assert_allclose(block.values[site], expected[place].values[site], rtol=0, atol=1e-6)
        for name, values in block.predictions.items():
            if values.dtype.kind == "f":
                np.testing.assert_allclose(values, expected[place].predictions[name], rtol=0, atol=2e-3)


def test_an_interrupted_recording_of_a_protocol_model_is_resumed(tmp_path: Path) -> None:
    corpus = Corpus.from_texts([TEXT * 3])
    whole = extract(LiveActivations(OwnLSTM(), corpus, n_lanes=4), tmp_path / "whole.h5", force=True)

    def stop(done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(
            LiveActivations(OwnLSTM(), corpus, n_lanes=4),
            tmp_path / "a.h5",
            force=True,
            progress=stop,
            checkpoint_s=0.0,
        )
    assert (tmp_path / "a.h5.journal").exists()
    extract(LiveActivations(OwnLSTM(), corpus, n_lanes=4), tmp_path / "a.h5", force=True)
    with Recording(whole.path) as first, Recording(tmp_path / "a.h5") as second:
        assert first.description["model_config"]["class"] == "OwnLSTM"
        for site in (HIDDEN, CELL):
            wants_float32 = site == CELL or site in whole.saturated
            assert first.dtype(site) == second.dtype(site) == (np.float32 if wants_float32 else np.float16)
        blocks = zip(first.blocks([HIDDEN, CELL]), second.blocks([HIDDEN, CELL]), strict=True)
        for one, other in blocks:
            np.testing.assert_array_equal(one.values[HIDDEN], other.values[HIDDEN])
            np.testing.assert_array_equal(one.values[CELL], other.values[CELL])


def test_two_protocol_models_of_the_same_class_are_told_apart(tmp_path: Path) -> None:
    corpus = Corpus.from_texts([TEXT])
    one, other = OwnLSTM(), OwnLSTM()
    nn.init.zeros_(other.out.weight)
    hashes = set()
    for n, model in enumerate((one, other)):
        extract(LiveActivations(model, corpus), tmp_path / f"{n}.h5", force=True)
        with Recording(tmp_path / f"{n}.h5") as recording:
            hashes.add(recording.description["model_sha256"])
    assert len(hashes) == 2


def test_mistakes_of_a_protocol_model_are_reported_in_its_authors_terms() -> None:
    corpus = Corpus.from_texts([TEXT])

    def complaint(model: OwnLSTM, **options: int) -> str:
        with pytest.raises(ActivationError) as error:
            list(LiveActivations(model, corpus, **options).blocks(predictions=True))  # type: ignore[arg-type]
        return str(error.value)

    class LastOnly(OwnLSTM):
        def read(self, ids, state):  # type: ignore[no-untyped-def]
            logits, values, after = super().read(ids, state)
            return logits, {HIDDEN: values[HIDDEN][-1], CELL: values[CELL]}, after

    class Forgets(OwnLSTM):
        def read(self, ids, state):  # type: ignore[no-untyped-def]
            logits, values, after = super().read(ids, state)
            return logits[:, :, :-1], {HIDDEN: values[HIDDEN]}, after

    class Stateless(OwnLSTM):
        def start(self, n_lanes):  # type: ignore[no-untyped-def]
            return {}

    assert "the model returned 0/hidden of shape (2, 7); expected (32, 2, 7)" in complaint(LastOnly(), n_lanes=1)
    assert "the model returned the logits of shape" in complaint(Forgets(), n_lanes=1)

    class TwoThings(OwnLSTM):
        def read(self, ids, state):  # type: ignore[no-untyped-def]
            return super().read(ids, state)[:2]

    class Doubles(OwnLSTM):
        def start(self, n_lanes):  # type: ignore[no-untyped-def]
            return {site: values.double() for site, values in super().start(n_lanes).items()}

        def read(self, ids, state):  # type: ignore[no-untyped-def]
            return super().read(ids, {site: values.float() for site, values in state.items()})

    class ByName(OwnLSTM):
        def __init__(self) -> None:
            super().__init__()
            self.sites = {"hidden": 7}  # type: ignore[dict-item]

    assert "the model's state is empty" in complaint(Stateless(), n_lanes=1)
    assert "should return three things" in complaint(TwoThings(), n_lanes=1)
    assert "state 0/hidden began as torch.float64 and is torch.float32 after reading" in complaint(Doubles(), n_lanes=1)
    assert "should be made by Site(name), not ['hidden']" in complaint(ByName(), n_lanes=1)

    class Forgetful(OwnLSTM):
        def read(self, ids, state):  # type: ignore[no-untyped-def]
            return super().read(ids, self.start(ids.shape[1]))

    class Dividing(OwnLSTM):
        def read(self, ids, state):  # type: ignore[no-untyped-def]
            logits, values, after = super().read(ids, state)
            return logits, {site: each / 0 for site, each in values.items()}, after

    class Spelled(OwnLSTM):
        def __init__(self) -> None:
            super().__init__()
            self.vocabulary = "abc"  # type: ignore[assignment]

    assert "depends on where one call of `read` ends" in complaint(Forgetful(), n_lanes=1)
    assert "0/hidden has values that are no numbers" in complaint(Dividing(), n_lanes=1)
    assert "the model's vocabulary is a str" in complaint(Spelled(), n_lanes=1)
    with pytest.raises(ActivationError, match="a model of your own computes where and as it is written"):
        LiveActivations(OwnLSTM(), corpus, compute=ComputeOptions(precision="bf16"))


FACTORY = """
import torch
from torch import nn
import probe

class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.layers = nn.GRU(n, 5, 2)
        self.top = nn.Linear(5, n)

def build(weights):
    net = Net(4)
    net.load_state_dict({name.replace("rnn", "layers").replace("decoder", "top"): w for name, w in weights.items()})
    return net

def wrapped(weights):
    net = build(weights)
    return probe.models.wrap(None, net.layers, net.top, "abcd")

class Own:
    vocabulary = probe.texts.Vocabulary("abcd")
    sites = {probe.Site.of(0, "hidden"): 3}
    def start(self, n_lanes):
        return {probe.Site.of(0, "hidden"): torch.zeros(n_lanes, 3)}
    def read(self, ids, state):
        values = ids[..., None].expand(-1, -1, 3).float()
        return nn.functional.one_hot(ids, 4).float(), {probe.Site.of(0, "hidden"): values}, {
            probe.Site.of(0, "hidden"): values[-1]}

def own(weights):
    return Own()

def broken(weights):
    return weights["no such name"]

def nothing(weights):
    return 5
"""


@pytest.fixture
def factory(tmp_path: Path) -> tuple[str, Path, CharRNN]:
    torch.manual_seed(0)
    model = CharRNN(ModelConfig(cell="gru", n_layers=2, n_units=5), Vocabulary("abcd")).eval()
    torch.save({name: torch.from_numpy(w) for name, w in renamed(model).items()}, tmp_path / "theirs.pt")
    (tmp_path / "my_model.py").write_text(FACTORY)
    return f"{tmp_path / 'my_model.py'}:", tmp_path / "theirs.pt", model


def test_a_factory_builds_a_model_from_what_is_in_a_file(factory: tuple[str, Path, CharRNN]) -> None:
    file, source, model = factory
    made = model_from_factory(f"{file}wrapped", source)
    assert isinstance(made, CharRNN)
    ids = torch.tensor([[0], [3], [2]])
    torch.testing.assert_close(made(ids)[0], model(ids)[0])
    assert "layers.weight_ih_l0" in contents_from_factory(f"{file}build", source)[0].arrays
    assert not isinstance(model_from_factory(f"{file}own", source), CharRNN)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such", "has no function no_such"),
        ("broken", r"broken failed in line 3\d: KeyError: 'no such name'"),
        ("nothing", "returned int; expected a module or a CharModel"),
        ("build", r"made a Net, which has no vocabulary; import it with `probe import"),
    ],
)
def test_a_factory_that_fails_is_reported(name: str, message: str, factory: tuple[str, Path, CharRNN]) -> None:
    with pytest.raises(ActivationError, match=message):
        model_from_factory(f"{factory[0]}{name}", factory[1])


def test_a_protocol_model_cannot_be_written_as_a_checkpoint(factory: tuple[str, Path, CharRNN]) -> None:
    with pytest.raises(ActivationError, match="which cannot be written as a checkpoint; read a text with it by"):
        contents_from_factory(f"{factory[0]}own", factory[1])


def test_nothing_is_run_unless_it_is_asked_for(tmp_path: Path) -> None:
    """A Python file beside the model is not opened."""
    torch.manual_seed(0)
    model = CharRNN(ModelConfig(n_layers=1, n_units=3), Vocabulary("abcd"))
    state_dict(model, tmp_path / "theirs.pt")
    save_model(model, tmp_path / "ours.pt")
    (tmp_path / "my_model.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(ActivationError, match="no such file or|there is no file"):
        model_from_factory(f"{tmp_path / 'none.py'}:build", tmp_path / "theirs.pt")
