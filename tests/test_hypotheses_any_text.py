"""Rules that every hypothesis keeps on any text: it does not see the future, answers, and takes linear time."""

import time
from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.hypothesis import Hypothesis
from hypotheses.programs.languages import LANGUAGES
from hypotheses.registry import get, registered

FOLDER = Path(__file__).parent / "foreign_texts"
FILES = sorted(path for path in FOLDER.iterdir() if path.suffix != ".toml")
NAMES = [hypothesis.example_spelling for hypothesis in registered().values() if hypothesis.labels_any_text]
CAUSAL = [
    hypothesis.example_spelling
    for hypothesis in registered().values()
    if hypothesis.causal and hypothesis.labels_any_text
]
CAUSAL_IN_A_LANGUAGE = [name for name in CAUSAL if "language" in get(name).parameters]
any_text = st.text(st.characters(exclude_categories=()), max_size=60)
"""Any code points, also surrogates, combining marks and those beyond the basic plane."""

LONG_TEXTS = {
    "one line": 'word \'a (b "c" <d> $e$ {f} 1.5 // # ',
    "parentheses": "(",
    "all brackets": "([{",
    "crossed brackets": "(]",
    "escaped brackets": "\\\\{",
    "tags": "<b>",
    "names of tags": "<div",
    "attributes": "<a b='",
    "end tags": "</b>",
    "lists": "<ul><li>",
    "raw text": "<script></",
    "environments": "\\begin{a}",
    "ends of environments": "\\end{a}",
    "dollars": "$",
    "formulas": " $a",
    "quotes": '"',
    "curly quotes": "“",
    "low quotes": "„",
    "guillemets": "»«",
    "corner quotes": "「",
    "apostrophes": " '",
    "backticks": "`",
    "comments of C": "/*",
    "comments of SQL and Haskell": "{-",
    "hashes": "#",
    "heredocs": "<<A ",
    "templates": "{{a",
    "links": "[[a",
    "addresses": "http://(",
    "marks": "e\u0301",
    "wide": "中。",
    "astral": "😀",
    "blanks": " ",
    "newlines": "\n",
    "speakers": "\n\nAb",
}


def assert_causal(hypothesis: Hypothesis, text: str, file_name: str, lengths: Iterable[int]) -> None:
    """Assert that the labels of prefixes of these lengths are prefixes of the labels."""
    whole = hypothesis(text, file_name=file_name)
    for n in lengths:
        labels, expected = hypothesis(text[:n], file_name=file_name), whole[:n]
        assert labels.names == expected.names
        np.testing.assert_array_equal(labels.present, expected.present)
        np.testing.assert_array_equal(labels.values[labels.present], expected.values[labels.present])


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_causal_label_does_not_see_the_future_of_these_texts(path: Path, name: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert_causal(get(name), text, path.name, chain(range(0, len(text), 37), range(len(text) - 5, len(text))))


@pytest.mark.parametrize("name", CAUSAL_IN_A_LANGUAGE)
@pytest.mark.parametrize("language", [language.name for language in LANGUAGES])
def test_a_causal_label_does_not_see_the_future_if_it_takes_these_texts_for_a_program(language: str, name: str) -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert_causal(get(name, language=language), text, path.name, range(1, len(text), 193))


@pytest.mark.parametrize("name", NAMES)
@given(text=any_text)
def test_every_hypothesis_answers_on_any_characters(name: str, text: str) -> None:
    assert len(get(name)(text, file_name="text.py")) == len(text)


def seconds_for(name: str, text: str) -> float:
    start = time.process_time()  # other programs run at the same time
    assert len(get(name)(text, file_name="text.py")) == len(text)
    return time.process_time() - start


@pytest.mark.slow  # a megabyte of each, labelled by each hypothesis
@pytest.mark.parametrize("name", NAMES)
def test_the_time_is_linear_in_the_text(name: str) -> None:
    """Four times the text takes less than eight times as long, where quadratic work would take sixteen times.

    What is fast on the long text is linear enough; a label that takes three seconds for a megabyte is none of those.
    """
    for kind, piece in LONG_TEXTS.items():
        text = piece * (1_000_000 // len(piece))
        taken = seconds_for(name, text)
        if taken > 0.5:
            shorter = min(seconds_for(name, text[: len(text) // 4]) for _ in range(2))
            assert min(taken, seconds_for(name, text)) < 8 * shorter + 0.5, kind
