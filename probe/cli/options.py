"""Arguments and options that several commands share."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

TextsArgument = Annotated[list[Path], Argument(help="Text files.", show_default=False)]
MaybeTextsArgument = Annotated[list[Path] | None, Argument(help="Text files.", show_default=False)]
RecordingArgument = Annotated[Path, Argument(help="A recording that `probe extract` wrote.")]
RecordingsArgument = Annotated[
    list[Path] | None,
    Argument(
        help="Recordings that `probe extract` wrote; of several, the results stand side by side (default: "
        "activations.h5)",
        show_default=False,
    ),
]
_HYPOTHESIS = Option(
    "--hypothesis",
    "-H",
    help="Its name, see `probe hypotheses`; my_file.py:name; or of several: 'in_quotes & ~in_comment'.",
    show_default=False,
)
HypothesisOption = Annotated[str, _HYPOTHESIS]
HypothesesOption = Annotated[
    list[str] | None,
    Option(
        "--hypothesis",
        "-H",
        help="Its name, see `probe hypotheses`; my_file.py:name; or of several: 'in_quotes & ~in_comment'. May be "
        "repeated.",
        show_default=False,
    ),
]
MaybeHypothesisOption = Annotated[str | None, _HYPOTHESIS]
LanguageOption = Annotated[
    str | None,
    Option(
        help="Of the text, for hypotheses that go by it: python, c, or for token: any that Pygments knows.",
        show_default=False,
    ),
]
LagOption = Annotated[
    int,
    Option(help="Ask for the label so many characters later, or earlier (below 0): what is known of what is to come."),
]
NoCacheOption = Annotated[
    bool,
    Option(
        "--no-cache",
        help="Label anew, and keep that. Labels that took long are kept on disk, and found again unless the text, the "
        "hypothesis's code, or a file that it is declared to read has changed.",
    ),
]
SitesOption = Annotated[
    str | None,
    Option(help="Signals, layers or sites, such as hidden,1/cell (default: all)", show_default=False),
]
ModelOption = Annotated[
    Path | None, Option(help="Instead of a recording: a model, to read --text now.", show_default=False)
]
TextOption = Annotated[list[Path] | None, Option(help="The text for --model; may be repeated.", show_default=False)]
PenaltyOption = Annotated[
    float | None,
    Option(
        help="On the probe's weights, per standard deviation of each unit (1/C in scikit-learn) (default: chosen, "
        "from 1 to 10,000, on stretches of the training part)",
        show_default=False,
    ),
]
FoldsOption = Annotated[
    int | None,
    Option(
        help="Hold out each stretch of the text once, in so many folds (default: one fifth of them, once)",
        show_default=False,
    ),
]
BudgetOption = Annotated[
    float | None,
    Option(
        min=0,
        help="MB of activations to read; of a longer text the middles of its pieces, and that is said (default: 4000 "
        "of a live model, kept in a temporary file; all of a recording)",
        show_default=False,
    ),
]
SplitOption = Annotated[
    str, Option(help="Shares of training, validation and, after another comma, test, in percent: 90,5,5.")
]
LayerOption = Annotated[int | None, Option(help="Only this layer, from 0.", show_default=False)]
JsonOption = Annotated[bool, Option("--json", help="Print JSON Lines, one object a row, instead of a table.")]
EncodingOption = Annotated[str, Option(help="Encoding of the text files.")]
NewlinesOption = Annotated[str, Option(help="keep: line ends as they are; lf: CRLF and lone CR become LF.")]
DocumentsOption = Annotated[
    str,
    Option(
        help="What begins from a zero state: files, lines (each that is not empty), or blank-lines (each paragraph "
        "between blank lines)."
    ),
]
ReplaceOption = Annotated[
    bool,
    Option("--replace-unknown", help="Read characters that the model does not know as its replacement."),
]
ReplaceWithOption = Annotated[
    str | None,
    Option(
        "--replace-unknown-with",
        help="Read characters that the model does not know as this one, which it does know; \\n is a line's end.",
        show_default=False,
    ),
]
ReadAsOption = Annotated[
    str | None,
    Option(
        "--read-as",
        help='Let the model read the text as lower (case), ascii (é as e, “ as ") or bytes (of UTF-8). Labels are of '
        "the text itself.",
        show_default=False,
    ),
]
BackwardsOption = Annotated[bool, Option("--backwards", help="Let the model read documents from their end.")]
SosOption = Annotated[bool, Option("--sos", help="Let the model read <sos> before each document.")]
EosOption = Annotated[
    str | None,
    Option(
        "--eos",
        help="Where <eos> stands: lines, in place of their ends, or documents, behind them.",
        show_default=False,
    ),
]
WarmUpOption = Annotated[
    int | None,
    Option(help="Characters that a lane reads before those it answers for (default: 512)", show_default=False),
]
PrecisionOption = Annotated[
    str, Option(help="Of matrix products: float32, or bf16, which is faster and rounds to 8 bits.")
]
DeviceOption = Annotated[str, Option(help="cpu, cuda, or auto: cuda where there is one. cuda is as yet untried.")]
DtypeOption = Annotated[
    str,
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
TemperatureOption = Annotated[float, Option(help="Of the draws; 0 takes the most probable character.")]
TopKOption = Annotated[
    int | None, Option(help="Draw only among so many of the most probable characters.", show_default=False)
]
DrawsSeedOption = Annotated[int, Option(help="Of the draws.")]
EveryOption = Annotated[int, Option(help="Only one character of so many.")]
FactoryOption = Annotated[
    str | None,
    Option(
        help="my_model.py:build RUNS the code in that file: build(weights) is given the tensors of the model's file by "
        "name, and returns the model. For a class that is your own, or that you trust.",
        show_default=False,
    ),
]
LanesOption = Annotated[
    int | None,
    Option(
        help="Pieces of the text read side by side; 1 is one unbroken, exact reading (default: by the text's size)",
        show_default=False,
    ),
]


def unescaped(text: str) -> str:
    r"""What is meant by a text in the shell: `\n` is a line's end, and `\t` a tab."""
    return text.replace("\\n", "\n").replace("\\t", "\t")
