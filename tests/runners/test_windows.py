"""From tracks to keyframes and back to every frame."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.bundle import Solution
from dollygrip.geometry.rotations import exp, increments, is_rotation, log
from dollygrip.geometry.synthetic import Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.geometry.twoview import accumulate
from dollygrip.runners.estimators import stillness
from dollygrip.runners.estimators.tracks import Tracks
from dollygrip.runners.estimators.windows import (
    Stretch,
    chain,
    chain_steps,
    chained_start,
    fill_in,
    keyframes,
    observe,
    still_stretch,
)

SIZE = (480, 270)
FOCAL = 432.0


def followed(path: Trajectory, *, seed: int = 0, points: int = 300, life: int = 12) -> Tracks:
    """Exact tracks of points far away, each seen for about ``life`` frames."""
    rng = np.random.default_rng(seed)
    n = len(path)
    half = np.array(SIZE) / 2.0
    born = rng.integers(-life // 2, n, points)
    middle = np.clip(born + life // 2, 0, n - 1)
    xy = rng.uniform(-0.9, 0.9, (points, 2)) * half
    ray = np.column_stack([xy / path.focals[middle, None], np.ones(points)])
    point = np.einsum("kij,kj->ki", path.rotations[middle], ray)
    local = np.einsum("nji,kj->nki", path.rotations, point)
    seen = local[..., :2] / local[..., 2:] * path.focals[:, None, None]
    number = np.arange(n)[:, None]
    alive = (number >= born) & (number < born + life) & (np.abs(seen) < half).all(axis=2)
    frame, track = np.nonzero(alive)
    cells = stillness.GRID[0] * stillness.GRID[1]
    return Tracks(
        times=path.times,
        size=SIZE,
        frame=frame,
        track=track,
        xy=seen[frame, track],
        texture=np.ones(n),
        brightness=np.full(n, 128.0),
        still_frames=np.zeros((0, 2), np.intp),
        still=np.zeros((0, cells), np.bool_),
        textured=np.zeros((0, cells), np.bool_),
    )


def path_of(*moves, seconds: float = 2.0) -> Trajectory:
    return camera_path(moves, duration=seconds, rate=12.0, focal=FOCAL)


PANNED = path_of(Move("pan_left", 15.0), Move("zoom_in", 0.2), Shake(0.3))


# The chain.


def test_the_chain_follows_a_camera_that_turns_and_zooms():
    steps = chain_steps(followed(PANNED), FOCAL)
    assert steps.shape == (len(PANNED) - 1, 4)
    np.testing.assert_allclose(steps[:, 3], np.diff(np.log(PANNED.focals)), atol=1e-3)
    # Steps are in pixels: with a longer focal length, the same pixels are a smaller turn.
    gain = FOCAL / PANNED.focals[:-1, None]
    np.testing.assert_allclose(
        steps[:, :2] * gain, increments(PANNED.rotations)[:, :2], rtol=0.03, atol=1e-4
    )


def test_a_pair_that_shares_no_track_is_no_step():
    tracks = followed(PANNED)
    keep = tracks.frame != 7
    gone = Tracks(
        **(
            vars(tracks)
            | {"frame": tracks.frame[keep], "track": tracks.track[keep], "xy": tracks.xy[keep]}
        )
    )
    steps = chain_steps(gone, FOCAL)
    np.testing.assert_array_equal(steps[6:8], 0.0)
    np.testing.assert_allclose(steps[:6], chain_steps(tracks, FOCAL)[:6], atol=1e-9)


# Keyframes.

walks = st.integers(0, 2**31).map(
    lambda seed: np.random.default_rng(seed).normal(0.0, 0.02, (60, 4))
)


@given(walks, st.integers(0, 58), st.integers(1, 60), st.integers(3, 40))
def test_keyframes_are_in_order_and_hold_the_ends(steps, first, length, count):
    last = min(first + length, 60)
    chosen = keyframes(steps, first, last, count)
    assert chosen[0] == first
    assert chosen[-1] == last
    assert (np.diff(chosen) > 0).all()
    assert 2 <= len(chosen) <= count


def test_few_frames_are_all_keyframes_when_nothing_moves():
    np.testing.assert_array_equal(keyframes(np.zeros((9, 4)), 0, 9, 32), np.arange(10))


def test_keyframes_are_denser_where_the_picture_moves():
    steps = np.zeros((60, 4))
    steps[:20, 1] = 0.02
    chosen = keyframes(steps, 0, 60, 16)
    assert (chosen <= 20).sum() > 1.4 * (chosen >= 40).sum()


# Observations.


@given(st.integers(0, 2**31), st.lists(st.integers(0, 23), min_size=2, max_size=24, unique=True))
def test_what_is_observed(seed, chosen):
    tracks = followed(PANNED, seed=seed, points=80)
    frames = np.sort(chosen)
    seen = observe(tracks, frames, limit=10**6)
    count = len(seen.anchor)
    assert seen.frames == len(frames)
    pairs = seen.track * len(frames) + seen.frame
    anchors = np.arange(count) * len(frames) + seen.anchor
    # Once in a frame, and the anchor is not among the observations.
    assert len(np.unique(np.concatenate([pairs, anchors]))) == len(pairs) + count
    assert set(seen.track) == set(range(count))
    # Nothing is lost: each track of two keyframes or more is there.
    inside = np.isin(tracks.frame, frames)
    lives = np.bincount(tracks.track[inside])
    assert count == (lives >= 2).sum()
    assert len(pairs) + count == lives[lives >= 2].sum()
    # Every position is the one that was tracked.
    tracked = {(f, *at) for f, at in zip(tracks.frame, tracks.xy.tolist(), strict=True)}
    assert {(frames[f], *at) for f, at in zip(seen.frame, seen.xy.tolist(), strict=True)} <= tracked
    anchored = zip(seen.anchor, seen.anchor_xy.tolist(), strict=True)
    assert {(frames[f], *at) for f, at in anchored} <= tracked
    assert (seen.inverse_depth > 0.0).all()


def test_the_ground_is_expected_nearer_than_the_sky():
    seen = observe(followed(PANNED), np.arange(24), limit=10**6)
    below = seen.anchor_xy[:, 1] > 0
    assert seen.inverse_depth[below].min() > seen.inverse_depth[~below].max()


def test_a_limit_keeps_long_tracks_all_over_the_window():
    path = path_of(Move("pan_left", 20.0), seconds=4.0)
    tracks = followed(path, points=1500)
    frames = np.arange(len(path))
    everything, some = observe(tracks, frames, 10**6), observe(tracks, frames, 60)
    assert 40 <= len(some.anchor) <= 66
    assert np.bincount(some.track).mean() > np.bincount(everything.track).mean()
    sixths = np.histogram(some.anchor, bins=6, range=(0, len(frames)))[0]
    assert sixths.min() >= 5


def test_tracks_that_no_two_keyframes_share():
    tracks = followed(PANNED, life=2)
    seen = observe(tracks, np.array([0, 8, 16, 23]), limit=400)
    assert seen.frames == 4
    assert len(seen.frame) == len(seen.anchor) == 0
    assert seen.xy.shape == seen.anchor_xy.shape == (0, 2)


def test_no_tracks_at_all():
    seen = observe(followed(PANNED, points=0), np.array([0, 23]), limit=400)
    assert len(seen.frame) == len(seen.anchor) == 0


def test_the_start_is_the_chain_at_the_keyframes():
    tracks = followed(PANNED)
    steps = chain_steps(tracks, FOCAL)
    chosen = np.array([4, 9, 15, 20])
    start = chained_start(observe(tracks, chosen, 400), steps, chosen, FOCAL)
    rotations, zooms = accumulate(steps)
    np.testing.assert_allclose(start.rotations, rotations[4].T @ rotations[chosen], atol=1e-9)
    np.testing.assert_allclose(start.zooms, zooms[chosen] - zooms[4], atol=1e-9)
    np.testing.assert_array_equal(start.centers, 0.0)


# Every frame again.


def solved(frames: int, seed: int, *, zoom: bool = True) -> Solution:
    rng = np.random.default_rng(seed)

    def walk(columns: int, size: float) -> np.ndarray:
        steps = rng.normal(0.0, size, (frames - 1, columns))
        return np.concatenate([np.zeros((1, columns)), np.cumsum(steps, axis=0)])

    return Solution(
        rotations=exp(walk(3, 0.03)),
        centers=walk(3, 0.05),
        zooms=walk(1, 0.03)[:, 0] * zoom,
        focal=500.0,
        inverse_depth=np.zeros(0),
        residual=np.zeros(0),
        energy=0.0,
        sigmas=np.abs(walk(7, 0.01)),
    )


@given(walks, st.integers(0, 2**31), st.integers(3, 30), st.booleans())
def test_the_path_passes_through_its_keyframes(steps, seed, count, zoom):
    first, last = 10, 55
    chosen = keyframes(steps, first, last, count)
    solution = solved(len(chosen), seed, zoom=zoom)
    filled = fill_in(solution, chosen, steps, FOCAL)
    assert filled.rotations.shape == (last - first + 1, 3, 3)
    assert is_rotation(filled.rotations, 1e-9)
    at = chosen - first
    np.testing.assert_allclose(filled.rotations[at], solution.rotations, atol=1e-9)
    np.testing.assert_allclose(filled.centers[at], solution.centers, atol=1e-12)
    np.testing.assert_allclose(filled.log_focals[at], np.log(500.0) + solution.zooms, atol=1e-9)
    np.testing.assert_allclose(filled.sigmas[at], solution.sigmas, atol=1e-12)


def test_between_keyframes_the_path_shakes_as_the_chain_does():
    steps = chain_steps(followed(PANNED), FOCAL)
    chosen = np.array([0, 8, 16, 23])
    exact = Solution(
        rotations=PANNED.rotations[chosen],
        centers=PANNED.centers[chosen],
        zooms=np.log(PANNED.focals[chosen] / FOCAL),
        focal=FOCAL,
        inverse_depth=np.zeros(0),
        residual=np.zeros(0),
        energy=0.0,
        sigmas=np.zeros((4, 7)),
    )
    filled = fill_in(exact, chosen, steps, FOCAL)
    miss = log(np.swapaxes(PANNED.rotations, 1, 2) @ filled.rotations)
    straight = np.linspace(0.0, 1.0, 9)[:, None] * log(PANNED.rotations[8])
    shake = log(np.swapaxes(PANNED.rotations[:9], 1, 2) @ exp(straight))
    assert np.abs(miss).max() < 0.1 * np.abs(shake).max()
    np.testing.assert_allclose(filled.log_focals, np.log(PANNED.focals), atol=2e-3)


def test_a_camera_that_does_not_zoom_has_one_focal_length():
    steps = chain_steps(followed(PANNED), FOCAL)
    filled = fill_in(solved(3, 0, zoom=False), np.array([0, 12, 23]), steps, FOCAL)
    np.testing.assert_allclose(filled.log_focals, np.log(500.0))


# End to end.


@pytest.fixture
def stretch_of() -> Callable[[Trajectory, int, int], Stretch]:
    """A part of a path, seen from its own first camera."""

    def cut(path: Trajectory, first: int, last: int) -> Stretch:
        part = slice(first, last + 1)
        world = path.rotations[first].T
        return Stretch(
            world @ path.rotations[part],
            (path.centers[part] - path.centers[first]) @ world.T,
            np.log(path.focals[part]),
            np.full((last + 1 - first, 7), 0.1) * (np.arange(last + 1 - first) > 0)[:, None],
        )

    return cut


MOVES = (Move("arc_cw", 40.0), Move("dolly_in", 0.3), Move("roll_ccw", 10.0), Move("zoom_out", 0.3))


@pytest.mark.parametrize("cuts", [[], [10], [5, 6, 17]])
def test_stretches_end_to_end_are_the_path(stretch_of, cuts):
    path = path_of(*MOVES)
    edges = [0, *cuts, len(path) - 1]
    whole = chain([stretch_of(path, first, last) for first, last in pairwise(edges)])
    np.testing.assert_allclose(whole.rotations, path.rotations, atol=1e-9)
    np.testing.assert_allclose(whole.centers, path.centers, atol=1e-9)
    np.testing.assert_allclose(np.exp(whole.log_focals), path.focals, rtol=1e-9)


def test_doubt_adds_up_along_the_stretches(stretch_of):
    path = path_of(*MOVES)
    parts = [stretch_of(path, first, last) for first, last in ((0, 8), (8, 16), (16, 23))]
    sigmas = chain(parts).sigmas
    np.testing.assert_array_equal(sigmas[0], 0.0)
    np.testing.assert_allclose(sigmas[[8, 16, 23], 0], 0.1 * np.sqrt([1.0, 2.0, 3.0]))


def test_only_the_change_of_focal_length_is_chained(stretch_of):
    """Pieces differ in the focal length they believe; that is no zoom."""
    path = path_of(Move("pan_left", 10.0))
    one, other = stretch_of(path, 0, 10), stretch_of(path, 10, 23)
    other = replace(other, log_focals=other.log_focals + 0.3)
    np.testing.assert_allclose(np.exp(chain([one, other]).log_focals), FOCAL)


@given(st.integers(0, 5), st.integers(0, 5))
def test_a_path_that_is_held_waits_at_its_ends(before, after):
    solution = solved(8, 1)
    path = fill_in(solution, np.arange(8), np.zeros((7, 4)), FOCAL)
    held = path.held(before, after)
    for name in ("rotations", "centers", "log_focals", "sigmas"):
        whole, part = getattr(held, name), getattr(path, name)
        assert len(whole) == before + 8 + after
        np.testing.assert_array_equal(whole[before : before + 8], part)
        np.testing.assert_array_equal(whole[:before], part[[0] * before])
        np.testing.assert_array_equal(whole[before + 8 :], part[[-1] * after])


def test_a_still_path():
    path = still_stretch(7, 600.0)
    np.testing.assert_array_equal(path.rotations, np.tile(np.eye(3), (7, 1, 1)))
    np.testing.assert_array_equal(path.centers, 0.0)
    np.testing.assert_allclose(np.exp(path.log_focals), 600.0)
    np.testing.assert_array_equal(path.sigmas, 0.0)
