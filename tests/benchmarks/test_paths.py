"""Named camera paths: what is scored, and what must not change the labels."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.paths import CHANGES, judge, read_manifest, truth_of
from dollygrip.geometry.synthetic import Move, camera_path
from dollygrip.runners.formats.catalog import pose_format
from dollygrip.runners.formats.path import CameraPath

PATHS = {
    "left.txt": ("pan_left", [Move("pan_left", 20.0)]),
    "in.txt": ("dolly_in (source Zoom/In)", [Move("dolly_in", 0.4)]),
    "turned.txt": ("roll 60 deg (source ACW)", [Move("roll_ccw", 60.0)]),
    "round.txt": ("arc (source: orbit left)", [Move("arc_cw", 60.0)]),
    "walk.txt": ("walk into a bedroom; see stats", [Move("dolly_in", 0.4)]),
}
COLUMNS = {"right": "-1", "pan_right": "60", "roll_cw": "-60", "notes": ""}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tum = pose_format("tum")
    rows = []
    for name, (intended, moves) in PATHS.items():
        path = camera_path(moves, duration=1.5)
        tum.write(tmp_path / name, CameraPath.of(path), tum.convention)
        rows.append({"file": name, "intended": intended, **COLUMNS})
    mirrored = np.tile(np.diag([-1.0, 1.0, 1.0, 1.0])[:3], (5, 1, 1)).reshape(5, 12)
    np.savetxt(tmp_path / "mirrored.txt", mirrored)
    rows.append({"file": "mirrored.txt", "intended": "pan_left", **COLUMNS})
    rows[-1]["notes"] = "WARNING det(R) not +1"
    with (tmp_path / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return tmp_path


def test_every_named_path_is_right_under_every_change(folder: Path) -> None:
    outcomes = {path.file: judge(folder, path) for path in read_manifest(folder)}
    scored = [o for o in outcomes.values() if o.path.truth is not None]
    assert len(scored) == 5
    assert all(outcome.right for outcome in scored)
    assert all(all(outcome.kept.values()) for outcome in outcomes.values())
    assert outcomes["mirrored.txt"].said is None
    assert outcomes["walk.txt"].path.truth is None


def test_a_wrong_name_is_seen(folder: Path) -> None:
    (left,) = [path for path in read_manifest(folder) if path.file == "left.txt"]
    assert not judge(folder, replace(left, truth=frozenset(["pan_right"]))).right
    assert not judge(folder, replace(left, refused=True)).right


@pytest.mark.parametrize(
    ("intended", "columns", "meant"),
    [
        ("truck_left (truck; source calls it pan)", {}, {"truck_left"}),
        ("stationary", {}, {"static"}),
        ("roll (source: clockwise)", {"roll_cw": "90"}, {"roll_cw"}),
        ("arc + in", {"right": "1", "pan_right": "-78"}, {"truck_right", "pan_left", "dolly_in"}),
        ("car: straight forward (pure dolly_in)", {}, {"dolly_in"}),
        ("MAV (drone) flight, mixed", {}, None),
        ("", {}, None),
    ],
)
def test_what_a_manifest_means(
    intended: str, columns: dict[str, str], meant: set[str] | None
) -> None:
    truth = truth_of({"intended": intended, **COLUMNS, **columns})
    assert truth == (None if meant is None else frozenset(meant))


def test_the_report_has_a_share_for_everything(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["paths", str(folder), "--out", str(folder / "out")]) == 0
    text = capsys.readouterr().out
    assert "named moves right" in text
    assert all(name in text for name in CHANGES)
    assert "1.000" in text
    with (folder / "out" / "paths.csv").open() as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    assert rows["mirrored.txt"]["said"] == "refused"
    assert rows["left.txt"]["said"] == "pan_left"


def test_a_folder_without_a_manifest_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["paths", str(tmp_path)]) == 1
    assert "manifest.csv" in capsys.readouterr().err
