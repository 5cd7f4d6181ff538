"""Piece by piece: the tracks of some seconds of a shot are explained and let go.

What is kept of a piece is small, so that a shot of any length fits into memory.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.bundle import Solution
from dollygrip.geometry.ladder import ALL, MODELS, MOVING, STATIC, climb
from dollygrip.geometry.trajectory import FOCAL_PRIOR
from dollygrip.runners.estimators.movement import moving_share
from dollygrip.runners.estimators.standing import much_stands, still_probability, still_share
from dollygrip.runners.estimators.tracks import Tracks
from dollygrip.runners.estimators.windows import (
    Stretch,
    chain_steps,
    chained_start,
    fill_in,
    keyframes,
    observe,
    still_stretch,
)

# Fewer points than these, seen in two neighbouring pictures, say nothing of the way between them.
_FEWEST_SHARED = 5


@dataclass(frozen=True, eq=False)
class Account:
    """What is kept of a piece.

    Attributes:
        times: (F,) seconds; the last frame is the first of the next piece.
        size: (width, height) in pixels.
        known: (K,) seconds of the frames between the first and the last that are connected to
            another; none where no two are.
        paths: The path under each moving model, over all frames.
        explained: Share of the observations that each model explains; 0 where there are none.
        beliefs: Probability of each moving model, given that the camera moves.
        stillness: (C, 2) shares of the picture that stand still; see ``still_share``.
        moving: Share of what was followed that moves by itself.
        depth_spread: How much the inverse depths of what is seen differ; see ``depth_spread``.
        observations: How many positions of points there are.
        continued: How many of these continue a track.
        texture: Share of grid cells that hold a corner, mean of the frames.
        brightness: Mean grey level.
    """

    times: FloatArray
    size: tuple[int, int]
    known: FloatArray
    paths: Mapping[str, Stretch]
    explained: Mapping[str, float]
    beliefs: Mapping[str, float]
    stillness: FloatArray
    moving: float
    depth_spread: float
    observations: int
    continued: int
    texture: float
    brightness: float

    @property
    def weight(self) -> float:
        """How much the piece has to say: the number of steps that are known."""
        return max(0.0, len(self.known) - 1.0)


def explain(tracks: Tracks, most_keyframes: int, most_tracks: int) -> Account:
    """What the models make of the tracks of a piece.

    Frames before and after everything that is connected (black leader, a fade) are not explained:
    the camera is held there.

    Args:
        tracks: Of the piece, at least one frame.
        most_keyframes: Pictures that enter the adjustment.
        most_tracks: About how many tracks enter it.
    """
    frames = len(tracks.times)
    focal = FOCAL_PRIOR * max(tracks.size)
    shared = np.flatnonzero(_shared(tracks) >= _FEWEST_SHARED)
    known = tracks.times[:0]
    stillness = still_share(tracks)
    paths = dict.fromkeys(MOVING, still_stretch(frames, focal))
    explained, beliefs = dict.fromkeys(MODELS, 0.0), dict.fromkeys(MOVING, 0.0)
    spread = 0.0
    if len(shared):
        first, last = int(shared[0]), int(shared[-1]) + 1
        known = tracks.times[first : last + 1]
        steps = chain_steps(tracks, focal)
        chosen = keyframes(steps, first, last, most_keyframes)
        seen = observe(tracks, chosen, most_tracks)
        start = chained_start(seen, steps, chosen, focal)
        done = climb(seen, start, focal, max(tracks.size) / 480, stands=much_stands(stillness))
        paths = {
            model: fill_in(done.solutions[model], chosen, steps, focal).held(
                first, frames - 1 - last
            )
            for model in MOVING
        }
        explained, beliefs = dict(done.explained), dict(done.beliefs)
        spread = depth_spread(done.solutions[ALL])
    return Account(
        times=tracks.times,
        size=tracks.size,
        known=known,
        paths=paths,
        explained=explained,
        beliefs=beliefs,
        stillness=stillness,
        moving=subject_share(tracks, paths[ALL], explained, stillness),
        depth_spread=spread,
        observations=len(tracks.frame),
        continued=len(tracks.frame) - len(np.unique(tracks.track)),
        texture=float(tracks.texture.mean()),
        brightness=float(tracks.brightness.mean()),
    )


def depth_spread(path: Solution) -> float:
    """Range of the middle 80% of the inverse depths under a path, as a share of their median.

    A travel by one scene depth shifts near things past far ones by so much of what it shifts them
    all. Where nothing travels this is what was assumed of depths, not what was seen.
    """
    low, middle, high = np.quantile(path.inverse_depth, (0.1, 0.5, 0.9))
    return float((high - low) / max(middle, 1e-6))


def subject_share(
    tracks: Tracks, freest: Stretch, explained: Mapping[str, float], stillness: FloatArray
) -> float:
    """Share of what was followed in a piece that moves by itself.

    A camera that moves is taken to do whatever explains most, since a path that lacks a travel
    makes the whole scene seem to move. One that stands still is not: it would follow a subject.

    Args:
        tracks: Of the piece.
        freest: The path under the model that may do everything.
        explained: Share of the observations that each model explains.
        stillness: (C, 2) shares of the picture that stand still.
    """
    frames = len(tracks.times)
    best = max(explained[model] for model in MOVING)
    stands = still_probability(stillness, explained[STATIC] / max(best, 1e-6)) > 0.5
    path = still_stretch(frames, FOCAL_PRIOR * max(tracks.size)) if stands else freest
    return moving_share(tracks, path.trajectory(tracks.times, tracks.size, np.ones(frames, bool)))


def _shared(tracks: Tracks) -> IntArray:
    """(F - 1,) number of points that each frame shares with the next."""
    lives = np.bincount(tracks.track, minlength=1)
    # Tracks are seen without a gap, and their observations come in order of time.
    order = np.argsort(tracks.track, kind="stable")
    last = np.cumsum(lives[lives > 0]) - 1
    ended = tracks.frame[order][last] if len(order) else np.zeros(0, np.intp)
    frames = len(tracks.times)
    seen = np.bincount(tracks.frame, minlength=frames)
    return np.asarray((seen - np.bincount(ended, minlength=frames))[:-1])
