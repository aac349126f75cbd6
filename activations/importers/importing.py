"""Importing another program's model: find its parts, assemble a model of ours, and check it on a text."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from activations.errors import ActivationError
from activations.importers.assembly import assemble
from activations.importers.contents import Contents
from activations.importers.copies import refuse_copies
from activations.importers.files import read_contents
from activations.importers.finding import find_parts, says_that_there_are_no_biases, shortened_aside
from activations.importers.imported_model import HINTS, MIN_CHARS, ImportedModel, with_options
from activations.importers.interpretation import Interpretation
from activations.importers.layers.parts import Parts, Stack
from activations.importers.layers.unread_kinds import OWN_CODE, layers_in_the_way
from activations.importers.search import best_reading, losses_of_frequencies, search
from activations.importers.vocabulary.vocabularies import FoundVocabulary, find_vocabulary
from activations.models.evaluation import evaluate
from activations.progress import Progress, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.tokenising import check_text
from activations.texts.vocab import Vocabulary

_IS_FORWARD = "is_forward_lm"  # in flair's files
_OTHER_TEXT = "check the import by a --text that has only the model's characters"


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
    forget_bias: float | None = None,
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
        forget_bias: Number that the program adds to the pre-activation of an LSTM's forget gate, besides its bias.
        layer_order: The layers from the input upwards, numbered as they are found, such as `2,1`.
        rule: What the model reads in place of the text as it stands. Characters that share an id in the source are read
            as one in any case.
        prefix: Only arrays whose names begin with this are considered.
        encoding: Encoding of a text that gives the vocabulary by its characters.
        newlines: `keep` or `lf`, for the same text.
        force: Leave out arrays that have no place in the model, and keep what the source says or the user asks for even
            if the text contradicts it. What the source leaves open is settled by the text all the same.
        max_changes: Maximum number of changes to the interpretation that are tried one after another.
        progress: Called with the number of characters of the text done and in all.

    Raises:
        ActivationError: If the source cannot be read or has no model of a known kind, if the vocabulary is not the
            model's, or if the text contradicts the interpretation; the message says what to try.
    """
    contents = _contents(source)
    refuse_copies(contents, prefix)
    find = partial(_find_vocabulary, vocabulary, contents, encoding=encoding, newlines=newlines)
    parts = find_parts(contents, prefix, partial(_is_found, find))
    aside_in_short = shortened_aside(contents, parts)
    shapes = {name: array.shape for name, array in contents.arrays.items()}
    in_the_way = layers_in_the_way({name: shapes.get(name, ()) for name in parts.unused})
    if in_the_way and not force:  # then what it reads and predicts may be no characters
        _raise_unused(parts, in_the_way, aside_in_short)
    found_vocabulary = find(parts.n_characters)
    parts = replace(parts, aside=_without(parts.aside, found_vocabulary.name))
    requests = _requests(
        parts.stack,
        gates,
        hidden_first,
        cell=cell,
        transposed=transposed,
        gate_function=gate_function,
        update_swapped=update_swapped,
        forget_bias=forget_bias,
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
        aside_in_short=_without(aside_in_short, found_vocabulary.name),
        is_without_biases=says_that_there_are_no_biases(contents.facts),
    )
    if parts.unused and not force:
        _raise_unused(parts, in_the_way, result.aside_in_short)
    if text is None:
        return result
    return _checked(result, text, force=force, max_changes=max_changes, progress=progress)


def _without(names: tuple[str, ...], removed: str | None) -> tuple[str, ...]:
    return tuple(name for name in names if name != removed)


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
    stack: Stack, gates: str | None, hidden_first: bool | None, **options: str | float | tuple[int, ...] | None
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


def _raise_unused(parts: Parts, in_the_way: str, aside: tuple[str, ...]) -> NoReturn:
    raise ActivationError(
        f"{', '.join(parts.unused)} {'has' if len(parts.unused) == 1 else 'have'} no place in the model "
        f"as it is read ({parts.notes['layers']}; read-out {parts.notes['read-out']})"
        + (f": the file has {in_the_way}" if in_the_way else "")
        + "; if that does not matter, as the loss on a --text can show, leave it out with --force; if it does, "
        + OWN_CODE
        + (f"; left aside in any case: {', '.join(aside)}" if aside else "")
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
        _raise_unknown(result, text, error, max_changes)
    searched = search(
        result.parts,
        result.interpretation,
        vocabulary,
        text,
        progress,
        max_changes=max_changes,
        undecided=result.undecided,
        keeps_decided=force,
    )
    singles, pairs = losses_of_frequencies(text, rule, vocabulary)
    result = replace(result, search=searched, pairs_nats_per_char=pairs)
    pairs_of_best = losses_of_frequencies(text, searched.best.rule, vocabulary)[1]
    is_convincing = searched.best_nats_per_char < pairs_of_best and len(text) >= MIN_CHARS
    if searched.changes and is_convincing:
        if not set(searched.changes) <= result.undecided:
            raise ActivationError(
                f"interpreted like this, the model has a loss of {searched.nats_per_char:.2f} nats per character on a "
                f"sample of the text; it has {searched.best_nats_per_char:.2f} {with_options(searched.changes)}; do "
                "that, or keep this interpretation with --force"
            )
        model = assemble(result.parts, searched.best, vocabulary)
        result = replace(result, model=model, interpretation=searched.best)
    best = f" ({with_options(searched.changes)})" if searched.changes else ""
    evaluation = evaluate(result.model, text, replace_unknown=True, progress=progress)
    if evaluation.nats_per_char > singles and len(text) >= MIN_CHARS and not force:
        raise ActivationError(
            f"the model predicts the text worse ({evaluation.nats_per_char:.2f} nats per character) than the "
            f"frequencies of its characters alone do ({singles:.2f}), and no interpretation near this one does better "
            f"than {searched.best_nats_per_char:.2f}{best}; it may be {HINTS}; or keep it with --force"
            + "".join(f"; {doubt}" for doubt in (*result.parts.stack.doubts, *result.parts.left_out))
        )
    return replace(result, evaluation=evaluation)


def _raise_unknown(result: ImportedModel, text: Corpus, error: ActivationError, max_changes: int) -> NoReturn:
    """Say which reading of a text makes all of its characters known to a model, if there is one that is any good."""
    vocabulary, interpretation = result.model.vocabulary, result.interpretation
    if len(text) < MIN_CHARS:
        raise error
    best = best_reading(
        result.parts, interpretation, vocabulary, text, max_changes=max_changes, undecided=result.undecided
    )
    if best is None:
        raise error
    n_unknown, first = vocabulary.unknown(text, partial(interpretation.rule.spelled, vocabulary=vocabulary))
    are_unknown = f"{n_unknown:,} characters of the text are" if n_unknown > 1 else "1 character of the text is"
    examples = ", ".join(map(repr, map(chr, first)))
    unknown = f"{are_unknown} not in the model's vocabulary of {len(vocabulary)}: first {examples}"
    singles, options = (
        losses_of_frequencies(text, best[0].rule, vocabulary)[0],
        with_options(interpretation.changes(best[0])),
    )
    if not best[1] < singles:
        raise ActivationError(
            f"{unknown}; {options} it knows all, but predicts them worse ({best[1]:.2f} nats per character) than their "
            f"frequencies alone do ({singles:.2f}), so more than this is wrong: it may be {HINTS}; or {_OTHER_TEXT}"
        ) from error
    raise ActivationError(
        f"{unknown}; it knows all, and has a loss of {best[1]:.2f} nats per character on a sample of the text, "
        f"{options}; do that, or {_OTHER_TEXT}"
    ) from error
