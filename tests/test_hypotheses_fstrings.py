"""F-strings: names in their braces are labelled on every Python as Python 3.12 and later read them."""

import ast
import re
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from labellers import python_structure
from profiles import n_examples

from hypotheses.registry import get

Marked = tuple[str, str]
"""A piece of a program, and its marks: n in a name, k in a keyword, . elsewhere."""

QUOTES = ("'", '"', "'''", '"""')


def marks(text: str) -> str:
    names, keywords = (get(f"{name}:python")(text).values for name in ("in_identifier", "in_keyword"))
    return "".join("n" if name else "k" if keyword else "." for name, keyword in zip(names, keywords, strict=True))


@pytest.mark.parametrize(
    "marked",  # names in « », keywords in ‹ ›
    [
        "f'{«ab»} c' «d»",
        "rF'{«a»}' Rb'{c}' fr'{«d»}' b'{e}' u'{g}'",
        "f'{{a}} {{{«b»}}}'",
        "f'{«a»:{«w»}.{«p»}d}' «b»",
        "f'{«a»!r} {«b»!s:>4} {«c»=} {«d» = }'",
        "f'{«a»!=«b»} {«c»==«d»} {«e»:=5}'",
        "f'{«a» ‹if› «b» ‹else› ‹not› «c»}'",
        "f'{(‹lambda› «a»: «a»)(«b»)}' «c»",
        "f'{«d»['k']} {\"s\" + «e»}' «g»",
        "f'{f'{f'{«a»}'}'}' «b»",
        "f'{ {«a»: «b»}[«c»] }' «d»",
        "f'\\N{DASH} \\{«a»} \\' {«b»}' rf'\\N{«c»}'",
        "f'{«a»\n}' «b» # c\nf'{«d» # e '\n}' «g»",
        "f'''{«a»}' {'''b'''} ''' «c»",
        "«x» = f'''{«a»}''' + f'' f'{«b»}'",
        "t'{«a»}' tr'{«b»}' T'{«c»}'",
        "f'{«a»:{{«b»}}}' «c»",
        "f'a\n{«b»}",  # a string that is left open ends with its line
        "f'{«a»\n‹def› «g»(): ‹pass›",  # and braces that are, where a definition begins a line
        "«ff»'{a}' «f» '{b}' «f1»'{c}'",
    ],
)
def test_names_in_the_braces_of_an_f_string(marked: str) -> None:
    text = re.sub("[«»‹›]", "", marked)
    expected = re.sub(
        "«(.+?)»|‹(.+?)›|.", lambda m: "n" * len(m[1] or "") + "k" * len(m[2] or "") or ".", marked, flags=re.DOTALL
    )
    assert marks(text) == expected


@pytest.mark.parametrize(
    "marked",
    [
        "f'‹{d}›' e",
        "x = f‹'{d['k']}›' # c",
        "x = f‹'›'‹'{a ›# b'''‹\n}''›' c",
    ],
)
def test_an_f_string_is_one_string_except_for_its_comments(marked: str) -> None:
    pieces = re.split("[‹›]", marked)
    expected = "".join((".x"[place % 2]) * len(piece) for place, piece in enumerate(pieces))
    assert get("in_string:python")("".join(pieces)).marks() == expected


names = st.text("abxyz_é", min_size=3, max_size=5).map(lambda name: (name, "n" * len(name)))
plain = st.text("az09 .,;#=()", max_size=5).map(lambda text: (text, "." * len(text)))


def joined(*parts: Marked | str) -> Marked:
    """Pieces in a row; what has no marks of its own is neither name nor keyword."""
    pairs = [(part, "." * len(part)) if isinstance(part, str) else part for part in parts]
    return "".join(text for text, _ in pairs), "".join(marked for _, marked in pairs)


@st.composite
def expressions(draw: st.DrawFn, depth: int) -> Marked:
    """The code in a pair of braces."""
    a, b = draw(names), draw(names)
    if depth > 0 and draw(st.booleans()):
        return joined(a, "(", draw(f_strings(depth - 1)), ")")
    forms: list[Marked] = [
        a,
        joined(a, " != ", b),
        joined(a, " ", ("if", "kk"), " ", b, " ", ("else", "kkkk"), " ", a),
        joined("(", ("lambda", "kkkkkk"), " ", a, ": ", b, ")"),
        joined(" {", a, ": ", b, "}[", a, "]"),
        joined(a, "[1:", b, "]"),
        joined(a, "['k}']"),
        joined('rb"{q}" + ', a),
    ]
    return draw(st.sampled_from(forms))


@st.composite
def fields(draw: st.DrawFn, depth: int, signs: tuple[str, ...] = ("", "=", " = ")) -> Marked:
    """A pair of braces, and what is in it."""
    inside = joined(draw(expressions(depth)), draw(st.sampled_from(signs)), draw(conversions))
    if draw(st.booleans()):  # Python 3.12.1 fails on an equals sign in the braces of a format
        inside = joined(inside, ":>", draw(fields(depth - 1, ("",))) if depth > 0 else "8", "d")
    return joined("{", inside, "}")


conversions = st.sampled_from(["", "!r", "!a"])


@st.composite
def f_strings(draw: st.DrawFn, depth: int) -> Marked:
    """An f-string, with others in its braces."""
    quote = draw(st.sampled_from(QUOTES))
    prefix = draw(st.sampled_from(["f", "F", "rf", "fR"]))
    parts: list[Marked | str] = [prefix, quote]
    for _ in range(draw(st.integers(1, 2))):
        escapes = ["{{", "}}", "{{az}}"] if "r" in prefix.lower() else ["{{", "}}", "\\N{EM DASH}", f"\\{quote[0]}"]
        parts += [draw(plain), draw(fields(depth)), draw(st.sampled_from(escapes))]
    return joined(*parts, quote)


@settings(max_examples=n_examples(50))
@given(st.lists(f_strings(2), min_size=1, max_size=2), st.sampled_from(["", "xyz = ", "xyz("]))
def test_names_in_any_f_string(made: list[Marked], before: str) -> None:
    """Strings made so that it is known where the names are; a Python that looks into them agrees."""
    start = (before, "".join("n" if char.isalpha() else "." for char in before))
    text, expected = joined(start, *(part for each in made for part in (each, " ")), ")" if "(" in before else "")
    assert marks(text) == expected
    if sys.version_info >= (3, 12):
        ast.parse(text)
        labels, sound = python_structure(text)
        assert sound.all()
        assert [mark == "n" for mark in expected] == labels["in_identifier"].tolist()
