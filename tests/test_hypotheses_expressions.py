"""The language of expressions: parameters, combinations, comparisons."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import Hypothesis, hypothesis
from hypotheses.registry import get

TEXT = 'if a: "b" # c "d"\n\tx = "e"\n'


def labels(spelled: str, text: str = TEXT) -> list[Any]:
    return get(spelled)(text).tolist()


def test_signs_mean_what_they_mean_in_python() -> None:
    quotes, comment = get("in_quotes"), get("in_comment:python")
    for spelled, made in (
        ("in_quotes & ~in_comment:python", quotes & ~comment),
        ("in_quotes | in_comment:python", quotes | comment),
        ("~(in_quotes | in_comment:python)", ~(quotes | comment)),
        ("position_in_line >= 4", get("position_in_line") >= 4),
        ("position_in_line < 4.5", get("position_in_line") < 4.5),
        ("char_class == 'lower case'", get("char_class") == "lower case"),
        ("char_class != newline & in_quotes", get("char_class").compared("!=", "newline") & quotes),
    ):
        assert labels(spelled) == made(TEXT).tolist()
        assert made.name == spelled
    both = [q and not c for q, c in zip(quotes(TEXT).values, comment(TEXT).values, strict=True)]
    assert labels("in_quotes & ~in_comment:python") == both


def test_precedence_is_not_then_comparisons_then_and_then_or() -> None:
    assert labels("in_word | in_quotes & ~vowel") == labels("in_word | (in_quotes & (~vowel))")
    assert labels("position_in_line > 3 & in_word") == labels("(position_in_line > 3) & in_word")
    assert labels("(in_word | in_quotes) & vowel") != labels("in_word | in_quotes & vowel")


def test_a_lag_is_the_label_of_another_character() -> None:
    assert labels("position_in_line @ 2", "ab\ncd") == [0, 1, 2, None, None]
    assert labels("position_in_line @ -1", "ab\ncd") == [None, 1, 2, 0, 1]
    assert labels("position_in_line @ 9", "ab\ncd") == [None] * 5
    assert labels("position_in_line @ 1 >= 2", "ab\ncd") == [True, False, False, True, None]
    assert labels("char_class @ 1 == newline", "ab\ncd") == [False, True, False, False, None]
    assert labels("~vowel @ 1 & in_word", "ab\n") == [True, True, False]
    assert get("in_quotes @ 3").name == (get("in_quotes").lagged(3)).name == "in_quotes @ 3"
    assert not get("in_quotes @ 1").causal and get("in_quotes @ -1").causal
    assert get("position_in_line @ 1").unit == "characters"
    assert labels("position_in_line @ 1", "") == []


def test_a_combination_looks_ahead_if_a_part_does() -> None:
    assert not get("in_quotes & end_of_word").causal
    assert not (get("chars_until_newline") > 3).causal
    assert get("in_quotes & in_word").causal


def test_a_missing_label_stays_missing_unless_the_other_label_decides() -> None:
    known = hypothesis(lambda text: [True, True, False, False])
    partly = hypothesis(lambda text: [True, None, None, False])
    assert (known & partly)("abcd").tolist() == [True, None, False, False]
    assert (known | partly)("abcd").tolist() == [True, True, None, False]
    assert (~partly)("abcd").tolist() == [False, None, None, True]
    assert (get("position_in_quotes") >= 1)('a"b').tolist() == [None, False, True]


atoms = st.sampled_from(
    [
        "in_quotes",
        "in_word",
        "indent_at_least:2,4",
        "in_comment @ 2",
        "position_in_line >= 3",
        "char_class == 'upper case'",
        "regex:'a|b'",
    ]
)
expressions = st.recursive(
    atoms,
    lambda parts: st.one_of(
        st.tuples(parts, st.sampled_from("&|"), parts).map(lambda three: f"({three[0]}) {three[1]} ({three[2]})"),
        parts.map(lambda part: f"~({part})"),
    ),
    max_leaves=6,
)


@given(spelled=expressions)
def test_the_name_of_a_combination_finds_it_again(spelled: str) -> None:
    made = get(spelled)
    again = get(made.name)
    assert again.name == made.name
    assert again(TEXT).tolist() == made(TEXT).tolist()


@given(pattern=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_patterns_of_any_signs_can_be_named(pattern: str) -> None:
    made = get("regex").with_parameters(pattern)
    assert get(f"~{made.name}").name == f"~{made.name}"
    assert get(made.name).name == made.name


def test_a_pattern_alone_needs_no_quotes() -> None:
    for spelled in (r"regex:https?://\S+", r"regex:'https?://\S+'", r'regex:"https?://\S+"'):
        assert sum(labels(spelled, "see http://a.b c")) == len("http://a.b")
    assert labels("regex:(a|b) & c", "(a & c) a & c")[8:] == [True] * 5
    assert labels("regex:^b$", "a\nb\nc") == [False, False, True, False, False]
    assert sum(labels("regex:(?<=x)a", "a xa")) == 1


def test_a_pattern_may_contain_quotes() -> None:
    for pattern in ("'[^']*'", "x.py:12", "a ", "pattern=a", "a,b", "a|b"):
        tested = get(f"regex:{pattern}")
        assert tested("").tolist() == []
        for text in (f"_{pattern}_", "'b' a a, pattern=a"):
            expected = get("regex").with_parameters(pattern)(text).tolist()
            assert tested(text).tolist() == get(tested.name)(text).tolist() == expected
            assert get(f"{tested.name} | {tested.name}")(text).tolist() == expected


def test_numbers_in_names_are_exact() -> None:
    tested = get("position_in_line")
    for number in (1234567, 1234568, 0.1 + 0.2, 3.0, -2):
        made = tested >= number
        assert get(made.name).name == made.name
        assert float(made.name.rpartition(" ")[2]) == number


def test_classes_that_look_like_numbers_can_be_compared() -> None:
    classes = hypothesis(lambda text: ["007", "1.0", None])
    assert (classes == "007")("abc").tolist() == [True, False, None]
    assert (classes != "1.0")("abc").tolist() == [True, False, None]
    assert (get("position_in_line") == 2)("abc").tolist() == [False, True, False]
    assert (get("position_in_line") == "2.0")("abc").tolist() == [False, True, False]


@pytest.mark.parametrize(("spelled", "expected"), [("true", True), ("False", False), ("no", False), ("1", True)])
def test_true_and_false_are_read(spelled: str, expected: bool) -> None:
    def f(text: str, strict: bool = False, n: int | None = None) -> list[bool]:
        assert n is None or type(n) is int
        return [strict]

    assert Hypothesis(f).with_spelled_parameters(spelled)("a").tolist() == [expected]
    assert Hypothesis(f).with_spelled_parameters(f"strict={spelled},n=3")("a").tolist() == [expected]
    with pytest.raises(HypothesisError, match="its strict must be true or false, but is 'maybe'"):
        Hypothesis(f).with_spelled_parameters("maybe")


def test_values_with_commas_and_names_in_them_are_read_back() -> None:
    def f(text: str, words: str, n: int = 0) -> list[bool]:
        return [words == "a,b" and n == 3 for _ in text]

    made = Hypothesis(f).with_parameters("a,b", 3)
    assert made("x").tolist() == [True]
    assert Hypothesis(f).with_spelled_parameters(made.name.partition(":")[2].strip("'"))("x").tolist() == [True]


def test_parameters_are_read_in_the_types_of_the_function() -> None:
    def repeats(text: str, n: int, share: float = 0.5, sign: str = "x") -> list[bool]:
        assert (type(n), type(share), type(sign)) == (int, float, str)
        return [n == 3 and share == 0.25 and sign == "a,b" for _ in text]

    made = Hypothesis(repeats)
    for tested in (
        made.with_spelled_parameters("3,0.25,a,b"),
        made.with_spelled_parameters("3,0.25,sign=a,b"),
        made.with_parameters(3).with_parameters(0.25, "a,b"),
        made.with_parameters(3, sign="a,b", share=0.25),
    ):
        assert tested("t").tolist() == [True]
    assert made("t", 3, 0.25, "a,b").tolist() == [True]
    assert made.spelling == "repeats:n[,share,sign]"
    assert (
        made.with_parameters(3).with_parameters(0.25, "a,b").name
        == made.with_parameters(3, 0.25, "a,b").name
        == "repeats:3,0.25,a,b"
    )
    assert made.with_parameters(3).spelling == "repeats:3[,share,sign]"


@pytest.mark.parametrize(
    ("spelled", "complaint"),
    [
        (
            "indent_at_least",
            "'indent_at_least' needs parameters: indent_at_least:depth.,width., such as indent_at_least:2",
        ),
        (
            "indent_at_least:many",
            "spelled indent_at_least:depth.,width.: its depth must be a whole number, but is",
        ),
        ("indent_at_least:3,4,5", "its width must be a whole number"),
        ("in_quotes:3", "'in_quotes' is spelled in_quotes: it takes no parameters, but got '3'; remove it"),
        ("rare_char:2", "its share must be above 0 and below 1, but is 2"),
        ("surprisal:99", "its order must be from 1 to 12"),
        ("in_comment:kotlin", "knows the languages auto, c, .*, typescript, not 'kotlin'.* token:Comment,kotlin"),
        ("regex:(", r"the pattern '\(' cannot be read: missing \)"),
        ("token:Comment", "the name of the text .there is none. does not tell its language"),
        ("token:Comment,klingon", "no lexer for 'klingon'"),
        ("token:Spam,c", "no tokens of type 'Spam'; there are .*Comment"),
        ("in_quotes &", "cannot read 'in_quotes &': expected the name of a hypothesis, not the end"),
        ("& in_quotes", "expected the name of a hypothesis, not '&'"),
        ("(in_quotes", r"a \) is missing"),
        ("in_quotes in_word", "'in_word' is not expected there"),
        ("in_quotes & position_in_line", "'position_in_line' gives numeric labels.*such as position_in_line >= 5"),
        ("~char_class", "'char_class' gives categorical labels.*char_class == 'lower case'"),
        ("in_quotes >= 3", "'in_quotes' cannot be compared: it is True or False already"),
        ("position_in_line == much", "its labels are numbers, and 'much' is none"),
        ("char_class > digit", "have no order; compare with == or !="),
        ("char_class == spam", "it has no class 'spam'; it has lower case, upper case"),
        ("position_in_line >=", "expected a number or a class after >="),
        ("in_quots & in_word", "no hypothesis named 'in_quots'; did you mean 'in_quotes'?"),
        ("in_quotes @ much", "expected a whole number of characters after @, not 'much'"),
        ("in_quotes ! in_word", "cannot be read at '!'"),
        ("position_in_line=4", "a comparison is spelled with =="),
        ("40 <= position_in_line", "cannot read '40' there"),
        ("not in_word", "cannot read 'not' there"),
        ("mine.py", "mine.py is a file; name one of the functions in it"),
        ("regex:" + "(" * 5000 + ".py:x", "cannot be read"),
        ("~" * 5000 + "in_word", "too many nested parentheses"),
        ("indent_at_least:3,depth=0", "its depth is set twice"),
        ("indentation:0", "its width must be 1 or more, but is 0"),
        ("regex:(a{1000}){1000}{1000}", "repeats its parts too often"),
        ("", "expected the name of a hypothesis, not the end"),
        ("'mine too.py:f' & in_word", "there is no file mine too.py"),
    ],
)
def test_errors_in_expressions_say_what_is_wrong(spelled: str, complaint: str) -> None:
    with pytest.raises(HypothesisError, match=complaint):
        get(spelled)("a 'b' c")


def test_hypotheses_in_files_can_be_combined(tmp_path: Path) -> None:
    path = tmp_path / "of mine (2).py"
    path.write_text("def is_a(text, which='a'): return [c == which for c in text]\n", encoding="utf-8")
    assert labels(f"{path}:is_a", "ab") == [True, False]
    assert labels(f"{path}:is_a:b", "ab") == [False, True]
    assert labels(f"'{path}:is_a' & ~vowel", "ab") == [False, False]
    assert labels(f"'{path}:is_a:b' & ~vowel", "ab") == [False, True]
    plain = tmp_path / "mine.py"
    plain.write_text(path.read_text(), encoding="utf-8")
    assert labels(f"{plain}:is_a:b & ~vowel", "ab") == [False, True]
    assert get(f"{plain}:is_a:b & vowel").name == f"{plain}:is_a:b & vowel"


def test_the_language_is_set_where_there_is_such_a_parameter() -> None:
    text = "x = 1 // 2\n"
    assert not any(get("in_comment & in_word", language="python")(text).values)
    assert any(get("in_comment", language="c")(text).values)
    assert get("in_comment:c", language="python").name == "in_comment:c"
    assert any(get("token:Comment", language="c")("int a; // b\n").values)


def test_a_pattern_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hypotheses.matching.matches.LIMIT_S", 0.2)
    with pytest.raises(HypothesisError, match=r"the pattern .* took longer than 0 seconds"):
        get("regex:(?:a|aa)+$")("a" * 60 + "b")


def test_the_name_of_the_file_decides_the_language() -> None:
    text = "a = 1 # b\n"
    for name in ("x.py", "folder/x.py.txt"):
        assert sum(get("token:Comment")(text, file_name=name).values) == 3
    with pytest.raises(HypothesisError, match="the name of the text .x.txt. does not tell its language"):
        get("token:Comment")(text, file_name="x.txt")
