"""What a report says of the model, the text, and how it was read."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activations.blocks import Source
from analyses.session import Session
from probe.reporting.content import About

_EXCERPT_CHARS = 240
_CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn": "RNN", "tanh": "RNN (tanh)", "relu": "RNN (ReLU)"}


def about_of(source: Source, model_name: str = "") -> About:
    """Describe a source.

    Args:
        source: A recording or live activations, or a session of either.
        model_name: The file of the model; without it, a part of its hash stands for it.
    """
    inner = source.source if isinstance(source, Session) else source
    description: Mapping[str, Any] = getattr(inner, "description", {})
    corpus, used = source.corpus, source.selection
    documents = corpus.documents
    others = f", and {len(documents) - 1:,} others" if len(documents) > 1 else ""
    model_sha256 = source.model_sha256 or ""
    return About(
        model=model_text(description.get("model_config", {})),
        model_name=model_name or (f"model {model_sha256[:10]}" if model_sha256 else "unknown model"),
        model_sha256=model_sha256,
        text_name=documents[0].name + others,
        text_sha256=corpus.sha256,
        n_chars=used.n_chars,
        n_documents=len(documents),
        n_vocabulary=len(source.vocabulary),
        reading=_reading_text(description),
        excerpt=corpus.text(used.start, min(used.stop, used.start + _EXCERPT_CHARS)),
    )


def model_text(config: Mapping[str, Any]) -> str:
    """Say what a model is, from its configuration.

    >>> model_text({"cell": "lstm", "n_layers": 2, "n_units": 256, "n_embedding": 0})
    'LSTM, 2 layers of 256 units'
    >>> model_text({"cell": "gru", "n_layers": 1, "n_units": 1})
    'GRU, 1 layer of 1 unit'
    """
    if not {"cell", "n_layers", "n_units"} <= set(config):
        return str(config.get("class", "a model whose configuration is not recorded"))
    cell, n_layers, n_units = str(config["cell"]), int(config["n_layers"]), int(config["n_units"])
    layers = f"{n_layers} layer{'s' * (n_layers > 1)}"
    return f"{_CELLS.get(cell, cell)}, {layers} of {n_units:,} unit{'s' * (n_units > 1)}"


def _reading_text(description: Mapping[str, Any]) -> str:
    """Say how the model read, and how far that is from one unbroken reading."""
    sentences = []
    n_lanes = description.get("n_lanes")
    if n_lanes == 1:
        sentences.append("It was read in one unbroken reading.")
    elif n_lanes:
        sentences.append(f"It was read in {n_lanes:,} pieces side by side, with {_warm_up(description)} before each.")
    if date := description.get("date"):
        sentences.append(f"Recorded on {datetime.fromisoformat(str(date)):%d %B %Y}.")
    return " ".join(sentences)


def _warm_up(description: Mapping[str, Any]) -> str:
    n_chars = description.get("warm_up_chars")
    return "a warm-up" if n_chars is None else f"a warm-up of {n_chars:,} characters"
