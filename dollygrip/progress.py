"""How far a run is, while it works: a display on the terminal, or lines for a program.

``docs/records.md`` lists the events of the log.
"""

import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dollygrip.console import logs_json, on_a_screen, printable, tell

if TYPE_CHECKING:
    from rich.console import RenderableType

    from dollygrip.classifiers.records import ClipLabels
    from dollygrip.runners.recipe import Task

Running = Callable[[], "tuple[Task, ...]"]
Seen = Callable[["ClipLabels"], None]

# The rate of a run changes with its clips, and with what else the machine does.
_RATE_SECONDS, _RATE_CLIPS = 300.0, 10
# Between two points of the rate's history.
_STEP_SECONDS = 1.0
_LOG_SECONDS = 10.0
_REFRESHES = 3
"""A second."""
# More than this is no longer read.
_MOST_RUNNING = 5
_NARROWEST_BAR, _WIDEST_BAR = 8, 40
# Shown as a rate a minute from this many on.
_MANY_A_MINUTE = 10


@dataclass(frozen=True)
class _Sight:
    """A run at one moment.

    Attributes:
        done: Clips that have a record, those of earlier runs included.
        failed: Those that failed meanwhile.
        total: All clips.
        rate: Clips a second over the last minutes, or the last clips; None until one is finished.
        running: What is being worked on, with the seconds so far; the longest first.
    """

    done: int
    failed: int
    total: int
    rate: float | None
    running: tuple[tuple[float, str], ...]

    @property
    def seconds_left(self) -> float | None:
        return (self.total - self.done) / self.rate if self.rate else None


class _Watch:
    """Counts what is finished, and remembers since when clips are being worked on."""

    def __init__(self, total: int, kept: int, running: Running) -> None:
        self.done = kept
        self._failed = 0
        self._total = total
        self._running = running
        self._history = deque([(time.monotonic(), kept)])
        self._since: dict[str, float] = {}

    def count(self, record: "ClipLabels") -> None:
        """One more is finished."""
        self.done += 1
        self._failed += record.failure is not None

    def look(self) -> _Sight:
        """The run now. Never by two threads at once."""
        now, done = time.monotonic(), self.done
        history = self._history
        if done > history[-1][1] and now - history[-1][0] >= _STEP_SECONDS:
            history.append((now, done))
        while len(history) > 1 and _is_old(now - history[1][0], done - history[1][1]):
            history.popleft()
        began, then = history[0]
        rate = (done - then) / (now - began) if done > then and now > began else None
        tasks = {task.clip_id: task.path for task in self._running()}
        self._since = {name: self._since.get(name, now) for name in tasks}
        running = [(now - self._since[name], path) for name, path in tasks.items()]
        running.sort(key=lambda one: one[0], reverse=True)
        return _Sight(done, self._failed, self._total, rate, tuple(running))


def _is_old(seconds: float, clips: int) -> bool:
    """Whether the rate can be told without what was so long ago, so many clips before."""
    return seconds > _RATE_SECONDS and clips >= _RATE_CLIPS


@contextmanager
def progress(*, total: int, kept: int, running: Running, drawn: bool = True) -> Iterator[Seen]:
    """Show on stderr how far a run is; nothing where it is no terminal and no log is asked for.

    Args:
        total: Clips of the run.
        kept: Those of them that are done from earlier; they do not count for the rate.
        running: The clips that are being worked on; called from another thread.
        drawn: Whether a terminal gets the display.

    Yields:
        To be called with the record of each clip that is finished.
    """
    watch = _Watch(total, kept, running)
    if logs_json():
        with _logging(watch):
            yield lambda record: _log_clip(record, watch, total)
    elif drawn and on_a_screen():
        with _showing(watch):
            yield watch.count
    else:
        yield watch.count


