"""`probe import`."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from probe.cli.options import FactoryOption, JsonOption, RangeOption
from probe.cli.reading import RuledTextOptions, ends, with_options
from probe.cli.show import Cell, progress, say, show_rows, warn


@with_options
def import_model(
    source: Annotated[Path, Argument(help="A model that another program wrote.", show_default=False)],
    output: Annotated[Path, Option("--output", "-o", help="Where the model goes.")] = Path("model.pt"),
    vocab: Annotated[
        str | None,
        Option(
            help="The order of the characters: printable, sorted:TEXT, json:FILE, pickle:FILE or chars:STRING.  "
            "(default: look for it in SOURCE)",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[Path] | None,
        Option(
            help="A text that the model ought to predict well, to check it by; may be repeated.", show_default=False
        ),
    ] = None,
    part: RangeOption = None,
    cell: Annotated[
        str | None, Option(help="rnn (tanh) or rnn_relu, where the file does not tell.", show_default=False)
    ] = None,
    gates: Annotated[
        str | None, Option(help="The order of the gates in the file, such as i,f,o,g or r,z,n.", show_default=False)
    ] = None,
    transposed: Annotated[
        str | None,
        Option(help="Square matrices that the file has transposed: no, recurrent or all.", show_default=False),
    ] = None,
    hidden_first: Annotated[
        bool | None,
        Option("--hidden-first", help="Matrices for both have hidden states before inputs.", show_default=False),
    ] = None,
    prefix: Annotated[str, Option(help="Only arrays whose names begin with this.", show_default=False)] = "",
    model_factory: FactoryOption = None,
    force: Annotated[bool, Option("--force", help="Write the model also if the text speaks against it.")] = False,
    *,
    how_read: RuledTextOptions,
    as_json: JsonOption = False,
) -> None:
    """Make a model of ours from somebody else's, without running anything in its file.

    PyTorch's state_dicts and whole pickled modules, one linear layer for each gate, JSON, .npz: docs/importing.md.

    Example:
        probe import theirs.pth --vocab sorted:corpus.txt --text corpus.txt
    """
    from activations.errors import ActivationError
    from activations.files import check_output
    from activations.importers.importing import import_model as read
    from activations.importers.vocabularies import file_of
    from activations.importers.wrapping import contents_from_factory
    from activations.models.checkpoints import save_model
    from activations.texts.corpus import Corpus
    from activations.texts.reading_rule import PLAIN
    from activations.texts.selection import Selection

    factory = Path(model_factory.rpartition(":")[0]) if model_factory else None
    check_output(output, source, *(text or []), *(each for each in (file_of(vocab), factory) if each))
    corpus = how_read.read(text) if text else None
    if part is not None:
        if corpus is None:
            raise ActivationError("--range is a part of the --text that is given, and there is none")
        chosen = Selection.of(len(corpus), *ends(part))
        corpus = Corpus.from_texts([corpus.text(chosen.start, chosen.stop)], [corpus.documents[0].name])
    contents, own, own_rule = contents_from_factory(model_factory, source) if model_factory else (source, None, PLAIN)
    with progress("trying" if corpus else "reading") as report:
        result = read(
            contents,
            vocab or own,
            text=corpus,
            cell=cell,
            gates=gates,
            transposed=transposed,
            hidden_first=hidden_first,
            rule=how_read.of(own_rule),
            prefix=prefix,
            encoding=how_read.encoding,
            newlines=how_read.newlines,
            force=force,
            progress=report,
        )
    save_model(result.model, output, training={"imported_from": source.name, "kind": result.kind})
    if result.warning:
        warn(f"warning: {result.warning}")
    config = result.model.config
    evaluation = result.evaluation
    row: dict[str, Cell] = {
        "path": str(output),
        "kind": result.kind,
        "cell": config.cell,
        "n_layers": config.n_layers,
        "n_units": config.n_units,
        "n_embedding": config.n_embedding,
        "n_characters": len(result.model.vocabulary),
        "gates": result.interpretation.gates,
        "transposed": result.interpretation.transposed,
        "hidden_first": result.interpretation.hidden_first,
        "vocabulary": result.vocabulary_source,
        "reading_rule": str(result.interpretation.rule),
        "read_out": result.parts.notes["read-out"],
        "unused": list(result.parts.unused),
        "left_aside": list(result.parts.aside),
        "warning": result.warning,
        "nats_per_char": evaluation.nats_per_char if evaluation else None,
        "n_chars": evaluation.n_chars if evaluation else None,
    }
    if as_json:
        show_rows([row], as_json=True)
    else:
        say(f"{output}: {result}")
        say(f"next: probe extract {output} corpus.txt")
