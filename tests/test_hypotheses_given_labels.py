"""Arrays, lists, `Labels` and dicts of these in place of a hypothesis, in every function that takes one."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from planting import PLANTED

import probe
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from analyses.errors import AnalysisError
from analyses.targets.labelling import label, listed, target
from hypotheses.errors import HypothesisError
from hypotheses.given_labels import are_labels
from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.registry import get
from hypotheses.user_files import as_hypothesis

CORPUS = Corpus.from_texts(["abcd", "efg"], ["texts/a.txt", "texts/b.txt"])
VALUES = [True, False, False, True, True, False, True]


def labelled(given: Any) -> Labels:
    """The labels of all characters."""
    return label(CORPUS, as_hypothesis(given))


@pytest.mark.parametrize(
    "given",
    [
        VALUES,
        tuple(VALUES),
        np.array(VALUES),
        Labels(np.array(VALUES), "binary"),
        pd.Series(VALUES, index=range(3, 10)),
        torch.tensor(VALUES),
        {"a.txt": VALUES[:4], "texts/b.txt": np.array(VALUES[4:])},
        {"b": pd.Series(VALUES[4:]), "a": Labels(np.array(VALUES[:4]), "binary")},
    ],
    ids=["list", "tuple", "array", "Labels", "Series", "tensor", "dict", "dict of stems"],
)
def test_all_that_may_hold_labels(given: Any) -> None:
    assert are_labels(given)
    assert as_hypothesis(given).name == "labels"
    assert labelled(given).kind == "binary"
    assert labelled(given).tolist() == VALUES


def test_numbers_classes_and_missing_labels() -> None:
    numbers = hypothesis(np.array([0.5, 1, 2, 3, 4, 5, np.nan]), unit="litres")
    assert (numbers.kind, numbers.unit, numbers.causal) == ("numeric", "litres", False)
    assert labelled(numbers).tolist() == [0.5, 1, 2, 3, 4, 5, None]
    assert labelled([0, 1, 1, 0, 1, 0, None]).tolist() == [False, True, True, False, True, False, None]
    assert hypothesis([0, 1, 1, 0, 1, 0, 1], kind="numeric").kind == "numeric"
    assert hypothesis({"a": np.zeros(4), "b": np.arange(3)}).kind == "numeric"
    classes = hypothesis(np.array(list("ABABABA")), name="letters")
    assert classes.names == ("A", "B")
    assert labelled(classes == "A").tolist() == [True, False] * 3 + [True]
    assert (classes == "A").name == "letters == A"
    by_index = hypothesis([0, 1, 1, 0, 1, 0, 1], names=("no", "yes"), kind="categorical")
    assert by_index.names == ("no", "yes")
    assert labelled(hypothesis([0, 1, 1, 0, 1, 0, 1], kind="binary")).kind == "binary"
    assert as_hypothesis(pd.Series(VALUES, name="verbs")).name == "verbs"


def test_classes_that_only_some_documents_have() -> None:
    given = {"a.txt": np.array(list("ABAA")), "b.txt": np.array(list("CCC"))}
    assert labelled(given).names == ("A", "B", "C")
    assert labelled(hypothesis(given) == "C").tolist() == [False] * 4 + [True] * 3


def test_labels_combine_with_other_hypotheses() -> None:
    combined = hypothesis(VALUES) & ~get("vowel") | (hypothesis(np.arange(7)) >= 6)
    expected = [v and c not in "aeiou" for v, c in zip(VALUES, "abcdefg", strict=True)]
    expected[6] = True
    assert labelled(combined).tolist() == expected


def test_documents_without_labels_are_missing_and_counted() -> None:
    with pytest.warns(UserWarning, match=r"1 of 2 documents have no labels: texts/b\.txt"):
        labels = labelled({"a.txt": VALUES[:4]})
    assert labels.tolist() == [*VALUES[:4], None, None, None]


def test_lists_of_labels_and_lists_of_hypotheses_are_told_apart() -> None:
    assert list(listed(["in_quotes", "vowel"])) == ["in_quotes", "vowel"]
    assert len(listed(VALUES)) == 1
    assert len(listed(np.array(["a", "b"]))) == 1
    several = listed([np.array(VALUES), "vowel", pd.Series(VALUES, name="verbs")])
    assert [made if isinstance(made, str) else made.name for made in several] == ["labels_1", "vowel", "verbs_2"]  # type: ignore[union-attr]
    [alone] = listed([np.array(VALUES)])
    assert alone.name == "labels"  # type: ignore[union-attr]
    assert not are_labels("in_quotes") and not are_labels(get("vowel")) and not are_labels([]) and not are_labels(len)


def test_the_planted_unit_is_found_by_an_array(planted: Path) -> None:
    """`rank`, `fit` and `curve` say of the labels of a hypothesis what they say of the hypothesis."""
    recording = Recording(planted)
    labels = target(recording.corpus, "in_comment").labels[:]
    by_name, by_array = probe.rank(recording, "in_comment"), probe.rank(recording, labels.values)
    assert by_array.hypothesis == "labels"
    assert by_array.units[0].unit == by_name.units[0].unit == PLANTED["in_comment"]
    assert [unit.score for unit in by_array.units] == [unit.score for unit in by_name.units]
    [fitted] = probe.fit(recording, labels, sites=["1/hidden"], controls=())
    [expected] = probe.fit(recording, "in_comment", sites=["1/hidden"], controls=())
    assert (fitted.hypothesis, fitted.auc) == ("labels", expected.auc)
    both: list[Any] = [labels.values, "in_quotes"]
    two = probe.fit(recording, both, sites=["1/hidden"], controls=())
    assert sorted(result.hypothesis for result in two) == ["in_quotes", "labels"]
    lengths = {document.name: document.n_chars for document in recording.corpus.documents}
    with pytest.raises(HypothesisError, match=f"there are 3 labels for second.py, which has {lengths['second.py']:,}"):
        probe.rank(recording, {"first.py": np.zeros(lengths["first.py"]), "second.py": np.zeros(3)})


def test_edited_and_written_texts_have_no_given_labels(copying_model: Any, code_text: str) -> None:
    corpus = Corpus.from_texts([code_text[:2000]])
    live = probe.LiveActivations(copying_model, corpus)
    with pytest.raises(AnalysisError, match="'labels' has labels of one text alone, and an edited text has none"):
        probe.perturb(live, np.arange(2000) % 7 == 0, "insert x")
    Path("a.csv").write_text("start,end\n1,2\n", encoding="utf-8")
    with pytest.raises(AnalysisError, match=r"'~labels:a\.csv' has labels of one text alone"):
        probe.perturb(live, "~labels:a.csv", "insert x")


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("boolean", [True, None, False, True, True, False, True]),
        ("Int64", [True, None, False, True, True, False, True]),
    ],
)
def test_missing_values_of_pandas(dtype: str, expected: list[bool | None]) -> None:
    given = pd.Series([1, None, 0, 1, 1, 0, 1], dtype="Int64").astype(dtype)
    assert labelled(given).tolist() == expected
    names = pd.Series(["a", pd.NA, "b", "a", "a", "b", "a"], dtype="string")
    assert labelled(names).tolist() == ["a", None, "b", "a", "a", "b", "a"]


def test_an_array_and_a_hypothesis_do_not_combine_on_either_side() -> None:
    array, in_word = np.array(VALUES), get("in_word")
    with pytest.raises(HypothesisError, match="& ndarray: only hypotheses combine; .* a function or of labels"):
        _ = in_word & array
    with pytest.raises(HypothesisError, match="& ndarray: only hypotheses combine"):
        _ = array & in_word
    with pytest.raises(HypothesisError, match=r"\| ndarray: only hypotheses combine"):
        _ = array | in_word
