"""Parts of a text, dtypes, precisions and devices: each gives what it promises, or is refused."""

import threading
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import random_model
from references import KINDS, Kind, name_of
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from activations.blocks import Source
from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions, add, clamp
from activations.lane_differences import LaneDifference, unsettled_units
from activations.models import sampling
from activations.models.cells.kinds import CELLS
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.predictions import prediction_fields
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import PRECISIONS, ComputeOptions
from activations.reading.lanes.lane_reader import LaneReader, ReadOptions, Weights
from activations.reading.lanes.memory_pool import MemoryPool
from activations.reading.lanes.prefetching import prefetch
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.ranking.ranking import rank
from analyses.targets.labelling import target

every_cell = pytest.mark.parametrize("cell", list(CELLS))


def gathered(source: Source, site: Site) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The positions of all characters that a source gives, and their activations, in the order of the text."""
    blocks = sorted(source.blocks([site]), key=lambda block: block.start)
    places = np.concatenate([np.arange(b.positions.start, b.positions.stop, b.positions.step) for b in blocks])
    return places, np.concatenate([block.values[site] for block in blocks])


@given(st.integers(1, 500), st.data())
def test_a_selection_counts_as_a_slice_does(n_chars: int, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, n_chars - 1))
    stop = data.draw(st.integers(start + 1, n_chars))
    selection = Selection.of(n_chars, start, stop, data.draw(st.integers(1, 50)))
    places = list(range(start, stop, selection.every))
    assert selection.n_chars == len(places)
    for place in range(n_chars):
        assert selection.row(place) == sum(each < place for each in places)
        if any(each >= place for each in places):
            assert selection.first(place) == min(each for each in places if each >= place)


@pytest.mark.parametrize("n_lanes", [1, 3, 40])
@pytest.mark.parametrize(
    ("start", "stop", "every"), [(0, None, 7), (5000, 12_345, 1), (777, 9_000, 13), (8999, 9001, 1)]
)
def test_a_part_of_the_text_has_the_activations_of_the_whole(
    n_lanes: int, start: int, stop: int | None, every: int, code_text: str, tmp_path: Path
) -> None:
    corpus = Corpus.from_texts([code_text[:9000], code_text[9000:9003], code_text[9003:]])
    model = random_model(code_text)
    site = Site.of(1, "cell")
    _, exact = gathered(LiveActivations(model, corpus, n_lanes=1), site)
    selection = Selection.of(len(corpus), start, stop, every)
    live = LiveActivations(model, corpus, n_lanes=n_lanes, selection=selection)
    places, values = gathered(live, site)
    assert places.tolist() == list(range(selection.start, selection.stop, every))
    np.testing.assert_allclose(values, exact[places], atol=1e-4)
    extract(live, tmp_path / "a.h5", sites=[site])
    with Recording(tmp_path / "a.h5") as recording:
        assert recording.selection == selection
        recorded_places, recorded = gathered(recording, site)
        np.testing.assert_array_equal(recorded_places, places)
        np.testing.assert_array_equal(recorded, values)
        middle = (selection.start + selection.stop) // 2
        np.testing.assert_array_equal(recording.read([site], middle)[site], values[places >= middle])
        assert len(next(recording.blocks([], predictions=True)).predictions["log_prob"])


def test_analyses_of_a_part_use_its_labels_and_no_others(planted: Path, code_text: str) -> None:
    """A unit that copies a label is found in a part as in the whole, with labels of the whole text."""
    corpus = Corpus.from_texts([code_text])
    live = LiveActivations(random_model(code_text), corpus, selection=Selection.of(len(corpus), 3001, 15_000, 3))
    asked = target(corpus, "in_quotes", selection=live.selection)
    labels, parts = asked.all_rows
    whole = target(corpus, "in_quotes").labels.values
    np.testing.assert_array_equal(labels, whole[3001:15_000:3])
    assert len(labels) == len(parts) == live.selection.n_chars
    rows = [asked.rows(block) for block in sorted(live.blocks([Site.of(0, "cell")]), key=lambda block: block.start)]
    np.testing.assert_array_equal(np.concatenate([each.labels for each in rows]), labels)
    np.testing.assert_array_equal(np.concatenate([each.parts for each in rows]), parts)
    ranking = rank(live, "in_quotes", sites=[Site.of(0, "cell")])
    assert ranking.n_train + ranking.n_test < live.selection.n_chars
    assert ranking.prevalence == pytest.approx(labels.mean())


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [((3, 3), "range 3:3 is empty"), ((500, None), "range 500: is empty"), ((0, 9, 0), "one character of 0")],
)
def test_an_empty_part_is_refused(arguments: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(ActivationError, match=complaint):
        Selection.of(100, *arguments)


@every_cell
def test_bf16_is_near_float32_and_bounded_as_it_is(cell: str, code_text: str) -> None:
    corpus = Corpus.from_texts([code_text])
    model = random_model(code_text, cell=cell, n_units=32)
    exact = LiveActivations(model, corpus, n_lanes=8, compute=ComputeOptions(dtype="float32"))
    fast = LiveActivations(model, corpus, n_lanes=8, compute=ComputeOptions(precision="bf16", dtype="float32"))
    sites = [Site.of(1, signal) for signal in model.cell.signals]
    expected, found = exact.read(sites), fast.read(sites)
    for site in sites:
        assert 0 < np.abs(found[site] - expected[site]).max() < 0.05


@every_cell
@pytest.mark.parametrize("dtype", ["auto", "float16", "float32"])
def test_activations_are_kept_in_the_chosen_dtype(cell: str, dtype: str, code_text: str) -> None:
    live = LiveActivations(random_model(code_text, cell=cell), Corpus.from_texts([code_text[:700]]),
                           compute=ComputeOptions(dtype=dtype))  # fmt: skip
    for site in live.sites:
        wants_float32 = site.signal in CELLS[cell].unbounded or site in live.saturated
        wide = dtype == "float32" or (dtype == "auto" and wants_float32)
        assert gathered(live, site)[1].dtype == live.dtype(site) == (np.float32 if wide else np.float16)


def counting_model(step: float) -> CharRNN:
    """A relu RNN whose only layer adds `step` at every character."""
    model = random_model("ab", cell="rnn_relu", n_layers=1, n_units=2)
    for weight in model.rnn.parameters():
        weight.data[:] = 0
    model.rnn.get_parameter("weight_hh_l0").data[:] = torch.eye(2)
    model.rnn.get_parameter("bias_ih_l0").data[:] = step
    return model


def test_unbounded_values_are_never_infinite_in_a_recording(tmp_path: Path) -> None:
    corpus = Corpus.from_texts(["ab" * 600])
    model = counting_model(100.0)
    site = Site.of(0, "hidden")
    _, values = gathered(LiveActivations(model, corpus), site)
    assert values.max() == pytest.approx(120_000)
    live = LiveActivations(model, corpus, compute=ComputeOptions(dtype="float16"))
    with pytest.raises(ActivationError, match=r"0/hidden goes beyond 65,504.*--dtype auto"):
        extract(live, tmp_path / "a.h5")
    assert list(tmp_path.iterdir()) == []
    extract(LiveActivations(model, corpus), tmp_path / "a.h5")
    with Recording(tmp_path / "a.h5") as recording:
        block = next(recording.blocks(predictions=True))
        assert np.isfinite(block.predictions["log_distribution"]).all()


def test_units_that_do_not_settle_are_named(tmp_path: Path) -> None:
    """A unit that counts the characters since the beginning is wrong in every lane but the first."""
    model = counting_model(1.0)
    model.rnn.get_parameter("bias_ih_l0").data[:] = torch.tensor([0.0, 1.0])
    model.rnn.get_parameter("weight_ih_l0").data[:] = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    model.rnn.get_parameter("weight_hh_l0").data[:] = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    corpus = Corpus.from_texts(["ab" * 4000 + "a"])
    result = extract(LiveActivations(model, corpus, n_lanes=4, warm_up_chars=512), tmp_path / "a.h5")
    assert result.unsettled == [Unit(Site.of(0, "hidden"), 1)]
    assert result.warning is not None
    assert "0/hidden/1" in result.warning
    assert "--lanes 1 is exact" in result.warning
    found = result.lane_differences[Site.of(0, "hidden")]
    assert found.by_unit.tolist() == [0, 2048]  # 512 characters after the warm-up, 2,048 more in the lane before
    exact = extract(LiveActivations(model, corpus, n_lanes=1), tmp_path / "b.h5")
    assert exact.unsettled == []
    assert exact.warning is None


def test_a_difference_that_is_no_number_is_not_settled() -> None:
    difference = LaneDifference(np.array([0, np.nan, 0.5], np.float32), np.array([1, 1, 1], np.float32), 0.1)
    assert unsettled_units({Site.of(0, "cell"): difference}) == [
        Unit(Site.of(0, "cell"), 1),
        Unit(Site.of(0, "cell"), 2),
    ]


def test_a_model_with_the_wrong_vocabulary_is_refused(code_text: str, tmp_path: Path) -> None:
    """Its read-out is confident of the wrong character; untrained controls are exempt."""
    corpus = Corpus.from_texts([code_text])
    model = random_model(code_text)
    model.readout.bias.data[model.vocabulary.characters.index("9" if "9" in code_text else "y")] = 12
    extract(LiveActivations(model, corpus), tmp_path / "control.h5")
    model.trained = True
    with pytest.raises(ActivationError, match=r"worse \(.* nats .*vocabulary in another order.*--force"):
        extract(LiveActivations(model, corpus), tmp_path / "a.h5")
    assert [path.name for path in tmp_path.iterdir()] == ["control.h5"]
    extract(LiveActivations(model, corpus), tmp_path / "a.h5", force=True)


def test_wrong_compute_options_are_refused(code_text: str) -> None:
    for wrong in ({"dtype": "int8"}, {"precision": "fp8"}, {"device": "tpu"}):
        with pytest.raises(ActivationError, match="choose one of"):
            ComputeOptions(**wrong)
    with pytest.raises(ActivationError, match="bf16 is not exact"):
        LiveActivations(random_model(code_text), Corpus.from_texts([code_text]), n_lanes=1,
                        compute=ComputeOptions(precision="bf16"))  # fmt: skip
    if not torch.cuda.is_available():
        with pytest.raises(ActivationError, match="no CUDA device here"):
            ComputeOptions(device="cuda")


def test_the_former_name_of_compute_warns(code_text: str) -> None:
    options: dict[str, Any] = {"arithmetic": ComputeOptions(dtype="float32")}
    model, corpus = random_model(code_text), Corpus.from_texts([code_text])
    message = r"'arithmetic' of LiveActivations\(\) is now called 'compute'"
    with pytest.warns(DeprecationWarning, match=message) as warned:
        live = LiveActivations(model, corpus, **options)
    assert live.compute is options["arithmetic"]
    assert warned[0].filename == __file__
    with pytest.raises(TypeError, match="got 'compute' twice"):
        LiveActivations(model, corpus, compute=ComputeOptions(), **options)


class OneDevice(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A mode in which tensors on different devices cannot be combined, as with a GPU.

    PyTorch's device without memory stands for the GPU.

    Attributes:
        brought: What was copied from it to the CPU, with the tensor that it was copied to; its values are zeros.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.brought: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if (
            (kwargs or {}).get("device") == torch.device("cpu")
            and isinstance(args[0], torch.Tensor)
            and args[0].is_meta
        ):
            self.brought.append((args[0], torch.zeros(args[0].shape, dtype=args[0].dtype)))
            return self.brought[-1][1]
        if func is torch.ops.aten.copy_.default and args[1].is_meta and not args[0].is_meta:
            self.brought.append((args[1], args[0]))
            return args[0].zero_()
        devices = {each.device for each in tree_leaves((args, kwargs)) if isinstance(each, torch.Tensor) and each.ndim}
        assert len(devices) < 2, func
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("n_characters", [12, 300])
def test_nothing_is_computed_on_another_device_than_the_model(
    kind: Kind, precision: str, n_characters: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = torch.device("meta")
    monkeypatch.setattr(ComputeOptions, "torch_device", place)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: None)
    vocabulary = Vocabulary("".join(map(chr, range(200, 200 + n_characters))))
    model = CharRNN(ModelConfig(n_layers=3, n_units=16, **kind), vocabulary)
    interventions = [
        Intervention(Site.of(0, "hidden"), clamp({1: 0})),
        Intervention(Site.of(2, "hidden"), add([1] * model.config.n_hidden)),
    ]
    weights = Weights(model, ComputeOptions(precision=precision), single_lane=False, interventions=interventions)
    lanes = LaneReader(weights, 4)
    ids = torch.zeros(40, 4, dtype=torch.int64)
    where = LanePositions(ids, ids)
    into: dict[Site | str, Any] = {site: np.empty((3, 40, n), np.float16) for site, n in model.sites.items()}
    for name, (dtype, width) in prediction_fields(n_characters).items():
        into[name] = np.empty((3, 40) + (() if width is None else (width,)), dtype)
    with OneDevice() as mode:
        lanes.read(ids, ids, into, ReadOptions(lanes=range(1, 4), where=where))
        lanes.narrow(2)
        lanes.reset(1)
        two = ids[:, :2]
        lanes.read(two, two, into, ReadOptions(lanes=range(0), where=LanePositions(two, two)))
    assert len(mode.brought) == len(into)  # no more than is wanted
    for (found, wanted), array in zip(mode.brought, into.values(), strict=True):
        assert (found.device, wanted.data_ptr()) == (place, array.ctypes.data)
        assert (found.shape, found.dtype) == (wanted.shape, wanted.dtype) == (array.shape, wanted.dtype)
    assert all(state.device == place for own in lanes._states for state in own.values())


@pytest.mark.parametrize("kind", KINDS, ids=name_of)
def test_nothing_is_written_on_another_device_than_was_asked_for(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, where only the logits are brought back to be drawn from."""
    monkeypatch.setattr(sampling, "torch_device", torch.device)
    model = CharRNN(ModelConfig(n_layers=2, n_units=16, **kind), Vocabulary("abc"))
    interventions = [
        Intervention(Site.of(0, "hidden"), clamp({1: 0})),
        Intervention(Site.of(1, "hidden"), add([1] * model.config.n_hidden)),
    ]
    with OneDevice() as mode:
        steps = list(islice(sampling.write(model, 2, prompt="ab", device="meta", interventions=interventions), 2))
    brought = [(found.device.type, tuple(found.shape)) for found, _ in mode.brought]
    assert brought == [("meta", (2, 3))] * 3  # of the first character of the prompt, too
    assert [step.logits is logits for step, (_, logits) in zip(steps, mode.brought[1:], strict=True)] == [True] * 2


