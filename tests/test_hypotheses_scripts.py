"""Words, sentences and vowels of other scripts than English."""

import unicodedata

import numpy as np
import pytest

from hypotheses.registry import get


@pytest.mark.parametrize(
    ("name", "text", "labels"),
    [
        ("vowel", "aeiouyAEIOUY", "xxxxx.xxxxx."),
        ("vowel", "áèîõüå ýŷ ñç", "xxxxxx.xx..."),
        ("vowel", "æøœıİəßł", "xxxxxx.."),
        ("vowel", "ṹǿǽ ởế đ", "xxx.xx.."),  # two accents
        ("vowel", "абвгдеёжзийклмн", "x....xx..x....."),
        ("vowel", "опрстуфхцчшщъыьэюя", "x....x.......x.xxx"),
        ("vowel", "ЙўЎїіє", "...xxx"),
        ("vowel", "αβγδεζηθικλμνξοπρστυφχψω", "x...x.x.x.....x....x...x"),
        ("vowel", "άέήίόύώ ᾳ ῷ ς", "xxxxxxx.x.x.."),
        ("vowel", "աբգե აბე", "x..x.x.x"),
        ("vowel", "中の한अב1 。", "?????..."),
        ("vowel", "e\u0301ｅ", "x.x"),  # the accent is no vowel; the letter is, also at full width
        ("vowel", "か\u3099", "?."),
        ("in_word", "❤\ufe0f a\u00adb c\u200dd e\u0301", "...xxx.xxx.xx"),
        ("in_word", "\u0301 \u200d\u00ad", "...."),
        ("in_word", "м'ята l'homme", "x.xxx.x.xxxxx"),
        ("in_word", "今天下雨。我们，", "xxxx.xx."),
        ("position_in_word", "GDP是US$5第3章a", "123112?11231"),
        ("end_of_word", "GDP是US$5第3章a", "..xx.x.x..xx"),
        ("chars_until_word_ends", "ab中c", "1000"),
        ("capitalised", "GDP是中", "xxx.."),
        ("in_word", "สวัสดี ครับ", "xxxxxx.xxxx"),
        ("position_in_word", "e\u0301a\u00adb", "12345"),
        ("capitalised", "Ёж ёж Ǆ ǅep İstanbul ıI", "xx....x.xxx.xxxxxxxx..."),
        ("capitalised", "l'Homme d'eau O'Brien", "..xxxxx.......x.xxxxx"),
        ("capitalised", "中文 ა Ωmega", ".....xxxxx"),
        ("all_capitals", "США ЁЖ ǅAB ΑΘ 中文", ".xx..x......x..."),
        ("sentence_start", "今天下雨。我们在家。", "x...xx...x"),
        ("sentence_start", "「好。」他！", "xxxxxx"),
        ("sentence_start", "ab？cd", "xxxxx"),
        ("sentence_start", "Τι ab; Ναι", "xx........"),
        ("sentence_start", "Τι είναι; Ναι, α", "xx.......xxxx..."),
        ("sentence_start", "a; b", "x..."),
        ("sentence_start", "هل هذا؟ نعم هو", "xx.....xxxx..."),
        ("sentence_start", "राम है। वह था", "xxx....xxx..."),
        ("sentence_start", "Ул. Мира, ср. Кн. Я. Да", "xx....................."),
        ("sentence_start", "A et al. saw B, p. ex. C", "x" + "." * 23),
        ("sentence_start", "Он, т.е. я, см. рис. Да! Нет", "xx......................xxxx"),
        ("sentence_start", "¿Qué? ¡Sí! a", "xxxx.xxxx.xx"),
        ("sentence_start", "z.B. die bzw. das", "x................"),
        ("in_proper_name", "он знает Анну. Анна", "??.......xxxx..????"),
        ("chars_until_word_ends", "don't ab", "432?0?10"),
        ("chars_until_word_ends", "a' 'b", "0???0"),
        ("chars_until_word_ends", "", ""),
        ("chars_until_word_ends", "слово", "43210"),
    ],
)
def test_labels_beyond_english(name: str, text: str, labels: str) -> None:
    assert get(name)(text).marks() == labels


def test_a_word_ends_where_no_characters_are_left_of_it() -> None:
    text = "Don't l'homme, x_1 e\u0301te\u0301!  '90s rock'n'roll\n" * 3
    ahead, ends = get("chars_until_word_ends")(text), get("end_of_word")(text)
    np.testing.assert_array_equal((ahead.values == 0) & ahead.present, ends.values)
    np.testing.assert_array_equal(ahead.present, get("in_word")(text).values)


def test_an_accent_does_not_change_whether_a_letter_is_a_vowel() -> None:
    """Whatever Unicode composes of a Latin, Greek or Cyrillic letter, but й, ў and y with an accent."""
    n_compared = 0
    for code in [*range(0xC0, 0x530), *range(0x1E00, 0x2000)]:
        decomposed = unicodedata.normalize("NFD", chr(code))
        if len(decomposed) > 1 and decomposed[0].isalpha() and chr(code) not in "йЙўЎ" and decomposed[0] not in "yY":
            labels = get("vowel")(decomposed[0] + chr(code)).values
            assert labels[0] == labels[1], chr(code)
            n_compared += 1
    assert n_compared > 500
