"""Text and JSON pose formats: signs from samples made by hand, round trips, and hostile files."""

import json
import os
import random
import re
import signal
import warnings
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from evo.core.trajectory import PosePath3D, PoseTrajectory3D
from evo.tools import file_interface
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dollygrip.geometry.conventions import Convention, inverse
from dollygrip.geometry.rotations import exp, is_rotation, log, to_quaternion
from dollygrip.runners.formats import (
    ac3d,
    chan,
    euroc,
    kitti,
    monst3r,
    motionctrl,
    realestate10k,
    recammaster,
    tum,
)
from dollygrip.runners.formats.catalog import names, pose_format
from dollygrip.runners.formats.path import CameraPath, PoseError

MODULES = (ac3d, chan, euroc, kitti, monst3r, motionctrl, realestate10k, recammaster, tum)
FORMATS = {module.FORMAT.name: module.FORMAT for module in MODULES}
ALL_FORMATS = {name: pose_format(name) for name in names()}
QUATERNIONS, ANGLES = ("tum", "euroc", "monst3r"), ("chan",)
# What a file of each format is called; most formats do not care.
FILES = {name: "poses.txt" for name in FORMATS} | {"chan": "shot.chan", "monst3r": "pred_traj.txt"}

# A camera that steps to its right by 1 and pans to its right by 10 degrees, three times, each
# written by hand in the format's own convention. C and S are of 10 and 20 degrees, H of halves.
C1, S1, C2, S2 = 0.984807753012208, 0.17364817766693033, 0.9396926207859084, 0.3420201433256687
HC1, HS1 = 0.9961946980917455, 0.08715574274765817

W2C = [
    [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
    [C1, 0, -S1, -C1, 0, 1, 0, 0, S1, 0, C1, -S1],
    [C2, 0, -S2, -2 * C2, 0, 1, 0, 0, S2, 0, C2, -2 * S2],
]


def lines(*rows):
    return "".join(" ".join(map(str, row)) + "\n" for row in rows)


K = [[80, 0, 64], [0, 80, 36], [0, 0, 1]]
SAMPLES = {
    "tum": "# timestamp tx ty tz qx qy qz qw\n"
    + lines(
        [1305031102.0, 0, 0, 0, 0, 0, 0, 1],
        [1305031102.5, 1, 0, 0, 0, HS1, 0, HC1],
        [1305031103.0, 2, 0, 0, 0, S1, 0, C1],
    ),
    "monst3r": lines(
        [0.0, 0, 0, 0, 1, 0, 0, 0],
        [1.0, 1, 0, 0, HC1, 0, HS1, 0],
        [2.0, 2, 0, 0, C1, 0, S1, 0],
    ),
    "kitti": lines(
        [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0],
        [C1, 0, S1, 1, 0, 1, 0, 0, -S1, 0, C1, 0],
        [C2, 0, S2, 2, 0, 1, 0, 0, -S2, 0, C2, 0],
    ),
    # The body's x is up: panning right turns about it backwards, and y is right.
    "euroc": "#timestamp [ns], p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], "
    "q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z []\n"
    "1403636580838555648,0,0,0,1,0,0,0\n"
    f"1403636581338555648,0,1,0,{HC1},{-HS1},0,0\n"
    f"1403636581838555648,0,2,0,{C1},{-S1},0,0\n",
    "realestate10k": "https://www.example.org/watch?v=0\n"
    + lines(
        [1000000, 0.625, 1.25, 0.5, 0.5, 0, 0, *W2C[0]],
        [1500000, 0.625, 1.25, 0.5, 0.5, 0, 0, *W2C[1]],
        [2000000, 0.625, 1.25, 0.5, 0.5, 0, 0, *W2C[2]],
    ),
    "motionctrl": json.dumps(W2C, indent=4),
    "ac3d": json.dumps(
        {
            "imH": 72,
            "imW": 128,
            "intrinsics": [K] * 3,
            "w2c": [[row[:4], row[4:8], row[8:]] for row in W2C],
        },
        indent=4,
    ),
    # Ahead is the first row, right the second, up the third; centimetres.
    "recammaster": json.dumps(
        {
            "frame0": {"cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1] "},
            "frame1": {"cam01": f"[{C1} {S1} 0 0] [{-S1} {C1} 0 0] [0 0 1 0] [0 100 0 1] "},
            "frame2": {"cam01": f"[{C2} {S2} 0 0] [{-S2} {C2} 0 0] [0 0 1 0] [0 200 0 1] "},
        }
    ),
    # y is up: panning right turns about it backwards.
    "chan": "1001\t0 0 0\t0 0 0\t45\n1002\t1 0 0\t0 -10 0\t45\n1003\t2 0 0\t0 -20 0\t45\n",
}
SENSOR = """\
# General sensor definitions.
sensor_type: camera
comment: VI-Sensor cam0 (MT9M034)

# Sensor extrinsics wrt. the body-frame.
T_BS:
  cols: 4
  rows: 4
  data: [0.0, -1.0, 0.0, {x},
         1.0, 0.0, 0.0, {y},
         0.0, 0.0, 1.0, {z},
         0.0, 0.0, 0.0, 1.0]

# Camera specific definitions.
rate_hz: 20
resolution: [752, 480]
"""


@pytest.fixture
def place(tmp_path):
    """Writes a file of a format where its camera's mounting is known."""
    folder = tmp_path / "given"
    folder.mkdir()
    (folder / "sensor.yaml").write_text(SENSOR.format(x=0, y=0, z=0))

    def write(name, content):
        path = folder / FILES[name]
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, name, **said):
    form = FORMATS[name]
    return form.read(path, replace(form.convention, **said))


