"""Models in the formats of other programs come out as they went in."""

import json
import pickle
import re
import string
from pathlib import Path

import numpy as np
import pytest
import torch
from foreign import FORMATS, Arrays, ends, json_lists, layers, numpy_arrays, renamed, reordered, state_dict, tensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from profiles import n_examples
from torch.nn.utils import prune

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.importers.search import frequency_losses
from activations.importers.wrapping import wrap
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.evaluation import evaluate
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from probe.demo import bundled_model, bundled_text

CHARACTERS = "abcdefghijklmnopqrstuvwxyz"


def random_rnn(cell: str, n_layers: int, n_units: int, n_characters: int, n_embedding: int, seed: int) -> CharRNN:
    torch.manual_seed(seed)
    config = ModelConfig(cell=cell, n_layers=n_layers, n_units=n_units, n_embedding=n_embedding)
    return CharRNN(config, Vocabulary(CHARACTERS[:n_characters])).eval()


def activations(model: CharRNN, text: str) -> dict[str, np.ndarray]:
    """Everything at every character, in float32, and the predictions."""
    with torch.inference_mode():
        ids = torch.tensor([model.vocabulary.characters.index(char) for char in text])[:, None]
        result = {"logits": model(ids)[0][:, 0].numpy()}
    live = LiveActivations(model, Corpus.from_texts([text]), n_lanes=1, compute=ComputeOptions(dtype="float32"))
    for block in live.blocks():
        result |= {str(site): values for site, values in block.values.items()}
    return result


def assert_same(model: CharRNN, original: CharRNN, text: str) -> None:
    expected, imported = activations(original, text), activations(model, text)
    assert imported.keys() == expected.keys()
    for name, values in expected.items():
        # relu is unbounded, and above 16 a float32 is exact to 2e-6 at best
        bound = 1e-6 * np.maximum(1, np.abs(values))
        assert (np.abs(imported[name] - values) <= bound).all(), name


