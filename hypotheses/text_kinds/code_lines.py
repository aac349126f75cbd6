"""Tells lines of programs from lines of prose, in any language, by how they begin and end."""

import functools

import regex

from hypotheses.text_kinds.markup_signs import LATEX

_LONGEST_LINE = 300  # of a line, so much is looked at
_FENCED = regex.compile(r"^ {0,3}(```+|~~~+)[^\n]*\n.*?(?:^ {0,3}\1[`~]*[ \t\r]*$|\Z)", regex.MULTILINE | regex.DOTALL)
_DIRECTIVES = r"[ ]*(?:include|define|undef|if|ifdef|ifndef|else|elif|endif|pragma)\b"
_COMMENT_LINE = regex.compile(rf"#(?![!\[]|{_DIRECTIVES})|//|/\*|\*|--|[\"']{{3}}|;|%|\{{-")
_COMMENT_AT_END = regex.compile(r"\s+(?://|/\*|#|--)\s.*$")
_MARKUP_LINE = regex.compile(r"<[/!?]?\w|\\[A-Za-z]|\|(?! .* = )|\{\||\{\{|\}\}|!|=|&")
_CLOSERS = regex.compile(r"[)\]}]+[;,:]?$")
_BEGINNING = regex.compile(
    rf"@\w|#!|#\[|#{_DIRECTIVES}"
    r"|(?:def|class|elif|import|from|package|use|fn|func|impl|struct|enum|module|instance|data|require|local|export|let"
    r"|declare|typedef|template|namespace|interface|trait|end|fi|done|esac|const|var|pub|mod|static|public|private"
    r"|protected|return|case|echo|then|do|where|in)\b(?:[ \t]+[\w.*:<>(){}\"'$/@,\[\]|=-]+){0,6}(?<![.!?,])$"
    r"|(?:if|for|while|with|when|unless|switch|foreach|elsif|else if|match)\b.*(?:[{:(]|\bthen|\bdo)$"
    r"|(?:SELECT|INSERT|CREATE|DROP|ALTER|UPDATE|DELETE|FROM|WHERE|GROUP BY|ORDER BY|VALUES|BEGIN|COMMIT)\b"
)
_ASSIGNMENT = regex.compile(
    r"(?:(?:[\w.$@*&]|\[[^\]]*\]|<[^>]*>|::)++[ \t]*,?[ \t]*(?::[ \t]*[\w.\[\]<>]+[ \t]*)?){1,4}"
    r"(?:[-+*/%|&^?:.<>]|<<|>>|\*\*|//|\|\|)?=(?![=>])[ \t]*\S"
    r"|[\w' ]*\| .*\s=\s|[\w' ,()]+ :: \S"  # guards and signatures of Haskell
)
_ENDING = regex.compile(
    r"(?:[{}]|\) ?:|=>|->|&&|\|\||[(\[]|(?<!\\)\\|(?:\belse|\btry|\bfinally):)$"
    r"|[=()\[\]{}<>_.\"'$].*;$|^(?:\S+\s+){0,2}\S+;$"  # a statement, not a line of verse
    r"|\w(?:\(\)|\([^ ()][^()]*\))[,:]?$|\w\.\w+\(.*\)"  # calls
    r"|\s(?:<-|->|=>|<\$>|<>|>>=|:=)\s"
)


@functools.lru_cache(maxsize=1)  # several kinds of text ask for it of the same text
def share_of_code(text: str) -> float:
    r"""Return the share of a text's characters that are in lines of code.

    Blank lines, lines that look like comments, and blocks between fences of Markdown are left out. 0 if nothing is
    left.

    >>> share_of_code("x = 1\nif x:\n    print(x)\n")
    1.0
    >>> share_of_code("It was late (as ever), and no one came.\n")
    0.0
    """
    n_chars = n_code = 0
    for line in _FENCED.sub("", text).split("\n"):
        stripped = line.strip()
        if stripped and not _COMMENT_LINE.match(stripped):
            n_chars += len(stripped)
            n_code += len(stripped) if is_code(stripped[:_LONGEST_LINE]) else 0
    return n_code / n_chars if n_chars else 0.0


def is_code(line: str) -> bool:
    """Tell whether a line, without blanks around it, looks like code; a comment at its end does not count."""
    line = _COMMENT_AT_END.sub("", line)
    if _CLOSERS.match(line):
        return True
    if _MARKUP_LINE.match(line) or LATEX.search(line):
        return False
    return bool(_BEGINNING.match(line) or _ASSIGNMENT.match(line) or _ENDING.search(line))