@pytest.mark.parametrize("n_lanes", [1, 48])
def test_a_pass_leaves_the_number_of_threads_as_it_was(n_lanes: int, code_text: str) -> None:
    before = torch.get_num_threads()
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]), n_lanes=n_lanes)
    next(live.blocks())  # broken off
    list(live.blocks())
    assert torch.get_num_threads() == before


def test_an_error_in_one_layer_of_a_single_lane_ends_the_threads_of_the_others(
    code_text: str,
) -> None:
    def failing(values: torch.Tensor, where: LanePositions) -> torch.Tensor:
        raise MemoryError("no room")

    before = threading.active_count()
    interventions = [Intervention(Site.of(1, "cell"), failing, "fails")]
    corpus = Corpus.from_texts([code_text])
    live = LiveActivations(random_model(code_text, n_layers=3), corpus, n_lanes=1, interventions=interventions)
    with pytest.raises(MemoryError, match="no room"):
        list(live.blocks())
    assert threading.active_count() == before


def test_memory_is_reused_only_when_nothing_refers_to_it() -> None:
    pool = MemoryPool()
    one = pool.empty((3, 5), np.dtype(np.float32))
    one[:] = 1
    view = one[1]
    address = one.ctypes.data
    del one
    other = pool.empty((3, 5), np.dtype(np.float32))
    other[:] = 2
    assert view.tolist() == [1] * 5
    del view
    assert pool.empty((15,), np.dtype(np.float32)).ctypes.data == address


def test_prefetched_iterators_give_all_items_in_a_fixed_order_and_pass_errors_on() -> None:
    def failing() -> Any:
        yield 0
        raise ValueError("broken")

    assert list(prefetch([iter("abc"), iter("x"), iter("12")])) == ["a", "x", "1", "b", "2", "c"]
    assert list(prefetch([iter("abc")])) == ["a", "b", "c"]
    assert list(prefetch([])) == []
    with pytest.raises(ValueError, match="broken"):
        list(prefetch([iter(range(9)), failing()]))
