"""Finding the hard cuts inside a clip, while its frames stream by.

A change against the frames around it proposes (the rule of PySceneDetect's adaptive detector), a
guard decides. On thinned grey frames that rule finds the cuts, but it also proposes flashes,
strobes, whip pans and subjects that cross close to the camera; at thresholds that would silence
those, it misses cuts between shots of like brightness. So its thresholds are low, and a proposal
counts only when the pictures before and after cannot be registered to each other.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.runners.video import Frame

# Frames on either side of a proposal that may show that it is none. What covers the picture for
# longer (1 s at 8 frames a second) is taken for another shot.
_REACH = 8

# Proposals: mean change of the picture (grey levels), also against the mean change of so many
# frames before and after.
_LEAST_CHANGE = 5.0
_LEAST_RATIO = 1.2
_WINDOW = 2

# Correlation of two thumbnails' details at their best shift that makes corners needless. Measured
# as below: between unrelated shots at most 0.45, with bars and a large logo on both 0.75.
_SURELY_SAME = 0.8
# Share of corners that can be followed from one picture to another and back. Measured on the
# frames of 98 single shots: over 0.65 in 99% of neighbours; under 0.16 between unrelated shots, to
# which a logo or subtitle adds as many corners as it has.
_SAME_SCENE = 0.5
# Corners that seem to move together between unrelated shots: of 120, at most 9 in 4000 trials.
_BY_CHANCE = 4
_SHARE_BY_CHANCE = 0.05
_LEAST_CORNERS = 12
_SAME_THUMBNAIL = 0.9

# Grey levels (standard deviation) under which a picture shows nothing: black, white, a flash.
_BLANK = 2.5


_Image = npt.NDArray[np.uint8]
_FloatImage = npt.NDArray[np.float32]
_Points = npt.NDArray[np.float32]


class Shot:
    """The frames of one uninterrupted take; an iterable to be read once.

    Attributes:
        start: Time of its first frame, seconds from the first frame of the file.
    """

    def __init__(self, start: float, frames: Iterator[Frame]) -> None:
        """Made by :func:`split_shots`."""
        self.start = start
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        """The frames in order."""
        return self._frames


def split_shots(frames: Iterable[Frame]) -> Iterator[Shot]:
    """The shots of a clip, in one pass and constant memory.

    As with :func:`itertools.groupby`, asking for the next shot ends the one before, read or not.
    Only hard cuts are found; a slow dissolve or fade leaves one shot.

    Args:
        frames: Grey or RGB frames of one clip in order, all of one size, about 8 to 12 a second.
    """
    stream = _find_cuts(frames)
    following = next(stream, None)

    def rest_of_shot(first: Frame) -> Iterator[Frame]:
        nonlocal following
        following = None
        yield first
        for item in stream:
            if item[1]:
                following = item
                return
            yield item[0]

    while following is not None:
        shot = Shot(following[0].time, rest_of_shot(following[0]))
        yield shot
        deque(shot, maxlen=0)


def _find_cuts(frames: Iterable[Frame]) -> Iterator[tuple[Frame, bool]]:
    """Each frame, and whether a shot begins with it."""
    proposer = _Proposer()
    # Views of the last _REACH frames given and of all that are waiting.
    views: deque[_View] = deque()
    waiting: deque[Frame] = deque()
    given = 0
    shot_start = 0

    def give() -> tuple[Frame, bool]:
        nonlocal given, shot_start
        behind = len(views) - len(waiting)
        known = list(views)
        cut = given in proposer.proposals and _is_cut(
            known[max(0, behind - (given - shot_start)) : behind], known[behind:]
        )
        proposer.proposals.discard(given)
        if cut:
            shot_start = given
        if behind == _REACH:
            views.popleft()
        given += 1
        return waiting.popleft(), cut

    for frame in frames:
        view = _View(frame)
        proposer.add(view)
        views.append(view)
        waiting.append(frame)
        if len(waiting) > _REACH:
            yield give()
    if waiting:
        proposer.finish()
    while waiting:
        yield give()


class _Proposer:
    """Numbers of the frames at which the picture changes more than around them."""

    def __init__(self) -> None:
        self.proposals: set[int] = set()
        self._count = 0
        self._last: _Image | None = None
        # Nothing is known of what is before and after the clip; no change there lets a cut next
        # to its ends be seen.
        self._changes = deque([0.0] * (2 * _WINDOW + 1), maxlen=2 * _WINDOW + 1)

    def add(self, view: "_View") -> None:
        """The next frame; proposals come _WINDOW frames late."""
        change = 0.0
        if self._last is not None:
            change = cv2.norm(view.grey, self._last, cv2.NORM_L1) / view.grey.size
        self._last = view.grey
        self._count += 1
        self._push(change)

    def finish(self) -> None:
        """No frame comes any more."""
        for _ in range(_WINDOW):
            self._count += 1
            self._push(0.0)

    def _push(self, change: float) -> None:
        self._changes.append(change)
        here = self._changes[_WINDOW]
        around = (sum(self._changes) - here) / (2 * _WINDOW)
        if here >= max(_LEAST_CHANGE, _LEAST_RATIO * around):
            self.proposals.add(self._count - 1 - _WINDOW)


class _View:
    """A frame made small, with what the guard wants to know, worked out when asked."""

    _LONG_SIDE = 240

    def __init__(self, frame: Frame) -> None:
        height, width = frame.image.shape[:2]
        shrink = min(1.0, self._LONG_SIDE / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        image = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
        if image.ndim == 3:
            image = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        self.grey: _Image = np.asarray(image, np.uint8)

    @cached_property
    def contrast(self) -> float:
        """Standard deviation, grey levels."""
        return float(self.grey.std())

    @property
    def blank(self) -> bool:
        """Whether nothing can be seen."""
        return self.contrast < _BLANK

    @cached_property
    def even(self) -> _Image:
        """Brightness and contrast made alike everywhere, so that flicker and fades cancel."""
        return np.asarray(np.clip(128 + 40 * _detail(self.grey, 31, 10.0), 0, 255), np.uint8)

    @cached_property
    def small_detail(self) -> _FloatImage:
        """The even picture as a thumbnail, about 0."""
        height, width = self.grey.shape
        shrink = min(1.0, 60 / max(height, width))
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        small = cv2.resize(self.grey, size, interpolation=cv2.INTER_AREA)
        return _detail(np.asarray(small, np.uint8), 9, 6.0)

    @cached_property
    def corners(self) -> _Points:
        """(N, 1, 2) pixels of the even picture."""
        found = cv2.goodFeaturesToTrack(self.even, 120, 0.02, 7)
        return np.zeros((0, 1, 2), np.float32) if found is None else np.asarray(found, np.float32)

    @cached_property
    def thumbnail(self) -> npt.NDArray[np.float64]:
        """(256,) coarse brightness, grey levels."""
        small = cv2.resize(self.grey, (16, 16), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float64).ravel()


def _detail(grey: _Image, window: int, noise: float) -> _FloatImage:
    """What is left without local brightness, in local standard deviations.

    Args:
        grey: The picture.
        window: Side of what counts as local, pixels.
        noise: Standard deviation that counts as little.
    """
    image = grey.astype(np.float32)
    mean = cv2.blur(image, (window, window))
    squares = cv2.blur(image * image, (window, window))
    spread = np.sqrt(np.maximum(squares - mean * mean, 0))
    return np.asarray((image - mean) / (spread + noise), np.float32)


def _same_scene(one: _View, other: _View) -> bool:
    """Whether one picture can be registered to the other, whatever the brightness."""
    if one.blank or other.blank:
        return one.blank and other.blank
    if _likeness(one.small_detail, other.small_detail) > _SURELY_SAME:
        return True
    if min(len(one.corners), len(other.corners)) < _LEAST_CORNERS:
        with np.errstate(invalid="ignore", divide="ignore"):
            likeness = np.corrcoef(one.thumbnail, other.thumbnail)[0, 1]
        return bool(likeness > _SAME_THUMBNAIL)
    start, end = _follow(one, other)
    if len(start) > _SAME_SCENE * len(one.corners):
        return True
    # Few corners are left after a fast turn, but these move together. Those that stand still do
    # not count: a logo or a subtitle goes on across cuts.
    moving = np.linalg.norm(end - start, axis=1) > 1.0
    if moving.sum() < 4:
        return False
    _, together = cv2.estimateAffinePartial2D(
        start[moving], end[moving], ransacReprojThreshold=4.0, maxIters=200
    )
    return int(np.sum(together)) > _BY_CHANCE + _SHARE_BY_CHANCE * len(one.corners)


def _likeness(one: _FloatImage, other: _FloatImage) -> float:
    """Correlation of the middle of one picture with the best place for it in the other."""
    height, width = one.shape
    rows, columns = height * 3 // 20, width * 3 // 20
    middle = one[rows : height - rows, columns : width - columns]
    if not middle.any():  # like everything, says OpenCV
        return 0.0
    return float(cv2.matchTemplate(other, middle, cv2.TM_CCOEFF_NORMED).max())


def _follow(one: _View, other: _View) -> tuple[_Points, _Points]:
    """Where corners of one picture, (N, 2) pixels, are in the other: those found there and back."""

    def search(here: _Image, there: _Image, points: _Points) -> tuple[_Points, _Image]:
        # Few steps: between unrelated pictures no number of them comes to rest.
        steps = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 10, 0.03)
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            here, there, points, np.empty_like(points), winSize=(15, 15), maxLevel=4, criteria=steps
        )
        return np.asarray(moved, np.float32), np.asarray(found, np.uint8)

    there, found = search(one.even, other.even, one.corners)
    back, found_back = search(other.even, one.even, there)
    near = np.linalg.norm(back - one.corners, axis=2) < 1.0
    kept = (near & (found > 0) & (found_back > 0))[:, 0]
    return one.corners[kept, 0], there[kept, 0]


def _is_cut(before: list[_View], after: list[_View]) -> bool:
    """Whether a shot ends with ``before`` and another begins with ``after``."""
    if not before or not after:
        return False
    last, first = before[-1], after[0]
    if _same_scene(last, first):
        # Converted frame rates leave a frame at the cut that is half of either shot.
        if len(after) < 2 or not _is_blend(first, last, after[1]) or _same_scene(last, after[1]):
            return False
        after = after[1:]
        first = after[0]
    # Across a cut only one step fails; in a whip pan several do.
    if any(not _same_scene(*pair) for pair in (before[-2:], after[:2]) if len(pair) == 2):
        return False
    if last.blank or first.blank:
        blank, lit = (before[-3:], after) if last.blank else (after[:3], before)
        # A flash is short, and in a fade the picture is not yet or no more in full contrast.
        if len(blank) < 3 or not all(view.blank for view in blank):
            return False
        edge = first if last.blank else last
        if edge.contrast < 0.7 * max(view.contrast for view in lit):
            return False
    # After a flash, or when a subject has passed, the old scene is back.
    return not any(_same_scene(view, first) for view in before[:-1]) and not any(
        _same_scene(last, view) for view in after[1:]
    )


def _is_blend(middle: _View, one: _View, other: _View) -> bool:
    """Whether a picture is a mixture of two others."""
    ends = np.stack([one.thumbnail, other.thumbnail, np.ones_like(one.thumbnail)], axis=1)
    weights, *_ = np.linalg.lstsq(ends, middle.thumbnail)
    residual = middle.thumbnail - ends @ weights
    return bool(
        weights[:2].min() > 0.15 and residual.var() < 0.03 * max(middle.thumbnail.var(), 1.0)
    )
