"""The changes of variants as interventions, made for all lanes at once."""

from collections.abc import Callable, Sequence
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions
from activations.units import Site
from activations.variants import AddOnce, Hold, InterchangeOnce, ReplaceOnce, Replay, Restore, VariantChange


class VariantPositions(NamedTuple):
    """The variant, the document and the position of the character that each lane reads.

    Attributes:
        variants: (n_lanes,) int64, 0 for the reading without changes.
        documents: (n_lanes,) int64 indices of documents in the text that all variants read.
        offsets: (n_lanes,) int64 positions of characters in their documents; -1 where a lane waits for the others.
        positions: (n_lanes,) int64 positions of characters in the text; -1 likewise.
    """

    variants: Tensor
    documents: Tensor
    offsets: Tensor
    positions: Tensor


_Change = Callable[[Tensor, VariantPositions], Tensor]


def as_intervention(
    change: VariantChange, starts: NDArray[np.int64], n_chars: int, variants: Sequence[int]
) -> Intervention:
    """Return a change as an intervention in a text that holds the text of the variants once for each of some of them.

    Args:
        change: The change.
        starts: (n_documents,) where the documents of the text of one variant start.
        n_chars: Length of that text.
        variants: The number of each of these variants.
    """
    document_starts, numbers = torch.from_numpy(starts), torch.tensor(variants)
    changed = compiled(change)

    def intervene(values: Tensor, where: LanePositions) -> Tensor:
        device = where.documents.device
        number = torch.div(where.documents, len(starts), rounding_mode="floor")
        documents = where.documents - number * len(starts)
        waits = where.positions < 0
        positions = torch.where(waits, where.positions, where.positions - number * n_chars)
        offsets = torch.where(waits, where.positions, positions - document_starts.to(device)[documents])
        return changed(values, VariantPositions(numbers.to(device)[number], documents, offsets, positions))

    return Intervention(change.site, intervene, "a change that depends on the variant")


@singledispatch
def compiled(change: VariantChange) -> _Change:
    """Return the function that makes a change in (n_lanes, n_units) values, given where each lane is."""
    raise TypeError(f"{change!r} is no change of variants")


@compiled.register
def _(change: Hold) -> _Change:
    is_held, held = torch.from_numpy(change.is_held), _floats(change.values)

    def changed(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(change.site, is_held, current)
        chosen = _rows(is_held, where.variants) & (where.variants > 0)[:, None]
        return torch.where(chosen, _rows(held, where.variants), current)

    return changed


@compiled.register
def _(change: Replay) -> _Change:
    is_replayed, recorded = torch.from_numpy(change.is_replayed), _floats(change.recorded)
    shifts = torch.from_numpy(change.shifts)

    def changed(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(change.site, is_replayed, current)
        there = (where.positions.clamp(min=0) + _rows(shifts, where.variants)) % len(recorded)
        chosen = _rows(is_replayed, where.variants) & (where.variants > 0)[:, None]
        return torch.where(chosen, _rows(recorded, there), current)

    return changed


@compiled.register
def _(change: ReplaceOnce) -> _Change:
    is_replaced, values = torch.from_numpy(change.is_replaced), _floats(change.values)

    def changed(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(change.site, is_replaced, current)
        chosen = _is_there(where, change.offset)[:, None] & _rows(is_replaced, where.variants)
        return torch.where(chosen, _of_both(values, where), current)

    return changed


@compiled.register
def _(change: InterchangeOnce) -> _Change:
    projections, values = _floats(change.projections), _floats(change.values)

    def changed(current: Tensor, where: VariantPositions) -> Tensor:
        lanes = _is_there(where, change.offset).nonzero().flatten()
        if not len(lanes):
            return current
        _check_width(change.site, projections, current)
        here = VariantPositions(*(tensor[lanes] for tensor in where))
        difference = _of_both(values, here) - current[lanes]
        result = current.clone()
        for variant in sorted(set(here.variants.tolist())):
            is_of_variant = here.variants == variant
            result[lanes[is_of_variant]] += difference[is_of_variant] @ projections.to(current.device)[variant]
        return result

    return changed


@compiled.register
def _(change: AddOnce) -> _Change:
    vectors = _floats(change.vectors)

    def changed(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(change.site, vectors, current)
        return torch.where(_is_there(where, change.offset)[:, None], current + _of_both(vectors, where), current)

    return changed


@compiled.register
def _(change: Restore) -> _Change:
    state = _floats(change.state)

    def changed(current: Tensor, where: VariantPositions) -> Tensor:
        _check_width(change.site, state, current)
        return torch.where((where.offsets == 0)[:, None], _rows(state, where.documents), current)

    return changed


def _floats(array: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, np.float32))


def _is_there(where: VariantPositions, offset: int) -> Tensor:
    """(n_lanes,) bool, the lanes that read a certain character of their document, and have changes."""
    return (where.offsets == offset) & (where.variants > 0)


def _rows(array: Tensor, numbers: Tensor) -> Tensor:
    """Return rows of an array on the device of their numbers."""
    return array.to(numbers.device)[numbers]


def _of_both(array: Tensor, where: VariantPositions) -> Tensor:
    """(n_lanes, n_units) the rows of a (n_variants, n_documents, n_units) array; an axis of 1 is for all."""
    variants = where.variants if len(array) > 1 else torch.zeros_like(where.variants)
    documents = where.documents if array.shape[1] > 1 else torch.zeros_like(where.documents)
    return array.to(variants.device)[variants, documents]


def _check_width(site: Site, array: Tensor, current: Tensor) -> None:
    if array.shape[-1] != current.shape[1]:
        raise ActivationError(
            f"a change for {array.shape[-1]} units cannot be made at {site}; it has {current.shape[1]} units"
        )
