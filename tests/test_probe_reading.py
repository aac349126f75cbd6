"""The options of texts and of models that read them: declared once, and the same in every command."""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from inspect import signature
from pathlib import Path
from typing import Annotated, Any

import pytest
import torch
from commands import Command, parsers, rows
from foreign import renamed
from planting import random_model
from typer import Option

from activations.errors import ActivationError
from activations.interventions import Intervention, clamp
from activations.models.checkpoints import save_model
from activations.models.twins import TWINS
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import ReadingRule
from activations.texts.selection import Selection
from activations.units import Site
from analyses.session import Session
from probe.cli.option_groups import spelled
from probe.cli.reading import ReadingOptions, RuledTextOptions, TextOptions
from probe.cli.sources import SourceOptions
from probe.untrained import live_twin

COMMANDS = parsers()
LIVE = {each.name for each in fields(ReadingOptions)}
RULED = {each.name for each in fields(RuledTextOptions)}
OF_TEXTS = {each.name for each in fields(TextOptions)}
ALL_OPTIONS = {
    "extract",
    "view",
    "rank",
    "explain",
    "fit",
    "curve",
    "ablate",
    "impulse",
    "orders",
    "patch",
    "perturb",
    "plot curve",
    "plot gates",
    "plot matrix",
    "plot ranking",
    "plot steps",
    "plot unit",
    "plot weights",
    "report",
    "steer",
    "story",
    "units",
}
LACKING = {  # commands with a model that record and ask nothing of its activations, or read as a recording was read
    "explore": LIVE,
    "evaluate": LIVE - RULED - {"replace_unknown", "replace_unknown_with", "device", "model_factory"},
    "sample": LIVE - {"encoding", "device", "model_factory"},  # the texts of --novelty are looked up by lines and words
}
OTHER_MEANING = {("view", "part")}  # the passage to show, and not the part to read
READS_NO_TEXT = {"demo", "check", "explore", "sample", "similarity", "plot losses", "plot sweep"}
NAMES = "emma\nolivia\nava\nisabella\nsophia\nmia\ncharlotte\namelia\nharper\nevelyn\n" * 30


def options(command: str) -> dict[str, Any]:
    return {str(each.name): each for each in COMMANDS[command].params}


def shown(each: Any) -> tuple[object, ...]:
    return each.opts, each.help, each.default


def test_every_command_that_takes_a_model_takes_all_options_of_reading() -> None:
    with_model = {name for name in COMMANDS if "model" in options(name)}
    assert with_model == ALL_OPTIONS | set(LACKING)
    for name in with_model:
        assert LIVE - set(options(name)) == LACKING.get(name, set()), name


def test_every_command_that_reads_texts_says_alike_how() -> None:
    for name in set(COMMANDS) - READS_NO_TEXT:
        assert set(options(name)) >= OF_TEXTS, name


@pytest.mark.parametrize("option", sorted(LIVE))
def test_an_option_means_the_same_in_every_command(option: str) -> None:
    expected = shown(options("extract")[option])
    for name in COMMANDS:
        is_shared = option in options(name) and (name, option) not in OTHER_MEANING
        if is_shared and (name in ALL_OPTIONS or option in OF_TEXTS or name in LACKING):
            assert shown(options(name)[option]) == expected, name


@pytest.fixture
def files() -> Iterator[None]:
    Path("names.txt").write_text(NAMES)
    save_model(random_model(NAMES, cell="gru", n_layers=1, n_units=6), "model.pt")
    yield


ASKED = ("--documents", "lines", "--range", "100:1700", "--every", "1", "--lanes", "5", "--dtype", "float32")


def test_a_live_model_is_read_as_a_recording_of_the_same_options_was(run: Command, files: None) -> None:
    assert run("extract", "model.pt", "names.txt", *ASKED, "--force")[0] == 0
    for command in (
        ("rank", "-H", "vowel", "--shifts", "0"),
        ("fit", "-H", "vowel", "--controls", "none"),
        ("explain", "0/hidden/3", "-H", "vowel"),
        ("curve", "-H", "vowel", "--most", "2"),
    ):
        status, recorded, _ = run(*command, "--json", *(["activations.h5"] if command[0] != "explain" else []))
        assert status == 0
        live_status, live, error = run(*command, "--json", "--model", "model.pt", "--text", "names.txt", *ASKED)
        assert live_status == 0, error
        assert len(rows(live)) == len(rows(recorded)) > 0
        for found, expected in zip(rows(live), rows(recorded), strict=True):
            assert found.keys() == expected.keys()
            for key, value in expected.items():
                assert found[key] == (pytest.approx(value, rel=1e-3, abs=1e-3) if isinstance(value, float) else value)


