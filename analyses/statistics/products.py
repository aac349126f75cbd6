"""Sums of products of units with labels, by atom, which correlations and differences of means are made of."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block
from activations.units import Site
from analyses.collecting.statistic import BlockLabels, State
from analyses.collecting.text_cells import TextCells
from analyses.errors import AnalysisError
from analyses.intervals.atom_sums import AtomSums, JointSums
from analyses.levels.columns import not_numbers
from analyses.targets.classes import Classes
from analyses.targets.splits import ALL, GAP, TEST, TRAIN, Split
from analyses.targets.target import Target
from analyses.threads import do_in_threads
from hypotheses.labelling.corpus_labels import CHUNK

_MANY = 1 << 20  # values from which on it pays to share work among cores
_ROUNDING = 1e-12  # of a mean; deviations below that are rounding


class Products(NamedTuple):
    """Sums of products of a label with the units of a site, and of the squares of both.

    Attributes:
        cells: The sums, of the units' values less `middle`; a cell for each atom, and one for its gaps if it has any.
        middle: (n_units,) numbers near the units' means, so that squares of large values do not swallow differences.
        held_out: (n_cells,) whether a cell is of the test part.
        gap: (n_cells,) whether a cell lies between the parts.
        atoms: (n_cells,) the atom of each, in ascending order.
    """

    cells: AtomSums
    middle: NDArray[np.float64]
    held_out: NDArray[np.bool_]
    gap: NDArray[np.bool_]
    atoms: NDArray[np.int64]

    def of(self, part: int) -> AtomSums:
        """Return the sums over a part of the text, `TRAIN`, `TEST` or `ALL`, in one cell."""
        chosen = {TRAIN: ~self.held_out & ~self.gap, TEST: self.held_out, ALL: np.ones_like(self.gap)}[part]
        return self.cells.of(chosen).together()

    @property
    def of_atoms(self) -> AtomSums:
        """The sums over each atom."""
        return self.cells.together(np.flatnonzero(np.diff(self.atoms, prepend=-1)))

    def scatter(self, part: int) -> NDArray[np.float64]:
        """(n_units,) sums of squared deviations from the mean; 0 for a unit that is constant up to rounding."""
        total = self.of(part)
        n, x, xx = total.n[0], total.x[0], total.xx[0]
        scatter = xx - x * x / n
        rounding = n * (_ROUNDING * (self.middle + x / n)) ** 2
        return np.asarray(np.where(scatter > rounding, scatter, 0.0))

    def r(self, part: int) -> NDArray[np.float64]:
        """(n_units,) Pearson's r; NaN where either never changes."""
        total = self.of(part)
        n, y, yy = total.n[0], total.y[0], total.yy[0]
        with np.errstate(invalid="ignore", divide="ignore"):
            product = np.sqrt(self.scatter(part) * max(yy - y * y / n, 0.0))
            co_scatter = total.xy[0] - total.x[0] * y / n
            return np.asarray(np.clip(np.where(product > 0, co_scatter / product, np.nan), -1.0, 1.0))


