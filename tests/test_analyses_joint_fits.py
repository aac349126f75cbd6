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
from analyses.probing.designs.arrays import ArrayDesign
from analyses.probing.designs.characters import CharacterDesign
from analyses.probing.designs.design import Design, tiles_of
from analyses.probing.designs.units import UnitDesign
from analyses.probing.fitting.joint_fits import fit_probes, mean_losses
from analyses.probing.fitting.losses import LogisticLabels, logistic
from analyses.probing.fitting.problems import FittedProbe, Problem, SolverOptions
from analyses.probing.fitting.responses import Response
from analyses.probing.fitting.second_order import hessians, row_samples
from analyses.probing.fitting.second_order.hessians import Hessian, Sample
from analyses.probing.fitting.second_order.newton import Newton
from analyses.probing.fitting.second_order.row_samples import systematic_sample
from hypotheses.labels import Kind

Array = NDArray[np.float64]
SITE = Site.of(0, "hidden")


def binary(labels: NDArray[np.bool_]) -> Response:
    return Response("binary", labels.astype(np.int16), 2)


def all_rows(n: int) -> NDArray[np.bool_]:
    return np.ones(n, np.bool_)


def fit_one(x: NDArray[np.floating], response: Response, **problem: object) -> FittedProbe:
    [fitted] = fit_probes(ArrayDesign(x), [response], [all_rows(len(x))], [Problem(**problem)])  # type: ignore[arg-type]
    return fitted


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
    fitted = fit_one(x, binary(y), penalty=penalty)
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=10_000).fit(x - x.mean(0), y)
    best = objective(logits(x, reference.coef_.T, reference.intercept_), y.astype(int), reference.coef_, penalty)
    value = objective(logits(x, fitted.weights, fitted.intercept), y.astype(int), fitted.weights, penalty)
    assert fitted.is_solved
    assert value <= fitted.objective * (1 + 1e-6) <= value * (1 + 1e-4)
    assert value <= best * (1 + 1e-4)


def smallest_objective(
    x: Array, response: Response, weights: Array, penalty: float, l1_ratio: float
) -> tuple[float, Callable[[Array, Array], float]]:
    """By scipy, with positive and negative parts of weights apart; and the objective of weights and intercepts."""
    n, d, k = len(x), x.shape[1], response.n_outputs
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
    flat = minimize(split, np.zeros(len(bounds)), jac=True, method="L-BFGS-B", bounds=bounds, options=options).x
    plus, minus = flat[: 2 * d * k].reshape(2, d, k)
    return objective(plus - minus, flat[2 * d * k :]), objective


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
        design = UnitDesign(Arrays({SITE: x}), [Unit(SITE, index) for index in range(x.shape[1])], all_rows(n))
    else:
        scale = x.std(axis=0)
        design = ArrayDesign(x / np.where(scale > 1e-9 * np.abs(x).max(axis=0), scale, np.inf))
    seen = np.concatenate([tile.x for tile in design.tiles(all_rows(n))]).astype(np.float64)
    problem = Problem(penalty=penalty, l1_ratio=l1_ratio, balanced=balanced)
    [fitted] = fit_probes(design, [response], [all_rows(n)], [problem], weights=weights)
    row_weights = np.ones(n) if weights is None else weights
    if balanced and kind != "numeric":
        counts = response.sums(all_rows(n), row_weights)
        of_class = counts.sum() / ((counts > 0).sum() * np.maximum(counts, 1e-300))
        row_weights = row_weights * of_class[response.at(slice(None))]
    best, objective = smallest_objective(seen, response, row_weights, penalty, l1_ratio)
    value = objective(fitted.weights, fitted.intercept)
    event(f"solved: {fitted.is_solved}")
    assert value <= best * (1 + 1e-6) or not fitted.is_solved
    if dtype == "f8" or penalty >= 1:  # the losses of labels that are told apart may be too small for float32
        assert fitted.is_solved, (value / best - 1, fitted.n_passes)


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
    fitted = fit_one(x, Response("categorical", y, 6), penalty=2.0, l1_ratio=l1_ratio)
    best, objective = smallest_objective(
        (x - x.mean(axis=0, dtype=np.float64)), Response("categorical", y, 6), np.ones(len(x)), 2.0, l1_ratio
    )
    assert fitted.is_solved
    assert objective(fitted.weights, fitted.intercept) <= best * (1 + 1e-6)


