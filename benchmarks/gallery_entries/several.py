"""Pictures of several models: small ones, which are trained for some seconds."""

from gallery_entries.entry import Entry, Row, Rows, percent, with_interval
from gallery_entries.works import CKA, KARPATHY, SVCCA, VISRNN

_READ = "python.py.txt --range 60000:149000 --replace-unknown-with @"
_LSTM, _GRU, _RNN = (f"small/{cell}-1x32.pt" for cell in ("lstm", "gru", "rnn"))
SMALL_MODELS = {
    "grid": "probe sweep short.txt --cell lstm,gru,rnn --layers 1 --hidden 16,32 --lanes 8 --epochs 8 -o small",
    "train": "probe train short.txt --layers 1 --units 32 --lanes 8 --epochs 12 --checkpoint-every 2 -o lstm.pt",
    "read_lstm": f"probe extract {_LSTM} {_READ} -o lstm.h5",
    "read_gru": f"probe extract {_GRU} {_READ} -o gru.h5",
}
"""What sets up; the text that is read is not the one that they were trained on."""


def gate_facts(rows: Rows) -> dict[str, str]:
    """Return how many forget gates are open, and how many closed, at nine characters in ten or more."""
    gates = [row for row in rows["gates"] if row["gate"] == "forget_gate"]
    return {
        "n": f"{len(gates):,}",
        "open": str(sum(row["right"] > 0.9 for row in gates)),
        "closed": str(sum(row["left"] > 0.9 for row in gates)),
        "input_closed": str(sum(row["left"] > 0.9 for row in rows["gates"] if row["gate"] == "input_gate")),
    }


def step_facts(rows: Rows) -> dict[str, str]:
    """Return what the probe and the best unit score before the training and at its end."""
    of_all, of_one = (
        [row for row in rows["steps"] if row["hypothesis"].endswith(": one unit") is is_one] for is_one in (False, True)
    )
    return {
        "first": with_interval(of_all[0], "auc"),
        "last": with_interval(of_all[-1], "auc"),
        "one": with_interval(of_one[-1], "auc"),
        "text": with_interval(of_all[-1], "control_score", "control_low", "control_high"),
        "updates": f"{of_all[-1]['steps']:,}",
    }


def sweep_facts(rows: Rows) -> dict[str, str]:
    """Return the best and the worst model of the grid."""
    best, worst = (choose(rows["sweep"], key=_test_loss) for choose in (min, max))
    return {
        f"{name}_{key}": value
        for name, row in (("best", best), ("worst", worst))
        for key, value in (
            ("cell", str(row["cell"]).upper()),
            ("units", str(row["n_units"])),
            ("loss", f"{_test_loss(row):.2f}"),
        )
    }


def _test_loss(row: Row) -> float:
    return float(row["test_nats_per_char"])


def loss_facts(rows: Rows) -> dict[str, str]:
    """Return the lowest held-out loss of each training, and when that was."""
    best = [row for row in rows["losses"] if row["is_best"]]
    told = [f"{row['held_out_nats_per_char']:.2f} after {row['update']:,} updates (`{row['model']}`)" for row in best]
    return {"best": ", ".join(told)}


def overlap_facts(rows: Rows) -> dict[str, str]:
    """Return what both models get right, beside what they would if they were independent."""
    [both] = [row for row in rows["overlap"] if row["n_right"] == 2]
    [neither] = [row for row in rows["overlap"] if row["n_right"] == 0]
    return {
        "both": _share(both),
        "independent": percent(both["if_independent"]),
        "neither": _share(neither),
    }


def overlap_of_three_facts(rows: Rows) -> dict[str, str]:
    """Return what all three models, and no model, get right."""
    sets = rows["overlap_of_three"]
    [all_three], [none] = ([row for row in sets if row["n_right"] == n_right] for n_right in (3, 0))
    return {"all": _share(all_three), "independent": percent(all_three["if_independent"]), "none": _share(none)}


