"""From tracks to a path: stretches of a shot are solved on keyframes, filled in and chained."""

import itertools
from dataclasses import dataclass, replace

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.bundle import Solution, standing_still
from dollygrip.geometry.observations import Observations, gather
from dollygrip.geometry.rotations import exp, log
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.geometry.twoview import accumulate, fit_steps
from dollygrip.runners.estimators.tracks import Tracks

# How much nearer, in inverse depth, the bottom of a picture is than its middle, before anything is
# known: most cameras stand on a ground. It tips the scale between the two depth orders that small
# motion can hardly tell apart.
GROUND = 0.4
_PAIRS_AT_ONCE = 100


@dataclass(frozen=True, eq=False)
class Stretch:
    """A path through part of a shot, at every frame.

    Attributes:
        rotations: (F, 3, 3) world_from_camera.
        centers: (F, 3) in scene depths.
        log_focals: (F,) log of pixels.
        sigmas: (F, 7) as in ``Trajectory``.
    """

    rotations: FloatArray
    centers: FloatArray
    log_focals: FloatArray
    sigmas: FloatArray


def chain_steps(tracks: Tracks, focal: float) -> FloatArray:
    """(F - 1, 4) turn and zoom from each frame to the next; see ``fit_steps``."""
    pairs = len(tracks.times) - 1
    starts = np.searchsorted(tracks.frame, np.arange(len(tracks.times) + 1))
    steps = np.zeros((pairs, 4))
    # A block of pairs at a time: pairs do not know of each other, and memory must not grow.
    for first in range(0, pairs, _PAIRS_AT_ONCE):
        last = min(first + _PAIRS_AT_ONCE, pairs)
        block = slice(starts[first], starts[last + 1])
        frame, track, xy = tracks.frame[block], tracks.track[block], tracks.xy[block]
        order = np.lexsort((frame, track))
        same = (np.diff(track[order]) == 0) & (np.diff(frame[order]) == 1)
        before, after = order[:-1][same], order[1:][same]
        steps[first:last] = fit_steps(
            frame[before] - first,
            xy[before],
            xy[after],
            pairs=last - first,
            focal=focal,
            scales=np.geomspace(30.0, 1.0, 10) * max(tracks.size) / 480,
        )
    return steps


def split_windows(times: FloatArray, seconds: float) -> list[tuple[int, int]]:
    """First and last frame of equal windows of about ``seconds``; neighbours share a frame."""
    span = float(times[-1] - times[0])
    parts = max(1, round(span / seconds))
    inner = np.searchsorted(times, times[0] + span * np.arange(1, parts) / parts)
    edges = np.unique(np.concatenate([[0], inner, [len(times) - 1]]))
    return [(int(a), int(b)) for a, b in itertools.pairwise(edges)]


def keyframes(steps: FloatArray, first: int, last: int, count: int) -> IntArray:
    """Frames of a window, its ends among them, denser where the picture moves faster."""
    inside = steps[first:last]
    moved = np.linalg.norm(inside[:, :2], axis=1) + 0.3 * np.abs(inside[:, 2:]).sum(axis=1)
    pace = 1.0 / len(inside) + moved / max(float(moved.sum()), 1e-3)
    position = np.concatenate([[0.0], np.cumsum(pace)])
    wanted = np.linspace(0.0, position[-1], min(count, len(position)))
    nearest = np.abs(position[None] - wanted[:, None]).argmin(axis=1)
    return np.asarray(first + np.unique(nearest))


def observe(tracks: Tracks, chosen: IntArray, limit: int) -> Observations:
    """Tracks seen in at least two keyframes, at most about ``limit``; see :func:`gather`."""
    number = np.full(len(tracks.times), -1)
    number[chosen] = np.arange(len(chosen))
    inside = number[tracks.frame] >= 0
    frame, track, xy = number[tracks.frame[inside]], tracks.track[inside], tracks.xy[inside]
    seen, _ = gather(frame, track, xy, frames=len(chosen), limit=limit)
    lower = seen.anchor_xy[:, 1] / (0.5 * tracks.size[1])
    return replace(seen, inverse_depth=1.0 + GROUND * lower)


