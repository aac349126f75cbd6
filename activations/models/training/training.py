"""Training a character language model by truncated back-propagation through time."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import model_sha256
from activations.models.evaluation import Evaluation, evaluate
from activations.models.initialising import initialise
from activations.models.training.config import TrainingConfig
from activations.models.training.interruptions import Interruptions
from activations.models.training.optimising import clip_gradient, learning_rate_factor, optimizer_of
from activations.models.training.results import Training, TrainingRow, TrainingSnapshot
from activations.models.training.stabilising import read_with_penalty
from activations.models.training.state import load_state, save_state
from activations.models.training.training_text import TrainingText
from activations.progress import NotedProgress, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.tokenising import check_text, vocabulary_to_learn
from activations.texts.vocab import Vocabulary

_ROWS_PER_ROUND = 20


def hold_out(corpus: Corpus, share: float) -> tuple[Corpus, Corpus]:
    """Cut off the end of a text for validation.

    Args:
        corpus: One or more documents.
        share: Share of its characters to hold out, in (0, 1).

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
    model: ModelConfig | CharRNN | None = None,
    config: TrainingConfig | None = None,
    *,
    vocabulary: Vocabulary | None = None,
    replace_unknown: bool = False,
    state: Path | None = None,
    resume: bool = True,
    rule: ReadingRule | None = None,
    save_every_s: float = 60.0,
    round_chars: int = 10_000_000,
    at: Callable[[int], bool] = lambda update: False,
    watch: Callable[[TrainingSnapshot], None] = lambda snapshot: None,
    progress: NotedProgress = no_progress,
) -> Training:
    """Train a model from scratch or from the weights of another, or resume a training that was interrupted.

    The text is cut into lanes that are read side by side. The state of a lane is carried from one batch to the next, so
    that the model can learn to remember over longer distances than those over which gradients are propagated. In each
    epoch, lanes start elsewhere in the text.

    Args:
        corpus: The training text; its documents are read one after another, in an order drawn from the seed.
        held_out: The text that decides which weights are kept.
        model: The cell and the sizes of a new model, None for the defaults; or a model whose weights, shape, vocabulary
            and reading rule the training begins with. It is not modified. Its held-out loss is measured before the
            first update, and it is the result if the loss never falls below that.
        config: The settings of the training; None for the defaults. The initialisation and `min_count` are for a new
            model.
        vocabulary: The characters that a new model knows; None for all of both texts, except rare ones. For a model to
            begin with, None or its own vocabulary with another replacement.
        replace_unknown: Whether a model to begin with reads characters that it does not know as its replacement; see
            `Vocabulary.encode`.
        state: A file with everything that is needed to resume after an interruption. It is written at the beginning,
            every `save_every_s` seconds, after each round, and at Ctrl-C, which takes effect after the current update.
            If it exists and is of the same texts and settings, training is resumed from it, with the result that it
            would have had without the interruption. It is not deleted at the end: the caller deletes it once the model
            is saved.
        resume: Whether to resume from `state`; if not, it is written anew.
        rule: What the model reads in place of the text as it stands; None is what the model to begin with reads, and
            for a new one the text itself.
        save_every_s: Seconds between two writes of the state.
        round_chars: An epoch of more characters is divided into rounds of about this many; the held-out loss is
            measured after each round.
        at: Returns True for the updates after which `watch` is called, besides the start and the end of each round.
        watch: Called with a snapshot of the model.
        progress: Called with the number of updates done and in all, and with the losses so far in words.

    Raises:
        ActivationError: If the text is too short for the lanes or has characters that the model to begin with does not
            know, if the loss is no longer a number, or if the state is of another training.
    """
    config = (config or TrainingConfig()).settled()
    start = model if isinstance(model, CharRNN) else None
    if start is not None:
        config = replace(config, initialisation=start.initialisation)
        vocabulary, rule = _vocabulary_of(start, vocabulary), rule or start.reading_rule
        for text in (corpus, held_out):
            check_text(text, rule, vocabulary, replace_unknown=replace_unknown)
    rule = rule or PLAIN
    devices = [torch.cuda.current_device()] if config.device == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(config.seed)
        vocabulary = vocabulary or vocabulary_to_learn((corpus, held_out), rule, min_count=config.min_count)
        trainer = _Trainer(corpus, held_out, model or ModelConfig(), config, vocabulary, rule, round_chars)
        if state is not None:
            trainer.keep_state_in(state, save_every_s, resume=resume)
        return trainer.run(at, watch, progress)


