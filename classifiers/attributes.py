"""How steady, how fast, how complex; and how much in numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dollygrip.classifiers.labels import BY_NAME, DIRECTIONS
from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.segments import follows, typical_rate
from dollygrip.classifiers.visibility import VisibleMotion
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES

# Shake in picture sizes above which a shot is smooth, unsteady, very unsteady: at 1920 pixels
# about 1.5, 6 and 20.
_SHAKE_LEVELS = ((0.0008, "very_smooth"), (0.003, "smooth"), (0.01, "unsteady"))

# Borders of slow and fast, in multiples a second of the amount that makes a move visible: for a
# pan about 3 and 20 degrees a second, for a zoom a doubling in 8 s and in 1.2 s.
_SLOW, _FAST = 1.7, 11.5

_NAMES = {
    "pan": "pan_deg",
    "tilt": "tilt_deg",
    "roll": "roll_deg",
    "truck": "truck_depths",
    "pedestal": "pedestal_depths",
    "dolly": "dolly_depths",
    "zoom": "zoom_log",
}


def attributes(
    motion: VisibleMotion,
    labels: Sequence[str],
    segments: Sequence[Segment],
    thresholds: FloatArray,
) -> dict[str, Any]:
    """Levels and amounts of one shot.

    Args:
        motion: The motion of the shot.
        labels: The labels that are present.
        segments: The timeline.
        thresholds: (7,) amounts that make a move visible, in picture sizes.

    Returns:
        ``steadiness``, ``speed`` (None where nothing moves), ``complexity`` as in
        :mod:`dollygrip.classifiers.labels`; ``shake`` in picture sizes; ``net`` in degrees, scene
        depths and log focal length; ``visible``, the same in picture sizes.
    """
    net = motion.net
    return {
        "steadiness": _steadiness(motion, labels),
        "speed": _speed(motion, labels, thresholds),
        "complexity": _complexity(motion, labels, segments, thresholds),
        "shake": round(motion.shake, 5),
        "net": {_NAMES[a]: round(float(net[i] / motion.units[i]), 4) for i, a in enumerate(AXES)},
        "visible": {a: round(float(net[i]), 4) for i, a in enumerate(AXES)},
    }


def _steadiness(motion: VisibleMotion, labels: Sequence[str]) -> str:
    if "static" in labels:
        return "static"
    return next((name for limit, name in _SHAKE_LEVELS if motion.shake < limit), "very_unsteady")


def _speed(motion: VisibleMotion, labels: Sequence[str], thresholds: FloatArray) -> str | None:
    rates = [
        typical_rate(BY_NAME[label].sign * motion.rates[:, axis]) / thresholds[axis]
        for label in labels
        if label in DIRECTIONS
        for axis in [AXES.index(BY_NAME[label].axis)]
    ]
    if not rates:
        return None
    fastest = max(rates)
    return "slow" if fastest < _SLOW else "fast" if fastest > _FAST else "regular"


def _complexity(
    motion: VisibleMotion,
    labels: Sequence[str],
    segments: Sequence[Segment],
    thresholds: FloatArray,
) -> str:
    moves = [label for label in labels if label in DIRECTIONS]
    if not moves:
        seen = np.ptp(motion.position, axis=0) > 0.5 * thresholds
        return "minor" if seen.any() and "static" not in labels else "none"
    told = [segment for segment in segments if segment.motion in moves]
    in_sequence = any(follows(a, b) for a in told for b in told)
    return "complex" if len(moves) > 2 or in_sequence else "simple"
