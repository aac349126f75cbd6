"""Models in memory: a user's own PyTorch modules, and functions of the user's that build models."""

import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from activations.errors import ActivationError
from activations.files import check_is_file
from activations.importers.contents import Contents
from activations.importers.files import read_contents
from activations.importers.importing import array_of, import_model
from activations.importers.vocabulary.vocabularies import FoundVocabulary, vocabulary_from
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.vocab import Vocabulary

USER_MODULE = "_model_of_the_user_"
"""What the names of modules begin with that have a user's factory."""
_SHOWN_CHARS = 500  # of what a user's code says


def wrap(
    input: nn.Embedding | nn.Linear | None,
    rnn: nn.Module | Sequence[nn.Module],
    readout: nn.Linear,
    vocab: Vocabulary | Sequence[str] | Mapping[str, int] | Mapping[int, str],
) -> CharRNN:
    """Make a model of ours from PyTorch modules, whose weights are copied.

    Args:
        input: Turns a character into the input of the first layer; None feeds it in as a one-hot vector.
        rnn: `nn.LSTM`, `nn.GRU` or `nn.RNN`, or cells of these, or several of them from the input upwards.
        readout: Maps the last layer's hidden states to the characters.
        vocab: The characters in the order of their ids, or a dictionary from characters to ids or back.

    Raises:
        ActivationError: If the modules do not fit together, or are of unknown kinds.
    """
    stack = list(rnn) if isinstance(rnn, Sequence | nn.ModuleList) else [rnn]
    for module, kinds in ((input, (nn.Embedding, nn.Linear, type(None))), (readout, (nn.Linear,))):
        if type(module) not in kinds:
            raise ActivationError(
                f"{type(module).__name__} is no {' or '.join(kind.__name__ for kind in kinds)}; return a CharModel for "
                "a model of other parts"
            )
    for layer in stack:
        if not isinstance(layer, nn.RNNBase | nn.RNNCellBase):
            raise ActivationError(
                f"{type(layer).__name__} is none of PyTorch's recurrent layers; return a CharModel for others"
            )
    if isinstance(input, nn.Embedding) and input.max_norm is not None:
        raise ActivationError(
            "an embedding with max_norm changes as it is read; set its max_norm to None if it need not"
        )
    modules: dict[str, nn.Module] = {}
    modules |= {f"rnn{n}" if len(stack) > 1 else "rnn": layer for n, layer in enumerate(stack)}
    modules["readout"] = readout
    if isinstance(input, nn.Linear):  # for one-hot vectors the same as an embedding
        biases = [value for name, value in input.named_parameters() if name == "bias"]
        modules["embedding"] = nn.Embedding(
            input.in_features, input.out_features, _weight=sum(biases, input.weight.t()).detach()
        )
    elif input is not None:
        modules["embedding"] = input
    contents = contents_of(nn.ModuleDict(modules), "modules in memory")
    if isinstance(vocab, Vocabulary):
        found_vocabulary = FoundVocabulary(vocab, "given")
    else:
        found_vocabulary = vocabulary_from(vocab, readout.out_features)
    return import_model(
        contents, found_vocabulary.vocabulary, rule=ReadingRule(substitutes=found_vocabulary.substitutes)
    ).model


def contents_of(module: nn.Module, kind: str) -> Contents:
    """Return the contents of a module: its parameters and buffers, and the nonlinearities of its parts."""
    facts: dict[str, str | int | float] = {}
    for name, part in module.named_modules():
        for fact in ("mode", "nonlinearity"):
            if isinstance(value := getattr(part, fact, None), str):
                facts[f"{name}.{fact}" if name else fact] = value
    weights = [*module.named_parameters(remove_duplicate=False), *module.named_buffers()]
    arrays = {name: array_of(weight) for name, weight in weights}
    kinds = {name: f"{type(part).__module__}.{type(part).__qualname__}" for name, part in module.named_modules()}
    return Contents.of_arrays(kind, arrays, facts=facts, modules=kinds)


