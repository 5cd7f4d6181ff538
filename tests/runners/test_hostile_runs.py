"""Run folders that somebody else made, or that are damaged: read within bounds, or refused."""

import json
import os
import random
import shutil
import struct
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.records import ClipLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.comparison import compare_systems
from dollygrip.runners.content import Content
from dollygrip.runners.formats import arrays, jsonl
from dollygrip.runners.formats.jsonl import read_lines
from dollygrip.runners.formats.maps import read_maps
from dollygrip.runners.formats.trajectories import (
    ShotMotion,
    read_trajectories,
)
from dollygrip.runners.ledger import read_records
from dollygrip.runners.pipeline import classify_shots
from dollygrip.runners.registry import SettingsError, choose, read_settings
from dollygrip.runners.report.origins import origins
from dollygrip.runners.store import RunStore, StoreError, motion_files, read_manifest
from dollygrip.runners.systems import read_run, reclassified
from dollygrip.runners.tables import to_frame, write_tables
from dollygrip.runners.training import TrainingError, collect


def shot(pan_deg: float) -> ShotMotion:
    times = np.linspace(0.0, 1.0, 6)
    angles = np.zeros((6, 3))
    angles[:, 0] = pan_deg * times
    poses = np.tile(np.eye(4), (6, 1, 1))
    poses[:, :3, :3] = rotation_from_pan_tilt_roll(angles)
    path = Trajectory.from_poses(times, poses, size=(64, 48), scene_depth=1.0)
    explained = {"explained": {"rotation": 0.9}, "appearance": {"change": 1.0, "blur": 0.1}}
    return ShotMotion(0.0, 1.0, (Hypothesis("rotation", 1.0, path),), diagnostics=explained)


