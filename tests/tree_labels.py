"""Labels of programs in twelve languages, as the grammars of tree-sitter (extra `languages`) see them.

A grammar tells spans [start, end) of characters. A label says what is true once its character has been read: it begins
with the last character of the opener and is False on the last character of the closer. Text that a grammar cannot
parse, below its ERROR nodes, is left out, and so is text that it does not look into, such as the replacements of
macros.
"""

import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import tree_sitter
from numpy.typing import NDArray
from tree_bodies import bodies, conditions, end_of_blanks, is_misread
from tree_text import Node, Source

NAMES = (
    "in_comment", "in_string", "in_docstring", "in_keyword", "in_number", "in_if_condition", "in_function_body",
)  # fmt: skip
"""The hypotheses for which there is a reference."""

_STRUCTURE = ("in_keyword", "in_number", "in_if_condition", "in_function_body")


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """What the nodes of a grammar are called.

    Attributes:
        module: The module that has the grammar.
        function: Its function that returns it.
        comments: Types of nodes that are comments.
        strings: Those that are strings.
        numbers: Those that are numbers.
        words: Those that are keywords, beside the nodes without a name that are words.
        no_words: Words without a name of their own that are no keywords.
        unread: Those of which the grammar tells comments and strings only.
        unlexed: Those that it does not look into.
        string_opener: Matches the opener of a string, at the beginning of its node.
        doc_comment: Matches a comment that is a doc comment, up to the end of its opener.
    """

    module: str
    function: str = "language"
    comments: tuple[str, ...] = ("comment",)
    strings: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    no_words: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unlexed: tuple[str, ...] = ()
    string_opener: str = r"[^\"'`]*[\"'`]"
    doc_comment: str = r"(?!)"


_LONE_MACRO = re.compile(r"(?<=\n)[ \t]*[A-Z][A-Z0-9_]{3,}(?=[ \t]*\n)(?<!\\\n)")
_JAVADOC = r"/\*\*(?![*/])"
_DOXYGEN = r"/\*[*!](?![*/])|//[/!](?!/)"
_C_STRING = r'[A-Za-z0-9]*R"[^(]*\(|[^"\']*["\']'
_JAVASCRIPT = Grammar(
    module="tree_sitter_javascript",
    comments=("comment", "html_comment"),
    strings=("string", "template_string"),
    numbers=("number",),
    words=("this", "super", "true", "false", "null"),
    doc_comment=_JAVADOC,
)
GRAMMARS = {
    "c": Grammar(
        module="tree_sitter_c",
        strings=("string_literal", "char_literal"),
        numbers=("number_literal",),
        words=("primitive_type",),
        unlexed=("preproc_arg",),
        string_opener=_C_STRING,
        doc_comment=_DOXYGEN,
    ),
    "c++": Grammar(
        module="tree_sitter_cpp",
        strings=("string_literal", "char_literal", "raw_string_literal"),
        numbers=("number_literal",),
        words=("primitive_type", "this", "true", "false", "auto"),
        unlexed=("preproc_arg",),
        string_opener=_C_STRING,
        doc_comment=_DOXYGEN,
    ),
    "python": Grammar(
        module="tree_sitter_python",
        strings=("string",),
        numbers=("integer", "float"),
        words=("true", "false", "none"),
        string_opener=r"[A-Za-z]*(\"\"\"|'''|\"|')",
    ),
    "javascript": _JAVASCRIPT,
    "typescript": Grammar(
        module="tree_sitter_typescript",
        function="language_typescript",
        comments=_JAVASCRIPT.comments,
        strings=(*_JAVASCRIPT.strings, "template_literal_type"),
        numbers=("number",),
        words=_JAVASCRIPT.words,
        doc_comment=_JAVADOC,
    ),
    "rust": Grammar(
        module="tree_sitter_rust",
        comments=("line_comment", "block_comment"),
        strings=("string_literal", "raw_string_literal", "char_literal"),
        numbers=("integer_literal", "float_literal"),
        words=("self", "super", "crate", "mutable_specifier", "boolean_literal"),
        unread=("token_tree", "macro_definition"),
        string_opener=r"b?c?r?#*[\"']",
        doc_comment=r"/\*[*!](?![*/])|//(/(?!/)|!)",
    ),
    "go": Grammar(
        module="tree_sitter_go",
        strings=("interpreted_string_literal", "raw_string_literal", "rune_literal"),
        numbers=("int_literal", "float_literal", "imaginary_literal"),
    ),
    "java": Grammar(
        module="tree_sitter_java",
        comments=("line_comment", "block_comment"),
        strings=("string_literal", "character_literal"),
        numbers=(
            "decimal_integer_literal", "hex_integer_literal", "octal_integer_literal", "binary_integer_literal",
            "decimal_floating_point_literal", "hex_floating_point_literal",
        ),
        words=("this", "super", "true", "false", "null_literal", "boolean_type", "void_type"),
        string_opener=r"\"\"\"|[\"']",
        doc_comment=_JAVADOC,
    ),
    "haskell": Grammar(
        module="tree_sitter_haskell",
        comments=("comment", "haddock"),
        strings=("string", "char", "quasiquote_body"),
        numbers=("integer", "float"),
        unlexed=("cpp",),
        doc_comment=r"(?:-- *|\{- *)[|^]",
    ),
    "shell": Grammar(
        module="tree_sitter_bash",
        strings=("string", "raw_string", "ansi_c_string", "heredoc_body"),
        numbers=(),
        string_opener=r"\$?[\"']|",
    ),
    "ruby": Grammar(
        module="tree_sitter_ruby",
        strings=("string", "heredoc_body", "string_array", "symbol_array", "character", "subshell", "delimited_symbol"),
        numbers=("integer", "float"),
        words=("self", "super", "true", "false", "nil"),
        string_opener=r"%[A-Za-z]?[^A-Za-z0-9]|:?[\"'`?]|",
    ),
    "sql": Grammar(
        module="tree_sitter_sql",
        comments=("comment", "marginalia"),
        strings=(),  # literals that begin with a quotation mark: see _is_string
        numbers=(),
        string_opener=r"[A-Za-z&]*'|\$\w*\$",
    ),
}  # fmt: skip
"""The grammar of each language."""


