"""Quotation marks of several languages, and backticks."""

import pytest

from hypotheses.registry import get


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("in_curly_quotes", "a „b“ c „d” e", "..xx....xx..."),
        ("in_curly_quotes", "„a „b“ c“ d", "xxxxxxxx..."),
        ("in_curly_quotes", "“a „b“ c” d", "xxxxxxxx..."),
        ("in_curly_quotes", "a ”b” c” d", "..xx......"),
        ("in_curly_quotes", "„a\n\nb“ c", "xxx..xxx"),
        ("in_guillemets", "« a « b » c » d", "xxxxxxxxxxxx..."),
        ("in_guillemets", "»a« «b» x» c", "xx..xx......"),
        ("in_guillemets", "(»a») b", ".xx...."),
        ("in_corner_quotes", "「a『b』」c", "xxxxx.."),
        ("in_corner_quotes", "『a\n\nb」c", "xxx...."),
        ("in_corner_quotes", " 」a", "..."),
        ("in_single_quotes", "‚a‘ b ‚c’ d ‘e’", "xx....xxx...xxx"),
        ("in_single_quotes", "''a'' '''b''' c", "x.....x........"),  # a wiki's italics and bold
        ("in_backticks", "```a\nb````c", "xxxxxxxx..."),
        ("in_backticks", "`a`` b` c", "xx.xxx..."),
        ("in_backticks", "``a'' b `c`", "xxxx....xx."),
        ("in_backticks", "``a' b`` c", "xxxxxxx..."),
        ("in_backticks", r"\`a `b\` c", "....xxx..."),
        ("in_quotes", "''a'' '''b'''", "............."),
        ("in_quotes", r'M\"obius a "b" c', "...........xx..."),
        ("in_quotes", r'"a \" b" "\\" d', "xxxxxxx..xxx..."),
        ("in_single_quotes", "`'static` a b", ".xxxxxxx....."),  # a lifetime of Rust
        ("in_single_quotes", "`T`'s a `'b'` c 'xy' e", ".........xxx....xxxx.."),
        ("in_single_quotes", "a 'use `b` now' c", "..xxxxxxxxxxxxx.."),
        ("in_single_quotes", "(' ') a b", ".x......."),
    ],
)
def test_quotation_marks(name: str, text: str, labels: str) -> None:
    assert get(name)(text).marks() == labels
