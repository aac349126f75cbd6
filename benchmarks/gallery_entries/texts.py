"""Texts that are coloured by what units, hypotheses, probes and the model say of them."""

from gallery_entries.entry import Entry, Facts, Rows, Shot, written
from gallery_entries.works import EFFECTIVENESS, KARPATHY, LANGUAGE_MODEL, UNDERSTANDING, VISRNN


def probe_and_unit(hypothesis: str) -> Facts:
    """Make the facts of how well a probe, and the best unit, predict a hypothesis on held-out characters."""

    def facts(rows: Rows) -> dict[str, str]:
        [probe] = [row for row in rows["fit"] if row["hypothesis"] == hypothesis and row["control"] is None]
        [unit] = [row for row in rows["rank"] if row["hypothesis"] == hypothesis]
        measure = "r" if "r" in probe else "auc"
        return {"probe": written(probe[measure]), "unit": unit["unit"], "score": written(unit[f"held_out_{measure}"])}

    return facts


def explained(rows: Rows) -> dict[str, str]:
    """Return the first hypothesis of the unit that is explained."""
    return {"hypothesis": rows["explain"][0]["hypothesis"]}


TEXTS = (
    Entry(
        name="comments",
        question="Does it know that it is in a comment?",
        drawn_by=f"{UNDERSTANDING}, figures 2 and 7: a hypothesis, a diagnostic classifier, the most responsible unit",
        command="probe view in_comment --probe probes.npz --top 1 --sites 0/cell --range 42227:42680",
        reading="The probe of all 256 cells tells comments from code (AUC {probe}). The best single unit, `{unit}`, is "
        "low in comments (AUC {score}), and stays low over the indentation after them, where the comment may go on.",
        facts=probe_and_unit("in_comment"),
        alternative="Python source; the labels, the probe and the unit change where comments begin and end",
    ),
    Entry(
        name="quotes",
        question="Does it know that it is inside quotes?",
        drawn_by=f"{UNDERSTANDING}, figures 2 and 7; {KARPATHY}, figure 2, the cell that is active inside quotes",
        command="probe view in_quotes --probe probes.npz --top 1 --sites 0/cell --range 118817:119350",
        reading="The hypothesis is about double quotes. The probe knows it (AUC {probe}); the best unit, `{unit}`, "
        "knows it less well (AUC {score}): it is low in the docstrings, and hardly changes in the string of the "
        "second line.",
        facts=probe_and_unit("in_quotes"),
        alternative="Python source with strings; the labels, the probe and the unit change at the quotation marks",
    ),
    Entry(
        name="position_in_line",
        question="Does it know how far it is in the line?",
        drawn_by=f"{UNDERSTANDING}, figures 2 and 7; {KARPATHY}, figure 2, the cell sensitive to the position in line",
        command="probe view position_in_line --probe probes.npz --top 1 --sites 0/cell --range 12916:13541",
        reading="The probe follows the position (r {probe}), better than any single unit: that of the best, `{unit}`, "
        "is {score}.",
        facts=probe_and_unit("position_in_line"),
        alternative="Long lines of Python source, whose shade grows from the left to the right in all three rows",
    ),
    Entry(
        name="guesses",
        question="What does it expect next?",
        drawn_by=f"Karpathy 2015, {EFFECTIVENESS}: a unit's activations, five guesses of the next character",
        command="probe view --unit 0/cell/226 --guesses --range 119008:119230",
        reading="Below each character are the five most probable next ones, shaded by their probability, and "
        "underlined where right. The model is sure within names that it has just read, and unsure where words begin.",
        alternative="Five lines of Python source, with five rows of guessed characters below each of them",
    ),
    Entry(
        name="units",
        question="What do several units do?",
        drawn_by=f"{VISRNN}, a reproduction of {KARPATHY} in PyTorch: a page that shows one unit of a layer at a time",
        command="probe view --unit 0/cell --top 6 --each --range 42297:42491",
        reading="The six cells of layer 0 that vary most here. `probe view --unit 0/cell --top 20 -o units.html` makes "
        "a page of twenty, to be explored with the pointer or the keyboard.",
        alternative="The same four lines six times, coloured by six units",
    ),
    Entry(
        name="one_unit",
        question="When is this unit active?",
        drawn_by=f"{LANGUAGE_MODEL}: text on the activations of one unit of the second layer, from white to red",
        command="probe view --unit 1/hidden/12 --range 118817:119350",
        reading="Blue is below zero and orange above it, which people who do not see red or green tell apart. The "
        "legend has the unit's own numbers, and newlines have a colour, too.",
        alternative="Python source, each character on the colour of one unit",
    ),
    Entry(
        name="page",
        question="What does all of this say of one character?",
        drawn_by=f"{VISRNN}, whose page shows one unit",
        command="probe view in_quotes --probe probes.npz --sites 0/cell --top 1 --guesses --range 118817:119350",
        reading="The page shows the numbers at the character under the pointer. It needs no network, and can be "
        "explored with the keyboard.",
        output="page.html",
        shots=(
            Shot(
                name="page",
                alternative="A page: lines of Python source with strips below them, and the values at one character",
                keys=("ArrowDown", *["ArrowRight"] * 37),
                height=640,
            ),
        ),
    ),
    Entry(
        name="explain",
        question="What does this unit respond to?",
        drawn_by=f"{KARPATHY}, figure 2, whose cells were named by looking at texts like this one",
        command="probe explain 0/cell/63 in_quotes in_comment in_parentheses bracket_depth position_in_line",
        reading="Of the five hypotheses that are asked for, the unit responds most to `{hypothesis}`. This is the text "
        "where it is most active, coloured by it, above that hypothesis; the command prints the others, and more "
        "passages.",
        facts=explained,
        alternative="Python source, coloured by one unit, with the labels of the first hypothesis below",
    ),
)
