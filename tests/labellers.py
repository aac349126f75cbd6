"""Independent labellers of programs: Python's own tokenizer and parser, and tree-sitter's C grammar.

They tell spans [start, end) of characters. A causal label begins when the opener has been read and ends with the
closing mark: `mark` maps a span to [start + length of opener - 1, end - 1), or to the end where a newline closes.
"""

import ast
import io
import json
import keyword
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tree_sitter
import tree_sitter_c
from numpy.typing import NDArray

_STRING_OPENER = re.compile(r"[A-Za-z0-9]*(\"\"\"|'''|\"|')")
_LOGICAL_LINE = re.compile(r"(?:\\\n|[^\n])*")
_FSTRING = re.compile(r"[rR]?[fFtT]")
_FSTRING_STARTS, _FSTRING_ENDS = (  # since Python 3.12, and for t-strings 3.14
    {getattr(tokenize, f"{letter}STRING_{end}") for letter in "FT" if hasattr(tokenize, f"{letter}STRING_{end}")}
    for end in ("START", "END")
)
_C_OPENER = re.compile(r"[^\"']*[\"']")


def files_of(corpus: Path) -> Iterator[tuple[str, str]]:
    """The names and texts of the files that a corpus was put together from."""
    raw = corpus.read_bytes()
    manifest = json.loads(corpus.with_name(f"{corpus.name}.manifest.json").read_text(encoding="utf-8"))
    for each in manifest:
        yield each["path"], raw[each["start"] : each["end"]].decode()


def _mark(labels: NDArray[np.bool_], start: int, stop: int, n_opener: int, *, closed: bool) -> None:
    labels[start + n_opener - 1 : stop - int(closed)] = True


def python_labels(text: str) -> dict[str, NDArray[np.bool_]]:
    """Comments, strings and docstrings as Python's tokenizer and parser see them."""
    comments, strings, docstrings = (np.zeros(len(text), bool) for _ in range(3))
    starts = np.concatenate([[0], np.flatnonzero(np.array(list(text)) == "\n") + 1])
    begun = []  # where the f-strings that are open began, in Pythons that take them apart
    openers = {}
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        start = int(starts[token.start[0] - 1]) + token.start[1]
        stop = int(starts[token.end[0] - 1]) + token.end[1]
        if token.type == tokenize.COMMENT:
            _mark(comments, start, stop, 1, closed=False)
        elif token.type == tokenize.STRING:
            opener = _STRING_OPENER.match(token.string)
            openers[token.start] = start, stop, len(opener[0]) if opener else 1
            _mark(strings, *openers[token.start], closed=True)
        elif token.type in _FSTRING_STARTS:
            begun.append((start, len(token.string)))
        elif token.type in _FSTRING_ENDS:
            start, n_opener = begun.pop()
            _mark(strings, start, stop, n_opener, closed=True)
    for line, column in _docstring_places(text):
        if (line, column) in openers:
            _mark(docstrings, *openers[line, column], closed=True)
    return {"in_comment": comments, "in_string": strings & ~comments, "in_docstring": docstrings}


def _docstring_places(text: str) -> Iterator[tuple[int, int]]:
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                prefix = lines[first.value.lineno - 1].encode()[: first.value.col_offset].decode()
                yield first.value.lineno, len(prefix)


def c_labels(text: str) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.bool_]]:
    """Comments and strings as tree-sitter's grammar for C sees them, and the characters that it could make sense of.

    It leaves the replacements of macros unread; they are read by themselves.
    """
    labels = {name: np.zeros(len(text), bool) for name in ("in_comment", "in_string")}
    sound = np.ones(len(text), bool)
    _read_c(text, 0, labels, sound, is_macro=False)
    return labels, sound


