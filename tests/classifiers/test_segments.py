from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.labels import BY_NAME, DIRECTIONS, opposite_of
from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.segments import SegmentSettings, Span, axis_spans, timeline
from dollygrip.classifiers.visibility import VisibleMotion
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import Trajectory

TOLERANCE = 0.3


def spans(shot, motion):
    return [(s.start, s.end) for s in shot.segments if s.motion == motion]


def exact(*parts: tuple[float, float]) -> VisibleMotion:
    """Pan rates of (seconds, rate) one after the other, sharp at the borders."""
    ends = np.cumsum([seconds for seconds, _ in parts])
    times = np.arange(0.0, ends[-1], 0.01)
    rate = np.array([parts[np.searchsorted(ends, t, side="right")][1] for t in times])
    rates = np.zeros((len(times), len(AXES)))
    rates[:, 0] = rate
    position = np.cumsum(rates, axis=0) * 0.01
    nothing = np.zeros(len(AXES))
    return VisibleMotion(
        times, rates, rates, position, sigmas=nothing, shake=0.0, units=nothing + 1.0
    )


def pan_spans(*parts: tuple[float, float], signs=(1, -1)):
    found = axis_spans(exact(*parts), 0, signs, SegmentSettings())
    return {sign: [(s.start, s.end) for s in spans] for sign, spans in found.items()}


def test_gaps_are_merged_up_to_their_limit():
    merged = pan_spans((1.0, 0.2), (0.2, 0.0), (1.0, 0.2), signs=(1,))
    assert merged == {1: [pytest.approx((0.0, 2.2), abs=0.05)]}
    apart = pan_spans((1.0, 0.2), (0.4, 0.0), (1.0, 0.2), signs=(1,))
    assert len(apart[1]) == 2


def test_bursts_are_dropped_up_to_their_limit():
    assert len(pan_spans((1.0, 0.2), (1.0, 0.0), (0.2, 0.4), (1.0, 0.0), signs=(1,))[1]) == 1
    assert len(pan_spans((1.0, 0.2), (1.0, 0.0), (0.5, 0.4), (1.0, 0.0), signs=(1,))[1]) == 2


def test_small_stretches_are_wobbles():
    assert len(pan_spans((2.0, 0.2), (1.0, 0.0), (0.4, 0.1), (1.0, 0.0), signs=(1,))[1]) == 1


def test_a_slower_stretch_belongs_to_the_move():
    found = pan_spans((1.0, 0.2), (1.0, 0.08), (1.0, 0.2), signs=(1,))
    assert found == {1: [pytest.approx((0.0, 3.0), abs=0.05)]}


def test_flicker_never_overlaps():
    flicker = [(0.2, 0.3), (0.2, -0.3)] * 8
    found = pan_spans(*flicker)
    assert not [
        (a, b) for a in found[1] for b in found[-1] if min(a[1], b[1]) - max(a[0], b[0]) > 1e-6
    ]


@pytest.mark.parametrize("fps", [8.0, 12.0, 30.0, 60.0])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 4.0])
def test_an_abrupt_move_between_holds_is_found_to_a_tenth_of_a_second(
    sequence, label, fps, seconds
):
    shot = label(sequence((1.5, {}), (seconds, {"pan": 15.0}), (1.5, {}), fps=fps))
    ends = 1.5, 1.5 + seconds
    assert spans(shot, "pan_right") == [pytest.approx(ends, abs=0.1)]
    first, second = spans(shot, "static")
    assert first == pytest.approx((0.0, ends[0]), abs=0.1)
    assert second == pytest.approx((ends[1], ends[1] + 1.5), abs=0.1)


def test_a_move_that_starts_while_another_goes_on(sequence, label):
    both = {"dolly": 0.3, "pan": 15.0}
    shot = label(sequence((2.0, {"dolly": 0.3}), (2.0, both), (1.0, {"pan": 7.5})))
    assert spans(shot, "dolly_in") == [pytest.approx((0.0, 4.0), abs=TOLERANCE)]
    assert spans(shot, "pan_right") == [pytest.approx((2.0, 5.0), abs=TOLERANCE)]
    assert not spans(shot, "static")


