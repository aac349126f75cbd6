"""Small texts on which hypotheses once were wrong, or gave labels where they have no business."""

from pathlib import Path

import numpy as np
import pytest
from planting import Arrays

from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.targets.labelling import target
from analyses.targets.many_hypotheses import all_targets
from analyses.targets.text_kinds import reasons_against
from hypotheses.registry import get, registered

FOREIGN = Path(__file__).parent / "foreign_texts"
LEFT_BRACE = r"""$f = \left\{ \begin{matrix} 0 & a \\ 1 & b \end{matrix} \right.$

Prose without any brace.

More prose {x} here.
"""
PROSE = "See https://a.b/c for #12 and $5, then $7.\nIt is so.\n"
RUST = "/// Doc comment.\n#[derive(Debug)]\nfn f(x: u8) { if x > 1 { g() } } // end\n"
HTML = """<p>if a < b && c > d</p>
<script>
if (a<b) { x = "</p>"; }
for (i=0;i<n;i++) {}
</script>
<li>one
<li>two
<p>x
<p>y
<style>a > b {}</style>
<pre><code>let v: Vec&lt;u8&gt;; Vec<u8> x</code></pre>
"""


def inside(name: str, text: str) -> list[str]:
    """The stretches of a text in which a hypothesis is True."""
    labels = np.concatenate(([False], get(name)(text).values, [False]))
    bounds = np.flatnonzero(labels[1:] != labels[:-1]).tolist()
    return [text[start:stop] for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]


def test_a_left_brace_of_latex_opens_nothing() -> None:
    assert inside("in_braces", LEFT_BRACE) == ["{matrix", "{matrix", "{x"]
    depths = get("bracket_depth")(LEFT_BRACE).values
    assert depths.max() == 1
    assert depths.sum() == len("{matrix{matrix{x")


def test_brackets_that_are_never_closed_end() -> None:
    assert inside("in_parentheses", "a (b\n\nc)") == ["(b\n"]
    assert inside("in_square_brackets", "a [b\n\nc]") == ["[b\n"]
    assert inside("in_braces", "a {b\n\n" + "c" * 9000) == ["{b\n\n" + "c" * 4996]


def test_prose_has_no_comments_strings_or_formulas() -> None:
    assert inside("in_maths", PROSE) == []
    corpus = Corpus.from_texts([PROSE * 40], ["notes.md"])
    for name in ("in_comment", "in_string", "in_docstring", "in_keyword", "in_maths", "in_tag"):
        assert list(reasons_against(get(name), corpus)) == [name]
    with pytest.warns(UserWarning, match="labels of in_comment may mean nothing here: the text is not a program"):
        target(corpus, "in_comment")


def test_bold_text_of_a_wiki_is_reported_if_taken_for_a_string() -> None:
    wiki = "It is '''bold'''.\n" + "The [[river]] rises in the hills.\n" * 1000
    notices: list[str] = []
    target(Corpus.from_texts([wiki + "'''Not closed.\n" + wiki[18:]], ["a.wiki"]), "in_string", notice=notices.append)
    assert notices[0].startswith("the labels of in_string may mean nothing here: the text is not a program")
    assert notices[1].startswith("in_string has ")
    assert "one run of 34,013 characters" in notices[1]
    assert "line 1,002 of a.wiki" in notices[1]


@pytest.mark.parametrize(
    ("name", "stretches"),
    [
        ("in_comment", ["// Doc comment.", "/ end"]),
        ("in_docstring", ["/ Doc comment."]),
        ("token:Comment", ["/// Doc comment.", "// end"]),
        ("in_keyword", ["fn", "if"]),
        ("in_if_condition", [" x > 1 "]),
        ("in_function_body", ["{ if x > 1 { g() } "]),
        ("in_string", []),
    ],
)
def test_rust_is_read_as_people_mean_it(name: str, stretches: list[str]) -> None:
    assert inside(f"{name},rust" if ":" in name else f"{name}:rust", RUST) == stretches


def test_scripts_and_comparisons_are_no_tags() -> None:
    assert inside("in_tag", HTML) == [
        *("p", "/p", "script", "t", "li", "li", "p", "p", "style", "e", "pre", "code"),
        *("/code", "/pre"),
    ]
    depths = get("tag_depth")(HTML).values
    for piece, depth in {"if a": 1, "if (a": 1, "one": 1, "two": 1, "<p>x": 2, "<p>y": 2, "Vec<": 3}.items():
        assert depths[HTML.index(piece) + len(piece) - 1] == depth, piece


def test_chinese_and_russian_have_sentences_and_vowels() -> None:
    text = "今天下雨。我们在家。\nЭто окно.\n"
    assert get("sentence_start").mark(text).splitlines() == [
        "今天下雨。我们在家。↵Это окно.↵",
        "x . . . x x . . . x xxxx......x",  # wide characters take two columns
    ]
    assert inside("vowel", text) == ["Э", "о", "о", "о"]


def test_headings_and_lists_of_wikis() -> None:
    assert inside("in_heading", "'''A''' [[b]]\n== Heading ==\n# item\n") == [" Heading ="]
    assert inside("in_heading", "# Heading\n") == [" Heading"]
    assert inside("in_latex_environment", r"\begin{document}a\begin{b}c\end{b}\end{document}") == [r"}c\end{b"]


@pytest.mark.parametrize("name", ["readme.md", "chapter.tex", "page.html", "russian.txt"])
def test_all_hypotheses_are_those_that_apply(name: str) -> None:
    text = (FOREIGN / name).read_text(encoding="utf-8").replace("[[not a link]]", "") * 20
    values = np.random.default_rng(0).normal(size=(len(text), 1)).astype(np.float32)
    targets = all_targets(Arrays({Site.parse("0/cell"): values}, text), notice=lambda _: None)
    about_a_kind = {asked for asked, hypothesis in registered().items() if hypothesis.needs}
    listed = {made.hypothesis for made in targets.made} & about_a_kind
    expected = {
        "readme.md": {
            "in_attribute",
            "in_backticks",
            "in_heading",
            "in_maths",
            "in_tag",
            "part_of_speech",
            "tag_depth",
        },
        "chapter.tex": {"in_latex_environment", "in_maths", "part_of_speech"},
        "page.html": {"in_attribute", "in_tag", "part_of_speech", "tag_depth"},
        "russian.txt": set(),
    }
    assert listed == expected[name]
