"""`probe sample`: what the terminal and scripts are shown of what a model writes."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import Command, rows
from planting import random_model
from rich.cells import cell_len

from activations.models import sampling
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import load_model, save_model
from activations.models.sampling import SampledTokens, write, write_texts
from activations.texts.vocab import Vocabulary


def save_cycle(characters: str) -> None:
    """A `cycle.pt` that is nearly sure of the next of these characters, and after the last of the first."""
    n = len(characters)
    model = CharRNN(ModelConfig(cell="rnn_relu", n_layers=1, n_units=n), Vocabulary(characters)).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    weights["rnn.weight_ih_l0"] = torch.eye(n)
    weights["readout.weight"] = 30 * torch.eye(n).roll(1, dims=0)
    model.load_state_dict(weights)
    save_model(model, "cycle.pt")


@pytest.fixture
def model() -> CharRNN:
    """An untrained `model.pt`."""
    save_model(random_model("abcdefgh \n", gain=2.0), "model.pt")
    return load_model("model.pt")


def test_a_text_is_shown_as_the_library_writes_it(run: Command, model: CharRNN) -> None:
    how = ("--prompt", "ab", "--temperature", "0.7", "--top-k", "4", "--seed", "3", "--length", "200")
    status, out, err = run("sample", "model.pt", *how)
    [text] = write_texts(model, 1, 200, prompt="ab", temperature=0.7, top_k=4, seed=3)
    assert (status, out, err) == (0, text.removesuffix("\n") + "\n", "")
    assert rows(run("sample", "model.pt", *how, "--json")[1]) == [{"sample": 1, "prompt": "ab", "text": text}]
    assert len(rows(run("sample", "model.pt", "--json")[1])[0]["text"]) == 1 + 500


def test_several_samples_are_those_of_the_library(run: Command, model: CharRNN) -> None:
    _, out, _ = run("sample", "model.pt", "--samples", "3", "--length", "20", "--prompt", "a", "--json")
    assert [row["sample"] for row in rows(out)] == [1, 2, 3]
    assert [row["text"] for row in rows(out)] == write_texts(model, 3, 20, prompt="a")


def test_temperature_0_and_the_one_most_probable_are_greedy(run: Command, model: CharRNN) -> None:
    [text] = write_texts(model, 1, 50, prompt="a", temperature=0)
    for greedy in (("--temperature", "0"), ("--top-k", "1")):
        assert (
            rows(run("sample", "model.pt", "--prompt", "a", "--length", "50", "--json", *greedy)[1])[0]["text"] == text
        )


def test_the_prompt_is_a_newline_or_else_the_first_character(run: Command) -> None:
    save_cycle("abc\n")
    assert run("sample", "cycle.pt", "--length", "6")[1] == "\nabc\nab\n"
    assert run("sample", "cycle.pt", "--length", "3", "--prompt", r"b\na")[1] == "b\nabc\n"
    save_cycle("xyz")
    assert run("sample", "cycle.pt", "--length", "4")[1] == "xyzxy\n"


def test_escapes_in_the_prompt_are_those_of_extract(run: Command) -> None:
    save_cycle("a\t\n")
    assert rows(run("sample", "cycle.pt", "--length", "1", "--prompt", r"\n\ta", "--json")[1])[0]["prompt"] == "\n\ta"


def test_characters_that_move_the_cursor_are_made_visible(run: Command) -> None:
    save_cycle("a\t\x1b\r\n")
    assert run("sample", "cycle.pt", "--length", "6")[1] == "\na\t␛␍\na\n"
    assert rows(run("sample", "cycle.pt", "--length", "6", "--json")[1])[0]["text"] == "\na\t\x1b\r\na"
    for more in (["--samples", "2"], ["--alternatives"]):
        assert not re.search(r"[^ -~\n·→↵␣␛␍]", run("sample", "cycle.pt", "--length", "6", *more)[1])


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (80, "sample 1   sample 2   sample 3\n\nabc        abc        abc\nab         ab         ab\n"),
        (19, "sample 1   sample 2\n\nabc        abc\nab         ab\n\nsample 3\n\nabc\nab\n"),
        (18, "sample 1\n\nabc\nab\n\nsample 2\n\nabc\nab\n\nsample 3\n\nabc\nab\n"),
    ],
)
def test_samples_stand_side_by_side_where_there_is_room(
    run: Command, monkeypatch: pytest.MonkeyPatch, width: int, shown: str
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    save_cycle("abc\n")
    assert run("sample", "cycle.pt", "--samples", "3", "--length", "6")[1] == shown


@pytest.mark.parametrize("width", [20, 50, 80, 200])
def test_columns_fit_the_terminal_and_lose_nothing(
    run: Command, model: CharRNN, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    out = run("sample", "model.pt", "--samples", "4", "--prompt", "a")[1]
    assert max(map(len, out.splitlines())) <= width
    written = "".join(write_texts(model, 4, 500, prompt="a")) + "sample 1 sample 2 sample 3 sample 4"
    assert sorted("".join(out.split())) == sorted("".join(written.split()))


def test_alternatives_stand_below_the_characters(run: Command) -> None:
    save_cycle("abc\n")
    out = run("sample", "cycle.pt", "--length", "5", "--prompt", r"b\na", "--alternatives")[1]
    lines = out.splitlines()
    assert lines[:4] == ["b↵", "", "abc↵", " bc↵"]
    assert all(sorted(column) == sorted("abc↵") for column in zip(*(line[1:] for line in lines[3:7]), strict=True))
    assert lines[7:10] == ["", "ab", "ab"]


def test_alternatives_in_json_are_aligned_with_the_text(run: Command, model: CharRNN) -> None:
    _, out, _ = run(
        "sample", "model.pt", "--prompt", "ab", "--temperature", "0", "--length", "40", "--alternatives", "--json"
    )
    [row] = rows(out)
    assert row["alternatives"][:2] == [[], []]
    assert len(row["alternatives"]) == len(row["text"]) == 42
    for character, guesses in zip(row["text"][2:], row["alternatives"][2:], strict=True):
        probabilities = [probability for _, probability in guesses]
        assert guesses[0][0] == character
        assert len(guesses) == 5 and probabilities == sorted(probabilities, reverse=True)


def test_alternatives_are_folded_and_aligned_also_below_wide_characters(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "9")
    save_cycle("日ab")
    out = run("sample", "cycle.pt", "--length", "6", "--alternatives")[1]
    first, second, _ = out.split("\n\n")
    for part, text, width in ((first, "日a b 日", 8), (second, "a b 日", 6)):
        assert [cell_len(line) for line in part.split("\n")] == [width] * 4
        assert part.startswith(text)


def test_alternatives_are_coloured_by_probability(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    save_cycle("abc\n")
    out = run("sample", "cycle.pt", "--length", "3", "--alternatives")[1]
    assert "\x1b[1;32ma\x1b[0m" in out and "\x1b[2ma\x1b[0m" in out


def test_novelty_is_told_of_lines_and_words(run: Command) -> None:
    save_cycle("abc\n")
    Path("known.txt").write_text("abc\n", encoding="utf-8")
    Path("other.txt").write_text("abcd\nab", encoding="utf-8")
    asked = ("cycle.pt", "--length", "10", "--novelty")
    assert run("sample", *asked, "known.txt")[1].endswith(
        "\nab\n\nlines: 0 % of 2 are new; words: 0 % of 2 are new (not in known.txt)\n"
    )
    assert (
        "lines: 100 % of 2 are new; words: 100 % of 2 are new (not in other.txt)"
        in run("sample", *asked, "other.txt")[1]
    )
    _, out, _ = run("sample", *asked, "other.txt", "--novelty", "known.txt", "--samples", "2")
    assert "lines: 0 % of 4 are new; words: 0 % of 4 are new (not in other.txt, known.txt)" in out
    assert rows(run("sample", *asked, "other.txt", "--json")[1])[0]["novelty"] == {
        "n_lines": 2,
        "n_new_lines": 2,
        "n_words": 2,
        "n_new_words": 2,
    }


def test_ctrl_c_ends_what_has_been_shown_so_far(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    save_cycle("abc\n")

    def interrupted(*arguments: Any, **named: Any) -> Iterator[SampledTokens]:
        yield from islice(write(*arguments, **named), 2)
        raise KeyboardInterrupt

    monkeypatch.setattr(sampling, "write", interrupted)
    status, out, err = run("sample", "cycle.pt")
    assert (status, out) == (130, "\nab\n")
    assert "stopped" in err and "Traceback" not in err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["absent.pt"], "there is no model absent.pt"),
        (["known.txt"], "not a checkpoint"),
        (["model.pt", "--prompt", "ax"], "the model does not know 'x'"),
        (["model.pt", "--prompt", ""], "the prompt is empty"),
        (["model.pt", "--temperature", "-1"], "the temperature is -1"),
        (["model.pt", "--top-k", "0"], "top_k is 0"),
        (["model.pt", "--seed", "-1"], "the seed is -1"),
        (["model.pt", "--novelty", "absent.txt"], "cannot read the text absent.txt"),
    ],
)
def test_wrong_input_is_one_sentence(run: Command, model: CharRNN, arguments: list[str], complaint: str) -> None:
    Path("known.txt").write_text("abc\n", encoding="utf-8")
    status, out, err = run("sample", *arguments)
    assert (status, out) == (1, "")
    assert err.startswith("error: ") and err.count("\n") == 1
    assert complaint in err
    assert run("sample", "model.pt", "--length", "0")[0] == run("sample", "model.pt", "--samples", "0")[0] == 2