@dataclass(frozen=True)
class Reference:
    """The labels of a text by a grammar.

    Attributes:
        labels: For each hypothesis, (n_chars,) bool.
        sound: For each, (n_chars,) whether the grammar could make sense of a character, in so far as it matters.
    """

    labels: dict[str, NDArray[np.bool_]]
    sound: dict[str, NDArray[np.bool_]]


@functools.cache
def _parser(language: str) -> tuple[tree_sitter.Parser, Grammar, frozenset[str]]:
    """Return a parser, the grammar, and the nodes without a name that are words."""
    grammar = GRAMMARS[language]
    tree_language = tree_sitter.Language(getattr(importlib.import_module(grammar.module), grammar.function)())
    kinds = range(tree_language.node_kind_count)
    words = {tree_language.node_kind_for_id(kind) or "" for kind in kinds if not tree_language.node_kind_is_named(kind)}
    words = {word for word in words if re.fullmatch(r"[A-Za-z_]+", word)}
    return tree_sitter.Parser(tree_language), grammar, frozenset(words - set(grammar.no_words))


def label(text: str, language: str) -> Reference:
    """Label a text as the grammar of its language sees it.

    The grammars of C and C++ do not see names of macros that are alone in their lines, such as those that open a
    namespace: they would take what follows for something else.
    """
    parser, grammar, words = _parser(language)
    source = Source(_LONE_MACRO.sub(lambda match: " " * len(match[0]), text) if language in ("c", "c++") else text)
    labels = {name: np.zeros(len(text), bool) for name in NAMES}
    sound, read, is_body_known = (np.ones(len(text), bool) for _ in range(3))
    for node in _nodes(parser.parse(source.raw).root_node):
        start, stop = source.span(node)
        if node.type == "ERROR" or node.is_missing:
            sound[start : stop + 1] = False
        elif node.type in grammar.unread:
            read[start:stop] = False
        elif node.type in grammar.unlexed:
            sound[start : end_of_blanks(source, stop, language)] = False
        elif node.type in grammar.comments:
            _add_comment(source, grammar, labels, start, stop)
        elif (node.is_named and node.type in grammar.strings) or (language == "sql" and _is_string(node)):
            _add_string(source, grammar, labels, node)
        elif (node.is_named and node.type in grammar.numbers) or (language == "sql" and _is_number(node)):
            _add_number(text, labels, start, stop)
        elif node.type in words or node.type in grammar.words or node.type.startswith("keyword_"):
            is_word = language != "sql" or node.type.startswith("keyword_")
            is_word = is_word and not (node.type == "primitive_type" and source.text[start:stop].endswith("_t"))
            labels["in_keyword"][start:stop] |= is_word and (not node.is_named or node.child_count == 0)
        if node.is_named:
            if is_misread(node, language):
                is_body_known[start:stop] = False
            for span_start, span_stop in conditions(node, language, source):
                labels["in_if_condition"][span_start:span_stop] = True
            for span_start, span_stop in bodies(node, language, source):
                labels["in_function_body"][span_start:span_stop] = True
    if language == "sql" and "\\'" in text:
        sound[:] = False  # the grammar takes a backslash before a mark for an escape, which it is in some dialects
    labels["in_string"] &= ~labels["in_comment"]
    for name in ("in_keyword", "in_number"):
        labels[name] &= ~labels["in_comment"]
    sounds = {name: sound & read if name in _STRUCTURE else sound for name in NAMES}
    sounds["in_function_body"] = sounds["in_function_body"] & is_body_known
    if not grammar.numbers and language != "sql":
        sounds["in_number"] = np.zeros(len(text), bool)
    return Reference(labels, sounds)


