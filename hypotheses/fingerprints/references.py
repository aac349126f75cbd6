"""Finds all that a function uses besides the text, as a hash that is the same in every process.

Only what is understood is hashed: plain values, code of the user's, and the parts of Python and of libraries that are
listed in `reproducible`. If a function refers to anything else, its labels cannot be cached.
"""

import builtins
import dis
import enum
import functools
import hashlib
import importlib
import importlib.util
import re
import sys
from abc import ABC, ABCMeta
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PosixPath, PurePath, PurePosixPath, PureWindowsPath, WindowsPath
from types import (
    BuiltinFunctionType,
    CodeType,
    FunctionType,
    GetSetDescriptorType,
    MappingProxyType,
    MemberDescriptorType,
    MethodDescriptorType,
    MethodType,
    ModuleType,
    SimpleNamespace,
)
from typing import Any, Generic, Protocol

import numpy as np
import regex

from hypotheses.fingerprints import reproducible
from hypotheses.fingerprints.bytecode import absolute_name, code_text, home_module, with_inner_code
from hypotheses.fingerprints.opened_files import CodeLocation, is_library, location_of
from hypotheses.fingerprints.reproducible import NotUnderstoodError
from hypotheses.fingerprints.versions import checked_version, installed_version, library_version
from hypotheses.kernels import CompiledLoop
from hypotheses.running import interruption, process_kept

_PLAIN = {
    bool, int, float, complex, str, bytes, type(None), type(...), type(NotImplemented), range, date, timedelta, Decimal,
    Fraction, PurePosixPath, PureWindowsPath,
}  # fmt: skip
_SEQUENCES = {list, tuple, deque}
_MAPPINGS = {dict, OrderedDict, Counter, defaultdict, MappingProxyType}
_PATTERNS = {re.Pattern, type(regex.compile(""))}
_PATHS = {PosixPath, WindowsPath}
_IMMUTABLE = _PLAIN | _PATTERNS | {tuple, frozenset}
_FUNCTIONS_IN_C = {BuiltinFunctionType, type(re.compile("").match), type(np.where)}
_CACHED_FUNCTION = type(functools.cache(len))
_WITHOUT_STATE = {object, ABC, Generic, Protocol}
_THIS_PACKAGE = "hypotheses"  # of which the cache has a hash
USER_MODULE = "_hypotheses_of_the_user_"
"""The prefix of the module names of users' files."""

_OF_EVERY_CLASS = {
    "__module__", "__doc__", "__dict__", "__hash__", "__weakref__", "__annotations__", "__annotate_func__",
    "__annotations_cache__", "__firstlineno__", "__static_attributes__", "__dataclass_fields__", "__dataclass_params__",
    "__orig_bases__", "__parameters__", "_abc_impl",
}  # fmt: skip


