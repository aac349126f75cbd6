"""What a model reads of a text is found out from the text: its case, its bytes, its direction, its tokens at line ends.

The models are networks whose predictions are known: those of the frequencies of pairs in what each of them reads.
"""

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from foreign import Arrays

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.importers.readings import Reading, Samples
from activations.importers.vocabulary.token_names import vocabulary_of
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.vocab import Vocabulary

WORDS = {
    "English": "The Duke of York the king and Queen Margaret went to London with all that I have Sir no more of this",
    "French": "été où voilà ça Mère fête le un « » garçon À Élise forêt île là-bas déjà où elle était née L'été",
    "German": "Übung das Haus für schöne Bäume größer über den Fluß Straße Mädchen und Ärger öffnet die Tür heißt",
    "Greek": "Αθήνα και η θάλασσα Είναι ένα ωραίο νησί του Αιγαίου με λευκά σπίτια που λάμπουν στον Ήλιο όταν",
    "Chinese": "春眠 不觉 晓 处处 闻 啼鸟 夜来 风雨 声 花落 知 多少 床前 明月 光 疑是 地上 霜 举头 望",
    "Russian": "Мой дядя самых честных правил когда не в шутку Занемог он уважать себя Заставил и лучше выдумать",
}
BYTES = [chr(byte) for byte in range(256)]


def text_of(language: str, *, n_words: int = 1500) -> str:
    """Lines of words that follow each other at random."""
    words = np.random.default_rng(0).choice(WORDS[language].split(), n_words).tolist()
    return "\n".join(" ".join(words[n : n + 7]) for n in range(0, n_words, 7)) + "\n"


def counted(documents: Sequence[Sequence[str]], tokens: Sequence[str]) -> tuple[Arrays, float]:
    """Make a network that predicts a token by the frequencies of pairs, and return the sum of its losses, in nats."""
    ids = {token: n for n, token in enumerate(tokens)}
    counts = np.full((len(tokens), len(tokens)), 0.01)
    for document in documents:
        for before, after in pairwise(document):
            counts[ids[before], ids[after]] += 1
    nats = -np.log(counts / counts.sum(axis=1, keepdims=True))
    one_hot = np.eye(len(tokens), dtype=np.float32)
    arrays = {
        "encoder.weight": one_hot,
        "rnn.weight_ih_l0": 30 * one_hot,  # of whose outputs tanh makes 0 and 1
        "rnn.weight_hh_l0": 0 * one_hot,
        "decoder.weight": -nats.T.astype(np.float32),
    }
    return arrays, sum(nats[ids[before], ids[after]] for document in documents for before, after in pairwise(document))


def refused_with(arrays: Arrays, tokens: Sequence[str], text: str) -> tuple[str, float]:
    """Return the options that a message names when a model is imported, and the loss that it tells."""
    with pytest.raises(ActivationError) as error:
        import_model(arrays, vocabulary_of(tokens), text=Corpus.from_texts([text]))
    match = re.search(
        r"(?:it has|knows all, and has a loss of) ([\d.]+) (?:nats .*)?with (--.*?); do that", str(error.value)
    )
    assert match is not None, error.value
    return match[2], float(match[1])


def assert_read_as(
    read: Sequence[Sequence[str]], tokens: Sequence[str], text: str, options: str, rule: ReadingRule
) -> None:
    """Assert that a model of what is read is refused with the right options and loss, and predicts well with them."""
    arrays, nats = counted(read, tokens)
    named, loss = refused_with(arrays, tokens, text)
    n_predicted = len(text) - (len(read) if "--documents" in options and "--sos" not in options else 1)
    assert named == options
    assert loss == pytest.approx(nats / n_predicted, abs=0.05)  # on a sample
    if "--documents" not in options:
        result = import_model(arrays, vocabulary_of(tokens), text=Corpus.from_texts([text]), rule=rule)
        assert result.evaluation is not None
        assert result.evaluation.nats_per_char == pytest.approx(nats / n_predicted, abs=0.004)
        assert result.model.reading_rule == rule


