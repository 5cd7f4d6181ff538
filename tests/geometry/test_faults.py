from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.geometry import faults
from dollygrip.geometry.filming import film
from dollygrip.geometry.ladder import MODELS
from dollygrip.geometry.normalize import camera_motion
from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.synthetic import Move, camera_path, named_motions
from dollygrip.geometry.trajectory import Trajectory

TIMES = np.linspace(0.0, 3.0, 25)


def ramp(**amounts: float) -> np.ndarray:
    """(25, 7) a steady motion with these totals."""
    return (TIMES / 3.0)[:, None] * np.array([amounts.get(axis, 0.0) for axis in AXES])


def answers(path: Trajectory, count: int = 60, **options: bool):
    return [faults.as_ladder(path, np.random.default_rng(seed), **options) for seed in range(count)]


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_every_answer_is_a_whole_one_and_the_same_for_the_same_seed(seed):
    shot = film(np.random.default_rng(seed), longest=4.0)
    path = shot.path()
    first, second = (faults.seen_through(path, np.random.default_rng(seed)) for _ in range(2))
    probabilities = [hypothesis.probability for hypothesis in first]
    assert sum(probabilities) == pytest.approx(1.0)
    assert probabilities == sorted(probabilities, reverse=True)
    names = {hypothesis.model for hypothesis in first}
    assert names in ({"poses"}, {"static"}, set(MODELS))
    for one, other in zip(first, second, strict=True):
        assert one.trajectory.valid.sum() >= 2
        assert np.array_equal(one.trajectory.centers, other.trajectory.centers)
        motion_profile(one.trajectory)


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_a_curve_integrates_into_the_path_that_has_it(seed):
    curve = np.cumsum(np.random.default_rng(seed).normal(0.0, 3.0, (12, 7)), axis=0)
    curve -= curve[0]
    curve[:, 3:6] /= 50.0
    rotations, centers = faults.integrated(curve)
    poses = np.concatenate([rotations, centers[..., None]], axis=2)
    path = Trajectory.from_poses(np.arange(12) / 8.0, poses, size=(480, 270), scene_depth=1.0)
    assert camera_motion(path).position[:, :6] == pytest.approx(curve[:, :6], abs=1e-9)


@pytest.mark.parametrize("name", sorted(faults.FAULTS))
def test_a_fault_starts_where_the_camera_does_and_changes_something(name):
    _, fault = faults.FAULTS[name]
    curve = ramp(pan=20.0, tilt=5.0, truck=0.3, pedestal=0.1, dolly=0.4, zoom=0.3)
    kept = curve.copy()
    wrong = [fault(TIMES, curve, np.random.default_rng(seed)) for seed in range(8)]
    assert np.array_equal(curve, kept)
    assert any(np.abs(one - curve).max() > 1e-3 for one in wrong)
    if name != "jitter":
        assert all(one[0] == pytest.approx(0.0) for one in wrong)


def test_a_leak_moves_the_picture_as_far_as_the_pan_did():
    curve = ramp(pan=20.0, tilt=-6.0)
    for seed in range(8):
        last = faults.leak(TIMES, curve, np.random.default_rng(seed))[-1]
        assert last[3] != 0.0
        assert last[0] + np.degrees(last[3]) == pytest.approx(20.0)
        assert last[1] + np.degrees(last[4]) == pytest.approx(-6.0)


def test_a_zoom_read_at_a_constant_focal_length_is_a_dolly_the_same_way():
    last = faults.zoom_as_dolly(TIMES, ramp(zoom=0.4), np.random.default_rng(1))[-1]
    assert last[AXES.index("zoom")] == 0.0
    assert 0.2 < last[AXES.index("dolly")] < 0.5
    back = faults.dolly_as_zoom(TIMES, ramp(dolly=-0.4), np.random.default_rng(1))[-1]
    assert -0.5 < back[AXES.index("zoom")] < 0.0


def test_a_scale_jump_leaves_turns_and_the_direction_of_travel():
    curve = ramp(pan=20.0, truck=0.2, dolly=0.4)
    wrong = faults.scale_jump(TIMES, curve, np.random.default_rng(3))
    assert np.array_equal(wrong[:, :3], curve[:, :3])
    steps = np.diff(wrong[:, 3:6], axis=0)
    assert steps[:, 2] == pytest.approx(2.0 * steps[:, 0])
    assert steps[-1, 0] != pytest.approx(steps[0, 0])


@pytest.mark.parametrize(
    ("name", "model"),
    [
        ("static", "static"),
        ("pan_right", "rotation"),
        ("roll_cw", "rotation"),
        ("zoom_in", "rotation+zoom"),
        ("truck_left", "rotation+translation"),
        ("dolly_in", "rotation+translation"),
    ],
)
def test_the_right_model_mostly_wins_and_sometimes_does_not(name, model):
    path = camera_path(named_motions()[name], rate=12.0)
    winners = Counter(found[0].model for found in answers(path, 150))
    assert winners[model] > 0.75 * winners.total()
    assert winners[model] < winners.total()


def test_each_model_reads_the_motion_with_what_it_may_move():
    path = camera_path([Move("pan_right", 10.0), Move("dolly_in", 0.3), Move("zoom_in", 0.2)])
    for found in answers(path, 20):
        for hypothesis in found:
            net = motion_profile(hypothesis.trajectory).net
            travels, zooms = np.abs(net[3:6]).max() > 1e-9, abs(net[6]) > 1e-9
            assert travels == (hypothesis.model in ("rotation+translation", "all"))
            assert zooms == (hypothesis.model in ("rotation+zoom", "all"))
            assert (np.abs(net[:3]).max() > 1e-9) == (hypothesis.model != "static")


def test_a_followed_subject_takes_the_travel_away_more_often():
    path = camera_path([Move("dolly_out", 0.5)], rate=12.0)

    def lost(**options: bool) -> int:
        amounts = [
            motion_profile(found[0].trajectory).net[AXES.index("dolly")]
            for found in answers(path, 150, **options)
        ]
        return sum(amount > -0.25 for amount in amounts)

    assert lost(followed=True) > 1.3 * lost(followed=False) > 0


def test_pose_files_leave_out_what_they_do_not_know():
    path = camera_path([Move("truck_left", 0.4), Move("pan_left", 10.0)], rate=24.0)
    found = [faults.as_poses(path, np.random.default_rng(seed))[0] for seed in range(80)]
    assert all(hypothesis.probability == 1.0 for hypothesis in found)
    known = [np.isfinite(hypothesis.trajectory.scene_depth) for hypothesis in found]
    stated = [bool(hypothesis.trajectory.sigmas.any()) for hypothesis in found]
    whole = [bool(hypothesis.trajectory.valid.all()) for hypothesis in found]
    for share in (known, stated, whole):
        assert 0 < sum(share) < len(found)
