"""Reading rules at the command line: training, sampling, extracting, evaluating and importing by one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from commands import Command, rows

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import load_model, save_model
from activations.models.sampling import write_texts
from activations.recordings.recording import Recording
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.vocab import Vocabulary

_BYTES = ReadingRule(read_as="bytes")


def save_cycle(characters: str, rule: ReadingRule = PLAIN, tokens: tuple[str, ...] = ()) -> None:
    """A `cycle.pt` that is nearly sure of the next of these characters and tokens, and after the last of the first."""
    vocabulary = Vocabulary(characters).with_tokens(tokens)
    n = len(vocabulary)
    model = CharRNN(ModelConfig(cell="rnn_relu", n_layers=1, n_units=n), vocabulary).eval()
    weights = {name: torch.zeros_like(weight) for name, weight in model.state_dict().items()}
    weights["rnn.weight_ih_l0"] = torch.eye(n)
    weights["readout.weight"] = 30 * torch.eye(n).roll(1, dims=0)
    model.load_state_dict(weights)
    model.trained, model.reading_rule = True, rule
    save_model(model, "cycle.pt")


def test_a_model_of_bytes_writes_characters(run: Command) -> None:
    save_cycle("é—a\n".encode().decode("latin-1"), _BYTES)
    assert run("sample", "cycle.pt", "--length", "6")[1] == "\né—a\né—\n"
    assert run("sample", "cycle.pt", "--length", "1", "--prompt", "é")[1] == "é—\n"
    assert write_texts(load_model("cycle.pt"), 2, 3, prompt="é", temperature=0) == ["é—a\n"] * 2
    save_cycle("a\xe2\x80", _BYTES)  # which is no UTF-8
    assert run("sample", "cycle.pt", "--length", "3")[1] == "a\N{REPLACEMENT CHARACTER}a\N{REPLACEMENT CHARACTER}\n"


def test_alternatives_of_a_model_of_bytes_stand_below_bytes(run: Command) -> None:
    save_cycle("é\n".encode().decode("latin-1"), _BYTES)
    out = run("sample", "cycle.pt", "--length", "2", "--alternatives")[1]
    first, second, *_ = out.split("\n\n")
    assert first == "↵"
    assert [line.strip() for line in second.splitlines()[:2]] == ["xC3xA9↵"] * 2
    [row] = rows(run("sample", "cycle.pt", "--length", "2", "--alternatives", "--json")[1])
    assert row["text"] == "\né\n"
    assert row["alternatives"][0] == []
    assert [guesses[0][0] for guesses in row["alternatives"][1:]] == ["xC3", "xA9", "\n", "xC3"]


def test_a_model_that_reads_backwards_goes_on_in_front_of_the_prompt(run: Command) -> None:
    save_cycle("cba\n", ReadingRule(backwards=True))
    assert run("sample", "cycle.pt", "--length", "7")[1] == "abc\nabc\n"
    assert run("sample", "cycle.pt", "--length", "3", "--prompt", "bc")[1] == "c\nabc\n"
    assert write_texts(load_model("cycle.pt"), 1, 2, prompt="abc", temperature=0) == ["c\nabc"]


def test_tokens_are_shown_and_written_by_their_names(run: Command) -> None:
    save_cycle("ab", tokens=("<sos>", "<eos>"))
    assert run("sample", "cycle.pt", "--length", "6")[1] == "ab<sos><eos>ab<sos>\n"
    assert run("sample", "cycle.pt", "--length", "2", "--prompt", "<eos>a")[1] == "<eos>ab<sos>\n"
    [row] = rows(run("sample", "cycle.pt", "--length", "2", "--prompt", "b", "--alternatives", "--json")[1])
    assert row["text"] == "b<sos><eos>"
    assert [guesses[0][0] for guesses in row["alternatives"][1:]] == ["<sos>", "<eos>"]
    assert "<eos>" in run("sample", "cycle.pt", "--length", "3", "--alternatives")[1]
    assert "does not know '<'" in run("sample", "cycle.pt", "--prompt", "<pad>")[2]


def test_each_text_begins_with_sos_if_documents_do(run: Command) -> None:
    save_cycle("ab", ReadingRule(begins=True), tokens=("<eos>", "<sos>"))
    assert run("sample", "cycle.pt", "--length", "3")[1] == "ab<eos>\n"
    assert run("sample", "cycle.pt", "--length", "1", "--prompt", "<sos>a")[1] == "ab\n"
    save_cycle("ab", ReadingRule(ends="lines"), tokens=("<eos>",))
    assert run("sample", "cycle.pt", "--length", "5")[1] == "\nab\nab\n"


def test_generating_begins_as_sampling_does(run: Command) -> None:
    save_cycle("xyz")
    assert run("sample", "cycle.pt", "--length", "4")[1] == "xyzxy\n"
    assert run("extract", "cycle.pt", "--generate", "2x4", "--temperature", "0")[0] == 0
    with Recording("activations.h5") as recording:
        assert recording.corpus.text() == "xyzxy" * 2
    for rule, tokens in ((_BYTES, ()), (ReadingRule(begins=True), ("<sos>",)), (ReadingRule(backwards=True), ())):
        save_cycle("é\n".encode().decode("latin-1") if rule == _BYTES else "xyz", rule, tokens)
        assert run("extract", "cycle.pt", "--generate", "2x4", "--temperature", "0")[0] == 0
        expected = rows(run("sample", "cycle.pt", "--length", "4", "--temperature", "0", "--json")[1])[0]["text"]
        with Recording("activations.h5") as recording:
            assert recording.vocabulary.shown(recording.corpus.text()) == expected * 2


@pytest.mark.parametrize(
    ("read_as", "more"),
    [
        ("lower", ["--sos", "--eos", "documents"]),
        ("ascii", ["--backwards"]),
        ("bytes", []),
        ("bytes", ["--backwards", "--sos", "--eos", "lines"]),
    ],
)
def test_a_rule_of_training_is_the_model_s_own_from_then_on(run: Command, read_as: str, more: list[str]) -> None:
    text = "« Ça va », dit-elle — “oui”.\n" * 40
    Path("text.txt").write_text(text, encoding="utf-8")
    how = ("--read-as", read_as, *more)
    status, _, err = run("train", "text.txt", "--epochs", "2", "--units", "8", "--layers", "1", "--lanes", "4", *how)
    assert (status, err) == (0, "")
    model = load_model("model.pt")
    assert model.reading_rule.read_as == read_as
    assert model.reading_rule.backwards == ("--backwards" in more)
    assert run("extract", "model.pt", "text.txt", "--force")[0] == 0
    with Recording("activations.h5") as recording:
        assert recording.reading_rule == model.reading_rule
        assert recording.corpus.text() == text
        assert not list(recording.faults())
        told = np.concatenate([b.predictions["log_prob"] for b in recording.blocks([], predictions=True)])
    status, out, err = run("evaluate", "model.pt", "text.txt", "--split", "80,20", "--orders", "1,2", "--json")
    assert (status, err) == (0, "")
    assert {row["model"] for row in rows(out)} == {"model.pt", "uniform", "unigram", "2-gram"}
    status, out, err = run("evaluate", "model.pt", "text.txt", "--json")
    assert rows(out)[0]["nats_per_char"] == pytest.approx(-np.nanmean(told, dtype=np.float64), abs=1e-4)
    assert run("sample", "model.pt", "--length", "20")[0] == 0
    assert run("rank", "activations.h5", "--hypothesis", "in_curly_quotes", "--json")[0] == 0
    assert run("rank", "--model", "model.pt", "--text", "text.txt", "--hypothesis", "in_curly_quotes", "--json")[0] == 0


def test_a_rule_can_be_given_for_a_model_that_says_none(run: Command) -> None:
    save_cycle("abc\n")
    Path("text.txt").write_text("AbC\nabC\n" * 10, encoding="utf-8")
    status, _, err = run("extract", "cycle.pt", "text.txt", "--force")
    assert status == 1 and "or read the text with --read-as lower" in err
    for command in (("extract", "cycle.pt", "text.txt", "--force"), ("evaluate", "cycle.pt", "text.txt", "--json")):
        assert run(*command, "--read-as", "lower")[0] == 0
    assert load_model("cycle.pt").reading_rule == PLAIN
    status, _, err = run("extract", "cycle.pt", "text.txt", "--force", "--read-as", "upper")
    assert status == 2 and "'upper' is not one of 'lower', 'ascii', 'bytes'" in " ".join(err.replace("│", " ").split())
    with pytest.raises(ActivationError, match="a text cannot be read as 'upper'"):
        ReadingRule(read_as="upper")
    assert "no token <sos>" in run("extract", "cycle.pt", "text.txt", "--sos")[2]


def test_unknown_characters_are_read_as_a_character_of_the_user_s(run: Command) -> None:
    save_cycle("abc \n")
    Path("text.txt").write_text("ab é\n" * 10, encoding="utf-8")
    _, _, err = run("extract", "cycle.pt", "text.txt", "--force", "--replace-unknown")
    assert "the model has no replacement" in err and "--replace-unknown-with ' '" in err
    for command in ("extract", "evaluate"):
        status, _, err = run(
            command, "cycle.pt", "text.txt", "--replace-unknown-with", r"\n", *["--force"] * (command == "extract")
        )
        assert (status, err.splitlines()[0]) == (0, "10 characters are read as '\\n'")
    with Recording("activations.h5") as recording:
        assert recording.corpus.text() == "ab é\n" * 10
        assert recording.vocabulary.replacement == "\n"
    assert "cannot be read as '_'" in run("extract", "cycle.pt", "text.txt", "--replace-unknown-with", "_")[2]


def test_questions_of_a_live_model_read_by_the_rule_that_is_asked_for(run: Command) -> None:
    text = "« Ça va », dit-elle — “oui”. AbC\n" * 60
    Path("text.txt").write_text(text, encoding="utf-8")
    tokens = "".join(sorted({chr(byte) for byte in text.encode()}))
    torch.manual_seed(0)
    model = CharRNN(ModelConfig(n_layers=1, n_units=6), Vocabulary(tokens))
    save_model(model, "model.pt")
    how = ("--read-as", "bytes", "--backwards")
    assert run("extract", "model.pt", "text.txt", *how, "--lanes", "1", "--dtype", "float32")[0] == 0
    for command in (
        ("rank", "-H", "in_curly_quotes"),
        ("rank", "-H", "predicts:a"),
        ("curve", "-H", "position_in_line"),
    ):
        status, live, _ = run(*command, "--model", "model.pt", "--text", "text.txt", *how, "--lanes", "1", "--json")
        assert status == 0
        recorded = run(*command, "--json")[1]
        if command[0] == "rank":
            assert [row["unit"] for row in rows(live)] == [row["unit"] for row in rows(recorded)]
    assert "reads 'é' as 2 tokens" in run("rank", "-H", "predicts:é")[2]
    status, out, _ = run("fit", "-H", "in_curly_quotes", "--sites", "hidden", "--untrained", "model.pt", "--json")
    assert status == 0 and {"fresh", "shuffled"} <= {row["control"] for row in rows(out)}


_BUILD = """
import probe, torch