@pytest.mark.parametrize("language", ["English", "German", "Russian"])
@pytest.mark.parametrize("knows_capitals", [False, True])
@pytest.mark.parametrize("backwards", [False, True])
def test_lower_case(language: str, knows_capitals: bool, backwards: bool) -> None:
    text = text_of(language)
    read = text.lower()[:: -1 if backwards else 1]
    tokens = sorted(set(text + read if knows_capitals else read))
    options = "--read-as lower" + " --backwards" * backwards
    assert_read_as([read], tokens, text, options, ReadingRule(read_as="lower", backwards=backwards))


@pytest.mark.parametrize("language", ["French", "Greek", "Chinese"])
@pytest.mark.parametrize("backwards", [False, True])
def test_bytes(language: str, backwards: bool) -> None:
    text = text_of(language)
    read = text.encode().decode("latin-1")[:: -1 if backwards else 1]
    options = "--read-as bytes" + " --backwards" * backwards
    assert_read_as([read], BYTES, text, options, ReadingRule(read_as="bytes", backwards=backwards))


def test_ascii() -> None:
    text = text_of("French")
    read = text.translate(str.maketrans("éèêÉàçîôÀ«»", 'eeeEacioA""')).replace("ù", "u")
    assert read.isascii()
    assert_read_as([read], sorted(set(read)), text, "--read-as ascii", ReadingRule(read_as="ascii"))


@pytest.mark.parametrize("language", WORDS)
def test_backwards(language: str) -> None:
    text = text_of(language)
    assert_read_as([text[::-1]], sorted(set(text)), text, "--backwards", ReadingRule(backwards=True))


@pytest.mark.parametrize("end", ["<eos>", "</s>", "[END]"])
@pytest.mark.parametrize("backwards", [False, True])
def test_tokens_at_line_ends(end: str, backwards: bool) -> None:
    text = text_of("English")
    read = [end if char == "\n" else char for char in text][:: -1 if backwards else 1]
    options = "--backwards " * backwards + "--eos lines"
    assert_read_as(
        [read], [*sorted(set(text) - {"\n"}), end], text, options, ReadingRule(backwards=backwards, ends="lines")
    )


@pytest.mark.parametrize("begin", ["", "<sos>", "<s>"])
@pytest.mark.parametrize("language", ["English", "Greek", "German"])
def test_names_one_a_line(begin: str, language: str) -> None:
    text = text_of(language).replace(" ", "\n")
    read = [[*([begin] if begin else []), *name, "<eos>"] for name in text.split()]
    tokens = [*([begin] if begin else []), *sorted(set(text) - {"\n"}), "<eos>"]
    options = "--documents lines " + "--sos " * bool(begin) + "--eos lines"
    assert_read_as(read, tokens, text, options, PLAIN)


@pytest.mark.parametrize("language", WORDS)
def test_a_text_that_is_read_as_it_stands_is_left_as_it_is(language: str) -> None:
    text = text_of(language)
    for tokens in (sorted(set(text)), [*sorted(set(text)), "<unk>"], ["<eos>", *sorted(set(text)), "<sos>"]):
        arrays, nats = counted([text], tokens)
        result = import_model(arrays, vocabulary_of(tokens), text=Corpus.from_texts([text]))
        assert result.evaluation is not None and result.interpretation.rule == PLAIN
        assert result.evaluation.nats_per_char == pytest.approx(nats / (len(text) - 1), abs=1e-4)


def test_a_reading_that_was_asked_for_and_is_wrong_is_refused_too() -> None:
    text = text_of("English")
    arrays, _ = counted([text], sorted(set(text)))
    for rule, removed in (
        (ReadingRule(backwards=True), "--backwards"),
        (ReadingRule(read_as="lower"), "--read-as"),
        (ReadingRule(read_as="lower", backwards=True), "--read-as and --backwards"),
    ):
        with pytest.raises(ActivationError, match=rf"has (a loss of )?[\d.]+ (nats .*, )?without {removed}; do"):
            import_model(arrays, Vocabulary("".join(sorted(set(text)))), text=Corpus.from_texts([text]), rule=rule)


