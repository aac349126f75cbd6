"""Hostile and damaged files of other programs: a clear error, or a model; never code that runs, never a full memory."""

import io
import json
import os
import pickle
import re
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from pickle import (
    BINPERSID,
    BINUNICODE8,
    BUILD,
    DUP,
    EMPTY_DICT,
    EMPTY_LIST,
    EMPTY_TUPLE,
    EXT1,
    GLOBAL,
    INST,
    LONG_BINPUT,
    MARK,
    NEWOBJ,
    NONE,
    OBJ,
    REDUCE,
    SETITEM,
    STOP,
    TUPLE1,
)
from typing import Any

import numpy as np
import pytest
import torch
from foreign import Writer, json_lists, npz, old_whole_module, renamed, state_dict, tensors, whole_module
from mutants import mutant

from activations.errors import ActivationError
from activations.importers.files import read_contents
from activations.importers.formats.pickled_values import GlobalName, UnbuiltObject
from activations.importers.formats.pickles import read_pickle
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.vocab import Vocabulary

N_MUTANTS = 1000
MOST_BYTES_HELD = 200_000_000


def small_model(cell: str = "lstm", n_embedding: int = 3) -> CharRNN:
    torch.manual_seed(0)
    return CharRNN(ModelConfig(cell=cell, n_layers=2, n_units=5, n_embedding=n_embedding), Vocabulary("abcd")).eval()


