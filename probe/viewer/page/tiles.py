"""Tiles: a text view as the bytes that the page, the widget and a server hand to the module that draws it.

A container is little-endian: `uint32` length of the header, the header as JSON in UTF-8, zeros up to a multiple of 8,
and the parts. The header's `parts` says where each part begins, counted from the first part, and how many bytes it has.
"""

import base64
import json
import struct
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from probe.viewer.cells import TILE_CHARS, UNPRINTABLE, sign_of
from probe.viewer.colours import INK, PAPER, Theme, colours, ink_on
from probe.viewer.scales import MISSING, Scale
from probe.viewer.text_view import DocumentStart, TextView, Track

FORMAT, VERSION = "char-probe text view", 1
_ALIGNMENT = 8  # so that typed arrays can look at a part where it lies
_NEWLINE = 10


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
        "format": FORMAT,
        "version": VERSION,
        "title": view.title,
        "start": view.start,
        "n_chars": len(view.text),
        "tile_chars": TILE_CHARS,
        "documents": [asdict(document) for document in view.documents],
        "tile_places": list(_tile_places(codes, view.documents)),
        "signs": _signs(view, codes),
        "tracks": [_track_header(track) for track in view.tracks],
        "panels": [
            {"title": panel.title, "tracks": [numbers[id(track)] for track in panel.tracks]} for panel in view.panels
        ],
        "guesses": {"characters": view.guesses.characters} if view.guesses else None,
        "notes": view.notes,
        "colours": {"light": _theme("light"), "dark": _theme("dark")},
    }


def _track_header(track: Track) -> dict[str, Any]:
    return {
        "name": track.name,
        "kind": track.kind,
        "quantity": track.quantity,
        "has_missing": bool((track.levels == MISSING).any()),
        "scale": _scale_header(track.scale),
    }


def _scale_header(scale: Scale) -> dict[str, Any]:
    return asdict(scale) | {"pivot": scale.pivot}


def _tile_places(codes: NDArray[np.uint32], documents: tuple[DocumentStart, ...]) -> Iterator[tuple[int, int]]:
    """Yield line and column, in its document, of the first character of each tile."""
    newlines = np.flatnonzero(codes == _NEWLINE)
    starts = documents or (DocumentStart(name="", position=0),)
    for position in _tile_starts(len(codes)):
        document = max((start for start in starts if start.position <= position), key=lambda start: start.position)
        before = newlines[(newlines >= document.position) & (newlines < position)]
        if len(before):
            yield document.line + len(before), position - int(before[-1])
        else:
            yield document.line, document.column + position - document.position


def _signs(view: TextView, codes: NDArray[np.uint32]) -> dict[int, str]:
    """Return the sign of each unprintable code point that occurs in the text or in the guesses."""
    unprintable = set(np.unique(codes[(view.cells & UNPRINTABLE) > 0]).tolist())
    guessed = view.guesses.characters if view.guesses else ()
    unprintable |= {ord(char) for char in guessed if len(char) == 1 and not char.isprintable()}
    return {code: sign_of(chr(code)) for code in sorted(unprintable)}


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
