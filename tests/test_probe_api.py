"""`import probe` is all that a user needs: names, groups, and the names of earlier versions."""

import ast
import importlib
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

import probe
from probe.moved_names import MOVED

STUB = ast.parse((Path(__file__).parents[1] / "probe" / "__init__.pyi").read_text(encoding="utf-8"))
IMPORTS = [node for node in STUB.body if isinstance(node, ast.ImportFrom)]
GROUPS = [alias.name for node in IMPORTS if node.module is None for alias in node.names]
NAMES_OF_0_1 = re.findall(
    r"\w+",
    """
    METHODS ActivationError ActivePassages AnalysisError Arithmetic Autocorrelations Block BlockLabels CharModel CharRNN
    Check Corpus Curve Demo Difference Document Estimate Evaluation Explanation Extraction Fitting GramMatrices Guess
    Hypothesis HypothesisError Import Labels LaneDifference LiveActivations LogisticProbe Losses LossesByLabel Marks
    Method ModelConfig Moment Need NgramLosses NgramModels Novelty ProbeResult RankedUnit Ranking ReadingRule Recording
    RidgeProbe Selection Session Site Source Split Statistic Sweep Swept Target Training TrainingConfig Unit Vocabulary
    Written bundled_model bundled_text check collect compare curve curves_over_steps difference evaluate explain extract
    fit fit_ngrams fit_units get hold_out hypothesis import_model interventions load_model losses novelty plot_curves
    plot_losses plot_sweep plot_text rank rank_all registered run_demo save_model select_sites sweep target train twin
    wrap write write_rankings write_texts
    """,
)


def public_names(group: ModuleType) -> list[str]:
    """The names of a group that are of our packages; constants have no module, and a module may import others."""
    ours = ("activations.", "analyses.", "hypotheses.", "probe.")
    named = [(name, value) for name, value in vars(group).items() if not name.startswith("_")]
    return [name for name, value in named if str(getattr(value, "__module__", "")).startswith(ours)]


def test_every_public_name_is_documented() -> None:
    assert set(probe.__all__) == set(dir(probe))
    for name in probe.__all__:
        assert getattr(probe, name).__doc__, name


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_is_a_module_whose_names_are_documented(name: str) -> None:
    group = getattr(probe, name)
    assert group is importlib.import_module(f"probe.{name}")
    assert public_names(group)
    for member in public_names(group):
        assert getattr(group, member).__doc__, member


def test_the_names_of_probe_are_those_of_its_groups() -> None:
    for node in IMPORTS:
        for alias in node.names if node.module else ():
            assert getattr(probe, alias.name) is getattr(getattr(probe, str(node.module)), alias.name)
            assert alias.name not in MOVED


@pytest.mark.parametrize("name", NAMES_OF_0_1)
def test_a_name_of_an_earlier_version_is_there_or_names_the_new_place(name: str) -> None:
    if name not in MOVED:
        assert name in probe.__all__
        return
    with pytest.warns(DeprecationWarning, match=rf"^probe\.{name} is now probe\.{re.escape(MOVED[name])}$") as warned:
        value = getattr(probe, name)
    assert warned[0].filename == __file__
    expected: Any = probe
    for part in MOVED[name].split("."):
        expected = getattr(expected, part)
    assert value is expected


def test_every_moved_name_was_a_name_once() -> None:
    assert set(MOVED) <= set(NAMES_OF_0_1)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'probe' has no attribute 'frobnicate'"):
        probe.frobnicate  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize(
    ("use", "unneeded"),
    [
        ("probe.get('in_quotes')", "torch h5py sklearn matplotlib pandas"),
        ("probe.Corpus.from_texts(['ab']), probe.texts.Vocabulary", "torch h5py sklearn matplotlib numba pandas"),
        ("probe.Recording", "torch sklearn matplotlib numba pandas"),
        ("probe.Session, probe.rank, probe.fit, probe.curve, probe.explain", "torch sklearn matplotlib pandas"),
        ("probe.plot_curves", "torch sklearn matplotlib pandas"),
        ("probe.load_model", "h5py sklearn matplotlib pandas"),
        ("probe.estimators.LogisticProbe", "torch matplotlib"),
    ],
)
def test_a_name_loads_what_it_needs_alone(use: str, unneeded: str) -> None:
    code = f"import sys, probe\n{use}\nprint(*{set(unneeded.split())!r} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr


def test_the_bundled_model_is_what_its_readme_says() -> None:
    data = files("probe.data")
    readme = (data / "README.md").read_text(encoding="utf-8")
    model = probe.demo.bundled_model()
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
    assert model.vocabulary.replacement is not None


def test_the_bundled_model_predicts_the_beginning_of_the_bundled_text() -> None:
    beginning = probe.Corpus.from_texts([probe.demo.bundled_text().text(0, 20_000)])
    assert probe.models.evaluate(probe.demo.bundled_model(), beginning, replace_unknown=True).nats_per_char < 0.91


@pytest.mark.slow  # 149,497 characters
def test_the_bundled_model_has_the_loss_that_its_readme_says() -> None:
    model, text = probe.demo.bundled_model(), probe.demo.bundled_text()
    assert probe.models.evaluate(model, text, replace_unknown=True).nats_per_char < 0.95
