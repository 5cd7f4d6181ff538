"""Still points from tracks and a path; how well a path agrees with the pictures."""

from dataclasses import replace

import numpy as np
import pytest

from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.synthetic import Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.structure import agreement, scene_depth, structure
from dollygrip.runners.estimators.tracks import Tracks

SIZE = (480, 270)
POINTS = 150

MOTIONS = {
    "still": (),
    "pan": (Move("pan_right", 15.0),),
    "tilt": (Move("tilt_down", 10.0),),
    "roll": (Move("roll_cw", 15.0),),
    "truck": (Move("truck_left", 0.3),),
    "pedestal": (Move("pedestal_up", 0.2),),
    "dolly": (Move("dolly_in", 0.3),),
    "zoom": (Move("zoom_in", 0.35),),
    "arc": (Move("arc_cw", 20.0),),
    "walk": (Move("dolly_in", 0.3), Shake(0.5, 0.01)),
}
TRAVELS = ("truck", "pedestal", "dolly", "arc", "walk")


def path_of(name: str) -> Trajectory:
    return camera_path(MOTIONS[name], duration=2.0, rate=8.0, size=SIZE)


def points_of(path: Trajectory, seed: int = 0) -> np.ndarray:
    """(POINTS, 3) in view of the first camera, half of them beyond depth 1."""
    rng = np.random.default_rng(seed)
    depth = np.exp(rng.uniform(np.log(0.4), np.log(2.5), POINTS))
    spread = rng.uniform(-1.0, 1.0, (POINTS, 2)) * np.array(SIZE) / 2 / path.focals[0]
    return np.column_stack([spread, np.ones(POINTS)]) * depth[:, None]


def tracks_of(path: Trajectory, points: np.ndarray, noise: float = 0.0) -> Tracks:
    """Where a path sees points, while they are in view."""
    rng = np.random.default_rng(1)
    local = np.einsum("nji,nkj->nki", path.rotations, points[None] - path.centers[:, None])
    xy = local[..., :2] / local[..., 2:] * path.focals[:, None, None]
    xy += rng.normal(0.0, noise, xy.shape)
    inside = (np.abs(xy) < np.array(SIZE) / 2).all(axis=-1) & (local[..., 2] > 0.1)
    frame, track = np.nonzero(inside)
    return Tracks(
        times=path.times,
        size=SIZE,
        frame=frame,
        track=track,
        xy=xy[inside],
        texture=np.ones(len(path)),
        brightness=np.ones(len(path)),
        still_frames=np.zeros((0, 2), np.intp),
        still=np.zeros((0, 0), np.bool_),
        textured=np.zeros((0, 0), np.bool_),
    )


def matrices(path: Trajectory) -> np.ndarray:
    """(N, 4, 4) world_from_camera."""
    poses = np.tile(np.eye(4), (len(path), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = path.rotations, path.centers
    return poses


def moved_to(path: Trajectory, poses: np.ndarray) -> Trajectory:
    """The path with other poses, of unknown scale."""
    return replace(
        path, rotations=poses[:, :3, :3], centers=poses[:, :3, 3], scene_depth=float("nan")
    )


@pytest.mark.parametrize("name", TRAVELS)
def test_points_are_where_they_were(name):
    path = path_of(name)
    points = points_of(path)
    found = structure(tracks_of(path, points), path)
    seen = (found.observations > 8) & (found.sigma < 0.05)
    assert seen.sum() > 50
    off = np.linalg.norm(found.points[seen] - points[found.track[seen]], axis=1)
    assert np.quantile(off, 0.95) < 0.01


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_the_unit_of_the_path_does_not_matter(name, unit):
    path = path_of(name)
    tracks = tracks_of(path, points_of(path), noise=0.3)
    turn = rotation_from_pan_tilt_roll(np.array([40.0, 20.0, 10.0]))
    elsewhere = replace(
        path,
        rotations=turn @ path.rotations,
        centers=unit * path.centers @ turn.T,
        scene_depth=float("nan"),
        focals=4.0 * path.focals,
        size=(1920, 1080),
    )
    here, there = structure(tracks, path), structure(tracks, elsewhere)
    np.testing.assert_array_equal(here.anchor, there.anchor)
    np.testing.assert_allclose(unit * there.inverse_depth, here.inverse_depth, atol=1e-5)
    np.testing.assert_allclose(there.residual, here.residual, atol=1e-5)
    assert agreement(tracks, elsewhere) == pytest.approx(agreement(tracks, path), abs=1e-3)
    assert scene_depth(there) == pytest.approx(unit * scene_depth(here), rel=1e-4, nan_ok=True)
