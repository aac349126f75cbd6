"""Fits of as many characters as a budget allows."""

import resource
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from hypothesis import given
from hypothesis import strategies as st
from planting import PLANTED, Arrays, random_model
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from activations.blocks import Block
from activations.errors import ActivationError
from activations.models.checkpoints import save_model
from activations.reading.extraction import extract
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.recordings.spool import Spool, spooled
from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from activations.units import Site
from analyses.curves import CURVES, curve
from analyses.errors import AnalysisError
from analyses.probing.control_names import CONTROLS
from analyses.probing.designs.budgets import available_rows, available_runs, chosen_runs, within_budget
from analyses.probing.options import FitOptions
from analyses.probing.probes import fit, fit_units
from analyses.targets.labelling import target
from analyses.targets.splits import TEST, TRAIN, Split
from probe.untrained import live_twin

SITE = Site.of(0, "hidden")


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@given(st.integers(0, 5000), st.integers(20_000, 400_000), st.integers(1, 7), st.integers(1000, 500_000))
def test_each_atom_gives_the_same_share_of_its_rows(start: int, n_chars: int, every: int, n_wanted: int) -> None:
    split, selection = Split.of(n_chars, start), Selection(start, start + n_chars, every)
    runs = chosen_runs(split, selection, n_wanted)
    if n_wanted >= selection.n_chars:
        assert runs == [range(selection.n_chars)]
        return
    chosen = np.concatenate([np.arange(run.start, run.stop) for run in runs])
    assert (np.diff(chosen) > 0).all()
    atoms = split.atom(np.arange(start, start + n_chars, every))
    share = n_wanted / selection.n_chars
    missed = share * np.bincount(atoms) - np.bincount(atoms[chosen], minlength=split.n_atoms)
    assert (missed > -1e-9).all() and (missed < 1).all()
    assert len(chosen) <= n_wanted


def test_a_spool_gives_the_rows_of_its_runs(rng: np.random.Generator, scratch: Path) -> None:
    """Of documents that begin anywhere, of a source that gives them in another order."""
    values = rng.normal(size=(5000, 3)).astype(np.float16)
    source = Arrays({SITE: values}, selection=Selection(7, 4990, 3))
    source.corpus = Corpus.from_texts(["a" * n for n in (1000, 1501, 2, 2497)])
    runs = [range(2, 5), range(300, 900), range(900, 901), range(1500, 1661)]
    with spooled(source, [SITE], runs) as spool:
        read: dict[int, list[float]] = {}
        for block in spool.blocks():
            assert not len(spool.corpus.starts_within(block.start + 1, block.stop))
            read |= dict(zip(range(block.start, block.stop, 3), block.values[SITE].tolist(), strict=True))
        assert list(scratch.iterdir()) == []  # the file has no name, and is gone if the process is killed
        assert spool.sample([SITE], 100)[SITE].shape[1] == 3
        np.testing.assert_array_equal(spool.read([SITE], 1000, 1900)[SITE], values[1000:1900:3])
        with pytest.raises(ActivationError, match="in this spool"):
            spool.read([SITE], 800, 1900)
    assert read == {7 + 3 * row: values[7 + 3 * row].tolist() for run in runs for row in run}
    assert list(scratch.iterdir()) == []
    used = available_rows(Spool(source, [SITE], runs))[:]
    assert np.flatnonzero(used).tolist() == [row for run in runs for row in run]


def test_a_budget_for_all_changes_nothing(planted: Path) -> None:
    with Recording(planted) as recording:
        sites = [PLANTED["in_quotes"].site]
        results = [
            fit(recording, "in_quotes", sites=sites, controls=CONTROLS, options=FitOptions(budget=budget))
            for budget in (None, 10**12)
        ]
        with within_budget(recording, sites, Split.of(len(recording.corpus)), 10**12) as source:
            assert source is recording
    for without_budget, with_budget in zip(*results, strict=True):
        np.testing.assert_equal(without_budget.row(), with_budget.row())
        assert without_budget.n_used == without_budget.n_chars == len(recording.corpus)


