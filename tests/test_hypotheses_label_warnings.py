"""Warnings about labels: of runs that are out of all proportion, and not of runs that are merely long."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from analyses.targets.label_checks import check_labels
from analyses.targets.labelling import target
from analyses.targets.many_hypotheses import all_targets
from hypotheses.describing.label_warnings import find_warnings, warnings_of
from hypotheses.describing.summary import summarise
from hypotheses.hypothesis import Hypothesis, hypothesis
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labels import Labels
from hypotheses.registry import get

ROOT = Path(__file__).parents[1]


def labels_of(*runs: int) -> Labels:
    """Runs of False and True in turn, of so many characters each."""
    return Labels(np.repeat(np.arange(len(runs)) % 2 == 1, runs), "binary")


def findings(labels: Labels, *document_starts: int) -> list[str]:
    return [warning.finding for warning in warnings_of(summarise(labels, document_starts=document_starts), "in_x")]


@pytest.mark.parametrize(
    ("runs", "finding"),
    [
        ([5000, 19, 5000], "is True at only 19 characters of 10,019"),
        ([5000, 1], "is True at only 1 character of 5,001"),
        ([10, 5000, 9], "is False at only 19 characters of 5,019"),
        ([5000, 20, 5000], "is True in one run only, of 20 characters"),
        ([500, 40, 500, 961, 500], "has one run of 961 characters, 96.0 % of those where it is True"),
        ([100, 250, 100, 125, 100, 2000, 100], "has a run of 2,000 characters, and no other of over 250"),
        (
            [100, *[333, 100] * 9, 1000],
            "has a run of 1,000 characters that goes to the end of its document, and none of over 333 that does not",
        ),
    ],
)
def test_odd_labels_are_warned_of(runs: list[int], finding: str) -> None:
    assert findings(labels_of(*runs)) == [finding]


@pytest.mark.parametrize(
    "runs",
    [
        [5000, 20, 5000, 20, 5000],
        [500, 100, 500, 1800, 500],  # 94.7 % of all that are True
        [100, 251, 100, 125, 100, 2000, 100],  # under 8 times as long as the next
        [100, 20, 100, 125, 100, 1999, 100],  # not long
        [100, *[334, 100] * 9, 1000],  # at the end, and under 3 times as long as others
        [100, *[20, 100] * 90, 999],  # at the end, and not long
        [5000],  # True nowhere, which an analysis refuses
        [900, 10, 80],  # a short text
    ],
)
def test_other_labels_are_not(runs: list[int]) -> None:
    assert findings(labels_of(*runs)) == []


def test_a_run_goes_to_the_end_only_of_its_own_document() -> None:
    """Where a whole document is True, nothing was opened in it, and nothing is unclosed."""
    labels = labels_of(100, *[333, 100] * 9, 1000, 500)
    end = len(labels) - 500
    assert findings(labels) == []
    assert "goes to the end" in findings(labels, end)[0]
    assert findings(labels, end - 1000, end) == []


def test_only_binary_labels_are_warned_of() -> None:
    names = hypothesis(lambda text: ["a" if char == "a" else "b" for char in text])
    lengths = hypothesis(lambda text: [len(text)] * len(text))
    text = "a" * 5 + "b" * 5000
    assert findings(names(text)) == findings(lengths(text)) == []
    assert findings((names == "a")(text)) == ["is True at only 5 characters of 5,005"]


@given(st.lists(st.integers(0, 2500), min_size=2, max_size=12), st.sets(st.integers(0, 9000)), st.data())
def test_labels_that_are_not_summarised_have_no_warning(runs: list[int], cuts: set[int], data: st.DataObject) -> None:
    labels = labels_of(*runs)
    missing = np.zeros(len(labels), bool)
    first = data.draw(st.integers(0, len(labels)))
    missing[first : first + data.draw(st.integers(0, 30))] = True
    labels = Labels(labels.values, "binary", data.draw(st.sampled_from([None, missing])))
    starts = sorted(cut for cut in cuts if cut < len(labels))
    part = slice(data.draw(st.integers(0, len(labels))), len(labels))
    for made in (labels, CorpusLabels.join([labels[:700], labels[700:]])):
        expected = warnings_of(summarise(labels, document_starts=starts, part=part), "in_x")
        assert find_warnings(made, "in_x", "character {:,}".format, document_starts=starts, part=part) == expected


LINES = "x = 'a' + 'bc'\n" * 300
CODE = LINES + "y = '''x\n" + "Prose goes on and on.\n" * 300


def test_a_string_that_is_never_closed_is_reported_with_where_it_begins() -> None:
    corpus = Corpus.from_texts(["z = 'd'\n", CODE], ["a.py", "b c.py"])
    labels = Labels.join([get("in_string:python")(text) for text in corpus.texts()])
    begins = corpus.text().index("'''") + 2  # the first two quotation marks are an empty string so far
    [warning] = check_labels(corpus, "in_string:python", labels)
    assert str(warning) == (
        "in_string:python has a run of 6,603 characters that goes to the end of its document, and none of over 3 that "
        f"does not; it begins at character {begins:,}, line 301 of b c.py, which `probe hypotheses --show "
        f"in_string:python --around {begins} TEXT` shows"
    )


def test_making_a_target_says_so() -> None:
    corpus = Corpus.from_texts([CODE, LINES * 3], ["a.py", "b.py"])
    notices: list[str] = []
    target(corpus, "in_string:python", notice=notices.append)
    assert len(notices) == 1 and notices[0].startswith("in_string:python has a run of 6,603 characters that goes")
    target(corpus, "in_string:python", notice=notices.append, checks=False)
    target(corpus, "in_word", notice=notices.append)
    assert len(notices) == 1
    with pytest.warns(UserWarning, match="in_string:python has a run of 6,603"):
        target(corpus, "in_string:python")


def test_only_the_characters_that_are_used_are_looked_at() -> None:
    corpus = Corpus.from_texts(["ab" * 1000 + "b" * 4000 + "ab" * 1000], ["a.txt"])
    labels = Labels.from_answer([char == "b" for char in corpus.text()], len(corpus))
    assert check_labels(corpus, "is_b", labels, Selection.of(len(corpus), 0, 2000)) == []
    [warning] = check_labels(corpus, "is_b", labels, Selection.of(len(corpus), 1000, 7000))
    assert warning.finding == "has a run of 4,001 characters, and no other of over 1"
    assert (warning.position, warning.where) == (1999, "it begins at character 1,999, line 1 of a.txt")
    [warning] = check_labels(corpus, "is_b", labels, Selection.of(len(corpus), 1010, 5000))
    assert warning.finding.startswith("has a run of 3,001 characters")


@pytest.mark.parametrize(
    "name",
    ["in_comment", "in_docstring", "in_function_body", "in_if_condition", "in_keyword", "in_quotes", "in_string"],
)
def test_labels_of_a_real_program_are_not_warned_of(name: str) -> None:
    corpus = Corpus.read(*(ROOT / "probe" / "data").glob("*.py.txt"))
    labels = Labels.join([get(name)(text) for text in corpus.texts()])
    assert check_labels(corpus, name, labels) == []


def true_in_eighths(name: str, n: int) -> Hypothesis:
    """True at `n` characters from each eighth of a document on."""

    def label(text: str) -> list[bool]:
        return [t % (len(text) // 8) < n for t in range(len(text))]

    return hypothesis(label).with_name(name)


def test_warnings_of_all_hypotheses_are_one_line(planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {name: true_in_eighths(name, n) for name, n in (("rare", 1), ("usual", 9), ("as_rare", 1))}
    monkeypatch.setattr("analyses.targets.many_hypotheses.registered", lambda: asked)
    monkeypatch.setattr("analyses.targets.many_hypotheses.get", lambda name, language: asked[name])
    notices: list[str] = []
    with Recording(planted) as recording:
        made = all_targets(recording, notice=notices.append).made
    assert [target.hypothesis for target in made] == ["rare", "usual", "as_rare"]
    assert notices == ["labels that look wrong, or are rare (`probe hypotheses TEXT` says why): rare, as_rare"]
