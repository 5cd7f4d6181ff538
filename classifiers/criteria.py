"""When a move is named: the numbers."""

from dataclasses import dataclass, field, fields

import numpy as np

from dollygrip.classifiers.segments import SegmentSettings
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES


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
