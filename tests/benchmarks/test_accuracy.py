"""Scoring of labels against the truth, on verdicts made up by hand."""

import csv
import json
from pathlib import Path

import pytest

from benchmarks import accuracy
from benchmarks.__main__ import main
from benchmarks.labelling import Verdict
from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.runners.rendering import make_samples


def _truth(clip: str, *yes: str, unsure: tuple[str, ...] = (), groups: tuple[str, ...] = ()):
    answers = {name: None if name in unsure else name in yes for name in PRIMITIVES}
    return accuracy.Truth(clip, Path(clip), answers, groups)


def _said(*labels: str, seconds: float = 1.0, **scores: float) -> Verdict:
    return Verdict(labels, {name: 0.0 for name in PRIMITIVES} | scores, seconds=seconds)


def _folder(path: Path, *rows: dict[str, str], columns: tuple[str, ...] = ()) -> Path:
    with (path / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["clip", *PRIMITIVES, *columns])
        writer.writeheader()
        writer.writerows(dict.fromkeys(PRIMITIVES, "no") | row for row in rows)
    return path


def test_a_perfect_ranking_with_right_labels_scores_one() -> None:
    truths = [_truth("a", "pan_left"), _truth("b", "static")]
    said = [_said("pan_left", pan_left=0.9), _said("static", static=0.8)]
    scores = accuracy.measure(truths, said)
    assert (scores.mean_ap, scores.exact, scores.macro_f1, scores.failed) == (1, 1, 1, 0)
    assert set(scores.average_precision) == {"pan_left", "static"}


def test_average_precision_is_the_mean_precision_at_each_positive() -> None:
    truths = [_truth("a", "pan_left"), _truth("b"), _truth("c", "pan_left")]
    said = [_said(pan_left=0.9), _said(pan_left=0.5), _said(pan_left=0.1)]
    expected = (1 / 1 + 2 / 3) / 2
    assert accuracy.measure(truths, said).average_precision["pan_left"] == pytest.approx(expected)


def test_unsure_counts_neither_way() -> None:
    truths = [
        _truth("a", "pan_left"),
        _truth("b"),
        _truth("c", unsure=("pan_left",)),
    ]
    said = [_said("pan_left", pan_left=0.5), _said(), _said("pan_left", pan_left=0.9)]
    scores = accuracy.measure(truths, said)
    assert scores.average_precision["pan_left"] == 1.0
    assert scores.exact == 1.0


def test_a_failed_clip_ranks_below_the_lowest_score_and_is_not_exact() -> None:
    truths = [_truth("a", "pan_left"), _truth("b"), _truth("c")]
    said = [Verdict(failure="too_short"), _said(pan_left=0.0), _said(pan_left=0.0)]
    scores = accuracy.measure(truths, said)
    assert scores.average_precision["pan_left"] == pytest.approx(1 / 3)
    assert scores.exact == pytest.approx(2 / 3)
    assert scores.failed == pytest.approx(1 / 3)


def test_a_failed_still_clip_is_not_right_by_saying_nothing() -> None:
    assert accuracy.mistakes(_truth("a"), Verdict(failure="decode_error"))


def test_mistakes_name_what_is_missing_and_what_is_too_much() -> None:
    truth = _truth("a", "pan_left", unsure=("roll_cw",))
    said = _said("pan_right", "roll_cw", "shaky")
    assert accuracy.mistakes(truth, said) == ("-pan_left", "+pan_right")


def test_groups_are_scored_on_their_own_clips() -> None:
    truths = [
        _truth("a", "pan_left", groups=("kind: real",)),
        _truth("b", groups=("kind: real",)),
        _truth("c", "pan_left", groups=("tag: fast",)),
    ]
    said = [_said("pan_left", pan_left=0.9), _said(), _said()]
    result = accuracy.result("flow", truths, said)
    assert result.groups["kind: real"].exact == 1.0
    assert result.groups["tag: fast"].exact == 0.0
    assert [wrong["clip"] for wrong in result.wrong] == ["c"]


