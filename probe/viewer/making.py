"""Making a text view: sources, and what is asked of them, become a passage with tracks."""

import re
from collections.abc import Iterable, Mapping, Sequence, Sized
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from activations.progress import Progress, no_progress
from activations.site_names import AnyUnits
from analyses.errors import AnalysisError
from analyses.probing.kept_probes import Probe
from analyses.session import AnySource, Session
from analyses.targets.labelling import (
    LABEL_BYTES,
    AnyHypothesis,
    label_in_pieces,
    target_for,
    target_of_labels,
)
from analyses.targets.predictions import PREFIX, predicted
from analyses.targets.target import Target
from hypotheses.given_labels import are_labels
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.long_labels import AnyLabels, LabelsOnDisk
from hypotheses.registry import hypothesis_of
from probe.viewer.cells import cells_of
from probe.viewer.chosen_units import chosen_units
from probe.viewer.passages import AnySpan, Place, document_starts
from probe.viewer.text_view import MOST_TRACKS, Guesses, Panel, TextView, Track
from probe.viewer.tracks import (
    Middle,
    TrackValues,
    guesses_of,
    label_values,
    losses,
    probe_values,
    quantised,
    unit_values,
)

AnyLabelling = AnyHypothesis | Target | tuple[str, AnyLabels | CorpusLabels]
"""A hypothesis by its name, a function, a target made before, or a name with labels of the whole text."""


def text_view(
    sources: AnySource | Mapping[str, AnySource],
    *,
    units: AnyUnits = (),
    hypotheses: AnyHypothesis | Target | Sequence[AnyLabelling] = (),
    probes: Probe | Sequence[Probe] = (),
    loss: bool = False,
    guesses: bool = False,
    around: int | None = None,
    find: str | None = None,
    span: AnySpan | None = None,
    n_chars: int = 800,
    top: int | None = None,
    panel_for_each: bool = False,
    middle: Middle | None = None,
    any_model: bool = False,
    title: str = "",
    progress: Progress = no_progress,
) -> TextView:
    """Show a passage of a text with what units, hypotheses, probes and the model say of each character.

    One panel has them all: hypotheses, probes, units, the loss. With more than four, or with `panel_for_each`, each
    unit has a panel, with the others below it. Several sources of the same text have a panel each, one below the other,
    and share scales. With nothing but a source, the model's loss is shown.

    Args:
        sources: A recording, live activations, a session of either, or the path of a recording; or several of the same
            text, by their names. Only the passage of a live source is read, unless units are ranked.
        units: Such as `0/cell/226`; a site, such as `0/cell`, stands for the `top` of its units, or five.
        hypotheses: Names, functions, or targets, whose labels are shown; or pairs of a name and labels of the text.
        probes: Kept probes; see `probe.load_probe`. Of a binary label, the probability of True is shown, of a number
            the prediction, and otherwise the class that is predicted.
        loss: Whether to show −log p of each character, given those before it, in nats.
        guesses: Whether to show the model's five best guesses after each character.
        around: A position in the corpus; below 0 it counts from the end. The passage is around it.
        find: A regular expression; the passage is around the first match.
        span: Where the passage begins and stops, as `(start, stop)` or `slice(start, stop)`.
        n_chars: About how many characters the passage has, unless there is a `span`; it has whole lines if they fit.
        top: How many units stand for a site, or for all sites if there are no `units`: those that predict each
            hypothesis best, or, without hypotheses, those whose activations vary most in the passage.
        panel_for_each: Whether each unit has a panel, however few they are.
        middle: The value of units that has the colour of the paper: `zero`, or `median`, that of the passage. None is
            zero where the units of a site take both signs there, and the median elsewhere, such as of gates.
        any_model: Whether probes may be of another model, such as another checkpoint of the same training.
        title: A heading; by default the document and the characters of the passage.
        progress: Called with the characters done and their number, if units are ranked.

    Returns:
        The view. Without `around`, `find` and `span`, its passage is where the first hypothesis first changes, or the
        beginning: of the characters that were held out, if probes are shown on the text that they were fitted to.

    Raises:
        ActivationError: If there is no such unit, or the passage is beyond the text.
        HypothesisError: If there is no such hypothesis, or it fails on this text.
        AnalysisError: If a pattern is never found, a probe is of another model, or sources are of different texts.
    """
    place = Place(n_chars=n_chars, around=around, find=find, span=span)
    all_probes: list[Probe] = _listed(probes)
    for probe in all_probes:
        if not isinstance(probe, Probe):
            raise AnalysisError(f"{probe!r:.50} is not a kept probe; read one with probe.load_probe")
    labellings: list[AnyLabelling] = _listed([hypotheses] if are_labels(hypotheses) else hypotheses)
    with ExitStack() as stack:
        sessions = _opened(sources, stack)
        for session in sessions.values():
            stack.enter_context(session.answering())
        first = next(iter(sessions.values()))
        labelled = [_labelled(first, labelling) for labelling in labellings]
        deciding = next((hypothesis.labels for hypothesis in labelled if hypothesis.labels is not None), None)
        parts = _unseen_parts(sessions, all_probes) if place.is_open else [_shared_part(sessions)]
        passage = place.passage(first.corpus, parts, deciding)
        values_of_labels = [hypothesis.values(passage) for hypothesis in labelled]
        is_bare = not (all_probes or labelled or guesses or top or _names_units(units))
        request = _Request(
            units=units,
            labelled=labelled,
            values_of_labels=values_of_labels,
            probes=all_probes,
            loss=loss or is_bare,
            top=top,
            any_model=any_model,
            passage=passage,
            progress=progress,
        )
        values_by_source, notes = [], []
        for name, session in sessions.items():
            values, notes_of_source = request.values(session, name)
            values_by_source.append(values)
            notes += notes_of_source
        guessed = _guesses(sessions, passage, notes) if guesses else None
        text = first.corpus.text(passage.start, passage.stop)
        documents = document_starts(first.corpus, passage)
        return TextView(
            text=text,
            cells=cells_of(text),
            start=passage.start,
            panels=_panels(list(sessions), quantised(values_by_source, middle), panel_for_each=panel_for_each),
            guesses=guessed,
            documents=documents,
            title=title or f"{_last_part(documents[0].name)}, characters {passage.start:,} to {passage.stop:,}",
            notes=tuple(dict.fromkeys(notes)),
        )


