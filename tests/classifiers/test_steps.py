from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.labels import (
    BY_NAME,
    DEFINITIONS,
    DERIVED,
    DIRECTIONS,
    PRIMITIVES,
    opposite_of,
)
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.steps import ETSettings, ETSteps, SpatialVidSettings, SpatialVidSteps
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

AMOUNTS = {"pan": 20.0, "tilt": 15.0, "roll": 15.0, "zoom": 0.35}
AMOUNTS |= {"truck": 0.4, "pedestal": 0.3, "dolly": 0.4}
TRAVELS = ("truck", "pedestal", "dolly")
SIDES = ("left", "right", "cw", "ccw")
SPATIALVID, ET = SpatialVidSteps(), ETSteps()
both = pytest.mark.parametrize("rule", [SPATIALVID, ET], ids=lambda rule: rule.name)

MIXTURES = st.dictionaries(st.sampled_from(DIRECTIONS), st.floats(0.0, 2.0), max_size=4).map(
    lambda shares: [
        Move(name, share * AMOUNTS[BY_NAME[name].axis]) for name, share in shares.items()
    ]
)


def label(rule: Classifier, path: Trajectory, end: float | None = None) -> ShotLabels:
    last = float(path.times[-1]) if end is None else end
    return rule.classify([Hypothesis("any", 1.0, path)], start=0.0, end=last)


def single(name: str, amount: float | None = None, rate: float = 24.0) -> Trajectory:
    full = AMOUNTS[BY_NAME[name].axis]
    return camera_path([Move(name, full if amount is None else amount)], rate=rate)


def in_metres(path: Trajectory, depth: float = 4.0) -> Trajectory:
    centers = depth * path.centers[:, :, None]
    poses = np.concatenate([path.rotations, centers], axis=2)
    return Trajectory.from_poses(path.times, poses, size=path.size, metric=True)


def mirror(name: str) -> str:
    return opposite_of(name) if name.rpartition("_")[2] in SIDES else name


@both
@pytest.mark.parametrize("name", DIRECTIONS)
def test_every_direction_that_a_rule_can_say(rule, name):
    shot = label(rule, single(name))
    sayable = BY_NAME[name].axis in TRAVELS or (rule is SPATIALVID and "zoom" not in name)
    assert shot.labels == ((name,) if sayable else ("static",))
    assert (shot.scores[name] > 0.5) == sayable
    assert shot.scores[opposite_of(name)] == 0.0


@both
def test_a_still_camera_is_static_all_the_time(rule):
    shot = label(rule, camera_path([]))
    assert shot.labels == ("static",)
    assert shot.scores == {d.name: float(d.name == "static") for d in DEFINITIONS}
    assert [segment.motion for segment in shot.segments] == ["static"]
    assert shot.caption == "The camera stands still."


@both
@given(MIXTURES)
@settings(max_examples=25, deadline=None)
def test_a_mirror_swaps_left_and_right(rule, moves):
    path = camera_path(moves, rate=8.0)
    plain, mirrored = label(rule, path), label(rule, path.mirrored())
    assert {mirror(name) for name in plain.labels} == set(mirrored.labels)
    for name in PRIMITIVES:
        assert mirrored.scores[mirror(name)] == pytest.approx(plain.scores[name])


@both
@given(st.sampled_from(DIRECTIONS), st.floats(0.05, 3.0))
@settings(max_examples=25, deadline=None)
def test_a_single_move_run_backwards_is_its_opposite(rule, name, share):
    # Whole steps, since what is left over at the end is not looked at.
    path = camera_path([Move(name, share * AMOUNTS[BY_NAME[name].axis])], duration=3.25, rate=20.0)
    there, back = label(rule, path), label(rule, path.reversed())
    assert {opposite_of(n) if n in DIRECTIONS else n for n in there.labels} == set(back.labels)
    assert back.scores[opposite_of(name)] == pytest.approx(there.scores[name])
    assert back.scores["static"] == pytest.approx(there.scores["static"])


@both
@given(MIXTURES)
@settings(max_examples=25, deadline=None)
def test_scores_are_bounded_and_give_the_labels(rule, moves):
    shot = label(rule, camera_path(moves, rate=8.0))
    assert all(0.0 <= score <= 1.0 for score in shot.scores.values())
    assert set(shot.labels) == {name for name, score in shot.scores.items() if score > 0.5}
    assert {shot.scores[name] for name in DERIVED} == {0.0}
    assert "static" not in shot.labels or shot.labels == ("static",)
    assert {s.motion for s in shot.segments} >= set(shot.labels)
    for first, second in combinations(shot.segments, 2):
        if first.motion in DIRECTIONS and second.motion == opposite_of(first.motion):
            assert min(first.end, second.end) <= max(first.start, second.start)


