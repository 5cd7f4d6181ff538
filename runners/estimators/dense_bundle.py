"""Bundle adjustment of dense flow, several shots at once; the same on every device.

The unknowns and priors are those of ``geometry/bundle.py``: a rotation, a centre and a log focal
length a keyframe, one shared focal length, one shared bending of the lens for cameras that only
turn and zoom, and an inverse depth for every cell of every keyframe. What is explained is where the
flow saw each cell in up to eight other keyframes.
As in MegaSaM (Li et al., CVPR 2025), a cell that one frame pair shows to move by itself counts
less in all pairs that leave its frame.

Tensors begin with a batch dimension B; shots with fewer keyframes or cells are padded with what
was never seen. All is float64, and no sum depends on the order in which a device adds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.bundle import (
    CENTER_SPREAD,
    FOCAL_RANGE,
    FOCAL_SPREAD,
    LENS_RANGE,
    LENS_SPREAD,
    TEMPER,
    TURN_SPREAD,
    ZOOM_SPREAD,
    Solution,
)
from dollygrip.runners.estimators.dense_depth import Expected
from dollygrip.runners.estimators.dense_flow import OFFSETS, FlowGraph

# Neighbouring cells and neighbouring pairs err alike: variances are this much larger than
# independent errors would make them. Errors on clean rendered clips are then two thirds of what is
# stated, which leaves something for lenses and shutters.
INFLATION = 200.0

# As in ``geometry/bundle.py``: when the search ends, the largest step (radians, scene depths, log
# focal, bending), the nearest that anything may be, and the least information about an unknown.
_SETTLED = 1e-4
_LARGEST_STEP = (0.3, 0.5, 0.3, 0.2)
_NEAREST = 10.0
_LEAST_INFORMATION = 1.0
_LEAST_Z = 0.05
# Columns of the derivatives: by the camera that sees (turn, centre, zoom), by the one that was
# there before, by the depth, by the lens; then the residual.
_SEER, _OWNER, _DEPTH, _LENS, _OFF = slice(0, 7), slice(7, 14), 14, 15, 16
_COLUMNS = 17


@dataclass(frozen=True, eq=False)
class Problem:
    """Shots to be adjusted together.

    Attributes:
        xy: (B, N, P, 2) pixels from the picture's centre.
        seen: (O, B, N, P, 2) where each pixel is seen ``OFFSETS[o]`` frames later.
        weight: (O, B, N, P) 0 to 1.
        depth: (B, N, P) expected inverse depth.
        precision: (B, N, P) information about it.
        focal: (B,) expected focal length, pixels.
        noise: (B,) standard deviation of an observation, pixels.
        shapes: (frames, cells) of each shot before padding.
    """

    xy: Tensor
    seen: Tensor
    weight: Tensor
    depth: Tensor
    precision: Tensor
    focal: Tensor
    noise: Tensor
    shapes: tuple[tuple[int, int], ...]

    def rows(self, rows: Sequence[int]) -> "Problem":
        """Some of the shots, each as often as it is named."""
        at = torch.tensor(list(rows), dtype=torch.long, device=self.xy.device)
        return Problem(
            self.xy[at],
            self.seen[:, at],
            self.weight[:, at],
            self.depth[at],
            self.precision[at],
            self.focal[at],
            self.noise[at],
            tuple(self.shapes[row] for row in rows),
        )

    def expecting(self, expected: Sequence[Expected]) -> "Problem":
        """The same shots with something else thought of their depths."""
        mean = _padded([one.mean for one in expected], self.depth)
        return replace(self, depth=mean, precision=_padded([e.precision for e in expected], mean))


def stack(
    graphs: Sequence[FlowGraph],
    expected: Sequence[Expected],
    focals: Sequence[float],
    noises: Sequence[float],
    device: str,
) -> Problem:
    """Shots side by side, padded to the longest and largest."""
    shapes = tuple(graph.xy.shape[:2] for graph in graphs)
    frames, cells = (max(shape[axis] for shape in shapes) for axis in (0, 1))
    grid = torch.zeros(len(graphs), frames, cells, dtype=torch.float64, device=device)
    by_offset = grid.expand(len(OFFSETS), *grid.shape)
    return Problem(
        xy=_padded([graph.xy for graph in graphs], grid[..., None]),
        seen=_padded([graph.seen for graph in graphs], by_offset[..., None], ahead=1),
        weight=_padded([graph.confidence for graph in graphs], by_offset, ahead=1),
        depth=_padded([one.mean for one in expected], grid),
        precision=_padded([one.precision for one in expected], grid),
        focal=torch.tensor(list(focals), dtype=torch.float64, device=device),
        noise=torch.tensor(list(noises), dtype=torch.float64, device=device),
        shapes=shapes,
    )


def _padded(values: Sequence[FloatArray], like: Tensor, ahead: int = 0) -> Tensor:
    """Arrays side by side, in a new dimension after the first ``ahead``; zeros fill them up.

    Args:
        values: B arrays whose dimensions ``ahead`` and ``ahead + 1`` are frames and cells.
        like: Has the frames, cells and device of the result.
        ahead: Where the batch goes.
    """
    whole = []
    for value in values:
        room = [(0, 0)] * value.ndim
        for axis in (ahead, ahead + 1):
            room[axis] = (0, like.shape[axis + 1] - value.shape[axis])
        whole.append(np.pad(value, room))
    return torch.as_tensor(np.stack(whole, axis=ahead), device=like.device)


def adjust(
    problem: Problem,
    starts: Sequence[Solution],
    *,
    translate: bool,
    zoom: bool,
    scales: FloatArray,
    bend: bool = False,
) -> list[Solution]:
    """Improve the path of every shot until it explains what was seen.

    Args:
        problem: B shots.
        starts: Where to start, a path for each; inverse depths are those of all cells, (N * P,).
        translate: Whether cameras may travel; if not, depths do not matter.
        zoom: Whether focal lengths may change.
        scales: Kernel scale at each step of Levenberg-Marquardt, shrinking, as a multiple of the
            noise.
        bend: Whether the lens is free; only for cameras that do not travel.

    Returns:
        For each shot the best path found at the last scale. ``residual`` is (O * N * P,) pixels.
    """
    work = _Adjustment(problem, translate, zoom, bend)
    state = work.start(starts)
    square = work.squares(state)
    damping = torch.full_like(problem.focal, 1e-3)
    settled = torch.zeros_like(problem.focal, dtype=torch.bool)
    information = work.nothing()
    for scale in scales.tolist():
        calm = work.calm(square, scale)
        candidate, normal = work.step(state, square, calm, scale, damping)
        information = _chosen(settled, information, normal)
        moved = work.squares(candidate)
        before = work.energy(state, square, calm, scale)
        after = work.energy(candidate, moved, calm, scale)
        better = (after < before) & ~settled
        state = _State(
            *(
                _chosen(better, new, old)
                for new, old in zip(candidate.tensors, state.tensors, strict=True)
            )
        )
        square = [_chosen(better, new, old) for new, old in zip(moved, square, strict=True)]
        damping = torch.where(
            better, (damping / 3.0).clamp(min=1e-6), (damping * 10.0).clamp(max=1e3)
        )
        if scale == scales[-1]:
            settled = settled | (better & (before - after < _SETTLED * before))
            if bool(settled.all()):
                break
    # With nothing taken for a mover: paths that call more of the picture one must not look better.
    energy = work.energy(state, square, torch.ones_like(problem.depth), float(scales[-1]))
    return work.solutions(state, square, energy, information)


@dataclass(frozen=True, eq=False)
class Sight:
    """What a path makes of every cell of a shot.

    Attributes:
        explained: (N, P) share of its sightings that the path explains, 0 to 1; NaN where nothing
            is known.
        information: (N, P) about the inverse depth: one over the variance, if the noise of every
            sighting were independent.
    """

    explained: FloatArray
    information: FloatArray


def inspect(problem: Problem, paths: Sequence[Solution], scale: float) -> list[Sight]:
    """How well paths explain each cell; ``scale`` is a multiple of the noise."""
    work = _Adjustment(problem, translate=True, zoom=True)
    state = work.start(paths)
    square = work.squares(state)
    calm = work.calm(square, scale)
    known = problem.weight.sum(dim=0)
    calm = torch.where(known > 0.0, calm, torch.nan)
    information = torch.zeros_like(known)
    for o, a, b in work.pairs:
        derivative = work.derivatives(state, o, a, b)
        pull = (derivative[:, :, _DEPTH] ** 2).sum(dim=2)
        information[:, a] += problem.weight[o, :, a] * pull
    return [
        Sight(calm[row, :n, :p].cpu().numpy(), information[row, :n, :p].cpu().numpy())
        for row, (n, p) in enumerate(problem.shapes)
    ]


def _chosen(rows: Tensor, one: Tensor, other: Tensor) -> Tensor:
    """``one`` in the shots where ``rows`` (B,) is true, ``other`` elsewhere."""
    return torch.where(rows.reshape(-1, *[1] * (one.dim() - 1)), one, other)


@dataclass(frozen=True, eq=False)
class _State:
    """Rotations (B, N, 3, 3), centres (B, N, 3), zooms (B, N), log focal and lens (B,), depth.

    The inverse depth is (B, N, P).
    """

    rotations: Tensor
    centers: Tensor
    zooms: Tensor
    log_focal: Tensor
    lens: Tensor
    depth: Tensor

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        return (
            self.rotations,
            self.centers,
            self.zooms,
            self.log_focal,
            self.lens,
            self.depth,
        )


class _Adjustment:
    """The normal equations; unknowns are 7 numbers a frame, then log focal and lens."""

    def __init__(self, problem: Problem, translate: bool, zoom: bool, bend: bool = False) -> None:
        self.problem, self.translate = problem, translate
        device = problem.xy.device
        batch, n, p = problem.depth.shape
        self.pairs = [
            (o, slice(max(0, -d), n - max(0, d)), slice(max(0, d), n - max(0, -d)))
            for o, d in enumerate(OFFSETS)
            if abs(d) < n
        ]
        frames = torch.tensor(
            [shape[0] for shape in problem.shapes], dtype=torch.float64, device=device
        )
        observations = problem.weight.sum(dim=(0, 2, 3))
        # The first camera is the world.
        may = torch.tensor(
            [1.0] * 3 + [float(translate)] * 3 + [float(zoom)], dtype=torch.float64, device=device
        )
        number = torch.arange(n, device=device)
        there = (number[None] > 0) & (number[None] < frames[:, None])
        free = (there[:, :, None] * may).flatten(1)
        last = torch.tensor([1.0, float(bend)], dtype=torch.float64, device=device)
        self.free = torch.cat([free, last.expand(batch, 2)], dim=1) > 0.0
        spreads = torch.tensor(
            [TURN_SPREAD] * 3 + [CENTER_SPREAD] * 3 + [ZOOM_SPREAD],
            dtype=torch.float64,
            device=device,
        )
        # A turn alone is no detour: only together with travel is there a choice.
        relevant = torch.tensor(
            [float(translate)] * 3 + [1.0] * 4, dtype=torch.float64, device=device
        )
        path = (relevant / spreads**2).repeat(n) / frames[:, None]
        focal = torch.full_like(path[:, :1], FOCAL_SPREAD**-2)
        lens = torch.full_like(focal, LENS_SPREAD**-2)
        self.precision = TEMPER * observations[:, None] * torch.cat([path, focal, lens], dim=1)
        # (7 N + 2, 7 N + 1): the shared log focal moves that of every frame.
        self.shared = torch.zeros(7 * n + 2, 7 * n + 1, dtype=torch.float64, device=device)
        self.shared[: 7 * n, : 7 * n].fill_diagonal_(1.0)
        self.shared[7 * n, 6 : 7 * n : 7] = 1.0
        self.shared[7 * n + 1, 7 * n] = 1.0
        self.coupling = (
            torch.zeros(batch, n, 7, n, p, dtype=torch.float64, device=device)
            if translate
            else None
        )
        self.number = number

    def nothing(self) -> Tensor:
        """The normal matrix of a problem of which nothing is known."""
        return torch.diag_embed(self.free.double() * _LEAST_INFORMATION + (~self.free).double())

    def start(self, starts: Sequence[Solution]) -> _State:
        problem = self.problem
        _, n, p = problem.depth.shape

        def tensor(values: Sequence[FloatArray]) -> Tensor:
            return torch.as_tensor(np.stack(values), device=problem.xy.device)

        def frames(values: FloatArray, filler: FloatArray) -> FloatArray:
            missing = n - len(values)
            return np.concatenate([values, np.repeat(filler[None], missing, axis=0)])

        depths = [np.zeros((n, p)) for _ in starts]
        for depth, start, shape in zip(depths, starts, problem.shapes, strict=True):
            depth[: shape[0], : shape[1]] = start.inverse_depth.reshape(shape)
        return _State(
            tensor([frames(start.rotations, np.eye(3)) for start in starts]),
            tensor([frames(start.centers, np.zeros(3)) for start in starts]),
            tensor([frames(start.zooms, np.zeros(())) for start in starts]),
            tensor([np.asarray(np.log(start.focal)) for start in starts]),
            tensor([np.asarray(start.lens) for start in starts]),
            tensor(depths),
        )

    def derivatives(self, state: _State, o: int, a: slice, b: slice) -> Tensor:
        """(B, n, 16, 2, P) derivatives and residual of one offset, in units of the noise.

        A rotation R is moved to R exp(d), so that a ray q of the observing camera moves by q x d.
        """
        problem = self.problem
        noise = problem.noise[:, None, None]
        view = _View(problem, state, o, a, b)
        x, y, z = view.x, view.y, view.z
        focal = view.focal / noise
        gain = focal / z
        u, v = focal * x, focal * y
        by = torch.empty((*x.shape[:2], _COLUMNS, 2, x.shape[-1]), dtype=x.dtype, device=x.device)
        by[:, :, 0, 0], by[:, :, 1, 0], by[:, :, 2, 0] = u * y, -focal - u * x, v
        by[:, :, 0, 1], by[:, :, 1, 1], by[:, :, 2, 1] = focal + v * y, -v * x, -u
        by[:, :, 6, 0], by[:, :, 6, 1] = u, v
        turn, back, base = (part[..., None] for part in (view.turn, view.back, view.base))
        depth = state.depth[:, a]
        for axis, at in ((0, x), (1, y)):
            ray = [gain * (turn[:, :, axis, k] - at * turn[:, :, 2, k]) for k in range(3)]
            for k in range(3):
                travel = gain * depth * (back[:, :, axis, k] - at * back[:, :, 2, k])
                by[:, :, 3 + k, axis], by[:, :, 10 + k, axis] = -travel, travel
            by[:, :, 7, axis] = view.from_y * ray[2] - ray[1]
            by[:, :, 8, axis] = ray[0] - view.from_x * ray[2]
            by[:, :, 9, axis] = view.from_x * ray[1] - view.from_y * ray[0]
            zoomed = -(view.from_x * ray[0] + view.from_y * ray[1])
            by[:, :, 13, axis] = zoomed
            by[:, :, _LENS, axis] = by[:, :, 6, axis] * view.bends + zoomed * view.from_bends
            by[:, :, _DEPTH, axis] = gain * (base[:, :, axis] - at * base[:, :, 2])
        seen = problem.seen[o, :, a] / noise[..., None]
        by[:, :, _OFF, 0], by[:, :, _OFF, 1] = seen[..., 0] - u, seen[..., 1] - v
        return by

    def squares(self, state: _State) -> list[Tensor]:
        """For each offset (B, n, P) squared residuals, in units of the noise."""
        problem, found = self.problem, []
        for o, a, b in self.pairs:
            view = _View(problem, state, o, a, b)
            seen = problem.seen[o, :, a]
            u, v = seen[..., 0] - view.focal * view.x, seen[..., 1] - view.focal * view.y
            found.append((u * u + v * v) / problem.noise[:, None, None] ** 2)
        return found

    def calm(self, square: Sequence[Tensor], kernel: float) -> Tensor:
        """(B, N, P) how far each cell moves as the scene does, over all pairs that leave it."""
        problem = self.problem
        total = torch.zeros_like(problem.depth)
        for (o, a, _), squares in zip(self.pairs, square, strict=True):
            total[:, a] += problem.weight[o, :, a] * (kernel**2 / (squares + kernel**2))
        return total / problem.weight.sum(dim=0).clamp(min=1e-9)

    def energy(
        self, state: _State, square: Sequence[Tensor], calm: Tensor, kernel: float
    ) -> Tensor:
        problem = self.problem
        energy = (self.precision * self.offset(state) ** 2).sum(dim=1)
        for (o, a, _), squares in zip(self.pairs, square, strict=True):
            robust = kernel**2 * squares / (squares + kernel**2)
            energy = energy + (problem.weight[o, :, a] * calm[:, a] * robust).sum(dim=(1, 2))
        if self.translate:
            off = (state.depth - problem.depth) ** 2 * problem.precision
            energy = energy + off.sum(dim=(1, 2))
        return energy

    def offset(self, state: _State) -> Tensor:
        """(B, 7 N + 2) how far the unknowns are from where the priors expect them."""
        frames = torch.cat([_log(state.rotations), state.centers, state.zooms[..., None]], dim=2)
        focal = state.log_focal - self.problem.focal.log()
        return torch.cat([frames.flatten(1), focal[:, None], state.lens[:, None]], dim=1)

    def step(
        self, state: _State, square: Sequence[Tensor], calm: Tensor, kernel: float, damping: Tensor
    ) -> tuple[_State, Tensor]:
        """One step of Levenberg-Marquardt, and the normal matrix, undamped."""
        problem, number = self.problem, self.number
        batch, n, p = problem.depth.shape
        blocks = torch.zeros(batch, n, n, 7, 7, dtype=calm.dtype, device=calm.device)
        right = torch.zeros(batch, n, 7, dtype=calm.dtype, device=calm.device)
        bend = torch.zeros(batch, n, 7, dtype=calm.dtype, device=calm.device)
        lens = torch.zeros(batch, 2, dtype=calm.dtype, device=calm.device)
        own = torch.where(problem.precision > 0.0, problem.precision, 1.0)
        pull = (problem.depth - state.depth) * problem.precision
        through_owner = torch.zeros(batch, n, 7, p, dtype=calm.dtype, device=calm.device)
        for (o, a, b), squares in zip(self.pairs, square, strict=True):
            robust = (kernel**2 / (squares + kernel**2)) ** 2
            weight = problem.weight[o, :, a] * calm[:, a] * robust
            by = self.derivatives(state, o, a, b)
            heavy = by * weight[:, :, None, None]
            products = heavy.flatten(3) @ by.flatten(3).mT
            i, j = number[a], number[b]
            blocks[:, j, j] += products[:, :, _SEER, _SEER]
            blocks[:, i, i] += products[:, :, _OWNER, _OWNER]
            blocks[:, j, i] += products[:, :, _SEER, _OWNER]
            blocks[:, i, j] += products[:, :, _OWNER, _SEER]
            right[:, b] += products[:, :, _SEER, _OFF]
            right[:, a] += products[:, :, _OWNER, _OFF]
            bend[:, b] += products[:, :, _SEER, _LENS]
            bend[:, a] += products[:, :, _OWNER, _LENS]
            lens += products[:, :, _LENS, _LENS:].sum(dim=1)
            if self.coupling is not None:
                with_depth = (heavy * by[:, :, _DEPTH : _DEPTH + 1]).sum(dim=3)
                own[:, a] += with_depth[:, :, _DEPTH]
                pull[:, a] += with_depth[:, :, _OFF]
                through_owner[:, a] += with_depth[:, :, _OWNER]
                self.coupling[:, j, :, i] = with_depth[:, :, _SEER].transpose(0, 1)
        matrix = blocks.transpose(2, 3).reshape(batch, 7 * n, 7 * n)
        vector = right.flatten(1)
        coupling = None
        if self.coupling is not None:
            self.coupling[:, number, :, number] = through_owner.transpose(0, 1)
            coupling = self.coupling.reshape(batch, 7 * n, n * p)
            share = coupling / own.reshape(batch, 1, n * p)
            matrix = matrix - share @ coupling.mT
            vector = vector - (share @ pull.reshape(batch, n * p, 1))[..., 0]
        bent = bend.flatten(1)[:, :, None]
        matrix = torch.cat(
            [
                torch.cat([matrix, bent], dim=2),
                torch.cat([bent.mT, lens[:, None, :1]], dim=2),
            ],
            dim=1,
        )
        vector = torch.cat([vector, lens[:, 1:]], dim=1)
        matrix = self.shared @ matrix @ self.shared.T
        vector = vector @ self.shared.T - self.precision * self.offset(state)
        both = self.free[:, :, None] & self.free[:, None]
        diagonal = torch.where(self.free, self.precision + _LEAST_INFORMATION, 1.0)
        matrix = torch.where(both, matrix, 0.0) + torch.diag_embed(diagonal)
        damped = matrix + torch.diag_embed(
            damping[:, None] * torch.diagonal(matrix, dim1=1, dim2=2)
        )
        change = torch.linalg.solve(damped, torch.where(self.free, vector, 0.0))
        depth = state.depth
        if coupling is not None:
            each = (change @ self.shared)[:, None, :-1] @ coupling
            depth = depth + (pull - each.reshape(batch, n, p)) / own
            depth = depth.clamp(0.0, _NEAREST)
        return self._moved(state, change, depth), matrix

    def _moved(self, state: _State, change: Tensor, depth: Tensor) -> _State:
        turn, travel, swell, bend = _LARGEST_STEP
        frames = change[:, :-2].reshape(*state.zooms.shape, 7)
        low, high = np.log(FOCAL_RANGE)
        expected = self.problem.focal.log()
        focal = state.log_focal + change[:, -2].clamp(-swell, swell)
        lens = state.lens + change[:, -1].clamp(-bend, bend)
        return _State(
            rotations=state.rotations @ _exp(frames[..., :3].clamp(-turn, turn)),
            centers=state.centers + frames[..., 3:6].clamp(-travel, travel),
            zooms=state.zooms + frames[..., 6].clamp(-swell, swell),
            log_focal=torch.clamp(focal, expected + low, expected + high),
            lens=lens.clamp(*LENS_RANGE),
            depth=depth,
        )

    def solutions(
        self, state: _State, square: Sequence[Tensor], energy: Tensor, normal: Tensor
    ) -> list[Solution]:
        """The paths, each in the world of its first camera."""
        problem = self.problem
        residual = torch.zeros_like(problem.weight)
        for (o, a, _), squares in zip(self.pairs, square, strict=True):
            residual[o, :, a] = squares.sqrt() * problem.noise[:, None, None]
        sigmas = self._sigmas(state, normal)
        seen = self._seen()
        arrays = [part.cpu().numpy() for part in (*state.tensors, residual, energy, sigmas, seen)]
        rotations, centers, zooms, log_focal, lens, depth = arrays[:6]
        residuals, energies, sigma, connected = arrays[6:]
        found = []
        for row, (n, p) in enumerate(problem.shapes):
            # Where nothing is seen the priors would pull the camera home; it stays where it was.
            held = _nearest(connected[row, :n])
            home, zoom = rotations[row, held[0]], zooms[row, held]
            found.append(
                Solution(
                    rotations=home.T @ rotations[row, held],
                    centers=(centers[row, held] - centers[row, held[0]]) @ home,
                    zooms=zoom - zoom[0],
                    focal=float(np.exp(log_focal[row] + zoom[0])),
                    inverse_depth=depth[row, :n, :p].ravel(),
                    residual=residuals[:, row, :n, :p].ravel(),
                    energy=float(energies[row]),
                    sigmas=sigma[row, :n],
                    lens=float(lens[row]),
                )
            )
        return found

    def _seen(self) -> Tensor:
        """(B, N) whether anything connects a frame with another."""
        each = torch.zeros_like(self.problem.depth[..., 0])
        for o, a, b in self.pairs:
            weight = self.problem.weight[o, :, a].sum(dim=2)
            each[:, a] += weight
            each[:, b] += weight
        return each > 0.0

    def _sigmas(self, state: _State, normal: Tensor) -> Tensor:
        """(B, N, 7) standard deviations, in each camera's own axes."""
        batch, n = state.zooms.shape
        variance = torch.linalg.inv(normal) * self.free[:, None]
        frames = variance[:, :-2, :-2].reshape(batch, n, 7, n, 7)
        own = frames[:, self.number, :, self.number].transpose(0, 1)
        turned = state.rotations.mT @ own[..., 3:6, 3:6] @ state.rotations
        diagonal = torch.diagonal(own, dim1=2, dim2=3).clone()
        diagonal[..., 3:6] = torch.diagonal(turned, dim1=2, dim2=3)
        return (diagonal.clamp(min=0.0) * INFLATION).sqrt()


