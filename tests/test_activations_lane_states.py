"""States of any form: reset, narrowed, kept and restored as if each lane had been alone."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from activations.errors import ActivationError
from activations.models.lane_states import LaneStates
from activations.units import Site

HIDDEN = Site("0/hidden")


def tensors(n: int) -> Any:
    return {HIDDEN: torch.zeros(n, 3), "seen so far": [torch.zeros(n, 2, 2, dtype=torch.int64), None]}


def arrays(n: int) -> Any:
    return (np.zeros(n, np.int32), np.zeros((n, 4), np.float16))


def numbers(n: int) -> Any:
    return (0, np.zeros((2, 5), np.float32), {"open": False, "since": 0.0})


def one(n: int) -> Any:
    return torch.zeros(n, 1, dtype=torch.bfloat16)


FORMS = [tensors, arrays, numbers, one]


def stepped(nest: Any, by: Any) -> Any:
    """What a model might make of it: everything grows by a number of each lane."""
    if isinstance(nest, dict):
        return {key: stepped(each, by) for key, each in nest.items()}
    if isinstance(nest, tuple | list):
        return type(nest)(stepped(each, by) for each in nest)
    if nest is None:
        return None
    if isinstance(nest, torch.Tensor):
        return (nest + torch.tensor(by).reshape(-1, *[1] * (nest.ndim - 1))).to(nest.dtype)
    if isinstance(nest, np.ndarray):
        return (nest + (np.array(by).reshape(-1, *[1] * (nest.ndim - 1)) if len(by) > 1 else by[0])).astype(nest.dtype)
    return type(nest)(nest + by[0])


def step(states: LaneStates, by: list[int]) -> None:
    states.replace([stepped(nest, by[lanes]) for lanes, nest in states.groups()])


@given(form=st.sampled_from(FORMS), n_lanes=st.integers(2, 6), data=st.data())
def test_lanes_do_not_see_each_other(form: Callable[[int], Any], n_lanes: int, data: st.DataObject) -> None:
    states, alone = LaneStates(form, n_lanes), [LaneStates(form, 1) for _ in range(n_lanes)]
    for _ in range(data.draw(st.integers(1, 6))):
        match data.draw(st.sampled_from(["step", "reset", "narrow", "restore"])):
            case "step":
                by = data.draw(st.lists(st.integers(0, 9), min_size=len(alone), max_size=len(alone)))
                step(states, by)
                for own, n in zip(alone, by, strict=True):
                    step(own, [n])
            case "reset":
                lane = data.draw(st.integers(0, len(alone) - 1))
                states.reset(lane)
                alone[lane].reset(0)
            case "narrow":
                n_left = data.draw(st.integers(1, len(alone)))
                states.narrow(n_left)
                del alone[n_left:]
            case "restore":
                kept = states.values
                step(states, [1] * len(alone))
                states.restore(kept)
    assert states.n_lanes == len(alone)
    assert states.is_batched == (form is not numbers)
    values = states.values
    for site, found in values.items():
        np.testing.assert_array_equal(found, np.concatenate([own.values[site] for own in alone]))


def test_what_stands_where_is_named() -> None:
    assert [str(site) for site in LaneStates(tensors, 2).values] == ["0/hidden", "state/seen_so_far/0"]
    assert [str(site) for site in LaneStates(numbers, 2).values] == [
        "state/0", "state/1", "state/2/open", "state/2/since",
    ]  # fmt: skip


def test_a_restored_state_has_the_form_that_the_model_gave_it() -> None:
    states = LaneStates(numbers, 2)
    step(states, [3, 4])
    states.restore(states.values)
    count, seen, rest = states.nests[1]
    assert type(count) is int and count == 4
    assert seen.dtype == np.float32 and seen.shape == (2, 5)
    assert type(rest["open"]) is bool and type(rest["since"]) is float


def test_what_cannot_be_a_state_is_told() -> None:
    with pytest.raises(ActivationError, match="has a str at state/0"):
        LaneStates(lambda n: ("a",), 2)
    with pytest.raises(ActivationError, match="is empty"):
        LaneStates(lambda n: (), 2)
    states = LaneStates(arrays, 2)
    with pytest.raises(ActivationError, match=r"began with state/0, state/1"):
        states.replace([(np.zeros(2, np.int32),)])
    with pytest.raises(ActivationError, match="state/0 began as int32 and is int64"):
        states.replace([(np.zeros(2, np.int64), np.zeros((2, 4), np.float16))])
    with pytest.raises(ActivationError, match=r"state/0 of shape \(3,\)"):
        states.replace([(np.zeros(3, np.int32), np.zeros((2, 4), np.float16))])


def growing(n: int) -> Any:
    return (torch.zeros(n, 0),)


def test_all_lanes_may_begin_anew_whatever_their_state_has_grown_to() -> None:
    for n_lanes in (1, 3):
        states = LaneStates(growing, n_lanes)
        states.replace([(torch.ones(n_lanes, 5),)])
        states.reset(*range(n_lanes))
        assert states.nests[0][0].shape == (n_lanes, 0)
    states.replace([(torch.ones(3, 5),)])
    with pytest.raises(ActivationError, match="changes its shape while it reads"):
        states.reset(1)


def test_a_part_of_a_state_may_have_any_key() -> None:
    states = LaneStates(lambda n: {"..": torch.zeros(n), "x": {".": np.zeros(n), "a/b": np.zeros(n)}}, 2)
    with pytest.raises(ActivationError, match="two things that are named state/_"):
        LaneStates(lambda n: {".": torch.zeros(n), "_": torch.zeros(n)}, 2)
    assert states.n_lanes == 2
