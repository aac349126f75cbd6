"""What labels may be kept by: the parts of Python and of libraries that give the same for the same, every time.

Whatever does not stand here (the clock, chance, processes, the network, another library) is not known to do so.
"""

from collections.abc import Iterator


class NotUnderstoodError(Exception):
    """What a function uses and no hash tells, as the end of a sentence: `it uses time.time`."""


def _names(*lines: str) -> frozenset[str]:
    return frozenset(name for line in lines for name in line.split())


_WHOLE = _names(  # Python's own, which tells what it opens; then libraries, of which a version says what they do
    "__future__ abc array ast base64 binascii bisect builtins bz2 cmath codecs collections colorsys contextlib copy",
    "csv dataclasses datetime decimal difflib enum errno fractions functools graphlib hashlib heapq html io itertools",
    "json keyword lzma math numbers operator pprint re reprlib sqlite3 statistics string stringprep struct textwrap",
    "token tokenize types typing unicodedata urllib.parse warnings xml.etree zlib",
    "numba numpy pygments regex scipy.fft scipy.linalg scipy.ndimage scipy.signal scipy.special textblob",
    "typing_extensions",
)
_NOT = _names("numpy.random numpy.f2py numpy.ctypeslib numpy.testing numpy.distutils numba.cuda")
_BUT = {
    "builtins": _names("__import__ breakpoint compile dir eval exec getattr globals hash help id input locals vars"),
    "datetime": _names("astimezone fromtimestamp now strftime timestamp today utcfromtimestamp utcnow"),
    "numpy": _names("datetime64"),
    "operator": _names("attrgetter methodcaller"),
    "statistics": _names("samples"),
}
_ONLY = {
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
_ONLY_OF_PATHS = _names(  # copy and replace are also what texts and collections have
    "anchor as_posix as_uri copy drive glob is_absolute is_relative_to is_reserved iterdir joinpath match name open",
    "parent parents parts read_bytes read_text relative_to replace rglob root stem suffix suffixes walk with_name",
    "with_segments with_stem with_suffix write_bytes write_text",
)
_INNARDS = _names(
    "__builtins__ __closure__ __code__ __dict__ __getattribute__ __globals__ __hash__ __loader__ __self__ __spec__",
    "__subclasses__ ag_frame cr_frame f_back f_builtins f_globals f_locals gi_frame tb_frame",
)
_ALIASES = {"posix": "os", "nt": "os", "posixpath": "os.path", "ntpath": "os.path", "genericpath": "os.path"}
LOOKS_DECLARED = frozenset({"exists", "is_file", "is_dir"})
"""What may be asked of a path that is declared to be read: its hash has the answer."""


def canonical(module: str) -> str:
    """A module's public name: `os` for `posix`, `io` for `_io`, `pathlib` for `pathlib._local`."""
    public = module.partition("._")[0]
    public = public[1:] if public.startswith("_") and not public.startswith("__") else public
    return _ALIASES.get(public, public)


def is_understood(module: str) -> bool:
    """Whether something of a module, by its public name, gives the same every time."""
    above = set(_and_above(module))
    return module in _ONLY or (bool(above & _WHOLE) and not above & _NOT)


def is_known_library(package: str) -> bool:
    """Whether a package's files belong to its version."""
    return any(name.partition(".")[0] == package for name in _WHOLE)


def check(owner: str, attribute: str) -> None:
    """Refuse an attribute of a module or of a library's class that does not give the same every time.

    Raises:
        NotUnderstoodError: It has the dotted name.
    """
    is_another = owner in _ONLY and attribute not in _ONLY[owner] and not attribute.startswith("__")
    if is_another or any(attribute in _BUT.get(above, ()) for above in _and_above(owner)):
        raise NotUnderstoodError(f"it uses {owner}.{attribute}")


def check_path(attribute: str) -> None:
    """Refuse what asks the disk something without opening a file or listing a folder."""
    if attribute not in _ONLY_OF_PATHS:
        raise NotUnderstoodError(f"it uses pathlib.Path.{attribute}")


def check_innards(attribute: str) -> None:
    """Refuse attributes by which everything can be reached."""
    if attribute in _INNARDS:
        raise NotUnderstoodError(f"it uses {attribute}")


def _and_above(module: str) -> Iterator[str]:
    """A dotted name, and those of the packages that it is in."""
    parts = module.split(".")
    return (".".join(parts[:n]) for n in range(len(parts), 0, -1))
