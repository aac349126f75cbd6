"""The parameters of a hypothesis: what stands behind its name, as in `indent_at_least:3`."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from hypotheses.errors import HypothesisError
from hypotheses.spelling import spell_number

FILE_NAME = "file_name"
"""A function that has a keyword of this name is told the name of the file that the text is from."""

_PLAIN: dict[str, type] = {"bool": bool, "int": int, "float": float, "str": str}
_BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class Parameters:
    """What a function takes beside the text.

    Attributes:
        takes_file_name: Whether it wants to know where the text is from.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        try:
            taken = list(inspect.signature(function).parameters.values())[1:]
        except (TypeError, ValueError):  # some callables written in C do not tell
            taken = []
        self.takes_file_name = any(each.name == FILE_NAME for each in taken)
        known = function.keywords if isinstance(function, functools.partial) else {}
        self._taken = {
            each.name: each
            for each in taken
            if each.name not in (FILE_NAME, *known) and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        }

    def __contains__(self, name: str) -> bool:
        return name in self._taken

    def __len__(self) -> int:
        return len(self._taken)

    @property
    def required(self) -> list[str]:
        """The names of those that cannot be left away."""
        return [name for name, each in self._taken.items() if each.default is each.empty]

    @property
    def spelling(self) -> str:
        """How they stand behind the name, what may be left away in brackets; empty if there are none."""
        required = ",".join(self.required)
        others = ",".join(name for name in self._taken if name not in self.required)
        if not required:
            return f"[:{others}]" if others else ""
        return f":{required}[,{others}]" if others else f":{required}"

    def bind(self, *given: Any, **named: Any) -> dict[str, Any]:
        """What is given, by name.

        Raises:
            TypeError: If there are fewer parameters, or none of that name.
        """
        by_name = [each.replace(kind=each.POSITIONAL_OR_KEYWORD) for each in self._taken.values()]
        in_order = sorted(by_name, key=lambda each: each.default is not each.empty)
        return inspect.Signature(in_order).bind_partial(*given, **named).arguments

    def spell(self, bound: dict[str, Any]) -> str:
        """What is behind the name if these are given, so that `read` gives them back."""
        names = list(self._taken)
        values = {name: value if isinstance(value, str) else spell_number(value) for name, value in bound.items()}
        in_order = list(bound) == names[: len(bound)]
        apart = any("," in value for value in [*values.values()][:-1])
        if in_order and not apart and not any(self._is_named(value) for value in values.values()):
            return ",".join(values.values())
        return ",".join(f"{name}={values[name]}" for name in sorted(values, key=lambda name: "," in values[name]))

    def read(self, spelled: str) -> dict[str, Any]:
        """What was spelled, such as `3`, `3,4` or `width=4`, by name and in the types of the function.

        Raises:
            HypothesisError: If they do not fit; it speaks of "it".
        """
        if not self._taken:
            raise HypothesisError(f"it takes no parameters, and was given {spelled!r}; leave that away")
        names = list(self._taken)
        read: dict[str, Any] = {}
        for place, part in enumerate(spelled.split(",", len(names) - 1)):
            name, _, value = part.partition("=") if self._is_named(part) else (names[place], "", part)
            if name.strip() in read:
                raise HypothesisError(f"its {name.strip()} was given twice")
            read[name.strip()] = self._convert(name.strip(), value)
        return read

    def _is_named(self, part: str) -> bool:
        name, equals, _ = part.partition("=")
        return bool(equals) and name.strip() in self._taken

    def _convert(self, name: str, value: str) -> Any:
        each = self._taken[name]
        declared = each.annotation if each.annotation is not each.empty else type(each.default)
        spelled = declared if isinstance(declared, str) else getattr(declared, "__name__", "") or str(declared)
        kind = next((_PLAIN[part.strip()] for part in spelled.split("|") if part.strip() in _PLAIN), str)
        if kind is bool:
            if value.strip().lower() in _BOOLS:
                return _BOOLS[value.strip().lower()]
            raise HypothesisError(f"its {name} is true or false, and was given as {value!r}")
        try:
            return kind(value if kind is str else value.strip())
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise HypothesisError(f"its {name} is {wanted}, and was given as {value!r}") from None
