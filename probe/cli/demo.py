"""The command `probe demo`, which runs every step on the bundled model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from probe.cli.option_groups import with_options
from probe.cli.provenance import provenance
from probe.cli.show import TableCell, progress, say
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from analyses.probing.results import ProbeResult
    from probe.demo import Demo, Finding


@with_options
def demo(
    folder: Annotated[Path, Argument(help="Where the recording and the pictures go.")] = Path("demo"),
    *,
    tables: TableOptions,
) -> None:
    """Run every step on the bundled model and text, in a minute.

    An LSTM that was trained on Python source reads modules that it has never seen; units are ranked, probes
    fitted, and pictures drawn for three hypotheses.

    Example:
        probe demo
    """
    from activations.recordings.recording import Recording
    from probe.demo import run_demo

    tables.check()
    with progress("demo") as report:
        result = run_demo(folder, progress=report)
    say(str(result.extraction), quiet=tables.as_json)
    with Recording(result.extraction.path) as recording:
        made = provenance(recording)
    rows = [_row(finding) for finding in result.findings]
    tables.show([row | made for row in rows], rows)
    tables.write([row | made for row in rows])
    if not tables.as_json:
        _say_what_next(result)


def _row(finding: "Finding") -> dict[str, TableCell]:
    best = finding.best
    return {
        "hypothesis": finding.ranking.hypothesis,
        "unit": str(best.unit),
        "direction": best.direction,
        "method": finding.ranking.method,
        "score": best.score,
        "held_out": best.held_out,
        **_strongest_probe(finding.probes),
    }


def _strongest_probe(probes: "tuple[ProbeResult, ...]") -> dict[str, TableCell]:
    best = max(probes, key=lambda probe: probe.score)
    return {
        "probe_site": best.site,
        "accuracy": best.accuracy,
        "majority_accuracy": best.majority_accuracy,
        "f1": best.f1,
        "r2": best.r2,
    }


def _say_what_next(result: "Demo") -> None:
    say(
        "\nunit: the unit that predicts the label best, chosen by its score on training stretches of the text; "
        "held-out: its AUC (r for numbers) on the others.\nprobe site: the one whose units encode most jointly; "
        "accuracy (R² for numbers) is on held-out stretches, majority accuracy that of always predicting the more "
        "frequent class."
    )
    say("\nLook at:")
    for finding in result.findings:
        say(f"  {finding.picture}: the text, coloured by unit {finding.best.unit}")
    say(f"  {result.curves}: how much the best 1, 2, 4, … units know together")
    say("\nTry next:")
    say(f"  probe rank in_comment {result.extraction.path}")
    say(f"  probe fit position_in_line {result.extraction.path}")
    say("  probe hypotheses                    # what else can be asked")
    say("  probe train corpus.txt -o model.pt  # a model of your own text")