def test_a_hold_has_its_own_score(sequence, label):
    still = label(sequence((2.0, {"pan": 20.0}), (2.0, {})))
    crept = label(sequence((2.0, {"pan": 60.0}), (2.0, {"tilt": 0.6})))
    (surely,) = (s.score for s in still.segments if s.motion == "static")
    (hardly,) = (s.score for s in crept.segments if s.motion == "static")
    assert still.scores["static"] < 0.1 < 0.5 <= hardly < surely
    assert surely == pytest.approx(1.0, abs=0.01)


def test_time_reversed_is_the_story_told_backwards(sequence, label):
    seen = sequence((1.5, {"pan": 15.0}), (1.2, {}), (2.0, {"dolly": 0.3}), (1.5, {"zoom": -0.3}))
    forward, backward = label(seen), label(seen.reversed())
    assert [s.motion for s in forward.segments] == ["pan_right", "static", "dolly_in", "zoom_out"]
    for one, other in zip(forward.segments, reversed(backward.segments), strict=True):
        still = one.motion == "static"
        assert other.motion == (one.motion if still else opposite_of(one.motion))
        ends = forward.end - other.end, forward.end - other.start
        assert ends == pytest.approx((one.start, one.end), abs=0.05)


@pytest.mark.parametrize("fps", [8.0, 12.0, 30.0])
def test_one_move_after_another(sequence, label, fps):
    shot = label(sequence((2.0, {"pan": 20.0}), (3.0, {"tilt": 15.0}), fps=fps))
    assert spans(shot, "pan_right") == [pytest.approx((0.0, 2.0), abs=TOLERANCE)]
    assert spans(shot, "tilt_up") == [pytest.approx((2.0, 5.0), abs=TOLERANCE)]


def test_a_move_then_a_hold(sequence, label):
    shot = label(sequence((2.0, {"dolly": 0.4}), (2.0, {})))
    assert shot.labels == ("dolly_in",)
    assert spans(shot, "dolly_in") == [pytest.approx((0.0, 2.0), abs=TOLERANCE)]
    assert spans(shot, "static") == [pytest.approx((2.0, 4.0), abs=TOLERANCE)]


def test_a_hold_between_moves(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (1.5, {}), (2.0, {"pan": 20.0})))
    assert len(spans(shot, "pan_right")) == 2
    assert spans(shot, "static") == [pytest.approx((2.0, 3.5), abs=TOLERANCE)]


def test_a_short_pause_does_not_split_a_move(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (0.15, {}), (2.0, {"pan": 20.0})))
    assert spans(shot, "pan_right") == [pytest.approx((0.0, 4.15), abs=TOLERANCE)]


def test_a_pause_that_nobody_notices_does_not_split_a_move(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (0.55, {}), (2.0, {"pan": 20.0}), fps=30.0))
    assert spans(shot, "pan_right") == [pytest.approx((0.0, 4.55), abs=TOLERANCE)]


def test_a_wobble_is_not_a_stretch_of_its_own(sequence, label):
    shot = label(sequence((2.0, {"pan": 30.0}), (1.5, {}), (0.3, {"pan": 3.0}), (1.5, {})))
    assert len(spans(shot, "pan_right")) == 1


@pytest.mark.parametrize("seconds", [3.0, 10.0, 30.0])
def test_the_eased_start_of_a_move_is_not_a_hold(path, label, seconds):
    shot = label(path(seconds=seconds, pan=20.0))
    assert [s.motion for s in shot.segments] == ["pan_right"]


def test_there_and_back_meet_at_the_turn(sequence, label):
    shot = label(sequence((2.0, {"pan": 20.0}), (2.0, {"pan": -20.0})))
    assert spans(shot, "pan_right") == [pytest.approx((0.0, 2.0), abs=TOLERANCE)]
    assert spans(shot, "pan_left") == [pytest.approx((2.0, 4.0), abs=TOLERANCE)]


def test_a_burst_does_not_hide_the_rest(sequence, label):
    shot = label(sequence((3.0, {"pan": 30.0}), (0.4, {"pan": 15.0}), (3.0, {"pan": 30.0})))
    assert spans(shot, "pan_right") == [pytest.approx((0.0, 6.4), abs=TOLERANCE)]


def test_combined_moves_have_the_time_their_parts_share(sequence, label):
    shot = label(sequence((2.0, {"pan": 30.0, "truck": -0.5}), (2.0, {"truck": -0.5})))
    assert "arc_cw" in shot.labels
    assert spans(shot, "arc_cw") == [pytest.approx((0.0, 2.0), abs=TOLERANCE)]


