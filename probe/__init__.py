"""Ask what a character-level language model knows, where it keeps it, and whether it uses it.

    import probe

    live = probe.LiveActivations(probe.load_model("model.pt"), probe.Corpus.read("corpus.txt"))
    probe.extract(live, "activations.h5")
    print(probe.rank("activations.h5", "in_quotes"))

The names that most programs need are here; the others are in groups, such as `probe.models` and `probe.statistics`.
`__init__.pyi` lists them. All of it is loaded when it is first asked for.
"""

import sys
import warnings
from functools import reduce
from importlib import import_module
from typing import Any

import lazy_loader

from probe.moved_names import MOVED
from probe.notebook_formatters import register_formatters
from probe.sibling_packages import import_sibling_packages

__version__ = "0.1.0"

import_sibling_packages()
import_module("activations.cores").prepare_libraries()
register_formatters()
_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in MOVED:
        warnings.warn(f"probe.{name} is now probe.{MOVED[name]}", DeprecationWarning, stacklevel=2)
        return reduce(getattr, MOVED[name].split("."), sys.modules[__name__])
    if name not in __all__:
        raise AttributeError(f"module 'probe' has no attribute {name!r}")
    return _load(name)