def takers(path, head):
    """The formats, of all there are, that take a file for theirs."""
    return [name for name, form in ALL_FORMATS.items() if form.matches(path, head)]


# What hand-made samples say.


@pytest.mark.parametrize("name", FORMATS)
def test_a_camera_that_trucks_and_pans_right_does_so_in_every_format(name, place):
    cameras = read(place(name, SAMPLES[name]), name)
    relative = inverse(cameras.world_from_camera[:1]) @ cameras.world_from_camera
    np.testing.assert_allclose(relative[:, :3, 3], [[0, 0, 0], [1, 0, 0], [2, 0, 0]], atol=1e-12)
    np.testing.assert_allclose(
        np.degrees(log(relative[:, :3, :3])), [[0, 0, 0], [0, 10, 0], [0, 20, 0]], atol=1e-9
    )


@pytest.mark.parametrize("name", FORMATS)
def test_samples_carry_what_the_format_keeps(name, place):
    cameras = read(place(name, SAMPLES[name]), name)
    form = FORMATS[name]
    if "times" in form.kept:
        np.testing.assert_allclose(np.diff(cameras.times), [0.5, 0.5])
    else:
        assert cameras.times is None
    if "frames" in form.kept:
        np.testing.assert_array_equal(np.diff(cameras.frames), [1, 1])
    if "intrinsics" in form.kept:
        np.testing.assert_allclose(
            cameras.intrinsics[0], [0.625, cameras.intrinsics[0, 1], 0.5, 0.5]
        )
    assert cameras.metric == (form.unit == "metres")


@pytest.mark.parametrize("name", FORMATS)
def test_a_sample_is_taken_for_its_own_format_and_no_other(name, place):
    path = place(name, SAMPLES[name])
    assert takers(path, path.read_bytes()[:4096]) == [name]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0\1\2",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"[[1, 2, 3]]",
        b"[[[1, 2, 3]]]",
        b'{"frames": [], "camera_angle_x": 1.0}',
        b"1 2 3",
        b"a b c d e f g h",
        b"#timestamp [ns],w_RS_S_x [rad s^-1]\n1403636579758555392,1\n",
    ],
)
def test_other_files_are_taken_for_none(content, tmp_path):
    assert not [name for name in takers(tmp_path / "poses.txt", content) if name in FORMATS]


def test_heads_cut_anywhere_never_fail_and_never_mislead():
    for name, sample in SAMPLES.items():
        path = Path(FILES[name])
        for length in range(len(sample)):
            head = sample[:length].encode()
            assert len(takers(path, head)) <= 1, (name, length)


# Round trips.


def conventions_of(name):
    transposed = (False,) if name in (*QUATERNIONS, *ANGLES) else (False, True)
    orders = ("xyzw", "wxyz") if name in QUATERNIONS else (None,)
    return [
        Convention(*fields)
        for fields in product(
            ("world_from_camera", "camera_from_world"),
            ("opencv", "opengl", "unreal", "unity", "pytorch3d", "body"),
            orders,
            transposed,
            (False, True),
        )
    ]


