"""Whether verdicts can be believed, on verdicts made up by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import calibration as subject
from benchmarks.__main__ import main
from benchmarks.calibration import calibration, tables
from benchmarks.labelling import Verdict
from dollygrip.classifiers.labels import PRIMITIVES


def test_scores_and_trust_are_held_against_the_truth(truth, said) -> None:
    truths = [truth(name, "pan_left") for name in "abcd"]
    verdicts = [
        said("pan_left", pan_left=0.75, trust=0.9),
        said("pan_left", pan_left=0.75, trust=0.9),
        said("pan_left", pan_left=0.75, trust=0.9),
        said("zoom_in", zoom_in=0.75, pan_left=0.1, trust=0.2),
    ]
    found = calibration(truths, verdicts)
    assert (found.clips, found.failed, found.items) == (4, 0, 4 * len(PRIMITIVES))
    assert (found.wrong, found.trust_auc) == (0.25, 1.0)
    assert found.trust_error == pytest.approx((3 * 0.1 + 0.2) / 4)
    assert found.by_label["zoom_in"] == pytest.approx(0.75 / 4)
    assert found.by_label["static"] == 0.0
    assert found.unsure_items == 5
    # Bins of a tenth: 0.1 was there, and of the four at 0.75 three were.
    assert found.unsure_error == pytest.approx((1 * 0.9 + 4 * 0.0) / 5)
    # Of the one wrong clip 0.4 clips are dropped, and 3.6 are left.
    assert found.errors_left == pytest.approx(0.6)
    assert found.risk_left == pytest.approx(0.6 / 3.6)


def test_what_nobody_can_tell_does_not_count(truth, said) -> None:
    known = calibration([truth("a")], [said("roll_cw", roll_cw=0.9)])
    unsure = calibration([truth("a", unsure=("roll_cw",))], [said("roll_cw", roll_cw=0.9)])
    assert unsure.items == known.items - 1
    assert (known.wrong, unsure.wrong) == (1.0, 0.0)
    assert np.isnan(unsure.by_label["roll_cw"])


def test_a_failure_is_counted_and_helps_nobody(truth, said) -> None:
    truths = [truth("a", "pan_left"), truth("b", "pan_left"), truth("c", "pan_left")]
    answers = [said("pan_left", pan_left=0.9, trust=0.9), said(pan_left=0.4, trust=0.3)]
    alone = calibration(truths[:2], answers)
    beside = calibration(truths, [*answers, Verdict(failure="too_dark")])
    assert (alone.failed, beside.failed) == (0, 1)
    assert beside.label_error == alone.label_error
    assert (beside.wrong, beside.trust_auc) == (alone.wrong, alone.trust_auc)
    assert beside.errors_left == alone.errors_left


def test_nothing_answered_has_no_numbers(truth) -> None:
    nothing = calibration([truth("a")], [Verdict(failure="too_dark")])
    assert (nothing.clips, nothing.failed, nothing.items) == (1, 1, 0)
    assert np.isnan([nothing.label_error, nothing.trust_auc, nothing.errors_left]).all()
    assert "| failed" in tables({"flow, threshold": {"folder": nothing}})


def test_several_folders_are_told_apart_and_together(
    truth, said, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = {"one": [truth("a", "pan_left")], "two": [truth("b"), truth("c", "tilt_up")]}
    verdicts = {"a": said("pan_left", pan_left=1.0), "b": said(), "c": said(tilt_up=0.3)}
    monkeypatch.setattr(subject, "read_truth", lambda folder, only, limit: clips[folder.name])
    monkeypatch.setattr(subject, "label_all", lambda truths, *_: [verdicts[t.clip] for t in truths])
    assert main(["calibration", "one", "two", "--out", str(tmp_path)]) == 0
    found = json.loads((tmp_path / "calibration.json").read_text())["flow, threshold"]
    assert {name: c["wrong"] for name, c in found.items()} == {
        "one": 0.0,
        "two": 0.5,
        "all": pytest.approx(1 / 3),
    }
    assert "Reliability: all" in (tmp_path / "calibration.md").read_text()


def test_an_unknown_classifier_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["calibration", str(tmp_path), "--classifiers", "none"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 1
