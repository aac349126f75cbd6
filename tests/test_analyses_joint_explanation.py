"""Sums over the classes of labels are products of indicator columns."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from analyses.ranking.explaining.joint_explanation import _add_classes


@given(seed=st.integers(0, 2**32 - 1), n_chars=st.integers(0, 300))
def test_sums_over_classes_are_products_of_indicator_columns(seed: int, n_chars: int) -> None:
    """The slow twin multiplies the columns; a character without a label is in no column of it."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 8, 5)
    starts = np.cumsum([0, *sizes])
    codes = np.stack([rng.integers(-1, size, n_chars) for size in sizes]).astype(np.int8)
    y = rng.normal(size=n_chars)
    columns = np.hstack([of_label[:, None] == np.arange(size) for of_label, size in zip(codes, sizes, strict=True)])
    gram, product = np.zeros((starts[-1], starts[-1])), np.zeros(starts[-1])
    _add_classes(0, 2, starts, codes, y, gram, product)
    _add_classes(2, 5, starts, codes, y, gram, product)
    expected = columns.astype(float).T @ columns.astype(float)
    np.testing.assert_array_equal(np.triu(gram), np.triu(expected))
    np.testing.assert_allclose(product, y @ columns, atol=1e-12)
