"""Tags and headings, and what looks like them in other texts."""

import numpy as np
import pytest

from hypotheses.registry import get


def inside(name: str, text: str) -> list[str]:
    """The stretches of a text in which a hypothesis is True."""
    labels = np.concatenate(([False], get(name)(text).values, [False]))
    bounds = np.flatnonzero(labels[1:] != labels[:-1]).tolist()
    return [text[start:stop] for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("a<b && i<n, x <- y, x<-y", []),
        ("Vec<u8> Map<String, Box<a>> f(a)<b", []),
        ("#include <map>\n#include <time.h>", []),
        ("me <a@b.c> and <https://d.e> <file>", ["a", "ht", "fi"]),
        ("H<sub>2</sub>O, x<br>y, a<b>c", ["/sub"]),  # known after their names; and a<b is none
        ("see <b>this</b> and <div class='x'>", ["b", "/b", "div class='x'"]),
        ("<body>a<b</body>", ["body", "b", "/body"]),  # a tag until the <
        ("<p>a<b</p>", ["p", "/p"]),
        ("<body>i<n; Vec<u8> <my-x y>", ["body", "n", "u", "my-x y"]),
        ("<p>a <b && c", ["p", "b "]),
        ("<script>if (a<b) '</p>'</script><b>", ["script", "t", "b"]),
        ("<style>a > b {} <p></style>", ["style", "e"]),
        ("<title>a <b></title>", ["title", "e"]),
        ("<x><title>a <b></title>", ["x", "title", "b", "/title"]),  # XML
        ("<?xml version='1.0'?><a.b>c</a.b><ä>", ["?xml version='1.0'?", "a.b", "/a.b", "ä"]),
        ("<!DOCTYPE html><x-y>a<z", ["!DOCTYPE html", "x-y"]),
        ("<a><![CDATA[<b> ]] > ]]><c>", ["a", "![CDATA", "c"]),
        ("<?php if ($a->b > 1) echo '<b>'; ?><i>", ["?php", "i"]),
        ("<!-- a > b --><b>", ["!-- a > b --", "b"]),
        ("a <!b c<!d e <!-f", ["!", "!d e ", "!-"]),
        ("<nowiki><b></nowiki> <b>", ["nowiki", "i", "b"]),
        ("a <nowiki><b></nowiki> <b>", ["nowiki", "i", "b"]),
        ("<?xml?><!-- a\n\n<b> --><c>", ["?xml?", "!-- a\n\n<b> --", "c"]),
        ("a <title>b\n\n<b>", ["title", "b"]),  # a mention
    ],
)
def test_tags(text: str, tags: list[str]) -> None:
    assert inside("in_tag", text) == tags


@pytest.mark.parametrize(
    ("text", "depths"),
    [
        ("<ul><li>a<li>b</ul>c", {"a": 2, "b": 2, "c": 0}),
        ("<ul><li>a<ul><li>b<li>c</ul>d<li>e</ul>", {"a": 2, "b": 4, "c": 4, "d": 2, "e": 2}),
        ("<p>a\n<p>b<div>c\n<p>d</div>e", {"a": 1, "b": 1, "c": 1, "d": 2, "e": 0}),
        ("<p>a <b>c\n<p>d", {"a": 1, "c": 2, "d": 1}),
        (
            "<table><thead><tr><th>a<th>b<tbody><tr><td>c<td>d<tr><td>e</table>f",
            {"a": 4, "b": 4, "c": 4, "d": 4, "e": 4, "f": 0},
        ),
        ("<dl><dt>a<dd>b<dt>c</dl>d", {"a": 2, "b": 2, "c": 2, "d": 0}),
        ("<select><optgroup><option>a<option>b<optgroup><option>c</select>d", {"a": 3, "b": 3, "c": 3, "d": 0}),
        ("<html><head><title>a</title><body>b</html>c", {"a": 3, "b": 2, "c": 0}),
        ("<x><li>a<li>b</li></li></x>c", {"a": 2, "b": 3, "c": 0}),  # XML
        ("<x><link>a</link><Reference>b</Reference></x>c", {"a": 2, "b": 2, "c": 0}),
        ("<div>a</b>b</div>c</div>d", {"a": 1, "b": 1, "c": 0, "d": 0}),
        ("see <b>a\n\nb <div>\n\nc", {"a": 1, "b": 0, "c": 1}),
        ("<br>a<img src=x>b<x/>c", {"a": 0, "b": 0, "c": 0}),
        ("<script>'<b>';</script>a", {"a": 0}),
    ],
)
def test_tag_depth(text: str, depths: dict[str, int]) -> None:
    labels = get("tag_depth")(text).values
    plain = ~get("in_tag")(text).values
    for char, depth in depths.items():
        (place,) = [t for t in range(len(text)) if text[t] == char and plain[t] and text[t - 1] in ">\n "][:1]
        assert labels[place] == depth, char


@pytest.mark.parametrize(
    ("text", "headings"),
    [
        ("# A\n\n# B c\n", [" A", " B c"]),
        ("== A ==\n# b\n* [[c]]\n", [" A ="]),  # in a wiki, # is an item
        ("# A\n[b](c) **d**\n== E ==\n# F\n", [" A", " E =", " F"]),
        ("=== A = b ===\n======\n == c\na == b\n", [" A = b =="]),
        ("'''A''' is [[b]].\n# c\n", []),
        ("```sh\n# a\n== b\n```\n# C\n", [" C"]),
        ("=a=\n==\n== \n", [" "]),
    ],
)
def test_headings(text: str, headings: list[str]) -> None:
    assert inside("in_heading", text) == headings
