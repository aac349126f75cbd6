"""A picture of a story: what the model knows, where, for how long, and what it loses without it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from analyses.passages.effects import CONTRAST
from analyses.story_results import NOT_SHOWN, SHOWN
from probe.pictures.figures import GREY, LEGEND, STYLES, literal, wrapped
from probe.pictures.impulse import SHARE_LEFT, draw_impulse

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from analyses.story_results import Section, Story

_WIDTH, _HEIGHT = 10.0, 7.2  # in inches
_BLUE = STYLES[0][0]
_WHERE = {CONTRAST: CONTRAST, "end": "where it ends"}


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
        axes.set_title(_title(section), loc="left", fontsize="medium")
        if attribute in story.not_measured:
            axes.set_axis_off()
            axes.text(0.5, 0.5, "not measured", ha="center", color=GREY, transform=axes.transAxes)
        else:
            draw(story, axes)
    title = f"{literal(story.hypothesis)}: the story (lines and bands: 95 % intervals)"
    figure.suptitle(wrapped(title, 0.8 * _WIDTH), x=0.01, ha="left")
    return panels


def _title(section: "Section") -> str:
    """Return the question of a section, and whether that is shown, if this is its answer."""
    question = section.question.partition("?")[0] + "?"
    return f"{question} {section.answer.capitalize()}" if section.answer in (SHOWN, NOT_SHOWN) else question


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
        "held-out AUC of probes; controls are grey",
    )
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=0.8)


def _draw_units(story: "Story", axes: "Axes") -> None:
    best = story.best
    _draw_points(
        axes,
        [str(ranked.unit) for ranked in best],
        [ranked.held_out for ranked in best],
        [(ranked.low, ranked.high) for ranked in best],
        [_BLUE] * len(best),
        "held-out AUC of single units",
    )
    axes.axvline(0.5, color=GREY, linestyle=":", linewidth=0.8)


def _draw_impulse(story: "Story", axes: "Axes") -> None:
    if story.impulse is not None:
        draw_impulse(story.impulse, axes, *SHARE_LEFT)
        axes.legend(**LEGEND)


def _draw_effects(story: "Story", axes: "Axes") -> None:
    groups = [str(story.best[0].unit), f"best {len(story.best)} together"]
    effects = [
        (f"{group},\n{_WHERE[effect.where]}", effect)
        for group, ablation in zip(groups, story.ablations, strict=False)
        for effect in ablation.effects
        if effect.where in _WHERE
    ]
    _draw_points(
        axes,
        [name for name, _ in effects],
        [effect.effect for _, effect in effects],
        [(effect.low, effect.high) for _, effect in effects],
        [_BLUE] * len(effects),
        "change of the loss, in nats per character",
        label="held at the mean",
    )
    rows = np.arange(len(effects))
    matched, sd = (np.array([getattr(effect, name) for _, effect in effects]) for name in ("matched", "matched_sd"))
    spread = np.where(np.isnan(sd), 0, sd)
    axes.errorbar(
        matched, rows + 0.25, xerr=spread, fmt="s", ms=4, mfc="white", color=GREY, label="matched ones, ± 1 SD"
    )
    axes.axvline(0, color=GREY, linestyle=":", linewidth=0.8)
    axes.set_ylim(len(effects) + 0.3, -0.6)
    axes.locator_params(axis="x", nbins=6)  # the longest numbers of all panels
    axes.legend(**LEGEND, loc="lower center", ncols=2)


def _draw_points(
    axes: "Axes",
    names: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    colours: Sequence[str],
    x_label: str,
    *,
    label: str = "",
) -> None:
    """Draw a value with its interval in each row, the first at the top; without an interval, it is an open circle."""
    have_intervals = [bool(np.isfinite(ends).all()) for ends in intervals]
    for row, (value, (low, high), colour) in enumerate(zip(values, intervals, colours, strict=True)):
        if have_intervals[row]:
            axes.plot([low, high], [row, row], color=colour, linewidth=1.5)
        fill = colour if have_intervals[row] else "white"
        named = label if row == 0 and label else None
        axes.plot([value], [row], "o", ms=5, color=colour, markerfacecolor=fill, label=named)
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlabel(x_label if all(have_intervals) else f"{x_label}; open: no interval")
    axes.grid(axis="x", alpha=0.25)
