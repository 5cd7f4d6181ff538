"""Questions and their answers on records of paths whose motion is known exactly."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dollygrip.classifiers import predicates as ask
from dollygrip.classifiers.base import combine, failed
from dollygrip.classifiers.labels import DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.predicates import TASKS
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

CALM: dict[str, Any] = {
    "moving_share": 0.0,
    "appearance": {"change": 5.0, "frozen_seconds": 0.0, "frozen_start": None, "blur": 0.1},
}


def record(path: Trajectory, **about: Any) -> ShotLabels:
    ends = {"start": float(path.times[0]), "end": float(path.times[-1])}
    return ThresholdClassifier().classify(
        [Hypothesis("any", 1.0, path)], **ends, diagnostics={**CALM, **about}
    )


def shown(**numbers: float) -> dict[str, Any]:
    return {"appearance": {**CALM["appearance"], **numbers}}


@pytest.fixture(scope="session")
def clips(path, sequence) -> dict[str, ShotLabels]:
    """One record of every kind that the questions tell apart."""
    moves = {
        "pan_left": {"pan": -30.0},
        "pan_right": {"pan": 30.0},
        "tilt_up": {"tilt": 20.0},
        "tilt_down": {"tilt": -20.0},
        "roll_cw": {"roll": 30.0},
        "roll_ccw": {"roll": -30.0},
        "truck_left": {"truck": -0.4},
        "truck_right": {"truck": 0.4},
        "up": {"pedestal": 0.4},
        "down": {"pedestal": -0.4},
        "forward": {"dolly": 0.5},
        "backward": {"dolly": -0.5},
        "zoom_in": {"zoom": 0.5},
        "zoom_out": {"zoom": -0.5},
        "arc_cw": {"pan": 30.0, "truck": -0.52},
        "arc_ccw": {"pan": -30.0, "truck": 0.52},
        "crane_up": {"tilt": -20.0, "pedestal": 0.35},
        "crane_down": {"tilt": 20.0, "pedestal": -0.35},
        "dolly_zoom_in": {"zoom": 0.4, "dolly": -0.5},
        "dolly_zoom_out": {"zoom": -0.4, "dolly": 0.4},
        "pan_left_and_more": {"pan": -30.0, "tilt": 20.0},
        "pan_right_and_more": {"pan": 30.0, "tilt": 20.0},
        "tilt_up_and_more": {"tilt": 20.0, "pan": 30.0},
        "tilt_down_and_more": {"tilt": -20.0, "pan": 30.0},
        "roll_cw_and_more": {"roll": 30.0, "pan": 30.0},
        "roll_ccw_and_more": {"roll": -30.0, "pan": 30.0},
        "truck_left_and_more": {"truck": -0.4, "zoom": 0.4},
        "truck_right_and_more": {"truck": 0.4, "zoom": 0.4},
        "up_and_more": {"pedestal": 0.4, "pan": 30.0},
        "down_and_more": {"pedestal": -0.4, "pan": 30.0},
        "forward_and_more": {"dolly": 0.5, "pan": 30.0},
        "backward_and_more": {"dolly": -0.5, "pan": 30.0},
        "zoom_in_and_more": {"zoom": 0.5, "pan": 30.0},
        "zoom_out_and_more": {"zoom": -0.5, "pan": 30.0},
    }
    found = {name: record(path(**amounts)) for name, amounts in moves.items()}
    turned = {
        "forward": ({"tilt": -90.0}, {"dolly": 0.5}),
        "backward": ({"tilt": -90.0}, {"dolly": -0.5}),
        "up": ({"tilt": -90.0}, {"pedestal": 0.5}),
        "down": ({"tilt": -90.0}, {"pedestal": -0.5}),
    }
    for way, (turn, travel) in turned.items():
        found[f"{way}_for_the_camera"] = record(sequence((4.0, turn), (2.0, {}), (4.0, travel)))
    still = path()
    jitter = np.radians(np.random.default_rng(0).normal(size=(len(still), 3)))

    def shaken(degrees: float) -> Trajectory:
        return replace(still, rotations=still.rotations @ exp(degrees * jitter))

    return found | {
        "still": record(still),
        "trembling": record(shaken(0.25)),
        "shaky": record(shaken(1.5)),
        "slow": record(path(seconds=20.0, pan=25.0)),
        "fast": record(path(seconds=1.5, pan=60.0)),
        "blurred": record(path(pan=30.0), **shown(blur=0.7)),
        "frozen": record(path(pan=30.0), **shown(frozen_seconds=2.0)),
        "busy": record(still, moving_share=0.3),
    }


# Task: a clip of which the first question is true, and one of which the second is.
EXAMPLES = {
    "confusable_motion/backward_camera_only_vs_backward_ground_and_camera": (
        "backward_for_the_camera",
        "backward",
    ),
    "confusable_motion/downward_camera_only_vs_downward_camera_and_ground": (
        "down_for_the_camera",
        "down",
    ),
    "confusable_motion/forward_camera_only_vs_forward_ground_and_camera": (
        "forward_for_the_camera",
        "forward",
    ),
    "confusable_motion/only_pan_left_vs_only_truck_left": ("pan_left", "truck_left"),
    "confusable_motion/only_pan_right_vs_only_truck_right": ("pan_right", "truck_right"),
    "confusable_motion/only_tilt_down_vs_only_pedestal_down": ("tilt_down", "down"),
    "confusable_motion/only_tilt_up_vs_only_pedestal_up": ("tilt_up", "up"),
    "confusable_motion/only_zoom_in_vs_only_forward": ("zoom_in", "forward"),
    "confusable_motion/only_zoom_out_vs_only_backward": ("zoom_out", "backward"),
    "confusable_motion/upward_camera_only_vs_upward_camera_and_ground": (
        "up_for_the_camera",
        "up",
    ),
    "has_motion/has_arc_clockwise": ("arc_cw", "arc_ccw"),
    "has_motion/has_arc_counterclockwise": ("arc_ccw", "truck_right"),
    "has_motion/has_backward_motion": ("backward", "zoom_out"),
    "has_motion/has_crane_down": ("crane_down", "down"),
    "has_motion/has_crane_up": ("crane_up", "up"),
    "has_motion/has_forward_motion": ("forward", "zoom_in"),
    "has_motion/has_pan_left": ("pan_left", "pan_right"),
    "has_motion/has_pan_left_not_truck_vs_has_truck_not_pan_left": ("pan_left", "truck_left"),
    "has_motion/has_pan_right": ("pan_right", "still"),
    "has_motion/has_pan_right_not_truck_vs_has_truck_not_pan_right": ("pan_right", "truck_right"),
    "has_motion/has_pedestal_down": ("down", "tilt_down"),
    "has_motion/has_pedestal_up": ("up", "forward"),
    "has_motion/has_roll_clockwise": ("roll_cw", "roll_ccw"),
    "has_motion/has_roll_counterclockwise": ("roll_ccw", "shaky"),
    "has_motion/has_tilt_down": ("tilt_down", "still"),
    "has_motion/has_tilt_down_not_pedestal_vs_has_pedestal_not_tilt_down": ("tilt_down", "down"),
    "has_motion/has_tilt_up": ("tilt_up", "pan_left"),
    "has_motion/has_tilt_up_not_pedestal_vs_has_pedestal_not_tilt_up": ("tilt_up", "up"),
    "has_motion/has_truck_left": ("truck_left", "truck_right"),
    "has_motion/has_truck_right": ("truck_right", "pan_right"),
    "has_motion/has_zoom_in": ("zoom_in", "forward"),
    "has_motion/has_zoom_in_not_move_vs_has_move_not_zoom_in": ("zoom_in", "forward"),
    "has_motion/has_zoom_out": ("zoom_out", "backward"),
    "has_motion/has_zoom_out_not_move_vs_has_move_not_zoom_out": ("zoom_out", "backward"),
    "motion_and_steadiness/is_the_camera_clearly_moving_or_not": ("pan_left", "shaky"),
    "motion_and_steadiness/is_the_camera_fixed_or_moving": ("still", "trembling"),
    "motion_and_steadiness/is_the_camera_stable_or_shaky": ("truck_left", "shaky"),
    "motion_and_steadiness/is_the_fixed_camera_shaking_or_not": ("still", "shaky"),
    "motion_direction/arc_ccw_vs_arc_cc": ("arc_ccw", "arc_cw"),
    "motion_direction/crane_up_vs_crane_down": ("crane_up", "crane_down"),
    "motion_direction/dolly_zoom_in_vs_dolly_zoom_out": ("dolly_zoom_in", "dolly_zoom_out"),
    "motion_direction/has_forward_vs_backward_ground": ("forward", "backward"),
    "motion_direction/has_leftward_vs_rightward": ("truck_left", "truck_right"),
    "motion_direction/has_upward_vs_downward_ground": ("up", "down"),
    "motion_direction/pan_left_vs_pan_right": ("pan_left", "pan_right"),
    "motion_direction/roll_cc_vs_roll_ccw": ("roll_cw", "roll_ccw"),
    "motion_direction/tilt_up_vs_tilt_down": ("tilt_up", "tilt_down"),
    "motion_direction/zoom_in_vs_zoom_out": ("zoom_in", "zoom_out"),
    "motion_speed/has_motion_blur_or_not": ("blurred", "pan_right"),
    "motion_speed/is_camera_movement_slow_or_fast": ("slow", "fast"),
    "only_motion/only_backward_vs_has_backward_and_not_only": ("backward", "backward_and_more"),
    "only_motion/only_forward_vs_has_forward_and_not_only": ("forward", "forward_and_more"),
    "only_motion/only_pan_left_vs_has_pan_left_and_not_only": ("pan_left", "pan_left_and_more"),
    "only_motion/only_pan_right_vs_has_pan_right_and_not_only": (
        "pan_right",
        "pan_right_and_more",
    ),
    "only_motion/only_pedestal_down_vs_has_pedestal_down_and_not_only": ("down", "down_and_more"),
    "only_motion/only_pedestal_up_vs_has_pedestal_up_and_not_only": ("up", "up_and_more"),
    "only_motion/only_roll_cc_vs_has_roll_cc_and_not_only": ("roll_cw", "roll_cw_and_more"),
    "only_motion/only_roll_ccw_vs_has_roll_ccw_and_not_only": ("roll_ccw", "roll_ccw_and_more"),
    "only_motion/only_tilt_down_vs_has_tilt_down_and_not_only": (
        "tilt_down",
        "tilt_down_and_more",
    ),
    "only_motion/only_tilt_up_vs_has_tilt_up_and_not_only": ("tilt_up", "tilt_up_and_more"),
    "only_motion/only_truck_left_vs_has_truck_left_and_not_only": (
        "truck_left",
        "truck_left_and_more",
    ),
    "only_motion/only_truck_right_vs_has_truck_right_and_not_only": (
        "truck_right",
        "truck_right_and_more",
    ),
    "only_motion/only_zoom_in_vs_has_zoom_in_and_not_only": ("zoom_in", "zoom_in_and_more"),
    "only_motion/only_zoom_out_vs_has_zoom_out_and_not_only": ("zoom_out", "zoom_out_and_more"),
    "scene_dynamics/has_frame_freeze_or_not": ("frozen", "still"),
    "scene_dynamics/is_scene_static_or_not": ("forward", "busy"),
}


def test_every_task_that_needs_no_subject_has_its_questions():
    assert set(TASKS) == set(EXAMPLES)
    assert len(TASKS) == 66


@pytest.mark.parametrize("task", sorted(EXAMPLES))
def test_each_question_is_true_of_its_own_clip_alone(task, clips):
    answers = [[question(clips[name]) for name in EXAMPLES[task]] for question in TASKS[task]]
    (yes, no), (other_no, other_yes) = answers
    assert yes > 0.5 > no
    assert other_yes > 0.5 > other_no


@pytest.mark.parametrize("task", sorted(TASKS))
def test_a_clip_without_an_answer_answers_nothing(task):
    lost = failed(Failure(Reason.TOO_DARK, "Black."), start=0.0, end=1.0)
    assert [question(lost) for question in TASKS[task]] == [None, None]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_answers_are_probabilities_and_never_yes_to_both(task, clips):
    for clip in clips.values():
        answers = [question(clip) for question in TASKS[task]]
        assert all(0.0 <= answer <= 1.0 for answer in answers)
        assert min(answers) <= 0.5


def test_clips_with_cuts_are_asked_as_one(clips):
    whole = combine([clips["still"], replace(clips["fast"], start=4.0, end=5.5)])
    for task in TASKS:
        assert all(question(whole) is not None for question in TASKS[task])
    assert ask.has("pan_right")(whole) > 0.5 > ask.still(whole)
    assert ask.fast(whole) > 0.5 > ask.slow(whole)


def test_what_the_record_lacks_is_not_known(clips):
    bare = replace(clips["pan_left"], attributes={})
    for question in (ask.steady, ask.slow, ask.fast, ask.blurred, ask.frozen, ask.scene_moves):
        assert question(bare) is None
        assert ask.negated(question)(bare) is None
        assert ask.both(ask.moving, question)(bare) is None
    assert ask.has("pan_left")(bare) > 0.5


@pytest.mark.parametrize(
    ("question", "name", "values"),
    [
        (ask.blurred, "blur", (0.0, 0.2, 0.4, 0.8)),
        (ask.blurred, "sweep", (0.0, 0.02, 0.2, 0.5)),
        (ask.frozen, "frozen_seconds", (0.0, 0.2, 0.5, 3.0)),
        (ask.scene_moves, "moving_share", (0.0, 0.01, 0.05, 0.5)),
        (ask.negated(ask.steady), "shake", (0.0, 0.001, 0.005, 0.05)),
        (ask.fast, "pace", (None, 1.0, 8.0, 30.0)),
        (ask.negated(ask.slow), "pace", (0.1, 1.0, 3.0, 30.0)),
    ],
)
def test_answers_are_graded(question: ask.Predicate, name, values, clips):
    clip = clips["fast"]
    # The other condition of blur is met beyond doubt.
    beyond = {**clip.attributes, "blur": 2.0, "sweep": 5.0}
    known = [question(replace(clip, attributes={**beyond, name: value})) for value in values]
    assert known == sorted(known)
    assert len(set(known)) == len(known)
    assert known[0] < 0.5 < known[-1]


def made_up(scores: list[float]) -> ShotLabels:
    names = [definition.name for definition in DEFINITIONS]
    return ShotLabels(0.0, 1.0, scores=dict(zip(names, scores, strict=True)))


probabilities = st.lists(st.floats(0.0, 1.0), min_size=len(DEFINITIONS), max_size=len(DEFINITIONS))


def test_a_label_that_is_just_given_is_a_yes(clips):
    clip = clips["pan_left"]
    just = replace(clip, scores={**clip.scores, "pan_left": 0.5})
    assert ask.has("pan_left")(just) > 0.5 > ask.negated(ask.has("pan_left"))(just)


@given(probabilities)
def test_at_most_one_move_is_the_only_one(scores):
    clip = made_up(scores)
    alone = [name for name in DIRECTIONS if ask.only(name)(clip) > 0.5]
    assert len(alone) <= 1
    assert all(clip.scores[name] > 0.5 for name in alone)


@given(probabilities)
def test_not_and_or_obey_de_morgan(scores):
    clip = made_up(scores)
    one, other = ask.has("pan_left"), ask.has("zoom_in")
    neither = ask.negated(ask.either(one, other))(clip)
    assert neither == pytest.approx(ask.both(ask.negated(one), ask.negated(other))(clip))


@given(probabilities, st.sampled_from(ask.WAYS))
def test_without_a_path_the_ground_is_taken_to_be_level(scores, way):
    clip = made_up(scores)
    own = {"forward": "dolly_in", "backward": "dolly_out", "up": "pedestal_up"}
    assert ask.towards(way)(clip) == clip.scores[own.get(way, "pedestal_down")]


@pytest.mark.parametrize(
    "task", sorted(t for t in TASKS if "left" in t and t.replace("left", "right") in TASKS)
)
def test_mirrored_clips_get_mirrored_answers(task, path):
    seen, mirrored = (record(path(pan=-20.0 * side, truck=-0.1 * side)) for side in (1, -1))
    answers = [question(seen) for question in TASKS[task]]
    flipped = [question(mirrored) for question in TASKS[task.replace("left", "right")]]
    assert answers == pytest.approx(flipped)