@st.composite
def camera_paths(draw):
    n = draw(st.integers(1, 6))
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3] = exp(draw(arrays(np.float64, (n, 3), elements=st.floats(-3.1, 3.1))))
    poses[:, :3, 3] = draw(arrays(np.float64, (n, 3), elements=st.floats(-100.0, 100.0)))
    steps = draw(arrays(np.intp, n, elements=st.integers(5_000, 10**8)))
    microseconds = draw(st.integers(0, 2 * 10**15)) + np.cumsum(steps)
    valid = draw(arrays(np.bool_, n))
    valid[draw(st.integers(0, n - 1))] = True
    return CameraPath(
        poses,
        times=draw(st.sampled_from([None, microseconds / 1e6])),
        frames=draw(st.sampled_from([None, np.cumsum(steps) // 5_000])),
        intrinsics=draw(
            st.none() | arrays(np.float64, (n, 4), elements=st.floats(0.0625, 8.0, width=16))
        ),
        size=draw(st.sampled_from([None, (640, 360), (64, 256)])),
        valid=valid,
    )


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=40)
@given(data=st.data(), cameras=camera_paths())
def test_what_is_written_reads_back(name, data, cameras, tmp_path_factory):
    form = FORMATS[name]
    convention = data.draw(st.sampled_from([form.convention, *conventions_of(name)]))
    path = tmp_path_factory.getbasetemp() / f"{name}-{FILES[name]}"
    form.write(path, cameras, convention)
    back = form.read(path, convention)
    there = cameras.there
    assert back.there.all()
    np.testing.assert_allclose(
        back.world_from_camera, cameras.world_from_camera[there], rtol=0, atol=1e-9
    )
    if "times" in form.kept:
        # As exact as floats since 1970 are.
        tick = 1e-9 + np.spacing(cameras.clock()[-1])
        times = cameras.clock()[there]
        shift = times[0] if name == "euroc" else 0.0
        np.testing.assert_allclose(
            back.times, times - shift, rtol=0, atol=1e-6 if name == "realestate10k" else tick
        )
    if "frames" in form.kept:
        numbers = np.arange(len(cameras)) if cameras.frames is None else cameras.frames
        np.testing.assert_array_equal(back.frames, numbers[there])
    if "intrinsics" in form.kept and cameras.intrinsics is not None:
        if name == "ac3d" and cameras.size is None:
            assert back.intrinsics is None
        else:
            np.testing.assert_allclose(back.intrinsics, cameras.intrinsics[there], rtol=1e-12)
    if name == "ac3d":
        assert back.size == cameras.size


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=10)
@given(cameras=camera_paths())
def test_what_is_written_is_taken_for_its_own_format(name, cameras, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / FILES[name]
    FORMATS[name].write(path, cameras, FORMATS[name].convention)
    assert takers(path, path.read_bytes()[:4096]) == [name]


@pytest.mark.parametrize("name", FORMATS)
def test_a_wrong_convention_is_honoured_and_shows(name, place):
    """Reading honours the convention it is given, not only its own."""
    path = place(name, SAMPLES[name])
    own = FORMATS[name].convention.direction
    other = {
        "world_from_camera": "camera_from_world",
        "camera_from_world": "world_from_camera",
    }[own]
    cameras = read(path, name, direction=other)
    relative = inverse(cameras.world_from_camera[:1]) @ cameras.world_from_camera
    assert np.degrees(log(relative[:, :3, :3]))[1, 1] == pytest.approx(-10.0)


@pytest.mark.parametrize("name", [*QUATERNIONS, *ANGLES])
def test_transposed_is_for_matrices_only(name, place):
    path = place(name, SAMPLES[name])
    transposed = replace(FORMATS[name].convention, transposed=True)
    with pytest.raises(PoseError, match="only matrices can be transposed"):
        FORMATS[name].read(path, transposed)
    before = path.read_bytes()
    with pytest.raises(PoseError, match="only matrices can be transposed"):
        FORMATS[name].write(path, CameraPath(np.eye(4)[None]), transposed)
    assert path.read_bytes() == before


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_that_cannot_be_written_is_named(name, tmp_path):
    path = tmp_path / "no such folder" / FILES[name]
    with pytest.raises(PoseError, match="no such folder"):
        FORMATS[name].write(path, CameraPath(np.eye(4)[None]), FORMATS[name].convention)


# Other programs.


def some_cameras(n=20):
    rng = np.random.default_rng(5)
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3] = exp(rng.normal(size=(n, 3)))
    poses[:, :3, 3] = rng.normal(size=(n, 3)) * 10
    return CameraPath(poses, times=1305031102.25 + np.cumsum(rng.uniform(0.02, 0.2, n)))


EVO_READS = {
    "tum": file_interface.read_tum_trajectory_file,
    "kitti": file_interface.read_kitti_poses_file,
    "euroc": file_interface.read_euroc_csv_trajectory,
}


@pytest.mark.parametrize("name", EVO_READS)
def test_evo_reads_what_is_written(name, tmp_path):
    cameras = some_cameras()
    FORMATS[name].write(tmp_path / "poses", cameras, FORMATS[name].convention)
    theirs = EVO_READS[name](tmp_path / "poses")
    np.testing.assert_allclose(np.array(theirs.poses_se3), cameras.world_from_camera, atol=1e-12)
    if name != "kitti":
        np.testing.assert_allclose(theirs.timestamps, cameras.times, rtol=0, atol=1e-6)


def test_what_evo_writes_is_read(tmp_path):
    cameras = some_cameras()
    quaternions = np.roll(to_quaternion(cameras.world_from_camera[:, :3, :3]), 1, axis=1)
    theirs = PoseTrajectory3D(cameras.world_from_camera[:, :3, 3], quaternions, cameras.times)
    file_interface.write_tum_trajectory_file(tmp_path / "t", theirs)
    file_interface.write_kitti_poses_file(
        tmp_path / "k", PosePath3D(poses_se3=list(cameras.world_from_camera))
    )
    for name in ("tum", "kitti"):
        path = tmp_path / name[0]
        assert FORMATS[name].matches(path, path.read_bytes()[:4096])
        back = read(path, name)
        np.testing.assert_allclose(back.world_from_camera, cameras.world_from_camera, atol=1e-12)
    np.testing.assert_allclose(read(tmp_path / "t", "tum").times, cameras.times, rtol=0, atol=1e-6)


# EuRoC: whose poses, which order, which times.

HEADER, *DATA = SAMPLES["euroc"].splitlines()


@pytest.fixture
def dataset(tmp_path):
    """The data set's folders, with the camera mounted as on the sample's rig, and aside."""
    for folder in ("cam0", "state_groundtruth_estimate0", "vicon0"):
        (tmp_path / folder).mkdir()
    (tmp_path / "cam0" / "sensor.yaml").write_text(SENSOR.format(x=0.5, y=-0.25, z=2))
    truth = tmp_path / "state_groundtruth_estimate0"
    (truth / "sensor.yaml").write_text(
        "sensor_type: visual-inertial\nT_BS:\n  cols: 4\n  rows: 4\n"
        "  data: [1.0, 0.0, 0.0, 0.0,\n 0.0, 1.0, 0.0, 0.0,\n 0.0, 0.0, 1.0, 0.0, 0, 0, 0, 1]\n"
    )
    return tmp_path


def test_euroc_finds_the_camera_in_the_data_sets_folders(dataset):
    path = dataset / "state_groundtruth_estimate0" / "data.csv"
    zeros = ",0" * 9
    path.write_text("\n".join([f"{HEADER}, v_RS_R_x", *(f"{line}{zeros}" for line in DATA)]))
    assert euroc.FORMAT.matches(path, path.read_bytes())
    cameras = read(path, "euroc")
    first = cameras.world_from_camera[0]
    np.testing.assert_array_equal(first[:3, 3], [0.5, -0.25, 2])
    np.testing.assert_array_equal(first[:3, :3], [[0, -1, 0], [1, 0, 0], [0, 0, 1]])
    turns = inverse(cameras.world_from_camera[:1]) @ cameras.world_from_camera
    np.testing.assert_allclose(np.degrees(log(turns[:, :3, :3]))[:, 1], [0, 10, 20])
    # The camera is 2 ahead of the turning body, and is carried along to the right by the turn.
    np.testing.assert_allclose(turns[1, 0, 3], 1 + 2 * S1 - 0.25 * (C1 - 1))


def test_euroc_goes_from_a_tracked_marker_to_the_camera(dataset):
    (dataset / "vicon0" / "sensor.yaml").write_text(
        "sensor_type: pose\nT_BS:\n  cols: 4\n  rows: 4\n"
        "  data: [0, -1, 0, 3, 1, 0, 0, 4, 0, 0, 1, 5, 0, 0, 0, 1]\n"
    )
    path = dataset / "vicon0" / "data.csv"
    path.write_text(SAMPLES["euroc"])
    # The marker is turned on the body as the camera is, and 2.5, 4.25, 3 of the body's x, y, z off.
    first = read(path, "euroc").world_from_camera[0]
    np.testing.assert_allclose(first[:3, :3], np.eye(3), atol=1e-15)
    np.testing.assert_allclose(first[:3, 3], [-4.25, 2.5, -3])


def test_euroc_takes_no_other_sensor_for_the_camera(dataset):
    (dataset / "cam0" / "sensor.yaml").unlink()
    path = dataset / "state_groundtruth_estimate0" / "data.csv"
    path.write_text(SAMPLES["euroc"])
    with pytest.raises(PoseError, match=r"no camera's sensor\.yaml"):
        read(path, "euroc")


def test_euroc_poses_of_a_body_without_a_camera_are_refused(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text(SAMPLES["euroc"])
    with pytest.raises(PoseError, match=r"data\.csv: .*sensor\.yaml.*say opencv"):
        read(path, "euroc")
    np.testing.assert_array_equal(
        read(path, "euroc", axes="opencv").world_from_camera[2, :3, 3], [0, 2, 0]
    )


@pytest.mark.parametrize(
    "content",
    [
        "sensor_type: camera\n",
        "sensor_type: camera\nT_BS:\n  data: [1, 2]\n",
        SENSOR.format(x="nan", y=0, z=0),
        SENSOR.format(x="much", y=0, z=0),
        SENSOR.format(x=0, y=0, z=0).replace("-1.0", "1.0"),
        SENSOR.format(x=0, y=0, z=0).replace("T_BS", "\0"),
    ],
)
def test_euroc_refuses_a_broken_mounting_by_its_file(content, place):
    path = place("euroc", SAMPLES["euroc"])
    (path.parent / "sensor.yaml").write_text(content)
    with pytest.raises(PoseError, match=r"sensor\.yaml"):
        read(path, "euroc")


def test_euroc_takes_the_order_of_the_quaternion_from_the_header(place):
    swapped = [
        re.sub(r"^((?:[^,]*,){4})([^,]*),([^,]*),([^,]*),([^,]*)", r"\1\3,\4,\5,\2", line)
        for line in (HEADER, *DATA)
    ]
    ours = read(place("euroc", "\n".join(swapped)), "euroc")
    np.testing.assert_array_equal(
        ours.world_from_camera,
        read(place("euroc", SAMPLES["euroc"]), "euroc").world_from_camera,
    )


def test_euroc_without_a_header_asks_for_the_order_of_the_quaternion(place):
    path = place("euroc", "\n".join(DATA))
    assert euroc.FORMAT.matches(path, path.read_bytes())
    assert not tum.FORMAT.matches(path, path.read_bytes())
    with pytest.raises(PoseError, match=r"say wxyz .* or xyzw"):
        read(path, "euroc")
    said = read(path, "euroc", quaternion="wxyz").world_from_camera
    other = read(path, "euroc", quaternion="xyzw").world_from_camera
    assert np.degrees(np.linalg.norm(log(said[:1, :3, :3].mT @ said[1:2, :3, :3]))) > 9
    assert not np.allclose(said, other)


def test_euroc_knows_the_data_sets_table_by_its_columns(place):
    wide = place("euroc", "\n".join(line + ",0" * 9 for line in DATA))
    found = read(wide, "euroc").world_from_camera
    named = read(place("euroc", SAMPLES["euroc"]), "euroc").world_from_camera
    np.testing.assert_array_equal(found, named)


def test_euroc_tells_nanoseconds_apart(place):
    table = [HEADER]
    table += [f"{1403636580838555648 + k},0,0,0,1,0,0,0" for k in (0, 1, 3, 1_000_000_007)]
    times = read(place("euroc", "\n".join(table)), "euroc").times
    np.testing.assert_allclose(times, [0, 1e-9, 3e-9, 1.000000007], rtol=1e-12)


def test_euroc_reads_decimals_and_spaces(place):
    table = SAMPLES["euroc"].replace(",", " ").replace("648 ", "648.0000000000 ")
    np.testing.assert_allclose(read(place("euroc", table), "euroc").times, [0, 0.5, 1.0])


# RealEstate10K: the first line, and what stands where the times should.


def edited(name, column, values):
    head, *rows = SAMPLES[name].splitlines()
    words = [row.split() for row in rows]
    for row, value in zip(words, values, strict=True):
        row[column] = str(value)
    return "\n".join([head, *map(" ".join, words)])


def test_a_placeholder_is_no_time(place):
    cameras = read(
        place("realestate10k", edited("realestate10k", 0, [114514] * 3)), "realestate10k"
    )
    assert cameras.times is None
    assert cameras.frames is None


def test_numbers_of_frames_are_no_microseconds(place):
    cameras = read(place("realestate10k", edited("realestate10k", 0, [0, 4, 8])), "realestate10k")
    assert cameras.times is None
    np.testing.assert_array_equal(cameras.frames, [0, 4, 8])


@pytest.mark.parametrize("first", ["", "\n", "# https://example.org\n"])
def test_no_pose_is_lost_where_the_address_is_missing(first, place):
    table = SAMPLES["realestate10k"].partition("\n")[2]
    path = place("realestate10k", first + table)
    assert realestate10k.FORMAT.matches(path, path.read_bytes())
    assert len(read(path, "realestate10k")) == 3


def test_unknown_focal_lengths_stay_unknown(tmp_path):
    path = tmp_path / "poses.txt"
    realestate10k.FORMAT.write(path, some_cameras(), realestate10k.FORMAT.convention)
    assert read(path, "realestate10k").intrinsics is None


# ReCamMaster: several cameras, frames in any order.

TWO = {
    "frame3": {"cam02": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [300 0 0 1]"},
    "frame0": {
        "cam01": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 50 1]",
        "cam02": "[1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]",
    },
}


def test_one_of_several_cameras_has_to_be_named(place):
    path = place("recammaster", json.dumps(TWO))
    assert recammaster.cameras(path) == ["cam01", "cam02"]
    with pytest.raises(PoseError, match=r"2 cameras \(cam01, cam02\).*#cam02$"):
        read(path, "recammaster")
    own = recammaster.FORMAT.convention
    second = recammaster.read_camera(path, own, "cam02")
    np.testing.assert_array_equal(second.frames, [0, 3])
    np.testing.assert_array_equal(second.world_from_camera[:, :3, 3], [[0, 0, 0], [0, 0, 3]])
    assert len(recammaster.read_camera(path, own, "cam01")) == 1
    with pytest.raises(PoseError, match="no camera 'cam03'; it has cam01, cam02"):
        recammaster.read_camera(path, own, "cam03")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "holds no pose"),
        ({"frame0": {}}, "holds no pose"),
        ({"frame0": {"cam\n01": ""}}, "is no name of a camera"),
        ({"frame1": {"a": ""}, "frame01": {"a": ""}}, "frame 1 is there twice"),
        ({"frame0": {"a": None}}, "pose 1 has no matrix of four rows"),
        ({"frame0": {"a": "[1 0 0 0] [0 1 0 0] [0 0 1 0]"}}, "no matrix of four rows"),
        ({"frame0": {"a": "[1 0 0 x] [0 1 0 0] [0 0 1 0] [0 0 0 1]"}}, "no number"),
        ({"frame0": {"a": "[1 0 0 5] [0 1 0 0] [0 0 1 0] [0 0 0 1]"}}, "perhaps it is transposed"),
        ({"frame0": {"a": "[-1 0 0 0] [0 1 0 0] [0 0 1 0] [0 0 0 1]"}}, "reflection"),
        ({"frame" + "1" * 50: {"a": ""}}, "is no frame"),
        ({"0": []}, "is no frame"),
    ],
)
def test_recammaster_says_what_is_wrong(content, said, place):
    with pytest.raises(PoseError, match=said):
        read(place("recammaster", json.dumps(content)), "recammaster")


