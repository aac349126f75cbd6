"""Options of how text files are read, and of how a model reads them, declared once for all commands."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, ClassVar

from probe.cli.option_groups import spelled
from probe.cli.options import (
    BackwardsOption,
    DeviceOption,
    DocumentsOption,
    DtypeOption,
    EncodingOption,
    EosOption,
    EveryOption,
    FactoryOption,
    LanesOption,
    NewlinesOption,
    PrecisionOption,
    RangeOption,
    ReadAsOption,
    ReplaceOption,
    ReplaceWithOption,
    SosOption,
    WarmUpOption,
    unescaped,
)
from probe.cli.showing import warn

if TYPE_CHECKING:
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN
    from activations.reading.live import LiveActivations
    from activations.texts.corpus import Corpus
    from activations.texts.reading_rule import ReadingRule
    from activations.texts.vocab import Vocabulary


_SILENT_SECONDS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """Options of how text files are read."""

    encoding: EncodingOption = "utf-8"
    newlines: NewlinesOption = "keep"
    documents: DocumentsOption = "files"

    def read(self, paths: Sequence[Path]) -> "Corpus":
        """Read text files into a corpus."""
        from activations.texts.corpus import Corpus

        with _said_if_slow(paths):
            return Corpus.read(*paths, encoding=self.encoding, newlines=self.newlines, documents=self.documents)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledTextOptions(TextOptions):
    """Options of how text files are read, and of what a model reads in place of the text itself."""

    read_as: ReadAsOption = None
    backwards: BackwardsOption = False
    sos: SosOption = False
    eos: EosOption = None

    def rule(self, models_rule: "ReadingRule") -> "ReadingRule":
        """Return a model's reading rule, with the options that were given in place of its own."""
        changes: dict[str, Any] = {
            **({"read_as": self.read_as} if self.read_as else {}),
            **({"backwards": True} if self.backwards else {}),
            **({"begins": True} if self.sos else {}),
            **({"ends": self.eos} if self.eos else {}),
        }
        return replace(models_rule, **changes)

    def with_rule(self, model: "CharRNN | CharModel") -> "CharRNN | CharModel":
        """Make a model read by the options that were given, and return it."""
        from activations.texts.reading_rule import rule_of

        models_rule = rule_of(model)
        if self.rule(models_rule) != models_rule:
            set_attribute(model, "reading_rule", self.rule(models_rule))
        return model


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions(RuledTextOptions):
    """Options of how a model reads text files."""

    replace_unknown: ReplaceOption = False
    replace_unknown_with: ReplaceWithOption = None
    part: RangeOption = None
    every: EveryOption = 1
    lanes: LanesOption = None
    warm_up: WarmUpOption = None
    device: DeviceOption = "cpu"
    precision: PrecisionOption = "float32"
    dtype: DtypeOption = "auto"
    model_factory: FactoryOption = None
    NAMES_OF_SOURCE: ClassVar[frozenset[str]] = frozenset()  # options that name a source, and not how it is read

    def load_model(self, path: Path) -> "CharRNN | CharModel":
        """Load the model in a file, and make it read by the options that were given."""
        return self.with_rule(load_or_build(path, self.model_factory))

    def live(self, model: Path, texts: "Sequence[Path] | Corpus") -> "LiveActivations":
        """Load a model and the text that it is to read."""
        from activations.reading.lanes.compute_options import ComputeOptions
        from activations.reading.live import LiveActivations
        from activations.texts.corpus import Corpus
        from activations.texts.lanes import WARM_UP_CHARS
        from activations.texts.selection import Selection

        compute = ComputeOptions(device=self.device, precision=self.precision, dtype=self.dtype)
        reader = self.load_model(model)
        corpus = texts if isinstance(texts, Corpus) else self.read(texts)
        live = LiveActivations(
            reader,
            corpus,
            n_lanes=self.lanes,
            warm_up_chars=WARM_UP_CHARS if self.warm_up is None else self.warm_up,
            replace_unknown=self.replace_unknown,
            selection=Selection.of(len(corpus), *range_ends(self.part), self.every),
            compute=compute,
            stand_in=None if self.replace_unknown_with is None else unescaped(self.replace_unknown_with),
        )
        if live.n_replaced:
            warn_of_replaced(live.n_replaced, live.vocabulary)
        return live

    @property
    def files(self) -> list[Path]:
        """The files that are read besides the model and the text, and that no output may overwrite."""
        return [Path(self.model_factory.rpartition(":")[0])] if self.model_factory else []

    @property
    def changed(self) -> list[str]:
        """The options of reading that differ from their defaults, as they are spelled."""
        names = [field.name for field in fields(self) if getattr(self, field.name) != field.default]
        return [spelled(type(self), name) for name in names if name not in self.NAMES_OF_SOURCE]

    def words(self) -> list[str]:
        """Return the options of reading that differ from their defaults, as they are written in a command."""
        words = []
        for field in fields(self):
            value = getattr(self, field.name)
            if value == field.default or field.name in self.NAMES_OF_SOURCE:
                continue
            option = spelled(type(self), field.name)
            values = value if isinstance(value, list | tuple) else [value]
            words += [option] if value is True else [word for one in values for word in (option, str(one))]
        return words


