"""The command `probe orders`, which compares rankings by taking units away in their orders."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from probe.cli import completion
from probe.cli.analysis_options import SiteOptions, TargetOptions, check_seed
from probe.cli.cause_options import CauseCommand, CauseSourceOptions, check_hypotheses, draw_first
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, SeedOption, WordsArgument
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from analyses.causes.removal.removal_results import OrderComparison
    from analyses.session import Session
    from analyses.targets.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOptions:
    """Options of which orders are compared, on how many characters, and where the curves are drawn."""

    methods: Annotated[
        str,
        Option(
            help="Methods of `probe rank` whose orders are compared, such as auc,weight.",
            autocompletion=completion.methods,
        ),
    ] = "auc,mutual_information,attribution"
    random: Annotated[int, Option(min=2, help="How many random orders they are compared with.")] = 10
    chars: Annotated[
        int, Option(help="How many characters to measure on, in passages spread over the text; fewer are quicker.")
    ] = 5_000
    output: Annotated[
        Path | None, Option("--output", "-o", help="A picture: .png, .svg or .pdf.", show_default=False)
    ] = None
    seed: SeedOption = 0

    def check(self, subjects: Subjects, source: CauseSourceOptions) -> None:
        """Refuse a seed, or a picture that cannot be written, before any work."""
        from activations.files import check_output
        from probe.plots import check_picture

        check_seed(self.seed)
        check_hypotheses(subjects, "orders")
        if self.output is not None:
            check_picture(self.output)
            check_output(self.output, *source.inputs(subjects))

    @property
    def names(self) -> list[str]:
        """The names of the methods, without repetitions."""
        return list(dict.fromkeys(method.strip() for method in self.methods.split(",") if method.strip()))


@with_options
def orders(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: OrderOptions,
    sites: SiteOptions,
    source: CauseSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Compare rankings: which puts the units first that the model uses?

    In the order of each method of `probe rank`, the first 1, 2, 4, … units are held at their means at every character,
    up to all units of --sites (the hidden state of the last layer unless others are named). harm is what this adds to
    the loss, in nats per character, inside less outside, as a mean over numbers of units on a log scale, with the ends
    of its 95 % interval; random is that of random orders. lead is the difference: above 0, the order harms sooner than
    random ones do, and p is the p-value under the null that it is one of these. enough is the fewest units that keep
    90 % of what all of them are worth inside, all others being held.

    --json and --csv have all points of the curves, --output draws them.

    The model is that of a recording (--model model.pt activations.h5), or reads a text now (--model and --text).

    Example:
        probe orders in_quotes --model model.pt --text corpus.txt -o orders.png
    """
    subjects = tell_apart(words, hypotheses)
    options.check(subjects, source)
    tables.check(*source.inputs(subjects))
    command = CauseCommand(
        subjects=subjects, source=source, labels=labels, tables=tables, seed=options.seed, measured="orders"
    )
    results = command.for_each_hypothesis(
        lambda opened, target: _compare(opened.model, target, sites, options),
        _table,
        lambda compared: _say_what_is_shown(compared, quiet=tables.as_json),
    )
    draw_first(results, options.output, _draw, "the curves as a picture", quiet=tables.as_json)


def _compare(model: "Session", target: "Target", sites: SiteOptions, options: OrderOptions) -> "OrderComparison":
    from analyses.causes.removal.removal_orders import compare_orders

    with progress(f"taking units away for {target.hypothesis}") as report:
        return compare_orders(
            model,
            target,
            options.names,
            sites=sites.chosen_if_any(model),
            n_random=options.random,
            n_chars=options.chars,
            seed=options.seed,
            progress=report,
        )


def _table(compared: "OrderComparison") -> list[dict[str, TableCell]]:
    """Return a row for each order, that with the largest lead first."""
    return [
        {
            "order": area.intervention,
            "harm": area.effect,
            "low": area.low,
            "high": area.high,
            "random": area.matched,
            "lead": compared.lead(area.intervention),
            "p": area.p,
            "q": area.q,
            "lead, all": compared.lead(area.intervention, "all"),
            "enough": compared.n_enough(area.intervention),
        }
        for area in compared.by_lead
    ]


def _say_what_is_shown(compared: "OrderComparison", *, quiet: bool) -> None:
    for finding in compared.findings:
        say(finding, quiet=quiet)
    say(
        f"{compared.hypothesis}: {compared.n_units:,} units of {compared.sites} held at their means, "
        f"{compared.n_chars:,} characters, beside {compared.n_random} random orders; changes of the loss in nats per "
        "character",
        quiet=quiet,
    )


def _draw(compared: "OrderComparison") -> Any:
    from probe.plots import plot_orders

    return plot_orders(compared)
