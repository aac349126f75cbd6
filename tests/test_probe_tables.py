"""Every unit and hypothesis as a file: once each, with numbers that read back as the same, whole or not at all."""

import csv
import math
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from planting import PLANTED, Arrays, LimitedSession, in_runs, random_model
from profiles import n_examples
from scipy.stats import false_discovery_control

import probe
from activations.errors import ActivationError
from activations.models.checkpoints import save_model
from activations.reading.live import LiveActivations
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site, Unit, units_of
from analyses.levels.columns import ReadingLimits
from analyses.ranking.ranking import compare, rank, rank_all
from analyses.ranking.results import TABLE_COLUMNS, RankedUnit, Ranking
from analyses.targets.labelling import target_of_labels
from analyses.targets.splits import Split
from hypotheses.labels import Labels
from probe.cli.provenance import PROVENANCE
from probe.tables import write_rankings, write_table

NAMES = ("in_quotes", "position_in_line", "char_class", "rare_char:0.03")  # missing at some characters
NUMBERS = (
    "score", "held_out_score", "held_out", "low", "high", "within_position_groups", "p", "q", "p_shift", "p_max",
    "overall", "tie_probability",
)  # fmt: skip


def table(path: str | Path) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def bits(number: float | None) -> bytes:
    """Of a float, so that -0.0 and 0.0 differ; NaN and None are alike, since both are left empty."""
    return b"" if number is None or math.isnan(number) else struct.pack("d", number)


def read_back(cell: str) -> bytes:
    return bits(float(cell) if cell else None)


def check_rows(found: Sequence[Mapping[str, str]], rankings: Sequence[Ranking]) -> None:
    """Every unit of every ranking once, in order, and as it was found."""
    expected = [(ranking, each) for ranking in rankings for each in ranking.units]
    assert len(found) == len(expected)
    for row, (ranking, each) in zip(found, expected, strict=True):
        names = [row[name] for name in ("hypothesis", "unit", "site", "class", "method", "measure", "direction")]
        assert names == [
            ranking.hypothesis, str(each.unit), str(each.unit.site), each.label or "", ranking.method, ranking.measure,
            str(each.direction),
        ]  # fmt: skip
        for name in NUMBERS:
            assert read_back(row[name]) == bits(getattr(each, name)), (name, row)


numbers = st.floats() | st.sampled_from([0.1, 1 / 3, 5e-324, -0.0, math.nan, 1e22])


@st.composite
def any_rankings(draw: st.DrawFn) -> list[Ranking]:
    """Of any names and numbers that there could be."""
    names = draw(st.lists(st.text(min_size=1), min_size=1, max_size=3, unique=True))
    unit = st.builds(
        partial(RankedUnit, unit=Unit(Site.of(1, "cell"), 3)),
        **dict.fromkeys(NUMBERS, numbers),
        direction=st.sampled_from([-1, 1]),
        label=st.none() | st.text(min_size=1),
    )
    return [
        Ranking(
            hypothesis=name, method="auc", measure="auc", units=tuple(draw(st.lists(unit, max_size=4))), n_train=1,
            n_test=1, auc_error=0.0, prevalence=None, n_test_runs=None,
        )
        for name in names
    ]  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rankings=any_rankings())
def test_whatever_is_written_reads_back_bit_for_bit(rankings: list[Ranking], tmp_path: Path) -> None:
    n_rows = write_rankings(tmp_path / "t.csv", rankings)
    found = table(tmp_path / "t.csv")
    assert n_rows == len(found)
    check_rows(found, rankings)


