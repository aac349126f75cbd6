"""The built-in hypotheses, character by character, and against independent labellers on real text."""

import sysconfig
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from labellers import c_labels, c_structure, files_of, python_labels, python_structure
from numpy.typing import NDArray

from hypotheses.registry import get, registered
from probe.demo import bundled_text


def marked(name: str, text: str) -> str:
    """The text's labels as a row of marks, x for True."""
    return get(name)(text).marks()


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


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("in_string:python", 'x = """a"""', "....x.xxxx."),
        ("in_string:python", '"""a""" b', "..xxxx..."),
        ("in_string:python", "'a'", ".x."),
        ("in_string:python", "''\n'a'", "....x."),
        ("in_string:python", 'f("""a""")', "..x.xxxx.."),
        ("in_string:python", "x = r'\\'' 'b'", ".....xxx..xx."),
        ("in_string:python", "x = 'a\\\nb'", "....xxxxx."),
        ("in_string:python", "x = 'a\\\r\nb'", "....xxxxxx."),
        ("in_string:python", "x = 'a\nc'", "....xx..x"),
        ("in_string:c", "a(\"b\", 'c')", "..xx...xx.."),
        ("in_docstring:python", "'a'\n'b'", ".x....."),
        ("in_docstring:python", "# c\n\nr'a'", ".......x."),
        ("in_docstring:python", "b'a'", "...."),
        ("in_docstring:python", "class A: 'd'", "..........x."),
        ("in_docstring:python", "def f(a=(1, 'x'),\n  b=2): 'd'", "...........................x."),
        ("in_docstring:python", "async def f():\n  'd'", "..................x."),
        ("in_docstring:python", "if a:\n  'd'", "..........."),
        ("in_docstring:python", "x = (\ndef f():\n  'd'", "..................x."),
        ("in_preprocessor:c", "#a\nb\n # c\n'\n#d", "xx....xxx...xx"),
        ("in_single_quotes", "'a' b 'c d' don't", "xxx...xxxxx......"),
        ("in_single_quotes", "the boys' 'hat'", "..........xxxxx"),
        ("in_single_quotes", "‘a’ ‘don’t’", "xxx.xxxxxxx"),
        ("in_single_quotes", "'a\n\nb'", "xxx..."),
        ("in_single_quotes", "' a '90s", "x...x..."),
        ("in_backticks", "``` \n\n `a` ``` `b`", "xxxxxxxxxxxxx..xx."),
        ("in_backticks", "`a\n\nb`c", "xxx..xx"),
        ("in_curly_quotes", "“a “b”\n\nc”", "xxxxxxx..."),
        ("in_number", "f(a,1) [x,2] a.5 x'3'", "....x.....x........x."),
        ("in_proper_name", "so I'll go, I've it Ivan", "??...................xxx"),
        ("in_latex_environment:align*", "\\begin{align*}x\\end{align*}", ".............xxxxxxxxxxxxx."),
        ("in_maths", "% \\begin{equation} x\ny \\end{equation} \\\\begin{equation} x", "." * 57),
        (
            "in_if_condition:c",
            "if (f((s){1}) == 2) y; else if /* c */ (b) y;",
            "...xxxxxxxxxxxxxxx.....................xx....",
        ),
        ("in_identifier:c", 'f("%"PRIu64"", x); 3.f L"a" a.e', "x....xxxxxx....x............x.x"),
        ("in_identifier:c", "#include <a.h>\nint b;", "...................x."),
        ("in_speaker", "\nA:\n", ".x.."),
        ("in_speaker", "A [to B]:\nb\n\nC (d):\n", "xxxxxxxx.....xxxxx.."),
        ("in_tag", "<!-- a\n\nb --> c", ".xxxxxx........"),
        ("in_single_quotes", "'twixt a 'b'", "xxxxxx...xxx"[:12]),
        ("in_parentheses", "a (b\n\nc) { (\n\n } ( {\n\n} d)", "..xxx......xx....xxxxxxxx."),
        ("bracket_depth", "a (b\n\nc) { (\n\n } ( {\n\n} d)", "00111000011221100112221110"),
        ("expression_depth:python", "x = ( # (\n\n '[' [ } )", "000011111111111122220"),
        ("in_number", "1.5 1. a1 1e5 3,14", "x.x.x.....xxx.x.xx"),
        ("in_number", "192.168.0.1 x.2", "xxx.xxx.x.x...."),
        ("in_url", "x://a http://a. b", "............xxx.."),
        ("in_url", "(http://a(b)c) d", ".......xxxxxx..."),
        ("in_url", "'http://a' www.b awww.c ww.d", ".......xx.....xx............"),
        ("in_wiki_link", "[[a\n\nb]]", ".xxx...."),
        ("in_wiki_link", "[[a [[b]] c]] d", ".xxxxxxxxxxx..."),
        ("in_wiki_link", "[a] [ [b] ]", "..........."),
        ("in_template", "{{a\n\nb}}", ".xxxxxx."),
        ("in_tag", "<!-- <a> --> b", ".xxxxxxxxxx..."),
        ("in_tag", "<a b='>' c>d", ".xxxxxxxxx.."),
        ("in_tag", "a<b\n\nc", "......"),
        ("in_tag", "a <b\n\nc", "...xx.."),
        ("in_attribute", "<a b c='d e' f = g>", "...x.xxxxxx..x.xxx."),
        ("in_heading", "####### a\n## b", "............xx"),
        ("in_heading", "```\n# a\n```\n# b", ".............xx"),
        ("in_maths", "$$a$ b$$ \\[c\\] $d\n\ne", ".xxxxxx...xxx......."),
        ("in_maths", "\\begin{align*}a\\end{align*}b", ".............xxxxxxxxxxxxx.."),
        ("in_maths", "% $a\n$b^2$", ".......xx."),
        ("in_latex_environment:b", "\\begin{a}\\begin{b}\\end{a}c", ".................xxxxxxx.."),
        ("in_if_condition:python", "if a[b:c] == 'd:': e", "..xxxxxxxxxxxxxxx..."),
        ("in_if_condition:python", "if(a): b\nx = (1\n if c else d)", "..xxx........................"),
        ("in_if_condition:python", "if a := b: c", "..xxx.xxx..."),
        ("in_if_condition:c", "else if (a) b; iff (c) #if (d)", "........xx...................."),
        ("in_function_body:python", "def f(\n a): b\n\n# c\nd", "..........xxxxxxxxx."),
        ("in_function_body:python", "class A:\n def f(): a\n def g(): b\nc", ".................xxxxx.......xxxx."),
        ("in_function_body:c", "struct a { int b; } c() { d; }", "........................xxxxx."),
        ("in_function_body:c", "struct a *b(c) { d; } int x[] = { 1 };", "...............xxxxx.................."),
        ("in_function_body:c", "#define a(b) { c }\nint d;", "........................."),
        ("in_keyword:python", "not_a in 'in' # in", "......xx.........."),
        ("in_identifier:c", "int a1 = 0x1F + _b;", "....xx..........xx."),
        ("in_proper_name", "He met Mr. Lee. Lee", "??.....xx..xxx..???"),
        ("sentence_start", "A bc. D! e", "x....xx.xx"),
        ("sentence_start", "a.b e.g. c\n\nd", "x..........xx"),
        ("sentence_start", "1. How? In 5. b", "x.xxxx.xxx....."),
        ("sentence_start", "A.\n\n1.7. How 3.5 b", "x..xx...xxxx......"),
        ("sentence_start", "3.5 b. 5 c", "x........."),
        ("in_speaker", "A: b\n\nNurse:\r\nx\n\n  Tom :\n", "......xxxxx........xxxx.."),
        ("all_capitals", "A1B ab USA", "..x.....xx"),
        ("blank_line", "\na\n \t\nb", "x....x."),
    ],
)
def test_labels_character_by_character(name: str, text: str, labels: str) -> None:
    assert marked(name, text) == labels


