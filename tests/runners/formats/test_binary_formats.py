"""Formats of libraries and estimators: each sample is written out by hand, from the formats' words.

The camera of every sample pans right and travels right, up and ahead.
"""

import io
import json
import math
import random
import re
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.rotations import exp
from dollygrip.runners.formats import catalog
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import CameraPath, PoseError

N = 7
STEP_DEG, RIGHT, UP, AHEAD = 1.5, 0.1, 0.06, 0.04
SIZE = (512, 384)
FX, FY = 400.0, 410.0
DEPTH = 5.0

Sample = Callable[[Path], Path]


def form(name: str) -> PoseFormat:
    found = import_module(f"dollygrip.runners.formats.{name}").FORMAT
    assert isinstance(found, PoseFormat)
    return found


def turn_y(degrees: float) -> np.ndarray:
    """A turn about an axis that points down: to the right."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def truth() -> np.ndarray:
    """(N, 4, 4) world_from_camera, OpenCV axes: x right, y down, z ahead."""
    poses = np.tile(np.eye(4), (N, 1, 1))
    for k in range(N):
        poses[k, :3, :3] = turn_y(STEP_DEG * k)
        poses[k, :3, 3] = (RIGHT * k, -UP * k, AHEAD * k)
    return poses


def camera_from_world() -> np.ndarray:
    return np.linalg.inv(truth())


def opengl() -> np.ndarray:
    """(N, 4, 4) world_from_camera of the same camera in a world with y up: x right, z back."""
    poses = np.tile(np.eye(4), (N, 1, 1))
    for k in range(N):
        poses[k, :3, :3] = turn_y(-STEP_DEG * k)
        poses[k, :3, 3] = (RIGHT * k, UP * k, -AHEAD * k)
    return poses


def rows_from_world() -> np.ndarray:
    """(N, 7) camera_from_world: tx ty tz qx qy qz qw."""
    half = np.radians(STEP_DEG * np.arange(N)) / 2
    quaternions = np.column_stack([0 * half, -np.sin(half), 0 * half, np.cos(half)])
    return np.column_stack([camera_from_world()[:, :3, 3], quaternions])


def matrix(fx: float = FX, fy: float = FY) -> np.ndarray:
    return np.array([[fx, 0, SIZE[0] / 2], [0, fy, SIZE[1] / 2], [0, 0, 1]])


def depths(kind: str = "f4") -> np.ndarray:
    return np.full((N, SIZE[1], SIZE[0]), DEPTH, kind)


def points() -> list[tuple[float, float, float]]:
    """In front of all cameras, at one depth from the first."""
    return [(x, y, DEPTH) for x in (-1.0, 0.0, 1.0) for y in (-1.0, 1.0)]


def colmap_text(folder: Path) -> Path:
    folder /= "model"
    folder.mkdir()
    (folder / "cameras.txt").write_text(
        f"# a comment\n3 PINHOLE {SIZE[0]} {SIZE[1]} {FX} {FY} {SIZE[0] / 2} {SIZE[1] / 2}\n"
    )
    lines = ["# another", ""]
    for k in (2, 0, 1, 3, 4, 5, 6):  # in the order in which they were placed
        tx, ty, tz, qx, qy, qz, qw = rows_from_world()[k]
        seen = "10 20 -1 30.5 40 1" if k % 2 else ""
        lines += [f"{k + 1} {qw} {qx} {qy} {qz} {tx} {ty} {tz} 3 shot_{k + 8}.png", seen]
    (folder / "images.txt").write_text("\n".join(lines) + "\n")
    track = " ".join(f"{k + 1} 0" for k in range(N))
    (folder / "points3D.txt").write_text(
        "".join(f"{i} {x} {y} {z} 0 0 0 0.5 {track}\n" for i, (x, y, z) in enumerate(points()))
    )
    return folder


def colmap_binary(folder: Path) -> Path:
    folder = folder / "scene" / "sparse" / "0"
    folder.mkdir(parents=True)
    lens = struct.pack("<4d", FX, FY, SIZE[0] / 2, SIZE[1] / 2)
    (folder / "cameras.bin").write_bytes(struct.pack("<QIiQQ", 1, 3, 1, *SIZE) + lens)
    images = struct.pack("<Q", N)
    for k in reversed(range(N)):
        tx, ty, tz, qx, qy, qz, qw = rows_from_world()[k]
        images += struct.pack("<I7dI", k + 1, qw, qx, qy, qz, tx, ty, tz, 3)
        images += f"shot_{k + 8}.png".encode() + b"\0"
        images += struct.pack("<Q", 2) + 2 * struct.pack("<ddQ", 10.0, 20.0, 2**64 - 1)
    (folder / "images.bin").write_bytes(images)
    cloud = struct.pack("<Q", len(points()))
    for i, place in enumerate(points()):
        cloud += struct.pack("<Q3d3BdQ", i, *place, 0, 0, 0, 0.5, N)
        cloud += b"".join(struct.pack("<II", k + 1, 0) for k in range(N))
    (folder / "points3D.bin").write_bytes(cloud)
    return folder.parent.parent


def nerfstudio(folder: Path) -> Path:
    # nerfstudio turns COLMAP's world so that z is up, and says so.
    applied = np.array([[1.0, 0, 0, 0], [0, 0, -1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])
    frames = [
        {"file_path": f"images/frame_{k + 8}.png", "transform_matrix": pose.tolist()}
        for k, pose in enumerate(applied @ opengl())
    ]
    random.Random(0).shuffle(frames)
    data = {
        "w": SIZE[0],
        "h": SIZE[1],
        "fl_x": FX,
        "fl_y": FY,
        "cx": SIZE[0] / 2,
        "cy": SIZE[1] / 2,
        "k1": 0.01,
        "frames": frames,
        "applied_transform": applied[:3].tolist(),
    }
    path = folder / "transforms.json"
    path.write_text(json.dumps(data))
    return path


def instant_ngp(folder: Path) -> Path:
    frames = [{"transform_matrix": pose.tolist()} for pose in opengl()]
    data = {"camera_angle_x": 2 * math.atan(SIZE[0] / 2 / FX), "frames": frames}
    path = folder / "transforms_train.json"
    path.write_text(json.dumps({**data, "w": SIZE[0], "h": SIZE[1]}))
    return path


def usd(folder: Path) -> Path:
    samples = "".join(f"{2 * k}: ({RIGHT * k}, {UP * k}, {-AHEAD * k}), " for k in range(N))
    turns = "".join(f"{2 * k}: {-STEP_DEG * k}, " for k in range(N))
    path = folder / "shot.usda"
    path.write_text(
        f"""#usda 1.0
