"""Still points from tracks and a path; how well a path agrees with the pictures."""

from dataclasses import replace

import numpy as np
import pytest

from dollygrip.geometry.conventions import Convention, to_opencv
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.synthetic import Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.structure import (
    agreement,
    refocused,
    scene_depth,
    structure,
)
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.rendering import Look, render
from dollygrip.runners.scenery import scene
from dollygrip.runners.video import Frame

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


@pytest.mark.parametrize("name", TRAVELS)
def test_sigmas_say_how_far_off_points_are(name):
    path = path_of(name)
    points = points_of(path)
    tracks = tracks_of(path, points, noise=0.25)
    found = structure(tracks, path)
    anchor = tracks.frame[found.anchor]
    ahead = path.rotations[anchor][:, :, 2]
    depth = np.einsum("pj,pj->p", points[found.track] - path.centers[anchor], ahead)
    known = (found.observations > 8) & np.isfinite(found.sigma)
    off = (found.inverse_depth - 1.0 / depth)[known] / found.sigma[known]
    # Trackers' errors are alike over a track; these ones are not, so the sigmas are careful.
    assert 0.1 < np.sqrt(np.mean(off**2)) < 1.0


@pytest.mark.parametrize("name", ["still", "pan", "tilt", "roll", "zoom"])
def test_a_camera_that_stays_in_its_place_shows_no_depth(name):
    path = path_of(name)
    tracks = tracks_of(path, points_of(path), noise=0.25)
    # Far from the world's origin, numbers are rounded; that is no travel.
    rounded = 1e6 + np.random.default_rng(0).normal(0.0, 1e-10, path.centers.shape)
    for place in (path.centers, rounded):
        found = structure(tracks, replace(path, centers=place))
        assert np.isinf(found.sigma).all()
        assert np.isnan(scene_depth(found))


def test_travel_made_up_from_noise_shows_no_depth():
    path = path_of("pan")
    wandering = np.random.default_rng(0).normal(0.0, 1e-3, path.centers.shape)
    found = structure(tracks_of(path, points_of(path), 0.25), replace(path, centers=wandering))
    assert np.isnan(scene_depth(found))


@pytest.mark.parametrize("name", TRAVELS)
def test_depth_of_the_scene(name):
    path = path_of(name)
    points = points_of(path)
    found = structure(tracks_of(path, points, noise=0.25), path)
    assert scene_depth(found) == pytest.approx(np.median(points[:, 2]), rel=0.2)


def test_what_moves_by_itself_does_not_tell_the_depth():
    path = path_of("truck")
    points = points_of(path)
    tracks = tracks_of(path, points, noise=0.25)
    # Most of the points run about.
    swing = 60.0 * np.sin(4.0 * path.times[tracks.frame] + tracks.track)
    runs = tracks.track % 5 < 3
    busy = replace(tracks, xy=tracks.xy + np.where(runs, swing, 0.0)[:, None])
    assert scene_depth(structure(busy, path)) == pytest.approx(np.median(points[:, 2]), rel=0.25)


def test_a_path_of_other_pictures_tells_no_depth():
    other = tracks_of(path_of("roll"), points_of(path_of("roll")))
    assert np.isnan(scene_depth(structure(other, path_of("truck"))))


def test_no_point_is_nearer_than_allowed():
    path = path_of("truck")
    tracks = tracks_of(path, points_of(path))
    found = structure(tracks, path, nearest=1.0)
    assert found.inverse_depth.max() == 1.0
    assert structure(tracks, path).inverse_depth.max() > 1.5


def test_a_point_that_no_parallax_brings_nearer_is_infinitely_far():
    path = path_of("truck")
    # It goes along with the camera, and a little faster: behind infinity.
    points = points_of(path) * 1e6
    tracks = tracks_of(path, points)
    found = structure(replace(tracks, xy=tracks.xy - 2.0 * path.times[tracks.frame, None]), path)
    assert (found.inverse_depth == 0).all()
    assert not np.isfinite(found.points).all(axis=1).any()