class Agreement:
    """How many characters an independent labeller and ours label alike, by hypothesis."""

    def __init__(self) -> None:
        self.wrong: Counter[str] = Counter()
        self.total: Counter[str] = Counter()

    def add(
        self, text: str, expected: dict[str, NDArray[np.bool_]], sound: NDArray[np.bool_], language: str | None
    ) -> None:
        for name, labels in expected.items():
            self.wrong[name] += int(((get(name, language=language)(text).values != labels) & sound).sum())
            self.total[name] += int(sound.sum())

    @property
    def shares(self) -> dict[str, float]:
        return {name: 1 - self.wrong[name] / self.total[name] for name in self.total}


def standard_library(most_chars: float) -> Iterator[str]:
    """Modules of this Python, as many as have no more characters than these."""
    n_chars = 0
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("[a-p]*.py")):
        text = path.read_text(encoding="utf-8")
        n_chars += len(text)
        if n_chars < most_chars:
            yield text


@pytest.mark.parametrize("most_chars", [5e5, pytest.param(2e6, marks=pytest.mark.slow)])  # parsed, and labelled twice
@pytest.mark.parametrize("language", ["python", None])
def test_python_is_labelled_as_its_own_tokenizer_and_parser_do(language: str | None, most_chars: float) -> None:
    agreement, structure = Agreement(), Agreement()
    for text in standard_library(most_chars):
        everywhere = np.ones(len(text), bool)
        agreement.add(text, python_labels(text), everywhere, language)
        structure.add(text, *python_structure(text), language)
    assert agreement.wrong["in_comment"] == 0
    assert min(agreement.shares.values()) > 0.9998
    assert min(structure.shares.values()) > (0.9999 if language else 0.998)  # in doubt at the beginning of a file


