from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.normalize import camera_motion, translation_scale
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.synthetic import Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory


def wander(seed: int) -> Trajectory:
    rng = np.random.default_rng(seed)
    names = rng.choice(["pan_left", "truck_right", "dolly_in", "tilt_up", "roll_cw", "zoom_out"], 3)
    moves = [Move(str(name), float(rng.uniform(0.1, 1.0))) for name in names]
    return camera_path([*moves, Shake(2.0, 0.05, seed)], duration=1.0, rate=12.0)


paths = st.builds(wander, st.integers(0, 2**31))
FLIPPED_IN_A_MIRROR = np.array([-1, 1, -1, -1, 1, 1, 1])


def in_another_world(path: Trajectory, seed: int, scale: float) -> Trajectory:
    rng = np.random.default_rng(seed)
    turn, shift = exp(rng.normal(0.0, 1.0, 3)), rng.normal(0.0, 50.0, 3)
    return replace(
        path,
        rotations=turn @ path.rotations,
        centers=(scale * path.centers) @ turn.T + shift,
        scene_depth=path.scene_depth * scale,
    )


@given(paths, st.integers(0, 2**31), st.floats(0.01, 100.0), st.booleans())
def test_world_and_unit_do_not_matter(path, seed, scale, depth_known):
    if not depth_known:
        path = replace(path, scene_depth=float("nan"))
    here, there = camera_motion(path), camera_motion(in_another_world(path, seed, scale))
    np.testing.assert_allclose(there.position, here.position, atol=1e-5)
    np.testing.assert_allclose(there.net_first, here.net_first, atol=1e-5)


@given(paths, st.booleans())
def test_backwards_changes_every_sign(path, depth_known):
    if not depth_known:
        path = replace(path, scene_depth=float("nan"))
    forth, back = camera_motion(path).position, camera_motion(path.reversed()).position
    np.testing.assert_allclose(np.diff(back, axis=0), -np.diff(forth, axis=0)[::-1], atol=1e-9)


@given(paths)
def test_a_mirror_swaps_left_and_right(path):
    here, there = camera_motion(path), camera_motion(path.mirrored())
    np.testing.assert_allclose(there.position, here.position * FLIPPED_IN_A_MIRROR, atol=1e-9)
    np.testing.assert_allclose(there.net_first, here.net_first * FLIPPED_IN_A_MIRROR, atol=1e-9)


def test_a_turn_then_a_push_differ_by_whose_axes_are_asked():
    """Ahead for the camera that has turned is right for the camera that began."""
    turn_then_push = [Move("pan_right", 90.0, end=1.0), Move("dolly_in", 0.5, start=1.0)]
    motion = camera_motion(camera_path(turn_then_push, duration=2.0))
    pan, _, _, truck, _, dolly, _ = motion.position[-1]
    assert (pan, truck, dolly) == pytest.approx((90.0, 0.0, 0.5), abs=0.02)
    assert motion.net_first[3] == pytest.approx(0.5, abs=0.02)
    assert motion.net_first[5] == pytest.approx(0.0, abs=0.02)


def test_an_unknown_depth_makes_the_widest_distance_half_a_depth():
    out_and_half_back = [Move("dolly_in", 7.0, end=1.0), Move("dolly_out", 3.5, start=1.0)]
    path = replace(camera_path(out_and_half_back, duration=2.0), scene_depth=float("nan"))
    assert translation_scale(path) == pytest.approx(0.5 / 7.0, rel=0.01)
    assert translation_scale(path.reversed()) == translation_scale(path)


def test_metres_are_believed():
    path = replace(camera_path([Move("dolly_in", 0.002)]), scene_depth=float("nan"), metric=True)
    assert abs(camera_motion(path).position[-1, 5]) < 0.001


@given(st.integers(0, 2**31))
def test_round_off_is_not_motion(seed):
    still = replace(camera_path([Move("pan_left", 20.0)]), scene_depth=float("nan"))
    assert not camera_motion(in_another_world(still, seed, 1.0)).position[:, 3:6].any()


def test_frames_without_pose_are_bridged():
    path = camera_path([Move("pan_right", 12.0), Move("truck_left", 0.2)])
    holes = np.arange(len(path)) % 3 != 1
    whole, bridged = camera_motion(path), camera_motion(replace(path, valid=holes))
    assert len(bridged.times) == holes.sum()
    np.testing.assert_allclose(bridged.position[-1], whole.position[holes][-1], atol=1e-3)


def test_one_pose_is_no_motion():
    path = camera_path([])
    with pytest.raises(ValueError, match="two valid poses"):
        camera_motion(replace(path, valid=np.arange(len(path)) == 4))
