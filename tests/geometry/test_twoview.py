"""Turns and zooms between two frames, from exact points at any depth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.geometry.rotations import exp, log
from dollygrip.geometry.twoview import accumulate, fit_steps, turn_points

FOCAL = 432.0
SCALES = np.geomspace(30.0, 1.0, 10)


def corners(seed: int = 0, count: int = 60) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (count, 2)) * [240.0, 135.0]


def moved(before: np.ndarray, step: np.ndarray) -> np.ndarray:
    return turn_points(before, np.tile(step, (len(before), 1)), FOCAL)


def fit(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    pair = np.zeros(len(before), np.intp)
    return fit_steps(pair, before, after, pairs=1, focal=FOCAL, scales=SCALES)[0]


def assert_step(found: np.ndarray, step: np.ndarray, pixels: float) -> None:
    """The two steps move the corners of the picture alike."""
    grid = np.array([[x, y] for x in (-240.0, 0.0, 240.0) for y in (-135.0, 0.0, 135.0)])
    difference = np.linalg.norm(moved(grid, found) - moved(grid, step), axis=1)
    assert difference.max() < pixels


turns = st.floats(-0.06, 0.06)
steps = st.builds(lambda *s: np.array(s), turns, turns, turns, st.floats(-0.06, 0.06))


@pytest.mark.parametrize(
    ("step", "where"),
    [
        ([0.0, 0.1, 0.0, 0.0], [-1, 0]),  # Pan right: the scene goes left.
        ([0.1, 0.0, 0.0, 0.0], [0, 1]),  # Tilt up: the scene goes down.
    ],
)
def test_what_the_middle_does(step, where):
    found = moved(np.zeros((1, 2)), np.array(step))[0]
    np.testing.assert_allclose(found, FOCAL * np.tan(0.1) * np.array(where), atol=1e-9)


def test_roll_clockwise_turns_the_picture_the_other_way_and_zoom_in_spreads_it():
    right = np.array([[100.0, 0.0]])
    rolled = moved(right, np.array([0.0, 0.0, 0.1, 0.0]))
    np.testing.assert_allclose(rolled, [[100 * np.cos(0.1), -100 * np.sin(0.1)]], atol=1e-9)
    zoomed = moved(right, np.array([0.0, 0.0, 0.0, np.log(1.2)]))
    np.testing.assert_allclose(zoomed, [[120.0, 0.0]], atol=1e-9)


@settings(deadline=None)
@given(steps)
def test_any_step_is_found_from_exact_points(step):
    before = corners()
    assert_step(fit(before, moved(before, step)), step, pixels=0.01)


@settings(deadline=None, max_examples=40)
@given(steps, st.integers(0, 2**31))
def test_four_in_ten_points_may_be_wrong(step, seed):
    rng = np.random.default_rng(seed)
    before = corners(seed, 150)
    after = moved(before, step)
    wrong = rng.permutation(len(after))[: int(0.4 * len(after))]
    after[wrong] = rng.uniform(-1.0, 1.0, (len(wrong), 2)) * [240.0, 135.0]
    assert_step(fit(before, after), step, pixels=0.5)


@settings(deadline=None)
@given(steps)
def test_backwards_is_the_inverse(step):
    """Only of small steps: a zoom between pictures changes the focal length of the second."""
    step = 0.1 * step
    before = corners()
    after = moved(before, step)
    there, back = fit(before, after), fit(after, before)
    again = moved(moved(before, there), back)
    assert np.abs(again - before).max() < 0.2
    assert back[3] == pytest.approx(-there[3], abs=1e-3)
    np.testing.assert_allclose(exp(there[:3]) @ exp(back[:3]), np.eye(3), atol=1e-3)


def test_pairs_do_not_disturb_each_other_and_one_without_points_stands_still():
    first, last = np.array([0.0, 0.03, 0.0, 0.0]), np.array([0.02, 0.0, 0.01, -0.04])
    one, other = corners(1, 30), corners(2, 40)
    together = fit_steps(
        np.repeat([0, 2], [30, 40]),
        np.concatenate([one, other]),
        np.concatenate([moved(one, first), moved(other, last)]),
        pairs=4,
        focal=FOCAL,
        scales=SCALES,
    )
    np.testing.assert_array_equal(together[[1, 3]], 0.0)
    np.testing.assert_allclose(together[0], fit(one, moved(one, first)), atol=1e-12)
    np.testing.assert_allclose(together[2], fit(other, moved(other, last)), atol=1e-12)


def test_a_single_point_does_not_run_away():
    step = fit(np.array([[0.0, 0.0]]), np.array([[20.0, 0.0]]))
    assert np.linalg.norm(step) < 0.1


def test_no_points_at_all():
    found = fit_steps(
        np.zeros(0, np.intp),
        np.zeros((0, 2)),
        np.zeros((0, 2)),
        pairs=2,
        focal=FOCAL,
        scales=SCALES,
    )
    np.testing.assert_array_equal(found, np.zeros((2, 4)))


@given(st.lists(steps, min_size=1, max_size=6))
def test_a_path_is_its_steps_one_after_the_other(parts):
    rotations, zooms = accumulate(np.array(parts))
    np.testing.assert_array_equal(rotations[0], np.eye(3))
    between = log(np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:])
    np.testing.assert_allclose(between, np.array(parts)[:, :3], atol=1e-9)
    np.testing.assert_allclose(zooms, np.concatenate([[0.0], np.cumsum([p[3] for p in parts])]))


def test_a_path_without_steps_is_one_pose():
    rotations, zooms = accumulate(np.zeros((0, 4)))
    np.testing.assert_array_equal(rotations, np.eye(3)[None])
    np.testing.assert_array_equal(zooms, [0.0])


def test_panning_on_and_on_goes_around():
    rotations, _ = accumulate(np.tile([0.0, 0.1, 0.0, 0.0], (10, 1)))
    np.testing.assert_allclose(log(rotations[-1]), [0.0, 1.0, 0.0], atol=1e-9)
