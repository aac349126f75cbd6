"""Checksums of a recording: XXH3 with 64 bits, of rows in little-endian order and of attributes."""

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

_READ_BYTES = 1 << 22


def checksums(rows: NDArray[Any], lengths: NDArray[np.int64]) -> list[int]:
    """Return the checksum of each of several runs of rows of a dataset.

    Args:
        rows: (n_rows, ...) all of the rows, one run after another.
        lengths: (n_runs,) the number of rows of each run.
    """
    content = np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data
    ends = (np.cumsum(lengths) * (len(content) // max(1, len(rows)))).tolist()
    return [xxhash.xxh3_64_intdigest(content[start:stop]) for start, stop in itertools.pairwise([0, *ends])]


def checksum(rows: NDArray[Any]) -> int:
    """Return the checksum of rows of a dataset."""
    return checksums(rows, np.array([len(rows)]))[0]


def dataset_checksum(dataset: Any) -> int:
    """Return the checksum of all rows of a dataset, which are read a few megabytes at a time."""
    digest = xxhash.xxh3_64()
    for rows in rows_of(dataset):
        digest.update(np.ascontiguousarray(rows).reshape(-1).view(np.uint8).data)
    return int(digest.intdigest())


def checksums_sha256(file: Any) -> str:
    """Return the hash, in hexadecimal, of all checksums of a file, that of its attributes among them."""
    digest = hashlib.sha256(str(file.attrs["attributes_checksum"]).encode())

    def add(name: str, member: Any) -> None:
        if hasattr(member, "dtype"):
            digest.update(f"\n{name} {member.shape}\n".encode())
            digest.update(member[:].astype("<u8").tobytes())

    file["checksums"].visititems(add)
    return digest.hexdigest()


def rows_of(dataset: Any) -> Iterator[NDArray[Any]]:
    """Give the rows of a dataset, as many at a time as a few megabytes hold."""
    n_rows = max(1, _READ_BYTES * len(dataset) // max(1, dataset.nbytes))
    for start in range(0, len(dataset), n_rows):
        yield dataset[start : start + n_rows]


def attributes_checksum(attrs: Mapping[str, Any]) -> str:
    """Return the checksum, in hexadecimal, of the attributes of a file but two, as JSON with sorted keys."""
    facts = {
        name: value.item() if isinstance(value, np.generic) else value
        for name, value in attrs.items()
        if name not in ("complete", "attributes_checksum")
    }
    return str(xxhash.xxh3_64_hexdigest(json.dumps(facts, sort_keys=True).encode("utf-8", "surrogatepass")))
