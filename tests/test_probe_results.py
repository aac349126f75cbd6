"""Every result has rows, which are those of `--json`, a data frame of them, and a short repr."""

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
from commands import Command, rows
from planting import random_model
from shown_html import Page, missing_numbers

import probe
from activations.results import Result

FAST = probe.FitOptions(penalty=100.0)


def text(path: Path) -> probe.Corpus:
    with probe.Recording(path) as recording:
        return probe.Corpus.from_texts([recording.corpus.text(0, 6000)])


def live(path: Path) -> probe.LiveActivations:
    corpus = text(path)
    return probe.LiveActivations(random_model(corpus.text()), corpus)


def statistic(name: str, *arguments: Any) -> Callable[[Path], Any]:
    def collected(path: Path) -> Any:
        source = live(path)
        [result] = probe.collect(source, [getattr(probe.statistics, name)(source, *arguments)])
        return next(iter(result.values())) if isinstance(result, dict) else result[0]

    return collected


def two_rankings(path: Path) -> list[Any]:
    return [probe.rank(path, "in_quotes", sites=site) for site in ("0/hidden", "1/hidden")]


def impulse(path: Path) -> probe.causes.Impulse:
    return probe.impulse(live(path), "in_quotes", "1/cell/3", n_starts=20, n_steps=4, n_chars=1000, n_matched=2)


def patch(path: Path) -> probe.causes.Patch:
    return probe.patch(live(path), "in_quotes", "1/cell/3", n_pairs=20, n_steps=4, n_chars=1000, n_matched=2)


def profile(path: Path) -> probe.ranking.UnitProfile:
    return probe.ranking.unit_profile(path, "0/hidden/3", "in_quotes")


def perturbation(path: Path) -> probe.causes.Perturbation:
    return probe.perturb(live(path), "in_quotes", "delete", units="1/cell/3", n_places=20, n_steps=4, n_matched=2)


def steering(path: Path) -> probe.causes.Steering:
    options = probe.causes.WritingOptions(n_texts=8, n_chars=20)
    model = random_model(text(path).text())
    return probe.steer(model, {"0/hidden/1": 0.5}, "in_word", n_matched=2, options=options)


def matrix(path: Path) -> probe.probing.HypothesisMatrix:
    return probe.probing.hypothesis_matrix(path, "in_quotes", sites="0/hidden", options=FAST)


def overlap(path: Path) -> probe.models.Overlap:
    corpus = text(path)
    models = {str(seed): random_model(corpus.text(), seed) for seed in (0, 1)}
    return probe.models.overlap({name: probe.LiveActivations(model, corpus) for name, model in models.items()})


def checked_model(path: Path) -> probe.models.ModelCheck:
    probe.models.save_model(random_model(text(path).text()), "model.pt", training={"epochs": 3, "nats_per_char": 1.5})
    return probe.models.check_model("model.pt")


