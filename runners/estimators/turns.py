"""Whether matched pictures differ by no more than a turn of the camera, or a turn and a zoom.

Structure from motion that is given the wrong focal length takes a pan for travel, with thousands
of points and small errors; and what a zoom does, a dolly before a flat scene does as well. So this
is asked first, of the matches themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dollygrip.geometry.arrays import FloatArray

# Focal lengths that are tried, as multiples of what is expected.
_TRIED = np.exp(np.linspace(-0.6, 0.5, 23))
# Pixels of a picture 480 wide. Rendered turns have 1.3 and less, slow travel 2.8 and more.
_EXPLAINED, _SURELY_EXPLAINED, _NEARLY_EXPLAINED = 2.2, 1.3, 4.0
# Another focal length must lower the error to this share.
_BETTER = 0.8
# The same for turn and zoom: most rendered zooms have 1.2 and less, slow dollies 2.4 and more.
_ZOOM_EXPLAINED = 2.0
# Pairs of pictures that are looked at.
_PAIRS = 60
# Rounds of fitting turn and growth in turns.
_ROUNDS = 3


@dataclass(frozen=True, eq=False)
class Pair:
    """Points matched between two pictures.

    Attributes:
        first: Number of the earlier picture.
        second: Number of the later picture.
        xy_first: (M, 2) pixels from the middle of the picture, x right, y down.
        xy_second: (M, 2) likewise.
    """

    first: int
    second: int
    xy_first: FloatArray
    xy_second: FloatArray


@dataclass(frozen=True)
class Turn:
    """How well turns alone explain some pictures.

    Attributes:
        focal: The focal length that does it best, pixels; the expected one unless another is
            clearly better.
        error: Pixels that nine in ten points are closer to where the turn puts them, in most pairs.
        zoom_error: The same where the camera may zoom, too.
        explains: Whether turns are enough.
        nearly_explains: Whether what turns leave is so little that it may be a hand's sway.
        zoom_explains: Whether turns and zooms are enough.
    """

    focal: float
    error: float
    zoom_error: float
    explains: bool
    nearly_explains: bool
    zoom_explains: bool


def unit_of(long_side: int) -> float:
    """How many pixels of a picture count as one of a picture 480 wide.

    In smaller ones features lie as many pixels off.
    """
    return max(1.0, long_side / 480)


def best_turn(pairs: Sequence[Pair], focal: float, long_side: int) -> Turn:
    """Explain pairs of pictures by turns of a camera with one focal length.

    Args:
        pairs: At least one.
        focal: The expected focal length, pixels.
        long_side: Of the pictures, pixels.
    """
    unit = unit_of(long_side)
    some = _apart(pairs)
    error = _error(some, focal)
    others = [_error(some, float(other)) for other in focal * _TRIED]
    best = int(np.argmin(others))
    # Travel along a flat wall looks the more like a turn, the longer the lens.
    longest = best == len(others) - 1
    if not longest and others[best] < min(_BETTER * error, _SURELY_EXPLAINED * unit):
        focal, error = float(focal * _TRIED[best]), others[best]
    zoom_error = _error(some, focal, zooms=True)
    return Turn(
        focal=focal,
        error=error,
        zoom_error=zoom_error,
        explains=error < _EXPLAINED * unit,
        nearly_explains=error < _NEARLY_EXPLAINED * unit,
        zoom_explains=zoom_error < _ZOOM_EXPLAINED * unit,
    )


def residuals(pair: Pair, focal: float, *, zooms: bool = False) -> FloatArray:
    """(M,) pixels between points and where the best turn of the camera puts them."""
    rays = _rays(pair.xy_first, focal)
    growth = 1.0
    for _ in range(_ROUNDS if zooms else 1):
        seen = _rays(pair.xy_second, growth * focal)
        # The rotation between two bundles of rays (Kabsch).
        left, _, right = np.linalg.svd(seen.T @ rays)
        sign = np.sign(np.linalg.det(left @ right))
        turned = rays @ (left @ np.diag([1.0, 1.0, sign]) @ right).T
        xy = focal * turned[:, :2] / np.maximum(turned[:, 2:], 1e-3)
        if zooms:
            growth = max(float((xy * pair.xy_second).sum() / (xy * xy).sum()), 1e-3)
    return np.asarray(np.linalg.norm(growth * xy - pair.xy_second, axis=1))


def _error(pairs: Sequence[Pair], focal: float, *, zooms: bool = False) -> float:
    # Median over the pairs: some follow a subject.
    return float(
        np.median([np.quantile(residuals(pair, focal, zooms=zooms), 0.9) for pair in pairs])
    )


def _apart(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs that are farthest apart in time, which tell most."""
    order = sorted(pairs, key=lambda pair: pair.first - pair.second)
    half = order[: max(1, len(order) // 2)]
    return half[:: -(-len(half) // _PAIRS)]


def _rays(xy: FloatArray, focal: float) -> FloatArray:
    """(M, 3) unit vectors."""
    rays = np.column_stack([xy / focal, np.ones(len(xy))])
    return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))
