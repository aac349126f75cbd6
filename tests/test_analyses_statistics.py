"""Statistics are the same for any cut of the text into shards, in any order, saved and loaded in between."""

import inspect
import pkgutil
import tracemalloc
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import Arrays, drifting, in_runs, random_model
from profiles import n_examples

import analyses.statistics
from activations.blocks import Block, Source
from activations.predictions import LOG_PROB
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site, Unit
from analyses.collecting.collect import AnyStatistic, collect, read
from analyses.collecting.saving import belonging, load, save
from analyses.collecting.statistic import BlockLabels, State
from analyses.collecting.text_cells import Part, TextCells
from analyses.errors import AnalysisError
from analyses.levels.columns import Columns
from analyses.levels.joint_labels import JointLabels
from analyses.profiling.events import find_events
from analyses.ranking.shifting.shift_sums import ShiftSums
from analyses.ranking.shifting.shifted_labels import ShiftedLabels
from analyses.ranking.shifting.shifts import Shifts
from analyses.session import Session
from analyses.statistics.autocorrelations import Autocorrelations
from analyses.statistics.event_sums import EventSums
from analyses.statistics.gram_matrices import GramMatrices, GramsOfLabel
from analyses.statistics.label_losses import LossesByLabel
from analyses.statistics.level_tables import LevelTables
from analyses.statistics.passages import ActivePassages
from analyses.statistics.placements import PlacementSums
from analyses.statistics.products import Products, ProductSums
from analyses.statistics.quantile_counts import QuantileCounts
from analyses.statistics.rank_sums import RankSums
from analyses.statistics.saturations import Saturations
from analyses.targets.classes import classes_of, one_against_rest
from analyses.targets.labelling import target
from analyses.targets.splits import TEST, TRAIN
from analyses.targets.target import Target
from hypotheses.labels import Labels

HIDDEN, CELL = Site.of(0, "hidden"), Site.of(0, "cell")
N_CHARS = 5_000
COLUMNS = [Columns(CELL, 0, 3), Columns(HIDDEN, 1, 4)]


class World:
    """A source of activations in float16 and float32, and labels of three kinds, some of them missing."""

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        binary, missing = in_runs(rng, N_CHARS, 20), rng.random(N_CHARS) < 0.1
        values = drifting(rng, N_CHARS, 7, 5) + binary[:, None]
        selection = Selection.of(N_CHARS, 100, 4_900, 1)
        log_prob = -rng.exponential(1.0, N_CHARS).astype(np.float32)
        log_prob[[1_233, 1_239, 4_999]] = np.nan  # a document's last character has no next one
        self.source = Arrays(
            {HIDDEN: values[:, :4].astype(np.float16), CELL: values[:, 4:]},
            selection=selection,
            documents=[1_234, 6, 3_760],
            predictions={LOG_PROB: log_prob},
        )

        def asked(labels: Sequence[Any] | NDArray[Any]) -> Target:
            kept = [None if gone else label for gone, label in zip(missing, labels, strict=True)]
            rest = iter(kept)
            return target(self.source.corpus, lambda text: [next(rest) for _ in text], selection=selection)

        self.binary = asked(binary.tolist())
        self.numeric = asked((np.arange(N_CHARS) % 60.0).tolist())
        self.classes = asked(rng.choice(["one", "two", "three"], N_CHARS).tolist())
        self.joint = JointLabels(self.binary.split, [self.binary.labels])
        others = [Labels(rng.random(N_CHARS) < 0.4, "binary", rng.random(N_CHARS) < share) for share in (0.01, 0.7)]
        self.joints = [self.joint, *(JointLabels(self.binary.split, [each]) for each in others)]
        self.reader = Session(self.source).levels
        self.reader.find_bins(self.source, [HIDDEN, CELL])

    def quantile_counts(self) -> QuantileCounts:
        return QuantileCounts(self.classes.parts_of_text, classes_of(self.classes), COLUMNS)

    def level_tables(self) -> LevelTables:
        kinds = np.where(self.binary.parts_of_text >= 0, self.binary.labels.values, -1).astype(np.int8)
        return LevelTables(kinds, 2, COLUMNS)

    def rank_sums(self) -> RankSums:
        return RankSums(self.joints, COLUMNS, {each: self.reader.middle_levels(each) for each in COLUMNS})

    def placements(self) -> PlacementSums:
        return PlacementSums(self.joint, {(0, COLUMNS[0]): np.array([0, 2]), (0, COLUMNS[1]): np.array([1])})

    def gram_matrices(self) -> GramMatrices:
        return GramMatrices(self.source, [self.numeric, self.classes, self.binary])

    def autocorrelations(self) -> Autocorrelations:
        return Autocorrelations(self.source, longest=100)

    def active_passages(self) -> ActivePassages:
        return ActivePassages(self.source, n=7, n_chars=50)

    def event_sums(self) -> EventSums:
        events = find_events(self.classes, classes_of(self.classes), self.source.corpus)
        return EventSums(self.source, events, ["0/hidden/1", "0/cell/2"], self.classes.split, before=7, after=30)

    def saturations(self) -> Saturations:
        return Saturations(self.source)

    def label_losses(self) -> LossesByLabel:
        return LossesByLabel(self.source, [self.numeric, self.classes, self.binary])

    def shifts(self) -> AnyStatistic:
        [sums] = Shifts(self.source, self.binary, None, [], [HIDDEN, CELL], 5, 0).statistics
        return sums

    def products(self) -> ProductSums:
        return ProductSums([self.numeric, self.binary], dict(self.source.sites))

    def products_of_classes(self) -> ProductSums:
        classes = classes_of(self.classes)
        return ProductSums(one_against_rest(self.classes, classes), dict(self.source.sites), classes)


