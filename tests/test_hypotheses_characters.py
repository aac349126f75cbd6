"""Searching a text for characters, many at once, agrees with a plain loop."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hypotheses.characters import code_points, next_of


@given(st.lists(st.sampled_from(["a" * 50, "b" * 200, "é", "“", "«", "\n", "[", ""])), st.integers(0, 300))
def test_the_next_of_three_characters_is_the_one_that_a_plain_loop_meets(parts: list[str], start: int) -> None:
    text = "".join(parts)
    start = min(start, len(text))
    expected = next((t for t in range(start, len(text)) if text[t] in "“«["), len(text))
    assert next_of(code_points(text), start, ord("“"), ord("«"), ord("[")) == expected


@pytest.mark.parametrize("n", [0, 1, 15, 16, 17, 63, 64, 65, 79, 80, 81, 143, 144, 145, 1000])
def test_a_character_is_met_behind_any_number_of_others(n: int) -> None:
    assert next_of(code_points("a" * n + "b" + "a" * n), 0, ord("b"), ord("b"), ord("b")) == n
    assert next_of(code_points("a" * n), 0, ord("b"), ord("b"), ord("b")) == n
