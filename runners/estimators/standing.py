"""Whether the camera stood still: enough of the picture did, and no travel explains the rest."""

from functools import reduce

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.runners.estimators.stillness import GRID
from dollygrip.runners.estimators.tracks import STILL_LEAST, Tracks

# How far a point may go and still count as still, in pixels of a 480 px picture: so much for errors
# of tracking, and so much a second; the slowest move that a viewer sees is 5 pixels a second.
STILL_PIXELS, STILL_SPEED = 0.3, 0.3
# A cell with corners stands still where this share of them do: the others are on a subject.
STILL_CORNERS = 0.3
# Share of still cells at which a still camera is an even bet, and how sharp that is. A picture
# that is nearly all subject leaves a twentieth; a moving camera leaves next to nothing, ...
STILL_SHARE, STILL_SHARPNESS = 0.045, 0.012
# ... but for the far end of a wide view, which stays put while travel explains the rest: of what
# the best model explains, standing still must explain this share, ...
STILL_EXPLAINED, STILL_EXPLAINED_SHARPNESS = 0.4, 0.03
# ... the less the more of the lower half stands still, where the ground is near and no horizon,
# and nothing from this share of it on.
STILL_ENOUGH = 0.3
# A shot that stands still for most of its time may move in the rest; the lower half may be hidden.
STILL_PERCENTILE, GROUND_PERCENTILE = 25, 40
# Nearly everything that is followed stands still for a moment, and nearly all of that is elsewhere
# a moment later: seconds of a moment, pixels of a 480 px picture that are elsewhere, the two
# shares, and the fewest points that tell.
SETTING_OFF_SECONDS, ELSEWHERE_PIXELS = 0.4, 2.0
STOOD_SHARE, WENT_SHARE, SETTING_OFF_LEAST = 0.8, 0.9, 20
# From this share of still cells on, travel is not searched for.
MUCH_STANDS = 0.14
# A picture in which fewer cells could tell anything (black, or fading) tells nothing.
_LEAST_TOLD = 0.05


def still_share(tracks: Tracks) -> FloatArray:
    """Share of the textured cells that do not move over up to a second, now and then.

    A camera that moves leaves no cell where it was, whatever the scene does; one that stands
    still leaves the cells between the moving subjects. A cell counts as still when its corners
    say so, over whatever part of that second they were seen (a subject covers and uncovers them),
    or its shading where it has none. Cells count by their squared distance from the middle: that
    is where subjects are, and what a zoom, a roll or a dolly moves least.

    Returns:
        (C, 2) shares of the whole picture and of its lower half, 0 to 1.
    """
    cells = tracks.still.shape[1]
    grid = np.array(GRID)
    across, down = ((np.arange(side) + 0.5) / side * 2.0 - 1.0 for side in GRID)
    weight = (across[None, :] ** 2 + down[:, None] ** 2).ravel()
    lower = np.repeat(down > 0.0, len(across))
    at = np.floor((tracks.xy / np.array(tracks.size) + 0.5) * grid).astype(np.intp)
    at = np.clip(at, 0, grid - 1)
    cell = at[:, 1] * grid[0] + at[:, 0]
    time = tracks.times[tracks.frame]
    unit = max(tracks.size) / 480
    starts = np.searchsorted(tracks.frame, np.arange(len(tracks.times) + 1))
    shares = []
    for (before, after), shaded, textured in zip(
        tracks.still_frames, tracks.still, tracks.textured, strict=True
    ):
        inside = np.arange(starts[before], starts[after + 1])
        track = tracks.track[inside]
        first = inside[np.unique(track, return_index=True)[1]]
        last = inside[::-1][np.unique(track[::-1], return_index=True)[1]]
        seconds = time[last] - time[first]
        moved = np.linalg.norm(tracks.xy[last] - tracks.xy[first], axis=1)
        stands = moved < (STILL_PIXELS + STILL_SPEED * seconds) * unit
        told = seconds >= min(STILL_LEAST, tracks.times[after] - tracks.times[before])
        corners = np.bincount(cell[first], minlength=cells)
        followed = np.bincount(cell[first], told, minlength=cells)
        standing = np.bincount(cell[first], told & stands, minlength=cells)
        still = np.where(followed > 0, standing > STILL_CORNERS * followed, shaded)
        telling = weight * (textured | (corners > 0))
        if telling.sum() > _LEAST_TOLD * weight.sum():
            halves = [telling, telling * lower]
            shares.append([half[still].sum() / max(half.sum(), 1e-9) for half in halves])
    # Standing still for most of the time is not standing still.
    return np.array(shares).reshape(-1, 2) * (0.0 if sets_off(tracks) else 1.0)


