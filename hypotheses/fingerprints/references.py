"""What a function uses beside the text, as a hash that outlives the process.

Only what is understood is hashed: plain values, code of the user's, and the parts of Python and of libraries that are
listed in `reproducible`. Whatever else a function refers to is unknown, and so is what its labels depend on.
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
from importlib.metadata import PackageNotFoundError, packages_distributions, version
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
from hypotheses.fingerprints.opened_files import Place, is_library, place_of
from hypotheses.fingerprints.reproducible import NotUnderstoodError

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
_MEMO = type(functools.cache(len))
_WITHOUT_STATE = {object, ABC, Generic, Protocol}
_OURS = "hypotheses"  # of which the cache has a hash
_OF_EVERY_CLASS = {
    "__module__", "__doc__", "__dict__", "__hash__", "__weakref__", "__annotations__", "__annotate_func__",
    "__annotations_cache__", "__firstlineno__", "__static_attributes__", "__dataclass_fields__", "__dataclass_params__",
    "__orig_bases__", "__parameters__", "_abc_impl",
}  # fmt: skip


class References:
    """What a function uses beside the text: its code, and the variables, functions and libraries that it names.

    Attributes:
        places: Where it is written, and the functions that it may call.
        hypotheses: Others that it may ask, which tell for themselves what they use.
        memos: Functions that it may call and that remember what they have returned.
        digest: A hash of all that. None if it uses what is not the same every time (the environment, the clock,
            chance), a library without a version, or an object that no hash tells.
        unknown: What that is, as the end of a sentence; empty if there is a hash.
    """

    def __init__(
        self, function: Callable[..., Any], *, reads: Iterable[Path] = (), hypothesis: type | None = None
    ) -> None:
        """Follow what a function names.

        Args:
            function: The function.
            reads: Files and folders that are hashed elsewhere.
            hypothesis: The class of other hypotheses, which have a hash as `origin`.
        """
        self.places: set[Place] = set()
        self.hypotheses: list[Any] = []
        self.memos: list[Any] = []
        self.digest: str | None = None
        self.unknown = ""
        self._reads, self._hypothesis = tuple(reads), hypothesis
        self._package = _home(function).partition(".")[0]
        self._seen: dict[int, tuple[int, Any]] = {}  # held, so that no other object takes its id
        self._attributes: set[str] = set()
        self._owners: dict[int, ModuleType | type] = {}
        self._paths = False
        try:
            parts = "\n".join([*self._value(function), *self._used_of_owners(), _version_of_own(self._package)])
        except NotUnderstoodError as error:
            self.unknown = str(error)
        except RecursionError:
            self.unknown = "what it uses is nested too deeply"
        except Exception as error:  # noqa: BLE001  # objects of the user's run code of theirs when they are looked at
            self.unknown = f"what it uses cannot be looked at: {type(error).__name__}"
        else:
            self.digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()

    def _value(self, value: Any) -> Iterator[str]:
        kind = type(value)  # not __class__, which an object may tell as it likes
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
            self._paths = True
            yield f"{kind.__qualname__} {value!r}"
        elif id(value) in self._seen:
            yield f"seen {self._seen[id(value)][0]}"
        else:
            self._seen[id(value)] = len(self._seen), value
            yield from self._composed(kind, value)

    def _composed(self, kind: type, value: Any) -> Iterator[str]:
        if kind in _SEQUENCES:
            yield from self._sequence(kind.__qualname__, value)
        elif kind in _MAPPINGS:
            yield from self._sequence(kind.__qualname__, [each for item in value.items() for each in item])
            yield from self._value(getattr(value, "default_factory", None))
        elif kind in (set, frozenset):
            yield f"{kind.__qualname__} {sorted(' '.join(self._value(each)) for each in value)}"
        elif kind is SimpleNamespace:
            yield from self._value(vars(value))
        elif issubclass(kind, ModuleType):
            yield from self._owner(value, value.__name__)
        elif issubclass(kind, type):
            yield from self._class(value)
        elif kind is self._hypothesis:
            if value.origin is None:
                raise NotUnderstoodError(f"it asks {value.name!r}, which is no plain function in a file")
            self.hypotheses.append(value)
            yield value.origin
        else:
            yield from self._callable(kind, value)

    def _callable(self, kind: type, value: Any) -> Iterator[str]:
        if kind is FunctionType:
            yield from self._function(value)
        elif kind is _MEMO:
            self.memos.append(value)
            yield from self._sequence("cache", (value.__wrapped__, value.cache_parameters()))
        elif kind.__module__.startswith("numba.") and type(getattr(value, "py_func", None)) is FunctionType:
            yield from self._sequence("numba", (value.py_func, sorted(map(str, getattr(value, "targetoptions", ())))))
        elif kind is functools.partial:
            yield from self._sequence("partial", (value.func, value.args, value.keywords))
        elif kind in (staticmethod, classmethod):
            yield from self._sequence(kind.__qualname__, (value.__func__,))
        elif kind is MethodType:
            yield from self._sequence("method", (value.__func__, value.__self__))
        elif kind is property:
            yield from self._sequence("property", (value.fget, value.fset, value.fdel))
        elif kind is functools.cached_property:
            yield from self._sequence("property", (value.func,))
        elif kind is MethodDescriptorType:
            self._attributes.add(value.__name__)
            yield from self._sequence(value.__name__, (value.__objclass__,))
        elif kind is np.ufunc and hasattr(np, value.__name__) and vars(np)[value.__name__] is value:
            yield f"numpy.{value.__name__} {_version('numpy')}"
        elif kind in _FUNCTIONS_IN_C:
            yield from self._function_in_c(value)
        else:
            yield from self._object(kind, value)

    def _sequence(self, name: str, values: Any) -> Iterator[str]:
        yield f"{name} {len(values)}"
        for value in values:
            yield from self._value(value)

    def _object(self, kind: type, value: Any) -> Iterator[str]:
        """An object of a class of the user's, all of whose state can be seen."""
        if isinstance(kind, enum.EnumType):
            yield from self._sequence("enum", (kind, value._name_, value._value_))
            return
        homes = [each for each in kind.__mro__ if each not in _WITHOUT_STATE]
        if any(self._is_library(each.__module__) for each in homes):
            raise NotUnderstoodError(f"it uses an object of the type {kind.__qualname__}")
        yield from self._value(kind)
        for each in homes:
            for name, slot in vars(each).items():
                if type(slot) is MemberDescriptorType:
                    yield name
                    with_value = _is_set(slot, value)
                    yield from self._value(slot.__get__(value)) if with_value else ()
        if any("__dict__" in vars(each) for each in homes):
            yield from self._value(object.__getattribute__(value, "__dict__"))

    def _owner(self, owner: ModuleType | type, name: str) -> Iterator[str]:
        """A module or a library's class: what is used of it is looked at when all that is used is known."""
        yield name
        self._owners[id(owner)] = owner
        if isinstance(owner, ModuleType) and self._is_library(name):
            yield _checked_version(name)

    def _used_of_owners(self) -> Iterator[str]:
        """What may be used of modules and of libraries' classes: each attribute that any of the code names."""
        done: set[tuple[int, str]] = set()
        while True:
            due = [
                (owner, attribute)
                for owner in list(self._owners.values())
                for attribute in sorted(self._attributes)
                if (id(owner), attribute) not in done
            ]
            if not due:
                break
            for owner, attribute in due:
                done.add((id(owner), attribute))
                yield from self._used(owner, attribute)
        if self._paths:
            for attribute in sorted(self._attributes):
                if hasattr(Path, attribute) or attribute.startswith("st_"):
                    reproducible.check_path(attribute)

    def _used(self, owner: ModuleType | type, attribute: str) -> Iterator[str]:
        if isinstance(owner, type):
            if any(attribute in vars(each) for each in owner.__mro__):
                reproducible.check(f"{reproducible.canonical(owner.__module__)}", attribute)
            return
        name = reproducible.canonical(owner.__name__)
        if name.partition(".")[0] == "probe":
            if attribute in dir(owner) or attribute in vars(owner).get("MOVED", ()):
                reproducible.check("probe", attribute)
            return
        if attribute not in vars(owner):
            if "__getattr__" in vars(owner) and not self._is_library(owner.__name__):
                raise NotUnderstoodError(f"it uses the module {name}, which makes attributes when they are asked for")
            return
        value = vars(owner)[attribute]
        is_ours = name.partition(".")[0] == _OURS
        if self._is_library(owner.__name__):
            reproducible.check(name, attribute)
            self._paths = self._paths or attribute == "scandir"
            if not (isinstance(value, ModuleType | type | FunctionType) or type(value) in _FUNCTIONS_IN_C):
                return  # a constant of a version
        elif is_ours and not isinstance(value, ModuleType):
            return
        yield attribute
        yield from self._value(value)

    def _class(self, kind: type) -> Iterator[str]:
        name = f"{reproducible.canonical(kind.__module__)}.{kind.__qualname__}"
        yield name
        if kind.__module__.partition(".")[0] == _OURS:
            return
        if self._is_library(kind.__module__):
            yield _checked_version(kind.__module__)
            reproducible.check(reproducible.canonical(kind.__module__), kind.__name__)
            self._paths = self._paths or (issubclass(kind, Path))
            if not issubclass(kind, PurePath):
                self._owners[id(kind)] = kind
            return
        if isinstance(kind, enum.EnumType):
            of_class: list[Any] = list(kind)
            members = [each for one in of_class for each in (one._name_, one._value_)]
            own = [each for name, each in sorted(vars(kind).items()) if type(each) in (FunctionType, property)]
            yield from self._sequence("members", members)
            yield from self._sequence("own", [each for each in own if not _is_of_enum(each)])
        elif type(kind) not in (type, ABCMeta, type(Protocol)):
            raise NotUnderstoodError(f"it uses the class {kind.__qualname__}, which has a metaclass")
        else:
            for name, value in vars(kind).items():
                if name not in _OF_EVERY_CLASS and type(value) not in (GetSetDescriptorType, MemberDescriptorType):
                    yield name
                    yield from self._value(value)
        for base in kind.__bases__:
            if base not in _WITHOUT_STATE:
                yield from self._value(base)

    def _function_in_c(self, function: Any) -> Iterator[str]:
        owner = getattr(function, "__self__", None)
        yield function.__name__
        if owner is None or isinstance(owner, ModuleType):
            home = reproducible.canonical(function.__module__ or "builtins")
            yield _checked_version(function.__module__ or "builtins")
            reproducible.check(home, function.__name__)
            self._paths = self._paths or function.__name__ == "scandir"
        elif isinstance(owner, type) or type(owner) in _IMMUTABLE:
            self._attributes.add(function.__name__)
            yield from self._value(owner)
        else:
            raise NotUnderstoodError(f"it uses {function.__name__} of one {type(owner).__qualname__}")

    def _function(self, function: FunctionType) -> Iterator[str]:
        known, code = function.__globals__, function.__code__
        home = _home(function)
        yield f"{home}.{function.__qualname__}"
        if home.partition(".")[0] == _OURS:
            return
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        if self._is_library(home, code.co_filename):
            yield _checked_version(home)
            reproducible.check(reproducible.canonical(home), function.__name__)
            yield from self._sequence("cells", cells)
            yield from self._value(getattr(function, "__wrapped__", None))
            return
        yield from self._sequence("function", (*cells, function.__defaults__, function.__kwdefaults__))
        yield from self._value(vars(function))
        yield spell_code(code)
        for each in _with_inner(code):
            self.places.add(place_of(each))
            yield from self._named(each, known)

    def _named(self, code: CodeType, known: dict[str, Any]) -> Iterator[str]:
        """What the code of a function names."""
        before: dis.Instruction | None = None
        constants: list[Any] = []
        for each in dis.get_instructions(code):
            if each.opname == "IMPORT_NAME":
                level, taken = constants[-2:]
                yield from self._imported(_absolute(each.argval, level, known), taken or ())
            elif each.opcode in dis.hasname and ("GLOBAL" in each.opname or each.opname.endswith("_NAME")):
                if each.argval in known or hasattr(builtins, each.argval):
                    yield each.argval
                    yield from self._global(each.argval, known)
            elif each.opcode in dis.hasname:
                reproducible.check_innards(each.argval)
                if not self._is_declared(before, each.argval, known):
                    self._attributes.add(each.argval)
            if each.opname.startswith("LOAD_") and ("CONST" in each.opname or "SMALL_INT" in each.opname):
                constants.append(each.argval)
            before = each

    def _global(self, name: str, known: dict[str, Any]) -> Iterator[str]:
        if name in known:
            yield from self._value(known[name])
        else:
            reproducible.check("builtins", name)
            yield from self._value(getattr(builtins, name))

    def _is_declared(self, before: dis.Instruction | None, attribute: str, known: dict[str, Any]) -> bool:
        """Whether this asks, of a path that stands in a variable, what the hash of declared files tells."""
        if before is None or before.opname != "LOAD_GLOBAL" or attribute not in reproducible.LOOKS_DECLARED:
            return False
        path: Any = known.get(before.argval)
        return type(path) in _PATHS and any(path.resolve().is_relative_to(each) for each in self._reads)

    def _imported(self, name: str, taken: Iterable[str]) -> Iterator[str]:
        module = self._module(name)
        yield from self._value(module)
        yield from self._value(self._module(name.partition(".")[0]))
        for each in taken:
            if each == "*":
                raise NotUnderstoodError(f"it imports all of {name}")
            if each not in vars(module) and hasattr(module, "__path__") and importlib.util.find_spec(f"{name}.{each}"):
                yield from self._value(self._module(f"{name}.{each}"))

    def _module(self, name: str) -> ModuleType:
        top = name.partition(".")[0]
        if top not in sys.modules and not self._is_library(name):
            spec = importlib.util.find_spec(top)
            if spec is not None and spec.origin is not None and is_library(spec.origin) and top != self._package:
                raise NotUnderstoodError(f"it uses {top}")
        if self._is_library(name):
            _checked_version(name)
        try:
            return sys.modules.get(name) or importlib.import_module(name)
        except (Exception, SystemExit) as error:
            raise NotUnderstoodError(f"it imports {name}, which fails: {type(error).__name__}") from error

    def _is_library(self, name: str, file: str = "") -> bool:
        """Whether a module is Python's own or an installed package's, and not of the function's own package."""
        top = name.partition(".")[0]
        if top in (self._package, _OURS, "probe"):
            return False
        if file.startswith("<frozen "):
            return True
        file = getattr(sys.modules.get(name), "__file__", None) or getattr(sys.modules.get(top), "__file__", None) or ""
        return is_library(file) if file else top in sys.stdlib_module_names or reproducible.is_known_library(top)


