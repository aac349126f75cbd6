"""Every built-in hypothesis on twelve texts that few of them were written for.

The expected labels are in `foreign_texts/expected.toml`, where they were read and checked one by one. A hypothesis that
is new belongs into the table (it is True nowhere, unless the table says so) or into one of the sets below.
"""

import tomllib
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import regex
from numpy.typing import NDArray

from activations.texts.corpus import Corpus
from analyses.targets.text_kinds import reasons_against
from hypotheses.registry import TOPICS, get, in_topic, registered

FOLDER = Path(__file__).parent / "foreign_texts"
EXPECTED: dict[str, dict[str, Any]] = tomllib.loads((FOLDER / "expected.toml").read_text(encoding="utf-8"))
OF_PROGRAMS = {
    "in_comment", "in_string", "in_docstring", "in_preprocessor", "in_if_condition", "in_function_body", "in_keyword",
    "in_identifier", "expression_depth", "in_number", "token",
}  # fmt: skip
"""Compared with the parsers of twelve languages elsewhere; on other texts, these do not apply."""
BY_REFERENCE = {
    "in_word", "position_in_word", "end_of_word", "chars_until_word_ends", "capitalised", "all_capitals", "vowel",
    "char_class", "position_in_line", "fraction_of_line", "chars_until_newline", "line_length", "blank_line",
    "in_indentation", "indentation", "indent_at_least", "chars_since_same", "rare_char", "phase", "regex", "surprisal",
    "bracket_depth", "position_in_brackets", "chars_until_bracket_closes", "position_in_quotes", "position_in_url",
    "position_in_wiki_link", "tag_depth", "part_of_speech",
}  # fmt: skip
"""Compared below with what takes a few lines of Python, since they have a label nearly everywhere."""

texts = pytest.mark.parametrize("name", list(EXPECTED))


