"""Versions of the libraries that a function uses: the hash of a library's functions is its version."""

import functools
import sys
from importlib.metadata import PackageNotFoundError, packages_distributions, version

from hypotheses.fingerprints import reproducible
from hypotheses.fingerprints.reproducible import NotUnderstoodError


def checked_version(module: str) -> str:
    """Return the version of the library that a module belongs to; empty for Python's own modules.

    Raises:
        NotUnderstoodError: If the module is not in the list of `reproducible`, or has no version.
    """
    if not reproducible.is_understood(reproducible.canonical(module)):
        raise NotUnderstoodError(f"it uses {reproducible.canonical(module)}")
    return library_version(module.partition(".")[0])


@functools.cache
def library_version(package: str) -> str:
    """Return the version of a library; empty for Python's own.

    Raises:
        NotUnderstoodError: If it has no version.
    """
    public = reproducible.canonical(package)
    if package in sys.stdlib_module_names or public in sys.stdlib_module_names or public == "os.path":
        return ""
    installed = installed_version(public)
    if not installed:
        raise NotUnderstoodError(f"it uses {public}, which has no version")
    return installed


@functools.cache
def installed_version(package: str) -> str:
    """Return the versions of the distributions that a package belongs to; empty if it is not installed."""
    try:
        return version(package)
    except (PackageNotFoundError, ValueError):
        owners = packages_distributions().get(package, ())
        return " ".join(f"{owner} {version(owner)}" for owner in sorted(set(owners)))
