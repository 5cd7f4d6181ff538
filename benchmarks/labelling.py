"""Labels one clip with one estimator, in a worker process."""

import time
from dataclasses import dataclass, field
from pathlib import Path

from dollygrip.classifiers.records import ClipLabels

ESTIMATORS = ("flow", "global2d")


@dataclass(frozen=True)
class Verdict:
    """What one estimator and classifier say of one clip.

    Attributes:
        labels: What is present.
        scores: 0 to 1 for every label; empty on failure.
        amounts: Plain numbers behind the scores.
        failure: Why there is no answer; None for an answer.
        seconds: Wall time.
    """

    labels: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    amounts: dict[str, float] = field(default_factory=dict)
    failure: str | None = None
    seconds: float = 0.0


def verdict(path: str, estimator: str, classifier: str) -> Verdict:
    """Label one clip file; names of estimator and classifier are those of the registry."""
    import cv2
    from dollygrip.runners.pipeline import label_clip_file

    # One worker a core: OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    started = time.perf_counter()
    record = label_clip_file(Path(path), estimator=estimator, classifier=classifier)
    return _summary(record, time.perf_counter() - started)


def _summary(record: ClipLabels, seconds: float) -> Verdict:
    failure = record.failure
    return Verdict(
        labels=record.labels,
        scores=record.scores,
        amounts=_numbers(record.whole.attributes) | _numbers(record.whole.diagnostics),
        failure=None if failure is None else f"{failure.reason}: {failure.message}",
        seconds=seconds,
    )


def _numbers(data: object, prefix: str = "") -> dict[str, float]:
    """Every number in nested JSON-ready data, by dotted name."""
    if isinstance(data, bool | int | float):
        return {prefix: float(data)}
    if isinstance(data, dict):
        items = data.items()
    elif isinstance(data, list | tuple):
        items = enumerate(data)
    else:
        return {}
    found: dict[str, float] = {}
    for key, value in items:
        found |= _numbers(value, f"{prefix}.{key}" if prefix else str(key))
    return found