def test_a_fit_that_is_given_too_few_passes_is_not_solved(x: Array, rng: np.random.Generator) -> None:
    response = binary(x[:, 0] + rng.normal(size=len(x)) > 1)
    for l1_ratio in (0.0, 0.5):
        problem = Problem(penalty=0.01, l1_ratio=l1_ratio)
        [fitted] = fit_probes(
            ArrayDesign(x), [response], [all_rows(len(x))], [problem], options=SolverOptions(max_passes=2)
        )
        assert not fitted.is_solved


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["binary", "numeric"])
def test_no_rows_have_no_loss_and_give_no_warning(kind: Kind, rng: np.random.Generator) -> None:
    x = rng.normal(size=(50, 2))
    y = rng.normal(size=50) if kind == "numeric" else (x[:, 0] > 0).astype(int)
    response, rows = Response(kind, y, 2 if kind == "binary" else 1), [all_rows(50), ~all_rows(50)]
    fitted = fit_probes(ArrayDesign(x), [response], rows[:1], [Problem()])
    assert np.isnan(mean_losses(ArrayDesign(x), [response], rows, [Problem(rows=1)], fitted)).all()
    assert Response("numeric", np.full(3, np.nan), 1).centre == 0


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [1e5, 0.1, 1e-30, 0.0])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_units_that_hardly_change_make_no_numbers_too_large(value: float, dtype: str, rng: np.random.Generator) -> None:
    """Also where the deviation has no inverse in float32."""
    columns = [np.full(5000, value), value + 1e-39 * rng.normal(size=5000), rng.normal(size=5000)]
    x = np.column_stack(columns).astype(dtype)
    design = UnitDesign(Arrays({SITE: x}), [Unit(SITE, index) for index in range(3)], all_rows(5000))
    assert all(np.abs(tile.x).max() < 1e3 for tile in design.tiles(all_rows(5000)))
    [fitted] = fit_probes(design, [binary(x[:, 2] > 0.5)], [all_rows(5000)], [Problem()])
    assert fitted.is_solved


def test_several_classes_reach_the_objective_of_scikit_learn(x: Array, rng: np.random.Generator) -> None:
    x /= x.std(0)
    y = np.argmax(x[:, :4] + rng.gumbel(size=(len(x), 4)) + [0, 0, 0, -3], axis=1)
    fitted = fit_one(x, Response("categorical", y, 4))
    reference = LogisticRegression(tol=1e-10, max_iter=10_000).fit(x - x.mean(0), y)
    best = objective(logits(x, reference.coef_.T, reference.intercept_), y, reference.coef_, 1.0)
    assert objective(logits(x, fitted.weights, fitted.intercept), y, fitted.weights, 1.0) <= best * (1 + 1e-4)


@pytest.mark.parametrize("l1_ratio", [0.5, 1.0])
def test_an_elastic_net_reaches_the_objective_of_scikit_learn(
    x: Array, l1_ratio: float, rng: np.random.Generator
) -> None:
    x /= x.std(0)
    y = x[:, 0] + rng.normal(size=len(x)) > 0.5
    penalty = 0.02 * len(x)
    fitted = fit_one(x, binary(y), penalty=penalty, l1_ratio=l1_ratio)
    reference = LogisticRegression(
        C=1 / penalty, l1_ratio=l1_ratio, solver="saga", tol=1e-8, max_iter=20_000, random_state=0
    ).fit(x - x.mean(0), y)
    of_reference = logits(x, reference.coef_.T, reference.intercept_)
    best = objective(of_reference, y.astype(int), reference.coef_, penalty, l1_ratio)
    value = objective(logits(x, fitted.weights, fitted.intercept), y.astype(int), fitted.weights, penalty, l1_ratio)
    assert value <= best * (1 + 1e-4)
    assert (fitted.weights == 0).sum() == (reference.coef_ == 0).sum()


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_numbers_are_fitted_like_those_of_scikit_learn(x: Array, l1_ratio: float, rng: np.random.Generator) -> None:
    x /= x.std(0)
    y = 1000 + 5 * x[:, 1] - x[:, 2] + rng.normal(size=len(x))
    penalty = 0.1 * len(x)
    fitted = fit_one(x, Response("numeric", y, 1), penalty=penalty, l1_ratio=l1_ratio)
    reference = (
        ElasticNet(alpha=penalty / len(x), l1_ratio=l1_ratio, tol=1e-12, max_iter=100_000)
        if l1_ratio
        else Ridge(alpha=penalty)
    ).fit(x - x.mean(0), y)
    tolerance = 1e-2 if l1_ratio else 1e-5
    np.testing.assert_allclose(fitted.weights[:, 0], reference.coef_, atol=tolerance)
    assert fitted.intercept[0] == pytest.approx(reference.intercept_, rel=1e-6)


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
    rows = [all_rows(5000), np.arange(5000) < 3000]
    problems = [
        Problem(response=response, rows=part, penalty=penalty, balanced=balanced)
        for response in range(4)
        for part, penalty, balanced in ((0, 1.0, False), (1, 50.0, True), (0, 5.0, False))
    ]
    together = fit_probes(
        ArrayDesign(x), responses, rows, problems, options=SolverOptions(tolerance=1e-10, negligible=0.0)
    )
    for problem, fitted in zip(problems, together, strict=True):
        response = responses[problem.response]
        use = rows[problem.rows] & response.present
        centred, y = x[use] - x.mean(0), response.at(slice(None))[use]
        weight = "balanced" if problem.balanced else None
        reference = (
            Ridge(alpha=problem.penalty)
            if response.kind == "numeric"
            else LogisticRegression(C=1 / problem.penalty, class_weight=weight, tol=1e-10, max_iter=5000)
        ).fit(centred, y)
        np.testing.assert_allclose(fitted.weights.T, np.atleast_2d(reference.coef_), atol=2e-3, err_msg=str(problem))


