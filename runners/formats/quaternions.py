"""Poses as rows of seven numbers: a translation and a quaternion (x, y, z, w when not declared)."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, from_opencv, to_opencv
from dollygrip.geometry.rotations import from_quaternion, to_quaternion
from dollygrip.runners.formats.path import BadPose


# What is not finite, or becomes so here, is for whoever checks the poses.
@np.errstate(over="ignore", invalid="ignore")
def from_rows(rows: FloatArray, convention: Convention) -> FloatArray:
    """(N, 4, 4) world_from_camera poses of rows (N, 7): x, y, z, quaternion.

    Raises:
        BadPose: A quaternion has no length.
        ValueError: The convention is one of matrices.
    """
    _check(convention)
    quaternions = rows[:, 3:]
    lengths = np.linalg.norm(quaternions, axis=1)
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
    _check(convention)
    poses = from_opencv(world_from_camera, convention)
    quaternions = to_quaternion(poses[:, :3, :3])
    if convention.quaternion == "wxyz":
        quaternions = np.roll(quaternions, 1, axis=1)
    return np.column_stack([poses[:, :3, 3], quaternions])


def _check(convention: Convention) -> None:
    if convention.transposed:
        raise ValueError("only matrices can be transposed; these poses are quaternions")
