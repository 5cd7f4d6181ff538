"""Rotations and the project's signs.

OpenCV axes: x right, y down, z ahead. For a ``world_from_camera`` rotation whose world is the
first camera, **+Ry is pan right, +Rx is tilt up, +Rz is roll clockwise** (the camera turns
clockwise for its operator, so the picture turns counter-clockwise).
"""

import numpy as np

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
    """Rotation matrices (..., 3, 3) of rotation vectors (..., 3) in radians; Rodrigues' formula."""
    vectors = np.asarray(rotvec, dtype=np.float64)
    angle = np.linalg.norm(vectors, axis=-1)[..., None, None]
    across = np.zeros((*vectors.shape, 3))
    x, y, z = np.moveaxis(vectors, -1, 0)
    across[..., 2, 1], across[..., 0, 2], across[..., 1, 0] = x, y, z
    across[..., 1, 2], across[..., 2, 0], across[..., 0, 1] = -x, -y, -z
    # sin(a) / a and (1 - cos(a)) / a^2, with their limits at no turn.
    first, second = np.sinc(angle / np.pi), 0.5 * np.sinc(0.5 * angle / np.pi) ** 2
    return np.asarray(np.eye(3) + first * across + second * (across @ across))


def log(rotations: FloatArray) -> FloatArray:
    """Rotation vectors (..., 3) in radians, not longer than pi, of matrices (..., 3, 3)."""
    row = to_quaternion(rotations)
    sine = np.linalg.norm(row[..., :3], axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, row[..., 3:])
    per_sine = np.divide(angle, sine, out=np.zeros_like(angle), where=sine > 0.0)
    return np.asarray(row[..., :3] * per_sine)


def to_quaternion(rotations: FloatArray) -> FloatArray:
    """Unit quaternions (..., 4) in the order x, y, z, w, with w >= 0, of matrices (..., 3, 3)."""
    # Shepperd, 1978: loses no digits at any angle. scipy's Rotation would do, but takes longer to
    # load than most clips to decode.
    m = np.asarray(rotations, dtype=np.float64)
    diagonal = np.diagonal(m, axis1=-2, axis2=-1)
    trace = diagonal.sum(axis=-1, keepdims=True)
    # Four times each product of two of the quaternion's numbers.
    products = np.empty((*m.shape[:-2], 4, 4))
    products[..., :3, :3] = m + np.swapaxes(m, -1, -2)
    axes = np.arange(3)
    products[..., axes, axes] = 1.0 - trace + 2.0 * diagonal
    skew = np.stack(
        [
            m[..., 2, 1] - m[..., 1, 2],
            m[..., 0, 2] - m[..., 2, 0],
            m[..., 1, 0] - m[..., 0, 1],
        ],
        axis=-1,
    )
    products[..., :3, 3] = products[..., 3, :3] = skew
    products[..., 3, 3] = 1.0 + trace[..., 0]
    # The row of the largest number is the quaternion times it.
    largest = np.diagonal(products, axis1=-2, axis2=-1).argmax(axis=-1)
    row = np.take_along_axis(products, largest[..., None, None], axis=-2)[..., 0, :]
    row = row / np.linalg.norm(row, axis=-1, keepdims=True)
    return np.asarray(np.where(row[..., 3:] < 0.0, -row, row))


def from_quaternion(quaternions: FloatArray) -> FloatArray:
    """Matrices (..., 3, 3) of quaternions (..., 4), x, y, z, w, which need not have length 1."""
    q = np.asarray(quaternions, dtype=np.float64)
    x, y, z, w = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


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
