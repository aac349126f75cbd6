"""What a function uses beside the text, as a hash that outlives the process."""

import builtins
import dis
import enum
import functools
import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Set
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import PurePath
from types import CodeType, GetSetDescriptorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

import numpy as np

from hypotheses.watching import Place, is_library, place_of

_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...), type(NotImplemented), range)
_OURS = "hypotheses"  # of which the cache has a hash
_OF_EVERY_CLASS = {
    "__module__", "__doc__", "__dict__", "__hash__", "__weakref__", "__annotations__", "__annotate_func__",
    "__annotations_cache__", "__firstlineno__", "__static_attributes__", "__dataclass_fields__", "__dataclass_params__",
}  # fmt: skip
_CHANGING_MODULES = ("random", "secrets", "numpy.random", "h5py", "pyarrow")  # chance; files that compiled code opens
_CHANGING = {
    f"{owner}.{name}"
    for owner, names in {
        "os": "environ environb getenv getenvb getcwd getcwdb getpid getlogin urandom times stat",
        "posix": "getcwd getcwdb getpid getlogin urandom times stat",
        "genericpath": "exists isfile isdir getmtime getsize",
        "posixpath": "expanduser expandvars",
        "pathlib.Path": "exists is_file is_dir stat cwd home expanduser",
        "sys": "argv stdin",
        "time": "time time_ns monotonic monotonic_ns perf_counter perf_counter_ns process_time localtime gmtime ctime",
        "datetime.datetime": "now today utcnow",
        "datetime.date": "today",
        "uuid": "uuid1 uuid4",
        "builtins": "input id hash",
    }.items()
    for name in names.split()
}


class UnknownError(Exception):
    """What a function uses, and no hash tells."""


