"""The explorer's routes that ask the model: typed text, and steering; their numbers are those of the commands."""

import base64
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from commands import Command, rows
from explorer_clients import Client, explored
from explorer_models import recorded_model
from numpy.typing import NDArray

from activations.models.char_rnn import CharRNN
from activations.models.checkpoints import save_model
from activations.reading.extraction import extract
from activations.reading.gradients import input_gradients
from activations.reading.live import LiveActivations
from activations.texts.corpus import Corpus
from analyses.causes.directions import mean_difference
from analyses.session import Session
from hypotheses.registry import get
from probe.demo import bundled_activations
from probe.viewer.making import text_view
from probe.viewer.scales import Scale

TEXT = 'ab "cd" e # fa\nbc'
UNIT = "1/cell/3"


class Live(NamedTuple):
    """A client of a server that has a model."""

    client: Client
    model: CharRNN
    path: Path
    recording: Path

    def ask(self, path: str, **question: Any) -> Any:
        answer = self.client.post(path, question)
        assert answer.status == 200, answer.body
        return answer.json


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    model, path, recording = recorded_model(tmp_path_factory.mktemp("live"))
    with explored(recording, model=path) as client:
        yield Live(client, model, path, recording)


def levels_of(shown: dict[str, Any]) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(shown["levels"]), np.uint8)


def values_of(shown: dict[str, Any]) -> NDArray[np.float64]:
    scale = shown["scale"]
    return np.asarray(scale["offset"] + levels_of(shown) * scale["step"])


def test_typed_text_has_the_values_and_predictions_of_the_model(live: Live) -> None:
    answer = live.ask("/api/try", text=TEXT, units=[UNIT, "0/hidden/2"], hypothesis="in_quotes")
    reading = LiveActivations(live.model, Corpus.from_texts([TEXT]))
    for name in (UNIT, "0/hidden/2"):
        site, _, index = name.rpartition("/")
        exact = next(iter(reading.read([site]).values()))[:, int(index)]
        shown = answer["units"][name]
        assert np.abs(values_of(shown) - exact)[levels_of(shown) < 254].max() < shown["scale"]["step"]
    track = live.client.get(f"/api/track?unit={UNIT}").json
    assert {key: answer["units"][UNIT]["scale"][key] for key in ("offset", "step", "gain")} == {
        key: track["scale"][key] for key in ("offset", "step", "gain")
    }, "typed text has the colours of the recording"
    assert answer["labels"]["name"] == "in_quotes"
    assert levels_of(answer["labels"]).tolist() == get("in_quotes")(TEXT).values.astype(int).tolist()
    assert answer["losses"][0] is None and len(answer["losses"]) == len(TEXT)
    assert len(answer["guess_ids"]) == len(TEXT) and len(answer["guess_ids"][0]) == 5
    assert answer["notes"] == []


def test_losses_and_guesses_are_those_of_the_view(live: Live) -> None:
    answer = live.ask("/api/try", text=TEXT, units=[UNIT])
    view = text_view(
        Session(LiveActivations(live.model, Corpus.from_texts([TEXT]), n_lanes=1)),
        units=[UNIT],
        loss=True,
        guesses=True,
    )
    assert view.guesses is not None
    shown = [[answer["guessed"][number] for number in row] for row in answer["guess_ids"]]
    assert shown == [[view.guesses.characters[number] for number in row] for row in view.guesses.ids.tolist()]
    track = next(track for track in view.tracks if track.name == "loss")
    np.testing.assert_allclose(answer["losses"][1:], track.values[1:], atol=track.scale.step)
    loss = Scale(**{key: value for key, value in answer["loss"]["scale"].items() if key != "pivot"})
    assert levels_of(answer["loss"])[1:].tolist() == loss.levels(np.array(answer["losses"][1:])).tolist()
    assert loss.step * 127 == pytest.approx(np.log(len(live.model.vocabulary)))