class Bomb:
    """Makes a file when it is unpickled by anything that runs what it reads."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[[str], Any], tuple[str]]:
        return os.mkdir, (str(self.place),)


def zip_of(members: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return content.getvalue()


def legacy(*parts: Any, keys: bytes = b"") -> bytes:
    magic = pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2)
    return magic + b"".join(pickle.dumps(part, protocol=2) for part in (1001, {"little_endian": True}, *parts)) + keys


def bombs(bomb: Bomb) -> dict[str, bytes]:
    """A bomb in each place where a pickle can stand."""
    array = np.array([bomb, 1], object)
    npy, npz, whole, old = io.BytesIO(), io.BytesIO(), io.BytesIO(), io.BytesIO()
    np.save(npy, array, allow_pickle=True)
    np.savez(npz, Wxh=array, allow_pickle=True)
    torch.save({"state": tensors(renamed(small_model())), "extra": bomb}, whole)
    torch.save({"state": tensors(renamed(small_model())), "x": bomb}, old, _use_new_zipfile_serialization=False)
    return {
        **{f"a plain pickle of protocol {n}": pickle.dumps({"model": bomb}, protocol=n) for n in range(6)},
        "a zip": zip_of({"archive/data.pkl": pickle.dumps(bomb), "archive/version": b"3"}),
        "PyTorch's zip": whole.getvalue(),
        "PyTorch's old format": old.getvalue(),
        "the magic number": pickle.dumps(bomb),
        "the old format's model": legacy(bomb, []),
        "the old format's keys": legacy({}, bomb),
        ".npy": npy.getvalue(),
        ".npz": npz.getvalue(),
        "a state": pickle.dumps({"a": [bomb, {"b": (bomb,)}]}),
    }


@pytest.mark.parametrize("place", bombs(Bomb(Path("nowhere"))))
def test_a_pickle_that_would_run_a_command_does_not(place: str, tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    content = bombs(Bomb(marker))[place]
    path = tmp_path / "model"
    path.write_bytes(content)
    for read in (
        lambda: read_contents(path),
        lambda: import_model(path, Vocabulary("abcd"), force=True),
        lambda: import_model(renamed(small_model()), f"pickle:{path}"),
        lambda: import_model(renamed(small_model()), f"json:{path}"),
    ):
        try:
            read()
        except ActivationError as error:
            assert str(error).isprintable()
    assert not marker.exists()
    if place.startswith("a plain pickle"):  # the bomb is a real one
        pickle.loads(content)  # noqa: S301 this is the test's own
        assert marker.is_dir()


def nested(n: int) -> bytes:
    return b"\x80\x02" + EMPTY_TUPLE + TUPLE1 * n + STOP


def tensor_pickle(
    numel: Any = 5, offset: Any = 0, size: Any = (5,), stride: Any = (1,), kind: str = "FloatStorage"
) -> bytes:
    """Written by hand, since torch would not write it: {"rnn.weight_ih_l0": a tensor}."""
    parts = [
        b"\x80\x02",
        EMPTY_DICT,
        b"X\x10\x00\x00\x00rnn.weight_ih_l0",
        GLOBAL,
        b"torch._utils\n_rebuild_tensor_v2\n",
    ]
    parts += [MARK, MARK, b"X\x07\x00\x00\x00storage", GLOBAL, b"torch\n", kind.encode(), b"\n"]
    parts += [b"X\x01\x00\x00\x000", b"X\x03\x00\x00\x00cpu", plain(numel), b"t", BINPERSID]
    parts += [plain(offset), plain(size), plain(stride), plain(False), EMPTY_DICT, b"t", REDUCE, SETITEM, STOP]
    return b"".join(parts)


def plain(value: Any) -> bytes:
    """The operations that put a value on the stack."""
    return pickle.dumps(value, protocol=2)[2:-1]


def torch_zip(content: bytes, numbers: bytes = bytes(20)) -> bytes:
    return zip_of({"a/data.pkl": content, "a/data/0": numbers, "a/version": b"3"})


def zip_bomb() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", tensor_pickle(numel=10**8, size=(10**8,)))
        with archive.open("a/data/0", "w") as member:
            for _ in range(400):
                member.write(bytes(1_000_000))
    return content.getvalue()


def lying_bomb(kind: int) -> bytes:
    """A member of 30 MB that says it has a thousand bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", kind) as archive:
        archive.writestr("a/data.pkl", bytes(30_000_000))
    true_size, said = (30_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    return content.getvalue().replace(true_size, said)


def damaged_npz() -> bytes:
    content = io.BytesIO()
    np.savez_compressed(content, Wxh=np.random.default_rng(0).normal(size=(40, 40)))
    changed = bytearray(content.getvalue())
    changed[200:300] = bytes(100)
    return bytes(changed)


def many_views() -> bytes:
    """Each tensor of its own, all of the same storage."""
    content = io.BytesIO()
    numbers = torch.zeros(100, 1000)
    torch.save({str(n): numbers.t()[: 1000 - n] for n in range(300)}, content)
    return content.getvalue()


def nested_dict(n: int) -> dict[str, Any]:
    nest: dict[str, Any] = {"x": 1}
    for _ in range(n):
        nest = {"name" * 20: nest}
    return nest


def doubled_key() -> bytes:
    """A storage whose name is a tuple of tuples of tuples."""
    key = b"X\x01\x00\x00\x00a" + (DUP + b"\x86") * 60
    return tensor_pickle().replace(b"X\x01\x00\x00\x000", key)


def npy(shape: str, kind: str = "<f4") -> bytes:
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + bytes(40)


HOSTILE: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "neither a PyTorch file, nor a pickle"),
    "text": (b"hello, world\n" * 9, "neither a PyTorch file, nor a pickle"),
    "a zip of something": (zip_of({"a.txt": b"hello"}), "neither PyTorch nor numpy"),
    "a zip cut short": (torch_zip(tensor_pickle())[:-9], "it is damaged"),
    "two models in a zip": (zip_of({"a/data.pkl": b"", "b/data.pkl": b""}), "neither PyTorch nor numpy"),
    "a storage that is missing": (zip_of({"a/data.pkl": tensor_pickle()}), "storage 0 are missing"),
    "a storage that is too short": (torch_zip(tensor_pickle(), bytes(8)), "truncated"),
    "an offset outside": (torch_zip(tensor_pickle(offset=3)), "takes more than the 5 numbers"),
    "an offset far outside": (torch_zip(tensor_pickle(offset=2**47)), "takes more than the 5 numbers"),
    "an offset below": (torch_zip(tensor_pickle(offset=-1)), "in a way that is not known"),
    "a stride outside": (torch_zip(tensor_pickle(stride=(2,))), "takes more than the 5 numbers"),
    "a stride below": (torch_zip(tensor_pickle(stride=(-1,))), "in a way that is not known"),
    "a stride of nothing": (torch_zip(tensor_pickle(size=(10**9,), stride=(0,))), "takes more than the 5 numbers"),
    "a huge shape": (torch_zip(tensor_pickle(size=(10**6, 10**6), stride=(1, 1))), "takes more than"),
    "a huge storage": (torch_zip(tensor_pickle(numel=10**12, size=(10**12,))), "truncated"),
    "a number as a shape": (torch_zip(tensor_pickle(size=5)), "in a way that is not known"),
    "words as a shape": (torch_zip(tensor_pickle(size=("a",))), "in a way that is not known"),
    "more axes than strides": (torch_zip(tensor_pickle(size=(1, 1))), "in a way that is not known"),
    "numbers of an unknown kind": (torch_zip(tensor_pickle(kind="QInt8Storage")), "ih_l0: .* of the kind torch.QInt8"),
    "a size that is no number": (torch_zip(tensor_pickle(numel="5")), "in a way that is not known"),
    "a zip bomb": (zip_bomb(), "would unpack to"),
    "a zip bomb that lies": (lying_bomb(zipfile.ZIP_DEFLATED), "damaged"),
    "a zip bomb of another kind": (lying_bomb(zipfile.ZIP_BZIP2), "packed in a way"),
    "a zip bomb of a third kind": (lying_bomb(zipfile.ZIP_LZMA), "packed in a way"),
    "a packed array that is damaged": (damaged_npz(), "it is damaged"),
    "views upon views": (pickle.dumps([[1.0] * 1000] * 3000), "much larger than itself"),
    "the same numbers as many arrays": (many_views(), "its arrays are much larger than itself"),
    "long names": (json.dumps(nested_dict(50)).encode(), "names are longer than any model's"),
    "a key that doubles": (torch_zip(doubled_key()), "in a way that is not known"),
    "a number beyond all": (pickle.dumps({"a": [10**400, 1]}), "it is damaged"),
    "a key beyond all": (pickle.dumps({10**5000: 1}), "no recurrent layers"),
    "a header that does not end": (npy("(5,", "<f4"), "it is damaged"),
    "an escape in a name": (pickle.dumps({"\x1b[2J\n.weight_ih_l0": np.ones((4, 2), np.float32)}), "has no"),
    "no units": (pickle.dumps({"weight_ih_l0": np.ones((0, 3)), "weight_hh_l0": np.ones((0, 0))}), "no recurrent"),
    "a layer of many digits": (pickle.dumps({f"Wxh{'1' * 400}": np.ones((2, 2)), "Why": np.ones((2, 2))}), "cannot|no"),
    "too many arrays": (
        pickle.dumps({str(n): np.ones((1, 1)) for n in range(2_001)}),
        "no character model has that many",
    ),
    "a pickle without an end": (b"\x80\x02" + EMPTY_LIST, "damaged"),
    "a pickle of nothing": (b"\x80\x02" + STOP, "damaged"),
    "a mark on top": (b"\x80\x02" + MARK + STOP, "damaged"),
    "a call without arguments": (b"\x80\x02" + GLOBAL + b"os\nsystem\n" + REDUCE + STOP, "damaged"),
    "what was never remembered": (b"\x80\x02h\x07" + STOP, "damaged"),
    "a registered extension": (b"\x80\x02" + EXT1 + b"\x01" + STOP, "uses EXT1, which no model needs"),
    "a string that is too long": (b"\x80\x04" + BINUNICODE8 + (2**62).to_bytes(8, "little") + b"abc" + STOP, "damaged"),
    "a place far off in memory": (b"\x80\x02N" + LONG_BINPUT + b"\xff\xff\xff\x7f" + STOP, "no recurrent layers"),
    "deep nesting": (nested(100_000), "nested deeper than any model"),
    "a deep key": (b"\x80\x02" + EMPTY_DICT + nested(100_000)[2:-1] + NONE + SETITEM + STOP, "no recurrent layers"),
    "too many steps": (b"\x80\x02" + EMPTY_LIST + (NONE + b"a") * 1_000_001 + STOP, "more than 2,000,000 steps"),
    "a list in itself": (b"\x80\x02" + EMPTY_LIST + DUP + b"a" + STOP, "no recurrent layers"),
    "lists that double": (b"\x80\x02" + EMPTY_LIST + (b"q\x00" + EMPTY_LIST + b"h\x00ah\x00a") * 1000 + STOP, "deeper"),
    "deep JSON": (b"[" * 200_000 + b"]" * 200_000, r"no JSON \(it is nested too deeply\)"),
    "many lists in JSON": (b"[" + b"[]," * 1_000_001 + b"[]]", "more lists or strings than any model needs"),
    "JSON cut short": (b'[[1, 2], [3, "', "no JSON"),
    "a long number in JSON": (b"[" + b"9" * 10_000 + b"]", r"no JSON \(a number in it has thousands of digits\)"),
    "a huge array of numpy": (npy("(1000000, 1000000)"), "which is not there"),
    "an array of negative size": (npy("(-5,)"), "cannot read"),
    "an array of code": (npy("(5,)", "|O"), "damaged"),
    "a header of code": (npy("__import__('os').mkdir('x')"), "it is damaged"),
    "an old model without its numbers": (legacy({}, ["0"]), "its storages are not those that it describes"),
}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name == "too many steps" else ())  # two million of them
        for name in HOSTILE
    ],
)
def test_a_hostile_file_is_refused_in_a_sentence_and_in_bounded_memory(name: str, tmp_path: Path) -> None:
    content, message = HOSTILE[name]
    path = tmp_path / "model"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ActivationError, match=message):
            import_model(path, "chars:abcd")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MOST_BYTES_HELD


