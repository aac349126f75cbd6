"""Sums of products of units with labels, by atom: correlations, explained variance, differences of means."""

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
from hypotheses.labelling.corpus_labels import CHUNK

_ROUNDING = 1e-12  # of a mean: what a unit that never changes scatters by


class Products(NamedTuple):
    """Sums of products of a label with the units of a site, themselves and squared.

    Attributes:
        cells: One for each atom, and one for its gaps if it has any, of the units' values less `middle`.
        middle: (n_units,) something near the units' means, so that squares do not swallow what differs.
        held_out: (n_cells,) whether a cell is of the test part.
        gap: (n_cells,) whether it lies between the parts.
        atoms: (n_cells,) the atom of each, in ascending order.
    """

    cells: AtomSums
    middle: NDArray[np.float64]
    held_out: NDArray[np.bool_]
    gap: NDArray[np.bool_]
    atoms: NDArray[np.int64]

    def of(self, part: int) -> AtomSums:
        """The sums over a part of the text, `TRAIN`, `TEST` or `ALL`, in one cell."""
        chosen = {TRAIN: ~self.held_out & ~self.gap, TEST: self.held_out, ALL: np.ones_like(self.gap)}[part]
        return self.cells.of(chosen).together()

    @property
    def of_atoms(self) -> AtomSums:
        """The sums over each atom."""
        return self.cells.together(np.flatnonzero(np.diff(self.atoms, prepend=-1)))

    def scatter(self, part: int) -> NDArray[np.float64]:
        """(n_units,) sums of squared deviations from the mean; 0 for a unit that never changes but for rounding."""
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
        """Of labels.

        Args:
            targets: The labels.
            sites: What is read, and how many units each site has.
            classes: Those of which the labels are each against the rest, in their order: units are then added up class
                by class, which takes less time than products with each label.
        """
        self._asked, self._classes = _Asked(targets), classes
        asked = self._asked
        self.sites = list(sites)
        self._sums = {
            site: JointSums(asked.n_cells, n_units, asked.n_labels, asked.n_masks) for site, n_units in sites.items()
        }
        self._middles: dict[Site, NDArray[np.float64]] = {}

    @np.errstate(invalid="ignore", over="ignore")  # what is not a number is told at the end of the reading
    def update(self, block: Block, labels: BlockLabels) -> None:
        """See `Statistic`."""
        for site in self.sites:
            if site not in self._middles:
                self._middles[site] = block.values[site].mean(axis=0, dtype=np.float64)
        if self._classes is not None:
            self._add_classes(block, self._classes)
            return
        y, runs = self._asked.labels(block), self._asked.runs(block)
        for site, own in self._sums.items():
            for cell, run in runs:
                own.add_rows(cell, block.values[site][run], self._middles[site], y[:, run])

    def _add_classes(self, block: Block, classes: Classes) -> None:
        n_classes, missing = self._asked.n_labels, self._asked.missing(block)
        codes = classes.of(block.places).astype(np.int16)
        codes[missing] = n_classes
        y = np.hstack([np.eye(n_classes), np.ones((n_classes, 1))])
        for cell, run in self._asked.runs(block):
            order = np.argsort(codes[run], kind="stable")
            n = np.bincount(codes[run], minlength=n_classes + 1)
            there = np.flatnonzero(n[:n_classes])
            order = order[: len(order) - n[n_classes]]
            if not len(there):
                continue
            starts = np.cumsum(n[there]) - n[there]
            for site, own in self._sums.items():
                x = block.values[site][run][order] - self._middles[site]
                own.add(cell, np.add.reduceat(x, starts, axis=0).T, y[there], n[there])
                own.xx[cell, 0] += np.einsum("ij,ij->j", x, x)

    def merge(self, other: "ProductSums") -> None:
        """See `Statistic`; sums of values less another middle are moved to this one's."""
        for site, own in self._sums.items():
            if site not in self._middles:
                self._middles[site] = other._middles.get(site, np.zeros(own.xy.shape[2]))
            if site in other._middles:
                own.merge(other._sums[site], other._middles[site] - self._middles[site])

    def end_reading(self) -> None:
        """See `Statistic`.

        Raises:
            AnalysisError: If an activation is not a number.
        """
        for site, own in self._sums.items():
            if not np.isfinite(own.xx).all():
                raise AnalysisError(not_numbers(site))

    def result(self) -> list[dict[Site, Products]]:
        """For each label, what is known of each site."""
        asked = self._asked
        atoms, gap = asked.kinds // 2, asked.kinds % 2 == 1
        held_out = asked.split.held_out_atoms[atoms]
        return [
            {
                site: Products(own.of_label(label, asked.mask_of[label]), self._middles[site], held_out, gap, atoms)
                for site, own in self._sums.items()
            }
            for label in range(asked.n_labels)
        ]

    def arrays(self) -> State:
        """See `Statistic`."""
        found: State = {}
        for site, own in self._sums.items():
            found |= {f"{site}/{name}": array for name, array in own.arrays().items()}
            if site in self._middles:
                found[f"{site}/middle"] = self._middles[site]
        return found

    def restore(self, arrays: State) -> None:
        """See `Statistic`."""
        for site, own in self._sums.items():
            own.restore({name: arrays[f"{site}/{name}"] for name in own.arrays()})
            if f"{site}/middle" in arrays:
                self._middles[site] = arrays[f"{site}/middle"].copy()


