"""The ways in which a model may read a text, and samples of the text as it is read in each of them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import EOS, READ_AS, SOS, ReadingRule
from activations.texts.tokenising import tokenise
from activations.texts.vocab import Vocabulary

_N_LANES = 32
_LANE_TOKENS = 256
_IGNORED = -100  # a target that PyTorch's cross entropy leaves out


class Reading(NamedTuple):
    """A way to read a text.

    Attributes:
        rule: What the model reads in place of the text as it stands.
        documents: `lines` if each line of the text is a document of its own; empty for documents as the text has them.
    """

    rule: ReadingRule
    documents: str = ""

    def options(self, changed: "Reading") -> str:
        """Return the options that request another reading in place of this one; empty if they are the same."""
        rule, new = self.rule, changed.rule
        wanted = [
            (rule.read_as != new.read_as, f"--read-as {new.read_as}" if new.read_as else "", "--read-as"),
            (rule.backwards != new.backwards, "--backwards" if new.backwards else "", "--backwards"),
            (self.documents != changed.documents, "--documents lines" if changed.documents else "", "--documents"),
            (rule.begins != new.begins, "--sos" if new.begins else "", "--sos"),
            (rule.ends != new.ends, f"--eos {new.ends}" if new.ends else "", "--eos"),
        ]
        added = [option for differs, option, _ in wanted if differs and option]
        removed = [name for differs, option, name in wanted if differs and not option]
        without = f"without {' and '.join(removed)}" if removed else ""
        return " and ".join(filter(None, (" ".join(added), without)))


class SampledLoss(NamedTuple):
    """The loss of a model on samples of a text.

    Attributes:
        nats_per_char: Negative log probability of the predicted tokens, per character that they belong to.
        comparable: The same per character of the whole text, with the nats that it takes to tell the text from what is
            read of it, such as upper from lower case: a reading is not better for leaving out what is hard to predict.
        lost: These nats, which depend on the reading alone.
    """

    nats_per_char: float
    comparable: float
    lost: float


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Samples from all over a text, as a model reads them.

    Attributes:
        tokens: (n_steps + 1, n_lanes) what is read, each lane from the zero state.
        is_read: (n_steps + 1, n_lanes) False behind the end of a lane.
        tokens_per_char: Number of predicted tokens, those that follow another in their document, per predicted
            character of the text.
        predicted_per_char: The same per character of the text.
        lost: Nats per character that it takes to tell the text from its tokens, and the first token of each document.
    """

    tokens: NDArray[np.uint32]
    is_read: NDArray[np.bool_]
    tokens_per_char: float
    predicted_per_char: float
    lost: float

    @torch.inference_mode()
    def loss(self, model: CharRNN) -> SampledLoss:
        """Compute the loss of a model that reads the text like this."""
        ids = model.vocabulary.look_up(self.tokens.ravel()).reshape(self.tokens.shape)
        targets = torch.from_numpy(np.where(self.is_read, ids, _IGNORED))[1:]
        logits, _ = model(torch.from_numpy(np.where(self.is_read, ids, 0))[:-1])
        mean = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), ignore_index=_IGNORED)
        nats = float(mean) if torch.isfinite(mean) else float("inf")
        return SampledLoss(nats * self.tokens_per_char, nats * self.predicted_per_char + self.lost, self.lost)


