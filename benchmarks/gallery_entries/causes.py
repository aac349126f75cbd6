"""Pictures of what the model uses: units and texts are changed, and what the model then does is measured."""

from gallery_entries.entry import Entry, Rows, percent, with_interval, written
from gallery_entries.works import GRAINS, KARPATHY, SENTIMENT

LAST = 64  # the number of characters after a change that is looked at


def impulse_facts(rows: Rows) -> dict[str, str]:
    """Return how much of its change the best unit has left after some characters, beside matched units."""
    unit = rows["impulse"][0]["unit"]
    [row] = [row for row in rows["impulse"] if row["unit"] == unit and row["k"] == LAST]
    low, high = percent(row["remaining_low"]), percent(row["remaining_high"])
    return {
        "unit": unit,
        "k": str(LAST),
        "left": f"{percent(row['remaining'])} ({low} to {high})",
        "matched": percent(row["remaining_matched"]),
    }


def edit_facts(rows: Rows) -> dict[str, str]:
    """Return how far the best unit follows an edit, beside random edits."""
    units = [row for row in rows["perturb"] if row["quantity"] != "loss" and row["n_after"] is None]
    [changes] = [row for row in units if row["quantity"] == units[0]["quantity"] and row["where"] == "label changes"]
    return {
        "unit": changes["quantity"],
        "share": percent(changes["share"]),
        "random": percent(changes["random"] / changes["reference"]),
        "places": str(changes["n_places"]),
    }


def steering_facts(rows: Rows) -> dict[str, str]:
    """Return what the largest factor of the direction changes in the texts."""
    most = max(row["at"] for row in rows["steer"])
    of_measure = {row["measure"]: row for row in rows["steer"] if row["at"] == most}
    effect = of_measure["in_comment"]
    return {
        "at": f"{most:g}",
        "effect": with_interval(effect, "effect"),
        "matched": written(effect["matched"]),
        "unsteered": written(effect["unsteered"]),
        "loss": with_interval(of_measure["loss"], "effect"),
        "n_texts": str(effect["n_texts"]),
    }


def order_facts(rows: Rows) -> dict[str, str]:
    """Return the order that harms soonest, and what it and random ones add to the loss."""
    areas = [row for row in rows["orders"] if row["kind"] == "area" and row["where"] == "inside − outside"]
    best = max((row for row in areas if row["order"] != "random"), key=lambda row: float(row["lead"]))
    return {
        "order": best["order"],
        "harm": with_interval(best, "effect"),
        "random": written(best["matched"]),
        "n": str(best["n_matched"]),
        "n_chars": f"{best['n_chars']:,}",
    }


def story_facts(rows: Rows) -> dict[str, str]:
    """Return what holding the best unit adds to the loss, beside matched units."""
    [effect] = [row for row in rows["story"] if row["part"] == "ablate" and row["where"] == "inside − outside"][:1]
    probes = [row for row in rows["story"] if row["part"] == "fit" and row.get("control") is None]
    best = max(probes, key=lambda row: float(row["auc"]))
    return {
        "site": best["site"],
        "auc": with_interval(best, "auc"),
        "unit": effect["intervention"],
        "effect": with_interval(effect, "effect"),
        "matched": written(effect["matched"]),
    }


CAUSES = (
    Entry(
        name="impulse",
        question="For how long does a unit keep a change?",
        drawn_by=f"{KARPATHY}, who infer from what a cell shows how far it remembers; here it is changed",
        command="probe impulse in_quotes --model python_lstm.pt --starts 100",
        reading="Set once to its mean outside quotes, `{unit}` has {left} of the change left after {k} characters; "
        "units of about the same variance keep {matched}. A hidden state is computed anew at every character, and "
        "keeps nothing.",
        facts=impulse_facts,
        alternative="Two panels of curves over the characters since a change: the share that is left, and the loss",
    ),
    Entry(
        name="perturb",
        question="Does a unit follow the text if a quotation mark is deleted?",
        drawn_by="",
        command="probe perturb in_quotes --model python_lstm.pt --places 100 --top 3",
        reading="Where deleting the mark changes the label, `{unit}` goes {share} of the way from one mean to the "
        "other (random edits of the same kind: {random}), at {places} places.",
        facts=edit_facts,
        alternative="Curves of three units over the characters after an edit, with bands; random edits are dotted",
    ),
    Entry(
        name="steer",
        question="What does the model write if it is pushed towards comments?",
        drawn_by=f"{SENTIMENT}, who let a model write with its sentiment unit held",
        command="probe steer in_comment line_length --add in_comment --alpha -1,1,2 --model python_lstm.pt "
        "--samples 20 --matched 5",
        reading="With {at} times the direction from code to comments, the share of characters in comments changes by "
        "{effect} in {n_texts} texts, from {unsteered}; random directions of the same length change it by {matched}. "
        "The loss that the unsteered model has on these texts changes by {loss} nats per character.",
        facts=steering_facts,
        alternative="Three panels of what changes in the texts over the factor of the direction",
    ),
    Entry(
        name="orders",
        question="Which ranking finds the units that the model uses?",
        drawn_by=f"{GRAINS}, who take neurons away in the order of a ranking",
        command="probe orders in_quotes --model python_lstm.pt --random 4 --chars 3000",
        reading="Taken away in the order of `{order}`, the units of the last hidden state add most: {harm} nats per "
        "character inside less outside, as a mean over their numbers, where {n} random orders add {random}. "
        "{n_chars} characters do not tell the orders apart.",
        facts=order_facts,
        alternative="Curves of the loss over the number of units that are held, one for each ranking, and a grey band",
    ),
    Entry(
        name="story",
        question="Does the model know it, where, for how long, and does it use it?",
        drawn_by="",
        command="probe story in_quotes --model python_lstm.pt --chars 5000",
        reading="A probe of `{site}` knows it (AUC {auc}), and `{unit}` tells it and keeps it. Holding this unit at "
        "its mean changes the loss inside less outside by {effect} nats per character (matched units: {matched}): "
        "that the model uses it is not shown.",
        facts=story_facts,
        alternative="Four panels: probes beside controls, the best units, an impulse, and effects of holding units",
    ),
)
