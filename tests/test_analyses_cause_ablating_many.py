"""Ablations for many hypotheses in one reading are those of each hypothesis by itself."""

import numpy as np
import pytest
from quoting import QuoteModel, quoted_text
from scipy.stats import false_discovery_control

from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Unit
from analyses.causes.ablating_many import Question, ablate_for_each
from analyses.causes.ablation import ablate
from analyses.targets.labelling import target_for

UNITS = {"in_quotes": "0/cell/0", "in_word": "0/cell/5", "vowel": "0/cell/0"}


@pytest.fixture(scope="module")
def live() -> LiveActivations:
    return LiveActivations(QuoteModel().model, Corpus.from_texts([quoted_text(np.random.default_rng(7), 3000)]))


def test_each_is_the_ablation_of_its_hypothesis_alone(live: LiveActivations) -> None:
    """Two hypotheses share a unit, and all share matched units, and neither changes an effect."""
    questions = [Question(target_for(live, name), Unit.parse(unit)) for name, unit in UNITS.items()]
    together = ablate_for_each(live, questions, n_matched=6, seed=3)
    assert list(together.by_hypothesis) == list(UNITS)
    assert not together.reasons
    for name, unit in UNITS.items():
        alone = ablate(live, name, unit, n_matched=6, seed=3)
        for effect, expected in zip(together.by_hypothesis[name].effects, alone.effects, strict=True):
            assert (effect.intervention, effect.where, effect.n_chars) == (unit, expected.where, expected.n_chars)
            for field in ("effect", "low", "high", "matched", "matched_sd", "p"):
                np.testing.assert_allclose(getattr(effect, field), getattr(expected, field), rtol=1e-4, atol=1e-6)


def test_q_is_over_the_hypotheses(live: LiveActivations) -> None:
    questions = [Question(target_for(live, name), Unit.parse(unit)) for name, unit in UNITS.items()]
    ablations = ablate_for_each(live, questions, n_matched=6).by_hypothesis.values()
    p = np.array([ablation.effects[0].p for ablation in ablations])
    q = np.array([ablation.effects[0].q for ablation in ablations])
    has_p = ~np.isnan(p)
    assert has_p.sum() >= 2
    np.testing.assert_allclose(q[has_p], false_discovery_control(p[has_p]))


def test_a_number_has_no_inside_and_outside_and_does_not_stop_the_others(live: LiveActivations) -> None:
    names = ("position_in_line", "in_quotes")
    found = ablate_for_each(live, [Question(target_for(live, name), Unit.parse("0/cell/0")) for name in names])
    assert list(found.by_hypothesis) == ["in_quotes"]
    assert "is not True or False" in found.reasons["position_in_line"]