@pytest.mark.parametrize("form", FORMATS)
@settings(max_examples=n_examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_model_in_any_format_comes_out_as_it_went_in(form: str, data: st.DataObject, tmp_path: Path) -> None:
    write, cells, may_embed = FORMATS[form]
    cell = data.draw(st.sampled_from(cells))
    n_layers = data.draw(st.integers(1, 3))
    n_units = data.draw(st.integers(2, 9))
    n_characters = data.draw(st.integers(2, 12).filter(lambda n: n != n_units))
    n_embedding = data.draw(st.integers(0, 7)) if may_embed else 0
    original = random_rnn(cell, n_layers, n_units, n_characters, n_embedding, data.draw(st.integers(0, 99)))
    write(original, tmp_path / "model")
    given_cell = cell if cell == "rnn_relu" and "whole" not in form else None
    result = import_model(tmp_path / "model", Vocabulary(CHARACTERS[:n_characters]), cell=given_cell)
    text = (CHARACTERS[:n_characters] * 4)[:20]
    assert result.model.config == original.config
    assert result.parts.unused == ()
    assert_same(result.model, original, text)


@pytest.fixture(scope="module")
def trained() -> tuple[CharRNN, Corpus]:
    """The bundled model, and a text that it predicts well."""
    corpus = Corpus.from_texts([bundled_text().text(0, 1_500)])
    return bundled_model(), corpus


def vocabulary_of(model: CharRNN) -> Vocabulary:
    return Vocabulary(model.vocabulary.characters, model.vocabulary.replacement)


def test_a_right_reading_is_confirmed_by_a_text(trained: tuple[CharRNN, Corpus]) -> None:
    model, text = trained
    result = import_model(renamed(model), vocabulary_of(model), text=text)
    assert result.evaluation is not None
    assert result.evaluation.nats_per_char == pytest.approx(evaluate(model, text, replace_unknown=True).nats_per_char)
    assert result.warning is None
    assert result.search is not None
    rival = result.search.rival_of(result.search.best)
    assert result.search.best_nats_per_char + 0.5 < result.search.tried[rival].nats_per_char
    assert "in the order i, f, g, o" in str(result) and "encoder" not in str(result)


@pytest.mark.parametrize(  # each is looked for among many
    "order", ["ifog", pytest.param("fiog", marks=pytest.mark.slow), pytest.param("gifo", marks=pytest.mark.slow)]
)
def test_gates_in_another_order_are_found_out(trained: tuple[CharRNN, Corpus], order: str) -> None:
    model, text = trained
    arrays = {n: reordered(w, order, "ifgo") if "_l" in n else w for n, w in renamed(model).items()}
    with pytest.raises(ActivationError, match=f"--gates {','.join(order)}"):
        import_model(arrays, vocabulary_of(model), text=text)
    result = import_model(arrays, vocabulary_of(model), text=text, gates=",".join(order))
    assert_same(result.model, model, text.text(0, 100))


def test_transposed_weights_are_found_out(trained: tuple[CharRNN, Corpus]) -> None:
    model, text = trained
    arrays = {
        n: np.concatenate([block.T for block in np.split(w, 4)]) if "weight_hh" in n else w
        for n, w in renamed(model).items()
    }
    with pytest.raises(ActivationError, match="--transposed recurrent"):
        import_model(arrays, vocabulary_of(model), text=text)
    result = import_model(arrays, vocabulary_of(model), text=text, transposed="recurrent")
    assert_same(result.model, model, text.text(0, 100))


def test_an_unsorted_vocabulary_is_found_out(trained: tuple[CharRNN, Corpus]) -> None:
    model, text = trained
    own = model.vocabulary
    assert own.characters == "".join(sorted(own.characters))
    reverse = Vocabulary(own.characters[::-1], own.replacement)
    with pytest.raises(ActivationError, match="--vocab sorted:FILE"):
        import_model(renamed(model), reverse, text=text)
    result = import_model(renamed(model), reverse, text=text, force=True)
    assert result.model.vocabulary == reverse
    assert result.warning is not None and "worse" in result.warning


def shuffled(model: CharRNN) -> tuple[Arrays, Vocabulary]:
    """The same model with its characters numbered in another order."""
    order = np.random.default_rng(0).permutation(len(model.vocabulary))
    arrays = renamed(model)
    arrays["rnn.weight_ih_l0"] = arrays["rnn.weight_ih_l0"][:, order]
    arrays["decoder.weight"], arrays["decoder.bias"] = arrays["decoder.weight"][order], arrays["decoder.bias"][order]
    characters = "".join(model.vocabulary.characters[place] for place in order)
    return arrays, Vocabulary(characters, model.vocabulary.replacement)


def test_a_shifted_vocabulary_is_found_out(trained: tuple[CharRNN, Corpus]) -> None:
    model, text = trained
    arrays, own = shuffled(model)
    shifted = Vocabulary(own.characters[1:] + own.characters[:1], own.replacement)
    with pytest.raises(ActivationError, match="moved by one place"):
        import_model(arrays, shifted, text=text)


def test_a_sorted_vocabulary_of_a_model_that_was_trained_with_another_is_found_out(
    trained: tuple[CharRNN, Corpus],
) -> None:
    """The order of the ids cannot be guessed; but that it is wrong can be seen."""
    model, text = trained
    arrays, _ = shuffled(model)
    with pytest.raises(
        ActivationError, match=r"worse .* than the frequencies .* vocabulary in another order \(--vocab\)"
    ):
        import_model(arrays, vocabulary_of(model), text=text)


def test_biases_that_are_left_out_show_in_the_loss_and_are_named(trained: tuple[CharRNN, Corpus]) -> None:
    model, text = trained
    whole = import_model(renamed(model), vocabulary_of(model), text=text)
    arrays = {name: array for name, array in renamed(model).items() if "bias" not in name}
    result = import_model(arrays, vocabulary_of(model), text=text, force=True)
    assert "without biases" in str(result)
    assert result.evaluation is not None and whole.evaluation is not None
    assert result.evaluation.nats_per_char > whole.evaluation.nats_per_char + 0.1
    assert result.warning is not None and "no biases; if the model had some" in result.warning
    assert whole.warning is None


@pytest.mark.parametrize(
    "order",
    ["gofi", pytest.param("ifog", marks=pytest.mark.slow)],  # each is looked for among many
)
def test_what_the_file_leaves_open_is_settled_by_the_text(
    order: str, trained: tuple[CharRNN, Corpus], tmp_path: Path
) -> None:
    """JSON of a numpy LSTM has rows i, f, o, g as a rule; in another order, the text tells."""
    model, text = trained
    json_lists(model, tmp_path / "model.json", order)
    result = import_model(tmp_path / "model.json", vocabulary_of(model), text=text)
    assert result.interpretation.gates == order
    assert_same(result.model, model, text.text(0, 100))


def test_gates_that_a_text_contradicts_are_refused(trained: tuple[CharRNN, Corpus], tmp_path: Path) -> None:
    model, text = trained
    json_lists(model, tmp_path / "model.json", "gofi")
    with pytest.raises(ActivationError, match="--gates g,o,f,i"):
        import_model(tmp_path / "model.json", vocabulary_of(model), text=text, gates="ifog")


def test_tanh_or_relu_is_settled_by_the_text() -> None:
    """A relu network that predicts the next letter of a cycle, and as a tanh network cannot."""
    letters = "abcd"
    weight = 30 * np.eye(4, dtype=np.float32)
    arrays = {
        "weight_ih_l0": weight,
        "weight_hh_l0": np.zeros((4, 4), np.float32),
        "out.weight": (np.roll(np.eye(4), 1, axis=0) * 0.3).astype(np.float32),
    }
    text = Corpus.from_texts([letters * 200])
    result = import_model(arrays, f"chars:{letters}", text=text)
    assert result.interpretation.cell == "rnn_relu"
    assert import_model(arrays, f"chars:{letters}").interpretation.cell == "rnn"
    with pytest.raises(ActivationError, match="--cell rnn_relu"):
        import_model(arrays, f"chars:{letters}", text=text, cell="rnn")


def test_frequencies_are_those_of_a_plain_count() -> None:
    text = "the cat sat on the mat and the dog sat on the log"
    single, pair = 0.0, 0.0
    for n, char in enumerate(text):
        single -= np.log(text.count(char) / (len(text) - 1 + 30))
        if n:
            befores = [text[k : k + 2] for k in range(len(text) - 1) if text[k] == text[n - 1]]
            pair -= np.log(befores.count(text[n - 1 : n + 1]) / (len(befores) - 1 + 30))
    expected = single / len(text), pair / (len(text) - 1)
    assert frequency_losses(Corpus.from_texts([text]), 30) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("spelling", "characters"),
    [
        ("printable", string.printable),
        ("chars:abc", "abc"),
        (r"chars:a\n\\\t\u00e9", "a\n\\\té"),
        ("sorted:text.txt", "\nabc"),
        ("json:list.json", "cab"),
        ("json:to_ids.json", "cab"),
        ("json:to_characters.json", "cab"),
        ("json:both.json", "cab"),
        ("pickle:pair.pkl", "cab"),
        ("pickle:set_of_old.pkl", "cab"),
    ],
)
def test_vocabularies_are_read(spelling: str, characters: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    to_ids, to_characters = {"a": 1, "b": 2, "c": 0}, {1: "a", 0: "c", 2: "b"}
    Path("text.txt").write_text("abc\ncba\n")
    Path("list.json").write_text(json.dumps(list("cab")))
    Path("to_ids.json").write_text(json.dumps(to_ids))
    Path("to_characters.json").write_text(json.dumps(to_characters))
    Path("both.json").write_text(json.dumps({"stoi": to_ids, "itos": to_characters, "size": 3}))
    Path("pair.pkl").write_bytes(pickle.dumps((to_ids, to_characters)))
    Path("set_of_old.pkl").write_bytes(pickle.dumps({"chars": list("cab"), "n": 3}, protocol=0))
    model = random_rnn("lstm", 1, 5, 2, 0, 0)
    arrays = renamed(model) | {
        "rnn.weight_ih_l0": np.zeros((20, len(characters)), np.float32),
        "decoder.weight": np.zeros((len(characters), 5), np.float32),
        "decoder.bias": np.zeros(len(characters), np.float32),
    }
    assert import_model(arrays, spelling).model.vocabulary.characters == characters


def test_a_text_with_a_byte_order_mark_or_crlf_gives_the_vocabulary_that_has_the_models_size(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("\ufeffab\r\nba\r\n".encode())
    for n_characters, characters in ((3, "\nab"), (4, "\n\rab"), (5, "\n\rab\ufeff")):
        arrays = renamed(random_rnn("gru", 1, 2, n_characters, 0, 0))
        assert import_model(arrays, f"sorted:{path}").model.vocabulary.characters == characters
    with pytest.raises(ActivationError, match="the model has 6 characters, and the sorted characters of .* 4"):
        import_model(renamed(random_rnn("gru", 1, 2, 6, 0, 0)), f"sorted:{path}")


def test_tokens_of_several_characters_stand_in_no_text(tmp_path: Path) -> None:
    path = tmp_path / "vocabulary.json"
    path.write_text(json.dumps(["<pad>", "a", "b", "<unk>"]))
    vocabulary = import_model(renamed(random_rnn("lstm", 1, 2, 4, 0, 0)), f"json:{path}").model.vocabulary
    assert vocabulary.characters[1:] == "ab\ufffd" and vocabulary.replacement == "\ufffd"
    with pytest.raises(UnicodeEncodeError):
        vocabulary.characters[0].encode()  # so that no file can hold it


def test_a_vocabulary_in_the_models_own_file_is_found(tmp_path: Path) -> None:
    model = random_rnn("gru", 2, 5, 4, 3, 0)
    torch.save({"model": tensors(renamed(model)), "stoi": {"d": 0, "a": 1, "c": 2, "b": 3}}, tmp_path / "m.pt")
    result = import_model(tmp_path / "m.pt")
    assert result.model.vocabulary.characters == "dacb"
    assert result.vocabulary_source == "stoi in the file itself"
    state_dict(model, tmp_path / "bare.pt")
    with pytest.raises(ActivationError, match="4 characters must be given, since the file holds none: --vocab"):
        import_model(tmp_path / "bare.pt")


@pytest.mark.parametrize(
    ("spelling", "message"),
    [
        ("ascii", "is no vocabulary; give one of printable, sorted:FILE"),
        ("printable", "the model has 4 characters, and Python's string.printable 100"),
        ("chars:abca", "'a' more than once"),
        ("json:none.json", "there is no file"),
        ("pickle:list.json", "is not pickle but JSON"),
        ("json:list.json", "holds vocabularies of 3 characters, and the model has 4"),
    ],
)
def test_a_vocabulary_that_is_not_the_models_is_refused(
    spelling: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.json").write_text(json.dumps(list("cab")))
    with pytest.raises(ActivationError, match=message):
        import_model(renamed(random_rnn("lstm", 1, 2, 4, 0, 0)), spelling)


def refusal(arrays: dict[str, np.ndarray]) -> str:
    with pytest.raises(ActivationError) as error:
        import_model(arrays, Vocabulary("abcd"))
    return str(error.value)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rnn.weight_ih_l0_reverse": (12, 4)}, "both directions"),
        ({"rnn.weight_hr_l0": (2, 3)}, "has a projection"),
        ({"rnn.weight_hh_l1": None}, "no rnn.weight_hh_l1 beside it"),
        ({"rnn.weight_ih_l1": (12, 5)}, "takes 5 inputs, and the layer before it gives 3"),
        ({"rnn.weight_hh_l0": (12, 5)}, "do not make a layer"),
        ({"rnn.bias_ih_l0": (5,)}, "the biases beside rnn.weight_ih_l0 are 5, and should be 12"),
        ({"decoder.weight": None}, "no read-out was found"),
        ({"decoder.weight": (5, 3)}, "no embedding of shape (5, 4)"),
        ({"rnn2.weight_ih_l0": (20, 3), "rnn2.weight_hh_l0": (20, 5)}, "another size or kind than the first"),
        (
            {"out2.weight": (4, 3), "out2.bias": (4,)},
            "could be decoder.weight or out2.weight, and only models with one are read",
        ),
    ],
)
def test_a_model_that_cannot_be_read_is_refused_with_the_reason(
    changed: dict[str, tuple[int, ...] | None], message: str
) -> None:
    arrays = renamed(random_rnn("lstm", 2, 3, 4, 0, 0)) | {n: np.zeros(shape) for n, shape in changed.items() if shape}
    assert message in refusal({n: array for n, array in arrays.items() if changed.get(n, ()) is not None})


def test_arrays_without_a_model_are_refused_with_the_reason() -> None:
    assert "no recurrent layers are found in arrays, which holds no arrays" in refusal({})
    assert re.search(r"which holds fc.weight \(4, 5\); .*--model-factory", refusal({"fc.weight": np.zeros((4, 5))}))


def test_weights_that_are_not_finite_are_refused() -> None:
    arrays = renamed(random_rnn("lstm", 2, 3, 4, 0, 0)) | {"decoder.bias": np.full(4, np.nan)}
    assert "decoder.bias has numbers that are infinite or none at all" in refusal(arrays)


def test_what_has_no_place_is_named() -> None:
    own = renamed(random_rnn("lstm", 1, 3, 4, 0, 0)) | {"norm.gain": np.ones(3, np.float32)}
    with pytest.raises(ActivationError, match="norm.gain has no place in the model as it is read"):
        import_model(own, Vocabulary("abcd"))
    result = import_model(own, Vocabulary("abcd"), force=True)
    assert result.parts.unused == ("norm.gain",)
    assert "norm.gain" in str(result) and "norm.gain" in str(result.warning)


def test_what_is_beside_the_model_is_not_of_it(tmp_path: Path) -> None:
    model = random_rnn("lstm", 1, 3, 4, 0, 0)
    torch.save({"net": tensors(renamed(model)), "losses": [3.0, 2.0], "seen": torch.zeros(3)}, tmp_path / "m.pt")
    assert import_model(tmp_path / "m.pt", Vocabulary("abcd")).parts.unused == ()


def test_one_of_several_models_is_chosen_by_a_prefix() -> None:
    first, second = random_rnn("lstm", 1, 3, 4, 0, 0), random_rnn("gru", 1, 5, 4, 0, 1)
    both = {f"a.{n}": w for n, w in renamed(first).items()} | {f"b.{n}": w for n, w in renamed(second).items()}
    with pytest.raises(ActivationError, match="--prefix"):
        import_model(both, Vocabulary("abcd"))
    assert import_model(both, Vocabulary("abcd"), prefix="b.").model.config == second.config


def test_a_linear_layer_before_the_recurrent_ones_serves_as_an_embedding() -> None:
    model = random_rnn("lstm", 1, 3, 4, 5, 0)
    own = renamed(model)
    bias = np.arange(5, dtype=np.float32)
    linear = {"proj.weight": np.ascontiguousarray((own.pop("encoder.weight") - bias).T), "proj.bias": bias}
    assert_same(import_model(linear | own, Vocabulary("abcd")).model, model, "abcddcba")


def test_tied_weights_serve_twice(tmp_path: Path) -> None:
    model = random_rnn("lstm", 1, 3, 4, 3, 0)
    model.readout.weight = model.embedding.weight  # type: ignore[union-attr]
    state_dict(model, tmp_path / "tied.pt")
    assert_same(import_model(tmp_path / "tied.pt", Vocabulary("abcd")).model, model, "abcddcba")


def test_modules_of_ones_own_are_wrapped() -> None:
    torch.manual_seed(0)
    embedding, rnn, readout = (
        torch.nn.Embedding(4, 6),
        torch.nn.RNN(6, 5, 2, nonlinearity="relu"),
        torch.nn.Linear(5, 4),
    )
    model = wrap(embedding, rnn, readout, "abcd")
    ids = torch.tensor([[0], [1], [2], [3], [0]])
    with torch.inference_mode():
        expected = readout(rnn(embedding(ids))[0])
        torch.testing.assert_close(model(ids)[0], expected, rtol=0, atol=1e-6)
    cells = [torch.nn.LSTMCell(4, 5), torch.nn.LSTMCell(5, 5)]
    assert wrap(None, cells, readout, list("abcd")).config == ModelConfig(cell="lstm", n_layers=2, n_units=5)
    with pytest.raises(ActivationError, match="takes 5 inputs, and the layer before it gives 7"):
        wrap(None, [torch.nn.LSTMCell(4, 7), torch.nn.LSTMCell(5, 5)], readout, "abcd")


def lstm_parameters(
    model: CharRNN,
    of_x: str,
    of_h: str,
    biases: tuple[str, ...],
    tags: str = "ifgo",
    *,
    rows: bool = True,
) -> Arrays:
    """Bare matrices and vectors for each gate of one layer, under names with `{}` for the gate."""
    layer = layers(model)[0]
    own: Arrays = {}
    for letter, tag in zip("ifgo", tags, strict=True):
        for name, half in ((of_x, "weight_ih"), (of_h, "weight_hh")):
            block = reordered(layer[half], letter, "ifgo")
            own[name.format(tag)] = np.ascontiguousarray(block.T) if rows else block
        both = [reordered(layer[half], letter, "ifgo") for half in ("bias_ih", "bias_hh")]
        given = both if len(biases) == 2 else [both[0] + both[1]]
        own |= {name.format(tag): bias for name, bias in zip(biases, given, strict=True)}
    return own


def test_hand_written_lstms_of_the_textbooks() -> None:
    """PyTorch's documentation spelled out; d2l with its read-out for row vectors; one matrix a gate in numpy."""
    model = random_rnn("lstm", 1, 5, 4, 0, 0)
    readout, bias = ends(model)
    documented = lstm_parameters(model, "W_i{}", "W_h{}", ("b_i{}", "b_h{}"), rows=False)
    d2l = lstm_parameters(model, "W_x{}", "W_h{}", ("b_{}",), "ifco")
    for arrays in (
        documented | {"fc.weight": readout, "fc.bias": bias},
        {"h0": np.zeros(5, np.float32), "c0": np.zeros(5, np.float32)} | documented | {"W_v": readout, "b_v": bias},
        d2l | {"W_hq": readout.T.copy(), "b_q": bias},
    ):
        result = import_model(arrays, Vocabulary("abcd"), force=True)
        assert set(result.parts.unused) <= {"h0", "c0"}
        assert_same(result.model, model, "abcddcba")
    layer = layers(model)[0]
    joined = np.concatenate([layer["weight_hh"], layer["weight_ih"]], axis=1)
    both = layer["bias_ih"] + layer["bias_hh"]
    coursera = {f"W{name}": reordered(joined, letter, "ifgo") for letter, name in zip("figo", "fico", strict=True)}
    coursera |= {
        f"b{name}": reordered(both, letter, "ifgo")[:, None] for letter, name in zip("figo", "fico", strict=True)
    }
    result = import_model(coursera | {"Wy": readout, "by": bias[:, None]}, Vocabulary("abcd"), hidden_first=True)
    assert result.parts.unused == ()
    assert_same(result.model, model, "abcddcba")


def test_rnns_of_the_textbooks() -> None:
    model = random_rnn("rnn", 1, 5, 4, 0, 0)
    own = numpy_arrays(model)
    names = {"Wxh": "W_xh", "Whh": "W_hh", "bh": "b_h", "Why": "W_hq", "by": "b_q"}
    d2l = {names[name]: array for name, array in own.items()}
    columns = numpy_arrays(model, rows=False)
    in_training = columns | {"mWxh": columns["Wxh"], "hprev": np.zeros((5, 1), np.float32)}
    unbiased = {"U": columns["Wxh"], "W": columns["Whh"], "V": columns["Why"], "b": columns["bh"], "c": columns["by"]}
    for arrays in (d2l, in_training, unbiased):
        result = import_model(arrays, Vocabulary("abcd"))
        assert result.parts.unused == ()
        assert_same(result.model, model, "abcddcba")


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_as_many_units_as_characters_leave_open_whether_vectors_are_rows(n_layers: int) -> None:
    """Rows unless it is said otherwise, or a text says so."""
    model = random_rnn("rnn", n_layers, 4, 4, 0, 0)
    rows = import_model(numpy_arrays(model), Vocabulary("abcd"))
    assert "transposed" in rows.undecided
    assert_same(rows.model, model, "abcddcba")
    columns = numpy_arrays(model, rows=False)
    assert_same(import_model(columns, Vocabulary("abcd"), transposed="all").model, model, "abcddcba")


def test_a_text_settles_whether_vectors_are_rows() -> None:
    """A network that says the letter after the one it read, in a cycle."""
    cycle = np.roll(np.eye(4, dtype=np.float32), 1, axis=0)
    columns: dict[str, np.ndarray] = {
        "Wxh": 4 * cycle,
        "Whh": np.zeros((4, 4)),
        "Why": 4 * np.eye(4),
        "bh": np.zeros(4),
        "by": np.zeros(4),
    }
    text = Corpus.from_texts(["abcd" * 100])
    for arrays, transposed in ((columns, "all"), ({name: array.T for name, array in columns.items()}, "no")):
        result = import_model(arrays, "chars:abcd", text=text)
        assert result.interpretation.transposed == transposed
        assert result.evaluation is not None and result.evaluation.accuracy == 1


def test_the_matrices_of_u_and_v_are_on_x_or_on_h_as_the_text_says(trained: tuple[CharRNN, Corpus]) -> None:
    """In one well-known hand-written LSTM, U is on x and V on h; elsewhere U is on h."""
    model, text = trained
    own, layer = renamed(model), layers(model)[0]
    arrays: Arrays = {"embedding.weight": np.eye(len(model.vocabulary), 256, dtype=np.float32)}
    padded = np.zeros((1024, 256), np.float32)
    padded[:, : len(model.vocabulary)] = layer["weight_ih"]
    for n, (inputs, recurrent, biases) in enumerate(
        [
            (padded, layer["weight_hh"], layer["bias_ih"] + layer["bias_hh"]),
            (own["rnn.weight_ih_l1"], own["rnn.weight_hh_l1"], own["rnn.bias_ih_l1"] + own["rnn.bias_hh_l1"]),
        ]
    ):
        for letter, tag in zip("ifgo", "ifco", strict=True):
            arrays[f"layers.{n}.V_{tag}"] = reordered(recurrent, letter, "ifgo").T.copy()
            arrays[f"layers.{n}.U_{tag}"] = reordered(inputs, letter, "ifgo").T.copy()
            arrays[f"layers.{n}.b_{tag}"] = reordered(biases, letter, "ifgo")
    arrays |= {"fc.weight": own["decoder.weight"], "fc.bias": own["decoder.bias"]}
    with pytest.raises(ActivationError, match="do that|worse"):
        import_model(arrays, vocabulary_of(model), text=text, transposed="no", hidden_first=False)
    result = import_model(arrays, vocabulary_of(model), text=text, transposed="all", hidden_first=True)
    right = evaluate(model, text, replace_unknown=True)
    assert result.evaluation is not None
    assert result.evaluation.nats_per_char == pytest.approx(right.nats_per_char, abs=1e-4)


def test_cells_that_are_stored_in_alphabetical_order_are_read_by_their_numbers() -> None:
    model = random_rnn("lstm", 12, 3, 4, 3, 0)
    arrays = {n: w for n, w in renamed(model).items() if not n.startswith("rnn.")}
    for n, layer in enumerate(layers(model)):
        arrays |= {f"cells.{n}.{name}": w for name, w in layer.items()}
    result = import_model(dict(sorted(arrays.items())), Vocabulary("abcd"))
    assert_same(result.model, model, "abcddcba")


def test_layers_of_two_names_are_named() -> None:
    one, other = random_rnn("gru", 1, 3, 4, 3, 0), random_rnn("gru", 1, 3, 4, 3, 1)
    two = renamed(one, rnn="encoder.gru", embedding="emb") | {
        n: w for n, w in renamed(other, rnn="decoder.gru").items() if "gru" in n
    }
    result = import_model(two, Vocabulary("abcd"))
    assert "encoder.gru. and decoder.gru. are taken as layers on one another" in str(result.warning)


def test_what_only_looks_like_gates_is_no_model() -> None:
    square = np.ones((8, 8), np.float32)
    attention = {f"blocks.{n}.{name}.weight": square for n in range(2) for name in ("query", "key", "value", "out")}
    ends_of_it = {"emb.weight": np.ones((4, 8), np.float32), "fc.weight": np.ones((4, 8), np.float32)}
    assert re.search("no recurrent layers are found", refusal(attention | ends_of_it))
    assert re.search("no recurrent layers are found", refusal({"l1.weight": square, "h2.weight": square} | ends_of_it))


def test_normalised_gates_are_not_taken_for_biases() -> None:
    model = random_rnn("lstm", 1, 5, 4, 0, 0)
    own = {n: w for n, w in lstm_parameters(model, "x2{}", "h2{}", ("b{}",), rows=False).items() if n[0] != "b"}
    norms = {f"ln_{name}.{kind}": np.ones(5, np.float32) for name in "hc" for kind in ("weight", "bias")}
    readout, bias = ends(model)
    message = refusal(own | norms | {"fc.weight": readout, "fc.bias": bias})
    assert "ln_h.weight, ln_h.bias, ln_c.weight, ln_c.bias have no" in message


def test_tied_weights_that_are_stored_once() -> None:
    model = random_rnn("lstm", 1, 3, 4, 3, 0)
    model.readout.weight = model.embedding.weight  # type: ignore[union-attr]
    own = {name: array for name, array in renamed(model).items() if name != "encoder.weight"}
    result = import_model(own, Vocabulary("abcd"))
    assert "serves as the embedding, too" in str(result)
    assert_same(result.model, model, "abcddcba")


def test_vocabularies_as_well_known_programs_keep_them(tmp_path: Path) -> None:
    model = random_rnn("lstm", 1, 3, 4, 0, 0)
    own = tensors(renamed(model))
    for kept, characters in (
        ({"n_hidden": 3, "state_dict": own, "tokens": tuple("dacb")}, "dacb"),
        ({"net": own, "ids": {char: np.int64(n) for n, char in enumerate("dacb")}}, "dacb"),
        ({"net": own, "ids": {char: n for n, char in enumerate("dac", 1)}}, "\ud800dac"),
        ({"net": own, "chars": np.array(list("dacb"))}, "dacb"),
    ):
        torch.save(kept, tmp_path / "m.pt", pickle_protocol=2)
        assert import_model(tmp_path / "m.pt").model.vocabulary.characters == characters
    for protocol in range(2, 6):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps({**renamed(model), "chars": tuple("dacb")}, protocol))
        assert import_model(tmp_path / "m.pkl").model.vocabulary.characters == "dacb"
    (tmp_path / "v.json").write_bytes(b'\xef\xbb\xbf"dacb"')
    assert import_model(renamed(model), f"json:{tmp_path / 'v.json'}").model.vocabulary.characters == "dacb"


