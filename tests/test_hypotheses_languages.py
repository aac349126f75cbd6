"""Programs in twelve languages: comments, strings, doc comments, keywords, names and numbers, with known answers."""

import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hypotheses.errors import HypothesisError
from hypotheses.programs.languages import LANGUAGES, language_of_file
from hypotheses.programs.lexers.states import COMMENT, DOC_COMMENT, DOCSTRING, STRING
from hypotheses.programs.program import whole_tokens
from hypotheses.registry import get

NAMES = [language.name for language in LANGUAGES]
CAUSAL = ("in_comment", "in_string", "in_docstring", "in_number")

every_language = pytest.mark.parametrize("language", NAMES)


@pytest.mark.parametrize(
    ("name", "language", "text", "marks"),
    [
        ("in_comment", "rust", "a /* b /* c */ d */ e // f", "...xxxxxxxxxxxxxxx.....xxx"),
        ("in_comment", "rust", "#[derive(A)] /// d", "..............xxxx"),
        ("in_docstring", "rust", "/// a\n//! b\n//// c\n/** d */ /***/", "..xxx...xxx...x......xxxxx....x.."),
        ("in_string", "rust", "fn f<'a>(x: &'a str) { '\"'; '\\''; 'b' }", "........................x....xx........"),
        ("in_string", "rust", 'r#"a"b"#; b"\\"c"; "d\ne"', "..xxxxx....xxxx...xxxx."),
        ("in_string", "c++", "x = 1'000'0; L'a'; R\"x(a)\" b)x\";", "..............xx....xxxxxxxxxx.."),
        ("in_comment", "c++", "// a \\\nb\nc", ".xxxxxxx.."),
        ("in_comment", "javascript", "a = b / c // d\ne /* f */", "...........xxx....xxxxx."),
        ("in_comment", "javascript", "x = /[/*]\\//g; y // z", "..................xxx"),
        ("in_string", "javascript", "return /'/.test('a')", "................xx.."),
        ("in_string", "javascript", "`a${b + `c${'d'}`}e` / 2", "xxxxxxxxxxxxxxxxxxx....."),
        ("in_comment", "javascript", "#!/usr/bin/env node\na", ".xxxxxxxxxxxxxxxxxx.."),
        ("in_docstring", "typescript", "/** a */ /* b */ // c", "..xxxxx.............."),
        ("in_string", "go", 'a := `b\\` + "c" + \'"\'', ".....xxx....xx....xx."),
        ("in_string", "java", 'a = """ b "c" """; d = "";', "....x.xxxxxxxxxx.......x.."),
        ("in_docstring", "java", "/** a */ // b", "..xxxxx......"),
        ("in_comment", "haskell", "a --> b -- c\n{- d {- e -} f -} g", "...x.....xxx...xxxxxxxxxxxxxx..."),
        ("in_comment", "haskell", "{-# LANGUAGE A #-} --", "....................x"),
        ("in_string", "haskell", "f' 'a' '\\'' \"b\\\n  \\c\" 'T", "........xx..xxxxxxxx...."),
        ("in_docstring", "haskell", "-- | a\n-- b\n\n-- c", "...xxx..xxx......"),
        ("in_comment", "shell", "a=$# # b\nc#d ${#e} # f", ".....xxx...........xxx"),
        ("in_string", "shell", "a \"b $(c \"d\" e) f\" 'g' $'h\\'i'", "..xxxxxxxxxxxxxxx..xx...xxxxx."),
        ("in_string", "shell", "cat <<'A' <<-B\nc $d\nA\n\te\n\tB\nf", "..............xxxxxx.xxxxx..."),
        ("in_string", "ruby", '"a#{b + "c"}d" + \'e#{\'', "xxxxxxxxxxxxx....xxxx."),
        ("in_string", "ruby", "%w[a b] + x % 2; y = /'/", "..xxxx.................."),
        ("in_comment", "ruby", "=begin\na\n=end\nb # c\n__END__\n# d", ".....xxxxxxx....xxx............"),
        ("in_string", "ruby", "f(<<~A, 1)\n  a #{b}\n  A\nc", "..........xxxxxxxxxxxx..."),
        ("in_string", "sql", "'it''s' \"na'me\" E'a\\'b' $1", "xxx.xx...........xxxxx...."),
        ("in_comment", "sql", "a -- b\n/* c /* d */ e */ f", "...xxx..xxxxxxxxxxxxxxx..."),
        (
            "in_comment",
            "sql",
            "create function f() as $$ begin -- a\n end $$; 'b -- c'",
            ".................................xxx..................",
        ),
        ("in_string", "sql", "$a$ b ' $c$ $a$ || $$d$$", "..xxxxxxxxxxxx......xxx."),
        ("in_keyword", "rust", "fn f(x: &'static str) { if r#if {} }", "xx......................xx.........."),
        (
            "in_keyword",
            "javascript",
            "import { of } from 'a'; x.delete(y); for (a of b) ({ if: 1 })",
            "xxxxxx........xxxx...................xxx....xx...............",
        ),
        ("in_keyword", "ruby", "if x.class then { if: :end } end", "xx.........xxxx..............xxx"),
        ("in_keyword", "shell", "for if in a; do echo done; done", "xxx....xx....xx............xxxx"),
        ("in_keyword", "sql", "SELECT a FROM b", "xxxxxx...xxxx.."),
        ("in_keyword", "java", "synchronized (a) { }", "xxxxxxxxxxxx........"),
        ("in_identifier", "haskell", "f' x = let g = x in g", "xx.x.......x...x....x"),
        ("in_identifier", "sql", 'select "a b" from c', ".......xxxx.......x"),
        ("in_number", "c++", "x1 = 0x1F + 1'000 - 1.5e-3f; // 4", ".....xxxx...x.xxx...x.xx.xx......"),
        ("in_number", "rust", "a.0 + 1_000u64 * '1'", "..x...xxxxxxxx......"),
        ("in_number", "javascript", "$1 + 10n + '2'", ".....xxx......"),
        ("in_number", "shell", "a1 2 $3 4 b-5 x=6", "...x....x.......x"),
        ("in_preprocessor", "c++", "#if A\nb", "xxxxx.."),
        ("in_preprocessor", "rust", "#[a]\nb", "......"),
        ("expression_depth", "rust", "f('(', [\"[\"])", "0111111222210"),
    ],
)
def test_the_tokens_of_a_language(name: str, language: str, text: str, marks: str) -> None:
    assert get(f"{name}:{language}")(text).marks() == marks


