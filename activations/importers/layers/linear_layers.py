"""Finding layers that are made of one matrix for each gate, by comparing the names of the matrices.

The eight matrices of an LSTM's layer differ in two respects: the gate, and whether they act on the inputs or on the
hidden states. `W_xi`, `W_hi`, `W_xf`, …; `input_gate.x`, `input_gate.h`, …; `ii`, `hi`, `if`, …: however they are
spelled, the names are all combinations of one of four tags (the gate) and one of two patterns (what the tag stands in).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.importers.layers.halves import is_hidden_first
from activations.importers.layers.input_and_readout import best_of, with_input_and_readout
from activations.importers.layers.parts import (
    GATES,
    ImportedLayer,
    Matrix,
    Parts,
    Stack,
    UnusedArrays,
    bias_beside,
    joined_layer_of,
    layer_of,
)
from activations.importers.layers.unread_kinds import OWN_CODE

_CANDIDATE = (  # hbar, h_tilde, c_hat, new_memory, cand, …
    r"cand\w*|prop(osal)?|new(_?\w*)?|mod(ulation)?|act(ivation)?|(h|hid|hidden|c|n|g|s)_?(hat|bar|tilde?|til|cand\w*|new|"
    r"prime|prop\w*)|(hat|bar|tilde)_?[hcns]|hidden|mem(ory)?|tanh"
)
_LETTERS = {
    4: {"i": r"i|in|input", "f": r"f|forget", "g": rf"c|g|n|a|cell|u|update|{_CANDIDATE}", "o": r"o|out|output"},
    3: {"r": r"r|res|rst|reset", "z": r"z|u|upd|update", "n": rf"n|h|c|g|in|a|{_CANDIDATE}"},
    1: {},
}
_LAYER_NUMBER = re.compile(r"(layer|cell|rnn|block|level)s?[._/:]?\|")
_OF_HIDDEN = re.compile(r"^h|hid|rec|prev|state")
_OF_INPUT = re.compile(r"^[xi]|inp|emb|char")
_MAX_NUMBERS = 4
_FORM = "one matrix for each gate"
_FORMS_OF_GRUS = frozenset({"cell", "update_swapped"})  # of which names and shapes do not tell


class _Pattern(NamedTuple):
    """The names of one matrix for each gate, which differ in their tags.

    Attributes:
        around: The parts that all names share, with a bar in place of the tag.
        by_tag: The names by their tags, in the order of the file.
    """

    around: str
    by_tag: dict[str, str]


class _Attempt(NamedTuple):
    """Matrices that may be the gates of a model.

    Attributes:
        names: Their names in the order of the file.
        n_gates: Number of gates of each layer.
        n_units: Number of units of each layer.
        transposed: True if the columns of the matrices are units.
        joined: True if one matrix acts on inputs and hidden states, [x; h].
    """

    names: list[str]
    n_gates: int
    n_units: int
    transposed: bool = False
    joined: bool = False


def find_linears(arrays: UnusedArrays, facts: Mapping[str, Any]) -> Parts | None:
    """Find layers with linear layers for each gate: two of them, on x and on h, or one on [x; h].

    Of all ways in which the shapes allow this, the one that leaves the fewest arrays unused is taken.
    """
    shapes = arrays.matrices()
    solutions: list[Parts] = []
    errors: list[ActivationError] = []
    for attempt in [*_separate(shapes), *_joined(shapes)]:
        left = arrays.copy()
        biases = [left.arrays.get(bias_beside(name)) for name in attempt.names]
        if any(bias.size != attempt.n_units for bias in biases if bias is not None and bias.ndim == 1):
            continue  # linear layers of other sizes
        try:
            stack = _joined_layers(left, attempt) if attempt.joined else _separate_layers(left, shapes, attempt)
            if stack is not None:
                solutions.append(with_input_and_readout(left, stack, transposed=attempt.transposed))
        except ActivationError as error:
            errors.append(error)
    if not solutions and errors:
        raise errors[0]
    return best_of(solutions)


def _separate(shapes: Mapping[str, tuple[int, int]]) -> Iterator[_Attempt]:
    """Yield matrices that may act on x and on h separately: all are square except those on the first layer's input."""
    by_shape: dict[tuple[int, int], list[str]] = {}
    for name, shape in shapes.items():
        by_shape.setdefault(shape, []).append(name)
    for n_units in [rows for rows, columns in by_shape if rows == columns]:
        squares = by_shape[n_units, n_units]
        square_names = set(squares)
        for n_gates in (4, 3, 1):
            if len(squares) % (2 * n_gates) == 0:
                yield _Attempt(squares, n_gates, n_units)
            for shape, others in by_shape.items():
                if shape[0] == shape[1] or n_units not in shape or (len(squares) + n_gates) % (2 * n_gates):
                    continue
                if len(others) - n_gates not in (0, 1):
                    continue
                for readout in [None] if len(others) == n_gates else others:  # the read-out may have the same shape
                    on_x = {name for name in others if name != readout}
                    names = [name for name in shapes if name in on_x or name in square_names]
                    yield _Attempt(names, n_gates, n_units, transposed=shape[1] == n_units)


