"""Pictures of interventions have the numbers of the results, can be read, and are told apart by the colour-blind."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb, to_rgba, to_rgba_array
from numpy.typing import NDArray

from analyses.causes.editing.edit_effects import ALL, CHANGES, EditEffect
from analyses.causes.editing.edit_effects import LOSS as EDIT_LOSS
from analyses.causes.editing.perturbation import Perturbation
from analyses.causes.impulses.impulse_results import Impulse, ImpulseStep, UnitImpulse
from analyses.causes.removal.removal_results import OrderComparison, RemovalCurve, RemovalPoint
from analyses.causes.text_effects import LOSS, TextEffect
from analyses.passages.effects import CONTRAST, Effect
from probe.pictures.figures import GREY, STYLES
from probe.plots import figure_of, new_axes, plot_impulse, plot_orders, plot_perturbation, plot_steering
from probe.steering import SteeredTexts, Steering, WritingOptions

NAN = float("nan")
REMAINING = {"0/cell/163": (1.0, 0.9, 0.5, 0.25, 0.125), "0/hidden/163": (1.0, 0.1, 0.05, 0.0, 0.0)}
LOSSES = {"0/cell/163": (0.4, 0.3, 0.2, 0.1, 0.05), "0/hidden/163": (0.2, 0.05, 0.0, -0.01, 0.0)}


def impulses(set_to: str = "other") -> Impulse:
    """Two units, followed for 4 characters; intervals are ± .1 of the shares, from k = 1 on, and ± .01 of losses."""
    units = []
    for name, shares in REMAINING.items():
        steps = [
            ImpulseStep(
                unit=name,
                k=k,
                remaining=share,
                remaining_low=share - 0.1 if k else NAN,
                remaining_high=share + 0.1 if k else NAN,
                remaining_matched=share / 2,
                state=0.1,
                state_low=0.1,
                state_high=0.1,
                state_matched=0.1,
                loss=loss,
                loss_low=loss - 0.01,
                loss_high=loss + 0.01,
                loss_matched=loss / 4,
                loss_matched_sd=0.1,
                loss_p=0.5,
            )
            for k, (share, loss) in enumerate(zip(shares, LOSSES[name], strict=True))
        ]
        units.append(
            UnitImpulse(
                unit=name,
                steps=steps,
                durations=(),
                loss=0.1,
                loss_low=0.0,
                loss_high=0.2,
                loss_matched=0.0,
                loss_p=0.5,
                loss_q=0.5,
                n_matched=5,
            )
        )
    return Impulse(hypothesis="in_quotes", set_to=set_to, units=units, n_starts=9, n_steps=4, seed=0)


def text_effect(measure: str, at: float, effect: float, *, has_interval: bool = True) -> TextEffect:
    return TextEffect(
        intervention=f"1/hidden/82 = {at:g}",
        at=at,
        measure=measure,
        unsteered=1.0,
        steered=1.0 + effect,
        effect=effect,
        low=effect - 0.5 if has_interval else NAN,
        high=effect + 0.25 if has_interval else NAN,
        matched=effect / 8,
        matched_sd=0.0625,
        beyond_matched=7 * effect / 8,
        p=0.5,
        q=0.5,
        n_texts=16,
    )


def steering(*values: float, has_interval: bool = True) -> Steering:
    """The effect on the lines is 10 times the value, that on quotes the value, and that on the loss its square."""
    effects = [
        text_effect(measure, at, effect, has_interval=has_interval)
        for at in values
        for measure, effect in (("line_length", 10 * at), ("in_quotes", at), ("of my own", at), (LOSS, at**2))
    ]
    return Steering(
        steered="1/hidden/82",
        is_held=True,
        effects=effects,
        unsteered=("a",) * 16,
        samples=[SteeredTexts(intervention="", at=at, texts=("a",) * 16) for at in values],
        n_matched=10,
        options=WritingOptions(n_texts=16, n_chars=300),
    )


def orders() -> OrderComparison:
    """Holding n units adds .1 n in the order of auc, and .05 n in the longer name's; random orders add .01 n."""
    counts = (1, 2, 4, 8)
    by_name = {"auc": 0.1, "mutual_information": 0.05, "random": 0.01}
    curves = [
        RemovalCurve(
            order=name,
            kind="removed",
            points=tuple(
                RemovalPoint(n_units=n, where=CONTRAST, effect=each * n, low=each * n - 0.02, high=each * n + 0.03)
                for n in counts
            ),
        )
        for name, each in by_name.items()
    ]
    areas = [
        Effect(
            intervention=name,
            where=CONTRAST,
            n_chars=100,
            effect=each,
            low=0.0,
            high=1.0,
            matched=0.01,
            matched_sd=0.01,
            beyond_matched=each - 0.01,
            p=0.5,
            q=0.5,
            n_matched=10,
        )
        for name, each in by_name.items()
        if name != "random"
    ]
    return OrderComparison(
        hypothesis="in_quotes",
        sites="1/hidden",
        n_units=8,
        areas=areas,
        curves=curves,
        n_random=10,
        n_chars=100,
        seed=0,
    )


