"""Labels clips in worker processes, where a crash or a hang costs one clip."""

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from pebble import ProcessPool

import dollygrip
from dollygrip.classifiers.records import Segment, ShotLabels
from dollygrip.runners.formats.trajectories import (
    ShotMotion,
    read_trajectories,
    trajectories_npz,
)
from dollygrip.runners.pipeline import classify_shots, label_clip_file
from dollygrip.runners.registry import choose

TIMEOUT_SECONDS = 600.0

Result = TypeVar("Result")


@dataclass(frozen=True)
class Verdict:
    """What one estimator and classifier say of one clip.

    Attributes:
        labels: What is present.
        scores: 0 to 1 for every label; empty on failure.
        segments: The timeline, by start.
        ambiguous: Pairs that cannot be told apart.
        trust: 0 to 1.
        amounts: Plain numbers behind the scores.
        failure: Why there is no answer; None for an answer.
        seconds: Wall time; NaN where kept motion was used.
    """

    labels: tuple[str, ...] = ()
    scores: dict[str, float] = field(default_factory=dict)
    segments: tuple[Segment, ...] = ()
    ambiguous: tuple[tuple[str, str], ...] = ()
    trust: float = 0.0
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
    return look(path, estimator, classifier, kept)[0]


def look(
    path: Path, estimator: str, classifier: str = "learned", kept: Path | None = None
) -> tuple[Verdict, tuple[ShotMotion, ...]]:
    """Label one clip, and give the motion that the labels come from; see :func:`verdict`."""
    judge = choose("classifier", classifier).make()
    file = kept / f"{estimator}-{_fingerprint(path)}.npz" if kept else None
    if file and file.exists():
        shots = read_trajectories(file)
        return verdict_of(classify_shots(judge, shots)[0], float("nan")), shots
    import cv2

    # One worker a core: OpenCV's own threads would only get in each other's way.
    cv2.setNumThreads(1)
    started = time.perf_counter()
    result = label_clip_file(path, choose("estimator", estimator).make(), judge)
    seconds = time.perf_counter() - started
    if file and result.shots:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(trajectories_npz(result.shots))
    return verdict_of(result.record.whole, seconds), result.shots


def in_workers(
    work: Callable[..., Result],
    tasks: Sequence[tuple[Any, ...]],
    jobs: int,
    title: str,
    lost: Callable[[str], Result],
    timeout: float = TIMEOUT_SECONDS,
) -> list[Result]:
    """Do work in worker processes.

    Args:
        work: A function of a module.
        tasks: The arguments of each call.
        jobs: Number of processes.
        title: Of the progress line, for those who watch.
        lost: What stands for a call that raised, crashed or hung, given what happened.
        timeout: Seconds that a call may take.

    Returns:
        One result a task, in order.
    """
    # Spawned, for a forked copy of a process in which a video library has threads may hang.
    with ProcessPool(max_workers=jobs, context=get_context("spawn")) as pool:
        futures = [pool.schedule(work, args=task, timeout=timeout) for task in tasks]
        results: list[Result] = []
        for future in futures:
            try:
                results.append(future.result())
            # Whatever happens in a worker is that task's failure, and is printed with its name.
            except Exception as error:
                results.append(lost(f"{type(error).__name__}: {error}"))
            if sys.stderr.isatty():
                done = f"\r{title}: {len(results)} of {len(tasks)} "
                print(done, end="", file=sys.stderr, flush=True)
    return results


def _fingerprint(path: Path) -> str:
    """Of the clip and of the code that makes motion, not of the code that names it."""
    return hashlib.blake2b(path.read_bytes() + _code(), digest_size=12).hexdigest()


@cache
def _code() -> bytes:
    package = Path(dollygrip.__file__).parent
    sources = [p for floor in ("geometry", "runners") for p in (package / floor).rglob("*.py")]
    return b"".join(source.read_bytes() for source in sorted(sources))


def verdict_of(whole: ShotLabels, seconds: float) -> Verdict:
    """The verdict in a record."""
    failure = whole.failure
    return Verdict(
        labels=whole.labels,
        scores=whole.scores,
        segments=whole.segments,
        ambiguous=whole.ambiguous,
        trust=whole.trust,
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
