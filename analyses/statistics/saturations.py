"""How often each unit is saturated: within .1 of either end of its range."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.results import Result, TableCell
from activations.site_names import AnySites
from activations.units import Site
from analyses.collecting.statistic import BlockLabels, State
from analyses.collecting.text_cells import TextCells
from analyses.errors import AnalysisError
from analyses.intervals.estimates import intervals, standard_errors
from analyses.intervals.long_run import n_cosines
from analyses.levels.columns import not_numbers
from analyses.named_parts import sites_among
from analyses.rounding import rounded
from analyses.session import AnySource, Session
from analyses.targets.splits import Split
from hypotheses.kernels import compiled

Array = NDArray[np.float64]
NEAR = 0.1
"""A unit is saturated where it is less than this from an end of its range."""
_GATE = (NEAR, 1 - NEAR, 0.0, 1.0)
_SIGNED = (-(1 - NEAR), 1 - NEAR, -1.0, 1.0)
_CELL = (-math.atanh(1 - NEAR), math.atanh(1 - NEAR), -math.inf, math.inf)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Saturation(Result):
    """How often each unit of a site is saturated: within .1 of the lower end of its range (left), or the upper (right).

    A gate has the range (0, 1): it is left-saturated below .1, and right-saturated above .9. Hidden states and
    candidates have (−1, 1): below −.9, and above .9. A cell has no range; what counts is tanh of it, of which the
    hidden state is made.

    Attributes:
        site: The site.
        n_chars: Number of characters.
        n_left: (n_units,) at how many of them each unit is left-saturated.
        n_right: (n_units,) at how many it is right-saturated.
        n_outside: (n_units,) at how many it is outside the range, which is then not its range.
        left_interval: (2, n_units) ends of the 95 % interval of the share of left-saturated characters, for other text
            like this; NaN where there is none, such as where no character is saturated, or all are.
        right_interval: (2, n_units) the same of right-saturated characters.
    """

    site: Site
    n_chars: int
    n_left: NDArray[np.int64] = field(repr=False)
    n_right: NDArray[np.int64] = field(repr=False)
    n_outside: NDArray[np.int64] = field(repr=False)
    left_interval: Array = field(repr=False)
    right_interval: Array = field(repr=False)

    @property
    def left(self) -> Array:
        """(n_units,) share of characters at which each unit is left-saturated; NaN if it leaves the range."""
        return self._share(self.n_left)

    @property
    def right(self) -> Array:
        """(n_units,) share of characters at which each unit is right-saturated; NaN if it leaves the range."""
        return self._share(self.n_right)

    def _share(self, n: NDArray[np.int64]) -> Array:
        return np.where(self.n_outside > 0, np.nan, n / self.n_chars)

    def rows(self) -> list[dict[str, TableCell]]:
        """Return one row for each unit."""
        return [
            {
                "unit": f"{self.site}/{unit}",
                "left": float(self.left[unit]),
                "left_low": float(self.left_interval[0, unit]),
                "left_high": float(self.left_interval[1, unit]),
                "right": float(self.right[unit]),
                "right_low": float(self.right_interval[0, unit]),
                "right_high": float(self.right_interval[1, unit]),
                "n_left": int(self.n_left[unit]),
                "n_right": int(self.n_right[unit]),
                "n_chars": self.n_chars,
            }
            for unit in range(len(self.n_left))
        ]

    def __str__(self) -> str:
        is_bounded = self.n_outside == 0
        if not is_bounded.any():
            return f"{self.site}: its units leave the range, and are not saturated anywhere"
        left, right = (float(np.mean(share[is_bounded])) for share in (self.left, self.right))
        return (
            f"{self.site}: left-saturated at {rounded(left, '.1%')} and right-saturated at {rounded(right, '.1%')} of "
            f"{self.n_chars:,} characters, as means of {int(is_bounded.sum()):,} units"
        )


class Saturations:
    """How often each unit of some sites is saturated, in one reading.

    Characters are counted in whole numbers for each atom of the text, so that shards merge to the last bit.
    """

    n_readings = 1
    predictions = False

    def __init__(self, source: AnySource, sites: AnySites | None = None) -> None:
        """Start with no characters counted yet.

        Args:
            source: What will be read.
            sites: The sites whose units are looked at; None is all whose range is known: gates, candidates, hidden
                states and cells.

        Raises:
            AnalysisError: If there is no such site, if the range of one (or of all) is not known, or if the text is
                shorter than 100 characters.
        """
        source = Session.of(source)
        chosen = sites_among(source, sites)
        known = {site: bounds for site in chosen if (bounds := _bounds(site)) is not None}
        self.sites, self._bounds = list(known), known
        if sites is not None and len(known) < len(chosen):
            unknown = next(site for site in chosen if site not in known)
            raise AnalysisError(
                f"the range of {unknown} is not known, so that nothing says where its units are saturated; ask about "
                "gates, candidates, hidden states or cells"
            )
        if not known:
            raise AnalysisError(
                f"no site here has a known range, among {', '.join(map(str, chosen))}; saturation is counted of gates, "
                "candidates, hidden states and cells"
            )
        used = source.selection
        self._cells = TextCells(Split.of(used.stop - used.start, used.start))
        n_atoms = self._cells.split.n_atoms
        self._n = np.zeros(n_atoms, np.int64)
        self._saturated = {site: np.zeros((n_atoms, 2, source.sites[site]), np.int64) for site in self.sites}
        self._outside = {site: np.zeros(source.sites[site], np.int64) for site in self.sites}

    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        runs = [(int(self._cells.atoms[cell]), rows) for cell, rows in self._cells.runs(block)]
        for atom, rows in runs:
            self._n[atom] += rows.stop - rows.start
        for site in self.sites:
            values = block.values[site]
            if values.dtype == np.float16:
                values = values.astype(np.float32)
            if not np.isfinite(values).all():
                raise AnalysisError(not_numbers(site))
            for atom, rows in runs:
                _count(values[rows], self._bounds[site], self._saturated[site][atom], self._outside[site])

    def merge(self, other: "Saturations") -> None:
        """Add what another statistic has seen of other characters."""
        self._n += other._n
        for site in self.sites:
            self._saturated[site] += other._saturated[site]
            self._outside[site] += other._outside[site]

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result."""

    def result(self) -> dict[Site, Saturation]:
        """Return how often the units of each site are saturated."""
        return {site: self._of(site) for site in self.sites}

    def _of(self, site: Site) -> Saturation:
        n_left, n_right = self._saturated[site].sum(axis=0)
        left, right = (_intervals(self._n, by_atom) for by_atom in np.moveaxis(self._saturated[site], 1, 0))
        is_outside = self._outside[site] > 0
        return Saturation(
            site=site,
            n_chars=int(self._n.sum()),
            n_left=n_left,
            n_right=n_right,
            n_outside=self._outside[site],
            left_interval=np.where(is_outside, np.nan, left),
            right_interval=np.where(is_outside, np.nan, right),
        )

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {"n": self._n}
        for site in self.sites:
            state |= {f"{site}/saturated": self._saturated[site], f"{site}/outside": self._outside[site]}
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        self._n = arrays["n"].copy()
        for site in self.sites:
            self._saturated[site] = arrays[f"{site}/saturated"].copy()
            self._outside[site] = arrays[f"{site}/outside"].copy()


