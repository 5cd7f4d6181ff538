"""Whether matched points say no more than that the camera turned."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.geometry.rotations import exp
from dollygrip.runners.estimators.turns import Pair, Turn, best_turn, residuals

LONG_SIDE, EXPECTED = 480, 432.0


def seen(
    points: np.ndarray,
    rotation: np.ndarray,
    center: np.ndarray,
    focal: float,
    noise: np.random.Generator,
) -> np.ndarray:
    """(M, 2) pixels from the middle, a little off."""
    at = (points - center) @ rotation
    return focal * at[:, :2] / at[:, 2:] + 0.3 * noise.standard_normal((len(points), 2))


def shot(
    turn: tuple[float, float, float] = (0.0, 0.0, 0.0),
    travel: tuple[float, float, float] = (0.0, 0.0, 0.0),
    zoom: float = 0.0,
    *,
    focal: float = EXPECTED,
    flat: bool = False,
    seed: int = 0,
) -> list[Pair]:
    """Pairs of nine pictures of a camera that turns and travels evenly."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([-1.5, -0.9, 1.0], [1.5, 0.9, 1.0 if flat else 3.0], (600, 3))
    pictures = [
        seen(
            points,
            exp(np.radians(turn) * share),
            np.array(travel) * share,
            focal * np.exp(zoom * share),
            rng,
        )
        for share in np.linspace(0.0, 1.0, 9)
    ]
    pairs = []
    for i, j in [(i, i + gap) for gap in (1, 4) for i in range(9 - gap)]:
        in_view = (np.abs(np.stack([pictures[i], pictures[j]])) < [240, 135]).all(axis=(0, 2))
        pairs.append(Pair(i, j, pictures[i][in_view], pictures[j][in_view]))
    return pairs


def judged(pairs: list[Pair]) -> Turn:
    return best_turn(pairs, EXPECTED, LONG_SIDE)


@settings(max_examples=20)
@given(
    turn=st.tuples(*[st.floats(-12, 12)] * 3),
    seed=st.integers(0, 9),
)
def test_every_turn_is_explained(turn, seed):
    found = judged(shot(turn, seed=seed))
    assert found.explains and found.zoom_explains
    assert found.error < 1.0


@pytest.mark.parametrize("focal", [280.0, 330.0, 540.0, 600.0])
def test_the_focal_length_of_a_turn_is_found(focal):
    found = judged(shot((0.0, 25.0, 0.0), focal=focal))
    assert found.explains
    assert found.focal == pytest.approx(focal, rel=0.06)


def test_without_a_motion_the_focal_length_stays_as_expected():
    found = judged(shot())
    assert found.explains and found.focal == EXPECTED


@pytest.mark.parametrize("travel", [(0.1, 0, 0), (0, -0.1, 0), (0, 0, 0.2)])
@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.0, 8.0, 0.0)])
def test_travel_is_no_turn(travel, turn):
    found = judged(shot(turn, travel))
    assert not found.explains and not found.zoom_explains
    assert found.focal == EXPECTED


def test_travel_along_a_wall_is_no_turn_of_a_long_lens():
    assert not judged(shot(travel=(0.25, 0.0, 0.0), flat=True)).explains


@pytest.mark.parametrize("zoom", [0.3, -0.3])
def test_a_zoom_is_explained_by_a_zoom_alone(zoom):
    found = judged(shot((0.0, 4.0, 0.0), zoom=zoom))
    assert not found.explains
    assert found.zoom_explains


def test_subjects_in_some_pairs_do_not_count():
    pairs, other = shot((0.0, 8.0, 0.0)), shot(travel=(0.4, 0.0, 0.0))
    for misled in range(1, len(pairs), 3):
        pairs[misled] = other[misled]
    assert judged(pairs).explains


def test_residuals_are_pixels():
    rng = np.random.default_rng(0)
    xy = rng.uniform(-200, 200, (50, 2))
    moved = xy.copy()
    moved[0] += [30.0, 40.0]
    off = residuals(Pair(0, 1, xy, moved), EXPECTED)
    assert off[0] == pytest.approx(50.0, abs=3.0)
    assert np.median(off) < 2.0
