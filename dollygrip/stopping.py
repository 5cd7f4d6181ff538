"""How a command ends when it is asked to: at once, or when what is finished has been kept."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Never

from dollygrip.console import say

# Ctrl-C, a scheduler or a service manager, and a terminal that was closed.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# timeout(1) tells the process and then its group; a shell repeats what the terminal says.
_ECHO_SECONDS = 0.5


class Stopped(KeyboardInterrupt):
    """The command was asked to stop.

    Attributes:
        code: What the process ends with.
    """

    def __init__(self, number: int) -> None:
        """Remember which signal it was."""
        super().__init__(signal.Signals(number).name)
        self.code = 128 + number


class Asked:
    """Whether this process was asked to stop, see :func:`stopping`."""

    def __init__(self) -> None:
        """Not yet."""
        self._number = 0
        self._when = 0.0
        self._deferred = False

    def __call__(self) -> bool:
        """True from the first signal on."""
        return self._number != 0

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Within, the first signal only makes this object true: who works must ask for it."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False

    def end(self) -> None:
        """End the command, if that was asked for.

        Raises:
            Stopped: It was.
        """
        if self._number:
            raise Stopped(self._number)

    def _take(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not self._number:
            self._number, self._when = number, now
            if not self._deferred:
                raise Stopped(number)
            with suppress(RuntimeError):  # the signal came in the middle of another line
                say("stopping: what is finished is kept; again to stop at once")
        elif now > self._when + _ECHO_SECONDS:
            _end_at_once(number)


def _end_at_once(number: int) -> Never:
    """Nothing is flushed: a run is whole at any moment, and workers end without their parent."""
    if sys.stderr.isatty():
        with suppress(OSError):
            os.write(sys.stderr.fileno(), b"\n")  # the prompt goes below what was being shown
    os._exit(128 + number)


@contextmanager
def stopping() -> Iterator[Asked]:
    """Take the signals that ask a process to stop (SIGINT, SIGTERM, SIGHUP).

    The first one raises :class:`Stopped` where the program is, or, within ``asked.deferred()``,
    is told to who asks. A second one, more than half a second later, ends the process at once.
    A signal that is ignored (``nohup``, a background job of a script) stays so. In any thread but
    the main one nothing is done.

    Yields:
        An object that is true, when called, from the first signal on.
    """
    asked = Asked()
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.getsignal(number) for number in _SIGNALS}
    taken = {number: was for number, was in before.items() if was != signal.SIG_IGN}
    try:
        for number in taken:
            signal.signal(number, asked._take)
        yield asked
    finally:
        for number, was in taken.items():
            signal.signal(number, was)
