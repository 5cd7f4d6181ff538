"""What a run has still to do: each clip once, under a name that does not change."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.content import content_of
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.inputs import Found, Shard
from dollygrip.runners.ledger import records_at
from dollygrip.runners.plan import make_plan
from dollygrip.runners.recipe import Task
from dollygrip.runners.store import RunStore, clip_id_of, motion_files


@dataclass(frozen=True)
class Recipe:
    """What a plan asks of one."""

    hashes: tuple[str, str] = ("e0", "c0")


MOTION = (ShotMotion(0.0, 1.0, failure=Failure(Reason.TOO_DARK, "Black.")),)


def clip(path: Path, data: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data or os.fsencode(path))
    return path


def found(*folders: Path) -> list[Found]:
    return [Found(path, folder) for folder in folders for path in sorted(folder.rglob("*.mp4"))]


def tasks(clips: Iterable[Found], run: Path | None = None, **options) -> list[Task]:
    with make_plan(clips, Recipe(), run, **options) as plan:
        assert plan.todo == len(list(plan.tasks()))
        assert plan.total == plan.todo + plan.kept + plan.motion_kept
        return list(plan.tasks())


def label(
    todo: Iterable[Task],
    run: Path,
    *,
    failure: Failure | None = None,
    labels: tuple[str, ...] = ("pan_left",),
    motion: tuple[ShotMotion, ...] | None = MOTION,
) -> None:
    """What labelling some clips leaves behind."""
    with RunStore(run) as store:
        for task in todo:
            content = content_of(Path(task.path))
            about = {
                "estimator": {"name": "e", "hash": "e0"},
                "classifier": {"name": "c", "hash": "c0"},
                "content": content and content.to_dict(),
            }
            whole = ShotLabels(0.0, 1.0, () if failure else labels, failure=failure)
            shots = () if motion is None else (whole,)
            files = None if motion is None else motion_files(motion)
            store.append(ClipLabels(task.clip_id, task.path, whole, shots, about), files)


def kept(run: Path, clips: Iterable[Found], **options) -> list[str]:
    """Names of the clips whose records are still right; nothing else may be left to do."""
    with make_plan(clips, Recipe(), run, **options) as plan:
        assert plan.todo == plan.motion_kept == 0
        assert plan.kept == plan.total
        return [Path(record.path).name for record in records_at(run, plan.kept_offsets())]


def test_tasks_come_in_the_order_of_the_inputs_each_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b/2.mp4", "b/1.mp4", "a/3.mp4"):
        clip(tmp_path / name)
    given = [*found(Path("b")), *found(tmp_path / "b"), *found(Path("a")), *found(Path("b/../a"))]
    assert [task.path for task in tasks(given)] == ["b/1.mp4", "b/2.mp4", "a/3.mp4"]


def test_what_is_done_is_not_done_again(tmp_path):
    for name in "abc":
        clip(tmp_path / f"in/{name}.mp4")
    clips, run = found(tmp_path / "in"), tmp_path / "run"
    label(tasks(clips)[1:], run)
    assert [Path(task.path).name for task in tasks(clips, run)] == ["a.mp4"]
    label(tasks(clips, run), run)
    assert kept(run, clips) == ["b.mp4", "c.mp4", "a.mp4"]  # in the order of the records


def test_a_changed_clip_is_done_again_and_a_touched_one_is_not(tmp_path):
    clips, run = [Found(clip(tmp_path / "a.mp4", b"one"), tmp_path)], tmp_path / "run"
    label(tasks(clips), run)
    os.utime(tmp_path / "a.mp4", (1, 1))
    assert kept(run, clips) == ["a.mp4"]
    clip(tmp_path / "a.mp4", b"two")
    (task,) = tasks(clips, run)
    label([task], run)
    assert kept(run, clips) == ["a.mp4"]


def test_another_classifier_needs_the_motion_only_and_another_estimator_everything(tmp_path):
    clips, run = [Found(clip(tmp_path / "a.mp4"), tmp_path)], tmp_path / "run"
    label(tasks(clips), run)

    def counts(*hashes: str) -> tuple[int, int, int]:
        with make_plan(clips, Recipe(hashes), run) as plan:
            assert len(list(plan.motion_kept_offsets())) == plan.motion_kept
            return plan.kept, plan.motion_kept, plan.todo

    assert counts("e0", "c0") == (1, 0, 0)
    assert counts("e0", "c1") == (0, 1, 0)
    assert counts("e1", "c0") == (0, 0, 1)
    # As where the power failed at a bad moment.
    next((run / "trajectories").iterdir()).unlink()
    assert counts("e0", "c0") == (1, 0, 0)
    assert counts("e0", "c1") == (0, 0, 1)


def test_failed_clips_count_unless_they_are_to_be_tried_again(tmp_path):
    clips, run = [Found(clip(tmp_path / "a.mp4"), tmp_path)], tmp_path / "run"
    label(tasks(clips), run, failure=Failure(Reason.TIMED_OUT, "Slow."), motion=None)
    assert kept(run, clips) == ["a.mp4"]
    assert len(tasks(clips, run, retry_failed=True)) == 1
    with make_plan(clips, Recipe(("e0", "c1")), run) as plan:
        assert plan.motion_kept == 1  # there never was a motion


def test_a_missing_file_keeps_its_failure_until_it_is_there(tmp_path):
    clips, run = [Found(tmp_path / "a.mp4", tmp_path)], tmp_path / "run"
    label(tasks(clips), run, failure=Failure(Reason.MISSING, "Not there."), motion=None)
    assert kept(run, clips) == ["a.mp4"]
    clip(tmp_path / "a.mp4")
    assert len(tasks(clips, run)) == 1


def test_a_file_that_is_gone_keeps_its_labels(tmp_path):
    clips, run = [Found(clip(tmp_path / "in/a.mp4"), tmp_path / "in")], tmp_path / "run"
    label(tasks(clips), run)
    (tmp_path / "in").rename(tmp_path / "away")  # such as a disk that is not mounted
    assert kept(run, clips) == ["a.mp4"]
    with make_plan(clips, Recipe(("e0", "c1")), run) as plan:
        assert plan.motion_kept == 1
    # The record is of that file alone.
    assert len(tasks([Found(tmp_path / "other/a.mp4", tmp_path / "other")], run)) == 1
    clip(tmp_path / "in/a.mp4", b"another")
    assert len(tasks(clips, run)) == 1


def test_what_was_kept_is_summed_up_by_label_and_by_reason(tmp_path):
    for name in "abcd":
        clip(tmp_path / f"{name}.mp4")
    clips, run = found(tmp_path), tmp_path / "run"
    one, two, three, _ = tasks(clips)
    label([one], run, labels=("pan_left", "tilt_up"))
    label([two], run, labels=())
    label([two], run)
    label([three], run, failure=Failure(Reason.TOO_DARK, "Black."))
    with make_plan(clips, Recipe(), run) as plan:
        expected = Counter(pan_left=2, tilt_up=1), Counter(too_dark=1)
        assert plan.kept_summary() == expected


# Names


def test_a_folder_may_move(tmp_path):
    clip(tmp_path / "old/x/a.mp4", b"a")
    run = tmp_path / "run"
    label(tasks(found(tmp_path / "old")), run)
    (tmp_path / "old").rename(tmp_path / "new")
    assert kept(run, found(tmp_path / "new")) == ["a.mp4"]


@pytest.mark.parametrize("data", [b"", b"same"])
def test_clips_of_the_same_place_in_several_folders_are_told_apart(tmp_path, data):
    first, second = tmp_path / "first", tmp_path / "second"
    clip(first / "a.mp4", data)
    clip(second / "a.mp4", data)
    there = tasks(found(first, second))
    back = tasks(found(second, first))
    assert len({task.clip_id for task in there}) == 2
    assert sorted(there, key=lambda task: task.path) == sorted(back, key=lambda task: task.path)
    label(there, tmp_path / "run")
    for clips in (found(first, second), found(second, first), found(first), found(second)):
        assert kept(tmp_path / "run", clips) == ["a.mp4"] * len(clips)


@pytest.mark.parametrize("data", [b"", b"same"])
def test_a_second_folder_takes_no_name_from_the_first(tmp_path, data):
    first, second, run = tmp_path / "first", tmp_path / "second", tmp_path / "run"
    clip(first / "a.mp4", data)
    clip(second / "a.mp4", data)
    label(tasks(found(first)), run)
    for clips in (found(first, second), found(second, first), found(second)):
        assert [Path(task.path).parent for task in tasks(clips, run)] == [second]
    label(tasks(found(second)), tmp_path / "other")
    label(tasks(found(second), run), run)
    assert kept(run, found(second, first)) == ["a.mp4", "a.mp4"]


def test_names_made_to_clash_are_told_apart(tmp_path, monkeypatch):
    for name in "abc":
        clip(tmp_path / f"{name}.mp4")
    monkeypatch.setattr("dollygrip.runners.plan.clip_id_of", lambda path, root: "clash")
    clips, run = found(tmp_path), tmp_path / "run"
    todo = tasks(clips)
    assert len({task.clip_id for task in todo}) == 3
    label(todo, run)
    assert len(kept(run, clips)) == 3


def test_shards_split_the_clips_and_change_no_name(tmp_path):
    for i in range(40):
        clip(tmp_path / f"first/{i}.mp4")
    for i in range(0, 40, 4):
        clip(tmp_path / f"second/{i}.mp4")
    clips = found(tmp_path / "first", tmp_path / "second")
    parts = [tasks(clips, shard=Shard(i, 3)) for i in (1, 2, 3)]
    assert all(parts)
    assert sorted(chain(*parts), key=str) == sorted(tasks(clips), key=str)
    with make_plan(clips, Recipe(), shard=Shard(1, 3)) as plan:
        assert (plan.found, plan.total) == (50, len(parts[0]))


@pytest.mark.parametrize(
    "name", ["=1.mp4", "a\nb.mp4", "\udcff.mp4", "日本語.mp4", "a" * 200 + ".mp4"]
)
def test_names_that_are_hard_to_hold(tmp_path, name):
    name += ".mp4"
    clips, run = [Found(clip(tmp_path / name), tmp_path)], tmp_path / "run"
    (task,) = tasks(clips)
    assert task.path == str(tmp_path / name)
    label([task], run)
    assert kept(run, clips) == [name]


# Very many


def test_no_room_for_the_plan_is_an_error_with_the_next_step(tmp_path):
    code = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from dollygrip.runners import ledger, plan\n"
        "from dollygrip.runners.inputs import Found\n"
        "ledger._CACHE_KIB = 16\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
        "class Recipe: hashes = ('e0', 'c0')\n"
        "found = (Found(Path(f'/in/{i}.mp4'), Path('/in')) for i in range(20_000))\n"
        "try: plan.make_plan(found, Recipe)\n"
        "except ledger.StoreError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "cannot write temporary files" in done.stdout
    assert "set TMPDIR" in done.stdout


_BUDGET = """
import json, resource, sys, time
from pathlib import Path
from dollygrip.runners.inputs import find_inputs
from dollygrip.runners.ledger import records_at
from dollygrip.runners.plan import make_plan
from dollygrip.runners.store import RunStore