class _View:
    """Where the cells of frames ``a`` are in frames ``b``; everything is (B, n, P) or smaller."""

    def __init__(self, problem: Problem, state: _State, o: int, a: slice, b: slice) -> None:
        log_focal = state.log_focal[:, None] + state.zooms
        focal = log_focal.exp()[..., None]
        xy = problem.xy[:, a]
        # The lens acts like a focal length that changes towards the edge; far is squared.
        expected = problem.focal[:, None, None] ** 2
        far = (problem.seen[o, :, a] ** 2).sum(dim=-1) / expected
        from_far = (xy**2).sum(dim=-1) / expected
        lens = state.lens[:, None, None]
        bent, from_bent = 1.0 + lens * far, 1.0 + lens * from_far
        self.bends, self.from_bends = far / bent, from_far / from_bent
        self.focal, from_focal = focal[:, b] * bent, focal[:, a] * from_bent
        self.from_x, self.from_y = xy[..., 0] / from_focal, xy[..., 1] / from_focal
        self.back = state.rotations[:, b].mT
        self.turn = self.back @ state.rotations[:, a]
        way = state.centers[:, a] - state.centers[:, b]
        self.base = (self.back @ way[..., None])[..., 0]
        turn, base, depth = self.turn[..., None], self.base[..., None], state.depth[:, a]
        across, down, ahead = (
            self.from_x * turn[:, :, k, 0]
            + self.from_y * turn[:, :, k, 1]
            + turn[:, :, k, 2]
            + depth * base[:, :, k]
            for k in range(3)
        )
        self.z = ahead.clamp(min=_LEAST_Z)
        self.x, self.y = across / self.z, down / self.z


