"""The parameters of a hypothesis, which are spelled after its name, as in `indent_at_least:3`."""

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

from hypotheses.errors import HypothesisError
from hypotheses.spelling import spell_number

FILE_NAME = "file_name"
"""A function with a keyword of this name gets the name of the file that the text is from."""
DOCUMENT = "document"
"""A function with a keyword of this name gets the name of the document, such as `names.txt:17`."""
ORIGIN = "_origin"
"""A function with a keyword of this name gets the `Origin` of the text."""

_ABOUT_TEXT = (FILE_NAME, DOCUMENT, ORIGIN)
_TYPES: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str, "Path": Path}
_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Parameters:
    """The parameters that a function takes besides the text.

    Attributes:
        about_text: The keywords by which the function is told where the text is from: `file_name`, `document`.
        file: The name of the first parameter if it is a file or a folder that the labels are read from (a `Path`): it
            ends with a colon, and what follows are the other parameters. Else None.
        suffixes: Of the files that matter in such a folder; empty if all do.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            parameters = list(inspect.signature(function).parameters.values())[1:]
        except (TypeError, ValueError):  # some callables written in C have no signature
            parameters = []
        self.about_text = tuple(parameter.name for parameter in parameters if parameter.name in _ABOUT_TEXT)
        already_set = function.keywords if isinstance(function, functools.partial) else {}
        self._parameters = {
            parameter.name: parameter
            for parameter in parameters
            if parameter.name not in (*_ABOUT_TEXT, *already_set)
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        }
        first = next(iter(self._parameters.values()), None)
        self.file = first.name if first is not None and _kind(first) is Path else None
        self.suffixes: tuple[str, ...] = ()
        if first is not None and self.file and get_origin(first.annotation) is Annotated:
            self.suffixes = tuple(get_args(first.annotation)[1])

    def __contains__(self, name: str) -> bool:
        return name in self._parameters

    def __len__(self) -> int:
        return len(self._parameters)

    @property
    def required(self) -> list[str]:
        """The names of parameters without a default."""
        return [name for name, parameter in self._parameters.items() if parameter.default is parameter.empty]

    @property
    def spelling(self) -> str:
        """Their names as they follow that of the hypothesis, optional ones in brackets; empty if there are none."""
        if self.file:
            after = ",".join(name for name in self._parameters if name != self.file)
            return f":{self.file}" + (f"[:{after}]" if after else "")
        required = ",".join(self.required)
        optional = ",".join(name for name in self._parameters if name not in self.required)
        if not required:
            return f"[:{optional}]" if optional else ""
        return f":{required}[,{optional}]" if optional else f":{required}"

    def bind(self, *values: Any, **named: Any) -> dict[str, Any]:
        """Return values by the names of their parameters.

        Raises:
            TypeError: If there are more values than parameters, or there is no parameter of a name.
        """
        by_name = [parameter.replace(kind=parameter.POSITIONAL_OR_KEYWORD) for parameter in self._parameters.values()]
        in_order = sorted(by_name, key=lambda parameter: parameter.default is not parameter.empty)
        arguments = inspect.Signature(in_order).bind_partial(*values, **named).arguments
        if self.file and isinstance(arguments.get(self.file), str):
            arguments[self.file] = Path(arguments[self.file])
        return arguments

    def spell(self, values: dict[str, Any]) -> str:
        """Return values as they are spelled after the name, so that `read` returns them."""
        names = list(self._parameters)
        if self.file and self.file in values:
            after = {name: value for name, value in values.items() if name != self.file and value != ""}
            return f"{values[self.file]}" + (f":{self._spell(after, names[1:])}" if after else "")
        return self._spell(values, names)

    def _spell(self, values: dict[str, Any], names: list[str]) -> str:
        texts = {name: value if isinstance(value, str) else spell_number(value) for name, value in values.items()}
        in_order = list(values) == names[: len(values)]
        has_inner_comma = any("," in text for text in [*texts.values()][:-1])
        if in_order and not has_inner_comma and not any(self._is_named(text) for text in texts.values()):
            return ",".join(texts.values())
        return ",".join(f"{name}={texts[name]}" for name in sorted(texts, key=lambda name: "," in texts[name]))

    def read(self, spelled: str) -> dict[str, Any]:
        """Read values such as `3`, `3,4` or `width=4`; return them by name, in the types that the function declares.

        Raises:
            HypothesisError: If they do not fit; the message speaks of the hypothesis as "it".
        """
        if not self._parameters:
            raise HypothesisError(f"it takes no parameters, but got {spelled!r}; remove it")
        names = list(self._parameters)
        values: dict[str, Any] = {}
        if self.file:
            if not spelled.partition(":")[0].strip():
                raise HypothesisError(f"its {self.file} is missing; name one")
            path, spelled = split_path(spelled)
            values[self.file] = path
            names = names[1:]
            if not spelled:
                return values
            if len(names) == 1 and not self._is_named(spelled):
                return values | {names[0]: self._convert(names[0], spelled)}
        for n, part in enumerate(spelled.split(",", len(names) - 1)):
            name, _, text = part.partition("=") if self._is_named(part) else (names[n], "", part)
            if name.strip() in values:
                raise HypothesisError(f"its {name.strip()} is set twice")
            values[name.strip()] = self._convert(name.strip(), text)
        return values

    def _is_named(self, part: str) -> bool:
        name, equals, _ = part.partition("=")
        return bool(equals) and name.strip() in self._parameters

    def _convert(self, name: str, text: str) -> Any:
        kind = _kind(self._parameters[name])
        if kind is bool:
            if text.strip().lower() in _BOOLS:
                return _BOOLS[text.strip().lower()]
            raise HypothesisError(f"its {name} must be true or false, but is {text!r}")
        try:
            return kind(text if kind is str else text.strip())
        except ValueError:
            expected = "a whole number" if kind is int else "a number"
            raise HypothesisError(f"its {name} must be {expected}, but is {text!r}") from None


def split_path(spelled: str) -> tuple[Path, str]:
    """Split `path:more` into an existing path, as long as possible, and what follows; paths may have colons too.

    >>> split_path("C:/a.csv")
    (PosixPath('C:/a.csv'), '')
    >>> split_path("a.csv:label")
    (PosixPath('a.csv'), 'label')
    """
    colons = [colon.start() for colon in re.finditer(":", spelled)]
    for end in (len(spelled), *reversed(colons)):
        if end and exists(Path(spelled[:end])):
            return Path(spelled[:end]), spelled[end + 1 :]
    drive = 2 if re.match(r"[A-Za-z]:[/\\]", spelled) else 0
    path, _, after = spelled[drive:].partition(":")
    return Path(spelled[:drive] + path), after


def exists(path: Path) -> bool:
    """Tell whether there is such a file or folder; False for what cannot be a path."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _kind(parameter: inspect.Parameter) -> type:
    """Return the type that a function declares for a parameter, by an annotation or a default; a string if none."""
    has_annotation = parameter.annotation is not parameter.empty
    declared = parameter.annotation if has_annotation else type(parameter.default)
    if get_origin(declared) is Annotated:
        declared = get_args(declared)[0]
    spelled = declared if isinstance(declared, str) else getattr(declared, "__name__", "") or str(declared)
    parts = (part.strip().rpartition(".")[2] for part in spelled.split("|"))
    return next((_TYPES[part] for part in parts if part in _TYPES), str)
