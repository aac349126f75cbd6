"""The command `probe explore`, which serves a local page on a recording."""

import os
import re
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, BadParameter, Option

from probe.cli import completion
from probe.cli.option_groups import with_options
from probe.cli.showing import inform, say, warn
from probe.cli.words import Subjects

if TYPE_CHECKING:
    from probe.explorer.server import Address

_MOST_RECORDINGS = 2
_SIZE = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?) ?(MB|GB|TB)", re.IGNORECASE | re.ASCII)
_BYTES = {"mb": 1e6, "gb": 1e9, "tb": 1e12}
_TOKEN = "PROBE_EXPLORE_TOKEN"
_M_ARENA_MAX = -8  # of glibc's mallopt
_FITTING = re.compile(r"[A-Za-z0-9_-]{22,200}", re.ASCII)

RecordingsArgument = Annotated[
    list[Path] | None,
    Argument(
        help="One or two recordings that `probe extract` wrote (default: activations.h5)",
        metavar="RECORDING",
        autocompletion=completion.recordings,
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerOptions:
    """Options of where the page is served, and what may be asked there."""

    model: Annotated[
        Path | None,
        Option(
            help="The model of the recording, which reads what is typed on the page, and writes while it is steered; "
            "recordings of the bundled model need none.",
            autocompletion=completion.models,
            show_default=False,
        ),
    ] = None
    probe: Annotated[
        list[Path] | None,
        Option(
            help="A probe that `probe fit --save` kept, whose direction can be added while the model writes; may be "
            "repeated.",
            show_default=False,
        ),
    ] = None
    hypotheses: Annotated[
        list[Path] | None,
        Option(
            "--hypotheses",
            help="A Python file of hypotheses, which is RUN now, or a file of labels; may be repeated. The page can "
            "ask for what is in these files, and in no others.",
            autocompletion=completion.files_of_hypotheses,
            show_default=False,
        ),
    ] = None
    host: Annotated[str, Option(help="The name or address at which the page is served.")] = "127.0.0.1"
    port: Annotated[int, Option(min=0, max=65535, help="The port at which it is served; 0 is any free one.")] = 0
    no_browser: Annotated[bool, Option("--no-browser", help="Open no browser.")] = False
    sidecar: Annotated[
        str | None,
        Option(
            help="How large the folder may become that is made beside each recording, so that units are shown at once: "
            "such as 4GB, or none (default: 4 GB, or a tenth of the free disk if that is less). It may be deleted at "
            "any time.",
            show_default=False,
        ),
    ] = None

    @property
    def sidecar_bytes(self) -> int | None:
        """The size in bytes that a sidecar may have; 0 is none, and None the default.

        Raises:
            BadParameter: If it is no size.
        """
        if self.sidecar is None or self.sidecar.lower() == "none":
            return None if self.sidecar is None else 0
        size = _SIZE.fullmatch(self.sidecar.strip())
        if size is None:
            raise BadParameter(f"--sidecar is {self.sidecar!r}; write a size such as 500MB or 4GB, or none")
        return int(float(size[1]) * _BYTES[size[2].lower()])


@with_options
def explore(recordings: RecordingsArgument = None, *, options: ServerOptions) -> None:
    """Look at a recording on a local page, and ask the next question without leaving it.

    This command serves the page at an address that it prints, with a token that nobody else knows, and opens it in a
    browser. It needs no network. Scroll through the whole text, coloured by units, hypotheses and the model's loss;
    type a hypothesis or a pattern, and see which units respond to it; paint passages, and see which units switch in
    them; let the model read a text that you type, or write while a unit is held; two recordings, such as those of two
    checkpoints, stand side by side. `probe demo --explore` opens the bundled recording, with a tour.

    Ctrl-C ends it. With --host 0.0.0.0, everybody who can reach this machine and knows the token can use the page.
    PROBE_EXPLORE_TOKEN in the environment sets the token, so that an open page goes on after the command is started
    again at the same --port.

    Example:
        probe explore activations.h5

        probe explore before.h5 after.h5 --model model.pt --hypotheses my_hypotheses.py
    """
    subjects = Subjects([], list(recordings or ()))
    if len(subjects.paths) > _MOST_RECORDINGS:
        raise BadParameter(f"{len(subjects.paths)} recordings are named; the page shows at most {_MOST_RECORDINGS}")
    _ = options.sidecar_bytes  # which is refused before any work if it is no size
    check_installed()
    _check_model(options.model)
    subjects.say_default()
    serve_page(subjects.paths, options)


def serve_page(paths: list[Path], options: ServerOptions, *, fragment: str = "") -> None:
    """Serve the page on recordings until the command is stopped.

    Args:
        paths: The recordings.
        options: Where it is served, and what may be asked there.
        fragment: What the address says after the token, such as `#tour=1`.

    Raises:
        BadParameter: If an option is wrong.
        ActivationError: If a recording cannot be opened, or the page not be served there.
    """
    from hypotheses.user_files import NamedFiles
    from probe import __version__
    from probe.explorer.exploration import opened
    from probe.explorer.guarding import is_loopback
    from probe.explorer.server import serving

    if not is_loopback(options.host):
        warn(
            f"the page is served at {options.host}, so that whoever can reach this machine there and has the token can "
            "use it, and the network can read what it shows; --host 127.0.0.1 (the default) serves this machine alone"
        )
    share_arenas()
    files = NamedFiles.read(options.hypotheses or ())
    with (
        opened(
            paths,
            sidecar_bytes=options.sidecar_bytes,
            files=files,
            model=options.model,
            probes=options.probe or (),
            version=__version__,
        ) as exploration,
        serving(exploration, host=options.host, port=options.port, token=_given_token()) as address,
    ):
        inform("Ctrl-C ends it")  # first: who reads the address may end it at once
        say(address.url + fragment)
        sys.stdout.flush()  # a pipe would keep it
        if not options.no_browser:
            _open_browser(address, fragment)
        address.wait()


def share_arenas() -> None:
    """Let all threads take their memory from two places, where the system's library is glibc.

    It would have up to eight for each core, and what threads that have ended leave in them is not used by others: with
    eight tabs, a third of the memory.
    """
    import ctypes

    with suppress(OSError, AttributeError):  # it is another library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 2)


def check_installed() -> None:
    """Refuse to go on without the libraries of the extra.

    Raises:
        ActivationError: If one is missing.
    """
    from importlib.util import find_spec

    from activations.errors import ActivationError

    missing = [name for name in ("starlette", "uvicorn") if find_spec(name) is None]
    if missing:
        raise ActivationError(
            f"`probe explore` needs {' and '.join(missing)}; in a clone, pip install '.[explore]' installs them"
        )


def _check_model(path: Path | None) -> None:
    """Refuse a model that is not there, before any work; it is read when it is needed.

    Raises:
        ActivationError: If it is no file.
    """
    from activations.errors import ActivationError
    from activations.files import check_is_file

    if path is not None:
        check_is_file(path, "model")
        if not path.exists():
            raise ActivationError(f"there is no model {path}; check its path")


def _given_token() -> str | None:
    """Return the token that the environment gives; None if it gives none.

    Raises:
        BadParameter: If it could be guessed, or does not fit in an address.
    """
    token = os.environ.get(_TOKEN)
    if token is not None and not _FITTING.fullmatch(token):
        raise BadParameter(f"{_TOKEN} must have 22 to 200 letters, digits, - and _, drawn at random")
    return token


def _open_browser(address: "Address", fragment: str = "") -> None:
    """Open the page in a browser with a window; one in the terminal would take it away from this command."""
    import webbrowser
    from threading import Thread

    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if type(browser) is webbrowser.GenericBrowser:
        return
    opening: Callable[[str], bool] = browser.open
    Thread(target=opening, args=(address.url_for_once() + fragment,), daemon=True).start()
