"""What the pictures of a shot show by themselves, whatever the camera did: freezes and blur.

A picture blurred by motion has lost detail along the motion and kept it across; one that is soft
or out of focus has lost it alike in all directions. How much detail there is in a direction is
told by how much pixels differ from those a little further on, against those a long way on; that
ratio hardly depends on what is seen.
"""

from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.runners.video import Frame

Image = npt.NDArray[np.uint8]

# A camera that stands still sees noise: 0.07 grey levels and more in the mean, even after heavy
# compression. A codec that repeats one picture is 0.03 off and less.
SAME_GREY = 0.045
# Grey levels (standard deviation) under which a picture shows nothing: black leader, a fade.
_BLANK = 2.5

# Blur is looked for in every second picture, in parts of the picture, since a zoom or a roll blurs
# each part in another direction: columns and rows.
_EVERY = 2
_PARTS = (3, 2)
# Pixels of a 480 px picture from one to the other: shorter than a blur that is seen, and longer.
_NEAR, _FAR = 2, 6
# Squared grey levels: what noise and rounding make, and the least that a part must have to tell.
_NOISE, _PLAIN = 0.5, 20.0
# A move is fast, and blurs, for a part of the shot.
_PERCENTILE = 75


class Appearance:
    """Takes in the pictures of a shot one by one; what it keeps is small."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self._count = 0
        self._anchor: Frame | None = None
        self._longest = (0.0, 0.0)
        self._changes: list[float] = []
        self._blurs: list[float] = []

    def add(self, frame: Frame) -> None:
        """The next picture, grey or RGB."""
        # Against the first of a stretch of equal pictures: what creeps is not frozen.
        change = 0.0 if self._anchor is None else _difference(self._anchor.image, frame.image)
        if change > SAME_GREY:
            self._changes.append(change)
        if self._anchor is None or change > SAME_GREY:
            self._anchor = frame
        seconds = frame.time - self._anchor.time
        if seconds > self._longest[1] and frame.image.std() > _BLANK:
            self._longest = self._anchor.time, seconds
        if self._count % _EVERY == 0:
            blur = directional_blur(frame.image)
            if blur is not None:
                self._blurs.append(blur)
        self._count += 1

    @property
    def still(self) -> bool:
        """Whether all pictures were the same; two may be, of any film."""
        return self._count > 2 and not self._changes

    def diagnostics(self) -> dict[str, Any]:
        """Plain numbers.

        Returns:
            ``change``: grey levels by which a picture that differs from the last one differs,
            median, None where all are the same; ``frozen_seconds``: longest stretch of one and the
            same picture; ``frozen_start``: seconds from the first frame of the clip at which it
            begins, None where there is none; ``blur``: see :func:`directional_blur`, None where
            nothing can tell.
        """
        start, seconds = self._longest
        return {
            "change": round(float(np.median(self._changes)), 3) if self._changes else None,
            "frozen_seconds": round(seconds, 3),
            "frozen_start": round(start, 3) if seconds else None,
            "blur": round(float(np.percentile(self._blurs, _PERCENTILE)), 3)
            if self._blurs
            else None,
        }


def directional_blur(picture: Image) -> float | None:
    """How much less fine detail a picture has along one direction than across it.

    Args:
        picture: (H, W) grey or (H, W, 3) RGB.

    Returns:
        Log ratio, the median of the parts of the picture: 0 for sharp or evenly soft pictures;
        None where no part has enough contrast, or the picture is too small.
    """
    grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    unit = max(height, width) / 480.0
    near, far = (max(1, round(step * unit)) for step in (_NEAR, _FAR))
    columns, rows = (
        np.linspace(0, side, parts + 1).astype(int).tolist()
        for side, parts in zip((width, height), _PARTS, strict=True)
    )
    if min(columns[1], rows[1]) <= 2 * max(far, near + 1):
        return None
    found = []
    for top, bottom in pairwise(rows):
        for left, right in pairwise(columns):
            part = np.asarray(grey[top:bottom, left:right], np.uint8)
            fine, coarse = _contrasts(part, near), _contrasts(part, far)
            if coarse.mean() > _PLAIN:
                kept = np.log((fine + _NOISE) / (coarse + _NOISE))
                found.append(max(abs(kept[0] - kept[1]), abs(kept[2] - kept[3])))
    return float(np.median(found)) if found else None


def _contrasts(grey: Image, step: int) -> npt.NDArray[np.float64]:
    """(4,) mean squared difference of pixels ``step`` apart: across, down, both diagonals."""
    pairs = (
        (grey[:, step:], grey[:, :-step]),
        (grey[step:], grey[:-step]),
        (grey[step:, step:], grey[:-step, :-step]),
        (grey[step:, :-step], grey[:-step, step:]),
    )
    return np.array([cv2.norm(one, two, cv2.NORM_L2SQR) / one.size for one, two in pairs])


def _difference(one: Image, other: Image) -> float:
    """Mean absolute difference in grey levels."""
    return cv2.norm(one, other, cv2.NORM_L1) / one.size
