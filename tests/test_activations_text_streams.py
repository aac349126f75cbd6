"""Texts that are compressed, in a pipe or on standard input; and what is no text."""

import bz2
import errno
import gzip
import io
import lzma
import os
import socket
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from threading import Thread
from time import sleep
from typing import Any

import h5py
import numpy as np
import pytest
import torch

from activations.errors import ActivationError
from activations.file_kinds import START_BYTES
from activations.texts import text_files, text_streams, unpacking
from activations.texts.corpus import Corpus
from activations.texts.text_files import read_codes, read_text_file

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

TEXT = "Once «upon» a time,\r\nin 2 lines: 語.\n"
COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
every_compressor = pytest.mark.parametrize("program", list(COMPRESSORS))


def complaint(path: Path | str, encoding: str = "utf-8") -> str:
    """What is said of a text that cannot be read, in one line."""
    with pytest.raises(ActivationError) as caught:
        Corpus.read(path, encoding=encoding)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@every_compressor
def test_a_compressed_text_is_read_as_the_text_itself(tmp_path: Path, program: str, rng: np.random.Generator) -> None:
    """The name does not matter, several streams are one text, and pieces are cut anywhere."""
    text = TEXT + "".join(map(chr, rng.integers(32, 0x3000, 200_000).tolist()))
    path = tmp_path / "named_anyhow.txt"
    path.write_bytes(COMPRESSORS[program](text[:30].encode()) + COMPRESSORS[program](text[30:].encode()))
    assert Corpus.read(path).text() == text
    assert Corpus.read(path).documents[0].name == str(path)
    assert Corpus.read(path, chunk_chars=999).sha256 == Corpus.from_texts([text]).sha256
    assert Corpus.read(path, newlines="lf").text() == text.replace("\r\n", "\n").replace("\r", "\n")
    path.write_bytes(COMPRESSORS[program](text.encode("utf-16")))
    assert Corpus.read(path, encoding="utf-16").text() == text
    assert read_text_file(path, "utf-16") == text


@every_compressor
def test_a_compressed_text_that_is_cut_off_or_damaged_is_refused(tmp_path: Path, program: str) -> None:
    path = tmp_path / "text"
    rng = np.random.default_rng(0)
    content = COMPRESSORS[program](bytes(rng.integers(97, 123, 5_000).tolist()))
    for cut in (20, len(content) // 2, len(content) - 9, len(content) - 1):
        path.write_bytes(content[:cut])
        assert f"{path} cannot be unpacked ({program}: " in complaint(path), cut
    if program != "zstd":  # whose checksum is optional, and which `compress` does not write
        path.write_bytes(content[:1_500] + bytes([content[1_500] ^ 255]) + content[1_501:])
        assert f"{path} cannot be unpacked ({program}: " in complaint(path)


@every_compressor
def test_a_text_that_unpacks_to_far_more_than_its_size_is_refused(tmp_path: Path, program: str) -> None:
    """Some 10 to 30 KB that hold 80 MB; the memory that this takes does not grow with them."""
    path = tmp_path / "bomb"
    path.write_bytes(COMPRESSORS[program](b"a" * 80_000_000))
    assert "unpacks to over 200 times its size" in complaint(path)
    path.write_bytes(COMPRESSORS[program](b"a" * 1_000_000))
    assert len(Corpus.read(path)) == 1_000_000


def test_a_compressed_file_that_needs_a_large_window_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.zst"
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 30,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=options)
    path.write_bytes(compressor.compress(b"abc" * 1_000_000) + compressor.flush())
    assert "cannot be unpacked (zstd: " in complaint(path)


def _tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        archive.add(__file__)


def _zip(*names: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, "application/epub+zip" if name == "mimetype" else "content")

    return write