def _share(row: Row) -> str:
    return f"{percent(row['share'])} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def similarity_facts(rows: Rows) -> dict[str, str]:
    """Return how alike the hidden states of the two models are, beside those of an untrained twin."""
    sites = [row for row in rows["similarity"] if "cka" in row]
    [hidden] = [row for row in sites if row["first"] == row["second"] == "0/hidden"]
    return {
        "cka": with_interval(hidden, "cka"),
        "untrained": with_interval(hidden, "untrained_cka", "untrained_low", "untrained_high"),
        "difference": with_interval(hidden, "difference", "difference_low", "difference_high"),
    }


SEVERAL = (
    Entry(
        name="gates",
        question="How often are gates fully open or closed?",
        drawn_by=f"{KARPATHY}, figure 3",
        command="probe plot gates --model python_lstm.pt --text python.py.txt --replace-unknown",
        reading="Of the {n} forget gates, {open} are open at more than nine characters in ten, so that their cells "
        "integrate, and {closed} are closed; of the input gates, {input_closed} are closed.",
        facts=gate_facts,
        alternative="Three panels, a point for each unit: how often its gate is over .9, and how often under .1",
    ),
    Entry(
        name="sweep",
        question="Which cell, and which size, predicts best?",
        drawn_by=f"{KARPATHY}, table 1: test losses of RNN, LSTM and GRU by size",
        command="probe plot sweep small",
        reading="The best is the {best_cell} of {best_units} units ({best_loss} nats per character), the worst the "
        "{worst_cell} of {worst_units} ({worst_loss}).",
        facts=sweep_facts,
        alternative="A grid of test losses: cells down, units across; the lowest is the darkest, and bold",
    ),
    Entry(
        name="losses",
        question="Which training got further, and when was it best?",
        drawn_by=f"{VISRNN}, its grid of losses",
        command="probe plot losses small/lstm-1x32.training small/gru-1x32.training small/rnn-1x32.training",
        reading="The best held-out losses are {best}: after so short a training, each falls to the end.",
        facts=loss_facts,
        alternative="Losses of three trainings over the updates, on the training text and on the held-out text",
    ),
    Entry(
        name="steps",
        question="When, in its training, does a model come to know a label?",
        drawn_by=f"{SVCCA}, what a language model has learned at each time of its training",
        command=f"probe plot steps lstm.training in_parentheses --text {_READ}",
        reading="Before its training, all units of the network have an AUC of {first}, after {updates} updates "
        "{last}, and the best unit {one}; the last 20 characters alone have {text}. So short a training does not "
        "teach it.",
        facts=step_facts,
        alternative="AUC over the updates: of all units, of the best one, and of the text alone",
    ),
    Entry(
        name="overlap",
        question="Which characters do two models get right, together and alone?",
        drawn_by=f"{KARPATHY}, who count the errors that two models have in common",
        command=f"probe plot overlap --model {_LSTM} --model {_GRU} --text {_READ}",
        reading="Both get {both} right, and neither {neither}. If they were right independently, both would be at "
        "{independent}: they find the same characters easy.",
        facts=overlap_facts,
        alternative="Two circles whose areas, and common part, are as large as the shares that the models get right",
    ),
    Entry(
        name="overlap_of_three",
        question="And three models?",
        drawn_by="",
        command=f"probe plot overlap --model {_LSTM} --model {_GRU} --model {_RNN} --text {_READ}",
        reading="All three get {all} right ({independent} if they were independent), and none {none}.",
        facts=overlap_of_three_facts,
        alternative="A bar for each combination of three models, over points that say which of them are right",
    ),
    Entry(
        name="similarity",
        question="How alike are two models?",
        drawn_by=f"{CKA}, linear CKA between layers",
        command=f"probe similarity lstm.h5 gru.h5 --untrained {_GRU}",
        reading="The CKA of the two hidden states is {cka}; with an untrained twin of the GRU it is {untrained}, as "
        "both read the same characters. What training adds is the difference, {difference}.",
        facts=similarity_facts,
        alternative="A heat map of CKA: the sites of one model down, those of the other across",
    ),
)
