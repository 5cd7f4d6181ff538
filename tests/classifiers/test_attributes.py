import numpy as np
import pytest

from dollygrip.classifiers.labels import COMPLEXITY, SPEED, STEADINESS
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.trajectory import Trajectory


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