@contextmanager
def _logging(watch: _Watch) -> Iterator[None]:
    """Log the progress now and then."""
    ended = threading.Event()

    def log() -> None:
        while not ended.wait(_LOG_SECONDS):
            _log_progress(watch.look())

    watch.look()
    thread = threading.Thread(target=log, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _log_clip(record: "ClipLabels", watch: _Watch, total: int) -> None:
    watch.count(record)
    failure = record.failure
    tell(
        "clip",
        path=record.path,
        clip_id=record.clip_id,
        labels=record.labels,
        failure=failure and {"reason": failure.reason, "message": failure.message},
        seconds=record.provenance.get("seconds"),
        done=watch.done,
        total=total,
    )


def _log_progress(sight: _Sight) -> None:
    left = sight.seconds_left
    tell(
        "progress",
        done=sight.done,
        failed=sight.failed,
        total=sight.total,
        clips_per_hour=None if sight.rate is None else round(sight.rate * 3600, 1),
        seconds_left=None if left is None else round(left),
        running=[{"path": path, "seconds": round(seconds, 1)} for seconds, path in sight.running],
    )


@contextmanager
def _showing(watch: _Watch) -> Iterator[None]:
    """Draw the progress at the bottom of the terminal."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)

    def draw() -> "RenderableType":
        return _drawn(watch.look(), console.width)

    live = Live(
        console=console,
        get_renderable=draw,
        refresh_per_second=_REFRESHES,
        transient=True,
        redirect_stdout=sys.stdout.isatty(),  # never what goes into a file
    )
    live.start()
    console.show_cursor(True)  # a killed run must not leave a terminal without one
    try:
        yield
    finally:
        with suppress(OSError):  # the terminal was closed
            live.stop()


def _drawn(sight: _Sight, width: int) -> "RenderableType":
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    counts = _counts(sight)
    head = Table.grid(padding=(0, 1))
    cells: list[Any] = [Text(counts, no_wrap=True, overflow="ellipsis")]
    if (room := min(width - len(counts) - 1, _WIDEST_BAR)) >= _NARROWEST_BAR:
        cells.insert(0, ProgressBar(sight.total, sight.done, width=room, complete_style="cyan"))
    head.add_row(*cells)
    hidden = len(sight.running) - _MOST_RUNNING
    lines: list[Any] = [head]
    for seconds, path in sight.running[:_MOST_RUNNING]:
        told = f"{_duration(seconds):>8}  "
        name = _end_of(printable(path), width - len(told))
        lines.append(Text(f"{told}{name}", style="dim", no_wrap=True, overflow="crop"))
    if hidden > 0:
        lines.append(Text(f"{'':10}and {hidden} more", style="dim", no_wrap=True, overflow="crop"))
    return Group(*lines)


def _counts(sight: _Sight) -> str:
    told = [f"{sight.done:,}/{sight.total:,}"]
    if sight.failed:
        told.append(f"{sight.failed:,} failed")
    if sight.rate is not None and sight.seconds_left is not None:
        minute = sight.rate * 60
        many = minute >= _MANY_A_MINUTE
        told.append(f"{minute:,.0f} a minute" if many else f"{minute * 60:,.0f} an hour")
        told.append(f"{_duration(sight.seconds_left)} left")
    return ", ".join(told)


def _duration(seconds: float) -> str:
    """Its two largest units: 4 s, 2 min 5 s, 3 h 12 min, 2 d 4 h."""
    whole = max(0, round(seconds))
    units = (("d", whole // 86400), ("h", whole // 3600 % 24), ("min", whole // 60 % 60))
    told = [(value, unit) for unit, value in (*units, ("s", whole % 60))]
    first = next((i for i, (value, _) in enumerate(told) if value), len(told) - 1)
    return " ".join(f"{value} {unit}" for value, unit in told[first : first + 2] if value) or "0 s"


def _end_of(text: str, width: int) -> str:
    """The end of a text that fits into so many cells: of a path, its name first of all."""
    from rich.cells import cell_len

    if cell_len(text) <= width:
        return text
    text = text[-max(width, 1) :]
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return f"…{text}"
