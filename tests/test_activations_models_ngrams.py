"""Character n-gram models: probabilities of nltk, and probabilities that follow from a text by hand."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.models.ngrams import HIGHEST_ORDER, UNSEEN, NgramModels, fit_ngrams
from probe.demo import bundled_text

TEXTS = ("abracadabra", "cabbage", "a")
LETTERS = "abcdegrxz"  # of which x and z do not occur in TEXTS


def codes_of(text: str, letters: str = LETTERS) -> NDArray[np.int64]:
    return np.array([letters.index(char) for char in text], np.int64)


def fitted(texts: Sequence[str] = TEXTS, order: int = 4, discount: float | None = None) -> NgramModels:
    return fit_ngrams([codes_of(text) for text in texts], order, n_characters=len(LETTERS), discount=discount)


def probabilities(models: NgramModels, context: str) -> NDArray[np.float64]:
    """(n_characters, n_orders) of every character after a context."""
    texts = [codes_of(context + char) for char in LETTERS]
    return np.exp(-np.array([models.losses(text).nats[-1] for text in texts], np.float64))


@pytest.mark.parametrize("order", [2, 3])
@pytest.mark.parametrize("discount", [0.1, 0.75])
def test_probabilities_are_those_of_nltk(order: int, discount: float) -> None:
    lm = pytest.importorskip("nltk.lm")
    everygrams = pytest.importorskip("nltk.util").everygrams
    text = bundled_text().text()[:10_000]
    letters = "".join(sorted(set(text)))
    reference = lm.KneserNeyInterpolated(order, discount=discount)
    reference.fit([list(everygrams(text, max_len=order))], list(text))
    judged = bundled_text().text()[9_900:10_050]  # seen and unseen
    judged = "".join(char for char in judged if char in letters)
    nats = fit_ngrams([codes_of(text, letters)], order, n_characters=len(letters), discount=discount).losses(
        codes_of(judged, letters)
    )[0]
    for t in range(order - 1, len(judged)):
        expected = reference.score(judged[t], tuple(judged[t - order + 1 : t]))
        assert math.exp(-nats[t, order - 1]) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("discount", [None, 0.1, 1.0])
def test_probabilities_add_up_to_one_after_any_context(discount: float | None) -> None:
    """Contexts seen and unseen, too short for an order, and at the end of the text."""
    models = fitted(discount=discount)
    for length in range(4):
        for context in product("abrz", repeat=length):
            found = probabilities(models, "".join(context))
            np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-6)
            assert (found > 0).all()


def test_order_1_is_relative_frequencies_with_a_share_for_the_unseen() -> None:
    text = "".join(TEXTS)
    expected = [(1 - UNSEEN) * text.count(char) / len(text) + UNSEEN / len(LETTERS) for char in LETTERS]
    for context in ("", "ab", "z"):
        np.testing.assert_allclose(probabilities(fitted(), context)[:, 0], expected, rtol=1e-5)
    assert probabilities(fitted(order=1), "")[-1, 0] == pytest.approx(UNSEEN / 9, rel=1e-5)


def test_order_2_by_hand() -> None:
    """In abracadabra, b, c and d follow a, twice, once and once; r comes after b alone, a after three kinds."""
    models = fitted(["abracadabra"], 2, discount=0.5)
    found = dict(zip(LETTERS, probabilities(models, "a")[:, 1], strict=True))
    n_bigrams = 7  # ab br ra ac ca ad da
    rest = 3 * 0.5 / 4
    assert found["b"] == pytest.approx((2 - 0.5) / 4 + rest / n_bigrams, abs=1e-6)
    assert found["c"] == pytest.approx((1 - 0.5) / 4 + rest / n_bigrams, abs=1e-6)
    assert found["r"] == pytest.approx(rest / n_bigrams, abs=1e-6)
    assert found["a"] == pytest.approx(rest * 3 / n_bigrams, abs=1e-6)


def test_discounts_are_estimated_from_how_many_counts_there_are() -> None:
    """Chen and Goodman's: 4 bigrams occur once, 3 twice, 2 three times and 1 four times; y = 4 / (4 + 2 * 3)."""
    bigrams = [a + b for a, b in zip("abcdegabcd", "rrrrrrgggg", strict=True)]
    times = [1, 1, 1, 1, 2, 2, 2, 3, 3, 4]
    models = fitted([bigram for bigram, n in zip(bigrams, times, strict=True) for _ in range(n)], 2)
    d1, d3 = 1 - 2 * 0.4 * 3 / 4, 3 - 4 * 0.4 * 1 / 2
    kinds = {"r": 6 / 10, "g": 4 / 10}
    found = dict(zip(LETTERS, probabilities(models, "a")[:, 1], strict=True))  # r once, g twice
    d2 = 2 - 3 * 0.4 * 2 / 3
    assert found["r"] == pytest.approx((1 - d1) / 3 + (d1 + d2) / 3 * kinds["r"], abs=1e-6)
    found = dict(zip(LETTERS, probabilities(models, "d")[:, 1], strict=True))  # r once, g four times
    assert found["g"] == pytest.approx((4 - d3) / 5 + (d1 + d3) / 5 * kinds["g"], abs=1e-6)


