"""The n-gram model that learns from a text while it reads it, against fifteen lines with dictionaries."""

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hypotheses.readers import ngrams
from hypotheses.readers.ngrams import MAX_ORDER, surprisals
from hypotheses.registry import get
from probe.demo import bundled_text

texts = (
    st.text(alphabet="ab \n", max_size=200) | st.text(max_size=50) | st.text(alphabet="一二三\U0010ffffa", max_size=100)
)


def plain_surprisals(text: str, order: int) -> list[float]:
    """Witten and Bell's method C."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    nats = []
    for t, char in enumerate(text):
        p = 1 / 0x110000
        contexts = [text[t - length : t] for length in range(min(order - 1, t) + 1)]
        for context in contexts:
            seen = counts[context]
            if seen:
                p = (seen[char] + len(seen) * p) / (seen.total() + len(seen))
        nats.append(max(-float(np.log(p)), 0.0))
        for context in contexts:
            counts[context][char] += 1
    return nats


def codes_of(text: str) -> NDArray[np.uint32]:
    return np.array([ord(char) for char in text], np.uint32)


@given(text=texts, order=st.integers(1, MAX_ORDER), most_steps=st.sampled_from([2, 2047]))
def test_surprisals_of_a_short_text_are_those_of_a_plain_model(text: str, order: int, most_steps: int) -> None:
    """With few steps from home, tables also grow because an entry would be too far from it."""
    expected = plain_surprisals(text, order)
    np.testing.assert_allclose(surprisals(codes_of(text), order, most_steps=most_steps), expected, rtol=1e-12)


@pytest.mark.parametrize("order", [1, 2, 5, 12])
@pytest.mark.parametrize("most_steps", [2, 2047])
@pytest.mark.parametrize("alphabet", ["program", "5,000 characters", "one character"])
def test_surprisals_of_a_text_of_several_chunks_are_those_of_a_plain_model(
    order: int, most_steps: int, alphabet: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables of 40,000 random characters grow many times; chunks end at every place of a word."""
    monkeypatch.setattr(ngrams, "_CHUNK", 4999)
    text = {
        "program": bundled_text().text()[:20_000] + "日本語 é" * 30,
        "5,000 characters": "".join(map(chr, 0x4E00 + rng.integers(0, 5000, 40_000))),
        "one character": "a" * 20_000,
    }[alphabet]
    expected = plain_surprisals(text, order)
    np.testing.assert_allclose(surprisals(codes_of(text), order, most_steps=most_steps), expected, rtol=1e-12)


def test_a_text_that_was_often_repeated_no_longer_surprises() -> None:
    nats = get("surprisal:4")("日本語 é" * 30).values
    assert nats[0] == pytest.approx(np.log(0x110000))
    assert nats[-1] < 0.3


def test_a_new_ngram_takes_no_more_memory_than_is_documented(rng: np.random.Generator) -> None:
    """Of random characters, nearly all n-grams of two or more are new: the tables have two lengths of 200,000 each."""
    codes = rng.integers(0, 0x110000, 200_000).astype(np.uint32)
    inner, longest = (ngrams._Grams(is_longest=is_longest, most_steps=2047) for is_longest in (False, True))
    context = np.zeros(1, np.uint64)
    outputs = np.zeros((4, len(codes)), np.uint32)
    for grams in (inner, longest):
        grams.count(codes, np.zeros(len(codes), np.uint32), context, *outputs[:3])
        n_grams = len(np.unique(codes))
        assert (grams._slots.nbytes + grams.nodes.nbytes) / n_grams <= (32 if grams.is_longest else 48)


def test_the_time_for_a_text_is_linear_in_its_length(rng: np.random.Generator) -> None:
    """Of 50,000, 100,000, … random characters, each new n-gram costs the same number of steps from its home."""
    farthest = []
    for n_chars in (50_000, 100_000, 200_000):
        grams = ngrams._Grams(is_longest=False, most_steps=2047)
        codes, outputs = rng.integers(0, 0x110000, n_chars).astype(np.uint32), np.zeros((3, n_chars), np.uint32)
        grams.count(codes, np.zeros(n_chars, np.uint32), np.zeros(1, np.uint64), *outputs)
        entries = grams._slots[grams._slots != 0]
        farthest.append(int(((entries & np.uint64(0xFFFFFFFF)) >> np.uint64(21)).max()))
    assert all(later < 2 * earlier + 20 for earlier, later in pairwise(farthest))