def test_a_tensor_with_attributes_is_read_too(tmp_path: Path) -> None:
    model = random_rnn("lstm", 1, 3, 4, 0, 0)
    own = tensors(renamed(model))
    own["decoder.bias"].note = "x"  # type: ignore[attr-defined]
    torch.save(own, tmp_path / "m.pt")
    assert_same(import_model(tmp_path / "m.pt", Vocabulary("abcd")).model, model, "abcddcba")


def test_other_modules_cannot_be_wrapped() -> None:
    readout = torch.nn.Linear(3, 4)
    embedding = torch.nn.Sequential(torch.nn.Embedding(4, 3), torch.nn.ReLU())
    with pytest.raises(ActivationError, match="Sequential is no Embedding or Linear"):
        wrap(embedding, torch.nn.GRU(3, 3), readout, "abcd")  # type: ignore[arg-type]
    with pytest.raises(ActivationError, match="Linear is none of PyTorch's recurrent layers"):
        wrap(None, readout, readout, "abcd")
    with pytest.raises(ActivationError, match="of different kinds"):
        cells = [torch.nn.RNNCell(4, 3, nonlinearity="relu"), torch.nn.RNNCell(3, 3)]
        wrap(None, cells, readout, "abcd")
    assert wrap(None, torch.nn.GRU(4, 3), readout, ["<unk>", "a", "b", ":"]).vocabulary.replacement == "\ufffd"


