"""Which points of a scene move by themselves: those that no depth can explain under a path."""

from collections.abc import Iterator

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.normalize import translation_scale
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.tracks import Tracks

# Tracks are judged in pieces of this many seconds: paths drift, each window of a shot is measured
# in its own scene's depths, and lenses bend what crosses the picture.
PIECE = 2.0
# A point is an even bet when it is this many times as far off as the best tracks are. A path that
# is wrong must not pass for a scene that is calm, so there is a limit; and trackers err by a
# fraction of a pixel even where the path is exact. Pixels of a 480 px picture.
EVEN_BET = 3.0
EVEN_PIXELS = (0.8, 4.0)
SHARPNESS = 4
# The best tracks: so many of the observations belong to tracks that are better. A subject may well
# fill half of the picture.
BEST_SHARE = 0.3
# What a track is off by: all but its worst observations, since trackers slip before they lose a
# point.
TYPICAL_WORST = 0.8

# Kernel of the fit in pixels of a 480 px picture, step by step, and the nearest that a point may
# be, as inverse scene depth.
_SCALES = (32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 1.0, 1.0)
_NEAREST = 10.0
_LEAST_DEPTH = 0.05
# Squared pixels that the way between the cameras must move a point for its depth to matter.
_LEAST_PULL = 1e-12
_SAME_TIME = 1e-6
# Observations that are fitted at a time: memory does not grow with the shot.
BLOCK = 20_000


def movement(tracks: Tracks, trajectory: Trajectory) -> FloatArray:
    """Probability that each track moves by itself, given the path of the camera.

    Every piece of a track gets the one inverse depth, not negative, that explains it best; what is
    left over is compared with what is left over of the best tracks. A point that moves just as its
    depth would make it move (along with a trucking camera) cannot be told from a still one.

    Args:
        tracks: Points followed through a shot.
        trajectory: The path of the camera through it; frames without a valid pose do not count.

    Returns:
        (T,) 0 to 1, by track number; NaN for tracks seen less than twice.
    """
    count = int(tracks.track.max()) + 1 if len(tracks.track) else 0
    pose = _pose_of(tracks.times, trajectory)[tracks.frame]
    seen = np.flatnonzero(pose >= 0)
    # By track, and by time within each.
    seen = seen[np.argsort(tracks.track[seen], kind="stable")]
    piece = _pieces(tracks.track[seen], tracks.times[tracks.frame[seen]])
    paired = np.bincount(piece)[piece] > 1
    seen = seen[paired]
    if not len(seen):
        return np.full(count, np.nan)
    _, start, length = np.unique(piece[paired], return_index=True, return_counts=True)
    off = np.concatenate(
        [
            _off(tracks, trajectory, seen[first:last], pose[seen[first:last]], counts)
            for first, last, counts in _blocks(start, length)
        ]
    )
    order = np.argsort(off)
    best = order[np.searchsorted(np.cumsum(length[order]), BEST_SHARE * length.sum())]
    unit = max(tracks.size) / 480.0
    even = np.clip(EVEN_BET * off[best], *(unit * np.array(EVEN_PIXELS)))
    belief = 1.0 - 1.0 / (1.0 + (off / even) ** SHARPNESS)
    track = tracks.track[seen][start]
    weight = np.bincount(track, length, minlength=count)
    total = np.bincount(track, length * belief, minlength=count)
    return np.asarray(np.divide(total, weight, out=np.full(count, np.nan), where=weight > 0))


def _pieces(track: IntArray, times: FloatArray) -> IntArray:
    """(K,) number of the piece of its track that each observation is in; both are in order."""
    if not len(track):
        return track
    starts = np.flatnonzero(np.diff(track, prepend=track[0] - 1))
    began = np.repeat(times[starts], np.diff(starts, append=len(track)))
    late = np.floor((times - began) / PIECE)
    changes = (np.diff(track, prepend=track[0]) != 0) | (np.diff(late, prepend=late[0]) != 0)
    return np.cumsum(changes)


