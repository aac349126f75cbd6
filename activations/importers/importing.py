"""Importing another program's model: find its parts, assemble a model of ours, and check it on a text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.importers.assembly import assemble
from activations.importers.contents import Contents
from activations.importers.files import read_contents
from activations.importers.finding import find_parts
from activations.importers.interpretation import Interpretation
from activations.importers.layers.parts import Parts, Stack
from activations.importers.layers.unread_kinds import OWN_CODE, layers_in_the_way
from activations.importers.search import Search, best_reading, frequency_losses, search
from activations.importers.vocabulary.vocabularies import FoundVocabulary, find_vocabulary
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import Evaluation, evaluate
from activations.progress import Progress, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.tokenising import check_text, tokenise
from activations.texts.vocab import Vocabulary

_SHOWN_CELLS = {"rnn_relu": "RNN (relu)", "gru_reset_before": "GRU (reset gate before the matrix)"}
_IS_FORWARD = "is_forward_lm"  # in flair's files
_MIN_CHARS = 200  # of a text that may decide something
_OTHER_TEXT = "check the import by a --text that has only the model's characters"
_HINTS = (
    "a vocabulary in another order (--vocab), gates in another order (--gates), matrices to be transposed "
    "(--transposed), hidden states before inputs (--hidden-first), a text to be read in another way (--read-as, "
    "--backwards, --eos, --sos), biases that the file leaves out, or a text of another kind than in training"
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedModel:
    """An imported model, and how its file was interpreted.

    Attributes:
        model: The model, ready to read a text.
        kind: What kind of file or object the source is.
        parts: The parts that were found in the source.
        interpretation: How the parts were interpreted.
        vocabulary_source: Where the vocabulary comes from.
        evaluation: How well the model predicts the text, if one was given.
        requested: The interpretation before the text was consulted.
        undecided: Fields of it that neither the source nor the user decided.
        search: The losses of other interpretations on the text, if one was given.
        pairs_nats_per_char: Loss on the text of the frequencies of pairs of characters; a good model has a lower one.
    """

    model: CharRNN
    kind: str
    parts: Parts
    interpretation: Interpretation
    vocabulary_source: str
    evaluation: Evaluation | None = None
    requested: Interpretation
    undecided: frozenset[str]
    search: Search | None = None
    pairs_nats_per_char: float | None = None

    def __str__(self) -> str:
        config, parts, interpretation = self.model.config, self.parts, self.interpretation
        kind = _SHOWN_CELLS.get(config.cell, config.cell.upper())
        gates, transposed, rule = interpretation.gates, interpretation.transposed, interpretation.rule
        lines = {
            **parts.notes,
            "gates": f"in the order {', '.join(gates)}" if len(gates) > 1 else "",
            "order": ", ".join(f"layer {number}" for number in interpretation.layer_order),
            "transposed": f"{transposed} square matrices" if transposed != "no" else "",
            "rule": "" if rule.is_plain else f"the text is read {rule}",
            "joined": "the hidden states come before the inputs" if interpretation.hidden_first else "",
            "update": "the update gate is the share of the candidate" if interpretation.update_swapped else "",
            "activation": "" if interpretation.gate_function == "sigmoid" else f"{interpretation.gate_function} gates",
            "vocabulary": f"{len(self.model.vocabulary)} characters: {self.vocabulary_source}",
            "unused": ", ".join(parts.unused),
            "left aside": ", ".join(parts.aside),
            **self._lines_of_search(),
        }
        return "\n".join(
            [
                f"{config.n_layers} {'layers' if config.n_layers > 1 else 'layer'} of {config.n_units} {kind} units, "
                f"from {self.kind}: {parts.stack.form}",
                *(f"  {name:<11}{line}" for name, line in lines.items() if line),
            ]
        )

    def _lines_of_search(self) -> dict[str, str]:
        if self.search is None or self.evaluation is None:
            return {}
        lines = {"text": f"{self.evaluation}; pairs of characters alone: {self.pairs_nats_per_char:.3f} nats"}
        if self.interpretation != self.requested:
            lines["settled"] = (
                f"by the text, {_and(self.requested.changes(self.interpretation))}: "
                f"{self.search.best_nats_per_char:.2f} nats per character on a sample, otherwise "
                f"{self.search.nats_per_char:.2f}"
            )
        lines["next best"] = f"{self.search.rival_nats_per_char:.2f} nats, {_with(self.search.rival_changes)}"
        return lines

    @property
    def warning(self) -> str | None:
        """A warning for everyone who relies on the model, if there is reason for one."""
        warnings = [*self.parts.stack.doubts, *self.parts.left_out]
        if self.parts.unused:
            warnings.append(f"{', '.join(self.parts.unused)} did not find a place in the model")
        if not self.parts.stack.has_biases:
            warnings.append("the layers have no biases; if the model had some, it is not as good here as it was")
        if self.evaluation is None:
            guessed = ", ".join(sorted(self.undecided)).replace("_", " ")
            warnings.append(
                f"the interpretation is not checked{f' ({guessed} had to be guessed)' if guessed else ''}: give a "
                "--text that the model ought to predict well"
            )
        elif self.pairs_nats_per_char is not None and self.evaluation.nats_per_char > self.pairs_nats_per_char:
            warnings.append(
                f"the model predicts the text worse ({self.evaluation.nats_per_char:.2f} nats per character) than the "
                f"frequencies of pairs of characters do ({self.pairs_nats_per_char:.2f}); it may be {_HINTS}"
            )
        return "; ".join(warnings) or None


def import_model(
    source: Path | str | Mapping[str, ArrayLike | Tensor] | Contents,
    vocabulary: str | Vocabulary | None = None,
    *,
    text: Corpus | None = None,
    cell: str | None = None,
    gates: str | None = None,
    transposed: str | None = None,
    hidden_first: bool | None = None,
    gate_function: str | None = None,
    update_swapped: bool | None = None,
    layer_order: str | None = None,
    rule: ReadingRule = PLAIN,
    prefix: str = "",
    encoding: str = "utf-8",
    newlines: str = "keep",
    force: bool = False,
    max_changes: int = 4,
    progress: Progress = no_progress,
) -> ImportedModel:
    """Import another program's model, without running anything in its file.

    Args:
        source: A file, or arrays by name.
        vocabulary: `printable`, `code-points`, `sorted:FILE`, `json:FILE`, `pickle:FILE`, `file:NAME`, `chars:STRING`,
            or a vocabulary. None looks for it in the source.
        text: A text that the model ought to predict well. Other interpretations are tried on it: one with a clearly
            lower loss is taken where the source leaves the matter open, and is an error where it does not.
        cell: One of `CELLS`, where names and shapes do not determine it, as with tanh and relu.
        gates: Order of the gates' rows in the source, such as `i,f,o,g`.
        transposed: Which square matrices the source has transposed: `no`, `recurrent` or `all`.
        hidden_first: True if matrices on inputs and hidden states have the hidden states first.
        gate_function: Activation function of the gates, one of `equations.GATE_FUNCTIONS`.
        update_swapped: True if the update gate of a GRU is the share of the candidate in the new state.
        layer_order: The layers from the input upwards, numbered as they are found, such as `2,1`.
        rule: What the model reads in place of the text as it stands. Characters that share an id in the source are read
            as one in any case.
        prefix: Only arrays whose names begin with this are considered.
        encoding: Encoding of a text that gives the vocabulary by its characters.
        newlines: `keep` or `lf`, for the same text.
        force: Keep the interpretation even if the text contradicts it.
        max_changes: Maximum number of changes to the interpretation that are tried one after another.
        progress: Called with the number of characters of the text done and in all.

    Raises:
        ActivationError: If the source cannot be read or has no model of a known kind, if the vocabulary is not the
            model's, or if the text contradicts the interpretation; the message says what to try.
    """
    contents = _contents(source)
    find = partial(_find_vocabulary, vocabulary, contents, encoding=encoding, newlines=newlines)
    parts = find_parts(contents, prefix, partial(_is_found, find))
    shapes = {name: array.shape for name, array in contents.arrays.items()}
    in_the_way = layers_in_the_way({name: shapes.get(name, ()) for name in parts.unused})
    if in_the_way and not force:  # then what it reads and predicts may be no characters
        _raise_unused(parts, in_the_way)
    found_vocabulary = find(parts.n_characters)
    parts = replace(parts, aside=tuple(name for name in parts.aside if name != found_vocabulary.name))
    requests = _requests(
        parts.stack,
        gates,
        hidden_first,
        cell=cell,
        transposed=transposed,
        gate_function=gate_function,
        update_swapped=update_swapped,
        layer_order=_numbers(layer_order, len(parts.stack.layers)),
    )
    requested_rule, rule = rule, _rule_of_file(rule, found_vocabulary, contents)
    rule.check(found_vocabulary.vocabulary)
    is_rule_changed = (rule.read_as, rule.backwards) != (requested_rule.read_as, requested_rule.backwards)
    names_of_stack = ("cell", "gates", "gate_function", "update_swapped")
    fields = {name: getattr(parts.stack, name) for name in names_of_stack} | requests
    interpretation = Interpretation(characters=found_vocabulary.vocabulary.characters, rule=rule, **fields)
    result = ImportedModel(
        model=assemble(parts, interpretation, found_vocabulary.vocabulary),
        kind=contents.kind,
        parts=parts,
        interpretation=interpretation,
        vocabulary_source=found_vocabulary.source,
        requested=interpretation,
        undecided=parts.stack.undecided - set(requests) | ({"rule"} if is_rule_changed else set()),
    )
    if parts.unused and not force:
        _raise_unused(parts, in_the_way)
    if text is None:
        return result
    return _checked(result, text, force=force, max_changes=max_changes, progress=progress)


def _find_vocabulary(
    vocabulary: str | Vocabulary | None, contents: Contents, n_characters: int, *, encoding: str, newlines: str
) -> FoundVocabulary:
    if isinstance(vocabulary, Vocabulary):
        return FoundVocabulary(vocabulary, "given")
    return find_vocabulary(vocabulary, n_characters, contents, encoding=encoding, newlines=newlines)


def _is_found(find: Callable[[int], FoundVocabulary], n_characters: int) -> bool:
    """Is a vocabulary of so many characters found?"""
    try:
        return len(find(n_characters).vocabulary) == n_characters
    except (ActivationError, OSError):
        return False


def _rule_of_file(rule: ReadingRule, found_vocabulary: FoundVocabulary, contents: Contents) -> ReadingRule:
    """Add to a reading rule what the file says: how its vocabulary is used, and that flair's model reads backwards."""
    directions = [value for name, value in contents.facts.items() if name.rpartition(".")[2] == _IS_FORWARD]
    return replace(
        rule,
        substitutes=(*found_vocabulary.substitutes, *rule.substitutes),
        read_as=rule.read_as or found_vocabulary.read_as,
        backwards=rule.backwards or (bool(directions) and not any(directions)),
    )


