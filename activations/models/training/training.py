"""Training a character language model by truncated back-propagation through time."""

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.evaluation import Evaluation, evaluate
from activations.models.initialising import initialise
from activations.models.training.config import TrainingConfig
from activations.models.training.interruptions import Interruptions
from activations.models.training.stabilising import read_with_penalty
from activations.models.training.state import load_state, save_state
from activations.progress import NotedProgress, no_progress
from activations.texts.codes import text_to_codes
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import EOS, PLAIN, ReadingRule
from activations.texts.tokenising import TokenisedText, check_text, tokenise, vocabulary_to_learn
from activations.texts.vocab import Vocabulary

_WARM_UP_STEPS = 100
_LAST_RATE = 0.01
_ROWS_OF_ROUND = 20
_ROUND_CHARS = 10_000_000  # after which a model is judged, though the epoch goes on
_SECONDS_BETWEEN_SAVES = 60.0
_CHUNK = 1 << 20  # tokens that are turned into ids at once


class Row(NamedTuple):
    """How far the training was at some time.

    Attributes:
        update: Steps of the optimiser so far.
        epoch: Passes over the text so far, with a fraction.
        loss: Mean over the characters since the row before, in nats.
        held_out: Loss on the held-out text, in nats per character; None within a round.
    """

    update: int
    epoch: float
    loss: float
    held_out: float | None


class Moment(NamedTuple):
    """What there is to look at while a model is trained.

    Attributes:
        model: As it is now, in evaluation mode.
        update: Steps of the optimiser so far.
        rows: How it went so far.
        is_best: Whether the held-out text has just been predicted better than ever before.
    """

    model: CharRNN
    update: int
    rows: Sequence[Row]
    is_best: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class Training:
    """A trained model and how it came about.

    Attributes:
        model: In evaluation mode, with the weights of the round that predicted the held-out text best.
        losses: (n_rounds,) mean training loss, in nats per character. A round is an epoch, or a part of a long one.
        held_out: (n_rounds,) what the model made of the held-out text after each round.
        config: How it was trained.
        rows: The same in finer steps.
        seconds: That it took, without those between an interruption and going on.
    """

    model: CharRNN
    losses: tuple[float, ...]
    held_out: tuple[Evaluation, ...]
    config: TrainingConfig
    rows: tuple[Row, ...] = ()
    seconds: float = 0.0

    @property
    def best(self) -> Evaluation:
        """The held-out evaluation of `model`."""
        return min(self.held_out, key=lambda evaluation: evaluation.nats_per_char)

    def record(self) -> dict[str, str | int | float]:
        """What the checkpoint says of the training."""
        return {**asdict(self.config), "held_out_nats_per_char": self.best.nats_per_char}

    def __str__(self) -> str:
        epochs = self.rows[-1].epoch if self.rows else self.config.epochs
        return f"held-out loss after {epochs:g} epochs: {self.best}"


def hold_out(corpus: Corpus, share: float) -> tuple[Corpus, Corpus]:
    """Cut off the end of a text for validation.

    Args:
        corpus: One or more documents.
        share: Of its characters, in (0, 1).

    Returns:
        The training text and the held-out text.

    Raises:
        ActivationError: If either part would have fewer than two characters.
    """
    if not 0 < share < 1:
        raise ActivationError(f"the held-out share is {share}; it must lie between 0 and 1")
    training, held_out = corpus.cut([1 - share, share])
    return training, held_out


