"""COLMAP models against COLMAP's own library, both ways."""

import struct
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.runners.formats import colmap
from dollygrip.runners.formats.colmap import FORMAT
from dollygrip.runners.formats.path import CameraPath, PoseError


def read(path: Path) -> CameraPath:
    return FORMAT.read(path, FORMAT.convention)


def write(path: Path, cameras: CameraPath) -> None:
    FORMAT.write(path, cameras, FORMAT.convention)


@pytest.fixture(scope="module")
def made() -> pycolmap.Reconstruction:
    pycolmap.set_random_seed(0)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=1, num_cameras_per_rig=1, num_frames_per_rig=9, num_points3D=70
    )
    return pycolmap.synthesize_dataset(options)


@pytest.fixture(scope="module")
def rigs() -> pycolmap.Reconstruction:
    pycolmap.set_random_seed(1)
    options = pycolmap.SyntheticDatasetOptions(
        num_rigs=1, num_cameras_per_rig=2, num_frames_per_rig=4, num_points3D=70
    )
    return pycolmap.synthesize_dataset(options)


def save(model: pycolmap.Reconstruction, folder: Path, kind: str) -> Path:
    folder.mkdir(exist_ok=True)
    (model.write_binary if kind == "binary" else model.write_text)(str(folder))
    return folder


def poses(model: pycolmap.Reconstruction) -> dict[str, np.ndarray]:
    """(4, 4) world_from_camera by name."""
    return {
        image.name: np.vstack([image.cam_from_world().inverse().matrix(), [0, 0, 0, 1]])
        for image in model.images.values()
        if image.has_pose
    }


def calibration(model: pycolmap.Reconstruction, name: str) -> np.ndarray:
    (image,) = (image for image in model.images.values() if image.name == name)
    k = image.camera.calibration_matrix()
    size = image.camera.width, image.camera.height
    return np.array([k[0, 0], k[1, 1], k[0, 2], k[1, 2]]) / np.tile(size, 2)


def compare(cameras: CameraPath, model: pycolmap.Reconstruction) -> None:
    truth = poses(model)
    named = [name for name in cameras.names if name]
    assert sorted(named) == sorted(truth)
    assert cameras.intrinsics is not None
    for k in np.flatnonzero(cameras.there):
        name = cameras.names[k]
        np.testing.assert_allclose(cameras.world_from_camera[k], truth[name], atol=1e-9)
        np.testing.assert_allclose(cameras.intrinsics[k], calibration(model, name), rtol=1e-12)


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_what_pycolmap_writes_is_read(kind, made, tmp_path):
    cameras = read(save(made, tmp_path / "model", kind))
    compare(cameras, made)
    assert list(cameras.names) == sorted(cameras.names)
    assert cameras.size == (made.cameras[1].width, made.cameras[1].height)
    depths = [
        (made.images[seen.image_id].cam_from_world() * point.xyz)[2]
        for point in made.points3D.values()
        for seen in point.track.elements
    ]
    assert cameras.scene_depth == pytest.approx(np.median(depths))


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_models_with_rigs_are_read(kind, rigs, tmp_path):
    compare(read(save(rigs, tmp_path / "model", kind)), rigs)


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_models_from_before_rigs_and_frames_are_read(kind, made, tmp_path):
    folder = save(made, tmp_path / "model", kind)
    for name in ("rigs", "frames"):
        for file in folder.glob(f"{name}.*"):
            file.unlink()
    compare(read(folder), made)


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_a_picture_without_pose_leaves_a_gap(kind, made, tmp_path):
    less = pycolmap.Reconstruction(made)
    less.deregister_frame(sorted(less.frames)[3])
    cameras = read(save(less, tmp_path / "model", kind))
    assert cameras.there.tolist() == [True] * 3 + [False] + [True] * 5
    compare(cameras, less)


def test_every_model_of_a_camera_is_known():
    for kind, (name, count, focals) in colmap._MODELS.items():
        model = pycolmap.CameraModelId(kind)
        assert model.name == name
        camera = pycolmap.Camera.create_from_model_id(1, model, 500.0, 640, 480)
        assert len(camera.params) == count
        assert list(camera.focal_length_idxs()) == list(range(focals))
        assert list(camera.principal_point_idxs()) == [focals, focals + 1][: 2 * bool(focals)]
    assert len(colmap._MODELS) == len(pycolmap.CameraModelId.__members__) - 1


def moving(n: int = 6, **changes: object) -> CameraPath:
    world_from_camera = np.tile(np.eye(4), (n, 1, 1))
    angles = np.column_stack([3.0 * np.arange(n), np.arange(n) / 3, np.zeros(n)])
    world_from_camera[:, :3, :3] = rotation_from_pan_tilt_roll(angles)
    world_from_camera[:, 0, 3] = 0.1 * np.arange(n)
    return CameraPath(world_from_camera, **changes)


@pytest.mark.parametrize("zoom", [False, True])
def test_pycolmap_reads_what_is_written(zoom, tmp_path):
    n = 6
    focals = 0.8 + zoom * 0.1 * np.arange(n)
    cameras = moving(
        n,
        size=(640, 360),
        intrinsics=np.column_stack([focals, focals * 16 / 9, np.full((n, 2), 0.5)]),
        valid=np.arange(n) != 2,
        names=tuple(f"a/{k}.jpg" if k != 2 else "" for k in range(n)),
    )
    write(tmp_path / "model", cameras)
    model = pycolmap.Reconstruction(str(tmp_path / "model"))
    assert model.num_reg_images() == n - 1
    assert len(model.cameras) == (n - 1 if zoom else 1)
    found = poses(model)
    for k in np.flatnonzero(cameras.there):
        name = cameras.names[k]
        np.testing.assert_allclose(found[name], cameras.world_from_camera[k], atol=1e-12)
        np.testing.assert_allclose(calibration(model, name), cameras.intrinsics[k], rtol=1e-12)