def test_ranks_for_labels_missing_elsewhere_are_those_of_each_alone() -> None:
    world = _world()
    together = world.rank_sums()
    middles = {each: world.reader.middle_levels(each) for each in COLUMNS}
    alone = [RankSums([joint], COLUMNS, middles) for joint in world.joints]
    found, *expected = collect(world.source, [together, *alone])
    assert len(found) == len(world.joints)
    for own, [other] in zip(found, expected, strict=True):
        for each in COLUMNS:
            one, two = own[each].arrays(), other[each].arrays()
            assert all(np.array_equal(one[name], two[name]) for name in two)


def test_products_of_classes_are_those_with_each_label() -> None:
    world = _world()
    by_class, by_label = (
        collect(world.source, [sums])[0]
        for sums in (
            world.products_of_classes(),
            ProductSums(one_against_rest(world.classes, classes_of(world.classes)), dict(world.source.sites)),
        )
    )
    for one, other in zip(by_class, by_label, strict=True):
        for site in (HIDDEN, CELL):
            for name in ("n", "y", "yy", "x", "xx", "xy"):
                own, expected = (getattr(each[site].cells, name) for each in (one, other))
                np.testing.assert_allclose(own, expected, rtol=1e-9, atol=1e-9)


def test_few_shifted_labels_are_in_memory_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """This holds for any number of cores and classes."""
    world = _world()
    steps = [0, 700, 1_500, 2_300, 3_100, 4_200]
    labels = ShiftedLabels(world.classes, classes_of(world.classes), [0, 1, 2] * 4, steps)
    sums = ShiftSums(labels, world.source.selection, [Columns(CELL, 0, 3)], shifted_bytes=1)
    shifted = labels.shifted
    made: list[weakref.ref[Any]] = []
    alive: list[int] = []

    def watched(rows: NDArray[np.int64]) -> Iterator[NDArray[np.float32]]:
        for y in shifted(rows):
            made.append(weakref.ref(y))
            alive.append(sum(each() is not None for each in made))
            yield y

    monkeypatch.setattr(labels, "shifted", watched)
    collect(world.source, [sums])
    assert len(made) >= 12
    assert max(alive) <= 2


CASES: dict[type, Callable[[World], AnyStatistic]] = {
    QuantileCounts: World.quantile_counts,
    LevelTables: World.level_tables,
    RankSums: World.rank_sums,
    PlacementSums: World.placements,
    ProductSums: World.products,
    ShiftSums: World.shifts,
    GramMatrices: World.gram_matrices,
    Autocorrelations: World.autocorrelations,
    ActivePassages: World.active_passages,
    LossesByLabel: World.label_losses,
    Saturations: World.saturations,
    EventSums: World.event_sums,
}


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def test_every_statistic_has_a_case() -> None:
    modules = [
        import_module(f"analyses.statistics.{each.name}") for each in pkgutil.iter_modules(analyses.statistics.__path__)
    ]
    found = {
        each
        for module in modules
        for each in vars(module).values()
        if inspect.isclass(each) and isinstance(getattr(each, "n_readings", None), int)
    }
    assert found | {ShiftSums} == set(CASES)


def in_one_pass(source: Arrays, statistic: AnyStatistic) -> None:
    for _ in range(statistic.n_readings):
        read(source, [statistic])
        statistic.end_reading()


def copied(arrays: State) -> State:
    return {name: np.array(array) for name, array in arrays.items()}


