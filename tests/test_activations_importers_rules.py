"""What imported models read of a text: vocabularies that fold characters, of bytes, and with tokens that have names."""

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from foreign import renamed, tensors

from activations.errors import ActivationError
from activations.importers.importing import import_model
from activations.importers.wrapping import wrap
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import load_model, save_model
from activations.models.evaluation import evaluate
from activations.models.training.config import TrainingConfig
from activations.models.training.training import train
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.vocab import Vocabulary

_FOLDED = {"\n": 0, "A": 1, "B": 2, "a": 1, "b": 2, "é": 3, "É": 3, "e": 3, "E": 3}


def _random_gru(n_characters: int) -> CharRNN:
    torch.manual_seed(0)
    config = ModelConfig(cell="gru", n_layers=1, n_units=5, n_embedding=3)
    return CharRNN(config, Vocabulary("abcdefgh"[:n_characters])).eval()


def _file(tmp_path: Path, n_characters: int, **beside: Any) -> Path:
    model = _random_gru(n_characters)
    torch.save({"model": tensors(renamed(model)), **beside}, tmp_path / "m.pt")
    return tmp_path / "m.pt"


@pytest.mark.parametrize(
    ("beside", "characters"),
    [
        ({"char2idx": _FOLDED}, "\nabe"),
        ({"char2idx": _FOLDED, "idx2char": {0: "\n", 1: "A", 2: "b", 3: "é"}}, "\nAbé"),
        ({"char2idx": _FOLDED, "characters": ["\n", "A", "b", "é"]}, "\nAbé"),
        ({"char2idx": dict(reversed(_FOLDED.items()))}, "\nabe"),
    ],
)
def test_characters_that_share_an_id_are_read_as_one(beside: dict[str, Any], characters: str, tmp_path: Path) -> None:
    model = import_model(_file(tmp_path, 4, **beside)).model
    assert model.vocabulary.characters == characters
    save_model(model, tmp_path / "ours.pt")
    result = evaluate(load_model(tmp_path / "ours.pt"), Corpus.from_texts(["AbÉ\naBe"]))
    model.reading_rule = PLAIN
    assert result == evaluate(model, Corpus.from_texts(["".join(characters[_FOLDED[char]] for char in "AbÉ\naBe")]))


def test_characters_that_share_the_id_of_a_token_are_read_as_the_token(tmp_path: Path) -> None:
    model = import_model(_file(tmp_path, 3, stoi={"a": 0, "b": 1, "é": 2, "<unk>": 2, "日": 2})).model
    assert model.vocabulary == Vocabulary("ab\ufffd", "\ufffd", {"\ufffd": "<unk>"})
    assert model.reading_rule == ReadingRule(substitutes=(("é", "\ufffd"), ("日", "\ufffd")))


def test_tables_of_as_many_ids_that_contradict_each_other_are_no_vocabulary(tmp_path: Path) -> None:
    path = _file(tmp_path, 4, char2idx=_FOLDED, idx2char={0: "\n", 1: "x", 2: "b", 3: "é"})
    with pytest.raises(ActivationError, match="the file holds more than one"):
        import_model(path)


