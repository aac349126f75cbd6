"""All that the labels of a hypothesis depend on besides the text, as one hash."""

import hashlib
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

from hypotheses.errors import HypothesisError
from hypotheses.fingerprints.declared_files import DeclaredFiles
from hypotheses.fingerprints.functions import function_hash, source_file
from hypotheses.fingerprints.opened_files import CodeLocation, opened_by, record, watch
from hypotheses.fingerprints.references import References

_NUMBERS = itertools.count()  # of definitions, in one process


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Everything that the labels of a hypothesis depend on besides the text.

    Attributes:
        fingerprint: A hash of all of it; None if something cannot be hashed, or more was opened than is declared.
        not_understood: Why there is no fingerprint, to end a sentence with; else empty.
    """

    fingerprint: str | None
    not_understood: str = ""


def _resolved(path: Path) -> Path:
    """Return where a path leads; of links that lead back to themselves, the path itself, which cannot be read."""
    try:
        return path.resolve()
    except RuntimeError:
        return path.absolute()


class Definition:
    """The function that a hypothesis was made of, and the files that it is declared to read.

    Attributes:
        function: From text to labels.
        name: Name of the hypothesis.
        facts: What else is declared about the labels: kind and names of classes.
        file: The function's source file, if it has one.
        hash: See `function_hash`; taken when the hypothesis was made, since the file may change later.
        reads: The declared files and folders, as absolute paths.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        name: str,
        facts: tuple[Any, ...],
        reads: Sequence[str | Path],
        suffixes: Sequence[str] = (),
    ) -> None:
        self.function, self.name, self.facts = function, name, facts
        self.file = source_file(function)
        self.hash = function_hash(function)
        folder = Path(self.file).parent if self.file else Path()
        self.reads = tuple(_resolved(folder / path) for path in ([reads] if isinstance(reads, str) else reads))
        self.declared = DeclaredFiles(self.reads, suffixes)
        self.mark = f"<the hypothesis {next(_NUMBERS)}>"
        if self.file is not None:
            watch(self.file)

    def reading(self, path: Path, suffixes: Sequence[str]) -> "Definition":
        """Return the same function, which also reads a file, or the files with these suffixes in a folder."""
        return Definition(self.function, self.name, self.facts, (*self.reads, path.absolute()), suffixes)

    @property
    def is_built_in(self) -> bool:
        """True if the function belongs to this package, of which the cache has a hash."""
        function = self.function
        return type(function) is FunctionType and str(function.__globals__.get("__name__")).startswith("hypotheses.")

    def record_use(self) -> None:
        """Record for the functions that are running that they call this hypothesis."""
        if not self.is_built_in or self.reads:
            record(self.mark)

    def check_declared(self) -> None:
        """Refuse a hypothesis that is declared to read what does not exist.

        Raises:
            HypothesisError: If a declared path does not exist.
        """
        for path in self.reads:
            if not path.exists():
                raise HypothesisError(f"the hypothesis {self.name!r} is declared to read {path}, which does not exist")


def find_dependencies(
    hypothesis: Any, definitions: Iterable[Definition], *, clear_caches: bool = False
) -> Dependencies:
    """Hash all that a hypothesis and the functions in it use, at this moment.

    Args:
        hypothesis: A hypothesis; it has a `definition_hash` or None, a `kind` and `names`.
        definitions: The functions that it is made of.
        clear_caches: Whether to clear each `functools.cache` that the functions use: it may hold results that are
            older than what is hashed.

    Raises:
        HypothesisError: If a file is missing that a function is declared to read.
    """
    hashed: list[tuple[Any, ...]] = [(hypothesis.definition_hash, hypothesis.kind, hypothesis.names)]
    seen: list[Definition] = []
    caches: list[Any] = []
    locations: set[CodeLocation] = set()
    waiting = list(definitions)
    not_understood = ""
    if hypothesis.definition_hash is None:
        not_understood = "it is no plain function in a file, or its parameters are not plain"
    while waiting:
        definition = waiting.pop()
        if definition in seen or (definition.is_built_in and not definition.reads):
            continue
        seen.append(definition)
        if definition.is_built_in:  # it reads a file each time that it labels
            hashed.append((definition.hash, definition.declared.current_digest()))
            continue
        definition.check_declared()
        references = None
        if definition.hash:
            references = References(definition.function, reads=definition.reads, hypothesis=type(hypothesis))
        files = definition.declared.digest()
        if references is None:
            not_understood = not_understood or f"{definition.name} is no plain function in a file"
        elif references.not_understood:
            not_understood = not_understood or references.not_understood
        elif files is None:
            not_understood = not_understood or f"a file that {definition.name} reads has changed since it was loaded"
        else:
            hashed.append((definition.hash, definition.facts, references.digest, files))
            locations |= references.locations
            caches += references.caches
            waiting += [inner for used in references.hypotheses for inner in used.definitions]
    not_understood = not_understood or _undeclared(locations, seen)
    if not_understood:
        return Dependencies(None, not_understood)
    for cache in caches if clear_caches else ():
        cache.cache_clear()
    return Dependencies(hashlib.sha256(repr(hashed).encode("utf-8", "surrogatepass")).hexdigest())


def _undeclared(locations: set[CodeLocation], definitions: list[Definition]) -> str:
    """Return what functions have opened that is neither declared nor hashed, to end a sentence with; else empty."""
    declared = [path for definition in definitions for path in definition.reads]
    marks = {definition.mark for definition in definitions}
    for opened in sorted(opened_by(locations)):
        if opened not in marks and not any(Path(opened).is_relative_to(path) for path in declared):
            if opened[0] == "<":
                return f"it uses {opened.strip('<>')}"
            return f"it opens {opened}, which is not declared"
    return ""