@pytest.mark.parametrize("language", ["rust", "auto"])
def test_a_doc_comment_is_a_comment_and_an_attribute_is_none(language: str) -> None:
    text = "/// Doc comment.\n#[derive(Debug)]\nfn f(x: u8) { if x > 1 { g() } } // end\n"
    in_comment = get(f"in_comment:{language}")(text, file_name="t.rs").marks()
    assert in_comment == ".xxxxxxxxxxxxxxx." + "." * 17 + "." * 34 + "xxxxx" + "."
    assert get(f"in_docstring:{language}")(text, file_name="t.rs").marks() == "..xxxxxxxxxxxxxx" + "." * 58
    keywords = get(f"in_keyword:{language}")(text, file_name="t.rs").values
    assert [text[t] for t in np.flatnonzero(keywords)] == list("fnif")


def test_the_name_of_a_file_tells_the_language() -> None:
    assert get("in_comment")("-- a", file_name="a.sql").marks() == ".xxx"
    assert get("in_comment")("-- a", file_name="a.hs.txt").marks() == ".xxx"
    assert get("in_comment")("-- a", file_name="a.txt").marks() == "...."
    assert get("in_comment & ~in_number")("# 1", file_name="Rakefile").marks() == "xxx"
    assert language_of_file("b/a.unknown") is None
    assert language_of_file("") is None


def test_numbers_of_prose_are_those_of_texts_that_are_no_programs() -> None:
    assert get("in_number")("# 10th", file_name="a.txt").marks() == "..xxxx"
    assert get("in_number")("# 10th", file_name="a.py").marks() == "......"
    assert get("in_number:prose")("# 10th", file_name="a.py").marks() == "..xxxx"


def test_an_unknown_language_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(HypothesisError, match=r"knows the languages auto, c, c\+\+, go, .*typescript, not 'kotlin'"):
        get("in_comment:kotlin")("a")


@pytest.mark.parametrize(
    ("language", "text", "strings", "comments"),
    [
        ("c", 'L"a" /** b */ // d', "xxxx" + "." * 14, ".....xxxxxxxx.xxxx"),
        ("python", "x = f'a{b}' # c", "....xxx..xx....", "............xxx"),
        ("python", '"""a"""\nx = r"b"', "xxxxxxx.....xxxx", "." * 16),
        ("rust", "'a' &'a r#\"a\"#", "xxx.....xxxxxx", "." * 14),
        ("javascript", '`a${b+"c"}` // d', "xxxx..xxxxx.....", "............xxxx"),
        ("shell", "a \"b\" $'c' # d", "..xxx.xxxx....", "...........xxx"),
        ("ruby", "'a', %w[b] # c", "xxx..xxxxx....", "...........xxx"),
        ("haskell", "{- a --} 'a'", ".........xxx", "xxxxxxxx...."),
    ],
)
def test_whole_tokens_have_their_delimiters_and_prefixes(language: str, text: str, strings: str, comments: str) -> None:
    for states, marks in (((STRING, DOCSTRING), strings), ((COMMENT, DOC_COMMENT), comments)):
        assert "".join(".x"[int(value)] for value in whole_tokens(text, language, *states)) == marks


