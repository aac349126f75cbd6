"""Brackets that are escaped, wide, or never closed."""

import numpy as np
import pytest

from hypotheses.readers.nesting import LONGEST, MOST_WITHOUT_BRACES
from hypotheses.registry import get


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("in_braces", r"\{ a", "...."),
        ("in_braces", r"\left\{ {a} \right. b", "........xx..........."),
        ("in_braces", r"{ \} b }", "xxxxxxx."),
        ("in_braces", r"\\{a}", "..xx."),  # a line break of LaTeX, then a brace
        ("in_braces", r"\\\{a}", "......"),
        ("in_square_brackets", r"\\[2pt] \[ x \]", "..xxxx........."),
        ("in_parentheses", r"a\(b\) (c\)d)", ".......xxxxx."),
        ("in_parentheses", ":) 1) a (b)", "........xx."),
        ("in_parentheses", "テ（スト）。", ".xxx.."),
        ("in_square_brackets", "［a]b", "xx.."),
        ("bracket_depth", "｛（［a］）｝", "1233210"),
        ("bracket_depth", r"(\[\{)", "111110"),
        ("in_braces", "{a\n\nb}", "xxxxx."),
        ("position_in_brackets", r"\(a (b", "????01"),
        ("chars_until_bracket_closes", r"(a\))", "4321?"),
    ],
)
def test_brackets(name: str, text: str, labels: str) -> None:
    assert get(name)(text).marks() == labels


def test_an_open_brace_is_forgotten_when_no_brace_follows() -> None:
    text = "{ (" + "word " * (MOST_WITHOUT_BRACES // 5) + "{a} )"
    braces, depth = get("in_braces")(text).values, get("bracket_depth")(text).values
    last = MOST_WITHOUT_BRACES - 1
    assert braces[: last + 1].all() and not braces[last + 1 : text.index("{a}")].any()
    assert braces[text.index("{a}") : text.index("}")].all()
    assert depth[last] == 2 and depth[last + 1] == 1  # the parenthesis is still open
    assert depth[-1] == 0
    assert get("chars_until_bracket_closes")(text).missing.tolist()[0]  # type: ignore[union-attr]


def test_braces_that_follow_each_other_stay_open_over_many_lines() -> None:
    body = "if (a) {\n  b();\n}\n\n" * 3_000
    text = "{" + body + "}"
    assert len(text) < LONGEST
    assert get("in_braces")(text).values[:-1].all()
    assert get("chars_until_bracket_closes")(text).values[0] == len(text) - 1


@pytest.mark.parametrize("bracket", ["(", "[", "{"])
def test_nothing_stays_open_for_ever(bracket: str) -> None:
    text = bracket + "{} " * LONGEST
    depth = get("bracket_depth")(text).values
    assert depth[LONGEST - 1] >= 1
    assert depth[LONGEST + 2 :].max() == 1
    assert (depth[LONGEST + 2 :] == 0).any()


def test_the_bottom_of_a_deep_stack_is_forgotten_one_by_one() -> None:
    depth = get("bracket_depth")("(" * (LONGEST + 500)).values
    np.testing.assert_array_equal(depth, np.minimum(np.arange(1, LONGEST + 501), LONGEST))


LATEX = "\\section{A}\nIt is \\emph{late {x.\n% {\n\nIt is {early}.\n"


def test_an_unclosed_brace_of_latex_ends_with_its_paragraph() -> None:
    braces, depth = get("in_braces")(LATEX).values, get("bracket_depth")(LATEX).values
    blank_line = LATEX.index("\n\n") + 1
    assert braces[LATEX.index("{late") : blank_line].all() and depth[blank_line - 1] == 3
    assert depth[blank_line] == 0 and not braces[blank_line : LATEX.index("{early")].any()
    assert braces[LATEX.index("{early") : LATEX.index("}.")].all() and not braces[LATEX.index("}.") :].any()


@pytest.mark.parametrize(
    "text",
    [
        "a;\nb;\n\\emph{x}\nint f() {\n\n",  # as many lines end in a semicolon as commands have a brace
        '"\\n{"\nf = {\n\n',  # no command has one letter
        '{"a": 1,\n\n',
    ],
)
def test_a_brace_of_other_texts_stays_open_over_a_blank_line(text: str) -> None:
    assert get("in_braces")(text).values[-1]
