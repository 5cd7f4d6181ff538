"""Disks that are full, read-only or gone: one line says so, and the same command goes on later."""

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.cli import main
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.store import RunStore, StoreError, motion_files
from dollygrip.runners.tables import write_tables

PAGE = 4096


def mount(place: Path, options: str) -> None:
    """Mount a small disk in memory, or skip."""
    place.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root may mount a small disk, and only on Linux this way")
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is not allowed here")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    place = tmp_path / "disk"
    mount(place, "size=1m")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(disk: Path, left: int) -> None:
    """Fill a disk but for so many pages."""
    with (disk / "ballast").open("wb", buffering=0) as ballast:
        with suppress(OSError):
            while ballast.write(bytes(PAGE)):
                pass
        ballast.truncate(max(0, ballast.tell() - left * PAGE))


IDS = [f"c{number}" for number in range(4)]


def a_record(number: int) -> ClipLabels:
    whole = ShotLabels(0.0, 0.0, failure=Failure(Reason.TOO_DARK, "Black. " * 2000))
    about = {
        "estimator": {"name": "e", "hash": "e0"},
        "classifier": {"name": "c", "hash": "c0"},
        "content": {"size": 3, "modified": 1.5, "hash": "ab"},
    }
    return ClipLabels(IDS[number], f"{number}.mp4", whole, provenance=about)


def check_said(code: int, said: list[str], *words: str) -> None:
    """One line says what is wrong and what to do."""
    assert code == 1
    assert said[-1].startswith("error: ")
    for word in words:
        assert word in said[-1], said
    assert not [line for line in said[:-1] if "error" in line.lower()]


def test_a_store_on_a_disk_that_fills_up_goes_on_when_there_is_room(disk):
    run = disk / "run"
    shot = ShotMotion(0.0, 1.0, failure=Failure(Reason.TOO_DARK, "Black."))
    motion = motion_files([shot])
    full = 0
    for left in range(2, 120, 2):
        RunStore(run).close()
        fill(disk, left)

        def twice(write: Callable[[], object]) -> int:
            try:
                write()
            except StoreError as error:
                assert "disk full" in str(error)
                (disk / "ballast").unlink()
                write()
                return 1
            return 0

        with RunStore(run) as store:
            full += twice(lambda store=store: store.begin({"settings": {}}))
            for number in range(4):
                full += twice(lambda store=store, n=number: store.append(a_record(n), motion))
            lines = (run / "results.jsonl").read_bytes().splitlines()
            assert [json.loads(line)["clip_id"] for line in lines] == IDS
            full += twice(lambda: write_tables(run))
        assert len((run / "results.csv").read_text().splitlines()) == 5
        assert not list(run.rglob(".*"))
        shutil.rmtree(run)
        (disk / "ballast").unlink(missing_ok=True)
    assert 10 < full < 59


@pytest.mark.slow
def test_a_disk_that_is_full_stops_a_run_and_loses_nothing(batch, disk):
    batch.run = disk / "run"
    batch.results = batch.run / "results.jsonl"
    batch.add(range(4))
    # Pages: nothing, the manifest, some clips.
    for left in (0, 3, 12):
        fill(disk, left)
        code, said = batch.label()
        check_said(code, said, "disk full", str(batch.run), "free space")
        assert not (batch.run / "results.csv").exists()
        lines, known, begun = batch.lines(), set(batch.recorded()), len(batch.begun())
        (disk / "ballast").unlink()
        assert batch.label()[0] == 0
        assert batch.lines().startswith(lines)
        assert sorted(batch.begun()[begun:]) == sorted({0, 1, 2, 3} - known)
        assert (batch.run / "results.csv").read_text().count("\n") == 5
        shutil.rmtree(batch.run)
    assert known


@pytest.mark.slow
def test_a_disk_that_fills_up_while_labelling_anew_keeps_the_old_labels(batch, disk):
    batch.run = disk / "run"
    batch.results = batch.run / "results.jsonl"
    batch.add(range(4))
    assert batch.label()[0] == 0
    before = batch.lines()
    fill(disk, 1)
    code, said = batch.dollygrip("classify", str(batch.run), "--classifier", "raw_delta")
    check_said(code, said, "disk full", str(batch.run), "free space")
    assert batch.results.read_bytes() == before
    assert not list(batch.run.rglob(".*"))
    (disk / "ballast").unlink()
    assert batch.dollygrip("classify", str(batch.run), "--classifier", "raw_delta")[0] == 0
    assert batch.lines() != before


