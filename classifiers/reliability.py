"""How far an answer can be believed, and why a clip could not be labelled or only with doubt."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from dollygrip.classifiers.labels import COMBINED


class Reason(StrEnum):
    """Every reason a record may give."""

    MISSING = "missing"
    NOT_READABLE = "not_readable"
    NO_VIDEO = "no_video"
    DECODE_ERROR = "decode_error"
    TOO_SHORT = "too_short"
    TOO_SMALL = "too_small"
    TOO_LARGE = "too_large"
    FROZEN = "frozen"
    NO_TEXTURE = "no_texture"
    TOO_DARK = "too_dark"
    CUT_INSIDE = "cut_inside"
    FEW_FRAMES_REGISTERED = "few_frames_registered"
    DID_NOT_CONVERGE = "did_not_converge"
    NO_PARALLAX_SCALE = "no_parallax_scale"
    DYNAMIC_SCENE = "dynamic_scene"
    UNCLEAR = "unclear"
    WRONG_CONVENTION = "wrong_convention"
    POSES_DISAGREE = "poses_disagree"
    AMBIGUOUS_ZOOM_DOLLY = "ambiguous_zoom_dolly"
    AMBIGUOUS_PAN_TRUCK = "ambiguous_pan_truck"
    AMBIGUOUS_TILT_PEDESTAL = "ambiguous_tilt_pedestal"
    ESTIMATOR_CRASHED = "estimator_crashed"
    ESTIMATOR_MISSING = "estimator_missing"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"


@dataclass(frozen=True)
class Failure:
    """Why there is no answer.

    Attributes:
        reason: The kind of failure.
        message: One plain sentence: what happened and what to do.
    """

    reason: Reason
    message: str


# Moves that shift the picture alike and differ only in parallax.
LOOKALIKES = {
    ("zoom_in", "dolly_in"): Reason.AMBIGUOUS_ZOOM_DOLLY,
    ("zoom_out", "dolly_out"): Reason.AMBIGUOUS_ZOOM_DOLLY,
    ("pan_left", "truck_left"): Reason.AMBIGUOUS_PAN_TRUCK,
    ("pan_right", "truck_right"): Reason.AMBIGUOUS_PAN_TRUCK,
    ("tilt_up", "pedestal_up"): Reason.AMBIGUOUS_TILT_PEDESTAL,
    ("tilt_down", "pedestal_down"): Reason.AMBIGUOUS_TILT_PEDESTAL,
}

_IN_WORDS = {
    "parallax": "parallax {:.1%} of the picture",
    "depth_spread": "spread of the inverse depths {:.2f} of their median",
    "focal_sigma": "focal length known to {:.1%}",
}

PRESENT = 0.5
"""The score from which on a label is given."""
# What a move scores that would be named if its likelier rival were not.
_NOT_QUITE = 0.49

Weighed = Sequence[tuple[float, Mapping[str, float]]]
"""The probability of each hypothesis with its scores."""


def ambiguous_pairs(weighed: Weighed, comparable: float) -> tuple[tuple[str, str], ...]:
    """Pairs of moves of which the hypotheses see one or the other.

    Args:
        weighed: Probability and scores of each hypothesis.
        comparable: How probable the less probable reading must be.
    """
    return tuple(pair for pair in LOOKALIKES if min(either(pair, weighed)) >= comparable)


def either(pair: tuple[str, str], weighed: Weighed) -> tuple[float, float]:
    """Probability of the hypotheses that see only the first of two moves, and only the second."""
    first, second = pair
    return (
        sum(p for p, s in weighed if s[first] >= PRESENT > s[second]),
        sum(p for p, s in weighed if s[second] >= PRESENT > s[first]),
    )


def likelier_named(
    scores: Mapping[str, float], ambiguous: Sequence[tuple[str, str]]
) -> dict[str, float]:
    """Scores in which, of two moves of which one is there, the likelier one alone is named."""
    named = dict(scores)
    for pair in ambiguous:
        if scores[pair[0]] + scores[pair[1]] >= PRESENT:
            rival, likelier = sorted(pair, key=lambda name: scores[name])
            named[likelier] = max(named[likelier], PRESENT)
            named[rival] = min(named[rival], _NOT_QUITE)
    for name, parts in COMBINED.items():
        named[name] = min(named[name], *(named[part] for part in parts))
    return {name: min(max(score, 0.0), 1.0) for name, score in named.items()}


def unclear_doubt(scores: Mapping[str, float], moves: Sequence[str]) -> Failure:
    """What to say when neither a move nor standing still can be named.

    Args:
        scores: The final scores.
        moves: The moves of which the likeliest is told.
    """
    nearest = max(("static", *moves), key=lambda name: scores[name])
    return Failure(
        Reason.UNCLEAR,
        "The pictures fit neither a clear move nor a camera that stands still; nearest is "
        f"{nearest} ({scores[nearest]:.2f}).",
    )


def ambiguity_doubts(
    pairs: Sequence[tuple[str, str]], weighed: Weighed, parallax: Mapping[str, float | None]
) -> tuple[Failure, ...]:
    """A doubt for each ambiguous pair, with the evidence in numbers.

    Args:
        pairs: Pairs that cannot be told apart.
        weighed: Probability and scores of each hypothesis.
        parallax: ``parallax``, ``depth_spread`` and ``focal_sigma``; None where not known.
    """
    numbers = [
        text.format(value)
        for name, text in _IN_WORDS.items()
        if (value := parallax.get(name)) is not None
    ]
    known = f" ({'; '.join(numbers)})" if numbers else ""
    found = []
    for first, second in pairs:
        alone = either((first, second), weighed)
        message = (
            f"{first} ({alone[0]:.2f}) and {second} ({alone[1]:.2f}) both explain the pictures; "
            f"there is too little parallax to tell{known}."
        )
        found.append(Failure(LOOKALIKES[first, second], message))
    return tuple(found)
