"""Random changes of bytes, of values as JSON has them, and of HDF5 files."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from mutants import mutant

from activations.recordings.format import layout
from activations.recordings.format.checksums import attributes_checksum, checksum

Rng = np.random.Generator

_NUMBERS = (0, 1, -1, 2, 3, 255, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e308, 1e-300)
_TEXTS = (
    "", " ", "\0", "\x1b[31m", "\ud800", "\ufffd", "a" * 300, "a" * 100_000, "\n", "[red]", ":b:", "../../x", "/", "//",
    "0/hidden", "0/cell", "99999999999999999999/hidden", "nan", "NaN", "null", "[]", "{}", '{"a": 1}', "<u4", "float16",
    "near_one", "<sos>", "lower", "bytes", "-0:", "é", "\u202e", "%s%n", "1_000", "٣/hidden",
)  # fmt: skip
_BROKEN_JSON = (
    "{", "[", '"', "[1,", "nul", '{"a":}', "[" * 100_000, "{" * 100_000, '{"a":' * 5_000, "1" * 5_000, "[1e400]",
    "[NaN]", "[" + "[]," * 50_000 + "[]]", '["' + "x" * 1_000_000 + '"]', "\x00", "\ud800",
)  # fmt: skip


def any_value(rng: Rng, depth: int = 0) -> Any:
    """Return a value of any kind that JSON has, NaN and infinity among them."""
    kind = int(rng.integers(9 if depth < 3 else 6))
    if kind < 2:
        return pick(rng, _NUMBERS)
    if kind < 4:
        return pick(rng, _TEXTS)
    if kind == 4:
        return pick(rng, (None, True, False))
    if kind == 5:
        return pick(rng, (float("nan"), float("inf"), -float("inf")))
    parts = [any_value(rng, depth + 1) for _ in range(int(rng.integers(4)))]
    if kind == 6:
        return parts
    if kind == 7:
        return {str(pick(rng, _TEXTS))[:50]: part for part in parts}
    return nested(int(rng.integers(2, 200)), parts)


def nested(n_levels: int, value: Any) -> Any:
    """Return a value in so many lists within lists."""
    for _ in range(n_levels):
        value = [value]
    return value


def changed_value(value: Any, rng: Rng) -> Any:
    """Return a value as JSON has it, with one part of it replaced, removed, repeated or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = pick(rng, list(value))
        kind = int(rng.integers(6))
        if kind == 0:
            return {name: part for name, part in value.items() if name != key}
        if kind == 1:
            return {pick(rng, _TEXTS) if name == key else name: part for name, part in value.items()}
        return value | {key: changed_value(value[key], rng)}
    if isinstance(value, list | tuple) and value and rng.random() < 0.85:
        place = int(rng.integers(len(value)))
        kind = int(rng.integers(6))
        parts = list(value)
        if kind == 0:
            del parts[place]
        elif kind == 1:
            parts.insert(place, parts[int(rng.integers(len(parts)))])
        else:
            parts[place] = changed_value(parts[place], rng)
        return parts
    if isinstance(value, bool):
        return pick(rng, (not value, any_value(rng)))
    if isinstance(value, int) and rng.random() < 0.5:
        return value + int(rng.integers(-3, 4))
    if isinstance(value, str) and value and rng.random() < 0.5:
        place = int(rng.integers(len(value)))
        return value[:place] + str(pick(rng, _TEXTS))[:100] + value[place + 1 :]
    return any_value(rng)


def pick(rng: Rng, choices: Any) -> Any:
    """Return one of some values."""
    return choices[int(rng.integers(len(choices)))]


def change_attributes(file: h5py.File, rng: Rng) -> None:
    """Change one attribute of a recording: what its JSON says, its type, or its size."""
    name = str(pick(rng, list(file.attrs)))
    value = file.attrs[name]
    kind = int(rng.integers(8))
    if kind < 4 and isinstance(value, str) and value[:1] in ("[", "{"):
        file.attrs[name] = json.dumps(changed_value(json.loads(value), rng))
    elif kind == 4:
        file.attrs[name] = (
            pick(rng, _BROKEN_JSON).encode("utf-8", "surrogatepass").replace(b"\0", b"?").decode("latin-1")
        )
    elif kind == 5:
        del file.attrs[name]
    elif kind == 6:
        new = str(pick(rng, (*_TEXTS, "software", "interventions", "reading_rule", "token_names", "window"))).replace(
            "\0", ""
        )
        file.attrs[new or "x"] = _storable(any_value(rng))
    else:
        file.attrs[name] = _storable(any_value(rng) if rng.random() < 0.7 else _odd(rng))


def _odd(rng: Rng) -> Any:
    """Return a value of a type that attributes should not have."""
    return pick(rng, (
        np.zeros(3), np.array([b"a", b"b"]), h5py.Empty("f8"), np.bytes_(b"fixed"), np.complex64(1j), np.float16(1),
        np.array([[1]]), np.uint64(2**64 - 1), np.array([], "i4"), np.array((1, 2.0), [("a", "i4"), ("b", "f4")]),
    ))  # fmt: skip


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode()
    if isinstance(value, int) and not isinstance(value, bool) and not -(2**63) <= value < 2**63:
        return float(value)
    return json.dumps(value) if value is None or isinstance(value, list | dict) else value


