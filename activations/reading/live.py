"""A model reading a text: a source of blocks whose activations are computed each time they are read."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cached_property
from threading import RLock
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from activations.blocks import Block, passage_from_blocks, predictions_from_blocks, thin_out
from activations.deprecation import renamed_keyword
from activations.gradient_sums import Floats, GradientSums, HeldPath, Measure
from activations.interventions import (
    Intervention,
    checked_interventions,
    intervened_sha256,
    transplanted,
    unbounded_by,
)
from activations.lane_differences import LaneDifference
from activations.lazy_activations import NamedActivations
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.identity import carried, predicts, sha256, unbounded
from activations.models.intervening import acting_on, without_interventions
from activations.predictions import LOG_PROB, prediction_fields
from activations.progress import Advance, Progress, no_advance, no_progress
from activations.reading.by_interventions import by_interventions
from activations.reading.compatibility import check_options
from activations.reading.describing import described
from activations.reading.excerpts import EXCERPT_CHARS, N_EXCERPTS, read_excerpts
from activations.reading.gradients import read_gradients
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.lanes.lane_numbers import choose_n_groups, choose_n_lanes
from activations.reading.lanes.lane_readings import LaneReadings
from activations.reading.lanes.protocol_reader import check_protocol_model
from activations.reading.lanes.reading_state import ReadingState, Round
from activations.reading.saturation import loses_order
from activations.reading.scratch import recorded_in_scratch
from activations.reading.variant_readings import read_variants
from activations.recordings.format.codings import Coding
from activations.recordings.format.layout import SiteFacts
from activations.recordings.recording import Recording
from activations.site_names import AnySites, resolve_sites
from activations.texts.corpus import Corpus
from activations.texts.lanes import WARM_UP_CHARS
from activations.texts.reading_rule import ReadingRule, rule_of
from activations.texts.selection import Selection
from activations.texts.tokenising import TokenisedText, check_text, tokenise
from activations.units import Site
from activations.variants import VariantBatch, VariantChange

SCRATCH_BYTES = 20_000_000_000
_SHORT_TEXT = 4  # times the characters of a sample: up to that length, the whole text is read for it
_DEFAULT = ComputeOptions()


class LiveActivations(NamedActivations):
    """A model and a text: activations that are computed each time they are read.

    The text is cut into lanes that are read side by side. The first lane of a document starts where the document does,
    and is exact; the others are warmed up on the characters before them.

    Attributes:
        model: The model.
        corpus: The text.
        selection: The characters whose activations are given.
        n_lanes: Number of lanes; with one, the text is read from its start without a break.
        n_groups: Number of groups of lanes, each of which is read by a processor core of its own.
        warm_up_chars: Characters that a lane reads before the first that it keeps.
        compute: Device, precision and dtype.
        reading_rule: How the characters of the text become the tokens that the model reads.
        vocabulary: The characters of the model.
        n_replaced: Number of characters that are read as the vocabulary's replacement.
        predicts: False for a protocol model without predictions of the next character.
        lane_differences: For each site of the state, how far lanes differed where they meet, in the last complete pass.
    """

    is_live = True

    @renamed_keyword("arithmetic", "compute")
    def __init__(
        self,
        model: CharRNN | CharModel,
        corpus: Corpus,
        *,
        n_lanes: int | None = None,
        warm_up_chars: int = WARM_UP_CHARS,
        replace_unknown: bool = False,
        selection: Selection | None = None,
        compute: ComputeOptions = _DEFAULT,
        rule: ReadingRule | None = None,
        stand_in: str | None = None,
        interventions: Iterable[Intervention] = (),
        scratch_bytes: int = SCRATCH_BYTES,
    ) -> None:
        """Bring a model and a text together; nothing is read yet.

        Args:
            model: The model.
            corpus: The text.
            n_lanes: Number of lanes; None chooses by the length of the text and the number of cores.
            warm_up_chars: Characters that a lane reads before the first that it keeps.
            replace_unknown: Whether characters that the model does not know are read as its replacement.
            selection: The characters whose activations are given; None is all.
            compute: Device, precision and dtype.
            rule: How the characters of the text become tokens; None is the model's own rule.
            stand_in: The character of the model as which unknown characters are read; None is the model's
                replacement, if `replace_unknown`.
            interventions: Changes of values while the model reads, after those that act on the model itself by
                `intervene` when it reads.
            scratch_bytes: Size up to which `rereadable` writes a temporary recording.

        Raises:
            ActivationError: If an option is out of range, or the model or the text does not allow it.
        """
        check_options(model, n_lanes, warm_up_chars, compute, has_interventions=bool(interventions))
        self._own_interventions = checked_interventions(interventions, model.sites)
        if isinstance(model, torch.nn.Module):
            model.eval()
        if not isinstance(model, CharRNN):
            check_protocol_model(model)
        self.model = model
        self.predicts = predicts(model)
        self.corpus = corpus
        self.selection = selection or Selection.of(len(corpus))
        self.n_lanes = n_lanes or choose_n_lanes(self.selection, compute)
        self.n_groups = choose_n_groups(self.n_lanes, compute, is_shareable=isinstance(model, CharRNN))
        self.warm_up_chars = warm_up_chars
        self.compute = compute
        self.reading_rule = rule_of(model) if rule is None else rule
        self.vocabulary = model.vocabulary if stand_in is None else model.vocabulary.replacing_by(stand_in)
        self.n_replaced = check_text(
            corpus, self.reading_rule, self.vocabulary, replace_unknown=replace_unknown or stand_in is not None
        )
        self.lane_differences: dict[Site, LaneDifference] = {}
        self._scratch_bytes = scratch_bytes
        self._lock = RLock()

    def with_corpus(
        self,
        corpus: Corpus,
        *,
        n_lanes: int | None = None,
        interventions: Iterable[Intervention] = (),
        dtype: str = "float32",
    ) -> "LiveActivations":
        """Let the same model read another text, whole and by the same rule.

        Args:
            corpus: The text; of characters that the model reads as its replacement, it may have as many as this one.
            n_lanes: Number of lanes; None chooses.
            interventions: Changes of values while the model reads, beside those that there are.
            dtype: How activations are kept; see `ComputeOptions`.
        """
        return self._of_corpus(self.model, corpus, n_lanes, [*self._own_interventions, *interventions], dtype)

    def with_pieces(
        self, corpus: Corpus, positions: NDArray[np.int64], *, n_lanes: int | None = None
    ) -> "LiveActivations":
        """Let the same model read pieces of this text as a text of their own, in float32.

        Interventions change the same characters of it as they change of this text.

        Args:
            corpus: The pieces.
            positions: (n_chars,) the position of each of their characters in this text.
            n_lanes: Number of lanes; None chooses.
        """
        there = torch.from_numpy(positions), torch.from_numpy(self.corpus.starts)
        interventions = [transplanted(intervention, *there) for intervention in self.interventions]
        return self._of_corpus(without_interventions(self.model), corpus, n_lanes, interventions)

    def with_model(self, model: CharRNN | CharModel) -> "LiveActivations":
        """Let another model read the same text, by the same options."""
        return LiveActivations(
            model,
            self.corpus,
            n_lanes=self.n_lanes,
            warm_up_chars=self.warm_up_chars,
            selection=self.selection,
            compute=self.compute,
            rule=self.reading_rule,
            stand_in=self.vocabulary.replacement,
            interventions=self._own_interventions if model is self.model else self.interventions,
            scratch_bytes=self._scratch_bytes,
        )

    @property
    def interventions(self) -> tuple[Intervention, ...]:
        """The changes of values while the model reads: those that act on it now by `intervene`, then those given."""
        return (*acting_on(self.model), *self._own_interventions)

    @property
    def sites(self) -> Mapping[Site, int]:
        """The sites of the model, in its order, and the number of units of each."""
        return self.model.sites

    @property
    def carried(self) -> Sequence[Site]:
        """The sites that are carried from one character to the next, in the model's order."""
        state = carried(self.model)
        return [site for site in self.sites if site in state]

    @by_interventions
    def unbounded(self) -> frozenset[Site]:
        """The sites whose values may leave [-1, 1], by themselves or because of interventions."""
        return frozenset(unbounded(self.model)) | unbounded_by(self.interventions, self.sites)

    @by_interventions
    def saturated(self) -> frozenset[Site]:
        """The sites within [-1, 1] that are kept in float32 because float16 would lose the order of a unit.

        A short sample of the text is read to find them, once, and the same one however the text is cut into lanes.
        There are none if one dtype was chosen for all sites.
        """
        bounded = set(self.sites) - self.unbounded
        if self.compute.dtype != "auto" or not bounded:
            return frozenset()
        values_by_site = read_excerpts(self, self._text, bounded, EXCERPT_CHARS)
        return frozenset(site for site, values in values_by_site.items() if loses_order(values))

    def dtype(self, site: Site) -> np.dtype[Any]:
        """Return the dtype in which a site's activations are given."""
        return self.coding(site).dtype

    def coding(self, site: Site) -> Coding:
        """Return how a site's activations are quantised, and stored in a recording."""
        is_bounded = site not in self.unbounded
        return self.compute.coding(is_bounded=is_bounded, is_saturated=is_bounded and site in self.saturated)

    def site_facts(self, site: Site) -> SiteFacts:
        """Return what a recording says of a site."""
        limits = None if site in self.unbounded else (-1.0, 1.0)
        return SiteFacts(self.sites[site], self.coding(site), limits, site in carried(self.model))

    @property
    def model_sha256(self) -> str:
        """Hash of the model and of the interventions, in hexadecimal."""
        return intervened_sha256(self._plain_sha256, self.interventions)

    @property
    def description(self) -> dict[str, Any]:
        """The attributes of a recording that describe the model and its reading, as JSON can hold them."""
        return described(self)

    @property
    def turn_chars(self) -> int:
        """Number of characters that a lane reads at one time."""
        return self._readings.turn_chars

    def blocks(self, sites: AnySites | None = None, *, predictions: bool | Collection[str] = False) -> Iterator[Block]:
        """Give every character of the selection once, in blocks, one lane after another.

        Args:
            sites: The sites to give; None is all.
            predictions: Whether to give the model's predictions, too, if it has any, or some kinds of these by name.

        Raises:
            ActivationError: If kinds are named, and the model has no predictions.
        """
        state = ReadingState.start(self.n_groups)
        for done in self.rounds(sites, predictions=predictions):
            yield from done.blocks
            state.add(done)
        self.lane_differences = state.borders.differences(self.sites)

    def rounds(
        self,
        sites: AnySites | None = None,
        *,
        predictions: bool | Collection[str] = False,
        resume_from: ReadingState | None = None,
    ) -> Iterator[Round]:
        """Give the same blocks in the rounds in which the lanes are read.

        With several groups of lanes, with a single lane of a `CharRNN`, and on a GPU, the next rounds are prefetched
        while these are used.

        Args:
            sites: The sites to give; None is all.
            predictions: Whether to give the model's predictions, too.
            resume_from: State of an earlier reading to go on from; None reads from the start.
        """
        yield from self._readings.rounds(resolve_sites(self.sites, sites), predictions, resume_from)

    def read(self, sites: AnySites, start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """Return (n_chars, n_units) activations of sites at the selected characters of a passage; see `Source.read`.

        A lane begins at the last turn before the passage whose initial state was kept. All reading, by `blocks`, too,
        keeps such states, up to `kept_states.MOST_BYTES`. With one lane, the numbers are exactly those of `blocks`.
        """
        sites = resolve_sites(self.sites, sites)
        with self._lock:  # one passage at a time
            blocks = self._readings.passage(sites, start, stop) if sites else ()
            return passage_from_blocks(self, blocks, sites, start, stop)

    def read_predictions(
        self, kinds: Collection[str] | None = None, start: int = 0, stop: int | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the model's predictions after the characters of a passage; see `Source.read_predictions`."""
        all_fields = prediction_fields(len(self.vocabulary)) if self.predicts else {}
        fields = {kind: field for kind, field in all_fields.items() if kinds is None or kind in kinds}
        with self._lock:  # one passage at a time
            blocks = self._readings.passage((), start, stop, {LOG_PROB, *fields}) if fields else ()
            return predictions_from_blocks(self, blocks, fields, start, stop)

    def sample(
        self, sites: Collection[Site], n_chars: int, advance: Advance = no_advance
    ) -> dict[Site, NDArray[np.float32]]:
        """Return (n_sampled, n_units) activations of sites at excerpts from all over the text; see `Source.sample`.

        A long text is not read for it: the model is warmed up on the characters before each excerpt. A short text is
        read, so that the activations are those of the whole reading.
        """
        if self.selection.n_chars <= _SHORT_TEXT * n_chars:
            return thin_out(self, sites, n_chars, advance)
        return read_excerpts(self, self._text, sites, -(-n_chars // N_EXCERPTS))

    def rereadable(
        self, sites: Collection[Site], progress: Progress = no_progress
    ) -> AbstractContextManager[Recording]:
        """Record some sites in a temporary folder, for analyses that need many passes.

        Args:
            sites: The sites to record.
            progress: Called with the characters done and their number.

        Raises:
            ActivationError: If the recording would be larger than `scratch_bytes`, or cannot be written.
        """
        return recorded_in_scratch(self, sites, self._scratch_bytes, progress)

    def read_variants(
        self,
        corpus: Corpus,
        changes: Sequence[VariantChange],
        n_variants: int,
        *,
        sites: Sequence[Site] = (),
        advance: Advance = no_advance,
    ) -> Iterator[VariantBatch]:
        """Let several variants of the model read a text side by side; see `ModelSource.read_variants`.

        Raises:
            ActivationError: If the model computes its steps itself, so that nothing can be changed in them.
        """
        return read_variants(self, corpus, changes, n_variants, sites=sites, advance=advance)

    def read_gradients(
        self,
        corpus: Corpus,
        sites: Sequence[Site],
        weights: Floats,
        *,
        state: Mapping[Site, Floats] | None = None,
        path: HeldPath | None = None,
        measure: Measure = "loss",
        advance: Advance = no_advance,
    ) -> GradientSums:
        """Differentiate sums of losses with respect to the values of units; see `ModelSource.read_gradients`.

        Raises:
            ActivationError: If the model computes its steps itself, or is changed by interventions.
        """
        return read_gradients(self, corpus, sites, weights, state=state, path=path, measure=measure, advance=advance)

    def _of_corpus(
        self,
        model: CharRNN | CharModel,
        corpus: Corpus,
        n_lanes: int | None,
        interventions: Iterable[Intervention],
        dtype: str = "float32",
    ) -> "LiveActivations":
        """Let a model read another text by the same rule, with other interventions."""
        return LiveActivations(
            model,
            corpus,
            n_lanes=n_lanes,
            warm_up_chars=self.warm_up_chars,
            replace_unknown=self.n_replaced > 0,
            compute=replace(self.compute, dtype=dtype),
            rule=self.reading_rule,
            stand_in=self.vocabulary.replacement,
            interventions=interventions,
        )

    @cached_property
    def _plain_sha256(self) -> str:
        return sha256(self.model)

    @cached_property
    def _text(self) -> TokenisedText:
        return tokenise(self.corpus, self.reading_rule, self.vocabulary)

    @by_interventions
    def _readings(self) -> LaneReadings:
        return LaneReadings(
            model=self.model,
            text=self._text,
            selection=self.selection,
            n_lanes=self.n_lanes,
            n_groups=self.n_groups,
            warm_up_chars=self.warm_up_chars,
            compute=self.compute,
            codings={site: self.coding(site) for site in self.sites},
            unbounded=self.unbounded,
            predicts=self.predicts,
            interventions=self.interventions,
            in_use=self._lock,
        )
