"""Sessions remember what questions have in common, within a stated memory, and for several threads at once."""

import dataclasses
import inspect
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from planting import PLANTED, Arrays, drifting, in_runs, random_model
from profiles import n_examples
from threadpoolctl import threadpool_info, threadpool_limits

import probe
from activations.blocks import Block, Source
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.collecting.collect import collect, read
from analyses.levels.columns import Columns
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit
from analyses.ranking.explaining.explanation import explain
from analyses.ranking.ranking import compare, rank, rank_all
from analyses.session import Session
from analyses.statistics.level_tables import LevelTables
from analyses.statistics.products import ProductSums
from analyses.targets.labelling import target
from analyses.threads import ReentrantLock, in_threads, one_thread_each

HIDDEN, CELL = Site.of(0, "hidden"), Site.of(0, "cell")
NAMES = list(PLANTED)


class Counted(Arrays):
    """Two sites, one of them in float32, that count how often and by how many threads at once they are read."""

    def __init__(self, n_chars: int = 6_000, *, is_live: bool = False) -> None:
        rng = np.random.default_rng(0)
        self.label = in_runs(rng, n_chars, 20)
        values = drifting(rng, n_chars, 7, 5) + self.label[:, None]
        super().__init__({HIDDEN: values[:, :4].astype(np.float16), CELL: values[:, 4:]})
        self.is_live = is_live
        self.n_readings = self.most_readers = 0
        self.readers: list[int] = []  # one for each that is reading
        self.asked = target(self.corpus, lambda text: self.label.tolist())

    def blocks(
        self, sites: Collection[Site] | None = None, n_chars: int = 1000, *, predictions: bool = False
    ) -> Iterator[Block]:
        self.n_readings += 1
        self.readers.append(0)
        self.most_readers = max(self.most_readers, len(self.readers))
        try:
            for block in super().blocks(sites, n_chars, predictions=predictions):
                threading.Event().wait(1e-4)  # another thread may begin
                yield block
        finally:
            self.readers.pop()


def spelled(found: Any) -> Any:
    """The whole content of a result, to the last bit, so that NaN is equal to itself."""
    if isinstance(found, float):
        return found.hex()
    if isinstance(found, np.ndarray):
        return found.dtype.str, found.shape, found.tobytes()
    if dataclasses.is_dataclass(found):
        return [spelled(getattr(found, each.name)) for each in dataclasses.fields(found)]
    if isinstance(found, Mapping):
        return [(str(key), spelled(value)) for key, value in found.items()]
    if isinstance(found, list | tuple):
        return [spelled(each) for each in found]
    if hasattr(found, "__dict__"):
        return spelled(vars(found))
    return repr(found)


def questions(source: Source) -> dict[str, Callable[[Source], Any]]:
    asked = [target(source.corpus, name) for name in NAMES]
    unit = PLANTED["in_quotes"]
    return {
        "rank": lambda session: rank(session, "in_quotes"),
        "rank a number": lambda session: rank(session, "position_in_line"),
        "rank_all": lambda session: rank_all(session, asked, n_intervals=2),
        "compare": lambda session: compare(session, asked[0], ["auc", "f1", "mutual_information", "spearman"]),
        "explain": lambda session: explain(session, unit, asked),
        "shifts": lambda session: rank(session, asked[1], shifts=19),
        "fit": lambda session: fit(session, asked[0], sites=[unit.site], options=FitOptions(penalty=10.0)),
        "collect": lambda session: collect(session, [ProductSums(asked[:2], {unit.site: source.sites[unit.site]})]),
    }


@pytest.fixture
def live(code_text: str) -> LiveActivations:
    corpus = Corpus.from_texts([code_text[:6_000], code_text[6_000:10_000]])
    return LiveActivations(random_model(code_text, n_layers=1, gain=1.5), corpus)


def answers_of_threads(source: Source, asked: Mapping[str, Callable[[Source], Any]]) -> dict[str, Any]:
    """Answers to questions that are all asked of one session at once."""
    ready = threading.Barrier(len(asked))

    def answer(question: Callable[[Source], Any]) -> Any:
        ready.wait()
        return spelled(question(session))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        with Session(source) as session, ThreadPoolExecutor(len(asked)) as pool:
            return dict(zip(asked, pool.map(answer, asked.values()), strict=True))
    finally:
        sys.setswitchinterval(interval)


def test_questions_asked_at_once_get_the_answers_of_one_after_another(planted: Path) -> None:
    with Recording(planted) as recording:
        asked = questions(recording)
        alone = {name: spelled(question(recording)) for name, question in asked.items()}
        for _ in range(3):
            assert answers_of_threads(recording, asked) == alone


def test_so_do_questions_asked_at_once_of_a_live_source(live: LiveActivations) -> None:
    asked = questions(live)
    alone = {name: spelled(question(live)) for name, question in asked.items()}
    assert answers_of_threads(live, asked) == alone


