"""Rules that hold for every hypothesis, and how hypotheses are found and told apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hypotheses import registry
from hypotheses.errors import HypothesisError
from hypotheses.labels import Labels
from hypotheses.registry import get, hypothesis, registered

every_hypothesis = pytest.mark.parametrize("name", list(registered()))
openers = "\" ' \"\"\" ''' \\ # #include # // /* */ \0 x don't ; { } : ( ) é 😀 \ufeff \ud800"
pieces = st.sampled_from(openers.split(" ")) | st.sampled_from(["\n", "\n\n", "\r\n", "\r", "\t", " ", "# ", "b;\n"])
texts = st.lists(pieces | st.text(max_size=3), max_size=40).map("".join)


@every_hypothesis
@given(text=texts)
def test_there_is_one_label_for_each_character(name: str, text: str) -> None:
    labels = get(name)(text)
    assert len(labels) == len(text)
    assert labels.values.dtype == (bool if labels.kind == "binary" else np.float64)
    assert np.isfinite(labels.values.astype(float)).all()


@every_hypothesis
@given(text=texts)
def test_a_causal_label_does_not_see_the_future(name: str, text: str) -> None:
    if not get(name).causal:
        pytest.skip("declares that it looks ahead")
    whole = get(name)(text).values
    for n in range(len(text)):
        assert (get(name)(text[:n]).values == whole[:n]).all()


@every_hypothesis
def test_every_hypothesis_says_what_it_asks(name: str) -> None:
    assert len(get(name).summary) > 20
    assert ">>>" in (get(name).__doc__ or "")
    assert get(name).name == name


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(HypothesisError, match=r"no hypothesis named 'in_quote'; did you mean 'in_quotes'\?"):
        get("in_quote")
    with pytest.raises(HypothesisError, match="there are .*in_comment, in_quotes"):
        get("zzz")


def write(folder: Path, content: str) -> Path:
    path = folder / "mine.py"
    path.write_text(content, encoding="utf-8")
    return path


def test_a_hypothesis_in_a_file_is_found(tmp_path: Path) -> None:
    path = write(
        tmp_path, "from probe import hypothesis\n@hypothesis\ndef is_a(text): return [c == 'a' for c in text]\n"
    )
    assert get(f"{path}:is_a")("abca").values.tolist() == [True, False, False, True]
    path = write(tmp_path, "def is_b(text): return [c == 'b' for c in text]\n")
    assert get(f"{path}:is_b")("abca").kind == "binary"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("x = 1\n1 / 0\n", "mine.py failed in line 2: ZeroDivisionError"),
        ("def f(:\n", "mine.py failed in line 1: SyntaxError"),
        ("import nowhere\n", "failed in line 1: ModuleNotFoundError"),
        ("def other(text): ...\n", "has no hypothesis named 'f'"),
        ("f = 3\n", "is a int, not a function"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(tmp_path: Path, content: str, complaint: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(HypothesisError, match=complaint):
        get(f"{path}:f")
    with pytest.raises(HypothesisError, match="there is no file"):
        get(f"{tmp_path / 'absent.py'}:f")


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("return [True]", "gave 1 labels for a text of 3 characters"),
        ("return text.upper", r"of shape \(\)"),
        ("return [[1], [2], [3]]", r"of shape \(3, 1\)"),
        ("return [[1], [2, 3], 4]", "do not fit one array"),
        ("return list(text)", "labels such as .*'a'.*neither bools nor numbers"),
        ("return [1.0, float('inf'), 0]", "finite numbers"),
        ("return None", r"of shape \(\)"),
        ("return text[7]", r"failed: IndexError in line 3 of mine.py"),
    ],
)
def test_wrong_labels_are_told_in_the_users_terms(tmp_path: Path, body: str, complaint: str) -> None:
    path = write(tmp_path, f"\ndef f(text):\n    {body}\n")
    with pytest.raises(HypothesisError, match=rf"the hypothesis 'f' .*{complaint}"):
        get(f"{path}:f")("abc")


def test_kinds_are_inferred_or_declared_and_labels_may_be_missing() -> None:
    assert hypothesis(lambda text: [True, False])("ab").kind == "binary"
    assert hypothesis(lambda text: [1, 0])("ab").kind == "numeric"
    declared = hypothesis(kind="binary")(lambda text: [1, 0])("ab")
    assert declared.kind == "binary"
    assert declared.values.tolist() == [True, False]
    for answer in ([None, 2, 5], [float("nan"), 2.0, 5.0], np.array([np.nan, 2, 5])):
        labels = Labels.of(answer, 3)
        assert labels.kind == "numeric"
        assert labels.present.tolist() == [False, True, True]
        assert labels.values[1:].tolist() == [2, 5]
    labels = hypothesis(lambda text: [None, True, False])("abc")
    assert (labels.kind, labels.present.tolist()) == ("binary", [False, True, True])
    with pytest.raises(HypothesisError, match="label .*2.* is not binary"):
        hypothesis(kind="binary")(lambda text: [0, 2])("ab")
    with pytest.raises(HypothesisError, match="choose one of binary, numeric"):
        hypothesis(kind="colour")(lambda text: [0])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "answer", [[True, None, float("nan")], [float("nan"), None, True], np.array([True, None, None])]
)
def test_bools_with_missing_ones_are_binary(answer: object) -> None:
    labels = Labels.of(answer, 3)
    assert labels.kind == "binary"
    assert labels.present.sum() == 1


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Labels(np.array(["a", "b"]), "numeric"), "one row of bools or numbers"),
        (Labels(np.zeros(2), "categorical"), "of kind 'categorical'"),  # type: ignore[arg-type]
        (Labels(np.zeros(2), "numeric", np.zeros(3, bool)), "says of 3 whether they are missing"),
        ([None, "a"], "labels such as .*'a'"),
        ([None, [1, 2]], "shape|fit one array"),
        (torch.zeros(2, requires_grad=True), "do not fit one array"),
    ],
)
def test_answers_that_are_no_labels_are_refused(answer: object, complaint: str) -> None:
    with pytest.raises(HypothesisError, match=complaint):
        Labels.of(answer, 2)


def test_a_file_may_have_dataclasses_and_callables(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom functools import partial\n"
        "@dataclass\nclass Is:\n    what: str\n    def __call__(self, text): return [c == self.what for c in text]\n"
        "is_a = Is('a')\ndef equals(text, what): return [c == what for c in text]\nis_b = partial(equals, what='b')\n",
    )
    assert get(f"{path}:is_a")("ab").values.tolist() == [True, False]
    assert get(f"{path}:is_b")("ab").values.tolist() == [False, True]


def test_documents_of_different_kinds_do_not_join() -> None:
    with pytest.raises(HypothesisError, match="binary and numeric labels"):
        Labels.join([Labels.of([True], 1), Labels.of([1.5], 1)])
    joined = Labels.join([Labels.of([True, None], 2), Labels.of([None, None], 2), Labels.of([False], 1)])
    assert joined.kind == "binary"
    assert joined.present.tolist() == [True, False, False, False, True]


class Point:
    """An entry point as an installed plug-in would have it."""

    def __init__(self, name: str, value: object) -> None:
        self.name, self.value, self.dist = name, f"plugin:{name}", None
        self._loads = value

    def load(self) -> object:
        if isinstance(self._loads, Exception):
            raise self._loads
        return self._loads


def test_plug_ins_are_found_and_clashes_named(monkeypatch: pytest.MonkeyPatch) -> None:
    points: list[Point] = [Point("is_vowel", lambda text: [c in "aeiou" for c in text])]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    fresh = registered.__wrapped__
    assert fresh()["is_vowel"]("ab").values.tolist() == [True, False]
    points.append(Point("in_quotes", lambda text: [True] * len(text)))
    with pytest.raises(HypothesisError, match="two hypotheses are named 'in_quotes': one of char-probe, one of plugin"):
        fresh()
    points[:] = [Point("broken", ImportError("no module named spam"))]
    with pytest.raises(HypothesisError, match="plug-in plugin:broken cannot be loaded: no module named spam"):
        fresh()
