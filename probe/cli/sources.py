"""Where a command's activations come from: a recording, or a model reading a text."""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from typer import BadParameter

from probe.cli.reading import ReadingOptions
from probe.cli.show import to_standard_error, warn

if TYPE_CHECKING:
    from activations.blocks import Source
    from activations.reading.live import LiveActivations
    from activations.units import Site
    from analyses.probing.results import ProbeResult
    from analyses.session import Session
    from analyses.targets.target import Target
    from hypotheses.labelling.long_labels import AnyLabels


def tell_kept(labels: "Mapping[str, AnyLabels]") -> None:
    """Say on standard error which of these labels are from the disk, and which were slow to make and cannot be kept.

    Args:
        labels: By the names of their hypotheses.
    """
    for name, each in labels.items():
        if each.not_cached_because:
            warn(f"labels of {name} are not kept: {each.not_cached_because}")
    kept = {name: each.cached_at for name, each in labels.items() if each.cached_at is not None}
    if not kept:
        return
    first = f"{min(kept.values()):%Y-%m-%d %H:%M}"
    *others, last = kept
    names = f"{', '.join(others)} and {last}" if others else last
    made = f"on {first}" if len(kept) == 1 else f"the oldest on {first}"
    warn(f"the labels of {names} are from the disk, made {made}; --no-cache labels anew")


def tell_used(results: "Iterable[ProbeResult]") -> None:
    """Say on standard error if the activations of some characters alone were read."""
    for n_used, n_chars in dict.fromkeys((each.n_used, each.n_chars) for each in results):
        if n_used < n_chars:
            warn(
                f"{n_used:,} of {n_chars:,} characters are used, the middle of each piece of the text: the "
                "activations of all take more than --budget allows"
            )


def in_bytes(budget: float | None) -> int | None:
    """What `--budget` allows, in bytes."""
    if budget is not None and not math.isfinite(budget):
        raise BadParameter(f"the budget is {budget:g} MB; name a number, such as --budget 1000")
    return None if budget is None else int(budget * 1_000_000)


def chosen_sites(source: "Source", sites: str | None, layer: int | None) -> "list[Site]":
    """The sites that `--sites` and `--layer` ask for."""
    from activations.errors import ActivationError
    from activations.site_names import select_sites

    chosen = select_sites(source.sites, sites)
    if layer is None:
        return chosen
    of_layer = [site for site in chosen if site.layer == layer]
    if not of_layer:
        raise ActivationError(f"there is no layer {layer} here; there are {', '.join(map(str, chosen))}")
    return of_layer


def ask(
    source: "Source", hypothesis: str, language: str | None, no_cache: bool, lag: int = 0, n_asked: int = 1
) -> "Target":
    """The labels of what a source gives, of one of so many hypotheses; if they were kept on disk, that is said."""
    found = _ask(source, hypothesis, language, no_cache, lag, n_asked)
    tell_kept({found.hypothesis: found.labels})
    return found


def _ask(
    source: "Source", hypothesis: str, language: str | None, no_cache: bool, lag: int, n_asked: int = 1
) -> "Target":
    from activations.errors import ActivationError
    from analyses.targets.labelling import target, target_for
    from analyses.targets.predictions import PREFIX
    from hypotheses.registry import get

    if hypothesis.startswith(PREFIX):
        if lag:
            raise ActivationError(f"--lag does not go with {hypothesis}, which asks of the next character as it is")
        return target_for(source, hypothesis)
    with to_standard_error():  # a user's file may print while it is loaded
        asked = get(hypothesis, language=language)
        asked = asked.lagged(lag) if lag else asked
        return target(
            source.corpus, asked, selection=source.selection, use_cache=not no_cache, notice=warn, n_hypotheses=n_asked
        )


