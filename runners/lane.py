"""One worker process at a time, watched from here, and replaced when it is lost.

Each worker has a pool of its own. Workers of one pool share a pipe and its locks: one that is
killed while it sends leaves half a message there, and locks that nobody opens again.
"""

import pickle
import signal
import time
from concurrent.futures import CancelledError, Future
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import SpawnContext, SpawnProcess
from threading import Thread
from typing import Any

from pebble import ProcessExpired, ProcessPool

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners import worker
from dollygrip.runners.limits import DEFAULT_TIMEOUT
from dollygrip.runners.recipe import Recipe
from dollygrip.runners.worker import Group

# Seconds until a worker takes its first task. From a busy network disk, torch alone may need one
# or two hundred to load.
_START_SECONDS = 300.0
# No exit code of a system.
_LEFT = 1 << 16


class NotBegun(Exception):
    """The worker died before it began with its task, so that it cannot be the task's fault."""


class Lost(Exception):
    """The worker died over its task, or was killed because of a limit.

    Attributes:
        failure: Why.
    """

    def __init__(self, failure: Failure) -> None:
        """Name the reason."""
        super().__init__(failure.message)
        self.failure = failure


@dataclass(frozen=True)
class Attempt:
    """What a worker is given at once.

    Attributes:
        group: The clips.
        tries: Which attempt at them this is, from 1.
        failure: Why the one clip has no labels. All that is left to do is to look at its file.
    """

    group: Group
    tries: int = 1
    failure: Failure | None = None


class Job:
    """An attempt that a worker has been given."""

    def __init__(
        self, attempt: Attempt, recipe: Recipe, future: "Future[bytes]", processes: "_Context"
    ) -> None:
        """Start the clock."""
        self.attempt = attempt
        self.future = future
        self.processes = processes
        self.failure: Failure | None = None
        self._recipe = recipe
        self._given = time.monotonic()
        self._began: float | None = None

    def over(self) -> bool:
        """Whether it has passed a limit just now; ``failure`` says which."""
        now = time.monotonic()
        if self.future.done():
            return False
        if self._began is None:
            if self.future.running():
                self._began = now
            return now - self._given > _START_SECONDS
        seconds, memory_mb = self._seconds, self._recipe.memory_mb
        if seconds is not None and now - self._began > seconds:
            message = f"took longer than {seconds:g} s; allow more with --timeout"
            self.failure = Failure(Reason.TIMED_OUT, message)
        elif memory_mb is not None and (held := self.processes.resident_mb()) > memory_mb:
            message = (
                f"its worker held {held} MiB, and {memory_mb} MiB are allowed; "
                "allow more with --memory, best together with fewer --jobs"
            )
            self.failure = Failure(Reason.OUT_OF_MEMORY, message)
        return self.failure is not None

    @property
    def _seconds(self) -> float | None:
        if self.attempt.failure is not None:
            return DEFAULT_TIMEOUT
        timeout = self._recipe.timeout
        return None if timeout is None else timeout * len(self.attempt.group)


