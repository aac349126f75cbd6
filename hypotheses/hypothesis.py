"""Hypotheses: functions from a text to labels, with what is declared about them, and combinations of them."""

import copy
import functools
import inspect
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, overload

from hypotheses.combining import combined_hash, common_separator, compared, conjunction, disjunction, negation, shifted
from hypotheses.errors import HypothesisError, UnusableError
from hypotheses.fingerprints.dependencies import Definition, Dependencies, find_dependencies
from hypotheses.fingerprints.functions import are_plain
from hypotheses.given_labels import GivenAsLabels, GivenLabels, are_labels
from hypotheses.labels import KINDS, Kind, Labels
from hypotheses.origins import Origin
from hypotheses.parameters import DOCUMENT, FILE_NAME, ORIGIN, Parameters
from hypotheses.running import failure, interruption, process_kept
from hypotheses.spelling import quoted, spell_number
from hypotheses.terminal.marks import marked
from hypotheses.text_kinds.kinds import TextKind, kinds_named

_PATTERN = "regex"  # its parameter stands in quotes in a combination, since without them it has no end
_OR, _AND, _COMPARISON, _ATOM = range(4)  # precedence in an expression, from the loosest to the tightest


class Hypothesis:
    """A named function from text to labels. Call it with a text to get its `Labels`.

    Hypotheses with labels True and False combine with `&`, `|` and `~`. Numbers and classes become True or False by
    `==` and `!=`, numbers also by `>=`, `<=`, `>` and `<`.

    Attributes:
        name: The name under which it is found.
        kind: Kind of its labels, if declared.
        names: Names of the classes of categorical labels, if declared.
        unit: Unit of numeric labels, or an empty string.
        causal: False if a label depends on characters after its own.
        source: Where the idea comes from, or an empty string.
        expects: What is known of units that encode it, or an empty string.
        example: Parameters to try it with, as they are spelled after its name.
        parameters: What its function takes besides the text, without those that are already set.
        uses_file_name: Whether its labels may depend on the name of the document, or of the file that a text is from.
        labels_any_text: False if its labels were made for one text, and are read from a file or given as an array.
        reads: The files and folders that it reads, as far as it is declared.
        needs: The kinds of text that its labels mean something in, by the name of each hypothesis in it; see
            `text_kinds.kinds`. Empty if it can be asked of any text.
        separator: A string that keeps two texts apart, such as a newline: with it between them, both get the labels
            that they get separately. None if there is no such string; texts are then labelled one by one.
        definitions: The functions that it is made of: one, or those of all hypotheses that are combined in it.
        definition_hash: A hash of its function, of the function's source file, of the parameters that are set, and of
            how it is combined; None if these do not define it.
    """

    def __init__(
        self,
        function: Any,
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
        text_kind: str | TextKind | Sequence[str | TextKind] = (),
    ) -> None:
        if are_labels(function):
            function, causal = GivenLabels(function, kind, names), False
            name, kind, names = name or function.name, function.kind, function.names
        self.name = name or str(getattr(function, "__name__", type(function).__name__))
        self.kind: Kind | None = _declared_kind(self.name, kind, names, unit)
        self.names = tuple(names)
        self.unit = unit
        self.causal = causal
        self.source = source
        self.expects = expects
        self.example = example
        self.separator = separator
        kinds = kinds_named(text_kind)
        self.needs: tuple[tuple[str, tuple[TextKind, ...]], ...] = ((self.name, kinds),) if kinds else ()
        self.parameters = Parameters(function)
        self.uses_file_name = bool(self.parameters.about_text)
        self.labels_any_text = ORIGIN not in self.parameters.about_text
        functools.update_wrapper(self, function, updated=())
        definition = Definition(function, self.name, (self.kind, self.names), reads)
        self.definitions: tuple[Definition, ...] = (definition,)
        self.definition_hash = definition.hash
        self.reads = definition.reads
        self._function = function
        self._precedence = _ATOM
        self._is_combined = False
        self._without_parameters: Hypothesis | None = None  # the hypothesis whose parameters are set in this one
        self._parameters_set: dict[str, Any] = {}

    def __call__(
        self,
        text: str,
        *parameters: Any,
        file_name: str = "",
        document: str = "",
        _origin: Origin | None = None,
        **named: Any,
    ) -> Labels:
        """Label each character of a text.

        Args:
            text: The text, one document.
            parameters: Parameters of the function, if it has any; also by name.
            file_name: Name of the file that the text is from, for hypotheses whose labels depend on it.
            document: Name of the document, where it is another.
            named: Parameters of the function by name.

        Raises:
            HypothesisError: If the function fails, or returns labels that cannot be used.
        """
        if parameters or named:
            made = self.with_parameters(*parameters, **named)
            return made(text, file_name=file_name, document=document, _origin=_origin)
        if self.parameters.required:
            example = f", such as {self.name}:{self.example}" if self.example else ""
            raise HypothesisError(f"{self.name!r} needs parameters: {self.spelling}{example}")
        if not isinstance(text, str):
            raise HypothesisError(f"{self.name!r} labels a text, but got a {type(text).__name__}")
        if not self._is_combined:
            self.definitions[0].record_use()
        try:
            origin = _origin or Origin.of_one_text(len(text), file_name, document)
            labels = self._labels(text, origin)
        except UnusableError as error:
            raise HypothesisError(f"the hypothesis {self.name!r} cannot be used: {error}") from error
        except HypothesisError as error:
            if self._is_combined:  # the error names the part that failed
                raise
            raise HypothesisError(f"the hypothesis {self.name!r} cannot label this text: {error}") from error
        except BaseException as error:
            files = {definition.file for definition in self.definitions}
            sentence = f"the hypothesis {self.name!r} failed: {failure(error, files)}"
            if interrupt := interruption(error):
                interrupt.add_note(sentence)
                raise interrupt from None
            raise HypothesisError(sentence) from error
        return labels

    def _labels(self, text: str, origin: Origin) -> Labels:
        """Call the function, and check what it returns.

        Raises:
            HypothesisError: If it returns labels that cannot be used; and whatever the function raises.
        """
        is_ours = self._is_combined or all(definition.is_built_in for definition in self.definitions)
        with nullcontext() if is_ours else process_kept():
            answer = self._function(text, **self._about_text(origin))
            try:
                return Labels.from_answer(answer, len(text), self.kind, self.names)
            except HypothesisError as error:
                raise UnusableError(str(error)) from error

    def _about_text(self, origin: Origin) -> dict[str, Any]:
        """Return what the function is told about where the text is from, by its keywords."""
        known = {FILE_NAME: origin.file_name, DOCUMENT: origin.document, ORIGIN: origin}
        return {keyword: known[keyword] for keyword in self.parameters.about_text}

    def __repr__(self) -> str:
        return f"<hypothesis {self.name}>"

    def __bool__(self) -> bool:
        raise HypothesisError(
            f"a hypothesis such as {self.name!r} is neither true nor false; combine with &, | and ~ in place of "
            "and, or and not, and compare twice in place of 3 <= x <= 5"
        )

    def __and__(self, other: "Hypothesis") -> "Hypothesis":
        return self._combined_with(other, "&", _AND, conjunction)

    def __or__(self, other: "Hypothesis") -> "Hypothesis":
        return self._combined_with(other, "|", _OR, disjunction)

    __rand__, __ror__ = __and__, __or__  # what stands on the left is no hypothesis, and is refused
    __array_ufunc__ = None  # an array on the left does not take the hypothesis for a number

    __hash__ = object.__hash__

    def __eq__(self, value: object) -> Any:
        """Ask whether the label is this class or number; two hypotheses are equal if they are the same object."""
        return self.compared("==", value) if isinstance(value, str | float | int) else self is value

    def __ne__(self, value: object) -> Any:
        return self.compared("!=", value) if isinstance(value, str | float | int) else self is not value

    def __invert__(self) -> "Hypothesis":
        def label(text: str, *, _origin: Origin) -> Labels:
            return negation(self._binary_labels(text, _origin))

        return self._derived(label, f"~{self._spelled_within(_ATOM)}", _ATOM, "~")

    def __ge__(self, number: float) -> "Hypothesis":
        return self.compared(">=", number)

    def __le__(self, number: float) -> "Hypothesis":
        return self.compared("<=", number)

    def __gt__(self, number: float) -> "Hypothesis":
        return self.compared(">", number)

    def __lt__(self, number: float) -> "Hypothesis":
        return self.compared("<", number)

    def compared(self, sign: str, value: str | float) -> "Hypothesis":
        """Compare each label with a class or a number; the new labels are True and False.

        Args:
            sign: One of == != >= <= > <; for classes, == or !=.
            value: The name of a class, or a number.
        """

        def label(text: str, *, _origin: Origin) -> Labels:
            labels = self(text, _origin=_origin)
            try:
                return compared(labels, sign, value)
            except HypothesisError as error:
                raise HypothesisError(f"the hypothesis {self.name!r} cannot be compared: {error}") from error

        spelled = quoted(value) if isinstance(value, str) else spell_number(value)
        return self._derived(label, f"{self._spelled_within(_ATOM)} {sign} {spelled}", _COMPARISON, f"{sign} {value!r}")

    def lagged(self, lag: int) -> "Hypothesis":
        """Give each character the label of the character `lag` later; missing where the text has no such character.

        A positive lag asks what the state knows of characters to come, a negative lag what it still knows of those that
        have passed. The notebooks with which the field began took the state before a character was read: a lag of 1.
        """

        def label(text: str, *, _origin: Origin) -> Labels:
            return shifted(self(text, _origin=_origin), lag)

        derived = self._derived(label, f"{self._spelled_within(_ATOM)} @ {lag}", _COMPARISON, f"@ {lag}")
        derived.kind, derived.names, derived.unit = self.kind, self.names, self.unit
        derived.causal = self.causal and lag <= 0
        derived.separator = None
        return derived

    def with_name(self, name: str) -> "Hypothesis":
        """Return the same hypothesis under another name."""
        renamed = copy.copy(self)
        renamed.name = name
        renamed.needs = tuple((name if part == self.name else part, kinds) for part, kinds in self.needs)
        return renamed

    def with_parameters(self, *parameters: Any, **named: Any) -> "Hypothesis":
        """Return the hypothesis with parameters of its function set, by position or by name.

        Raises:
            HypothesisError: If it has no such parameter.
        """
        try:
            values = self.parameters.bind(*parameters, **named)
        except TypeError as error:
            raise HypothesisError(f"{self.name!r} is spelled {self.spelling}: {error}") from error
        if self._without_parameters is not None:
            return self._without_parameters.with_parameters(**self._parameters_set, **values)
        made = self.with_name(f"{self.name}:{self._spell_parameters(values)}")
        made._function = functools.partial(self._function, **values)
        made.parameters, made.example = Parameters(made._function), ""
        made._without_parameters, made._parameters_set = self, values
        if values.get("language", "auto") != "auto":
            made.needs = ()  # who names a language knows it
        if self.parameters.file in values:
            path = Path(values[self.parameters.file])
            made.definitions = tuple(part.reading(path, self.parameters.suffixes) for part in self.definitions)
            made.reads = (*self.reads, path.absolute())
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in values.items()}
        is_hashable = self.definition_hash is not None and are_plain(*plain.values())
        made.definition_hash = f"{self.definition_hash} {sorted(plain.items())!r}" if is_hashable else None
        return made

    def with_spelled_parameters(self, spelled: str) -> "Hypothesis":
        """Return the hypothesis with parameters set as they are spelled after its name, such as `3` or `width=4`.

        Raises:
            HypothesisError: If they do not fit.
        """
        try:
            return self.with_parameters(**self.parameters.read(spelled))
        except HypothesisError as error:
            raise HypothesisError(f"{self.name!r} is spelled {self.spelling}: {error}") from error

    def mark(self, text: str) -> str:
        """Return the text, and below it a mark for the label of each character; see `Labels.marks`.

        Newlines are shown as ↵, tabs as →, and the marks line up under wide characters; see `marks.columns_of`.
        """
        return marked(text, self(text).marks())

    @property
    def spelling(self) -> str:
        """Its name, and the parameters that can follow it."""
        parameters = self.parameters.spelling
        return f"{self.name}{parameters.replace(':', ',', 1) if self._without_parameters is not None else parameters}"

    @property
    def example_spelling(self) -> str:
        """Its name, with the parameters of its example if it requires some."""
        return f"{self.name}:{quoted(self.example)}" if self.parameters.required else self.name

    @property
    def summary(self) -> str:
        """The first line of its docstring."""
        return inspect.cleandoc(self.__doc__ or "").partition("\n")[0]

    @property
    def fingerprint(self) -> str | None:
        """A hash of all that its labels depend on besides the text; None if something cannot be hashed."""
        return self.dependencies().fingerprint

    def dependencies(self, *, clear_caches: bool = False) -> Dependencies:
        """Hash all that its labels depend on besides the text, at this moment.

        The hash covers its function, its parameters, the file in which it is written, what its function uses (see
        `fingerprints.references`), the files that it is declared to read, how it is combined, and all of this for the
        other hypotheses that it may ask.

        Args:
            clear_caches: Whether to clear each `functools.cache` that its functions use: it may hold results that are
                older than what is hashed.

        Raises:
            HypothesisError: If a file is missing that it is declared to read.
        """
        return find_dependencies(self, self.definitions, clear_caches=clear_caches)

    def _combined_with(
        self, other: Any, sign: str, precedence: int, combine: Callable[[Labels, Labels], Labels]
    ) -> "Hypothesis":
        if not isinstance(other, Hypothesis):
            raise HypothesisError(
                f"{self.name!r} {sign} {type(other).__name__}: only hypotheses combine; probe.get finds one by its "
                "name, and probe.hypothesis makes one of a function or of labels"
            )

        def label(text: str, *, _origin: Origin) -> Labels:
            return combine(self._binary_labels(text, _origin), other._binary_labels(text, _origin))

        name = f"{self._spelled_within(precedence)} {sign} {other._spelled_within(precedence + 1)}"
        return self._derived(label, name, precedence, sign, other)

    def _spell_parameters(self, values: dict[str, Any]) -> str:
        if self.name == _PATTERN:
            return quoted("".join(values.values()), always=True)
        return quoted(self.parameters.spell(values))

    def _binary_labels(self, text: str, origin: Origin) -> Labels:
        labels = self(text, _origin=origin)
        if labels.kind != "binary":
            example = ">= 5" if labels.kind == "numeric" else f"== {quoted((*labels.names, 'name')[0])}"
            raise HypothesisError(
                f"the hypothesis {self.name!r} gives {labels.kind} labels, not True or False; compare them, such as "
                f"{self._spelled_within(_ATOM)} {example}"
            )
        return labels

    def _derived(
        self, label: Callable[..., Labels], name: str, precedence: int, operation: str, *others: "Hypothesis"
    ) -> "Hypothesis":
        """Return a hypothesis whose labels are made from those of this one and of others.

        Args:
            label: Makes the labels, which are binary.
            name: The expression that spells it.
            precedence: Precedence of the operation in that expression.
            operation: The operation with its operands, for the hash.
            others: The other hypotheses.
        """
        parts = (self, *others)
        derived = Hypothesis(label, name=name, kind="binary", causal=all(part.causal for part in parts))
        derived.definitions = tuple(definition for part in parts for definition in part.definitions)
        derived.reads = tuple(path for part in parts for path in part.reads)
        derived.needs = tuple(dict.fromkeys(need for part in parts for need in part.needs))
        derived.uses_file_name = any(part.uses_file_name for part in parts)
        derived.labels_any_text = all(part.labels_any_text for part in parts)
        derived.definition_hash = combined_hash(
            operation, [(part.definition_hash, part.kind, part.names) for part in parts]
        )
        derived.separator = common_separator([part.separator for part in parts])
        derived._is_combined, derived._precedence = True, precedence
        derived.__doc__ = f"Is {name} true?\n\nA combination of hypotheses; see what each of them asks."
        return derived

    def _spelled_within(self, precedence: int) -> str:
        """Return its name as part of an expression, in parentheses if it binds more loosely than its surroundings."""
        return self.name if self._precedence >= precedence else f"({self.name})"


