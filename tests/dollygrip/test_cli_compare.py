"""The command that puts systems side by side."""

import csv
import shutil
from pathlib import Path

import pytest

from dollygrip.cli import main
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.formats.catalog import pose_format
from dollygrip.runners.formats.path import CameraPath
from dollygrip.runners.report.tables import DASH

MOVES = ("pan_left", "tilt_up", "dolly_in")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run of three camera paths in ``run``, and their labels in ``labels.csv``."""
    folder = tmp_path_factory.mktemp("labelled")
    (folder / "poses").mkdir()
    tum = pose_format("tum")
    lines = ["clip,kind," + ",".join(MOVES)]
    for move in MOVES:
        amount = 0.3 if move == "dolly_in" else 12.0
        path = camera_path([Move(move, amount)], duration=2.0, rate=8.0)
        tum.write(folder / "poses" / f"{move}.txt", CameraPath.of(path), tum.convention)
        told = ("yes" if move == other else "no" for other in MOVES)
        lines.append(f"{move}.txt,{move[:3]}," + ",".join(told))
    (folder / "labels.csv").write_text("\n".join([*lines, ""]))
    run = str(folder / "run")
    assert main(["label", "--poses", str(folder / "poses"), "-o", run, "--jobs", "1"]) == 0
    return folder


def test_writes_a_report_and_names_the_file_to_open(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    labels = str(labelled / "labels.csv")
    command = ["compare", str(labelled / "run"), "--labels", labels, "--published", "camerabench"]
    options = ["--classifiers", "threshold", "--by", "kind", "--clips", "2", "--resamples", "20"]
    assert main([*command, *options, "-o", str(out)]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    first, last = told.err.splitlines()
    assert first == "comparing 2 systems: poses + learned, poses + threshold"
    assert last.startswith(f"open {out / 'report.html'}")
    names = {"clips.csv", "labels.csv", "report.html", "report.md", "systems.csv"}
    assert {file.name for file in out.iterdir()} == names
    page = (out / "report.html").read_text("utf-8")
    assert page.count('<article class="clip"') == 2
    assert "1 are not shown" in page


def test_says_that_nothing_is_known_of_accuracy_without_labels(
    labelled: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(labelled / "run")
    assert main(["compare", run, "-o", str(tmp_path), "--published", "camerabench"]) == 0
    told = capsys.readouterr().err
    assert "without --labels no accuracy can be given" in told
    said = (tmp_path / "report.md").read_text("utf-8")
    ours = next(line for line in said.splitlines() if line.startswith("| 1. poses"))
    assert ours.split("|")[2:6] == [f" {DASH} "] * 4
    assert "MegaSaM" in said
    assert "no numbers to stand beside them" in said
    assert main(["compare", run, "-o", str(tmp_path)]) == 0
    assert "average precision" not in (tmp_path / "report.md").read_text("utf-8").lower()


def test_damaged_motion_costs_its_own_clip(labelled: Path, tmp_path: Path) -> None:
    run = shutil.copytree(labelled / "run", tmp_path / "run")
    damaged = min((run / "trajectories").iterdir())
    damaged.write_bytes(damaged.read_bytes()[:100])
    out = tmp_path / "out"
    assert main(["compare", str(run), "--classifiers", "threshold", "-o", str(out)]) == 0
    own, anew = csv.DictReader((out / "systems.csv").open(encoding="utf-8"))
    assert (own["failed"], anew["failed"]) == ("0", "1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no-run"], "no-run holds no run"),
        (["run", "--labels", "none.csv"], "none.csv"),
        (["run", "--labels", "labels.csv", "--published", "none.csv"], "none.csv"),
        (["run", "--classifiers", "guess"], "no classifier is called 'guess'"),
        (["run", "run/"], "given twice"),
        (["run", "--labels", "other.csv"], "has none of the 1 clips"),
        (["run", "-o", "labels.csv"], "labels.csv"),
    ],
)
def test_errors_are_one_line(
    arguments: list[str],
    message: str,
    labelled: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(labelled)
    Path("other.csv").write_text("clip,pan_left\nzebra.mp4,yes\n")
    assert main(["compare", "--resamples", "2", *arguments]) == 1
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("error: ")
    assert message in last
