"""Several clips at once for an estimator that is quicker so, as on a GPU.

Every clip is labelled in a thread of its own, as ever; where a thread comes to estimating, it waits
until all the others have come there too (or are done), and their shots go to the estimator
together.
"""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any

from dollygrip.classifiers.base import Classifier
from dollygrip.runners.estimators.base import BatchEstimator, Estimate
from dollygrip.runners.pipeline import ClipResult, label_clip_file
from dollygrip.runners.video import Frame


def label_clips_together(
    clips: Sequence[tuple[str, str]],
    estimator: BatchEstimator,
    classifier: Classifier,
    *,
    provenance: dict[str, Any] | None = None,
) -> list[ClipResult]:
    """Label several clips; each result is what :func:`label_clip_file` gives.

    All pictures of one shot of each clip are held in memory at a time.

    Args:
        clips: Path and name of each.
        estimator: Estimates the motion of several shots at once.
        classifier: Turns motion into labels.
        provenance: What the caller knows of versions and settings, for the records.
    """
    together = _Together(estimator, len(clips))

    def label(clip: tuple[str, str]) -> ClipResult:
        path, clip_id = clip
        try:
            return label_clip_file(
                path, together, classifier, clip_id=clip_id, provenance=provenance
            )
        finally:
            together.leave()

    with ThreadPoolExecutor(len(clips)) as threads:
        return list(threads.map(label, clips))


class _Together:
    """An estimator for several threads, which estimates once all of them have a shot."""

    def __init__(self, estimator: BatchEstimator, threads: int) -> None:
        self.name = estimator.name
        self.frame_request = estimator.frame_request
        self._estimator = estimator
        self._threads = threads
        self._waiting: list[tuple[list[Frame], Future[Estimate]]] = []
        self._lock = Lock()

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        shot, answer = list(frames), Future[Estimate]()
        with self._lock:
            self._waiting.append((shot, answer))
        self._go_on()
        return answer.result()

    def leave(self) -> None:
        """One thread has no more shots."""
        with self._lock:
            self._threads -= 1
        self._go_on()

    def _go_on(self) -> None:
        with self._lock:
            if not self._waiting or len(self._waiting) < self._threads:
                return
            waiting, self._waiting = self._waiting, []
        self._answer(waiting)

    def _answer(self, waiting: list[tuple[list[Frame], Future[Estimate]]]) -> None:
        try:
            estimates = list(self._estimator.estimate_many([shot for shot, _ in waiting]))
            if len(estimates) != len(waiting):  # nobody would answer those that wait
                raise ValueError(f"{self.name} gave {len(estimates)} of {len(waiting)} estimates")
        except BaseException as error:
            if len(waiting) == 1:
                waiting[0][1].set_exception(error)
            else:  # one shot is to blame, and the others are not to suffer
                for one in waiting:
                    self._answer([one])
            return
        for (_, answer), estimate in zip(waiting, estimates, strict=True):
            answer.set_result(estimate)
