"""Links and templates of wikis, and what looks like them in other texts."""

import pytest

from hypotheses.registry import get


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("in_wiki_link", "if [[ -f x ]]; then", "....x.............."),
        ("in_wiki_link", "x[[1]] f(a)[[2]]", "................"),
        ("in_wiki_link", "x[[1]][[2]]", "..........."),
        ("in_wiki_link", "[[a]][[b]]", ".xxx..xxx."),
        ("in_wiki_link", "首都[[北京]]。", "...xxxx.."),
        ("in_wiki_link", '[["a"]] [[{b}]] [[{{c}}]]', ".x.......xx......xxxxxxx."),
        ("in_wiki_link", "[[1, 2], [3]]", ".xxxxxx......"),
        ("in_wiki_link", "[[a|b [c] d]] e", ".xxxxxxxxxxx..."),
        ("in_wiki_link", "[[[a]]]", ".xxxx.."),
        ("in_wiki_link", "<nowiki>[[a]]</nowiki>[[b]]", "." * 23 + "xxx."),
        ("in_wiki_link", "<nowiki>\n\n[[b]]", "." * 11 + "xxx."),
        ("position_in_wiki_link", "a[[b]] [[ [[c]]", "??????" + "??0" + "?" + "?012?"),
        ("in_template", r"\\x{{\\bf a}} {{1, 2}}", "....x..........x......"),
        ("in_template", "{{a|{{{1}}}}} b", ".xxxxxxxxxx...."),
        ("in_template", "<nowiki>{{a}}</nowiki>{{b}}", "." * 23 + "xxx."),
        ("in_template", "{{}} {{a}}", ".x....xxx."),
        ("in_url", "见https://a.b/c。下 https://ü.de", "........xxxxxx..........xxxxx"),
    ],
)
def test_wikis(name: str, text: str, labels: str) -> None:
    assert get(name)(text).marks() == labels


def test_a_template_that_is_never_closed_ends() -> None:
    labels = get("in_template")("{{a\n\n" + "b" * 11_000).values
    assert labels[1:10_001].all() and not labels[10_001:].any()
