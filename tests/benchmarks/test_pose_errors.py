"""Errors of paths that were made with a known error."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.pose_errors import UNIT_RANGE, PoseErrors, pose_errors
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Trajectory

ARRAYS = ("times", "rotations", "centers", "focals", "valid", "sigmas")
SIGMAS = (0.01, 0.02, 0.03, 0.1, 0.2, 0.3, 0.05)


def _path(*moves: Move, rate: float = 10.0) -> Trajectory:
    return camera_path(moves, duration=2.0, rate=rate, size=(480, 270))


def _stated(path: Trajectory) -> Trajectory:
    """The path with the same sigmas at every frame but the first, against which they are."""
    sigmas = np.tile(SIGMAS, (len(path), 1))
    sigmas[0] = 0.0
    return replace(path, sigmas=sigmas)


def _in_another_gauge(path: Trajectory, turn: np.ndarray, scale: float) -> Trajectory:
    """The same path in another world and unit, seen in larger pictures."""
    return replace(
        path,
        rotations=turn @ path.rotations,
        centers=scale * path.centers @ turn.T + np.array([3.0, -2.0, 5.0]),
        focals=4.0 * path.focals,
        size=(1920, 1080),
        sigmas=path.sigmas * np.array([1.0] * 3 + [scale] * 3 + [1.0]),
        scene_depth=scale * path.scene_depth,
    )


def _numbers(errors: PoseErrors) -> np.ndarray:
    return np.concatenate(
        [
            errors.rotation_deg,
            [errors.net_direction_deg, errors.unit, errors.focal],
            errors.direction_deg,
            errors.travel,
            errors.zoom,
            errors.normalised.ravel(),
        ]
    )


ALL = (Move("truck_right", 0.4), Move("pan_left", 12.0), Move("zoom_in", 0.2))


def test_the_truth_has_no_error() -> None:
    truth = _path(*ALL)
    errors = pose_errors(truth, _stated(truth))
    assert errors.right_model
    assert errors.travels
    assert errors.unit == pytest.approx(1.0)
    np.testing.assert_allclose(np.delete(_numbers(errors), len(truth)), 0.0, atol=1e-5)


@pytest.mark.parametrize(
    ("axis", "turn"), [(0, (0.02, 0, 0)), (1, (0, 0.02, 0)), (2, (0, 0, 0.02))]
)
def test_a_turn_too_far_shows_on_its_own_axis_in_the_cameras_frame(axis, turn) -> None:
    # Turned a right angle away from the world: camera axes are not the world's.
    truth = _path(Move("pan_right", 90.0))
    found = _stated(replace(truth, rotations=truth.rotations @ exp(np.array(turn))))
    # The first camera is the frame of both paths, so it must be right.
    found = replace(found, rotations=np.concatenate([truth.rotations[:1], found.rotations[1:]]))
    errors = pose_errors(truth, found)
    np.testing.assert_allclose(errors.rotation_deg, np.degrees(0.02), atol=1e-6)
    expected = np.zeros(7)
    expected[axis] = 0.02 / SIGMAS[axis]
    np.testing.assert_allclose(errors.normalised[-1], expected, atol=1e-5)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_wrong_place_shows_along_the_cameras_own_axes(axis) -> None:
    truth = _path(Move("dolly_in", 0.5), Move("pan_right", 90.0))
    # Off at right angles to the whole path, so that no other unit of length explains it.
    off = np.zeros((len(truth), 3))
    off[5, axis], off[6, axis] = (
        0.03,
        -0.03 * truth.centers[5, axis] / (truth.centers[6, axis] or 1.0),
    )
    errors = pose_errors(truth, _stated(replace(truth, centers=truth.centers + off)))
    assert errors.unit == pytest.approx(1.0)
    assert errors.travel[4] == pytest.approx(0.03)
    expected = np.zeros(7)
    expected[3:6] = truth.rotations[5].T @ off[5] / SIGMAS[3:6]
    np.testing.assert_allclose(errors.normalised[4], expected, atol=1e-6)


def test_a_heading_that_is_off_is_told_in_degrees() -> None:
    truth = _path(Move("dolly_in", 0.5))
    slant = exp(np.array([0.0, np.radians(20.0), 0.0]))
    errors = pose_errors(truth, replace(truth, centers=truth.centers @ slant.T))
    assert errors.net_direction_deg == pytest.approx(20.0)
    np.testing.assert_allclose(errors.direction_deg, 20.0)


def test_the_other_way_is_as_wrong_as_can_be_and_no_unit_hides_it() -> None:
    truth = _path(Move("truck_left", 0.5))
    errors = pose_errors(truth, replace(truth, centers=-truth.centers))
    assert errors.net_direction_deg == pytest.approx(180.0)
    np.testing.assert_allclose(errors.direction_deg, 180.0)
    assert errors.unit == UNIT_RANGE[0]
    assert errors.travel[-1] > 0.5


def test_directions_are_seen_from_each_paths_own_camera() -> None:
    # Dollying ahead all the time; the estimate misses the pan, and so drives straight on.
    truth = _path(Move("dolly_in", 0.5), Move("pan_right", 60.0))
    straight = _path(Move("dolly_in", 0.5))
    errors = pose_errors(truth, straight)
    assert errors.net_direction_deg == pytest.approx(30.0, abs=1.0)
    # Half of what the camera turns in half a second.
    turned = 60.0 * 0.5 / truth.times[-1]
    np.testing.assert_allclose(errors.direction_deg, turned / 2.0, atol=0.01)


def test_a_path_that_does_not_travel_has_no_direction() -> None:
    truth = _path(Move("dolly_in", 0.5))
    errors = pose_errors(truth, _path())
    assert errors.travels
    assert np.isnan(errors.net_direction_deg)
    assert np.isnan(errors.direction_deg).all()
    assert errors.travel[-1] == pytest.approx(0.5 * UNIT_RANGE[0])


def test_another_typical_depth_is_no_error_within_limits() -> None:
    truth = _path(Move("truck_left", 0.5))
    twice = replace(truth, centers=2.0 * truth.centers)
    errors = pose_errors(truth, twice)
    assert errors.unit == pytest.approx(2.0)
    np.testing.assert_allclose(errors.travel, 0.0, atol=1e-9)
    tenfold = pose_errors(truth, replace(truth, centers=10.0 * truth.centers))
    assert tenfold.unit == UNIT_RANGE[1]
    assert tenfold.travel[-1] == pytest.approx(0.5 * (10.0 - UNIT_RANGE[1]))


def test_the_focal_length_counts_against_the_width_of_the_picture() -> None:
    truth = _path(Move("zoom_in", 0.4))
    shrunk = _stated(replace(truth, focals=truth.focals / 2.0, size=(240, 135)))
    errors = pose_errors(truth, shrunk)
    assert errors.focal == pytest.approx(0.0)
    np.testing.assert_allclose(errors.zoom, 0.0, atol=1e-9)

    more = replace(shrunk, focals=1.1 * shrunk.focals[0] * (shrunk.focals / shrunk.focals[0]) ** 2)
    errors = pose_errors(truth, more)
    assert errors.zooms
    assert errors.focal == pytest.approx(np.log(1.1))
    assert errors.zoom[-1] == pytest.approx(0.4)
    assert errors.normalised[-1, 6] == pytest.approx(0.4 / SIGMAS[6])


@settings(max_examples=25, deadline=None)
@given(
    true=st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    found=st.tuples(*[st.floats(-3.0, 3.0)] * 3),
    scales=st.tuples(*[st.floats(0.01, 100.0)] * 2),
)
def test_neither_world_nor_unit_nor_picture_size_matter(true, found, scales) -> None:
    truth = _path(*ALL)
    estimate = _stated(_path(Move("truck_right", 0.3), Move("pan_left", 11.0)))
    plain = pose_errors(truth, estimate)
    moved = pose_errors(
        _in_another_gauge(truth, exp(np.array(true)), scales[0]),
        _in_another_gauge(estimate, exp(np.array(found)), scales[1]),
    )
    np.testing.assert_allclose(_numbers(moved), _numbers(plain), rtol=1e-4, atol=1e-4)


def test_frames_are_matched_by_time_and_lost_ones_left_out() -> None:
    truth = _path(*ALL, rate=30.0)
    rows = {name: getattr(truth, name)[::3] for name in ARRAYS}
    thinned = replace(truth, **rows)
    valid = np.ones(len(thinned), np.bool_)
    valid[[0, 7]] = False
    errors = pose_errors(truth, replace(thinned, valid=valid, times=thinned.times + 0.004))
    assert len(errors.rotation_deg) == len(thinned) - 3
    np.testing.assert_allclose(errors.rotation_deg, 0.0, atol=1e-4)
    with pytest.raises(ValueError, match="fewer than two"):
        pose_errors(truth, replace(thinned, times=thinned.times + 60.0))


def test_what_has_no_sigma_has_no_normalised_error() -> None:
    truth = _path(*ALL)
    assert np.isnan(pose_errors(truth, truth).normalised).all()
    stated = replace(truth, sigmas=_stated(truth).sigmas * np.array([1.0] * 6 + [0.0]))
    told = np.isnan(pose_errors(truth, stated).normalised).all(axis=0)
    assert told.tolist() == [False] * 6 + [True]


@pytest.mark.parametrize(
    ("true", "found", "right"),
    [
        ((), (), True),
        ((), (Move("pan_left", 0.1),), False),
        ((Move("pan_left", 8.0),), (Move("pan_left", 7.0),), True),
        ((Move("pan_left", 8.0),), (), False),
        ((Move("pan_left", 8.0),), (Move("truck_left", 0.1),), False),
        ((Move("pan_left", 8.0),), ALL, False),
        ((Move("dolly_in", 0.2),), (Move("dolly_in", 0.3), Move("tilt_up", 1.0)), True),
        ((Move("dolly_in", 0.2),), (Move("zoom_in", 0.2),), False),
        ((Move("dolly_zoom_in", 0.2),), (Move("dolly_zoom_out", 0.2),), True),
        # What is there but hardly seen may be told or not.
        ((Move("truck_left", 0.01),), (), True),
        ((Move("truck_left", 0.01),), (Move("truck_left", 0.02),), True),
        ((Move("truck_left", 0.01),), (Move("zoom_in", 0.01),), False),
    ],
)
def test_the_model_is_right_where_it_moves_as_the_truth_does(true, found, right) -> None:
    assert pose_errors(_path(*true), _path(*found)).right_model is right
