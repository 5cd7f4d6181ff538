import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dollygrip.geometry.rotations import (
    exp,
    increments,
    is_rotation,
    log,
    rotation_from_pan_tilt_roll,
)

# Shorter than pi, where a rotation has one rotation vector.
rotvecs = arrays(np.float64, (6, 3), elements=st.floats(-1.8, 1.8))
AHEAD, RIGHT, DOWN = np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])


@given(rotvecs)
def test_log_undoes_exp(vectors):
    np.testing.assert_allclose(log(exp(vectors)), vectors, atol=1e-9)


@given(rotvecs, st.sampled_from([0.0, 1e-12, 1e-7, 1e-3, 0.1, np.pi - 1e-3, np.pi - 1e-9, np.pi]))
def test_log_is_exact_at_any_angle(vectors, angle):
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    # The square of a shorter one has hardly any digits, so that its direction has no length of 1.
    turns = angle * np.divide(
        vectors, lengths, out=np.tile(np.eye(3)[0], (6, 1)), where=lengths > 1e-100
    )
    found = log(exp(turns))
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), angle, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(exp(found), exp(turns), atol=1e-12)


@given(rotvecs)
def test_exp_of_the_opposite_is_the_inverse(vectors):
    np.testing.assert_allclose(
        exp(-vectors) @ exp(vectors), np.tile(np.eye(3), (6, 1, 1)), atol=1e-9
    )


@given(rotvecs)
def test_exp_gives_rotations_and_nothing_else_passes(vectors):
    matrices = exp(vectors)
    assert is_rotation(matrices)
    assert not is_rotation(-matrices)
    assert not is_rotation(matrices * 1.01)
    assert not is_rotation(np.full((1, 3, 3), np.nan))


def test_exp_and_log_keep_leading_shapes():
    vectors = np.linspace(-1.0, 1.0, 24).reshape(2, 4, 3)
    assert exp(vectors).shape == (2, 4, 3, 3)
    np.testing.assert_allclose(log(exp(vectors)), vectors, atol=1e-12)


@given(rotvecs)
def test_increments_rebuild_the_path(vectors):
    path = exp(vectors)
    rebuilt = path[0]
    for step in increments(path):
        rebuilt = rebuilt @ exp(step)
    np.testing.assert_allclose(rebuilt, path[-1], atol=1e-7)


@given(rotvecs, arrays(np.float64, (3,), elements=st.floats(-1.8, 1.8)))
def test_increments_do_not_depend_on_the_world(vectors, turn):
    steps = exp(0.3 * vectors)
    path = np.stack([np.linalg.multi_dot([np.eye(3), np.eye(3), *steps[:i]]) for i in range(6)])
    np.testing.assert_allclose(increments(exp(turn) @ path), increments(path), atol=1e-9)


@given(rotvecs)
def test_increments_change_sign_when_time_runs_backwards(vectors):
    path = exp(0.5 * vectors)
    np.testing.assert_allclose(increments(path[::-1]), -increments(path)[::-1], atol=1e-7)


@pytest.mark.parametrize(
    ("angles", "axis", "goes"),
    [
        ((10.0, 0.0, 0.0), AHEAD, RIGHT),
        ((0.0, 10.0, 0.0), AHEAD, -DOWN),
        ((0.0, 0.0, 10.0), RIGHT, DOWN),
    ],
    ids=["pan right", "tilt up", "roll clockwise"],
)
def test_signs(angles, axis, goes):
    turned = rotation_from_pan_tilt_roll(np.array(angles)) @ axis
    expected = np.cos(np.radians(10.0)) * axis + np.sin(np.radians(10.0)) * goes
    np.testing.assert_allclose(turned, expected, atol=1e-12)
