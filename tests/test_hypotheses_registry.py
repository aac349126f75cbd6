"""Rules that hold for every hypothesis, and how hypotheses are found by name."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hypotheses import built_in, registry
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labelling.documents import label_corpus
from hypotheses.labels import KINDS, Labels
from hypotheses.registry import get, registered

VARIANTS = (
    "in_comment:python", "in_comment:c", "in_string:c", "in_docstring:python", "in_if_condition:python",
    "in_if_condition:c",
    "in_function_body:python", "in_function_body:c", "in_preprocessor:c", "expression_depth:c", "indentation:4",
    "indent_at_least:1,2", "surprisal:2", "rare_char:0.2", "in_latex_environment:a",
    "phase:2", r"phase:3,a+", "phase:'4,a(?=b)'",
    "in_quotes & ~in_comment | position_in_line >= 3", "in_quotes @ -2", "char_class @ -1",
)  # fmt: skip
every_hypothesis = pytest.mark.parametrize(
    "name", [hypothesis.example_spelling for hypothesis in registered().values() if hypothesis.labels_any_text]
)
openers = (
    "\" ' \"\"\" ''' \\ # #include # // /* */ \0 x don't ; { } : ( ) [ ] [[ ]] {{ }} é 😀 \ufeff \ud800 "
    "` ``` ‘ ’ “ ” « » <a> </a> <b c= <!-- --> > $ $$ \\( \\) \\begin{a} \\end{a} \\begin{align*} % ## ~~~ "
    "<script> </script> <p> <ul> <li> x<y <?xml <![CDATA[ ]]> <!DOCTYPE <nowiki> $5 $x^ \\emph{ \\begin{verbatim} == "
    "=== „ ‚ 」 「 。 ； （ ） я й ŷ 中 あ \u00ad \u200d '' ''' \\{ "
    "if elif def class async r f := = http:// www. , . ! Mr. A. Bob IBM 0x1F 3.14 -- e\u0301 \u2028 ROMEO: 'tis"
)
pieces = st.sampled_from(openers.split(" ")) | st.sampled_from(
    ["\n", "\n\n", "\r\n", "\r", "\t", " ", "# ", "b;\n", "if (", "def f(x):\n "]
)
texts = st.lists(pieces | st.text(max_size=3), max_size=40).map("".join)
FILE_NAME = "text.py"


@every_hypothesis
@given(text=texts)
def test_there_is_one_label_for_each_character(name: str, text: str) -> None:
    tested = get(name)
    labels = tested(text, file_name=FILE_NAME)
    assert len(labels) == len(text)
    assert labels.kind == (tested.kind or labels.kind)
    assert labels.values.dtype == {"binary": bool, "categorical": np.int32, "numeric": np.float64}[labels.kind]
    assert np.isfinite(labels.values.astype(float)).all()
    assert labels.names == tested.names
    assert bool(tested.unit) == (labels.kind == "numeric")


@pytest.mark.parametrize(
    "name", [hypothesis.example_spelling for hypothesis in registered().values() if hypothesis.causal] + list(VARIANTS)
)
@given(text=texts)
def test_a_causal_label_does_not_see_the_future(name: str, text: str) -> None:
    tested = get(name)
    whole = tested(text, file_name=FILE_NAME).tolist()
    for n in range(len(text)):
        assert tested(text[:n], file_name=FILE_NAME).tolist() == whole[:n]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("chars_until_newline", "a\n"),
        ("fraction_of_line", "ab"),
        ("line_length", "ab"),
        ("chars_until_bracket_closes", "(a)"),
        ("end_of_word", "ab"),
        ("chars_until_word_ends", "ab"),
        ("in_speaker", "A:\n"),
        ("www_prefix", "www."),
        ("in_keyword", "into"),
        ("in_identifier", "into"),
        ("part_of_speech", "You can can it."),
        ("regex:ab", "ab"),
        ("token:Keyword,python", "former"),
    ],
)
def test_a_hypothesis_that_is_declared_to_look_ahead_does(name: str, text: str) -> None:
    tested = get(name)
    assert not tested.causal
    whole = tested(text).tolist()
    assert any(tested(text[:n]).tolist() != whole[:n] for n in range(len(text)))


@pytest.mark.parametrize(
    "name",
    [hypothesis.example_spelling for hypothesis in registered().values() if hypothesis.separator is not None]
    + [
        "in_word & ~sentence_start",
        "vowel | capitalised",
        "position_in_line >= 3",
        "indentation:4",
        "char_class == digit",
    ],
)
@given(several=st.lists(texts, min_size=1, max_size=5))
def test_a_separator_keeps_texts_apart(name: str, several: list[str]) -> None:
    tested = get(name)
    assert tested.separator is not None
    separately = [label for text in several for label in tested(text).tolist()]
    assert label_corpus(tested, ["text"] * len(several), several, "", use_cache=False)[:].tolist() == separately


def test_a_separator_of_several_hypotheses_is_one_of_each() -> None:
    assert get("in_word & vowel").separator == "\n"
    assert get("sentence_start & in_word").separator == "\n\n"
    assert get("in_word & bracket_depth >= 1").separator is None
    assert get("in_word @ 1").separator is None
    commas = hypothesis(name="commas", kind="binary", separator=",")(lambda text: [False] * len(text))
    assert (commas & get("in_word")).separator is None


@every_hypothesis
def test_every_hypothesis_says_what_it_asks(name: str) -> None:
    tested = get(name)
    assert len(tested.summary) > 20
    assert ">>>" in (tested.__doc__ or "")
    assert tested.name.partition(":")[0] in registered()
    assert tested.fingerprint is not None


def test_every_module_of_built_in_hypotheses_defines_some_and_is_a_topic() -> None:
    modules = {path.stem for path in Path(built_in.__file__).parent.glob("*.py")} - {"__init__"}
    assert all(registry.in_topic(module) for module in modules)
    assert modules == set(registry.TOPICS)
    assert len(set(registry.TOPICS)) == len(registry.TOPICS)


def test_the_error_for_an_unknown_name_has_the_nearest() -> None:
    with pytest.raises(HypothesisError, match=r"no hypothesis named 'in_quote'; did you mean 'in_quotes'\?"):
        get("in_quote")
    with pytest.raises(HypothesisError, match="`probe hypotheses` lists all of them"):
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
        ("x = 1\0\n", "mine.py failed: SyntaxError: source code string cannot contain null bytes"),
        ("# coding: nonsense\n", "mine.py failed: SyntaxError: unknown encoding: nonsense"),
        ("def other(text): ...\n", "has no hypothesis named 'f'"),
        ("f = 3\n", "is a int, not a function"),
    ],
)
def test_the_error_for_a_file_says_what_is_wrong_in_it(tmp_path: Path, content: str, complaint: str) -> None:
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
        ("return [b'a', b'b', b'c']", r"labels such as b'a', which fit no kind"),
        ("return [1.0, float('inf'), 0]", "finite numbers"),
        ("return None", r"of shape \(\)"),
        ("return text[7]", r"failed: IndexError in line 3 of mine.py"),
        ("return (text[t + 1] for t in range(9))", r"failed: IndexError in line 3 of mine.py"),
        ("raise SystemExit(3)", r"failed: SystemExit in line 3 of mine.py"),
    ],
)
def test_the_error_for_wrong_labels_is_in_the_users_terms(tmp_path: Path, body: str, complaint: str) -> None:
    path = write(tmp_path, f"\ndef f(text):\n    {body}\n")
    with pytest.raises(HypothesisError, match=rf"the hypothesis '.*mine.py:f' .*{complaint}"):
        get(f"{path}:f")("abc")


def test_kinds_are_inferred_or_declared_and_labels_may_be_missing() -> None:
    assert hypothesis(lambda text: [True, False])("ab").kind == "binary"
    assert hypothesis(lambda text: [1, 0])("ab").kind == "numeric"
    declared = hypothesis(kind="binary")(lambda text: [1, 0])("ab")
    assert declared.kind == "binary"
    assert declared.values.tolist() == [True, False]
    for answer in (
        [None, 2, 5],
        np.ma.masked_array([1, 2, 5], np.array([True, False, False])),
        [float("nan"), 2.0, 5.0],
        np.array([np.nan, 2, 5]),
    ):
        labels = Labels.from_answer(answer, 3)
        assert labels.kind == "numeric"
        assert labels.present.tolist() == [False, True, True]
        assert labels.values[1:].tolist() == [2, 5]
    labels = hypothesis(lambda text: [None, True, False])("abc")
    assert (labels.kind, labels.present.tolist()) == ("binary", [False, True, True])
    answers: list[Any] = [[None, "a", "b"], np.array(["c", "a", "b"], object), [float("nan"), "a", "b"]]
    for answer in answers:
        labels = Labels.from_answer(answer, 3)
        assert labels.kind == "categorical"
        assert labels.tolist()[1:] == ["a", "b"]
    named = hypothesis(names=("z", "y"))(lambda text: ["y", None, "z"])("abc")
    assert (named.tolist(), named.names) == (["y", None, "z"], ("z", "y"))
    assert hypothesis(names=("z", "y"))(lambda text: [1, 0])("ab").tolist() == ["y", "z"]
    assert hypothesis(lambda text: (char == "a" for char in text))("ab").tolist() == [True, False]
    for kind in KINDS:
        if kind != "categorical":
            with pytest.raises(HypothesisError, match=f"gave the name '5', and is declared to be {kind}"):
                Labels.from_answer(["5", "10"], 2, kind)
    assert Labels.from_answer([10**30, None], 2).tolist() == [1e30, None]
    assert Labels.from_answer(["a\0", "a"], 2).tolist()[1] == "a"
    with pytest.raises(HypothesisError, match="has names of classes, and is declared to be binary"):
        hypothesis(kind="binary", names=("a",))(lambda text: [])
    with pytest.raises(HypothesisError, match="label 'x', which is none of its names: z, y"):
        hypothesis(names=("z", "y"))(lambda text: ["x"])("a")
    with pytest.raises(HypothesisError, match="label .*2.* is not binary"):
        hypothesis(kind="binary")(lambda text: [0, 2])("ab")
    with pytest.raises(HypothesisError, match="choose one of binary, categorical, numeric"):
        hypothesis(kind="colour")(lambda text: [0])  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "answer", [[True, None, float("nan")], [float("nan"), None, True], np.array([True, None, None])]
)
def test_bools_with_missing_ones_are_binary(answer: object) -> None:
    labels = Labels.from_answer(answer, 3)
    assert labels.kind == "binary"
    assert labels.present.sum() == 1


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (Labels(np.array(["a", "b"]), "numeric"), "one dimension of bools or numbers"),
        (Labels(np.zeros(2), "categorical"), "the label 0.0 at character 0, and there are 0 names"),
        (Labels(np.zeros(2), "numeric", np.zeros(3, bool)), "says of 3 whether they are missing"),
        ([1, "a"], "numbers and, at character 1, .a.; give all labels in one kind"),
        ([True, 2], "bools and, at character 1, 2"),
        (np.array([1, "a"], object), "numbers and, at character 1, 'a'"),
        ({0: True, 1: False}, "gave a dict"),
        ({True, False}, "gave a set"),
        ("ab", "gave a str"),
        (["a", 2.5], "names and, at character 1, 2.5"),
        (Labels(np.array([0, 2], np.int32), "categorical", names=("a", "b")), "the label 2 at character 1"),
        ([None, [1, 2]], "shape|fit one array"),
        (torch.zeros(2, requires_grad=True), "do not fit one array"),
    ],
)
def test_answers_that_are_not_labels_are_refused(answer: object, complaint: str) -> None:
    with pytest.raises(HypothesisError, match=complaint):
        Labels.from_answer(answer, 2)


def test_the_error_has_the_line_of_a_partial_or_a_callable(tmp_path: Path) -> None:
    content = (
        "from functools import partial\nclass K:\n    def __call__(self, text):\n        return text[99]\nk = K()\n"
    )
    path = write(tmp_path, content + "def bad(text, x): return text[x]\nb = partial(bad, x=99)\n")
    for name, line in (("k", 4), ("b", 6)):
        with pytest.raises(HypothesisError, match=f"failed: IndexError in line {line} of mine.py"):
            get(f"{path}:{name}")("abc")
    with pytest.raises(HypothesisError, match=r"has no hypothesis named 'bat'; did you mean 'bad'\?"):
        get(f"{path}:bat")


def test_a_file_may_import_modules_in_its_folder(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("LETTER = 'a'\n")
    path = write(tmp_path, "from beside import LETTER\ndef f(text): return [c == LETTER for c in text]\n")
    assert get(f"{path}:f")("ab").tolist() == [True, False]


def test_a_hypothesis_is_not_silently_taken_for_true_or_false() -> None:
    tested = get("position_in_line")
    for misuse in (lambda: tested and tested, lambda: not tested, lambda: 3 <= tested <= 5):
        with pytest.raises(HypothesisError, match="combine with &, | and ~ in place of and, or and not"):
            misuse()
    with pytest.raises(HypothesisError, match="only hypotheses combine"):
        get("in_quotes") & "in_word"  # type: ignore[operator]
    with pytest.raises(HypothesisError, match="labels a text, but got a int"):
        get("in_quotes")(3)  # type: ignore[arg-type]
    assert get("in_quotes") in {get("in_quotes"): 1}
    assert get("in_quotes") != None  # noqa: E711


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
        Labels.join([Labels.from_answer([True], 1), Labels.from_answer([1.5], 1)])
    joined = Labels.join(
        [Labels.from_answer([True, None], 2), Labels.from_answer([None, None], 2), Labels.from_answer([False], 1)]
    )
    assert joined.kind == "binary"
    assert joined.present.tolist() == [True, False, False, False, True]
    joined = Labels.join(
        [Labels.from_answer(["b", "a"], 2), Labels.from_answer([None], 1), Labels.from_answer(["c", "b"], 2)]
    )
    assert joined.tolist() == ["b", "a", None, "c", "b"]


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
    with pytest.raises(
        HypothesisError, match="plug-in plugin:broken cannot be loaded: ImportError: no module named spam"
    ):
        fresh()