def _joined(shapes: Mapping[str, tuple[int, int]]) -> Iterator[_Attempt]:
    """Yield matrices that may be one for each gate, on [x; h], with units as rows or as columns."""
    for transposed in (False, True):
        sizes = {name: shape[::-1] if transposed else shape for name, shape in shapes.items()}
        n_wide_by_rows = Counter(rows for rows, columns in sizes.values() if columns > rows)
        for n_units, n_wide in n_wide_by_rows.most_common():
            names = [name for name, (rows, columns) in sizes.items() if rows == n_units and columns > n_units]
            for n_gates in (4, 3):
                if n_wide % n_gates == 0 and len({sizes[name] for name in names[:n_gates]}) == 1:
                    yield _Attempt(names, n_gates, n_units, transposed, joined=True)


def _separate_layers(arrays: UnusedArrays, shapes: Mapping[str, tuple[int, int]], attempt: _Attempt) -> Stack | None:
    """Make layers of twice as many matrices as gates; None if the names do not look like gates."""
    n_gates = attempt.n_gates
    layers, notes, knows_halves, knows_gates = [], [], True, True
    hidden_around: str | None = None
    for group in _groups(attempt.names, 2 * n_gates, partial(_patterns, n_gates=n_gates)):
        patterns = _patterns(group, n_gates)
        if patterns is None:
            raise ActivationError(
                f"{', '.join(group[:3])} and so on look like the gates of a layer, but their names do not say which is "
                f"which; {OWN_CODE}"
            )
        _refuse_coupled(patterns[0])
        patterns, is_known = _input_first(patterns, shapes, attempt.n_units, hidden_around)
        if n_gates == 1 and not is_known:
            return None  # any two square matrices would do
        if n_gates == 1 and is_hidden_first([next(iter(pattern.by_tag.values())) for pattern in patterns]):
            return None  # names say the opposite of what the shapes would have to mean
        if n_gates > 1 and (_LAYER_NUMBER.search(patterns[0].around) or _differ_in_numbers_only(*patterns)):
            return None  # several simple layers, not gates
        hidden_around = _without_digits(patterns[1].around)
        knows_halves &= is_known
        knows_gates &= n_gates == 1 or _names_all_gates(patterns[0], n_gates)
        layer, note = _take_layer(arrays, patterns, attempt)
        layers.append(layer)
        notes.append(note)
    known_by_names = {"hidden_first": knows_halves, "gates": knows_gates, "cell": n_gates > 1}
    undecided = frozenset(name for name, is_known in known_by_names.items() if not is_known)
    if n_gates == 3:
        undecided |= _FORMS_OF_GRUS
    if n_gates == 4:
        undecided |= {"forget_bias"}
    return Stack(form=_FORM, layers=layers, notes=notes, undecided=undecided)


def _refuse_coupled(pattern: _Pattern) -> None:
    """Refuse three gates of an LSTM, which are not those of a GRU whatever their shapes are.

    Raises:
        ActivationError: If an output gate is among three gates, with an input or a forget gate.
    """
    letters = {_letter(tag, 4) for tag in pattern.by_tag}
    if len(pattern.by_tag) == 3 and "o" in letters and letters & {"i", "f"}:
        raise ActivationError(
            f"{', '.join(pattern.by_tag.values())} are three gates of an LSTM, of which the fourth is coupled to "
            f"another or left out; no cell that is read has these, but {OWN_CODE}"
        )


def _take_layer(
    arrays: UnusedArrays, patterns: tuple[_Pattern, _Pattern], attempt: _Attempt
) -> tuple[ImportedLayer, str]:
    """Take the matrices and biases of one layer, on x and on h, and say where it was found."""
    orders = [_in_order(pattern, attempt.n_gates) for pattern in patterns]
    matrices = [[_take_rows(arrays, name, attempt.transposed) for name in order] for order in orders]
    biases = [_take_biases(arrays, order, attempt.n_units) for order in orders]
    if all(bias is None for bias in biases):
        bare_biases = _bare_biases(arrays, patterns[0], orders[0], attempt.n_units)
        biases[: len(bare_biases)] = [_take_stacked(arrays, names, 1) for names in bare_biases]
    layer = layer_of(orders[0][0], *map(np.concatenate, matrices), *biases)
    return layer, f"{', '.join(orders[0])} on x and {', '.join(orders[1])} on h"