@settings(max_examples=n_examples(15), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32 - 1), n_units=st.integers(1, 7), n_intervals=st.none() | st.integers(1, 9))
def test_every_unit_has_a_row_for_every_hypothesis(
    seed: int, n_units: int, n_intervals: int | None, tmp_path: Path
) -> None:
    """Its q is that of Benjamini & Hochberg over the units of a hypothesis, and the best units have intervals."""
    rng = np.random.default_rng(seed)
    n_chars = 6000
    values = {Site.of(n, "cell"): rng.normal(size=(n_chars, n_units)).astype("f4") for n in range(2)}
    source = Arrays(values)
    quick = in_runs(rng, n_chars, 5)
    values[Site.of(1, "cell")][:, 0] += quick
    labels = {
        "binary": Labels(quick, "binary"),
        "numeric": Labels(rng.normal(size=n_chars), "numeric"),
        "other": Labels(in_runs(rng, n_chars, 20), "binary"),
    }
    split = Split.of(n_chars)
    targets = [target_of_labels(source.corpus, name, each, split) for name, each in labels.items()]
    rankings = rank_all(source, targets, n_intervals=n_intervals)
    write_rankings(tmp_path / "t.csv", rankings)
    found = table(tmp_path / "t.csv")
    check_rows(found, rankings)
    pairs = [(row["hypothesis"], row["unit"]) for row in found]
    units = [str(unit) for unit in units_of(source.sites, source.sites)]
    assert sorted(pairs) == sorted((name, unit) for name in labels for unit in units)
    for name in labels:
        own = [row for row in found if row["hypothesis"] == name]
        expected = false_discovery_control([float(row["p"]) for row in own])
        np.testing.assert_allclose([float(row["q"]) for row in own], expected, rtol=1e-12)
        assert all(row["low"] and row["high"] and row["within_position_groups"] for row in own[:n_intervals])


@pytest.mark.parametrize("n_intervals", [1, 3, None])
@pytest.mark.parametrize("at_once", [None, 2])
def test_intervals_of_the_best_are_those_of_a_ranking_with_all(
    planted: Path, n_intervals: int | None, at_once: int | None
) -> None:
    """How many are asked for changes nothing else, and so many of the best of each site, and of all, have them."""
    with Recording(planted) as recording:
        usual = rank_all(recording, NAMES)
        expected = [rank(recording, name) for name in NAMES]
        limited = recording if at_once is None else LimitedSession(recording, ReadingLimits(whole_units=at_once))
        found = rank_all(limited, NAMES, n_intervals=n_intervals)
    for ranking, default, alone in zip(found, usual, expected, strict=True):
        of_unit = {each.unit: each for each in alone.units}
        sites: dict[Site, int] = {}
        for place, (each, before) in enumerate(zip(ranking.units, default.units, strict=True)):
            sites[each.unit.site] = sites.get(each.unit.site, 0) + 1
            assert (each.unit, each.score, each.held_out, each.overall, each.p, each.q) == pytest.approx(
                (before.unit, before.score, before.held_out, before.overall, before.p, before.q), nan_ok=True
            )
            if n_intervals is None or sites[each.unit.site] <= n_intervals or place < n_intervals:
                assert each.estimate is not None
            if each.estimate is not None:
                other = of_unit[each.unit]
                assert (each.low, each.high, each.within_position_groups) == pytest.approx(
                    (other.low, other.high, other.within_position_groups), rel=1e-9, nan_ok=True
                )


def test_rows_are_taken_one_after_another(tmp_path: Path) -> None:
    """None is asked for before the one before it is written, and the file has its name when the last one is."""
    taken: list[int] = []

    def each() -> Iterator[dict[str, object]]:
        for n in range(5000):
            assert not (tmp_path / "t.csv").exists()
            if n == 4000:
                [temporary] = tmp_path.iterdir()
                assert temporary.stat().st_size > 10_000
            taken.append(n)
            yield {"n": n, "x": n / 3}

    assert write_table(tmp_path / "t.csv", each(), ["n", "x"]) == 5000 == len(taken)
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]


def test_a_full_disk_leaves_what_was_there(tmp_path: Path) -> None:
    def each() -> Iterator[Mapping[str, object]]:
        yield from ({"n": n} for n in range(5000))
        raise OSError(28, "No space left on device")

    path = tmp_path / "t.csv"
    path.write_text("before", encoding="utf-8")
    with pytest.raises(ActivationError, match="the disk is full: cannot write .*t.csv"):
        write_table(path, each(), ["n"])
    assert path.read_text(encoding="utf-8") == "before"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(ActivationError, match="there is no folder"):
        write_rankings(tmp_path / "nowhere" / "t.csv", [])
    assert list(tmp_path.iterdir()) == [path]


