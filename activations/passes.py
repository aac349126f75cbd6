"""One reading of a text by a model, or of a passage of it: from the turns of lanes to blocks."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations.blocks import Block
from activations.borders import Values
from activations.codings import Coding
from activations.corpus import Corpus
from activations.errors import ActivationError
from activations.guests import GuestReading
from activations.interventions import Intervention, Where
from activations.kept_states import KeptStates
from activations.lanes import Turn
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.identity import unbounded
from activations.position import Round
from activations.reading import Reading
from activations.selection import Selection
from activations.slabs import Slabs
from activations.units import Site

Columns = dict[Site | str, tuple[np.dtype[Any], int | None]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pass:
    """What all groups of lanes share while they read a text.

    Attributes:
        model: What reads.
        corpus: What is read.
        selection: The characters whose activations are wanted.
        reader: Makes a reading of so many lanes.
        columns: The number type and width of everything that is wanted of a character.
        codings: Of the sites whose values are rounded by more than their number type.
        slabs: Where the memory for it comes from.
        kept: States from which passages are read later.
        in_use: Held while the model reads.
        interventions: What is changed while it reads.
    """

    model: CharRNN | CharModel
    corpus: Corpus
    selection: Selection
    reader: Callable[[int], Reading | GuestReading]
    columns: Columns
    codings: Mapping[Site, Coding]
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
        ids, following, begins = self._characters(turns)
        warm = np.array([turn.is_kept and turn.n_chars == len(ids) for turn in turns])  # and has read no padding
        values = {
            key: self.slabs.take((len(kept), len(ids)) + (() if width is None else (width,)), dtype)
            for key, (dtype, width) in self.columns.items()
        }
        n_wanted = max(
            min(turn.stop, self.selection.stop) - turn.start + offset
            for turn, offset in zip(turns, _offsets(turns), strict=True)
        )
        if self.interventions and isinstance(reading, Reading):
            where = self._where(turns, len(ids))
            reading.read(ids, following, kept, values, n_wanted, begins=begins, where=where)
        else:
            reading.read(ids, following, kept, values, n_wanted, begins=begins)
        states = reading.states
        meetings += [
            (turn.stop, _lane(states, lane))
            for lane, turn in enumerate(turns)
            if turn.piece.goes_on and turn.stop == turn.piece.stop
        ]
        blocks = [
            block
            for lane in lanes.tolist()
            if (block := self._block(turns[lane], {key: array[lane - kept.start] for key, array in values.items()}))
        ]
        return Round(group, number, tuple(blocks), states, warm, tuple(meetings))

    def _characters(self, turns: Sequence[Turn]) -> tuple[Tensor, Tensor, Tensor]:
        """(n_steps, n_lanes) of each turn the characters, those that follow them, and where other documents begin.

        Of the last character of a document, what follows is -1. The third is bool, at the first characters of all
        documents of a turn but the first, and where a lane begins that waits for the others, see `_offsets`.
        """
        shape = (max(turn.n_chars for turn in turns), len(turns))
        ids, following = np.zeros(shape, np.int64), np.full(shape, -1)
        begins = np.zeros(shape, bool)
        for lane, (turn, offset) in enumerate(zip(turns, _offsets(turns), strict=True)):
            read = self.model.vocabulary.look_up(self.corpus.codes[turn.start : turn.stop + 1])
            ids[offset : offset + turn.n_chars, lane] = read[: turn.n_chars]
            following[offset : offset + len(read) - 1, lane] = read[1:]
            steps = self.corpus.starts_within(turn.start + 1, turn.stop + 1) - turn.start
            following[offset + steps - 1, lane] = -1
            begins[offset + steps[steps < turn.n_chars], lane] = True
            begins[offset, lane] |= offset > 0
        return torch.from_numpy(ids), torch.from_numpy(following), torch.from_numpy(begins)

    def _where(self, turns: Sequence[Turn], n_steps: int) -> Where:
        """(n_steps, n_lanes) what the lanes read, see `Where`."""
        starts = np.array([turn.start for turn in turns])
        positions = np.arange(n_steps)[:, None] + starts - np.array(_offsets(turns))
        documents = np.searchsorted(self.corpus.starts, positions.clip(0), side="right") - 1
        positions[(positions < starts) | (positions >= np.array([turn.stop for turn in turns]))] = -1
        return Where(torch.from_numpy(documents), torch.from_numpy(positions))

    def _block(self, turn: Turn, values: Mapping[Site | str, NDArray[Any]]) -> Block | None:
        """The selected characters of a turn, of whose values there is one more axis than of a character's."""
        first, stop = self.selection.first(turn.start), min(turn.stop, self.selection.stop)
        if first >= stop:
            return None
        rows = slice(first - turn.start, stop - turn.start, self.selection.every)
        kept = {key: array[rows] for key, array in values.items() if isinstance(key, Site)}
        for site, coding in self.codings.items():
            coding.check(str(site), kept[site])
            kept[site] = coding.rounded(kept[site])
        for site, array in kept.items():
            if array.dtype == np.float16 and site in unbounded(self.model) and np.isinf(array).any():
                raise ActivationError(
                    f"{site} goes beyond {np.finfo(np.float16).max:,.0f}, the largest float16; keep what may grow in "
                    "float32 (--dtype auto)"
                )
        return Block(
            first,
            kept,
            {key: array[rows] for key, array in values.items() if isinstance(key, str)},
            self.selection.every,
        )


def _offsets(turns: Sequence[Turn]) -> list[int]:
    """The step with which each lane begins: a short first turn of a warm-up ends with the turns of the other lanes.

    What a lane reads after its turn would otherwise be in the state with which it goes on.
    """
    n_steps = max(turn.n_chars for turn in turns)
    return [n_steps - turn.n_chars if turn.is_first and not turn.is_kept else 0 for turn in turns]


def _lane(states: Values, lane: int) -> Values:
    return {site: values[lane] for site, values in states.items()}
