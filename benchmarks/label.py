"""How fast hypotheses label, beside a plain Python loop over the characters: megabytes a second and their ratio.

python benchmarks/label.py corpus.txt [--programs FOLDER]

The folder has a folder of files for each programming language (`c`, `c++`, `python`, …); without it, hypotheses of code
read the text in every language, whatever it is written in.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import Hypothesis
from hypotheses.registry import get, registered

_WANTED = 20.0  # MB/s, of a hand-written state machine
_BY_LIBRARIES = {"part_of_speech", "regex", "token", "in_speaker", "in_latex_environment"}
_N_PLAIN = 1_000_000
_N_PROGRAM = 4_000_000
_LANGUAGES = (
    "c", "c++", "python", "javascript", "typescript", "rust", "go", "java", "haskell", "shell", "ruby", "sql"
)  # fmt: skip
_OF_CODE = ("in_comment", "in_string", "in_docstring", "in_keyword", "in_number", "in_if_condition", "in_function_body")
_TOKENS = ("Comment", "String", "Keyword", "Number", "Name.Function", "Operator")


def plain_loop(text: str) -> list[bool]:
    """in_quotes, but for its triple quotes, as one would write it down first."""
    labels = []
    inside, blank = False, False
    for char in text:
        if char == '"':
            inside = not inside
        elif char == "\n" and blank:
            inside = False
        blank = char == "\n" or (blank and char in " \t\r")
        labels.append(inside)
    return labels


def megabytes_per_s(label: Callable[[str], object], text: str, n_times: int = 3) -> float:
    """The best of some runs, behind one that compiles, in megabytes of UTF-8."""
    label(text[:1000])
    taken = []
    for _ in range(n_times):
        began = time.process_time()  # of this process alone, whatever else the machine does
        label(text)
        taken.append(time.process_time() - began)
    return len(text.encode()) / 1e6 / min(taken)


def labeller(each: Hypothesis) -> Callable[[str], object]:
    """The hypothesis, of a text in Python."""
    asked = get(each.example_spelling)
    return lambda text: asked(text, file_name="text.py")


def show(rate: float, plain: float, name: str, remark: str = "") -> None:
    """Print a row."""
    print(f"{name:>36}  {rate:8.2f} MB/s  {rate / plain:7.2f} x  {remark}")


def show_every_hypothesis(text: str, plain: float) -> None:
    """Print a row for each hypothesis, the slowest last."""
    rows = []
    for name, each in registered().items():
        if not each.labels_any_text:
            continue
        by_library = name in _BY_LIBRARIES
        rate = megabytes_per_s(labeller(each), text[:_N_PLAIN] if by_library else text, 1 if by_library else 3)
        rows.append((rate, name, "by a library" if by_library else "" if rate >= _WANTED else f"below {_WANTED:.0f}"))
    for rate, name, remark in sorted(rows, reverse=True):
        show(rate, plain, name, remark)


def show_languages(programs: dict[str, str], plain: float) -> None:
    """Print a row for each hypothesis of code in each language, and for types of tokens: one reading answers all."""
    for language, text in programs.items():
        for name in _OF_CODE:
            try:
                rate = megabytes_per_s(get(f"{name}:{language}"), text)
            except HypothesisError:
                continue  # it has no languages, or not this one
            show(rate, plain, f"{name}:{language}", "" if rate >= _WANTED else f"below {_WANTED:.0f}")
        for type_of_token in _TOKENS:
            spelled = f"token:{type_of_token},{language}"
            show(megabytes_per_s(get(spelled), text[:_N_PLAIN], 1), plain, spelled, "by a library, or read before")


def show_surprisal(text: str, plain: float) -> None:
    """Print how fast the n-gram model learns from texts with few and with many different n-grams."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, 40_001)
    words = ["".join(map(chr, 0x4E00 + rng.zipf(1.3, rng.integers(1, 4)) % 5000)) for _ in shares]
    texts = {
        "the text": text,
        "words of 5,000 characters": "".join(rng.choice(words, 1_000_000, p=shares / shares.sum()).tolist()),
        "random bytes": rng.integers(0, 128, 2_000_000, np.uint8).tobytes().decode("ascii"),
    }
    for name, made in texts.items():
        for order in (3, 5, 8) if made is text else (5,):
            rate = megabytes_per_s(get(f"surprisal:{order}"), made)
            show(
                rate, plain, f"surprisal:{order}", f"{name}, {rate * len(made) / len(made.encode()):.1f} M characters/s"
            )


def read_programs(folder: Path | None, text: str) -> dict[str, str]:
    """A program in each language: the files of its folder one after the other, or else the text."""
    return {
        language: "".join(_contents(folder / language))[:_N_PROGRAM] if folder else text[:_N_PROGRAM]
        for language in _LANGUAGES
        if folder is None or (folder / language).is_dir()
    }


def _contents(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path.read_text(encoding="utf-8", errors="replace")


def main() -> None:
    """Print all rows, with their ratios to a plain loop in the same run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--programs", type=Path, help="a folder with a folder of programs for each language")
    arguments = parser.parse_args()
    text = arguments.text.read_text(encoding="utf-8")
    plain = megabytes_per_s(plain_loop, text[:_N_PLAIN])
    print(f"{len(text):,} characters; a plain Python loop: {plain:.1f} MB/s")
    show_every_hypothesis(text, plain)
    show_surprisal(text, plain)
    show_languages(read_programs(arguments.programs, text), plain)


if __name__ == "__main__":
    main()