def _read_c(
    text: str, offset: int, labels: dict[str, NDArray[np.bool_]], sound: NDArray[np.bool_], *, is_macro: bool
) -> None:
    raw = text.encode()
    places = offset + np.cumsum(np.frombuffer(raw, np.uint8) & 0xC0 != 0x80) - 1  # of each byte, in characters
    places = np.append(places, offset + len(text))
    tree = tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language())).parse(raw)
    waiting = [tree.root_node]
    while waiting:
        node = waiting.pop()
        start, stop = int(places[node.start_byte]), int(places[node.end_byte])
        spelled = raw[node.start_byte : node.end_byte].decode()
        if node.type == "comment":
            _mark(labels["in_comment"], start, stop, 2, closed=spelled.startswith("/*"))
        elif node.type in ("string_literal", "char_literal"):
            opener = _C_OPENER.match(spelled)
            _mark(labels["in_string"], start, stop, len(opener[0]) if opener else 1, closed=True)
        elif node.type == "preproc_arg" and not is_macro:
            _read_c(spelled, start, labels, sound, is_macro=True)
        elif node.type == "ERROR" and not is_macro:
            sound[start:stop] = False
        else:
            waiting += node.children


def python_structure(text: str) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.bool_]]:
    """Conditions of ifs, bodies of functions, keywords and names, as Python's own parser and tokenizer see them.

    And the characters that these could make sense of: before Python 3.12, they do not look into f-strings.
    """
    labels = {
        name: np.zeros(len(text), bool)
        for name in ("in_if_condition", "in_function_body", "in_keyword", "in_identifier")
    }
    lines = text.split("\n")
    starts = np.concatenate([[0], np.cumsum([len(line) + 1 for line in lines])])
    code, sound = np.zeros(len(text), bool), np.ones(len(text), bool)
    last = ""
    for token in tokenize.generate_tokens(io.StringIO(text, newline="").readline):
        start, stop = int(starts[token.start[0] - 1]) + token.start[1], int(starts[token.end[0] - 1]) + token.end[1]
        if token.type in (tokenize.NAME, tokenize.NUMBER, tokenize.OP):
            code[start:stop] = True
        if token.type == tokenize.NAME and last != "!":  # the r of !r names nothing
            labels["in_keyword" if keyword.iskeyword(token.string) else "in_identifier"][start:stop] = True
        elif token.type == tokenize.STRING and _FSTRING.match(token.string):
            sound[start:stop] = False
        last = token.string

    def place(line: int, column: int) -> int:
        return int(starts[line - 1]) + len(lines[line - 1].encode()[:column].decode())

    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.If):
            start = text.rindex("if", 0, place(node.test.lineno, node.test.col_offset))
            stop = place(node.test.end_lineno or 0, node.test.end_col_offset or 0)
            stop += next(n for n, char in enumerate(text[stop:]) if char == ":" and code[stop + n])
            labels["in_if_condition"][start + 2 : stop] = True
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            start = place(node.body[0].lineno, node.body[0].col_offset)
            start -= next(n for n, char in enumerate(text[start::-1]) if char == ":" and code[start - n])
            stop = place(node.end_lineno or 0, node.end_col_offset or 0)
            while stop < len(text) and not code[stop]:  # the next statement tells that it has ended
                stop += 1
            labels["in_function_body"][start:stop] = True
    return labels, sound


def c_structure(text: str) -> tuple[dict[str, NDArray[np.bool_]], NDArray[np.bool_]]:
    """Conditions of ifs and lines of the preprocessor as tree-sitter sees them, and what it could make sense of."""
    labels = {name: np.zeros(len(text), bool) for name in ("in_if_condition", "in_preprocessor")}
    _, sound = c_labels(text)
    raw = text.encode()
    places = np.append(np.cumsum(np.frombuffer(raw, np.uint8) & 0xC0 != 0x80) - 1, len(text))
    waiting = [tree_sitter.Parser(tree_sitter.Language(tree_sitter_c.language())).parse(raw).root_node]
    while waiting:
        node = waiting.pop()
        start = int(places[node.start_byte])
        condition = node.child_by_field_name("condition") if node.type == "if_statement" else None
        if condition is not None:
            labels["in_if_condition"][int(places[condition.start_byte]) : int(places[condition.end_byte]) - 1] = True
        elif node.type.startswith("#") or node.type == "preproc_directive":
            line = _LOGICAL_LINE.match(text, start)
            labels["in_preprocessor"][start : line.end() if line else start] = True
            if node.type == "#define":  # what macros stand for, it leaves unread
                sound[start : line.end() if line else start] = False
        waiting += node.children
    return labels, sound
