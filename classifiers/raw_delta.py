"""The rule by which the CameraBench paper scores structure from motion, on any camera path.

Lin et al., Towards Understanding Camera Motions in Any Video, arXiv 2504.15376: what changes from
the first to the last pose, in the axes of the first camera, as it is and without thresholds. It is
a baseline, named after what it is, and made for ranking: no amount is too small to be named.

Inferred, since the paper does not say it: turns are Euler angles in the order "zyx" (about the
world's z, then y, then x, the world being the first camera), in degrees.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dollygrip.classifiers.base import failed
from dollygrip.classifiers.labels import BY_NAME, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.likeliest import likeliest
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

# Changes up to here are told apart by their difference, larger ones by their ratio.
_FINEST = 1e-6
# In powers of e: changes of this many times the finest score halfway from 0.5 to the end.
_HALFWAY = 20.0
# Degrees that count like one unit of travel in ``static``.
_HALF_TURN = 180.0
_NAMES = {"pan": "pan_deg", "tilt": "tilt_deg", "roll": "roll_deg"}


@dataclass(frozen=True)
class RawDeltaClassifier:
    """Scores every primitive by what changes from the first to the last pose.

    Of the likeliest path, with the change in the axis of a label and along its sign:

    - dolly, truck, pedestal: the unit of the path's centres, whatever it is;
    - pan, tilt, roll: degrees; a pan beyond 90 folds back, and adds 180 of tilt and of roll;
    - zoom: last focal length over first, less 1 (the paper ranks by the ratio itself, which is the
      same order);
    - ``static``: minus the largest of travel along each axis, each turn over 180 degrees, and zoom,
      all without sign.

    :func:`score` puts them between 0 and 1, 0.5 where nothing changed. A change is named whatever
    its size, and ``static`` only where there is none at all. The other labels cannot be said and
    score 0. ``attributes["delta"]`` has the changes themselves.
    """

    @property
    def name(self) -> str:
        """Name in the registry."""
        return "raw_delta"

    @property
    def settings(self) -> None:
        """None: the rule has no numbers."""
        return None

    def classify(
        self,
        hypotheses: Sequence[Hypothesis],
        *,
        start: float,
        end: float,
        doubts: Sequence[Failure] = (),
        diagnostics: Mapping[str, Any] | None = None,
    ) -> ShotLabels:
        """Label one shot; see :class:`dollygrip.classifiers.base.Classifier`."""
        told = likeliest(hypotheses)
        if isinstance(told, Failure):
            return failed(told, start=start, end=end, doubts=doubts, diagnostics=diagnostics)
        delta = net_change(told.trajectory)
        values = {n: BY_NAME[n].sign * delta[AXES.index(BY_NAME[n].axis)] for n in DIRECTIONS}
        values["static"] = -largest(delta)
        named = {name for name, value in values.items() if value > 0.0} or {"static"}
        labels = tuple(d.name for d in DEFINITIONS if d.name in named)
        scores = dict.fromkeys((d.name for d in DEFINITIONS), 0.0)
        scores |= {name: score(value) for name, value in values.items()}
        return ShotLabels(
            start=start,
            end=end,
            labels=labels,
            scores=scores,
            trust=told.probability,
            doubts=tuple(doubts),
            attributes={
                "delta": {
                    _NAMES.get(axis, axis): float(f"{change:.6g}")
                    for axis, change in zip(AXES, delta, strict=True)
                }
            },
            caption=_caption(labels),
            diagnostics=dict(diagnostics or {}),
        )


def net_change(trajectory: Trajectory) -> FloatArray:
    """From the first to the last valid pose, in the axes of the first camera.

    Args:
        trajectory: At least one valid pose.

    Returns:
        (7,) along ``AXES``: degrees, the unit of the centres, last focal length over first less 1.
    """
    first, last = np.flatnonzero(trajectory.valid)[[0, -1]]
    world = trajectory.rotations[first].T
    turn = world @ trajectory.rotations[last]
    right, down, ahead = world @ (trajectory.centers[last] - trajectory.centers[first])
    # turn = Rx(tilt) Ry(pan) Rz(roll)
    pan = np.arcsin(np.clip(turn[0, 2], -1.0, 1.0))
    tilt = np.arctan2(-turn[1, 2], turn[2, 2])
    roll = np.arctan2(-turn[0, 1], turn[0, 0])
    zoom = trajectory.focals[last] / trajectory.focals[first] - 1.0
    # Negative zero is no change to the left.
    return np.array([*np.degrees([pan, tilt, roll]), right, -down, ahead, zoom]) + 0.0


def largest(delta: FloatArray) -> float:
    """The largest of changes (7,) along ``AXES``; a turn by 180 degrees counts 1."""
    turns = np.array([axis in _NAMES for axis in AXES])
    return float(np.abs(np.where(turns, delta / _HALF_TURN, delta)).max())


def score(value: float) -> float:
    """Any number between 0 and 1, in the same order; 0.5 is 0, and the sign turns about it.

    Records keep six digits. Values that differ by 0.1 percent still have different scores there,
    from 1e-6 to 1e12 on either side.
    """
    powers = float(np.arcsinh(value / _FINEST))
    return 0.5 + 0.5 * powers / (_HALFWAY + abs(powers))


def _caption(labels: Sequence[str]) -> str:
    if labels == ("static",):
        return "Nothing changes from the first to the last pose."
    moves = ", ".join(label.replace("_", " ") for label in labels)
    return f"Net change from the first to the last pose: {moves}."
