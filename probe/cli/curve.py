"""The command `probe curve`, which draws accuracy curves of probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from typer import BadParameter, Option

from activations.progress import steps_of
from probe.cli.analysis_options import ProbeOptions, SiteOptions, TargetOptions, labels_first, report_used
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.provenance import PROVENANCE, provenance
from probe.cli.showing import TableCell, main_first, progress, say, show_rows, warn, warn_of_reasons
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from analyses.curves import Curve

Over = Literal["units", "chars", "lag", "sites", "penalty", "steps"]
_OF_ALL_UNITS = ("n_all_units", "all_units_score", "units_for_")  # how the keys begin of what is said in sentences
_MAIN = ("auc", "r2", "low", "high", "control_score", "control_low", "control_high", "accuracy", "majority_accuracy")
_NOT_IN_TABLE = {"note", "n_chars", "n_used", *PROVENANCE}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurveOptions(ProbeOptions):
    """Options of what a curve goes over, how its probes are fitted, and where it is drawn."""

    over: Annotated[Over, Option(help="What the probe sees more and more of; see above.")] = "units"
    output: Annotated[
        Path | None, Option("--output", "-o", help="A picture: .png, .svg or .pdf.", show_default=False)
    ] = None
    most: Annotated[int, Option(min=1, help="Units at the end of a curve over units.")] = 64
    no_fewest: Annotated[
        bool,
        Option(
            "--no-fewest",
            help="Over units: leave out the probe of all units, and the fewest units that reach 95 and 99 % of it; "
            "faster, mainly of large models.",
        ),
    ] = False
    run: Annotated[
        Path | None,
        Option(
            help="The folder of a training with checkpoints (probe train --checkpoint-every 2), for --over steps.",
            show_default=False,
        ),
    ] = None

    def check(self, subjects: Subjects, source: SourceOptions) -> None:
        """Refuse options that do not go together, or a picture that cannot be written, before any work."""
        from activations.files import check_output
        from probe.plots import check_picture

        if not subjects.hypotheses:
            raise BadParameter("name a hypothesis, such as `probe curve in_quotes`")
        if self.output is not None:
            check_picture(self.output)
            check_output(self.output, *source.inputs(subjects))
        if (self.over == "steps") != (self.run is not None):
            raise BadParameter(
                "a curve over steps needs the folder of a training, and no other does: --over steps --run …"
            )
        if self.run is not None and (subjects.recordings or source.model):
            raise BadParameter("a curve over steps reads the checkpoints of --run; leave out the recording and --model")

    @property
    def drawn_seed(self) -> int | None:
        """The seed, if training stretches are drawn."""
        return self.seed if self.over == "chars" else None


class SourceCurves(NamedTuple):
    """The curves of one source.

    Attributes:
        name: The name of the source among several; empty if there is only one.
        curves: One for each hypothesis; over steps also one of its best unit.
        reasons: Why other hypotheses have none, a sentence by the name of each.
        made: What made them; see `provenance`.
    """

    name: str
    curves: "list[Curve]"
    reasons: dict[str, str]
    made: dict[str, TableCell]


@with_options
def curve(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: CurveOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Draw accuracy curves: how a probe's score grows with what it may see.

    --over units: the best 1, 2, 4, … units together, chosen one by one on training stretches: one unit, or many? It
    also says how few units reach 95 and 99 % of what all units know above chance, with 95 % intervals.
    --over chars: the amount of training text. --over lag: the label from 50 characters ago to 50 characters ahead.
    --over sites: layer by layer and signal by signal. --over penalty: the penalty on the weights. All are judged on
    held-out stretches; over chars, lag, penalty and steps the probe sees the hidden state of the last layer, unless
    --sites names others.

    --over steps, with --run and --text: the checkpoints of a training. When does the model come to know the label, and
    when does its best single unit?

    Each score is shown with that of a probe of the last 20 characters of the text, without the model. Several
    hypotheses, or several recordings, are drawn into one picture.

    Example:
        probe curve in_quotes -o curve.png
    """
    draw_curves(tell_apart(words, hypotheses), options, sites, source, labels, tables)