# .chan: frames, angles and the field of view.


def test_a_chan_is_known_by_its_name(tmp_path):
    seven = b"1 0 0 0 0 0 0\n2 1 0 0 0 0 0\n"
    assert chan.FORMAT.matches(tmp_path / "a.CHAN", seven)
    assert not any(form.matches(tmp_path / "a.txt", seven) for form in FORMATS.values())


@settings(max_examples=40)
@given(tilt=st.floats(-89.0, 89.0), heading=st.floats(-180.0, 180.0), roll=st.floats(-180.0, 180.0))
def test_the_order_of_turns_is_nukes(tilt, heading, roll, tmp_path_factory):
    """Roll first, then tilt, then heading: tilt alone says how high the camera looks."""
    path = tmp_path_factory.getbasetemp() / "order.chan"
    path.write_text(f"1 0 0 0 {tilt!r} {heading!r} {roll!r}\n")
    # In the world of the file, where up is +y.
    ahead = np.diag([1.0, -1.0, -1.0]) @ read(path, "chan").world_from_camera[0, :3, 2]
    assert np.degrees(np.arcsin(ahead[1])) == pytest.approx(tilt, abs=1e-6)
    level = np.cos(np.radians(tilt)) * np.array(
        [np.sin(np.radians(heading)), np.cos(np.radians(heading))]
    )
    np.testing.assert_allclose(ahead[[0, 2]], -level, atol=1e-9)


