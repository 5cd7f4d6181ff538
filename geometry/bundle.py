"""Structure from small motion: bundle adjustment from a standing start, focal length free.

Every frame has a rotation, a centre and a log focal length; every track has one inverse depth in
the frame it is anchored in. All start from nothing (or from the turns of
:mod:`dollygrip.geometry.twoview`), which is close enough when the camera moves little against
the depth of the scene (Yu and Gallup, CVPR 2014; Ha et al., CVPR 2016). Outliers are handled by
a Geman-McClure kernel of shrinking scale (Yang et al., IEEE RA-L 2020); the depths are removed
by the Schur complement.

Unit of length: the scene's typical depth, because inverse depths have prior mean 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.geometry.rotations import exp, log

# Standard deviation of a tracked point, pixels of a picture about 480 px wide.
PIXEL_NOISE = 0.5
# Prior on inverse depths in units of their mean: depths from a third to infinity are ordinary.
DEPTH_SPREAD = 0.7
# Prior on the log focal length around ``FOCAL_PRIOR``: from wide angle to telephoto.
FOCAL_SPREAD = 0.35
INFLATION = 10.0
FOCAL_RANGE = (float(np.log(0.45)), float(np.log(5.0)))
# Priors on the path: a camera seldom travels further than its scene is deep, or zooms beyond 3x.
TURN_SPREAD = 0.5
CENTER_SPREAD = 0.5
ZOOM_SPREAD = 0.5
# Errors of a tracked point are alike from frame to frame and from point to point (drift, lens,
# rolling shutter), so that thousands of observations are worth far fewer: the priors of the
# camera are made this much stronger instead.
TEMPER = 0.02


@dataclass(frozen=True, eq=False)
class Observations:
    """What the adjustment explains.

    Attributes:
        frame: (K,) frame of each observation.
        track: (K,) its track, 0 to T - 1.
        xy: (K, 2) pixels from the picture's centre.
        anchor: (T,) frame in which each track's depth is measured.
        anchor_xy: (T, 2) where the track is seen there; taken as exact.
        depth: (T,) expected inverse depth of each track, mean about 1.
        weight: (T,) prior weight of each track, 0 to 1.
        frames: Number of frames.
    """

    frame: IntArray
    track: IntArray
    xy: FloatArray
    anchor: IntArray
    anchor_xy: FloatArray
    depth: FloatArray
    weight: FloatArray
    frames: int


@dataclass(frozen=True, eq=False)
class Solution:
    """An adjusted path.

    Attributes:
        rotations: (N, 3, 3) world_from_camera; the world is the first camera.
        centers: (N, 3) in scene depths.
        zooms: (N,) log focal length against the first frame.
        focal: Focal length of the first frame, pixels.
        inverse_depth: (T,) in the anchor frames, mean about 1.
        residual: (K,) pixels.
        explained: Share of the observations that the path explains, 0 to 1, each counted by how
            closely.
        energy: What was minimised: robust residuals and priors.
        sigmas: (N, 7) one standard deviation of rotation (camera axes, radians), centre (world
            axes) and log zoom.
    """

    rotations: FloatArray
    centers: FloatArray
    zooms: FloatArray
    focal: float
    inverse_depth: FloatArray
    residual: FloatArray
    explained: float
    energy: float
    sigmas: FloatArray


def explained_share(residual: FloatArray, weight: FloatArray, scale: float) -> float:
    """Weighted mean of ``c^2 / (r^2 + c^2)``: 1 for a perfect fit, 0 for none."""
    near = scale**2 / (residual**2 + scale**2)
    return float((weight * near).sum() / max(weight.sum(), 1e-9))


def standing_still(seen: Observations, focal: float, scale: float) -> Solution:
    """The path of a camera that does not move, and what it explains."""
    n = seen.frames
    residual = np.linalg.norm(seen.xy - seen.anchor_xy[seen.track], axis=1)
    weight = seen.weight[seen.track]
    return Solution(
        rotations=np.repeat(np.eye(3)[None], n, axis=0),
        centers=np.zeros((n, 3)),
        zooms=np.zeros(n),
        focal=focal,
        inverse_depth=seen.depth,
        residual=residual,
        explained=explained_share(residual, weight, scale),
        energy=float("inf"),
        sigmas=np.zeros((n, 7)),
    )


@dataclass(frozen=True, eq=False)
class _State:
    rotations: FloatArray
    centers: FloatArray
    zooms: FloatArray
    log_focal: float
    depth: FloatArray


def adjust(
    seen: Observations,
    start: Solution,
    *,
    translate: bool,
    zoom: bool,
    focal_prior: float,
    scales: FloatArray,
    noise: float = PIXEL_NOISE,
) -> Solution:
    n, t, k = seen.frames, len(seen.anchor), len(seen.frame)
    i, j = seen.frame, seen.track
    a = seen.anchor[j]
    size = 7 * n
    free = np.zeros((n, 7), dtype=bool)
    free[1:, 0:3] = True
    free[1:, 3:6] = translate
    free[1:, 6] = zoom
    keep = np.append(free.ravel(), True)
    temper = TEMPER * seen.weight[j].sum()
    spreads = [TURN_SPREAD] * 3 + [CENTER_SPREAD] * 3 + [ZOOM_SPREAD]
    precision = temper * np.append(
        np.tile(1.0 / np.array(spreads) ** 2 / n, n), 1.0 / FOCAL_SPREAD**2
    )
    depth_precision = 1.0 / DEPTH_SPREAD**2
    rows = np.arange(k)
    by_ii = sparse.csr_array((np.ones(k), (i, rows)), shape=(n, k))
    by_aa = sparse.csr_array((np.ones(k), (a, rows)), shape=(n, k))
    by_ia = sparse.csr_array((np.ones(k), (i * n + a, rows)), shape=(n * n, k))
    by_j = sparse.csr_array((np.ones(k), (j, rows)), shape=(t, k))
    track_weight = seen.weight[j]

    def prior_offset(state):
        turned = log(state.rotations) * translate
        per = np.concatenate([turned, state.centers, state.zooms[:, None]], axis=1)
        return np.append(per.ravel(), state.log_focal - np.log(focal_prior))

    def energy(state, square, c):
        data = (track_weight * c**2 * square / (square + c**2)).sum()
        prior = (precision * prior_offset(state) ** 2).sum()
        return data + prior + translate * depth_precision * ((state.depth - seen.depth) ** 2).sum()

    state = _State(
        start.rotations, start.centers, start.zooms, float(np.log(start.focal)), start.inverse_depth
    )
    previous = None
    damping = 1e-3
    for scale in scales:
        c = scale / noise
        lin = _linearize(seen, state, a, noise)
        square = (lin[0] ** 2).sum(axis=1)
        if previous is not None and energy(state, square, c) > energy(previous[0], previous[2], c):
            state, lin, square = previous
            damping = min(damping * 10.0, 1e3)
        else:
            damping = max(damping / 3.0, 1e-6)
        previous = (state, lin, square)
        r, ji, ja, jd, jf = lin
        w = track_weight * (c**2 / (square + c**2)) ** 2
        wji, wja = w[:, None, None] * ji, w[:, None, None] * ja
        h = np.zeros((n, n, 7, 7))
        d = np.arange(n)
        h[d, d] += (by_ii @ (wji.transpose(0, 2, 1) @ ji).reshape(k, 49)).reshape(n, 7, 7)
        h[d, d] += (by_aa @ (wja.transpose(0, 2, 1) @ ja).reshape(k, 49)).reshape(n, 7, 7)
        cross = (by_ia @ (wji.transpose(0, 2, 1) @ ja).reshape(k, 49)).reshape(n, n, 7, 7)
        h += cross + cross.transpose(1, 0, 3, 2)
        full = np.zeros((size + 1, size + 1))
        full[:size, :size] = h.transpose(0, 2, 1, 3).reshape(size, size)
        fi = by_ii @ np.einsum("kda,kd->ka", wji, jf) + by_aa @ np.einsum("kda,kd->ka", wja, jf)
        full[:size, size] = full[size, :size] = fi.ravel()
        full[size, size] = (w[:, None] * jf * jf).sum()
        g = np.append(
            by_ii @ np.einsum("kda,kd->ka", wji, r) + by_aa @ np.einsum("kda,kd->ka", wja, r),
            (w[:, None] * jf * r).sum(),
        )
        full[np.diag_indices(size + 1)] += precision
        g -= precision * prior_offset(state)
        a_mat, rhs = full[np.ix_(keep, keep)], g[keep]
        if translate:
            hd = by_j @ (w[:, None] * jd * jd).sum(axis=1) + depth_precision
            gd = by_j @ (w[:, None] * jd * r).sum(axis=1) - (state.depth - seen.depth) * depth_precision
            e = np.zeros((n, t, 7))
            e[i, j] += np.einsum("kda,kd->ka", wji, jd)
            e[seen.anchor, np.arange(t)] += by_j @ np.einsum("kda,kd->ka", wja, jd)
            ef = by_j @ (w[:, None] * jf * jd).sum(axis=1)
            b = np.concatenate([e.transpose(0, 2, 1).reshape(size, t), ef[None]])[keep]
            a_mat = a_mat - (b / hd) @ b.T
            rhs = rhs - b @ (gd / hd)
        a_mat[np.diag_indices(len(a_mat))] *= 1.0 + damping
        step = np.zeros(size + 1)
        step[keep] = np.linalg.solve(a_mat, rhs)
        depth = state.depth
        if translate:
            depth = np.clip(depth + (gd - b.T @ step[keep]) / hd, 0.0, 10.0)
        moves = step[:size].reshape(n, 7)
        log_focal = state.log_focal + float(np.clip(step[size], -0.2, 0.2))
        state = _State(
            state.rotations @ exp(np.clip(moves[:, :3], -0.3, 0.3)),
            state.centers + np.clip(moves[:, 3:6], -0.5, 0.5),
            state.zooms + np.clip(moves[:, 6], -0.3, 0.3),
            float(np.log(focal_prior) + np.clip(log_focal - np.log(focal_prior), *FOCAL_RANGE)),
            depth,
        )
    lin = _linearize(seen, state, a, noise)
    square = (lin[0] ** 2).sum(axis=1)
    if energy(state, square, c) > energy(previous[0], previous[2], c):
        state, _, square = previous
    variance = np.zeros(size + 1)
    variance[keep] = np.diag(np.linalg.inv(a_mat))
    return Solution(
        state.rotations,
        state.centers,
        state.zooms,
        float(np.exp(state.log_focal)),
        state.depth,
        np.sqrt(square) * noise,
        explained_share(np.sqrt(square), track_weight, c),
        energy(state, square, c),
        np.sqrt(np.maximum(variance[:size], 0.0) * INFLATION).reshape(n, 7),
    )


def _linearize(seen, state, a, noise):
    rotations, centers, zooms = state.rotations, state.centers, state.zooms
    log_focal, depth = state.log_focal, state.depth
    i, j = seen.frame, seen.track
    fi = np.exp(log_focal + zooms[i])
    fa = np.exp(log_focal + zooms[a])
    xa = seen.anchor_xy[j] / fa[:, None]
    d = np.concatenate([xa, np.ones((len(i), 1))], axis=1)
    rel = np.einsum("kji,kjl->kil", rotations[i], rotations[a])
    base = np.einsum("kji,kj->ki", rotations[i], centers[a] - centers[i])
    rho = depth[j][:, None]
    q = np.einsum("kij,kj->ki", rel, d) + rho * base
    qz = np.maximum(q[:, 2], 0.05)
    uv = fi[:, None] * q[:, :2] / qz[:, None]
    r = seen.xy - uv
    k = len(i)
    p = np.zeros((k, 2, 3))
    s = fi / qz
    p[:, 0, 0] = s
    p[:, 1, 1] = s
    p[:, 0, 2] = -uv[:, 0] / qz
    p[:, 1, 2] = -uv[:, 1] / qz
    ji = np.empty((k, 2, 7)); ja = np.empty((k, 2, 7))
    ji[:, :, 0:3] = np.cross(p, q[:, None, :])  # rows: p x q = d/d delta of p . (q x delta)
    prel = p @ rel
    ja[:, :, 0:3] = np.cross(d[:, None, :], prel)
    prt = p @ np.swapaxes(rotations[i], 1, 2) * rho[:, :, None]
    ji[:, :, 3:6] = -prt
    ja[:, :, 3:6] = prt
    ji[:, :, 6] = uv
    dz = prel[:, :, :2] @ (-xa)[:, :, None]
    ja[:, :, 6] = dz[:, :, 0]
    jd = np.einsum("kda,ka->kd", p, base)
    jf = uv + dz[:, :, 0]
    return r / noise, ji / noise, ja / noise, jd / noise, jf / noise
