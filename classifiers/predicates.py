"""Yes-or-no questions about a clip, as predicates that are put together from a few words.

A :data:`Predicate` takes a record and gives the probability of "yes", or None where the record
cannot tell. Of several conditions the least sure one counts, not their product: the moves of a
clip are told from the same path and stand or fall together, and an answer should turn exactly
where one of the labels does.
"""

from collections.abc import Callable, Mapping

import numpy as np

from dollygrip.classifiers.attributes import (
    BLUR,
    FAST,
    FREEZE,
    SCENE_MOVES,
    SHAKE_LEVELS,
    SLOW,
    SWEEP,
)
from dollygrip.classifiers.labels import BY_NAME, DIRECTIONS
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import PRESENT

Predicate = Callable[[ShotLabels], float | None]

# Steepness of an amount over its border, as that of the scores: 0.74 at twice the border.
_SLOPE = 1.5
# Pace that is as near to slow as to fast: both are asked about clips that are one or the other.
_MIDDLING = float(np.sqrt(SLOW * FAST))
# Blur is a log ratio already; so far beyond the border it is believed as much.
_BLUR_WIDTH = 0.06
# Travel that is nothing, in scene depths: a fifth of what is visible.
_NO_TRAVEL = 0.01
# A label is given from a score of 0.5 on, as that of the likelier of two look-alikes may be; the
# answer is not a tie then.
_JUST_YES = PRESENT + 1e-6
# Scores of 0 and 1 have no odds.
_SURE = 1e-6

_GROUND = {
    "forward": ("dolly_in", "forward_depths"),
    "backward": ("dolly_out", "forward_depths"),
    "up": ("pedestal_up", "up_depths"),
    "down": ("pedestal_down", "up_depths"),
}
WAYS = tuple(_GROUND)
"""Directions relative to the ground."""


def has(label: str) -> Predicate:
    """A label is present."""

    def answer(record: ShotLabels) -> float | None:
        score = record.scores.get(label)
        return max(score, _JUST_YES) if score is not None and label in record.labels else score

    return answer


def negated(predicate: Predicate) -> Predicate:
    """Something is not so."""

    def answer(record: ShotLabels) -> float | None:
        yes = predicate(record)
        return None if yes is None else 1.0 - yes

    return answer


def both(*predicates: Predicate) -> Predicate:
    """All of several things are so."""
    return _of(min, predicates)


def either(*predicates: Predicate) -> Predicate:
    """At least one of several things is so."""
    return _of(max, predicates)


def without(predicate: Predicate, other: Predicate) -> Predicate:
    """One thing is so, but not the other."""
    return both(predicate, negated(other))


def yes_or_no(predicate: Predicate) -> tuple[Predicate, Predicate]:
    """A question and its opposite."""
    return predicate, negated(predicate)


def one_or_other(one: Predicate, other: Predicate) -> tuple[Predicate, Predicate]:
    """One thing without the other, and the other without the one."""
    return without(one, other), without(other, one)


def towards(way: str) -> Predicate:
    """The camera travels in one of :data:`WAYS` relative to the ground.

    The score of the move in the camera's own axes, raised or lowered by how much more or less of
    the travel is along the ground's: the same number for a camera that stays level.
    """
    label, axis = _GROUND[way]
    definition, present = BY_NAME[label], has(label)

    def answer(record: ShotLabels) -> float | None:
        score = present(record)
        ground, net = (record.attributes.get(name) for name in ("ground", "net"))
        if score is None or ground is None or net is None:
            return score
        along = max(definition.sign * ground[axis], 0.0) + _NO_TRAVEL
        seen = max(definition.sign * net[f"{definition.axis}_depths"], 0.0) + _NO_TRAVEL
        score = min(max(score, _SURE), 1.0 - _SURE)
        return _logistic(float(np.log(score / (1.0 - score)) + _SLOPE * np.log(along / seen)))

    return answer


def only(move: str) -> Predicate:
    """A signed move or one of :data:`WAYS`, and no other move."""
    if move in WAYS:
        # On the ground, up and forward take the place of pedestal and dolly.
        replaced = ("pedestal", "dolly")
        others = [has(name) for name in DIRECTIONS if BY_NAME[name].axis not in replaced]
        others += [towards(way) for way in WAYS if way != move]
        return without(towards(move), either(*others))
    return without(has(move), either(*(has(name) for name in DIRECTIONS if name != move)))


def camera_only(way: str) -> Predicate:
    """Travel along the view, but not relative to the ground."""
    return without(has(_GROUND[way][0]), towards(way))


def camera_and_ground(way: str) -> Predicate:
    """Travel along the view and relative to the ground alike."""
    return both(has(_GROUND[way][0]), towards(way))