def test_a_combination_that_no_unit_tells_alone_is_found(rng: np.random.Generator) -> None:
    """Ten units each share the label's evidence, together with noise that cancels in their sum."""
    labels = rng.random(4000) < 0.5
    noise = rng.normal(0, 1, (4000, 10))
    noise -= noise.mean(1, keepdims=True)
    x = (noise + (labels[:, None] - 0.5) * 0.4 + rng.normal(0, 0.1, (4000, 10))).astype(np.float32)
    fitted = fit_one(x, binary(labels))
    assert max(roc_auc_score(labels, column) for column in x.T) < 0.7
    assert roc_auc_score(labels, x @ fitted.weights[:, 0]) > 0.99


@pytest.mark.parametrize("n_true", [1, 3, 40])
@pytest.mark.parametrize("n_rows", [4000, 40_000])
def test_rare_labels_converge(n_rows: int, n_true: int, rng: np.random.Generator) -> None:
    x = rng.normal(0, 1, (n_rows, 3)).astype(np.float32)
    y = np.zeros(len(x), np.bool_)
    y[1 : 1 + 8 * n_true : 8] = True
    x[y] += 1
    fitted = fit_one(x, binary(y))
    reference = LogisticRegression(tol=1e-10, max_iter=1000).fit(x - x.mean(0), y)
    np.testing.assert_allclose(fitted.weights[:, 0], reference.coef_[0], atol=1e-2)
    assert fitted.intercept[0] == pytest.approx(reference.intercept_[0], abs=1e-2)


def test_separable_labels_converge(rng: np.random.Generator) -> None:
    x = rng.normal(0, 1, (500, 3)).astype(np.float32)
    y = x[:, 0] > 0
    fitted = fit_one(x, binary(y), penalty=1e-3)
    assert fitted.is_solved
    assert ((logits(x, fitted.weights, fitted.intercept)[:, 0] > 0) == y).mean() > 0.99


