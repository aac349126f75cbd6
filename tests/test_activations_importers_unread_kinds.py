"""Models that cannot be read as character models are named for what they are, and pointed to a model of one's own."""

import io
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from activations.errors import ActivationError
from activations.importers.importing import import_model

Arrays = Mapping[str, NDArray[np.float32]]
N, E, H = 11, 6, 8  # characters, size of the embedding, units
MULTIPLICATIVE = "arrays of a multiplicative LSTM with weight normalisation"
SHAPES_OF_OPENAI = {
    "embedding": (N, E),
    "wx": (E, 4 * H),
    "wh": (H, 4 * H),
    "wmx": (E, H),
    "wmh": (H, H),
    "b": (4 * H,),
    "gx": (4 * H,),
    "gh": (4 * H,),
    "gmx": (H,),
    "gmh": (H,),
    "w": (H, N),
    "b_out": (N,),
}


def arrays_of(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[np.float32]]:
    rng = np.random.default_rng(0)
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def refusal(source: Path | Arrays, characters: int = N) -> str:
    """Why a source is not imported; the sentence always has a way out."""
    with pytest.raises(ActivationError) as error:
        import_model(source, "chars:" + "".join(map(chr, range(97, 97 + characters))))
    sentence = str(error.value)
    assert "--model-factory" in sentence
    assert "\n" not in sentence
    return sentence


class Multiplicative(nn.Module):
    """The cell of the PyTorch ports, in which the normalisation is part of the matrices."""

    def __init__(self) -> None:
        super().__init__()
        self.wx = nn.Linear(E, 4 * H, bias=False)
        self.wh = nn.Linear(H, 4 * H)
        self.wmx = nn.Linear(E, H, bias=False)
        self.wmh = nn.Linear(H, H, bias=False)


class Stacked(nn.Module):
    """Their stack of cells."""

    def __init__(self, *cells: nn.Module, n_outputs: int = N) -> None:
        super().__init__()
        self.h2o = nn.Linear(H, n_outputs)
        for n, cell in enumerate(cells):
            self.add_module(f"layer_{n}", cell)
        self.layers = list(cells)  # as in the ports, a list beside the modules


def test_the_sentiment_neuron_is_named_in_numpy_and_in_lists(tmp_path: Path) -> None:
    named = arrays_of(SHAPES_OF_OPENAI)
    np.savez(tmp_path / "m.npz", **named)  # type: ignore[arg-type]
    np.savez(tmp_path / "list.npz", *named.values())
    halves = list(named.values())
    halves[2:3] = np.split(named["wh"], 4, axis=1)
    np.savez(tmp_path / "parts.npz", *halves)
    (tmp_path / "m.json").write_text(json.dumps({f"model/rnn/{n}:0": a.tolist() for n, a in named.items()}))
    for name in ("m.npz", "list.npz", "parts.npz", "m.json"):
        sentence = refusal(tmp_path / name)
        assert MULTIPLICATIVE in sentence, name
        assert "docs/own_models.md" in sentence
    assert "wh, wmh, wmx, wx are" in refusal(tmp_path / "m.npz")


def test_the_ports_of_the_sentiment_neuron_are_named(tmp_path: Path) -> None:
    port = {"rnn": Stacked(Multiplicative()), "embed": nn.Embedding(N, E), "epoch": 0}
    torch.save(port, tmp_path / "port.pt")
    assert "a multiplicative LSTM, in which" in refusal(tmp_path / "port.pt")
    torch.save(Stacked(Multiplicative(), Multiplicative()).state_dict(), tmp_path / "two.pt")
    assert "layer_0.wh.weight" in refusal(tmp_path / "two.pt") or "layer_1.wh.weight" in refusal(tmp_path / "two.pt")
    normalised = {
        f"module.rnn.w_{part}_l0{end}": (4 * H, E if part == "ih" else H) if "m" not in part else (H, H)
        for part in ("ih", "hh", "mih", "mhh")
        for end in ("_g", "_v")
    }
    assert MULTIPLICATIVE in refusal(arrays_of(normalised))  # as in NVIDIA's port, before other weights of this form
    as_published = {"Wmx": (N, H), "Wmh": (H, H), "Whx": (N, 4 * H), "Whm": (H, 4 * H), "Why": (H, N), "by": (N,)}
    assert "Whm, Whx, Wmh, Wmx are arrays of a multiplicative LSTM, in which" in refusal(arrays_of(as_published))
    protein = {f"rnn_mlstm_mlstm_{name}:0": SHAPES_OF_OPENAI[name] for name in ("wx", "wh", "wmx", "wmh", "b", "gx")}
    assert MULTIPLICATIVE in refusal(arrays_of(protein))


