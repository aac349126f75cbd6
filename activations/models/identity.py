"""Everything that distinguishes one model from another, for models of ours and for protocol models."""

import hashlib
from collections.abc import Collection, Mapping
from typing import Any

import torch

from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import model_sha256
from activations.texts.reading_rule import rule_of
from activations.units import Site

_N_PROBED_CHARS = 64


def is_trained(model: CharRNN | CharModel) -> bool:
    """Return True unless the model is one of ours that has not been trained."""
    return model.trained if isinstance(model, CharRNN) else True


@torch.inference_mode()
def predicts(model: CharRNN | CharModel) -> bool:
    """Return True unless a protocol model returns None in place of logits; it reads one character for that."""
    if isinstance(model, CharRNN):
        return True
    result: object = model.read(torch.zeros(1, 1, dtype=torch.int64), model.start(1))
    return not (isinstance(result, tuple) and result and result[0] is None)


def unbounded(model: CharRNN | CharModel) -> Collection[Site]:
    """Return the sites whose values may leave [-1, 1]: all of them if a protocol model does not say."""
    return getattr(model, "unbounded", model.sites)


def carried(model: CharRNN | CharModel) -> Collection[Site]:
    """Return the sites that are carried from one character to the next: none if a protocol model does not say."""
    return getattr(model, "carried", ())


def description(model: CharRNN | CharModel) -> dict[str, Any]:
    """Return a model's configuration, or the class and the sites of a protocol model, and if it predicts nothing."""
    if isinstance(model, CharRNN):
        return model.config.as_dict()
    described = {"class": type(model).__qualname__, "sites": {str(site): n for site, n in model.sites.items()}}
    return described if predicts(model) else {**described, "predicts": False}


@torch.inference_mode()
def sha256(model: CharRNN | CharModel) -> str:
    """Return a hash of a model, in hexadecimal.

    It is made of the weights, or of what a protocol model predicts for a fixed text; if it predicts nothing, of the
    values of its sites.
    """
    if isinstance(model, CharRNN):
        return model_sha256(model)
    ids = torch.arange(_N_PROBED_CHARS).remainder(len(model.vocabulary))[:, None]
    digest = hashlib.sha256(repr(_declared(model)).encode("utf-8", "surrogatepass"))
    result: object = model.read(ids, model.start(1))
    if isinstance(result, tuple) and len(result) > 1:  # else reading raises the error
        values = result[1].values() if result[0] is None and isinstance(result[1], Mapping) else [result[0]]
        for tensor in values:
            if isinstance(tensor, torch.Tensor):
                digest.update(tensor.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _declared(model: CharModel) -> tuple[object, ...]:
    """Return the description and the vocabulary of a protocol model, and its reading rule unless that is plain."""
    rule = rule_of(model)
    return (description(model), model.vocabulary) + (() if rule.is_plain else (rule,))
