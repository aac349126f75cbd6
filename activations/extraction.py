"""A model reading a text: the live source of blocks, and the recording of it."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from activations import layout
from activations.blocks import Block, site_dtype
from activations.borders import Borders, LaneDifference
from activations.corpus import Corpus
from activations.errors import ActivationError
from activations.lanes import BLOCK_CHARS, WARM_UP_CHARS, Piece, Turn, cut, default_n_lanes, rounds, share_out
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import model_sha256
from activations.recorder import recording
from activations.store import Recording
from activations.units import Site

Progress = Callable[[int, int], None]
SCRATCH_BYTES = 20_000_000_000


class LiveActivations:
    """A model and a text: activations that are computed each time they are asked for.

    The text is cut into lanes that are read side by side. The first lane of a document starts where the
    document does and is exact; the others are warmed up on what precedes them.

    Attributes:
        model: What reads.
        corpus: What is read.
        n_lanes: How many pieces are read side by side; 1 is one unbroken reading.
        warm_up_chars: Characters that a lane reads before those it answers for.
        n_replaced: Characters that are read as the vocabulary's replacement.
        lane_differences: For each site of the state, what the last complete pass found at the lanes' borders.
    """

    def __init__(
        self,
        model: CharRNN,
        corpus: Corpus,
        *,
        n_lanes: int | None = None,
        warm_up_chars: int = WARM_UP_CHARS,
        replace_unknown: bool = False,
    ) -> None:
        if n_lanes is not None and n_lanes < 1:
            raise ActivationError(f"the number of lanes is {n_lanes}; it must be at least 1")
        if warm_up_chars < 0:
            raise ActivationError(f"the warm-up is {warm_up_chars} characters; it cannot be negative")
        self.model = model.eval()
        self.corpus = corpus
        self.n_lanes = n_lanes or default_n_lanes(corpus)
        self.warm_up_chars = warm_up_chars
        self.lane_differences: dict[Site, LaneDifference] = {}
        self.n_replaced = sum(model.vocabulary.count_unknown(corpus).values())
        self._ids = torch.from_numpy(model.vocabulary.encode(corpus, replace_unknown=replace_unknown))

    @property
    def sites(self) -> Mapping[Site, int]:
        """Every signal of every layer, and how many units it has."""
        config = self.model.config
        return {
            Site(layer, signal): config.n_units
            for layer in range(config.n_layers)
            for signal in self.model.cell.signals
        }

    def dtype(self, site: Site) -> np.dtype[Any]:
        """The number type in which a site's activations are given."""
        return site_dtype(site.signal in self.model.cell.unbounded)

    def blocks(self, sites: Collection[Site] | None = None, *, predictions: bool = False) -> Iterator[Block]:
        """Every character once, in blocks, those of all lanes in turn.

        Args:
            sites: What to give of each character; None is all there is.
            predictions: Whether to give the model's predictions, too.
        """
        wanted = frozenset(self.sites if sites is None else sites)
        if unknown := wanted - set(self.sites):
            raise ActivationError(
                f"the model has no site {min(unknown)}; it has {', '.join(str(site) for site in self.sites)}"
            )
        lanes = share_out(cut(self.corpus, self.n_lanes, self.warm_up_chars), self.n_lanes)
        reading = _Reading(self.model, len(lanes))
        borders = Borders()
        for turns in rounds(lanes):
            reading.narrow(len(turns))
            for lane, turn in enumerate(turns):
                if turn.is_first:
                    reading.reset(lane)
                if turn.start == turn.piece.start and not self._begins_document(turn.piece):
                    borders.meet(turn.start, reading.state(lane))
            top, values = self._read(reading, turns, wanted)
            for lane, turn in enumerate(turns):
                if turn.stop == turn.piece.stop and not self._ends_document(turn.piece):
                    borders.meet(turn.stop, reading.state(lane))
            kinds = self._predict(top, turns) if predictions else {}
            for lane, turn in enumerate(turns):
                if turn.is_kept:
                    n = turn.stop - turn.start
                    yield Block(
                        turn.piece.document,
                        turn.start,
                        {site: array[lane, :n] for site, array in values.items()},
                        {name: array[lane, :n] for name, array in kinds.items()},
                    )
        self.lane_differences = borders.differences(self.sites)

    @contextmanager
    def rereadable(self, sites: Collection[Site], progress: Progress = lambda done, total: None) -> Iterator[Recording]:
        """A recording of some sites in a temporary folder, for what needs many passes.

        Args:
            sites: What to record.
            progress: Called with the characters done and their number.

        Raises:
            ActivationError: If it would be larger than `SCRATCH_BYTES`, or cannot be written.
        """
        n_bytes = len(self.corpus) * sum(self.dtype(site).itemsize * self.sites[site] for site in sites)
        if n_bytes > SCRATCH_BYTES:
            raise ActivationError(
                f"{len(sites)} sites over {len(self.corpus):,} characters would need {n_bytes / 1e9:,.0f} GB of "
                f"scratch space, and {SCRATCH_BYTES / 1e9:,.0f} GB are allowed; choose fewer sites, a shorter "
                "text, or record it with `probe extract` where there is room"
            )
        with TemporaryDirectory(prefix="char-probe-") as folder:
            extract(self, Path(folder) / "scratch.h5", sites=sites, predictions=False, progress=progress)
            with Recording(Path(folder) / "scratch.h5") as recording:
                yield recording

    def _begins_document(self, piece: Piece) -> bool:
        return piece.start == self.corpus.documents[piece.document].start

    def _ends_document(self, piece: Piece) -> bool:
        return piece.stop == self.corpus.documents[piece.document].stop

    @torch.inference_mode()
    def _read(
        self, reading: "_Reading", turns: list[Turn], wanted: frozenset[Site]
    ) -> tuple[Tensor, dict[Site, NDArray[Any]]]:
        """Let every lane read its turn.

        Returns:
            The last layer's hidden states (BLOCK_CHARS, n_lanes, n_units), and for each wanted site
            (n_lanes, BLOCK_CHARS, n_units).
        """
        inputs = torch.zeros(BLOCK_CHARS, len(turns), dtype=torch.int64)
        for lane, turn in enumerate(turns):
            inputs[: turn.stop - turn.start, lane] = self._ids[turn.start : turn.stop]
        values = {}
        for layer in range(self.model.config.n_layers):
            signals = reading.scan(inputs, layer)
            for signal, tensor in signals.items():
                if (site := Site(layer, signal)) in wanted:
                    values[site] = _by_lane(tensor, self.dtype(site))
            inputs = signals["hidden"]
        return inputs, values

    @torch.inference_mode()
    def _predict(self, top: Tensor, turns: list[Turn]) -> dict[str, NDArray[Any]]:
        """Predictions by kind, each (n_lanes, BLOCK_CHARS) or (n_lanes, BLOCK_CHARS, n_characters)."""
        log_probs = torch.log_softmax(self.model.readout(top), dim=-1)  # (BLOCK_CHARS, n_lanes, n_characters)
        following = torch.zeros(top.shape[:2], dtype=torch.int64)
        unknown = torch.ones(top.shape[:2], dtype=torch.bool)
        for lane, turn in enumerate(turns):
            stop = min(turn.stop + 1, self.corpus.documents[turn.piece.document].stop)
            n = stop - turn.start - 1
            following[:n, lane] = self._ids[turn.start + 1 : stop]
            unknown[:n, lane] = False
        true = log_probs.gather(-1, following.unsqueeze(-1)).squeeze(-1).masked_fill(unknown, torch.nan)
        kinds = {layout.LOG_PROB: np.ascontiguousarray(true.t().numpy())}
        if log_probs.shape[-1] <= layout.MOST_WHOLE_DISTRIBUTION:
            return {**kinds, layout.DISTRIBUTION: _by_lane(log_probs, np.dtype(np.float16))}
        best = log_probs.topk(layout.N_TOP)
        return {
            **kinds,
            layout.TOP_IDS: np.ascontiguousarray(best.indices.transpose(0, 1).numpy().astype(np.uint32)),
            layout.TOP_LOG_PROBS: _by_lane(best.values, np.dtype(np.float16)),
        }


