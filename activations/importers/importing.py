"""Making a model of ours from somebody else's: find its parts, read them, and check the reading on a text."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.importers.assembly import Reading, assemble
from activations.importers.contents import Contents
from activations.importers.deciding import Search, frequencies_loss, search
from activations.importers.files import read_contents
from activations.importers.finding import find_parts
from activations.importers.parts import Parts
from activations.importers.vocabularies import Found, find_vocabulary
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import Evaluation, evaluate
from activations.progress import Progress, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.tokenising import check_text, tokenise
from activations.texts.vocab import Vocabulary

_FEWEST_CHARS = 200
_HINTS = (
    "a vocabulary in another order (--vocab), gates in another order (--gates), matrices that are to be transposed "
    "(--transposed), hidden states before inputs (--hidden-first), biases that the file leaves out, or a text of "
    "another kind than the model was trained on"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Import:
    """A model that was read, and how.

    Attributes:
        model: Ready to read a text.
        kind: What the source is.
        parts: What was found in it.
        reading: How that was read.
        vocabulary_source: Where the vocabulary comes from.
        evaluation: What the model makes of the text, if one was given.
        asked: How it was to be read, before the text was asked.
        open: What of that neither the source nor the user decided.
        search: What the text says of other readings, if one was given.
        pairs_nats_per_char: Loss of the frequencies of pairs of characters on the text; a good model does better.
    """

    model: CharRNN
    kind: str
    parts: Parts
    reading: Reading
    vocabulary_source: str
    evaluation: Evaluation | None = None
    asked: Reading
    open: frozenset[str]
    search: Search | None = None
    pairs_nats_per_char: float | None = None

    def __str__(self) -> str:
        config, parts, reading = self.model.config, self.parts, self.reading
        kind = config.cell.upper().replace("_RELU", " (relu)")
        lines = {
            **parts.found,
            "gates": f"in the order {', '.join(reading.gates)}" if len(reading.gates) > 1 else "",
            "turned": f"{reading.transposed} square matrices are transposed" if reading.transposed != "no" else "",
            "rule": "" if reading.rule.is_plain else f"the text is read {reading.rule}",
            "joined": "the hidden states stand before the inputs" if reading.hidden_first else "",
            "vocabulary": f"{len(self.model.vocabulary)} characters: {self.vocabulary_source}",
            "unused": ", ".join(parts.unused),
            "left aside": ", ".join(parts.aside),
        }
        if self.search and self.evaluation:
            lines["text"] = f"{self.evaluation}; pairs of characters alone: {self.pairs_nats_per_char:.3f} nats"
            if reading != self.asked:
                lines["settled"] = (
                    f"by the text, {_and(self.asked.changes(reading))}: {self.search.best_nats_per_char:.2f} nats per "
                    f"character on a sample, otherwise {self.search.nats_per_char:.2f}"
                )
            lines["next best"] = f"{self.search.rival_nats_per_char:.2f} nats, with {_and(self.search.rival_changes)}"
        return "\n".join(
            [
                f"{config.n_layers} {'layers' if config.n_layers > 1 else 'layer'} of {config.n_units} {kind} units, "
                f"from {self.kind}: {parts.stack.form}",
                *(f"  {name:<11}{line}" for name, line in lines.items() if line),
            ]
        )

    @property
    def warning(self) -> str | None:
        """What to tell whoever relies on the model, if there is something."""
        said = [*self.parts.stack.doubts, *self.parts.left_out]
        if self.parts.unused:
            said.append(f"{', '.join(self.parts.unused)} did not find a place in the model")
        if not self.parts.stack.has_biases:
            said.append("the layers have no biases; if the model had some, it is not as good here as it was")
        if self.evaluation is None:
            guessed = ", ".join(sorted(self.open)).replace("_", " ")
            said.append(
                f"the reading is not checked{f' ({guessed} had to be guessed)' if guessed else ''}: give --text, which "
                "the model ought to predict well"
            )
        elif self.pairs_nats_per_char is not None and self.evaluation.nats_per_char > self.pairs_nats_per_char:
            said.append(
                f"the model predicts the text worse ({self.evaluation.nats_per_char:.2f} nats per character) than the "
                f"frequencies of pairs of characters do ({self.pairs_nats_per_char:.2f}); it may be {_HINTS}"
            )
        return "; ".join(said) or None


def import_model(
    source: Path | str | Mapping[str, ArrayLike | Tensor] | Contents,
    vocabulary: str | Vocabulary | None = None,
    *,
    text: Corpus | None = None,
    cell: str | None = None,
    gates: str | None = None,
    transposed: str | None = None,
    hidden_first: bool | None = None,
    rule: ReadingRule = PLAIN,
    prefix: str = "",
    encoding: str = "utf-8",
    newlines: str = "keep",
    force: bool = False,
    progress: Progress = no_progress,
) -> Import:
    """Read somebody else's model, without running anything in its file.

    Args:
        source: A file, or arrays by name.
        vocabulary: `printable`, `sorted:FILE`, `json:FILE`, `pickle:FILE`, `chars:STRING`, or a vocabulary. None looks
            for it in the source.
        text: What the model ought to predict well. Other readings that could be meant are tried on it: one that does
            clearly better is taken where the source leaves the matter open, and an error where it does not.
        cell: One of `CELLS`, where names and shapes do not tell, as with tanh and relu.
        gates: The order of the gates' rows in the source, such as `i,f,o,g`.
        transposed: Which square matrices the source has transposed: `no`, `recurrent` or `all`.
        hidden_first: Whether matrices on inputs and hidden states have the hidden states first.
        rule: What the model reads in place of a text as it stands. Characters that share an id in the source are read
            as one in any case.
        prefix: Only arrays whose names begin with this are looked at.
        encoding: Of a file that gives the vocabulary by its characters.
        newlines: `keep` or `lf`, for the same.
        force: Take the reading also if the text speaks against it.
        progress: Called with the characters of the text done and their number.

    Raises:
        ActivationError: If the source cannot be read or has no model that is known, if the vocabulary is not the
            model's, or if the text speaks against the reading; the message says what to try.
    """
    contents = _contents(source)
    parts = find_parts(contents, prefix)
    if isinstance(vocabulary, Vocabulary):
        found = Found(vocabulary, "given")
    else:
        found = find_vocabulary(vocabulary, parts.n_characters, contents, encoding=encoding, newlines=newlines)
    parts = replace(parts, aside=tuple(name for name in parts.aside if name != found.name))
    stack = parts.stack
    spelled = _letters(gates, stack.gates) if gates else None
    options = {"cell": cell, "gates": spelled, "transposed": transposed, "hidden_first": hidden_first}
    asked: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    if hidden_first and not stack.joined and "hidden_first" not in stack.open:
        raise ActivationError("--hidden-first is for matrices of which the file does not say what they are on")
    rule = replace(rule, substitutes=(*found.substitutes, *rule.substitutes))
    rule.check(found.vocabulary)
    shape = {"cell": stack.cell, "gates": stack.gates} | asked
    reading = Reading(characters=found.vocabulary.characters, rule=rule, **shape)
    result = Import(
        model=assemble(parts, reading, found.vocabulary),
        kind=contents.kind,
        parts=parts,
        reading=reading,
        vocabulary_source=found.source,
        asked=reading,
        open=stack.open - set(asked),
    )
    if parts.unused and not force:
        raise ActivationError(
            f"{', '.join(parts.unused)} {'has' if len(parts.unused) == 1 else 'have'} no place in the model "
            f"as it is read ({parts.found['layers']}; read-out {parts.found['read-out']}); if that does not matter, as "
            "the loss on a --text can show, leave it out with --force"
            + (f"; left aside in any case: {', '.join(parts.aside)}" if parts.aside else "")
        )
    return result if text is None else _checked(result, text, force=force, progress=progress)


def _letters(spelling: str, own: str) -> str:
    """An order of gates as letters of ours: the candidate is c, g or h elsewhere."""
    candidate = "n" if "n" in own else "g"
    return "".join(candidate if letter in "cgnh" else letter for letter in spelling.lower() if letter.isalpha())


def _contents(source: Path | str | Mapping[str, ArrayLike | Tensor] | Contents) -> Contents:
    if isinstance(source, Contents):
        return source
    if isinstance(source, Path | str):
        return read_contents(Path(source))
    numbers = {name for name, array in source.items() if np.isscalar(array) and not isinstance(array, np.number)}
    arrays = {name: _as_array(name, array) for name, array in source.items() if name not in numbers}
    return Contents.of_arrays("arrays", arrays, numbers=dict.fromkeys(numbers, ("",)))


def _as_array(name: str, array: ArrayLike | Tensor) -> NDArray[Any]:
    found = array_of(array) if isinstance(array, Tensor) else np.asarray(array)
    if found.dtype.kind not in "fiubc":
        raise ActivationError(f"{name} is no array of numbers")
    return found


def array_of(tensor: Tensor) -> NDArray[Any]:
    """A tensor's numbers; floats, which have kinds of their own in PyTorch, as float32."""
    tensor = tensor.detach().cpu()
    array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array