def encoder_decoder_of_g2p(n_hidden: int, n_embedding: int) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for side, n in (("enc", 29), ("dec", 74)):
        shapes[f"{side}_emb"] = n, n_embedding
        shapes[f"{side}_w_ih"] = 3 * n_hidden, n_embedding
        shapes[f"{side}_w_hh"] = 3 * n_hidden, n_hidden
        shapes |= {f"{side}_b_{half}": (3 * n_hidden,) for half in ("ih", "hh")}
    return {**shapes, "fc_w": (74, n_hidden), "fc_b": (74,)}


class Translator(nn.Module):
    """An encoder and a decoder."""

    def __init__(self, kind: type[nn.Module], n_layers: int, n_of_decoder: int) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"embedding": nn.Embedding(N, E), "rnn": kind(E, H, n_layers)})
        self.decoder = nn.ModuleDict(
            {"embedding": nn.Embedding(9, n_of_decoder), "rnn": kind(n_of_decoder, H), "out": nn.Linear(H, 9)}
        )


@pytest.mark.parametrize("sizes", [(8, 6), (8, 8)])
def test_the_encoder_of_g2p_is_named(sizes: tuple[int, int]) -> None:
    sentence = refusal(arrays_of(encoder_decoder_of_g2p(*sizes)), 74)
    assert sentence.startswith("enc_w_hh and dec_w_hh are the recurrent matrices of an encoder and a decoder")
    assert "records its layers without predictions" in sentence


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize(("n_layers", "n_of_decoder"), [(1, H), (2, 5)])
def test_an_encoder_and_a_decoder_are_not_layers_on_one_another(
    kind: type[nn.Module], n_layers: int, n_of_decoder: int
) -> None:
    model = Translator(kind, n_layers, n_of_decoder)
    sentence = refusal({name: w.detach().numpy() for name, w in model.state_dict().items()}, 9)
    assert "encoder.rnn.weight_hh_l0 and decoder.rnn.weight_hh_l0 are the recurrent matrices of an enc" in sentence


def test_layers_that_are_called_encoder_and_decoder_are_read() -> None:
    """As in PyTorch's example of a language model, and where two layers on one another are called that."""
    example = {"encoder": nn.Embedding(N, H), "rnn": nn.LSTM(H, H, 2), "decoder": nn.Linear(H, N)}
    stacked = {"enc": nn.GRU(N, H), "dec": nn.GRU(H, H), "fc": nn.Linear(H, N)}
    for modules, n_layers in ((example, 2), (stacked, 2)):
        weights = {name: w.detach().numpy() for name, w in nn.ModuleDict(modules).state_dict().items()}
        imported = import_model(weights, "chars:abcdefghijk")
        assert imported.model.config.n_layers == n_layers


def state_of(**modules: nn.Module) -> dict[str, NDArray[np.float32]]:
    return {name: w.detach().numpy() for name, w in nn.ModuleDict(modules).state_dict().items()}


@pytest.mark.parametrize("n_embedding", [E, H])
def test_a_classifier_of_texts_is_named(n_embedding: int) -> None:
    model = state_of(emb=nn.Embedding(N, n_embedding), rnn=nn.LSTM(n_embedding, H), fc=nn.Linear(H, 3))
    assert "the model reads 11 characters (emb.weight), and its read-out fc.weight gives 3 numbers, as a" in refusal(
        model
    )
    one_hot = state_of(rnn=nn.GRU(N, H), out=nn.Linear(H, 3))
    assert "layer 0 takes 11 inputs, and the read-out out.weight gives 3; no embedding of shape (3, 11)" in refusal(
        one_hot
    )


