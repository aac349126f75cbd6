"""What the attributes of a recording say: read into typed values by one function, or refused in a sentence."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pytest
from planting import random_model

from activations.errors import ActivationError
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.format.attributes import json_attribute, read_attributes
from activations.recordings.format.checksums import attributes_checksum, checksum
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site

TEXT = "some text, and some more of it.\n" * 20
LISTS = "[" * 100_000
DEEP = "[" * 30 + "]" * 30


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    live = LiveActivations(random_model(TEXT, n_units=4), Corpus.from_texts([TEXT]), n_lanes=2, warm_up_chars=0)
    return extract(live, tmp_path_factory.mktemp("metadata") / "a.h5", force=True).path.read_bytes()


def changed(path: Path, recorded: bytes, change: Callable[[h5py.File], None]) -> Path:
    """A recording with other attributes, whose checksum fits them."""
    path.write_bytes(recorded)
    with h5py.File(path, "r+") as file:
        change(file)
        with suppress(TypeError):  # of what JSON does not have
            file.attrs["attributes_checksum"] = attributes_checksum(file.attrs)
    return path


OBJECTS = ["software", "model_config", "lane_differences", "made_by", "reading_rule", "token_names", "contents"]


BROKEN = ["{", LISTS, '{"a":' * 5_000, f'{{"a": {DEEP}}}', f"[{DEEP}]", "3", "null", "", 5, 1.5]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("made_by", value) for value in BROKEN),
        *((name, value) for name in [*OBJECTS, "interventions", "range", "sites"] for value in (LISTS, 5)),
    ],
)
def test_broken_or_deeply_nested_json_is_called_unsound_and_refused(
    name: str, value: object, recorded: bytes, tmp_path: Path
) -> None:
    path = changed(tmp_path / "a.h5", recorded, lambda file: file.attrs.__setitem__(name, value))
    [complaint] = check(path).complaints
    assert name in complaint
    assert len(complaint) < 500
    with pytest.raises(ActivationError, match=f"'{name}'"):
        Recording(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nats_per_char", "much"), ("model_sha256", 5), ("corpus_sha256", 1), ("n_lanes", "[1]"), ("date", 2024),
        ("device", np.float64(1)), ("window", 0), ("stride", "a"), ("every", 0), ("block_chars", -(2**62)),
        ("range", "[0.5, 9]"), ("range", '["0", "9"]'), ("range", f"[0, {10**30}]"), ("range", "[true, 9]"),
        ("replacement", "ab"), ("interventions", "[1]"), ("token_names", json.dumps({"a": "<" + "b" * 300 + ">"})),
        ("contents", '{"/text": 5}'), ("contents", '{"/text": ["<u4", [-1]]}'), ("more", np.zeros(3)),
        ("more", h5py.Empty("f8")), ("more", np.bytes_(b"fixed")), ("more", np.complex64(1)), ("\x1b[31m", 1),
        ("format_version", 3.0), ("complete", "yes"), ("complete", 0.5),
    ],
)  # fmt: skip
def test_values_that_no_recording_has_are_refused(name: str, value: object, recorded: bytes, tmp_path: Path) -> None:
    path = changed(tmp_path / "a.h5", recorded, lambda file: file.attrs.__setitem__(name, value))
    assert not check(path).sound
    with pytest.raises(ActivationError, match="cannot be used"):
        Recording(path)


def test_attributes_that_another_program_adds_are_kept(recorded: bytes, tmp_path: Path) -> None:
    def add(file: h5py.File) -> None:
        file.attrs.update({"lab": "ours", "temperature": 0.5, "n_runs": 3, "is_final": True, "notes": "[not JSON"})

    path = changed(tmp_path / "a.h5", recorded, add)
    assert check(path).sound
    with Recording(path) as recording:
        said = {name: recording.description[name] for name in ("lab", "temperature", "n_runs", "is_final", "notes")}
    assert said == {"lab": "ours", "temperature": 0.5, "n_runs": 3, "is_final": True, "notes": "[not JSON"}


def test_a_recording_describes_itself_in_plain_values(recorded: bytes, tmp_path: Path) -> None:
    path = changed(tmp_path / "a.h5", recorded, lambda file: None)
    with Recording(path) as recording:
        description = recording.description
        assert description["range"] == [0, len(TEXT)]
        assert description["model_config"]["n_units"] == 4
        assert description["made_by"]["program"] == "char-probe"
        assert (type(description["every"]), type(description["nats_per_char"])) == (int, float)
        description["range"] = None
        assert recording.description["range"] == [0, len(TEXT)]


def test_attributes_larger_than_any_recording_needs_are_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["text"] = "a" * 33_000_000
        with pytest.raises(ActivationError, match="larger than the 32 MB"):
            read_attributes(file)
        del file.attrs["text"]
        file.attrs.update({f"attribute {n}": n for n in range(1_001)})
        with pytest.raises(ActivationError, match="1,001 attributes"):
            read_attributes(file)
    with pytest.raises(ActivationError, match="more than 1,000,000 lists"):
        json_attribute({"sites": "[" + "[]," * 1_000_000 + "[]]"}, "sites", list, "list of sites")


def test_a_block_may_be_longer_than_any_number_of_characters(recorded: bytes, tmp_path: Path) -> None:
    """Sums with the length of a block would overflow."""

    def change(file: h5py.File) -> None:
        contents = json.loads(file.attrs["contents"])
        for path in (path for path in contents if path.startswith(("/layers", "/prediction"))):
            rows = file[path][:]
            replace_with(file, f"checksums{path}", np.array([checksum(rows[:300]), checksum(rows[300:])], "<u8"))
        for name, values in (("start", np.array([0, 300], "<i8")), ("name", np.array([b"a", b"b"]))):
            replace_with(file, f"documents/{name}", values)
            replace_with(file, f"checksums/documents/{name}", np.array([checksum(values)], "<u8"))
            contents[f"/documents/{name}"] = [values.dtype.str, [2]]
        file.attrs.update({"contents": json.dumps(contents), "block_chars": 2**62})

    path = changed(tmp_path / "a.h5", recorded, change)
    assert check(path).complaints == ()
    with h5py.File(path) as file, Recording(path) as recording:
        np.testing.assert_array_equal(recording.read(["0/hidden"])[Site("0/hidden")], file["layers/0/hidden"][:])
        assert [block.n_chars for block in recording.blocks()] == [300, len(TEXT) - 300]


def test_predicted_characters_that_the_vocabulary_does_not_have_are_reported(recorded: bytes, tmp_path: Path) -> None:
    def change(n_known: int) -> Callable[[h5py.File], None]:
        def add(file: h5py.File) -> None:
            contents = json.loads(file.attrs["contents"])
            ids = np.zeros((len(TEXT), 5), "<u4")
            ids[100, 3] = len(file["vocab"]) - n_known
            block_chars = int(file.attrs["block_chars"])
            file["prediction/top_ids"] = ids
            sums = [checksum(ids[start : start + block_chars]) for start in range(0, len(TEXT), block_chars)]
            file["checksums/prediction/top_ids"] = np.array(sums, "<u8")
            file.attrs["contents"] = json.dumps(contents | {"/prediction/top_ids": ["<u4", [len(TEXT), 5]]})

        return add

    assert check(changed(tmp_path / "a.h5", recorded, change(1))).sound
    path = changed(tmp_path / "b.h5", recorded, change(0))
    assert check(path).complaints == ("/prediction/top_ids has ids of characters that are not in /vocab",)
    with Recording(path) as recording, pytest.raises(ActivationError, match="ids of characters that are not in /vocab"):
        recording.read_predictions(["top_ids"])


def replace_with(file: h5py.File, path: str, values: np.ndarray) -> None:
    del file[path]
    file[path] = values
