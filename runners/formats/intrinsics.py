"""Focal lengths and principal points: from pixels to shares of the picture, and back."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.trajectory import FOCAL_PRIOR
from dollygrip.runners.formats.path import CameraPath


# What is not finite, or becomes so here, is for whoever checks the poses.
@np.errstate(over="ignore", invalid="ignore")
def to_shares(pixels: FloatArray, size: tuple[int, int] | None = None) -> FloatArray:
    """Shares of the picture (N, 4) of fx, fy, cx, cy in pixels (N, 4).

    Args:
        pixels: The numbers.
        size: (width, height) of the picture; where nobody tells, the principal point is taken for
            its middle.
    """
    values = np.asarray(pixels, np.float64)
    whole = 2.0 * values[:, [2, 3, 2, 3]] if size is None else np.tile(size, 2)
    if not (whole > 0.0).all():
        raise ValueError("has a principal point outside the picture, whose size is not told")
    return np.asarray(values / whole)


def of_matrices(matrices: FloatArray) -> FloatArray:
    """fx, fy, cx, cy (N, 4) of calibration matrices (N, 3, 3)."""
    values = np.asarray(matrices, np.float64)
    return values[:, [0, 1, 0, 1], [0, 1, 2, 2]]


def matrices_of(pixels: FloatArray) -> FloatArray:
    """Calibration matrices (N, 3, 3) of fx, fy, cx, cy (N, 4)."""
    matrices = np.tile(np.eye(3), (len(pixels), 1, 1))
    matrices[:, [0, 1, 0, 1], [0, 1, 2, 2]] = pixels
    return matrices


def to_pixels(cameras: CameraPath) -> tuple[FloatArray, tuple[int, int]]:
    """fx, fy, cx, cy in pixels (N, 4), and the (width, height) they refer to.

    What the path does not say is taken as for any path: a usual focal length, a usual size, the
    principal point in the middle.
    """
    width, height = size = cameras.trajectory(1.0).size
    whole = np.array([width, height, width, height], np.float64)
    if cameras.intrinsics is None:
        focal = FOCAL_PRIOR * max(size)
        return np.tile([focal, focal, width / 2, height / 2], (len(cameras), 1)), size
    return np.where(cameras.there[:, None], cameras.intrinsics, 0.5) * whole, size


def to_centred_pixels(cameras: CameraPath) -> FloatArray:
    """As :func:`to_pixels`, but with the principal point (N, 2) in the middle of the picture.

    For formats that do not tell the size of the picture, but by where its middle is.
    """
    pixels, (width, height) = to_pixels(cameras)
    pixels[:, 2:] = width / 2, height / 2
    return pixels
