"""The command that is called is built alone, the same as among all."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commands import parsers
from typer.main import get_command

from activations.recordings import vetting
from probe.cli.application import MODULES, shell_name
from probe.cli.calling import app_for, look_at_recordings
from probe.cli.commands import app


def options_of(command: Any) -> list[tuple[Any, ...]]:
    return [(option.name, option.opts, str(option.default), vars(option).get("help")) for option in command.params]


@pytest.mark.parametrize("module", MODULES)
def test_command_alone_is_the_same_as_among_all(module: str) -> None:
    name = shell_name(module)
    group: Any = get_command(app_for([name, "--help"]))
    assert list(group.commands) == [name]
    among_all = parsers()[name]
    assert options_of(group.commands[name]) == options_of(among_all)
    assert group.commands[name].help == among_all.help


@pytest.mark.parametrize("words", [[], ["--help"], ["rnak"], ["plot", "gates"], ["--version"], ["import_model"]])
def test_all_commands_are_there_where_the_first_word_is_none_of_them(words: list[str]) -> None:
    assert app_for(words) is app


def test_all_commands_are_there_while_words_are_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PROBE_COMPLETE", "complete_bash")
    assert app_for(["rank"]) is app


def test_a_command_does_not_load_the_others() -> None:
    program = (
        "import sys; from probe.cli.calling import app_for; app_for(['check'])\n"
        "print([name for name in sys.modules if name in ('probe.cli.check', 'probe.cli.rank', 'probe.cli.commands')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['probe.cli.check']\n"


@pytest.mark.parametrize(("name", "is_started"), [("a.h5", True), ("missing.h5", False), ("a.txt", False)])
def test_process_that_looks_at_recordings_starts_where_one_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, is_started: bool
) -> None:
    for present in ("a.h5", "a.txt"):
        (tmp_path / present).touch()
    vetter = vetting.Vetter()
    monkeypatch.setattr(vetting, "VETTER", vetter)
    look_at_recordings(["rank", str(tmp_path / name)])
    assert (vetter._process is not None) == is_started
