"""Rows that are not characters: tokens of several characters, which a model read through a window."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from activations.errors import ActivationError
from activations.texts.corpus import Document


class TokenRows(NamedTuple):
    """Tokens of several characters that a model read through a window, a row for each.

    Attributes:
        starts: (n_rows,) the position in the corpus of the first character of each token, ascending.
        ends: (n_rows,) one past the position of its last character, ascending.
        window: The largest number of tokens that the model saw at one time; None is no limit.
        stride: By how many tokens the window moved on; None if it did not.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    window: int | None = None
    stride: int | None = None

    @property
    def n_rows(self) -> int:
        """Number of tokens, which are rows."""
        return len(self.starts)

    def documents_in_rows(self, documents: tuple[Document, ...]) -> tuple[Document, ...]:
        """Return documents whose positions are rows instead of characters; those without rows are left out.

        Raises:
            ActivationError: If a token has no character, lies beyond the text or crosses a document's end, or comes
                before the token in front of it.
        """
        stops = np.array([document.stop for document in documents])
        document_of = np.searchsorted(stops, self.starts, side="right")
        if (
            len(self.starts) != len(self.ends)
            or not len(self.starts)
            or (np.diff(self.starts) < 0).any()
            or (np.diff(self.ends) < 0).any()
            or (self.starts < 0).any()
            or (self.ends <= self.starts).any()
            or (document_of == len(stops)).any()
            or (self.ends > stops[np.minimum(document_of, len(stops) - 1)]).any()
        ):
            raise ActivationError(
                "tokens must have a first character and one past their last, within one document, in the order of the "
                "text"
            )
        firsts = np.flatnonzero(np.diff(document_of, prepend=-1))
        lengths = np.diff([*firsts, self.n_rows])
        pairs = zip(firsts.tolist(), lengths.tolist(), strict=True)
        return tuple(Document(documents[document_of[first]].name, first, n) for first, n in pairs)
