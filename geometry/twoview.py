"""Turn and zoom between neighbouring frames, fitted to all pairs of a shot at once."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.rotations import exp


def turn_points(xy: FloatArray, turns: FloatArray, zooms: FloatArray, focal: float) -> FloatArray:
    """Where points at any depth go when the camera turns and zooms.

    Args:
        xy: (K, 2) pixels from the centre, before.
        turns: (K, 3) rotation of the camera, a vector in radians in its own axes.
        zooms: (K,) log of the focal length after over before.
        focal: Focal length before, in pixels.

    Returns:
        (K, 2) pixels from the centre, after.
    """
    rays = np.concatenate([xy / focal, np.ones((len(xy), 1))], axis=1)
    seen = np.einsum("kji,kj->ki", exp(turns), rays)
    return np.asarray(focal * np.exp(zooms)[:, None] * seen[:, :2] / seen[:, 2:])


def fit_turns(
    pair: IntArray,
    before: FloatArray,
    after: FloatArray,
    weight: FloatArray,
    focal: float,
    pairs: int,
    start: FloatArray,
    scales: FloatArray,
    spread: FloatArray,
) -> FloatArray:
    """Rotation and zoom of every pair of frames, by robust Gauss-Newton with shrinking scale.

    The Geman-McClure weight ``(c^2 / (r^2 + c^2))^2`` is annealed from a scale ``c`` so wide
    that every point counts to one of about a pixel (graduated non-convexity; Yang et al., IEEE
    RA-L 2020).

    Args:
        pair: (K,) pair number of each correspondence.
        before: (K, 2) pixels from the centre in the earlier frame.
        after: (K, 2) the same in the later frame.
        weight: (K,) prior weight, 0 to 1.
        focal: Focal length in pixels.
        pairs: How many pairs there are.
        start: (pairs, 4) rotation vector (radians) and log zoom to start from.
        scales: Kernel scales in pixels, one a step.
        spread: (4,) prior standard deviations of the four numbers, which keep pairs with few
            points from running away.

    Returns:
        (pairs, 4) rotation vectors in the earlier camera's axes (radians) and log zooms.
    """
    motion = np.array(start, dtype=np.float64)
    x, y = before[:, 0] / focal, before[:, 1] / focal
    one, zero = np.ones_like(x), np.zeros_like(x)
    # Derivative of the flow at zero motion: good enough for every step of Gauss-Newton here,
    # because residuals are computed exactly.
    jacobian = focal * np.stack(
        [
            np.stack([x * y, -(one + x * x), y, x], axis=1),
            np.stack([one + y * y, -x * y, -x, y], axis=1),
        ],
        axis=1,
    )
    del zero
    prior = np.diag(1.0 / spread**2)
    for scale in scales:
        predicted = turn_points(before, motion[pair, :3], motion[pair, 3], focal)
        residual = after - predicted
        kernel = weight * (scale**2 / ((residual**2).sum(axis=1) + scale**2)) ** 2
        information = np.einsum("k,kda,kdb->kab", kernel, jacobian, jacobian).reshape(-1, 16)
        gradient = np.einsum("k,kda,kd->ka", kernel, jacobian, residual)
        normal = sum_by(pair, information, pairs).reshape(pairs, 4, 4) + prior
        right = sum_by(pair, gradient, pairs) - (motion - start) @ prior
        motion = motion + np.linalg.solve(normal, right[:, :, None])[:, :, 0]
    return motion


def sum_by(key: IntArray, values: FloatArray, count: int) -> FloatArray:
    """(count, D) sums of the rows of ``values`` (K, D) that share a key."""
    columns = [np.bincount(key, column, minlength=count) for column in values.T]
    return np.stack(columns, axis=1)
