"""Comments, strings and documentation of programs in twelve languages. For all others there is `token`."""

from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.programs.lexers.states import COMMENT, DOC_COMMENT, DOCSTRING, FIELD, STRING
from hypotheses.programs.program import read_program

_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"
_PUBLISHED = "In an LSTM trained on the Linux kernel, a cell was found that is on inside comments and strings."


@hypothesis(kind="binary", source=_SOURCE, expects=_PUBLISHED)
def in_comment(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, inside a comment of a program?

    A comment begins when its opener has been read: at `#`, at the second character of `//`, `/*` or `--`. It ends
    with its closer: at the newline, at the `/` of `*/`. Doc comments are comments; attributes, decorators and pragmas
    (`#[derive(Debug)]`, `{-# … #-}`) are none. What looks like a comment inside a string, a character constant or a
    docstring is not a comment. In C and C++, a backslash at the end of a line continues a `//` comment, and `#` begins
    a directive; comments of Rust, Haskell and SQL may be within each other; the first line of a script that begins with
    `#!` is one.

    The language is a parameter: `c`, `c++`, `go`, `haskell`, `java`, `javascript`, `python`, `ruby`, `rust`, `shell`,
    `sql` or `typescript`, as in `in_comment:rust`. If it is not given, the name of the file tells it (`a.py`,
    `a.c.txt`). If that does not, the lines read so far decide between Python and languages like C. Evidence for C is a
    line of code that ends in `;` (2 points), `{` or `}` (1), a directive such as `#include` (2), and `/*` (2). Evidence
    for Python is a line of code that ends in a letter, a digit or one of `: ) ] " ' _` (1), three quotation marks in a
    row (2), and a `#` at the beginning of a line before a blank, `!` or another `#` (1). The difference, which is kept
    between −16 and 16, decides. While it is 0, the openers of both languages count.

    >>> print(in_comment.mark("x = 1  # y\nz"))
    x = 1  # y↵z
    .......xxx..
    >>> print(in_comment.mark("/* x */ y"))
    /* x */ y
    .xxxxx...
    >>> print(in_comment.mark("'#'"))
    '#'
    ...
    """
    return Labels(read_program(text, language, file_name).is_any(COMMENT, DOC_COMMENT), "binary")


@hypothesis(kind="binary", source=_SOURCE, expects=_PUBLISHED)
def in_string(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, inside a string of a program?

    A string begins when its opening mark has been read (a prefix such as the r of `r"…"` is outside), and ends with
    its closing mark, which is False. A mark after a backslash has no effect. An unclosed string ends with its line,
    unless a backslash precedes the newline or the language lets strings continue. In Python, docstrings are strings
    too; in other languages, character constants, raw strings, here-documents and texts between dollar signs (but not
    the bodies of SQL's functions), with their delimiters. Regular expressions between slashes are none.

    What is not known yet is False: `'a'` is a lifetime of Rust, or a name of Haskell, until its second apostrophe.

    Three marks in a row open a string that continues over lines up to the next three. Where a Python statement begins,
    one mark is taken for the first of three: the string begins with the third, or else with the character after the
    first. Anywhere else, the first mark opens a string, the second closes it, and the third opens the long one.

    A string with code in it, as in `f"{a}"`, `${…}` of JavaScript, `#{…}` of Ruby or `"$(…)"` of shell, is one string,
    together with that code except its comments.

    An f-string is one string, together with all that its braces contain except comments. Its braces are read as in
    Python 3.12 and later: they may contain any strings, and line ends.

    The language is decided as in `in_comment`.

    >>> print(in_string.mark(r'f("a\"b") + r"c"'))
    f("a\"b") + r"c"
    ..xxxxx......xx.
    >>> in_string('x = ' + 3 * '"' + 'a' + 3 * '"').marks()
    '....x.xxxx.'
    >>> in_string(3 * '"' + 'a' + 3 * '"', "python").marks()
    '..xxxx.'
    """
    return Labels(read_program(text, language, file_name).is_any(STRING, DOCSTRING, FIELD), "binary")


@hypothesis(kind="binary")
def in_docstring(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, inside a docstring or a doc comment?

    A docstring of Python is a string that is the first statement of a module, a class or a function; it may have the
    prefix `r` or `u`. It begins and ends like a string of `in_string`.

    A doc comment begins with the sign that makes it one, and ends like a comment: `///`, `//!`, `/**` and `/*!` in
    Rust, C and C++, `/**` in Java, JavaScript and TypeScript, `-- |`, `-- ^` and `{- |` in Haskell, with the comments
    in the lines right below. A further slash or star (`////`, `/***`) makes it an ordinary comment. In C, the language
    has to be given, or told by the name of the file. Go, Ruby, shell and SQL have none. The language is decided as in
    `in_comment`.

    >>> print(in_docstring.mark("def f():\n    'a'\n    'b'"))
    def f():↵    'a'↵    'b'
    ..............x.........
    >>> print(in_docstring.with_parameters("rust").mark("/// a // b"))
    /// a // b
    ..xxxxxxxx
    """
    return Labels(read_program(text, language, file_name).is_any(DOCSTRING, DOC_COMMENT), "binary")
