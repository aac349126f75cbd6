"""Reading by a rule gives what reading a text transformed by hand gives; labels are those of the text itself."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from profiles import n_examples

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import load_model, model_sha256, save_model
from activations.models.evaluation import losses
from activations.models.training.config import TrainingConfig
from activations.models.training.training import train
from activations.predictions import LOG_PROB
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.lanes.reading_state import ReadingState
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.format.checksums import attributes_checksum
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import EOS, PLAIN, SOS, ReadingRule
from activations.texts.selection import Selection
from activations.texts.tokenising import tokenise, vocabulary_to_learn
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.targets.labelling import target

_CHARACTERS = "aAbBçÇéÉ e\u0301\u0308\r\n“”—…ßİΣσ½\u00a0😀𝕏\U0010fffd日本"
_FLOAT32 = ComputeOptions(dtype="float32")
_SITES = (Site.of(0, "cell"), Site.of(0, "output_gate"), Site.of(1, "hidden"))
RULES = [
    ReadingRule(read_as=read_as, backwards=backwards, begins=begins, ends=ends, substitutes=substitutes)
    for read_as, backwards, begins, ends, substitutes in (
        ("lower", False, False, "", ()),
        ("ascii", False, False, "", ()),
        ("bytes", False, False, "", ()),
        ("", True, False, "", ()),
        ("lower", True, False, "lines", ()),
        ("ascii", True, True, "", ()),
        ("bytes", True, False, "documents", ()),
        ("", False, True, "lines", (("A", "a"), ("B", "a"))),
        ("", False, True, "documents", ()),
        ("bytes", True, True, "lines", ()),
    )
]
every_rule = pytest.mark.parametrize("rule", RULES, ids=str)


def _ascii_by_hand(char: str) -> str:
    table = {"“": '"', "”": '"', "—": "-", "ß": "ss", "½": "1/2", "\u00a0": " ", "…": "...", "𝕏": "X"}
    if char in table:
        return table[char]
    if unicodedata.combining(char):
        return ""
    first = unicodedata.normalize("NFD", char)[0]
    return first if first.isascii() else char


def _spelled_by_hand(char: str, rule: ReadingRule, eos: str) -> str:
    if rule.ends == "lines" and char == "\n":
        return eos
    spelled = {
        "": char,
        "lower": "i" if char == "İ" else char.lower(),
        "ascii": _ascii_by_hand(char),
        "bytes": "".join(chr(byte) for byte in char.encode("utf-8")),
    }[rule.read_as]
    return "".join(dict(rule.substitutes).get(each, each) for each in spelled)


def _by_hand(text: str, rule: ReadingRule, vocabulary: Vocabulary) -> tuple[str, list[int]]:
    """The tokens of one document, and for each of its characters the token whose row is its own."""
    eos = vocabulary.character_of(EOS) if rule.ends else ""
    read = vocabulary.character_of(SOS) if rule.begins else ""
    rows = []
    for char in reversed(text) if rule.backwards else text:
        spelled = _spelled_by_hand(char, rule, eos)
        read += spelled[::-1] if rule.backwards else spelled
        rows.append(max(len(read) - 1, 0))
    return read, rows[::-1] if rule.backwards else rows


def _vocabulary(texts: Sequence[str], rule: ReadingRule) -> Vocabulary:
    return vocabulary_to_learn([Corpus.from_texts([*texts, "aab"])], rule)


def _model(vocabulary: Vocabulary, cell: str = "lstm") -> CharRNN:
    torch.manual_seed(3)
    return CharRNN(ModelConfig(cell=cell, n_layers=2, n_units=5), vocabulary).eval()


def _whole(live: LiveActivations) -> tuple[dict[Site, np.ndarray], np.ndarray]:
    """Activations and log probabilities of all characters of a source."""
    n_chars = len(live.corpus)
    values = {site: np.full((n_chars, 5), np.nan, np.float32) for site in _SITES}
    told = np.full(n_chars, np.inf, np.float32)
    for block in live.blocks(_SITES, predictions=True):
        for site, own in block.values.items():
            values[site][block.positions] = own
        told[block.positions] = block.predictions[LOG_PROB]
    return values, told


texts_to_read = st.tuples(st.text(_CHARACTERS, min_size=1, max_size=200), st.text(_CHARACTERS, max_size=200))
documents = st.lists(texts_to_read.map("a".join), min_size=1, max_size=3)


def _expected(model: CharRNN, texts: Sequence[str], rule: ReadingRule) -> tuple[dict[Site, np.ndarray], np.ndarray]:
    """Activations and log probabilities as a model without a rule gives them for texts transformed by hand.

    And the log probabilities of the character that is read after each, NaN where none is.
    """
    values: dict[Site, list[np.ndarray]] = {site: [] for site in _SITES}
    told: list[float] = []
    for text in texts:
        read, rows = _by_hand(text, rule, model.vocabulary)
        spare = Corpus.from_texts([read + "aa"])  # since a corpus has at least two characters
        by_hand, log_probs = _whole(LiveActivations(model, spare, n_lanes=1, rule=PLAIN, compute=_FLOAT32))
        for site in _SITES:
            values[site].append(by_hand[site][rows])
        ends = rows[::-1] if rule.backwards else rows
        own = [*(float(log_probs[a:b].sum(dtype=np.float64)) for a, b in pairwise(ends)), np.nan]
        told += own[::-1] if rule.backwards else own
    return {site: np.concatenate(own) for site, own in values.items()}, np.array(told)


def _assert_same(found: dict[Site, np.ndarray], expected: dict[Site, np.ndarray]) -> None:
    for site in _SITES:
        np.testing.assert_allclose(found[site], expected[site], rtol=1e-6, atol=1e-6)


def _long_texts() -> list[str]:
    drawn = np.random.default_rng(5).choice(list(_CHARACTERS), 4700)
    marks = "a" + "\u0301" * 700 + "b" * 300  # which are nothing in ASCII, over a whole turn
    return ["".join(drawn[:2900]), marks + "".join(drawn[2900:]), "\u0301\u0308é\u0301a"]


@every_rule
@settings(max_examples=n_examples(12))
@given(documents, st.sampled_from([1, 3]))
def test_a_rule_gives_what_reading_a_text_transformed_by_hand_gives(
    rule: ReadingRule, texts: list[str], n_lanes: int
) -> None:
    model = _model(_vocabulary(texts, rule))
    expected, log_probs = _expected(model, texts, rule)
    live = LiveActivations(
        model, Corpus.from_texts(texts), rule=rule, n_lanes=n_lanes, warm_up_chars=2000, compute=_FLOAT32
    )
    values, told = _whole(live)
    _assert_same(values, expected)
    np.testing.assert_allclose(told, log_probs, rtol=1e-6, atol=2e-6)
    model.reading_rule = rule
    nats, right = losses(model, live.corpus)
    np.testing.assert_allclose(nats, -log_probs[~np.isnan(log_probs)], rtol=1e-5, atol=1e-5)
    assert right.shape == nats.shape


@every_rule
@pytest.mark.parametrize("n_lanes", [1, 5])
def test_long_texts_and_passages_are_read_by_a_rule_as_by_hand(rule: ReadingRule, n_lanes: int) -> None:
    texts = _long_texts()
    model = _model(_vocabulary(texts, rule))
    expected, log_probs = _expected(model, texts, rule)
    live = LiveActivations(
        model, Corpus.from_texts(texts), rule=rule, n_lanes=n_lanes, warm_up_chars=10_000, compute=_FLOAT32
    )
    values, told = _whole(live)
    _assert_same(values, expected)
    np.testing.assert_allclose(told, log_probs, rtol=1e-6, atol=5e-6)
    for start, stop in ((0, 3), (1000, 1700), (2898, 2903), (3000, 4200), (len(live.corpus) - 5, len(live.corpus))):
        _assert_same(live.read(_SITES, start, stop), {site: own[start:stop] for site, own in expected.items()})


@every_rule
@pytest.mark.parametrize("n_lanes", [1, 3])
def test_many_short_documents_are_read_by_a_rule_as_by_hand(rule: ReadingRule, n_lanes: int) -> None:
    rng = np.random.default_rng(8)
    texts = ["\u0301a" + "".join(rng.choice(list(_CHARACTERS), n)) for n in rng.integers(0, 40, 60)]
    model = _model(_vocabulary(texts, rule))
    expected, log_probs = _expected(model, texts, rule)
    live = LiveActivations(model, Corpus.from_texts(texts), rule=rule, n_lanes=n_lanes, compute=_FLOAT32)
    values, told = _whole(live)
    _assert_same(values, expected)
    np.testing.assert_allclose(told, log_probs, rtol=1e-6, atol=5e-6)
    _assert_same(live.read(_SITES, 100, 300), {site: own[100:300] for site, own in expected.items()})
    model.reading_rule = rule
    nats, _ = losses(model, live.corpus)
    np.testing.assert_allclose(nats, -log_probs[~np.isnan(log_probs)], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rule", [RULES[0], RULES[2], RULES[3], RULES[4]], ids=str)
def test_a_model_is_judged_by_the_frequencies_of_what_it_reads(rule: ReadingRule, tmp_path: Path) -> None:
    text = "".join(np.random.default_rng(2).choice(list("aAbB\néÉ—"), 900, p=[0.5, *[0.5 / 7] * 7]))
    vocabulary = _vocabulary([text], rule)
    model = _model(vocabulary)
    torch.nn.init.zeros_(model.readout.weight)
    model.trained = True
    read, _ = _by_hand(text, rule, vocabulary)
    complaints = []
    for corpus, own_rule in ((Corpus.from_texts([text]), rule), (Corpus.from_texts([read]), PLAIN)):
        with pytest.raises(ActivationError, match="predicts this text worse") as caught:
            extract(LiveActivations(model, corpus, rule=own_rule), tmp_path / "a.h5")
        complaints.append(re.findall(r"\((\d+\.\d+)", str(caught.value)))
    per_char = (len(read) - 1) / (len(text) - 1)
    by_rule, by_hand = np.array(complaints, float)
    np.testing.assert_allclose(by_rule, by_hand * per_char, atol=0.02)


@every_rule
def test_an_interrupted_reading_by_a_rule_is_resumed(rule: ReadingRule) -> None:
    texts = _long_texts()
    model = _model(_vocabulary(texts, rule))

    def live() -> LiveActivations:
        return LiveActivations(model, Corpus.from_texts(texts), rule=rule, n_lanes=3, compute=_FLOAT32)

    whole = list(live().rounds(_SITES, predictions=True))
    state = ReadingState.start(1)
    for done in islice(live().rounds(_SITES, predictions=True), 3):
        state.add(done)
    rest = list(live().rounds(_SITES, predictions=True, resume_from=ReadingState.from_arrays(state.to_arrays())))
    assert len(rest) == len(whole) - 3 > 0
    for found, expected in zip(rest, whole[3:], strict=True):
        assert [block.positions for block in found.blocks] == [block.positions for block in expected.blocks]
        for own, theirs in zip(found.blocks, expected.blocks, strict=True):
            assert all((own.values[site] == theirs.values[site]).all() for site in _SITES)
            np.testing.assert_array_equal(own.predictions[LOG_PROB], theirs.predictions[LOG_PROB])


@every_rule
def test_a_part_of_a_text_that_is_read_by_a_rule_is_recorded(rule: ReadingRule, tmp_path: Path) -> None:
    texts = _long_texts()
    model = _model(_vocabulary(texts, rule))
    model.reading_rule = rule
    corpus = Corpus.from_texts(texts)
    expected, log_probs = _expected(model, texts, rule)
    selection = Selection.of(len(corpus), 701, 3911, 3)
    live = LiveActivations(
        model, corpus, n_lanes=4, warm_up_chars=10_000, selection=selection, compute=ComputeOptions(dtype="float32")
    )
    extract(live, tmp_path / "a.h5", sites=_SITES)
    chosen = slice(selection.start, selection.stop, selection.every)
    with Recording(tmp_path / "a.h5") as recording:
        assert recording.reading_rule == rule
        assert recording.description["reading_rule"] == rule.to_data()
        assert recording.vocabulary == model.vocabulary
        assert list(recording.faults()) == []
        _assert_same(recording.read(_SITES), {site: own[chosen] for site, own in expected.items()})
        told = np.concatenate([block.predictions[LOG_PROB] for block in recording.blocks([], predictions=True)])
        np.testing.assert_allclose(told, log_probs[chosen], rtol=1e-6, atol=5e-6)
        labels = target(recording.corpus, "capitalised", selection=selection).labels
        assert labels.values.tolist() == target(corpus, "capitalised", selection=selection).labels.values.tolist()


@pytest.mark.parametrize(
    "rule",
    [
        ReadingRule(read_as="bytes", backwards=True),
        ReadingRule(read_as="ascii", begins=True, ends="documents"),
        ReadingRule(read_as="lower", ends="lines"),
    ],
    ids=str,
)
def test_training_by_a_rule_is_training_on_texts_transformed_by_hand(rule: ReadingRule) -> None:
    text = _long_texts()[0]
    vocabulary = _vocabulary([text], rule)
    end = vocabulary.character_of(EOS) if rule.ends == "documents" else ""
    by_hand = Corpus.from_texts([_by_hand(text, rule, vocabulary)[0] + end])
    shape, settings = ModelConfig(n_layers=1, n_units=6), TrainingConfig(epochs=1, n_lanes=4, n_steps=16)
    held_out = Corpus.from_texts(["aAbB\n" * 20])
    by_rule = train(Corpus.from_texts([text]), held_out, shape, settings, vocabulary=vocabulary, rule=rule)
    spelled = Corpus.from_texts([_by_hand("aAbB\n" * 20, rule, vocabulary)[0]])
    expected = train(by_hand, spelled, shape, settings, vocabulary=vocabulary)
    assert by_rule.model.reading_rule == rule
    for name, weight in expected.model.state_dict().items():
        assert torch.equal(by_rule.model.state_dict()[name], weight)
    n_tokens = len(by_hand) / len(text)
    np.testing.assert_allclose(by_rule.losses, np.array(expected.losses) * n_tokens, rtol=1e-6)


def test_the_vocabulary_to_learn_for_a_rule_is_its_tokens() -> None:
    corpora = [Corpus.from_texts(["Aa\nÉx", "Bb"])]
    assert vocabulary_to_learn(corpora, PLAIN) == Vocabulary("\nABabxÉ")
    assert vocabulary_to_learn(corpora, ReadingRule(read_as="lower")) == Vocabulary("\nabxé")
    assert vocabulary_to_learn(corpora, ReadingRule(read_as="bytes")).characters == "".join(map(chr, range(256)))
    found = vocabulary_to_learn(corpora, ReadingRule(read_as="ascii", begins=True, ends="lines"))
    assert found.shown(found.characters) == "ABEabx<sos><eos>"
    rare = vocabulary_to_learn(corpora, ReadingRule(read_as="lower"), min_count=2)
    assert rare.characters == "ab\N{REPLACEMENT CHARACTER}"
    assert rare.replacement == "\N{REPLACEMENT CHARACTER}"


@every_rule
def test_a_checkpoint_keeps_the_rule_and_the_names_of_tokens(rule: ReadingRule, tmp_path: Path) -> None:
    model = _model(_vocabulary(_long_texts(), rule))
    before = model_sha256(model)
    model.reading_rule = rule
    save_model(model, tmp_path / "model.pt")
    found = load_model(tmp_path / "model.pt")
    assert found.reading_rule == rule
    assert found.vocabulary == model.vocabulary
    assert found.vocabulary.names == model.vocabulary.names
    assert model_sha256(found) == model_sha256(model) != before


def test_a_checkpoint_of_a_model_without_a_rule_is_written_as_before(tmp_path: Path) -> None:
    save_model(_model(Vocabulary("ab\n")), tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    assert list(content) == ["format", "format_version", "config", "vocabulary", "weights", "training", "trained"]
    assert content["vocabulary"] == {"characters": "ab\n", "replacement": None}
    assert load_model(tmp_path / "model.pt").reading_rule == PLAIN


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        ("lower", "is a str"),
        ({"read_as": "upper"}, "cannot be read as 'upper'"),
        ({"read_as": 5}, "read_as: 5"),
        ({"read_as": "bytes"}, "its vocabulary has '日', which is none of the 256 bytes"),
        ({"sideways": True}, "sideways"),
        ({"backwards": "yes"}, "backwards: yes"),
        ({"ends": "words"}, "'words'"),
        ({"begins": True}, "no token <sos>"),
        ({"substitutes": {"A": "a", "B": 3}}, "substitutes"),
        ({"substitutes": {"AB": "a"}}, "not one character for another"),
        ({"substitutes": {"A": "z"}}, "'A' cannot be read as 'z'"),
    ],
)
def test_a_checkpoint_whose_rule_is_nonsense_is_refused_in_one_sentence(
    rule: object, complaint: str, tmp_path: Path
) -> None:
    save_model(_model(Vocabulary("ab日")), tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    torch.save({**content, "reading_rule": rule}, tmp_path / "model.pt")
    with pytest.raises(ActivationError) as caught:
        load_model(tmp_path / "model.pt")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("names", [{"z": "<sos>"}, {"a": "sos"}, {"a": "<s>", "b": "<s>"}, {"a": 3}, ["<sos>"]])
def test_a_checkpoint_whose_tokens_have_no_proper_names_is_refused(names: object, tmp_path: Path) -> None:
    save_model(_model(Vocabulary("ab日")), tmp_path / "model.pt")
    content = torch.load(tmp_path / "model.pt", weights_only=True)
    content["vocabulary"]["names"] = names
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(ActivationError, match="damaged checkpoint"):
        load_model(tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("attribute", "value", "complaint"),
    [
        ("reading_rule", "{", "'reading_rule' is no JSON object"),
        ("reading_rule", "[]", "'reading_rule' is no JSON object"),
        ("reading_rule", 5, "'reading_rule' is no JSON object"),
        ("reading_rule", '{"read_as": "upper"}', "cannot be read as 'upper'"),
        ("reading_rule", '{"ends": 5}', "ends: 5"),
        ("token_names", '["<sos>"]', "'token_names' is no JSON object"),
        ("token_names", '{"a": 5}', "no name in angle brackets"),
        ("token_names", '{"z": "<sos>"}', "stands for <sos> is not among"),
    ],
)
def test_a_recording_whose_rule_is_nonsense_is_refused_in_one_sentence(
    attribute: str, value: object, complaint: str, tmp_path: Path
) -> None:
    live = LiveActivations(_model(Vocabulary("ab")), Corpus.from_texts(["abab"]), rule=ReadingRule(backwards=True))
    extract(live, tmp_path / "a.h5")
    assert "4 characters, read backwards, 12 sites" in str(check(tmp_path / "a.h5"))
    with h5py.File(tmp_path / "a.h5", "r+") as file:
        file.attrs[attribute] = value
        file.attrs["attributes_checksum"] = attributes_checksum(dict(file.attrs))
    [said] = check(tmp_path / "a.h5").complaints
    assert "cannot be used" in said and complaint in said and "\n" not in said


def test_a_rule_that_a_model_cannot_follow_is_refused_in_one_sentence() -> None:
    model, corpus = _model(Vocabulary("ab日")), Corpus.from_texts(["ab"])
    for rule, complaint in (
        (ReadingRule(begins=True), "no token <sos>; it has characters only"),
        (ReadingRule(ends="lines"), "no token <eos>"),
        (ReadingRule(read_as="bytes"), "cannot read bytes"),
    ):
        with pytest.raises(ActivationError, match=complaint):
            LiveActivations(model, corpus, rule=rule)
    with pytest.raises(ActivationError, match=r"nothing is left of text 1 when it is read as ascii"):
        list(
            LiveActivations(
                model, Corpus.from_texts(["ab", "\u0301\u0301"]), rule=ReadingRule(read_as="ascii")
            ).blocks()
        )


def test_unknown_characters_of_a_text_that_is_read_by_a_rule_are_named_as_they_are_in_the_text() -> None:
    model = _model(Vocabulary("ab\n"))
    with pytest.raises(ActivationError, match=r"1 character .* first 'C' \(text 0, line 2, column 2\)"):
        LiveActivations(model, Corpus.from_texts(["AB\naC"]), rule=ReadingRule(read_as="lower", backwards=True))


@pytest.mark.parametrize("rule", [PLAIN, *RULES], ids=str)
@pytest.mark.parametrize("char", ["\ue000", "\ue001", "\U000f0000", "\ufdd0"])
def test_no_character_of_a_text_is_taken_for_a_token(rule: ReadingRule, char: str) -> None:
    model = _model(_vocabulary(["ab\n"], rule).with_tokens([SOS, EOS, "<pad>"]))
    corpus = Corpus.from_texts([f"ab{char}"])
    if rule.read_as == "bytes":
        tokens = tokenise(corpus, rule, model.vocabulary).tokens
        assert not {chr(code) for code in tokens.tolist()} & set(model.vocabulary.names) - {
            model.vocabulary.character_of(SOS)
        }
        assert (tokens < 256).sum() == 2 + len(char.encode())
    else:
        with pytest.raises(ActivationError, match=rf"1 character .* first {re.escape(repr(char))}"):
            LiveActivations(model, corpus, rule=rule)


def test_any_number_of_tokens_can_be_added_to_a_vocabulary_that_has_such_characters_already() -> None:
    names = [f"<{n}>" for n in range(3000)]
    found = Vocabulary("a\ud800\U000f0000").with_tokens(names)
    assert found.shown(found.characters) == "a\ud800\U000f0000" + "".join(names)


def test_unknown_characters_are_read_as_the_one_that_is_chosen() -> None:
    model = _model(Vocabulary("ab "))
    with pytest.raises(ActivationError, match="replaces none of them, since the model has no replacement.*-with ' '"):
        LiveActivations(model, Corpus.from_texts(["aéb"]), replace_unknown=True)
    chosen = LiveActivations(model, Corpus.from_texts(["aéb"]), stand_in=" ", compute=_FLOAT32)
    assert chosen.n_replaced == 1
    expected = LiveActivations(model, Corpus.from_texts(["a b"]), compute=_FLOAT32)
    _assert_same(_whole(chosen)[0], _whole(expected)[0])
    assert chosen.corpus.text() == "aéb"
    with pytest.raises(ActivationError, match="cannot be read as '_'.*it knows 'ab '"):
        LiveActivations(model, Corpus.from_texts(["aéb"]), stand_in="_")


class _ProtocolModel:
    """A `CharRNN` behind the protocol for users' models, with a state of another structure."""

    def __init__(self, model: CharRNN, *, counts: bool = False) -> None:
        self.vocabulary, self.reading_rule = model.vocabulary, model.reading_rule
        self.sites = {site: 5 for site in model.sites if site.signal in ("hidden", "cell")}
        self._model, self._counts = model, counts

    def start(self, n_lanes: int) -> Any:
        zeros = torch.zeros(n_lanes, 2, 5)
        return (0, zeros[0].clone(), zeros[0].clone()) if self._counts else {"h": zeros, "c": zeros.clone()}

    def read(self, ids: torch.Tensor, state: Any) -> tuple[torch.Tensor, Mapping[Site, torch.Tensor], Any]:
        h, c = (state[1][None], state[2][None]) if self._counts else (state["h"], state["c"])
        carried = (h.transpose(0, 1).contiguous(), c.transpose(0, 1).contiguous())
        logits, states = [], []
        for step in ids:
            each, carried = self._model(step[None], carried)
            logits.append(each)
            states.append(dict(zip(("hidden", "cell"), carried, strict=True)))
        values = {site: torch.stack([each[str(site.signal)][site.layer] for each in states]) for site in self.sites}
        h, c = (part.transpose(0, 1).contiguous() for part in carried)
        after = (state[0] + len(ids), h[0], c[0]) if self._counts else {"h": h, "c": c}
        return torch.cat(logits), values, after


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("rule", [RULES[1], RULES[2], RULES[9]], ids=str)
def test_a_protocol_model_with_a_rule_gives_what_the_same_model_of_ours_gives(rule: ReadingRule, counts: bool) -> None:
    texts = _long_texts()[1:]
    model = _model(_vocabulary(texts, rule))
    model.reading_rule = rule
    protocol_model = _ProtocolModel(model, counts=counts)
    found = LiveActivations(protocol_model, Corpus.from_texts(texts), n_lanes=3, warm_up_chars=700, compute=_FLOAT32)
    expected = LiveActivations(model, Corpus.from_texts(texts), n_lanes=3, warm_up_chars=700, compute=_FLOAT32)
    sites = [Site.of(0, "cell"), Site.of(1, "hidden")]
    for own, theirs in zip(
        found.blocks(sites, predictions=True), expected.blocks(sites, predictions=True), strict=True
    ):
        assert own.positions == theirs.positions
        for site in sites:
            np.testing.assert_allclose(own.values[site], theirs.values[site], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(own.predictions[LOG_PROB], theirs.predictions[LOG_PROB], rtol=1e-5, atol=1e-5)
    assert (
        found.model_sha256
        != LiveActivations(_ProtocolModel(_model(model.vocabulary)), found.corpus, rule=rule).model_sha256
    )
