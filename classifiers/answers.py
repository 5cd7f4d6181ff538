"""The record of a shot, from scores and the times of its moves: the same for every classifier."""

from collections.abc import Mapping, Sequence
from typing import Any

from dollygrip.classifiers.attributes import attributes
from dollygrip.classifiers.captions import caption
from dollygrip.classifiers.criteria import ThresholdSettings
from dollygrip.classifiers.evidence import Reading, parallax, present
from dollygrip.classifiers.features import DOUBTS, trust_row
from dollygrip.classifiers.labels import COMBINED, DIRECTIONS
from dollygrip.classifiers.network import Network
from dollygrip.classifiers.records import Segment, ShotLabels
from dollygrip.classifiers.reliability import (
    Failure,
    Reason,
    ambiguity_doubts,
    unclear_doubt,
)
from dollygrip.classifiers.segments import Span, holds, overlap, timeline
from dollygrip.classifiers.visibility import TRANSLATIONS

# What a doubt takes off the trust that nobody has learned the weight of.
_DOUBTED = 0.8


def answer(
    readings: Sequence[Reading],
    scores: Mapping[str, float],
    moving: Mapping[str, tuple[Span, ...]],
    *,
    criteria: ThresholdSettings,
    trusting: Network,
    ambiguous: tuple[tuple[str, str], ...],
    start: float,
    end: float,
    doubts: Sequence[Failure],
    diagnostics: dict[str, Any],
) -> ShotLabels:
    """Everything that is said of a shot.

    Args:
        readings: The explanations of the shot, likeliest first.
        scores: 0 to 1 for every label.
        moving: When each of the signed moves that are present happens.
        criteria: What it takes to see a move.
        trusting: How likely such an answer is right, from a row of trust features.
        ambiguous: Pairs that cannot be told apart.
        start: Start of the shot, seconds from the first frame of the clip.
        end: End of the shot, seconds from the first frame of the clip.
        doubts: What the estimator doubts.
        diagnostics: Numbers from the estimator.
    """
    labels = present(scores)
    segments = _segments(readings[0], labels, scores, moving, start, end, criteria)
    # The likeliest explanation that says what the answer says.
    chosen = max(readings, key=lambda r: (r.labels == labels, r.probability)).motion
    told = attributes(chosen, labels, segments, criteria.thresholds, diagnostics)
    told |= parallax(readings, diagnostics)
    row = trust_row(
        readings,
        scores,
        duration=end - start,
        ambiguous=ambiguous,
        doubts=doubts,
        diagnostics=diagnostics,
    )
    others = [doubt for doubt in doubts if doubt.reason not in DOUBTS]
    weighed = [(reading.probability, reading.scores) for reading in readings]
    doubts = (*doubts, *ambiguity_doubts(ambiguous, weighed, told), *_scale_doubt(readings[0]))
    if not labels:
        doubts = (*doubts, unclear_doubt(scores, DIRECTIONS))
    return ShotLabels(
        start=start,
        end=end,
        labels=labels,
        scores=dict(scores),
        segments=segments,
        ambiguous=ambiguous,
        trust=float(trusting.probabilities(row[None])[0]) * _DOUBTED ** len(others),
        doubts=doubts,
        attributes=told,
        caption=caption(
            labels,
            segments,
            ambiguous,
            told["speed"],
            told["steadiness"],
            speeds=told["speeds"],
            complexity=told["complexity"],
        ),
        diagnostics=diagnostics,
    )


def _scale_doubt(reading: Reading) -> tuple[Failure, ...]:
    """A path of unknown scale has directions, but "far" and "hardly" mean nothing in it."""
    if reading.depth_known or not reading.motion.position[:, TRANSLATIONS].any():
        return ()
    message = "The depth of the scene is not known, so neither is what the travel means in it."
    return (Failure(Reason.NO_PARALLAX_SCALE, message),)


def _segments(
    likeliest: Reading,
    labels: Sequence[str],
    scores: Mapping[str, float],
    moving: Mapping[str, tuple[Span, ...]],
    start: float,
    end: float,
    criteria: ThresholdSettings,
) -> tuple[Segment, ...]:
    if "static" in labels:
        return (Segment("static", start, end, scores["static"]),)
    rules, spans = criteria.segments, dict(moving)
    if "shaky" in labels:
        spans["shaky"] = (Span(start, end),)
    else:
        busy = tuple(span for stretches in moving.values() for span in stretches)
        unseen = criteria.still_share * criteria.thresholds
        spans["static"] = holds(likeliest.motion, busy, unseen, rules)
    for name, (first, second) in COMBINED.items():
        if name in labels:
            spans[name] = overlap(moving.get(first, ()), moving.get(second, ()), rules.shortest)
    return timeline(spans, scores, start=start, end=end, snap=rules.gap)
