"""`probe train`."""

from pathlib import Path
from typing import Annotated

from typer import Option

from probe.cli.options import JsonOption, SplitOption, TextsArgument
from probe.cli.reading import RuledTextOptions, with_options
from probe.cli.show import Cell, progress, say, show_rows


@with_options
def train(
    corpus: TextsArgument,
    output: Annotated[Path, Option("--output", "-o", help="Where the model goes.")] = Path("model.pt"),
    cell: Annotated[
        str,
        Option(
            help="lstm, gru, gru_reset_before, rnn (tanh), rnn_relu, irnn or np_rnn (relu with its own initialisation)."
        ),
    ] = "lstm",
    preset: Annotated[
        str | None,
        Option(
            help="tiny: 1 layer of 64 units; small: 2 of 128; karpathy: 3 of 512 "
            "(default: tiny below 100,000 characters, else small)",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[int | None, Option(help="Recurrent layers (default: by preset)", show_default=False)] = None,
    units: Annotated[int | None, Option(help="Units in each layer (default: by preset)", show_default=False)] = None,
    embedding: Annotated[int, Option(help="Size of learned input vectors; 0: one-hot characters.")] = 0,
    gates: Annotated[
        str, Option(help="Function of the gates: sigmoid, hard_sigmoid_keras or hard_sigmoid_torch.")
    ] = "sigmoid",
    peepholes: Annotated[bool, Option("--peepholes", help="Let the gates of an LSTM see its cells.")] = False,
    projected: Annotated[int, Option(help="Project the hidden states of an LSTM to so many units; 0: not at all.")] = 0,
    layer_norm: Annotated[
        bool, Option("--layer-norm", help="Normalise what the gates of an LSTM are given, and its cells.")
    ] = False,
    split: SplitOption = "95,5",
    held_out: Annotated[
        list[Path] | None,
        Option(
            help="Text to judge the model by, instead of a part of the corpus; may be repeated.", show_default=False
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        Option(help="Passes over the text (default: as many as read 10 million characters)", show_default=False),
    ] = None,
    lanes: Annotated[
        int | None,
        Option(help="Pieces of the text read side by side (the batch) (default: 32, or fewer)", show_default=False),
    ] = None,
    steps: Annotated[int, Option(help="Characters through which the gradient flows back.")] = 64,
    optimizer: Annotated[str, Option(help="adamw, adam or rmsprop.")] = "adamw",
    learning_rate: Annotated[
        float | None,
        Option(help="At its height (default: .008, for cells with a relu .001, for irnn .0003)", show_default=False),
    ] = None,
    schedule: Annotated[
        str, Option(help="How the learning rate falls: cosine, exponential (see --decay) or constant.")
    ] = "cosine",
    decay: Annotated[float, Option(help="What is left of the learning rate after each epoch, if exponential.")] = 0.97,
    weight_decay: Annotated[
        float | None,
        Option(
            help="Of AdamW (default: .1 below 2 million characters, else 0; 0 for cells with a relu)",
            show_default=False,
        ),
    ] = None,
    clip: Annotated[float, Option(help="The largest norm of the gradient.")] = 1.0,
    patience: Annotated[
        int,
        Option(help="End after so many epochs (parts of them, if long) without a fall of the held-out loss; 0: never."),
    ] = 0,
    dropout: Annotated[
        float, Option(help="Share of activations dropped between layers and before the read-out, from 0 up to 1.")
    ] = 0.0,
    norm_stabiliser: Annotated[
        float, Option(help="Weight of a penalty on norms of hidden states that change from step to step.")
    ] = 0.0,
    min_count: Annotated[int, Option(help="Characters that occur less often share one replacement.")] = 1,
    precision: Annotated[
        str, Option(help="float32, or bf16: faster where the processor has bf16 matrix units.")
    ] = "float32",
    device: Annotated[str, Option(help="cpu, cuda or auto.")] = "cpu",
    weights: Annotated[str, Option(help="float32, or float16: half the file.")] = "float32",
    seed: Annotated[int, Option(help="Same seed, same machine: same model.")] = 0,
    sample_every: Annotated[
        float,
        Option(help="Let it write after 0, 1, F, F², F³ … updates into samples.txt; 0: never.", metavar="F"),
    ] = 0.0,
    checkpoint_every: Annotated[
        float, Option(help="Keep the model as it is after 0, 1, F, F², F³ … updates; 0: never.", metavar="F")
    ] = 0.0,
    resume: Annotated[bool, Option("--resume", help="Go on with a training that was interrupted.")] = False,
    *,
    how_read: RuledTextOptions,
    as_json: JsonOption = False,
) -> None:
    """Train a character language model on text files.

    The best model so far, by the held-out part of the text, is always in the output. Beside it, in a folder that ends
    in .training, are the loss curve (losses.csv, losses.png), samples and checkpoints if they are asked for, and what
    --resume needs: the same command with it ends as if nothing had happened.

    Example:
        probe train corpus.txt -o model.pt
    """
    from activations.errors import ActivationError
    from activations.files import check_output
    from activations.models.checkpoints import DTYPES, load_model
    from activations.models.evaluation import evaluate
    from activations.texts.reading_rule import PLAIN
    from probe.training.recipes import settings_of, shape_of, shares_of
    from probe.training.runs import Run

    rule = how_read.of(PLAIN)
    if weights not in DTYPES:
        raise ActivationError(f"the weights are {weights!r}; choose one of {', '.join(DTYPES)}")
    check_output(output, *corpus, *(held_out or []))
    run = Run(output, weights=weights, sample_every=sample_every, checkpoint_every=checkpoint_every)
    text = how_read.read(corpus)
    parts = [text, how_read.read(held_out)] if held_out else text.cut(shares_of(split))
    n_chars = len(parts[0])
    shape = shape_of(
        cell,
        n_chars,
        preset=preset,
        layers=layers,
        units=units,
        embedding=embedding,
        gates=gates,
        peepholes=peepholes,
        n_projected=projected,
        layer_norm=layer_norm,
    )
    config = settings_of(
        cell,
        n_chars,
        epochs=epochs,
        lanes=lanes,
        learning_rate=learning_rate,
        n_steps=steps,
        optimizer=optimizer,
        schedule=schedule,
        decay=decay,
        weight_decay=weight_decay,
        clip=clip,
        patience=patience,
        dropout=dropout,
        norm_stabiliser=norm_stabiliser,
        min_count=min_count,
        precision=precision,
        device=device,
        seed=seed,
    )
    run.begin(resume=resume)
    with progress("training") as report:
        result = run.train(parts, shape, config, rule, progress=report)
    model = load_model(output)
    judged = [row.epoch for row in result.rows if row.held_out is not None]
    rows: list[dict[str, Cell]] = [
        {
            "epoch": int(epoch) if epoch == int(epoch) else epoch,
            "nats_per_char": loss,
            "held_out_nats_per_char": found.nats_per_char,
        }
        for epoch, loss, found in zip(judged, result.losses, result.held_out, strict=True)
    ]
    show_rows(rows, as_json=as_json)
    names = ("held-out", "test")
    for name, part in zip(names, parts[1:], strict=False):
        found = evaluate(model, part, replace_unknown=True)
        say(f"{output}: {found} of {len(part):,} {name} characters", quiet=as_json)
    say(f"{run.folder / 'losses.png'}: how the loss fell", quiet=as_json)