@pytest.mark.parametrize("make", CASES.values(), ids=lambda make: make.__name__)
@given(seed=st.integers(0, 2**32), n_shards=st.integers(1, 5), n_chars=st.sampled_from([1, 37, 400, 5_000]))
@settings(max_examples=n_examples(15))
def test_shards_merge_to_one_pass(
    make: Callable[[World], AnyStatistic], seed: int, n_shards: int, n_chars: int
) -> None:
    world, rng = _world(), np.random.default_rng(seed)
    whole = make(world)
    in_one_pass(world.source, whole)
    blocks = list(world.source.blocks(n_chars=max(n_chars, 37), predictions=True))
    before: State | None = None
    for _ in range(whole.n_readings):
        owner = rng.integers(0, n_shards, len(blocks))
        shards = []
        for number in range(n_shards):
            own = [blocks[place] for place in rng.permutation(np.flatnonzero(owner == number))]
            shard = make(world)
            if before is not None:
                shard.restore(copied(before))
            read(world.source, [shard], blocks=own)
            fresh = make(world)
            fresh.restore(copied(shard.arrays()))  # as if it had been saved and loaded
            shards.append(fresh)
        merged = shards[rng.integers(n_shards)]
        for shard in shards:
            if shard is not merged:
                merged.merge(shard)  # type: ignore[arg-type]
        merged.end_reading()
        before = merged.arrays()
    same_results(merged.result(), whole.result(), 1e-6 if make is World.shifts else 1e-12)  # shifts are in float32


