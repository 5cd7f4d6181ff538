"""Yes-or-no questions about a clip, as predicates that are put together from a few words.

A :data:`Predicate` takes a record and gives the probability of "yes", or None where the record
cannot tell. Of several conditions the least sure one counts, not their product: the moves of a
clip are told from the same path and stand or fall together, and an answer should turn exactly
where one of the labels does.
"""

from collections.abc import Callable

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
