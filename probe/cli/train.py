"""`probe train`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from probe.cli.options import EncodingOption, JsonOption, NewlinesOption, TextsArgument
from probe.cli.show import progress, say, show_rows


def train(
    corpus: TextsArgument,
    output: Annotated[Path, Option("--output", "-o", help="Where the model goes.")] = Path("model.pt"),
    cell: Annotated[str, Option(help="lstm, gru, rnn (tanh) or rnn_relu.")] = "lstm",
    layers: Annotated[int, Option(help="Recurrent layers.")] = 2,
    units: Annotated[int, Option(help="Units in each layer.")] = 128,
    embedding: Annotated[int, Option(help="Size of learned input vectors; 0: one-hot characters.")] = 0,
    held_out: Annotated[
        list[Path] | None,
        Option(help="Text to judge the model by; may be repeated.  [default: the last part of the corpus]"),
    ] = None,
    held_out_share: Annotated[float, Option(help="How much of the end of the corpus is held out otherwise.")] = 0.05,
    epochs: Annotated[int, Option(help="Passes over the text.")] = 10,
    lanes: Annotated[int, Option(help="Pieces of the text read side by side (the batch).")] = 32,
    steps: Annotated[int, Option(help="Characters through which the gradient flows back.")] = 64,
    learning_rate: Annotated[float, Option(help="Of Adam, at its height.")] = 8e-3,
    dropout: Annotated[float, Option(help="Share of activations dropped between layers, from 0 up to 1.")] = 0.0,
    min_count: Annotated[int, Option(help="Characters that occur less often share one replacement.")] = 1,
    precision: Annotated[
        str, Option(help="float32, or bf16: faster where the processor has bf16 matrix units.")
    ] = "float32",
    weights: Annotated[str, Option(help="float32, or float16: half the file.")] = "float32",
    seed: Annotated[int, Option(help="Same seed, same machine: same model.")] = 0,
    encoding: EncodingOption = "utf-8",
    newlines: NewlinesOption = "keep",
    as_json: JsonOption = False,
) -> None:
    """Train a character language model on text files.

    Example:
        probe train corpus.txt -o model.pt
    """
    from activations.corpus import Corpus
    from activations.errors import ActivationError
    from activations.files import check_output
    from activations.models.char_rnn import ModelConfig
    from activations.models.checkpoints import DTYPES, load_model, save_model
    from activations.models.evaluation import evaluate
    from activations.models.training import TrainingConfig, hold_out
    from activations.models.training import train as train_model

    if weights not in DTYPES:
        raise ActivationError(f"the weights are {weights!r}; choose one of {', '.join(DTYPES)}")
    check_output(output, *corpus, *(held_out or []))
    text = Corpus.read(*corpus, encoding=encoding, newlines=newlines)
    if held_out:
        training, judge = text, Corpus.read(*held_out, encoding=encoding, newlines=newlines)
    else:
        training, judge = hold_out(text, held_out_share)
    shape = ModelConfig(cell=cell, n_layers=layers, n_units=units, n_embedding=embedding)
    config = TrainingConfig(
        epochs=epochs,
        n_lanes=lanes,
        n_steps=steps,
        learning_rate=learning_rate,
        dropout=dropout,
        min_count=min_count,
        precision=precision,
        seed=seed,
    )
    with progress("training") as report:
        result = train_model(training, judge, shape, config, progress=report)
    save_model(result.model, output, training=result.record(), dtype=weights)
    final = evaluate(load_model(output), judge, replace_unknown=True)
    rows = [
        {"epoch": n + 1, "nats_per_char": loss, "held_out_nats_per_char": e.nats_per_char}
        for n, (loss, e) in enumerate(zip(result.losses, result.held_out, strict=True))
    ]
    show_rows(rows, as_json=as_json)
    say(f"{output}: {final} of {len(judge):,} held-out characters", quiet=as_json)
