"""How fast models are trained, beside a bare PyTorch loop and one that calls the model once per character.

python benchmarks/train.py corpus.txt
"""

import argparse
import time
from pathlib import Path

import torch
from torch import nn

from activations.models.char_rnn import ModelConfig
from activations.models.training.config import TrainingConfig
from activations.models.training.training import hold_out, train
from activations.texts.corpus import Corpus
from activations.texts.vocab import Vocabulary

_N_LANES, _N_STEPS, _RATE = 32, 64, 1e-3
_ROUNDS = 3


class Bare(nn.Module):
    """An LSTM between one-hot characters and a linear read-out, and nothing else."""

    def __init__(self, n_characters: int, n_units: int) -> None:
        super().__init__()
        self.n_characters = n_characters
        self.rnn = nn.LSTM(n_characters, n_units, 2)
        self.readout = nn.Linear(n_units, n_characters)

    def forward(
        self, ids: torch.Tensor, state: tuple[torch.Tensor, torch.Tensor] | None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Logits of the next characters, and the state."""
        hidden, state = self.rnn(nn.functional.one_hot(ids, self.n_characters).float(), state)
        return self.readout(hidden), state


def bare_loop(ids: torch.Tensor, n_characters: int, n_units: int, *, one_by_one: bool = False) -> float:
    """Characters per second of a loop over (n_updates * n_steps + 1, n_lanes) characters."""
    torch.manual_seed(0)
    model = Bare(n_characters, n_units)
    optimizer = torch.optim.Adam(model.parameters(), _RATE)
    state = None
    began = time.perf_counter()
    for start in range(0, len(ids) - _N_STEPS, _N_STEPS):
        own = ids[start : start + _N_STEPS + 1]
        if one_by_one:
            logits = []
            for step in range(_N_STEPS):
                found, state = model(own[step : step + 1], state)
                logits.append(found)
            said = torch.cat(logits)
        else:
            said, state = model(own[:-1], state)
        loss = nn.functional.cross_entropy(said.flatten(0, 1), own[1:].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        state = None if state is None else (state[0].detach(), state[1].detach())
    return (len(ids) - 1) * ids.shape[1] / (time.perf_counter() - began)


def ours(corpus: Corpus, n_units: int) -> float:
    """Characters per second of one epoch, without judging the held-out text."""
    training, held_out = hold_out(corpus, 100 / len(corpus))
    config = TrainingConfig(epochs=1, n_lanes=_N_LANES, n_steps=_N_STEPS, learning_rate=_RATE)
    marks: list[tuple[float, int]] = []
    train(
        training,
        held_out,
        ModelConfig(n_units=n_units),
        config,
        progress=lambda done, total, note: marks.append((time.perf_counter(), done)),
    )
    (began, first), (ended, last) = marks[0], marks[-2]  # the last judges the model, too
    return (last - first) * _N_LANES * _N_STEPS / (ended - began)


def main() -> None:
    """Print what each takes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("text", type=Path)
    given = parser.parse_args()
    whole = Corpus.read(given.text)
    for n_units, n_chars in ((128, 400_000), (512, 120_000)):
        [corpus, _] = whole.cut([n_chars / len(whole), 1 - n_chars / len(whole)])
        vocabulary = Vocabulary.of_corpora([corpus])
        length = n_chars // _N_LANES // _N_STEPS * _N_STEPS + 1
        ids = (
            torch.from_numpy(vocabulary.encode(corpus))[: (length - 1) * _N_LANES].reshape(_N_LANES, -1).T.contiguous()
        )
        few = ids[: 4 * _N_STEPS + 1]
        bare_loop(few, len(vocabulary), n_units)
        print(f"LSTM of 2 x {n_units}, {_N_LANES} lanes of {_N_STEPS} characters, {len(vocabulary)} characters known")
        for _ in range(_ROUNDS):
            own, bare = ours(corpus, n_units), bare_loop(ids, len(vocabulary), n_units)
            singly = [bare_loop(each, len(vocabulary), n_units, one_by_one=True) for each in (few, few[:, :1])]
            print(
                f"  ours {own:,.0f} characters/s, a bare loop {bare:,.0f} ({own / bare:.0%}); a call for each: "
                f"{singly[0]:,.0f} of as many lanes ({own / singly[0]:.1f} x), {singly[1]:,.0f} of one "
                f"({own / singly[1]:.0f} x)"
            )


if __name__ == "__main__":
    main()