def test_wrapped_vocabularies_go_by_their_ids() -> None:
    modules = (None, torch.nn.GRU(4, 3), torch.nn.Linear(3, 4))
    assert wrap(*modules, {"a": 3, "b": 2, "c": 1, "d": 0}).vocabulary.characters == "dcba"
    assert wrap(*modules, {0: "d", 1: "a", 2: "c", 3: "b"}).vocabulary.characters == "dacb"
    with pytest.raises(ActivationError, match="a set is no vocabulary here"):
        wrap(*modules, set("abcd"))  # type: ignore[arg-type]


def test_a_set_is_no_vocabulary(tmp_path: Path) -> None:
    """It has no order."""
    torch.save({"net": tensors(renamed(random_rnn("gru", 1, 3, 4, 0, 0))), "chars": set("abcd")}, tmp_path / "m.pt")
    with pytest.raises(ActivationError, match="the file holds none"):
        import_model(tmp_path / "m.pt")


def test_a_linear_input_of_as_many_inputs_as_outputs_is_wrapped_as_what_it_is() -> None:
    torch.manual_seed(0)
    for bias in (False, True):
        linear, rnn, readout = torch.nn.Linear(4, 4, bias=bias), torch.nn.LSTM(4, 3), torch.nn.Linear(3, 4)
        model = wrap(linear, rnn, readout, "abcd")
        ids = torch.tensor([[0], [1], [2], [3]])
        with torch.inference_mode():
            expected = readout(rnn(linear(torch.nn.functional.one_hot(ids, 4).float()))[0])
            torch.testing.assert_close(model(ids)[0], expected, rtol=0, atol=1e-6)
    with pytest.raises(ActivationError, match="max_norm"):
        wrap(torch.nn.Embedding(4, 4, max_norm=0.5), rnn, readout, "abcd")