class Recipe:
    hashes = ("e0", "c0")

run, clips = map(Path, sys.argv[1:])
before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
with RunStore(run) as store, make_plan(find_inputs([clips]), Recipe(), run) as plan:
    for record in records_at(run, [next(plan.kept_offsets())]):
        store.append(record)
    print(json.dumps({
        "kept": plan.kept,
        "todo": plan.todo,
        "seconds": time.process_time() - begun,
        "grown_mib": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
    }))
"""


def _made(folder: Path, count: int) -> None:
    """So many files of a byte, and a run with a record of each."""
    about = {
        "estimator": {"name": "e", "hash": "e0"},
        "classifier": {"name": "c", "hash": "c0"},
        "content": {"size": 1, "modified": 1.0, "hash": "0" * 32},
    }
    whole = ShotLabels(0.0, 1.0, ("pan_left",), scores={f"label {i}": 0.123456 for i in range(70)})
    record = ClipLabels("@id", "@path", whole, (whole,), about)
    line = json.dumps(record.to_dict()) + "\n"
    with (folder / "lines").open("w") as lines:
        for number in range(count):
            part = folder / f"clips/{number // 1000}"
            path = part / f"{number}.mp4"
            if number % 1000 == 0:
                part.mkdir(parents=True)
                path.write_bytes(b"x")
                os.utime(path, (1, 1))
                first = path
            else:
                os.link(first, path)  # the quickest way to make a file
            name = clip_id_of(path, folder / "clips")
            lines.write(line.replace("@id", name).replace("@path", str(path)))
    RunStore(folder / "run").close()
    (folder / "lines").replace(folder / "run/results.jsonl")


@pytest.mark.slow
def test_a_hundred_thousand_clips_take_seconds_and_little_memory(tmp_path):
    _made(tmp_path, 100_000)
    command = [sys.executable, "-c", _BUDGET, str(tmp_path / "run"), str(tmp_path / "clips")]
    said = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (said["kept"], said["todo"]) == (100_000, 0)
    assert said["seconds"] < 10
    assert said["grown_mib"] < 40