@pytest.mark.parametrize(("n_rows", "n_columns", "n_true"), [(4000, 99, 10), (4000, 99, 40), (200, 5, 2)])
@pytest.mark.parametrize("shift", [3.0, 6.0, 12.0])
def test_rare_labels_that_are_told_easily_converge(
    n_rows: int, n_columns: int, n_true: int, shift: float, rng: np.random.Generator
) -> None:
    """Where a whole step goes much too far, and the second derivatives there are nearly 0."""
    x = rng.normal(size=(n_rows, n_columns))
    y = np.arange(n_rows) < n_true
    x[y, 0] += shift
    fitted = fit_one(x, binary(y))
    reference = LogisticRegression(tol=1e-10, max_iter=10_000).fit(x - x.mean(0), y)
    best = objective(logits(x, reference.coef_.T, reference.intercept_), y.astype(int), reference.coef_, 1.0)
    assert fitted.is_solved
    assert fitted.n_passes < 60
    assert objective(logits(x, fitted.weights, fitted.intercept), y.astype(int), fitted.weights, 1.0) <= best * (
        1 + 1e-4
    )


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e12])
@pytest.mark.parametrize("l1_ratio", [0.0, 0.5])
def test_numbers_are_fitted_alike_in_any_unit(unit: float, l1_ratio: float, rng: np.random.Generator) -> None:
    """Far from 0, in float32, and where the columns say the same several times."""
    n, penalty = 3000, 30.0
    text = "".join(rng.choice(list("abcd"), n))
    x = rng.normal(size=(n, 5)).astype("f4")
    source = Arrays({SITE: np.hstack([x, x[:, :2]])}, text)
    y = (x @ np.arange(5.0) + np.array([char == "a" for char in text]) + rng.normal(size=n) + 1e6) * unit
    units = UnitDesign(source, [Unit(SITE, index) for index in range(7)], all_rows(n))
    for design in (units, CharacterDesign(source, 3)) if l1_ratio == 0 else (units,):
        problem = Problem(penalty=penalty * (unit if l1_ratio else 1), l1_ratio=l1_ratio)
        problems = [problem] if l1_ratio == 0 else [Problem(penalty=1e-12 * unit, l1_ratio=l1_ratio)]
        [fitted] = fit_probes(design, [Response("numeric", y, 1)], [all_rows(n)], problems)
        predicted = np.concatenate([tile.times(fitted.weights) for tile in design.tiles(all_rows(n))])[:, 0]
        r2 = 1 - ((y - predicted - fitted.intercept[0]) ** 2).mean() / y.var()
        assert fitted.is_solved
        assert r2 == pytest.approx(30 / 31.2 if design is units else 0.19 / 31.2, abs=0.02)


def test_columns_that_say_the_same_are_no_obstacle(rng: np.random.Generator) -> None:
    x = np.eye(10)[rng.integers(0, 10, 2000)]
    x = np.hstack([x, rng.normal(size=(2000, 20))]).astype("f4")
    fitted = fit_one(x, binary(x[:, 12] + rng.normal(size=2000) > 1), penalty=1e-6)
    assert fitted.is_solved


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
    probes = fit_probes(design, [response], [~test], problems)
    z = logits(x, probes[0].weights, probes[0].intercept)[test]
    expected = objective(z, response.at(slice(None))[test], np.zeros(1), 0.0) / 200
    assert mean_losses(design, [response], [test], problems, probes)[0] == pytest.approx(expected)


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
        standardised = np.full(values.shape, np.nan)
        for tile in design.tiles(train):
            standardised[tile.rows] = tile.x
        assert np.isnan(standardised[~train]).all()
        np.testing.assert_allclose(
            standardised[train], (values[train] - design.mean) / design.scale, rtol=1e-5, atol=1e-6
        )


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", ["f2", "f4"])
def test_what_is_no_number_is_refused(broken: float, dtype: str, rng: np.random.Generator) -> None:
    values = rng.normal(size=(3000, 3)).astype(dtype)
    values[1234, 1] = broken
    units = [Unit(SITE, index) for index in range(3)]
    with pytest.raises(AnalysisError, match="not numbers"):
        UnitDesign(Arrays({SITE: values}), units, all_rows(3000))


def test_units_of_several_sites_stand_in_the_order_asked_for(rng: np.random.Generator) -> None:
    second = Site.of(1, "cell")
    values = {SITE: rng.normal(size=(700, 4)).astype("f2"), second: rng.normal(size=(700, 3)).astype("f4")}
    units = [Unit(second, 2), Unit(SITE, 1), Unit(second, 0), Unit(SITE, 3)]
    design = UnitDesign(Arrays(values), units, all_rows(700))
    expected = np.column_stack([values[unit.site][:, unit.index] for unit in units]).astype(np.float64)
    expected = (expected - expected.mean(0)) / expected.std(0)
    for tile in design.tiles(all_rows(700)):
        np.testing.assert_allclose(tile.x, expected[tile.rows], atol=1e-4)


def test_tiles_are_runs_of_rows(rng: np.random.Generator) -> None:
    wanted = rng.random(10_000) < 0.9
    tiled = np.concatenate([np.arange(10_000)[rows] for rows in tiles_of(wanted, n_rows=64)])
    assert tiled.tolist() == np.flatnonzero(wanted).tolist()
    assert max(len(range(*rows.indices(10_000))) for rows in tiles_of(all_rows(10_000), n_rows=64)) == 64
    every = np.concatenate([np.arange(10_000)[rows] for rows in tiles_of(all_rows(10_000), 7, 64)])
    assert every.tolist() == list(range(0, 10_000, 7))