def _pose_of(times: FloatArray, trajectory: Trajectory) -> IntArray:
    """(F,) number of the valid pose at each time; -1 where there is none."""
    after = np.searchsorted(trajectory.times, times - _SAME_TIME)
    nearest = np.minimum(after, len(trajectory) - 1)
    there = trajectory.valid[nearest] & (np.abs(trajectory.times[nearest] - times) < _SAME_TIME)
    return np.where(there, nearest, -1)


def _blocks(start: IntArray, length: IntArray) -> Iterator[tuple[int, int, IntArray]]:
    """Runs of whole pieces: first and last observation, and the lengths of the pieces."""
    block = start // BLOCK
    for number in np.unique(block):
        inside = np.flatnonzero(block == number)
        first, last = int(start[inside[0]]), int(start[inside[-1]] + length[inside[-1]])
        yield first, last, length[inside]


def _off(
    tracks: Tracks, trajectory: Trajectory, seen: IntArray, pose: IntArray, length: IntArray
) -> FloatArray:
    """(P,) pixels by which pieces of tracks miss the still points that fit them best.

    A point at inverse depth q along a ray d of the anchor camera appears in another camera at
    d' + q t, where d' is the ray turned and t the way between the cameras; so the condition on q
    is linear, once divided by the depth d'_z + q t_z. Where the anchor itself was seen wrongly,
    all others are off alike, which moves the ray.

    Args:
        tracks: The tracks.
        trajectory: The path.
        seen: (K,) numbers of the observations, piece by piece.
        pose: (K,) the pose of each.
        length: (P,) observations of each piece.
    """
    xy, group = tracks.xy[seen], np.repeat(np.arange(len(length)), length)
    rotations = trajectory.rotations[pose]
    centers = trajectory.centers[pose] * translation_scale(trajectory)
    focals = trajectory.focals[pose][:, None] * (max(tracks.size) / max(trajectory.size))
    # The middle of a track is nearest to all of it.
    anchor = np.cumsum(length) - length + length // 2
    to_anchor = np.swapaxes(rotations[anchor], 1, 2)[group] @ rotations
    way = np.einsum("kji,kj->ki", rotations, centers[anchor][group] - centers)
    rays = np.column_stack([xy[anchor] / focals[anchor], np.ones(len(length))])
    inverse_depth = np.ones(len(length))
    unit = max(tracks.size) / 480.0

    def project() -> tuple[FloatArray, FloatArray, FloatArray]:
        ray = np.einsum("kji,kj->ki", to_anchor, rays[group])
        depth = np.maximum(ray[:, 2:] + inverse_depth[group, None] * way[:, 2:], _LEAST_DEPTH)
        flat = xy * ray[:, 2:] - focals * ray[:, :2]
        pull = focals * way[:, :2] - xy * way[:, 2:]
        return flat / depth, pull / depth, (flat - inverse_depth[group, None] * pull) / depth

    for scale in _SCALES:
        flat, pull, pixels = project()
        kernel = (scale * unit) ** 2
        weight = (kernel / (kernel + (pixels**2).sum(axis=1))) ** 2
        along = np.bincount(group, weight * (pull * flat).sum(axis=1))
        own = np.bincount(group, weight * (pull * pull).sum(axis=1))
        fitted = np.divide(along, own, out=np.zeros_like(own), where=own > _LEAST_PULL)
        inverse_depth = np.clip(fitted, 0.0, _NEAREST)
        aside = project()[2] / focals
        turned = np.einsum("kij,kj->ki", to_anchor[:, :2, :2], aside)
        for axis in range(2):
            shift = np.bincount(group, weight * turned[:, axis]) / np.bincount(group, weight)
            rays[:, axis] += shift
    residual = _high(np.linalg.norm(project()[2], axis=1), group, length)
    # Two coordinates an observation, of which a point in space can meet three.
    return residual * np.sqrt(2 * length / (2 * length - 3))


def _high(values: FloatArray, group: IntArray, length: IntArray) -> FloatArray:
    """The value of each group that so many of its values do not exceed."""
    ordered = values[np.lexsort((values, group))]
    place = np.ceil(TYPICAL_WORST * (length - 1)).astype(np.intp)
    return np.asarray(ordered[np.cumsum(length) - length + place])
