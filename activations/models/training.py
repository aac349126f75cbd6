"""Training a character language model by truncated back-propagation through time."""

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.corpus import Corpus, Document
from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.evaluation import Evaluation, evaluate
from activations.vocab import Vocabulary

PRECISIONS = ("float32", "bf16")
_WARM_UP_STEPS = 100
_LAST_RATE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """How a model is trained.

    Attributes:
        epochs: Passes over the training text.
        n_lanes: Pieces of the text that are read side by side: the batch.
        n_steps: Characters through which the gradient flows back.
        learning_rate: Of Adam at its height; it rises over the first 100 updates and falls along a cosine.
        dropout: Share of activations dropped between layers and before the read-out, in [0, 1).
        min_count: Characters that occur less often share one replacement.
        precision: `float32`, or `bf16` for matrix products in half the time where the processor has them.
        seed: Same seed, same machine: same model.
    """

    epochs: int = 10
    n_lanes: int = 32
    n_steps: int = 64
    learning_rate: float = 8e-3
    dropout: float = 0.0
    min_count: int = 1
    precision: str = "float32"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ActivationError(f"the precision is {self.precision!r}; choose one of {', '.join(PRECISIONS)}")
        for name in ("epochs", "n_lanes", "n_steps", "min_count"):
            if getattr(self, name) < 1:
                raise ActivationError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not 0 < self.learning_rate < math.inf:
            raise ActivationError(f"the learning rate is {self.learning_rate}; it must be above 0")
        if not 0 <= self.seed < 1 << 63:
            raise ActivationError(f"the seed is {self.seed}; it must be a whole number from 0 up to 2^63")
        if not 0 <= self.dropout < 1:
            raise ActivationError(f"the dropout is {self.dropout}; it must be from 0 up to, but not, 1")


@dataclass(frozen=True, eq=False, kw_only=True)
class Training:
    """A trained model and how it came about.

    Attributes:
        model: In evaluation mode, with the weights of the epoch that predicted the held-out text best.
        losses: (n_epochs,) mean training loss, in nats per character.
        held_out: (n_epochs,) what the model made of the held-out text after each epoch.
        config: How it was trained.
    """

    model: CharRNN
    losses: tuple[float, ...]
    held_out: tuple[Evaluation, ...]
    config: TrainingConfig

    @property
    def best(self) -> Evaluation:
        """The held-out evaluation of `model`."""
        return min(self.held_out, key=lambda evaluation: evaluation.nats_per_char)

    def record(self) -> dict[str, str | int | float]:
        """What the checkpoint says of the training."""
        return {**asdict(self.config), "held_out_nats_per_char": self.best.nats_per_char}

    def __str__(self) -> str:
        return f"held-out loss after {len(self.losses)} epochs: {self.best}"


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
    border = round(len(corpus) * (1 - share))
    before = [(d.name, corpus.text(d.start, min(d.stop, border))) for d in corpus.documents if d.start < border]
    after = [(d.name, corpus.text(max(d.start, border), d.stop)) for d in corpus.documents if d.stop > border]
    parts = [[(name, text) for name, text in part if len(text) > 1] for part in (before, after)]
    if not all(parts):
        raise ActivationError(
            f"the text has only {len(corpus):,} characters, too few to hold out {share:.0%} of them; use a longer one"
        )
    training, held_out = (Corpus.from_texts([t for _, t in part], [n for n, _ in part]) for part in parts)
    return training, held_out


def train(
    corpus: Corpus,
    held_out: Corpus,
    model: ModelConfig | None = None,
    config: TrainingConfig | None = None,
    *,
    progress: Callable[[int, int, str], None] = lambda done, total, note: None,
) -> Training:
    """Train a model from scratch.

    The text is cut into lanes that are read side by side; the state is carried from one stretch of a lane to
    the next, so that the model can learn to remember longer than the gradient flows. Each epoch starts at
    another place of the text.

    Args:
        corpus: What to learn; its documents one after another, in an order drawn from the seed.
        held_out: What to be judged by.
        model: The shape of the model; None is the default shape.
        config: How to train it; None is the default.
        progress: Called with the updates done, their number, and the losses so far in words.

    Raises:
        ActivationError: If the text is too short for the lanes, or the loss is no longer a number.
    """
    config = config or TrainingConfig()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return _train(corpus, held_out, model or ModelConfig(), config, progress)