def test_a_small_budget_fits_the_chosen_characters_alone(planted: Path, scratch: Path) -> None:
    """As scikit-learn does."""
    site, penalty = PLANTED["in_quotes"].site, 100.0
    with Recording(planted) as recording:
        row_bytes = recording.sites[site] * recording.dtype(site).itemsize
        options = FitOptions(penalty=penalty, budget=9000 * row_bytes, keep=True)
        [result] = fit(recording, "in_quotes", sites=[site], options=options)
        in_quotes = target(recording.corpus, "in_quotes")
        x, y = recording.read([site])[site].astype(np.float64), in_quotes.labels.values
        chosen = np.zeros(len(x), bool)
        for run in chosen_runs(in_quotes.split, recording.selection, 9000):
            chosen[run.start : run.stop] = True
        parts = in_quotes.split.parts(0, len(x))
        streamed = fit(
            recording, "in_quotes", sites=[site], options=FitOptions(penalty=penalty, budget=options.budget, memory=1)
        )
    train, test = chosen & (parts == TRAIN), chosen & (parts == TEST)
    x = (x - x[train].mean(0)) / x[train].std(0)
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=1000).fit(x[train], y[train])
    np.testing.assert_allclose(result.weights[:, 0], reference.coef_[0], atol=2e-3)
    assert result.auc == pytest.approx(roc_auc_score(y[test], reference.decision_function(x[test])), abs=1e-4)
    assert (result.n_train, result.n_test) == (train.sum(), test.sum())
    assert (result.n_used, result.n_chars) == (chosen.sum(), len(x))
    assert result.predictions is not None
    np.testing.assert_array_equal(np.isfinite(result.predictions[:, 0]), test)
    np.testing.assert_allclose(streamed[0].weights, result.weights, atol=1e-4)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("over", list(CURVES))
def test_a_curve_keeps_to_the_budget(planted: Path, over: str) -> None:
    with Recording(planted) as recording:
        row_bytes = sum(recording.sites[site] * recording.dtype(site).itemsize for site in recording.sites)
        made = curve(
            recording,
            "in_quotes",
            over,
            sites=list(recording.sites),
            most=2,
            options=FitOptions(budget=4000 * row_bytes, penalty=1.0),
        )
    for row in made.rows():
        assert 3800 <= float(row["n_used"] or 0) <= 4000
        assert row["n_chars"] == len(recording.corpus)


def test_a_live_source_and_its_recording_are_fitted_alike(code_text: str, tmp_path: Path) -> None:
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    extract(live, tmp_path / "a.h5", sites=[SITE])
    options = FitOptions(budget=5000 * 16, penalty=1.0)
    with Recording(tmp_path / "a.h5") as recording:
        [of_live], [of_recording] = (
            fit(source, "in_quotes", sites=[SITE], options=options) for source in (live, recording)
        )
    np.testing.assert_array_equal(of_live.weights, of_recording.weights)
    np.testing.assert_equal(of_live.row(), of_recording.row())
    assert of_live.n_used < of_live.n_chars


def test_a_budget_for_next_to_nothing_is_refused(planted: Path) -> None:
    with Recording(planted) as recording, pytest.raises(AnalysisError, match="needed; allow more"):
        fit(recording, "in_quotes", options=FitOptions(budget=1000))


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_spool_is_gone_after_an_error(error: type[BaseException], scratch: Path) -> None:
    source = Arrays({SITE: np.zeros((5000, 3), np.float32)})

    def stop(done: int, total: int) -> None:
        raise error

    with pytest.raises(error), spooled(source, [SITE], [range(5000)], stop):
        pass
    assert list(scratch.iterdir()) == []
    with pytest.raises(error), spooled(source, [SITE], available_runs(source)):
        assert list(scratch.iterdir()) == []
        raise error
    assert list(scratch.iterdir()) == []