class Normed(torch.nn.Module):
    """With something that computes and has no parameters, and something that has buffers."""

    def __init__(self, norm: torch.nn.Module) -> None:
        super().__init__()
        self.rnn, self.norm, self.drop = torch.nn.LSTM(4, 3), norm, torch.nn.Dropout(0.1)
        self.out = torch.nn.Linear(3, 4)


def test_what_computes_without_parameters_is_named(tmp_path: Path) -> None:
    torch.save(Normed(torch.nn.LayerNorm(3, elementwise_affine=False)), tmp_path / "m.pt")
    warning = str(import_model(tmp_path / "m.pt", Vocabulary("abcd")).warning)
    assert "norm, a LayerNorm, is left out" in warning and "drop" not in warning
    torch.save(Normed(torch.nn.BatchNorm1d(3, affine=False)), tmp_path / "m.pt")
    with pytest.raises(ActivationError, match="norm.running_mean, norm.running_var have no place"):
        import_model(tmp_path / "m.pt", Vocabulary("abcd"))


def test_weights_that_are_made_from_others_are_refused() -> None:
    pruned = torch.nn.Linear(3, 4)
    prune.l1_unstructured(pruned, "weight", 0.5)  # type: ignore[no-untyped-call]
    with pytest.raises(ActivationError, match="readout.weight_orig is what a weight is made from"):
        wrap(None, torch.nn.GRU(4, 3), pruned, "abcd")
    own = renamed(random_rnn("lstm", 1, 3, 4, 0, 0))
    normed = {f"{name}_{part}" if "hh" in name else name: w for name, w in own.items() for part in "gv"}
    assert re.search("is what a weight is made from", refusal(normed))


