"""The documentation page of all built-in hypotheses, made from their docstrings: `docs/hypotheses.md`."""

import doctest
import importlib
import inspect
from collections.abc import Iterator

from hypotheses.hypothesis import Hypothesis
from hypotheses.registry import TOPICS, in_topic

_INTRODUCTION = """\
# Hypotheses

The built-in hypotheses, as `probe hypotheses` lists them. `probe hypotheses --show in_quotes corpus.txt` shows a text
as a hypothesis labels it.

Label *t* describes the text up to and including character *t*. It does not depend on anything that comes later, unless
the hypothesis is listed as looking ahead. In the examples, the row below a text has a mark for each character: `x` for
True and `.` for False; for a number 0 to 9, then a to z, then `+`; for a class a letter; `?` where the label is
missing. `↵` is a newline, `→` a tab.

Parameters follow a colon; those in brackets are optional: `indent_at_least:3`, `indent_at_least:2,4`,
`indent_at_least:2,width=4`. Hypotheses are combined with `&`, `|` and `~`, and grouped with parentheses; numbers and
classes are compared with `==`, `!=`, `>=`, `<=`, `>` and `<`:

    in_quotes & ~in_comment
    position_in_line >= 40 | char_class == 'upper case'
    regex:'https?://\\S+' & ~in_comment

`in_quotes @ 5` is the label of the character five later, and `in_quotes @ -5` that of the character five earlier: what
the state knows about characters to come, and what it still knows about those that have passed. It is missing where the
text has no such character.

Names and parameters with blanks or signs in them are written in quotes, within which a quotation mark is doubled. Where
a label is missing, a combination is missing too, unless the other part decides it. In Python, the same signs work on
what `probe.get` returns.

*Asked of* names the kind of text that a hypothesis is about. Of other texts it is not asked by `--all`, and where it is
named, a warning says so; see [looking_at_labels.md](looking_at_labels.md#what-kind-of-text-a-hypothesis-is-about).

How accurate the labels of programs are, measured against other labellers: [labelling.md](labelling.md). The columns:
*labels* are binary, categorical (classes) or numeric (with the unit); *ahead* is yes if a label depends on characters
after its own.

`make docs` makes this page from the docstrings in the code.
"""
_NOTHING_PUBLISHED = (
    "nothing is published about single units; which units of the bundled model encode it best is in "
    "[results.md](results.md#every-hypothesis)."
)


def page() -> str:
    """Return the page in Markdown."""
    sections = [_INTRODUCTION, *_contents()]
    for topic in TOPICS:
        module = importlib.import_module(f"hypotheses.built_in.{topic}")
        title, _, more = inspect.cleandoc(module.__doc__ or "").partition(".")
        sections.append(
            f"## {title}\n\n{more.strip()}".rstrip() + f"\n\nDefined in `hypotheses/built_in/{topic}.py`.\n"
        )
        sections += [_entry(hypothesis) for hypothesis in in_topic(topic)]
    return "\n".join(sections)


def _contents() -> Iterator[str]:
    yield "| topic | hypothesis | labels | ahead | asks |\n|---|---|---|---|---|"
    for topic in TOPICS:
        for hypothesis in in_topic(topic):
            name, summary = hypothesis.name, hypothesis.summary.replace("|", "\\|")
            ahead = "" if hypothesis.causal else "yes"
            yield f"| {topic} | [`{name}`](#{name}) | {_labels(hypothesis)} | {ahead} | {summary} |"
    yield ""


def _labels(hypothesis: Hypothesis) -> str:
    kind = hypothesis.kind or "as given"
    return f"{kind}, {hypothesis.unit}" if hypothesis.unit else kind


def _entry(hypothesis: Hypothesis) -> str:
    text, examples = _split_docstring(hypothesis)
    facts = [f"- **Labels:** {_labels(hypothesis)}; {'causal' if hypothesis.causal else 'looks ahead'}"]
    kinds = [kind.described for _, kinds in hypothesis.needs for kind in kinds]
    facts += [f"- **Asked of:** {' or '.join(kinds)}"] if kinds else []
    if hypothesis.labels_any_text:
        facts += [f"- **Expected:** {hypothesis.expects or _NOTHING_PUBLISHED}"]
    facts += [f"- **Source:** {hypothesis.source}"] if hypothesis.source else []
    spelling = f"Spelled `{hypothesis.spelling}`." if len(hypothesis.parameters) else ""
    code = "```python\n" + "".join(examples) + "```"
    parts = (f"### {hypothesis.name}", text, spelling, code, "\n".join(facts))
    return "\n\n".join(part for part in parts if part) + "\n"


def _split_docstring(hypothesis: Hypothesis) -> tuple[str, list[str]]:
    """Return the text of a docstring without its examples, and the examples."""
    parts = doctest.DocTestParser().parse(inspect.cleandoc(hypothesis.__doc__ or ""))
    text = "".join(part for part in parts if isinstance(part, str)).strip()
    examples = [
        f">>> {part.source.rstrip().replace(chr(10), chr(10) + '... ')}\n{part.want}"
        for part in parts
        if not isinstance(part, str)
    ]
    return text, examples
