"""How fast units are ablated, beside the rate of the machine's matrix products: seconds, GFLOP/s, and their share.

Every cell of an LSTM is held at its mean, one after another. The rate of products is measured in the same run, with
float32 products of the shape that a step of the lanes has, as many side by side as there are threads.

python benchmarks/ablate.py
python benchmarks/ablate.py --chars 2000 --units 128
"""

import argparse
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from activations.models.char_rnn import CharRNN, ModelConfig
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from analyses.causes.ablation import ablate
from analyses.passages.passages import spread_passages

_LANES = 512  # of all groups together
_SECONDS = 2.0


def quoted_text(n_chars: int) -> str:
    """Words at random, some of them in quotes."""
    rng = np.random.default_rng(0)
    letters = list("abcdefghijklmnopqrstuvwxyz")
    words = ["".join(rng.choice(letters, rng.integers(2, 9))) for _ in range(n_chars // 5)]
    quoted = [f'"{word}"' if n % 7 == 0 else word for n, word in enumerate(words)]
    return " ".join(quoted)[:n_chars]


def product_rate(n_units: int, n_threads: int, n_rows: int) -> float:
    """Return the GFLOP/s of products (n_rows, n_units) @ (n_units, 4 n_units) in float32, one in each thread."""
    torch.set_num_threads(1)

    def multiply(number: int) -> int:
        a, b = torch.randn(n_rows, n_units), torch.randn(n_units, 4 * n_units)
        out = torch.empty(n_rows, 4 * n_units)
        n_done, began = 0, time.perf_counter()
        while time.perf_counter() - began < _SECONDS:
            torch.mm(a, b, out=out)
            n_done += 1
        return n_done

    began = time.perf_counter()
    with ThreadPoolExecutor(n_threads) as pool:
        n_products = sum(pool.map(multiply, range(n_threads)))
    seconds = time.perf_counter() - began
    torch.set_num_threads(n_threads)
    return n_products * 8 * n_rows * n_units**2 / seconds / 1e9


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--chars", type=int, default=20_000, help="to measure on")
    parser.add_argument("--units", type=int, default=512)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    text = quoted_text(max(100_000, 2 * options.chars))
    config = ModelConfig(cell="lstm", n_layers=1, n_units=options.units)
    live = LiveActivations(CharRNN(config, Vocabulary.of([text])).eval(), Corpus.from_texts([text]))
    n_read = len(spread_passages(live, options.chars).corpus)
    ablate(live, "in_quotes", "0/cell/0", n_chars=300, n_matched=0)  # compiles, labels
    before = product_rate(options.units, options.threads, _LANES // options.threads)
    began = time.perf_counter()
    ablate(live, "in_quotes", "0/cell", n_chars=options.chars)
    seconds = time.perf_counter() - began
    after = product_rate(options.units, options.threads, _LANES // options.threads)
    n_characters = len(live.vocabulary.characters)
    flop = 2 * options.units * (4 * options.units + n_characters) * n_read * (1 + options.units)
    rate = flop / seconds / 1e9
    print(f"{options.units} units, {options.chars:,} characters ({n_read:,} with warm-ups), {options.threads} threads")
    print(f"ablation {seconds:8.1f} s {rate:8.1f} GFLOP/s")
    print(f"products before {before:.1f} and after {after:.1f} GFLOP/s; share {2 * rate / (before + after):.0%}")


if __name__ == "__main__":
    main()
