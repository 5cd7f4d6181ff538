"""Scoring of labels against the truth, on verdicts made up by hand."""

import math

import pytest

from benchmarks.labelling import Verdict
from benchmarks.scoring import by_group, confidence, measure, mistakes, pair_scores

ZOOM_DOLLY = (("zoom_in", "dolly_in"), ("zoom_out", "dolly_out"))


def test_a_perfect_ranking_with_right_labels_scores_one(truth, said) -> None:
    truths = [truth("a", "pan_left"), truth("b", "static")]
    scores = measure(truths, [said("pan_left", pan_left=0.9), said("static", static=0.8)])
    assert (scores.mean_ap, scores.exact, scores.macro_f1, scores.failed) == (1, 1, 1, 0)
    assert set(scores.average_precision) == {"pan_left", "static"}


def test_average_precision_is_the_mean_precision_at_each_positive(truth, said) -> None:
    truths = [truth("a", "pan_left"), truth("b"), truth("c", "pan_left")]
    verdicts = [said(pan_left=0.9), said(pan_left=0.5), said(pan_left=0.1)]
    expected = (1 / 1 + 2 / 3) / 2
    assert measure(truths, verdicts).average_precision["pan_left"] == pytest.approx(expected)


def test_unsure_counts_neither_way(truth, said) -> None:
    truths = [truth("a", "pan_left"), truth("b"), truth("c", unsure=("pan_left",))]
    verdicts = [said("pan_left", pan_left=0.5), said(), said("pan_left", pan_left=0.9)]
    scores = measure(truths, verdicts)
    assert scores.average_precision["pan_left"] == 1.0
    assert scores.exact == 1.0


def test_a_failed_clip_ranks_below_the_lowest_score_and_is_not_exact(truth, said) -> None:
    truths = [truth("a", "pan_left"), truth("b"), truth("c")]
    scores = measure(truths, [Verdict(failure="too_short"), said(), said()])
    assert scores.average_precision["pan_left"] == pytest.approx(1 / 3)
    assert scores.exact == pytest.approx(2 / 3)
    assert scores.failed == pytest.approx(1 / 3)


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
    scores = measure(truths, verdicts)
    assert scores.static_recall == 2 / 4
    assert scores.static_alarms == 1 / 2


def test_where_no_camera_stands_still_there_is_no_recall(truth, said) -> None:
    assert math.isnan(measure([truth("a", "pan_left")], [said()]).static_recall)


def test_groups_are_scored_on_their_own_clips(truth, said) -> None:
    truths = [
        truth("a", "pan_left", groups=("kind: real",)),
        truth("b", groups=("kind: real",)),
        truth("c", "pan_left", groups=("tag: fast",)),
    ]
    groups = by_group(truths, [said("pan_left", pan_left=0.9), said(), said()])
    assert (groups["kind: real"].clips, groups["kind: real"].exact) == (2, 1.0)
    assert groups["kind: real"].mean_ap == 1.0
    assert groups["tag: fast"].exact == 0.0
    assert math.isnan(groups["tag: fast"].mean_ap)


def test_pairs_are_told_apart_by_their_scores(truth, said) -> None:
    truths = [
        truth("a", "zoom_in"),
        truth("b", "dolly_in"),
        truth("c", "dolly_out"),
        truth("d", "zoom_out"),
        # Neither tells zoom from dolly: both are there, or neither.
        truth("e", "zoom_in", "dolly_in"),
        truth("f", "pan_left"),
    ]
    verdicts = [
        said(zoom_in=0.6, dolly_in=0.5),
        said(zoom_in=0.2, dolly_in=0.4, ambiguous=(("dolly_in", "zoom_in"),)),
        said(zoom_out=0.7, dolly_out=0.7),
        Verdict(failure="too_dark"),
        said(zoom_in=0.9),
        said(zoom_in=0.9),
    ]
    told = pair_scores(truths, verdicts, ZOOM_DOLLY)
    assert told.told == 4
    assert told.right == 2 / 4
    assert told.needless == 1 / 4
    assert told.unsure == 0
    assert math.isnan(told.admitted)


def test_what_nobody_can_tell_should_be_called_ambiguous(truth, said) -> None:
    both = ("zoom_in", "dolly_in")
    truths = [
        *(truth(name, unsure=both) for name in "abc"),
        truth("d", "zoom_in", unsure=("dolly_in",)),
        # An arc's pan may or may not be named; that is no question of looking alike.
        truth("e", unsure=("zoom_in",)),
    ]
    verdicts = [
        said("zoom_in", zoom_in=0.9, trust=0.9, ambiguous=(both,)),
        said("zoom_in", zoom_in=0.9, trust=0.9),
        said("zoom_in", zoom_in=0.9, trust=0.2),
        said("zoom_in", zoom_in=0.9, trust=0.9),
        said("zoom_in", zoom_in=0.9, trust=0.9),
    ]
    told = pair_scores(truths, verdicts, ZOOM_DOLLY)
    assert (told.told, told.unsure) == (0, 4)
    assert told.admitted == 1 / 4
    assert told.guessed == 1 / 4  # "d" names what is there


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
