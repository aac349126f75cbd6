"""`import probe` is all that a user needs."""

import importlib
import re
from importlib.resources import files

import pytest
import torch

import probe


def test_every_public_name_is_there_and_documented() -> None:
    for name in probe.__all__:
        value = getattr(probe, name)
        assert value.__doc__, name
    assert set(probe.__all__) - {"__version__"} == set(probe._MODULES).union(*probe._HOMES.values())
    assert set(probe.__all__) <= set(dir(probe))


def test_names_are_those_of_their_homes() -> None:
    for home, names in probe._HOMES.items():
        for name in names:
            assert getattr(probe, name) is getattr(importlib.import_module(home), name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frobnicate'"):
        probe.frobnicate  # noqa: B018


def test_the_bundled_model_is_what_its_readme_says() -> None:
    data = files("probe.data")
    readme = (data / "README.md").read_text(encoding="utf-8")
    model = probe.bundled_model()
    checkpoint = torch.load(str(data / "python_lstm.pt"), weights_only=True)
    assert f"{len(model.vocabulary)} characters" in readme
    assert f"{sum(weight.numel() for weight in model.parameters()):,} weights" in readme
    assert f"**{checkpoint['training']['held_out_nats_per_char']:.3f} nats" in readme
    command = readme[readme.index("    probe train") :].partition("\n\n")[0]
    options = dict(re.findall(r"--([a-z-]+) ([\w.-]+)", command))
    names = {"lanes": "n_lanes", "steps": "n_steps"}
    for option in ("epochs", "lanes", "steps", "learning-rate", "weight-decay", "precision", "min-count"):
        trained = checkpoint["training"][names.get(option, option.replace("-", "_"))]
        assert options[option] == str(trained) or float(options[option]) == trained
    assert probe.evaluate(model, probe.bundled_text(), replace_unknown=True).nats_per_char < 0.95
    assert model.vocabulary.replacement is not None
