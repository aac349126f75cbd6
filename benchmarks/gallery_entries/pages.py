"""Pages: the report, what the demo leaves, and results in notebooks."""

from gallery_entries.entry import Entry, Rows, Shot, with_interval


def notebook_facts(rows: Rows) -> dict[str, str]:
    """Return the best unit."""
    return {"unit": rows["ranking"][0]["unit"], "score": with_interval(rows["ranking"][0], "held_out_auc")}


PAGES = (
    Entry(
        name="report",
        question="What is known of a recording, on one page?",
        drawn_by="",
        command="probe report in_quotes in_comment position_in_line --model python_lstm.pt",
        reading="The beginning of the report, and what it says of one hypothesis, on a light and on a dark screen. "
        "It is one file, which needs no network; beside each number is the command that makes it again.",
        output="report.html",
        shots=(
            Shot(name="report", alternative="The beginning of a report: what was found, and a table", height=900),
            Shot(
                name="report_hypothesis",
                alternative="A part of a report: whether the model knows a hypothesis, with tables of probes and units",
                selector=".finding",
                height=900,
            ),
        ),
    ),
    Entry(
        name="demo",
        question="What does `probe demo` leave?",
        drawn_by="",
        command="probe demo demo",
        reading="A recording, a short report, and these pictures of three hypotheses: a text each, of which one is "
        "shown here, and how the scores of probes grow with the number of units.",
        is_table=True,
        left=(
            ("demo_text.png", "demo/text_in_quotes.png", "Python source, coloured by the unit that knows quotes best"),
            ("demo_curves.png", "demo/curves.png", "Three accuracy curves over the number of units"),
        ),
    ),
    Entry(
        name="notebook",
        question="What do notebooks show of a result?",
        drawn_by="",
        python='import probe\n\nprobe.rank("activations.h5", "in_quotes", sites="cell")',
        reading="The best unit is `{unit}`, with a held-out AUC of {score}. Intervals are drawn as lines, with chance "
        "dashed. [notebooks.md](notebooks.md) says what is shown of other results.",
        facts=notebook_facts,
        output="notebook.html",
        shots=(Shot(name="notebook", alternative="A table of units with their scores and intervals", height=520),),
    ),
)
