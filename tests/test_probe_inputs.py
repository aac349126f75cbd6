"""What is no regular file is read or refused by the command: never a hang, and never a traceback."""

import gzip
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from commands import Command, rows
from planting import random_model

from activations.errors import ActivationError
from activations.files import check_output
from activations.models.checkpoints import save_model
from activations.recordings.recording import Recording

TEXT = 'He said "so" and "no", they say.\n' * 200


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`corpus.txt`, an untrained `model.pt`, and a pipe that nobody writes to."""
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text(TEXT, encoding="utf-8")
    save_model(random_model(TEXT), "model.pt")
    os.mkfifo("pipe")


def shell(command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of bash, in which `probe` is that of this checkout."""
    home = Path(__file__).parents[1]
    probe = f'probe() {{ "{sys.executable}" -m probe "$@"; }}; set -o pipefail; {command}'
    env = {**os.environ, "PYTHONPATH": str(home), "COLUMNS": "200"}
    return subprocess.run(["bash", "-c", probe], capture_output=True, text=True, env=env, timeout=60)


def test_a_text_may_come_from_standard_input_or_a_pipe(run: Command) -> None:
    """The recording of a compressed, a piped and a plain text are the same but for the name."""
    Path("corpus.txt.gz").write_bytes(gzip.compress(TEXT.encode()))
    result = shell("cat corpus.txt.gz | probe extract model.pt - -o piped.h5 --force --json")
    assert result.returncode == 0
    assert "not kept: an extraction that is interrupted needs it once more" in result.stderr
    assert shell("probe extract model.pt <(zcat corpus.txt.gz) -o fifo.h5 --force").returncode == 0
    assert run("extract", "model.pt", "corpus.txt", "-o", "plain.h5", "--force")[0] == 0
    hashes = set()
    for name in ("piped", "fifo", "plain"):
        with Recording(f"{name}.h5") as recording:
            hashes.add(recording.corpus.sha256)
            if name == "piped":
                assert [document.name for document in recording.corpus.documents] == ["standard input"]
    assert len(hashes) == 1
    row = rows(result.stdout)[0]
    assert row["n_chars"] == len(TEXT)


def test_standard_input_is_taken_once(run: Command) -> None:
    result = shell("probe train - --held-out - < corpus.txt")
    assert result.returncode == 1
    assert "is named as a text a second time, and can be read only once" in result.stderr.splitlines()[-1]
    assert "standard input (-) is a device, not a text" in shell("probe evaluate model.pt - < /dev/zero").stderr
    assert "standard input is closed" in shell("probe evaluate model.pt - <&-").stderr


PIPE = "pipe is a FIFO"
NO_FILES = {
    "sample pipe": f"{PIPE}, and a model is a file; check its path",
    "sample /dev/zero": "/dev/zero is a device, and a model is a file; check its path",
    "sample .": ". is a folder, and a model is a file; check its path",
    "extract pipe corpus.txt": f"{PIPE}, and a model is a file; check its path",
    "extract model.pt /dev/zero": "/dev/zero is a device, not a text; name a file, or - for standard input",
    "extract model.pt corpus.txt -o pipe": "cannot write pipe: it is a FIFO, which a file must not replace",
    "extract model.pt corpus.txt -o /dev/null": "cannot write /dev/null: it is a device, which a file must not replace",
    "evaluate model.pt corpus.txt --csv /dev/x.csv": "cannot write /dev/x.csv: it is in a folder of the system",
    "import pipe -o x.pt": "cannot read pipe: it is a FIFO, and a model is a file",
    "import /dev/zero -o x.pt": "cannot read /dev/zero: it is a device, and a model is a file",
    "import model.pt -o x.pt --vocab pickle:pipe": "cannot read pipe: it is a FIFO, and a model is a file",
    "import model.pt -o x.pt --model-factory pipe:build": f"{PIPE}, and a file of Python is a file",
    "check pipe": f"{PIPE}, and a model is a file; check its path",
    "check /dev/zero": "/dev/zero is a device, and a model is a file; check its path",
    "rank in_quotes ./pipe.h5": "pipe.h5 is not a recording: not an HDF5 file",
    "hypotheses --show labels:pipe corpus.txt": "pipe is neither a file nor a folder with labels; check its path",
    "hypotheses --show labels:/dev/zero corpus.txt": "/dev/zero is neither a file nor a folder with labels",
    "hypotheses --show pipe.py:name corpus.txt": "pipe.py is no file to take the hypothesis 'name' from",
    "fit in_quotes --model model.pt --text corpus.txt --apply pipe": f"{PIPE}, and a file of probes is a file",
    "train corpus.txt --from pipe -o new.pt": f"{PIPE}, and a model is a file; check its path",
    "plot losses pipe": "there is no training of pipe",
}


@pytest.mark.parametrize("command", list(NO_FILES))
def test_what_is_no_file_is_refused_at_once(run: Command, command: str) -> None:
    for name in ("pipe.h5", "pipe.py"):
        os.mkfifo(name)
    status, out, err = run(*command.split())
    assert status == 1
    assert NO_FILES[command] in out + err
    assert "Traceback" not in err


