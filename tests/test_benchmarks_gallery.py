"""The gallery holds every picture, and its numbers are those of the rows that the commands print."""

import sys
from pathlib import Path
from typing import Any

from commands import parsers
from PIL import Image

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))

from gallery import ENTRIES, GALLERY_FOLDER, keep, number, section
from gallery_entries.causes import order_facts, steering_facts
from gallery_entries.entry import Entry, percent, with_interval, written
from gallery_entries.knowledge import matrix_facts, ranking_facts
from gallery_entries.several import gate_facts, sweep_facts

SAME_AS = {"curve": "plot curve"}
"""Commands whose pictures are those of others."""


def test_every_command_that_draws_is_in_the_gallery() -> None:
    drawing = {"view", "units", "report", "demo"}
    for name, parser in parsers().items():
        outputs = [option.help for option in parser.params if "-o" in option.opts]
        if any("picture" in text for text in outputs):
            drawing.add(SAME_AS.get(name, name))
    assert {"plot gates", "story", "similarity"} < drawing
    shown = {entry.command.removeprefix("probe ") for entry in ENTRIES}
    assert {name for name in drawing if not any(command.startswith(name) for command in shown)} == set()


def test_every_picture_has_a_name_and_an_alternative_of_its_own() -> None:
    pictures = [picture for entry in ENTRIES for picture in entry.pictures.items()]
    assert len(dict(pictures)) == len(pictures)
    assert all(told for _, told in pictures)
    assert {name for name, _ in pictures} == {path.name for path in GALLERY_FOLDER.iterdir()}


def test_numbers_are_written_with_their_intervals() -> None:
    assert written(0.9996) == "over 0.999"
    assert with_interval({"auc": -0.25, "low": -0.5, "high": 0.125}, "auc") == "−0.250 (−0.500 to 0.125)"
    assert with_interval({"auc": 0.75, "low": None, "high": None}, "auc") == "0.750"
    assert percent(-0.125) == "−12.5 %"
    assert [number(value) for value in ("1e-3", "", "0/cell/1")] == [0.001, None, "0/cell/1"]


def test_facts_are_those_of_the_rows() -> None:
    ranked: list[dict[str, Any]] = [
        {"unit": f"0/cell/{index}", "held_out_auc": 0.75, "low": low, "high": 0.875}
        for index, low in enumerate((0.625, 0.45, None))
    ]
    assert ranking_facts({"ranking": ranked}) == {
        "unit": "0/cell/0",
        "score": "0.750 (0.625 to 0.875)",
        "sure": "1",
        "n": "3",
    }
    gates = [
        {"gate": gate, "left": left, "right": right}
        for gate, left, right in (
            ("forget_gate", 0.0, 0.95),
            ("forget_gate", 0.0, 0.9),
            ("forget_gate", 0.92, 0.0),
            ("input_gate", 0.99, 0.0),
        )
    ]
    assert gate_facts({"gates": gates}) == {"n": "3", "open": "1", "closed": "1", "input_closed": "1"}
    trained = [
        {"cell": "lstm", "n_units": 16, "test_nats_per_char": 2.5},
        {"cell": "gru", "n_units": 32, "test_nats_per_char": 2.25},
    ]
    facts = sweep_facts({"sweep": trained})
    assert (facts["best_cell"], facts["best_loss"], facts["worst_cell"]) == ("GRU", "2.25", "LSTM")


def test_what_is_known_most_beyond_the_text_is_found_among_probes_with_an_auc() -> None:
    cells = [
        {"hypothesis": name, "column": "0/cell", "measure": measure, "above_text": above, "above_text_low": 0.0,
         "above_text_high": 0.5}
        for name, measure, above in (
            ("in_quotes", "auc", 0.25), ("in_word", "auc", -0.0001), ("bracket_depth", "r2", 0.4),
            ("in_word", "auc", None),
        )
    ]  # fmt: skip
    facts = matrix_facts({"matrix": cells})
    assert (facts["best_hypothesis"], facts["best_above"]) == ("in_quotes", "0.250 (0.000 to 0.500)")
    assert (facts["least_hypothesis"], facts["least_above"]) == ("in_word", "0.000 (0.000 to 0.500)")


def test_causes_are_those_of_the_largest_factor_and_of_the_order_that_leads() -> None:
    steered = [
        {"at": at, "measure": measure, "effect": at, "low": 0.0, "high": 2.0, "matched": 0.5, "unsteered": 0.25,
         "n_texts": 9}
        for at in (-1.0, 2.0)
        for measure in ("in_comment", "loss")
    ]  # fmt: skip
    assert steering_facts({"steer": steered})["effect"] == "over 0.999 (0.000 to 2.000)"
    areas = [
        {"order": order, "kind": "area", "where": where, "lead": lead, "effect": 0.5, "low": 0.25, "high": 0.75,
         "matched": 0.125, "n_matched": 4, "n_chars": 2999}
        for order, where, lead in (
            ("auc", "inside − outside", 0.1),
            ("weight", "inside − outside", 0.2),
            ("auc", "all", 0.9),
            ("random", "inside − outside", None),
        )
    ]  # fmt: skip
    assert order_facts({"orders": areas})["order"] == "weight"


def test_a_section_has_its_command_its_picture_and_its_numbers(tmp_path: Path) -> None:
    entry = Entry(
        name="bars", question="Which?", drawn_by="a work, figure 1", command="probe plot ranking",
        reading="It is {unit}.", alternative="bars",
    )  # fmt: skip
    assert section(entry, {"unit": "0/cell/1"}, tmp_path) == (
        "### Which?\n\nAfter a work, figure 1.\n\n    probe plot ranking -o bars.png\n\n"
        "![bars](gallery/bars.png)\n\nIt is 0/cell/1.\n"
    )
    (tmp_path / "all.out").write_text("a table\nall.csv: 2 rows\n", encoding="utf-8")
    table = Entry(name="all", question="Which?", drawn_by="", command="probe units", reading="So.", is_table=True)
    assert "\n    probe units\n\n```text\na table\n```\n" in section(table, {}, tmp_path)


def test_pictures_are_kept_without_transparency_and_old_ones_are_removed(tmp_path: Path) -> None:
    drawn, gallery = tmp_path / "drawn.png", tmp_path / "gallery"
    Image.new("RGBA", (4, 3), (255, 0, 0, 255)).save(drawn)
    gallery.mkdir()
    (gallery / "old.png").write_bytes(b"")
    keep({"new.png": drawn}, gallery)
    assert [path.name for path in gallery.iterdir()] == ["new.png"]
    with Image.open(gallery / "new.png") as kept:
        assert kept.mode == "P" and kept.convert("RGB").getpixel((2, 1)) == (255, 0, 0)
