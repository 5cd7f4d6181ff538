"""One unit for all axes: how far the picture moved, as a fraction of its long side."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.normalize import camera_motion
from dollygrip.geometry.profile import AXES, MotionProfile, motion_profile
from dollygrip.geometry.smoothing import smooth
from dollygrip.geometry.trajectory import Trajectory

# Roll, dolly and zoom move a point in proportion to its distance from the middle of the
# picture; over a picture that distance is about a quarter of the long side.
MEAN_RADIUS = 0.25

# A picture that swings alike along both sides is half of the time within this share of its root
# mean square distance from where it should be.
_MEDIAN_OF_RMS = float(np.sqrt(np.log(2.0)))

# Seconds that a sharp rate is smoothed over: less than lies between two of eight frames a second,
# so that paths with more poses are no sharper.
_SHARP = 0.08

TRANSLATIONS = np.array([axis in ("truck", "pedestal", "dolly") for axis in AXES])


@dataclass(frozen=True, eq=False)
class VisibleMotion:
    """What a viewer sees of a camera's motion; columns follow ``AXES``.

    Attributes:
        times: (N,) seconds from the first frame of the clip.
        rates: (N, 7) intended motion, picture sizes per second.
        sharp_rates: (N, 7) the same with the hand shake in it: starts and stops are less blurred.
        position: (N, 7) integral of ``rates`` since the first pose.
        sigmas: (7,) one standard deviation of the last row of ``position``.
        shake: Typical distance of the picture from its intended path, in picture sizes.
        units: (7,) picture sizes per degree, scene depth or log focal length.
    """

    times: FloatArray
    rates: FloatArray
    sharp_rates: FloatArray
    position: FloatArray
    sigmas: FloatArray
    shake: float
    units: FloatArray

    @property
    def duration(self) -> float:
        """Seconds from the first to the last pose."""
        return float(self.times[-1] - self.times[0])

    @property
    def net(self) -> FloatArray:
        """(7,) first to last pose."""
        return np.asarray(self.position[-1])

    @cached_property
    def path(self) -> FloatArray:
        """(7,) all that each axis moves, to and fro."""
        return np.asarray(np.abs(np.diff(self.position, axis=0)).sum(axis=0))

    @cached_property
    def extent(self) -> FloatArray:
        """(7, 2) the most that each axis gains, and loses, between two moments."""
        return np.stack([_largest_rise(self.position), _largest_rise(-self.position)], axis=1)

    def is_finite(self) -> bool:
        """Whether every number is one."""
        parts = (
            self.rates,
            self.sharp_rates,
            self.position,
            self.sigmas,
            self.units,
            np.array(self.shake),
        )
        return all(bool(np.isfinite(part).all()) for part in parts)


def visible_units(field_of_view_deg: tuple[float, float]) -> FloatArray:
    """(7,) picture sizes per unit of a motion profile.

    All are taken over the long side, the vertical ones too: a degree of tilt moves the picture by
    as many pixels as a degree of pan, and turning the phone upright must not change a label.

    Args:
        field_of_view_deg: Horizontal and vertical.
    """
    view = max(field_of_view_deg)
    per_depth = 0.5 / np.tan(np.radians(view) / 2.0)
    by_axis = {
        "pan": 1.0 / view,
        "tilt": 1.0 / view,
        "roll": np.radians(1.0) * MEAN_RADIUS,
        "truck": per_depth,
        "pedestal": per_depth,
        # Things at the scene's depth grow by 1 / (1 - d); d itself is the same to first order,
        # bounded, and flips its sign exactly when time runs backwards.
        "dolly": MEAN_RADIUS,
        "zoom": MEAN_RADIUS,
    }
    return np.array([by_axis[axis] for axis in AXES])


def visible_motion(trajectory: Trajectory) -> VisibleMotion:
    """How a trajectory looks in the picture.

    Raises:
        ValueError: Fewer than two valid poses.
    """
    profile = motion_profile(trajectory)
    units = visible_units(profile.field_of_view_deg)
    traced = smooth(profile.times, camera_motion(trajectory).position, _SHARP)
    rates = profile.rates * units
    return VisibleMotion(
        times=profile.times,
        rates=rates,
        sharp_rates=np.gradient(traced, profile.times, axis=0) * units,
        position=_integral(profile, rates),
        sigmas=profile.sigmas * units,
        shake=_MEDIAN_OF_RMS * float(np.linalg.norm(profile.shake * units)),
        units=units,
    )


def _integral(profile: MotionProfile, rates: FloatArray) -> FloatArray:
    steps = 0.5 * (rates[1:] + rates[:-1]) * np.diff(profile.times)[:, None]
    return np.concatenate([np.zeros((1, len(AXES))), np.cumsum(steps, axis=0)])


def _largest_rise(position: FloatArray) -> FloatArray:
    """(7,) the most that each axis gains between two moments."""
    return np.asarray((position - np.minimum.accumulate(position, axis=0)).max(axis=0))
