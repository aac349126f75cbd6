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
    from activations.borders import LaneDifference
    from activations.checking import Check, check
    from activations.corpus import Corpus, Document
    from activations.errors import ActivationError
    from activations.extraction import Extraction, LiveActivations, extract
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN, ModelConfig
    from activations.models.checkpoints import load_model, save_model
    from activations.models.evaluation import Evaluation, Losses, evaluate, losses
    from activations.models.importers.importing import Import, import_model
    from activations.models.importers.wrapping import wrap
    from activations.models.sampling import Guess, Novelty, Written, novelty, write, write_texts
    from activations.models.training import Moment, Training, hold_out, train
    from activations.models.training_config import TrainingConfig
    from activations.models.twins import twin
    from activations.reading import Arithmetic
    from activations.reading_rule import ReadingRule
    from activations.selection import Selection
    from activations.store import Recording
    from activations.units import Site, Unit
    from activations.vocab import Vocabulary
    from analyses.alignment import Target, target
    from analyses.curves import Curve, curve, curves_over_steps
    from analyses.differences import difference
    from analyses.errors import AnalysisError
    from analyses.estimates import Difference, Estimate
    from analyses.estimators import LogisticProbe, RidgeProbe
    from analyses.explaining import Explanation, explain
    from analyses.methods import METHODS, Marks, Method, Need
    from analyses.probe_results import Fitting, ProbeResult
    from analyses.probes import fit, fit_units
    from analyses.ranking import RankedUnit, Ranking, compare, rank, rank_all
    from analyses.session import Session
    from analyses.splits import Split
    from analyses.statistics.autocorrelations import Autocorrelations
    from analyses.statistics.collecting import collect
    from analyses.statistics.gram_matrices import GramMatrices
    from analyses.statistics.label_losses import LossesByLabel
    from analyses.statistics.passages import ActivePassages
    from analyses.statistics.statistic import BlockLabels, Statistic
    from hypotheses.errors import HypothesisError
    from hypotheses.hypothesis import Hypothesis, hypothesis
    from hypotheses.labels import Labels
    from hypotheses.ngrams import NgramLosses, NgramModels, fit_ngrams
    from hypotheses.registry import get, registered
    from probe.demo import Demo, bundled_model, bundled_text, run_demo
    from probe.plots import plot_curves, plot_losses, plot_sweep, plot_text
    from probe.sweeps import Sweep, Swept, sweep
    from probe.tables import write_rankings

_HOMES = {
    "activations.blocks": ("Block", "Source", "select_sites"),
    "activations.borders": ("LaneDifference",),
    "activations.checking": ("Check", "check"),
    "activations.corpus": ("Corpus", "Document"),
    "activations.errors": ("ActivationError",),
    "activations.extraction": ("Extraction", "LiveActivations", "extract"),
    "activations.models.char_model": ("CharModel",),
    "activations.models.char_rnn": ("CharRNN", "ModelConfig"),
    "activations.models.checkpoints": ("load_model", "save_model"),
    "activations.models.evaluation": ("Evaluation", "Losses", "evaluate", "losses"),
    "activations.models.importers.importing": ("Import", "import_model"),
    "activations.models.importers.wrapping": ("wrap",),
    "activations.models.sampling": ("Guess", "Novelty", "Written", "novelty", "write", "write_texts"),
    "activations.models.twins": ("twin",),
    "activations.models.training": ("Moment", "Training", "hold_out", "train"),
    "activations.models.training_config": ("TrainingConfig",),
    "activations.reading": ("Arithmetic",),
    "activations.reading_rule": ("ReadingRule",),
    "activations.selection": ("Selection",),
    "activations.store": ("Recording",),
    "activations.units": ("Site", "Unit"),
    "activations.vocab": ("Vocabulary",),
    "analyses.alignment": ("Target", "target"),
    "analyses.curves": ("Curve", "curve", "curves_over_steps"),
    "analyses.errors": ("AnalysisError",),
    "analyses.differences": ("difference",),
    "analyses.estimates": ("Difference", "Estimate"),
    "analyses.estimators": ("LogisticProbe", "RidgeProbe"),
    "analyses.explaining": ("Explanation", "explain"),
    "analyses.methods": ("METHODS", "Marks", "Method", "Need"),
    "analyses.probe_results": ("Fitting", "ProbeResult"),
    "analyses.probes": ("fit", "fit_units"),
    "analyses.ranking": ("RankedUnit", "Ranking", "compare", "rank", "rank_all"),
    "analyses.session": ("Session",),
    "analyses.splits": ("Split",),
    "analyses.statistics.autocorrelations": ("Autocorrelations",),
    "analyses.statistics.collecting": ("collect",),
    "analyses.statistics.gram_matrices": ("GramMatrices",),
    "analyses.statistics.label_losses": ("LossesByLabel",),
    "analyses.statistics.passages": ("ActivePassages",),
    "analyses.statistics.statistic": ("BlockLabels", "Statistic"),
    "hypotheses.errors": ("HypothesisError",),
    "hypotheses.hypothesis": ("Hypothesis", "hypothesis"),
    "hypotheses.labels": ("Labels",),
    "hypotheses.ngrams": ("NgramLosses", "NgramModels", "fit_ngrams"),
    "hypotheses.registry": ("get", "registered"),
    "probe.demo": ("Demo", "bundled_model", "bundled_text", "run_demo"),
    "probe.plots": ("plot_curves", "plot_losses", "plot_sweep", "plot_text"),
    "probe.sweeps": ("Sweep", "Swept", "sweep"),
    "probe.tables": ("write_rankings",),
}
_MODULES = {"interventions": "activations.interventions"}

__all__ = [
    "METHODS",
    "ActivationError",
    "ActivePassages",
    "AnalysisError",
    "Arithmetic",
    "Autocorrelations",
    "Block",
    "BlockLabels",
    "CharModel",
    "CharRNN",
    "Check",
    "Corpus",
    "Curve",
    "Demo",
    "Difference",
    "Document",
    "Estimate",
    "Evaluation",
    "Explanation",
    "Extraction",
    "Fitting",
    "GramMatrices",
    "Guess",
    "Hypothesis",
    "HypothesisError",
    "Import",
    "Labels",
    "LaneDifference",
    "LiveActivations",
    "LogisticProbe",
    "Losses",
    "LossesByLabel",
    "Marks",
    "Method",
    "ModelConfig",
    "Moment",
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
    "Selection",
    "Session",
    "Site",
    "Source",
    "Split",
    "Statistic",
    "Sweep",
    "Swept",
    "Target",
    "Training",
    "TrainingConfig",
    "Unit",
    "Vocabulary",
    "Written",
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
