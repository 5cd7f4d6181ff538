"""Paths that look alike do: over a small view they show nearly the same pictures."""

import numpy as np
import pytest

from dollygrip.geometry.bundle import Solution, standing_still
from dollygrip.geometry.lookalikes import (
    inside_out,
    turns_as_travel,
    zoom_against_dolly,
    zoom_as_dolly,
)
from dollygrip.geometry.observations import Observations
from dollygrip.geometry.rotations import is_rotation, log
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Trajectory

# A long lens: 14 by 8 degrees.
LONG = 2000.0


def path_of(*moves: Move) -> Trajectory:
    return camera_path(moves, duration=1.6, rate=5.0, focal=LONG)


def solution(path: Trajectory, seen: Observations, depth: np.ndarray) -> Solution:
    still = standing_still(seen, LONG)
    return Solution(
        rotations=path.rotations,
        centers=path.centers,
        zooms=np.log(path.focals / LONG),
        focal=LONG,
        inverse_depth=depth,
        residual=still.residual,
        energy=still.energy,
        sigmas=still.sigmas,
    )


def pictures(path: Solution, seen: Observations) -> np.ndarray:
    """(K, 2) pixels at which a path sees the tracks."""
    frame, anchor = seen.frame, seen.anchor[seen.track]
    focals = path.focal * np.exp(path.zooms)
    ray = np.column_stack([seen.anchor_xy[seen.track] / focals[anchor, None], np.ones(len(frame))])
    local = np.einsum("kij,kj->ki", path.rotations[anchor], ray)
    local += path.inverse_depth[seen.track, None] * (path.centers[anchor] - path.centers[frame])
    local = np.einsum("kji,kj->ki", path.rotations[frame], local)
    return local[:, :2] / local[:, 2:] * focals[frame, None]


def travelled_pixels(path: Solution, seen: Observations) -> np.ndarray:
    return np.linalg.norm(pictures(path, seen) - seen.anchor_xy[seen.track], axis=1)


def apart(one: Solution, other: Solution, seen: Observations) -> np.ndarray:
    return np.linalg.norm(pictures(one, seen) - pictures(other, seen), axis=1)


@pytest.fixture(scope="module")
def seen_from(scene):
    """A path as a solution, and what it sees."""

    def make(*moves: Move, **kind):
        path = path_of(*moves)
        seen, depth = scene(path, **kind)
        mine = solution(path, seen, depth)
        np.testing.assert_allclose(pictures(mine, seen), seen.xy, atol=1e-6)
        return mine, seen

    return make


FLAT = {"inverse_depths": (1.0, 1.0)}


@pytest.mark.parametrize(("name", "sign"), [("zoom_in", 1), ("zoom_out", -1)])
def test_a_zoom_as_a_dolly(seen_from, name, sign):
    zoom, seen = seen_from(Move(name, 0.1), **FLAT)
    dolly = zoom_as_dolly(zoom)
    assert travelled_pixels(zoom, seen).max() > 15
    assert apart(zoom, dolly, seen).max() < 2.0
    np.testing.assert_array_equal(dolly.zooms, 0.0)
    np.testing.assert_allclose(dolly.centers[-1], [0.0, 0.0, sign * 0.1], atol=1e-9)
    np.testing.assert_array_equal(dolly.rotations, zoom.rotations)


@pytest.mark.parametrize(("name", "sign"), [("zoom_in", 1), ("zoom_out", -1)])
def test_a_zoom_as_a_dolly_zoom(seen_from, name, sign):
    zoom, seen = seen_from(Move(name, 0.1), **FLAT)
    both = zoom_against_dolly(zoom)
    assert apart(zoom, both, seen).max() < 3.0
    np.testing.assert_allclose(both.zooms[-1], sign * 0.2, atol=1e-9)
    np.testing.assert_allclose(both.centers[-1], [0.0, 0.0, -sign * 0.1], atol=1e-9)


