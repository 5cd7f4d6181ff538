"""How far an estimated path is from the true one, and whether its ``sigmas`` say so.

Both paths are put into one frame, that of the first camera that both know, and measured in scene
depths and against the first focal length: the world and the unit of either do not matter. What an
estimate calls a scene depth is the typical depth of what it followed, which need not be the median
depth of what the camera sees; one factor a clip is allowed for that, within limits.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.geometry.normalize import translation_scale
from dollygrip.geometry.rotations import log
from dollygrip.geometry.trajectory import Trajectory

COLUMNS = ("turn x", "turn y", "turn z", "travel x", "travel y", "travel z", "log focal")
"""Those of ``Trajectory.sigmas``: tilt, pan, roll; along the camera's own axes; zoom."""

# A factor beyond these is no matter of which depth is typical: the length is wrong.
UNIT_RANGE = (1.0 / 3.0, 3.0)
# From what amount on a turn (degrees), a travel (scene depths) and a zoom (log focal) are visible:
# half of what is named (docs/labels.md), so that a hand's sway is not.
VISIBLE = (1.0, 0.02, 0.03)
# Directions are measured over about this long, where the camera went this far meanwhile.
BASELINE_SECONDS, BASELINE_TRAVEL = 0.5, 0.01
# An estimated frame is the true one within this share of the time between true frames.
_SAME_TIME = 0.3
# What is no more than this is round-off.
_NOTHING = 1e-6


@dataclass(frozen=True, eq=False)
class PoseErrors:
    """What is wrong with one estimated path.

    Attributes:
        right_model: Whether it turns, travels and zooms where the true one visibly does, and not
            where the true one does not at all. Turning is no fault of a camera that does anything.
        rotation_deg: (N - 1,) angle to the true rotation at each frame after the first.
        travels: Whether the true path travels from its first to its last frame.
        net_direction_deg: Angle between the true and the estimated travel from first to last, in
            the first camera's axes; NaN unless both travel.
        direction_deg: (P,) the same over pairs of frames, in the axes of the earlier camera, each
            path's own; NaN where the true one travels and the estimate does not.
        unit: The estimate's scene depths in a true one; 1 where the true path does not travel.
        travel: (N - 1,) distance between the centres at each frame, in the estimate's scene
            depths.
        zooms: Whether the true focal length visibly changes.
        zoom: (N - 1,) error of the log focal length against the first frame.
        focal: Error of the first frame's log focal length.
        normalised: (N - 1, 7) error, estimate less truth, over its sigma for each of
            :data:`COLUMNS`; NaN where no sigma is stated.
    """

    right_model: bool
    rotation_deg: FloatArray
    travels: bool
    net_direction_deg: float
    direction_deg: FloatArray
    unit: float
    travel: FloatArray
    zooms: bool
    zoom: FloatArray
    focal: float
    normalised: FloatArray = field(repr=False)


def pose_errors(truth: Trajectory, found: Trajectory) -> PoseErrors:
    """Compare an estimate with the truth at the frames that both have.

    Args:
        truth: Exact, all frames of the clip, scene depth known.
        found: The estimate; may leave frames out. Its ``sigmas`` are taken against its first
            frame.

    Returns:
        The errors.

    Raises:
        ValueError: Fewer than two frames are common to both.
    """
    of_truth, of_found = _same_times(truth, found)
    if len(of_found) < 2:
        raise ValueError("fewer than two frames are both estimated and known")
    true, seen = _Path.of(truth, of_truth), _Path.of(found, of_found)
    unit = _unit(true.centers, seen.centers)
    turn = log(np.swapaxes(true.rotations, 1, 2) @ seen.rotations)
    off = np.einsum("nji,nj->ni", seen.rotations, seen.centers - unit * true.centers)
    apart = np.concatenate([turn, off, (seen.zooms - true.zooms)[:, None]], axis=1)
    net = true.centers[-1:]
    travels = bool(np.linalg.norm(net) > VISIBLE[1])
    return PoseErrors(
        right_model=_right_model(true, seen),
        rotation_deg=np.degrees(np.linalg.norm(turn, axis=1))[1:],
        travels=travels,
        net_direction_deg=float(_angle_deg(net, seen.centers[-1:])[0]) if travels else math.nan,
        direction_deg=_directions(true, seen, truth.times[of_truth]),
        unit=unit,
        travel=np.linalg.norm(apart[1:, 3:6], axis=1),
        zooms=bool(np.abs(true.zooms).max() > VISIBLE[2]),
        zoom=apart[1:, 6],
        focal=seen.log_focal - true.log_focal,
        normalised=_normalised(apart, seen.sigmas),
    )


