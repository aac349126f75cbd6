"""Tokens of Pygments' lexers: what a type means, how often a text is read, and that the faster loop gives the same."""

import re
import time
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class, get_all_lexers, get_lexer_by_name

from hypotheses.errors import HypothesisError
from hypotheses.programs.lexers.states import DOCSTRING, STRING
from hypotheses.programs.program import read_program
from hypotheses.pygments_tokens import token_types
from hypotheses.pygments_tokens.first_characters import first_characters
from hypotheses.pygments_tokens.lexer_rules import faster
from hypotheses.registry import get
from probe.demo import bundled_text

ALL_LEXERS = sorted(name for name, *_ in get_all_lexers())
LANGUAGES = (
    "c", "c++", "python", "javascript", "typescript", "rust", "go", "java", "haskell", "bash", "ruby", "sql", "kotlin",
    "php", "perl", "html", "css", "latex", "lua", "scala", "swift", "r", "make", "yaml", "json", "diff",
)  # fmt: skip
PIECES = (
    "\" ' \"\"\" ''' \\ # #include # // /* */ -- {- -} (* *) <!-- --> <?php ?> <<EOF EOF %w[a] @x $y ${ } ` r\" b' "
    "f'{x!r}' /// //! /** --| =begin =end if else fn def class int x y( ) [ ] { } ; : :: , . 0x1F 3.14e-7 1_000 += => "
    "-> é 日 Ⅷ K ſ <a> </a> &amp; <script> \\begin{a} \\end{a} $x$ import from public static void SELECT 'it''s' @media"
)
pieces = st.sampled_from(PIECES.split(" "))
texts = st.lists(pieces | st.sampled_from(["\n", "\n\n", " ", "\t", "\r", "\n    "]) | st.text(max_size=2)).map("".join)


@pytest.fixture(autouse=True)
def _nothing_kept() -> Iterator[None]:
    token_types._kept.clear()
    yield
    token_types._kept.clear()


def test_a_comment_is_one_in_every_language_and_an_attribute_is_none() -> None:
    program = '//! a\n#[derive(D)] /// x "y"\nlet a = "b"; /** c\n d */'
    asked = {
        type: get(f"token:{type},rust").mark(program).splitlines()[1] for type in ("Comment", "String", "String.Doc")
    }
    assert asked["Comment"] == "xxxxx..............xxxxxxxxx..............xxxxxxxxxxx"  # without the newlines
    assert asked["String"] == ".....................................xxx............."
    assert asked["String.Doc"] == "xxxxxx.............xxxxxxxxxx.............xxxxxxxxxxx"  # as Pygments has it
    assert get("token:Comment.Preproc,rust").mark("#[a] // b").splitlines()[1] == "xxxx....."
    assert get("token:Comment,c").mark("#include <a>\n/* b */").splitlines()[1] == "............." + "xxxxxxx"
    assert any(get("token:Comment.Preproc,c")("#include <a>\n").values)
    assert get("token:Comment,php").mark("<?php # a").splitlines()[1] == "......xxx"
    program = "<?php /** a */ 'b'"  # which Pygments reads alone, and calls String.Doc
    assert get("token:Comment,php").mark(program).splitlines()[1] == "......xxxxxxxx...."
    assert get("token:String,php").mark(program).splitlines()[1] == "...............xxx"
    assert get("token:String.Doc,php")(program).tolist() == get("token:Comment,php")(program).tolist()
    assert get("token:Comment.Preproc,php").mark(program).splitlines()[1] == "xxxxx............."
    assert get("token:Comment,bash").mark("#!/bin/sh\nls").splitlines()[1] == "xxxxxxxxx..."


@pytest.mark.parametrize(
    "language", ["c", "c++", "python", "js", "ts", "rs", "golang", "java", "hs", "bash", "rb", "sql"]
)
def test_types_of_a_known_language_are_those_of_its_hypotheses(language: str) -> None:
    """Without their delimiters; a causal label is True once the opener was read."""
    program = bundled_text().text()[:5_000] + "/* a */ \"b\" // c\n-- d\n# e\n'f'\nif else for end\n"
    comments, strings = (get(f"token:{type},{language}")(program).values for type in ("Comment", "String"))
    assert (comments | ~get(f"in_comment:{language}")(program).values).all()
    assert (comments & strings).sum() == 0
    if language not in ("rs", "hs"):  # where the mark of what may be a lifetime or a name is False until it is known
        assert (strings | ~read_program(program, language).is_any(STRING, DOCSTRING)).all()
    assert (get(f"token:Keyword,{language}")(program).values == get(f"in_keyword:{language}")(program).values).all()


def test_a_docstring_of_python_is_a_string() -> None:
    program = 'def f():\n    """a"""\n    # b'
    assert get("token:String,python").mark(program).splitlines()[1] == "." * 13 + "x" * 7 + "." * 8
    assert get("token:String.Doc,python")(program).tolist() == get("token:String,python")(program).tolist()
    assert get("token:Comment,python").mark(program).splitlines()[1] == "." * 25 + "xxx"


def test_documentation_in_pieces_is_a_comment_if_its_first_piece_is() -> None:
    """Pygments gives each line of a block of documentation of Rust a token, of which only the first has the opener."""
    program = "/** a\n b\n c */ fn f() {}\n/// d\n/// e\n"
    types = token_types.token_types(program, "rust", "", 60)
    is_doc_comment = types.are(lambda type_of_token: type_of_token is token_types.DOC_COMMENT)
    assert is_doc_comment.sum() == len("/** a\n b\n c */") + len("/// d\n/// e\n")


