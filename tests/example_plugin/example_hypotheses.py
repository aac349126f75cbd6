"""Two hypotheses, as a plug-in brings them."""

from probe import hypothesis


@hypothesis(kind="binary")
def after_comma(text: str) -> list[bool]:
    """Is the character before this one a comma?

    >>> print(after_comma.mark("a, b"))
    a, b
    ..x.
    """
    return [before == "," for before in " " + text][: len(text)]


@hypothesis(unit="syllables", source="anybody's ear")
def syllables_so_far(text: str, vowels: str = "aeiouy") -> list[int]:
    """How many groups of vowels has the word had, as far as it has been read?

    >>> print(syllables_so_far.mark("reader, a"))
    reader, a
    011122001
    """
    labels, count, before = [], 0, " "
    for char in text:
        count = 0 if not char.isalpha() else count + (char in vowels and before not in vowels)
        labels.append(count)
        before = char
    return labels
