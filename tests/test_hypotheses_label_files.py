"""Labels from files: what each form of a file means."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labelling.corpus_labels import CorpusLabels
from hypotheses.labelling.documents import label_corpus
from hypotheses.labels import Labels
from hypotheses.registry import get

TEXT = 'Ab, "c"\nD e\n'
IS_UPPER = [char.isupper() for char in TEXT]


def write(name: str, content: str | bytes) -> None:
    Path(name).parent.mkdir(parents=True, exist_ok=True)
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)


def write_csv(name: str, rows: Sequence[Sequence[Any]], **how: Any) -> None:
    with Path(name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, **how).writerows(rows)


def label_documents(spelled: str, texts: dict[str, str], **how: Any) -> CorpusLabels:
    """Label several documents, of which those named like `a.txt:3` are lines of a file."""
    file_names = [name.partition(":")[0] for name in texts]
    return label_corpus(get(spelled), list(texts), list(texts.values()), "", file_names=file_names, **how)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [["char", "label"], ["Character", "mood"], ["token", "tag"], []])
def test_a_row_is_a_character_with_a_class(delimiter: str, header: list[str]) -> None:
    rows = [header] if header else []
    write_csv("a.csv", [*rows, *([char, "B" if char.isupper() else "O"] for char in TEXT)], delimiter=delimiter)
    labels = get("labels:a.csv")(TEXT)
    assert (labels.kind, labels.names, labels.missing) == ("categorical", ("B", "O"), None)
    assert labels.tolist() == ["B" if is_upper else "O" for is_upper in IS_UPPER]


@pytest.mark.parametrize("header", ["", "label\n", "mood\n"])
@pytest.mark.parametrize("end", ["\n", ""])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.tsv", "labels"])
def test_a_row_is_a_label_alone(name: str, header: str, end: str) -> None:
    write(name, header + "\n".join("B" if is_upper else "O" for is_upper in IS_UPPER) + end)
    assert get(f"labels:{name}")(TEXT).tolist() == ["B" if is_upper else "O" for is_upper in IS_UPPER]


@pytest.mark.parametrize("header", ["", "label\n", "mood\n"])
def test_an_empty_line_of_a_list_is_a_missing_label(header: str) -> None:
    write("a.txt", f"{header}B\n\nO\n")
    labels = get("labels:a.txt")("abc")
    assert labels.tolist() == ["B", None, "O"]


@pytest.mark.parametrize(
    ("written", "kind", "expected"),
    [
        (["0", "1", "1"], "binary", [False, True, True]),
        (["true", "False", "TRUE"], "binary", [True, False, True]),
        (["yes", "no", ""], "binary", [True, False, None]),
        (["0", "1", "2"], "numeric", [0, 1, 2]),
        (["-1.5", "NA", "1e3"], "numeric", [-1.5, None, 1000]),
        (["nan", "2", "NaN"], "numeric", [None, 2, None]),
        (["a", "?", "null"], "categorical", ["a", None, None]),
        (["N/A", "none", "b c"], "categorical", [None, "none", "b c"]),
        ([" a", "a ", "a"], "categorical", ["a", "a", "a"]),
    ],
)
def test_numbers_classes_and_bools_are_told_apart(written: list[str], kind: str, expected: list[Any]) -> None:
    write("a.csv", "\n".join(["label", *written]) + "\n")
    labels = get("labels:a.csv")("xyz")
    assert labels.kind == kind
    assert labels.tolist() == expected


@pytest.mark.parametrize(
    ("rows", "kind", "expected"),
    [
        ([{"label": True}, {"label": None}, {}], "binary", [True, None, None]),
        ([{"char": "x", "label": 2}, {"char": "y", "label": 0.5}, {"char": "z"}], "numeric", [2, 0.5, None]),
        ([{"label": "1"}, {"label": "2"}, {"label": "2"}], "categorical", ["1", "2", "2"]),
        ([1, 0, 1], "binary", [True, False, True]),
        (["a", None, "b"], "categorical", ["a", None, "b"]),
        ([["x", "a"], ["y", "b"], ["z", "b"]], "categorical", ["a", "b", "b"]),
        ([{"start": 1, "end": 3}], "binary", [False, True, True]),
        ([{"token": "xy", "label": 1}, {"token": "z", "label": 3}], "numeric", [1, 1, 3]),
    ],
)
@pytest.mark.parametrize("name", ["a.jsonl", "a.json", "a.ndjson", "a"])
def test_rows_of_json(name: str, rows: list[Any], kind: str, expected: list[Any]) -> None:
    if name == "a" and not isinstance(rows[0], dict):
        name = "a.jsonl"
    lines = "\n".join(map(json.dumps, rows))
    for content in (lines + "\n", json.dumps(rows), json.dumps(rows, indent=1)):
        write(name, content)
        labels = get(f"labels:{name}")("xyz")
        assert (labels.kind, labels.tolist()) == (kind, expected)


@pytest.mark.parametrize("encoded", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_byte_order_marks_and_line_ends_of_other_systems(encoded: str, end: str) -> None:
    write("a.csv", end.join(["char,label", "é,1", "ж,0", ""]).encode(encoded))
    assert get("labels:a.csv")("éж").tolist() == [True, False]


def test_a_text_with_returns_in_a_file_with_returns() -> None:
    write_csv("a.csv", [["char", "label"], *([char, "x"] for char in "a\r\nb")])
    assert get("labels:a.csv")("a\r\nb").tolist() == ["x"] * 4


def test_characters_may_be_escaped_or_left_empty_if_they_are_white_space() -> None:
    write("a.tsv", "char\tlabel\na\t1\n\\n\t2\n\\t\t3\n\t4\n\\\\\t5\n")
    assert get("labels:a.tsv")("a\n\t \\").tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("quoted", [True, False])
def test_quotation_marks_that_are_tokens_need_no_quotes(quoted: bool) -> None:
    rows = [['"', "Q"], ["a,b", "W"], ['"', "Q"], ["''", "Q"]]
    if quoted:
        write_csv("a.tsv", rows, delimiter="\t")
    else:
        write("a.tsv", "".join("\t".join(row) + "\n" for row in rows))
    assert get("labels:a.tsv")("\"a,b\"''").tolist() == ["Q", *"WWW", "Q", "Q", "Q"]


@pytest.mark.parametrize("name", ["a.tsv", "a.txt"])
def test_a_row_is_a_token(name: str) -> None:
    """White space between tokens has no label, nor have the rows of a blank line."""
    write(name, "I\tPRON\ncan't\tVERB\n\nsee\tVERB\n.\tPUNCT\n")
    labels = get(f"labels:{name}")("I can't\n\nsee.\n")
    assert labels.tolist() == ["PRON", None, *["VERB"] * 5, None, None, *["VERB"] * 3, "PUNCT", None]


def test_tokens_may_have_white_space_of_their_own() -> None:
    write(
        "a.jsonl", '{"token": "New York", "label": "LOC"}\n{"token": " is", "label": "O"}\n{"token": " ", "label": "S"}'
    )
    assert get("labels:a.jsonl")("New York is ").tolist() == [*["LOC"] * 8, *["O"] * 3, "S"]


def test_rows_without_line_ends_leave_these_without_labels() -> None:
    write("a.csv", "char,label\na,1\nb,2\nc,3\n")
    assert get("labels:a.csv")("a\nbc\n").tolist() == [1, None, 2, 3, None]


@pytest.mark.parametrize(
    "content", ["start,end\n1,3\n5,6\n", "1,3\n5,6\n", "begin\tstop\n5\t6\n1\t3", "end;start\n3;1\n6.0;5"]
)
def test_spans_without_labels_are_true(content: str) -> None:
    write("a.csv", content)
    labels = get("labels:a.csv")("abcdefg")
    assert (labels.kind, labels.tolist()) == ("binary", [False, True, True, False, False, True, False])


@pytest.mark.parametrize("header", ["start,end,label\n", "label,start,end\n", ""])
def test_characters_outside_of_spans_with_classes_are_none(header: str) -> None:
    rows = ["PER,4,5", "LOC,1,3"] if header.startswith("label") else ["4,5,PER", "1,3,LOC"]
    write("a.csv", header + "\n".join(rows))
    labels = get("labels:a.csv")("abcdefg")
    assert labels.names == ("LOC", "PER", "none")
    assert labels.tolist() == ["none", "LOC", "LOC", "none", "PER", "none", "none"]
    assert get("labels:a.csv == PER")("abcdefg").tolist() == [False] * 4 + [True] + [False] * 2


@pytest.mark.parametrize(
    ("labels", "expected"), [(("2.5", "3"), [None, 2.5, 2.5, None, 3]), (("1", "0"), [None, True, True, None, False])]
)
def test_characters_outside_of_spans_with_numbers_have_no_label(labels: tuple[str, str], expected: list[Any]) -> None:
    write("a.csv", f"start,end,label\n1,3,{labels[0]}\n4,5,{labels[1]}\n")
    assert get("labels:a.csv")("abcde").tolist() == expected


def test_spans_that_overlap_with_the_same_label_are_one() -> None:
    write("a.csv", "start,end,label\n0,3,A\n1,2,A\n2,5,A\n5,6,B\n")
    assert get("labels:a.csv")("abcdefg").tolist() == [*"AAAAAB", "none"]


def test_many_spans_agree_with_a_loop(rng: np.random.Generator) -> None:
    starts = rng.integers(0, 990, 100)
    ends = starts + rng.integers(1, 10, 100)
    write("a.csv", "start,end\n" + "".join(f"{start},{end}\n" for start, end in zip(starts, ends, strict=True)))
    expected = np.zeros(1000, bool)
    for start, end in zip(starts, ends, strict=True):
        expected[start:end] = True
    assert get("labels:a.csv")("x" * 1000).tolist() == expected.tolist()


@pytest.mark.parametrize("column", ["", ":label", ":2"])
def test_a_column_by_name_or_number(column: str) -> None:
    write("a.csv", "char,label,score,1\nx,a,.5,7\ny,b,.25,8\n")
    assert get(f"labels:a.csv{column}")("xy").tolist() == ["a", "b"]
    assert get("labels:a.csv:score")("xy").tolist() == [0.5, 0.25]
    assert get("labels:a.csv:1")("xy").tolist() == [7, 8]  # a name comes before a number
    assert get("labels:a.csv:3")("xy").tolist() == [0.5, 0.25]


def test_columns_of_running_numbers_and_columns_without_names_are_no_labels() -> None:
    write("a.csv", ",char,mood\n0,x,good\n1,y,bad\n")  # as pandas writes an index
    assert get("labels:a.csv")("xy").tolist() == ["good", "bad"]
    write("b.csv", "0,good\n1,bad\n2,bad\n")
    assert get("labels:b.csv:2")("xyz").tolist() == ["good", "bad", "bad"]


@pytest.mark.parametrize(
    "spelled", ["labels:my file.csv", "labels:'my file.csv'", "labels:my file.csv:label", "labels:'my file.csv:label'"]
)
def test_paths_with_blanks(spelled: str) -> None:
    write("my file.csv", "char,label\nx,1\ny,0\n")
    assert get(spelled)("xy").tolist() == [True, False]
    assert get(get(spelled).name)("xy").tolist() == [True, False]


@pytest.mark.parametrize(
    "path", ["R&D.csv", "a:b.csv", "C:/data/a.csv", "a=1,b=2.csv", "it's.csv", "ж.csv", "a.py:x.csv"]
)
def test_paths_with_signs_in_them(path: str) -> None:
    write(path, "char,label\nx,1\ny,0\n")
    assert get(f"labels:{path}")("xy").tolist() == [True, False]
    assert get(f"labels:{path}:label")("xy").tolist() == [True, False]
    quoted = path.replace("'", "''")
    combined = get(f"~labels:'{quoted}' | labels:'{quoted}:label'")
    assert combined("xy").tolist() == [True, True]
    assert get(combined.name)("xy").tolist() == [True, True]


def test_combinations_and_comparisons() -> None:
    write_csv(
        "a.csv", [["char", "label", "n"], *([char, "B" if char.isupper() else "O", n] for n, char in enumerate(TEXT))]
    )
    tested = get("labels:a.csv:label == B & labels:a.csv:n > 0 & ~in_comment")
    assert [n for n, label in enumerate(tested(TEXT).tolist()) if label] == [8]
    assert not tested.causal
    assert get("labels:a.csv:n @ 1")(TEXT).tolist() == [*range(1, len(TEXT)), None]


def test_a_folder_has_a_file_for_each_text() -> None:
    write("tags/a.csv", "label\n1\n0\n")
    write("tags/b.txt.jsonl", '{"label": 1}\n{"label": 2}\n')
    write("tags/sub/c.tsv", "char\tlabel\ne\t5\nf\t6\n")
    write("tags/c.csv", "label\n8\n8\n8\n")
    texts = {"a.txt": "ab", "texts/b.txt": "cd", "texts/sub/c.txt": "ef", "d.txt": "gh"}
    labels = label_documents("labels:tags", texts)
    assert labels[:].tolist() == [1, 0, 1, 2, 5, 6, None, None]
    assert labels.warnings == ("1 of 4 documents have no labels: d.txt",)
    assert labels.notes == ("labels:tags: 3 files, column 'label', 6 rows for 6 characters, numbers from 0 to 6",)


def test_classes_of_a_folder_are_those_of_all_its_files() -> None:
    write("tags/a.csv", "label\nx\nx\n")
    write("tags/b.csv", "label\ny\nz\n")
    texts = {"a.txt": "ab", "b.txt": "cd"}
    assert label_documents("labels:tags == y", texts)[:].tolist() == [False, False, True, False]


def test_lines_of_a_file_share_its_labels() -> None:
    """One row for each character of the file, of which each line is a document."""
    lines = {"names.txt:1": "ab\n", "names.txt:3": "cd\n\n", "names.txt:5": "e\n"}
    write_csv("names.csv", [["char", "label"], *([char, n] for n, char in enumerate("".join(lines.values())))])
    assert label_documents("labels:names.csv", lines)[:].tolist() == list(range(9))
    write("tags/names.csv", Path("names.csv").read_bytes())
    other = {"names.txt:1": "ab\n", "names.txt:3": "cd\n\n", "names.txt:5": "e\n", "x.txt": "fg"}
    assert label_documents("labels:tags", other)[:].tolist() == [*range(9), None, None]
    write("tokens.tsv", "ab\t1\ncd\t2\ne\t3\n")
    assert label_documents("labels:tokens.tsv", lines)[:].tolist() == [1, 1, None, 2, 2, None, None, 3, None]
    write("spans.csv", "start,end,text\n1,2,b\n3,8,cd  e\n".replace("  ", "\n\n").replace("cd\n\ne", '"cd\n\ne"'))
    assert label_documents("labels:spans.csv", lines)[:].tolist() == [False, True, False, *[True] * 5, False]


@pytest.mark.parametrize("names", [("a.txt", "texts/b.txt"), ("a", "b"), ("a.txt", "b.txt")])
def test_a_column_says_which_document(names: tuple[str, str]) -> None:
    rows = [(names[1], "c", 3), (names[0], "a", 1), (names[0], "b", 2), (names[1], "d", 4)]
    write_csv("tags.csv", [["document", "char", "label"], *rows])
    labels = label_documents("labels:tags.csv", {"a.txt": "ab", "texts/b.txt": "cd", "e.txt": "ef"})
    assert labels[:].tolist() == [1, 2, 3, 4, None, None]
    assert labels.warnings == ("1 of 3 documents have no labels: e.txt",)


def test_a_column_may_name_lines_or_their_file() -> None:
    lines = {"a.txt:1": "ab", "a.txt:2": "cd"}
    write("tags.csv", "document,label\na.txt:2,3\na.txt:2,4\na.txt:1,1\na.txt:1,2\n")
    assert label_documents("labels:tags.csv", lines)[:].tolist() == [1, 2, 3, 4]
    write("tags.csv", "file,label\na.txt,1\na.txt,2\na.txt,3\na.txt,4\n")
    assert label_documents("labels:tags.csv", lines)[:].tolist() == [1, 2, 3, 4]


def test_spans_with_a_column_of_documents() -> None:
    write("spans.csv", "document,start,end,label\nb.txt,0,1,X\na.txt,1,2,X\nb.txt,2,3,Y\n")
    labels = label_documents("labels:spans.csv", {"a.txt": "abc", "b.txt": "def"})
    assert labels[:].tolist() == ["none", "X", "none", "X", "none", "Y"]


def test_long_documents_are_labelled_in_pieces() -> None:
    text = "one two\n\nthree four\n\nfive\n" * 20
    write_csv("a.csv", [["char", "label"], *([char, n] for n, char in enumerate(text))])
    assert label_documents("labels:a.csv", {"a.txt": text}, piece_chars=30)[:].tolist() == list(range(len(text)))
    write("tokens.txt", "".join(f"{token}\t{n}\n" for n, token in enumerate(text.split())))
    expected = get("labels:tokens.txt")(text).tolist()
    assert label_documents("labels:tokens.txt", {"a.txt": text}, piece_chars=30)[:].tolist() == expected
    write("spans.csv", "start,end\n10,200\n")
    assert label_documents("labels:spans.csv", {"a.txt": text}, piece_chars=30)[:].values.sum() == 190


def test_many_different_numbers_are_numbers(rng: np.random.Generator) -> None:
    numbers = rng.random(100_000)
    write("a.csv", "label\n" + "\n".join([*map(repr, numbers.tolist()), "", "NA"]) + "\n")
    labels = get("labels:a.csv")("x" * 100_002)
    assert labels.kind == "numeric"
    assert labels.tolist() == [*numbers.tolist(), None, None]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("char,label\nx,B\ny,O\nz,O\n", "column 'label', 3 rows for 3 characters, classes B and O"),
        ("B\nO\n\n", "column 1, 3 rows for 3 characters, classes B and O, 1 missing"),
        ("label\n1\n0\n1\n", "column 'label', 3 rows for 3 characters, True for 2"),
        ("label\n.5\n3\n7\n", "column 'label', 3 rows for 3 characters, numbers from 0.5 to 7"),
        ("start,end\n1,2\n", "spans without labels, 1 span for 3 characters"),
    ],
)
def test_a_line_says_what_was_read(content: str, note: str) -> None:
    write("a.csv", content)
    assert label_documents("labels:a.csv", {"a.txt": "xyz"}).notes == (f"labels:a.csv: {note}",)


def test_a_function_is_told_the_document() -> None:
    @hypothesis
    def is_second(text: str, document: str) -> list[bool]:
        """Is it the second line of b.txt?"""
        return [document == "b.txt:2"] * len(text)

    @hypothesis
    def named(text: str, *, file_name: str, document: str) -> list[str]:
        """What is the document called?"""
        return [f"{file_name} {document}"] * len(text)

    names = ["a.txt", "b.txt:1", "b.txt:2"]
    files = ["a.txt", "b.txt", "b.txt"]

    def labels(tested: Any) -> list[Any]:
        return label_corpus(tested, names, ["ab", "cd", "ef"], "", file_names=files)[:].tolist()

    assert is_second.uses_file_name
    assert labels(is_second) == [False] * 4 + [True] * 2
    assert labels(is_second & get("in_word") | ~is_second) == [True] * 6
    assert labels(named)[::2] == ["a.txt a.txt", "b.txt b.txt:1", "b.txt b.txt:2"]
    assert is_second("ab", document="b.txt:2").tolist() == [True, True]


def test_a_function_may_have_a_file_as_a_parameter() -> None:
    write("words.txt", "ab\ncd\n")
    write(
        "mine.py",
        "from pathlib import Path\n\n\ndef listed(text, words: Path, n: int = 2):\n"
        "    known = words.read_text().split()\n    return [text[t:t + n] in known for t in range(len(text))]\n",
    )
    tested = get("mine.py:listed:words.txt:2")
    assert tested("abcd").tolist() == [True, False, True, False]
    assert get("mine.py:listed:words.txt")("abcd").tolist() == [True, False, True, False]
    assert tested.reads == (Path("words.txt").absolute(),)
    assert tested.labels_any_text
    before = tested.fingerprint
    write("words.txt", "ab\nxx\n")
    assert get("mine.py:listed:words.txt:2").fingerprint not in (before, None)


def test_labels_are_checked_when_they_are_combined_in_pieces() -> None:
    """The error names the document, and not the combination."""
    write("a.csv", "label\n1\n0\n")
    with pytest.raises(
        HypothesisError, match=r"'labels:a.csv' cannot label this text: a.csv has 2 labels for a.txt, which has 3"
    ):
        label_documents("labels:a.csv & in_word", {"a.txt": "abc"})


def test_missing_labels_are_missing_in_a_combination() -> None:
    write("a.csv", "label\n1\n\n0\n")
    assert get("labels:a.csv & in_word")("abc").tolist() == [True, None, False]
    assert isinstance(get("labels:a.csv | in_word")("abc"), Labels)


def test_positions_and_labels_may_be_named_as_in_spacy_and_doccano() -> None:
    for start, end, label in (("start_char", "end_char", "label_"), ("start_offset", "end_offset", "label")):
        write("a.jsonl", json.dumps({"text": "bc", start: 1, end: 3, label: "A"}) + "\n")
        assert get("labels:a.jsonl")("abcd").tolist() == ["none", "A", "A", "none"]


@pytest.mark.parametrize("folder", ["home", "my home", "a & b"])
@pytest.mark.parametrize(
    "spelled", ["labels:~/a.csv", "labels:~/a.csv:label", "~labels:'~/a.csv'", "in_url|labels:~/a.csv"]
)
def test_a_path_may_begin_with_the_folder_of_the_user(
    folder: str, spelled: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "a.csv").write_text("label\n1\n0\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(tmp_path / folder))
    assert get(spelled)("ab").tolist() == ([False, True] if spelled[0] == "~" else [True, False])
    assert get("regex:'labels:~/'")("labels:~/").tolist() == [True] * 9