def test_no_ngram_reaches_over_the_end_of_a_document() -> None:
    apart, joined = fitted(["ab", "cd"], 2), fitted(["abcd"], 2)
    np.testing.assert_allclose(probabilities(apart, "b")[:, 1], probabilities(apart, "")[:, 1])  # nothing follows b
    assert probabilities(joined, "b")[2, 1] > 2 * probabilities(apart, "b")[2, 1]


def test_one_fit_gives_all_orders() -> None:
    text = codes_of("abracabbagezad")
    whole = fitted(order=5).losses(text)
    for order in range(1, 6):
        alone = fitted(order=order).losses(text)
        np.testing.assert_array_equal(alone.nats, whole.nats[:, :order])
        np.testing.assert_array_equal(alone.right, whole.right[:, :order])


def test_the_most_probable_character_is_that_of_all_probabilities() -> None:
    text = "abracabbagerzabragad"
    right = fitted().losses(codes_of(text)).right
    for t, char in enumerate(text):
        found = probabilities(fitted(), text[:t])
        for n in range(found.shape[1]):
            best = np.flatnonzero(found[:, n] > found[:, n].max() - 1e-7)
            if len(best) == 1:
                assert right[t, n] == (LETTERS[best[0]] == char)


def test_longer_contexts_tell_more_of_a_text_with_structure() -> None:
    text = "".join(f"{n} squared is {n * n}\n" for n in range(3000))
    codes = np.frombuffer(text.encode(), np.uint8).astype(np.int64)
    losses = fit_ngrams([codes[:50_000]], 4).losses(codes[50_000:]).nats.mean(axis=0)
    assert (np.diff(losses) < -0.02).all()
    assert losses[3] < losses[0] - 1.5
    noise = np.random.default_rng(0).integers(0, 4, 20_000)
    losses = fit_ngrams([noise[:10_000]], 3, n_characters=4).losses(noise[10_000:]).nats.mean(axis=0)
    np.testing.assert_allclose(losses, math.log(4), atol=0.01)


def test_characters_of_the_whole_of_unicode() -> None:
    text = np.array([0x10FFFF, 0x1F600, 0x10FFFF, 0x1F600], np.uint32)
    nats, right = fit_ngrams([text], 2, discount=0.1).losses(text)
    assert nats[1, 1] == pytest.approx(-math.log(0.95 + 0.05 / 2), abs=1e-5)
    assert right[1:, 1].all()


def test_a_text_shorter_than_the_order_is_enough() -> None:
    models = fitted(["a"], 5)
    np.testing.assert_allclose(models.losses(codes_of("aa")).nats[:, 0], 0, atol=1e-6)
    assert np.isfinite(models.losses(codes_of("az")).nats).all()
    assert models.losses(codes_of("")).nats.shape == (0, 5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"order": 0}, "order of the n-grams is 0"),
        ({"order": HIGHEST_ORDER + 1}, "from 1 to 30"),
        ({"discount": 1.5}, "discount is 1.5"),
        ({"discount": 0.0}, "must be above 0"),  # which would make losses infinite
        ({"texts": []}, "no text to learn"),
    ],
)
def test_errors_say_why_a_text_cannot_be_learned(wrong: dict[str, int], message: str) -> None:
    with pytest.raises(ActivationError, match=message):
        fitted(**wrong)  # type: ignore[arg-type]


def test_a_number_that_is_no_character_is_an_error() -> None:
    with pytest.raises(ActivationError, match="9 is no character"):
        fit_ngrams([[0, 9]], 2, n_characters=9)
    with pytest.raises(ActivationError, match="-1 is no character"):
        fitted().losses([-1])


@pytest.mark.slow  # counts n-grams of up to 20 among 2.9 million characters
def test_war_and_peace(shared: Path) -> None:
    """1.195 nats are published for another split: Karpathy, Johnson & Li 2015, arXiv:1506.02078, table 2."""
    text = (shared / "war_and_peace.txt").read_text(encoding="utf-8")
    codes = np.unique(np.frombuffer(text.encode("utf-32-le"), np.uint32), return_inverse=True)[1]
    border, last = round(0.9 * len(codes)), round(0.95 * len(codes))
    models = fit_ngrams([codes[:border]], 20, n_characters=int(codes.max()) + 1)
    losses = models.losses(codes[last:]).nats[1:].mean(axis=0, dtype=np.float64)
    assert 1.15 < losses[19] < 1.30
    assert losses[0] == pytest.approx(3.06, abs=0.02)
    assert (np.diff(losses[:7]) < 0).all()
