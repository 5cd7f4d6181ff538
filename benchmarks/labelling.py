"""Labels one clip with one estimator, in a worker process."""

import hashlib
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import dollygrip
from dollygrip.classifiers.records import ShotLabels
from dollygrip.runners.formats.trajectories import read_trajectories, write_trajectories
from dollygrip.runners.pipeline import classify_shots, label_clip_file
from dollygrip.runners.registry import choose


@dataclass(frozen=True)
class Verdict:
    """What one estimator and classifier say of one clip.

    Attributes:
        labels: What is present.
        scores: 0 to 1 for every label; empty on failure.
        amounts: Plain numbers behind the scores.
        failure: Why there is no answer; None for an answer.
        seconds: Wall time; NaN where kept motion was used.
    """

    labels: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    amounts: dict[str, float] = field(default_factory=dict)
    failure: str | None = None
    seconds: float = float("nan")


def verdict(path: Path, estimator: str, classifier: str, kept: Path | None = None) -> Verdict:
    """Label one clip.

    Args:
        path: The clip.
        estimator: Name in the registry.
        classifier: Name in the registry.
        kept: Folder of motion from earlier runs, used while neither the clip nor the code that
            makes motion has changed; None to estimate always.
    """
    judge = choose("classifier", classifier).make()
    file = kept / f"{estimator}-{_fingerprint(path)}.npz" if kept else None
    if file and file.exists():
        return _summary(classify_shots(judge, read_trajectories(file))[0], float("nan"))
    import cv2

    # One worker a core: OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    started = time.perf_counter()
    result = label_clip_file(path, choose("estimator", estimator).make(), judge)
    seconds = time.perf_counter() - started
    if file and result.shots:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_trajectories(file, result.shots)
    return _summary(result.record.whole, seconds)


def _fingerprint(path: Path) -> str:
    """Of the clip and of the code that makes motion, not of the code that names it."""
    return hashlib.blake2b(path.read_bytes() + _code(), digest_size=12).hexdigest()


@cache
def _code() -> bytes:
    package = Path(dollygrip.__file__).parent
    sources = [p for floor in ("geometry", "runners") for p in (package / floor).rglob("*.py")]
    return b"".join(source.read_bytes() for source in sorted(sources))


def _summary(whole: ShotLabels, seconds: float) -> Verdict:
    failure = whole.failure
    return Verdict(
        labels=whole.labels,
        scores=whole.scores,
        amounts=_numbers({**whole.attributes, **whole.diagnostics}),
        failure=None if failure is None else f"{failure.reason}: {failure.message}",
        seconds=seconds,
    )


def _numbers(data: object, name: str = "") -> dict[str, float]:
    """Every number in nested JSON-ready data, by dotted name."""
    if isinstance(data, bool | int | float):
        return {name: float(data)}
    if isinstance(data, list | tuple):
        data = dict(enumerate(data))
    found: dict[str, float] = {}
    for key, value in data.items() if isinstance(data, dict) else ():
        found |= _numbers(value, f"{name}.{key}" if name else str(key))
    return found