def test_what_a_prediction_depends_on(live: Live) -> None:
    answer = live.ask("/api/depends", text=TEXT, position=8)
    exact = input_gradients(LiveActivations(live.model, Corpus.from_texts([TEXT])), 8)
    np.testing.assert_allclose(answer["norms"], exact.norms, rtol=1e-4, atol=1e-9)
    assert answer["character"] == live.model.vocabulary.shown(exact.token)
    assert not any(answer["norms"][9:])


def test_a_changed_character(live: Live) -> None:
    answer = live.ask("/api/change", text=TEXT, position=4, character="f")
    assert (answer["before"], answer["character"], answer["n_steps"]) == ("c", "f", len(TEXT) - 4)
    [best, *_] = answer["units"]
    site, _, index = best["unit"].rpartition("/")
    one, other = (
        next(iter(LiveActivations(live.model, Corpus.from_texts([text])).read([site]).values()))[:, int(index)]
        for text in (TEXT, TEXT[:4] + "f" + TEXT[5:])
    )
    np.testing.assert_allclose(best["curve"], (other.astype(float) - one)[4:], atol=2e-3)
    assert answer["losses_before"][:4] == answer["losses_after"][:4]


def test_hypotheses_come_only_from_files_that_were_named(live: Live, tmp_path: Path) -> None:
    """A file that a request names is not run."""
    mine = tmp_path / "mine.py"
    mine.write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')\n")
    for path, question in (
        ("/api/try", {"text": "ab", "units": [UNIT], "hypothesis": f"{mine}:x"}),
        ("/api/steer", {"unit": UNIT, "value": 0.5, "measured": f"{mine}:x"}),
        ("/api/direction", {"hypothesis": f"{mine}:x"}),
    ):
        answer = live.client.post(path, question).lines[-1]
        sentence = answer.get("error") or answer["labels"]["error"]
        assert "mine.py" in sentence
    assert not (tmp_path / "was_run").exists()


@pytest.mark.parametrize(
    ("path", "question", "sentence"),
    [
        ("/api/try", {"text": "", "units": [UNIT]}, "there is no text yet; type some"),
        ("/api/try", {"text": "a" * 20_001, "units": [UNIT]}, "at most 20,000"),
        ("/api/try", {"text": 5, "units": [UNIT]}, "text is 5; it must be a text"),
        ("/api/try", {"text": "a\ud800b", "units": [UNIT]}, "half of a character"),
        ("/api/try", {"text": "ab", "units": ["7/cell/1"]}, "7/cell"),
        ("/api/try", {"text": "ab", "units": UNIT}, "units must be a list of at most 4"),
        ("/api/try", {"text": "ab", "units": [UNIT], "n": 1}, "'n', which is not known here"),
        ("/api/try", {"recording": 3, "text": "ab", "units": [UNIT]}, "there is no recording 3"),
        ("/api/try", b'{"text": "ab", "recording": NaN}', "NaN, which is no number"),
        ("/api/depends", {"text": "abc", "position": 3}, "no character 3"),
        ("/api/depends", {"text": "abc", "position": -1}, "position is -1"),
        ("/api/depends", {"text": "abc", "position": 1, "character": "€"}, "does not know"),
        ("/api/change", {"text": "abc", "position": 1, "character": "bb"}, "does not take the place"),
        ("/api/change", {"text": "abc", "position": 1, "character": "b"}, "does not take the place"),
        ("/api/change", {"text": "abc", "position": 9, "character": "b"}, "there is no character 9"),
        ("/api/hold", {"unit": "1/cell/88"}, "1/cell"),
        ("/api/hold", {}, "unit is None; it must be a text"),
        ("/api/steer", {"value": 1}, "one of the two"),
        ("/api/steer", {"unit": UNIT, "hypothesis": "in_quotes", "value": 1}, "one of the two"),
        ("/api/steer", {"unit": UNIT}, "value is None; it must be a number"),
        ("/api/steer", {"unit": UNIT, "value": True}, "value is True"),
        ("/api/steer", {"unit": "1/hidden/3", "value": 3}, "outside the range"),
        ("/api/steer", b'{"unit": "1/cell/3", "value": Infinity}', "Infinity, which is no number"),
        ("/api/steer", b'{"unit": "1/cell/3", "value": 1e999}', "it must be a number"),
        ("/api/steer", {"unit": UNIT, "value": 0.1, "prompt": "a€"}, "€"),
        ("/api/steer", {"unit": UNIT, "value": 0.1, "prompt": "a" * 2001}, "at most 2,000"),
        ("/api/steer", {"unit": UNIT, "value": 0.1, "texts": 101}, "texts is 101"),
        ("/api/steer", {"unit": UNIT, "value": 0.1, "length": 100_000}, "length is 100,000"),
        ("/api/steer", {"unit": UNIT, "value": 0.1, "temperature": -1}, "temperature"),
        ("/api/steer", {"unit": UNIT, "value": 0.1, "measured": "char_class"}, "char_class"),
        ("/api/steer", {"hypothesis": "in_quotes", "value": 1e9}, "out of its range"),
        ("/api/direction", {"probe": "/etc/passwd"}, "was named at the start"),
        ("/api/direction", {"hypothesis": "position_in_line"}, "True or False"),
        ("/api/direction", {"hypothesis": "in_quotes", "site": "9/hidden"}, "9/hidden"),
    ],
)
def test_hostile_requests_are_answered_by_a_sentence(
    live: Live, path: str, question: dict[str, Any] | bytes, sentence: str
) -> None:
    answer = live.client.post(path, question)
    assert answer.status in (200, 400, 404)
    error = answer.lines[-1]["error"]
    assert sentence in error
    assert len(error) < 500 and "\n" not in error
    assert live.client.is_answered()


