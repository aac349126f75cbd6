"""The command `probe patch`, which interchanges a part of a model's values between two places or texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.analysis_options import TargetOptions
from probe.cli.cause_options import (
    CauseCommand,
    CauseSourceOptions,
    EffectOptions,
    ModelAndActivations,
    check_hypotheses,
)
from probe.cli.option_groups import with_options
from probe.cli.options import HypothesesOption, WordsArgument, unescaped
from probe.cli.provenance import provenance
from probe.cli.showing import SIGNS, TableCell, progress, say, visible
from probe.cli.table_options import TableOptions
from probe.cli.words import Subjects, tell_apart

if TYPE_CHECKING:
    from analyses.causes.patching.patch_results import Patch
    from analyses.causes.patching.patched_parts import AnyPart
    from analyses.session import Session
    from analyses.targets.target import Target

_DIFFERENCE = "difference:"


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchOptions(EffectOptions):
    """Options of what is interchanged, between what, and how the effect is measured."""

    parts: Annotated[
        list[str] | None,
        Option(
            "--part",
            help="What is interchanged: a unit, such as 0/cell/37; several together, such as 0/cell/37,0/cell/40; a "
            "site, such as 0/cell; state, the whole state; difference:0/cell, the direction from the site's mean "
            "outside to that inside; probe.npz, the direction of a kept probe; or 0/cell=directions.npy, the "
            "directions in a file. May be repeated.",
            show_default=False,
        ),
    ] = None
    character: Annotated[
        str | None,
        Option(
            help="The character whose probability is measured (default: the one that follows most often where the "
            "hypothesis ends).",
            show_default=False,
        ),
    ] = None
    pairs: Annotated[int, Option(min=1, help="How many pairs of places.")] = 200
    steps: Annotated[int, Option(min=1, help="How many characters after the base the loss is measured on.")] = 16
    base: Annotated[
        str | None, Option(help="A text at whose end values are changed, with --source.", show_default=False)
    ] = None
    source_text: Annotated[
        str | None, Option("--source", help="A text at whose end they are taken, with --base.", show_default=False)
    ] = None

    def check_texts(self, subjects: Subjects, source: CauseSourceOptions) -> None:
        """Refuse two texts without what they need, or with what belongs to places of a longer text.

        Raises:
            BadParameter: If something is missing or too much.
        """
        if self.base is None or self.source_text is None:
            raise BadParameter("--base and --source are two texts; name both")
        if subjects.hypotheses or subjects.recordings or source.text:
            raise BadParameter("--base and --source are the texts; leave out hypotheses, recordings and --text")
        if source.model is None or not self.parts or self.character is None:
            raise BadParameter("two texts need --model, --part, and the --character whose probability is measured")


@with_options
def patch(
    words: WordsArgument = None,
    hypotheses: HypothesesOption = None,
    *,
    options: PatchOptions,
    source: CauseSourceOptions,
    labels: TargetOptions,
    tables: TableOptions,
) -> None:
    """Interchange a part of the state between two places: is it this that carries the answer?

    Of each pair of places, one is inside, where the hypothesis holds, and one outside, and the text before them ends
    alike. At one of them, the base, the values of the part become those of the other, the source. share says how far
    the model then goes from what it does at the base to what it does at the source: 0 is nothing, 1 all of the way. It
    is given for the log probability of one character as the next one, such as the closing quote, and for the loss of
    the characters that follow the base. low and high are the ends of the 95 % interval; matched is the share for units
    of about the same variance, or random directions, p the p-value under the null that the part is one like these, and
    q the false discovery rate over all parts.

    Without --part, these are the best unit of `probe rank`, its site, the site's difference, and the whole state.

    With --base and --source, two texts of your own take the place of the pairs, and there is no interval.

    Example:
        probe patch in_quotes --part 0/cell/163 --part state activations.h5 --model model.pt

        probe patch --base 'x = "ab' --source 'x = ab' --character '"' --part 0/cell --model model.pt
    """
    options.check()
    subjects = tell_apart(words, hypotheses)
    tables.check(*source.inputs(subjects))
    if options.base is not None or options.source_text is not None:
        options.check_texts(subjects, source)
        _patch_texts(options, source, tables)
        return
    check_hypotheses(subjects, "patch")
    command = CauseCommand(
        subjects=subjects, source=source, labels=labels, tables=tables, seed=options.seed, measured="patches"
    )
    command.for_each_hypothesis(
        lambda opened, target: _Patches(_patches(opened, target, options)),
        lambda patches: [row for patch_of_part in patches.of_parts for row in _table(patch_of_part)],
        lambda patches: _say_what_is_shown(patches.of_parts, quiet=tables.as_json),
    )


@dataclass(frozen=True, slots=True)
class _Patches:
    """The patches of all parts, for one hypothesis."""

    of_parts: "Sequence[Patch]"

    def rows(self) -> list[dict[str, TableCell]]:
        """Return the rows of all parts."""
        return [row for patch_of_part in self.of_parts for row in patch_of_part.rows()]


def _patches(opened: ModelAndActivations, target: "Target", options: PatchOptions) -> "list[Patch]":
    from analyses.causes.patching.patch_results import with_q_values
    from analyses.causes.patching.patching import patch as interchange

    results = []
    for name in options.parts or _best_parts(opened, target):
        part = _part(name, opened.activations, target)
        with progress(f"interchanging {name} for {target.hypothesis}") as report:
            results.append(
                interchange(
                    opened.model,
                    target,
                    part,
                    character=None if options.character is None else unescaped(options.character),
                    n_pairs=options.pairs,
                    n_steps=options.steps,
                    n_matched=options.matched,
                    n_chars=options.chars,
                    seed=options.seed,
                    progress=report,
                )
            )
    return with_q_values(results)


def _best_parts(opened: ModelAndActivations, target: "Target") -> list[str]:
    from analyses.causes.choosing_units import best_ranked_units
    from analyses.causes.patching.patched_parts import STATE

    with progress(f"ranking for {target.hypothesis}") as report:
        [best] = best_ranked_units(opened.activations, target, 1, model=opened.model, progress=report)
    return [str(best), f"{_DIFFERENCE}{best.site}", str(best.site), STATE]


def _part(name: str, activations: "Session | None", target: "Target | None") -> "AnyPart":
    """Return what a --part means."""
    from analyses.causes.directions import mean_difference, probe_direction
    from analyses.causes.patching.patched_parts import Subspace

    if name.endswith(".npz") and "=" not in name:
        return probe_direction(name)
    site, equals, path = name.partition("=")
    if equals:
        return Subspace(site, _directions(Path(path)), name)
    if name.startswith(_DIFFERENCE):
        if activations is None or target is None:
            raise BadParameter(f"{name} needs a hypothesis and a text; two texts have none")
        with progress(f"reading for the {name}") as report:
            difference = mean_difference(activations, target, name.removeprefix(_DIFFERENCE), progress=report)
        return Subspace(difference.site, difference.vector, f"mean difference of {difference.site}")
    units = [unit.strip() for unit in name.split(",")]
    return units if len(units) > 1 else units[0]


def _directions(path: Path) -> Sequence[float]:
    """Read directions from a file of numpy, which holds numbers alone."""
    from zipfile import BadZipFile

    import numpy as np

    from activations.errors import ActivationError
    from activations.files import check_is_file

    check_is_file(path, "file of directions")
    try:
        with path.open("rb") as file:
            directions: Sequence[float] = np.load(file, allow_pickle=False)
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise ActivationError(f"{path} has no directions: {error}; save them with numpy.save") from error
    return directions


def _patch_texts(options: PatchOptions, source: CauseSourceOptions, tables: TableOptions) -> None:
    from activations.texts.corpus import Corpus
    from analyses.causes.patching.patching import patch_texts

    base, source_text = unescaped(options.base or ""), unescaped(options.source_text or "")
    if source.model is None:
        raise BadParameter("two texts need --model")
    live = source.live(source.model, Corpus.from_texts([base, source_text], ["--base", "--source"]))
    character = unescaped(options.character or "")
    results = [patch_texts(live, _part(name, None, None), base, source_text, character) for name in options.parts or ()]
    made = provenance(live)
    rows = [{**result.row(), **made} for result in results]
    tables.show(rows, [{**result.row(), "character": visible(character, SIGNS)} for result in results])
    say("log probabilities in nats, of the character as the next one; share: of the way from base to source",
        quiet=tables.as_json)  # fmt: skip
    tables.write(rows)


def _table(result: "Patch") -> list[dict[str, TableCell]]:
    return [
        {
            "part": effect.what,
            "measure": effect.measure,
            "direction": effect.direction,
            "base": effect.base,
            "source": effect.source,
            "patched": effect.patched,
            "share": effect.share,
            "low": effect.low,
            "high": effect.high,
            "matched": effect.matched,
            "p": effect.p,
            "q": effect.q,
        }
        for effect in result.effects
    ]


def _say_what_is_shown(results: "Sequence[Patch]", *, quiet: bool) -> None:
    for result in results:
        for finding in result.findings:
            say(finding, quiet=quiet)
    first = results[0]
    say(
        f"{first.hypothesis}: {first.n_pairs:,} pairs whose last {first.n_common:g} characters are the same (median); "
        f"log probability of {visible(first.character, SIGNS)}; loss of the next {first.n_steps} characters, in nats",
        quiet=quiet,
    )
