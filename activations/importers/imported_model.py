"""An imported model as it is shown: how its file was interpreted, how well it predicts a text, and warnings."""

from collections.abc import Mapping
from dataclasses import dataclass

from activations.importers.interpretation import Interpretation
from activations.importers.layers.parts import Parts
from activations.importers.search import Search
from activations.models.char_rnn import CharRNN
from activations.models.evaluation import Evaluation

MIN_CHARS = 200  # of a text that may decide something
HINTS = (
    "a vocabulary in another order (--vocab), gates in another order (--gates), matrices to be transposed "
    "(--transposed), hidden states before inputs (--hidden-first), a text to be read in another way (--read-as, "
    "--backwards, --eos, --sos), biases that the file leaves out, or a text of another kind than in training"
)
_GOOD_CHARS = 10_000
_SHOWN_CELLS = {"rnn_relu": "RNN (relu)", "gru_reset_before": "GRU (reset gate before the matrix)"}
_DEFAULTS = {
    "hidden_first": "the inputs before the hidden states",
    "update_swapped": "the update gate as the share of the old state",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImportedModel:
    """An imported model, and how its file was interpreted.

    Attributes:
        model: The model, ready to read a text.
        kind: What kind of file or object the source is.
        parts: The parts that were found in the source.
        interpretation: How the parts were interpreted.
        vocabulary_source: Where the vocabulary comes from.
        evaluation: How well the model predicts the text, if one was given.
        requested: The interpretation before the text was consulted.
        undecided: Fields of it that neither the source nor the user decided.
        search: The losses of other interpretations on the text, if one was given.
        pairs_nats_per_char: Loss on the text of the frequencies of pairs of characters; a good model has a lower one.
        aside_in_short: What is left aside, many arrays in a container by the container's name.
        is_without_biases: True if the file says that its layers have no biases, so that none are missing.
    """

    model: CharRNN
    kind: str
    parts: Parts
    interpretation: Interpretation
    vocabulary_source: str
    evaluation: Evaluation | None = None
    requested: Interpretation
    undecided: frozenset[str]
    search: Search | None = None
    pairs_nats_per_char: float | None = None
    aside_in_short: tuple[str, ...] = ()
    is_without_biases: bool = False

    def __str__(self) -> str:
        config, parts, interpretation = self.model.config, self.parts, self.interpretation
        kind = _SHOWN_CELLS.get(config.cell, config.cell.upper())
        gates, transposed, rule = interpretation.gates, interpretation.transposed, interpretation.rule
        lines = {
            **parts.notes,
            "gates": f"in the order {', '.join(gates)}" if len(gates) > 1 else "",
            "order": ", ".join(f"layer {number}" for number in interpretation.layer_order),
            "transposed": f"{transposed} square matrices" if transposed != "no" else "",
            "rule": "" if rule.is_plain else f"the text is read {rule}",
            "joined": "the hidden states come before the inputs" if interpretation.hidden_first else "",
            "forget": f"{interpretation.forget_bias:g} is added to the forget gate"
            if interpretation.forget_bias
            else "",
            "update": "the update gate is the share of the candidate" if interpretation.update_swapped else "",
            "activation": "" if interpretation.gate_function == "sigmoid" else f"{interpretation.gate_function} gates",
            "vocabulary": f"{len(self.model.vocabulary)} characters: {self.vocabulary_source}",
            "unused": ", ".join(parts.unused),
            "left aside": ", ".join(self.aside_in_short),
            **self._lines_of_search(),
        }
        return "\n".join(
            [
                f"{config.n_layers} {'layers' if config.n_layers > 1 else 'layer'} of {config.n_units} {kind} units, "
                f"from {self.kind}: {parts.stack.form}",
                *(f"  {name:<11}{line}" for name, line in lines.items() if line),
            ]
        )

    def _lines_of_search(self) -> dict[str, str]:
        if self.search is None or self.evaluation is None:
            return {}
        lines = {"text": f"{self.evaluation}; pairs of characters alone: {self.pairs_nats_per_char:.3f} nats"}
        if self.interpretation != self.requested:
            lines["settled"] = (
                f"by the text, {_and(self.requested.changes(self.interpretation))}: "
                f"{self.search.best_nats_per_char:.2f} nats per character on a sample, otherwise "
                f"{self.search.nats_per_char:.2f}"
            )
        rival = self.search.rival_of(self.interpretation)
        nats, rival_nats = (self.search.tried[tried].nats_per_char for tried in (self.interpretation, rival))
        changes = self._undone(self.interpretation.changes(rival))
        if round(rival_nats, 2) < round(nats, 2):
            lines["better"] = f"{rival_nats:.2f} nats on a sample, {with_options(changes)}; this one has {nats:.2f}"
        else:
            lines["next best"] = f"{rival_nats:.2f} nats, {with_options(changes)}"
        return lines

    def _undone(self, changes: Mapping[str, str]) -> dict[str, str]:
        """Describe changes back to what a program does by default; an option that was not given cannot be left out."""
        undone = {field for field in self.undecided & changes.keys() if changes[field].startswith("without")}
        return {field: _DEFAULTS.get(field, option) if field in undone else option for field, option in changes.items()}

    @property
    def warning(self) -> str | None:
        """A warning for everyone who relies on the model, if there is reason for one."""
        warnings = [*self.parts.stack.doubts, *self.parts.left_out]
        if self.parts.unused:
            warnings.append(f"{', '.join(self.parts.unused)} did not find a place in the model")
        without_biases = self.parts.stack.without_biases
        if without_biases and not self.is_without_biases:
            are_all = len(without_biases) == len(self.parts.stack.layers)
            what = "the layers have no biases" if are_all else f"{without_biases[0]} has no biases, unlike other layers"
            warnings.append(f"{what}; if the model had some, it is not as good here as it was")
        names = ", ".join(sorted(self.undecided)).replace("_", " ")
        guessed = f" ({names} had to be guessed)" if names else ""
        if self.evaluation is None:
            warnings.append(
                f"the interpretation is not checked{guessed}: give a --text that the model ought to predict well"
            )
        elif self.search is not None and self.search.n_chars < MIN_CHARS:
            warnings.append(
                f"the interpretation is not checked{guessed}: the text has {self.search.n_chars} characters, which is "
                f"too short to check it by; give one of {MIN_CHARS} or more, better of {_GOOD_CHARS:,}"
            )
        elif self.pairs_nats_per_char is not None and self.evaluation.nats_per_char > self.pairs_nats_per_char:
            warnings.append(
                f"the model predicts the text worse ({self.evaluation.nats_per_char:.2f} nats per character) than the "
                f"frequencies of pairs of characters do ({self.pairs_nats_per_char:.2f}); it may be {HINTS}"
            )
        return "; ".join(warnings) or None


def with_options(changes: Mapping[str, str]) -> str:
    """Say with which options an interpretation is another one, given the options of the fields that differ."""
    options = _and(changes)
    return options if options.startswith("without") else f"with {options}"


def _and(changes: Mapping[str, str]) -> str:
    return " and ".join(changes.values())
