"""The command `probe plot overlap`, which draws which characters several models get right."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from typer import Argument, BadParameter, Option

from probe.cli import completion
from probe.cli.option_groups import with_options
from probe.cli.options import TextOption
from probe.cli.plot.picture_options import PictureOptions
from probe.cli.provenance import provenance
from probe.cli.reading import ReadingOptions
from probe.cli.showing import TableCell, progress, say

if TYPE_CHECKING:
    from analyses.session import Session

_NAME = "overlap"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsOptions(ReadingOptions):
    """Options of several models that read a text now, in place of recordings."""

    models: Annotated[
        list[Path] | None,
        Option(
            "--model", help="A model that reads --text now, instead of a recording; name several.", show_default=False
        ),
    ] = None
    text: TextOption = None
    NAMES_OF_SOURCE: ClassVar[frozenset[str]] = frozenset({"models", "text"})

    def check(self, recordings: Sequence[Path]) -> None:
        """Refuse what does not go together.

        Raises:
            BadParameter: If there are recordings and models, a model without a text or the other way round, or options
                of reading without a model.
        """
        if recordings and self.models:
            raise BadParameter("recordings and --model are given; name either")
        if bool(self.models) != bool(self.text):
            raise BadParameter("several models read a text with --model a.pt --model b.pt --text corpus.txt")
        if self.changed and not self.models:
            raise BadParameter(
                f"{self.changed[0]} applies only with --model and --text; recordings have already been read"
            )


@with_options
def overlap(
    recordings: Annotated[
        list[Path] | None,
        Argument(
            help="Recordings of two to four models that read the same text.",
            metavar="RECORDING",
            autocompletion=completion.recordings,
            show_default=False,
        ),
    ] = None,
    *,
    options: ModelsOptions,
    picture: PictureOptions,
) -> None:
    """Draw which characters of a text two or more models get right: each alone, together, or none.

    A model is right where its most probable next character is the true one. For two models, the areas of the circles,
    and of their common part, are in proportion to the numbers of characters. For three or four, a bar for each
    combination stands over points that name the models that are right (an UpSet plot). Intervals are of 95 %, for other
    text like this; if_independent is the share that there would be if what one model gets right did not depend on what
    the others do.

    Example:
        probe plot overlap lstm.h5 gru.h5 -o overlap.svg
    """
    from analyses.overlap import overlap as count_overlap

    paths = list(recordings or [])
    options.check(paths)
    models = list(options.models or [])
    picture.check_picture(_NAME, *paths, *models, *(options.text or []))
    names = _names(paths or models)
    with ExitStack() as stack, progress("counting") as report:
        sources = _sessions(paths, models, options, stack)
        result = count_overlap(dict(zip(names, sources, strict=True)), progress=report)
        made = provenance(text_sha256=sources[0].corpus.sha256)
    rows: list[dict[str, TableCell]] = [{**row, **made} for row in result.rows()]
    shown = ("right", "n_chars", "share", "low", "high", "if_independent")
    picture.show(rows, [{key: row[key] for key in shown} for row in rows])
    say(f"{result.n_chars:,} characters are predicted", quiet=picture.as_json)
    picture.write(rows)
    from probe.plots import plot_overlap

    picture.save(_NAME, plot_overlap(result)[0], f"what {len(names)} models get right")


def _sessions(
    recordings: Sequence[Path], models: Sequence[Path], options: ModelsOptions, stack: ExitStack
) -> "list[Session]":
    from analyses.errors import AnalysisError
    from analyses.session import Session

    if len(recordings) + len(models) < 2:
        raise AnalysisError("an overlap is of two to four models; name two recordings, or --model twice and --text")
    if not models:
        return [stack.enter_context(Session(path)) for path in recordings]
    corpus = options.read(options.text or [])
    return [stack.enter_context(Session(options.live(model, corpus))) for model in models]


def _names(paths: Sequence[Path]) -> list[str]:
    """Name models by their files, by their whole paths if two have the same name, or with numbers if it is one file."""
    stems, whole = [path.stem for path in paths], [str(path) for path in paths]
    for names in (stems, whole):
        if len(set(names)) == len(names):
            return names
    return [f"{name} {number}" for number, name in enumerate(whole, 1)]
