"""Many short documents are read, recorded and judged as each of them is by itself."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from planting import random_model
from profiles import n_examples
from torch import Tensor

from activations.errors import ActivationError
from activations.models.evaluation import losses
from activations.predictions import LOG_PROB
from activations.reading.extraction import extract
from activations.reading.lanes.compute_options import ComputeOptions
from activations.reading.live import LiveActivations
from activations.recordings.checking import check
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.texts.lanes import cut_pieces
from activations.texts.selection import Selection
from activations.texts.vocab import Vocabulary
from activations.units import Site
from analyses.targets.labelling import label
from hypotheses.registry import get

WORDS = st.text("ab \t", max_size=6)
ENDS = st.sampled_from(["\n", "\r\n", "\n\n", "\n \t\n", "\r"])
FILES = st.lists(st.tuples(WORDS, ENDS), max_size=12).map(lambda parts: "".join(a + b for a, b in parts))
TEXT = "the cat sat on a mat; 12 hats\n"
SITE = Site.of(0, "hidden")
CELLS = ("lstm", "gru", "rnn", "rnn_relu")


def by_hand(text: str, is_end: str) -> list[tuple[int, str]]:
    """The number of the first line of each document, and its text: lines that are blank belong to the one before."""
    documents: list[tuple[int, str]] = []
    has_text = after_blank = False
    for number, line in enumerate(re.findall(r"[^\n]*\n|[^\n]+", text), start=1):
        is_blank = not line.strip("\r\n" if is_end == "lines" else " \t\r\n")
        begins = not is_blank and has_text and (is_end == "lines" or after_blank)
        if not documents or begins:
            documents.append((number, line))
        else:
            documents[-1] = (documents[-1][0], documents[-1][1] + line)
        has_text = has_text or not is_blank
        after_blank = is_blank
    return documents


@given(FILES, st.text("a\n", max_size=2), st.sampled_from(["lines", "blank-lines"]))
def test_a_file_is_cut_at_lines_or_blank_lines(
    tmp_path_factory: pytest.TempPathFactory, text: str, end: str, documents: str
) -> None:
    path = tmp_path_factory.mktemp("files") / "names.txt"
    path.write_bytes((text + end).encode())
    expected = by_hand(text + end, documents)
    if all(len(each) < 2 for _, each in expected):
        with pytest.raises(ActivationError, match="a model needs at least two"):
            Corpus.read(path, documents=documents)
        return
    corpus = Corpus.read(path, documents=documents)
    found = [(each.name, corpus.text(each.start, each.stop)) for each in corpus.documents]
    assert found == [(f"{path}:{number}", each) for number, each in expected]
    assert corpus.text() == text + end
    assert list(corpus.texts()) == [each for _, each in found]
    assert {each.file_name for each in corpus.documents} == {str(path)}


def test_each_file_is_cut_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("emma\nava")
    (tmp_path / "b.txt").write_text("a\n\nb")
    corpus = Corpus.read(tmp_path / "a.txt", tmp_path / "b.txt", documents="lines")
    names = [each.name.rpartition("/")[2] for each in corpus.documents]
    assert list(zip(names, corpus.texts(), strict=True)) == [
        ("a.txt:1", "emma\n"), ("a.txt:2", "ava"), ("b.txt:1", "a\n\n"), ("b.txt:3", "b"),
    ]  # fmt: skip
    with pytest.raises(ActivationError, match="choose one of files, lines, blank-lines"):
        Corpus.read(tmp_path / "a.txt", documents="words")


class LeakySum:
    """A protocol model whose initial state is not zero."""

    vocabulary = Vocabulary.of([TEXT])
    sites = {SITE: 2}  # noqa: RUF012 the protocol has it so

    def start(self, n_lanes: int) -> dict[Site, Tensor]:
        return {SITE: torch.tensor([0.5, -1.0]).repeat(n_lanes, 1)}

    def read(
        self, ids: Tensor, state: Mapping[Site, Tensor]
    ) -> tuple[Tensor, Mapping[Site, Tensor], Mapping[Site, Tensor]]:
        sums, values = state[SITE], []
        for step in ids:
            sums = 0.9 * sums + torch.sin(step[:, None] * torch.tensor([1.0, 2.0]))
            values.append(sums)
        shown = torch.stack(values)
        return shown.sum(-1, keepdim=True) * torch.arange(len(self.vocabulary)), {SITE: shown}, {SITE: sums}


def short_corpus(seed: int, n: int = 400) -> Corpus:
    """Documents of 2 to 12 characters, and a few long ones among them."""
    rng = np.random.default_rng(seed)
    sizes = [int(size) for size in rng.integers(2, 13, n)]
    sizes[n // 3], sizes[n // 2] = 700, 150
    begins = rng.integers(0, len(TEXT), n).tolist()
    return Corpus.from_texts((TEXT * 30)[begin : begin + size] for begin, size in zip(begins, sizes, strict=True))


def values_of(live: LiveActivations, site: Site) -> NDArray[np.float32]:
    blocks = sorted(live.blocks([site], predictions=True), key=lambda block: block.start)
    assert [block.start for block in blocks[1:]] == [block.stop - 1 + live.selection.every for block in blocks[:-1]]
    told = np.concatenate([block.predictions[LOG_PROB] for block in blocks])
    return np.column_stack([np.concatenate([block.values[site] for block in blocks]), told])


@pytest.mark.parametrize("n_lanes", [1, 3, 16, 64])
@pytest.mark.parametrize("cell", CELLS)
def test_short_documents_have_the_activations_that_they_have_alone(cell: str, n_lanes: int) -> None:
    model = random_model(TEXT, cell=cell, n_layers=2, n_units=7)
    corpus, compute = short_corpus(n_lanes), ComputeOptions(dtype="float32")
    found = values_of(LiveActivations(model, corpus, n_lanes=n_lanes, compute=compute), Site.of(1, "hidden"))
    assert len(found) == len(corpus)
    for number in (0, 1, 2, 57, 133, 134, 200, 201, 398, 399):
        own = corpus.documents[number]
        alone = Corpus.from_texts([corpus.text(own.start, own.stop)])
        expected = values_of(LiveActivations(model, alone, n_lanes=1, compute=compute), Site.of(1, "hidden"))
        np.testing.assert_allclose(found[own.start : own.stop], expected, atol=2e-6)


def test_a_protocol_model_begins_anew_with_each_short_document() -> None:
    corpus = short_corpus(5)
    for n_lanes in (2, 16):
        live = LiveActivations(LeakySum(), corpus, n_lanes=n_lanes)
        found = values_of(live, SITE)
        for own in corpus.documents[::7]:
            alone = LiveActivations(LeakySum(), Corpus.from_texts([corpus.text(own.start, own.stop)]), n_lanes=1)
            np.testing.assert_allclose(found[own.start : own.stop], values_of(alone, SITE), atol=1e-5)


@pytest.mark.parametrize(("n_lanes", "every"), [(1, 1), (1, 3), (3, 1), (16, 2)])
def test_a_passage_of_short_documents_is_what_the_whole_reading_gives(n_lanes: int, every: int) -> None:
    model, corpus = random_model(TEXT, cell="lstm", n_layers=2, n_units=5), short_corpus(4)
    selection = Selection.of(len(corpus), 40, len(corpus) - 30, every)
    compute = ComputeOptions(dtype="float32")
    live = LiveActivations(model, corpus, n_lanes=n_lanes, selection=selection, compute=compute)
    whole = values_of(live, SITE)[:, :-1]
    for start, stop in ((0, 60), (41, 47), (50, 50), (300, 1900), (870, 900), (0, len(corpus))):
        expected = whole[selection.row(start) : selection.row(stop)]
        np.testing.assert_allclose(live.read([SITE], start, stop)[SITE], expected, atol=0 if n_lanes == 1 else 1e-6)


@pytest.mark.parametrize("part", [(0, None, 1), (37, 2100, 3), (1500, 1501, 1)])
def test_a_recording_of_short_documents_is_sound_and_gives_what_was_read(
    part: tuple[int, int | None, int], tmp_path: Path
) -> None:
    model = random_model(TEXT, cell="gru", n_layers=1, n_units=5)
    corpus = short_corpus(1)
    live = LiveActivations(
        model, corpus, n_lanes=4, selection=Selection.of(len(corpus), *part), compute=ComputeOptions(dtype="float32")
    )
    extract(live, tmp_path / "a.h5", force=True)
    assert check(tmp_path / "a.h5").sound
    with Recording(tmp_path / "a.h5") as recording:
        blocks = list(recording.blocks(predictions=True))
        assert [block.positions for block in blocks] == sorted(
            (b.positions for b in blocks), key=lambda place: place.start
        )
        whole = np.concatenate([block.values[SITE] for block in blocks])
        np.testing.assert_array_equal(whole, values_of(live, SITE)[:, :-1])
        np.testing.assert_array_equal(whole, recording.read([SITE])[SITE])
        ends = np.isnan(np.concatenate([block.predictions[LOG_PROB] for block in blocks]))
        places = range(live.selection.start, live.selection.stop, live.selection.every)
        assert ends.tolist() == [place + 1 in corpus.stops for place in places]


@pytest.mark.parametrize("n_lanes", [1, 4])
def test_an_interrupted_recording_of_short_documents_is_resumed(n_lanes: int, tmp_path: Path) -> None:
    corpus = short_corpus(6, n=3000)
    live = LiveActivations(random_model(TEXT, n_layers=2, n_units=5), corpus, n_lanes=n_lanes)
    extract(live, tmp_path / "whole.h5", force=True)
    n_called = 0

    def interrupt(done: int, total: int) -> None:
        nonlocal n_called
        n_called += 1
        if n_called == 2:
            assert 0 < done < total
            raise KeyboardInterrupt

    for _ in range(2):
        n_called = 0
        with pytest.raises(KeyboardInterrupt):
            extract(live, tmp_path / "a.h5", force=True, progress=interrupt, checkpoint_s=0.0)
    assert extract(live, tmp_path / "a.h5", force=True).n_chars == len(corpus)
    with Recording(tmp_path / "whole.h5") as whole, Recording(tmp_path / "a.h5") as found:
        for site, values in whole.read(list(whole.sites)).items():
            np.testing.assert_array_equal(found.read([site])[site], values)


def test_what_is_done_for_each_block_is_not_done_for_each_document(tmp_path: Path) -> None:
    """2,000 documents of 7 characters are read, recorded and given in as few pieces as one text of that length."""
    corpus = Corpus.from_texts(["mariana\n"[-7:]] * 2000)
    whole = Corpus.from_texts([corpus.text()])
    model = random_model("mariana\n", cell="gru", n_layers=1, n_units=4)
    n_blocks, n_recorded = [], []
    for each in (whole, corpus):
        live = LiveActivations(model, each, n_lanes=4, compute=ComputeOptions(dtype="float32"))
        n_blocks.append(len(list(live.blocks())))
        extract(live, tmp_path / "a.h5", force=True)
        with Recording(tmp_path / "a.h5") as recording:
            n_recorded.append(len(list(recording.blocks())))
    assert n_blocks[1] <= 1.1 * n_blocks[0]
    assert n_recorded[1] == n_recorded[0]


@given(st.lists(st.integers(2, 5000), min_size=1, max_size=4), st.integers(1, 4))
def test_few_documents_have_pieces_of_their_own(sizes: list[int], n_lanes: int) -> None:
    corpus = Corpus.from_texts("x" * n for n in sizes)
    pieces = cut_pieces(corpus, Selection.of(len(corpus)), n_lanes, 512, 512)
    assert {piece.start for piece in pieces if not piece.follows} == set(corpus.starts.tolist())
    assert {piece.stop for piece in pieces if not piece.goes_on} == set(corpus.stops.tolist())


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_losses_are_those_of_each_document_alone(cell: str) -> None:
    model = random_model(TEXT, cell=cell, n_layers=2, n_units=9)
    corpus = short_corpus(2, n=150)
    found = losses(model, corpus)
    expected = [losses(model, Corpus.from_texts([text])) for text in corpus.texts()]
    np.testing.assert_allclose(found.nats, np.concatenate([each.nats for each in expected]), atol=1e-5)
    np.testing.assert_array_equal(found.right, np.concatenate([each.right for each in expected]))


@pytest.mark.parametrize("name", ["vowel", "in_word", "char_class", "position_in_line", "chars_until_newline"])
def test_labels_are_those_of_each_document_alone(name: str) -> None:
    corpus = short_corpus(3, n=60)
    found = label(corpus, get(name)).tolist()
    assert found == [each for text in corpus.texts() for each in get(name)(text).tolist()]


@pytest.mark.parametrize("first", [0, 2])
@given(st.sampled_from(CELLS), st.integers(1, 700), st.sampled_from([2, 3, 16]), st.sampled_from([1, 3]))
@settings(max_examples=n_examples(6))
def test_a_range_that_begins_within_a_document_is_warmed_up_from_where_that_begins(
    first: int, cell: str, start: int, n_lanes: int, every: int
) -> None:
    """The warm-up reaches back to the start, so that the reading is exact, whatever the other lanes read meanwhile."""
    model, site = random_model(TEXT, cell=cell, n_units=6), Site.of(0, "hidden")
    corpus = Corpus.from_texts([TEXT * 40, TEXT * 3] * 2)
    begin = corpus.documents[first].start + start
    selection = Selection.of(len(corpus), begin, begin + 1_000, every)
    found, exact = (
        LiveActivations(
            model,
            corpus,
            n_lanes=n,
            warm_up_chars=700,
            selection=selection,
            compute=ComputeOptions(dtype="float32"),
        )
        for n in (n_lanes, 1)
    )
    n_rows = 100 // every
    passage = found.read([site], begin, begin + 100)[site]
    expected = values_of(exact, site)[:n_rows]
    np.testing.assert_allclose(values_of(found, site)[:n_rows], expected, atol=1e-5)
    np.testing.assert_allclose(passage[:n_rows], expected[:, :-1], atol=1e-5)


def test_a_protocol_model_is_warmed_up_from_where_a_document_begins() -> None:
    corpus = Corpus.from_texts([TEXT * 60])
    selection = Selection.of(len(corpus), 50, 1_500)
    found, exact = (LiveActivations(LeakySum(), corpus, n_lanes=n, selection=selection) for n in (4, 1))
    np.testing.assert_allclose(values_of(found, SITE)[:128], values_of(exact, SITE)[:128], atol=1e-5)