def _train(
    corpus: Corpus,
    held_out: Corpus,
    model: ModelConfig,
    config: TrainingConfig,
    progress: Callable[[int, int, str], None],
) -> Training:
    rng = np.random.default_rng(config.seed)
    order = [corpus.documents[n] for n in rng.permutation(len(corpus.documents))]
    vocabulary = Vocabulary.of((corpus.text(), held_out.text()), min_count=config.min_count)
    ids = _join(vocabulary.encode(corpus, replace_unknown=True), order)
    net = CharRNN(model, vocabulary, dropout=config.dropout)
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, betas=(0.9, 0.99), weight_decay=0.0)
    stretches = _stretches(ids, config)
    n_updates = config.epochs * len(stretches)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, n_updates))

    losses: list[float] = []
    evaluations: list[Evaluation] = []
    best = {name: weight.clone() for name, weight in net.state_dict().items()}
    note = "first epoch"
    for _ in range(config.epochs):
        lanes = _cut(np.roll(ids, int(rng.integers(len(ids)))), config)
        total = 0.0
        state = None
        net.train()
        for start, stop in stretches:
            loss, state = _update(net, optimizer, lanes[start : stop + 1], state, config)
            schedule.step()
            total += loss
            progress(schedule.last_epoch, n_updates, note)
        if not math.isfinite(total):
            raise ActivationError(
                f"the loss is no longer a number; train with a learning rate below {config.learning_rate}"
            )
        losses.append(total / len(stretches))
        evaluations.append(evaluate(net.eval(), held_out, replace_unknown=True))
        if evaluations[-1].nats_per_char <= min(e.nats_per_char for e in evaluations):
            best = {name: weight.clone() for name, weight in net.state_dict().items()}
        note = f"loss {losses[-1]:.3f}, held-out {evaluations[-1].nats_per_char:.3f}"
    net.load_state_dict(best)
    net.trained = True
    return Training(model=net.eval(), losses=tuple(losses), held_out=tuple(evaluations), config=config)


def _update(
    net: CharRNN,
    optimizer: torch.optim.Optimizer,
    characters: Tensor,
    state: tuple[Tensor, ...] | None,
    config: TrainingConfig,
) -> tuple[float, tuple[Tensor, ...]]:
    """One step of the optimiser on (n_steps + 1, n_lanes) characters; the loss, and the state to carry on."""
    with torch.autocast("cpu", torch.bfloat16, enabled=config.precision == "bf16"):
        logits, after = net(characters[:-1], state)
    loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), characters[1:].flatten())
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    optimizer.step()
    return loss.item(), tuple(part.detach() for part in after)


def _join(ids: NDArray[np.int64], order: list[Document]) -> NDArray[np.int64]:
    return np.concatenate([ids[document.start : document.stop] for document in order])


def _cut(ids: NDArray[np.int64], config: TrainingConfig) -> Tensor:
    """(lane_length, n_lanes) consecutive pieces of the text side by side."""
    length = len(ids) // config.n_lanes
    return torch.from_numpy(ids[: length * config.n_lanes].reshape(config.n_lanes, length).T.copy())


def _stretches(ids: NDArray[np.int64], config: TrainingConfig) -> list[tuple[int, int]]:
    """Where each update of an epoch starts and stops within the lanes."""
    length = len(ids) // config.n_lanes
    if length < 2:
        raise ActivationError(
            f"the training text has {len(ids):,} characters, too few for {config.n_lanes} lanes; "
            "use a longer text or fewer lanes"
        )
    return list(_pieces(length - 1, config.n_steps))


def _pieces(length: int, step: int) -> Iterator[tuple[int, int]]:
    for start in range(0, length, step):
        yield start, min(start + step, length)


def _rate(step: int, n_updates: int) -> float:
    rise = min(1.0, (step + 1) / min(_WARM_UP_STEPS, n_updates))
    fall = 0.5 * (1 + math.cos(math.pi * min(step / n_updates, 1.0)))
    return rise * (_LAST_RATE + (1 - _LAST_RATE) * fall)
