"""The command language: hypotheses and recordings as arguments, shared options, choices, seeds, and rows as files."""

import csv
import json
import math
import re
import shlex
from pathlib import Path
from typing import Any, get_args

import pytest
from commands import NAMES, Command, parsers, rows
from planting import PLANTED, random_model
from typer.testing import CliRunner

import probe
from activations.devices import DEVICES
from activations.models.cells.equations import GATE_FUNCTIONS
from activations.models.cells.kinds import CELLS
from activations.models.cells.names import CELL_NAMES
from activations.models.checkpoints import DTYPES, save_model
from activations.models.training import config
from activations.reading.lanes.compute_options import DTYPES as READ_DTYPES
from activations.recordings.recording import Recording
from activations.texts import corpus, reading_rule
from analyses.curves import CURVES
from analyses.errors import AnalysisError
from analyses.probing.control_names import CHARS, CONTROLS, POSITION
from analyses.probing.controls import TASKS
from analyses.ranking.methods.names import METHOD_NAMES
from analyses.ranking.methods.registry import METHODS
from analyses.targets.many_hypotheses import all_targets, targets_of
from hypotheses.errors import HypothesisError
from probe.cli import options, training_options
from probe.cli.commands import app
from probe.cli.curve import Over
from probe.cli.fit import ProbesOptions
from probe.cli.import_model import RecurrentCell
from probe.cli.provenance import PROVENANCE
from probe.cli.train import Weights
from probe.cli.words import Subjects, tell_apart
from probe.training.recipes import PRESETS, cell_names

CAUSES = {"ablate", "impulse", "orders", "patch", "perturb", "steer", "story"}
PLOTS = {name for name in NAMES if name.startswith("plot ")}
LABELLED_PLOTS = {"plot matrix", "plot ranking", "plot weights", "plot curve", "plot steps", "plot unit"}
LIVE_PLOTS = LABELLED_PLOTS | {"plot gates", "plot overlap"}  # of a recording, or of models that read a text now
READING = {"view", "rank", "explain", "units", "fit", "curve", "report"} | CAUSES | LIVE_PLOTS
"""The commands that take a recording, or a model that reads a text now."""
OWN_MEANING = {  # options that are spelled alike and mean another thing in each command
    "--output": {"train", "sweep", "import", "extract", "curve", "explain", "similarity", "view", "report"}
    | PLOTS
    | CAUSES - {"ablate", "patch"},
    "--units": {"train", "rank", "fit", "ablate", "impulse", "perturb"},
    "--layers": {"train", "sweep"},
    "--cell": {"train", "sweep", "import"},
    "--gates": {"train", "import"},
    "--lanes": {"train", "sweep", "extract"} | READING,
    "--range": {"import", "hypotheses", "extract"} | READING,
    "--text": {"import"} | READING,
    "--split": {"train", "sweep", "evaluate"},
    "--prompt": {"sample", "extract", "steer"},
    "--most": {"curve", "plot curve", "plot matrix"},
    "--model": READING | {"explore"},
    "--top": {"view", "rank", "explain", "units", "report", "ablate", "impulse", "perturb", "plot ranking"},
    "--force": {"import", "extract", "ablate", "impulse", "steer"},
    "--steps": {"train", "sweep", "impulse", "patch"},
    "--samples": {"sample", "steer"},
    "--random": {"orders", "perturb"},
    "--length": {"sample", "steer"},
    "--matched": CAUSES | {"report"},
    "--show": {"hypotheses", "steer"},
    "--chars": {"hypotheses", "view", "report"} | CAUSES,
    "--any-model": {"fit", "view"},
    "--probe": {"explore", "perturb", "plot weights", "view"},
    "--together": {"fit", "ablate"},
    "--untrained": {"fit", "units", "similarity"},
}


def parameters(command: str) -> dict[str, Any]:
    return {str(option.name): option for option in parsers()[command].params}


