"""Names that the shell completes; the registries that hold them are loaded only while it does."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from typer import Context

from probe.cli.defaults import DEFAULT_RECORDING


def hypotheses(incomplete: str) -> list[str]:
    """List the hypotheses whose names begin as typed, those of installed plug-ins among them."""
    from hypotheses.label_files.documents import SUFFIXES
    from hypotheses.registry import registered

    prefix = "labels:"
    if incomplete.startswith(prefix):
        path = incomplete.removeprefix(prefix)
        return [prefix + name for name in _paths(path) if name.endswith((*SUFFIXES, "/"))]
    return _beginning(incomplete, registered())


def hypotheses_and_recordings(incomplete: str) -> list[str]:
    """List the hypotheses, and the recordings on disk, whose names begin as typed."""
    return [*hypotheses(incomplete), *recordings(incomplete)]


def _paths(incomplete: str) -> list[str]:
    """List the files and folders whose paths begin as typed; a folder ends with a slash."""
    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    paths: list[Path] = []
    with suppress(OSError):  # there is no such folder, or it may not be looked into
        paths = sorted(folder.iterdir())
    return _beginning(incomplete.removeprefix("./"), (f"{path}/" if path.is_dir() else str(path) for path in paths))


def recordings(incomplete: str) -> list[str]:
    """List the recordings on disk whose names begin as typed."""
    folder = Path(incomplete) if incomplete.endswith("/") else Path(incomplete).parent
    return _beginning(incomplete.removeprefix("./"), sorted(str(path) for path in folder.glob("*.h5")))


def models(incomplete: str) -> list[str]:
    """List the models on disk, and folders, whose names begin as typed."""
    return [name for name in _paths(incomplete) if name.endswith((".pt", "/"))]


def files_of_hypotheses(incomplete: str) -> list[str]:
    """List the Python files, files of labels and folders whose names begin as typed."""
    from hypotheses.label_files.documents import SUFFIXES

    return [name for name in _paths(incomplete) if name.endswith((".py", *SUFFIXES, "/"))]


def sites(context: Context, incomplete: str) -> list[str]:
    """List the signals and sites of the recording whose names begin as typed, the last of those with commas between."""
    names = list(_units_by_site(context))
    signals = [signal for layer, _, signal in (name.partition("/") for name in names) if layer.isdecimal()]
    return _last_of_list(incomplete, dict.fromkeys([*names, *signals]))


def units(context: Context, incomplete: str) -> list[str]:
    """List the sites of the recording, and the units of one that is typed whole, the last of those with commas."""
    by_site = _units_by_site(context)
    site, _, _ = incomplete.rpartition(",")[2].rpartition("/")
    if site in by_site:
        return _last_of_list(incomplete, [f"{site}/{number}" for number in range(by_site[site])])
    return _last_of_list(incomplete, [f"{name}/" for name in by_site])


def _units_by_site(context: Context) -> dict[str, int]:
    """Return the number of units of each site of the recording that a command names so far, or else the default one."""
    from activations.errors import ActivationError
    from activations.recordings.recording import Recording

    words = [str(word) for word in context.args]  # after an option that still lacks its value
    for value in context.params.values():
        words += map(str, value if isinstance(value, list | tuple) else [value])
    path = next((word for word in words if word.endswith(".h5")), DEFAULT_RECORDING)
    with suppress(ActivationError, OSError), Recording(path) as recording:
        return {str(site): n_units for site, n_units in recording.sites.items()}
    return {}


def methods(incomplete: str) -> list[str]:
    """List the ranking methods whose names begin as typed, the last of those with commas between."""
    from analyses.ranking.methods.names import method_names

    return _last_of_list(incomplete, method_names())


def controls(incomplete: str) -> list[str]:
    """List the controls of probes whose names begin as typed, the last of those with commas between."""
    from analyses.probing.control_names import CONTROLS

    return _last_of_list(incomplete, [*CONTROLS, "none"])


def cells(incomplete: str) -> list[str]:
    """List the recurrent cells whose names begin as typed, the last of those with commas between."""
    from activations.models.cells.names import TRAINABLE_CELLS

    return _last_of_list(incomplete, TRAINABLE_CELLS)


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def _last_of_list(incomplete: str, names: Iterable[str]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in _beginning(last, names)]