def test_a_pickle_of_more_steps_than_are_allowed_is_refused() -> None:
    content = b"\x80\x02" + EMPTY_LIST + (NONE + b"a") * 10 + STOP  # 22 steps before the last
    with pytest.raises(ActivationError, match="the pickle has more than 21 steps"):
        read_pickle(io.BytesIO(content), max_operations=21)
    assert read_pickle(io.BytesIO(content), max_operations=22) == [None] * 10


def test_nothing_that_a_pickle_names_is_called() -> None:
    """By each of the operations that would call something."""
    name = GLOBAL + b"os\nmkdir\n"
    argument = b"X\x05\x00\x00\x00it ra"
    calls = {
        "REDUCE": name + argument + TUPLE1 + REDUCE,
        "NEWOBJ": name + argument + TUPLE1 + NEWOBJ,
        "OBJ": MARK + name + argument + OBJ,
        "INST": MARK + argument + INST + b"os\nmkdir\n",
    }
    for operations in calls.values():
        unbuilt = read_pickle(io.BytesIO(b"\x80\x02" + operations + STOP))
        assert isinstance(unbuilt, UnbuiltObject) and (unbuilt.maker, unbuilt.arguments) == ("os.mkdir", ("it ra",))
    built = read_pickle(io.BytesIO(b"\x80\x02" + calls["REDUCE"] + EMPTY_DICT + BUILD + STOP))
    assert built.state == {}
    assert read_pickle(io.BytesIO(b"\x80\x04\x8c\x02os\x8c\x05mkdir\x93.")) == GlobalName("os.mkdir")


