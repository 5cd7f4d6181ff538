"""Point tracks through a shot: corners on a grid, followed by pyramidal Lucas-Kanade."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.runners.estimators.overlays import PixelRange, burnt_in
from dollygrip.runners.estimators.stillness import GRID as STILL_GRID
from dollygrip.runners.estimators.stillness import FloatImage, small_picture, still_cells
from dollygrip.runners.video import Frame

GrayImage = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float32]

# One corner a cell, this many cells to the long side: spread counts more than number, because a
# detailed subject must not outvote a plain background.
GRID = 20
# Points that drift together are thinned to this many a cell, the oldest first.
CROWD = 2
# Window and pyramid of Lucas-Kanade: 11 px over 5 levels follows moves of about a fifth of a
# 480 px picture between two frames. It is stopped where another step no longer matters.
WINDOW = 11
LEVELS = 4
STEPS, STEP_PIXELS = 10, 0.03
# A point that does not come back to where it started within this many pixels is lost.
ROUND_TRIP = 0.7
# Weakest corner worth following: smaller eigenvalue of the structure tensor as
# cv2.cornerMinEigenVal scales it, a little above the noise of a sensor.
CORNER_FLOOR = 2e-5
BORDER = 3

# Stillness compares pictures this many seconds apart, this often.
STILL_SECONDS = 1.0
STILL_EVERY = 0.3


@dataclass(frozen=True, eq=False)
class Tracks:
    """Where points of the scene were seen, and which cells of the picture stood still.

    Attributes:
        times: (F,) seconds of the frames.
        size: (width, height) in pixels.
        frame: (K,) frame number of each observation, increasing.
        track: (K,) track number of each observation.
        xy: (K, 2) pixels from the picture's centre, x right, y down.
        texture: (F,) share of grid cells that hold a corner.
        brightness: (F,) mean grey level.
        still_frames: (C, 2) frame numbers of the pictures compared, about a second apart.
        still: (C, cells) cells of ``stillness.GRID`` that did not move in between.
        textured: (C, cells) cells that could have told.
    """

    times: FloatArray
    size: tuple[int, int]
    frame: IntArray
    track: IntArray
    xy: FloatArray
    texture: FloatArray
    brightness: FloatArray
    still_frames: IntArray
    still: BoolArray
    textured: BoolArray


def track_points(frames: Iterable[Frame]) -> Tracks:
    """Follow corners through the frames of one shot.

    Args:
        frames: Grey pictures of one size, in order; read once, one kept at a time (and a second
            of small ones).

    Returns:
        The tracks; no frames give empty arrays.
    """
    times: list[float] = []
    texture: list[float] = []
    brightness: list[float] = []
    seen: list[tuple[IntArray, Points]] = []
    stillness = _Stillness()
    pixels = PixelRange()
    previous: GrayImage | None = None
    points = np.zeros((0, 2), np.float32)
    ids = np.zeros(0, np.intp)
    issued = 0
    size = (0, 0)
    for frame in frames:
        image = frame.image
        size = (image.shape[1], image.shape[0])
        if previous is not None:
            points, kept = _follow(previous, image, points)
            ids = ids[kept]
        alone = _thin(points, size)
        fresh, share = _new_corners(image, points[alone])
        points = np.concatenate([points[alone], fresh])
        ids = np.concatenate([ids[alone], np.arange(issued, issued + len(fresh))])
        issued += len(fresh)
        stillness.add(frame.time, image)
        pixels.add(image)
        times.append(frame.time)
        texture.append(share)
        brightness.append(float(image.mean()))
        seen.append((ids, points))
        previous = image

    stillness.finish()
    center = (np.array(size, dtype=np.float64) - 1.0) / 2.0
    cells = STILL_GRID[0] * STILL_GRID[1]
    number = np.repeat(np.arange(len(seen)), [len(i) for i, _ in seen])
    track = np.concatenate([np.zeros(0, np.intp), *(i for i, _ in seen)])
    xy = np.concatenate([np.zeros((0, 2)), *(p.astype(np.float64) - center for _, p in seen)])
    scene = ~burnt_in(track, xy, pixels.unchanging())
    return Tracks(
        times=np.array(times, dtype=np.float64),
        size=size,
        frame=number[scene],
        track=track[scene],
        xy=xy[scene],
        texture=np.array(texture, dtype=np.float64),
        brightness=np.array(brightness, dtype=np.float64),
        still_frames=np.array(stillness.frames, dtype=np.intp).reshape(-1, 2),
        still=np.array(stillness.still, dtype=np.bool_).reshape(-1, cells),
        textured=np.array(stillness.textured, dtype=np.bool_).reshape(-1, cells),
    )


class _Stillness:
    """Compares each small picture with the one about a second before, now and then."""

    def __init__(self) -> None:
        self.frames: list[tuple[int, int]] = []
        self.still: list[BoolArray] = []
        self.textured: list[BoolArray] = []
        self._waiting: deque[tuple[int, float, FloatImage]] = deque()
        self._count = 0
        self._last = -np.inf

    def add(self, time: float, image: GrayImage) -> None:
        now = (self._count, time, small_picture(image))
        self._count += 1
        self._waiting.append(now)
        # The oldest picture that is not older than it need be.
        while len(self._waiting) > 1 and time - self._waiting[1][1] >= STILL_SECONDS:
            self._waiting.popleft()
        due = time - self._last >= STILL_EVERY
        if due and time - self._waiting[0][1] >= STILL_SECONDS:
            self._last = time
            self._compare(self._waiting[0], now)

    def finish(self) -> None:
        """A shot under a second is compared from end to end."""
        if not self.frames and len(self._waiting) > 1:
            self._compare(self._waiting[0], self._waiting[-1])

    def _compare(
        self, before: tuple[int, float, FloatImage], after: tuple[int, float, FloatImage]
    ) -> None:
        still, textured = still_cells(before[2], after[2])
        self.frames.append((before[0], after[0]))
        self.still.append(still)
        self.textured.append(textured)


def _follow(before: GrayImage, after: GrayImage, points: Points) -> tuple[Points, BoolArray]:
    """Where the points went, and which of the old ones are among them."""
    if not len(points):
        return points, np.zeros(0, np.bool_)

    def flow(source: GrayImage, target: GrayImage, at: Points) -> tuple[Points, BoolArray]:
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            source,
            target,
            at,
            np.empty_like(at),
            winSize=(WINDOW, WINDOW),
            maxLevel=LEVELS,
            criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, STEPS, STEP_PIXELS),
            minEigThreshold=CORNER_FLOOR,
        )
        return np.asarray(moved, np.float32), np.asarray(found).ravel() > 0

    there, found = flow(before, after, points)
    back, returned = flow(after, before, there)
    height, width = after.shape
    inside = (there >= BORDER).all(axis=1) & (
        there <= np.array([width - 1 - BORDER, height - 1 - BORDER])
    ).all(axis=1)
    kept = found & returned & (np.abs(back - points).max(axis=1) < ROUND_TRIP) & inside
    return there[kept], kept


def _cell_of(points: Points, size: tuple[int, int]) -> tuple[IntArray, int, int, int]:
    """Cell number of each point; columns, rows and width of a cell."""
    cell = max(8, -(-max(size) // GRID))
    columns, rows = max(1, size[0] // cell), max(1, size[1] // cell)
    column = np.clip((points[:, 0] // cell).astype(np.intp), 0, columns - 1)
    row = np.clip((points[:, 1] // cell).astype(np.intp), 0, rows - 1)
    return row * columns + column, columns, rows, cell


def _thin(points: Points, size: tuple[int, int]) -> BoolArray:
    """Keep the oldest points of each crowded cell; points are ordered by age."""
    slot, *_ = _cell_of(points, size)
    order = np.argsort(slot, kind="stable")
    ordered = slot[order]
    rank = np.arange(len(slot)) - np.searchsorted(ordered, ordered)
    keep = np.zeros(len(points), np.bool_)
    keep[order] = rank < CROWD
    return keep


def _new_corners(image: GrayImage, points: Points) -> tuple[Points, float]:
    """Strongest corner of each cell that has no point, and the share of cells with a corner."""
    height, width = image.shape
    taken, columns, rows, cell = _cell_of(points, (width, height))
    if rows * cell > height or columns * cell > width:
        return np.zeros((0, 2), np.float32), 0.0
    strength = cv2.cornerMinEigenVal(image, 5)[: rows * cell, : columns * cell]
    blocks = strength.reshape(rows, cell, columns, cell).swapaxes(1, 2).reshape(-1, cell * cell)
    best = blocks.argmax(axis=1)
    number = np.arange(len(blocks))
    good = blocks[number, best] > CORNER_FLOOR
    share = float(good.mean())
    x = (number % columns) * cell + best % cell
    y = (number // columns) * cell + best // cell
    good &= (x >= BORDER) & (y >= BORDER) & (x < width - BORDER) & (y < height - BORDER)
    good[taken] = False
    return np.stack([x[good], y[good]], axis=1).astype(np.float32), share
