"""Marks below the characters of a text: they line up, and nothing in the text steers the terminal."""

import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.terminal.marks import columns_of, marked, marked_lines

NUMBERED = "0123456789abcdefghijklmnopqrstuvwxyz"


def plain_width(char: str) -> int:
    if unicodedata.category(char) in ("Mn", "Me") or 0x1160 <= ord(char) < 0x1200 or 0xD7B0 <= ord(char) < 0xD800:
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def lines(text: str, width: int = 40) -> list[str]:
    return [line for pair in marked_lines(text, NUMBERED[: len(text)], width) for line in pair]


@pytest.mark.parametrize(
    ("text", "shown", "marks"),
    [
        ("a漢b", "a漢b", "01 2"),  # Chinese
        ("한글!", "한글!", "0 1 2"),  # Korean
        ("\u1112\u1161\u11ab!", "\u1112\u1161\u11ab!", "2 3"),  # the same syllable in parts
        ("カナｶﾅＡ", "カナｶﾅＡ", "0 1 234 "),  # Japanese, of full and half width
        ("e\u0301x", "e\u0301x", "12"),  # a combining accent
        ("\u0301x", "◌\u0301x", "01"),
        ("\n\u0301x", "↵◌\u0301x", "012"),
        ("a\tb\r\n", "a→b␍↵", "01234"),
        ("\x00\x1b[2J\x7f\x9b", "␀␛[2J␡·", "0123456"),
        ("a\u200bb\ufeff", "a·b·", "0123"),  # zero-width characters are seen
        ("a\u202eb\u2066c\u200f", "a·b·c·", "012345"),  # bidirectional controls
        ("שלום", "שלום", "0123"),
        ("ال\u0652", "ال\u0652", "02"),
        ("👩\u200d🚀!", "👩·🚀!", "0 12 3"),  # a joined emoji: its parts, so that all terminals agree
        ("👋🏽!", "👋·!", "0 12"),  # a skin tone
        ("❤\ufe0f!", "❤!", "12"),  # a variation selector
        ("🇩🇪!", "🇩🇪!", "012"),
        ("\u3000x", "·x", "01"),  # an ideographic space
        ("\ud800x", "·x", "01"),
        ("", "", ""),
    ],
)  # fmt: skip
def test_marks_stand_below_their_characters(text: str, shown: str, marks: str) -> None:
    assert marked(text, NUMBERED[: len(text)]) == f"{shown}\n{marks}"


def test_lines_end_at_newlines_and_at_the_edge_of_the_terminal() -> None:
    assert lines("ab\n\ncd\n") == ["ab↵", "012", "↵", "3", "cd↵", "456"]
    assert lines("abcdef", 4) == ["abcd", "0123", "ef", "45"]
    assert lines("abc漢d", 4) == ["abc", "012", "漢d", "3 4"]  # a wide character is not cut in two
    assert lines("abce\u0301f", 4) == ["abce\u0301", "0124", "f", "5"]  # nor an accent taken from its letter
    assert lines("") == []


@given(st.text(max_size=60), st.integers(2, 20))
def test_any_text_has_a_mark_for_each_column(text: str, width: int) -> None:
    marks = "".join(NUMBERED[t % len(NUMBERED)] for t in range(len(text)))
    columns = columns_of(text)
    assert [column.last for column in columns] == sorted({column.last for column in columns})
    for shown, below in marked_lines(text, marks, width):
        assert all(char.isprintable() for char in shown)
        assert not any(unicodedata.bidirectional(char) in ("LRE", "RLE", "LRO", "RLO", "PDF") for char in shown)
        n_columns = sum(plain_width(char) for char in shown)
        assert len(below) == n_columns <= width
    letters = [char for line, _ in marked_lines(text, marks, width) for char in line if char.isalpha()]
    assert letters == [char for char in text if char.isalpha()]


def test_widths_are_those_that_rich_knows() -> None:
    """Of letters in wide use; rich and Python may know different versions of Unicode."""
    codes = [*range(0x20, 0x7F), *range(0xA1, 0xAD), *range(0x391, 0x3AA), *range(0x410, 0x450), *range(0x5D0, 0x5EB),
             *range(0x3041, 0x3097), *range(0x4E00, 0x9FA6), *range(0xAC00, 0xD7A4), *range(0xFF01, 0xFF61),
             *range(0x1F600, 0x1F650)]  # fmt: skip
    for code in codes:
        [column] = columns_of(chr(code))
        assert column.n_columns == cell_len(chr(code)), hex(code)


def test_a_hypothesis_marks_wide_and_unprintable_characters() -> None:
    def is_last(text: str) -> list[bool]:
        return [t == len(text) - 1 for t in range(len(text))]

    assert hypothesis(is_last).mark("漢\x1b字") == "漢␛字\n. .x "


def test_classes_are_marked_in_one_column() -> None:
    assert Labels.class_marks(["名詞", "動詞"]) == "ab"
    assert Labels.class_marks(["глагол", "имя"]) == "ги"
    labels = Labels(np.array([0, 1], np.int32), "categorical", None, ("名詞", "動詞"))
    assert marked("見る", labels.marks()) == "見る\na b "
