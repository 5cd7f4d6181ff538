"""The motion profile: seven signed rates over time, in the moving camera's own axes.

The rates are those of the *intended* move; hand shake is split off by smoothing
(:mod:`dollygrip.geometry.smoothing`) and kept as one number an axis.
"""

from dataclasses import dataclass

import numpy as np

from dollygrip.geometry.arrays import FloatArray, read_only
from dollygrip.geometry.normalize import CameraMotion, camera_motion
from dollygrip.geometry.smoothing import smooth
from dollygrip.geometry.trajectory import Trajectory

AXES = ("pan", "tilt", "roll", "truck", "pedestal", "dolly", "zoom")
"""Positive = right, up, clockwise, right, up, in, in."""

# Tremor and footsteps swing the camera twice a second or more, so shake is what a window this
# many seconds wide smooths away; a shot shorter than two swings does not show any.
_SHAKE_WINDOW = 0.12
_TWO_SWINGS = 1.0
# The median distance from the middle of a normal distribution, in its standard deviations.
_MEDIAN_DISTANCE = 0.6745


@dataclass(frozen=True, eq=False)
class MotionProfile:
    """How a camera moved, in units a person can see. Columns follow :data:`AXES`.

    Pan, tilt and roll are in degrees; truck, pedestal and dolly in scene depths (how far the
    camera went against how far the scene is); zoom in log focal length.

    Attributes:
        times: (N,) seconds from the first frame of the clip.
        rates: (N, 7) intended motion per second, at ``times``.
        sigmas: (7,) one standard deviation of ``net``.
        net: (7,) integral of ``rates``: what the shot adds up to, in the moving camera's axes.
        net_first: (7,) the same, translation in the first camera's axes.
        path: (7,) integral of the absolute rates.
        shake: (7,) standard deviation of what swings about the path twice a second or more; the
            corners of a move that starts or stops at once do not count.
        field_of_view_deg: Horizontal and vertical, at the median focal length.
    """

    times: FloatArray
    rates: FloatArray
    sigmas: FloatArray
    net: FloatArray
    net_first: FloatArray
    path: FloatArray
    shake: FloatArray
    field_of_view_deg: tuple[float, float]

    def __post_init__(self) -> None:
        """Check shapes; store read-only copies."""
        n = len(self.times)
        shapes: dict[str, tuple[int, ...]] = {
            "times": (n,),
            "rates": (n, 7),
            "sigmas": (7,),
            "net": (7,),
            "net_first": (7,),
            "path": (7,),
            "shake": (7,),
        }
        for name, shape in shapes.items():
            stored = read_only(name, getattr(self, name), shape, np.float64)
            object.__setattr__(self, name, stored)

    @property
    def duration(self) -> float:
        """Seconds from the first to the last pose."""
        return float(self.times[-1] - self.times[0])

    def between(self, start: float, end: float) -> FloatArray:
        """(7,) net motion from ``start`` to ``end`` seconds."""
        inside = np.linspace(start, end, max(2, 2 * len(self.times)))
        columns = [np.interp(inside, self.times, self.rates[:, axis]) for axis in range(7)]
        return np.asarray(np.trapezoid(np.stack(columns, axis=1), inside, axis=0))


def motion_profile(trajectory: Trajectory) -> MotionProfile:
    """The profile of a trajectory.

    Frames without a pose are bridged at constant velocity. Where the scene's depth is not known
    the translation is measured against the path's own length (see
    :func:`dollygrip.geometry.normalize.translation_scale`).

    Args:
        trajectory: At least two valid poses.

    Returns:
        The profile, sampled at the trajectory's valid poses.

    Raises:
        ValueError: Fewer than two valid poses.
    """
    motion = camera_motion(trajectory)
    intended = smooth(motion.times, motion.position)
    rates = np.gradient(intended, motion.times, axis=0)
    steps = np.diff(intended, axis=0)
    return MotionProfile(
        times=motion.times,
        rates=rates,
        sigmas=motion.sigmas,
        net=intended[-1] - intended[0],
        net_first=motion.net_first,
        path=np.abs(steps).sum(axis=0),
        shake=_shake(motion),
        field_of_view_deg=trajectory.field_of_view_deg,
    )


def _shake(motion: CameraMotion) -> FloatArray:
    """(7,) robust standard deviation of the shake.

    A move that starts or stops at once, or swings slowly, leaves a residue in one smoothing. The
    residue of the residue has lost it, and the median leaves out the moments of a start.
    """
    if motion.times[-1] - motion.times[0] < _TWO_SWINGS:
        return np.zeros(len(AXES))
    residue = motion.position
    for _ in range(2):
        residue = residue - smooth(motion.times, residue, _SHAKE_WINDOW)
    return np.asarray(np.median(np.abs(residue), axis=0) / _MEDIAN_DISTANCE)