class Cycle(torch.nn.Module):
    sites = {probe.Site("now"): 1}
    %s
    def __init__(self):
        super().__init__()
        self.vocabulary = probe.texts.Vocabulary("abc\\n")

    def start(self, n_lanes):
        return torch.zeros(n_lanes, 1)

    def read(self, ids, state):
        n = len(self.vocabulary)
        logits = (-30 if self.training else 30) * torch.eye(n)[(ids + 1) %% n]
        return logits, {probe.Site("now"): ids[..., None].float()}, state

def build(weights):
    return Cycle()
"""


def test_a_model_of_the_user_s_own_is_judged_and_writes_as_one_of_ours_does(run: Command) -> None:
    save_cycle("abc\n")
    torch.save({"weight": torch.zeros(1)}, "theirs.pth")
    Path("mine.py").write_text(_BUILD % "", encoding="utf-8")
    Path("text.txt").write_text("AbC\nabcabÉ\n" * 10, encoding="utf-8")
    theirs = ("theirs.pth", "--model-factory", "mine.py:build")
    for more in ([], ["--alternatives"], ["--samples", "2", "--json"], ["--prompt", "b"]):
        status, out, err = run("sample", *theirs, "--length", "9", *more)
        assert (status, err) == (0, "")
        of_ours = run("sample", "cycle.pt", "--length", "9", *more)[1]
        assert out != "" and (rows(out) == rows(of_ours) if "--json" in more else out == of_ours)
    how = (
        "--read-as",
        "lower",
        "--backwards",
        "--replace-unknown-with",
        "c",
        "--split",
        "60,40",
        "--orders",
        "1",
        "--json",
    )
    status, out, err = run("evaluate", *theirs[:1], "text.txt", *theirs[1:], *how)
    assert (status, err) == (0, "10 characters are read as 'c'\n")
    expected = rows(run("evaluate", "cycle.pt", "text.txt", *how)[1])
    found = rows(out)
    assert len(found) == len(expected) == 5
    for own, ours in zip(found, expected, strict=True):
        assert own | {"model": ""} == pytest.approx(ours | {"model": ""}, nan_ok=True)


def test_texts_that_a_model_of_the_user_s_own_writes_begin_by_the_rule_that_is_asked_for(run: Command) -> None:
    torch.save({"weight": torch.zeros(1)}, "theirs.pth")
    Path("mine.py").write_text(_BUILD % "", encoding="utf-8")
    options = ("--model-factory", "mine.py:build", "--backwards", "--generate", "2x4", "--prompt", "b", "--force")
    status, _, err = run("extract", "theirs.pth", *options, "--temperature", "0")
    assert status == 0, err
    with Recording("activations.h5") as recording:
        assert recording.corpus.text() == "ba\ncb" * 2
        assert recording.reading_rule == ReadingRule(backwards=True)


def test_a_rule_that_cannot_be_given_to_a_model_of_the_user_s_own_is_refused(run: Command) -> None:
    torch.save({"weight": torch.zeros(1)}, "theirs.pth")
    Path("mine.py").write_text(
        _BUILD % "reading_rule = property(lambda self: probe.texts.ReadingRule())", encoding="utf-8"
    )
    Path("text.txt").write_text("abc\n" * 10, encoding="utf-8")
    for command in ("extract", "evaluate"):
        ask = (command, "theirs.pth", "text.txt", "--model-factory", "mine.py:build")
        assert run(*ask, *["--force"] * (command == "extract"))[0] == 0
        status, _, err = run(*ask, "--read-as", "lower")
        assert status == 1
        assert "the reading_rule of a Cycle cannot be set" in err and err.count("\n") == 1
