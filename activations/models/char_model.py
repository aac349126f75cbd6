"""The protocol that any model must meet to be read: `CharModel`."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from activations.texts.vocab import Vocabulary
from activations.units import Site

State = Any
"""Nested tuples, lists and dictionaries of arrays and numbers, in any form that the model likes; see `lane_states`."""


@runtime_checkable
class CharModel(Protocol):
    """A protocol model: any object that reads characters and shows the values of its sites.

    Characters come as (n_steps, n_lanes): lanes are independent texts side by side. The results may not depend on how
    the characters are divided among calls.

    Three attributes are optional. `unbounded` has the sites whose values may leave [-1, 1]: these are recorded in
    float32, the others in float16 unless they saturate; without the attribute all are recorded in float32. `carried`
    has the sites that are carried from one character to the next. `reading_rule` says what the model reads in place of
    the text as it stands.
    """

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters that the model knows."""

    @property
    def sites(self) -> Mapping[Site, int]:
        """Number of units of every site, in the order in which sites are to be listed."""

    def start(self, n_lanes: int) -> State:
        """Return the state before the first character: everything that is carried from one character to the next.

        If the first axis of every array in it is lanes, `read` is called for all lanes at once; otherwise it is called
        for each lane separately, with a state of `start(1)`.
        """

    def read(self, ids: Tensor, state: State) -> tuple[Tensor | None, Mapping[Site, Tensor], State]:
        """Read characters, starting from a state.

        Args:
            ids: (n_steps, n_lanes) int64 characters.
            state: The state after the previous character. Must not be modified.

        Returns:
            (n_steps, n_lanes, n_characters) logits of the character after each, or always None from a model that
            predicts no characters, such as an encoder or a classifier; the values of every site after each character,
            (n_steps, n_lanes, n_units); and the state after the last one, in the form of the given state.
        """
