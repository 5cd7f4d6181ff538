"""Why a clip could not be labelled, or only with doubt: one list of reasons for all code."""

from dataclasses import dataclass
from enum import StrEnum


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
