"""Checkpoints of our models: a plain dictionary that torch loads without running any code from the file."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from pickletools import genops
from typing import Any

import torch

from activations.errors import ActivationError
from activations.file_kinds import PYTORCH, START_BYTES, kind_of
from activations.files import check_is_file, is_stored, replacing
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.system_errors import reason
from activations.texts.reading_rule import ReadingRule
from activations.texts.vocab import Vocabulary

FORMAT = "char-probe model"
VERSION = 1
_NOT_OURS = (
    "{} is not a checkpoint of `probe train`, or it is truncated or damaged; "
    "`probe import` makes one from a file of another program"
)
_OF_ANOTHER_KIND = (
    "{} is {}, not a checkpoint of `probe train`; if it is another program's model, `probe import` makes one from it"
)
_RUNS_CODE = (
    "{} cannot be loaded without running code from it, which is never done; "
    "`probe import` makes a checkpoint from it without running any"
)
_MALFORMED = (
    RuntimeError,
    EOFError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    ArithmeticError,
    MemoryError,
    zipfile.BadZipFile,
)
_SAVED_GLOBALS = {
    "collections OrderedDict",
    "torch._utils _rebuild_tensor_v2",
    "torch FloatStorage",
    "torch HalfStorage",
}
_SHOWN_CHARS = 300  # of what is wrong
_MAX_PICKLE_BYTES = 50_000_000
TrainingRecord = Mapping[str, Any]
"""What a checkpoint says about a training: settings, losses and hashes by name; see `Training.record`."""
DTYPES = {"float32": torch.float32, "float16": torch.float16}


class NoCheckpointError(ActivationError):
    """A file is no checkpoint of ours: another program's model perhaps, or damaged so much that nothing shows it."""


def save_model(
    model: CharRNN,
    path: Path | str,
    *,
    training: TrainingRecord | None = None,
    dtype: str = "float32",
) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        model: The model to save.
        path: The file; replaced once the new one is complete.
        training: How the model was trained, for people.
        dtype: Dtype of the stored weights, one of `DTYPES`; float16 halves the file.

    Raises:
        ActivationError: If it cannot be written.
    """
    if dtype not in DTYPES:
        raise ActivationError(f"the dtype of the weights is {dtype!r}; choose one of {', '.join(DTYPES)}")
    if model.interventions:
        raise ActivationError("a checkpoint cannot hold interventions; save the model outside their `with` block")
    content: dict[str, Any] = {
        "format": FORMAT,
        "format_version": VERSION,
        "config": model.config.as_dict(),
        "vocabulary": {"characters": model.vocabulary.characters, "replacement": model.vocabulary.replacement},
        "weights": {name: weight.detach().to("cpu", DTYPES[dtype]) for name, weight in model.state_dict().items()},
        "training": dict(training or {}),
        "trained": model.trained,
    }
    if model.vocabulary.names:
        content["vocabulary"] |= {"names": dict(model.vocabulary.names)}
    if not model.reading_rule.is_plain:
        content["reading_rule"] = model.reading_rule.to_data()
    buffer = io.BytesIO()  # on a full disk torch raises a RuntimeError, a plain write an OSError
    torch.save(content, buffer)
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load_model(path: Path | str) -> CharRNN:
    """Load a checkpoint as a model in evaluation mode, in float32 on the CPU.

    Raises:
        NoCheckpointError: If it is not a checkpoint of ours, or could only be loaded by running code from it.
        ActivationError: If the file is missing, is damaged, or has a later version.
    """
    content = _read(Path(path))
    try:
        config = ModelConfig(**content["config"])
        vocabulary = Vocabulary(**content["vocabulary"])
        rule = ReadingRule.from_data(content.get("reading_rule", {}))
        rule.check(vocabulary)
        _check_sizes(config, vocabulary, content["weights"])
        model = CharRNN(config, vocabulary)
        model.reading_rule = rule
        model.trained = bool(content.get("trained", content["training"]))
        model.initialisation = str(content["training"].get("initialisation", "default"))
        model.load_state_dict({name: weight.float() for name, weight in content["weights"].items()})
    except ActivationError as error:
        raise ActivationError(f"{path} is a damaged checkpoint: {str(error)[:_SHOWN_CHARS]}") from error
    except _MALFORMED as error:
        detail = (str(error).splitlines() or [type(error).__name__])[0][:_SHOWN_CHARS]
        raise ActivationError(f"{path} is a damaged checkpoint ({detail}); make it again with `probe train`") from error
    return model.eval()


def training_record(path: Path | str) -> dict[str, Any]:
    """Return what a checkpoint says about the training of its model.

    Raises:
        ActivationError: See `load_model`.
    """
    return dict(_read(Path(path)).get("training") or {})


def model_sha256(model: CharRNN) -> str:
    """Return a hash of a model's configuration, vocabulary, weights and reading rule, in hexadecimal."""
    rule = () if model.reading_rule.is_plain else (model.reading_rule,)
    digest = hashlib.sha256(repr((model.config, model.vocabulary, *rule)).encode("utf-8", "surrogatepass"))
    for name, weight in sorted(model.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.detach().cpu().float().numpy().tobytes())
    return digest.hexdigest()


