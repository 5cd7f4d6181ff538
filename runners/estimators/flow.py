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
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from dollygrip.runners.estimators import answer
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.pieces import explain
from dollygrip.runners.estimators.tracks import track_pieces
from dollygrip.runners.video import Frame, FrameRequest


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
        if self.long_side < answer.SMALLEST:
            raise ValueError(f"long_side must be at least {answer.SMALLEST}, not {self.long_side}")
        if min(self.rate, self.window) <= 0:
            raise ValueError("rate and window must be positive")
        if self.keyframes < answer.FEWEST_FRAMES or self.tracks < 10:
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
        failure = answer.unusable(pieces)
        return Estimate(
            () if failure else answer.hypotheses(pieces),
            failure,
            diagnostics={} if failure else answer.diagnostics(pieces),
            doubts=() if failure else answer.doubts(pieces),
            seconds=time.perf_counter() - started,
            estimator=self.name,
            settings=asdict(settings),
        )
