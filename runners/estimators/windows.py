"""From tracks to a path: pieces of a shot are solved on keyframes, filled in and chained."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
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

    def held(self, before: int, after: int) -> "Stretch":
        """The path with frames put before and after it, at which the camera waits."""
        number = np.clip(np.arange(-before, len(self.centers) + after), 0, len(self.centers) - 1)
        return Stretch(*(getattr(self, f.name)[number] for f in fields(self)))

    def trajectory(self, times: FloatArray, size: tuple[int, int], valid: BoolArray) -> Trajectory:
        """The path at (F,) ``times`` (seconds) in pictures of ``size``, width and height."""
        return Trajectory(
            times=times,
            rotations=self.rotations,
            centers=self.centers,
            focals=np.exp(self.log_focals),
            size=size,
            valid=valid,
            sigmas=self.sigmas,
            scene_depth=1.0,
        )


def chain_steps(tracks: Tracks, focal: float) -> FloatArray:
    """(F - 1, 4) turn and zoom from each frame to the next; see ``fit_steps``."""
    order = np.lexsort((tracks.frame, tracks.track))
    frame, track, xy = tracks.frame[order], tracks.track[order], tracks.xy[order]
    same = np.flatnonzero((np.diff(track) == 0) & (np.diff(frame) == 1))
    return fit_steps(
        frame[same],
        xy[same],
        xy[same + 1],
        pairs=len(tracks.times) - 1,
        focal=focal,
        scales=np.geomspace(30.0, 1.0, 10) * max(tracks.size) / 480,
    )


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


def still_stretch(frames: int, focal: float) -> Stretch:
    """A camera that does not move."""
    return Stretch(
        np.repeat(np.eye(3)[None], frames, axis=0),
        np.zeros((frames, 3)),
        np.full(frames, np.log(focal)),
        np.zeros((frames, 7)),
    )


def chain(stretches: Sequence[Stretch]) -> Stretch:
    """Stretches end to end, the last frame of each being the first of the next.

    Each is in its own scene's depths, which is what a viewer sees. Only the change of focal length
    is taken over: what stretches believe of the lens differs, and is no zoom.
    """
    parts = [stretches[0]]
    for part in stretches[1:]:
        end = parts[-1]
        turn = end.rotations[-1] @ part.rotations[0].T
        parts.append(
            Stretch(
                (turn @ part.rotations)[1:],
                (end.centers[-1] + (part.centers - part.centers[0]) @ turn.T)[1:],
                (end.log_focals[-1] + part.log_focals - part.log_focals[0])[1:],
                np.hypot(part.sigmas, end.sigmas[-1])[1:],
            )
        )
    return Stretch(
        *(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Stretch))
    )
