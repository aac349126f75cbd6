"""One case of each kind: change a sound file, open it as users do, and say how that ended."""

import contextlib
import io
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import h5py
import numpy as np
import torch

from activations.errors import ActivationError
from activations.importers.foreign_files import check_any_model
from activations.importers.importing import import_model
from activations.models.checkpoints import load_model
from activations.reading.extraction import extract
from activations.recordings.checking import check
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from analyses.errors import AnalysisError
from analyses.probing.kept_probes import Probe, load_probes
from fuzzing.changes import (
    Rng,
    change_attributes,
    change_structure,
    change_values,
    changed_value,
    damaged,
    pick,
    seal,
)
from fuzzing.samples import LONG_TEXT, TEXT, Samples, live_of
from hypotheses.errors import HypothesisError
from hypotheses.registry import get

OURS = (ActivationError, AnalysisError, HypothesisError)
_UNWRITABLE = (ValueError, TypeError, LookupError, OSError, RuntimeError, ArithmeticError)  # HDF5 writes no such thing
_MOST_MESSAGE = 20_000
COMMANDS = (
    "check {}", "check {} --json", "rank {} -H in_quotes", "rank {} -H vowel --json", "rank {} -H predicts:a",
    "view {} --unit 0/hidden/1 -H in_quotes", "view {} --unit 0/hidden/1 --loss --guesses -o page.html",
    "plot unit 0/hidden/1 {} -H in_quotes -o unit.png", "plot overlap {} {} -o overlap.svg", "similarity {} {}",
    "fit {} -H in_quotes --controls position",
)  # fmt: skip


class Fault(Exception):  # noqa: N818 it is what the run looks for
    """Something that must not be: the case goes to the list of faults."""


@dataclass(frozen=True)
class Case:
    """A file that was changed.

    Attributes:
        rng: What every choice is drawn from.
        folder: An empty folder.
        samples: Sound files.
        runs_commands: Whether some sound recordings are also given to commands, which takes longer.
    """

    rng: Rng
    folder: Path
    samples: Samples
    runs_commands: bool = False

    def write(self, name: str, content: bytes) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_bytes(content)
        return path


def damaged_recording(case: Case) -> str:
    """Damage the bytes of a recording: `check` notices, or everything is read as it was."""
    original = pick(case.rng, case.samples.recordings)
    path = case.write("a.h5", damaged(original, case.rng))
    if _judge(case, path) == "refused":
        return "refused"
    if _read_all(path) != _sound_values(original):
        raise Fault("a change of data was not noticed")
    return "as it was"


def changed_metadata(case: Case) -> str:
    """Change attributes, and let checksums fit them."""
    return _changed_recording(case, change_attributes)


def changed_values(case: Case) -> str:
    """Change numbers in datasets, and let checksums fit them."""
    return _changed_recording(case, change_values)


def changed_structure(case: Case) -> str:
    """Change datasets, groups and links, and, for most, what the attributes say of them."""
    return _changed_recording(case, change_structure)


def _changed_recording(case: Case, change: Callable[[h5py.File, Rng], None]) -> str:
    path = case.write("a.h5", pick(case.rng, case.samples.recordings))
    with h5py.File(path, "r+") as file:
        for _ in range(1 + int(case.rng.random() < 0.3)):
            with contextlib.suppress(*_UNWRITABLE):
                change(file, case.rng)
        if case.rng.random() < 0.9:
            with contextlib.suppress(*_UNWRITABLE):
                seal(file, contents=change is not change_attributes and case.rng.random() < 0.8)
    return _judge(case, path)


def _judge(case: Case, path: Path) -> str:
    """Check a recording, read all of it, and give it to a command."""
    result = check(path)
    _show(result)
    try:
        _read_all(path)
    except ActivationError as error:
        _show(error)
        if result.sound:
            raise Fault(f"`check` calls it sound, and it cannot be read: {str(error)[:300]}") from error
    if case.runs_commands and case.rng.random() < (0.08 if result.sound else 0.01):
        run_command(str(pick(case.rng, COMMANDS)), path)
    return "sound" if result.sound else "refused"


def _show(result: object) -> None:
    if len(str(result)) > _MOST_MESSAGE:
        raise Fault(f"a message of {len(str(result)):,} characters")
    if row := getattr(result, "row", None):
        json.dumps(row())


def _read_all(path: Path) -> dict[str, Any]:
    """Read everything that a recording has, in all ways."""
    with Recording(path) as recording:
        whole = {str(site): recording.read([site])[site].tobytes() for site in recording.sites}
        predictions = {kind: values.tobytes() for kind, values in recording.read_predictions().items()}
        description = {name: value for name, value in recording.description.items() if name != "complete"}
        if recording.tokens is None:
            n_chars = sum(block.n_chars for block in recording.blocks(predictions=True))
            if n_chars != recording.selection.n_chars:
                raise Fault(f"blocks have {n_chars} of {recording.selection.n_chars} characters")
        return {
            **whole,
            "predictions": predictions,
            "description": json.dumps(description, sort_keys=True, default=repr),
            "text": recording.corpus.text(),
            "documents": [document.name for document in recording.corpus.documents],
            "rule": str(recording.reading_rule),
            "vocabulary": repr(recording.vocabulary),
            "hashes": (recording.model_sha256, recording.corpus.sha256),
            "selection": str(recording.selection),
        }


