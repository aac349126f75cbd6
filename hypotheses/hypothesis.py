"""What a hypothesis is, how a function becomes one, and how new ones are made of others."""

import copy
import functools
import hashlib
import inspect
import operator
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, overload

from hypotheses.combining import compared, conjunction, disjunction, negation
from hypotheses.errors import HypothesisError
from hypotheses.labels import KINDS, Kind, Labels
from hypotheses.parameters import FILE_NAME, Parameters, quoted

COMPARISONS = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_OR, _AND, _COMPARISON, _ATOM = range(4)  # how firmly the parts of a name hold together


class Hypothesis:
    """A named function from text to labels. Call it with a text to get its `Labels`.

    Those that are True or False combine with `&`, `|` and `~`. Numbers become True or False by `>=`, `<=`, `>` and `<`,
    classes by `is_`.

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
    ) -> None:
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        if kind is not None and kind not in KINDS:
            raise HypothesisError(f"the kind of {self.name} is {kind!r}; choose one of {', '.join(KINDS)}")
        self.kind: Kind | None = "categorical" if names else "numeric" if unit and kind is None else kind
        self.names = tuple(names)
        self.unit = unit
        self.causal = causal
        self.source = source
        self.expects = expects
        self.example = example
        self.parameters = Parameters(function)
        functools.update_wrapper(self, function, updated=())
        self._function = function
        self._origins: tuple[Callable[..., Any], ...] = (function,)
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
            return self.given(*parameters, **named)(text, file_name=file_name)
        if self.parameters.required:
            raise HypothesisError(f"{self.name!r} needs more: {self.spelling}, such as {self.name}:{self.example or 1}")
        try:
            answer = self._function(text, **({FILE_NAME: file_name} if self.parameters.takes_file_name else {}))
        except HypothesisError as error:
            if self._is_derived:  # its parts have said who they are
                raise
            raise HypothesisError(f"the hypothesis {self.name!r} cannot be asked: {error}") from error
        except Exception as error:
            raise HypothesisError(f"the hypothesis {self.name!r} failed: {self._describe(error)}") from error
        try:
            return Labels.of(answer, len(text), self.kind, self.names)
        except HypothesisError as error:
            raise HypothesisError(f"the hypothesis {self.name!r} cannot be used: {error}") from error

    def __repr__(self) -> str:
        return f"<hypothesis {self.name}>"

    def __and__(self, other: "Hypothesis") -> "Hypothesis":
        return self._joined(other, "&", _AND, conjunction)

    def __or__(self, other: "Hypothesis") -> "Hypothesis":
        return self._joined(other, "|", _OR, disjunction)

    def __invert__(self) -> "Hypothesis":
        def label(text: str, *, file_name: str) -> Labels:
            return negation(self._binary(text, file_name))

        return self._derived(label, f"~{self._within(_ATOM)}", _ATOM)

    def __ge__(self, number: float) -> "Hypothesis":
        return self.compared(">=", number)

    def __le__(self, number: float) -> "Hypothesis":
        return self.compared("<=", number)

    def __gt__(self, number: float) -> "Hypothesis":
        return self.compared(">", number)

    def __lt__(self, number: float) -> "Hypothesis":
        return self.compared("<", number)

    def is_(self, value: str | float) -> "Hypothesis":
        """Is the label this class, or this number?"""
        return self.compared("==", value)

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

        spelled = quoted(value) if isinstance(value, str) else format(value, "g")
        return self._derived(label, f"{self._within(_ATOM)} {sign} {spelled}", _COMPARISON)

    def named(self, name: str) -> "Hypothesis":
        """The same by another name."""
        made = copy.copy(self)
        made.name = name
        return made

    def given(self, *parameters: Any, **named: Any) -> "Hypothesis":
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
            return asked.given(**before, **bound)
        made = Hypothesis(
            functools.partial(self._function, **bound),
            name=f"{self.name}:{quoted(self.parameters.spell(bound))}",
            kind=self.kind,
            names=self.names,
            unit=self.unit,
            causal=self.causal,
            source=self.source,
            expects=self.expects,
        )
        made.__doc__, made._origins, made._asked = self.__doc__, self._origins, (self, bound)
        return made

    def given_spelled(self, spelled: str) -> "Hypothesis":
        """The same with its parameters set as they are spelled behind its name, such as `3` or `width=4`.

        Raises:
            HypothesisError: If they do not fit.
        """
        try:
            return self.given(**self.parameters.read(spelled))
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
    def spelling_to_try(self) -> str:
        """Its name, with the parameters of its example if it cannot be asked without."""
        return f"{self.name}:{quoted(self.example)}" if self.parameters.required else self.name

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return inspect.cleandoc(self.__doc__ or "").partition("\n")[0]

    @property
    def goes_by_file_name(self) -> bool:
        """Whether the name of the file that a text is from may change its labels."""
        return any(Parameters(origin).takes_file_name for origin in self._origins)

    @property
    def fingerprint(self) -> str | None:
        """A hash of its name and of the files that its functions are written in; None if one is not in a file alone.

        It changes whenever one of these files does, and so may its labels.
        """
        digest = hashlib.sha256(self.name.encode())
        for origin in self._origins:
            file = inspect.getsourcefile(origin) if inspect.isfunction(origin) and not origin.__closure__ else None
            if file is None or not Path(file).is_file():
                return None
            digest.update(f"{origin.__module__}.{origin.__qualname__}".encode())
            digest.update(Path(file).read_bytes())
        return digest.hexdigest()

    def _joined(self, other: "Hypothesis", sign: str, firmness: int, join: Callable[..., Labels]) -> "Hypothesis":
        def label(text: str, *, file_name: str) -> Labels:
            return join(self._binary(text, file_name), other._binary(text, file_name))

        name = f"{self._within(firmness)} {sign} {other._within(firmness + 1)}"
        return self._derived(label, name, firmness, other)

    def _binary(self, text: str, file_name: str) -> Labels:
        labels = self(text, file_name=file_name)
        if labels.kind != "binary":
            example = ">= 5" if labels.kind == "numeric" else f"== {quoted((*labels.names, 'name')[0])}"
            raise HypothesisError(
                f"the hypothesis {self.name!r} gives {labels.kind} labels, not True or False; compare them, such as "
                f"{self._within(_ATOM)} {example}"
            )
        return labels

    def _derived(self, label: Callable[..., Labels], name: str, firmness: int, *others: "Hypothesis") -> "Hypothesis":
        parts = (self, *others)
        made = Hypothesis(label, name=name, kind="binary", causal=all(part.causal for part in parts))
        made._origins = tuple(origin for part in parts for origin in part._origins)
        made._is_derived = True
        made._firmness = firmness
        return made

    def _within(self, firmness: int) -> str:
        """Its name as part of another, in parentheses where it would else fall apart."""
        return self.name if self._firmness >= firmness else f"({self.name})"

    def _describe(self, error: Exception) -> str:
        files = {function.__code__.co_filename for function in self._origins if inspect.isfunction(function)}
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename in files]
        where = f" in line {own[-1].lineno} of {Path(own[-1].filename).name}" if own else ""
        return f"{type(error).__name__}{where}: {error}"


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
) -> Callable[[Callable[..., Any]], Hypothesis]: ...
def hypothesis(
    function: Callable[..., Any] | None = None, **declared: Any
) -> Hypothesis | Callable[[Callable[..., Any]], Hypothesis]:
    """Make a hypothesis of a function that takes a text and gives one label for each character.

    A label is a bool (binary), a number (numeric) or a string (categorical); None or NaN where there is nothing to say.
    Label *t* says what is true once the characters up to and including *t* have been read.

    What the function takes beside the text are parameters of the hypothesis, spelled behind its name:
    `indent_at_least:3`. They are text, or what their annotations say: `int`, `float` or `str`. A keyword `file_name`
    is given the name of the file that the text is from.

    Args:
        function: What is decorated.
        **declared: `name` is the function's own if left away; `kind` (`binary`, `categorical`, `numeric`) goes by the
            values; `names` are those of the classes, `unit` what numbers are counted in; `causal` is False if a label
            depends on what comes after its character; `source` says where the idea comes from, `expects` what is
            known of units that encode it, and `example` has parameters to try it with.
    """
    if function is not None:
        return Hypothesis(function, **declared)
    return functools.partial(Hypothesis, **declared)