def _exp(turns: Tensor) -> Tensor:
    """(..., 3, 3) rotation matrices of rotation vectors (..., 3)."""
    x, y, z = turns.unbind(-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1)
    rotations: Tensor = torch.linalg.matrix_exp(cross.reshape(*turns.shape, 3))
    return rotations


def _log(rotations: Tensor) -> Tensor:
    """(..., 3) rotation vectors of matrices (..., 3, 3)."""
    skew = rotations - rotations.mT
    axis = 0.5 * torch.stack([skew[..., 2, 1], skew[..., 0, 2], skew[..., 1, 0]], dim=-1)
    sine = torch.linalg.vector_norm(axis, dim=-1)
    cosine = 0.5 * (torch.diagonal(rotations, dim1=-2, dim2=-1).sum(dim=-1) - 1.0)
    angle = torch.atan2(sine, cosine)
    longer: Tensor = torch.where(sine > 1e-9, angle / sine.clamp(min=1e-9), 1.0)
    return axis * longer[..., None]


def _nearest(connected: np.ndarray) -> IntArray:
    """(N,) for each frame itself, or the nearest one that is connected."""
    frames = np.flatnonzero(connected)
    everyone = np.arange(len(connected))
    if not len(frames):
        return everyone
    return np.asarray(frames[np.abs(frames[None] - everyone[:, None]).argmin(axis=1)])
