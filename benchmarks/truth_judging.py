"""The rules that the study passes or fails by."""

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

from scipy.stats import binom
from truth_cells import KINDS, Cell, n_cosines, remembers
from truth_counting import Counts
from truth_real import MODELS, RealTexts
from truth_repeating import BEST_OF, PROBED
from truth_simulating import World

COVERAGE = (0.93, 0.98)
_FEWEST_COVERED = 0.90  # where the true AUC is .98 or more
P_BELOW, _P_BELOW_FEW_COSINES, _FEW_COSINES = 0.065, 0.08, 25
ANY_Q = 34 / 400
_WIDTH = 1.25
_POWER = 190 / 200
_CURSE = 0.005
_SURE = 0.001  # of a bound, one-sided
_MANY = 1000  # from which on a share is judged as it is


class Verdict(NamedTuple):
    """What one rule says of a cell.

    Attributes:
        passed: Whether it holds.
        said: What was found.
    """

    passed: bool
    said: str


def too_many(count: float, n: float, limit: float, many: float = _MANY, sure: float = _SURE) -> bool:
    """Whether more than a share of n are counted.

    Args:
        count: Of them.
        n: All of them.
        limit: The largest share allowed.
        many: From so many on the share is judged as it is; of fewer, the exact binomial bound.
        sure: How often so many may be counted by chance where the true share is the limit.
    """
    if n >= many:
        return count > limit * n + 1e-9
    return bool(binom.sf(count - 1, n, limit) < sure)


def too_few(count: float, n: float, limit: float, many: float = _MANY, sure: float = _SURE) -> bool:
    """Whether less than a share of n are counted; see `too_many`."""
    if n >= many:
        return count < limit * n - 1e-9
    return bool(binom.cdf(count, n, limit) < sure)


def judge(cell: Cell, counts: Counts, n: int) -> list[Verdict]:
    """What the rules say of the counts of a cell.

    Args:
        cell: Which one.
        counts: Over its repetitions.
        n: How many these were.
    """
    return list(_RULES[cell.kind](cell, counts, n))


def _coverage(cell: Cell, counts: Counts, *, suffix: str = "", many: float = _MANY) -> Iterator[Verdict]:
    """Whether intervals cover what they should, where they are shown."""
    shown, covered = counts[f"shown{suffix}"], counts[f"covered{suffix}"]
    if not shown:
        yield Verdict(True, "no interval")
        return
    truth = cell.world.truth if isinstance(cell.world, World) else None
    least = _FEWEST_COVERED if truth is not None and truth >= 0.98 else COVERAGE[0]
    under, above = too_few(covered, shown, least, many), too_many(covered, shown, COVERAGE[1], many)
    said = f"coverage {covered / shown:.3f}"
    if above:
        said += " (above, allowed)" if _may_be_above(cell.world) else " (above)"
    yield Verdict(not under and (not above or _may_be_above(cell.world)), said)


def _may_be_above(world: World | RealTexts) -> bool:
    return isinstance(world, RealTexts) or (
        world.n_chars < 50_000 or world.unit.tau >= 1000 or remembers(world.label) >= 1000
    )


def _width(counts: Counts, many: float) -> Iterator[Verdict]:
    """Whether intervals are not much wider than those of the true variance; told, not judged, of few."""
    if counts["shown"] > 1:
        ratio = counts["width"] / counts["true_width"]
        yield Verdict(counts["shown"] < many or ratio <= _WIDTH, f"width {counts['width']:.3f}, {ratio:.2f} x true")


def _of_units(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    world = cell.world
    if not isinstance(world, World):
        return
    if not cell.only_p:
        yield from _coverage(cell, counts)
        yield from _width(counts, _MANY)
    if world.truth is None and counts["p_shown"]:
        limit = P_BELOW if n_cosines(world) >= _FEW_COSINES else _P_BELOW_FEW_COSINES
        below, shown = counts["p_below"], counts["p_shown"]
        yield Verdict(not too_many(below, shown, limit), f"p < .05 {below / shown:.3f} (at most {limit:g})")
    yield from _declined(counts, n - counts["shown"], n, "intervals")
    if world.truth is None and counts["p_shown"] < n:
        yield Verdict(True, f"{1 - counts['p_shown'] / n:.0%} of p declined")


def _declined(counts: Counts, declined: float, n: int, what: str) -> Iterator[Verdict]:
    if declined:
        yield Verdict(True, f"{declined / n:.0%} of {what} declined")
    if counts["due_but_declined"]:
        yield Verdict(False, f"{counts['due_but_declined']:.0f} declined that are due")


def _of_rankings(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    n_shown = n - counts["declined"] - counts["refused"]
    if n_shown:
        said = f"any q < .05 in {counts['any_q']:.0f} of {n_shown:.0f}"
        yield Verdict(not too_many(counts["any_q"], n_shown, ANY_Q, many=KINDS["ranking"].n), said)
        yield Verdict(True, f"p < .05 {counts['n_below'] / counts['n_p']:.3f}")
    if not cell.only_p and isinstance(cell.world, World):
        for passed, said in _coverage(cell, counts):
            yield Verdict(passed, f"of the winner, {said}")
    yield from _declined(counts, n - n_shown, n, "rankings")


def _of_real(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    yield from _of_rankings(cell, counts, n)
    shares = (
        f"{model.file.rpartition('/')[2]} {counts[f'declined_{number}']:.0f}/{counts[f'n_{number}']:.0f}"
        for number, model in enumerate(MODELS)
    )
    yield Verdict(True, "declined: " + ", ".join(shares))


def _of_power(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    lacking = too_few(counts["found"], n, _POWER, many=KINDS["power"].n)
    yield Verdict(not lacking, f"found in {counts['found']:.0f} of {n}; {counts['n_false']:.0f} others")


def _of_curse(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    chance = 0.0 if n >= KINDS["curse"].n else 3.3 / math.sqrt(n)
    for best in BEST_OF:
        mean, deviation = counts[f"mean_{best}"], counts[f"deviation_{best}"]
        said = f"best of {best}: {mean:+.4f} +- {deviation / math.sqrt(n):.4f}"
        yield Verdict(abs(mean) <= _CURSE + chance * deviation, said)


def _of_probes(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    yield from _coverage(cell, counts, many=math.inf)
    yield from _width(counts, math.inf)
    if counts["shown"] < n:
        yield Verdict(True, f"{1 - counts['shown'] / n:.0%} of intervals declined")


def _of_curves(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    for n_units in PROBED:
        for passed, said in _coverage(cell, counts, suffix=f"_{n_units}", many=math.inf):
            yield Verdict(passed, f"{n_units} units: {said}")


def _of_differences(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    yield from _of_probes(cell, counts, n)
    below, shown = counts["p_below"], counts["p_shown"]
    is_null = not getattr(cell.world, "gain", 0.0)
    if shown:
        too_often = is_null and too_many(below, shown, P_BELOW, many=math.inf)
        yield Verdict(not too_often, f"p < .05 {below / shown:.3f}" + ("" if is_null else " (power)"))


def _of_commands(cell: Cell, counts: Counts, n: int) -> Iterator[Verdict]:
    yield Verdict(counts["same"] == n, f"the same numbers in {counts['same']:.0f} of {n}")


_RULES: dict[str, Callable[[Cell, Counts, int], Iterator[Verdict]]] = {
    "unit": _of_units,
    "ranking": _of_rankings,
    "power": _of_power,
    "curse": _of_curse,
    "fit": _of_probes,
    "curve": _of_curves,
    "difference": _of_differences,
    "command": _of_commands,
    "real": _of_real,
}
