"""How long `rank --all` takes from a live model, beside reading the text alone: seconds, ratio, peak memory.

python benchmarks/live.py corpus.txt more.txt
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import torch

from activations.models.char_rnn import CharRNN, ModelConfig
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary
from analyses.errors import AnalysisError
from analyses.ranking.ranking import rank_all
from analyses.targets.labelling import target
from analyses.targets.target import Target
from hypotheses.built_in import code, comments, speech
from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import Hypothesis
from hypotheses.registry import registered

_SIGNALS = ("hidden", "cell")
_SLOW = {  # of lexers and taggers
    each.name
    for module in (code, comments, speech)
    for each in vars(module).values()
    if isinstance(each, Hypothesis) and each.name
}


def repeated(paths: list[Path], n_chars: int) -> Corpus:
    """Texts, again and again under new names, until there are so many characters."""
    texts: list[str] = []
    files: list[str] = []
    n = 0
    originals = [Corpus.read(path).text() for path in paths]
    while n < n_chars:
        number = len(texts) // len(originals)
        for path, text in zip(paths, originals, strict=True):
            texts.append(text[: max(2, n_chars - n)])
            files.append(f"{path.name} {number}")
            n += len(texts[-1])
            if n >= n_chars:
                break
    return Corpus.from_texts(texts, files)


def label(corpus: Corpus, chosen: list[str]) -> tuple[list[Target], float]:
    """Targets of the hypotheses that can be asked of the text, and the seconds that labelling took."""
    began, found = time.perf_counter(), []
    for name in chosen:
        try:
            found.append(target(corpus, name, use_cache=False, notice=lambda sentence: None))
        except (AnalysisError, HypothesisError) as error:
            print(f"  {name}: {error}")
    return found, time.perf_counter() - began


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("texts", type=Path, nargs="+")
    parser.add_argument("--chars", type=int, default=50_000_000)
    parser.add_argument("--units", type=int, default=128)
    parser.add_argument("--every", action="store_true", help="also hypotheses that need lexers and taggers")
    options = parser.parse_args()
    corpus = repeated(options.texts, options.chars)
    torch.manual_seed(0)
    model = CharRNN(ModelConfig(cell="lstm", n_layers=1, n_units=options.units), Vocabulary.of([corpus.text()])).eval()
    live = LiveActivations(model, corpus)
    sites = [site for site in live.sites if site.signal in _SIGNALS]
    chosen = [
        name
        for name, each in registered().items()
        if not each.parameters.required and (options.every or name not in _SLOW)
    ]
    targets, seconds = label(corpus, chosen)
    print(f"{len(corpus):,} characters, {len(targets)} hypotheses labelled in {seconds:.0f} s")
    print(f"left out: {', '.join(sorted(_SLOW)) if not options.every else 'none'}")
    before = {path.name for path in Path(tempfile.gettempdir()).iterdir()}
    began = time.perf_counter()
    for _ in live.blocks(sites):
        pass
    reading = time.perf_counter() - began
    began = time.perf_counter()
    rank_all(live, targets, sites=sites, n_intervals=0)
    ranking = time.perf_counter() - began
    new = {path.name for path in Path(tempfile.gettempdir()).iterdir()} - before
    print(
        f"reading alone {reading:.1f} s, rank_all {ranking:.1f} s: {ranking / reading:.2f} ×; files written: {len(new)}"
    )
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
