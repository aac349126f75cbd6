"""Fits that begin at a rough fit, or at another probe, reach the same minimum in fewer passes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from activations.recordings.recording import Recording
from analyses.probing import task_fits
from analyses.probing.designs.arrays import ArrayDesign
from analyses.probing.designs.design import DenseTile, Design
from analyses.probing.designs.thinned import ThinnedDesign
from analyses.probing.fitting import rough_fits
from analyses.probing.fitting.joint_fits import fit_probes
from analyses.probing.fitting.problems import FittedProbe, Problem
from analyses.probing.fitting.responses import Response
from analyses.probing.fitting.second_order.row_samples import RowSampler
from analyses.probing.probes import fit as fit_sites
from analyses.targets.row_runs import RowMask

N_ROWS, N_COLUMNS = 40_000, 12


@pytest.fixture
def x(rng: np.random.Generator) -> NDArray[np.float32]:
    """Columns that go together, of different sizes."""
    mixed = rng.normal(size=(N_ROWS, N_COLUMNS)) @ rng.normal(size=(N_COLUMNS, N_COLUMNS))
    return (mixed * rng.uniform(0.1, 3, N_COLUMNS)).astype(np.float32)


@pytest.fixture(params=["binary", "categorical"])
def response(request: pytest.FixtureRequest, x: NDArray[np.float32], rng: np.random.Generator) -> Response:
    """Labels that the columns tell, but for some noise."""
    scores = x[:, :3] / x[:, :3].std(axis=0) + rng.normal(size=(N_ROWS, 3))
    if request.param == "binary":
        return Response("binary", (scores[:, 0] > 1).astype(np.int16), 2)
    return Response("categorical", scores.argmax(axis=1).astype(np.int16), 3)


def fit(
    x: NDArray[np.float32], response: Response, start: FittedProbe | None = None, problem: Problem | None = None
) -> FittedProbe:
    design = ArrayDesign(x)
    starts = None if start is None else [start]
    [fitted] = fit_probes(design, [response], [np.ones(len(x), np.bool_)], [problem or Problem()], starts=starts)
    assert fitted.is_solved
    return fitted


def test_a_rough_fit_saves_passes_and_changes_no_minimum(
    x: NDArray[np.float32], response: Response, monkeypatch: pytest.MonkeyPatch
) -> None:
    roughly_first = fit(x, response)
    monkeypatch.setattr(rough_fits, "_LEAST", 10**9)
    from_zero = fit(x, response)
    assert roughly_first.objective == pytest.approx(from_zero.objective, rel=1e-6)
    assert roughly_first.n_passes < from_zero.n_passes


def test_a_fit_that_begins_at_its_minimum_only_confirms_it(x: NDArray[np.float32], response: Response) -> None:
    first = fit(x, response)
    again = fit(x, response, first)
    assert again.objective == pytest.approx(first.objective, rel=1e-6)
    assert again.n_passes <= 2


@pytest.mark.parametrize("factor", [-1.0, 0.0, 30.0])
def test_a_start_that_is_far_off_leads_to_the_same_minimum(
    factor: float, x: NDArray[np.float32], response: Response
) -> None:
    solved = fit(x, response)
    far = FittedProbe(factor * solved.weights, factor * solved.intercept, np.nan, 0, False)
    assert fit(x, response, far).objective == pytest.approx(solved.objective, rel=2e-6)


def test_a_start_is_in_the_unit_of_a_number_and_has_its_mean(x: NDArray[np.float32], rng: np.random.Generator) -> None:
    y = 1000.0 + 5.0 * x[:, 0] + rng.normal(size=N_ROWS)
    first = fit(x, Response("numeric", y, 1))
    again = fit(x, Response("numeric", y, 1), first)
    np.testing.assert_allclose(again.intercept, first.intercept, rtol=1e-7)
    np.testing.assert_allclose(again.weights, first.weights, rtol=1e-3, atol=1e-4)


def test_a_start_of_another_penalty_serves_an_elastic_net(x: NDArray[np.float32], rng: np.random.Generator) -> None:
    labels = Response("binary", (x[:, 0] + rng.normal(size=N_ROWS) > 0).astype(np.int16), 2)
    problem = Problem(penalty=10.0, l1_ratio=0.5)
    expected = fit(x, labels, problem=problem)
    other = fit(x, labels, problem=Problem(penalty=1000.0, l1_ratio=0.5))
    assert fit(x, labels, other, problem).objective == pytest.approx(expected.objective, rel=2e-6)


def test_a_thinned_design_has_every_nth_of_the_wanted_rows(x: NDArray[np.float32]) -> None:
    design = ArrayDesign(x)
    wanted = np.zeros(N_ROWS, np.bool_)
    wanted[1000:31_000] = True
    thinned = ThinnedDesign(design, wanted, 10, design.basis(wanted))
    rows = np.concatenate([np.arange(N_ROWS)[tile.rows] for tile in thinned.tiles(wanted)])
    np.testing.assert_array_equal(rows, np.arange(1000, 31_000, 10))
    assert thinned.share == pytest.approx(0.1)
    for tile in thinned.tiles(wanted):
        assert isinstance(tile, DenseTile)
        np.testing.assert_allclose(tile.x, (x - x.mean(axis=0))[tile.rows], atol=1e-4)


@pytest.mark.parametrize(("n_probes", "rows_per_column", "is_cheap"), [(1, 32, True), (4, 20, True), (2000, 6, False)])
def test_samples_of_few_probes_are_larger(n_probes: int, rows_per_column: float, is_cheap: bool) -> None:
    """As many rows as make the Hessians of all probes cost 4 · 160,000 · (n_probes + 16) products with a column."""
    design = ArrayDesign(np.zeros((1_000, 399), np.float32))
    sampler = RowSampler(design, np.ones(160_000, np.bool_))
    sampler.choose_size(n_probes, n_probes)
    assert sampler.n_rows == pytest.approx(rows_per_column * 400, rel=0.01)
    assert sampler.is_cheap == is_cheap


def test_samples_of_a_thinned_design_are_as_those_of_its_own_rows() -> None:
    """A Hessian of one of ten rows may cost as much as a pass over them, a tenth of one over all."""
    design = ArrayDesign(np.zeros((1_000, 399), np.float32))
    thinned = RowSampler(design, np.ones(1_600_000, np.bool_), 0.1)
    alone = RowSampler(design, np.ones(160_000, np.bool_))
    for sampler in (thinned, alone):
        sampler.choose_size(4, 4)
    assert thinned.n_rows == alone.n_rows
    assert not RowSampler(design, np.ones(10_000, np.bool_), 0.5).takes_all  # rough fits need no exact Hessians


def test_probes_of_a_recording_need_no_torch(planted: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nsys.argv = ['probe', 'fit', sys.argv[1], '-H', 'in_quotes', '--controls', 'none']\n"
        "from probe.cli import main\n"
        "try:\n    main()\nfinally:\n    print('torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(planted)], capture_output=True, text=True, cwd=tmp_path)
    assert done.stderr.splitlines()[-1] == "False", done.stderr


def test_the_last_fit_begins_at_the_probe_that_chose_its_penalty(
    planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits: list[tuple[list[Problem], list[FittedProbe | None] | None, list[FittedProbe]]] = []

    def noted(
        design: Design,
        responses: list[Response],
        rows: list[RowMask],
        problems: list[Problem],
        *,
        starts: list[FittedProbe | None] | None = None,
        **options: Any,
    ) -> list[FittedProbe]:
        fitted = fit_probes(design, responses, rows, problems, starts=starts, **options)
        fits.append((problems, starts, fitted))
        return fitted

    monkeypatch.setattr(task_fits, "fit_probes", noted)
    with Recording(planted) as recording:
        fit_sites(recording, "in_quotes", sites=[next(iter(recording.sites))])
    [(choosing, first_starts, candidates), ([last], starts, _)] = fits
    assert first_starts is None
    assert starts is not None
    [start] = starts
    assert [problem.penalty for problem, probe in zip(choosing, candidates, strict=True) if probe is start] == [
        last.penalty
    ]
