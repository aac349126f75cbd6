"""Probes that are fitted together reach the minimum that others find one by one."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import Arrays
from profiles import n_examples
from scipy.optimize import minimize
from sklearn.linear_model import ElasticNet, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from activations.units import Site, Unit
from analyses.errors import AnalysisError
from analyses.probing.designs.characters import CharacterDesign
from analyses.probing.designs.design import ArrayDesign, Design, UnitDesign, tiles_of
from analyses.probing.fitting import curvatures, joint_fits
from analyses.probing.fitting.curvatures import Curvature, Sample
from analyses.probing.fitting.joint_fits import fit_probes, mean_losses
from analyses.probing.fitting.problems import Linear, Problem
from analyses.probing.fitting.responses import Response
from hypotheses.labels import Kind

Array = NDArray[np.float64]
SITE = Site.of(0, "hidden")


def binary(labels: NDArray[np.bool_]) -> Response:
    return Response("binary", labels.astype(np.int16), 2)


def everywhere(n: int) -> NDArray[np.bool_]:
    return np.ones(n, np.bool_)


def fit_one(x: NDArray[np.floating], response: Response, **problem: object) -> Linear:
    [found] = fit_probes(ArrayDesign(x), [response], [everywhere(len(x))], [Problem(**problem)])  # type: ignore[arg-type]
    return found


def logits(x: NDArray[np.floating], weights: Array, intercept: Array) -> Array:
    return np.asarray((x - x.mean(0)).astype(np.float64) @ weights + intercept)


def objective(z: Array, y: NDArray[np.integer], weights: Array, penalty: float, l1_ratio: float = 0.0) -> float:
    """Of logits (n_rows,) or (n_rows, n_classes)."""
    z = np.column_stack([np.zeros(len(z)), z]) if z.shape[1] == 1 else z
    loss = (np.logaddexp.reduce(z, axis=1) - z[np.arange(len(z)), y]).sum()
    penalised = l1_ratio * np.abs(weights).sum() + (1 - l1_ratio) / 2 * (weights**2).sum()
    return float(loss + penalty * penalised)


@pytest.fixture(params=[(400, 5), (3000, 20), (6000, 7)])
def x(request: pytest.FixtureRequest, rng: np.random.Generator) -> Array:
    """Columns that go together, of different sizes."""
    n, d = request.param
    return np.asarray(rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) * rng.uniform(0.1, 10, d))


@pytest.mark.parametrize("penalty", [0.1, 10.0])
@pytest.mark.parametrize("share", [0.5, 0.02])
def test_the_objective_is_that_of_scikit_learn(
    x: Array, share: float, penalty: float, rng: np.random.Generator
) -> None:
    x /= x.std(0)
    evidence = x[:, 0] + rng.normal(size=len(x))
    y = evidence > np.quantile(evidence, 1 - share)
    found = fit_one(x, binary(y), penalty=penalty)
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(x - x.mean(0), y)
    best = objective(logits(x, reference.coef_.T, reference.intercept_), y.astype(int), reference.coef_, penalty)
    own = objective(logits(x, found.weights, found.intercept), y.astype(int), found.weights, penalty)
    assert found.is_solved
    assert own <= found.objective * (1 + 1e-6) <= own * (1 + 1e-4)
    assert own <= best * (1 + 1e-4)


def smallest_objective(
    x: Array, response: Response, weights: Array, penalty: float, l1_ratio: float
) -> tuple[float, Callable[[Array, Array], float]]:
    """By scipy, with positive and negative parts of weights apart; and the objective of weights and intercepts."""
    n, d, k = len(x), x.shape[1], response.n_scores
    y = response.at(slice(None)).astype(np.float64)

    def value_and_gradient(w: Array, b: Array) -> tuple[float, Array, Array]:
        z = x @ w + b
        if response.kind == "numeric":
            loss, slope = 0.5 * (z[:, 0] - y) ** 2, z - y[:, None]
        else:
            z = np.column_stack([np.zeros(n), z]) if k == 1 else z
            total = np.logaddexp.reduce(z, axis=1)
            loss, right = (
                total - z[np.arange(n), response.at(slice(None))],
                np.eye(z.shape[1])[response.at(slice(None))],
            )
            slope = (np.exp(z - total[:, None]) - right)[:, -k:]
        slope *= weights[:, None]
        return float(weights @ loss), x.T @ slope, slope.sum(axis=0)

    def objective(w: Array, b: Array) -> float:
        penalised = l1_ratio * np.abs(w).sum() + (1 - l1_ratio) / 2 * (w**2).sum()
        return value_and_gradient(w, b)[0] + penalty * float(penalised)

    def split(flat: Array) -> tuple[float, Array]:
        plus, minus = flat[: 2 * d * k].reshape(2, d, k)
        loss, of_w, of_b = value_and_gradient(plus - minus, flat[2 * d * k :])
        l1, l2 = penalty * l1_ratio, penalty * (1 - l1_ratio)
        bent = of_w + l2 * (plus - minus)
        value = loss + l1 * flat[: 2 * d * k].sum() + 0.5 * l2 * ((plus - minus) ** 2).sum()
        return value / n, np.concatenate([(bent + l1).ravel(), (l1 - bent).ravel(), of_b]) / n

    bounds = [(0, None)] * (2 * d * k) + [(None, None)] * k
    options = {"maxiter": 20_000, "maxfun": 40_000, "ftol": 1e-16, "gtol": 1e-11, "maxcor": 30}
    found = minimize(split, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    plus, minus = found[: 2 * d * k].reshape(2, d, k)
    return objective(plus - minus, found[2 * d * k :]), objective


@pytest.mark.filterwarnings("error")
@settings(max_examples=n_examples(25))
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(["binary", "categorical", "numeric"]),
    penalty=st.sampled_from([0.01, 1.0, 100.0]),
    l1_ratio=st.sampled_from([0.0, 0.5, 1.0]),
    balanced=st.booleans(),
    weighted=st.booleans(),
    dtype=st.sampled_from(["f4", "f8"]),
    sharpness=st.sampled_from([0.0, 1.0, 30.0]),
)
def test_any_fit_is_within_a_millionth_of_the_smallest_objective_or_says_that_it_is_not(
    seed: int, kind: Kind, penalty: float, l1_ratio: float, balanced: bool, weighted: bool, dtype: str, sharpness: float
) -> None:
    """With a class of a single row, units that never change or are nearly the same, and values to 1e5."""
    rng = np.random.default_rng(seed)
    n, d, k = int(rng.integers(60, 400)), int(rng.integers(1, 5)), int(rng.integers(3, 6))
    x = rng.normal(size=(n, d))
    x = np.hstack([x, x[:, :1], x[:, :1] + 1e-3 * rng.normal(size=(n, 1)), np.ones((n, 1))])
    evidence = sharpness * x[:, :1] * rng.normal(size=k) + rng.gumbel(size=(n, k))
    y = evidence.argmax(axis=1)
    if kind == "binary":
        y = (y == 0).astype(int)
    y[y == (k - 1 if kind == "categorical" else 1)] = 0
    y[rng.integers(n)] = k - 1 if kind == "categorical" else 1
    if kind == "numeric":
        response = Response("numeric", evidence[:, 0] * 10.0 ** rng.integers(-3, 4), 1)
    else:
        response = Response(kind, y.astype(np.int16), k if kind == "categorical" else 2)
    x = (x * 10.0 ** rng.uniform(-5, 5, x.shape[1]) + rng.uniform(-1e5, 1e5, x.shape[1]) * rng.integers(0, 2)).astype(
        dtype
    )
    weights = rng.uniform(0.1, 3, n) if weighted else None
    design: Design
    if dtype == "f4":
        design = UnitDesign(Arrays({SITE: x}), [Unit(SITE, index) for index in range(x.shape[1])], everywhere(n))
    else:
        scale = x.std(axis=0)
        design = ArrayDesign(x / np.where(scale > 1e-9 * np.abs(x).max(axis=0), scale, np.inf))
    seen = np.concatenate([tile.x for tile in design.tiles(everywhere(n))]).astype(np.float64)
    problem = Problem(penalty=penalty, l1_ratio=l1_ratio, balanced=balanced)
    [found] = fit_probes(design, [response], [everywhere(n)], [problem], weights=weights)
    own_weights = np.ones(n) if weights is None else weights
    if balanced and kind != "numeric":
        counts = response.sums(everywhere(n), own_weights)
        of_class = counts.sum() / ((counts > 0).sum() * np.maximum(counts, 1e-300))
        own_weights = own_weights * of_class[response.at(slice(None))]
    best, objective = smallest_objective(seen, response, own_weights, penalty, l1_ratio)
    own = objective(found.weights, found.intercept)
    event(f"solved: {found.is_solved}")
    assert own <= best * (1 + 1e-6) or not found.is_solved
    if dtype == "f8" or penalty >= 1:  # the losses of labels that are told apart may be too small for float32
        assert found.is_solved, (own / best - 1, found.n_passes)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_a_class_of_a_single_row_is_no_obstacle_where_rows_are_sampled(
    l1_ratio: float, rng: np.random.Generator
) -> None:
    """A step too far leaves that class without a curvature; the fit ended there, far from the minimum."""
    mixing = rng.normal(size=(6, 6)) * np.exp(-np.arange(6) / 4)[:, None]
    x = np.tanh(rng.normal(size=(8200, 6)) @ mixing)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    y = np.argmax(2 * x[:, :6] + rng.gumbel(size=(len(x), 6)), axis=1)
    y[y == 5], y[123] = 0, 5
    found = fit_one(x, Response("categorical", y, 6), penalty=2.0, l1_ratio=l1_ratio)
    best, objective = smallest_objective(
        (x - x.mean(axis=0, dtype=np.float64)), Response("categorical", y, 6), np.ones(len(x)), 2.0, l1_ratio
    )
    assert found.is_solved
    assert objective(found.weights, found.intercept) <= best * (1 + 1e-6)


def test_a_fit_that_is_given_too_few_passes_is_not_solved(x: Array, rng: np.random.Generator) -> None:
    response = binary(x[:, 0] + rng.normal(size=len(x)) > 1)
    for l1_ratio in (0.0, 0.5):
        problem = Problem(penalty=0.01, l1_ratio=l1_ratio)
        [found] = fit_probes(ArrayDesign(x), [response], [everywhere(len(x))], [problem], most_passes=2)
        assert not found.is_solved


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["binary", "numeric"])
def test_no_rows_have_no_loss_and_give_no_warning(kind: Kind, rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 2))
    y = rng.normal(size=50) if kind == "numeric" else (x[:, 0] > 0).astype(int)
    response, rows = Response(kind, y, 2 if kind == "binary" else 1), [everywhere(50), ~everywhere(50)]
    fitted = fit_probes(ArrayDesign(x), [response], rows[:1], [Problem()])
    assert np.isnan(mean_losses(ArrayDesign(x), [response], rows, [Problem(rows=1)], fitted)).all()
    assert Response("numeric", np.full(3, np.nan), 1).middle == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e5, 0.1, 1e-30, 0.0])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_units_that_hardly_change_make_no_numbers_too_large(value: float, dtype: str, rng: np.random.Generator) -> None:
    """Also where the deviation has no inverse in float32."""
    columns = [np.full(5000, value), value + 1e-39 * rng.normal(size=5000), rng.normal(size=5000)]
    x = np.column_stack(columns).astype(dtype)
    design = UnitDesign(Arrays({SITE: x}), [Unit(SITE, index) for index in range(3)], everywhere(5000))
    assert all(np.abs(tile.x).max() < 1e3 for tile in design.tiles(everywhere(5000)))
    [found] = fit_probes(design, [binary(x[:, 2] > 0.5)], [everywhere(5000)], [Problem()])
    assert found.is_solved


def test_several_classes_reach_the_objective_of_scikit_learn(x: Array, rng: np.random.Generator) -> None:
    x /= x.std(0)
    y = np.argmax(x[:, :4] + rng.gumbel(size=(len(x), 4)) + [0, 0, 0, -3], axis=1)
    found = fit_one(x, Response("categorical", y, 4))
    reference = LogisticRegression(tol=1e-10, max_iter=10_000).fit(x - x.mean(0), y)
    best = objective(logits(x, reference.coef_.T, reference.intercept_), y, reference.coef_, 1.0)
    assert objective(logits(x, found.weights, found.intercept), y, found.weights, 1.0) <= best * (1 + 1e-4)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_an_elastic_net_reaches_the_objective_of_scikit_learn(
    x: Array, l1_ratio: float, rng: np.random.Generator
) -> None:
    x /= x.std(0)
    y = x[:, 0] + rng.normal(size=len(x)) > 0.5
    penalty = 0.02 * len(x)
    found = fit_one(x, binary(y), penalty=penalty, l1_ratio=l1_ratio)
    reference = LogisticRegression(
        C=1 / penalty, l1_ratio=l1_ratio, solver="saga", tol=1e-8, max_iter=20_000, random_state=0
    ).fit(x - x.mean(0), y)
    of_reference = logits(x, reference.coef_.T, reference.intercept_)
    best = objective(of_reference, y.astype(int), reference.coef_, penalty, l1_ratio)
    own = objective(logits(x, found.weights, found.intercept), y.astype(int), found.weights, penalty, l1_ratio)
    assert own <= best * (1 + 1e-4)
    assert (found.weights == 0).sum() == (reference.coef_ == 0).sum()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_numbers_are_fitted_like_those_of_scikit_learn(x: Array, l1_ratio: float, rng: np.random.Generator) -> None:
    x /= x.std(0)
    y = 1000 + 5 * x[:, 1] - x[:, 2] + rng.normal(size=len(x))
    penalty = 0.1 * len(x)
    found = fit_one(x, Response("numeric", y, 1), penalty=penalty, l1_ratio=l1_ratio)
    reference = (
        ElasticNet(alpha=penalty / len(x), l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000)
        if l1_ratio
        else Ridge(alpha=penalty)
    ).fit(x - x.mean(0), y)
    tolerance = 1e-2 if l1_ratio else 1e-5
    np.testing.assert_allclose(found.weights[:, 0], reference.coef_, atol=tolerance)
    assert found.intercept[0] == pytest.approx(reference.intercept_, rel=1e-6)


def test_many_together_are_as_each_alone(rng: np.random.Generator) -> None:
    """Of all kinds, with labels that are missing, on several sets of rows and with several penalties."""
    x = rng.normal(size=(5000, 8))
    missing = rng.random(5000) < 0.3
    yes, number = x[:, 0] + rng.normal(size=5000) > 1, x @ np.arange(8.0) + rng.normal(size=5000)
    classes = np.digitize(x[:, 1] + rng.normal(size=5000), [-1, 0.5])
    responses = [
        Response("binary", np.where(missing, -1, yes), 2),
        Response("numeric", np.where(missing, np.nan, number), 1),
        Response("categorical", np.where(missing, -1, classes), 3),
        binary(x[:, 2] > 1.5),
    ]
    rows = [everywhere(5000), np.arange(5000) < 3000]
    problems = [
        Problem(response=response, rows=part, penalty=penalty, balanced=balanced)
        for response in range(4)
        for part, penalty, balanced in ((0, 1.0, False), (1, 50.0, True), (0, 5.0, False))
    ]
    together = fit_probes(ArrayDesign(x), responses, rows, problems, tolerance=1e-10, negligible=0.0)
    for problem, found in zip(problems, together, strict=True):
        response = responses[problem.response]
        use = rows[problem.rows] & response.present
        own, y = x[use] - x.mean(0), response.at(slice(None))[use]
        weight = "balanced" if problem.balanced else None
        reference = (
            Ridge(alpha=problem.penalty)
            if response.kind == "numeric"
            else LogisticRegression(C=1 / problem.penalty, class_weight=weight, tol=1e-10, max_iter=5000)
        ).fit(own, y)
        np.testing.assert_allclose(found.weights.T, np.atleast_2d(reference.coef_), atol=2e-3, err_msg=str(problem))


def test_a_combination_that_no_unit_tells_alone_is_found(rng: np.random.Generator) -> None:
    """Ten units each share the label's evidence, together with noise that cancels in their sum."""
    labels = rng.random(4000) < 0.5
    noise = rng.normal(0, 1, (4000, 10))
    noise -= noise.mean(1, keepdims=True)
    x = (noise + (labels[:, None] - 0.5) * 0.4 + rng.normal(0, 0.1, (4000, 10))).astype(np.float32)
    found = fit_one(x, binary(labels))
    assert max(roc_auc_score(labels, column) for column in x.T) < 0.7
    assert roc_auc_score(labels, x @ found.weights[:, 0]) > 0.99


