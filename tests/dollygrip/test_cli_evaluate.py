"""The command that scores a run against labels."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dollygrip.cli import main
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.formats.catalog import pose_format
from dollygrip.runners.formats.path import CameraPath

MOVES = ("pan_left", "pan_right", "tilt_up", "dolly_in")
TUM = pose_format("tum")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of 8 camera paths in ``run``, and their labels in ``labels.csv``."""
    folder = tmp_path_factory.mktemp("labelled")
    poses = folder / "poses"
    poses.mkdir()
    lines = ["clip,kind," + ",".join(MOVES)]
    for i in range(8):
        move = MOVES[i % 4]
        amount = 0.1 + 0.02 * i if move == "dolly_in" else 8.0 + i
        path = camera_path([Move(move, amount)], duration=2.0, rate=8.0)
        TUM.write(poses / f"c{i}.txt", CameraPath.of(path), TUM.convention)
        lines.append(f"c{i}.txt,made," + ",".join("yes" if m == move else "no" for m in MOVES))
    (folder / "labels.csv").write_text("\n".join([*lines, ""]))
    (folder / "more.csv").write_text("\n".join([*lines, "\tgone\x1b.txt,,no,no,no,no", ""]))
    (folder / "others.csv").write_text("clip,pan_left\nz.txt,yes\n")
    run = str(folder / "run")
    assert main(["label", "--poses", str(poses), "-o", run, "--jobs", "1"]) == 0
    return folder


@pytest.fixture
def evaluate(labelled: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Runs the command in the folder."""
    monkeypatch.chdir(labelled)
    return lambda *options: main(["evaluate", *options, "--resamples", "20"])


def test_a_pipe_gets_one_json_object(
    evaluate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("run", "--labels", "labels.csv", "--by", "kind") == 0
    said = capsys.readouterr()
    data = json.loads(said.out)
    assert (data["clips"], data["missing"], data["failed"]) == (8, 0, 0)
    assert data["mean_ap"]["value"] == data["exact"]["value"] == 1.0
    assert data["groups"]["kind: made"]["clips"] == 8
    assert said.err == ""


def test_a_terminal_gets_tables(
    evaluate: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "200")  # a narrower terminal breaks lines
    assert evaluate("run", "--labels", "labels.csv", "--against", "run") == 0
    told = capsys.readouterr().out
    for words in ("mean AP, failed last", "pan_left", "kind: made", "pan or truck", "p "):
        assert words in told


def test_clips_without_a_record_are_told_of(
    evaluate: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("run", "--labels", "more.csv") == 0
    said = capsys.readouterr()
    assert "1 of 9 labelled clips have no record in run (first: gone\\x1b.txt)" in said.err
    assert json.loads(said.out)["missing"] == 1


def test_files_are_written_and_evaluated_in_turn(
    evaluate: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate("run", "--labels", "labels.csv", "-o", str(tmp_path / "out")) == 0
    first = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text()) == first
    assert evaluate(str(tmp_path / "out" / "official"), "--labels", "labels.csv") == 0
    again = json.loads(capsys.readouterr().out)
    assert again["mean_ap"] == first["mean_ap"]
    assert again["exact"]["value"] is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["poses", "--labels", "labels.csv"], "poses holds no run"),
        (["run", "--labels", "none.csv"], "none.csv: No such file"),
        (["run", "--labels", "others.csv"], "an answer for none of the 1 labelled clips"),
        (["run", "--labels", "labels.csv", "--by", "x"], "labels.csv: no clip has anything in"),
        (["labels.csv", "--labels", "labels.csv"], "labels.csv"),
        (["run", "--labels", "labels.csv", "-o", "labels.csv"], "labels.csv: File exists"),
    ],
    ids=["no run", "no labels", "other clips", "no column", "no scores", "no folder"],
)
def test_what_cannot_be_evaluated_is_one_line(
    evaluate: Callable[..., int],
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert evaluate(*options) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert len(said.err.splitlines()) == 1
