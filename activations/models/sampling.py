"""Texts that a model writes itself."""

import torch

from activations.corpus import Corpus
from activations.errors import ActivationError
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN


@torch.inference_mode()
def write_texts(
    model: CharRNN | CharModel, n_texts: int, n_chars: int, *, prompt: str, temperature: float = 1.0, seed: int = 0
) -> list[str]:
    """Let a model go on from a prompt, several times, each from the state that it begins with.

    Args:
        model: One of ours.
        n_texts: How many texts.
        n_chars: That it writes of each, beside the prompt.
        prompt: What it reads first.
        temperature: By which the logits are divided before a character is drawn; 0 takes the most probable one.
        seed: Of the draws.

    Returns:
        The texts, each with the prompt in front.

    Raises:
        ActivationError: If a number is out of range, or the model does not know a character of the prompt.
    """
    if not isinstance(model, CharRNN):
        raise ActivationError("only models that this program trained or imported can write texts")
    for name, number in (("texts", n_texts), ("characters", n_chars)):
        if number < 1:
            raise ActivationError(f"{number} {name} cannot be written; ask for 1 or more")
    if not 0 <= temperature < float("inf"):
        raise ActivationError(f"the temperature is {temperature}; it is 0 or a number above 0")
    if not prompt:
        raise ActivationError("the prompt is empty; a model needs a character to go on from")
    ids = torch.from_numpy(model.vocabulary.look_up(Corpus.from_texts([prompt * 2]).codes[: len(prompt)]))
    if (ids < 0).any():
        raise ActivationError(f"the model does not know {prompt[int((ids < 0).nonzero()[0])]!r}; use another prompt")
    generator = torch.Generator().manual_seed(seed)
    logits, state = model(ids[:, None].expand(-1, n_texts))
    written = torch.empty(n_chars, n_texts, dtype=torch.int64)
    for step in range(n_chars):
        if temperature == 0:
            written[step] = logits[-1].argmax(dim=1)
        else:
            chances = torch.softmax(logits[-1].double() / temperature, dim=1)
            written[step] = torch.multinomial(chances, 1, generator=generator)[:, 0]
        logits, state = model(written[step][None], state)
    characters = model.vocabulary.characters
    return [prompt + "".join(characters[place] for place in text) for text in written.T.tolist()]
