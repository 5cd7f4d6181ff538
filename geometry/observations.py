"""Points of a scene as some frames saw them: what a bundle adjustment explains."""

from dataclasses import dataclass, replace

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray

# The longest tracks are taken from this many stretches of the time, so that none goes without.
_STRETCHES = 6


@dataclass(frozen=True, eq=False)
class Observations:
    """What the adjustment explains.

    Attributes:
        frame: (K,) frame of each observation; a track is seen at most once in a frame.
        track: (K,) its track, 0 to T - 1.
        xy: (K, 2) pixels from the picture's centre, x right, y down.
        anchor: (T,) frame in which each track's depth is measured; not among its observations.
        anchor_xy: (T, 2) where the track is seen there; taken as exact.
        inverse_depth: (T,) expected inverse depth, mean about 1.
        frames: Number of frames N.
    """

    frame: IntArray
    track: IntArray
    xy: FloatArray
    anchor: IntArray
    anchor_xy: FloatArray
    inverse_depth: FloatArray
    frames: int


def gather(
    frame: IntArray, track: IntArray, xy: FloatArray, *, frames: int, limit: int
) -> tuple[Observations, IntArray]:
    """Observations of the tracks that are seen at least twice, each anchored in mid-life.

    Args:
        frame: (K,) frame of each observation, 0 to ``frames`` - 1.
        track: (K,) track of each observation, any numbers; seen at most once in a frame.
        xy: (K, 2) pixels from the picture's centre.
        frames: Number of frames.
        limit: At most about this many tracks are kept: the longest of each stretch of the time.

    Returns:
        The observations, all of expected depth 1, and (T,) the number that each track had.
    """
    length = np.bincount(track)
    good = np.flatnonzero(length >= 2)
    if len(good) > limit:
        middle = np.bincount(track, frame)[good] / length[good]
        stretch = (middle / frames * _STRETCHES).astype(np.intp)
        share = -(-limit // len(np.unique(stretch)))
        longest = [
            members[np.argsort(-length[members], kind="stable")[:share]]
            for members in (good[stretch == part] for part in np.unique(stretch))
        ]
        good = np.sort(np.concatenate(longest))
    renumber = np.full(len(length), -1)
    renumber[good] = np.arange(len(good))
    keep = renumber[track] >= 0
    frame, track, xy = frame[keep], renumber[track[keep]], xy[keep]
    order = np.lexsort((frame, track))
    frame, track, xy = frame[order], track[order], xy[order]
    lives = np.bincount(track, minlength=len(good))
    anchor = np.cumsum(lives) - lives + lives // 2
    rest = np.ones(len(frame), dtype=np.bool_)
    rest[anchor] = False
    seen = Observations(
        frame=frame[rest],
        track=track[rest],
        xy=xy[rest],
        anchor=frame[anchor],
        anchor_xy=xy[anchor],
        inverse_depth=np.ones(len(good)),
        frames=frames,
    )
    return seen, good


def sample(seen: Observations, kept: IntArray, limit: int) -> Observations:
    """The observations in some of the frames only, of at most about ``limit`` tracks.

    Args:
        seen: All observations.
        kept: (M,) numbers of the frames to keep, increasing; they become 0 to M - 1.
        limit: As for :func:`gather`.
    """
    number = np.full(seen.frames, -1)
    number[kept] = np.arange(len(kept))
    frame = number[np.concatenate([seen.frame, seen.anchor])]
    track = np.concatenate([seen.track, np.arange(len(seen.anchor))])
    xy = np.concatenate([seen.xy, seen.anchor_xy])
    inside = frame >= 0
    few, origin = gather(frame[inside], track[inside], xy[inside], frames=len(kept), limit=limit)
    return replace(few, inverse_depth=seen.inverse_depth[origin])