def edits(*quantities: str) -> Perturbation:
    """Units change by n + 1 after n characters, of a difference of 4 between inside and outside; the loss by n + 1."""
    effects = [
        EditEffect(
            quantity=quantity,
            where=where,
            n_after=n,
            n_places=20,
            n_chars=20,
            change=1.0 + (n or 0),
            low=0.5 + (n or 0),
            high=1.75 + (n or 0),
            random=0.25,
            beyond_random=0.0,
            p=0.5,
            reference=NAN if quantity == EDIT_LOSS else 4.0,
        )
        for quantity in (EDIT_LOSS, *quantities)
        for where in (CHANGES, ALL)
        for n in (None, 0, 1, 2, 4)
    ]
    return Perturbation(
        hypothesis="in_quotes",
        edit="delete",
        where_edited="",
        effects=effects,
        n_places=20,
        n_possible=20,
        n_changed=20,
        n_random=20,
        n_steps=4,
        n_warm_up=8,
        seed=0,
    )


def line(axes: Axes, label: str) -> NDArray[np.float64]:
    """(n, 2) the points of the line of a name."""
    [drawn] = [line for line in axes.get_lines() if line.get_label() == label]
    return np.asarray(drawn.get_xydata(), np.float64)


def bands(axes: Axes) -> list[list[tuple[float, float, float]]]:
    """The bands, each as the position, the lower and the upper end of all of its points."""
    found = []
    for band in axes.collections:
        if isinstance(band, PolyCollection):
            corners = np.concatenate([path.vertices for path in band.get_paths()])
            ends = [corners[corners[:, 0] == x, 1] for x in np.unique(corners[:, 0])]
            found.append([(x, y.min(), y.max()) for x, y in zip(np.unique(corners[:, 0]), ends, strict=True)])
    return found


def bars(axes: Axes, colour: str) -> list[tuple[float, float]]:
    """The lower and the upper ends of vertical lines of a colour."""
    [found] = [
        each
        for each in axes.collections
        if isinstance(each, LineCollection) and np.allclose(to_rgba_array(each.get_colors()), to_rgba(colour))
    ]
    return [(float(segment[0][1]), float(segment[1][1])) for segment in found.get_segments()]


def test_impulses_have_their_shares_losses_and_intervals() -> None:
    left, right = plot_impulse(impulses())
    for name in REMAINING:
        assert line(left, name).tolist() == [[k, share] for k, share in enumerate(REMAINING[name])]
        assert line(right, name).tolist() == [[k, loss] for k, loss in enumerate(LOSSES[name])]
        assert line(left, f"matched to {name}")[:, 1].tolist() == [share / 2 for share in REMAINING[name]]
        assert line(right, f"matched to {name}")[:, 1].tolist() == [loss / 4 for loss in LOSSES[name]]
    for band, shares in zip(bands(left), REMAINING.values(), strict=True):
        expected = [(k, share - 0.1 * (k > 0), share + 0.1 * (k > 0)) for k, share in enumerate(shares)]
        np.testing.assert_allclose(band, expected)
    for band, losses in zip(bands(right), LOSSES.values(), strict=True):
        np.testing.assert_allclose(band, [(k, loss - 0.01, loss + 0.01) for k, loss in enumerate(losses)])
    assert right.get_ylabel() == "change of the loss,\nin nats per character"
    low, high = left.get_xlim()
    assert low < 0 and high > 4  # so that the first and the last marker are whole


