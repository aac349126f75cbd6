"""Similarity of two models: CKA with known answers, partners of permuted units, and what refuses."""

from pathlib import Path

import numpy as np
import pytest
from commands import Command, rows
from numpy.typing import NDArray
from planting import Arrays, Live, drifting, random_model

import probe
from activations.models.checkpoints import save_model
from activations.texts.selection import Selection
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.intervals.atom_sums import AtomSums
from analyses.ranking.influences import r_influence
from analyses.similarity.pair_influences import PairAtomSums, pair_influence
from analyses.similarity.results import SECOND, Similarity
from analyses.similarity.similarity import similarity

N_CHARS = 20_000
HIDDEN, CELL = Site.of(0, "hidden"), Site.of(0, "cell")


def compared(x: NDArray[np.floating], y: NDArray[np.floating], source: type[Arrays] = Arrays) -> Similarity:
    return similarity(source({HIDDEN: x}), Arrays({HIDDEN: y}))


def usual_cka(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Kornblith et al. 2019, as they write it, of (n_chars, n_units) activations."""
    x, y = x - x.mean(axis=0, dtype=float), y - y.mean(axis=0, dtype=float)
    return float(np.linalg.norm(y.T @ x) ** 2 / np.linalg.norm(x.T @ x) / np.linalg.norm(y.T @ y))


def test_a_rotated_and_scaled_site_is_the_same(rng: np.random.Generator) -> None:
    x = drifting(rng, N_CHARS, 12, 10).astype(np.float64)
    rotation = np.linalg.qr(rng.normal(size=(12, 12)))[0]
    pair = compared(x, 7 * x @ rotation + 3).pairs[0]
    assert [pair.cka, pair.usual_cka] == pytest.approx([1, 1], abs=1e-9)
    assert np.isnan(pair.low) and np.isnan(pair.high)  # the same on any text
    for factor in (1e-3, 1e3):
        y = x + drifting(rng, N_CHARS, 12, 10)
        scaled = compared(factor * x, y).pairs[0]
        assert scaled.cka == pytest.approx(compared(x, y).pairs[0].cka)


def test_usual_cka_is_that_of_the_definition(rng: np.random.Generator) -> None:
    x = drifting(rng, N_CHARS, 7, 5).astype(np.float64)
    y = x @ rng.normal(size=(7, 9)) + 3 * drifting(rng, N_CHARS, 9, 20)
    values = {HIDDEN: x[:, :4], CELL: x[:, 4:]}
    result = similarity(Arrays(values), Arrays({HIDDEN: y[:, :5], CELL: y[:, 5:]}))
    for first, block in values.items():
        for second, other in {HIDDEN: y[:, :5], CELL: y[:, 5:]}.items():
            pair = result.pair(first, second)
            assert pair.usual_cka == pytest.approx(usual_cka(block, other))
            assert pair.low < pair.cka < pair.high
            assert pair.low < pair.usual_cka < pair.high + 0.01


def test_cka_is_the_mean_inner_product_of_different_folds(rng: np.random.Generator) -> None:
    """A plain loop over the folds of the text, without the characters in gaps."""
    x = drifting(rng, N_CHARS, 5, 10).astype(np.float64)
    y = x[:, :3] + 2 * drifting(rng, N_CHARS, 3, 10)
    split = probe.targets.Split.of(N_CHARS)
    places = np.arange(N_CHARS)
    parts, fold = split.parts_of(places), split.stretch(places) % 5

    def alignment(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        covariances = []
        for number in range(5):
            chosen = (fold == number) & (parts != 2)
            covariances.append(np.cov(a[chosen].T, b[chosen].T, bias=True)[: a.shape[1], a.shape[1] :])
        inner = [np.vdot(covariances[i], covariances[j]) for i in range(5) for j in range(5) if i != j]
        return float(np.mean(inner))

    expected = alignment(x, y) / np.sqrt(alignment(x, x) * alignment(y, y))
    assert compared(x, y).pairs[0].cka == pytest.approx(expected)


def test_independent_sites_are_not_alike_however_wide(rng: np.random.Generator) -> None:
    """Usual CKA is about √(n_x n_y) times 2τ / n, with the memory τ of products: 5 for two time constants of 10."""
    x, y = drifting(rng, N_CHARS, 60, 10), drifting(rng, N_CHARS, 40, 10)
    pair = compared(x, y).pairs[0]
    expected = np.sqrt(60 * 40) * 2 * 5 / N_CHARS
    assert pair.usual_cka == pytest.approx(expected, rel=0.25)
    assert abs(pair.cka) < 0.1 * pair.usual_cka
    assert pair.low < 0 < pair.high


@pytest.mark.parametrize(
    ("noise", "truth"),
    [
        pytest.param(0.3, 1 / 1.09, marks=pytest.mark.slow),  # a hundred comparisons each
        (1.0, 0.5),
        pytest.param(3.0, 0.1, marks=pytest.mark.slow),
    ],
)
def test_intervals_of_cka_hold_the_truth(noise: float, truth: float, rng: np.random.Generator) -> None:
    """A site, and the same with noise of its own: the covariances are Σ, Σ and (1 + noise²) Σ."""
    n_covered = n_mean = n_unit = 0
    for _ in range(40):
        x = drifting(rng, N_CHARS, 8, 10)
        result = compared(x, x + noise * drifting(rng, N_CHARS, 8, 10))
        pair, mean, partner = result.pairs[0], result.mean_partners()[0], result.partners[0]
        n_covered += pair.low <= truth <= pair.high
        n_mean += mean.low <= np.sqrt(truth) <= mean.high
        n_unit += partner.low <= np.sqrt(truth) <= partner.high
    assert min(n_covered, n_mean, n_unit) >= 33  # of 38 in the long run
    assert max(abs(pair.cka - truth), abs(mean.mean_r - np.sqrt(truth))) < 0.05


def test_a_permuted_copy_finds_each_partner(rng: np.random.Generator) -> None:
    x = drifting(rng, N_CHARS, 15, 10)
    order, sign = rng.permutation(15), np.where(rng.random(15) < 0.5, -1, 1)
    y = sign * x[:, order] + 0.5 * drifting(rng, N_CHARS, 15, 10)
    x[:, 4] = 0.5  # which never changes
    result = compared(x, y)
    first, second = result.partners[:15], result.partners[15:]
    for partner in first:
        if partner.unit.index == 4:
            assert partner.partner is None and np.isnan(partner.r)
            continue
        assert partner.partner is not None
        assert order[partner.partner.index] == partner.unit.index
        assert np.sign(partner.r_train) == sign[partner.partner.index]
        assert partner.low < partner.r < partner.high
        assert partner.r == pytest.approx(1 / np.sqrt(1.25), abs=0.03)
    assert all(partner.model == SECOND for partner in second)
    assert [partner.partner.index for partner in second if partner.partner and order[partner.unit.index] != 4] == [
        unit for unit in order.tolist() if unit != 4
    ]
    assert result.mean_partners()[0].n_units == 14


def test_partners_are_chosen_in_training_and_measured_on_held_out_characters(rng: np.random.Generator) -> None:
    """Among 60 independent units, the largest r in training is far from 0, and that on other characters is not."""
    x, y = drifting(rng, N_CHARS, 20, 30), drifting(rng, N_CHARS, 60, 30)
    result = compared(x, y)
    r_train = np.array([abs(partner.r_train) for partner in result.partners[:20]])
    r = np.array([partner.r for partner in result.partners[:20]])
    assert r_train.mean() > 0.08
    assert abs(r.mean()) < 0.04
    low, high = result.mean_partners()[0].low, result.mean_partners()[0].high
    assert low < 0 < high
    split = probe.targets.Split.of(N_CHARS)
    parts = split.parts_of(np.arange(N_CHARS))
    for partner in result.partners[:5]:
        assert partner.partner is not None
        a, b = x[:, partner.unit.index], y[:, partner.partner.index]
        assert partner.r_train == pytest.approx(np.corrcoef(a[parts == 0], b[parts == 0])[0, 1], abs=1e-5)
        held_out = np.corrcoef(a[parts == 1], b[parts == 1])[0, 1]
        assert partner.r == pytest.approx(np.sign(partner.r_train) * held_out, abs=1e-5)


def test_influences_of_pairs_are_those_of_a_unit_and_a_label(rng: np.random.Generator) -> None:
    n_atoms, n_rows = 30, 40
    x, y = rng.normal(size=(n_atoms, n_rows, 3)), rng.normal(size=(n_atoms, n_rows))
    x += 0.5 * y[:, :, None]
    held_out = np.arange(n_atoms) % 5 == 4
    n = np.full(n_atoms, float(n_rows))
    of_label = AtomSums(n, y.sum(1), (y**2).sum(1), x.sum(1), (x**2).sum(1), np.einsum("atu,at->au", x, y))
    repeated = np.repeat(y[:, :, None], 3, axis=2)
    of_pairs = PairAtomSums(n, x.sum(1), repeated.sum(1), (x**2).sum(1), (repeated**2).sum(1), (x * repeated).sum(1))
    assert pair_influence(of_pairs, held_out) == pytest.approx(r_influence(of_label, held_out))


def test_a_live_source_has_the_same_result(rng: np.random.Generator) -> None:
    x = drifting(rng, N_CHARS, 6, 10)
    y = (x + drifting(rng, N_CHARS, 6, 10)).astype(np.float32)
    expected = compared(x, y)
    first, second = Live({HIDDEN: x}), Live({HIDDEN: y})
    for result in (
        similarity(first, Arrays({HIDDEN: y})),
        similarity(Arrays({HIDDEN: x}), second),
        similarity(first, second),
    ):
        assert result.pairs[0].cka == pytest.approx(expected.pairs[0].cka, abs=1e-12)
        assert result.pairs[0].low == pytest.approx(expected.pairs[0].low, abs=1e-9)
        assert [partner.r for partner in result.partners] == pytest.approx([p.r for p in expected.partners])


def test_other_texts_and_sites_are_refused(rng: np.random.Generator) -> None:
    x = drifting(rng, 2000, 3, 10)
    with pytest.raises(AnalysisError, match="different texts"):
        similarity(Arrays({HIDDEN: x}), Arrays({HIDDEN: x}, "b" * 2000))
    with pytest.raises(AnalysisError, match="--range"):
        similarity(Arrays({HIDDEN: x}), Arrays({HIDDEN: x}, selection=Selection(0, 1000)))
    with pytest.raises(AnalysisError, match="cell"):
        similarity(Arrays({HIDDEN: x}), Arrays({HIDDEN: x}), sites="cell")
    broken = x.copy()
    broken[700, 1] = np.nan
    with pytest.raises(AnalysisError, match="0/hidden are not numbers"):
        compared(x, broken)
    with pytest.raises(AnalysisError, match="was not compared"):
        compared(x, x).pair("1/cell", "0/hidden")


def test_what_is_drawn_are_the_numbers(rng: np.random.Generator) -> None:
    x = drifting(rng, N_CHARS, 6, 10).astype(np.float64)
    values = {Site("a$x$/<b>"): x[:, :3], HIDDEN: x[:, 3:], CELL: np.full((N_CHARS, 2), 0.5)}
    result = similarity(Arrays({HIDDEN: x + drifting(rng, N_CHARS, 6, 10)}), Arrays(values), second_sites=list(values))
    axes = probe.plots.plot_similarity(result, names=("small", "large"))
    drawn = np.asarray(axes.images[0].get_array())
    assert drawn[0, :2] == pytest.approx([pair.cka for pair in result.pairs[:2]])
    assert np.isnan(result.pairs[2].cka) and len(axes.collections) == 1  # hatched
    texts = [text.get_text() for text in axes.texts]
    pair = result.pairs[0]
    assert f"{pair.cka:.2f}" in texts and f"{pair.low:.2f}–{pair.high:.2f}" in texts
    assert axes.get_xticklabels()[0].get_text() == r"a\$x\$/<b>"
    for text in axes.texts[::2]:  # the numbers, on the colours of their cells
        background = axes.images[0].to_rgba(np.array([float(text.get_text().replace("−", "-"))]))[0, :3]
        luminance = float(background**2.2 @ (0.2126, 0.7152, 0.0722))
        ink = {"white": 1.0, "black": 0.0}[str(text.get_color())]
        assert (max(luminance, ink) + 0.05) / (min(luminance, ink) + 0.05) > 4.5  # WCAG's contrast of a text
    probe.plots.save_figure(probe.plots.figure_of(axes), Path("similarity.png"))


@pytest.fixture
def two_recordings(code_text: str) -> None:
    Path("corpus.txt").write_text(code_text[:12_000], encoding="utf-8")
    for seed, name in enumerate(("a", "b")):
        save_model(random_model(code_text, seed, n_units=8 + seed), f"{name}.pt")
        live = probe.LiveActivations(probe.load_model(f"{name}.pt"), probe.Corpus.read("corpus.txt"))
        probe.extract(live, f"{name}.h5", force=True)


def test_the_command_compares_two_recordings(run: Command, two_recordings: None) -> None:
    status, out, err = run("similarity", "a.h5", "b.h5", "--untrained", "b.pt", "-o", "similarity.svg", "--json")
    assert status == 0, err
    found = rows(out)
    result = similarity("a.h5", "b.h5")
    pairs = [row for row in found if "cka" in row]
    assert [row["cka"] for row in pairs] == pytest.approx([pair.cka for pair in result.pairs])
    assert all(row["difference"] == pytest.approx(row["cka"] - row["untrained_cka"]) for row in pairs)
    partners = [row for row in found if row.get("compared_with") == "second"]
    assert [row["partner"] for row in partners] == [str(partner.partner) for partner in result.partners]
    assert all(f">{name}</text>" in Path("similarity.svg").read_text(encoding="utf-8") for name in "ab")
    assert Path("b.fresh.h5").exists()
    status, out, err = run("similarity", "a.h5", "b.h5", "--sites", "hidden", "--csv", "similarity.csv")
    assert status == 0, err
    assert "mean held-out correlation" in out
    assert run("similarity", "a.h5")[0] == 2
    assert "end its name in .png" in run("similarity", "a.h5", "b.h5", "-o", "similarity.gif")[2]