@contextmanager
def _said_if_slow(paths: Sequence[Path]) -> Iterator[None]:
    """Say which pipe is waited for, if one that is read does not come to its end for some seconds."""
    from activations.files import is_pipe
    from activations.texts.text_streams import is_standard_input, text_name

    pipes = [text_name(path) for path in paths if is_standard_input(path) or is_pipe(path)]
    if not pipes:
        yield
        return
    timer = Timer(_SILENT_SECONDS, warn, [f"waiting for the end of {' and '.join(pipes)}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def say_what_is_not_kept(paths: Sequence[Path] | None, job: str) -> None:
    """Say what a job that was interrupted will need, if its text is standard input."""
    from activations.texts.text_streams import is_standard_input

    if any(is_standard_input(path) for path in paths or ()):
        warn(f"the text is read from standard input, and not kept: {job} that is interrupted needs it once more")


def load_or_build(path: Path, model_factory: str | None) -> "CharRNN | CharModel":
    """Load the model in a checkpoint, or what a factory makes of a file, without dropout."""
    from activations.importers.wrapping import model_from_factory
    from activations.models.checkpoints import load_model
    from hypotheses.running import process_kept

    if model_factory is None:
        return load_model(path)
    with process_kept():
        return model_from_factory(model_factory, path)


def set_attribute(model: "CharRNN | CharModel", attribute: str, value: object) -> None:
    """Set an attribute of a model, which may be of a class of the user's.

    Raises:
        ActivationError: If its class does not allow that.
    """
    from activations.errors import ActivationError

    try:
        setattr(model, attribute, value)
    except AttributeError as error:
        raise ActivationError(
            f"the {attribute} of a {type(model).__name__} cannot be set, and the options that were given change it; "
            "make it an ordinary attribute"
        ) from error


def warn_of_replaced(n_replaced: int, vocabulary: "Vocabulary") -> None:
    """Say how many characters are read as the replacement of a model's vocabulary, and what that is."""
    characters = "1 character is" if n_replaced == 1 else f"{n_replaced:,} characters are"
    warn(f"{characters} read as {vocabulary.shown(vocabulary.replacement or '')!r}")


def range_ends(part: str | None) -> tuple[int | None, int | None]:
    """Parse a part of a text spelled `from:to`, either of which may be left out."""
    from activations.errors import ActivationError

    ends = re.fullmatch(r"\s*(-?\d{1,18})?\s*:\s*(-?\d{1,18})?\s*", part or ":")
    if ends is None:
        raise ActivationError(f"{part!r} is not a range of characters; write from:to, such as 0:100000 or 5000:")
    first, last = (None if end is None else int(end) for end in ends.groups())
    return first, last
