"""What is planted in the recordings that tests generate, and models made by hand."""

import torch

from activations.models.char_rnn import CharRNN, ModelConfig
from activations.units import Site, Unit
from activations.vocab import Vocabulary

PLANTED = {
    "in_quotes": Unit(Site(0, "hidden"), 3),
    "in_comment": Unit(Site(1, "hidden"), 5),
    "position_in_line": Unit(Site(1, "cell"), 7),
}
SITES = {Site(0, "hidden"): 6, Site(1, "hidden"): 9, Site(1, "cell"): 8}


def random_model(text: str, seed: int = 0, *, gain: float = 1.0, **config: str | int) -> CharRNN:
    """An untrained model that knows the characters of a text; a larger gain makes it remember longer."""
    torch.manual_seed(seed)
    model = CharRNN(ModelConfig(**{"n_units": 8, **config}), Vocabulary.of([text]))  # type: ignore[arg-type]
    for weight in model.rnn.parameters():
        weight.data *= gain
    return model.eval()