(
    timeCodesPerSecond = 48
    upAxis = "Y"
    metersPerUnit = 1
)
def Xform "Rig"
{{
    double3 xformOp:translate.timeSamples = {{ {samples} }}
    uniform token[] xformOpOrder = ["xformOp:translate"]
    def Camera "Main"
    {{
        float focalLength = {FX / 20}
        float horizontalAperture = {SIZE[0] / 20}
        float verticalAperture = {SIZE[1] / 20 * FX / FY}
        double xformOp:rotateY.timeSamples = {{ {turns} }}
        uniform token[] xformOpOrder = ["xformOp:rotateY"]
    }}
    def Camera "Still" {{ }}
}}
""".replace('def Camera "Still" { }', "")
    )
    return path


def megasam(folder: Path, name: str = "a_droid.npz", kind: str = "f4") -> Path:
    path = folder / name
    images = np.zeros((N, SIZE[1], SIZE[0], 3), np.uint8)
    np.savez(path, images=images, depths=depths(kind), intrinsic=matrix(), cam_c2w=truth())
    return path


def megasam_cvd(folder: Path) -> Path:
    return megasam(folder, "a_sgd_cvd_hr.npz", "f2")


def megasam_folder(folder: Path) -> Path:
    folder /= "reconstruction"
    folder.mkdir()
    np.save(folder / "poses.npy", rows_from_world().astype("f4"))
    pixels = np.tile([FX, FY, SIZE[0] / 2, SIZE[1] / 2], (N, 1))
    # Where MegaSaM's buffer was not filled.
    pixels[3:] = 0
    np.save(folder / "intrinsics.npy", pixels)
    np.save(folder / "disps.npy", 1 / depths())
    np.save(folder / "images.npy", np.zeros((N, 3, SIZE[1], SIZE[0]), np.uint8))
    np.save(folder / "motion_prob.npy", np.ones((N, 5, 6), "f4"))
    return folder


def droid(folder: Path) -> Path:
    folder /= "keyframes"
    folder.mkdir()
    np.save(folder / "tstamps.npy", np.array([0, 2, 3, 7, 8, 9, 12], "f4"))
    np.save(folder / "poses.npy", rows_from_world().astype("f4"))
    pixels = np.tile([FX, FY, SIZE[0] / 2, SIZE[1] / 2], (N, 1))
    np.save(folder / "intrinsics.npy", pixels / 8)
    np.save(folder / "disps.npy", 1 / depths())
    np.save(folder / "images.npy", np.zeros((N, 3, SIZE[1], SIZE[0]), np.uint8))
    return folder


def droid_saved(folder: Path) -> Path:
    import torch

    pixels = np.tile([FX, FY, SIZE[0] / 2, SIZE[1] / 2], (N, 1))
    saved = {
        "tstamps": torch.tensor([0.0, 2, 3, 7, 8, 9, 12]),
        "images": torch.zeros(N, 3, SIZE[1], SIZE[0], dtype=torch.uint8),
        "disps": torch.ones(N, 4, 4),
        "poses": torch.from_numpy(rows_from_world()),
        "intrinsics": torch.from_numpy(pixels / 8),
    }
    torch.save(saved, folder / "scene.pth")
    return folder / "scene.pth"


def vipe(folder: Path) -> Path:
    for part in ("pose", "intrinsics"):
        (folder / part).mkdir()
    inds = np.array([0, 1, 2, 3, 5, 6, 7])
    np.savez(folder / "pose" / "clip.npz", data=truth().astype("f4"), inds=inds)
    pixels = np.tile([FX, FY, SIZE[0] / 2, SIZE[1] / 2], (8, 1)).astype("f4")
    pixels[4, :2] = 1.0  # of the frame without a pose
    np.savez(folder / "intrinsics" / "clip.npz", data=pixels, inds=np.arange(8))
    return folder / "pose" / "clip.npz"


def cut3r(folder: Path) -> Path:
    (folder / "out" / "camera").mkdir(parents=True)
    for k, pose in enumerate(truth()):
        name = folder / "out" / "camera" / f"{k:06d}.npz"
        np.savez(name, pose=pose.astype("f4"), intrinsics=matrix().astype("f4"))
    return folder / "out"


def depth_anything(folder: Path) -> Path:
    path = folder / "results.npz"
    np.savez_compressed(
        path,
        depth=depths(),
        conf=depths(),
        extrinsics=camera_from_world()[:, :3].astype("f4"),
        intrinsics=np.tile(matrix(), (N, 1, 1)),
    )
    return path


def vggt(folder: Path) -> Path:
    path = folder / "predictions.npz"
    np.savez(
        path,
        extrinsic=camera_from_world()[None, :, :3],
        intrinsic=np.tile(matrix(), (1, N, 1, 1)),
        depth=depths()[None, ..., None],
    )
    return path


def npy(folder: Path) -> Path:
    np.save(folder / "trajectory.npy", truth().astype("f4"))
    return folder / "trajectory.npy"


def npz_of_poses(folder: Path) -> Path:
    np.savez(folder / "pi3.npz", camera_poses=truth()[None], points=np.zeros((N, 4, 4, 3)))
    return folder / "pi3.npz"


SAMPLES: dict[str, tuple[str, Sample]] = {
    "colmap text": ("colmap", colmap_text),
    "colmap binary": ("colmap", colmap_binary),
    "nerfstudio": ("nerfstudio", nerfstudio),
    "instant-ngp": ("nerfstudio", instant_ngp),
    "usd": ("usd", usd),
    "megasam": ("megasam", megasam),
    "megasam cvd": ("megasam", megasam_cvd),
    "megasam folder": ("droid", megasam_folder),
    "droid": ("droid", droid),
    "droid saved": ("droid", droid_saved),
    "vipe": ("vipe", vipe),
    "cut3r": ("cut3r", cut3r),
    "depth anything": ("depth_anything", depth_anything),
    "vggt": ("depth_anything", vggt),
    "npy": ("npy", npy),
    "npz": ("npy", npz_of_poses),
}
MINE = sorted({name for name, _ in SAMPLES.values()})
MADE = sorted(SAMPLES)
# One child process a file: too slow to be damaged hundreds of times between other tests.
IN_PROCESS = [sample for sample in MADE if sample != "usd"]


def make(sample: str, folder: Path) -> tuple[PoseFormat, Path]:
    name, maker = SAMPLES[sample]
    folder.mkdir(exist_ok=True)
    return form(name), maker(folder)


def read(sample: str, folder: Path) -> CameraPath:
    found, path = make(sample, folder)
    return found.read(path, found.convention)


@pytest.fixture(scope="module")
def cameras(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], CameraPath]:
    """The poses of a sample, read once for all tests."""
    return cache(lambda sample: read(sample, tmp_path_factory.mktemp("sample")))


@pytest.mark.parametrize("sample", MADE)
def test_the_camera_pans_right_and_travels_right_up_and_ahead(sample, cameras):
    profile = motion_profile(cameras(sample).trajectory(24.0))
    net = dict(zip(AXES, profile.net, strict=True))
    assert net["pan"] == pytest.approx(STEP_DEG * (N - 1), rel=0.1)
    assert net["truck"] > 0 and net["pedestal"] > 0 and net["dolly"] > 0
    assert net["tilt"] == pytest.approx(0, abs=0.01) and net["roll"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("sample", MADE)
def test_each_pose_is_where_it_was(sample, cameras):
    poses = cameras(sample).world_from_camera[cameras(sample).there]
    seen = np.linalg.inv(poses[0]) @ poses
    np.testing.assert_allclose(seen, np.linalg.inv(truth()[0]) @ truth(), atol=1e-6)


@pytest.mark.parametrize("sample", MADE)
def test_the_lens_is_what_it_was(sample, cameras):
    found = cameras(sample)
    if sample in ("npy", "npz"):
        assert found.intrinsics is None
        return
    fy = FX if sample == "instant-ngp" else FY  # square pixels
    expected = (FX / SIZE[0], fy / SIZE[1], 0.5, 0.5)
    assert found.intrinsics is not None
    np.testing.assert_allclose(found.intrinsics, np.tile(expected, (len(found), 1)), rtol=1e-6)
    assert found.size == (None if sample in ("vipe", "cut3r", "usd") else SIZE)


@pytest.mark.parametrize("sample", MADE)
def test_the_scene_is_as_deep_as_it_was(sample, cameras):
    depth = cameras(sample).scene_depth
    if sample.startswith(("megasam", "depth", "vggt")) or sample == "droid":
        assert depth == pytest.approx(DEPTH, rel=1e-3)
    elif sample.startswith("colmap"):
        # Cameras come nearer, and turn.
        assert depth == pytest.approx(DEPTH - AHEAD * (N - 1) / 2, abs=0.15)
    else:
        assert math.isnan(depth)


def test_keyframes_keep_the_numbers_of_their_frames(cameras):
    for sample in ("droid", "droid saved"):
        assert cameras(sample).frames.tolist() == [0, 2, 3, 7, 8, 9, 12]
    assert cameras("vipe").frames.tolist() == [0, 1, 2, 3, 5, 6, 7]


def test_pictures_come_in_the_order_of_their_numbers(cameras):
    names = tuple(f"shot_{k + 8}.png" for k in range(N))
    assert cameras("colmap text").names == cameras("colmap binary").names == names
    assert cameras("nerfstudio").names == tuple(f"images/frame_{k + 8}.png" for k in range(N))


def test_usd_has_times_and_metres(cameras):
    assert cameras("usd").metric
    np.testing.assert_allclose(cameras("usd").times, np.arange(N) / 24)


@pytest.mark.parametrize("sample", MADE)
def test_no_two_formats_claim_a_sample(sample, tmp_path):
    found, path = make(sample, tmp_path)
    head = b"" if path.is_dir() else path.read_bytes()[:4096]
    every = sorted({*MINE, *catalog.names()})
    assert [name for name in every if form(name).matches(path, head)] == [found.name]


def test_files_beside_the_poses_are_no_poses(tmp_path):
    for sample, inner in (
        ("megasam folder", ("disps.npy", "images.npy", "intrinsics.npy", "motion_prob.npy")),
        ("droid", ("tstamps.npy", "disps.npy", "images.npy", "intrinsics.npy")),
        ("vipe", ("../intrinsics/clip.npz",)),
        ("cut3r", ("camera/000003.npz",)),
    ):
        _, path = make(sample, tmp_path / sample)
        for name in inner:
            file = ((path if path.is_dir() else path.parent) / name).resolve()
            head = file.read_bytes()[:4096]
            assert [n for n in MINE if form(n).matches(file, head)] == [], file


def test_the_parts_of_a_folder_mean_the_folder(tmp_path):
    for sample, name in (
        ("megasam folder", "poses.npy"),
        ("droid", "poses.npy"),
        ("colmap text", "images.txt"),
        ("colmap binary", "sparse/0/cameras.bin"),
    ):
        found, folder = make(sample, tmp_path / sample)
        head = (folder / name).read_bytes()[:4096]
        assert [n for n in MINE if form(n).matches(folder / name, head)] == [found.name]
        whole = found.read(folder, found.convention)
        part = found.read(folder / name, found.convention)
        np.testing.assert_array_equal(part.world_from_camera, whole.world_from_camera)


@given(head=st.binary(max_size=200), suffix=st.sampled_from([".npz", ".npy", ".json", ".pth", ""]))
def test_looking_never_raises(tmp_path_factory, head, suffix):
    folder = tmp_path_factory.mktemp("any")
    path = folder / f"a{suffix}"
    for start in (b"", b"PK\x03\x04", b"\x93NUMPY\x01\x00", b"{", b"PXR-USDC"):
        path.write_bytes(start + head)
        for name in MINE:
            assert form(name).matches(path, start + head) in (True, False)
            assert form(name).matches(folder / "gone", start + head) in (True, False)


@pytest.mark.parametrize("name", MINE)
def test_what_is_not_there_is_an_error(name, tmp_path):
    found = form(name)
    for path in (tmp_path / "gone.npz", tmp_path / "gone.pth", tmp_path / "gone", tmp_path):
        with pytest.raises(PoseError, match=re.escape(str(path))):
            found.read(path, found.convention)


# --- round trips ---

WRITE = {"colmap": "model", "nerfstudio": "transforms.json", "npy": "a.npy"}
SMALL = st.floats(-1e3, 1e3, allow_subnormal=False)


@st.composite
def camera_paths(draw: st.DrawFn) -> CameraPath:
    n = draw(st.integers(1, 6))
    poses = np.tile(np.eye(4), (n, 1, 1))
    vectors = draw(st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=n, max_size=n))
    places = draw(st.lists(st.tuples(*[SMALL] * 3), min_size=n, max_size=n))
    poses[:, :3, :3], poses[:, :3, 3] = exp(np.array(vectors)), np.array(places)
    valid = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    valid[draw(st.integers(0, n - 1))] = True
    poses[~valid] = np.nan
    intrinsics = None
    if draw(st.booleans()):
        focals = draw(st.lists(st.floats(0.1, 10.0), min_size=n, max_size=n))
        intrinsics = np.column_stack([focals, np.multiply(focals, 1.5), [[0.5, 0.25]] * n])
        if draw(st.booleans()):
            intrinsics[:] = intrinsics[0]
    times = None
    if draw(st.booleans()):
        times = np.cumsum(draw(st.lists(st.floats(0.01, 1.0), min_size=n, max_size=n)))
    size = draw(st.sampled_from([None, (640, 360)]))
    return CameraPath(
        poses,
        times=times,
        intrinsics=intrinsics,
        size=size,
        valid=valid,
        metric=draw(st.booleans()),
    )


def check_round_trip(name: str, path: Path, cameras: CameraPath, atol: float) -> CameraPath:
    found = form(name)
    found.write(path, cameras, found.convention)
    back = found.read(path, found.convention)
    np.testing.assert_allclose(
        back.world_from_camera[back.there],
        cameras.world_from_camera[cameras.there],
        atol=atol,
    )
    if cameras.intrinsics is not None and "intrinsics" in found.kept:
        assert back.intrinsics is not None
        np.testing.assert_allclose(
            back.intrinsics[back.there], cameras.intrinsics[cameras.there], rtol=1e-6
        )
    return back


@pytest.mark.parametrize("name", WRITE)
@given(cameras=camera_paths())
@settings(max_examples=40)
def test_what_is_written_comes_back(name, tmp_path_factory, cameras):
    path = tmp_path_factory.mktemp("round") / WRITE[name]
    back = check_round_trip(name, path, cameras, atol=1e-9)
    if "gaps" in form(name).kept and cameras.there[0] and cameras.there[-1]:
        steps = np.gcd.reduce(np.diff(np.flatnonzero(cameras.there)))
        np.testing.assert_array_equal(back.there, cameras.there[:: max(1, int(steps))])


@given(cameras=camera_paths())
@settings(max_examples=4)
def test_what_is_written_to_usd_comes_back(tmp_path_factory, cameras):
    folder = tmp_path_factory.mktemp("round")
    back = check_round_trip("usd", folder / f"a.usd{'ac'[len(cameras) % 2]}", cameras, atol=1e-9)
    assert back.metric == cameras.metric
    assert back.times is not None
    np.testing.assert_allclose(back.times, cameras.clock()[cameras.there], atol=1e-9)


@pytest.mark.parametrize("name", [*WRITE, "usd"])
def test_a_place_that_cannot_be_written_is_an_error(name, tmp_path):
    found = form(name)
    path = tmp_path / "gone" / {**WRITE, "usd": "a.usda"}[name]
    with pytest.raises(PoseError, match=re.escape(str(path))):
        found.write(path, CameraPath(truth()), found.convention)


# --- damaged files ---


def files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file())
    return [path]


def damaged(whole: bytes, rng: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        kind, at = rng.random(), rng.randrange(len(data) + 1)
        # Headers and directories decide most; large files are mostly something else.
        at = rng.choice(
            (at, min(at, rng.randrange(300)), max(0, len(data) - rng.randrange(1, 700)))
        )
        if kind < 0.5 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind < 0.75:
            data[at : at + 8] = rng.choice((b"\xff" * 8, bytes(8), b"\xff\xff\xff\x7f\0\0\0\0"))
        elif kind < 0.9:
            data[at:at] = data[at : at + rng.randrange(64)]
        else:
            del data[at:]
    return bytes(data)


def mutants(sample: str, folder: Path, count: int) -> Iterator[tuple[PoseFormat, Path]]:
    """The sample, with one of its files damaged, over and over."""
    found, path = make(sample, folder)
    originals = {file: file.read_bytes() for file in files(path)}
    rng = random.Random(sample)
    for _ in range(count):
        file = rng.choice(list(originals))
        file.write_bytes(damaged(originals[file], rng))
        yield found, path
        file.write_bytes(originals[file])


def check_mutants(sample: str, folder: Path, count: int) -> int:
    errors = 0
    for found, path in mutants(sample, folder, count):
        head = b"" if path.is_dir() else path.read_bytes()[:4096]
        for name in MINE:
            assert form(name).matches(path, head) in (True, False)
        try:
            found.read(path, found.convention)
        except PoseError as error:
            errors += 1
            assert str(folder) in str(error) and "\n" not in str(error)
    return errors


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures so small that damage hits what is read."""
    monkeypatch.setattr(f"{__name__}.SIZE", (16, 12))