def _requests(
    stack: Stack, gates: str | None, hidden_first: bool | None, **options: str | bool | tuple[int, ...] | None
) -> dict[str, Any]:
    """Return the fields of the interpretation that the user requests."""
    if hidden_first and not stack.joined and "hidden_first" not in stack.undecided:
        raise ActivationError("--hidden-first is for matrices of which the file does not say what they are on")
    spelled_gates = _letters(gates, stack.gates) if gates else None
    fields = {"gates": spelled_gates, "hidden_first": hidden_first, **options}
    return {name: value for name, value in fields.items() if value is not None}


def _numbers(spelling: str | None, n_layers: int) -> tuple[int, ...] | None:
    """Return the numbers of layers in an order; in that of the file they are none."""
    if spelling is None:
        return None
    words = [word.strip() for word in spelling.split(",")]
    if not all(re.fullmatch(r"\d{1,3}", word) for word in words):
        raise ActivationError(f"the order of the layers is given as {spelling}; expected numbers, such as 2,1")
    numbers = tuple(map(int, words))
    return () if numbers == tuple(range(1, n_layers + 1)) else numbers


def _letters(spelling: str, default: str) -> str:
    """Spell an order of gates with our letters: other programs call the candidate c, g or h."""
    candidate = "n" if "n" in default else "g"
    return "".join(candidate if letter in "cgnh" else letter for letter in spelling.lower() if letter.isalpha())