@pytest.mark.parametrize("seconds", [0.1, 0.2, 0.5])
def test_very_short_shots_have_a_timeline_too(path, label, seconds):
    shot = label(path(seconds=seconds, fps=30.0, pan=20.0))
    assert "pan_right" in shot.labels
    assert len(spans(shot, "pan_right")) == 1


def test_times_are_those_of_the_clip(sequence, label):
    seen = sequence((2.0, {"pan": 20.0}), (2.0, {"tilt": 15.0}))
    later = Trajectory(
        times=seen.times + 100.0,
        rotations=seen.rotations,
        centers=seen.centers,
        focals=seen.focals,
        size=seen.size,
        valid=seen.valid,
        sigmas=seen.sigmas,
        scene_depth=1.0,
    )
    shot, shifted = label(seen), label(later)
    assert shifted.labels == shot.labels
    assert [s.motion for s in shifted.segments] == [s.motion for s in shot.segments]
    for one, other in zip(shot.segments, shifted.segments, strict=True):
        assert other.start - one.start == pytest.approx(100.0, abs=0.02)
        assert other.end - one.end == pytest.approx(100.0, abs=0.02)


PARTS = st.lists(
    st.tuples(
        st.floats(0.2, 2.0),
        st.dictionaries(st.sampled_from(AXES), st.floats(-20.0, 20.0), max_size=2),
    ),
    min_size=1,
    max_size=5,
).map(lambda parts: [(s, {a: _scaled(a, v) for a, v in part.items()}) for s, part in parts])


def _scaled(axis: str, value: float) -> float:
    return value if axis in ("pan", "tilt", "roll") else value / 40.0


@given(PARTS)
@settings(max_examples=40, deadline=None)
def test_laws_of_the_timeline(sequence, label, parts):
    shot = label(sequence(*parts, fps=8.0))
    assert [s.start for s in shot.segments] == sorted(s.start for s in shot.segments)
    for segment in shot.segments:
        assert shot.start <= segment.start < segment.end <= shot.end
        assert segment.motion == "static" or segment.motion in shot.labels
    for axis in AXES:
        on_axis = [s for s in shot.segments if BY_NAME[s.motion].axis == axis]
        for one, other in pairwise(on_axis):
            assert one.end <= other.start + 1e-9
    moves = [s for s in shot.segments if s.motion in DIRECTIONS]
    for hold in (s for s in shot.segments if s.motion == "static"):
        assert all(hold.end <= m.start + 1e-9 or m.end <= hold.start + 1e-9 for m in moves)
    for segment in moves:
        alone = sum(s.motion == segment.motion for s in moves) == 1
        assert alone or segment.end - segment.start >= 0.3 - 1e-9
    covered = {s.motion for s in shot.segments}
    opposed = [axis for axis in AXES if sum(BY_NAME[n].axis == axis for n in shot.labels) == 2]
    for name in shot.labels:
        if name in DIRECTIONS and BY_NAME[name].axis not in opposed:
            assert name in covered


def test_a_jittered_clock_changes_little(sequence, label):
    seen = sequence((2.0, {"pan": 20.0}), (2.0, {"tilt": 15.0}), fps=30.0)
    keep = np.sort(np.random.default_rng(0).choice(len(seen), len(seen) // 2, replace=False))
    keep[[0, -1]] = 0, len(seen) - 1
    thinned = Trajectory(
        times=seen.times[keep],
        rotations=seen.rotations[keep],
        centers=seen.centers[keep],
        focals=seen.focals[keep],
        size=seen.size,
        valid=seen.valid[keep],
        sigmas=seen.sigmas[keep],
        scene_depth=1.0,
    )
    shot = label(thinned)
    assert shot.labels == label(seen).labels
    assert spans(shot, "pan_right") == [pytest.approx((0.0, 2.0), abs=TOLERANCE)]


def test_spans_have_the_score_of_the_shot_or_their_own():
    spans = {"pan_left": (Span(1.0, 2.0),), "static": (Span(3.0, 4.0, 0.8),)}
    told = timeline(spans, {"pan_left": 0.6, "static": 0.1}, start=0.0, end=5.0, snap=0.3)
    assert told == (Segment("pan_left", 1.0, 2.0, 0.6), Segment("static", 3.0, 4.0, 0.8))
