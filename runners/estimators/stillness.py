"""Which cells of the picture do not move, seen from the grey levels alone.

Corners say it best where there are corners; a plain wall, a road or a studio backdrop has none,
yet its shading, taken over a whole cell, still tells a fraction of a pixel.
"""

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray

FloatImage = npt.NDArray[np.float32]

GRID = (12, 8)
"""Columns and rows of cells."""

# Pictures are compared at this long side: shading survives, noise and compression average out.
LONG_SIDE = 240
_BLUR = 1.2
# Least gradient energy (grey levels per pixel, squared) in the weaker direction: below it a cell
# is blank.
_BLANK = 0.02
# Blurred noise is alike over about six pixels, and never below this variance (compression).
_ALIKE, _NOISE = 6.0, 0.05
# A cell stands still when it moved less than this, in pixels at ``LONG_SIDE``, and the error of
# that is no larger.
_STILL = 0.3


def small_picture(image: npt.NDArray[np.uint8]) -> FloatImage:
    """A grey picture blurred and shrunk to whole cells."""
    height, width = image.shape
    scale = min(1.0, LONG_SIDE / max(width, height))
    size = tuple(
        max(4, round(side * scale) // cells) * cells
        for side, cells in zip((width, height), GRID, strict=True)
    )
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32)
    return np.asarray(cv2.GaussianBlur(small, (0, 0), _BLUR), dtype=np.float32)


def still_cells(before: FloatImage, after: FloatImage) -> tuple[BoolArray, BoolArray]:
    """Cells that did not move between two small pictures, and cells with any texture.

    One step of Lucas-Kanade on each cell from no motion, with its covariance; changes of
    brightness are taken off first.

    Returns:
        Two (rows * columns,) arrays.
    """
    columns, rows = GRID
    height, width = before.shape

    def average(values: FloatImage) -> FloatImage:
        shrunk = cv2.resize(values, GRID, interpolation=cv2.INTER_AREA)
        return np.asarray(shrunk, np.float32)

    def total(values: FloatImage) -> FloatArray:
        return np.asarray(pixels * average(values).ravel(), np.float64)

    pixels = (height // rows) * (width // columns)
    mean = 0.5 * (before + after)
    gx = cv2.Sobel(mean, cv2.CV_32F, 1, 0, scale=0.125)
    gy = cv2.Sobel(mean, cv2.CV_32F, 0, 1, scale=0.125)
    change = before - after
    brighter = cv2.resize(average(change), (width, height), interpolation=cv2.INTER_NEAREST)
    change = change - np.asarray(brighter, np.float32)
    xx, xy, yy = total(gx * gx), total(gx * gy), total(gy * gy)
    bx, by = total(gx * change), total(gy * change)
    weaker = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
    determinant = np.maximum(xx * yy - xy**2, 1e-6)
    dx, dy = (yy * bx - xy * by) / determinant, (xx * by - xy * bx) / determinant
    rest = np.maximum(total(change * change) - (dx * bx + dy * by), 0.0) / pixels
    error = np.sqrt(np.maximum(rest, _NOISE) * _ALIKE / np.maximum(weaker, 1e-6))
    textured = weaker / pixels > _BLANK
    still = textured & (error < _STILL) & (np.hypot(dx, dy) < _STILL)
    return still, textured