def record(number: int, shots: tuple[ShotMotion, ...]) -> ClipLabels:
    whole, parts = classify_shots(ThresholdClassifier(), shots)
    about = {name: {"name": name, "hash": "1"} for name in ("estimator", "classifier")}
    content = Content(5, 1.0, "00").to_dict()
    video = {"size": [64, 48], "duration": 1.0, "rate": 12.0, "codec": "h264"}
    provenance = {**about, "content": content, "video": video, "seconds": 0.1}
    return ClipLabels(f"clip-{number}", f"clips/{number}.mp4", whole, parts, provenance)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of three clips: a pan, two shots, a failure."""
    made = ((shot(30.0),), (shot(30.0), shot(-20.0)))
    failure = Failure(Reason.NO_TEXTURE, "Nothing to follow.")
    with RunStore(tmp_path / "run") as store:
        store.begin({"settings": {"1": {"name": "flow"}}, "command": ["dollygrip"]})
        for number, shots in enumerate((*made, (ShotMotion(0.0, 1.0, failure=failure),))):
            store.append(record(number, shots), motion_files(shots))
    return tmp_path / "run"


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "results.jsonl").read_text().splitlines()]


def rewrite(run: Path, records: list[Any]) -> None:
    (run / "results.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))


# Lines


def test_lines_that_are_no_records_are_passed_over(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = (run / "results.jsonl").read_bytes()
    first, rest = good.split(b"\n", 1)
    bad = (
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b"\0" * 5000,
        b"\xff\xfe{}",
        b'{"clip_id": "\xff"}',
        b"9" * 10_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
        b"{}",
        b"",
        b'"text"',
        b"null",
        b'{"clip_id":[],"path":0,"provenance":{},"failure":null}',
    )
    monkeypatch.setattr(jsonl, "LONGEST_LINE", 300_000)
    (run / "results.jsonl").write_bytes(b"\n".join((*bad, first, *bad, b"x" * 300_001, rest)))
    assert [one.clip_id for one in read_records(run)] == ["clip-0", "clip-1", "clip-2"]


def test_an_endless_line_is_not_held(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = (run / "results.jsonl").read_bytes()
    with (run / "results.jsonl").open("wb") as file:
        file.write(b'{"a": "')
        file.truncate(2**27)
        file.seek(0, 2)
        file.write(b'"}\n' + good)
    monkeypatch.setattr(jsonl, "LONGEST_LINE", 2**20)
    longest = 0
    for _, line in jsonl.whole_lines(run / "results.jsonl"):
        longest = max(longest, len(line))
    assert longest < 2**14
    assert len(list(read_records(run))) == 3


def test_a_bomb_of_small_lists_is_passed_over(tmp_path: Path) -> None:
    bomb = b'{"a": [' + b"[]," * 3_000_000 + b"[]]}\n"
    (tmp_path / "lines").write_bytes(bomb + b"{}\n")
    started = time.process_time()
    assert list(read_lines(tmp_path / "lines")) == [(len(bomb), {})]
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("kind", ["device", "folder", "pipe"])
def test_results_that_are_no_file(run: Path, kind: str) -> None:
    results = run / "results.jsonl"
    results.unlink()
    {
        "device": lambda: results.symlink_to("/dev/zero"),
        "folder": results.mkdir,
        "pipe": lambda: os.mkfifo(results),
    }[kind]()
    with pytest.raises((OSError, StoreError), match=r"results\.jsonl"):
        list(read_records(run))


# Records


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../../x", "/etc/x", "a/b", "a\0b", "a\nb", ".x", "x" * 201]
)
def test_a_name_that_leads_elsewhere_is_refused(run: Path, name: object) -> None:
    outside = run.parent.parent / "x.npz"
    rewrite(run, [*lines(run), lines(run)[0] | {"clip_id": name}])
    with pytest.raises(StoreError, match=r"results\.jsonl: record has a wrong 'clip_id'"):
        list(read_records(run))
    assert not outside.exists()


HOSTILE: tuple[Any, ...] = (
    None,
    True,
    -1,
    2.5,
    1e400,
    10**400,
    "text",
    "\ud800\0",
    "../../x",
    [],
    {},
    [[]],
    [1, 2],
    ["a", "b"],
    {"a": []},
    {"reason": "frozen", "message": 5},
    {"reason": "frozen", "message": "=1+1\x1b[2J"},
    {f"a{i}": 1 for i in range(2000)},
    json.loads("[" * 300 + "]" * 300),
    json.loads('{"a":' * 300 + "1" + "}" * 300),
)


def spoiled(data: Any, chance: random.Random) -> Any:
    """The same data with something else in one place."""
    data = json.loads(json.dumps(data))
    places = []

    def look(value: Any) -> None:
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            places.append((value, key))
            if isinstance(item, dict | list):
                look(item)

    look(data)
    where, key = chance.choice(places)
    if chance.random() < 0.15:
        del where[key]
    else:
        where[key] = chance.choice(HOSTILE)
    return data


def used(run: Path, *, wholly: bool) -> None:
    """Everything that reads a run without writing to it."""
    to_frame(run)
    system = read_run(run)
    origins([system])
    if wholly:
        compare_systems([system, reclassified(system, "threshold")], (), resamples=5)


def test_spoiled_records_are_read_or_refused_in_a_line(run: Path) -> None:
    records, chance = lines(run), random.Random(7)
    refused = 0
    for turn in range(160):
        number = chance.randrange(3)
        rewrite(run, [spoiled(r, chance) if i == number else r for i, r in enumerate(records)])
        try:
            used(run, wholly=turn % 8 == 0)
        except StoreError as error:
            refused += 1
            assert str(error).isprintable()
            assert str(run) in str(error) or "attributes" in str(error)
    assert 40 < refused < 155


def test_damaged_bytes_are_read_or_refused_in_a_line(run: Path) -> None:
    whole, chance = (run / "results.jsonl").read_bytes(), random.Random(8)
    for turn in range(150):
        (run / "results.jsonl").write_bytes(damaged(whole, chance))
        try:
            used(run, wholly=turn % 8 == 0)
        except StoreError as error:
            assert str(error).isprintable()


def damaged(whole: bytes, chance: random.Random) -> bytes:
    data = bytearray(whole)
    for _ in range(chance.choice((1, 3, 30))):
        at, length = chance.randrange(len(data)), chance.choice((1, 4, 200))
        match chance.choice(("flip", "cut", "insert", "delete", "repeat")):
            case "flip":
                data[at] ^= 1 << chance.randrange(8)
            case "cut" if len(data) > 20:
                del data[max(10, at) :]
            case "insert":
                data[at:at] = chance.choice(
                    (b"\0", b"\xff", b"[" * 2000, b"\n", b'"', b"}", b"9" * 99)
                )
            case "delete" if len(data) > 300:
                del data[at : at + length]
            case "repeat":
                data[at:at] = data[at : at + length] * chance.choice((1, 3))
    return bytes(data)


# The manifest


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"\0",
        b"\xff",
        b"[]",
        b"5",
        b'{"settings": []}',
        b'{"settings": {}, "settings": {}}',
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_manifest_that_is_none(run: Path, content: bytes) -> None:
    (run / "manifest.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"manifest\.json cannot be read") as caught:
        read_manifest(run)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500
    with RunStore(run) as store, pytest.raises(StoreError, match="delete it"):
        store.begin({})
    used(run, wholly=False)
    before = (run / "results.jsonl").read_bytes()
    (run / "manifest.json").unlink()
    with RunStore(run) as store:
        store.begin({})
    assert read_manifest(run)["settings"] == {}
    assert (run / "results.jsonl").read_bytes() == before


def test_a_manifest_without_end(run: Path) -> None:
    (run / "manifest.json").unlink()
    (run / "manifest.json").symlink_to("/dev/zero")
    with pytest.raises(StoreError, match="regular"):
        read_manifest(run)


# Links that lead out of a run


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        "maps",
        "profiles",
        "results.csv",
        "results.jsonl",
        "results.parquet",
        "run.lock",
        "trajectories",
    ],
)
def test_nothing_is_written_through_a_link(run: Path, tmp_path: Path, name: str) -> None:
    precious = tmp_path / "precious"
    there = run / name
    if there.is_dir() or name == "maps":
        precious.mkdir()
        shutil.rmtree(there, ignore_errors=True)
    else:
        precious.write_text("a line that is not torn\nand one that is")
        there.unlink(missing_ok=True)
    there.symlink_to(precious)
    before = precious.read_text() if precious.is_file() else list(precious.iterdir())
    for restart in (False, True):
        with pytest.raises(StoreError, match=f"{name} is a link"):
            RunStore(run, restart=restart)
    after = precious.read_text() if precious.is_file() else list(precious.iterdir())
    assert after == before
    assert there.is_symlink()


def test_a_pipe_in_place_of_the_lock_is_not_waited_for(run: Path) -> None:
    (run / "run.lock").unlink()
    os.mkfifo(run / "run.lock")
    with pytest.raises(StoreError, match="no regular file"):
        RunStore(run)


def test_links_lie_in_wait_for_what_is_written_on_the_way(run: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("mine")
    for name in ("results.csv", "results.parquet", "results.jsonl"):
        (run / f".{name}.tmp").symlink_to(precious)
    (run / f".manifest.json.{os.getpid()}.tmp").symlink_to(precious)
    write_tables(run)
    with RunStore(run) as store:
        store.begin({})
        list(store.replace_all(read_records(run)))
    assert precious.read_text() == "mine"
    assert len(list(read_records(run))) == 3


# Attributes


def test_attributes_that_make_no_table(run: Path) -> None:
    first, second, third = lines(run)
    odd = [one | {"attributes": {"pace": pace}} for one, pace in ((first, 1), (second, "fast"))]
    rewrite(run, [*odd, third])
    with pytest.raises(StoreError, match="attributes") as caught:
        write_tables(run)
    assert str(caught.value).isprintable()
    many = [
        first | {"clip_id": f"c{i}", "attributes": {f"a{i}_{j}": 1 for j in range(900)}}
        for i in range(20)
    ]
    rewrite(run, many)
    with pytest.raises(StoreError, match="attributes"):
        write_tables(run)


# Motion files


def motion(run: Path) -> Path:
    return run / "trajectories" / "clip-0.npz"


def header(shape: str, descr: str = "<f8") -> bytes:
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def with_member(path: Path, name: str, content: bytes) -> None:
    """Puts another array in place of one of an archive."""
    with zipfile.ZipFile(path) as old:
        members = {one.filename: old.read(one) for one in old.infolist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new:
        for member, held in (members | {name: content}).items():
            new.writestr(member, held)


def text(value: str) -> bytes:
    return header("()", f"<U{len(value)}") + value.encode("utf-32-le")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meta", header("(1000000000000,)")),
        ("meta", header("()", "|O") + b"cos\nsystem\n(S'touch pwned'\ntR."),
        ("meta", text("[" * 100_000)),
        ("meta", text('{"version": 1, "shots": ' + "[]," * 50)),
        ("meta", text('{"version": 1}')),
        ("meta", text('{"version": 1, "shots": 5}')),
        ("meta", text('{"version": 1, "shots": [5, "a", null]}')),
        ("meta", text('{"version": 1, "shots": {"a": {}}}')),
        ("meta", header("()", "<U999999999")),
        ("meta", header("(((((((((((((((((((((((")),
        ("meta", b"x" * 10),
        ("meta", b""),
        ("shot0_model0_times", header("(1000000000000,)")),
        ("shot0_model0_times", header("(99999999999999999999999,)")),
        ("shot0_model0_times", header("(-1,)")),
        ("shot0_model0_times", header("(6,)", "|O") + b"cos\nsystem\n(S'touch pwned'\ntR."),
        ("shot0_model0_times", header("(6,)") + bytes(7)),
        ("shot0_model0_times", header("(6,)") + b"\xff" * 48),
        ("shot0_model0_rotations", header("(6, 3, 3)") + bytes(432)),
        ("shot0_model0_valid", header("(6,)", "|b1") + bytes(6)),
        ("shot0_model0_sigmas", header("(0, 7)")),
    ],
)
def test_motion_that_is_a_bomb_or_none(
    run: Path, monkeypatch: pytest.MonkeyPatch, name: str, content: bytes
) -> None:
    monkeypatch.chdir(run)
    with_member(motion(run), f"{name}.npy", content)
    started = time.process_time()
    try:
        (one,) = read_trajectories(motion(run))
    except ValueError as error:
        assert str(error).startswith("clip-0.npz holds no trajectories: ")
        assert str(error).isprintable()
        assert len(str(error)) < 700
    else:
        assert name == "shot0_model0_valid"  # no frame has a pose
        assert not one.hypotheses[0].trajectory.valid.any()
    used(run, wholly=True)
    assert time.process_time() - started < 5.0
    assert not (run / "pwned").exists()


def test_motion_that_unpacks_without_end(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """256 MiB of zeros, which are 256 kB in the file."""
    with_member(motion(run), "shot0_model0_times.npy", header("(33554433,)") + bytes(2**28 + 8))
    assert motion(run).stat().st_size < 2 * 2**20
    with pytest.raises(ValueError, match="too large"):
        read_trajectories(motion(run))
    monkeypatch.setattr(arrays, "_MOST_UNPACKED", 2**20)
    with pytest.raises(ValueError, match="unpack to more than"):
        read_trajectories(motion(run))
    with pytest.raises(ValueError, match="holds no maps"):
        read_maps(motion(run))


@pytest.mark.slow
def test_an_archive_of_many_arrays(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(motion(run), "w") as archive:
        archive.writestr("meta.npy", text('{"version": 1, "shots": []}'))
        for number in range(66_000):  # its directory is another one from 65,536 members on
            archive.writestr(f"a{number}", b"")
    assert read_trajectories(motion(run)) == ()
    monkeypatch.setattr(arrays, "_LARGEST_MOTION_DIRECTORY", 2**20)
    with pytest.raises(ValueError, match="too large, with 66001 arrays"):
        read_trajectories(motion(run))


def test_a_motion_file_that_is_no_file(run: Path) -> None:
    motion(run).unlink()
    os.mkfifo(motion(run))
    with pytest.raises(ValueError, match="no regular file"):
        read_trajectories(motion(run))
    motion(run).unlink()
    motion(run).symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="no regular file"):
        read_trajectories(motion(run))


def test_spoiled_motion_is_read_or_refused_in_a_line(run: Path) -> None:
    whole, chance = motion(run).read_bytes(), random.Random(9)
    with np.load(motion(run), allow_pickle=False) as held:
        meta = json.loads(str(held["meta"][()]))
    refused = 0
    for turn in range(200):
        motion(run).write_bytes(damaged(whole, chance) if turn % 2 else whole)
        if turn % 2 == 0:
            changed = json.dumps(spoiled(meta, chance))
            with_member(motion(run), "meta.npy", text(changed))
        try:
            read_trajectories(motion(run))
        except ValueError as error:
            refused += 1
            assert str(error).isprintable()
            continue
        used(run, wholly=turn % 2 == 0)
    assert 40 < refused < 195


# Learning from a run


def test_training_on_a_run_that_means_no_good(run: Path, tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("clip,pan_right\nclips/0.mp4,yes\nclips/1.mp4,no\nclips/2.mp4,no\n")
    with np.load(motion(run), allow_pickle=False) as held:
        meta = json.loads(str(held["meta"][()]))
    chance = random.Random(10)
    for _ in range(80):
        with_member(motion(run), "meta.npy", text(json.dumps(spoiled(meta, chance))))
        with pytest.raises(TrainingError, match="10 are needed"):
            collect(run, labels)


# Settings


@pytest.mark.parametrize(
    "content",
    [
        "a=" + "[" * 30_000,
        "a=" + "{a=" * 10_000,
        "[" + ".".join("a" * 30_000) + "]",
        "[estimator.flow]\nrate." + ".".join("a" * 30_000) + "=1",
        "[estimator.flow]\nrate." + ".".join("a" * 900) + "=1",
        "[estimator.flow]\n" + "k" * 60_000 + "=1",
        f"[estimator.{'k' * 60_000}]",
        "k" * 60_000 + "=1",
        "[estimator.flow]\nrate='" + "k" * 60_000 + "'",
        "[estimator.flow]\nrate=" + "9" * 60_000,
        "#" * 70_000,
        "\0",
        '[estimator.flow]\nrate="\\u001b[2J"',
    ],
)
def test_settings_that_are_bombs(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.toml").write_text(content)
    started = time.process_time()
    with pytest.raises(SettingsError) as caught:
        choose("estimator", "flow", read_settings(tmp_path / "a.toml")["estimator"].get("flow"))
    assert len(str(caught.value)) < 500
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize("path", ["/dev/zero", "/", "a\0b", "\ud800", "x" * 5000])
def test_settings_that_are_no_file(path: str) -> None:
    with pytest.raises(SettingsError):
        read_settings(path)