def table(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def printed(output: str) -> list[dict[str, Any]]:
    """What a command printed with `--json`, with what made it."""
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def files(code_text: str) -> None:
    """`corpus.txt`, an untrained `model.pt`, and `activations.h5` in this folder."""
    Path("corpus.txt").write_text(code_text, encoding="utf-8")
    save_model(random_model(code_text), "model.pt")


# Hypotheses and recordings as arguments


@pytest.mark.parametrize(
    "command", [["rank", "--shifts", "9"], ["fit", "--controls", "none"], ["curve", "--most", "2"]]
)
def test_a_hypothesis_is_an_argument_in_any_order(run: Command, planted: Path, command: list[str]) -> None:
    expected = rows(run(*command, "--hypothesis", "in_quotes", planted, "--json")[1])
    assert expected
    for words in (["in_quotes", planted], [planted, "in_quotes"]):
        status, out, err = run(*command, *words, "--json")
        assert status == 0, err
        assert rows(out) == expected


def test_a_unit_is_explained_by_hypotheses_that_are_arguments(run: Command, planted: Path) -> None:
    unit = str(PLANTED["in_quotes"])
    expected = rows(run("explain", unit, planted, "-H", "in_quotes", "-H", "in_comment", "--json")[1])
    assert rows(run("explain", unit, "in_quotes", planted, "in_comment", "--json")[1]) == expected
    assert run("explain", unit, planted, "other.h5")[0] == 2


@pytest.mark.parametrize(
    "command", [["rank", "--shifts", "9"], ["fit", "--controls", "none"], ["curve", "--most", "2"]]
)
def test_no_hypothesis_is_dropped(run: Command, planted: Path, command: list[str]) -> None:
    """Each has the answer that it has alone, however it is given."""
    names = ["in_quotes", "position_in_line", "in_comment"]
    status, out, err = run(*command, *names[:2], "-H", names[2], "-H", names[0], planted, "--json")
    assert status == 0, err
    found = rows(out)
    assert list(dict.fromkeys(row["hypothesis"] for row in found)) == names
    for name in names:
        alone = rows(run(*command, name, planted, "--json")[1])
        own = [row for row in found if row["hypothesis"] == name]
        assert len(own) == len(alone)
        for row, expected in zip(own, alone, strict=True):
            assert row.keys() == expected.keys()
            for key, value in expected.items():
                assert row[key] == (pytest.approx(value, rel=1e-6, abs=1e-9) if isinstance(value, float) else value)


def test_a_hypothesis_that_cannot_be_asked_does_not_stop_others(run: Command, planted: Path) -> None:
    status, out, err = run("rank", "in_quotes", "in_wiki_link", planted, "--json", "--shifts", "0")
    assert status == 0 and {row["hypothesis"] for row in rows(out)} == {"in_quotes"}
    assert "no score for in_wiki_link: 'in_wiki_link' is False at every character" in err
    status, out, err = run("rank", "in_quotes", "in_comment", planted, "--shifts", "0")
    assert status == 0 and "\nin_quotes\n" in out and "\nin_comment\n" in out


def test_recordings_and_hypotheses_are_told_apart() -> None:
    Path("recording").write_bytes(b"")
    Path("in_comment").write_bytes(b"")
    words = ["a.h5", "in_quotes", "recording", r"regex:\w+\.h5", "./in_comment", "mine.py:f", "in_quotes"]
    hypotheses = ["in_quotes", r"regex:\w+\.h5", "mine.py:f", "in_word & in_quotes"]
    recordings = [Path("a.h5"), Path("recording"), Path("in_comment")]
    assert tell_apart(words, ["in_word & in_quotes", "mine.py:f"]) == Subjects(hypotheses, recordings)
    assert tell_apart(None, None) == Subjects([], []) and Subjects([], []).paths == [Path("activations.h5")]


def test_a_word_that_is_both_or_neither_has_two_ways_out(run: Command, planted: Path) -> None:
    status, out, err = run("rank", "in_quote", planted)
    assert (status, out, err.count("\n")) == (1, "", 1)
    assert "did you mean 'in_quotes'?" in err and "if a recording is meant: there is no file in_quote" in err
    status, _, err = run("fit", "runs/before", planted)
    assert status == 1 and "no hypothesis named 'runs/before'" in err and "there is no file runs/before" in err
    Path("in_quotes").write_bytes(b"")
    status, out, err = run("rank", "in_quotes", planted)
    assert (status, out) == (2, "")
    complaint = " ".join(err.replace("│", " ").split())
    assert "write ./in_quotes for the file, or --hypothesis in_quotes" in complaint
    assert run("rank", "--hypothesis", "in_quotes", planted, "--shifts", "0")[0] == 0
    Path("mine.py").write_text("def f(text):\n    return [True] * len(text)\n", encoding="utf-8")
    assert "name one of the functions in it, such as mine.py:" in run("rank", "mine.py", planted)[2]
    assert "there is no recording absent.h5" in run("rank", "in_comment", "absent.h5")[2]


@pytest.mark.parametrize("command", ["rank", "fit"])
def test_a_hypothesis_is_named_or_all_are_asked(run: Command, planted: Path, command: str) -> None:
    for wrong in ([planted], ["in_quotes", "--all", planted]):
        status, _, err = run(command, *wrong)
        assert status == 2
        assert f"such as `probe {command} in_quotes`, or ask for --all" in " ".join(err.replace("│", " ").split())


def test_many_hypotheses_are_labelled_at_once(planted: Path) -> None:
    with Recording(planted) as recording:
        found = targets_of(recording, ["in_quotes", "in_wiki_link", lambda text: [char == "a" for char in text]], lag=1)
        assert found.made[0].hypothesis == "in_quotes @ 1"
        assert len(found.made) == 2 and "False at every character" in found.reasons["in_wiki_link"]
        every = all_targets(recording)
        assert {target.hypothesis for target in every.made} >= set(PLANTED)
        assert not {target.hypothesis for target in every.made} & set(every.reasons)
        with pytest.raises(HypothesisError, match="did you mean 'in_quotes'"):
            targets_of(recording, ["in_quote"])
        with pytest.raises(AnalysisError, match="False at every character"):
            targets_of(recording, ["in_wiki_link", "in_template"])
        with pytest.raises(AnalysisError, match="at least one"):
            targets_of(recording, [])


# Options


@pytest.mark.parametrize("command", NAMES)
def test_help_has_a_short_form(run: Command, command: str) -> None:
    status, out, _ = run(*command.split(), "-h")
    assert (status, out) == (0, run(*command.split(), "--help")[1])
    assert run("-h")[:2] == run("--help")[:2]


def test_an_option_of_several_commands_is_the_same_in_all() -> None:
    by_spelling: dict[str, dict[str, Any]] = {}
    for command in NAMES:
        for option in parameters(command).values():
            for spelling in option.opts:
                if spelling.startswith("--"):
                    by_spelling.setdefault(spelling, {})[command] = option
    for spelling, by_command in by_spelling.items():
        facts = {
            (
                tuple(option.opts),
                option.help,
                str(option.default),
                option.is_flag,
                str(getattr(option, "choices", None)),
            )
            for option in by_command.values()
        }
        assert len(facts) == 1 or set(by_command) <= OWN_MEANING.get(spelling, set()), spelling


@pytest.mark.slow
def test_options_that_belong_together_are_on_the_same_commands() -> None:
    def having(name: str) -> set[str]:
        return {command for command in NAMES if name in parameters(command)}

    analyses = {"view", "rank", "explain", "units", "fit", "curve", "report"} | LABELLED_PLOTS | CAUSES - {"steer"}
    assert having("lag") == analyses - {"story"}  # which labels edited texts, too
    assert having("words") == analyses | {"steer"}
    assert having("language") == having("no_cache") == analyses | {"hypotheses"}
    of_sites = {
        "view",
        "rank",
        "units",
        "similarity",
        "fit",
        "curve",
        "report",
        "ablate",
        "impulse",
        "orders",
        "perturb",
    }
    assert having("layer") == of_sites | LABELLED_PLOTS - {"plot unit"}
    assert having("sites") == having("layer") | {"extract"}
    draws = {"rank", "units", "similarity", "fit", "curve", "report", "train", "sweep", "sample", "extract"} | CAUSES
    assert having("seed") == draws | {"plot matrix", "plot weights", "plot curve", "plot steps"}
    assert having("as_json") == set(NAMES) - {"explore"}  # which shows a page
    assert having("csv") == set(NAMES) - {"extract", "import", "sample", "explore"}  # which print no table


def test_choices_are_those_of_the_library() -> None:
    choices = {
        training_options.Cell: cell_names(),
        training_options.Preset: PRESETS,
        training_options.Gates: GATE_FUNCTIONS,
        training_options.Optimizer: config.OPTIMIZERS,
        training_options.Schedule: config.SCHEDULES,
        RecurrentCell: CELLS,
        options.Newlines: corpus.NEWLINES,
        options.Documents: corpus.DOCUMENTS,
        options.ReadAs: reading_rule.READ_AS,
        options.EndOfDocument: reading_rule.ENDS,
        options.Device: DEVICES,
        options.Precision: config.PRECISIONS,
        options.Dtype: READ_DTYPES,
        Weights: DTYPES,
        Over: [*CURVES, "steps"],
    }
    for choice, names in choices.items():
        assert sorted(get_args(choice)) == sorted(names), choice


@pytest.mark.parametrize(
    ("command", "option", "choices"),
    [
        ("train", "--cell", cell_names()),
        ("extract", "--dtype", get_args(options.Dtype)),
        ("curve", "--over", get_args(Over)),
        ("rank", "--device", DEVICES),
    ],
)
def test_help_shows_the_choices(
    run: Command, monkeypatch: pytest.MonkeyPatch, command: str, option: str, choices: list[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "400")  # in which nothing is folded
    [line] = [line for line in run(command, "--help")[1].splitlines() if line.startswith(f"│ {option} ")]
    assert set(choices) <= set(re.split(r"[^\w]", line))


def test_the_names_of_cells_are_those_of_the_registry() -> None:
    assert tuple(CELLS) == CELL_NAMES


def test_the_names_of_methods_are_those_of_the_registry() -> None:
    assert tuple(METHODS) == METHOD_NAMES


def test_controls_are_the_tasks_and_those_without_a_model() -> None:
    assert list(CONTROLS) == [CHARS, POSITION, *TASKS]


def test_help_names_all_methods_and_controls(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """A method or a control that somebody adds is in the help by its entry in the registry."""
    monkeypatch.setitem(METHODS, "mine", METHODS["f1"])
    monkeypatch.setitem(CONTROLS, "reversed", "a probe that reads backwards")
    texts = {command: " ".join(re.sub("[│]", "", run(command, "--help")[1]).split()) for command in ("rank", "fit")}
    assert f"{', '.join([*METHODS][:-1])} or mine (default" in texts["rank"]
    assert "reversed, a probe that reads backwards" in texts["fit"]
    for name, summary in CONTROLS.items():
        assert f"{name}, {summary}" in texts["fit"]
    assert f"Some of {', '.join([*CONTROLS][:-1])} and reversed, with" in texts["fit"]


@pytest.mark.parametrize("task", [*TASKS, "reversed"])
def test_a_seed_is_noted_for_every_control_task(task: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TASKS, "reversed", TASKS["runs"])
    assert ProbesOptions(controls=f"chars,{task}", seed=7).drawn_seed == 7
    assert ProbesOptions(controls="chars,position", seed=7).drawn_seed is None
    assert ProbesOptions(seed=7).drawn_seed == 7


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("probe rank in_quo", {"in_quotes"}),
        ("probe rank planted", {"planted.h5"}),
        ("probe fit -H in_comm", {"in_comment"}),
        ("probe hypotheses --show in_comm", {"in_comment"}),
        ("probe rank --method ", set(METHODS)),
        ("probe rank --compare auc,", {f"auc,{name}" for name in METHODS}),
        ("probe fit --controls chars,pos", {"chars,position"}),
        ("probe fit --controls ", {*CONTROLS, "none"}),
        ("probe plot gates planted", {"planted.h5"}),
        ("probe plot gat", {"gates"}),
        ("probe plot overlap planted", {"planted.h5"}),
        ("probe plot ranking in_quotes --method bal", {"balanced_accuracy"}),
        ("probe curve --over ", set(get_args(Over))),
        ("probe extract --device ", set(DEVICES)),
        ("probe sweep corpus.txt --cell lstm,g", {"lstm,gru", "lstm,gru_reset_before"}),
        ("probe train --cell np", {"np_rnn"}),
    ],
)
def test_the_shell_completes_names(line: str, expected: set[str]) -> None:
    Path("planted.h5").write_bytes(b"")
    words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
    result = CliRunner().invoke(app, env={"_PROBE_COMPLETE": "complete_bash", **words})
    assert set(result.stdout.split()) == expected, result.output


# What made a row


def test_a_seed_is_an_option_and_stands_in_the_rows(run: Command, planted: Path) -> None:
    one, again, two = (
        printed(run("rank", "in_quotes", planted, "--json", "--top", "20", "--seed", seed)[1]) for seed in "112"
    )
    shifted = [[row["p_shift"] for row in found] for found in (one, again, two)]
    assert shifted[0] == shifted[1] != shifted[2]
    assert {row["seed"] for row in one} == {1} and {row["seed"] for row in two} == {2}
    assert {row["seed"] for row in printed(run("rank", "in_quotes", planted, "--json", "--shifts", "0")[1])} == {None}
    for seed in ("1", "2"):
        fitted = printed(run("fit", "in_quotes", planted, "--json", "--controls", "context", "--seed", seed)[1])
        assert {row["seed"] for row in fitted} == {int(seed)}
        shifted.append([row["auc"] for row in fitted if row["control"] == "context"])
        whole = printed(run("curve", "in_quotes", planted, "--over", "chars", "--json", "--seed", seed)[1])
        assert {row["seed"] for row in whole} == {int(seed)}
    assert shifted[-1] != shifted[-2]
    assert {row["seed"] for row in printed(run("fit", "in_quotes", planted, "--json", "--controls", "none")[1])} == {
        None
    }
    for command in ("rank", "fit", "curve"):
        status, _, err = run(command, "in_quotes", planted, "--seed", "-1")
        assert status == 2 and "the seed is -1" in " ".join(err.replace("│", " ").split())


def commands_with_rows(planted: Path) -> dict[str, list[str]]:
    quick = ["--units", "4", "--epochs", "1", "--lanes", "4"]
    live = ["--model", "model.pt", "--text", "corpus.txt"]
    brief = ["--samples", "2", "--length", "9", "--matched", "0"]
    return {
        "rank": ["rank", "in_quotes", "char_class", str(planted), "--shifts", "9"],
        "rank all": ["rank", "--all", str(planted), "--sites", "cell"],
        "rank compare": ["rank", "in_quotes", str(planted), "--compare", "auc,f1"],
        "rank live": ["rank", "in_quotes", "--shifts", "0", *live],
        "fit": ["fit", "in_quotes", "position_in_line", str(planted), "--controls", "chars"],
        "curve": ["curve", "in_quotes", str(planted), "--over", "sites"],
        "explain": ["explain", str(PLANTED["in_quotes"]), str(planted), "in_quotes", "in_comment"],
        "view": ["view", "in_quotes", str(planted), "--unit", str(PLANTED["in_quotes"]), "--chars", "60"],
        "ablate": ["ablate", "in_quotes", "--units", "0/cell/1", "--chars", "600", "--matched", "5", *live],
        "impulse": ["impulse", "in_quotes", "--units", "0/cell/1", "--chars", "600", "--matched", "2", *live],
        "patch": ["patch", "in_quotes", "--part", "0/cell/1", "--chars", "600", "--matched", "2", *live],
        "fit applied": ["fit", "--apply", "kept.npz", str(planted)],
        "perturb": ["perturb", "in_quotes", "--units", "0/cell/1", "--places", "20", "--after", "5", *live],
        "story": ["story", "in_quotes", "--chars", "600", "--matched", "2", *live],
        "evaluate": ["evaluate", "model.pt", "corpus.txt", "--split", "80,20", "--orders", "1,2"],
        "hypotheses": ["hypotheses"],
        "hypotheses counted": ["hypotheses", "corpus.txt"],
        "hypotheses shown": ["hypotheses", "corpus.txt", "--show", "in_quotes"],
        "hypotheses defined": ["hypotheses", "--show", "in_quotes"],
        "steer": ["steer", "vowel", "--model", "model.pt", "--hold", "0/cell/1=0", *brief],
        "steer by a direction": ["steer", "vowel", *live, "--add", "in_quotes", *brief],
        "check": ["check", str(planted)],
        "check a model": ["check", "model.pt"],
        "units": ["units", "in_quotes", "in_comment", str(planted)],
        "report": ["report", "in_quotes", str(planted), "--curves", "0", "--sites", "cell"],
        "similarity": ["similarity", str(planted), str(planted), "--sites", "0/hidden"],
        "plot gates": ["plot", "gates", *live],
        "plot matrix": ["plot", "matrix", "in_quotes", str(planted), "--sites", "cell", "--penalty", "1"],
        "plot ranking": ["plot", "ranking", "in_quotes", str(planted)],
        "plot weights": ["plot", "weights", "in_quotes", str(planted), "--penalty", "1"],
        "plot weights kept": ["plot", "weights", "--probe", "kept.npz"],
        "plot curve": ["plot", "curve", "in_quotes", str(planted), "--most", "4", "--penalty", "1"],
        "plot overlap": ["plot", "overlap", "--model", "model.pt", *live],
        "plot unit": ["plot", "unit", str(PLANTED["in_quotes"]), "in_quotes", str(planted)],
        "train": ["train", "corpus.txt", "-o", "small.pt", *quick],
        "sweep": ["sweep", "corpus.txt", "--cell", "rnn", "--layers", "1", "--hidden", "3", *quick[2:]],
    }


ROWS = list(commands_with_rows(Path()))
READS_A_TEXT = set(ROWS) - {"hypotheses", "hypotheses defined", "check", "check a model", "steer"}
# no model made the planted recording
KNOWS_THE_MODEL = {
    "rank live",
    "plot gates",
    "ablate",
    "impulse",
    "patch",
    "perturb",
    "story",
    "steer",
    "steer by a direction",
    "evaluate",
    "check a model",
    "train",
}


@pytest.mark.parametrize("name", ROWS)
def test_rows_say_what_made_them_and_go_to_a_file(run: Command, files: None, planted: Path, name: str) -> None:
    arguments = [*commands_with_rows(planted)[name], "--json", "--csv", "rows.csv"]
    if "kept.npz" in arguments:
        run("fit", "in_quotes", planted, "--sites", "0", "--controls", "none", "--save", "kept.npz")
    status, out, err = run(*arguments)
    assert status == 0, err
    shown, written = printed(out), table("rows.csv")
    assert len(shown) == len(written) > 0
    keys = {key for row in shown for key in row}
    assert set(PROVENANCE) <= set(written[0]) <= keys
    if not name.startswith("rank"):  # whose columns are those that hypotheses of all kinds share
        assert set(written[0]) == keys
    for row, cells in zip(shown, written, strict=True):
        assert row["made_by"] == f"char-probe {probe.__version__}: {shlex.join(['probe', *arguments])}"
        assert bool(row["text_sha256"]) == (name in READS_A_TEXT)
        assert bool(row["model_sha256"]) == (name in KNOWS_THE_MODEL)
        for key, cell in cells.items():
            value = row.get(key)
            if isinstance(value, list):
                assert cell == "; ".join(value)
            elif isinstance(value, float) and cell:
                assert float(cell) == value or math.isinf(float(cell))
            else:
                assert cell == ("" if value is None else str(value)), key


@pytest.mark.parametrize("name", ROWS)
def test_a_file_that_cannot_be_written_is_refused_before_any_work(
    run: Command, files: None, planted: Path, name: str
) -> None:
    before = sorted(Path().iterdir())
    for path, complaint in (("rows.txt", "end its name in .csv"), ("absent/rows.csv", "no folder absent")):
        status, out, err = run(*commands_with_rows(planted)[name], "--csv", path)
        assert status in (1, 2) and out == ""
        assert complaint in " ".join(err.replace("│", " ").split())
        assert sorted(Path().iterdir()) == before


def test_a_table_is_shown_also_if_it_goes_to_a_file(run: Command, planted: Path) -> None:
    usual = run("fit", "in_quotes", planted, "--controls", "none")[1]
    with_file = run("fit", "in_quotes", planted, "--controls", "none", "--csv", "rows.csv")[1]
    assert with_file == usual + "rows.csv: 3 rows\n"
