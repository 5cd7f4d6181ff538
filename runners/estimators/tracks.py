"""Point tracks through a shot: corners on a grid, followed by pyramidal Lucas-Kanade."""

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.runners.video import Frame

GrayImage = npt.NDArray[np.uint8]

# One corner a cell, cells this many to the long side: spread counts more than number, because
# a detailed subject must not outvote a plain background.
GRID = 26
# Window and pyramid of Lucas-Kanade: 15 px over 5 levels follows moves of about a fifth of a
# 480 px picture between two frames.
WINDOW = 15
LEVELS = 4
# A point that does not come back to where it started within this many pixels is lost.
ROUND_TRIP = 0.7
# Weakest corner worth following: smaller eigenvalue of the structure tensor (5x5 block, Sobel,
# unit of grey levels squared as cv2.cornerMinEigenVal scales them) against the sensor's noise.
CORNER_FLOOR = 2e-5


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where points of the scene were seen; observations sorted by frame, then track.

    Attributes:
        times: (F,) seconds of the frames.
        size: (width, height) in pixels.
        frame: (K,) frame number of each observation.
        track: (K,) track number of each observation, 0 to T - 1.
        xy: (K, 2) pixels from the picture's centre, x right, y down.
        texture: (F,) share of grid cells that hold a corner.
        brightness: (F,) mean grey level.
        change: (F,) mean absolute grey difference from the frame before; 0 for the first.
    """

    times: FloatArray
    size: tuple[int, int]
    frame: IntArray
    track: IntArray
    xy: FloatArray
    texture: FloatArray
    brightness: FloatArray
    change: FloatArray


def track_points(frames: Iterable[Frame]) -> Tracks:
    """Follow corners through the frames of one shot.

    Args:
        frames: Grey pictures of one size, in order; read once, one kept at a time.

    Returns:
        The tracks; no frames give empty arrays.
    """
    times: list[float] = []
    stats: list[tuple[float, float, float]] = []
    chunks: list[tuple[IntArray, npt.NDArray[np.float32]]] = []
    previous: GrayImage | None = None
    points = np.zeros((0, 2), np.float32)
    ids = np.zeros(0, np.intp)
    issued = 0
    size = (0, 0)
    for frame in frames:
        image = frame.image
        size = (image.shape[1], image.shape[0])
        change = 0.0
        if previous is not None:
            change = float(cv2.absdiff(image, previous).mean())
            points, kept = _follow(previous, image, points, size)
            ids = ids[kept]
        fresh, share = _new_corners(image, points)
        points = np.concatenate([points, fresh])
        ids = np.concatenate([ids, np.arange(issued, issued + len(fresh))])
        issued += len(fresh)
        times.append(frame.time)
        stats.append((share, float(image.mean()), change))
        chunks.append((ids, points))
        previous = image

    table = np.array(stats, dtype=np.float64).reshape(-1, 3)
    center = (np.array(size, dtype=np.float64) - 1.0) / 2.0
    return Tracks(
        times=np.array(times, dtype=np.float64),
        size=size,
        frame=np.repeat(np.arange(len(chunks)), [len(i) for i, _ in chunks]),
        track=np.concatenate([i for i, _ in chunks]) if chunks else np.zeros(0, np.intp),
        xy=np.concatenate([p for _, p in chunks]).astype(np.float64) - center
        if chunks
        else np.zeros((0, 2)),
        texture=table[:, 0],
        brightness=table[:, 1],
        change=table[:, 2],
    )


def _follow(before, after, points, size):
    if not len(points):
        return points, np.zeros(0, np.bool_)
    options = {
        "winSize": (WINDOW, WINDOW),
        "maxLevel": LEVELS,
        "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
        "minEigThreshold": CORNER_FLOOR,
    }
    there, found, _ = cv2.calcOpticalFlowPyrLK(before, after, points, None, **options)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(after, before, there, None, **options)
    gap = np.abs(back - points).max(axis=1)
    inside = (there > 2).all(axis=1) & (there < np.array(size, np.float32) - 3).all(axis=1)
    kept = (found.ravel() > 0) & (returned.ravel() > 0) & (gap < ROUND_TRIP) & inside
    return there[kept], kept


def _new_corners(image, points):
    """Strongest corner of each grid cell that has no point yet, and the share of cells with one."""
    height, width = image.shape
    cell = max(8, -(-max(width, height) // GRID))
    strength = cv2.cornerMinEigenVal(image, 5)
    rows, columns = height // cell, width // cell
    if rows == 0 or columns == 0:
        return np.zeros((0, 2), np.float32), 0.0
    top, left = (height - rows * cell) // 2, (width - columns * cell) // 2
    blocks = (
        strength[top : top + rows * cell, left : left + columns * cell]
        .reshape(rows, cell, columns, cell)
        .swapaxes(1, 2)
        .reshape(rows * columns, cell * cell)
    )
    best = blocks.argmax(axis=1)
    value = blocks[np.arange(len(blocks)), best]
    good = value > CORNER_FLOOR
    share = float(good.mean())
    y = top + (np.arange(len(blocks)) // columns) * cell + best // cell
    x = left + (np.arange(len(blocks)) % columns) * cell + best % cell
    border = 3
    good &= (x >= border) & (y >= border) & (x < width - border) & (y < height - border)
    if len(points):
        row = ((points[:, 1] - top) // cell).astype(int).clip(0, rows - 1)
        column = ((points[:, 0] - left) // cell).astype(int).clip(0, columns - 1)
        good[row * columns + column] = False
    return np.stack([x[good], y[good]], axis=1).astype(np.float32), share
