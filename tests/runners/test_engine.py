"""Settings by name, and workers that die without taking the others along."""

import gc
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path

import psutil
import pytest

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners import lane, worker
from dollygrip.runners.engine import EngineError, Workers
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.registry import (
    SettingsError,
    check_settings,
    choose,
    names,
    read_settings,
)


def recipe(
    timeout: float | None = None, memory_mb: int | None = None, estimator: str = "moody"
) -> Recipe:
    classifier = choose("classifier", "threshold")
    return Recipe(choose("estimator", estimator), classifier, timeout, memory_mb)


def workers(jobs: int, estimator: str = "moody") -> Workers:
    return Workers(jobs, estimator, "threshold")


def tasks(folder: Path) -> list[Task]:
    return [Task(str(path), path.stem) for path in sorted(folder.iterdir())]


def test_one_clip_that_kills_hangs_or_raises_costs_only_itself(moody, grey_clip, tmp_path):
    for name, grey in (("a_dies", 20), ("b_hangs", 70), ("c_raises", 120)):
        grey_clip(tmp_path / f"{name}.mp4", grey)
    for i in range(4):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    with workers(2) as started:
        results = {r.record.clip_id: r for r in started.label(tasks(tmp_path), recipe(1.5))}
    failures = {name: r.record.failure.reason for name, r in results.items() if r.record.failure}
    assert failures == {
        "a_dies": Reason.ESTIMATOR_CRASHED,
        "b_hangs": Reason.TIMED_OUT,
        "c_raises": Reason.ESTIMATOR_CRASHED,
    }
    said = {name: r.record.failure.message for name, r in results.items() if r.record.failure}
    assert "SIGABRT" in said["a_dies"]
    assert "1.5 s" in said["b_hangs"] and "--timeout" in said["b_hangs"]
    assert "KeyError" in said["c_raises"]
    # What raises would do so again; what died may have been unlucky.
    twice = {name for name, message in said.items() if "tried twice" in message}
    assert twice == {"a_dies", "b_hangs"}
    for i in range(4):
        assert results[f"good{i}"].record.labels == ("pan_right",)
        assert set(results[f"good{i}"].motion) == {"trajectories", "profiles"}
        # Workers share the processors, so that none may take them all.
        assert results[f"good{i}"].record.whole.diagnostics["threads"] == 1
    # Also what was cut off says which file and settings it was about, so that a resume skips it.
    for result in results.values():
        assert result.record.provenance["content"]["size"] > 0
        assert result.record.provenance["estimator"]["hash"] == recipe().estimator.hash


_GREEDY = """
import sys
import cv2, numpy
from dollygrip import label_folder

if __name__ == "__main__":
    for record in label_folder(sys.argv[1], jobs=1, estimator="moody"):
        print(record.whole.diagnostics["threads"])
"""


