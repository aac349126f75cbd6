"""The page of documentation of all built-in hypotheses, made of their docstrings: `docs/hypotheses.md`."""

import doctest
import importlib
import inspect
from collections.abc import Iterator

from hypotheses.hypothesis import Hypothesis
from hypotheses.registry import TOPICS

_INTRODUCTION = """\
# Hypotheses

What can be asked of a text by name. `probe hypotheses` lists it, `probe hypotheses --show in_quotes corpus.txt` shows a
text as a hypothesis labels it.

Label *t* says what is true once the characters up to and including *t* have been read. A label depends on nothing that
comes later, unless the hypothesis is said to look ahead. In the examples, the row below a text has a mark for each
character: `x` for True and `.` for False; for a number 0 to 9, then a to z, then `+`; for a class a letter; `?`
where there is nothing to say. `↵` is a newline, `→` a tab.

Parameters stand behind a colon, those in brackets may be left away: `indent_at_least:3`, `indent_at_least:2,4`,
`indent_at_least:2,width=4`. Hypotheses are combined with `&`, `|` and `~`, and grouped with parentheses; numbers and
classes are compared with `==`, `!=`, `>=`, `<=`, `>` and `<`:

    in_quotes & ~in_comment
    position_in_line >= 40 | char_class == 'upper case'
    regex:'https?://\\S+' & ~in_comment

`in_quotes @ 5` is the label of the character five later, and `in_quotes @ -5` that of five ago: what the state knows of
what is to come, and still of what is gone. It is missing where the text has no such character.

What has blanks or signs in it stands in quotes, in which a doubled mark is one. Where a label is missing, a combination
is missing too, unless the other part decides it. In Python, the same signs work on what `probe.get` returns.

How right the labels of programs are, measured against other labellers: [labelling.md](labelling.md). What the columns
mean: *labels* are binary, categorical (of classes) or numeric (with the unit); *ahead* is yes if a label depends on
characters after its own.

This page is made by `make docs` of what stands in the code.
"""
_UNKNOWN = (
    "nothing that is published of single units; which units of the bundled model tell it best is in "
    "[results.md](results.md#every-hypothesis)."
)


def page() -> str:
    """The page, in Markdown."""
    parts = [_INTRODUCTION, *_contents()]
    for topic in TOPICS:
        module = importlib.import_module(f"hypotheses.built_in.{topic}")
        title, _, more = inspect.cleandoc(module.__doc__ or "").partition(".")
        parts.append(f"## {title}\n\n{more.strip()}".rstrip() + "\n")
        parts += [_entry(each) for each in _of(topic)]
    return "\n".join(parts)


def _of(topic: str) -> list[Hypothesis]:
    module = importlib.import_module(f"hypotheses.built_in.{topic}")
    return [each for each in vars(module).values() if isinstance(each, Hypothesis)]


def _contents() -> Iterator[str]:
    yield "| topic | hypothesis | labels | ahead | asks |\n|---|---|---|---|---|"
    for topic in TOPICS:
        for each in _of(topic):
            yield (
                f"| {topic} | [`{each.name}`](#{each.name}) | {_labels(each)} | {'' if each.causal else 'yes'} | "
                f"{each.summary.replace('|', chr(92) + '|')} |"
            )
    yield ""


def _labels(each: Hypothesis) -> str:
    return f"{each.kind}, {each.unit}" if each.unit else str(each.kind)


def _entry(each: Hypothesis) -> str:
    said, examples = _definition(each)
    facts = [f"- **Labels:** {_labels(each)}; {'causal' if each.causal else 'looks ahead'}"]
    facts += [f"- **Expected:** {each.expects or _UNKNOWN}"]
    facts += [f"- **Source:** {each.source}"] if each.source else []
    spelled = f"Asked as `{each.spelling}`." if len(each.parameters) else ""
    shown = "```python\n" + "".join(examples) + "```"
    return "\n\n".join(part for part in (f"### {each.name}", said, spelled, shown, "\n".join(facts)) if part) + "\n"


def _definition(each: Hypothesis) -> tuple[str, list[str]]:
    """The docstring without its examples, and these."""
    parts = doctest.DocTestParser().parse(inspect.cleandoc(each.__doc__ or ""))
    said = "".join(part for part in parts if isinstance(part, str)).strip()
    examples = [f">>> {part.source}{part.want}" for part in parts if not isinstance(part, str)]
    return said, examples