@contextmanager
def files_of(n_bytes: int) -> Iterator[None]:
    """As if the disk had room for no more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_is_one_sentence_and_leaves_nothing(scratch: Path) -> None:
    source = Arrays({SITE: np.zeros((200_000, 3), np.float32)})
    with files_of(1_000_000), pytest.raises(ActivationError, match=r"cannot write .*; a smaller --budget"):  # noqa: SIM117
        with spooled(source, [SITE], [range(200_000)]):
            pass
    assert list(scratch.iterdir()) == []


def test_a_full_disk_is_noticed_before_anything_is_read() -> None:
    source = Arrays({SITE: np.zeros((200_000, 3), np.float32)})
    n_read = 0

    def count(done: int, total: int) -> None:
        nonlocal n_read
        n_read = done

    with files_of(1_000_000), pytest.raises(ActivationError, match="it would be larger than .* allows; TMPDIR says"):  # noqa: SIM117
        with spooled(source, [SITE], [range(200_000)], count):
            pass
    assert n_read == 0


def test_an_error_of_the_source_is_not_taken_for_one_of_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Arrays({SITE: np.zeros((5000, 3), np.float32)})

    def blocks(sites: list[Site]) -> Iterator[Block]:
        raise OSError("the source has gone")

    monkeypatch.setattr(source, "blocks", blocks)
    with pytest.raises(OSError, match="the source has gone"), spooled(source, [SITE], [range(5000)]):
        pass


def test_nothing_is_kept_where_nothing_is_read(code_text: str, scratch: Path) -> None:
    """Of a live source, whose characters alone are probed."""
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    results = fit(live, "in_quotes", sites=[], controls=["chars"], options=FitOptions(penalty=1.0))
    assert [result.site for result in results] == ["last character", "last 5 characters", "last 20 characters"]


def test_the_command_says_how_many_characters_it_used(
    run: Command, planted: Path, code_text: str, tmp_path: Path
) -> None:
    small = ("--budget", "0.06", "--sites", "0/hidden", "--penalty", "1", "-H", "in_quotes")
    _, out, err = run("fit", str(planted), *small, "--controls", "none", "--json")
    [row] = rows(out)
    assert row["n_used"] < row["n_chars"] == len(code_text)
    assert f"{row['n_used']:,} of {row['n_chars']:,} characters are used" in err
    _, out, err = run("curve", str(planted), *small, "--over", "sites")
    assert f"{row['n_used']:,} of {row['n_chars']:,} characters are used" in err
    save_model(random_model(code_text), tmp_path / "model.pt")
    (tmp_path / "text.py").write_text(code_text, encoding="utf-8", newline="")
    live = ("--model", str(tmp_path / "model.pt"), "--text", str(tmp_path / "text.py"))
    _, out, err = run("fit", *live, "--sites", "0/hidden", "-H", "in_quotes", "--controls", "none", "--json")
    assert rows(out)[0]["n_used"] == len(code_text)
    assert "characters are used" not in err


def test_the_command_says_so_of_each_recording(run: Command, planted: Path, code_text: str, tmp_path: Path) -> None:
    """Of two recordings, the second of which alone takes more than is allowed."""
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    extract(live, tmp_path / "small.h5", sites=[SITE])
    options = ("-H", "in_quotes", "--budget", str(len(code_text) * 16 / 1e6), "--sites", "hidden")
    for command in (("fit", "--controls", "none", "--json"), ("fit", "--controls", "none"), ("curve", "--json")):
        _, _, err = run(*command, str(tmp_path / "small.h5"), str(planted), *options, "--penalty", "1")
        assert err.count(f"of {len(code_text):,} characters are used") == 1


@pytest.mark.parametrize("command", ["fit", "curve"])
def test_a_budget_without_an_end_is_one_sentence(run: Command, planted: Path, command: str) -> None:
    status, _, err = run(command, str(planted), "-H", "in_quotes", "--budget", "inf")
    assert status == 2
    assert "the budget is inf MB" in err


def test_untrained_twins_keep_to_the_budget_of_a_live_model(
    run: Command, code_text: str, tmp_path: Path, scratch: Path
) -> None:
    save_model(random_model(code_text), tmp_path / "model.pt")
    (tmp_path / "text.py").write_text(code_text, encoding="utf-8", newline="")
    live = ("--model", str(tmp_path / "model.pt"), "--text", str(tmp_path / "text.py"), "--sites", "0/hidden")
    status, out, err = run(
        *("fit", *live, "-H", "in_quotes", "--controls", "none", "--json", "--penalty", "1"),
        *("--untrained", str(tmp_path / "model.pt"), "--budget", str(5000 * 16 / 1e6)),
    )
    assert status == 0, err
    n_used_by_control = {row["control"]: row["n_used"] for row in rows(out)}
    assert set(n_used_by_control) == {None, "fresh", "shuffled"}
    assert all(4500 < n_used <= 5000 for n_used in n_used_by_control.values())
    assert list(scratch.glob("char-probe-*")) == []


def test_a_live_source_and_its_untrained_twin_have_a_budget_by_default(code_text: str) -> None:
    model = random_model(code_text)
    live = LiveActivations(model, Corpus.from_texts([code_text]))
    for source in (live, live_twin(live, model, "fresh")):
        split = Split.of(len(source.corpus))
        with within_budget(source, [SITE], split, live_budget=5000 * 16) as read:
            assert 4500 < sum(map(len, available_runs(read))) <= 5000
        with within_budget(source, [SITE], split) as read:
            assert list(available_runs(read)) == [range(len(source.corpus))]
            assert read is not source


@pytest.mark.parametrize("name", ["fit", "fit_units", "curve"])
def test_options_go_by_their_old_name_with_a_warning(planted: Path, name: str) -> None:
    analyses: dict[str, Callable[..., object]] = {
        "fit": lambda source, **options: fit(source, "in_quotes", sites=[], **options),
        "fit_units": lambda source, **options: fit_units(source, "in_quotes", [], **options),
        "curve": lambda source, **options: curve(source, "in_quotes", "sites", sites=[SITE], **options),
    }
    options = FitOptions(penalty=1.0)
    with Recording(planted) as recording:
        with pytest.warns(DeprecationWarning, match=rf"'how' of {name}\(\) is now called 'options'"):
            analyses[name](recording, how=options)
        with pytest.raises(TypeError, match="got 'options' twice"):
            analyses[name](recording, how=options, options=options)