def _nodes(root: Node) -> Iterator[Node]:
    """Yield every node, the outer ones first, but none within an ERROR."""
    waiting = [root]
    while waiting:
        node = waiting.pop()
        yield node
        if node.type != "ERROR":
            waiting += reversed(node.children)


def _is_string(node: Node) -> bool:
    return node.type == "literal" and re.match(rb"[A-Za-z&]*'|\$\w*\$", node.text or b"") is not None


def _is_number(node: Node) -> bool:
    return node.type == "literal" and re.match(rb"[+-]?\.?[0-9]", node.text or b"") is not None


def _add_comment(source: Source, grammar: Grammar, labels: dict[str, NDArray[np.bool_]], start: int, stop: int) -> None:
    spelled = source.text[start:stop]
    doc = re.match(grammar.doc_comment, spelled)
    if not spelled.startswith(("/*", "{-", "=begin")):
        for line in re.finditer(r"[^\s](?:\\\r?\n|[^\n])*", spelled):  # in some grammars, of several lines
            first, last = start + line.start(), start + line.end()
            labels["in_comment"][first + (not spelled.startswith("#")) : last] = True
            if doc:
                labels["in_docstring"][first + (doc.end() if line.start() == 0 else 2) - 1 : last] = True
        return
    n_opener = 6 if spelled.startswith("=begin") else 2
    labels["in_comment"][start + n_opener - 1 : stop - 1] = True
    if doc:
        labels["in_docstring"][start + doc.end() - 1 : stop - 1] = True


def _add_string(source: Source, grammar: Grammar, labels: dict[str, NDArray[np.bool_]], node: Node) -> None:
    start, stop = source.span(node)
    opener = re.match(grammar.string_opener, source.text[start:stop])
    n_opener = opener.end() if opener else 1
    first, last = start + n_opener - 1, stop - 1
    if node.type == "heredoc_body":  # from the end of the line before
        first = source.text.rfind("\n", 0, start + 1)
    labels["in_string"][first:last] = True
    if _is_docstring(node):
        labels["in_docstring"][first:last] = True


def _is_docstring(node: Node) -> bool:
    """Return whether a node of Python's grammar is the first statement of a module, class or function."""
    statement = node.parent
    block = statement.parent if statement is not None and statement.type == "expression_statement" else None
    if statement is None or block is None or block.type not in ("block", "module") or statement.child_count != 1:
        return False
    if block.type == "block" and (
        block.parent is None or block.parent.type not in ("function_definition", "class_definition")
    ):
        return False
    first = next((child for child in block.children if child.type != "comment"), None)
    return first is not None and first.id == statement.id and re.match(rb"[uUrR]?[\"']", node.text or b"") is not None


def _add_number(text: str, labels: dict[str, NDArray[np.bool_]], start: int, stop: int) -> None:
    """A number, but for the points, signs and marks between its digits, which might have ended it."""
    for match in re.finditer(r"\w+", text[start:stop]):
        labels["in_number"][start + match.start() : start + match.end()] = True
