"""safetensors, TorchScript and torch.export: what is read gives the same predictions, what is not is named."""

import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from activations.errors import ActivationError
from activations.importers.files import read_contents
from activations.importers.importing import import_model
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary

CHARACTERS = "abcdefg"
N, H = len(CHARACTERS), 6
IDS = torch.arange(N).repeat(5)[:, None]


class Net(nn.Module):
    """A model as people script it, with its vocabulary as attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.emb = nn.Embedding(N, 5)
        self.rnn = nn.LSTM(5, H, 2)
        self.out = nn.Linear(H, N)
        self.char2idx = {char: n for n, char in enumerate(CHARACTERS)}
        self.register_buffer("steps", torch.zeros(1, dtype=torch.long))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.out(self.rnn(self.emb(ids))[0])
        return logits


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


def predictions(model: nn.Module) -> torch.Tensor:
    with torch.inference_mode():
        result = model(IDS)
    logits: torch.Tensor = result[0] if isinstance(result, tuple) else result
    return logits


def written(path: Path, tensors: dict[str, Any], content: bytes, metadata: dict[str, str] | None = None) -> Path:
    """Write a safetensors file from descriptions of its tensors and its bytes."""
    header = ({"__metadata__": metadata} if metadata else {}) | tensors
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def described(weights: dict[str, torch.Tensor], dtype: str = "F32") -> tuple[dict[str, Any], bytes]:
    """Describe weights by hand, as the format has them, and return their numbers."""
    tensors, content = {}, b""
    for name, weight in weights.items():
        numbers = weight.detach().numpy().astype(np.float32)
        if dtype == "BF16":
            raw = (numbers.view(np.uint32) >> 16).astype("<u2").tobytes()
        else:
            raw = numbers.astype({"F32": "<f4", "F16": "<f2", "F64": "<f8"}[dtype]).tobytes()
        offsets = [len(content), len(content) + len(raw)]
        tensors[name] = {"dtype": dtype, "shape": list(weight.shape), "data_offsets": offsets}
        content += raw
    return tensors, content


def floats(net: Net) -> dict[str, torch.Tensor]:
    return {name: weight for name, weight in net.state_dict().items() if weight.is_floating_point()}


@pytest.mark.parametrize("dtype", ["F64", "F32", "F16", "BF16"])
def test_safetensors_of_every_kind_of_float(net: Net, dtype: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", *described(floats(net), dtype))
    model = import_model(path, Vocabulary(CHARACTERS)).model
    with torch.no_grad():
        for weight in net.parameters():
            if dtype == "F16":
                weight.copy_(weight.half().float())
            elif dtype == "BF16":  # cut off, not rounded
                weight.copy_(torch.from_numpy((weight.numpy().view(np.uint32) >> 16 << 16).view(np.float32)))
    assert (predictions(model) - predictions(net)).abs().max() < 1e-6


def test_the_vocabulary_is_found_in_the_metadata(net: Net, tmp_path: Path) -> None:
    metadata = {"format": "pt", "vocab": json.dumps({char: n for n, char in enumerate(CHARACTERS)})}
    result = import_model(written(tmp_path / "m.safetensors", *described(floats(net)), metadata))
    assert result.model.vocabulary.characters == CHARACTERS
    assert "__metadata__.vocab in the file itself" in str(result)


@pytest.mark.parametrize("name", ["config.json", "m.json", "vocab.json"])
def test_the_vocabulary_is_found_in_a_file_beside(net: Net, name: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", *described(floats(net)))
    (tmp_path / name).write_text(json.dumps({"hidden_size": H, "chars": list(CHARACTERS)}))
    (tmp_path / "metadata.json").write_text("no JSON")
    result = import_model(path)
    assert result.model.vocabulary.characters == CHARACTERS
    assert f"chars in {name}" in str(result) and "in the file itself" not in str(result)


def test_integers_in_safetensors_are_left_aside(net: Net, tmp_path: Path) -> None:
    tensors, content = described(floats(net))
    tensors["steps"] = {"dtype": "I64", "shape": [1], "data_offsets": [len(content), len(content) + 8]}
    tensors["mask"] = {"dtype": "BOOL", "shape": [0], "data_offsets": [0, 0]}
    result = import_model(written(tmp_path / "m.safetensors", tensors, content + bytes(8)), Vocabulary(CHARACTERS))
    assert set(result.parts.aside) == {"steps", "mask"}


def f32(start: int, stop: int, *shape: int) -> dict[str, Any]:
    return {"dtype": "F32", "shape": list(shape), "data_offsets": [start, stop]}


DAMAGED: dict[str, tuple[dict[str, Any], bytes, str]] = {
    "too few numbers": ({"a": f32(0, 16, 4)}, bytes(12), "needs 16 bytes, and the file has 12"),
    "too many numbers": ({"a": f32(0, 16, 4)}, bytes(20), "4 bytes stand behind"),
    "overlapping": ({"a": f32(0, 16, 4), "b": f32(8, 24, 4)}, bytes(24), "do not begin where"),
    "a gap": ({"a": f32(0, 16, 4), "b": f32(20, 36, 4)}, bytes(36), "do not begin where"),
    "backwards": ({"a": f32(16, 0, 4)}, bytes(16), "needs 16 bytes"),
    "another shape": ({"a": f32(0, 16, 5)}, bytes(16), "needs 20 bytes"),
    "a huge shape": ({"a": f32(0, 16, 1 << 40, 1 << 40)}, bytes(16), "needs .* bytes"),
    "a negative size": ({"a": f32(0, 16, -4)}, bytes(16), "has no shape"),
    "a size that is true": ({"a": f32(0, 4, True)}, bytes(4), "has no shape"),
    "axes without end": ({"a": f32(0, 4, *[1] * 10_000)}, bytes(4), "has no shape"),
    "no offsets": ({"a": {"dtype": "F32", "shape": [1]}}, bytes(4), "has no place"),
    "offsets that are text": ({"a": {"dtype": "F32", "shape": [1], "data_offsets": ["0", "4"]}}, bytes(4), "no place"),
    "a negative offset": ({"a": f32(-4, 0, 1)}, bytes(4), "no place"),
    "an unknown kind": ({"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}}, bytes(4), "F8_E4M3"),
    "a kind that is a list": ({"a": {"dtype": [], "shape": [4], "data_offsets": [0, 4]}}, bytes(4), "damaged|kind"),
    "a tensor that is a number": ({"a": 3}, b"", "no place"),
    "tensors without end": ({str(n): f32(0, 0, 0) for n in range(20_000)}, b"", "20,000 tensors"),
    "metadata that are a list": ({"__metadata__": [1, 2], "a": f32(0, 16, 4)}, bytes(16), "no recurrent layers"),
    "a long name": ({"a" * 5_000: f32(0, 16, 4)}, bytes(16), "no recurrent layers|names are longer"),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_damaged_safetensors_are_refused_in_a_sentence(damage: str, tmp_path: Path) -> None:
    tensors, content, message = DAMAGED[damage]
    path = written(tmp_path / "m.safetensors", tensors, content)
    with pytest.raises(ActivationError, match=message) as refusal:
        import_model(path, Vocabulary(CHARACTERS))
    assert len(str(refusal.value)) < 700 and "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ((1 << 31).to_bytes(8, "little") + b'{"a": 1}', "it is truncated"),
        ((100).to_bytes(8, "little") + b'{"a": 1}', "it is truncated"),
        ((9).to_bytes(8, "little") + b'{"a": 1}}' + bytes(40), "its header is damaged"),
        ((50_000).to_bytes(8, "little") + b'{"a":' * 10_000 + bytes(8), "its header is damaged"),
        ((17).to_bytes(8, "little") + b'{"a": 1, "a": 2 }' + bytes(40), "two tensors have the same name"),
    ],
)
def test_damaged_headers_are_refused_in_a_sentence(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    with pytest.raises(ActivationError, match=message):
        import_model(tmp_path / "m.safetensors", Vocabulary(CHARACTERS))


def scripted(net: Net, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch advises torch.export, which people have not used so far
        script: Any = torch.jit.script(net)
    script.save(str(path))
    return path


def test_a_scripted_module_is_read_with_its_vocabulary(net: Net, tmp_path: Path) -> None:
    result = import_model(scripted(net, tmp_path / "m.pt"))
    assert result.kind.startswith("PyTorch, a TorchScript archive of class ") and result.kind.endswith(".Net")
    assert result.model.vocabulary.characters == CHARACTERS
    assert (predictions(result.model) - predictions(net)).abs().max() < 1e-6
    assert result.parts.unused == ()
    assert "steps" in result.parts.aside


def test_a_factory_gets_the_weights_of_a_scripted_module(net: Net, tmp_path: Path) -> None:
    assert set(read_contents(scripted(net, tmp_path / "m.pt")).arrays) == set(net.state_dict())


def test_what_a_scripted_module_computes_without_weights_is_named(net: Net, tmp_path: Path) -> None:
    net.act = nn.Tanh()  # TorchScript writes no more than that it is there
    assert "act, a Tanh, is left out" in str(import_model(scripted(net, tmp_path / "m.pt")).warning)


def test_an_exported_program_is_named_for_what_it_is(net: Net, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(torch.export.export(net, (IDS,)), tmp_path / "m.pt2")
    with pytest.raises(ActivationError, match=r"a program that torch\.export wrote.*state_dict"):
        import_model(tmp_path / "m.pt2", Vocabulary(CHARACTERS))


def test_a_program_of_an_older_export_is_named_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pt2", "w") as archive:
        archive.writestr("version", "4.1")
        archive.writestr("serialized_exported_program.json", "{}")
        archive.writestr("serialized_state_dict.pt", b"")
    with pytest.raises(ActivationError, match=r"a program that torch\.export wrote"):
        import_model(tmp_path / "m.pt2", Vocabulary(CHARACTERS))


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\x08\x08\x12\x07pytorch\x1a\x052.1.0", "ONNX"),
        (b"\x08\x09:\x9c\x01\n\x20\n\x05input", "ONNX"),
        (b"GGUF\x03\x00\x00\x00", "GGUF"),
        (b"\x1c\x00\x00\x00TFL3\x14\x00", "TensorFlow Lite"),
    ],
)
def test_formats_that_are_not_read_are_named(start: bytes, name: str, tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_bytes(start + bytes(100))
    with pytest.raises(ActivationError, match=name):
        import_model(tmp_path / "m.bin", Vocabulary(CHARACTERS))


@pytest.mark.parametrize(("case", "file"), [("08_safetensors", "model.safetensors"), ("07_torchscript", "script.pt")])
def test_the_same_model_in_both_formats_has_its_loss(case: str, file: str, shared: Path) -> None:
    folder = shared.parent / "cases" / case
    text = Corpus.read(folder / "corpus.txt")
    result = import_model(folder / file, f"json:{folder / 'chars.json'}", text=text)
    assert result.evaluation is not None
    assert result.evaluation.nats_per_char == pytest.approx(1.842, abs=0.004)
