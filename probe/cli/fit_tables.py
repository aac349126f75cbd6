"""Tables and rows of `probe fit`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from probe.cli.analysis_options import report_used
from probe.cli.differences import show_differences
from probe.cli.showing import TableCell, main_first, say, show_rows, visible, warn
from probe.cli.table_options import TableOptions

if TYPE_CHECKING:
    from analyses.probing.results import ProbeResult

_NOT_IN_TABLE = {"hypothesis", "log_loss", "penalty", "n_chars", "n_used", "n_train", "n_test"}
_NAMES = ("model", "site", "control")
_MAIN = ("auc", "r2", "low", "high", "selectivity", "accuracy", "majority_accuracy")


class SourceProbes(NamedTuple):
    """The probes of one source.

    Attributes:
        name: The name of the source among several; empty if there is only one.
        probes: The results, those of controls among them.
        made: What made them; see `provenance`.
    """

    name: str
    probes: "list[ProbeResult]"
    made: dict[str, TableCell]


def show_probes(results: Sequence[SourceProbes], tables: TableOptions) -> None:
    """Print a table for each hypothesis, or a JSON row for each probe, with the differences between two sources."""
    every_probe = [probe for result in results for probe in result.probes]
    if tables.as_json:
        show_rows(_rows_with_provenance(results), as_json=True)
    else:
        for note in _show_tables(_rows(results)):
            warn(note)
    report_used(every_probe)
    first = every_probe[0]
    say(f"{first.n_train:,} training and {first.n_test:,} held-out characters", quiet=tables.as_json)
    if len(results) == 2:
        _show_differences(results, as_json=tables.as_json)


def write_probes(results: Sequence[SourceProbes], tables: TableOptions) -> None:
    """Write the rows to the file of `--csv`, if that is given."""
    tables.write(_rows_with_provenance(results))


def keep_predictions(path: Path, results: Sequence[SourceProbes]) -> None:
    """Write the probes' predictions at held-out characters to an .npz file, whole or not at all."""
    import numpy as np

    from activations.files import replacing

    arrays = {}
    for name, probes, _ in results:
        for probe in probes:
            key = "/".join(part for part in (name, probe.hypothesis, probe.control, probe.site) if part)
            if probe.predictions is not None:
                arrays[key] = probe.predictions
            if probe.logits is not None:
                arrays[f"{key}/logits"] = probe.logits
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def save_probes_of(path: Path, results: Sequence[SourceProbes]) -> int:
    """Write the probes themselves, without controls, to an .npz file, and return their number."""
    from analyses.probing.kept_probes import save_probes

    probes = [
        result.probe
        for of_source in results
        for result in of_source.probes
        if result.control is None and result.probe is not None
    ]
    made_by = next((str(of_source.made["made_by"]) for of_source in results), "")
    save_probes(path, probes, made_by=made_by)
    return len(probes)


def _rows(results: Sequence[SourceProbes]) -> list[dict[str, TableCell]]:
    return [
        {**({"model": result.name} if result.name else {}), **probe.row()}
        for result in results
        for probe in result.probes
    ]


def _rows_with_provenance(results: Sequence[SourceProbes]) -> list[dict[str, TableCell]]:
    return [row | result.made for result in results for row in _rows([result])]


def _show_tables(rows: Sequence[dict[str, TableCell]]) -> list[str]:
    """Print a table for each hypothesis, and return the notes to the probes, each once."""
    notes: dict[str, None] = {}
    for hypothesis in dict.fromkeys(row["hypothesis"] for row in rows):
        of_hypothesis = [row for row in rows if row["hypothesis"] == hypothesis]
        columns = [
            key for key in of_hypothesis[0] if _is_shown(key) and any(_has_value(row.get(key)) for row in of_hypothesis)
        ]
        show_rows(
            [
                main_first(
                    {key: "" if row.get(key) is None else row[key] for key in columns if key != "note"}, _NAMES, _MAIN
                )
                for row in of_hypothesis
            ],
            as_json=False,
            title=visible(str(hypothesis)),
        )
        with_note = [row for row in of_hypothesis if row["note"]]
        for note in dict.fromkeys(str(row["note"]) for row in with_note):
            sites = [str(row["site"]) for row in with_note if row["note"] == note]
            of_sites = "" if len(sites) == len(of_hypothesis) else f" ({', '.join(dict.fromkeys(sites))})"
            of_what = "" if str(hypothesis) in note else f"{hypothesis}: "
            notes[f"{of_what}{note}{of_sites}"] = None
    return list(notes)


def _show_differences(results: Sequence[SourceProbes], *, as_json: bool) -> None:
    from analyses.differences import compare_probes

    first, second = results
    show_differences(
        f"{second.name} − {first.name}",
        lambda: [compared.row() for compared in compare_probes(first.probes, second.probes)],
        as_json=as_json,
    )


def _is_shown(key: str) -> bool:
    """Tell whether a column is in the table, and not only in JSON: of intervals, only that of the main score."""
    return key not in _NOT_IN_TABLE and not key.endswith(("_low", "_high")) and not key.startswith("auc_of_")


def _has_value(cell: TableCell) -> bool:
    return cell not in (None, "") and cell == cell  # NaN is not equal to itself