def test_the_dolly_goes_where_the_camera_looks(seen_from):
    zoom, _ = seen_from(Move("pan_right", 90.0, end=0.6), Move("zoom_in", 0.3, start=0.8))
    end = zoom_as_dolly(zoom).centers[-1]
    np.testing.assert_allclose(end, [0.3, 0.0, 0.0], atol=1e-6)


@pytest.mark.parametrize(
    ("move", "towards"),
    [
        (Move("pan_right", 3.0), [1, 0, 0]),
        (Move("pan_left", 3.0), [-1, 0, 0]),
        (Move("tilt_up", 3.0), [0, -1, 0]),
        (Move("tilt_down", 3.0), [0, 1, 0]),
        (Move("zoom_in", 0.05), [0, 0, 1]),
    ],
)
def test_a_turn_as_travel(seen_from, move, towards):
    turned, seen = seen_from(move, **FLAT)
    travelled = turns_as_travel(turned)
    assert travelled_pixels(turned, seen).max() > 8
    assert apart(turned, travelled, seen).max() < 2.0
    end = travelled.centers[-1]
    np.testing.assert_allclose(end / np.linalg.norm(end), towards, atol=1e-9)
    np.testing.assert_allclose(log(travelled.rotations), 0.0, atol=1e-9)
    np.testing.assert_array_equal(travelled.zooms, 0.0)


def test_rolls_stay_rolls(seen_from):
    rolled, seen = seen_from(Move("roll_cw", 20.0), **FLAT)
    kept = turns_as_travel(rolled)
    np.testing.assert_allclose(kept.rotations, rolled.rotations, atol=1e-9)
    np.testing.assert_allclose(kept.centers, 0.0, atol=1e-9)
    assert apart(rolled, kept, seen).max() < 1e-6


@pytest.mark.parametrize("name", ["truck_right", "truck_left", "pedestal_up", "pedestal_down"])
def test_a_scene_inside_out(seen_from, name):
    """Other way, other depths, same pictures, for the depths' mean is one."""
    path, seen = seen_from(Move(name, 0.05))
    other = inside_out(path)
    assert travelled_pixels(path, seen).max() > 60
    assert apart(path, other, seen).max() < 5.0
    np.testing.assert_allclose(other.centers, -path.centers, atol=1e-12)
    np.testing.assert_allclose(other.inverse_depth, 2.0 - path.inverse_depth, atol=1e-12)


def test_inside_out_twice_is_as_before(seen_from):
    path, _ = seen_from(Move("truck_right", 0.1), Move("pedestal_up", 0.05), Move("dolly_in", 0.1))
    back = inside_out(inside_out(path))
    np.testing.assert_allclose(back.centers, path.centers, atol=1e-12)
    np.testing.assert_allclose(back.rotations, path.rotations, atol=1e-9)
    np.testing.assert_allclose(back.inverse_depth, path.inverse_depth, atol=1e-12)


@pytest.mark.parametrize("change", [zoom_as_dolly, zoom_against_dolly, turns_as_travel, inside_out])
def test_the_first_camera_stays_the_world(seen_from, change):
    path, _ = seen_from(Move("arc_cw", 20.0), Move("roll_cw", 5.0), Move("zoom_in", 0.2))
    changed = change(path)
    assert is_rotation(changed.rotations, 1e-9)
    np.testing.assert_allclose(changed.rotations[0], np.eye(3), atol=1e-12)
    np.testing.assert_allclose(changed.centers[0], 0.0, atol=1e-12)
    assert changed.zooms[0] == 0.0
    assert (changed.inverse_depth > 0).all()
    nothing, empty = np.zeros(0, np.intp), np.zeros((0, 2))
    unseen = Observations(nothing, nothing, empty, nothing, empty, np.zeros(0), 4)
    still = standing_still(unseen, LONG)
    same = change(still)
    np.testing.assert_allclose(same.rotations, still.rotations, atol=1e-12)
    np.testing.assert_allclose(same.centers, 0.0, atol=1e-12)