def test_the_last_characters_are_ones_in_their_columns(rng: np.random.Generator) -> None:
    text = "".join(rng.choice(list("abc\n"), 500))
    design = CharacterDesign(Arrays({SITE: np.zeros((500, 1))}, text), 3)
    alphabet = sorted(set(text))
    expected = np.zeros((500, design.n_columns))
    for position in range(500):
        for back in range(min(3, position + 1)):
            expected[position, back * (len(alphabet) + 1) + alphabet.index(text[position - back])] = 1
    weights, numbers = rng.normal(size=(design.n_columns, 2)), rng.normal(size=(500, 4))
    for tile in design.tiles(all_rows(500)):
        np.testing.assert_allclose(tile.times(weights), expected[tile.rows] @ weights, atol=1e-5)
        np.testing.assert_allclose(
            tile.transposed_times(numbers[tile.rows]), expected[tile.rows].T @ numbers[tile.rows], atol=1e-4
        )
    np.testing.assert_allclose(design.basis(all_rows(500)).variances, expected.mean(0), atol=1e-6)
    wanted, with_1 = rng.random(500) < 0.7, np.column_stack([expected, np.ones(500)])
    weights = wanted * rng.integers(0, 2, 500) * rng.random(500)
    np.testing.assert_allclose(
        design.products(wanted, [weights[tile.rows] for tile in design.tiles(wanted)]),
        with_1.T @ (weights[:, None] * with_1),
        atol=1e-9,
    )


@pytest.mark.parametrize("penalty", [1e-3, 1.0, 1000.0])
@pytest.mark.parametrize("product_bytes", [0, 100 << 20])
def test_probes_of_characters_reach_the_minimum_with_and_without_products(
    penalty: float, product_bytes: int, rng: np.random.Generator
) -> None:
    """Where many contexts tell the label nearly without fail, and weights go far."""
    n = 6000
    codes = rng.choice(12, n, p=np.arange(1, 13) ** 2 / 650)
    design = CharacterDesign(Arrays({SITE: np.zeros((n, 1))}, "".join("abcdefghijkl"[code] for code in codes)), 4)
    y = (codes + np.roll(codes, 2) > 18) ^ (rng.random(n) < 0.01)
    max_passes = 300 if product_bytes else 5000
    options = SolverOptions(max_passes=max_passes, tolerance=1e-7, product_bytes=product_bytes)
    [fitted] = fit_probes(design, [binary(y)], [all_rows(n)], [Problem(penalty=penalty)], options=options)
    [x] = [tile.times(np.eye(design.n_columns)) for tile in design.tiles(all_rows(n))]
    reference = LogisticRegression(C=1 / penalty, tol=1e-10, max_iter=20_000).fit(x.astype("f8"), y)
    best = objective(x @ reference.coef_.T + reference.intercept_, y.astype(int), reference.coef_, penalty)
    value = objective(x @ fitted.weights + fitted.intercept, y.astype(int), fitted.weights, penalty)
    assert fitted.is_solved
    assert value <= best * (1 + 1e-6)
    assert not product_bytes or fitted.n_passes < 60


