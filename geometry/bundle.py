"""Structure from small motion: bundle adjustment from a standing start, focal length free.

Every frame has a rotation, a centre and a log focal length; every track has one inverse depth in
the frame it is anchored in; the lens may bend the picture (the division model of Fitzgibbon, CVPR
2001). All may start from nothing, which is close enough when the camera moves little against the
depth of the scene (Yu and Gallup, CVPR 2014; Ha et al., CVPR 2016).
Outliers are handled by a Geman-McClure kernel of shrinking scale (graduated non-convexity; Yang
et al., IEEE RA-L 2020); the depths are removed by the Schur complement.

Unit of length: the scene's typical depth, because inverse depths are expected to be about 1.
"""

from dataclasses import dataclass

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray, Groups, IntArray
from dollygrip.geometry.observations import Observations
from dollygrip.geometry.rotations import exp, log

# Priors, as standard deviations. Inverse depths: from a third of the typical depth to infinity is
# ordinary. Log focal length: from wide angle to telephoto. Path: a camera that could as well have
# turned and travelled less did so (radians, scene depths, log focal, over the whole shot).
DEPTH_SPREAD = 0.7
FOCAL_SPREAD = 0.35
TURN_SPREAD = 0.5
CENTER_SPREAD = 0.5
ZOOM_SPREAD = 0.5
# The lens: bending of the division model, at the distance of one expected focal length from the
# middle. -0.1 is a phone's wide angle, -1 an action camera's.
LENS_SPREAD = 1.0
# Errors of tracked points are alike from frame to frame and from point to point (drift, lens,
# rolling shutter), so that thousands of observations are worth far fewer. The priors are weighed
# by this share of the observations; found on rendered clips, where too little lets a truck turn
# into an arc around a scene turned inside out.
TEMPER = 0.15
# The same for the covariance: variances are this much larger than independent errors would make
# them.
INFLATION = 6.0
# The focal length stays between these multiples of what is expected.
FOCAL_RANGE = (0.45, 5.0)
LENS_RANGE = (-2.0, 0.3)
# At the finest scale the search ends when a step lowers the energy by less than this share.
_SETTLED = 1e-4
# No step is larger than this: radians, scene depths, log focal, bending.
_LARGEST_STEP = (0.3, 0.5, 0.3, 0.2)
_NEAREST = 10.0
# Information that every unknown is taken to have: a millionth of one observation's. What nothing
# tells (a blank picture has no tracks) then stays where it is.
_LEAST_INFORMATION = 1.0


@dataclass(frozen=True, eq=False)
class Solution:
    """A path that explains the observations.

    Attributes:
        rotations: (N, 3, 3) world_from_camera; the world is the first camera.
        centers: (N, 3) in scene depths, in the world.
        zooms: (N,) log focal length against the first frame.
        focal: Focal length of the first frame, pixels.
        inverse_depth: (T,) in the anchor frames.
        residual: (K,) pixels.
        energy: What was minimised: robust residuals and priors; comparable between solutions of
            one model.
        sigmas: (N, 7) one standard deviation of rotation (radians), centre, both in the camera's
            own axes, and log focal, against the first frame.
        lens: Bending of the lens: what is seen an expected focal length from the middle of the
            picture, a pinhole would show ``1 / (1 + lens)`` times as far out.
    """

    rotations: FloatArray
    centers: FloatArray
    zooms: FloatArray
    focal: float
    inverse_depth: FloatArray
    residual: FloatArray
    energy: float
    sigmas: FloatArray
    lens: float = 0.0


def standing_still(seen: Observations, focal: float) -> Solution:
    """The path of a camera that does not move."""
    n = seen.frames
    return Solution(
        rotations=np.repeat(np.eye(3)[None], n, axis=0),
        centers=np.zeros((n, 3)),
        zooms=np.zeros(n),
        focal=focal,
        inverse_depth=seen.inverse_depth,
        residual=np.linalg.norm(seen.xy - seen.anchor_xy[seen.track], axis=1),
        energy=float("inf"),
        sigmas=np.zeros((n, 7)),
    )


def explained_share(residual: FloatArray, scale: float, weights: FloatArray | None = None) -> float:
    """Mean of ``c^2 / (r^2 + c^2)``: 1 for a perfect fit, one half for residuals of ``scale``.

    Args:
        residual: (K,) pixels.
        scale: The ``c``, pixels.
        weights: (K,) of the mean; all alike when not given.
    """
    if not len(residual):
        return 0.0
    return float(np.average(scale**2 / (residual**2 + scale**2), weights=weights))