def test_a_level_camera_stands_upright_in_nuke(place):
    path = place("chan", "1 0 0 0 0 0 0\n")
    chan.FORMAT.write(path, CameraPath(np.eye(4)[None]), chan.FORMAT.convention)
    np.testing.assert_array_equal(np.array(path.read_text().split(), float), 0.0)


def test_chan_angles_tilt_up_and_roll_counter_clockwise(place):
    path = place("chan", "0 0 0 0 0 0 0\n1 0 0 0 10 0 0\n2 0 0 0 0 0 10\n")
    turns = read(path, "chan").world_from_camera[:, :3, :3]
    relative = np.degrees(log(turns[0].T @ turns))
    np.testing.assert_allclose(relative, [[0, 0, 0], [10, 0, 0], [0, 0, -10]], atol=1e-9)


@pytest.mark.parametrize("heading", [0.0, 33.0, 180.0])
def test_looking_straight_up_is_written_exactly(heading, place):
    path = place("chan", f"1 0 0 0 90 {heading} 20\n2 0 0 0 -90 {heading} 20\n")
    cameras = read(path, "chan")
    chan.FORMAT.write(path, cameras, chan.FORMAT.convention)
    np.testing.assert_allclose(
        read(path, "chan").world_from_camera, cameras.world_from_camera, atol=1e-12
    )


