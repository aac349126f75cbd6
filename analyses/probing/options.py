"""How linear probes are fitted and judged."""

from dataclasses import dataclass

from analyses.probing.designs.design import MEMORY

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
RANKING_MEMORY = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """How probes are fitted and judged.

    Attributes:
        penalty: Penalty on the weights, on the scale of the summed loss (1/C in scikit-learn). None chooses, from
            `PENALTIES`, the one with the smallest loss on stretches held out within the training part.
        l1_ratio: From 0, an L2 penalty, to 1, an L1 penalty; in between, an elastic net.
        balanced: Whether all classes weigh the same, however rare they are.
        folds: Number of folds, each of which holds out another part of the stretches, so that every stretch is held
            out once. None holds one fifth out.
        n_stretches: How many of the training stretches are used, drawn at random; None is all.
        memory: Bytes that activations may take between passes; if they take more, they are read again in each pass.
        budget: Bytes of activations that are read at most: of a longer text, a run of characters from each atom (see
            `budgets.chosen_runs`). None is 4 GB for a live source, and no limit otherwise.
        ranking_memory: Bytes of held-out predictions that are sorted at one time, for exact AUCs; no more than
            `memory`. A smaller value needs more passes over the held-out characters.
        keep: Whether results keep the prediction for each held-out character that is read.
        seed: Seed of the control tasks, and of the draw of training stretches.
    """

    penalty: float | None = None
    l1_ratio: float = 0.0
    balanced: bool = False
    folds: int | None = None
    n_stretches: int | None = None
    memory: int = MEMORY
    budget: int | None = None
    ranking_memory: int = RANKING_MEMORY
    keep: bool = False
    seed: int = 0


DEFAULT_OPTIONS = FitOptions()
