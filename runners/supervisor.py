"""Runs one command for :mod:`dollygrip.runners.children`; nothing that it starts outlives it.

It reads one job, a line of JSON, from its standard input and prints one result. That input then
stays open as long as the process that asked lives: its end is the order to stop.

A program of its own, of the standard library and psutil, so that it starts quickly and is there
to clean up whatever happens to the process that asked. On Linux every descendant is found, even
one that left the session or lost its parent; elsewhere, those of the command's process group.
"""

import ctypes
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import IO, Any

import psutil

KEPT_LOG = 1 << 16
"""Bytes at the end of what a command prints that are kept."""

_NOT_STARTED = 127  # as shells say it
_TICK, _LOOK = 0.05, 0.2
_CHUNK = 1 << 16
_MAXRSS_BYTES = 1 if sys.platform == "darwin" else 1024
_DIE_WITH_PARENT, _ADOPT_ORPHANS = 1, 36  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER of prctl(2)


def main() -> None:
    """Run the job on standard input and print how it ended."""
    line = sys.stdin.buffer.readline()
    if line:
        print(json.dumps(supervise(json.loads(line))))


def supervise(job: dict[str, Any]) -> dict[str, Any]:
    """Run a command until it ends, passes a limit, or standard input ends.

    Args:
        job: ``command``, ``folder``, ``environment`` (what to add), ``seconds``, ``memory_mb``.

    Returns:
        ``how``, ``code``, ``seconds``, ``memory_mb`` (the most that was held, as far as it was
        seen) and ``log`` (latin-1, so that every byte is a character).
    """
    _prctl(_ADOPT_ORPHANS, 1)
    started = time.monotonic()
    try:
        process = subprocess.Popen(
            job["command"],
            cwd=job["folder"],
            env={**os.environ, **job["environment"]},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # safe: there are no threads here
        )
    except (OSError, ValueError) as error:
        reason = str(error).encode("utf-8", "replace").decode("latin-1")
        nothing = {"code": _NOT_STARTED, "seconds": 0.0, "memory_mb": 0.0}
        return {"how": "not_started", **nothing, "log": reason}
    log = bytearray()
    assert process.stdout is not None
    try:
        how, held = _watch(process, process.stdout, log, started + job["seconds"], job["memory_mb"])
    finally:
        _kill_all(process)
    code = process.wait()
    # Nobody writes any more: what is in the pipe is the end.
    while _read(process.stdout, log):
        pass
    seconds = time.monotonic() - started
    # Between two looks a process may have come and gone; the system knows the largest one.
    largest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _MAXRSS_BYTES
    memory = round(max(held, largest) / 2**20, 1)
    told = {"how": how, "code": code, "seconds": seconds, "memory_mb": memory}
    return {**told, "log": log.decode("latin-1")}


def _watch(
    process: "subprocess.Popen[bytes]",
    output: IO[bytes],
    log: bytearray,
    deadline: float,
    memory_mb: int,
) -> tuple[str, int]:
    """Wait for the end or a limit; how it came to it, and the most bytes that were seen held."""
    os.set_blocking(output.fileno(), False)
    next_look, held = 0.0, 0
    with selectors.DefaultSelector() as selector:
        selector.register(sys.stdin, selectors.EVENT_READ)
        selector.register(output, selectors.EVENT_READ)
        while process.poll() is None:
            for key, _ in selector.select(_TICK):
                if key.fileobj is sys.stdin:
                    return "abandoned", held
                if not _read(output, log):
                    selector.unregister(output)
            now = time.monotonic()
            if now > deadline:
                return "timed_out", held
            if now >= next_look:
                next_look = now + _LOOK
                held = max(held, _resident())
                if held > memory_mb << 20:
                    return "out_of_memory", held
    return "ended", held


def _read(output: IO[bytes], log: bytearray) -> bool:
    """Move some output to the log, of which only the end is kept; False at the end."""
    try:
        data = os.read(output.fileno(), _CHUNK)
    except BlockingIOError:
        return False
    log += data
    del log[:-KEPT_LOG]
    return bool(data)


def _resident() -> int:
    """Bytes of memory that all descendants hold."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def _kill_all(process: "subprocess.Popen[bytes]") -> None:
    """Kill every descendant, and those that are born meanwhile."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    while alive := [child for child in psutil.Process().children(recursive=True) if _lives(child)]:
        for child in alive:
            with suppress(psutil.Error):
                child.kill()
        time.sleep(0.01)


def _lives(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


def _die_with_parent() -> None:
    """In the command, just before it starts: should this process be killed, so is the command."""
    _prctl(_DIE_WITH_PARENT, signal.SIGKILL)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    main()
