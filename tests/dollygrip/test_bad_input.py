"""What people really pass: one run over all of it, with the default estimator."""

import json
import os
import shutil
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import av
import cv2
import jsonschema
import numpy as np
import numpy.typing as npt
import pytest

from dollygrip.classifiers.reliability import Reason
from dollygrip.cli import main

Image = npt.NDArray[np.uint8]

# Clips of one good second under names that shells, terminals, spreadsheets and pages trip over.
NAMES = (
    "with spaces.mp4",
    "quotes\"'`$(id).mp4",
    "new\nline.mp4",
    "escape\x1b[2J.mp4",
    "日本語 🎬 \u202eright-to-left.mp4",
    "-rf.mp4",
    "--help.mp4",
    "<script>alert(1)</script>.mp4".replace("/", "_"),
    "[red]markup[_red].mp4",
    "=1+1.mp4",
    os.fsdecode(b"latin-\xe9.mp4"),
)


@dataclass(frozen=True)
class Run:
    """One run of the command over everything bad."""

    folder: Path
    out: Path
    code: int
    records: dict[str, dict]
    stdout: str
    stderr: str


def panning(size: tuple[int, int] = (128, 96), n: int = 14) -> list[Image]:
    """A textured wall that passes by."""
    rng = np.random.default_rng(3)
    width, height = size
    wall = rng.integers(0, 256, (height // 6 + 1, (width + 4 * n) // 6 + 1), dtype=np.uint8)
    wall = cv2.resize(wall, None, fx=6, fy=6, interpolation=cv2.INTER_CUBIC)
    return [np.ascontiguousarray(wall[:height, 3 * i : 3 * i + width]) for i in range(n)]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    base = tmp_path_factory.mktemp("bad")
    folder, out = base / "in", base / "run"
    make_all(folder)
    stdout, stderr = base / "stdout", base / "stderr"
    with pytest.MonkeyPatch.context() as patch, stdout.open("w") as o, stderr.open("w") as e:
        patch.setattr("sys.stdout", o)
        patch.setattr("sys.stderr", e)
        missing = str(base / "missing.mp4")
        code = main(["label", "-o", str(out), "--jobs", "2", "--", str(folder), missing])
    records = [json.loads(line) for line in stdout.read_text().splitlines()]
    by_name = {os.path.basename(record["path"]): record for record in records}  # noqa: PTH119
    assert len(by_name) == len(records)
    return Run(folder, out, code, by_name, stdout.read_text(), stderr.read_text())


def make_all(folder: Path) -> None:
    folder.mkdir()
    good = panning()
    write(folder / "good.mp4", good)
    for name in NAMES:
        shutil.copy(folder / "good.mp4", folder / name)
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("This is not a video.\n" * 100)
    write_audio(folder / "audio.mp4")
    write(folder / "torn.mp4", [*panning(n=40)])
    whole = (folder / "torn.mp4").read_bytes()
    (folder / "torn.mp4").write_bytes(whole[: int(len(whole) * 0.7)])
    write(folder / "one_frame.mp4", good[:1])
    write(folder / "two_frames.mp4", good[:2])
    write(folder / "colour.mp4", [np.full((96, 128), 128, np.uint8)] * 14)
    write(folder / "black.mp4", [np.zeros((96, 128), np.uint8)] * 14)
    write(folder / "equal.mp4", good[:1] * 14)
    write(folder / "tiny.mp4", panning((16, 16)))
    write(folder / "8k.mkv", panning((7680, 4320), n=4), codec="mjpeg")
    (folder / "dangling.mp4").symlink_to("nowhere.mp4")
    (folder / "loop.mp4").symlink_to("loop.mp4")
    os.mkfifo(folder / "pipe.mp4")
    (folder / "locked.mp4").write_bytes(whole)
    (folder / "locked.mp4").chmod(0)
    (folder / "notes.txt").write_text("not listed")


def write(path: Path, images: list[Image], codec: str = "libx264") -> None:
    options = {"movflags": "faststart"} if path.suffix == ".mp4" else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=12)
        stream.height, stream.width = images[0].shape
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="gray")))
        container.mux(stream.encode())