class References:
    """All that a function uses besides the text: its code, and the variables, functions and libraries that it names.

    Attributes:
        locations: Where the function is written, and the functions that it may call.
        hypotheses: Other hypotheses that it may call; what these use is not followed here.
        caches: Functions with a `functools.cache` that it may call.
        digest: A hash of all of it. None if the function uses something that is not the same every time (the
            environment, the clock, random numbers), a library without a version, or an object that cannot be hashed.
        not_understood: What that is, to end a sentence with; empty if there is a hash.
    """

    def __init__(
        self, function: Callable[..., Any], *, reads: Iterable[Path] = (), hypothesis: type | None = None
    ) -> None:
        """Follow all that a function names.

        Args:
            function: The function.
            reads: Declared files and folders, which are hashed elsewhere.
            hypothesis: The class of hypotheses; they have a `definition_hash`.
        """
        self.locations: set[CodeLocation] = set()
        self.hypotheses: list[Any] = []
        self.caches: list[Any] = []
        self.digest: str | None = None
        self.not_understood = ""
        self._reads, self._hypothesis = tuple(reads), hypothesis
        self._package = home_module(function).partition(".")[0]
        self._seen: dict[int, tuple[int, Any]] = {}  # objects by id, held so that no other object takes the id
        self._attributes: set[str] = set()  # that any of the code names
        self._owners: dict[int, ModuleType | type] = {}  # modules and library classes that have such attributes
        self._uses_paths = False
        try:
            parts = "\n".join([*self._follow(function), *self._follow_attributes(), _plug_in_version(self._package)])
        except NotUnderstoodError as error:
            self.not_understood = str(error)
        except RecursionError:
            self.not_understood = "what it uses is nested too deeply"
        except Exception as error:  # noqa: BLE001  # looking at the user's objects may run code of the user's
            self.not_understood = f"what it uses cannot be looked at: {type(error).__name__}"
        else:
            self.digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()

    def _follow(self, value: Any) -> Iterator[str]:
        """Yield text that defines a value, and all that it refers to."""
        kind = type(value)  # not __class__, which an object may define as it likes
        if kind in _PLAIN or kind is np.dtype or isinstance(kind, type(np.dtype)):
            yield f"{kind.__qualname__} {value!r}"
        elif kind is np.ndarray or (issubclass(kind, np.generic) and kind.__module__ == "numpy"):
            if value.dtype.hasobject:
                raise NotUnderstoodError("it uses an array of objects")
            yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        elif kind in _PATTERNS:
            lists = sorted((name, sorted(words)) for name, words in getattr(value, "named_lists", {}).items())
            yield f"{kind.__module__} {value.pattern!r} {value.flags} {lists}"
        elif kind in _PATHS:
            self._uses_paths = True
            yield f"{kind.__qualname__} {value!r}"
        elif id(value) in self._seen:
            yield f"seen {self._seen[id(value)][0]}"
        else:
            self._seen[id(value)] = len(self._seen), value
            yield from self._follow_compound(kind, value)

    def _follow_compound(self, kind: type, value: Any) -> Iterator[str]:
        if kind in _SEQUENCES:
            yield from self._follow_all(kind.__qualname__, value)
        elif kind in _MAPPINGS:
            yield from self._follow_all(kind.__qualname__, [part for item in value.items() for part in item])
            yield from self._follow(getattr(value, "default_factory", None))
        elif kind in (set, frozenset):
            yield f"{kind.__qualname__} {sorted(' '.join(self._follow(member)) for member in value)}"
        elif kind is SimpleNamespace:
            yield from self._follow(vars(value))
        elif issubclass(kind, ModuleType):
            yield from self._follow_module(value)
        elif issubclass(kind, type):
            yield from self._follow_class(value)
        elif kind is self._hypothesis:
            if value.definition_hash is None:
                raise NotUnderstoodError(f"it asks {value.name!r}, which is no plain function in a file")
            self.hypotheses.append(value)
            yield value.definition_hash
        else:
            yield from self._follow_callable(kind, value)

    def _follow_callable(self, kind: type, value: Any) -> Iterator[str]:
        if kind is FunctionType:
            yield from self._follow_function(value)
        elif kind is _CACHED_FUNCTION:
            self.caches.append(value)
            yield from self._follow_all("cache", (value.__wrapped__, value.cache_parameters()))
        elif kind is CompiledLoop:
            yield from self._follow_all("numba", (value.py_func, sorted(map(str, value.options))))
        elif kind.__module__.startswith("numba.") and type(getattr(value, "py_func", None)) is FunctionType:
            options = sorted(map(str, getattr(value, "targetoptions", ())))
            yield from self._follow_all("numba", (value.py_func, options))
        elif kind is functools.partial:
            yield from self._follow_all("partial", (value.func, value.args, value.keywords))
        elif kind in (staticmethod, classmethod):
            yield from self._follow_all(kind.__qualname__, (value.__func__,))
        elif kind is MethodType:
            yield from self._follow_all("method", (value.__func__, value.__self__))
        elif kind is property:
            yield from self._follow_all("property", (value.fget, value.fset, value.fdel))
        elif kind is functools.cached_property:
            yield from self._follow_all("property", (value.func,))
        elif kind is MethodDescriptorType:
            self._attributes.add(value.__name__)
            yield from self._follow_all(value.__name__, (value.__objclass__,))
        elif kind is np.ufunc and hasattr(np, value.__name__) and vars(np)[value.__name__] is value:
            yield f"numpy.{value.__name__} {library_version('numpy')}"
        elif kind in _FUNCTIONS_IN_C:
            yield from self._follow_function_in_c(value)
        else:
            yield from self._follow_object(kind, value)

    def _follow_all(self, name: str, values: Any) -> Iterator[str]:
        yield f"{name} {len(values)}"
        for value in values:
            yield from self._follow(value)

    def _follow_object(self, kind: type, value: Any) -> Iterator[str]:
        """Follow an object of a user's class: its class, its slots and its `__dict__`."""
        if isinstance(kind, enum.EnumType):
            yield from self._follow_all("enum", (kind, value._name_, value._value_))
            return
        classes = [base for base in kind.__mro__ if base not in _WITHOUT_STATE]
        if any(self._is_library(base.__module__) for base in classes):
            raise NotUnderstoodError(f"it uses an object of the type {kind.__qualname__}")
        yield from self._follow(kind)
        for base in classes:
            for name, slot in vars(base).items():
                if type(slot) is MemberDescriptorType:
                    yield name
                    if _is_set(slot, value):
                        yield from self._follow(slot.__get__(value))
        if any("__dict__" in vars(base) for base in classes):
            yield from self._follow(object.__getattribute__(value, "__dict__"))

    def _follow_module(self, module: ModuleType) -> Iterator[str]:
        """Remember a module: its attributes are followed when the names of all used attributes are known."""
        yield module.__name__
        self._owners[id(module)] = module
        if self._is_library(module.__name__):
            yield checked_version(module.__name__)

    def _follow_attributes(self) -> Iterator[str]:
        """Follow what may be used of modules and library classes: each attribute that any of the code names."""
        followed: set[tuple[int, str]] = set()
        while True:
            new = [
                (owner, attribute)
                for owner in list(self._owners.values())
                for attribute in sorted(self._attributes)
                if (id(owner), attribute) not in followed
            ]
            if not new:
                break
            for owner, attribute in new:
                followed.add((id(owner), attribute))
                if isinstance(owner, type):
                    _check_class_attribute(owner, attribute)
                else:
                    yield from self._follow_module_attribute(owner, attribute)
        if self._uses_paths:
            for attribute in sorted(self._attributes):
                if hasattr(Path, attribute) or attribute.startswith("st_"):
                    reproducible.check_path(attribute)

    def _follow_module_attribute(self, module: ModuleType, attribute: str) -> Iterator[str]:
        name = reproducible.canonical(module.__name__)
        if name.partition(".")[0] == "probe":
            if attribute in dir(module) or attribute in vars(module).get("MOVED", ()):
                reproducible.check("probe", attribute)
            return
        if attribute not in vars(module):
            if "__getattr__" in vars(module) and not self._is_library(module.__name__):
                raise NotUnderstoodError(f"it uses the module {name}, which makes attributes when they are asked for")
            return
        value = vars(module)[attribute]
        if self._is_library(module.__name__):
            reproducible.check(name, attribute)
            self._uses_paths = self._uses_paths or attribute == "scandir"
            if not (isinstance(value, ModuleType | type | FunctionType) or type(value) in _FUNCTIONS_IN_C):
                return  # a constant, which the library's version defines
        elif name.partition(".")[0] == _THIS_PACKAGE and not isinstance(value, ModuleType):
            return
        yield attribute
        yield from self._follow(value)

    def _follow_class(self, kind: type) -> Iterator[str]:
        yield f"{reproducible.canonical(kind.__module__)}.{kind.__qualname__}"
        if kind.__module__.partition(".")[0] == _THIS_PACKAGE:
            return
        if self._is_library(kind.__module__):
            yield checked_version(kind.__module__)
            reproducible.check(reproducible.canonical(kind.__module__), kind.__name__)
            self._uses_paths = self._uses_paths or issubclass(kind, Path)
            if not issubclass(kind, PurePath):
                self._owners[id(kind)] = kind
            return
        if isinstance(kind, enum.EnumType):
            members: list[Any] = list(kind)
            names_and_values = [part for member in members for part in (member._name_, member._value_)]
            methods = [value for _, value in sorted(vars(kind).items()) if type(value) in (FunctionType, property)]
            yield from self._follow_all("members", names_and_values)
            yield from self._follow_all("own", [method for method in methods if not _is_of_enum(method)])
        elif type(kind) not in (type, ABCMeta, type(Protocol)):
            raise NotUnderstoodError(f"it uses the class {kind.__qualname__}, which has a metaclass")
        else:
            for name, value in vars(kind).items():
                if name not in _OF_EVERY_CLASS and type(value) not in (GetSetDescriptorType, MemberDescriptorType):
                    yield name
                    yield from self._follow(value)
        for base in kind.__bases__:
            if base not in _WITHOUT_STATE:
                yield from self._follow(base)

    def _follow_function_in_c(self, function: Any) -> Iterator[str]:
        owner = getattr(function, "__self__", None)
        yield function.__name__
        if owner is None or isinstance(owner, ModuleType):
            home = reproducible.canonical(function.__module__ or "builtins")
            yield checked_version(function.__module__ or "builtins")
            reproducible.check(home, function.__name__)
            self._uses_paths = self._uses_paths or function.__name__ == "scandir"
        elif isinstance(owner, type) or type(owner) in _IMMUTABLE:
            self._attributes.add(function.__name__)
            yield from self._follow(owner)
        else:
            raise NotUnderstoodError(f"it uses {function.__name__} of one {type(owner).__qualname__}")

    def _follow_function(self, function: FunctionType) -> Iterator[str]:
        variables, code = function.__globals__, function.__code__
        home = home_module(function)
        yield f"{home}.{function.__qualname__}"
        if home.partition(".")[0] == _THIS_PACKAGE:
            return
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        if self._is_library(home, code.co_filename):
            yield checked_version(home)
            reproducible.check(reproducible.canonical(home), function.__name__)
            yield from self._follow_all("cells", cells)
            yield from self._follow(getattr(function, "__wrapped__", None))
            return
        yield from self._follow_all("function", (*cells, function.__defaults__, function.__kwdefaults__))
        yield from self._follow(vars(function))
        yield code_text(code)
        for inner in with_inner_code(code):
            self.locations.add(location_of(inner))
            yield from self._follow_names(inner, variables)

    def _follow_names(self, code: CodeType, variables: dict[str, Any]) -> Iterator[str]:
        """Follow the modules and global variables that code names, and collect its attributes.

        Args:
            code: Of one function.
            variables: Global variables of its module.
        """
        before: dis.Instruction | None = None
        constants: list[Any] = []
        for instruction in dis.get_instructions(code):
            name = instruction.argval
            if instruction.opname == "IMPORT_NAME":
                level, imported = constants[-2:]
                yield from self._follow_import(absolute_name(name, level, variables), imported or ())
            elif instruction.opcode in dis.hasname and (
                "GLOBAL" in instruction.opname or instruction.opname.endswith("_NAME")
            ):
                if name in variables or hasattr(builtins, name):
                    yield name
                    yield from self._follow_global(name, variables)
            elif instruction.opcode in dis.hasname:
                reproducible.check_innards(name)
                if not self._is_declared(before, name, variables):
                    self._attributes.add(name)
            if instruction.opname.startswith("LOAD_") and (
                "CONST" in instruction.opname or "SMALL_INT" in instruction.opname
            ):
                constants.append(name)
            before = instruction

    def _follow_global(self, name: str, variables: dict[str, Any]) -> Iterator[str]:
        if name in variables:
            yield from self._follow(variables[name])
        else:
            reproducible.check("builtins", name)
            yield from self._follow(getattr(builtins, name))

    def _is_declared(self, before: dis.Instruction | None, attribute: str, variables: dict[str, Any]) -> bool:
        """Return whether code reads of a declared path in a variable only what the hash of declared files covers."""
        if before is None or before.opname != "LOAD_GLOBAL" or attribute not in reproducible.COVERED_BY_DECLARING:
            return False
        path: Any = variables.get(before.argval)
        return type(path) in _PATHS and any(path.resolve().is_relative_to(declared) for declared in self._reads)

    def _follow_import(self, name: str, imported: Iterable[str]) -> Iterator[str]:
        module = self._module(name)
        yield from self._follow(module)
        yield from self._follow(self._module(name.partition(".")[0]))
        for attribute in imported:
            if attribute == "*":
                raise NotUnderstoodError(f"it imports all of {name}")
            if attribute in vars(module) or not hasattr(module, "__path__"):
                continue
            if importlib.util.find_spec(f"{name}.{attribute}"):
                yield from self._follow(self._module(f"{name}.{attribute}"))

    def _module(self, name: str) -> ModuleType:
        """Return a module by its name, imported if it is not loaded yet.

        Raises:
            NotUnderstoodError: If it belongs to a library that is not understood, or fails.
        """
        top = name.partition(".")[0]
        if top not in sys.modules and not self._is_library(name):
            spec = importlib.util.find_spec(top)
            if spec is not None and spec.origin is not None and is_library(spec.origin) and top != self._package:
                raise NotUnderstoodError(f"it uses {top}")
        if self._is_library(name):
            checked_version(name)
        try:
            with process_kept():
                return sys.modules.get(name) or importlib.import_module(name)
        except BaseException as error:
            if interrupt := interruption(error):
                raise interrupt from None
            raise NotUnderstoodError(f"it imports {name}, which fails: {type(error).__name__}") from error

    def _is_library(self, name: str, file: str = "") -> bool:
        """Tell whether a module is Python's own or an installed package's, and not in the function's own package."""
        top = name.partition(".")[0]
        if top in (self._package, _THIS_PACKAGE, "probe"):
            return False
        if file.startswith("<frozen "):
            return True
        file = getattr(sys.modules.get(name), "__file__", None) or getattr(sys.modules.get(top), "__file__", None) or ""
        return is_library(file) if file else top in sys.stdlib_module_names or reproducible.is_known_library(top)


def _check_class_attribute(kind: type, attribute: str) -> None:
    if any(attribute in vars(base) for base in kind.__mro__):
        reproducible.check(reproducible.canonical(kind.__module__), attribute)


def _is_set(slot: MemberDescriptorType, value: Any) -> bool:
    try:
        slot.__get__(value)
    except AttributeError:
        return False
    return True


def _is_of_enum(value: Any) -> bool:
    return isinstance(value, FunctionType) and home_module(value) == "enum"


def _plug_in_version(package: str) -> str:
    """Return the version of the plug-in that a function belongs to; empty for a function in a file of its own."""
    is_a_file = package.startswith(USER_MODULE) or package in ("__main__", _THIS_PACKAGE)
    return "" if is_a_file else installed_version(package)
