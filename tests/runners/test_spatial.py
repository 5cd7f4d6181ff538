"""Cameras and points in space: what is in the files, and that it agrees with the scene."""

import os
import resource
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.formats.maps import SceneMaps
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.rendering import render, write_video
from dollygrip.runners.scenery import depths, person, scene
from dollygrip.runners.spatial import write_scene
from dollygrip.runners.video import Frame, FrameRequest, VideoError, read_frames
from dollygrip.runners.viewer import view_clip_file
from dollygrip.runners.views import ViewError

SIZE = (320, 180)
WORLD = scene("street", seed=3)
TRUCK = camera_path((Move("truck_right", 0.2),), duration=2.0, rate=12.0, size=SIZE)
ORANGE = (255, 120, 20)


class Known:
    """Knows the path of each shot, in turn; those that are None fail."""

    name = "known"
    frame_request = FrameRequest(480, 12.0)

    def __init__(self, *paths: Trajectory | None, maps: SceneMaps | None = None) -> None:
        self.paths, self.maps = list(paths), maps

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        times = np.array([frame.time for frame in frames])
        path = self.paths.pop(0)
        if path is None:
            return Estimate((), Failure(Reason.NO_TEXTURE, "There is nothing to follow."))
        later = replace(path, times=path.times + times[0])
        there = Hypothesis("rotation+translation", 1.0, resample(later, times))
        return Estimate((there,), maps=self.maps)


class Gap(Known):
    """Lost the camera for a while."""

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        found = super().estimate(frames).hypotheses[0]
        path = found.trajectory
        blind = (path.times > 0.6) & (path.times < 1.4)
        return Estimate((replace(found, trajectory=replace(path, valid=~blind)),))


class FromFile:
    """Knows the path without looking at pictures, by times of its own."""

    name = "file"

    def __init__(self, late: float = 0.0) -> None:
        self.late = late

    def motions(self, path: Path) -> tuple[ShotMotion, ...]:
        poses = sparse(TRUCK)
        poses = replace(poses, times=poses.times + self.late)
        return (ShotMotion(self.late, self.late + 1.9, (Hypothesis("poses", 1.0, poses),)),)


def sparse(path: Trajectory) -> Trajectory:
    """Poses that are not at the times of pictures, in another world and unit."""
    seldom = resample(path, np.arange(0.0, path.times[-1], 0.19))
    turn = rotation_from_pan_tilt_roll(np.array([100.0, 20.0, 10.0]))
    return replace(
        seldom,
        rotations=turn @ seldom.rotations,
        centers=50.0 * seldom.centers @ turn.T + 7.0,
        scene_depth=float("nan"),
    )


@pytest.fixture(scope="module")
def truck(tmp_path_factory) -> Path:
    clip = tmp_path_factory.mktemp("clips") / "truck.mp4"
    write_video(clip, render(TRUCK, WORLD), TRUCK.times, crf=8)
    return clip


def wrote(clip: Path, out: Path, estimator):
    return write_scene(clip, out, estimator, ThresholdClassifier())


# --- recordings -----------------------------------------------------------------------------


@dataclass
class Recording:
    """What a recording holds, as Rerun reads it back: rows by entity and component."""

    rows: dict[tuple[str, str], list[tuple[float | None, list]]]

    def __getitem__(self, key: tuple[str, str]) -> list:
        """Values in the order of time."""
        rows = self.rows[key]
        return [value for _, value in sorted(rows, key=lambda row: row[0] or 0.0)]

    def times(self, *key: str) -> list[float]:
        return sorted(time for time, _ in self.rows[key])

    def points(self, entity: str) -> tuple[np.ndarray, np.ndarray]:
        """(P, 3) places and (P, 3) RGB."""
        (xyz,) = self[entity, "Points3D:positions"]
        (packed,) = self[entity, "Points3D:colors"]
        rgba = np.array(packed, ">u4").view(np.uint8).reshape(-1, 4)
        return np.array(xyz).reshape(-1, 3), rgba[:, :3]


