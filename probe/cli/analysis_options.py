"""Options that analyses share: how hypotheses are labelled, which sites are looked at, and how probes are fitted."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from typer import BadParameter

from activations.progress import NotedProgress, Progress, no_progress, steps_of
from probe.cli.options import (
    BudgetOption,
    FoldsOption,
    LagOption,
    LanguageOption,
    LayerOption,
    NoCacheOption,
    PenaltyOption,
    SeedOption,
    SitesOption,
)
from probe.cli.showing import warn, warn_once

if TYPE_CHECKING:
    from activations.blocks import Source
    from activations.units import Site
    from analyses.probing.options import FitOptions
    from analyses.probing.results import ProbeResult
    from analyses.targets.many_hypotheses import Targets
    from hypotheses.labelling.corpus_labels import CorpusLabels
    from hypotheses.labelling.long_labels import AnyLabels

_SHARE_OF_SOME = 0.05  # of the time, which labels of some hypotheses take


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOptions:
    """Options of how hypotheses label a text."""

    language: LanguageOption = None
    no_cache: NoCacheOption = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetOptions(LabelOptions):
    """Options of how hypotheses label the text of a source, and with which lag."""

    lag: LagOption = 0

    def targets(self, source: "Source", hypotheses: Sequence[str], progress: NotedProgress = no_progress) -> "Targets":
        """Label the text of a source by hypotheses, or by all that apply to it if none is named.

        In the latter case, one line says which do not apply, and why.

        Args:
            source: A recording or live activations.
            hypotheses: Their names.
            progress: Called with the number of hypotheses whose labels are made, their number, and what is labelled.
        """
        from analyses.targets.many_hypotheses import all_targets, targets_of

        notice = warn_once()
        if hypotheses:
            targets = targets_of(
                source,
                hypotheses,
                lag=self.lag,
                language=self.language,
                use_cache=not self.no_cache,
                notice=notice,
                progress=progress,
            )
        else:
            targets = all_targets(
                source,
                lag=self.lag,
                language=self.language,
                use_cache=not self.no_cache,
                notice=notice,
                progress=progress,
            )
            if targets.left_out:
                warn(targets.left_out)
        report_kept({target.hypothesis: target.labels for target in targets.made})
        return targets


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteOptions:
    """Options of which sites are looked at."""

    sites: SitesOption = None
    layer: LayerOption = None

    def chosen(self, source: "Source") -> "list[Site]":
        """List the sites that `--sites` and `--layer` select, all if neither is given.

        Raises:
            ActivationError: If the source does not have them.
        """
        from activations.errors import ActivationError
        from activations.site_names import select_sites

        chosen = select_sites(source.sites, self.sites)
        if self.layer is None:
            return chosen
        of_layer = [site for site in chosen if site.layer == self.layer]
        if not of_layer:
            raise ActivationError(f"there is no layer {self.layer} here; there are {', '.join(map(str, chosen))}")
        return of_layer

    def chosen_if_any(self, source: "Source") -> "list[Site] | None":
        """List the sites that the options select; None if neither option is given."""
        return None if self.sites is None and self.layer is None else self.chosen(source)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeOptions:
    """Options of how probes are fitted and judged."""

    penalty: PenaltyOption = None
    folds: FoldsOption = None
    budget: BudgetOption = None
    seed: SeedOption = 0

    def fitting(self) -> "FitOptions":
        """Return these options as the library takes them.

        Raises:
            BadParameter: If the budget or the seed is not a number that can be used.
        """
        from analyses.probing.options import FitOptions

        check_seed(self.seed)
        return FitOptions(penalty=self.penalty, folds=self.folds, budget=_bytes(self.budget), seed=self.seed)


def labels_first(
    progress: NotedProgress, hypotheses: Sequence[str], share_of_all: float
) -> tuple[NotedProgress, Progress]:
    """Divide a bar between labelling a text, which names what is labelled, and what is done with the labels.

    Args:
        progress: Shows how much of both is done.
        hypotheses: Those that label the text; empty if all do.
        share_of_all: How much of the time labels of all hypotheses may take, from 0 to 1.
    """
    note, share = "", _SHARE_OF_SOME if hypotheses else share_of_all

    def both(done: int, total: int) -> None:
        progress(done, total, note)

    labelling, using = steps_of(both, [share, 1 - share])

    def noted(done: int, total: int, what: str) -> None:
        nonlocal note
        note = what
        labelling(done, total)

    return noted, using


def check_seed(seed: int) -> None:
    """Refuse a seed that random generators do not take."""
    if not 0 <= seed < 1 << 63:
        raise BadParameter(f"the seed is {seed}; it must be a whole number from 0 up to 2^63")


def _bytes(budget: float | None) -> int | None:
    if budget is not None and not math.isfinite(budget):
        raise BadParameter(f"the budget is {budget:g} MB; name a number, such as --budget 1000")
    return None if budget is None else int(budget * 1_000_000)


def report_kept(labels_by_name: "Mapping[str, AnyLabels | CorpusLabels]") -> None:
    """Say on standard error where labels come from: a file, the cache, or slow labelling that cannot be kept.

    Args:
        labels_by_name: The labels of each hypothesis, by its name.
    """
    for note in dict.fromkeys(note for labels in labels_by_name.values() for note in labels.notes):
        warn(note)
    for name, labels in labels_by_name.items():
        if labels.not_cached_because:
            warn(f"labels of {name} are not kept: {labels.not_cached_because}")
    dates = {name: labels.cached_at for name, labels in labels_by_name.items() if labels.cached_at is not None}
    if not dates:
        return
    first = f"{min(dates.values()):%Y-%m-%d %H:%M}"
    *before, last = dates
    names = f"{', '.join(before)} and {last}" if before else last
    made = f"made on {first}" if len(dates) == 1 else f"the oldest made on {first}"
    warn(f"the labels of {names} are from the disk, {made}; --no-cache makes them again")


def report_used(results: "Iterable[ProbeResult]") -> None:
    """Say on standard error if the activations of only some of the characters were read."""
    for n_used, n_chars in dict.fromkeys((result.n_used, result.n_chars) for result in results):
        if n_used < n_chars:
            warn(
                f"{n_used:,} of {n_chars:,} characters are used, the middle of each piece of the text: the "
                "activations of all take more than --budget allows"
            )
