"""What a model of one's own must be able to do to be read."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from torch import Tensor

from activations.texts.vocab import Vocabulary
from activations.units import Site

State = Any
"""Tuples, lists and dictionaries around arrays and numbers, as the model likes; see `lane_states`."""


@runtime_checkable
class CharModel(Protocol):
    """Any object that reads characters and shows what it did.

    A stretch of time is (n_steps, n_lanes): rows are lanes side by side, which do not see each other. The results may
    not depend on where one stretch ends and the next begins.

    If it has an attribute `unbounded`, that is the sites whose values may leave [-1, 1]; they are kept in float32, the
    others in float16 unless they saturate. Without it all are kept in float32. An attribute `carried` says in the same
    way which sites pass from one character to the next, and `reading_rule` what it reads in place of a text as it
    stands.
    """

    @property
    def vocabulary(self) -> Vocabulary:
        """The characters that it knows."""

    @property
    def sites(self) -> Mapping[Site, int]:
        """What it shows of each character, in the order in which it is listed, and how many units that has."""

    def start(self, n_lanes: int) -> State:
        """The state before the first character: all that passes from one character to the next.

        If every array in it has lanes as its first axis, `read` is called for all lanes at once; otherwise for each
        lane by itself, with the state of one.
        """

    def read(self, ids: Tensor, state: State) -> tuple[Tensor, Mapping[Site, Tensor], State]:
        """Read on.

        Args:
            ids: (n_steps, n_lanes) int64 characters.
            state: After the last character before them. Not to be changed.

        Returns:
            (n_steps, n_lanes, n_characters) logits of the character that follows each; every site's values after each
            character, (n_steps, n_lanes, n_units); and the state after the last, of the form of the one before.
        """
