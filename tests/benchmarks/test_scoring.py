"""Scoring of labels against the truth, on verdicts made up by hand."""

import math

import pytest

from benchmarks.labelling import Verdict
from benchmarks.scoring import Stillness, confidence, evaluation, mistakes, stillness


def test_verdicts_are_evaluated_as_a_run_is(truth, said) -> None:
    truths = [truth("a", "pan_left", kind="real"), truth("b", subject="dominant"), truth("c")]
    verdicts = [Verdict(failure="too_short"), said("pan_left"), said()]
    found = evaluation("flow", truths, verdicts)
    assert (found.system, found.clips, found.failed, found.missing) == ("flow", 3, 1, 0)
    assert found.mean_ap.value == pytest.approx(1 / 3)
    assert math.isnan(found.mean_ap.low)
    assert found.exact.value == pytest.approx(1 / 3)
    assert [*found.groups] == ["kind: real", "subject: dominant"]


def test_trust_and_ambiguity_of_verdicts_count(truth, said) -> None:
    pair = ("zoom_in", "dolly_in")
    truths = [truth(name, unsure=pair) for name in "ab"]
    sure = {"zoom_in": 0.9, "trust": 0.9}
    verdicts = [said("zoom_in", **sure, ambiguous=(pair,)), said("zoom_in", **sure)]
    told = evaluation("flow", truths, verdicts).pairs["zoom or dolly"]
    assert (told.unsure, told.admitted, told.guessed) == (2, 0.5, 0.5)


def test_a_failed_still_clip_is_not_right_by_saying_nothing(truth) -> None:
    assert mistakes(truth("a"), Verdict(failure="decode_error"))


def test_mistakes_name_what_is_missing_and_what_is_too_much(truth, said) -> None:
    verdict = said("pan_right", "roll_cw", "shaky")
    wrong = mistakes(truth("a", "pan_left", unsure=("roll_cw",)), verdict)
    assert wrong == ("-pan_left", "+pan_right")


def test_still_cameras_are_counted_apart_from_moving_ones(truth, said) -> None:
    truths = [
        *(truth(name, "static") for name in "abcd"),
        truth("e", "pan_left"),
        truth("f", "zoom_in"),
        truth("g", unsure=("static",)),
    ]
    lost = Verdict(failure="too_dark")
    verdicts = [said("static"), said("static"), said(), lost, said("static"), said(), said()]
    assert stillness(truths, verdicts) == Stillness(recall=2 / 4, alarms=1 / 2)


def test_where_no_camera_stands_still_there_is_no_recall(truth, said) -> None:
    assert math.isnan(stillness([truth("a", "pan_left")], [said()]).recall)


def test_confidence_is_wrong_where_a_wrong_label_is_sure_and_trusted(truth, said) -> None:
    truths = [truth(name, "static") for name in "abcde"]
    truths.append(truth("f", "static", unsure=("pan_left",)))
    verdicts = [
        said("pan_left", pan_left=0.7, trust=0.5),
        said("pan_left", pan_left=0.69, trust=0.9),
        said("pan_left", pan_left=0.9, trust=0.49),
        said(trust=0.8),  # misses what is there, but says nothing wrong
        Verdict(failure="too_dark"),
        said("static", "pan_left", pan_left=0.9, trust=0.9),
    ]
    told = confidence(truths, verdicts)
    assert told.wrong == ("a",)
    assert told.share == 1 / 6
    assert told.trust_right == 0.9
    assert told.trust_wrong == pytest.approx((0.5 + 0.9 + 0.49 + 0.8) / 4)
