"""How near extraction comes to what the machine can do, and how far it is from a plain loop.

Everything is measured in one run, because only ratios mean something on a machine that others use, too:

    python benchmarks/extract.py corpus.txt                        # an LSTM of 2 × 512 units
    python benchmarks/extract.py corpus.txt --cell gru --chars 300000 --repeat 3

The limit is the rate of a large float32 matrix product over the operations that the cell must do for a character
(8 H (I + H) for a layer of an LSTM, where the first layer's input product is a look-up), or the disk's, if that is
slower. The plain loop reads a character at a time, with the input product of the first layer looked up, keeps every
gate in memory, and writes nothing.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from activations.models.char_rnn import CharRNN, ModelConfig
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.lanes.memory_pool import pages
from activations.reading.live import LiveActivations
from activations.recordings.disk import DiskFile
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary

PLAIN_CHARS = 2_000
EXACT_CHARS = 50_000
N_GATES = {"lstm": 4, "gru": 3, "rnn": 1, "rnn_relu": 1}


def matrix_rate(dtype: torch.dtype, seconds: float = 1.5) -> float:
    """Floating-point operations a second of a large matrix product on all cores."""
    n = 2048
    a = torch.randn(n, n).to(dtype)
    torch.mm(a, a)
    n_done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        torch.mm(a, a)
        n_done += 1
    return 2 * n**3 * n_done / (time.perf_counter() - began)


def disk_rate(folder: Path, n_bytes: int = 2 << 30, piece: int = 256 << 10) -> float:
    """Bytes a second that pieces of the size of a lane's turn are written at, in any order."""
    content = pages(piece)
    content[:] = 1
    path = folder / "rate"
    with DiskFile(path) as file:
        os.posix_fallocate(file.descriptor, 0, n_bytes)
        began = time.perf_counter()
        for place in np.random.default_rng(0).permutation(n_bytes // piece):
            file.write(content, int(place) * piece)
        file.sync()
        rate = n_bytes / (time.perf_counter() - began)
    path.unlink()
    return rate


@torch.inference_mode()
def plain_loop(model: CharRNN, ids: list[int]) -> float:
    """Characters a second of a loop over characters that keeps every signal."""
    rnn, n = model.rnn, model.config.n_units
    kept: list[tuple[torch.Tensor, ...]] = []
    layers = [
        [rnn.get_parameter(f"{name}_l{layer}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        for layer in range(model.config.n_layers)
    ]
    states = [(torch.zeros(1, n), torch.zeros(1, n)) for _ in layers]
    table = layers[0][0].t().contiguous()
    began = time.perf_counter()
    for number in ids:
        x = None
        for layer, (w, u, b, c) in enumerate(layers):
            h, cell = states[layer]
            given = table[number][None] + b if x is None else torch.nn.functional.linear(x, w, b)
            fed_back = torch.nn.functional.linear(h, u, c)
            if model.config.cell == "lstm":
                i, f, g, o = (given + fed_back).chunk(4, 1)
                i, f, g, o = torch.sigmoid(i), torch.sigmoid(f), torch.tanh(g), torch.sigmoid(o)
                cell = f * cell + i * g
                h = o * torch.tanh(cell)
                kept.append((h, cell, i, f, g, o))
            elif model.config.cell == "gru":
                (r, z, g), (ur, uz, ug) = given.chunk(3, 1), fed_back.chunk(3, 1)
                r, z = torch.sigmoid(r + ur), torch.sigmoid(z + uz)
                g = torch.tanh(g + r * ug)
                h = (1 - z) * g + z * h
                kept.append((h, r, z, g))
            else:
                h = torch.tanh(given + fed_back) if model.config.cell == "rnn" else torch.relu(given + fed_back)
                kept.append((h,))
            states[layer] = h, cell
            x = h
        torch.log_softmax(model.readout(x), -1)
    return len(ids) / (time.perf_counter() - began)


def speed(make: Callable[[], LiveActivations], path: Path) -> float:
    """Characters a second of a recording, everything included."""
    result = extract(make(), path)
    path.unlink()
    return result.chars_per_s


def live_speed(live: LiveActivations) -> float:
    """Characters a second without a disk."""
    began = time.perf_counter()
    for _ in live.blocks(predictions=True):
        pass
    return len(live.corpus) / (time.perf_counter() - began)


def main() -> None:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("text", type=Path)
    parser.add_argument("--cell", default="lstm", choices=list(N_GATES))
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--chars", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=None, help="where the recordings go; needs room")
    options = parser.parse_args()

    text = Corpus.read(options.text).text(0, options.chars)
    corpus, short = Corpus.from_texts([text]), Corpus.from_texts([text[:EXACT_CHARS]])
    torch.manual_seed(0)
    config = ModelConfig(cell=options.cell, n_layers=options.layers, n_units=options.units)
    model = CharRNN(config, Vocabulary.of([text])).eval()
    ids = model.vocabulary.encode(short)[:PLAIN_CHARS].tolist()
    n, gates = options.units, N_GATES[options.cell]
    per_char = 2 * gates * n * (n + (options.layers - 1) * 2 * n)
    exact, lanes = LiveActivations(model, short, n_lanes=1), LiveActivations(model, corpus)
    live_speed(LiveActivations(model, Corpus.from_texts([text[:100]]), n_lanes=1))  # compiled, or found in the cache
    bytes_per_char = sum(lanes.dtype(site).itemsize * size for site, size in lanes.sites.items())
    bytes_per_char += 4 + 2 * len(model.vocabulary)
    print(
        f"{options.layers} × {n} {options.cell}, {len(corpus):,} characters, {lanes.n_lanes} lanes in {lanes.n_groups}"
    )
    print(f"{per_char / 1e6:.2f} million operations and {bytes_per_char / 1e3:.1f} kB a character")

    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        for _ in range(options.repeat):
            path = Path(folder) / "activations.h5"
            before = matrix_rate(torch.float32)
            found = {
                "plain loop": plain_loop(model, ids),
                "one lane, exact": speed(lambda: exact, path),
                "lanes, to a statistic": live_speed(lanes),
                "lanes, recorded": speed(lambda: lanes, path),
            }
            after = matrix_rate(torch.float32)
            bf16 = LiveActivations(model, corpus, compute=ComputeOptions(precision="bf16"))
            found["bf16 lanes, to a statistic"] = live_speed(bf16)
            found["bf16 lanes, recorded"] = speed(lambda: bf16, path)  # noqa: B023 called at once
            disk = disk_rate(Path(folder))
            by_matrix = (before + after) / 2 / per_char
            by_disk = disk / bytes_per_char
            limit = min(by_matrix, by_disk)
            rates = [rate / 1e9 for rate in (before, after, matrix_rate(torch.bfloat16))]
            print("\nfloat32 {:.0f} then {:.0f} GFLOP/s, bf16 {:.0f}".format(*rates))
            print(f"limit {limit:,.0f} characters/s: by products {by_matrix:,.0f}, by the disk {by_disk:,.0f}")
            for name, chars_per_s in found.items():
                share, times = chars_per_s / limit, chars_per_s / found["plain loop"]
                print(f"{name:>26} {chars_per_s:>10,.0f} characters/s {share:>7.1%} of the limit {times:>6.1f} × plain")
            print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
