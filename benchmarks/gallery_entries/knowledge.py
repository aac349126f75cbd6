"""Pictures of what the model knows, and which units know it."""

from gallery_entries.entry import Entry, Rows, signed, with_interval, written
from gallery_entries.works import DIAGNOSTIC, EFFECTIVENESS, GRAINS, KARPATHY, SENTIMENT, UNDERSTANDING

_HYPOTHESES = "in_comment in_quotes in_docstring in_word in_parentheses position_in_line bracket_depth"
_OF_UNITS = "in_quotes in_comment in_docstring in_parentheses position_in_line bracket_depth"


def matrix_facts(rows: Rows) -> dict[str, str]:
    """Return the hypothesis that the probes know most beyond the text alone, and the one they know least."""
    probes = [row for row in rows["matrix"] if row["above_text"] is not None and row["measure"] == "auc"]
    best, least = (choose(probes, key=lambda row: float(row["above_text"])) for choose in (max, min))
    return {
        f"{name}_{key}": value
        for name, row in (("best", best), ("least", least))
        for key, value in (
            ("hypothesis", row["hypothesis"]),
            ("site", row["column"]),
            ("above", with_interval(row, "above_text", "above_text_low", "above_text_high")),
        )
    }


def ranking_facts(rows: Rows) -> dict[str, str]:
    """Return the best unit, and how many of those that are drawn have an interval above chance."""
    units = rows["ranking"]
    sure = sum(row["low"] is not None and row["low"] > 0.5 for row in units)
    return {
        "unit": units[0]["unit"],
        "score": with_interval(units[0], "held_out_auc"),
        "sure": str(sure),
        "n": str(len(units)),
    }


def unit_facts(rows: Rows) -> dict[str, str]:
    """Return how well a threshold tells the hypothesis, and the means of the unit."""
    of_part = {(row["part"], row["of"]): row for row in rows["unit"] if row["part"] in ("threshold", "mean")}
    threshold = of_part["threshold", "balanced accuracy"]
    means = {name: signed(f"{of_part['mean', name]['value']:.2f}") for name in ("True", "False")}
    return {
        "threshold": signed(f"{threshold['at']:.2f}"),
        "accuracy": with_interval(threshold, "value"),
        "inside": means["True"],
        "outside": means["False"],
    }


def weight_facts(rows: Rows) -> dict[str, str]:
    """Return the unit with the largest weight of the probe of comments, and the unit that knows comments best."""
    weights = [row for row in rows["weights"] if row["hypothesis"] == "in_comment"]
    largest = max(weights, key=lambda row: abs(row["weight"]))
    [best] = [row for row in rows["rank"] if row["hypothesis"] == "in_comment"]
    return {
        "largest": largest["unit"],
        "weight": signed(f"{largest['weight']:.1f}"),
        "best": best["unit"],
        "score": written(best["held_out_auc"]),
        "of_best": signed(f"{next(row for row in weights if row['unit'] == best['unit'])['weight']:.1f}"),
    }


def curve_facts(rows: Rows) -> dict[str, str]:
    """Return what one unit and all units know, and how few reach 95 % of that."""
    first = rows["curve"][0]
    low, high = first["units_for_95_low"], first["units_for_95_high"]
    return {
        "one": with_interval(first, "auc"),
        "all": written(first["all_units_score"]),
        "n_all": str(first["n_all_units"]),
        "fewest": f"{first['units_for_95']} ({low} to {high})",
        "text": with_interval(first, "control_score", "control_low", "control_high"),
    }


KNOWLEDGE = (
    Entry(
        name="matrix",
        question="What does it know, and where?",
        drawn_by=f"{DIAGNOSTIC}: linear probes of the hidden state, one hypothesis at a time",
        command=f"probe plot matrix {_HYPOTHESES} --sites hidden,cell --most 12",
        reading="Of the hypotheses with an AUC, the model knows most beyond the text alone of `{best_hypothesis}`: "
        "that of a probe of `{best_site}` is {best_above} higher. The least is "
        "`{least_hypothesis}`, which the last characters give away: {least_above}.",
        facts=matrix_facts,
        alternative="Two heat maps: hypotheses by sites, beside the text alone, and hypotheses by single units",
    ),
    Entry(
        name="ranking",
        question="Which units respond most to quotes, and how sure is that?",
        drawn_by=f"{UNDERSTANDING}, figure 7, the most responsible unit; and {KARPATHY}, figure 2, units found by eye",
        command="probe plot ranking in_quotes --sites cell",
        reading="The best unit is `{unit}`, with a held-out AUC of {score}. The intervals of {sure} of the {n} lie "
        "above chance; they are wide, as the text has few independent pieces.",
        facts=ranking_facts,
        alternative="Twenty units down, with the AUC of each, its interval, and a triangle up or down",
    ),
    Entry(
        name="unit",
        question="What does the best unit do where a string begins and ends?",
        drawn_by=f"{SENTIMENT}, figure 3, the histogram of the sentiment unit",
        command="probe plot unit 0/cell/226 in_quotes --model python_lstm.pt --text python.py.txt --replace-unknown "
        "--lanes 1",
        reading="Its mean is {inside} inside quotes and {outside} outside. A threshold of {threshold} tells them "
        "with a held-out balanced accuracy of {accuracy}. The input gate opens where a string begins or ends, and "
        "the forget gate closes in part.",
        facts=unit_facts,
        alternative="Histogram, averages around beginnings and ends, means, autocorrelation, and gates of one unit",
    ),
    Entry(
        name="weights",
        question="Which units does a probe read?",
        drawn_by=f"{UNDERSTANDING}, figure 7, the most responsible unit of a diagnostic classifier",
        command="probe plot weights --probe probes.npz",
        reading="In the probe of comments, `{largest}` has the largest weight ({weight} nats per standard deviation). "
        "The best single unit is `{best}` (AUC {score}), whose weight is {of_best}: a weight is not a score.",
        facts=weight_facts,
        alternative="A vertical line for each of 256 cells, in three panels; the longest ones have names",
    ),
    Entry(
        name="curve",
        question="How many units does it take?",
        drawn_by=f"{GRAINS}, who ask how few neurons suffice",
        command="probe plot curve in_quotes --sites cell",
        reading="The best cell has an AUC of {one}, all {n_all} together {all}. {fewest} of them reach 95 % of what "
        "these know above chance. The last 20 characters alone have {text}.",
        facts=curve_facts,
        alternative="AUC over the number of units, with a band, and with that of the last characters as a dotted line",
    ),
    Entry(
        name="all_units",
        question="How many units respond to anything that we can name?",
        drawn_by=f"Karpathy 2015, {EFFECTIVENESS}: about 5 % of the cells can be interpreted",
        command=f"probe units {_OF_UNITS} --sites cell --untrained python_lstm.pt --top 8",
        reading="The table has the first units, and below it the shares that are explained by one of these six "
        "hypotheses, for several bounds, beside those of a network that has learned nothing.",
        is_table=True,
    ),
)
