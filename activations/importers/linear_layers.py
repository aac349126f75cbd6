"""Finding layers that are made of one matrix per gate, by comparing the names of the matrices.

The eight matrices of an LSTM's layer differ in two things: which gate, and whether on the inputs or on the hidden
states. `W_xi`, `W_hi`, `W_xf`, …; `input_gate.x`, `input_gate.h`, …; `ii`, `hi`, `if`, …: whatever the spelling, the
names are all pairs of one of four tags and one of two frames.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from activations.errors import ActivationError
from activations.importers.ends import with_ends
from activations.importers.parts import GATES, Matrix, Parts, Remaining, Stack, joined_layer_of, layer_of

_LETTERS = {
    4: {"i": r"i|in|input", "f": r"f|forget", "g": r"c|g|n|cell|cand\w*|c_?hat|new|u|update", "o": r"o|out|output"},
    3: {"r": r"r|reset", "z": r"z|u|update", "n": r"n|h|c|g|cand\w*|new|h_?hat"},
    1: {},
}
_LAYER_NUMBER = re.compile(r"(layer|cell|rnn|block|level)s?[._]?\|")
_OF_HIDDEN = re.compile(r"^h|hid|rec|prev|state")
_OF_INPUT = re.compile(r"^[xi]|inp|emb|char")
_MOST_NUMBERS = 4
_FORM = "one matrix for each gate"
_OF_GRUS = (
    "GRUs of separate matrices differ: this one is read as PyTorch's, n = tanh(W x + r (U h)), h = (1 - z) n + z h; if "
    "the program has n = tanh(W x + U (r h)), or z the other way round, the loss is too high, and it cannot be read"
)


class _Frame(NamedTuple):
    """The names of one matrix for each gate.

    Attributes:
        around: What the names have in common.
        by_tag: The names by what they have not, in the order of the file.
    """

    around: str
    by_tag: dict[str, str]


class _Attempt(NamedTuple):
    """Matrices that may be the gates of a model.

    Attributes:
        names: In the order of the file.
        n_gates: Of a layer.
        n_units: Of a layer.
        turned: Whether the units are the matrices' columns.
        joined: Whether inputs and hidden states share a matrix.
    """

    names: list[str]
    n_gates: int
    n_units: int
    turned: bool = False
    joined: bool = False


def find_linears(arrays: Remaining, facts: Mapping[str, Any]) -> Parts | None:
    """One linear layer for each gate of each layer, twice (on x and on h) or once (on both together).

    Of all the ways in which the shapes allow that, the one is taken that leaves the fewest arrays unused.
    """
    shapes = arrays.matrices()
    made: list[Parts] = []
    errors: list[ActivationError] = []
    for attempt in [*_apart(shapes), *_together(shapes)]:
        left = Remaining(arrays.arrays)
        try:
            found = _joined_layers(left, attempt) if attempt.joined else _layers_of(left, shapes, attempt)
            if found is not None:
                made.append(with_ends(left, found, turned=attempt.turned))
        except ActivationError as error:
            errors.append(error)
    if not made and errors:
        raise errors[0]
    return min(made, key=lambda parts: len(parts.unused), default=None)


def _apart(shapes: Mapping[str, tuple[int, int]]) -> Iterator[_Attempt]:
    """Matrices of their own for x and for h: all are square, but for those on the first layer's inputs."""
    by_shape: dict[tuple[int, int], list[str]] = {}
    for name, shape in shapes.items():
        by_shape.setdefault(shape, []).append(name)
    for n_units in [rows for rows, columns in by_shape if rows == columns]:
        squares = by_shape[n_units, n_units]
        inner = set(squares)
        for n_gates in (4, 3, 1):
            if len(squares) % (2 * n_gates) == 0:
                yield _Attempt(squares, n_gates, n_units)
            for shape, wide in by_shape.items():
                if shape[0] == shape[1] or n_units not in shape or (len(squares) + n_gates) % (2 * n_gates):
                    continue
                if len(wide) - n_gates not in (0, 1):
                    continue
                for other in [None] if len(wide) == n_gates else wide:  # the read-out may have the same shape
                    of_x = {name for name in wide if name != other}
                    names = [name for name in shapes if name in of_x or name in inner]
                    yield _Attempt(names, n_gates, n_units, turned=shape[1] == n_units)


def _together(shapes: Mapping[str, tuple[int, int]]) -> Iterator[_Attempt]:
    """One matrix a gate, on [x; h]."""
    wide = Counter(rows for rows, columns in shapes.values() if columns > rows)
    for n_units, n in wide.most_common():
        names = [name for name, (rows, columns) in shapes.items() if rows == n_units and columns > n_units]
        if n % 4 == 0 and len({shapes[name] for name in names[:4]}) == 1:
            yield _Attempt(names, 4, n_units, joined=True)


