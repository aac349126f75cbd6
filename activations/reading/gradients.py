"""Back-propagation through a text: derivatives of losses with respect to the values of a model's units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from activations.blocks import Source
from activations.errors import ActivationError
from activations.gradient_sums import Floats, GradientSums, HeldPath, Measure
from activations.interventions import Intervention
from activations.models.cells.equations import Layer
from activations.models.cells.kinds import Cell
from activations.models.char_model import CharModel
from activations.models.char_rnn import CharRNN
from activations.progress import Advance, no_advance
from activations.reading.lanes.compute_options import ComputeOptions
from activations.texts.corpus import Corpus
from activations.texts.tokenising import TokenisedText, tokenise
from activations.units import Site

_GRAPH_BYTES = 400_000_000  # of what autograd keeps of the documents that are read side by side
_TENSORS_PER_GATE = 4  # that autograd keeps of each step and unit

_Intervene = Callable[[int, str, Tensor], Tensor]


class _Reader(Source, Protocol):
    """The attributes of live activations that are used here."""

    model: CharRNN | CharModel
    compute: ComputeOptions

    @property
    def interventions(self) -> Sequence[Intervention]: ...


class _Document(NamedTuple):
    """The tokens of a document that are read.

    Attributes:
        number: Its number in the text.
        ids: (n_steps,) the tokens.
        following: (n_steps,) the tokens that follow; 0 where none does.
        weights: (n_sets, n_steps) the weight of the prediction after each token.
    """

    number: int
    ids: NDArray[np.int64]
    following: NDArray[np.int64]
    weights: Floats


def read_gradients(
    live: _Reader,
    corpus: Corpus,
    sites: Sequence[Site],
    weights: Floats,
    *,
    state: Mapping[Site, Floats] | None = None,
    path: HeldPath | None = None,
    measure: Measure = "loss",
    advance: Advance = no_advance,
) -> GradientSums:
    """Differentiate sums of losses with respect to the values of units; see `ModelSource.read_gradients`."""
    if not isinstance(live.model, CharRNN):
        raise ActivationError("a model of your own computes its steps itself, so that there are no gradients of them")
    if live.interventions:
        raise ActivationError("gradients are those of a model without interventions; read it without them")
    wanted = [path.site] if path else list(sites)
    network = _Network.of(live.model, live.compute.torch_device)
    text = tokenise(corpus, live.reading_rule, live.vocabulary)
    documents = _documents(text, weights, restored=state is not None)
    shape = len(corpus.documents), len(weights)
    sums = GradientSums(*({site: np.zeros((*shape, live.sites[site])) for site in wanted} for _ in range(2)))
    for together in _side_by_side(documents, network.bytes_per_step):
        numbers = [document.number for document in together]
        lanes = _Lanes.of(together, network, state, measure)
        found = lanes.along(path) if path else lanes.gradients(wanted)
        for site, (gradients, products) in found.items():
            sums.gradients[site][numbers] = gradients.double().transpose(0, 1).cpu().numpy()
            sums.products[site][numbers] = products.double().transpose(0, 1).cpu().numpy()
        advance(sum(corpus.documents[number].n_chars for number in numbers))
    return sums


class InputGradients(NamedTuple):
    """How a prediction depends on the characters that were read.

    Attributes:
        norms: (n_chars,) norm of the gradient of the log probability of a token with respect to the input vectors of
            each character's tokens, in nats per 1; 0 for characters that are read later, or do not count.
        token: The token, as the character that stands for it in the vocabulary.
        log_prob: Its log probability after the character, in nats.
    """

    norms: Floats
    token: str
    log_prob: float


def input_gradients(
    live: _Reader, position: int, token: str | None = None, *, n_tokens: int | None = None
) -> InputGradients:
    """Differentiate the prediction after a character with respect to what was read up to it.

    Input vectors are embeddings, or for models without them one-hot vectors.

    Args:
        live: The model and a text; the model reads the document with the position, from a zero state.
        position: Position of the character after which the prediction is made.
        token: The predicted token, as the character that stands for it in the vocabulary; None is the most probable.
        n_tokens: The number of tokens, up to that position, that count; None is all of the document. Each takes some
            .5 ms.

    Raises:
        ActivationError: If the model is of another kind or has interventions, or there is no such position or token.
    """
    if not isinstance(live.model, CharRNN):
        raise ActivationError("a model of your own computes its steps itself, so that there are no gradients of them")
    if live.interventions:
        raise ActivationError("gradients are those of a model without interventions; read it without them")
    if not 0 <= position < len(live.corpus):
        raise ActivationError(f"there is no character {position:,}; the text has {len(live.corpus):,}")
    if token is not None and token not in set(live.vocabulary.characters):
        raise ActivationError(f"the model does not know {token!r}, and so never predicts it")
    text = tokenise(live.corpus, live.reading_rule, live.vocabulary)
    in_order = text.mirrored_position(position)
    last = int(text.last_tokens_of(range(in_order, in_order + 1))[0])
    number = int(np.searchsorted(text.token_corpus.starts, last, side="right")) - 1
    first = int(text.token_corpus.starts[number])
    model = live.model
    ids = torch.from_numpy(text.ids(first, last + 1))[:, None].to(model.readout.weight.device)
    n_before = 0 if n_tokens is None else max(len(ids) - n_tokens, 0)
    with torch.no_grad():
        state = model.rnn(model.input_vectors(ids[:n_before]), None)[1] if n_before else None
    with torch.enable_grad():
        vectors = model.input_vectors(ids[n_before:]).detach().requires_grad_()
        outputs, _ = model.rnn(vectors, state)
        log_probs = torch.log_softmax(model.readout(outputs[-1, 0]), dim=-1)
        chosen = int(log_probs.argmax()) if token is None else live.vocabulary.characters.index(token)
        [gradients] = torch.autograd.grad(log_probs[chosen], vectors)
    squares = (gradients[:, 0].double() ** 2).sum(dim=-1).cpu().numpy()
    sums = np.bincount(text.positions(first + n_before, last + 1), squares, len(live.corpus))
    norms = np.sqrt(np.asarray(sums, np.float64))
    return InputGradients(norms, live.vocabulary.characters[chosen], float(log_probs[chosen].detach()))


@dataclass(frozen=True, slots=True, eq=False)
class _Network:
    """A model on a device, computed by the equations of its cell; its weights need no gradients.

    Attributes:
        cell: The kind of cell.
        layers: The parameters of the layers.
        table: (n_characters, n_gates * n_units) the input's share of the gates of layer 0.
        readout: The weight and the bias of the read-out.
        widths: Number of units of each site of the state.
        bytes_per_step: What autograd keeps of a step of a lane, roughly.
    """

    cell: Cell
    layers: list[Layer]
    table: Tensor
    readout: tuple[Tensor, Tensor]
    widths: dict[Site, int]
    bytes_per_step: int

    @classmethod
    @torch.no_grad()
    def of(cls, model: CharRNN, device: torch.device) -> "_Network":
        """Make a model's weights ready."""
        layers = [_detached(model.layer(n), device) for n in range(model.config.n_layers)]
        n_characters = len(model.vocabulary)
        vectors = model.input_vectors(torch.arange(n_characters)).to(device)
        kept = _TENSORS_PER_GATE * len(model.cell.gate_names) * model.config.n_units * len(layers) + 3 * n_characters
        return cls(
            cell=model.cell,
            layers=layers,
            table=layers[0].from_input(vectors),
            readout=(model.readout.weight.detach().to(device), model.readout.bias.detach().to(device)),
            widths={site: model.sites[site] for site in model.carried},
            bytes_per_step=4 * kept,
        )

    def logits(self, ids: Tensor, state: Mapping[Site, Tensor], intervene: _Intervene) -> Tensor:
        """Return (n_steps, n_lanes, n_characters) logits, with all values passed through `intervene`."""
        inputs, hidden = self.table[ids], torch.empty(0)
        for number, layer in enumerate(self.layers):
            if number:
                inputs = layer.from_input(hidden)
            signals: Mapping[str, Tensor] = {s: state[Site.of(number, s)] for s in self.cell.state}
            rows = []
            for step_inputs in inputs:
                signals = self.cell.equations(layer, step_inputs, signals, partial(intervene, number))
                rows.append(signals["hidden"])
            hidden = torch.stack(rows)
        return nn.functional.linear(hidden, *self.readout)