def test_a_model_of_ones_own_can_be_asked_without_a_recording(run: Command, files: None) -> None:
    model = random_model(NAMES, cell="gru", n_layers=1, n_units=6)
    torch.save({name: torch.from_numpy(each) for name, each in renamed(model).items()}, "theirs.pth")
    characters = model.vocabulary.characters
    Path("mine.py").write_text(
        "import probe\nfrom torch import nn\n\n\ndef build(weights):\n"
        f"    net, top = nn.GRU({len(characters)}, 6), nn.Linear(6, {len(characters)})\n"
        "    net.load_state_dict({n.partition('.')[2]: w for n, w in weights.items() if n.startswith('rnn')})\n"
        "    top.load_state_dict({n.partition('.')[2]: w for n, w in weights.items() if n.startswith('decoder')})\n"
        f"    return probe.models.wrap(None, net, top, {characters!r})\n"
    )
    ask = ("rank", "-H", "vowel", "--shifts", "0", "--json", "--text", "names.txt", "--documents", "lines", "--model")
    status, theirs, error = run(*ask, "theirs.pth", "--model-factory", "mine.py:build")
    assert status == 0, error
    assert rows(theirs) == rows(run(*ask, "model.pt")[1])
    status, _, error = run(*ask, "theirs.pth", "--model-factory", "mine.py:build", "--csv", "mine.py")
    assert status != 0


@pytest.mark.parametrize(
    "given", [("--lanes", "3"), ("--documents", "lines"), ("--range", "0:5"), ("--dtype", "float16")]
)
@pytest.mark.parametrize("command", [("rank", "-H", "vowel"), ("explain", "0/hidden/1"), ("fit", "-H", "vowel")])
def test_options_of_a_live_model_do_not_go_with_a_recording(
    run: Command, command: tuple[str, ...], given: tuple[str, str]
) -> None:
    status, _, error = run(*command, *given)
    assert status == 1
    assert error.startswith(f"error: {given[0]} applies only with --model and --text") and error.count("\n") == 1


def test_an_untrained_twin_reads_as_the_live_model_does() -> None:
    model = random_model(NAMES, cell="gru", n_layers=1, n_units=6)
    compute = ComputeOptions(dtype="float16")
    live = LiveActivations(model, Corpus.from_texts([NAMES]), n_lanes=3, warm_up_chars=128, compute=compute)
    with Session(live) as session:
        for how in TWINS:
            made = live_twin(session, model, how)
            assert (made.n_lanes, made.warm_up_chars, made.compute) == (3, 128, compute)


def test_every_option_of_reading_is_refused_with_a_recording() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class WithAnother(SourceOptions):
        another_way: Annotated[int, Option(help="To read.")] = 1

    names = {field.name for field in fields(WithAnother)} - {"model", "text"}
    changed = {name: WithAnother(**{name: "another"}).changed for name in names}  # type: ignore[arg-type]
    assert changed == {name: [spelled(WithAnother, name)] for name in names}
    assert changed["another_way"] == ["--another-way"] and changed["part"] == ["--range"]
    assert WithAnother(model=Path("model.pt"), text=[Path("names.txt")]).changed == []


def test_an_untrained_twin_reads_by_every_option_of_the_live_source() -> None:
    model, corpus = random_model(NAMES, cell="gru", n_layers=1, n_units=6), Corpus.from_texts([NAMES.upper()])
    given: dict[str, Any] = {
        "n_lanes": 3,
        "warm_up_chars": 128,
        "replace_unknown": True,
        "selection": Selection.of(len(corpus), 3, 40, 2),
        "compute": ComputeOptions(dtype="float16"),
        "rule": ReadingRule(read_as="lower"),
        "stand_in": "a",
        "interventions": [Intervention(Site.of(0, "hidden"), clamp({1: 0.5}))],
        "scratch_bytes": 17,
    }
    assert given.keys() == signature(LiveActivations).parameters.keys() - {"model", "corpus"}
    live = LiveActivations(model, corpus, **given)
    read = live_twin(live, model, "fresh")
    own = {"model", "_lock"}
    assert read.model is not live.model
    assert {name: value for name, value in vars(read).items() if name not in own} == {
        name: value for name, value in vars(live).items() if name not in own
    }


def test_names_are_trained_on_and_judged_a_line_each(run: Command, files: None) -> None:
    train = ("train", "names.txt", "--documents", "lines", "--units", "4", "--epochs", "1", "--lanes", "4")
    assert run(*train, "-o", "small.pt")[0] == 0
    status, out, _ = run("evaluate", "small.pt", "names.txt", "--documents", "lines", "--json")
    assert status == 0
    assert {row["n_chars"] for row in rows(out)} == {len(NAMES) - NAMES.count("\n")}
    status, out, _ = run(
        "evaluate", "small.pt", "names.txt", "--documents", "lines", "--split", "80,20", "--orders", "1,3", "--json"
    )
    assert {"unigram", "3-gram"} <= {row["model"] for row in rows(out)}
    status, out, _ = run("hypotheses", "names.txt", "--documents", "lines", "--show", "position_in_line", "--json")
    assert status == 0
    status, _, error = run("evaluate", "small.pt", "names.txt", "--documents", "words")
    assert status == 2
    assert "'words' is not one of 'files', 'lines', 'blank-lines'" in " ".join(error.replace("│", " ").split())
    with pytest.raises(ActivationError, match="choose one of files, lines, blank-lines"):
        Corpus.read("names.txt", documents="words")


def test_extract_writes_its_texts_on_the_device_that_it_reads_on(
    run: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from activations.models import sampling

    devices = []
    write = sampling.write

    def note(*given: Any, device: str, **others: Any) -> Any:
        devices.append(device)
        return write(*given, device=device, **others)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sampling, "write", note)
    save_model(random_model("ab\n"), "a.pt")
    assert run("extract", "a.pt", "--generate", "2x5", "--device", "auto")[0] == 0
    assert devices == ["auto"]
