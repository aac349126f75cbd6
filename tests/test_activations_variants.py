"""Variants: many changed models read one text side by side, and each reads it as it would alone."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import random_model
from profiles import n_examples
from references import KINDS, Kind, name_of, unusual_model

from activations.interventions import Intervention, clamp
from activations.predictions import LOG_PROB
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site
from activations.variants import Hold, Replay, VariantChange

TEXT = "The quick brown fox jumps over the lazy dog.\n" * 8
FLOAT32 = ComputeOptions(dtype="float32")
every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)
Floats = NDArray[np.float32]


def read(live: LiveActivations, corpus: Corpus, changes: list[VariantChange], n: int) -> tuple[Floats, Floats]:
    """The losses without changes, (n_chars,), and those of n variants, (n, n_chars)."""
    batches = list(live.read_variants(corpus, changes, n))
    assert [batch.first for batch in batches] == [
        1 + sum(len(b.losses) for b in batches[:k]) for k in range(len(batches))
    ]
    return batches[0].unchanged, np.concatenate([batch.losses for batch in batches])


def losses_alone(live: LiveActivations, corpus: Corpus, site: Site, values: dict[int, float]) -> Floats:
    """(n_chars,) losses of a model that reads a text with units clamped, in as many lanes as its variants."""
    several = corpus.repeated(16)
    n_lanes = len(several.documents)
    alone = live.with_corpus(several, n_lanes=n_lanes, interventions=[Intervention(site, clamp(values))])
    losses = np.empty(len(several), np.float32)
    for block in alone.blocks([], predictions=(LOG_PROB,)):
        losses[block.positions] = -block.predictions[LOG_PROB]
    return losses[: len(corpus)]


@every_kind
@given(data=st.data())
@settings(max_examples=n_examples(12))
def test_held_units_are_those_of_a_clamp(kind: Kind, data: st.DataObject) -> None:
    model = unusual_model(TEXT, kind, data.draw(st.integers(0, 99)))
    corpus = Corpus.from_texts([TEXT[:40], TEXT[7:90]])
    live = LiveActivations(model, corpus, compute=FLOAT32)
    site = data.draw(st.sampled_from(list(model.sites)))
    n_variants, n_units = data.draw(st.integers(1, 5)), model.sites[site]
    numbers = st.floats(-1, 1, width=32)
    held = data.draw(
        st.lists(st.dictionaries(st.integers(0, n_units - 1), numbers), min_size=n_variants, max_size=n_variants)
    )
    is_held, values = np.zeros((1 + n_variants, n_units), bool), np.zeros((1 + n_variants, n_units))
    for row, of_variant in enumerate(held, start=1):
        for unit, value in of_variant.items():
            is_held[row, unit], values[row, unit] = True, value
    _, losses = read(live, corpus, [Hold(site, is_held, values)], n_variants)
    for own, of_variant in zip(losses, held, strict=True):
        expected = losses_alone(live, corpus, site, of_variant)
        np.testing.assert_allclose(own, expected, rtol=0, atol=1e-5)


@every_kind
@pytest.mark.parametrize("n_variants", [1, 3, 16, 40])
def test_what_changes_nothing_has_the_same_losses_bit_for_bit(kind: Kind, n_variants: int) -> None:
    """In every lane: those of the first variants, of the last ones, and of all between."""
    model = unusual_model(TEXT, kind, n_units=13)
    corpus = Corpus.from_texts([TEXT[:61], TEXT[3:90]])
    live = LiveActivations(model, corpus, compute=FLOAT32)
    site = next(iter(model.sites))
    nothing = Hold(
        site, np.zeros((1 + n_variants, model.sites[site]), bool), np.ones((1 + n_variants, model.sites[site]))
    )
    unchanged, losses = read(live, corpus, [nothing], n_variants)
    np.testing.assert_array_equal(losses, np.broadcast_to(unchanged, losses.shape))
    assert np.isfinite(unchanged[:60]).all() and np.isnan(unchanged[60])


@every_kind
def test_units_held_at_their_own_values_change_hardly_anything(kind: Kind) -> None:
    model = unusual_model(TEXT, kind, n_units=13)
    corpus = Corpus.from_texts([TEXT[:61], TEXT[3:90]])
    live = LiveActivations(model, corpus, compute=FLOAT32)
    for site, n_units in model.sites.items():
        [batch] = live.read_variants(corpus, [], 2, sites=[site])
        own = batch.values[site][0]
        everything = np.ones((3, n_units), bool)
        unchanged, losses = read(live, corpus, [Replay(site, everything, own, np.zeros(3, np.int64))], 2)
        difference = np.nan_to_num(losses - unchanged)
        assert np.abs(difference).max() < 1e-6, site
        shifted = read(live, corpus, [Replay(site, everything, own, np.array([0, 17, 17]))], 2)[1]
        assert np.nanmax(np.abs(shifted - unchanged)) > 1e-4, site


def test_many_variants_are_read_in_batches() -> None:
    model = random_model(TEXT, n_units=8, n_layers=1)
    corpus = Corpus.from_texts([TEXT[:25]])
    live = LiveActivations(model, corpus, compute=FLOAT32)
    site = Site("0/cell")
    n_variants = 600
    values = np.random.default_rng(0).uniform(-1, 1, (1 + n_variants, 8)).astype(np.float32)
    change = Hold(site, np.ones((1 + n_variants, 8), bool), values)
    n_read: list[int] = []
    firsts = [batch.first for batch in live.read_variants(corpus, [change], n_variants, advance=n_read.append)]
    assert len(firsts) == 2 and sum(n_read) >= 602 * 25
    _, losses = read(live, corpus, [change], n_variants)
    alone = partial(losses_alone, live, corpus, site)
    for row in (1, 300, 599, 600):
        np.testing.assert_allclose(losses[row - 1], alone(dict(enumerate(values[row].tolist()))), rtol=0, atol=1e-5)