def _layers_of(arrays: Remaining, shapes: Mapping[str, tuple[int, int]], attempt: _Attempt) -> Stack | None:
    """Layers of twice as many matrices as gates, from the names in the order of the file."""
    names, n_gates, n_units, turned, _ = attempt
    layers, notes, known, gates_known = [], [], True, True
    of_hidden: str | None = None
    for group in _groups(names, 2 * n_gates, partial(_frames, n_gates=n_gates)):
        frames = _frames(group, n_gates)
        if frames is None:
            raise ActivationError(
                f"{', '.join(group[:3])} and so on look like the gates of a layer, but their names do not say which is "
                "which; --model-factory can run your own code to build the model"
            )
        frames, told = _input_first(frames, shapes, n_units, of_hidden)
        if n_gates == 1 and not told:
            return None  # any two square matrices would do
        if n_gates > 1 and (_LAYER_NUMBER.search(frames[0].around) or _only_numbered(*frames)):
            return None  # several simple layers, and no gates
        of_hidden = _without_digits(frames[1].around)
        known &= told
        gates_known &= n_gates == 1 or _knows(frames[0], n_gates)
        orders = [_in_order(frame, n_gates) for frame in frames]
        matrices = [[_rows(arrays, name, turned) for name in order] for order in orders]
        biases = [_bias(arrays, order, n_units) for order in orders]
        if all(bias is None for bias in biases):
            loose = _loose_biases(arrays, frames[0], orders[0], n_units)
            biases[: len(loose)] = [_stacked(arrays, names, 1) for names in loose]
        layers.append(layer_of(orders[0][0], *map(np.concatenate, matrices), *biases))
        notes.append(f"{', '.join(orders[0])} on x and {', '.join(orders[1])} on h")
    told_by_names = {"hidden_first": known, "gates": gates_known, "cell": n_gates > 1}
    left_open = frozenset(name for name, is_told in told_by_names.items() if not is_told)
    return Stack(form=_FORM, layers=layers, notes=notes, open=left_open, doubts=(_OF_GRUS,) if n_gates == 3 else ())


def _joined_layers(arrays: Remaining, attempt: _Attempt) -> Stack | None:
    """Layers of four matrices on [x; h]."""
    names, _, n_units, _, _ = attempt
    layers, notes, gates_known = [], [], True
    for group in _groups(names, 4, _frame):
        frame = _frame(group)
        if frame is None:
            return None
        gates_known &= _knows(frame, 4)
        own = _in_order(frame, 4)
        bias = _bias(arrays, own, n_units)
        if bias is None and (loose := _loose_biases(arrays, frame, own, n_units)):
            bias = _stacked(arrays, loose[0], 1)
        layers.append(joined_layer_of(own[0], _stacked(arrays, own, 2), n_units, bias))
        notes.append(f"{', '.join(own)} on [x; h]")
    left_open = frozenset({"hidden_first"} if gates_known else {"hidden_first", "gates"})
    return Stack(form=_FORM, layers=layers, notes=notes, joined=True, open=left_open)


def _groups(names: list[str], size: int, fit: Callable[[list[str]], Any]) -> list[list[str]]:
    """The names of each layer: by a number in them, if that makes groups of the size, else in the order of the file."""
    numbers = {name: [int(number) for number in re.findall(r"\d{1,9}", name)[:_MOST_NUMBERS]] for name in names}
    n_numbers = min(map(len, numbers.values()))
    for place in range(n_numbers):
        by_number: dict[int, list[str]] = {}
        for name in names:
            by_number.setdefault(numbers[name][place], []).append(name)
        if all(len(group) == size and fit(group) for group in by_number.values()):
            return [by_number[number] for number in sorted(by_number)]
    return [names[start : start + size] for start in range(0, len(names), size)]


def _frames(names: Sequence[str], n_gates: int) -> tuple[_Frame, _Frame] | None:
    """The two ways in which the names are alike, if they are."""
    for chosen in combinations(range(1, len(names)), n_gates - 1):
        group = [names[0], *(names[place] for place in chosen)]
        frames = _frame(group), _frame([name for name in names if name not in group])
        if frames[0] and frames[1] and set(frames[0].by_tag) == set(frames[1].by_tag):
            return frames[0], frames[1]
    return None


def _frame(names: Sequence[str]) -> _Frame | None:
    before = _common_start(names) if len(names) > 1 else names[0]
    after = _common_start([name[len(before) :][::-1] for name in names])[::-1]
    by_tag = {name[len(before) : len(name) - len(after)]: name for name in names}
    return _Frame(f"{before}|{after}", by_tag) if len(by_tag) == len(names) else None


