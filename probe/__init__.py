"""Ask what a character-level language model knows, where it keeps it, and whether it uses it.

    import probe

    live = probe.LiveActivations(probe.load_model("model.pt"), probe.Corpus.read("corpus.txt"))
    probe.extract(live, "activations.h5")
    recording = probe.Recording("activations.h5")
    print(probe.rank(recording, "in_quotes"))

Everything here is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from activations import interventions
    from activations.blocks import Block, Source, select_sites
    from activations.errors import ActivationError
    from activations.importers.importing import ImportedModel, import_model
    from activations.importers.wrapping import wrap
    from activations.lane_differences import LaneDifference
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN, ModelConfig
    from activations.models.checkpoints import load_model, save_model
    from activations.models.evaluation import Evaluation, Losses, evaluate, losses
    from activations.models.ngrams import NgramLosses, NgramModels, fit_ngrams
    from activations.models.sampling import Guess, Novelty, SampledTokens, novelty, write, write_texts
    from activations.models.training.config import TrainingConfig
    from activations.models.training.results import Training, TrainingSnapshot
    from activations.models.training.training import hold_out, train
    from activations.models.twins import twin
    from activations.reading.compute_options import ComputeOptions
    from activations.reading.extraction import Extraction, extract
    from activations.reading.live import LiveActivations
    from activations.recordings.checking import Check, check
    from activations.recordings.recording import Recording
    from activations.texts.corpus import Corpus, Document
    from activations.texts.reading_rule import ReadingRule
    from activations.texts.selection import Selection
    from activations.texts.vocab import Vocabulary
    from activations.units import Site, Unit
    from analyses.collecting.collect import collect
    from analyses.collecting.statistic import BlockLabels, Statistic
    from analyses.curves import Curve, curve, curves_over_steps
    from analyses.differences import difference
    from analyses.errors import AnalysisError
    from analyses.intervals.estimates import Difference, Estimate
    from analyses.probing.estimators import LogisticProbe, RidgeProbe
    from analyses.probing.options import FitOptions
    from analyses.probing.probes import fit, fit_units
    from analyses.probing.results import ProbeResult
    from analyses.ranking.explaining.explanation import Explanation, explain
    from analyses.ranking.methods.method import Method, MethodScores, Need
    from analyses.ranking.methods.registry import METHODS
    from analyses.ranking.ranking import compare, rank, rank_all
    from analyses.ranking.results import RankedUnit, Ranking
    from analyses.session import Session
    from analyses.statistics.autocorrelations import Autocorrelations
    from analyses.statistics.gram_matrices import GramMatrices
    from analyses.statistics.label_losses import LossesByLabel
    from analyses.statistics.passages import ActivePassages
    from analyses.targets.labelling import target
    from analyses.targets.splits import Split
    from analyses.targets.target import Target
    from hypotheses.errors import HypothesisError
    from hypotheses.hypothesis import Hypothesis, hypothesis
    from hypotheses.labels import Labels
    from hypotheses.registry import get, registered
    from probe.demo import Demo, bundled_model, bundled_text, run_demo
    from probe.plots import plot_curves, plot_losses, plot_sweep, plot_text
    from probe.tables import write_rankings
    from probe.training.sweeps import Sweep, SweptModel, sweep

_HOMES = {
    "activations.blocks": ("Block", "Source", "select_sites"),
    "activations.lane_differences": ("LaneDifference",),
    "activations.recordings.checking": ("Check", "check"),
    "activations.texts.corpus": ("Corpus", "Document"),
    "activations.errors": ("ActivationError",),
    "activations.reading.extraction": ("Extraction", "extract"),
    "activations.reading.live": ("LiveActivations",),
    "activations.models.char_model": ("CharModel",),
    "activations.models.char_rnn": ("CharRNN", "ModelConfig"),
    "activations.models.checkpoints": ("load_model", "save_model"),
    "activations.models.evaluation": ("Evaluation", "Losses", "evaluate", "losses"),
    "activations.importers.importing": ("ImportedModel", "import_model"),
    "activations.importers.wrapping": ("wrap",),
    "activations.models.ngrams": ("NgramLosses", "NgramModels", "fit_ngrams"),
    "activations.models.sampling": ("Guess", "Novelty", "SampledTokens", "novelty", "write", "write_texts"),
    "activations.models.twins": ("twin",),
    "activations.models.training.results": ("Training", "TrainingSnapshot"),
    "activations.models.training.training": ("hold_out", "train"),
    "activations.models.training.config": ("TrainingConfig",),
    "activations.reading.compute_options": ("ComputeOptions",),
    "activations.texts.reading_rule": ("ReadingRule",),
    "activations.texts.selection": ("Selection",),
    "activations.recordings.recording": ("Recording",),
    "activations.units": ("Site", "Unit"),
    "activations.texts.vocab": ("Vocabulary",),
    "analyses.targets.labelling": ("target",),
    "analyses.targets.target": ("Target",),
    "analyses.curves": ("Curve", "curve", "curves_over_steps"),
    "analyses.errors": ("AnalysisError",),
    "analyses.differences": ("difference",),
    "analyses.intervals.estimates": ("Difference", "Estimate"),
    "analyses.probing.estimators": ("LogisticProbe", "RidgeProbe"),
    "analyses.ranking.explaining.explanation": ("Explanation", "explain"),
    "analyses.ranking.methods.method": ("Method", "MethodScores", "Need"),
    "analyses.ranking.methods.registry": ("METHODS",),
    "analyses.probing.options": ("FitOptions",),
    "analyses.probing.results": ("ProbeResult",),
    "analyses.probing.probes": ("fit", "fit_units"),
    "analyses.ranking.ranking": ("compare", "rank", "rank_all"),
    "analyses.ranking.results": ("RankedUnit", "Ranking"),
    "analyses.session": ("Session",),
    "analyses.targets.splits": ("Split",),
    "analyses.statistics.autocorrelations": ("Autocorrelations",),
    "analyses.collecting.collect": ("collect",),
    "analyses.statistics.gram_matrices": ("GramMatrices",),
    "analyses.statistics.label_losses": ("LossesByLabel",),
    "analyses.statistics.passages": ("ActivePassages",),
    "analyses.collecting.statistic": ("BlockLabels", "Statistic"),
    "hypotheses.errors": ("HypothesisError",),
    "hypotheses.hypothesis": ("Hypothesis", "hypothesis"),
    "hypotheses.labels": ("Labels",),
    "hypotheses.registry": ("get", "registered"),
    "probe.demo": ("Demo", "bundled_model", "bundled_text", "run_demo"),
    "probe.plots": ("plot_curves", "plot_losses", "plot_sweep", "plot_text"),
    "probe.training.sweeps": ("Sweep", "SweptModel", "sweep"),
    "probe.tables": ("write_rankings",),
}
_MODULES = {"interventions": "activations.interventions"}

__all__ = [
    "METHODS",
    "ActivationError",
    "ActivePassages",
    "AnalysisError",
    "Autocorrelations",
    "Block",
    "BlockLabels",
    "CharModel",
    "CharRNN",
    "Check",
    "ComputeOptions",
    "Corpus",
    "Curve",
    "Demo",
    "Difference",
    "Document",
    "Estimate",
    "Evaluation",
    "Explanation",
    "Extraction",
    "FitOptions",
    "GramMatrices",
    "Guess",
    "Hypothesis",
    "HypothesisError",
    "ImportedModel",
    "Labels",
    "LaneDifference",
    "LiveActivations",
    "LogisticProbe",
    "Losses",
    "LossesByLabel",
    "Method",
    "MethodScores",
    "ModelConfig",
    "Need",
    "NgramLosses",
    "NgramModels",
    "Novelty",
    "ProbeResult",
    "RankedUnit",
    "Ranking",
    "ReadingRule",
    "Recording",
    "RidgeProbe",
    "SampledTokens",
    "Selection",
    "Session",
    "Site",
    "Source",
    "Split",
    "Statistic",
    "Sweep",
    "SweptModel",
    "Target",
    "Training",
    "TrainingConfig",
    "TrainingSnapshot",
    "Unit",
    "Vocabulary",
    "__version__",
    "bundled_model",
    "bundled_text",
    "check",
    "collect",
    "compare",
    "curve",
    "curves_over_steps",
    "difference",
    "evaluate",
    "explain",
    "extract",
    "fit",
    "fit_ngrams",
    "fit_units",
    "get",
    "hold_out",
    "hypothesis",
    "import_model",
    "interventions",
    "load_model",
    "losses",
    "novelty",
    "plot_curves",
    "plot_losses",
    "plot_sweep",
    "plot_text",
    "rank",
    "rank_all",
    "registered",
    "run_demo",
    "save_model",
    "select_sites",
    "sweep",
    "target",
    "train",
    "twin",
    "wrap",
    "write",
    "write_rankings",
    "write_texts",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(_MODULES[name])
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module 'probe' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