def test_the_command_writes_the_whole_relation(run: Command, planted: Path) -> None:
    status, out, err = run("rank", "--all", planted, "--units", "all", "--csv", "r.csv", "--json")
    assert status == 0
    found, shown = table("r.csv"), rows(out)
    assert list(found[0]) == [*TABLE_COLUMNS, *PROVENANCE]
    _check_against_json(found, shown)
    names = {row["hypothesis"] for row in found}
    assert {*PLANTED, "char_class"} <= names
    assert len({(row["hypothesis"], row["unit"]) for row in found}) == len(found) == 23 * len(names)
    assert "in_wiki_link, position_in_wiki_link (the text is not wikitext" in err and "in_wiki_link" not in names
    for name, unit in PLANTED.items():
        first = next(row for row in found if row["hypothesis"] == name)
        assert first["unit"] == str(unit) and float(first["low"]) < float(first["held_out"]) < float(first["high"])
    assert all(row["site"] == row["unit"].rpartition("/")[0] for row in shown)


def _check_against_json(found: list[dict[str, str]], shown: list[dict[str, Any]]) -> None:
    """The same rows, with the same numbers, under names that hypotheses of all kinds share."""
    assert [(row["hypothesis"], row["unit"]) for row in found] == [(row["hypothesis"], row["unit"]) for row in shown]
    for row, other in zip(found, shown, strict=True):
        measure = row["measure"]
        names = {
            f"held_out_{measure}": "held_out",
            f"{measure}_within_position_groups": "within_position_groups",
            f"overall_{measure}": "overall",
        }
        for name, value in other.items() - {("rank", other.get("rank"))}:  # which is the order of the rows
            cell = row[names.get(name, name)]
            assert cell == value if isinstance(value, str) else read_back(cell) == bits(value), name


def test_the_tables_of_all_hypotheses_are_as_without_a_file(run: Command, planted: Path) -> None:
    usual = run("rank", "--all", planted, "--sites", "cell")
    with_file = run("rank", "--all", planted, "--sites", "cell", "--units", "all", "--csv", "r.csv")
    assert with_file[0] == 0 and with_file[1].startswith(usual[1])
    assert with_file[1].removeprefix(usual[1]) == f"r.csv: {len(table('r.csv')):,} rows\n"
    run("rank", "--all", planted, "--sites", "cell", "--csv", "best.csv")
    assert len(table("r.csv")) == 8 * len(table("best.csv"))
    first = {row["hypothesis"]: row["unit"] for row in reversed(table("r.csv"))}
    assert {row["hypothesis"]: row["unit"] for row in table("best.csv")} == first


@pytest.mark.parametrize("asked", [["--method", "f1"], ["--compare", "auc,weight"], ["--shifts", "9"]])
def test_one_hypothesis_is_written_by_any_method(run: Command, planted: Path, asked: list[str]) -> None:
    arguments = ["rank", "-H", "in_comment", planted, *asked]
    status, out, _ = run(*arguments, "--units", "all", "--csv", "r.csv", "--json")
    assert status == 0
    _check_against_json(table("r.csv"), rows(out))
    assert len(rows(out)) == 23 * (2 if "--compare" in asked else 1)
    run(*arguments, "--csv", "few.csv", "--top", "2")
    assert [row["unit"] for row in table("few.csv")][:2] == [row["unit"] for row in rows(out)][:2]
    assert len(table("few.csv")) == (4 if "--compare" in asked else 2)


def test_as_many_intervals_as_are_asked_for(run: Command, planted: Path) -> None:
    asked = ["rank", "-H", "in_comment", planted, "--shifts", "0", "--units", "all", "--csv", "r.csv"]
    for n, most in (("2", 6), ("all", 23)):
        assert run(*asked, "--intervals", n)[0] == 0
        assert sum(bool(row["low"]) for row in table("r.csv")) == most
        assert all(row["low"] for row in table("r.csv")[:2])


def test_recordings_stand_below_each_other(run: Command, planted: Path) -> None:
    Path("other.h5").write_bytes(planted.read_bytes())
    asked = ["-H", "in_comment", "--shifts", "0", "--units", "all", "--csv", "r.csv"]
    assert run("rank", planted, "other.h5", *asked)[0] == 0
    found = table("r.csv")
    assert list(found[0]) == ["model", *TABLE_COLUMNS, *PROVENANCE]
    assert [row["model"] for row in found] == [planted.stem] * 23 + ["other"] * 23
    assert [{**row, "model": ""} for row in found[:23]] == [{**row, "model": ""} for row in found[23:]]