def test_angles_go_on_past_the_half_turn(place):
    headings = np.arange(0.0, 720.0, 30.0)
    path = place("chan", "".join(f"{k} 0 0 0 0 {a} 0\n" for k, a in enumerate(headings)))
    chan.FORMAT.write(path, read(path, "chan"), chan.FORMAT.convention)
    written = [float(line.split()[5]) for line in path.read_text().splitlines()]
    np.testing.assert_allclose(np.diff(written), 30.0, atol=1e-9)


def test_a_zoom_is_kept_as_the_vertical_field_of_view(place):
    path = place("chan", "10 0 0 0 0 0 0 90\n11 0 0 0 0 0 0 53.13010235415598\n")
    cameras = read(path, "chan")
    np.testing.assert_array_equal(cameras.frames, [10, 11])
    np.testing.assert_allclose(cameras.intrinsics[:, 1], [0.5, 1.0])
    np.testing.assert_allclose(cameras.intrinsics[:, 0], [9 / 32, 9 / 16])
    chan.FORMAT.write(path, cameras, chan.FORMAT.convention)
    np.testing.assert_allclose(read(path, "chan").intrinsics, cameras.intrinsics)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("1 0 0 0 0 0 0\n2 0 0 0 0 0 0 40\n", r"\.chan:2: 8 columns, 7 in the lines before"),
        ("1 0 0 0 0 0 0 40\n2 0 0 0 0 0 0 180\n", r"\.chan:2: .*field of view of 180 degrees"),
        ("1 0 0 0 0 0 0 0\n", r"\.chan:1: .*field of view of 0 degrees"),
        ("1 0 0 0 0 0 0 1e-320\n", r"\.chan:1: .*not finite"),
        ("1.5 0 0 0 0 0 0\n", r"\.chan:1: .*frame number 1\.5"),
        ("-1 0 0 0 0 0 0\n", r"\.chan:1: .*frame number -1"),
        ("1e300 0 0 0 0 0 0\n", r"\.chan:1: .*frame number 1e\+300"),
        ("nan 0 0 0 0 0 0\n", r"\.chan:1: .*frame number nan"),
        ("2 0 0 0 0 0 0\n\n1 0 0 0 0 0 0\n", r"\.chan:3: .*frame number 1, which is not after 2"),
        ("1 0 0 0 0 inf 0\n", r"\.chan:1: .*not finite"),
    ],
)
def test_chan_says_what_is_wrong(content, said, place):
    with pytest.raises(PoseError, match=said):
        read(place("chan", content), "chan")


# MonST3R.


def test_monst3rs_column_order_is_never_guessed(tmp_path):
    table = SAMPLES["monst3r"].encode()
    assert monst3r.FORMAT.matches(tmp_path / "pred_traj.txt", table)
    assert not tum.FORMAT.matches(tmp_path / "pred_traj.txt", table)
    assert not monst3r.FORMAT.matches(tmp_path / "traj.txt", table)


def test_monst3rs_counter_is_no_clock_but_times_are(place):
    assert read(place("monst3r", SAMPLES["monst3r"]), "monst3r").times is None
    timed = place("monst3r", "0.5 0 0 0 1 0 0 0\n0.75 0 0 0 1 0 0 0\n")
    np.testing.assert_array_equal(read(timed, "monst3r").times, [0.5, 0.75])


# AC3D.


def test_ac3d_reads_pixels_as_shares(place):
    cameras = read(place("ac3d", SAMPLES["ac3d"]), "ac3d")
    assert cameras.size == (128, 72)
    np.testing.assert_allclose(cameras.intrinsics, [[80 / 128, 80 / 72, 0.5, 0.5]] * 3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"imW": None}, "imW and imH"),
        ({"imW": 0}, "imW and imH"),
        ({"imW": 1e400}, "imW and imH"),
        ({"imW": True}, "imW and imH"),
        ({"imH": 10**400}, "imW and imH"),
        ({"intrinsics": [K]}, "intrinsics has shape"),
        ({"intrinsics": [K, K, [[0, 0, 0]] * 3]}, "pose 3 has a focal length"),
        ({"intrinsics": {"fx": 1}}, "a list of poses"),
        ({"w2c": None}, "a list of poses"),
        ({"w2c": [[[1, 0, 0, 0]] * 4] * 3}, "pose 1 is not made of 3 x 4 numbers"),
        ({"w2c": []}, "holds no pose"),
    ],
)
def test_ac3d_says_what_is_wrong(change, said, place):
    content = json.dumps(json.loads(SAMPLES["ac3d"]) | change)
    with pytest.raises(PoseError, match=said):
        read(place("ac3d", content), "ac3d")


