"""The run folder: written by one, resumable after any interruption, safe with hostile names."""

import errno
import io
import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dollygrip.classifiers.labels import BY_NAME
from dollygrip.classifiers.records import ClipLabels, Segment, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.content import content_of, unchanged
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.ledger import Ledger, read_records
from dollygrip.runners.store import (
    RunStore,
    StoreError,
    clip_id_of,
    motion_files,
    read_manifest,
    read_motion,
)
from dollygrip.runners.tables import write_tables

FAILURE = Failure(Reason.TOO_DARK, "The picture is black.")


def record(clip_id: str = "a", path: str = "a.mp4", label: str | None = "pan_left") -> ClipLabels:
    about = {
        "estimator": {"name": "e", "hash": "e0"},
        "classifier": {"name": "c", "hash": "c0"},
        "content": {"size": 3, "modified": 1700000000.123456, "hash": "ab"},
        "video": {"size": [4, 2], "duration": 2.5, "rate": 24.0, "codec": "h264"},
    }
    if label is None:
        return ClipLabels(clip_id, path, ShotLabels(0.0, 0.0, failure=FAILURE), provenance=about)
    whole = ShotLabels(
        0.0,
        2.5,
        labels=(label,),
        scores={name: 0.9 if name == label else 0.1 for name in BY_NAME},
        segments=(Segment(label, 0.0, 2.5, 0.9),),
        trust=0.75,
        attributes={"steadiness": "smooth", "net": {"pan": -20.0}},
        caption="The camera pans left.",
    )
    return ClipLabels(clip_id, path, whole, (whole,), about)


def test_records_come_back_and_the_last_of_a_clip_wins(tmp_path):
    with RunStore(tmp_path / "run") as store:
        store.append(record("a", label="pan_left"))
        store.append(record("b"))
        store.append(record("a", label="tilt_up"))
    assert [(r.clip_id, r.labels) for r in read_records(tmp_path / "run")] == [
        ("b", ("pan_left",)),
        ("a", ("tilt_up",)),
    ]