@dataclass(frozen=True, slots=True)
class _Labelled:
    """A hypothesis and its labels.

    Attributes:
        name: Its name.
        labels: Labels of the whole text; None for the model's own predictions, which are those of a source.
        target: The target that was given, if one was.
    """

    name: str
    labels: AnyLabels | CorpusLabels | None
    target: Target | None = None

    def values(self, passage: slice) -> TrackValues | None:
        """Return its labels in a passage; None for the model's own predictions."""
        return None if self.labels is None else label_values(self.name, self.labels[passage])

    def target_in(self, session: Session) -> Target:
        """Return its target on the characters of a source."""
        if self.target is not None or self.labels is None:
            return target_for(session, self.target or self.name)
        labels = self.labels
        if isinstance(labels, CorpusLabels):
            labels = LabelsOnDisk(labels) if labels.n_bytes > LABEL_BYTES else labels[:]
        return target_of_labels(session.corpus, self.name, labels, selection=session.selection)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is asked of each source; see `text_view`.

    Attributes:
        values_of_labels: The labels of each hypothesis in the passage; None where a source predicts them itself.
    """

    units: AnyUnits
    labelled: Sequence[_Labelled]
    values_of_labels: Sequence[TrackValues | None]
    probes: Sequence[Probe]
    loss: bool
    top: int | None
    any_model: bool
    passage: slice
    progress: Progress

    def values(self, session: Session, name: str) -> tuple[list[TrackValues], list[str]]:
        """Return the values of a source's tracks, hypotheses first, and sentences about them."""
        passage = self.passage
        for probe in self.probes:
            probe.check_model(session, any_model=self.any_model)
        choice = chosen_units(
            session,
            self.units,
            self.top,
            lambda: [hypothesis.target_in(session) for hypothesis in self.labelled],
            passage,
            self.progress,
        )
        notes = list(choice.notes)
        if choice.units or self.probes or self.loss:
            notes += _notes_on_rows(session, passage, name)
        of_loss = losses(session, passage) if self.loss else None
        values = [
            *(
                labels
                or label_values(hypothesis.name, predicted(session, hypothesis.name, passage.start, passage.stop))
                for hypothesis, labels in zip(self.labelled, self.values_of_labels, strict=True)
            ),
            *(probe_values(session, probe, passage) for probe in self.probes),
            *unit_values(session, choice.units, passage),
            *([of_loss] if of_loss else []),
        ]
        notes += _notes_on_probes(session, self.probes, passage)
        if self.loss and of_loss is None:
            notes.append(f"no loss is shown, since {_without_predictions(session)}")
        return values, [f"{name}: {note}" if name else note for note in notes]