def write_audio(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        for _ in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate = 44100
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def test_each_gets_exactly_one_valid_record(run):
    expected = {path.name for path in run.folder.iterdir() if path.suffix != ".txt"}
    assert set(run.records) == {*expected, "missing.mp4"}
    schema = json.loads((files("dollygrip.classifiers") / "data/record.schema.json").read_text())
    for record in run.records.values():
        jsonschema.validate(record, schema)


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("missing.mp4", {Reason.MISSING}),
        ("dangling.mp4", {Reason.MISSING}),
        ("loop.mp4", {Reason.MISSING, Reason.NOT_READABLE}),
        ("pipe.mp4", {Reason.NOT_READABLE}),
        ("empty.mp4", {Reason.NO_VIDEO}),
        ("text.mp4", {Reason.NO_VIDEO}),
        ("audio.mp4", {Reason.NO_VIDEO}),
        ("one_frame.mp4", {Reason.TOO_SHORT}),
        ("two_frames.mp4", {Reason.TOO_SHORT}),
        ("colour.mp4", {Reason.NO_TEXTURE}),
        ("black.mp4", {Reason.TOO_DARK}),
        ("tiny.mp4", {Reason.TOO_SMALL}),
    ],
)
def test_what_cannot_be_labelled_says_why(run, name, reasons):
    record = run.records[name]
    assert record["failure"] is not None
    assert record["failure"]["reason"] in reasons
    message = record["failure"]["message"]
    assert len(message.splitlines()) == 1
    assert record["labels"] == []
    assert record["scores"] == {}


def test_of_each_kind_of_failure_one_is_named(run):
    reasons = [r["failure"]["reason"] for r in run.records.values() if r["failure"]]
    for reason in set(reasons):
        told = f"failed: {reasons.count(reason)} {reason}, such as {run.folder}/"
        assert told in run.stderr


def test_no_permission(run):
    record = run.records["locked.mp4"]
    if os.access(run.folder / "locked.mp4", os.R_OK):
        pytest.skip("this user may read everything")
    assert record["failure"]["reason"] == Reason.NOT_READABLE


def test_a_torn_clip_is_labelled_with_a_doubt(run):
    record = run.records["torn.mp4"]
    assert record["failure"] is None
    assert Reason.DECODE_ERROR in {doubt["reason"] for doubt in record["doubts"]}


def test_a_still_picture_is_told_apart_from_a_still_camera(run):
    record = run.records["equal.mp4"]
    if record["failure"]:
        assert record["failure"]["reason"] == Reason.FROZEN
    else:
        assert record["labels"] == ["static"]
        assert Reason.FROZEN in {doubt["reason"] for doubt in record["doubts"]}


def test_8k_is_labelled(run):
    record = run.records["8k.mkv"]
    assert record["provenance"]["video"]["size"] == [7680, 4320]
    assert record["failure"] is None or record["failure"]["reason"] == Reason.TOO_SHORT


def test_names_change_nothing(run):
    good = run.records["good.mp4"]
    assert good["failure"] is None
    ids = set()
    for name in NAMES:
        record = run.records[name]
        assert record["path"] == str(run.folder / name)
        assert (record["labels"], record["scores"]) == (good["labels"], good["scores"])
        assert (run.out / "trajectories" / f"{record['clip_id']}.npz").is_file()
        ids.add(record["clip_id"])
    assert len(ids) == len(NAMES)


def test_some_failed_and_the_screen_stays_clean(run):
    assert run.code == 2
    assert "Traceback" not in run.stderr
    for text in (run.stdout, run.stderr):
        assert all(c.isprintable() or c == "\n" for c in text)
    failed = sum(record["failure"] is not None for record in run.records.values())
    assert f" labelled, {failed} failed; " in run.stderr


@pytest.mark.parametrize("folder", ["nothing", "only_text"])
def test_a_folder_without_video_is_one_line(tmp_path, capsys, folder):
    (tmp_path / "nothing").mkdir()
    (tmp_path / "only_text").mkdir()
    (tmp_path / "only_text" / "readme.txt").write_text("text")
    out = tmp_path / "run"
    assert main(["label", str(tmp_path / folder), "-o", str(out)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert folder in said.err
    assert not out.exists()