@pytest.mark.parametrize("n_true", [1, 3, 40])
@pytest.mark.parametrize("n_rows", [4000, 40_000])
def test_rare_labels_converge(n_rows: int, n_true: int, rng: np.random.Generator) -> None:
    x = rng.normal(0, 1, (n_rows, 3)).astype(np.float32)
    y = np.zeros(len(x), np.bool_)
    y[1 : 1 + 8 * n_true : 8] = True
    x[y] += 1
    found = fit_one(x, binary(y))
    reference = LogisticRegression(tol=1e-10, max_iter=1000).fit(x - x.mean(0), y)
    np.testing.assert_allclose(found.weights[:, 0], reference.coef_[0], atol=1e-2)
    assert found.intercept[0] == pytest.approx(reference.intercept_[0], abs=1e-2)


def test_separable_labels_converge(rng: np.random.Generator) -> None:
    x = rng.normal(0, 1, (500, 3)).astype(np.float32)
    y = x[:, 0] > 0
    found = fit_one(x, binary(y), penalty=1e-3)
    assert found.is_solved
    assert ((logits(x, found.weights, found.intercept)[:, 0] > 0) == y).mean() > 0.99


@pytest.mark.parametrize(("n_rows", "n_columns", "n_true"), [(4000, 99, 10), (4000, 99, 40), (200, 5, 2)])
@pytest.mark.parametrize("shift", [3.0, 6.0, 12.0])
def test_rare_labels_that_are_told_easily_converge(
    n_rows: int, n_columns: int, n_true: int, shift: float, rng: np.random.Generator
) -> None:
    """Where a whole step goes much too far, and the second derivatives there are nearly 0."""
    x = rng.normal(size=(n_rows, n_columns))
    y = np.arange(n_rows) < n_true
    x[y, 0] += shift
    found = fit_one(x, binary(y))
    reference = LogisticRegression(tol=1e-10, max_iter=10_000).fit(x - x.mean(0), y)
    best = objective(logits(x, reference.coef_.T, reference.intercept_), y.astype(int), reference.coef_, 1.0)
    assert found.is_solved
    assert found.n_passes < 60
    assert objective(logits(x, found.weights, found.intercept), y.astype(int), found.weights, 1.0) <= best * (1 + 1e-4)


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e12])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_numbers_are_fitted_alike_in_any_unit(unit: float, l1_ratio: float, rng: np.random.Generator) -> None:
    """Far from 0, in float32, and where the columns say the same several times."""
    n, penalty = 3000, 30.0
    text = "".join(rng.choice(list("abcd"), n))
    x = rng.normal(size=(n, 5)).astype("f4")
    source = Arrays({SITE: np.hstack([x, x[:, :2]])}, text)
    y = (x @ np.arange(5.0) + np.array([char == "a" for char in text]) + rng.normal(size=n) + 1e6) * unit
    units = UnitDesign(source, [Unit(SITE, index) for index in range(7)], everywhere(n))
    for design in (units, CharacterDesign(source, 3)) if l1_ratio == 0 else (units,):
        problem = Problem(penalty=penalty * (unit if l1_ratio else 1), l1_ratio=l1_ratio)
        problems = [problem] if l1_ratio == 0 else [Problem(penalty=1e-12 * unit, l1_ratio=l1_ratio)]
        [found] = fit_probes(design, [Response("numeric", y, 1)], [everywhere(n)], problems)
        told = np.concatenate([tile.times(found.weights) for tile in design.tiles(everywhere(n))])[:, 0]
        r2 = 1 - ((y - told - found.intercept[0]) ** 2).mean() / y.var()
        assert found.is_solved
        assert r2 == pytest.approx(30 / 31.2 if design is units else 0.19 / 31.2, abs=0.02)


