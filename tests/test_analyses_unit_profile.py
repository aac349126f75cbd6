"""Profiles of units: planted values come back as the numbers of histograms, averages around events, and means."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import Arrays, drifting, in_runs
from profiles import n_examples

from activations.texts.selection import Selection
from activations.units import Site, Unit
from analyses.collecting.collect import collect
from analyses.errors import AnalysisError
from analyses.profiling.class_means import class_means
from analyses.profiling.events import event_averages, find_events
from analyses.profiling.histograms import find_threshold, histogram
from analyses.profiling.unit_profile import unit_profile
from analyses.ranking.explaining.tuning import tune
from analyses.statistics.autocorrelations import Autocorrelations
from analyses.statistics.event_sums import EventSums, SumsAroundEvents, sums_by_loop
from analyses.targets.classes import classes_of
from analyses.targets.labelling import target, target_of_labels
from analyses.targets.target import Target
from hypotheses.labels import Labels

CELL, FORGET, INPUT, OTHER = (Site(name) for name in ("0/cell", "0/forget_gate", "0/input_gate", "1/output_gate"))
N_CHARS = 20_000


def labelled(source: Arrays, labels: Sequence[Any] | NDArray[Any]) -> Target:
    rest = iter(np.asarray(labels, dtype=object).tolist())
    return target(source.corpus, lambda text: [next(rest) for _ in text], selection=source.selection)


def planted(rng: np.random.Generator, *, gates: bool = True, selection: Selection | None = None) -> tuple[Arrays, Any]:
    """A cell whose unit 1 is −1 where a label holds and +2 elsewhere, with noise; its forget gate falls at the end."""
    holds = in_runs(rng, N_CHARS, 60)
    cell = rng.normal(0, 0.1, (N_CHARS, 3)).astype(np.float32)
    cell[:, 1] += np.where(holds, -1, 2)
    forget = np.full((N_CHARS, 3), 0.9, np.float16)
    ends = np.flatnonzero(~holds[1:] & holds[:-1]) + 1
    forget[ends, 1] = 0.1
    values: dict[Site, NDArray[Any]] = {CELL: cell}
    if gates:
        values |= {FORGET: forget, INPUT: forget[:, ::-1].copy(), OTHER: forget}
    return Arrays(values, documents=[9_000, 11_000], selection=selection), holds


@given(seed=st.integers(0, 2**32), every=st.integers(1, 3))
@settings(max_examples=n_examples(20))
def test_sums_around_events_are_those_of_a_plain_loop(seed: int, every: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(600, 2)).astype(np.float32)
    used = Selection.of(600, 30, 570, every)
    source = Arrays({CELL: values}, documents=[7, 200, 2, 391], selection=used)
    labels = np.repeat(rng.integers(0, 3, 601), rng.integers(1, 20, 601))[:600]
    label = target_of_labels(source.corpus, "f", Labels(labels, "categorical", None, ("a", "b", "c")), selection=used)
    classes = classes_of(label)
    events = find_events(label, classes, source.corpus)
    [sums] = collect(source, [EventSums(source, events, "0/cell/1", label.split, before=5, after=9)])
    documents = [(document.start, document.stop) for document in source.corpus.documents]
    wanted = np.full((600, 1), np.nan)
    wanted[30:570:every, 0] = values[30:570:every, 1]
    for number, change in itertools.product(range(3), range(2)):
        found = [
            (place, next(n for n, (start, stop) in enumerate(documents) if start <= place < stop))
            for place in range(31, 570)
            if place not in {start for start, _ in documents}
            and (labels[place] == number) != (labels[place - 1] == number)
            and (labels[place] == number) == (change == 0)
        ]
        kind = 2 * number + change
        assert events.places[events.kinds == kind].tolist() == [place for place, _ in found]
        for column, offset in enumerate(range(-5, 10)):
            near = [(place, n) for place, n in found if 0 <= place + offset < 600]
            near = [(place, n) for place, n in near if not np.isnan(wanted[place + offset, 0])]
            n, total = sums_by_loop(wanted, near, documents, offset)
            assert sums.n[kind, :, column].sum() == n
            np.testing.assert_allclose(sums.sums[kind, :, column, 0].sum(), total[0] if n else 0, atol=1e-9)


def test_changes_to_and_from_missing_labels_are_no_events() -> None:
    labels = [None, True, True, False, None, False, True, None] * 50
    source = Arrays({CELL: np.zeros((400, 1), np.float32)}, documents=[200, 200])
    label = labelled(source, labels)
    events = find_events(label, classes_of(label), source.corpus)
    begins = events.places[events.kinds == 2]
    ends = events.places[events.kinds == 3]
    assert begins.tolist() == [8 * n + 6 for n in range(50)]
    assert ends.tolist() == [8 * n + 3 for n in range(50)]


def test_events_have_the_numbers_that_are_planted(rng: np.random.Generator) -> None:
    source, holds = planted(rng)
    profile = unit_profile(source, "0/cell/1", labelled(source, holds))
    assert (profile.unit, profile.kind, profile.measure) == (Unit(CELL, 1), "binary", "auc")
    assert profile.ranked.held_out == 1.0
    begins, ends = profile.events
    assert (begins.change, ends.change) == ("begins", "ends")
    changes = np.diff(holds.astype(int), prepend=int(holds[0]))
    changes[9_000] = 0  # where a document begins
    for average, sign in ((begins, 1), (ends, -1)):
        places = np.flatnonzero(changes == sign)
        assert average.n_events == len(places)
        assert average.offsets.tolist() == list(range(-20, 41))
        values = np.concatenate([block.values[CELL][:, 1] for block in list(source.blocks([CELL]))[::-1]])
        for column, offset in enumerate(range(-20, 41)):
            inside = [
                place + offset
                for place in places.tolist()
                if 0 <= place + offset < N_CHARS and (place < 9_000) == (place + offset < 9_000)
            ]
            assert average.n[column] == len(inside)
            assert average.means[column] == pytest.approx(values[inside].mean(dtype=np.float64), abs=1e-9)
        assert ((average.low < average.means) & (average.means < average.high)).all()
    assert begins.means[19] == pytest.approx(2, abs=0.05) and begins.means[20] == pytest.approx(-1, abs=0.05)
    assert ends.means[19] == pytest.approx(-1, abs=0.05) and ends.means[20] == pytest.approx(2, abs=0.05)


def test_the_gates_of_the_same_layer_and_index_are_averaged(rng: np.random.Generator) -> None:
    source, holds = planted(rng)
    profile = unit_profile(source, "0/cell/1", labelled(source, holds))
    assert {str(average.unit) for average in profile.gates} == {"0/forget_gate/1", "0/input_gate/1"}
    [ends] = [a for a in profile.gates if a.change == "ends" and str(a.unit) == "0/forget_gate/1"]
    assert ends.means[20] == pytest.approx(0.1, abs=1e-3)
    assert ends.means[:20].max() > 0.89
    source, holds = planted(np.random.default_rng(0), gates=False)
    profile = unit_profile(source, "0/cell/1", labelled(source, holds))
    assert not profile.gates
    assert any("no gates of layer 0 are here" in note for note in profile.notes)


def test_a_projected_hidden_state_has_no_gates_of_its_own(rng: np.random.Generator) -> None:
    """Its unit 1 is a mixture of all cells, and no gate is that unit's."""
    source, holds = planted(rng)
    hidden = source.read([CELL])[CELL][:, :2]
    both = Arrays({Site("0/hidden"): hidden, FORGET: source.read([FORGET])[FORGET]}, documents=[9_000, 11_000])
    assert not unit_profile(both, "0/hidden/1", labelled(both, holds)).gates