def has_range(site: Site) -> bool:
    """Return whether the range of a site's units is known, so that their saturation can be counted."""
    return _bounds(site) is not None


def _bounds(site: Site) -> tuple[float, float, float, float] | None:
    """Return below and above which values units of a site are saturated, and the ends of the range; None if unknown."""
    if (site.signal or "").endswith("_gate"):
        return _GATE
    by_signal: Mapping[str | None, tuple[float, float, float, float]] = {
        "hidden": _SIGNED,
        "candidate": _SIGNED,
        "cell": _CELL,
    }
    return by_signal.get(site.signal)


def _intervals(n: NDArray[np.int64], saturated: NDArray[np.int64]) -> Array:
    """(2, n_units) ends of 95 % intervals of shares, from (n_atoms,) and (n_atoms, n_units) numbers of characters."""
    has_chars = n > 0
    n, saturated = n[has_chars], saturated[has_chars]
    if len(n) < 2:
        return np.full((2, saturated.shape[1]), np.nan)
    shares = saturated.sum(axis=0) / n.sum()
    influence = (saturated - n[:, None] * shares) / n.sum()
    freedom = n_cosines(len(n))
    errors = standard_errors(influence, len(n), freedom)
    return np.array(intervals(shares, errors, freedom, "logit", None))


@compiled(nogil=True)
def _count(
    values: NDArray[np.floating],
    bounds: tuple[float, float, float, float],
    saturated: NDArray[np.int64],
    outside: NDArray[np.int64],
) -> None:
    """Add (n_chars, n_units) values to the numbers of saturated characters, and of those outside the range.

    The same as

        left, right, lowest, highest = bounds
        saturated += (values < left).sum(axis=0), (values > right).sum(axis=0)
        outside += ((values < lowest) | (values > highest)).sum(axis=0)

    with values compared as float64.
    """
    left, right, lowest, highest = bounds
    for row in range(len(values)):
        for unit in range(values.shape[1]):
            value = np.float64(values[row, unit])
            saturated[0, unit] += value < left
            saturated[1, unit] += value > right
            outside[unit] += (value < lowest) or (value > highest)
