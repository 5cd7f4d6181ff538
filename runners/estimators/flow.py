"""The embedded estimator: point tracks and a ladder of motion models; no weights, CPU only.

1. Corners are followed from frame to frame, and it is noted which cells of the picture stand
   still (``tracks.py``, ``stillness.py``).
2. A turn and a zoom are fitted to every pair of neighbouring frames (``geometry/twoview.py``).
3. Keyframes are adjusted under five models: nothing moves; rotation; rotation and zoom; rotation
   and translation; all (``geometry/ladder.py``, ``geometry/bundle.py``).
4. The models are weighed by what each explains. A picture in which a good part stands still for a
   second can only come from a camera that stood still, whatever else moves in it.
"""

import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.ladder import MODELS, MOVING, STATIC, Climb, climb
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Hypothesis, Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.stillness import GRID as STILL_GRID
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.estimators.windows import (
    chain,
    chain_steps,
    chained_start,
    fill_in,
    keyframes,
    observe,
    split_windows,
    still_path,
)
from dollygrip.runners.video import Frame, FrameRequest

# How far a point may be from where it was a second ago and still count as still, pixels of a
# 480 px picture: more than tracking errs, less than the slowest move that a viewer sees.
STILL_PIXELS = 0.6
# Share of still cells at which a still camera is an even bet, and how sharp that is. A picture
# that is nearly all subject leaves a twentieth; a moving camera leaves next to nothing, ...
STILL_SHARE, STILL_SHARPNESS = 0.07, 0.012
# ... but for the far end of a wide view, which stays put while travel explains the rest: of what
# the best model explains, standing still must explain this share, the less the more cells stand
# still, and nothing from this share of cells on.
STILL_EXPLAINED, STILL_EXPLAINED_SHARPNESS = 0.4, 0.03
STILL_ENOUGH = 0.3
# A shot that stands still for most of its time may move in the rest.
STILL_PERCENTILE = 25

_FEWEST_FRAMES = 3
_SMALLEST = 48
_FEWEST_POINTS = 3
# Corners of noise are seen once; those of a scene live on. Share of the observations that
# continue a track: the worst real clips have 0.37.
_LEAST_CONTINUED = 0.25
_DARK = 16