@pytest.mark.parametrize(
    ("set_to", "said"),
    [
        ("other", "set once to the mean outside"),
        ("mean", "set once to the mean"),
        ("zero", "set once to 0"),
        ("0.5", "set once to 0.5"),
        ("+0.5", "changed once by +0.5"),
    ],
)
def test_a_picture_of_impulses_says_what_is_changed(set_to: str, said: str) -> None:
    left, _ = plot_impulse(impulses(set_to))
    assert left.get_title(loc="left") == f"in_quotes: {said}"


@pytest.mark.parametrize("values", [(-1.0, 0.0, 2.0), (0.5,)], ids=["several values", "one value"])
def test_steering_has_effects_with_intervals_in_their_units(values: tuple[float, ...]) -> None:
    panels = plot_steering(steering(*values))
    assert [panel.get_ylabel() for panel in panels] == [
        "change of the mean, in characters",
        "change of the share of characters",
        "change of the mean over texts",
        "change, in nats per character",
    ]
    effects = [[10 * at for at in values], list(values), list(values), [at**2 for at in values]]
    for panel, of_measure in zip(panels, effects, strict=True):
        assert line(panel, "steered, with 95 % interval").tolist() == [
            [at, effect] for at, effect in zip(values, of_measure, strict=True)
        ]
        assert bars(panel, STYLES[0][0]) == [(effect - 0.5, effect + 0.25) for effect in of_measure]
        [container] = panel.containers
        matched, _, [spreads] = container
        assert np.asarray(matched.get_ydata()).tolist() == [effect / 8 for effect in of_measure]
        assert [(low[1], high[1]) for low, high in spreads.get_segments()] == [
            (effect / 8 - 0.0625, effect / 8 + 0.0625) for effect in of_measure
        ]


def test_steering_without_intervals_does_not_speak_of_any() -> None:
    panel = plot_steering(steering(-1.0, 1.0, has_interval=False))[0]
    assert line(panel, "steered").tolist() == [[-1.0, -10.0], [1.0, 10.0]]


def test_orders_have_their_curves_and_intervals_and_random_ones_a_band() -> None:
    compared = orders()
    axes = plot_orders(compared)
    for name, each, (colour, _, _) in (("auc", 0.1, STYLES[0]), ("mutual_information", 0.05, STYLES[1])):
        np.testing.assert_allclose(line(axes, name)[:, 1], [each * n for n in (1, 2, 4, 8)])
        np.testing.assert_allclose(np.log2(line(axes, name)[:, 0]), [0, 1, 2, 3], atol=0.1)
        np.testing.assert_allclose(bars(axes, colour), [(each * n - 0.02, each * n + 0.03) for n in (1, 2, 4, 8)])
    np.testing.assert_allclose(line(axes, "10 random orders"), [(n, 0.01 * n) for n in (1, 2, 4, 8)])
    [band] = bands(axes)
    np.testing.assert_allclose(band, [(n, 0.01 * n - 0.02, 0.01 * n + 0.03) for n in (1, 2, 4, 8)])
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["1", "2", "4", "8"]


def test_edits_are_drawn_as_shares_of_what_separates_inside_from_outside() -> None:
    axes = plot_perturbation(edits("0/cell/163", "probe"))
    for name in ("0/cell/163", "probe"):
        assert line(axes, name).tolist() == [[n, (1 + n) / 4] for n in (0, 1, 2, 4)]
        assert line(axes, f"{name}: random edits")[:, 1].tolist() == [0.0625] * 4
    for band in bands(axes):
        np.testing.assert_allclose(band, [(n, (0.5 + n) / 4, (1.75 + n) / 4) for n in (0, 1, 2, 4)])
    assert len(bands(axes)) == 2
    assert axes.get_ylabel() == "change, as a share of inside − outside"
    assert axes.get_title().startswith("in_quotes: delete, where it changes the label")


def test_edits_without_units_are_drawn_as_changes_of_the_loss() -> None:
    axes = plot_perturbation(edits())
    assert line(axes, EDIT_LOSS).tolist() == [[n, 1 + n] for n in (0, 1, 2, 4)]
    assert axes.get_ylabel() == "change of the loss, in nats per character"