def _of(choose: Callable[..., float], predicates: tuple[Predicate, ...]) -> Predicate:
    def answer(record: ShotLabels) -> float | None:
        answers = [predicate(record) for predicate in predicates]
        known = [yes for yes in answers if yes is not None]
        return choose(known) if len(known) == len(answers) else None

    return answer


def _amount(name: str, border: float) -> Predicate:
    """An amount among the attributes is over its border."""

    def answer(record: ShotLabels) -> float | None:
        value = record.attributes.get(name)
        return None if value is None else _over(value, border)

    return answer


def _quick(record: ShotLabels) -> float | None:
    if "pace" not in record.attributes:
        return None
    # Where no move is named there is no pace, and nothing is quick.
    return _over(record.attributes["pace"] or 0.0, _MIDDLING)


def _smeared(record: ShotLabels) -> float | None:
    blur = record.attributes.get("blur")
    return None if blur is None else _logistic((blur - BLUR) / _BLUR_WIDTH)


def _over(value: float, border: float) -> float:
    return _logistic(_SLOPE * float(np.log(max(value / border, _SURE))))


def _logistic(value: float) -> float:
    return float(0.5 * (1.0 + np.tanh(0.5 * value)))


still = has("static")
"""The camera is completely still."""
moving = either(*(has(name) for name in DIRECTIONS))
"""The camera clearly moves, beyond shake and wobble."""
wobbling = both(negated(moving), negated(still))
"""The camera stays where it is, but not perfectly so."""
shaky = has("shaky")
"""The camera shakes visibly."""
steady = negated(either(shaky, _amount("shake", SHAKE_LEVELS[1][0])))
"""The camera moves smoothly, or not at all."""
slow = without(moving, _quick)
"""The camera clearly moves, and rather slowly than fast."""
fast = both(moving, _quick)
"""The camera clearly moves, and rather fast than slowly."""
blurred = both(_smeared, _amount("sweep", SWEEP))
"""There is motion blur."""
frozen = _amount("frozen_seconds", FREEZE)
"""One picture stands for a while."""
scene_moves = _amount("moving_share", SCENE_MOVES)
"""Something in the scene moves by itself."""