def read_back(path: Path) -> Recording:
    chunk = pytest.importorskip("rerun.chunk")
    rows: dict[tuple[str, str], list[tuple[float | None, list]]] = {}
    for part in chunk.RrdReader(str(path)).stream():
        table = part.to_record_batch()
        times = [None] * table.num_rows
        if "time" in table.schema.names:
            times = [value.total_seconds() for value in table["time"].to_pylist()]
        for name in table.schema.names:
            if ":" not in name:
                continue
            for time, value in zip(times, table[name].to_pylist(), strict=True):
                if value is not None:
                    rows.setdefault((part.entity_path, name), []).append((time, value))
    return Recording(rows)


@pytest.fixture(scope="module")
def found(truck) -> Recording:
    """What is in the recording of the truck."""
    labels = wrote(truck, truck.with_suffix(".rrd"), Known(TRUCK))
    assert "truck_right" in labels.labels
    return read_back(truck.with_suffix(".rrd"))


def test_a_recording_has_the_cameras_with_their_pictures(truck, found):
    shown = [frame.time for frame in read_frames(truck, Known.frame_request)]

    camera = "/shot1/world/camera"
    np.testing.assert_allclose(found.times(camera, "Transform3D:translation"), shown, atol=1e-6)
    centers = np.array(found[camera, "Transform3D:translation"])[:, 0]
    np.testing.assert_allclose(centers, resample(TRUCK, np.array(shown)).centers, atol=1e-6)
    assert found["/shot1/world", "ViewCoordinates:xyz"] == [[[3, 2, 5]]]  # right, down, forward
    lens = np.array(found[f"{camera}/view", "Pinhole:image_from_camera"][0]).reshape(3, 3).T
    np.testing.assert_allclose(lens[0], [TRUCK.focals[0], 0.0, SIZE[0] / 2], rtol=1e-5)
    assert found[f"{camera}/view", "Pinhole:camera_xyz"][0] == [[3, 2, 5]]

    frames = list(read_frames(truck, replace(Known.frame_request, color=True)))
    pictures = found[f"{camera}/view", "EncodedImage:blob"]
    assert len(pictures) == len(frames)
    for blob, frame in zip(pictures, frames, strict=True):
        image = cv2.imdecode(np.array(blob[0], np.uint8), cv2.IMREAD_COLOR)
        off = np.abs(cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(int) - frame.image)
        assert off.mean() < 6.0


def test_a_recording_says_what_was_found(found):
    rates = {
        entity.rsplit("/", 1)[1]: np.array(found[entity, name]).ravel()
        for entity, name in found.rows
        if name == "Scalars:scalars"
    }
    assert set(rates) == set(AXES)
    assert rates["truck"].mean() == pytest.approx(0.2 / TRUCK.times[-1], rel=0.02)
    assert np.abs(rates["pan"]).max() < 0.01
    assert "trucks right" in found["/shot1/summary", "TextDocument:text"][0][0]
    assert any("truck right" in text[0] for text in found["/shot1/labels", "TextLog:text"])