@pytest.mark.parametrize("sample", IN_PROCESS)
@pytest.mark.usefixtures("small")
def test_damage_is_an_error_or_does_not_matter(sample, tmp_path):
    assert check_mutants(sample, tmp_path, 40) > 3


@pytest.mark.slow
@pytest.mark.parametrize("sample", IN_PROCESS)
@pytest.mark.usefixtures("small")
def test_much_damage_is_an_error_or_does_not_matter(sample, tmp_path):
    assert check_mutants(sample, tmp_path, 250) > 20


@pytest.mark.slow
def test_damaged_usd_crashes_nothing(tmp_path):
    assert check_mutants("usd", tmp_path, 20) > 5


@pytest.mark.parametrize("sample", [sample for sample in IN_PROCESS if sample != "colmap text"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.999])
@pytest.mark.usefixtures("small")
def test_files_that_are_cut_off_are_errors(sample, part, tmp_path):
    found, path = make(sample, tmp_path)
    for file in files(path):
        # A depth, or a picture's size, is not worth an error.
        if file.name not in ("images.npy", "disps.npy", "motion_prob.npy"):
            whole = file.read_bytes()
            file.write_bytes(whole[: int(part * len(whole))])
            with pytest.raises(PoseError, match=re.escape(str(tmp_path))):
                found.read(path, found.convention)
            file.write_bytes(whole)


