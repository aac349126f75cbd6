"""Kept probes: a fitted probe with all that it takes to use it elsewhere, and files of them."""

import json
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from activations.blocks import Source
from activations.errors import ActivationError
from activations.files import check_is_file, replacing
from activations.results import Result
from activations.system_errors import reason
from activations.units import Site, Unit
from analyses.errors import AnalysisError
from hypotheses.labels import Kind

Array = NDArray[np.float64]
_FORMAT, _VERSION = "character probes", 1
_DESCRIPTION = "description"
_MOST_BYTES = 1 << 30  # of the arrays of a file
_ARRAYS = ("weights", "intercept", "mean", "scale", "held_out")
_DAMAGES = (  # errors that reading a damaged file may raise
    ValueError, TypeError, LookupError, ArithmeticError, AttributeError, EOFError, RuntimeError, struct.error,
    zlib.error, zipfile.BadZipFile, ActivationError,
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Probe(Result):
    """A fitted linear probe, with all that it takes to use it on other activations of the same model.

    Attributes:
        hypothesis: Name of the hypothesis that it was fitted to.
        kind: Kind of its labels: binary, categorical or numeric.
        site: What it sees: a site, or a number of units.
        sites: Number of units of each site that its units are from.
        units: The units that it sees, in the order of the weights.
        weights: (n_units, n_outputs) weights per standard deviation of each unit; n_outputs is 1, or the number of
            three or more classes. Of several folds, the mean.
        intercept: (n_outputs,) the outputs where every unit has its mean.
        mean: (n_units,) mean of each unit in training.
        scale: (n_units,) standard deviation of each unit in training; 1 of a unit that was constant.
        classes: Names of the classes of categorical labels.
        majority_class: The most frequent class in training; 0 for numbers.
        held_out: (n_runs, 2) int64 runs of characters of its text that it can be judged on, each from a first position
            up to another one; none if it has seen all of the text, as with several folds.
        n_train: Training characters.
        penalties: The penalty of each fold.
        seed: Seed that reproduces it.
        model_sha256: Hash of the model whose activations it was fitted to; empty if not known.
        text_sha256: Hash of the text that it was fitted on.
        made_by: The program's version, and the command that made it, if one did.
    """

    hypothesis: str
    kind: Kind
    site: str
    sites: Mapping[Site, int]
    units: tuple[Unit, ...]
    weights: Array
    intercept: Array
    mean: Array
    scale: Array
    classes: tuple[str, ...] = ()
    majority_class: int = 0
    held_out: NDArray[np.int64] = field(default_factory=lambda: np.empty((0, 2), np.int64))
    n_train: int = 0
    penalties: tuple[float, ...] = ()
    seed: int = 0
    model_sha256: str = ""
    text_sha256: str = ""
    made_by: str = ""

    def __str__(self) -> str:
        n_folds = f", mean of {len(self.penalties)} folds" if len(self.penalties) > 1 else ""
        return f"probe of {self.hypothesis} from {self.site}: {len(self.units)} units{n_folds}"

    def outputs(self, activations: NDArray[np.floating]) -> Array:
        """(n_chars, n_outputs) what the probe says: logits, or numbers if its labels are.

        Args:
            activations: (n_chars, n_units) activations of `units`, in their order.

        Raises:
            AnalysisError: If the number of units is another.
        """
        if activations.ndim != 2 or activations.shape[1] != len(self.units):
            raise AnalysisError(
                f"the probe sees {len(self.units)} units, and got an array of shape {activations.shape}; give "
                "(n_chars, n_units) activations of its units"
            )
        standardised = (activations.astype(np.float64) - self.mean) / self.scale
        return np.asarray(standardised @ self.weights + self.intercept)

    @property
    def direction(self) -> tuple[Site, Array]:
        """The site, and the (n_units_of_site,) direction there of length 1 in which the probe's output rises fastest.

        The weights are those per unit of activation: `weights / scale`. Units that the probe does not see have 0.

        Raises:
            AnalysisError: If the probe has several outputs, sees several sites, or has no weights other than 0.
        """
        if self.weights.shape[1] != 1:
            raise AnalysisError(
                f"the probe of {self.hypothesis!r} has an output for each of {len(self.classes)} classes, and so no "
                "single direction; fit one to a class against the rest, such as "
                f"'{self.hypothesis}=={self.classes[0] if self.classes else 0}'"
            )
        if len(self.sites) != 1:
            raise AnalysisError(
                f"the probe sees units of {', '.join(map(str, self.sites))}, and a direction is one of a single site; "
                "fit a probe of one site"
            )
        [(site, n_units)] = self.sites.items()
        direction = np.zeros(n_units)
        direction[[unit.index for unit in self.units]] = self.weights[:, 0] / self.scale
        length = float(np.linalg.norm(direction))
        if not length > 0:
            raise AnalysisError(f"all weights of the probe of {self.hypothesis!r} are 0, so that it has no direction")
        return site, direction / length

    def check_model(self, source: Source, *, any_model: bool = False) -> None:
        """Refuse activations of which the probe cannot be right.

        Args:
            source: A recording or live activations.
            any_model: Whether it may be of another model, such as another checkpoint of the same training.

        Raises:
            AnalysisError: If the source lacks a unit of the probe, or is of another model.
        """
        for site, n_units in self.sites.items():
            if source.sites.get(site) != n_units:
                has = f"{source.sites[site]} units at {site}" if site in source.sites else f"no site {site}"
                raise AnalysisError(
                    f"the probe of {self.hypothesis!r} sees {site} of {n_units} units, and these activations have "
                    f"{has}; they are of another model, or of other sites"
                )
        known = self.model_sha256 and source.model_sha256
        if known and self.model_sha256 != source.model_sha256 and not any_model:
            raise AnalysisError(
                f"the probe of {self.hypothesis!r} was fitted to model {self.model_sha256[:12]}, and these activations "
                f"are of model {source.model_sha256[:12]}, whose units mean something else; if the two are comparable, "
                "such as two checkpoints of a training, use --any-model (any_model=True)"
            )

    def save(self, path: Path | str, *, made_by: str = "") -> None:
        """Write the probe to an .npz file; see `save_probes`."""
        save_probes(path, [self], made_by=made_by)


def save_probes(path: Path | str, probes: Sequence[Probe], *, made_by: str = "") -> None:
    """Write probes to an .npz file: their arrays, and a description in JSON.

    Args:
        path: The file, which is complete or absent.
        probes: The probes, at least one.
        made_by: What made them, for whoever reads the file; by default the version of this program.

    Raises:
        ActivationError: If the file cannot be written.
        AnalysisError: If there is no probe.
    """
    if not probes:
        raise AnalysisError("there is no probe to save; controls are not saved")
    made_by = made_by or f"char-probe {version('char-probe')}"
    arrays = {f"{number}/{name}": getattr(probe, name) for number, probe in enumerate(probes) for name in _ARRAYS}
    description = {
        "format": _FORMAT,
        "version": _VERSION,
        "probes": [_described(replace(probe, made_by=probe.made_by or made_by)) for probe in probes],
    }
    path = Path(path)
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez(file, **{_DESCRIPTION: np.array(json.dumps(description))}, **arrays)  # type: ignore[arg-type]


def load_probes(path: Path | str) -> list[Probe]:
    """Read the probes in a file that `probe fit --save` or `save_probes` wrote; nothing in it is run.

    Raises:
        AnalysisError: If the file is missing, damaged, of another version, or holds no probes.
    """
    path = Path(path)
    arrays, description = _read(path)
    if not isinstance(description, dict) or description.get("format") != _FORMAT:
        raise AnalysisError(f"{path} holds no probes; write some with `probe fit --save {path}`")
    if description.get("version") != _VERSION:
        raise AnalysisError(
            f"{path} has version {str(description.get('version'))[:20]} of this format, and version {_VERSION} is read "
            "here; fit the probes again"
        )
    try:
        return [
            _restored(facts, {name: arrays[f"{number}/{name}"] for name in _ARRAYS})
            for number, facts in enumerate(description["probes"])
        ]
    except _DAMAGES as error:
        raise AnalysisError(f"{path} is damaged: a probe in it is not whole; fit it again") from error


def load_probe(path: Path | str, site: Site | str | None = None, hypothesis: str | None = None) -> Probe:
    """Read one probe from a file; see `load_probes`.

    Args:
        path: The file.
        site: The site that it sees, if there are several probes in the file.
        hypothesis: The hypothesis that it was fitted to, likewise.

    Raises:
        AnalysisError: If the file cannot be read, or there is not exactly one such probe in it.
    """
    probes = load_probes(path)
    chosen = [
        probe
        for probe in probes
        if (site is None or probe.site == str(site)) and (hypothesis is None or probe.hypothesis == hypothesis)
    ]
    if len(chosen) != 1:
        there = ", ".join(f"{probe.hypothesis} from {probe.site}" for probe in probes)
        problem = "several such probes" if chosen else "no such probe"
        raise AnalysisError(f"{path} holds {problem}: there are {there}; name the site and the hypothesis of one")
    return chosen[0]


def _described(probe: Probe) -> dict[str, Any]:
    """Return all of a probe but its arrays as JSON can hold it."""
    names = [field.name for field in fields(probe) if field.name not in _ARRAYS]
    return {name: getattr(probe, name) for name in names} | {
        "sites": {str(site): n_units for site, n_units in probe.sites.items()},
        "units": [str(unit) for unit in probe.units],
    }


def _restored(facts: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Probe:
    """Make a probe of its description and arrays.

    Raises:
        ValueError: If they do not fit together.
    """
    units = tuple(Unit.parse(unit) for unit in facts["units"])
    sites = {Site(name): int(n_units) for name, n_units in facts["sites"].items()}
    weights = arrays["weights"]
    n_outputs = weights.shape[1]
    shapes = {"weights": (len(units), n_outputs), "intercept": (n_outputs,), "mean": (len(units),)}
    shapes["scale"] = shapes["mean"]
    is_whole = (
        facts["kind"] in get_args(Kind)
        and all(arrays[name].shape == shape and arrays[name].dtype == np.float64 for name, shape in shapes.items())
        and all(np.isfinite(arrays[name]).all() for name in shapes)
        and bool((arrays["scale"] > 0).all())
        and arrays["held_out"].dtype == np.int64
        and arrays["held_out"].shape[1:] == (2,)
        and {unit.site for unit in units} == set(sites)
        and all(0 <= unit.index < sites[unit.site] for unit in units)
        and 0 <= int(facts["majority_class"]) < max(1, len(facts["classes"]))
        and n_outputs == (len(facts["classes"]) if facts["kind"] == "categorical" else 1)
    )
    if not is_whole:
        raise ValueError("the arrays of a probe do not fit its description")
    stored: dict[str, Any] = {
        **{name: str(facts[name]) for name in ("hypothesis", "site", "model_sha256", "text_sha256", "made_by")},
        **{name: int(facts[name]) for name in ("majority_class", "n_train", "seed")},
        **arrays,
    }
    return Probe(
        kind=facts["kind"],
        sites=sites,
        units=units,
        classes=tuple(map(str, facts["classes"])),
        penalties=tuple(map(float, facts["penalties"])),
        **stored,
    )


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], Any]:
    """Read the arrays and the description of a file."""
    check_is_file(path, "file of probes")
    try:
        with zipfile.ZipFile(path) as archive:
            n_bytes = sum(member.file_size for member in archive.infolist())
        if n_bytes > _MOST_BYTES:
            raise AnalysisError(f"{path} holds {n_bytes:,} bytes, more than any probes have; it is another file")
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        return arrays, json.loads(str(arrays.pop(_DESCRIPTION)))
    except AnalysisError:
        raise
    except OSError as error:
        raise AnalysisError(f"cannot read {path}: {reason(error)}; `probe fit --save` writes such a file") from error
    except (*_DAMAGES, MemoryError) as error:
        raise AnalysisError(f"{path} is damaged, or holds no probes; write some with `probe fit --save`") from error
