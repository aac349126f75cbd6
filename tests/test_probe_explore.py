"""The command `probe explore`: it says where the page is, serves it, and ends without leaving anything."""

import importlib.util
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from commands import Command, as_in_a_shell
from test_probe_completion import completed

from probe.cli.explore import _open_browser
from probe.explorer.guarding import Access
from probe.explorer.server import Address

ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)(/\?token=[\w-]{43})\n")
STOPPED = "stopped; the same command again"


@contextmanager
def started(*words: str, env: dict[str, str] | None = None) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """Start the command, and yield the process and its first line."""
    command = as_in_a_shell(sys.executable, "-m", "probe", "explore", "--no-browser", *words)
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **(env or {})}
    ) as process:
        assert process.stdout is not None
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def entered(address: str) -> int:
    """The status of opening the address."""
    match = ADDRESS.fullmatch(address)
    assert match is not None, address
    connection = HTTPConnection("127.0.0.1", int(match[1]), timeout=30)
    with closing(connection):
        connection.request("GET", match[2])
        return connection.getresponse().status


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_ends_it_with_one_line_and_nothing_is_left(planted: Path, number: signal.Signals, status: int) -> None:
    shutil.copy(planted, "activations.h5")
    before = {path.name for path in Path.cwd().iterdir()}
    with started("--sidecar", "none") as (process, address):
        assert entered(address) == 303
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (status, "")
    assert err.splitlines()[-1].startswith(STOPPED)
    assert err.splitlines()[:-1] == [
        "reading activations.h5 in this folder, since no recording is named",
        "Ctrl-C ends it",
    ]
    assert {path.name for path in Path.cwd().iterdir()} == before


def test_quiet_says_the_address_alone_and_the_token_may_be_given(planted: Path) -> None:
    token = "a" * 43
    with started(str(planted), "-q", "--sidecar", "none", env={"PROBE_EXPLORE_TOKEN": token}) as (process, address):
        assert address.endswith(f"/?token={token}\n") and entered(address) == 303
        process.terminate()
        out, err = process.communicate(timeout=30)
    assert out == "" and err.count("\n") == 1 and err.startswith(STOPPED)


def test_a_sidecar_that_is_being_made_ends_with_the_command(planted: Path) -> None:
    shutil.copy(planted, "activations.h5")
    with started() as (process, address):
        assert entered(address) == 303
        process.terminate()
        process.communicate(timeout=30)
    assert not list(Path("activations.h5.explorer").glob("*.part"))


ARENAS = """
import ctypes, threading
from probe.cli.explore import share_arenas
share_arenas()
library = ctypes.CDLL(None)
library.malloc.restype = library.fopen.restype = ctypes.c_void_p
together = threading.Barrier(12)
def take():
    together.wait()
    library.malloc(1000)
    together.wait()
threads = [threading.Thread(target=take) for _ in range(12)]
for thread in threads: thread.start()
for thread in threads: thread.join()
file = ctypes.c_void_p(library.fopen(b"arenas.xml", b"w"))
library.malloc_info(0, file)
library.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other libraries have no such arenas")
def test_threads_share_two_arenas_of_memory() -> None:
    subprocess.run([sys.executable, "-c", ARENAS], check=True)
    assert Path("arenas.xml").read_text(encoding="ascii").count("<heap nr=") <= 2


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (["missing.h5"], 1, "missing.h5"),
        (["a.h5", "b.h5", "c.h5"], 2, "the page shows at most 2"),
        (["RECORDING", "--sidecar", "lots"], 2, "write a size such as 500MB or 4GB, or none"),
        (["RECORDING", "--port", "70000"], 2, "65535"),
        (["RECORDING", "--host", "no such host"], 1, "there is no host"),
        (["RECORDING", "--hypotheses", "missing.py"], 1, "there is no file missing.py to take hypotheses from"),
        (["RECORDING", "--model", "missing.pt"], 1, "missing.pt"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    run: Command, planted: Path, words: list[str], status: int, sentence: str
) -> None:
    ended, out, err = run("explore", "--no-browser", *(str(planted) if word == "RECORDING" else word for word in words))
    assert (ended, out) == (status, "")
    assert sentence in re.sub(r"[\s│]+", " ", err)


@pytest.mark.parametrize("words", [("explore",), ("demo", "made", "--explore")])
def test_without_the_extra_it_is_said_how_to_install_it(
    run: Command, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """Nothing has been made by then."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "starlette" else find(name))
    status, out, err = run(*words)
    assert (status, out) == (1, "")
    assert "`probe explore` needs starlette; in a clone, pip install '.[explore]' installs" in " ".join(err.split())
    assert not Path("made").exists()


def test_a_token_that_can_be_guessed_is_refused(run: Command, planted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROBE_EXPLORE_TOKEN", "1234")
    status, _, err = run("explore", planted, "--no-browser")
    assert status == 2 and "PROBE_EXPLORE_TOKEN must have 22 to 200" in re.sub(r"[\s│]+", " ", err)


def test_a_port_that_is_taken_is_one_sentence(run: Command, planted: Path) -> None:
    with started(str(planted), "--sidecar", "none") as (_, address):
        port = address.split(":")[2].partition("/")[0]
        status, _, err = run("explore", planted, "--no-browser", "--sidecar", "none", "--port", port)
    assert status == 1 and f"cannot listen at port {port} of 127.0.0.1: Address already in use" in err


def test_another_host_is_warned_about(planted: Path) -> None:
    with started(str(planted), "-q", "--host", "0.0.0.0", "--sidecar", "none") as (process, address):
        assert entered(address) == 303
        process.terminate()
        _, err = process.communicate(timeout=30)
    assert err.startswith("the page is served at 0.0.0.0, so that whoever can reach this machine")


def test_a_browser_with_a_window_is_opened_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    address = Address(Access("127.0.0.1", 80), "127.0.0.1", 80, threading.Event())
    opened: list[str] = []

    class Window(webbrowser.BackgroundBrowser):
        def open(self, url: str, new: int = 0, autoraise: bool = True) -> bool:
            opened.append(url)
            return True

    def none() -> Any:
        raise webbrowser.Error

    for get in (lambda: webbrowser.GenericBrowser("lynx"), none, lambda: Window("firefox")):
        monkeypatch.setattr(webbrowser, "get", get)
        _open_browser(address)
    until = time.monotonic() + 10
    while not opened and time.monotonic() < until:
        time.sleep(0.01)
    [url] = opened
    assert url.startswith("http://127.0.0.1:80/?token=") and address.access.token not in url


def test_files_are_completed(planted: Path) -> None:
    shutil.copy(planted, "named.h5")
    for name in ("own.py", "tags.csv", "text.txt", "model.pt"):
        Path(name).touch()
    assert completed("probe explore na") == {"named.h5"}
    assert completed("probe explore --hypotheses ") == {"own.py", "tags.csv"}
    assert completed("probe explore --model m") == {"model.pt"}
