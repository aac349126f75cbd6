"""The built-in hypotheses, character by character, and against independent labellers on real text."""

import io
import re
import sysconfig
import tokenize
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from hypotheses.registry import get
from probe.demo import bundled_text


def marked(name: str, text: str) -> str:
    """The text's labels as a row of marks, x for True."""
    return "".join("x" if label else "." for label in get(name)(text).values)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ('a "b" c', "..xx..."),
        ('"a\nb" c', "xxxx..."),  # a line end alone ends nothing
        ('"a\n\nb"c', "xxx..xx"),  # a blank line does, and the next mark opens
        ('"a\n \t\nb', "xxxxx" + ".."),
        ('"a\r\n\r\nb', "xxxxx.."),
        ('""', "x."),
        ('"""a\n\nb""" c', "x.xxxxxxx..."),  # a docstring goes on over blank lines
        ('""""a" """b', "x.xxxxxxx.."),
        ("\n\n", ".."),
        ("“a”", "..."),
    ],
)
def test_in_quotes(text: str, labels: str) -> None:
    assert marked("in_quotes", text) == labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a\nbc\n\nd", [1, 0, 1, 2, 0, 0, 1]),
        ("\nab", [0, 1, 2]),
        ("a\r\nb", [1, 2, 0, 1]),
        ("", []),
    ],
)
def test_position_in_line(text: str, labels: list[int]) -> None:
    assert get("position_in_line")(text).values.tolist() == labels


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("x  # y\nz", "...xxx.."),
        ("x = '#'  # '\ny", ".........xxx.."),
        ('"""\n# no\n"""\n# yes', ".............xxxxx"),
        ("'''a''' # b", "........xxx"),
        ("'' # b", "...xxx"),
        ("'a\\'# b'#", "........x"),
        ("'open # ends with its line\n# b", "." * 27 + "xxx"),
        ("x = 1\ny = a // b\n", "." * 17),  # Python by now: a division
        ("int a; // b\nint c;", "........xxx........"[:18]),
        ("a; /* b */ c", "....xxxxx..."),
        ("a; /*/ b */ c", "....xxxxxx..."),
        ('a("/*"); // b', "..........xxx"),
        ("a = '\"'; // b", "..........xxx"),
        ("a;\n#define b // c\n", "." * 14 + "xxx."),
        ("a; // b \\\nc\nd;", "....xxxxxxx..."),
    ],
)
def test_in_comment(text: str, labels: str) -> None:
    assert marked("in_comment", text) == labels


def test_a_file_that_begins_with_a_directive_turns_out_to_be_c() -> None:
    text = "#include <stdio.h>\nint x;\n#define N 1 /* one */\n"
    labels = marked("in_comment", text)
    assert labels[:9] == "xxxxxxxx."  # in doubt until the word is whole
    assert labels[9:].strip(".") == "x" * len("* one *")


def comments_by_tokenize(text: str) -> NDArray[np.bool_]:
    """Where Python's own tokenizer sees comments, in our alignment."""
    labels = np.zeros(len(text), bool)
    starts = np.concatenate([[0], np.flatnonzero(np.array(list(text)) == "\n") + 1])
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        if token.type == tokenize.COMMENT:
            line = starts[token.start[0] - 1]
            labels[line + token.start[1] : line + token.end[1]] = True
    return labels


@pytest.mark.parametrize("module", ["argparse", "ast", "calendar", "dataclasses", "difflib", "random", "typing"])
def test_python_comments_are_those_of_tokenize(module: str) -> None:
    text = (Path(sysconfig.get_path("stdlib")) / f"{module}.py").read_text(encoding="utf-8")
    np.testing.assert_array_equal(get("in_comment")(text).values, comments_by_tokenize(text))


def test_python_comments_in_the_bundled_text_are_those_of_tokenize() -> None:
    text = bundled_text().text()
    np.testing.assert_array_equal(get("in_comment")(text).values, comments_by_tokenize(text))


def test_c_comments_are_those_of_a_lexer_for_c(shared: Path) -> None:
    """Nearly: where a text goes on without a line of code that ends as C does, the language is in doubt."""
    text = (shared / "linux_kernel.c.txt").read_text(encoding="utf-8")
    tokens = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|//(?:\\\n|[^\n])*|/\*.*?\*/', re.DOTALL)
    expected = np.zeros(len(text), bool)
    for token in tokens.finditer(text):
        if token.group().startswith("//"):
            expected[token.start() + 1 : token.end()] = True
        elif token.group().startswith("/*"):
            expected[token.start() + 1 : token.end() - 1] = True
    assert (get("in_comment")(text).values == expected).mean() > 0.9995