class ProductSums:
    """Sums of products of units and labels that share a split: `Products` of each label and site, in one reading."""

    n_readings = 1
    predictions = False

    def __init__(self, targets: Sequence[Target], sites: Mapping[Site, int], classes: Classes | None = None) -> None:
        """Start with no characters counted yet.

        Args:
            targets: The labels.
            sites: The sites that are read, and how many units each has.
            classes: Classes, if the labels are each of them against the rest, in their order: units are then added up
                class by class, which is faster than products with each label.
        """
        labels = _CellLabels(targets)
        self._labels, self._classes = labels, classes
        self.sites = list(sites)
        self._sums = {
            site: JointSums(labels.n_cells, n_units, labels.n_labels, labels.n_masks) for site, n_units in sites.items()
        }
        self._middles: dict[Site, NDArray[np.float64]] = {}

    @np.errstate(invalid="ignore", over="ignore")  # NaNs are reported at the end of the reading
    def update(self, block: Block, labels: BlockLabels) -> None:
        """Add the characters of a block."""
        for site in self.sites:
            if site not in self._middles:
                self._middles[site] = block.values[site].mean(axis=0, dtype=np.float64)
        if self._classes is not None:
            self._add_classes(block, self._classes)
            return
        y, runs = self._labels.labels(block), self._labels.runs(block)

        runs_by_cell: dict[int, list[slice]] = {}
        for cell, run in runs:
            runs_by_cell.setdefault(cell, []).append(run)

        def add(site_and_cell: tuple[Site, int]) -> None:
            site, cell = site_and_cell
            for run in runs_by_cell[cell]:
                self._sums[site].add_rows(cell, block.values[site][run], self._middles[site], y[:, run])

        pieces = [(site, cell) for site in self._sums for cell in runs_by_cell]
        n_values = sum(block.values[site].size for site in self._sums)
        do_in_threads(add, pieces, is_worth_it=n_values >= _MANY)

    def _add_classes(self, block: Block, classes: Classes) -> None:
        n_classes, missing = self._labels.n_labels, self._labels.missing(block)
        codes = classes.of(block.positions).astype(np.int16)
        codes[missing] = n_classes
        y = np.hstack([np.eye(n_classes), np.ones((n_classes, 1))])
        for cell, run in self._labels.runs(block):
            order = np.argsort(codes[run], kind="stable")
            n = np.bincount(codes[run], minlength=n_classes + 1)
            present = np.flatnonzero(n[:n_classes])
            order = order[: len(order) - n[n_classes]]
            if not len(present):
                continue
            starts = np.cumsum(n[present]) - n[present]
            for site, sums in self._sums.items():
                x = block.values[site][run][order] - self._middles[site]
                sums.add(cell, np.add.reduceat(x, starts, axis=0).T, y[present], n[present])
                sums.xx[cell, 0] += np.einsum("ij,ij->j", x, x)

    def merge(self, other: "ProductSums") -> None:
        """Add what another statistic has seen; sums of values less its middle are moved to this one's."""
        for site, sums in self._sums.items():
            if site not in self._middles:
                self._middles[site] = other._middles.get(site, np.zeros(sums.xy.shape[2]))
            if site in other._middles:
                sums.merge(other._sums[site], other._middles[site] - self._middles[site])

    def end_reading(self) -> None:
        """Prepare for the next reading, or for the result.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        for site, sums in self._sums.items():
            if not np.isfinite(sums.xx).all():
                raise AnalysisError(not_numbers(site))

    def result(self) -> list[dict[Site, Products]]:
        """Return the products of each label with the units of each site."""
        labels = self._labels
        atoms, gap = labels.atoms_and_gaps // 2, labels.atoms_and_gaps % 2 == 1
        held_out = labels.split.held_out_atoms[atoms]
        return [
            {
                site: Products(sums.of_label(label, labels.mask_of[label]), self._middles[site], held_out, gap, atoms)
                for site, sums in self._sums.items()
            }
            for label in range(labels.n_labels)
        ]

    def arrays(self) -> State:
        """Return the whole state as arrays by name."""
        state: State = {}
        for site, sums in self._sums.items():
            state |= {f"{site}/{name}": array for name, array in sums.arrays().items()}
            if site in self._middles:
                state[f"{site}/middle"] = self._middles[site]
        return state

    def restore(self, arrays: State) -> None:
        """Take over the state that `arrays` returned."""
        for site, sums in self._sums.items():
            sums.restore({name: arrays[f"{site}/{name}"] for name in sums.arrays()})
            if f"{site}/middle" in arrays:
                self._middles[site] = arrays[f"{site}/middle"].copy()


class _CellLabels:
    """Several labels with one split by cell, and masks of the characters that have them.

    Sums are kept apart by cell: an atom has one, and another one for its gaps, if it has any.

    Attributes:
        atoms_and_gaps: (n_cells,) twice the atom of each cell, and 1 more for gaps.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.split: Split = targets[0].split
        self.n_labels = len(targets)
        self._text_cells = TextCells(self.split)
        numbers = 2 * self._text_cells.atoms + (self._text_cells.parts(self.split.only_fold) == GAP)
        self.atoms_and_gaps, self._cell_of = np.unique(numbers, return_inverse=True)
        self.n_cells = len(self.atoms_and_gaps)
        masks = [mask_of(target) for target in targets]
        self._masks = {mask: target.labels for mask, target in zip(masks, targets, strict=True)}
        self.mask_of = [list(self._masks).index(mask) for mask in masks]
        self.n_masks = len(self._masks)
        self._labels = [target.labels for target in targets]
        self._middles = [target.sizes().mean if target.kind == "numeric" else 0.0 for target in targets]

    def labels(self, block: Block) -> NDArray[np.float64]:
        """(n_labels + n_masks, n_chars) labels, less their means if they are numbers, and masks; see `JointSums`."""
        places = block.positions
        y = np.ones((self.n_labels + self.n_masks, block.n_chars))
        missing_by_mask = [labels.missing_at(places) for labels in self._masks.values()]
        for row, label, middle, mask in zip(y, self._labels, self._middles, self.mask_of, strict=False):
            np.subtract(label.values_at(places), middle, out=row)
            if (missing := missing_by_mask[mask]) is not None:
                row[missing] = 0
        for row, missing in zip(y[self.n_labels :], missing_by_mask, strict=True):
            if missing is not None:
                row[missing] = 0
        return y

    def missing(self, block: Block) -> NDArray[np.bool_]:
        """(n_chars,) whether labels that are missing at the same characters are missing."""
        [labels] = self._masks.values()
        missing = labels.missing_at(block.positions)
        return np.zeros(block.n_chars, np.bool_) if missing is None else missing

    def runs(self, block: Block) -> list[tuple[int, slice]]:
        """Return the cells that a block touches, with the rows that lie in each."""
        return [(int(self._cell_of[cell]), run) for cell, run in self._text_cells.runs(block)]


def mask_of(target: Target) -> bytes:
    """Hash the characters at which the labels of a target are missing; empty if none can be."""
    labels = target.labels
    if not labels.may_miss:
        return b""
    digest = hashlib.sha1(usedforsecurity=False)
    for start in range(0, len(labels), CHUNK):
        digest.update(np.ascontiguousarray(labels.missing_at(slice(start, start + CHUNK))).data)
    return digest.digest()