@pytest.mark.parametrize("sample", ["megasam", "vipe", "cut3r", "depth anything", "npz", "npy"])
def test_pickles_and_objects_are_refused(sample, tmp_path):
    found, path = make(sample, tmp_path)
    for file in files(path):
        if file.suffix == ".npy":
            np.save(file, np.array([{}, None]))
        else:
            with np.load(file) as arrays:
                shapes = dict(arrays)
            np.savez(file, **{name: np.array([{}, None]) for name in shapes})
    with pytest.raises(PoseError, match="never read"):
        found.read(path, found.convention)


def test_a_saved_pickle_is_not_run(tmp_path):
    import torch

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, str]]:
            return open, (str(tmp_path / "sprung"), "w")

    path = tmp_path / "scene.pth"
    torch.save({"poses": Trap(), "tstamps": 0, "intrinsics": 0}, path)
    with pytest.raises(PoseError, match="no reconstruction"):
        form("droid").read(path, form("droid").convention)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("sample", "changes", "message"),
    [
        ("megasam", {"cam_c2w": np.full((N, 4, 4), np.nan)}, "pose 1 has numbers that are not"),
        ("megasam", {"cam_c2w": np.zeros((N, 4))}, "'cam_c2w' of shape"),
        ("megasam", {"cam_c2w": np.zeros((0, 4, 4))}, "no pose"),
        ("megasam", {"cam_c2w": np.tile(2 * np.eye(4), (N, 1, 1))}, "pose 1 has a matrix"),
        ("megasam", {"intrinsic": np.zeros((3, 3))}, "focal length"),
        ("vipe", {"inds": np.array([0, 1, 2, 3, 3, 6, 7])}, "frame number 3, which is not after"),
        ("vipe", {"inds": np.arange(3)}, "'inds' of shape"),
        ("vipe", {"inds": np.arange(N) - 2}, "frame number"),
        ("vipe", {"inds": np.arange(N) + 5}, "does not have the frames"),
        ("depth anything", {"extrinsics": np.ones((N, 3, 3))}, "'extrinsics' of shape"),
        ("depth anything", {"intrinsics": np.tile(np.eye(3), (N - 1, 1, 1))}, "shape"),
    ],
)
def test_poses_that_are_none_are_errors(sample, changes, message, tmp_path):
    found, path = make(sample, tmp_path)
    with np.load(path) as arrays:
        whole = dict(arrays)
    np.savez(path, **{**whole, **changes})
    with pytest.raises(PoseError, match=message):
        found.read(path, found.convention)