def test_unknown_characters_are_read_as_another_and_said(live: Live) -> None:
    answer = live.ask("/api/try", text="a€<b>b", units=[UNIT])
    assert "3 characters that the model does not know are read as" in answer["notes"][0]


def test_a_slider_goes_over_the_range_of_a_unit(live: Live) -> None:
    assert live.ask("/api/hold", unit="1/hidden/3") == {"unit": "1/hidden/3", "low": -1, "high": 1, "is_limit": True}
    cell = live.ask("/api/hold", unit=UNIT)
    track = live.client.get(f"/api/track?unit={UNIT}").json["scale"]
    assert cell["low"] == pytest.approx(track["offset"])
    assert cell["high"] == pytest.approx(track["offset"] + 254 * track["step"])
    assert not cell["is_limit"]


def stream(live: Live, path: str, **question: Any) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    lines = live.client.post(path, question).lines
    assert "error" not in lines[-1], lines[-1]
    result: dict[str, Any] = lines[-1]["result"]
    return lines, result


def test_steering_has_the_numbers_of_the_command(live: Live, run: Command) -> None:
    lines, result = stream(
        live, "/api/steer", unit="1/hidden/3", value=0.9, measured="in_quotes", texts=8, length=30, matched=2
    )
    [quick] = [line["quick"] for line in lines if "quick" in line]
    assert quick["n_matched"] == 0
    assert (quick["unsteered"], quick["steered"]) == (result["unsteered"], result["steered"])
    status, out, err = run(
        "steer", "in_quotes", "--hold", "1/hidden/3=0.9", "--model", live.path, "--samples", "8", "--length", "30",
        "--matched", "2", "--json",
    )  # fmt: skip
    assert status == 0, err
    check_rows(result["rows"], rows(out))
    assert result["n_matched"] == 2


def check_rows(shown: list[dict[str, Any]], printed: list[dict[str, Any]]) -> None:
    assert len(shown) == len(printed) == 2
    for row, other in zip(shown, printed, strict=True):
        for key in ("measure", "unsteered", "steered", "effect", "low", "high", "matched", "p"):
            assert row[key] == (other[key] if isinstance(other[key], str) else pytest.approx(other[key])), key


