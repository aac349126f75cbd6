"""Every array of a file is a part of the model, or is named: none is dropped without a word."""

import collections
import dataclasses
import io
import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from foreign import Arrays, numpy_arrays, renamed, tensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import n_examples
from torch import nn

from activations.errors import ActivationError
from activations.importers.imported_model import ImportedModel
from activations.importers.importing import import_model
from activations.importers.wrapping import contents_of
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.vocab import Vocabulary

LETTERS = Vocabulary("abcd")
FLOATS = ("float16", "float32", "float64", "complex64")
INTEGERS = ("int64", "uint8", "bool")


def small(cell: str = "lstm", n_embedding: int = 0) -> CharRNN:
    torch.manual_seed(0)
    return CharRNN(ModelConfig(cell=cell, n_units=5, n_embedding=n_embedding), LETTERS).eval()


@torch.inference_mode()
def assert_same(model: CharRNN, original: CharRNN) -> None:
    ids = torch.tensor([0, 1, 2, 3, 3, 2])[:, None]
    torch.testing.assert_close(model(ids)[0], original(ids)[0], rtol=0, atol=1e-6)


def refusal(source: Path | Arrays) -> str:
    with pytest.raises(ActivationError, match="no place in the model") as error:
        import_model(source, LETTERS)
    return str(error.value)


def tree_of_tensors(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: tree_of_tensors(part) for key, part in value.items()}
    return torch.from_numpy(value.copy()) if isinstance(value, np.ndarray) else value


def tree_of_lists(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: tree_of_lists(part) for key, part in value.items()}
    return value.tolist() if isinstance(value, np.ndarray) else value


def save_npy(tree: Any, path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.array(tree, object), allow_pickle=True)
    path.write_bytes(content.getvalue())


def save_npz(tree: Any, path: Path) -> None:
    def flat(value: Any, name: str) -> Arrays:
        if not isinstance(value, dict):
            return {name: value} if isinstance(value, np.ndarray) else {}
        return {n: a for key, part in value.items() for n, a in flat(part, f"{name}.{key}" if name else key).items()}

    with path.open("wb") as file:
        np.savez(file, allow_pickle=True, **flat(tree, ""))


# of each format: how a tree of arrays is written in it, the arrays that a model is in it, and the kinds that it has
TREES: dict[str, tuple[Callable[[Any, Path], Any], Callable[[CharRNN], Arrays], tuple[str, ...]]] = {
    "PyTorch": (lambda tree, path: torch.save(tree_of_tensors(tree), path), renamed, FLOATS + INTEGERS),
    "old PyTorch": (
        lambda tree, path: torch.save(tree_of_tensors(tree), path, _use_new_zipfile_serialization=False),
        renamed,
        FLOATS + INTEGERS,
    ),
    "a pickle": (lambda tree, path: path.write_bytes(pickle.dumps(tree)), renamed, FLOATS + INTEGERS),
    ".npy": (save_npy, numpy_arrays, FLOATS + INTEGERS),
    ".npz": (save_npz, numpy_arrays, FLOATS + INTEGERS),
    "JSON": (lambda tree, path: path.write_text(json.dumps(tree_of_lists(tree))), numpy_arrays, ("float64",)),
}

words = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=9).map(lambda word: f"q{word}")


