"""What each explanation of a shot shows, against what it takes to name a move."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dollygrip.classifiers.criteria import ThresholdSettings
from dollygrip.classifiers.labels import BY_NAME, COMBINED, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.reliability import PRESENT, Failure, Reason
from dollygrip.classifiers.visibility import TRANSLATIONS, VisibleMotion, visible_motion
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.trajectory import Hypothesis

# Half a pixel of a picture 480 wide; keeps logarithms finite where nothing moves at all.
_FLOOR = 0.001
# What ``static`` scores where nothing is known: just not enough to be said.
_UNKNOWN = 0.45


@dataclass(frozen=True, eq=False)
class Evidence:
    """How far each direction is beyond what hides it, under one explanation of the shot.

    All are (7, 2): axes in the order of ``AXES``, and along each its positive and its negative
    direction. The last four are natural logarithms.

    Attributes:
        amount: How much of it there is, in picture sizes.
        visible: Against the least amount that is named.
        apart: Against the share of the shot's other moves below which it is a by-product.
        certain: Against the estimator's own uncertainty.
        opposing: How much further the shot goes the other way.
    """

    amount: FloatArray
    visible: FloatArray
    apart: FloatArray
    certain: FloatArray
    opposing: FloatArray


@dataclass(frozen=True, eq=False)
class Reading:
    """One explanation of a shot, seen and scored.

    Attributes:
        model: What may move in it.
        probability: Those of a shot sum to 1.
        motion: What a viewer would see.
        evidence: What speaks for each direction.
        scores: 0 to 1 for every label, if this explanation is right.
        depth_known: Whether the scene's depth is, so that "far" means something.
    """

    model: str
    probability: float
    motion: VisibleMotion
    evidence: Evidence
    scores: Mapping[str, float]
    depth_known: bool

    @property
    def labels(self) -> tuple[str, ...]:
        """What would be named."""
        return present(self.scores)


def read(hypotheses: Sequence[Hypothesis], criteria: ThresholdSettings) -> list[Reading] | Failure:
    """All usable explanations of a shot, likeliest first; or why there is none."""
    usable = [h for h in hypotheses if h.trajectory.valid.sum() >= 2 and h.probability > 0]
    if not usable:
        return Failure(Reason.FEW_FRAMES_REGISTERED, "Fewer than two frames have a camera pose.")
    motions = [visible_motion(h.trajectory) for h in usable]
    if not all(motion.is_finite() for motion in motions):
        return Failure(Reason.DID_NOT_CONVERGE, "The camera path has values that are not finite.")
    total = sum(h.probability for h in usable)
    readings = []
    for hypothesis, motion in zip(usable, motions, strict=True):
        evidence = _evidence(motion, criteria)
        readings.append(
            Reading(
                model=hypothesis.model,
                probability=hypothesis.probability / total,
                motion=motion,
                evidence=evidence,
                scores=_scores(motion, evidence, criteria),
                depth_known=hypothesis.trajectory.scene_depth > 0,
            )
        )
    return readings


def mixed(readings: Sequence[Reading]) -> dict[str, float]:
    """The expected score of every label, over the explanations."""
    return {d.name: sum(r.probability * r.scores[d.name] for r in readings) for d in DEFINITIONS}


def parallax(
    readings: Sequence[Reading], diagnostics: Mapping[str, Any]
) -> dict[str, float | None]:
    """What there is to tell a turn from a travel and a zoom from a dolly by.

    Args:
        readings: The explanations of a shot, likeliest first.
        diagnostics: Numbers from the estimator.

    Returns:
        ``depth_spread`` as the estimator says; ``parallax``, how far near things shift past far
        ones under the likeliest explanation that travels, in picture sizes; ``focal_sigma``, one
        standard deviation of the log focal length at the end under the likeliest explanation that
        states one. None where not known.
    """
    spread = diagnostics.get("depth_spread")
    travels = (float(r.motion.extent[TRANSLATIONS].max()) for r in readings)
    travel = next((amount for amount in travels if amount > 0.0), 0.0)
    zoom = AXES.index("zoom")
    sigmas = (float(r.motion.sigmas[zoom] / r.motion.units[zoom]) for r in readings)
    sigma = next((value for value in sigmas if value > 0.0), None)
    return {
        "parallax": None if spread is None else round(spread * travel, 4),
        "depth_spread": spread,
        "focal_sigma": None if sigma is None else round(sigma, 4),
    }


def present(scores: Mapping[str, float]) -> tuple[str, ...]:
    """The labels that scores give: a camera that moves does not stand still."""
    names = [d.name for d in DEFINITIONS if scores[d.name] >= PRESENT]
    moves = [name for name in names if name != "static"]
    return tuple(moves or names)


def together(motion: VisibleMotion, turn: str, travel: str, criteria: ThresholdSettings) -> float:
    """Log of how far two moves are beyond the border of being one: at the same time, in proportion.

    A camera at one scene depth from its subject travels one depth for a radian of turn; a dolly
    zoom travels one depth for one unit of log focal length.

    Args:
        motion: What a viewer sees.
        turn: The label of the turn or zoom.
        travel: The label of the travel.
        criteria: What it takes.
    """
    rates = [_forward(motion, name) for name in (turn, travel)]
    turned, travelled = (float(np.trapezoid(rate, motion.times)) for rate in rates)
    at_once = float(np.trapezoid(np.sqrt(rates[0] * rates[1]), motion.times))
    low, high = sorted((turned, travelled))
    both = float(np.sqrt(turned * travelled))
    ratios = (
        (at_once + _FLOOR) / (criteria.combined + _FLOOR),
        (at_once + _FLOOR) / (criteria.combined_share * both + _FLOOR),
        criteria.combined_ratio * (low + _FLOOR) / (high + _FLOOR),
    )
    return float(np.log(min(ratios)))


def _scores(
    motion: VisibleMotion, evidence: Evidence, criteria: ThresholdSettings
) -> dict[str, float]:
    """0 to 1 for every label under one explanation."""
    beyond = (
        np.minimum(np.minimum(evidence.visible, evidence.apart), evidence.certain)
        - criteria.opposing_weight * evidence.opposing
    )
    by_name = {
        name: float(beyond[AXES.index(d.axis), 0 if d.sign > 0 else 1])
        for name, d in ((name, BY_NAME[name]) for name in DIRECTIONS)
    }
    for name, parts in COMBINED.items():
        at_once = together(motion, *parts, criteria)
        by_name[name] = min(at_once, *(by_name[part] for part in parts))
    by_name["shaky"] = float(np.log((motion.shake + 1e-5) / (criteria.shake + 1e-5)))
    scores = {name: _logistic(criteria.slope * value) for name, value in by_name.items()}

    seen = _believed(motion.extent.max(axis=1), motion, criteria)
    stir = max(
        float((seen / (criteria.still_share * criteria.thresholds)).max()),
        motion.shake / criteria.still_shake,
    )
    still = _logistic(-criteria.slope * float(np.log(stir + _FLOOR)))
    still = min(still, 1.0 - max(scores[name] for name in DIRECTIONS))
    # A camera that seems to stand still in much noise may as well not, and is not said to.
    doubt = float((criteria.sigmas * motion.sigmas / criteria.thresholds).max())
    scores["static"] = min(still, _UNKNOWN + (still - _UNKNOWN) / (1.0 + doubt**2))
    return scores


def _evidence(motion: VisibleMotion, criteria: ThresholdSettings) -> Evidence:
    net = np.stack([motion.net, -motion.net], axis=1)
    # A hand that sways goes to and fro: what counts is the part of the way that leads somewhere.
    path = motion.path[:, None] + _FLOOR
    straight = np.maximum(net, 0.0) * (np.maximum(net, 0.0) / path) ** criteria.straight
    carried = motion.extent * (motion.extent / path) ** criteria.straight
    amount = np.maximum(straight, criteria.undone_weight * carried)
    least = criteria.thresholds[:, None]
    believed = _believed(amount.T, motion, criteria).T

    depths = motion.units[:, None]
    travels = np.where(TRANSLATIONS[:, None], believed / depths, 0.0).max(axis=1)
    moves = np.minimum((believed / least).max(axis=1), criteria.turn_cap)
    others = np.where(
        TRANSLATIONS[:, None],
        criteria.travel_share * _largest_other(travels)[:, None] * depths,
        criteria.turn_share * _largest_other(moves)[:, None] * least,
    )
    noise = criteria.sigmas * motion.sigmas[:, None]
    return Evidence(
        amount=amount,
        visible=_log_ratio(amount, least),
        apart=_log_ratio(amount, others),
        certain=_log_ratio(amount, noise),
        opposing=np.log1p(np.maximum(-net, 0.0) / least),
    )


def _log_ratio(amount: FloatArray, other: FloatArray) -> FloatArray:
    return np.asarray(np.log((amount + _FLOOR) / (other + _FLOOR)))


def _believed(amount: FloatArray, motion: VisibleMotion, criteria: ThresholdSettings) -> FloatArray:
    """What is left of amounts (..., 7) after what noise alone could make."""
    return np.sqrt(np.maximum(amount**2 - (criteria.sigmas * motion.sigmas) ** 2, 0.0))


def _forward(motion: VisibleMotion, name: str) -> FloatArray:
    """(N,) rate in the direction of a label: radians, scene depths or log focal a second."""
    axis, sign = AXES.index(BY_NAME[name].axis), BY_NAME[name].sign
    rate = np.maximum(sign * motion.rates[:, axis] / motion.units[axis], 0.0)
    return np.asarray(np.radians(rate) if AXES[axis] in ("pan", "tilt", "roll") else rate)


def _largest_other(values: FloatArray) -> FloatArray:
    """For each value the largest of the others."""
    return np.array([np.delete(values, i).max() for i in range(len(values))])


def _logistic(value: float) -> float:
    return float(0.5 * (1.0 + np.tanh(0.5 * value)))