def _raise_unused(parts: Parts, in_the_way: str) -> NoReturn:
    raise ActivationError(
        f"{', '.join(parts.unused)} {'has' if len(parts.unused) == 1 else 'have'} no place in the model "
        f"as it is read ({parts.notes['layers']}; read-out {parts.notes['read-out']})"
        + (f": the file has {in_the_way}" if in_the_way else "")
        + "; if that does not matter, as the loss on a --text can show, leave it out with --force; if it does, "
        + OWN_CODE
        + (f"; left aside in any case: {', '.join(parts.aside)}" if parts.aside else "")
    )


def _contents(source: Path | str | Mapping[str, ArrayLike | Tensor] | Contents) -> Contents:
    if isinstance(source, Contents):
        return source
    if isinstance(source, Path | str):
        return read_contents(Path(source))
    numbers = {name for name, array in source.items() if np.isscalar(array) and not isinstance(array, np.number)}
    arrays = {name: _as_array(name, array) for name, array in source.items() if name not in numbers}
    return Contents.of_arrays("arrays", arrays, numbers=dict.fromkeys(numbers, ("",)))


def _as_array(name: str, source: ArrayLike | Tensor) -> NDArray[Any]:
    array = array_of(source) if isinstance(source, Tensor) else np.asarray(source)
    if array.dtype.kind not in "fiubc":
        raise ActivationError(f"{name} is no array of numbers")
    return array


