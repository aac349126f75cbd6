"""How well the labels of programs agree with tree-sitter's grammars on real programs, by language and hypothesis.

`programs.py` unpacks the programs: a folder for each language. Needs the extra `languages`.

python benchmarks/languages.py PROGRAMS
python benchmarks/languages.py PROGRAMS --language rust --hypothesis in_string --differences 20
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from tree_labels import GRAMMARS, NAMES, label

from hypotheses.registry import get


@dataclass(frozen=True)
class Difference:
    """A run of characters that a grammar and a hypothesis label differently.

    Attributes:
        path: The file.
        start: Index of its first character.
        stop: Index of the character after its last.
        text: All of the file.
        value: What the hypothesis says, at the first character.
    """

    path: Path
    start: int
    stop: int
    text: str
    value: bool

    def __str__(self) -> str:
        line = self.text.count("\n", 0, self.start) + 1
        before = self.text[max(self.start - 60, 0) : self.start]
        shown = self.text[self.start : min(self.stop, self.start + 160)]
        return f"{self.stop - self.start} characters, {self.path}:{line}, ours {self.value}: {before!r} >>> {shown!r}"


@dataclass
class Agreement:
    """How many characters of a language were compared, and how they were labelled."""

    n_chars: int = 0
    n_wrong: int = 0
    n_true: int = 0
    n_both: int = 0
    n_either: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(
        self, path: Path, text: str, ours: NDArray[np.bool_], theirs: NDArray[np.bool_], sound: NDArray[np.bool_]
    ) -> None:
        """Add a file."""
        differ = (ours != theirs) & sound
        self.n_chars += int(sound.sum())
        self.n_wrong += int(differ.sum())
        self.n_true += int((theirs & sound).sum())
        self.n_both += int((ours & theirs & sound).sum())
        self.n_either += int((ours & sound).sum()) + int((theirs & sound).sum())
        edges = np.flatnonzero(np.diff(np.concatenate([[False], differ, [False]]).astype(np.int8)))
        for start, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            self.differences.append(Difference(path, start, stop, text, bool(ours[start])))

    @property
    def share(self) -> float:
        """Share of characters labelled alike."""
        return 1 - self.n_wrong / max(self.n_chars, 1)

    @property
    def f1(self) -> float:
        """F1 of True, the grammar being right."""
        return 2 * self.n_both / self.n_either if self.n_either else float("nan")


def texts(programs: Path, language: str) -> Iterator[tuple[Path, str]]:
    """Yield the files of a language with their texts."""
    for path in sorted((programs / language).rglob("*")):
        if path.is_file():
            with path.open(encoding="utf-8", newline="") as file:
                yield path, file.read()


def compare(programs: Path, language: str, hypotheses: list[str]) -> tuple[int, dict[str, Agreement]]:
    """Return the number of characters in the files of a language, and the agreement by hypothesis."""
    agreements = {name: Agreement() for name in hypotheses}
    n_chars = 0
    for path, text in texts(programs, language):
        reference = label(text, language)
        n_chars += len(text)
        for name, agreement in agreements.items():
            labels = get(name, language=language)(text).values
            agreement.add(path.relative_to(programs), text, labels, reference.labels[name], reference.sound[name])
    return n_chars, agreements


def main() -> None:
    """Print a row for each language and hypothesis, and the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("programs", type=Path)
    parser.add_argument("--language", choices=list(GRAMMARS), action="append", help="Only this language.")
    parser.add_argument("--hypothesis", choices=NAMES, action="append", help="Only this hypothesis.")
    parser.add_argument("--differences", type=int, default=0, help="How many of the largest to show.")
    arguments = parser.parse_args()
    for language in arguments.language or GRAMMARS:
        n_chars, agreements = compare(arguments.programs, language, arguments.hypothesis or list(NAMES))
        for name, agreement in agreements.items():
            n_long = sum(difference.stop - difference.start > 100 for difference in agreement.differences)
            print(
                f"{language:>10}  {name:<16}  {n_chars:>9,} characters, "
                f"{agreement.n_chars / max(n_chars, 1):6.1%} read, "
                f"{agreement.n_true / max(agreement.n_chars, 1):7.3%} True, "
                f"agreement {agreement.share:.5f}, F1 {agreement.f1:.4f}, {n_long} differences over 100 characters",
                flush=True,
            )
            largest = sorted(agreement.differences, key=lambda difference: difference.start - difference.stop)
            for difference in largest[: arguments.differences]:
                print(f"    {difference}")


if __name__ == "__main__":
    main()
