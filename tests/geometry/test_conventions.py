"""Conventions: laws that hold for all of them, and where each one's camera looks."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dollygrip.geometry.conventions import Convention, from_opencv, inverse, to_opencv
from dollygrip.geometry.rotations import exp, log

# What is right, up and ahead for the camera, in its own x, y and z.
RIGHT_UP_AHEAD = {
    "opencv": [(1, 0, 0), (0, -1, 0), (0, 0, 1)],
    "opengl": [(1, 0, 0), (0, 1, 0), (0, 0, -1)],
    "unreal": [(0, 1, 0), (0, 0, 1), (1, 0, 0)],
    "unity": [(1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "pytorch3d": [(-1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "body": [(0, -1, 0), (0, 0, 1), (1, 0, 0)],
}
LEFT_HANDED = ("unreal", "unity")
CONVENTIONS = [
    Convention(direction, axes, quaternion, transposed, rotations_inverted)
    for direction, axes, quaternion, transposed, rotations_inverted in product(
        ("world_from_camera", "camera_from_world"),
        RIGHT_UP_AHEAD,
        (None, "xyzw", "wxyz"),
        (False, True),
        (False, True),
    )
]

conventions = st.sampled_from(CONVENTIONS)
vectors = arrays(np.float64, (4, 3), elements=st.floats(-3.0, 3.0))


def rigid(turns, centers):
    poses = np.tile(np.eye(4), (len(turns), 1, 1))
    poses[:, :3, :3] = exp(turns)
    poses[:, :3, 3] = centers
    return poses


@given(vectors, vectors, conventions)
def test_there_and_back_changes_nothing(turns, centers, convention):
    poses = rigid(turns, centers)
    there = from_opencv(poses, convention)
    np.testing.assert_allclose(to_opencv(there, convention), poses, atol=1e-12)
    np.testing.assert_allclose(
        from_opencv(to_opencv(there, convention), convention), there, atol=1e-12
    )


@given(vectors, vectors, conventions)
def test_poses_stay_rigid(turns, centers, convention):
    written = from_opencv(rigid(turns, centers), convention)
    if convention.transposed:
        written = np.swapaxes(written, 1, 2)
    for poses in (written, to_opencv(written, Convention(axes=convention.axes))):
        gram = poses[:, :3, :3] @ np.swapaxes(poses[:, :3, :3], 1, 2)
        np.testing.assert_allclose(gram, np.tile(np.eye(3), (4, 1, 1)), atol=1e-12)
        np.testing.assert_allclose(np.linalg.det(poses[:, :3, :3]), 1.0)
        np.testing.assert_array_equal(poses[:, 3], np.tile([0, 0, 0, 1], (4, 1)))


@given(vectors, vectors)
def test_an_inverse_undoes_its_pose(turns, centers):
    poses = rigid(turns, centers)
    np.testing.assert_allclose(inverse(poses) @ poses, np.tile(np.eye(4), (4, 1, 1)), atol=1e-12)


@given(vectors, vectors, st.sampled_from(list(RIGHT_UP_AHEAD)))
def test_direction_and_transposition_are_what_they_say(turns, centers, axes):
    poses = rigid(turns, centers)
    plain = to_opencv(poses, Convention(axes=axes))
    np.testing.assert_allclose(
        to_opencv(np.linalg.inv(poses), Convention("camera_from_world", axes)), plain, atol=1e-9
    )
    np.testing.assert_array_equal(
        to_opencv(np.swapaxes(poses, 1, 2), Convention(axes=axes, transposed=True)), plain
    )


@given(vectors, vectors, st.sampled_from(list(RIGHT_UP_AHEAD)))
def test_inverted_rotations_leave_the_centres_where_they_are(turns, centers, axes):
    plain = to_opencv(rigid(turns, centers), Convention(axes=axes))
    np.testing.assert_allclose(
        to_opencv(rigid(-turns, centers), Convention(axes=axes, rotations_inverted=True)),
        plain,
        atol=1e-12,
    )


@given(vectors, vectors, st.sampled_from(list(RIGHT_UP_AHEAD)))
def test_the_world_stays_unless_it_is_left_handed(turns, centers, axes):
    found = to_opencv(rigid(turns, centers), Convention(axes=axes))[:, :3, 3]
    lengths = np.linalg.norm(centers[:, None] - centers, axis=2)
    np.testing.assert_allclose(np.linalg.norm(found[:, None] - found, axis=2), lengths)
    if axes not in LEFT_HANDED:
        np.testing.assert_array_equal(found, centers)


def moved(axes, *, shift=(0, 0, 0), turn=None, degrees=0.0):
    """The second of two poses in a convention, the first being the identity, as OpenCV's.

    ``shift`` is towards right, up and ahead; ``turn`` names which of these turns into which.
    """
    basis = dict(zip(("right", "up", "ahead"), np.array(RIGHT_UP_AHEAD[axes], float), strict=True))
    turned = dict(basis)
    if turn:
        one, other = turn
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        turned[one] = cos * basis[one] + sin * basis[other]
        turned[other] = cos * basis[other] - sin * basis[one]
    pose = np.eye(4)
    pose[:3, :3] = np.column_stack(list(turned.values())) @ np.linalg.inv(
        np.column_stack(list(basis.values()))
    )
    pose[:3, 3] = np.array(shift) @ np.array(list(basis.values()))
    first, second = to_opencv(np.stack([np.eye(4), pose]), Convention(axes=axes))
    return inverse(first[None])[0] @ second


@pytest.mark.parametrize("axes", RIGHT_UP_AHEAD)
def test_travel_has_the_projects_signs(axes):
    np.testing.assert_allclose(moved(axes, shift=(2, 3, 5))[:3, 3], [2, -3, 5])


@pytest.mark.parametrize("axes", RIGHT_UP_AHEAD)
@pytest.mark.parametrize(
    ("turn", "expected"),
    [
        (("ahead", "right"), [0, 1, 0]),  # pan right
        (("ahead", "up"), [1, 0, 0]),  # tilt up
        (("up", "right"), [0, 0, 1]),  # roll clockwise
    ],
)
def test_turns_have_the_projects_signs(axes, turn, expected):
    found = log(moved(axes, turn=turn, degrees=20.0)[None, :3, :3])[0]
    np.testing.assert_allclose(np.degrees(found), 20.0 * np.array(expected), atol=1e-9)


def test_an_opengl_camera_looks_along_minus_z():
    (pose,) = to_opencv(np.eye(4)[None], Convention(axes="opengl"))
    right, down, ahead = pose[:3, :3].T
    np.testing.assert_array_equal(right, [1, 0, 0])
    np.testing.assert_array_equal(down, [0, -1, 0])
    np.testing.assert_array_equal(ahead, [0, 0, -1])


def test_an_unreal_camera_that_moves_along_y_trucks_right():
    path = np.tile(np.eye(4), (2, 1, 1))
    path[1, 1, 3] = 7.0
    first, second = to_opencv(path, Convention(axes="unreal"))
    np.testing.assert_allclose(first[:3, :3].T @ (second - first)[:3, 3], [7, 0, 0])


@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_words_give_the_convention_back(convention):
    words = str(convention).split()
    assert Convention.parse(str(convention)) == convention
    assert Convention.parse(", ".join(reversed(words))) == convention


def test_what_is_not_said_comes_from_the_default():
    default = Convention("camera_from_world", "unreal", "wxyz", transposed=True)
    assert Convention.parse("rotations_inverted", default).transposed
    assert Convention.parse("", default) == default
    assert Convention.parse("opengl xyzw", default) == Convention(
        "camera_from_world", "opengl", "xyzw", transposed=True
    )


def test_unknown_words_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"'c2w' is no word .* camera_from_world, opencv, .*wxyz"):
        Convention.parse("c2w opencv")


@pytest.mark.parametrize("field", ["direction", "axes", "quaternion"])
def test_unknown_values_are_refused(field):
    with pytest.raises(ValueError, match=f"{field} is 'sideways'; there is "):
        Convention(**{field: "sideways"})
