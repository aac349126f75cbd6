"""What an import says about a text that contradicts it or is too short, and about what else is in the file."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign import Arrays, renamed, tensors
from torch import nn

from activations.errors import ActivationError
from activations.importers.imported_model import ImportedModel
from activations.importers.importing import import_model
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary

LETTERS = "abcd"
CYCLE = Corpus.from_texts([LETTERS * 200])


def relu_cycle(**more: Any) -> Arrays:
    """A relu network that predicts the next letter of a cycle, and as a tanh network cannot; its file does not say."""
    return {
        "weight_ih_l0": 30 * np.eye(4, dtype=np.float32),
        "weight_hh_l0": np.zeros((4, 4), np.float32),
        "out.weight": (np.roll(np.eye(4), 1, axis=0) * 0.3).astype(np.float32),
        **more,
    }


def random_model(n_layers: int = 1, seed: int = 0) -> CharRNN:
    torch.manual_seed(seed)
    return CharRNN(ModelConfig(cell="gru", n_layers=n_layers, n_units=4, n_embedding=3), Vocabulary(LETTERS)).eval()


def assert_next_best(result: ImportedModel) -> None:
    """Assert that no interpretation that was tried is better than the one called so, and that it is not the model's."""
    search, written = result.search, result.interpretation
    assert search is not None
    rival = search.rival_of(written)
    assert rival != written
    alike = [
        loss for tried, loss in search.tried.items() if tried != written and loss.lost <= search.tried[written].lost
    ]
    assert search.tried[rival].nats_per_char == min(loss.nats_per_char for loss in alike)
    assert f" {search.tried[rival].nats_per_char:.2f} nats" in str(result)


def test_what_the_file_leaves_open_is_settled_also_if_the_rest_is_forced() -> None:
    result = import_model(relu_cycle(scale=np.ones(3, np.float32)), f"chars:{LETTERS}", text=CYCLE, force=True)
    assert result.interpretation.cell == "rnn_relu" and result.parts.unused == ("scale",)
    assert "settled    by the text, --cell rnn_relu" in str(result)
    assert_next_best(result)


def test_an_interpretation_that_the_user_forces_is_kept_and_a_better_one_is_named() -> None:
    result = import_model(relu_cycle(), f"chars:{LETTERS}", text=CYCLE, force=True, cell="rnn")
    assert result.interpretation.cell == "rnn" and "settled" not in str(result)
    assert result.search is not None
    assert "better     0.00 nats on a sample, with --cell rnn_relu; this one has" in str(result)
    assert "next best" not in str(result)
    assert_next_best(result)


def test_a_forced_vocabulary_does_not_settle_what_only_another_vocabulary_would() -> None:
    result = import_model(relu_cycle(), "chars:dbca", text=CYCLE, force=True)
    assert result.interpretation.characters == "dbca"
    assert_next_best(result)


def test_a_hopeless_reading_is_not_advised() -> None:
    text = Corpus.from_texts([f"{LETTERS}{LETTERS.upper()}" * 50])
    with pytest.raises(ActivationError) as error:
        arrays = relu_cycle() | {"out.weight": np.eye(4, dtype=np.float32) * 9}  # predicts the same letter again
        import_model(arrays, f"chars:{LETTERS}", text=text)
    assert "do that" not in str(error.value) and "more than this is wrong" in str(error.value)


def test_a_reading_is_advised_together_with_what_it_needs() -> None:
    """With tanh, which the file leaves open, the right reading would look hopeless."""
    text = Corpus.from_texts([f"{LETTERS}{LETTERS.upper()}" * 50])
    with pytest.raises(ActivationError, match="0.00 nats .*--cell rnn_relu and --read-as lower; do that"):
        import_model(relu_cycle(), f"chars:{LETTERS}", text=text)


@pytest.mark.parametrize(("n_chars", "is_short"), [(199, True), (200, False)])
def test_a_short_text_decides_nothing_and_the_warning_says_so(n_chars: int, is_short: bool) -> None:
    result = import_model(relu_cycle(), f"chars:{LETTERS}", text=Corpus.from_texts([CYCLE.text(0, n_chars)]))
    assert (result.interpretation.cell == "rnn") == is_short
    said = "the interpretation is not checked (cell had to be guessed): the text has 199 characters, which is too short"
    assert (said in str(result.warning)) == is_short
    assert "worse" not in str(result.warning)
    assert_next_best(result)