@dataclass(frozen=True)
class FlowSettings:
    """Settings of the flow estimator.

    Attributes:
        long_side: Pictures are shrunk to this long side, pixels.
        rate: Pictures a second.
        window: Seconds that are adjusted together; longer shots are chained.
        keyframes: Pictures of a window that enter the adjustment.
        tracks: Point tracks of a window that enter the adjustment.
    """

    long_side: int = 480
    rate: float = 12.0
    window: float = 6.0
    keyframes: int = 16
    tracks: int = 200

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A setting is out of range.
        """
        if self.long_side < _SMALLEST:
            raise ValueError(f"long_side must be at least {_SMALLEST}, not {self.long_side}")
        if min(self.rate, self.window) <= 0:
            raise ValueError("rate and window must be positive")
        if self.keyframes < _FEWEST_FRAMES or self.tracks < 10:
            raise ValueError("keyframes must be at least 3 and tracks at least 10")


DEFAULTS = FlowSettings()


class FlowEstimator:
    """Camera path from point tracks; see the module's text."""

    name = "flow"

    def __init__(self, settings: FlowSettings = DEFAULTS) -> None:
        """Store the settings."""
        self.settings = settings
        self.frame_request = FrameRequest(self.settings.long_side, self.settings.rate)

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot, read once and in order."""
        started = time.perf_counter()
        tracks = track_points(frames)
        failure = _unusable(tracks)
        hypotheses: tuple[Hypothesis, ...] = ()
        diagnostics: dict[str, Any] = {}
        if failure is None:
            hypotheses, diagnostics = explain(tracks, self.settings)
        if not hypotheses:
            failure = failure or _UNCONNECTED
        return Estimate(
            hypotheses,
            failure,
            diagnostics=diagnostics,
            doubts=() if failure else _doubts(tracks),
            seconds=time.perf_counter() - started,
            estimator=self.name,
            settings=asdict(self.settings),
        )


_UNCONNECTED = Failure(
    Reason.DID_NOT_CONVERGE, "Nothing can be followed from one picture to the next."
)


def explain(
    tracks: Tracks, settings: FlowSettings
) -> tuple[tuple[Hypothesis, ...], dict[str, Any]]:
    """Weighed hypotheses of a shot, likeliest first, and what they rest on.

    No hypotheses where no point is seen in two pictures.
    """
    focal = FOCAL_PRIOR * max(tracks.size)
    steps = chain_steps(tracks, focal)
    windows = split_windows(tracks.times, settings.window)
    climbs: list[Climb] = []
    chosen = [keyframes(steps, first, last, settings.keyframes) for first, last in windows]
    stillness = still_share(tracks)
    stands = bool(len(stillness)) and float(stillness.min()) > 2.0 * STILL_SHARE
    for frames in chosen:
        seen = observe(tracks, frames, settings.tracks)
        start = chained_start(seen, steps, frames, focal)
        climbs.append(climb(seen, start, focal, max(tracks.size) / 480, stands=stands))
    # A window without observations, such as black leader, has no say.
    votes = np.array([frames[-1] - frames[0] for frames in chosen], dtype=np.float64)
    votes *= [done.observations > 0 for done in climbs]
    if not votes.any():
        return (), {}

    def path(model: str) -> Trajectory:
        if model == STATIC:
            return still_path(tracks, focal)
        parts = [
            fill_in(done.solutions[model], frames, steps, focal)
            for done, frames in zip(climbs, chosen, strict=True)
        ]
        return chain(parts, tracks)

    beliefs = _beliefs(climbs, votes / votes.sum(), _still_probability(stillness, climbs))
    models = [model for model in MODELS if beliefs[model] > 0.0]
    hypotheses = [Hypothesis(model, beliefs[model], path(model)) for model in models]
    diagnostics = {
        "frames": len(tracks.times),
        "points": round(len(tracks.frame) / len(tracks.times), 1),
        "texture": round(float(tracks.texture.mean()), 3),
        "brightness": round(float(tracks.brightness.mean()), 1),
        "still_share": round(float(np.median(stillness)), 3) if len(stillness) else None,
        "explained": {
            model: round(float(np.mean([done.explained[model] for done in climbs])), 3)
            for model in MODELS
        },
        "model": max(beliefs, key=lambda model: beliefs[model]),
        "probability": {model: round(beliefs[model], 4) for model in MODELS},
    }
    return tuple(sorted(hypotheses, key=lambda h: -h.probability)), diagnostics


def still_share(tracks: Tracks) -> FloatArray:
    """Share of the textured cells that do not move over about a second, now and then.

    A camera that moves leaves no cell where it was, whatever the scene does; one that stands
    still leaves the cells between the moving subjects. A cell counts as still when its corners
    say so, or its shading where it has none. Cells count by their squared distance from the
    middle: that is where subjects are, and what a zoom, a roll or a dolly moves least.

    Returns:
        (C,) values 0 to 1.
    """
    cells = tracks.still.shape[1]
    grid = np.array(STILL_GRID)
    across, down = ((np.arange(side) + 0.5) / side * 2.0 - 1.0 for side in STILL_GRID)
    weight = (across[None, :] ** 2 + down[:, None] ** 2).ravel()
    at = np.floor((tracks.xy / np.array(tracks.size) + 0.5) * grid).astype(np.intp)
    at = np.clip(at, 0, grid - 1)
    cell = at[:, 1] * grid[0] + at[:, 0]
    limit = STILL_PIXELS * max(tracks.size) / 480
    starts = np.searchsorted(tracks.frame, np.arange(len(tracks.times) + 1))
    shares = []
    for (before, after), shaded, textured in zip(
        tracks.still_frames, tracks.still, tracks.textured, strict=True
    ):
        a = slice(starts[before], starts[before + 1])
        b = slice(starts[after], starts[after + 1])
        _, in_a, in_b = np.intersect1d(tracks.track[a], tracks.track[b], return_indices=True)
        moved = np.linalg.norm(tracks.xy[a][in_a] - tracks.xy[b][in_b], axis=1)
        followed = np.bincount(cell[a][in_a], minlength=cells)
        standing = np.bincount(cell[a][in_a], moved < limit, minlength=cells)
        still = np.where(followed > 0, standing > 0.5 * followed, shaded)
        told = weight * (textured | (np.bincount(cell[a], minlength=cells) > 0))
        shares.append(float(told[still].sum() / max(float(told.sum()), 1e-9)))
    return np.array(shares)


def _still_probability(stillness: FloatArray, climbs: list[Climb]) -> float:
    """Whether the camera stood still: enough cells did, and no travel explains the others."""
    if not len(stillness):
        return 0.0
    level = float(np.percentile(stillness, STILL_PERCENTILE))
    best = sum(max(done.explained[model] for model in MOVING) for done in climbs)
    explained = sum(done.explained[STATIC] for done in climbs) / max(best, 1e-6)
    needed = STILL_EXPLAINED * min(1.0, (STILL_ENOUGH - level) / (STILL_ENOUGH - 2 * STILL_SHARE))
    evidence = min(
        (level - STILL_SHARE) / STILL_SHARPNESS,
        (explained - needed) / STILL_EXPLAINED_SHARPNESS,
    )
    return float(0.5 * (1.0 + np.tanh(0.5 * evidence)))


def _beliefs(climbs: list[Climb], votes: FloatArray, still: float) -> dict[str, float]:
    """Probability of each model over the shot; votes are the weights of the windows."""
    moving = {
        model: sum(float(v) * done.beliefs[model] for v, done in zip(votes, climbs, strict=True))
        for model in MOVING
    }
    return {STATIC: still} | {model: (1.0 - still) * belief for model, belief in moving.items()}


def _unusable(tracks: Tracks) -> Failure | None:
    """Why these pictures cannot tell anything, if so."""
    frames = len(tracks.times)
    if frames < _FEWEST_FRAMES:
        return Failure(
            Reason.TOO_SHORT,
            f"There are only {frames} pictures; it takes {_FEWEST_FRAMES} to see a motion.",
        )
    if max(tracks.size) < _SMALLEST:
        width, height = tracks.size
        return Failure(
            Reason.TOO_SMALL,
            f"Pictures of {width}x{height} pixels are too small; "
            f"{_SMALLEST} pixels on the long side are the least.",
        )
    continued = len(tracks.frame) - len(np.unique(tracks.track))
    if len(tracks.frame) < _FEWEST_POINTS * frames or continued < _LEAST_CONTINUED * len(
        tracks.frame
    ):
        if tracks.brightness.mean() < _DARK:
            return Failure(Reason.TOO_DARK, "The pictures are too dark to follow anything in them.")
        return Failure(
            Reason.NO_TEXTURE, "The pictures show nothing that can be followed: they are blank."
        )
    return None


def _doubts(tracks: Tracks) -> tuple[Failure, ...]:
    """What makes the answer less certain."""
    doubts = []
    if tracks.texture.mean() < 0.1:
        message = "Hardly anything in the pictures can be followed, so little supports the answer."
        doubts.append(Failure(Reason.NO_TEXTURE, message))
    return tuple(doubts)