@dataclass(frozen=True, slots=True, eq=False)
class _Lanes:
    """Documents that are read side by side, a lane each.

    Attributes:
        network: The model.
        ids: (n_steps, n_lanes) tokens; 0 behind the end of a document.
        following: (n_steps, n_lanes) the tokens that follow.
        weights: (n_sets, n_steps, n_lanes) the weights of their predictions; 0 behind the end.
        state: (n_lanes, n_units) the state before the first of these tokens, for each site that is carried.
        measure: What is differentiated.
    """

    network: _Network
    ids: Tensor
    following: Tensor
    weights: Tensor
    state: Mapping[Site, Tensor]
    measure: Measure

    @classmethod
    def of(
        cls,
        documents: Sequence[_Document],
        network: _Network,
        state: Mapping[Site, Floats] | None,
        measure: Measure,
    ) -> "_Lanes":
        """Put documents side by side."""
        shape = max(len(document.ids) for document in documents), len(documents)
        ids, following = np.zeros((2, *shape), np.int64)
        weights = np.zeros((len(documents[0].weights), *shape), np.float32)
        for lane, document in enumerate(documents):
            ids[: len(document.ids), lane] = document.ids
            following[: len(document.ids), lane] = document.following
            weights[:, : len(document.ids), lane] = document.weights
        numbers, device = [document.number for document in documents], network.table.device
        states = {
            site: np.zeros((len(documents), n)) if state is None else state[site][numbers]
            for site, n in network.widths.items()
        }
        return cls(
            network=network,
            ids=torch.from_numpy(ids).to(device),
            following=torch.from_numpy(following).to(device),
            weights=torch.from_numpy(weights).to(device),
            state={site: torch.from_numpy(np.asarray(v, np.float32)).to(device) for site, v in states.items()},
            measure=measure,
        )

    @torch.no_grad()
    def gradients(self, sites: Sequence[Site]) -> dict[Site, tuple[Tensor, Tensor]]:
        """Return Σ ∂M/∂a and Σ a ∂M/∂a of sites, (n_sets, n_lanes, n_units); ∂ by all that follows from a value."""
        values: dict[str, list[Tensor]] = {site.name: [] for site in sites}

        def follow(layer: int, signal: str, value: Tensor) -> Tensor:
            if (of_site := values.get(f"{layer}/{signal}")) is not None:
                of_site.append(value if value.requires_grad else value.requires_grad_())
            return value

        with torch.enable_grad():
            measures = self._measures(follow)
        flat = [value for of_site in values.values() for value in of_site]
        by_set = [self._differentiate(measures, number, flat) for number in range(len(measures))]
        found, n_steps = {}, len(self.ids)
        for n, site in enumerate(sites):
            part = slice(n * n_steps, (n + 1) * n_steps)
            found[site] = (
                torch.stack([_total(gradients[part]) for gradients in by_set]),
                torch.stack([_total(map(torch.mul, flat[part], gradients[part])) for gradients in by_set]),
            )
        return found

    @torch.no_grad()
    def along(self, path: HeldPath) -> dict[Site, tuple[Tensor, Tensor]]:
        """Return the same as `gradients` with means of the derivatives over a path, each by one value alone."""
        held: list[Tensor] = []
        position = iter(held)

        def record(layer: int, signal: str, value: Tensor) -> Tensor:
            if path.site.name == f"{layer}/{signal}":
                held.append(value)
            return value

        def hold(layer: int, signal: str, value: Tensor) -> Tensor:
            return next(position) if path.site.name == f"{layer}/{signal}" else value

        self.network.logits(self.ids, self.state, record)
        base = torch.stack(held)
        way = torch.from_numpy(np.asarray(path.values, np.float32)).to(base.device) - base
        mean = torch.zeros(len(self.weights), *base.shape, device=base.device)
        for step in range(path.n_steps):
            values = [row.requires_grad_() for row in (base + (step + 0.5) / path.n_steps * way).unbind()]
            position = iter(values)
            with torch.enable_grad():
                measures = self._measures(hold)
            for number in range(len(measures)):
                mean[number] += torch.stack(self._differentiate(measures, number, values)) / path.n_steps
        return {path.site: (mean.sum(dim=1), (base * mean).sum(dim=1))}

    def _measures(self, intervene: _Intervene) -> list[Tensor]:
        """Return the weighted sum of losses or logits for each set."""
        logits = self.network.logits(self.ids, self.state, intervene)
        scores = -torch.log_softmax(logits, -1) if self.measure == "loss" else logits
        of_following = scores.gather(-1, self.following[..., None]).squeeze(-1)
        return [(weights * of_following).sum() for weights in self.weights]

    def _differentiate(self, measures: Sequence[Tensor], number: int, values: Sequence[Tensor]) -> list[Tensor]:
        """Return the derivative of one of the measures with respect to each of some values."""
        if not self.weights[number].any():
            return [torch.zeros_like(value) for value in values]
        is_last = not self.weights[number + 1 :].any()
        gradients = torch.autograd.grad(
            measures[number], values, retain_graph=not is_last, allow_unused=True, materialize_grads=True
        )
        return list(gradients)


