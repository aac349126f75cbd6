"""Tracks and tiles of whole texts are those of a view of the whole text."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_models import recorded_model
from planting import Arrays
from viewing import PIECES

from activations.predictions import LOG_PROB
from activations.recordings.recording import Recording
from activations.texts.corpus import Corpus
from activations.units import Site
from analyses.errors import AnalysisError
from hypotheses.labels import Labels
from probe.explorer import whole_tracks
from probe.explorer.whole_tracks import guessable, guesses_tile, overview_of, track_of_labels, track_of_losses
from probe.viewer.cells import TILE_CHARS, cells_of
from probe.viewer.page.tiles import cells_tile, container_of, header_of_corpus, n_tiles, text_tile
from probe.viewer.passages import document_starts
from probe.viewer.scales import MISSING
from probe.viewer.text_view import TextView
from probe.viewer.tracks import guesses_of, label_values, losses, quantised


def long_text(seed: int) -> Corpus:
    """Documents of three tiles together, with clusters across the borders of tiles, and lines of all lengths."""
    rng = np.random.default_rng(seed)
    pieces = [str(piece) for piece in rng.choice([piece for piece in PIECES if piece != "\n"], 2 * TILE_CHARS)]
    for place in rng.integers(0, len(pieces), 40):
        pieces[place] = "\n"
    text = "".join(pieces)
    cut = int(rng.integers(1000, TILE_CHARS))
    return Corpus.from_texts([text[:cut], text[cut : cut + 50], text[cut + 50 :]], ["a.txt", "b.txt", "c.txt"])


@pytest.mark.parametrize("seed", range(4))
def test_tiles_of_a_text_are_those_of_its_container(seed: int) -> None:
    corpus = long_text(seed)
    text = corpus.text()
    view = TextView(
        text=text, cells=cells_of(text), start=0, panels=(), documents=document_starts(corpus, slice(0, len(corpus)))
    )
    container = container_of(view)
    n_header = int.from_bytes(container[:4], "little")
    header: dict[str, Any] = json.loads(container[4 : 4 + n_header])
    made = json.loads(json.dumps(header_of_corpus(corpus, "")))
    assert {key: value for key, value in made.items() if key != "signs"} == {
        key: value for key, value in header.items() if key not in ("signs", "tracks", "panels", "parts")
    }
    assert header["signs"].items() <= made["signs"].items()
    first = -(-(4 + n_header) // 8) * 8
    for kind, make in (("text", text_tile), ("cells", cells_tile)):
        assert len(header["parts"][kind]) == n_tiles(len(corpus)) > 2
        for number, (offset, length) in enumerate(header["parts"][kind]):
            assert make(corpus, number) == container[first + offset : first + offset + length]


@pytest.mark.parametrize(
    "values",
    [
        np.arange(1000) % 7,
        np.random.default_rng(0).normal(size=1000),
        np.arange(1000.0) * 1e6,
        np.zeros(1000),
    ],
)
def test_numbers_and_truths_have_the_scale_of_a_view(values: np.ndarray[Any, Any]) -> None:
    missing = np.arange(1000) % 10 == 3
    for labels in (
        Labels(values.astype(np.float64), "numeric", missing),
        Labels(values > 0, "binary", missing),
        Labels((np.abs(values) % 3).astype(np.int32), "categorical", missing, ("x", "y", "z")),
    ):
        track = track_of_labels("name", labels)
        [[expected]] = quantised([[label_values("name", labels)]])
        assert track.scale == expected.scale
        assert track.all_levels.tolist() == expected.levels.tolist()


def test_the_scale_of_many_numbers_has_exact_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of which only some are sampled."""
    monkeypatch.setattr(whole_tracks, "_SAMPLED", 100)
    monkeypatch.setattr(whole_tracks, "CHUNK", 333)
    values = np.random.default_rng(1).integers(0, 10, 5000).astype(np.float64)
    values[[1234, 4321]] = [-3, 15]
    whole = track_of_labels("name", Labels(values, "numeric"))
    assert whole.scale.is_whole and whole.scale.values(whole.all_levels).tolist() == values.tolist()
    values[77] = 0.5
    broken = track_of_labels("name", Labels(values, "numeric"))
    assert not broken.scale.is_whole
    assert np.abs(broken.scale.values(broken.all_levels) - values).max() <= broken.scale.step / 2 + 1e-9


def test_many_classes_are_refused_with_a_way_out() -> None:
    names = tuple(f"class {n}" for n in range(300))
    labels = Labels(np.arange(300, dtype=np.int32), "categorical", None, names)
    with pytest.raises(AnalysisError, match="300 classes occur in the text, and at most 255 can be shown"):
        track_of_labels("name", labels)


def test_losses_are_those_of_a_view(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    log_probs = -rng.exponential(1.0, 2000)
    source = Arrays({Site("0/hidden"): np.zeros((2000, 2))}, documents=(700, 1300), predictions={LOG_PROB: log_probs})
    monkeypatch.setattr(whole_tracks, "CHUNK", 123)
    track = track_of_losses(source)
    values = losses(source, slice(0, 2000))
    assert values is not None
    [[expected]] = quantised([[values]])
    assert (track.scale, track.quantity, track.kind) == (expected.scale, "nats", "loss")
    assert track.all_levels.tolist() == expected.levels.tolist()
    with pytest.raises(AnalysisError, match="the recording was made without predictions"):
        track_of_losses(Arrays({Site("0/hidden"): np.zeros((20, 2))}))


def test_tiles_of_guesses_say_what_a_view_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their ids count the same characters in every tile."""
    _, _, path = recorded_model(tmp_path, n_chars=1500)
    monkeypatch.setattr(whole_tracks, "TILE_CHARS", 700)
    with Recording(path) as recording:
        expected = guesses_of(recording, slice(0, 1500))
        assert expected is not None
        characters = guessable(recording)
        tiles = [
            (guesses_tile(recording, "guess_ids", n), guesses_tile(recording, "guess_levels", n)) for n in range(3)
        ]
        assert header_of_corpus(recording.corpus, "", characters)["guesses"] == {"characters": characters}
    ids = np.frombuffer(b"".join(one or b"" for one, _ in tiles), "<u2").reshape(1500, 5)
    levels = np.frombuffer(b"".join(one or b"" for _, one in tiles), np.uint8).reshape(1500, 5)
    shown = [[expected.characters[number] for number in row] for row in expected.ids.tolist()]
    assert [[characters[number] for number in row] for row in ids.tolist()] == shown
    assert levels.tolist() == expected.levels.tolist()


def test_without_predictions_there_are_no_guesses() -> None:
    source = Arrays({Site("0/hidden"): np.zeros((20, 2))})
    assert guessable(source) == () and guesses_tile(source, "guess_ids", 0) is None


@pytest.mark.parametrize("n_bins", [1, 7, 50, 100, 250])
def test_an_overview_has_the_ends_of_each_bin(n_bins: int) -> None:
    levels = np.random.default_rng(3).integers(0, 256, 100).astype(np.uint8)
    levels[20:40] = MISSING
    overview = overview_of(levels, n_bins)
    for number in range(n_bins):
        start = number * 100 // n_bins
        part = levels[start : max((number + 1) * 100 // n_bins, start + 1)]
        present = part[part != MISSING]
        assert overview[:, number].tolist() == ([present.min(), present.max()] if len(present) else [MISSING, MISSING])