def test_cut3r_lacks_no_frame(tmp_path):
    found, path = make("cut3r", tmp_path)
    (path / "camera" / "000003.npz").unlink()
    with pytest.raises(PoseError, match=r"000003\.npz"):
        found.read(path, found.convention)


def test_a_bad_pose_of_cut3r_is_named_by_its_file(tmp_path):
    found, path = make("cut3r", tmp_path)
    np.savez(path / "camera" / "000002.npz", pose=2 * np.eye(4), intrinsics=matrix())
    with pytest.raises(PoseError, match=r"000002\.npz: pose 3 has a matrix"):
        found.read(path, found.convention)


def test_rows_of_seven_are_read_only_when_named(tmp_path):
    rows = rows_from_world()
    np.save(tmp_path / "a.npy", rows)
    found = form("npy")
    assert not any(
        form(n).matches(tmp_path / "a.npy", (tmp_path / "a.npy").read_bytes()) for n in MINE
    )
    with_words = found.convention.parse("camera_from_world xyzw")
    cameras = found.read(tmp_path / "a.npy", with_words)
    np.testing.assert_allclose(cameras.world_from_camera, truth(), atol=1e-9)


def test_several_arrays_of_poses_are_not_guessed_between(tmp_path):
    np.savez(tmp_path / "a.npz", poses=truth(), c2w=truth())
    with pytest.raises(PoseError, match="c2w, poses"):
        form("npy").read(tmp_path / "a.npz", form("npy").convention)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": {}}, "no list of frames"),
        ({"frames": []}, "no pose"),
        ({"frames": [1]}, "no object"),
        ({"frames": [{"file_path": "a"}]}, "pose 1 has no transform_matrix"),
        ({"frames": [{"transform_matrix": [[1, 2], [3]]}]}, "pose 1 has a transform_matrix"),
        ({"frames": [{"transform_matrix": [[10**400] * 4] * 4}]}, "pose 1 has a transform_matrix"),
        ({"frames": [{"transform_matrix": {"a": 1}}]}, "pose 1 has a transform_matrix"),
        ({"applied_transform": [[0] * 4] * 3}, "[Ss]ingular"),
        ({"applied_transform": "x"}, "could not convert"),
        ({"fl_x": -1}, "focal length"),
        ({"fl_x": 10**400}, "finite"),
        ({"fl_x": "long"}, "fl_x is no number"),
        ({"w": 1e12}, "pixels"),
        (
            {"frames": [{"file_path": "9" * 5000, "transform_matrix": np.eye(4).tolist()}]},
            "name of",
        ),
    ],
)
def test_transforms_that_are_none(changes, message, tmp_path):
    found, path = make("nerfstudio", tmp_path)
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(PoseError, match=message):
        found.read(path, found.convention)


def test_each_frame_may_have_its_own_lens(tmp_path):
    found, path = make("nerfstudio", tmp_path)
    data = json.loads(path.read_text())
    for frame in data["frames"]:
        frame["fl_x"] = 100.0 * int(re.findall(r"\d+", frame["file_path"])[0])
    path.write_text(json.dumps(data))
    intrinsics = found.read(path, found.convention).intrinsics
    assert intrinsics is not None
    np.testing.assert_allclose(intrinsics[:, 0] * SIZE[0], 100.0 * np.arange(8, 8 + N))


def test_a_zip_of_something_else_is_no_poses(tmp_path):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.npy", b"x")
        archive.writestr("poses.npy", b"x")
        shutil.copyfileobj(io.BytesIO(b"x"), archive.open("word/document.xml", "w"))
    with pytest.raises(PoseError, match="no array file"):
        form("npy").read(path, form("npy").convention)


def test_a_saved_reconstruction_without_torch_names_its_extra(tmp_path, monkeypatch):
    found, path = make("droid saved", tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(PoseError, match=r"dollygrip\[dense\]"):
        found.read(path, found.convention)
