"""What every view of a clip has in common: the pictures, their shots, and the file it becomes.

The clip is labelled as ever, then read twice more: small and grey, to follow its points once more,
and large and in colour, to look at.
"""

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.records import ShotLabels
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.base import Estimator, MotionReader
from dollygrip.runners.estimators.movement import movement
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.pipeline import ClipResult, label_clip_file
from dollygrip.runners.video import Frame, FrameRequest, VideoError, printable, read_frames

# Points are followed in pictures of this size, and of which there are at least and at most so many
# a second.
_TRACKED = FrameRequest(long_side=480, rate=8.0)
_MOST_A_SECOND = 60.0
# Between two poses that are farther apart there is no saying where the camera was: seconds, and
# steps of the path where these are longer.
_LONGEST_GAP, _LONGEST_STEPS = 0.5, 1.5


class ViewError(Exception):
    """The view cannot be written; one plain line."""


@dataclass(frozen=True, eq=False)
class SeenShot:
    """One shot with its points.

    Attributes:
        number: From 0.
        motion: Of the camera.
        labels: Of the shot.
        tracks: Points followed through its pictures.
    """

    number: int
    motion: ShotMotion
    labels: ShotLabels
    tracks: Tracks

    @cached_property
    def trajectory(self) -> Trajectory | None:
        """The likeliest path at the times of the pictures; None where it has no pose in them."""
        if not self.motion.hypotheses:
            return None
        path = self.motion.hypotheses[0].trajectory
        if not path.valid.any():
            return None
        step = float(np.median(np.diff(path.times))) if len(path) > 1 else 0.0
        gap = max(_LONGEST_GAP, _LONGEST_STEPS * step)
        there = resample(path, self.tracks.times, gap)
        return there if there.valid.any() else None

    @cached_property
    def belief(self) -> FloatArray:
        """(T,) probability that each track moves by itself."""
        if self.trajectory is None:
            return np.full(int(self.tracks.track.max(initial=-1)) + 1, np.nan)
        return movement(self.tracks, self.trajectory)


def labelled(clip: Path, estimator: Estimator | MotionReader, classifier: Classifier) -> ClipResult:
    """Label a clip that is to be looked at.

    Raises:
        VideoError: The clip cannot be read.
    """
    result = label_clip_file(clip, estimator, classifier)
    whole = result.record.whole
    if not result.shots:
        assert whole.failure is not None
        raise VideoError(whole.failure.reason, whole.failure.message)
    return result


def tracked(estimator: Estimator | MotionReader) -> FrameRequest:
    """The pictures to follow points in: as many as the estimator looked at, unless too few."""
    if isinstance(estimator, MotionReader):
        return _TRACKED
    rate = min(max(_TRACKED.rate, estimator.frame_request.rate), _MOST_A_SECOND)
    return replace(_TRACKED, rate=rate)


def look_through(
    clip: Path, request: FrameRequest, result: ClipResult, long_side: int
) -> Iterator[tuple[Frame, SeenShot]]:
    """The pictures of a clip in colour, each with its shot; points are followed one shot ahead.

    Args:
        clip: A video file, or a folder of pictures.
        request: The pictures that points are followed in.
        result: What came of the clip.
        long_side: Of the pictures in colour.
    """
    starts = np.array([motion.start for motion in result.shots])

    def shot_of(frame: Frame) -> int:
        return max(0, int(np.searchsorted(starts, frame.time, side="right")) - 1)

    followed = itertools.groupby(read_frames(clip, request), shot_of)
    shot: SeenShot | None = None
    for frame in read_frames(clip, replace(request, long_side=long_side, color=True)):
        while shot is None or shot_of(frame) > shot.number:
            number, frames = next(followed)
            motion, labels = result.shots[number], result.record.shots[number]
            shot = SeenShot(number, motion, labels, track_points(frames))
        yield frame, shot


@contextmanager
def appearing(clip: Path, target: Path) -> Iterator[BinaryIO]:
    """A file beside the target that takes its name once all is written.

    Raises:
        ViewError: It cannot be written, or is the clip itself.
    """
    name = printable(target)
    scratch = target.with_name(f".dollygrip-{os.getpid()}.part")
    try:
        if target.exists() or target.is_symlink():
            if not target.is_file():
                raise ViewError(f"{name} is there and no file that could be replaced")
            if clip.exists() and target.samefile(clip):
                raise ViewError(f"{name} is the clip itself; give the view another name")
        file = scratch.open("xb")
    except OSError as error:
        raise ViewError(f"{name} cannot be written: {error.strerror}") from error
    try:
        with file:
            yield file
        scratch.replace(target)
    except (OSError, av.FFmpegError) as error:
        # A full disk is first noticed by Python, then once more by libav, which cannot say why.
        first = error.__context__ if isinstance(error.__context__, OSError) else error
        raise ViewError(f"{name} cannot be written: {first.strerror}") from error
    finally:
        scratch.unlink(missing_ok=True)
