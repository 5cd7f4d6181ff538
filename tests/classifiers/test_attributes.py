import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.attributes import AMOUNTS, LEVELS, merged
from dollygrip.classifiers.labels import COMPLEXITY, SPEED, STEADINESS
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.trajectory import Hypothesis, Trajectory


def test_speed_follows_the_duration(path, label):
    speeds = [label(path(seconds=s, pan=25.0)).attributes["speed"] for s in (20.0, 4.0, 1.0)]
    assert speeds == list(SPEED)


def test_a_still_camera_has_no_speed(path, label):
    told = label(path()).attributes
    assert (told["speed"], told["steadiness"], told["complexity"]) == (None, "static", "none")


def test_steadiness_follows_the_shake(path, label):
    smooth = path(pan=20.0)
    random = np.random.default_rng(0)
    jitter = random.normal(size=(len(smooth), 3))
    levels = []
    for degrees in (0.0, 0.1, 0.4, 1.5):
        turns = smooth.rotations @ exp(np.radians(degrees * jitter))
        poses = np.concatenate([turns, smooth.centers[:, :, None]], axis=2)
        shaken = Trajectory.from_poses(smooth.times, poses, size=smooth.size, scene_depth=1.0)
        levels.append(label(shaken).attributes["steadiness"])
    assert levels == list(STEADINESS[1:])


@pytest.mark.parametrize(
    ("parts", "level"),
    [
        ([(2.0, {})], "none"),
        ([(2.0, {"pan": 1.5})], "minor"),
        ([(2.0, {"pan": 20.0})], "simple"),
        ([(2.0, {"pan": 20.0, "tilt": 15.0})], "simple"),
        ([(2.0, {"pan": 20.0}), (2.0, {"tilt": 15.0})], "complex"),
        ([(2.0, {"pan": 20.0, "tilt": 15.0, "zoom": 0.3})], "complex"),
        ([(2.0, {"pan": 20.0}), (2.0, {"pan": -20.0})], "complex"),
    ],
)
def test_complexity(sequence, label, parts, level):
    assert label(sequence(*parts)).attributes["complexity"] == level
    assert level in COMPLEXITY


def test_amounts_are_those_of_the_path(sequence, label):
    told = label(sequence((4.0, {"pan": 20.0, "dolly": -0.3, "zoom": 0.2}))).attributes
    assert told["net"]["pan_deg"] == pytest.approx(20.0, rel=0.03)
    assert told["net"]["dolly_depths"] == pytest.approx(-0.3, rel=0.03)
    assert told["net"]["zoom_log"] == pytest.approx(0.2, rel=0.03)
    assert told["net"]["roll_deg"] == pytest.approx(0.0, abs=0.01)
    assert told["visible"]["pan"] > 0.3


def seen(path: Trajectory, **diagnostics: object) -> dict:
    times = path.times
    return (
        ThresholdClassifier()
        .classify(
            [Hypothesis("any", 1.0, path)],
            start=float(times[0]),
            end=float(times[-1]),
            diagnostics=diagnostics,
        )
        .attributes
    )


def appearance(change=5.0, seconds=0.0, blur=0.1) -> dict:
    start = 0.5 if seconds else None
    return {"change": change, "frozen_seconds": seconds, "frozen_start": start, "blur": blur}


def test_what_no_estimator_said_is_not_known(path):
    told = seen(path(pan=20.0))
    assert [told[name] for name in ("scene", "frame_freeze", "motion_blur")] == [None] * 3


@pytest.mark.parametrize(("share", "level"), [(0.0, "still"), (0.005, "still"), (0.1, "moving")])
def test_a_scene_moves_when_a_share_of_it_does(path, share, level):
    assert seen(path(), moving_share=share)["scene"] == level


