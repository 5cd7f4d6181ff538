"""Poses as matrices of 3x4: rows of twelve numbers in a table, nested lists in JSON."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, from_opencv, to_opencv
from dollygrip.runners.formats.path import BadPose


# What is not finite, or becomes so here, is for whoever checks the poses.
@np.errstate(over="ignore", invalid="ignore")
def from_rows(rows: FloatArray, convention: Convention) -> FloatArray:
    """(N, 4, 4) world_from_camera poses of rows (N, 12), each a 3x4 matrix row by row.

    A transposed matrix has 4x3 numbers, with the translation at the end.
    """
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    if convention.transposed:
        poses[:, :, :3] = rows.reshape(-1, 4, 3)
    else:
        poses[:, :3] = rows.reshape(-1, 3, 4)
    return to_opencv(poses, convention)


def to_rows(world_from_camera: FloatArray, convention: Convention) -> FloatArray:
    """The inverse of :func:`from_rows`."""
    poses = from_opencv(world_from_camera, convention)
    held = poses[:, :, :3] if convention.transposed else poses[:, :3]
    return held.reshape(-1, 12)


def shape(convention: Convention) -> tuple[int, int]:
    """Rows and columns of a matrix as it is written."""
    return (4, 3) if convention.transposed else (3, 4)


def numbers(poses: object, size: tuple[int, ...]) -> FloatArray:
    """(N, *size) numbers of a JSON list with nested lists of one size, one a pose.

    Raises:
        BadPose: A pose has another size, or something that is no number.
        ValueError: There is no list.
    """
    if not isinstance(poses, list):
        raise ValueError("a list of poses is expected")
    found: list[list[float]] = []
    for k, pose in enumerate(poses):
        try:
            found.append(_flat(pose, size))
        except (ValueError, OverflowError) as error:
            product = " x ".join(map(str, size))
            raise BadPose(k, f"is not made of {product} numbers") from error
    return np.array(found).reshape(-1, *size)


def _flat(value: object, size: tuple[int, ...]) -> list[float]:
    if not size:
        # Strings, null and true would turn into numbers, too.
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ValueError("no number")
        return [float(value)]
    if not isinstance(value, list) or len(value) != size[0]:
        raise ValueError("another size")
    return [number for inner in value for number in _flat(inner, size[1:])]
