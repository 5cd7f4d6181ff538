"""Poses from one file to another: what comes through, what is lost, what is left alone."""

import os
from pathlib import Path

import numpy as np
import pytest

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.conventions import Convention
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.convert import OWN, convert
from dollygrip.runners.formats.catalog import names, pose_format, read_poses
from dollygrip.runners.formats.path import CameraPath, PoseError
from dollygrip.runners.formats.trajectories import ShotMotion, trajectories_npz

N = 8
TIMES = 2.0 + np.arange(N) / 10
SIZE = (640, 360)


def poses() -> np.ndarray:
    """(N, 4, 4) of a camera that pans right and travels right."""
    found = np.tile(np.eye(4), (N, 1, 1))
    angles = np.column_stack([2.0 * np.arange(N), 0.5 * np.arange(N), np.zeros(N)])
    found[:, :3, :3] = rotation_from_pan_tilt_roll(angles)
    found[:, :3, 3] = np.outer(np.arange(N), (0.3, -0.1, 0.05))
    return found


def shares() -> np.ndarray:
    focals = 0.9 + 0.01 * np.arange(N)
    return np.column_stack([focals, focals * 16 / 9, np.full((N, 2), 0.5)])


def write(path: Path, name: str, **fields: object) -> Path:
    found = pose_format(name)
    found.write(path, CameraPath(poses(), **fields), found.convention)
    return path


def trajectory(seed: int = 0) -> Trajectory:
    return Trajectory.from_poses(
        TIMES,
        poses() + seed * np.eye(4, k=3)[None],
        size=SIZE,
        focals=shares()[:, 0] * SIZE[0],
        valid=np.arange(N) != 3,
        scene_depth=4.0,
    )


def motion(path: Path, *shots: ShotMotion) -> Path:
    path.write_bytes(trajectories_npz(shots))
    return path


# What the target of a format has to be called; most formats do not care.
TARGETS = {"colmap": "model", "usd": "b.usda", "npy": "b.npy", "vipe": "pose/b.npz"}


