"""The parts of Python and of libraries that always give the same result for the same arguments.

Labels that use nothing else can be cached. Whatever is not listed here (the clock, random numbers, processes, the
network, other libraries) may give another result next time.
"""

from collections.abc import Iterator


class NotUnderstoodError(Exception):
    """A function uses something that cannot be hashed; the message ends a sentence: `it uses time.time`."""


def _names(*lines: str) -> frozenset[str]:
    return frozenset(name for line in lines for name in line.split())


_WHOLE_MODULES = _names(  # Python's own modules, which report what they open; then libraries, defined by their versions
    "__future__ abc array ast base64 binascii bisect builtins bz2 cmath codecs collections colorsys contextlib copy",
    "csv dataclasses datetime decimal difflib enum errno fractions functools graphlib hashlib heapq html io itertools",
    "json keyword lzma math numbers operator pprint re reprlib sqlite3 statistics string stringprep struct textwrap",
    "token tokenize types typing unicodedata urllib.parse warnings xml.etree zlib",
    "numba numpy pygments regex scipy.fft scipy.linalg scipy.ndimage scipy.signal scipy.special textblob",
    "typing_extensions",
)
_EXCLUDED_MODULES = _names("numpy.random numpy.f2py numpy.ctypeslib numpy.testing numpy.distutils numba.cuda")
_EXCLUDED_NAMES = {
    "builtins": _names("__import__ breakpoint compile dir eval exec getattr globals hash help id input locals vars"),
    "datetime": _names("astimezone fromtimestamp now strftime timestamp today utcfromtimestamp utcnow"),
    "numpy": _names("datetime64"),
    "operator": _names("attrgetter methodcaller"),
    "statistics": _names("samples"),
}
_ONLY_THESE_NAMES = {
    "os": _names(
        "PathLike SEEK_CUR SEEK_END SEEK_SET altsep curdir extsep fsdecode fsencode fspath linesep listdir name pardir",
        "path pathsep scandir sep walk",
    ),
    "os.path": _names(
        "basename commonpath commonprefix dirname isabs join normcase normpath sep split splitdrive splitext"
    ),
    "pathlib": _names("Path PosixPath PurePath PurePosixPath PureWindowsPath WindowsPath"),
    "probe": _names("Hypothesis HypothesisError Labels errors get hypotheses hypothesis registered"),
    "sys": _names(
        "byteorder exc_info float_info hexversion int_info intern maxsize maxunicode setrecursionlimit stderr stdout",
        "version_info",
    ),
    "time": _names("sleep struct_time"),
}
_METHODS_OF_PATHS = _names(  # copy and replace are also methods of strings and collections
    "anchor as_posix as_uri copy drive glob is_absolute is_relative_to is_reserved iterdir joinpath match name open",
    "parent parents parts read_bytes read_text relative_to replace rglob root stem suffix suffixes walk with_name",
    "with_segments with_stem with_suffix write_bytes write_text",
)
_INNARDS = _names(
    "__builtins__ __closure__ __code__ __dict__ __getattribute__ __globals__ __hash__ __loader__ __self__ __spec__",
    "__subclasses__ ag_frame cr_frame f_back f_builtins f_globals f_locals gi_frame tb_frame",
)
_ALIASES = {"posix": "os", "nt": "os", "posixpath": "os.path", "ntpath": "os.path", "genericpath": "os.path"}
COVERED_BY_DECLARING = frozenset({"exists", "is_file", "is_dir"})
"""Methods of a declared path whose results follow from the hash of the declared files."""


def canonical(module: str) -> str:
    """Return a module's public name: `os` for `posix`, `io` for `_io`, `pathlib` for `pathlib._local`."""
    public = module.partition("._")[0]
    public = public[1:] if public.startswith("_") and not public.startswith("__") else public
    return _ALIASES.get(public, public)


def is_understood(module: str) -> bool:
    """Tell whether a module, by its public name, has anything that is listed here."""
    names = set(_with_parents(module))
    return module in _ONLY_THESE_NAMES or (bool(names & _WHOLE_MODULES) and not names & _EXCLUDED_MODULES)


def is_known_library(package: str) -> bool:
    """Tell whether a package is listed here, so that its version defines its files."""
    return any(name.partition(".")[0] == package for name in _WHOLE_MODULES)


def check(owner: str, attribute: str) -> None:
    """Refuse an attribute of a module or of a library's class that is not listed here.

    Raises:
        NotUnderstoodError: With the dotted name of the attribute.
    """
    is_unlisted = (
        owner in _ONLY_THESE_NAMES and attribute not in _ONLY_THESE_NAMES[owner] and not attribute.startswith("__")
    )
    if is_unlisted or any(attribute in _EXCLUDED_NAMES.get(module, ()) for module in _with_parents(owner)):
        raise NotUnderstoodError(f"it uses {owner}.{attribute}")


def check_path(attribute: str) -> None:
    """Refuse a method of paths that asks the disk for something without opening a file or listing a folder."""
    if attribute not in _METHODS_OF_PATHS:
        raise NotUnderstoodError(f"it uses pathlib.Path.{attribute}")


def check_innards(attribute: str) -> None:
    """Refuse an attribute from which anything can be reached, such as `__globals__`."""
    if attribute in _INNARDS:
        raise NotUnderstoodError(f"it uses {attribute}")


def _with_parents(module: str) -> Iterator[str]:
    """Yield a dotted name, and the names of the packages that contain it."""
    parts = module.split(".")
    return (".".join(parts[:n]) for n in range(len(parts), 0, -1))
