import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.arrays import Groups


@given(st.lists(st.integers(0, 6), max_size=40), st.integers(0, 2))
def test_groups_sum_what_belongs_together(keys, dimensions):
    rng = np.random.default_rng(len(keys))
    values = rng.normal(size=(len(keys), *[3, 2][:dimensions]))
    expected = np.zeros((7, *values.shape[1:]))
    for key, row in zip(keys, values, strict=True):
        expected[key] += row
    groups = Groups(np.array(keys, dtype=np.intp), 7)
    np.testing.assert_allclose(groups.sum(values), expected, atol=1e-12)
    if dimensions == 1:
        np.testing.assert_allclose(groups.sum_columns(values.T), expected.T, atol=1e-12)
