"""Many clips at once on many machines: Ray actors, each of which keeps one worker process.

Ray says where the actors run and which of them are lost. A clip runs in the worker process below
its actor (:class:`dollygrip.runners.engine.Workers`), so that one that crashes, hangs or eats
memory is treated as on one machine. This process alone draws the clips and gets the results; the
nodes only read clips, which must be on storage that all of them see under the same path.
"""

import logging
import os
import platform
import secrets
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.engine import EngineError, Stop, Workers, default_jobs
from dollygrip.runners.limits import memory_share
from dollygrip.runners.needs import missing
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.scratch import scratch_folder

if TYPE_CHECKING:
    from dollygrip.runners.pipeline import PackedResult

logger = logging.getLogger(__name__)

# The next clip is there when one is finished; more would only wait at one actor.
_IN_FLIGHT = 2
# A clip that is at work when an actor is lost may be why; so often it may try.
_MOST_LOST = 3

# Seconds between two looks at whether to stop.
_TICK = 0.1
# Seconds without any news until somebody asks whether the cluster is still there.
_PULSE = 5.0
_MOST_MISSED = 3
# Seconds until it is said that nothing has begun; a start takes about 5.
_PATIENCE = 20.0

# Results are small and travel at once; 75 MiB is the least that Ray takes.
_STORE = 96 * 2**20

# Signals that Ray takes over.
_TAKEN = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)

_KEPT = "what is finished is kept: give the same command again to go on"


