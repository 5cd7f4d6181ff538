"""Many clips at once, each in a worker process that may die without taking the others along."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from itertools import islice
from threading import Event, Thread
from typing import TYPE_CHECKING, Self

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.lane import Attempt, Lane, Lost, NotBegun
from dollygrip.runners.recipe import Recipe, Task

if TYPE_CHECKING:
    from dollygrip.runners.content import Content
    from dollygrip.runners.pipeline import PackedResult

Stop = Callable[[], bool]
"""Whether the run has been asked to stop."""

# More decoding threads than this hold many large pictures and gain little.
_MOST_DECODERS = 4
# Seconds. A library that runs wild takes about a gigabyte of memory between two looks at it.
_LOOK = 0.1
# Workers in a row, for each that there should be, that die without having finished anything.
_MOST_DEATHS = 3
_MOST_TRIES = 2

_DO_NOT_START = (
    "worker processes do not start; a script must call label_folder below "
    'if __name__ == "__main__":'
)
_ARE_ENDED = (
    "worker processes end before they begin with a clip, one after another; "
    "something ends them, as systems do when memory runs out: use fewer --jobs"
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

    Before the inputs are looked at as a whole and anything else is loaded: it takes workers as long
    to load as it takes this process.

    Args:
        inputs: What the clips are found by, see :func:`dollygrip.runners.inputs.find_inputs`.
        estimator: Name of the estimator.
        classifier: Name of the classifier.
        jobs: Processes; one a processor when not given.
    """
    return Workers(_at_most(inputs, jobs or default_jobs()), estimator, classifier)


def _at_most(inputs: Iterable[str | os.PathLike[str]], jobs: int) -> int:
    """How many clips there are, counted no further than to ``jobs``."""
    from dollygrip.runners.inputs import InputError, find_inputs

    given = list(inputs)
    if "-" in [os.fspath(one) for one in given]:  # it can be read only once
        return jobs
    try:
        return sum(1 for _ in islice(find_inputs(given), jobs))
    except InputError:  # whoever needs the clips will say so
        return jobs