def _input_first(
    frames: tuple[_Frame, _Frame], shapes: Mapping[str, tuple[int, int]], n_units: int, of_hidden: str | None
) -> tuple[tuple[_Frame, _Frame], bool]:
    """The matrices on x, then those on h, and whether anything told them apart."""
    square = [all(shapes[name] == (n_units, n_units) for name in frame.by_tag.values()) for frame in frames]
    if square[0] != square[1]:
        return (frames[::-1] if square[0] else frames), True
    if of_hidden is not None:
        same = [_without_digits(frame.around) == of_hidden for frame in frames]
        if same[0] != same[1]:
            return (frames[::-1] if same[0] else frames), True
    own = [_own_part(frame, other) for frame, other in (frames, frames[::-1])]
    hidden = [bool(_OF_HIDDEN.search(one) and _OF_INPUT.search(other)) for one, other in (own, own[::-1])]
    return (frames[::-1] if hidden[0] else frames), any(hidden)


def _only_numbered(frame: _Frame, other: _Frame) -> bool:
    """Do the names differ in nothing but a number, and say nothing of gates?"""
    n_gates = len(frame.by_tag)
    return re.sub(r"[\W\d_]", "", _own_part(frame, other)) == "" and not _knows(frame, n_gates)


def _own_part(frame: _Frame, other: _Frame) -> str:
    """What is said around the tags of one frame and not of the other, in small letters."""
    before = _common_start([frame.around, other.around])
    after = _common_start([frame.around[len(before) :][::-1], other.around[len(before) :][::-1]])
    return frame.around[len(before) : len(frame.around) - len(after)].replace("|", " ").lower().strip(" _.")


def _common_start(names: Sequence[str]) -> str:
    first, last = min(names), max(names)
    n = next((n for n, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    return first[:n]


def _without_digits(text: str) -> str:
    return re.sub(r"\d+", "", text)


def _letter(tag: str, n_gates: int) -> str | None:
    plain = re.sub(r"(_?gate|_?state)?$", "", tag.lower().strip("_.|"))
    return next((letter for letter, names in _LETTERS[n_gates].items() if re.fullmatch(names, plain)), None)


def _knows(frame: _Frame, n_gates: int) -> bool:
    return {_letter(tag, n_gates) for tag in frame.by_tag} == set(_LETTERS[n_gates])


def _in_order(frame: _Frame, n_gates: int) -> list[str]:
    """The names in the order of the gates: in that of the file, i, f, c, o, where they do not tell."""
    if not _knows(frame, n_gates):
        return list(frame.by_tag.values())
    by_letter = {_letter(tag, n_gates): name for tag, name in frame.by_tag.items()}
    return [by_letter[letter] for letter in GATES[n_gates]]


def _rows(arrays: Remaining, name: str, turned: bool) -> Matrix:
    matrix = arrays.take(name, 2)
    return np.ascontiguousarray(matrix.T) if turned else matrix


def _bias(arrays: Remaining, names: Sequence[str], n_units: int) -> Matrix | None:
    """The biases of linear layers, if they have any."""
    biases = [re.sub(r"weight$", "bias", name) for name in names]
    if not any(bias in arrays and bias != name for bias, name in zip(biases, names, strict=True)):
        return None
    return np.concatenate(
        [arrays.take(bias, 1) if bias in arrays else np.zeros(n_units, np.float32) for bias in biases]
    )


def _stacked(arrays: Remaining, names: Sequence[str], n_axes: int) -> Matrix:
    return np.concatenate([arrays.take(name, n_axes) for name in names])


def _loose_biases(arrays: Remaining, frame: _Frame, order: Sequence[str], n_units: int) -> list[list[str]]:
    """Biases that belong to no linear layer: vectors with the same tags as the matrices of a layer, once or twice.

    Args:
        arrays: What is left.
        frame: The names of a layer's matrices.
        order: The same in the order of the gates.
        n_units: How long a bias is.
    """
    vectors = arrays.vectors(n_units)
    own_numbers = re.findall(r"\d+", frame.around)
    by_frame: dict[str, dict[str, str]] = {}
    for name in vectors:
        for tag in frame.by_tag:
            for match in re.finditer(re.escape(tag), name) if tag else [re.match("", name)]:
                around = f"{name[: match.start()]}|{name[match.end() :]}" if match else name
                by_frame.setdefault(around, {})[tag] = name
    found = [
        [tagged[tag] for tag in sorted(tagged, key=lambda tag: order.index(frame.by_tag[tag]))]
        for around, tagged in by_frame.items()
        if len(tagged) == len(frame.by_tag) == len(set(tagged.values()))
        and re.search(r"(^|[._|])b", around)
        and re.findall(r"\d+", around) == own_numbers
    ]
    return found[:2]
