"""What one clip may take where nobody says."""

import psutil
import pytest

from dollygrip.runners.limits import DEFAULT_TIMEOUT, _cgroup_bounds, memory_share, time_limit
from dollygrip.runners.registry import choose


def test_a_program_may_take_its_own_limit():
    assert time_limit(choose("estimator", "flow")) == DEFAULT_TIMEOUT
    assert time_limit(choose("estimator", "glomap")) == DEFAULT_TIMEOUT
    assert time_limit(choose("estimator", "glomap", {"seconds": 5000.0})) > 5000.0


def test_shares_of_memory_fit_together():
    total = psutil.virtual_memory().total >> 20
    assert 1024 <= memory_share(1) < total
    if memory_share(2) > 1024:
        assert memory_share(1) // 2 == pytest.approx(memory_share(2), abs=1)
    assert memory_share(10**6) == 1024


def test_a_container_or_batch_job_may_use_less_than_the_machine_has(tmp_path):
    groups, mounts = tmp_path / "cgroup", tmp_path / "mounts"
    own = mounts / "slurm" / "job"
    own.mkdir(parents=True)
    groups.write_text("0::/slurm/job\n")
    (own / "memory.max").write_text("max\n")
    (own.parent / "memory.max").write_text("4294967296\n")
    assert _cgroup_bounds(groups, mounts) == [4 << 30]


def test_the_older_control_groups_are_understood_and_hidden_places_too(tmp_path):
    groups, mounts = tmp_path / "cgroup", tmp_path / "mounts"
    (mounts / "memory").mkdir(parents=True)
    groups.write_text("5:cpu,cpuacct:/docker/12ab\n4:memory:/docker/12ab\n0::/\n")
    (mounts / "memory" / "memory.limit_in_bytes").write_text("1073741824\n")
    assert _cgroup_bounds(groups, mounts) == [1 << 30]


def test_without_control_groups_there_is_no_bound(tmp_path):
    assert _cgroup_bounds(tmp_path / "none", tmp_path) == []
