"""Weights to begin a training with, after the papers that propose them."""

import torch

from activations.errors import ActivationError
from activations.models.char_rnn import CharRNN

INITIALISATIONS = ("default", "identity", "positive_definite")
BEGINNINGS = {"irnn": ("rnn_relu", "identity"), "np_rnn": ("rnn_relu", "positive_definite")}  # cell, initialisation
_SMALL = 1e-3


@torch.no_grad()
def initialise(model: CharRNN, how: str) -> None:
    """Give a fresh model the weights to begin with.

    `default` leaves those that it has. `identity`: recurrent matrices are the identity, biases 0, and what comes from
    the layer below is small (IRNN). `positive_definite`: recurrent matrices are (A + I) / e, where A is the mean of
    products of normal vectors with themselves and e the largest eigenvalue of A + I, so that the largest of all is 1
    (NP-RNN); biases are 0.

    Args:
        model: A simple network with a relu, unless it is `default`.
        how: One of `INITIALISATIONS`.

    Raises:
        ActivationError: If there is no such way, or the model is no simple network.

    Source:
        Le, Jaitly & Hinton 2015, arXiv:1504.00941. Talathi & Vartak 2015, arXiv:1511.03771.
    """
    if how not in INITIALISATIONS:
        raise ActivationError(f"the initialisation is {how!r}; choose one of {', '.join(INITIALISATIONS)}")
    model.initialisation = how
    if how == "default":
        return
    if model.config.cell != "rnn_relu":
        raise ActivationError(f"the initialisation {how} is for the cell rnn_relu, not {model.config.cell}")
    n_units = model.config.n_units
    for layer in range(model.config.n_layers):
        weights = {name: getattr(model.rnn, f"{name}_l{layer}") for name in ("weight_ih", "weight_hh")}
        for name in ("bias_ih", "bias_hh"):
            getattr(model.rnn, f"{name}_l{layer}").zero_()
        if how == "identity":
            torch.nn.init.eye_(weights["weight_hh"])
            if layer or model.embedding is not None:
                torch.nn.init.normal_(weights["weight_ih"], std=_SMALL)
            else:  # one character is on at a time
                torch.nn.init.normal_(weights["weight_ih"], std=10 * _SMALL)
        else:
            weights["weight_hh"].copy_(positive_definite(n_units))


def positive_definite(n_units: int) -> torch.Tensor:
    """(n_units, n_units) a random symmetric matrix whose eigenvalues are above 0, the largest of them 1."""
    vectors = torch.randn(n_units, n_units, dtype=torch.float64)
    matrix = vectors.T @ vectors / n_units + torch.eye(n_units, dtype=torch.float64)
    return torch.as_tensor(matrix / torch.linalg.eigvalsh(matrix)[-1])