def sets_off(tracks: Tracks) -> bool:
    """Whether the whole picture stands still and then moves, or moves and then stands still.

    Subjects come and go in front of what stays; only a camera can set everything off at once.
    """
    times = tracks.times
    starts = np.searchsorted(tracks.frame, np.arange(len(times) + 1))
    befores = np.searchsorted(times, times - SETTING_OFF_SECONDS - 1e-6)
    afters = np.searchsorted(times, times + SETTING_OFF_SECONDS - 1e-6)
    for now, (before, after) in enumerate(zip(befores, afters, strict=True)):
        if before == 0 and times[now] - times[0] < SETTING_OFF_SECONDS - 1e-6:
            continue
        if after == len(times):
            break
        shared, places = _seen_in(tracks, starts, (int(before), now, int(after)))
        if shared < SETTING_OFF_LEAST:
            continue
        earlier, later = np.linalg.norm(np.diff(places, axis=0), axis=-1) * 480 / max(tracks.size)
        for still, going in ((earlier, later), (later, earlier)):
            stood = still < STILL_PIXELS + STILL_SPEED * SETTING_OFF_SECONDS
            went = going[stood] > ELSEWHERE_PIXELS
            if stood.mean() > STOOD_SHARE and went.mean() > WENT_SHARE:
                return True
    return False


def _seen_in(tracks: Tracks, starts: IntArray, frames: tuple[int, ...]) -> tuple[int, FloatArray]:
    """How many tracks all frames share, and (frames, tracks, 2) where these are in each."""
    seen = [slice(int(starts[frame]), int(starts[frame + 1])) for frame in frames]
    shared = reduce(np.intersect1d, [tracks.track[part] for part in seen])
    places = []
    for part in seen:
        order = np.argsort(tracks.track[part])
        found = order[np.searchsorted(tracks.track[part], shared, sorter=order)]
        places.append(tracks.xy[part][found])
    return len(shared), np.stack(places)


def much_stands(shares: FloatArray) -> bool:
    """Whether so much stands still all the time that no travel need be searched for."""
    return bool(len(shares)) and float(shares[:, 0].min()) > MUCH_STANDS


def still_probability(shares: FloatArray, explained: float) -> float:
    """Probability that the camera stood still.

    Args:
        shares: (C, 2) of :func:`still_share` over the whole shot.
        explained: What standing still explains of the tracks, as a share of what the best of the
            moving models explains.
    """
    if not len(shares):
        return 0.0
    # Of few pictures too, so many must say so: nothing between two of them counts.
    level = float(np.percentile(shares[:, 0], STILL_PERCENTILE, method="lower"))
    ground = float(np.percentile(shares[:, 1], GROUND_PERCENTILE, method="lower"))
    needed = STILL_EXPLAINED * min(1.0, (STILL_ENOUGH - ground) / (STILL_ENOUGH - STILL_SHARE))
    evidence = min(
        (level - STILL_SHARE) / STILL_SHARPNESS,
        (explained - needed) / STILL_EXPLAINED_SHARPNESS,
    )
    return float(0.5 * (1.0 + np.tanh(0.5 * evidence)))
