"""The command `probe impulse`, which changes units at one character and follows what is left of the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from probe.cli.analysis_options import TargetOptions
from probe.cli.cause_options import (
    CauseCommand,
    CauseSourceOptions,
    EffectOptions,
    UnitOptions,
    check_hypotheses,
    draw_first,
)
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from activations.units import Unit
    from analyses.causes.impulses.impulse_results import Impulse
    from analyses.session import Session
    from analyses.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpulseUnitOptions(UnitOptions):
    """Options of which units are changed, fewer than elsewhere unless they are named: each has a table of its own."""

    top: Annotated[int, Option(min=1, help="How many of the best units.")] = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpulseOptions(EffectOptions):
    """Options of how units are changed, and how long the change is followed."""

    to: Annotated[
        str,
        Option(
            help="other: the mean where the hypothesis does not hold; mean: of all characters that are read; zero; a "
            "number; or an amount to add, such as +0.5 or +-0.5."
        ),
    ] = "other"
    starts: Annotated[int, Option(min=1, help="How many characters a change is made at, each by itself.")] = 200
    steps: Annotated[int, Option(min=1, help="How many characters are followed after the change.")] = 64
    force: Annotated[
        bool, Option("--force", help="Set units also to a number outside their range, or add more than it is wide.")
    ] = False
    output: Annotated[
        Path | None, Option("--output", "-o", help="A picture: .png, .svg or .pdf.", show_default=False)
    ] = None

    def check_all(self, subjects: Subjects, source: CauseSourceOptions) -> None:
        """Refuse a seed that cannot be used, or a picture that cannot be written, before any work."""
        from activations.files import check_output
        from probe.plots import check_picture

        self.check()
        if self.output is not None:
            check_picture(self.output)
            check_output(self.output, *source.inputs(subjects))


@with_options
def impulse(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: ImpulseOptions,
    units: ImpulseUnitOptions,
    source: CauseSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Change a unit at one character: what does it store, and for how long?

    Unlike `probe ablate`, which holds a unit at every character, this changes it once, where the hypothesis holds, and
    lets the model go on. k counts the characters since then. remaining is the share of the unit's own change that is
    left, state the norm of the change of the whole state as a share of the distance between two random states, and
    loss the change of the loss of the next character, in nats; low and high are the ends of its 95 % interval. matched
    is the loss for units drawn at random from the same site, of about the same variance, and p the p-value under the
    null that the unit is one like these. --json has every k, and the intervals of the other numbers.

    The units are the three best of `probe rank`, on --rank-chars characters, unless --units or --sites names others.

    Example:
        probe impulse in_quotes activations.h5 --model model.pt

        probe impulse in_quotes --units 0/cell/163 --steps 200 --model model.pt --text corpus.txt -o impulse.png
    """
    subjects = tell_apart(words, hypotheses)
    check_hypotheses(subjects, "impulse")
    options.check_all(subjects, source)
    tables.check(*source.inputs(subjects))
    command = CauseCommand(
        subjects=subjects, source=source, labels=labels, tables=tables, seed=options.seed, measured="impulses"
    )
    results = command.for_each_hypothesis(
        lambda opened, target: _impulse(opened.model, target, units.chosen_units(opened, target), options),
        _table,
        lambda result: _say_what_is_shown(result, quiet=tables.as_json),
    )
    draw_first(results, options.output, _draw, "the impulses as a picture", quiet=tables.as_json)


def _impulse(model: "Session", target: "Target", units: "Sequence[Unit]", options: ImpulseOptions) -> "Impulse":
    from analyses.causes.impulses.impulse import impulse as change_once

    with progress(f"changing {len(units)} units once for {target.hypothesis}") as report:
        return change_once(
            model,
            target,
            units,
            to=options.to,
            n_starts=options.starts,
            n_steps=options.steps,
            n_matched=options.matched,
            n_chars=options.chars,
            force=options.force,
            seed=options.seed,
            progress=report,
        )


def _table(result: "Impulse") -> list[dict[str, TableCell]]:
    """Return a row for each unit and for k = 0, 1, 2, 4, 8, …, and the last one."""
    shown = {0, result.n_steps, *(2**n for n in range(result.n_steps.bit_length()))}
    return [
        {
            "unit": step.unit,
            "k": step.k,
            "remaining": step.remaining,
            "state": step.state,
            "loss": step.loss,
            "low": step.loss_low,
            "high": step.loss_high,
            "matched": step.loss_matched,
            "p": step.loss_p,
        }
        for unit in result.units
        for step in unit.steps
        if step.k in shown
    ]


def _say_what_is_shown(result: "Impulse", *, quiet: bool) -> None:
    for finding in result.findings:
        say(finding, quiet=quiet)
    say(
        f"{result.hypothesis}: units {result.change}, where it holds, at {result.n_starts:,} characters, "
        f"and followed for {result.n_steps} characters",
        quiet=quiet,
    )


def _draw(result: "Impulse") -> Any:
    from probe.plots import plot_impulse

    return plot_impulse(result)[0]