def _joined_layers(arrays: UnusedArrays, attempt: _Attempt) -> Stack | None:
    """Make layers of one matrix for each gate, on [x; h]; None if the names do not look like gates.

    The candidate of such a GRU has its matrix on [x; r h]: the reset gate acts before it.
    """
    layers, notes, knows_gates, n_gates = [], [], True, attempt.n_gates
    for group in _groups(attempt.names, n_gates, _pattern):
        pattern = _pattern(group)
        if pattern is None or len({arrays.arrays[name].shape for name in group}) > 1:
            return None
        _refuse_coupled(pattern)
        knows_gates &= _names_all_gates(pattern, n_gates)
        order = _in_order(pattern, n_gates)
        bias = _take_biases(arrays, order, attempt.n_units)
        if bias is None and (bare_biases := _bare_biases(arrays, pattern, order, attempt.n_units)):
            bias = _take_stacked(arrays, bare_biases[0], 1)
        matrix = np.concatenate([_take_rows(arrays, name, attempt.transposed) for name in order])
        layers.append(joined_layer_of(order[0], matrix, attempt.n_units, bias))
        notes.append(f"{', '.join(order)} on [x; h]")
    undecided = frozenset({"hidden_first"} if knows_gates else {"hidden_first", "gates"})
    if n_gates == 3:
        undecided |= {"update_swapped"}
    if n_gates == 4:
        undecided |= {"forget_bias"}
    return Stack(form=_FORM, layers=layers, notes=notes, reset_before=n_gates == 3, joined=True, undecided=undecided)


def _groups(names: list[str], size: int, fit: Callable[[list[str]], Any]) -> list[list[str]]:
    """Group the names by layer: by a number in them if that makes groups of the size, else in the order of the file."""
    numbers = {name: [int(number) for number in re.findall(r"\d{1,9}", name)[:_MAX_NUMBERS]] for name in names}
    for position in range(min(map(len, numbers.values()))):
        by_number: dict[int, list[str]] = {}
        for name in names:
            by_number.setdefault(numbers[name][position], []).append(name)
        if all(len(group) == size and fit(group) for group in by_number.values()):
            return [by_number[number] for number in sorted(by_number)]
    return [names[start : start + size] for start in range(0, len(names), size)]


def _patterns(names: Sequence[str], n_gates: int) -> tuple[_Pattern, _Pattern] | None:
    """Divide the names of a layer into two patterns with the same tags, if that is possible."""
    for chosen in combinations(range(1, len(names)), n_gates - 1):
        group = [names[0], *(names[n] for n in chosen)]
        first, second = _pattern(group), _pattern([name for name in names if name not in group])
        if first and second and set(first.by_tag) == set(second.by_tag):
            return first, second
    return None


def _pattern(names: Sequence[str]) -> _Pattern | None:
    before = _common_start(names) if len(names) > 1 else names[0]
    after = _common_start([name[len(before) :][::-1] for name in names])[::-1]
    by_tag = {name[len(before) : len(name) - len(after)]: name for name in names}
    return _Pattern(f"{before}|{after}", by_tag) if len(by_tag) == len(names) else None


def _input_first(
    patterns: tuple[_Pattern, _Pattern],
    shapes: Mapping[str, tuple[int, int]],
    n_units: int,
    hidden_around: str | None,
) -> tuple[tuple[_Pattern, _Pattern], bool]:
    """Return the pattern of the matrices on x, then that on h, and whether anything says which is which.

    Args:
        patterns: The two patterns of a layer.
        shapes: The shapes of all matrices by name.
        n_units: Number of units of the layer.
        hidden_around: The pattern on h of the layer below, without digits, if there is one.
    """
    is_square = [all(shapes[name] == (n_units, n_units) for name in pattern.by_tag.values()) for pattern in patterns]
    if is_square[0] != is_square[1]:
        return (patterns[::-1] if is_square[0] else patterns), True
    if hidden_around is not None:
        is_hidden = [_without_digits(pattern.around) == hidden_around for pattern in patterns]
        if is_hidden[0] != is_hidden[1]:
            return (patterns[::-1] if is_hidden[0] else patterns), True
    words = [_distinctive_part(pattern, counterpart) for pattern, counterpart in (patterns, patterns[::-1])]
    is_hidden = [bool(_OF_HIDDEN.search(a) and _OF_INPUT.search(b)) for a, b in (words, words[::-1])]
    return (patterns[::-1] if is_hidden[0] else patterns), any(is_hidden)


