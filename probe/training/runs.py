"""The folder of a training run: its loss curve, samples, and checkpoints."""

import math
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from activations.errors import ActivationError
from activations.files import check_is_file, check_new, make_folder, replacing
from activations.models.char_rnn import CharRNN, ModelConfig
from activations.models.checkpoints import TrainingRecord, model_sha256, save_model, training_record
from activations.models.sampling import default_prompt, write_texts
from activations.models.training.config import TrainingConfig
from activations.models.training.records import earlier_trainings
from activations.models.training.results import Training, TrainingRow, TrainingSnapshot
from activations.models.training.training import train
from activations.progress import NotedProgress, no_progress
from activations.texts.corpus import Corpus
from activations.texts.reading_rule import PLAIN, ReadingRule
from activations.texts.tokenising import vocabulary_to_learn
from activations.texts.vocab import Vocabulary
from probe.pictures.figures import figure_of, save_figure
from probe.tables import write_table
from probe.training.loss_curve import plot_losses
from probe.training.loss_files import LOSSES_FILE

LOSSES_PICTURE = "losses.png"
_SECONDS_BETWEEN_PICTURES = 30.0


class Run:
    """A training run and its output folder.

    `losses.csv` and `losses.png` are the loss curve, `samples.txt` has what the model wrote, `checkpoints` holds models
    by their number of updates, and `state.pt` is what an interrupted training is resumed from.

    Attributes:
        model: The file of the model.
        folder: The folder, named like the model's file with the ending `.training`.
    """

    def __init__(
        self,
        model: Path,
        *,
        weights: str = "float32",
        sample_every: float = 0.0,
        checkpoint_every: float = 0.0,
        sample_chars: int = 300,
    ) -> None:
        """Plan the run of a model that goes to a file.

        Args:
            model: Where the best model so far goes.
            weights: The number type in which its weights are stored.
            sample_every: The factor F of the updates 0, 1, F, F², F³ … after which a sample is written; 0 is none.
            checkpoint_every: The same factor for checkpoints.
            sample_chars: The length of a sample in characters.

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
            raise ActivationError(f"{model} is the name of the training's folder; end the model's name in .pt")
        self.folder = model.with_name(f"{model.name.removesuffix('.pt')}.training")
        self.model, self._weights = model, weights
        self._sample_every, self._checkpoint_every = sample_every, checkpoint_every
        self._sample_chars = sample_chars
        self._resumes = True
        self._drawn = time.monotonic()

    @property
    def state(self) -> Path:
        """The file from which an interrupted training is resumed."""
        return self.folder / "state.pt"

    @property
    def checkpoints(self) -> Path:
        """The folder of models saved during the training."""
        return self.folder / "checkpoints"

    def begin(self, *, resume: bool, overwrite: bool = False) -> None:
        """Make the folder, or resume in it.

        Args:
            resume: Whether to resume an interrupted training.
            overwrite: Whether a model that is there may be replaced, and what belongs to its training, also if that was
                interrupted.

        Raises:
            ActivationError: If it cannot be made; if there is nothing to resume; or if something would be lost.
        """
        if resume:
            self._check_resumable(overwrite=overwrite)
        elif not overwrite:
            self._check_nothing_is_lost()
        self._resumes = resume
        make_folder(self.folder)

    def check_inputs(self, inputs: Iterable[Path]) -> None:
        """Refuse to read files in the training's folder, of which samples and checkpoints are deleted when it begins.

        Raises:
            ActivationError: If one of the files is in the folder.
        """
        for path in inputs:
            if self.folder.resolve() in path.resolve().parents:
                raise ActivationError(
                    f"{path} is in the folder of this training, which replaces what is in it; name another model with "
                    "-o"
                )

    def _check_resumable(self, *, overwrite: bool) -> None:
        """Refuse to resume where there is no interrupted training, or where the model was imported."""
        model = self.model
        if not self.is_interrupted and not model.exists():
            raise ActivationError(f"there is no interrupted training in {self.folder}; leave out --resume")
        if not self.is_interrupted and training_record(model):
            raise ActivationError(
                f"there is no interrupted training in {self.folder}: that of {model} has ended; train it further with "
                f"--from {model}, and name another file with -o"
            )
        if not self.is_interrupted:
            raise ActivationError(
                f"{self.folder} has nothing to resume from, and {model} does not say how it was trained; train it "
                f"further with --from {model}, and name another file with -o"
            )
        if model.exists() and not overwrite and "imported_from" in training_record(model):
            raise ActivationError(
                f"{model} was imported after the training in {self.folder} was interrupted; move it, or replace it "
                "with --overwrite"
            )

    def _check_nothing_is_lost(self) -> None:
        """Refuse to begin where there is a model, or something of an earlier training."""
        if self.is_interrupted:
            raise ActivationError(
                f"{self.folder} has an interrupted training; continue it with --resume, or begin anew with --overwrite"
            )
        check_new(self.model, overwrite=False)
        left = [*self._outputs, self.folder / LOSSES_FILE, self.folder / LOSSES_PICTURE]
        if old := [path for path in left if path.exists()]:
            raise ActivationError(
                f"{old[0]} is of an earlier training; name another model with -o, or replace what is there with "
                "--overwrite"
            )

    @property
    def _outputs(self) -> list[Path]:
        """The samples and checkpoints of a training, which the next one deletes."""
        return [self.folder / "samples.txt", *sorted(self.checkpoints.glob("*.pt"))]

    @property
    def is_interrupted(self) -> bool:
        """True if there is a training to resume."""
        return self.state.exists()

    def train(
        self,
        parts: Sequence[Corpus],
        model: ModelConfig | CharRNN,
        config: TrainingConfig,
        rule: ReadingRule = PLAIN,
        progress: NotedProgress = no_progress,
        *,
        vocabulary: Vocabulary | None = None,
        replace_unknown: bool = False,
        before: TrainingRecord | None = None,
    ) -> Training:
        """Train the model, or resume its training, and write the model and the folder's files.

        Args:
            parts: The training text, the held-out text, and others whose characters a new model is to know.
            model: The shape of a new model, or a model whose weights to begin with.
            config: How to train it.
            rule: What it reads in place of the text itself.
            progress: See `training.train`.
            vocabulary: See `training.train`; None for a new model is one of all characters of the parts.
            replace_unknown: See `training.train`.
            before: How the model to begin with was trained, as its checkpoint says.
        """
        if isinstance(model, ModelConfig):
            vocabulary = vocabulary or vocabulary_to_learn(parts, rule, min_count=config.min_count)
        result = train(
            parts[0],
            parts[1],
            model,
            config,
            vocabulary=vocabulary,
            replace_unknown=replace_unknown,
            rule=rule,
            state=self.state,
            resume=self._resumes,
            at=self._has_output,
            watch=self._watch,
            progress=progress,
        )
        self._keep_curve(result.rows, is_last=True)
        record = result.record() | {
            "nats_per_char": result.losses[-1],
            "text": parts[0].sha256,
            "held_out": parts[1].sha256,
            "seconds": round(result.seconds, 1),
            **(_origin(model, before or {}) if isinstance(model, CharRNN) else {}),
        }
        save_model(result.model, self.model, training=record, dtype=self._weights)
        self.state.unlink(missing_ok=True)
        return result

    def _has_output(self, update: int) -> bool:
        """Tell whether something is to be written after an update."""
        is_planned = _is_planned(update, self._sample_every) or _is_planned(update, self._checkpoint_every)
        return is_planned or time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES

    def _watch(self, snapshot: TrainingSnapshot) -> None:
        """Write what is planned for this update."""
        if snapshot.update == 0:
            for old in self._outputs:
                old.unlink(missing_ok=True)
        if snapshot.is_best:
            save_model(snapshot.model, self.model, dtype=self._weights)
        if _is_planned(snapshot.update, self._checkpoint_every):
            make_folder(self.checkpoints)
            save_model(snapshot.model, self.checkpoints / f"{snapshot.update:08d}.pt", dtype=self._weights)
        if _is_planned(snapshot.update, self._sample_every):
            self._sample(snapshot)
        if snapshot.rows:
            self._keep_curve(snapshot.rows)

    def _keep_curve(self, rows: Sequence[TrainingRow], *, is_last: bool = False) -> None:
        """Write the losses so far, and draw them, unless that was done a moment ago."""
        names = {"loss": "nats_per_char", "held_out": "held_out_nats_per_char"}
        table = [{names.get(key, key): value for key, value in row._asdict().items()} for row in rows]
        write_table(self.folder / LOSSES_FILE, table)
        if is_last or time.monotonic() - self._drawn > _SECONDS_BETWEEN_PICTURES:
            save_figure(figure_of(plot_losses(rows)), self.folder / LOSSES_PICTURE)
            self._drawn = time.monotonic()

    def _sample(self, snapshot: TrainingSnapshot) -> None:
        """Append a sample to samples.txt, in place of one that a resumed training wrote at the same update."""
        prompt = default_prompt(snapshot.model.vocabulary, snapshot.model.reading_rule)
        [text] = write_texts(snapshot.model, 1, self._sample_chars, prompt=prompt, temperature=0.8)
        loss = f", {snapshot.rows[-1].loss:.3f} nats per character" if snapshot.rows else ""
        head = f"=== after {snapshot.update:,} updates{loss} ===\n"
        path = self.folder / "samples.txt"
        check_is_file(path, "file of samples")
        before = path.read_bytes().decode() if path.exists() else ""  # line ends as they are
        if head in before:  # written before the training was interrupted
            before = before[: before.index(head)]
        written = text.removesuffix(prompt) if snapshot.model.reading_rule.backwards else text.removeprefix(prompt)
        with replacing(path) as temporary:
            temporary.write_text(before + head + snapshot.model.vocabulary.shown(written) + "\n\n", encoding="utf-8")


def _origin(start: CharRNN, record: TrainingRecord) -> TrainingRecord:
    """Return what a checkpoint says about the model that its training began with.

    It is `from_model_sha256`, the hash of that model, and `before`, how it was trained: the record of each training,
    the earliest first.
    """
    earlier = {name: value for name, value in record.items() if name != "before"}
    return {"from_model_sha256": model_sha256(start), "before": [*earlier_trainings(record), earlier]}


def _is_planned(update: int, factor: float) -> bool:
    """Tell whether an update is among 0, 1, and the powers of a factor, rounded up."""
    if not factor:
        return False
    if update <= 1:
        return True
    power = math.log(update) / math.log(factor)
    return any(math.ceil(factor**n - 1e-9) == update for n in (math.floor(power), math.ceil(power)))
