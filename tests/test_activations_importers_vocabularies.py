"""Vocabularies as programs save them: which values are one, in what order, and which only look like one."""

import io
import json
import pickle
import string
from collections import Counter, OrderedDict, UserDict, UserList, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from foreign import renamed

from activations.errors import ActivationError
from activations.importers.contents import Contents
from activations.importers.formats.flattening import flatten
from activations.importers.formats.pickles import read_pickle
from activations.importers.importing import import_model
from activations.importers.vocabulary.vocabularies import FoundVocabulary, file_of, find_vocabulary
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.vocab import Vocabulary

TEXT = "a cat\nsat on a mat"
CHARS = "".join(sorted(set(TEXT)))  # "\n acmnost"
N = len(CHARS)


class Dictionary:
    """As flair has it."""

    def __init__(self) -> None:
        self.item2idx = {b"<unk>": 0} | {char.encode(): n for n, char in enumerate(CHARS, 1)}
        self.idx2item = list(self.item2idx)
        self.multi_label = False


class TorchtextVocab:
    """As torchtext had it: counts beside the order."""

    def __init__(self) -> None:
        self.freqs = Counter(TEXT)
        self.itos = ["<unk>", "<pad>", *CHARS]
        self.stoi = defaultdict(int, {token: n for n, token in enumerate(self.itos)})
        self.vectors = None


class Tokenizer:
    """As Keras has it with `char_level=True`, which folds upper and lower case."""

    def __init__(self, *, num_words: int | None = None, oov_token: str | None = None) -> None:
        self.word_counts = OrderedDict(Counter(TEXT))
        tokens = ([oov_token] if oov_token else []) + [char for char, _ in Counter(TEXT).most_common()]
        self.word_index = {token: n for n, token in enumerate(tokens, 1)}
        self.index_word = {n: token for token, n in self.word_index.items()}
        self.num_words, self.oov_token, self.lower, self.char_level, self.split = num_words, oov_token, True, True, " "

    def to_json(self) -> str:
        strings = {name: json.dumps(value) for name, value in vars(self).items() if isinstance(value, dict)}
        return json.dumps({"class_name": "Tokenizer", "config": {**vars(self), **strings}})


class OwnDict(dict[str, int]):
    """A dictionary of a class of its own."""


class OwnList(list[str]):
    """A list of a class of its own."""


def saved(value: Any, protocol: int = 4) -> Contents:
    pickled = pickle.dumps(value, protocol)
    return flatten("a pickle", read_pickle(io.BytesIO(pickled)), len(pickled))


def found(value: Any, n_characters: int = N, spelling: str | None = None) -> FoundVocabulary:
    return find_vocabulary(spelling, n_characters, saved(value))


def characters(value: Any, n_characters: int = N) -> str:
    vocabulary = found(value, n_characters).vocabulary
    return vocabulary.shown(vocabulary.characters)


TO_IDS = {char: n for n, char in enumerate(CHARS)}
FROM_ONE = {char: n for n, char in enumerate(CHARS, 1)}


@pytest.mark.parametrize(
    "value",
    [
        {"char2idx": TO_IDS},
        {"codes": {ord(char): n for char, n in TO_IDS.items()}},
        {"codes": {n: ord(char) for char, n in TO_IDS.items()}},
        {"codes": [ord(char) for char in CHARS]},
        {"codes": np.array([ord(char) for char in CHARS], np.uint8)},
        {"codes": bytes(map(ord, CHARS))},
        {"codes": {str(n): ord(char) for char, n in TO_IDS.items()}},
        {"codes": {str(ord(char)): n for char, n in TO_IDS.items()}},
        {"codes": [str(ord(char)) for char in CHARS]},
        {"vocab": {char.encode(): float(n) for char, n in TO_IDS.items()}},
        {"vocab": {char: str(n) for char, n in TO_IDS.items()}},
        {"pairs": list(TO_IDS.items())},
        {"pairs": [[n, char] for char, n in TO_IDS.items()]},
        {"token_to_idx": FROM_ONE},
        {"idx_to_token": {str(n): char for char, n in FROM_ONE.items()}},
        {"chars": np.array(list(CHARS))},
        {"chars": np.array([char.encode() for char in CHARS])},
        {"escaped": [{"\n": r"\n", " ": "<space>"}.get(char, char) for char in CHARS]},
        {"own": OwnDict(TO_IDS)},
        {"own": OwnList(CHARS)},
        {"own": UserDict(TO_IDS)},
        {"own": UserList(CHARS)},
        {"settings": json.dumps({"vocab": TO_IDS})},
        json.dumps(json.dumps({"nested": list(CHARS)})),
    ],
    ids=lambda value: str(next(iter(value), "")) if isinstance(value, dict) else "a string",
)
@pytest.mark.parametrize("protocol", [2, 4])
def test_characters_come_in_the_order_of_their_ids(value: Any, protocol: int) -> None:
    assert find_vocabulary(None, N, saved(value, protocol)).vocabulary == Vocabulary(CHARS)


