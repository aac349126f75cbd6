"""Labels from files. They belong to one text, and are read from a table: a row for each character, token or span."""

from pathlib import Path
from typing import Annotated

from hypotheses.hypothesis import hypothesis
from hypotheses.label_files.documents import SUFFIXES
from hypotheses.label_files.reading import LabelFiles
from hypotheses.labels import Labels
from hypotheses.origins import Origin


@hypothesis(causal=False, example="labels.csv")
def labels(text: str, file: Annotated[Path, SUFFIXES], column: str = "", *, _origin: Origin) -> Labels:
    r"""Which label does a file give the character?

    `labels:tags.csv`, `labels:tags.csv:part_of_speech`, `labels:'my tags.csv' == NOUN & ~in_comment`. The file is CSV,
    TSV or JSON Lines. Each row is a character, in the order of the text; or a token, all of whose characters get its
    label; or a span, `start,end[,label]`, of characters from `start` up to `end`. Several texts have a column
    `document`, or a folder with a file for each: `labels:tags` has the labels of `a.txt` in `tags/a.csv`. See
    labels_from_files.md for what columns may be called, and what is checked.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "tags.csv"
    ...     _ = path.write_text("token,label\nI,pronoun\nsee,verb\n", encoding="utf-8")
    ...     print(labels.with_parameters(path).mark("I see"))
    I see
    p?vvv
    """
    key = ("labels", file, column)
    if key not in _origin.documents.kept:
        _origin.documents.kept[key] = LabelFiles(file, column, _origin.documents)
    files: LabelFiles = _origin.documents.kept[key]
    return files.label(text, _origin)
