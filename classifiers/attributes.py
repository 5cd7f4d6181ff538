"""How steady, how fast, how complex; what scene and pictures do; and how much in numbers."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from dollygrip.classifiers.labels import BY_NAME, COMPLEXITY, DIRECTIONS, SPEED, STEADINESS
from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.segments import follows, typical_rate
from dollygrip.classifiers.visibility import VisibleMotion
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll

SCENE = ("still", "moving")
LEVELS: Mapping[str, tuple[Any, ...]] = {
    "steadiness": STEADINESS,
    "speed": SPEED,
    "complexity": COMPLEXITY,
    "scene": SCENE,
    "frame_freeze": (False, True),
    "motion_blur": (False, True),
}
"""The levels of each attribute, in the order of how much there is."""
AMOUNTS = ("shake", "pace", "sweep", "moving_share", "frozen_seconds", "blur")
"""The numbers behind the levels."""

SHAKE_LEVELS = ((0.0008, "very_smooth"), (0.002, "smooth"), (0.01, "unsteady"))
"""Shake in picture sizes below which a shot has that steadiness: at 1920 pixels about 1.5, 4 and
20; of a hand that trembles between 1 and 6 Hz 0.07, 0.2 and 0.9 degrees (root mean square)."""

SLOW, FAST = 1.7, 11.5
"""Borders of slow and fast, in multiples a second of the amount that makes a move visible: for a
pan about 3 and 20 degrees a second, for a zoom a doubling in 8 s and in 1.2 s."""

SCENE_MOVES = 0.02
"""Share of what was followed that moves by itself from which on a scene does. On the rendered
splits ``tune`` and ``stress-tune`` anything from 0.005 to 0.02 is as good; the most of it, because
points are followed less well in real pictures."""

FREEZE = 0.4
"""Seconds for which one and the same picture stands in a shot that freezes."""
# Grey levels by which pictures of such a shot differ: below, noise comes and goes with the codec.
_FREEZE_CHANGE = 0.3

BLUR = 0.28
"""Log ratio of detail across a motion and along it from which on a picture looks blurred: a smear
of about 3 pixels of 480. Chosen on rendered pictures with a shutter, none, and soft ones."""

SWEEP = 0.1
"""Picture sizes a second below which nothing blurs: 2 pixels of 480 in 1/24 s. Without it textures
that have a grain of their own, such as grass, pass for blur."""
# A hand trembles about three times a second, so its speed is so many times its shake.
_TREMBLING = 20.0
# A move is fast, and blurs, for a part of the shot.
_FAST_PART = 75

_NAMES = {
    "pan": "pan_deg",
    "tilt": "tilt_deg",
    "roll": "roll_deg",
    "truck": "truck_depths",
    "pedestal": "pedestal_depths",
    "dolly": "dolly_depths",
    "zoom": "zoom_log",
}
# A camera on its side has no heading; less than this of its right axis is level then.
_LEAST_LEVEL = 0.1


def attributes(
    motion: VisibleMotion,
    labels: Sequence[str],
    segments: Sequence[Segment],
    thresholds: FloatArray,
    diagnostics: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Levels and amounts of one shot.

    Args:
        motion: The motion of the shot.
        labels: The labels that are present.
        segments: The timeline.
        thresholds: (7,) amounts that make a move visible, in picture sizes.
        diagnostics: Numbers from the estimator and of the pictures, where there are any.

    Returns:
        A level, or None where it is not known, for each of :data:`LEVELS` (``speed`` is None where
        nothing moves); ``speeds``, that of each signed move that is present; each of
        :data:`AMOUNTS`, None where not known: ``shake`` in picture sizes,
        ``pace`` of the fastest move in least amounts a second, ``sweep`` of the whole picture in
        picture sizes a second, ``moving_share`` of what was followed, ``frozen_seconds``, ``blur``
        as a log ratio; ``net`` in degrees, scene depths and log focal length; ``visible``, the same
        in picture sizes; ``ground``, travel in scene depths relative to the ground (see
        :func:`ground_travel`).
    """
    known = diagnostics or {}
    net, paces = motion.net, _paces(motion, labels, thresholds)
    pace = max(paces.values(), default=None)
    moving, frozen = known.get("moving_share"), _frozen_seconds(known)
    blur, sweep = known.get("appearance", {}).get("blur"), _sweep(motion)
    return {
        "steadiness": _steadiness(motion, labels),
        "speed": None if pace is None else _level(pace),
        "speeds": {label: _level(own) for label, own in paces.items()},
        "complexity": _complexity(motion, labels, segments, thresholds),
        "scene": None if moving is None else SCENE[int(moving >= SCENE_MOVES)],
        "frame_freeze": None if frozen is None else frozen >= FREEZE,
        "motion_blur": None if blur is None else blur >= BLUR and sweep >= SWEEP,
        "shake": round(motion.shake, 5),
        "pace": None if pace is None else round(pace, 3),
        "sweep": round(sweep, 4),
        "moving_share": moving,
        "frozen_seconds": frozen,
        "blur": blur,
        "net": {_NAMES[a]: round(float(net[i] / motion.units[i]), 4) for i, a in enumerate(AXES)},
        "visible": {a: round(float(net[i]), 4) for i, a in enumerate(AXES)},
        "ground": {name: round(way, 4) for name, way in ground_travel(motion).items()},
    }


