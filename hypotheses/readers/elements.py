"""The elements of HTML: which are never closed, which contain no markup, and whose end tags may be left out."""

import numpy as np

from hypotheses.characters import pack

(
    UNKNOWN, VOID, RAW, WIKI_RAW, LI, P, DD, TD, TR, TBODY, OPTION, OPTGROUP, LIST, DL, TABLE, SELECT, BLOCK, INLINE,
    HEAD, BODY, KNOWN, N_GROUPS,
) = range(22)  # fmt: skip
LONGEST_NAME = 8
"""Longer names are compared by so many characters."""

_NAMES_BY_GROUP = {
    VOID: "area base br col embed hr img input link meta param source track wbr references",
    RAW: "script style textarea title",
    WIKI_RAW: "nowiki math syntaxhighlight",
    LI: "li",
    P: "p",
    DD: "dt dd",
    TD: "td th",
    TR: "tr",
    TBODY: "thead tbody tfoot",
    OPTION: "option",
    OPTGROUP: "optgroup",
    LIST: "ul ol menu",
    DL: "dl",
    TABLE: "table",
    SELECT: "select datalist",
    BLOCK: (
        "address article aside blockquote div fieldset footer form h1 h2 h3 h4 h5 h6 header main nav pre section "
        "figure figcaption details summary dialog center"
    ),
    INLINE: (
        "a abbr b bdi bdo big cite code data del dfn em font i ins kbd label mark q ref rp rt s samp small span strike "
        "strong sub sup time tt u var"
    ),
    HEAD: "head",
    BODY: "body",
    KNOWN: (
        "html audio button canvas caption colgroup iframe legend map meter noscript object output picture progress "
        "ruby slot template video svg gallery poem noinclude includeonly onlyinclude timeline"
    ),
}
_NOT_TIGHT = "data input map object output time var"  # in programs, these are names of types, too

_CLOSED_BY = {
    (LI,): (LI,),
    (DD,): (DD,),
    (TD,): (TD,),
    (TR,): (TR, TD),
    (TBODY,): (TBODY, TR, TD),
    (OPTION,): (OPTION,),
    (OPTGROUP,): (OPTGROUP, OPTION),
    (BODY,): (HEAD,),
    (P, BLOCK, LIST, DL, TABLE): (P,),
}
_NOT_BEYOND = {
    (LI,): (LIST, TABLE, DL),
    (DD,): (DL, TABLE, LIST),
    (TD,): (TR, TBODY, TABLE),
    (TR,): (TBODY, TABLE),
    (TBODY,): (TABLE,),
    (OPTION,): (SELECT, OPTGROUP),
    (OPTGROUP,): (SELECT,),
    (P, BLOCK, LIST, DL, TABLE): (LI, DD, TD, BLOCK, LIST, DL, TABLE, BODY),
}


def aligned(name: str) -> int:
    """Return the first characters of a name as one number, in which names are in alphabetical order."""
    return pack(name[:LONGEST_NAME].ljust(LONGEST_NAME, "\0"))


def _table(groups: dict[tuple[int, ...], tuple[int, ...]]) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    table = np.zeros((N_GROUPS, N_GROUPS), bool)
    for opened, others in groups.items():
        table[np.ix_(opened, others)] = True
    return table


_group_of = {aligned(name): group for group, names in _NAMES_BY_GROUP.items() for name in names.split()}
NAMES = np.array(sorted(_group_of), np.int64)
"""(n_names,) known names, packed, in ascending order."""
GROUPS = np.array([_group_of[name] for name in sorted(_group_of)], np.uint8)
"""(n_names,) the group of each."""
TIGHT_NAMES = np.array(
    sorted(
        aligned(name)
        for names in _NAMES_BY_GROUP.values()
        for name in names.split()
        if len(name) > 1 and name not in _NOT_TIGHT.split()
    ),
    np.int64,
)
"""Names that are tags also right after a letter, in a text that is not a page of HTML."""
PAGE_NAMES = np.array(
    sorted(aligned(name) for name in ("html", "head", "body", "title", "meta", "link", "base", "script", "style")),
    np.int64,
)
"""Names with which a page of HTML may begin; other elements also begin texts of Markdown."""
CLOSES = _table(_CLOSED_BY)
"""(n_groups, n_groups) whether an element of the first group ends an open one of the second."""
CLOSES_ANY: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.isin(np.arange(N_GROUPS), np.flatnonzero(CLOSES.sum(1)))
"""(n_groups,) whether an element of the group ends any others."""
STOPS = _table(_NOT_BEYOND)
"""(n_groups, n_groups) whether an open element of the second group keeps what it contains from that."""
