import numpy as np
import pytest

from dollygrip.geometry.profile import AXES
from dollygrip.geometry.synthetic import SIGNED_AXES, Move, Shake, camera_path, named_motions
from dollygrip.geometry.trajectory import Trajectory


def seen(path: Trajectory, points: np.ndarray) -> np.ndarray:
    """(N, P, 2) pixels of world points (P, 3) in every frame, x right and y down."""
    local = np.einsum("nji,npj->npi", path.rotations, points[None] - path.centers[:, None])
    middle = np.array(path.size) / 2
    return local[..., :2] / local[..., 2:] * path.focals[:, None, None] + middle


@pytest.mark.parametrize("name", SIGNED_AXES)
def test_what_the_viewer_sees(name, seen_as):
    path = camera_path([Move(name, 0.2)])
    ahead = seen(path, np.array([[0.0, 0.0, 1.0], [0.1, 0.0, 1.0]]))
    first, last = ahead[0], ahead[-1]
    x, y = last[0] - first[0]
    arm_first, arm_last = first[1] - first[0], last[1] - last[0]
    measured = {
        "x": x,
        "y": y,
        "turn": np.degrees(np.arctan2(arm_last[1], arm_last[0])),
        "size": np.linalg.norm(arm_last) / np.linalg.norm(arm_first) - 1.0,
    }
    what, sign = seen_as[name]
    assert sign * measured[what] > 0.1
    if what in ("turn", "size"):
        assert np.hypot(x, y) < 1e-9


def test_mirrored_and_reversed_moves_are_their_opposites():
    for forth, back in [("pan_right", "pan_left"), ("truck_left", "truck_right")]:
        path, opposite = camera_path([Move(forth, 0.5)]), camera_path([Move(back, 0.5)])
        np.testing.assert_allclose(path.mirrored().rotations, opposite.rotations, atol=1e-12)
        np.testing.assert_allclose(path.mirrored().centers, opposite.centers, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "turns", "travels"),
    [
        ("arc_cw", ("pan", 1), ("truck", -1)),
        ("arc_ccw", ("pan", -1), ("truck", 1)),
        ("crane_up", ("tilt", -1), ("pedestal", 1)),
        ("crane_down", ("tilt", 1), ("pedestal", -1)),
    ],
)
@pytest.mark.parametrize("eased", [False, True])
def test_an_arc_is_a_circle_around_the_subject(name, turns, travels, eased):
    path = camera_path([Move(name, 60.0, distance=1.3, eased=eased)], duration=2.0)
    subject = np.array([0.0, 0.0, 1.3])
    # To a millionth of a frame, although the curve is integrated.
    middle = np.array(path.size) / 2
    np.testing.assert_allclose(seen(path, subject[None])[:, 0], [middle] * len(path), atol=2e-3)
    radius = np.linalg.norm(path.centers - subject, axis=1)
    np.testing.assert_allclose(radius, 1.3, atol=1e-5)
    curve = Move(name, 60.0).position(path.times)[-1]
    for axis, sign in (turns, travels):
        assert np.sign(curve[AXES.index(axis)]) == sign


@pytest.mark.parametrize(("name", "zoom"), [("dolly_zoom_in", 1), ("dolly_zoom_out", -1)])
def test_a_dolly_zoom_keeps_the_subject_and_bends_the_rest(name, zoom):
    path = camera_path([Move(name, 0.4)])
    subject, behind = seen(path, np.array([[0.2, 0.1, 1.0], [0.2, 0.1, 3.0]])).swapaxes(0, 1)
    np.testing.assert_allclose(subject, [subject[0]] * len(path), atol=1e-6)
    assert zoom * (behind[-1] - behind[0])[0] > 5
    assert zoom * np.log(path.focals[-1] / path.focals[0]) > 0.2


def test_a_sequence_does_one_thing_after_the_other():
    sequence = [Move("pan_left", 14.0, end=1.0), Move("tilt_up", 9.0, start=1.5, end=2.0)]
    path = camera_path(sequence, duration=3.0, rate=24.0)
    ahead = path.rotations[:, :, 2]
    first, pause, rest = path.times <= 1.0, (path.times >= 1) & (path.times <= 1.5), path.times >= 2
    np.testing.assert_allclose(ahead[first][:, 1], 0.0, atol=1e-12)
    np.testing.assert_allclose(np.ptp(ahead[pause], axis=0), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.ptp(ahead[rest], axis=0), 0.0, atol=1e-12)
    assert -ahead[rest][0, 1] == pytest.approx(np.sin(np.radians(9.0)))


@pytest.mark.parametrize("rate", [10.0, 25.0])
def test_a_shake_is_the_same_at_every_rate(rate):
    shake = Shake(0.5, 0.01, seed=3)
    slow = camera_path([shake], duration=2.0, rate=rate)
    fast = camera_path([shake], duration=2.0, rate=2 * rate)
    np.testing.assert_allclose(fast.rotations[::2], slow.rotations, atol=1e-4)
    np.testing.assert_allclose(fast.centers[::2], slow.centers, atol=1e-4)


def test_a_shake_is_as_strong_as_asked_and_differs_by_seed():
    times = np.arange(0.0, 20.0, 1 / 60)
    curve = Shake(0.5, 0.01, seed=1).position(times)
    np.testing.assert_allclose(curve.std(axis=0)[:6], [0.5, 0.5, 0.25, *3 * [0.01]], rtol=0.25)
    np.testing.assert_array_equal(curve[0], 0.0)
    assert np.abs(curve - Shake(0.5, 0.01, seed=2).position(times)).max() > 0.2


def test_every_named_motion_ends_where_a_viewer_notices():
    motions = named_motions(3.0)
    assert set(SIGNED_AXES) < set(motions)
    points = np.array([[0.3, 0.2, 1.0], [-0.3, -0.2, 2.0]])
    for name, moves in motions.items():
        pixels = seen(camera_path(moves, duration=3.0), points)
        travel = np.linalg.norm(pixels - pixels[0], axis=-1).max()
        assert (travel == 0) if name == "static" else (travel > 3.0), name


def test_at_least_two_poses_and_the_asked_times():
    assert len(camera_path([], duration=0.01)) == 2
    path = camera_path([], duration=2.0, rate=12.5)
    np.testing.assert_allclose(path.times, np.arange(25) / 12.5, atol=1e-12)


@pytest.mark.parametrize(
    "wrong", [("pan_up", 1.0), ("pan_left", -1.0), ("dolly_zoom_out", 1.0), ("static", 0.0)]
)
def test_moves_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ValueError, match=r"unknown move|expected 0 or more|through its subject"):
        Move(*wrong)