def _differ_in_numbers_only(pattern: _Pattern, other: _Pattern) -> bool:
    """Do two patterns differ only in a number, and their tags not name gates?"""
    n_gates = len(pattern.by_tag)
    has_no_letters = re.sub(r"[\W\d_]", "", _distinctive_part(pattern, other)) == ""
    return has_no_letters and not _names_all_gates(pattern, n_gates)


def _distinctive_part(pattern: _Pattern, other: _Pattern) -> str:
    """Return what one pattern has around its tags and the other has not, in lower case."""
    before = _common_start([pattern.around, other.around])
    after = _common_start([pattern.around[len(before) :][::-1], other.around[len(before) :][::-1]])
    return pattern.around[len(before) : len(pattern.around) - len(after)].replace("|", " ").lower().strip(" _./:")


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    n = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:n]


def _without_digits(text: str) -> str:
    return re.sub(r"\d+", "", text)


def _letter(tag: str, n_gates: int) -> str | None:
    word = re.sub(r"(_?gate|_?state)?$", "", tag.lower().strip("_./:|"))
    return next((letter for letter, names in _LETTERS[n_gates].items() if re.fullmatch(names, word)), None)


def _names_all_gates(pattern: _Pattern, n_gates: int) -> bool:
    return bool(_by_letter(pattern, n_gates))


def _by_letter(pattern: _Pattern, n_gates: int) -> dict[str, str]:
    """Return the names of the matrices by the letters of their gates; empty if their tags do not name the gates.

    Words may begin or end alike (`update`, `candidate`), so that a tag is a part of one: then the whole words count.
    """
    before, _, after = pattern.around.partition("|")
    start, end = re.findall(r"[A-Za-z]*$", before)[0], re.findall(r"^[A-Za-z]*", after)[0]
    for first, last in (("", ""), ("", end), (start, end)):
        by_letter = {_letter(f"{first}{tag}{last}", n_gates): name for tag, name in pattern.by_tag.items()}
        if by_letter.keys() == _LETTERS[n_gates].keys():
            return {letter: name for letter, name in by_letter.items() if letter}
    return {}


def _in_order(pattern: _Pattern, n_gates: int) -> list[str]:
    """Sort the names in our order of the gates; keep the order of the file if the tags do not name the gates."""
    by_letter = _by_letter(pattern, n_gates)
    return [by_letter[letter] for letter in GATES[n_gates]] if by_letter else list(pattern.by_tag.values())


def _take_rows(arrays: UnusedArrays, name: str, transposed: bool) -> Matrix:
    matrix = arrays.take(name, 2)
    return np.ascontiguousarray(matrix.T) if transposed else matrix


def _take_biases(arrays: UnusedArrays, names: Sequence[str], n_units: int) -> Matrix | None:
    """Take the biases of linear layers and stack them, with 0 where one is missing; None if there are none."""
    biases = [bias_beside(name) for name in names]
    if not any(bias in arrays and bias != name for bias, name in zip(biases, names, strict=True)):
        return None
    return np.concatenate(
        [arrays.take(bias, 1) if bias in arrays else np.zeros(n_units, np.float32) for bias in biases]
    )


def _take_stacked(arrays: UnusedArrays, names: Sequence[str], n_axes: int) -> Matrix:
    return np.concatenate([arrays.take(name, n_axes) for name in names])


def _bare_biases(arrays: UnusedArrays, pattern: _Pattern, order: Sequence[str], n_units: int) -> list[list[str]]:
    """Find biases that belong to no linear layer: vectors with the same tags as the matrices, in one or two patterns.

    Args:
        arrays: Arrays that are not used yet.
        pattern: The names of a layer's matrices.
        order: The same names in the order of the gates.
        n_units: Length of a bias.
    """
    layer_numbers = re.findall(r"\d+", pattern.around)
    by_around: dict[str, dict[str, str]] = {}
    for name in arrays.vectors(n_units):
        for tag in pattern.by_tag:
            for match in re.finditer(re.escape(tag), name) if tag else [re.match("", name)]:
                around = f"{name[: match.start()]}|{name[match.end() :]}" if match else name
                by_around.setdefault(around, {})[tag] = name
    biases = [
        [by_tag[tag] for tag in sorted(by_tag, key=lambda tag: order.index(pattern.by_tag[tag]))]
        for around, by_tag in by_around.items()
        if len(by_tag) == len(pattern.by_tag) == len(set(by_tag.values()))
        and re.search(r"(^|[._/:|])b", around)
        and re.findall(r"\d+", around) == layer_numbers
    ]
    return biases[:2]