def _checked(result: Import, text: Corpus, *, force: bool, progress: Progress) -> Import:
    """Read the text in all ways that are near, and decide."""
    vocabulary, rule = result.model.vocabulary, result.reading.rule
    check_text(text, rule, vocabulary, replace_unknown=vocabulary.replacement is not None)
    found = search(result.parts, result.reading, vocabulary, text, progress)
    tokens = tokenise(text, rule, vocabulary).tokens
    singles, pairs = (loss * len(tokens) / len(text) for loss in frequencies_loss(Corpus(tokens, ()), len(vocabulary)))
    result = replace(result, search=found, pairs_nats_per_char=pairs)
    convinces = found.best_nats_per_char < pairs and len(text) >= _FEWEST_CHARS
    if found.changes and convinces and not force:
        if not set(found.changes) <= result.open:
            raise ActivationError(
                f"read like this, the model makes {found.nats_per_char:.2f} nats per character on a sample of the text"
                f"; it makes {found.best_nats_per_char:.2f} with {_and(found.changes)}; do that, or keep this reading "
                "with --force"
            )
        model = assemble(result.parts, found.best, vocabulary)
        result = replace(result, model=model, reading=found.best)
    evaluation = evaluate(result.model, text, replace_unknown=True, progress=progress)
    if evaluation.nats_per_char > singles and evaluation.n_chars >= _FEWEST_CHARS and not force:
        raise ActivationError(
            f"the model predicts the text worse ({evaluation.nats_per_char:.2f} nats per character) than the "
            f"frequencies of its characters alone do ({singles:.2f}), and no reading near this one does better than "
            f"{found.best_nats_per_char:.2f}; it may be {_HINTS}; or keep it with --force"
            + "".join(f"; {doubt}" for doubt in (*result.parts.stack.doubts, *result.parts.left_out))
        )
    return replace(result, evaluation=evaluation)


def _and(changes: Mapping[str, str]) -> str:
    return " and ".join(changes.values())
