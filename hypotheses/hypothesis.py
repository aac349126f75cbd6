"""What a hypothesis is, how a function becomes one, and how new ones are made of others."""

import copy
import functools
import hashlib
import inspect
import itertools
import operator
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, overload

from hypotheses.combining import compared, conjunction, disjunction, negation, shifted
from hypotheses.errors import HypothesisError
from hypotheses.fingerprints.functions import DeclaredFiles, are_plain, file_of, of_function
from hypotheses.fingerprints.opened_files import Place, note, opened_by, watch
from hypotheses.fingerprints.references import References
from hypotheses.labels import KINDS, Kind, Labels
from hypotheses.parameters import FILE_NAME, Parameters
from hypotheses.spelling import quoted, spell_number

COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_PATTERN = "regex"  # its parameter is one text, and stands in quotes, since without them it would go on to the end
_NUMBERS = itertools.count()  # of functions, in one process
_OR, _AND, _COMPARISON, _ATOM = range(4)  # how firmly the parts of a name hold together


@dataclass(frozen=True, slots=True)
class Basis:
    """What the labels of a hypothesis depend on beside the text.

    Attributes:
        fingerprint: A hash of all that; None if no hash tells, or more was opened than is declared.
        unknown: Why there is none, as the end of a sentence; else empty.
    """

    fingerprint: str | None
    unknown: str = ""