def test_vocabularies_that_are_given_may_fold_characters_too(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps(_FOLDED), encoding="utf-8")
    model = import_model(renamed(_random_gru(4)), f"json:{tmp_path / 'v.json'}").model
    wrapped = wrap(None, torch.nn.GRU(4, 3), torch.nn.Linear(3, 4), _FOLDED)
    assert model.vocabulary.characters == wrapped.vocabulary.characters == "\nabe"
    assert dict(model.reading_rule.substitutes) == {"A": "a", "B": "b", "É": "e", "é": "e", "E": "e"}
    assert set(wrapped.reading_rule.substitutes) == set(model.reading_rule.substitutes)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_characters_may_be_kept_as_bytes(protocol: int, tmp_path: Path) -> None:
    model = _random_gru(4)
    kept = {b"<unk>": 0, b"a": 1, "é".encode(): 2, "日".encode(): 3}
    for table in ({"item2idx": kept}, {"idx2item": list(kept)}, {"item2idx": kept, "idx2item": list(kept)}):
        (tmp_path / "m.pkl").write_bytes(pickle.dumps({**renamed(model), **table}, protocol))
        result = import_model(tmp_path / "m.pkl").model.vocabulary
        assert result == Vocabulary("\ufffdaé日", "\ufffd", {"\ufffd": "<unk>"})
    single = {bytes([byte]): n for n, byte in enumerate((97, 0xC3, 0xA9, 10))}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps({**renamed(model), "item2idx": single}, protocol))
    assert import_model(tmp_path / "m.pkl").model.vocabulary.characters == "a\xc3\xa9\n"


def test_tokens_of_several_characters_have_names(tmp_path: Path) -> None:
    path = _file(tmp_path, 6, stoi={"<sos>": 0, "<eos>": 1, "a": 2, "PAD": 3, "<unk>": 4, "b": 5})
    vocabulary = import_model(path).model.vocabulary
    assert vocabulary.shown(vocabulary.characters) == "<sos><eos>a<PAD><unk>b"
    assert vocabulary.unnamed("<sos>ab<eos>") == "".join(vocabulary.characters[n] for n in (0, 2, 5, 1))
    rule = ReadingRule(begins=True, ends="documents")
    assert import_model(path, rule=rule).model.reading_rule == rule
    with pytest.raises(ActivationError, match="no token <sos>; its tokens with names are <padding>"):
        import_model(_file(tmp_path, 4, stoi={"a": 1, "b": 2, "c": 3}), rule=ReadingRule(begins=True))


@pytest.fixture(scope="module")
def french() -> tuple[CharRNN, Corpus]:
    """A model of bytes that was trained on a text, and the text."""
    rng = np.random.default_rng(0)
    words = ["été", "où", "voilà", "ça", "mère", "fête", "le", "un", "«", "»"]
    text = Corpus.from_texts([" ".join(rng.choice(words, 4000)) + "\n"])
    spelled = Corpus.from_texts([text.text().encode().decode("latin-1")])
    vocabulary = Vocabulary("".join(map(chr, range(256))))
    config = TrainingConfig(epochs=12, n_lanes=16, n_steps=32, learning_rate=0.02)
    return train(spelled, spelled, ModelConfig(n_layers=1, n_units=24), config, vocabulary=vocabulary).model, text


def test_a_text_tells_that_a_model_reads_bytes(french: tuple[CharRNN, Corpus]) -> None:
    model, text = french
    arrays = dict(model.state_dict())
    with pytest.raises(ActivationError, match="it has .* with --read-as bytes; do that, or keep this interpretation"):
        import_model(arrays, model.vocabulary, text=text)
    result = import_model(arrays, model.vocabulary, text=text, rule=ReadingRule(read_as="bytes"))
    assert result.evaluation is not None and result.search is not None
    spelled = Corpus.from_texts([text.text().encode().decode("latin-1")])
    n_tokens = len(spelled) / len(text)
    assert result.evaluation.nats_per_char == pytest.approx(evaluate(model, spelled).nats_per_char * n_tokens, rel=1e-3)
    assert result.search.nats_per_char == pytest.approx(result.evaluation.nats_per_char, rel=0.1)
    assert "rule       the text is read as bytes" in str(result)
    assert result.model.reading_rule == ReadingRule(read_as="bytes")


def test_another_reading_is_no_other_where_it_reads_the_same(french: tuple[CharRNN, Corpus]) -> None:
    model, _ = french
    plain = Corpus.from_texts(["le un le le un un\n" * 30])
    result = import_model(dict(model.state_dict()), model.vocabulary, text=plain, force=True)
    assert result.search is not None and "bytes" not in str(result)