@pytest.mark.parametrize("missing", ["w2c", "imW", "imH"])
def test_ac3d_says_what_it_lacks(missing, place):
    content = json.loads(SAMPLES["ac3d"])
    del content[missing]
    with pytest.raises(PoseError, match=f"lacks '{missing}'"):
        read(place("ac3d", json.dumps(content)), "ac3d")


# MotionCtrl.


@pytest.mark.parametrize("one", ['"1"', "true", "[1]", "null", "1" + "0" * 400])
def test_what_only_looks_like_a_number_is_refused(one, place):
    content = f"[[1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0], [{one}, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]]"
    with pytest.raises(PoseError, match="pose 2 is not made of 12 numbers"):
        read(place("motionctrl", content), "motionctrl")


# Hostile files. A message is one line that names the file.


def refused(path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PoseError) as error:
            read(path, name)
    message = str(error.value)
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < len(str(path)) + 300
    return message


TABLES = {
    "tum": (3, "1305031103.0"),
    "kitti": (2, None),
    "euroc": (3, "1403636581338555648"),
    "realestate10k": (3, "1500000"),
    "chan": (2, "1002"),
    "monst3r": (2, None),
}


def with_line(name, change):
    """A table whose second pose is changed, and the number of its line."""
    rows = SAMPLES[name].splitlines()
    k = len(rows) - 2
    rows[k] = change(rows[k])
    return "\n".join(rows) + "\n", k + 1


def last_number(value):
    return lambda row: re.sub(r"[^\s,]+$", value, row)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize(
    "change",
    [
        pytest.param(last_number("nan"), id="nan"),
        pytest.param(last_number("-inf"), id="infinity"),
        pytest.param(last_number("1e999"), id="overflow"),
        pytest.param(last_number("0x1p3"), id="no number"),
        pytest.param(last_number("\u0661x"), id="other digits"),
        pytest.param(lambda row: row[: len(row) // 2], id="torn"),
        pytest.param(lambda row: row + " 1", id="a column more"),
        pytest.param(lambda row: row + " " * 100_000 + "1", id="long line"),
        pytest.param(lambda row: row + "9" * 100_000, id="long number"),
    ],
)
def test_a_bad_line_is_named(name, change, place):
    content, line = with_line(name, change)
    path = place(name, content)
    assert refused(path, name).startswith(f"{path}:{line}: ")


@pytest.mark.parametrize("name", ["kitti", "realestate10k"])
@pytest.mark.parametrize(
    ("matrix", "said"),
    [
        ("1 0 0 0 0 1 0 0 0 0 -1 0", "reflection"),
        ("1 0 0 0 0 1 0 0 0 0.5 1 0", "no rotation"),
        ("2 0 0 0 0 2 0 0 0 0 2 0", "no rotation"),
        ("0 0 0 0 0 0 0 0 0 0 0 0", "no rotation"),
        ("1e200 -1e200 1 0 1e200 1e200 1 0 1 1 1 0", "no rotation"),
    ],
)
def test_what_is_no_rotation_is_named_by_its_line(name, matrix, said, place):
    content, line = with_line(name, lambda row: " ".join((*row.split()[:-12], matrix)))
    message = refused(place(name, content), name)
    assert f":{line}: " in message
    assert said in message


@pytest.mark.parametrize("name", QUATERNIONS)
@pytest.mark.parametrize("length", ["0", "1e200", "3"])
def test_a_quaternion_of_another_length_is_named_by_its_line(name, length, place):
    content, line = with_line(
        name, lambda row: re.sub(r"((?:[\s,][^\s,]+){4})$", f",0,{length},0,0", row)
    )
    assert f":{line}: pose 2 has a quaternion of length" in refused(place(name, content), name)


@pytest.mark.parametrize("name", ["tum", "euroc", "realestate10k", "chan"])
@pytest.mark.parametrize(
    ("order", "bad"), [([0, 1, 1], 2), ([1, 0, 2], 1), ([0, 2, 1], 2), ([0, 0, 1], 1)]
)
def test_times_that_stand_or_go_back_are_named_by_their_line(name, order, bad, place):
    rows = SAMPLES[name].splitlines()
    first = len(rows) - 3
    content = "\n".join([*rows[:first], *(rows[first + k] for k in order)])
    message = refused(place(name, content), name)
    assert f":{first + bad + 1}: pose {bad + 1} has the " in message
    assert "which is not after" in message


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n\n# nothing\n",
        b"\0" * 5000,
        bytes(range(1, 256)) * 20,
        b"\xff" * 5000,
        b"PK\x03\x04" + b"\x00" * 50,
        b"x" * 1_000_000,
        b"[" * 100_000,
        b'{"w2c": ' + b"[" * 100_000,
        b"[[1e400" + b", 0" * 11 + b"]]",
        b"[[1" + b"0" * 5000 + b", 0" * 11 + b"]]",
        b"[[1" + b"0" * 400 + b", 0" * 11 + b"]]",
        b'[["1"' + b", 0" * 11 + b"]]",
        b"[[null" + b", 0" * 11 + b"]]",
        b"[[true" + b", 0" * 11 + b"]]",
        b"[[NaN" + b", 0" * 11 + b"]]",
        b"[]",
        b"[[]]",
        b"{}",
        b"null",
        b"1",
        b'"frame0"',
        b'{"w2c": [null]}',
        b'{"frame0": {"cam01": 5}}',
    ],
    ids=range(24),
)
def test_garbage_is_refused(name, content, place):
    refused(place(name, content), name)