class _Reading:
    """The state of every lane, and the tensors that a round is computed in."""

    def __init__(self, model: CharRNN, n_lanes: int) -> None:
        self._model = model
        self._shape = (n_lanes, model.config.n_units)
        self._states = [
            {signal: torch.zeros(self._shape) for signal in model.cell.state} for _ in range(model.config.n_layers)
        ]
        self._out: dict[str, Tensor] = {}
        self.narrow(n_lanes)

    def narrow(self, n_lanes: int) -> None:
        """Go on with the first `n_lanes` lanes."""
        if self._out and n_lanes == self._out["hidden"].shape[1]:
            return
        self._states = [{signal: state[:n_lanes].clone() for signal, state in own.items()} for own in self._states]
        self._out = {
            signal: torch.empty(BLOCK_CHARS, n_lanes, self._model.config.n_units) for signal in self._model.cell.signals
        }

    def reset(self, lane: int) -> None:
        """Let a lane start from the zero state."""
        for own in self._states:
            for state in own.values():
                state[lane] = 0

    def state(self, lane: int) -> dict[Site, NDArray[np.float32]]:
        """(n_units,) state of a lane, for each site that carries it."""
        return {
            Site(layer, signal): state[lane].numpy().copy()
            for layer, own in enumerate(self._states)
            for signal, state in own.items()
        }

    def scan(self, inputs: Tensor, layer: int) -> dict[str, Tensor]:
        """(BLOCK_CHARS, n_lanes, n_units) of every signal of a layer; valid until the next call."""
        model = self._model
        model.cell.scan(
            model.project(inputs, layer),
            self._states[layer],
            model.weight_hh(layer),
            model.candidate_bias(layer),
            self._out,
        )
        return self._out