def put(tree: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        tree = tree.setdefault(key, {})
    tree[keys[-1]] = value


@pytest.mark.parametrize("form", TREES)
@settings(max_examples=n_examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_array_that_is_added_to_a_file_is_named(form: str, data: st.DataObject, tmp_path: Path) -> None:
    """Wherever it stands, and however small; it is refused where it may have been learned beside the weights."""
    save, arrays_of, kinds = TREES[form]
    original = small("lstm" if arrays_of is renamed else "rnn")
    home = data.draw(st.lists(words, max_size=0 if form == ".npz" else 2))  # .npz has no dictionaries in it
    root: dict[str, Any] = {"home": {}}
    weights: dict[str, Any] = root
    for key in home:
        weights = weights.setdefault(key, {})
    weights |= arrays_of(original)
    names, learned = [], []
    n_added = data.draw(st.integers(1, 8))
    for n in range(n_added):
        is_beside = data.draw(st.booleans())
        inner = [f"{word}{n}" for word in data.draw(st.lists(words, min_size=1, max_size=3))]
        shapes = [(1,), (3,), (1, 1)] if form == "JSON" else [(), (1,), (0,), (3,), (1, 1), (2, 1, 3)]
        array = np.ones(data.draw(st.sampled_from(shapes)), data.draw(st.sampled_from(kinds)))
        put(weights if is_beside else root, inner, array)
        names.append(".".join([*home, *inner] if is_beside else inner))
        if (is_beside or not home) and array.size and str(array.dtype) in FLOATS:
            learned.append(names[-1])
    save(root, tmp_path / "model")
    if learned:
        said = refusal(tmp_path / "model")
        unused = said.partition(" no place in the model")[0]
        assert all(name in unused for name in learned) and all(name in said for name in names)
    result = import_model(tmp_path / "model", LETTERS, force=True)
    assert all(name in str(result) for name in names)
    assert all(name in str(result.warning) for name in learned)
    assert {name.removeprefix("0.") for name in result.parts.unused} == set(learned)
    assert_same(result.model, original)


class Pair(NamedTuple):
    """Two things, of a class that nobody has."""

    first: Any
    second: Any


@dataclasses.dataclass
class Hung:
    """Something whose attributes are what it holds."""

    first: Any
    second: Any


PYTHON_NUMBERS = st.floats(width=32) | st.sampled_from([1.5j, Decimal("1.5"), Fraction(3, 2), b"\0\0\xc0?", []])
NUMPY_FLOATS = st.sampled_from([np.float16(1.5), np.float32(1.5), np.float64(1.5), np.complex64(1.5)])
ARRAYS = st.sampled_from(
    [np.array(1.5), np.ones(2, np.float32), torch.tensor(1.5), torch.ones(2, dtype=torch.bfloat16)]
)
FILLING = st.none() | st.booleans() | st.integers(0, 9) | st.text("xyz", max_size=3)


def held(numbers: st.SearchStrategy[Any], *containers: Callable[[list[Any]], Any]) -> st.SearchStrategy[Any]:
    """Something that holds at least one of these, with whatever else, in lists, dictionaries and other containers."""

    def wider(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        several = st.tuples(inner, st.lists(inner | FILLING, max_size=3)).flatmap(
            lambda own: st.permutations([own[0], *own[1]])
        )
        kinds = [list, lambda parts: {f"k{n}": part for n, part in enumerate(parts)}, *containers]
        return st.one_of([several.map(kind) for kind in kinds])

    return st.recursive(numbers, wider, max_leaves=4)


def pair(parts: list[Any]) -> Pair:
    return Pair(parts[0], parts[1:])


def hung(parts: list[Any]) -> Hung:
    return Hung(parts[1:], parts[0])


@settings(max_examples=n_examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    learned=held(NUMPY_FLOATS | ARRAYS, tuple, collections.deque, pair),
    plain=held(PYTHON_NUMBERS, tuple, collections.deque, pair, hung),
    is_torch=st.booleans(),
    protocol=st.integers(0, 5),
)
def test_numbers_are_named_whatever_they_are_held_in(
    learned: Any, plain: Any, is_torch: bool, protocol: int, tmp_path: Path
) -> None:
    """Those of numpy and PyTorch are refused beside the weights, as arrays are; Python's own are left aside."""
    own: Any = tensors(renamed(small()))

    def save(saved: Any) -> Path:
        if is_torch:
            torch.save(saved, tmp_path / "model", pickle_protocol=max(protocol, 2))
        else:
            (tmp_path / "model").write_bytes(pickle.dumps(saved, protocol))
        return tmp_path / "model"

    if not is_torch:
        own = {name: tensor.numpy() for name, tensor in own.items()}
        learned = without_tensors(learned)
    for aside in (own | {"extraxyz": plain}, {"net": own, "extraxyz": plain}, {"net": own, "extraxyz": learned}):
        result = import_model(save(aside), LETTERS)
        assert all(name.startswith("extraxyz") for name in result.parts.aside)
        assert "extraxyz" in str(result)
    refused = refusal(save(own | {"extraxyz": learned}))
    assert "extraxyz" in refused.partition(" no place in the model")[0]


def without_tensors(value: Any) -> Any:
    """The same with arrays, since tensors that pickle wrote are not understood."""
    if isinstance(value, torch.Tensor):
        return value.float().numpy()
    if isinstance(value, dict):
        return {key: without_tensors(part) for key, part in value.items()}
    if isinstance(value, Pair):
        return Pair(*map(without_tensors, value))
    if isinstance(value, list | tuple | collections.deque):
        return type(value)(map(without_tensors, value))
    return value


@settings(max_examples=n_examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(plain=held(st.floats(width=32)))
def test_numbers_of_json_are_named_whatever_they_are_held_in(plain: Any, tmp_path: Path) -> None:
    own = tree_of_lists(numpy_arrays(small("rnn")))
    (tmp_path / "m.json").write_text(json.dumps(own | {"extraxyz": plain}))
    assert "extraxyz" in str(import_model(tmp_path / "m.json", LETTERS, force=True))


@pytest.mark.parametrize("form", [".npz", "a pickle"])
def test_arrays_of_no_numbers_are_named(form: str, tmp_path: Path) -> None:
    """But for the one that the vocabulary is taken from."""
    beside = {
        "words": np.array(["ab", "cd"]),
        "table": np.array([["ab"], ["cd"]]),
        "word": np.array("ab"),
        "codes": np.array([b"ab", b"cd"]),
        "objects": np.array([None, "x", 3], object),
        "object": np.array("x", object),
        "mixed": np.array([1.5, None], object),
        "days": np.array(["2020-01-01"], "datetime64[D]"),
        "truths": np.array([True, False]),
        "letters": np.array(list(LETTERS.characters)),
    }
    own: dict[str, Any] = numpy_arrays(small("rnn"))
    for name, array in beside.items():
        if form == ".npz":
            save_npz(own | {name: array}, tmp_path / "model.npz")
        else:
            (tmp_path / "model.npz").write_bytes(pickle.dumps(own | {name: array}))
        assert name in str(import_model(tmp_path / "model.npz", LETTERS, force=True)), name
    save_npz(own | {name: beside[name] for name in ("letters", "words")}, tmp_path / "model.npz")
    result = import_model(tmp_path / "model.npz")
    assert result.model.vocabulary == LETTERS
    assert result.parts.aside == ("words",)


@settings(max_examples=n_examples(30), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(more=st.lists(st.sampled_from([np.ones(1), np.array(1.5), {"scale": 1.5}, 1.5]), max_size=6), data=st.data())
@pytest.mark.parametrize("form", [".npy", "a pickle"])
def test_a_file_that_was_written_to_several_times_is_read_to_its_end(
    form: str, more: list[Any], data: st.DataObject, tmp_path: Path
) -> None:
    original = small("rnn")
    place = data.draw(st.integers(0, len(more)))
    with (tmp_path / "model").open("wb") as file:
        for value in [*more[:place], numpy_arrays(original), *more[place:]]:
            if form == ".npy":
                np.save(file, np.asarray(value), allow_pickle=True)
            else:
                pickle.dump(value, file)
    result = import_model(tmp_path / "model", LETTERS)
    assert len(result.parts.aside) == len(more)
    assert_same(result.model, original)


@pytest.mark.parametrize("end", [b"\n", b"N.", pickle.dumps(np.ones(1)), b"more"])
def test_what_stands_behind_the_end_of_a_file_is_refused_unless_it_is_understood(end: bytes, tmp_path: Path) -> None:
    path = tmp_path / "model"
    torch.save(tensors(renamed(small())), path, _use_new_zipfile_serialization=False)
    path.write_bytes(path.read_bytes() + end)
    with pytest.raises(ActivationError, match=f"{len(end)} bytes stand behind its numbers"):
        import_model(path, LETTERS)
    path.write_bytes(pickle.dumps(renamed(small())) + end * 8)
    with pytest.raises(ActivationError, match="damaged|written to more than 8 times"):
        import_model(path, LETTERS)


def test_two_arrays_of_the_same_name_are_refused(tmp_path: Path) -> None:
    """Of which a dictionary would have only the last."""
    own = numpy_arrays(small("rnn"))
    (tmp_path / "m.json").write_text(json.dumps(tree_of_lists(own))[:-1] + ', "x": {"a": [1.5], "a": [2.5]}}')
    with pytest.raises(ActivationError, match="two entries of a dictionary have the same name"):
        import_model(tmp_path / "m.json", LETTERS)
    save_npz(own, tmp_path / "m.npz")
    with zipfile.ZipFile(tmp_path / "m.npz", "a") as archive, warnings.catch_warnings(action="ignore"):
        archive.writestr("by.npy", archive.read("by.npy"))
    with pytest.raises(ActivationError, match="several members of the same name"):
        import_model(tmp_path / "m.npz", LETTERS)


@pytest.mark.parametrize("key", [1.5, np.float32(1.5), (1.5, "a"), frozenset([1.5]), torch.ones(1)], ids=str)
def test_numbers_that_are_keys_are_named(key: Any, tmp_path: Path) -> None:
    assert (
        "extraxyz" in imported(tensors(renamed(small())) | {"extraxyz": {key: "a"}}, tmp_path / "m.pt").parts.aside[0]
    )


class Net(nn.Module):
    """Whatever is hung on it is pickled with it."""

    def __init__(self, model: CharRNN) -> None:
        super().__init__()
        self.core = nn.Module()
        self.core.rnn, self.core.out = model.rnn, model.readout


@pytest.mark.parametrize("is_old", [False, True])
@settings(max_examples=n_examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_array_of_a_whole_module_is_named(is_old: bool, data: st.DataObject, tmp_path: Path) -> None:
    original = small()
    net = Net(original)
    names, learned = [], []
    for n in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.sampled_from(["", "core", "core.rnn", "core.out"]))
        word = f"{data.draw(st.sampled_from(['', '_']))}{data.draw(words)}{n}"
        kind = data.draw(st.sampled_from(["parameter", "buffer", "counter", "attribute", "in a list"]))
        shape = data.draw(st.sampled_from([(), (1,), (0,), (3,), (1, 1)]))
        part = net.get_submodule(place)
        if kind == "parameter":
            part.register_parameter(word, nn.Parameter(torch.ones(shape)))
        elif kind == "in a list":
            setattr(part, word, [nn.Parameter(torch.ones(shape))])
        elif kind == "attribute":
            setattr(part, word, torch.ones(shape))
        else:
            part.register_buffer(word, torch.ones(shape, dtype=torch.long if kind == "counter" else torch.float32))
        names.append(f"{place}.{word}".strip(".") + (".0" if kind == "in a list" else ""))
        if kind not in ("attribute", "counter") and 0 not in shape:
            learned.append(names[-1])
    torch.save({"net": net, "seen": torch.ones(3)}, tmp_path / "model", _use_new_zipfile_serialization=not is_old)
    names, learned = [f"net.{name}" for name in names], [f"net.{name}" for name in learned]
    if learned:
        assert all(name in refusal(tmp_path / "model") for name in names)
    result = import_model(tmp_path / "model", LETTERS, force=True)
    assert set(result.parts.unused) == set(learned)
    assert set(result.parts.aside) == set(names) - set(learned) | {"seen"}
    assert all(name in str(result) for name in names)
    assert_same(result.model, original)


def test_a_part_that_another_one_points_at_is_still_a_part(tmp_path: Path) -> None:
    original = small()
    net = Net(original)
    vars(net.core.rnn)["_next"] = [net.core.out]  # a list, so that it is not registered twice
    torch.save(net, tmp_path / "model")
    result = import_model(tmp_path / "model", LETTERS)
    assert result.parts.unused == result.parts.aside == ()
    assert_same(result.model, original)


def test_numbers_without_a_fraction_are_weights_in_json(tmp_path: Path) -> None:
    """As JavaScript writes zeros; what is left of the lists is then refused, and sizes are not."""
    own = tree_of_lists(numpy_arrays(small("rnn"))) | {"by": [0, 0, 0, 0]}
    (tmp_path / "m.json").write_text(json.dumps(own | {"sizes": [5, 5], "scale": 3.5, "epoch": 3}))
    result = import_model(tmp_path / "m.json", LETTERS)
    assert result.parts.aside == ("sizes", "scale")
    assert not result.parts.readout_bias.any()
    (tmp_path / "m.json").write_text(json.dumps(own | {"slope": [0.25]}))
    assert "slope has no place" in refusal(tmp_path / "m.json")


def imported(saved: Any, path: Path, *, force: bool = False) -> ImportedModel:
    torch.save(saved, path)
    return import_model(path, LETTERS, force=force)


def test_one_learned_number_is_a_reason_to_refuse(tmp_path: Path) -> None:
    """A PReLU's slope, and a factor on the logits."""
    for name, number in (("act.weight", torch.tensor([1.95])), ("temperature", torch.tensor(3.82))):
        own = tensors(renamed(small())) | {name: number}
        torch.save({"state_dict": own}, tmp_path / "m.pt")
        assert f"state_dict.{name} has no place in the model" in refusal(tmp_path / "m.pt")
        assert f"state_dict.{name} did not find a place" in str(
            imported({"state_dict": own}, tmp_path / "m.pt", force=True).warning
        )


def test_counters_and_an_optimizers_state_are_named_and_no_reason_to_refuse(tmp_path: Path) -> None:
    net = Net(small())
    norm = nn.BatchNorm1d(3, affine=False, track_running_stats=True)
    net.norm = norm
    optimizer = torch.optim.Adam(net.parameters())
    sum(weight.sum() for weight in net.parameters()).backward()  # type: ignore[union-attr]
    optimizer.step()
    own = {name: weight for name, weight in net.state_dict().items() if "running" not in name}
    result = imported(
        {"net": own, "kept": optimizer.state_dict(), "history": [3.0, 2.5], "epoch": 3}, tmp_path / "m.pt"
    )
    moments = {f"kept.state.{n}.{name}" for n in range(10) for name in ("step", "exp_avg", "exp_avg_sq")}
    assert set(result.parts.aside) == {"net.norm.num_batches_tracked", "history", *moments}
    assert result.parts.unused == ()
    assert "left aside net.norm.num_batches_tracked, history, kept (30 arrays)\n" in f"{result}\n"


def test_the_parts_of_a_model_may_be_in_dictionaries_of_their_own(tmp_path: Path) -> None:
    """What stands beside all of them, or in another one beside them, may be of the model."""
    own = tensors(renamed(small()))
    apart = {
        "rnn": {name.removeprefix("rnn."): weight for name, weight in own.items() if name.startswith("rnn.")},
        "fc": {name.removeprefix("decoder."): weight for name, weight in own.items() if name.startswith("decoder.")},
    }
    assert imported({"model": apart, "best": torch.tensor(1.5)}, tmp_path / "m.pt").parts.aside == ("best",)
    for more, name in (
        ({"scale": torch.tensor(3.8)}, "model.scale"),
        ({"norm": {"gain": torch.ones(1)}}, "model.norm.gain"),
    ):
        torch.save({"model": apart | more}, tmp_path / "m.pt")
        assert f"{name} has no place" in refusal(tmp_path / "m.pt")


class Entries(collections.UserDict[Any, Any]):
    """A dictionary of a class that nobody has."""


class Table(dict[Any, Any]):
    """The same, and a dictionary by birth."""


@pytest.mark.parametrize("protocol", [2, 4])
def test_arrays_under_unusual_keys_and_in_unusual_dictionaries_are_named(protocol: int, tmp_path: Path) -> None:
    one = np.ones(1, np.float32)
    own: dict[Any, Any] = renamed(small())
    for beside, names in (
        ({("act", 0): {"slope": one}}, ["a key of kind tuple.slope"]),
        ({1: one, "1": one, 1.5: one}, ["1,", "1 (", "1.5"]),
        ({"table": Table(slope=one, inner=[one])}, ["table.slope", "table.inner.0"]),
        ({"pair": (one, {"x": one})}, ["pair.0", "pair.1.x"]),
        ({"objects": np.array([1.5, 2.5], object)}, ["objects"]),
        ({"masked": np.ma.masked_array([1.0, 2.0])}, ["masked"]),
    ):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps(own | beside, protocol))
        said = refusal(tmp_path / "m.pkl")
        assert all(name in said for name in names), said
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(own | {"entries": Entries(slope=one)}, protocol))
    assert import_model(tmp_path / "m.pkl", LETTERS).parts.aside == ("entries.data.slope",)


def test_a_model_in_a_dictionary_of_a_class_of_its_own_is_read(tmp_path: Path) -> None:
    original = small()
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Table(renamed(original))))
    assert_same(import_model(tmp_path / "m.pkl", LETTERS).model, original)


def test_tensors_that_are_not_understood_are_named(tmp_path: Path) -> None:
    own = tensors(renamed(small()))
    unusual = [torch.eye(3).to_sparse(), torch.ones(3).untyped_storage(), torch.ones(2, dtype=torch.uint16)]
    for tensor in unusual:
        torch.save({"net": {**own, "other": tensor}}, tmp_path / "m.pt")
        assert "net.other has no place" in refusal(tmp_path / "m.pt")
        assert imported({"net": own, "other": tensor}, tmp_path / "m.pt").parts.aside == ("other",)


def test_attributes_of_a_tensor_are_named(tmp_path: Path) -> None:
    own = tensors(renamed(small()))
    own["decoder.bias"].scale = torch.tensor(2.0)  # type: ignore[attr-defined]
    assert "decoder.bias.3.scale" in imported(own, tmp_path / "m.pt").parts.aside


def test_what_trained_an_rnn_that_fits_on_a_page_is_named() -> None:
    own = numpy_arrays(small("rnn"))
    memory = {"mWxh": np.ones((4, 5)), "dbh": np.ones(5), "hprev": np.zeros((5, 1))}
    result = import_model(own | memory | {"optim_step": np.ones(1)}, LETTERS)
    assert result.parts.aside == ("mWxh", "dbh", "hprev", "optim_step")
    assert import_model({**own, "smooth_loss": 2.5}, LETTERS).parts.aside == ("smooth_loss",)


@pytest.mark.parametrize("word", ["optim", "optimizer", "optimisers", "scheduler", "lr_scheduler", "LRScheduler"])
@settings(max_examples=n_examples(30))
@given(more=words, joint=st.sampled_from(["", "_"]), end=st.sampled_from(["", "_state", "_states", "_state_dict"]))
def test_an_optimizers_state_has_a_name_of_its_own(word: str, more: str, joint: str, end: str) -> None:
    """Other names that begin like it are those of layers."""
    own = renamed(small())
    assert import_model(own | {f"{word}{end}.scale": np.ones(1)}, LETTERS).parts.aside == (f"{word}{end}.scale",)
    for name in (f"{word}{joint}{more}", f"{more}{joint}{word}"):
        assert f"{name}.scale has no place" in refusal(own | {f"{name}.scale": np.ones(1, np.float32)})
        original = small()
        inner = {f"{name}.{key}": array for key, array in renamed(original).items()}
        assert_same(import_model(inner, LETTERS).model, original)


@pytest.mark.parametrize("name", ["optimal_xyz", "schedulers_w", "optimum", "optimizers_gate", "scheduled"])
def test_a_layer_whose_name_begins_like_an_optimizers_is_a_layer(name: str) -> None:
    assert f"{name} has no place" in refusal(renamed(small()) | {name: np.ones((2, 3), np.float32)})


def test_arrays_outside_a_prefix_are_named() -> None:
    own = {f"a.{name}": array for name, array in renamed(small()).items()}
    result = import_model(own | {"b.scale": np.ones(1)}, LETTERS, prefix="a.")
    assert result.parts.aside == ("b.scale",)


def test_an_array_without_axes_is_no_bias() -> None:
    """A bare read-out looks for one among all that is left."""
    own = renamed(small())
    own |= {"Wy": own.pop("decoder.weight"), "by": own.pop("decoder.bias"), "n_seen": np.array(7)}
    assert import_model(own, LETTERS).parts.aside == ("n_seen",)


def test_a_module_in_memory_has_counters(tmp_path: Path) -> None:
    net = Net(small())
    net.register_buffer("n_seen", torch.tensor(3))
    assert import_model(contents_of(net, "a module"), LETTERS).parts.aside == ("n_seen",)
    net.register_parameter("scale", nn.Parameter(torch.tensor(3.8)))
    with pytest.raises(ActivationError, match="scale has no place .* left aside in any case: n_seen"):
        import_model(contents_of(net, "a module"), LETTERS)


def test_all_read_outs_that_could_be_meant_are_named() -> None:
    own = renamed(small()) | {f"out{n}.weight": np.ones((4, 5), np.float32) for n in range(6)}
    own |= {f"out{n}.bias": np.ones(4, np.float32) for n in range(6)}
    with pytest.raises(ActivationError, match=r"the read-out could be .*out0.weight .* out5.weight"):
        import_model(own, LETTERS)
