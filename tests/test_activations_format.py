"""Recordings written by hand with h5py only are read as docs/recording.md says."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import xxhash
from commands import Command
from numpy.typing import NDArray

from activations.blocks import Block
from activations.errors import ActivationError
from activations.models.checkpoints import load_model, model_sha256
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.format.codings import CODINGS
from activations.recordings.format.layout import SiteFacts
from activations.recordings.format.token_rows import TokenRows
from activations.recordings.recorder import new_recording
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.ranking.ranking import rank

KEPT = Path(__file__).with_name("kept")
TEXT = 'she said "to be", or not.\n' * 40


def write(
    path: Path,
    datasets: Mapping[str, NDArray[Any]],
    *,
    sites: object = None,
    text: str = TEXT,
    starts: Sequence[int] = (0,),
    vocabulary: str = "".join(sorted(set(TEXT))),
    **attributes: Any,
) -> Path:
    """Write a recording as the document says, with rows that are characters; without `sites`, of version 2."""
    own = {
        "text": np.array(list(map(ord, text)), "<u4"),
        "documents/start": np.array(starts, "<i8"),
        "documents/name": np.array([b"by hand"] * len(starts)),
        "vocab": np.array(list(map(ord, vocabulary)), "<u4"),
    }
    facts = {
        "format": "character activations",
        "format_version": 2 if sites is None else 3,
        **({} if sites is None else {"sites": json.dumps(sites)}),
        "block_chars": 128,
        "range": json.dumps([0, len(text)]),
        "every": 1,
        "replacement": "",
        "contents": json.dumps({f"/{p}": [a.dtype.str, list(a.shape)] for p, a in (own | dict(datasets)).items()}),
        **attributes,
    }
    n_each = max(1, int(facts["block_chars"]))
    documents = list(pairwise([*starts, len(text)]))
    blocks = [(k, min(k + n_each, stop)) for start, stop in documents for k in range(start, stop, n_each)]
    with h5py.File(path, "w") as file:
        for name, array in (own | dict(datasets)).items():
            file[name] = array
            parts = (
                [array] if name in own or name.startswith("rows/") else [array[start:stop] for start, stop in blocks]
            )
            sums = [xxhash.xxh3_64_intdigest(np.ascontiguousarray(part).tobytes()) for part in parts]
            file[f"checksums/{name}"] = np.array(sums, "<u8")
        digest = xxhash.xxh3_64_hexdigest(json.dumps(facts, sort_keys=True).encode())
        file.attrs.update({**facts, "attributes_checksum": digest, "complete": True})
    return path


@pytest.fixture
def values(rng: np.random.Generator) -> NDArray[np.float32]:
    return rng.normal(size=(len(TEXT), 3)).astype("<f4")


@pytest.mark.parametrize("block_chars", [1, 7, 128, 5000, 10**9])
@pytest.mark.parametrize("starts", [(0,), (0, 1, 300)])
def test_blocks_may_have_any_size(
    block_chars: int, starts: tuple[int, ...], values: NDArray[np.float32], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", {"layers/0/hidden": values}, starts=starts, block_chars=block_chars)
    assert check(path).sound
    with Recording(path) as recording:
        np.testing.assert_array_equal(recording.read([Site.of(0, "hidden")])[Site.of(0, "hidden")], values)
        blocks = list(recording.blocks())
        np.testing.assert_array_equal(np.concatenate([each.values[Site.of(0, "hidden")] for each in blocks]), values)
        assert {each.start for each in blocks} >= set(starts)


def test_layers_may_be_missing_in_between(values: NDArray[np.float32], tmp_path: Path, run: Command) -> None:
    write(tmp_path / "a.h5", {"layers/0/hidden": values, "layers/2/cell": values[:, :2], "layers/10/hidden": values})
    with Recording(tmp_path / "a.h5") as recording:
        assert recording.sites == {Site.of(0, "hidden"): 3, Site.of(2, "cell"): 2, Site.of(10, "hidden"): 3}
        assert list(recording.sites) == [Site.of(0, "hidden"), Site.of(2, "cell"), Site.of(10, "hidden")]
    status, out, err = run("rank", "a.h5", "-H", "in_quotes", "--sites", "2,10", "--json")
    assert status == 0, err
    assert {json.loads(line)["unit"].rpartition("/")[0] for line in out.splitlines()} == {"2/cell", "10/hidden"}
    assert run("check", "a.h5")[0] == 0


@pytest.mark.parametrize(
    ("signal", "number", "accepted"),
    [("hidden", "<f2", True), ("hidden", "<f4", True), ("cell", "<f2", True), ("cell", "<f4", True),
     ("hidden", "<f8", False), ("hidden", ">f4", False), ("hidden", "<i4", False)],
)  # fmt: skip
def test_the_writer_chooses_float16_or_float32(signal: str, number: str, accepted: bool, tmp_path: Path) -> None:
    stored = np.arange(2 * len(TEXT)).reshape(-1, 2).astype(number)
    path = write(tmp_path / "a.h5", {f"layers/0/{signal}": stored})
    if not accepted:
        with pytest.raises(ActivationError, match=r"is not \(n_chars, n_units\) in <f2 or <f4"):
            Recording(path)
        return
    with Recording(path) as recording:
        assert recording.dtype(Site.of(0, signal)) == number
        np.testing.assert_array_equal(recording.read([Site.of(0, signal)])[Site.of(0, signal)], stored)


@pytest.mark.parametrize(
    ("how", "complaint"),
    [
        ({"starts": (0, 5, 5)}, "/documents/start is not in order"),
        ({"starts": (0, len(TEXT))}, "/documents/start is not in order"),
        ({"starts": (1,)}, "/documents/start is not in order"),
        ({"block_chars": 0}, "'block_chars' is 0"),
        ({"vocabulary": "abb"}, r"a\.h5 cannot be used: the vocabulary has 'b' more than once"),
        ({"replacement": "?"}, r"a\.h5 cannot be used: the replacement '\?' is not among"),
        ({"range": "[7, 7]"}, "the range 7:7 is empty"),
    ],
)
def test_what_the_reader_refuses(
    how: dict[str, Any], complaint: str, values: NDArray[np.float32], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", {"layers/0/hidden": values}, **how)
    with pytest.raises(ActivationError, match=complaint):
        Recording(path)
    assert not check(path).sound


def test_the_vocabulary_need_not_fit_the_text(values: NDArray[np.float32], tmp_path: Path) -> None:
    path = write(tmp_path / "a.h5", {"layers/0/hidden": values}, vocabulary="zaß")
    assert check(path).sound
    with Recording(path) as recording:
        assert recording.vocabulary.characters == "zaß"


@pytest.mark.parametrize("number", ["<f2", "<f4"])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_check_names_the_sites_whose_values_are_not_numbers(
    number: str, wrong: float, values: NDArray[np.float32], tmp_path: Path, run: Command
) -> None:
    """NaN is read as it is; analyses refuse it."""
    broken = values.astype(number)
    broken[500, 1] = broken[700] = wrong
    datasets = {"layers/0/hidden": values, "layers/1/hidden": broken, "prediction/log_prob": -np.abs(values[:, 0])}
    datasets["prediction/log_prob"][[299, -1]] = np.nan  # the ends of documents
    path = write(tmp_path / "a.h5", datasets, starts=(0, 300))
    with Recording(path) as recording:
        np.testing.assert_array_equal(recording.read([Site.of(1, "hidden")])[Site.of(1, "hidden")], broken)
    n_chars = f"{len(TEXT):,}"
    complaint = (
        f"/layers/1/hidden has 4 values that are not numbers (NaN or infinite), at 2 of {n_chars} characters, "
        "the first of them 500"
    )
    assert check(path).complaints == (complaint,)
    status, out, _ = run("check", "a.h5")
    assert status == 1
    assert "a.h5 is not sound" in out
    assert complaint in out
    status, _, err = run("rank", "a.h5", "-H", "in_quotes")
    assert status == 1
    assert "some activations of 1/hidden are not numbers" in err


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_prediction_is_not_a_number_at_the_end_of_a_document_only(every: int, wrong: float, tmp_path: Path) -> None:
    n_rows = len(range(0, len(TEXT), every))
    predictions: dict[str, NDArray[Any]] = {
        "prediction/log_prob": np.full(n_rows, -1, "<f4"),
        "prediction/top_ids": np.zeros((n_rows, 5), "<u4"),
        "prediction/top_log_probs": np.full((n_rows, 5), -1, "<f2"),
    }
    attributes: dict[str, Any] = {"every": every, "block_chars": 10**6}
    ends = np.flatnonzero(np.isin(np.arange(0, len(TEXT), every), [len(TEXT) - 1]))
    predictions["prediction/log_prob"][ends] = np.nan
    assert check(write(tmp_path / "a.h5", predictions, **attributes)).sound
    predictions["prediction/log_prob"][[4, -1]] = wrong
    predictions["prediction/top_log_probs"][9, 2] = wrong
    found = check(write(tmp_path / "a.h5", predictions, **attributes)).complaints
    n_wrong = 1 if len(ends) and np.isnan(wrong) else 2
    assert [each.split(" that")[0] for each in found] == [
        f"/prediction/log_prob has {n_wrong} values",
        "/prediction/top_log_probs has 1 values",
    ]
    assert found[0].endswith(f"at {n_wrong} of {n_rows:,} characters, the first of them {4 * every}")
    assert found[1].endswith(f"the first of them {9 * every}")


@pytest.mark.parametrize(
    ("kind", "stored", "complaint"),
    [
        ("log_prob", np.zeros(len(TEXT), "<f8"), r"is not \(n_chars,\) in <f4"),
        ("log_prob", np.zeros((len(TEXT), 1), "<f4"), r"is not \(n_chars,\) in <f4"),
        ("log_distribution", np.zeros((len(TEXT), 2), "<f2"), rf"is not \(n_chars, {len(set(TEXT))}\) in <f2"),
        ("top_ids", np.zeros((len(TEXT), 5), "<i4"), r"is not \(n_chars, 5\) in <u4"),
        ("surprise", np.zeros(len(TEXT), "<f4"), "is nothing that a recording has; the kinds of prediction are log_"),
    ],
)
def test_predictions_are_of_the_kinds_that_are_described(
    kind: str, stored: NDArray[Any], complaint: str, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.h5", {f"prediction/{kind}": stored})
    with pytest.raises(ActivationError, match=complaint):
        Recording(path)


ODD = [
    {"name": "zoo/act.3", "layer": 3, "signal": "act", "coding": "near_one", "range": [-1, 1], "state": True},
    {"name": "a:b"},
]


def test_sites_have_any_names_and_stand_in_the_order_of_their_model(tmp_path: Path, rng: np.random.Generator) -> None:
    codes = rng.integers(0, 4 * 0x3800 + 1, (len(TEXT), 3)).astype("<u2")
    values = rng.normal(size=(len(TEXT), 2)).astype("<f4")
    path = write(tmp_path / "a.h5", {"layers/zoo/act.3": codes, "layers/a:b": values}, sites=ODD)
    with Recording(path) as recording:
        act, other = recording.sites
        assert (act.name, act.layer, act.signal, other.name, other.layer) == ("zoo/act.3", 3, "act", "a:b", None)
        facts = recording.facts[act]
        assert (facts.range, facts.is_state, facts.coding.name) == ((-1, 1), True, "near_one")
        assert recording.facts[other].coding.name == "float32"
        found = recording.read([act, other])
        np.testing.assert_array_equal(found[act], CODINGS["near_one"].decode(codes))
        np.testing.assert_array_equal(found[other], values)
        [block] = recording.blocks([act])
        assert block.values[act].dtype == recording.dtype(act) == np.float32
        assert np.abs(block.values[act]).max() <= 1
    assert str(check(path)) == f"{path} is sound: {len(TEXT):,} characters, 2 sites in float32 and near_one"


NO_RANGES: tuple[object, ...] = (
    0, [1], [1, 2, 3], [1, -1], ["0", "1"], [None, 1], [10**400, 10**401], [math.nan, 1], [False, True], {},
)  # fmt: skip
NO_LAYERS: tuple[object, ...] = ("x", 1.5, -1, True, [1])
NO_SIGNALS: tuple[object, ...] = (5, [1], "", "a b", "a,b", "a/b", "\x1b[31m", "a" * 300)


@pytest.mark.parametrize(
    ("sites", "complaint"),
    [
        ([], "says nothing of /layers/a/b"),
        ([{"name": "a/b"}, {"name": "c"}], "names c, of which there is not one dataset"),
        ([{"name": "a/b"}, {"name": "a/b"}], "names a/b, of which there is not one dataset"),
        ([{"name": "a/b", "coding": "int4"}], "no coding 'int4'; there are float16, float32, near_one"),
        ([{"name": "a/b", "coding": "near_one"}], "/layers/a/b is not .n_chars, n_units. in <u2"),
        ([{"name": "a b"}], "is not a site"),
        ([{"layer": 1}], "the attribute 'sites' is no list of sites"),
        ("a/b", "the attribute 'sites' is no list of sites"),
        ([{"name": "a/b", "range": "wide"}], "the attribute 'sites' is no list of sites"),
        *(([{"name": "a/b", "range": limits}], "not .lowest, highest.") for limits in NO_RANGES),
        *(([{"name": "a/b", "layer": layer}], "the layer of a/b is") for layer in NO_LAYERS),
        *(([{"name": "a/b", "signal": signal}], "the signal of a/b is") for signal in NO_SIGNALS),
        ([{"name": "a/b", "state": "no"}], "not true or false"),
        ([{"name": 3}], "a site is named 3, which is no text"),
    ],
)
def test_contradictory_facts_about_sites_are_refused(tmp_path: Path, sites: object, complaint: str) -> None:
    path = write(tmp_path / "a.h5", {"layers/a/b": np.zeros((len(TEXT), 2), "<f2")}, sites=sites)
    with pytest.raises(ActivationError, match=complaint):
        Recording(path)


def test_a_code_without_a_value_is_reported(tmp_path: Path) -> None:
    codes = np.full((len(TEXT), 1), 7, "<u2")
    codes[9] = 0xFFFF
    path = write(tmp_path / "a.h5", {"layers/a": codes}, sites=[{"name": "a", "coding": "near_one"}])
    [complaint] = check(path).complaints
    assert complaint.startswith("/layers/a has 1 values that are not numbers (NaN or infinite), at 1 of")


WORDS = [(found.start(), found.end()) for found in re.finditer(r"\S+\s*", TEXT)]


def test_rows_may_be_tokens(tmp_path: Path, rng: np.random.Generator) -> None:
    """Tokens are written by the recorder, read by position, shown by `check`, and refused by analyses."""
    site, corpus = Site("blocks.0.mlp"), Corpus.from_texts([TEXT[:500], TEXT[500:]], ["one", "two"])
    offsets = [(a, b) for a, b in WORDS if not a < 500 < b]
    starts, ends = np.array(offsets, np.int64).T
    tokens = TokenRows(starts, ends, window=64, stride=32)
    values = rng.normal(size=(len(offsets), 3)).astype(np.float32)
    n_first = sum(a < 500 for a, _ in offsets)
    path = tmp_path / "tokens.h5"
    facts = {site: SiteFacts(3, CODINGS["float32"])}
    with new_recording(path, corpus, Vocabulary.of([TEXT]), facts, predictions=False, tokens=tokens) as recorder:
        recorder.write(Block(n_first, {site: values[n_first:].copy()}))
        recorder.write(Block(0, {site: values[:n_first].copy()}))
    with Recording(path) as found:
        assert found.tokens is not None
        np.testing.assert_array_equal(found.tokens.starts, tokens.starts)
        np.testing.assert_array_equal(found.tokens.ends, tokens.ends)
        assert (found.tokens.window, found.tokens.stride) == (64, 32)
        np.testing.assert_array_equal(found.read([site])[site], values)
        whose_last_is_there = [n for n, (_, end) in enumerate(offsets) if 100 <= end - 1 < 300]
        np.testing.assert_array_equal(found.read([site], 100, 300)[site], values[whose_last_is_there])
        with pytest.raises(ActivationError, match=f"are {len(offsets)} tokens, and not characters"):
            next(found.blocks())
        with pytest.raises(AnalysisError, match="are tokens, and not characters"):
            rank(found, "in_quotes")
    said = f"{len(offsets)} tokens of {len(TEXT):,} characters, window 64, stride 32, 1 sites in float32"
    assert str(check(path)) == f"{path} is sound: {said}"


@pytest.mark.parametrize(
    "offsets", [[(0, 0)], [(5, 9), (0, 4)], [(490, 510)], [(0, 2_000)], [(-1, 3)], [(0, 9), (3, 4)]]
)
def test_tokens_that_do_not_fit_the_text_are_refused(tmp_path: Path, offsets: list[tuple[int, int]]) -> None:
    corpus = Corpus.from_texts([TEXT[:500], TEXT[500:]])
    tokens = TokenRows(*np.array(offsets, np.int64).T)
    facts = {Site("a"): SiteFacts(3, CODINGS["float32"])}
    with (
        pytest.raises(ActivationError, match="tokens must have a first character"),
        new_recording(tmp_path / "a.h5", corpus, Vocabulary.of([TEXT]), facts, predictions=False, tokens=tokens),
    ):
        pass
    starts, ends = np.array(offsets, "<i8").T
    datasets = {"rows/start": starts, "rows/end": ends, "layers/a": np.zeros((len(starts), 1), "<f4")}
    path = write(tmp_path / "b.h5", datasets, sites=[{"name": "a"}], starts=[0, 500])
    with pytest.raises(ActivationError, match="tokens must have a first character"):
        Recording(path)


def test_offsets_of_tokens_that_the_contents_do_not_name_are_reported(tmp_path: Path) -> None:
    starts, ends = np.array(WORDS, "<i8").T
    path = write(tmp_path / "a.h5", {"layers/a": np.zeros((len(TEXT), 1), "<f4")}, sites=[{"name": "a"}])
    with h5py.File(path, "r+") as file:
        file["rows/start"], file["rows/end"] = starts, ends
    with pytest.raises(ActivationError, match="/rows/start is there, and the attribute 'contents' says nothing of it"):
        Recording(path)


def test_sites_that_hdf5_cannot_hold_in_one_file_are_refused(tmp_path: Path) -> None:
    facts = {Site(name): SiteFacts(1, CODINGS["float32"]) for name in ("features", "a", "features/pca")}
    with (
        pytest.raises(ActivationError, match="the sites features and features/pca cannot be recorded in one file"),
        new_recording(tmp_path / "a.h5", Corpus.from_texts([TEXT]), Vocabulary.of([TEXT]), facts),
    ):
        pass


def test_files_of_earlier_versions_open_unchanged(tmp_path: Path) -> None:
    """A recording of version 2 and its model, kept from before."""
    model = load_model(KEPT / "gru_version_1.pt")
    with Recording(KEPT / "recording_version_2.h5") as before:
        assert before.description["format_version"] == 2
        assert [str(site) for site in before.sites] == ["0/hidden", "0/candidate", "0/reset_gate", "0/update_gate"]
        assert before.model_sha256 == model_sha256(model)
        live = LiveActivations(model, before.corpus, n_lanes=2, warm_up_chars=16)
        extract(live, tmp_path / "now.h5")
        with Recording(tmp_path / "now.h5") as now:
            assert now.description["format_version"] == 3
            assert list(now.sites) == list(before.sites)
            for site, values in before.read(list(before.sites)).items():
                np.testing.assert_array_equal(now.read([site])[site], values)
            assert now.description["made_by"]["program"] == "char-probe"
            assert {site: facts.is_state for site, facts in now.facts.items()} == {
                site: site.signal == "hidden" for site in now.sites
            }


@pytest.mark.parametrize("n_lanes", [1, 3])
def test_a_recording_near_one_is_what_the_live_source_gives(tmp_path: Path, n_lanes: int) -> None:
    model = load_model(KEPT / "lstm_version_1.pt")
    with Recording(KEPT / "recording_version_2.h5") as before:
        corpus = before.corpus
    exact, fine = (
        LiveActivations(model, corpus, n_lanes=n_lanes, compute=ComputeOptions(dtype=dtype))
        for dtype in ("float32", "near_one")
    )
    gate, cell = Site("0/forget_gate"), Site("0/cell")
    extract(fine, tmp_path / "a.h5", force=True)
    with Recording(tmp_path / "a.h5") as recording:
        assert recording.facts[gate].coding.name == "near_one" and recording.facts[cell].coding.name == "float32"
        for site in (gate, cell):
            expected = exact.read([site])[site]
            coding = recording.facts[site].coding
            np.testing.assert_array_equal(recording.read([site])[site], coding.quantised(expected))
            np.testing.assert_array_equal(fine.read([site])[site], coding.quantised(expected))


def test_a_value_beyond_its_coding_is_reported(tmp_path: Path) -> None:
    site, corpus = Site("a"), Corpus.from_texts([TEXT])
    facts = {site: SiteFacts(1, CODINGS["near_one"])}
    for value in (1.5, -np.inf):
        values = np.zeros((len(TEXT), 1), np.float32)
        values[7] = value
        with (
            pytest.raises(ActivationError, match=f"a has a value of {value}, and near_one is for values from -1 to 1"),
            new_recording(tmp_path / "a.h5", corpus, Vocabulary.of([TEXT]), facts, predictions=False) as recorder,
        ):
            recorder.write(Block(0, {site: values}))