def same_results(one: Any, other: Any, atol: float = 1e-12) -> None:
    """Assert that whole numbers are the same, and others nearly, relative to the largest."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for name in one:
            same_results(one[name], other[name], atol)
    elif isinstance(one, list | tuple) and not hasattr(one, "_fields"):
        for pair in zip(one, other, strict=True):
            same_results(*pair, atol)
    elif isinstance(one, np.ndarray):
        if one.dtype.kind in "iub":
            np.testing.assert_array_equal(one, other)
        else:
            known = np.isfinite(other)
            np.testing.assert_array_equal(one[~known], other[~known])
            size = max(float(np.abs(other[known]).max(initial=0)), 1e-300)
            np.testing.assert_allclose(one[known] / size, other[known] / size, atol=atol, rtol=0)
    elif isinstance(one, GramsOfLabel):
        for part in get_args(Part):
            same_results(one.of(part), other.of(part), atol)
    elif isinstance(one, str | int | float | Unit | TextCells):
        assert one == other or isinstance(one, TextCells)
    elif isinstance(one, Products):  # sums of values less another middle
        for part in (TRAIN, TEST):
            np.testing.assert_allclose(one.r(part), other.r(part), atol=1e-10)
            np.testing.assert_allclose(one.scatter(part), other.scatter(part), rtol=1e-10)
    elif hasattr(one, "_fields"):
        same_results(one._asdict(), other._asdict())
    elif is_dataclass(one):
        for each in fields(one):
            same_results(getattr(one, each.name), getattr(other, each.name), atol)
    elif hasattr(one, "arrays"):
        for name, array in one.arrays().items():
            np.testing.assert_array_equal(array, other.arrays()[name])
        same_results(one.summary, other.summary)
    else:
        raise TypeError(f"no rule for {type(one)}")


_WORLDS: list[World] = []


def _world() -> World:
    """The world that all examples share."""
    if not _WORLDS:
        _WORLDS.append(World())
    return _WORLDS[0]


def test_statistics_that_are_collected_together_are_those_collected_alone(world: World) -> None:
    together = collect(world.source, [make(world) for make in CASES.values()])
    for make, own in zip(CASES.values(), together, strict=True):
        [alone] = collect(world.source, [make(world)])
        same_results(own, alone, 1e-6)


@pytest.mark.parametrize("make", CASES.values(), ids=lambda make: make.__name__)
def test_a_saved_statistic_is_loaded_as_it_was(
    world: World, make: Callable[[World], AnyStatistic], tmp_path: Path
) -> None:
    statistic, fresh = make(world), make(world)
    in_one_pass(world.source, statistic)
    belongs = belonging(world.source, [world.binary])
    save(tmp_path / "a.npz", statistic, belongs)
    load(tmp_path / "a.npz", fresh, belongs)
    same_results(fresh.result(), statistic.result())
    assert [each.name for each in tmp_path.iterdir()] == ["a.npz"]


def test_statistics_of_another_source_or_hypothesis_are_refused(world: World, tmp_path: Path) -> None:
    path, statistic = tmp_path / "a.npz", world.level_tables()
    belongs = belonging(world.source, [world.binary])
    save(path, statistic, belongs)
    for name, spelled in (("model", "models"), ("text", "texts"), ("selection", "selections"), ("bins", "bins")):
        with pytest.raises(AnalysisError, match=f"is of other {spelled}"):
            load(path, statistic, belongs | {name: "other"})
    with pytest.raises(AnalysisError, match="is of other hypotheses: <lambda>, not in_word"):
        load(path, statistic, belongs | {"hypotheses": "in_word"})
    with pytest.raises(AnalysisError, match="is of other statistics: LevelTables of .*, not ProductSums of "):
        load(path, world.products(), belongs)
    others = LevelTables(world.binary.parts_of_text, 3, COLUMNS[:1])
    with pytest.raises(
        AnalysisError, match="is of other statistics: .* 0/cell 0 to 3, 0/hidden 1 to 4, not .* 0/cell 0 to 3$"
    ):
        load(path, others, belongs)
    with pytest.raises(AnalysisError, match="cannot read"):
        load(tmp_path / "b.npz", statistic, belongs)


def test_a_damaged_file_is_noticed(world: World, tmp_path: Path) -> None:
    path, statistic = tmp_path / "a.npz", world.products()
    in_one_pass(world.source, statistic)
    belongs = belonging(world.source, [world.binary])
    save(path, statistic, belongs)
    content = path.read_bytes()
    for place in np.linspace(0, len(content) - 1, 60).astype(int).tolist():
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        fresh = world.products()
        try:
            load(path, fresh, belongs)
        except AnalysisError:
            continue
        same_results(fresh.result(), statistic.result())  # what was changed is not read, such as a date
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AnalysisError, match="damaged"):
        load(path, statistic, belongs)


def test_a_file_that_would_unpack_to_more_than_its_size_is_refused_before_it_does(world: World, tmp_path: Path) -> None:
    path, statistic = tmp_path / "a.npz", world.products()
    np.savez_compressed(path, header=np.zeros(100_000_000, np.uint8))
    tracemalloc.start()
    try:
        with pytest.raises(AnalysisError, match="is compressed, and so is not a saved statistic"):
            load(path, statistic, {})
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


class Largest:
    """The largest value of each unit where a label is True: a statistic as a user may write it."""

    n_readings, predictions = 1, False

    def __init__(self, site: Site, n_units: int, asked: Target) -> None:
        self.sites, self._asked, self._largest = [site], asked, np.full(n_units, -np.inf)

    def update(self, block: Block, labels: BlockLabels) -> None:
        rows = labels.of(self._asked)
        values = block.values[self.sites[0]][(rows.parts >= 0) & rows.labels]
        self._largest = np.maximum(self._largest, values.max(axis=0, initial=-np.inf))

    def merge(self, other: "Largest") -> None:
        self._largest = np.maximum(self._largest, other._largest)

    def end_reading(self) -> None:
        pass

    def result(self) -> NDArray[np.float64]:
        return self._largest

    def arrays(self) -> State:
        return {"largest": self._largest}

    def restore(self, arrays: State) -> None:
        self._largest = arrays["largest"]


def test_a_users_own_statistic_is_collected(world: World) -> None:
    [found] = collect(world.source, [Largest(CELL, 3, world.binary)])
    rows = np.zeros(N_CHARS, bool)
    rows[100:4_900] = True
    rows &= world.binary.labels.present & world.binary.labels.values
    values = np.concatenate([block.values[CELL] for block in list(world.source.blocks([CELL]))[::-1]])
    np.testing.assert_array_equal(found, values[rows[100:4_900]].max(axis=0))


OF_A_SOURCE: list[Callable[[Source], AnyStatistic]] = [
    lambda source: GramMatrices(source, [in_word]),
    lambda source: LossesByLabel(source, [in_word]),
    ActivePassages,
    Autocorrelations,
    Saturations,
]


def in_word(text: str) -> list[bool]:
    return [char.isalpha() for char in text]


def test_statistics_of_a_live_source_are_those_of_its_recording(code_text: str, tmp_path: Path) -> None:
    corpus = Corpus.from_texts([code_text[:9_000], code_text[9_000:12_000]])
    live = LiveActivations(random_model(code_text, n_layers=2), corpus, n_lanes=3)
    extract(live, tmp_path / "a.h5", sites=live.sites)
    with Recording(tmp_path / "a.h5") as recording:
        of_live, of_recording = (
            collect(source, [make(source) for make in OF_A_SOURCE]) for source in (live, recording)
        )
    same_results(of_live, of_recording)