def _opened(sources: AnySource | Mapping[str, AnySource], stack: ExitStack) -> dict[str, Session]:
    """Open sessions, by the names of their sources; the name of a single source is empty.

    Raises:
        AnalysisError: If there is none, or they are of different texts.
    """
    named = dict(sources) if isinstance(sources, Mapping) else {"": sources}
    if not named:
        raise AnalysisError("there is no source to show; name a recording, or give live activations")
    sessions: dict[str, Session] = {}
    for name, source in named.items():
        session = Session.of(source)
        if session is not source:
            stack.enter_context(session)
        sessions["" if len(named) == 1 else name] = session
    (first_name, first), *others = sessions.items()
    for name, session in others:
        if session.corpus.sha256 != first.corpus.sha256:
            raise AnalysisError(
                f"{first_name} and {name} are of different texts, or of different documents, so that their values do "
                "not belong to the same characters; record both on the same text, or view them one at a time"
            )
    return sessions


def _labelled(session: Session, hypothesis: AnyLabelling) -> _Labelled:
    """Label the text of a source, or take the labels that were made before."""
    if isinstance(hypothesis, tuple):
        name, labels = hypothesis
        if len(labels) != len(session.corpus):
            raise AnalysisError(
                f"there are {len(labels):,} labels of {name} for {len(session.corpus):,} characters; expected one "
                "label per character"
            )
        return _Labelled(name, labels)
    if isinstance(hypothesis, Target):
        return _Labelled(hypothesis.hypothesis, hypothesis.labels, target_for(session, hypothesis))
    if isinstance(hypothesis, str) and hypothesis.startswith(PREFIX):
        return _Labelled(hypothesis, None)
    labeller = hypothesis_of(hypothesis)
    return _Labelled(labeller.name, label_in_pieces(session.corpus, labeller))


def _last_part(name: str) -> str:
    """Return the name of a document without the folders of its file.

    >>> _last_part("texts/names.txt:17")
    'names.txt:17'
    """
    return re.split(r"[/\\]", name)[-1] or name


def _listed(wanted: Any) -> list[Any]:
    """Return what may be one or several as a list."""
    is_one = isinstance(wanted, str | Target) or callable(wanted) or not isinstance(wanted, Iterable)
    return [wanted] if is_one else list(wanted)


def _shared_part(sessions: Mapping[str, Session]) -> slice:
    """Return the part of the text of which all sources have values; that of the first if there is none."""
    selections = [session.selection for session in sessions.values()]
    start, stop = max(part.start for part in selections), min(part.stop for part in selections)
    return slice(start, stop) if start < stop else slice(selections[0].start, selections[0].stop)


