"""What usual ways to an interval or a p-value make of dependent characters, on the data of the study."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata, t, ttest_ind
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from truth_repeating import Record
from truth_simulating import (
    Floats,
    LevelShifts,
    Random,
    RisingPrevalence,
    Runs,
    Steady,
    Trending,
    World,
    draw_labels,
    draw_units,
    plant,
)

from hypotheses.labels import Labels

_N = 400
_N_SHIFTS = 199
_N_DRAWS = 200
_WORLDS = {
    "unit of tau 100, runs of 60": World(),
    "unit of tau 1,000, runs of 60": World(Steady(1000)),
    "unit of tau 1,000, runs of 1,500": World(Steady(1000), Runs(1500, 1500)),
    "level shifts, runs of 6,000": World(LevelShifts(), Runs(6000, 6000)),
    "trend, runs of 1,500": World(Trending(), Runs(1500, 1500)),
    "trend, prevalence that rises": World(Trending(), RisingPrevalence()),
}
Interval = tuple[float, float]


def shuffled_folds(values: Floats, labels: NDArray[np.bool_], seed: int) -> Interval:
    """Student's t interval of the AUCs of five folds of shuffled characters."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed).split(values, labels)
    aucs = [roc_auc_score(labels[test], values[test]) for _, test in folds]
    half = float(t.ppf(0.975, 4) * np.std(aucs, ddof=1) / np.sqrt(5))
    return float(np.mean(aucs)) - half, float(np.mean(aucs)) + half


def bootstrap(values: Floats, labels: NDArray[np.bool_], seed: int) -> Interval:
    """A bootstrap's interval of the AUC of a fifth of the characters, shuffled: these are drawn anew."""
    _, x, _, y = train_test_split(values, labels, test_size=0.2, stratify=labels, random_state=seed)
    among_all, n_true, n_false = rankdata(x), int(y.sum()), int((~y).sum())
    above = (among_all[y] - rankdata(x[y])) / n_false  # of each positive, the negatives below it
    below = 1 - (among_all[~y] - rankdata(x[~y])) / n_true
    auc, rng = float(above.mean()), np.random.default_rng(seed)
    drawn = [
        own[rng.integers(len(own), size=(_N_DRAWS, len(own)), dtype=np.int32)].mean(axis=1) for own in (above, below)
    ]
    low, high = np.quantile(drawn[0] + drawn[1] - auc, [0.025, 0.975]).tolist()
    return low, high


def p_of_characters(values: Floats, labels: NDArray[np.bool_]) -> float:
    """Student's t test of two samples of characters."""
    return float(ttest_ind(values[labels], values[~labels]).pvalue)


def p_of_shifts(values: Floats, labels: NDArray[np.bool_], rng: Random) -> float:
    """How often labels that are shifted in a circle have as much to do with a unit, by the mean of its ranks."""
    ranks = rankdata(values) - (len(values) + 1) / 2
    products = np.fft.irfft(np.fft.rfft(ranks) * np.conj(np.fft.rfft(labels - labels.mean())), len(ranks))
    shifted = products[rng.integers(1, len(ranks), _N_SHIFTS)]
    return float(1 + (np.abs(shifted) >= abs(products[0])).sum()) / (1 + _N_SHIFTS)


def usual_repetition(world: World, rng: Random) -> Record:
    """What each way says of one unit: whether its interval covers, and whether p is below .05."""
    unit, labels = draw_units(world, rng, 1), draw_labels(world, rng)
    truth = world.chance if world.truth is None else world.truth
    plant(world, unit, labels, np.array([truth]))
    return of_unit(unit[0], labels, truth, rng)


def of_unit(values: Floats, labels: Labels, truth: float, rng: Random) -> Record:
    """The same of a unit that is at hand."""
    true, seed = labels.values, int(rng.integers(1 << 31))
    folds, drawn = shuffled_folds(values, true, seed), bootstrap(values, true, seed)
    return {
        "folds": folds[0] <= truth <= folds[1],
        "bootstrap": drawn[0] <= truth <= drawn[1],
        "width": drawn[1] - drawn[0],
        "characters": p_of_characters(values, true) < 0.05,
        "shifts": p_of_shifts(values, true, rng) < 0.05,
    }


def print_usual(seed: int, fraction: float) -> None:
    """Print a table of what usual ways make of units that have nothing to do with the label."""
    n = max(2, round(_N * fraction))
    print("| 50,000 characters, nothing to find | interval of shuffled folds covers ", end="")
    print("| bootstrap over characters covers | t test over characters, p < .05 | circular shifts, p < .05 |")
    print("|---|--:|--:|--:|--:|")
    for name, world in _WORLDS.items():
        found = [usual_repetition(world, np.random.default_rng([seed, number])) for number in range(n)]
        shares = {way: float(np.mean([record[way] for record in found])) for way in found[0]}
        ways = ("folds", "bootstrap", "characters", "shifts")
        print(f"| {name} | " + " | ".join(f"{shares[way]:.2f}" for way in ways) + " |", flush=True)
