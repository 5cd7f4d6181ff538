import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.labels import (
    BY_NAME,
    DEFINITIONS,
    DERIVED,
    DIRECTIONS,
    PRIMITIVES,
    opposite_of,
)
from dollygrip.classifiers.raw_delta import RawDeltaClassifier, net_change, score
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

AMOUNTS = {"pan": 15.0, "tilt": 10.0, "roll": 15.0, "zoom": 0.35}
AMOUNTS |= {"truck": 0.3, "pedestal": 0.2, "dolly": 0.35}
SIDES = ("left", "right", "cw", "ccw")

PATHS = st.dictionaries(st.sampled_from(DIRECTIONS), st.floats(0.0, 2.0), max_size=4).map(
    lambda shares: camera_path(
        [Move(name, share * AMOUNTS[BY_NAME[name].axis]) for name, share in shares.items()],
        duration=1.0,
        rate=8.0,
    )
)


def label(*trajectories: Trajectory, probabilities: tuple[float, ...] = (1.0,)) -> ShotLabels:
    classifier: Classifier = RawDeltaClassifier()
    told = zip(trajectories, probabilities, strict=True)
    return classifier.classify([Hypothesis("any", p, t) for t, p in told], start=0.0, end=1.0)


def single(name: str, amount: float | None = None) -> Trajectory:
    return camera_path([Move(name, AMOUNTS[BY_NAME[name].axis] if amount is None else amount)])


def mirror(name: str) -> str:
    return opposite_of(name) if name.rpartition("_")[2] in SIDES else name


@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_direction_is_the_change_along_its_axis_and_sign(name):
    shot = label(single(name))
    assert name in shot.labels
    assert max(PRIMITIVES, key=lambda label: shot.scores[label]) == name
    assert shot.scores[opposite_of(name)] == pytest.approx(1.0 - shot.scores[name])
    d = BY_NAME[name]
    delta = dict(zip(AXES, shot.attributes["delta"].values(), strict=True))
    change = d.sign * AMOUNTS[d.axis]
    expected = np.expm1(change) if d.axis == "zoom" else change
    assert delta.pop(d.axis) == pytest.approx(expected, rel=1e-5)
    assert list(delta.values()) == pytest.approx([0.0] * 6)


def test_only_a_path_without_any_change_is_static():
    shot = label(camera_path([]))
    assert shot.labels == ("static",)
    assert {shot.scores[name] for name in PRIMITIVES} == {0.5}
    barely = label(single("pan_right", 1e-5))
    assert "pan_right" in barely.labels
    assert "static" not in barely.labels


def test_labels_of_which_the_rule_knows_nothing_score_nothing():
    shot = label(camera_path([Move("arc_cw", 30.0)]))
    assert {shot.scores[name] for name in DERIVED} == {0.0}
    assert not set(shot.labels) & set(DERIVED)
    assert set(shot.scores) == {d.name for d in DEFINITIONS}


@pytest.mark.parametrize(
    ("name", "amount", "counts"),
    [("pan_left", 45.0, 0.25), ("zoom_in", np.log(2.0), 1.0), ("dolly_out", 0.3, 0.3)],
)
def test_static_is_minus_the_largest_change_with_turns_over_180_degrees(name, amount, counts):
    assert label(single(name, amount)).scores["static"] == pytest.approx(score(-counts))


def test_travel_is_in_the_axes_of_the_first_camera():
    around = camera_path([Move("pan_right", 90.0, end=1.0), Move("dolly_in", 1.0, start=1.0)])
    _, _, _, truck, pedestal, dolly, _ = net_change(around)
    assert (truck, pedestal, dolly) == pytest.approx((1.0, 0.0, 0.0), abs=1e-9)


def test_a_pan_beyond_90_degrees_folds_back_and_looks_like_a_tilt_and_a_roll():
    turns = np.abs(net_change(single("pan_right", 120.0))[:3])
    assert turns == pytest.approx([60.0, 180.0, 180.0])


@given(st.tuples(*[st.floats(-3.0, 3.0)] * 3), st.tuples(*[st.floats(-3.0, 3.0)] * 3))
def test_turns_are_the_euler_angles_zyx_of_scipy(world, turn):
    first = Rotation.from_rotvec(world)
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[:, :3, :3] = np.stack(
        [first.as_matrix(), (first * Rotation.from_rotvec(turn)).as_matrix()]
    )
    roll, pan, tilt = Rotation.from_rotvec(turn).as_euler("zyx", degrees=True)
    if abs(pan) < 89.9:
        told = net_change(Trajectory.from_poses([0.0, 1.0], poses, size=(640, 360)))
        apart = (told[:3] - [pan, tilt, roll] + 180.0) % 360.0 - 180.0
        assert apart == pytest.approx([0.0] * 3, abs=1e-6)


