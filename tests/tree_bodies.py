"""Conditions of `if` and bodies of functions in syntax trees, as spans in which a causal label is True."""

import re
from collections.abc import Iterator

from tree_text import Node, Source

_PARENTHESISED = {"c", "c++", "java", "javascript", "typescript"}
_BODIES = {
    "c": {"function_definition"},
    "c++": {"function_definition", "lambda_expression"},
    "javascript": {
        "function_declaration", "function_expression", "generator_function", "generator_function_declaration",
        "arrow_function", "method_definition",
    },
    "rust": {"function_item", "closure_expression"},
    "go": {"function_declaration", "method_declaration", "func_literal"},
    "java": {
        "method_declaration", "constructor_declaration", "compact_constructor_declaration", "lambda_expression",
    },
    "shell": {"function_definition"},
}  # fmt: skip
_BODIES["typescript"] = _BODIES["javascript"]
_BLOCKS = {"compound_statement", "statement_block", "block", "constructor_body", "subshell", "try_statement"}
_BLANKS_AND_COMMENT = {
    "ruby": re.compile(r"[ \t\r]*(?:#[^\n]*)?"),
    "python": re.compile(r"(?:\s|#[^\n]*|\\\n)*"),
    "haskell": re.compile(r"(?:\s|--+(?![!#$%&*+./<=>?@\\^|~:])[^\n]*|\{-(?!#)(?:[^-]|-(?!\}))*-\}|(?<=\n)#[^\n]*)*"),
}


def conditions(node: Node, language: str, source: Source) -> Iterator[tuple[int, int]]:
    """Yield the spans of the conditions that belong to a node."""
    if language in _PARENTHESISED:
        condition = node.child_by_field_name("condition") if node.type == "if_statement" else None
        if condition is not None:
            start, stop = source.span(condition)
            yield start, stop - 1
    elif language in ("go", "rust"):
        if node.type in ("if_statement", "if_expression"):
            consequence = node.child_by_field_name("consequence")
            if consequence is not None:
                yield source.span(node.children[0])[1], source.span(consequence)[0]
        elif node.type == "match_pattern" and node.child_by_field_name("condition") is not None:
            guard = next(child for child in node.children if child.type == "if")
            arrow = node.next_sibling
            if arrow is not None:
                yield source.span(guard)[1], source.span(arrow)[1] - 1
    elif language == "python":
        if node.type in ("if_statement", "elif_clause"):
            colon = next((child for child in node.children if child.type == ":"), None)
            if colon is not None:
                yield source.span(node.children[0])[1], source.span(colon)[0]
    elif language == "ruby":
        yield from _ruby_conditions(node, source)
    else:
        yield from _conditions_until_then(node, language, source)


def _conditions_until_then(node: Node, language: str, source: Source) -> Iterator[tuple[int, int]]:
    """Of `if … then`, to the last letter of `then`."""
    if language == "sql":
        if node.type != "case" or node.children[1].type != "keyword_when":
            return
        begins, then = "keyword_when", "keyword_then"
    elif node.type in ("if_statement", "elif_clause", "conditional"):
        begins, then = node.children[0].type, "then"
    else:
        return
    start = -1
    for child in node.children:
        if child.type == begins and start < 0:
            start = source.span(child)[1]
        elif child.type == then and start >= 0:
            yield start, source.span(child)[1] - 1
            start = -1


def _ruby_conditions(node: Node, source: Source) -> Iterator[tuple[int, int]]:
    """To the end of the line, or to the last letter of `then`; comments in that line count."""
    condition = node.child_by_field_name("condition")
    if condition is None or node.type not in (
        "if", "unless", "elsif", "if_modifier", "unless_modifier", "if_guard", "unless_guard",
    ):  # fmt: skip
        return
    keyword = next(child for child in node.children if child.type in ("if", "unless", "elsif"))
    stop = source.span(condition)[1]
    blanks = _BLANKS_AND_COMMENT["ruby"].match(source.text, stop)
    stop = blanks.end() if blanks else stop
    if re.compile(r"then\b").match(source.text, stop):
        stop += 3
    yield source.span(keyword)[1], stop


def is_misread(node: Node, language: str) -> bool:
    """Return whether what the grammar takes for a function has no parameters: a macro hides what it is."""
    if language not in ("c", "c++") or node.type != "function_definition":
        return False
    declarator = node.child_by_field_name("declarator")
    while declarator is not None and declarator.type != "function_declarator":
        inner = declarator.child_by_field_name("declarator")
        declarator = inner or next((c for c in declarator.children if c.type.endswith("_declarator")), None)
    return declarator is None and node.child_by_field_name("body") is not None


def bodies(node: Node, language: str, source: Source) -> Iterator[tuple[int, int]]:
    """Yield the span of the body of a function, if the node is one."""
    if language in _BODIES:
        if node.type not in _BODIES[language] or is_misread(node, language):
            return
        body = node.child_by_field_name("body")
        if body is not None and body.type in _BLOCKS:
            start, stop = source.span(body)
            yield source.text.index("{" if body.type != "subshell" else "(", start), stop - 1
    elif language == "python" and node.type == "function_definition":
        colon = next((child for child in node.children if child.type == ":"), None)
        if colon is not None:
            yield source.span(colon)[0], end_of_blanks(source, source.span(node)[1], language)
    elif language == "ruby" and node.type in ("method", "singleton_method"):
        yield from _ruby_body(node, source)
    elif language == "haskell" and node.type in ("function", "bind") and _is_definition(node):
        match = node.child_by_field_name("match") or next((c for c in node.children if c.type == "match"), None)
        if match is not None:
            yield source.span(match)[0], end_of_blanks(source, source.span(node)[1], language)
    elif language == "sql" and node.type in ("function_body", "procedure_body"):
        yield from _sql_body(node, source)


def end_of_blanks(source: Source, place: int, language: str) -> int:
    """Return where the next code begins: only that tells that a body has ended."""
    blanks = _BLANKS_AND_COMMENT[language].match(source.text, place) if language in _BLANKS_AND_COMMENT else None
    return blanks.end() if blanks else place


def _ruby_body(node: Node, source: Source) -> Iterator[tuple[int, int]]:
    header = node.child_by_field_name("parameters") or node.child_by_field_name("name")
    if header is None:
        return
    start, stop = source.span(header)[1], source.span(node)[1]
    blanks = _BLANKS_AND_COMMENT["ruby"].match(source.text, start)
    start = blanks.end() if blanks else start
    is_endless = source.text.startswith("=", start)
    if is_endless:
        blanks = _BLANKS_AND_COMMENT["ruby"].match(source.text, stop)
        stop = blanks.end() if blanks else stop
    yield start, stop if is_endless else stop - 1


def _is_definition(node: Node) -> bool:
    """Return whether an equation is at the outermost level, or a method of a class or an instance."""
    parent = node.parent
    return parent is not None and parent.type in ("declarations", "class_declarations", "instance_declarations")


def _sql_body(node: Node, source: Source) -> Iterator[tuple[int, int]]:
    dollars = [child for child in node.children if child.type == "dollar_quote"]
    begin = next((child for child in node.children if child.type == "keyword_begin"), None)
    end = next((child for child in reversed(node.children) if child.type == "keyword_end"), None)
    if len(dollars) > 1:
        yield source.span(dollars[0])[1] - 1, source.span(dollars[-1])[1] - 1
    elif begin is not None and end is not None:
        yield source.span(begin)[1], source.span(end)[1] - 1
