"""A path at other times is the same path."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.profile import motion_profile
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.rotations import increments
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Trajectory

PATH = camera_path([Move("pan_right", 20.0), Move("truck_left", 0.3), Move("zoom_in", 0.3)])


def test_at_its_own_times_a_path_is_itself() -> None:
    same = resample(PATH, PATH.times)
    np.testing.assert_allclose(same.rotations, PATH.rotations, atol=1e-12)
    np.testing.assert_allclose(same.centers, PATH.centers, atol=1e-12)
    np.testing.assert_allclose(same.focals, PATH.focals, rtol=1e-12)
    assert same.valid.all()


@given(st.floats(0.3, 4.0))
def test_the_net_motion_does_not_depend_on_the_rate(factor: float) -> None:
    times = np.linspace(PATH.times[0], PATH.times[-1], max(2, round(len(PATH) * factor)))
    other = motion_profile(resample(PATH, times))
    np.testing.assert_allclose(other.net, motion_profile(PATH).net, atol=0.01)


def test_between_two_poses_the_camera_turns_and_travels_evenly() -> None:
    times = np.linspace(PATH.times[10], PATH.times[11], 5)
    fine = resample(PATH, times)
    turns = increments(fine.rotations)
    np.testing.assert_allclose(turns, np.tile(turns[0], (4, 1)), atol=1e-12)
    steps = np.diff(fine.centers, axis=0)
    np.testing.assert_allclose(steps, np.tile(steps[0], (4, 1)), atol=1e-12)


def test_there_is_no_pose_outside_the_path_or_in_a_gap() -> None:
    gap = Trajectory.from_poses(
        [0.0, 0.1, 1.0, 1.1], np.tile(np.eye(4), (4, 1, 1)), size=(640, 360)
    )
    times = np.array([-0.5, 0.05, 0.1, 0.5, 1.05, 1.1, 1.5])
    np.testing.assert_array_equal(
        resample(gap, times, longest_gap=0.3).valid, [False, True, True, False, True, True, False]
    )
    assert resample(gap, times).valid.sum() == 5


def test_without_a_pose_there_is_nothing_to_resample() -> None:
    none = Trajectory.from_poses([0.0], np.eye(4)[None], size=(640, 360), valid=[False])
    with pytest.raises(ValueError, match="no valid pose"):
        resample(none, np.array([0.0]))
