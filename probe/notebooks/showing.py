"""What notebooks show of an object: results, several of them, sources, texts and views."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from activations.lazy_activations import LazyActivations, NamedActivations
from activations.results import Result, TableCell
from activations.texts.corpus import Corpus
from analyses.design_matrices import Design, RowLabels
from analyses.probing.results import ProbeResult
from analyses.ranking.explaining.explanation import Explanation
from analyses.ranking.results import Ranking
from probe.html.tables import Cell, sentences_html, table, text_html
from probe.notebooks.pictures import picture_html
from probe.notebooks.rows import MOST_ROWS, rows_html
from probe.notebooks.sources import corpus_html, lazy_html, source_html
from probe.viewer.text_view import TextView

_SHOWN_CHARS = 32  # before and after a place in the text


def html_of(shown: Any) -> str | None:
    """Return what notebooks show of an object, as HTML that runs no script and needs no style sheet.

    Args:
        shown: A result, a list of results, results by their names, a recording, live activations, a session, an array
            of activations, a corpus, a report, or a view of a text.

    Returns:
        HTML, of a report and of a view a page in a frame; None if it is none of these, or an empty list.
    """
    if _is_report(shown):
        from probe.reporting.page.page import report_page
        from probe.viewer.page.page import frame_of

        return frame_of(report_page(shown), str(shown).partition("\n")[0])
    if isinstance(shown, Result):
        return _framed(_result_parts(shown))
    if isinstance(shown, TextView):
        from probe.viewer.widget import Page

        return Page(shown)._repr_html_()
    if isinstance(shown, NamedActivations):
        return _framed([source_html(shown)])
    if isinstance(shown, LazyActivations):
        return _framed([lazy_html(shown)])
    if isinstance(shown, Corpus):
        return _framed([corpus_html(shown)])
    if isinstance(shown, Mapping) and shown and all(isinstance(one, Result) for one in shown.values()):
        return _framed(_named_parts(shown))
    if isinstance(shown, list | tuple) and shown and all(isinstance(one, Result) for one in shown):
        return _framed(_several_parts(shown))
    return None


def _is_report(shown: Any) -> bool:
    """Return whether an object is a report; there is none before its module, which loads torch, has been loaded."""
    module = sys.modules.get("probe.reporting.content")
    return module is not None and isinstance(shown, module.Report)


def _framed(parts: Sequence[str] | Iterator[str]) -> str:
    return f'<div class="char-probe" style="line-height: 1.4">{"".join(parts)}</div>'


def _result_parts(result: Result) -> Iterator[str]:
    """Yield a heading, a picture, the rows, and what is said of them."""
    title = title_of(result)
    yield _heading(title)
    yield picture_html(result, title)
    if hasattr(result, "sections"):
        yield _sections_html(result.sections)
    yield rows_html(*_first_rows(result))
    if isinstance(result, Explanation):
        yield _passages_html(result)
    yield sentences_html(_sentences(result))


def _several_parts(results: Sequence[Result]) -> Iterator[str]:
    """Yield a table with a row for each of several results, or for each of their rows if they are of several kinds."""
    kinds = sorted({type(result).__name__ for result in results})
    n_results = f"{len(results):,} {'result' if len(results) == 1 else 'results'}: {', '.join(kinds)}"
    rankings = [result for result in results if isinstance(result, Ranking)]
    if len(rankings) == len(results):
        yield _heading(f"the best unit of each of {len(results):,} rankings")
        yield rows_html([row for ranking in rankings[:MOST_ROWS] for row in ranking.rows(1)], len(results))
    else:
        yield _heading(n_results)
        rows = [row for result in results for row in result.rows()]
        yield rows_html(rows, len(rows))
    yield sentences_html(list(dict.fromkeys(sentence for result in results for sentence in _sentences(result))))


def _named_parts(results: Mapping[Any, Result]) -> Iterator[str]:
    yield _heading(", ".join(map(str, results)))
    yield picture_html({str(name): result for name, result in results.items()}, ", ".join(map(str, results)))
    rows = [{"name": str(name), **row} for name, result in results.items() for row in result.rows()]
    yield rows_html(rows, len(rows))


def _first_rows(result: Any) -> tuple[Sequence[Mapping[str, TableCell]], int]:
    """Return the first rows of a result, or all of them, and their number."""
    if isinstance(result, Design):
        result = result.labels
    if isinstance(result, RowLabels):
        return result.rows(MOST_ROWS), len(result)
    if isinstance(result, Ranking):
        return result.rows(MOST_ROWS), len(result.units)
    rows = result.rows()
    return rows, len(rows)


def title_of(result: Result) -> str:
    """Return the first line of what `print` shows of a result, or what kind of result it is."""
    if isinstance(result, Explanation):
        named = ", ".join(answer.hypothesis for answer in result.answers if answer.added_r2 is not None)
        return f"{result.unit}: {result.explained:.0%} of it explained by {named or 'nothing'}"
    if isinstance(result, ProbeResult):
        return f"{result.hypothesis} from {result.site}" + (f" ({result.control}, a control)" if result.control else "")
    has_text = type(result).__str__ is not object.__str__
    return str(result).partition("\n")[0] if has_text else type(result).__name__


def _heading(text: str) -> str:
    return f'<div style="font-weight: bold">{text_html(text)}</div>'


def _sections_html(sections: Any) -> str:
    """Return the sections of a story: a question, its answer, and sentences."""
    parts = []
    for section in sections:
        answer = text_html(section.answer[:1].upper() + section.answer[1:])
        sentences = "".join(f"<li>{text_html(sentence)}</li>" for sentence in section.sentences)
        parts.append(f"<div><b>{text_html(section.question)}</b> {answer}.<ul>{sentences}</ul></div>")
    return "".join(parts)


def _passages_html(explanation: Explanation) -> str:
    """Return where in the text a unit is most and least active."""
    parts = []
    for name, passages in (("most active", explanation.most), ("least active", explanation.least)):
        if passages:
            columns: dict[str, list[Cell]] = {
                name: [passage.value for passage in passages],
                "before": [passage.before[-_SHOWN_CHARS:] for passage in passages],
                "character": [passage.character for passage in passages],
                "after": [passage.after[:_SHOWN_CHARS] for passage in passages],
                "position": [passage.position for passage in passages],
            }
            parts.append(table(columns))
    return "".join(parts)


def _sentences(result: Result) -> list[str]:
    """Return what a result says of its numbers beside its rows: findings, and what makes them uncertain."""
    if hasattr(result, "sections"):
        return []
    return [*getattr(result, "findings", ()), *getattr(result, "notes", ())]
