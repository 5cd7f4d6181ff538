"""The 2D baseline: a video stabiliser's transforms read as camera motion.

One similarity a frame pair (shift, turn, growth) tells which way the picture went, never why: a
truck comes out as a pan, a dolly as a zoom. It is here to be beaten, and named after what it is.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Hypothesis, Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.video import Frame, FrameRequest

GreyImage = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Global2DSettings:
    """Numbers of the baseline; lengths in pixels of the shrunken picture.

    Attributes:
        corners: At most this many corners a frame.
        corner_quality: Weakest corner kept, against the strongest of the frame.
        corner_distance: Least distance between two corners.
        window: Side of the matching window.
        pyramid_levels: Levels above full size: fast motion needs coarse pictures.
        forward_backward: Most a corner may miss its start when tracked there and back.
        inlier_distance: RANSAC's tolerance.
        fewest_inliers: A transform with fewer is not believed.
    """

    corners: int = 400
    corner_quality: float = 0.01
    corner_distance: float = 8.0
    window: int = 21
    pyramid_levels: int = 4
    forward_backward: float = 1.0
    inlier_distance: float = 1.5
    fewest_inliers: int = 12


@dataclass(frozen=True)
class Similarity:
    """How the picture went from one frame to the next, about its centre.

    Attributes:
        right: Shift of the content to the right, pixels.
        down: Shift of the content downward, pixels.
        clockwise: Turn of the content as seen on the screen, radians.
        growth: Log of the content's growth.
        inliers: Share of the corners that follow it.
    """

    right: float
    down: float
    clockwise: float
    growth: float
    inliers: float


DEFAULTS = Global2DSettings()
STILL = Similarity(right=0.0, down=0.0, clockwise=0.0, growth=0.0, inliers=0.0)


class Global2DEstimator:
    """Global motion of the picture, as pan, tilt, roll and zoom; no translation ever."""

    name = "global2d"
    frame_request = FrameRequest(long_side=480, rate=12.0)

    def __init__(self, settings: Global2DSettings = DEFAULTS) -> None:
        """Store the settings."""
        self.settings = settings

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path of one shot: one hypothesis of probability 1, or the reason for none."""
        started = time.perf_counter()
        times: list[float] = []
        size = (0, 0)
        steps: list[Similarity | None] = []
        previous: GreyImage | None = None
        for frame in frames:
            image = _grey(frame.image)
            if previous is None:
                size = (image.shape[1], image.shape[0])
            else:
                steps.append(picture_motion(previous, image, self.settings))
            times.append(frame.time)
            previous = image
        measured = [step for step in steps if step is not None]
        failure = _failure(len(times), len(measured))
        return Estimate(
            hypotheses=()
            if failure
            else (Hypothesis(self.name, 1.0, _trajectory(times, steps, size)),),
            failure=failure,
            diagnostics={
                "frames": len(times),
                "pairs_without_transform": len(steps) - len(measured),
                "inlier_share": float(np.mean([step.inliers for step in measured] or [0.0])),
            },
            seconds=time.perf_counter() - started,
            estimator=self.name,
            settings=asdict(self.settings),
        )


def picture_motion(
    before: GreyImage, after: GreyImage, settings: Global2DSettings
) -> Similarity | None:
    """The similarity that most corners follow.

    Args:
        before: (H, W) grey picture.
        after: (H, W) grey picture, the next one.
        settings: The baseline's numbers.

    Returns:
        The transform from ``before`` to ``after``; None where too few corners agree on one.
    """
    if before.shape != after.shape:
        return None
    corners = cv2.goodFeaturesToTrack(
        before, settings.corners, settings.corner_quality, settings.corner_distance
    )
    if corners is None or len(corners) < settings.fewest_inliers:
        return None
    starts, ends = _tracked(before, after, corners, settings)
    if len(starts) < settings.fewest_inliers:
        return None
    # About the centre, so that a turn or a growth does not leak into the shift.
    centre = 0.5 * np.array([before.shape[1] - 1, before.shape[0] - 1])
    matrix, inliers = cv2.estimateAffinePartial2D(
        starts - centre,
        ends - centre,
        method=cv2.RANSAC,
        ransacReprojThreshold=settings.inlier_distance,
    )
    if matrix is None or int(inliers.sum()) < settings.fewest_inliers:
        return None
    return Similarity(
        right=float(matrix[0, 2]),
        down=float(matrix[1, 2]),
        clockwise=float(np.arctan2(matrix[1, 0], matrix[0, 0])),
        growth=float(np.log(np.hypot(matrix[0, 0], matrix[1, 0]))),
        inliers=float(inliers.mean()),
    )


def _tracked(
    before: GreyImage,
    after: GreyImage,
    corners: npt.NDArray[Any],
    settings: Global2DSettings,
) -> tuple[FloatArray, FloatArray]:
    """Where corners are before and after, (N, 2) each: those that also find their way back."""
    window = (settings.window, settings.window)
    forth, found, _ = cv2.calcOpticalFlowPyrLK(
        before,
        after,
        corners,
        np.empty_like(corners),
        winSize=window,
        maxLevel=settings.pyramid_levels,
    )
    back, found_back, _ = cv2.calcOpticalFlowPyrLK(
        after, before, forth, np.empty_like(forth), winSize=window, maxLevel=settings.pyramid_levels
    )
    starts, ends, returned = (
        points.reshape(-1, 2).astype(np.float64) for points in (corners, forth, back)
    )
    missed = np.linalg.norm(returned - starts, axis=1)
    keep = (found.ravel() == 1) & (found_back.ravel() == 1) & (missed < settings.forward_backward)
    return starts[keep], ends[keep]


def _trajectory(
    times: list[float], steps: list[Similarity | None], size: tuple[int, int]
) -> Trajectory:
    """Chain the transforms; a pair without one counts as still."""
    focal = FOCAL_PRIOR * max(size)
    pose, poses, focals = np.eye(4), [np.eye(4)], [focal]
    for step in steps:
        motion = step or STILL
        # The camera turns against the picture, except for tilt: up moves the content down.
        angles = np.degrees(
            [np.arctan(-motion.right / focal), np.arctan(motion.down / focal), -motion.clockwise]
        )
        pose = pose.copy()
        pose[:3, :3] = pose[:3, :3] @ rotation_from_pan_tilt_roll(angles)
        focal *= np.exp(motion.growth)
        poses.append(pose)
        focals.append(focal)
    return Trajectory.from_poses(times, np.stack(poses), size=size, focals=focals)


def _failure(frames: int, measured: int) -> Failure | None:
    if frames < 3:
        return Failure(Reason.TOO_SHORT, "A motion needs at least three frames.")
    if 2 * measured < frames - 1:
        return Failure(
            Reason.NO_TEXTURE, "Most frames have too few points that can be followed to the next."
        )
    return None


def _grey(image: npt.NDArray[np.uint8]) -> GreyImage:
    if image.ndim == 2:
        return image
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