def _declared_kind(name: str, kind: Kind | None, names: Sequence[str], unit: str) -> Kind | None:
    """Return the kind of labels that a declaration implies; None if it is to be inferred from the labels.

    Raises:
        HypothesisError: If there is no such kind, or labels of this kind have no classes.
    """
    if kind is not None and kind not in KINDS:
        raise HypothesisError(f"the kind of {name} is {kind!r}; choose one of {', '.join(KINDS)}")
    if names and kind not in (None, "categorical"):
        raise HypothesisError(f"{name} has names of classes, and is declared to be {kind}; remove one of the two")
    return "categorical" if names else "numeric" if unit and kind is None else kind


@overload
def hypothesis(
    function: Callable[..., Any] | GivenAsLabels,
    *,
    name: str | None = None,
    kind: Kind | None = None,
    names: Sequence[str] = (),
    unit: str = "",
) -> Hypothesis: ...
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
    text_kind: str | TextKind | Sequence[str | TextKind] = (),
) -> Callable[[Callable[..., Any]], Hypothesis]: ...
def hypothesis(
    function: Callable[..., Any] | GivenAsLabels | None = None, **declared: Any
) -> Hypothesis | Callable[[Callable[..., Any]], Hypothesis]:
    """Make a hypothesis from a function that takes a text and returns one label for each character.

    A label is a bool (binary), a number (numeric; also 0 and 1, unless the hypothesis is declared to be binary) or a
    string (categorical); None and NaN are missing labels. Label *t* says what is true once the characters up to and
    including *t* have been read.

    Whatever the function takes besides the text is a parameter of the hypothesis, spelled after its name:
    `indent_at_least:3`. Parameters are strings, or what their annotations say: `int`, `float`, `bool` or `str`. A
    function with a keyword `file_name` gets the name of the file that the text is from, and one with a keyword
    `document` the name of the document: the same, or `names.txt:17` where each line is one.

    In place of a function, there may be the labels themselves: one for each character of the text, in an array, a list
    or `Labels`, or a dict of those by the names of the documents. There, only 0 and 1 are False and True.

    Args:
        function: The decorated function, or labels.
        **declared: `name` is by default that of the function; `kind` (`binary`, `categorical`, `numeric`) is by default
            inferred from the labels; `names` are those of the classes, `unit` is that of numeric labels; `causal` is
            False if a label depends on what comes after its character; `source` says where the idea comes from,
            `expects` what was published about units that encode it, and `example` has parameters to try it with.
            `reads` are the files and folders that the labels depend on, relative to the function's own file: cached
            labels are made again when one of them has changed. `separator` is a string that keeps two texts apart, such
            as a newline for labels that depend on one line only: with it between them, both get the labels that they
            get separately. Many short documents are then labelled in one call. `text_kind` is the kind of text, or the
            kinds, of which the labels mean something: `code`, `latex`, `wiki`, `template`, `html`, `markdown`, `play`,
            `english`, or a `TextKind`. In other texts it is left out where all hypotheses are asked for, and a warning
            is given where it is named.
    """
    if function is not None:
        return Hypothesis(function, **declared)
    return functools.partial(Hypothesis, **declared)
