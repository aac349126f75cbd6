"""Progress of everything that changes a model: it begins with the first reading, never goes back, and ends at all."""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from planting import random_model
from quoting import quoted_text

import probe
from activations.models.char_rnn import CharRNN
from activations.progress import counting, steps_of
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from probe.causes import WritingOptions

UNIT = "0/cell/1"
WORKS: dict[str, Callable[[LiveActivations, Any], object]] = {
    "ablate": lambda live, note: probe.ablate(live, "in_quotes", UNIT, n_matched=2, n_chars=2000, progress=note),
    "impulse": lambda live, note: probe.impulse(
        live, "in_quotes", UNIT, n_starts=5, n_steps=300, n_matched=2, n_chars=2000, progress=note
    ),
    "patch": lambda live, note: probe.patch(
        live, "in_quotes", UNIT, n_pairs=10, n_matched=2, n_chars=2000, progress=note
    ),
    "perturb": lambda live, note: probe.perturb(
        live, "in_quotes", "delete", units=UNIT, n_places=20, n_matched=2, progress=note
    ),
    "orders": lambda live, note: probe.compare_orders(
        live, "in_quotes", ["auc"], sites="0/cell", n_random=2, n_chars=2000, progress=note
    ),
    "steer": lambda live, note: probe.steer(
        cast(CharRNN, live.model),
        {UNIT: [0.5]},
        "in_quotes",
        n_matched=2,
        options=WritingOptions(n_texts=4, n_chars=30),
        progress=note,
    ),
}


@pytest.mark.parametrize("name", WORKS)
def test_it_begins_early_and_never_goes_back(name: str) -> None:
    text = quoted_text(np.random.default_rng(0), 6000) + "\n"
    live = LiveActivations(random_model(text, n_layers=1), Corpus.from_texts([text]))
    shares: list[float] = []

    def note(done: int, total: int, _: str = "") -> None:
        shares.append(done / total)

    WORKS[name](live, note)
    assert shares == sorted(shares) and shares[-1] == 1
    assert shares[0] < 0.6 and len(set(shares)) >= 5


def test_steps_take_their_shares_and_do_not_go_back() -> None:
    noted: list[tuple[int, int]] = []
    first, second = steps_of(lambda done, total: noted.append((done, total)), [1, 4])
    for done, total in ((1, 2), (3, 2), (0, 2)):
        first(done, total)
    second(0, 0)
    second(5, 10)
    assert noted == [(1000, 10_000), (2000, 10_000), (2000, 10_000), (2000, 10_000), (6000, 10_000)]


def test_what_is_counted_is_at_most_the_total() -> None:
    noted: list[tuple[int, int]] = []
    advance = counting(lambda done, total: noted.append((done, total)), 5)
    for n_chars in (2, 2, 2):
        advance(n_chars)
    assert noted == [(2, 5), (4, 5), (5, 5)]