def test_what_stands_in_the_way_is_named() -> None:
    """Attention, convolutions, normalisation, highway layers, several read-outs, both directions, other sizes."""
    lstm, fc = nn.LSTM(N, H), nn.Linear(H, N)

    class Highway(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.carry = nn.Linear(H, H)

    said = {
        "attention": refusal(state_of(rnn=lstm, attn=nn.Linear(H, H), fc=fc)),
        "attention of PyTorch": refusal(state_of(rnn=lstm, self_attn=nn.MultiheadAttention(H, 2), fc=fc)),
        "convolution": refusal(state_of(conv1=nn.Conv1d(N, N, 3), rnn=lstm, fc=fc)),
        "batch": refusal(state_of(rnn=lstm, bn=nn.BatchNorm1d(H), fc=fc)),
        "layer norm": refusal(state_of(rnn=lstm, norm=nn.LayerNorm(H), fc=fc)),
        "highway": refusal(state_of(rnn=lstm, highway=Highway(), fc=fc)),
        "both": refusal(state_of(rnn=nn.LSTM(N, H, bidirectional=True), fc=nn.Linear(2 * H, N))),
        "words": refusal(  # the vocabulary is not what is wrong
            state_of(emb=nn.Embedding(N, E), conv=nn.Conv1d(E, 9, 3), rnn=nn.LSTM(9, H), fc=nn.Linear(H, 200))
        ),
        "beside": refusal(state_of(emb=nn.Embedding(N, E), rnn=nn.LSTM(E, H), skip=nn.Linear(E, H), fc=fc)),
        "several": refusal(state_of(rnn=lstm, fc1=nn.Linear(H, 20), fc2=nn.Linear(20, N))),
        "sizes": refusal(state_of(rnn1=lstm, rnn2=nn.LSTM(H, 5), fc=nn.Linear(5, N))),
        "skips": refusal(
            state_of(emb=nn.Embedding(N, E), rnn1=nn.LSTM(E, H), rnn2=nn.LSTM(H, H), fc=nn.Linear(E + 2 * H, N))
        ),
        "transformer": refusal(state_of(emb=nn.Embedding(N, H), block=nn.TransformerEncoderLayer(H, 2, 16))),
    }
    assert all(sentence.count("--model-factory") == 1 for sentence in said.values())
    assert "the file has attention (attn.weight)" in said["attention"]
    assert "attention (self_attn.in_proj_weight)" in said["attention of PyTorch"]
    assert "the file has a convolution (conv1.weight)" in said["convolution"]
    assert "batch normalisation (bn.weight)" in said["batch"]
    assert "layer normalisation (norm.weight)" in said["layer norm"]
    assert "a highway layer (highway.carry.weight)" in said["highway"]
    assert "rnn.weight_ih_l0_reverse: the model reads in both directions" in said["both"]
    assert "the file has a convolution (conv.weight)" in said["words"]
    assert "skip.weight, skip.bias have no place in the model" in said["beside"]
    assert "fc2.weight follows the read-out fc1.weight" in said["several"]
    assert "a layer of another size or kind than the first one (5 and 8 units)" in said["sizes"]
    assert "fc.weight (11, 22) is on 6 + 8 + 8 numbers, the embedding and all layers side by side" in said["skips"]
    assert "attention (block.self_attn" in said["transformer"]


def test_a_file_that_was_saved_as_bytes_is_named_too() -> None:
    buffer = io.BytesIO()
    torch.save(nn.ModuleDict({"lstm": nn.LSTM(N, H), "attention": nn.Linear(H, 1), "out": nn.Linear(H, N)}), buffer)
    Path("whole.pth").write_bytes(buffer.getvalue())
    assert "attention (attention.weight)" in refusal(Path("whole.pth"))
