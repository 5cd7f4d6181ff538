"""Results of other programs as this one writes them: what is in the files, and what comes back."""

import errno
import math
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.geometry.conventions import Convention
from dollygrip.geometry.rotations import exp
from dollygrip.runners.convert import convert
from dollygrip.runners.formats import catalog
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import CameraPath, PoseError

# What the target of each format is called.
TARGETS = {
    "megasam": "a_droid.npz",
    "droid": "reconstruction",
    "vipe": "pose/a.npz",
    "cut3r": "results",
    "depth_anything": "results.npz",
    "matrix_rows": "camera_poses.txt",
}
FOLDERS = ("droid", "cut3r")
SIZE = (640, 360)
# Of 10 and 20 degrees, and of half of these.
C1, S1, C2, S2 = 0.984807753012208, 0.17364817766693033, 0.9396926207859084, 0.3420201433256687
HC1, HS1 = 0.9961946980917455, 0.08715574274765817
# A camera that steps to its right by 1 and pans to its right by 10 degrees, and again.
WORLD_FROM_CAMERA = [
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
    [[C1, 0, S1, 1], [0, 1, 0, 0], [-S1, 0, C1, 0], [0, 0, 0, 1]],
    [[C2, 0, S2, 2], [0, 1, 0, 0], [-S2, 0, C2, 0], [0, 0, 0, 1]],
]
CAMERA_FROM_WORLD = [
    [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]],
    [[C1, 0, -S1, -C1], [0, 1, 0, 0], [S1, 0, C1, -S1]],
    [[C2, 0, -S2, -2 * C2], [0, 1, 0, 0], [S2, 0, C2, -2 * S2]],
]
ROWS_FROM_WORLD = [
    [0, 0, 0, 0, 0, 0, 1],
    [-C1, 0, -S1, 0, -HS1, 0, HC1],
    [-2 * C2, 0, -2 * S2, 0, -S1, 0, C1],
]
K = [[576, 0, 320], [0, 576, 180], [0, 0, 1]]
SHARES = np.array([0.9, 1.6, 0.5, 0.5])


def form(name: str) -> PoseFormat:
    found = import_module(f"dollygrip.runners.formats.{name}").FORMAT
    assert isinstance(found, PoseFormat)
    return found


def write(name: str, path: Path, cameras: CameraPath, convention: Convention | None = None) -> Path:
    found = form(name)
    found.write(path, cameras, convention or found.convention)
    return path


def read(name: str, path: Path, convention: Convention | None = None) -> CameraPath:
    found = form(name)
    return found.read(path, convention or found.convention)


def right(**fields: object) -> CameraPath:
    """The camera that goes and pans to the right."""
    given_ = {"intrinsics": np.tile(SHARES, (3, 1)), "size": SIZE, **fields}
    return CameraPath(np.array(WORLD_FROM_CAMERA, np.float64), **given_)


def close(actual: object, expected: object) -> None:
    np.testing.assert_allclose(actual, expected, atol=1e-12)


def contents(folder: Path) -> dict[Path, bytes | None]:
    """All that is below a folder, scratch files, too."""
    return {p: p.read_bytes() if p.is_file() else None for p in sorted(folder.rglob("*"))}


# --- what is in the files ---


def test_megasam_has_matrices_one_lens_and_the_size_of_its_pictures(tmp_path):
    focals = np.array([0.8, 0.9, 1.3])
    zoom = np.column_stack([focals, focals * 16 / 9, np.full((3, 2), 0.5)])
    path = write("megasam", tmp_path / "a_droid.npz", right(intrinsics=zoom))
    with np.load(path, allow_pickle=False) as data:
        assert set(data) == {"images", "intrinsic", "cam_c2w"}
        close(data["cam_c2w"], WORLD_FROM_CAMERA)
        close(data["intrinsic"], K)
        # As MegaSaM's exporter to COLMAP takes it; there is no picture to be taken for one.
        assert data["images"].shape[1:3] == (360, 640) and len(data["images"]) == 0
        assert data["images"].dtype == np.uint8
    back = read("megasam", path)
    assert back.size == SIZE
    close(back.intrinsics, np.tile(SHARES, (3, 1)))


