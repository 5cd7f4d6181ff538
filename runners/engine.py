"""Many clips at once, each in a worker process that may die without taking the others along."""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pebble import ProcessExpired, ProcessPool

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.registry import Choice

if TYPE_CHECKING:
    from dollygrip.runners.pipeline import ClipResult

# The numeric libraries read these when they are loaded, and a worker imports this module first:
# neither numpy nor cv2 may be imported above.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)


class EngineError(RuntimeError):
    """The workers themselves cannot run; no clip is to blame."""


@dataclass(frozen=True)
class Task:
    """One clip to label.

    Attributes:
        path: The file as it was given.
        clip_id: Its name in the run.
    """

    path: str
    clip_id: str


@dataclass(frozen=True)
class Recipe:
    """How every clip of a run is labelled.

    Attributes:
        estimator: Which, with its settings.
        classifier: Which, with its settings.
        timeout: Seconds that one clip may take; None for no limit.
    """

    estimator: Choice
    classifier: Choice
    timeout: float | None = None

    @property
    def hashes(self) -> tuple[str, str]:
        """What tells records of one recipe from those of another."""
        return self.estimator.hash, self.classifier.hash

    def provenance(self) -> dict[str, Any]:
        """What every record says of how it was made."""
        return {
            "dollygrip": version("dollygrip"),
            "estimator": {"name": self.estimator.name, "hash": self.estimator.hash},
            "classifier": {"name": self.classifier.name, "hash": self.classifier.hash},
        }


def default_jobs() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def label_tasks(
    tasks: Iterable[Task], recipe: Recipe, *, jobs: int | None = None
) -> "Iterator[ClipResult]":
    """Label clips in worker processes; results come as they finish.

    A clip whose worker dies or takes too long gets a record that says so.

    Args:
        tasks: The clips.
        recipe: How to label them.
        jobs: Processes; one a processor when not given.

    Yields:
        One result a task.

    Raises:
        EngineError: Workers do not start.
    """
    waiting = deque(tasks)
    jobs = min(jobs or default_jobs(), len(waiting))
    while waiting:
        left = len(waiting)
        yield from _label_in_pool(waiting, recipe, jobs)
        if len(waiting) == left:
            raise EngineError(
                "worker processes do not start; a script must call label_folder below "
                'if __name__ == "__main__":'
            )


def _label_in_pool(waiting: deque[Task], recipe: Recipe, jobs: int) -> "Iterator[ClipResult]":
    """Take tasks from ``waiting`` until none is left or the pool breaks; lost ones go back.

    The pool breaks when a worker dies between two tasks, which is nobody's fault.
    """
    pending: dict[Future[Any], Task] = {}
    # Spawned, not forked: a fork would copy the threads' locks of the libraries already loaded.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPool(jobs, initializer=_start_worker, initargs=(recipe,), context=context)
    try:
        while waiting or pending:
            # A few tasks ahead, so that no worker waits while the parent writes.
            while waiting and len(pending) < 2 * jobs:
                pending[pool.schedule(_label, (waiting[0],), timeout=recipe.timeout)] = waiting[0]
                waiting.popleft()
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in done:
                error = future.exception()
                if isinstance(error, BrokenProcessPool):
                    raise error
                task = pending.pop(future)
                yield future.result() if error is None else _cut_off(task, recipe, error)
    except RuntimeError as error:
        if pool.active and not isinstance(error, BrokenProcessPool):
            raise
        waiting.extendleft(pending.values())
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()


def _cut_off(task: Task, recipe: Recipe, error: BaseException) -> "ClipResult":
    """The result for a clip whose worker gave none."""
    from pathlib import Path

    from dollygrip.runners.pipeline import ClipResult, failed_record
    from dollygrip.runners.store import content_of

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

_recipe: Recipe


def _start_worker(recipe: Recipe) -> None:
    global _recipe
    _recipe = recipe
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    # Ctrl-C reaches the whole process group; the parent decides what happens.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Loading takes seconds that are not the first clip's; what fails here fails there again, as
    # a record.
    with suppress(Exception):
        import cv2

        cv2.setNumThreads(1)  # a caller's script that loads it first was there before us
        _labeller()


@cache
def _labeller() -> "Callable[..., ClipResult]":
    from dollygrip.runners.pipeline import label_clip_file

    return partial(
        label_clip_file,
        estimator=_recipe.estimator.make(),
        classifier=_recipe.classifier.make(),
        provenance=_recipe.provenance(),
    )


def _label(task: Task) -> "ClipResult":
    return _labeller()(task.path, clip_id=task.clip_id)
