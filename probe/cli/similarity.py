"""The command `probe similarity`, which says how alike two models are that read the same text."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from probe.cli.analysis_options import SiteOptions, check_seed
from probe.cli.option_groups import with_options
from probe.cli.options import SeedOption
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, say, show_rows, warn
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from analyses.session import Session
    from analyses.similarity.results import Similarity


@dataclass(frozen=True, slots=True, kw_only=True)
class SimilarityOptions:
    """Options of what the two models are compared with, and of the picture."""

    untrained: Annotated[
        Path | None,
        Option(
            help="The model of the second recording: compare the first with an untrained twin of it, too, with fresh "
            "weights. Its recording is kept beside the second.",
            show_default=False,
        ),
    ] = None
    output: Annotated[
        Path | None,
        Option("--output", "-o", help="A picture of the sites: .png, .svg or .pdf.", show_default=False),
    ] = None
    seed: SeedOption = 0

    def check(self, recordings: list[Path]) -> None:
        """Refuse a picture that cannot be written, before any work."""
        from activations.files import check_output
        from probe.plots import check_picture

        check_seed(self.seed)
        if self.output is not None:
            check_picture(self.output)
            check_output(self.output, *recordings)


@with_options
def similarity(
    recordings: Annotated[list[Path], Argument(help="Two recordings of the same text.", show_default=False)],
    *,
    options: SimilarityOptions,
    sites: SiteOptions,
    tables: TableOptions,
) -> None:
    """Compare two models that read the same text, site by site and unit by unit.

    cka is linear CKA: 1 if one site is the other, rotated and scaled, and 0 on average if they are independent,
    because products are taken between different parts of the text. low and high are the ends of its 95 % interval.
    usual_cka is CKA as it is usually computed, which chance makes larger in short texts and wide layers.

    The partner of each unit is the unit of the other model with which it correlates most on training stretches of the
    text, and r their correlation on others. The table has the mean over the units of each site; --json and --csv have
    every unit.

    Two models of one kind are alike in part because they read the same characters: --untrained has the same numbers for
    a twin of the second model that has learned nothing, and the differences.

    Example:
        probe similarity before.h5 after.h5 --sites cell

        probe similarity a.h5 b.h5 --untrained b.pt -o similarity.png
    """
    from analyses.session import Session
    from analyses.similarity.results import compared_rows

    if len(recordings) != 2:
        n = len(recordings)
        raise BadParameter(f"{n} recording{'s are' if n > 1 else ' is'} named, and two are compared; name two")
    options.check(recordings)
    tables.check(*recordings)
    with ExitStack() as stack:
        first, second = (stack.enter_context(Session(path)) for path in recordings)
        compared, untrained = _compare(first, second, options, sites)
        made = provenance(text_sha256=first.corpus.sha256, seed=options.seed)
    rows = compared_rows(compared, untrained)
    partners = [
        {**({} if untrained is None else {"compared_with": name}), **row}
        for name, result in (("second", compared), ("untrained", untrained))
        if result is not None
        for row in result.partner_rows()
    ]
    all_rows = [{**row, **made} for row in (*rows, *partners)]
    tables.show(all_rows, [{key: row[key] for key in row if not key.startswith("difference_")} for row in rows])
    if not tables.as_json:
        _show_means(compared, untrained)
    for note in compared.notes:
        warn(note)
    tables.write(all_rows)
    if options.output is not None:
        _draw(compared, recordings, options.output, quiet=tables.as_json)


def _compare(
    first: "Session", second: "Session", options: SimilarityOptions, sites: SiteOptions
) -> "tuple[Similarity, Similarity | None]":
    """Compare two models, and the first with an untrained twin of the second if there is to be one."""
    from analyses.similarity.paired_blocks import check_same_text
    from analyses.similarity.similarity import similarity as compare
    from probe.untrained import trained_model, untrained_twin

    check_same_text(first, second)
    chosen = [sites.chosen(session) for session in (first, second)]
    model = None if options.untrained is None else trained_model(second, options.untrained, chosen[1])
    with progress("comparing") as report:
        compared = compare(first, second, sites=chosen[0], second_sites=chosen[1], progress=report)
    if model is None:
        return compared, None
    with (
        progress("an untrained twin") as report,
        untrained_twin(second, model, "fresh", chosen[1], seed=options.seed, progress=report) as twin,
    ):
        return compared, compare(first, twin, sites=chosen[0], second_sites=chosen[1], progress=report)


def _show_means(compared: "Similarity", untrained: "Similarity | None") -> None:
    """Print how closely the units of each site correlate with their partners, beside those in an untrained twin."""
    rows: list[dict[str, TableCell]] = [dict(mean.row()) for mean in compared.mean_partners()]
    if untrained is not None:
        for row, mean in zip(rows, untrained.mean_partners(), strict=True):
            row |= {"untrained_r": mean.mean_r, "untrained_low": mean.low, "untrained_high": mean.high}
    say("\nmean held-out correlation of the units of each site with their partners in the other model")
    show_rows(rows, as_json=False)


def _draw(compared: "Similarity", recordings: list[Path], path: Path, *, quiet: bool) -> None:
    from probe.plots import figure_of, plot_similarity, save_figure

    first, second = (recording.stem for recording in recordings)
    names = (first, second) if first != second else (str(recordings[0]), str(recordings[1]))
    save_figure(figure_of(plot_similarity(compared, names=names)), path)
    say(f"{path}: linear CKA of every pair of sites", quiet=quiet)