def test_droid_has_the_numbers_of_its_frames_and_an_eighth_of_the_lens(tmp_path):
    path = write("droid", tmp_path / "a", right(frames=np.array([3, 4, 9])))
    found = {file.stem: np.load(file, allow_pickle=False) for file in path.iterdir()}
    assert set(found) == {"tstamps", "images", "poses", "intrinsics"}
    assert found["tstamps"].tolist() == [3, 4, 9]
    close(found["poses"], ROWS_FROM_WORLD)
    close(found["intrinsics"], [[72, 72, 40, 22.5]] * 3)
    assert found["images"].shape == (0, 3, 360, 640)
    assert read("droid", path).size == SIZE


def test_vipe_has_poses_and_intrinsics_with_the_numbers_of_their_frames(tmp_path):
    valid, frames = np.array([True, False, True]), np.array([3, 4, 9])
    path = write("vipe", tmp_path / "pose" / "a.npz", right(frames=frames, valid=valid))
    for file, data in (
        (path, np.array(WORLD_FROM_CAMERA)[valid]),
        (tmp_path / "intrinsics" / "a.npz", [[576, 576, 320, 180]] * 2),
    ):
        with np.load(file, allow_pickle=False) as found:
            assert set(found) == {"data", "inds"}
            close(found["data"], data)
            assert found["inds"].dtype.kind == "i" and found["inds"].tolist() == [3, 9]


def test_cut3r_has_a_file_a_frame(tmp_path):
    path = write("cut3r", tmp_path / "a", right())
    files = sorted((path / "camera").iterdir())
    assert [file.name for file in files] == ["000000.npz", "000001.npz", "000002.npz"]
    for file, pose in zip(files, WORLD_FROM_CAMERA, strict=True):
        with np.load(file, allow_pickle=False) as found:
            assert set(found) == {"pose", "intrinsics"}
            close(found["pose"], pose)
            close(found["intrinsics"], K)


def test_depth_anything_has_matrices_of_three_rows(tmp_path):
    path = write("depth_anything", tmp_path / "results.npz", right())
    with np.load(path, allow_pickle=False) as data:
        assert set(data) == {"extrinsics", "intrinsics"}
        close(data["extrinsics"], CAMERA_FROM_WORLD)
        close(data["intrinsics"], [K] * 3)


def test_matrix_rows_have_sixteen_numbers(tmp_path):
    path = write("matrix_rows", tmp_path / "camera_poses.txt", right())
    close(np.loadtxt(path), np.array(WORLD_FROM_CAMERA).reshape(3, 16))


@pytest.mark.parametrize("name", ["vipe", "cut3r", "depth_anything"])
def test_where_no_size_is_told_the_principal_point_is_the_middle(name, tmp_path):
    aside = np.tile([0.9, 1.6, 0.4, 0.7], (3, 1))
    path = write(name, tmp_path / TARGETS[name], right(intrinsics=aside))
    close(read(name, path).intrinsics, np.tile(SHARES, (3, 1)))


@pytest.mark.parametrize("name", ["megasam", "droid"])
def test_where_the_size_is_told_the_principal_point_stays(name, tmp_path):
    aside = np.tile([0.9, 1.6, 0.4, 0.7], (3, 1))
    path = write(name, tmp_path / TARGETS[name], right(intrinsics=aside))
    close(read(name, path).intrinsics, aside)


# --- what comes back ---


@st.composite
def camera_paths(draw: st.DrawFn) -> CameraPath:
    n = draw(st.integers(1, 6))
    some = st.floats(-1e3, 1e3, allow_subnormal=False)
    poses = np.tile(np.eye(4), (n, 1, 1))
    turns = draw(st.lists(st.tuples(*[st.floats(-3, 3)] * 3), min_size=n, max_size=n))
    places = draw(st.lists(st.tuples(*[some] * 3), min_size=n, max_size=n))
    poses[:, :3, :3], poses[:, :3, 3] = exp(np.array(turns)), np.array(places)
    valid = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    valid[draw(st.integers(0, n - 1))] = True
    poses[~valid] = np.nan
    frames = None
    if draw(st.booleans()):
        first = draw(st.integers(0, 2**30))
        steps = draw(st.lists(st.integers(1, 1000), min_size=n - 1, max_size=n - 1))
        frames = first + np.concatenate([[0], np.cumsum(steps)]).astype(int)
    intrinsics = None
    if draw(st.booleans()):
        focals = np.array(draw(st.lists(st.floats(0.1, 10.0), min_size=n, max_size=n)))
        intrinsics = np.column_stack([focals, focals * 16 / 9, np.full((n, 2), 0.5)])
        intrinsics[~valid] = np.nan
    size = draw(st.sampled_from([None, SIZE]))
    return CameraPath(poses, frames=frames, intrinsics=intrinsics, size=size, valid=valid)


