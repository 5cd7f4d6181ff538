"""The comparison of estimators, from verdicts made up by hand and from clips."""

import csv
import json
from pathlib import Path

import pytest

from benchmarks import accuracy
from benchmarks.__main__ import main
from benchmarks.labelling import Verdict
from dollygrip.runners.rendering import make_samples


def _cells(text: str) -> dict[str, list[str]]:
    """Rows of all tables by their first cell."""
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    return {first.strip(): [cell.strip() for cell in rest] for first, *rest in rows}


def test_a_missing_folder_is_one_line_and_exit_code_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accuracy", str(tmp_path / "none")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_report_has_every_estimator_side_by_side(truth, said) -> None:
    truths = [truth("a", "pan_left", kind="real"), truth("b")]
    right = accuracy.result("flow", truths, [said("pan_left", pan_left=1.0), said()])
    wrong = accuracy.result("global2d", truths, [said(), said("zoom_in", pan_left=1.0)])
    cells = _cells(accuracy.tables([right, wrong]))
    assert cells["exact label set"] == ["1.000", "0.000"]
    assert cells["pan_left"] == ["1.000", "0.500"]
    assert cells["still cameras called static"] == ["-", "-"]
    assert cells["kind: real"] == ["1", "0.000", "-", "-", "0.000", "0.000"]
    assert _cells(accuracy.clip_lists([right, wrong]))["b"] == ["-", "zoom_in", "+zoom_in", "0.00"]


def test_the_report_tells_of_pairs_and_of_confidence(truth, said) -> None:
    truths = [truth("a", "zoom_in"), truth("b", "zoom_in"), truth("c", unsure=("pan_left",))]
    verdicts = [
        said("zoom_in", zoom_in=0.9, trust=0.9),
        said("dolly_in", dolly_in=0.9, trust=0.6),
        said(trust=0.5),
    ]
    result = accuracy.result("flow", truths, verdicts)
    cells = _cells(accuracy.tables([result]))
    assert cells["zoom or dolly"] == ["2", "0.500", "0.000", "0", "-", "-"]
    assert cells["confidently wrong"] == ["0.333"]
    assert cells["mean trust of right clips"] == ["0.700"]
    assert "1. b" in accuracy.clip_lists([result])


def test_scores_are_dumped_one_row_a_clip_and_estimator(truth, tmp_path: Path) -> None:
    truths = [truth("a", "pan_left"), truth("b")]
    said = [
        Verdict(("pan_left",), {"pan_left": 0.9}, amounts={"pan_deg": 12.5}),
        Verdict(failure="too_short: one frame"),
    ]
    table = tmp_path / "scores.csv"
    accuracy.write_scores(table, truths, {"flow": said})
    with table.open(newline="") as file:
        first, second = csv.DictReader(file)
    assert (first["truth pan_left"], first["label pan_left"]) == ("yes", "1")
    assert (float(first["score pan_left"]), float(first["pan_deg"])) == (0.9, 12.5)
    assert second["failure"].startswith("too_short")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sample clips, of which one that labels.csv names is missing."""
    folder = tmp_path_factory.mktemp("samples")
    make_samples(folder)
    (folder / "zoom_in.mp4").unlink()
    return folder


@pytest.mark.slow
def test_clips_are_labelled_scored_and_reported(samples: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = ["accuracy", str(samples), "--estimators", "global2d", "--only", "[ps]*", "--jobs=1"]
    command += ["--out", str(out), "--cache", str(tmp_path / "kept")]
    assert main([*command, "--scores", str(tmp_path / "scores.csv")]) == 0
    (first,) = json.loads((out / "accuracy.json").read_text())
    aps = {label["label"]: label["ap"]["value"] for label in first["evaluation"]["labels"]}
    assert aps["pan_right"] == 1.0
    assert first["evaluation"]["failure_rate"] == 0.0
    assert "pan_right" in (out / "accuracy.md").read_text()
    assert "pan_right.mp4" in (tmp_path / "scores.csv").read_text()

    # The second run estimates nothing and says the same.
    assert main(command) == 0
    (again,) = json.loads((out / "accuracy.json").read_text())
    assert first.pop("seconds") > 0
    assert again.pop("seconds") is None
    assert again == first


@pytest.mark.slow
def test_a_clip_that_is_not_there_costs_only_itself(samples: Path, tmp_path: Path) -> None:
    command = ["accuracy", str(samples), "--estimators", "global2d", "--only", "[zt][oi]*"]
    assert main([*command, "--jobs=1", "--out", str(tmp_path)]) == 0
    (result,) = json.loads((tmp_path / "accuracy.json").read_text())
    found = result["evaluation"]
    assert (found["clips"], found["failure_rate"]) == (2, 0.5)
    assert any(wrong["clip"] == "zoom_in.mp4" for wrong in result["wrong"])
