"""The whole command against names and files that were made to do harm."""

import csv
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import av
import cv2
import numpy as np
import numpy.typing as npt
import pytest

import dollygrip
from dollygrip.classifiers.reliability import Reason
from dollygrip.cli import main
from dollygrip.runners.registry import SettingsError
from dollygrip.runners.store import RunStore, StoreError

# Names that options, shells, formats, spreadsheets, pages, terminals and URLs trip over.
NAMES = (
    "-rf.mp4",
    "--out=x.mp4",
    "--",
    "@list.mp4",
    "<img src=x onerror=alert(1)>.mp4",
    "'\"><svg onload=alert(1)>.mp4",
    "=cmd|' C'!A0.mp4",
    "+1+1.mp4",
    "\t=1.mp4",
    "two\nlines.mp4",
    "\x1b]0;title\x07\x1b[2J.mp4",
    "\x9b31m.mp4",
    "\u202e4pm.gpj.mp4",
    "🎬" * 60 + ".mp4",
    "x" * 251 + ".mp4",
    "clip.mp4#left.mp4",
    "#camera.mp4",
    "%s%n%(name)s.mp4",
    "{}{0.__class__}.mp4",
    "$(touch pwned);`touch pwned`|touch pwned.mp4",
    "[red]bold[_red].mp4",
    "file:x.mp4",
    "concat:a|b.mp4",
    "*?[a].mp4",
    "%03d.mp4",
    "~.mp4",
    os.fsdecode(b"\xff\xfe.mp4"),
)

# No program may reach the network, nor a worker of one.
_NO_NETWORK = """
import socket

open(LOG, "a").write("started\\n")

def forbidden(self, address):
    if self.family != socket.AF_UNIX:
        open(LOG, "a").write(repr(address))
        raise OSError("no network")

socket.socket.connect = socket.socket.connect_ex = forbidden
"""
HARM = "</script><img src=x onerror=alert(1)>"


def wall(n: int = 14) -> list[npt.NDArray[np.uint8]]:
    """A textured wall that passes by to the left."""
    rng = np.random.default_rng(3)
    picture = rng.integers(0, 256, (17, 40), dtype=np.uint8)
    picture = cv2.resize(picture, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    return [np.ascontiguousarray(picture[:96, 3 * i : 3 * i + 128]) for i in range(n)]


def write(path: Path) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.height, stream.width, stream.pix_fmt = 96, 128, "yuv420p"
        for image in wall():
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="gray")))
        container.mux(stream.encode())
    return path


def gif(width: int, height: int) -> bytes:
    """One picture of one point, in a canvas of any size, over and over without end."""
    size = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    loop = b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0"
    point = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return b"GIF89a" + size + b"\x80\0\0\0\0\0\xff\xff\xff" + loop + point + b";"


