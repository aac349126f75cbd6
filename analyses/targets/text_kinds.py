"""Whether a text is of the kind that a hypothesis is about, measured on a sample of it."""

import functools
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

from activations.texts.corpus import Corpus
from activations.texts.selection import Selection
from hypotheses.hypothesis import Hypothesis
from hypotheses.text_kinds.kinds import TextKind, reason_against

SAMPLE_CHARS = 1 << 16
"""At most so many characters of a text are measured."""

_N_PIECES = 16  # of the sample, evenly spread over the text

_reasons: "WeakKeyDictionary[Corpus, dict[tuple[Selection, tuple[TextKind, ...]], str]]" = WeakKeyDictionary()


def reasons_against(hypothesis: Hypothesis, corpus: Corpus, selection: Selection | None = None) -> dict[str, str]:
    """Return why the labels of a hypothesis mean nothing in a text.

    Args:
        hypothesis: The hypothesis; of a combination, every part is looked at.
        corpus: The text. A file whose name tells its kind is of this kind; it counts by its length.
        selection: The characters that are used; None is all of them.

    Returns:
        A clause such as "the text is not a program: …" by the name of each part that needs another kind of text; empty
        if it can be asked of this text.
    """
    used = selection or Selection.of(len(corpus))
    reasons = {name: _reason_against(kinds, corpus, used) for name, kinds in hypothesis.needs}
    return {name: reason for name, reason in reasons.items() if reason}


def doubts_about(hypothesis: Hypothesis, corpus: Corpus, selection: Selection | None = None) -> list[str]:
    """Return a warning for each part of a hypothesis whose labels mean nothing in a text; see `reasons_against`."""
    return [
        f"the labels of {name} may mean nothing here: {reason}"
        for name, reason in reasons_against(hypothesis, corpus, selection).items()
    ]


def sentence_of_reasons(reasons: Mapping[str, str]) -> str:
    """Return one sentence that says which hypotheses are left out, and why; empty if there is none.

    Args:
        reasons: Clauses by the names of the hypotheses; those with the same clause are named together.
    """
    names_by_reason: dict[str, list[str]] = {}
    for name, reason in reasons.items():
        names_by_reason.setdefault(reason, []).append(name)
    groups = (f"{', '.join(names)} ({reason})" for reason, names in names_by_reason.items())
    return f"left out: {'; '.join(groups)}" if reasons else ""


def _reason_against(kinds: Sequence[TextKind], corpus: Corpus, used: Selection) -> str:
    known = _reasons.setdefault(corpus, {})
    key = used, tuple(kinds)
    if key not in known:
        known[key] = "" if _most_is_named(kinds, corpus, used) else reason_against(kinds, _sample(corpus, used))
    return known[key]


def _most_is_named(kinds: Sequence[TextKind], corpus: Corpus, used: Selection) -> bool:
    """Tell whether half of the characters are in files whose names say that they are of one of these kinds."""
    is_named = functools.cache(lambda file_name: any(kind.has_name(file_name) for kind in kinds))
    n_named = sum(
        max(min(document.stop, used.stop) - max(document.start, used.start), 0)
        for document in corpus.documents
        if is_named(document.file_name)
    )
    return n_named > 0 and 2 * n_named >= used.stop - used.start


def _sample(corpus: Corpus, used: Selection) -> str:
    """Return pieces of the text that are evenly spread over it, or all of it if it is short."""
    n_chars = used.stop - used.start
    if n_chars <= SAMPLE_CHARS:
        return corpus.text(used.start, used.stop)
    n_of_piece = SAMPLE_CHARS // _N_PIECES
    starts = [used.start + n * (n_chars - n_of_piece) // (_N_PIECES - 1) for n in range(_N_PIECES)]
    return "\n\n".join(corpus.text(start, start + n_of_piece) for start in starts)
