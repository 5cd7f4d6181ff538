"""What is on the picture but not in the scene: logos, subtitles, letterbox, film gate.

Such pixels never change while the picture behind them moves, and they sit near its edge. A camera
that stands still makes pixels that never change too; then the rest does not move either, and
nothing is taken away.
"""

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray

GrayImage = npt.NDArray[np.uint8]

# Grey levels that a pixel of an overlay may vary by: compression around sharp edges.
_SAME = 12
# How far from an unchanging pixel a point of an overlay may be, pixels.
_REACH = 4
# A point that stays within this many pixels stands still.
_STILL = 1.0
# Overlays lie in this outer share of the picture, counted from each edge.
_MARGIN = 0.3
# The picture moves when at least this share of the points go further than so many pixels.
_MOVING_SHARE, _MOVED = 0.5, 2.0


class PixelRange:
    """Darkest and brightest value of every pixel of a shot; constant memory."""

    def __init__(self) -> None:
        """Start with no picture."""
        self._low: GrayImage | None = None
        self._high: GrayImage | None = None

    def add(self, image: GrayImage) -> None:
        """Take in one picture."""
        if self._low is None or self._high is None:
            self._low, self._high = image.copy(), image.copy()
        else:
            self._low = np.asarray(cv2.min(self._low, image), np.uint8)
            self._high = np.asarray(cv2.max(self._high, image), np.uint8)

    @property
    def is_empty(self) -> bool:
        """Whether no picture was taken in."""
        return self._low is None

    def joined(self, other: "PixelRange") -> "PixelRange":
        """The range over the pictures of both."""
        both = PixelRange()
        for one in (self, other):
            if one._low is not None and one._high is not None:
                both.add(one._low)
                both.add(one._high)
        return both

    def unchanging(self) -> BoolArray:
        """(H, W) pixels near one that kept its grey level: a corner is at the edge of a letter."""
        if self._low is None or self._high is None:
            return np.zeros((0, 0), np.bool_)
        kernel = np.ones((2 * _REACH + 1, 2 * _REACH + 1), np.uint8)
        least = cv2.erode(cv2.subtract(self._high, self._low), kernel)
        return np.asarray(least <= _SAME)


def burnt_in(track: IntArray, xy: FloatArray, unchanging: BoolArray) -> BoolArray:
    """Which observations belong to points of an overlay.

    Args:
        track: (K,) track number of each observation.
        xy: (K, 2) pixels from the picture's centre.
        unchanging: (H, W) pixels near one that never changed.

    Returns:
        (K,) True for observations to leave out.
    """
    nobody = np.zeros(len(track), np.bool_)
    if not len(track):
        return nobody
    _, number = np.unique(track, return_inverse=True)
    size = np.array(unchanging.shape[::-1])
    low = np.full((number.max() + 1, 2), np.inf)
    high = -low
    np.minimum.at(low, number, xy)
    np.maximum.at(high, number, xy)
    moved = np.linalg.norm(high - low, axis=1)
    lasting = np.bincount(number) >= 3
    if not lasting.any() or (moved[lasting] > _MOVED).mean() < _MOVING_SHARE:
        return nobody
    at = 0.5 * (low + high)
    column, row = np.clip(np.round(at + (size - 1) / 2), 0, size - 1).astype(np.intp).T
    outer = (np.abs(at) > (0.5 - _MARGIN) * size).any(axis=1)
    overlay = lasting & (moved < _STILL) & outer & unchanging[row, column]
    return np.asarray(overlay[number])
