"""Variants: readings of one text side by side, each with its own changes of the model's values.

Variant 0 is the reading without changes, beside which the others are compared: whatever row 0 of an array below says,
it leaves the values as they are. A change is made for all variants at once, so that hundreds of them cost hardly more
than the matrix products of their steps.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Block, Source
from activations.gradient_sums import GradientSums, HeldPath, Measure
from activations.progress import Advance
from activations.texts.corpus import Corpus
from activations.units import Site

Floats = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Hold:
    """Units of each variant are held at fixed values at every step.

    Attributes:
        site: The site.
        is_held: (n_rows, n_units), which units each variant holds.
        values: (n_rows, n_units) the values at which they are held.
    """

    site: Site
    is_held: Mask
    values: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """Units of each variant have, at every step, the values that they had elsewhere in the text.

    Attributes:
        site: The site.
        is_replayed: (n_rows, n_units), which units of each variant are changed.
        recorded: (n_chars, n_units) values of all characters of the text, as it was read without changes.
        shifts: (n_rows,) the number of characters from each character to the one whose values it gets; behind the last
            character of the text, the first one follows.
    """

    site: Site
    is_replayed: Mask
    recorded: Floats
    shifts: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class ReplaceOnce:
    """Values of units are replaced at one character of each document.

    Attributes:
        site: The site.
        is_replaced: (n_rows, n_units), which units of each variant are changed.
        values: (n_rows, n_documents, n_units) their new values; an axis of 1 is for all variants or documents.
        offset: The position of the character in its document.
    """

    site: Site
    is_replaced: Mask
    values: Floats
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class InterchangeOnce:
    """The part of the values in a subspace is replaced by that of other values, at one character of each document.

    The values h become h + (v − h) B Bᵀ: with B = I the other values v; with B = 0 they stay as they are.

    Attributes:
        site: The site.
        projections: (n_rows, n_units, n_units) B Bᵀ of each variant.
        values: (n_rows, n_documents, n_units) the other values v; an axis of 1 is for all variants or documents.
        offset: The position of the character in its document.
    """

    site: Site
    projections: Floats
    values: Floats
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class AddOnce:
    """A vector is added to the values at one character of each document.

    Attributes:
        site: The site.
        vectors: (n_rows, n_documents, n_units); an axis of 1 is for all variants or documents.
        offset: The position of the character in its document.
    """

    site: Site
    vectors: Floats
    offset: int


@dataclass(frozen=True, slots=True, eq=False)
class Restore:
    """Each document begins with a given state, in all variants, the reading without changes among them.

    Attributes:
        site: A site that is carried from one character to the next; there is one such change for each of them.
        state: (n_documents, n_units) the state after the first character.
    """

    site: Site
    state: Floats


VariantChange = Hold | Replay | ReplaceOnce | InterchangeOnce | AddOnce | Restore


@dataclass(frozen=True, slots=True, eq=False)
class VariantBatch:
    """The losses and values of some of the variants.

    Attributes:
        first: The number of the first of these variants, from 1.
        unchanged: (n_chars,) float32, after each character of the text the loss of the next one without changes, in
            nats; NaN at the end of a document.
        losses: (n_variants, n_chars) float32, the same for each variant.
        values: (1 + n_variants, n_chars, n_units) float32 for each site that is wanted; the first without changes.
    """

    first: int
    unchanged: NDArray[np.float32]
    losses: NDArray[np.float32]
    values: Mapping[Site, NDArray[np.float32]] = field(default_factory=dict)


class ModelSource(Source, Protocol):
    """A source whose model can read other texts, and can be changed while it reads."""

    @property
    def carried(self) -> Sequence[Site]:
        """The sites that are carried from one character to the next; together they are the model's whole state."""
        ...

    @property
    def unbounded(self) -> frozenset[Site]:
        """The sites whose values may leave [-1, 1]."""
        ...

    def blocks(
        self, sites: Collection[Site] | None = None, *, predictions: bool | Collection[str] = False
    ) -> Iterator[Block]:
        """Give every character once; of predictions all kinds, none, or those that are named. See `Source.blocks`."""
        ...

    def with_corpus(self, corpus: Corpus, *, dtype: str = "float32") -> "ModelSource":
        """Let the same model read another text, whole and by the same rule; `dtype` is as in `ComputeOptions`."""
        ...

    def read_variants(
        self,
        corpus: Corpus,
        changes: Sequence[VariantChange],
        n_variants: int,
        *,
        sites: Sequence[Site] = (),
        advance: Advance = ...,
    ) -> Iterator[VariantBatch]:
        """Let several variants of the model read a text, a batch of them at a time.

        Values and losses are computed in float32. The lanes of all variants are cut at the same characters and rounded
        alike, so that a variant whose changes change nothing has exactly the losses of the one without changes.

        Args:
            corpus: The text; each document is read from a zero state.
            changes: The changes, in the order in which they act; arrays have 1 + n_variants rows.
            n_variants: Number of variants, beside the reading without changes, which every batch has.
            sites: The sites whose values are wanted, too.
            advance: Called with the number of characters that were read, of all variants together.
        """
        ...

    def read_gradients(
        self,
        corpus: Corpus,
        sites: Sequence[Site],
        weights: Floats,
        *,
        state: Mapping[Site, Floats] | None = None,
        path: HeldPath | None = None,
        measure: Measure = "loss",
        advance: Advance = ...,
    ) -> GradientSums:
        """Differentiate weighted sums of losses with respect to the values of units, by back-propagation through time.

        M_k of a document is the sum over its characters t of w_kt ℓ_t, with ℓ_t the loss of the next character. A
        derivative with respect to a value is that by all that follows from it, in its step and in later ones up to
        the end of the document: what M changes by if this value alone is changed, once.

        On a path, all units of a site are held instead, and derivatives are those by one value while the others stay
        where they are held, as means over the path. With these, (v − a) ∂M/∂a summed over units and characters is
        what holding the whole site at v changes M by (integrated gradients).

        Args:
            corpus: The text; each document is read from a zero state, or from `state`.
            sites: The sites; without a path.
            weights: (n_sets, n_chars) the weights w of each set of characters.
            state: (n_documents, n_units) the state after the first character of each document, for each of `carried`;
                the values at this character are then not differentiated by.
            path: The site that is held, where, and in how many steps.
            measure: What is summed: the loss of the next character in nats, or its logit.
            advance: Called with the number of characters that were read.

        Source:
            Sundararajan, Taly & Yan 2017, arXiv:1703.01365: integrated gradients.
        """
        ...
