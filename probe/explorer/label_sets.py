"""Labels that were asked for: made once, kept as long as there is room, and found by an id."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

from activations.texts.corpus import Corpus
from analyses.session import Session
from analyses.targets.label_checks import check_labels
from analyses.targets.labelling import label_in_pieces
from analyses.targets.predictions import PREFIX, predicted
from analyses.targets.text_kinds import doubts_about
from hypotheses.labelling.corpus_labels import CHUNK
from hypotheses.labelling.long_labels import AnyLabels, LabelsOnDisk
from hypotheses.labels import Kind, Labels
from hypotheses.registry import get
from hypotheses.user_files import NamedFiles
from probe.explorer.whole_tracks import WholeTrack, track_of_labels

MOST_KEPT_BYTES = 96 << 20
"""Of all labels and levels that are kept in memory."""
_MOST_KEPT = 64  # sets of labels
_IN_MEMORY_BYTES = 16 << 20  # of the labels of one hypothesis; more are in a temporary file


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelSet:
    """The labels of a text by one hypothesis.

    Attributes:
        id: What they are found by: 16 hexadecimal digits, the same for the same labels.
        hypothesis: The name of the hypothesis.
        corpus_sha256: Hash of the text.
        labels: One for each character.
        track: The same as a track.
        n_true: How many labels are True; None if the kind is another.
        warnings: Sentences about what may be wrong with them.
    """

    id: str
    hypothesis: str
    corpus_sha256: str
    labels: AnyLabels
    track: WholeTrack
    n_true: int | None
    warnings: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """The kind of the labels."""
        return self.labels.kind

    @property
    def n_bytes(self) -> int:
        """The memory that they take."""
        of_labels = self.labels.values.nbytes if isinstance(self.labels, Labels) else 0
        return self.track.all_levels.nbytes + of_labels

    def facts(self) -> dict[str, Any]:
        """Return what the page has to know of them."""
        return {
            "id": self.id,
            "name": self.hypothesis,
            "kind": self.kind,
            "n_true": self.n_true,
            "warnings": list(self.warnings),
            **{key: value for key, value in self.track.header().items() if key in ("has_missing", "scale")},
        }


class LabelSets:
    """Sets of labels, those that were used last; several threads may use it."""

    def __init__(self) -> None:
        self._sets: OrderedDict[str, LabelSet] = OrderedDict()
        self._lock = Lock()

    @property
    def n_bytes(self) -> int:
        """The memory that all of them take."""
        with self._lock:
            return self._n_bytes()

    def keep(self, labelled: LabelSet) -> None:
        """Keep a set, and drop those that were not used for the longest time, if there is no room for them."""
        with self._lock:
            self._sets[labelled.id] = labelled
            self._sets.move_to_end(labelled.id)
            while len(self._sets) > 1 and (len(self._sets) > _MOST_KEPT or self._n_bytes() > MOST_KEPT_BYTES):
                self._sets.popitem(last=False)

    def find(self, identity: str) -> LabelSet | None:
        """Return the set of an id, if it is still kept."""
        with self._lock:
            if identity in self._sets:
                self._sets.move_to_end(identity)
            return self._sets.get(identity)

    def _n_bytes(self) -> int:
        return sum(labelled.n_bytes for labelled in self._sets.values())


def labelled_by(session: Session, spelled: str, files: NamedFiles) -> LabelSet:
    """Label the text of a recording.

    Args:
        session: A session of the recording.
        spelled: A hypothesis, as `probe rank` takes it, or `predicts:a`.
        files: The only files that hypotheses may be taken from.

    Raises:
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If its labels cannot be shown.
    """
    corpus = session.corpus
    warnings: list[str] = []
    labels: AnyLabels
    if spelled.startswith(PREFIX):
        name = spelled
        labels = predicted(session, name)
    else:
        hypothesis = get(spelled, files=files)
        name = hypothesis.name
        pieces = label_in_pieces(corpus, hypothesis, notice=warnings.append)
        labels = LabelsOnDisk(pieces) if pieces.n_bytes > _IN_MEMORY_BYTES else pieces[:]
        warnings += pieces.notes
        warnings += doubts_about(hypothesis, corpus, session.selection)
    warnings += [str(warning) for warning in check_labels(corpus, name, labels, session.selection)]
    track = track_of_labels(name, labels)
    n_true = _n_true(labels) if labels.kind == "binary" else None
    return LabelSet(
        id=_identity(corpus, name, track),
        hypothesis=name,
        corpus_sha256=corpus.sha256,
        labels=labels,
        track=track,
        n_true=n_true,
        warnings=tuple(dict.fromkeys(warnings)),
    )


def _n_true(labels: AnyLabels) -> int:
    chunks = (labels[start : start + CHUNK] for start in range(0, len(labels), CHUNK))
    return sum(int((chunk.values & chunk.present).sum()) for chunk in chunks)


def _identity(corpus: Corpus, name: str, track: WholeTrack) -> str:
    digest = hashlib.sha256(f"{corpus.sha256} {name} ".encode("utf-8", "surrogatepass"))
    digest.update(track.all_levels.data)
    return digest.hexdigest()[:16]
