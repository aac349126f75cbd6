"""Arguments and options that several commands share, each declared once."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from probe.cli import completion
from probe.cli.defaults import DEFAULT_RECORDING

Newlines = Literal["keep", "lf"]
Documents = Literal["files", "lines", "blank-lines"]
ReadAs = Literal["lower", "ascii", "bytes"]
EndOfDocument = Literal["lines", "documents"]
Device = Literal["cpu", "cuda", "auto"]
Precision = Literal["float32", "bf16"]
Dtype = Literal["auto", "float16", "float32", "near_one"]

_TEXTS = "Text files, also compressed (gzip, zstd, bzip2, xz); - is standard input."
TextsArgument = Annotated[list[Path], Argument(help=_TEXTS, show_default=False)]
MaybeTextsArgument = Annotated[list[Path] | None, Argument(help=_TEXTS, show_default=False)]
ModelArgument = Annotated[
    Path,
    Argument(
        help="A checkpoint that `probe train` or `probe import` wrote.",
        autocompletion=completion.models,
        show_default=False,
    ),
]
WordsArgument = Annotated[
    list[str] | None,
    Argument(
        help="Hypotheses, as with --hypothesis, and recordings that `probe extract` wrote: existing files, or names "
        f"ending in .h5 (default: {DEFAULT_RECORDING})",
        metavar="HYPOTHESIS|RECORDING",
        autocompletion=completion.hypotheses_and_recordings,
        show_default=False,
    ),
]
HypothesesOption = Annotated[
    list[str] | None,
    Option(
        "--hypothesis",
        "-H",
        help="A name (see `probe hypotheses`), my_file.py:name, labels:FILE[:COLUMN], or a combination such as "
        "'in_quotes & ~in_comment'. "
        "May be repeated; an argument without --hypothesis means the same.",
        autocompletion=completion.hypotheses,
        show_default=False,
    ),
]
AllOption = Annotated[bool, Option("--all", help="All hypotheses that apply to this text.")]
LanguageOption = Annotated[
    str | None,
    Option(
        help="Language of the text, for hypotheses that depend on it, such as python, c or rust (for `token`, any "
        "language that Pygments supports).",
        show_default=False,
    ),
]
LagOption = Annotated[
    int,
    Option(
        help="Use the label this many characters later (below 0: earlier), to see what a unit predicts or remembers."
    ),
]
NoCacheOption = Annotated[
    bool,
    Option(
        "--no-cache",
        help="Make all labels again, and cache the new ones. Labels that took long to make are cached on disk, and "
        "reused unless the text, the hypothesis's code, or a file that it declares to read has changed.",
    ),
]
SitesOption = Annotated[
    str | None,
    Option(
        help="Signals, layers or sites, such as hidden,1/cell (default: all)",
        autocompletion=completion.sites,
        show_default=False,
    ),
]
LayerOption = Annotated[int | None, Option(help="Only this layer, counted from 0.", show_default=False)]
ModelOption = Annotated[
    Path | None,
    Option(
        help="A model that reads --text now, instead of a recording; or the model of the recording, for what needs it.",
        autocompletion=completion.models,
        show_default=False,
    ),
]
TextOption = Annotated[
    list[Path] | None,
    Option(help="The text that --model reads; - is standard input; may be repeated.", show_default=False),
]
SeedOption = Annotated[int, Option(help="Seed of everything random.")]
PenaltyOption = Annotated[
    float | None,
    Option(
        help="Penalty on the probe's weights, per standard deviation of each unit (1/C in scikit-learn) (default: "
        "chosen, from 1 to 10,000, on stretches of the training part)",
        show_default=False,
    ),
]
FoldsOption = Annotated[
    int | None,
    Option(
        help="Number of folds, so that each stretch of the text is held out once (default: one fifth is held out, "
        "once)",
        show_default=False,
    ),
]
BudgetOption = Annotated[
    float | None,
    Option(
        min=0,
        help="MB of activations to read; from a longer text, only the middle of each piece is read, and a message says "
        "so (default: 4000 of a live model, kept in a temporary file; all of a recording)",
        show_default=False,
    ),
]
SplitOption = Annotated[
    str, Option(help="Shares of training, validation and, optionally, test text, in percent: 90,5,5.")
]
JsonOption = Annotated[bool, Option("--json", help="Print JSON Lines, one object per row, instead of a table.")]
CsvOption = Annotated[
    Path | None,
    Option(
        "--csv",
        help="Also write the rows to this file, ending in .csv, with the keys of --json as columns.",
        show_default=False,
    ),
]
EncodingOption = Annotated[str, Option(help="Encoding of the text files.")]
NewlinesOption = Annotated[Newlines, Option(help="keep: line ends as they are; lf: CRLF and lone CR become LF.")]
DocumentsOption = Annotated[
    Documents,
    Option(
        help="What a document is: a file, a non-empty line, or a paragraph between blank lines. The state is reset "
        "to zero before each."
    ),
]
ReplaceOption = Annotated[
    bool,
    Option("--replace-unknown", help="Read characters that the model does not know as its replacement character."),
]
ReplaceWithOption = Annotated[
    str | None,
    Option(
        "--replace-unknown-with",
        help="Read characters that the model does not know as this one, which it does know; \\n is a line feed.",
        show_default=False,
    ),
]
ReadAsOption = Annotated[
    ReadAs | None,
    Option(
        "--read-as",
        help='Feed the text to the model in lower case, as ascii (é as e, “ as ") or as bytes (UTF-8). Labels are '
        "those of the text itself.",
        show_default=False,
    ),
]
BackwardsOption = Annotated[bool, Option("--backwards", help="Feed documents to the model from their end.")]
SosOption = Annotated[bool, Option("--sos", help="Feed <sos> to the model before each document.")]
EosOption = Annotated[
    EndOfDocument | None,
    Option(
        "--eos",
        help="Where the model reads <eos>: in place of the ends of lines, or after documents.",
        show_default=False,
    ),
]
OverwriteOption = Annotated[
    bool, Option("--overwrite", help="Replace a model that is there already, and what belongs to its training.")
]
WarmUpOption = Annotated[
    int | None,
    Option(help="Characters that a lane reads before its first recorded one (default: 512)", show_default=False),
]
PrecisionOption = Annotated[
    Precision, Option(help="Precision of matrix products: bf16 is faster, and rounds to 8 bits.")
]
DeviceOption = Annotated[
    Device, Option(help="Where to compute; auto is cuda where there is one. No GPU has been tested yet.")
]
DtypeOption = Annotated[
    Dtype,
    Option(
        help="auto: float32 for signals that may leave [-1, 1], or whose order float16 would lose, float16 for the "
        "others; float16, float32 for all; or near_one: two bytes for signals within [-1, 1] that keep the order of "
        "those that saturate."
    ),
]
RangeOption = Annotated[
    str | None,
    Option("--range", help="Only this part of the text: from:to in characters, such as 0:100000.", show_default=False),
]
TemperatureOption = Annotated[float, Option(help="Sampling temperature; 0 always takes the most probable character.")]
TopKOption = Annotated[
    int | None, Option(help="Draw only from this many of the most probable characters.", show_default=False)
]
EveryOption = Annotated[int, Option(help="Keep only every n-th character.")]
FactoryOption = Annotated[
    str | None,
    Option(
        help="my_model.py:build RUNS the code in that file: build(weights) gets the tensors of the model's file by "
        "name, and returns the model. For a class of your own, or one that you trust.",
        show_default=False,
    ),
]
LanesOption = Annotated[
    int | None,
    Option(
        help="Pieces of the text read side by side; 1 is one exact reading without a break (default: chosen by the "
        "text's size)",
        show_default=False,
    ),
]


def unescaped(text: str) -> str:
    r"""Return what a text from the shell means: `\n` is a line feed, and `\t` a tab."""
    return text.replace("\\n", "\n").replace("\\t", "\t")
