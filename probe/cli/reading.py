"""How texts are read, by commands and by models: the options are declared here, once for all commands."""

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

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
from probe.cli.show import warn

if TYPE_CHECKING:
    from activations.models.char_model import CharModel
    from activations.models.char_rnn import CharRNN
    from activations.reading.live import LiveActivations
    from activations.texts.corpus import Corpus
    from activations.texts.reading_rule import ReadingRule


@dataclass(frozen=True, slots=True, kw_only=True)
class TextOptions:
    """How text files are read."""

    encoding: EncodingOption = "utf-8"
    newlines: NewlinesOption = "keep"
    documents: DocumentsOption = "files"

    def read(self, paths: Sequence[Path]) -> "Corpus":
        """The text of some files."""
        from activations.texts.corpus import Corpus

        return Corpus.read(*paths, encoding=self.encoding, newlines=self.newlines, documents=self.documents)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuledTextOptions(TextOptions):
    """How text files are read, and what a model reads in place of their text as it stands."""

    read_as: ReadAsOption = None
    backwards: BackwardsOption = False
    sos: SosOption = False
    eos: EosOption = None

    def of(self, rule: "ReadingRule") -> "ReadingRule":
        """A model's reading rule, with what is asked for."""
        given: dict[str, Any] = {
            **({"read_as": self.read_as} if self.read_as else {}),
            **({"backwards": True} if self.backwards else {}),
            **({"begins": True} if self.sos else {}),
            **({"ends": self.eos} if self.eos else {}),
        }
        return replace(rule, **given)

    def ruled(self, model: "CharRNN | CharModel") -> "CharRNN | CharModel":
        """The same model, which from now on reads as it is asked to."""
        from activations.texts.reading_rule import rule_of

        own = rule_of(model)
        if self.of(own) != own:
            give(model, "reading_rule", self.of(own))
        return model


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions(RuledTextOptions):
    """How a model reads text files."""

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

    def load_model(self, path: Path) -> "CharRNN | CharModel":
        """The model in a file, which reads as it is asked to."""
        return self.ruled(load_or_build(path, self.model_factory))

    def live(self, model: Path, texts: "Sequence[Path] | Corpus") -> "LiveActivations":
        """A model and a text, loaded."""
        from activations.reading.compute_options import ComputeOptions
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
            selection=Selection.of(len(corpus), *ends(self.part), self.every),
            compute=compute,
            stand_in=None if self.replace_unknown_with is None else unescaped(self.replace_unknown_with),
        )
        if live.n_replaced:
            replacement = live.vocabulary.shown(live.vocabulary.replacement or "")
            warn(f"{live.n_replaced:,} characters are read as {replacement!r}")
        return live

    @property
    def files(self) -> list[Path]:
        """The files that are read beside the model and the text, which no output may take the place of."""
        return [Path(self.model_factory.rpartition(":")[0])] if self.model_factory else []

    @property
    def given(self) -> list[str]:
        """The options that differ from their defaults, as they are spelled."""
        names = [each.name for each in fields(self) if getattr(self, each.name) != each.default]
        return [f"--{'range' if name == 'part' else name.replace('_', '-')}" for name in names]


def load_or_build(path: Path, model_factory: str | None) -> "CharRNN | CharModel":
    """The model in a checkpoint, or what a factory makes of a file, without dropout."""
    from activations.importers.wrapping import build_model
    from activations.models.checkpoints import load_model

    return build_model(model_factory, path) if model_factory else load_model(path)


def give(model: "CharRNN | CharModel", attribute: str, value: object) -> None:
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


def ends(part: str | None) -> tuple[int | None, int | None]:
    """Where a part of a text, spelled `from:to`, begins and ends; either may be left out."""
    from activations.errors import ActivationError

    found = re.fullmatch(r"\s*(-?\d{1,18})?\s*:\s*(-?\d{1,18})?\s*", part or ":")
    if found is None:
        raise ActivationError(f"{part!r} is not a range of characters; write from:to, such as 0:100000 or 5000:")
    first, last = (None if end is None else int(end) for end in found.groups())
    return first, last


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command with the options that a parameter's dataclass declares, in the place of that parameter.

    >>> @with_options
    ... def show(name: str, *, how: TextOptions) -> None:
    ...     print(name, how.newlines)
    >>> list(inspect.signature(show).parameters)
    ['name', 'encoding', 'newlines', 'documents']
    >>> show(name="a.txt", encoding="utf-8", newlines="lf", documents="files")
    a.txt lf
    """
    signature = inspect.signature(command, eval_str=True)
    parameters: list[inspect.Parameter] = []
    groups: dict[str, type[Any]] = {}
    for parameter in signature.parameters.values():
        if not (isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)):
            parameters.append(parameter)
            continue
        groups[parameter.name] = parameter.annotation
        hints = get_type_hints(parameter.annotation, include_extras=True)
        parameters += [
            inspect.Parameter(each.name, parameter.kind, default=each.default, annotation=hints[each.name])
            for each in fields(parameter.annotation)
        ]

    @wraps(command)
    def run(**given: Any) -> None:
        made = {
            name: kind(**{each.name: given.pop(each.name) for each in fields(kind)}) for name, kind in groups.items()
        }
        command(**given, **made)

    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