def test_columns_that_say_the_same_are_no_obstacle(rng: np.random.Generator) -> None:
    x = np.eye(10)[rng.integers(0, 10, 2000)]
    x = np.hstack([x, rng.normal(size=(2000, 20))]).astype("f4")
    found = fit_one(x, binary(x[:, 12] + rng.normal(size=2000) > 1), penalty=1e-6)
    assert found.is_solved


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ({"penalty": 0.0}, "the penalty is 0"),
        ({"penalty": np.nan}, "the penalty is nan"),
        ({"l1_ratio": 1.5}, "the L1 ratio is 1.5"),
    ],
)
def test_a_penalty_out_of_range_is_refused(problem: dict[str, float], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        fit_one(np.eye(4), binary(np.arange(4) > 1), **problem)


def test_mean_losses_are_those_of_the_rows(rng: np.random.Generator) -> None:
    x = rng.normal(size=(600, 3))
    response, test = binary(x[:, 0] + rng.normal(size=600) > 0), np.arange(600) >= 400
    design, problems = ArrayDesign(x), [Problem()]
    fitted = fit_probes(design, [response], [~test], problems)
    z = logits(x, fitted[0].weights, fitted[0].intercept)[test]
    expected = objective(z, response.at(slice(None))[test], np.zeros(1), 0.0) / 200
    assert mean_losses(design, [response], [test], problems, fitted)[0] == pytest.approx(expected)


def all_halves() -> NDArray[np.float16]:
    """Every float16 that is a number, in 62 columns."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    return halves[np.isfinite(halves)].reshape(-1, 62)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("memory", [0, 1 << 30])
def test_units_are_standardised_exactly_in_memory_or_not(dtype: str, memory: int, rng: np.random.Generator) -> None:
    values = rng.permuted(all_halves(), axis=0).astype(dtype)
    train = rng.random(len(values)) < 0.7
    units = [Unit(SITE, index) for index in range(values.shape[1])]
    design = UnitDesign(Arrays({SITE: values}), units, train, memory=memory)
    mean, scale = values[train].mean(0, dtype=np.float64), values[train].std(0, dtype=np.float64)
    np.testing.assert_allclose(design.mean, mean, rtol=1e-6, atol=1e-4)
    np.testing.assert_allclose(design.scale, scale, rtol=1e-6)
    for _ in range(2):
        found = np.full(values.shape, np.nan)
        for tile in design.tiles(train):
            found[tile.rows] = tile.x
        assert np.isnan(found[~train]).all()
        np.testing.assert_allclose(found[train], (values[train] - design.mean) / design.scale, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_what_is_no_number_is_refused(broken: float, dtype: str, rng: np.random.Generator) -> None:
    values = rng.normal(size=(3000, 3)).astype(dtype)
    values[1234, 1] = broken
    units = [Unit(SITE, index) for index in range(3)]
    with pytest.raises(AnalysisError, match="not numbers"):
        UnitDesign(Arrays({SITE: values}), units, everywhere(3000))


def test_units_of_several_sites_stand_in_the_order_asked_for(rng: np.random.Generator) -> None:
    other = Site.of(1, "cell")
    values = {SITE: rng.normal(size=(700, 4)).astype("f2"), other: rng.normal(size=(700, 3)).astype("f4")}
    units = [Unit(other, 2), Unit(SITE, 1), Unit(other, 0), Unit(SITE, 3)]
    design = UnitDesign(Arrays(values), units, everywhere(700))
    expected = np.column_stack([values[unit.site][:, unit.index] for unit in units]).astype(np.float64)
    expected = (expected - expected.mean(0)) / expected.std(0)
    for tile in design.tiles(everywhere(700)):
        np.testing.assert_allclose(tile.x, expected[tile.rows], atol=1e-4)


def test_tiles_are_runs_of_rows(rng: np.random.Generator) -> None:
    wanted = rng.random(10_000) < 0.9
    rows = np.concatenate([np.arange(10_000)[each] for each in tiles_of(wanted, n_rows=64)])
    assert rows.tolist() == np.flatnonzero(wanted).tolist()
    assert max(len(range(*each.indices(10_000))) for each in tiles_of(everywhere(10_000), n_rows=64)) == 64
    every = np.concatenate([np.arange(10_000)[each] for each in tiles_of(everywhere(10_000), 7, 64)])
    assert every.tolist() == list(range(0, 10_000, 7))


def test_the_last_characters_are_ones_in_their_columns(rng: np.random.Generator) -> None:
    text = "".join(rng.choice(list("abc\n"), 500))
    design = CharacterDesign(Arrays({SITE: np.zeros((500, 1))}, text), 3)
    alphabet = sorted(set(text))
    expected = np.zeros((500, design.n_columns))
    for place in range(500):
        for back in range(min(3, place + 1)):
            expected[place, back * (len(alphabet) + 1) + alphabet.index(text[place - back])] = 1
    weights, numbers = rng.normal(size=(design.n_columns, 2)), rng.normal(size=(500, 4))
    for tile in design.tiles(everywhere(500)):
        np.testing.assert_allclose(tile.times(weights), expected[tile.rows] @ weights, atol=1e-5)
        np.testing.assert_allclose(
            tile.transposed_times(numbers[tile.rows]), expected[tile.rows].T @ numbers[tile.rows], atol=1e-4
        )
    np.testing.assert_allclose(design.basis(everywhere(500)).variances, expected.mean(0), atol=1e-6)
    wanted, with_1 = rng.random(500) < 0.7, np.column_stack([expected, np.ones(500)])
    weights = wanted * rng.integers(0, 2, 500) * rng.random(500)
    np.testing.assert_allclose(
        design.products(wanted, [weights[tile.rows] for tile in design.tiles(wanted)]),
        with_1.T @ (weights[:, None] * with_1),
        atol=1e-9,
    )


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 1000.0])
@pytest.mark.parametrize("room", [0, 100 << 20])
def test_probes_of_characters_reach_the_minimum_with_and_without_products(
    penalty: float, room: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where many contexts tell the label nearly without fail, and weights go far."""
    monkeypatch.setattr(joint_fits, "_PRODUCT_BYTES", room)
    n = 6000
    codes = rng.choice(12, n, p=np.arange(1, 13) ** 2 / 650)
    design = CharacterDesign(Arrays({SITE: np.zeros((n, 1))}, "".join("abcdefghijkl"[code] for code in codes)), 4)
    y = (codes + np.roll(codes, 2) > 18) ^ (rng.random(n) < 0.01)
    most_passes = 300 if room else 5000
    found = fit_probes(
        design, [binary(y)], [everywhere(n)], [Problem(penalty=penalty)], most_passes=most_passes, tolerance=1e-7
    )[0]
    [x] = [tile.times(np.eye(design.n_columns)) for tile in design.tiles(everywhere(n))]
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=20_000).fit(x.astype("f8"), y)
    best = objective(x @ reference.coef_.T + reference.intercept_, y.astype(int), reference.coef_, penalty)
    own = objective(x @ found.weights + found.intercept, y.astype(int), found.weights, penalty)
    assert found.is_solved
    assert own <= best * (1 + 1e-6)
    assert not room or found.n_passes < 60


