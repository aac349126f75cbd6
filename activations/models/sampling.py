"""Sampling texts from a model, and measuring how much of them is not in a known text."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.devices import torch_device
from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions, LayerInterventions, checked_interventions
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.lane_states import LaneStates, read_predicting_lanes
from activations.progress import Progress, no_progress
from activations.results import Result
from activations.texts.reading_rule import PLAIN, ReadingRule, rule_of
from activations.texts.tokenising import prompt_text, tokenise_prompt
from activations.texts.vocab import Vocabulary

_MAX_BYTES_PER_CHAR = 4
_CPU = torch.device("cpu")


class Guess(NamedTuple):
    """A token that a model considers likely to come next.

    Attributes:
        character: The token, as the character that stands for it in the vocabulary.
        probability: Its probability at temperature 1.
    """

    character: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class SampledTokens:
    """The next token of every text, usually a character, and what the model predicted there.

    Attributes:
        ids: (n_texts,) int64 sampled tokens.
        logits: (n_texts, n_characters) logits of the model, before temperature and `top_k`.
        vocabulary: The vocabulary of the model.
    """

    ids: Tensor
    logits: Tensor
    vocabulary: Vocabulary

    @property
    def characters(self) -> str:
        """The sampled token of each text, as the character that stands for it in the vocabulary."""
        return "".join(self.vocabulary.characters[id_] for id_ in self.ids.tolist())

    def guesses(self, n: int = 5) -> list[list[Guess]]:
        """Return the `n` most probable tokens of each text, the most probable first; fewer if the model knows fewer."""
        best = torch.softmax(self.logits, dim=1).topk(min(n, len(self.vocabulary)))
        characters = self.vocabulary.characters
        return [
            [Guess(characters[id_], probability) for id_, probability in zip(ids, probabilities, strict=True)]
            for ids, probabilities in zip(best.indices.tolist(), best.values.tolist(), strict=True)
        ]


def write(
    model: CharRNN | CharModel,
    n_texts: int = 1,
    *,
    prompt: str,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    interventions: Iterable[Intervention] = (),
) -> Iterator[SampledTokens]:
    """Sample texts from a model, one token at a time and without end.

    Args:
        model: The model to sample from. Must not be modified meanwhile.
        n_texts: Number of texts, which are sampled side by side.
        prompt: What the model reads first, through its reading rule; tokens that are no characters are written by their
            names. For a model that reads backwards, this is the end of the texts.
        temperature: Divides the logits before each draw; 0 takes the most probable token.
        top_k: Draw only among this number of most probable tokens; None for all tokens.
        seed: Seed of the draws, which are made on the CPU.
        device: Where the model is computed, one of `devices.DEVICES`.
        interventions: What is changed while the model reads and writes, after the interventions that act on it at
            present by `intervene`. Documents are the texts, and positions are counted from the first character of the
            prompt.

    Returns:
        An endless iterator over the next token of every text, starting after the prompt.

    Raises:
        ActivationError: If a number is out of range, the model does not know a character of the prompt, or it has no
            site that an intervention names.
    """
    _check_number("texts", n_texts)
    if not 0 <= temperature < float("inf"):
        raise ActivationError(f"the temperature is {temperature}; it must be 0 or a number above 0")
    if top_k is not None and top_k < 1:
        raise ActivationError(f"top_k is {top_k}; it must be 1 or more")
    if not 0 <= seed < 1 << 63:
        raise ActivationError(f"the seed is {seed}; it must be a whole number from 0 up to 2^63")
    ids = torch.from_numpy(tokenise_prompt(prompt, rule_of(model), model.vocabulary))
    interventions = checked_interventions(interventions, model.sites)
    reader: _CharRNNReader | _ProtocolModelReader
    if isinstance(model, CharRNN):
        reader = _CharRNNReader(model, n_texts, torch_device(device), interventions)
    else:
        if interventions or device not in ("cpu", "auto"):
            raise ActivationError(
                "a protocol model computes on the device that its own code chooses, without interventions"
            )
        reader = _ProtocolModelReader(model, n_texts)
    generator = torch.Generator().manual_seed(seed)
    return _write(reader, ids[:, None].expand(-1, n_texts), temperature, top_k, generator)


def write_texts(
    model: CharRNN | CharModel,
    n_texts: int,
    n_chars: int,
    *,
    prompt: str,
    temperature: float = 1.0,
    top_k: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    interventions: Iterable[Intervention] = (),
    progress: Progress = no_progress,
) -> list[str]:
    """Sample texts of a given length from a model; see `write` for the other arguments.

    Args:
        model: The model to sample from.
        n_texts: Number of texts.
        n_chars: Number of characters of each text beside the prompt.
        prompt: What the model reads first.
        temperature: Divides the logits before each draw.
        top_k: Draw only among this number of most probable tokens.
        seed: Seed of the draws.
        device: Where the model is computed.
        interventions: What is changed while the model reads and writes.
        progress: Called with the number of characters written of each text, and of all.

    Returns:
        The texts, each starting with the prompt, or ending with it if the model reads backwards.
    """
    steps = write(
        model,
        n_texts,
        prompt=prompt,
        temperature=temperature,
        top_k=top_k,
        seed=seed,
        device=device,
        interventions=interventions,
    )
    _check_number("characters", n_chars)
    rows = []
    for step in take_chars(steps, n_chars, rule_of(model)):
        rows.append(step.characters)
        progress(min(len(rows), n_chars), n_chars)
    return [with_prompt(prompt, "".join(tokens), n_chars, model) for tokens in zip(*rows, strict=True)]


def take_chars(steps: Iterator[SampledTokens], n_chars: int, rule: ReadingRule) -> Iterator[SampledTokens]:
    """Yield sampled tokens until every text has `n_chars` characters, each of which may take up to four bytes."""
    if rule.read_as != "bytes":
        yield from islice(steps, n_chars)
        return
    n_started: NDArray[np.int64] | int = 0
    for step in islice(steps, _MAX_BYTES_PER_CHAR * (n_chars + 1)):
        yield step
        n_started = n_started + np.array([not 0x80 <= ord(token) < 0xC0 for token in step.characters])
        if np.all(n_started > n_chars):
            return


def with_prompt(prompt: str, tokens: str, n_chars: int, model: CharRNN | CharModel) -> str:
    """Join the prompt and the sampled tokens of one text.

    Args:
        prompt: What the model read first, see `write`.
        tokens: The sampled tokens, in the order in which they were sampled.
        n_chars: Maximum number of characters beside the prompt.
        model: The model that was sampled from.
    """
    rule = rule_of(model)
    prompt, text = prompt_text(prompt, rule, model.vocabulary), rule.text_of(tokens, model.vocabulary)
    return text[-n_chars:] + prompt if rule.backwards else prompt + text[:n_chars]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Novelty(Result):
    """The numbers of lines and words of sampled texts that do not occur in a known text.

    Attributes:
        n_lines: Number of lines that were sampled from their start to their end, without blank ones.
        n_new_lines: Number of these that are no line of the known text.
        n_words: Number of words that were sampled from their start to their end.
        n_new_words: Number of these that are no word of the known text.
    """

    n_lines: int
    n_new_lines: int
    n_words: int
    n_new_words: int

    def __str__(self) -> str:
        return "; ".join(
            f"{kind}: " + (f"{100 * n_new / n:.0f} % of {n:,} are new" if n else "none was sampled completely")
            for kind, n, n_new in (
                ("lines", self.n_lines, self.n_new_lines),
                ("words", self.n_words, self.n_new_words),
            )
        )


def default_prompt(vocabulary: Vocabulary, rule: ReadingRule = PLAIN) -> str:
    """Return the prompt that is used if none is given: a line's end, or the first character of the vocabulary.

    It is empty if each document starts with `<sos>`, which is then what the model reads first.
    """
    if rule.begins:
        return ""
    if set(rule.spelled("\n", vocabulary)) <= set(vocabulary.characters):
        return "\n"
    return next((char for char in vocabulary.characters if char not in vocabulary.names), vocabulary.characters[0])


def novelty(texts: Sequence[str], known: Iterable[str], *, prompt: str = "") -> Novelty:
    r"""Count the lines and words of sampled texts that do not occur in known texts.

    A line or word that starts in the prompt does not count, nor does one that the end of the text cuts off. Every
    occurrence counts. Words are `\w+`, case-sensitive; lines may end in CRLF or LF.

    Args:
        texts: Sampled texts, each starting with the prompt.
        known: Known texts, such as the training text; each is read once.
        prompt: What each of `texts` starts with.

    >>> print(novelty(["Anna\nBob\nBobby\nCa"], ["Bob\nCarl\n"], prompt="A"))
    lines: 50 % of 2 are new; words: 50 % of 2 are new
    """
    first = prompt.count("\n") + (bool(prompt) and not prompt.endswith("\n"))
    lines = [line.rstrip("\r") for text in texts for line in text.split("\n")[first:-1] if line.strip()]
    words = [
        word[0]
        for text in texts
        for word in re.finditer(r"\w+", text)
        if word.start() >= len(prompt) and word.end() < len(text)
    ]
    new_lines, new_words = set(lines), set(words)
    for text in known:
        new_lines.difference_update(line.rstrip("\r") for line in text.split("\n"))
        new_words.difference_update(word[0] for word in re.finditer(r"\w+", text))
    return Novelty(
        n_lines=len(lines),
        n_new_lines=sum(line in new_lines for line in lines),
        n_words=len(words),
        n_new_words=sum(word in new_words for word in words),
    )


@torch.inference_mode()
def _write(
    reader: "_CharRNNReader | _ProtocolModelReader",
    prompt: Tensor,
    temperature: float,
    top_k: int | None,
    generator: torch.Generator,
) -> Iterator[SampledTokens]:
    """Sample with checked arguments; the prompt is (n_chars, n_texts) ids."""
    for ids in prompt[:-1]:
        reader.read(ids)
    ids = prompt[-1]
    while True:
        logits = reader.read(ids)
        ids = _draw(logits, temperature, top_k, generator)
        yield SampledTokens(ids, logits, reader.vocabulary)


def _draw(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> Tensor:
    """Draw (n_texts,) tokens from their (n_texts, n_characters) logits."""
    if temperature == 0 or top_k == 1:
        return logits.argmax(dim=1)
    if top_k is not None and top_k < logits.shape[1]:
        best = logits.topk(top_k)
        logits = torch.full_like(logits, -torch.inf).scatter_(1, best.indices, best.values)
    shifted = logits.double() - logits.amax(dim=1, keepdim=True)  # at most 0: no temperature makes it infinite
    try:
        return torch.multinomial(torch.softmax(shifted / temperature, dim=1), 1, generator=generator)[:, 0]
    except RuntimeError as error:
        if shifted.isnan().any():
            raise ActivationError(
                "what the model predicts are no numbers any more, so that no character can be drawn; its weights, or "
                "the values that are changed while it writes, are too large"
            ) from error
        raise


class _CharRNNReader:
    """Reads several texts one token at a time, by the fast steps of the cells.

    PyTorch's fused layers are made for many characters at once: for a single one they take about ten times as long.
    """

    @torch.inference_mode()
    def __init__(
        self, model: CharRNN, n_texts: int, device: torch.device, interventions: Sequence[Intervention]
    ) -> None:
        cell, layers = model.cell, range(model.config.n_layers)
        self._step = cell.step
        self._device = device
        self._is_on_cpu = device.type == "cpu"
        self.vocabulary = model.vocabulary
        self._table = model.input_table().to(device).contiguous()
        self._inputs = [model.input_weights(layer).to(device, torch.float32) for layer in layers[1:]]
        self._recurrent = [model.recurrent_weights(layer).to(device, torch.float32) for layer in layers]
        self._readout = (
            model.readout.weight.t().to(device).contiguous(),
            model.readout.bias.to(device),
        )
        self._preactivations = [self._table.new_empty(n_texts, self._table.shape[1]) for _ in layers]
        states, *results = (
            [{s: self._table.new_zeros(n_texts, model.config.n_units_of(s)) for s in cell.state} for _ in layers]
            for _ in range(3)  # a step must not write where it still reads, so that two results alternate
        )
        self._model, self._own_interventions = model, interventions
        self._models_interventions: tuple[Intervention, ...] | None = None
        self._interventions: list[LayerInterventions | None] = []
        self._texts = torch.arange(n_texts, device=device)
        self._n_read = 0
        self._states = states
        self._views = cycle([[cell.views(self._preactivations[n], result[n]) for n in layers] for result in results])

    def read(self, ids: Tensor) -> Tensor:
        """Read one token of every text, (n_texts,), and return (n_texts, n_characters) logits of the next one."""
        if self._model.interventions is not self._models_interventions:
            self._take_interventions()
        if not self._is_on_cpu:
            ids = ids.to(self._device)
        torch.index_select(self._table, 0, ids, out=self._preactivations[0])
        views = next(self._views)
        for layer, (state, recurrent) in enumerate(zip(self._states, self._recurrent, strict=True)):
            if layer > 0:
                self._inputs[layer - 1].project(self._states[layer - 1]["hidden"], self._preactivations[layer])
            layer_interventions = self._interventions[layer]
            overwrite = None if layer_interventions is None else layer_interventions.at(self._positions())
            self._step(views[layer], state, recurrent, overwrite)
        self._n_read += 1
        weight, bias = self._readout
        logits = torch.addmm(bias, self._states[-1]["hidden"], weight)
        return logits if self._is_on_cpu else logits.to(_CPU)  # where tokens are drawn

    def _take_interventions(self) -> None:
        """Take the interventions that act on the model now, which may change from one token to the next."""
        self._models_interventions = self._model.interventions
        interventions = [*self._models_interventions, *self._own_interventions]
        self._interventions = [LayerInterventions(interventions, layer) or None for layer in range(len(self._states))]

    def _positions(self) -> LanePositions:
        return LanePositions(self._texts, torch.full_like(self._texts, self._n_read))


class _ProtocolModelReader:
    """Reads several texts one token at a time, by a protocol model."""

    def __init__(self, model: CharModel, n_texts: int) -> None:
        self._model = model
        self._states = LaneStates(model.start, n_texts)
        self.vocabulary = model.vocabulary

    def read(self, ids: Tensor) -> Tensor:
        """Read one token of every text; see `_CharRNNReader.read`."""
        return read_predicting_lanes(self._model, ids[None], self._states)[0].float().to(_CPU)


def _check_number(name: str, number: int) -> None:
    if number < 1:
        raise ActivationError(f"{number} {name} cannot be sampled; ask for 1 or more")