def chained_start(
    seen: Observations, steps: FloatArray, chosen: IntArray, focal: float
) -> Solution:
    """The chain of turns and zooms at the keyframes."""
    from_first = chosen - chosen[0]
    turns, zooms = accumulate(steps[chosen[0] : chosen[-1]])
    still = standing_still(seen, focal)
    return Solution(
        rotations=turns[from_first],
        centers=still.centers,
        zooms=zooms[from_first],
        focal=focal,
        inverse_depth=still.inverse_depth,
        residual=still.residual,
        energy=still.energy,
        sigmas=still.sigmas,
    )


def fill_in(solution: Solution, chosen: IntArray, steps: FloatArray, focal: float) -> Stretch:
    """The path at every frame between the keyframes.

    Travel and noise are interpolated; turns and zooms follow the chain between neighbouring
    frames, so that shake is kept, bent to pass through the keyframes.
    """
    first, last = int(chosen[0]), int(chosen[-1])
    frames = np.arange(first, last + 1)

    def between(values: FloatArray) -> FloatArray:
        columns = [np.interp(frames, chosen, column) for column in values.T]
        return np.stack(columns, axis=1)

    log_focals = np.interp(frames, chosen, np.log(solution.focal) + solution.zooms)
    if solution.zooms.any():
        own = np.concatenate([[0.0], np.cumsum(steps[first:last, 3])])
        log_focals += own - np.interp(frames, chosen, own[chosen - first])
    # The chain was fitted with the expected focal length: with a longer one its pans are smaller.
    gain = focal / np.exp(log_focals)
    rotations = np.empty((len(frames), 3, 3))
    for k, (a, b) in enumerate(itertools.pairwise(chosen)):
        part = steps[a:b].copy()
        part[:, :2] *= gain[a - first]
        local, _ = accumulate(part)
        miss = log(local[-1].T @ solution.rotations[k].T @ solution.rotations[k + 1])
        share = np.linspace(0.0, 1.0, b - a + 1)[:, None]
        rotations[a - first : b - first + 1] = solution.rotations[k] @ local @ exp(share * miss)
    sigmas = between(solution.sigmas)
    return Stretch(rotations, between(solution.centers), log_focals, sigmas)


def chain(stretches: list[Stretch], tracks: Tracks) -> Trajectory:
    """Stretches end to end; each is in its own scene's depths, which is what a viewer sees."""
    rotations, centers, log_focals, sigmas = (
        stretches[0].rotations,
        stretches[0].centers,
        stretches[0].log_focals,
        stretches[0].sigmas,
    )
    for part in stretches[1:]:
        turn = rotations[-1] @ part.rotations[0].T
        travelled = (part.centers - part.centers[0]) @ turn.T
        rotations = np.concatenate([rotations, (turn @ part.rotations)[1:]])
        centers = np.concatenate([centers, (centers[-1] + travelled)[1:]])
        zoomed = part.log_focals - part.log_focals[0]
        log_focals = np.concatenate([log_focals, (log_focals[-1] + zoomed)[1:]])
        sigmas = np.concatenate([sigmas, np.hypot(part.sigmas, sigmas[-1])[1:]])
    return Trajectory(
        times=tracks.times,
        rotations=rotations,
        centers=centers,
        focals=np.exp(log_focals),
        size=tracks.size,
        valid=np.ones(len(rotations), dtype=np.bool_),
        sigmas=sigmas,
        scene_depth=1.0,
    )


def still_path(tracks: Tracks, focal: float) -> Trajectory:
    """A camera that does not move."""
    n = len(tracks.times)
    still = Stretch(
        np.repeat(np.eye(3)[None], n, axis=0),
        np.zeros((n, 3)),
        np.full(n, np.log(focal)),
        np.zeros((n, 7)),
    )
    return chain([still], tracks)