def test_what_a_resume_needs_is_kept(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(record("a"))
        store.append(record("b", label=None))
    with Ledger(tmp_path) as known:
        assert known.get("a").settings == ("e0", "c0")
        assert known.get("a").content.modified == 1700000000.123456
        assert known.get("a").failure is None
        assert known.get("b").failure == "too_dark"


@pytest.mark.parametrize("torn", [b'{"schema_version":1,"cl', b"\0" * 70_000, b"{", b"\xff"])
def test_a_torn_last_line_is_ignored_and_then_cut_off(tmp_path, torn):
    with RunStore(tmp_path) as store:
        store.append(record("a"))
    with (tmp_path / "results.jsonl").open("ab") as file:
        file.write(torn)
    assert [r.clip_id for r in read_records(tmp_path)] == ["a"]
    with RunStore(tmp_path) as store:
        store.append(record("b"))
    lines = (tmp_path / "results.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["clip_id"] for line in lines] == ["a", "b"]


def test_a_file_with_nothing_but_a_torn_line_becomes_empty(tmp_path):
    RunStore(tmp_path).close()
    (tmp_path / "results.jsonl").write_bytes(b"{" * 200_000)
    RunStore(tmp_path).close()
    assert (tmp_path / "results.jsonl").read_bytes() == b""


def test_the_line_is_on_disk_before_append_returns(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(record("a"))
        assert (tmp_path / "results.jsonl").read_bytes().endswith(b"}\n")


def full_after(room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets so many bytes more be written to records, as a disk that is nearly full."""
    left = [room]

    class Full(io.FileIO):
        def write(self, data):
            if not left[0]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            written = super().write(bytes(data)[: left[0]])
            left[0] -= written
            return written

    def opened(self, mode="r", *options, **more):
        if mode == "ab" and self.name == "results.jsonl":
            return Full(self, mode)
        return path_open(self, mode, *options, **more)

    path_open = Path.open
    monkeypatch.setattr(Path, "open", opened)


@pytest.mark.parametrize("room", [0, 1, 1000])
def test_a_full_disk_leaves_no_half_line_and_says_what_to_do(tmp_path, monkeypatch, room):
    with RunStore(tmp_path) as store:
        store.append(record("a"))
    before = (tmp_path / "results.jsonl").read_bytes()
    with monkeypatch.context() as full:
        full_after(room, full)
        with RunStore(tmp_path) as store:
            with pytest.raises(StoreError, match=r"disk full.*free space and run the same command"):
                store.append(record("b"))
            assert (tmp_path / "results.jsonl").read_bytes() == before


@pytest.mark.parametrize("can_cut", [True, False])
def test_what_comes_after_a_failed_write_does_not_stick_to_it(tmp_path, monkeypatch, can_cut):
    with RunStore(tmp_path) as store:
        store.append(record("a"))
        with monkeypatch.context() as broken:
            broken.setattr(os, "fsync", failing)
            if not can_cut:
                broken.setattr(RunStore, "_cut_back", failing)
            with pytest.raises(StoreError, match=r"cannot write to .*Input/output error"):
                store.append(record("b"))
        store.append(record("c"))
    lines = (tmp_path / "results.jsonl").read_bytes().splitlines()
    assert [json.loads(line)["clip_id"] for line in lines] == ["a", "c"]


def failing(_: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_what_a_killed_run_was_writing_is_removed_and_nothing_else(tmp_path):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_hold, args=(str(tmp_path), ready))
    process.start()
    process.join(20)
    left = [".results.parquet.7.tmp", "trajectories/.a.npz.7.tmp", "profiles/.b\n.npz.12.tmp"]
    other = [".notes.tmp", "trajectories/a.npz", "x.7.tmp"]
    for name in (*left, *other):
        (tmp_path / name).write_bytes(b"half")
    RunStore(tmp_path).close()
    assert not [name for name in left if (tmp_path / name).exists()]
    assert all((tmp_path / name).exists() for name in other)


def test_motion_is_stored_before_its_record_and_goes_with_it(tmp_path):
    shots = (ShotMotion(0.0, 1.0, failure=FAILURE),)
    with RunStore(tmp_path) as store:
        store.append(record("a"), motion_files(shots))
        assert read_motion(store.folder, "a")[0].failure == FAILURE
        store.append(record("a"))
        assert len(read_motion(store.folder, "a")) == 1
        store.append(record("a", label=None), {})
        with pytest.raises(ValueError, match="no trajectories"):
            read_motion(store.folder, "a")


def test_a_second_run_on_the_folder_is_refused_until_the_first_ends(tmp_path):
    first = RunStore(tmp_path)
    holder = rf"another run .*process {os.getpid()} on .+ since 20.*wait for it"
    with pytest.raises(StoreError, match=holder):
        RunStore(tmp_path)
    with pytest.raises(StoreError, match=holder):  # asking took nothing away
        RunStore(tmp_path, restart=True)
    first.close()
    RunStore(tmp_path).close()


def _hold(folder: str, ready: object) -> None:
    store = RunStore(folder)
    ready.set()
    os.kill(os.getpid(), 9)
    store.close()


def test_a_killed_run_leaves_no_lock(tmp_path):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    process = context.Process(target=_hold, args=(str(tmp_path), ready))
    process.start()
    assert ready.wait(20)
    process.join(20)
    RunStore(tmp_path).close()


def _write(run: Path, said: Callable[[str], None]) -> None:
    """What a store can do; tells when each part of it is safe."""
    motion = motion_files([ShotMotion(0.0, 1.0, failure=FAILURE)])
    with RunStore(run) as store:
        store.begin({"settings": {"s": {}}})
        said("begun")
        store.append(record("a"), motion)
        said("pan_left")
        list(store.replace_all(iter([record("a", label="tilt_up")])))
        said("tilt_up")
    said("restarting")
    RunStore(run, restart=True).close()


def _states(run: Path) -> list[tuple[str, dict[str, bytes | None]]]:
    """All that a kill can leave of a run: its files after each line of the code that writes them.

    With each comes what was last said to be safe.
    """
    last, states = "", []

    def trace(frame: FrameType, event: str, _: object) -> Callable | None:
        if not frame.f_code.co_filename.endswith(("runners/store.py", "formats/files.py")):
            return None
        files = {
            str(path.relative_to(run)): path.read_bytes() if path.is_file() else None
            for path in sorted(run.rglob("*"))
        }
        if not states or states[-1] != (last, files):
            states.append((last, files))
        return trace

    def said(word: str) -> None:
        nonlocal last
        last = word

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        _write(run, said)
    finally:
        sys.settrace(before)
    return states


def test_a_run_killed_at_any_line_loses_nothing_that_was_safe(tmp_path):
    states = _states(tmp_path / "run")
    assert len(states) > 30
    for number, (safe, files) in enumerate(states):
        run = tmp_path / str(number)
        run.mkdir()
        for name, data in files.items():
            if data is None:
                (run / name).mkdir()
            else:
                (run / name).write_bytes(data)
        with RunStore(run) as store:
            assert not list(run.rglob(".*"))
            labels = [label for found in read_records(run) for label in found.labels]
            expected = {"pan_left": (["pan_left"], ["tilt_up"]), "tilt_up": (["tilt_up"],)}
            assert labels in expected.get(safe, ([], ["pan_left"], ["tilt_up"]))
            if labels and safe != "restarting":
                assert read_motion(run, "a")
            if safe in ("begun", *expected):
                assert read_manifest(run)["settings"] == {"s": {}}
            store.append(record("new"))
        assert [found.clip_id for found in read_records(run)][-1] == "new"


def test_restart_forgets_the_run_and_nothing_else(tmp_path):
    with RunStore(tmp_path) as store:
        store.begin({})
        store.append(record("a"), motion_files([ShotMotion(0.0, 1.0, failure=FAILURE)]))
    write_tables(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    RunStore(tmp_path, restart=True).close()
    assert list(read_records(tmp_path)) == []
    assert not list(tmp_path.glob("*/*.npz"))
    assert not (tmp_path / "results.csv").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_folder_that_is_no_run_is_left_alone(tmp_path):
    (tmp_path / "holiday.mp4").write_bytes(b"precious")
    for restart in (False, True):
        with pytest.raises(StoreError, match="not a run folder"):
            RunStore(tmp_path, restart=restart)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.mp4"]


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="file"):
        RunStore(tmp_path / "file" / "run")
    with pytest.raises(StoreError, match="file"):
        RunStore(tmp_path / "file")


def test_no_run_is_an_error_with_the_next_step(tmp_path):
    with pytest.raises(StoreError, match="dollygrip label"):
        list(read_records(tmp_path))
    with pytest.raises(StoreError, match="dollygrip label"):
        read_manifest(tmp_path)


def test_a_record_of_another_schema_is_refused(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(replace(record("a"), schema_version=2))
    with pytest.raises(StoreError, match="schema version 2"):
        list(read_records(tmp_path))


def test_the_manifest_keeps_settings_that_records_name(tmp_path):
    with RunStore(tmp_path) as store:
        store.begin({"command": ["x"], "settings": {"h1": {"name": "flow"}}})
        store.begin({"command": ["y"], "settings": {"h2": {"name": "dense"}}})
    manifest = read_manifest(tmp_path)
    assert manifest["command"] == ["y"]
    assert set(manifest["settings"]) == {"h1", "h2"}


def test_replacing_all_is_all_or_nothing(tmp_path):
    with RunStore(tmp_path) as store:
        store.append(record("a"))
        store.append(record("b"))
        before = (tmp_path / "results.jsonl").read_bytes()
        news = (record(name, label="tilt_up") for name in "ab")
        replacing = store.replace_all(news)
        next(replacing)
        replacing.close()
        assert (tmp_path / "results.jsonl").read_bytes() == before
        assert not list(tmp_path.glob(".*"))
        list(store.replace_all(record(name, label="tilt_up") for name in "ab"))
        store.append(record("c"))
    labels = {r.clip_id: r.labels for r in read_records(tmp_path)}
    assert labels == {"a": ("tilt_up",), "b": ("tilt_up",), "c": ("pan_left",)}


@given(st.text(min_size=1), st.text(min_size=1))
@example("..", "\0")
@example("a" * 300 + ".mp4", "b" * 300)
@example("CON.mp4", "con.mp4")
@example("a b.mp4", "a-b.mp4")
@example("clip.mp4", "clip.mov")
@example("\udcff.mp4", "\udcfe.mp4")
def test_clip_ids_are_safe_names_and_tell_clips_apart(first, second):
    ids = [clip_id_of(Path("in", name), Path("in")) for name in (first, second)]
    for clip_id in ids:
        assert clip_id.isascii()
        assert clip_id.replace("-", "").replace("_", "").isalnum()
        assert len(clip_id) <= 60
        assert not clip_id.startswith("-")
    # File systems that do not tell upper case from lower keep their motion apart, too.
    assert (ids[0].lower() == ids[1].lower()) == (Path(first) == Path(second))


def test_clip_ids_follow_the_place_below_the_input():
    assert clip_id_of(Path("a/x/clip.mp4"), Path("a")) == clip_id_of(
        Path("/b/x/clip.mp4"), Path("/b")
    )
    assert clip_id_of(Path("a/x/clip.mp4"), Path("a")) != clip_id_of(
        Path("a/y/clip.mp4"), Path("a")
    )


def test_content_tells_a_changed_file_from_a_touched_one(tmp_path):
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"one")
    known = content_of(file)
    assert unchanged(file, known)
    os.utime(file, (1, 1))
    assert unchanged(file, known)
    file.write_bytes(b"two")
    assert not unchanged(file, known)
    file.unlink()
    assert not unchanged(file, known)
    assert content_of(file) is None
    assert unchanged(file, None)  # it was not there, and is not


def test_an_unchanged_file_is_not_read_again(tmp_path):
    file = tmp_path / "clip.mp4"
    file.write_bytes(b"one")
    known = content_of(file)
    status = file.stat()
    file.write_bytes(b"two")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert content_of(file, known) == known


def test_content_of_a_folder_and_of_a_pipe(tmp_path):
    folder = tmp_path / "frames"
    folder.mkdir()
    (folder / "001.jpg").write_bytes(b"a")
    known = content_of(folder)
    assert unchanged(folder, known)
    (folder / "002.jpg").write_bytes(b"b")
    assert not unchanged(folder, known)
    os.mkfifo(tmp_path / "pipe.mp4")
    assert content_of(tmp_path / "pipe.mp4") is None  # and does not wait for a writer
