"""A picture of a story: what the model knows, where, for how long, and what it loses without it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyses.passages.effects import CONTRAST
from probe.figures import GREY, STYLES
from probe.impulse_plot import SHARE_LEFT, draw_impulse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyses.story_results import Story

_WIDTH, _HEIGHT = 10.0, 7.2  # in inches
_BLUE = STYLES[0][0]
_END = "end"


def plot_story(story: "Story") -> "tuple[Axes, ...]":
    """Draw probes beside controls, the best units, the impulse, and effects beside matched ones, with 95 % intervals.

    Args:
        story: The story. The panel of a part that was not measured says so.

    Returns:
        The axes of the four panels.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, _HEIGHT), layout="constrained")
    panels = tuple(figure.subplots(2, 2).flat)
    parts = (
        ("probes", _draw_probes),
        ("ranking", _draw_units),
        ("impulse", _draw_impulse),
        ("ablations", _draw_effects),
    )
    for axes, (attribute, draw), section in zip(panels, parts, story.sections, strict=False):
        axes.set_title(section.question.partition("?")[0] + "?", loc="left", fontsize="medium")
        if attribute in story.not_measured:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "not measured", ha="center", color=GREY, transform=axes.transAxes)
        else:
            draw(story, axes)
    figure.suptitle(f"{story.hypothesis}: the story", x=0.01, ha="left")
    return panels


def _draw_probes(story: "Story", axes: "Axes") -> None:
    names = [probe.site if probe.control in (None, "chars", "position") else f"{probe.site}, {probe.control}"
             for probe in story.probes]  # fmt: skip
    colours = [_BLUE if probe.control is None else GREY for probe in story.probes]
    _draw_points(
        axes,
        names,
        [probe.score for probe in story.probes],
        [probe.interval for probe in story.probes],
        colours,
    )
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_xlabel("held-out AUC of probes; controls are grey")


def _draw_units(story: "Story", axes: "Axes") -> None:
    best = story.best
    _draw_points(
        axes,
        [str(ranked.unit) for ranked in best],
        [ranked.held_out for ranked in best],
        [(ranked.low, ranked.high) for ranked in best],
        [_BLUE] * len(best),
    )
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_xlabel("held-out AUC of single units")


def _draw_impulse(story: "Story", axes: "Axes") -> None:
    if story.impulse is not None:
        draw_impulse(story.impulse, axes, *SHARE_LEFT)
        axes.legend(frameon=False, fontsize="small")


def _draw_effects(story: "Story", axes: "Axes") -> None:
    groups = ["best unit", f"best {len(story.best)} together"]
    effects = [
        (f"{group},\n{where}", effect)
        for group, ablation in zip(groups, story.ablations, strict=False)
        for effect in ablation.effects
        for where in (CONTRAST, _END)
        if effect.where == where
    ]
    _draw_points(
        axes,
        [name for name, _ in effects],
        [effect.effect for _, effect in effects],
        [(effect.low, effect.high) for _, effect in effects],
        [_BLUE] * len(effects),
        label="held at the mean",
    )
    rows = np.arange(len(effects))
    matched, sd = (np.array([getattr(effect, name) for _, effect in effects]) for name in ("matched", "matched_sd"))
    spread = np.where(np.isnan(sd), 0, sd)
    axes.errorbar(
        matched, rows + 0.25, xerr=spread, fmt="s", ms=4, mfc="white", color=GREY, label="matched ones, ± 1 SD"
    )
    axes.axvline(0, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_xlabel("change of the loss, in nats per character")
    axes.set_ylim(len(effects) + 0.3, -0.6)
    axes.locator_params(axis="x", nbins=6)  # the longest numbers of all panels
    axes.legend(frameon=False, fontsize="small", loc="lower center", ncols=2)


def _draw_points(
    axes: "Axes",
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    colours: Sequence[str],
    *,
    label: str = "",
) -> None:
    """Draw a value with its interval in each row, the first at the top."""
    for row, (value, (low, high), colour) in enumerate(zip(values, intervals, colours, strict=True)):
        if np.isfinite(low) and np.isfinite(high):
            axes.plot([low, high], [row, row], color=colour, linewidth=1.5)
        axes.plot([value], [row], "o", ms=5, color=colour, label=label if row == 0 and label else None)
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(axis="x", alpha=0.25)
