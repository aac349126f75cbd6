"""Files of labels that cannot be used: each is refused in one sentence that says what to do."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from hypotheses.errors import HypothesisError
from hypotheses.hypothesis import hypothesis
from hypotheses.labelling.documents import label_corpus
from hypotheses.registry import get

TEXTS = {"a.txt": "abcd\n"}


def refusal(spelled: str, files: Mapping[str, str | bytes], texts: Mapping[str, str] = TEXTS) -> str:
    """The message of the error with which a file is refused."""
    for name, content in files.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    with pytest.raises(HypothesisError) as refused:
        label_corpus(get(spelled), list(texts), list(texts.values()), "")
    message = str(refused.value)
    assert "\n" not in message
    return re.sub("^the hypothesis '.*' cannot label this text: ", "", message)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "x.csv is empty; give it"),
        (" \n\n", "x.csv is empty; give it"),
        ("char,label\n", "x.csv has a header and no rows; give it"),
        (b"\x00\x01\x02", "x.csv is no text: it has NUL bytes; labels are read from CSV"),
        (b"char,label\na,1\nb,\x00\n", "x.csv is no text: it has NUL bytes"),
        (b"label\nA\n\xe9\n", "x.csv is not in UTF-8 (line 3); save it as UTF-8, such as with `iconv"),
        ("label\nA\nB\n", "x.csv has 2 labels for a.txt, which has 5 characters; expected one label per character"),
        ("A\nB\nC\nD\nE\nF\nG\n", "x.csv has 7 labels for a.txt, which has 5 characters"),
        ("char,label\na,1\nb,2,3\n", "the rows of x.csv differ in their cells: 2 in row 1 and 3 in row 3"),
        (
            "char,label\na,1\nb\n",
            "in their cells: 2 in row 1 and 1 in row 3, counted with the header; a cell with the sign",
        ),
        ('char,label\na,1\n"b,2\nc,3\n', "x.csv cannot be read at line 4: a quotation has no end"),
        ('char,label\na,"1"2\n', "x.csv cannot be read at line 2: ',' expected after '\"'"),
        ('char,label\na,"' + "x\n" * 100_000, "x.csv cannot be read at line 65,5"),
        ("char,x,y\na,1,2\n", "x.csv has several columns that may be the labels; name one after a colon: char, x, y"),
        ("char\na\nb\nc\nd\n", "x.csv has no column of labels; name one after a colon: char"),
        ("char,label,label\na,1,2\n", "x.csv has 2 columns named 'label'; rename all but one"),
        ("char,Char,label\na,b,2\n", "x.csv has 2 columns named 'char'; rename all but one"),
        ("a,1,2\nb,3,x\nc,1,2\n", "x.csv has 3 columns and no header; give the number of the labels' column after a"),
        ("start,label\n1,A\n", "x.csv has spans without a column 'end'; its columns are start, label"),
        ("stop,label\n1,A\n", "x.csv has spans without a column 'start'; its columns are stop, label"),
        ("start,end\n-1,2\n", "the span -1 to 2 in row 1 of x.csv begins before the text"),
        ("start,end\n0,1\n3,2\n", "the span 3 to 2 in row 2 of x.csv ends before it begins"),
        ("start,end\n2,2\n", "the span 2 to 2 in row 1 of x.csv has no characters; an end is one past the last"),
        (
            "start,end\n4,6\n",
            "the span 4 to 6 in row 1 of x.csv ends after a.txt, which has 5 characters; positions count characters "
            "from 0, not bytes",
        ),
        (
            "start,end,text\n1,2,bc\n",
            "are 'b'; are they made from the same text, with the same line ends? positions count",
        ),
        ("start_char,label_\n1,A\n", "x.csv has spans without a column 'end'; its columns are start_char, label_"),
        (
            'label\n"1,5"\n"2,5"\n"1,5"\n"1,5"\n"0,5"\n',
            "the labels of x.csv have commas, such as '1,5'; write numbers with",
        ),
        ("a;label\n1;1,500\n2;2,500\n3;1,500\n4;1,500\n5;1,500\n", "have commas, such as '1,500'; write numbers with"),
        ("label\nA\n".encode("utf-32")[:-1], "x.csv is not in UTF-8"),
        ("start,end\n1,x\n", "row 1 of x.csv has 'x' where a span begins or ends; give whole numbers"),
        ("start,end\n1,2.5\n", "row 1 of x.csv has '2.5' where a span begins or ends; give whole numbers"),
        ("start,end\n1,\n", "row 1 of x.csv has '' where a span begins or ends"),
        ("start,end\n1,inf\n", "row 1 of x.csv has 'inf' where a span begins or ends"),
        ("start,end\n1,99999999999999999999\n", "row 1 of x.csv has '99999999999999999999' where a span begins or"),
        (
            "start,end,label\n0,3,A\n2,4,B\n",
            "the spans in rows 1 and 2 of x.csv overlap at 2 and have different labels",
        ),
        ("start,end,label\n2,4,B\n0,5,A\n3,4,A\n", "the spans in rows 1 and 2 of x.csv overlap at 2"),
        ("start,end,label\n0,3,A\n2,4,\n", "the spans in rows 1 and 2 of x.csv overlap at 2"),
        ("start,end,text\n1,3,bx\n", "x.csv does not fit a.txt: row 1 has 'bx' where characters 1 to 3 are 'bc'; are"),
        ("label\n1\n2\nx\n4\n5\n", "the labels of x.csv are numbers and names, such as '1' and 'x'; give either"),
        ('label\n"1,5"\n"2,5"\n1\n1\n1\n', "such as '1' and '1,5'; write decimals with a point; give either"),
        ("label\n1\n2\ninf\n4\n5\n", "a label of x.csv is infinite; give finite numbers"),
        (
            "char,label\na,1\nb,2\nX,3\nd,4\n\\n,5\n",
            "row 3 has 'X' where character 2 is 'c', between 'ab' and 'd\\n'; are",
        ),
        (
            "char,label\na,1\nb,2\nd,3\n",
            "row 3 has 'd' where character 2 is 'c', between 'ab' and 'd\\n'; are they made",
        ),
        (
            "char,label\na,1\nb,2\nc,3\nd,4\n\\r,5\n",
            "is '\\n', between 'abcd' and ''; line ends or byte-order marks differ",
        ),
        ("char,label\n\ufeff,1\na,2\nb,3\nc,4\nd,5\n", "row 1 has '\\ufeff' where character 0 is 'a'"),
        (
            "char,label\na,1\nb,2\nc,3\n",
            "x.csv ends before a.txt: its last row is 3, and the text continues with 'd\\n'",
        ),
        (
            "char,label\na,1\nb,2\nc,3\nd,4\n\\n,5\ne,6\n",
            "x.csv has rows after the end of a.txt: row 6 is 'e'; are they",
        ),
        (
            "token,label\nab,1\nce,2\n",
            "row 2 has 'ce' where character 2 is 'cd', between 'ab' and '\\n'; are they made",
        ),
        (
            "document,label\nb.txt,1\n",
            "there are labels for 'b.txt', and no document of that name; the documents are a.txt",
        ),
        ("document,label\na.txt,1\na.txt,2\n", "x.csv has 2 labels for a.txt, which has 5 characters"),
        ("document,char,label\na,a,1\na,b,2\na,X,3\na,d,4\na,\\n,5\n", "row 3 has 'X' where character 2 is 'c'"),
        ("document,start,end\na.txt,0,9\n", "the span 0 to 9 in row 1 of x.csv ends after a.txt"),
    ],
)
def test_files_that_cannot_be_used(content: str | bytes, expected: str) -> None:
    assert expected in refusal("labels:x.csv", {"x.csv": content})


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ('{"label": 1}\n{"label": \n', "row 2 of x.jsonl is no JSON: Expecting value"),
        ('{"label": 1}\n[1]\n', "row 2 of x.jsonl is an array, unlike the first row"),
        ('[1, 2]\n{"label": 1}\n', "row 2 of x.jsonl is an object, unlike the first row"),
        ("[1, 2]\n[1]\n", "row 2 of x.jsonl is an array, unlike the first row"),
        ('{"label": 1}\n{"label": "a"}\n', "the labels of x.jsonl are of several kinds: 1 in row 1 and 'a' in row 2"),
        ('{"label": true}\n{"label": 1}\n', "the labels of x.jsonl are of several kinds: True in row 1 and 1 in row 2"),
        ('{"label": [1]}\n{"label": [2]}\n', "row 1 of x.jsonl has the label [1]; give a number, a bool or a string"),
        (
            '{"text": "ab", "label": [[0, 1, "A"]]}\n',
            "string, and each span a row of its own with start, end and label",
        ),
        ('{"label": 1}\n{"label": "a"}\n', "'a' in row 2; give one kind, and null where there is no label"),
        ("{}\n", "the objects in x.jsonl have no keys"),
        ("[]\n", "x.jsonl has no rows; expected an array of labels or of objects"),
        ("label\n1\n", "x.jsonl is no JSON"),
        ('{"label": 1e999}\n' * 5, "a label of x.jsonl is infinite"),
        ("[" * 100_000, "x.jsonl is nested too deeply to be rows of labels"),
        ('{"label": 1}\n' + "[" * 100_000 + "\n", "x.jsonl is nested too deeply to be rows of labels"),
        ('{"a": 1, "b": 2}\n', "x.jsonl has several columns that may be the labels; name one after a colon: a, b"),
    ],
)
def test_json_that_cannot_be_used(content: str, expected: str) -> None:
    assert expected in refusal("labels:x.jsonl", {"x.jsonl": content})


@pytest.mark.parametrize(
    ("spelled", "expected"),
    [
        ("labels:x.csv:mood", "x.csv has no column 'mood'; its columns are char, label, label"),
        ("labels:x.csv:label", "x.csv has 2 columns named 'label'; give a number, from 1 to 3"),
        ("labels:x.csv:4", "x.csv has no column '4'; its columns are char, label, label"),
        ("labels:x.csv:0", "x.csv has no column '0'"),
        ("labels:x.csv & x.csv", "x.csv is a file; labels in it are spelled labels:x.csv"),
        ("x.csv:label", "x.csv is a file; labels in it are spelled labels:x.csv:label"),
        ("labels:z.txt = A", "cannot be read at '='; a comparison is spelled with =="),
        ("phase:3,(a)", "'(' is not expected there; parameters with signs in them are in quotes, as in regex:'(a|b)'"),
        ("labels:", "'labels' is spelled labels:file[:column]: its file is missing; name one"),
        ("labels:'' == A", "its file is missing; name one"),
        ("labels::label", "its file is missing; name one"),
        ("labels:y.csv", "there is no file or folder y.csv with labels; check its path"),
        ("labels:y.csv:label", "there is no file or folder y.csv with labels; check its path"),
        ("labels:z.txt:label", "z.txt has no column 'label' and no header; its only column is 1"),
        ("labels:z.txt:2", "z.txt has no column '2' and no header; its only column is 1"),
        ("labels:z.txt == Z", "it has no class 'Z'; it has A and B"[:24]),
        ("labels:z.txt & in_word", "gives categorical labels, not True or False; compare them, such as"),
    ],
)
def test_columns_and_files_that_do_not_exist(spelled: str, expected: str) -> None:
    files = {"x.csv": "char,label,label\na,1,2\n", "z.txt": "A\nB\nB\nA\nA\n"}
    assert expected in refusal(spelled, files)


def test_a_hypothesis_without_a_file_says_how_it_is_spelled() -> None:
    with pytest.raises(HypothesisError, match=r"'labels' needs parameters: labels:file\[:column\], such as labels:lab"):
        get("labels")("abc")


def test_one_file_for_several_texts_has_to_say_of_which() -> None:
    texts = {"a.txt": "ab", "b.txt": "cd"}
    message = refusal("labels:x.csv", {"x.csv": "label\n1\n2\n"}, texts)
    assert message == (
        "x.csv has labels of one text, and there are 2 (a.txt, b.txt); add a column 'document', or give a folder with "
        "a file for each"
    )


@pytest.mark.parametrize(
    ("files", "texts", "expected"),
    [
        ({"t/b.csv": "1\n"}, ["a.txt"], "the folder t has no labels of a.txt; a.txt has them in a.csv, a.txt.csv, or"),
        ({"t/a.csv": "1\n", "t/a.tsv": "1\n"}, ["a.txt"], "both t/a.csv and t/a.tsv have labels of a.txt; remove one"),
        ({"t/a.csv": "1\n", "t/a.txt.csv": "1\n"}, ["a.txt"], "both t/a.txt.csv and t/a.csv have labels of a.txt"),
        ({"t/a.csv": "1\n"}, ["x/a.txt", "y/a.txt"], "t/a.csv fits both x/a.txt and y/a.txt; put each into a folder"),
        (
            {"t/a.csv": "1.5\n2\n", "t/b.csv": "x\ny\n"},
            ["a.txt", "b.txt"],
            "t/a.csv are numeric, and those of t/b.csv cat",
        ),
        (
            {"t/a.csv": "start,end\n0,1", "t/b.csv": "start,end,label\n0,1,A\n"},
            ["a.txt", "b.txt"],
            "the spans of t/b.csv have labels, and those of t/a.csv have none",
        ),
        ({"t/a.csv": "label\n1\n"}, ["a.txt"], "t/a.csv has 1 labels for a.txt, which has 2 characters"),
    ],
)
def test_folders_that_cannot_be_used(files: dict[str, str], texts: list[str], expected: str) -> None:
    assert expected in refusal("labels:t", files, dict.fromkeys(texts, "ab"))


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("a,1\na,2\n", "labels for 'a' fit x/a.txt, y/a.txt; give the whole name"),
        ("x/a,1\nx/a.txt,2\n", "x/a.txt has labels as 'x/a' and as 'x/a.txt'"),
        (",1\n", "there are labels for '', and no document of that name"),
    ],
)
def test_names_of_documents_that_do_not_fit(rows: str, expected: str) -> None:
    message = refusal("labels:x.csv", {"x.csv": f"document,label\n{rows}"}, {"x/a.txt": "ab", "y/a.txt": "cd"})
    assert expected in message


def test_a_file_that_cannot_be_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("x.csv").write_text("1\n", encoding="utf-8")
    get("labels:x.csv")

    def read(path: Path) -> bytes:
        if path.name == "x.csv":
            raise PermissionError(13, "Permission denied")
        with path.open("rb") as file:
            return file.read()

    monkeypatch.setattr(Path, "read_bytes", read)
    with pytest.raises(HypothesisError, match=r"x\.csv cannot be read: Permission denied"):
        get("labels:x.csv")("a")


def test_too_many_classes_are_refused() -> None:
    rows = "\n".join(f"c{n}" for n in range(70_000))
    message = refusal("labels:x.csv", {"x.csv": f"label\n{rows}\n"}, {"a.txt": "x" * 70_000})
    assert "x.csv has over 65,536 different labels, such as 'c0', and they are no numbers; name another" in message


@pytest.mark.parametrize(
    ("given", "texts", "expected"),
    [
        (
            np.zeros(3),
            {"a.txt": "ab"},
            "there are 3 labels, and a.txt has 2 characters; give one for each character, or",
        ),
        (
            [True] * 3,
            {"a": "ab", "b": "cd"},
            "there are 3 labels, and the 2 documents together have 4 characters; give",
        ),
        ({"a.txt": [1, 2, 3]}, {"a.txt": "ab"}, "there are 3 labels for a.txt, which has 2 characters; give one for"),
        ({"c.txt": [1, 2]}, {"a.txt": "ab"}, "there are labels for 'c.txt', and no document of that name; the doc"),
    ],
)
def test_arrays_of_another_length(given: object, texts: dict[str, str], expected: str) -> None:
    with pytest.raises(HypothesisError) as refused:
        label_corpus(hypothesis(given), list(texts), list(texts.values()), "")  # type: ignore[call-overload]
    assert expected in str(refused.value)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, "the labels are an empty dict; give those of each document by its name"),
        (
            np.zeros((2, 2)),
            "the labels cannot be used: there are labels of shape (2, 2) (ndarray); expected one label per",
        ),
        (
            [1, "a"],
            "the labels cannot be used: there are numbers and, at character 1, 'a'; give all labels in one kind",
        ),
        ({"a": [1], "b": ["x"]}, "there are categorical and numeric labels for different documents"),
        ({"a": 3}, "the labels of 'a' are a single int"),
        ({"a": "xy"}, "the labels of 'a' cannot be used: there are a str; expected one label per character"),
        (np.array([1.0, np.inf]), "there is the label inf at character 1; give finite numbers"),
    ],
)
def test_labels_that_cannot_be_used(given: object, expected: str) -> None:
    with pytest.raises(HypothesisError) as refused:
        hypothesis(given)  # type: ignore[call-overload]
    assert expected in str(refused.value)


def test_links_that_lead_back_to_themselves() -> None:
    Path("x.csv").symlink_to("y.csv")
    Path("y.csv").symlink_to("x.csv")
    assert refusal("labels:x.csv", {}) == "there is no file or folder x.csv with labels; check its path"
