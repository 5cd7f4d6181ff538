from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dollygrip.classifiers.criteria import ThresholdSettings
from dollygrip.classifiers.labels import BY_NAME, COMBINED, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.segments import Span
from dollygrip.classifiers.targets import marks, spans
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.filming import film
from dollygrip.geometry.synthetic import (
    SIGNED_AXES,
    Bob,
    Float,
    Move,
    Shake,
    camera_path,
    named_motions,
)
from dollygrip.geometry.trajectory import Hypothesis

# Least amounts at the field of view of the prior, as docs/labels.md has them.
LEAST = {
    **{"pan": 1.7, "tilt": 1.7, "roll": 2.9, "truck": 0.033, "pedestal": 0.033},
    **{"dolly": 0.05, "zoom": 0.05},
}
OTHER_SIDE = {"left": "right", "right": "left", "cw": "ccw", "ccw": "cw"}


def told(*moves, duration: float = 3.0, **options):
    """The labels that are there, and those nobody can tell."""
    found = marks(moves, duration, **options)
    assert list(found) == [definition.name for definition in DEFINITIONS]
    return (
        {name for name, mark in found.items() if mark},
        {name for name, mark in found.items() if mark is None},
    )


def mirrored(name: str) -> str:
    stem, _, side = name.rpartition("_")
    return f"{stem}_{OTHER_SIDE[side]}" if side in OTHER_SIDE else name


@pytest.mark.parametrize("name", sorted(SIGNED_AXES))
@pytest.mark.parametrize(("share", "mark"), [(0.4, False), (1.0, None), (2.0, True)])
def test_a_move_is_there_from_a_little_over_the_least_amount(name, share, mark):
    found = marks([Move(name, share * LEAST[SIGNED_AXES[name][0]])], 3.0)
    assert found[name] is mark
    assert all(found[other] is False for other in DIRECTIONS if other != name)


@pytest.mark.parametrize("motion", sorted(named_motions()))
def test_clear_motions_are_told_by_their_names(motion):
    present, unsure = told(*named_motions()[motion])
    if motion in COMBINED:
        turn, travel = COMBINED[motion]
        zooms = motion.startswith("dolly_zoom")
        assert present == {motion, travel} | ({turn} if zooms else set())
        # The turn inside an arc or a crane is part of it: people name it or not.
        assert unsure == (set() if zooms else {turn})
    else:
        wanted = {"handheld": {"shaky"}, "dolly_in>static": {"dolly_in"}}
        assert present == wanted.get(motion, set(motion.replace(">", "+").split("+")))
        assert not unsure


def test_standing_still_is_neither_shaking_nor_drifting():
    assert told() == ({"static"}, set())
    assert told(Shake(0.01)) == ({"static"}, set())
    assert "static" not in told(Shake(0.6, 0.004))[0]
    assert told(Bob(1.5, 0.03, hertz=2.4)) == ({"shaky"}, set())
    assert told(Move("pan_right", 1.4)) == (set(), {"pan_right"})


def test_what_drifts_is_never_a_move_but_may_be_taken_for_one():
    drifting = Float(2.5, 0.0, seed=2)
    present, unsure = told(drifting, duration=6.0)
    assert not present
    assert unsure & {"pan_left", "pan_right", "tilt_up", "tilt_down"}
    assert told(drifting, Move("dolly_in", 0.5), duration=6.0)[0] == {"dolly_in"}


def test_a_by_product_of_a_move_at_the_same_time_is_none_of_its_own():
    heading = Move("dolly_in", 1.0)
    assert told(heading, Move("truck_left", 0.1)) == ({"dolly_in"}, set())
    assert told(heading, Move("truck_left", 0.3)) == ({"dolly_in"}, {"truck_left"})
    assert told(heading, Move("truck_left", 0.6))[0] == {"dolly_in", "truck_left"}
    # After it, it stands for itself.
    after = Move("truck_left", 0.1, start=1.5)
    assert told(replace(heading, end=1.5), after)[0] == {"dolly_in", "truck_left"}


def test_there_and_back_are_two_moves():
    there, back = Move("tilt_up", 12.0, end=1.4), Move("tilt_down", 9.0, start=1.6)
    assert told(there, back) == ({"tilt_up", "tilt_down"}, set())
    assert told(there, replace(back, amount=0.5)) == ({"tilt_up"}, set())


def test_an_arc_needs_turn_and_travel_at_once_and_in_proportion():
    turn, travel = Move("pan_right", 30.0), Move("truck_left", 0.5)
    assert "arc_cw" in told(turn, travel)[0]
    assert "arc_cw" not in set.union(*told(replace(turn, end=1.4), replace(travel, start=1.6)))
    assert "arc_cw" not in set.union(*told(turn, replace(travel, name="truck_right")))
    assert "arc_cw" not in set.union(*told(turn, replace(travel, amount=5.0)))


