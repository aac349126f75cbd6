"""What texts of a kind are recognised by: commands of LaTeX, tags, links of wikis, headings of Markdown, speakers."""

import regex

_TAG_NAMES = (
    "a|abbr|address|article|aside|audio|b|base|blockquote|body|br|button|caption|center|cite|code|col|colgroup|dd|del"
    "|details|div|dl|dt|em|fieldset|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img|input"
    "|ins|kbd|label|legend|li|link|main|map|mark|meta|nav|ol|optgroup|option|p|pre|q|s|samp|script|section|select|small"
    "|span|strong|style|sub|summary|sup|svg|table|tbody|td|textarea|tfoot|th|thead|title|tr|tt|u|ul|var|video"
)
TAG = regex.compile(
    rf"(?<![\w\"'`\\])<(?:/?(?:{_TAG_NAMES})(?:\s[^<>]*)?/?>|/[A-Za-z][\w:.-]*\s*>|!DOCTYPE\b|\?xml\b)",
    regex.IGNORECASE,
)
"""A tag of HTML, or an end tag or declaration of XML. Types in angle brackets, as in `Vec<u8>`, are none."""

_COMMAND = (
    r"\\(?:begin|end|(?:sub)*section|chapter|paragraph|item|emph|text(?:bf|it|tt|sc|rm|sf)|cite[pt]?|(?:eq|page)?ref"
    r"|label|footnote|caption|frac|sqrt|sum|int|prod|lim|left|right|math(?:bb|bf|cal|rm|sf|frak)|(?:re)?newcommand"
    r"|usepackage|documentclass|includegraphics|alpha|beta|gamma|delta|(?:var)?epsilon|lambda|mu|pi|sigma|theta|phi"
    r"|omega|Delta|Gamma|Sigma|Omega|in|to|le|leq|ge|geq|neq|c?l?dots|infty|partial|nabla|quad|hline|par|noindent"
    r"|centering|[hv]space|def|let|LaTeX|TeX|times|text|operatorname|hat|bar|vec|tilde|over|maketitle|title|author)"
    r"(?![A-Za-z])"
)
_FORMULA = r"(?<![\w$\\])\$(?=[^$\n]{0,80}[\\^_=])[^\s$](?:[^$\n]{0,80}[^\s$\\])?\$(?![\w$])"

LATEX_COMMAND = regex.compile(_COMMAND)
"""A frequent command of LaTeX."""

LATEX = regex.compile(f"{_COMMAND}|{_FORMULA}")
"""A frequent command of LaTeX, or a formula between dollars that has a sign of mathematics in it."""

WIKI = regex.compile(
    r"\[\[[^\[\]\n|\"'$=-][^\[\]\n]{0,200}\]\]|(?<!')'''?(?!')[^'\n]{1,200}'''?(?!')|^(={2,6})[^=\n][^\n]*\1[ \t\r]*$"
    r"|\{\{[A-Za-z#:][^{}\n]{0,200}\}\}|^\{\|[^\n}]*$",
    regex.MULTILINE,
)
"""A link, emphasis, heading, template or table of a wiki."""

TEMPLATE = regex.compile(r"\{\{[-#/&>^!~ ]?\s*+[\p{L}$.#:][^{}\\]{0,200}\}\}")
"""`{{…}}` as wikis and template languages have it."""

MARKDOWN = regex.compile(
    r"(?<!^#[^\n]*\n)^#{1,6}[ \t]+\S(?![^\n]*\n#)|\[[^\[\]\n]+\]\([^()\s]*[/#.:][^()\s]*\)|^ {0,3}(?:```|~{3,5}(?!~))"
    r"|(?<![\w*])\*\*\w[^*\n]*(?<=\S)\*\*(?![\w*])",
    regex.MULTILINE,
)
"""A heading, link, fence or strong emphasis of Markdown.

Several lines with `#` in a row are a list of a wiki, or comments of a program; a long line of `~` is a rule.
"""

SPEAKER = regex.compile(
    r"(?:\A|(?:\A|\n)[ \t\r]*\n)\K[^\S\n]*+(\p{Lu}[\p{L}\p{M}\p{N} .,'’()\[\]&/-]{0,59}+):[^\S\n]*+(?=\n|\Z)"
)
"""A name, its first group, and a colon, alone in a line behind a blank one: what `in_speaker` labels."""
