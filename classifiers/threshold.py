"""The threshold classifier: a move is named when a viewer would see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from dollygrip.classifiers.attributes import attributes
from dollygrip.classifiers.base import failed
from dollygrip.classifiers.captions import caption
from dollygrip.classifiers.labels import BY_NAME, COMBINED, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.records import Segment, ShotLabels
from dollygrip.classifiers.reliability import (
    PRESENT,
    Failure,
    Reason,
    ambiguity_doubts,
    ambiguous_pairs,
    trust,
    unclear_doubt,
)
from dollygrip.classifiers.segments import (
    SegmentSettings,
    Span,
    axis_spans,
    holds,
    overlap,
    timeline,
)
from dollygrip.classifiers.visibility import TRANSLATIONS, VisibleMotion, visible_motion
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import Hypothesis

# Half a pixel of a picture 480 wide; keeps logarithms finite where nothing moves at all.
_FLOOR = 0.001
# What ``static`` scores where nothing is known: just not enough to be said.
_UNKNOWN = 0.45


@dataclass(frozen=True)
class ThresholdSettings:
    """When a move is named. Amounts are fractions of the picture's long side.

    Attributes:
        shift: Pan, tilt, truck, pedestal: least amount that is named. 0.03 is a pan of 1.7 degrees.
        swell: Roll, dolly, zoom, to which people are more sensitive: 0.0125 is a roll of 2.9
            degrees or a growth by 5 percent.
        travel_share: A translation below this share of the largest one (in scene depths) is a
            slant of it: 0.3 is a heading 17 degrees off.
        turn_share: A turn or zoom below this share of the clip's main move (both as multiples of
            their least amount) is an accompaniment.
        turn_cap: From this multiple of the least amount on, a main move hides no more: a zoom
            during a full turn is still a zoom.
        undone_weight: What counts of a move that the same shot takes back.
        straight: How much going to and fro takes off a move: 0 for nothing, 1 for in proportion
            to the detour.
        opposing_weight: How much a net move to the other side lowers a score: settling after a
            move is not the opposite move.
        slope: Steepness of the scores: 1.5 gives 0.74 at twice the least amount.
        sigmas: Amounts below this many standard deviations are not believed.
        combined: Least turn of an arc or crane move in radians, least log growth of a dolly zoom.
        combined_share: How much of two moves must be at the same time to be one.
        combined_ratio: Travel (scene depths) and turn (radians) of an arc may differ by this
            factor either way: the subject may be nearer or farther than the scene.
        shake: Shake that is named, in picture sizes.
        still_share: Below this share of the least amount a viewer sees no motion.
        still_shake: Below this a viewer sees no shake.
        comparable: Probability from which on a second reading makes the first ambiguous.
        segments: How rates become stretches of time.
    """

    shift: float = 0.03
    swell: float = 0.0125
    travel_share: float = 0.3
    turn_share: float = 0.3
    turn_cap: float = 10.0
    undone_weight: float = 0.7
    straight: float = 1.0
    opposing_weight: float = 0.5
    slope: float = 1.5
    sigmas: float = 2.0
    combined: float = 0.1
    combined_share: float = 0.4
    combined_ratio: float = 4.0
    shake: float = 0.004
    still_share: float = 0.5
    still_shake: float = 0.002
    comparable: float = 0.2
    segments: SegmentSettings = field(default_factory=SegmentSettings)

    def __post_init__(self) -> None:
        """Every number must be positive: they are compared by their ratios."""
        for setting in fields(self):
            value = getattr(self, setting.name)
            if isinstance(value, float) and not 0.0 < value < float("inf"):
                raise ValueError(f"{setting.name} must be positive, not {value}")

    @property
    def thresholds(self) -> FloatArray:
        """(7,) least amounts; columns follow ``AXES``."""
        swelling = ("roll", "dolly", "zoom")
        return np.array([self.swell if axis in swelling else self.shift for axis in AXES])


@dataclass(frozen=True, eq=False)
class _Reading:
    """One hypothesis, seen and scored."""

    probability: float
    motion: VisibleMotion
    scores: Mapping[str, float]
    depth_known: bool

    @property
    def labels(self) -> tuple[str, ...]:
        return _present(self.scores)


@dataclass(frozen=True)
class ThresholdClassifier:
    """Names the moves that a viewer would see; see :class:`ThresholdSettings`."""

    settings: ThresholdSettings = field(default_factory=ThresholdSettings)

    @property
    def name(self) -> str:
        """Name in the registry."""
        return "threshold"

    def classify(
        self,
        hypotheses: Sequence[Hypothesis],
        *,
        start: float,
        end: float,
        doubts: Sequence[Failure] = (),
        diagnostics: Mapping[str, Any] | None = None,
    ) -> ShotLabels:
        """Label one shot; see :class:`dollygrip.classifiers.base.Classifier`."""
        readings = _readings(hypotheses, self.settings)
        if isinstance(readings, Failure):
            return failed(readings, start=start, end=end, doubts=doubts, diagnostics=diagnostics)
        weighed = [(reading.probability, reading.scores) for reading in readings]
        ambiguous = ambiguous_pairs(weighed, self.settings.comparable)
        scores = _mix(weighed, ambiguous)
        labels = _present(scores)
        segments = _segments(readings, labels, scores, start, end, self.settings)
        # The likeliest hypothesis that says what the answer says.
        chosen = max(readings, key=lambda r: (r.labels == labels, r.probability)).motion
        told = attributes(chosen, labels, segments, self.settings.thresholds)
        doubts = (*doubts, *ambiguity_doubts(ambiguous), *_scale_doubt(readings[0]))
        if not labels:
            doubts = (*doubts, unclear_doubt(scores, DIRECTIONS))
        return ShotLabels(
            start=start,
            end=end,
            labels=labels,
            scores=scores,
            segments=segments,
            ambiguous=ambiguous,
            trust=trust(
                scores,
                support=sum(r.probability for r in readings if r.labels == labels),
                noise=float((chosen.sigmas / self.settings.thresholds).max()),
                doubts=doubts,
            ),
            doubts=doubts,
            attributes=told,
            caption=caption(labels, segments, ambiguous, told["speed"], told["steadiness"]),
            diagnostics=dict(diagnostics or {}),
        )


def _readings(
    hypotheses: Sequence[Hypothesis], settings: ThresholdSettings
) -> list[_Reading] | Failure:
    usable = [h for h in hypotheses if h.trajectory.valid.sum() >= 2 and h.probability > 0]
    if not usable:
        return Failure(Reason.FEW_FRAMES_REGISTERED, "Fewer than two frames have a camera pose.")
    total = sum(h.probability for h in usable)
    lost = Failure(Reason.DID_NOT_CONVERGE, "The camera path has values that are not finite.")
    motions = [visible_motion(h.trajectory) for h in usable]
    if not all(motion.is_finite() for motion in motions):
        return lost
    return [
        _Reading(
            probability=h.probability / total,
            motion=motion,
            scores=_scores(motion, settings),
            depth_known=h.trajectory.scene_depth > 0,
        )
        for h, motion in zip(usable, motions, strict=True)
    ]


def _scale_doubt(reading: _Reading) -> tuple[Failure, ...]:
    """A path of unknown scale has directions, but "far" and "hardly" mean nothing in it."""
    if reading.depth_known or not reading.motion.position[:, TRANSLATIONS].any():
        return ()
    message = "The depth of the scene is not known, so neither is what the travel means in it."
    return (Failure(Reason.NO_PARALLAX_SCALE, message),)


def _mix(
    weighed: Sequence[tuple[float, Mapping[str, float]]], ambiguous: Sequence[tuple[str, str]]
) -> dict[str, float]:
    """The expected score; of two moves of which one is there, the likelier one is named."""
    mixed = {d.name: sum(p * scores[d.name] for p, scores in weighed) for d in DEFINITIONS}
    for pair in ambiguous:
        likelier = max(pair, key=lambda name: mixed[name])
        if mixed[pair[0]] + mixed[pair[1]] >= PRESENT:
            mixed[likelier] = max(mixed[likelier], PRESENT)
    return {name: min(max(score, 0.0), 1.0) for name, score in mixed.items()}


def _present(scores: Mapping[str, float]) -> tuple[str, ...]:
    names = [d.name for d in DEFINITIONS if scores[d.name] >= PRESENT]
    moves = [name for name in names if name != "static"]
    return tuple(moves or names)


def _scores(motion: VisibleMotion, settings: ThresholdSettings) -> dict[str, float]:
    """0 to 1 for every label under one hypothesis."""
    # Columns: positive and negative direction.
    extent = np.stack([_largest_rise(motion.position), _largest_rise(-motion.position)], axis=1)
    evidence = _evidence(motion, extent, settings)
    by_name = {
        name: float(evidence[AXES.index(d.axis), 0 if d.sign > 0 else 1])
        for name, d in ((name, BY_NAME[name]) for name in DIRECTIONS)
    }
    for name, parts in COMBINED.items():
        together = _together(motion, *parts, settings)
        by_name[name] = min(together, *(by_name[part] for part in parts))
    by_name["shaky"] = float(np.log((motion.shake + 1e-5) / (settings.shake + 1e-5)))
    scores = {name: _logistic(settings.slope * value) for name, value in by_name.items()}

    seen = _believed(extent.max(axis=1), motion, settings)
    stir = max(
        float((seen / (settings.still_share * settings.thresholds)).max()),
        motion.shake / settings.still_shake,
    )
    still = _logistic(-settings.slope * float(np.log(stir + _FLOOR)))
    still = min(still, 1.0 - max(scores[name] for name in DIRECTIONS))
    # A camera that seems to stand still in much noise may as well not, and is not said to.
    doubt = float((settings.sigmas * motion.sigmas / settings.thresholds).max())
    scores["static"] = min(still, _UNKNOWN + (still - _UNKNOWN) / (1.0 + doubt**2))
    return scores


def _evidence(motion: VisibleMotion, extent: FloatArray, settings: ThresholdSettings) -> FloatArray:
    """(7, 2) log of how far each direction is beyond the border of being named."""
    net = np.stack([motion.net, -motion.net], axis=1)
    # A hand that sways goes to and fro: what counts is the part of the way that leads somewhere.
    path = np.abs(np.diff(motion.position, axis=0)).sum(axis=0)[:, None] + _FLOOR
    straight = np.maximum(net, 0.0) * (np.maximum(net, 0.0) / path) ** settings.straight
    carried = extent * (extent / path) ** settings.straight
    amount = np.maximum(straight, settings.undone_weight * carried)
    least = settings.thresholds[:, None]
    believed = _believed(amount.T, motion, settings).T

    depths = motion.units[:, None]
    travels = np.where(TRANSLATIONS[:, None], believed / depths, 0.0).max(axis=1)
    moves = np.minimum((believed / least).max(axis=1), settings.turn_cap)
    rivals = (
        least,
        np.where(
            TRANSLATIONS[:, None],
            settings.travel_share * _largest_other(travels)[:, None] * depths,
            settings.turn_share * _largest_other(moves)[:, None] * least,
        ),
        settings.sigmas * motion.sigmas[:, None],
    )
    beyond = np.min([np.log((amount + _FLOOR) / (rival + _FLOOR)) for rival in rivals], axis=0)
    opposing = np.log1p(np.maximum(-net, 0.0) / least)
    return np.asarray(beyond - settings.opposing_weight * opposing)


def _believed(amount: FloatArray, motion: VisibleMotion, settings: ThresholdSettings) -> FloatArray:
    """What is left of amounts (..., 7) after what noise alone could make."""
    return np.sqrt(np.maximum(amount**2 - (settings.sigmas * motion.sigmas) ** 2, 0.0))


def _together(motion: VisibleMotion, turn: str, travel: str, settings: ThresholdSettings) -> float:
    """Log of how far two moves are beyond the border of being one: at the same time, in proportion.

    A camera at one scene depth from its subject travels one depth for a radian of turn; a dolly
    zoom travels one depth for one unit of log focal length.
    """
    rates = [_forward(motion, name) for name in (turn, travel)]
    turned, travelled = (float(np.trapezoid(rate, motion.times)) for rate in rates)
    at_once = float(np.trapezoid(np.sqrt(rates[0] * rates[1]), motion.times))
    low, high = sorted((turned, travelled))
    both = float(np.sqrt(turned * travelled))
    ratios = (
        (at_once + _FLOOR) / (settings.combined + _FLOOR),
        (at_once + _FLOOR) / (settings.combined_share * both + _FLOOR),
        settings.combined_ratio * (low + _FLOOR) / (high + _FLOOR),
    )
    return float(np.log(min(ratios)))


def _forward(motion: VisibleMotion, name: str) -> FloatArray:
    """(N,) rate in the direction of a label: radians, scene depths or log focal a second."""
    axis, sign = AXES.index(BY_NAME[name].axis), BY_NAME[name].sign
    rate = np.maximum(sign * motion.rates[:, axis] / motion.units[axis], 0.0)
    return np.asarray(np.radians(rate) if AXES[axis] in ("pan", "tilt", "roll") else rate)


def _largest_other(values: FloatArray) -> FloatArray:
    """For each value the largest of the others."""
    return np.array([np.delete(values, i).max() for i in range(len(values))])


def _largest_rise(position: FloatArray) -> FloatArray:
    """(7,) the most that each axis gains between two moments."""
    return np.asarray((position - np.minimum.accumulate(position, axis=0)).max(axis=0))


def _logistic(value: float) -> float:
    return float(0.5 * (1.0 + np.tanh(0.5 * value)))


def _segments(
    readings: Sequence[_Reading],
    labels: tuple[str, ...],
    scores: Mapping[str, float],
    start: float,
    end: float,
    settings: ThresholdSettings,
) -> tuple[Segment, ...]:
    if "static" in labels:
        return (Segment("static", start, end, scores["static"]),)
    rules = settings.segments
    spans: dict[str, tuple[Span, ...]] = {}
    for axis, axis_name in enumerate(AXES):
        wanted = {BY_NAME[name].sign: name for name in labels if BY_NAME[name].axis == axis_name}
        if wanted:
            teller = max(
                readings, key=lambda r: r.probability * max(r.scores[n] for n in wanted.values())
            )
            found = axis_spans(teller.motion, axis, tuple(wanted), rules)
            spans.update({wanted[sign]: stretches for sign, stretches in found.items()})
    if "shaky" not in labels:
        moving = tuple(span for stretches in spans.values() for span in stretches)
        unseen = settings.still_share * settings.thresholds
        spans["static"] = holds(readings[0].motion, moving, unseen, rules)
    for name, (first, second) in COMBINED.items():
        if name in labels:
            spans[name] = overlap(spans.get(first, ()), spans.get(second, ()), rules.shortest)
    if "shaky" in labels:
        spans["shaky"] = (Span(start, end),)
    return timeline(spans, scores, start=start, end=end, snap=rules.gap)
