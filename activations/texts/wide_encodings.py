"""Telling UTF-16 and UTF-32, with and without a byte-order mark, from encodings of a byte for each letter."""

import codecs

_BYTE_ORDER_MARKS = (  # the longer first: one begins with another
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WITHOUT_MARK = (("utf-32-le", 4), ("utf-32-be", 4), ("utf-16-le", 2), ("utf-16-be", 2))
_COMMON_BEYOND_ASCII = frozenset("\u3000\u3001\u3002\uff0c")  # the spaces and stops of Chinese and Japanese
_LEAST_COMMON, _LEAST_PRINTABLE, _MOST_MISPLACED = 0.1, 0.99, 0.1


def wide_encoding(start: bytes) -> str | None:
    """Return the encoding of a text by its first bytes, if it is UTF-16 or UTF-32; else None.

    Without a mark, this is told by the zero bytes that ASCII characters have there: in one half of the bytes, or in
    three quarters of them.

    >>> wide_encoding("Once".encode("utf-16-le"))
    'utf-16-le'
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return encoding
    if b"\0" not in start:
        return None
    return next((encoding for encoding, width in _WITHOUT_MARK if _fits(start, encoding, width)), None)


def _fits(start: bytes, encoding: str, width: int) -> bool:
    """Tell whether bytes are mostly printable in an encoding, with ASCII characters or common signs among them."""
    start = start[: len(start) // width * width]
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(start)  # a character may be cut at the end
    except UnicodeDecodeError:
        return False
    if not text:
        return False
    n_common = sum(char < "\x80" or char in _COMMON_BEYOND_ASCII for char in text)
    n_printable = sum(char.isprintable() or char.isspace() for char in text)
    low = start[0::width] if encoding.endswith("le") else start[width - 1 :: width]  # 0 in few characters
    is_placed = low.count(0) <= _MOST_MISPLACED * start.count(0)
    return n_common >= _LEAST_COMMON * len(text) and n_printable >= _LEAST_PRINTABLE * len(text) and is_placed