def spell_code(code: CodeType) -> str:
    """What a function's code does, the same in every process."""
    constants = [_constant(each) for each in code.co_consts]
    shape = code.co_flags, code.co_argcount, code.co_kwonlyargcount, code.co_posonlyargcount
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    return f"{code.co_code.hex()} {code.co_exceptiontable.hex()} {shape} {names} {constants}"


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return spell_code(value)
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def _with_inner(code: CodeType) -> Iterator[CodeType]:
    """The code of a function, and of the functions, classes and comprehensions in it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _with_inner(inner)


def _home(function: Any) -> str:
    """The module in which a function is written, whatever it says of itself."""
    known = getattr(function, "__globals__", {})
    return str(known.get("__name__") or getattr(function, "__module__", None) or "builtins")


def _absolute(name: str, level: int, known: dict[str, Any]) -> str:
    """The name of a module that is imported, from the name that may be relative to a package."""
    if not level:
        return name
    own = str(known.get("__name__"))
    package = known.get("__package__") or (own if "__path__" in known else own.rpartition(".")[0])
    return importlib.util.resolve_name("." * level + name, package)


def _is_set(slot: MemberDescriptorType, value: Any) -> bool:
    try:
        slot.__get__(value)
    except AttributeError:
        return False
    return True


def _is_of_enum(value: Any) -> bool:
    return isinstance(value, FunctionType) and _home(value) == "enum"


def _checked_version(module: str) -> str:
    """The version of a module of Python's or a library's that is understood."""
    if not reproducible.is_understood(reproducible.canonical(module)):
        raise NotUnderstoodError(f"it uses {reproducible.canonical(module)}")
    return _version(module.partition(".")[0])


def _version_of_own(package: str) -> str:
    """The version of the plug-in that a function is from, if it is from one."""
    is_a_file = package.startswith("_hypotheses_of_the_user_") or package in ("__main__", _OURS)
    return "" if is_a_file else version_of(package)


@functools.cache
def _version(package: str) -> str:
    public = reproducible.canonical(package)
    if package in sys.stdlib_module_names or public in sys.stdlib_module_names or public == "os.path":
        return ""
    found = version_of(public)
    if not found:
        raise NotUnderstoodError(f"it uses {public}, which has no version")
    return found


@functools.cache
def version_of(package: str) -> str:
    """The versions of the distributions that a package is from; empty if it is not installed."""
    try:
        return version(package)
    except (PackageNotFoundError, ValueError):
        owners = packages_distributions().get(package, ())
        return " ".join(f"{owner} {version(owner)}" for owner in sorted(set(owners)))
