"""Records of trainings in checkpoints, for people and for tables. Their values are the file's, and may be anything."""

from collections.abc import Iterable, Mapping
from typing import Any

from activations.results import TableCell
from activations.texts.character_names import printable

HASHES = {
    "from_model_sha256": "the model that it began with",
    "text": "the training text",
    "held_out": "the held-out text",
}
"""The hashes in a record, and what they are of."""
_LOSSES = ("nats_per_char", "held_out_nats_per_char")
_MAIN = ("epochs", "optimizer", "learning_rate", "schedule", "n_lanes", "n_steps", "seed")
_NO_SETTINGS = (*_LOSSES, "before")
_LONGEST = 80


def losses_of(record: Mapping[str, Any]) -> dict[str, float | None]:
    """Return the losses of a training in nats per character: in its last round, and held out; None if not given."""
    return {name: float(record[name]) if _is_number(record.get(name)) else None for name in _LOSSES}


def settings_of(record: Mapping[str, Any]) -> dict[str, TableCell]:
    """Return everything else that is said about a training, by names that begin with `training_`."""
    return {f"training_{printable(str(name))[:_LONGEST]}": _cell(record[name]) for name in _other_names(record)}


def earlier_trainings(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the records of the trainings before, the earliest first, of a model that was trained further."""
    before = record.get("before")
    return [earlier for earlier in before if isinstance(earlier, Mapping)] if isinstance(before, list | tuple) else []


def described(record: Mapping[str, Any]) -> str:
    """Describe a training, or an import, in a line, without the settings of `other_settings`."""
    if "imported_from" in record:
        kind = f" ({_shown(record['kind'])})" if "kind" in record else ""
        return f"imported from {_shown(record['imported_from'])}{kind}"
    if not set(_MAIN) <= set(record):
        return _listed(record, _other_names(record)) or "the file does not say how"
    return (
        "{epochs} epochs by {optimizer}, learning rate {learning_rate} ({schedule}), {n_lanes} lanes of {n_steps} "
        "characters, seed {seed}"
    ).format(**{name: _shown(record[name]) for name in _MAIN})


def other_settings(record: Mapping[str, Any]) -> str:
    """List the other settings of a training; empty if `described` has all that is known."""
    if "imported_from" in record or not set(_MAIN) <= set(record):
        return ""
    return _listed(record, [name for name in _other_names(record) if name not in (*_MAIN, *HASHES)])


def _listed(record: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{_shown(name).replace('_', ' ')} {_shown(record[name])}" for name in names)


def _other_names(record: Mapping[str, Any]) -> list[str]:
    return [name for name in record if name not in _NO_SETTINGS]


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: object) -> TableCell:
    return value if isinstance(value, int | float | bool) or value is None else _shown(value)


def _shown(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else printable(str(value))[:_LONGEST]
