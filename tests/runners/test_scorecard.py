"""What an evaluation found, as tables and files."""

import csv
import json
import math

import pytest

from dollygrip.classifiers.labels import BY_NAME, PRIMITIVES
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.runners.formats.jsonl import dumps
from dollygrip.runners.formats.scores import read_scores
from dollygrip.runners.official import as_systems
from dollygrip.runners.scorecard import (
    make_scorecard,
    tables,
    to_dict,
    to_markdown,
    write_scorecard,
)

FEW = 20  # resamples


def record(name, *labels, failure=None, classifier="learned", **scores):
    """A record of a run."""
    about = {"content": None, "estimator": {"name": "flow", "hash": "e"}}
    about["classifier"] = {"name": classifier, "hash": "c"}
    if failure:
        whole = ShotLabels(0.0, 0.0, failure=Failure(Reason.TOO_DARK, failure))
    else:
        whole = ShotLabels(0.0, 1.0, labels, dict.fromkeys(BY_NAME, 0.1) | scores, caption="It is.")
    return ClipLabels(name, f"{name}.mp4", whole, (whole,), about)


def run(folder, *records):
    """A run folder."""
    folder.mkdir()
    lines = [dumps(one.to_dict()) + "\n" for one in records]
    (folder / "results.jsonl").write_text("".join(lines))
    return folder


@pytest.fixture
def ours(tmp_path):
    """A run of four clips, one of which failed."""
    return run(
        tmp_path / "ours",
        record("a.1.0", "pan_left", pan_left=0.9, zoom_in=0.2),
        record("b.1.0", "zoom_in", zoom_in=0.8),
        record("c.1.0", failure="black"),
        record("d.1.0", pan_left=0.3),
    )


@pytest.fixture
def labels(tmp_path):
    """Five clips, one of which the system does not know."""
    path = tmp_path / "labels.csv"
    path.write_text(
        "clip,pan_left,zoom_in,shaky,tags\n"
        "a.1.0.mp4,yes,no,no,fast\n"
        "b.1.0.mp4,no,yes,yes,=1+1\n"
        "c.1.0.mp4,yes,no,,fast\n"
        "d.1.0.mp4,no,no,,\n"
        "e.1.0.mp4,no,no,,\n"
    )
    return path


@pytest.fixture
def benchmark(tmp_path):
    """A folder laid out like CameraBench's, with made-up clips."""
    folder = tmp_path / "bench"
    (folder / "binary_classification").mkdir(parents=True)
    items = [
        {"image": f"{c}.1.0.mp4", "question": "Pan?", "label": said, "task": "Pan Left"}
        for c, said in zip("abcd", ("Yes", "No", "Yes", "No"), strict=True)
    ]
    _lines(folder / "binary_classification" / "Pan_Left.jsonl", items)
    pair = {
        "pos_video": "b.1.0.mp4",
        "neg_video": "a.1.0.mp4",
        "pos_question": "Does the camera zoom in?",
        "neg_question": "Is the camera free from any zoom in effects?",
    }
    (folder / "vqa_and_retrieval" / "has_motion").mkdir(parents=True)
    _lines(folder / "vqa_and_retrieval" / "has_motion" / "has_zoom_in.jsonl", [pair])
    return folder


def _lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def card_of(*sources, **how):
    return make_scorecard(*sources, resamples=FEW, **how)


def cells(card, title):
    """The rows of a table by their first cell."""
    table = next(t for t in tables(card) if t.title == title)
    return {row[0]: dict(zip(table.head[1:], row[1:], strict=True)) for row in table.rows}


def test_the_summary_tells_both_rules_and_failed_from_missing(ours, labels):
    found = {
        name: row["flow + learned"] for name, row in cells(card_of(ours, labels), "5 clips").items()
    }
    assert found["mean AP, failed last"].startswith("0.850 (")
    assert found["mean AP, failed left out"].startswith("1.000 (")
    assert found["primitives in these means"] == "2 of 15"
    assert found["exact label set"].startswith("0.600 (")
    assert (found["of these failed"], found["of these missing"]) == ("1", "1")
    assert "seconds a clip, median" not in found  # nobody knows


