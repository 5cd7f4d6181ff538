from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.synthetic import SIGNED_AXES, Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory


def wander(seed: int) -> Trajectory:
    rng = np.random.default_rng(seed)
    moves = [
        Move(str(name), float(rng.uniform(0.1, 1.0)), start=float(start), end=float(start + 0.5))
        for name, start in zip(
            rng.choice(list(SIGNED_AXES), 4), rng.uniform(0, 0.5, 4), strict=True
        )
    ]
    return camera_path([*moves, Shake(1.0, 0.02, seed)], duration=1.5, rate=12.0)


paths = st.builds(wander, st.integers(0, 2**31))
FLIPPED_IN_A_MIRROR = np.array([-1, 1, -1, -1, 1, 1, 1])


@pytest.mark.parametrize(("name", "axis", "sign"), [(n, a, s) for n, (a, s) in SIGNED_AXES.items()])
@pytest.mark.parametrize("amount", [0.3, 10.0])
def test_a_move_is_measured_on_its_own_axis(name, axis, sign, amount):
    expected = np.zeros(7)
    expected[AXES.index(axis)] = sign * amount
    profile = motion_profile(camera_path([Move(name, amount)], duration=2.0))
    np.testing.assert_allclose(profile.net, expected, atol=1e-6)
    np.testing.assert_allclose(profile.net_first, expected, atol=1e-6)
    np.testing.assert_allclose(profile.path, np.abs(expected), atol=1e-6)
    np.testing.assert_allclose(profile.shake, 0.0, atol=1e-6)
    np.testing.assert_allclose(profile.rates * profile.duration, [expected] * 48, atol=1e-5)


@given(paths)
@settings(max_examples=50)
def test_the_path_is_never_shorter_than_the_net(path):
    profile = motion_profile(path)
    assert (profile.path >= np.abs(profile.net) - 1e-9).all()


@given(paths)
@settings(max_examples=50)
def test_backwards_changes_every_sign(path):
    forth, back = motion_profile(path), motion_profile(path.reversed())
    np.testing.assert_allclose(back.net, -forth.net, atol=1e-7)
    np.testing.assert_allclose(back.rates, -forth.rates[::-1], atol=1e-6)
    np.testing.assert_allclose(back.path, forth.path, atol=1e-7)
    np.testing.assert_allclose(back.shake, forth.shake, atol=1e-7)
    assert np.abs(forth.net).max() > 0.01


@given(paths)
@settings(max_examples=50)
def test_a_mirror_swaps_left_and_right(path):
    here, there = motion_profile(path), motion_profile(path.mirrored())
    np.testing.assert_allclose(there.net, here.net * FLIPPED_IN_A_MIRROR, atol=1e-9)
    np.testing.assert_allclose(there.rates, here.rates * FLIPPED_IN_A_MIRROR, atol=1e-9)
    np.testing.assert_allclose(there.shake, here.shake, atol=1e-9)


@given(paths, st.integers(0, 2**31), st.floats(0.01, 100.0))
@settings(max_examples=50)
def test_world_and_unit_do_not_matter(path, seed, scale):
    rng = np.random.default_rng(seed)
    turn, shift = exp(rng.normal(0.0, 1.0, 3)), rng.normal(0.0, 5.0, 3)
    elsewhere = replace(
        path,
        rotations=turn @ path.rotations,
        centers=scale * path.centers @ turn.T + shift,
        scene_depth=scale,
    )
    here, there = motion_profile(path), motion_profile(elsewhere)
    np.testing.assert_allclose(there.rates, here.rates, atol=1e-5)
    np.testing.assert_allclose(there.net, here.net, atol=1e-6)


SEQUENCE = (
    Move("pan_left", 18.0, start=0.5, end=2.0, eased=True),
    Move("tilt_up", 9.0, start=2.0, end=3.5),
    Move("tilt_down", 9.0, start=3.5, end=4.5, eased=True),
    Move("dolly_in", 0.4, start=1.0, end=4.0),
)


