"""Variants: readings of one text side by side, each with its own changes of the model's values.

A change of variants is called once for all lanes, whichever variants and positions they are at, so that hundreds of
variants cost hardly more than the matrix products of their steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions
from activations.units import Site

Floats = NDArray[np.float32]


class VariantPositions(NamedTuple):
    """The variant, the document and the position of the character that each lane reads.

    Attributes:
        variants: (n_lanes,) int64.
        documents: (n_lanes,) int64 indices of documents in the text that all variants read.
        offsets: (n_lanes,) int64 positions of characters in their documents; -1 where a lane waits for the others.
        positions: (n_lanes,) int64 positions of characters in the text; -1 likewise.
    """

    variants: Tensor
    documents: Tensor
    offsets: Tensor
    positions: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class VariantChange:
    """A change of a site's values that depends on the variant.

    Attributes:
        site: The site.
        change: Returns the values that take the place of (n_lanes, n_units) values, given where each lane is.
    """

    site: Site
    change: Callable[[Tensor, VariantPositions], Tensor]

    def as_intervention(self, starts: NDArray[np.int64], n_chars: int, first: int, n_variants: int) -> Intervention:
        """Return the same change for a text that holds the text of the variants once for each of some variants.

        Args:
            starts: (n_documents,) where the documents of one variant's text start.
            n_chars: Length of that text.
            first: The number of the first variant.
            n_variants: Number of all variants; what would be beyond the last one is read as the last one.
        """
        document_starts = torch.from_numpy(starts)

        def change(values: Tensor, where: LanePositions) -> Tensor:
            starts_there = document_starts.to(where.documents.device)
            number = torch.div(where.documents, len(starts), rounding_mode="floor")
            document = where.documents - number * len(starts)
            waits = where.positions < 0
            position = torch.where(waits, where.positions, where.positions - number * n_chars)
            offset = torch.where(waits, where.positions, position - starts_there[document])
            variant = (number + first).clamp(max=n_variants - 1)
            return self.change(values, VariantPositions(variant, document, offset, position))

        return Intervention(self.site, change, "a change that depends on the variant")


def hold(site: Site, is_held: ArrayLike, values: ArrayLike) -> VariantChange:
    """Hold units of each variant at fixed values at every step.

    Args:
        site: The site.
        is_held: (n_variants, n_units) bool, which units are held.
        values: (n_variants, n_units) the values at which they are held.
    """
    mask, held = torch.from_numpy(np.asarray(is_held, bool)), _floats(values)

    def change(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(site, mask, current)
        chosen = where.variants
        return torch.where(_at(mask, chosen, current), _at(held, chosen, current), current)

    return VariantChange(site, change)


def replay(site: Site, is_replayed: ArrayLike, recorded: ArrayLike, shifts: ArrayLike) -> VariantChange:
    """Give units of each variant, at every step, the values that they had elsewhere in the text.

    Args:
        site: The site.
        is_replayed: (n_variants, n_units) bool, which units are changed.
        recorded: (n_chars, n_units) values of all characters of the text, as it was read without changes.
        shifts: (n_variants,) the number of characters from each character to the one whose values it gets; behind
            the last character of the text, the first one follows.
    """
    mask, values = torch.from_numpy(np.asarray(is_replayed, bool)), _floats(recorded)
    shift_of_variant = torch.from_numpy(np.asarray(shifts, np.int64))

    def change(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(site, mask, current)
        there = (where.positions.clamp(min=0) + _at(shift_of_variant, where.variants, current)) % len(values)
        return torch.where(_at(mask, where.variants, current), _at(values, there, current), current)

    return VariantChange(site, change)


def replace_once(site: Site, is_replaced: ArrayLike, values: ArrayLike, offset: int) -> VariantChange:
    """Replace values of units at one character of each document, once.

    Args:
        site: The site.
        is_replaced: (n_variants, n_units) bool, which units are changed.
        values: (n_variants, n_documents, n_units) their values; an axis of 1 is for all variants or documents.
        offset: The position of the character in its document.
    """
    mask, new = torch.from_numpy(np.asarray(is_replaced, bool)), _floats(values)

    def change(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(site, mask, current)
        is_here = (where.offsets == offset)[:, None]
        return torch.where(is_here & _at(mask, where.variants, current), _of_both(new, where, current), current)

    return VariantChange(site, change)


def interchange_once(site: Site, projections: ArrayLike, values: ArrayLike, offset: int) -> VariantChange:
    """Replace what a subspace holds by what it holds in other values, at one character of each document, once.

    The values h become h + (v − h) B Bᵀ: with B = I the other values v, with B = 0 unchanged.

    Args:
        site: The site.
        projections: (n_variants, n_units, n_units) B Bᵀ of each variant.
        values: (n_variants, n_documents, n_units) the other values v; an axis of 1 is for all variants or documents.
        offset: The position of the character in its document.
    """
    matrices, new = _floats(projections), _floats(values)

    def change(current: Tensor, where: VariantPositions) -> Tensor:
        lanes = (where.offsets == offset).nonzero().flatten()
        if not len(lanes):
            return current
        _check_width(site, matrices, current)
        here = VariantPositions(*(tensor[lanes] for tensor in where))
        difference = _of_both(new, here, current) - current[lanes]
        changed = current.clone()
        for variant in here.variants.unique():
            rows = lanes[here.variants == variant]
            projected = difference[here.variants == variant] @ _at(matrices, variant, current)
            changed[rows] = current[rows] + projected
        return changed

    return VariantChange(site, change)


def add_once(site: Site, vectors: ArrayLike, offset: int) -> VariantChange:
    """Add a vector to the values at one character of each document, once.

    Args:
        site: The site.
        vectors: (n_variants, n_documents, n_units); an axis of 1 is for all variants or documents.
        offset: The position of the character in its document.
    """
    added = _floats(vectors)

    def change(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(site, added, current)
        return current + _of_both(added, where, current) * (where.offsets == offset)[:, None]

    return VariantChange(site, change)


def restore(states: Mapping[Site, ArrayLike]) -> list[VariantChange]:
    """Let each document begin with a given state: that after its first character.

    Args:
        states: (n_documents, n_units) for every site that is carried from one character to the next.
    """
    return [
        replace_once(site, np.ones((1, np.shape(state)[-1]), bool), np.asarray(state)[None], 0)
        for site, state in states.items()
    ]


def _floats(array: ArrayLike) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _at(array: Tensor, rows: Tensor, like: Tensor) -> Tensor:
    """Return rows of an array, where the values are that it is used with; a single row is for all."""
    array = array.to(like.device)
    return array.expand(1, *array.shape[1:])[0] if len(array) == 1 else array[rows]


def _of_both(array: Tensor, where: VariantPositions, like: Tensor) -> Tensor:
    """(n_lanes, n_units) the rows of a (n_variants, n_documents, n_units) array; an axis of 1 is for all."""
    variants = where.variants if len(array) > 1 else torch.zeros_like(where.variants)
    documents = where.documents if array.shape[1] > 1 else torch.zeros_like(where.documents)
    return array.to(like.device)[variants, documents]


def _check_width(site: Site, array: Any, current: Tensor) -> None:
    if array.shape[-1] != current.shape[1]:
        raise ActivationError(
            f"a change for {array.shape[-1]} units cannot be made at {site}; it has {current.shape[1]} units"
        )
