"""Gradients of losses: known answers from finite differences, exact patching and exact holding."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from planting import random_model
from references import KINDS, Kind, ids_of, name_of, read_by_equations, unusual_model
from torch import Tensor

from activations.errors import ActivationError
from activations.gradient_sums import GradientSums, HeldPath
from activations.interventions import Intervention, add
from activations.models.char_rnn import CharRNN
from activations.predictions import LOG_PROB
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.units import Site
from activations.variants import Hold, ReplaceOnce, VariantChange

TEXT = "a 'fox' ran"
FLOAT32 = ComputeOptions(dtype="float32")
STEP = 1e-6  # in float64
every_kind = pytest.mark.parametrize("kind", KINDS, ids=name_of)


def weights_of(n_chars: int, n_sets: int = 2, seed: int = 0) -> NDArray[np.float32]:
    """Weights of losses at random; none at the last character."""
    weights = np.random.default_rng(seed).normal(size=(n_sets, n_chars)).astype(np.float32)
    weights[:, -1] = 0
    return weights


def measures_by_equations(
    model: CharRNN, weights: NDArray[np.float32], site: Site, added: Tensor, factor: Tensor
) -> NDArray[np.float64]:
    """(n_sets,) weighted sums of losses in float64, if the values of a site are made `added + factor * values`."""
    ids = ids_of(model, TEXT)

    def change(of_site: Site, values: Tensor) -> Tensor:
        return added + factor * values if of_site == site else values

    _, logits = read_by_equations(model, ids, change)
    losses = -torch.log_softmax(logits, -1)[:-1, 0].gather(1, ids[1:]).squeeze(1).numpy()
    return np.asarray(weights[:, :-1].astype(np.float64) @ losses)


@every_kind
def test_gradients_are_the_slopes_of_losses_at_every_site(kind: Kind) -> None:
    model = unusual_model(TEXT, kind)
    weights = weights_of(len(TEXT))
    live = LiveActivations(model, Corpus.from_texts([TEXT]), compute=FLOAT32)
    sums = live.read_gradients(live.corpus, list(model.sites), weights)
    one = torch.ones(1, dtype=torch.float64)
    base = measures_by_equations(model, weights, Site.of(0, "hidden"), 0 * one, one)
    for site, n_units in model.sites.items():
        unit = n_units - 2
        step = STEP * torch.eye(n_units, dtype=torch.float64)[unit]
        added = measures_by_equations(model, weights, site, step, one) - base
        np.testing.assert_allclose(sums.gradients[site][0, :, unit], added / STEP, rtol=1e-3, atol=1e-4)
        scaled = measures_by_equations(model, weights, site, 0 * one, one + step) - base
        np.testing.assert_allclose(sums.products[site][0, :, unit], scaled / STEP, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "rule",
    [ReadingRule(), ReadingRule(backwards=True), ReadingRule(read_as="bytes")],
    ids=["plain", "backwards", "bytes"],
)
def test_gradients_follow_the_reading_rule(rule: ReadingRule) -> None:
    texts = ["«naïve» words", "and more – of them"]
    model = random_model("".join(map(chr, range(256))) if rule.read_as == "bytes" else "".join(texts), gain=2)
    corpus = Corpus.from_texts(texts)
    weights = weights_of(len(corpus), 1)
    plain = LiveActivations(model, corpus, compute=FLOAT32, rule=rule)
    site, step = Site.of(0, "cell"), 0.004

    def measures(sign: int) -> NDArray[np.float64]:
        vector = np.eye(8)[3] * step * sign
        live = LiveActivations(
            model, corpus, compute=FLOAT32, rule=rule, interventions=[Intervention(site, add(vector))]
        )
        losses = np.zeros(len(corpus))
        for block in live.blocks([], predictions=(LOG_PROB,)):
            losses[block.positions] = -np.nan_to_num(block.predictions[LOG_PROB])
        return np.add.reduceat(weights[0] * losses, corpus.starts)

    sums = plain.read_gradients(corpus, [site], weights)
    expected = (measures(1) - measures(-1)) / (2 * step)
    np.testing.assert_allclose(sums.gradients[site][:, 0, 3], expected, rtol=2e-3, atol=1e-3)


def test_gradients_from_a_given_state_are_those_of_the_characters_after_it() -> None:
    model = random_model(TEXT, gain=2)
    live = LiveActivations(model, Corpus.from_texts([TEXT]), compute=FLOAT32)
    site, first = Site.of(0, "cell"), 5
    part = live.corpus.parts([first], [len(TEXT)])
    weights = weights_of(len(TEXT))
    states = {s: live.read([s])[s][first : first + 1] for s in live.carried}
    restored = live.read_gradients(part, [site], weights[:, first:], state=states)
    exact = _patched_once(live, site, weights, range(first + 1, len(TEXT) - 1))
    np.testing.assert_allclose(restored.changes(site, _source(live, site))[0], exact, rtol=0.02, atol=4e-4)


def _source(live: LiveActivations, site: Site, reach: float = 1e-3) -> NDArray[np.float32]:
    return np.asarray(live.read([site])[site].mean(0) * reach, np.float32)


def _patched_once(
    live: LiveActivations, site: Site, weights: NDArray[np.float32], places: range, step: float = 0.005
) -> NDArray[np.float64]:
    """(n_sets, n_units) slopes by exact patching: each value moved a little towards the source, one at a time."""
    values, n_units = live.read([site])[site], live.sites[site]
    moved = values + step * (_source(live, site) - values)
    changes: list[VariantChange] = []
    n_variants = len(places) * n_units
    for number, place in enumerate(places):
        mask = np.zeros((1 + n_variants, n_units), bool)
        mask[1 + number * n_units : 1 + (number + 1) * n_units] = np.eye(n_units, dtype=bool)
        changes.append(ReplaceOnce(site, mask, moved[place][None, None], place))
    [batch] = live.read_variants(live.corpus, changes, n_variants)
    differences = np.nan_to_num(batch.losses - batch.unchanged).astype(np.float64)
    by_place = (differences @ weights.T).reshape(len(places), n_units, -1)
    return np.asarray(by_place.sum(0).T / step)


def linear_model(text: str, n_units: int = 6) -> CharRNN:
    """A network of rectified units that are always above 0, so that it is linear."""
    model = random_model(text, cell="rnn_relu", n_layers=1, n_units=n_units)
    rnn: Any = model.rnn
    with torch.no_grad():
        rnn.weight_ih_l0.abs_()
        rnn.weight_hh_l0.abs_().mul_(0.5)
        rnn.bias_ih_l0.fill_(1.0)
        rnn.bias_hh_l0.zero_()
    return model


def test_attribution_of_a_linear_network_is_exact_patching() -> None:
    """Replacing a value by another changes a logit by exactly the difference times the derivative."""
    model = linear_model(TEXT)
    live = LiveActivations(model, Corpus.from_texts([TEXT]), compute=FLOAT32)
    site, n_units, n_chars = Site.of(0, "hidden"), 6, len(TEXT)
    source = live.read([site])[site].mean(0).astype(np.float32)
    weights = np.zeros((1, n_chars), np.float32)
    weights[0, [4, 6, n_chars - 2]] = 1
    places = range(n_chars)
    changes: list[VariantChange] = []
    for place in places:
        mask = np.zeros((1 + n_chars * n_units, n_units), bool)
        mask[1 + place * n_units : 1 + (place + 1) * n_units] = np.eye(n_units, dtype=bool)
        changes.append(ReplaceOnce(site, mask, source[None, None], place))
    [batch] = live.read_variants(live.corpus, changes, n_chars * n_units, sites=[site])
    with torch.no_grad():
        logits = model.readout(torch.from_numpy(batch.values[site])).numpy()
    following = ids_of(model, TEXT)[1:, 0].numpy()
    of_next = logits[:, np.arange(n_chars - 1), following]
    exact = (of_next[1:] - of_next[0]) @ weights[0, :-1]
    sums = live.read_gradients(live.corpus, [site], weights, measure="logit")
    attributed = sums.changes(site, source)[0, 0]
    assert np.abs(attributed).max() > 0.01
    np.testing.assert_allclose(attributed, exact.reshape(n_chars, n_units).sum(0), atol=1e-5)


@pytest.mark.parametrize("site", [Site.of(0, "hidden"), Site.of(1, "cell")], ids=str)
def test_integrated_gradients_add_up_to_the_effect_of_holding_the_site(site: Site) -> None:
    texts = [TEXT, "over it"]
    model = random_model("".join(texts), gain=3)
    corpus = Corpus.from_texts(texts)
    live = LiveActivations(model, corpus, compute=FLOAT32)
    values = np.linspace(-0.5, 0.7, 8).astype(np.float32)
    weights = weights_of(len(corpus))
    weights[:, corpus.stops - 1] = 0
    hold = Hold(site, np.array([[False] * 8, [True] * 8]), np.tile(values, (2, 1)))
    [batch] = live.read_variants(corpus, [hold], 1)
    change = weights * np.nan_to_num(batch.losses[0] - batch.unchanged)
    exact = np.add.reduceat(change, corpus.starts, axis=1).T  # (n_documents, n_sets)
    sums = live.read_gradients(corpus, [], weights, path=HeldPath(site, values, 64))
    total = sums.changes(site, values).sum(axis=2)
    np.testing.assert_allclose(total, exact, rtol=0.01, atol=0.01 * np.abs(exact).max())


def test_gradients_do_not_depend_on_what_is_read_side_by_side() -> None:
    texts = [TEXT, TEXT[:6], TEXT[3:]]
    live = LiveActivations(random_model(TEXT), Corpus.from_texts(texts), compute=FLOAT32)
    weights = weights_of(len(live.corpus))
    weights[:, live.corpus.stops - 1] = 0
    site = Site.of(1, "hidden")

    def one(n: int) -> GradientSums:
        part = slice(live.corpus.starts[n], live.corpus.stops[n])
        return live.read_gradients(Corpus.from_texts([texts[n]]), [site], weights[:, part])

    together = live.read_gradients(live.corpus, [site], weights)
    for n in range(len(texts)):
        np.testing.assert_allclose(together.gradients[site][n], one(n).gradients[site][0], atol=1e-6)
        np.testing.assert_allclose(together.products[site][n], one(n).products[site][0], atol=1e-6)


def test_gradients_through_interventions_are_refused() -> None:
    model = random_model(TEXT)
    live = LiveActivations(
        model,
        Corpus.from_texts([TEXT]),
        compute=FLOAT32,
        interventions=[Intervention(Site.of(0, "hidden"), add(np.ones(8)))],
    )
    with pytest.raises(ActivationError, match="without interventions"):
        live.read_gradients(live.corpus, list(model.sites), weights_of(len(TEXT)))