LONG = "(in_quotes | in_parentheses) & ~in_word & position_in_line >= 25 & line_length < 1000"
MANY = " + ".join(f"1/hidden/{number}" for number in range(1000, 1012))
PICTURES: dict[str, Callable[[], Axes]] = {
    "impulse": lambda: plot_impulse(impulses())[0],
    "impulse, long": lambda: plot_impulse(replace(impulses(), hypothesis=LONG))[0],
    "steering": lambda: plot_steering(steering(-1.0, 1.0))[0],
    "steering, long": lambda: plot_steering(
        replace(steering(0.5), steered=MANY, effects=[text_effect(LONG, 0.5, 1.0), text_effect(LOSS, 0.5, 2.0)])
    )[0],
    "orders": lambda: plot_orders(orders()),
    "orders, long": lambda: plot_orders(replace(orders(), hypothesis=LONG, sites="0/hidden, 1/hidden, 2/hidden")),
    "perturbation": lambda: plot_perturbation(edits("0/cell/163", "1/hidden/1024")),
    "perturbation, long": lambda: plot_perturbation(replace(edits("0/cell/163"), hypothesis=LONG)),
}


DOLLARS = "char == $ | char == €$"
OF_DOLLARS: dict[str, Callable[[], Axes]] = {
    "impulse": lambda: plot_impulse(replace(impulses(), hypothesis=DOLLARS))[0],
    "steering": lambda: plot_steering(replace(steering(0.5), effects=[text_effect(DOLLARS, 0.5, 1.0)]))[0],
    "steered": lambda: plot_steering(replace(steering(0.5), steered=DOLLARS))[0],
    "orders": lambda: plot_orders(replace(orders(), hypothesis=DOLLARS)),
    "perturbation": lambda: plot_perturbation(replace(edits("0/cell/163"), hypothesis=DOLLARS)),
    "edit": lambda: plot_perturbation(replace(edits("0/cell/163"), edit=DOLLARS)),
}


@pytest.mark.parametrize("name", OF_DOLLARS)
def test_dollars_in_a_name_make_no_formula(name: str) -> None:
    axes = OF_DOLLARS[name]()
    titles = [axes.get_title(), axes.get_title(loc="left"), figure_of(axes).get_suptitle()]
    assert any(DOLLARS.replace("$", r"\$") in title.replace("\n", " ") for title in titles)


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_is_cut_off_and_no_legend_covers_a_curve(name: str) -> None:
    axes = PICTURES[name]()
    figure = figure_of(axes)
    figure.draw_without_rendering()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0 and drawn.x1 <= width
    assert drawn.y0 >= 0 and drawn.y1 <= height
    within = [panel.get_legend() for panel in figure.axes]
    [legend] = [*figure.legends, *(legend for legend in within if legend is not None)]
    covered = legend.get_window_extent()
    assert not any(covered.overlaps(panel.get_window_extent()) for panel in figure.axes)
    assert figure.get_facecolor() == (1, 1, 1, 1)  # also on a dark page


def test_a_legend_in_axes_of_the_users_stays_in_them() -> None:
    own = new_axes()
    assert plot_orders(orders(), own) is own
    assert own.get_legend() is not None
    assert not figure_of(own).legends


# What people with a cone missing see: Machado, Oliveira & Fernandes 2009, IEEE TVCG 15:1291-1298, severity 1.
SEEN_BY = {
    "all": np.eye(3),
    "protanopes": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopes": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopes": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}
TO_XYZ = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
WHITE = [0.95047, 1.0, 1.08883]


def lab(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIE L*a*b* of a linear colour."""
    scaled = np.array(TO_XYZ) @ linear / WHITE
    x, y, z = np.where(scaled > 0.008856, np.cbrt(scaled), 7.787 * scaled + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("people", SEEN_BY)
def test_colours_are_told_apart_by_the_colour_blind(people: str) -> None:
    """A difference of 2.3 is just noticeable; here each is at least 18."""
    seen = []
    for colour in [*(colour for colour, _, _ in STYLES), GREY]:
        srgb = np.array(to_rgb(colour))
        linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
        seen.append(lab(np.clip(np.array(SEEN_BY[people]) @ linear, 0, 1)))
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) > 18
