"""Weights that a training starts from, as the papers that propose them define them."""

import torch

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN

INITIALISATIONS = ("default", "identity", "positive_definite")
_INPUT_STD = 1e-3


@torch.no_grad()
def initialise(model: CharRNN, initialisation: str) -> None:
    """Set the weights of a new model to those that its training starts from.

    `default` keeps the weights that the model was made with. `identity` (IRNN): recurrent matrices are the identity,
    biases are 0, and weights on the layer below are small. `positive_definite` (NP-RNN): recurrent matrices are
    (A + I) / e, where A = V'V / n for a matrix V of standard normal numbers and e is the largest eigenvalue of A + I,
    so that the largest eigenvalue of the recurrent matrix is 1; biases are 0.

    Args:
        model: A simple network of rectified units (`rnn_relu`), unless the initialisation is `default`. Modified.
        initialisation: One of `INITIALISATIONS`.

    Raises:
        ActivationError: If there is no such initialisation, or it is not for the model's cell.

    Source:
        Le, Jaitly & Hinton 2015, arXiv:1504.00941. Talathi & Vartak 2015, arXiv:1511.03771.
    """
    if initialisation not in INITIALISATIONS:
        raise ActivationError(f"the initialisation is {initialisation!r}; choose one of {', '.join(INITIALISATIONS)}")
    model.initialisation = initialisation
    if initialisation == "default":
        return
    if model.config.cell != "rnn_relu":
        raise ActivationError(f"the initialisation {initialisation} is for the cell rnn_relu, not {model.config.cell}")
    for layer in range(model.config.n_layers):
        weights = {name: getattr(model.rnn, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh")}
        for name in ("bias_ih", "bias_hh"):
            getattr(model.rnn, f"{name}_l{layer}").zero_()
        if initialisation == "identity":
            torch.nn.init.eye_(weights["weight_hh"])
            is_one_hot = layer == 0 and model.embedding is None
            # a one-hot vector has a single 1, so that its weights must be larger for the same effect
            torch.nn.init.normal_(weights["weight_ih"], std=10 * _INPUT_STD if is_one_hot else _INPUT_STD)
        else:
            weights["weight_hh"].copy_(positive_definite(model.config.n_units))


def positive_definite(n_units: int) -> torch.Tensor:
    """Draw a random (n_units, n_units) symmetric matrix of positive eigenvalues, the largest of which is 1."""
    vectors = torch.randn(n_units, n_units, dtype=torch.float64)
    matrix = vectors.T @ vectors / n_units + torch.eye(n_units, dtype=torch.float64)
    return torch.as_tensor(matrix / torch.linalg.eigvalsh(matrix)[-1])
