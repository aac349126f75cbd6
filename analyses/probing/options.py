"""Options of fitting and judging linear probes."""

from dataclasses import dataclass

from analyses.probing.designs.design import MEMORY
from analyses.targets.labelling import LABEL_BYTES

PENALTIES = (1.0, 10.0, 100.0, 1000.0, 10_000.0)
RANKING_MEMORY = 256 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FitOptions:
    """Options for fitting linear probes and judging them on held-out characters.

    Attributes:
        penalty: Penalty on the weights, on the scale of the summed loss (1/C in scikit-learn). None chooses the one of
            `PENALTIES` with the smallest loss on stretches that are held out within the training part.
        l1_ratio: From 0, an L2 penalty, to 1, an L1 penalty; in between, an elastic net.
        balanced: Whether all classes have the same total weight, however rare they are.
        folds: Number of folds, each of which holds out another part of the stretches, so that every stretch is held
            out once. None holds one fifth out.
        n_stretches: How many of the training stretches are used, drawn at random. None is all.
        memory: Bytes that activations may take between passes. If they take more, they are read again in each pass.
        budget: Bytes of activations that are read at most: of a longer text, a run of characters from each atom (see
            `budgets.chosen_runs`). None is 4 GB for a live source, and no limit otherwise.
        ranking_memory: Bytes that sorting held-out predictions for exact AUCs may take, if `memory` is not less. With
            less of it the held-out characters are read more often.
        label_memory: Bytes that the labels of all hypotheses may take, and those of all control tasks. If they take
            more, those that need more than an equal share are kept in temporary files.
        keep: Whether results keep the predictions for the held-out characters that are read.
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
    label_memory: int = LABEL_BYTES
    keep: bool = False
    seed: int = 0


DEFAULT_OPTIONS = FitOptions()
