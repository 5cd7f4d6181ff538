import json

import pytest

from dollygrip.classifiers.base import Classifier, combine, failed
from dollygrip.classifiers.labels import DEFINITIONS
from dollygrip.classifiers.records import ClipLabels, ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.trajectory import Hypothesis

DARK = Failure(Reason.TOO_DARK, "The pictures are black.")
CRASH = Failure(Reason.ESTIMATOR_CRASHED, "It fell over.")


@pytest.fixture
def shot(path):
    """A shot from ``start`` on, four seconds long."""

    def make(start: float = 0.0, **amounts: float) -> ShotLabels:
        classifier: Classifier = ThresholdClassifier()
        seen = path(**amounts)
        return classifier.classify([Hypothesis("any", 1.0, seen)], start=start, end=start + 4.0)

    return make


def test_one_shot_is_the_clip(shot):
    only = shot(pan=20.0)
    assert combine([only]) is only


def test_no_shots_is_an_error():
    with pytest.raises(ValueError, match="at least one shot"):
        combine([])


def test_moves_of_all_shots_are_in_the_clip(shot):
    pan, zoom = shot(pan=20.0), shot(4.0, zoom=0.35)
    clip = combine([pan, zoom])
    assert set(clip.labels) == {"pan_right", "zoom_in"}
    for d in DEFINITIONS:
        pick = min if d.name == "static" else max
        assert clip.scores[d.name] == pick(pan.scores[d.name], zoom.scores[d.name])
    assert clip.segments == pan.segments + zoom.segments
    assert (clip.start, clip.end) == (0.0, 8.0)
    assert clip.caption == f"Shot 1: {pan.caption} Shot 2: {zoom.caption}"
    assert clip.trust == pytest.approx((pan.trust + zoom.trust) / 2.0)


def test_the_cut_is_a_doubt_that_counts_the_shots(shot):
    clip = combine([shot(), shot(4.0), shot(8.0)])
    assert clip.doubts[0].reason is Reason.CUT_INSIDE
    assert "3 shots" in clip.doubts[0].message


def test_static_needs_all_shots(shot):
    assert combine([shot(), shot(4.0)]).labels == ("static",)
    assert combine([shot(), shot(4.0, pan=20.0)]).labels == ("pan_right",)


def test_order_of_shots_changes_no_label(shot):
    shots = [shot(), shot(4.0, pan=20.0), shot(8.0, tilt=-15.0)]
    there, back = combine(shots), combine(shots[::-1])
    assert there.labels == back.labels
    assert there.scores == back.scores


def test_a_failed_shot_lowers_trust_and_says_why(shot):
    pan = shot(pan=20.0)
    clip = combine([pan, failed(DARK, start=4.0, end=8.0)])
    assert clip.failure is None
    assert clip.labels == ("pan_right",)
    assert DARK in clip.doubts
    assert clip.trust == pytest.approx(pan.trust / 2.0)


def test_snippets_at_a_cut_are_one_short_doubt(shot):
    """A frame of the shot before, and two of the one after."""
    before, after = (Failure(Reason.TOO_SHORT, f"Only {n} pictures.") for n in (1, 2))
    pan = shot(0.1, pan=20.0)
    clip = combine([failed(before, start=0.0, end=0.0), pan, failed(after, start=4.2, end=4.3)])
    assert clip.failure is None
    assert clip.labels == pan.labels
    assert clip.segments == pan.segments
    assert clip.trust > 0.9 * pan.trust
    assert [doubt.reason for doubt in clip.doubts] == [Reason.CUT_INSIDE, Reason.TOO_SHORT]
    assert "2 of 3 shots" in clip.doubts[1].message
    assert clip.caption == f"Shot 2: {pan.caption}"


def test_shots_alike_that_follow_each_other_share_a_sentence(shot):
    pan, zoom = {"pan": 20.0}, {"zoom": 0.35}
    kinds = [pan, pan, zoom, pan, zoom, zoom, zoom]
    clip = combine([shot(4.0 * i, **kind) for i, kind in enumerate(kinds)])
    pans, zooms = shot(**pan).caption, shot(**zoom).caption
    assert clip.caption == (
        f"Shots 1 and 2: {pans} Shot 3: {zooms} Shot 4: {pans} Shots 5 to 7: {zooms}"
    )


def test_a_failed_shot_is_told_in_its_place(shot):
    pan, zoom = shot(pan=20.0), shot(8.0, zoom=0.35)
    clip = combine([pan, failed(DARK, start=4.0, end=8.0), zoom])
    assert clip.caption == (
        f"Shot 1: {pan.caption} Shot 2: Could not tell: {DARK.message} Shot 3: {zoom.caption}"
    )


def test_of_many_shots_the_first_are_told_and_the_rest_counted(shot):
    kinds = [{"pan": 20.0}, {"zoom": 0.35}] * 10
    clip = combine([shot(4.0 * i, **kind) for i, kind in enumerate(kinds)])
    told = clip.caption.count("Shot ")
    assert 1 < told < 20
    assert clip.caption.endswith(f"And {20 - told} more shots.")


def test_all_failed_is_a_failure_with_the_reason_of_the_longest():
    clip = combine([failed(DARK, start=0.0, end=1.0), failed(CRASH, start=1.0, end=9.0)])
    assert clip.failure == CRASH
    assert (clip.labels, clip.scores, clip.segments, clip.trust) == ((), {}, (), 0.0)
    assert clip.caption == "Could not tell: It fell over."


def test_attributes_are_the_most_of_any_shot(shot):
    clip = combine([shot(), shot(4.0, pan=20.0)])
    assert clip.attributes["steadiness"] == "very_smooth"
    assert clip.attributes["speed"] == "regular"
    assert clip.attributes["complexity"] == "simple"
    assert combine([shot(), shot(4.0)]).attributes["speed"] is None


def test_a_clip_record_survives_json(shot):
    shots = (shot(), shot(4.0, pan=20.0), failed(DARK, start=8.0, end=9.0))
    clip = ClipLabels("a", "a.mp4", combine(shots), shots, {"estimator": {"name": "flow"}})
    told = json.loads(json.dumps(clip.to_dict(), allow_nan=False))
    assert ClipLabels.from_dict(told).to_dict() == clip.to_dict()


def test_records_tell_scores_apart_that_rank_clips():
    close = ShotLabels(0.0, 1.0, scores={"pan_right": 0.999991, "roll_cw": 0.999992})
    scores = close.to_dict()["scores"]
    assert scores["pan_right"] < scores["roll_cw"] < 1.0
