"""Many clips at once, each in a worker process that may die without taking the others along."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from importlib import import_module
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from pebble import ProcessExpired, ProcessPool

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.registry import choose
from dollygrip.runners.video import find_clips

if TYPE_CHECKING:
    from dollygrip.runners.pipeline import ClipResult

# The numeric libraries read these when they are loaded, and a worker imports this module first:
# neither numpy nor cv2 may be imported above, nor by what is.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)

# More decoding threads than this hold many large pictures and gain little.
_MOST_DECODERS = 4

_DO_NOT_START = (
    "worker processes do not start; a script must call label_folder below "
    'if __name__ == "__main__":'
)


class EngineError(RuntimeError):
    """The workers themselves cannot run; no clip is to blame."""


def default_jobs() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decoders(jobs: int) -> int:
    """How many threads may decode for each of so many clips at once: the processors left over."""
    return max(0, min(default_jobs() // jobs - 1, _MOST_DECODERS))


def start_workers(
    inputs: Iterable[str | os.PathLike[str]],
    estimator: str,
    classifier: str,
    jobs: int | None = None,
) -> "Workers":
    """Start the processes that will label some inputs; no more than there are clips.

    Before the inputs are looked at and anything else is loaded: it takes workers as long to load
    as it takes this process.

    Args:
        inputs: Files and folders.
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        jobs: Processes; one a processor when not given.
    """
    clips = find_clips(map(Path, inputs))
    count = sum(1 for _ in islice(clips, jobs or default_jobs()))
    return Workers(count, estimator, classifier)


class Workers:
    """Worker processes; they start, and load what they need, while their work is being found.

    To be used as a context manager: leaving it ends the processes.
    """

    def __init__(self, jobs: int, estimator: str, classifier: str) -> None:
        """Start the processes.

        Args:
            jobs: How many.
            estimator: Name of the estimator that is to be loaded.
            classifier: Name of the classifier that is to be loaded.
        """
        self._jobs = max(1, jobs)
        self._names = (estimator, classifier)
        self._pool: ProcessPool | None = None
        if jobs > 0:
            self._start(jobs)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the processes, whatever they are at."""
        self._stop()

    def label(self, tasks: Iterable[Task], recipe: Recipe) -> "Iterator[ClipResult]":
        """Label clips; results come as they finish.

        A clip whose worker dies or takes too long gets a record that says so.

        Args:
            tasks: The clips.
            recipe: How to label them.

        Yields:
            One result a task.

        Raises:
            EngineError: Workers do not start.
        """
        waiting = deque(_groups(tasks, recipe.batch))
        while waiting:
            left = len(waiting)
            pool = self._pool or self._start(min(self._jobs, left))
            yield from _label_in_pool(pool, waiting, recipe, self._jobs)
            if waiting:
                self._stop()
            if len(waiting) == left:
                raise EngineError(_DO_NOT_START)

    def _start(self, jobs: int) -> ProcessPool:
        # Spawned, not forked: a fork would copy the threads' locks of the libraries already loaded.
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPool(
            jobs,
            initializer=_start_worker,
            initargs=(*self._names, decoders(self._jobs)),
            context=context,
        )
        if not self._pool.active:  # asking starts it
            raise EngineError(_DO_NOT_START)
        return self._pool

    def _stop(self) -> None:
        if self._pool is not None:
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._pool.join()
            self._pool = None


_Group = tuple[Task, ...]
"""What a worker takes at once."""


def _groups(tasks: Iterable[Task], size: int) -> Iterator[_Group]:
    left = iter(tasks)
    while group := tuple(islice(left, size)):
        yield group