def adjust(
    seen: Observations,
    start: Solution,
    *,
    translate: bool,
    zoom: bool,
    focal_prior: float,
    noise: float,
    scales: FloatArray,
    bend: bool = False,
) -> Solution:
    """Improve a path until it explains the observations.

    Args:
        seen: The observations.
        start: Where to start.
        translate: Whether the camera may travel; if not, depths do not matter.
        zoom: Whether the focal length may change.
        focal_prior: Expected focal length in pixels; the shared focal length is always free.
        noise: Standard deviation of an observation in pixels.
        scales: Kernel scale in pixels at each step of Levenberg-Marquardt, shrinking.
        bend: Whether the lens is free; otherwise it stays as it is at the start.

    Returns:
        The best path found at the last scale.
    """
    problem = _Problem(seen, translate, zoom, bend, focal_prior, noise)
    state = _State(
        rotations=start.rotations,
        centers=start.centers,
        zooms=start.zooms,
        log_focal=float(np.log(start.focal)),
        lens=start.lens,
        depth=start.inverse_depth,
    )
    here = problem.linearize(state)
    damping = 1e-3
    covariance = np.zeros(0)
    for scale in scales:
        kernel = float(scale) / noise
        step, covariance = problem.step(here, kernel, damping)
        there = problem.linearize(step)
        before, after = problem.energy(here, kernel), problem.energy(there, kernel)
        if after < before:
            here, damping = there, max(damping / 3.0, 1e-6)
            if scale == scales[-1] and before - after < _SETTLED * before:
                break
        else:
            damping = min(damping * 10.0, 1e3)
    state = here.state
    # Where nothing is seen the priors would pull the camera home; it rather stays where it was.
    held = _nearest_seen(seen)
    home, zooms = state.rotations[held[0]], state.zooms[held]
    return Solution(
        rotations=home.T @ state.rotations[held],
        centers=(state.centers[held] - state.centers[held[0]]) @ home,
        zooms=zooms - zooms[0],
        focal=float(np.exp(state.log_focal + zooms[0])),
        inverse_depth=state.depth,
        residual=np.sqrt((here.residual**2).sum(axis=1)) * noise,
        energy=problem.energy(here, float(scales[-1]) / noise),
        sigmas=problem.sigmas(covariance, state.rotations),
        lens=state.lens,
    )


def _nearest_seen(seen: Observations) -> IntArray:
    """(N,) for each frame itself, or the nearest frame in which a track is seen."""
    frames = np.unique(np.concatenate([seen.frame, seen.anchor]))
    everyone = np.arange(seen.frames)
    if not len(frames):
        return everyone
    return np.asarray(frames[np.abs(frames[None] - everyone[:, None]).argmin(axis=1)])


@dataclass(frozen=True, eq=False)
class _State:
    rotations: FloatArray
    centers: FloatArray
    zooms: FloatArray
    log_focal: float
    lens: float
    depth: FloatArray


@dataclass(frozen=True, eq=False)
class _Linear:
    """Residuals (K, 2) in units of the noise and their derivatives at a state.

    By the observing camera (K, 2, 7), the anchor camera (K, 2, 7), the depth (K, 2), and the
    log focal and lens that all frames share (K, 2, 2). ``offset`` (7 N + 2,) is how far the
    unknowns are from where the priors expect them.
    """

    state: _State
    residual: FloatArray
    camera: FloatArray
    anchor: FloatArray
    depth: FloatArray
    shared: FloatArray
    offset: FloatArray


