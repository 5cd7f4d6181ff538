"""Cells that stand still, of pictures whose shift is known."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.runners.estimators.stillness import GRID, small_picture, still_cells

WIDTH, HEIGHT = 480, 270
COLUMNS, ROWS = GRID


def shaded(seed: int = 0, grain: int = 12) -> np.ndarray:
    """Soft shading without corners, larger than the picture: (310, 520) uint8."""
    size = (520 // grain + 1, 310 // grain + 1)
    coarse = np.random.default_rng(seed).uniform(40.0, 210.0, size[::-1]).astype(np.float32)
    return np.clip(cv2.resize(coarse, (520, 310), interpolation=cv2.INTER_CUBIC), 0, 255)


def window(texture: np.ndarray, right: float = 0.0, down: float = 0.0) -> np.ndarray:
    """The picture whose content is shifted by this many pixels."""
    shift = np.array([[1.0, 0.0, right - 20.0], [0.0, 1.0, down - 20.0]])
    moved = cv2.warpAffine(texture, shift, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC)
    return np.clip(moved, 0, 255).astype(np.uint8)


def compare(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    still, textured = still_cells(small_picture(before), small_picture(after))
    assert still.shape == textured.shape == (COLUMNS * ROWS,)
    return still, textured


def test_the_same_picture_stands_still_everywhere():
    image = window(shaded())
    still, textured = compare(image, image)
    assert textured.all()
    assert still.all()


@pytest.mark.parametrize(("right", "down"), [(0.2, 0.0), (0.0, -0.2)])
def test_a_fraction_of_a_pixel_is_still_standing(right, down):
    texture = shaded()
    still, _ = compare(window(texture), window(texture, right, down))
    assert still.mean() > 0.95


@pytest.mark.parametrize("shift", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("towards", [(1, 0), (0, -1), (-0.7, 0.7)])
def test_what_shifts_does_not_stand_still(shift, towards):
    texture = shaded()
    moved = window(texture, shift * towards[0], shift * towards[1])
    still, textured = compare(window(texture), moved)
    assert textured.all()
    assert still.mean() < 0.05


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**31), st.floats(0.0, 2.0 * np.pi), st.floats(1.2, 3.0))
def test_whatever_the_shading_and_the_direction(seed, angle, length):
    texture = shaded(seed)
    moved = window(texture, length * np.cos(angle), length * np.sin(angle))
    still, _ = compare(window(texture), moved)
    assert still.mean() < 0.15
    still, _ = compare(window(texture), window(texture))
    assert still.all()


def test_noise_moves_nothing():
    rng = np.random.default_rng(1)
    image = window(shaded()).astype(np.float64)
    grainy = [np.clip(image + rng.normal(0, 4, image.shape), 0, 255) for _ in range(2)]
    still, _ = compare(*(picture.astype(np.uint8) for picture in grainy))
    assert still.mean() > 0.9


@pytest.mark.parametrize("brighter", [-20, 15])
def test_a_change_of_light_moves_nothing_and_hides_nothing(brighter):
    texture = shaded()
    image = window(texture)
    still, _ = compare(image, np.clip(image.astype(int) + brighter, 0, 255).astype(np.uint8))
    assert still.mean() > 0.9
    moved = window(texture, 3.0).astype(int) + brighter
    still, _ = compare(image, np.clip(moved, 0, 255).astype(np.uint8))
    assert still.mean() < 0.1


def test_who_walks_through_leaves_the_rest_standing():
    texture, subject = shaded(), shaded(9)
    before, after = window(texture), window(texture)
    # Cells of 40 by 34 pixels: columns 3 to 5, rows 2 to 5.
    part = np.s_[68:204, 120:240]
    before[part], after[part] = window(subject)[part], window(subject, 5.0, 2.0)[part]
    still, _ = compare(before, after)
    cells = still.reshape(ROWS, COLUMNS)
    assert not cells[2:6, 3:6].any()
    beside = np.ones((ROWS, COLUMNS), bool)
    beside[1:7, 2:7] = False
    assert cells[beside].all()


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_wall_tells_nothing(level):
    blank = np.full((HEIGHT, WIDTH), level, np.uint8)
    still, textured = compare(blank, blank)
    assert not textured.any()
    assert not still.any()


def test_stripes_tell_nothing_along_themselves():
    stripes = np.tile(127 + 100 * np.sin(np.arange(WIDTH) / 6.0), (HEIGHT, 1)).astype(np.uint8)
    still, textured = compare(stripes, stripes)
    assert not textured.any()
    assert not still.any()


def test_a_cut_stands_nowhere():
    still, _ = compare(window(shaded(1)), window(shaded(2)))
    assert still.mean() < 0.1


def test_still_is_only_said_of_what_could_tell():
    rng = np.random.default_rng(5)
    image = window(shaded())
    image[:, :200] = 90
    other = np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)
    still, textured = compare(image, other)
    assert not (still & ~textured).any()
    assert 0 < textured.sum() < textured.size


@pytest.mark.parametrize(
    ("width", "height"), [(480, 270), (270, 480), (640, 360), (97, 55), (48, 27), (1, 1), (5, 300)]
)
def test_small_pictures_are_whole_cells(width, height):
    rng = np.random.default_rng(0)
    small = small_picture(rng.integers(0, 256, (height, width)).astype(np.uint8))
    assert small.dtype == np.float32
    assert small.shape[0] % ROWS == 0
    assert small.shape[1] % COLUMNS == 0
    assert small.size > 0
    assert np.isfinite(small).all()
    still, textured = still_cells(small, small)
    np.testing.assert_array_equal(still, textured)