def test_no_reading_makes_all_characters_known() -> None:
    text = text_of("English")
    arrays, _ = counted([text], sorted(set(text)))
    with pytest.raises(
        ActivationError, match=r"30 characters of the text are not in the model's .*; check the import by a"
    ):
        import_model(arrays, Vocabulary("".join(sorted(set(text)))), text=Corpus.from_texts([text + 30 * "日"]))


def test_the_comparable_loss_has_what_a_reading_loses() -> None:
    """In a text of A and a at random, a model of lower case predicts everything, and says half of nothing."""
    chars = "".join(np.random.default_rng(0).choice(list("Aa"), 2000))
    model = CharRNN(ModelConfig(cell="rnn", n_layers=1, n_units=2), Vocabulary("Aa")).eval()
    for parameter in model.parameters():
        parameter.data.zero_()
    samples = Samples(Corpus.from_texts([chars]), model.vocabulary)
    plain = samples.loss(model, Reading(PLAIN))
    lower = samples.loss(model, Reading(ReadingRule(read_as="lower")))
    assert plain.nats_per_char == lower.nats_per_char == pytest.approx(np.log(2))
    assert plain.comparable == pytest.approx(np.log(2), abs=1e-3)
    assert lower.comparable == pytest.approx(2 * np.log(2), abs=2e-3)


def test_readings_that_read_the_same_are_one() -> None:
    vocabulary = Vocabulary("".join(map(chr, range(256))))
    lower_ascii = Samples(Corpus.from_texts(["abc abc"]), vocabulary)
    assert lower_ascii.readings(Reading(PLAIN)) == [Reading(PLAIN), Reading(ReadingRule(backwards=True))]
    accents = Samples(Corpus.from_texts(["Été"]), vocabulary)
    assert {reading.rule.read_as for reading in accents.readings(Reading(PLAIN))} == {"", "bytes", "lower", "ascii"}
    assert len(accents.readings(Reading(PLAIN))) == 8


@pytest.mark.parametrize("language", ["English", "German", "Russian"])
def test_a_replacement_for_unknown_characters_does_not_hide_that_a_text_was_folded(language: str) -> None:
    text = text_of(language)
    tokens = ["<unk>", *sorted(set(text.lower()))]
    assert_read_as([text.lower()], tokens, text, "--read-as lower", ReadingRule(read_as="lower"))


def test_a_tokenizer_that_says_that_it_folds_and_did_not_is_corrected_by_the_text(tmp_path: Path) -> None:
    """Its file says what the model reads; where the user does not, the text may say otherwise."""
    text = text_of("German")
    tokens = sorted(set(text))
    arrays, nats = counted([text], tokens)
    tokenizer = {"lower": True, "word_index": {token: n for n, token in enumerate(tokens, 1)}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    result = import_model(arrays, f"json:{tmp_path / 'tokenizer.json'}", text=Corpus.from_texts([text]))
    assert result.requested.rule.read_as == "lower" and result.interpretation.rule == PLAIN
    assert "settled    by the text, without --read-as" in str(result)
    assert result.evaluation is not None
    assert result.evaluation.nats_per_char == pytest.approx(nats / (len(text) - 1), abs=1e-4)


def test_a_model_that_is_bad_in_every_reading_is_refused_with_the_best_of_them() -> None:
    text = text_of("French")
    arrays, _ = counted([text[::-1]], sorted(set(text)))
    arrays["decoder.weight"] = 0.2 * arrays["decoder.weight"]  # so that it is less sure than the frequencies are
    with pytest.raises(
        ActivationError, match=r"no interpretation near this one does better than [\d.]+ \(with --backwards\)"
    ):
        import_model(arrays, Vocabulary("".join(sorted(set(text)))), text=Corpus.from_texts([text]))