def ask_all(source: "Source", language: str | None, no_cache: bool, lag: int) -> tuple[list["Target"], dict[str, str]]:
    """The labels of every hypothesis that can be asked, and why the others cannot, by name."""
    from analyses.errors import AnalysisError
    from analyses.targets.classes import classes_of
    from hypotheses.errors import HypothesisError
    from hypotheses.registry import registered

    asked, reasons = [], {}
    names = [name for name, each in registered().items() if not each.parameters.required]
    for name in names:
        try:
            found = _ask(source, name, language, no_cache, lag, len(names))
            if found.kind == "categorical":
                classes_of(found)  # or there are too many
            asked.append(found)
        except (AnalysisError, HypothesisError) as error:
            reasons[name] = str(error)
    tell_kept({each.hypothesis: each.labels for each in asked})
    if not asked:
        raise AnalysisError("no hypothesis has different labels in this text, so that there is nothing to rank for")
    return asked, reasons


def ask_several(
    source: "Source", hypotheses: list[str], every: bool, language: str | None, no_cache: bool, lag: int
) -> tuple[list["Target"], dict[str, str]]:
    """The labels of some hypotheses, or of every one, and why others of these cannot be asked, by name.

    If none of those that were named can be asked, that is an error.
    """
    from analyses.errors import AnalysisError
    from hypotheses.errors import HypothesisError

    if every:
        return ask_all(source, language, no_cache, lag)
    asked, reasons = [], {}
    for name in dict.fromkeys(hypotheses):
        try:
            asked.append(_ask(source, name, language, no_cache, lag, len(hypotheses)))
        except (AnalysisError, HypothesisError) as error:
            if len(hypotheses) == 1:
                raise
            reasons[name] = str(error)
    tell_kept({each.hypothesis: each.labels for each in asked})
    if not asked:
        raise AnalysisError(next(iter(reasons.values())))
    return asked, reasons


@contextmanager
def open_sources(
    recordings: list[Path] | None,
    model: Path | None,
    texts: list[Path] | None,
    how: ReadingOptions,
) -> Iterator[list[tuple[str, "Session"]]]:
    """Sessions of recordings, with a name for each, or of the live source; the name is empty if there is only one."""
    from activations.errors import ActivationError

    if recordings and model is not None:
        raise ActivationError("a recording and --model are given; name one of the two")
    paths = recordings or [Path("activations.h5")]
    names = [path.stem for path in paths]
    if len(set(names)) < len(names):
        names = [str(path) for path in paths]
    with ExitStack() as stack:
        opened: list[tuple[str, Session]] = []
        for name, path in zip(names, paths, strict=True):
            source = stack.enter_context(open_source(path, model, texts, how))
            opened.append((name if len(paths) > 1 else "", source))
        yield opened


@contextmanager
def open_source(
    recording: Path,
    model: Path | None,
    texts: list[Path] | None,
    how: ReadingOptions,
) -> Iterator["Session"]:
    """A session of the recording, or of the live source if a model and a text are given.

    Raises:
        ActivationError: If options of a live source are given, and there is none.
    """
    from activations.errors import ActivationError
    from analyses.session import Session

    if (model is None) != (not texts):
        missing, given = ("--text", "--model") if model else ("--model", "--text")
        raise ActivationError(f"{given} needs {missing}, too: a model and the text that it is to read")
    if model is None and how.given:
        raise ActivationError(
            f"{how.given[0]} is about a model that reads a text now: it goes with --model and --text, not with a "
            "recording, which was read when it was made"
        )
    live = how.live(model, texts) if model is not None and texts else None
    with Session(live or recording) as session:
        yield session


def read_checkpoints(
    run: Path, texts: list[Path] | None, how: ReadingOptions
) -> Iterator[tuple[int, "LiveActivations"]]:
    """The checkpoints of a training in their order, each with the number of updates, reading texts."""
    from activations.errors import ActivationError

    if not texts:
        raise ActivationError("--run needs --text, too: the text that the checkpoints are to read")
    found = sorted((run / "checkpoints").glob("*.pt"))
    if not found:
        raise ActivationError(f"there are no checkpoints in {run}; make some with `probe train --checkpoint-every 2`")
    for path in found:
        if not path.stem.isdecimal():
            raise ActivationError(f"{path} is no checkpoint of a training, which has the number of updates for a name")
    corpus = how.read(texts)
    for path in found:
        yield int(path.stem), how.live(path, corpus)