@both
@pytest.mark.parametrize("name", DIRECTIONS)
def test_the_clock_of_the_estimator_does_not_matter(rule, name):
    said = {label(rule, single(name, rate=rate)).labels for rate in (6.0, 12.0, 24.0, 30.0)}
    assert len(said) == 1


# --- what makes such rules weak -------------------------------------------------------------


def test_a_clear_pan_disappears_when_every_frame_is_a_step():
    """20 degrees over 81 frames are a quarter of a degree a frame, under SpatialVID's half."""
    path = camera_path([Move("pan_right", 20.0)], duration=81 / 24)
    every_frame = SpatialVidSteps(SpatialVidSettings(step=1.0 / 24.0))
    assert label(ThresholdClassifier(), path).labels == ("pan_right",)
    assert label(SPATIALVID, path).labels == ("pan_right",)
    assert label(every_frame, path).labels == ("static",)


def test_a_clear_pan_disappears_when_it_takes_its_time():
    slow = camera_path([Move("pan_right", 20.0)], duration=20.0, rate=8.0)
    assert label(ThresholdClassifier(), slow).labels == ("pan_right",)
    assert label(SPATIALVID, slow).labels == ("static",)


def test_a_trembling_tripod_moves_or_stands_by_how_often_it_is_looked_at():
    """A millimetre up and down 25 times a second is more than E.T.'s two centimetres a second."""
    times = np.arange(250) / 25.0
    poses = np.tile(np.eye(4), (250, 1, 1))
    poses[:, :3, 3] = np.random.default_rng(0).normal(0.0, 0.001, (250, 3))
    still = Trajectory.from_poses(times, poses, size=(640, 360), metric=True)
    assert label(ET, still).labels != ("static",)
    assert label(ETSteps(ETSettings(rate=5.0)), still).labels == ("static",)


def test_the_average_of_spatialvid_lags_behind_the_move():
    path = camera_path([Move("pan_left", 30.0, end=3.0)], duration=8.0, rate=10.0)
    (pan,) = (s for s in label(SPATIALVID, path).segments if s.motion == "pan_left")
    assert pan.start > 0.3
    assert pan.end > 4.0


# --- details of the sources ------------------------------------------------------------------


@pytest.mark.parametrize(("amount", "named"), [(0.49, False), (0.51, True)])
def test_spatialvid_names_a_turn_above_half_a_degree_a_step(amount, named):
    unsmoothed = SpatialVidSteps(SpatialVidSettings(alpha=1.0))
    path = camera_path([Move("tilt_up", 10 * amount)], duration=4.1, rate=10.0)
    assert ("tilt_up" in label(unsmoothed, path).labels) == named


@pytest.mark.parametrize(("amount", "named"), [(0.019, False), (0.021, True)])
def test_spatialvid_names_travel_above_a_fiftieth_of_the_depth_a_step(amount, named):
    unsmoothed = SpatialVidSteps(SpatialVidSettings(alpha=1.0))
    path = camera_path([Move("pedestal_down", 10 * amount)], duration=4.1, rate=10.0)
    assert ("pedestal_down" in label(unsmoothed, path).labels) == named


def test_spatialvid_says_all_that_happens_in_a_step():
    path = camera_path([Move("pan_right", 20.0), Move("dolly_in", 0.5), Move("roll_ccw", 12.0)])
    assert set(label(SPATIALVID, path).labels) == {"pan_right", "dolly_in", "roll_ccw"}


@pytest.mark.parametrize(("metres", "named"), [(0.019, False), (0.021, True)])
def test_et_names_travel_above_two_centimetres_a_second(metres, named):
    path = camera_path([Move("truck_left", 4 * metres)], duration=4.04, rate=25.0)
    assert ("truck_left" in label(ET, in_metres(path, 1.0)).labels) == named


def test_et_takes_the_scene_to_be_four_metres_away_where_no_unit_is_known():
    path = camera_path([Move("dolly_in", 0.3), Move("truck_left", 0.2)], rate=25.0)
    assert label(ET, path).scores == label(ET, in_metres(path, 4.0)).scores
    near = ETSteps(ETSettings(depth_m=0.05))
    assert label(near, path).labels == ("static",)


# Never on a border: 0.3 mm/s beside every whole one.
SPEEDS = st.integers(-1000, 1000).map(lambda millimetres: (millimetres + 0.3) / 1000.0)


