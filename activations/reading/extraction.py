"""A model reading a text: the live source of blocks, and the recording of it."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.metadata import version
from itertools import groupby, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import RLock
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from activations.blocks import Block, joined, thin_out
from activations.errors import ActivationError
from activations.interventions import Intervention, checked, freed, intervened_sha256, read_elsewhere
from activations.lane_differences import LaneDifference, Values, unsettled
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.identity import carried, description, is_trained, sha256, unbounded
from activations.reading.judging import Judge, mean_loss
from activations.reading.kept_states import KeptStates
from activations.reading.lane_reader import Arithmetic, Reading, Weights
from activations.reading.passes import Columns, Pass
from activations.reading.position import Position, Round
from activations.reading.prefetching import side_by_side
from activations.reading.protocol_reader import GuestReading, check_guest
from activations.reading.saturation import N_STRETCHES, STRETCH_CHARS, loses_order, stretches
from activations.recordings import layout
from activations.recordings.codings import Coding
from activations.recordings.recorder import Recorder, recording
from activations.recordings.recording import Recording
from activations.results import Cell, Result
from activations.site_names import AnySites, resolve_sites
from activations.texts.corpus import Corpus
from activations.texts.lanes import (
    WARM_UP_CHARS,
    Piece,
    Turn,
    cut,
    default_n_lanes,
    in_step,
    rounds,
    share_out,
    turn_chars,
    turn_of,
    turns,
)
from activations.texts.read_text import ReadText, check_text, is_read, read_text
from activations.texts.reading_rule import ReadingRule, rule_of
from activations.texts.selection import Selection
from activations.units import Site, Unit, in_order

Progress = Callable[[int, int], None]
SCRATCH_BYTES = 20_000_000_000
_LEAST_LANES_OF_A_GROUP = 16
_GPU_AS_CORES = 16
_NAMED_UNITS = 5
_JUDGE = "judge"
_SHORT = 4  # times the characters of a sample: a text is then read whole for it
_DEFAULT = Arithmetic()


class _Run(NamedTuple):
    """What a lane reads for a passage.

    Attributes:
        turns: From where its state is known to the end of the passage.
        state: (n_units,) the state with which it begins, for each site that carries it; none is zero.
    """

    turns: list[Turn]
    state: Values


class LiveActivations:
    """A model and a text: activations that are computed each time they are asked for.

    The text is cut into lanes that are read side by side. The first lane of a document starts where the
    document does and is exact; the others are warmed up on what precedes them.

    Attributes:
        model: What reads.
        corpus: What is read.
        selection: The characters whose activations are given.
        n_lanes: How many pieces are read side by side; 1 is one unbroken reading.
        n_groups: The lanes are read in so many groups, each by a processor core of its own.
        warm_up_chars: Characters that a lane reads before those it answers for.
        arithmetic: Where, and in what numbers, it is computed.
        reading_rule: What is read in place of the text as it stands.
        vocabulary: The characters of the model.
        interventions: What is changed while it reads; see `interventions`.
        n_replaced: Characters that are read as the vocabulary's replacement.
        lane_differences: For each site of the state, what the last complete pass found at the lanes' borders.
    """

    is_live = True

    def __init__(
        self,
        model: CharRNN | CharModel,
        corpus: Corpus,
        *,
        n_lanes: int | None = None,
        warm_up_chars: int = WARM_UP_CHARS,
        replace_unknown: bool = False,
        selection: Selection | None = None,
        arithmetic: Arithmetic = _DEFAULT,
        rule: ReadingRule | None = None,
        stand_in: str | None = None,
        interventions: Iterable[Intervention] = (),
    ) -> None:
        """A model, a text, and how the one is to read the other.

        Args:
            model: What reads.
            corpus: What is read.
            n_lanes: How many pieces are read side by side; None is by the text's size.
            warm_up_chars: Characters that a lane reads before those it answers for.
            replace_unknown: Whether characters that the model does not know are read as its replacement.
            selection: The characters whose activations are given; None is all.
            arithmetic: Where, and in what numbers.
            rule: What is read in place of the text as it stands; None is the model's own rule.
            stand_in: A character that the model knows, as which those are read that it does not know; None is its
                replacement, if `replace_unknown`.
            interventions: What is changed while it reads.

        Raises:
            ActivationError: If something of this does not go together.
        """
        if n_lanes is not None and n_lanes < 1:
            raise ActivationError(f"the number of lanes is {n_lanes}; it must be at least 1")
        if warm_up_chars < 0:
            raise ActivationError(f"the warm-up is {warm_up_chars} characters; it cannot be negative")
        if n_lanes == 1 and arithmetic.precision != "float32":
            raise ActivationError("one lane is for an exact reading, and bf16 is not exact; use more lanes or float32")
        is_guest = not isinstance(model, CharRNN)
        if is_guest and (arithmetic.device, arithmetic.precision) != ("cpu", "float32"):
            raise ActivationError(
                "a model of your own computes where and as it is written; --device and --precision are for models that "
                "`probe train` or `probe import` made"
            )
        if is_guest and interventions:
            raise ActivationError(
                "a model of your own computes its steps itself; interventions are for models that `probe train` or "
                "`probe import` made"
            )
        self.model = model
        self.interventions = checked(interventions, model.sites)
        if isinstance(model, torch.nn.Module):
            model.eval()
        if not isinstance(model, CharRNN):
            check_guest(model)
        self.corpus = corpus
        self.selection = selection or Selection.of(len(corpus))
        n_cores = torch.get_num_threads()
        on_cpu = arithmetic.place.type == "cpu"
        n_read = self.selection.stop - self.selection.start
        fewest = 1 if arithmetic.precision == "float32" else 2  # a single lane is exact
        self.n_lanes = n_lanes or max(fewest, default_n_lanes(n_read, n_cores if on_cpu else _GPU_AS_CORES))
        several = on_cpu and not is_guest  # whose code need not bear several threads
        self.n_groups = max(1, min(n_cores, self.n_lanes // _LEAST_LANES_OF_A_GROUP)) if several else 1
        self.warm_up_chars = warm_up_chars
        self.arithmetic = arithmetic
        self.lane_differences: dict[Site, LaneDifference] = {}
        self.reading_rule = rule_of(model) if rule is None else rule
        self.vocabulary = model.vocabulary if stand_in is None else model.vocabulary.replacing_by(stand_in)
        self.n_replaced = check_text(
            corpus, self.reading_rule, self.vocabulary, replace_unknown=replace_unknown or stand_in is not None
        )
        self._lock = RLock()

    @property
    def sites(self) -> Mapping[Site, int]:
        """What the model shows of each character, in its order, and how many units each site has."""
        return self.model.sites

    @cached_property
    def unbounded(self) -> frozenset[Site]:
        """The sites whose values may leave [-1, 1], by themselves or because of interventions."""
        return frozenset(unbounded(self.model)) | freed(self.interventions, self.sites)

    def dtype(self, site: Site) -> np.dtype[Any]:
        """The number type in which a site's activations are given."""
        return self.coding(site).dtype

    def coding(self, site: Site) -> Coding:
        """How a site's activations are rounded, and stand in a recording."""
        is_bounded = site not in self.unbounded
        return self.arithmetic.coding(is_bounded=is_bounded, is_saturated=is_bounded and site in self.saturated)

    @cached_property
    def saturated(self) -> frozenset[Site]:
        """The sites within [-1, 1] whose order float16 would lose, and which therefore are in float32.

        A short sample of the text is read for it, once, and the same one however the text is cut into lanes. There are
        none if one number type was asked for.
        """
        bounded = set(self.sites) - self.unbounded
        if self.arithmetic.dtype != "auto" or not bounded:
            return frozenset()
        values = self._read_stretches(bounded, STRETCH_CHARS)
        return frozenset(site for site, own in values.items() if loses_order(own))

    def sample(
        self, sites: Collection[Site], n_chars: int, forward: Callable[[int], None] = lambda n_chars: None
    ) -> dict[Site, NDArray[np.float32]]:
        """(n_sampled, n_units) activations of sites at stretches from all over the text; see `Source.sample`.

        A long text is not read for it: the model is warmed up on what precedes each stretch. A short one is, so that
        the activations are those of the whole reading.
        """
        if self.selection.n_chars <= _SHORT * n_chars:
            return thin_out(self, sites, n_chars, forward)
        return self._read_stretches(sites, -(-n_chars // N_STRETCHES))

    def _read_stretches(self, sites: Collection[Site], n_chars: int) -> dict[Site, NDArray[np.float32]]:
        """(n_sampled, n_units) activations in float32 at seeded stretches of so many characters each."""
        in_order, chosen = self._text.corpus, self._in_order(self.selection)
        sample, is_sampled, places = stretches(in_order, chosen, stretch_chars=n_chars)
        if not self.reading_rule.is_plain:
            sample, is_sampled, places = self._readable(sample, is_sampled, places)
        starts = torch.from_numpy(self.corpus.starts)
        reading = LiveActivations(
            self.model,
            sample,
            n_lanes=N_STRETCHES,
            replace_unknown=True,  # that there are none, or that they may be, is known
            arithmetic=replace(self.arithmetic, dtype="float32"),
            rule=self.reading_rule,
            stand_in=self.vocabulary.replacement,
            interventions=[read_elsewhere(each, torch.from_numpy(places), starts) for each in self.interventions],
        )
        values: dict[int, dict[Site, NDArray[np.float32]]] = {}
        for block in reading.blocks(sites):
            is_wanted = is_sampled[block.places]
            values[block.start] = {site: own[is_wanted] for site, own in block.values.items()}
        return {site: np.concatenate([values[start][site] for start in sorted(values)]) for site in sites}

    def _readable(
        self, sample: Corpus, is_sampled: NDArray[np.bool_], places: NDArray[np.int64]
    ) -> tuple[Corpus, NDArray[np.bool_], NDArray[np.int64]]:
        """Stretches of the text in the order of reading as a text, without those of which the rule leaves nothing."""
        if self._text.is_backwards:
            sample, is_sampled, places = sample.mirrored(), is_sampled[::-1], len(self.corpus) - 1 - places[::-1]
        chosen = is_read(sample, self.reading_rule, self.vocabulary)
        lengths = [document.n_chars for document in sample.documents]
        kept = np.repeat(chosen, lengths)
        return sample.only(chosen.tolist()), is_sampled[kept], places[kept]

    @cached_property
    def model_sha256(self) -> str:
        """Hash of the model, and of what is changed while it reads, in hexadecimal."""
        return intervened_sha256(sha256(self.model), self.interventions)

    @cached_property
    def turn_chars(self) -> int:
        """Characters that a lane reads at one time."""
        n_cores = torch.get_num_threads() if self.arithmetic.place.type == "cpu" else _GPU_AS_CORES
        return turn_chars(self.n_lanes, self._bytes_per_char, n_cores)

    def blocks(self, sites: AnySites | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Every character of the selection once, in blocks, those of all lanes in turn.

        Args:
            sites: What to give of each character; None is all there is.
            predictions: Whether to give the model's predictions, too.
        """
        position = Position.start(self.n_groups)
        for done in self.rounds(sites, predictions=predictions):
            yield from done.blocks
            position.take(done)
        self.lane_differences = position.borders.differences(self.sites)

    def rounds(
        self, sites: AnySites | None = None, *, predictions: bool = False, begun: Position | None = None
    ) -> Iterator[Round]:
        """The same blocks in the rounds in which the lanes are read.

        With several groups of lanes, a single lane of a `CharRNN`, or on a GPU, the next rounds are computed while
        these are used.

        Args:
            sites: What to give of each character; None is all there is.
            predictions: Whether to give the model's predictions, too.
            begun: Where to go on; None is from the start.
        """
        whole = self._pass(resolve_sites(self.sites, sites), self._in_order(self.selection), predictions=predictions)
        lanes = share_out(self._pieces, self.n_lanes, self.turn_chars)
        position = begun or Position.start(self.n_groups)
        groups = [
            whole.rounds(
                rounds(own, self.turn_chars),
                len(own),
                position.states[group],
                group=group,
                n_done=position.n_rounds[group],
            )
            for group in range(self.n_groups)
            if (own := lanes[group :: self.n_groups])
        ]
        on_cpu = self.arithmetic.place.type == "cpu"
        if self.n_groups == 1 and on_cpu and not self._is_alone:
            yield from groups[0]  # all cores compute it; another thread would need OpenMP threads of its own
            return
        with _threads_as_before() as n_cores:
            n_each = 1 if self._is_alone else max(1, n_cores // self.n_groups)
            yield from side_by_side(groups, lambda: torch.set_num_threads(n_each))

    def read(self, sites: AnySites, start: int = 0, stop: int | None = None) -> dict[Site, NDArray[Any]]:
        """(n_chars, n_units) activations of sites at the selected characters of a passage; see `Source.read`.

        A lane begins where its state was last kept before the passage. All that is read, by `blocks`, too, leaves such
        states behind, up to `kept_states.MOST_BYTES`. If there is one lane, the numbers are exactly those of `blocks`.
        """
        sites = resolve_sites(self.sites, sites)
        with self._lock:  # one passage at a time
            passage = self._pass(sites, self._in_order(self.selection.part(start, stop)))
            return joined(self, self._blocks_of(passage) if sites else (), sites, start, stop)

    def _blocks_of(self, passage: Pass) -> Iterator[Block]:
        """A passage in blocks; what its lanes lack of it is read by as many of them at a time as read the text."""
        runs = [self._run(piece, own) for piece, own in self._pieces_within(passage.selection)]
        runs.sort(key=lambda run: -len(run.turns))
        with _threads_as_before():
            for first in range(0, len(runs), self.n_lanes):
                now = runs[first : first + self.n_lanes]
                for done in passage.rounds(in_step(iter(run.turns) for run in now), len(now), _states_of(now)):
                    yield from done.blocks

    def _pieces_within(self, part: Selection) -> Iterator[tuple[Piece, Selection]]:
        """The pieces in which there are characters of a part of the selection, and these characters."""
        first = bisect_right(self._pieces, part.start, key=lambda piece: piece.start) - 1
        last = bisect_left(self._pieces, part.stop, key=lambda piece: piece.start)
        for are_shared, pieces in groupby(self._pieces[first:last], self._is_shared):
            for piece in self._of_documents(list(pieces), part) if are_shared else pieces:
                own = part.part(piece.start, piece.stop)
                if own.n_chars:
                    yield piece, own

    def _is_shared(self, piece: Piece) -> bool:
        """Whether several documents share a piece."""
        return len(self._text.corpus.starts_within(piece.start + 1, piece.stop)) > 0

    def _of_documents(self, pieces: Sequence[Piece], part: Selection) -> list[Piece]:
        """The documents of some pieces in a row that have characters of a part of the selection, shared out anew."""
        corpus = self._text.corpus
        start, stop = max(part.start, pieces[0].start), min(part.stop, pieces[-1].stop)
        first = int(np.searchsorted(corpus.starts, start, side="right")) - 1
        last = int(np.searchsorted(corpus.stops, stop))
        return self._cut(Selection(int(corpus.starts[first]), int(corpus.stops[last])))

    def _run(self, piece: Piece, wanted: Selection) -> _Run:
        """What has to be read of a piece for some of its characters."""
        last = turn_of(piece, wanted.stop - 1, self.turn_chars)
        first, state = self._kept.nearest(piece, turn_of(piece, wanted.start, self.turn_chars))
        return _Run(list(islice(turns(piece, self.turn_chars, first), last - first + 1)), state)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = lambda done, total: None) -> Iterator[Recording]:
        """A recording of some sites in a temporary folder, for what needs many passes.

        Args:
            sites: What to record.
            progress: Called with the characters done and their number.

        Raises:
            ActivationError: If it would be larger than `SCRATCH_BYTES`, or cannot be written.
        """
        n_bytes = self.selection.n_chars * sum(self.dtype(site).itemsize * self.sites[site] for site in sites)
        if n_bytes > SCRATCH_BYTES:
            raise ActivationError(
                f"{len(sites)} sites over {self.selection.n_chars:,} characters would need {n_bytes / 1e9:,.0f} GB of "
                f"scratch space, and {SCRATCH_BYTES / 1e9:,.0f} GB are allowed; choose fewer sites, a shorter "
                "text, or record it with `probe extract` where there is room"
            )
        with TemporaryDirectory(prefix="char-probe-") as folder:
            path = Path(folder) / "scratch.h5"
            extract(self, path, sites=sites, predictions=False, progress=progress)
            with Recording(path) as recording:
                yield recording

    @property
    def _is_alone(self) -> bool:
        """Whether a single lane is read, by compiled loops, with a thread for each layer."""
        return self.n_lanes == 1 and isinstance(self.model, CharRNN) and self.arithmetic.place.type == "cpu"

    @property
    def _bytes_per_char(self) -> int:
        columns = self._columns(self.sites, predictions=True).values()
        return sum(dtype.itemsize * (width or 1) for dtype, width in columns)

    @cached_property
    def _pieces(self) -> list[Piece]:
        """What the lanes read, in the order of the text."""
        return self._cut(self._in_order(self.selection))

    def _cut(self, selection: Selection) -> list[Piece]:
        """A part of the text, in the order of reading, in pieces for the lanes."""
        text = self._text
        return cut(
            text.corpus, selection, self.n_lanes, self.warm_up_chars, self.turn_chars, from_the_end=text.is_backwards
        )

    @cached_property
    def _text(self) -> ReadText:
        """What is read."""
        return read_text(self.corpus, self.reading_rule, self.vocabulary)

    def _in_order(self, selection: Selection) -> Selection:
        """Some characters of the text by their places in the order of reading."""
        return selection.mirrored(len(self.corpus)) if self._text.is_backwards else selection

    @cached_property
    def _kept(self) -> KeptStates:
        return KeptStates(self._pieces, self.turn_chars)

    def _pass(self, sites: Collection[Site], selection: Selection, *, predictions: bool = False) -> Pass:
        """A reading of a part of the selection."""
        wanted = frozenset(sites)
        if unknown := wanted - set(self.sites):
            raise ActivationError(
                f"the model has no site {min(unknown)}; it has {', '.join(str(site) for site in self.sites)}"
            )
        with self._lock:
            return Pass(
                model=self.model,
                text=self._text,
                selection=selection,
                reader=self._reader(),
                columns=self._columns(wanted, predictions=predictions),
                codings={site: coding for site in wanted if not (coding := self.coding(site)).is_plain},
                unbounded=self.unbounded,
                slabs=self.arithmetic.slabs(),
                kept=self._kept,
                in_use=nullcontext() if isinstance(self.model, CharRNN) else self._lock,
                interventions=self.interventions,
            )

    def _reader(self) -> Callable[[int], Reading | GuestReading]:
        if isinstance(self.model, CharRNN):
            weights = Weights(self.model, self.arithmetic, is_alone=self._is_alone, interventions=self.interventions)
            return partial(Reading, weights)
        return partial(GuestReading, self.model)

    def _columns(self, wanted: Collection[Site], *, predictions: bool) -> Columns:
        """The number type and width of everything that is wanted of a character."""
        columns: Columns = {site: (self.dtype(site), n_units) for site, n_units in self.sites.items() if site in wanted}
        if predictions:
            columns.update(layout.prediction_fields(len(self.vocabulary)).items())
        return columns


def _states_of(runs: Sequence[_Run]) -> Values:
    """(n_runs, n_units) the states with which lanes begin, for each site that carries it; zero where a run has none."""
    like = next((run.state for run in runs if run.state), {})
    return {site: np.stack([run.state.get(site, np.zeros_like(state)) for run in runs]) for site, state in like.items()}


@contextmanager
def _threads_as_before() -> Iterator[int]:
    """How many cores PyTorch uses, which stays so: what a thread sets is the default of those that come after it."""
    n_cores = torch.get_num_threads()
    try:
        yield n_cores
    finally:
        torch.set_num_threads(n_cores)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Extraction(Result):
    """What came of recording a model's reading of a text.

    Attributes:
        path: The recording.
        n_chars: Characters recorded.
        sites: What was recorded.
        nats_per_char: Mean negative log probability of the true next character over those recorded; NaN if
            predictions were not asked for.
        chars_per_s: Speed at which the text was read, writing included; what an earlier run had done does not count.
        lane_differences: For each site of the state, how far lanes differed where they meet.
        saturated: The sites within [-1, 1] that are in float32 because float16 would lose their order.
    """

    path: Path
    n_chars: int
    sites: tuple[Site, ...]
    nats_per_char: float
    chars_per_s: float
    lane_differences: Mapping[Site, LaneDifference]
    saturated: tuple[Site, ...]

    @property
    def lane_difference(self) -> float:
        """The largest difference of any unit of the state at any border of lanes."""
        return max((difference.largest for difference in self.lane_differences.values()), default=0.0)

    @property
    def unsettled(self) -> list[Unit]:
        """The units that differed by more than 1 % of their range at some border of lanes, the farthest off first."""
        return unsettled(self.lane_differences)

    def row(self) -> dict[str, Cell]:
        """Return the row that `probe extract --json` prints."""
        return {
            "path": str(self.path),
            "n_chars": self.n_chars,
            "sites": [str(site) for site in self.sites],
            "nats_per_char": self.nats_per_char,
            "chars_per_s": self.chars_per_s,
            "lane_difference": self.lane_difference,
            "unsettled": [str(unit) for unit in self.unsettled],
            "saturated": [str(site) for site in self.saturated],
        }

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.n_chars:,} characters, {len(self.sites)} sites, "
            f"{self.nats_per_char:.3f} nats per character, {self.chars_per_s:,.0f} characters/s"
            + "".join(
                f"\n  where lanes meet, {site} differs by {difference.typical:.2g} on average, "
                f"{difference.largest:.2g} at most"
                for site, difference in self.lane_differences.items()
            )
            + self._said_of_saturated
        )

    @property
    def _said_of_saturated(self) -> str:
        if not self.saturated:
            return ""
        named = ", ".join(map(str, self.saturated))
        why = "float16 would lose the order of some of their units, as where a gate saturates"
        return f"\n  in float32, since {why}: {named}"

    @property
    def warning(self) -> str | None:
        """What to tell whoever trusts the lanes, if some units never settled."""
        if not self.unsettled:
            return None
        named = ", ".join(str(unit) for unit in self.unsettled[:_NAMED_UNITS])
        more = len(self.unsettled) - _NAMED_UNITS
        return (
            f"{len(self.unsettled):,} units still differ by more than 1 % of their range after the warm-up, where "
            f"lanes meet: {named}{f' and {more:,} more' if more > 0 else ''}; a longer --warm-up may help, and "
            "--lanes 1 is exact"
        )


def extract(
    live: LiveActivations,
    path: Path | str,
    *,
    sites: AnySites | None = None,
    predictions: bool = True,
    force: bool = False,
    command: str = "",
    progress: Progress = lambda done, total: None,
) -> Extraction:
    """Read the text once and record the activations.

    A run that is broken off, however that happens, is gone on with when the same is asked for again.

    Args:
        live: The model and the text.
        path: The recording to write; it appears when it is complete.
        sites: What to record; None is all that the model shows.
        predictions: Whether to record the model's predictions, too.
        force: Record also what a model makes of a text that it predicts worse than the frequencies of the
            characters alone do, which as a rule is read with the wrong vocabulary. With interventions, that is not
            asked.
        command: The command that asked for it, for people who find the recording.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If the recording cannot be written, another run is writing it, or the model does not fit
            the text.
    """
    began = perf_counter()
    chosen = in_order(live.sites, resolve_sites(live.sites, sites))
    is_judged = is_trained(live.model) and not live.interventions and predictions and not force
    judge = Judge(live.corpus, live.vocabulary, live.reading_rule) if is_judged else None
    facts: dict[str, Any] = {
        "model_sha256": live.model_sha256,
        "model_config": description(live.model),
        "n_lanes": live.n_lanes,
        "n_groups": live.n_groups,
        "warm_up_chars": live.warm_up_chars,
        "device": live.arithmetic.place.type,
        "precision": live.arithmetic.precision,
    }
    if not live.reading_rule.is_plain:
        facts["reading_rule"] = live.reading_rule.to_data()
    if live.vocabulary.names:
        facts["token_names"] = dict(live.vocabulary.names)
    if live.interventions:
        facts["interventions"] = [str(each) for each in live.interventions]
    with recording(
        Path(path),
        live.corpus,
        live.vocabulary,
        {site: _facts(live, site) for site in chosen},
        predictions=predictions,
        selection=live.selection,
        job={
            **facts,
            "replacement": live.vocabulary.replacement,
            "turn_chars": live.turn_chars,
            "n_cores": torch.get_num_threads(),
        },
    ) as recorder:
        n_chars_before = recorder.n_chars_done
        position = _record(live, recorder, chosen, predictions=predictions, judge=judge, progress=progress)
        nats_per_char = mean_loss(recorder.column(layout.prediction_path(layout.LOG_PROB))) if predictions else math.nan
        live.lane_differences = position.borders.differences(live.sites)
        for site, difference in live.lane_differences.items():
            recorder.keep_differences(site, difference.by_unit, difference.range)
        recorder.describe(
            **facts,
            lane_differences={str(site): (d.largest, d.typical) for site, d in live.lane_differences.items()},
            nats_per_char=nats_per_char,
            made_by={"program": "char-probe", "version": version("char-probe"), "command": command},
        )
    return Extraction(
        path=Path(path),
        n_chars=live.selection.n_chars,
        sites=tuple(chosen),
        nats_per_char=nats_per_char,
        chars_per_s=(live.selection.n_chars - n_chars_before) * live.selection.every / (perf_counter() - began),
        lane_differences=live.lane_differences,
        saturated=tuple(site for site in chosen if site in live.saturated),
    )


def _facts(live: LiveActivations, site: Site) -> layout.SiteFacts:
    limits = None if site in live.unbounded else (-1.0, 1.0)
    return layout.SiteFacts(live.sites[site], live.coding(site), limits, site in carried(live.model))


def _record(
    live: LiveActivations,
    recorder: Recorder,
    sites: Collection[Site],
    *,
    predictions: bool,
    judge: Judge | None,
    progress: Progress,
) -> Position:
    """Record what is not recorded yet, round after round; where the reading has come to in the end."""
    position = Position.from_arrays(recorder.begun) if recorder.begun else Position.start(live.n_groups)
    if judge is not None and recorder.begun and _JUDGE in recorder.begun:
        judge.recall(recorder.begun[_JUDGE])
    done = recorder.n_chars_done
    for found in live.rounds(sites, predictions=predictions, begun=position):
        done += _write(found, live, recorder, judge)
        position.take(found)
        progress(done, live.selection.n_chars)
        if recorder.wants_checkpoint:
            recorder.checkpoint({**position.to_arrays(), **({_JUDGE: judge.heard} if judge is not None else {})})
        del found  # its memory is wanted
    if judge is not None:
        judge.decide()
    return position


def _write(found: Round, live: LiveActivations, recorder: Recorder, judge: Judge | None) -> int:
    """Record a round, and say how many characters it has."""
    for block in found.blocks:
        _check_numbers(block, live)
        recorder.write(block)
        if judge is not None:
            judge.hear(block)
    return sum(block.n_chars for block in found.blocks)


def _check_numbers(block: Block, live: LiveActivations) -> None:
    log_probs = block.predictions.get(layout.LOG_PROB)
    if log_probs is None:
        return
    ends = live.corpus.is_first if live.reading_rule.backwards else live.corpus.is_last
    if not np.isfinite(log_probs[~ends(block.places)]).all():
        why = ": an intervention makes them so" if live.interventions else "; its weights are broken, train it again"
        raise ActivationError(f"the model's predictions are not numbers{why}")
