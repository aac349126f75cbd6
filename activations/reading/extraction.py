"""Recording a model's reading of a text: `extract`, which can be interrupted and resumed."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import torch

from activations.blocks import Block
from activations.errors import ActivationError
from activations.lane_differences import LaneDifference, unsettled_units
from activations.models.identity import is_trained
from activations.predictions import LOG_PROB
from activations.progress import Progress, no_progress
from activations.reading.judging import Judge, mean_loss
from activations.reading.lanes.reading_state import ReadingState, Round
from activations.reading.live import LiveActivations
from activations.recordings.format.layout import bytes_of_values, columns_of, prediction_path
from activations.recordings.recorder import CHECKPOINT_S, Recorder, new_recording
from activations.results import Result, TableCell
from activations.site_names import AnySites, resolve_sites
from activations.units import Site, Unit, in_order

_NAMED_UNITS = 5
_JUDGE = "judge"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Extraction(Result):
    """The result of recording a model's reading of a text.

    Attributes:
        path: The recording.
        n_chars: Number of characters recorded.
        sites: The sites recorded.
        nats_per_char: Mean negative log probability of the true next character over the characters recorded; NaN
            if there are no predictions.
        chars_per_s: Speed of reading and writing together; what an earlier, interrupted run did does not count.
        lane_differences: For each site of the state, how far lanes differed where they meet.
        saturated: The sites within [-1, 1] that are in float32 because float16 would lose the order of a unit.
    """

    path: Path
    n_chars: int
    sites: tuple[Site, ...]
    nats_per_char: float
    chars_per_s: float
    lane_differences: Mapping[Site, LaneDifference]
    saturated: tuple[Site, ...]

    @property
    def lane_difference(self) -> float:
        """The largest difference of any unit of the state at any border of lanes."""
        return max((difference.largest for difference in self.lane_differences.values()), default=0.0)

    @property
    def unsettled(self) -> list[Unit]:
        """The units that differed by more than 1 % of their range at some border of lanes, the farthest off first."""
        return unsettled_units(self.lane_differences)

    def row(self) -> dict[str, TableCell]:
        """Return the row that `probe extract --json` prints."""
        return {
            "path": str(self.path),
            "n_chars": self.n_chars,
            "sites": [str(site) for site in self.sites],
            "nats_per_char": self.nats_per_char,
            "chars_per_s": self.chars_per_s,
            "lane_difference": self.lane_difference,
            "unsettled": [str(unit) for unit in self.unsettled],
            "saturated": [str(site) for site in self.saturated],
        }

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.n_chars:,} characters, {len(self.sites)} sites, {self._loss}, "
            f"{self.chars_per_s:,.0f} characters/s"
            + "".join(
                f"\n  where lanes meet, {site} differs by {_in_two_digits(difference.typical)} on average, "
                f"{_in_two_digits(difference.largest)} at most"
                for site, difference in self.lane_differences.items()
            )
            + self._line_on_saturated
        )

    @property
    def _loss(self) -> str:
        return "no predictions" if math.isnan(self.nats_per_char) else f"{self.nats_per_char:.3f} nats per character"

    @property
    def _line_on_saturated(self) -> str:
        if not self.saturated:
            return ""
        names = ", ".join(map(str, self.saturated))
        why = "float16 would lose the order of some of their units, as where a gate saturates"
        return f"\n  in float32, since {why}: {names}"

    @property
    def warning(self) -> str | None:
        """A warning for those who rely on the lanes; None if all units settled."""
        if not self.unsettled:
            return None
        names = ", ".join(str(unit) for unit in self.unsettled[:_NAMED_UNITS])
        n_more = len(self.unsettled) - _NAMED_UNITS
        return (
            f"{len(self.unsettled):,} units still differ by more than 1 % of their range after the warm-up, where "
            f"lanes meet: {names}{f' and {n_more:,} more' if n_more > 0 else ''}; a longer --warm-up may help, and "
            "--lanes 1 is exact"
        )


def _in_two_digits(difference: float) -> str:
    """Round a difference to two digits, with an exponent only if it is very large or small.

    >>> [_in_two_digits(difference) for difference in (356.7, 0.0011, 12_345.0)]
    ['360', '0.0011', '12000']
    """
    return f"{float(f'{difference:.2g}'):g}"


def recording_bytes(live: LiveActivations, sites: AnySites | None = None) -> int:
    """Return how many bytes a recording of a reading will have on the disk, without its checksums.

    These take .06 bytes for each character and column of predictions or site.

    Args:
        live: The model and the text, of which a short sample is read.
        sites: The sites to be recorded; None is all.

    Raises:
        ActivationError: If there is no such site.
    """
    facts_by_site = {site: live.site_facts(site) for site in resolve_sites(live.sites, sites)}
    columns = columns_of(facts_by_site, len(live.vocabulary) if live.predicts else None)
    return bytes_of_values(len(live.corpus), live.selection.n_chars, columns)


def extract(
    live: LiveActivations,
    path: Path | str,
    *,
    sites: AnySites | None = None,
    predictions: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress = no_progress,
    checkpoint_s: float = CHECKPOINT_S,
) -> Extraction:
    """Read the text once and record the activations.

    A run that is interrupted, however that happens, is resumed when the same is extracted again.

    Args:
        live: The model and the text.
        path: The recording to write; it appears when it is complete.
        sites: The sites to record; None is all.
        predictions: Whether to record the model's predictions, too, if it has any.
        force: Whether to record a text even if the model predicts it worse than the frequencies of the characters
            alone do, which is usually a text read with the wrong vocabulary. With interventions, this is not checked.
        command: The command that started the extraction, for people who find the recording.
        progress: Called with the characters done and their number.
        checkpoint_s: Seconds between checkpoints, at least; see `new_recording`.

    Raises:
        ActivationError: If the recording cannot be written, another run is writing it, or the model does not fit
            the text.
    """
    began = perf_counter()
    path = Path(path)
    chosen = in_order(live.sites, resolve_sites(live.sites, sites))
    predictions = predictions and live.predicts
    is_judged = is_trained(live.model) and not live.interventions and predictions and not force
    judge = Judge(live.corpus, live.vocabulary, live.reading_rule) if is_judged else None
    description = live.description
    with new_recording(
        path,
        live.corpus,
        live.vocabulary,
        {site: live.site_facts(site) for site in chosen},
        predictions=predictions,
        selection=live.selection,
        job={
            **description,
            "replacement": live.vocabulary.replacement,
            "turn_chars": live.turn_chars,
            "n_cores": torch.get_num_threads(),
        },
        checkpoint_s=checkpoint_s,
    ) as recorder:
        n_chars_before = recorder.n_chars_done
        live.lane_differences = _record(live, recorder, chosen, predictions=predictions, judge=judge, progress=progress)
        nats_per_char = mean_loss(recorder.column(prediction_path(LOG_PROB))) if predictions else math.nan
        for site, difference in live.lane_differences.items():
            recorder.keep_differences(site, difference.by_unit, difference.range)
        recorder.describe(
            **description,
            lane_differences={str(site): (d.largest, d.typical) for site, d in live.lane_differences.items()},
            nats_per_char=nats_per_char,
            made_by={"program": "char-probe", "version": version("char-probe"), "command": command},
        )
    return Extraction(
        path=path,
        n_chars=live.selection.n_chars,
        sites=tuple(chosen),
        nats_per_char=nats_per_char,
        chars_per_s=(live.selection.n_chars - n_chars_before) * live.selection.every / (perf_counter() - began),
        lane_differences=live.lane_differences,
        saturated=tuple(site for site in chosen if site in live.saturated),
    )


def _record(
    live: LiveActivations,
    recorder: Recorder,
    sites: Collection[Site],
    *,
    predictions: bool,
    judge: Judge | None,
    progress: Progress,
) -> dict[Site, LaneDifference]:
    """Record what is not recorded yet, round after round, and return how far lanes differed where they meet."""
    resumed = recorder.resumed_from
    state = ReadingState.from_arrays(resumed) if resumed else ReadingState.start(live.n_groups)
    if judge is not None and resumed and _JUDGE in resumed:
        judge.restore(resumed[_JUDGE])
    n_done = recorder.n_chars_done
    for finished in live.rounds(sites, predictions=predictions, resume_from=state):
        n_done += _write(finished, live, recorder, judge)
        state.add(finished)
        progress(n_done, live.selection.n_chars)
        if recorder.wants_checkpoint:
            recorder.checkpoint({**state.to_arrays(), **({_JUDGE: judge.to_array()} if judge is not None else {})})
        del finished  # so that its memory can be used again
    if judge is not None:
        judge.decide()
    return state.borders.differences(live.sites)


def _write(finished: Round, live: LiveActivations, recorder: Recorder, judge: Judge | None) -> int:
    """Record the blocks of a round, and return the number of their characters."""
    for block in finished.blocks:
        _check_numbers(block, live)
        recorder.write(block)
        if judge is not None:
            judge.add(block)
    return sum(block.n_chars for block in finished.blocks)


def _check_numbers(block: Block, live: LiveActivations) -> None:
    log_probs = block.predictions.get(LOG_PROB)
    if log_probs is None:
        return
    ends = live.corpus.is_first if live.reading_rule.backwards else live.corpus.is_last
    if not np.isfinite(log_probs[~ends(block.positions)]).all():
        why = ": an intervention makes them so" if live.interventions else "; its weights are broken, train it again"
        raise ActivationError(f"the model's predictions are not numbers{why}")
