"""The command `probe perturb`, which changes a few characters of the text and measures what follows."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from probe.cli.analysis_options import TargetOptions, check_seed
from probe.cli.cause_options import (
    CauseCommand,
    CauseSourceOptions,
    MatchedOption,
    ModelAndActivations,
    UnitOptions,
    check_hypotheses,
    draw_first,
)
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, SeedOption, WordsArgument
from probe.cli.showing import TableCell, progress, say, show_rows
from probe.cli.table_options import TableOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from analyses.causes.editing.perturbation import Perturbation
    from analyses.probing.kept_probes import Probe
    from analyses.targets.target import Target

_MOST_COLUMNS = 8  # of the table by characters


@dataclass(frozen=True, slots=True, kw_only=True)
class PerturbOptions:
    """Options of the edit, of the characters that are compared after it, and of a probe."""

    edit: Annotated[
        str,
        Option(
            help="delete (the character with which the hypothesis begins to hold), 'delete CHARS', 'insert CHARS', "
            "'replace CHARS CHARS', repeat, or 'repeat CHARS'; \\s is a space, \\n a line feed, \\t a tab."
        ),
    ] = "delete"
    places: Annotated[int, Option(min=1, help="How many places to edit, spread over all where it is possible.")] = 200
    after: Annotated[int, Option(min=1, help="How many characters after the edit are compared.")] = 64
    before: Annotated[int, Option(min=1, help="How many characters the model reads before the edit.")] = 256
    random: Annotated[int, Option(min=0, help="Random edits beside each edit.")] = 1
    matched: MatchedOption = 20
    probe: Annotated[
        Path | None, Option(help="A probe that `probe fit --save` wrote, to be followed, too.", show_default=False)
    ] = None
    probe_site: Annotated[
        str | None, Option(help="The site of the probe, if there are several in its file.", show_default=False)
    ] = None
    output: Annotated[
        Path | None, Option("--output", "-o", help="A picture: .png, .svg or .pdf.", show_default=False)
    ] = None
    seed: SeedOption = 0

    def check(self, *inputs: Path) -> None:
        """Refuse a seed or a picture that cannot be used, before any work."""
        from activations.files import check_output
        from probe.plots import check_picture

        check_seed(self.seed)
        if self.output is not None:
            check_picture(self.output)
            check_output(self.output, *inputs, *([self.probe] if self.probe is not None else []))

    def kept_probe(self, hypothesis: str) -> "Probe | None":
        """Return the probe that is asked for; of several in its file, the one of the hypothesis."""
        from analyses.probing.kept_probes import load_probe, load_probes

        if self.probe is None:
            return None
        are_several = len({probe.hypothesis for probe in load_probes(self.probe)}) > 1
        return load_probe(self.probe, self.probe_site, hypothesis if are_several else None)


@with_options
def perturb(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: PerturbOptions,
    units: UnitOptions,
    source: CauseSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Change a few characters of the text: does a unit follow it?

    The model reads the passage with the edit and the one without, from the same warm-up, and the two are compared
    at the same characters after it. The hypothesis labels the edited document, too. change is how much a unit
    changes toward the new label where the edit changes the label, with the ends of its 95 % interval, places being
    the sample; random is that of random edits of the same kind and size, with characters of about the same
    frequency; share is the change as a share of what separates inside from outside. A unit that merely remembers
    the edited character changes, too: beyond stays is how much more it changes where the label changes than where
    it stays, equally far after the edit; matched is the same for units of the same site and about the same
    variance, and beside a probe for random directions of its units. p is the p-value under the null that the unit,
    or the probe, is one like these, and q the false discovery rate over all units. The loss is that of the next
    character, in nats, at all characters, and its p is that of change. All are means over 1 to --after characters
    after the edit; a second table has them by the number of characters. With --lag, the labels of the text and of
    the edited text are those of the characters that many later.

    The model is that of a recording (--model model.pt activations.h5), or reads a text now (--model and --text). The
    units are the ten best of `probe rank`, on --rank-chars characters, unless --units or --sites names others.

    Example:
        probe perturb in_quotes activations.h5 --model model.pt

        probe perturb in_comment --edit 'insert #' --units 0/cell/163 --model model.pt --text corpus.txt
    """
    from analyses.causes.editing.edits import Edit

    subjects = tell_apart(words, hypotheses)
    check_hypotheses(subjects, "perturb")
    options.check(*source.inputs(subjects))
    Edit.parse(options.edit)  # whose errors come before anything is read
    tables.check(*source.inputs(subjects))
    command = CauseCommand(
        subjects=subjects,
        source=source,
        labels=replace(labels, lag=0),  # --lag lags the labels that are compared, not the places that are edited
        tables=tables,
        seed=options.seed,
    )
    results = command.for_each_hypothesis(
        lambda opened, target: _perturb(opened, target, options, units, labels),
        _table,
        lambda result: _say_what_is_shown(result, quiet=tables.as_json),
    )
    draw_first(
        results,
        options.output,
        _draw,
        "what changes after the edit, by characters, in the first units",
        quiet=tables.as_json,
    )


