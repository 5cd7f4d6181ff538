"""What one clip may take where nobody says: seconds, and memory."""

from pathlib import Path

from dollygrip.runners.registry import Choice

DEFAULT_TIMEOUT = 600.0
"""Seconds. ``flow`` labels an hour of video in less; what takes longer hangs, nearly always."""

# For reading the clip, and for what comes of it, beside the seconds that a program may take.
_AROUND = 60.0
# For the system, this process and the page cache that decoding lives on.
_OURS = 0.9
_LEAST_MB = 1024
_MOUNTS = Path("/sys/fs/cgroup")


def time_limit(estimator: Choice) -> float:
    """Seconds that one clip may take with an estimator.

    Enough for what the estimator allows its own program, so that the program's limit, which says
    more of what happened, comes first.

    Args:
        estimator: Which, with its settings.
    """
    allowed = estimator.settings.get("seconds")
    if isinstance(allowed, int | float) and not isinstance(allowed, bool):
        return max(DEFAULT_TIMEOUT, allowed + _AROUND)
    return DEFAULT_TIMEOUT


def memory_share(jobs: int) -> int:
    """Mebibytes that each of some workers may hold, so that together they fit.

    An equal share of nine tenths of the memory that the machine has, or that the container or
    batch job of this process may use where that is less. What is free at the moment does not
    count: it is another amount at every start, and the same clips should fail or not. At least a
    gibibyte, since a worker needs up to 600 MB for any clip: on a machine with less for each, the
    system may run out before a worker does.

    Args:
        jobs: How many workers there are.
    """
    import psutil

    bounds = [psutil.virtual_memory().total, *_cgroup_bounds()]
    return max(int(min(bounds) * _OURS / max(jobs, 1)) >> 20, _LEAST_MB)


def _cgroup_bounds(groups: Path = Path("/proc/self/cgroup"), mounts: Path = _MOUNTS) -> list[int]:
    """Bytes that this process's control groups, and those around them, may use."""
    try:
        lines = groups.read_text().splitlines()
    except OSError:  # not Linux
        return []
    bounds = []
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if not controllers:
            top, name = mounts, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = mounts / "memory", "memory.limit_in_bytes"
        else:
            continue
        # Inside a container the place may be told as seen from outside: then only the top is there.
        inside = top / place.lstrip("/")
        for folder in (inside, *inside.parents):
            if folder.is_relative_to(top):
                bounds += _number_in(folder / name)
    return bounds


def _number_in(file: Path) -> list[int]:
    try:
        return [int(file.read_text())]
    except (OSError, ValueError):  # not there, or "max"
        return []
