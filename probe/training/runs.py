"""The folder of a training: how the loss fell, what the model wrote, and its checkpoints on the way."""

import math
import time
from collections.abc import Sequence
from pathlib import Path

from activations.errors import ActivationError
from activations.files import make_folder, replacing
from activations.models.char_rnn import ModelConfig
from activations.models.checkpoints import save_model
from activations.models.sampling import usual_prompt, write_texts
from activations.models.training.config import TrainingConfig
from activations.models.training.training import Moment, Row, Training, train
from activations.progress import NotedProgress, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.tokenising import vocabulary_to_learn
from probe.figures import figure_of, save_figure
from probe.tables import write_table
from probe.training.loss_curve import plot_losses

_SECONDS_BETWEEN_PICTURES = 30.0
_SAMPLE_CHARS = 300


class Run:
    """What a training leaves behind while it goes on.

    `losses.csv` and `losses.png` are the curve, `samples.txt` what the model wrote, `checkpoints` holds models by the
    number of updates, and `state.pt` is what an interrupted training goes on from.

    Attributes:
        folder: Beside the model, with the ending `.training`.
    """

    def __init__(
        self, model: Path, *, weights: str = "float32", sample_every: float = 0.0, checkpoint_every: float = 0.0
    ) -> None:
        """Of a model that goes to a file.

        Args:
            model: Where the best model so far goes.
            weights: The number type that its weights are kept in.
            sample_every: Each sample comes so many times as many updates after the beginning as the one before; 0 is
                none.
            checkpoint_every: The same of checkpoints.

        Raises:
            ActivationError: If a factor is not above 1.
        """
        for name, factor in (("sample", sample_every), ("checkpoint", checkpoint_every)):
            if factor and not 1 < factor < math.inf:
                raise ActivationError(
                    f"a {name} after {factor:g} times as many updates as the last would not come later; "
                    "name a number above 1, such as 2"
                )
        if model.suffix == ".training":
            raise ActivationError(f"{model} is what the folder of the training is called; end the model's name in .pt")
        self.folder = model.with_name(f"{model.name.removesuffix('.pt')}.training")
        self._model, self._weights = model, weights
        self._sample_every, self._checkpoint_every = sample_every, checkpoint_every
        self._drawn = time.monotonic()

    @property
    def state(self) -> Path:
        """What an interrupted training goes on from."""
        return self.folder / "state.pt"

    @property
    def checkpoints(self) -> Path:
        """The folder of models on the way."""
        return self.folder / "checkpoints"

    def begin(self, *, resume: bool) -> None:
        """Make the folder, or go on in it.

        Raises:
            ActivationError: If it cannot be made; if there is nothing to go on from, or something is there that would
                be lost.
        """
        if resume and not self.is_interrupted:
            raise ActivationError(f"there is no interrupted training in {self.folder}; leave out --resume")
        if not resume and self.is_interrupted:
            raise ActivationError(
                f"{self.folder} is of a training that was interrupted; go on with --resume, or delete it to begin anew"
            )
        make_folder(self.folder)

    @property
    def is_interrupted(self) -> bool:
        """Whether there is a training to go on with."""
        return self.state.exists()

    def train(
        self,
        parts: Sequence[Corpus],
        shape: ModelConfig,
        config: TrainingConfig,
        rule: ReadingRule = PLAIN,
        progress: NotedProgress = no_progress,
    ) -> Training:
        """Train the model, or go on, and keep what is to be kept.

        Args:
            parts: The training text, the one to judge by, and others whose characters the model is to know.
            shape: Of the model.
            config: How to train it.
            rule: What it is to read in place of the text as it stands.
            progress: See `training.train`.
        """
        result = train(
            parts[0],
            parts[1],
            shape,
            config,
            vocabulary=vocabulary_to_learn(parts, rule, min_count=config.min_count),
            rule=rule,
            state=self.state,
            at=self._is_due,
            watch=self._watch,
            progress=progress,
        )
        self._keep_curve(result.rows, is_last=True)
        record = result.record() | {
            "nats_per_char": result.losses[-1],
            "text": parts[0].sha256,
            "held_out": parts[1].sha256,
            "seconds": round(result.seconds, 1),
        }
        save_model(result.model, self._model, training=record, dtype=self._weights)
        self.state.unlink(missing_ok=True)
        return result

    def _is_due(self, update: int) -> bool:
        """Whether there is something to keep after an update."""
        is_asked = _is_due(update, self._sample_every) or _is_due(update, self._checkpoint_every)
        return is_asked or time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES

    def _watch(self, moment: Moment) -> None:
        """Keep what is due."""
        if moment.update == 0:
            for old in (self.folder / "samples.txt", *self.checkpoints.glob("*.pt")):
                old.unlink(missing_ok=True)
        if moment.is_best:
            save_model(moment.model, self._model, dtype=self._weights)
        if _is_due(moment.update, self._checkpoint_every):
            make_folder(self.checkpoints)
            save_model(moment.model, self.checkpoints / f"{moment.update:08d}.pt", dtype=self._weights)
        if _is_due(moment.update, self._sample_every):
            self._sample(moment)
        if moment.rows:
            self._keep_curve(moment.rows)

    def _keep_curve(self, rows: Sequence[Row], *, is_last: bool = False) -> None:
        """Write the losses so far, and draw them, if that has not just been done."""
        names = {"loss": "nats_per_char", "held_out": "held_out_nats_per_char"}
        table = [{names.get(key, key): value for key, value in row._asdict().items()} for row in rows]
        write_table(self.folder / "losses.csv", table)
        if is_last or time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES:
            save_figure(figure_of(plot_losses(rows)), self.folder / "losses.png")
            self._drawn = time.monotonic()

    def _sample(self, moment: Moment) -> None:
        prompt = usual_prompt(moment.model.vocabulary, moment.model.reading_rule)
        [text] = write_texts(moment.model, 1, _SAMPLE_CHARS, prompt=prompt, temperature=0.8)
        loss = f", {moment.rows[-1].loss:.3f} nats per character" if moment.rows else ""
        head = f"=== after {moment.update:,} updates{loss} ===\n"
        path = self.folder / "samples.txt"
        before = path.read_bytes().decode() if path.exists() else ""  # line ends as they are
        if head in before:  # written before the training was interrupted
            before = before[: before.index(head)]
        written = text.removesuffix(prompt) if moment.model.reading_rule.backwards else text.removeprefix(prompt)
        with replacing(path) as temporary:
            temporary.write_text(before + head + moment.model.vocabulary.shown(written) + "\n\n", encoding="utf-8")


def _is_due(update: int, factor: float) -> bool:
    """Whether an update is among 0, 1, and the powers of a factor, rounded up."""
    if not factor:
        return False
    if update <= 1:
        return True
    power = math.log(update) / math.log(factor)
    return any(math.ceil(factor**n - 1e-9) == update for n in (math.floor(power), math.ceil(power)))
