"""The command `probe ablate`, which measures what a model loses if units are held at a value."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.analysis_options import TargetOptions
from probe.cli.cause_options import (
    CauseCommand,
    CauseSourceOptions,
    EffectOptions,
    UnitOptions,
    check_hypotheses,
)
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.showing import SIGNS, TableCell, progress, say, visible
from probe.cli.table_options import TableOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from activations.units import Unit
    from analyses.causes.ablation import Ablation
    from analyses.session import Session
    from analyses.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class AblateOptions(EffectOptions):
    """Options of how units are held, and how the effects are measured."""

    held_at: Annotated[
        str,
        Option(
            help="zero; mean: of the characters that are read; other: the mean inside where the hypothesis does not "
            "hold, and the mean outside where it does; resampled: the values at another place of the text; or a number."
        ),
    ] = "mean"
    together: Annotated[bool, Option("--together", help="Hold all units at once, not one after another.")] = False
    force: Annotated[bool, Option("--force", help="Hold units also at a number outside their range.")] = False

    def check(self) -> None:
        """Refuse a value that is neither a number nor one of the names, or a seed, before any work."""
        from analyses.causes.ablation import HELD_AT

        EffectOptions.check(self)
        if isinstance(self.value, str) and self.value not in HELD_AT:
            raise BadParameter(f"--held-at is {self.value!r}; choose {', '.join(HELD_AT)}, or a number")

    @property
    def value(self) -> str | float:
        """The value of --held-at, as a number if it is one."""
        try:
            return float(self.held_at)
        except ValueError:
            return self.held_at


@with_options
def ablate(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: AblateOptions,
    units: UnitOptions,
    source: CauseSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Measure what a model loses without a unit: does it use it for a hypothesis?

    The unit is held at a value at every character, its mean unless --held-at says otherwise, and the model carries on
    from there. effect is how much the loss then rises, in nats per character, where the hypothesis holds (inside) less
    where it does not (outside), with the ends of its 95 % interval. matched is the same for units drawn at random from
    the same site, of about the same variance. p is the p-value under the null that the unit is one like these, and q
    the false discovery rate over all units of the table. end is the effect on the characters after which the hypothesis
    no longer holds, and predicted that on the characters before those that it predicts (at least twice as frequent
    inside as outside; characters that the model does not know, and reads as others, do not count).

    The model is that of a recording (--model model.pt activations.h5), or reads a text now (--model and --text). The
    units are the ten best of `probe rank`, on --rank-chars characters, unless --units or --sites names others. Effects
    are measured on --chars characters, in passages spread over the text, each after a warm-up.

    Example:
        probe ablate in_quotes activations.h5 --model model.pt

        probe ablate in_quotes --units 0/cell/163 --held-at zero --model model.pt --text corpus.txt
    """
    options.check()
    subjects = tell_apart(words, hypotheses)
    check_hypotheses(subjects, "ablate")
    tables.check(*source.inputs(subjects))
    command = CauseCommand(subjects=subjects, source=source, labels=labels, tables=tables, seed=options.seed)
    command.for_each_hypothesis(
        lambda opened, target: _ablate(opened.model, target, units.chosen_units(opened, target), options),
        _table,
        lambda ablation: _say_what_is_shown(ablation, units, quiet=tables.as_json),
    )


def _ablate(model: "Session", target: "Target", units: "Sequence[Unit]", options: AblateOptions) -> "Ablation":
    from analyses.causes.ablation import ablate as ablate_units

    with progress(f"holding {len(units)} units at {options.held_at} for {target.hypothesis}") as report:
        return ablate_units(
            model,
            target,
            units,
            held_at=options.value,
            together=options.together,
            force=options.force,
            n_chars=options.chars,
            n_matched=options.matched,
            seed=options.seed,
            progress=report,
        )


def _table(ablation: "Ablation") -> list[dict[str, TableCell]]:
    """Return a row for each unit: the effect inside − outside with its test, then that on each set of characters."""
    from analyses.passages.effects import CONTRAST

    rows: list[dict[str, TableCell]] = []
    for name, effects in ablation.by_intervention.items():
        contrast = effects[CONTRAST]
        rows.append(
            {
                "unit": name,
                CONTRAST: contrast.effect,
                "low": contrast.low,
                "high": contrast.high,
                "matched": contrast.matched,
                "p": contrast.p,
                "q": contrast.q,
                **{where: effects[where].effect for where in ("inside", "outside", "end", "predicted")},
            }
        )
    return rows


def _say_what_is_shown(ablation: "Ablation", units: UnitOptions, *, quiet: bool) -> None:
    if units.are_best:
        say(
            f"the units that rank puts first for {ablation.hypothesis} on up to {units.rank_chars:,} characters; "
            "--units names others",
            quiet=quiet,
        )
    for finding in ablation.findings:
        say(finding, quiet=quiet)
    predicted, replaced = (
        " ".join(visible(char, SIGNS) for char in characters)
        for characters in (ablation.predicted_characters, ablation.replaced_characters)
    )
    not_counted = f"; not counted, since the model does not know them: {replaced}" if replaced else ""
    say(
        f"{ablation.hypothesis}: units held at {ablation.held_at}, {ablation.n_chars:,} characters, beside "
        f"{ablation.n_matched} matched units each; changes of the loss in nats per character; predicted: "
        f"{predicted or 'none'}{not_counted}",
        quiet=quiet,
    )
