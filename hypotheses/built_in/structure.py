"""Conditions of `if` and bodies of functions. Comments and strings are left out: see `in_comment`."""

from hypotheses.hypothesis import hypothesis
from hypotheses.labels import Labels
from hypotheses.programs.program import read_program
from hypotheses.programs.structure.bodies import bodies
from hypotheses.programs.structure.conditions import conditions

_SOURCE = "Karpathy, Johnson & Li 2015, arXiv:1506.02078"


@hypothesis(
    kind="binary",
    source=_SOURCE,
    expects="In an LSTM trained on the Linux kernel, a cell was found that is on inside the conditions of if "
    "statements.",
    text_kind="code",
)
def in_if_condition(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, inside the condition of an `if`?

    C, C++, Java, JavaScript and TypeScript: from the parenthesis after `if` to the one that closes it, which is False.
    If it is unclosed, a closing brace ends it, or a `;` (but not in C++).

    Otherwise from the character after `if` to what ends the condition. Python: the colon, which is False; only where
    `if` or `elif` begins a statement. Go and Rust: the brace that opens what depends on it, which is False; the guards
    of Rust's `match` end with `=>`. Haskell and shells: the last letter of `then`; `elif` counts. Ruby: the end of the
    line, a `;`, or the last letter of `then`; `elsif`, `unless` and modifiers (`return if x`) count. SQL: the last
    letter of `THEN`, after an `IF` that begins a statement, `ELSIF`, or the `WHEN` of a `CASE` without an operand.

    Loops, conditional operators (`a ? b : c`, Python's `b if a else c`) and directives such as `#if` do not count. The
    language is decided as in `in_comment`.

    >>> in_if_condition("if (f(a)) b;", "c").marks()
    '...xxxxx....'
    >>> in_if_condition("x = 1\nif y[1:]: pass\n", "python").marks()
    '........xxxxxx.......'
    >>> print(in_if_condition.with_parameters("rust").mark("if let P { x } = p { f() }"))
    if let P { x } = p { f() }
    ..xxxxxxxxxxxxxxxxx.......
    """
    program = read_program(text, language, file_name)
    return Labels(program.in_any(lambda reading: conditions(reading, program.codes)), "binary")


@hypothesis(kind="binary", source=_SOURCE, text_kind="code")
def in_function_body(text: str, language: str = "auto", *, file_name: str = "") -> Labels:
    r"""Is the text, as read so far, inside the body of a function?

    Of functions within functions, the outermost counts. In most languages, from the brace that opens the body to the
    one that closes it, which is False.

    C: from a brace after a closing parenthesis; words may come between, but not in a statement that begins with
    `struct`, `union`, `enum` or `class`, and there must be no `=` before. A closing brace at the beginning of a line
    ends it in any case. C++: also members, constructors and lambdas. Java: methods, constructors and lambdas with
    braces, not initialisers. JavaScript and TypeScript: functions, methods, and arrow functions with braces; without
    braces, these are expressions. Go: `func`, also without a name. Rust: `fn`, and closures with braces.

    Python: from the colon that ends the header of a `def` to the first code that is not indented more than the `def`.
    Haskell: the right-hand side of an equation, from its first `=` or `|`, to the first code that is not indented more
    than the equation; at the margin and in classes and instances. Shells: `f() {…}`, `f() (…)` and `function f {…}`.
    Ruby: from the end of the header of a `def` to the last letter of its `end`. SQL: what is between dollar signs, or
    between `BEGIN` and the last letter of its `END`, after `CREATE FUNCTION`, `PROCEDURE` or `TRIGGER`.

    The language is decided as in `in_comment`.

    >>> in_function_body("def f():\n  a\nb", "python").marks()
    '.......xxxxxx.'
    >>> print(in_function_body.mark("int f(a) { b; } c;"))
    int f(a) { b; } c;
    .........xxxxx....
    >>> print(in_function_body.with_parameters("ruby").mark("def f; if a; b end end; c"))
    def f; if a; b end end; c
    .....xxxxxxxxxxxxxxxx....
    """
    program = read_program(text, language, file_name)
    return Labels(program.in_any(lambda reading: bodies(reading, program.codes)), "binary")
