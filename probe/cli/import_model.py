"""The command `probe import`, which reads models of other programs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from typer import Argument, Option

from activations.models.cells.names import CELL_NAMES
from probe.cli.option_groups import with_options
from probe.cli.options import FactoryOption, JsonOption, OverwriteOption, RangeOption
from probe.cli.provenance import provenance
from probe.cli.reading import RuledTextOptions, range_ends
from probe.cli.showing import TableCell, progress, say, show_rows, warn
from probe.cli.training_options import Gates

if TYPE_CHECKING:
    from activations.importers.imported_model import ImportedModel
    from activations.texts.corpus import Corpus

if TYPE_CHECKING:
    RecurrentCell = str
else:  # mypy takes no names that are computed
    RecurrentCell = Literal[CELL_NAMES]
Transposed = Literal["no", "recurrent", "all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutOptions:
    """Options of how to read the arrays in another program's file, where it does not say."""

    cell: Annotated[
        RecurrentCell | None,
        Option(
            help="The recurrent cell, as with rnn (tanh) or rnn_relu, where the file does not say.", show_default=False
        ),
    ] = None
    gates: Annotated[
        str | None, Option(help="The order of the gates in the file, such as i,f,o,g or r,z,n.", show_default=False)
    ] = None
    transposed: Annotated[
        Transposed | None,
        Option(help="Square matrices that are transposed in the file.", show_default=False),
    ] = None
    hidden_first: Annotated[
        bool | None,
        Option(
            "--hidden-first",
            help="Matrices on inputs and hidden states together have the hidden states first.",
            show_default=False,
        ),
    ] = None
    gate_function: Annotated[
        Gates | None,
        Option(help="Activation function of the gates, where the file does not say.", show_default=False),
    ] = None
    update_swapped: Annotated[
        bool | None,
        Option(
            "--update-swapped",
            help="The update gate of a GRU is the share of the candidate, not of the old state.",
            show_default=False,
        ),
    ] = None
    forget_bias: Annotated[
        float | None,
        Option(help="Number that the program adds to an LSTM's forget gate, besides its bias.", show_default=False),
    ] = None
    layer_order: Annotated[
        str | None,
        Option(
            help="The layers from the input upwards, numbered as they are found, such as 2,1, where the file does not "
            "say.",
            show_default=False,
        ),
    ] = None
    prefix: Annotated[str, Option(help="Only arrays whose names begin with this.", show_default=False)] = ""
    force: Annotated[
        bool,
        Option(
            "--force",
            help="Leave out arrays that have no place, and keep your options even if the text contradicts them.",
        ),
    ] = False

    def settings(self) -> dict[str, Any]:
        """Return these options by the names that the library has for them."""
        return {
            "cell": self.cell,
            "gates": self.gates,
            "transposed": self.transposed,
            "hidden_first": self.hidden_first,
            "gate_function": self.gate_function,
            "update_swapped": self.update_swapped,
            "forget_bias": self.forget_bias,
            "layer_order": self.layer_order,
            "prefix": self.prefix,
            "force": self.force,
        }


@with_options
def import_model(
    source: Annotated[Path, Argument(help="A model that another program wrote.", show_default=False)],
    output: Annotated[Path, Option("--output", "-o", help="Where the model goes.")] = Path("model.pt"),
    vocab: Annotated[
        str | None,
        Option(
            help="The order of the characters: printable, code-points, sorted:TEXT, json:FILE, pickle:FILE, "
            "chars:STRING, or file:NAME for one of several in SOURCE.  (default: look for it in SOURCE)",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[Path] | None,
        Option(
            help="A text that the model should predict well, to check the import by; may be repeated.",
            show_default=False,
        ),
    ] = None,
    part: RangeOption = None,
    overwrite: OverwriteOption = False,
    *,
    layout: LayoutOptions,
    model_factory: FactoryOption = None,
    text_options: RuledTextOptions,
    as_json: JsonOption = False,
) -> None:
    """Import a model of another program, without running anything in its file.

    PyTorch (state_dicts, whole modules, TorchScript), safetensors, Keras, Lua Torch, JSON, .npz: docs/importing.md.

    Example:
        probe import theirs.pth --vocab sorted:corpus.txt --text corpus.txt
    """
    from activations.files import check_new, check_output
    from activations.importers.importing import import_model as read_model
    from activations.importers.vocabulary.vocabularies import file_of
    from activations.importers.wrapping import contents_from_factory
    from activations.models.checkpoints import model_sha256, save_model
    from activations.texts.reading_rule import PLAIN
    from hypotheses.running import process_kept

    factory = Path(model_factory.rpartition(":")[0]) if model_factory else None
    check_output(output, source, *(text or []), *(path for path in (file_of(vocab), factory) if path))
    check_new(output, overwrite=overwrite)
    corpus = _checking_text(text, part, text_options)
    with process_kept():
        contents, own_vocabulary, own_rule = (
            contents_from_factory(model_factory, source) if model_factory else (source, None, PLAIN)
        )
    with progress("trying" if corpus else "reading") as report:
        result = read_model(
            contents,
            vocab or own_vocabulary,
            text=corpus,
            rule=text_options.rule(own_rule),
            encoding=text_options.encoding,
            newlines=text_options.newlines,
            progress=report,
            **layout.settings(),
        )
    save_model(result.model, output, training={"imported_from": source.name, "kind": result.kind})
    if result.warning:
        warn(f"warning: {result.warning}")
    if as_json:
        made = provenance(model_sha256=model_sha256(result.model), text_sha256=corpus.sha256 if corpus else None)
        show_rows([_row(result, output) | made], as_json=True)
    else:
        say(f"{output}: {result}")
        say(f"next: probe extract {output} corpus.txt")


def _checking_text(texts: list[Path] | None, part: str | None, options: RuledTextOptions) -> "Corpus | None":
    """Read the text, or the part of it, that the imported model should predict well."""
    from activations.errors import ActivationError
    from activations.texts.corpus import Corpus
    from activations.texts.selection import Selection

    corpus = options.read(texts) if texts else None
    if part is None:
        return corpus
    if corpus is None:
        raise ActivationError("--range is a part of the --text that is given, and there is none")
    chosen = Selection.of(len(corpus), *range_ends(part))
    return Corpus.from_texts([corpus.text(chosen.start, chosen.stop)], [corpus.documents[0].name])


def _row(result: "ImportedModel", output: Path) -> dict[str, TableCell]:
    config = result.model.config
    evaluation = result.evaluation
    return {
        "path": str(output),
        "kind": result.kind,
        "cell": config.cell,
        "n_layers": config.n_layers,
        "n_units": config.n_units,
        "n_embedding": config.n_embedding,
        "vocabulary_size": len(result.model.vocabulary),
        "gates": result.interpretation.gates,
        "transposed": result.interpretation.transposed,
        "hidden_first": result.interpretation.hidden_first,
        "gate_function": result.interpretation.gate_function,
        "update_swapped": result.interpretation.update_swapped,
        "forget_bias": result.interpretation.forget_bias,
        "layer_order": ",".join(map(str, result.interpretation.layer_order)),
        "vocabulary_source": result.vocabulary_source,
        "reading_rule": str(result.interpretation.rule),
        "read_out": result.parts.notes["read-out"],
        "unused": list(result.parts.unused),
        "left_aside": list(result.parts.aside),
        "warning": result.warning,
        "nats_per_char": evaluation.nats_per_char if evaluation else None,
        "n_chars": evaluation.n_chars if evaluation else None,
    }