class _Asked:
    """Several labels with one split, and masks of the characters that have them.

    Sums are kept apart by cell: an atom has one, and another one for its gaps, if it has any.

    Attributes:
        kinds: (n_cells,) twice the atom of each cell, and 1 more for gaps.
    """

    def __init__(self, targets: Sequence[Target]) -> None:
        self.split: Split = targets[0].split
        self.n_labels = len(targets)
        self._text_cells = TextCells(self.split)
        kinds = 2 * self._text_cells.atoms + (self._text_cells.parts(self.split.only_fold) == GAP)
        self.kinds, self._cell_of = np.unique(kinds, return_inverse=True)
        self.n_cells = len(self.kinds)
        masks = [mask_of(each) for each in targets]
        self._masks = {mask: each.labels for mask, each in zip(masks, targets, strict=True)}
        self.mask_of = [list(self._masks).index(mask) for mask in masks]
        self.n_masks = len(self._masks)
        self._labels = [each.labels for each in targets]
        self._middles = [each.sizes().mean if each.kind == "numeric" else 0.0 for each in targets]

    def labels(self, block: Block) -> NDArray[np.float64]:
        """(n_labels + n_masks, n_chars) labels, less something near their means, and masks; see `JointSums`."""
        place = block.places
        y = np.ones((self.n_labels + self.n_masks, block.n_chars))
        masks = [each.missing_at(place) for each in self._masks.values()]
        for own, label, middle, mask in zip(y, self._labels, self._middles, self.mask_of, strict=False):
            np.subtract(label.values_at(place), middle, out=own)
            if (missing := masks[mask]) is not None:
                own[missing] = 0
        for own, missing in zip(y[self.n_labels :], masks, strict=True):
            if missing is not None:
                own[missing] = 0
        return y

    def missing(self, block: Block) -> NDArray[np.bool_]:
        """(n_chars,) where a block has no labels, if these are missing at the same characters."""
        [labels] = self._masks.values()
        missing = labels.missing_at(block.places)
        return np.zeros(block.n_chars, np.bool_) if missing is None else missing

    def runs(self, block: Block) -> list[tuple[int, slice]]:
        """Which of a block's rows lie in which cell."""
        return [(int(self._cell_of[cell]), run) for cell, run in self._text_cells.runs(block)]


def mask_of(asked: Target) -> bytes:
    """What targets have in common whose labels are missing at the same characters."""
    labels = asked.labels
    if not labels.may_miss:
        return b""
    digest = hashlib.sha1(usedforsecurity=False)
    for start in range(0, len(labels), CHUNK):
        digest.update(np.ascontiguousarray(labels.missing_at(slice(start, start + CHUNK))).data)
    return digest.digest()
