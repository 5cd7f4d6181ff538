"""Clips on a Ray cluster: the same records as on one machine, whatever becomes of the actors."""

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from dollygrip.classifiers.records import ClipLabels
from dollygrip.classifiers.reliability import Reason
from dollygrip.runners import cluster
from dollygrip.runners.cluster import RayWorkers
from dollygrip.runners.engine import EngineError, Workers
from dollygrip.runners.pipeline import PackedResult
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.registry import choose

TIMES = ("seconds", "peak_memory_mb")


def recipe(estimator: str = "moody", timeout: float | None = 60.0) -> Recipe:
    return Recipe(choose("estimator", estimator), choose("classifier", "threshold"), timeout)


def workers(jobs: int | None, address: str | None = None) -> RayWorkers:
    return RayWorkers(jobs, "moody", "threshold", address)


def without_times(result: PackedResult) -> ClipLabels:
    """The record, but for what differs from run to run."""
    known = {k: v for k, v in result.record.provenance.items() if k not in TIMES}
    return dataclasses.replace(result.record, provenance=known)


@pytest.mark.parametrize(
    ("name", "settings", "there", "expected"),
    [
        ("colmap", {}, True, 0.0),
        ("dense", {"device": "auto"}, False, 0.0),
        ("dense", {"device": "auto"}, True, 1.0),
        ("dense", {"device": "cpu"}, True, 0.0),
        ("dense", {"device": "cuda"}, False, 1.0),
        ("external:vggt", {}, False, 1.0),
        ("flow", {}, True, 0.0),
        ("megasam", {}, False, 1.0),
        ("poses", {}, True, 0.0),
    ],
)
def test_who_uses_gpus_asks_for_them(name, settings, there, expected):
    assert choose("estimator", name, settings).gpus(there) == expected


@pytest.mark.parametrize(
    ("ask", "there", "expected"),
    [
        (["colmap"], True, 0.0),
        (["dense", "colmap"], True, 1.0),
        (["dense", "colmap"], False, 0.0),
    ],
)
def test_auto_asks_for_what_its_second_estimator_uses(ask, there, expected):
    assert choose("estimator", "auto", {"ask": ask}).gpus(there) == expected


def test_a_described_program_asks_for_a_gpu_exactly_when_it_needs_one(monkeypatch, tmp_path):
    monkeypatch.setenv("DOLLYGRIP_EXTERNAL", str(tmp_path))
    text = 'title = "T"\nhomepage = ""\ncode = ""\nweights = ""\ncommand = ["true"]\n'
    text += '[output]\npath = "out/p.txt"\nformat = "tum"\n[needs]\n'
    for name, gpu, expected in (("with", "true", 1.0), ("without", "false", 0.0)):
        (tmp_path / f"{name}.toml").write_text(f"{text}gpu = {gpu}\n")
        assert choose("estimator", f"external:{name}").gpus(True) == expected


def test_without_ray_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        EngineError, match=r'^Ray is not installed: pip install "dollygrip\[ray\]"$'
    ):
        workers(1).__enter__()


# Takes a GPU to itself, and kills the actor above it: always at one grey, once at another.
_FATAL = """
import os, signal
from pathlib import Path
import numpy as np
from moody_estimator import MoodyEstimator

class Fatal(MoodyEstimator):
    name = "fatal"

    def estimate(self, frames):
        frames = list(frames)
        grey = int(np.median(frames[0].image))
        once = Path(os.environ["FATAL_ONCE"])
        if grey > 220 or (grey > 195 and not once.exists()):
            once.touch()
            os.kill(os.getppid(), signal.SIGKILL)
        return super().estimate(frames)

class Greedy(MoodyEstimator):
    name = "greedy"

    @staticmethod
    def gpus(settings, there):
        return 1.0

    def estimate(self, frames):
        estimate = super().estimate(frames)
        estimate.diagnostics["worker"] = os.getppid()
        estimate.diagnostics["devices"] = os.environ.get("CUDA_VISIBLE_DEVICES")
        return estimate
"""
GREY_KILLS_ONCE, GREY_KILLS = 205, 235


