"""Tiles: a text view as the bytes that the page, the widget and a server hand to the module that draws it.

A container is little-endian: `uint32` length of the header, the header as JSON in UTF-8, zeros up to a multiple of 8,
and the parts. The header's `parts` says where each part begins, counted from the first part, and how many bytes it has.
"""

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from activations.texts.corpus import Corpus
from probe.viewer.cells import TILE_CHARS, UNPRINTABLE, cells_of, sign_of
from probe.viewer.colours import INK, PAPER, Theme, colours, ink_on
from probe.viewer.scales import MISSING, Scale
from probe.viewer.text_view import DocumentStart, TextView, TrackKind

FORMAT, VERSION = "char-probe text view", 1
_ALIGNMENT = 8  # so that typed arrays can look at a part where it lies
_NEWLINE = 10
_CONTEXT_CHARS = 1 << 16  # around a tile in which a line begins or ends, so that its cells do not depend on the rest
_SEARCHED_CHARS = 1 << 20  # whose distinct characters are looked for at one time


def container_of(view: TextView) -> bytes:
    """Return a text view as a container: its header, and tiles of `TILE_CHARS` characters.

    The parts of a tile are `text` (uint32 code points), `cells` (uint8, see `cells.cells_of`), one of `tracks` (uint8
    levels), `guess_ids` (uint16, five for each character) and `guess_levels` (uint8, the same, in steps of 1 / 255).
    """
    codes = np.frombuffer(view.text.encode("utf-32-le", "surrogatepass"), "<u4")
    parts = _Parts()
    places: dict[str, Any] = {
        "text": parts.add_tiles(codes),
        "cells": parts.add_tiles(view.cells),
        "tracks": [parts.add_tiles(track.levels) for track in view.tracks],
        "guess_ids": parts.add_tiles(view.guesses.ids.astype("<u2")) if view.guesses else [],
        "guess_levels": parts.add_tiles(view.guesses.levels) if view.guesses else [],
    }
    header = json.dumps(_header(view, codes) | {"parts": places}, separators=(",", ":")).encode()
    start = struct.pack("<I", len(header)) + header
    return start + bytes(-len(start) % _ALIGNMENT) + b"".join(parts.pieces)