TASKS: Mapping[str, tuple[Predicate, Predicate]] = {
    "confusable_motion/backward_camera_only_vs_backward_ground_and_camera": (
        camera_only("backward"),
        camera_and_ground("backward"),
    ),
    "confusable_motion/downward_camera_only_vs_downward_camera_and_ground": (
        camera_only("down"),
        camera_and_ground("down"),
    ),
    "confusable_motion/forward_camera_only_vs_forward_ground_and_camera": (
        camera_only("forward"),
        camera_and_ground("forward"),
    ),
    "confusable_motion/only_pan_left_vs_only_truck_left": (only("pan_left"), only("truck_left")),
    "confusable_motion/only_pan_right_vs_only_truck_right": (
        only("pan_right"),
        only("truck_right"),
    ),
    "confusable_motion/only_tilt_down_vs_only_pedestal_down": (only("tilt_down"), only("down")),
    "confusable_motion/only_tilt_up_vs_only_pedestal_up": (only("tilt_up"), only("up")),
    "confusable_motion/only_zoom_in_vs_only_forward": (only("zoom_in"), only("forward")),
    "confusable_motion/only_zoom_out_vs_only_backward": (only("zoom_out"), only("backward")),
    "confusable_motion/upward_camera_only_vs_upward_camera_and_ground": (
        camera_only("up"),
        camera_and_ground("up"),
    ),
    "has_motion/has_arc_clockwise": yes_or_no(has("arc_cw")),
    "has_motion/has_arc_counterclockwise": yes_or_no(has("arc_ccw")),
    "has_motion/has_backward_motion": yes_or_no(towards("backward")),
    "has_motion/has_crane_down": yes_or_no(has("crane_down")),
    "has_motion/has_crane_up": yes_or_no(has("crane_up")),
    "has_motion/has_forward_motion": yes_or_no(towards("forward")),
    "has_motion/has_pan_left": yes_or_no(has("pan_left")),
    "has_motion/has_pan_left_not_truck_vs_has_truck_not_pan_left": one_or_other(
        has("pan_left"), has("truck_left")
    ),
    "has_motion/has_pan_right": yes_or_no(has("pan_right")),
    "has_motion/has_pan_right_not_truck_vs_has_truck_not_pan_right": one_or_other(
        has("pan_right"), has("truck_right")
    ),
    "has_motion/has_pedestal_down": yes_or_no(towards("down")),
    "has_motion/has_pedestal_up": yes_or_no(towards("up")),
    "has_motion/has_roll_clockwise": yes_or_no(has("roll_cw")),
    "has_motion/has_roll_counterclockwise": yes_or_no(has("roll_ccw")),
    "has_motion/has_tilt_down": yes_or_no(has("tilt_down")),
    "has_motion/has_tilt_down_not_pedestal_vs_has_pedestal_not_tilt_down": one_or_other(
        has("tilt_down"), towards("down")
    ),
    "has_motion/has_tilt_up": yes_or_no(has("tilt_up")),
    "has_motion/has_tilt_up_not_pedestal_vs_has_pedestal_not_tilt_up": one_or_other(
        has("tilt_up"), towards("up")
    ),
    "has_motion/has_truck_left": yes_or_no(has("truck_left")),
    "has_motion/has_truck_right": yes_or_no(has("truck_right")),
    "has_motion/has_zoom_in": yes_or_no(has("zoom_in")),
    "has_motion/has_zoom_in_not_move_vs_has_move_not_zoom_in": one_or_other(
        has("zoom_in"), towards("forward")
    ),
    "has_motion/has_zoom_out": yes_or_no(has("zoom_out")),
    "has_motion/has_zoom_out_not_move_vs_has_move_not_zoom_out": one_or_other(
        has("zoom_out"), towards("backward")
    ),
    "motion_and_steadiness/is_the_camera_clearly_moving_or_not": yes_or_no(moving),
    "motion_and_steadiness/is_the_camera_fixed_or_moving": yes_or_no(still),
    "motion_and_steadiness/is_the_camera_stable_or_shaky": yes_or_no(steady),
    "motion_and_steadiness/is_the_fixed_camera_shaking_or_not": (still, wobbling),
    "motion_direction/arc_ccw_vs_arc_cc": (has("arc_ccw"), has("arc_cw")),
    "motion_direction/crane_up_vs_crane_down": (has("crane_up"), has("crane_down")),
    "motion_direction/dolly_zoom_in_vs_dolly_zoom_out": (
        has("dolly_zoom_in"),
        has("dolly_zoom_out"),
    ),
    "motion_direction/has_forward_vs_backward_ground": (towards("forward"), towards("backward")),
    "motion_direction/has_leftward_vs_rightward": (has("truck_left"), has("truck_right")),
    "motion_direction/has_upward_vs_downward_ground": (towards("up"), towards("down")),
    "motion_direction/pan_left_vs_pan_right": (has("pan_left"), has("pan_right")),
    "motion_direction/roll_cc_vs_roll_ccw": (has("roll_cw"), has("roll_ccw")),
    "motion_direction/tilt_up_vs_tilt_down": (has("tilt_up"), has("tilt_down")),
    "motion_direction/zoom_in_vs_zoom_out": (has("zoom_in"), has("zoom_out")),
    "motion_speed/has_motion_blur_or_not": yes_or_no(blurred),
    "motion_speed/is_camera_movement_slow_or_fast": (slow, fast),
    "only_motion/only_backward_vs_has_backward_and_not_only": yes_or_no(only("backward")),
    "only_motion/only_forward_vs_has_forward_and_not_only": yes_or_no(only("forward")),
    "only_motion/only_pan_left_vs_has_pan_left_and_not_only": yes_or_no(only("pan_left")),
    "only_motion/only_pan_right_vs_has_pan_right_and_not_only": yes_or_no(only("pan_right")),
    "only_motion/only_pedestal_down_vs_has_pedestal_down_and_not_only": yes_or_no(only("down")),
    "only_motion/only_pedestal_up_vs_has_pedestal_up_and_not_only": yes_or_no(only("up")),
    "only_motion/only_roll_cc_vs_has_roll_cc_and_not_only": yes_or_no(only("roll_cw")),
    "only_motion/only_roll_ccw_vs_has_roll_ccw_and_not_only": yes_or_no(only("roll_ccw")),
    "only_motion/only_tilt_down_vs_has_tilt_down_and_not_only": yes_or_no(only("tilt_down")),
    "only_motion/only_tilt_up_vs_has_tilt_up_and_not_only": yes_or_no(only("tilt_up")),
    "only_motion/only_truck_left_vs_has_truck_left_and_not_only": yes_or_no(only("truck_left")),
    "only_motion/only_truck_right_vs_has_truck_right_and_not_only": yes_or_no(only("truck_right")),
    "only_motion/only_zoom_in_vs_has_zoom_in_and_not_only": yes_or_no(only("zoom_in")),
    "only_motion/only_zoom_out_vs_has_zoom_out_and_not_only": yes_or_no(only("zoom_out")),
    "scene_dynamics/has_frame_freeze_or_not": yes_or_no(frozen),
    "scene_dynamics/is_scene_static_or_not": (negated(scene_moves), scene_moves),
}
"""For CameraBench's questions about pairs of clips, by skill and task: the question that is true of
the first clip, and the one that is true of the second. Tasks that ask about a subject, or for a
description, are left out."""
