"""What a process takes: wall time, processor time, memory, its own and that of what it starts."""

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

# A process starts with its parent's memory on its account, so a small parent starts the child.
_LAUNCHER = """
import os, resource, subprocess, sys, time
quiet, processors = subprocess.DEVNULL, int(sys.argv[1])
if processors and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:processors])
started = time.perf_counter()
code = subprocess.run(sys.argv[2:], stdout=quiet, stderr=quiet).returncode
seconds = time.perf_counter() - started
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(code, seconds, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


@dataclass(frozen=True)
class Child:
    """What a process took.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Processor time, its workers' included.
        peak_megabytes: Largest resident memory of it or of one of its workers.
    """

    seconds: float
    cpu_seconds: float
    peak_megabytes: float


def run_child(command: Sequence[str], fine: Sequence[int] = (0,), processors: int = 0) -> Child:
    """Run a process to its end, its output thrown away.

    Args:
        command: The command.
        fine: Exit codes that are no failure.
        processors: How many it may use, where the system can tell it so; 0 for all.

    Raises:
        ValueError: It failed.
    """
    launched = [sys.executable, "-c", _LAUNCHER, str(processors), *command]
    done = subprocess.run(launched, stdout=subprocess.PIPE, check=True, text=True)
    code, seconds, cpu, peak = done.stdout.split()
    if int(code) not in fine:
        raise ValueError(f"{' '.join(command[1:])} ended with exit code {code}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024
    return Child(float(seconds), float(cpu), int(peak) / unit)
