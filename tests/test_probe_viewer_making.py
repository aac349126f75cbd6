"""A text view has the values of its sources at their characters: known answers for every kind of track."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from planting import PLANTED, Arrays, random_model

from activations.errors import ActivationError
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.probing.kept_probes import Probe
from analyses.session import Session
from analyses.targets.labelling import target
from hypotheses.errors import HypothesisError
from hypotheses.labels import Labels
from probe.viewer.making import text_view
from probe.viewer.scales import MISSING
from probe.viewer.text_view import DocumentStart, Track

SITE = Site("0/hidden")
TEXT = 'One "two" three.\nFour five\nsix "seven\neight" nine\n'


def source_of(
    values: Sequence[float] | NDArray[Any] | None = None,
    text: str = TEXT,
    *,
    documents: Sequence[int] = (),
    selection: Selection | None = None,
    predictions: Mapping[str, NDArray[Any]] | None = None,
    vocabulary: str = "",
) -> Arrays:
    """A source of one unit, or of several, whose values are those of a ramp unless some are given."""
    columns = np.linspace(-1, 1, len(text)) if values is None else np.asarray(values)
    columns = columns.astype(np.float32).reshape(len(text), -1)
    source = Arrays({SITE: columns}, text, selection, documents=documents, predictions=predictions)
    source.vocabulary = Vocabulary(vocabulary or "".join(sorted(set(text))))
    return source


def a_probe(**changes: Any) -> Probe:
    """A probe of the first unit, whose output is 4 times its value, less 1."""
    facts: dict[str, Any] = {
        "hypothesis": "in_quotes",
        "kind": "binary",
        "site": "0/hidden",
        "sites": {SITE: 1},
        "units": (Unit(SITE, 0),),
        "weights": np.array([[4.0]]),
        "intercept": np.array([-1.0]),
        "mean": np.zeros(1),
        "scale": np.ones(1),
        **changes,
    }
    return Probe(**facts)


def only_track(view: Any) -> Track:
    [track] = view.tracks
    assert isinstance(track, Track)
    return track


# Which passage


@pytest.mark.parametrize(
    ("place", "passage"),
    [
        ({"span": (4, 9)}, TEXT[4:9]),
        ({"span": slice(4, 9)}, TEXT[4:9]),
        ({"span": (-5, None)}, TEXT[-5:]),
        ({"around": 20, "n_chars": 26}, 'Four five\nsix "seven\n'),
        ({"around": -1, "n_chars": 24}, 'eight" nine\n'),
        ({"find": r"^s\w+", "n_chars": 30}, 'Four five\nsix "seven\n'),
        ({"find": "(?i)FOUR", "n_chars": 10}, "Four five\n"),
        ({"n_chars": 30}, 'One "two" three.\nFour five\n'),
        ({"hypotheses": "in_quotes", "n_chars": 10}, TEXT[:10]),
        ({"hypotheses": "line_length", "n_chars": 12}, "Four five\n"),  # which first changes there
        ({"hypotheses": lambda text: [n >= 40 for n in range(len(text))], "n_chars": 12}, 'eight" nine\n'),
    ],
)
def test_a_passage_is_where_it_is_asked_for(place: dict[str, Any], passage: str) -> None:
    view = text_view(source_of(), **place)
    assert view.text == passage
    assert TEXT[view.start : view.start + len(passage)] == passage
    assert len(view.cells) == len(passage)


def test_a_passage_is_cut_where_lines_are_too_long() -> None:
    text = "acgt" * 500
    view = text_view(source_of(text=text), around=1000, n_chars=100)
    assert (view.start, len(view.text)) == (950, 100)


def test_a_passage_is_looked_for_only_among_the_characters_with_values() -> None:
    text = "ab\n" * 100
    source = source_of(text=text, selection=Selection.of(300, 150, 210))
    assert text_view(source, find="a", n_chars=30).start == 150
    assert text_view(source, n_chars=30).start == 150
    assert text_view(source, n_chars=3000).text == text[150:210]
    with pytest.raises(AnalysisError, match="no character from 0 to 9 has values: the source has those of 150 to 210"):
        text_view(source, units="0/hidden/0", span=(0, 9))
    assert text_view(source, hypotheses="vowel", span=(0, 3)).tracks[0].levels.tolist() == [1, 0, 0]


def test_a_pattern_is_found_in_a_long_text_and_may_look_back(monkeypatch: pytest.MonkeyPatch) -> None:
    from probe.viewer import passages

    monkeypatch.setattr(passages, "_SEARCHED_CHARS", 10)
    monkeypatch.setattr(passages, "_CONTEXT_CHARS", 4)
    text = "x" * 38 + "yab" + "x" * 20 + "zab\n^ab"
    for pattern, position in (("ab", 39), ("(?<=z)ab", 62), (r"^\^", 65), ("abx", 39), ("^x", 0), ("^y", None)):
        assert passages.first_match(Corpus.from_texts([text]), slice(0, len(text)), pattern) == position
    assert passages.first_match(Corpus.from_texts([text]), slice(40, len(text)), "ab") == 62


def test_documents_of_a_passage_have_their_lines_and_columns() -> None:
    source = source_of(documents=[17, 10, len(TEXT) - 27])
    view = text_view(source, span=(20, 40))
    assert view.documents == (
        DocumentStart(name="text 1", position=0, line=1, column=4),
        DocumentStart(name="text 2", position=7, line=1, column=1),
    )
    assert view.title == "text 1, characters 20 to 40"
    assert text_view(source, span=(38, 40)).documents == (DocumentStart(name="text 2", position=0, line=2, column=1),)
    assert text_view(source, title="My own").title == "My own"


@pytest.mark.parametrize(
    ("wrong", "error", "complaint"),
    [
        ({"around": 99}, ActivationError, "there is no character 99: the text has 50, 0 to 49"),
        ({"around": -51}, ActivationError, "there is no character -51"),
        ({"span": (70, 90)}, ActivationError, "the range 70:90 is empty in a text of 50 characters"),
        ({"find": "ten"}, AnalysisError, "the pattern 'ten' matches nowhere in characters 0 to 50"),
        ({"find": "(a"}, HypothesisError, "the pattern '\\(a' cannot be read"),
        ({"find": "a", "around": 3}, AnalysisError, "name one of the three"),
        ({"n_chars": 0}, AnalysisError, "a passage of 0 characters shows nothing"),
        ({"units": "0/hidden/7"}, ActivationError, "0/hidden has 1 units, 0 to 0, and so no 7"),
        ({"units": "0/cell/7"}, ActivationError, "there is no site 0/cell here; there are 0/hidden"),
        ({"units": "37"}, ActivationError, "'37' is not a unit"),
        ({"top": 0}, AnalysisError, "name a number above 0"),
        ({"hypotheses": "in_quote"}, HypothesisError, "did you mean 'in_quotes'"),
        ({"hypotheses": [("mine", Labels(np.ones(3, bool), "binary"))]}, AnalysisError, "3 labels of mine for 50"),
        ({"probes": a_probe(sites={SITE: 2})}, AnalysisError, "sees 0/hidden of 2 units"),
        ({"probes": a_probe(model_sha256="1" * 64)}, AnalysisError, "fitted to model 111111111111"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(wrong: dict[str, Any], error: type, complaint: str) -> None:
    with pytest.raises(error, match=complaint):
        text_view(source_of(), **wrong)
    assert text_view(source_of(), probes=a_probe(model_sha256="1" * 64), any_model=True).tracks


def test_there_is_a_source() -> None:
    with pytest.raises(AnalysisError, match="there is no source to show"):
        text_view({})
    with pytest.raises(ActivationError, match="there is no recording absent"):
        text_view("absent.h5")


# Units


def test_a_unit_has_its_values_to_half_a_step() -> None:
    values = np.sin(np.arange(len(TEXT)))
    track = only_track(text_view(source_of(values), units="0/hidden/0", span=(5, 30)))
    assert (track.name, track.kind, track.quantity, track.scale.kind) == (
        "0/hidden/0",
        "unit",
        "activation",
        "diverging",
    )
    assert np.abs(track.values - values[5:30]).max() <= track.scale.step * 0.51
    assert track.scale.middle == pytest.approx(0)


@pytest.mark.parametrize("every", [1, 3])
def test_characters_that_were_not_recorded_have_no_value(every: int) -> None:
    values = np.linspace(-1, 1, len(TEXT))
    source = source_of(values, selection=Selection.of(len(TEXT), 10, 40, every))
    view = text_view(source, units="0/hidden/0", span=(5, 45))
    is_there = np.isin(np.arange(5, 45), np.arange(10, 40, every))
    track = only_track(view)
    assert ((track.levels != MISSING) == is_there).all()
    assert np.abs(track.values - values[5:45])[is_there].max() <= track.scale.step * 0.51
    assert view.notes == (f"{is_there.sum()} of 40 characters have values; the others were left out",)


@pytest.mark.parametrize(
    ("values", "middle", "expected"),
    [
        ([0.2, 0.4, 0.9], None, 0.4),  # a gate
        ([0.2, -0.4, 0.9], None, 0.0),
        ([0.2, -0.4, 0.9], "median", 0.2),
        ([0.2, 0.4, 0.9], "zero", 0.0),
        ([0.0, 0.0, 0.0], None, 0.0),
    ],
)
def test_the_middle_is_zero_or_the_median(values: list[float], middle: Any, expected: float) -> None:
    track = only_track(text_view(source_of(values, "abc"), units="0/hidden/0", middle=middle))
    assert track.scale.middle == pytest.approx(expected, abs=1e-6)


def test_whether_zero_is_the_middle_depends_on_the_site_and_not_on_the_unit() -> None:
    source = source_of(np.array([[0.2, -0.1], [0.4, 0.3], [0.9, 0.0]]), "abc")
    assert [track.scale.middle for track in text_view(source, units="0/hidden").tracks] == pytest.approx([0, 0])


def test_a_site_stands_for_its_units_that_vary_most() -> None:
    source = source_of(np.sin(np.arange(len(TEXT)))[:, None] * np.arange(12))
    view = text_view(source, units="0/hidden")
    assert [track.name for track in view.tracks] == [f"0/hidden/{n}" for n in (11, 10, 9, 8, 7)]
    assert view.notes == ("of 12 units, those are shown that vary most in this passage",)
    view = text_view(source, units=["0/hidden/2", "0/hidden"], top=2)
    assert [track.name for track in view.tracks] == ["0/hidden/2", "0/hidden/11", "0/hidden/10"]
    assert [track.name for track in text_view(source, top=1).tracks] == ["0/hidden/11"]
    assert [track.name for track in text_view(source, units="0/hidden/2,0/hidden/3").tracks] == [
        "0/hidden/2",
        "0/hidden/3",
    ]


@pytest.mark.parametrize("name", ["in_quotes", "in_comment"])
def test_the_best_units_for_a_hypothesis_are_the_planted_ones(planted: Path, name: str) -> None:
    view = text_view(planted, hypotheses=name, top=1)
    assert [track.name for track in view.tracks] == [name, str(PLANTED[name])]
    assert view.notes[0].startswith(f"best units for {name}: {PLANTED[name]} (held-out AUC ")
    among = [site for site in ("0/hidden", "1/cell") if site != str(PLANTED[name].site)]
    other = text_view(planted, hypotheses=name, units=among, top=1).tracks[1]
    assert other.name.startswith(tuple(among))


# Labels


def test_labels_are_those_of_the_whole_document() -> None:
    """The passage begins inside a quotation."""
    track = only_track(text_view(source_of(), hypotheses="in_quotes", span=(33, 50)))
    assert (track.name, track.kind, track.scale.kind) == ("in_quotes", "labels", "binary")
    assert track.levels.tolist() == [1] * 10 + [0] * 7
    apart = text_view(source_of(documents=[33, 17]), hypotheses="in_quotes", span=(33, 50))
    assert only_track(apart).levels.tolist() == [0] * 10 + [1] + [1] * 5 + [1]


def test_classes_have_names_and_numbers_a_scale_and_missing_labels_none() -> None:
    classes = only_track(text_view(source_of(text="aB 1"), hypotheses="char_class"))
    names = [classes.scale.classes[level] for level in classes.levels]
    assert classes.scale.kind == "classes" and names == ["lower case", "upper case", "space", "digit"]
    numbers = only_track(text_view(source_of(text="ab\ncde\n"), hypotheses="position_in_line"))
    assert numbers.scale.kind == "sequential"
    assert numbers.values == pytest.approx([1, 2, 0, 1, 2, 3, 0], abs=numbers.scale.step)
    missing = only_track(text_view(source_of(text='ab "cd"'), hypotheses="position_in_quotes"))
    assert (missing.levels == MISSING).tolist() == [True] * 3 + [False] * 3 + [True]


def test_labels_may_be_functions_targets_or_at_hand() -> None:
    source = source_of(text="ab" * 400)
    is_a = np.array([True, False] * 400)

    def is_an_a(text: str) -> list[bool]:
        return [char == "a" for char in text]

    for hypothesis in (is_an_a, target(source.corpus, is_an_a), [("is_an_a", Labels(is_a, "binary"))]):
        track = only_track(text_view(source, hypotheses=hypothesis, span=(1, 7)))
        assert (track.name, track.levels.tolist()) == ("is_an_a", [0, 1, 0, 1, 0, 1])
    two = text_view(source, hypotheses=("vowel", "in_quotes"), span=(0, 4)).tracks
    assert [track.name for track in two] == ["vowel", "in_quotes"]


# What the model predicts


def predictions(text: str, documents: Sequence[int] = ()) -> tuple[dict[str, NDArray[Any]], NDArray[np.float64]]:
    """Distributions over the characters of a text, and the loss of each of its characters."""
    characters = sorted(set(text))
    rng = np.random.default_rng(1)
    shares = rng.dirichlet(np.ones(len(characters)), len(text))
    following = np.array([characters.index(char) for char in text[1:]])
    log_prob = np.append(np.log(shares[np.arange(len(text) - 1), following]), np.nan)
    for end in np.cumsum(documents).tolist():
        log_prob[end - 1] = np.nan
    losses = np.append(np.nan, -log_prob[:-1])
    told: dict[str, NDArray[Any]] = {
        "log_prob": log_prob.astype(np.float32),
        "log_distribution": np.log(shares).astype(np.float16),
    }
    return told, losses


@pytest.mark.parametrize("passage", [(0, 20), (5, 30), (17, 18), (16, 50)])
def test_the_loss_of_a_character_is_that_of_the_row_before(passage: tuple[int, int]) -> None:
    told, losses = predictions(TEXT, [17, 33])
    view = text_view(source_of(documents=[17, 33], predictions=told), loss=True, span=passage)
    track = only_track(view)
    assert (track.name, track.kind, track.quantity, track.scale.offset) == ("loss", "loss", "nats", 0.0)
    expected = losses[slice(*passage)]
    assert ((track.levels == MISSING) == np.isnan(expected)).all()
    assert np.isnan(losses[[0, 17]]).all()
    np.testing.assert_allclose(track.values, expected, atol=track.scale.step * 0.51)


def test_nothing_but_a_source_shows_the_loss() -> None:
    told, _ = predictions(TEXT)
    assert [track.name for track in text_view(source_of(predictions=told)).tracks] == ["loss"]
    bare = text_view(source_of())
    assert not bare.tracks and bare.text == TEXT
    assert bare.notes == ("no loss is shown, since this recording was made without predictions",)


def test_a_model_that_reads_backwards_predicts_from_the_character_after() -> None:
    log_prob = np.linspace(-3, -1, len(TEXT)).astype(np.float32)
    log_prob[0] = np.nan  # nothing comes after the first, in this direction
    source = source_of(predictions={"log_prob": log_prob})
    source.reading_rule = ReadingRule(backwards=True)
    track = only_track(text_view(source, loss=True, span=(40, 50)))
    np.testing.assert_allclose(track.values, [*-log_prob[41:], np.nan], atol=track.scale.step)


def test_a_loss_needs_the_row_before_to_be_recorded() -> None:
    told, losses = predictions(TEXT)
    source = source_of(predictions=told, selection=Selection.of(len(TEXT), 10, 40, 2))
    track = only_track(text_view(source, loss=True, span=(9, 30)))
    expected = np.where(np.arange(9, 30) % 2 == 1, losses[9:30], np.nan)
    expected[:2] = np.nan  # 9 and 10 are predicted by 8 and 9; 11 by 10
    np.testing.assert_allclose(track.values, expected, atol=track.scale.step * 0.51)


def test_guesses_are_the_five_most_probable_characters() -> None:
    told, _ = predictions(TEXT)
    guesses = text_view(source_of(predictions=told), guesses=True, span=(3, 20)).guesses
    assert guesses is not None
    characters = np.array(sorted(set(TEXT)))
    shares = np.exp(told["log_distribution"].astype(np.float64))[3:20]
    order = np.argsort(-shares, axis=1, kind="stable")[:, :5]
    assert np.array(guesses.characters)[guesses.ids].tolist() == characters[order].tolist()
    np.testing.assert_allclose(guesses.levels / 255, np.take_along_axis(shares, order, 1), atol=0.6 / 255)


def test_guesses_may_be_recorded_as_five_or_fewer_or_be_tokens() -> None:
    told = {
        "top_ids": np.array([[2, 0, 1, 3, 4]] * 4, np.uint32),
        "top_log_probs": np.log(np.array([[0.4985, 0.25, 0.125, 0.1, 0.025]] * 4)).astype(np.float16),
    }
    source = source_of(text="acgt", predictions=told, vocabulary="acgt\ud800")
    source.vocabulary = Vocabulary("acgt\ud800", None, {"\ud800": "<eos>"})
    source.selection = Selection.of(4, 1, 3)
    view = text_view(source, guesses=True, span=(0, 4))
    guesses = view.guesses
    assert guesses is not None and not view.tracks
    assert [guesses.characters[number] for number in guesses.ids[1]] == ["g", "a", "c", "t", "<eos>"]
    assert guesses.levels.tolist() == [[0] * 5, [127, 64, 32, 25, 6], [127, 64, 32, 25, 6], [0] * 5]
    few = {"log_distribution": np.log(np.array([[0.25, 0.75]] * 4)).astype(np.float16)}
    two = text_view(source_of(text="abab", predictions=few), guesses=True).guesses
    assert two is not None
    assert [two.characters[number] for number in two.ids[0, :2]] == ["b", "a"]
    assert two.levels[0].tolist() == [191, 64, 0, 0, 0]


def test_a_source_without_predictions_is_shown_without_guesses_and_says_why() -> None:
    view = text_view(source_of(), units="0/hidden/0", loss=True, guesses=True)
    assert view.guesses is None and [track.kind for track in view.tracks] == ["unit"]
    assert view.notes == (
        "no loss is shown, since this recording was made without predictions",
        "no guesses are shown, since this recording was made without predictions",
    )


def test_the_model_s_own_probability_of_a_character_is_shown() -> None:
    told, _ = predictions(TEXT)
    source = source_of(predictions=told)
    track = only_track(text_view(source, hypotheses="predicts:e", span=(2, 12)))
    expected = np.exp(told["log_distribution"][2:12, sorted(set(TEXT)).index("e")].astype(float))
    assert track.name == "predicts:e"
    np.testing.assert_allclose(track.values, expected, atol=track.scale.step * 0.51)
    source.selection = Selection.of(len(TEXT), 4, 40, 2)
    part = only_track(text_view(source, hypotheses="predicts:e", span=(2, 12)))
    assert (part.levels == MISSING).tolist() == [True, True] + [False, True] * 4


# Probes


def test_a_probe_of_a_binary_label_gives_a_probability_from_false_to_true() -> None:
    values = np.linspace(-2, 2, len(TEXT))
    track = only_track(text_view(source_of(values), probes=a_probe(), span=(10, 40)))
    assert (track.name, track.kind) == ("probe of in_quotes from 0/hidden", "probe")
    assert (track.scale.kind, track.scale.offset, track.scale.full) == ("probability", 0.0, 1.0)
    np.testing.assert_allclose(track.values, 1 / (1 + np.exp(1 - 4 * values[10:40])), atol=0.51 / 254)


def test_a_probe_of_a_number_has_the_scale_of_the_labels() -> None:
    text = "ab\ncde\nfg\n"
    probe = a_probe(hypothesis="position_in_line", kind="numeric")
    labels, said = text_view(source_of(text=text), hypotheses="position_in_line", probes=probe).tracks
    assert labels.scale == said.scale and said.kind == "probe"
    np.testing.assert_allclose(said.values, 4 * np.linspace(-1, 1, len(text)) - 1, atol=said.scale.step * 0.51)


def test_a_probe_of_classes_gives_the_most_probable_one_in_the_colour_of_its_label() -> None:
    probe = a_probe(
        hypothesis="char_class",
        kind="categorical",
        classes=("digit", "lower case", "space"),
        weights=np.array([[1.0, 0.0, -1.0]]),
        intercept=np.array([0.0, 0.1, 0.0]),
    )
    source = source_of([-1, 0, 1, 0], "aB 1")
    labels, said = text_view(source, hypotheses="char_class", probes=probe).tracks
    assert labels.scale == said.scale
    assert [said.scale.classes[level] for level in said.levels] == ["space", "lower case", "digit", "lower case"]
    assert [labels.scale.classes[level] for level in labels.levels] == ["lower case", "upper case", "space", "digit"]


def test_a_probe_gives_nothing_where_nothing_was_recorded() -> None:
    source = source_of(selection=Selection.of(len(TEXT), 4, 40, 2))
    track = only_track(text_view(source, probes=a_probe(), span=(2, 8)))
    assert (track.levels == MISSING).tolist() == [True, True, False, True, False, True]


def test_characters_that_a_probe_was_fitted_to_are_counted() -> None:
    source = source_of()
    probe = a_probe(text_sha256=source.corpus.sha256, held_out=np.array([[5, 15], [30, 40]]))
    note = "the probe of in_quotes from 0/hidden was fitted to this text: 13 of these 23 characters were held out"
    assert text_view(source, probes=probe, span=(10, 33)).notes == (note.replace("13", "8"),)
    assert text_view(source, probes=probe, span=(5, 15)).notes == ()


def test_a_probe_is_shown_where_it_was_not_fitted() -> None:
    source = source_of()
    runs = np.array([[8, 20], [26, 36], [40, 50]])
    probe = a_probe(text_sha256=source.corpus.sha256, held_out=runs)
    assert text_view(source, probes=probe).start == 8
    label = ("mine", Labels(np.isin(np.arange(len(TEXT)), [2, 3, 22, 30]), "binary"))
    view = text_view(source, probes=probe, hypotheses=[label], n_chars=8)
    assert (view.start, view.start + len(view.text)) == (27, 35)
    assert view.notes == ()
    assert text_view(source, probes=probe, hypotheses=[label], find="o", n_chars=8).start < 8


def test_a_probe_of_another_text_has_seen_none_of_this_one() -> None:
    probe = a_probe(text_sha256="1" * 64, held_out=np.array([[5, 15]]))
    view = text_view(source_of(), probes=probe)
    assert (view.start, view.notes) == (0, ())


# Panels, and several sources


def test_one_panel_has_hypotheses_probes_units_and_the_loss_in_this_order() -> None:
    told, _ = predictions(TEXT)
    source = source_of(predictions=told)
    [panel] = text_view(source, units="0/hidden/0", hypotheses="in_quotes", probes=a_probe(), loss=True).panels
    assert [track.kind for track in panel.tracks] == ["labels", "probe", "unit", "loss"]


def test_more_than_four_tracks_give_each_unit_a_panel() -> None:
    source = source_of(np.random.default_rng(0).normal(size=(len(TEXT), 6)))
    view = text_view(
        source, units="0/hidden", top=6, hypotheses=[("a", Labels(np.ones(len(TEXT), bool), "binary"))][:0]
    )
    assert [[track.name for track in panel.tracks] for panel in view.panels] == [[t.name] for t in view.tracks]
    labels = [("quotes", Labels(np.arange(len(TEXT)) % 2 == 0, "binary"))]
    units = [f"0/hidden/{n}" for n in range(4)]
    view = text_view(source, units=units, hypotheses=labels)
    assert [[track.name for track in panel.tracks] for panel in view.panels] == [[unit, "quotes"] for unit in units]
    assert len(view.tracks) == 5
    view = text_view(source, units=units[:2], hypotheses=labels, panel_for_each=True)
    assert [[track.name for track in panel.tracks] for panel in view.panels] == [[unit, "quotes"] for unit in units[:2]]
    many = [(f"label {n}", labels[0][1]) for n in range(5)]
    assert [len(panel.tracks) for panel in text_view(source, hypotheses=many).panels] == [1] * 5


def test_two_sources_stand_one_above_the_other_on_the_same_scales() -> None:
    before, after = source_of(np.linspace(-1, 1, len(TEXT))), source_of(np.linspace(-4, 4, len(TEXT)))
    view = text_view({"before": before, "after": after}, units="0/hidden/0", hypotheses="in_quotes")
    assert [panel.title for panel in view.panels] == ["before", "after"]
    one, two = (panel.tracks for panel in view.panels)
    assert one[0] is two[0]  # the labels are those of the text
    assert one[1].scale == two[1].scale
    for track, factor in ((one[1], 1), (two[1], 4)):
        assert np.abs(track.values - np.linspace(-factor, factor, len(TEXT))).max() <= track.scale.step * 0.51
    each = text_view({"before": before, "after": after}, units="0/hidden/0", panel_for_each=True)
    assert [panel.title for panel in each.panels] == ["before", "after"]


def test_what_is_said_of_one_of_two_sources_names_it() -> None:
    told, _ = predictions(TEXT)
    sources = {"with": source_of(predictions=told), "without": source_of()}
    view = text_view(sources, loss=True, guesses=True)
    assert view.notes == (
        "without: no loss is shown, since this recording was made without predictions",
        "the guesses are those of with",
    )
    assert [len(panel.tracks) for panel in view.panels] == [1, 0]


def test_sources_of_different_texts_are_refused() -> None:
    for other in (source_of(text=TEXT[:-1] + "!"), source_of(documents=[17, 33])):
        with pytest.raises(AnalysisError, match="one and other are of different texts, or of different documents"):
            text_view({"one": source_of(), "other": other}, units="0/hidden/0")


# Recordings and live sources


@pytest.mark.parametrize("n_lanes", [1, 3])
def test_a_recording_and_a_live_source_show_the_same(n_lanes: int, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([TEXT * 20, TEXT * 3])
    live = LiveActivations(random_model(TEXT), corpus, n_lanes=n_lanes)
    extract(live, tmp_path / "a.h5")
    options: dict[str, Any] = {"units": ["0/hidden/1", "0/cell/2"], "loss": True, "guesses": True, "span": (970, 1010)}
    shown = [text_view(source, **options) for source in (live, tmp_path / "a.h5")]
    for one, other in zip(*(view.tracks for view in shown), strict=True):
        np.testing.assert_allclose(one.values, other.values, atol=2 * one.scale.step)
        assert ((one.levels == MISSING) == (other.levels == MISSING)).all()
    assert (shown[0].tracks[2].levels == MISSING).tolist() == [n == 1000 - 970 for n in range(40)]
    one, other = (view.guesses for view in shown)
    assert one is not None and other is not None
    assert np.abs(one.levels.astype(int) - other.levels).max() <= 1


def test_a_recording_that_is_given_stays_open_and_one_that_is_named_is_closed(planted: Path) -> None:
    with Recording(planted) as recording, Session(recording) as session:
        for source in (recording, session, planted, str(planted)):
            assert only_track(text_view(source, units="0/hidden/3", n_chars=50)).name == "0/hidden/3"
        assert recording.read(["0/hidden"], 0, 3)


class _Counted(LiveActivations):
    """Live activations that count the characters that are asked for."""

    n_asked = 0

    def read(self, sites: Any, start: int = 0, stop: int | None = None) -> Any:
        self.n_asked += (len(self.corpus) if stop is None else stop) - start
        return super().read(sites, start, stop)

    def blocks(self, *arguments: Any, **options: Any) -> Any:
        raise AssertionError("the whole text is read")


def test_of_a_live_source_only_the_passage_is_read() -> None:
    live = _Counted(random_model(TEXT), Corpus.from_texts([TEXT * 200]), n_lanes=4)
    view = text_view(
        live,
        units=["0/hidden/1", "0/cell/2"],
        hypotheses=["in_quotes", "predicts:e"],
        loss=True,
        guesses=True,
        span=(100, 200),
    )
    assert len(view.tracks) == 5 and live.n_asked == 100