@pytest.mark.parametrize("name", TARGETS)
@given(cameras=camera_paths())
@settings(max_examples=30)
def test_what_is_written_comes_back(name, tmp_path_factory, cameras):
    path = tmp_path_factory.mktemp("round") / TARGETS[name]
    back = read(name, write(name, path, cameras))
    there = cameras.there
    np.testing.assert_allclose(
        back.world_from_camera, cameras.world_from_camera[there], rtol=1e-9, atol=1e-9
    )
    kept = form(name).kept
    places = np.arange(len(cameras)) if cameras.frames is None else cameras.frames
    if "frames" in kept:
        assert back.frames is not None
        np.testing.assert_array_equal(back.frames, places[there])
    else:
        assert back.frames is None
    if "intrinsics" not in kept:
        assert back.intrinsics is None
        return
    assert back.intrinsics is not None
    if cameras.intrinsics is None:
        assert np.ptp(back.intrinsics, axis=0).max() == 0.0
    elif name == "megasam":
        lens = np.median(cameras.intrinsics[there], axis=0)
        np.testing.assert_allclose(back.intrinsics, np.tile(lens, (len(back), 1)), rtol=1e-9)
    else:
        np.testing.assert_allclose(back.intrinsics, cameras.intrinsics[there], rtol=1e-9)


CONVENTIONS = (
    Convention("camera_from_world", "opengl"),
    Convention("world_from_camera", "unreal", transposed=True),
    Convention("camera_from_world", "opencv", transposed=True),
)


@pytest.mark.parametrize("name", [name for name in TARGETS if name != "droid"])
@pytest.mark.parametrize("convention", CONVENTIONS, ids=str)
def test_other_conventions_come_back(name, convention, tmp_path):
    path = write(name, tmp_path / TARGETS[name], right(), convention)
    close(read(name, path, convention).world_from_camera, WORLD_FROM_CAMERA)


def test_droid_comes_back_in_another_convention(tmp_path):
    other = Convention("world_from_camera", "opengl", quaternion="wxyz")
    path = write("droid", tmp_path / "a", right(), other)
    close(read("droid", path, other).world_from_camera, WORLD_FROM_CAMERA)
    with pytest.raises(PoseError, match="only matrices can be transposed"):
        write("droid", tmp_path / "b", right(), Convention(transposed=True))
    assert not (tmp_path / "b").exists()


# --- from one format to another ---

KNOWN = [name for name in TARGETS if name in catalog.names()]


@pytest.mark.parametrize("name", KNOWN)
def test_a_conversion_there_and_back_changes_nothing(name, tmp_path):
    source = write("chan", tmp_path / "a.chan", right(frames=np.array([5, 6, 9])))
    target = tmp_path / TARGETS[name]
    done = convert(source, target, to_format=name)
    assert (done.target_format, done.poses) == (name, 3)
    told = "no frame numbers" in " ".join(done.lost)
    assert told == (name not in ("droid", "vipe"))
    _, found, convention = catalog.read_poses(target)
    assert (found.name, convention) == (name, form(name).convention)
    convert(target, tmp_path / "b.chan")
    back, _, _ = catalog.read_poses(tmp_path / "b.chan")
    np.testing.assert_allclose(back.world_from_camera, WORLD_FROM_CAMERA, atol=1e-9)
    if name in ("droid", "vipe"):
        assert back.frames is not None and back.frames.tolist() == [5, 6, 9]


@pytest.mark.parametrize("name", KNOWN)
def test_what_is_written_is_found_in_a_folder_once(name, tmp_path):
    target = write(name, tmp_path / TARGETS[name], right())
    assert list(catalog.find_poses([tmp_path])) == [target]


# --- reading rows of matrices ---

LINES = "".join(
    " ".join(str(number) for row in pose for number in row) + "\n" for pose in WORLD_FROM_CAMERA
)


def test_rows_of_matrices_are_read_with_their_signs(tmp_path):
    path = tmp_path / "camera_poses.txt"
    path.write_text(f"# x\n\n{LINES}")
    assert form("matrix_rows").matches(path, path.read_bytes())
    close(read("matrix_rows", path).world_from_camera, WORLD_FROM_CAMERA)
    other = read("matrix_rows", path, Convention("camera_from_world"))
    close(other.world_from_camera, np.linalg.inv(np.array(WORLD_FROM_CAMERA)))