def _by_lane(tensor: Tensor, dtype: np.dtype[Any]) -> NDArray[Any]:
    """(n_steps, n_lanes, n) as a new (n_lanes, n_steps, n) of another number type."""
    n_steps, n_lanes, n = tensor.shape
    array = np.empty((n_lanes, n_steps, n), dtype)
    torch.from_numpy(array).copy_(tensor.transpose(0, 1))
    return array


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """What came of recording a model's reading of a text.

    Attributes:
        path: The recording.
        n_chars: Characters read.
        sites: What was recorded.
        nats_per_char: Mean negative log probability of the true next character.
        chars_per_s: Speed, writing included.
        lane_differences: For each site of the state, how far lanes differed where they meet.
    """

    path: Path
    n_chars: int
    sites: tuple[Site, ...]
    nats_per_char: float
    chars_per_s: float
    lane_differences: Mapping[Site, LaneDifference]

    @property
    def lane_difference(self) -> float:
        """The largest difference of any unit of the state at any border of lanes."""
        return max((difference.largest for difference in self.lane_differences.values()), default=0.0)

    def __str__(self) -> str:
        return (
            f"{self.path}: {self.n_chars:,} characters, {len(self.sites)} sites, "
            f"{self.nats_per_char:.3f} nats per character, {self.chars_per_s:,.0f} characters/s"
            + "".join(
                f"\n  where lanes meet, {site} differs by {difference.typical:.2g} on average, "
                f"{difference.largest:.2g} at most"
                for site, difference in self.lane_differences.items()
            )
        )


def extract(
    live: LiveActivations,
    path: Path | str,
    *,
    sites: Collection[Site] | None = None,
    predictions: bool = True,
    progress: Progress = lambda done, total: None,
) -> Extraction:
    """Read the text once and record the activations.

    Args:
        live: The model and the text.
        path: The recording to write; it appears when it is complete.
        sites: What to record; None is every signal of every layer.
        predictions: Whether to record the model's predictions, too.
        progress: Called with the characters done and their number.

    Raises:
        ActivationError: If the recording cannot be written. Nothing is left behind then.
    """
    began = perf_counter()
    chosen = sorted(live.sites if sites is None else sites)
    done = 0
    loss = 0.0
    with recording(
        Path(path),
        live.corpus,
        live.model.vocabulary,
        {site: (live.sites[site], live.dtype(site)) for site in chosen},
        predictions=predictions,
    ) as recorder:
        for block in live.blocks(chosen, predictions=True):
            recorder.write(block)
            ends = int(block.stop == live.corpus.documents[block.document].stop)  # where nothing follows
            loss -= float(block.predictions[layout.LOG_PROB][: block.n_chars - ends].sum(dtype=np.float64))
            done += block.n_chars
            progress(done, len(live.corpus))
        nats_per_char = loss / (len(live.corpus) - len(live.corpus.documents))
        if not math.isfinite(nats_per_char):
            raise ActivationError("the model's predictions are not numbers; its weights are broken, train it again")
        recorder.describe(
            model_sha256=model_sha256(live.model),
            model_config=asdict(live.model.config),
            n_lanes=live.n_lanes,
            warm_up_chars=live.warm_up_chars,
            lane_differences={str(site): (d.largest, d.typical) for site, d in live.lane_differences.items()},
            nats_per_char=nats_per_char,
        )
    return Extraction(
        path=Path(path),
        n_chars=len(live.corpus),
        sites=tuple(chosen),
        nats_per_char=nats_per_char,
        chars_per_s=len(live.corpus) / (perf_counter() - began),
        lane_differences=live.lane_differences,
    )
