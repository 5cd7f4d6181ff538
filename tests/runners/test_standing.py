"""How much of a picture stands still, of tracks made by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.geometry.arrays import FloatArray
from dollygrip.runners.estimators.standing import (
    much_stands,
    sets_off,
    still_probability,
    still_share,
)
from dollygrip.runners.estimators.stillness import GRID
from dollygrip.runners.estimators.tracks import Tracks

SIZE = (480, 270)
COLUMNS, ROWS = GRID
CELLS = COLUMNS * ROWS
FRAMES, RATE = 9, 8.0


def tracks_of(
    places: FloatArray,
    *,
    shaded: bool = False,
    textured: bool = False,
    seen: np.ndarray | None = None,
) -> Tracks:
    """Tracks at (F, P, 2) places, compared from the first frame to the last.

    Args:
        places: Pixels from the middle of the picture.
        shaded: Whether all shading stands still.
        textured: Whether there is any.
        seen: (F, P) in which frames.
    """
    frames, points = places.shape[:2]
    frame, track = np.nonzero(np.ones((frames, points)) if seen is None else seen)
    return Tracks(
        times=np.arange(frames) / RATE,
        size=SIZE,
        frame=frame,
        track=track,
        xy=places[frame, track],
        texture=np.ones(frames),
        brightness=np.full(frames, 128.0),
        still_frames=np.array([[0, frames - 1]]),
        still=np.full((1, CELLS), shaded and textured),
        textured=np.full((1, CELLS), textured),
    )


def middles() -> FloatArray:
    """(CELLS, 2) middle of each cell, pixels from the middle of the picture."""
    across, down = (
        ((np.arange(cells) + 0.5) / cells - 0.5) * side
        for cells, side in zip(GRID, SIZE, strict=True)
    )
    return np.stack(np.meshgrid(across, down), axis=2).reshape(-1, 2)


def moving(velocity: FloatArray, start: FloatArray | None = None) -> FloatArray:
    """(F, P, 2) places of points that move by (P, 2) pixels a second from their cells' middle."""
    seconds = np.arange(FRAMES)[:, None, None] / RATE
    return (middles() if start is None else start) + seconds * np.broadcast_to(velocity, (CELLS, 2))


STILL, SLOWEST = np.zeros(2), np.array([4.8, 0.0])


def test_all_that_stands_or_moves():
    np.testing.assert_allclose(still_share(tracks_of(moving(STILL))), 1.0)
    np.testing.assert_allclose(still_share(tracks_of(moving(SLOWEST))), 0.0)


@given(st.integers(0, 2**31))
def test_noise_of_tracking_moves_nothing(seed):
    noise = np.random.default_rng(seed).normal(0.0, 0.12, (FRAMES, CELLS, 2))
    assert still_share(tracks_of(moving(STILL) + noise)).min() > 0.9
    assert still_share(tracks_of(moving(SLOWEST) + noise)).max() < 0.03


@pytest.mark.parametrize(("first", "last"), [(0, 3), (3, 6), (5, 8)])
@pytest.mark.parametrize(("velocity", "share"), [(STILL, 1.0), (SLOWEST, 0.0)])
def test_corners_that_are_seen_for_a_part_of_the_time_tell(first, last, velocity, share):
    seen = np.zeros((FRAMES, CELLS), bool)
    seen[first : last + 1] = True
    tracks = tracks_of(moving(velocity), seen=seen, textured=True)
    np.testing.assert_allclose(still_share(tracks), share)


def test_corners_that_are_seen_for_a_moment_leave_it_to_the_shading():
    seen = np.zeros((FRAMES, CELLS), bool)
    seen[:2] = True
    for shaded in (False, True):
        tracks = tracks_of(moving(STILL), seen=seen, shaded=shaded, textured=True)
        np.testing.assert_allclose(still_share(tracks), float(shaded))


def test_corners_overrule_shading():
    """A logo of soft shading before a scene that moves."""
    tracks = tracks_of(moving(SLOWEST), shaded=True, textured=True)
    np.testing.assert_allclose(still_share(tracks), 0.0)


def test_a_subject_in_the_middle_hides_little_of_the_background():
    velocity = np.zeros((CELLS, 2))
    inner = (np.abs(middles()) < 0.3 * np.array(SIZE)).all(axis=1)
    velocity[inner] = [30.0, 4.0]
    share = still_share(tracks_of(moving(velocity)))[0, 0]
    assert 1.0 - inner.mean() < share < 1.0