def test_a_longer_lens_shows_less_of_a_turn():
    assert marks([Move("pan_left", 1.2)], 3.0)["pan_left"] is None
    assert marks([Move("pan_left", 1.2)], 3.0, focal=2.5)["pan_left"] is True


def test_without_parallax_nobody_can_tell_a_zoom_from_a_dolly_or_a_travel_is_maybe_a_turn():
    zoom, pan = Move("zoom_out", 0.4), Move("pan_left", 12.0)
    assert told(zoom, parallax=False) == (set(), {"zoom_out", "dolly_out"})
    assert told(pan, parallax=False) == ({"pan_left"}, {"truck_left"})
    assert told(Move("roll_cw", 12.0), parallax=False) == ({"roll_cw"}, set())


def test_least_amounts_are_those_of_the_settings():
    strict = ThresholdSettings(shift=0.2, swell=0.2)
    assert not told(Move("pan_left", 5.0), settings=strict)[0]


@given(st.integers(0, 100_000))
@settings(max_examples=25, deadline=None)
def test_a_mirrored_shot_has_mirrored_marks(seed):
    shot = film(np.random.default_rng(seed))
    other = tuple(
        replace(move, name=mirrored(move.name)) if isinstance(move, Move) else move
        for move in shot.moves
    )
    calm = [i for i, move in enumerate(shot.moves) if isinstance(move, Move)]
    first = marks([shot.moves[i] for i in calm], shot.duration, focal=shot.focal)
    second = marks([other[i] for i in calm], shot.duration, focal=shot.focal)
    assert {mirrored(name): mark for name, mark in first.items()} == second


def test_the_threshold_classifier_agrees_on_exact_paths():
    """It goes by the same least amounts; what goes back and forth it names more reluctantly."""
    classifier = ThresholdClassifier()
    sure = wrong = 0
    for seed in range(70):
        shot = film(np.random.default_rng([4, seed]), longest=5.0)
        found = marks(shot.moves, shot.duration, focal=shot.focal)
        exact = [Hypothesis("all", 1.0, shot.path())]
        answer = classifier.classify(exact, start=0.0, end=shot.duration)
        known = [name for name, mark in found.items() if mark is not None]
        sure += len(known)
        wrong += sum((name in answer.labels) != found[name] for name in known)
    assert sure > 0.9 * 70 * len(BY_NAME)
    assert wrong < 0.006 * sure


def test_eased_moves_are_seen_where_their_rate_is():
    steady = spans([Move("pan_left", 10.0, 1.0, 3.0)], 4.0)["pan_left"]
    assert [span.start for span in steady] == pytest.approx([1.0], abs=0.02)
    assert [span.end for span in steady] == pytest.approx([3.0], abs=0.02)
    eased = spans([Move("pan_left", 10.0, 1.0, 3.0, eased=True)], 4.0)["pan_left"]
    # 4 s (1 - s) of the peak is a tenth at s = 0.0257.
    assert [span.start for span in eased] == pytest.approx([1.051], abs=0.02)
    assert [span.end for span in eased] == pytest.approx([2.949], abs=0.02)


def test_parts_of_a_shot_follow_each_other_with_holds_between():
    moves = (
        Move("pan_left", 10.0, 0.0, 1.0),
        Move("pan_left", 2.0, 2.0, 3.0),
        Move("zoom_in", 0.3, 2.5, 4.0),
    )
    found = spans(moves, 5.0)
    assert [round(span.start) for span in found["pan_left"]] == [0, 2]
    assert [round(span.start, 1) for span in found["static"]] == [1.0, 4.0]
    assert found["static"][-1].end == pytest.approx(5.0)
    assert not found["pan_right"]
    assert not found["shaky"]
    assert spans([Shake(0.4)], 2.0)["shaky"] == (Span(0.0, 2.0),)
    assert spans([], 2.0)["static"] == (Span(0.0, 2.0),)


def test_moves_made_of_two_last_while_both_do():
    found = spans([Move("pan_right", 20.0, 0.0, 2.0), Move("truck_left", 0.4, 1.0, 3.0)], 4.0)
    (both,) = found["arc_cw"]
    assert (both.start, both.end) == pytest.approx((1.0, 2.0), abs=0.02)
    whole = spans([Move("arc_cw", 20.0, 1.0, 3.0)], 4.0)
    assert whole["arc_cw"] == whole["pan_right"] == whole["truck_left"]


def test_spans_are_those_of_the_path():
    """At the same moments the camera's exact path turns."""
    move = Move("tilt_up", 9.0, 0.7, 2.2, eased=True)
    path = camera_path([move], duration=3.0, rate=60.0)
    (span,) = spans([move], 3.0)["tilt_up"]
    still = (path.times < span.start - 0.1) | (path.times > span.end + 0.1)
    turns = np.abs(np.diff(path.rotations[:, 1, 2]))
    assert turns[~still[1:]].sum() > 0.99 * turns.sum()
