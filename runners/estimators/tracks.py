"""Point tracks through a shot: corners on a grid, followed by pyramidal Lucas-Kanade."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

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
# New corners are looked for in every second picture, and where no more than this share of points
# is left.
FEW_LEFT = 0.6

# Stillness compares pictures at most and at least so many seconds apart, so often. In the longest
# time the slowest move that a viewer sees goes 4 px of a 480 px picture, in the shortest 1.6 px;
# what a passing subject uncovers is seen for a few tenths of a second only.
STILL_SECONDS, STILL_LEAST = 0.8, 0.33
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
        texture: (F,) share of grid cells that held a corner when they were last looked through.
        brightness: (F,) mean grey level.
        still_frames: (C, 2) frame numbers of the pictures compared, up to about a second apart.
        still: (C, cells) cells of ``stillness.GRID`` that did not move in between, or in one half
            of the time.
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
    """Follow corners through all frames of one shot.

    Args:
        frames: Grey pictures of one size, in order; read once, one kept at a time (and a second
            of small ones).

    Returns:
        The tracks; no frames give empty arrays.
    """
    pieces = list(track_pieces(frames, np.inf))
    return pieces[0] if pieces else _gathered([], PixelRange(), (0, 0))


def track_pieces(frames: Iterable[Frame], seconds: float) -> Iterator[Tracks]:
    """Follow corners through a shot, which is given out in pieces, so that memory stays small.

    Args:
        frames: As for :func:`track_points`.
        seconds: Length of a piece. The last one is half to one and a half times as long.

    Yields:
        Tracks of one piece, with times of the whole shot, frames and tracks numbered anew. The
        last frame of a piece is the first of the next.
    """
    follower = _Follower()
    sights: list[_Sight] = []
    # Of this piece, and from the end of this piece on.
    pixels, later = PixelRange(), PixelRange()
    for frame in frames:
        sights.append(follower.look(frame))
        size = (frame.image.shape[1], frame.image.shape[0])
        if frame.time - sights[0].time < seconds or later.is_empty:
            pixels.add(frame.image)
        if frame.time - sights[0].time >= seconds:
            later.add(frame.image)
        while frame.time - sights[0].time >= 1.5 * seconds:
            cut = next(k for k, s in enumerate(sights) if s.time - sights[0].time >= seconds)
            yield _gathered(sights[: cut + 1], pixels, size)
            sights = sights[cut:]
            pixels, later = later, PixelRange()
            if frame.time - sights[0].time >= seconds:
                later.add(frame.image)
    if sights:
        sights[-1] = follower.finished(sights[-1])
        yield _gathered(sights, pixels.joined(later), size)


@dataclass(frozen=True, eq=False)
class _Sight:
    """What one picture showed.

    Attributes:
        number: Of the frame in its shot.
        time: Seconds.
        ids: (P,) numbers of the tracks, in the shot.
        points: (P, 2) pixels from the top left.
        texture: Share of grid cells that held a corner when they were last looked through.
        brightness: Mean grey level.
        compared: Which cells stand still since an earlier frame, where that was looked into.
    """

    number: int
    time: float
    ids: IntArray
    points: Points
    texture: float
    brightness: float
    compared: "_Compared | None"


class _Follower:
    """Follows corners from picture to picture."""

    def __init__(self) -> None:
        self._stillness = _Stillness()
        self._previous: GrayImage | None = None
        self._points = np.zeros((0, 2), np.float32)
        self._ids = np.zeros(0, np.intp)
        self._issued = self._count = self._full = 0
        self._texture = 0.0

    def look(self, frame: Frame) -> _Sight:
        image, points, ids = frame.image, self._points, self._ids
        if self._previous is not None:
            points, kept = _follow(self._previous, image, points)
            ids = ids[kept]
        alone = _thin(points, (image.shape[1], image.shape[0]))
        self._points, self._ids = points[alone], ids[alone]
        if self._count % 2 == 0 or len(self._points) <= FEW_LEFT * self._full:
            self._replenish(image)
        self._previous = image
        self._count += 1
        return _Sight(
            number=self._count - 1,
            time=frame.time,
            ids=self._ids,
            points=self._points,
            texture=self._texture,
            brightness=float(image.mean()),
            compared=self._stillness.add(self._count - 1, frame.time, image),
        )

    def _replenish(self, image: GrayImage) -> None:
        fresh, self._texture = _new_corners(image, self._points)
        born = np.arange(self._issued, self._issued + len(fresh))
        self._points = np.concatenate([self._points, fresh])
        self._ids = np.concatenate([self._ids, born])
        self._issued += len(fresh)
        self._full = len(self._points)

    def finished(self, last: _Sight) -> _Sight:
        """The last picture, with what is only known when no other comes."""
        return replace(last, compared=last.compared or self._stillness.finish())


def _gathered(sights: list[_Sight], pixels: PixelRange, size: tuple[int, int]) -> Tracks:
    """The tracks of neighbouring pictures, those of overlays left out."""
    center = (np.array(size, dtype=np.float64) - 1.0) / 2.0
    number = np.repeat(np.arange(len(sights)), [len(s.ids) for s in sights])
    ids = np.concatenate([np.zeros(0, np.intp), *(s.ids for s in sights)])
    _, track = np.unique(ids, return_inverse=True)
    xy = np.concatenate([np.zeros((0, 2)), *(s.points.astype(np.float64) - center for s in sights)])
    scene = ~burnt_in(track, xy, pixels.unchanging())
    first = sights[0].number if sights else 0
    inside = [(k, s.compared) for k, s in enumerate(sights)]
    compared = [(k, c) for k, c in inside if c is not None and c.since >= first]
    cells = STILL_GRID[0] * STILL_GRID[1]
    return Tracks(
        times=np.array([s.time for s in sights], dtype=np.float64),
        size=size,
        frame=number[scene],
        track=track[scene],
        xy=xy[scene],
        texture=np.array([s.texture for s in sights], dtype=np.float64),
        brightness=np.array([s.brightness for s in sights], dtype=np.float64),
        still_frames=np.array([(c.since - first, k) for k, c in compared], np.intp).reshape(-1, 2),
        still=np.array([c.still for _, c in compared], np.bool_).reshape(-1, cells),
        textured=np.array([c.textured for _, c in compared], np.bool_).reshape(-1, cells),
    )


class _Stillness:
    """Compares each small picture with some of the second before, now and then."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[int, float, FloatImage]] = deque()
        self._last = -np.inf

    def add(self, number: int, time: float, image: GrayImage) -> "_Compared | None":
        self._waiting.append((number, time, small_picture(image)))
        # The oldest picture that is not older than it need be.
        while len(self._waiting) > 1 and time - self._waiting[1][1] >= STILL_SECONDS:
            self._waiting.popleft()
        due = time - self._last >= STILL_EVERY
        if not due or time - self._waiting[0][1] < STILL_LEAST:
            return None
        self._last = time
        return self._compare()

    def finish(self) -> "_Compared | None":
        """A shot that is shorter still is compared from end to end."""
        return self._compare() if self._last == -np.inf and len(self._waiting) > 1 else None

    def _compare(self) -> "_Compared":
        first, middle, last = (self._waiting[k] for k in (0, len(self._waiting) // 2, -1))
        still, textured = still_cells(first[2], last[2])
        for before, after in ((first, middle), (middle, last)):
            if after[1] - before[1] >= STILL_LEAST:
                still = still | still_cells(before[2], after[2])[0]
        return _Compared(first[0], still, textured)


@dataclass(frozen=True, eq=False)
class _Compared:
    """Cells that stand still since the frame of that number, and cells that could have told."""

    since: int
    still: BoolArray
    textured: BoolArray


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