@dataclass(frozen=True, eq=False)
class _Path:
    """A path in its first camera's axes, in scene depths; log focals against the picture's width.

    Pictures may be enlarged or shrunk for an estimate, so pixels do not compare.
    """

    rotations: FloatArray
    centers: FloatArray
    zooms: FloatArray
    log_focal: float
    sigmas: FloatArray

    @classmethod
    def of(cls, path: Trajectory, rows: IntArray) -> "_Path":
        scale = translation_scale(path)
        home = path.rotations[rows[0]]
        log_focals = np.log(path.focals[rows] / path.size[0])
        sigmas = path.sigmas[rows] * np.array([1.0] * 3 + [scale] * 3 + [1.0])
        return cls(
            rotations=home.T @ path.rotations[rows],
            centers=(path.centers[rows] - path.centers[rows[0]]) @ home * scale,
            zooms=log_focals - log_focals[0],
            log_focal=float(log_focals[0]),
            sigmas=np.hypot(sigmas, sigmas[0]),
        )

    def does(self, least: FloatArray) -> BoolArray:
        """(3,) whether it ever turns, travels and zooms by more than ``least``."""
        turned = np.degrees(np.linalg.norm(log(self.rotations), axis=1))
        travelled = np.linalg.norm(self.centers, axis=1)
        most = [turned.max(), travelled.max(), np.abs(self.zooms).max()]
        return np.asarray(np.array(most) > least)


def _right_model(true: _Path, seen: _Path) -> bool:
    visible, any_at_all = true.does(np.array(VISIBLE)), true.does(np.full(3, _NOTHING))
    allowed = any_at_all | np.array([any_at_all.any(), False, False])
    does = seen.does(np.full(3, _NOTHING))
    return bool((does >= visible).all() and (does <= allowed).all())


def _same_times(truth: Trajectory, found: Trajectory) -> tuple[IntArray, IntArray]:
    """Rows of both that show the same frame."""
    rows = np.flatnonzero(found.valid)
    times = found.times[rows]
    after = np.clip(np.searchsorted(truth.times, times), 1, len(truth) - 1)
    earlier = times - truth.times[after - 1] < truth.times[after] - times
    nearest = after - earlier
    step = float(np.median(np.diff(truth.times)))
    same = np.abs(truth.times[nearest] - times) < _SAME_TIME * step
    same &= truth.valid[nearest]
    return nearest[same], rows[same]


def _unit(true: FloatArray, seen: FloatArray) -> float:
    """The factor by which true centres come nearest to the estimated ones."""
    length = float((true**2).sum())
    if np.linalg.norm(true, axis=1).max() < VISIBLE[1]:
        return 1.0
    return float(np.clip((true * seen).sum() / length, *UNIT_RANGE))


def _directions(true: _Path, seen: _Path, times: FloatArray) -> FloatArray:
    later = np.searchsorted(times, times + BASELINE_SECONDS - 1e-6)
    first = np.flatnonzero(later < len(times))
    last = later[first]

    def steps(path: _Path) -> FloatArray:
        return np.asarray(
            np.einsum("nji,nj->ni", path.rotations[first], path.centers[last] - path.centers[first])
        )

    wanted, got = steps(true), steps(seen)
    moving: BoolArray = np.linalg.norm(wanted, axis=1) > BASELINE_TRAVEL
    return _angle_deg(wanted[moving], got[moving])


def _angle_deg(first: FloatArray, second: FloatArray) -> FloatArray:
    """(N,) angles between vectors (N, 3); NaN where one is nothing."""
    shorter = np.minimum(np.linalg.norm(first, axis=1), np.linalg.norm(second, axis=1))
    across = np.linalg.norm(np.cross(first, second), axis=1)
    angles = np.degrees(np.arctan2(across, (first * second).sum(axis=1)))
    return np.where(shorter > _NOTHING, angles, np.nan)


def _normalised(apart: FloatArray, sigmas: FloatArray) -> FloatArray:
    stated = sigmas[1:] > 0.0
    return np.where(stated, apart[1:] / np.where(stated, sigmas[1:], 1.0), np.nan)
