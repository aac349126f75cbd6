"""Mathematics and environments of LaTeX, and what looks like them in other texts."""

import pytest

from hypotheses.registry import get


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("in_maths", "#12 and $5, then $7.", "." * 20),
        ("in_maths", "$ ls; $HOME $5 US$10 a$b$ $_x $i=1", "." * 32 + "xx"),
        ("in_maths", "kill $$ ", "......x."),
        ("in_maths", "$$\na$$ b", ".xxxx..."),
        ("in_maths", "$2^n$ $5$ $a$b $10,000^{2}$", "..xx.......x..........xxxx."),
        ("in_maths", "CO$_2$ a$\\to$b", "...xx....xxx.."),
        ("in_maths", "$x and\n$y$", "..xxxx...."),
        ("in_maths", "$x = $y + 1;\n", "..xxx..xxxxx."),
        ("in_maths", "`$a^2$` $b^2$", "..........xx."),
        ("in_maths", "```\n$a = 1\n```\n$b^2$", "." * 17 + "xx."),
        ("in_maths", r"\emph{a} $5$ $ b $ 50% $c$", "." * 9 + "xx..xxxx" + "." * 9),
        ("in_maths", "\\emph{a} $b\nc$ $d\n\ne", "." * 9 + "xxxx..xx" + "x.."),
        ("in_maths", "\\emph{``a $b$''}", "." * 10 + "xx...."),
        ("in_maths", "50% $a+$ 5 % $b+$", "......x........x."),
        ("in_maths", "$x$ $x^2$ $x$ $ab$ $abc$", "......xx...x...xx...xx.."),
        ("in_maths", "movl $$0x2 $$a^2$$", "......x.....xxxxx."),
        ("in_maths", r"\begin{verbatim}$a$\end{verbatim} $b$", "." * 34 + "xx."),
        ("in_maths", "<math>a</math> b", ".....xxxxxxxx..."),
        ("in_maths", r"s/\(a\)/b/", ".........."),
        ("in_maths", r"\(a $b$\) c", ".xxxxxxx..."),
        ("in_latex_environment", r"\begin{document}a\begin{b}c\end{b}\end{document}", "." * 25 + "x" * 8 + "." * 15),
        ("in_latex_environment:document", r"\begin{document}a\end{document}b", "." * 15 + "x" * 15 + ".."),
        ("in_latex_environment:b", r"\begin{verbatim}\begin{b}\end{verbatim}a", "." * 40),
        ("in_maths", r"\emph{a} \verb|$| $b$ \verb$c$ d", "." * 18 + "xx" + "." * 12),
        ("in_maths", r"\emph{a} $\verb|$|$ b", "." * 9 + "x" * 9 + "..."),
        ("in_maths", "\\emph{a} \\verb|$b\n$c$", "." * 18 + "xx."),
        ("in_maths", r"\begin{align}a\section{b}c", "." * 12 + "x" * 10 + "." * 4),
        ("in_latex_environment", r"\verb|\begin{a}| \verb+\end{b}+ c", "." * 33),
        ("in_latex_environment", r"\begin{a}b\subsection*{c}\end{a}d", "." * 8 + "x" * 14 + "." * 11),
        ("in_latex_environment", r"\begin{multicols}{2}\section{c}d", "." * 16 + "x" * 16),
        ("in_latex_environment:a", r"\begin{a}\begin{landscape}\section{c}", "." * 8 + "x" * 29),
        ("in_latex_environment", r"\begin{verbatim}\section{c}\end{verbatim}a", "." * 15 + "x" * 25 + ".."),
        ("in_latex_environment", r"\begin{verbatim}\end{a}\end{verbatim}a", "." * 15 + "x" * 21 + ".."),
    ],
)
def test_latex(name: str, text: str, labels: str) -> None:
    assert get(name)(text).marks() == labels