def test_pycolmap_reads_what_is_written_of_poses_alone(tmp_path):
    write(tmp_path / "model", moving())
    model = pycolmap.Reconstruction(str(tmp_path / "model"))
    assert sorted(poses(model)) == [f"frame_{k:06d}.png" for k in range(6)]


def test_a_model_is_only_written_over_its_like(made, tmp_path):
    for _ in range(2):
        write(tmp_path / "model", moving())
    save(made, tmp_path / "other", "binary")
    before = sorted((file.name, file.read_bytes()) for file in (tmp_path / "other").iterdir())
    with pytest.raises(PoseError, match=r"other: holds 'cameras\.bin'"):
        write(tmp_path / "other", moving())
    assert before == sorted((f.name, f.read_bytes()) for f in (tmp_path / "other").iterdir())


@pytest.mark.parametrize("names", [("a b.png", "c.png"), ("a", "a"), ("", "b"), ("a\nb", "c")])
def test_names_that_a_model_cannot_hold_become_numbers(names, tmp_path):
    write(tmp_path / "model", moving(2, names=names))
    assert read(tmp_path / "model").names == ("frame_000000.png", "frame_000001.png")


@pytest.mark.parametrize("name", ["images", "cameras", "points3D"])
def test_counts_that_lie_ask_for_nothing(name, made, tmp_path):
    file = save(made, tmp_path / "model", "binary") / f"{name}.bin"
    file.write_bytes(struct.pack("<Q", 2**40) + file.read_bytes()[8:])
    with pytest.raises(PoseError, match=rf"{name}\.bin: .*cut off or damaged"):
        read(tmp_path / "model")


def test_a_picture_with_points_without_end_is_an_error(made, tmp_path):
    file = save(made, tmp_path / "model", "binary") / "images.bin"
    whole = file.read_bytes()
    points = whole.index(b".png\0") + 5
    file.write_bytes(whole[:points] + struct.pack("<Q", 2**62) + whole[points + 8 :])
    with pytest.raises(PoseError, match=r"images\.bin: .*cut off or damaged"):
        read(tmp_path / "model")


POSE = "1 1 0 0 0 0 0 0 1 a.png"


@pytest.mark.parametrize(
    ("cameras", "images", "message"),
    [
        (
            "1 PINHOLE 64 48 50 50 32 24",
            f"{POSE}\n2 1 0 0 0 0 0 0 1 b.png",
            r"images\.txt:2: not the",
        ),
        ("1 PINHOLE 64 48 50 50 32 24", "1 1 0 0 0 0 0 0 1", r"images\.txt:1: 9 columns"),
        ("1 PINHOLE 64 48 50 50 32 24", "1 1 0 x 0 0 0 0 1 a\n", r"images\.txt:1: could not"),
        ("1 PINHOLE 64 48 50 50 32 24", "1 5 0 0 0 0 0 0 1 a\n", r"images\.txt:1: .*length 5"),
        ("1 PINHOLE 64 48 50 50 32 24", "1 1 0 0 0 nan 0 0 1 a\n", r"images\.txt:1: .*not finite"),
        ("1 PINHOLE 64 48 50 50 32 24", "1 1 0 0 0 0 0 0 2 a\n", r"images\.txt:1: .*camera 2"),
        ("1 PINHOLE 64 48 50 50 32 24", "# nothing\n", r"images\.txt: holds no picture"),
        ("1 PINHOLE 64 48 50 50 32", POSE, r"cameras\.txt:1: 3 parameters"),
        ("1 PINHOLE 64 48 -5 50 32 24", POSE, r"images\.txt:1: .*focal length"),
        ("1 HOLE 64 48 50 50 32 24", POSE, r"cameras\.txt:1: an unknown camera model"),
        ("1 PINHOLE 0 48 50 50 32 24", POSE, r"cameras\.txt:1: .*0 x 48"),
        ("1 EQUIRECTANGULAR 64 48 64 48", POSE, r"cameras\.txt:1: .*no focal length"),
        ("1 PINHOLE 64", POSE, r"cameras\.txt:1: "),
    ],
)
def test_texts_that_are_no_model(cameras, images, message, tmp_path):
    (tmp_path / "cameras.txt").write_text(cameras)
    (tmp_path / "images.txt").write_text(images)
    with pytest.raises(PoseError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    ("numbers", "there"),
    [
        (("f_08", "f_09", "f_10"), [1, 1, 1]),
        (("f_9", "f_10", "f_12"), [1, 1, 0, 1]),
        (("f_10", "f_20", "f_40"), [1, 1, 0, 1]),
        (("a_1_left", "a_3_left", "a_4_left"), [1, 0, 1, 1]),
        # What these count is not pictures, or not of one camera.
        (("1403636579763555584", "1403636579813555456", "1403636579863555584"), [1, 1, 1]),
        (("left/1", "left/3", "right/9"), [1, 1, 1]),
        (("a", "b", "c"), [1, 1, 1]),
        (("1", "3", "9" * 900), [1, 1, 1]),
    ],
)
def test_gaps_are_told_by_the_numbers_of_pictures(numbers, there, tmp_path):
    write(tmp_path / "model", moving(3, names=tuple(f"{number}.png" for number in numbers)))
    cameras = read(tmp_path / "model")
    assert cameras.there.tolist() == [bool(mark) for mark in there]
    assert [name for name in cameras.names if name] == [f"{number}.png" for number in numbers]
    np.testing.assert_allclose(
        cameras.world_from_camera[cameras.there], moving(3).world_from_camera, atol=1e-12
    )
