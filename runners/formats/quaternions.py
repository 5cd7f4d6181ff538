"""Poses as rows of seven numbers: a translation and a quaternion."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, from_opencv, to_opencv
from dollygrip.geometry.rotations import from_quaternion, to_quaternion
from dollygrip.runners.formats.path import BadPose


def from_rows(rows: FloatArray, convention: Convention) -> FloatArray:
    """(N, 4, 4) world_from_camera poses of rows (N, 7): x, y, z, quaternion.

    Raises:
        BadPose: A quaternion has no length.
    """
    quaternions = rows[:, 3:]
    lengths = np.linalg.norm(quaternions, axis=1)
    # NaN is for whoever checks the poses.
    short = np.abs(lengths - 1.0) > 0.1
    if short.any():
        which = int(short.argmax())
        raise BadPose(which, f"has a quaternion of length {lengths[which]:.3g}, not 1")
    if convention.quaternion == "wxyz":
        quaternions = np.roll(quaternions, -1, axis=1)
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3, :3] = from_quaternion(quaternions)
    poses[:, :3, 3] = rows[:, :3]
    return to_opencv(poses, convention)


def to_rows(world_from_camera: FloatArray, convention: Convention) -> FloatArray:
    """The inverse of :func:`from_rows`."""
    poses = from_opencv(world_from_camera, convention)
    quaternions = to_quaternion(poses[:, :3, :3])
    if convention.quaternion == "wxyz":
        quaternions = np.roll(quaternions, 1, axis=1)
    return np.column_stack([poses[:, :3, 3], quaternions])
