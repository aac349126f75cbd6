"""The model of a recording reads the recorded text again, by the same rule, and no other model does."""

from pathlib import Path

import numpy as np
import pytest
from planting import random_model

import probe
from activations.errors import ActivationError
from activations.interventions import Intervention, clamp
from activations.models.checkpoints import save_model
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.units import Site

TEXT = "The quick brown fox jumps over the lazy dog.\n" * 30
SITE = Site("1/cell")


def recorded(path: Path, **options: object) -> LiveActivations:
    live = LiveActivations(random_model(TEXT), Corpus.from_texts([TEXT]), **options)  # type: ignore[arg-type]
    probe.extract(live, path, predictions=False)
    return live


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"selection": Selection(100, 900, 3)},
        {"rule": ReadingRule(backwards=True)},
        {"stand_in": "o", "rule": ReadingRule(read_as="lower")},
    ],
    ids=["whole", "part", "backwards", "lower"],
)
def test_the_model_reads_what_was_recorded(tmp_path: Path, options: dict[str, object]) -> None:
    path = tmp_path / "a.h5"
    recorded(path, n_lanes=1, compute=ComputeOptions(dtype="float32"), **options)
    model = random_model(TEXT)
    own_rule = model.reading_rule
    with probe.Recording(path) as recording:
        again = probe.live(recording, model)
        assert again.selection == recording.selection and again.reading_rule == recording.reading_rule
        assert again.model_sha256 == recording.model_sha256
        np.testing.assert_allclose(again.read([SITE])[SITE], recording.read([SITE])[SITE], rtol=0, atol=1e-5)
    assert model.reading_rule == own_rule


def test_the_hash_may_be_that_of_the_model_with_the_rule(tmp_path: Path) -> None:
    """As of a recording by `probe extract --backwards`, whose options become the rule of the model."""
    ruled = random_model(TEXT)
    ruled.reading_rule = ReadingRule(backwards=True)
    probe.extract(LiveActivations(ruled, Corpus.from_texts([TEXT])), tmp_path / "a.h5", predictions=False)
    model = random_model(TEXT)
    again = probe.live(tmp_path / "a.h5", model)
    assert again.reading_rule.backwards and not model.reading_rule.backwards
    with probe.Recording(tmp_path / "a.h5") as recording:
        assert again.model_sha256 == recording.model_sha256


def test_a_path_is_as_good_as_a_model_or_a_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    live = recorded(path)
    save_model(random_model(TEXT), tmp_path / "model.pt")
    again = probe.live(str(path), str(tmp_path / "model.pt"))
    assert again.model_sha256 == live.model_sha256
    assert again.corpus.sha256 == live.corpus.sha256


def test_another_model_is_refused(tmp_path: Path) -> None:
    recorded(tmp_path / "a.h5")
    with pytest.raises(ActivationError, match="this is not the model that .*a.h5 is a recording of; name that one"):
        probe.live(tmp_path / "a.h5", random_model(TEXT, seed=1))
    save_model(random_model(TEXT, seed=1), tmp_path / "other.pt")
    with pytest.raises(ActivationError, match="other.pt is not the model"):
        probe.live(tmp_path / "a.h5", tmp_path / "other.pt")
    with pytest.raises(ActivationError, match="no model"):
        probe.live(tmp_path / "a.h5", tmp_path / "absent.pt")
    with pytest.raises(ActivationError, match="no recording"):
        probe.live(tmp_path / "absent.h5", random_model(TEXT))


def test_a_recording_with_interventions_is_of_another_model(tmp_path: Path) -> None:
    recorded(tmp_path / "a.h5", interventions=[Intervention(SITE, clamp({0: 0.0}))])
    with pytest.raises(ActivationError, match="made with interventions"):
        probe.live(tmp_path / "a.h5", random_model(TEXT))
