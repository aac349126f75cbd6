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
    fitted, and pictures drawn for three hypotheses. At the end, the unit that knows in_quotes best is held at its mean:
    does the model predict worse without it, beside units of the same site and variance? `probe story in_quotes` asks
    more.

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
    complete = [row | _effect(result, finding) | made for row, finding in zip(rows, result.findings, strict=True)]
    tables.show(complete, rows)
    tables.write(complete)
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


def _effect(result: "Demo", finding: "Finding") -> dict[str, TableCell]:
    """Return the effect of holding the best unit, inside less outside; None for hypotheses without one."""
    from analyses.passages.effects import CONTRAST

    names = {"effect": "effect", "low": "effect_low", "high": "effect_high", "matched": "effect_matched", "p": "p"}
    if finding.ranking.hypothesis != result.ablation.hypothesis:
        return dict.fromkeys(names.values())
    [effect] = [effect for effect in result.ablation.effects if effect.where == CONTRAST]
    return {name: getattr(effect, field) for field, name in names.items()}


def _strongest_probe(probes: "tuple[ProbeResult, ...]") -> dict[str, TableCell]:
    from analyses.story_results import best_probe

    best = best_probe(probes)
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
    _say_the_story(result)
    say("\nLook at:")
    for finding in result.findings:
        say(f"  {finding.picture}: the text, coloured by unit {finding.best.unit}")
    say(f"  {result.curves}: how much the best 1, 2, 4, … units know together")
    say("\nTry next:")
    say("  probe story in_quotes               # the whole story: known, where, for how long, and used")
    say(f"  probe rank in_comment {result.extraction.path}")
    say(f"  probe fit position_in_line {result.extraction.path}")
    say("  probe hypotheses                    # what else can be asked")
    say("  probe train corpus.txt -o model.pt  # a model of your own text")


def _say_the_story(result: "Demo") -> None:
    """Say what `fit` found for the first hypothesis, and what the model loses without the best unit."""
    from analyses.passages.effects import CONTRAST
    from analyses.story_results import tell_effects, tell_probes

    hypothesis = result.ablation.hypothesis
    known, of_probes = tell_probes(result.findings[0].probes)
    effects = {effect.intervention: effect for effect in result.ablation.effects if effect.where == CONTRAST}
    used, of_effects = tell_effects(effects)
    say(f"\nDoes the model know {hypothesis}? {known.capitalize()}. {' '.join(of_probes)}")
    say(
        f"Does it use the best unit for it? {used.capitalize()}, on {result.ablation.n_chars:,} characters. "
        f"{' '.join(of_effects)}"
    )