def fill(folder: Path, good: Path, web: str) -> dict[str, Reason | None]:
    """Everything bad at once, and what is said of it; None: it is labelled."""
    folder.mkdir()
    told: dict[str, Reason | None] = dict.fromkeys(NAMES)
    del told["--"]
    for name in told:
        shutil.copy(good, folder / name)
    files = {
        "zero.mp4": b"",
        "hls.mp4": f"#EXTM3U\n#EXTINF:1,\n{web}/hls.ts\n#EXT-X-ENDLIST\n".encode(),
        "local.mp4": f"#EXTM3U\n#EXTINF:1,\nfile:{good}\n#EXT-X-ENDLIST\n".encode(),
        "concat.mp4": f"ffconcat version 1.0\nfile '{good}'\nfile '{web}/a.mp4'\n".encode(),
        "sdp.mp4": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=video 5004 RTP 96\n",
        "dash.mp4": f'<?xml version="1.0"?><MPD><BaseURL>{web}/</BaseURL></MPD>'.encode(),
        "y4m.mp4": b"YUV4MPEG2 W60000 H60000 F25:1 Ip A1:1 C420jpeg\nFRAME\n" + bytes(99),
        "gif.mp4": gif(65535, 65535),
        "loop.mp4": gif(64, 48),
        "pickle.mp4": b"cos\nsystem\n(S'touch pwned'\ntR.",
        "shell.mp4": b"#!/bin/sh\ntouch pwned\n",
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        told[name] = Reason.NO_VIDEO
    told["gif.mp4"], told["loop.mp4"] = Reason.DECODE_ERROR, Reason.TOO_SHORT
    os.mkfifo(folder / "pipe.mp4")
    links = {
        "device.mp4": ("/dev/zero", Reason.NOT_READABLE),
        "self.mp4": ("self.mp4", Reason.NOT_READABLE),
        "nowhere.mp4": ("nothing", Reason.MISSING),
        "root.mp4": ("/", Reason.NO_VIDEO),
        "out.mp4": (good.parent, Reason.NO_VIDEO),
        "linked.mp4": (good, None),
    }
    for name, (target, reason) in links.items():
        (folder / name).symlink_to(target)
        told[name] = reason
    (folder / "up.mp4").symlink_to(".")  # where it leads is searched anyway
    (folder / "folder.mp4").mkdir()
    shutil.copy(good, folder / "folder.mp4" / "inside.mp4")
    (folder / "empty.mp4").mkdir()
    return told | {
        "pipe.mp4": Reason.NOT_READABLE,
        "socket.mp4": Reason.NOT_READABLE,
        "inside.mp4": None,
    }


@pytest.fixture(scope="module")
def web() -> Iterator[tuple[str, list[str]]]:
    """A server on this machine, and what was asked of it."""
    asked: list[str] = []

    class Serving(http.server.BaseHTTPRequestHandler):
        def handle(self) -> None:
            asked.append(str(self.client_address))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Serving) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
        server.shutdown()


@dataclass(frozen=True)
class Ran:
    """The command, once over everything bad."""

    base: Path
    out: Path
    told: dict[str, Reason | None]
    records: dict[str, dict]
    code: int
    stdout: str
    stderr: str
    seconds: float
    changed: set[str]
    connected: str
    asked: list[str]