def test_workers_of_a_script_that_loads_the_libraries_take_one_thread_too(
    moody, grey_clip, tmp_path
):
    clips = tmp_path / "clips"
    clips.mkdir()
    grey_clip(clips / "good.mp4", 170)
    script = tmp_path / "script.py"
    script.write_text(_GREEDY)
    free = {k: v for k, v in os.environ.items() if "THREAD" not in k}
    done = subprocess.run(
        [sys.executable, str(script), str(clips)],
        env={**free, "PYTHONPATH": sys.path[0]},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1"]


def test_a_worker_killed_from_outside_costs_one_clip_at_most(moody, grey_clip, tmp_path):
    for i in range(3):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    labels = []
    with workers(1) as started:
        for result in started.label(tasks(tmp_path), recipe()):
            labels.append(result.record.labels)
            if len(labels) == 1:
                for child in children():
                    os.kill(child, signal.SIGKILL)
                time.sleep(0.5)
    assert len(labels) == 3
    assert labels.count(("pan_right",)) >= 2


def test_shots_of_several_clips_go_to_an_estimator_together(moody, grey_clip, tmp_path):
    for i in range(5):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    together = Recipe(choose("estimator", "moody_together"), choose("classifier", "threshold"))
    with Workers(1, "moody_together", "threshold") as started:
        results = {r.record.clip_id: r for r in started.label(tasks(tmp_path), together)}
    assert sorted(results) == [f"good{i}" for i in range(5)]
    assert all(result.record.labels == ("pan_right",) for result in results.values())
    sizes = [result.record.whole.diagnostics["together"] for result in results.values()]
    assert sorted(sizes) == [2, 2, 3, 3, 3]


def test_a_clip_that_kills_a_whole_group_costs_only_itself(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a_dies.mp4", 20)
    grey_clip(tmp_path / "b_raises.mp4", 120)
    (tmp_path / "c_text.mp4").write_text("no video")
    for i in range(2):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    together = Recipe(
        choose("estimator", "moody_together", {"batch": 5}), choose("classifier", "threshold")
    )
    with Workers(1, "moody_together", "threshold") as started:
        results = {r.record.clip_id: r.record for r in started.label(tasks(tmp_path), together)}
    failures = {name: record.failure.reason for name, record in results.items() if record.failure}
    assert failures == {
        "a_dies": Reason.ESTIMATOR_CRASHED,
        "b_raises": Reason.ESTIMATOR_CRASHED,
        "c_text": Reason.NO_VIDEO,
    }
    assert results["good0"].labels == results["good1"].labels == ("pan_right",)


def test_leaving_early_ends_the_workers(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a.mp4", 170)
    grey_clip(tmp_path / "b_hangs.mp4", 70)
    before = set(children())
    with workers(2) as started:
        assert next(started.label(tasks(tmp_path), recipe())).record.clip_id == "a"
        assert set(children()) - before
    assert not set(children()) - before


# What the estimator ``wild`` does is told by the grey level of the first frame.
_WILD = """
import os, re, sys, time
import numpy as np
from moody_estimator import MoodyEstimator
from dollygrip.runners.children import Limits, run

if os.environ.get("WILD_DISK") == "hangs":
    from dollygrip.runners import content
    content.content_of = lambda *_: time.sleep(600)

class Unsendable(str):
    def __reduce__(self):
        raise AttributeError("cannot be sent")

class Unreadable(Exception):
    def __init__(self, one, two):
        super().__init__(one)

def once(name):
    # Whether this is the first try: the file is there from then on.
    try:
        open(os.path.join(os.environ["WILD_NOTES"], name), "x").close()
    except FileExistsError:
        return False
    return True

class WildEstimator(MoodyEstimator):
    name = "wild"

    def estimate(self, frames):
        frames = list(frames)
        estimate = super().estimate(frames)
        does = DOES[int(np.median(frames[0].image) - 150 + 2) // 5]
        if does == "eats":
            eaten = b"x" * (6 << 30)  # one call, which holds the interpreter's lock
        elif does == "hangs":
            once(does)
            re.match("(a+)+$", "a" * 60 + "b")  # likewise
        elif does == "leaves":
            os._exit(0)
        elif does == "asks_to_leave":
            sys.exit(3)
        elif does == "unsendable":
            object.__setattr__(estimate.hypotheses[0], "model", Unsendable("rotation"))
        elif does == "unreadable":
            raise Unreadable(1, 2)
        elif does == "no_memory":
            raise MemoryError
        elif does == "dies_once" and once(does):
            os.abort()
        elif does == "huge":
            estimate.diagnostics["huge"] = "x" * (100 << 20)
        elif does == "runs":
            run(["sleep", "617"], folder="/tmp", limits=Limits(600, 100))
        return estimate
"""
DOES = (
    "pans",
    "eats",
    "hangs",
    "leaves",
    "asks_to_leave",
    "unsendable",
    "unreadable",
    "no_memory",
    "dies_once",
    "huge",
    "runs",
)


@pytest.fixture
def wild(moody, grey_clip, tmp_path, tmp_path_factory, monkeypatch):
    """Writes clips, named after what an estimator does to them."""
    site = tmp_path_factory.mktemp("wild")
    (site / "wild_estimator.py").write_text(f"DOES = {DOES}\n{_WILD}")
    about = site / "wild-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: wild\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[dollygrip.estimators]\nwild = wild_estimator:WildEstimator\n"
    )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("WILD_NOTES", str(site))

    def write(*does: str) -> list[Task]:
        return [
            Task(str(grey_clip(tmp_path / f"{name}.mp4", 150 + 5 * DOES.index(name))), name)
            for name in does
        ]

    return write


def labelled(tasks: list[Task], jobs: int, recipe: Recipe) -> dict[str, str]:
    """What came of each clip: its label, or the reason and the message of its failure."""
    with workers(jobs, "wild") as started:
        records = [result.record for result in started.label(tasks, recipe)]
    assert sorted(record.clip_id for record in records) == sorted(task.clip_id for task in tasks)
    return {
        record.clip_id: f"{record.failure.reason}: {record.failure.message}"
        if record.failure
        else " ".join(record.labels)
        for record in records
    }


def test_what_comes_of_a_clip_is_told_whatever_it_holds_and_if_it_comes_at_the_second_try(wild):
    does = ("no_memory", "dies_once", "unsendable", "unreadable", "asks_to_leave", "huge", "pans")
    came = labelled(wild(*does), 2, recipe(estimator="wild"))
    # What is of a kind that cannot be sent is packed as text.
    fine = ("huge", "pans", "dies_once", "unsendable")
    assert [came[name] for name in fine] == ["pan_right"] * len(fine)
    assert re.match("estimator_crashed: .*Unreadable", came["unreadable"])
    assert re.match("estimator_crashed: .*SystemExit", came["asks_to_leave"])
    assert re.match("out_of_memory: .*tried twice", came["no_memory"])
    assert [name for name in does if "twice" in came[name]] == ["no_memory"]


@pytest.mark.slow
def test_limits_hold_for_code_that_lets_no_thread_of_python_run(wild):
    came = labelled(wild("eats", "hangs", "leaves", "pans"), 2, recipe(3.0, 350, "wild"))
    assert came["pans"] == "pan_right"
    assert re.match("out_of_memory: .*350 MiB.*--memory.*tried twice", came["eats"])
    assert re.match("timed_out: .*3 s.*--timeout.*tried twice", came["hangs"])
    assert re.match("estimator_crashed: .*tried twice", came["leaves"])


@pytest.mark.slow
def test_a_file_that_nobody_can_read_holds_up_its_record_no_longer_than_a_limit(wild, monkeypatch):
    monkeypatch.setenv("WILD_DISK", "hangs")
    monkeypatch.setattr(lane, "DEFAULT_TIMEOUT", 1.0)
    with workers(1, "wild") as started:
        (result,) = started.label(wild("leaves"), recipe(estimator="wild"))
    assert result.record.failure.reason is Reason.ESTIMATOR_CRASHED
    assert result.record.provenance["content"] is None


def test_more_than_can_be_stored_is_a_failure(wild, monkeypatch):
    monkeypatch.setattr(worker, "MOST_BYTES", 1000)
    failure = pickle.loads(worker.label(tuple(wild("pans")), recipe(estimator="wild")))
    assert isinstance(failure, Failure) and failure.reason is Reason.TOO_LARGE


def test_tasks_are_drawn_as_workers_become_free(moody, tmp_path):
    drawn = 0

    def endless() -> Iterator[Task]:
        nonlocal drawn
        for number in range(10**6):
            drawn += 1
            yield Task(str(tmp_path / "none.mp4"), f"none{number}")

    with workers(2) as started:
        results = list(islice(started.label(endless(), recipe()), 20))
    assert len(results) == 20
    assert drawn <= 24


def test_a_stop_waits_for_nobody_and_loses_nothing_that_is_finished(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a.mp4", 170)
    for name in ("b_hangs", "c_hangs", "d"):
        grey_clip(tmp_path / f"{name}.mp4", 70)
    names: list[str] = []
    asked = False
    with workers(2) as started:
        results = started.label(tasks(tmp_path), recipe(), stop=lambda: asked)
        names.append(next(results).record.clip_id)
        wait_for(lambda: len(started.running()) == 2)
        assert [task.clip_id for task in started.running()] in (
            ["b_hangs", "c_hangs"],
            ["c_hangs", "b_hangs"],
        )
        asked = True
        began = time.monotonic()
        names += [result.record.clip_id for result in results]
    assert time.monotonic() - began < 1.5
    assert names == ["a"]
    assert started.running() == ()


def test_workers_that_are_starting_stop_at_once_too(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a.mp4", 170)
    before = set(children())
    began = time.monotonic()
    with workers(2) as started:
        assert list(started.label(tasks(tmp_path), recipe(), stop=lambda: True)) == []
    assert time.monotonic() - began < 1.5
    assert not set(children()) - before


def test_a_signal_to_the_whole_group_leaves_the_workers_to_their_parent(moody, grey_clip, tmp_path):
    for i in range(4):
        grey_clip(tmp_path / f"good{i}.mp4", 170)
    labels = []
    before = set(children())
    with workers(1) as started:
        (child,) = set(children()) - before
        os.kill(child, signal.SIGINT)  # it is starting now
        for result in started.label(tasks(tmp_path), recipe()):
            labels.append(result.record.labels)
            os.kill(child, signal.SIGTERM)
        assert set(children()) - before == {child}
    assert labels == [("pan_right",)] * 4


def test_workers_that_die_before_they_begin_are_not_started_for_ever(moody, grey_clip, tmp_path):
    grey_clip(tmp_path / "a.mp4", 170)
    with workers(1) as started, pytest.raises(EngineError, match="do not start"):
        results = started.label(tasks(tmp_path), recipe(), stop=kill_children)
        assert not list(results)


def kill_children() -> bool:
    for child in children():
        os.kill(child, signal.SIGKILL)
    return False


def test_a_system_that_allows_no_thread_is_an_error_with_the_next_step(moody, monkeypatch):
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    before = set(children())
    monkeypatch.setattr("pebble.pool.process.launch_thread", refuse)
    with pytest.raises(EngineError, match=r"no further process \(can't start.*fewer --jobs"):
        workers(2)
    wait_for(lambda: not set(children()) - before)


def test_what_is_finished_comes_before_the_error_that_ends_all(
    moody, grey_clip, tmp_path, monkeypatch
):
    given = lane.Lane.give

    def give(self: lane.Lane, attempt: lane.Attempt, how: Recipe) -> None:
        if attempt.group[0].clip_id == "b":
            raise BrokenProcessPool("no memory")
        given(self, attempt, how)

    monkeypatch.setattr(lane.Lane, "give", give)
    clip = str(grey_clip(tmp_path / "good.mp4", 170))
    with workers(1) as started:
        results = started.label([Task(clip, "a"), Task(clip, "b")], recipe())
        assert next(results).record.clip_id == "a"
        with pytest.raises(EngineError, match=r"no further process \(no memory\)"):
            next(results)


def test_lost_workers_leave_no_open_pipes(moody, grey_clip, tmp_path):
    clip = str(grey_clip(tmp_path / "dies.mp4", 20))
    gc.collect()
    gc.disable()  # when it comes depends on how much else is in memory
    try:
        with workers(1) as started:
            before = psutil.Process().num_fds()
            assert len(list(started.label([Task(clip, "dies")], recipe()))) == 1
            wait_for(lambda: psutil.Process().num_fds() <= before, 3.0)
    finally:
        gc.enable()


_ORPHANS = """
import sys
from dollygrip.runners.engine import Workers
from dollygrip.runners.recipe import Recipe, Task
from dollygrip.runners.registry import choose

if __name__ == "__main__":
    recipe = Recipe(choose("estimator", "wild"), choose("classifier", "threshold"))
    with Workers(2, "wild", "threshold") as workers:
        list(workers.label([Task(path, path) for path in sys.argv[1:]], recipe))
"""


@pytest.mark.slow
def test_workers_end_with_their_parent_and_so_do_their_programs(wild, tmp_path):
    script = tmp_path / "script.py"
    script.write_text(_ORPHANS)
    clips = [task.path for task in wild("hangs", "runs")]
    parent = subprocess.Popen(
        [sys.executable, str(script), *clips],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        below = psutil.Process(parent.pid)

        def both_are_at_it() -> bool:
            family = below.children(recursive=True)
            hangs = Path(os.environ["WILD_NOTES"], "hangs").exists()
            return hangs and any(process.name() == "sleep" for process in family)

        wait_for(both_are_at_it, 30.0)
        time.sleep(0.5)
        family = below.children(recursive=True)
    finally:
        parent.kill()
        parent.wait()
    _, alive = psutil.wait_procs(family, timeout=3.0)
    assert not alive


def wait_for(true: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_no_clip_is_no_work(moody):
    before = set(children())
    with workers(0) as started:
        assert set(children()) == before
        assert list(started.label([], recipe())) == []


def children() -> list[int]:
    """Processes below this one that label clips."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = status.read_text().rpartition(")")[2].split()
            command = (status.parent / "cmdline").read_text()
        except OSError:
            continue
        if int(fields[1]) == os.getpid() and "spawn_main" in command:
            found.append(int(status.parent.name))
    return found


def test_third_party_estimators_are_found(moody):
    assert {"flow", "moody"} <= set(names("estimator"))
    assert "threshold" in names("classifier")


def test_a_package_cannot_take_a_built_in_name(moody, tmp_path, monkeypatch):
    about = tmp_path / "thief-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: thief\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[dollygrip.classifiers]\nthreshold = moody_estimator:MoodyEstimator\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert choose("classifier", "threshold").target.startswith("dollygrip.classifiers.")


def test_settings_are_filled_in_and_hashed(moody):
    default = choose("estimator", "moody")
    assert default.settings == {
        "pan_deg": 30.0,
        "steps": 3,
        "eager": True,
        "sides": [1, 2],
        "limit": None,
        "inner": {"weight": 1.0},
    }
    same = choose("estimator", "moody", {"steps": 3, "pan_deg": 30})
    other = choose("estimator", "moody", {"inner": {"weight": 2}})
    assert default.hash == same.hash != other.hash
    assert choose("estimator", "moody", other.settings).hash == other.hash
    assert other.make().settings.inner.weight == 2.0


def test_the_hash_of_settings_is_the_same_in_every_version(moody):
    # Records are compared by it across runs: it may change only when settings do.
    assert choose("estimator", "moody").hash == "46d1fb9ea832"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"stepz": 3}, ["stepz", "pan_deg, steps, eager"]),
        ({"steps": 1.5}, ["estimator.moody.steps", "whole number", "1.5"]),
        ({"steps": True}, ["estimator.moody.steps", "whole number"]),
        ({"pan_deg": "far"}, ["estimator.moody.pan_deg", "a number", "far"]),
        ({"eager": 1}, ["estimator.moody.eager", "true or false"]),
        ({"sides": [1]}, ["estimator.moody.sides", "a list of 2"]),
        ({"sides": [1, "b"]}, ["estimator.moody.sides[1]", "whole number"]),
        ({"limit": "none"}, ["estimator.moody.limit", "a number"]),
        ({"inner": {"heft": 1}}, ["estimator.moody.inner", "heft", "weight"]),
        ({"steps": 0}, ["estimator.moody", "at least 1"]),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(moody, settings, said):
    with pytest.raises(SettingsError) as error:
        choose("estimator", "moody", settings)
    for part in said:
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[estimators.flow]", "estimators"),
        ("[estimator.fluw]", "fluw"),
        ("estimator = 3", "estimator"),
        ("[estimator]\nflow = 3", "flow"),
        ("[estimator.flow", "not TOML"),
        ("\x00", "not TOML"),
    ],
)
def test_a_wrong_settings_file_is_refused(tmp_path, text, said):
    file = tmp_path / "settings.toml"
    file.write_text(text)
    with pytest.raises(SettingsError, match=said):
        read_settings(file)


def test_a_settings_file_is_read(moody, tmp_path):
    file = tmp_path / "settings.toml"
    file.write_text("[estimator.moody]\nsides = [3, 4]\nlimit = 2\n[classifier.threshold]\n")
    settings = read_settings(file)
    choice = choose("estimator", "moody", settings["estimator"]["moody"])
    assert choice.make().settings.sides == (3, 4)
    assert choice.make().settings.limit == 2.0
    assert settings["classifier"] == {"threshold": {}}


def test_a_missing_settings_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml"):
        read_settings(tmp_path / "nowhere.toml")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(SettingsError, match="threshold"):
        choose("classifier", "treshold")
    assert check_settings({}) == {"estimator": {}, "classifier": {}}
