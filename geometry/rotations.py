"""Rotations and the project's signs.

OpenCV axes: x right, y down, z ahead. For a ``world_from_camera`` rotation whose world is the
first camera, **+Ry is pan right, +Rx is tilt up, +Rz is roll clockwise** (the camera turns
clockwise for its operator, so the picture turns counter-clockwise).
"""

import numpy as np
from scipy.spatial.transform import Rotation

from dollygrip.geometry.arrays import FloatArray

# Where (pan, tilt, roll) sit in a rotation vector (x, y, z).
PAN_TILT_ROLL = (1, 0, 2)


def rotation_from_pan_tilt_roll(angles_deg: FloatArray) -> FloatArray:
    """world_from_camera rotations for small or single-axis turns.

    Args:
        angles_deg: (..., 3) pan right, tilt up, roll clockwise, in degrees, taken as one
            rotation vector (axis times angle), not as Euler angles.

    Returns:
        (..., 3, 3) rotation matrices.
    """
    angles = np.radians(np.asarray(angles_deg, dtype=np.float64))
    rotvec = np.stack([angles[..., 1], angles[..., 0], angles[..., 2]], axis=-1)
    return exp(rotvec)


def exp(rotvec: FloatArray) -> FloatArray:
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3) in radians."""
    vectors = np.asarray(rotvec, dtype=np.float64)
    matrices = Rotation.from_rotvec(vectors.reshape(-1, 3)).as_matrix()
    return np.asarray(matrices, dtype=np.float64).reshape(*vectors.shape[:-1], 3, 3)


def log(rotations: FloatArray) -> FloatArray:
    """Rotation vectors (..., 3) in radians, shorter than pi, of matrices (..., 3, 3)."""
    matrices = np.asarray(rotations, dtype=np.float64)
    # What comes here is a product of rotations; making it orthonormal again costs five times more.
    turned = Rotation.from_matrix(matrices.reshape(-1, 3, 3), assume_valid=True)
    vectors = turned.as_rotvec()
    return np.asarray(vectors, dtype=np.float64).reshape(*matrices.shape[:-2], 3)


def increments(rotations: FloatArray) -> FloatArray:
    """Turns between neighbouring frames, in the axes of the earlier camera.

    Args:
        rotations: (N, 3, 3) world_from_camera.

    Returns:
        (N - 1, 3) rotation vectors in radians: log(R_i^T R_{i+1}).
    """
    return log(np.swapaxes(rotations[:-1], -1, -2) @ rotations[1:])


def is_rotation(matrices: FloatArray, tolerance: float = 1e-3) -> bool:
    """Whether all matrices (N, 3, 3) are orthonormal with determinant +1."""
    finite = bool(np.isfinite(matrices).all())
    if not finite:
        return False
    gram = matrices @ np.swapaxes(matrices, -1, -2)
    orthonormal = np.abs(gram - np.eye(3)).max(initial=0.0) < tolerance
    return bool(orthonormal and (np.linalg.det(matrices) > 0).all())
