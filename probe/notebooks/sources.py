"""What notebooks show of recordings, live activations, texts and arrays of activations."""

from typing import Any

from activations.lazy_activations import LazyActivations
from activations.texts.corpus import Corpus
from probe.html.tables import Cell, pairs_table, table, text_html

_MOST_SITES = 24
_N_SHOWN_CHARS = 300  # of a text
_N_SHOWN_DOCUMENTS = 3


def source_html(source: Any) -> str:
    """Return what a recording, live activations or a session have: the text, the sites and the model.

    Nothing is read.
    """
    recording = getattr(source, "source", source)  # of a session
    facts: dict[str, Cell] = {}
    if hasattr(recording, "path"):
        facts["file"] = str(recording.path)
    facts["characters"] = source.selection.n_chars
    if source.selection.n_chars != len(source.corpus):
        facts["of a text of"] = len(source.corpus)
    facts["documents"] = len(source.corpus.documents)
    facts |= _described(recording)
    facts["model"] = source.model_sha256[:12]
    sites = list(source.sites.items())
    columns: dict[str, list[Cell]] = {
        "site": [str(site) for site, _ in sites[:_MOST_SITES]],
        "units": [n_units for _, n_units in sites[:_MOST_SITES]],
    }
    more = f"<div>… and {len(sites) - _MOST_SITES:,} more sites</div>" if len(sites) > _MOST_SITES else ""
    kind = type(source).__name__
    heading = f'<div style="font-weight: bold">{kind}</div>'
    return heading + pairs_table(facts) + (table(columns) + more if sites else "") + _beginning(source.corpus)


def corpus_html(corpus: Corpus) -> str:
    """Return the size of a text, its documents, and how it begins."""
    documents = [document.name or "(no name)" for document in corpus.documents[:_N_SHOWN_DOCUMENTS]]
    n_more = len(corpus.documents) - len(documents)
    facts: dict[str, Cell] = {
        "characters": len(corpus),
        "documents": len(corpus.documents),
        "names": ", ".join(documents) + (f" and {n_more:,} more" if n_more else ""),
    }
    return f'<div style="font-weight: bold">Corpus</div>{pairs_table(facts)}{_beginning(corpus)}'


def lazy_html(activations: LazyActivations) -> str:
    """Return what an array of activations holds, without reading any of it."""
    facts: dict[str, Cell] = {
        "shape": " × ".join(f"{n:,}" for n in activations.shape),
        "of": ", ".join(dict.fromkeys(str(unit.site) for unit in activations.units))
        if activations.ndim > 1
        else str(activations.units[0]),
        "dtype": str(activations.dtype),
        "read": "when rows are used, as in array[:1000]",
    }
    return f'<div style="font-weight: bold">{type(activations).__name__}</div>{pairs_table(facts)}'


def _described(recording: Any) -> dict[str, Cell]:
    """Return what the file of a recording says of how it was made, as far as it does."""
    description = getattr(recording, "description", None)
    if not isinstance(description, dict):
        return {}
    loss, date = description.get("nats_per_char"), description.get("date")
    facts: dict[str, Cell] = {}
    if isinstance(loss, float):
        facts["loss, nats per character"] = loss
    if isinstance(date, str):
        facts["made"] = date
    return facts


def _beginning(corpus: Corpus) -> str:
    """Return the first lines of a text."""
    text = corpus.text(0, _N_SHOWN_CHARS)
    lines = "\n".join(text_html(line) for line in text.split("\n"))
    more = "…" if len(corpus) > _N_SHOWN_CHARS else ""
    style = "border-left: 3px solid currentColor; padding-left: 0.6em; opacity: 0.85; text-align: left"
    return f'<pre dir="ltr" style="{style}">{lines}{more}</pre>'
