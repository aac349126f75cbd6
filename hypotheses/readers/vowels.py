"""Vowels of the alphabets that have letters for them."""

import unicodedata

OTHER, VOWEL, NO_VOWELS = range(3)

_VOWELS = {
    "LATIN": "aeiouæœøıəɛɔɐɑɒɘɜɞɨɩɪɯɵɤʉʊʌʏɶɷȣⱥɇǝ",
    "CYRILLIC": "аеиоуыэюяєіәөүұӕѣѧѩѫѭѡѥꙗꙋꙑ",
    "GREEK": "αεηιουω",
    "ARMENIAN": "աեէըիոօև",
    "GEORGIAN": "აეიოუჱ",
}
_NO_VOWELS = "йў"  # the letters under their accents are vowels
_WITH_ACCENT = "y"


def vowel_class(char: str) -> int:
    """Tell of a character: `VOWEL`, `NO_VOWELS` for letters and marks of scripts without vowel letters, else `OTHER`.

    The script is the first word of the character's name in Unicode, its letter the first of its decomposition.
    """
    if unicodedata.category(char)[0] not in "LM":
        return OTHER
    decomposed = unicodedata.normalize("NFKD", char)
    letter = decomposed[0].lower()[0]
    script = unicodedata.name(letter, "").partition(" ")[0]
    if script in ("COMBINING", "MODIFIER", "VARIATION"):
        return OTHER
    if script not in _VOWELS:
        return NO_VOWELS
    has_accent = len(decomposed) > 1 and unicodedata.category(decomposed[1]) == "Mn"
    is_vowel = letter in _VOWELS[script] or (letter in _WITH_ACCENT and has_accent)
    return VOWEL if is_vowel and char.lower() not in _NO_VOWELS else OTHER
