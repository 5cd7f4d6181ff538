"""Turn and zoom between neighbouring frames, fitted to all pairs of a shot at once."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray, Groups, IntArray
from dollygrip.geometry.rotations import exp

# Standard deviation of a turn (radians) or log zoom between two frames: keeps pairs with few
# points from running away, and does not matter to any other.
STEP_SPREAD = 0.5


def turn_points(xy: FloatArray, steps: FloatArray, focal: float) -> FloatArray:
    """Where points at any depth go when the camera turns and zooms.

    Args:
        xy: (K, 2) pixels from the centre, before; x right, y down.
        steps: (K, 4) rotation of the camera, a vector in radians in its own axes, and log of the
            focal length after over before.
        focal: Focal length before, in pixels.

    Returns:
        (K, 2) pixels from the centre, after.
    """
    return _turned(xy / focal, exp(steps[:, :3]), focal * np.exp(steps[:, 3]))


def _turned(at: FloatArray, rotations: FloatArray, focals: FloatArray) -> FloatArray:
    """Pixels (K, 2) of rays through (x, y, 1) after turns (K, 3, 3), at focal lengths (K,)."""
    seen = np.einsum("kji,kj->ki", rotations[:, :2], at) + rotations[:, 2]
    return np.asarray(focals[:, None] * seen[:, :2] / seen[:, 2:])


def fit_steps(
    pair: IntArray,
    before: FloatArray,
    after: FloatArray,
    *,
    pairs: int,
    focal: float,
    scales: FloatArray,
) -> FloatArray:
    """Rotation and zoom of every pair of frames, by robust Gauss-Newton with shrinking scale.

    The Geman-McClure weight ``(c^2 / (r^2 + c^2))^2`` is annealed from a scale ``c`` so wide that
    every point counts to one of about a pixel (graduated non-convexity; Yang et al., IEEE RA-L
    2020).

    Args:
        pair: (K,) number of the pair of frames of each correspondence.
        before: (K, 2) pixels from the centre in the earlier frame.
        after: (K, 2) the same in the later frame.
        pairs: How many pairs there are.
        focal: Focal length in pixels.
        scales: Kernel scales in pixels, one a step.

    Returns:
        (pairs, 4) rotation vectors in the earlier camera's axes (radians) and log zooms; zero for
        a pair without points.
    """
    steps = np.zeros((pairs, 4))
    # Derivative of the flow at no motion: good enough for every step, because residuals are exact.
    at = before / focal
    x, y = at.T
    across = focal * np.stack([x * y, -(1.0 + x * x), y, x])
    down = focal * np.stack([1.0 + y * y, -x * y, -x, y])
    prior = np.eye(4) / STEP_SPREAD**2
    groups = Groups(pair, pairs)
    row, column = np.triu_indices(4)
    normal = np.empty((pairs, 4, 4))
    for scale in scales:
        seen = _turned(at, exp(steps[:, :3])[pair], (focal * np.exp(steps[:, 3]))[pair])
        u, v = (after - seen).T
        weight = (scale**2 / (u**2 + v**2 + scale**2)) ** 2
        heavy_across, heavy_down = weight * across, weight * down
        products = heavy_across[row] * across[column] + heavy_down[row] * down[column]
        sums = groups.sum_columns(np.concatenate([products, heavy_across * u + heavy_down * v])).T
        normal[:, row, column] = normal[:, column, row] = sums[:, : len(row)]
        right = sums[:, len(row) :] - steps @ prior
        steps = steps + np.linalg.solve(normal + prior, right[:, :, None])[:, :, 0]
    return steps


def accumulate(steps: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Chain steps into a path.

    Args:
        steps: (N - 1, 4) rotation vectors and log zooms between neighbouring frames.

    Returns:
        (N, 3, 3) world_from_camera, the world being the first camera, and (N,) log zooms.
    """
    rotations = [np.eye(3)]
    for turn in exp(steps[:, :3]):
        rotations.append(rotations[-1] @ turn)
    return np.stack(rotations), np.concatenate([[0.0], np.cumsum(steps[:, 3])])