def test_labels_that_nobody_speaks_of_are_no_rows(ours, labels):
    found = cells(card_of(ours, labels), "Labels")
    assert list(found) == ["pan_left", "zoom_in", "shaky"]
    assert found["pan_left"]["yes"] == "2"
    assert found["pan_left"]["chance"] == "0.400"
    assert found["pan_left"]["recall"] == "0.500"
    assert found["shaky"]["precision"] == "-"  # never named


def test_groups_and_look_alikes_have_tables(ours, labels):
    card = card_of(ours, labels)
    assert cells(card, "Groups of clips")["tag: fast"]["without an answer"] == "0.500"
    assert "zoom or dolly" in cells(card, "Moves that look alike")


def test_another_system_stands_beside_with_the_difference(ours, labels, tmp_path):
    other = run(tmp_path / "other", record("a.1.0", classifier="rules"), record("b.1.0"))
    card = card_of(ours, labels, other)
    row = cells(card, "5 clips")["mean AP, failed last"]
    assert list(row) == ["flow + learned", "flow + rules, learned", "difference", "p"]
    assert row["difference"].startswith("+")
    assert float(row["p"]) <= 1.0
    beside = cells(card, "Labels of both")["pan_left"]
    assert list(beside) == ["flow + learned", "flow + rules, learned"]
    assert beside["flow + learned"].startswith("0.700 (")


def test_systems_of_one_name_are_told_apart(ours, labels):
    card = card_of(ours, labels, ours)
    assert card.against.system == "flow + learned (ours)"
    assert card.evaluation.system == "flow + learned"


def test_json_has_null_where_there_is_no_number(ours, labels):
    data = json.loads(json.dumps(to_dict(card_of(ours, labels, seed=3)), allow_nan=False))
    assert data["mean_ap"]["value"] == 0.85
    assert data["seconds"] is None
    assert data["seed"] == 3
    static = next(label for label in data["labels"] if label["label"] == "static")
    assert static["ap"] == {"value": None, "low": None, "high": None}
    assert "against" not in data and "vqa" not in data


def test_what_is_written_can_be_read_and_is_no_formula(ours, labels, tmp_path):
    (ours / "results.jsonl").write_text(
        (ours / "results.jsonl").read_text().replace("learned", "=cmd|x")
    )
    card = card_of(ours, labels)
    written = write_scorecard(tmp_path / "new" / "out", card)
    assert [path.name for path in written[:3]] == [f"evaluation.{k}" for k in ("json", "csv", "md")]
    assert json.loads(written[0].read_text())["clips"] == 5
    with written[1].open(newline="") as file:
        rows = {row["label"]: row for row in csv.DictReader(file)}
    assert list(rows) == [*PRIMITIVES, "shaky"]
    assert float(rows["pan_left"]["ap"]) == pytest.approx(0.7)
    assert rows["static"]["ap"] == ""
    assert r"=cmd\|x" in written[2].read_text()


def test_official_files_evaluate_to_the_same(ours, benchmark, tmp_path):
    card = card_of(ours, benchmark)
    out = tmp_path / "out"
    write_scorecard(out, card)
    again = card_of(out / "official", benchmark)
    assert again.evaluation.mean_ap == card.evaluation.mean_ap
    assert again.evaluation.mean_ap_dropped == card.evaluation.mean_ap_dropped
    assert math.isnan(again.evaluation.exact.value)
    assert [s.name for s in as_systems(read_scores(out / "official"))] == ["flow + learned"]
    assert card.vqa.total.told.accuracy == 1.0
    assert again.vqa == card.vqa


def test_pairs_stand_beside_what_others_published(ours, benchmark):
    found = cells(card_of(ours, benchmark), "Pairs of clips: accuracy and Q-accuracy")
    assert found["pairs answered"]["has motion"] == "1 of 1"
    assert found["flow + learned, of these"]["all"] == "1.000 1.000"
    assert found["Chance (2025-04)"]["has motion"] == "0.500 0.250"


def test_markdown_shows_tags_as_they_are(ours, labels):
    labels.write_text(labels.read_text().replace("fast", "<b>|x"))
    text = to_markdown(card_of(ours, labels))
    assert "<b>" not in text
    assert text.startswith("# flow + learned on labels.csv")
