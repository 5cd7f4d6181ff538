"""How far a number may be off because other videos might have been chosen.

The bootstrap of Efron and Tibshirani (An Introduction to the Bootstrap, 1993): items are drawn
again with replacement, and the spread of the number over many such draws stands for its spread
over other sets of items. Clips of one video are alike, so whole videos are drawn, with all their
clips (the cluster bootstrap; Davison and Hinkley, Bootstrap Methods and their Application, 1997,
section 3.8).

A resample is a weight for each item: how often it was drawn. What is to be known of resamples is a
function of weights, which are 1 for all items as they are.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray

CONFIDENCE = 0.95
"""How often intervals are to hold what is true."""

Statistic = Callable[[FloatArray], FloatArray]
"""From (resamples, items) weights to (resamples, K) numbers; NaN where one is not defined."""

_TAILS = (0.5 - CONFIDENCE / 2.0, 0.5 + CONFIDENCE / 2.0)
# Weights that are in memory at once: 16 MB.
_MOST_WEIGHTS = 2**21


@dataclass(frozen=True)
class Difference:
    """How much more one system has than another.

    Attributes:
        value: One minus the other.
        low: Lower end of the 95% interval.
        high: Upper end.
        p: Two-sided: the chance of a difference as large either way, were there none.
    """

    value: float
    low: float
    high: float
    p: float


def replicates(
    statistic: Statistic, groups: npt.ArrayLike, resamples: int, seed: int
) -> FloatArray:
    """The numbers of many resamples; with the same groups and seed always of the same resamples.

    Args:
        statistic: The numbers that are wanted.
        groups: (N,) what each item is drawn together with.
        resamples: How many; 0 for none.
        seed: Of the draws.

    Returns:
        (resamples, K); NaN, too, where fewer than two groups leave nothing to draw.
    """
    names, group = np.unique(np.asarray(groups), return_inverse=True)
    rng = np.random.default_rng(seed)
    shares = np.full(len(names), 1.0 / max(len(names), 1))
    # No resamples are still so many numbers.
    found = [statistic(np.zeros((0, len(group))))]
    at_once = max(_MOST_WEIGHTS // max(len(group), 1), 1)
    for start in range(0, resamples, at_once):
        size = min(at_once, resamples - start)
        counts = rng.multinomial(len(names), shares, size=size).astype(np.float64)
        found.append(statistic(counts[:, group]))
    drawn = np.concatenate(found)
    return drawn if len(names) > 1 else np.full_like(drawn, np.nan)


def interval(values: npt.ArrayLike, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The percentile interval of each number, centred on it: both ends, (K,) each.

    A resample's average precision is too high on the average, since an item that was drawn twice
    ranks beside itself, and a mean over labels leaves out those that no drawn item has. How far
    resamples are off on the average, the bootstrap's estimate of bias, is therefore taken off
    (Efron and Tibshirani, chapter 10); the interval is that of the number on other sets of as many
    items. Resamples in which a number is not defined are left out.

    Args:
        values: (K,) the numbers as they are.
        drawn: (resamples, K) from :func:`replicates`.
    """
    low, high = np.full((2, drawn.shape[1]), np.nan)
    for k, value in enumerate(np.asarray(values, np.float64)):
        known = drawn[~np.isnan(drawn[:, k]), k]
        if len(known):
            ends = np.quantile(known, _TAILS) - known.mean() + value
            low[k], high[k] = min(ends[0], value), max(ends[1], value)
    return low, high


def difference(value: float, drawn: FloatArray) -> Difference:
    """A difference with its interval, and whether it may be chance.

    p is twice the share of resamples on the rarer side of zero, those at zero on both. One is
    added to both counts: what was seen is one more draw, so that p is never 0 (Davison and
    Hinkley, equation 4.11). The interval is the plain percentile interval, so that it holds zero
    where p is large: what resamples are off by is nearly the same for both systems.

    Args:
        value: The difference as it is.
        drawn: (resamples,) the difference of the same two systems on each resample.
    """
    known = drawn[~np.isnan(drawn)]
    if not len(known) or np.isnan(value):
        return Difference(value, *[float("nan")] * 3)
    low, high = np.quantile(known, _TAILS).tolist()
    rarer = min(int((known <= 0.0).sum()), int((known >= 0.0).sum()))
    return Difference(value, low, high, min(1.0, 2.0 * (rarer + 1) / (len(known) + 1)))