def tree(folder: Path) -> dict[str, str]:
    """What is below a folder, in so much detail that nothing could be written unseen."""
    found = {}
    for path in folder.rglob("*"):
        status = path.lstat()
        data = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
        told = (status.st_mode, status.st_size, status.st_mtime_ns, hashlib.md5(data).hexdigest())
        found[os.fspath(path.relative_to(folder))] = str(told)
    return found


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, web: tuple[str, list[str]]) -> Ran:
    base = tmp_path_factory.mktemp("hostile")
    outside, site, out = base / "outside", base / "site", base / "run"
    outside.mkdir()
    site.mkdir()
    log = base.parent / f"{base.name}.log"
    log.write_text("")
    (site / "sitecustomize.py").write_text(f"LOG = {str(log)!r}\n{_NO_NETWORK}")
    told = fill(base / "in", write(outside / "secret.mp4"), web[0])
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(base / "in")  # the name of a socket may not be long
        try:
            listener.bind("socket.mp4")
        finally:
            os.chdir(here)
    # Quick ones: what is asked of them is to be there.
    command = [sys.executable, "-P", "-m", "dollygrip", "label", "--estimator", "global2d"]
    command += ["--classifier", "threshold"]
    before, started = tree(base), time.monotonic()
    done = subprocess.run(
        [*command, "-o", out, "--jobs", "2", "--", "../in"],
        capture_output=True,
        timeout=120,
        cwd=outside,
        env={**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"},
        check=False,
    )
    seconds = time.monotonic() - started
    after = tree(base)
    changed = {n for n in before.keys() | after.keys() if before.get(n) != after.get(n)}
    stdout, stderr = done.stdout.decode(), done.stderr.decode()
    records = [json.loads(line) for line in stdout.splitlines()]
    by_name = {os.path.basename(record["path"]): record for record in records}  # noqa: PTH119
    assert len(by_name) == len(records)
    return Ran(
        *(base, out, told, by_name, done.returncode, stdout, stderr, seconds, changed),
        *(log.read_text(), web[1]),
    )


def clean(text: str) -> bool:
    """Nothing in it is obeyed by a terminal."""
    return all(c.isprintable() or c == "\n" for c in text)


def defused(path: Path) -> bool:
    """No cell of a table is taken for a formula."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    texts = [cell for row in rows for cell in row if not _is_number(cell)]
    return not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in texts)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


class Page(HTMLParser):
    """What a browser would run or fetch of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.harm: list[str] = []
        self.feed(path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if "alert" in (value or "") and name.startswith("on"):
                self.harm.append(f"<{tag} {name}={value}>")
            if name in ("src", "href") and not (value or "").startswith(("data:", "#", "http")):
                self.harm.append(f"<{tag} {name}={value}>")
        if tag in ("svg", "img") and any("alert" in (value or "") for _, value in attrs):
            self.harm.append(tag)


@pytest.mark.slow
def test_every_clip_has_what_it_deserves(ran: Ran) -> None:
    assert sorted(ran.records) == sorted(ran.told)
    got = {
        name: record["failure"] and record["failure"]["reason"]
        for name, record in ran.records.items()
    }
    assert got == ran.told
    for name, reason in ran.told.items():
        record = ran.records[name]
        if reason is None:
            assert record["labels"] == ran.records["linked.mp4"]["labels"] != []
        else:
            message = record["failure"]["message"]
            assert message.isprintable()
            assert message.endswith(".")
            assert name in message or reason == Reason.TOO_SHORT
    assert ran.code == 2
    assert ran.seconds < 90


@pytest.mark.slow
def test_nothing_else_was_touched(ran: Ran) -> None:
    assert all(name == "run" or name.startswith("run/") for name in ran.changed), ran.changed
    held = {path.relative_to(ran.out).parts[0] for path in ran.out.rglob("*")}
    files = {"manifest.json", "results.csv", "results.jsonl", "results.parquet", "run.lock"}
    assert held == files | {"profiles", "trajectories"}
    assert not [path for path in ran.out.rglob("*") if path.is_symlink()]
    # Of the command and of its workers: all that was written is that they started.
    assert set(ran.connected.splitlines()) == {"started"}
    assert ran.connected.count("started") > 2
    assert ran.asked == []


@pytest.mark.slow
def test_what_is_printed_and_written_is_obeyed_by_nothing(ran: Ran) -> None:
    assert clean(ran.stdout)
    assert clean(ran.stderr)
    assert "Traceback" not in ran.stderr
    assert len((ran.out / "results.csv").read_text()) > 1000
    assert defused(ran.out / "results.csv")


@pytest.mark.slow
def test_what_comes_after_a_run(
    ran: Ran, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = str(ran.out)
    labels = tmp_path / "labels.csv"
    with labels.open("w", newline="", errors="surrogateescape") as file:
        writer = csv.writer(file)
        writer.writerow(("clip", "pan_right", "static", "kind"))
        for number, name in enumerate(sorted(ran.told)):
            if name.isprintable():  # what no label file can name is left out
                kind = ("=1+1", HARM, "\x1b[2J", "\u202e")[number % 4]
                writer.writerow((name, "yes" if number % 2 else "no", "no", kind))
    judged = ["--labels", "labels.csv", "--by", "kind"]
    commands = [
        ["show", run],
        ["show", "--json", run],
        ["export", run],
        ["classify", "--classifier", "threshold", run],
        ["evaluate", run, *judged, "-o", "card"],
        ["compare", run, *judged, "--clips", "60", "--resamples", "20", "--classifiers", "none"],
    ]
    for command in commands:
        code = main(command)
        said = capsys.readouterr()
        assert code in (0, 2), said.err
        assert clean(said.out), command
        assert clean(said.err), command
    tables = sorted([*tmp_path.rglob("*.csv"), ran.out / "results.csv"])
    tables.remove(labels)
    assert len(tables) > 3
    for table in tables:
        assert defused(table), table
    (page,) = tmp_path.rglob("*.html")
    assert Page(page).harm == []
    assert "onerror" in page.read_text()  # it is there, as text
    assert not [path for path in tmp_path.rglob("*") if path.name == "pwned"]


@pytest.mark.slow
def test_a_run_that_says_harm_in_every_text(
    ran: Ran, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a stranger may send it: harm where programs write plain words."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ran.out, "run")

    def harmed(value: object, key: str = "") -> object:
        if isinstance(value, dict):
            return {name: harmed(item, name) for name, item in value.items()}
        if isinstance(value, list):
            return [harmed(item, key) for item in value]
        kept = key in ("clip_id", "reason", "motion", "labels", "hash")
        return f"=1+1{HARM}\x1b[2J\u202e{value}" if isinstance(value, str) and not kept else value

    records = [json.loads(line) for line in Path("run/results.jsonl").read_text().splitlines()]
    with Path("run/results.jsonl").open("w") as file:
        for number, record in enumerate(records):
            bad = harmed(record)
            assert isinstance(bad, dict)
            places = {0: "/dev/zero", 1: "/", 2: "/etc/passwd", 3: f"=1\x1b[2J{HARM}"}
            bad["path"] = places.get(number, f"{HARM}{number}.mp4")
            file.write(json.dumps(bad) + "\n")
    manifest = harmed(json.loads(Path("run/manifest.json").read_text()))
    Path("run/manifest.json").write_text(json.dumps(manifest))
    for command in (
        ["show", "run"],
        ["show", "--json", "run"],
        ["export", "run"],
        ["compare", "run", "--clips", "60", "--resamples", "20"],
        ["classify", "--classifier", "threshold", "run"],
    ):
        code = main(command)
        said = capsys.readouterr()
        assert code in (0, 2), said.err
        assert clean(said.out), command
        assert clean(said.err), command
    for table in sorted(tmp_path.rglob("*.csv")):
        assert defused(table), table
    (page,) = tmp_path.rglob("*.html")
    assert Page(page).harm == []
    assert "onerror" in page.read_text()


@pytest.mark.slow
def test_a_view_of_a_clip_with_a_name_that_means_no_good(
    ran: Ran, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    quick = ["--estimator", "global2d", "--classifier", "threshold"]
    for name in ("-rf.mp4", "\x1b]0;title\x07\x1b[2J.mp4", os.fsdecode(b"\xff\xfe.mp4")):
        shutil.copy(ran.base / "in" / name, tmp_path / name)
        assert main(["view", *quick, "--", name]) == 0
        said = capsys.readouterr()
        assert clean(said.out + said.err)
        assert (tmp_path / f"{Path(name).stem}.view.mp4").is_file()
    os.mkfifo("pipe.mp4")
    for name in ("pipe.mp4", "/dev/zero", "/"):
        assert main(["view", *quick, "-o", "v.mp4", name]) != 0
        assert len(capsys.readouterr().err.splitlines()) == 2
    assert not Path("v.mp4").exists()


# From Python


@pytest.mark.parametrize("name", ["a\0b.mp4", "\ud800.mp4", "x" * 5000, "/dev/zero", "/", ""])
@pytest.mark.parametrize("estimator", ["flow", "poses"])
def test_a_path_that_is_no_clip_has_a_failed_record(name: str, estimator: str) -> None:
    for given in (name, Path(name)):
        record = dollygrip.label_clip(given, estimator=estimator)
        assert record.failure is not None
        assert record.failure.message.isprintable()
        json.dumps(record.to_dict())


@pytest.mark.parametrize("path", [None, b"clip.mp4", 5, True])
def test_what_is_no_path_is_the_callers_mistake(path: object) -> None:
    with pytest.raises(TypeError, match="PathLike"):
        dollygrip.label_clip(path)
    with pytest.raises(TypeError, match="PathLike"):
        dollygrip.load_results(path)
    with pytest.raises(TypeError):
        list(dollygrip.label_folder(path))


@pytest.mark.parametrize(
    "given",
    [
        {"estimator": None},
        {"estimator": 5},
        {"classifier": b"learned"},
        {"settings": 5},
        {"settings": b"a.toml"},
        {"settings": "a\0b"},
        {"settings": {5: {}}},
        {"settings": {"estimator": 5}},
        {"settings": {"estimator": {5: {}}}},
        {"settings": {"estimator": {"flow": {5: 1}}}},
        {"settings": {"estimator": {"flow": {"rate": float("nan")}}}},
        {"settings": {"estimator": {"flow": {"rate": 10**400}}}},
        {"settings": {"estimator": {"flow": {"window": 16**5000}}}},
    ],
)
def test_odd_choices_are_refused_in_words(given: dict) -> None:
    with pytest.raises(SettingsError) as caught:
        dollygrip.label_clip("clip.mp4", **given)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("run", ["a\0b", "\ud800", "x" * 5000, "/dev/zero", "/dev/null/x"])
def test_a_run_that_is_no_folder(run: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((StoreError, OSError)):
        dollygrip.load_results(run)
    with pytest.raises((StoreError, OSError)):
        list(dollygrip.classify_run(run))
    with pytest.raises((StoreError, OSError)):
        RunStore(run)


# Pose files


def poses() -> dict[str, bytes]:
    """Small files that would fill the memory, or run what is in them."""
    head = b"\x93NUMPY\x01\x00\x76\x00"
    huge = b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 4, 4), }"
    objects = b"{'descr': '|O', 'fortran_order': False, 'shape': (5, 4, 4), }"
    zeros = b"{'descr': '<f8', 'fortran_order': False, 'shape': (5, 4, 4), }"
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file:
        file.writestr("poses.npy", head + zeros.ljust(117) + b"\n" + bytes(2**26))
    return {
        "transforms.json": b'{"frames": ' + b"[" * 100_000,
        "wide.json": b'{"camera_angle_x": 1, "frames": [' + b"{}," * 20_000_000 + b"{}]}",
        "digits.json": b'{"frames": [' + b"9" * 100_000 + b"]}",
        "huge.npy": head + huge.ljust(117) + b"\n",
        "objects.npy": head + objects.ljust(117) + b"\ncos\nsystem\n(S'touch pwned'\ntR.",
        "zip.npz": archive.getvalue(),
        "line.txt": b"0 1 2 3 0 0 0 1\n" + b"1 " * 3_000_000,
        "nan.txt": b"nan inf 2 3 0 0 0 1\n" * 5,
        "table.csv": b"=1+1,\x1b[2J\n" * 9,
        "zeros.chan": bytes(100_000),
    }


def test_poses_that_are_bombs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in poses().items():
        (tmp_path / name).write_bytes(content)
        started = time.process_time()
        record = dollygrip.label_clip(name, estimator="poses")
        assert record.failure is not None, name
        assert record.failure.message.isprintable(), name
        assert len(record.failure.message) < 500, name
        assert time.process_time() - started < 3.0, name
    assert not (tmp_path / "pwned").exists()


# The page


def test_harm_is_seen(tmp_path: Path) -> None:
    """Of the test's own eyes, or else its pages could not fail."""
    page = tmp_path / "page.html"
    page.write_text(f"<script>const a = '{HARM}'</script>")
    assert Page(page).harm
    page.write_text("<p>&lt;img src=x onerror=alert(1)&gt;</p><a href='#a'>a</a>")
    assert not Page(page).harm
    (tmp_path / "a.csv").write_text("a,b\n=1,2\n")
    assert not defused(tmp_path / "a.csv")