def _documents(text: TokenisedText, weights: Floats, *, restored: bool) -> Iterator[_Document]:
    """Yield the tokens of each document, without those of the first character if the state after it is given."""
    n_documents = len(text.corpus.documents)
    in_order = weights[:, ::-1] if text.is_backwards else weights
    characters = text.corpus.documents
    for number, document in enumerate(text.token_corpus.documents):
        first_char = characters[number].start
        start = int(text.last_tokens_of(range(first_char, first_char + 1))[0]) + 1 if restored else document.start
        ids = text.ids(start, document.stop)
        following = np.append(ids[1:], 0)
        next_tokens = np.arange(start + 1, document.stop)
        next_chars = next_tokens if text.last_tokens is None else np.searchsorted(text.last_tokens, next_tokens)
        of_tokens = np.where(next_chars > first_char, in_order[:, next_chars - 1], 0)
        if len(ids) > 1:
            yield _Document(
                n_documents - 1 - number if text.is_backwards else number,
                ids,
                following,
                np.pad(of_tokens, ((0, 0), (0, 1))),
            )


def _side_by_side(documents: Iterator[_Document], bytes_per_step: int) -> Iterator[list[_Document]]:
    """Yield documents of about one length, as many at a time as memory allows, or one."""
    together: list[_Document] = []
    for document in sorted(documents, key=lambda document: len(document.ids), reverse=True):
        if together and (len(together) + 1) * len(together[0].ids) * bytes_per_step > _GRAPH_BYTES:
            yield together
            together = []
        together.append(document)
    if together:
        yield together


def _detached(layer: Layer, device: torch.device) -> Layer:
    """Return the parameters of a layer on a device, without gradients."""
    tensors: dict[str, Any] = {field.name: getattr(layer, field.name) for field in fields(layer)}
    for name, tensor in tensors.items():
        if isinstance(tensor, Tensor):
            tensors[name] = tensor.detach().to(device)
    return Layer(**tensors)


def _total(tensors: Iterator[Tensor] | Sequence[Tensor]) -> Tensor:
    """Return the sum of tensors of one shape."""
    first, *others = tensors
    total = first.clone()
    for tensor in others:
        total += tensor
    return total
