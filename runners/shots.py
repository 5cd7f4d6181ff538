"""Finding the hard cuts inside a clip, while its frames stream by.

scenedetect's adaptive detector proposes, a guard decides. On thinned grey frames the detector
finds the cuts, but it also proposes flashes, strobes, whip pans and subjects that cross close to
the camera; run at its own thresholds, which would silence those, it misses cuts between shots of
like brightness. So it runs with low thresholds, and a proposal counts only when the pictures
before and after cannot be registered to each other.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from functools import cached_property

import cv2
import numpy as np
import numpy.typing as npt
from scenedetect import AdaptiveDetector, FrameTimecode

from dollygrip.runners.video import Frame

# Frames on either side of a proposal that may show that it is none. What covers the picture for
# longer (0.7 s at 12 frames a second) is taken for another shot.
_REACH = 8

# The adaptive detector's proposals: change of luma (0 to 255) against the mean of the neighbours.
_LEAST_CHANGE = 5.0
_LEAST_RATIO = 1.2
_WINDOW = 2

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
        frames: Grey or RGB frames of one clip in order, all of one size, about 12 a second.
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
        proposer.finish(views[-1])
    while waiting:
        yield give()


class _Proposer:
    """Numbers of the frames at which scenedetect sees a change that stands out."""

    def __init__(self) -> None:
        self.proposals: set[int] = set()
        self._fed = 0
        self._detector = AdaptiveDetector(
            adaptive_threshold=_LEAST_RATIO,
            min_content_val=_LEAST_CHANGE,
            window_width=_WINDOW,
            min_scene_len=0,
            luma_only=True,
        )

    def add(self, view: "_View") -> None:
        """The next frame; proposals come _WINDOW frames late."""
        # The detector is blind for _WINDOW frames at either end; repeating the end frames is
        # what lets it see a cut there.
        for _ in range(_WINDOW + 1 if self._fed == 0 else 1):
            # The detector counts frames and never uses the time, so any rate will do.
            found = self._detector.process_frame(FrameTimecode(self._fed, 12.0), view.color)
            self.proposals.update(cut.frame_num - _WINDOW for cut in found)
            self._fed += 1

    def finish(self, last: "_View") -> None:
        """No frame comes any more."""
        for _ in range(_WINDOW):
            self.add(last)


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

    @property
    def color(self) -> _Image:
        """Three equal channels, which is what scenedetect takes."""
        return np.asarray(cv2.cvtColor(self.grey, cv2.COLOR_GRAY2BGR), np.uint8)

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
        grey = self.grey.astype(np.float32)
        mean = np.asarray(cv2.blur(grey, (31, 31)), np.float32)
        squares = np.asarray(cv2.blur(grey * grey, (31, 31)), np.float32)
        spread = np.sqrt(np.maximum(squares - mean * mean, 0))
        even = np.clip(128 + 40 * (grey - mean) / (spread + 10), 0, 255)
        return np.asarray(even, np.uint8)

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


def _same_scene(one: _View, other: _View) -> bool:
    """Whether one picture can be registered to the other, whatever the brightness."""
    if one.blank or other.blank:
        return one.blank and other.blank
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


def _follow(one: _View, other: _View) -> tuple[_Points, _Points]:
    """Where corners of one picture, (N, 2) pixels, are in the other: those found there and back."""
    there, found, _ = cv2.calcOpticalFlowPyrLK(
        one.even, other.even, one.corners, np.empty_like(one.corners), winSize=(15, 15), maxLevel=4
    )
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(
        other.even, one.even, there, np.empty_like(one.corners), winSize=(15, 15), maxLevel=4
    )
    near = np.linalg.norm(back - one.corners, axis=2) < 1.0
    kept = (near & (found > 0) & (found_back > 0))[:, 0]
    return one.corners[kept, 0], np.asarray(there, np.float32)[kept, 0]


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