@pytest.mark.slow
def test_files_that_may_not_grow_are_told_like_a_full_disk(batch):
    batch.add(range(4))
    for limit in (PAGE // 4, 2 * PAGE):
        process = batch.popen(
            *batch.command(),
            preexec_fn=lambda limit=limit: resource.setrlimit(
                resource.RLIMIT_FSIZE, (limit, limit)
            ),
        )
        code, said = batch.ended(process)
        check_said(code, said, "disk full", str(batch.run), "free space")
    assert batch.label()[0] == 0
    assert sorted(batch.recorded()) == [0, 1, 2, 3]


def test_a_read_only_disk_is_named(moody, grey_clip, tmp_path, disk, capsys):
    clip = grey_clip(tmp_path / "clip.mp4", 170)
    run = disk / "run"
    label = ["label", str(clip), "--estimator", moody, "--jobs", "1", "-o"]
    assert main([*label, str(run)]) == 0
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    capsys.readouterr()
    for out in (run, disk / "other"):
        for options in ([], ["--restart"]):
            code = main([*label, str(out), *options])
            check_said(code, capsys.readouterr().err.splitlines(), str(out), "ead-only")
    code = main(["classify", str(run)])
    check_said(code, capsys.readouterr().err.splitlines(), str(run), "ead-only")
    # What is there can still be read.
    assert main(["show", str(run)]) == 0


@pytest.mark.parametrize(
    "out",
    [
        "/sys/dollygrip-run",
        "/proc/dollygrip-run",
        "file",
        "file/run",
        "nowhere",
        "nowhere/run",
        "n" * 300,
        "a/" * 3000 + "run",
        "loop/run",
        "pipe",
    ],
)
def test_a_place_where_no_run_can_be_is_named_in_one_line(
    grey_clip, tmp_path, capsys, monkeypatch, out
):
    monkeypatch.chdir(tmp_path)
    clip = grey_clip(tmp_path / "clip.mp4", 170)
    Path("file").write_text("mine")
    Path("nowhere").symlink_to("gone/away")
    Path("loop").symlink_to("loop")
    os.mkfifo("pipe")
    code = main(["label", str(clip), "-o", out, "--jobs", "1"])
    check_said(code, capsys.readouterr().err.splitlines(), out[:200])
    assert Path("file").read_text() == "mine"
    assert not Path("gone").exists()


@pytest.mark.slow
def test_a_run_folder_that_is_deleted_meanwhile_ends_the_run_in_one_line(batch):
    batch.add(range(4))
    batch.hold()
    process = batch.start()
    assert batch.wait_until(batch.begun)
    assert batch.wait_until((batch.run / "manifest.json").exists)
    shutil.rmtree(batch.run)
    batch.release()
    code, said = batch.ended(process)
    check_said(code, said, str(batch.run))
    batch.check_nothing_runs()
    assert batch.label()[0] == 0


@pytest.mark.slow
def test_a_standard_output_that_takes_nothing_costs_no_record(batch):
    batch.add(range(3))
    with Path("/dev/full").open("w") as full:
        code, said = batch.ended(batch.start(stdout=full))
    check_said(code, said, "standard output", "No space left")
    # Closed, as by a service manager.
    assert batch.ended(batch.start(preexec_fn=lambda: os.close(1)))[0] == 0
    assert sorted(batch.recorded()) == [0, 1, 2]
    assert batch.ended(batch.start(preexec_fn=lambda: (os.close(0), os.close(1))))[0] == 0
    # Nobody hears what is said on standard error.
    with Path("/dev/full").open("w") as full:
        process = batch.start(stderr=full)
        assert process.wait(60) == 0


@pytest.mark.slow
def test_a_temporary_folder_that_is_missing_or_full(batch, disk):
    batch.add(range(2))
    fill(disk, 0)
    for place in ("/nowhere", str(disk)):
        batch.environment["TMPDIR"] = place
        assert batch.label("--restart")[0] == 0
        assert sorted(batch.recorded()) == [0, 1]
    # More clips than fit into memory.
    names = f"{batch.clips}/0.mp4\n" + "".join(
        f"/nowhere/{'clip' * 20}-{number}.mp4\n" for number in range(100_000)
    )
    (batch.folder / "list.txt").write_text(names)
    code, said = batch.dollygrip("label", str(batch.folder / "list.txt"), "-o", str(batch.run))
    check_said(code, said, "temporary", "TMPDIR")
