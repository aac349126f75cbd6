"""What the explorer's server does before somebody types a text."""

import os
import sys
import threading
from pathlib import Path

import pytest
from explorer_clients import explored
from explorer_models import recorded_model

from activations.errors import ActivationError
from probe.demo import bundled_activations
from probe.explorer.held_model import BUNDLED_SHA256
from probe.explorer.warming import Warming, steps_for

WAIT_S = 60


def test_steps_are_done_in_order_once_and_later() -> None:
    done: list[object] = []
    ended = threading.Event()
    warming = Warming([lambda: done.append(threading.current_thread().name), ended.set], delay_s=0.2)
    warming.begin()
    warming.begin()
    assert done == []
    assert ended.wait(WAIT_S)
    assert done == ["explorer warming"]
    warming.close()


def test_nothing_is_done_after_the_end() -> None:
    """Neither a step that follows the one that is being done, nor what was about to begin."""
    began, go_on = threading.Event(), threading.Event()
    done: list[str] = []
    warming = Warming([began.set, lambda: go_on.wait(WAIT_S), lambda: done.append("late")], delay_s=0)
    warming.begin()
    assert began.wait(WAIT_S)
    threading.Timer(0.1, go_on.set).start()
    warming.close()
    warming.begin()
    about_to = Warming([lambda: done.append("late")], delay_s=60)
    about_to.begin()
    about_to.close()
    assert done == []


def test_what_goes_wrong_ends_it_and_is_not_said() -> None:
    def fail() -> None:
        raise ActivationError("there is no such model")

    done: list[str] = []
    warming = Warming([fail, lambda: done.append("after")], delay_s=0)
    warming.begin()
    warming._thread.join(WAIT_S)  # type: ignore[union-attr]
    assert done == []


@pytest.mark.skipif(sys.platform != "linux", reason="only there do threads have priorities of their own")
def test_it_gives_way_to_others() -> None:
    niceness: list[int] = []
    warming = Warming([lambda: niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))], delay_s=0)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    warming.begin()
    warming._thread.join(WAIT_S)  # type: ignore[union-attr]
    assert niceness == [max(before, 5)] and os.getpriority(os.PRIO_PROCESS, 0) == before


def test_the_model_is_loaded_and_reads_before_it_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only after the page has asked its first question; without a model there is nothing to do."""
    _, model, recording = recorded_model(tmp_path)
    read: list[str] = []
    has_read = threading.Event()

    def note(model: object, text: str, scales: object) -> None:
        read.append(text)
        has_read.set()

    monkeypatch.setattr("probe.explorer.questions.trying.try_text", note)
    monkeypatch.setattr("probe.explorer.server.DELAY_S", 0)
    with explored(recording, model=model) as client:
        assert client.exploration.held._reader == {}
        client.get("/api/facts")
        assert has_read.wait(WAIT_S)
        assert list(client.exploration.held._reader) == [str(recording)]
    assert [len(text) for text in read] == [16]
    with explored(recording) as client:
        assert steps_for(client.exploration) == []


def test_the_hash_of_the_bundled_model_is_known_without_loading_it() -> None:
    from activations.models.identity import sha256

    assert sha256(bundled_activations().model) == BUNDLED_SHA256
