"""`probe curve`."""

from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.options import (
    BudgetOption,
    FoldsOption,
    HypothesesOption,
    JsonOption,
    LagOption,
    LanguageOption,
    ModelOption,
    NoCacheOption,
    PenaltyOption,
    RecordingsArgument,
    SitesOption,
    TextOption,
)
from probe.cli.reading import ReadingOptions, with_options
from probe.cli.show import Cell, progress, say, show_rows, warn
from probe.cli.sources import ask_several, in_bytes, open_sources, read_checkpoints, tell_used

if TYPE_CHECKING:
    from activations.blocks import Source
    from analyses.curves import Curve

_NOT_IN_TABLE = {"note", "n_chars", "n_used"}


@with_options
def curve(
    recordings: RecordingsArgument = None,
    hypotheses: HypothesesOption = None,
    over: Annotated[str, Option(help="units, chars, lag, sites, penalty or steps; see above.")] = "units",
    output: Annotated[
        Path | None, Option("--output", "-o", help="A picture: .png, .svg or .pdf.", show_default=False)
    ] = None,
    csv: Annotated[Path | None, Option(help="A table of the numbers: .csv.", show_default=False)] = None,
    most: Annotated[int, Option(min=1, help="Units at the end of a curve over units.")] = 64,
    run: Annotated[
        Path | None,
        Option(
            help="The folder of a training with checkpoints (probe train --checkpoint-every 2), for --over steps.",
            show_default=False,
        ),
    ] = None,
    sites: SitesOption = None,
    penalty: PenaltyOption = None,
    folds: FoldsOption = None,
    budget: BudgetOption = None,
    model: ModelOption = None,
    text: TextOption = None,
    *,
    how_read: ReadingOptions,
    lag: LagOption = 0,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw accuracy curves: how a probe's score grows with what it may see.

    --over units: the best 1, 2, 4, … units together, chosen one by one on training stretches: one unit, or many?
    --over chars: the amount of training text. --over lag: the label of 50 characters ago up to 50 to come.
    --over sites: layer by layer and signal by signal. --over penalty: on the weights. All are judged on held-out
    stretches; over chars, lag, penalty and steps the probe sees the hidden state of the last layer, unless --sites
    names others.

    --over steps, with --run and --text: the checkpoints of a training. When does the model come to know it, and when
    does a single unit, the best one?

    Each has beside it what a probe of the last 20 characters of the text tells, without the model. Several hypotheses,
    or several recordings, are drawn into one picture.

    Example:
        probe curve --hypothesis in_quotes -o curve.png
    """
    from activations.files import check_output
    from activations.site_names import select_sites
    from analyses.curves import curve as make_curve
    from analyses.curves import curves_over_steps
    from analyses.probing.results import Fitting
    from probe.plots import check_picture, figure_of, plot_curves, save_figure
    from probe.tables import write_table

    if not hypotheses:
        raise BadParameter("name a hypothesis with --hypothesis")
    if csv is not None and csv.suffix != ".csv":
        raise BadParameter(f"{csv} is no table of numbers; end its name in .csv")
    inputs = [*(recordings or [Path("activations.h5")]), *(text or []), *([model] if model else []), *how_read.files]
    if output is not None:
        check_picture(output)
        check_output(output, *inputs)
    if csv is not None:
        check_output(csv, *inputs)
    if (over == "steps") != (run is not None):
        raise BadParameter("a curve over steps needs the folder of a training, and no other does: --over steps --run …")
    if run is not None and (recordings or model):
        raise BadParameter("a curve over steps reads the checkpoints of --run; leave out the recording and --model")
    curves: list[tuple[str, Curve]] = []
    reasons: dict[str, str] = {}
    how = Fitting(penalty=penalty, folds=folds, budget=in_bytes(budget))
    with ExitStack() as stack:
        if run is not None:
            steps = read_checkpoints(run, text, how_read)
            first = next(steps)
            sources: Sequence[tuple[str, Source]] = [("", first[1])]
        else:
            sources = stack.enter_context(open_sources(recordings, model, text, how_read))
        for name, source in sources:
            chosen = None if sites is None else select_sites(source.sites, sites)
            with progress(f"a curve over {over}") as report:
                asked, missing = ask_several(source, hypotheses, False, language, no_cache, lag)
                reasons |= missing
                if run is not None:
                    found = curves_over_steps(chain([first], steps), asked, sites=chosen, how=how, progress=report)
                    curves += [(name, each) for each in found.values()]
                    continue
                for each in asked:
                    one = make_curve(source, each, over, sites=chosen, most=most, how=how, progress=report)
                    curves.append((name, one))
    rows: list[dict[str, Cell]] = [
        {**({"model": name} if name else {}), **row} for name, each in curves for row in each.rows()
    ]
    for hypothesis, reason in reasons.items():
        warn(f"no curve for {hypothesis}: {reason}")
    if as_json:
        show_rows(rows, as_json=True)
    else:
        for keys in dict.fromkeys(tuple(row) for row in rows):  # a table for each kind of label
            shown = [{key: row[key] for key in row if key not in _NOT_IN_TABLE} for row in rows if tuple(row) == keys]
            show_rows(shown, as_json=False)
    for note in dict.fromkeys(f"{row['hypothesis']}: {row['note']}" for row in rows if row["note"]):
        warn(note)
    tell_used(point for _, each in curves for point in each.points)
    if csv is not None:
        write_table(csv, rows)
        say(f"{csv}: the numbers", quiet=as_json)
    if output is not None:
        named = {f"{each.hypothesis}, {name}" if name else each.hypothesis: each for name, each in curves}
        save_figure(figure_of(plot_curves(named)), output)
        say(f"{output}: the curve{'' if len(curves) == 1 else 's'} as a picture", quiet=as_json)
