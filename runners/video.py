"""Reading video: upright pictures with square pixels, at the times they are shown."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture.

    Attributes:
        index: Number of the frame in its file, in order of presentation.
        time: Seconds from the first frame of the file (presentation time, never index / fps).
        image: (H, W) uint8 grey or (H, W, 3) uint8 RGB; upright, square pixels.
    """

    index: int
    time: float
    image: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class FrameRequest:
    """Which pictures an estimator wants.

    Attributes:
        long_side: Pictures are shrunk (never enlarged) to this long side, in pixels.
        rate: At most about this many pictures a second, evenly by time.
        color: RGB instead of grey.
    """

    long_side: int = 480
    rate: float = 12.0
    color: bool = False