def test_samples_have_their_size_also_after_a_step_that_went_too_far(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pass whose point was too far away says nothing of curvatures."""
    sizes = []

    def hessian_of_output(sample: Sample) -> Hessian:
        sizes.append(len(sample.rows))
        return hessians.hessian_of_output(sample)

    monkeypatch.setattr(row_samples, "hessian_of_output", hessian_of_output)
    labels = rng.random(40_000) < 0.001
    x = rng.normal(size=(40_000, 30)) + 12.0 * labels[:, None]
    options = SolverOptions(passes_before_hessian=2)  # the first of which is too far
    [fitted] = fit_probes(ArrayDesign(x), [binary(labels)], [all_rows(len(x))], [Problem()], options=options)
    assert fitted.is_solved
    assert min(sizes) > 0.3 * row_samples.MIN_ROWS


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("seed", range(5))
def test_a_rare_label_and_a_single_unit_go_no_detours(seed: int) -> None:
    """Few columns are measured at enough rows; at twenty of them, steps were so long that numbers overflowed."""
    rng = np.random.default_rng(seed)
    labels = rng.random(200_000) < 0.012
    x = np.tanh(rng.normal(size=(200_000, 1)) * np.where(labels, 0.5, 3.0)[:, None] + 2 * labels[:, None])
    fitted = fit_one(x.astype(np.float32), binary(labels))
    reference = LogisticRegression(C=1.0, tol=1e-8).fit(x - x.mean(0), labels)
    np.testing.assert_allclose(fitted.weights[:, 0], reference.coef_[0], rtol=0.02)
    assert fitted.n_passes < 15  # 17 where twenty rows were measured


SHARES = st.lists(st.floats(0, 2) | st.just(np.nan), max_size=40)


@given(sizes=SHARES, rate=st.floats(0.01, 3), offset=st.floats(0, 0.99))
def test_a_systematic_sample_is_drawn_as_by_counting_whole_numbers(
    sizes: list[float], rate: float, offset: float
) -> None:
    """A row is drawn where the running sum of probabilities passes a whole number."""
    probabilities = np.fmin(np.nan_to_num(np.array(sizes) * rate), 1.0)
    total, expected = offset, []
    for row, probability in enumerate(probabilities.tolist()):
        total += probability
        if probability > 0 and total >= 1:
            expected.append(row)
            total -= 1
    drawn, inverse = systematic_sample(np.array(sizes), rate, offset)
    assert drawn.tolist() == expected
    np.testing.assert_allclose(inverse * probabilities[drawn], 1)
    assert abs(len(drawn) - probabilities.sum() - offset) <= 1


@given(
    z=st.lists(st.floats(-700, 700), min_size=1, max_size=20),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_the_logistic_loss_is_that_of_numpy(z: list[float], seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.permuted(np.repeat(np.array(z, dtype)[:, None], 3, axis=1), axis=0)
    labels, masks = rng.integers(-1, 2, (len(z), 2)).astype(np.int8), rng.random((len(z), 2)) < 0.7
    of_probes = LogisticLabels(np.array([0, 1, 1]), np.array([0, 0, 1]), rng.integers(1, 4, (3, 2)).astype(dtype))
    row_weights = rng.integers(1, 3, len(z)).astype(dtype) if seed % 2 else None
    of_rows = logistic(logits, labels, masks, row_weights, of_probes)
    y = labels[:, of_probes.label]
    weights = masks[:, of_probes.mask] * (y >= 0) * of_probes.weights[np.arange(3), y]
    if row_weights is not None:
        weights = weights * row_weights[:, None]
    y = np.maximum(y, 0)
    exact = logits.astype(np.float64)
    p = 1 / (1 + np.exp(-exact))
    precision = 1e-12 if dtype == "f8" else 1e-5
    np.testing.assert_allclose(of_rows.residuals, (p - y) * weights, rtol=precision, atol=precision)
    expected = ((np.logaddexp(0, exact) - y * exact) * weights).sum(axis=0)
    np.testing.assert_allclose(of_rows.losses, expected, rtol=precision, atol=1e-37)  # below, float32 is subnormal
    np.testing.assert_allclose(of_rows.curvatures, p * (1 - p) * weights, rtol=precision, atol=precision)
    np.testing.assert_allclose(of_rows.residual_sums, of_rows.residuals.sum(axis=0, dtype="f8"), rtol=1e-12)
    np.testing.assert_allclose(of_rows.curvature_sums, of_rows.curvatures.sum(axis=0, dtype="f8"), rtol=1e-12)


def test_newton_steps_are_finite_where_no_row_of_a_sample_may_be_of_a_class() -> None:
    """Its logits are so far off that its probability is 0, and with it all its second derivatives."""
    rng = np.random.default_rng(0)
    rows = np.hstack([rng.standard_normal((200, 4)), np.ones((200, 1))]).astype(np.float32)
    coefficients = np.zeros((5, 3))
    coefficients[-1, 2] = -1e4
    hessian = hessians.hessian_of_classes(Sample(rows, np.ones(200)), coefficients)
    assert not hessian.blocks[2].any()
    l2 = np.repeat(np.append(np.ones(4), 0.0)[:, None], 3, axis=1)
    gradient = rng.standard_normal((5, 3))
    gradient[:, 1], gradient[:, 2] = -gradient[:, 0], 1e-16  # rounding
    step = Newton(hessian, l2).solve(gradient)
    error = hessian.times(step) + l2 * step - gradient
    assert np.abs(error).max() < 0.5 * np.abs(gradient).max()
    assert np.abs(step).max() < 10
