"""Import the three packages beside `probe`, even if the script's folder contains modules of the same names."""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path
from types import ModuleType

PACKAGES = ("activations", "analyses", "hypotheses")
_HOME = Path(__file__).parents[1]


def import_sibling_packages() -> None:
    """Import `activations`, `analyses` and `hypotheses` from the folder that `probe` lies in.

    Python looks into the script's folder first, where a file `hypotheses.py` would hide the package of that name. Once
    a package is in `sys.modules`, all modules in it are found through it, and the script's folder is not searched.

    Raises:
        ImportError: If another module was imported under one of these names before, or a package is missing.
    """
    for name in PACKAGES:
        module = sys.modules.get(name)
        if module is None:
            _import_package(name)
        elif not _is_sibling(module):
            where = getattr(module, "__file__", None) or f"the module {name!r}"
            raise ImportError(
                f"{where} has the name of a package that char-probe needs, and was imported before it; rename it, or "
                "import probe first",
                name=name,
            )


def _import_package(name: str) -> None:
    spec = PathFinder.find_spec(name, [str(_HOME)])
    if spec is None or spec.loader is None:
        raise ImportError(f"char-probe is incomplete: there is no package {name!r} in {_HOME}; install it again")
    module = module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def _is_sibling(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve() == (_HOME / module.__name__ / "__init__.py").resolve()
