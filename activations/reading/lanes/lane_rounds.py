"""The rounds of a reading: which lanes read when, and in which thread."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from activations.blocks import Block
from activations.reading.lanes.lane_plan import LanePlan, Run, initial_states
from activations.reading.lanes.passes import Pass
from activations.reading.lanes.prefetching import prefetch
from activations.reading.lanes.reading_state import ReadingState, Round
from activations.texts.lanes import in_step, rounds


def all_rounds(
    reading: Pass, plan: LanePlan, state: ReadingState, *, single_lane: bool, on_cpu: bool
) -> Iterator[Round]:
    """Let the lanes read all their pieces, one round of each group of lanes after another.

    The next rounds are prefetched while these are used, except where all cores compute one group anyway.

    Args:
        reading: The reading.
        plan: The plan by which lanes share the text.
        state: The state to go on from, which has a place for each group.
        single_lane: Whether a single lane is read by compiled loops.
        on_cpu: Whether the processor computes the model.
    """
    lanes, n_groups = plan.lanes(), len(state.n_rounds)
    groups = [
        reading.rounds(
            rounds(of_group, plan.turn_chars),
            len(of_group),
            state.states[group],
            group=group,
            n_done=state.n_rounds[group],
        )
        for group in range(n_groups)
        if (of_group := lanes[group::n_groups])
    ]
    if n_groups == 1 and on_cpu and not single_lane:
        yield from groups[0]  # another thread would need OpenMP threads of its own
        return
    with _same_number_of_threads() as n_cores:
        n_threads = 1 if single_lane else max(1, n_cores // n_groups)
        yield from prefetch(groups, lambda: torch.set_num_threads(n_threads))


def passage_blocks(reading: Pass, runs: Sequence[Run], n_lanes: int) -> Iterator[Block]:
    """Read a passage in blocks.

    Args:
        reading: The reading of the passage.
        runs: What has to be read for it.
        n_lanes: How many of the runs are read at a time.
    """
    with _same_number_of_threads():
        for first in range(0, len(runs), n_lanes):
            together = runs[first : first + n_lanes]
            turns = in_step(iter(run.turns) for run in together)
            for done in reading.rounds(turns, len(together), initial_states(together)):
                yield from done.blocks


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