class Workers:
    """Worker processes; they start, and load what they need, while their work is being found.

    To be used as a context manager: leaving it ends the processes.
    """

    def __init__(
        self, jobs: int, estimator: str, classifier: str, *, threads: int | None = None
    ) -> None:
        """Start the processes.

        Args:
            jobs: How many; with none, one is started once there is something to do.
            estimator: Name of the estimator that is to be loaded.
            classifier: Name of the classifier that is to be loaded.
            threads: How many decode for each of them; the processors left over when not given.

        Raises:
            EngineError: The system allows no further process.
        """
        count = max(1, jobs)
        threads = decoders(count) if threads is None else threads
        self._lanes = [Lane(estimator, classifier, threads) for _ in range(count)]
        self._deaths = 0
        self._began = False
        self._ended = Event()
        try:
            Thread(target=self._watch, daemon=True).start()
            for lane in self._lanes[:jobs]:
                lane.start()
        except RuntimeError as error:
            self._end()
            raise EngineError(_not_allowed(error)) from error

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *error: object) -> None:
        """End the processes, whatever they are at."""
        self._end()

    @property
    def jobs(self) -> int:
        """How many clips are worked on at a time."""
        return len(self._lanes)

    def running(self) -> tuple[Task, ...]:
        """The clips that are being worked on now; any thread may ask."""
        jobs = [lane.job for lane in self._lanes]
        return tuple(
            task for job in jobs if job and job.future.running() for task in job.attempt.group
        )

    def label(
        self, tasks: Iterable[Task], recipe: Recipe, stop: Stop = lambda: False
    ) -> "Iterator[PackedResult]":
        """Label clips; results come as they finish. One call at a time.

        A clip whose worker dies, takes too long or holds too much memory is tried once more, by
        itself and by another worker. If that fails, too, it gets a record that says so. One that
        raises an error in a worker that lives on would do so again, and is not tried twice.

        Args:
            tasks: The clips; drawn as workers become free.
            recipe: How to label them.
            stop: Once it is true nothing new begins: what is finished comes still, and what is
                being worked on is given up.

        Yields:
            One result a task.

        Raises:
            EngineError: Workers do not start, or die without having done anything.
        """
        line, groups = deque[Attempt](), _groups(tasks, recipe.batch)
        finished = deque["PackedResult"]()
        self._deaths = 0
        try:
            while not stop():
                self._hand_out(line, groups, recipe)
                if finished:  # nobody waits while the caller writes
                    yield finished.popleft()
                elif not self._busy():
                    return
                futures = [job.future for lane in self._busy() if (job := lane.job)]
                if futures:
                    wait(futures, 0 if finished else _LOOK, FIRST_COMPLETED)
                finished.extend(self._collect(line, recipe))
            yield from finished
            yield from self._collect(line, recipe)
        except EngineError:
            yield from finished
            raise
        finally:
            for lane in self._busy():
                lane.drop()

    def _busy(self) -> list[Lane]:
        return [lane for lane in self._lanes if lane.job]

    def _hand_out(self, line: deque[Attempt], groups: Iterator[Attempt], recipe: Recipe) -> None:
        """Give every free worker something to do, as far as there is something."""
        for lane in self._lanes:
            if lane.job is None:
                attempt = line.popleft() if line else next(groups, None)
                if attempt is None:
                    return
                try:
                    lane.give(attempt, recipe)
                except BrokenProcessPool as error:
                    raise EngineError(_not_allowed(error)) from error

    def _collect(self, line: deque[Attempt], recipe: Recipe) -> "Iterator[PackedResult]":
        """Results of workers that are done; what is to be tried again goes into the line.

        Raises:
            EngineError: Workers die without having done anything.
        """
        for lane in self._busy():
            if (job := lane.job) and job.future.done():
                yield from self._outcome(lane, job.attempt, line, recipe)

    def _outcome(
        self, lane: Lane, attempt: Attempt, line: deque[Attempt], recipe: Recipe
    ) -> "Iterable[PackedResult]":
        lost = False
        try:
            outcome = lane.take()
        except NotBegun:
            self._deaths += 1
            if self._deaths > _MOST_DEATHS * len(self._lanes):
                raise EngineError(_ARE_ENDED if self._began else _DO_NOT_START) from None
            line.appendleft(attempt)
            return ()
        except Lost as error:
            outcome, lost = error.failure, True
        except Exception as error:  # what it sent cannot be understood here
            outcome = Failure(Reason.ESTIMATOR_CRASHED, f"{type(error).__name__}: {error}")
        self._deaths, self._began = 0, True
        if attempt.failure is not None:
            content = None if isinstance(outcome, Failure) else outcome
            return (_cut_off(attempt.group[0], attempt.failure, content, recipe),)
        if isinstance(outcome, Failure):
            line.extend(_after(attempt, outcome, lost or _no_memory(outcome)))
            return ()
        short = [_no_memory(result.record.failure) for result in outcome]
        if any(short):
            lane.drop()  # another worker begins with less
        if attempt.tries == _MOST_TRIES:
            return [_told(r) if s else r for r, s in zip(outcome, short, strict=True)]
        again = zip(attempt.group, short, strict=True)
        line.extend(Attempt((task,), attempt.tries + 1) for task, s in again if s)
        return [result for result, s in zip(outcome, short, strict=True) if not s]

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK):
            for lane in self._lanes:
                lane.watch()

    def _end(self) -> None:
        self._ended.set()
        for lane in self._lanes:
            lane.drop()
        for lane in self._lanes:
            lane.ended()


def _groups(tasks: Iterable[Task], size: int) -> Iterator[Attempt]:
    left = iter(tasks)
    while group := tuple(islice(left, size)):
        yield Attempt(group)


def _after(attempt: Attempt, failure: Failure, chance: bool) -> Iterator[Attempt]:
    """What follows an attempt that no result came of.

    Args:
        attempt: The attempt.
        failure: What went wrong.
        chance: Whether it may go well another time.
    """
    for task in attempt.group:
        if attempt.tries < _MOST_TRIES and (chance or len(attempt.group) > 1):
            yield Attempt((task,), attempt.tries + 1)
        else:
            yield Attempt((task,), attempt.tries, _twice(failure) if chance else failure)


def _no_memory(failure: Failure | None) -> bool:
    return failure is not None and failure.reason is Reason.OUT_OF_MEMORY


def _twice(failure: Failure) -> Failure:
    return replace(failure, message=f"{failure.message.rstrip('.')}; tried twice")


def _told(result: "PackedResult") -> "PackedResult":
    """The result with a failure that says that this was the second try."""
    whole = result.record.whole
    assert whole.failure is not None
    whole = replace(whole, failure=_twice(whole.failure))
    return replace(result, record=replace(result.record, whole=whole))


def _cut_off(
    task: Task, failure: Failure, content: "Content | None", recipe: Recipe
) -> "PackedResult":
    """The result for a clip whose worker gave none."""
    from dollygrip.runners.pipeline import PackedResult, failed_record

    record = failed_record(task.path, task.clip_id, failure, content, recipe.provenance())
    return PackedResult(record)


def _not_allowed(error: RuntimeError) -> str:
    return f"the system allows no further process ({error}); use fewer --jobs"