def test_a_session_reads_its_source_once_for_several_questions() -> None:
    source = Counted()
    first = spelled(rank(source, source.asked))
    n_alone = source.n_readings
    with Session(source) as session:
        assert spelled(rank(session, source.asked)) == first
        assert source.n_readings == 2 * n_alone
        assert 2 * 7 * 6_000 < session.n_bytes <= session.memory_bytes
        assert spelled(rank(session, source.asked)) == spelled(rank(session, source.asked)) == first
        assert source.n_readings == 2 * n_alone
    assert session.n_bytes == 0
    rank(source, source.asked)
    assert source.n_readings == 3 * n_alone  # without a session, nothing is remembered


@given(memory_bytes=st.integers(0, 400_000), names=st.permutations(["all", "hidden", "cell"]))
@settings(max_examples=n_examples(8))
def test_what_is_remembered_never_takes_more_than_the_memory_set_aside(memory_bytes: int, names: list[str]) -> None:
    source = Counted(2_000)
    sites = {"all": [HIDDEN, CELL], "hidden": [HIDDEN], "cell": [CELL]}
    with Session(source, memory_bytes=memory_bytes) as session:
        for name in names:
            found = rank(session, source.asked, sites=sites[name], method="mutual_information", shifts=5)
            assert spelled(found) == spelled(
                rank(source, source.asked, sites=sites[name], method="mutual_information", shifts=5)
            )
            assert session.n_bytes <= memory_bytes


def test_bins_are_kept_while_a_question_uses_them() -> None:
    source = Counted()
    kinds = np.zeros(6_000, np.int8)
    columns = [Columns(CELL, 0, 3)]
    [expected] = collect(source, [LevelTables(kinds, 1, columns)])
    with Session(source, memory_bytes=0) as session:

        def blocks() -> Iterator[Block]:
            for block in source.blocks([CELL]):
                collect(session, [])  # after which a session forgets what is beyond its memory
                yield block

        shard = LevelTables(kinds, 1, columns)
        read(session, [shard], blocks=blocks())
        assert spelled(shard.result()) == spelled(expected)
        assert session.n_bytes == 0


def test_a_path_is_opened_and_closed(planted: Path) -> None:
    with Recording(planted) as recording:
        expected = spelled(rank(recording, "in_quotes"))
    with Session(planted) as session:
        assert spelled(rank(session, "in_quotes")) == expected
        assert isinstance(session.source, Recording)
        opened = session.source._file
        assert opened
    assert not opened
    with Recording(planted) as recording:
        with Session(recording) as session:
            rank(session, "in_quotes")
        assert recording._file  # it is closed by whoever opened it


def test_every_public_analysis_of_a_source_is_a_question_of_a_session() -> None:
    found = {
        name: value
        for group in (probe.ranking, probe.probing, probe.statistics)
        for name, value in vars(group).items()
        if inspect.isfunction(value) and value.__module__.startswith("analyses.")
    }
    of_sources = {name for name, value in found.items() if next(iter(inspect.signature(value).parameters)) == "source"}
    assert of_sources >= {"rank", "rank_all", "compare", "explain", "fit", "fit_units", "curve", "collect"}
    assert all(hasattr(found[name], "__wrapped__") for name in of_sources)


def test_the_example_of_the_document_runs(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    document = (Path(__file__).parents[1] / "docs" / "ranking.md").read_text(encoding="utf-8")
    [example] = re.findall(
        r"^```python\n(import probe\n\nwith probe.Session.*?)^```", document, re.DOTALL | re.MULTILINE
    )
    Path("activations.h5").symlink_to(planted)
    exec(example, {})
    out = capsys.readouterr().out
    assert re.findall(r"units for (\w+)", out) == ["in_quotes", "in_comment", "position_in_line"]
    assert str(PLANTED["in_quotes"]) in out


def test_a_session_has_the_properties_of_its_source(planted: Path) -> None:
    with Session(planted) as session:
        source = session.source
        for name in ("corpus", "vocabulary", "selection", "sites", "is_live", "model_sha256"):
            assert getattr(session, name) == getattr(source, name)
        for site in source.sites:
            assert session.dtype(site) == source.dtype(site)
        blocks = zip(session.blocks(), source.blocks(), strict=True)
        assert all(spelled(own) == spelled(other) for own, other in blocks)
        assert spelled(session.read([HIDDEN], 100, 200)) == spelled(source.read([HIDDEN], 100, 200))
        assert Session.of(session) is session
        with session.rereadable(list(source.sites)) as again:
            assert again is session


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("n_sessions", [1, 2])
def test_only_live_sources_are_read_by_one_thread_at_a_time(n_sessions: int, is_live: bool) -> None:
    """This holds across models: torch has one number of threads for the whole process."""
    source, other = Counted(is_live=is_live), Counted(is_live=is_live)
    other.readers = source.readers
    sessions = [Session(source)] * 2 if n_sessions == 1 else [Session(source), Session(other)]
    begun = threading.Barrier(2)

    def read(session: Session) -> None:
        blocks = session.blocks()
        next(blocks)
        if not is_live:
            begun.wait(60)  # both are in the midst of it
        assert len(list(blocks)) == 5

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(read, sessions))
    assert max(source.most_readers, other.most_readers) == (1 if is_live else 2)


