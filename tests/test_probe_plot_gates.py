"""The picture of gates: what is drawn are the shares that are counted."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command, rows
from numpy.typing import NDArray
from planting import Arrays, random_model

from activations.models.checkpoints import save_model
from activations.units import Site
from analyses.errors import AnalysisError
from analyses.gate_saturation import gate_saturation
from probe.plots import new_axes, plot_gates

N_CHARS = 1000


def shares(left: float, right: float) -> NDArray[np.float32]:
    """A gate that is closed at a share of characters, open at another, and half open at the rest."""
    values = np.full(N_CHARS, 0.5, np.float32)
    values[: round(left * N_CHARS)] = 0.01
    values[N_CHARS - round(right * N_CHARS) :] = 0.99
    return values


PLANTED = {"0/input_gate": [(0.1, 0.2), (0.0, 0.0)], "0/forget_gate": [(0, 1.0), (0.5, 0.25)]}
PLANTED |= {"1/input_gate": [(0.9, 0.1)], "1/forget_gate": [(0.3, 0.3)]}


@pytest.fixture
def gates() -> Arrays:
    return Arrays({Site(name): np.stack([shares(*each) for each in units], axis=1) for name, units in PLANTED.items()})


def drawn(panel: Any) -> dict[str, list[tuple[float, float]]]:
    """The points of each layer, as (share under .1, share over .9)."""
    return {
        line.get_label(): [(y, x) for x, y in zip(line.get_xdata(), line.get_ydata(), strict=True)]
        for line in lines_of_layers(panel)
    }


def lines_of_layers(panel: Any) -> list[Any]:
    return [line for line in panel.get_lines() if line.get_label().startswith("layer")]


def test_a_point_is_a_unit(gates: Arrays) -> None:
    panels = plot_gates(gate_saturation(gates))
    assert [panel.get_title() for panel in panels] == ["input gate", "forget gate"]
    for panel, gate in zip(panels, ("input_gate", "forget_gate"), strict=True):
        for layer in (0, 1):
            points = drawn(panel)[f"layer {layer}"]
            np.testing.assert_allclose(points, PLANTED[f"{layer}/{gate}"], atol=1e-12)
    colours, markers = zip(*((line.get_color(), line.get_marker()) for line in lines_of_layers(panels[0])), strict=True)
    assert len(set(colours)) == len(set(markers)) == 2


def test_axes_of_ones_own_are_drawn_into(gates: Arrays) -> None:
    saturation, axes = gate_saturation(gates), [new_axes(), new_axes()]
    assert plot_gates(saturation, axes) == axes
    with pytest.raises(AnalysisError, match="2 gates need as many axes, and 1 are given"):
        plot_gates(saturation, axes[:1])


@pytest.fixture
def model(code_text: str) -> None:
    Path("corpus.txt").write_text(code_text[:4_000], encoding="utf-8")
    save_model(random_model(code_text, cell="gru", n_layers=2, n_units=5), "model.pt")


def test_the_command_draws_and_tells(run: Command, model: None) -> None:
    live = ("--model", "model.pt", "--text", "corpus.txt")
    status, out, err = run("plot", "gates", *live)
    assert status == 0, err
    assert "gates.png: the saturation of reset gate, update gate" in out
    assert Path("gates.png").read_bytes().startswith(b"\x89PNG")
    for path, start in (("g.svg", b"<?xml"), ("g.pdf", b"%PDF")):
        status, out, _ = run("plot", "gates", *live, "-o", path, "--json")
        assert status == 0
        assert Path(path).read_bytes().startswith(start)
    printed = rows(out)
    assert len(printed) == 2 * 2 * 5
    assert {row["gate"] for row in printed} == {"reset_gate", "update_gate"}
    assert all(row["n_left"] / row["n_chars"] == row["left"] for row in printed)


def test_a_recording_without_gates_has_a_way_out(run: Command, planted: Path) -> None:
    status, out, err = run("plot", "gates", planted)
    assert (status, out) == (1, "")
    assert "there are no gates here, but 0/hidden" in err and "probe extract --sites" in err
    assert not Path("gates.png").exists()


@pytest.mark.parametrize("path", ["gates.txt", "absent/gates.png"])
def test_a_picture_that_cannot_be_written_is_refused_before_any_work(run: Command, planted: Path, path: str) -> None:
    status, out, err = run("plot", "gates", planted, "-o", path)
    assert (status, out) == (1, "")
    assert "gates.txt is not a picture" in err or "no folder absent" in err
