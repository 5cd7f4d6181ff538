"""Splitting an intended move from hand shake."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray

# Hand tremor and footsteps live above 1 Hz, camera moves below it: a Gaussian of 0.25 s passes
# half the amplitude at 0.75 Hz.
SHAKE_PERIOD = 0.25

# Beyond so many standard deviations a sample weighs less than round-off.
_REACH = 8.0
_BLOCK = 64


def smooth(times: FloatArray, values: FloatArray, sigma: float = SHAKE_PERIOD) -> FloatArray:
    """Gaussian smoothing of an unevenly sampled curve, by local straight lines.

    A local line, not a local mean: constant velocity passes unchanged and the ends do not lag.

    Args:
        times: (N,) seconds, increasing.
        values: (N, D) samples.
        sigma: Standard deviation of the window in seconds.

    Returns:
        (N, D) the smooth curve at ``times``.
    """
    # In blocks, each with the samples it can reach: a long path must not need N x N weights.
    blocks = []
    for start in range(0, len(times), _BLOCK):
        at = times[start : start + _BLOCK]
        ends = at[0] - _REACH * sigma, at[-1] + _REACH * sigma
        reached = slice(*np.searchsorted(times, ends).tolist())
        blocks.append(_local_lines(at, times[reached], values[reached], sigma))
    return np.concatenate(blocks)


def _local_lines(at: FloatArray, times: FloatArray, values: FloatArray, sigma: float) -> FloatArray:
    """(M, D) the line through the samples around each moment of ``at`` (M,), at that moment."""
    gaps = times[None, :] - at[:, None]
    weights = np.exp(-0.5 * (gaps / sigma) ** 2)
    total = weights.sum(axis=1)
    first = (weights * gaps).sum(axis=1)
    second = (weights * gaps**2).sum(axis=1)
    mean = weights @ values / total[:, None]
    slope_top = (weights * gaps) @ values / total[:, None] - (first / total)[:, None] * mean
    variance = second / total - (first / total) ** 2
    # A sample that is alone in its window keeps its value.
    slope = slope_top / np.maximum(variance, 1e-9)[:, None]
    slope[variance < 1e-6 * sigma**2] = 0.0
    return np.asarray(mean - slope * (first / total)[:, None])