@pytest.mark.parametrize(
    ("shown", "frozen"),
    [
        (appearance(), False),
        (appearance(seconds=1.0), True),
        (appearance(seconds=0.25), False),
        # A still image, and a scene in which nothing changes but the noise of the codec.
        (appearance(change=None, seconds=4.0), False),
        (appearance(change=0.06, seconds=1.0), False),
    ],
)
def test_a_freeze_is_a_stop_in_pictures_that_change(path, shown, frozen):
    assert seen(path(pan=20.0), appearance=shown)["frame_freeze"] is frozen


def test_blur_is_named_above_its_border(path):
    levels = [
        seen(path(pan=40.0), appearance=appearance(blur=blur))["motion_blur"]
        for blur in (0.1, 0.6, None)
    ]
    assert levels == [False, True, None]


def test_a_camera_that_hardly_moves_blurs_nothing(path):
    grainy = {"appearance": appearance(blur=0.6)}
    assert [seen(path(pan=pan), **grainy)["motion_blur"] for pan in (0.0, 3.0)] == [False] * 2


def test_sweep_is_how_fast_the_picture_goes_by(sequence):
    # 29 degrees are half of a view of 58.
    told = seen(sequence((4.0, {"pan": 29.0})))
    assert told["sweep"] == pytest.approx(0.5 / 4.0, rel=0.05)


def test_the_levels_fit_the_amounts(path):
    told = seen(path(pan=25.0), moving_share=0.3, appearance=appearance())
    assert all(told[name] in levels for name, levels in LEVELS.items())
    assert all(name in told for name in AMOUNTS)


def test_pace_is_a_rate(path):
    fast, slow = (seen(path(seconds=s, pan=25.0))["pace"] for s in (5.0, 20.0))
    assert fast == pytest.approx(4.0 * slow, rel=0.05)
    assert seen(path())["pace"] is None


amounts = st.floats(-0.6, 0.6)


@settings(deadline=None, max_examples=25)
@given(amounts, amounts, amounts, st.floats(-60.0, 60.0))
def test_a_camera_that_stays_level_goes_on_the_ground_as_in_its_own_axes(path, x, y, z, pan):
    told = seen(path(truck=x, pedestal=y, dolly=z, pan=pan))
    for ground, own in (("right", "truck"), ("up", "pedestal"), ("forward", "dolly")):
        assert told["ground"][f"{ground}_depths"] == pytest.approx(
            told["net"][f"{own}_depths"], abs=2e-3
        )


@pytest.mark.parametrize(
    ("turn", "travel", "way"),
    [
        ({"tilt": -90.0}, {"dolly": 0.5}, ("up_depths", -0.5)),
        ({"tilt": -90.0}, {"pedestal": 0.5}, ("forward_depths", 0.5)),
        ({"tilt": 90.0}, {"dolly": 0.5}, ("up_depths", 0.5)),
        ({"pan": 90.0}, {"dolly": 0.5}, ("forward_depths", 0.5)),
        ({"roll": 45.0}, {"dolly": 0.5}, ("forward_depths", 0.5)),
    ],
)
def test_travel_after_a_turn_is_measured_on_the_ground(sequence, turn, travel, way):
    # A pause keeps smoothing from mixing the turn with the travel.
    told = seen(sequence((4.0, turn), (2.0, {}), (4.0, travel)))["ground"]
    name, depths = way
    assert told.pop(name) == pytest.approx(depths, abs=0.02)
    assert np.abs(list(told.values())).max() < 0.02


def test_a_clip_has_the_most_of_what_its_shots_have(path):
    still = seen(path(), moving_share=0.0, appearance=appearance(blur=None))
    busy = seen(path(pan=25.0), moving_share=0.3, appearance=appearance(seconds=2.0, blur=0.5))
    plain = seen(path(pan=2.0))
    for shots in itertools.permutations([still, busy, plain]):
        whole = merged(shots)
        assert (whole["scene"], whole["frame_freeze"], whole["motion_blur"]) == (
            "moving",
            True,
            True,
        )
        assert (whole["speed"], whole["pace"]) == (busy["speed"], busy["pace"])
        assert "ground" not in whole
    assert merged([plain])["scene"] is None
