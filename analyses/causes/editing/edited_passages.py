"""Passages with and without edits, read from the same warm-up, and what differs after the edit."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from activations.predictions import LOG_PROB
from activations.progress import Progress, no_progress
from activations.texts.codes import concatenate_codes, narrowest, text_to_codes
from activations.texts.corpus import Corpus, Document
from activations.units import Unit, in_order
from activations.variants import ModelSource
from analyses.causes.editing.edits import PlacedEdit

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class EditedReadings:
    """Values and losses of a model after edits, with and without them.

    Row k of the axis of steps is the state after the edit (k = 0) and k more characters, which are the same in both.

    Attributes:
        before: (n_quantities, n_edits, n_steps + 1) without the edit: the loss of the next character, in nats; the
            units; and the outputs of directions.
        after: (n_quantities, n_edits, n_steps + 1) the same with it.
    """

    before: Floats
    after: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Directions of the values of some units, whose outputs are the products with these values.

    Attributes:
        units: The units.
        weights: (n_units, n_directions) the directions.
    """

    units: tuple[Unit, ...]
    weights: Floats


NO_DIRECTIONS = Directions((), np.empty((0, 0)))


def read_edited(
    live: ModelSource,
    edits: Sequence[PlacedEdit],
    units: Sequence[Unit],
    directions: Directions,
    n_steps: int,
    n_warm_up: int,
    progress: Progress = no_progress,
) -> EditedReadings:
    """Read the passages around edits, with and without them, each from a zero state through its warm-up.

    Args:
        live: The model, and how it reads.
        edits: The edits, each with `n_steps` + 1 characters after it in its document.
        units: The units whose values are wanted.
        directions: Those whose outputs are wanted, such as that of a probe.
        n_steps: Characters after the edit.
        n_warm_up: Characters before it, if its document has as many.
        progress: Called with the characters read and their number.
    """
    corpus, rows = _passages(live.corpus, edits, n_steps, n_warm_up)
    number_of = np.full(len(corpus), -1, np.int64)
    number_of[rows.ravel()] = np.arange(rows.size)
    n_directions = directions.weights.shape[1]
    values = np.empty((1 + len(units) + n_directions, rows.size))
    sites = in_order(live.sites, (unit.site for unit in (*units, *directions.units)))
    n_read = 0
    for block in live.with_corpus(corpus).blocks(sites, predictions=(LOG_PROB,)):
        numbers = number_of[block.positions]
        is_wanted = numbers >= 0
        numbers = numbers[is_wanted]
        values[0, numbers] = -block.predictions[LOG_PROB][is_wanted]
        for row, unit in enumerate(units, 1):
            values[row, numbers] = block.values[unit.site][is_wanted, unit.index]
        if n_directions:
            seen = np.column_stack([block.values[unit.site][is_wanted, unit.index] for unit in directions.units])
            values[1 + len(units) :, numbers] = directions.weights.T @ seen.T.astype(np.float64)
        n_read += block.n_chars
        progress(n_read, len(corpus))
    by_passage = values.reshape(len(values), len(edits), 2, n_steps + 1)
    return EditedReadings(by_passage[:, :, 0], by_passage[:, :, 1])


def _passages(
    corpus: Corpus, edits: Sequence[PlacedEdit], n_steps: int, n_warm_up: int
) -> tuple[Corpus, NDArray[np.int64]]:
    """Return the passages, a document each, and the positions there of the characters that are compared.

    Returns:
        For each edit the passage without it, then the one with it; and (n_passages, n_steps + 1) positions.
    """
    pieces, documents, rows = [], [], []
    start = 0
    for edit in edits:
        number = int(np.searchsorted(corpus.starts, edit.position, side="right")) - 1
        first = max(int(corpus.starts[number]), edit.position - n_warm_up)
        stop = edit.stop + n_steps + 1  # the last character is only predicted
        for changed in (edit.removed, edit.inserted):
            codes = concatenate_codes(
                [corpus.codes[first : edit.position], narrowest(text_to_codes(changed)), corpus.codes[edit.stop : stop]]
            )
            rows.append(start + edit.position - first + len(changed) - 1 + np.arange(n_steps + 1))
            documents.append(Document(corpus.documents[number].name, start, len(codes)))
            pieces.append(codes)
            start += len(codes)
    return Corpus(concatenate_codes(pieces), tuple(documents)), np.stack(rows)
