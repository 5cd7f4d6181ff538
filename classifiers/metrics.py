"""Scores of scores: plain numpy, the same numbers as scikit-learn's."""

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray


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
    hits, total = _by_score(truth, scores)
    if len(hits) == 0 or hits[-1] == 0:
        return float("nan")
    gained = np.diff(hits, prepend=0.0) / hits[-1]
    return float(np.sum(gained * hits / total))


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
    hits, total = _by_score(truth, scores)
    misses = total - hits
    if len(hits) == 0 or hits[-1] == 0 or misses[-1] == 0:
        return float("nan")
    recall = np.concatenate([[0.0], hits / hits[-1]])
    false_alarm = np.concatenate([[0.0], misses / misses[-1]])
    return float(np.trapezoid(recall, false_alarm))


def f1(truth: npt.ArrayLike, predicted: npt.ArrayLike) -> float:
    """Harmonic mean of precision and recall; 0 without a hit, NaN where nothing is or is said.

    Raises:
        ValueError: Shapes differ.
    """
    real, said = np.asarray(truth, np.bool_), np.asarray(predicted, np.bool_)
    if real.shape != said.shape or real.ndim != 1:
        raise ValueError(f"truth has shape {real.shape}, predictions {said.shape}")
    mentions = int(real.sum() + said.sum())
    return 2.0 * int((real & said).sum()) / mentions if mentions else float("nan")


def exact_match(
    truth: Sequence[Collection[str]],
    predicted: Sequence[Collection[str]],
    among: Collection[str],
) -> float:
    """Share of clips whose label set is right, looking only at labels ``among``.

    Returns:
        0 to 1; NaN without clips.

    Raises:
        ValueError: The sequences differ in length.
    """
    wanted = set(among)
    right = [
        wanted & set(real) == wanted & set(said)
        for real, said in zip(truth, predicted, strict=True)
    ]
    return sum(right) / len(right) if right else float("nan")


def _by_score(truth: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Positives and items among those that score at least each distinct score, descending."""
    real: BoolArray = np.asarray(truth, np.bool_)
    values = np.asarray(scores, np.float64)
    if real.shape != values.shape or real.ndim != 1:
        raise ValueError(f"truth has shape {real.shape}, scores {values.shape}")
    if np.isnan(values).any():
        raise ValueError("a score is not a number")
    order = np.argsort(-values, kind="stable")
    ordered = values[order]
    last_of_tie = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    if len(ordered) == 0:
        return np.zeros(0), np.zeros(0)
    hits = np.cumsum(real[order], dtype=np.float64)
    return hits[last_of_tie], last_of_tie + 1.0