def test_advice_is_given_only_if_it_would_do(trained: tuple[CharRNN, Corpus]) -> None:
    """Noise instead of a read-out: some order of gates is better than others, and none is any good."""
    model, text = trained
    arrays = renamed(model)
    arrays["decoder.weight"] = np.random.default_rng(0).normal(size=arrays["decoder.weight"].shape).astype(np.float32)
    with pytest.raises(ActivationError, match="worse .* than the frequencies"):
        import_model(arrays, vocabulary_of(model), text=text)


def test_a_gru_is_not_taken_for_an_rnn_by_the_name_of_its_candidate(tmp_path: Path) -> None:
    model = random_rnn("gru", 1, 5, 4, 0, 0)
    layer, (readout, bias) = layers(model)[0], ends(model)
    own: Arrays = {"W_hq": readout.T.copy(), "b_q": bias}
    for letter, tag in zip("rzn", "rzh", strict=True):
        own[f"W_x{tag}"] = reordered(layer["weight_ih"], letter, "rzn").T.copy()
        own[f"W_h{tag}"] = reordered(layer["weight_hh"], letter, "rzn").T.copy()
    result = import_model(own, Vocabulary("abcd"))
    assert result.interpretation.cell == "gru"
    assert "cell, update swapped had to be guessed" in str(result.warning)


