"""Kinds of models that cannot be read as a character model of ours: each is named for what it is.

Two are recognised before layers are looked for, since parts of them look like ours: multiplicative LSTMs, and encoders
with decoders. Of others, the layers that stand in the way are named where reading fails.

Sources:
    Krause, Lu, Murray & Renals 2016, arXiv:1609.07959: the multiplicative LSTM. Salimans & Kingma 2016,
    arXiv:1602.07868: weight normalisation. Radford, Jozefowicz & Sutskever 2017, arXiv:1704.01444: both together, in a
    list of arrays or by the names wx, wh, wmx, wmh, b, gx, gh, gmx, gmh.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from activations.importers.contents import Arrays

OWN_CODE = "--model-factory runs your own code to build such a model"
RECORDED_WITHOUT_PREDICTIONS = (
    "`probe extract` with --model-factory, which runs your own code, records its layers without predictions"
)
_Shape = tuple[int, ...]
_MULTIPLICATIVE = (
    {"wx", "wh", "wmx", "wmh"},
    {"wih", "whh", "wmih", "wmhh"},
    {"whx", "whm", "wmx", "wmh"},
    {"wix", "wim", "wmx", "wmh"},
)
_GAINS = {"gx", "gh", "gmx", "gmh"}
_N_PARTS = 4  # of which OpenAI's wh consists, as it was too large for one file
_SIDES = tuple(re.compile(rf"(^|[._/:]){word}(oder)?(?=[._/:\d])", re.IGNORECASE) for word in ("enc", "dec"))
_RECURRENT = re.compile(r"hh|recurrent|hidden|w_?h(?![a-z])|h2h|(^|[._/])u(?![a-z])|rnn|lstm|gru", re.IGNORECASE)
_OF_HIDDEN = re.compile(r"hh|recurrent", re.IGNORECASE)
_EMBEDDING = re.compile(r"emb|lookup", re.IGNORECASE)
_GATES = (1, 3, 4)
_KINDS = (
    ("attention", re.compile(r"att(e?n)?(?![a-z])|attention|query", re.IGNORECASE)),
    ("a highway layer", re.compile(r"highway|transform_?gate|carry_?gate", re.IGNORECASE)),
    ("a convolution", re.compile(r"conv", re.IGNORECASE)),
    ("batch normalisation", re.compile(r"batch_?norm|(^|[._/])bn|running_(mean|var)|moving_(mean|var)", re.IGNORECASE)),
    ("layer normalisation", re.compile(r"layer_?norm|(^|[._/])(ln|norm)", re.IGNORECASE)),
    ("a conditional random field", re.compile(r"(^|[._/])crf|transitions$", re.IGNORECASE)),
    ("a layer that reads backwards", re.compile(r"bidirectional|backward", re.IGNORECASE)),
)


def named_kind(arrays: Arrays) -> str | None:
    """Name the kind of a model whose parts look like ours and are not, with the way out; None if it is none of these.

    Args:
        arrays: All arrays that may belong to the model.
    """
    shapes = {name: array.shape for name, array in arrays.items()}
    return _multiplicative(shapes) or _encoder_and_decoder(shapes)


def with_obstacles(message: str, shapes: Mapping[str, _Shape]) -> str:
    """Add to a message what stands between the layers and the characters, if anything does, and the way out.

    Args:
        message: Why no model is found.
        shapes: The shapes of all arrays that may belong to the model.
    """
    clauses = []
    if in_the_way := layers_in_the_way(shapes):
        clauses.append(f"the file has {in_the_way}, which {'are' if ' and ' in in_the_way else 'is'} not read")
    if beside := _side_by_side(shapes):
        clauses.append(beside)
    if clauses and "--model-factory" not in message:
        clauses.append(OWN_CODE)
    return "; ".join([message, *clauses])


def _side_by_side(shapes: Mapping[str, _Shape]) -> str:
    """Say which matrix is on the embedding and all layers side by side, as where connections skip layers."""
    n_units = [n for name, shape in shapes.items() if _OF_HIDDEN.search(name) and (n := _n_units(shape))]
    for embedding, shape in shapes.items():
        if not n_units or len(shape) != 2 or not _EMBEDDING.search(embedding):
            continue
        sizes = [shape[1], *n_units]
        for name, (first, *others) in shapes.items():
            if len(others) == 1 and sum(sizes) in (first, *others) and not _OF_HIDDEN.search(name):
                spelled = " + ".join(map(str, sizes))
                return f"{name} {shapes[name]} is on {spelled} numbers, the embedding and all layers side by side"
    return ""


def layers_in_the_way(shapes: Mapping[str, _Shape]) -> str:
    """Name the layers of unknown kinds that some arrays belong to, such as `attention (att.weight)`.

    Args:
        shapes: The shapes of the arrays by name.

    Returns:
        The kinds, each with the first array of its name; empty if there are none.
    """
    first_names: dict[str, str] = {}
    for name, shape in shapes.items():
        kind = next((kind for kind, pattern in _KINDS if pattern.search(name)), None)
        if kind is None and len(shape) > 2:
            kind = "a layer of arrays with more than two axes, as convolutions have them"
        if kind is not None:
            first_names.setdefault(kind, name)
    return " and ".join(f"{kind} ({name})" for kind, name in first_names.items())


def _multiplicative(shapes: Mapping[str, _Shape]) -> str | None:
    """Name a multiplicative LSTM by the names of its arrays, or by the shapes of a list of them."""
    by_key = {key: name for name in shapes for key in _keys(name)}
    names = next(([by_key[key] for key in sorted(keys)] for keys in _MULTIPLICATIVE if keys <= by_key.keys()), [])
    is_normalised = not by_key.keys().isdisjoint(_GAINS) or any(re.search(r"_[gv](_l?\d+)?$", name) for name in names)
    if not names and _is_list_of_multiplicative(list(shapes.values())):
        names, is_normalised = list(shapes)[1:-2], True
    if not names:
        return None
    return (
        f"{', '.join(names)} are arrays of a multiplicative LSTM{' with weight normalisation' * is_normalised}, in "
        "which the hidden states are multiplied by a function of the input before they reach the gates; no cell that "
        f"is read does that, but {OWN_CODE}; docs/own_models.md shows this one"
    )


def _keys(name: str) -> Iterator[str]:
    """Yield what an array may be called: without its path, and without what programs append."""
    last = re.split(r"[./]", re.sub(r":\d+$|\.weight(_[gv])?$|\.npy$", "", name))[-1].lower()
    for key in (last, last.rpartition("mlstm_")[2], re.sub(r"(_l?\d+)?(_[gv])?$", "", last)):
        yield key.replace("_", "")


def _is_list_of_multiplicative(shapes: Sequence[_Shape]) -> bool:
    """Are these the arrays of OpenAI's model in their order, with the matrix wh whole or in four parts?"""
    if len(shapes) == 11 + _N_PARTS and len(set(shapes[2 : 2 + _N_PARTS])) == 1 and len(shapes[2]) == 2:
        shapes = [*shapes[:2], (shapes[2][0], _N_PARTS * shapes[2][1]), *shapes[2 + _N_PARTS :]]
    if len(shapes) != 12 or len(shapes[0]) != 2 or len(shapes[4]) != 2:
        return False
    (n_characters, n_inputs), n = shapes[0], shapes[4][0]
    of_layer = [(n_inputs, 4 * n), (n, 4 * n), (n_inputs, n), (n, n), (4 * n,), (4 * n,), (4 * n,), (n,), (n,)]
    return list(shapes[1:]) == [*of_layer, (n, n_characters), (n_characters,)]


