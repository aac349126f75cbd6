"""Texts that a model writes itself, and how much of them is new."""

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
from activations.models.lane_states import LaneStates, read_lanes
from activations.results import Result
from activations.texts.reading_rule import PLAIN, ReadingRule, rule_of
from activations.texts.tokenising import prompt_text, tokenise_prompt
from activations.texts.vocab import Vocabulary

_MOST_BYTES = 4  # of a character
_CPU = torch.device("cpu")


class Guess(NamedTuple):
    """A token that a model thought might come next.

    Attributes:
        character: Which, as it stands in the vocabulary.
        probability: By the model itself, at temperature 1.
    """

    character: str
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """One more token of every text, as a rule a character, and what the model had expected there.

    Attributes:
        ids: (n_texts,) int64 what was written.
        logits: (n_texts, n_characters) of the model, before temperature and `top_k`.
        vocabulary: Of the model.
    """

    ids: Tensor
    logits: Tensor
    vocabulary: Vocabulary

    @property
    def characters(self) -> str:
        """What was written: one token of each text, as the character that stands for it in the vocabulary."""
        return "".join(self.vocabulary.characters[place] for place in self.ids.tolist())

    def guesses(self, n: int = 5) -> list[list[Guess]]:
        """The `n` most probable characters for each text, the most probable first; fewer if the model knows fewer."""
        best = torch.softmax(self.logits, dim=1).topk(min(n, len(self.vocabulary)))
        known = self.vocabulary.characters
        return [
            [Guess(known[place], probability) for place, probability in zip(*pair, strict=True)]
            for pair in zip(best.indices.tolist(), best.values.tolist(), strict=True)
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
) -> Iterator[Written]:
    """Let a model go on from a prompt, character by character and without end.

    Args:
        model: It is not to be changed while it writes.
        n_texts: How many texts it writes side by side, each from the state that it begins with.
        prompt: What it reads first, by its reading rule; tokens that are no characters are written by their names.
            Backwards, it is the end of the texts.
        temperature: By which the logits are divided before a character is drawn; 0 takes the most probable one.
        top_k: Draw only among so many of the most probable characters; None: among all.
        seed: Of the draws, which are made by the processor.
        device: Where the model is computed; one of `devices.DEVICES`.
        interventions: What is changed while it reads and writes. Documents are the texts, and positions are counted
            from the first character of the prompt.

    Returns:
        The tokens behind the prompt, one of every text at a time.

    Raises:
        ActivationError: If a number is out of range, the model does not know a character of the prompt, or it has no
            such site to intervene at.
    """
    _check_number("texts", n_texts)
    if not 0 <= temperature < float("inf"):
        raise ActivationError(f"the temperature is {temperature}; it is 0 or a number above 0")
    if top_k is not None and top_k < 1:
        raise ActivationError(f"top_k is {top_k}; a character is drawn among 1 or more")
    if not 0 <= seed < 1 << 63:
        raise ActivationError(f"the seed is {seed}; it must be a whole number from 0 up to 2^63")
    ids = torch.from_numpy(tokenise_prompt(prompt, rule_of(model), model.vocabulary))
    interventions = checked_interventions(interventions, model.sites)
    reader: _Reader | _GuestReader
    if isinstance(model, CharRNN):
        reader = _Reader(model, n_texts, torch_device(device), interventions)
    else:
        if interventions or device not in ("cpu", "auto"):
            raise ActivationError("a model of your own computes where and as it is written, without interventions")
        reader = _GuestReader(model, n_texts)
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
) -> list[str]:
    """Let a model go on from a prompt for so many characters, several times; for the rest see `write`.

    Returns:
        The texts, each with the prompt in front, or behind it if the model reads backwards.
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
    rows = [step.characters for step in up_to(steps, n_chars, rule_of(model))]
    return [with_prompt(prompt, "".join(tokens), n_chars, model) for tokens in zip(*rows, strict=True)]


def up_to(steps: Iterator[Written], n_chars: int, rule: ReadingRule) -> Iterator[Written]:
    """As many steps as make so many characters of every text: of bytes, each has up to four."""
    if rule.read_as != "bytes":
        yield from islice(steps, n_chars)
        return
    n_begun: NDArray[np.int64] | int = 0
    for step in islice(steps, _MOST_BYTES * (n_chars + 1)):
        yield step
        n_begun = n_begun + np.array([not 0x80 <= ord(token) < 0xC0 for token in step.characters])
        if np.all(n_begun > n_chars):
            return


def with_prompt(prompt: str, tokens: str, n_chars: int, model: CharRNN | CharModel) -> str:
    """A text that a model has written, with its prompt.

    Args:
        prompt: What it read first, see `write`.
        tokens: What it wrote, in that order.
        n_chars: At most so many characters stand beside the prompt.
        model: What wrote it.
    """
    rule = rule_of(model)
    begin, text = prompt_text(prompt, rule, model.vocabulary), rule.text_of(tokens, model.vocabulary)
    return text[-n_chars:] + begin if rule.backwards else begin + text[:n_chars]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Novelty(Result):
    """How much of what was written is not in a text that is known.

    Attributes:
        n_lines: Lines that were written from their beginning to their end, without blank ones.
        n_new_lines: Those among them that are no line of the known text.
        n_words: Words that were written from their beginning to their end.
        n_new_words: Those among them that are no word of the known text.
    """

    n_lines: int
    n_new_lines: int
    n_words: int
    n_new_words: int

    def __str__(self) -> str:
        return "; ".join(
            f"{kind}: " + (f"{100 * n_new / n:.0f} % of {n:,} are new" if n else "none was written whole")
            for kind, n, n_new in (
                ("lines", self.n_lines, self.n_new_lines),
                ("words", self.n_words, self.n_new_words),
            )
        )


def usual_prompt(vocabulary: Vocabulary, rule: ReadingRule = PLAIN) -> str:
    """What a text begins with if nothing else is asked for: a line's end, or the first character that is known.

    Nothing, if each document begins with `<sos>`, which is then what a model reads first.
    """
    if rule.begins:
        return ""
    if set(rule.spelled("\n", vocabulary)) <= set(vocabulary.characters):
        return "\n"
    return next((char for char in vocabulary.characters if char not in vocabulary.names), vocabulary.characters[0])


def novelty(texts: Sequence[str], known: Iterable[str], *, prompt: str = "") -> Novelty:
    r"""How many lines and words of written texts do not occur in known ones.

    A line or word that the prompt begins does not count, nor does one that the end of the text cuts off. Every
    occurrence counts. Words are `\w+`, upper and lower case being different; lines may end in CRLF or LF.

    Args:
        texts: What was written, each with the prompt in front.
        known: Such as the text that the model learned from; read once, in turn.
        prompt: What each of `texts` begins with.

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
    reader: "_Reader | _GuestReader", prompt: Tensor, temperature: float, top_k: int | None, generator: torch.Generator
) -> Iterator[Written]:
    """`write`, once its arguments are checked; the prompt is (n_chars, n_texts) ids."""
    for ids in prompt[:-1]:
        reader.read(ids)
    ids = prompt[-1]
    while True:
        logits = reader.read(ids)
        ids = _draw(logits, temperature, top_k, generator)
        yield Written(ids, logits, reader.vocabulary)


