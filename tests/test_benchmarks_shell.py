"""The questions that benchmarks/shell.py times are commands, and it times whole processes."""

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest
from commands import parse


@pytest.fixture(scope="module")
def shell() -> ModuleType:
    spec = spec_from_file_location("shell", Path(__file__).parents[1] / "benchmarks" / "shell.py")
    assert spec
    assert spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_question_is_a_command(shell: ModuleType) -> None:
    for words in shell.QUESTIONS.values():
        if words != ["--help"]:
            parse(words)


def test_a_process_is_timed_to_its_end(shell: ModuleType) -> None:
    environment = shell.environment_of(shell.HERE)
    assert shell.take([sys.executable, "-c", "import time; time.sleep(0.3)"], environment).elapsed > 0.3
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    assert shell.take([sys.executable, "-c", busy], environment).of_processors > 0.25
    with pytest.raises(RuntimeError, match="failed: no"):
        shell.take([sys.executable, "-c", "raise SystemExit('no')"], environment)
