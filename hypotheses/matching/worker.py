"""Find the matches of a pattern; run as a program, for a request on standard input, with limits on memory.

The program loads nothing but the library `regex` and modules of Python's own, so that it starts quickly.
"""

import json
import sys
import time
from array import array
from collections.abc import Iterator
from typing import Any

APART, FIRST, OVERLAPPING, PREFIXES = "apart", "first", "overlapping", "prefixes"
"""How to look for matches: one after another; the first alone; all, from the end; or in the text up to each character.
"""

UNREADABLE = (RecursionError, OverflowError, ValueError)
"""What compiling a pattern raises, besides `regex.error`, if it cannot be read."""

_N_BETWEEN = 4096  # characters between two looks at the clock


def spans(compiled: Any, text: str, mode: str, limit_s: float, start: int = 0) -> Iterator[tuple[int, int]]:
    """Yield where each match starts and stops.

    Args:
        compiled: A pattern of the library `regex`; read backwards if the mode is `OVERLAPPING` or `PREFIXES`.
        text: The text.
        mode: How to look for matches.
        limit_s: Seconds of the processor's time after which to give up.
        start: Where the first match may start.

    Raises:
        TimeoutError: If it takes longer.
    """
    if mode == PREFIXES:
        yield from _last_of_prefixes(compiled, text, limit_s)
        return
    if mode == FIRST:
        if match := compiled.search(text, start, timeout=limit_s):
            yield match.span()
        return
    for match in compiled.finditer(text, overlapped=mode == OVERLAPPING, timeout=limit_s):
        yield match.span()


def _last_of_prefixes(backwards: Any, text: str, limit_s: float) -> Iterator[tuple[int, int]]:
    """Yield the span of each match that ends where the text up to some character ends."""
    deadline = time.process_time() + limit_s
    for begin in range(0, len(text), _N_BETWEEN):
        left = deadline - time.process_time()
        if left <= 0:
            raise TimeoutError
        for end in range(begin, min(begin + _N_BETWEEN, len(text))):
            if match := backwards.match(text, 0, end + 1, timeout=left):
                yield match.span()


def collected(found: Iterator[tuple[int, int]]) -> "array[int]":
    """Return spans as 64-bit integers one after another, which take less memory than Python's own."""
    numbers = array("q")
    for span in found:
        numbers.extend(span)
    return numbers


def serve() -> None:
    """Answer the request on standard input: a line of JSON with what was found, and the spans as 64-bit integers."""
    request = json.loads(sys.stdin.buffer.readline())
    sys.path += request["folders"]
    import regex

    _limit_memory(request["n_bytes"])
    answer: dict[str, bool | str] = {}
    try:
        text = sys.stdin.buffer.read().decode("utf-8", "surrogatepass")
        compiled = regex.compile(request["pattern"], request["flags"])
        answer["matches_nothing"] = compiled.fullmatch("") is not None
        found = spans(compiled, text, request["mode"], request["limit_s"], request["start"])
        content = collected(found).tobytes()
    except MemoryError:
        answer, content = {"is_too_large": True}, b""
    except TimeoutError:
        answer, content = {"is_too_slow": True}, b""
    except (*UNREADABLE, regex.error) as error:
        answer, content = {"unreadable": str(error)}, b""
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + content)


def _limit_memory(n_bytes: int) -> None:
    import resource

    for kind, limit in ((resource.RLIMIT_AS, n_bytes), (resource.RLIMIT_CORE, 0)):
        hard = resource.getrlimit(kind)[1]
        if hard == resource.RLIM_INFINITY or limit < hard:
            resource.setrlimit(kind, (limit, hard))


if __name__ == "__main__":
    serve()