def _perturb(
    opened: ModelAndActivations, target: "Target", options: PerturbOptions, units: UnitOptions, labels: TargetOptions
) -> "Perturbation":
    from analyses.causes.editing.perturbation import perturb as perturb_text
    from analyses.targets.lags import lagged
    from analyses.targets.predictions import PREFIX
    from hypotheses.registry import get

    name = target.hypothesis
    labeller = name if name.startswith(PREFIX) else get(name, language=labels.language)
    probe = options.kept_probe(target.hypothesis)
    chosen = units.chosen_units(opened, lagged(target, opened.model.corpus, labels.lag))
    with progress(f"editing: {options.edit} for {target.hypothesis}") as report:
        return perturb_text(
            opened.model,
            labeller,
            options.edit,
            units=chosen,
            probe=probe,
            n_places=options.places,
            n_steps=options.after,
            n_warm_up=options.before,
            n_random=options.random,
            n_matched=options.matched,
            lag=labels.lag,
            seed=options.seed,
            progress=report,
        )


def _table(result: "Perturbation") -> list[dict[str, TableCell]]:
    """Return a row for the loss after all edits, and for each unit and the probe where the label changes."""
    from analyses.causes.editing.edit_effects import ALL, CHANGES, CONTRAST, LOSS

    rows: list[dict[str, TableCell]] = []
    for quantity in result.quantities:
        effect = result.effect(quantity, ALL if quantity == LOSS else CHANGES)
        contrast = result.effect(quantity, CONTRAST)
        tested = effect if quantity == LOSS else contrast
        rows.append(
            {
                "quantity": quantity,
                "change": effect.change,
                "low": effect.low,
                "high": effect.high,
                "random": effect.random,
                "share": effect.share,
                "beyond stays": contrast.change,
                "matched": contrast.matched,
                "p": tested.p,
                "q": tested.q,
            }
        )
    return rows


def _table_by_step(result: "Perturbation") -> list[dict[str, TableCell]]:
    """Return a row for each reported number of characters after the edit, with a column for each of the first units."""
    from analyses.causes.editing.edit_effects import ALL, CHANGES, LOSS, reported_steps

    return [
        {
            "after": step,
            "label changes at": result.effect(LOSS, CHANGES, step).n_places,
            **{
                quantity: result.effect(quantity, ALL if quantity == LOSS else CHANGES, step).change
                for quantity in result.quantities[:_MOST_COLUMNS]
            },
        }
        for step in reported_steps(result.n_steps)
    ]


def _title_by_step(result: "Perturbation") -> str:
    """Say what the second table has, and what it leaves out."""
    n_left_out = len(result.quantities) - _MOST_COLUMNS
    left_out = f" (without the last {n_left_out}, which --json and --csv have)" if n_left_out > 0 else ""
    return f"by characters after the edit{left_out}"


def _say_what_is_shown(result: "Perturbation", *, quiet: bool) -> None:
    if not quiet:
        show_rows(_table_by_step(result), as_json=False, title=_title_by_step(result))
    for finding in result.findings:
        say(finding, quiet=quiet)
    say(
        f"{result.hypothesis}: {result.edit}, {result.where_edited}: {result.n_places:,} of {result.n_possible:,} "
        f"places; the label changes at {result.n_changed:,} of them; beside {result.n_random:,} random edits",
        quiet=quiet,
    )


def _draw(result: "Perturbation") -> Any:
    from probe.plots import plot_perturbation

    return plot_perturbation(result)