@pytest.mark.parametrize("columns", [7, 8, 12, 15, 17, 19])
def test_other_tables_are_no_matrices(columns, tmp_path):
    head = (" ".join(["1"] * columns) + "\n").encode()
    assert not form("matrix_rows").matches(tmp_path / "a.txt", head)


def transposed() -> str:
    """The same poses, each column by column."""
    table = np.swapaxes(np.array(WORLD_FROM_CAMERA), 1, 2).reshape(3, 16)
    return "".join(" ".join(map(str, row)) + "\n" for row in table.tolist())


# The first pose is the same both ways.
@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        (transposed(), "", r":2: pose 2 .*last row is not 0 0 0 1; perhaps it is transposed"),
        (transposed(), "camera_from_world", r":2: pose 2 .*perhaps it is transposed"),
        (LINES, "transposed", r":2: pose 2 .*last column is not 0 0 0 1.*not transposed"),
        (LINES.replace("0 0 0 1\n", "0 0 0 2\n", 1), "", r":1: pose 1 .*last row"),
        (LINES.replace("1 0", "nan 0", 1), "", r":1: pose 1 .*not finite"),
        (LINES.replace("1 0", "1e400 0", 1), "", r":1: pose 1 .*not finite"),
        (LINES.replace("1 0", "2 0", 1), "", r":1: pose 1 .*no rotation"),
        (LINES.replace("1 0", "-1 0", 1), "", r":1: pose 1 .*reflection"),
        (LINES + "1 0 0\n", "", r":4: 3 columns, expected 16"),
        (LINES.replace("1 0", "one 0", 1), "", r":1: .*'one'"),
        ("", "", r": holds no pose"),
    ],
)
def test_rows_that_are_no_poses_are_errors(text, words, message, tmp_path):
    path = tmp_path / "camera_poses.txt"
    path.write_text(text)
    with pytest.raises(PoseError, match=re.escape(str(path)) + message) as caught:
        read("matrix_rows", path, Convention.parse(words))
    assert "\n" not in str(caught.value)


def test_transposed_rows_are_read_when_it_is_said(tmp_path):
    path = tmp_path / "camera_poses.txt"
    path.write_text(transposed())
    back = read("matrix_rows", path, Convention.parse("transposed"))
    close(back.world_from_camera, WORLD_FROM_CAMERA)


def test_transposed_extrinsics_are_not_taken_for_a_still_camera(tmp_path):
    # The inverse of a rigid motion would never look at the row with the translation.
    turned = np.swapaxes(np.linalg.inv(np.array(WORLD_FROM_CAMERA)), 1, 2)
    path = tmp_path / "results.npz"
    np.savez(path, extrinsics=turned, intrinsics=[K] * 3)
    with pytest.raises(PoseError, match=r"results\.npz: pose 2 .*perhaps it is transposed"):
        read("depth_anything", path)


# --- places and numbers that cannot be written ---


@pytest.mark.parametrize("name", TARGETS)
def test_a_folder_that_holds_something_else_is_left_alone(name, tmp_path):
    target = tmp_path / TARGETS[name]
    target.mkdir(parents=True)
    (target / "notes.txt").write_text("mine")
    before = contents(target)
    with pytest.raises(PoseError, match=re.escape(str(target))):
        write(name, target, right())
    assert contents(target) == before
    assert [file for file in contents(tmp_path) if file.suffix == ".tmp"] == []


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_of_results_is_not_mixed_with_others(name, tmp_path):
    target = tmp_path / "results"
    target.mkdir()
    write(name, target, right())
    before = contents(tmp_path)
    with pytest.raises(PoseError, match="only a new or an empty folder is written to"):
        write(name, target, right(valid=np.array([True, True, False])))
    assert contents(tmp_path) == before
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "empty").mkdir()
    for other in ("file", "link"):
        with pytest.raises(PoseError, match=rf"{other}: Not a directory"):
            write(name, tmp_path / other, right())
    assert (tmp_path / "file").read_text() == "mine" and not any((tmp_path / "empty").iterdir())


@pytest.mark.parametrize("name", [name for name in TARGETS if name not in FOLDERS])
def test_a_file_is_replaced(name, tmp_path):
    target = write(name, tmp_path / TARGETS[name], right())
    write(name, target, right(valid=np.array([True, True, False])))
    assert len(read(name, target)) == 2


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".npy"])
def test_a_folder_is_not_called_like_a_file(suffix, tmp_path):
    with pytest.raises(PoseError, match=f"leave {suffix} out"):
        write("droid", tmp_path / f"poses{suffix}", right())
    assert contents(tmp_path) == {}