def test_the_source_is_read_once(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    source, holds = planted(rng)
    label = labelled(source, holds)
    readings = []
    blocks = source.blocks

    def counted(sites: Any = None, **options: Any) -> Any:
        readings.append(sites)
        return blocks(sites, **options)

    monkeypatch.setattr(source, "blocks", counted)
    unit_profile(source, "0/cell/1", label)
    assert len(readings) == 1
    assert [str(site) for site in readings[0]] == ["0/cell", "0/forget_gate", "0/input_gate"]


def test_the_threshold_of_training_is_judged_on_held_out_characters(rng: np.random.Generator) -> None:
    """In training, −1 and 2 are apart; a tenth of the held-out True characters are made to look False."""
    source, holds = planted(rng)
    label = labelled(source, holds)
    values = source.read([CELL])[CELL][:, 1].copy()
    test = label.parts_of_used == 1
    wrong = np.flatnonzero(test & holds)[::10]
    values[wrong] = 2
    found = find_threshold(values, holds, label)
    assert -0.8 < found.value < 1.7 and not found.is_above
    share = 1 - len(wrong) / int((test & holds).sum())
    assert found.balanced_accuracy == pytest.approx((share + 1) / 2, abs=1e-9)
    assert found.low < found.balanced_accuracy < found.high


def test_a_threshold_lies_between_neighbouring_values_of_float16(rng: np.random.Generator) -> None:
    """Whose mean is no float16."""
    source, holds = planted(rng)
    low = np.float16(0.5)
    values = np.where(holds, np.nextafter(low, np.float16(1)), low).astype(np.float16)
    found = find_threshold(values, holds, labelled(source, holds))
    assert (found.balanced_accuracy, found.is_above) == (1.0, True)
    assert float(low) < found.value < float(values.max())


def test_a_histogram_counts_as_numpy_does(rng: np.random.Generator) -> None:
    values, groups = rng.normal(size=3_000).astype(np.float32), rng.integers(0, 3, 3_000)
    found, whole = histogram(values, groups, ("a", "b", "c"), 20), (float(values.min()), float(values.max()))
    for group in range(3):
        expected, edges = np.histogram(values[groups == group].astype(float), 20, whole)
        np.testing.assert_array_equal(found.n[group], expected)
        np.testing.assert_allclose(found.edges, edges)
    np.testing.assert_allclose(found.shares.sum(axis=1), 1)


def test_groups_are_classes_or_thirds(rng: np.random.Generator) -> None:
    values = np.zeros((N_CHARS, 1), np.float32)
    numbers = np.arange(N_CHARS) % 30
    values[:, 0] = numbers + rng.normal(0, 0.1, N_CHARS)
    source = Arrays({CELL: values})
    of_number = unit_profile(source, "0/cell/0", labelled(source, numbers.astype(float)))
    assert of_number.histogram.groups == ("lowest third", "middle third", "highest third")
    assert of_number.threshold is None and of_number.events == ()
    assert "is a number, which neither begins nor ends" in " ".join(of_number.notes)
    np.testing.assert_allclose(of_number.means.tuning.means, np.arange(30), atol=0.05)
    names = np.array(["low", "mid", "high"])[numbers // 10]
    of_class = unit_profile(source, "0/cell/0", labelled(source, names))
    assert of_class.ranked.label in ("low", "high")
    assert of_class.histogram.groups == ("others", of_class.ranked.label)
    assert of_class.events[0].label.endswith(f"== {of_class.ranked.label}")
    assert of_class.events[0].n_events in (N_CHARS // 30, N_CHARS // 30 - 1, N_CHARS // 30 + 1)
    assert of_class.threshold is not None and of_class.threshold.balanced_accuracy > 0.99


def test_means_by_class_have_intervals_of_atoms(rng: np.random.Generator) -> None:
    """Of 100 units that know nothing of the label, about 95 have 0 in the interval of their mean."""
    source, holds = planted(rng)
    label = labelled(source, holds)
    classes, covered = classes_of(label), 0
    for values in drifting(rng, N_CHARS, 100, 20).T:
        found = class_means(values, label, classes, tune(values, label, classes))
        covered += int(found.low[1] < 0 < found.high[1])
        assert found.tuning.means[1] == pytest.approx(values[holds].mean(dtype=np.float64), abs=1e-6)
    assert 88 <= covered <= 100


def test_bands_cover_the_average_of_endless_text(rng: np.random.Generator) -> None:
    """Units that have nothing to do with the events are 0 around them in endless text; 95 % of the bands say so."""
    source, holds = planted(rng)
    label = labelled(source, holds)
    n_units = 150
    noise = Arrays({CELL: drifting(rng, N_CHARS, n_units, 20)})
    events = find_events(label, classes_of(label), source.corpus)
    units = [Unit(CELL, index) for index in range(n_units)]
    [sums] = collect(noise, [EventSums(noise, events, units, label.split)])
    averages = event_averages(sums, events, 1, "f")
    covered = np.mean([(average.low < 0) & (average.high > 0) for average in averages])
    assert 0.91 <= covered <= 0.975


def test_too_few_events_have_no_band_and_a_sentence() -> None:
    holds = np.zeros(N_CHARS, bool)
    for start in range(0, N_CHARS, 2_000):
        holds[start + 5 : start + 1_000] = True
    source = Arrays({CELL: np.where(holds, 1.0, 0.0).astype(np.float32)[:, None]})
    profile = unit_profile(source, "0/cell/0", labelled(source, holds))
    [begins, _] = profile.events
    assert begins.n_events == 10
    assert np.isnan(begins.low).all() and not np.isnan(begins.means).any()
    assert "10 events in 10 pieces of the text are too few for a band" in profile.notes[0]


def test_memory_is_that_of_the_statistic(rng: np.random.Generator) -> None:
    source, holds = planted(rng)
    profile = unit_profile(source, "0/cell/1", labelled(source, holds))
    [expected] = collect(source, [Autocorrelations(source, "0/cell")])[0].values()
    np.testing.assert_allclose(profile.memory.autocorrelation[:, 0], expected.autocorrelation[:, 1], atol=1e-9)
    assert profile.time_constant == pytest.approx(expected.time_constant[1])


def test_part_of_a_text_is_profiled_too(rng: np.random.Generator) -> None:
    source, holds = planted(rng, selection=Selection.of(N_CHARS, 1_000, 19_000, 2))
    profile = unit_profile(source, "0/cell/1", labelled(source, holds))
    assert profile.n_chars == 9_000
    assert profile.events[0].means[19] > 1.9 and profile.events[0].means[20] == pytest.approx(-1, abs=0.1)


def test_all_numbers_are_rows(rng: np.random.Generator) -> None:
    source, holds = planted(rng)
    profile = unit_profile(source, "0/cell/1", labelled(source, holds))
    parts = [row["part"] for row in profile.rows()]
    n_averages = 61 * 3  # of the unit and two gates
    assert {part: parts.count(part) for part in parts} == {
        "score": 1, "time constant": 1, "threshold": 1, "histogram": 120, "begins": n_averages, "ends": n_averages,
        "autocorrelation": 9, "mean": 2,
    }  # fmt: skip


def test_a_unit_that_never_changes_is_refused() -> None:
    source = Arrays({CELL: np.zeros((N_CHARS, 1), np.float32)})
    with pytest.raises(AnalysisError, match="0/cell/0 is 0 at every character with a label"):
        unit_profile(source, "0/cell/0", labelled(source, np.arange(N_CHARS) % 100 < 50))


def test_sums_say_what_they_are(rng: np.random.Generator) -> None:
    source, holds = planted(rng)
    label = labelled(source, holds)
    events = find_events(label, classes_of(label), source.corpus)
    with pytest.raises(AnalysisError, match="-1 characters before"):
        EventSums(source, events, "0/cell/1", label.split, before=-1)
    [sums] = collect(source, [EventSums(source, events, ["0/cell/1"], label.split)])
    assert isinstance(sums, SumsAroundEvents)
    assert sums.units == (Unit(CELL, 1),)


def test_a_label_that_is_never_known_to_change_is_said_not_to(rng: np.random.Generator) -> None:
    """Where the label before each known one is missing, averages around its changes would be of nothing."""
    source, _ = planted(rng, gates=False)
    labels = [None if place % 3 else bool(place % 2) for place in range(N_CHARS)]
    profile = unit_profile(source, "0/cell/1", labelled(source, labels))
    begins = str(profile.events[0])
    assert begins.startswith("0/cell/1: nowhere is it known that ") and begins.endswith(" begins")
    assert "nan" not in str(profile)
