"""Painted passages in the explorer: which units switch there, where else they do, and the file that keeps them."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from numpy.typing import NDArray
from planting import PLANTED, Arrays
from sklearn.metrics import roc_auc_score

from activations.errors import ActivationError
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.session import Session
from analyses.targets.labelling import label, target_for
from hypotheses.registry import get
from probe.explorer.questions.painted import painted, save_selection
from probe.explorer.questions.selecting import FEWEST_PASSAGES, _at_random, against_text, contrast
from probe.explorer.questions.similar_passages import similar_passages

COMMENTS = PLANTED["in_comment"]
SITE = Site.of(0, "hidden")


def runs_of(session: Session, hypothesis: str) -> list[tuple[int, int]]:
    """Where a hypothesis holds."""
    labels = target_for(session, hypothesis).labels[:].values.astype(np.int8)
    changes = np.diff(labels, prepend=0, append=0)
    return list(zip(np.flatnonzero(changes > 0).tolist(), np.flatnonzero(changes < 0).tolist(), strict=True))


def as_plain_json(answer: Any) -> Any:
    """What a browser gets of an answer."""
    return json.loads(json.dumps(answer.as_json(), allow_nan=False))


def noise(n_chars: int, n_units: int = 30, **options: Any) -> Session:
    values = np.random.default_rng(3).normal(size=(n_chars, n_units)).astype("f4")
    return Session(Arrays({SITE: values}, **options))


def test_the_planted_unit_has_the_largest_contrast(planted: Path) -> None:
    with Session(planted) as session:
        spans = runs_of(session, "in_comment")[:40:4]
        answer = contrast(session, spans)
        best = answer.units[0]
        assert best.unit == str(COMMENTS)
        assert (best.direction, best.n_agreeing) == (1, len(spans))
        assert best.low < best.auc < best.high <= 1
        assert best.mean_inside - best.mean_around == pytest.approx(1, abs=0.2)
        assert answer.p_best == pytest.approx(1 / 20)
        assert max(answer.chance) < best.auc
        assert as_plain_json(answer)["units"][0]["unit"] == str(COMMENTS)


def test_a_unit_that_is_silent_inside_has_the_other_direction(planted: Path) -> None:
    with Session(planted) as session:
        best = contrast(session, runs_of(session, "in_quotes")[:30:3]).units[0]
    assert best.unit == str(PLANTED["in_quotes"])
    assert best.direction == -1
    assert best.auc < 0.1


def test_a_contrast_is_the_mean_of_the_aucs_of_passages(planted: Path) -> None:
    """By scikit-learn, with the margins of the docstring: as long as the passage, at least 20 and at most 200."""
    with Session(planted) as session:
        spans = runs_of(session, "in_comment")[:12]
        answer = contrast(session, spans, sites=[COMMENTS.site])
        values = session.read([COMMENTS.site])[COMMENTS.site].astype(float)
        is_painted = painted(session.corpus, spans).labels
        aucs = []
        for start, stop in spans:
            margin = min(max(stop - start, 20), 200)
            near = np.arange(max(start - margin, 0), stop + margin)
            is_inside = (near >= start) & (near < stop)
            used = near[is_inside | ~is_painted[near]]
            aucs.append(roc_auc_score((used >= start) & (used < stop), values[used, COMMENTS.index]))
    assert answer.units[0].auc == pytest.approx(np.mean(aucs), abs=1e-12)
    assert answer.n_units == 9


@pytest.mark.parametrize("places", [slice(40, 55), slice(0, 1), slice(0, 99)])
def test_aucs_of_a_passage_count_ties_half(rng: np.random.Generator, places: slice) -> None:
    """Of values of both signs and both zeros, with and without ties, and of units that never change."""
    values = rng.normal(size=(100, 6)).astype("f4")
    values[:, 2:4] = values[:, 2:4].round()
    values[:, 3] *= rng.choice([-1, 1], 100)  # zeros of both signs
    values[:, 4] = 0.5
    values[7, 5] = np.nan
    source = Session(Arrays({SITE: values}, "a" * 100))
    answer = contrast(source, [(places.start, places.stop)], top=6, n_controls=0)
    told = {unit.unit: unit.auc for unit in answer.units}
    margin = min(max(places.stop - places.start, 20), 200)
    near = slice(max(places.start - margin, 0), places.stop + margin)
    is_inside = np.zeros(100, bool)
    is_inside[places] = True
    for number in range(5):
        expected = roc_auc_score(is_inside[near], values[near, number])
        assert told[f"{SITE}/{number}"] == pytest.approx(expected, abs=1e-12), number
    if near.start <= 7:
        assert np.isnan(told[f"{SITE}/5"])
        assert answer.units[-1].unit == f"{SITE}/5"


def test_one_passage_has_no_interval_and_says_so(planted: Path) -> None:
    with Session(planted) as session:
        answer = contrast(session, [(3000, 3012)])
    assert np.isnan([unit.low for unit in answer.units]).all()
    assert "one passage" in answer.notes[0]
    assert answer.n_passages == 1


def test_few_passages_have_no_interval_and_say_so(planted: Path) -> None:
    with Session(planted) as session:
        spans = runs_of(session, "in_comment")
        few, enough = (contrast(session, spans[:n]) for n in (FEWEST_PASSAGES - 1, FEWEST_PASSAGES))
    assert np.isnan(few.units[0].low)
    assert "7 passages are too few for an interval" in few.notes[0]
    assert np.isfinite(enough.units[0].low)
    assert "the best of 23" in enough.notes[0]


def test_the_best_of_many_noisy_units_is_like_that_of_random_places() -> None:
    """One of 30 units of noise always seems to follow a short passage; p is that of the best of all."""
    session = noise(20_000)
    p_values = [contrast(session, [(start, start + 8)], n_controls=19).p_best for start in range(500, 19_000, 900)]
    assert np.mean(p_values) == pytest.approx(0.5, abs=0.2)
    assert np.mean(np.array(p_values) <= 0.1) < 0.35
    assert abs(contrast(session, [(500, 508)]).units[0].auc - 0.5) > 0.2


def test_intervals_of_a_contrast_hold_for_noise() -> None:
    """At least 95 % of the intervals of units without any contrast hold .5."""
    session = noise(30_000, 200)
    answer = contrast(session, [(start, start + 15) for start in range(100, 29_000, 1000)], top=200, n_controls=0)
    holds = [unit.low <= 0.5 <= unit.high for unit in answer.units]
    assert np.mean(holds) >= 0.95
    assert np.median([unit.high - unit.low for unit in answer.units]) < 0.2


def test_passages_that_agree_do_not_make_the_auc_certain() -> None:
    """Of 8 independent passages, 8 in which a unit is always higher leave room for a mean of .63."""
    values = np.random.default_rng(0).normal(size=(9000, 2)).astype("f4")
    places = [(start, start + 1) for start in range(500, 8500, 1000)]
    for start, _ in places:
        values[start] = [9, -9]
    worst, best = sorted(
        contrast(Session(Arrays({SITE: values})), places, n_controls=0).units, key=lambda unit: unit.auc
    )
    assert (best.auc, best.high, worst.auc, worst.low) == (1, 1, 0, 0)
    assert best.low == pytest.approx(0.025 ** (1 / 8), abs=0.02)
    assert worst.high == pytest.approx(1 - 0.025 ** (1 / 8), abs=0.02)


def test_passages_without_anything_around_them_have_no_contrast() -> None:
    session = noise(400)
    answer = contrast(session, [(0, 400)])
    assert not answer.units
    assert answer.n_passages == 0
    assert "paint less" in answer.notes[0]


def test_only_recorded_characters_count() -> None:
    session = noise(2000, selection=Selection(0, 2000, 2))
    with_gaps = contrast(session, [(500, 540)])
    assert with_gaps.n_passages == 1
    values = session.read([SITE])[SITE]
    number = int(with_gaps.units[0].unit.rpartition("/")[2])
    near = values[230:290, number]  # of characters 460 to 580
    is_inside = np.zeros(60, bool)
    is_inside[20:40] = True
    assert with_gaps.units[0].auc == pytest.approx(roc_auc_score(is_inside, near))


def test_against_the_text_the_numbers_are_those_of_the_command(planted: Path, run: Command) -> None:
    with Session(planted) as session:
        spans = runs_of(session, "in_comment")[::3]
        saved = save_selection(session.corpus, spans, Path("painted.csv"))
        answer = against_text(session, spans, sites=["hidden"])
    status, out, err = run("rank", saved.hypothesis, planted, "--sites", "hidden", "--json", "--top", "20")
    assert status == 0, err
    printed = rows(out)
    assert [row["unit"] for row in answer.rows] == [row["unit"] for row in printed]
    for row, other in zip(as_plain_json(answer)["rows"], printed, strict=True):
        assert {"held_out_auc", "low", "high", "q", "p_max"} < set(row)
        for key, cell in row.items():
            if key != "hypothesis":
                assert cell == (other[key] if isinstance(cell, str) else pytest.approx(other[key])), key
    assert answer.is_held_out


def test_one_passage_against_the_text_is_ranked_by_its_raw_auc(planted: Path) -> None:
    with Session(planted) as session:
        start, stop = runs_of(session, "in_comment")[0]
        answer = against_text(session, [(start, stop)])
        labels = np.zeros(len(session.corpus), bool)
        labels[start:stop] = True
        values = session.read([COMMENTS.site])[COMMENTS.site].astype(float)
    assert not answer.is_held_out
    assert "only one of the two has painted passages, so that nothing is held out" in answer.notes[0]
    assert "held_out_auc" not in answer.rows[0]
    by_unit = {row["unit"]: row["overall_auc"] for row in answer.rows}
    assert by_unit[str(COMMENTS)] == pytest.approx(roc_auc_score(labels, values[:, COMMENTS.index]), abs=1e-9)


@pytest.mark.parametrize("n_units", [1, 3])
def test_similar_passages_are_where_the_units_do_the_same(planted: Path, n_units: int) -> None:
    """The unit that knows comments finds comments that were not painted; noise beside it does not hide them."""
    with Session(planted) as session:
        runs = runs_of(session, "in_comment")
        spans = runs[:20:2]
        units = [row.unit for row in contrast(session, spans).units[:n_units]]
        answer = similar_passages(session, spans, units)
        labels = target_for(session, "in_comment").labels[:].values
        is_painted = painted(session.corpus, spans).labels
        assert session.corpus.text(answer.passages[0].start, answer.passages[0].stop) == answer.passages[0].text
    assert answer.units == tuple(units)
    assert 0 < len(answer.passages) <= 50
    assert len({passage.text for passage in answer.passages}) == len(answer.passages)
    shares = [labels[passage.start : passage.stop].mean() for passage in answer.passages]
    assert np.mean(shares) > 0.8
    assert not any(is_painted[passage.start : passage.stop].any() for passage in answer.passages)
    assert [passage.likeness for passage in answer.passages] == sorted(
        (passage.likeness for passage in answer.passages), reverse=True
    )
    as_plain_json(answer)


def steps(n_chars: int, on: list[tuple[int, int]]) -> NDArray[np.float32]:
    """A unit that is 2 in some passages and −1 elsewhere, and another that is the other way round."""
    values = np.full((n_chars, 2), -1, "f4")
    for start, stop in on:
        values[start:stop, 0] = 2
    values[:, 1] = 1 - values[:, 0]
    return values


def test_similar_passages_are_exact_for_a_unit_without_noise() -> None:
    """Runs of half to twice the painted length, one of each text, cut where a document begins, short gaps bridged."""
    text = "".join(chr(97 + number % 26) for number in range(1000)).replace("a", "A")
    on = [(100, 120), (200, 221), (300, 305), (400, 480), (590, 612), (700, 710), (712, 722), (800, 820), (905, 925)]
    source = Arrays({SITE: steps(1000, on)}, text, documents=[600, 400])
    answer = similar_passages(Session(source), [(100, 120)], [f"{SITE}/0", f"{SITE}/1"])
    places = {(passage.start, passage.stop): passage for passage in answer.passages}
    assert set(places) == {(200, 221), (590, 600), (600, 612), (700, 722), (800, 820), (905, 925)}
    assert answer.n_found == 6
    assert answer.n_painted_found == answer.n_painted == 1
    assert answer.share_on == pytest.approx(sum(stop - start for start, stop in on) / 1000 + 0.002)
    assert places[800, 820].likeness == pytest.approx(1)
    assert places[800, 820].before == text[740:800]
    assert places[600, 612].before == ""
    repeated = Arrays({SITE: steps(1000, [(100, 120), (204, 224), (412, 432)])}, text)
    [passage] = similar_passages(Session(repeated), [(100, 120)], [f"{SITE}/0"]).passages
    assert passage.n_alike == 2


def test_similar_passages_take_values_from_elsewhere() -> None:
    """Such as levels that lie beside the recording; then no activation is read."""
    values = steps(1000, [(100, 120), (200, 220)])
    answer = similar_passages(noise(1000), [(100, 120)], [f"{SITE}/0"], values_of=lambda unit: values[:, unit.index])
    assert [(passage.start, passage.stop) for passage in answer.passages] == [(200, 220)]


def test_similar_passages_are_found_among_recorded_characters() -> None:
    """Of every other character from 50 on."""
    values = steps(1000, [(100, 120), (204, 224), (601, 641)])
    source = Arrays({SITE: values}, selection=Selection(50, 1000, 2), documents=[600, 400])
    answer = similar_passages(Session(source), [(100, 120)], [f"{SITE}/0"])
    assert sorted((passage.start, passage.stop) for passage in answer.passages) == [(204, 223), (602, 641)]
    assert answer.n_found == answer.n_painted_found + 1 == 2


def test_units_that_do_not_follow_what_was_painted_are_said_not_to() -> None:
    session = noise(4000)
    answer = similar_passages(session, [(start, start + 50) for start in range(100, 3900, 300)], [f"{SITE}/0"])
    assert any("not follow what was painted" in note for note in answer.notes)


def test_similar_passages_are_off_where_a_unit_is_no_number() -> None:
    values = steps(1000, [(100, 120), (200, 220), (300, 320)])
    values[205:207, 0] = np.nan
    values[500, 0] = np.inf
    answer = similar_passages(noise(1000), [(100, 120)], [f"{SITE}/0"], values_of=lambda unit: values[:, unit.index])
    assert (300, 320) in [(passage.start, passage.stop) for passage in answer.passages]
    assert answer.share_on == pytest.approx(0.06, abs=0.003)
    values[100:120, 0] = np.nan
    with pytest.raises(AnalysisError, match="no numbers"):
        similar_passages(noise(1000), [(100, 120)], [f"{SITE}/0"], values_of=lambda unit: values[:, unit.index])
    with pytest.raises(AnalysisError, match="the same mean"):
        similar_passages(noise(1000), [(100, 120)], [f"{SITE}/0"], values_of=lambda unit: np.ones(1000))


def test_similar_passages_need_one_to_three_units() -> None:
    with pytest.raises(AnalysisError, match="1 to 3"):
        similar_passages(noise(1000), [(5, 10)], [f"{SITE}/{number}" for number in range(4)])
    with pytest.raises(AnalysisError, match="no"):
        similar_passages(noise(1000), [(5, 10)], [f"{SITE}/99"])


@pytest.mark.parametrize("is_of_several", [False, True])
def test_a_saved_selection_gives_back_its_labels(*, is_of_several: bool) -> None:
    texts = ["one line\nand one\n" * 20, "another text " * 30]
    corpus = Corpus.from_texts(texts, ["texts/a.txt", "texts/b.txt"]) if is_of_several else Corpus.from_texts(texts[:1])
    spans = [(3, 9), (9, 12), (100, 120), (len(corpus) - 60, len(corpus))]
    if is_of_several:
        spans.append((len(texts[0]) - 5, len(texts[0]) + 7))
    saved = save_selection(corpus, spans, Path("my selection.csv"))
    labels = label(corpus, get(saved.hypothesis), use_cache=False)
    expected = np.zeros(len(corpus), bool)
    for start, stop in spans:
        expected[start:stop] = True
    assert labels.kind == "binary"
    assert labels.present.all()
    np.testing.assert_array_equal(labels.values, expected)
    assert saved.n_chars == expected.sum()
    assert as_plain_json(saved)["path"] == "my selection.csv"


def test_a_selection_of_lines_as_documents_gives_back_its_labels() -> None:
    lines = [f"name{number}\n" for number in range(40)]
    corpus = Corpus.from_texts(lines, [f"names.txt:{number + 1}" for number in range(40)])
    saved = save_selection(corpus, [(10, 30), (100, 101)], Path("names.csv"))
    labels = label(corpus, get(saved.hypothesis), use_cache=False)
    np.testing.assert_array_equal(np.flatnonzero(labels.values), [*range(10, 30), 100])


def test_a_selection_is_not_written_over_another_file() -> None:
    corpus = Corpus.from_texts(["some text"])
    save_selection(corpus, [(0, 4)], Path("kept.csv"))
    with pytest.raises(ActivationError, match="exists"):
        save_selection(corpus, [(5, 9)], Path("kept.csv"))
    with pytest.raises(AnalysisError, match=r"\.csv"):
        save_selection(corpus, [(5, 9)], Path("kept.py"))
    assert Path("kept.csv").read_text() == "start,end\n0,4\n"


def test_painted_passages_are_joined_and_cut() -> None:
    corpus = Corpus.from_texts(["a" * 50, "b" * 50])
    selection = painted(corpus, [(60, 70), (10, 20), (20, 25), (22, 24), (45, 55)])
    assert selection.spans.tolist() == [[10, 25], [45, 50], [50, 55], [60, 70]]
    assert selection.n_chars == 35
    assert np.flatnonzero(selection.labels).tolist() == [*range(10, 25), *range(45, 55), *range(60, 70)]
    assert selection.is_inside(np.array([9, 10, 24, 25, 99])).tolist() == [False, True, True, False, False]
    assert selection.windows().tolist() == [[0, 45], [25, 50], [50, 75], [50, 90]]


@pytest.mark.parametrize("spans", [[], [(5, 5)], [(-1, 3)], [(90, 101)], [(1, 2, 3)], [(0, 1)] * 10_001])
def test_what_is_no_passage_is_refused(spans: Any) -> None:
    with pytest.raises(AnalysisError, match="paint|passage"):
        painted(Corpus.from_texts(["a" * 100]), spans)


def test_a_progress_ends_the_work() -> None:
    class GoneError(Exception):
        pass

    def stop(done: int, total: int, /) -> None:
        raise GoneError

    with pytest.raises(GoneError):
        contrast(noise(2000), [(5, 10)], progress=stop)
    with pytest.raises(GoneError):
        similar_passages(noise(2000), [(5, 10)], [f"{SITE}/0"], progress=stop)
    with pytest.raises(GoneError):
        against_text(noise(2000), [(5, 10), (1900, 1910)], progress=stop)


def test_files_of_a_text_without_painted_passages_are_false() -> None:
    """A file that a table does not name has no labels, so that all files are named."""
    corpus = Corpus.from_texts(["a" * 50, "b" * 50, "c" * 50], ["a.txt", "b.txt", "c.txt"])
    saved = save_selection(corpus, [(0, 5), (60, 70), (90, 100)], Path("several.csv"))
    labels = label(corpus, get(saved.hypothesis), use_cache=False)
    assert labels.kind == "binary" and labels.present.all()
    assert np.flatnonzero(labels.values).tolist() == [*range(5), *range(60, 70), *range(90, 100)]


class Watched(Arrays):
    """Arrays that know how many rows were read of them at most at once, and in all."""

    n_most = n_rows = 0

    def read(self, sites: Collection[Site], start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        by_site = super().read(sites, start, stop)
        n = len(by_site[SITE])
        self.n_most, self.n_rows = max(self.n_most, n), self.n_rows + n
        return by_site


@pytest.mark.parametrize("every", [1, 2])
def test_of_a_long_passage_stretches_are_read(rng: np.random.Generator, every: int) -> None:
    """The memory that painting takes does not grow with what is painted; the AUC is that of all, about."""
    values = rng.normal(size=(100_000, 3)).astype("f4")
    values[5_000:95_000, 1] += np.linspace(0, 2, 90_000, dtype="f4")
    source = Watched({SITE: values}, selection=Selection(0, 100_000, every))
    best = contrast(Session(source), [(5_000, 95_000)], n_controls=0).units[0]
    near = values[4_800:95_200:every, 1]
    is_inside = np.zeros(90_400, bool)
    is_inside[200:90_200] = True
    assert best.unit == f"{SITE}/1"
    assert best.auc == pytest.approx(roc_auc_score(is_inside[::every], near), abs=0.02)
    assert best.mean_inside == pytest.approx(1, abs=0.1)
    assert source.n_most <= 200
    assert source.n_rows <= 1_400


def test_passages_at_random_places_are_as_many_and_as_long() -> None:
    """Else their best unit would have a larger AUC; none touches another, or is painted, or is of two documents."""
    session = noise(200_000, 2, documents=[70_500, 129_500])
    spans = [(start, start + 1000) for start in range(0, 196_000, 4900)]
    selection = painted(session.corpus, spans)
    for seed in range(10):
        moved = _at_random(session, selection, selection.spans, np.random.default_rng(seed))
        assert moved is not None
        assert sorted(np.diff(moved.spans)[:, 0]) == sorted(np.diff(selection.spans)[:, 0])
        assert (moved.spans[1:, 0] > moved.spans[:-1, 1]).all()
        assert not (moved.labels & selection.labels).any()
        assert not len(moved.spans) - len(painted(session.corpus, moved.spans.tolist()).spans)


def test_passages_at_random_places_have_as_many_recorded_characters() -> None:
    session = noise(9000, selection=Selection(1, 9000, 7))
    selection = painted(session.corpus, [(15, 16), (50, 51), (400, 430)])
    moved = _at_random(session, selection, selection.spans, np.random.default_rng(0))
    assert moved is not None
    assert sorted(session.selection.part(*span).n_chars for span in moved.spans.tolist()) == [1, 1, 5]


def test_intervals_are_the_same_with_controls_and_without() -> None:
    session, spans = noise(9000), [(start, start + 30) for start in range(200, 8500, 900)]
    assert contrast(session, spans, n_controls=0).units == contrast(session, spans, n_controls=5).units


def test_sets_of_passages_without_room_are_left_out_and_said_to_be() -> None:
    session = noise(1000)
    answer = contrast(session, [(100, 400), (500, 800)])  # no run of 300 is left
    assert not answer.chance
    assert np.isnan(answer.p_best)
    assert any("in 19 of 19 sets" in note for note in answer.notes)


@pytest.mark.parametrize(("spans", "message"), [([(0, 2000)], "all of"), ([(1, 2)], "none of")])
def test_a_text_that_is_painted_wholly_has_nothing_to_be_compared_with(
    spans: list[tuple[int, int]], message: str
) -> None:
    with pytest.raises(AnalysisError, match=message):
        against_text(noise(2000, selection=Selection(0, 2000, 2)), spans)


@pytest.mark.parametrize(("n_chars", "start", "length"), [(3000, 50, 13), (10_000, 321, 37), (200_000, 30, 11)])
def test_aucs_are_never_beyond_0_and_1(n_chars: int, start: int, length: int) -> None:
    """Also after rounding: a unit that is always lower, and one that is always higher."""
    values = np.random.default_rng(0).normal(size=(n_chars, 20)).astype("f4")
    values[start : start + length, :10] -= 100
    values[start : start + length, 10:] += 100
    spans = [(start, start + length)]
    session = Session(Arrays({SITE: values}))
    against = [row["overall_auc"] for row in against_text(session, spans).rows]
    around = [unit.auc for unit in contrast(session, spans, n_controls=0).units]
    for aucs in (against, around):
        assert min(aucs) == 0
        assert max(aucs) == 1
