"""The commands for camera poses of other programs."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

import dollygrip
from dollygrip.cli import main
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.formats.catalog import names, pose_format
from dollygrip.runners.formats.path import CameraPath
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import scene

TUM = pose_format("tum")


def write(path: Path, moved: Trajectory) -> Path:
    TUM.write(path, CameraPath.of(moved), TUM.convention)
    return path


@pytest.fixture
def poses(tmp_path: Path) -> Path:
    """A folder with two paths, one broken file, and one that has nothing to do with it."""
    folder = tmp_path / "poses"
    folder.mkdir()
    write(folder / "left.txt", camera_path([Move("pan_left", 20.0)]))
    write(folder / "in.txt", camera_path([Move("dolly_in", 0.4)]))
    (folder / "notes.md").write_text("nothing")
    return folder


def records(text: str) -> dict[str, list[str]]:
    lines = map(json.loads, text.splitlines())
    return {Path(record["path"]).name: record["labels"] for record in lines}


def test_poses_are_labelled_without_any_video_and_a_second_run_goes_on(
    poses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["label", "--poses", str(poses), "-o", str(tmp_path / "run"), "--jobs", "1"]
    assert main(command) == 0
    first = capsys.readouterr()
    assert records(first.out) == {"left.txt": ["pan_left"], "in.txt": ["dolly_in"]}
    assert main(command) == 0
    again = capsys.readouterr()
    assert "2 of 2 clips are done already" in again.err
    write(poses / "in.txt", camera_path([Move("dolly_out", 0.4)]))
    assert main(command) == 0
    assert records(capsys.readouterr().out)["in.txt"] == ["dolly_out"]


def test_one_bad_pose_file_costs_only_itself(
    poses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (poses / "bad.txt").write_text("0 0 0 0 0 0 0 1\n1 nan 0 0 0 0 0 1\n")
    run = str(tmp_path / "run")
    assert main(["label", "--poses", str(poses), "-o", run, "--jobs", "1"]) == 2
    said = capsys.readouterr()
    assert records(said.out) == {"left.txt": ["pan_left"], "in.txt": ["dolly_in"], "bad.txt": []}
    assert "bad.txt:2" in said.err


def test_poses_beside_clips_are_held_against_them_and_redone_when_they_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, poses = tmp_path / "clips", tmp_path / "poses"
    clips.mkdir()
    poses.mkdir()
    moved = camera_path([Move("pan_left", 15.0)], duration=1.2, rate=12.0, size=(480, 270))
    write_video(clips / "a.mp4", render(moved, scene("room", seed=5), Look()), moved.times)
    write(poses / "a.txt", moved.reversed())
    command = ["label", str(clips), "--poses", str(poses), "-o", str(tmp_path / "run")]
    command += ["--jobs", "1"]
    assert main(command) == 2
    assert "--convention" in capsys.readouterr().err
    write(poses / "a.txt", moved)
    os.utime(poses / "a.txt", (time.time() + 5, time.time() + 5))
    assert main(command) == 0
    assert records(capsys.readouterr().out) == {"a.mp4": ["pan_left"]}
    shutil.rmtree(poses)
    poses.mkdir()
    assert main(command) == 2
    assert "no poses for" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["label"], "name a clip"),
        (["label", "x.mp4", "--format", "tum"], "--format is for --poses only"),
        (["label", "x.mp4", "--rate", "3", "--unit", "any"], "--rate, --unit are for --poses"),
    ],
)
def test_wrong_use_is_said_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 1
    assert said in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--convention", "sideways"], "sideways"),
        (["--format", "tumm"], "tumm"),
        (["--poses", "nowhere"], "nowhere"),
    ],
)
def test_settings_that_make_no_sense_are_named(
    given: list[str], said: str, poses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["label", "--poses", str(poses), "-o", str(tmp_path / "run"), "--jobs", "1", *given]
    assert main(command) in (1, 2)
    assert said in capsys.readouterr().err


def test_convert_says_what_is_lost(
    poses: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "left.kitti"
    assert main(["convert", str(poses / "left.txt"), str(target), "--to", "kitti"]) == 0
    said = capsys.readouterr()
    assert said.out.strip() == str(target)
    assert "times" in said.err
    back = dollygrip.read_poses(target, format="kitti")
    first = dollygrip.read_poses(poses / "left.txt")
    np.testing.assert_allclose(back.rotations, first.rotations, atol=1e-9)
    np.testing.assert_allclose(back.centers, first.centers, atol=1e-9)


def test_convert_fails_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(tmp_path / "none.txt"), str(tmp_path / "x.chan")]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert "none.txt" in said
    assert len(said.splitlines()) == 1


def test_formats_are_listed_with_what_they_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["formats", "--json"]) == 0
    listed = {line["name"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}
    assert sorted(listed) == names()
    assert listed["realestate10k"]["convention"] == "camera_from_world opencv"
    assert main(["formats"]) == 0
    assert "realestate10k" in capsys.readouterr().out


def test_doctor_says_what_is_ready_and_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MEGASAM_ROOT", raising=False)
    assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "flow" in text
    assert "MEGASAM_ROOT" in text
    assert main(["doctor", "--json"]) == 0
    assert "estimators" in json.loads(capsys.readouterr().out)


def test_a_path_of_ones_own_is_labelled_from_python(poses: Path) -> None:
    path = dollygrip.Trajectory.from_poses(
        times=np.arange(10) / 10.0,
        world_from_camera=np.array([np.eye(4)] * 10),
        size=(640, 360),
        scene_depth=1.0,
    )
    assert dollygrip.label_trajectory(path).labels == ("static",)
    read = dollygrip.read_poses(poses / "in.txt")
    assert dollygrip.label_trajectory(read).labels == ("dolly_in",)
    backwards = dollygrip.label_trajectory(dollygrip.read_poses(poses / "in.txt").reversed())
    assert backwards.labels == ("dolly_out",)
