"""The tables that a sweep leaves in its folder, read again."""

import csv
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from activations.errors import ActivationError
from activations.files import check_is_file
from probe.training.swept_models import Sweep, SweptModel

RESULTS_FILE, OVERLAP_FILE = "results.csv", "overlap.csv"
_TYPES: Mapping[str, type] = {
    field.name: field.type if isinstance(field.type, type) else str for field in fields(SweptModel)
}


def read_sweep(folder: Path) -> Sweep:
    """Read the models of a sweep, and what each of them gets right that the others do not.

    Args:
        folder: The folder that `probe sweep` wrote.

    Raises:
        ActivationError: If it has no tables of a sweep.
    """
    results, overlap = folder / RESULTS_FILE, folder / OVERLAP_FILE
    try:
        models = tuple(_model(row) for row in _rows(results))
        shares = np.array([[float(row[model.name]) for model in models] for row in _rows(overlap)], np.float64)
        if not models or shares.shape != (len(models), len(models)):
            raise ValueError("the two tables are of different models")
    except FileNotFoundError as error:
        raise ActivationError(
            f"{folder} has no {Path(error.filename).name}, so that it is not the folder of a sweep; name one that "
            "`probe sweep` wrote"
        ) from None
    except (OSError, UnicodeDecodeError, csv.Error, KeyError, TypeError, ValueError) as error:
        raise ActivationError(
            f"{results} and {overlap} are not the tables of a sweep; give the command `probe sweep` again, which "
            "writes them anew from the models that are there"
        ) from error
    return Sweep(models=models, overlap=shares)


def _rows(path: Path) -> list[dict[str, str]]:
    check_is_file(path, "table of a sweep")
    with path.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _model(row: Mapping[str, str]) -> SweptModel:
    values: dict[str, Any] = {name: kind(row[name]) for name, kind in _TYPES.items()}
    return SweptModel(**values)