def truth(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which points the first camera saw; the depth and colour of the scene behind each."""
    pixel = points[:, :2] / points[:, 2:] * TRUCK.focals[0] + np.array(SIZE) / 2
    inside = (points[:, 2] > 0) & (pixel > 0).all(axis=1) & (pixel < SIZE).all(axis=1)
    x, y = pixel[inside].astype(int).T
    picture = next(iter(render(TRUCK, WORLD)))
    return inside, depths(WORLD.panels, *SIZE)[y, x], picture[y, x]


def check_points(points: np.ndarray, colors: np.ndarray, unit: float = 1.0) -> None:
    """Most points lie on the scene and look like it."""
    assert len(points) > 100
    inside, depth, color = truth(points / unit)
    assert inside.mean() > 0.7
    found = points[inside, 2] / unit
    assert np.median(np.abs(found / depth - 1.0)) < 0.05
    order = np.argsort(np.argsort(found)), np.argsort(np.argsort(depth))
    assert np.corrcoef(*order)[0, 1] > 0.9
    off = np.abs(colors[inside].astype(int) - color).mean(axis=1)
    assert np.median(off) < 12.0
    assert np.median(np.abs(colors[inside].astype(int) - color[::-1]).mean(axis=1)) > 20.0


def test_points_lie_on_the_scene_and_have_its_colours(found):
    check_points(*found.points("/shot1/world/points"))


def test_poses_of_a_file_in_any_world_and_unit(truck, tmp_path):
    wrote(truck, tmp_path / "out.rrd", FromFile())
    found = read_back(tmp_path / "out.rrd")
    check_points(*found.points("/shot1/world/points"), unit=50.0)
    first = found["/shot1/world/camera", "Transform3D:mat3x3"][0]
    np.testing.assert_allclose(np.array(first).reshape(3, 3), np.eye(3), atol=1e-6)
    view_clip_file(truck, tmp_path / "out.mp4", FromFile(), ThresholdClassifier())


@pytest.mark.parametrize("name", ["out.rrd", "out.ply", "out.mp4"])
def test_poses_of_another_time_show_nothing(truck, tmp_path, name):
    write = view_clip_file if name == "out.mp4" else write_scene
    write(truck, tmp_path / name, FromFile(late=100.0), ThresholdClassifier())
    if name == "out.rrd":
        found = read_back(tmp_path / name)
        assert ("/shot1/world/camera/view", "EncodedImage:blob") in found.rows
        assert ("/shot1/world/points", "Points3D:positions") not in found.rows
    if name == "out.ply":
        assert len(read_ply(tmp_path / name)[0]) == 0


def test_what_moves_is_orange(found, tmp_path):
    walker = person(1, 0.6, start=(-0.35, 0.3, 0.7), velocity=(0.25, 0.1, 0.0))
    clip = tmp_path / "walker.mp4"
    write_video(clip, render(TRUCK, WORLD.with_actors(walker)), TRUCK.times, crf=8)
    wrote(clip, tmp_path / "out.rrd", Known(TRUCK))

    def orange(recording: Recording) -> float:
        both = [recording.points(f"/shot1/world/{kind}") for kind in ("points", "directions")]
        return (np.concatenate([rgb for _, rgb in both]) == ORANGE).all(axis=1).mean()

    assert orange(read_back(tmp_path / "out.rrd")) > 0.05 + 2 * orange(found)


def test_a_pan_shows_directions_and_no_points(tmp_path):
    pan = camera_path((Move("pan_right", 10.0),), duration=2.0, rate=12.0, size=SIZE)
    write_video(tmp_path / "pan.mp4", render(pan, WORLD), pan.times)
    wrote(tmp_path / "pan.mp4", tmp_path / "out.rrd", Known(pan))
    found = read_back(tmp_path / "out.rrd")
    assert len(found.points("/shot1/world/points")[0]) == 0
    directions, colors = found.points("/shot1/world/directions")
    assert len(directions) > 100
    assert np.ptp(np.linalg.norm(directions, axis=1)) < 1e-5
    assert (colors == colors[0]).mean() > 0.9


def test_every_shot_is_a_space_of_its_own(tmp_path):
    other = scene("room", seed=4)
    both = [*render(TRUCK, WORLD), *render(TRUCK, other)]
    gap = TRUCK.times[-1] + 1 / 12
    write_video(tmp_path / "two.mp4", both, np.concatenate([TRUCK.times, TRUCK.times + gap]))
    wrote(tmp_path / "two.mp4", tmp_path / "out.rrd", Known(TRUCK, None))
    found = read_back(tmp_path / "out.rrd")
    assert found.times("/shot1/world/camera/view", "EncodedImage:blob")[-1] < gap - 0.01
    assert found.times("/shot2/world/camera/view", "EncodedImage:blob")[0] == pytest.approx(gap)
    # What could not be told has pictures and a reason, and neither a camera nor a point.
    assert "nothing to follow" in found["/shot2/summary", "TextDocument:text"][0][0]
    second = {key for key in found.rows if key[0].startswith("/shot2/")}
    assert not any(name.startswith(("Pinhole", "Transform3D", "Points3D")) for _, name in second)
    with pytest.raises(ViewError, match=r"2 shots.*\.rrd"):
        wrote(tmp_path / "two.mp4", tmp_path / "out.ply", Known(TRUCK, None))
    assert not (tmp_path / "out.ply").exists()


def test_no_camera_is_shown_where_there_is_no_pose(truck, tmp_path):
    wrote(truck, tmp_path / "out.rrd", Gap(TRUCK))
    found = read_back(tmp_path / "out.rrd")
    times = np.array(found.times("/shot1/world/camera", "Transform3D:translation"))
    assert len(times) > 8
    assert not ((times > 0.6) & (times < 1.4)).any()
    cleared = found.times("/shot1/world/camera", "Clear:is_recursive")
    assert 0.6 < cleared[0] < cleared[-1] < 1.4


def test_a_long_clip_has_fewer_pictures_a_second(truck, tmp_path, monkeypatch):
    monkeypatch.setattr("dollygrip.runners.recording._MOST_PICTURES", 5)
    wrote(truck, tmp_path / "out.rrd", Known(TRUCK))
    found = read_back(tmp_path / "out.rrd")
    times = found.times("/shot1/world/camera/view", "EncodedImage:blob")
    assert 3 <= len(times) <= 6
    assert times == found.times("/shot1/world/camera", "Transform3D:translation")
    check_points(*found.points("/shot1/world/points"))


def test_maps_of_depth_and_movement(truck, tmp_path):
    depth = depths(WORLD.panels, 64, 36)
    depth[depth > 50] = np.nan
    moving = np.zeros((2, 36, 64))
    moving[:, :18] = 0.9
    maps = SceneMaps(np.array([0.0, 1.0]), np.stack([depth, depth]), moving)
    wrote(truck, tmp_path / "out.rrd", Known(TRUCK, maps=maps))
    found = read_back(tmp_path / "out.rrd")
    entity = "/shot1/world/depth"
    assert found.times(f"{entity}/view", "DepthImage:buffer") == [0.0, 1.0]
    stored = np.array(found[f"{entity}/view", "DepthImage:buffer"][0][0], np.uint8)
    expected = np.nan_to_num(depth).astype(np.float32)
    np.testing.assert_array_equal(stored.view(np.float32).reshape(36, 64), expected)
    assert found[f"{entity}/view", "DepthImage:meter"][0] == [1.0]
    lens = np.array(found[f"{entity}/view", "Pinhole:image_from_camera"][0]).reshape(3, 3).T
    assert lens[0, 0] == pytest.approx(TRUCK.focals[0] * 64 / SIZE[0])
    at_one = found[entity, "Transform3D:translation"][1][0]
    np.testing.assert_allclose(at_one, [0.2 / TRUCK.times[-1], 0.0, 0.0], atol=1e-3)
    mask = found["/shot1/world/camera/view/moving", "SegmentationImage:buffer"][0]
    shown = np.array(mask[0], np.uint8).reshape(SIZE[::-1])
    assert shown[:90].all() and not shown[90:].any()


# --- PLY ------------------------------------------------------------------------------------


def read_ply(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, str]:
    """Places, colours, edges, header."""
    header, _, body = path.read_bytes().partition(b"end_header\n")
    lines = header.decode("ascii").splitlines()
    count = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("element")}
    vertex = np.dtype([("xyz", "<f4", 3), ("rgb", "u1", 3)])
    vertices = np.frombuffer(body, vertex, count["vertex"])
    edges = np.frombuffer(body, "<i4", 2 * count["edge"], count["vertex"] * vertex.itemsize)
    assert len(body) == vertices.nbytes + edges.nbytes
    return vertices["xyz"], vertices["rgb"], edges.reshape(-1, 2), header.decode("ascii")


def test_a_ply_file_has_points_path_and_cameras(truck, tmp_path):
    wrote(truck, tmp_path / "out.ply", Known(TRUCK))
    xyz, rgb, edges, header = read_ply(tmp_path / "out.ply")
    assert header.startswith("ply\nformat binary_little_endian 1.0\n")
    assert "x right, y down, z ahead" in header
    drawn = np.unique(edges)
    points = np.setdiff1d(np.arange(len(xyz)), drawn)
    check_points(xyz[points].astype(float), rgb[points])
    # The path comes first among what is drawn, and goes as the camera went.
    way = xyz[drawn][: len(TRUCK)]
    np.testing.assert_allclose(way, TRUCK.centers, atol=0.01)
    length = np.linalg.norm(xyz[edges[:, 0]] - xyz[edges[:, 1]], axis=1)
    assert length[: len(TRUCK) - 1].sum() == pytest.approx(0.2, rel=0.01)
    assert length.max() < 0.2


@pytest.mark.parametrize("rate", [1.0, np.inf])
def test_points_are_followed_whatever_pictures_the_estimator_wants(truck, tmp_path, rate):
    estimator = Known(TRUCK)
    estimator.frame_request = FrameRequest(long_side=2000, rate=rate, color=True)
    wrote(truck, tmp_path / "out.ply", estimator)
    xyz, rgb, edges, _ = read_ply(tmp_path / "out.ply")
    points = np.setdiff1d(np.arange(len(xyz)), edges)
    check_points(xyz[points].astype(float), rgb[points])
    # Between poses that are a second apart, the camera is where it would be.
    assert len(edges) > 8 + 8 * 2


def test_a_ply_file_of_a_still_camera_has_no_points(tmp_path):
    still = camera_path((), duration=1.0, rate=12.0, size=SIZE)
    rng = np.random.default_rng(0)
    flicker = [p // 2 + rng.integers(0, 60, (1, 1, 3), np.uint8) for p in render(still, WORLD)]
    write_video(tmp_path / "still.mp4", flicker, still.times)
    wrote(tmp_path / "still.mp4", tmp_path / "out.ply", Known(still))
    xyz, _, edges, _ = read_ply(tmp_path / "out.ply")
    assert len(np.setdiff1d(np.arange(len(xyz)), edges)) == 0
    assert np.isfinite(xyz).all()


# --- the file -------------------------------------------------------------------------------


def refused(clip: Path, out: Path, said: str) -> None:
    """It is said in one line, before anything is estimated, and nothing is left."""
    names = set(out.parent.iterdir())
    with pytest.raises(ViewError) as error:
        wrote(clip, out, None)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert set(out.parent.iterdir()) == names


@pytest.mark.parametrize("name", ["out.mp4", "out", "out.rrd.txt", "rrd"])
def test_other_kinds_of_files_are_refused(truck, tmp_path, name):
    refused(truck, tmp_path / name, ".rrd")


def test_a_missing_package_is_named_with_what_installs_it(truck, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused(truck, tmp_path / "out.rrd", "pip install 'dollygrip[view]'")


@pytest.mark.parametrize("name", ["out.rrd", "out.ply"])
def test_the_clip_itself_is_never_replaced(truck, tmp_path, name):
    os.link(truck, tmp_path / name)
    refused(truck, tmp_path / name, "is the clip itself")


@pytest.mark.parametrize("name", ["out.rrd", "out.ply"])
def test_a_full_disk_is_said(truck, tmp_path, name):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(ViewError, match=r"out\.\w+ cannot be written: "):
            wrote(truck, tmp_path / name, Known(TRUCK))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["out.rrd", "out.ply"])
def test_what_cannot_be_read_leaves_nothing(tmp_path, name):
    (tmp_path / "text.mp4").write_text("text")
    with pytest.raises(VideoError, match=r"text\.mp4"):
        wrote(tmp_path / "text.mp4", tmp_path / name, Known(TRUCK))
    assert [p.name for p in tmp_path.iterdir()] == ["text.mp4"]
