"""How fast hypotheses label, beside a plain Python loop over the characters: megabytes a second and their ratio.

python benchmarks/label.py corpus.txt
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from hypotheses.hypothesis import Hypothesis
from hypotheses.registry import get, registered

_WANTED = 20.0  # MB/s, of a hand-written state machine
_BY_LIBRARIES = {"part_of_speech", "regex", "token", "in_speaker", "in_latex_environment"}
_N_PLAIN = 1_000_000


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
    """The best of some runs, behind one that compiles; a character of ASCII is a byte."""
    label(text[:1000])
    taken = []
    for _ in range(n_times):
        began = time.perf_counter()
        label(text)
        taken.append(time.perf_counter() - began)
    return len(text.encode()) / 1e6 / min(taken)


def labeller(each: Hypothesis) -> Callable[[str], object]:
    """The hypothesis, of a text in Python."""
    asked = get(each.example_spelling)
    return lambda text: asked(text, file_name="text.py")


def main() -> None:
    """Print a row for each hypothesis, the slowest last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    text = parser.parse_args().text.read_text(encoding="utf-8")
    plain = megabytes_per_s(plain_loop, text[:_N_PLAIN])
    rows = []
    for name, each in registered().items():
        if not each.labels_any_text:
            continue
        by_library = name in _BY_LIBRARIES
        rate = megabytes_per_s(labeller(each), text[:_N_PLAIN] if by_library else text, 1 if by_library else 3)
        rows.append((rate, name, "by a library" if by_library else "" if rate >= _WANTED else f"below {_WANTED:.0f}"))
    print(f"{len(text):,} characters; a plain Python loop: {plain:.1f} MB/s")
    for rate, name, remark in sorted(rows, reverse=True):
        print(f"{name:>28}  {rate:7.1f} MB/s  {rate / plain:6.1f} x  {remark}")


if __name__ == "__main__":
    main()
