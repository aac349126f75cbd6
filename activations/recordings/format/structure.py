"""The structure that makes a file a recording; everything missing or wrong is reported in a sentence.

Of the datasets themselves only `/documents/start` is read here; of the others, where they are and what is declared of
them.
"""

from collections.abc import Iterator
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import h5py

from activations.errors import ActivationError
from activations.predictions import prediction_fields
from activations.recordings.format import layout
from activations.recordings.format.grid import Grid
from activations.recordings.format.metadata import MOST_COMPLAINTS, Metadata, read_metadata
from activations.recordings.format.token_rows import TokenRows
from activations.texts.corpus import Document
from activations.texts.selection import Selection

_PREFIXES = (*layout.ROWS, "/lanes/", "/checksums/")
_SHOWN_CHARS = 300  # of a complaint


def complaints(path: Path, file: h5py.File) -> list[str]:
    """Return what keeps a file from being a whole recording, up to twenty sentences; none if it is one."""
    try:
        metadata = read_metadata(file)
    except ActivationError as error:
        return [str(error)]
    wrong = islice(_wrong_datasets(file, metadata, path.stat().st_size), MOST_COMPLAINTS)
    return [complaint if len(complaint) <= _SHOWN_CHARS else f"{complaint[:_SHOWN_CHARS]}…" for complaint in wrong]


def _wrong_datasets(file: h5py.File, metadata: Metadata, n_bytes: int) -> Iterator[str]:
    """Report datasets that are missing, or not as the attribute `contents` declares them."""
    contents = metadata.contents
    paths = list(contents)
    wrong = [f"/{needed} is missing" for needed in layout.WHOLE if f"/{needed}" not in paths]
    if not any(path.startswith(layout.ROWS) for path in paths):
        wrong.append("there is neither a site nor a prediction in it")
    wrong += [
        f"/{path} is there, and the attribute 'contents' says nothing of it"
        for path in layout.TOKENS
        if path in file and f"/{path}" not in paths
    ]
    wrong += filter(None, (_wrong_dataset(file, path, contents[path], n_bytes) for path in paths))
    if wrong:
        yield from wrong
        return
    if sum(file[path].nbytes for path in paths) > n_bytes:
        yield "its datasets overlap"
        return
    complaint = _wrong_texts(file)
    if complaint:
        yield complaint
        return
    yield from _wrong_sizes(file, metadata, n_bytes)


def _wrong_dataset(file: h5py.File, path: str, declared: Any, n_bytes: int) -> str | None:
    """Report what is wrong with one dataset; None if nothing is.

    Args:
        file: The file.
        path: The path of the dataset.
        declared: The dtype and the shape that it should have.
        n_bytes: The size of the file.
    """
    if not path.startswith(_PREFIXES) and path.strip("/") not in layout.WHOLE + layout.TOKENS:
        return f"{path!r} is nothing that a recording has"
    dataset = _member(file, path)
    if dataset is None:
        return f"{path} is missing, or no dataset of this file"
    if dataset.shape is None or [dataset.dtype.str, list(dataset.shape)] != declared:
        return (
            f"{path} is {dataset.dtype.str} {list(dataset.shape or ())}, and the attribute 'contents' says {declared}"
        )
    if dataset.dtype.kind not in "iufS" or dataset.ndim not in (1, 2) or not dataset.size:
        return f"{path} is not one or two axes of numbers, or is empty"
    if dataset.chunks is not None or dataset.is_virtual or dataset.external or dataset.id.get_offset() is None:
        return f"{path} is not contiguous in this file"
    if dataset.id.get_offset() + dataset.nbytes > n_bytes:
        return f"{path} goes beyond the end of the file"
    return None