def test_an_option_that_was_not_given_cannot_be_left_out() -> None:
    """An update gate that is always 1, in the form that the text settles; the other form keeps the state at zero."""
    arrays = {
        "out.weight": 30 * np.roll(np.eye(4, 5, dtype=np.float32), 1, axis=0),
        "out.bias": np.zeros(4, np.float32),
    }
    for n, name in enumerate(["ir", "iz", "in", "hr", "hz", "hn"], 1):  # no two are the same
        weight = (30 if name == "in" else 1e-6 * n) * np.eye(5, 4 if name[0] == "i" else 5)
        arrays[f"W_{name}.weight"] = weight.astype(np.float32)
        arrays[f"W_{name}.bias"] = np.full(5, 30 if name == "iz" else 1e-6 * n, np.float32)
    result = import_model(arrays, f"chars:{LETTERS}", text=CYCLE)
    assert result.interpretation.update_swapped and result.search is not None
    plain = replace(result.interpretation, update_swapped=False)
    tried = {way: result.search.tried[way] for way in (result.interpretation, plain)}
    only_two = replace(result, search=replace(result.search, tried=tried))
    assert "next best  1.39 nats, with the update gate as the share of the old state" in str(only_two)
    asked_for = replace(only_two, undecided=frozenset())
    assert "next best  1.39 nats, without --update-swapped" in str(asked_for)


def test_weights_and_their_moving_average_are_named_to_choose_from(tmp_path: Path) -> None:
    own, mean = (tensors(renamed(random_model(n_layers=2, seed=seed))) for seed in (0, 1))
    saved: dict[str, Any] = {"state_dict": own, "ema": {"module": mean}}
    torch.save(saved, tmp_path / "m.pt")
    for force in (False, True):
        with pytest.raises(ActivationError, match=r"choose one with --prefix state_dict\. or --prefix ema\.module\.$"):
            import_model(tmp_path / "m.pt", Vocabulary(LETTERS), force=force)
    chosen = import_model(tmp_path / "m.pt", Vocabulary(LETTERS), prefix="ema.module.").model
    assert torch.equal(chosen.state_dict()["readout.bias"], mean["decoder.bias"])
    torch.save({"state_dict": own, "best": own}, tmp_path / "m.pt")  # the same model twice is one model
    assert import_model(tmp_path / "m.pt", Vocabulary(LETTERS)).parts.unused == ()


def test_layers_of_the_same_names_and_shapes_are_no_copies() -> None:
    torch.manual_seed(0)
    cells = nn.ModuleDict({"rnn": nn.ModuleList([nn.LSTMCell(4, 4) for _ in range(3)]), "fc": nn.Linear(4, 4)})
    arrays = {name: weight.detach().numpy() for name, weight in cells.state_dict().items()}
    assert import_model(arrays, Vocabulary(LETTERS)).model.config.n_layers == 3


@pytest.mark.parametrize("option", [None, "file:vocab"])
def test_a_vocabulary_of_counts_is_named(option: str | None, tmp_path: Path) -> None:
    counts = Counter({char: 100 + n * n for n, char in enumerate(LETTERS)})
    torch.save({"net": tensors(renamed(random_model())), "vocab": counts}, tmp_path / "m.pt")
    with pytest.raises(ActivationError, match="vocab holds a count of each character, and not its id"):
        import_model(tmp_path / "m.pt", option)


def test_what_is_left_aside_is_told_in_one_word_for_each_container(tmp_path: Path) -> None:
    beside = {
        "shadow": [torch.ones(2) for _ in range(4)],
        "adam": {"m": [torch.ones(2)] * 1, "v": {str(n): torch.ones(n + 1) for n in range(6)}},
        "few": {"a": torch.ones(2), "b": torch.ones(3)},
        "losses": [2.5, 2.25],
    }
    torch.save({"net": tensors(renamed(random_model())), **beside}, tmp_path / "m.pt")
    result = import_model(tmp_path / "m.pt", Vocabulary(LETTERS))
    assert "left aside shadow (4 arrays), adam (7 arrays), few.a, few.b, losses\n" in f"{result}\n"
    assert "adam.v.5" in result.parts.aside
    flat = renamed(random_model()) | {f"optimizer.m.{n}": np.ones(n + 1) for n in range(5)}
    assert "left aside optimizer (5 arrays)" in str(import_model(flat, Vocabulary(LETTERS)))


class Biased(nn.Module):
    """A module whose recurrent layer has biases or none."""

    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.rnn = nn.GRU(4, 3, bias=bias)
        self.out = nn.Linear(3, 4)


def test_a_file_that_says_that_its_layers_have_no_biases_has_lost_none(tmp_path: Path) -> None:
    module = Biased(bias=False)
    torch.save(module, tmp_path / "m.pt")
    assert "biases" not in str(import_model(tmp_path / "m.pt", Vocabulary(LETTERS)).warning)
    torch.save(module.state_dict(), tmp_path / "m.pt")
    assert "the layers have no biases" in str(import_model(tmp_path / "m.pt", Vocabulary(LETTERS)).warning)
    kept = Biased(bias=True)
    for name in ("bias_ih_l0", "bias_hh_l0"):
        nn.init.zeros_(getattr(kept.rnn, name))
    torch.save(kept, tmp_path / "m.pt")
    assert "biases" in str(import_model(tmp_path / "m.pt", Vocabulary(LETTERS)).warning)
