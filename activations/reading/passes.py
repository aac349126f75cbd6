"""One reading of a text by a model, or of a passage of it: from the turns of lanes to blocks."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.blocks import Block
from activations.errors import ActivationError
from activations.interventions import Intervention, Where
from activations.lane_differences import Values
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.reading.kept_states import KeptStates
from activations.reading.lane_reader import Reading
from activations.reading.position import Round
from activations.reading.protocol_reader import GuestReading
from activations.reading.slabs import Slabs
from activations.recordings import layout
from activations.recordings.codings import Coding
from activations.texts.lanes import Turn
from activations.texts.read_text import ReadText, Span
from activations.texts.selection import Selection
from activations.units import Site

Columns = dict[Site | str, tuple[np.dtype[Any], int | None]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """What all groups of lanes share while they read a text.

    Attributes:
        model: What reads.
        text: What is read.
        selection: The characters whose activations are wanted, in the order of reading.
        reader: Makes a reading of so many lanes.
        columns: The number type and width of everything that is wanted of a character.
        codings: Of the sites whose values are rounded by more than their number type.
        unbounded: The sites whose values may leave [-1, 1].
        slabs: Where the memory for it comes from.
        kept: States from which passages are read later.
        in_use: Held while the model reads.
        interventions: What is changed while it reads.
    """

    model: CharRNN | CharModel
    text: ReadText
    selection: Selection
    reader: Callable[[int], Reading | GuestReading]
    columns: Columns
    codings: Mapping[Site, Coding]
    unbounded: Collection[Site]
    slabs: Slabs
    kept: KeptStates
    in_use: AbstractContextManager[Any]
    interventions: Sequence[Intervention] = ()

    def rounds(
        self, turns: Iterable[list[Turn]], n_lanes: int, states: Values, *, group: int = 0, n_done: int = 0
    ) -> Iterator[Round]:
        """What some lanes find, round after round.

        Args:
            turns: What the lanes read at one time, again and again.
            n_lanes: How many lanes there are.
            states: (n_lanes, n_units) what they begin with, for each site of the state; none is zero.
            group: Their number.
            n_done: Rounds that are left out, after which they have these states.
        """
        with self.in_use:
            reading = self.reader(n_lanes)
        reading.restore(states)
        for number, now in enumerate(turns):
            if number >= n_done:
                with self.in_use:
                    done = self._round(reading, now, group, number)
                yield done
                del done  # its memory is wanted

    @torch.inference_mode()
    def _round(self, reading: Reading | GuestReading, turns: Sequence[Turn], group: int, number: int) -> Round:
        reading.narrow(len(turns))
        if beginning := [lane for lane, turn in enumerate(turns) if turn.is_first]:
            reading.reset(*beginning)
        states = reading.states
        self.kept.keep(turns, states)
        meetings = [
            (turn.start, _lane(states, lane))
            for lane, turn in enumerate(turns)
            if turn.piece.follows and turn.start == turn.piece.start
        ]
        lanes = np.flatnonzero([turn.is_kept and turn.stop > self.selection.start for turn in turns])
        kept = range(lanes[0], lanes[-1] + 1) if len(lanes) else range(0)
        spans = [self.text.span(turn.start, turn.stop) for turn in turns]
        ids, following, begins = self._tokens(spans)
        has_short_warm_up = any(
            not turn.is_kept and span.n_read < len(ids) for turn, span in zip(turns, spans, strict=True)
        )
        is_equal = self.text.rows is None and not self.text.is_backwards and not has_short_warm_up
        warm = np.array([turn.is_kept and (not is_equal or turn.n_chars == len(ids)) for turn in turns])  # no padding
        values = {
            key: self.slabs.take((len(kept), len(ids)) + (() if width is None else (width,)), dtype)
            for key, (dtype, width) in self.columns.items()
        }
        n_wanted = max(self._n_wanted(turn, span) for turn, span in zip(turns, spans, strict=True))
        where = self._where(spans) if self.interventions else None
        if is_equal:
            reading.read(ids, following, kept, values, n_wanted, begins=begins, where=where)
        else:
            n_own = [span.n_own for span in spans]
            _read_unequal(reading, ids, following, kept, values, n_wanted, begins=begins, where=where, n_own=n_own)
        states = reading.states
        meetings += [
            (turn.stop, _lane(states, lane))
            for lane, turn in enumerate(turns)
            if turn.piece.goes_on and turn.stop == turn.piece.stop
        ]
        blocks = [
            block
            for lane in lanes.tolist()
            if (
                block := self._block(
                    turns[lane], spans[lane], {key: array[lane - kept.start] for key, array in values.items()}
                )
            )
        ]
        return Round(group, number, tuple(blocks), states, warm, tuple(meetings))

    def _n_wanted(self, turn: Turn, span: Span) -> int:
        """How many of the tokens of a turn the selected characters need."""
        stop = self.selection.stop
        if stop >= turn.stop:
            return span.n_read
        return self.text.span(turn.start, max(stop, turn.start + 1)).n_read

    def _tokens(self, spans: Sequence[Span]) -> tuple[Tensor, Tensor, Tensor]:
        """(n_steps, n_lanes) of each turn the tokens, those that follow them, and where other documents begin.

        Of the last token of a document, what follows is -1. The third is bool, at the first tokens of all documents of
        a turn but the first.
        """
        shape = (max(span.n_read for span in spans), len(spans))
        ids, following = np.zeros(shape, np.int64), np.full(shape, -1)
        begins = np.zeros(shape, bool)
        for lane, (start, _, n_read) in enumerate(spans):
            read = self.text.ids(start, start + n_read + 1)
            ids[:n_read, lane] = read[:n_read]
            following[: len(read) - 1, lane] = read[1:]
            steps = self.text.read.starts_within(start + 1, start + n_read + 1) - start
            following[steps - 1, lane] = -1
            begins[steps[steps < n_read], lane] = True
        return torch.from_numpy(ids), torch.from_numpy(following), torch.from_numpy(begins)

    def _where(self, spans: Sequence[Span]) -> Where:
        """(n_steps, n_lanes) what the lanes read, see `Where`."""
        positions = np.full((max(span.n_read for span in spans), len(spans)), -1)
        for lane, span in enumerate(spans):
            positions[: span.n_read, lane] = self.text.places(span.start, span.start + span.n_read)
        documents = np.maximum(np.searchsorted(self.text.starts, positions, side="right") - 1, 0)
        return Where(torch.from_numpy(documents), torch.from_numpy(positions))

    def _block(self, turn: Turn, span: Span, values: Mapping[Site | str, NDArray[Any]]) -> Block | None:
        """The selected characters of a turn, of whose values there is one more axis than of a character's."""
        first, stop, every = self.selection.first(turn.start), min(turn.stop, self.selection.stop), self.selection.every
        if first >= stop:
            return None
        if self.text.rows is None:
            rows = slice(first - turn.start, stop - turn.start, every)
            found = {key: array[rows] for key, array in values.items()}
        else:
            found = self._at_characters(turn, span, values, range(first, stop, every))
        if self.text.is_backwards:
            first = self.text.place(range(first, stop, every)[-1])
            found = {key: array[::-1] for key, array in found.items()}
        kept = {key: array for key, array in found.items() if isinstance(key, Site)}
        for site, coding in self.codings.items():
            coding.check(str(site), kept[site])
            kept[site] = coding.rounded(kept[site])
        for site, array in kept.items():
            if array.dtype == np.float16 and site in self.unbounded and np.isinf(array).any():
                raise ActivationError(
                    f"{site} goes beyond {np.finfo(np.float16).max:,.0f}, the largest float16; keep what may grow in "
                    "float32 (--dtype auto)"
                )
        return Block(first, kept, {key: array for key, array in found.items() if isinstance(key, str)}, every)

    def _at_characters(
        self, turn: Turn, span: Span, values: Mapping[Site | str, NDArray[Any]], places: range
    ) -> dict[Site | str, NDArray[Any]]:
        """What is found after the last token of each of some characters, and the losses of those that follow them."""
        rows = self.text.rows_of(places) - span.start
        found = {key: array[rows] for key, array in values.items()}
        if layout.LOG_PROB in values:
            told = values[layout.LOG_PROB][: span.n_read].astype(np.float64)
            told[self.text.read.starts_within(span.start + 1, span.start + span.n_read + 1) - span.start - 1] = 0
            total = np.append(0.0, np.cumsum(told))
            ends = self.text.rows_of(range(turn.start, min(turn.stop + 1, len(self.text.corpus)))) - span.start
            sums = np.append(np.diff(total[np.minimum(ends, span.n_read)]), np.nan)[np.array(places) - turn.start]
            sums[self.text.corpus.is_last(slice(places.start, places[-1] + 1, places.step))] = np.nan
            found[layout.LOG_PROB] = sums.astype(np.float32)
        return found


