"""Warnings about binary labels that are hardly right, or of which too few are True or False to learn anything.

A quotation mark that is never closed makes one enormous run of what should be many short ones. The limits were chosen
on 21 texts (`docs/looking_at_labels.md`): runs that are right, such as the longest comment of a package, are up to 6
times as long as the next longest; strings, brackets and backticks that a text opens in passing are often over 8 times
as long. Of runs of fewer than a thousand characters, proportions say little.
"""

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hypotheses.describing.summary import LabelCount, LabelSummary, summarise
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import LongLabels
from hypotheses.labels import Labels

FEWEST_CHARS = 20
"""Characters of either label below which there is a warning."""
MOST_OF_ONE_RUN = 0.95
"""Share of all True characters above which one run of them is a warning."""
SHORT_TEXT = 1_000
"""Characters of a text that is too short to be warned of."""
_LONG_RUN, _TIMES_NEXT = 2_000, 8  # characters, and times the next longest run: out of all proportion
_UNENDED_RUN, _TIMES_ENDED = 1_000, 3  # the same of a run to the end of its document, and of runs that end before
_BLOCK = 500  # characters; a long run has a whole block of them, wherever blocks begin
_CHUNK = 500 * _BLOCK


@dataclass(frozen=True, slots=True)
class LabelWarning:
    """A reason to look at the labels of a hypothesis; as a string, a sentence.

    Attributes:
        hypothesis: Its name.
        finding: What looks wrong, in a few words.
        position: The character at which to look.
        where: Where that is, for people.
    """

    hypothesis: str
    finding: str
    position: int
    where: str

    def __str__(self) -> str:
        command = command_that_shows(self.hypothesis, self.position)
        return f"{self.hypothesis} {self.finding}; {self.where}, which {command} shows"


def command_that_shows(hypothesis: str, position: int) -> str:
    """Return the command that shows the labels around a character."""
    return f"`probe hypotheses --show {shlex.quote(hypothesis)} --around {position} TEXT`"


def warnings_of(
    summary: LabelSummary, name: str, place: Callable[[int], str] = lambda position: f"character {position:,}"
) -> list[LabelWarning]:
    """Return at most one warning about the labels of a text, and none if they are not binary.

    Args:
        summary: The summary of the labels.
        name: What the labels are called.
        place: Returns where a character is, for people.
    """
    true, false = summary.count_of("True"), summary.count_of("False")
    if summary.kind != "binary" or summary.n_chars < SHORT_TEXT or true is None or false is None:
        return []
    for count in (true, false):
        if 0 < count.n_chars < FEWEST_CHARS and count.first is not None:
            characters = "1 character" if count.n_chars == 1 else f"{count.n_chars} characters"
            where = f"{'it' if count.n_chars == 1 else 'the first'} is {place(count.first)}"
            finding = f"is {count.label} at only {characters} of {summary.n_chars:,}"
            return [LabelWarning(name, finding, count.first, where)]
    start, finding = true.longest_run_start, _what_looks_wrong(true)
    if start is None or not finding:
        return []
    return [LabelWarning(name, finding, start, f"it begins at {place(start)}")]


def _what_looks_wrong(count: LabelCount) -> str:
    """Return why the longest run of True looks wrong; an empty string if it does not."""
    length = f"{count.longest_run:,} characters"
    if count.n_runs == 1:
        return f"is True in one run only, of {length}"
    if count.longest_run > MOST_OF_ONE_RUN * count.n_chars:
        share = 100 * count.longest_run / count.n_chars
        return f"has one run of {length}, {share:.1f} % of those where it is True"
    if count.is_unended and count.longest_run >= max(_UNENDED_RUN, _TIMES_ENDED * count.longest_ended_run):
        ended = f"{count.longest_ended_run:,}"
        return f"has a run of {length} that goes to the end of its document, and none of over {ended} that does not"
    if count.longest_run >= max(_LONG_RUN, _TIMES_NEXT * count.second_longest_run):
        return f"has a run of {length}, and no other of over {count.second_longest_run:,}"
    return ""


def find_warnings(
    labels: Labels | CorpusLabels | LongLabels,
    name: str,
    place: Callable[[int], str],
    *,
    document_starts: Sequence[int] | NDArray[np.int64],
    part: slice,
) -> list[LabelWarning]:
    """Return the warnings of labels, without summarising those that cannot have any; see `warnings_of` and `summarise`.

    Raises:
        OSError: If labels on the disk cannot be read.
    """
    if labels.kind != "binary" or not _may_warn(labels, *part.indices(len(labels))[:2]):
        return []
    return warnings_of(summarise(labels, document_starts=document_starts, part=part), name, place)


def _may_warn(labels: Labels | CorpusLabels | LongLabels, start: int, stop: int) -> bool:
    """Return False only if no run is long, and neither True nor False is rare."""
    n_true = n_false = 0
    for offset in range(start, stop, _CHUNK):
        chunk = labels[offset : min(offset + _CHUNK, stop)]
        is_true = chunk.values if chunk.missing is None else chunk.values & ~chunk.missing
        n_present = len(chunk) if chunk.missing is None else len(chunk) - int(np.count_nonzero(chunk.missing))
        n_true_here = int(np.count_nonzero(is_true))
        n_true, n_false = n_true + n_true_here, n_false + n_present - n_true_here
        blocks = is_true[: len(is_true) // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        if blocks.all(axis=1).any():
            return True
    return n_true * (1 - MOST_OF_ONE_RUN) < 2 * _BLOCK or n_false < FEWEST_CHARS