def test_frames_without_a_pose_and_points_seen_once_give_none():
    path = path_of("truck")
    tracks = tracks_of(path, points_of(path))
    for blind in (
        structure(tracks, replace(path, valid=np.zeros(len(path), np.bool_))),
        structure(tracks, replace(path, times=path.times + 100.0)),
        structure(tracks, replace(path, valid=np.arange(len(path)) == 3)),
    ):
        assert blind.points.shape == (0, 3)
        assert np.isnan(scene_depth(blind))
    assert np.isnan(agreement(tracks, replace(path, times=path.times + 100.0)))


# --- focal lengths --------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pan", "tilt", "walk"])
@pytest.mark.parametrize("wrong", [0.6, 1.7])
def test_turns_tell_the_focal_length_that_a_file_does_not(name, wrong):
    path = path_of(name)
    tracks = tracks_of(path, points_of(path), noise=0.3)
    read = replace(path, focals=wrong * path.focals)
    found = refocused(tracks, read)
    assert agreement(tracks, read) < 0.6
    assert agreement(tracks, found) > 0.95
    np.testing.assert_allclose(found.focals, path.focals, rtol=0.06)


@pytest.mark.parametrize("name", ["still", "roll", "truck", "dolly"])
def test_without_pans_and_tilts_the_focal_length_stays(name):
    path = path_of(name)
    tracks = tracks_of(path, points_of(path), noise=0.3)
    read = replace(path, focals=0.7 * path.focals)
    np.testing.assert_array_equal(refocused(tracks, read).focals, read.focals)


def test_no_focal_length_makes_a_wrong_convention_right():
    path = path_of("pan")
    tracks = tracks_of(path, points_of(path), noise=0.3)
    assert agreement(tracks, refocused(tracks, misread(path, "opengl"))) < 0.5


# --- conventions ----------------------------------------------------------------------------

# What a reader may get wrong, and the motions of MOTIONS that it leaves as they are: then the
# pictures cannot tell, nor need they.
MISREADINGS = {
    "camera_from_world": {"still", "zoom"},
    "opengl": {"still", "zoom", "tilt", "truck"},
    "unreal": {"still", "zoom"},
    "unity": {"still", "zoom", "pan", "truck", "dolly", "arc"},
    "pytorch3d": {"still", "zoom", "roll", "dolly"},
    "body": {"still", "zoom"},
}


def misread(path: Trajectory, words: str) -> Trajectory:
    """Read by a wrong convention, from a file with a world of its own."""
    file = np.eye(4)
    file[:3, :3] = rotation_from_pan_tilt_roll(np.array([40.0, 20.0, 10.0]))
    file[:3, 3] = (3.0, -2.0, 4.0)
    return moved_to(path, to_opencv(file @ matrices(path), Convention.parse(words)))


@pytest.mark.parametrize("name", MOTIONS)
def test_the_right_convention_explains_what_is_seen(name):
    path = path_of(name)
    tracks = tracks_of(path, points_of(path), noise=0.3)
    assert agreement(tracks, misread(path, "")) > 0.95


@pytest.mark.parametrize(
    ("words", "name"), [(w, n) for w, same in MISREADINGS.items() for n in MOTIONS if n not in same]
)
def test_a_wrong_convention_explains_little(words, name):
    path = path_of(name)
    tracks = tracks_of(path, points_of(path), noise=0.3)
    assert agreement(tracks, misread(path, words)) < 0.7


@pytest.mark.parametrize(
    ("words", "name"), [(w, n) for w, same in MISREADINGS.items() for n in sorted(same)]
)
def test_what_a_convention_leaves_as_it_is_cannot_tell(words, name):
    path = path_of(name)
    tracks = tracks_of(path, points_of(path), noise=0.3)
    assert agreement(tracks, misread(path, words)) > 0.95


@pytest.mark.parametrize("name", ["pan", "walk"])
def test_conventions_are_told_on_rendered_clips(name):
    path = camera_path(MOTIONS[name], duration=2.0, rate=8.0, size=(320, 180))
    grey = (
        p.mean(axis=2).astype(np.uint8) for p in render(path, scene("street", 3), Look(noise=2))
    )
    frames = (Frame(i, float(t), g) for i, (t, g) in enumerate(zip(path.times, grey, strict=True)))
    tracks = track_points(frames)
    assert agreement(tracks, misread(path, "")) > 0.95
    for words, same in MISREADINGS.items():
        assert name in same or agreement(tracks, misread(path, words)) < 0.5