def _read_unequal(
    reading: Reading | GuestReading,
    ids: Tensor,
    following: Tensor,
    kept: range,
    into: Mapping[Site | str, NDArray[Any]],
    n_wanted: int,
    *,
    begins: Tensor,
    where: Where | None,
    n_own: Sequence[int],
) -> None:
    """Let lanes read different numbers of tokens: in the end, each has the state that it had after its own.

    Args:
        reading: The lanes.
        ids: (n_steps, n_lanes) tokens; see `Reading.read`, as for all that is not said here.
        following: The tokens behind them.
        kept: The lanes whose activations are wanted.
        into: What is wanted.
        n_wanted: How many of the steps to read.
        begins: Where other documents begin.
        where: What is read, for interventions.
        n_own: (n_lanes,) after how many tokens each lane goes on the next time.
    """
    after = reading.states
    lanes_by_stop = {stop: np.flatnonzero(np.array(n_own) == stop) for stop in sorted({0, *n_own, len(ids)})}
    for start, stop in pairwise(lanes_by_stop):
        if start < n_wanted:
            part = {key: array[:, start:stop] for key, array in into.items()}
            reading.read(
                ids[start:stop],
                following[start:stop],
                kept,
                part,
                min(n_wanted, stop) - start,
                begins=begins[start:stop],
                where=None if where is None else Where(*(each[start:stop] for each in where)),
            )
            states = reading.states
            for site, values in states.items():
                if values.shape != after[site].shape:
                    raise ActivationError(
                        f"the model's state {site} changes its shape while it reads, so that lanes cannot read "
                        "different numbers of characters; read it with --lanes 1"
                    )
                after[site][lanes_by_stop[stop]] = values[lanes_by_stop[stop]]
    reading.restore(after)


def _lane(states: Values, lane: int) -> Values:
    return {site: values[lane] for site, values in states.items()}