def _draw(logits: Tensor, temperature: float, top_k: int | None, generator: torch.Generator) -> Tensor:
    """(n_texts,) characters, by their (n_texts, n_characters) logits."""
    if temperature == 0 or top_k == 1:
        return logits.argmax(dim=1)
    if top_k is not None and top_k < logits.shape[1]:
        best = logits.topk(top_k)
        logits = torch.full_like(logits, -torch.inf).scatter_(1, best.indices, best.values)
    above = logits.double() - logits.amax(dim=1, keepdim=True)  # at most 0, which no temperature makes infinite
    return torch.multinomial(torch.softmax(above / temperature, dim=1), 1, generator=generator)[:, 0]


class _Reader:
    """Texts that a model reads one character at a time, by the equations of its cells.

    PyTorch's fused layers are made for many characters at once: for one, they take about ten times as long.
    """

    @torch.inference_mode()
    def __init__(
        self, model: CharRNN, n_texts: int, place: torch.device, interventions: Sequence[Intervention]
    ) -> None:
        cell, layers = model.cell, range(model.config.n_layers)
        self._step = cell.step
        self._place = place
        self._is_elsewhere = place.type != "cpu"
        self.vocabulary = model.vocabulary
        self._table = model.input_table().to(self._place).contiguous()
        self._inputs = [model.input(layer).to(self._place, torch.float32) for layer in layers[1:]]
        self._recurrent = [model.recurrent(layer).to(self._place, torch.float32) for layer in layers]
        self._readout = model.readout.weight.t().to(self._place).contiguous(), model.readout.bias.to(self._place)
        self._gates = [self._table.new_empty(n_texts, self._table.shape[1]) for _ in layers]
        states, *results = (
            [{s: self._table.new_zeros(n_texts, model.config.n_units_of(s)) for s in cell.state} for _ in layers]
            for _ in range(3)  # a step must not write where it still reads: two results take turns
        )
        self._interruptions = [LayerInterventions(interventions, layer) or None for layer in layers]
        self._texts = torch.arange(n_texts, device=self._place)
        self._n_read = 0
        self._states = states
        self._views = cycle([[cell.views(self._gates[n], result[n]) for n in layers] for result in results])

    def read(self, ids: Tensor) -> Tensor:
        """Read a character of every text, (n_texts,); the (n_texts, n_characters) logits of the next."""
        if self._is_elsewhere:
            ids = ids.to(self._place)
        torch.index_select(self._table, 0, ids, out=self._gates[0])
        views = next(self._views)
        for layer, (state, recurrent) in enumerate(zip(self._states, self._recurrent, strict=True)):
            if layer > 0:
                self._inputs[layer - 1].project(self._states[layer - 1]["hidden"], self._gates[layer])
            interruption = self._interruptions[layer]
            at = None if interruption is None else interruption.at(self._where())
            self._step(views[layer], state, recurrent, at)
        self._n_read += 1
        weight, bias = self._readout
        logits = torch.addmm(bias, self._states[-1]["hidden"], weight)
        return logits.to(_CPU) if self._is_elsewhere else logits  # where characters are drawn

    def _where(self) -> LanePositions:
        return LanePositions(self._texts, torch.full_like(self._texts, self._n_read))


class _GuestReader:
    """The same by a model of another kind."""

    def __init__(self, model: CharModel, n_texts: int) -> None:
        self._model = model
        self._states = LaneStates(model.start, n_texts)
        self.vocabulary = model.vocabulary

    def read(self, ids: Tensor) -> Tensor:
        """See `_Reader`."""
        logits, _ = read_lanes(self._model, ids[None], self._states)
        return logits[0].float().to(_CPU)


def _check_number(name: str, number: int) -> None:
    if number < 1:
        raise ActivationError(f"{number} {name} cannot be written; ask for 1 or more")