@given(st.tuples(SPEEDS, SPEEDS, SPEEDS))
@settings(max_examples=50, deadline=None)
def test_et_leaves_out_the_axis_that_is_far_behind_another(velocity):
    """Of each pair of moving axes the slower goes where it is over 0.4 of the faster behind it."""
    right, up, ahead = velocity
    speeds = {"truck": right, "pedestal": up, "dolly": ahead}
    counted = {axis for axis, speed in speeds.items() if abs(speed) > 0.02}
    for first, second in combinations(sorted(counted), 2):
        slow, fast = sorted((first, second), key=lambda axis: abs(speeds[axis]))
        if (abs(speeds[fast]) - abs(speeds[slow])) / abs(speeds[fast]) > 0.4:
            counted.discard(slow)
    times = np.arange(101) / 25.0
    poses = np.tile(np.eye(4), (101, 1, 1))
    poses[:, :3, 3] = times[:, None] * np.array([right, -up, ahead])
    shot = label(ET, Trajectory.from_poses(times, poses, size=(640, 360), metric=True))
    assert {BY_NAME[n].axis for n in shot.labels if n != "static"} == counted
    assert all(BY_NAME[n].sign * speeds[BY_NAME[n].axis] > 0 for n in shot.labels if n != "static")


def test_et_tells_when_each_travel_happens():
    path = camera_path(
        [Move("truck_right", 0.5, end=4.0), Move("pedestal_up", 0.5, start=4.0)],
        duration=8.0,
        rate=25.0,
    )
    shot = label(ET, path, end=8.0)
    assert [s.motion for s in shot.segments] == ["truck_right", "pedestal_up"]
    first, second = shot.segments
    assert (first.start, first.end) == pytest.approx((0.0, 4.0), abs=0.1)
    assert (second.start, second.end) == pytest.approx((4.0, 8.0), abs=0.1)
    assert shot.scores["truck_right"] == pytest.approx(0.75, abs=0.01)
    assert shot.caption == "The camera trucks right, then moves up."


@pytest.mark.parametrize("start", [0.0, 3.0, 5.5])
def test_et_does_not_tell_what_lasts_half_a_second(start):
    path = camera_path(
        [Move("truck_right", 1.0), Move("dolly_in", 1.0, start=start, end=start + 0.5)],
        duration=6.0,
        rate=25.0,
    )
    assert label(ET, path).labels == ("truck_right",)


def test_et_shares_a_short_run_between_its_neighbours():
    """Without the window: three seconds each, and 0.8 s between that are too short."""
    path = camera_path(
        [
            Move("truck_right", 0.5, end=3.0),
            Move("dolly_in", 0.5, start=3.0, end=3.8),
            Move("truck_left", 0.5, start=3.8),
        ],
        duration=6.84,
        rate=25.0,
    )
    shot = label(ETSteps(ETSettings(window=1)), path)
    assert [s.motion for s in shot.segments] == ["truck_right", "truck_left"]
    assert shot.segments[0].end == pytest.approx(3.4, abs=0.05)


def test_the_likeliest_path_alone_counts():
    right, left = single("truck_right"), single("truck_left")
    for rule in (SPATIALVID, ET):
        shot = rule.classify(
            [Hypothesis("a", 0.6, right), Hypothesis("b", 0.2, left)], start=0.0, end=3.0
        )
        assert shot.scores == label(rule, right).scores
        assert shot.trust == pytest.approx(0.75)


@both
def test_paths_that_a_rule_cannot_read_are_failures(rule):
    lone = Trajectory.from_poses([0.0, 1.0], [np.eye(4)] * 2, size=(64, 36), valid=[True, False])
    short = Trajectory.from_poses([0.0, 0.03], [np.eye(4)] * 2, size=(64, 36))
    endless = Trajectory.from_poses([0.0, 1e12], [np.eye(4)] * 2, size=(64, 36))
    reasons = [label(rule, path).failure for path in (lone, short, endless)]
    assert [failure and failure.reason for failure in reasons] == [
        Reason.FEW_FRAMES_REGISTERED,
        Reason.TOO_SHORT,
        Reason.TOO_LARGE,
    ]


@both
def test_borders_are_inside_the_shot_and_follow_each_other(rule):
    path = camera_path([Move("truck_right", 0.5, end=2.0)], duration=6.0, rate=10.0)
    shot = label(rule, path)
    assert all(0.0 <= s.start < s.end <= shot.end for s in shot.segments)
    assert all(a.start <= b.start for a, b in pairwise(shot.segments))


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_settings_must_be_positive(value):
    with pytest.raises(ValueError, match="step"):
        SpatialVidSettings(step=value)
    with pytest.raises(ValueError, match="rate"):
        ETSettings(rate=value)


def test_shares_are_shares():
    with pytest.raises(ValueError, match="alpha must be at most 1"):
        SpatialVidSettings(alpha=1.5)
    with pytest.raises(ValueError, match="apart must be below 1"):
        ETSettings(apart=1.0)