def test_vipe_writes_nothing_outside_its_own_folders(tmp_path):
    (tmp_path / "shots").mkdir()
    with pytest.raises(PoseError, match=r"no folder 'pose'.*name .*shots/pose/a\.npz"):
        write("vipe", tmp_path / "shots" / "a.npz", right())
    assert list(contents(tmp_path)) == [tmp_path / "shots"]


def test_vipe_knows_its_folder_from_within(tmp_path, monkeypatch):
    (tmp_path / "pose").mkdir()
    monkeypatch.chdir(tmp_path / "pose")
    close(read("vipe", write("vipe", Path("a.npz"), right())).intrinsics, np.tile(SHARES, (3, 1)))


@pytest.fixture
def locked() -> Iterator[Path]:
    """A folder in which this process may read everything and write nothing."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        folder = Path(place) / "locked"
        (folder / "pose").mkdir(parents=True)
        for each in (folder / "pose", folder):
            each.chmod(0o555)
        user = os.geteuid()
        if user == 0:  # who may write everywhere
            os.seteuid(65534)
        try:
            yield folder
        finally:
            os.seteuid(user)
            folder.chmod(0o755)


@pytest.mark.parametrize("name", TARGETS)
def test_no_permission(name, locked):
    target = locked / TARGETS[name]
    with pytest.raises(PoseError, match=rf"{re.escape(str(target))}: Permission denied"):
        write(name, target, right())
    assert list(contents(locked)) == [locked / "pose"]


@pytest.mark.parametrize("name", TARGETS)
def test_a_parent_that_is_not_there_is_an_error(name, tmp_path):
    target = tmp_path / "gone" / TARGETS[name]
    with pytest.raises(PoseError, match=rf"{re.escape(str(target))}: No such file"):
        write(name, target, right())
    assert contents(tmp_path) == {}


def full_after(count: int) -> Callable[[int], None]:
    """What a disk answers that has room for so many files."""
    left = iter(range(count))

    def fsync(number: int) -> None:
        if next(left, None) is None:
            raise OSError(errno.ENOSPC, "No space left on device")

    return fsync


@pytest.mark.parametrize(
    ("name", "count"), [*((name, 0) for name in TARGETS), *((name, 2) for name in FOLDERS)]
)
def test_a_full_disk_leaves_nothing_half(name, count, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_after(count))
    target = tmp_path / TARGETS[name]
    with pytest.raises(PoseError, match=rf"{re.escape(str(target))}: No space left"):
        write(name, target, right())
    assert [p for p in contents(tmp_path) if p.is_file() or p.name.startswith(".")] == []
    assert not target.exists()


def test_vipes_intrinsics_alone_are_no_poses(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", full_after(1))
    with pytest.raises(PoseError, match="No space left"):
        write("vipe", tmp_path / "pose" / "a.npz", right())
    assert (tmp_path / "intrinsics" / "a.npz").is_file()
    assert list(catalog.find_poses([tmp_path])) == []


@pytest.mark.parametrize("name", TARGETS)
def test_a_path_without_poses_is_not_written(name, tmp_path):
    with pytest.raises(PoseError, match="there is no pose to write"):
        write(name, tmp_path / TARGETS[name], right(valid=np.zeros(3, bool)))
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["droid", "vipe"])
@pytest.mark.parametrize("frames", [[-1, 0, 1], [0, 1, 2**31]])
def test_frames_that_no_video_has_are_not_written(name, frames, tmp_path):
    with pytest.raises(PoseError, match=rf"frame ({frames[0]}|{frames[-1]}), which no video has"):
        write(name, tmp_path / TARGETS[name], right(frames=np.array(frames)))
    assert contents(tmp_path) == {}
    edge = right(frames=np.array([0, 1, 2**31 - 1]))
    back = read(name, write(name, tmp_path / TARGETS[name], edge))
    assert back.frames is not None and back.frames[-1] == 2**31 - 1


@pytest.mark.parametrize("name", ["megasam", "droid"])
def test_a_size_that_no_array_has_is_an_error(name, tmp_path):
    with pytest.raises(PoseError, match=re.escape(str(tmp_path))):
        write(name, tmp_path / TARGETS[name], right(size=(2**40, 2**40)))
    assert contents(tmp_path) == {}


def test_the_samples_turn_as_far_as_they_say():
    close([C1, S1, C2, S2], [f(math.radians(a)) for a in (10, 20) for f in (math.cos, math.sin)])
    close([HC1, HS1], [math.cos(math.radians(5)), math.sin(math.radians(5))])
