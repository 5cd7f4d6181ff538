"""Scores of scores: plain numpy, the same numbers as scikit-learn's."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray

BINS = 10
"""Bins of a reliability table: as many as are usual."""


@dataclass(frozen=True)
class Bin:
    """What became of the items whose scores lie close together.

    Attributes:
        low: Least score; the first bin has it, the others begin above it.
        high: Largest score.
        count: Number of items.
        score: Their mean score; NaN without items.
        share: The share of them that is true; NaN without items.
    """

    low: float
    high: float
    count: int
    score: float
    share: float


class Timed(Protocol):
    """A stretch of a timeline, as :class:`dollygrip.classifiers.records.Segment`."""

    @property
    def motion(self) -> str:
        """Its label."""
        ...

    @property
    def start(self) -> float:
        """Seconds."""
        ...

    @property
    def end(self) -> float:
        """Seconds."""
        ...


def average_precision(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Area under the precision-recall steps; items with equal scores enter together.

    Args:
        truth: (N,) whether each item has the label.
        scores: (N,) higher is surer; infinite allowed.

    Returns:
        0 to 1; NaN without positives.

    Raises:
        ValueError: Shapes differ or a score is NaN.
    """
    return float(weighted_average_precision(truth, scores, np.ones((1, np.size(scores))))[0])


def weighted_average_precision(
    truth: npt.ArrayLike, scores: npt.ArrayLike, weights: FloatArray
) -> FloatArray:
    """Average precision where items count several times, or not at all.

    Args:
        truth: (N,) whether each item has the label.
        scores: (N,) higher is surer; infinite allowed.
        weights: (R, N) how often each item counts; one row a wanted number.

    Returns:
        (R,) 0 to 1; NaN without positives.

    Raises:
        ValueError: Shapes differ or a score is NaN.
    """
    real, order, last_of_tie = _by_score(truth, scores)
    counted = weights[:, order]
    hits = np.cumsum(counted * real[order], axis=1)[:, last_of_tie]
    total = np.cumsum(counted, axis=1)[:, last_of_tie]
    precision = np.divide(hits, total, out=np.zeros_like(hits), where=total > 0)
    gained = np.diff(hits, axis=1, prepend=0.0)
    positives = gained.sum(axis=1)
    found = np.full(len(weights), np.nan)
    np.divide((gained * precision).sum(axis=1), positives, out=found, where=positives > 0)
    return found