@pytest.fixture
def fatal(moody: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> str:
    site = tmp_path_factory.mktemp("fatal")
    (site / "fatal_estimator.py").write_text(_FATAL)
    about = site / "fatal-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: fatal\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[dollygrip.estimators]\nfatal = fatal_estimator:Fatal\ngreedy = fatal_estimator:Greedy\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("FATAL_ONCE", str(site / "once"))
    return "fatal"


@pytest.fixture
def none_left() -> Iterator[None]:
    """Sees to it that no process stays behind, and that none is left running if one does."""
    before = set(psutil.Process().children(recursive=True))
    yield
    after = set(psutil.Process().children(recursive=True)) - before
    after = {p for p in after if p.status() != psutil.STATUS_ZOMBIE}  # has ended
    # Python's own helper lives as long as the process that once started another.
    after = {p for p in after if "resource_tracker" not in "".join(p.cmdline())}
    _, left = psutil.wait_procs(after, 10)
    for process in left:
        process.kill()
    assert not left


@pytest.mark.slow
def test_local_ray_gives_the_records_of_one_machine_whoever_is_killed(
    fatal, grey_clip, tmp_path, monkeypatch, none_left
):
    greys = {"a_dies": 20, "b_hangs": 70, "c_raises": 120, "d_good": 170, "e_good": 180}
    greys |= {"f_once": GREY_KILLS_ONCE, "g_good": 150, "h_kills": GREY_KILLS}
    for name, grey in greys.items():
        grey_clip(tmp_path / f"{name}.mp4", grey)
    (tmp_path / "i_text.mp4").write_text("no video")
    # As a user gives them: relative to a folder that Ray was not started in.
    names = [*greys, "i_text", "j_missing"]
    tasks = [Task(f"{name}.mp4", name) for name in names]
    here = [task for task in tasks if "kills" not in task.path]
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]
    with RayWorkers(2, fatal, "threshold") as started:
        monkeypatch.chdir(tmp_path)
        assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
        assert subprocess.run(["false"]).returncode == 1
        found = [*started.label(iter(tasks), recipe(fatal, 2.5))]
    assert Path(os.environ["FATAL_ONCE"]).exists()
    results = {result.record.clip_id: result for result in found}
    assert len(results) == len(found) == len(tasks)
    assert "SIGABRT" in results["a_dies"].record.failure.message
    lost = results["h_kills"].record
    assert lost.failure.reason is Reason.ESTIMATOR_CRASHED
    assert "3 Ray workers were lost" in lost.failure.message
    assert lost.provenance["content"]["size"] > 0
    with Workers(2, fatal, "threshold") as alone:
        for result in alone.label(iter(here), recipe(fatal, 2.5)):
            name = result.record.clip_id
            assert without_times(results[name]) == without_times(result), name
            assert results[name].motion == result.motion


@pytest.fixture
def two_nodes(none_left) -> Iterator[Any]:
    """A Ray cluster with a node of one CPU, and another of one CPU and one GPU."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    small = {"object_store_memory": 80 * 2**20}
    nodes = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "num_gpus": 0, **small})
    try:
        nodes.add_node(num_cpus=1, num_gpus=1, **small)
        yield nodes
    finally:
        nodes.shutdown()


@pytest.mark.slow
def test_a_cluster_is_joined_and_outlives_a_node(
    fatal, two_nodes, grey_clip, tmp_path, monkeypatch
):
    path = str(grey_clip(tmp_path / "good.mp4", 170))
    tasks = [Task(path, f"good{i}") for i in range(24)]
    with RayWorkers(None, "greedy", "threshold", two_nodes.address) as started:
        assert started.jobs == 2
        # One GPU is one actor, which sees it.
        about = [r.record.whole.diagnostics for r in started.label(tasks[:3], recipe("greedy"))]
        assert started.jobs == 1
        assert len({one["worker"] for one in about}) == 1
        assert {one["devices"] for one in about} == {"0"}

        with monkeypatch.context() as patch:
            patch.setattr(cluster, "_is_there", lambda path: True)
            (hidden,) = started.label([Task("/nowhere/a.mp4", "a")], recipe())
        assert hidden.record.failure.reason is Reason.NOT_READABLE
        assert "does not see this file" in hidden.record.failure.message

        with monkeypatch.context() as patch:
            patch.setattr(cluster, "_resources", lambda: {"CPU": 2.0})
            with pytest.raises(EngineError, match=r"greedy uses 1 GPU .* has 0"):
                next(started.label(tasks, recipe("greedy")))
        with monkeypatch.context() as patch:
            patch.setattr(cluster, "version", lambda name: "0.0.9")
            with pytest.raises(EngineError, match=r"has dollygrip .*, but 0\.0\.9 runs here"):
                next(started.label(tasks, recipe()))

        labelling = started.label(tasks, recipe())
        found = [next(labelling).record]
        two_nodes.remove_node(next(iter(two_nodes.worker_nodes)), allow_graceful=False)
        found += [result.record for result in labelling]
        assert sorted(one.clip_id for one in found) == sorted(task.clip_id for task in tasks)
        assert {one.labels for one in found} == {("pan_right",)}