def train(
    corpus: Corpus,
    held_out: Corpus,
    model: ModelConfig | None = None,
    config: TrainingConfig | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    state: Path | None = None,
    rule: ReadingRule = PLAIN,
    at: Callable[[int], bool] = lambda update: False,
    watch: Callable[[Moment], None] = lambda moment: None,
    progress: NotedProgress = no_progress,
) -> Training:
    """Train a model from scratch, or go on with a training that was interrupted.

    The text is cut into lanes that are read side by side; the state is carried from one stretch of a lane to
    the next, so that the model can learn to remember longer than the gradient flows. Each epoch starts at
    another place of the text.

    Args:
        corpus: What to learn; its documents one after another, in an order drawn from the seed.
        held_out: What to be judged by.
        model: The shape of the model; None is the default shape.
        config: How to train it; None is the default.
        vocabulary: The characters to know; None is all of both texts, but for rare ones.
        state: A file where everything is kept that is needed to go on after an interruption: every minute, after each
            round, and at Ctrl-C, which is answered after the update at hand. If it is there, and of the same texts and
            settings, training goes on from it, to the result that it would have had. It stays in the end, until whoever
            asked for it has kept the model.
        rule: What the model is to read in place of the text as it stands.
        at: The updates after which `watch` is called, besides the beginning, and the end of each round.
        watch: Called with what there is to see.
        progress: Called with the updates done, their number, and the losses so far in words.

    Raises:
        ActivationError: If the text is too short for the lanes, the loss is no longer a number, or the state is of
            another training.
    """
    config = (config or TrainingConfig()).settled()
    devices = [torch.cuda.current_device()] if config.device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(config.seed)
        trainer = _Trainer(corpus, held_out, model or ModelConfig(), config, vocabulary, state, rule)
        return trainer.run(at, watch, progress)