def _recording(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["x"] = [1]


def _picture(path: Path) -> None:
    from matplotlib.figure import Figure

    Figure().savefig(path, format="png")


def _bytes(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def _saved(save: Callable[[io.BytesIO], None]) -> bytes:
    file = io.BytesIO()
    save(file)
    return file.getvalue()


KINDS: dict[str, Callable[[Path], object]] = {
    "a PDF document, not a text; save its text": _bytes(b"%PDF-1.7\n1 0 obj"),
    "an image, not a text": _picture,
    "an image, not a text; name": _bytes(b"\xff\xd8\xff\xe0\0\x10JFIF\0"),
    "an HDF5 file, such as a recording, not": _recording,
    "a pickle of Python": _bytes(b"\x80\x04\x95\x10\0\0\0\0\0\0\0]\x94."),
    "a file of PyTorch, such as a model": lambda path: torch.save({"weight": torch.zeros(2)}, path),
    "an array of numpy": lambda path: path.write_bytes(_saved(lambda file: np.save(file, np.zeros(3)))),
    "arrays of numpy (.npz)": lambda path: path.write_bytes(_saved(lambda file: np.savez(file, x=np.zeros(3)))),
    "a tar archive, not a text; unpack it": _tar,
    "a zip archive, not a text; unpack it": _zip("a.txt", "b.txt"),
    "a Word document (.docx), not a text; save it as plain text": _zip("[Content_Types].xml", "word/document.xml"),
    "an Excel file (.xlsx)": _zip("[Content_Types].xml", "xl/workbook.xml"),
    "an e-book (EPUB)": _zip("mimetype", "META-INF/container.xml"),
    "a model of Keras": _zip("metadata.json", "config.json", "model.weights.h5"),
    "an archive": _bytes(b"7z\xbc\xaf\x27\x1c\0\4"),
    "an SQLite database": _bytes(b"SQLite format 3\0abc"),
    "a safetensors file": _bytes(b"\x40\0\0\0\0\0\0\0" + b'{"weight": 1}'),
    "a sound or a film": _bytes(b"\0\0\0\x18ftypmp42"),
    "a compiled program": _bytes(b"\x7fELF\2\1\1"),
}


@pytest.mark.parametrize("expected", list(KINDS))
def test_what_is_no_text_is_called_what_it_is(tmp_path: Path, expected: str) -> None:
    path = tmp_path / "text.txt"
    KINDS[expected](path)
    assert f"{path} is {expected}" in complaint(path)
    packed = tmp_path / "text.txt.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert f"{packed} holds, compressed by gzip, {expected.split(',')[0]}" in complaint(packed)
    assert len(read_codes(path, "latin-1", "keep")[0])  # in which every byte is a character: for models of bytes


def test_a_text_may_begin_like_a_file_of_another_kind(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    for text in (
        "PK is short for player kill",
        "BZhou came home",
        "BM means bench mark",
        "GIF or JIF?",
        "x" * 257 + "ustar",
    ):
        path.write_text(text, encoding="utf-8")
        assert Corpus.read(path).text() == text


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(
    "text",
    ["Once upon a time", "Жил-был у бабушки серенький козлик.\n" * 9, "道可道，非常道。名可名，非常名。\n" * 9, "ab"],
)
def test_wide_encodings_are_named_with_and_without_a_mark(tmp_path: Path, encoding: str, text: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(text.encode(encoding))
    assert complaint(path) == f"{path} is text in {encoding}, not utf-8; name that: --encoding {encoding}"
    assert Corpus.read(path, encoding=encoding).text() == text


def test_a_text_with_zero_bytes_is_no_utf_16(tmp_path: Path, rng: np.random.Generator) -> None:
    """Names between zero bytes, as `find -print0` writes them, and characters at random."""
    path = tmp_path / "text.txt"
    for text in ("\0".join(f"src/part{n}/file{n * n}.py" for n in range(300)), "a longer text\0 with one", "\0\0"):
        path.write_text(text, encoding="utf-8")
        assert Corpus.read(path).text() == text
    text = "".join(map(chr, rng.integers(0, 128, 5_000).tolist()))
    path.write_bytes(text.encode())
    assert Corpus.read(path).text() == text


def _given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def test_standard_input_is_read_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("other", encoding="utf-8")
    _given(monkeypatch, gzip.compress(TEXT.encode()))
    corpus = Corpus.read(other, "-", documents="lines")
    assert corpus.text() == "other" + TEXT
    assert [document.name for document in corpus.documents] == [f"{other}:1", "standard input:1", "standard input:2"]
    assert "standard input (-) is named as a text a second time, and can be read only once" in complaint("-")
    _given(monkeypatch, b"")
    assert complaint("-").startswith("standard input is empty")
    _given(monkeypatch, b"ab\xff")
    assert complaint("-").startswith("standard input is not utf-8: byte 2 (0xff, in line 1) does not fit")


def test_a_terminal_or_a_device_on_standard_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert "standard input is closed" in complaint("-")
    with open("/dev/zero", encoding="utf-8") as zero:  # noqa: PTH123 is no file
        monkeypatch.setattr(sys, "stdin", zero)
        assert "standard input (-) is a device, not a text" in complaint("-")
    leader, follower = os.openpty()
    with os.fdopen(follower, encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert "standard input (-) is a terminal; name a file, or pipe a text into it" in complaint("-")
    os.close(leader)


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    """Its writer opens it late, and writes its first byte alone."""
    text = TEXT * 20_000  # more than a pipe holds
    assert _read_from_pipe(tmp_path, text.encode()[:1], text.encode()[1:]) == text


def _read_from_pipe(folder: Path, *pieces: bytes, pause_s: float = 0) -> str:
    """Return what is read from a pipe that another thread opens, pauses, and writes these pieces to."""
    path = folder / "pipe"
    os.mkfifo(path)

    def open_and_write() -> None:
        with path.open("wb", buffering=0) as pipe:
            sleep(pause_s)
            for piece in pieces:
                pipe.write(piece)

    writer = Thread(target=open_and_write)
    writer.start()
    text = Corpus.read(path).text()
    writer.join()
    return text


def test_a_writer_of_a_pipe_may_take_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than a pipe without a writer is waited for."""
    monkeypatch.setattr(text_streams, "SECONDS_FOR_A_WRITER", 2)
    assert _read_from_pipe(tmp_path, TEXT.encode(), pause_s=2.5) == TEXT


@pytest.mark.parametrize("program", ["gzip", "bzip2", "xz"])
def test_many_empty_streams_are_told_at_once(program: str, tmp_path: Path) -> None:
    """As many as would take minutes if each one were compared with all before it."""
    start, stream = text_streams._begun(iter([*[b""] * 300_000, TEXT.encode()]))
    assert (start, b"".join(stream)) == (TEXT.encode()[:START_BYTES], TEXT.encode())
    (tmp_path / "text").write_bytes(COMPRESSORS[program](b"") * 3 + COMPRESSORS[program](TEXT.encode()))
    assert Corpus.read(tmp_path / "text").text() == TEXT


@pytest.mark.parametrize("program", COMPRESSORS)
def test_a_file_that_grows_too_much_is_said_to_whatever_compressed_it(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "ALWAYS_BYTES", 1000)
    path = tmp_path / "text"
    path.write_bytes(COMPRESSORS[program](b"a" * 3_000_000))
    assert complaint(path).startswith(f"{path} unpacks to over 200 times its size")


def test_an_error_of_the_disk_is_none_of_what_is_unpacked(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield bz2.compress(TEXT.encode())[:20]
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(OSError, match="Input/output"):
        list(unpacking.unpacked("bzip2", pieces(), "x.bz2"))


def test_a_pipe_that_nothing_writes_to_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_streams, "SECONDS_FOR_A_WRITER", 0.3)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert complaint(path) == f"{path} is a FIFO, and nothing writes to it; start the program that does, or name a file"


def test_a_pipe_whose_writer_writes_nothing_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = Thread(target=lambda: path.open("wb").close())
    writer.start()
    assert "is empty" in complaint(path)
    writer.join()


def test_devices_sockets_and_folders_are_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert complaint("/dev/zero") == "/dev/zero is a device, not a text; name a file, or - for standard input"
    assert "is a folder, not a text" in complaint(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # paths of sockets are short
        server.bind("socket")
        assert "socket is a socket, not a text" in complaint("socket")
    assert complaint("a\0b") == "cannot read the text a\0b: No such file or directory; check its path"


def test_a_text_that_does_not_fit_the_memory_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "text.txt"
    with path.open("wb") as file:
        file.truncate(1 << 43)  # which takes no room on the disk
    assert "needs more memory than the" in complaint(path)
    path.write_text("a" * 2_000, encoding="utf-8")
    for module in (text_files, text_streams):
        monkeypatch.setattr(module, "memory_bytes", lambda: 1_500)
    assert "text.txt needs more memory than the 0.0 GB that there are; cut it into parts" in complaint(path)
    path.write_bytes(gzip.compress(b"a" * 1_400))
    assert len(Corpus.read(path)) == 1_400
    path.write_bytes(gzip.compress(b"a" * 1_600))
    assert "needs more memory" in complaint(path)


@every_compressor
def test_many_small_streams_are_not_copied_again_and_again(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is left behind the end of a stream is given to the next one; it is a small part of the file."""
    fed = 0
    contents = unpacking._contents

    def counting(make: Callable[[], Any], pieces: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
        class Counting:
            def __init__(self) -> None:
                self._stream = make()

            def decompress(self, data: bytes, max_length: int) -> bytes:
                nonlocal fed
                fed += len(data)
                content: bytes = self._stream.decompress(data, max_length)
                return content

            def __getattr__(self, name: str) -> Any:
                return getattr(self._stream, name)

        return contents(Counting, pieces)

    monkeypatch.setattr(unpacking, "_contents", counting)
    packed = COMPRESSORS[program](b"")
    content = packed * (300_000 // len(packed))
    assert b"".join(unpacking.unpacked(program, [content], "x")) == b""
    assert len(content) <= fed < len(content) * unpacking._FED_BYTES / len(packed)


def test_decompressors_give_pieces_of_bounded_size() -> None:
    for program, compress in COMPRESSORS.items():
        pieces = list(unpacking.unpacked(program, [compress(b"a" * 20_000_000)], "x"))
        assert sum(map(len, pieces)) == 20_000_000
        assert max(map(len, pieces)) <= unpacking.PIECE_BYTES