class _Problem:
    """The normal equations; unknowns are 7 numbers a frame, then log focal and lens."""

    def __init__(
        self,
        seen: Observations,
        translate: bool,
        zoom: bool,
        bend: bool,
        focal_prior: float,
        noise: float,
    ) -> None:
        n, k = seen.frames, len(seen.frame)
        self.seen, self.translate, self.noise = seen, translate, noise
        self.log_prior = float(np.log(focal_prior))
        self.anchor = seen.anchor[seen.track]
        free = np.zeros((n, 7), dtype=bool)
        # The first camera is the world.
        free[1:, 0:3] = True
        free[1:, 3:6] = translate
        free[1:, 6] = zoom
        self.free: BoolArray = np.append(free.ravel(), [True, bend])
        spreads = np.array([TURN_SPREAD] * 3 + [CENTER_SPREAD] * 3 + [ZOOM_SPREAD])
        # A turn alone is no detour: only together with travel is there a choice.
        per_frame = np.where([translate] * 3 + [True] * 4, spreads**-2.0, 0.0) / n
        self.precision: FloatArray = (
            TEMPER * k * np.append(np.tile(per_frame, n), [FOCAL_SPREAD**-2, LENS_SPREAD**-2])
        )
        # Squared distances from the middle, in expected focal lengths.
        self.far = (seen.xy**2).sum(axis=1) / focal_prior**2
        self.far_anchor = ((seen.anchor_xy**2).sum(axis=1) / focal_prior**2)[seen.track]
        self.by_camera = Groups(seen.frame, n)
        self.by_anchor = Groups(self.anchor, n)
        self.by_both = Groups(seen.frame * n + self.anchor, n * n)
        self.by_track = Groups(seen.track, len(seen.anchor))

    def linearize(self, state: _State) -> _Linear:
        """Project every track into the frames that see it, with all derivatives.

        A rotation R is moved to R exp(d), so that a ray q of the observing camera moves by q x d.
        """
        seen, i, j, a = self.seen, self.seen.frame, self.seen.track, self.anchor
        k = len(i)
        # The lens acts like a focal length that changes towards the edge.
        bent = 1.0 + state.lens * self.far
        bent_anchor = 1.0 + state.lens * self.far_anchor
        focal_i = (np.exp(state.log_focal + state.zooms[i]) * bent)[:, None]
        focal_a = (np.exp(state.log_focal + state.zooms[a]) * bent_anchor)[:, None]
        at = seen.anchor_xy[j] / focal_a
        back = np.swapaxes(state.rotations, 1, 2)[i]
        turn = back @ state.rotations[a]
        base = (back @ (state.centers[a] - state.centers[i])[:, :, None])[:, :, 0]
        depth = state.depth[j][:, None]
        q = (turn[:, :, :2] @ at[:, :, None])[:, :, 0] + turn[:, :, 2] + depth * base
        z = np.maximum(q[:, 2:], 0.05)
        view = q[:, :2] / z
        uv = focal_i * view

        # By the point in the observing camera's axes: focal / z times (1, 0, -x) and (0, 1, -y).
        gain = (focal_i / (z * self.noise))[:, :, None]
        slope = view[:, :, None]
        by_ray = gain * (turn[:, :2] - slope * turn[:, 2:])
        by_center = gain * depth[:, :, None] * (back[:, :2] - slope * back[:, 2:])
        by_anchor_focal = -(by_ray[:, :, :2] @ at[:, :, None])[:, :, 0]
        x, y = view.T
        u, v = uv.T / self.noise
        focal = focal_i[:, 0] / self.noise
        camera, anchor = np.empty((k, 2, 7)), np.empty((k, 2, 7))
        camera[:, 0, 0], camera[:, 0, 1], camera[:, 0, 2] = u * y, -focal - u * x, v
        camera[:, 1, 0], camera[:, 1, 1], camera[:, 1, 2] = focal + v * y, -v * x, -u
        anchor[:, :, 0] = at[:, 1:] * by_ray[:, :, 2] - by_ray[:, :, 1]
        anchor[:, :, 1] = by_ray[:, :, 0] - at[:, :1] * by_ray[:, :, 2]
        anchor[:, :, 2] = at[:, :1] * by_ray[:, :, 1] - at[:, 1:] * by_ray[:, :, 0]
        camera[:, :, 3:6], anchor[:, :, 3:6] = -by_center, by_center
        camera[:, :, 6], anchor[:, :, 6] = uv / self.noise, by_anchor_focal
        shared = np.empty((k, 2, 2))
        shared[:, :, 0] = camera[:, :, 6] + by_anchor_focal
        shared[:, :, 1] = camera[:, :, 6] * (self.far / bent)[:, None]
        shared[:, :, 1] += by_anchor_focal * (self.far_anchor / bent_anchor)[:, None]
        return _Linear(
            state=state,
            residual=(seen.xy - uv) / self.noise,
            camera=camera,
            anchor=anchor,
            depth=gain[:, 0] * (base[:, :2] - view * base[:, 2:]),
            shared=shared,
            offset=self.offset(state),
        )

    def offset(self, state: _State) -> FloatArray:
        # Turns alone have no prior.
        turns = log(state.rotations) if self.translate else np.zeros((self.seen.frames, 3))
        frames = np.concatenate([turns, state.centers, state.zooms[:, None]], axis=1)
        return np.append(frames.ravel(), [state.log_focal - self.log_prior, state.lens])

    def energy(self, here: _Linear, kernel: float) -> float:
        square = (here.residual**2).sum(axis=1)
        data = (kernel**2 * square / (square + kernel**2)).sum()
        path = (self.precision * here.offset**2).sum()
        if not self.translate:
            return float(data + path)
        off = here.state.depth - self.seen.inverse_depth
        return float(data + path + (off**2).sum() / DEPTH_SPREAD**2)

    def step(self, here: _Linear, kernel: float, damping: float) -> tuple[_State, FloatArray]:
        """One step of Levenberg-Marquardt, and the normal matrix, undamped."""
        seen, r, state = self.seen, here.residual, here.state
        n, t = seen.frames, len(seen.anchor)
        size = 7 * n
        weight = (kernel**2 / ((r**2).sum(axis=1) + kernel**2)) ** 2
        # Next to each derivative stand those by what is shared, and the residuals.
        others = np.concatenate([here.shared, r[:, :, None]], axis=2)
        heavy_camera = np.swapaxes(weight[:, None, None] * here.camera, 1, 2)
        heavy_anchor = np.swapaxes(weight[:, None, None] * here.anchor, 1, 2)
        heavy_shared = np.swapaxes(weight[:, None, None] * here.shared, 1, 2)
        own_camera = heavy_camera @ np.concatenate([here.camera, others], axis=2)
        own_anchor = heavy_anchor @ np.concatenate([here.anchor, others], axis=2)
        own = self.by_camera.sum(own_camera) + self.by_anchor.sum(own_anchor)

        blocks = self.by_both.sum(heavy_camera @ here.anchor).reshape(n, n, 7, 7)
        blocks = blocks + blocks.transpose(1, 0, 3, 2)
        diagonal = np.arange(n)
        blocks[diagonal, diagonal] += own[:, :, :7]
        matrix = np.zeros((size + 2, size + 2))
        matrix[:size, :size] = blocks.transpose(0, 2, 1, 3).reshape(size, size)
        matrix[:size, size:] = own[:, :, 7:9].reshape(size, 2)
        matrix[size:, :size] = matrix[:size, size:].T
        tail = (heavy_shared @ others).sum(axis=0)
        matrix[size:, size:] = tail[:, :2]
        matrix[np.diag_indices(size + 2)] += self.precision
        right = np.append(own[:, :, 9].ravel(), tail[:, 2])
        right -= self.precision * here.offset
        matrix, right = matrix[np.ix_(self.free, self.free)], right[self.free]

        if self.translate:
            heavy_depth = weight[:, None] * here.depth
            by_depth = here.depth[:, :, None]
            with_others = (heavy_depth[:, None] @ np.concatenate([by_depth, others], axis=2))[:, 0]
            through_anchor = (heavy_anchor @ by_depth)[:, :, 0]
            sums = self.by_track.sum(np.concatenate([with_others, through_anchor], axis=1))
            own_depth, with_shared, pull = sums[:, 0], sums[:, 1:3], sums[:, 3]
            own_depth = own_depth + DEPTH_SPREAD**-2
            pull = pull - (state.depth - seen.inverse_depth) / DEPTH_SPREAD**2
            shared = np.zeros((n, t, 7))
            shared[seen.frame, seen.track] = (heavy_camera @ by_depth)[:, :, 0]
            shared[seen.anchor, np.arange(t)] += sums[:, 4:]
            shared_rows = shared.transpose(0, 2, 1).reshape(size, t)
            coupling = np.concatenate([shared_rows, with_shared.T])[self.free]
            matrix = matrix - (coupling / own_depth) @ coupling.T
            right = right - coupling @ (pull / own_depth)
        along = np.diag_indices(len(matrix))
        matrix[along] += _LEAST_INFORMATION
        damped = matrix.copy()
        damped[along] *= 1.0 + damping
        change = np.zeros(size + 2)
        change[self.free] = np.linalg.solve(damped, right)
        depth = state.depth
        if self.translate:
            moved = depth + (pull - coupling.T @ change[self.free]) / own_depth
            depth = np.clip(moved, 0.0, _NEAREST)
        return self._moved(state, change, depth), matrix

    def _moved(self, state: _State, change: FloatArray, depth: FloatArray) -> _State:
        turn, travel, swell, bend = _LARGEST_STEP
        frames = change[:-2].reshape(-1, 7)
        low, high = np.log(FOCAL_RANGE) + self.log_prior
        focal = state.log_focal + float(np.clip(change[-2], -swell, swell))
        lens = state.lens + float(np.clip(change[-1], -bend, bend))
        return _State(
            rotations=state.rotations @ exp(np.clip(frames[:, :3], -turn, turn)),
            centers=state.centers + np.clip(frames[:, 3:6], -travel, travel),
            zooms=state.zooms + np.clip(frames[:, 6], -swell, swell),
            log_focal=float(np.clip(focal, low, high)),
            lens=float(np.clip(lens, *LENS_RANGE)),
            depth=depth,
        )

    def sigmas(self, matrix: FloatArray, rotations: FloatArray) -> FloatArray:
        """(N, 7) standard deviations out of the last normal matrix."""
        n = self.seen.frames
        if not matrix.size:
            return np.zeros((n, 7))
        covariance = np.zeros((len(self.free), len(self.free)))
        covariance[np.ix_(self.free, self.free)] = np.linalg.inv(matrix)
        own = covariance[:-2, :-2].reshape(n, 7, n, 7)[np.arange(n), :, np.arange(n)]
        back = np.swapaxes(rotations, 1, 2)
        own[:, 3:6, 3:6] = back @ own[:, 3:6, 3:6] @ rotations
        variance = np.diagonal(own, axis1=1, axis2=2)
        return np.sqrt(np.maximum(variance, 0.0) * INFLATION)
