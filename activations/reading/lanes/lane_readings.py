"""Readings of a text by lanes: how it is cut, and which lanes read when, and in which thread."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from activations.blocks import Block
from activations.errors import ActivationError
from activations.interventions import Intervention
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.predictions import prediction_fields
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.lanes.kept_states import KeptStates
from activations.reading.lanes.lane_plan import LanePlan, Run, initial_states
from activations.reading.lanes.passes import Columns, Pass, reader_maker
from activations.reading.lanes.prefetching import prefetch
from activations.reading.lanes.reading_state import ReadingState, Round
from activations.recordings.format.codings import Coding
from activations.texts.lanes import choose_turn_chars, in_step, rounds
from activations.texts.selection import Selection
from activations.texts.tokenising import TokenisedText
from activations.units import Site


@dataclass(frozen=True, kw_only=True, eq=False)
class LaneReadings:
    """All readings of a text by a model with the same lanes and the same interventions.

    Attributes:
        model: The model.
        text: The text as the model reads it.
        selection: The characters whose activations are given, by their positions in the text.
        n_lanes: Number of lanes; with one, the text is read from its start without a break.
        n_groups: Number of groups of lanes.
        warm_up_chars: Characters that a lane reads before the first that it keeps.
        compute: Device, precision and dtype.
        codings: How the values of each site are given; these are all sites of the model.
        unbounded: The sites whose values may leave [-1, 1].
        predicts: True if the model has predictions.
        interventions: Changes of values while the model reads.
        in_use: Held while a model that is not a `CharRNN` reads.
    """

    model: CharRNN | CharModel
    text: TokenisedText
    selection: Selection
    n_lanes: int
    n_groups: int
    warm_up_chars: int
    compute: ComputeOptions
    codings: Mapping[Site, Coding]
    unbounded: Collection[Site]
    predicts: bool
    interventions: tuple[Intervention, ...]
    in_use: AbstractContextManager[Any]

    @cached_property
    def turn_chars(self) -> int:
        """Number of characters that a lane reads at one time."""
        columns = self._columns(self.codings, predictions=True).values()
        bytes_per_char = sum(dtype.itemsize * (width or 1) for dtype, width in columns)
        return choose_turn_chars(self.n_lanes, bytes_per_char, self.compute.n_cores)

    @cached_property
    def plan(self) -> LanePlan:
        """The plan by which lanes share the text."""
        chosen = self.text.in_reading_order(self.selection)
        return LanePlan(self.text, chosen, self.n_lanes, self.warm_up_chars, self.turn_chars)

    @cached_property
    def kept_states(self) -> KeptStates:
        """The states that are kept, so that passages can be read from there."""
        return KeptStates(self.plan.pieces, self.turn_chars)

    def rounds(
        self, sites: Collection[Site], predictions: bool | Collection[str], resume_from: ReadingState | None = None
    ) -> Iterator[Round]:
        """Let the lanes read all their pieces, one round of each group of lanes after another.

        The next rounds are prefetched while these are used, except where all cores compute one group anyway.

        Args:
            sites: The sites to give.
            predictions: Whether to give the model's predictions, too, or which kinds of these.
            resume_from: State of an earlier reading to go on from; None reads from the start.
        """
        reading = self._pass(sites, self.selection, predictions)
        state = resume_from or ReadingState.start(self.n_groups)
        lanes = self.plan.lanes()
        groups = [
            reading.rounds(
                rounds(of_group, self.turn_chars),
                len(of_group),
                state.states[group],
                group=group,
                n_done=state.n_rounds[group],
            )
            for group in range(self.n_groups)
            if (of_group := lanes[group :: self.n_groups])
        ]
        if self.n_groups == 1 and self.compute.on_cpu and not self._is_single_lane:
            yield from groups[0]  # another thread would need OpenMP threads of its own
            return
        with _same_number_of_threads() as n_cores:
            n_threads = 1 if self._is_single_lane else max(1, n_cores // self.n_groups)
            yield from prefetch(groups, lambda: torch.set_num_threads(n_threads))

    def passage(
        self, sites: Collection[Site], start: int, stop: int | None, predictions: Collection[str] = ()
    ) -> Iterator[Block]:
        """Read the selected characters of a passage in blocks, which may reach beyond it.

        Args:
            sites: The sites to give.
            start: Position of the first character of the passage.
            stop: One past the position of the last; None is the end.
            predictions: The kinds of predictions to give.

        Raises:
            ActivationError: If there is no such site; at once, and not when the first block is read.
        """
        reading = self._pass(sites, self.selection.part(start, stop), predictions)
        return self._blocks(reading, self.plan.runs(reading.selection, self.kept_states))

    def _blocks(self, reading: Pass, runs: Sequence[Run]) -> Iterator[Block]:
        """Let lanes read some runs, as many at a time as there are lanes."""
        with _same_number_of_threads():
            for first in range(0, len(runs), self.n_lanes):
                together = runs[first : first + self.n_lanes]
                turns = in_step(iter(run.turns) for run in together)
                for done in reading.rounds(turns, len(together), initial_states(together)):
                    yield from done.blocks

    @property
    def _is_single_lane(self) -> bool:
        """Is a single lane read by compiled loops, with a thread for each layer?"""
        return self.n_lanes == 1 and isinstance(self.model, CharRNN) and self.compute.on_cpu

    def _pass(self, sites: Collection[Site], selection: Selection, predictions: bool | Collection[str]) -> Pass:
        """Prepare a reading of a part of the selection."""
        wanted = frozenset(sites)
        if unknown := wanted - set(self.codings):
            raise ActivationError(
                f"the model has no site {min(unknown)}; it has {', '.join(str(site) for site in self.codings)}"
            )
        return Pass(
            model=self.model,
            text=self.text,
            selection=self.text.in_reading_order(selection),
            new_reader=reader_maker(
                self.model, self.compute, single_lane=self._is_single_lane, interventions=self.interventions
            ),
            columns=self._columns(wanted, predictions=predictions),
            quantised={site: coding for site in wanted if not (coding := self.codings[site]).is_plain},
            unbounded=self.unbounded,
            memory=self.compute.memory_pool(),
            kept_states=self.kept_states,
            in_use=nullcontext() if isinstance(self.model, CharRNN) else self.in_use,
            interventions=self.interventions,
        )

    def _columns(self, sites: Collection[Site], *, predictions: bool | Collection[str]) -> Columns:
        """Return the dtype and the width of everything that is wanted of a character."""
        widths = self.model.sites
        columns: Columns = {site: (self.codings[site].dtype, n) for site, n in widths.items() if site in sites}
        if predictions is True and not self.predicts:
            return columns
        if predictions:
            kinds = prediction_fields(len(self.text.vocabulary))
            columns.update((k, kinds[k]) for k in (kinds if predictions is True else predictions))
        return columns


@contextmanager
def _same_number_of_threads() -> Iterator[int]:
    """Give the number of threads of PyTorch, and restore it when the `with` block ends.

    A thread that sets its own number changes it for all threads that start afterwards.
    """
    n_threads = torch.get_num_threads()
    try:
        yield n_threads
    finally:
        torch.set_num_threads(n_threads)
