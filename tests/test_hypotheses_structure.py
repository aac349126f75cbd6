"""Conditions of `if` and bodies of functions in twelve languages: by hand, by tree-sitter, and by what must hold."""

import os
import re
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from program_pieces import PIECES

from hypotheses.registry import get

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

LANGUAGES = sorted({piece[0] for piece in PIECES})
STRUCTURE = ("in_if_condition", "in_function_body")

_PARSED = 0.9  # share of a language's real programs that its grammar can read, at least
_PARSED_OF_SQL = 0.4  # it knows little of PostgreSQL's dialect
_LEAST = {"in_comment": 0.99, "in_string": 0.99}
_LEAST_OTHERWISE = 0.97


@pytest.mark.parametrize(("language", "text", "conditions", "bodies"), PIECES)
def test_structure_character_by_character(language: str, text: str, conditions: str, bodies: str) -> None:
    assert get("in_if_condition", language=language)(text).marks() == conditions
    assert get("in_function_body", language=language)(text).marks() == bodies


@pytest.mark.parametrize(
    ("language", "text", "bodies"),
    [
        ("c", "struct a { int (*f)(int); } b = { c(d) };", ""),
        ("c", "int a[] = { f(1) };\n#define X(y) { y }\n", ""),
        ("c++", "class A : public B<int()> { int a{f(1)}; };", ""),
        ("c++", "namespace a { struct B { int b = f(1); }; }", ""),
        ("java", "@interface A { int[] b() default {}; } record B(int c) {}", ""),
        ("java", "class A { static { if (a) { b(); } } }", ""),
        ("javascript", "while (a(b)) { c } switch (d) { } try { } catch (e) { }", ""),
        ("typescript", "interface A { f(a: B): { c: D }; g: (h) => void }", ""),
        ("go", "type A interface { f(int) error }\ntype B struct { g func() }", ""),
        ("rust", "struct A { f: fn(B) -> C } impl D for A { type E = F; }", ""),
        ("haskell", "data A = B { c :: D }\ntype E = F\nclass G h where\n  i :: J\n", ""),
        ("shell", "for a in b; do { c; }; done; echo f() g", ""),
        ("ruby", "class A; attr_reader :def; b.def { c }; end", ""),
        ("sql", "DROP FUNCTION f(int); DO $$ BEGIN a; END $$; SELECT 'x';", ""),
    ],
)
def test_what_is_no_function_has_no_body(language: str, text: str, bodies: str) -> None:
    assert get("in_function_body", language=language)(text).marks().replace(".", "") == bodies


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("c", "#if (a)\n#endif\nwhile (b) {} x.if_(c); y = d ? e : f;"),
        ("javascript", "a.if(b); while (c) {} d ? e : f"),
        ("python", "a = b if c else d\nwhile e: pass\n[f for f in g if f]\n"),
        ("go", "for a { b }\nswitch c { }"),
        ("rust", "while let Some(a) = b { } match c { d => e }"),
        ("haskell", "f x | x = 1\n#if A\n#endif\n"),
        ("shell", "while a; do b; done; echo if c; ls --if d"),
        ("ruby", "a while b\ncase c when d then e end\nf(if: g)\nh.if i\n:if\n"),
        ("sql", "DROP TABLE IF EXISTS a; CREATE TABLE IF NOT EXISTS b (c int);"),
    ],
)
def test_what_is_no_if_has_no_condition(language: str, text: str) -> None:
    assert not get("in_if_condition", language=language)(text).values.any()


@pytest.mark.parametrize("name", STRUCTURE)
@pytest.mark.parametrize("language", LANGUAGES)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_structure_does_not_look_ahead(language: str, name: str, data: st.DataObject) -> None:
    """The labels of a prefix are the prefix of the labels, in texts that are put together from real ones and marks."""
    fragments = [part for piece in PIECES if piece[0] == language for part in re.findall(r"\w+|\s+|\W", piece[1])]
    text = "".join(data.draw(st.lists(st.sampled_from([*fragments, *"{}()[]<>=:;,|'\"$\n#/*-"]), max_size=40)))
    hypothesis = get(name, language=language)
    labels = hypothesis(text).values
    for n in range(len(text)):
        np.testing.assert_array_equal(hypothesis(text[:n]).values, labels[:n], err_msg=repr(text[:n]))


@pytest.mark.parametrize(
    "text",
    ["if (" * 30_000, "f() { " * 20_000, "if a then " * 12_000, "(" * 100_000, "{" * 100_000, "CASE WHEN " * 12_000],
)
@pytest.mark.parametrize("name", STRUCTURE)
def test_deep_nesting_takes_linear_time(text: str, name: str) -> None:
    for language in LANGUAGES:
        hypothesis = get(name, language=language)
        hypothesis(text[:100])
        begun = time.process_time()  # other programs run at the same time
        assert len(hypothesis(text)) == len(text)
        assert time.process_time() - begun < 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_pieces_are_labelled_as_tree_sitter_does(language: str) -> None:
    """In all pieces that its grammar can read, but for single characters."""
    pytest.importorskip("tree_sitter", reason="needs the grammars of the extra `languages`")
    from tree_labels import label

    n_chars = n_wrong = 0
    for piece in (piece for piece in PIECES if piece[0] == language):
        reference = label(piece[1], language)
        if not reference.sound["in_function_body"].all():
            continue
        for name in STRUCTURE:
            labels = get(name, language=language)(piece[1]).values
            n_wrong += int(((labels != reference.labels[name]) & reference.sound[name]).sum())
            n_chars += int(reference.sound[name].sum())
    assert n_chars > 70
    assert n_wrong <= 0.02 * n_chars


@pytest.fixture(scope="session")
def programs() -> Path:
    """The folder of real programs, which are not part of the project."""
    folder = os.environ.get("CHAR_PROBE_PROGRAMS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("needs real programs; benchmarks/programs.py unpacks them, CHAR_PROBE_PROGRAMS names their folder")
    return Path(folder)


@pytest.mark.slow  # one to four million characters of each language
@pytest.mark.parametrize("language", [*LANGUAGES, "python"])
def test_real_programs_are_labelled_as_tree_sitter_does(language: str, programs: Path) -> None:
    pytest.importorskip("tree_sitter", reason="needs the grammars of the extra `languages`")
    from languages import compare
    from tree_labels import NAMES

    n_chars, agreements = compare(programs, language, list(NAMES))
    parsed = agreements["in_comment"].n_chars / n_chars
    assert parsed > (_PARSED_OF_SQL if language == "sql" else _PARSED)
    shares = {name: agreement.share for name, agreement in agreements.items()}
    assert all(share > _LEAST.get(name, _LEAST_OTHERWISE) for name, share in shares.items()), shares