def draw_curves(
    subjects: Subjects,
    options: CurveOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Make the curves that are asked for, print them, and draw them if there is a file for the picture."""
    options.check(subjects, source)
    tables.check(*source.inputs(subjects))
    if options.run is None:
        results = _of_sources(subjects, options, sites, source, labels)
    else:
        results = [_over_steps(options.run, subjects, options, sites, source, labels)]
    rows: list[dict[str, TableCell]] = [
        {**({"model": result.name} if result.name else {}), **row, **result.made}
        for result in results
        for drawn in result.curves
        for row in drawn.rows()
    ]
    reasons: dict[str, str] = {}
    for result in results:
        reasons |= result.reasons
    warn_of_reasons("no curve for", reasons)
    _show(rows, tables)
    for result in results:
        for drawn in result.curves:
            for fewest in drawn.fewest:
                of_model = f", {result.name}" if result.name else ""
                say(f"{drawn.hypothesis}{of_model}: {fewest}", quiet=tables.as_json)
    report_used(point for result in results for drawn in result.curves for point in drawn.points)
    tables.write(rows)
    if options.output is not None:
        _draw(results, options.output, quiet=tables.as_json)


def _of_sources(
    subjects: Subjects,
    options: CurveOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
) -> list[SourceCurves]:
    from analyses.curves import curve as make_curve
    from analyses.fewest_units import SHARES

    fitting = options.fitting()
    shares = () if options.no_fewest else SHARES
    results = []
    with source.open(subjects) as sessions:
        for name, session in sessions:
            chosen = sites.chosen_if_any(session)
            with progress(f"a curve over {options.over}") as report:
                labelling, drawing = labels_first(report, subjects.hypotheses, 0.1)
                targets = labels.targets(session, subjects.hypotheses, labelling)
                curves = [
                    make_curve(
                        session,
                        target,
                        options.over,
                        sites=chosen,
                        most=options.most,
                        shares=shares,
                        options=fitting,
                        progress=step,
                    )
                    for target, step in zip(targets.made, steps_of(drawing, [1] * len(targets.made)), strict=True)
                ]
            results.append(SourceCurves(name, curves, targets.reasons, provenance(session, seed=options.drawn_seed)))
    return results


def _over_steps(
    run: Path,
    subjects: Subjects,
    options: CurveOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
) -> SourceCurves:
    from analyses.curves import curves_over_steps

    fitting = options.fitting()
    steps = source.checkpoints(run)
    first = next(steps)
    _, live = first
    chosen = sites.chosen_if_any(live)
    with progress("a curve over steps") as report:
        targets = labels.targets(live, subjects.hypotheses)
        curves = curves_over_steps(chain([first], steps), targets.made, sites=chosen, options=fitting, progress=report)
    made = provenance(text_sha256=live.corpus.sha256, seed=options.drawn_seed)
    return SourceCurves("", list(curves.values()), targets.reasons, made)


def _show(rows: Sequence[dict[str, TableCell]], tables: TableOptions) -> None:
    """Print JSON Lines, or a table for each kind of label; notes go to standard error."""
    if tables.as_json:
        tables.show(rows)
    else:
        for keys in dict.fromkeys(tuple(row) for row in rows):
            of_kind = [row for row in rows if tuple(row) == keys]
            names = keys[: keys.index("accuracy" if "accuracy" in keys else "r2")]
            shown = [
                {
                    key: cell
                    for key, cell in main_first(row, names, _MAIN).items()
                    if key not in _NOT_IN_TABLE and not key.startswith(_OF_ALL_UNITS)
                }
                for row in of_kind
            ]
            show_rows(shown, as_json=False)
    for note in dict.fromkeys(f"{row['hypothesis']}: {row['note']}" for row in rows if row["note"]):
        warn(note)


def _draw(results: Sequence[SourceCurves], path: Path, *, quiet: bool) -> None:
    from probe.plots import figure_of, plot_curves, save_figure

    named = {
        f"{drawn.hypothesis}, {result.name}" if result.name else drawn.hypothesis: drawn
        for result in results
        for drawn in result.curves
    }
    save_figure(figure_of(plot_curves(named)), path)
    say(f"{path}: the curve{'' if len(named) == 1 else 's'} as a picture", quiet=quiet)