RESULTS: dict[str, Callable[[Path], Any]] = {
    "Ranking": lambda path: probe.rank(path, "in_quotes"),
    "RankedUnit": lambda path: probe.rank(path, "in_quotes").units[0],
    "Similarity": lambda path: probe.similarity(path, path, sites="hidden", second_sites="cell"),
    "SiteSimilarity": lambda path: probe.similarity(path, path, sites="hidden", second_sites="cell").pairs[0],
    "UnitPartner": lambda path: probe.similarity(path, path, sites="hidden", second_sites="cell").partners[0],
    "MeanPartner": lambda path: probe.similarity(path, path, sites="hidden", second_sites="cell").mean_partners()[0],
    "UnitTable": lambda path: probe.describe_units(path, ["in_quotes", "in_comment"]),
    "DescribedUnit": lambda path: probe.describe_units(path, "in_quotes", sites="0/hidden").units[0],
    "ExplainedShare": lambda path: probe.describe_units(path, "in_quotes", sites="0/hidden").share(),
    "ProbeResult": lambda path: probe.fit(path, "in_quotes", sites="0/hidden", options=FAST)[0],
    "Curve": lambda path: probe.curve(path, "in_quotes", most=2, options=FAST),
    "FewestUnits": lambda path: probe.curve(path, "in_quotes", most=2, options=FAST).fewest[0],
    "HypothesisMatrix": lambda path: matrix(path),
    "MatrixCell": lambda path: matrix(path).of_text[0],
    "Overlap": overlap,
    "CorrectSet": lambda path: overlap(path).sets[0],
    "Explanation": lambda path: probe.explain(path, "0/hidden/3", ["in_quotes", "in_comment"]),
    "UnitProfile": profile,
    "Histogram": lambda path: profile(path).histogram,
    "Threshold": lambda path: profile(path).threshold,
    "EventAverage": lambda path: profile(path).events[0],
    "ClassMeans": lambda path: profile(path).means,
    "Difference": lambda path: probe.difference(*two_rankings(path)),
    "RowLabels": lambda path: probe.labels(path, "in_quotes"),
    "Design": lambda path: probe.design(path, "0/hidden", "in_quotes"),
    "Check": lambda path: probe.sources.check(path),
    "ModelCheck": checked_model,
    "Extraction": lambda path: probe.extract(live(path), "a.h5", force=True),
    "Evaluation": lambda path: probe.models.evaluate(random_model(text(path).text()), text(path)),
    "Ablation": lambda path: probe.ablate(live(path), "in_quotes", "1/cell/3", n_chars=600, n_matched=5),
    "Effect": lambda path: probe.ablate(live(path), "in_quotes", "1/cell/3", n_chars=600, n_matched=5).effects[0],
    "Impulse": lambda path: impulse(path),
    "UnitImpulse": lambda path: impulse(path).units[0],
    "ImpulseStep": lambda path: impulse(path).units[0].steps[1],
    "Duration": lambda path: impulse(path).units[0].durations[0],
    "Patch": lambda path: patch(path),
    "PatchEffect": lambda path: patch(path).effects[0],
    "Perturbation": lambda path: perturbation(path),
    "EditEffect": lambda path: perturbation(path).effects[0],
    "Steering": lambda path: steering(path),
    "TextEffect": lambda path: steering(path).effects[0],
    "WritingOptions": lambda path: probe.causes.WritingOptions(),
    "Attribution": lambda path: probe.attribute(live(path), "in_quotes", "1/cell", n_chars=600, n_matched=2),
    "OrderComparison": lambda path: probe.compare_orders(
        live(path), "in_quotes", "auc", sites="1/cell", n_random=2, n_chars=600
    ),
    "Probe": lambda path: probe.fit(path, "in_quotes", sites="0/hidden", options=FAST)[0].probe,
    "TextPatch": lambda path: probe.causes.patch_texts(live(path), "state", "spam", "eggs", "m"),
    "Direction": lambda path: probe.causes.mean_difference(live(path), "in_quotes", "1/cell"),
    "Novelty": lambda path: probe.models.novelty(["a b\n", "c\n"], ["a\n"]),
    "UnitMemory": statistic("Autocorrelations", "0/hidden"),
    "Saturation": statistic("Saturations", "0/hidden"),
    "GateSaturation": lambda path: probe.statistics.gate_saturation(live(path)),
    "Passages": statistic("ActivePassages", "0/hidden"),
    "ClassLosses": statistic("LossesByLabel", "in_quotes"),
    "NumberLosses": statistic("LossesByLabel", "position_in_line"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_has_rows_a_frame_and_a_short_repr(planted: Path, name: str) -> None:
    result = RESULTS[name](planted)
    assert type(result).__name__ == name
    assert isinstance(result, Result)
    shown = repr(result)
    assert len(shown) < 400
    assert "\n" not in shown
    assert name in shown
    found = result.rows()
    assert found
    json.dumps(found)
    assert len({tuple(row) for row in found}) == 1
    frame = pytest.importorskip("pandas").DataFrame
    assert isinstance(result.to_frame(), frame)
    assert list(result.to_frame().columns) == list(found[0])
    assert len(probe.to_frame([result, result])) == 2 * len(found)
    html = probe.notebooks.html_of(result)
    assert html is not None
    assert missing_numbers(html, found[:10]) == {}
    assert Page(html).names.isdisjoint({"script", "style", "iframe"})


def test_these_are_all_public_results() -> None:
    groups = (
        probe.ranking,
        probe.probing,
        probe.intervals,
        probe.similarities,
        probe.targets,
        probe.sources,
        probe.reading,
        probe.models,
        probe.causes,
    )
    found = {
        name
        for group in groups
        for name, value in vars(group).items()
        if isinstance(value, type) and issubclass(value, Result)
    }
    elsewhere = {
        "Sweep",
        "SweptModel",
        "PartEvaluation",
        "Story",
        "TrainingLosses",
    }  # tests/test_probe_training.py, test_analyses_story.py, test_probe_plot_trainings.py
    assert found - elsewhere <= set(RESULTS)


def keys(found: Iterable[Mapping[str, Any]]) -> list[set[str]]:
    """The keys of rows, less those that only the command knows: its own name, version and seed."""
    return [
        set(row) - {"made_by", "seed", "model_sha256", "text_sha256", "corpus_sha256", "model", "text", "options"}
        for row in found
    ]


def test_rows_are_those_of_the_command(run: Command, planted: Path) -> None:
    def printed(*arguments: str) -> list[dict[str, Any]]:
        status, out, err = run(*arguments, "--json")
        assert status == 0, err
        return rows(out)

    path = str(planted)
    ranked = probe.rank(planted, "in_quotes", shifts=20).rows(top=3)
    shown = printed("rank", "-H", "in_quotes", path, "--top", "3")  # with the columns of tables beside them
    assert all(row <= of_command for row, of_command in zip(keys(ranked), keys(shown), strict=True))
    explained = probe.explain(planted, "0/hidden/3", "in_quotes").rows()
    assert keys(printed("explain", "0/hidden/3", path, "-H", "in_quotes")) == keys(explained)
    fitted = probe.fit(planted, "in_quotes", sites="0/hidden", options=FAST)
    asked = ("fit", "-H", "in_quotes", path, "--sites", "0/hidden", "--penalty", "100", "--controls", "none")
    assert keys(printed(*asked)) == keys(row for result in fitted for row in result.rows())
    curve = probe.curve(planted, "in_quotes", most=2, options=FAST).rows()
    assert keys(printed("curve", "-H", "in_quotes", path, "--most", "2", "--penalty", "100")) == keys(curve)
    assert keys(printed("check", path)) == keys(probe.sources.check(planted).rows())
    model = checked_model(planted)
    assert keys(printed("check", "model.pt")) == keys(model.rows())


@pytest.mark.parametrize(
    ("name", "renamed"),
    [
        ("RankedUnit", {"within": "within_position_groups", "tied": "tie_probability"}),
        (
            "ProbeResult",
            {
                "majority": "majority_accuracy",
                "auc_within": "auc_within_position_groups",
                "r_within": "r_within_position_groups",
            },
        ),
        ("Answer", {"adds": "added_r2"}),
        ("Passage", {"place": "position"}),
    ],
)
def test_old_names_of_scores_work_and_warn(planted: Path, name: str, renamed: dict[str, str]) -> None:
    parts = {"Answer": "answers", "Passage": "most"}  # of an explanation
    result = getattr(RESULTS["Explanation"](planted), parts[name])[0] if name in parts else RESULTS[name](planted)
    for old, new in renamed.items():
        with pytest.warns(DeprecationWarning, match=rf"{type(result).__name__}\.{old} is now called {new}"):
            assert getattr(result, old) == pytest.approx(getattr(result, new), abs=0, nan_ok=True)
