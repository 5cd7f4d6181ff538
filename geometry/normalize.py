"""Gauge, scale and clock: from a trajectory in any world to motion in the camera's own axes."""

from dataclasses import dataclass

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.rotations import PAN_TILT_ROLL, increments
from dollygrip.geometry.trajectory import Trajectory

# Camera x (right), y (down), z (ahead) to truck right, pedestal up, dolly in.
_TRUCK_PEDESTAL_DOLLY = np.array([1.0, -1.0, 1.0])
# Between a conversation across a table and a street.
_TYPICAL_DEPTH_METRES = 4.0
# Of a camera's coordinates, when they have been through a few matrix products.
_ROUND_OFF = 1e-9


@dataclass(frozen=True, eq=False)
class CameraMotion:
    """Integrated motion over time; columns follow ``dollygrip.geometry.profile.AXES``.

    Attributes:
        times: (N,) seconds from the first frame of the clip.
        position: (N, 7) motion since the first pose: every step is measured in the axes of the
            camera that makes it, then summed. Degrees, scene depths, log focal.
        sigmas: (7,) one standard deviation of the last row of ``position``.
        net_first: (7,) first to last pose, translation in the first camera's axes.
    """

    times: FloatArray
    position: FloatArray
    sigmas: FloatArray
    net_first: FloatArray


def translation_scale(trajectory: Trajectory) -> float:
    """What to multiply centres with to get scene depths.

    Where the depth of the scene is unknown but the unit is the metre, a typical scene is assumed.
    Where the unit is unknown too (most pose files), the camera's own spread stands in: the path is
    scaled so that the camera's greatest distance from where it starts or ends is half a scene
    depth, if it moves at all. That keeps directions and proportions, never makes a label depend on
    the unit of the file, and is the same when time runs backwards.
    """
    if np.isfinite(trajectory.scene_depth) and trajectory.scene_depth > 0:
        return 1.0 / trajectory.scene_depth
    if trajectory.metric:
        return 1.0 / _TYPICAL_DEPTH_METRES
    centers = trajectory.centers[trajectory.valid]
    from_ends = np.linalg.norm(centers[None] - centers[[0, -1], None], axis=-1)
    extent = float(from_ends.max(initial=0.0))
    # A still camera far from the world's origin has round-off, which must not become a move.
    moves = extent > _ROUND_OFF * float(np.abs(centers).max(initial=0.0))
    return 0.5 / extent if moves else 0.0


def camera_motion(trajectory: Trajectory) -> CameraMotion:
    """Integrate a trajectory in the moving camera's axes.

    Args:
        trajectory: At least two valid poses, in any world, at any scale.

    Returns:
        The motion at the valid poses.

    Raises:
        ValueError: Fewer than two valid poses.
    """
    keep = trajectory.valid
    if keep.sum() < 2:
        raise ValueError("a motion needs at least two valid poses")
    rotations, centers = trajectory.rotations[keep], trajectory.centers[keep]
    turns = np.degrees(increments(rotations))[:, PAN_TILT_ROLL]

    scale = translation_scale(trajectory)
    # Halfway between the two cameras of a step, so that running time backwards flips the signs
    # exactly.
    world_steps = np.diff(centers, axis=0) * scale
    before = np.einsum("nji,nj->ni", rotations[:-1], world_steps)
    after = np.einsum("nji,nj->ni", rotations[1:], world_steps)
    moves = 0.5 * (before + after) * _TRUCK_PEDESTAL_DOLLY

    zooms = np.diff(np.log(trajectory.focals[keep]))[:, None]
    steps = np.concatenate([turns, moves, zooms], axis=1)
    position = np.concatenate([np.zeros((1, 7)), np.cumsum(steps, axis=0)])

    net_first = position[-1].copy()
    net_first[3:6] = rotations[0].T @ (centers[-1] - centers[0]) * scale * _TRUCK_PEDESTAL_DOLLY

    ends = trajectory.sigmas[keep][[0, -1]]
    spread = np.sqrt((ends**2).sum(axis=0))
    sigmas = np.concatenate(
        [np.degrees(spread[list(PAN_TILT_ROLL)]), spread[3:6] * scale, spread[6:7]]
    )
    return CameraMotion(trajectory.times[keep], position, sigmas, net_first)
