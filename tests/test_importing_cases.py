"""Small inputs on which importing and training once failed, which are not part of the project: what should happen."""

import re
from pathlib import Path

import pytest
from commands import Command

from activations.models.checkpoints import load_model, training_record


@pytest.fixture
def cases(shared: Path) -> Path:
    folder = shared.parent / "cases"
    if not folder.is_dir():
        pytest.skip("needs the folder of cases beside that of the large texts")
    return folder


def loss(output: str) -> float:
    [nats] = re.findall(r"  text +([\d.]+) nats per character", output)
    return float(nats)


def test_a_model_of_bytes_is_refused_as_one_of_latin_1(run: Command, cases: Path) -> None:
    folder = cases / "03_bytes_model"
    command = ["import", str(folder / "bytes.pth"), "--vocab", f"json:{folder / 'bytes.json'}"]
    command += ["--text", str(folder / "french.txt"), "-o", "m.pt"]
    code, _, errors = run(*command)
    assert code == 1 and "with --read-as bytes" in errors and not Path("m.pt").exists()
    code, output, _ = run(*command, "--read-as", "bytes")
    assert code == 0 and loss(output) == pytest.approx(1.903 * 20_000 / 19_503, abs=0.004)  # per byte, 1.903
    Path("t.txt").write_text("« Ça va », dit-elle — “oui”.\n", encoding="utf-8")
    assert run("extract", "m.pt", "t.txt", "-o", "t.h5", "--force")[0] == 0


def test_the_vocabulary_is_that_of_a_dictionary_of_bytes(run: Command, cases: Path) -> None:
    folder = cases / "04_vocab_bytes_keys"
    code, output, _ = run("import", str(folder / "theirs.pt"), "-o", "m.pt", "--text", str(folder / "corpus.txt"))
    assert code == 0
    assert "vocabulary 62 characters: dictionary.item2idx in the file itself" in output
    assert loss(output) == pytest.approx(1.797, abs=0.004)  # as PyTorch computes it


def test_upper_case_is_read_as_the_file_says(run: Command, cases: Path) -> None:
    folder = cases / "06_vocab_folded"
    code, output, _ = run("import", str(folder / "fold.pth"), "-o", "m.pt", "--text", str(folder / "corpus.txt"))
    assert code == 0
    assert loss(output) == pytest.approx(1.801, abs=0.004)  # as PyTorch computes it
    assert dict(load_model("m.pt").reading_rule.substitutes)["F"] == "f"


def test_a_file_of_lua_torch_is_named_as_one(run: Command, cases: Path) -> None:
    code, _, errors = run("import", str(cases / "10_torch7" / "model.t7"), "-o", "m.pt")
    assert code == 1 and "Lua Torch (.t7)" in errors


def test_a_training_goes_on_from_a_model_and_never_replaces_it(run: Command, cases: Path) -> None:
    first, second = (str(cases / "12_continue_training" / name) for name in ("a.txt", "b.txt"))
    shape = ["--layers", "1", "--units", "8"]
    assert run("train", first, "-o", "a.pt", *shape, "--epochs", "1")[0] == 0
    content = Path("a.pt").read_bytes()
    code, _, errors = run("train", first, "-o", "a.pt", *shape, "--epochs", "2", "--resume")
    assert code == 1 and "--from a.pt" in errors and "leave out --resume" not in errors
    assert run("train", first, "-o", "a.pt", *shape, "--epochs", "2")[0] == 1
    assert Path("a.pt").read_bytes() == content
    code, _, errors = run("train", second, "-o", "b.pt", "--epochs", "1", "--from", "a.pt")
    unknown = set(Path(second).read_text(encoding="utf-8")) - set(load_model("a.pt").vocabulary.characters)
    assert (code == 1) == bool(unknown), errors
    if unknown:
        assert "--replace-unknown-with" in errors
        assert (
            run("train", second, "-o", "b.pt", "--epochs", "1", "--from", "a.pt", "--replace-unknown-with", " ")[0] == 0
        )
    assert load_model("b.pt").vocabulary.characters == load_model("a.pt").vocabulary.characters
    assert training_record("b.pt")["from_model_sha256"]


def test_unknown_characters_name_what_they_can_be_read_as(run: Command, cases: Path) -> None:
    folder = cases / "24_unknown_characters"
    command = ["extract", str(folder / "model.pt"), str(folder / "text.txt"), "-o", "r.h5", "--force"]
    code, _, errors = run(*command, "--replace-unknown")
    assert code == 1 and "--replace-unknown-with ' '" in errors and "--read-as ascii" in errors
    assert run(*command, "--replace-unknown-with", " ")[0] == 0