def precision_recall(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Recall and precision among the items that score at least each distinct score, descending.

    The area under the steps is :func:`average_precision`.

    Args:
        truth: (N,) whether each item has the label.
        scores: (N,) higher is surer; infinite allowed.

    Returns:
        (K,) recall, ascending; (K,) precision. Both empty without positives.

    Raises:
        ValueError: Shapes differ or a score is NaN.
    """
    hits, total = _cumulated(truth, scores)
    if len(hits) == 0 or hits[-1] == 0:
        return np.zeros(0), np.zeros(0)
    return hits / hits[-1], hits / total


def roc_auc(truth: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """Chance that a positive scores above a negative, ties counting half.

    Args:
        truth: (N,) whether each item has the label.
        scores: (N,) higher is surer.

    Returns:
        0 to 1; NaN unless there are both positives and negatives.

    Raises:
        ValueError: Shapes differ or a score is NaN.
    """
    hits, total = _cumulated(truth, scores)
    misses = total - hits
    if len(hits) == 0 or hits[-1] == 0 or misses[-1] == 0:
        return float("nan")
    recall = np.concatenate([[0.0], hits / hits[-1]])
    false_alarm = np.concatenate([[0.0], misses / misses[-1]])
    return float(np.trapezoid(recall, false_alarm))


def reliability_table(
    truth: npt.ArrayLike, scores: npt.ArrayLike, bins: int = BINS
) -> tuple[Bin, ...]:
    """Scores against what is true, in bins of equal width over 0 to 1.

    Args:
        truth: (N,) whether each item is true.
        scores: (N,) the probability given to it, 0 to 1.
        bins: How many.

    Raises:
        ValueError: Shapes differ, a score is not in 0 to 1, or there are no bins.
    """
    real, said = _probabilities(truth, scores)
    if bins < 1:
        raise ValueError(f"a table has at least one bin, not {bins}")
    edges = np.linspace(0.0, 1.0, bins + 1)
    inside = np.maximum(np.searchsorted(edges, said, side="left") - 1, 0)
    table = []
    for index in range(bins):
        here = inside == index
        count = int(here.sum())
        score, share = (said[here].mean(), real[here].mean()) if count else (np.nan, np.nan)
        low, high = edges[index : index + 2].tolist()
        table.append(Bin(low, high, count, float(score), float(share)))
    return tuple(table)


def calibration_error(truth: npt.ArrayLike, scores: npt.ArrayLike, bins: int = BINS) -> float:
    """Expected calibration error: how far probabilities are from what comes true, on average.

    The distance of mean score and share of true items in each bin of equal width, weighted by the
    number of items (Guo et al., On Calibration of Modern Neural Networks, ICML 2017, equation 3).

    Args:
        truth: (N,) whether each item is true.
        scores: (N,) the probability given to it, 0 to 1.
        bins: Number of bins of equal width.

    Returns:
        0 to 1; NaN without items.

    Raises:
        ValueError: Shapes differ, a score is not in 0 to 1, or there are no bins.
    """
    filled = [b for b in reliability_table(truth, scores, bins) if b.count]
    total = sum(b.count for b in filled)
    return sum(b.count * abs(b.score - b.share) for b in filled) / total if total else float("nan")


def selective_risk(wrong: npt.ArrayLike, trust: npt.ArrayLike, dropped: float) -> float:
    """Share of wrong items among those that are left when the least trusted are dropped.

    The selective risk of Geifman and El-Yaniv (Selective Classification for Deep Neural Networks,
    NeurIPS 2017). Of items that are trusted alike, or of which a part is dropped, the same part of
    the wrong ones goes.

    Args:
        wrong: (N,) whether each item is wrong.
        trust: (N,) higher is surer.
        dropped: The share that is dropped, 0 up to but not 1.

    Returns:
        0 to 1; NaN without items.

    Raises:
        ValueError: Shapes differ, a trust is NaN, or the share is out of range.
    """
    if not 0.0 <= dropped < 1.0:
        raise ValueError(f"the share to drop is 0 up to 1, not {dropped}")
    errors, total = _cumulated(wrong, trust)
    if len(total) == 0:
        return float("nan")
    kept = (1.0 - dropped) * total[-1]
    return float(np.interp(kept, np.append(0.0, total), np.append(0.0, errors)) / kept)


def intersection_over_union(first: Timed, second: Timed) -> float:
    """The time that two stretches share, of the time that either takes; 0 to 1."""
    shared = min(first.end, second.end) - max(first.start, second.start)
    either = max(first.end, second.end) - min(first.start, second.start)
    return max(shared, 0.0) / either if either > 0 else 0.0


def matched_segments(
    truth: Sequence[Timed], told: Sequence[Timed], least: float = 0.5
) -> tuple[tuple[int, int], ...]:
    """Pairs of segments of the same motion, each in one pair at most, the best overlap first.

    Above one half no segment has a choice, where those of one motion do not overlap each other.

    Args:
        truth: What happens.
        told: What is said to happen.
        least: Least intersection over union of a pair, above 0.

    Returns:
        Index in ``truth``, index in ``told``.
    """
    overlaps = [
        (intersection_over_union(real, said), i, j)
        for i, real in enumerate(truth)
        for j, said in enumerate(told)
        if real.motion == said.motion
    ]
    pairs: list[tuple[int, int]] = []
    for shared, i, j in sorted(overlaps, key=lambda item: (-item[0], item[1:])):
        if shared >= least and all(i != a and j != b for a, b in pairs):
            pairs.append((i, j))
    return tuple(pairs)


def _probabilities(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[BoolArray, FloatArray]:
    real: BoolArray = np.asarray(truth, np.bool_)
    said = np.asarray(scores, np.float64)
    if real.shape != said.shape or real.ndim != 1:
        raise ValueError(f"truth has shape {real.shape}, scores {said.shape}")
    if not ((said >= 0.0) & (said <= 1.0)).all():
        raise ValueError("a score is not a probability from 0 to 1")
    return real, said


def _cumulated(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Positives and items among those that score at least each distinct score, descending."""
    real, order, last_of_tie = _by_score(truth, scores)
    total = (last_of_tie + 1).astype(np.float64)
    return np.cumsum(real[order], dtype=np.float64)[last_of_tie], total


def _by_score(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[BoolArray, IntArray, IntArray]:
    """The truth, the order of descending scores, and where in it each distinct score ends."""
    real: BoolArray = np.asarray(truth, np.bool_)
    values = np.asarray(scores, np.float64)
    if real.shape != values.shape or real.ndim != 1:
        raise ValueError(f"truth has shape {real.shape}, scores {values.shape}")
    if np.isnan(values).any():
        raise ValueError("a score is not a number")
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last_of_tie = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)])
    return real, order, last_of_tie
