"""Which tracks move by themselves: exact tracks of known points, then pictures."""

from dataclasses import replace

import numpy as np
import pytest

from dollygrip.classifiers.attributes import SCENE_MOVES
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.synthetic import Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.flow import FlowEstimator
from dollygrip.runners.estimators.movement import movement, moving_share
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.rendering import Look, render
from dollygrip.runners.scenery import Actor, person, scene
from dollygrip.runners.video import Frame

SIZE = (480, 270)
WORLD, MOVERS = 120, 30

MOTIONS = {
    "still": (),
    "pan": (Move("pan_right", 15.0),),
    "truck": (Move("truck_left", 0.3),),
    "dolly": (Move("dolly_in", 0.35),),
    "zoom": (Move("zoom_in", 0.35),),
    "arc": (Move("arc_cw", 15.0),),
    "roll": (Move("roll_cw", 15.0),),
    "handheld": (Move("truck_right", 0.1), Shake(0.4, 0.01)),
}


def path_of(name: str) -> Trajectory:
    return camera_path(MOTIONS[name], duration=2.0, rate=12.0, size=SIZE)


def tracks_of(path: Trajectory, noise: float = 0.0, seed: int = 0) -> Tracks:
    """Points all around, seen wherever they are in view; the last ``MOVERS`` go their own way.

    Those circle in the air, so that no depth can stand for what they do.
    """
    rng = np.random.default_rng(seed)
    count = WORLD + MOVERS
    depth = rng.uniform(0.5, 3.0, count)
    spread = rng.uniform(-1.0, 1.0, (count, 2)) * np.array(SIZE) / 2 / path.focals[0]
    points = np.column_stack([spread, np.ones(count)]) * depth[:, None]
    turning = rng.uniform(3.0, 5.0, MOVERS) * path.times[:, None] + rng.uniform(0, 6, MOVERS)
    circles = 0.06 * np.stack([np.cos(turning), np.sin(turning), 0 * turning], axis=-1)
    places = np.repeat(points[None], len(path), axis=0)
    places[:, WORLD:] += circles * depth[WORLD:, None]
    local = np.einsum("nji,nkj->nki", path.rotations, places - path.centers[:, None])
    xy = local[..., :2] / local[..., 2:] * path.focals[:, None, None]
    xy += rng.normal(0.0, noise, xy.shape)
    inside = (np.abs(xy) < np.array(SIZE) / 2).all(axis=-1) & (local[..., 2] > 0.1)
    frame, track = np.nonzero(inside)
    return replace(EMPTY, times=path.times, frame=frame, track=track, xy=xy[inside])


EMPTY = Tracks(
    times=np.zeros(0),
    size=SIZE,
    frame=np.zeros(0, np.intp),
    track=np.zeros(0, np.intp),
    xy=np.zeros((0, 2)),
    texture=np.zeros(0),
    brightness=np.zeros(0),
    still_frames=np.zeros((0, 2), np.intp),
    still=np.zeros((0, 0), np.bool_),
    textured=np.zeros((0, 0), np.bool_),
)


def long_seen(tracks: Tracks, count: int) -> np.ndarray:
    """Whether a track is seen for a second."""
    return np.bincount(tracks.track, minlength=count) >= 12


@pytest.mark.parametrize("noise", [0.0, 0.2])
@pytest.mark.parametrize("name", MOTIONS)
def test_movers_are_told_from_the_world(name, noise):
    path = path_of(name)
    tracks = tracks_of(path, noise)
    belief = movement(tracks, path)
    seen = long_seen(tracks, len(belief))
    assert seen[:WORLD].sum() > 50
    assert seen[WORLD:].sum() > 10
    assert belief[:WORLD][seen[:WORLD]].max() < 0.1
    assert belief[WORLD:][seen[WORLD:]].min() > 0.9


@pytest.mark.parametrize("name", MOTIONS)
def test_what_moves_by_itself_is_a_share_of_what_was_seen(name):
    path = path_of(name)
    tracks = tracks_of(path, 0.2)
    of_movers = float(np.mean(tracks.track >= WORLD))
    calm = tracks.track < WORLD
    world = replace(tracks, frame=tracks.frame[calm], track=tracks.track[calm], xy=tracks.xy[calm])
    assert moving_share(tracks, path) == pytest.approx(of_movers, abs=0.05)
    assert moving_share(world, path) == 0.0
    assert moving_share(EMPTY, path) == 0.0


@pytest.mark.parametrize("name", MOTIONS)
def test_world_unit_and_picture_size_do_not_matter(name):
    path = path_of(name)
    tracks = tracks_of(path, 0.1)
    turn = rotation_from_pan_tilt_roll(np.array([40.0, 20.0, 10.0]))
    elsewhere = replace(
        path,
        rotations=turn @ path.rotations,
        centers=7.0 * path.centers @ turn.T + 3.0,
        scene_depth=7.0,
        focals=4.0 * path.focals,
        size=(1920, 1080),
    )
    there = movement(tracks, elsewhere)
    np.testing.assert_allclose(there, movement(tracks, path), atol=1e-6)


def test_the_wrong_path_shows():
    """A truck taken for a pan: near and far points cannot both follow, and no scale hides it."""
    path = path_of("truck")
    pan = camera_path((Move("pan_left", 15.0),), duration=2.0, rate=12.0, size=SIZE)
    belief = movement(tracks_of(path), pan)
    assert np.nanmean(belief[:WORLD] > 0.9) > 0.5


