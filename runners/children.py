"""Other programs, run in child processes that may crash, hang or eat memory, and leave nothing.

Every command runs under a supervisor (:mod:`dollygrip.runners.supervisor`), which kills it with all
its descendants when it passes a limit, and when the process that asked for it is gone, be it by
``kill -9``. No shell is involved: a command is a list of words, taken as they are.
"""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.memory import note_program

# What colours a terminal, or moves its cursor.
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
# Lines of a native stack trace, which come after what went wrong.
_STACK = re.compile(r"\s*(@|#\d+|\*\*\*)\s")
_LONGEST_QUOTE = 300


@dataclass(frozen=True)
class Limits:
    """What a command may use before it is killed.

    Attributes:
        seconds: Wall time.
        memory_mb: Resident memory of the command and all its descendants, mebibytes.
    """

    seconds: float
    memory_mb: int

    def __post_init__(self) -> None:
        """Refuse what allows nothing.

        Raises:
            ValueError: A limit is not positive.
        """
        if not (self.seconds > 0 and self.memory_mb > 0):
            raise ValueError("limits of time and memory must be positive")


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes:
        how: By itself, by a limit, or not even started.
        code: What it returned; negative is the signal that killed it.
        seconds: Wall time.
        log: The end of what it printed, at most 65,536 characters: printable, lines and tabs.
    """

    how: Literal["ended", "timed_out", "out_of_memory", "not_started"]
    code: int
    seconds: float
    log: str

    def failure(self, who: str) -> Failure | None:
        """Why it failed; None exactly when it ended by itself with code 0.

        Args:
            who: What to call the program, at the start of a sentence.
        """
        if self.how == "not_started":
            message = f"{who} cannot be started ({self._last_line}); check that it is installed."
            return Failure(Reason.ESTIMATOR_MISSING, message)
        if self.how == "timed_out":
            message = (
                f"{who} was stopped after {self.seconds:.3g} s, its limit; "
                f"allow it more seconds or give it a shorter clip.{self._last_words}"
            )
            return Failure(Reason.TIMED_OUT, message)
        if self.how == "out_of_memory":
            message = (
                f"{who} was stopped because it took more memory than its limit; "
                f"raise memory_mb or give it a shorter clip.{self._last_words}"
            )
            return Failure(Reason.OUT_OF_MEMORY, message)
        if self.code == -signal.SIGKILL:
            message = (
                f"{who} was killed from outside, as systems do when memory runs out; "
                f"free some or run fewer jobs at once.{self._last_words}"
            )
            return Failure(Reason.OUT_OF_MEMORY, message)
        if self.code:
            message = (
                f"{who} {_told(self.code)}; see whether it runs outside of dollygrip."
                f"{self._last_words}"
            )
            return Failure(Reason.ESTIMATOR_CRASHED, message)
        return None

    @property
    def _last_line(self) -> str:
        """The last line of the log that says something."""
        lines = [line.strip() for line in self.log.splitlines() if not _STACK.match(line)]
        return next((line for line in reversed(lines) if line), "")[:_LONGEST_QUOTE]

    @property
    def _last_words(self) -> str:
        return f" It last said: {self._last_line}" if self._last_line else ""


def run(
    command: Sequence[str],
    *,
    folder: Path,
    limits: Limits,
    environment: Mapping[str, str] | None = None,
) -> Ended:
    """Run a command to its end, or to a limit; all its descendants are gone afterwards.

    Args:
        command: The program (a path, or a name looked up in PATH) and its arguments.
        folder: Where it runs.
        limits: What it may use.
        environment: Variables to add to those of this process.

    Returns:
        How it ended. A program that cannot be started is no exception, either.
    """
    job = {
        "command": [os.fspath(word) for word in command],
        "folder": os.fspath(folder),
        "environment": dict(environment or {}),
        "seconds": limits.seconds,
        "memory_mb": limits.memory_mb,
    }
    # In a session of its own: a Ctrl-C in the terminal must not end it before its work is done.
    supervisor = subprocess.Popen(
        [sys.executable, "-P", "-m", "dollygrip.runners.supervisor"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert supervisor.stdin is not None and supervisor.stdout is not None
    try:
        with suppress(BrokenPipeError):
            supervisor.stdin.write(json.dumps(job).encode() + b"\n")
            supervisor.stdin.flush()
        told = supervisor.stdout.read()
    finally:
        # The order to stop, where it has not ended.
        with suppress(BrokenPipeError):
            supervisor.stdin.close()
        # Where nobody reads any more, a long log must not wait for a reader.
        supervisor.stdout.close()
        code = supervisor.wait()
    try:
        result = json.loads(told)
    except ValueError:
        return Ended("ended", code or 1, 0.0, _printable(told))
    note_program(result["memory_mb"])
    log = _printable(result["log"].encode("latin-1"))
    return Ended(result["how"], result["code"], result["seconds"], log)


def _printable(log: bytes) -> str:
    text = _ESCAPES.sub("", log.decode("utf-8", "replace"))
    # A progress bar returns to the start of its line.
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)


def _told(code: int) -> str:
    """A return code in words."""
    if code > 0:
        return f"failed with code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
