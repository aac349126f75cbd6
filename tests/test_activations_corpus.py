"""Texts are read as they are, or refused with a way out."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activations.errors import ActivationError
from activations.texts.codes import codes_in_pieces, codes_to_text, concatenate_codes, text_to_codes
from activations.texts.corpus import Corpus, corpus_sha256


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


def test_characters_are_found_in_lines_of_files() -> None:
    corpus = Corpus.from_texts(["ab\n\ncd", "e\nf\n"], ["a.txt", "b.txt"])
    lines = [corpus.line_of(position) for position in range(len(corpus))]
    assert lines == [("a.txt", line) for line in (1, 1, 1, 2, 3, 3)] + [("b.txt", line) for line in (1, 1, 2, 2)]
    assert corpus.place(8) == "character 8, line 2 of b.txt"
    names = Corpus.from_texts(["ab\n\ncd\n"], ["names.txt"]).split(blank_lines=False)
    assert [names.line_of(document.start) for document in names.documents] == [("names.txt", 1), ("names.txt", 3)]


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


CHARACTERS = st.sampled_from("ab\r\n\ufeffé\x80ÿĀ語😀")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7"])
@given(texts=st.lists(st.text(CHARACTERS, min_size=12, max_size=40), min_size=1, max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_files_read_by_pieces_are_those_decoded_whole(tmp_path: Path, encoding: str, texts: list[str]) -> None:
    """Texts are decoded, hashed, and their code points joined, five characters at a time."""
    paths = [tmp_path / f"{n}.txt" for n in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_bytes(text.encode(encoding))
    whole = [path.read_bytes().decode(encoding).removeprefix("\ufeff") for path in paths]
    for newlines in ("keep", "lf"):
        expected = whole if newlines == "keep" else [t.replace("\r\n", "\n").replace("\r", "\n") for t in whole]
        if any(len(text) < 2 for text in expected):
            continue
        found = Corpus.read(*paths, encoding=encoding, newlines=newlines, chunk_chars=5)
        assert [found.text(each.start, each.stop) for each in found.documents] == expected
        same = Corpus.from_texts(expected)
        assert (found.documents[-1].stop, found.sha256) == (len(same), same.sha256)
        assert same.sha256 == corpus_sha256(same, chunk_chars=5) == sha256_of(expected)
        for text in expected:
            np.testing.assert_array_equal(concatenate_codes(codes_in_pieces(text, 5)), text_to_codes(text))
        highest = max(map(ord, "".join(expected)))
        assert found.codes.dtype == same.codes.dtype == np.min_scalar_type(highest)


def sha256_of(texts: list[str]) -> str:
    """The hash by which recordings and kept labels identify a text."""
    starts = np.cumsum([0, *map(len, texts)])[:-1]
    content = "".join(texts).encode("utf-32-le", "surrogatepass") + starts.astype("<i8").tobytes()
    return hashlib.sha256(content).hexdigest()


def test_a_wrong_byte_is_reported_wherever_it_is(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes("語\n".encode() * 20 + b"ab\xff")
    with pytest.raises(ActivationError, match=r"byte 82 \(0xff, in line 21\)"):
        Corpus.read(path, chunk_chars=5)
    for unknown in ("locale", "hex", ""):
        with pytest.raises(ActivationError, match="no encoding named"):
            Corpus.read(path, encoding=unknown, chunk_chars=5)
    path.write_bytes("abcdefgh".encode("utf-16")[2:])  # without a byte-order mark, which no piece alone is read without
    assert Corpus.read(path, encoding="utf-16", chunk_chars=5).text() == "abcdefgh"


def test_parts_of_a_text_are_views_of_it() -> None:
    corpus = Corpus.from_texts(["abcde", "fgh", "ijklmnop"])
    parts = corpus.cut([0.5, 0.5])
    assert [part.text() for part in parts] == ["abcdefgh", "ijklmnop"]
    assert all(np.shares_memory(part.codes, corpus.codes) for part in parts)
    assert [part.text() for part in Corpus.from_texts(["abc", "defg"]).cut([0.3, 0.7])] == ["ab", "defg"]