def test_why_no_arrays_are_found_is_told(tmp_path: Path) -> None:
    model = random_rnn("lstm", 1, 3, 4, 0, 0)
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(model.state_dict()))
    with pytest.raises(ActivationError, match="rnn.weight_ih_l0 and others are tensors that pickle itself wrote"):
        import_model(tmp_path / "m.pkl", Vocabulary("abcd"))
    with pytest.raises(ActivationError, match="of its 6 arrays none has a name that begins with modle"):
        import_model(renamed(model), Vocabulary("abcd"), prefix="modle.")
    with pytest.raises(ActivationError, match="a file that has the weights of a model"):
        import_model({"steps": np.int64(3)}, Vocabulary("abcd"))
    with pytest.raises(ActivationError, match=r"decoder\.weight \(4, 3\).*--model-factory"):
        import_model(renamed(model), Vocabulary("abcd"), prefix="decoder.")


def test_the_next_best_interpretation_differs_from_the_best_however_many_changes_it_took(
    trained: tuple[CharRNN, Corpus], tmp_path: Path
) -> None:
    model, text = trained
    json_lists(model, tmp_path / "model.json", "gofi")
    result = import_model(tmp_path / "model.json", vocabulary_of(model), text=text, max_changes=1)
    assert result.search is not None and result.search.changes == {"gates": "--gates g,o,f,i"}
    rival = result.search.rival_of(result.search.best)
    assert result.search.best.changes(rival)
    assert result.search.tried[rival].nats_per_char > result.search.best_nats_per_char