def test_samples_have_their_size_also_after_a_step_that_went_too_far(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass whose point was too far away says nothing of curvatures."""
    sizes = []

    def of_score(sample: Sample) -> Curvature:
        sizes.append(len(sample.rows))
        return curvatures.of_score(sample)

    monkeypatch.setattr(joint_fits, "of_score", of_score)
    monkeypatch.setattr(joint_fits, "_PASSES_BEFORE", 2)  # the first of which is too far
    labels = rng.random(40_000) < 0.001
    x = rng.normal(size=(40_000, 30)) + 12.0 * labels[:, None]
    assert fit_one(x, binary(labels)).is_solved
    assert min(sizes) > 0.3 * joint_fits._FEWEST_ROWS


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(5))
def test_a_rare_label_and_a_single_unit_go_no_detours(seed: int) -> None:
    """Few columns are measured at enough rows; at twenty of them, steps were so long that numbers overflowed."""
    rng = np.random.default_rng(seed)
    labels = rng.random(200_000) < 0.012
    x = np.tanh(rng.normal(size=(200_000, 1)) * np.where(labels, 0.5, 3.0)[:, None] + 2 * labels[:, None])
    found = fit_one(x.astype(np.float32), binary(labels))
    reference = LogisticRegression(C=1.0, tol=1e-8).fit(x - x.mean(0), labels)
    np.testing.assert_allclose(found.weights[:, 0], reference.coef_[0], rtol=0.02)
    assert found.n_passes < 15  # 17 where twenty rows were measured
