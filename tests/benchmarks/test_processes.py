"""What a process took is its own, and that of what it started."""

import sys

import pytest

from benchmarks.processes import run_child


def test_memory_and_time_are_those_of_the_one_child() -> None:
    small = run_child([sys.executable, "-c", "pass"])
    busy = run_child([sys.executable, "-c", "sum(range(20_000_000))"])
    large = run_child([sys.executable, "-c", "b'x' * 200_000_000"])
    again = run_child([sys.executable, "-c", "pass"])
    assert large.peak_megabytes > small.peak_megabytes + 150
    assert again.peak_megabytes < small.peak_megabytes + 50
    assert busy.cpu_seconds > small.cpu_seconds + 0.1


def test_a_child_that_fails_is_an_error_with_its_command() -> None:
    with pytest.raises(ValueError, match="exit\\(3\\)"):
        run_child([sys.executable, "-c", "exit(3)"])
