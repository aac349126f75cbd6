"""The command `probe report`, which writes all that is known of a recording to one page."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.analysis_options import SiteOptions, TargetOptions, check_seed
from probe.cli.cause_options import CauseSourceOptions, ModelAndActivations
from probe.cli.option_groups import with_options
from probe.cli.options import AllOption, HypothesesOption, SeedOption, WordsArgument
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from probe.reporting.inputs import Inputs
    from probe.reporting.measuring import ReportOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class PageOptions:
    """Options of how much a report tells, and where it goes."""

    output: Annotated[Path, Option("--output", "-o", help="The page: a name that ends in .html.")] = Path("report.html")
    all_hypotheses: AllOption = False
    top: Annotated[int, Option(min=1, help="How many hypotheses, without --all and if none is named.")] = 12
    curves: Annotated[int, Option(min=0, help="For how many of them, the first ones, to fit a curve over units.")] = 3
    chars: Annotated[
        int, Option(min=200, help="How many characters to hold units on, in passages spread over the text.")
    ] = 5_000
    matched: Annotated[int, Option(min=0, help="How many units of about the same variance each is compared with.")] = 10
    seed: SeedOption = 0

    def check(self, subjects: Subjects, inputs: list[Path]) -> None:
        """Refuse a page that cannot be written, a seed that cannot be used, and several recordings."""
        from activations.files import check_output

        check_seed(self.seed)
        if self.output.suffix.lower() != ".html":
            raise BadParameter(f"{self.output} is not the name of a page; end its name in .html")
        if len(subjects.recordings) > 1:
            raise BadParameter(f"a report is about one recording, and {len(subjects.recordings)} are named; name one")
        if subjects.hypotheses and self.all_hypotheses:
            raise BadParameter("name hypotheses, or ask for --all, but not both")
        check_output(self.output, *inputs)

    def amounts(self, *, are_named: bool) -> "ReportOptions":
        """Return these options as the library takes them."""
        from probe.reporting.measuring import ReportOptions

        return ReportOptions(
            n_hypotheses=None if self.all_hypotheses or are_named else self.top,
            n_curves=self.curves,
            n_chars=self.chars,
            n_matched=self.matched,
            seed=self.seed,
        )


@with_options
def report(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: PageOptions,
    sites: SiteOptions,
    source: CauseSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Write all that is known of a recording to one page, which needs no network.

    What model and text it is, and its loss beside n-gram models; a matrix of hypotheses and sites; for each hypothesis
    whether the model knows it (`probe fit`), which units tell it (`probe rank`) and when they change (`probe plot
    unit`), a passage of the text, for the first ones a curve (`probe curve`), and what holding the best unit costs
    (`probe ablate`); gates, and every unit (`probe units`). Each number stands beside the command that makes it again,
    and what was left out beside the reason.

    By default it tells of the 12 hypotheses with the surest units, of those that the last five characters do not answer
    by themselves, and of hidden states and cells. --model is the recorded model; without it, nothing is held.

    Example:
        probe report --model model.pt -o report.html

        probe report in_quotes in_comment activations.h5 --model model.pt
    """
    from probe.reporting.measuring import make_report, state_sites
    from probe.reporting.page.page import write_report

    subjects = tell_apart(words, hypotheses)
    inputs = source.inputs(subjects)
    options.check(subjects, inputs)
    tables.check(*inputs)
    with _opened(subjects, source) as opened:
        chosen = sites.chosen_if_any(opened.activations) or state_sites(opened.activations)
        with progress("labelling the text") as shown:
            targets = labels.targets(opened.activations, subjects.hypotheses, shown)
        names = [] if chosen == list(opened.activations.sites) else [str(site) for site in chosen]
        with progress("report") as shown:
            made = make_report(
                opened.activations,
                targets if subjects.hypotheses else None,
                among=targets,
                model=opened.model if source.model is not None else None,
                sites=chosen,
                model_name="" if source.model is None else source.model.name,
                options=options.amounts(are_named=bool(subjects.hypotheses)),
                progress=shown,
            )
        origin = provenance(opened.activations, seed=options.seed)
    write_report(made, options.output, _inputs(subjects, source, names, labels))
    rows: list[dict[str, TableCell]] = [{**row, **origin} for row in made.rows()]
    if tables.as_json:
        tables.show(rows)
    else:
        say(str(made))
        say(f"\n{options.output}: the report, {options.output.stat().st_size / 1e6:.1f} MB; open it in a browser")
    tables.write(rows)


@contextmanager
def _opened(subjects: Subjects, source: CauseSourceOptions) -> Iterator[ModelAndActivations]:
    """Open the recording, and its model if that is named; or the model and the text."""
    if source.model is not None:
        with source.open_model(subjects) as opened:
            yield opened
        return
    with source.open(subjects) as [(_, session)]:
        yield ModelAndActivations(session, session)


def _inputs(subjects: Subjects, source: CauseSourceOptions, sites: list[str], labels: TargetOptions) -> "Inputs":
    """Return how commands name what this one reads."""
    from probe.reporting.inputs import Inputs

    model = ["--model", str(source.model)] if source.model is not None else []
    language = ["--language", labels.language] if labels.language else []
    if source.text:
        text = [word for path in source.text for word in ("--text", str(path))]
        return Inputs(source=[*model, *text, *source.words()], sites=sites, labels=language)
    return Inputs(source=[str(path) for path in subjects.paths], model=model, sites=sites, labels=language)
