"""Models that read by the equations of their cells alone, in float64, and kinds of models to compare with these."""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from planting import random_model
from torch import Tensor

from activations.interventions import Intervention
from activations.models.cells.equations import GATE_FUNCTIONS
from activations.models.cells.kinds import CELLS
from activations.models.char_rnn import CharRNN
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.units import Site

Kind = dict[str, Any]
Change = Callable[[Site, Tensor], Tensor]
OPTIONS: list[Kind] = [
    {},
    *({"gates": gates} for gates in GATE_FUNCTIONS[1:]),
    {"peepholes": True},
    {"n_projected": 3},
    {"layer_norm": True},
    {"peepholes": True, "n_projected": 3, "layer_norm": True, "gates": GATE_FUNCTIONS[1]},
]


def unchanged(site: Site, values: Tensor) -> Tensor:
    """Leave every value as it is."""
    return values


def _is_kind(cell: str, options: Kind) -> bool:
    return cell == "lstm" or not options or (options.keys() == {"gates"} and CELLS[cell].has_gate_function)


KINDS: list[Kind] = [{"cell": cell, **options} for cell, options in product(CELLS, OPTIONS) if _is_kind(cell, options)]


def name_of(kind: Kind) -> str:
    """A name for a test's parameter."""
    return "-".join(str(value) if isinstance(value, str) else name for name, value in kind.items())


def unusual_model(text: str, kind: Kind, seed: int = 0, **shape: int) -> CharRNN:
    """A random model whose gains and biases of normalised values are not those that a model begins with."""
    model = random_model(text, seed, **{"n_units": 8, **shape, **kind})
    for name, weight in model.rnn.named_parameters():
        if name.startswith(("gain", "norm_cell")):
            weight.data += 0.3 * torch.randn(weight.shape)
    return model


def ids_of(model: CharRNN, *texts: str) -> Tensor:
    """(n_chars, n_texts) of texts that are as long as each other."""
    return torch.tensor([[model.vocabulary.characters.index(char) for char in text] for text in texts]).T


def recorded(
    model: CharRNN, texts: Sequence[str], interventions: Sequence[Intervention] = (), *, dtype: str = "float32"
) -> dict[Site | str, NDArray[Any]]:
    """(n_chars, n_texts, ...) of each site and kind of prediction, for texts of one length, as many lanes as texts."""
    live = LiveActivations(
        model,
        Corpus.from_texts(texts),
        n_lanes=len(texts),
        compute=ComputeOptions(dtype=dtype),
        interventions=interventions,
    )
    blocks = sorted(live.blocks(predictions=True), key=lambda block: block.start)
    rows = [{**block.values, **block.predictions} for block in blocks]
    whole = {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
    return {key: np.stack(np.split(values, len(texts)), axis=1) for key, values in whole.items()}


def read_by_equations(model: CharRNN, ids: Tensor, change: Change = unchanged) -> tuple[dict[Site, Tensor], Tensor]:
    """What a model makes of characters, in float64, by nothing but `activations.models.cells.equations`.

    Args:
        model: Of any kind.
        ids: (n_steps, n_lanes).
        change: What takes the place of the values of a site, (n_lanes, n_units).

    Returns:
        (n_steps, n_lanes, n_units) of each site, and (n_steps, n_lanes, n_characters) logits.
    """
    model = deepcopy(model).double()
    with torch.no_grad():
        x = model.input_vectors(ids)
        found: dict[Site, Tensor] = {}
        for n in range(model.config.n_layers):
            layer, at = model.layer(n), partial(_at, change, n)
            signals = {s: torch.zeros(ids.shape[1], model.config.n_units_of(s)).double() for s in model.cell.state}
            rows = [signals := model.cell.equations(layer, inputs, signals, at) for inputs in layer.from_input(x)]
            found |= {Site.of(n, signal): torch.stack([row[signal] for row in rows]) for signal in model.cell.signals}
            x = found[Site.of(n, "hidden")]
        return found, model.readout(x)


def next_by_equations(
    model: CharRNN, ids: Tensor, read: Mapping[Site, Tensor], change: Change = unchanged
) -> dict[Site, Tensor]:
    """What the equations make, in float64, of each character alone: of the state and the layer below that were read.

    In a whole reading, small differences may grow from one character to the next; here they cannot.

    Args:
        model: Of any kind.
        ids: (n_steps, n_lanes), from the beginning of a document each.
        read: (n_steps, n_lanes, n_units) in float32, what was read of each site.
        change: What takes the place of the values of a site, (n_steps, n_lanes, n_units).

    Returns:
        (n_steps, n_lanes, n_units) of each site.
    """
    model = deepcopy(model).double()
    found: dict[Site, Tensor] = {}
    with torch.no_grad():
        x = model.input_vectors(ids)
        for n in range(model.config.n_layers):
            before = {s: read[Site.of(n, s)].double().roll(1, 0) for s in model.cell.state}
            for values in before.values():
                values[0] = 0
            layer = model.layer(n)
            signals = model.cell.equations(layer, layer.from_input(x), before, partial(_at, change, n))
            found |= {Site.of(n, signal): values for signal, values in signals.items()}
            x = read[Site.of(n, "hidden")].double()
    return found


def _at(change: Change, layer: int, signal: str, values: Tensor) -> Tensor:
    return change(Site.of(layer, signal), values)
