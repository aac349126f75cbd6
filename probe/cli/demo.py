"""`probe demo`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument

from probe.cli.options import JsonOption
from probe.cli.show import progress, say, show_rows

if TYPE_CHECKING:
    from analyses.probing.results import ProbeResult


def demo(
    folder: Annotated[Path, Argument(help="Where the recording and the pictures go.")] = Path("demo"),
    as_json: JsonOption = False,
) -> None:
    """Walk the whole road on the bundled model and text, in a minute.

    An LSTM that was trained on Python source reads modules that it has never seen; units are ranked, probes
    fitted, and pictures drawn for three hypotheses.

    Example:
        probe demo
    """
    from probe.demo import run_demo

    with progress("demo") as report:
        result = run_demo(folder, progress=report)
    say(str(result.extraction), quiet=as_json)
    rows = []
    for finding in result.findings:
        best = finding.best
        rows.append(
            {
                "hypothesis": finding.ranking.hypothesis,
                "unit": str(best.unit),
                "direction": best.direction,
                "method": finding.ranking.method,
                "score": best.score,
                "test": best.held_out,
                **_strongest_probe(finding.probes),
            }
        )
    show_rows(rows, as_json=as_json)
    if as_json:
        return
    say(
        "\nunit: the most responsible one, chosen by its score on training stretches of the text; test: its AUC (r for "
        "numbers) on held-out ones.\nprobe: the site whose units together tell most; accuracy (R² for numbers) on "
        "held-out stretches, beside that of always saying what is more frequent."
    )
    say("\nLook at:")
    for finding in result.findings:
        say(f"  {finding.picture}: the text, coloured by unit {finding.best.unit}")
    say(f"  {result.curves}: how much the best 1, 2, 4, … units know together")
    say("\nTry next:")
    say(f"  probe rank --hypothesis in_comment {result.extraction.path}")
    say(f"  probe fit --hypothesis position_in_line {result.extraction.path}")
    say("  probe hypotheses                    # what else can be asked")
    say("  probe train corpus.txt -o model.pt  # a model of your own text")


def _strongest_probe(probes: "tuple[ProbeResult, ...]") -> dict[str, str | float | None]:
    best = max(probes, key=lambda each: each.score)
    return {"probe": best.site, "accuracy": best.accuracy, "majority": best.majority, "f1": best.f1, "r2": best.r2}
