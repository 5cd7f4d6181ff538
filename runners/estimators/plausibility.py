"""Do camera poses belong to these pictures, and are they read as they were meant?

A wrong convention flips labels in silence: a pan comes out the other way, a dolly becomes a
pedestal. But the pictures know: under the right path nearly every followed point is where a still
point of the scene would be, in front of the camera; under a wrong one few are.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import get_args

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import (
    Axes,
    Convention,
    Direction,
    Quaternion,
    from_opencv,
    to_opencv,
)
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.rotations import from_quaternion, to_quaternion
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.structure import (
    agreement,
    refocused,
    scene_depth,
    structure,
)
from dollygrip.runners.estimators.tracks import Tracks
from dollygrip.runners.formats.path import CameraPath

# Another convention is believed when it leaves less than this share of what the first one leaves
# unexplained, and explains so much itself. Rendered clips under wrong conventions leave half and
# more; under the right one less than a tenth.
FAR_LESS = 0.5
EXPLAINS = 0.7
# As good as the best: within this share of the observations.
_AS_GOOD = 0.03
# Where a file tells no focal length, so many conventions are looked at closely, the best at one of
# these focal lengths.
_WORTH_A_LOOK, _ROUGH_FOCALS = 12, (0.6, 0.8, 1.0, 1.3, 1.7)
# A path that explains less belongs to other pictures, or is wrong.
POOR = 0.5


@dataclass(frozen=True)
class Plausibility:
    """What the pictures say of a path.

    Attributes:
        explained: Share of the observations that the path explains, 0 to 1; NaN where nothing can
            be followed.
        focal: What the path's focal lengths are to be multiplied with, where the file has none and
            the pictures tell.
        better: Conventions that explain far more, simplest change first; all as good as the best.
        explained_better: What these explain.
    """

    explained: float
    focal: float = 1.0
    better: tuple[Convention, ...] = ()
    explained_better: float = 0.0


def plausibility(
    path: CameraPath, used: Convention, times: FloatArray, tracks: Tracks
) -> Plausibility:
    """Hold a path against the pictures, and if it does not fit, look for a convention that does.

    Args:
        path: The poses, read with ``used``.
        used: The convention they were read with.
        times: (N,) seconds of the poses on the clock of the clip.
        tracks: Points followed through the pictures.
    """
    given = resample(path.at(times), tracks.times)
    focused = _focused(path, given, tracks)
    focal = float(focused.focals[0] / given.focals[0])
    explained = agreement(tracks, focused)
    if not explained <= 1.0 - FAR_LESS * (1.0 - EXPLAINS):
        return Plausibility(explained, focal)
    raw = from_opencv(path.world_from_camera, used)
    others: list[tuple[Convention, Trajectory]] = []
    for other in alternatives(used):
        poses = to_opencv(_reordered(raw, used, other), other)
        other_path = replace(path, world_from_camera=poses).at(times)
        others.append((other, resample(other_path, tracks.times)))
    if path.intrinsics is None:
        others = _promising(others, tracks)
    shares = [agreement(tracks, _focused(path, other_path, tracks)) for _, other_path in others]
    best = max(shares)
    if best < EXPLAINS or 1.0 - best > FAR_LESS * (1.0 - explained):
        return Plausibility(explained, focal)
    as_good = [share > best - _AS_GOOD for share in shares]
    better = tuple(other for (other, _), good in zip(others, as_good, strict=True) if good)
    return Plausibility(explained, focal, better, best)


def in_scene_depths(path: Trajectory, tracks: Tracks, explained: float) -> Trajectory:
    """The path with the depth of the scene that its pictures show.

    Where they show no parallax, and the path explains them, the camera did not travel as far as one
    could see: travel is left out then, because at the scale of a far scene it is noise.

    Args:
        path: A path, in any unit.
        tracks: Points followed through the pictures.
        explained: Share of them that the path explains.
    """
    depth = scene_depth(structure(tracks, path))
    if np.isfinite(depth):
        return replace(path, scene_depth=depth)
    if explained < EXPLAINS:
        return path
    return replace(path, centers=np.zeros_like(path.centers), scene_depth=1.0)


def alternatives(used: Convention) -> Iterator[Convention]:
    """Every other convention, those with the fewest changes first."""
    orders: tuple[Quaternion | None, ...] = get_args(Quaternion) if used.quaternion else (None,)
    found = [
        replace(used, direction=direction, axes=axes, quaternion=order, rotations_inverted=inverted)
        for direction, axes, order, inverted in product(
            get_args(Direction), get_args(Axes), orders, (False, True)
        )
    ]
    changes = [
        (other.direction != used.direction)
        + (other.axes != used.axes)
        + (other.quaternion != used.quaternion)
        # People rarely invert a rotation alone.
        + 1.5 * (other.rotations_inverted != used.rotations_inverted)
        for other in found
    ]
    order = np.argsort(changes, kind="stable")
    return (found[i] for i in order if found[i] != used)


def _reordered(raw: FloatArray, used: Convention, other: Convention) -> FloatArray:
    """The matrices (N, 4, 4) that the same quaternions would have been in the other order."""
    if used.quaternion == other.quaternion:
        return raw
    quaternions = to_quaternion(raw[:, :3, :3])
    shift = 1 if used.quaternion == "wxyz" else -1
    poses = raw.copy()
    poses[:, :3, :3] = from_quaternion(np.roll(quaternions, shift, axis=1))
    return poses


def _focused(path: CameraPath, trajectory: Trajectory, tracks: Tracks) -> Trajectory:
    """The trajectory at the focal length that the pictures tell, where the file tells none."""
    return refocused(tracks, trajectory) if path.intrinsics is None else trajectory


def _promising(
    others: list[tuple[Convention, Trajectory]], tracks: Tracks
) -> list[tuple[Convention, Trajectory]]:
    """Those worth looking for a focal length for; that takes long, and a rough one tells much."""

    def rough(trajectory: Trajectory) -> float:
        tried = (replace(trajectory, focals=trajectory.focals * f) for f in _ROUGH_FOCALS)
        return max(agreement(tracks, trial) for trial in tried)

    scores = [rough(trajectory) for _, trajectory in others]
    return [others[i] for i in sorted(np.argsort(scores)[-_WORTH_A_LOOK:].tolist())]