def test_a_direction_is_that_of_the_command(live: Live, run: Command) -> None:
    _, facts = stream(live, "/api/direction", hypothesis="in_quotes", site="1/hidden")
    with Session(live.recording) as session:
        exact = mean_difference(session, "in_quotes", "1/hidden")
    assert facts["length"] == pytest.approx(float(np.linalg.norm(exact.vector)))
    assert (facts["name"], facts["site"]) == ("in_quotes", "1/hidden")
    assert 0 < facts["high"] <= 4 and facts["low"] == -facts["high"]
    _, result = stream(
        live, "/api/steer", hypothesis="in_quotes", site="1/hidden", value=2, measured="in_quotes", texts=8, length=30,
        matched=2,
    )  # fmt: skip
    status, out, err = run(
        "steer", "in_quotes", live.recording, "--add", "in_quotes", "--site", "1/hidden", "--alpha", "2", "--model",
        live.path, "--samples", "8", "--length", "30", "--matched", "2", "--json",
    )  # fmt: skip
    assert status == 0, err
    check_rows(result["rows"], rows(out))


def test_a_kept_probe_that_was_named_at_the_start_is_added(live: Live, run: Command, tmp_path: Path) -> None:
    kept = tmp_path / "probe.npz"
    status, _, err = run("fit", "in_quotes", live.recording, "--sites", "1/hidden", "--save", kept)
    assert status == 0, err
    with explored(live.recording, model=live.path, probes=(kept,)) as client:
        one = Live(client, live.model, live.path, live.recording)
        [named] = one.ask("/api/model")["probes"]
        assert (named["name"], named["site"]) == (str(kept), "1/hidden")
        _, facts = stream(one, "/api/direction", probe=str(kept))
        assert facts["length"] == pytest.approx(1)
        _, result = stream(one, "/api/steer", probe=str(kept), value=1, texts=8, length=20, matched=0)
        assert result["intervention"].startswith("probe of in_quotes at 1/hidden")


def test_without_a_model_it_is_said_how_to_start_with_one(live: Live) -> None:
    with explored(live.recording) as client:
        for path, question in (
            ("/api/model", {}),
            ("/api/try", {"text": "a", "units": [UNIT]}),
            ("/api/steer", {"unit": UNIT, "value": 0.1}),
        ):
            error = client.post(path, question).lines[-1]["error"]
            assert error.endswith("start with it: probe explore activations.h5 --model model.pt")


def test_the_model_must_be_that_of_the_recording(live: Live, tmp_path: Path) -> None:
    other, _, _ = recorded_model(tmp_path, seed=1)
    save_model(other, tmp_path / "other.pt")
    with explored(live.recording, model=tmp_path / "other.pt") as client:
        answer = client.post("/api/model", {})
        assert answer.status == 409
        assert "other.pt is not the model that" in answer.json["error"]
        assert "--model model.pt" in answer.json["error"]


def test_the_bundled_recording_has_the_bundled_model(tmp_path: Path) -> None:
    bundled = bundled_activations()
    assert isinstance(bundled.model, CharRNN)
    short = LiveActivations(bundled.model, Corpus.from_texts(["def f(x):\n    return x\n" * 20]), replace_unknown=True)
    extract(short, tmp_path / "short.h5")
    with explored(tmp_path / "short.h5") as client:
        assert client.get("/api/facts").json["recordings"][0]["model"] is True
        assert client.post("/api/model", {}).json["is_ours"] is True
        shown = client.post("/api/try", {"text": "x = 1\n", "units": ["0/cell/56"]}).json
        assert shown["n_chars"] == 6
        told = {key: value for line in client.get("/api/unit?unit=1/hidden/56").lines for key, value in line.items()}
        readout = bundled.model.readout.weight.detach().numpy()[:, 56]
        best = bundled.model.vocabulary.shown(bundled.model.vocabulary.characters[int(readout.argmax())])
        assert told["weights"]["pushing"][0]["name"] == best


def test_the_page_is_served_without_loading_pytorch(live: Live) -> None:
    code = "import sys, probe.explorer.server; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_answers_are_strict_json(live: Live) -> None:
    answer = live.client.post("/api/try", {"text": TEXT, "units": [UNIT]})
    json.loads(answer.body, parse_constant=lambda constant: pytest.fail(constant))