def _encoder_and_decoder(shapes: Mapping[str, _Shape]) -> str | None:
    """Name an encoder and a decoder: recurrent layers of both names, of which the second has inputs of its own."""
    sides = [{name: match.end() for name in shapes if (match := side.search(name))} for side in _SIDES]
    recurrent = [
        {name: n for name, end in side.items() if _RECURRENT.search(name, end) and (n := _n_units(shapes[name]))}
        for side in sides
    ]
    if not all(recurrent):
        return None
    encoder, decoder = (next(filter(_OF_HIDDEN.search, side), next(iter(side))) for side in recurrent)
    n_encoder, n_decoder = recurrent[0][encoder], recurrent[1][decoder]
    have_embeddings = all(any(_EMBEDDING.search(name) for name in side) for side in sides)
    on_inputs = [shape for name in sides[1] if _is_on_inputs(shape := shapes[name], n_decoder)]
    if not have_embeddings and not any(n_encoder not in shape for shape in on_inputs):
        return None  # two layers on one another, whatever they are called
    return (
        f"{encoder} and {decoder} are the recurrent matrices of an encoder and a decoder, each with inputs of its own: "
        f"such a model does not predict the characters that it reads; {RECORDED_WITHOUT_PREDICTIONS}"
    )


def _n_units(shape: _Shape) -> int:
    """Return the number of units whose hidden states a matrix of this shape may act on; 0 if it can be none."""
    if len(shape) != 2:
        return 0
    small, large = sorted(shape)
    return small if small and large % small == 0 and large // small in _GATES else 0


def _is_on_inputs(shape: _Shape, n_units: int) -> bool:
    """Has a matrix rows or columns for the gates of a layer, and is it on something else than its hidden states?"""
    gates = {n_gates * n_units for n_gates in _GATES[1:]}
    return len(shape) == 2 and bool(gates & set(shape)) and n_units not in shape
