"""`probe fit`."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import BadParameter, Option

from probe.cli.options import (
    BudgetOption,
    FoldsOption,
    HypothesesOption,
    JsonOption,
    LagOption,
    LanguageOption,
    LayerOption,
    ModelOption,
    NoCacheOption,
    PenaltyOption,
    RecordingsArgument,
    SitesOption,
    TextOption,
)
from probe.cli.reading import ReadingOptions, with_options
from probe.cli.show import Cell, progress, say, show_differences, show_rows, visible, warn
from probe.cli.sources import ask_several, chosen_sites, in_bytes, open_sources, tell_used

if TYPE_CHECKING:
    from activations.blocks import Source
    from activations.models.char_rnn import CharRNN
    from activations.units import Site, Unit
    from analyses.probing.results import Fitting, ProbeResult
    from analyses.session import Session
    from analyses.targets.target import Target

_NOT_IN_TABLE = {"hypothesis", "log_loss", "penalty", "n_chars", "n_used", "n_train", "n_test"}


@with_options
def fit(
    recordings: RecordingsArgument = None,
    hypotheses: HypothesesOption = None,
    all_hypotheses: Annotated[bool, Option("--all", help="All hypotheses that can be asked of this text.")] = False,
    sites: SitesOption = None,
    layer: LayerOption = None,
    units: Annotated[
        str | None, Option(help="Only these together, such as 0/cell/37,1/cell/40.", show_default=False)
    ] = None,
    together: Annotated[
        bool, Option("--together", help="One probe of all sites together, instead of one for each.")
    ] = False,
    penalty: PenaltyOption = None,
    l1_ratio: Annotated[float, Option(help="0: an L2 penalty; 1: L1; between: an elastic net.")] = 0.0,
    balanced: Annotated[bool, Option("--balanced", help="Let all classes weigh the same, however rare.")] = False,
    folds: FoldsOption = None,
    budget: BudgetOption = None,
    controls: Annotated[str, Option(help="chars, position, context and runs, or none; see above.")] = (
        "chars,position,context,runs"
    ),
    untrained: Annotated[
        Path | None,
        Option(
            help="The recorded model: fit the same probes to two untrained twins of it, one with fresh weights, one "
            "with its own, shuffled. Their recordings are kept beside the recording.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        Option(
            help="An .npz file for what the probes say of each held-out character that was read, with their logits.",
            show_default=False,
        ),
    ] = None,
    memory: Annotated[int, Option(min=1, help="MB of activations to keep; more are read again in each pass.")] = 384,
    model: ModelOption = None,
    text: TextOption = None,
    *,
    how_read: ReadingOptions,
    lag: LagOption = 0,
    language: LanguageOption = None,
    no_cache: NoCacheOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fit linear probes: can a hypothesis be read out of all units of a site together?

    Logistic probes for labels that are True or False or have classes, ridge regressions for numbers. All scores are
    measured on held-out stretches of the text; low and high are the ends of the 95 % interval of the AUC (R² for
    numbers), for neighbouring characters that depend on each other; --json has those of the other scores. auc within
    (r within) is the score among characters of the same eighth of the text, so that what a common trend gives is left
    out. The penalty is chosen on stretches of the training part.

    A score means something only beside what can be had without the model. majority is the accuracy of always saying
    what is most frequent. Controls stand in the same table: chars, a probe that sees the last 1, 5 or 20 characters of
    the text, and no model; position, one of the place in the text alone; context, the same probe for labels drawn at
    random for each three characters, and runs, for the label's own runs in random order. selectivity is the accuracy
    (R²) above that for context.

    Of two recordings of the same text, the last rows say by how much the probes of the second are better.

    Example:
        probe fit --hypothesis in_quotes
    """
    from activations.files import check_output
    from activations.units import in_order
    from analyses.probing.probes import fit_units
    from analyses.probing.results import Fitting
    from probe.untrained import trained_model

    if not hypotheses and not all_hypotheses:
        raise BadParameter("name a hypothesis with --hypothesis, or ask for --all")
    if keep is not None:
        if keep.suffix != ".npz":
            raise BadParameter(f"{keep} is no .npz file; end its name in .npz")
        check_output(keep, *(recordings or []), *(text or []), *([model] if model else []), *how_read.files)
    how = Fitting(
        penalty=penalty,
        l1_ratio=l1_ratio,
        balanced=balanced,
        folds=folds,
        memory=memory << 20,
        keep=keep is not None,
        budget=in_bytes(budget),
    )
    asked_controls = [each.strip() for each in controls.split(",") if each.strip() not in ("", "none")]
    results: list[tuple[str, ProbeResult]] = []
    reasons: dict[str, str] = {}
    with open_sources(recordings, model, text, how_read) as sources:
        for name, source in sources:
            chosen = chosen_sites(source, sites, layer)
            designs = _designs(source, chosen, units, together=together)
            recorded = in_order(source.sites, (unit.site for design in designs for unit in design))
            trained = None if untrained is None else trained_model(source, untrained, recorded)
            with progress(f"fitting probes{f' of {name}' if name else ''}") as report:
                asked, missing = ask_several(source, hypotheses or [], all_hypotheses, language, no_cache, lag)
                reasons |= missing
                found = fit_units(source, asked, designs, controls=asked_controls, how=how, progress=report)
            if trained is not None:
                found += _twins(source, trained, asked, designs, recorded, how)
            results += [(name, each) for each in found]
    _show(results, as_json)
    for hypothesis, reason in reasons.items():
        warn(f"no score for {hypothesis}: {reason}")
    if keep is not None:
        _keep(keep, results)
        say(f"{keep}: what the probes say of each held-out character", quiet=as_json)
    names = list(dict.fromkeys(name for name, _ in results))
    if len(names) == 2:
        _show_differences(names, results, as_json)


