"""Recordings written by hand, with h5py alone: what docs/recording.md says of them is how they are read."""

import json
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

from activations.checking import check
from activations.errors import ActivationError
from activations.store import Recording
from activations.units import Site

TEXT = 'she said "to be", or not.\n' * 40


def write(
    path: Path,
    datasets: Mapping[str, NDArray[Any]],
    *,
    text: str = TEXT,
    starts: Sequence[int] = (0,),
    vocabulary: str = "".join(sorted(set(TEXT))),
    **attributes: Any,
) -> Path:
    """Write a recording as the document says, of datasets with a row for each character."""
    own = {
        "text": np.array(list(map(ord, text)), "<u4"),
        "documents/start": np.array(starts, "<i8"),
        "documents/name": np.array([b"by hand"] * len(starts)),
        "vocab": np.array(list(map(ord, vocabulary)), "<u4"),
    }
    facts = {
        "format": "character activations",
        "format_version": 2,
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
            parts = [array] if name in own else [array[start:stop] for start, stop in blocks]
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
        np.testing.assert_array_equal(recording.read([Site(0, "hidden")])[Site(0, "hidden")], values)
        blocks = list(recording.blocks())
        np.testing.assert_array_equal(np.concatenate([each.values[Site(0, "hidden")] for each in blocks]), values)
        assert {each.start for each in blocks} >= set(starts)


def test_layers_may_be_missing_in_between(values: NDArray[np.float32], tmp_path: Path, run: Command) -> None:
    write(tmp_path / "a.h5", {"layers/0/hidden": values, "layers/2/cell": values[:, :2], "layers/10/hidden": values})
    with Recording(tmp_path / "a.h5") as recording:
        assert recording.sites == {Site(0, "hidden"): 3, Site(2, "cell"): 2, Site(10, "hidden"): 3}
        assert list(recording.sites) == [Site(0, "hidden"), Site(2, "cell"), Site(10, "hidden")]
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
        assert recording.dtype(Site(0, signal)) == number
        np.testing.assert_array_equal(recording.read([Site(0, signal)])[Site(0, signal)], stored)


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
    """What is read is as it stands; analyses refuse it."""
    broken = values.astype(number)
    broken[500, 1] = broken[700] = wrong
    datasets = {"layers/0/hidden": values, "layers/1/hidden": broken, "prediction/log_prob": -np.abs(values[:, 0])}
    datasets["prediction/log_prob"][[299, -1]] = np.nan  # the ends of documents
    path = write(tmp_path / "a.h5", datasets, starts=(0, 300))
    with Recording(path) as recording:
        np.testing.assert_array_equal(recording.read([Site(1, "hidden")])[Site(1, "hidden")], broken)
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