@pytest.mark.parametrize(
    ("arguments", "status", "complaint"),
    [
        (["--units", "all"], 2, "too many rows for a table"),
        (["--units", "some", "--json"], 2, "'some' is not one of 'best', 'all'"),
        (["--csv", "-"], 2, "end its name in .csv"),
        (["--csv", "r.txt"], 2, "end its name in .csv"),
        (["--csv", "absent/r.csv"], 1, "no folder absent"),
        (["--csv", "folder.csv"], 1, "it is a folder"),
        (["--intervals", "0"], 2, "such as 50, or all"),
        (["--intervals", "-1"], 2, "such as 50, or all"),
        (["--intervals", "many"], 2, "such as 50, or all"),
        (["--intervals", "9" * 5000], 2, "such as 50, or all"),
        (["--compare", "auc,r", "--intervals", "3"], 2, "leave out --intervals"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    run: Command, planted: Path, arguments: list[str], status: int, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analyses.ranking.ranking.rank", lambda *_, **__: pytest.fail("it was ranked"))
    Path("folder.csv").mkdir()
    before = sorted(Path().iterdir())
    found, out, err = run("rank", "-H", "in_quotes", planted, *arguments)
    assert (found, out) == (status, "")
    assert complaint in " ".join(err.replace("│", " ").split())
    assert sorted(Path().iterdir()) == before


def test_a_file_that_cannot_be_finished_is_one_sentence(
    run: Command, planted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("csv.DictWriter.writerow", full)
    asked = ["rank", "-H", "in_quotes", planted, "--shifts", "0", "--units", "all", "--csv", "r.csv"]
    status, _, err = run(*asked)
    assert status == 1
    assert err.splitlines()[-1].startswith("error: the disk is full: cannot write r.csv")
    assert "Traceback" not in err
    assert list(Path().glob("*.csv*")) == []


def test_a_model_that_reads_has_intervals_of_some_units(run: Command, code_text: str) -> None:
    """Those of all need a recording."""
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    save_model(random_model(code_text), "model.pt")
    asked = ["rank", "-H", "in_quotes", "--model", "model.pt", "--text", "corpus.txt", "--shifts", "0"]
    asked += ["--units", "all", "--csv", "r.csv"]
    status, out, err = run(*asked, "--intervals", "all")
    assert (status, out) == (2, "")
    assert "`probe extract`" in " ".join(err.replace("│", " ").split())
    assert not Path("r.csv").exists()
    assert run(*asked)[0] == 0
    live = LiveActivations(random_model(code_text), Corpus.from_texts([code_text]))
    assert len(table("r.csv")) == sum(live.sites.values())
    assert all(row["within_position_groups"] for row in table("r.csv"))  # 20 of each site, which has fewer


def test_the_same_is_asked_for_in_python(run: Command, planted: Path) -> None:
    with probe.Recording(planted) as recording:
        probe.tables.write_rankings("python.csv", [probe.rank(recording, "in_comment", n_intervals=20)])
        probe.tables.write_rankings("several.csv", probe.rank_all(recording, ["in_quotes", "char_class"]))
        methods = compare(recording, "in_comment", ["auc", "f1"])
    run("rank", "-H", "in_comment", planted, "--shifts", "0", "--units", "all", "--csv", "command.csv")
    assert [list(row.items()) for row in table("python.csv")] == [
        [(name, cell) for name, cell in row.items() if name not in PROVENANCE] for row in table("command.csv")
    ]
    assert [row["hypothesis"] for row in table("several.csv")] == ["in_quotes"] * 23 + ["char_class"] * 23
    assert [row["method"] for each in methods for row in each.table_rows(each.units[:1])] == ["auc", "f1"]


def test_every_column_is_in_the_help_and_the_document(run: Command) -> None:
    document = (Path(__file__).parents[1] / "docs" / "ranking.md").read_text(encoding="utf-8")
    section = document[document.index("## Every unit and every hypothesis") : document.index("## Methods")]
    text = run("rank", "--help")[1]
    told = re.sub(r"[^\w]", " ", text[text.index("--csv writes") : text.index("Example")]).split()
    for column in ("model", *TABLE_COLUMNS, *PROVENANCE):
        assert f"`{column}`" in section, column
        assert column in told, column