def test_a_path_that_drifts_slowly_does_not_make_long_tracks_move():
    """Half of the points are followed for ten seconds, the others for one at a time."""
    still = camera_path((), duration=10.0, rate=12.0, size=SIZE)
    drifting = camera_path((Move("pan_right", 1.0),), duration=10.0, rate=12.0, size=SIZE)
    tracks = tracks_of(still, 0.1)
    lost = (tracks.track % 2).astype(bool)
    cut = np.where(lost, 1000 * (1 + tracks.frame // 12) + tracks.track, tracks.track)
    belief = movement(replace(tracks, track=cut), drifting)
    assert np.nanmax(belief[:WORLD]) < 0.5
    assert np.nanmin(belief[WORLD : WORLD + MOVERS]) > 0.9


@pytest.mark.parametrize("block", [1, 50, 700])
def test_blocks_do_not_matter(monkeypatch, block):
    path = path_of("truck")
    tracks = tracks_of(path, 0.2)
    whole = movement(tracks, path)
    monkeypatch.setattr("dollygrip.runners.estimators.structure.BLOCK", block)
    np.testing.assert_allclose(movement(tracks, path), whole)


def test_a_track_seen_once_says_nothing():
    path = path_of("pan")
    tracks = tracks_of(path)
    keep = (tracks.track != 5) | (tracks.frame == tracks.frame[tracks.track == 5][0])
    belief = movement(
        replace(tracks, frame=tracks.frame[keep], track=tracks.track[keep], xy=tracks.xy[keep]),
        path,
    )
    assert np.isnan(belief[5])
    assert np.isfinite(belief[np.bincount(tracks.track) > 1]).sum() == np.isfinite(belief).sum()


def test_frames_without_a_pose_do_not_count():
    path = path_of("truck")
    tracks = tracks_of(path)
    gap = np.arange(len(path)) // 6 == 1
    blind = replace(
        path,
        valid=~gap,
        centers=np.where(gap[:, None], np.nan, path.centers),
    )
    belief, full = movement(tracks, blind), movement(tracks, path)
    both = np.isfinite(belief) & long_seen(tracks, len(full))
    assert both.sum() > 80
    np.testing.assert_array_equal(belief[both] > 0.5, full[both] > 0.5)


def test_other_times_than_the_tracks_say_nothing():
    path = path_of("pan")
    late = replace(path, times=path.times + 0.01)
    assert np.isnan(movement(tracks_of(path), late)).all()


def test_no_tracks():
    path = path_of("pan")
    assert movement(replace(EMPTY, times=path.times), path).shape == (0,)


@pytest.mark.parametrize("moves", [(), (Move("truck_right", 0.15),), (Move("pan_left", 8.0),)])
def test_points_on_a_walker_score_higher_than_the_rest(moves):
    walker = person(1, 0.5, start=(-0.35, 0.3, 0.7), velocity=(0.25, 0.0, 0.0))
    path = camera_path(moves, duration=2.0, rate=12.0, size=(320, 180))
    room = scene("room", seed=3)
    sensor = Look(noise=1.5)
    pictures = list(render(path, room.with_actors(walker), sensor))
    empty = list(render(path, room))
    grey = (picture.mean(axis=2).astype(np.uint8) for picture in pictures)
    frames = (Frame(i, float(t), g) for i, (t, g) in enumerate(zip(path.times, grey, strict=True)))
    tracks = track_points(frames)
    belief = movement(tracks, path)

    # On the walker is what differs from the empty room.
    pixel = np.round(tracks.xy + (np.array(tracks.size) - 1) / 2).astype(int)
    differs = [
        np.abs(a.astype(int) - b).max(axis=2) > 12 for a, b in zip(pictures, empty, strict=True)
    ]
    on = np.array([differs[f][y, x] for f, (x, y) in zip(tracks.frame, pixel, strict=True)])
    lives = np.bincount(tracks.track, minlength=len(belief))
    share = np.bincount(tracks.track, on, minlength=len(belief)) / np.maximum(lives, 1)
    walking = belief[(share > 0.9) & (lives >= 4)]
    resting = belief[(share < 0.1) & (lives >= 4)]
    assert len(walking) > 10
    assert np.median(walking) > 0.8
    assert np.median(resting) < 0.05
    assert (walking[:, None] > resting).mean() > 0.9


@pytest.mark.parametrize("moves", [(), (Move("truck_right", 0.15),)])
def test_flow_tells_a_scene_in_which_somebody_walks_from_an_empty_one(moves):
    walker = person(1, 0.5, start=(-0.35, 0.3, 0.7), velocity=(0.25, 0.0, 0.0))
    path = camera_path(moves, duration=1.5, rate=8.0, size=(320, 180))
    room = scene("room", seed=3)

    def share(*cast: Actor) -> float:
        pictures = render(path, room.with_actors(*cast), Look(noise=1.5))
        frames = [
            Frame(i, float(t), picture.mean(axis=2).astype(np.uint8))
            for i, (t, picture) in enumerate(zip(path.times, pictures, strict=True))
        ]
        return FlowEstimator().estimate(frames).diagnostics["moving_share"]

    assert share() < SCENE_MOVES < share(walker)