def merged(shots: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The attributes of a clip from those of its shots: of each the most that is in one of them.

    Net motion of several shots adds up to nothing and is left out.
    """

    def most(name: str, key: Any = None) -> Any:
        known = [shot[name] for shot in shots if shot.get(name) is not None]
        return max(known, key=key, default=None)

    levels = {name: most(name, levels.index) for name, levels in LEVELS.items()}
    return levels | {name: most(name) for name in AMOUNTS}


def ground_travel(motion: VisibleMotion) -> dict[str, float]:
    """Net travel relative to the ground: ``right_depths``, ``up_depths``, ``forward_depths``.

    Forward and right are along the horizontal part of the view, moment by moment; up is against
    gravity. The pictures do not tell where gravity points, so the camera is taken to be level at
    its first pose, in pitch and roll, and followed from there: of a camera that looks down all the
    time, a descent along its view counts as forward.
    """
    steps = 0.5 * (motion.rates[1:] + motion.rates[:-1]) * np.diff(motion.times)[:, None]
    steps = steps / motion.units
    turns = rotation_from_pan_tilt_roll(steps[:, :3])
    # Orientation at the start of each step, world_from_camera.
    oriented = np.stack(list(accumulate(turns[:-1], np.matmul, initial=np.eye(3))))
    travel = np.einsum("kij,kj->ki", oriented, steps[:, 3:6] * [1.0, -1.0, 1.0])
    down = np.array([0.0, 1.0, 0.0])
    heading = np.cross(oriented[:, :, 0], down)
    heading /= np.maximum(np.linalg.norm(heading, axis=1, keepdims=True), _LEAST_LEVEL)
    return {
        "right_depths": float((travel * np.cross(down, heading)).sum()),
        "up_depths": float(-travel[:, 1].sum()),
        "forward_depths": float((travel * heading).sum()),
    }


def _steadiness(motion: VisibleMotion, labels: Sequence[str]) -> str:
    if "static" in labels:
        return "static"
    return next((name for limit, name in SHAKE_LEVELS if motion.shake < limit), "very_unsteady")


def _paces(
    motion: VisibleMotion, labels: Sequence[str], thresholds: FloatArray
) -> dict[str, float]:
    """Of each signed move, in least amounts a second."""
    axes = {name: AXES.index(BY_NAME[name].axis) for name in labels if name in DIRECTIONS}
    return {
        name: typical_rate(BY_NAME[name].sign * motion.rates[:, axis]) / float(thresholds[axis])
        for name, axis in axes.items()
    }


def _level(pace: float) -> str:
    return SPEED[int(pace >= SLOW) + int(pace > FAST)]


def _sweep(motion: VisibleMotion) -> float:
    """How fast the picture goes by in the fast part of the shot, in picture sizes a second."""
    intended = np.percentile(np.linalg.norm(motion.rates, axis=1), _FAST_PART)
    return float(intended) + _TREMBLING * motion.shake


def _frozen_seconds(diagnostics: Mapping[str, Any]) -> float | None:
    """How long one picture stands in a shot whose pictures change."""
    appearance = diagnostics.get("appearance")
    if appearance is None:
        return None
    changes = (appearance["change"] or 0.0) >= _FREEZE_CHANGE
    return appearance["frozen_seconds"] if changes else 0.0


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
