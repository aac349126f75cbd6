"""The sound files that are changed: small, of every kind, and made anew by each run."""

import gzip
import json
import pickle
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from numpy.typing import NDArray
from planting import random_model

from activations.models.checkpoints import load_model, save_model
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site, Unit
from analyses.probing.kept_probes import Probe, save_probes

TEXT = 'some "text", and some (more) of it: 12 é.\n' * 12
LONG_TEXT = TEXT * 40


@dataclass(frozen=True)
class Samples:
    """Sound files by kind.

    Attributes:
        recordings: Recordings, one with documents and a reading rule.
        checkpoints: Checkpoints of char-probe.
        models: Other programs' models, by the ending of the file's name.
        texts: Texts in several encodings.
        labels: Label files for `TEXT`, by the ending of the file's name.
        probes: Kept probes of the first recording.
        unfinished: The recording and the journal that an interrupted extraction of `LONG_TEXT` left, and the recording
            that it makes in one go.
    """

    recordings: tuple[bytes, ...]
    checkpoints: tuple[bytes, ...]
    models: tuple[tuple[str, bytes], ...]
    texts: tuple[bytes, ...]
    labels: tuple[tuple[str, bytes], ...]
    probes: bytes
    unfinished: tuple[bytes, bytes, bytes]


def make_samples(folder: Path) -> Samples:
    """Write one file of each kind, and return what is in them."""
    checkpoints = []
    models = (random_model(TEXT, n_units=4), random_model(TEXT, n_units=4, n_layers=2, cell="gru"))
    for number, model in enumerate(models):
        save_model(model, folder / f"{number}.pt", training={"seed": 1, "rounds": [1, 2]})
        checkpoints.append((folder / f"{number}.pt").read_bytes())
    recordings = []
    for number, texts in enumerate(([TEXT], [TEXT[:200], TEXT[200:]])):
        live = live_of(folder / f"{number}.pt", texts, n_lanes=1 + number)
        recordings.append(extract(live, folder / f"{number}.h5", force=True).path.read_bytes())
    save_probes(folder / "probes.npz", [_probe(model.vocabulary.characters) for model in models])
    return Samples(
        tuple(recordings),
        tuple(checkpoints),
        tuple(_models(folder)),
        tuple(_texts()),
        tuple(_labels()),
        (folder / "probes.npz").read_bytes(),
        _unfinished(folder),
    )


def _probe(made_by: str) -> Probe:
    site = Site("0/hidden")
    return Probe(
        hypothesis="vowel",
        kind="binary",
        site="0/hidden",
        sites={site: 4},
        units=tuple(Unit(site, n) for n in range(4)),
        weights=np.arange(4.0)[:, None],
        intercept=np.zeros(1),
        mean=np.zeros(4),
        scale=np.ones(4),
        held_out=np.array([[0, 100]]),
        made_by=made_by,
    )


def live_of(checkpoint: Path, texts: Sequence[str], n_lanes: int) -> LiveActivations:
    """Return the reading of which a recording is made."""
    return LiveActivations(load_model(checkpoint), Corpus.from_texts(texts), n_lanes=n_lanes, warm_up_chars=0)


def _unfinished(folder: Path) -> tuple[bytes, bytes, bytes]:
    """Interrupt an extraction of a longer text after its first checkpoint."""
    live, path = live_of(folder / "0.pt", [LONG_TEXT], 1), folder / "broken.h5"
    whole = extract(live, folder / "whole.h5", force=True).path.read_bytes()

    def interrupt(n_done: int, n_all: int) -> None:
        if (folder / "broken.h5.journal").exists():
            raise KeyboardInterrupt

    with suppress(KeyboardInterrupt):
        extract(live, path, force=True, checkpoint_s=0.0, progress=interrupt)
    return (folder / "broken.h5.part").read_bytes(), (folder / "broken.h5.journal").read_bytes(), whole


def _models(folder: Path) -> list[tuple[str, bytes]]:
    """Write an LSTM as other programs would."""
    model = torch.nn.ModuleDict({"rnn": torch.nn.LSTM(5, 4, batch_first=True), "readout": torch.nn.Linear(4, 5)})
    arrays = {name: weight.detach().numpy() for name, weight in model.state_dict().items()}
    vocabulary = list("abcd\n")
    torch.save({"state": model.state_dict(), "chars": vocabulary}, folder / "zip.pth")
    torch.save(
        {"state": model.state_dict(), "chars": vocabulary}, folder / "old.pth", _use_new_zipfile_serialization=False
    )
    np.savez(folder / "a.npz", **arrays, chars=np.array(vocabulary))
    np.save(folder / "a.npy", arrays["rnn.weight_hh_l0"])
    (folder / "a.pkl").write_bytes(pickle.dumps({"weights": arrays, "chars": vocabulary}, protocol=4))
    (folder / "a.json").write_text(
        json.dumps({"chars": vocabulary, **{name: array.tolist() for name, array in arrays.items()}}), encoding="utf-8"
    )
    (folder / "a.safetensors").write_bytes(_safetensors(arrays))
    names = ("zip.pth", "old.pth", "a.npz", "a.npy", "a.pkl", "a.json", "a.safetensors")
    kept = [(Path(name).suffix, (folder / name).read_bytes()) for name in names]
    with h5py.File(folder / "keras.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": []}})
        for name, array in arrays.items():
            file[f"model_weights/{name.replace('.', '/')}"] = array
    return [*kept, (".h5", (folder / "keras.h5").read_bytes())]


def _safetensors(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"chars": "abcd\n"}}
    content = b""
    for name, array in arrays.items():
        end = len(content) + array.nbytes
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(content), end]}
        content += array.tobytes()
    spelled = json.dumps(header).encode()
    return len(spelled).to_bytes(8, "little") + spelled + content


def _texts() -> list[bytes]:
    plain = TEXT.encode()
    return [
        plain,
        TEXT.encode("utf-16"),
        b"\xef\xbb\xbf" + plain,
        gzip.compress(plain, mtime=0),
        TEXT.encode("latin-1"),
    ]


def _labels() -> list[tuple[str, bytes]]:
    rows = [(char, "B" if char.isupper() or char == '"' else "O") for char in TEXT]
    spans = [{"start": n, "end": n + 3, "label": "A" if n % 2 else "B"} for n in range(0, 300, 5)]
    quoted = ['"""' if char == '"' else f'"{char}"' for char, _ in rows]
    table = "\n".join(f"{char},{label}" for char, (_, label) in zip(quoted, rows, strict=True))
    return [
        (".csv", f"char,label\n{table}\n".encode()),
        (".csv", ("label\n" + "\n".join(label for _, label in rows)).encode()),
        (
            ".tsv",
            ("start\tend\tlabel\n" + "\n".join(f"{s['start']}\t{s['end']}\t{s['label']}" for s in spans)).encode(),
        ),
        (".json", json.dumps(spans).encode()),
        (".json", json.dumps([label for _, label in rows]).encode()),
        (".jsonl", "\n".join(map(json.dumps, spans)).encode()),
        (".json", json.dumps([n / 7 for n in range(len(TEXT))]).encode()),
    ]
