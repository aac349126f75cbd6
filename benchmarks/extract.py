"""How fast `probe extract` is, beside the machine's limit and a plain loop, in one run.

    python -m benchmarks.extract TEXT [--cell lstm] [--units 512] [--chars 200000]

The limit is the machine's matrix rate over the floating-point operations that the recurrent layers need for a
character: for an LSTM 8·H·(I+H) a layer of H units and I inputs, the first layer's input product being a look-up. The
plain loop reads one character at a time and keeps every gate. Ratios count; the machines are shared and noisy.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import torch

from activations.corpus import Corpus
from activations.extraction import LiveActivations, extract
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.vocab import Vocabulary

_PLAIN_CHARS = 3000


def matrix_rate(size: int = 2048, seconds: float = 2.0) -> float:
    """Floating-point operations a second of a float32 matrix product."""
    a, b, c = (torch.randn(size, size) for _ in range(3))
    torch.mm(a, b, out=c)
    n, began = 0, perf_counter()
    while perf_counter() - began < seconds:
        torch.mm(a, b, out=c)
        n += 1
    return n * 2 * size**3 / (perf_counter() - began)


def operations(model: CharRNN) -> int:
    """Floating-point operations for a character, the element-wise ones and the read-out left out."""
    config = model.config
    n_gates = len(model.cell.gates)
    layers = [0] + [config.n_units] * (config.n_layers - 1)  # the first layer's input is a look-up
    return sum(2 * n_gates * config.n_units * (n_inputs + config.n_units) for n_inputs in layers)


@torch.inference_mode()
def plain_loop(model: CharRNN, text: Corpus) -> float:
    """Characters a second of a loop over single characters that keeps every gate."""
    ids = torch.from_numpy(model.vocabulary.encode(text))[:_PLAIN_CHARS]
    config, cell = model.config, model.cell
    states = [{name: torch.zeros(1, config.n_units) for name in cell.state} for _ in range(config.n_layers)]
    kept = []
    began = perf_counter()
    for step in range(len(ids)):
        inputs = ids[step : step + 1, None]
        for layer, state in enumerate(states):
            out = {name: torch.empty(1, 1, config.n_units) for name in cell.signals}
            cell.scan(model.project(inputs, layer), state, model.weight_hh(layer), model.candidate_bias(layer), out)
            kept.append(out)
            inputs = out["hidden"]
        torch.log_softmax(model.readout(inputs), -1)
    return len(ids) / (perf_counter() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path)
    parser.add_argument("--cell", default="lstm")
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--chars", type=int, default=200_000)
    parser.add_argument("--lanes", type=int)
    options = parser.parse_args()

    corpus = Corpus.from_texts([Corpus.read(options.text).text(0, options.chars)])
    torch.manual_seed(0)
    shape = ModelConfig(cell=options.cell, n_layers=options.layers, n_units=options.units)
    model = CharRNN(shape, Vocabulary.of([corpus.text()])).eval()
    rate = matrix_rate()
    limit = rate / operations(model)
    plain = plain_loop(model, corpus)
    live = LiveActivations(model, corpus, n_lanes=options.lanes)
    with tempfile.TemporaryDirectory() as folder:
        ours = extract(live, Path(folder) / "a.h5").chars_per_s
    print(f"{options.cell} {options.layers} × {options.units}, {len(corpus):,} characters, {live.n_lanes} lanes")
    print(f"matrix rate {rate / 1e9:8.0f} GFLOP/s, so the limit is {limit:8,.0f} characters/s")
    print(f"plain loop  {plain:8,.0f} characters/s")
    print(
        f"ours        {ours:8,.0f} characters/s: {ours / limit:.0%} of the limit, {ours / plain:.1f} × the plain loop"
    )


if __name__ == "__main__":
    main()
