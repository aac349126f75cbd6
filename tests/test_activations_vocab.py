"""Characters and ids, and what happens to characters that a model does not know."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.errors import ActivationError
from activations.importers.vocabulary.token_names import vocabulary_of
from activations.texts.corpus import Corpus
from activations.texts.vocab import REPLACEMENT, Vocabulary


@given(st.text(min_size=2))
def test_ids_are_positions_among_the_characters(text: str) -> None:
    vocabulary = Vocabulary.of([text])
    ids = vocabulary.encode(Corpus.from_texts([text]))
    assert "".join(vocabulary.characters[n] for n in ids) == text


def test_rare_characters_share_a_declared_replacement() -> None:
    vocabulary = Vocabulary.of(["aaabbbc"], min_count=2)
    assert vocabulary == Vocabulary("ab" + REPLACEMENT, REPLACEMENT)
    assert vocabulary.encode(Corpus.from_texts(["abcz"]), replace_unknown=True).tolist() == [0, 1, 2, 2]
    assert vocabulary.check(Corpus.from_texts(["czabz"]), replace_unknown=True) == 3


def test_unknown_characters_are_named_with_their_position() -> None:
    corpus = Corpus.from_texts(["ab\nb", "aé\nbü"], ["one.txt", "two.txt"])
    with pytest.raises(ActivationError) as caught:
        Vocabulary("ab\n").encode(corpus)
    for part in ("2 characters", "'é' (two.txt, line 1, column 2)", "'ü' (two.txt, line 2, column 2)", "--min-count"):
        assert part in str(caught.value)


def test_unknown_characters_are_replaced_only_on_request() -> None:
    vocabulary = Vocabulary("ab" + REPLACEMENT, REPLACEMENT)
    with pytest.raises(ActivationError, match="--replace-unknown"):
        vocabulary.encode(Corpus.from_texts(["abc"]))
    with pytest.raises(ActivationError, match="1 character of the text is not"):
        Vocabulary("ab").encode(Corpus.from_texts(["abc"]), replace_unknown=True)


def test_a_vocabulary_has_each_character_once_and_its_replacement() -> None:
    with pytest.raises(ActivationError, match="'a' more than once"):
        Vocabulary("aba")
    with pytest.raises(ActivationError, match="not among"):
        Vocabulary("ab", "c")


@pytest.mark.parametrize("token", ["\r\n", "a\tb", "\x1b[2J", "<so\ns>"])
def test_names_of_tokens_stand_in_one_line(token: str) -> None:
    vocabulary = vocabulary_of(["a", token])
    [name] = vocabulary.names.values()
    assert name.isprintable() and name.startswith("<") and name.endswith(">")
    assert vocabulary.unnamed(vocabulary.shown(vocabulary.characters)) == vocabulary.characters
    with pytest.raises(ActivationError, match="has no name in angle brackets that can be printed"):
        Vocabulary("ab", names={"b": f"<{token}>"})
