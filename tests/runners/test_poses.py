"""Poses of other programs: labelled alone, and held against the video they belong to."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.conventions import Convention
from dollygrip.geometry.synthetic import Motion, Move, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.poses import PosesEstimator, PosesSettings, poses_of
from dollygrip.runners.formats.catalog import find_poses, pose_format
from dollygrip.runners.formats.path import CameraPath, PoseError
from dollygrip.runners.pipeline import ClipResult, label_clip_file
from dollygrip.runners.rendering import Look, render, write_video
from dollygrip.runners.scenery import scene

MOVES: dict[str, tuple[Motion, ...]] = {
    "pan_left": (Move("pan_left", 15.0),),
    "truck_right": (Move("truck_right", 0.35),),
    "dolly_in": (Move("dolly_in", 0.4),),
    "crane": (Move("pedestal_up", 0.3), Move("tilt_down", 12.0)),
}
SAID = {"crane": {"pedestal_up", "tilt_down"}}
TUM = pose_format("tum")


def cameras(path: Trajectory, unit: float = 1.0) -> CameraPath:
    """What a file of the path holds, in some unit of length."""
    return CameraPath.of(replace(path, centers=unit * path.centers))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Trajectory]]:
    """Rendered clips by name, with their paths."""
    folder, world = tmp_path_factory.mktemp("clips"), scene("street", seed=3)
    made = {}
    for name, moves in MOVES.items():
        path = camera_path(moves, duration=1.5, rate=12.0, size=(480, 270))
        made[name] = (folder / f"{name}.mp4", path)
        write_video(made[name][0], render(path, world, Look(noise=1.0)), path.times)
    return made


def labelled(clip: Path, **settings: str) -> ClipResult:
    return label_clip_file(clip, PosesEstimator(PosesSettings(**settings)), ThresholdClassifier())


@pytest.mark.parametrize("name", MOVES)
def test_a_pose_file_alone_is_labelled(name: str, tmp_path: Path) -> None:
    path = camera_path(MOVES[name], duration=2.0)
    file = tmp_path / f"{name}.txt"
    TUM.write(file, cameras(path, unit=120.0), TUM.convention)
    record = labelled(file).record
    assert record.failure is None
    assert SAID.get(name, {name}) <= set(record.labels)
    assert record.whole.diagnostics["format"] == "tum"
    assert record.whole.diagnostics["convention"] == "world_from_camera opencv xyzw"


@pytest.mark.parametrize("name", MOVES)
@pytest.mark.parametrize("unit", [0.01, 100.0])
def test_with_the_video_the_scene_gives_the_path_its_scale(
    clips: dict[str, tuple[Path, Trajectory]], name: str, unit: float, tmp_path: Path
) -> None:
    clip, path = clips[name]
    file = tmp_path / f"{name}.txt"
    TUM.write(file, cameras(path, unit=unit), TUM.convention)
    result = labelled(clip, poses=str(tmp_path))
    assert SAID.get(name, {name}) == set(result.record.labels) - {"crane_up"}
    assert result.record.whole.diagnostics["explained"] > 0.9
    if name in ("truck_right", "dolly_in"):  # parallax enough to see how far the scene is
        assert result.shots[0].hypotheses[0].trajectory.scene_depth == pytest.approx(unit, rel=0.5)
        assert Reason.NO_PARALLAX_SCALE not in {d.reason for d in result.record.whole.doubts}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("truck_right", "camera_from_world"),
        ("dolly_in", "opengl"),
        *(
            pytest.param(name, meant, marks=pytest.mark.slow)
            for name, meant in (
                ("pan_left", "camera_from_world"),
                ("crane", "camera_from_world opengl"),
                ("crane", "unreal"),
                ("crane", "wxyz"),
                ("crane", "rotations_inverted"),
            )
        ),
    ],
)
def test_a_wrong_convention_is_found_and_the_right_one_named(
    clips: dict[str, tuple[Path, Trajectory]], name: str, meant: str, tmp_path: Path
) -> None:
    clip, path = clips[name]
    file = tmp_path / f"{name}.txt"
    TUM.write(file, cameras(path), Convention.parse(meant, TUM.convention))
    result = labelled(clip, poses=str(file))
    failure = result.record.failure
    assert failure is not None
    assert failure.reason is Reason.WRONG_CONVENTION
    named = failure.message.split('"')[1]
    cured = labelled(clip, poses=str(file), convention=named).record
    assert cured.failure is None
    assert SAID.get(name, {name}) <= set(cured.labels)


@pytest.mark.parametrize("meant", ["world_from_camera", "camera_from_world"])
@pytest.mark.parametrize("lens", [0.6, pytest.param(1.5, marks=pytest.mark.slow)])
def test_a_file_without_focal_lengths_may_be_of_any_lens(
    lens: float, meant: str, tmp_path: Path
) -> None:
    path = camera_path(
        [Move("pan_left", 20.0), Move("tilt_up", 10.0)],
        duration=1.5,
        rate=12.0,
        size=(480, 270),
        focal=lens * 480,
    )
    clip = tmp_path / "clip.mp4"
    write_video(clip, render(path, scene("street", seed=3), Look(noise=1.0)), path.times)
    file = tmp_path / "poses.txt"
    TUM.write(file, cameras(path), Convention.parse(meant, TUM.convention))
    result = labelled(clip, poses=str(file))
    if meant == "camera_from_world":
        assert result.record.failure is not None
        assert result.record.failure.reason is Reason.WRONG_CONVENTION
        assert "camera_from_world opencv" in result.record.failure.message
        return
    assert set(result.record.labels) == {"pan_left", "tilt_up"}
    found = result.shots[0].hypotheses[0].trajectory
    assert found.focals[0] / max(found.size) == pytest.approx(lens, rel=0.1)


def test_poses_of_another_clip_are_doubted(
    clips: dict[str, tuple[Path, Trajectory]], tmp_path: Path
) -> None:
    other = camera_path([Move("roll_cw", 30.0), Move("zoom_in", 0.2)], duration=1.5)
    TUM.write(tmp_path / "other.txt", cameras(other), TUM.convention)
    record = labelled(clips["pan_left"][0], poses=str(tmp_path / "other.txt")).record
    assert Reason.POSES_DISAGREE in {doubt.reason for doubt in record.whole.doubts}


def test_as_many_poses_as_frames_belong_to_one_each_whatever_clock_the_file_has(
    clips: dict[str, tuple[Path, Trajectory]], tmp_path: Path
) -> None:
    clip, path = clips["pan_left"]
    fast = CameraPath(cameras(path).world_from_camera, times=1e6 + 0.001 * np.arange(len(path)))
    TUM.write(tmp_path / "pan_left.txt", fast, TUM.convention)
    result = labelled(clip, poses=str(tmp_path))
    assert result.record.labels == ("pan_left",)
    times = result.shots[0].hypotheses[0].trajectory.times
    np.testing.assert_allclose(times, path.times, atol=1e-3)


def test_poses_of_a_few_frames_are_spread_over_the_clip(
    clips: dict[str, tuple[Path, Trajectory]], tmp_path: Path
) -> None:
    clip, path = clips["pan_left"]
    kept = np.linspace(0, len(path) - 1, 7).round().astype(int)
    few = CameraPath(cameras(path).world_from_camera[kept])
    kitti = pose_format("kitti")
    kitti.write(tmp_path / "pan_left.txt", few, kitti.convention)
    result = labelled(clip, poses=str(tmp_path))
    assert result.record.labels == ("pan_left",)
    assert result.shots[0].end == pytest.approx(path.times[-1], abs=0.01)


def test_which_poses_belong_to_a_clip(tmp_path: Path) -> None:
    clip = Path("films/pan.left.mp4")
    with pytest.raises(PoseError, match="no poses for"):
        poses_of(clip, tmp_path)
    (tmp_path / "pan.left_droid.npz").touch()
    assert poses_of(clip, tmp_path).name == "pan.left_droid.npz"
    (tmp_path / "pan.left.txt").touch()
    assert poses_of(clip, tmp_path).name == "pan.left.txt"
    (tmp_path / "pan.left.json").touch()
    with pytest.raises(PoseError, match="2 files fit"):
        poses_of(clip, tmp_path)
    assert poses_of(clip, tmp_path / "any.txt") == tmp_path / "any.txt"


def test_what_cannot_be_read_is_a_failure_that_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "torn.txt"
    file.write_text("0 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1\n2 0 0\n")
    failure = labelled(file).record.failure
    assert failure is not None
    assert failure.reason is Reason.NOT_READABLE
    assert f"{file}:3" in failure.message
    missing = labelled(tmp_path / "none.txt").record.failure
    assert missing is not None
    assert "none.txt" in missing.message


def test_one_pose_is_no_motion(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("0 0 0 0 0 0 0 1\n")
    failure = labelled(tmp_path / "one.txt").record.failure
    assert failure is not None
    assert failure.reason is Reason.FEW_FRAMES_REGISTERED


def test_metres_make_small_moves_small(tmp_path: Path) -> None:
    path = camera_path([Move("pan_right", 15.0), Move("truck_left", 0.02)], duration=2.0)
    TUM.write(tmp_path / "small.txt", cameras(path), TUM.convention)
    assert labelled(tmp_path / "small.txt", unit="metres").record.labels == ("pan_right",)
    assert "truck_left" in labelled(tmp_path / "small.txt").record.labels


def test_folders_are_searched_for_what_looks_like_poses(tmp_path: Path) -> None:
    path = cameras(camera_path([Move("pan_right", 15.0)], duration=0.5))
    (tmp_path / "below").mkdir()
    for name in ("b.txt", "below/a.txt", ".hidden.txt"):
        TUM.write(tmp_path / name, path, TUM.convention)
    (tmp_path / "readme.md").write_text("# Poses\n")
    (tmp_path / "clip.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    (tmp_path / "link.txt").symlink_to(tmp_path / "b.txt")
    assert list(find_poses([tmp_path])) == [tmp_path / "b.txt", tmp_path / "below" / "a.txt"]
    assert list(find_poses([tmp_path], "kitti")) == []
    assert list(find_poses([tmp_path / "readme.md"])) == [tmp_path / "readme.md"]


@pytest.mark.parametrize("settings", [{"rate": 0.0}, {"convention": "sideways"}])
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"rate|sideways"):
        PosesSettings(**settings)


def test_every_camera_of_a_file_is_a_clip(tmp_path: Path) -> None:
    recammaster = pose_format("recammaster")
    file = tmp_path / "camera_extrinsics.json"
    merged: dict[str, dict[str, str]] = {}
    for camera, move in (("cam01", "pan_left"), ("cam02", "dolly_in")):
        path = cameras(camera_path([Move(move, 0.5 if move == "dolly_in" else 20.0)], rate=8.0))
        recammaster.write(file, path, recammaster.convention)
        for frame, held in json.loads(file.read_text()).items():
            merged.setdefault(frame, {})[camera] = next(iter(held.values()))
    file.write_text(json.dumps(merged))
    found = list(find_poses([tmp_path]))
    assert [path.name for path in found] == [f"{file.name}#cam01", f"{file.name}#cam02"]
    assert labelled(found[0]).record.labels == ("pan_left",)
    record = labelled(found[1]).record
    assert record.labels == ("dolly_in",)
    assert record.provenance["content"]["size"] == file.stat().st_size
    failure = labelled(file.with_name(f"{file.name}#cam07")).record.failure
    assert failure is not None
    assert "cam07" in failure.message


def test_frames_of_a_timeline_are_counted_from_the_first_pose(
    clips: dict[str, tuple[Path, Trajectory]], tmp_path: Path
) -> None:
    clip, path = clips["pan_left"]
    poses = cameras(path).world_from_camera
    chan = pose_format("chan")
    chan.write(
        tmp_path / "pan_left.chan",
        CameraPath(poses, frames=1001 + np.arange(len(path))),
        chan.convention,
    )
    result = labelled(clip, poses=str(tmp_path))
    assert result.record.labels == ("pan_left",)
    times = result.shots[0].hypotheses[0].trajectory.times
    np.testing.assert_allclose(times, path.times, atol=1e-3)