def test_one_reading_answers_all_questions_on_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    n_readings = []
    read = token_types._read

    def counted(lexer: Lexer, text: str, limit_s: float) -> token_types.TokenTypes:
        n_readings.append(text)
        return read(lexer, text, limit_s)

    monkeypatch.setattr(token_types, "_read", counted)
    texts = ["a = 1 # b", "c = 'd'"]
    for asked in ("token:Comment,python", "token:Name,python", "token:Name & ~token:Keyword", "token:String,py"):
        for text in texts:
            get(asked)(text, file_name="x.py")
    assert n_readings == texts
    get("token:Name,c")(texts[0])
    assert len(n_readings) == 3


def test_the_longest_unused_types_are_dropped_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(token_types, "MOST_BYTES", 10)
    texts = ["a = 1", "b = 2", "c = 3"]

    def is_kept(text: str) -> bool:
        return any(types.indices.tobytes() and key[1] == token_types._digest(text) for key, types in _kept_items())

    def _kept_items() -> list[tuple[tuple[type[Lexer], bytes], token_types.TokenTypes]]:
        return list(token_types._kept._by_key.items())

    for text in (texts[0], texts[1], texts[0], texts[2]):
        get("token:Name,python")(text)
    assert [is_kept(text) for text in texts] == [True, False, True]
    assert token_types._kept._n_bytes == 10
    get("token:Name,python")("x" * 11)
    assert len(_kept_items()) == 2


def test_a_lexer_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypotheses.built_in.tokens.LIMIT_S", -1e9)
    with pytest.raises(HypothesisError, match=r"the lexer took too long; it has read 0 of 5 characters"):
        get("token:Name,python")("a = 1")


@pytest.mark.parametrize("text", ["", "\n", "\r\n", "\r", "\ud800\U0010ffff", "\0"])
def test_a_text_may_be_of_any_characters(text: str) -> None:
    for language in ("python", "c", "html"):
        assert len(get(f"token:Name,{language}")(text)) == len(text)


@pytest.mark.parametrize("language", ["python", "c", "rust", "ruby"])
def test_a_line_of_a_megabyte_takes_no_longer_than_many_lines(language: str) -> None:
    label = get(f"token:Name,{language}")
    line = "a1 = b(c, 2) + 'd' * 3; "
    label(line)
    taken = []
    for text in (line * 4_000, (line + "\n") * 40_000, line * 40_000):
        began = time.process_time()
        assert len(label(text)) == len(text)
        taken.append(time.process_time() - began)
    assert taken[2] < 4 * taken[1] + 1


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_faster_lexer_has_the_same_tokens_on_a_real_file(language: str) -> None:
    lexer = get_lexer_by_name(language)
    text = bundled_text().text()[:60_000]
    assert list(faster(lexer).get_tokens_unprocessed(text)) == list(lexer.get_tokens_unprocessed(text))


@given(text=texts, language=st.sampled_from(LANGUAGES))
def test_the_faster_lexer_has_the_same_tokens(text: str, language: str) -> None:
    lexer = get_lexer_by_name(language)
    assert list(faster(lexer).get_tokens_unprocessed(text)) == list(lexer.get_tokens_unprocessed(text))


@settings(deadline=None)
@given(text=texts, name=st.sampled_from(ALL_LEXERS))
def test_every_faster_lexer_has_the_same_tokens(text: str, name: str) -> None:
    found = find_lexer_class(name)
    assert found is not None
    lexer = found()
    try:
        expected = list(lexer.get_tokens_unprocessed(text))
    except Exception as error:  # noqa: BLE001 - a lexer that fails has to fail in the same way
        with pytest.raises(type(error)):
            list(faster(lexer).get_tokens_unprocessed(text))
    else:
        assert list(faster(lexer).get_tokens_unprocessed(text)) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("ab", "a"), ("[a-c_]x", "abc_"), ("(?:if|else)\\b", "ie"), ("a?b", "ab"), ("a*?", None), ("(?=a)b", "b"),
        ("(?i)k", "kK"), ("x(a)|y", "xy"), ("(a|)b", "ab"), ("(?>a)+", "a"), ("a{0,2}+b", "ab"), ("^x$", "x"),
        ("", None), ("$", None), ("(a)\\1", "a"), ("(a)?\\1", None), ("é", ""), ("\\d", "0123456789"),
    ],
)  # fmt: skip
def test_first_characters_of_a_pattern(pattern: str, expected: str | None) -> None:
    firsts = first_characters(re.compile(pattern))
    assert firsts == (None if expected is None else frozenset(expected))


@given(
    pattern=st.from_regex(r"\(?(\[\^?[a-c]-?[x-z]\]|a|\.|\\[wWsSdD]|\(b\|c?\)|(?<!\()\b)[*+?]?\)?", fullmatch=True),
    text=st.text(),
)
def test_a_match_begins_with_one_of_the_first_characters(pattern: str, text: str) -> None:
    for flags in (0, re.IGNORECASE, re.ASCII):
        try:
            compiled = re.compile(pattern, flags)
        except re.error:
            return
        firsts, matched = first_characters(compiled), compiled.match(text)
        if matched and firsts is not None:
            assert matched.group() and (text[0] in firsts or not text[0].isascii())


def test_types_are_by_character_also_if_tokens_have_gaps() -> None:
    by_char = token_types._by_char(np.array([3, 0]), np.array([2, 1]), np.array([7, 5], np.uint16), 6)
    assert by_char.tolist() == [5, 0, 0, 7, 7, 0]
