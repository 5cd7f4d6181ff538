"""Motion files and JSON lines: what is written comes back."""

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.profile import AXES, motion_profile
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.jsonl import dumps, plain, read_lines
from dollygrip.runners.formats.maps import SceneMaps, maps_npz, read_maps
from dollygrip.runners.formats.trajectories import (
    ShotMotion,
    profiles_npz,
    read_trajectories,
    trajectories_npz,
)


def trajectory(n: int = 9, seed: int = 0, **changes: object) -> Trajectory:
    rng = np.random.default_rng(seed)
    fields: dict[str, object] = {
        "times": 1.5 + np.cumsum(rng.uniform(0.05, 0.2, n)),
        "rotations": rotation_from_pan_tilt_roll(np.cumsum(rng.normal(0, 1, (n, 3)), axis=0)),
        "centers": rng.normal(size=(n, 3)),
        "focals": rng.uniform(400, 600, n),
        "size": (640, 360),
        "valid": np.arange(n) != 1,
        "sigmas": rng.uniform(size=(n, 7)),
        "scene_depth": 2.5,
        "metric": True,
    }
    return Trajectory(**{**fields, **changes})


SHOTS = (
    ShotMotion(
        0.0,
        1.5,
        (
            Hypothesis("rotation", 0.75, trajectory(seed=1)),
            Hypothesis("all", 0.25, trajectory(seed=2, scene_depth=float("nan"), metric=False)),
        ),
        doubts=(Failure(Reason.DYNAMIC_SCENE, "Much of the picture moves."),),
        diagnostics={"tracks": 120, "cost": 0.5},
    ),
    ShotMotion(1.5, 2.0, failure=Failure(Reason.TOO_DARK, "Der Film ist schwarz: ⬛")),
)


def test_trajectories_come_back_exactly(tmp_path):
    path = tmp_path / "clip.npz"
    path.write_bytes(trajectories_npz(SHOTS))
    back = read_trajectories(path)
    assert len(back) == len(SHOTS)
    for got, want in zip(back, SHOTS, strict=True):
        for name in ("start", "end", "failure", "doubts", "diagnostics"):
            assert getattr(got, name) == getattr(want, name)
        for mine, theirs in zip(got.hypotheses, want.hypotheses, strict=True):
            assert (mine.model, mine.probability) == (theirs.model, theirs.probability)
            a, b = mine.trajectory, theirs.trajectory
            for name in ("times", "rotations", "centers", "focals", "valid", "sigmas"):
                np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
            assert (a.size, a.metric) == (b.size, b.metric)
            np.testing.assert_equal(a.scene_depth, b.scene_depth)
    assert list(tmp_path.iterdir()) == [path]


def test_profiles_hold_the_likeliest_hypothesis(tmp_path):
    path = tmp_path / "clip.npz"
    path.write_bytes(profiles_npz(SHOTS))
    profile = motion_profile(SHOTS[0].hypotheses[0].trajectory)
    with np.load(path, allow_pickle=False) as arrays:
        assert tuple(arrays["axes"]) == AXES
        np.testing.assert_array_equal(arrays["shot0_rates"], profile.rates)
        np.testing.assert_array_equal(arrays["shot0_net"], profile.net)
        assert not any(name.startswith("shot1") for name in arrays)


def test_a_pose_alone_has_no_profile(tmp_path):
    one = ShotMotion(0.0, 0.0, (Hypothesis("static", 1.0, trajectory(3, valid=[0, 1, 0])),))
    (tmp_path / "clip.npz").write_bytes(profiles_npz([one]))
    with np.load(tmp_path / "clip.npz", allow_pickle=False) as arrays:
        assert list(arrays) == ["axes"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"text", None])
def test_a_damaged_file_says_so(tmp_path, content):
    path = tmp_path / "clip.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"clip\.npz holds no trajectories"):
        read_trajectories(path)


def test_a_file_of_another_version_is_refused(tmp_path):
    path = tmp_path / "clip.npz"
    meta = np.array(json.dumps({"version": 99, "shots": []}))
    np.savez(path, meta=meta)
    with pytest.raises(ValueError, match="version 99"):
        read_trajectories(path)


def test_a_pickle_is_never_opened(tmp_path):
    path = tmp_path / "clip.npz"
    np.savez(path, meta=np.array({"version": 1}, dtype=object), allow_pickle=True)
    assert zipfile.is_zipfile(path)
    with pytest.raises(ValueError, match="pickle"):
        read_trajectories(path)


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "clip.npz"
    path.write_bytes(trajectories_npz(SHOTS))
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_atomically(path, "not bytes")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


json_data = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Bytes of a file name that are no UTF-8 are lone surrogates in Python.
    | st.text()
    | st.just("\udc80"),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), json_data))
def test_any_json_data_is_one_ascii_line_and_comes_back(data):
    line = dumps(data)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == data


def test_numpy_and_infinities_become_plain():
    data = {
        "a": np.float64("nan"),
        "b": np.float32(0.5),
        "c": np.array([1, 2]),
        "d": (np.bool_(True), float("inf")),
        5: Reason.FROZEN,
    }
    assert json.loads(dumps(data)) == {
        "a": None,
        "b": 0.5,
        "c": [1, 2],
        "d": [True, None],
        "5": "frozen",
    }
    assert plain(np.int64(3)) == 3


def test_lines_that_are_torn_or_no_objects_are_passed_over(tmp_path):
    path = tmp_path / "lines.jsonl"
    lines = [b'{"a":1}', b"\0\0\0", b"[1]", b'{"a":', b'{"a":2}', b"[" * 100_000, b'{"a":3}']
    path.write_bytes(b"\n".join(lines))
    found = list(read_lines(path))
    assert [data for _, data in found] == [{"a": 1}, {"a": 2}]  # the last has no end yet
    raw = path.read_bytes()
    assert [raw[offset:].partition(b"\n")[0] for offset, _ in found] == [b'{"a":1}', b'{"a":2}']


def test_maps_read_back_as_written_by_the_number_of_their_shot(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    depths = rng.uniform(1.0, 5.0, (3, 4, 6)).astype(np.float32)
    depths[0, 0, 0] = np.nan
    maps = SceneMaps(np.arange(3.0), depths, rng.uniform(size=(3, 4, 6)).astype(np.float32))
    (tmp_path / "maps.npz").write_bytes(maps_npz([None, maps]))
    back = read_maps(tmp_path / "maps.npz")
    assert list(back) == [1]
    np.testing.assert_array_equal(back[1].times, maps.times)
    np.testing.assert_array_equal(back[1].depths, maps.depths)
    np.testing.assert_array_equal(back[1].moving, maps.moving)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 torn", b"no archive"])
def test_damaged_maps_are_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "maps.npz").write_bytes(data)
    with pytest.raises(ValueError, match=r"maps\.npz holds no maps"):
        read_maps(tmp_path / "maps.npz")
