"""Whether the camera stood still: enough of the picture did, and no travel explains the rest."""

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.runners.estimators.stillness import GRID
from dollygrip.runners.estimators.tracks import Tracks

# How far a point may be from where it was a second ago and still count as still, pixels of a
# 480 px picture: more than tracking errs, less than the slowest move that a viewer sees.
STILL_PIXELS = 0.6
# Share of still cells at which a still camera is an even bet, and how sharp that is. A picture
# that is nearly all subject leaves a twentieth; a moving camera leaves next to nothing, ...
STILL_SHARE, STILL_SHARPNESS = 0.07, 0.012
# ... but for the far end of a wide view, which stays put while travel explains the rest: of what
# the best model explains, standing still must explain this share, the less the more cells stand
# still, and nothing from this share of cells on.
STILL_EXPLAINED, STILL_EXPLAINED_SHARPNESS = 0.4, 0.03
STILL_ENOUGH = 0.3
# A shot that stands still for most of its time may move in the rest.
STILL_PERCENTILE = 25


def still_share(tracks: Tracks) -> FloatArray:
    """Share of the textured cells that do not move over about a second, now and then.

    A camera that moves leaves no cell where it was, whatever the scene does; one that stands
    still leaves the cells between the moving subjects. A cell counts as still when its corners
    say so, or its shading where it has none. Cells count by their squared distance from the
    middle: that is where subjects are, and what a zoom, a roll or a dolly moves least.

    Returns:
        (C,) values 0 to 1.
    """
    cells = tracks.still.shape[1]
    grid = np.array(GRID)
    across, down = ((np.arange(side) + 0.5) / side * 2.0 - 1.0 for side in GRID)
    weight = (across[None, :] ** 2 + down[:, None] ** 2).ravel()
    at = np.floor((tracks.xy / np.array(tracks.size) + 0.5) * grid).astype(np.intp)
    at = np.clip(at, 0, grid - 1)
    cell = at[:, 1] * grid[0] + at[:, 0]
    limit = STILL_PIXELS * max(tracks.size) / 480
    starts = np.searchsorted(tracks.frame, np.arange(len(tracks.times) + 1))
    shares = []
    for (before, after), shaded, textured in zip(
        tracks.still_frames, tracks.still, tracks.textured, strict=True
    ):
        a = slice(starts[before], starts[before + 1])
        b = slice(starts[after], starts[after + 1])
        _, in_a, in_b = np.intersect1d(tracks.track[a], tracks.track[b], return_indices=True)
        moved = np.linalg.norm(tracks.xy[a][in_a] - tracks.xy[b][in_b], axis=1)
        followed = np.bincount(cell[a][in_a], minlength=cells)
        standing = np.bincount(cell[a][in_a], moved < limit, minlength=cells)
        still = np.where(followed > 0, standing > 0.5 * followed, shaded)
        told = weight * (textured | (np.bincount(cell[a], minlength=cells) > 0))
        shares.append(float(told[still].sum() / max(float(told.sum()), 1e-9)))
    return np.array(shares)


def much_stands(shares: FloatArray) -> bool:
    """Whether so much stands still all the time that no travel need be searched for."""
    return bool(len(shares)) and float(shares.min()) > 2.0 * STILL_SHARE


def still_probability(shares: FloatArray, explained: float) -> float:
    """Probability that the camera stood still.

    Args:
        shares: (C,) of :func:`still_share` over the whole shot.
        explained: What standing still explains of the tracks, as a share of what the best of the
            moving models explains.
    """
    if not len(shares):
        return 0.0
    level = float(np.percentile(shares, STILL_PERCENTILE))
    needed = STILL_EXPLAINED * min(1.0, (STILL_ENOUGH - level) / (STILL_ENOUGH - 2 * STILL_SHARE))
    evidence = min(
        (level - STILL_SHARE) / STILL_SHARPNESS,
        (explained - needed) / STILL_EXPLAINED_SHARPNESS,
    )
    return float(0.5 * (1.0 + np.tanh(0.5 * evidence)))