@pytest.mark.parametrize("name", names())
def test_every_format_that_is_written_takes_poses_of_tum(name, tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    target = tmp_path / TARGETS.get(name, "b.out")
    done = convert(source, target, to_format=name)
    assert (done.source_format, done.target_format, done.poses) == ("tum", name, N)
    assert done.target_convention == pose_format(name).convention
    back, _, _ = read_poses(target, name)
    seen = np.linalg.inv(back.world_from_camera[0]) @ back.world_from_camera
    np.testing.assert_allclose(seen, np.linalg.inv(poses()[0]) @ poses(), atol=1e-6)
    if "times" in pose_format(name).kept:
        assert back.times is not None
        np.testing.assert_allclose(np.diff(back.times), np.diff(TIMES), atol=1e-6)
    else:
        assert f"{name} keeps no times" in done.lost
    if "intrinsics" in pose_format(name).kept:
        assert "the source has no focal lengths; a usual one is written" in done.lost


TOLD = {
    "a.chan": "chan",
    "A.CHAN": "chan",
    "a.usda": "usd",
    "a.usdc": "usd",
    "a.usd": "usd",
    "transforms.json": "nerfstudio",
    "a.npy": "npy",
    "model": "colmap",
    "camera_poses.txt": "matrix_rows",
    "pose/a.npz": "vipe",
    "a_droid.npz": "megasam",
    "a_sgd_cvd_hr.npz": "megasam",
}


@pytest.mark.parametrize(("target", "name"), TOLD.items())
def test_the_name_of_the_target_tells_its_format(target, name, tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    assert convert(source, tmp_path / target).target_format == name
    assert read_poses(tmp_path / target)[1].name == name


@pytest.mark.parametrize("target", ["b.txt", "b.json", "b.npz", "b.csv", "b.tar.gz"])
def test_a_name_that_does_not_tell_lists_the_choices(target, tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    with pytest.raises(PoseError, match=rf"{target}: .*--to: .*colmap.*kitti.*tum"):
        convert(source, tmp_path / target)
    assert not (tmp_path / target).exists()


def test_a_format_that_there_is_not_is_refused(tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    with pytest.raises(PoseError, match="no pose format is called 'word'"):
        convert(source, tmp_path / "b.doc", to_format="word")


def test_what_is_lost_is_said(tmp_path):
    source = write(
        tmp_path / "transforms.json",
        "nerfstudio",
        intrinsics=shares(),
        size=SIZE,
        valid=np.arange(N) != 2,
        names=tuple(f"f_{k:03d}.png" for k in range(N)),
    )
    done = convert(source, tmp_path / "a.txt", to_format="kitti")
    assert done.poses == N - 1
    assert done.lost == (
        "kitti keeps no focal lengths, no names of pictures, no gaps",
        "kitti is meant in metres; the source does not say that it is",
    )
    done = convert(source, tmp_path / "b.txt", to_format="tum", rate=10)
    assert "the source has no times; 10 frames a second are taken" in done.lost
    back, _, _ = read_poses(tmp_path / "b.txt")
    assert back.times is not None
    np.testing.assert_allclose(back.times, np.delete(np.arange(N), 2) / 10)
    assert convert(source, tmp_path / "model").lost == ()


def test_a_zoom_that_is_lost_is_said(tmp_path):
    zooming = write(tmp_path / "a.json", "ac3d", intrinsics=shares(), size=SIZE)
    steady = write(tmp_path / "b.json", "ac3d", intrinsics=shares()[:1].repeat(N, 0), size=SIZE)
    said = "megasam has one focal length; the median of all is written"
    assert convert(zooming, tmp_path / "a_droid.npz").lost == (said,)
    assert convert(steady, tmp_path / "b_droid.npz").lost == ()
    back, _, _ = read_poses(tmp_path / "a_droid.npz")
    assert back.intrinsics is not None
    np.testing.assert_allclose(back.intrinsics, np.median(shares(), axis=0)[None].repeat(N, 0))


def test_a_size_is_for_sources_that_do_not_tell_it(tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    convert(source, tmp_path / "transforms.json", size=(400, 300))
    assert read_poses(tmp_path / "transforms.json")[0].size == (400, 300)
    convert(tmp_path / "transforms.json", tmp_path / "model", size=(40, 30))
    assert read_poses(tmp_path / "model")[0].size == (400, 300)


def test_conventions_can_be_told_for_both_ends(tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    done = convert(
        source, tmp_path / "b.txt", to_format="tum", target_convention="camera_from_world wxyz"
    )
    assert done.target_convention == Convention("camera_from_world", "opencv", "wxyz")
    done = convert(
        tmp_path / "b.txt",
        tmp_path / "c.txt",
        from_format="tum",
        to_format="kitti",
        convention="camera_from_world wxyz",
    )
    assert done.source_convention == Convention("camera_from_world", "opencv", "wxyz")
    back, _, _ = read_poses(tmp_path / "c.txt")
    np.testing.assert_allclose(back.world_from_camera, poses(), atol=1e-9)
    with pytest.raises(PoseError, match="upside_down"):
        convert(source, tmp_path / "d.chan", target_convention="upside_down")


def test_the_likeliest_path_of_the_longest_shot_is_taken(tmp_path):
    likely, other = trajectory(), trajectory(seed=5)
    source = motion(
        tmp_path / "clip.npz",
        ShotMotion(0.0, 1.0, (Hypothesis("all", 1.0, other),)),
        ShotMotion(1.0, 4.0, (Hypothesis("rotation", 0.7, likely), Hypothesis("all", 0.3, other))),
        ShotMotion(4.0, 9.0, failure=Failure(Reason.TOO_DARK, "It is dark.")),
    )
    done = convert(source, tmp_path / "a.txt", to_format="tum")
    assert (done.source_format, done.poses) == (OWN, N - 1)
    assert done.lost == (
        "the file has 3 shots; the longest is taken, from 1.000 to 4.000 s",
        "only the likeliest of 2 paths is taken, 'rotation'",
        "tum keeps no focal lengths",
        "the median depth of the scene is not written",
    )
    back, _, _ = read_poses(tmp_path / "a.txt")
    np.testing.assert_allclose(back.times, np.delete(TIMES, 3))
    np.testing.assert_allclose(back.world_from_camera, np.delete(poses(), 3, axis=0), atol=1e-9)
    convert(source, tmp_path / "model")
    cameras, _, _ = read_poses(tmp_path / "model")
    assert cameras.size == SIZE and cameras.there.tolist() == likely.valid.tolist()
    assert cameras.intrinsics is not None
    np.testing.assert_allclose(cameras.intrinsics[likely.valid], shares()[likely.valid])


def test_a_motion_file_without_a_path_is_an_error(tmp_path):
    failed = ShotMotion(0.0, 1.0, failure=Failure(Reason.TOO_DARK, "It is dark."))
    source = motion(tmp_path / "clip.npz", failed)
    with pytest.raises(PoseError, match=r"clip\.npz: holds no path"):
        convert(source, tmp_path / "a.chan")
    with pytest.raises(PoseError, match="one convention"):
        convert(source, tmp_path / "a.chan", convention="opengl")


def test_damaged_motion_files_are_errors(tmp_path):
    source = motion(
        tmp_path / "clip.npz", ShotMotion(0.0, 1.0, (Hypothesis("all", 1.0, trajectory()),))
    )
    whole = source.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        data = bytearray(whole)
        for at in rng.integers(len(data), size=3):
            data[at] = rng.integers(256)
        source.write_bytes(data[: rng.choice((len(data), rng.integers(len(data))))])
        try:
            convert(source, tmp_path / "a.chan")
        except PoseError as error:
            assert "clip.npz" in str(error)


def test_the_source_is_never_written_over(tmp_path):
    source = write(tmp_path / "a.chan", "chan")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link.chan").symlink_to(source)
    os.link(source, tmp_path / "hard.chan")
    before = source.read_bytes()
    for same in (source, tmp_path / "folder" / ".." / "a.chan", tmp_path / "hard.chan"):
        with pytest.raises(PoseError, match="source"):
            convert(source, same, target_convention="opencv")
    with pytest.raises(PoseError, match="no regular file"):
        convert(source, tmp_path / "link.chan", target_convention="opencv")
    assert source.read_bytes() == before


def test_a_model_is_not_written_into_itself(tmp_path):
    (tmp_path / "scene").mkdir()
    model = write(tmp_path / "scene" / "model", "colmap")
    before = {file.name: file.read_bytes() for file in model.iterdir()}
    for source, target in (
        (model, model),
        (model, tmp_path / "scene"),
        (model / "images.txt", model),
    ):
        with pytest.raises(PoseError, match="part of the source"):
            convert(source, target, to_format="colmap", target_convention="opengl")
    assert before == {file.name: file.read_bytes() for file in model.iterdir()}


def test_only_a_regular_file_is_replaced(tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    target = tmp_path / "b.chan"
    target.write_text("old")
    convert(source, target)
    assert len(read_poses(target)[0]) == N
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link.chan").symlink_to(tmp_path / "kept")
    os.mkfifo(tmp_path / "pipe.chan")
    for strange in (tmp_path / "link.chan", tmp_path / "pipe.chan", Path("/dev/null")):
        with pytest.raises(PoseError, match="no regular file"):
            convert(source, strange, to_format="chan")
    assert (tmp_path / "kept").read_text() == "kept"
    (tmp_path / "c.chan").mkdir()
    with pytest.raises(PoseError, match=r"c\.chan"):
        convert(source, tmp_path / "c.chan")


@pytest.mark.parametrize("changes", [{"rate": 0.0}, {"rate": float("nan")}, {"size": (0, 5)}])
def test_numbers_that_mean_nothing_are_errors(changes, tmp_path):
    source = write(tmp_path / "a.txt", "tum", times=TIMES)
    with pytest.raises(PoseError, match=r"rate|size"):
        convert(source, tmp_path / "b.chan", **changes)


def test_a_source_that_is_not_there_is_an_error(tmp_path):
    for name in ("gone.txt", "gone.npz", "gone"):
        with pytest.raises(PoseError, match=name):
            convert(tmp_path / name, tmp_path / "b.chan")
