"""How much memory this process, and programs that it ran, held at most since the last look.

Kept by process, as the system itself keeps it: clips that a worker takes at once share a peak.
"""

import sys
from contextlib import suppress
from pathlib import Path

_PROCESS = Path("/proc/self")
# For proc_pid_clear_refs(5): forget the largest resident set so far.
_FORGET = "5"

_largest_program = 0.0


def forget_peak() -> None:
    """Begin anew."""
    global _largest_program
    _largest_program = 0.0
    if sys.platform == "linux":
        # A container may forbid it; the peak is then that of the process's life.
        with suppress(OSError):
            (_PROCESS / "clear_refs").write_text(_FORGET)


def note_program(megabytes: float) -> None:
    """Say how much a program held that this process ran."""
    global _largest_program
    _largest_program = max(_largest_program, megabytes)


def peak_mb() -> float | None:
    """Mebibytes that this process held, and the largest of its programs beside it.

    Returns:
        At most so much since :func:`forget_peak`; None where the system does not tell (any but
        Linux).
    """
    if sys.platform != "linux":
        return None
    lines = (_PROCESS / "status").read_text().splitlines()
    kibibytes = next((line.split()[1] for line in lines if line.startswith("VmHWM:")), None)
    return None if kibibytes is None else round(int(kibibytes) / 1024 + _largest_program, 1)