@given(PATHS)
@settings(max_examples=25, deadline=None)
def test_a_mirror_swaps_left_and_right(path):
    plain, mirrored = label(path), label(path.mirrored())
    for name in PRIMITIVES:
        assert mirrored.scores[mirror(name)] == pytest.approx(plain.scores[name], abs=1e-6)


@given(st.sampled_from([n for n in DIRECTIONS if "zoom" not in n]), st.floats(0.01, 2.0))
@settings(max_examples=25, deadline=None)
def test_a_single_move_run_backwards_is_its_opposite(name, share):
    path = single(name, share * AMOUNTS[BY_NAME[name].axis])
    there, back = label(path), label(path.reversed())
    assert back.scores[opposite_of(name)] == pytest.approx(there.scores[name])
    assert back.scores["static"] == pytest.approx(there.scores["static"])


@given(PATHS, st.tuples(*[st.floats(-3.0, 3.0)] * 3), st.tuples(*[st.floats(-9.0, 9.0)] * 3))
@settings(max_examples=25, deadline=None)
def test_neither_the_world_nor_the_poses_between_matter(path, turn, shift):
    world = Rotation.from_rotvec(turn).as_matrix()
    poses = np.concatenate(
        [world @ path.rotations, (path.centers @ world.T + shift)[:, :, None]], axis=2
    )
    ends = [0, len(path) - 1]
    moved = Trajectory.from_poses(
        path.times[ends], poses[ends], size=path.size, focals=path.focals[ends]
    )
    assert net_change(moved) == pytest.approx(net_change(path), abs=1e-9)


def test_the_unit_of_the_path_counts_as_it_is():
    near = single("truck_left", 0.2)
    far = Trajectory.from_poses(
        near.times,
        np.concatenate([near.rotations, 10.0 * near.centers[:, :, None]], axis=2),
        size=near.size,
        scene_depth=10.0,
    )
    assert label(far).scores["truck_left"] == pytest.approx(score(2.0))


def test_poses_that_do_not_count_are_no_ends():
    path = camera_path([Move("pan_right", 20.0)], duration=2.0, rate=10.0)
    inner = Trajectory.from_poses(
        path.times,
        np.concatenate([path.rotations, path.centers[:, :, None]], axis=2),
        size=path.size,
        valid=(path.times > 0.45) & (path.times < 1.45),
    )
    assert net_change(inner)[0] == pytest.approx(20.0 * 0.9 / 1.9)


def test_scores_keep_the_order_of_any_amounts_in_a_record():
    amounts = 1.001 ** np.arange(np.log(1e-6) / np.log(1.001), np.log(1e12) / np.log(1.001))
    scores = [round(score(float(amount)), 6) for amount in amounts]
    assert all(a < b for a, b in pairwise(scores))
    assert 0.5 < scores[0] < scores[-1] < 1.0
    assert score(0.0) == 0.5


@given(st.floats(-1e300, 1e300))
def test_a_score_turns_with_the_sign(value):
    assert 0.0 < score(value) < 1.0
    assert score(-value) == pytest.approx(1.0 - score(value))


def test_the_likeliest_path_alone_counts():
    right, left = single("pan_right"), single("pan_left")
    shot = label(right, left, probabilities=(0.6, 0.2))
    assert shot.scores == label(right).scores
    assert shot.trust == pytest.approx(0.75)


def test_a_path_without_two_poses_is_a_failure():
    lone = Trajectory.from_poses([0.0, 1.0], [np.eye(4)] * 2, size=(64, 36), valid=[True, False])
    for shot in (label(lone), label(lone, single("pan_right"), probabilities=(1.0, 0.0))):
        assert shot.failure is not None
        assert shot.failure.reason is Reason.FEW_FRAMES_REGISTERED
        assert shot.scores == {}


def test_a_path_beyond_all_numbers_is_a_failure():
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[:, 0, 3] = -1.7e308, 1.7e308
    shot = label(Trajectory.from_poses([0.0, 1.0], poses, size=(64, 36)))
    assert shot.failure is not None
    assert shot.failure.reason is Reason.DID_NOT_CONVERGE


def test_doubts_and_diagnostics_are_passed_on():
    doubt = Failure(Reason.DYNAMIC_SCENE, "Much moves.")
    shot = RawDeltaClassifier().classify(
        [Hypothesis("any", 1.0, single("pan_right"))],
        start=0.0,
        end=1.0,
        doubts=[doubt],
        diagnostics={"frames": 3},
    )
    assert shot.doubts == (doubt,)
    assert shot.diagnostics == {"frames": 3}


@given(PATHS)
@settings(max_examples=25, deadline=None)
def test_records_survive_json(path):
    shot = label(path)
    told = json.loads(json.dumps(shot.to_dict(), allow_nan=False))
    assert ShotLabels.from_dict(told).to_dict() == shot.to_dict()
    assert told["caption"]
