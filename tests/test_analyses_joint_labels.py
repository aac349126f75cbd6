"""Codes of joint labels stand for one part, atom and combination of labels."""

import numpy as np
import pytest

from analyses.levels.joint_labels import JointLabels
from analyses.targets.splits import PARTS, Split
from hypotheses.labels import Labels


@pytest.mark.parametrize("n_stretches", [50, 64, 100, 200])
def test_characters_with_one_code_have_the_same_part_atom_and_labels(
    rng: np.random.Generator, n_stretches: int
) -> None:
    n = 12_000
    split = Split(n_chars=n, n_stretches=n_stretches, gap=5)
    missing, labels = rng.random(n) < 0.1, [rng.random(n) < 0.3, rng.integers(0, 3, n)]
    places = np.arange(n)
    asked = [Labels(labels[0], "binary", missing), Labels(labels[1].astype(np.float64), "numeric", missing)]
    rows = JointLabels(split, asked).rows(places)
    parts, atoms = np.where(missing, -1, split.parts_of(places)), split.atom(places)
    found = set()
    for run in rows.runs:
        own = (rows.codes >= run.codes.start) & (rows.codes < run.codes.stop)
        assert set(zip(parts[own], atoms[own], strict=True)) == {(run.part, run.atom)}
        found.add((run.part, run.atom))
    assert found == set(zip(parts[~missing], atoms[~missing], strict=True))
    for column, label in enumerate(labels):
        assert (rows.y[rows.codes[~missing], column] == label[~missing]).all()
    assert rows.n.tolist() == np.bincount(rows.codes, minlength=len(rows.y)).tolist()
    assert rows.pieces.code_counts.shape == (len(PARTS), len(rows.y))
