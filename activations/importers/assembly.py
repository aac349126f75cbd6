"""From the parts of somebody's model to a model of ours, and the other ways in which the same parts could be meant."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import permutations

import numpy as np
import torch

from activations.errors import ActivationError
from activations.importers.parts import GATES, Layer, Matrix, Parts
from activations.models.cells.kinds import CELLS
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.vocab import Vocabulary

TRANSPOSED = ("no", "recurrent", "all")
_LETTERS = {
    "i": "input_gate",
    "f": "forget_gate",
    "o": "output_gate",
    "g": "candidate",
    "r": "reset_gate",
    "z": "update_gate",
    "n": "candidate",
    "h": "hidden",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpretation:
    """One way to read a model's parts.

    Attributes:
        cell: One of `CELLS`.
        gates: The order of the gates' rows, one letter each.
        transposed: Which square matrices are to be transposed: `no`, `recurrent` or `all`.
        hidden_first: Whether matrices on both inputs and hidden states have the hidden states first.
        characters: The vocabulary, in the order of the ids.
        rule: What is read in place of a text as it stands.
    """

    cell: str
    gates: str
    characters: str
    transposed: str = "no"
    hidden_first: bool = False
    rule: ReadingRule = PLAIN

    def changes(self, other: "Interpretation") -> dict[str, str]:
        """In what another reading differs, each with the option that asks for it."""
        changed = {}
        if other.gates != self.gates:
            changed["gates"] = f"--gates {','.join(other.gates)}"
        if other.cell != self.cell:
            changed["cell"] = f"--cell {other.cell}"
        if other.transposed != self.transposed:
            changed["transposed"] = f"--transposed {other.transposed}"
        if other.hidden_first != self.hidden_first:
            changed["hidden_first"] = "--hidden-first" if other.hidden_first else "without --hidden-first"
        if other.characters != self.characters:
            changed["vocabulary"] = _how(self.characters, other.characters)
        if other.rule.read_as != self.rule.read_as:
            changed["rule"] = f"--read-as {other.rule.read_as}" if other.rule.read_as else "without --read-as"
        return changed


def _how(given: str, better: str) -> str:
    if better == "".join(sorted(given)):
        return "the vocabulary in the order of the code points (--vocab sorted:FILE)"
    if better in (given[1:] + given[:1], given[-1:] + given[:-1]):
        return "the vocabulary moved by one place (was there a token before or behind the characters?)"
    return "the vocabulary in the order in which the characters first occur in the text"


def others(
    interpretation: Interpretation, parts: Parts, first_seen: str, as_bytes: str = ""
) -> Iterator[Interpretation]:
    """All readings that differ from one in one thing.

    Args:
        interpretation: The one.
        parts: What is read.
        first_seen: What is read of a text, each token once, in the order in which they occur.
        as_bytes: The same if it is read as bytes, if these are others; else empty.
    """
    for order in permutations(sorted(interpretation.gates)):
        yield replace(interpretation, gates="".join(order))
    if interpretation.cell in ("rnn", "rnn_relu"):
        yield from (replace(interpretation, cell=cell) for cell in ("rnn", "rnn_relu"))
    yield from (replace(interpretation, transposed=which) for which in TRANSPOSED)
    if parts.stack.joined or "hidden_first" in parts.stack.open:
        yield replace(interpretation, hidden_first=not interpretation.hidden_first)
    characters = interpretation.characters
    orders = ["".join(sorted(characters)), characters[1:] + characters[:1], characters[-1:] + characters[:-1]]
    if set(first_seen) == set(characters):
        orders.append(first_seen)
    yield from (replace(interpretation, characters=order) for order in orders)
    if as_bytes and set(as_bytes) <= set(characters):
        yield replace(interpretation, rule=replace(interpretation.rule, read_as="bytes"))


def assemble(parts: Parts, interpretation: Interpretation, vocabulary: Vocabulary) -> CharRNN:
    """The model, as it is read.

    Args:
        parts: What is read.
        interpretation: How.
        vocabulary: Whose replacement, and whose names of tokens, it has.

    Raises:
        ActivationError: If the interpretation does not fit the parts.
    """
    if interpretation.cell not in CELLS:
        raise ActivationError(f"there is no cell named {interpretation.cell!r}; choose one of {', '.join(CELLS)}")
    cell = CELLS[interpretation.cell]
    n_gates = parts.stack.n_gates
    if len(interpretation.characters) != parts.n_characters:
        raise ActivationError(
            f"the model has {parts.n_characters} characters, and the vocabulary {len(interpretation.characters)}"
        )
    if len(cell.gates) != n_gates:
        raise ActivationError(
            f"a cell of the kind {interpretation.cell} has {len(cell.gates)} gates, and the layers have {n_gates}"
        )
    if sorted(interpretation.gates) != sorted(GATES[n_gates]):
        raise ActivationError(
            f"the gates are given as {','.join(interpretation.gates)}; an order of {','.join(GATES[n_gates])} is due"
        )
    if interpretation.transposed not in TRANSPOSED:
        raise ActivationError(f"transposed is {interpretation.transposed!r}; choose one of {', '.join(TRANSPOSED)}")
    config = ModelConfig(
        cell=interpretation.cell,
        n_layers=len(parts.stack.layers),
        n_units=parts.stack.n_units,
        n_embedding=0 if parts.embedding is None else parts.embedding.shape[1],
    )
    with torch.random.fork_rng(devices=[]):  # a new model draws its weights; ours are not drawn
        model = CharRNN(config, replace(vocabulary, characters=interpretation.characters))
    model.reading_rule = interpretation.rule
    turn_all = interpretation.transposed == "all"
    by_gate = [[_LETTERS[letter] for letter in interpretation.gates].index(gate) for gate in cell.gates]
    weights: dict[str, Matrix] = {
        "readout.weight": _square_turned(parts.readout) if turn_all else parts.readout,
        "readout.bias": parts.readout_bias,
    }
    if parts.embedding is not None:
        weights["embedding.weight"] = parts.embedding
    for n, layer in enumerate(
        _arranged(layer, interpretation, joined=parts.stack.joined) for layer in parts.stack.layers
    ):
        for name, rows in (
            ("weight_ih", layer.input),
            ("weight_hh", layer.recurrent),
            ("bias_ih", layer.input_bias),
            ("bias_hh", layer.recurrent_bias),
        ):
            blocks = np.split(rows, n_gates)
            weights[f"rnn.{name}_l{n}"] = np.concatenate([blocks[place] for place in by_gate])
    try:
        model.load_state_dict({name: torch.tensor(array) for name, array in weights.items()})
    except RuntimeError as error:
        raise ActivationError(f"the parts do not fit together: {str(error).splitlines()[-1].strip()}") from error
    model.trained = True
    return model.eval()


def _arranged(layer: Layer, interpretation: Interpretation, *, joined: bool) -> Layer:
    """A layer with its matrices as a reading takes them."""
    n_units = layer.n_units
    if interpretation.hidden_first and (joined or layer.n_inputs == n_units):
        both = np.concatenate([layer.input, layer.recurrent], axis=1)
        layer = replace(
            layer,
            recurrent=both[:, :n_units],
            input=both[:, n_units:],
            input_bias=layer.recurrent_bias,
            recurrent_bias=layer.input_bias,
        )
    if interpretation.transposed != "no":
        layer = replace(layer, recurrent=_blocks_turned(layer.recurrent))
    if interpretation.transposed == "all" and layer.n_inputs == n_units:
        layer = replace(layer, input=_blocks_turned(layer.input))
    return layer


def _blocks_turned(rows: Matrix) -> Matrix:
    n_units = rows.shape[1]
    return np.concatenate([block.T for block in np.split(rows, len(rows) // n_units)])


def _square_turned(matrix: Matrix) -> Matrix:
    return matrix.T if matrix.shape[0] == matrix.shape[1] else matrix
