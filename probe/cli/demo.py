"""The command `probe demo`, which runs every step on the bundled model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from probe.cli.option_groups import with_options
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from probe.demo import Demo
    from probe.reporting.content import Finding


@with_options
def demo(
    folder: Annotated[Path, Argument(help="Where the recording and the pictures go.")] = Path("demo"),
    explore: Annotated[
        bool,
        Option(
            "--explore",
            help="Make the recording alone, unless it is there, and open it in `probe explore`, with a tour of five "
            "steps.",
        ),
    ] = False,
    no_browser: Annotated[bool, Option("--no-browser", help="Open no browser.")] = False,
    *,
    tables: TableOptions,
) -> None:
    """Run every step on the bundled model and text, in a minute or two, and leave a report to look at.

    An LSTM that was trained on Python source reads modules that it has never seen; units are ranked, probes
    fitted, and pictures drawn for three hypotheses. The unit that knows in_quotes best is held at its mean: does the
    model predict worse without it, beside units of the same site and variance? All of it is in report.html in the
    folder, which `probe report` makes of other recordings. `probe story in_quotes` asks more. With --explore, only the
    recording is made, and opened on a page on which you ask (it needs the extra `explore`).

    Example:
        probe demo

        probe demo --explore
    """
    from activations.recordings.recording import Recording
    from probe.demo import run_demo

    if explore:
        if tables.as_json or tables.csv is not None:
            raise BadParameter("--explore has no rows; leave out --json and --csv")
        _explore(folder, no_browser=no_browser)
        return
    if no_browser:
        raise BadParameter("--no-browser goes with --explore")
    tables.check()
    with progress("demo") as report:
        result = run_demo(folder, progress=report)
    say(str(result.extraction), quiet=tables.as_json)
    with Recording(result.extraction.path) as recording:
        made = provenance(recording)
    findings = result.report.findings
    rows = [_row(finding) for finding in findings]
    complete = [row | _effect(finding) | made for row, finding in zip(rows, findings, strict=True)]
    tables.show(complete, rows)
    tables.write(complete)
    if not tables.as_json:
        _say_what_next(result)


def _explore(folder: Path, *, no_browser: bool) -> None:
    """Open the bundled recording in the explorer, with its tour."""
    from probe.cli.explore import ServerOptions, check_installed, serve_page
    from probe.demo import bundled_recording

    check_installed()
    with progress("demo") as report:
        recording = bundled_recording(folder, progress=report)
    serve_page([recording.path], ServerOptions(model=recording.model, no_browser=no_browser), fragment="#tour=1")


def _row(finding: "Finding") -> dict[str, TableCell]:
    best, probe = finding.best[0], finding.probe
    return {
        "hypothesis": finding.hypothesis,
        "unit": str(best.unit),
        "direction": best.direction,
        "method": finding.ranking.method,
        "score": best.score,
        "held_out": best.held_out,
        "probe_site": probe.site,
        "accuracy": probe.accuracy,
        "majority_accuracy": probe.majority_accuracy,
        "f1": probe.f1,
        "r2": probe.r2,
    }


def _effect(finding: "Finding") -> dict[str, TableCell]:
    """Return the effect of holding the best unit, inside less outside; None for hypotheses without one."""
    names = {"effect": "effect", "low": "effect_low", "high": "effect_high", "matched": "effect_matched", "p": "p"}
    if (effect := finding.effect) is None:
        return dict.fromkeys(names.values())
    return {name: getattr(effect, field) for field, name in names.items()}


def _say_what_next(result: "Demo") -> None:
    say(
        "\nunit: the unit that predicts the label best, chosen by its score on training stretches of the text; "
        "held-out: its AUC (r for numbers) on the others.\nprobe site: the one whose units encode most jointly; "
        "accuracy (R² for numbers) is on held-out stretches, majority accuracy that of always predicting the more "
        "frequent class."
    )
    _say_the_story(result.report.findings[0])
    say("\nLook at:")
    say(f"  {result.page}: all of it on one page; open it in a browser")
    for finding in result.report.findings:
        say(f"  {result.pictures[finding.hypothesis]}: the text, coloured by unit {finding.best_unit}")
    say(f"  {result.curves}: how much the best 1, 2, 4, … units know together")
    say("\nTry next:")
    say("  probe story in_quotes               # the whole story: known, where, for how long, and used")
    say(f"  probe rank in_comment {result.extraction.path}")
    say(f"  probe fit position_in_line {result.extraction.path}")
    say(f"  probe report {result.extraction.path} --model {result.model}")
    say("  probe hypotheses                    # what else can be asked")
    say("  probe train corpus.txt -o model.pt  # a model of your own text")


def _say_the_story(finding: "Finding") -> None:
    """Say what was found for a hypothesis, and what the model loses without the best unit."""
    say("")
    for section in finding.sections:
        if section.part != "rank":
            question = section.question.replace("know it", f"know {finding.hypothesis}")
            say(f"{question} {section.answer.capitalize()}. {' '.join(section.sentences)}")
