"""The embedded estimator: point tracks and a ladder of motion models; no weights, CPU only.

1. Corners are followed from frame to frame, and it is noted which cells of the picture stand
   still (``tracks.py``, ``stillness.py``).
2. A turn and a zoom are fitted to every pair of neighbouring frames (``geometry/twoview.py``).
3. Keyframes are adjusted under five models: nothing moves; rotation; rotation and zoom; rotation
   and translation; all (``geometry/ladder.py``, ``geometry/bundle.py``).
4. The models are weighed by what each explains. Where a good part of the picture stands still, the
   camera most likely stood still too, whatever else moves in it (``standing.py``).

All this is done a few seconds at a time (``pieces.py``).
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.ladder import MODELS, MOVING, STATIC
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Hypothesis, Trajectory
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.pieces import Account, explain
from dollygrip.runners.estimators.standing import still_probability
from dollygrip.runners.estimators.tracks import track_pieces
from dollygrip.runners.estimators.windows import chain, still_stretch
from dollygrip.runners.video import Frame, FrameRequest

_FEWEST_FRAMES = 3
_SMALLEST = 48
_FEWEST_POINTS = 3
# Corners of a scene live on, those of noise are seen once, but for chance: share of the
# observations that continue a track. Noise has 0.1 at most, at any rate; the darkest and fastest
# scenes have 0.23 where pictures are a sixth of a second apart.
_LEAST_CONTINUED = 0.15
_DARK = 16
# An answer that explains less than this share of what another one does is doubted.
_UNEXPLAINED = 0.7


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
    rate: float = 8.0
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
        settings = self.settings
        pieces = [
            explain(tracks, settings.keyframes, settings.tracks)
            for tracks in track_pieces(frames, settings.window)
        ]
        failure = _unusable(pieces)
        return Estimate(
            () if failure else _hypotheses(pieces),
            failure,
            diagnostics={} if failure else _diagnostics(pieces),
            doubts=() if failure else _doubts(pieces),
            seconds=time.perf_counter() - started,
            estimator=self.name,
            settings=asdict(settings),
        )


def _hypotheses(pieces: Sequence[Account]) -> tuple[Hypothesis, ...]:
    """Weighed paths through the whole shot, likeliest first."""
    times = np.concatenate([pieces[0].times[:1], *(piece.times[1:] for piece in pieces)])
    first = min(piece.known[0] for piece in pieces if piece.weight)
    last = max(piece.known[-1] for piece in pieces if piece.weight)
    focal = FOCAL_PRIOR * max(pieces[0].size)

    def path(model: str) -> Trajectory:
        whole = (
            still_stretch(len(times), focal)
            if model == STATIC
            else chain([piece.paths[model] for piece in pieces])
        )
        return Trajectory(
            times=times,
            rotations=whole.rotations,
            centers=whole.centers,
            focals=np.exp(whole.log_focals),
            size=pieces[0].size,
            # In between the camera is held where nothing is known.
            valid=(times >= first) & (times <= last),
            sigmas=whole.sigmas,
            scene_depth=1.0,
        )

    beliefs = _beliefs(pieces)
    likely = sorted((model for model in MODELS if beliefs[model] > 0.0), key=beliefs.__getitem__)
    return tuple(Hypothesis(model, beliefs[model], path(model)) for model in reversed(likely))


def _beliefs(pieces: Sequence[Account]) -> dict[str, float]:
    """Probability of each model over the shot."""
    best = _told(pieces, [max(piece.explained[model] for model in MOVING) for piece in pieces])
    stood = _told(pieces, [piece.explained[STATIC] for piece in pieces])
    stillness = np.concatenate([piece.stillness for piece in pieces])
    still = still_probability(stillness, stood / max(best, 1e-6))
    moving = {model: _told(pieces, [piece.beliefs[model] for piece in pieces]) for model in MOVING}
    return {STATIC: still} | {model: (1.0 - still) * belief for model, belief in moving.items()}


def _explained(pieces: Sequence[Account]) -> dict[str, float]:
    """Share of the observations that each model explains over the shot."""
    return {model: _told(pieces, [piece.explained[model] for piece in pieces]) for model in MODELS}


def _diagnostics(pieces: Sequence[Account]) -> dict[str, Any]:
    frames = _frames(pieces)
    beliefs = _beliefs(pieces)
    stillness = np.concatenate([piece.stillness for piece in pieces])
    return {
        "frames": frames,
        "points": round(sum(piece.observations for piece in pieces) / frames, 1),
        "texture": round(_mean(pieces, [piece.texture for piece in pieces]), 3),
        "brightness": round(_mean(pieces, [piece.brightness for piece in pieces]), 1),
        "still_share": round(float(np.median(stillness[:, 0])), 3) if len(stillness) else None,
        "explained": {model: round(share, 3) for model, share in _explained(pieces).items()},
        "model": max(beliefs, key=beliefs.__getitem__),
        "probability": {model: round(beliefs[model], 4) for model in MODELS},
    }


def _unusable(pieces: Sequence[Account]) -> Failure | None:
    """Why these pictures cannot tell anything, if so."""
    frames = _frames(pieces)
    if frames < _FEWEST_FRAMES:
        return Failure(
            Reason.TOO_SHORT,
            f"There are only {frames} pictures; it takes {_FEWEST_FRAMES} to see a motion.",
        )
    if max(pieces[0].size) < _SMALLEST:
        width, height = pieces[0].size
        return Failure(
            Reason.TOO_SMALL,
            f"Pictures of {width}x{height} pixels are too small; "
            f"{_SMALLEST} pixels on the long side are the least.",
        )
    observations = sum(piece.observations for piece in pieces)
    continued = sum(piece.continued for piece in pieces)
    if observations < _FEWEST_POINTS * frames or continued < _LEAST_CONTINUED * observations:
        if _mean(pieces, [piece.brightness for piece in pieces]) < _DARK:
            return Failure(Reason.TOO_DARK, "The pictures are too dark to follow anything in them.")
        return Failure(
            Reason.NO_TEXTURE, "The pictures show nothing that can be followed: they are blank."
        )
    if not any(piece.weight for piece in pieces):
        return Failure(
            Reason.DID_NOT_CONVERGE, "Nothing can be followed from one picture to the next."
        )
    return None


def _doubts(pieces: Sequence[Account]) -> tuple[Failure, ...]:
    """What makes the answer less certain."""
    doubts = []
    if _mean(pieces, [piece.texture for piece in pieces]) < 0.1:
        message = "Hardly anything in the pictures can be followed, so little supports the answer."
        doubts.append(Failure(Reason.NO_TEXTURE, message))
    beliefs = _beliefs(pieces)
    explained = _explained(pieces)
    likeliest = max(beliefs, key=beliefs.__getitem__)
    if explained[likeliest] < _UNEXPLAINED * max(explained.values()):
        message = (
            "Much of the picture moves otherwise than the camera is thought to: something large "
            "moves by itself, or the camera also travels."
        )
        doubts.append(Failure(Reason.DYNAMIC_SCENE, message))
    return tuple(doubts)


def _frames(pieces: Sequence[Account]) -> int:
    """How many frames the shot has; neighbouring pieces share one."""
    return sum(len(piece.times) for piece in pieces) - max(0, len(pieces) - 1)


def _mean(pieces: Sequence[Account], values: Sequence[float]) -> float:
    """The mean over the pictures of one value a piece."""
    return float(np.average(values, weights=[len(piece.times) for piece in pieces]))


def _told(pieces: Sequence[Account], values: Sequence[float]) -> float:
    """The mean over what is known of the motion of one value a piece."""
    return float(np.average(values, weights=[piece.weight for piece in pieces]))