def contents_from_factory(spelling: str, source: Path) -> tuple[Contents, Vocabulary | None, ReadingRule]:
    """Run a user's factory on a file, and return what it makes as contents to be imported.

    Args:
        spelling: The factory, such as `my_model.py:build`, whose code is run.
        source: The file, which is read without running anything in it.

    Returns:
        The contents of the module or model, its vocabulary if it has one, and its reading rule.

    Raises:
        ActivationError: If the factory makes a model that cannot be saved as a checkpoint of ours.
    """
    result = run_factory(spelling, read_contents(source).arrays)
    if isinstance(result, CharRNN) or not isinstance(result, CharModel):
        contents = contents_of(result, f"what {spelling} made")
        if isinstance(result, CharRNN):
            return contents, result.vocabulary, result.reading_rule
        return contents, None, PLAIN
    raise ActivationError(
        f"{spelling} made a CharModel of its own kind, which cannot be written as a checkpoint; read a text with it by "
        f"`probe extract {source} corpus.txt --model-factory {spelling}`"
    )


def model_from_factory(spelling: str, source: Path) -> CharRNN | CharModel:
    """Run a user's factory on a file, and return the model that it makes, in evaluation mode.

    Args:
        spelling: The factory, such as `my_model.py:build`, whose code is run.
        source: The file, which is read without running anything in it.

    Raises:
        ActivationError: If the factory makes something that cannot read a text.
    """
    result = run_factory(spelling, read_contents(source).arrays)
    if isinstance(result, CharRNN | CharModel):
        if isinstance(result, nn.Module):
            result.eval()
        return result
    raise ActivationError(
        f"{spelling} made a {type(result).__name__}, which has no vocabulary; import it with `probe import {source} "
        f"--model-factory {spelling} --vocab ...`, or return probe.models.wrap(...) or a CharModel"
    )


def run_factory(spelling: str, arrays: Mapping[str, Any]) -> CharRNN | CharModel | nn.Module:
    """Run a user's function that builds a model.

    Args:
        spelling: The function, such as `my_model.py:build`.
        arrays: Arrays by name, which the function is called with as tensors.

    Raises:
        ActivationError: If there is no such file or function, the function fails, or it does not return a model.
    """
    file, _, name = spelling.rpartition(":")
    path = Path(file)
    if not file or not name.isidentifier():
        raise ActivationError(f"{spelling!r} is not a factory; write it as my_model.py:build")
    check_is_file(path, "file of Python")
    if not path.is_file():
        raise ActivationError(f"there is no file {path} to take {name} from")
    spec = importlib.util.spec_from_file_location(f"{USER_MODULE}{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ActivationError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    place = path.resolve()  # which may change with the working directory
    folder = str(place.parent)
    sys.path.insert(0, folder)  # so that it finds the files beside it
    sys.modules[spec.name] = module  # dataclasses look their module up
    try:
        spec.loader.exec_module(module)
        build: Callable[[dict[str, Tensor]], Any] | None = getattr(module, name, None)
        if not callable(build):
            raise ActivationError(f"{path} has no function {name}")
        result = build({key: torch.from_numpy(array.copy()) for key, array in arrays.items()})
    except ActivationError:
        raise
    except BaseException as error:
        sentence = f"{spelling} failed{_line_in(error, place)}: {type(error).__name__}: {_message_of(error)}"
        if isinstance(error, KeyboardInterrupt):  # of a signal, or else of the function itself
            error.add_note(sentence)
            raise
        raise ActivationError(sentence) from error
    finally:
        with suppress(ValueError):  # the file may have removed it itself
            sys.path.remove(folder)
    if not isinstance(result, CharRNN | CharModel | nn.Module):
        raise ActivationError(f"{spelling} returned {type(result).__name__}; expected a module or a CharModel")
    return result


def _message_of(error: BaseException) -> str:
    """Return what an error of a user's code says, in one line of bounded length, whatever its class makes of that."""
    try:
        return " ".join(str(error).split())[:_SHOWN_CHARS]
    except BaseException:  # noqa: BLE001 the class is the user's
        return "its message cannot be made"


def _line_in(error: BaseException, path: Path) -> str:
    """Return the line of the user's file in which an error was raised, in words; empty if it was raised elsewhere.

    Args:
        error: The error.
        path: The whole path of the file.
    """
    trace, line = error.__traceback__, ""
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename).resolve() == path:
            line = f" in line {trace.tb_lineno}"
        trace = trace.tb_next
    return line
