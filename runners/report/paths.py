"""How a camera moved in a clip, as numbers small enough to draw from."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dollygrip.classifiers.visibility import visible_units
from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.normalize import translation_scale
from dollygrip.geometry.profile import motion_profile
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.space import from_first, frustum

# Of a clip; shots share them by their length.
_POINTS = 80
_CAMERAS = 7
_MOST_SHOTS = 24
# Decimals of pan, tilt, roll (degrees a second), truck, pedestal, dolly (scene depths), zoom (log).
_DECIMALS = (2, 2, 2, 4, 4, 4, 4)
# A row is at least this high, in picture sizes a second, so that noise looks like noise.
_LEAST_FULL_SCALE = 0.02
# Camera x (right), y (down), z (ahead) to right, up, forward.
_RIGHT_UP_FORWARD = np.array([1.0, -1.0, 1.0])


def drawn_motion(motions: Sequence[ShotMotion]) -> dict[str, Any]:
    """Rates and path of the likeliest hypothesis of each shot.

    Args:
        motions: Of the shots of a clip.

    Returns:
        JSON-ready: ``note``, a sentence where shots are left out, else empty; ``shots``, each
        with ``start``, ``end``, ``failure`` (empty for an answer), and, where there is motion,
        ``model`` and ``probability``, ``times`` (N,), ``rates`` (7, N) as a
        :class:`~dollygrip.geometry.profile.MotionProfile` has them, ``full_scale`` (7,) of
        their rows, and ``path``: ``unit`` (``"depths"``, ``"metres"`` where the scene's depth is
        assumed, ``"unknown"``), ``times`` (M,), ``centers`` (M, 3) and ``cameras``, each with
        ``time``, ``center`` (3,) and ``rays`` (4, 3) from the centre to the corners of what it
        sees at depth one, clockwise from top left. Coordinates are right, up, forward of the
        shot's first camera, in scene depths.
    """
    shown = motions[:_MOST_SHOTS]
    left_out = len(motions) - len(shown)
    note = f"The last {left_out} of {len(motions)} shots are not drawn." if left_out else ""
    total = sum(motion.end - motion.start for motion in shown)
    return {"note": note, "shots": [_shot(motion, total) for motion in shown]}


def _shot(motion: ShotMotion, total: float) -> dict[str, Any]:
    about: dict[str, Any] = {
        "start": round(motion.start, 3),
        "end": round(motion.end, 3),
        "failure": "" if motion.failure is None else motion.failure.message,
    }
    if not motion.hypotheses:
        return about
    likeliest = motion.hypotheses[0]
    if likeliest.trajectory.valid.sum() < 2:
        return about | {"failure": "Fewer than two pictures have a camera."}
    share = (motion.end - motion.start) / total if total > 0.0 else 1.0
    return (
        about
        | {"model": likeliest.model, "probability": round(likeliest.probability, 3)}
        | _rates(likeliest.trajectory, share)
        | {"path": _path(likeliest.trajectory, share)}
    )


def _rates(trajectory: Trajectory, share: float) -> dict[str, Any]:
    profile = motion_profile(trajectory)
    least = _LEAST_FULL_SCALE / visible_units(profile.field_of_view_deg)
    picked = _picked(np.arange(len(profile.times)), _POINTS, share)
    columns = zip(profile.rates[picked].T, _DECIMALS, strict=True)
    return {
        "times": _rounded(profile.times[picked]),
        "rates": [_rounded(column, decimals) for column, decimals in columns],
        "full_scale": _rounded(np.maximum(np.abs(profile.rates).max(axis=0), least), 4),
    }


def _path(trajectory: Trajectory, share: float) -> dict[str, Any]:
    path, scale = from_first(trajectory), translation_scale(trajectory)
    to_depths = scale * _RIGHT_UP_FORWARD
    there = np.flatnonzero(path.valid)
    picked = _picked(there, _POINTS, share)
    return {
        "unit": _unit(trajectory),
        "times": _rounded(path.times[picked]),
        "centers": _rounded(path.centers[picked] * to_depths),
        "cameras": [
            {
                "time": round(float(path.times[pose]), 3),
                "center": _rounded(path.centers[pose] * to_depths),
                "rays": _rounded(_rays(path, pose)),
            }
            for pose in _picked(there, _CAMERAS, share).tolist()
        ],
    }


def _rays(path: Trajectory, pose: int) -> FloatArray:
    """(4, 3) from a camera to the corners of what it sees at depth one."""
    corners = frustum(path, pose, 1.0)
    rays: FloatArray = (corners[1:] - corners[0]) * _RIGHT_UP_FORWARD
    return rays


def _unit(trajectory: Trajectory) -> str:
    if np.isfinite(trajectory.scene_depth) and trajectory.scene_depth > 0:
        return "depths"
    return "metres" if trajectory.metric else "unknown"


def _picked(rows: IntArray, most: int, share: float) -> IntArray:
    """Evenly spaced rows, the first and the last among them."""
    count = min(len(rows), max(2, round(most * share)))
    return rows[np.round(np.linspace(0, len(rows) - 1, count)).astype(np.intp)]


def _rounded(values: FloatArray, decimals: int = 3) -> list[Any]:
    # Adding zero turns -0.0 into 0.0.
    rounded: list[Any] = (np.round(values, decimals) + 0.0).tolist()
    return rounded
