"""A path at other times: between two poses the camera turns and travels evenly."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.rotations import exp, increments
from dollygrip.geometry.trajectory import Trajectory

_SAME_TIME = 1e-6


def resample(trajectory: Trajectory, times: FloatArray, longest_gap: float = np.inf) -> Trajectory:
    """The path at given times.

    Args:
        trajectory: At least one valid pose.
        times: (M,) seconds, strictly increasing.
        longest_gap: Seconds; where poses are farther apart, there is none in between.

    Returns:
        M poses; those before the first, after the last, or in a gap are not valid. Standard
        deviations are those of the nearest pose.

    Raises:
        ValueError: There is no valid pose.
    """
    there = np.flatnonzero(trajectory.valid)
    if not len(there):
        raise ValueError("the trajectory has no valid pose")
    known = trajectory.times[there]
    rotations, centers = trajectory.rotations[there], trajectory.centers[there]
    logs = np.log(trajectory.focals[there])
    before = np.clip(np.searchsorted(known, times, side="right") - 1, 0, max(len(known) - 2, 0))
    after = np.minimum(before + 1, len(known) - 1)
    step = np.where(after > before, known[after] - known[before], 1.0)
    share = np.clip((times - known[before]) / step, 0.0, 1.0)
    turns = np.concatenate([increments(rotations), np.zeros((1, 3))])[before]
    nearest = there[np.where(share < 0.5, before, after)]
    on_pose = np.minimum(np.abs(times - known[before]), np.abs(times - known[after])) < _SAME_TIME
    inside = (times > known[0] - _SAME_TIME) & (times < known[-1] + _SAME_TIME)
    return Trajectory(
        times=times,
        rotations=rotations[before] @ exp(share[:, None] * turns),
        centers=centers[before] + share[:, None] * (centers[after] - centers[before]),
        focals=np.exp(logs[before] + share * (logs[after] - logs[before])),
        size=trajectory.size,
        valid=inside & (on_pose | (step <= longest_gap)),
        sigmas=trajectory.sigmas[nearest],
        scene_depth=trajectory.scene_depth,
        metric=trajectory.metric,
    )