def test_a_thread_may_read_a_live_source_while_it_reads_it_and_others_may_once_it_stops() -> None:
    session = Session(Counted(is_live=True))
    blocks = session.blocks()
    next(blocks)
    assert len(list(session.blocks())) == 6
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(lambda: len(list(session.blocks())))
        with pytest.raises(TimeoutError):
            other.result(0.2)
        blocks.close()
        assert other.result(60) == 6


def test_a_lock_may_be_released_by_another_thread() -> None:
    session = Session(Counted(is_live=True))
    left: list[Iterator[Block]] = []

    def begin() -> None:
        left.append(session.blocks())
        next(left[0])

    thread = threading.Thread(target=begin)
    thread.start()
    thread.join()
    left.clear()  # closes it, in this thread
    assert len(list(session.blocks())) == 6


def test_a_thread_with_the_number_of_one_that_has_ended_waits_for_the_lock() -> None:
    session = Session(Counted(is_live=True))
    left: list[Iterator[Block]] = []
    numbers: list[int | None] = []

    def begin() -> None:
        left.append(session.blocks())
        next(left[0])

    def read() -> None:
        list(session.blocks())
        numbers.append(threading.get_ident())

    first = threading.Thread(target=begin)
    first.start()
    first.join()
    readers = [threading.Thread(target=read, daemon=True) for _ in range(20)]
    for each in readers:
        each.start()
    assert first.ident in {each.ident for each in readers}  # the system gives numbers again
    for each in readers:
        each.join(0.02)
    assert not numbers
    left[0].close()  # type: ignore[attr-defined]
    for each in readers:
        each.join(60)
    assert len(numbers) == 20


def test_a_question_that_fails_lets_others_read_a_live_source() -> None:
    def fail(n_chars: int) -> None:
        raise ZeroDivisionError

    source = Counted(is_live=True)
    with Session(source) as session, ThreadPoolExecutor(1) as pool:
        with pytest.raises(ZeroDivisionError) as error:
            collect(session, [ProductSums([source.asked], {HIDDEN: 4})], fail)
        assert len(source.readers) == 1  # was left half-way, and is kept by the error
        assert pool.submit(lambda: len(list(session.blocks()))).result(60) == 6
        del error


def test_an_error_releases_a_lock_that_was_taken_twice() -> None:
    lock = ReentrantLock()
    with pytest.raises(ZeroDivisionError), lock.held(), lock.held():
        raise ZeroDivisionError
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: _is_free(lock)).result(60)


def _is_free(lock: ReentrantLock) -> bool:
    with lock.held():
        return True


def blas_threads() -> set[int]:
    return {each["num_threads"] for each in threadpool_info() if each["user_api"] == "blas"}


def test_matrix_products_take_one_thread_until_the_last_question_ends() -> None:
    import scipy.linalg  # noqa: F401 - has a library of its own

    with threadpool_limits(2, user_api="blas"):
        first, second = one_thread_each(), Session(Counted()).answering()
        first.__enter__()
        second.__enter__()
        pieces = in_threads(lambda item: item, range(3))
        next(pieces)
        first.__exit__(None, None, None)
        pieces.close()  # type: ignore[attr-defined]
        assert blas_threads() == {1}
        second.__exit__(None, None, None)
        assert blas_threads() == {2}


_LOOPS = """
import threading
import numpy as np
from analyses.levels.binning import to_levels
from analyses.levels.choosing_bins import bins_around

values = np.random.default_rng(0).normal(size=(20_000, 64)).astype(np.float32)
bins = bins_around(values)  # which calls loops in threads of its own
into = np.empty((64, 20_000), np.uint16)

def work():
    own = np.empty((64, 20_000), np.uint16)
    for _ in range(30):
        to_levels(values, own, bins)
    if not (own == into).all():
        raise SystemExit(1)

to_levels(values, into, bins)
threads = [threading.Thread(target=work) for _ in range(4)]
for each in threads:
    each.start()
for each in threads:
    each.join()
print("done")
"""


def test_no_parallel_loop_is_called_by_two_threads_at_once() -> None:
    """Every loop that shares its work among cores is compiled by `kernels.in_parallel`."""
    root = Path(__file__).parents[1]
    folders = ("probe", "analyses", "activations", "hypotheses")
    sources = [path for folder in folders for path in (root / folder).rglob("*.py")]
    found = [path.name for path in sources if re.search(r"parallel\s*=\s*True", path.read_text(encoding="utf-8"))]
    assert found == ["kernels.py"]


def test_parallel_loops_may_be_called_by_threads_also_where_numba_has_no_openmp() -> None:
    environment = os.environ | {"NUMBA_THREADING_LAYER": "workqueue", "NUMBA_NUM_THREADS": "2"}
    done = subprocess.run([sys.executable, "-c", _LOOPS], env=environment, capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr
