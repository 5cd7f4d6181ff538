import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.smoothing import smooth


@st.composite
def clocks(draw):
    gaps = draw(st.lists(st.floats(0.02, 0.4), min_size=1, max_size=30))
    return np.cumsum([0.0, *gaps])


@given(clocks(), st.floats(-50, 50), st.floats(-50, 50), st.floats(0.05, 1.0))
def test_straight_lines_pass_unchanged(times, height, slope, sigma):
    line = (height + slope * times)[:, None]
    np.testing.assert_allclose(smooth(times, line, sigma), line, atol=1e-5)


@given(clocks(), st.integers(0, 2**31))
def test_backwards_gives_the_same_curve_backwards(times, seed):
    values = np.random.default_rng(seed).normal(0.0, 1.0, (len(times), 2))
    back = smooth(times[-1] - times[::-1], values[::-1])
    np.testing.assert_allclose(back[::-1], smooth(times, values), atol=1e-6)


@pytest.mark.parametrize(("hertz", "kept"), [(0.15, (0.85, 1.1)), (3.0, (0.0, 0.1))])
def test_slow_moves_stay_and_shake_goes(hertz, kept):
    times = np.arange(0.0, 8.0, 1 / 24)
    wave = np.sin(2 * np.pi * hertz * times)[:, None]
    left = np.std(smooth(times, wave)[24:-24]) / np.std(wave[24:-24])
    assert kept[0] <= left <= kept[1]


def test_a_single_sample_keeps_its_value():
    np.testing.assert_array_equal(smooth(np.array([0.0]), np.array([[3.0, -1.0]])), [[3.0, -1.0]])


def test_a_long_curve_is_smoothed_like_its_parts_and_in_little_memory():
    rng = np.random.default_rng(5)
    times = np.cumsum(rng.uniform(0.01, 0.15, 50_000))
    values = np.cumsum(rng.normal(0.0, 1.0, (50_000, 3)), axis=0)
    tracemalloc.start()
    whole = smooth(times, values)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 50e6
    # Far enough from the ends of a part, what lies beyond them does not count.
    for start in (0, 17_003, 49_800):
        part = slice(start, start + 200)
        inside = slice(60 if start else 0, 140 if start < 49_800 else 200)
        alone = smooth(times[part], values[part])
        np.testing.assert_allclose(whole[part][inside], alone[inside], atol=1e-9)
