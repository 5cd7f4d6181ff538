"""From the accounts of a shot's pieces to the answer: weighed paths, or a reason, and doubts."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.ladder import MODELS, MOVING, STATIC
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Hypothesis, Trajectory
from dollygrip.runners.estimators.pieces import Account
from dollygrip.runners.estimators.standing import still_probability
from dollygrip.runners.estimators.windows import chain, still_stretch

FEWEST_FRAMES = 3
"""Pictures that it takes to see a motion."""
SMALLEST = 48
"""Least long side of a picture, pixels."""

_FEWEST_POINTS = 3
# Corners of a scene live on, those of noise are seen once, but for chance: share of the
# observations that continue a track. Noise has 0.1 at most, at any rate; the darkest and fastest
# scenes have 0.23 where pictures are a sixth of a second apart.
_LEAST_CONTINUED = 0.15
_DARK = 16
# An answer that explains less than this share of what another one does is doubted.
_UNEXPLAINED = 0.7


def hypotheses(pieces: Sequence[Account]) -> tuple[Hypothesis, ...]:
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
        # In between the camera is held where nothing is known.
        return whole.trajectory(times, pieces[0].size, (times >= first) & (times <= last))

    belief = beliefs(pieces)
    likely = sorted((model for model in MODELS if belief[model] > 0.0), key=belief.__getitem__)
    return tuple(Hypothesis(model, belief[model], path(model)) for model in reversed(likely))


def beliefs(pieces: Sequence[Account]) -> dict[str, float]:
    """Probability of each model over the shot."""
    best = _told(pieces, [max(piece.explained[model] for model in MOVING) for piece in pieces])
    stood = _told(pieces, [piece.explained[STATIC] for piece in pieces])
    stillness = np.concatenate([piece.stillness for piece in pieces])
    still = still_probability(stillness, stood / max(best, 1e-6))
    moving = {model: _told(pieces, [piece.beliefs[model] for piece in pieces]) for model in MOVING}
    return {STATIC: still} | {model: (1.0 - still) * belief for model, belief in moving.items()}


def diagnostics(pieces: Sequence[Account]) -> dict[str, Any]:
    """Numbers behind an answer, JSON-ready."""
    count = frames(pieces)
    belief = beliefs(pieces)
    stillness = np.concatenate([piece.stillness for piece in pieces])
    return {
        "frames": count,
        "points": round(sum(piece.observations for piece in pieces) / count, 1),
        "texture": round(_mean(pieces, [piece.texture for piece in pieces]), 3),
        "brightness": round(_mean(pieces, [piece.brightness for piece in pieces]), 1),
        "still_share": round(float(np.median(stillness[:, 0])), 3) if len(stillness) else None,
        "moving_share": round(_told(pieces, [piece.moving for piece in pieces]), 4),
        "depth_spread": round(_told(pieces, [piece.depth_spread for piece in pieces]), 3),
        "explained": {model: round(share, 3) for model, share in _explained(pieces).items()},
        "model": max(belief, key=belief.__getitem__),
        "probability": {model: round(belief[model], 4) for model in MODELS},
    }


def unusable(pieces: Sequence[Account]) -> Failure | None:
    """Why these pictures cannot tell anything, if so."""
    count = frames(pieces)
    if count < FEWEST_FRAMES:
        return Failure(
            Reason.TOO_SHORT,
            f"There are only {count} pictures; it takes {FEWEST_FRAMES} to see a motion.",
        )
    if max(pieces[0].size) < SMALLEST:
        width, height = pieces[0].size
        return Failure(
            Reason.TOO_SMALL,
            f"Pictures of {width}x{height} pixels are too small; "
            f"{SMALLEST} pixels on the long side are the least.",
        )
    observations = sum(piece.observations for piece in pieces)
    continued = sum(piece.continued for piece in pieces)
    if observations < _FEWEST_POINTS * count or continued < _LEAST_CONTINUED * observations:
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


def doubts(pieces: Sequence[Account]) -> tuple[Failure, ...]:
    """What makes the answer less certain."""
    found = []
    if _mean(pieces, [piece.texture for piece in pieces]) < 0.1:
        message = "Hardly anything in the pictures can be followed, so little supports the answer."
        found.append(Failure(Reason.NO_TEXTURE, message))
    belief = beliefs(pieces)
    explained = _explained(pieces)
    likeliest = max(belief, key=belief.__getitem__)
    if explained[likeliest] < _UNEXPLAINED * max(explained.values()):
        message = (
            "Much of the picture moves otherwise than the camera is thought to: something large "
            "moves by itself, or the camera also travels."
        )
        found.append(Failure(Reason.DYNAMIC_SCENE, message))
    return tuple(found)


def frames(pieces: Sequence[Account]) -> int:
    """How many frames the shot has; neighbouring pieces share one."""
    return sum(len(piece.times) for piece in pieces) - max(0, len(pieces) - 1)


def _explained(pieces: Sequence[Account]) -> dict[str, float]:
    """Share of the observations that each model explains over the shot."""
    return {model: _told(pieces, [piece.explained[model] for piece in pieces]) for model in MODELS}


def _mean(pieces: Sequence[Account], values: Sequence[float]) -> float:
    """The mean over the pictures of one value a piece."""
    return float(np.average(values, weights=[len(piece.times) for piece in pieces]))


def _told(pieces: Sequence[Account], values: Sequence[float]) -> float:
    """The mean over what is known of the motion of one value a piece."""
    return float(np.average(values, weights=[piece.weight for piece in pieces]))
