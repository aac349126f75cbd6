"""Options of a model's shape and of its training, declared once for all commands that train."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Option

from activations.models.cells.names import TRAINABLE_CELLS
from probe.cli.options import DeviceOption, PrecisionOption, SeedOption

if TYPE_CHECKING:
    from activations.models.char_rnn import ModelConfig
    from activations.models.training.config import TrainingConfig

if TYPE_CHECKING:
    Cell = str
else:  # mypy takes no names that are computed
    Cell = Literal[TRAINABLE_CELLS]
Preset = Literal["tiny", "small", "karpathy"]
Gates = Literal["sigmoid", "hard_sigmoid_keras", "hard_sigmoid_torch"]
Optimizer = Literal["adamw", "adam", "rmsprop", "adagrad"]
Schedule = Literal["cosine", "exponential", "constant"]

_LIBRARY_NAMES = {"steps": "n_steps", "projected": "n_projected"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapeOptions:
    """Options of the shape of a model."""

    cell: Annotated[Cell, Option(help="rnn has a tanh; irnn and np_rnn are rnn_relu with another initialisation.")] = (
        "lstm"
    )
    preset: Annotated[
        Preset | None,
        Option(
            help="tiny: 1 layer of 64 units; small: 2 of 128; karpathy: 3 of 512 "
            "(default: tiny below 100,000 characters, else small)",
            show_default=False,
        ),
    ] = None
    layers: Annotated[int | None, Option(help="Recurrent layers (default: by preset)", show_default=False)] = None
    units: Annotated[int | None, Option(help="Units in each layer (default: by preset)", show_default=False)] = None
    embedding: Annotated[int, Option(help="Size of learned input vectors; 0: one-hot characters.")] = 0
    gates: Annotated[Gates, Option(help="Activation function of the gates.")] = "sigmoid"
    peepholes: Annotated[bool, Option("--peepholes", help="Let the gates of an LSTM see its cells.")] = False
    projected: Annotated[
        int, Option(help="Project the hidden states of an LSTM to this many units; 0: no projection.")
    ] = 0
    layer_norm: Annotated[
        bool, Option("--layer-norm", help="Normalise the inputs of an LSTM's gates, and its cells.")
    ] = False

    def model_config(self, n_chars: int) -> "ModelConfig":
        """Return the shape of a model for a training text of this length."""
        from probe.training.recipes import shape_of

        return shape_of(n_chars=n_chars, **_library_options(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOptions:
    """Options of how a model is trained."""

    epochs: Annotated[
        int | None,
        Option(help="Passes over the text (default: as many as read 10 million characters)", show_default=False),
    ] = None
    lanes: Annotated[
        int | None,
        Option(help="Pieces of the text read side by side: the batch size (default: 32, or fewer)", show_default=False),
    ] = None
    steps: Annotated[int, Option(help="Characters through which the gradient flows back.")] = 64
    optimizer: Annotated[Optimizer, Option(help="The optimiser.")] = "adamw"
    learning_rate: Annotated[
        float | None,
        Option(
            help="Highest learning rate (default: .008, for cells with a relu .001, for irnn .0003; for adagrad ten "
            "times as much)",
            show_default=False,
        ),
    ] = None
    schedule: Annotated[
        Schedule, Option(help="How the learning rate falls: cosine, exponential (see --decay) or constant.")
    ] = "cosine"
    decay: Annotated[
        float, Option(help="Factor on the learning rate after each epoch, if the schedule is exponential.")
    ] = 0.97
    weight_decay: Annotated[
        float | None,
        Option(
            help="Weight decay of AdamW (default: .1 below 2 million characters, else 0; 0 for cells with a relu)",
            show_default=False,
        ),
    ] = None
    clip: Annotated[
        float | None,
        Option(
            help="The largest norm of the gradient; inf: no limit (default: 1, or no limit with --clip-values)",
            show_default=False,
        ),
    ] = None
    clip_values: Annotated[
        float, Option(help="The largest size of each element of the gradient, as in char-rnn; 0: no limit.")
    ] = 0.0
    patience: Annotated[
        int,
        Option(
            help="Stop after this many epochs (parts of them, if long) in which the held-out loss has not fallen; 0: "
            "never."
        ),
    ] = 0
    dropout: Annotated[
        float, Option(help="Share of activations dropped between layers and before the read-out, from 0 up to 1.")
    ] = 0.0
    norm_stabiliser: Annotated[
        float, Option(help="Weight of a penalty on norms of hidden states that change from step to step.")
    ] = 0.0
    min_count: Annotated[int, Option(help="Characters that occur less often share one replacement.")] = 1
    precision: PrecisionOption = "float32"
    device: DeviceOption = "cpu"
    seed: SeedOption = 0

    def settings(self) -> dict[str, Any]:
        """Return these options by the names that the library has for them."""
        return _library_options(self)

    def training_config(self, cell: str, n_chars: int) -> "TrainingConfig":
        """Return how a model with such cells is trained on a text of this length."""
        from probe.training.recipes import settings_of

        return settings_of(cell, n_chars, **self.settings())


def _library_options(options: ShapeOptions | TrainingOptions) -> dict[str, Any]:
    return {_LIBRARY_NAMES.get(name, name): value for name, value in asdict(options).items()}