@pytest.mark.parametrize("name", ["ac3d", "recammaster"])
def test_what_is_said_twice_is_refused(name, place):
    content = SAMPLES[name].rstrip()[:-1] + "," + SAMPLES[name].lstrip()[1:]
    assert "twice" in refused(place(name, content), name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("tum", "\n" * 2_000_001, "more than 2000000 lines"),
        ("motionctrl", "[" + "0," * 16_000_000 + "0]", "more lists and numbers"),
        ("ac3d", '{"w2c": [' + "[]," * 8_000_000 + "[]]}", "more lists and numbers"),
    ],
    ids=["lines", "numbers", "lists"],
)
def test_bombs_are_refused_before_they_unfold(name, content, said, place):
    assert said in refused(place(name, content), name)


@pytest.mark.parametrize("name", FORMATS)
def test_folders_and_missing_files_are_refused(name, tmp_path):
    refused(tmp_path, name)
    refused(tmp_path / "missing", name)


@pytest.mark.parametrize("name", FORMATS)
def test_a_pipe_is_refused_without_waiting_for_it(name, tmp_path):
    path = tmp_path / FILES[name]
    os.mkfifo(path)

    def hangs(*_):
        pytest.fail("waits for the pipe")

    before = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(5)
    try:
        refused(path, name)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", FORMATS)
def test_one_pose_is_a_path(name, place):
    sample = SAMPLES[name]
    if name in ("ac3d", "motionctrl", "recammaster"):
        data = json.loads(sample)
        if name == "ac3d":
            data["w2c"], data["intrinsics"] = data["w2c"][:1], data["intrinsics"][:1]
        elif name == "motionctrl":
            data = data[:1]
        else:
            data = {"frame0": data["frame0"]}
        sample = json.dumps(data)
    else:
        sample = "\n".join(sample.splitlines()[:-2])
    assert len(read(place(name, sample), name)) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_windows_line_ends_and_a_byte_order_mark_change_nothing(name, place):
    plain = read(place(name, SAMPLES[name]), name).world_from_camera
    marked = "\ufeff" + SAMPLES[name].replace("\n", "\r\n")
    path = place(name, marked)
    np.testing.assert_array_equal(read(path, name).world_from_camera, plain)
    if name not in ("ac3d", "motionctrl", "recammaster"):
        assert FORMATS[name].matches(path, path.read_bytes()[:4096])


HOSTILE = [
    *("nan", "-inf", "1e999", "1e200", "-1e308", "1e-320", "0", "-1", "1", "180", "0.5", "1e18"),
    *(
        "null",
        "true",
        "[",
        "]",
        "{",
        "}",
        '"',
        ":",
        ",",
        "#",
        "\n",
        "\t",
        "\0",
        "\ufeff",
        "é",
        "\u0663",
    ),
    *("9" * 400, "9" * 5000, "x" * 70_000, "[" * 2000, "frame0", "cam01", "w2c", "imW", "\x1b[2J"),
]


def mutated(sample, rng):
    """A sample with a few random changes to its bytes and words."""
    data = bytearray(sample.encode())
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(data) + 1)
        stop = min(len(data), start + rng.choice([0, 1, 1, 2, 5, 20, 200]))
        match rng.randrange(7):
            case 0:
                del data[start:stop]
            case 1:
                data[start:start] = bytes(rng.randrange(256) for _ in range(rng.randint(1, 8)))
            case 2:
                data[start:stop] = rng.choice(HOSTILE).encode()
            case 3:
                data[start:start] = data[start:stop]
            case 4:
                del data[start:]
            case 5:
                words = list(re.finditer(rb"[-+.\w]+", data))
                if words:
                    word = rng.choice(words)
                    data[word.start() : word.end()] = rng.choice(HOSTILE).encode()
            case _:
                rows = data.split(b"\n")
                a, b = rng.randrange(len(rows)), rng.randrange(len(rows))
                rows[a], rows[b] = rows[b], rows[a]
                data = bytearray(b"\n".join(rows))
    return bytes(data)


@pytest.mark.parametrize("name", FORMATS)
def test_mutated_files_are_read_or_refused(name, place):
    rng = random.Random(f"mutations of {name}")
    outcomes = {"read": 0, "refused": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(400):
            content = mutated(SAMPLES[name], rng)
            path = place(name, content)
            for form in FORMATS.values():
                form.matches(path, content[:4096])
            try:
                cameras = read(path, name)
            except PoseError as error:
                assert str(error).startswith(f"{path.parent}"), content
                assert "\n" not in str(error)
                outcomes["refused"] += 1
            else:
                rotations = cameras.world_from_camera[:, :3, :3]
                assert is_rotation(rotations, tolerance=0.03), content
                assert np.isfinite(cameras.world_from_camera).all()
                cameras.trajectory(24.0)
                outcomes["read"] += 1
    assert min(outcomes.values()) > 20, outcomes
