"""Positions since a pattern last matched."""

import numpy as np
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.errors import HypothesisError
from hypotheses.registry import get


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("phase:3", "abcdefg", "0120120"),
        ("phase:3,ATG", "CATGAAATATGC", "???201201220"),
        ("phase:2,aa", "aaaab", "?1110"),
        (r"phase:4,\n", "ab\ncdefg\nh", "??3012303" + "0"),
        (r"phase:4,\r?\n", "ab\r\ncd", "???301"),
        ("phase:2,a,b", "a,ba", "??10"),
        ("phase:9,A[TU]G", "AUGCATGC", "??801" + "28" + "0"),
        (r"phase:5,\bab", "cab ab ", "?????40"),
        (r"phase:5,ab\b", "abc", "?40"),  # what follows is not known yet
        ("phase:5,ab(?=c)", "abc", "???"),
        ("phase:5,ab(?!c)", "abc", "?40"),
        ("phase:5,(?<=c)ab", "ab cab", "?????4"),
        (r"phase:5,\\", "a\\b", "?40"),
        ("phase:3,ATG", "", ""),
    ],
)
def test_phase(name: str, text: str, labels: str) -> None:
    assert get("phase").with_spelled_parameters(name.removeprefix("phase:"))(text).marks() == labels


def test_the_phase_of_a_table_is_its_column() -> None:
    text = "a b c\n" * 5
    positions = get("position_in_line")(text).values
    phases = get(r"phase:80,\n")(text)
    after = phases.present & (np.array(list(text)) != "\n")
    np.testing.assert_array_equal(phases.values[after], positions[after] - 1)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("phase:1", "its n must be 2 or more, but is 1"),
        ("phase:x", "its n must be a whole number"),
        ("phase:3,(", r"the pattern '\(' cannot be read"),
        (r"phase:3,(a)\1", "refers to a group"),
        ("phase:3,(?P<x>a)(?P=x)", "refers to a group"),
        ("phase:3,a*", "matches no characters at all"),
    ],
)
def test_errors_say_what_is_wrong(name: str, complaint: str) -> None:
    with pytest.raises(HypothesisError, match=complaint):
        get("phase").with_spelled_parameters(name.removeprefix("phase:"))("abc")


@pytest.mark.parametrize(
    "pattern", ["a", "ab", "a+b?", "[ab]c", "a|bc|abc", r"b.*\n", "(?<=a)b", r"\w{2,3}", "(?i)A", "a??b"]
)
@given(text=st.text("abc\n", max_size=12))
def test_a_match_ends_where_a_prefix_ends_with_what_the_pattern_describes(pattern: str, text: str) -> None:
    ends = [
        any(regex.compile(pattern, regex.MULTILINE).fullmatch(text, start, t + 1) for start in range(t + 1))
        for t in range(len(text))
    ]
    last, expected = None, []
    for t, is_end in enumerate(ends):
        last = t if is_end else last
        expected.append(None if last is None else (t - last - 1) % 5)
    assert get("phase").with_parameters(5, pattern)(text).tolist() == expected