class Samples:
    """The ways in which a model may read a text, with samples of it in each, made when they are first needed."""

    def __init__(self, text: Corpus, vocabulary: Vocabulary) -> None:
        self._text, self._vocabulary = text, vocabulary
        codes, counts = np.unique(text.codes, return_counts=True)
        self._counts: dict[str, int] = dict(zip(map(chr, codes.tolist()), counts.tolist(), strict=True))
        self._samples: dict[Reading, Sample] = {}

    def loss(self, model: CharRNN, reading: Reading) -> SampledLoss:
        """Compute the loss of a model under one reading, whatever its own rule is.

        Raises:
            ActivationError: If the reading leaves fewer than two tokens.
        """
        if reading not in self._samples:
            text = self._text.split(blank_lines=False) if reading.documents == "lines" else self._text
            self._samples[reading] = _sample(text, reading.rule, self._vocabulary, self._lost_nats(reading.rule))
        return self._samples[reading].loss(model)

    def readings(self, reading: Reading) -> list[Reading]:
        """Return the ways to read the text that the model can follow, each different in what is read.

        Those are left out in which the model does not know all characters, unless it has a replacement for them. Tokens
        at the ends of lines or before documents are tried if the model has them.

        Args:
            reading: A reading to start from, which comes first if the model can follow it; its substitutes apply to
                all.
        """
        readings: dict[object, Reading] = {}
        for candidate in (reading, *self._variants(reading)):
            rule = candidate.rule
            try:
                rule.check(self._vocabulary)
            except ActivationError:
                continue
            spellings = self._spellings(rule)
            if self._vocabulary.replacement is None and not set("".join(spellings)) <= set(self._vocabulary.characters):
                continue
            readings.setdefault((*spellings, rule.backwards, rule.begins, candidate.documents), candidate)
        return list(readings.values())

    def _variants(self, reading: Reading) -> Iterator[Reading]:
        tokens = set(self._vocabulary.names.values()) & {SOS, EOS}
        unchanged_ends = "" if reading.rule.ends == "lines" else reading.rule.ends
        lines = self._counts.get("\n", 0)
        can_be_split = bool(tokens) and len(self._text.documents) < lines < len(self._text) // 2
        for read_as, backwards, ends, begins, documents in product(
            ("", *READ_AS),
            (False, True),
            (unchanged_ends, "lines") if EOS in tokens else (unchanged_ends,),
            (False, True) if SOS in tokens else (False,),
            ("", "lines") if can_be_split else ("",),
        ):
            rule = replace(reading.rule, read_as=read_as, backwards=backwards, ends=ends, begins=begins)
            if not documents or (not backwards and (begins or ends == "lines")):
                yield Reading(rule, documents)

    def _spellings(self, rule: ReadingRule) -> list[str]:
        """Return the tokens of every distinct character of the text; unknown ones are the replacement, if any."""
        known, replacement = set(self._vocabulary.characters), self._vocabulary.replacement
        return [
            "".join(
                token if token in known or replacement is None else replacement
                for token in rule.spelled(char, self._vocabulary)
            )
            for char in self._counts
        ]

    def _lost_nats(self, rule: ReadingRule) -> float:
        """Compute the nats per character that it takes to tell characters from their tokens, by their frequencies."""
        spellings, counts = self._spellings(rule), np.array(list(self._counts.values()))
        n_by_spelling: Counter[str] = Counter()
        for spelling, count in zip(spellings, counts.tolist(), strict=True):
            n_by_spelling[spelling] += count
        n_alike = [n_by_spelling[spelling] if spelling else len(self._text) for spelling in spellings]
        return float((counts * np.log(np.array(n_alike) / counts)).sum() / len(self._text))


def _sample(text: Corpus, rule: ReadingRule, vocabulary: Vocabulary, lost: float) -> Sample:
    tokens = tokenise(text, rule, vocabulary).token_corpus
    starts, stops = _lanes(tokens)
    n_read = stops - starts
    if not len(starts) or n_read.max() < 2:
        raise ActivationError("the text to check the model by has fewer than two characters that it reads")
    steps = np.arange(n_read.max())[:, None]
    positions = np.minimum(starts + steps, len(tokens) - 1)
    if not rule.begins:
        lost += len(tokens.documents) / len(text) * _nats_of_first(tokens.codes[tokens.starts], len(vocabulary))
    n_predicted = len(tokens) - len(tokens.documents)
    n_predicted_chars = len(text) if rule.begins else len(text) - len(text.documents)
    return Sample(
        tokens.codes[positions].astype(np.uint32),
        steps < n_read,
        n_predicted / max(n_predicted_chars, 1),
        n_predicted / len(text),
        lost,
    )


def _lanes(tokens: Corpus) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return where lanes begin and end, spread over the text, none of which goes beyond the end of a document."""
    if len(tokens.documents) == 1:
        n_steps = min(_LANE_TOKENS, len(tokens) - 1)
        n_lanes = min(_N_LANES, len(tokens) // max(n_steps, 1))
        starts = np.unique(np.linspace(0, len(tokens) - n_steps - 1, n_lanes).astype(np.int64))
        return starts, starts + n_steps + 1
    n_lanes_of = -(-(tokens.stops - tokens.starts) // _LANE_TOKENS)
    document = np.repeat(np.arange(len(n_lanes_of)), n_lanes_of)
    number = np.arange(len(document)) - np.repeat(np.cumsum(n_lanes_of) - n_lanes_of, n_lanes_of)
    starts = tokens.starts[document] + _LANE_TOKENS * number
    stops = np.minimum(starts + _LANE_TOKENS + 1, tokens.stops[document])
    n_chosen = int(np.ceil(_N_LANES * _LANE_TOKENS / (stops - starts).mean()))
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(n_chosen, len(starts))).astype(int))
    return starts[chosen], stops[chosen]


def _nats_of_first(codes: NDArray[np.integer], n_characters: int) -> float:
    """Compute the mean loss of tokens by their frequencies among the others, with 1 added to each count."""
    _, counts = np.unique(codes, return_counts=True)
    return float(-(counts * np.log(counts / (len(codes) - 1 + n_characters))).sum() / len(codes))