def _not_ours(path: Path) -> str:
    """Say that a file is no checkpoint of ours, what it is if its first bytes tell, and what can be done.

    Raises:
        OSError: If it cannot be read.
        ActivationError: If it is no file.
    """
    check_is_file(path, "model")
    with path.open("rb") as file:
        start = file.read(START_BYTES)
    if start[:1] == b"\x80":  # a pickle
        return _RUNS_CODE.format(path)
    kind = kind_of(start)
    return _NOT_OURS.format(path) if kind in (None, PYTORCH) else _OF_ANOTHER_KIND.format(path, kind.name)


def _read(path: Path) -> dict[str, Any]:
    check_is_file(path, "model")
    try:
        if not zipfile.is_zipfile(path):  # which all our checkpoints are
            raise NoCheckpointError(_not_ours(path))
        _check_archive(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise ActivationError(f"there is no model {path}; make one with `probe train corpus.txt -o {path}`") from error
    except OSError as error:
        raise ActivationError(f"cannot read the model {path}: {reason(error)}") from error
    except UnpicklingError as error:
        raise NoCheckpointError(_RUNS_CODE.format(path)) from error
    except ActivationError:
        raise
    except _MALFORMED as error:
        raise NoCheckpointError(_NOT_OURS.format(path)) from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise NoCheckpointError(_NOT_OURS.format(path))
    if content.get("format_version") != VERSION:
        raise ActivationError(
            f"{path} is a checkpoint of version {str(content.get('format_version'))[:20]}, and this program reads "
            f"version {VERSION}; upgrade char-probe"
        )
    return content


def _check_archive(path: Path) -> None:
    """Refuse an archive that is damaged, that is compressed, or whose pickle names anything that we never save.

    Raises:
        ActivationError: If the archive is refused.
    """
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        is_larger_unpacked = sum(member.file_size for member in members) > path.stat().st_size
        if not is_stored(archive) or is_larger_unpacked or archive.testzip() is not None:
            raise NoCheckpointError(_NOT_OURS.format(path))
        for member in members:
            if not member.filename.endswith(".pkl"):
                continue
            if member.file_size > _MAX_PICKLE_BYTES:
                raise NoCheckpointError(_NOT_OURS.format(path))
            for opcode, argument, _ in genops(archive.read(member)):
                names_global = opcode.name in ("GLOBAL", "INST")
                if opcode.name == "STACK_GLOBAL" or (names_global and argument not in _SAVED_GLOBALS):
                    raise NoCheckpointError(_RUNS_CODE.format(path))


def _check_sizes(config: ModelConfig, vocabulary: Vocabulary, weights: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights whose shapes do not follow from the configuration, before memory is allocated for them.

    Raises:
        ActivationError: If a weight is missing, has another shape, or has fewer numbers than its shape needs.
    """
    if config.n_layers > len(weights):
        raise ActivationError(f"there are no weights for {config.n_layers} layers")
    with torch.device("meta"):
        expected = {name: tuple(weight.shape) for name, weight in CharRNN(config, vocabulary).state_dict().items()}
    if {name: tuple(weight.shape) for name, weight in weights.items()} != expected:
        raise ActivationError("its weights do not match its configuration")
    for name, weight in weights.items():
        if weight.numel() * weight.element_size() > weight.untyped_storage().nbytes():
            raise ActivationError(f"{name} claims more numbers than the file has")