def text_of(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def built_in() -> list[str]:
    return [hypothesis.name for topic in TOPICS for hypothesis in in_topic(topic) if hypothesis.labels_any_text]


def stretches(values: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where labels are True: [start, stop) of each run."""
    padded = np.concatenate(([False], values, [False]))
    bounds = np.flatnonzero(padded[1:] != padded[:-1]).tolist()
    return list(zip(bounds[::2], bounds[1::2], strict=True))


def shortened(stretch: str) -> str:
    return stretch if len(stretch) < 46 else f"{stretch[:20]} … {stretch[-20:]}"


def test_there_is_a_text_of_each_kind() -> None:
    assert len(EXPECTED) == 12
    assert {path.name for path in FOLDER.iterdir()} == {*EXPECTED, "expected.toml"}


def test_the_table_leaves_nothing_out() -> None:
    in_table = {name for expected in EXPECTED.values() for name in expected} - {"depths", "applies"}
    assert not in_table & (OF_PROGRAMS | BY_REFERENCE)
    assert in_table | OF_PROGRAMS | BY_REFERENCE == set(built_in())


@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
@texts
def test_hypotheses_are_refused_where_they_do_not_apply(name: str, is_named: bool) -> None:
    corpus = Corpus.from_texts([text_of(name)], [name if is_named else "text"])
    about_a_kind = sorted(
        asked for asked, hypothesis in registered().items() if hypothesis.needs and asked in built_in()
    )
    assert [asked for asked in about_a_kind if not reasons_against(get(asked), corpus)] == EXPECTED[name]["applies"]


@pytest.mark.parametrize("hypothesis", sorted(set(built_in()) - OF_PROGRAMS - BY_REFERENCE))
@texts
def test_labels_are_those_that_were_read(name: str, hypothesis: str) -> None:
    text = text_of(name)
    labels = get(hypothesis)(text)
    found = [shortened(text[start:stop]) for start, stop in stretches(labels.values & labels.present)]
    assert found == EXPECTED[name].get(hypothesis, [])


@texts
def test_words_are_those_of_a_pattern(name: str) -> None:
    text = text_of(name)
    unspaced = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}ー"
    spaced = rf"[\p{{L}}\p{{M}}\p{{N}}_--[{unspaced}]]"
    part = rf"(?:[{unspaced}][{unspaced}\p{{M}}\p{{N}}_]*|[{spaced}--\p{{M}}]{spaced}*)"
    apostrophe = rf"(?<=\p{{L}})['’](?=[\p{{L}}--[{unspaced}]])"
    pattern = regex.compile(rf"{part}(?:{apostrophe}{part})*", regex.VERSION1)
    expected = [(match.start(), match.end()) for match in pattern.finditer(text)]
    ends = np.zeros(len(text), bool)
    ahead: list[float | None] = [None] * len(text)
    in_word = np.zeros(len(text), bool)
    for start, stop in expected:
        ends[stop - 1] = True
        for t in range(start, stop):
            in_word[t] = text[t] not in "'’"
            ahead[t] = stop - 1 - t if in_word[t] else None
    np.testing.assert_array_equal(get("in_word")(text).values, in_word)
    np.testing.assert_array_equal(get("end_of_word")(text).values, ends)
    assert get("chars_until_word_ends")(text).tolist() == ahead
    positions: list[float | None] = [None] * len(text)
    for start, stop in expected:
        for t in range(start, stop):
            positions[t] = float(in_word[start : t + 1].sum()) if in_word[t] else None
    assert get("position_in_word")(text).tolist() == positions


@texts
def test_letters_are_those_of_unicode(name: str) -> None:
    text = text_of(name)
    vowels = set("aeiouæœøàáâäåèéêëìíîïòóôöõùúûüýąęăâơưăũĩẻểệ") | set("аеёиоуыэюяіїєәөүұӕıə")
    vowels |= set("աեէըիոօ") | set("აეიოუ")
    missing = regex.compile(
        r"[[\p{L}\p{M}]--[\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}\p{Georgian}\p{Inherited}\p{Common}]]|ー", regex.V1
    )
    labels = get("vowel")(text)
    for t, char in enumerate(text):
        letter = unicodedata.normalize("NFKD", char)[0].lower()
        expected = letter in vowels or letter in "αεηιουω" or char.lower() in vowels
        if char in "йЙўЎ":
            expected = False
        if regex.match(missing, char):
            assert not labels.present[t], char
        else:
            assert labels.present[t] and labels.values[t] == expected, char
    classes = get("char_class")(text).tolist()
    assert [label == "upper case" for label in classes] == [unicodedata.category(char) in {"Lu", "Lt"} for char in text]
    assert [label == "digit" for label in classes] == [char.isnumeric() and not char.isalpha() for char in text]
    inside = get("in_word")(text).values
    capital = get("capitalised")(text).values
    for start, stop in stretches(inside):
        if start == 0 or text[start - 1] not in "'’":
            assert capital[start] == text[start].istitle()
            assert (
                not capital[start]
                or capital[start:stop].all()
                or regex.search(r"[\p{Han}\p{Katakana}]", text[start:stop])
            )


@texts
def test_positions_are_those_of_lines(name: str) -> None:
    text = text_of(name)
    assert text.endswith("\n")
    lines = text.split("\n")[:-1]
    columns = [position for line in lines for position in [*range(1, len(line) + 1), 0]]
    columns[:] = [0 if char == "\n" else column for char, column in zip(text, columns, strict=True)]
    assert get("position_in_line")(text).tolist() == columns
    lengths = [len(line) for line in lines for _ in range(len(line) + 1)]
    assert get("line_length")(text).tolist() == lengths
    assert get("chars_until_newline")(text).tolist() == [n for line in lines for n in range(len(line), -1, -1)]
    shares = [column / length if column else 0 for column, length in zip(columns, lengths, strict=True)]
    np.testing.assert_allclose(get("fraction_of_line")(text).values, shares)
    blank = [not line.strip() and t == len(line) for line in lines for t in range(len(line) + 1)]
    assert get("blank_line")(text).tolist() == blank
    margins = [len(line) - len(line.lstrip(" \t")) for line in lines]
    inside = [t < margin for line, margin in zip(lines, margins, strict=True) for t in range(len(line) + 1)]
    assert get("in_indentation")(text).tolist() == inside
    so_far = [
        min(t + 1, margin) if t < len(line) else 0
        for line, margin in zip(lines, margins, strict=True)
        for t in range(len(line) + 1)
    ]
    assert get("indentation")(text).tolist() == so_far
    assert get("indent_at_least:3")(text).tolist() == [n >= 3 for n in so_far]
    assert get("phase:7")(text).tolist() == [t % 7 for t in range(len(text))]
    assert get("phase:7,e")(text).tolist() == [
        None if (last := text.rfind("e", 0, t + 1)) < 0 else (t - last - 1) % 7 for t in range(len(text))
    ]


@texts
def test_statistics_are_those_of_the_text_so_far(name: str) -> None:
    text = text_of(name)
    since = [None if (last := text.rfind(char, 0, t)) < 0 else t - last for t, char in enumerate(text)]
    assert get("chars_since_same")(text).tolist() == since
    rare = [None if t < 100 else text[:t].count(char) < 0.01 * t for t, char in enumerate(text)]
    assert get("rare_char:0.01")(text).tolist() == rare
    assert get(r"regex:\w")(text).tolist() == [regex.match(r"\w", char) is not None for char in text]
    assert get("surprisal")(text).values.min() >= 0


@texts
def test_positions_in_brackets_and_quotes_count_from_where_these_begin(name: str) -> None:
    text = text_of(name)
    any_bracket = np.zeros(len(text), bool)
    for kind in ("in_parentheses", "in_square_brackets", "in_braces"):
        any_bracket |= get(kind)(text).values
    np.testing.assert_array_equal(get("bracket_depth")(text).values > 0, any_bracket)
    since = get("position_in_brackets")(text)
    np.testing.assert_array_equal(since.present, any_bracket)
    ahead = get("chars_until_bracket_closes")(text)
    for t in np.flatnonzero(since.present).tolist():
        opener = text[t - int(since.values[t])]
        assert unicodedata.category(opener) == "Ps"
        if ahead.present[t]:
            assert (
                unicodedata.normalize("NFKC", text[t + int(ahead.values[t])])
                == {"(": ")", "[": "]", "{": "}"}[unicodedata.normalize("NFKC", opener)]
            )
    for position, binary, first in (
        ("position_in_quotes", "in_quotes", 0),
        ("position_in_url", "in_url", None),
        ("position_in_wiki_link", "in_wiki_link", 0),
    ):
        labels = get(position)(text)
        np.testing.assert_array_equal(labels.present, get(binary)(text).values)
        for start, stop in stretches(labels.present):
            offset = labels.values[start] if first is None else first
            assert labels.values[start:stop].tolist() == list(range(int(offset), int(offset) + stop - start))


@texts
def test_elements_are_open_where_they_were_read(name: str) -> None:
    text = text_of(name)
    depths = get("tag_depth")(text).values
    expected = EXPECTED[name].get("depths", {})
    for piece, depth in expected.items():
        assert depths[text.index(piece) + len(piece) - 1] == depth, piece
    if not expected:
        assert not depths.any()
