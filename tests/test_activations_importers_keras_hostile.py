"""Hostile and damaged files of Keras: one sentence within 5 seconds and 500 MB, whatever is in them."""

import io
import json
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mutants import mutant
from test_activations_importers_keras import KEPT, OLD, WHOLE, Config, edited_h5, edited_keras, written

from activations.errors import ActivationError
from activations.importers.files import read_contents

MOST_SECONDS = 5
MOST_BYTES = 500_000_000
N_MUTANTS = 25

READER = """
import json, os, resource, sys
from pathlib import Path
from activations.errors import ActivationError
from activations.importers.files import read_contents
from activations.importers.finding import find_parts

for path in map(Path, sys.argv[1:]):
    start = sum(os.times()[:4])  # of processors, its own and those of processes that have ended
    try:
        find_parts(read_contents(path))
        answer = "read"
    except ActivationError as error:
        answer = str(error)
    seconds = sum(os.times()[:4]) - start
    # a process's own ru_maxrss begins with that of the process that started it
    here = int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0])
    in_children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps([path.name, answer, seconds, max(here, in_children) * 1000]))
"""


def hdf5(fill: Callable[[h5py.File], Any], folder: Path) -> Path:
    path = folder / "hostile.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    return path


def made(fill: Callable[[h5py.File], Any]) -> Callable[[Path], Path]:
    return lambda folder: hdf5(fill, folder)


def changed(change: Callable[[h5py.File], Any]) -> Callable[[Path], Path]:
    """Make a model of Keras 2 with something changed in its file."""

    def make(folder: Path) -> Path:
        path = written(KEPT[OLD], folder, "hostile.h5")
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return make


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> Callable[[Path], Path]:
    """Make a `.keras` file, those of a good one with some members changed."""

    def make(folder: Path) -> Path:
        path = folder / "hostile.keras"
        with zipfile.ZipFile(io.BytesIO(KEPT[WHOLE])) as archive, zipfile.ZipFile(path, "w", compression) as changed:
            for member in {name: archive.read(name) for name in archive.namelist()} | members:
                changed.writestr(member, members[member] if member in members else archive.read(member))
        return path

    return make


def configured(edit: Callable[[Config], None]) -> Callable[[Path], Path]:
    return lambda folder: edited_keras(WHOLE, edit, folder)


def config_of(config: Any) -> Callable[[Path], Path]:
    return packed({"config.json": json.dumps(config).encode()})


def external_numbers(file: h5py.File) -> None:
    file.create_dataset("kernel", (100,), "f4", external=[("/etc/passwd", 0, 400)])


def virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((10,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "kernel", (10,))
    file.create_virtual_dataset("kernel", layout)


def deflate_bomb(file: h5py.File) -> None:
    """Write a chunk of 400 bytes that unpacks to 4 GB."""
    array = file.create_dataset("kernel", (100,), "f4", chunks=(100,), compression="gzip")
    packer = zlib.compressobj(9)
    start = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    zeros = packer.compress(bytes(10_000_000)) + packer.flush(zlib.Z_FULL_FLUSH)  # the same wherever it stands
    content = start + 400 * zeros + packer.flush()
    array.id.write_direct_chunk((0,), content)


def many_groups(file: h5py.File) -> None:
    for n in range(12_000):
        file.create_group(f"{n}")


def deep_groups(file: h5py.File) -> None:
    file.create_group("/".join("a" * 200))


def group_in_itself(file: h5py.File) -> None:
    file.create_group("model_weights/lstm")
    file["model_weights/lstm/again"] = file["model_weights"]


def soft_link_in_itself(file: h5py.File) -> None:
    file["a"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/a")


def many_attributes(file: h5py.File) -> None:
    for n in range(5):
        group = file.create_group(f"{n}")
        for k in range(500):
            group.attrs.create(f"{k}", 1, dtype="i1")


def one_name_for_many_arrays(file: h5py.File) -> None:
    file["a"] = np.zeros(200_000, np.float32)
    for n in range(9_000):
        file[f"{n}"] = file["a"]


def sequential(*layers: Any, name: str = "Sequential") -> Config:
    return {"class_name": name, "config": {"name": "model", "layers": list(layers)}}


def nested(depth: int) -> Config:
    config = sequential()
    for _ in range(depth):
        config = sequential(config)
    return config


def circle() -> Config:
    layers = [
        {"class_name": "LSTM", "name": a, "config": {"name": a}, "inbound_nodes": [[[b, 0, 0, {}]]]}
        for a, b in (("a", "b"), ("b", "a"))
    ]
    config = sequential(*layers, name="Functional")
    config["config"]["output_layers"] = [["a", 0, 0]]
    return config


def without_output(config: Config) -> None:
    config.update(class_name="Functional")


HOSTILE: dict[str, tuple[Callable[[Path], Path], str]] = {
    "numbers elsewhere": (made(external_numbers), "in another file"),
    "a virtual array": (made(virtual), "in another file"),
    "a link to another file": (
        made(lambda file: file.__setitem__("a", h5py.ExternalLink("/etc/passwd", "/"))),
        "a link to something elsewhere",
    ),
    "a soft link": (made(lambda file: file.__setitem__("a", h5py.SoftLink("/nowhere"))), "a link to something"),
    "soft links in a circle": (made(soft_link_in_itself), "a link to something"),
    "a group in itself": (made(group_in_itself), "also a part of another"),
    "a huge shape": (
        made(lambda file: file.create_dataset("kernel", (10**6, 10**6), "f8")),
        "cannot be in a file of this size",
    ),
    "a huge shape in chunks": (
        made(lambda file: file.create_dataset("kernel", (10**9,), "f4", chunks=True, compression="gzip")),
        "cannot be in a file of this size",
    ),
    "a huge chunk": (
        made(lambda file: file.create_dataset("a", (10,), "f4", maxshape=(None,), chunks=(5 * 10**8,))),
        "cannot be in a file of this size",
    ),
    "an unpacking bomb": (made(deflate_bomb), "takes too much memory or time"),
    "an unusual packing": (
        made(lambda file: file.create_dataset("a", data=np.arange(99), chunks=(9,), scaleoffset=0)),
        "packed in a way that is not read",
    ),
    "many groups": (made(many_groups), "more parts than any model"),
    "deep groups": (made(deep_groups), "longer or deeper than any model's"),
    "a long name": (made(lambda file: file.create_group("a" * 2_000)), "longer or deeper than any model's"),
    "a name with control characters": (made(lambda file: file.create_group("a\x1b[2Jb")), "cannot be printed"),
    "many attributes": (made(many_attributes), "more attributes than any model"),
    "a large attribute": (
        changed(lambda file: file.attrs.__setitem__("note", "x" * 30_000_000)),
        "attributes are larger than any model's",
    ),
    "one array under many names": (made(one_name_for_many_arrays), "cannot be in a file of this size"),
    "arrays of strings": (made(lambda file: file.__setitem__("a", ["kernel", "bias"])), "no recurrent layers"),
    "arrays of records": (
        made(lambda file: file.__setitem__("a", np.zeros(3, [("x", "f4"), ("y", "i8")]))),
        "no recurrent layers",
    ),
    "references": (
        made(lambda file: file.create_dataset("a", data=[file.ref], dtype=h5py.ref_dtype)),
        "no recurrent layers",
    ),
    "nothing": (made(lambda file: None), "no recurrent layers"),
    "numbers that are none": (
        changed(lambda file: file["model_weights/dense/dense/bias:0"].__setitem__(3, np.nan)),
        "infinite or none at all",
    ),
    "a matrix of another shape": (
        changed(
            lambda file: (
                file.__delitem__("model_weights/dense/dense/kernel:0"),
                file.__setitem__("model_weights/dense/dense/kernel:0", np.zeros((5, 11), np.float32)),
            )
        ),
        "takes 5 inputs, and the layer before it gives 6",
    ),
    "a matrix without axes": (
        changed(
            lambda file: (
                file.__delitem__("model_weights/dense/dense/kernel:0"),
                file.__setitem__("model_weights/dense/dense/kernel:0", np.float32(1)),
            )
        ),
        "dense",
    ),
    "a configuration that is no JSON": (
        changed(lambda file: file.attrs.__setitem__("model_config", "{'a': __import__('os')}")),
        "is no JSON",
    ),
    "a recording": (
        changed(lambda file: file.attrs.__setitem__("format", "character activations")),
        "a recording of activations, not a model",
    ),
    "a deep configuration": (packed({"config.json": b"[" * 100_000 + b"]" * 100_000}), "is no JSON"),
    "a long configuration": (packed({"config.json": b'"' + b"x" * 6_000_000 + b'"'}), "longer than any model's"),
    "a configuration of other letters": (packed({"config.json": b"\xff\xfe{"}), "not in UTF-8"),
    "a configuration that is a number": (config_of(3), "none that Keras writes"),
    "layers that are none": (config_of(sequential(3, None)), "describes a layer in a way that is not known"),
    "layers without settings": (config_of(sequential({"class_name": "LSTM"})), "in a way that is not known"),
    "a thousand layers": (config_of(sequential(*[{"class_name": "LSTM", "config": {}}] * 1_001)), "more layers"),
    "models in models": (config_of(nested(50)), "more layers than any model"),
    "layers in a circle": (config_of(circle()), "form a circle"),
    "a graph without an output": (configured(without_output), "which layer is its output"),
    "a graph that is a list": (config_of({"class_name": "Model", "config": []}), "which layer is its output"),
    "a wrapper of nothing": (
        config_of(sequential({"class_name": "TimeDistributed", "config": {"layer": [1]}})),
        "in a way that is not known",
    ),
    "cells that are none": (
        config_of(
            sequential({"class_name": "RNN", "config": {"cell": {"class_name": "StackedRNNCells", "config": {}}}})
        ),
        "no recurrent layers",
    ),
    "settings of other kinds": (
        config_of(sequential({"class_name": "LSTM", "config": {"activation": [[1]], "name": {"a": 1}}})),
        "no dense layer follows",
    ),
    "metadata that are no JSON": (packed({"metadata.json": b"{"}), "is no JSON"),
    "weights that are no HDF5": (packed({"model.weights.h5": b"no HDF5"}), "truncated or damaged"),
    "weights that unpack to much": (
        packed({"model.weights.h5": bytes(300_000_000)}, zipfile.ZIP_DEFLATED),
        "it would unpack to",
    ),
    "weights in pieces": (
        lambda folder: zipped({"config.json": b"{}", "model.weights.json": b"{}"}, folder),
        "save it in one file",
    ),
}


def zipped(members: dict[str, bytes], folder: Path) -> Path:
    path = folder / "hostile.keras"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="measures memory as Linux tells it")
def test_hostile_files_end_in_a_sentence_in_little_time_and_memory(tmp_path: Path) -> None:
    paths = []
    for n, (make, _) in enumerate(HOSTILE.values()):
        folder = tmp_path / f"{n}"
        folder.mkdir()
        made_here = make(folder)
        paths.append(made_here.rename(tmp_path / f"{n}{made_here.suffix}"))
    done = subprocess.run([sys.executable, "-c", READER, *paths], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(HOSTILE) > 40
    for (what, (_, expected)), (_, answer, seconds, n_bytes) in zip(HOSTILE.items(), answers, strict=True):
        assert expected in answer, f"{what}: {answer}"
        assert answer.isprintable() and len(answer) < 1_000, what
        assert seconds < MOST_SECONDS, what
        assert n_bytes < MOST_BYTES, what


def test_code_in_a_configuration_is_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "it ran"
    code = f"__import__('pathlib').Path({str(marker)!r}).touch()"

    def edit(config: Config) -> None:
        entry = {"class_name": "Lambda", "config": {"name": "extra", "function": code, "module": code}}
        config["config"]["layers"].insert(1, entry)

    for path in (edited_keras(WHOLE, edit, tmp_path), edited_h5(OLD, edit, tmp_path)):
        assert read_contents(path).arrays
    assert not marker.exists()


@pytest.mark.parametrize("name", [OLD, WHOLE])
def test_a_damaged_file_is_read_or_refused(name: str, rng: np.random.Generator, tmp_path: Path) -> None:
    n_refused = 0
    for _ in range(N_MUTANTS):
        try:
            read_contents(written(mutant(KEPT[name], rng), tmp_path))
        except ActivationError as error:
            assert str(error).isprintable()
            n_refused += 1
    assert n_refused > N_MUTANTS // 4