def _unseen_parts(sessions: Mapping[str, Session], probes: Sequence[Probe]) -> list[slice]:
    """Return the runs of characters on which probes of this text can be judged; all characters if there are none."""
    whole = _shared_part(sessions)
    text_sha256 = next(iter(sessions.values())).corpus.sha256
    for probe in probes:
        if probe.text_sha256 == text_sha256:
            joined: list[slice] = []
            for start, stop in sorted(probe.held_out.clip(whole.start, whole.stop).tolist()):
                if joined and joined[-1].stop >= start:  # runs of neighbouring folds
                    joined[-1] = slice(joined[-1].start, max(stop, joined[-1].stop))
                elif start < stop:
                    joined.append(slice(start, stop))
            return joined or [whole]
    return [whole]


def _names_units(units: AnyUnits) -> bool:
    return not isinstance(units, Sized) or len(units) > 0


def _guesses(sessions: Mapping[str, Session], passage: slice, notes: list[str]) -> Guesses | None:
    """Return the guesses of the first source, and add a sentence if they are not those of all, or there are none."""
    name, session = next(iter(sessions.items()))
    guesses = guesses_of(session, passage)
    if guesses is None:
        notes.append(f"no guesses are shown, since {_without_predictions(session)}")
    elif len(sessions) > 1:
        notes.append(f"the guesses are those of {name}")
    return guesses


def _without_predictions(session: Session) -> str:
    if session.is_live:
        return "this model predicts no characters"
    return "this recording was made without predictions"


def _notes_on_rows(session: Session, passage: slice, name: str) -> list[str]:
    """Say how many characters have values, if not all have.

    Raises:
        AnalysisError: If none has.
    """
    n_chars = passage.stop - passage.start
    selection = session.selection
    n_rows = selection.part(passage.start, passage.stop).n_chars
    if not n_rows:
        every = "" if selection.every == 1 else f", one of every {selection.every:,}"
        raise AnalysisError(
            f"no character from {passage.start:,} to {passage.stop:,} has values: {name or 'the source'} has those of "
            f"{selection.start:,} to {selection.stop:,}{every}; choose a passage there"
        )
    return [] if n_rows == n_chars else [f"{n_rows:,} of {n_chars:,} characters have values; the others were left out"]


def _notes_on_probes(session: Session, probes: Sequence[Probe], passage: slice) -> list[str]:
    """Say of probes that were fitted to this text how many of the characters they have not seen."""
    notes = []
    for probe in probes:
        if probe.text_sha256 == session.corpus.sha256:
            ends = probe.held_out.clip(passage.start, passage.stop)
            n_held_out, n_chars = int(np.diff(ends, axis=1).sum()), passage.stop - passage.start
            if n_held_out < n_chars:
                notes.append(
                    f"the probe of {probe.hypothesis} from {probe.site} was fitted to this text: {n_held_out:,} of "
                    f"these {n_chars:,} characters were held out"
                )
    return notes


def _panels(names: Sequence[str], groups: Sequence[Sequence[Track]], *, panel_for_each: bool) -> tuple[Panel, ...]:
    """Arrange the tracks of each source in panels: one for each source, or one for each unit of each source."""
    by_source = [_tracks_of_panels(group, panel_for_each=panel_for_each) for group in groups]
    n_panels = max(map(len, by_source))
    return tuple(
        Panel(tracks=tuple(panels[number]), title=name)
        for number in range(n_panels)
        for name, panels in zip(names, by_source, strict=True)
        if number < len(panels)
    )


def _tracks_of_panels(tracks: Sequence[Track], *, panel_for_each: bool) -> list[list[Track]]:
    """Return all tracks together, or each unit above the others, or, where these are too many, each alone."""
    units = [track for track in tracks if track.kind == "unit"]
    others = [track for track in tracks if track.kind != "unit"]
    if len(tracks) <= MOST_TRACKS and not (panel_for_each and units):
        return [list(tracks)]
    if units and len(others) < MOST_TRACKS:
        return [[unit, *others] for unit in units]
    return [[track] for track in [*others, *units]]