@pytest.mark.parametrize("rate", [8.0, 12.5, 30.0, 60.0])
def test_the_frame_rate_does_not_matter(rate):
    reference = motion_profile(camera_path(SEQUENCE, duration=5.0, rate=24.0))
    profile = motion_profile(camera_path(SEQUENCE, duration=5.0, rate=rate))
    units = np.array([10, 10, 10, 0.3, 0.3, 0.3, 0.3])
    np.testing.assert_allclose(profile.net / units, reference.net / units, atol=0.02)
    np.testing.assert_allclose(profile.path / units, reference.path / units, atol=0.03)
    np.testing.assert_allclose(profile.shake / units, reference.shake / units, atol=0.005)


@given(st.integers(0, 2**31))
@settings(max_examples=30)
def test_dropped_frames_do_not_matter(seed):
    path = camera_path(SEQUENCE, duration=5.0, rate=24.0)
    # Gaps of up to three frames: longer ones hide what the camera did.
    kept = np.random.default_rng(seed).uniform(size=len(path)) < 0.5
    kept[::4] = kept[-1] = True
    whole, part = motion_profile(path), motion_profile(replace(path, valid=kept))
    units = np.array([10, 10, 10, 0.3, 0.3, 0.3, 0.3])
    np.testing.assert_allclose(part.net / units, whole.net / units, atol=0.03)
    np.testing.assert_allclose(part.path / units, whole.path / units, atol=0.1)


def test_moves_are_found_when_they_happen():
    profile = motion_profile(camera_path(SEQUENCE, duration=5.0))
    units = np.array([10, 10, 10, 0.3, 0.3, 0.3, 0.3])
    early = profile.between(0.0, 2.25) / units
    late = profile.between(3.75, 5.0) / units
    assert early[0] == pytest.approx(-1.8, abs=0.1)
    assert 0.0 < early[1] < 0.3
    assert abs(late[0]) < 0.01
    assert -0.9 < late[1] < -0.5


def test_shake_is_no_travel():
    steady = camera_path([Move("pan_right", 15.0)], duration=4.0)
    shaken = camera_path([Move("pan_right", 15.0), Shake(0.6, 0.01)], duration=4.0)
    calm, rough = motion_profile(steady), motion_profile(shaken)
    assert rough.shake[0] > 0.2 > calm.shake[0]
    assert rough.net[0] == pytest.approx(15.0, abs=1.5)


@pytest.mark.parametrize("rate", [12.0, 24.0])
def test_an_abrupt_move_is_no_shake(rate):
    """Corners of 30 degrees a second, next to a tremor of a tenth of a degree."""
    jerky = [Move("pan_right", 15.0, start=1.0, end=1.5), Move("tilt_up", 9.0, start=2.5, end=2.8)]
    calm = motion_profile(camera_path(jerky, duration=4.0, rate=rate))
    rough = motion_profile(camera_path([*jerky, Shake(0.1)], duration=4.0, rate=rate))
    assert (calm.shake[:2] < 0.01).all()
    assert (rough.shake[:2] > 0.03).all()
    assert (rough.shake[3:] < 1e-6).all()


def test_shake_needs_time_to_be_seen():
    assert not motion_profile(camera_path([Shake(1.0)], duration=0.9)).shake.any()


def test_uncertainty_is_in_the_units_of_the_motion():
    path = camera_path([Move("pan_right", 10.0)])
    sigmas = np.zeros((len(path), 7))
    sigmas[-1] = [np.radians(1), np.radians(2), np.radians(3), 0.4, 0.5, 0.6, 0.7]
    profile = motion_profile(
        replace(path, sigmas=sigmas, centers=2.0 * path.centers, scene_depth=2.0)
    )
    np.testing.assert_allclose(profile.sigmas, [2.0, 1.0, 3.0, 0.2, 0.25, 0.3, 0.7])
