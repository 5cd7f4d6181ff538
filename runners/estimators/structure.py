"""Where the points of a scene are, given the path of the camera; and how well the two agree.

Every piece of a track gets the one still point that explains it best. The path may be in any unit:
nothing is assumed of how far the scene is.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.tracks import Tracks

# Tracks are explained in pieces of this many seconds: paths drift, each window of a shot is
# measured in its own scene's depths, and lenses bend what crosses the picture.
PIECE = 2.0
# What a piece is off by: all but its worst observations, since trackers slip before they lose a
# point.
TYPICAL_WORST = 0.8
# An observation agrees with a path when it is at most so far off, pixels of a 480 px picture.
AGREES = 1.5
# Trackers err alike from frame to frame, so more frames do not make a point surer. Pixels of a
# 480 px picture.
TRACKER_ERROR = 0.25
# A piece that misses its point by more moves by itself, or the path is wrong there. Pixels of a
# 480 px picture.
EXPLAINED = 3.0
# The depth of a scene is known when at least this share of what was seen is explained, and the
# median point stands out so many standard deviations from being infinitely far.
LEAST_EXPLAINED = 0.3
SURE = 4.0
# Another focal length must explain so much more of what was seen.
CLEARLY = 0.05
# Observations that are fitted at a time: memory does not grow with the shot.
BLOCK = 20_000

# Focal lengths are compared on so many tracks, from a wide angle to a long lens, then closer by.
_FEW_TRACKS = 150
_FACTORS = tuple(1.1**k for k in range(-9, 13))
_FINE_FACTORS = (1.0, 0.95, 0.975, 1.025, 1.05)

# Kernel of the fit in pixels of a 480 px picture, step by step; the first step is linear least
# squares, which needs neither a start nor a unit.
SCALES = (np.inf, 32.0, 16.0, 8.0, 4.0, 2.0, 1.0, 1.0, 1.0)
# A point in view is in front of the camera: at least at this share of its depth at the anchor.
_LEAST_DEPTH = 0.05
# Squared pixels that the way between the cameras must move a point for its depth to matter, when
# the point is as far as the camera goes. This is round-off.
_LEAST_PULL = 1e-18
# Of coordinates that have been through a few matrix products.
_ROUND_OFF = 1e-9
_SAME_TIME = 1e-3


@dataclass(frozen=True, eq=False)
class Structure:
    """Still points that explain pieces of tracks.

    Attributes:
        track: (P,) track number of each.
        anchor: (P,) the observation in the middle of the piece, in whose camera the depth is
            measured; a row of ``Tracks.frame`` and ``Tracks.xy``.
        inverse_depth: (P,) along that camera's z, not negative; 1 / unit of the path's centres.
        sigma: (P,) one standard deviation of it; infinite where the path shows no parallax.
        points: (P, 3) in the world of the path; not finite where ``inverse_depth`` is 0.
        residual: (P,) pixels by which the piece misses the point, all but its worst observations.
        explained: (P,) whether that is little enough for a still point.
        observations: (P,) how many observations it has.
    """

    track: IntArray
    anchor: IntArray
    inverse_depth: FloatArray
    sigma: FloatArray
    points: FloatArray
    residual: FloatArray
    explained: BoolArray
    observations: IntArray


NO_POINTS = Structure(
    track=np.zeros(0, np.intp),
    anchor=np.zeros(0, np.intp),
    inverse_depth=np.zeros(0),
    sigma=np.zeros(0),
    points=np.zeros((0, 3)),
    residual=np.zeros(0),
    observations=np.zeros(0, np.intp),
    explained=np.zeros(0, np.bool_),
)


def structure(
    tracks: Tracks,
    trajectory: Trajectory,
    nearest: float = np.inf,
    scales: Sequence[float] = SCALES,
) -> Structure:
    """The still points that explain tracks best under a path.

    Args:
        tracks: Points followed through a shot.
        trajectory: The path of the camera through it, in any unit; frames without a valid pose do
            not count.
        nearest: The greatest inverse depth that a point may have, in 1 / unit of the centres.
        scales: Kernel of the fit in pixels of a 480 px picture, step by step.

    Returns:
        A point for each piece of a track that is seen at least twice, by track and time.
    """
    parts = [found for found, _ in _fits(tracks, trajectory, nearest, scales)]
    if not parts:
        return NO_POINTS
    return Structure(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Structure))
    )


def agreement(tracks: Tracks, trajectory: Trajectory) -> float:
    """How well a path agrees with the pictures: the share of what was seen that it can explain.

    Each observation may have the still point, at any depth in front of the camera, that fits its
    track best. A path in the wrong convention explains little, unless the camera hardly moved.

    Args:
        tracks: Points followed through a shot.
        trajectory: A path through it, in any unit.

    Returns:
        0 to 1; NaN where no track is seen twice in frames with a pose.
    """
    unit = max(tracks.size) / 480.0
    seen, agrees = 0, 0
    for _, pixels in _fits(tracks, trajectory, np.inf):
        seen += len(pixels)
        agrees += int((pixels < AGREES * unit).sum())
    return agrees / seen if seen else float("nan")


def refocused(tracks: Tracks, trajectory: Trajectory) -> Trajectory:
    """The path with its focal lengths times the factor under which it agrees best.

    For files that tell no focal length: a turn seen through a wrong one agrees with nothing. Where
    no other agrees clearly better, as without turns, the path stays as it is.

    Args:
        tracks: Points followed through a shot.
        trajectory: A path through it, in any unit.
    """
    few = _sample(tracks)

    def times(factor: float) -> Trajectory:
        return replace(trajectory, focals=trajectory.focals * factor)

    def score(factor: float) -> float:
        return agreement(few, times(factor))

    coarse = max(_FACTORS, key=score)
    fine = max((coarse * step for step in _FINE_FACTORS), key=score)
    return times(fine) if score(fine) > score(1.0) + CLEARLY else trajectory


def scene_depth(structure: Structure) -> float:
    """Median depth of the points seen, in the unit of the path's centres.

    Returns:
        NaN where too little parallax shows it, or the path does not agree with the pictures.
    """
    kept, seen = structure.explained, structure.observations
    if seen[kept].sum() <= LEAST_EXPLAINED * seen.sum():
        return float("nan")
    middle = _weighted_median(structure.inverse_depth[kept], seen[kept])
    sigma = _weighted_median(structure.sigma[kept], seen[kept])
    return 1.0 / middle if middle > SURE * sigma else float("nan")


def _fits(
    tracks: Tracks, trajectory: Trajectory, nearest: float, scales: Sequence[float] = SCALES
) -> Iterator[tuple[Structure, FloatArray]]:
    """Explain all pieces of tracks, block by block: see :func:`_fitted`."""
    pose = _pose_of(tracks.times, trajectory)[tracks.frame]
    seen = np.flatnonzero(pose >= 0)
    # By track, and by time within each.
    seen = seen[np.argsort(tracks.track[seen], kind="stable")]
    piece = _pieces(tracks.track[seen], tracks.times[tracks.frame[seen]])
    paired = np.bincount(piece)[piece] > 1
    seen = seen[paired]
    _, start, length = np.unique(piece[paired], return_index=True, return_counts=True)
    for first, last, counts in _blocks(start, length):
        inside = seen[first:last]
        yield _fitted(tracks, trajectory, inside, pose[inside], counts, nearest, scales)


def _sample(tracks: Tracks) -> Tracks:
    """A few of the tracks, from all of the time."""
    numbers = np.unique(tracks.track)
    kept = numbers[:: max(1, len(numbers) // _FEW_TRACKS)]
    inside = np.isin(tracks.track, kept)
    return replace(
        tracks,
        frame=tracks.frame[inside],
        track=tracks.track[inside],
        xy=tracks.xy[inside],
    )


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


def _fitted(
    tracks: Tracks,
    trajectory: Trajectory,
    seen: IntArray,
    pose: IntArray,
    length: IntArray,
    nearest: float,
    scales: Sequence[float],
) -> tuple[Structure, FloatArray]:
    """Explain pieces of tracks.

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
        nearest: The greatest inverse depth.
        scales: Kernel of the fit, step by step.

    Returns:
        The points, and (K,) by how many pixels each observation is off.
    """
    xy, group = tracks.xy[seen], np.repeat(np.arange(len(length)), length)
    # In units of the path's own extent, so that round-off means the same in all of them.
    extent = _extent(trajectory)
    rotations = trajectory.rotations[pose]
    centers = trajectory.centers[pose] / extent
    focals = trajectory.focals[pose][:, None] * (max(tracks.size) / max(trajectory.size))
    # The middle of a track is nearest to all of it.
    anchor = np.cumsum(length) - length + length // 2
    to_anchor = np.swapaxes(rotations[anchor], 1, 2)[group] @ rotations
    way = np.einsum("kji,kj->ki", rotations, centers[anchor][group] - centers)
    rays = np.column_stack([xy[anchor] / focals[anchor], np.ones(len(length))])
    inverse_depth = np.zeros(len(length))
    unit = max(tracks.size) / 480.0

    def project() -> tuple[FloatArray, FloatArray, FloatArray]:
        ray = np.einsum("kji,kj->ki", to_anchor, rays[group])
        depth = np.maximum(ray[:, 2:] + inverse_depth[group, None] * way[:, 2:], _LEAST_DEPTH)
        flat = xy * ray[:, 2:] - focals * ray[:, :2]
        pull = focals * way[:, :2] - xy * way[:, 2:]
        return flat / depth, pull / depth, (flat - inverse_depth[group, None] * pull) / depth

    for scale in scales:
        flat, pull, off = project()
        weight = (1.0 + (off**2).sum(axis=1) / (scale * unit) ** 2) ** -2
        along = np.bincount(group, weight * (pull * flat).sum(axis=1))
        own = np.bincount(group, weight * (pull * pull).sum(axis=1))
        fitted = np.divide(along, own, out=np.zeros_like(own), where=own > _LEAST_PULL)
        inverse_depth = np.clip(fitted, 0.0, nearest * extent)
        aside = project()[2] / focals
        turned = np.einsum("kij,kj->ki", to_anchor[:, :2, :2], aside)
        for axis in range(2):
            shift = np.bincount(group, weight * turned[:, axis]) / np.bincount(group, weight)
            rays[:, axis] += shift
    _, pull, off = project()
    pixels = np.linalg.norm(off, axis=1)
    # Two coordinates an observation, of which a point in space can meet three.
    residual = _high(pixels, group, length) * np.sqrt(2 * length / (2 * length - 3))
    spread = _spread(pull, group, length)
    error = np.maximum(residual, TRACKER_ERROR * unit)
    known = spread > np.sqrt(_LEAST_PULL)
    with np.errstate(divide="ignore", invalid="ignore"):
        points = np.einsum("pij,pj->pi", rotations[anchor], rays) / inverse_depth[:, None]
    found = Structure(
        track=tracks.track[seen[anchor]],
        anchor=seen[anchor],
        inverse_depth=inverse_depth / extent,
        sigma=np.divide(error, spread * extent, out=np.full_like(error, np.inf), where=known),
        points=(points + centers[anchor]) * extent,
        residual=residual,
        explained=residual < EXPLAINED * unit,
        observations=length,
    )
    return found, pixels


def _extent(trajectory: Trajectory) -> float:
    """How far the camera goes from where it starts, in the unit of its centres; never 0."""
    centers = trajectory.centers[trajectory.valid]
    extent = float(np.linalg.norm(centers - centers[0], axis=1).max())
    # A still camera far from the world's origin has round-off, which must not become a move.
    far = float(np.abs(centers).max())
    return extent if extent > _ROUND_OFF * far else max(far, 1.0) / _ROUND_OFF


def _high(values: FloatArray, group: IntArray, length: IntArray) -> FloatArray:
    """The value of each group that so many of its values do not exceed."""
    ordered = values[np.lexsort((values, group))]
    place = np.ceil(TYPICAL_WORST * (length - 1)).astype(np.intp)
    return np.asarray(ordered[np.cumsum(length) - length + place])


def _spread(pull: FloatArray, group: IntArray, length: IntArray) -> FloatArray:
    """(P,) standard deviation of how far the unit of inverse depth moves a point, pixels.

    What moves all of a piece alike is a matter of its ray.
    """
    total = np.zeros(len(length))
    for column in pull.T:
        mean = np.bincount(group, column) / length
        total += np.bincount(group, (column - mean[group]) ** 2) / length
    return np.asarray(np.sqrt(total))


def _weighted_median(values: FloatArray, weights: IntArray) -> float:
    order = np.argsort(values)
    before = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(before, 0.5 * before[-1])])
