"""One reading of a text by a model, or of a passage of it: from the turns of lanes to blocks."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.blocks import Block
from activations.errors import ActivationError
from activations.interventions import Intervention, LanePositions
from activations.lane_differences import States
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.predictions import LOG_PROB
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.lanes.kept_states import KeptStates
from activations.reading.lanes.lane_reader import Arrays, LaneReader, ReadOptions, Weights
from activations.reading.lanes.memory_pool import MemoryPool
from activations.reading.lanes.protocol_reader import ProtocolReader
from activations.reading.lanes.reading_state import Round
from activations.recordings.format.codings import Coding
from activations.texts.lanes import Turn
from activations.texts.selection import Selection
from activations.texts.tokenising import Span, TokenisedText
from activations.units import Site

Columns = dict[Site | str, tuple[np.dtype[Any], int | None]]
"""The dtype and the width of each site and kind of prediction; a width of None is one number per character."""


class _Tokens(NamedTuple):
    """The tokens of a turn of all lanes.

    Attributes:
        ids: (n_steps, n_lanes) int64, the tokens; 0 behind the last token of a lane.
        following: (n_steps, n_lanes) int64, the tokens that follow; -1 behind the last token of a document.
        begins: (n_steps, n_lanes) bool, the first tokens of all documents of a lane's turn but the first document.
    """

    ids: Tensor
    following: Tensor
    begins: Tensor


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """A reading of a text, or of a part of it, as all groups of lanes share it.

    Attributes:
        model: The model.
        text: The text, as it is read.
        selection: The characters whose activations are wanted, in the order of reading.
        new_reader: Makes a reader of some number of lanes.
        columns: The dtype and the width of everything that is wanted of a character.
        quantised: The codings of sites whose values are quantised by more than their dtype.
        unbounded: The sites whose values may leave [-1, 1].
        memory: The pool that the memory for blocks comes from.
        kept_states: Where states are kept from which passages can be read later.
        in_use: Held while the model reads.
        interventions: Changes of values while the model reads.
    """

    model: CharRNN | CharModel
    text: TokenisedText
    selection: Selection
    new_reader: Callable[[int], LaneReader | ProtocolReader]
    columns: Columns
    quantised: Mapping[Site, Coding]
    unbounded: Collection[Site]
    memory: MemoryPool
    kept_states: KeptStates
    in_use: AbstractContextManager[Any]
    interventions: Sequence[Intervention] = ()

    def rounds(
        self, turns: Iterable[list[Turn]], n_lanes: int, states: States, *, group: int = 0, n_done: int = 0
    ) -> Iterator[Round]:
        """Let some lanes read, round after round.

        Args:
            turns: The turns that the lanes read at one time, for each round.
            n_lanes: Number of lanes.
            states: (n_lanes, n_units) the states with which they begin, for each site; empty is zero.
            group: The number of this group of lanes.
            n_done: Number of rounds to leave out, those after which the lanes have these states.
        """
        with self.in_use:
            reader = self.new_reader(n_lanes)
        reader.restore(states)
        for number, of_round in enumerate(turns):
            if number >= n_done:
                with self.in_use:
                    finished = self._round(reader, of_round, group, number)
                yield finished
                del finished  # so that its memory can be used again

    @torch.inference_mode()
    def _round(self, reader: LaneReader | ProtocolReader, turns: Sequence[Turn], group: int, number: int) -> Round:
        reader.narrow(len(turns))
        if first_turns := [lane for lane, turn in enumerate(turns) if turn.is_first]:
            reader.reset(*first_turns)
        states = reader.states
        self.kept_states.keep(turns, states)
        meetings = [
            (turn.start, _of_lane(states, lane))
            for lane, turn in enumerate(turns)
            if turn.piece.follows and turn.start == turn.piece.start
        ]
        spans = [self.text.span(turn.start, turn.stop) for turn in turns]
        n_steps = max(span.n_read for span in spans)
        has_short_warm_up = any(
            not turn.is_kept and span.n_read < n_steps for turn, span in zip(turns, spans, strict=True)
        )
        is_equal = self.text.last_tokens is None and not self.text.is_backwards and not has_short_warm_up
        wanted = np.flatnonzero([turn.is_kept and turn.stop > self.selection.start for turn in turns]).tolist()
        lanes = range(wanted[0], wanted[-1] + 1) if wanted else range(0)
        values = self._read(reader, turns, spans, lanes, is_equal=is_equal)
        states = reader.states
        meetings += [
            (turn.stop, _of_lane(states, lane))
            for lane, turn in enumerate(turns)
            if turn.piece.goes_on and turn.stop == turn.piece.stop
        ]
        blocks = [
            self._block(turns[lane], spans[lane], {key: array[lane - lanes.start] for key, array in values.items()})
            for lane in wanted
        ]
        warm = np.array([turn.is_kept and (not is_equal or turn.n_chars == n_steps) for turn in turns])  # no padding
        return Round(group, number, tuple(filter(None, blocks)), states, warm, tuple(meetings))

    def _read(
        self,
        reader: LaneReader | ProtocolReader,
        turns: Sequence[Turn],
        spans: Sequence[Span],
        lanes: range,
        *,
        is_equal: bool,
    ) -> dict[Site | str, NDArray[Any]]:
        """Let all lanes read their turns, and return (n_lanes, n_steps, ...) everything that is wanted.

        Args:
            reader: The lanes.
            turns: Their turns.
            spans: The tokens of each turn.
            lanes: The lanes whose activations are wanted.
            is_equal: Whether all lanes may read on to the end of the longest turn.
        """
        tokens = self._tokens(spans)
        values = {
            key: self.memory.empty((len(lanes), len(tokens.ids)) + (() if width is None else (width,)), dtype)
            for key, (dtype, width) in self.columns.items()
        }
        options = ReadOptions(
            lanes=lanes,
            n_wanted=max(self._n_wanted(turn, span) for turn, span in zip(turns, spans, strict=True)),
            begins=tokens.begins,
            where=self._where(spans) if self.interventions else None,
        )
        if is_equal:
            reader.read(tokens.ids, tokens.following, values, options)
        else:
            _read_unequal(reader, tokens, values, options, [span.n_own for span in spans])
        return values

    def _n_wanted(self, turn: Turn, span: Span) -> int:
        """Count the tokens of a turn that the selected characters need."""
        stop = self.selection.stop
        if stop >= turn.stop:
            return span.n_read
        return self.text.span(turn.start, max(stop, turn.start + 1)).n_read

    def _tokens(self, spans: Sequence[Span]) -> _Tokens:
        shape = (max(span.n_read for span in spans), len(spans))
        ids, following = np.zeros(shape, np.int64), np.full(shape, -1)
        begins = np.zeros(shape, bool)
        for lane, (start, _, n_read) in enumerate(spans):
            tokens = self.text.ids(start, start + n_read + 1)
            ids[:n_read, lane] = tokens[:n_read]
            following[: len(tokens) - 1, lane] = tokens[1:]
            steps = self.text.token_corpus.starts_within(start + 1, start + n_read + 1) - start
            following[steps - 1, lane] = -1
            begins[steps[steps < n_read], lane] = True
        return _Tokens(torch.from_numpy(ids), torch.from_numpy(following), torch.from_numpy(begins))

    def _where(self, spans: Sequence[Span]) -> LanePositions:
        """(n_steps, n_lanes) what the lanes read."""
        positions = np.full((max(span.n_read for span in spans), len(spans)), -1)
        for lane, span in enumerate(spans):
            positions[: span.n_read, lane] = self.text.positions(span.start, span.start + span.n_read)
        documents = np.maximum(np.searchsorted(self.text.starts, positions, side="right") - 1, 0)
        return LanePositions(torch.from_numpy(documents), torch.from_numpy(positions))

    def _block(self, turn: Turn, span: Span, values: Arrays) -> Block | None:
        """Make a block of the selected characters of a turn; None if there are none.

        Args:
            turn: The turn.
            span: Its tokens.
            values: (n_steps, ...) everything that is wanted, for the lane of the turn.
        """
        first, stop, every = self.selection.first(turn.start), min(turn.stop, self.selection.stop), self.selection.every
        if first >= stop:
            return None
        if self.text.last_tokens is None:
            rows = slice(first - turn.start, stop - turn.start, every)
            selected = {key: array[rows] for key, array in values.items()}
        else:
            selected = self._at_characters(turn, span, values, range(first, stop, every))
        if self.text.is_backwards:
            first = self.text.mirrored_position(range(first, stop, every)[-1])
            selected = {key: array[::-1] for key, array in selected.items()}
        by_site = {key: array for key, array in selected.items() if isinstance(key, Site)}
        for site, coding in self.quantised.items():
            coding.check(str(site), by_site[site])
            by_site[site] = coding.quantised(by_site[site])
        for site, array in by_site.items():
            if array.dtype == np.float16 and site in self.unbounded and np.isinf(array).any():
                raise ActivationError(
                    f"{site} goes beyond {np.finfo(np.float16).max:,.0f}, the largest float16; keep unbounded sites "
                    "in float32 (--dtype auto)"
                )
        return Block(first, by_site, {key: array for key, array in selected.items() if isinstance(key, str)}, every)

    def _at_characters(
        self, turn: Turn, span: Span, values: Arrays, positions: range
    ) -> dict[Site | str, NDArray[Any]]:
        """Take the values after the last token of each of some characters, and sum the log probabilities of tokens.

        The log probability that belongs to a character is that of all tokens of the next one.
        """
        rows = self.text.last_tokens_of(positions) - span.start
        selected = {key: array[rows] for key, array in values.items()}
        if LOG_PROB in values:
            log_probs = values[LOG_PROB][: span.n_read].astype(np.float64)
            starts = self.text.token_corpus.starts_within(span.start + 1, span.start + span.n_read + 1)
            log_probs[starts - span.start - 1] = 0
            total = np.append(0.0, np.cumsum(log_probs))
            ends = self.text.last_tokens_of(range(turn.start, min(turn.stop + 1, len(self.text.corpus)))) - span.start
            sums = np.append(np.diff(total[np.minimum(ends, span.n_read)]), np.nan)[np.array(positions) - turn.start]
            sums[self.text.corpus.is_last(slice(positions.start, positions[-1] + 1, positions.step))] = np.nan
            selected[LOG_PROB] = sums.astype(np.float32)
        return selected


def reader_maker(
    model: CharRNN | CharModel,
    compute: ComputeOptions,
    *,
    single_lane: bool,
    interventions: Sequence[Intervention],
) -> Callable[[int], LaneReader | ProtocolReader]:
    """Return what makes readers of some number of lanes, all of one model.

    Args:
        model: The model.
        compute: Device, precision and dtype.
        single_lane: Whether a single lane is read by compiled loops.
        interventions: Changes of values while the model reads.
    """
    if isinstance(model, CharRNN):
        return partial(LaneReader, Weights(model, compute, single_lane=single_lane, interventions=interventions))
    return partial(ProtocolReader, model)


def _read_unequal(
    reader: LaneReader | ProtocolReader,
    tokens: _Tokens,
    into: Arrays,
    options: ReadOptions,
    n_own: Sequence[int],
) -> None:
    """Let lanes read different numbers of tokens: in the end, each has the state that it had after its own.

    Args:
        reader: The lanes.
        tokens: What they read.
        into: See `LaneReader.read`.
        options: See `LaneReader.read`; `n_wanted` is a number.
        n_own: (n_lanes,) after how many tokens each lane goes on the next time.
    """
    n_wanted = len(tokens.ids) if options.n_wanted is None else options.n_wanted
    after = reader.states
    lanes_by_stop = {stop: np.flatnonzero(np.array(n_own) == stop) for stop in sorted({0, *n_own, len(tokens.ids)})}
    for start, stop in pairwise(lanes_by_stop):
        if start < n_wanted:
            reader.read(
                tokens.ids[start:stop],
                tokens.following[start:stop],
                {key: array[:, start:stop] for key, array in into.items()},
                options.part(start, stop),
            )
            states = reader.states
            for site, values in states.items():
                if values.shape != after[site].shape:
                    raise ActivationError(
                        f"the model's state {site} changes its shape while it reads, so that lanes cannot read "
                        "different numbers of characters; read it with --lanes 1"
                    )
                after[site][lanes_by_stop[stop]] = values[lanes_by_stop[stop]]
    reader.restore(after)


def _of_lane(states: States, lane: int) -> States:
    return {site: values[lane] for site, values in states.items()}