def _wrong_texts(file: h5py.File) -> str | None:
    """Report a text, vocabulary or documents of wrong types or lengths; None if they are right."""
    for path, kind in (("/text", "<u4"), ("/vocab", "<u4"), ("/documents/start", "<i8")):
        if file[path].dtype.str != kind or file[path].ndim != 1 or not len(file[path]):
            return f"{path} is not a list of {kind}"
    if file["documents/name"].dtype.kind != "S" or file["documents/name"].shape != file["documents/start"].shape:
        return "/documents/name does not name each of /documents/start in bytes of UTF-8"
    starts = file["documents/start"][:].tolist()
    if starts[0] != 0 or starts[-1] >= len(file["text"]) or any(a >= b for a, b in pairwise(starts)):
        return "/documents/start is not in order, from 0 up to the length of the text"
    return None


def _wrong_sizes(file: h5py.File, metadata: Metadata, n_bytes: int) -> Iterator[str]:
    """Report datasets whose lengths do not fit the recorded characters, or whose checksums do not."""
    borders = [*file["documents/start"][:].tolist(), len(file["text"])]
    documents = tuple(Document("", a, b - a) for a, b in pairwise(borders))
    try:
        selection = metadata.selection(len(file["text"]))
        tokens = token_rows_of(file, metadata)
        if tokens is not None:
            documents, selection = tokens.documents_in_rows(documents), Selection.of(tokens.n_rows)
    except ActivationError as error:
        yield str(error)
        return
    n_blocks = len(Grid(documents, selection, metadata.block_chars))
    for path in metadata.contents:
        complaint = _wrong_size(file, path, selection.n_chars, n_blocks, n_bytes)
        if complaint:
            yield complaint


def _wrong_size(file: h5py.File, path: str, n_rows: int, n_blocks: int, n_bytes: int) -> str | None:
    """Report a dataset with another number of rows or checksums than it should have; None if it is right."""
    per_row = path.startswith(layout.ROWS)
    if path.startswith(layout.PREDICTIONS) and (complaint := _wrong_prediction(file, path)):
        return complaint
    if per_row and (file[path].ndim not in (1, 2) or len(file[path]) != n_rows):
        return f"{path} has {file[path].shape[:1]} rows, and there are {n_rows:,} in the recording"
    n_checksums = n_blocks if per_row else 1
    checksums = _member(file, layout.checksum_path(path))
    if checksums is None:
        return f"there are no checksums of {path}"
    if checksums.dtype.str != "<u8" or checksums.shape != (n_checksums,):
        return f"the checksums of {path} are not {n_checksums:,} numbers <u8"
    return _wrong_dataset(file, layout.checksum_path(path), ["<u8", [n_checksums]], n_bytes)


def _wrong_prediction(file: h5py.File, path: str) -> str | None:
    n_characters = len(file["vocab"])
    fields = prediction_fields(n_characters, whole=True) | prediction_fields(n_characters, whole=False)
    kind = path.removeprefix(layout.PREDICTIONS)
    if kind not in fields:
        return f"{path!r} is nothing that a recording has; the kinds of prediction are {', '.join(fields)}"
    dtype, width = fields[kind]
    axes = "(n_chars,)" if width is None else f"(n_chars, {width})"
    if file[path].dtype != dtype or file[path].shape[1:] != (() if width is None else (width,)):
        return f"{path} is not {axes} in {dtype.str}"
    return None


def token_rows_of(file: h5py.File, metadata: Metadata) -> TokenRows | None:
    """Return the tokens that rows are; None if rows are characters.

    Raises:
        ActivationError: If the datasets of the tokens are of wrong types.
    """
    if not any(path in file for path in layout.TOKENS):
        return None
    datasets = [_member(file, path) for path in layout.TOKENS]
    if any(dataset is None or dataset.dtype.str != "<i8" or dataset.ndim != 1 for dataset in datasets):
        raise ActivationError("/rows/start and /rows/end are not both lists of <i8")
    starts, ends = (dataset[:] for dataset in datasets if dataset is not None)
    return TokenRows(starts, ends, metadata.window, metadata.stride)


def _member(file: h5py.File, path: str) -> h5py.Dataset | None:
    """Return a dataset that is really in this file: links to elsewhere are not followed."""
    group: Any = file
    for name in path.strip("/").split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return None
        group = group[name]
    return group if isinstance(group, h5py.Dataset) else None
