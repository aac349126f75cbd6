"""Kinds of texts (programs, LaTeX, wikis, HTML, Markdown, plays, English), and how much a text is of a kind.

A hypothesis about comments gives labels for every text, also for one without comments: in Markdown, the `//` of an
address begins one. The evidence that is measured here does not change labels. It decides which hypotheses are left out
where all are asked for, and where a command warns.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Context

import regex

from hypotheses.errors import HypothesisError
from hypotheses.programs.languages import LANGUAGES, name_and_suffix
from hypotheses.text_kinds.code_lines import share_of_code
from hypotheses.text_kinds.markup_signs import LATEX, LATEX_COMMAND, MARKDOWN, SPEAKER, TAG, TEMPLATE, WIKI


@dataclass(frozen=True, slots=True)
class TextKind:
    """A kind of text, and how to tell whether a text is of this kind.

    Attributes:
        name: What it is called in `@hypothesis(text_kind=…)`.
        described: What a text of this kind is, to follow "is not".
        evidence: Returns a number for a text, of what `measured` says.
        least: The least evidence of a text of this kind.
        measured: The clause that says what was measured, with places for the evidence and for `least`.
        suffixes: Those of files that are of this kind, whatever they contain, in small letters and without the point.
        files: Names of files without a suffix that are of this kind, in small letters.
    """

    name: str
    described: str
    evidence: Callable[[str], float]
    least: float
    measured: str
    suffixes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def has_name(self, file_name: str) -> bool:
        """Tell whether a file's name says that it is of this kind, also before a final `.txt`."""
        name, suffix = name_and_suffix(file_name)
        return suffix in self.suffixes or name in self.files


def kinds_named(names: "str | TextKind | Sequence[str | TextKind]") -> tuple[TextKind, ...]:
    """Return the kinds of one or several names; a `TextKind` is used as it is.

    Raises:
        HypothesisError: If there is no kind of a name.
    """
    listed = [names] if isinstance(names, str | TextKind) else names
    kinds = {kind.name: kind for kind in KINDS}
    unknown = [name for name in listed if not isinstance(name, TextKind) and name not in kinds]
    if unknown:
        raise HypothesisError(f"there is no kind of text named {unknown[0]!r}; there are {', '.join(kinds)}")
    return tuple(name if isinstance(name, TextKind) else kinds[name] for name in listed)


def reason_against(kinds: Sequence[TextKind], text: str) -> str:
    """Return why a text is of none of these kinds, as a clause; empty if it is of one of them.

    >>> reason_against(kinds_named("code"), "It was late, and no one came.")
    'the text is not a program: 0% of it is in lines of code, under 30%'
    """
    shortcomings = []
    for kind in kinds:
        evidence = kind.evidence(text)
        if evidence >= kind.least:
            return ""
        shortcomings.append(kind.measured.format(_rounded_down(evidence), kind.least))
    return f"the text is not {' or '.join(kind.described for kind in kinds)}: {'; '.join(shortcomings)}"


def _rounded_down(evidence: float) -> float:
    """Return a number to two digits, rounded down, so that it is not shown as the least that it falls short of."""
    return float(Context(prec=2, rounding=ROUND_DOWN).create_decimal(repr(float(evidence))))


_LEAST_CODE = 0.3
_WORD = regex.compile(r"[\p{L}\p{M}]+")
_FREQUENT_IN_ENGLISH = frozenset(
    {
        "the", "of", "and", "to", "a", "in", "is", "it", "that", "was", "he", "for", "on", "are", "as", "with", "his",
        "they", "i", "at", "be", "this", "have", "from", "or", "had", "by", "not", "but", "what", "we", "you", "were",
        "all", "when", "your", "can", "said", "there", "an", "which", "she", "do", "their", "if", "my", "her", "thou",
        "thy", "him", "me",
    }
)  # fmt: skip


def _per_1000_chars(pattern: "regex.Pattern[str]") -> Callable[[str], float]:
    def evidence(text: str) -> float:
        n_signs = sum(1 for _ in pattern.finditer(text))
        return 1000 * n_signs / len(text) if n_signs > 1 else 0.0  # a single one may be there by chance

    return evidence


def _signs_of_markdown(text: str) -> float:
    """Return how many signs of Markdown there are per 1,000 characters; 0 in a program, where # begins comments."""
    return 0.0 if share_of_code(text) >= _LEAST_CODE else _per_1000_chars(MARKDOWN)(text)


def _signs_of_latex(text: str) -> float:
    """Return how many signs of LaTeX there are per 1,000 characters; in a program, $ begins variables."""
    return _per_1000_chars(LATEX_COMMAND if share_of_code(text) >= _LEAST_CODE else LATEX)(text)


def _repeated_speakers(text: str) -> float:
    """Return how many lines per 1,000 characters name a speaker who was named before."""
    names = [match[1] for match in SPEAKER.finditer(text)]
    return 1000 * (len(names) - len(set(names))) / max(len(text), 1)


def _percentage_of_english(text: str) -> float:
    """Return how many of 100 words are among the most frequent ones of English."""
    words = _WORD.findall(text.lower())
    return 100 * sum(word in _FREQUENT_IN_ENGLISH for word in words) / max(len(words), 1)


KINDS = (
    TextKind(
        "code",
        "a program",
        lambda text: 100 * share_of_code(text),
        100 * _LEAST_CODE,
        "{:.2g}% of it is in lines of code, under {:.2g}%",
        tuple(suffix for language in LANGUAGES for suffix in language.suffixes),
        tuple(name for language in LANGUAGES for name in language.files),
    ),
    TextKind(
        "latex",
        "LaTeX",
        _signs_of_latex,
        0.3,
        "{:.2g} commands of LaTeX per 1,000 characters, under {:.2g}",
        ("tex", "latex", "sty", "cls", "ltx"),
    ),
    TextKind(
        "wiki",
        "wikitext",
        _per_1000_chars(WIKI),
        0.3,
        "{:.2g} links, headings and templates of wikis per 1,000 characters, under {:.2g}",
        ("wiki", "mediawiki", "wikitext"),
    ),
    TextKind(
        "template",
        "a template",
        _per_1000_chars(TEMPLATE),
        0.5,
        "{:.2g} pairs of double braces, under {:.2g}",
        ("j2", "jinja", "mustache", "hbs"),
    ),
    TextKind(
        "html",
        "HTML or XML",
        _per_1000_chars(TAG),
        2.0,
        "{:.2g} tags per 1,000 characters, under {:.2g}",
        ("html", "htm", "xhtml", "xml", "svg", "vue"),
    ),
    TextKind(
        "markdown",
        "Markdown",
        _signs_of_markdown,
        0.3,
        "{:.2g} headings, links and fences per 1,000 characters, under {:.2g}",
        ("md", "markdown", "rmd", "qmd"),
    ),
    TextKind(
        "play",
        "a play",
        _repeated_speakers,
        0.5,
        "{:.2g} names of speakers per 1,000 characters, under {:.2g}",
    ),
    TextKind(
        "english",
        "English",
        _percentage_of_english,
        10.0,
        "{:.2g}% frequent English words, under {:.2g}%",
    ),
)
"""All kinds, in the order of the documentation."""