class Hypothesis:
    """A named function from text to labels. Call it with a text to get its `Labels`.

    Those that are True or False combine with `&`, `|` and `~`. Numbers and classes become True or False by `==` and
    `!=`, numbers also by `>=`, `<=`, `>` and `<`.

    Attributes:
        name: What it is asked for by.
        kind: Of its labels, if declared.
        names: Of the classes of categorical labels, if declared.
        unit: What numeric labels are counted in, or an empty string.
        causal: False if a label depends on characters after its own.
        source: Where the idea comes from, or an empty string.
        expects: What is known of units that encode it, or an empty string.
        example: Parameters to try it with, as they are spelled behind its name.
        parameters: What its function takes beside the text, and has not been given.
        uses_file_name: Whether the name of the file that a text is from may change its labels.
        reads: The files and folders that are declared to be read for its labels.
        separator: A string that keeps two texts apart, such as a newline: with it between them, the labels of each are
            those that it has alone. None if there is no such string; texts are then labelled one by one.
        origin: A hash of its function, as far as its file tells, of its parameters, and of how it is combined; None if
            no file tells.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        kind: Kind | None = None,
        names: Sequence[str] = (),
        unit: str = "",
        causal: bool = True,
        source: str = "",
        expects: str = "",
        example: str = "",
        reads: Sequence[str | Path] = (),
        separator: str | None = None,
    ) -> None:
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        if kind is not None and kind not in KINDS:
            raise HypothesisError(f"the kind of {self.name} is {kind!r}; choose one of {', '.join(KINDS)}")
        if names and kind not in (None, "categorical"):
            raise HypothesisError(f"{self.name} has names of classes, and is declared to be {kind}; leave one away")
        self.kind: Kind | None = "categorical" if names else "numeric" if unit and kind is None else kind
        self.names = tuple(names)
        self.unit = unit
        self.causal = causal
        self.source = source
        self.expects = expects
        self.example = example
        self.separator = separator
        self.parameters = Parameters(function)
        functools.update_wrapper(self, function, updated=())
        self._function = function
        file = file_of(function)
        self._files = {file}
        self.origin = of_function(function)  # at once: later, the file may be another
        folder = Path(file).parent if file else Path()
        self.reads = tuple((folder / path).resolve() for path in ([reads] if isinstance(reads, str) else reads))
        self._declared = DeclaredFiles(self.reads)
        self._number = next(_NUMBERS)
        self._parts: tuple[Hypothesis, ...] = (self,)  # of functions
        if file is not None:
            watch(file)
        self.uses_file_name = self.parameters.takes_file_name
        self._firmness = _ATOM
        self._is_derived = False
        self._asked: tuple[Hypothesis, dict[str, Any]] | None = None  # what was given parameters, and these

    def __call__(self, text: str, *parameters: Any, file_name: str = "", **named: Any) -> Labels:
        """Label a text.

        Args:
            text: What is labelled.
            parameters: Those of its function, if it has any; also by name.
            file_name: Where the text is from, for those that go by it.
            named: As `parameters`.

        Raises:
            HypothesisError: If the function fails, or gives labels that cannot be used.
        """
        if parameters or named:
            return self.with_parameters(*parameters, **named)(text, file_name=file_name)
        if self.parameters.required:
            example = f", such as {self.name}:{self.example}" if self.example else ""
            raise HypothesisError(f"{self.name!r} needs more: {self.spelling}{example}")
        if not isinstance(text, str):
            raise HypothesisError(f"{self.name!r} labels a text, and was given a {type(text).__name__}")
        for part in self._parts if not self._is_derived else ():
            part._note()
        try:
            answer = self._function(text, **({FILE_NAME: file_name} if self.parameters.takes_file_name else {}))
            answer = list(answer) if isinstance(answer, Iterator) else answer
        except HypothesisError as error:
            if self._is_derived:  # its parts have said who they are
                raise
            raise HypothesisError(f"the hypothesis {self.name!r} cannot be asked: {error}") from error
        except (Exception, SystemExit) as error:
            raise HypothesisError(f"the hypothesis {self.name!r} failed: {self._describe(error)}") from error
        try:
            return Labels.from_answer(answer, len(text), self.kind, self.names)
        except HypothesisError as error:
            raise HypothesisError(f"the hypothesis {self.name!r} cannot be used: {error}") from error

    def __repr__(self) -> str:
        return f"<hypothesis {self.name}>"

    def __bool__(self) -> bool:
        raise HypothesisError(
            f"a hypothesis such as {self.name!r} is neither true nor false; combine with &, | and ~ in place of "
            "and, or and not, and compare twice in place of 3 <= x <= 5"
        )

    def __and__(self, other: "Hypothesis") -> "Hypothesis":
        return self._joined(other, "&", _AND, conjunction)

    def __or__(self, other: "Hypothesis") -> "Hypothesis":
        return self._joined(other, "|", _OR, disjunction)

    __hash__ = object.__hash__

    def __eq__(self, value: object) -> Any:
        """Is the label this class, or this number? Two hypotheses are equal if they are one."""
        return self.compared("==", value) if isinstance(value, str | float | int) else self is value

    def __ne__(self, value: object) -> Any:
        return self.compared("!=", value) if isinstance(value, str | float | int) else self is not value

    def __invert__(self) -> "Hypothesis":
        def label(text: str, *, file_name: str) -> Labels:
            return negation(self._binary(text, file_name))

        return self._derived(label, f"~{self._within(_ATOM)}", _ATOM, "~")

    def __ge__(self, number: float) -> "Hypothesis":
        return self.compared(">=", number)

    def __le__(self, number: float) -> "Hypothesis":
        return self.compared("<=", number)

    def __gt__(self, number: float) -> "Hypothesis":
        return self.compared(">", number)

    def __lt__(self, number: float) -> "Hypothesis":
        return self.compared("<", number)

    def compared(self, sign: str, value: str | float) -> "Hypothesis":
        """Does the label compare so with a class or a number?

        Args:
            sign: One of == != >= <= > <; of classes one of the first two.
            value: The name of a class, or a number.
        """

        def label(text: str, *, file_name: str) -> Labels:
            labels = self(text, file_name=file_name)
            try:
                return compared(labels, COMPARISONS[sign], value, ordered=sign not in ("==", "!="))
            except HypothesisError as error:
                raise HypothesisError(f"the hypothesis {self.name!r} cannot be compared: {error}") from error

        spelled = quoted(value) if isinstance(value, str) else spell_number(value)
        return self._derived(label, f"{self._within(_ATOM)} {sign} {spelled}", _COMPARISON, f"{sign} {value!r}")

    def lagged(self, lag: int) -> "Hypothesis":
        """The label of the character so many later (or earlier, below 0); missing where the text has none.

        What the state knows of characters to come, or still of those gone by. The notebooks that the field began with
        took the state before a character was read: that is a lag of 1.
        """

        def label(text: str, *, file_name: str) -> Labels:
            return shifted(self(text, file_name=file_name), lag)

        made = self._derived(label, f"{self._within(_ATOM)} @ {lag}", _COMPARISON, f"@ {lag}")
        made.kind, made.names, made.unit = self.kind, self.names, self.unit
        made.causal = self.causal and lag <= 0
        made.separator = None
        return made

    def with_name(self, name: str) -> "Hypothesis":
        """The same by another name."""
        made = copy.copy(self)
        made.name = name
        return made

    def with_parameters(self, *parameters: Any, **named: Any) -> "Hypothesis":
        """The same with its parameters set, by place or by name.

        Raises:
            HypothesisError: If it has no such parameter.
        """
        try:
            bound = self.parameters.bind(*parameters, **named)
        except TypeError as error:
            raise HypothesisError(f"{self.name!r} is asked as {self.spelling}: {error}") from error
        if self._asked is not None:
            asked, before = self._asked
            return asked.with_parameters(**before, **bound)
        made = Hypothesis(
            functools.partial(self._function, **bound),
            name=f"{self.name}:{self._spelled(bound)}",
            kind=self.kind,
            names=self.names,
            unit=self.unit,
            causal=self.causal,
            source=self.source,
            expects=self.expects,
            separator=self.separator,
        )
        made.__doc__, made._asked = self.__doc__, (self, bound)
        made._files, made.uses_file_name = self._files, self.uses_file_name
        made._parts, made.reads = self._parts, self.reads
        is_told = self.origin is not None and are_plain(*bound.values())
        made.origin = f"{self.origin} {sorted(bound.items())!r}" if is_told else None
        return made

    def with_spelled_parameters(self, spelled: str) -> "Hypothesis":
        """The same with its parameters set as they are spelled behind its name, such as `3` or `width=4`.

        Raises:
            HypothesisError: If they do not fit.
        """
        try:
            return self.with_parameters(**self.parameters.read(spelled))
        except HypothesisError as error:
            raise HypothesisError(f"{self.name!r} is asked as {self.spelling}: {error}") from error

    def mark(self, text: str) -> str:
        """The text, and a mark under each character for its label; see `Labels.marks`.

        Newlines are shown as ↵, tabs as →.
        """
        return f"{text.translate({10: '↵', 9: '→', 13: '←'})}\n{self(text).marks()}"

    @property
    def spelling(self) -> str:
        """Its name, and what may stand behind it."""
        behind = self.parameters.spelling
        return f"{self.name}{behind}" if self._asked is None else f"{self.name}{behind.replace(':', ',', 1)}"

    @property
    def example_spelling(self) -> str:
        """Its name, with the parameters of its example if it cannot be asked without."""
        return f"{self.name}:{quoted(self.example)}" if self.parameters.required else self.name

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return inspect.cleandoc(self.__doc__ or "").partition("\n")[0]

    @property
    def fingerprint(self) -> str | None:
        """A hash of all that its labels depend on but the text; None if no hash tells. See `basis`."""
        return self.basis().fingerprint

    def basis(self, *, forget: bool = False) -> Basis:
        """What its labels depend on but the text, at this moment.

        The hash changes with its function, its parameters, the file in which it is written (see
        `fingerprints.of_function`), what its function uses (see `references.References`), the files that it is
        declared to read, how it is combined, and all this of other hypotheses that it may ask.

        Args:
            forget: Whether functions with a `functools.cache` forget what they have returned: it may be older than what
                is hashed.

        Raises:
            HypothesisError: If a file is missing that it is declared to read.
        """
        told: list[tuple[Any, ...]] = [(self.origin, self.kind, self.names)]
        asked, memos, parts = [], [], list(self._parts)
        places: set[Place] = set()
        unknown = "" if self.origin else "it is no plain function in a file, or its parameters are not plain"
        while parts:
            part = parts.pop()
            if part in asked or part._is_built_in():
                continue
            asked.append(part)
            part._refuse_missing()
            used = References(part._function, reads=part.reads, hypothesis=Hypothesis) if part.origin else None
            files = part._declared.digest()
            if used is None or used.unknown:
                unknown = unknown or (used.unknown if used else f"{part.name} is no plain function in a file")
            elif files is None:
                unknown = unknown or f"a file that {part.name} reads has changed since it was loaded"
            else:
                told.append((part.origin, part.kind, part.names, used.digest, files))
                places |= used.places
                memos += used.memos
                parts += [leaf for other in used.hypotheses for leaf in other._parts]
        unknown = unknown or self._opened(places, asked)
        if unknown:
            return Basis(None, unknown)
        for memo in memos if forget else ():
            memo.cache_clear()
        return Basis(hashlib.sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest())

    def _opened(self, places: set[Place], asked: "list[Hypothesis]") -> str:
        """What its functions have opened or asked that is neither declared nor followed, as the end of a sentence."""
        declared = [path for part in asked for path in part.reads]
        known = {part._mark for part in asked}
        for what in sorted(opened_by(places)):
            if what not in known and not any(Path(what).is_relative_to(path) for path in declared):
                return f"it opens {what}, which is not declared" if what[0] != "<" else f"it uses {what.strip('<>')}"
        return ""

    @property
    def _mark(self) -> str:
        return f"<the hypothesis {self._number}>"

    def _note(self) -> None:
        """Put it down to the functions that ask it."""
        if not self._is_built_in():
            note(self._mark)

    def _is_built_in(self) -> bool:
        function = self._function
        return type(function) is FunctionType and str(function.__globals__.get("__name__")).startswith("hypotheses.")

    def _refuse_missing(self) -> None:
        for path in self.reads:
            if not path.exists():
                raise HypothesisError(f"the hypothesis {self.name!r} is declared to read {path}, which does not exist")

    def _joined(self, other: Any, sign: str, firmness: int, join: Callable[..., Labels]) -> "Hypothesis":
        if not isinstance(other, Hypothesis):
            raise HypothesisError(
                f"{self.name!r} {sign} {type(other).__name__}: only hypotheses combine; probe.get finds one by its "
                "name, and probe.hypothesis makes one of a function"
            )

        def label(text: str, *, file_name: str) -> Labels:
            return join(self._binary(text, file_name), other._binary(text, file_name))

        name = f"{self._within(firmness)} {sign} {other._within(firmness + 1)}"
        return self._derived(label, name, firmness, sign, other)

    def _spelled(self, bound: dict[str, Any]) -> str:
        if self.name == _PATTERN:
            return quoted("".join(bound.values()), always=True)
        return quoted(self.parameters.spell(bound))

    def _binary(self, text: str, file_name: str) -> Labels:
        labels = self(text, file_name=file_name)
        if labels.kind != "binary":
            example = ">= 5" if labels.kind == "numeric" else f"== {quoted((*labels.names, 'name')[0])}"
            raise HypothesisError(
                f"the hypothesis {self.name!r} gives {labels.kind} labels, not True or False; compare them, such as "
                f"{self._within(_ATOM)} {example}"
            )
        return labels

    def _derived(
        self, label: Callable[..., Labels], name: str, firmness: int, operation: str, *others: "Hypothesis"
    ) -> "Hypothesis":
        parts = (self, *others)
        made = Hypothesis(label, name=name, kind="binary", causal=all(part.causal for part in parts))
        made._files = {file for part in parts for file in part._files}
        made._parts = tuple(leaf for part in parts for leaf in part._parts)
        made.reads = tuple(path for part in parts for path in part.reads)
        made.uses_file_name = any(part.uses_file_name for part in parts)
        told = [(part.origin, part.kind, part.names) for part in parts]
        is_told = all(part.origin is not None for part in parts)
        made.origin = (
            hashlib.sha256(f"{operation} {told}".encode("utf-8", "surrogatepass")).hexdigest() if is_told else None
        )
        made._is_derived = True
        made.separator = _common_separator([part.separator for part in parts])
        made._firmness = firmness
        made.__doc__ = f"Is it so that {name}?\n\nMade of others; each says for itself what it means."
        return made

    def _within(self, firmness: int) -> str:
        """Its name as part of another, in parentheses where it would else fall apart."""
        return self.name if self._firmness >= firmness else f"({self.name})"

    def _describe(self, error: BaseException) -> str:
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in self._files]
        where = f" in line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""
        return f"{type(error).__name__}{where}: {error}"


def _common_separator(separators: Sequence[str | None]) -> str | None:
    """The longest of some separators, if the others are its ends, so that it keeps texts apart for all."""
    known = sorted((each for each in separators if each is not None), key=len)
    is_common = len(known) == len(separators) and all(
        known[-1].endswith(each) and known[-1].startswith(each) for each in known
    )
    return known[-1] if is_common else None


@overload
def hypothesis(function: Callable[..., Any]) -> Hypothesis: ...
@overload
def hypothesis(
    *,
    name: str | None = None,
    kind: Kind | None = None,
    names: Sequence[str] = (),
    unit: str = "",
    causal: bool = True,
    source: str = "",
    expects: str = "",
    example: str = "",
    reads: Sequence[str | Path] = (),
    separator: str | None = None,
) -> Callable[[Callable[..., Any]], Hypothesis]: ...
def hypothesis(
    function: Callable[..., Any] | None = None, **declared: Any
) -> Hypothesis | Callable[[Callable[..., Any]], Hypothesis]:
    """Make a hypothesis of a function that takes a text and gives one label for each character.

    A label is a bool (binary), a number (numeric; also 0 and 1, unless it is declared to be binary) or a string
    (categorical); None or NaN where there is nothing to say.
    Label *t* says what is true once the characters up to and including *t* have been read.

    What the function takes beside the text are parameters of the hypothesis, spelled behind its name:
    `indent_at_least:3`. They are text, or what their annotations say: `int`, `float` or `str`. A keyword `file_name`
    is given the name of the file that the text is from.

    Args:
        function: What is decorated.
        **declared: `name` is the function's own if left away; `kind` (`binary`, `categorical`, `numeric`) goes by the
            values; `names` are those of the classes, `unit` what numbers are counted in; `causal` is False if a label
            depends on what comes after its character; `source` says where the idea comes from, `expects` what is
            known of units that encode it, and `example` has parameters to try it with. `reads` are the files and
            folders that the labels depend on, by their paths from the function's own file: labels that are kept on disk
            are made anew when one has changed. `separator` is a string that keeps two texts apart, such as a newline
            for what goes by lines: with it between them, the labels of each are those that it has alone. Many short
            documents are then labelled at one time.
    """
    if function is not None:
        return Hypothesis(function, **declared)
    return functools.partial(Hypothesis, **declared)