@pytest.mark.parametrize("protocol", range(6))
def test_plain_values_come_as_pickle_itself_would_give_them(protocol: int) -> None:
    values: list[Any] = [None, True, False, 1, -1, 300, 70_000, 2**40, -(2**70), 1.5, "a\n'é\u2028", "long" * 100]
    values += [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4), [], [1], [1, [2]], {}, {"a": 1, 2: [3]}, [[]] * 3]
    values += [b"bytes"] if protocol > 2 else []
    values += [bytearray(b"x")] if protocol > 4 else []
    assert read_pickle(io.BytesIO(pickle.dumps(values, protocol))) == values
    assert sorted(read_pickle(io.BytesIO(pickle.dumps({"a", "b"}, protocol)))) == ["a", "b"]


WRITERS: dict[str, Writer] = {
    "a state_dict": state_dict,
    "a whole module": whole_module,
    "an old whole module": old_whole_module,
    "JSON": json_lists,
    ".npz": npz,
}


@pytest.mark.parametrize("form", WRITERS)
def test_mutants_are_refused_or_read(form: str, tmp_path: Path) -> None:
    """At least a thousand seeded mutations of files in five formats."""
    path = tmp_path / "model"
    WRITERS[form](small_model("rnn" if form == ".npz" else "lstm", 0 if form in ("JSON", ".npz") else 3), path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    n_refused = 0
    for _ in range(N_MUTANTS // 4):
        path.write_bytes(mutant(content, rng))
        try:
            import_model(path, Vocabulary("abcd"), force=True)
        except ActivationError as error:
            assert len(str(error)) < 600
            n_refused += 1
    assert n_refused > N_MUTANTS // 40


LIMITED = """
import json, os, sys, time
from pathlib import Path
from activations.errors import ActivationError
from activations.importers.importing import import_model

def megabytes(name):
    return int(Path("/proc/self/status").read_text().partition(f"{name}:")[2].split()[0]) // 1024

for path in sys.argv[1:]:
    if (child := os.fork()) > 0:  # whose memory is its own
        os.waitpid(child, 0)
        continue
    before, start = megabytes("VmRSS"), time.process_time()
    try:
        import_model(Path(path))
    except ActivationError as error:
        print(json.dumps([str(error), time.process_time() - start, megabytes("VmHWM") - before]), flush=True)
    os._exit(0)
"""


def sparse_json(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b"[")
        file.truncate(900_000_000)


def sparse_safetensors(path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [400_000_000], "data_offsets": [0, 1_600_000_000]}}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        file.truncate(8 + len(header) + 1_600_000_000)


def many_short_numbers(path: Path) -> None:
    path.write_bytes(b"[" + b"0," * 20_000_000 + b"0]")


def names_by_the_million(path: Path) -> None:
    path.write_text(json.dumps({"vocab": [str(n) for n in range(900_000)]}))


def short_lists_by_the_hundred_thousand(path: Path) -> None:
    path.write_bytes(b"[" + b'["x","y"],' * 240_000 + b"0]")


def dictionaries_of_strings(path: Path) -> None:
    path.write_text(json.dumps([{f"{n}": "v" for n in range(500)}] * 900))


def metadata_of_short_lists(path: Path) -> None:
    entries = {"__metadata__": {"vocab": "[" + '["a"],' * 800_000 + "0]"}}
    header = json.dumps(entries | {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


def metadata_by_the_million(path: Path) -> None:
    header = json.dumps({"__metadata__": {str(n): "[1]" for n in range(500_000)}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header)


def one_vocabulary_in_many_places(path: Path) -> None:
    ids = {chr(0x4E00 + n): n for n in range(16_000)}
    arrays = {name: tensor.numpy() for name, tensor in small_model().state_dict().items()}
    path.write_bytes(pickle.dumps({"model": arrays, "vocabularies": [ids] * 5_000}))


LARGE = {
    sparse_json: "most of it was never written",
    sparse_safetensors: "most of it was never written",
    many_short_numbers: "which are no weights",
    names_by_the_million: "no recurrent layers are found",
    short_lists_by_the_hundred_thousand: "more parts than any model",
    dictionaries_of_strings: "more parts than any model",
    metadata_of_short_lists: "more parts than any model",
    one_vocabulary_in_many_places: "none of that size",
    metadata_by_the_million: "500,000 entries of metadata",
}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory as Linux tells it")
def test_large_hostile_files_end_in_a_sentence_in_little_time_and_memory(tmp_path: Path) -> None:
    for write in LARGE:
        write(tmp_path / write.__name__)
    paths = [tmp_path / write.__name__ for write in LARGE]
    done = subprocess.run([sys.executable, "-c", LIMITED, *paths], capture_output=True, text=True, timeout=300)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(LARGE), done.stderr
    for path, message, (sentence, seconds, megabytes) in zip(paths, LARGE.values(), answers, strict=True):
        assert re.search(message, sentence), path.name
        assert sentence.isprintable(), path.name
        assert seconds < 5, path.name
        assert megabytes < 500, path.name