class Lane:
    """One worker process at a time; all but :meth:`watch` is for one thread."""

    def __init__(self, estimator: str, classifier: str, threads: int) -> None:
        """Nothing is started yet.

        Args:
            estimator: Name of the estimator to load.
            classifier: Name of the classifier to load.
            threads: How many decode for each clip.
        """
        self._about = (estimator, classifier, threads)
        self._context = _Context()
        self._pool: ProcessPool | None = None
        self._ending: Thread | None = None
        self.job: Job | None = None

    def start(self) -> ProcessPool:
        """Start the process, unless it runs.

        Raises:
            BrokenProcessPool: The system allows no further process.
        """
        if self._pool is not None and not self._pool.active:
            self.drop()
        if self._pool is None:
            # Spawned, not forked: a fork would copy the locks of threads of libraries.
            self._context = _Context()
            pool = ProcessPool(
                1, initializer=worker.start, initargs=self._about, context=self._context
            )
            try:
                if not pool.active:  # asking starts it
                    raise BrokenProcessPool("the process does not start")
            except (OSError, RuntimeError) as error:  # no process, no thread, or no pipe
                pool.stop()  # type: ignore[no-untyped-call]
                self._context.kill()
                raise BrokenProcessPool(str(error.__cause__ or error)) from error
            self._pool = pool
        return self._pool

    def give(self, attempt: Attempt, recipe: Recipe) -> None:
        """Have the worker begin with something.

        Raises:
            BrokenProcessPool: The system allows no further process.
        """
        work = (
            (worker.label, (attempt.group, recipe))
            if attempt.failure is None
            else (worker.content, attempt.group)
        )
        try:
            future = self.start().schedule(*work)
        except BrokenProcessPool:
            raise
        except RuntimeError:  # it has died just now
            self.drop()
            future = self.start().schedule(*work)
        self.job = Job(attempt, recipe, future, self._context)

    def take(self) -> Any:
        """What came of the job that is done; the worker is free again, or gone.

        Raises:
            NotBegun: The worker died before it began.
            Lost: The worker died, or was killed because of a limit.
        """
        job, self.job = self.job, None
        assert job is not None
        try:
            pickled = job.future.result()
        except ProcessExpired as error:
            self.drop()
            died = Failure(
                Reason.ESTIMATOR_CRASHED, f"the worker process died ({_cause(error.exitcode)})"
            )
            raise Lost(job.failure or died) from error
        except (BrokenProcessPool, CancelledError) as error:
            self.drop()
            if job.failure is not None:
                raise Lost(job.failure) from error
            raise NotBegun from error
        return pickle.loads(pickled)

    def watch(self) -> None:
        """Kill the worker if its job has passed a limit; for a thread that does so all the time.

        From outside: a library may hold the interpreter's lock, and some take an error for lack of
        memory (as a limit of the address space gives) for a damaged picture.
        """
        job = self.job
        if job is not None and job.over() and job.future.cancel():
            job.processes.kill()

    def drop(self) -> None:
        """Kill the worker, whatever it is at; :meth:`ended` waits for that."""
        self.job = None
        if self._pool is not None:
            self.ended()
            self._pool.stop()  # type: ignore[no-untyped-call]
            self._context.kill()
            # Pebble's threads look up ten times a second: nobody else should wait for that.
            ending = Thread(target=_end, args=(self._pool, self._context), daemon=True)
            self._pool = None
            with suppress(RuntimeError):  # no thread is to be had; the process ends all the same
                ending.start()
                self._ending = ending

    def ended(self, seconds: float = 1.0) -> None:
        """Wait for what was dropped; not for ever, as a broken disk may hold a process."""
        if self._ending is not None:
            self._ending.join(seconds)


def _end(pool: ProcessPool, context: "_Context") -> None:
    pool.join()
    context.forget()


class _Process(SpawnProcess):
    """A worker as Pebble should see it."""

    def start(self) -> None:
        """With Ctrl-C and the like held back until the worker ignores them."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            super().start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def terminate(self) -> None:
        """At once: Pebble would wait three seconds, and the worker has nothing to tidy up."""
        self.kill()

    @property
    def exitcode(self) -> int | None:
        """Never 0: a library that ends the process so would be taken for a worker's proper end."""
        return _LEFT if super().exitcode == 0 else super().exitcode


class _Context(SpawnContext):
    """Starts processes, and knows which."""

    def __init__(self) -> None:
        self._started: list[_Process] = []

    def Process(self, *args: Any, **kwargs: Any) -> _Process:  # type: ignore[override]
        process = _Process(*args, **kwargs)
        self._started.append(process)
        return process

    def kill(self) -> None:
        for process in tuple(self._started):
            if process.pid is not None:  # else it is being started, and Pebble will end it
                process.kill()

    def forget(self) -> None:
        """Let go of the pipes to processes that have ended.

        Pools refer to themselves: till Python looks for such garbage, their pipes would add up.
        """
        self._started.clear()

    def resident_mb(self) -> int:
        """What the process holds; 0 where that cannot be told."""
        import psutil

        for process in self._started[-1:]:
            # Without a pid, psutil would look at this process. And whatever the system refuses,
            # the thread that asks must live on.
            if process.pid is not None:
                with suppress(psutil.Error, OSError):
                    return int(psutil.Process(process.pid).memory_info().rss) >> 20
        return 0


def _cause(code: int | None) -> str:
    if code == _LEFT:
        return "something in it ended it"
    if code is None or code >= 0:
        return f"exit code {code}"
    name = signal.Signals(-code).name
    hint = "; the system may have run out of memory" if name == "SIGKILL" else ""
    return f"{name}{hint}"
