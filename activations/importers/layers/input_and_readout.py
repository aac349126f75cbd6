"""Finding the matrices before and after the recurrent layers: the input and the read-out."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, NoReturn

import numpy as np

from activations.errors import ActivationError
from activations.importers.layers.halves import is_named_hidden, is_named_input
from activations.importers.layers.lstm_options import with_lstm_options
from activations.importers.layers.parts import Matrix, Parts, Stack, UnusedArrays, bias_beside
from activations.importers.layers.unread_kinds import OWN_CODE, RECORDED_WITHOUT_PREDICTIONS

_EMBEDDING_NAMES = re.compile(r"emb|encoder|lookup|wte|input|i2e", re.IGNORECASE)
_TABLE_NAMES = re.compile(r"emb|lookup|wte", re.IGNORECASE)
_INPUT_NAMES = re.compile(rf"{_EMBEDDING_NAMES.pattern}|(?<![a-z])in(?![a-z])", re.IGNORECASE)
_READOUT_NAMES = re.compile(
    r"decod|fc|out|predict|head|proj|linear|h2o|classif|logit|softmax|dense|vocab", re.IGNORECASE
)

_LINEAR_NAMES = re.compile(r"fc|linear|proj|dense", re.IGNORECASE)
_NO_BIAS = re.compile(r"weight|loss|crit|count|freq|mask|norm|gain|gamma|scale", re.IGNORECASE)  # of the loss and so on


class _Candidate(NamedTuple):
    """A matrix that could be the input or the read-out.

    Attributes:
        name: Its name in the file.
        shape: Its shape if it is a read-out, which has a row for each character.
        bias: The name of its bias, if it has one.
        transposed: True if the file has it transposed.
    """

    name: str
    shape: tuple[int, int]
    bias: str | None
    transposed: bool = False


def with_input_and_readout(arrays: UnusedArrays, stack: Stack, *, transposed: bool = False) -> Parts:
    """Find the input and the read-out among the unused arrays, and what an LSTM has besides its matrices.

    Args:
        arrays: Arrays that are not part of the layers.
        stack: The layers.
        transposed: True if the file has matrices for row vectors, so that the read-out may be transposed, too.

    Raises:
        ActivationError: If the input or the read-out is not found, or could be several matrices.
    """
    stack = with_lstm_options(arrays, stack)
    n_inputs, n_hidden = stack.n_inputs, stack.n_hidden
    candidates = _candidates(arrays)
    readouts = [candidate for candidate in candidates if candidate.shape[1] == n_hidden]
    if transposed:
        flipped = [
            candidate._replace(shape=candidate.shape[::-1], transposed=True)
            for candidate in candidates
            if candidate.shape[0] == n_hidden
        ]
        readouts = flipped if _are_before_layers(readouts, flipped, n_inputs) else readouts
    if len({candidate.shape[0] for candidate in readouts}) > 1:
        may_be_readout = [c for c in readouts if c.bias or not _EMBEDDING_NAMES.search(c.name)]
        readouts = [c for c in may_be_readout if arrays.has_vocabulary(c.shape[0])] or readouts
    readout = _choose_readout(readouts, n_inputs, n_hidden)
    n_characters = readout.shape[0]
    matrix = arrays.take(readout.name, 2)
    bias = readout.bias or _loose_bias(arrays, n_characters, n_hidden)
    others = [candidate for candidate in candidates if candidate.name != readout.name]
    may_be_input = [candidate for candidate in others if not _follows(candidate, readout, candidates)]
    embedding, input_note = _input(arrays, may_be_input, n_characters, n_inputs)
    tables = _embeddings_of_others(others, n_inputs)
    if embedding is None and (n_inputs not in (n_characters, n_hidden) or (n_inputs != n_characters and tables)):
        _raise_no_embedding(readout, others, tables, n_inputs)
    has_both_names = n_inputs == n_hidden and _is_named_embedding(arrays.names_in_file(readout.name))
    if embedding is None and (n_inputs != n_characters or has_both_names):  # tied weights
        embedding, input_note = matrix, f"{readout.name}, which serves as the embedding, too"
    return Parts.of(
        arrays,
        stack,
        np.ascontiguousarray(matrix.T) if readout.transposed else matrix,
        arrays.take(bias, 1) if bias else None,
        f"{readout.name} {matrix.shape}",
        embedding,
        input_note,
    )


def _are_before_layers(as_in_file: list[_Candidate], flipped: list[_Candidate], n_inputs: int) -> bool:
    """Are matrices with a row for each character no read-outs beside those of row vectors, which have a column each?

    There are none, or one that has as many columns as layer 0 has inputs, no bias, and no name of a read-out.
    """
    if not as_in_file or not flipped:
        return not as_in_file
    first, *others = as_in_file
    is_embedding = not others and first.shape[1] == n_inputs and not first.bias
    return (
        is_embedding
        and first.name not in [candidate.name for candidate in flipped]
        and first.shape in [candidate.shape for candidate in flipped]
        and not _READOUT_NAMES.search(first.name)
    )


def _is_named_embedding(names: Sequence[str]) -> bool:
    """Is one of the names of an array that of an embedding, and of no read-out?"""
    return any(_EMBEDDING_NAMES.search(name) and not _READOUT_NAMES.search(name) for name in names)


def _follows(candidate: _Candidate, readout: _Candidate, in_order: list[_Candidate]) -> bool:
    """Do the name of a matrix and its place in the file say that it is another layer of the read-out?"""
    is_readout = _READOUT_NAMES.search(candidate.name) and not _INPUT_NAMES.search(candidate.name)
    names = [matrix.name for matrix in in_order]
    return bool(is_readout) and names.index(candidate.name) > names.index(readout.name)


def _embeddings_of_others(candidates: list[_Candidate], n_inputs: int) -> list[_Candidate]:
    """Return embeddings of other characters than those of the read-out, by their names."""
    return [
        candidate
        for candidate in candidates
        if candidate.shape[1] == n_inputs and _EMBEDDING_NAMES.search(candidate.name)
    ]


def _raise_no_embedding(
    readout: _Candidate, candidates: list[_Candidate], tables: list[_Candidate], n_inputs: int
) -> NoReturn:
    """Say that a model does not predict the characters that it reads, and what it may be instead."""
    n_outputs = readout.shape[0]
    if after := next((candidate.name for candidate in candidates if candidate.shape[1] == n_outputs), None):
        raise ActivationError(
            f"{after} follows the read-out {readout.name}, which gives {n_outputs} numbers; only models with one layer "
            f"as their read-out are read, but {OWN_CODE}"
        )
    if tables:
        raise ActivationError(
            f"the model reads {tables[0].shape[0]} characters ({tables[0].name}), and its read-out {readout.name} "
            f"gives {n_outputs} numbers, as a classifier does; {RECORDED_WITHOUT_PREDICTIONS}"
        )
    raise ActivationError(
        f"layer 0 takes {n_inputs} inputs, and the read-out {readout.name} gives {n_outputs}; no embedding of shape "
        f"({n_outputs}, {n_inputs}) was found; if the model predicts something else than the characters that it reads, "
        f"as a classifier does: {RECORDED_WITHOUT_PREDICTIONS}"
    )


def best_of_attempts(
    arrays: UnusedArrays, attempts: Iterable[tuple[Callable[[UnusedArrays], Stack | None], bool]]
) -> Parts | None:
    """Return the best of several ways to find layers among arrays; None if none of them finds a model.

    Args:
        arrays: The arrays, which stay unused.
        attempts: Each a function that takes the layers' arrays, and whether the matrices are for row vectors, so that
            the read-out may be transposed, too.
    """
    solutions = []
    for take_layers, is_transposed in attempts:
        left = arrays.copy()
        try:
            stack = take_layers(left)
            if stack is not None:
                solutions.append(with_input_and_readout(left, stack, transposed=is_transposed))
        except ActivationError:
            continue
    return best_of(solutions)


def best_of(solutions: Iterable[Parts]) -> Parts | None:
    """Return the solution that leaves the fewest arrays unused, and of several that which names contradict least."""
    return min(solutions, key=lambda parts: (len(parts.unused), _contradictions_of_names(parts)), default=None)


def _contradictions_of_names(parts: Parts) -> tuple[int, int]:
    """Return how far names contradict what shapes allow: those of the read-out, and those of the layers.

    The first number is 0 if the read-out has a name of read-outs, 2 if it has one of matrices in a layer, otherwise 1;
    the second is that of embeddings' names among the layers.
    """
    name = parts.notes["read-out"].partition(" (")[0]
    is_of_layer = is_named_hidden(name) or is_named_input(name)
    of_readout = 0 if _READOUT_NAMES.search(name) else 2 if is_of_layer else 1
    return of_readout, len(_TABLE_NAMES.findall(parts.notes["layers"]))


def _candidates(arrays: UnusedArrays) -> list[_Candidate]:
    candidates = []
    for name, shape in arrays.matrices().items():
        bias = bias_beside(name)
        has_bias = bias != name and bias in arrays
        candidates.append(_Candidate(name, shape, bias if has_bias else None))
    return candidates


def _input(
    arrays: UnusedArrays, candidates: list[_Candidate], n_characters: int, n_inputs: int
) -> tuple[Matrix | None, str]:
    """Return the embedding between the characters and layer 0, None if there is none, and where it was found."""
    is_square = n_inputs == n_characters
    linears = [
        matrix
        for matrix in candidates
        if matrix.shape == (n_inputs, n_characters) and (not is_square or matrix.bias or _is_named_linear(matrix.name))
    ]
    embeddings = [
        matrix
        for matrix in candidates
        if matrix.shape == (n_characters, n_inputs) and not matrix.bias and matrix not in linears
    ]
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


def _is_named_linear(name: str) -> bool:
    """Does a name say that a matrix is that of a linear layer, with characters as columns, and not an embedding?"""
    return bool(_LINEAR_NAMES.search(name)) and not _EMBEDDING_NAMES.search(name)


def _loose_bias(arrays: UnusedArrays, n_characters: int, n_units: int) -> str | None:
    """Return the name of the bias of a read-out that is a bare matrix and not a linear layer, if it has one."""
    vectors = arrays.vectors(n_characters)
    named = [name for name in vectors if re.search(r"(^|[._/:])b", name)]
    vectors = named or [name for name in vectors if not _NO_BIAS.search(name)]
    if len(vectors) == 1 and (n_characters != n_units or named):
        return vectors[0]
    return None


def _choose_readout(readouts: list[_Candidate], n_inputs: int, n_units: int) -> _Candidate:
    """Choose the read-out among the matrices of shape (n_characters, n_units)."""
    if not readouts:
        raise ActivationError(
            "no read-out was found: a matrix of one row for each character and a column for each of the "
            f"{n_units} hidden states; {OWN_CODE}"
        )
    with_bias = [readout for readout in readouts if readout.bias]
    if len(with_bias) == 1:
        return with_bias[0]
    if len(readouts) == 2 and n_inputs == n_units and readouts[0].shape == readouts[1].shape and not with_bias:
        named = [bool(_READOUT_NAMES.search(readout.name)) for readout in readouts]
        are_tables = [_is_named_embedding([readout.name]) for readout in readouts]
        is_first = named == [True, False] or (named[0] == named[1] and are_tables == [False, True])
        return readouts[0] if is_first else readouts[1]  # the other one is the embedding
    return _choose(readouts, _READOUT_NAMES, "the read-out")


def _choose(candidates: list[_Candidate], pattern: re.Pattern[str], role: str) -> _Candidate:
    if len(candidates) > 1 and (named := [candidate for candidate in candidates if pattern.search(candidate.name)]):
        candidates = named
    if len(candidates) > 1:
        raise ActivationError(
            f"{role} could be {' or '.join(candidate.name for candidate in candidates)}, and only models with one are "
            f"read; if the file has several models, choose one with --prefix; if it has one, {OWN_CODE}"
        )
    return candidates[0]