def test_truth_is_read_with_its_groups(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path,
        {"clip": "a.mp4", "static": "yes", "kind": "real", "tags": "fastlowlighthandheld"},
        {"clip": "b.mp4", "roll_cw": "unsure", "kind": "real", "derived": "mirror"},
        columns=("kind", "derived", "tags"),
    )
    first, second = accuracy.read_truth(folder)
    assert first.answers["static"] is True
    assert first.answers["pan_left"] is False
    assert second.answers["roll_cw"] is None
    assert first.groups == ("kind: real", "tag: fast", "tag: lowlight", "tag: handheld")
    assert second.groups == ("derived copies",)


def test_clips_can_be_chosen(tmp_path: Path) -> None:
    folder = _folder(tmp_path, {"clip": "a1"}, {"clip": "b"}, {"clip": "a2"})
    assert [t.clip for t in accuracy.read_truth(folder, only="a*")] == ["a1", "a2"]
    assert [t.clip for t in accuracy.read_truth(folder, limit=2)] == ["a1", "b"]


@pytest.mark.parametrize(
    ("row", "only", "message"),
    [
        ({"clip": "a", "static": "maybe"}, "*", "a: static is 'maybe'"),
        ({"clip": "a"}, "z*", "no clip"),
    ],
)
def test_a_bad_table_is_an_error_in_words(
    tmp_path: Path, row: dict[str, str], only: str, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy.read_truth(_folder(tmp_path, row), only)


def test_a_table_without_a_primitive_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("clip,static\na,yes\n")
    with pytest.raises(ValueError, match="pan_left"):
        accuracy.read_truth(tmp_path)


def test_a_missing_folder_is_one_line_and_exit_code_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["accuracy", str(tmp_path / "none")]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_report_has_every_estimator_side_by_side() -> None:
    truths = [_truth("a", "pan_left", groups=("kind: real",)), _truth("b")]
    right = accuracy.result("flow", truths, [_said("pan_left", pan_left=1.0), _said()])
    wrong = accuracy.result("global2d", truths, [_said(), _said("zoom_in", pan_left=1.0)])
    lines = accuracy.render([right, wrong]).splitlines()
    cells = {line.split("|")[1].strip(): line for line in lines if line.startswith("|")}
    assert [cell.strip() for cell in cells["exact label set"].split("|")[2:4]] == ["1.000", "0.000"]
    assert [cell.strip() for cell in cells["pan_left"].split("|")[2:4]] == ["1.000", "0.500"]
    assert "+zoom_in" in cells["b"]


def test_the_json_has_null_where_there_is_no_number() -> None:
    scores = accuracy.measure([_truth("a")], [_said()])
    plain = accuracy.to_json({"scores": [scores.mean_ap, scores.exact]})
    assert json.loads(json.dumps(plain, allow_nan=False)) == {"scores": [None, 1.0]}


def test_scores_are_dumped_one_row_a_clip_and_estimator(tmp_path: Path) -> None:
    truths = [_truth("a", "pan_left"), _truth("b")]
    said = [
        Verdict(("pan_left",), {"pan_left": 0.9}, {"pan_deg": 12.5}),
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
    assert first["overall"]["average_precision"]["pan_right"] == 1.0
    assert first["overall"]["failed"] == 0.0
    assert "pan_right" in (out / "accuracy.md").read_text()
    assert "pan_right.mp4" in (tmp_path / "scores.csv").read_text()

    # The second run estimates nothing and says the same.
    assert main(command) == 0
    (again,) = json.loads((out / "accuracy.json").read_text())
    assert first["overall"].pop("seconds") > 0
    assert again["overall"].pop("seconds") is None
    assert again["overall"] == first["overall"]


@pytest.mark.slow
def test_a_clip_that_is_not_there_costs_only_itself(samples: Path, tmp_path: Path) -> None:
    command = ["accuracy", str(samples), "--estimators", "global2d", "--only", "[zt][oi]*"]
    assert main([*command, "--jobs=1", "--out", str(tmp_path)]) == 0
    (result,) = json.loads((tmp_path / "accuracy.json").read_text())
    assert (result["overall"]["clips"], result["overall"]["failed"]) == (2, 0.5)
    assert any(wrong["clip"] == "zoom_in.mp4" for wrong in result["wrong"])
