"""Texts are read as they are, or refused with a way out."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activations.corpus import Corpus, codes_to_text, text_to_codes
from activations.errors import ActivationError


@given(st.text())
def test_code_points_read_back(text: str) -> None:
    codes = text_to_codes(text)
    assert len(codes) == len(text)
    assert codes_to_text(codes) == text


def test_documents_cover_the_text() -> None:
    corpus = Corpus.from_texts(["ab", "cde"])
    assert [(d.start, d.stop) for d in corpus.documents] == [(0, 2), (2, 5)]
    assert corpus.text() == "abcde"
    assert [corpus.text(d.start, d.stop) for d in corpus.documents] == ["ab", "cde"]


def test_a_byte_order_mark_is_dropped_and_line_ends_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "bom.txt"
    path.write_bytes(b"\xef\xbb\xbfa\r\nb\rc\n")
    assert Corpus.read(path).text() == "a\r\nb\rc\n"
    assert Corpus.read(path, newlines="lf").text() == "a\nb\nc\n"


def test_another_encoding_is_read_when_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "french.txt"
    path.write_bytes("déjà\nvu".encode("latin-1"))
    assert Corpus.read(path, encoding="latin-1").text() == "déjà\nvu"
    path.write_bytes("déjà".encode("utf-16"))
    assert Corpus.read(path, encoding="utf-16").text() == "déjà"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "cannot read the text .*No such file"),
        (b"", "is empty"),
        (b"x", "only one character"),
        (b"\xef\xbb\xbfx", "only one character"),
        (b"ab\nc\xe9d", r"byte 4 \(0xe9, in line 2\).*--encoding latin-1"),
        ("déjà".encode("utf-16"), "--encoding utf-16"),
    ],
)
def test_a_bad_text_is_refused(tmp_path: Path, content: bytes | None, complaint: str) -> None:
    path = tmp_path / "text.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ActivationError, match=complaint):
        Corpus.read(path)


def test_an_unknown_encoding_and_an_unknown_newline_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"abc")
    with pytest.raises(ActivationError, match="no encoding named 'utf-9'"):
        Corpus.read(path, encoding="utf-9")
    with pytest.raises(ActivationError, match="choose one of keep, lf"):
        Corpus.read(path, newlines="crlf")


def test_the_hash_knows_the_characters_and_the_documents() -> None:
    assert Corpus.from_texts(["abcd"]).sha256 == Corpus.from_texts(["abcd"]).sha256
    assert Corpus.from_texts(["abcd"]).sha256 != Corpus.from_texts(["abce"]).sha256
    assert Corpus.from_texts(["abcd"]).sha256 != Corpus.from_texts(["ab", "cd"]).sha256