def array_of(tensor: Tensor) -> NDArray[Any]:
    """Convert a tensor to an array, floats of any kind to float32; numpy does not have all of PyTorch's kinds."""
    tensor = tensor.detach().cpu()
    array: NDArray[Any] = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    return array


def _checked(
    result: ImportedModel,
    text: Corpus,
    *,
    force: bool,
    max_changes: int,
    progress: Progress,
) -> ImportedModel:
    """Check a model on a text: take a clearly better interpretation if it is left open, and refuse a bad model."""
    vocabulary, rule = result.model.vocabulary, result.interpretation.rule
    try:
        replaces = vocabulary.replacement is not None
        check_text(text, rule, vocabulary, replace_unknown=replaces, way_out=_OTHER_TEXT)
    except ActivationError as error:
        _raise_unknown(result, text, error)
    searched = search(
        result.parts,
        result.interpretation,
        vocabulary,
        text,
        progress,
        max_changes=max_changes,
        undecided=result.undecided,
    )
    singles, pairs = _frequency_losses(text, rule, vocabulary)
    result = replace(result, search=searched, pairs_nats_per_char=pairs)
    pairs_of_best = _frequency_losses(text, searched.best.rule, vocabulary)[1]
    is_convincing = searched.best_nats_per_char < pairs_of_best and len(text) >= _MIN_CHARS
    if searched.changes and is_convincing and not force:
        if not set(searched.changes) <= result.undecided:
            raise ActivationError(
                f"interpreted like this, the model has a loss of {searched.nats_per_char:.2f} nats per character on a "
                f"sample of the text; it has {searched.best_nats_per_char:.2f} {_with(searched.changes)}; do that, "
                "or keep this interpretation with --force"
            )
        model = assemble(result.parts, searched.best, vocabulary)
        result = replace(result, model=model, interpretation=searched.best)
    evaluation = evaluate(result.model, text, replace_unknown=True, progress=progress)
    if evaluation.nats_per_char > singles and evaluation.n_chars >= _MIN_CHARS and not force:
        raise ActivationError(
            f"the model predicts the text worse ({evaluation.nats_per_char:.2f} nats per character) than the "
            f"frequencies of its characters alone do ({singles:.2f}), and no interpretation near this one does better "
            f"than {searched.best_nats_per_char:.2f}{_best(searched)}; it may be {_HINTS}; or keep it with --force"
            + "".join(f"; {doubt}" for doubt in (*result.parts.stack.doubts, *result.parts.left_out))
        )
    return replace(result, evaluation=evaluation)


def _frequency_losses(text: Corpus, rule: ReadingRule, vocabulary: Vocabulary) -> tuple[float, float]:
    """Compute the losses of the frequencies of what is read, alone and in pairs, in nats per character of the text."""
    tokens = tokenise(text, rule, vocabulary).tokens
    singles, pairs = frequency_losses(Corpus(tokens, ()), len(vocabulary))
    return singles * len(tokens) / len(text), pairs * len(tokens) / len(text)


def _raise_unknown(result: ImportedModel, text: Corpus, error: ActivationError) -> NoReturn:
    """Say which reading of a text makes all of its characters known to a model, if there is one."""
    vocabulary, interpretation = result.model.vocabulary, result.interpretation
    if len(text) < _MIN_CHARS:
        raise error
    best = best_reading(result.parts, interpretation, vocabulary, text)
    if best is None:
        raise error
    n_unknown, first = vocabulary.unknown(text, partial(interpretation.rule.spelled, vocabulary=vocabulary))
    are_unknown = f"{n_unknown:,} characters of the text are" if n_unknown > 1 else "1 character of the text is"
    examples = ", ".join(map(repr, map(chr, first)))
    raise ActivationError(
        f"{are_unknown} not in the model's vocabulary of {len(vocabulary)}: first {examples}; "
        f"it knows all, and has a loss of {best[1]:.2f} nats per character on a sample of the text, "
        f"{_with(interpretation.changes(best[0]))}; do that, or {_OTHER_TEXT}"
    ) from error


def _best(searched: Search) -> str:
    return f" ({_with(searched.changes)})" if searched.changes else ""


def _and(changes: Mapping[str, str]) -> str:
    return " and ".join(changes.values())


def _with(changes: Mapping[str, str]) -> str:
    options = _and(changes)
    return options if options.startswith("without") else f"with {options}"