def _label_in_pool(
    pool: ProcessPool, waiting: deque[_Group], recipe: Recipe, jobs: int
) -> "Iterator[ClipResult]":
    """Take tasks from ``waiting`` until none is left or the pool breaks; lost ones go back.

    The pool breaks when a worker dies between two tasks, which is nobody's fault. Of a group whose
    worker died every clip is tried alone.
    """
    pending: dict[Future[Any], _Group] = {}
    try:
        while waiting or pending:
            # A few tasks ahead, so that no worker waits while the parent writes.
            while waiting and len(pending) < 2 * jobs:
                group = waiting[0]
                limit = None if recipe.timeout is None else recipe.timeout * len(group)
                pending[pool.schedule(_label, (group, recipe), timeout=limit)] = group
                waiting.popleft()
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    raise error
                group = pending.pop(future)
                if error is None:
                    yield from future.result()
                elif len(group) > 1:
                    waiting.extendleft((task,) for task in group)
                else:
                    yield _cut_off(group[0], recipe, error)
    except RuntimeError as error:
        if pool.active and not isinstance(error, BrokenProcessPool):
            raise
        waiting.extendleft(pending.values())


def _cut_off(task: Task, recipe: Recipe, error: BaseException) -> "ClipResult":
    """The result for a clip whose worker gave none."""
    from dollygrip.runners.content import content_of
    from dollygrip.runners.pipeline import ClipResult, failed_record

    if isinstance(error, TimeoutError):
        message = f"took longer than {recipe.timeout:g} s; allow more with --timeout"
        failure = Failure(Reason.TIMED_OUT, message)
    elif isinstance(error, ProcessExpired):
        failure = Failure(Reason.ESTIMATOR_CRASHED, f"the worker process died ({_cause(error)})")
    elif isinstance(error, MemoryError):
        failure = Failure(Reason.OUT_OF_MEMORY, "not enough memory; use fewer --jobs")
    elif isinstance(error, ImportError):
        failure = Failure(Reason.ESTIMATOR_MISSING, f"cannot load {recipe.estimator.name}: {error}")
    else:
        failure = Failure(Reason.ESTIMATOR_CRASHED, f"{type(error).__name__}: {error}")
    content = content_of(Path(task.path))
    return ClipResult(failed_record(task.path, task.clip_id, failure, content, recipe.provenance()))


def _cause(error: ProcessExpired) -> str:
    code = error.exitcode
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
    return f"{name}{hint}"


# Below: what runs in a worker.

_threads = 0
_labellers: "dict[tuple[str, str], Callable[[_Group], list[ClipResult]]]" = {}


def _start_worker(estimator: str, classifier: str, threads: int) -> None:
    global _threads
    _threads = threads
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    # Ctrl-C reaches the whole process group; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Loading takes longer than many a clip; what fails here fails there again, as a record.
    with suppress(Exception):
        import cv2

        cv2.setNumThreads(1)  # a caller's script that loads it first was there before us
        import_module("dollygrip.runners.pipeline")
        choose("estimator", estimator)
        choose("classifier", classifier)


def _label(group: _Group, recipe: Recipe) -> "list[ClipResult]":
    label = _labellers.get(recipe.hashes)
    if label is None:
        label = _labellers[recipe.hashes] = _labeller(recipe)
    return label(group)


def _labeller(recipe: Recipe) -> "Callable[[_Group], list[ClipResult]]":
    from dollygrip.runners.batching import label_clips_together
    from dollygrip.runners.estimators.base import BatchEstimator
    from dollygrip.runners.pipeline import label_clip_file

    estimator, classifier = recipe.estimator.make(), recipe.classifier.make()
    provenance = recipe.provenance()

    def label(group: _Group) -> "list[ClipResult]":
        if len(group) > 1 and isinstance(estimator, BatchEstimator):
            clips = [(task.path, task.clip_id) for task in group]
            return label_clips_together(clips, estimator, classifier, provenance=provenance)
        return [
            label_clip_file(
                task.path,
                estimator,
                classifier,
                clip_id=task.clip_id,
                provenance=provenance,
                threads=_threads,
            )
            for task in group
        ]

    return label