@cache
def _sound_values(original: bytes) -> dict[str, Any]:
    path = Path("sound.h5")
    path.write_bytes(original)
    return _read_all(path)


def run_command(command: str, path: Path) -> tuple[object, str]:
    """Run a command on a recording as in the shell, and return its status and what it wrote as an error.

    Raises:
        Fault: If it did not end as commands do, or wrote control characters.
    """
    words = [word.format(path) for word in command.split()]
    with _as_in_the_shell(path.parent, words) as (out, err):
        from probe.cli import main

        status: object = None
        try:
            main()
        except SystemExit as stop:
            status = stop.code
    if status not in (0, 1, None):
        raise Fault(f"`probe {words[0]}` ended with {status}: {_written(err)[-300:]}")
    if any(char in text for text in (_written(out), _written(err)) for char in "\x1b\x07"):
        raise Fault(f"`probe {words[0]}` wrote a control character from the file")
    return status or 0, _written(err)


@contextlib.contextmanager
def _as_in_the_shell(folder: Path, words: list[str]) -> Iterator[tuple[io.TextIOWrapper, io.TextIOWrapper]]:
    out = io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)
    err = io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
    with (
        patch.object(sys, "argv", ["probe", *words]),
        patch("signal.signal"),
        contextlib.chdir(folder),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        yield out, err


def _written(stream: io.TextIOWrapper) -> str:
    stream.seek(0)
    return stream.read()


def damaged_checkpoint(case: Case) -> str:
    """Damage the bytes of a checkpoint: it is refused, or has the same weights."""
    original = pick(case.rng, case.samples.checkpoints)
    path = case.write("a.pt", damaged(original, case.rng))
    if (weights := _judge_model(path)) is None:
        return "refused"
    expected = _weights(io.BytesIO(original))
    if weights.keys() != expected.keys() or not all(torch.equal(weights[name], expected[name]) for name in expected):
        raise Fault("a change of weights was not noticed")
    return "as it was"


def changed_checkpoint(case: Case) -> str:
    """Change what a checkpoint says, in a file that is whole."""
    content = torch.load(io.BytesIO(pick(case.rng, case.samples.checkpoints)), weights_only=True)
    for _ in range(1 + int(case.rng.random() < 0.3)):
        content = _changed_content(content, case.rng)
    torch.save(content, case.folder / "a.pt")
    return "refused" if _judge_model(case.folder / "a.pt") is None else "sound"


def _changed_content(content: Any, rng: Rng) -> Any:
    """Change one value of a checkpoint, a weight among them."""
    if isinstance(content, torch.Tensor):
        kind = int(rng.integers(6))
        changes: tuple[Callable[[], Any], ...] = (
            lambda: content[:-1], lambda: content.to(torch.int64), lambda: content.expand(1000, *content.shape),
            lambda: content * float("nan"), lambda: content.double(), lambda: [content],
        )  # fmt: skip
        return changes[kind]()
    if isinstance(content, dict) and content and rng.random() < 0.9:
        key = pick(rng, list(content))
        if rng.random() < 0.15:
            return {name: part for name, part in content.items() if name != key}
        return content | {key: _changed_content(content[key], rng)}
    return changed_value(content, rng)


def _judge_model(path: Path) -> dict[str, torch.Tensor] | None:
    """Check a checkpoint and load it; None if it is refused."""
    result = check_any_model(path)
    _show(result)
    if any(len(complaint) > _MOST_MESSAGE for complaint in result.complaints):
        raise Fault("a complaint without end")
    try:
        model = load_model(path)
    except ActivationError as error:
        _show(error)
        if result.sound:
            raise Fault(f"it is called sound, and cannot be loaded: {error}") from error
        return None
    if result.sound:
        text = "".join(char for char in model.vocabulary.characters[:5] if char not in model.vocabulary.names)
        with contextlib.suppress(ActivationError):  # the rule may leave nothing of such a text
            from activations.reading.live import LiveActivations

            live = LiveActivations(model, Corpus.from_texts([text * 4]), n_lanes=1, warm_up_chars=0)
            sum(block.n_chars for block in live.blocks(predictions=True))
    return model.state_dict()


def _weights(file: io.BytesIO) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(file, weights_only=True)["weights"]
    return weights


def foreign_model(case: Case) -> str:
    """Damage another program's model: importing it works, or says why not, and runs nothing."""
    ending, content = pick(case.rng, case.samples.models)
    return _imported(case.write(f"a{ending}", damaged(content, case.rng)))


def changed_json_model(case: Case) -> str:
    """Change what the header of a safetensors file, or a model in JSON, says."""
    ending, content = pick(case.rng, [model for model in case.samples.models if model[0] in (".json", ".safetensors")])
    if ending == ".json":
        header, rest = json.loads(content), b""
    else:
        n_bytes = int.from_bytes(content[:8], "little")
        header, rest = json.loads(content[8 : 8 + n_bytes]), content[8 + n_bytes :]
    for _ in range(1 + int(case.rng.random() < 0.3)):
        header = changed_value(header, case.rng)
    spelled = json.dumps(header).encode()
    whole = spelled if ending == ".json" else len(spelled).to_bytes(8, "little") + spelled + rest
    return _imported(case.write(f"a{ending}", whole))


def _imported(path: Path) -> str:
    _show(check_any_model(path))
    try:
        import_model(path)
    except ActivationError as error:
        _show(error)
        return "refused"
    return "read"


def text(case: Case) -> str:
    """Damage a text, and read it in an encoding."""
    path = case.write("a.txt", damaged(pick(case.rng, case.samples.texts), case.rng))
    try:
        corpus = Corpus.read(path, encoding=pick(case.rng, ("utf-8", "utf-8", "utf-16", "latin-1", "ascii", "cp1252")))
    except ActivationError as error:
        _show(error)
        return "refused"
    if any(0xD800 <= code < 0xE000 for code in corpus.codes.tolist()) or len(corpus.text()) != len(corpus):
        raise Fault("a text with half characters")
    return "read"


def label_file(case: Case) -> str:
    """Damage a label file, and label the text with it."""
    ending, content = pick(case.rng, case.samples.labels)
    if ending == ".json" and case.rng.random() < 0.5:
        content = json.dumps(changed_value(json.loads(content), case.rng)).encode()
    else:
        content = damaged(content, case.rng)
    path = case.write(f"a{ending}", content)
    try:
        labels = get(f"labels:{path}")(TEXT)
    except HypothesisError as error:
        _show(error)
        return "refused"
    if len(labels.tolist()) != len(TEXT):
        raise Fault("another number of labels than of characters")
    if labels.kind == "numeric" and any(math.isinf(value) for value in np.asarray(labels.values, float).tolist()):
        raise Fault("a label that is infinite")
    return "read"


def kept_probes(case: Case) -> str:
    """Damage kept probes, or change what their file says of them: they are refused, or read as they were."""
    path = case.write("a.npz", case.samples.probes)
    expected = [_contents_of(probe) for probe in load_probes(path)]
    if is_damaged := case.rng.random() < 0.6:
        path.write_bytes(damaged(case.samples.probes, case.rng))
    else:
        with np.load(path) as file:
            arrays = {name: file[name] for name in file.files}
        name = str(pick(case.rng, list(arrays)))
        if arrays[name].dtype.kind == "U":
            arrays[name] = np.array(json.dumps(changed_value(json.loads(str(arrays[name])), case.rng)))
        else:
            changes = (arrays[name][:-1], arrays[name].astype("f2"), arrays[name] * float("nan"), np.array("text"))
            arrays[name] = pick(case.rng, changes)
        np.savez(path, **arrays)
    try:
        probes = load_probes(path)
    except AnalysisError as error:
        _show(error)
        return "refused"
    if is_damaged and [_contents_of(probe) for probe in probes] != expected:
        raise Fault("a change of probes was not noticed")
    for probe in probes:
        _show(probe)
    return "read"


def _contents_of(probe: Probe) -> dict[str, object]:
    values = {field.name: getattr(probe, field.name) for field in fields(probe)}
    return {name: value.tobytes() if isinstance(value, np.ndarray) else value for name, value in values.items()}


def unfinished_recording(case: Case) -> str:
    """Damage the journal of an interrupted extraction, and extract again: to the same recording."""
    part, journal, whole = case.samples.unfinished
    case.write("a.h5.part", part)
    case.write("a.h5.journal", damaged(journal, case.rng))
    checkpoint = case.write("0.pt", case.samples.checkpoints[0])
    live = live_of(checkpoint, [LONG_TEXT], 1)
    result = extract(live, case.folder / "a.h5", force=True)
    values, expected = _read_all(result.path), _sound_values(whole)
    if {name: value for name, value in values.items() if name != "description"} != {
        name: value for name, value in expected.items() if name != "description"
    }:
        raise Fault("an extraction that was continued differs")
    return "extracted"


CaseKind = Callable[[Case], str]
KINDS: dict[str, CaseKind] = {
    function.__name__: function
    for function in (
        damaged_recording, changed_metadata, changed_values, changed_structure, damaged_checkpoint, changed_checkpoint,
        foreign_model, changed_json_model, text, label_file, kept_probes, unfinished_recording,
    )
}  # fmt: skip
"""The kinds of case by name; each is as frequent as the others."""
