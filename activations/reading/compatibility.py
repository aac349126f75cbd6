"""Options of a reading that a model does not allow are refused before anything is read."""

from activations.errors import ActivationError
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.reading.lanes.compute_options import ComputeOptions


def check_options(
    model: CharRNN | CharModel,
    n_lanes: int | None,
    warm_up_chars: int,
    compute: ComputeOptions,
    *,
    has_interventions: bool,
) -> None:
    """Refuse options that are out of range, or that the model does not have.

    Raises:
        ActivationError: If there is such an option.
    """
    if n_lanes is not None and n_lanes < 1:
        raise ActivationError(f"the number of lanes is {n_lanes}; it must be at least 1")
    if warm_up_chars < 0:
        raise ActivationError(f"the warm-up is {warm_up_chars} characters; it cannot be negative")
    if n_lanes == 1 and compute.precision != "float32":
        raise ActivationError("one lane is for an exact reading, and bf16 is not exact; use more lanes or float32")
    if isinstance(model, CharRNN):
        return
    if (compute.device, compute.precision) != ("cpu", "float32"):
        raise ActivationError(
            "a model of your own computes where and as it is written; --device and --precision are for models that "
            "`probe train` or `probe import` made"
        )
    if has_interventions:
        raise ActivationError(
            "a model of your own computes its steps itself; interventions are for models that `probe train` or "
            "`probe import` made"
        )