@pytest.mark.slow  # five million characters
def test_every_file_of_the_cpython_corpus_is_labelled_as_tokenize_does(shared: Path) -> None:
    agreement, structure = Agreement(), Agreement()
    for _, text in files_of(shared / "cpython_stdlib.py.txt"):
        everywhere = np.ones(len(text), bool)
        agreement.add(text, python_labels(text), everywhere, None)
        structure.add(text, *python_structure(text), "python")
    assert agreement.wrong["in_comment"] == 0
    assert min(agreement.shares.values()) > 0.9999
    assert min(structure.shares.values()) > 0.99999


@pytest.mark.slow  # six million characters
def test_every_file_of_the_kernel_corpus_is_labelled_as_tree_sitter_does(shared: Path) -> None:
    """Where tree-sitter can read it: 92.4 % of the characters."""
    agreement, structure, n_sound = Agreement(), Agreement(), 0
    for _, text in files_of(shared / "linux_kernel.c.txt"):
        expected, sound = c_labels(text)
        n_sound += int(sound.sum())
        agreement.add(text, expected, sound, None)
        structure.add(text, *c_structure(text), "c")
    assert n_sound > 5.8e6
    assert min(agreement.shares.values()) > 0.9998
    assert min(structure.shares.values()) > 0.9995


C_TEXT = """\
/* a "comment" */ // another 'one' \\
that goes on
#include <a.h>
#define SPELL(x) "spelled // not so" x /* but that */
static const char *s = "a\\"b" L"c", c = '\\''; // 'd
int f(void) { return a / *b; /**/ }
"""


def test_c_is_labelled_as_tree_sitter_does() -> None:
    agreement = Agreement()
    expected, sound = c_labels(C_TEXT)
    agreement.add(C_TEXT, expected, sound, "c")
    assert sound.all()
    assert sum(expected["in_comment"]) > 60 and sum(expected["in_string"]) > 20
    assert agreement.wrong.total() == 0


def test_comments_in_the_bundled_text_are_those_of_tokenize() -> None:
    text = bundled_text().text()
    np.testing.assert_array_equal(get("in_comment")(text).values, python_labels(text)["in_comment"])


@pytest.mark.parametrize(
    "text",
    [
        "word 'a (b " * 5_000,
        "([" * 50_000,
        "(" * 50_000 + ")]" * 25_000,
        "\\begin{a}" * 5_000,
        "<a b='" * 5_000,
        " " * 100_000,
        "'\"" * 30_000,
    ],
    ids=["one line", "unclosed brackets", "crossed brackets", "environments", "attributes", "blanks", "quotes"],
)
def test_nothing_takes_longer_than_its_length(text: str) -> None:
    """A labeller that is quadratic would not come to an end: these are done in seconds together."""
    for each in filter(lambda hypothesis: hypothesis.labels_any_text, registered().values()):
        assert len(get(each.example_spelling)(text, file_name="text.py")) == len(text)


def test_parts_of_speech_of_a_plain_sentence() -> None:
    text = "The old man quickly gave her 2 red books, and Anna left."
    labels = get("part_of_speech")(text).tolist()
    found = {word: labels[text.index(word)] for word in text.strip(".").replace(",", "").split()}
    assert found == {
        "The": "determiner", "old": "adjective", "man": "noun", "quickly": "adverb", "gave": "verb", "her": "pronoun",
        "2": "number", "red": "adjective", "books": "noun", "and": "conjunction", "Anna": "proper noun", "left": "verb",
    }  # fmt: skip
