"""Kinds of files that are told by their first bytes, and what to do with one that stands in another's place."""

import re
import struct
from dataclasses import dataclass

START_BYTES = 1 << 16
"""How many of a file's first bytes are enough to tell its kind."""

_UNPACK = "unpack it, and name the text files in it"
_AS_TEXT = "save it as plain text in UTF-8"
_NO_TEXT_IN_IT = "name a file of plain text"
_ELSEWHERE = "name a text in its place"


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is.

    Attributes:
        name: With its article, such as `a PDF document`.
        way_to_text: What to do if a text was expected, as the end of a sentence.
    """

    name: str
    way_to_text: str


_PDF = FileKind("a PDF document", "save its text as UTF-8, such as with pdftotext")
_IMAGE = FileKind("an image", _NO_TEXT_IN_IT)
_SOUND = FileKind("a sound or a film", _NO_TEXT_IN_IT)
_PICKLE = FileKind("a pickle of Python, such as another program's model", _ELSEWHERE)
_HDF5 = FileKind("an HDF5 file, such as a recording", _ELSEWHERE)
_NUMPY = FileKind("an array of numpy", _ELSEWHERE)
_SAFETENSORS = FileKind("a safetensors file, such as another program's model", _ELSEWHERE)
PYTORCH = FileKind("a file of PyTorch, such as a model", _ELSEWHERE)
"""What a checkpoint begins like, too."""
_ZIP = FileKind("a zip archive", _UNPACK)
_TAR = FileKind("a tar archive", _UNPACK)
_ARCHIVE = FileKind("an archive", _UNPACK)
_PROGRAM = FileKind("a compiled program", _NO_TEXT_IN_IT)
_OLD_OFFICE = FileKind("a document of an office program (such as .doc or .xls)", _AS_TEXT)
_DATABASE = FileKind("an SQLite database", "export the text in it as UTF-8")
_TABLE = FileKind("a table in Parquet or Arrow", "export the text in it as UTF-8")

_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_SIGNATURES = (
    (b"%PDF-", _PDF),
    (b"\x89PNG\r\n\x1a\n", _IMAGE),
    (b"\xff\xd8\xff", _IMAGE),
    (b"GIF87a", _IMAGE),
    (b"GIF89a", _IMAGE),
    (b"II*\0", _IMAGE),
    (b"MM\0*", _IMAGE),
    (_HDF5_SIGNATURE, _HDF5),
    (b"\x93NUMPY", _NUMPY),
    (b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (b"Rar!\x1a\x07", _ARCHIVE),
    (b"\x1f\x9d", FileKind("a file that `compress` wrote", "unpack it with `uncompress`")),
    (b"\x04\x22\x4d\x18", FileKind("a file that lz4 compressed", "unpack it with `lz4 -d`")),
    (b"\x7fELF", _PROGRAM),
    (b"\xcf\xfa\xed\xfe", _PROGRAM),
    (b"\0asm", _PROGRAM),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OLD_OFFICE),
    (b"SQLite format 3\0", _DATABASE),
    (b"PAR1", _TABLE),
    (b"ARROW1\0\0", _TABLE),
    (b"ID3\x03", _SOUND),
    (b"ID3\x04", _SOUND),
    (b"OggS\0", _SOUND),
    (b"fLaC\0", _SOUND),
    (b"\x1a\x45\xdf\xa3", _SOUND),
)
_COMPRESSED = ((b"\x1f\x8b\x08", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"))
_BZIP2_BLOCKS = (b"1AY&SY", b"\x17rE8P\x90")  # what follows the level: a block, or the end of an empty file
_ZIP_MEMBER = b"PK\x03\x04"
_ZIP_STARTS = (_ZIP_MEMBER, b"PK\x05\x06", b"PK\x07\x08")
_ZIP_HEADER_BYTES, _ZIP_LENGTHS_AT = 30, 26
_ZIP_KINDS = (
    (r"mimetypeapplication/epub", FileKind("an e-book (EPUB)", _AS_TEXT)),
    (r"mimetypeapplication/vnd\.oasis", FileKind("an OpenDocument file (such as .odt)", _AS_TEXT)),
    (r"word/", FileKind("a Word document (.docx)", _AS_TEXT)),
    (r"xl/", FileKind("an Excel file (.xlsx)", _AS_TEXT)),
    (r"ppt/", FileKind("a PowerPoint file (.pptx)", _AS_TEXT)),
    (r"([^/]+/)?data\.pkl", PYTORCH),
    (r"(.*\.weights\.h5|config\.json)", FileKind("a model of Keras", _ELSEWHERE)),
    (r".*\.npy", FileKind("arrays of numpy (.npz)", _ELSEWHERE)),
)
_OFFICE = FileKind("a document of an office program (such as .docx)", _AS_TEXT)


def kind_of(start: bytes) -> FileKind | None:
    """Return what a file is by its first bytes (see `START_BYTES`); None if it may be a text.

    >>> kind_of(b"%PDF-1.7 ...").name
    'a PDF document'
    """
    if compressed_by(start):
        return FileKind(f"a file that {compressed_by(start)} compressed", "unpack it")
    if start.startswith(_ZIP_STARTS):
        return _kind_of_zip(start)
    if start[257:262] == b"ustar" and b"\0" in start[:257]:
        return _TAR
    for signature, kind in _SIGNATURES:
        if start.startswith(signature):
            return kind
    return _kind_by_structure(start)


def is_hdf5(start: bytes) -> bool:
    """Tell whether a file is one of HDF5, as all recordings are, by its first bytes."""
    return start.startswith(_HDF5_SIGNATURE)


def compressed_by(start: bytes) -> str | None:
    """Return which program compressed a file: gzip, zstd, bzip2 or xz; None if none of them did."""
    for signature, program in _COMPRESSED:
        if start.startswith(signature):
            is_other = program == "bzip2" and not start.startswith(_BZIP2_BLOCKS, len(signature) + 1)
            return None if is_other else program
    return None


def _kind_by_structure(start: bytes) -> FileKind | None:
    """Return the kind of a file that no fixed bytes tell alone."""
    if start[:1] == b"\x80" and start[1:2] in (b"\2", b"\3", b"\4", b"\5"):
        return _PICKLE
    if start[:4] == b"RIFF" and start[8:12] in (b"WEBP", b"WAVE", b"AVI "):
        return _IMAGE if start[8:12] == b"WEBP" else _SOUND
    if start[4:8] == b"ftyp":
        return _SOUND
    if start[:2] == b"BM" and start[6:10] == b"\0\0\0\0" and start[14:18] in (b"\x28\0\0\0", b"\x7c\0\0\0"):
        return _IMAGE
    if start[8:10] == b'{"' and 2 <= struct.unpack("<Q", start[:8])[0] < 100_000_000:
        return _SAFETENSORS
    return None


def _kind_of_zip(start: bytes) -> FileKind:
    """Return the kind of a zip archive by the names of the members that begin in its first bytes."""
    names = _zip_names(start)
    for pattern, kind in _ZIP_KINDS:
        if any(re.match(pattern, name) for name in names):
            return kind
    return _OFFICE if "[Content_Types].xml" in names else _ZIP


def _zip_names(start: bytes) -> list[str]:
    """Return the names of members, that of a member `mimetype` with what it holds."""
    names = []
    for found in re.finditer(re.escape(_ZIP_MEMBER), start):
        header = start[found.start() : found.start() + _ZIP_HEADER_BYTES]
        if len(header) < _ZIP_HEADER_BYTES:
            break
        n_name, n_extra = struct.unpack("<HH", header[_ZIP_LENGTHS_AT:])
        at = found.start() + _ZIP_HEADER_BYTES
        name = start[at : at + n_name].decode("utf-8", "replace")
        content_at = at + n_name + n_extra
        content = start[content_at : content_at + 64] if name == "mimetype" else b""
        names.append(name + content.decode("utf-8", "replace"))
    return names
