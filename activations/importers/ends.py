"""Finding what stands before and behind the recurrent layers: the input and the read-out."""

import re
from typing import NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.importers.parts import Matrix, Parts, Remaining, Stack

_EMBEDDING_NAMES = re.compile(r"emb|encoder|lookup|wte|input|i2e", re.IGNORECASE)
_READOUT_NAMES = re.compile(r"decod|fc|out|predict|head|proj|linear|h2o|classif|logit|softmax|dense", re.IGNORECASE)


class _End(NamedTuple):
    """A matrix that could be the input or the read-out.

    Attributes:
        name: In the file.
        shape: As a read-out has it: a row for each character.
        bias: The name of its bias, if it has one.
        turned: Whether the file has it the other way round.
    """

    name: str
    shape: tuple[int, int]
    bias: str | None
    turned: bool = False


def with_ends(arrays: Remaining, stack: Stack, *, turned: bool = False) -> Parts:
    """Find the input and the read-out among what is left.

    Args:
        arrays: What is left.
        stack: The layers.
        turned: Whether the file has matrices for row vectors, and so, perhaps, the read-out.
    """
    n_inputs, n_units = stack.n_inputs, stack.n_units
    ends = _ends(arrays)
    readouts = [end for end in ends if end.shape[1] == n_units]
    if turned and not readouts:
        readouts = [end._replace(shape=end.shape[::-1], turned=True) for end in ends if end.shape[0] == n_units]
    readout = _choose_readout(readouts, n_inputs, n_units)
    n_characters = readout.shape[0]
    matrix = arrays.take(readout.name, 2)
    bias = readout.bias or _loose_bias(arrays, n_characters, n_units)
    others = [end for end in ends if end.name != readout.name]
    embedding, where = _input(arrays, others, n_characters, n_inputs)
    if embedding is None and n_inputs not in (n_characters, n_units):
        behind = [end.name for end in others if end.shape[1] == n_characters]
        raise ActivationError(
            f"layer 0 takes {n_inputs} inputs, and the read-out {readout.name} gives {n_characters}; no embedding of "
            f"shape ({n_characters}, {n_inputs}) was found"
            + (f"; {behind[0]} stands behind the read-out, and only one layer of that is read" if behind else "")
        )
    if embedding is None and n_inputs != n_characters:  # tied weights, of which one was kept
        embedding, where = matrix, f"{readout.name}, which serves as the embedding, too"
    return Parts.of(
        arrays,
        stack,
        np.ascontiguousarray(matrix.T) if readout.turned else matrix,
        arrays.take(bias, 1) if bias else None,
        f"{readout.name} {matrix.shape}",
        embedding,
        where,
    )


def _ends(arrays: Remaining) -> list[_End]:
    found = []
    for name, shape in arrays.matrices().items():
        bias = re.sub(r"weight$", "bias", name)
        has_bias = bias != name and bias in arrays
        found.append(_End(name, shape, bias if has_bias else None))
    return found


def _input(arrays: Remaining, ends: list[_End], n_characters: int, n_inputs: int) -> tuple[Matrix | None, str]:
    """What stands between the characters and layer 0, and how it was found; None if nothing does."""
    embeddings = [end for end in ends if end.shape == (n_characters, n_inputs) and end.bias is None]
    linears = [end for end in ends if end.shape == (n_inputs, n_characters) and n_inputs != n_characters]
    if embeddings:
        chosen = _choose(embeddings, _EMBEDDING_NAMES, "the embedding")
        return arrays.take(chosen.name, 2), f"{chosen.name} {chosen.shape}, an embedding"
    if linears:
        chosen = _choose(linears, _EMBEDDING_NAMES, "the input")
        embedding = np.ascontiguousarray(arrays.take(chosen.name, 2).T)
        if chosen.bias:
            embedding = embedding + arrays.take(chosen.bias, 1)
        return embedding, f"{chosen.name} {chosen.shape}, a linear layer, which serves as an embedding"
    return None, f"characters as one-hot vectors of {n_characters}"


def _loose_bias(arrays: Remaining, n_characters: int, n_units: int) -> str | None:
    """The bias of a read-out that is no linear layer but a bare matrix."""
    vectors = arrays.vectors(n_characters)
    named = [name for name in vectors if re.search(r"(^|[._])b", name)]
    if len(vectors) == 1 and (n_characters != n_units or named):
        return vectors[0]
    return None


def _choose_readout(readouts: list[_End], n_inputs: int, n_units: int) -> _End:
    """The read-out has the last word: (n_characters, n_units)."""
    if not readouts:
        raise ActivationError(
            "no read-out was found: a matrix of one row for each character and a column for each unit"
        )
    with_bias = [end for end in readouts if end.bias]
    if len(with_bias) == 1:
        return with_bias[0]
    if len(readouts) == 2 and n_inputs == n_units and readouts[0].shape == readouts[1].shape and not with_bias:
        named = [bool(_READOUT_NAMES.search(end.name)) for end in readouts]
        return readouts[0] if named == [True, False] else readouts[1]  # the other one is the embedding
    return _choose(readouts, _READOUT_NAMES, "the read-out")


def _choose(ends: list[_End], pattern: re.Pattern[str], what: str) -> _End:
    if len(ends) > 1 and (named := [end for end in ends if pattern.search(end.name)]):
        ends = named
    if len(ends) > 1:
        raise ActivationError(
            f"{what} could be {' or '.join(end.name for end in ends)}, and only models with one are read; if the "
            "file has several models, choose one with --prefix"
        )
    return ends[0]