def header_of_corpus(corpus: Corpus, title: str, guessed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the header of a container for a whole text, without `parts`, `tracks` and `panels`.

    It takes little time and memory however long the text is. `signs` has those of all unprintable characters, also of
    those that a cluster makes visible.

    Args:
        corpus: The text.
        title: A heading.
        guessed: The characters that the model may guess, which the tiles of guesses count; empty without guesses.
    """
    codes = {*_distinct(corpus.codes), *(ord(char) for char in guessed if len(char) == 1)}
    documents = [DocumentStart(name=document.name, position=document.start) for document in corpus.documents]
    return {
        **_text_header(
            title=title,
            start=0,
            n_chars=len(corpus),
            documents=documents,
            tile_places=_tile_places(corpus.codes, documents),
            signs=_signs_of(code for code in sorted(codes) if not chr(code).isprintable()),
        ),
        "guesses": {"characters": guessed} if guessed else None,
        "notes": [],
        "colours": _colours(),
    }


def text_tile(corpus: Corpus, number: int) -> bytes:
    """Return the part `text` of a tile of a whole text, for 0 ≤ number < `n_tiles(len(corpus))`."""
    return corpus.codes[number * TILE_CHARS : (number + 1) * TILE_CHARS].astype("<u4").tobytes()


def cells_tile(corpus: Corpus, number: int) -> bytes:
    """Return the part `cells` of a tile of a whole text.

    It is the same as in a container of the whole text, except in lines of more than 65,536 characters, of which only so
    many around the tile are looked at: that changes cells only if a cluster of characters reaches beyond them.
    """
    start, stop = number * TILE_CHARS, min((number + 1) * TILE_CHARS, len(corpus))
    before, after = max(start - _CONTEXT_CHARS, 0), min(stop + _CONTEXT_CHARS, len(corpus))
    line_starts = np.flatnonzero(corpus.codes[before:start] == _NEWLINE) + before + 1
    line_ends = np.flatnonzero(corpus.codes[stop:after] == _NEWLINE) + stop + 1
    first = int(line_starts[-1]) if len(line_starts) else before
    last = int(line_ends[0]) if len(line_ends) else after
    return cells_of(corpus.text(first, last))[start - first : stop - first].tobytes()


def n_tiles(n_chars: int) -> int:
    """Return how many tiles a text has."""
    return len(_tile_starts(n_chars))


class _Parts:
    """Parts that have been added, one after the other."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self._n_bytes = 0

    def add_tiles(self, values: NDArray[Any]) -> list[tuple[int, int]]:
        """Add a part for each tile of values, (n_chars, …); return the offset and the number of bytes of each."""
        return [self._add(values[start : start + TILE_CHARS].tobytes()) for start in _tile_starts(len(values))]

    def _add(self, piece: bytes) -> tuple[int, int]:
        offset = self._n_bytes
        padded = piece + bytes(-len(piece) % _ALIGNMENT)
        self.pieces.append(padded)
        self._n_bytes += len(padded)
        return offset, len(piece)


def _tile_starts(n_chars: int) -> range:
    return range(0, n_chars, TILE_CHARS)


def _header(view: TextView, codes: NDArray[np.uint32]) -> dict[str, Any]:
    numbers = {id(track): number for number, track in enumerate(view.tracks)}
    return {
        **_text_header(
            title=view.title,
            start=view.start,
            n_chars=len(view.text),
            documents=view.documents,
            tile_places=_tile_places(codes, view.documents),
            signs=_signs(view, codes),
        ),
        "tracks": [
            track_header(
                name=track.name,
                kind=track.kind,
                quantity=track.quantity,
                has_missing=bool((track.levels == MISSING).any()),
                scale=track.scale,
            )
            for track in view.tracks
        ],
        "panels": [
            {"title": panel.title, "tracks": [numbers[id(track)] for track in panel.tracks]} for panel in view.panels
        ],
        "guesses": {"characters": view.guesses.characters} if view.guesses else None,
        "notes": view.notes,
        "colours": _colours(),
    }


def _text_header(
    *,
    title: str,
    start: int,
    n_chars: int,
    documents: Sequence[DocumentStart],
    tile_places: list[tuple[int, int]],
    signs: dict[int, str],
) -> dict[str, Any]:
    """Return the part of the header that is about the text."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "title": title,
        "start": start,
        "n_chars": n_chars,
        "tile_chars": TILE_CHARS,
        "documents": [
            {"name": begin.name, "position": begin.position, "line": begin.line, "column": begin.column}
            for begin in documents
        ],
        "tile_places": tile_places,
        "signs": signs,
    }


def track_header(*, name: str, kind: TrackKind, quantity: str, has_missing: bool, scale: Scale) -> dict[str, Any]:
    """Return what the header says of a track; see `Track`."""
    return {
        "name": name,
        "kind": kind,
        "quantity": quantity,
        "has_missing": has_missing,
        "scale": asdict(scale) | {"pivot": scale.pivot},
    }


def _tile_places(codes: NDArray[np.unsignedinteger], documents: Sequence[DocumentStart]) -> list[tuple[int, int]]:
    """Return line and column, in its document, of the first character of each tile."""
    starts = list(documents) or [DocumentStart(name="", position=0)]
    positions = np.array([start.position for start in starts])
    newlines = np.flatnonzero(codes == _NEWLINE)
    places = []
    for position in _tile_starts(len(codes)):
        document = starts[int(np.searchsorted(positions, position, side="right")) - 1]
        first, last = np.searchsorted(newlines, [document.position, position]).tolist()
        if first < last:
            places.append((document.line + last - first, position - int(newlines[last - 1])))
        else:
            places.append((document.line, document.column + position - document.position))
    return places


def _signs(view: TextView, codes: NDArray[np.uint32]) -> dict[int, str]:
    """Return the sign of each unprintable code point that occurs in the text or in the guesses."""
    unprintable = set(np.unique(codes[(view.cells & UNPRINTABLE) > 0]).tolist())
    guessed = view.guesses.characters if view.guesses else ()
    unprintable |= {ord(char) for char in guessed if len(char) == 1 and not char.isprintable()}
    return _signs_of(unprintable)


def _signs_of(codes: Iterable[int]) -> dict[int, str]:
    return {code: sign_of(chr(code)) for code in sorted(codes)}


def _distinct(codes: NDArray[np.unsignedinteger]) -> set[int]:
    """Return the code points that occur in a text."""
    distinct: set[int] = set()
    for start in range(0, len(codes), _SEARCHED_CHARS):
        distinct.update(np.unique(codes[start : start + _SEARCHED_CHARS]).tolist())
    return distinct


def _colours() -> dict[str, Any]:
    return {"light": _theme("light"), "dark": _theme("dark")}


@cache
def _theme(theme: Theme) -> dict[str, Any]:
    """Return the colours of a theme: red, green and blue of each, and whether its ink is white (1) or black (0)."""
    tables: dict[str, Any] = {"paper": PAPER[theme], "ink": INK[theme]}
    for kind in ("diverging", "sequential", "probability", "binary", "classes"):
        table = colours(kind, theme)
        inks = np.array([ink_on(colour) == "#ffffff" for colour in table], np.uint8)
        tables[kind] = {"colours": _base64(table), "inks": _base64(inks)}
    return tables


def _base64(values: NDArray[np.uint8]) -> str:
    return base64.b64encode(values.tobytes()).decode()