def _vocabulary_of(start: CharRNN, vocabulary: Vocabulary | None) -> Vocabulary:
    """Return the vocabulary of a model to begin with, or the given one if it is the same but for its replacement."""
    if vocabulary is None:
        return start.vocabulary
    if (vocabulary.characters, vocabulary.names) != (start.vocabulary.characters, start.vocabulary.names):
        raise ActivationError(
            f"the model knows {len(start.vocabulary)} characters, and the vocabulary that was given has others; leave "
            "it out, or train a new model"
        )
    return vocabulary


def can_train_in_bf16(cell: str, device: str = "cpu") -> bool:
    """Can a cell be trained in bf16? On a CPU, PyTorch's LSTM needs instructions that not all processors have."""
    return cell != "lstm" or device != "cpu" or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


class _Trainer:
    """A training: the model, the optimiser, and how far both have come."""

    def __init__(
        self,
        corpus: Corpus,
        held_out: Corpus,
        model: ModelConfig | CharRNN,
        config: TrainingConfig,
        vocabulary: Vocabulary,
        rule: ReadingRule,
        round_chars: int,
    ) -> None:
        if len(vocabulary) < 2:
            raise ActivationError(
                f"the text has no other character than {vocabulary.characters!r}, so that there is nothing to predict"
            )
        start = model if isinstance(model, CharRNN) else None
        shape = model.config if isinstance(model, CharRNN) else model
        self._config, self._held_out, self._start = config, held_out, start
        self._text = TrainingText(corpus, rule, vocabulary, config)
        n_rounds_per_epoch = max(1, round(self._text.n_tokens / round_chars))
        self._n_batches_per_round = -(-self._text.n_batches // n_rounds_per_epoch)
        self._n_updates = config.epochs * self._text.n_batches
        if config.precision == "bf16" and shape.is_fused and not can_train_in_bf16(shape.cell, config.device):
            raise ActivationError(
                f"this processor cannot train an {shape.cell.upper()} in bf16; use --precision float32"
            )
        self._model = CharRNN(shape, vocabulary, dropout=config.dropout)
        self._model.reading_rule = rule
        if start is None:
            initialise(self._model, config.initialisation)
        else:
            self._model.initialisation, self._model.trained = start.initialisation, start.trained
            self._model.load_state_dict(start.state_dict())
        self._model.to(config.device)
        self._optimizer = optimizer_of(self._model, config)
        self._done = 0
        self._carried: tuple[Tensor, ...] | None = None
        self._sums = [[0.0, 0], [0.0, 0]]  # loss and characters of each lane, in the round and since the last row
        self._seconds, self._started_at = 0.0, time.monotonic()  # seconds before the last interruption
        self._losses: list[float] = []
        self._evaluations: list[Evaluation] = []
        self._rows: list[TrainingRow] = []
        self._best_weights = self._weights()
        self._state_path: Path | None = None
        self._save_every_s = math.inf
        self._key = {
            **shape.as_dict(),
            **asdict(config),
            "clip_values": config.clip_values or None,  # as in states that were written before there was this setting
            "started_from": None if start is None else model_sha256(start),
            "replacement": None if start is None else vocabulary.replacement,
            "characters": vocabulary.characters,
            "text": corpus.sha256,
            "held_out": held_out.sha256,
            **({} if rule.is_plain else {"reading_rule": json.dumps(rule.to_data())}),
        }

    def keep_state_in(self, path: Path, save_every_s: float, *, resume: bool) -> None:
        """Save the state to a file from now on, and resume from that file if it exists and that is wanted."""
        self._state_path, self._save_every_s = path, save_every_s
        if resume and path.exists():
            self._restore(load_state(path, self._key))

    def run(
        self,
        at: Callable[[int], bool],
        watch: Callable[[TrainingSnapshot], None],
        progress: NotedProgress,
    ) -> Training:
        """Train until the last update, or until patience runs out."""
        done_before, saved_at = self._done, self._started_at
        if self._done == 0:
            if self._start is not None and not self._evaluations:
                self._judge_start()
            self._save()  # before anything else is written, so that whatever there is can be gone on with
            self._show(watch, is_best=False)
        with Interruptions() as interruptions:
            while self._done < self._n_updates and not self._is_out_of_patience:
                ends_round = self._advance()
                if ends_round:
                    self._show(watch, is_best=self._end_round())
                elif at(self._done):
                    self._show(watch, is_best=False)
                is_interrupted = interruptions.is_pending
                if ends_round or is_interrupted or time.monotonic() - saved_at > self._save_every_s:
                    self._save()
                    saved_at = time.monotonic()
                if is_interrupted:
                    interruptions.handle()
                n_chars = (self._done - done_before) * self._config.n_lanes * self._config.n_steps
                progress(self._done, self._n_updates, self._note(n_chars / (time.monotonic() - self._started_at)))
        self._model.load_state_dict(self._best_weights)
        self._model.trained = True
        return Training(
            model=self._model.cpu().eval(),
            losses=tuple(self._losses),
            held_out=tuple(self._evaluations),
            config=self._config,
            rows=tuple(self._rows),
            seconds=self._seconds + time.monotonic() - self._started_at,
        )

    def _advance(self) -> bool:
        """Make one update and note its loss; return True if it ends a round."""
        n_batches, n_batches_per_round = self._text.n_batches, self._n_batches_per_round
        epoch, batch = divmod(self._done, n_batches)
        batch_in_round = batch % n_batches_per_round
        if batch == 0:
            self._carried = None
        loss, n_steps = self._update(epoch, batch)
        self._done += 1
        self._sums = [[nats + loss * n_steps, n + n_steps] for nats, n in self._sums]
        ends_round = batch_in_round + 1 == n_batches_per_round or batch + 1 == n_batches
        n_batches_per_row = max(1, n_batches_per_round // _ROWS_PER_ROUND)
        if (batch_in_round + 1) % n_batches_per_row == 0 or ends_round:
            nats, n = self._sums[1]
            self._rows.append(TrainingRow(self._done, self._done / n_batches, nats / n, None))
            self._sums[1] = [0.0, 0]
        return ends_round

    def _update(self, epoch: int, batch: int) -> tuple[float, int]:
        """Make one step of the optimiser; return the loss in nats per character, and the characters of each lane."""
        config, model = self._config, self._model
        ids = self._text.batch(epoch, batch)
        for group in self._optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_factor(self._done, self._n_updates, epoch, config)
        model.train()
        with torch.autocast(config.device, torch.bfloat16, enabled=config.precision == "bf16"):
            if config.norm_stabiliser:
                logits, carried, penalty = read_with_penalty(model, ids[:-1], self._carried)
            else:
                (logits, carried), penalty = model(ids[:-1], self._carried), None
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[1:].flatten())
        self._optimizer.zero_grad()
        (loss if penalty is None else loss + config.norm_stabiliser * penalty).backward()  # type: ignore[no-untyped-call]
        clip_gradient(model, config)
        self._optimizer.step()
        self._carried = tuple(part.detach() for part in carried)
        nats = loss.item()
        self._check_loss(nats)
        return nats * self._text.tokens_per_char, len(ids) - 1

    def _check_loss(self, nats: float) -> None:
        if not math.isfinite(nats):
            if self._state_path is not None:  # a training resumed from it would only end here again
                self._state_path.unlink(missing_ok=True)
            raise ActivationError(
                f"the loss is no longer a number after {self._done:,} updates; train with a learning rate below "
                f"{self._config.learning_rate:g}"
            )

    def _judge_start(self) -> None:
        """Evaluate the model that the training begins with; there is no training loss yet."""
        evaluation = evaluate(self._model.eval(), self._held_out, replace_unknown=True)
        self._losses.append(math.nan)
        self._evaluations.append(evaluation)
        self._rows.append(TrainingRow(0, 0.0, math.nan, evaluation.nats_per_char))

    def _end_round(self) -> bool:
        """Evaluate the model, keep its weights if they are the best so far, and return whether they are."""
        nats, n = self._sums[0]
        self._losses.append(nats / n)
        self._sums[0] = [0.0, 0]
        evaluation = evaluate(self._model.eval(), self._held_out, replace_unknown=True)
        self._check_loss(evaluation.nats_per_char)
        is_best = all(evaluation.nats_per_char < earlier.nats_per_char for earlier in self._evaluations)
        self._evaluations.append(evaluation)
        self._rows[-1] = self._rows[-1]._replace(held_out=evaluation.nats_per_char)
        if is_best:
            self._best_weights = self._weights()
        return is_best

    @property
    def _is_out_of_patience(self) -> bool:
        """True if the held-out loss has not fallen for as many rounds as the patience allows."""
        patience, losses = self._config.patience, [evaluation.nats_per_char for evaluation in self._evaluations]
        return patience > 0 and len(losses) - 1 - int(np.argmin(losses or [0.0])) >= patience

    def _show(self, watch: Callable[[TrainingSnapshot], None], *, is_best: bool) -> None:
        trained, self._model.trained = self._model.trained, self._model.trained or self._done > 0
        watch(TrainingSnapshot(self._model.eval(), self._done, self._rows, is_best))
        self._model.trained = trained

    def _note(self, chars_per_second: float) -> str:
        last = self._rows[-1].loss if self._rows else math.nan
        held_out = f", held-out {self._evaluations[-1].nats_per_char:.3f}" if self._evaluations else ""
        return f"{last:.3f} nats ({last / math.log(2):.3f} bits){held_out}; {chars_per_second:,.0f} characters/s"

    def _weights(self) -> dict[str, Tensor]:
        return {name: weight.detach().cpu().clone() for name, weight in self._model.state_dict().items()}

    def _save(self) -> None:
        if self._state_path is None:
            return
        save_state(
            self._state_path,
            self._key,
            {
                "done": self._done,
                "weights": self._weights(),
                "best": self._best_weights,
                "optimizer": self._optimizer.state_dict(),
                "carried": self._carried,
                "sums": self._sums,
                "seconds": self._seconds + time.monotonic() - self._started_at,
                "losses": self._losses,
                "evaluations": [asdict(evaluation) for evaluation in self._evaluations],
                "rows": [tuple(row) for row in self._rows],
                "rng": torch.get_rng_state(),
                "cuda_rng": torch.cuda.get_rng_state() if self._config.device == "cuda" else None,
            },
        )

    def _restore(self, state: dict[str, Any]) -> None:
        self._model.load_state_dict(state["weights"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._best_weights, self._done, self._sums = state["best"], state["done"], state["sums"]
        if state["carried"] is not None:
            self._carried = tuple(part.to(self._config.device) for part in state["carried"])
        self._losses, self._seconds = state["losses"], state["seconds"]
        self._evaluations = [Evaluation(**evaluation) for evaluation in state["evaluations"]]
        self._rows = [TrainingRow(*row) for row in state["rows"]]
        torch.set_rng_state(state["rng"])
        if state["cuda_rng"] is not None:
            torch.cuda.set_rng_state(state["cuda_rng"])
