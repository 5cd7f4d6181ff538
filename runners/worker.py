"""What runs in a worker process: settings made once, clips labelled one after another.

What comes of a task is pickled here, as the task's last step: what cannot be pickled then costs
that clip alone.
"""

import multiprocessing
import os
import pickle
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import TYPE_CHECKING

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.registry import choose

if TYPE_CHECKING:
    from dollygrip.runners.pipeline import PackedResult

MOST_BYTES = 1 << 30
"""What may come of a group of clips. The depth maps of minutes of video take some hundred MB."""

# The numeric libraries read these when they are loaded, and a worker imports this module first:
# neither numpy nor cv2 may be imported above, nor by what is.
_ONE_THREAD = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "OPENCV_FOR_THREADS_NUM",
)

_LOOK = 0.5

Group = tuple[Task, ...]
"""What a worker takes at once."""

_threads = 0
_labellers: "dict[tuple[str, str], Callable[[Group], list[PackedResult]]]" = {}


def start(estimator: str, classifier: str, threads: int) -> None:
    """Get ready for tasks, before the first of them comes.

    Args:
        estimator: Name of the estimator to load.
        classifier: Name of the classifier to load.
        threads: How many decode for each clip, see
            :func:`dollygrip.runners.pipeline.label_clip_file`.
    """
    global _threads
    _threads = threads
    _end_with_parent()
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    # Both reach the whole process group; the parent decides what happens.
    ours = (signal.SIGINT, signal.SIGTERM)
    for number in ours:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ours)
    # Loading takes longer than many a clip; what fails here fails there again, as a record.
    with suppress(Exception):
        import cv2

        cv2.setNumThreads(1)  # a caller's script that loads it first was there before us
        if torch := sys.modules.get("torch"):  # likewise
            torch.set_num_threads(1)
        import_module("dollygrip.runners.pipeline")
        choose("estimator", estimator)
        choose("classifier", classifier)


def label(group: Group, recipe: Recipe) -> bytes:
    """Label clips.

    Returns:
        Pickled: a list with a result for each clip, or the :class:`Failure` of all of them.
    """
    try:
        labeller = _labellers.get(recipe.hashes)
        if labeller is None:
            labeller = _labellers[recipe.hashes] = _labeller(recipe)
        pickled = pickle.dumps(labeller(group))
    except BaseException as error:  # one that ends a process, too: SystemExit of a foreign package
        return pickle.dumps(_failure(error, recipe))
    if len(pickled) > MOST_BYTES:
        size = f"{len(pickled) >> 20} MB of results are more than can be stored"
        pickled = pickle.dumps(Failure(Reason.TOO_LARGE, f"{size}; cut the clip into parts."))
    return pickled


def content(task: Task) -> bytes:
    """What a clip's file holds, pickled."""
    from dollygrip.runners.content import content_of

    return pickle.dumps(content_of(task.path))


def _failure(error: BaseException, recipe: Recipe) -> Failure:
    if isinstance(error, MemoryError):
        return Failure(Reason.OUT_OF_MEMORY, "not enough memory; use fewer --jobs")
    text = " ".join(str(error).split())
    if isinstance(error, ImportError):
        return Failure(Reason.ESTIMATOR_MISSING, f"cannot load {recipe.estimator.name}: {text}")
    return Failure(Reason.ESTIMATOR_CRASHED, f"{type(error).__name__}: {text}")


def _labeller(recipe: Recipe) -> "Callable[[Group], list[PackedResult]]":
    from dollygrip.runners.batching import label_clips_together
    from dollygrip.runners.estimators.base import BatchEstimator
    from dollygrip.runners.pipeline import label_clip_file, packed

    estimator, classifier = recipe.estimator.make(), recipe.classifier.make()
    provenance = recipe.provenance()

    def labeller(group: Group) -> "list[PackedResult]":
        if len(group) > 1 and isinstance(estimator, BatchEstimator):
            clips = [(task.path, task.clip_id) for task in group]
            results = label_clips_together(clips, estimator, classifier, provenance=provenance)
            return [packed(result) for result in results]
        return [
            packed(
                label_clip_file(
                    task.path,
                    estimator,
                    classifier,
                    clip_id=task.clip_id,
                    provenance=provenance,
                    threads=_threads,
                )
            )
            for task in group
        ]

    return labeller


def _end_with_parent() -> None:
    """See to it that this process ends when its parent has gone, ``kill -9`` included."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    if sys.platform == "linux":
        import fcntl

        # A pipe that the parent alone can write to. When it closes, the system ends this process,
        # which no Python thread can do while a library holds the interpreter's lock. Not
        # PR_SET_PDEATHSIG: it comes when the thread ends that started this process.
        pipe = parent.sentinel
        fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    # For other systems, and where a fork of the parent keeps the pipe open.
    Thread(target=_watch, args=(parent.pid,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)