class RayWorkers:
    """Workers on a Ray cluster: one that exists, or one of this machine for the time being.

    To be used as a context manager: leaving it ends the workers, and Ray where it was started here.
    """

    def __init__(
        self,
        jobs: int | None,
        estimator: str,
        classifier: str,
        address: str | None = None,
    ) -> None:
        """Store what is asked for; entering the context connects.

        Args:
            jobs: Clips at once; one for each processor of the cluster when not given.
            estimator: Name of the estimator that is to be loaded.
            classifier: Name of the classifier that is to be loaded.
            address: A cluster, such as "auto", "host:port" or "ray://host:port"; the environment
                variable ``RAY_ADDRESS`` when not given, and this machine when that is not set.
        """
        self._jobs = jobs
        self._names = (estimator, classifier)
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._count = jobs or default_jobs()
        self._stack = ExitStack()
        self._crew: _Crew | None = None

    def __enter__(self) -> Self:
        """Start Ray, or join the cluster.

        Raises:
            EngineError: Ray is not installed, does not start, or is not there.
        """
        # A private Ray must not be open to all who reach this machine. It is asked for when Ray is
        # first loaded: where it is loaded already, both sides would no longer agree.
        if not self._address and "ray" not in sys.modules:
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        # It would print what becomes of actors, and on standard output.
        os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
        try:
            import ray
        except ImportError as error:
            raise EngineError('Ray is not installed: pip install "dollygrip[ray]"') from error
        try:
            if not ray.is_initialized():  # as by a notebook, whose Ray it stays
                with _same_signals():
                    self._connect()
            self._count = self._jobs or int(_resources().get("CPU", 0))
        except Exception as error:
            self._stack.close()
            where = f"join the Ray cluster at {self._address}" if self._address else "start Ray"
            raise EngineError(f"cannot {where}: {_first_line(error)}") from error
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        """End the workers, whatever they are at."""
        with _same_signals():
            self._stack.close()

    def label(
        self, tasks: Iterable[Task], recipe: Recipe, stop: Stop = lambda: False
    ) -> "Iterator[PackedResult]":
        """Label clips; results come as they finish.

        Clips whose actor or node is lost run again elsewhere.

        Args:
            tasks: The clips; drawn as they are needed.
            recipe: How to label them.
            stop: Once true, nothing new begins, and only what is finished is still yielded.

        Yields:
            One result a task.

        Raises:
            EngineError: The cluster is lost, lacks what the estimator needs, or its nodes differ
                from this machine.
        """
        lots = _lots(tasks, recipe.batch)
        first = next(lots, None)
        if first is None:
            return
        size = self._measure(recipe)
        self._count = size.actors
        crew = self._crew = _Crew(recipe, size, self._gcs())
        try:
            yield from crew.label(chain((first,), lots), stop)
        except ConnectionError as error:
            raise EngineError(f"the Ray cluster is lost: {_first_line(error)}") from error
        finally:
            self._crew = None
            crew.dismiss()

    @property
    def jobs(self) -> int:
        """How many clips are worked on at a time."""
        return self._count

    def running(self) -> tuple[Task, ...]:
        """The clips that are being worked on now; any thread may ask."""
        crew = self._crew
        return () if crew is None else crew.running

    def _connect(self) -> None:
        import ray

        if self._address:
            self._stack.callback(ray.shutdown)
            ray.init(self._address, log_to_driver=False, logging_level=logging.ERROR)
            return
        folder = self._stack.enter_context(scratch_folder())
        self._stack.callback(_shut_down, str(folder))
        ray.init(
            "local",
            num_cpus=self._jobs or default_jobs(),
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            object_store_memory=_STORE,
            _temp_dir=str(folder),
            _system_config={
                # Limits of memory are those of the worker processes, as without Ray.
                "memory_monitor_refresh_ms": 0,
                "kill_child_processes_on_worker_exit_with_raylet_subreaper": True,
            },
        )

    def _measure(self, recipe: Recipe) -> "_Size":
        """How many actors, and what each of them asks for."""

        there = _resources()
        cpus, gpus = int(there.get("CPU", 0)), float(there.get("GPU", 0))
        jobs = self._jobs or cpus
        if jobs < 1:
            raise EngineError("the Ray cluster has no CPUs; give --jobs where it grows on demand")
        each = recipe.estimator.gpus(gpus > 0)
        if each > gpus:
            raise EngineError(
                f"{recipe.estimator.name} uses {each:g} GPU for a clip, but the Ray cluster has "
                f"{gpus:g}; add a node with a GPU or take another estimator"
            )
        return _Size(min(jobs, int(gpus // each)) if each else jobs, each)

    def _gcs(self) -> tuple[str, int] | None:
        """Where the head of the cluster answers, if this process may ask it."""
        import ray

        if (self._address or "").startswith("ray://"):
            return None  # only a go-between is in reach, and its loss is a ConnectionError
        host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
        return host.strip("[]"), int(port)


@dataclass(frozen=True)
class _Size:
    actors: int
    gpus: float


@dataclass(eq=False)
class _Lot:
    """What an actor takes at once, and how many actors were lost while at it."""

    tasks: tuple[Task, ...]
    lost: int = 0


@dataclass(eq=False)
class _Seat:
    """An actor, and its queue: results to come, by their references; the first is at work."""

    actor: Any
    ready: bool = False
    lots: dict[Any, _Lot] = field(default_factory=dict)


class _Crew:
    """The actors of one call of ``label``, and what each of them is at."""

    def __init__(
        self,
        recipe: Recipe,
        size: _Size,
        gcs: tuple[str, int] | None,
    ) -> None:
        self.running: tuple[Task, ...] = ()
        self._recipe = recipe
        self._size = size
        self._gcs = gcs
        self._seats: list[_Seat] = []
        self._to_come: dict[Any, _Seat] = {}
        """Whose results, or whose word that it is ready, are still to come."""
        self._waiting: deque[_Lot] = deque()
        self._began = False
        self._false_starts = 0
        self._patience = time.monotonic() + _PATIENCE
        self._pulse = time.monotonic()
        self._missed = 0
        for _ in range(size.actors):
            self._hire()

    def label(self, lots: Iterator[_Lot], stop: Stop) -> "Iterator[PackedResult]":
        import ray

        while not stop():
            self._hand_out(lots)
            if not self._waiting and not any(seat.lots for seat in self._seats):
                return
            done, _ = ray.wait(list(self._to_come), timeout=_TICK, fetch_local=False)
            if not done:
                self._look_around()
            for ref in done:
                self._pulse, self._missed = time.monotonic(), 0
                yield from self._take(ref)
        for seat in self._seats:
            for ref in list(seat.lots):
                with suppress(ray.exceptions.RayError):
                    yield from ray.get(ref, timeout=0)

    def dismiss(self) -> None:
        """End the actors, whatever they are at."""
        while self._seats:
            self._end(self._seats.pop())

    def _hire(self) -> None:
        import ray

        hired = ray.remote(_Actor).options(num_cpus=1, num_gpus=self._size.gpus)
        seat = _Seat(hired.remote(self._recipe, str(Path.cwd()), tuple(sys.path)))
        self._seats.append(seat)
        self._to_come[seat.actor.ready.remote()] = seat

    def _end(self, seat: _Seat) -> None:
        import ray

        with suppress(Exception):  # it may be gone, and so may the cluster
            ray.kill(seat.actor)

    def _hand_out(self, lots: Iterator[_Lot]) -> None:
        """Fill the queues of the actors; always one lot waits, where any is left."""
        for length in range(_IN_FLIGHT):
            for seat in self._seats:
                if seat.ready and len(seat.lots) == length and self._next(lots):
                    lot = self._waiting.popleft()
                    seen = tuple(_is_there(task.path) for task in lot.tasks)
                    ref = seat.actor.label.remote(lot.tasks, seen)
                    seat.lots[ref], self._to_come[ref] = lot, seat
        self._next(lots)
        self._note_running()

    def _next(self, lots: Iterator[_Lot]) -> bool:
        if not self._waiting and (lot := next(lots, None)) is not None:
            self._waiting.append(lot)
        return bool(self._waiting)

    def _note_running(self) -> None:
        atwork = (next(iter(seat.lots.values())) for seat in self._seats if seat.lots)
        self.running = tuple(task for lot in atwork for task in lot.tasks)

    def _take(self, ref: Any) -> "list[PackedResult]":
        """What has come; nothing for one of a lost actor, whose lots were taken before."""
        import ray

        seat = self._to_come.pop(ref, None)
        if seat is None:
            return []
        try:
            result = ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            raise EngineError(f"a worker on the Ray cluster failed: {_last_line(error)}") from error
        except ray.exceptions.RayError as error:
            return self._replace(seat, error)
        if seat.ready:
            del seat.lots[ref]
            self._note_running()
            found: list[PackedResult] = result
            return found
        self._check(result)
        seat.ready = self._began = True
        self._false_starts = 0
        return []

    def _check(self, node: "_Node") -> None:
        """Refuse a node whose results could differ.

        Raises:
            EngineError: It is not like this one, or cannot run the estimator.
        """
        here = _node()
        for what, there, wanted in (
            ("dollygrip", node.dollygrip, here.dollygrip),
            ("Python", node.python, here.python),
        ):
            if there != wanted:
                raise EngineError(
                    f"the Ray node {node.host} has {what} {there}, but {wanted} runs here; "
                    "install the same on all of them"
                )
        if node.lacks:
            raise EngineError(f"on the Ray node {node.host}: {node.lacks}")

    def _replace(self, seat: _Seat, error: Exception) -> "list[PackedResult]":
        """Put another actor in the place of a lost one, and its lots back to where they wait."""
        import ray

        self._end(seat)  # one that only was out of reach must not go on
        self._seats.remove(seat)
        self._to_come = {ref: other for ref, other in self._to_come.items() if other is not seat}
        results: list[PackedResult] = []
        left: list[_Lot] = []
        for ref, lot in seat.lots.items():
            try:
                results += ray.get(ref, timeout=0)
            except ray.exceptions.RayError:
                left.append(lot)
        if left:
            left[0].lost += 1  # the others only stood in its queue
            if len(left[0].tasks) > 1:
                left[:1] = [_Lot((task,), left[0].lost) for task in left[0].tasks]
            elif left[0].lost == _MOST_LOST:
                results.append(_given_up(left.pop(0).tasks[0], self._recipe))
            self._waiting.extendleft(reversed(left))
        elif not seat.ready:
            self._false_starts += 1
            if self._false_starts > _MOST_LOST + self._size.actors:
                raise EngineError(f"Ray's workers do not start: {_first_line(error)}") from error
        self._hire()
        return results

    def _look_around(self) -> None:
        """See to it that nobody waits for what cannot come.

        Raises:
            EngineError: The head of the cluster, or all of its nodes, are lost.
        """

        now = time.monotonic()
        if not self._began and now > self._patience:
            self._patience = float("inf")
            logger.warning("waiting for Ray to start workers; perhaps all of its CPUs are in use")
        if now < self._pulse + _PULSE:
            return
        self._pulse = now
        if self._gcs is not None and not _answers(self._gcs):
            self._missed += 1
            if self._missed == _MOST_MISSED:
                raise EngineError(f"the head of the Ray cluster is lost; {_KEPT}")
            return
        self._missed = 0
        no_one = not any(seat.ready for seat in self._seats)
        if self._began and no_one and _resources().get("CPU", 0) < 1:
            raise EngineError(f"all nodes of the Ray cluster are lost; {_KEPT}")


def _resources() -> dict[str, float]:
    """What all nodes that are alive have together."""
    import ray

    return dict(ray.cluster_resources())  # type: ignore[no-untyped-call]


def _lots(tasks: Iterable[Task], size: int) -> Iterator[_Lot]:
    left = iter(tasks)
    while group := tuple(islice(left, size)):
        yield _Lot(group)


def _is_there(path: str) -> bool:
    from dollygrip.runners.formats.catalog import file_of

    return file_of(Path(path)).exists()


def _answers(address: tuple[str, int]) -> bool:
    try:
        with socket.create_connection(address, timeout=1.0):
            return True
    except OSError:
        return False


def _given_up(task: Task, recipe: Recipe) -> "PackedResult":
    """The result for a clip that no actor survived."""
    from dollygrip.runners.content import content_of

    message = (
        f"{_MOST_LOST} Ray workers were lost while they were at it; if nobody ended them, their "
        "nodes may have run out of memory: allow each clip less with --memory"
    )
    return _failed(
        task, recipe, Failure(Reason.ESTIMATOR_CRASHED, message), content_of(Path(task.path))
    )


def _failed(task: Task, recipe: Recipe, failure: Failure, content: Any) -> "PackedResult":
    from dollygrip.runners.pipeline import PackedResult, failed_record

    return PackedResult(
        failed_record(task.path, task.clip_id, failure, content, recipe.provenance())
    )


@contextmanager
def _same_signals() -> Iterator[None]:
    """Undo that Ray takes over signals.

    Who asks this process to stop is to be heard, and so is how its children end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _TAKEN}
    ended = False
    try:
        yield
    except SystemExit:  # so Ray answers SIGTERM
        ended = True
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if ended:
            signal.raise_signal(signal.SIGTERM)


def _shut_down(folder: str) -> None:
    """End the Ray that keeps its files in a folder, also where parts of it were killed before."""
    import psutil
    import ray

    started: list[psutil.Process] = []
    with suppress(psutil.Error):  # some may end just now
        for child in psutil.Process().children():
            if any(folder in word for word in child.cmdline()):
                started += [child, *child.children(recursive=True)]
    ray.shutdown()
    for process in started:
        with suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(started, timeout=1.0)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _last_line(error: Exception) -> str:
    # Above it stands the trace of another process.
    return str(error).strip().rpartition("\n")[2]


# Below: what runs on a node.


@dataclass(frozen=True)
class _Node:
    host: str
    dollygrip: str
    python: str
    lacks: str = ""


def _node(lacks: str = "") -> _Node:
    python = ".".join(platform.python_version_tuple()[:2])
    return _Node(socket.gethostname(), version("dollygrip"), python, lacks)


class _Actor:
    """One worker process, and what it takes to be as if it ran below the command itself.

    Where nobody says how much memory it may hold, it is a share of the node's, not of the machine
    that the command runs on.
    """

    def __init__(self, recipe: Recipe, folder: str, path: tuple[str, ...]) -> None:
        self._recipe = recipe
        self._folder = folder
        self._path = path

    def ready(self) -> _Node:
        """Start the worker process; what this node is like."""
        with suppress(OSError):  # not there: then absolute paths work all the same
            os.chdir(self._folder)
        sys.path += [place for place in self._path if place not in sys.path]
        # Ray may have the system forget children that end: nobody would learn that one has died,
        # nor what a program of an estimator ended with.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        # A spawned process first loads the main script, and here that is all of Ray.
        vars(sys.modules["__main__"]).pop("__file__", None)
        if self._recipe.memory_mb is None:
            share = memory_share(default_jobs())
            self._recipe = replace(self._recipe, memory_mb=share)
        estimator, classifier = self._recipe.estimator, self._recipe.classifier
        self._workers = Workers(1, estimator.name, classifier.name, threads=0)
        lacking = missing(estimator.needs(), estimator.name)
        return _node("" if lacking is None else lacking.message)

    def label(self, tasks: tuple[Task, ...], seen: tuple[bool, ...]) -> "list[PackedResult]":
        """Label clips; ``seen`` says which of them the command itself can see."""
        hidden = [
            task
            for task, there in zip(tasks, seen, strict=True)
            if there and not _is_there(task.path)
        ]
        failure = Failure(
            Reason.NOT_READABLE,
            f"the Ray node {socket.gethostname()} does not see this file: keep clips on storage "
            "that every node sees under the same path, and label again with --retry-failed",
        )
        results = [_failed(task, self._recipe, failure, None) for task in hidden]
        shown = [task for task in tasks if task not in hidden]
        return results + list(self._workers.label(shown, self._recipe))