@pytest.mark.parametrize("beside", [{}, {"n": N, "vocab_size": N, "freqs": Counter(TEXT), "perm": list(range(N))}])
def test_ids_from_one_leave_a_row_for_padding_if_the_model_has_one_more(beside: dict[str, Any]) -> None:
    value = {"char2idx": FROM_ONE, **beside}
    assert characters(value) == CHARS
    assert "ids count from 1" in found(value).source
    assert characters(value, N + 1) == f"<padding>{CHARS}"


@pytest.mark.parametrize("lost", ["\n", "a", "s"])
def test_ids_that_a_dictionary_leaves_out_have_names(lost: str) -> None:
    some = {char: n for char, n in TO_IDS.items() if char != lost}
    id_ = TO_IDS[lost]
    assert characters({"stoi": some}) == CHARS.replace(lost, f"<unused {id_}>" if id_ else "<padding>")


def test_words_of_a_few_letters_are_not_named_as_vocabularies() -> None:
    contents = flatten("JSON", {"device": "cuda", "chars": CHARS[1:]}, 100)
    with pytest.raises(ActivationError, match=rf"none of that size \(chars has {N - 1}\)"):
        find_vocabulary(None, 5 * N // 2, contents)


def test_rows_behind_the_last_character_have_names_and_are_told() -> None:
    result = found({"stoi": TO_IDS}, N + 3)
    assert (
        result.vocabulary.shown(result.vocabulary.characters) == CHARS + f"<unused {N}><unused {N + 1}><unused {N + 2}>"
    )
    assert result.source == f"stoi in the file itself, without characters for ids {N} to {N + 2}"
    both = found({"stoi": {char: n + 2 for char, n in TO_IDS.items()}}, N + 3)
    assert both.source.endswith(f"without characters for ids 0 to 1 and {N + 2}")
    with pytest.raises(ActivationError, match=rf"holds none of that size \(chars has {N}\)"):
        found({"chars": list(CHARS)}, N + 3)  # whether they are before or behind these is not said


@pytest.mark.parametrize(
    "value",
    [
        {"freqs": Counter(TEXT)},
        {"freqs": {char: 10 * n + 3 for n, char in enumerate(CHARS)}},
        {"freqs": Counter(TEXT).most_common()},
        {"perm": list(range(N))},
        {"perm": list(range(1, N + 1))},
        {"ids": {n: n for n in range(N)}},
        {"ids": {str(n): n + 1 for n in range(10, 10 + N)}},
        {"order": list(range(N))[::-1]},
        {"order": np.random.default_rng(0).permutation(N)},
        {"by_id": {n: 50 * n + 1000 for n in range(N)}},
        {"sizes": [128, 256, 512, 24, 48, 96, 12, 6, 3]},
        {"bytes": list(range(256)), "more": list(range(128))},
        {
            "words": [
                "the",
                "cat",
                "a",
                "sat",
                "on",
                "mat",
                "dog",
                "log",
                "i",
                *(3 * string.ascii_lowercase[n : n + 2] for n in range(9)),
            ]
        },
        {"chars": list("abcabcabc")},
        {"text": TEXT},
        pytest.param({"chars": set(CHARS)}, id="a set"),
    ],
    ids=str,
)
@pytest.mark.parametrize("n_characters", [N, N + 1, 128, 256])
def test_counts_sizes_and_numbers_are_no_vocabulary(value: Any, n_characters: int) -> None:
    with pytest.raises(ActivationError, match="must be given, since the file holds none"):
        found(value, n_characters)


def test_objects_that_hold_their_vocabulary() -> None:
    assert characters({"dictionary": Dictionary()}, N + 1) == f"<unk>{CHARS}"
    assert characters({"field": {"vocab": TorchtextVocab()}}, N + 2) == f"<unk><pad>{CHARS}"
    assert found(TorchtextVocab(), N + 2).vocabulary.replacement == "\ufffd"


@pytest.mark.parametrize("kept", [Tokenizer(), Tokenizer().to_json(), json.dumps(Tokenizer().to_json())])
def test_a_keras_tokenizer_counts_from_one_by_frequency_and_folds_case(kept: Any) -> None:
    by_frequency = "".join(char for char, _ in Counter(TEXT).most_common())
    result = found({"tokenizer": kept}, N + 1)
    assert result.vocabulary.shown(result.vocabulary.characters) == f"<padding>{by_frequency}"
    assert result.read_as == "lower"


def test_a_keras_tokenizer_may_know_only_the_most_frequent_characters() -> None:
    tokenizer = Tokenizer(num_words=5, oov_token="<OOV>")
    result = found(tokenizer.to_json(), 5)
    first, second, third = (char for char, _ in Counter(TEXT).most_common(3))
    assert result.vocabulary.shown(result.vocabulary.characters) == f"<padding><OOV>{first}{second}{third}"
    assert result.vocabulary.replacement == "\ufffd"
    assert set(result.substitutes) == {(char, "\ufffd") for char in CHARS if char not in (first, second, third)}
    assert found(Tokenizer(num_words=4).to_json(), 4).substitutes == ()


def test_fillers_may_repeat_and_the_tokens_around_a_text_have_one_name() -> None:
    fastai = [
        "xxunk",
        "xxpad",
        "xxbos",
        "xxeos",
        "xxfld",
        "xxmaj",
        "xxup",
        "xxrep",
        "xxwrep",
        *string.ascii_lowercase,
        "xxfake",
        "xxfake",
    ]
    shown = characters({"vocab": fastai}, len(fastai))
    assert shown.startswith("<xxunk><xxpad><sos><eos><xxfld>") and shown.endswith("<xxfake><<xxfake>>")
    keras = found({"vocabulary": ["", "[UNK]", *CHARS]}, N + 2).vocabulary
    assert keras.shown(keras.characters) == f"<empty><[UNK]>{CHARS}" and keras.replacement == "\ufffd"
    assert characters(["<s>", "</s>", *CHARS], N + 2) == f"<sos><eos>{CHARS}"
    assert characters(["</s>", "<eos>", "<END>", *CHARS], N + 3) == f"</s><eos><END>{CHARS}"


def test_vocabularies_that_contradict_each_other_are_named_and_one_can_be_chosen(tmp_path: Path) -> None:
    value = {"in": {"chars": list(CHARS)}, "out": {"chars": list(CHARS[::-1])}}
    with pytest.raises(
        ActivationError,
        match=r"holds more than one, in.chars, out.chars, which contradict each other \(id 0 is '\\n' in in.chars and "
        r"'t' in out.chars\); choose one, as with --vocab file:in.chars",
    ):
        found(value)
    assert found(value, spelling="file:out.chars").vocabulary.characters == CHARS[::-1]
    assert found(value, spelling="file:in.chars").name == "in.chars"
    with pytest.raises(ActivationError, match="no vocabulary named chars; what may be one: in.chars, out.chars"):
        found(value, spelling="file:chars")
    path = tmp_path / "v.json"
    path.write_text(json.dumps(value))
    with pytest.raises(ActivationError, match=f"choose one, as with --vocab json:{path}:in.chars"):
        find_vocabulary(f"json:{path}", N, Contents("none"))
    assert find_vocabulary(f"json:{path}:out.chars", N, Contents("none")).vocabulary.characters == CHARS[::-1]
    assert file_of(f"json:{path}:out.chars") == path


def test_a_model_may_number_characters_by_their_code_points() -> None:
    torch_model = CharRNN(ModelConfig(cell="gru", n_layers=1, n_units=3), Vocabulary("".join(map(chr, range(256)))))
    assert import_model(renamed(torch_model), "code-points").model.vocabulary == torch_model.vocabulary
    codes = [(7 * n) % 256 for n in range(256)]  # of bytes, in an order of its own
    assert found({"byte_of": codes}, 256).vocabulary.characters == "".join(map(chr, codes))
    with pytest.raises(ActivationError, match="holds none"):  # whether keys or values are ids is not said
        found({"byte_of": dict(enumerate(codes))}, 256)
    kept = {bytes([n]): n for n in range(256)}
    assert found({"item2idx": kept}, 256).vocabulary == torch_model.vocabulary
    assert found({"item2idx": kept}, 256).read_as == "bytes"


@pytest.mark.parametrize("protocol", [2, 4])
def test_single_bytes_that_are_no_characters_say_that_the_model_reads_bytes(protocol: int) -> None:
    table = {"a": 0, " ": 1, b"\xc3": 2, b"\xa9": 3}
    for value in (table, {n: char for char, n in table.items()}, list(table)):
        result = find_vocabulary(None, 4, saved({"vocab": value}, protocol))
        assert (result.vocabulary, result.read_as) == (Vocabulary("a \xc3\xa9"), "bytes")
    for plain in (["a", " ", "\xc3", "\xa9"], [b"a", b" ", "é".encode(), b"b"], [b"a", b" ", b"\xc3", "日"]):
        assert found({"vocab": plain}, 4).read_as == ""


def test_tokens_can_be_given_by_name() -> None:
    vocabulary = find_vocabulary(r"chars:a<eos>b\n<unk>", 5, Contents("none")).vocabulary
    assert vocabulary.shown(vocabulary.characters) == "a<eos>b\n<unk>" and vocabulary.replacement == "\ufffd"
    assert find_vocabulary("chars:<a>bc", 5, Contents("none")).vocabulary.characters == "<a>bc"
