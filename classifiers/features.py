"""What a learned classifier looks at: rows of numbers in a label's own frame.

A row asks one question, "does this shot have this label?" or "does this move happen now?", and its
numbers are written so that positive is the way of the label: a pan to the left of a shot gives the
same row as the pan to the right of the mirrored shot. What is learned of one holds for the other
by construction, and playing a shot backwards swaps the rows of opposite labels.

Amounts are logarithms of how far a move is beyond what it takes to see it
(:mod:`dollygrip.classifiers.evidence`), so rows depend neither on the frame rate, nor on the size
of the picture, nor on the unit of the path.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dollygrip.classifiers.criteria import ThresholdSettings
from dollygrip.classifiers.evidence import Reading, mixed, present, together
from dollygrip.classifiers.labels import (
    BY_NAME,
    COMBINED,
    DEFINITIONS,
    DIRECTIONS,
    PRIMITIVES,
    signed,
)
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.segments import typical_rate
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES

CRITERIA = ThresholdSettings()
"""What amounts are measured against; a row must mean the same whatever a user sets."""

_MODELS = ("static", "rotation", "rotation+zoom", "rotation+translation", "all")
# Axes whose moves shift or swell the picture alike.
_TWINS = {"pan": "truck", "tilt": "pedestal", "zoom": "dolly"}
_TWINS |= {twin: axis for axis, twin in _TWINS.items()}
_FAMILIES = (*AXES, "static", "arc", "crane", "dolly_zoom", "shaky")
DOUBTS = (Reason.DYNAMIC_SCENE, Reason.NO_TEXTURE)
"""Doubts of an estimator that are features; others are too rare to learn from."""
# Seconds around a moment in which it is looked at what a move does.
_REACHES = (0.1, 0.2, 0.4, 0.8)
# Probabilities nearer to 0 and 1 are all the same.
_SURE = 1e-4


def label_rows(
    readings: Sequence[Reading],
    *,
    doubts: Sequence[Failure] = (),
    diagnostics: Mapping[str, Any] | None = None,
) -> FloatArray:
    """One row for each label.

    Args:
        readings: The explanations of a shot under :data:`CRITERIA`, likeliest first.
        doubts: What the estimator doubts.
        diagnostics: Numbers from the estimator; what is missing counts as unknown.

    Returns:
        (labels, features) in the orders of ``DEFINITIONS`` and :data:`LABEL_FEATURES`.
    """
    scores = mixed(readings)
    about = _about_shot(readings, doubts, diagnostics or {})
    rows = [_label_row(d.name, readings, scores) | about for d in DEFINITIONS]
    return np.array([[row[name] for name in LABEL_FEATURES] for row in rows])


def moment_rows(readings: Sequence[Reading], label: str, times: FloatArray) -> FloatArray:
    """One row for each moment of a shot: does a signed move happen then?

    Args:
        readings: The explanations of a shot under :data:`CRITERIA`, likeliest first.
        label: One of ``DIRECTIONS``, which the shot has.
        times: (T,) seconds from the first frame of the clip.

    Returns:
        (T, features) in the order of :data:`MOMENT_FEATURES`.
    """
    axis, sign = AXES.index(BY_NAME[label].axis), BY_NAME[label].sign
    # The explanation that says most of this move tells when it happens.
    motion = max(readings, key=lambda r: r.probability * r.scores[label]).motion
    least = CRITERIA.thresholds
    first, last = float(motion.times[0]), float(motion.times[-1])
    sharp = sign * motion.sharp_rates[:, axis] / least[axis]
    steps = 0.5 * (sharp[1:] + sharp[:-1]) * np.diff(motion.times)
    curve = np.concatenate([[0.0], np.cumsum(steps)])

    def gained(start: FloatArray, end: FloatArray) -> FloatArray:
        """Least amounts from ``start`` to ``end``; a move goes on at its pace beyond the ends."""
        return np.asarray(
            _extended(end, motion.times, curve) - _extended(start, motion.times, curve)
        )

    smooth = sign * motion.rates[:, axis] / least[axis]
    clock = np.linspace(first, last, 200)
    typical = max(typical_rate(np.interp(clock, motion.times, smooth)), 1e-3)
    pace = np.abs(motion.rates) / least
    busiest = np.interp(times, motion.times, np.delete(pace, axis, axis=1).max(axis=1))
    now = np.interp(times, motion.times, smooth)
    columns = {
        "rate": np.arcsinh(now),
        "share": np.clip(now / typical, -3.0, 3.0),
        "sharp": np.clip(np.interp(times, motion.times, sharp) / typical, -3.0, 3.0),
        "typical": np.full(len(times), np.log(typical)),
        "others": np.log1p(busiest),
        "since_start": np.minimum(times - first, 2.0),
        "to_end": np.minimum(last - times, 2.0),
        "covered": gained(np.full(len(times), first), times)
        / max(float(np.maximum(steps, 0.0).sum()), 1e-3),
    }
    for reach in _REACHES:
        before, after = gained(times - reach, times), gained(times, times + reach)
        columns |= {
            f"before_{reach}": np.clip(before / reach / typical, -3.0, 3.0),
            f"after_{reach}": np.clip(after / reach / typical, -3.0, 3.0),
            f"amount_{reach}": np.arcsinh(before + after),
        }
    return np.stack([columns[name] for name in MOMENT_FEATURES], axis=1)


def trust_row(
    readings: Sequence[Reading],
    scores: Mapping[str, float],
    *,
    duration: float,
    ambiguous: Sequence[tuple[str, str]] = (),
    doubts: Sequence[Failure] = (),
    diagnostics: Mapping[str, Any] | None = None,
) -> FloatArray:
    """What tells whether the answer as a whole is right.

    Args:
        readings: The explanations of a shot, likeliest first.
        scores: The final scores.
        duration: Of the shot, in seconds.
        ambiguous: Pairs that cannot be told apart.
        doubts: What the estimator doubts.
        diagnostics: Numbers from the estimator; what is missing counts as unknown.

    Returns:
        (features,) in the order of :data:`TRUST_FEATURES`.
    """
    known = diagnostics or {}
    row = _about_answer(readings, scores) | _about_shot(readings, doubts, known)
    row |= {
        "ambiguous": float(bool(ambiguous)),
        "duration": float(np.log(duration + 0.1)),
    }
    row |= {name: float(np.log1p(known.get(name) or 0.0)) for name in _TRACKED}
    return np.array([row[name] for name in TRUST_FEATURES])


def _about_shot(
    readings: Sequence[Reading],
    doubts: Sequence[Failure],
    diagnostics: Mapping[str, Any],
) -> dict[str, float]:
    """What is the same for all labels of a shot."""
    shares = np.array([reading.probability for reading in readings])
    told = diagnostics.get("explained")
    # Other estimators tell something else by that name.
    explained = told if isinstance(told, Mapping) else {}
    best = max(explained.values(), default=0.0)
    reasons = {doubt.reason for doubt in doubts}
    likeliest = readings[0].motion
    return {
        **{f"model {m}": sum(r.probability for r in readings if r.model == m) for m in _MODELS},
        "doubt of model": float(-(shares * np.log(shares + _SURE)).sum()),
        "shake": float(np.log(sum(r.probability * r.motion.shake for r in readings) + 1e-4)),
        "noise": float(np.log((likeliest.sigmas / CRITERIA.thresholds).max() + 1e-3)),
        "depth known": float(readings[0].depth_known),
        **{f"doubt {reason}": float(reason in reasons) for reason in DOUBTS},
        "explained known": float(bool(explained)),
        "explained": best,
        **{f"explained less {m}": best - explained.get(m, best) for m in _MODELS},
        "still_share": float(diagnostics.get("still_share") or 0.0),
    }


def _label_row(
    label: str, readings: Sequence[Reading], scores: Mapping[str, float]
) -> dict[str, float]:
    """What differs from label to label."""
    others = sorted((scores[name] for name in DIRECTIONS if name != label), reverse=True)
    row = dict.fromkeys(_OWN, 0.0)
    row |= {
        "score": _logit(scores[label]),
        "score of static": _logit(scores["static"]),
        "score of another": _logit(others[0]),
        "score of a third": _logit(others[1]),
    }
    definition = BY_NAME[label]
    family = definition.axis or label.removesuffix("_cw").removesuffix("_ccw")
    if label in COMBINED:
        family = label.rpartition("_")[0]
        parts = COMBINED[label]
        row |= {
            "score of turn": _logit(scores[parts[0]]),
            "score of travel": _logit(scores[parts[1]]),
            "together": sum(
                r.probability * float(np.clip(together(r.motion, *parts, CRITERIA), -5.0, 5.0))
                for r in readings
            ),
        }
    elif definition.axis:
        row |= _direction(definition.axis, definition.sign, readings, scores)
    row |= {f"family {name}": float(name == family) for name in _FAMILIES}
    return row


def _direction(
    axis: str, sign: int, readings: Sequence[Reading], scores: Mapping[str, float]
) -> dict[str, float]:
    """What speaks for a signed move."""
    column, way = AXES.index(axis), 0 if sign > 0 else 1
    row: dict[str, float] = {}
    for name in ("visible", "apart", "certain", "opposing"):
        values = [
            float(np.clip(getattr(r.evidence, name)[column, way], -5.0, 5.0)) for r in readings
        ]
        row[name] = sum(r.probability * v for r, v in zip(readings, values, strict=True))
        row[f"likeliest {name}"] = values[0]
    least = CRITERIA.thresholds[column]

    def mean(amounts: Sequence[float]) -> float:
        return sum(r.probability * a for r, a in zip(readings, amounts, strict=True))

    by_model = {r.model: float(r.evidence.visible[column, way]) for r in readings}
    for model in _MODELS[1:]:
        row[f"visible by {model}"] = float(np.clip(by_model.get(model, row["visible"]), -5.0, 5.0))
    row["net"] = mean([float(np.arcsinh(sign * r.motion.net[column] / least)) for r in readings])
    row["extent"] = mean([float(np.log1p(r.motion.extent[column, way] / least)) for r in readings])
    row["straight"] = mean(
        [float(r.motion.net[column] * sign / (r.motion.path[column] + 1e-3)) for r in readings]
    )
    row["score of opposite"] = _logit(scores[signed(axis, -sign)])
    twin = _TWINS.get(axis)
    if twin is not None:
        other = AXES.index(twin)
        row["score of twin"] = _logit(scores[signed(twin, sign)])
        row["score of twin's opposite"] = _logit(scores[signed(twin, -sign)])
        row["twin"] = mean([float(r.evidence.visible[other, way]) for r in readings])
        row["twin's opposite"] = mean([float(r.evidence.visible[other, 1 - way]) for r in readings])
        # What the picture does: a turn and a travel may cancel each other out in it.
        shift = [sign * (r.motion.net[column] + r.motion.net[other]) / least for r in readings]
        row["apparent"] = mean([float(np.arcsinh(value)) for value in shift])
    return row


def _about_answer(readings: Sequence[Reading], scores: Mapping[str, float]) -> dict[str, float]:
    """How firmly an answer stands."""
    labels = present(scores)
    margins = sorted(max(scores[name], 1.0 - scores[name]) for name in PRIMITIVES)
    moves = [name for name in labels if name in DIRECTIONS]
    ruled = mixed(readings)
    apart = [abs(scores[name] - ruled[name]) for name in PRIMITIVES]
    said_by_rules = present(ruled)
    return {
        "certain of all": float(np.log(np.array(margins) + 1e-3).sum()),
        "least margin": margins[0],
        "second margin": margins[1],
        "third margin": margins[2],
        "moves": float(min(len(moves), 5)),
        "static": float("static" in labels),
        "nothing": float(not labels),
        "shaky": scores["shaky"],
        "support": sum(r.probability for r in readings if set(r.labels) == set(labels)),
        "cancelling": _cancelling(scores),
        "cancelling by rules": _cancelling(ruled),
        "apart from rules": max(apart),
        "other labels by rules": float(len({*labels} ^ {*said_by_rules})),
    }


def _cancelling(scores: Mapping[str, float]) -> float:
    """How surely a turn and a travel undo each other: more often a mistake than really there."""
    return max(
        min(scores[signed(axis, sign)], scores[signed(twin, -sign)])
        for axis, twin in _TWINS.items()
        for sign in (1, -1)
    )


def _extended(at: FloatArray, times: FloatArray, curve: FloatArray) -> FloatArray:
    """A curve at any time, straight on beyond its ends."""
    inside = np.interp(at, times, curve)
    before = np.minimum(at - times[0], 0.0) * (curve[1] - curve[0]) / (times[1] - times[0])
    after = np.maximum(at - times[-1], 0.0) * (curve[-1] - curve[-2]) / (times[-1] - times[-2])
    return np.asarray(inside + before + after)


def _logit(probability: float) -> float:
    return float(np.log((probability + _SURE) / (1.0 - probability + _SURE)))


_OWN = (
    *("score", "score of static", "score of another", "score of a third"),
    *("score of turn", "score of travel", "together"),
    *("visible", "apart", "certain", "opposing"),
    *("likeliest visible", "likeliest apart", "likeliest certain", "likeliest opposing"),
    *(f"visible by {m}" for m in _MODELS[1:]),
    *("net", "extent", "straight", "score of opposite"),
    *("score of twin", "score of twin's opposite", "twin", "twin's opposite", "apparent"),
)
_SHOT = (
    *(f"model {m}" for m in _MODELS),
    *("doubt of model", "shake", "noise", "depth known", "still_share"),
    *(f"doubt {reason}" for reason in DOUBTS),
    *("explained known", "explained", *(f"explained less {m}" for m in _MODELS)),
)
# Numbers from the estimator about what it could follow; a label must not depend on them.
_TRACKED = ("texture", "points", "moving_share")
LABEL_FEATURES = (*_OWN, *_SHOT, *(f"family {name}" for name in _FAMILIES))
"""Columns of :func:`label_rows`."""
MOMENT_FEATURES = (
    *("rate", "share", "sharp", "typical", "others", "since_start", "to_end", "covered"),
    *(f"{what}_{reach}" for reach in _REACHES for what in ("before", "after", "amount")),
)
"""Columns of :func:`moment_rows`."""
TRUST_FEATURES = (
    *("certain of all", "least margin", "second margin", "third margin", "moves", "static"),
    *("nothing", "shaky", "support", "ambiguous"),
    *("cancelling", "cancelling by rules", "apart from rules", "other labels by rules"),
    *("duration", *_TRACKED, *_SHOT),
)
"""Columns of :func:`trust_row`."""