def can_train_in_bf16(cell: str, device: str = "cpu") -> bool:
    """Whether a cell can be trained in bf16: PyTorch's LSTM of a processor needs instructions that not all have."""
    return cell != "lstm" or device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class _Trainer:
    """A training, and everything that it is at."""

    def __init__(
        self,
        corpus: Corpus,
        held_out: Corpus,
        shape: ModelConfig,
        config: TrainingConfig,
        vocabulary: Vocabulary | None,
        path: Path | None,
        rule: ReadingRule,
    ) -> None:
        self._config, self._held_out, self._path = config, held_out, path
        vocabulary = vocabulary or vocabulary_to_learn((corpus, held_out), rule, min_count=config.min_count)
        if len(vocabulary) < 2:
            raise ActivationError(
                f"the text has no other character than {vocabulary.characters!r}, so that there is nothing to predict"
            )
        check_text(corpus, rule, vocabulary, replace_unknown=True)
        text = tokenise(corpus, rule, vocabulary)
        order = np.random.default_rng(config.seed).permutation(len(corpus.documents))
        self._ids = _join(text, rule, order)
        self._tokens_per_char = len(self._ids) / len(corpus)
        self._length = len(self._ids) // config.n_lanes
        if self._length < 2:
            raise ActivationError(
                f"the training text has {len(self._ids):,} characters, too few for {config.n_lanes} lanes; "
                "use a longer text or fewer lanes"
            )
        self._per_epoch = -(-(self._length - 1) // config.n_steps)
        self._per_round = -(-self._per_epoch // max(1, round(len(self._ids) / _ROUND_CHARS)))
        self._n_updates = config.epochs * self._per_epoch
        if config.precision == "bf16" and shape.is_fused and not can_train_in_bf16(shape.cell, config.device):
            raise ActivationError(
                f"this processor cannot train an {shape.cell.upper()} in bf16; use --precision float32"
            )
        self._net = CharRNN(shape, vocabulary, dropout=config.dropout)
        self._net.reading_rule = rule
        initialise(self._net, config.initialisation)
        self._net.to(config.device)
        self._optimizer = _optimizer(self._net, config)
        self._done = 0
        self._carried: tuple[Tensor, ...] | None = None
        self._sums = [[0.0, 0], [0.0, 0]]  # losses and characters of each lane, in the round, and since the last row
        self._seconds, self._began = 0.0, time.monotonic()  # before an interruption, and when it went on
        self._losses: list[float] = []
        self._evaluations: list[Evaluation] = []
        self._rows: list[Row] = []
        self._best = self._weights()
        self._key = {
            **shape.as_dict(),
            **asdict(config),
            "characters": vocabulary.characters,
            "text": corpus.sha256,
            "held_out": held_out.sha256,
            **({} if rule.is_plain else {"reading_rule": json.dumps(rule.to_data())}),
        }
        if path is not None and path.exists():
            self._restore(load_state(path, self._key))

    def run(
        self,
        at: Callable[[int], bool],
        watch: Callable[[Moment], None],
        progress: NotedProgress,
    ) -> Training:
        """Train to the end."""
        config = self._config
        done_before, saved = self._done, self._began
        per_row = max(1, self._per_round // _ROWS_OF_ROUND)
        if self._done == 0:
            self._show(watch, is_best=False)
        with Interruptions() as interruptions:
            while self._done < self._n_updates and not self._is_tired:
                epoch, within = divmod(self._done, self._per_epoch)
                in_round = within % self._per_round
                if within == 0:
                    self._carried = None
                loss, n_steps = self._update(epoch, within)
                self._done += 1
                self._sums = [[nats + loss * n_steps, n + n_steps] for nats, n in self._sums]
                is_last = in_round + 1 == self._per_round or within + 1 == self._per_epoch
                if (in_round + 1) % per_row == 0 or is_last:
                    nats, n = self._sums[1]
                    self._rows.append(Row(self._done, self._done / self._per_epoch, nats / n, None))
                    self._sums[1] = [0.0, 0]
                if is_last:
                    self._show(watch, is_best=self._end_round())
                elif at(self._done):
                    self._show(watch, is_best=False)
                is_interrupted = interruptions.came
                if is_last or is_interrupted or time.monotonic() - saved > _SECONDS_BETWEEN_SAVES:
                    self._save()
                    saved = time.monotonic()
                if is_interrupted:
                    interruptions.answer()
                n_chars = (self._done - done_before) * config.n_lanes * config.n_steps
                progress(self._done, self._n_updates, self._note(n_chars / (time.monotonic() - self._began)))
        self._net.load_state_dict(self._best)
        self._net.trained = True
        return Training(
            model=self._net.cpu().eval(),
            losses=tuple(self._losses),
            held_out=tuple(self._evaluations),
            config=config,
            rows=tuple(self._rows),
            seconds=self._seconds + time.monotonic() - self._began,
        )

    def _update(self, epoch: int, within: int) -> tuple[float, int]:
        """One step of the optimiser; its loss in nats per character, and the characters of each lane."""
        config, net = self._config, self._net
        characters = self._characters(epoch, within * config.n_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = config.learning_rate * _rate(self._done, self._n_updates, epoch, config)
        net.train()
        with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bf16"):
            if config.norm_stabiliser:
                logits, after, penalty = read_with_penalty(net, characters[:-1], self._carried)
            else:
                (logits, after), penalty = net(characters[:-1], self._carried), None
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), characters[1:].flatten())
        self._optimizer.zero_grad()
        (loss if penalty is None else loss + config.norm_stabiliser * penalty).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        self._optimizer.step()
        self._carried = tuple(part.detach() for part in after)
        nats = loss.item()
        self._check(nats)
        return nats * self._tokens_per_char, len(characters) - 1

    def _check(self, nats: float) -> None:
        if not math.isfinite(nats):
            if self._path is not None:  # from there, it would only end here again
                self._path.unlink(missing_ok=True)
            raise ActivationError(
                f"the loss is no longer a number after {self._done:,} updates; train with a learning rate below "
                f"{self._config.learning_rate:g}"
            )

    def _characters(self, epoch: int, start: int) -> Tensor:
        """(n_steps + 1, n_lanes) characters from a place in the lanes on, which begin elsewhere in each epoch."""
        n = len(self._ids)
        first = int(np.random.default_rng([self._config.seed, epoch]).integers(n))
        steps = np.arange(start, min(start + self._config.n_steps + 1, self._length))
        places = first + steps[:, None] + self._length * np.arange(self._config.n_lanes)
        return torch.from_numpy(self._ids[places % n].astype(np.int64)).to(self._config.device)

    def _end_round(self) -> bool:
        """Judge the model, and keep it if it is the best."""
        nats, n = self._sums[0]
        self._losses.append(nats / n)
        self._sums[0] = [0.0, 0]
        found = evaluate(self._net.eval(), self._held_out, replace_unknown=True)
        self._check(found.nats_per_char)
        is_best = all(found.nats_per_char < each.nats_per_char for each in self._evaluations)
        self._evaluations.append(found)
        self._rows[-1] = self._rows[-1]._replace(held_out=found.nats_per_char)
        if is_best:
            self._best = self._weights()
        return is_best

    @property
    def _is_tired(self) -> bool:
        """Whether the held-out loss has not fallen for as long as the patience lasts."""
        patience, found = self._config.patience, [each.nats_per_char for each in self._evaluations]
        return patience > 0 and len(found) - 1 - int(np.argmin(found or [0.0])) >= patience

    def _show(self, watch: Callable[[Moment], None], *, is_best: bool) -> None:
        trained, self._net.trained = self._net.trained, self._done > 0
        watch(Moment(self._net.eval(), self._done, self._rows, is_best))
        self._net.trained = trained

    def _note(self, chars_per_second: float) -> str:
        last = self._rows[-1].loss if self._rows else math.nan
        held_out = f", held-out {self._evaluations[-1].nats_per_char:.3f}" if self._evaluations else ""
        return f"{last:.3f} nats ({last / math.log(2):.3f} bits){held_out}; {chars_per_second:,.0f} characters/s"

    def _weights(self) -> dict[str, Tensor]:
        return {name: weight.detach().cpu().clone() for name, weight in self._net.state_dict().items()}

    def _save(self) -> None:
        if self._path is None:
            return
        save_state(
            self._path,
            self._key,
            {
                "done": self._done,
                "weights": self._weights(),
                "best": self._best,
                "optimizer": self._optimizer.state_dict(),
                "carried": self._carried,
                "sums": self._sums,
                "seconds": self._seconds + time.monotonic() - self._began,
                "losses": self._losses,
                "evaluations": [asdict(each) for each in self._evaluations],
                "rows": [tuple(row) for row in self._rows],
                "rng": torch.get_rng_state(),
                "cuda_rng": torch.cuda.get_rng_state() if self._config.device == "cuda" else None,
            },
        )

    def _restore(self, found: dict[str, Any]) -> None:
        self._net.load_state_dict(found["weights"])
        self._optimizer.load_state_dict(found["optimizer"])
        self._best, self._done, self._sums = found["best"], found["done"], found["sums"]
        if found["carried"] is not None:
            self._carried = tuple(part.to(self._config.device) for part in found["carried"])
        self._losses, self._seconds = found["losses"], found["seconds"]
        self._evaluations = [Evaluation(**each) for each in found["evaluations"]]
        self._rows = [Row(*row) for row in found["rows"]]
        torch.set_rng_state(found["rng"])
        if found["cuda_rng"] is not None:
            torch.cuda.set_rng_state(found["cuda_rng"])


def _optimizer(net: CharRNN, config: TrainingConfig) -> torch.optim.Optimizer:
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(net.parameters(), config.learning_rate, alpha=0.95)
    decay = config.weight_decay if config.optimizer == "adamw" else 0.0
    return torch.optim.AdamW(net.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=decay, fused=True)


def _join(text: TokenisedText, rule: ReadingRule, order: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """(n_tokens,) ids of documents one after another, in as few bytes as there are tokens for."""
    read = text.token_corpus
    in_place = np.empty(len(read), np.min_scalar_type(len(text.vocabulary) - 1))
    for start in range(0, len(read), _CHUNK):
        own = slice(start, start + _CHUNK)
        in_place[own] = text.vocabulary.look_up(read.codes[own])
    if len(order) == 1 and rule.ends != "documents":
        return in_place
    pieces = [in_place[a:b] for a, b in zip(read.starts[order], read.stops[order], strict=True)]
    if rule.ends == "documents":
        end = text.vocabulary.look_up(text_to_codes(text.vocabulary.character_of(EOS))).astype(in_place.dtype)
        pieces = [part for piece in pieces for part in (piece, end)]
    return np.concatenate(pieces)


def _rate(step: int, n_updates: int, epoch: int, config: TrainingConfig) -> float:
    """The share of the learning rate that is used in an update."""
    rise = min(1.0, (step + 1) / min(_WARM_UP_STEPS, n_updates))
    if config.schedule == "cosine":
        fall = 0.5 * (1 + math.cos(math.pi * min(step / n_updates, 1.0)))
        return rise * (_LAST_RATE + (1 - _LAST_RATE) * fall)
    return rise * (config.decay**epoch if config.schedule == "exponential" else 1.0)
