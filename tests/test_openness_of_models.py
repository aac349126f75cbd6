"""A model that is defined here alone, with sites and a state of its own kinds: everything works on it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.blocks import Source
from activations.errors import ActivationError
from activations.models.evaluation import evaluate
from activations.models.sampling import write_texts
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.lanes.kept_states import KeptStates
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.curves import curve
from analyses.probing.probes import fit
from analyses.ranking.explaining.explanation import explain
from analyses.ranking.ranking import rank, rank_all
from analyses.targets.labelling import target

TEXT = 'He said "no, not now" and went.\n' * 300 + "A line without anybody in it.\n" * 200
COUNTS, TRACE = Site("side.2:counts"), Site("zoo/trace", layer=3, signal="trace")


class Counter:
    """Counts quotes and characters since the last space, in numbers and arrays that are no tensors of lanes."""

    def __init__(self) -> None:
        self.vocabulary = Vocabulary.of([TEXT])
        self.sites = {TRACE: 4, COUNTS: 2}  # not in the order of their names
        self.unbounded = {COUNTS}
        self.quote, self.space = map(self.vocabulary.characters.index, '" ')
        self.decay = np.array([0.5, 0.8, 0.9, 0.95], np.float32)

    def start(self, n_lanes: int) -> Any:
        return (0, 0, np.zeros((4, 1), np.float32))

    def read(self, ids: Tensor, state: Any) -> tuple[Any, dict[Site, Any], Any]:
        n_quotes, since, trace = state
        counts, traces = [], []
        for character in ids[:, 0].tolist():
            n_quotes += character == self.quote
            since = 0 if character == self.space else since + 1
            trace = trace * self.decay[:, None] + (1 - self.decay[:, None]) * (character == self.quote)
            counts.append([n_quotes % 2, since])
            traces.append(trace[:, 0])
        logits = torch.zeros(*ids.shape, len(self.vocabulary))
        logits[:, 0, self.space] = torch.tensor(counts, dtype=torch.float32)[:, 1]
        shown: dict[Site, Any] = {
            COUNTS: np.array(counts, np.float32)[:, None],
            TRACE: torch.from_numpy(np.array(traces))[:, None],
        }
        return logits, shown, (n_quotes, since, trace.astype(np.float32))


def of_text() -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    inside = np.cumsum([character == '"' for character in TEXT]) % 2 == 1
    places = np.arange(len(TEXT))
    last = np.maximum.accumulate(np.where([character == " " for character in TEXT], places, -1))
    return inside, places - last


@contextmanager
def source(kind: str, folder: Path, **options: int) -> Iterator[Source]:
    live = LiveActivations(Counter(), Corpus.from_texts([TEXT]), **options)  # type: ignore[arg-type]
    if kind == "live":
        yield live
        return
    extract(live, folder / "a.h5", force=True)
    with Recording(folder / "a.h5") as recording:
        yield recording


@pytest.mark.parametrize("kind", ["live", "recorded"])
def test_every_analysis_takes_it(kind: str, tmp_path: Path) -> None:
    with source(kind, tmp_path, n_lanes=1) as given:
        assert list(given.sites) == [TRACE, COUNTS]
        best = rank(given, "in_quotes").units[0]
        assert str(best.unit) == "side.2:counts/0" and best.overall == 1
        [ranking] = rank_all(given, ["in_quotes"])
        assert list(ranking.best_of_sites()) == [TRACE, COUNTS]
        results = {result.site: result for result in fit(given, "in_quotes")}
        assert results[str(COUNTS)].accuracy == 1
        assert list(results) == [str(TRACE), str(COUNTS)]
        assert curve(given, "in_quotes", over="sites").values == (str(TRACE), str(COUNTS))
        targets = [target(given.corpus, name) for name in ("in_quotes", "in_word")]
        assert explain(given, best.unit, targets).answers[0].hypothesis == "in_quotes"


def test_it_is_judged_and_writes() -> None:
    model, corpus = Counter(), Corpus.from_texts([TEXT, TEXT[:50]])
    found = evaluate(model, corpus)
    blocks = LiveActivations(model, corpus, n_lanes=1).blocks([], predictions=True)
    log_probs = np.concatenate([block.predictions["log_prob"] for block in sorted(blocks, key=lambda each: each.start)])
    assert found.n_chars == len(corpus) - 2
    assert found.nats_per_char == pytest.approx(-np.nanmean(log_probs), rel=1e-5)
    [text] = write_texts(model, 1, 40, prompt='He said "', temperature=0)
    assert len(text) == 49 and text.startswith('He said "')


@pytest.mark.parametrize("options", [{}, {"n_lanes": 1}, {"n_lanes": 7, "warm_up_chars": 64}])
def test_a_recording_has_what_the_model_showed(options: dict[str, int], tmp_path: Path) -> None:
    inside, since = of_text()
    with source("recorded", tmp_path, **options) as recording:
        values = recording.read([TRACE, COUNTS])
        np.testing.assert_array_equal(values[COUNTS][:, 1], since)
        if options.get("n_lanes") == 1:
            np.testing.assert_array_equal(values[COUNTS][:, 0], inside)
        assert recording.dtype(COUNTS) == np.float32


def test_a_passage_is_read_from_a_kept_state(monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveActivations(Counter(), Corpus.from_texts([TEXT]), n_lanes=1)
    whole = {block.start: block.values[COUNTS] for block in live.blocks()}
    nearest: list[int] = []
    found = KeptStates.nearest

    def seen(self: KeptStates, piece: Any, number: int) -> Any:
        turn, state = found(self, piece, number)
        nearest.append(turn)
        return turn, state

    monkeypatch.setattr(KeptStates, "nearest", seen)
    passage = live.read([COUNTS], 9_000, 9_100)[COUNTS]
    assert nearest[0] > 0
    together = np.concatenate([whole[start] for start in sorted(whole)])
    np.testing.assert_array_equal(passage, together[9_000:9_100])


class OfForm:
    """Remembers the sum of what it read, in a state of a form that a test gives, and beside it what is never used."""

    vocabulary = Vocabulary.of([TEXT])
    sites = {Site("sum"): 1}  # noqa: RUF012 the protocol has it so

    def __init__(self, beside: Callable[[int], Any], unbounded: frozenset[Site] = frozenset(sites)) -> None:
        self.beside = beside
        self.unbounded = unbounded

    def start(self, n_lanes: int) -> Any:
        return {Site("sum"): torch.zeros(n_lanes, 1), **self.beside(n_lanes)}

    def read(self, ids: Tensor, state: Any) -> tuple[Any, dict[Site, Any], Any]:
        values = []
        for step in ids:
            state = {**state, Site("sum"): 0.5 * state[Site("sum")] + step[:, None]}
            values.append(state[Site("sum")])
        if "seen" in state:
            state["seen"] = torch.cat([state["seen"], ids.T], 1)
        return torch.zeros(*ids.shape, len(self.vocabulary)), {Site("sum"): torch.stack(values)}, state


@pytest.mark.parametrize("n_lanes", [1, 3])
def test_parts_of_a_state_may_be_empty(n_lanes: int, tmp_path: Path) -> None:
    model = OfForm(lambda n: {"none": torch.zeros(n, 0), ".": np.zeros((n, 2, 0)), Site("sum.2"): torch.zeros(n, 1)})
    live = LiveActivations(model, Corpus.from_texts([TEXT]), n_lanes=n_lanes)
    extract(live, tmp_path / "a.h5", predictions=False)
    assert check(tmp_path / "a.h5").sound
    assert list(map(str, live.lane_differences)) == (["sum", "sum.2"] if n_lanes > 1 else [])


def test_a_state_that_grows_begins_anew_with_each_document() -> None:
    texts = [TEXT[:1_000], TEXT[30:3_000], *(TEXT[n : n + 5] for n in range(20))]
    growing = OfForm(lambda n: {"seen": torch.zeros(n, 0, dtype=torch.int64)})
    live = LiveActivations(growing, Corpus.from_texts(texts), n_lanes=1)
    plain = LiveActivations(OfForm(lambda n: {}), live.corpus, n_lanes=1)
    np.testing.assert_array_equal(live.read([Site("sum")])[Site("sum")], plain.read([Site("sum")])[Site("sum")])


def test_parts_of_a_state_whose_names_hdf5_cannot_hold_side_by_side_are_refused() -> None:
    model = OfForm(lambda n: {Site("sum/range"): torch.zeros(n, 1)})
    with pytest.raises(ActivationError, match="the sites sum and sum/range cannot be recorded in one file"):
        LiveActivations(model, Corpus.from_texts([TEXT]))


def test_values_that_near_one_cannot_hold_are_told_by_their_site() -> None:
    model = OfForm(lambda n: {}, unbounded=frozenset())
    live = LiveActivations(model, Corpus.from_texts([TEXT]), compute=ComputeOptions(dtype="near_one"))
    with pytest.raises(ActivationError, match="sum has a value of .*, and near_one is for values from -1 to 1"):
        live.read([Site("sum")])


class OfTwo(OfForm):
    """Two sites that are carried on, and are not in the order of their names."""

    sites = {Site("zoo"): 1, Site("act"): 1}  # noqa: RUF012 the protocol has it so

    def start(self, n_lanes: int) -> Any:
        return {site: torch.zeros(n_lanes, 1) for site in reversed(self.sites)}

    def read(self, ids: Tensor, state: Any) -> tuple[Any, dict[Site, Any], Any]:
        shown = {site: ids[..., None].float() for site in self.sites}
        return torch.zeros(*ids.shape, len(self.vocabulary)), shown, {site: shown[site][-1] for site in state}


def test_how_far_lanes_differ_is_told_in_the_order_of_the_model(tmp_path: Path) -> None:
    live = LiveActivations(OfTwo(lambda n: {}), Corpus.from_texts([TEXT]), n_lanes=3)
    extract(live, tmp_path / "a.h5", predictions=False)
    assert list(map(str, live.lane_differences)) == ["zoo", "act"]
    with Recording(tmp_path / "a.h5") as recording:
        assert list(recording.description["lane_differences"]) == ["zoo", "act"]
