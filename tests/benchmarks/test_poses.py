"""Pose errors of many clips taken together, and the command."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import poses
from benchmarks.__main__ import main
from benchmarks.labelling import Verdict
from benchmarks.pose_errors import pose_errors
from benchmarks.poses import ClipPose, honesty, read_path, spread, summaries
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.formats.trajectories import ShotMotion


def _path(*moves: Move, seconds: float = 2.0) -> Trajectory:
    return camera_path(moves, duration=seconds, rate=10.0, size=(480, 270))


def _save(file: Path, path: Trajectory) -> None:
    names = ("times", "rotations", "centers", "focals", "size", "scene_depth")
    np.savez(file, **{name: getattr(path, name) for name in names})


def _stated(path: Trajectory, sigma: float) -> Trajectory:
    return replace(path, sigmas=np.full((len(path), 7), sigma) * (path.times > 0)[:, None])


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
def test_errors_as_large_as_their_sigmas_say_are_honest(scale) -> None:
    rng = np.random.default_rng(0)
    errors = []
    for _ in range(40):
        truth = _path(Move("truck_left", 0.5))
        off = rng.normal(0.0, scale * 0.01, truth.centers.shape) * (truth.times > 0)[:, None]
        errors.append(
            pose_errors(truth, _stated(replace(truth, centers=truth.centers + off), 0.01))
        )
    told = honesty(errors, (3, 4, 5))
    assert told.clips == 40
    assert told.rms == pytest.approx(scale, rel=0.1)
    assert told.median_rms == pytest.approx(scale, rel=0.1)
    within = {0.5: (0.954, 1.0), 1.0: (0.683, 0.954), 2.0: (0.383, 0.683)}[scale]
    assert (told.within_one, told.within_two) == pytest.approx(within, abs=0.03)


def test_clips_weigh_alike_however_long_and_nothing_known_is_left_out() -> None:
    told = spread([np.zeros(1000), np.full(3, 1.0), np.full(5, 2.0), np.array([np.nan])])
    assert (told.median, told.most) == (1.0, 2.0)
    assert np.isnan(spread([np.zeros(0)]).median)


def test_clips_with_the_right_model_are_told_apart() -> None:
    turning = _path(Move("pan_left", 10.0))
    trucking = _path(Move("truck_left", 0.3))
    told = summaries(
        [
            ClipPose("a", errors=pose_errors(turning, turning)),
            ClipPose("b", errors=pose_errors(trucking, turning)),
            ClipPose("c", failure="too_dark"),
        ]
    )
    assert {name: s.clips for name, s in told.items()} == {
        "all": 2,
        "right model": 1,
        "wrong model": 1,
    }
    assert told["all"].still == 1.0
    assert told["right model"].rotation_deg.most == pytest.approx(0.0, abs=1e-5)
    assert told["wrong model"].rotation_deg.most > 9.0
    assert np.isnan(told["right model"].still)


def test_the_longest_shots_likeliest_path_counts(tmp_path, monkeypatch) -> None:
    truth = _path(Move("pan_left", 10.0))
    _save(tmp_path / "a.npz", truth)
    guesses = (Hypothesis("rotation", 0.8, truth), Hypothesis("static", 0.2, _path()))
    shots = (ShotMotion(0.0, 0.5, guesses[1:]), ShotMotion(0.5, 2.0, guesses))
    monkeypatch.setattr(poses, "look", lambda *args, **how: (Verdict(), shots))
    pose = poses.clip_pose(tmp_path / "a.mp4", "flow", None)
    assert (pose.clip, pose.model, pose.errors.right_model) == ("a.mp4", "rotation", True)

    lost = (Verdict(failure="too_dark"), ())
    monkeypatch.setattr(poses, "look", lambda *args, **how: lost)
    assert poses.clip_pose(tmp_path / "a.mp4", "flow", None).failure == "too_dark"


def test_a_stored_path_is_read_and_another_file_refused(tmp_path) -> None:
    truth = _path(Move("arc_cw", 20.0))
    _save(tmp_path / "a.npz", truth)
    read = read_path(tmp_path / "a.npz")
    np.testing.assert_array_equal(read.centers, truth.centers)
    assert (read.size, read.scene_depth) == (truth.size, truth.scene_depth)
    np.savez(tmp_path / "b.npz", times=truth.times)
    with pytest.raises(ValueError, match=r"b\.npz holds no path"):
        read_path(tmp_path / "b.npz")


def test_clips_without_a_path_are_an_error(labels_csv, capsys) -> None:
    assert main(["poses", str(labels_csv({"clip": "a.mp4"}))]) == 1
    assert "no clip with its path" in capsys.readouterr().err


def test_a_clip_that_cannot_be_read_is_listed_by_name(labels_csv, tmp_path) -> None:
    folder = labels_csv({"clip": "a.mp4"})
    _save(folder / "a.npz", _path())
    out = tmp_path / "out"
    assert main(["poses", str(folder), "--jobs=1", "--out", str(out)]) == 0
    assert "| a.mp4 |" in (out / "poses.md").read_text()
    (row,) = csv.DictReader((out / "poses.csv").read_text().splitlines())
    assert row["clip"] == "a.mp4"
    assert row["failure"]
    assert json.loads((out / "poses.json").read_text())["all"]["clips"] == 0
