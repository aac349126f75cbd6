"""The command `probe plot matrix`, which draws hypotheses against sites and units."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from typer import Option

from probe.cli.analysis_options import ProbeOptions, SiteOptions, TargetOptions, labels_first
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.showing import TableCell, progress, warn_of_reasons
from probe.cli.sources import SourceOptions
from probe.cli.words import tell_apart

if TYPE_CHECKING:
    from analyses.matrix import HypothesisMatrix

_NAME = "matrix"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixOptions(ProbeOptions):
    """Options of the columns of a matrix, and of how its probes are fitted."""

    most: Annotated[
        int, Option(min=1, help="Single units that are shown; the best one of each hypothesis always is.")
    ] = 24


@with_options
def matrix(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: MatrixOptions,
    sites: SiteOptions,
    source: SourceOptions,
    labels: TargetOptions,
    picture: PictureOptions,
) -> None:
    """Draw how well hypotheses can be read from each site, and from single units.

    By default, these are all hypotheses that apply to the text. The left panel has the held-out scores of probes of
    each site, and beside them the best of the probes that see no model but the text alone: the last 1, 5 or 20
    characters, or the position. The other panel has single units, which are chosen on training stretches: the best one
    of each hypothesis, then the second best, and so on. Like hypotheses, sites and units are neighbours (hierarchical
    clustering).

    Cells have the AUC (R² of probes and r of units for numbers). Colours are 2 AUC − 1, √R² and r, so that paper is
    chance for all. A number in brackets has a 95 % interval that includes chance, one in italics has none, and a
    hatched cell has no score; --json says why. above_text is how much a probe is better than the text alone.

    Example:
        probe plot matrix in_quotes in_comment in_word -o matrix.pdf
    """
    from analyses.matrix import hypothesis_matrix

    subjects = tell_apart(words, hypotheses)
    picture.check_picture(_NAME, *source.inputs(subjects))
    fitting = options.fitting()
    with source.open_only(subjects) as session, progress("ranking units and fitting probes") as report:
        chosen = sites.chosen(session)
        labelling, measuring = labels_first(report, subjects.hypotheses, 0.1)
        targets = labels.targets(session, subjects.hypotheses, labelling)
        result = hypothesis_matrix(
            session,
            targets.made,
            sites=chosen,
            n_units=options.most,
            options=fitting,
            progress=measuring,
        )
        made = provenance(session)
    result = replace(result, left_out=targets.reasons)
    if subjects.hypotheses:
        warn_of_reasons("no scores for", result.left_out)
    rows: list[dict[str, TableCell]] = [{**row, **made} for row in result.rows()]
    picture.show(rows, _shown(result))
    picture.write(rows)
    from probe.plots import plot_matrix

    n = len(result.hypotheses)
    named = f"{n} hypothes{'is' if n == 1 else 'es'} against sites and units"
    picture.save(_NAME, plot_matrix(result)[0], named)


def _shown(result: "HypothesisMatrix") -> list[dict[str, TableCell]]:
    """Return a row for each hypothesis, with its scores at each site."""
    return [
        {
            "hypothesis": hypothesis,
            "measure": text.measure,
            **{site: cell.score for site, cell in zip(result.sites, cells, strict=True)},
            "text alone": text.score,
        }
        for hypothesis, cells, text in zip(result.hypotheses, result.of_sites, result.of_text, strict=True)
    ]