class References:
    """What a function uses beside the text: its code, and the variables, functions and libraries that it names.

    Attributes:
        places: Where it is written, and the functions that it may call.
        digest: A hash of all that. None if it names what is not the same every time (the environment, the clock,
            chance), a library without a version, or an object that no hash tells.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.places: set[Place] = set()
        self._package = function.__module__.partition(".")[0]
        self._seen: dict[int, Any] = {}  # held, so that no other object takes its id
        self.digest: str | None = None
        try:
            parts = "\n".join(self._function(function))
        except (UnknownError, RecursionError, ValueError):  # also a cell that is empty
            return
        self.digest = hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()

    def _value(self, value: Any, attributes: Set[str] = frozenset()) -> Iterator[str]:
        """What to hash of a value; `attributes` are those that may be used of it."""
        if type(value) in _PLAIN or isinstance(value, enum.Enum | PurePath | np.dtype):
            yield f"{type(value).__qualname__} {value!r}"
        elif isinstance(value, np.ndarray | np.generic) and not value.dtype.hasobject:
            yield f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
        elif type(value).__name__ == "Pattern":  # of re and regex
            yield f"{type(value).__module__} {value.pattern!r} {value.flags}"
        elif id(value) in self._seen:
            yield "seen"
        else:
            self._seen[id(value)] = value
            yield from self._composed(value, attributes)

    def _composed(self, value: Any, attributes: Set[str]) -> Iterator[str]:
        if isinstance(value, list | tuple | Mapping | Set):
            yield from self._collection(value)
        elif isinstance(value, ModuleType):
            yield from self._module(value, attributes)
        elif isinstance(value, type):
            yield from self._class(value, attributes)
        elif isinstance(value, functools.partial):
            yield from self._collection((value.func, value.args, value.keywords))
        elif isinstance(value, staticmethod | classmethod):
            yield from self._value(value.__func__)
        elif isinstance(value, MethodType):
            yield from self._collection((value.__func__, value.__self__))
        elif isinstance(value, property):
            yield from self._collection((value.fget, value.fset))
        elif inspect.isbuiltin(value) and not isinstance(value.__self__, ModuleType | None):
            yield from self._collection((value.__name__, value.__self__))
        elif hasattr(value, "fingerprint"):  # another hypothesis
            if value.fingerprint is None:
                raise UnknownError(value.name)
            yield value.fingerprint
        elif callable(value) and hasattr(value, "__name__"):
            yield from self._function(value)
        elif hasattr(value, "__dict__") and not self._is_library(type(value).__module__):
            yield from self._collection((type(value), vars(value)))
        else:
            raise UnknownError(f"an object of the type {type(value).__qualname__}")

    def _collection(self, values: Any) -> Iterator[str]:
        yield f"{type(values).__qualname__} {len(values)}"
        if isinstance(values, Set):
            yield from sorted(" ".join(self._value(value)) for value in values)
            return
        for value in values.items() if isinstance(values, Mapping) else values:
            yield from self._collection(value) if type(value) is tuple else self._value(value)

    def _module(self, module: ModuleType, attributes: Set[str]) -> Iterator[str]:
        name = module.__name__
        yield name
        if name.partition(".")[0] == _OURS:
            return
        used = {each: vars(module)[each] for each in sorted(attributes & vars(module).keys())}
        if not self._is_library(name):
            for attribute, value in used.items():
                yield attribute
                yield from self._value(value, attributes)
            return
        yield _version(name)
        _refuse_changing(name)
        for attribute, value in used.items():
            _refuse_changing(name, attribute)
            if isinstance(value, ModuleType | type):
                yield from self._value(value, attributes)
            elif callable(value) and hasattr(value, "__name__"):
                _refuse_changing(getattr(value, "__module__", None) or name, value.__name__)

    def _class(self, kind: type, attributes: Set[str]) -> Iterator[str]:
        name = f"{kind.__module__.partition('._')[0]}.{kind.__qualname__}"  # pathlib._local, in one Python
        yield name
        if self._is_library(kind.__module__):
            yield _version(kind.__module__)
            for attribute in sorted(attributes):
                _refuse_changing(name, attribute)
            return
        for name, value in vars(kind).items():
            if name not in _OF_EVERY_CLASS and not isinstance(value, GetSetDescriptorType | MemberDescriptorType):
                yield name
                yield from self._value(value, attributes)
        for base in kind.__bases__:
            yield from self._value(base, attributes)

    def _function(self, function: Any) -> Iterator[str]:
        function = getattr(function, "py_func", function)  # compiled by numba
        if not hasattr(function, "__code__"):
            function = inspect.unwrap(function)  # of functools.cache
        known = getattr(function, "__globals__", {})
        home = known.get("__name__") or getattr(function, "__module__", None) or "builtins"
        yield f"{home}.{function.__name__}"
        if home.partition(".")[0] == _OURS:
            return
        _refuse_changing(home, function.__name__)
        code = getattr(function, "__code__", None)
        if code is None or self._is_library(home):
            yield _version(home)
            if hasattr(function, "__wrapped__"):
                yield from self._value(function.__wrapped__)
            return
        self.places.add(place_of(code))
        yield from self._collection((function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            yield from self._value(cell.cell_contents)
        yield spell_code(code)
        names, attributes, imported = _names_in(code)
        for name in sorted(names):
            yield name
            yield from self._value(known.get(name, getattr(builtins, name, "undefined")), attributes)
        for name in sorted(imported):
            try:
                yield from self._value(sys.modules.get(name) or importlib.import_module(name), attributes)
            except ImportError as error:
                raise UnknownError(name) from error

    def _is_library(self, name: str) -> bool:
        """Whether a module is Python's own or an installed package's, and not of the function's own package."""
        if name.partition(".")[0] == self._package:
            return False
        file = getattr(sys.modules.get(name), "__file__", None)
        return is_library(file) if file else name.partition(".")[0] in sys.stdlib_module_names


def spell_code(code: CodeType) -> str:
    """What a function's code does, the same in every process."""
    return f"{code.co_code.hex()} {code.co_names} {code.co_varnames} {[_constant(each) for each in code.co_consts]}"


def _constant(value: Any) -> str:
    if isinstance(value, CodeType):
        return spell_code(value)
    return repr(sorted(map(repr, value))) if isinstance(value, frozenset) else repr(value)


def _names_in(code: CodeType) -> tuple[set[str], set[str], set[str]]:
    """The variables of its module that a function names, the attributes of anything, and the modules it imports."""
    names, attributes, imported = set(), set(), set()
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names.add(each.argval)
        elif each.opname in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM"):
            attributes.add(each.argval)
        elif each.opname == "IMPORT_NAME":
            imported.add(each.argval)
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            for known, found in zip((names, attributes, imported), _names_in(inner), strict=True):
                known |= found
    return names, attributes, imported


def _refuse_changing(*name: str) -> None:
    dotted = ".".join(name)
    if dotted in _CHANGING or any(f"{dotted}.".startswith(f"{module}.") for module in _CHANGING_MODULES):
        raise UnknownError(dotted)


@functools.cache
def _version(module: str) -> str:
    package = module.partition(".")[0]
    if package in sys.stdlib_module_names:
        return ""
    try:
        return version(package)
    except PackageNotFoundError:
        owners = packages_distributions().get(package)
        if not owners:
            raise UnknownError(package) from None
        return " ".join(f"{owner} {version(owner)}" for owner in sorted(set(owners)))
