"""What distinguishes one model from another, ours or a guest's."""

import hashlib
from collections.abc import Collection
from typing import Any

import torch

from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import model_sha256
from activations.texts.reading_rule import rule_of
from activations.units import Site

_HEARD = 64


def is_trained(model: CharRNN | CharModel) -> bool:
    """Whether it may be expected to know something: all models but fresh ones of ours."""
    return model.trained if isinstance(model, CharRNN) else True


def unbounded(model: CharRNN | CharModel) -> Collection[Site]:
    """The sites whose values may leave [-1, 1]: all, for a guest that does not say."""
    return getattr(model, "unbounded", model.sites)


def carried(model: CharRNN | CharModel) -> Collection[Site]:
    """The sites that are carried from one character to the next; none, for a guest that does not say."""
    return getattr(model, "carried", ())


def description(model: CharRNN | CharModel) -> dict[str, Any]:
    """Its configuration; a guest's class and sizes."""
    if isinstance(model, CharRNN):
        return model.config.as_dict()
    return {"class": type(model).__qualname__, "sites": {str(site): n for site, n in model.sites.items()}}


@torch.inference_mode()
def sha256(model: CharRNN | CharModel) -> str:
    """A hash of a model, in hexadecimal: of its weights, or of what a guest predicts in a short test."""
    if isinstance(model, CharRNN):
        return model_sha256(model)
    ids = torch.arange(_HEARD).remainder(len(model.vocabulary))[:, None]
    digest = hashlib.sha256(repr(_told(model)).encode("utf-8", "surrogatepass"))
    found: object = model.read(ids, model.start(1))
    if isinstance(found, tuple) and found and isinstance(found[0], torch.Tensor):  # what is wrong is told when it reads
        digest.update(found[0].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _told(model: CharModel) -> tuple[object, ...]:
    """What a guest says of itself; its reading rule, unless it reads the text as it stands."""
    rule = rule_of(model)
    return (description(model), model.vocabulary) + (() if rule.is_plain else (rule,))
