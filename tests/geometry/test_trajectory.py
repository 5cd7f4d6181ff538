from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.rotations import exp
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Trajectory


def wander(seed: int) -> Trajectory:
    """A path without any order, at uneven times."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 12))
    poses = np.tile(np.eye(4), (n, 1, 1))
    poses[:, :3, :3] = exp(rng.normal(0.0, 0.7, (n, 3)))
    poses[:, :3, 3] = rng.normal(0.0, 3.0, (n, 3))
    return Trajectory.from_poses(
        np.cumsum(rng.uniform(0.01, 0.2, n)),
        poses,
        size=(640, 360),
        focals=rng.uniform(300.0, 900.0, n),
        valid=rng.uniform(size=n) < 0.8,
        sigmas=rng.uniform(0.0, 0.1, (n, 7)),
    )


paths = st.builds(wander, st.integers(0, 2**31))


def assert_same(one: Trajectory, other: Trajectory) -> None:
    for name in ("times", "rotations", "centers", "focals", "valid", "sigmas"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-12)


@given(paths)
def test_twice_backwards_is_forwards(path):
    assert_same(path.reversed().reversed(), path)


@given(paths)
def test_a_mirror_seen_in_a_mirror(path):
    assert_same(path.mirrored().mirrored(), path)


@given(paths)
def test_backwards_and_mirror_can_be_exchanged(path):
    assert_same(path.mirrored().reversed(), path.reversed().mirrored())


@given(paths)
def test_backwards_keeps_the_clock(path):
    back = path.reversed()
    assert back.times[0] == path.times[0]
    assert back.times[-1] == pytest.approx(path.times[-1])
    np.testing.assert_allclose(np.diff(back.times), np.diff(path.times)[::-1], atol=1e-12)


@given(paths, st.integers(0, 2**31))
def test_a_mirror_flips_the_picture(path, seed):
    """A point seen at x is seen at -x by the mirrored camera in the mirrored world."""
    point = np.random.default_rng(seed).normal(0.0, 2.0, 3)
    mirrored = path.mirrored()
    flip = np.array([-1.0, 1.0, 1.0])
    seen = np.einsum("nji,nj->ni", path.rotations, point - path.centers)
    seen_mirrored = np.einsum("nji,nj->ni", mirrored.rotations, flip * point - mirrored.centers)
    np.testing.assert_allclose(seen_mirrored, seen * flip, atol=1e-9)


def test_poses_come_as_three_or_four_rows():
    path = wander(1)
    poses = np.concatenate([path.rotations, path.centers[..., None]], axis=2)
    read = Trajectory.from_poses(path.times, poses, size=path.size)
    np.testing.assert_array_equal(read.rotations, path.rotations)
    np.testing.assert_array_equal(read.centers, path.centers)
    assert read.valid.all()


def test_the_focal_prior_is_a_share_of_the_long_side():
    tall = Trajectory.from_poses([0.0], np.eye(4)[None], size=(360, 640))
    assert tall.focals[0] == pytest.approx(FOCAL_PRIOR * 640)
    horizontal, vertical = tall.field_of_view_deg
    assert horizontal < vertical
    assert np.tan(np.radians(vertical / 2)) == pytest.approx(320 / tall.focals[0])


@pytest.mark.parametrize(
    "change",
    [
        {"times": [0.0, 0.0]},
        {"times": [1.0, 0.5]},
        {"times": [0.0, np.nan]},
        {"times": [0.0, 1.0, 2.0]},
        {"rotations": np.tile(2.0 * np.eye(3), (2, 1, 1))},
        {"rotations": np.tile(np.diag([-1.0, 1.0, 1.0]), (2, 1, 1))},
        {"centers": [[0.0, 0.0, 0.0], [np.inf, 0.0, 0.0]]},
        {"centers": np.zeros((2, 2))},
        {"focals": [100.0, 0.0]},
        {"focals": [100.0, np.nan]},
        {"focals": [100.0, np.inf]},
        {"sigmas": np.zeros((2, 6))},
        {"sigmas": np.full((2, 7), -0.1)},
        {"sigmas": np.full((2, 7), np.nan)},
        {"sigmas": np.full((2, 7), np.inf)},
        {"size": (0, 36)},
        {"size": (64, -36)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_nonsense_is_refused(change):
    path = Trajectory.from_poses([0.0, 1.0], np.tile(np.eye(4), (2, 1, 1)), size=(64, 36))
    with pytest.raises(ValueError, match=r"times|rotations|centers|focals|sigmas|size"):
        replace(path, **change)


def test_an_empty_path_is_refused():
    with pytest.raises(ValueError, match="at least one pose"):
        Trajectory.from_poses([], np.empty((0, 4, 4)), size=(64, 36))


def test_filler_is_allowed_where_there_is_no_pose():
    poses = np.tile(np.eye(4), (3, 1, 1))
    poses[1] = np.nan
    path = Trajectory.from_poses(
        [0, 1, 2],
        poses,
        size=(64, 36),
        focals=[50.0, np.inf, 50.0],
        sigmas=np.array([[0.1], [np.nan], [0.1]]) * np.ones(7),
        valid=[True, False, True],
    )
    assert path.valid.tolist() == [True, False, True]


def test_arrays_cannot_be_changed():
    path = wander(2)
    with pytest.raises(ValueError, match="read-only"):
        path.centers[0] = 1.0
