"""How much memory each command takes at most, beside what it may take: 1 GB and 5 bytes a character.

    python benchmarks/memory.py war_and_peace.txt                                # all commands; 1, 10 and 50 MB
    python benchmarks/memory.py war_and_peace.txt --only extract check evaluate  # these
    python benchmarks/memory.py war_and_peace.txt --not rank-live fit --sizes 1 10 --folder /scratch

The texts are the given ones, cut into documents of 100 to 1,000 kB and repeated under new names. The model, an LSTM of
one layer of 64 units, has random weights, always the same. Its hidden units and predictions are recorded, some 300
bytes a character, in a temporary folder. A peak is that of the largest process of a command, by the operating system.
"""

import argparse
import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

MB = 1_000_000
ALLOWED_BYTES = 1_000 * MB
ALLOWED_BYTES_PER_CHAR = 5
_DOCUMENT_CHARS = (100_000, 317_000, 1_000_000, 542_000)  # in turn
_MOST_CHARACTERS = 95  # in the vocabulary, beside the replacement: a prediction has two bytes for each
_COMMANDS = {
    "extract": "extract {model} {texts} --sites hidden --replace-unknown -o {new}",
    "hypotheses": "hypotheses {texts}",
    "hypotheses-show": "hypotheses --show position_in_line {texts}",
    "check": "check {recording}",
    "evaluate": "evaluate {model} {texts} --replace-unknown",
    "rank": "rank --hypothesis in_word {recording}",
    "rank-all": "rank --all {recording}",
    "explain": "explain 0/hidden/3 {recording}",
    "fit": "fit --hypothesis in_word {recording}",
    "curve": "curve --hypothesis in_word --over chars {recording}",
    "fit-live": "fit --hypothesis in_word --sites hidden --controls none --budget 500 --model {model} {--texts} "
    "--replace-unknown",
    "rank-live": "rank --hypothesis in_word --model {model} {--texts} --replace-unknown",
}
_MEASURE = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(os.waitstatus_to_exitcode(status), used.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
"""


def peak_bytes(arguments: list[str], **environment: str) -> int:
    """The most memory that a command and each process it waits for has had, measured by a small process.

    A large one would not do: what a process is started from counts for its own peak.
    """
    found = subprocess.run(
        [sys.executable, "-c", _MEASURE, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    status, n_bytes = found.stdout.split()
    if int(status):
        raise SystemExit(f"{' '.join(arguments)[:200]} has failed:\n{found.stderr}")
    return int(n_bytes)


def write_documents(texts: list[Path], n_chars: int, folder: Path) -> list[Path]:
    """Documents of so many characters together, cut from the texts as often as need be."""
    folder.mkdir()
    paths = []
    for number, document in enumerate(_documents([path.read_text(encoding="utf-8") for path in texts])):
        own = document[:n_chars]
        n_chars -= len(own)
        paths.append(folder / f"{number:04}.txt")
        paths[-1].write_text(own, encoding="utf-8", newline="")
        if n_chars < 2:  # too few for a document
            return paths
    return paths


def _documents(texts: list[str]) -> Iterator[str]:
    lengths = itertools.cycle(_DOCUMENT_CHARS)
    for text in itertools.cycle(texts):
        start = 0
        while len(text) - start > 1:
            length = next(lengths)
            yield text[start : start + length]
            start += length


def write_model(texts: list[Path], path: Path) -> None:
    """An LSTM of 64 units that knows the most frequent characters of some texts."""
    import torch

    from activations.models.char_rnn import CharRNN, ModelConfig
    from activations.models.checkpoints import save_model
    from activations.texts.corpus import Corpus
    from activations.texts.vocab import Vocabulary

    corpus, min_count = Corpus.read(*texts), 1
    while len(vocabulary := Vocabulary.of_corpora([corpus], min_count=min_count)) > _MOST_CHARACTERS + 1:
        min_count *= 2
    torch.manual_seed(0)
    save_model(CharRNN(ModelConfig(n_layers=1, n_units=64), vocabulary), path)


def _fill(command: str, model: Path, texts: list[Path], recording: Path) -> list[str]:
    """The arguments of `probe`."""
    places: dict[str, list[str]] = {
        "{model}": [str(model)],
        "{texts}": [*map(str, texts)],
        "{--texts}": [each for path in texts for each in ("--text", str(path))],
        "{recording}": [str(recording)],
        "{new}": [str(recording.with_name("new.h5"))],
    }
    return [each for word in command.split() for each in places.get(word, [word])]


def main() -> None:
    """Print the peak of each command and size, beside the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", choices=list(_COMMANDS), default=list(_COMMANDS))
    parser.add_argument("--not", nargs="+", choices=list(_COMMANDS), default=[], dest="left_out")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 10, 50], help="in millions of characters")
    parser.add_argument("--folder", type=Path, default=None, help="where texts and recordings go; needs room")
    options = parser.parse_args()
    asked = {name: command for name, command in _COMMANDS.items() if name in {*options.only} - {*options.left_out}}
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
        model = Path(scratch) / "model.pt"
        write_model(options.texts, model)
        for size in options.sizes:
            folder = Path(scratch) / str(size)
            texts = write_documents(options.texts, size * MB, folder)
            recording = folder / "activations.h5"
            limit = ALLOWED_BYTES + ALLOWED_BYTES_PER_CHAR * size * MB
            print(f"{size} million characters, {len(texts)} documents; allowed: {limit / 1e9:.2f} GB")
            for name, command in asked.items():
                if "{recording}" in command and not recording.exists():
                    _peak(
                        "extract {model} {texts} --sites hidden --replace-unknown -o {recording}",
                        model,
                        texts,
                        recording,
                    )
                n_bytes = _peak(command, model, texts, recording)
                (folder / "new.h5").unlink(missing_ok=True)
                missed = f"  {(n_bytes - limit) / 1e9:.2f} GB too many" if n_bytes > limit else ""
                print(f"  {name:<16} {n_bytes / 1e9:5.2f} GB{missed}", flush=True)
            recording.unlink(missing_ok=True)


def _peak(command: str, model: Path, texts: list[Path], recording: Path) -> int:
    arguments = [sys.executable, "-m", "probe", *_fill(command, model, texts, recording)]
    return peak_bytes(arguments, XDG_CACHE_HOME=str(recording.parent))


if __name__ == "__main__":
    main()
