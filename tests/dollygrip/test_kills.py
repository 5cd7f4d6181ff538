"""Runs that are killed, interrupted, or lose their machine: nothing is lost, nothing done twice."""

import csv
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.store import RunStore, motion_files, read_manifest, read_motion

pytestmark = pytest.mark.slow

OURS = {"results.jsonl", "results.csv", "results.parquet", "manifest.json", "run.lock"}


def number_of(record: dict[str, Any]) -> int:
    return int(Path(record["path"]).stem)


def check_whole(batch, count: int) -> None:
    """A run is complete: a good record a clip, its motion, tables, and nothing else."""
    records = {record["clip_id"]: record for record in batch.records()}
    assert sorted(number_of(record) for record in records.values()) == list(range(count))
    assert all(record["failure"] is None for record in records.values())
    motion = {f"{folder}/{name}.npz" for folder in ("trajectories", "profiles") for name in records}
    assert {str(p.relative_to(batch.run)) for p in batch.run.rglob("*.*")} == OURS | motion
    assert not list(batch.scratch.iterdir())
    for name in records:
        assert len(read_motion(batch.run, name)) == 1
    assert read_manifest(batch.run)["format"] == "dollygrip run"
    check_tables(batch, set(records))


def check_tables(batch, ids: set[str]) -> None:
    from pyarrow.parquet import read_table

    with (batch.run / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert sorted(row["clip_id"] for row in rows) == sorted(ids)
    assert {row["pan_right"] for row in rows} == {"True"}
    assert sorted(read_table(batch.run / "results.parquet")["clip_id"].to_pylist()) == sorted(ids)


@contextmanager
def recorded_stays(batch) -> Iterator[None]:
    """Meanwhile no record goes or changes, and no clip that has one is begun again."""
    lines, known, begun = batch.lines(), set(batch.recorded()), len(batch.begun())
    yield
    assert batch.lines().startswith(lines)
    assert not known & set(batch.begun()[begun:])


# When to kill. Each waits for its moment, and gives up where the run ends before.


def at_start(batch, process, rng: random.Random) -> None:
    time.sleep(rng.uniform(0.0, 0.5))


def between_lines(batch, process, rng: random.Random) -> None:
    enough = batch.lines().count(b"\n") + rng.randint(1, 4)
    batch.wait_until(lambda: process.poll() is not None or batch.lines().count(b"\n") >= enough)
    time.sleep(rng.uniform(0.0, 0.02))


def at_a_motion_file(batch, process, rng: random.Random) -> None:
    folder = batch.run / rng.choice(["trajectories", "profiles"])
    before = len(list(folder.glob("*")))
    batch.wait_until(lambda: process.poll() is not None or len(list(folder.glob("*"))) > before)


def at_the_tables(batch, process, rng: random.Random) -> None:
    clips = len(list(batch.clips.iterdir()))
    batch.wait_until(lambda: process.poll() is not None or batch.lines().count(b"\n") == clips)
    time.sleep(rng.uniform(0.0, 0.06))


def kill_the_parent(process) -> None:
    process.kill()


def kill_all(process) -> None:
    os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_run_goes_on_where_it_stopped(batch, seed):
    rng = random.Random(seed)
    moments = [at_start] * 3 + [between_lines] * 4 + [at_a_motion_file] * 2
    rng.shuffle(moments)
    count, kills = 40, 0
    batch.add(range(count))
    for moment in moments + [at_the_tables] * 3:
        if moment is at_the_tables:
            batch.add(range(count, count + 1))
            count += 1
        with recorded_stays(batch):
            process = batch.start()
            moment(batch, process, rng)
            lines = batch.lines()
            rng.choice([kill_the_parent, kill_all])(process)
            process.communicate()
            kills += process.returncode == -signal.SIGKILL
            batch.check_nothing_runs()
            assert batch.lines().startswith(lines)
    assert kills >= 10
    with recorded_stays(batch):
        assert batch.label()[0] == 0
    assert len(batch.records()) == count
    check_whole(batch, count)


def test_a_run_survives_its_workers(batch):
    rng = random.Random(3)
    batch.add(range(100))
    process = batch.start()
    kills = 0
    while kills < 32:
        begun = len(batch.begun())
        batch.wait_until(lambda begun=begun: len(batch.begun()) > begun, 20.0)
        time.sleep(rng.uniform(0.0, 0.03))
        assert process.poll() is None
        with recorded_stays(batch):
            workers = batch.workers()
            for worker in workers if rng.random() < 0.3 else workers[:1]:
                os.kill(worker, signal.SIGKILL)
                kills += 1
    code, _ = batch.ended(process)
    assert len(batch.records()) == 100
    lost = {record["path"] for record in batch.records() if record["failure"]}
    assert code == (2 if lost else 0)
    batch.check_nothing_runs()
    # Twice killed is a failure of the clip, as far as anyone can tell.
    assert batch.label("--retry-failed")[0] == 0
    assert len(batch.records()) == 100 + len(lost)
    check_whole(batch, 100)


def small_record(number: int) -> ClipLabels:
    failure = Failure(Reason.TOO_DARK, "The picture is black.")
    about = {
        "estimator": {"name": "e", "hash": "e0"},
        "classifier": {"name": "c", "hash": "c0"},
        "content": {"size": 3, "modified": 1.5, "hash": "ab"},
    }
    whole = ShotLabels(0.0, 0.0, failure=failure)
    return ClipLabels(f"c{number}", f"{number}.mp4", whole, provenance=about)


def write_until_killed(folder: str, first: int, done: int) -> None:
    """Writes records, and says of each when it is safe."""
    shot = ShotMotion(0.0, 1.0, failure=Failure(Reason.TOO_DARK, "Black."))
    motion = motion_files([shot])
    with RunStore(folder) as store:
        store.begin({"settings": {f"h{first}": {}}})
        for number in itertools.count(first):
            store.append(small_record(number), motion)
            os.write(done, b"%d\n" % number)
            if number % 5 == 4:
                everything = [small_record(n) for n in range(number + 1)]
                for _ in store.replace_all(iter(everything)):
                    pass


def test_the_store_survives_over_a_hundred_kills(tmp_path):
    rng = random.Random(4)
    folder, count = tmp_path / "run", 0
    RunStore(folder).close()
    for _ in range(120):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            write_until_killed(str(folder), count, writing)
        os.close(writing)
        time.sleep(rng.uniform(0.0, 0.02))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with os.fdopen(reading) as said:
            safe = [int(number) for number in said.read().split()]
        RunStore(folder).close()  # which is what the next run does first
        numbers = [
            int(json.loads(line)["clip_id"][1:])
            for line in (folder / "results.jsonl").read_bytes().splitlines()
        ]
        assert numbers == list(range(len(numbers)))
        assert len(numbers) >= count + len(safe)
        count = len(numbers)
        if (folder / "manifest.json").exists():
            read_manifest(folder)
        assert not list(folder.rglob(".*"))
        if count > 60:  # or replacing all would take longer than any child lives
            shutil.rmtree(folder)
            RunStore(folder).close()
            count = 0


def test_a_torn_line_costs_its_clip_alone_wherever_it_is_torn(tmp_path):
    with RunStore(tmp_path) as store:
        for number in range(3):
            store.append(small_record(number))
    results = tmp_path / "results.jsonl"
    whole = results.read_bytes()
    lines = whole.splitlines(keepends=True)
    for end in range(len(lines[0] + lines[1]) - 1, len(whole) + 1):
        # Zeros, too: file systems leave them after a power cut.
        results.write_bytes(whole[:end] + b"\0" * (600 if end % 2 else 0))
        with RunStore(tmp_path) as store:
            store.append(small_record(3))
        kept = whole[:end].count(b"\n")
        left = results.read_bytes().splitlines()
        assert [json.loads(line)["clip_id"] for line in left] == [*["c0", "c1", "c2"][:kept], "c3"]


def test_what_a_power_cut_took_is_done_again_and_no_more(batch):
    batch.add(range(6))
    assert batch.label()[0] == 0
    whole, order = batch.lines(), batch.recorded()
    ids = {record["clip_id"] for record in batch.records()}
    ends = [end for end, byte in enumerate(whole, 1) if byte == ord("\n")]
    # A block that never reached the disk: from within the second line to within the third.
    hole = slice(ends[0] + 50, ends[2] - 50)
    for damaged, lost in (
        (whole[: ends[4] + 700], order[5:]),
        (whole[: ends[3]] + b"\0" * 4096, order[4:]),
        (whole[: hole.start] + b"\0" * (hole.stop - hole.start) + whole[hole.stop :], order[1:3]),
    ):
        batch.results.write_bytes(damaged)
        begun = len(batch.begun())
        assert batch.label()[0] == 0
        assert sorted(batch.begun()[begun:]) == sorted(lost)
        check_tables(batch, ids)


def test_lost_motion_costs_its_clip_alone_and_only_where_it_is_needed(batch):
    batch.add(range(6))
    assert batch.label()[0] == 0
    files = [
        batch.run / "trajectories" / f"{record['clip_id']}.npz"
        for record in sorted(batch.records(), key=lambda record: record["path"])
    ]
    data = files[1].read_bytes()
    files[0].unlink()
    files[1].write_bytes(data[: len(data) // 2])
    files[2].write_bytes(bytes(len(data)))
    files[3].write_bytes(b"")
    # The labels are as right as they were.
    with recorded_stays(batch):
        assert batch.label()[0] == 0
    code, said = batch.dollygrip("classify", str(batch.run), "--classifier", "raw_delta")
    assert code == 2
    [failed] = [line for line in said if line.startswith("failed: ")]
    assert "4 not_readable" in failed
    failed = [record for record in batch.records() if record["failure"]]
    assert sorted(map(number_of, failed)) == [0, 1, 2, 3]
    assert all("--retry-failed" in record["failure"]["message"] for record in failed)
    begun = len(batch.begun())
    assert batch.label("--retry-failed")[0] == 0
    assert sorted(batch.begun()[begun:]) == [0, 1, 2, 3]
    check_whole(batch, 6)


def test_what_changed_is_done_again_and_no_more(batch):
    def redone(*options: str) -> list[int]:
        begun = len(batch.begun())
        assert batch.label(*options)[0] == 0
        return sorted(batch.begun()[begun:])

    def records() -> dict[str, dict]:
        return {record["clip_id"]: record for record in batch.records()}

    batch.add(range(4))
    assert redone() == [0, 1, 2, 3]
    os.utime(batch.clips / "1.mp4", (1, 1))
    assert redone() == []
    shutil.copy(batch.clips / "3.mp4", batch.clips / "2.mp4")
    assert redone() == [3]
    settings = batch.folder / "settings.toml"
    settings.write_text("[classifier.threshold]\nshift = 0.08\n")
    before = records()
    assert redone("--settings", str(settings)) == []
    for name, record in records().items():
        for part, same in (("estimator", True), ("classifier", False)):
            was, now = (r["provenance"][part]["hash"] for r in (before[name], record))
            assert (was == now) is same
    settings.write_text("[estimator.tallied]\nseconds = 0.0\n")
    assert redone("--settings", str(settings)) == [0, 1, 3, 3]


@pytest.mark.parametrize("first", ["label", "classify"])
def test_a_second_run_on_a_folder_is_refused_and_the_first_goes_on(batch, first):
    batch.add(range(4))
    if first == "label":
        batch.hold()
        process = batch.start()
        assert batch.wait_until(batch.begun)
    else:
        assert batch.label()[0] == 0
        # Nobody reads what it prints, so that it waits. The copies lack motion.
        many = batch.lines()
        for copy in range(200):
            many += batch.lines().replace(b'"clip_id":"', b'"clip_id":"copy%d-' % copy)
        batch.results.write_bytes(many)
        process = batch.popen("classify", str(batch.run), stdout=subprocess.PIPE)
        assert json.loads(process.stdout.readline())["failure"] is None
    with recorded_stays(batch):
        for second in (batch.command(), ["classify", str(batch.run)]):
            code, said = batch.dollygrip(*second)
            assert code == 1
            assert f"another run is writing to {batch.run}" in said[-1]
    batch.release()
    assert batch.ended(process)[0] == (0 if first == "label" else 2)
    with recorded_stays(batch):
        assert batch.label()[0] == 0


def stop(batch, process, number: int, *, everyone: bool) -> list[str]:
    """Ask a command to stop, as a program or as a terminal does; what it said."""
    asked = time.monotonic()
    (os.killpg if everyone else os.kill)(process.pid, number)
    process.wait(10)
    assert time.monotonic() - asked < 2.0
    code, said = batch.ended(process)
    assert code == 128 + number
    batch.check_nothing_runs()
    return said


@pytest.mark.parametrize(
    ("number", "everyone", "times"),
    # A terminal, a program, and Slurm or timeout(1), which say it twice.
    [(signal.SIGINT, True, 1), (signal.SIGTERM, False, 1), (signal.SIGTERM, True, 2)],
)
def test_a_busy_run_stops_within_two_seconds_and_keeps_what_is_finished(
    batch, number, everyone, times
):
    batch.add(range(6))
    batch.hold(first=2)
    process = batch.start()
    assert batch.wait_until(lambda: len(batch.begun()) == 4 and len(batch.recorded()) == 2)
    with recorded_stays(batch):
        if times == 2:
            os.kill(process.pid, number)
        said = stop(batch, process, number, everyone=everyone)
        assert said[-1].startswith("stopped; ")
        assert sorted(batch.recorded()) == [0, 1]
        batch.release()
        assert batch.label()[0] == 0
    check_whole(batch, 6)


def test_a_run_stops_while_it_starts(batch):
    rng = random.Random(5)
    batch.add(range(4))
    batch.hold()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
        process = batch.start()
        assert batch.wait_until(batch.workers)
        time.sleep(rng.uniform(0.0, 0.8))
        stop(batch, process, number, everyone=rng.random() < 0.5)
    batch.release()
    assert batch.label()[0] == 0
    check_whole(batch, 4)


def test_a_run_stops_while_it_looks_for_its_clips(batch):
    batch.add(range(1))
    folder = batch.clips / "many"
    folder.mkdir()
    for copy in range(30_000):
        os.link(batch.clips / "0.mp4", folder / f"{copy}.mp4")
    process = batch.start()
    assert batch.wait_until(batch.workers)
    time.sleep(0.7)
    stop(batch, process, signal.SIGTERM, everyone=False)


def test_a_run_stops_while_it_waits_for_a_list(batch):
    process = batch.popen("label", "-", "-o", str(batch.run), stdin=subprocess.PIPE)
    time.sleep(1.5)
    stop(batch, process, signal.SIGINT, everyone=True)


def test_a_run_stops_while_it_writes_tables(batch):
    batch.add(range(2))
    assert batch.label()[0] == 0
    batch.results.write_bytes(
        b"".join(
            batch.lines().replace(b'"clip_id":"', b'"clip_id":"copy%d-' % copy)
            for copy in range(5000)
        )
        + batch.lines()
    )
    for table in batch.run.glob("results.[cp]*"):
        table.unlink()
    process = batch.start(stdout=subprocess.PIPE)
    for _ in range(2):
        assert json.loads(process.stdout.readline())["failure"] is None
    time.sleep(0.3)
    stop(batch, process, signal.SIGTERM, everyone=False)
    assert not list(batch.run.rglob(".*"))
    assert batch.label()[0] == 0
    assert (batch.run / "results.csv").read_text().count("\n") == 10_003