@pytest.mark.parametrize(
    ("language", "text", "numbers"),
    [
        ("c", "0x1Fu 1.5e-3f .5 1. 0x1.8p-3 0x1e-1", "0x1Fu 1.5e-3f .5 1. 0x1.8p-3 0x1e 1"),
        ("c", "x1 a.b s.x[1] 1e5L // 7", "1 1e5L"),
        ("c++", "1'000'000 '1' 3.f 1.e+9", "1'000'000 3.f 1.e+9"),
        ("python", "1_000 1.5e-3 .5 1.j 1. x.y x[1].z", "1_000 1.5e-3 .5 1.j 1. 1"),
        ("python", "f'{1.5:.2f}' # 1", "1.5"),
        ("javascript", "1_000n 1.5e-3 .5 0b11 a?.5:6 1.+2", "1_000n 1.5e-3 .5 0b11 .5 6 1. 2"),
        ("typescript", "3.25 `1${2.5}`", "3.25 2.5"),
        ("rust", "1_000u64 0..10 t.0.1 1.max(2) 1.", "1_000u64 0 10 0 1 1 2 1."),
        ("go", "1.5e-3 .5 1. 3i 0x1p-2", "1.5e-3 .5 1. 3i 0x1p-2"),
        ("java", "0x1FL 1_000 1.5e-3f .5 1.d 2.f()", "0x1FL 1_000 1.5e-3f .5 1.d 2.f"),
        ("haskell", "1.5e-3 [1..5] f.x x1 -- 7", "1.5e-3 1 5"),
        ("shell", "echo 1 2.5 x1 $1 a=5", "1 2 5"),
        ("ruby", "1_000 1.5e-3 1..5 1.times 3r $1", "1_000 1.5e-3 1 5 1 3r"),
        ("sql", "1.5e-3 .5 a.x $1 '7' -1", "1.5e-3 .5 1"),
    ],
)
def test_whole_numbers_have_their_points_and_signs(language: str, text: str, numbers: str) -> None:
    for name in ("Number", "Literal.Number"):
        labels = get(f"token:{name},{language}")(text).values
        marked = "".join(char if label else " " for char, label in zip(text, labels, strict=True))
        assert marked.split() == numbers.split()


_TOKENS = st.sampled_from(
    [
        *"\n'\"#\\{}()<>[]:;,.=%?|-+@~!&*/1\r\té` 日b",
        *(
            "//",
            "/*",
            "*/",
            "///",
            "/**",
            "//!",
            "--",
            "-- |",
            "-->",
            "{-",
            "-}",
            "{-#",
            "=begin",
            "\n=begin\n",
            "\n=end",
        ),
        *("${", "$(", "#{", "((", "<<", "<<-", "<<A", "<<~A", "A", "\nA\n", "%w[", "__END__", "'\\", "''", '""', '"""'),
        *(
            "r#",
            'R"x(',
            ')x"',
            "b'",
            "u8",
            "E'",
            'f"',
            "$$",
            "$a$",
            " as ",
            " do ",
            "if ",
            "def ",
            "case x in a) ",
            "esac",
        ),
    ]
)


def _prefixes_agree(name: str, text: str) -> None:
    whole = get(name)(text).values
    for n in range(len(text)):
        assert (get(name)(text[:n]).values == whole[:n]).all(), (name, text[: n + 10])


@every_language
@settings(max_examples=15, deadline=None)
@given(st.lists(_TOKENS, max_size=25), st.text(max_size=10))
def test_no_label_of_a_program_depends_on_what_follows(language: str, tokens: list[str], characters: str) -> None:
    text = "".join(tokens) + characters
    for name in CAUSAL:
        _prefixes_agree(f"{name}:{language}", text)


_NESTED = (
    "/*",
    "{-",
    "${",
    "`${",
    '"$(',
    '"#{',
    "(",
    "((",
    "'",
    '"',
    "`",
    "<<A\n",
    "%w[",
    "$a$",
    'r#"',
    "# ",
    "case a in ",
)


@every_language
def test_labelling_takes_time_in_proportion_to_the_text(language: str) -> None:
    """Nesting 100,000 deep, and what is never closed, is as quick as other text."""
    began = time.process_time()  # other programs run at the same time
    for opener in _NESTED:
        assert len(get(f"in_string:{language}")(opener * (200_000 // len(opener)))) > 0
    for text in ("x" * 1_000_000, " " * 1_000_000, "a 'b' " * 160_000, "-" * 1_000_000):
        assert len(get(f"in_keyword:{language}")(text)) == len(text)
    assert time.process_time() - began < 20


def test_every_language_has_other_names_and_suffixes() -> None:
    names = [name for language in LANGUAGES for name in (language.name, *language.aliases)]
    suffixes = [suffix for language in LANGUAGES for suffix in language.suffixes]
    assert len(set(names)) == len(names)
    assert len(set(suffixes)) == len(suffixes)
    assert all(language.keywords and Path(f"a.{language.suffixes[0]}").suffix for language in LANGUAGES)
