"""Which labels belong to which documents, by name."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import numpy as np

from hypotheses.errors import HypothesisError
from hypotheses.labels import Kind, Labels
from hypotheses.origins import Documents
from hypotheses.spelling import short_list

SUFFIXES = (".csv", ".tsv", ".tab", ".jsonl", ".ndjson", ".json")
"""Of the files with labels in a folder."""


def without_labels(n_chars: int, kind: Kind, names: tuple[str, ...]) -> Labels:
    """Return labels of a document that are all missing."""
    dtype = {"binary": np.bool_, "categorical": np.int32, "numeric": np.float64}[kind]
    return Labels(np.zeros(n_chars, dtype), kind, np.ones(n_chars, bool), names)


def find_by_name(labelled: Sequence[str], document_names: Sequence[str]) -> list[str | None]:
    """Return for each document the name under which labels are given; None if there are none.

    A name is that of a document or of its file, with or without folders and suffix: `b` and `b.txt` name `texts/b.txt`.

    Raises:
        HypothesisError: If a name is that of no document, or of several.
    """
    numbers_by_name: defaultdict[str, list[int]] = defaultdict(list)
    for number, name in enumerate(document_names):
        for spelled in _spellings(name):
            numbers_by_name[spelled].append(number)
    found: list[str | None] = [None] * len(document_names)
    for name in labelled:
        spelled = PurePath(name).as_posix() if name else name
        numbers = numbers_by_name.get(spelled, [])
        exact = [number for number in numbers if PurePath(document_names[number]).as_posix() == spelled]
        if not numbers:
            raise HypothesisError(
                f"there are labels for {name!r}, and no document of that name; the documents are "
                f"{short_list(document_names)}"
            )
        if len(numbers) > 1 and len(exact) != 1 and len({document_names[number] for number in numbers}) > 1:
            names = [document_names[number] for number in numbers]
            raise HypothesisError(f"labels for {name!r} fit {short_list(names)}; give the whole name")
        for number in exact or numbers:
            if found[number] not in (None, name):
                raise HypothesisError(f"{document_names[number]} has labels as {found[number]!r} and as {name!r}")
            found[number] = name
    return found


def warn_of_missing(names: Sequence[str], documents: Documents) -> None:
    """Warn that documents have no labels."""
    if names:
        documents.warnings.append(
            f"{len(names):,} of {len(documents.names):,} documents have no labels: {short_list(names[:3])}"
            + (" …" if len(names) > 3 else "")
        )


def _spellings(name: str) -> Iterable[str]:
    """Return the names by which a document may be called, such as `b.txt` and `b` for `texts/b.txt`."""
    path = PurePath(name)
    parts = [part for part in path.parts if part != path.anchor]
    tails = ["/".join(parts[n:]) for n in range(len(parts))]
    without_suffix = [tail.removesuffix(path.suffix) for tail in tails if path.suffix]
    return dict.fromkeys([path.as_posix(), *tails, *without_suffix])


def files_in_folder(folder: Path, documents: Documents) -> list[Path | None]:
    """Return the file with the labels of each text file; None if there is none.

    `texts/a.txt` has its labels in `texts/a.csv` or `texts/a.txt.csv` within the folder, or else in `a.csv` or
    `a.txt.csv`; so too with the other `SUFFIXES`.

    Raises:
        HypothesisError: If there are several for one text, or several texts for one.
    """
    owners: dict[Path, str] = {}
    found: list[Path | None] = []
    for text_file in documents.files:
        path = _file_of(folder, text_file.name)
        if path is not None and owners.setdefault(path, text_file.name) != text_file.name:
            raise HypothesisError(
                f"{path} fits both {owners[path]} and {text_file.name}; put each into a folder named like the text's"
            )
        found.append(path)
    if not any(found):
        names = short_list([file.name for file in documents.files][:3])
        raise HypothesisError(
            f"the folder {folder} has no labels of {names}; a.txt has them in a.csv, a.txt.csv, or with one of the "
            f"suffixes {', '.join(SUFFIXES[1:])}"
        )
    return found


def _file_of(folder: Path, name: str) -> Path | None:
    path = PurePath(name.replace("\\", "/"))
    parts = [part for part in path.parts if part not in (path.anchor, "..", ".")]
    for n in range(len(parts)):
        tail = folder.joinpath(*parts[n:])
        stems = dict.fromkeys([tail.name, tail.stem])
        candidates = [tail.with_name(stem + suffix) for stem in stems for suffix in SUFFIXES]
        files = [candidate for candidate in dict.fromkeys(candidates) if candidate.is_file()]
        if len(files) > 1:
            raise HypothesisError(f"both {files[0]} and {files[1]} have labels of {name}; remove one of them")
        if files:
            return files[0]
    return None
