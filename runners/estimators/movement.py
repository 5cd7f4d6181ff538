"""Which points of a scene move by themselves: those that no depth can explain under a path."""

from dataclasses import replace

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.normalize import translation_scale
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.structure import structure
from dollygrip.runners.estimators.tracks import Tracks

# A point is an even bet when it is this many times as far off as the best tracks are. A path that
# is wrong must not pass for a scene that is calm, so there is a limit; and trackers err by a
# fraction of a pixel even where the path is exact. Pixels of a 480 px picture.
EVEN_BET = 3.0
EVEN_PIXELS = (0.8, 4.0)
SHARPNESS = 4
# The best tracks: so many of the observations belong to tracks that are better. A subject may well
# fill half of the picture.
BEST_SHARE = 0.3
# The nearest that a still point may be, as inverse scene depth.
_NEAREST = 10.0
# A track that misses its still point by more moves by itself, pixels of a 480 px picture: lenses,
# noise and small errors of a path stay below. What crosses much of the picture is followed less
# well: so much of its way, too. Neither needs every picture, nor a kernel that shrinks to less.
_CLEARLY_OFF, _OF_ITS_WAY = 6.0, 0.2
_EVERY = 2
_SCALES = (np.inf, 16.0, 4.0, 1.0)


def movement(tracks: Tracks, trajectory: Trajectory) -> FloatArray:
    """Probability that each track moves by itself, given the path of the camera.

    What the best still point leaves over of a track is compared with what is left over of the best
    tracks. A point that moves just as its depth would make it move (along with a trucking camera)
    cannot be told from a still one.

    Args:
        tracks: Points followed through a shot.
        trajectory: The path of the camera through it; frames without a valid pose do not count.

    Returns:
        (T,) 0 to 1, by track number; NaN for tracks seen less than twice.
    """
    found = structure(tracks, trajectory, nearest=_NEAREST * translation_scale(trajectory))
    off, length = found.residual, found.observations
    count = int(tracks.track.max()) + 1 if len(tracks.track) else 0
    if not len(off):
        return np.full(count, np.nan)
    order = np.argsort(off)
    best = order[np.searchsorted(np.cumsum(length[order]), BEST_SHARE * length.sum())]
    unit = max(tracks.size) / 480.0
    even = np.clip(EVEN_BET * off[best], *(unit * np.array(EVEN_PIXELS)))
    belief = 1.0 - 1.0 / (1.0 + (off / even) ** SHARPNESS)
    weight = np.bincount(found.track, length, minlength=count)
    total = np.bincount(found.track, length * belief, minlength=count)
    return np.asarray(np.divide(total, weight, out=np.full(count, np.nan), where=weight > 0))


def moving_share(tracks: Tracks, trajectory: Trajectory) -> float:
    """Share of what was followed that clearly moves by itself, given the path of the camera.

    Unlike :func:`movement` this does not ask how well the best tracks are explained, so that a few
    points of a small subject are not lost in the noise of many.

    Args:
        tracks: Points followed through a shot.
        trajectory: The path of the camera through it; frames without a valid pose do not count.

    Returns:
        0 to 1; 0 where nothing was followed.
    """
    some = tracks.frame % _EVERY == 0
    few = replace(tracks, frame=tracks.frame[some], track=tracks.track[some], xy=tracks.xy[some])
    found = structure(few, trajectory, _NEAREST * translation_scale(trajectory), _SCALES)
    low, high = (np.full((tracks.track.max(initial=0) + 1, 2), side) for side in (np.inf, -np.inf))
    np.minimum.at(low, few.track, few.xy)
    np.maximum.at(high, few.track, few.xy)
    way = np.linalg.norm((high - low)[found.track], axis=1)
    unit = max(tracks.size) / 480.0
    off = found.residual > np.maximum(_CLEARLY_OFF * unit, _OF_ITS_WAY * way)
    return float(found.observations[off].sum() / max(found.observations.sum(), 1))
