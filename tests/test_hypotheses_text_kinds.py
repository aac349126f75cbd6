"""Which kind a text is, and which hypotheses are left out of a text that is of another kind."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from planting import Arrays

from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.targets.labelling import target
from analyses.targets.many_hypotheses import all_targets
from analyses.targets.text_kinds import reasons_against
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.programs.languages import language_of_file
from hypotheses.registry import get, registered
from hypotheses.text_kinds.kinds import KINDS, TextKind, kinds_named, reason_against

PROSE = """It was late when they came to the inn; no one had seen them on the way (or so they said).
"What do you want?" asked the host. He looked at #12 of the list: it was "empty".
And then, for a while, he said nothing at all; the fire went out, and it grew cold.

"""
TEXTS = {
    "code": "def area(r):\n    # of a circle\n    return 3.14 * r ** 2\n\nfor r in range(3):\n    print(area(r))\n",
    "latex": "Let $x_1 = \\alpha$ be in \\emph{some} set. By \\cite{Knuth},\n\\begin{equation}\nx\n\\end{equation}\n",
    "wiki": "== History ==\n'''Rome''' is a [[city]] in [[Italy|the country]]. {{Citation needed}}\n# one\n# two\n",
    "template": "Dear {{ name }},\n{{#if late}}you are late{{/if}}, and we are waiting.\n",
    "html": "<p>It was <b>late</b> when they came.\n<ul><li>one<li>two</ul>\n<!-- a < b -->\n",
    "markdown": "# Notes\n\nSee [the page](https://a.b/c) for #12 and $5, then $7.\n\n```\nx = 1\n```\n",
    "play": "ROMEO:\nAy me!\n\nJULIET:\nWho is there?\n\nROMEO:\nIt is I.\n",
    "english": PROSE,
}
LINES_OF_CODE = """
int main(void) {
#include <stdio.h>
x += f(a)[1]
let mut v: Vec<u8> = Vec::new();
const f = async () => {
fn f(x: u8) { if x > 1 { g() } } // end
#[derive(Debug)]
func (s *Server) Close() error {
public static void main(String[] args) {
@Override
    case 3: return;
map :: (a -> b) -> [a] -> [b]
go n | n > 0 = n : go (n - 1)
  where
if [ -f "$1" ]; then
fi
export PATH=$HOME/bin:$PATH
require 'set'
end
SELECT name, count(*) FROM people GROUP BY name;
elif x is None:
})
""".strip().splitlines()
LINES_OF_PROSE = """
And he is gone; and what of that, my lord;
He said: "I know it (or so I think)."
for the sake of brevity, we say nothing;
if it rains, we stay at home.
The import of this is clear.
- an item of a list
1. another item
See https://a.b/c?d=e&f=g for more.
| a | b |
<div class="x">
\\section{Introduction}
$f = \\left\\{ 0 & a \\\\
== History ==
{{Infobox | name = Rome }}
Это окно.
今天下雨。
Let us go then, you and I,
""".strip().splitlines()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_text_of_a_kind_is_recognised_and_others_are_not(kind: TextKind) -> None:
    for name, text in TEXTS.items():
        overlaps = {("wiki", "template"), ("template", "wiki")}  # {{…}}
        if kind.name == "english" or (kind.name, name) in overlaps:
            continue  # English may be in texts of any kind
        assert (kind.evidence(text) >= kind.least) == (kind.name == name), name


@pytest.mark.parametrize(
    ("file_name", "expected"),
    [
        ("src/main.rs", "code"), ("Main.RS.TXT", "code"), ("Rakefile", "code"), ("a/.bashrc", "code"),
        ("paper.tex", "latex"), ("README.md.txt", "markdown"), ("notes.txt", None), ("rs", None), ("", None),
    ],
)  # fmt: skip
def test_the_name_of_a_file_tells_its_kind(file_name: str, expected: str | None) -> None:
    """In the same way as `language_of_file` goes by it: a file of a known language is a program."""
    assert [kind.name for kind in KINDS if kind.has_name(file_name)] == ([expected] if expected else [])
    assert (language_of_file(file_name) is not None) == (expected == "code")


@pytest.mark.parametrize(
    ("text", "n_signs"),
    [
        ("# a\n# b\n## c\n", 0),
        ("# a\n\n# b\n## c\n\n# d\n", 2),
        ("# a\n\nb", 0),
        ("~~~\na\n~~~~\n", 2),
        ("~" * 70 + "\n", 0),
    ],
)
def test_lists_of_wikis_and_rules_are_no_markdown(text: str, n_signs: int) -> None:
    [markdown] = kinds_named("markdown")
    assert markdown.evidence(text) == 1000 * n_signs / len(text)


def test_english_is_told_from_other_languages() -> None:
    [english] = kinds_named("english")
    assert english.evidence(PROSE) >= english.least
    for text in (
        "Es war spät, als sie in die Stadt kamen, und niemand hatte sie auf dem Weg gesehen.",
        "Il était tard quand ils arrivèrent à la ville, et personne ne les avait vus en chemin.",
        "Было поздно, когда они пришли в город, и никто не видел их по дороге.",
    ):
        assert english.evidence(text) < english.least


@pytest.mark.parametrize("line", LINES_OF_CODE)
def test_a_line_of_code_is_one(line: str) -> None:
    assert not reason_against(kinds_named("code"), line)


@pytest.mark.parametrize("line", LINES_OF_PROSE)
def test_a_line_of_prose_or_markup_is_no_code(line: str) -> None:
    assert reason_against(kinds_named("code"), line)


@pytest.mark.parametrize("repeated", ["", "\n", "a", "(", "a = ", "\x00\ud800", "[[", "<a ", "$_ ", "''", "{{a "])
def test_evidence_is_a_number_for_any_text(repeated: str) -> None:
    text = repeated * 20_000
    assert all(0 <= kind.evidence(text) <= 1000 for kind in KINDS)


def test_a_reason_says_what_was_measured() -> None:
    assert reason_against(kinds_named("code"), TEXTS["play"]) == (
        "the text is not a program: 0% of it is in lines of code, under 30%"
    )
    assert reason_against(kinds_named(["markdown", "wiki"]), PROSE).startswith("the text is not Markdown or wikitext: ")
    assert reason_against(kinds_named(["markdown", "wiki"]), TEXTS["wiki"]) == ""


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(HypothesisError, match="no kind of text named 'prose'; there are code, latex, wiki"):
        hypothesis(text_kind="prose")(lambda text: [True] * len(text))


def test_the_name_of_most_of_the_text_decides() -> None:
    in_comment = get("in_comment")
    named = Corpus.from_texts(["It is late. " * 9, "It is early. "], ["notes.py", "notes"])
    assert not reasons_against(in_comment, named)
    fewer = Corpus.from_texts(["It is late. ", "It is early. " * 9], ["notes.py.txt", "notes"])
    assert list(reasons_against(in_comment, fewer)) == ["in_comment"]


def test_every_part_of_a_combination_is_looked_at() -> None:
    corpus = Corpus.from_texts([PROSE])
    combined = get("in_comment & (in_quotes | ~in_maths @ 1)")
    assert list(reasons_against(combined, corpus)) == ["in_comment", "in_maths"]
    assert not reasons_against(get("in_quotes & in_word"), corpus)


def test_who_names_a_language_is_not_warned() -> None:
    corpus = Corpus.from_texts([PROSE])
    assert not reasons_against(get("in_comment:python"), corpus)
    assert not reasons_against(get("in_comment", language="python"), corpus)
    assert reasons_against(get("in_comment:auto"), corpus)


def test_a_kind_of_ones_own_is_measured() -> None:
    dna = TextKind("dna", "DNA", lambda text: sum(text.count(base) for base in "ACGT") / len(text), 0.9, "{} of {}")

    @hypothesis(text_kind=dna)
    def in_gene(text: str) -> list[bool]:
        return [False] * len(text)

    corpus = Corpus.from_texts(["ACGTACG"])
    assert reasons_against(in_gene, corpus) == {}
    rarer = hypothesis(text_kind=replace(dna, least=1.1))(in_gene)
    assert reasons_against(rarer, corpus) == {"in_gene": "the text is not DNA: 1.0 of 1.1"}
    assert reasons_against(in_gene, Corpus.from_texts(["abcd"])) == {"in_gene": "the text is not DNA: 0.0 of 0.9"}


def test_a_long_text_is_measured_all_over() -> None:
    program = TEXTS["code"] * 2000
    corpus = Corpus.from_texts([PROSE * 100 + program])
    assert not reasons_against(get("in_comment"), corpus)
    assert reasons_against(get("in_comment"), Corpus.from_texts([program + PROSE * 4000]))


def _source(text: str) -> Arrays:
    values = np.random.default_rng(0).normal(size=(len(text), 2)).astype(np.float32)
    return Arrays({Site.parse("0/cell"): values}, text)


def test_a_named_hypothesis_is_asked_with_one_warning() -> None:
    corpus = Corpus.from_texts([TEXTS["markdown"] * 50])
    with pytest.warns(
        UserWarning, match="labels of in_comment may mean nothing here: the text is not a program"
    ) as seen:
        made = target(corpus, "in_comment")
    assert len(seen) == 1
    assert isinstance(made.labels, Labels)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        target(corpus, "in_word")


def test_all_hypotheses_leave_out_those_of_other_texts() -> None:
    targets = all_targets(_source(TEXTS["markdown"] * 50))
    made = {made.hypothesis for made in targets.made}
    needs = {name for name, registered_one in registered().items() if registered_one.needs}
    assert made & needs == {"in_heading", "in_backticks", "part_of_speech"}
    assert "in_word" in made
    assert "in_comment, in_docstring, in_function_body" in targets.left_out.replace("expression_depth, ", "")
    assert targets.left_out.count("the text is not a program") == 1
    assert "\n" not in targets.left_out


def test_a_reason_never_shows_the_least_that_is_missed() -> None:
    almost = TextKind("almost", "almost one", lambda text: len(text) / 1000, 0.1, "{:.2g} of {:.2g}")
    assert reason_against([almost], "a" * 99) == "the text is not almost one: 0.099 of 0.1"
    close = TextKind("close", "close", lambda text: 9.96, 10.0, "{:.2g}% of {:.2g}%")
    assert reason_against([close], "") == "the text is not close: 9.9% of 10%"
    assert reason_against([close, almost], "a" * 100) == ""


@pytest.mark.parametrize(
    ("evidence", "shown"), [(0.29, "0.29"), (2.3, "2.3"), (0.299999, "0.29"), (0.0, "0.0"), (-1.29, "-1.2")]
)
def test_evidence_is_rounded_down_to_two_digits(evidence: float, shown: str) -> None:
    some = TextKind("some", "some", lambda text: evidence, 9.0, "{}")
    assert reason_against([some], "").endswith(f": {shown}")