def test_a_file_of_another_kind_is_called_what_it_is_where_a_model_is_expected(run: Command) -> None:
    Path("paper.pdf").write_bytes(b"%PDF-1.7\n1 0 obj")
    status, _, err = run("sample", "paper.pdf")
    assert status == 1
    assert "paper.pdf is a PDF document, not a checkpoint of `probe train`" in err
    status, _, err = run("import", "paper.pdf", "-o", "x.pt")
    assert status == 1
    assert "cannot read paper.pdf: it is a PDF document, not a model" in err
    status, _, err = run("extract", "model.pt", "model.pt", "-o", "x.h5")
    assert status == 1
    assert "model.pt is a file of PyTorch, such as a model, not a text" in err


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (gzip.compress(b"0\n1\n", mtime=0), "x.csv is compressed by gzip; labels are read from CSV, TSV or JSON Lines"),
        (b"PK\x03\x04....", "x.csv is a zip archive, such as of Excel; labels are read from"),
        (b"PAR1....", "x.csv is a table in Parquet; labels are read from"),
    ],
)
def test_a_file_of_another_kind_is_called_what_it_is_where_labels_are_expected(
    run: Command, content: bytes, expected: str
) -> None:
    Path("x.csv").write_bytes(content)
    status, _, err = run("hypotheses", "--show", "labels:x.csv", "corpus.txt")
    assert status == 1
    assert expected in err


def test_the_default_recording_is_said_by_every_kind_of_command(
    run: Command, planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not where one is named, and not where there is none: the error says that."""
    said = "reading activations.h5 in this folder, since no recording is named"
    commands = (["rank", "in_quotes", "--shifts", "0"], ["check"], ["explain", "1/cell/0", "in_quotes"])
    for command in commands:
        status, _, err = run(*command)
        assert status == 1
        assert said not in err
    shutil.copy(planted, "activations.h5")
    for command in commands:
        status, out, err = run(*command, *(["--json"] if command != ["check"] else []))
        assert status == 0
        assert err.count(said) == 1
        assert said not in out
    assert said not in run("check", "activations.h5")[2]
    assert said not in run("rank", "in_quotes", "activations.h5", "--shifts", "0")[2]


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl"])
def test_the_names_of_classes_are_bounded(run: Command, name: str) -> None:
    labels = [f"{'n' * 1_001}{n % 2}" for n in range(len(TEXT))]
    lines = labels if name == "x.csv" else [f'"{label}"' for label in labels]
    Path(name).write_text("\n".join(lines), encoding="utf-8")
    status, _, err = run("hypotheses", "--show", f"labels:{name}", "corpus.txt")
    assert status == 1
    assert "has a label of 1,002 characters, 'nnnn" in err
    Path("own.py").write_text('def long(text):\n    return ["n" * 100_000] * len(text)\n', encoding="utf-8")
    status, _, err = run("hypotheses", "--show", "own.py:long", "corpus.txt")
    assert status == 1
    assert "it gave a name of 100,000 characters, 'nnnn" in err


def test_a_pickle_of_very_many_strings_is_refused(run: Command) -> None:
    Path("strings.pkl").write_bytes(pickle.dumps([str(n) for n in range(300_001)]))
    status, _, err = run("import", "strings.pkl", "-o", "x.pt")
    assert status == 1
    assert "the pickle has more than 300,000 strings; no model needs that many" in err


def test_an_output_in_the_memory_is_a_file_like_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """`/dev/shm` is a folder like others, named from within, too; `..` leads out of it."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        monkeypatch.chdir(folder)
        for path in ("x.csv", f"{folder}/x.csv"):
            check_output(Path(path))
        with pytest.raises(ActivationError, match="it is in a folder of the system"):
            check_output(Path("/dev/shm/../x.csv"))


LONG = "y" * 300
LONGISH = "y" * 240  # which may be a file, and no other could be beside it while it is written
PATHS = "/".join(["y" * 200] * 30)
TOO_LONG = {
    f"rank in_quotes {LONG}.h5": f"there is no recording {LONG}.h5",
    f"extract model.pt corpus.txt -o {LONG}.h5": "its name is too long",
    f"extract model.pt corpus.txt -o {PATHS}.h5": "there is no folder yyyy",
    f"extract model.pt corpus.txt -o {LONGISH}.h5": f"{LONGISH}.h5: its name is too long; it may have 233 bytes",
    f"extract {LONG} corpus.txt": f"{LONG}: its name is too long",
    f"extract model.pt {LONG}": f"{LONG}: its name is too long",
    f"train corpus.txt -o {LONG}.pt": "its name is too long",
    f"train corpus.txt -o new.pt --from {LONG}": "its name is too long",
    f"hypotheses corpus.txt --csv {LONG}.csv": "its name is too long",
    f"hypotheses corpus.txt --show labels:{LONG}.csv": f"{LONG}.csv",
    f"hypotheses corpus.txt --show {LONG}.py:f": f"{LONG}.py",
    f"import {LONG} -o x.pt": "its name is too long",
    f"import model.pt -o x.pt --vocab json:{LONG}": f"{LONG}: its name is too long",
    f"plot losses {LONG}": "its name is too long",
    f"check {LONG}.h5": "its name is too long",
    f"sweep corpus.txt -o {LONG}": "its name is too long",
    f"fit in_quotes --model model.pt --text corpus.txt --apply {LONG}": "its name is too long",
}


@pytest.mark.parametrize("command", list(TOO_LONG))
def test_a_name_that_is_too_long_is_called_that(command: str, run: Command) -> None:
    """By the program as it is started, whose first look at the command line is at its files."""
    status, _, errors = run(*command.split())
    assert status == 1, errors
    assert TOO_LONG[command] in errors.replace("\n", "")
    assert "Traceback" not in errors


def test_a_table_may_have_a_name_that_is_no_utf8(run: Command) -> None:
    """Its rows say which command made them, with its name."""
    name = os.fsdecode(b"\xff.csv")
    assert run("hypotheses", "corpus.txt", "--csv", name)[0] == 0
    assert "\\udcff.csv" in Path(name).read_text(encoding="utf-8")