def change_values(file: h5py.File, rng: Rng) -> None:
    """Change numbers of one dataset, and let its checksums fit them."""
    paths = [path for path in json.loads(file.attrs["contents"]) if path in file]
    path = str(pick(rng, paths))
    dataset = file[path]
    rows = dataset[:]
    if rows.dtype.kind == "S":
        rows[int(rng.integers(len(rows)))] = str(pick(rng, _TEXTS)).encode("utf-8", "replace")[: rows.dtype.itemsize]
    else:
        flat = rows.reshape(-1).view(np.uint8)
        first = int(rng.integers(len(flat)))
        n = int(rng.integers(1, 9)) * rows.dtype.itemsize
        flat[first : first + n] = pick(rng, (0, 255, int(rng.integers(256))))
    dataset[:] = rows
    seal_values(file, path)


def seal_values(file: h5py.File, path: str) -> None:
    """Let the checksums of a dataset fit its values, if it has the form of one of a recording."""
    sums = file.get(layout.checksum_path(path))
    if sums is None or not isinstance(file.get(path), h5py.Dataset):
        return
    rows = file[path][:]
    if len(sums) == 1:
        sums[0] = checksum(rows)
        return
    borders = [*range(0, len(rows), int(file.attrs["block_chars"])), len(rows)]
    if len(borders) == len(sums) + 1:
        sums[:] = [checksum(rows[a:b]) for a, b in itertools.pairwise(borders)]


def change_structure(file: h5py.File, rng: Rng) -> None:
    """Remove, move, replace or add groups, datasets and links."""
    names: list[str] = []
    file.visit(names.append)
    name, other = str(pick(rng, names)), str(pick(rng, names))
    pick(rng, _STRUCTURE)(file, name, other, rng)


def _remove(file: h5py.File, name: str, other: str, rng: Rng) -> None:
    del file[name]


def _move(file: h5py.File, name: str, other: str, rng: Rng) -> None:
    new = f"{other}{pick(rng, ('x', '/x', '//', '/.', '/ '))}"
    if new.strip("/") not in file:
        file.move(name, new)


def _link(file: h5py.File, name: str, other: str, rng: Rng) -> None:
    link = pick(rng, (
        h5py.SoftLink(f"/{other}"), h5py.SoftLink("/nowhere"), h5py.SoftLink(f"/{name}"), file[other],
        h5py.ExternalLink("other.h5", "/x"), h5py.ExternalLink("/dev/zero", "/x"),
    ))  # fmt: skip
    if not isinstance(link, h5py.SoftLink | h5py.ExternalLink) and other.startswith(name):
        return
    del file[name]
    file[name] = link


def _replace(file: h5py.File, name: str, other: str, rng: Rng) -> None:
    data = file[name]
    rows = data[:] if isinstance(data, h5py.Dataset) else np.arange(5)
    kind = int(rng.integers(10))
    del file[name]
    numbers = np.arange(len(rows))
    if kind == 0:
        file[name] = rows[: len(rows) // 2]
    elif kind == 1:
        file[name] = np.concatenate([rows, rows])
    elif kind == 2:
        file[name] = numbers.astype(pick(rng, ("f8", ">f4", "i1", "c8", "?", "<u2", "<f2", "<u8")))
    elif kind == 3:
        file.create_dataset(name, data=rows, chunks=True, compression="gzip")
    elif kind == 4:
        file.create_dataset(name, (10**12,), "<u4", chunks=(10**6,), compression="gzip")
    elif kind == 5:
        file[name] = h5py.Empty("f4")
    elif kind == 6:
        file.create_dataset(name, (len(rows),), "<f4", external=[("/etc/passwd", 0, 4 * len(rows))])
    elif kind == 7:
        layout_ = h5py.VirtualLayout((len(rows),), "<f4")
        layout_[:] = h5py.VirtualSource("/dev/zero", "x", (len(rows),))
        file.create_virtual_dataset(name, layout_)
    elif kind == 8:
        file[name] = np.zeros(len(rows), [("a", "<i4"), ("b", "<f4", (2, 2))])
    else:
        file[name] = rows.reshape(pick(rng, ((-1,), (1, -1), (-1, 1, 1))))


_NEW_PATHS = (
    "prediction/log_prob", "prediction/top_ids", "layers/1/hidden", "layers/0/cell", "rows/start", "rows/end",
    "elsewhere", "lanes/0/hidden/range", "layers/0/hidden/x", "checksums/checksums/text",
)  # fmt: skip


def _add(file: h5py.File, name: str, other: str, rng: Rng) -> None:
    new = pick(rng, _NEW_PATHS)
    if new not in file and not isinstance(file.get(new.rpartition("/")[0] or "/"), h5py.Dataset):
        n = len(file["text"]) if "text" in file and isinstance(file["text"], h5py.Dataset) else 3
        values = np.arange(2 * n).reshape(n, 2)
        file[new] = values[:, 0].astype("<i8") if "rows" in new else values.astype(pick(rng, ("<f2", "<f4", "<u4")))
        sums = f"checksums/{new}"
        if sums not in file:
            file[sums] = np.array([checksum(file[new][:])], "<u8")


_STRUCTURE: tuple[Callable[[h5py.File, str, str, Rng], None], ...] = (_remove, _move, _link, _replace, _replace, _add)


def seal(file: h5py.File, *, contents: bool) -> None:
    """Let the attributes fit their checksum, and, if wanted, `contents` what is in the file."""
    if contents:
        file.attrs["contents"] = json.dumps(layout.contents(file))
    try:
        file.attrs["attributes_checksum"] = attributes_checksum(file.attrs)
    except (TypeError, ValueError):
        return  # attributes of types that no JSON has


def damaged(content: bytes, rng: Rng) -> bytes:
    """Damage bytes once, or up to four times."""
    for _ in range(int(rng.integers(1, 5)) if rng.random() < 0.3 else 1):
        content = mutant(content, rng) if content else content
    return content
