"""The commands `probe plot curve` and `probe plot steps`, which draw accuracy curves of probes."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

from typer import Argument

from probe.cli import completion
from probe.cli.analysis_options import ProbeOptions, SiteOptions, TargetOptions
from probe.cli.curve import CurveOptions, draw_curves
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.sources import SourceOptions
from probe.cli.table_options import TableOptions
from probe.cli.words import tell_apart


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

    It is `probe curve`, whose help describes the curves, with the picture curve.png unless -o names another. Of a curve
    over units, the probe of all units stands at the right, and two bars say how few units reach 95 and 99 % of what
    that knows above chance, with 95 % intervals.

    Example:
        probe plot curve in_quotes --over units -o curve.svg
    """
    with_picture = replace(options, output=options.output or Path("curve.png"))
    draw_curves(tell_apart(words, hypotheses), with_picture, sites, source, labels, tables)


@with_options
def steps(
    run: Annotated[
        Path,
        Argument(
            help="The folder of a training with checkpoints (probe train --checkpoint-every 2), or its model.",
            metavar="TRAINING",
            show_default=False,
        ),
    ],
    words: Annotated[
        list[str] | None,
        Argument(
            help="Hypotheses, as with --hypothesis.",
            metavar="HYPOTHESIS",
            autocompletion=completion.hypotheses,
            show_default=False,
        ),
    ] = None,
    hypotheses: HypothesesOption = None,
    *,
    options: ProbeOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    picture: PictureOptions,
) -> None:
    """Draw when a model that is being trained comes to know a label, and when its best single unit does.

    It is `probe curve --over steps`, with the picture steps.png unless -o names another: a curve of all units of the
    last layer, or of --sites, another of the unit that is best at each time, and the last 20 characters of the text
    without the model.

    Example:
        probe plot steps model.training in_quotes --text corpus.txt
    """
    from probe.training.loss_files import run_folder

    of_curve = CurveOptions(
        over="steps",
        run=run_folder(run),
        output=picture.path("steps"),
        penalty=options.penalty,
        folds=options.folds,
        budget=options.budget,
        seed=options.seed,
    )
    draw_curves(tell_apart(words, hypotheses), of_curve, sites, source, labels, picture)