def test_who_stands_in_a_cell_with_somebody_who_moves_counts():
    """Half of the corners of each cell are on a subject that passes before it."""
    both = np.concatenate([moving(STILL), moving(np.array([20.0, 0.0]))], axis=1)
    assert still_share(tracks_of(both)).min() > 0.9


def test_a_horizon_is_not_ground():
    velocity = np.zeros((CELLS, 2))
    velocity[middles()[:, 1] > 0] = [12.0, 0.0]
    whole, lower = still_share(tracks_of(moving(velocity)))[0]
    assert whole == pytest.approx(0.5)
    assert lower == 0.0


def test_black_pictures_say_nothing():
    nobody = tracks_of(np.zeros((FRAMES, 0, 2)))
    assert still_share(nobody).shape == (0, 2)


def test_size_does_not_matter():
    velocity = np.linspace(0.0, 1.2, CELLS)[:, None] * [1.0, 0.0]
    small = tracks_of(moving(velocity))
    large = Tracks(**(vars(small) | {"xy": 4.0 * small.xy, "size": (4 * SIZE[0], 4 * SIZE[1])}))
    np.testing.assert_allclose(still_share(large), still_share(small))
    assert 0.1 < still_share(small)[0, 0] < 0.9


parts = st.floats(0.0, 1.0)
shares = st.lists(st.tuples(parts, parts), min_size=1, max_size=30).map(np.array)


@given(shares, parts, parts)
def test_the_more_stands_still_the_likelier_is_a_still_camera(values, explained, more):
    here = still_probability(values, explained)
    assert 0.0 <= here <= 1.0
    assert still_probability(np.minimum(values + more, 1.0), explained) >= here - 1e-12
    assert still_probability(values, min(explained + more, 1.0)) >= here - 1e-12


def always(whole: float, lower: float) -> FloatArray:
    return np.tile([whole, lower], (9, 1))


def test_nothing_seen_is_no_still_camera():
    assert still_probability(np.zeros((0, 2)), 1.0) == 0.0
    assert not much_stands(np.zeros((0, 2)))


@pytest.mark.parametrize("explained", [0.0, 0.2, 1.0])
def test_a_picture_that_moves_everywhere_is_no_still_camera(explained):
    assert still_probability(always(0.01, 0.0), explained) < 0.1


def test_travel_that_explains_all_but_the_horizon_is_believed():
    assert still_probability(always(0.3, 0.02), 0.3) < 0.1
    assert still_probability(always(0.3, 0.02), 0.6) > 0.95


def test_ground_that_stands_still_is_proof_whatever_the_rest_does():
    assert still_probability(always(0.4, 0.4), 0.0) > 0.95
    assert much_stands(always(0.4, 0.4))


def test_who_moves_for_a_third_of_the_time_moves():
    values = np.concatenate([np.ones((6, 2)), np.zeros((3, 2))])
    assert still_probability(values, 1.0) < 0.1
    assert not much_stands(values)


def held_then_gone(share: float, *, late: bool = True) -> FloatArray:
    """(F, P, 2) places of points of which a share moves for half of the time only."""
    half = FRAMES // 2
    clock = np.arange(FRAMES) / RATE
    way = np.maximum(clock - clock[half], 0.0) if late else np.minimum(clock, clock[half])
    goes = np.arange(CELLS) < share * CELLS
    return middles()[None] + 20.0 * way[:, None, None] * goes[None, :, None]


def test_what_stands_still_and_moves_all_at_once_is_the_camera():
    for late in (True, False):
        tracks = tracks_of(held_then_gone(1.0, late=late), textured=True, shaded=True)
        assert sets_off(tracks)
        assert not still_share(tracks).any()


def test_a_subject_that_sets_off_leaves_something_behind():
    assert not sets_off(tracks_of(held_then_gone(0.8)))


def test_a_camera_that_moves_all_the_time_or_never_does_not_set_off():
    assert not sets_off(tracks_of(moving(np.full((CELLS, 2), 20.0))))
    assert not sets_off(tracks_of(moving(np.zeros((CELLS, 2)))))


def test_a_few_points_do_not_tell_that_the_camera_sets_off():
    assert not sets_off(tracks_of(held_then_gone(1.0)[:, :10]))