def _designs(source: "Source", sites: "Sequence[Site]", units: str | None, *, together: bool) -> "list[list[Unit]]":
    from activations.errors import ActivationError
    from activations.units import Unit, units_of

    if units is None:
        of_probes = [sites] if together else [[site] for site in sites]
        return [units_of(source.sites, each) for each in of_probes]
    named = [Unit.parse(each.strip()) for each in units.split(",")]
    for unit in named:
        if unit.index >= source.sites.get(unit.site, 0):
            sizes = ", ".join(f"{site} of {n} units" for site, n in source.sites.items())
            raise ActivationError(f"there is no unit {unit} here; there are {sizes}")
    return [list(dict.fromkeys(named))]


def _twins(
    source: "Session",
    trained: "CharRNN",
    asked: "Sequence[Target]",
    designs: "Sequence[Sequence[Unit]]",
    sites: "Sequence[Site]",
    how: "Fitting",
) -> "list[ProbeResult]":
    """The same probes of untrained twins, as controls."""
    from activations.models.twins import TWINS
    from activations.recordings.recording import Recording
    from analyses.probing.probes import fit_units
    from probe.untrained import live_twin, record_twin

    found = []
    for how_made in TWINS:
        with ExitStack() as stack:
            report = stack.enter_context(progress(f"an untrained twin with {how_made} weights"))
            live = live_twin(source, trained, how_made)
            twin: Source = live
            if isinstance(source.source, Recording):
                path = source.source.path.with_suffix(f".{how_made}.h5")
                twin = stack.enter_context(Recording(record_twin(live, path, sites, report)))
            results = fit_units(twin, asked, designs, how=how, progress=report)
        found += [replace(each, control=how_made) for each in results]
    return found


def _show(results: "Sequence[tuple[str, ProbeResult]]", as_json: bool) -> None:
    """JSON has a row for each probe; there is a table for each hypothesis."""
    several = len({name for name, _ in results}) > 1
    rows: list[dict[str, Cell]] = [{**({"model": name} if several else {}), **each.row()} for name, each in results]
    if as_json:
        show_rows(rows, as_json=True)
        tell_used(each for _, each in results)
        return
    notes: dict[str, None] = {}
    for hypothesis in dict.fromkeys(each.hypothesis for _, each in results):
        own = [row for row in rows if row["hypothesis"] == hypothesis]
        columns = [key for key in own[0] if _is_shown(key) and any(_says(row.get(key)) for row in own)]
        show_rows(
            [{key: "" if row.get(key) is None else row[key] for key in columns if key != "note"} for row in own],
            as_json=False,
            title=visible(hypothesis),
        )
        said = [row for row in own if row["note"]]
        for note in dict.fromkeys(str(row["note"]) for row in said):
            where = [str(row["site"]) for row in said if row["note"] == note]
            sites = "" if len(where) == len(own) else f" ({', '.join(dict.fromkeys(where))})"
            notes[f"{hypothesis}: {note}{sites}"] = None
    for note in notes:
        warn(note)
    _, first = results[0]
    tell_used(each for _, each in results)
    say(f"{first.n_train:,} training and {first.n_test:,} held-out characters")


def _show_differences(names: list[str], results: "Sequence[tuple[str, ProbeResult]]", as_json: bool) -> None:
    from analyses.differences import compare_probes

    first, second = ([each for own, each in results if own == name] for name in names)
    show_differences(
        f"{names[1]} − {names[0]}",
        lambda: [each.row() for each in compare_probes(first, second)],
        as_json=as_json,
    )


def _is_shown(key: str) -> bool:
    """Whether a column is in the table, and not only in JSON: of intervals only that of the main score."""
    return key not in _NOT_IN_TABLE and not key.endswith(("_low", "_high")) and not key.startswith("auc_of_")


def _says(value: Cell) -> bool:
    return value not in (None, "") and value == value  # NaN is not itself


def _keep(path: Path, results: "Sequence[tuple[str, ProbeResult]]") -> None:
    import numpy as np

    from activations.files import replacing

    arrays = {}
    for name, each in results:
        key = "/".join(part for part in (name, each.hypothesis, each.control, each.site) if part)
        if each.predictions is not None:
            arrays[key] = each.predictions
        if each.logits is not None:
            arrays[f"{key}/logits"] = each.logits
    with replacing(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
