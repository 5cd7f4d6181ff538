"""The ladder of motion models on dense flow, for several shots at once.

The rungs, the starts, the prices and the weighing are those of ``geometry/ladder.py``; only what is
adjusted differs. Travel is searched for in one cell of nine, and settled in all; where it is
believed, a turn through a wide lens is tried against it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.bundle import Solution, explained_share
from dollygrip.geometry.ladder import (
    ALL,
    CLOSING,
    COARSE,
    FINE,
    LENS_EXPLAINS,
    MODELS,
    NOISE,
    ROTATION,
    STATIC,
    TRANSLATION,
    WIDE_LENS,
    ZOOM,
    weigh,
)
from dollygrip.geometry.lookalikes import (
    inside_out,
    turns_as_travel,
    zoom_against_dolly,
    zoom_as_dolly,
)
from dollygrip.runners.estimators.dense_bundle import Problem, Sight, adjust, inspect, stack
from dollygrip.runners.estimators.dense_depth import Expected, aligned
from dollygrip.runners.estimators.dense_flow import CELL, FlowGraph

BLOCK = 3
"""Cells to a side of a block that one of them speaks for in the search."""

# Kernel scales, in pixels of a picture 480 wide, of settling in all cells.
_SETTLING = np.array([6.0, 4.0, 2.5, 1.5, 1.5, 1.5])
# As in ``geometry/ladder.py``: what counts as explained, by the median residual of the best model.
_SCALE, _SCALE_LEAST, _SCALE_MOST = 2.5, 0.3, 3.0
# Sightings that are believed less say nothing of how large residuals are.
_BELIEVED = 0.3
# A cell that misses its sightings by this much, in pixels of a picture 480 wide, is as likely as
# not to move by itself.
_MOVES = 1.5
# Cells to a side of a part of the picture.
_PART = 6
# The typical depth found may differ from what was expected by this factor.
_DEEPER = 5.0


@dataclass(frozen=True, eq=False)
class Stretch:
    """Keyframes of a shot, before they are explained.

    Attributes:
        graph: What was seen.
        plain: What is thought of depths when nothing is known.
        model: What a depth model says of them, if there is one.
        rotations: (N, 3, 3) world_from_camera of a chain of turns: where to start.
        zooms: (N,) log focal lengths against the first, of the same chain.
        focal: Expected focal length, pixels.
    """

    graph: FlowGraph
    plain: Expected
    model: Expected | None
    rotations: FloatArray
    zooms: FloatArray
    focal: float

    @property
    def unit(self) -> float:
        """Pixels of this picture to one of a picture 480 wide."""
        return max(self.graph.size) / 480.0

    @property
    def expected(self) -> Expected:
        """What is thought of depths before a path is known.

        The zero of a depth model is not known until then, so that it counts no more than any guess.
        """
        if self.model is None:
            return self.plain
        return Expected(self.model.mean, self.plain.precision)

    def path(self) -> Solution:
        """The chain as a path to start from."""
        n = len(self.zooms)
        return Solution(
            rotations=self.rotations,
            centers=np.zeros((n, 3)),
            zooms=self.zooms,
            focal=self.focal,
            inverse_depth=self.expected.mean.ravel(),
            residual=np.zeros(0),
            energy=float("inf"),
            sigmas=np.zeros((n, 7)),
        )


@dataclass(frozen=True, eq=False)
class DenseClimb:
    """What the models say of one stretch.

    Attributes:
        solutions: The path under each model; inverse depths are (N * P,), residuals (O * N * P,).
        explained: Share of what was seen that each explains, 0 to 1.
        beliefs: Probability of each moving model, given that the camera moves.
        residuals: Median pixels by which each model misses what was seen.
        pairs: How many pairs of keyframes there are, counted both ways.
        sights: What each model makes of every cell, if asked.
    """

    solutions: Mapping[str, Solution]
    explained: Mapping[str, float]
    beliefs: Mapping[str, float]
    residuals: Mapping[str, float]
    pairs: int
    sights: Mapping[str, Sight]


def climb(stretches: Sequence[Stretch], device: str, *, look: bool = False) -> list[DenseClimb]:
    """Fit the models to every stretch and weigh them.

    Args:
        stretches: Of any number of shots.
        device: Where to adjust.
        look: Whether to give ``sights``.
    """
    full = _stacked(stretches, device)
    chains = [one.path() for one in stretches]
    still = [_standing(one) for one in stretches]
    turned = _adjusted(full, [_zoomless(path) for path in chains], COARSE)
    zoomed = _adjusted(full, chains, COARSE, zoom=True)
    travelled, everything = _scout(stretches, turned, zoomed, device)
    travelled = _settle(full, stretches, travelled, zoom=False)
    everything = _settle(full, stretches, everything, zoom=True)
    rungs = {STATIC: still, ROTATION: turned, ZOOM: zoomed, TRANSLATION: travelled, ALL: everything}
    solutions = [{model: paths[row] for model, paths in rungs.items()} for row in range(len(still))]
    solutions = _through_wide_lenses(full, stretches, solutions)
    sights: list[dict[str, Sight]] = [{} for _ in stretches]
    for model in MODELS if look else ():
        paths = [one[model] for one in solutions]
        for row, sight in enumerate(inspect(full, paths, _MOVES / NOISE)):
            sights[row][model] = sight
    return [
        _weighed(one, paths, sight)
        for one, paths, sight in zip(stretches, solutions, sights, strict=True)
    ]


def _through_wide_lenses(
    full: Problem, stretches: Sequence[Stretch], solutions: Sequence[dict[str, Solution]]
) -> list[dict[str, Solution]]:
    """Turns through a bent lens, where that explains what travel was believed to; see ``climb``."""
    told = list(solutions)
    travels = []
    for row, (one, paths) in enumerate(zip(stretches, told, strict=True)):
        beliefs = weigh(_explained(one, paths))
        if beliefs[TRANSLATION] + beliefs[ALL] > 0.5:
            travels.append(row)
    if not travels:
        return told
    chains = [stretches[row].path() for row in travels]
    turned = _adjusted(full.rows(travels), [_zoomless(path) for path in chains], COARSE, bend=True)
    wide = []
    for row, path in zip(travels, turned, strict=True):
        explained = _explained(stretches[row], told[row] | {ROTATION: path})
        if path.lens < WIDE_LENS and explained[ROTATION] > LENS_EXPLAINS * max(explained.values()):
            told[row] = told[row] | {ROTATION: path}
            wide.append(row)
    if wide:
        starts = [replace(told[row][ROTATION], zooms=stretches[row].zooms) for row in wide]
        zoomed = _adjusted(full.rows(wide), starts, COARSE, zoom=True, bend=True)
        for row, path in zip(wide, zoomed, strict=True):
            told[row] = told[row] | {ZOOM: path}
    return told


def _adjusted(
    problem: Problem,
    starts: Sequence[Solution],
    scales: FloatArray,
    *,
    translate: bool = False,
    zoom: bool = False,
    bend: bool = False,
) -> list[Solution]:
    """:func:`adjust` with kernel scales in pixels of a picture 480 wide."""
    return adjust(problem, starts, translate=translate, zoom=zoom, scales=scales / NOISE, bend=bend)


def _scout(
    stretches: Sequence[Stretch],
    turned: Sequence[Solution],
    zoomed: Sequence[Solution],
    device: str,
) -> tuple[list[Solution], list[Solution]]:
    """Paths with travel, and with travel and zoom: the best found from several starts."""
    thin = [_thinned(one) for one in stretches]
    few = _stacked(thin, device)

    def best(
        starts: Sequence[Sequence[Solution]], scales: FloatArray, *, zoom: bool = False
    ) -> list[Solution]:
        """For each stretch the best found from several starts, all adjusted at once."""
        count = len(thin)
        paths = _adjusted(
            few.rows([row for _ in starts for row in range(count)]),
            [path for start in starts for path in start],
            scales,
            translate=True,
            zoom=zoom,
        )
        return [_better(*paths[row::count]) for row in range(count)]

    turned = [_sane(path, one) for path, one in zip(turned, thin, strict=True)]
    zoomed = [_sane(path, one) for path, one in zip(zoomed, thin, strict=True)]
    dollied, shifted = [zoom_as_dolly(p) for p in zoomed], [turns_as_travel(p) for p in zoomed]
    travelled = best([turned, dollied, shifted], FINE)
    other = best([[inside_out(path) for path in travelled]], FINE[2:])
    travelled = [_better(*pair) for pair in zip(travelled, other, strict=True)]
    against = [zoom_against_dolly(path) for path in zoomed]
    return travelled, best([travelled, zoomed, against], CLOSING, zoom=True)


def _settle(
    full: Problem, stretches: Sequence[Stretch], found: Sequence[Solution], *, zoom: bool
) -> list[Solution]:
    """Paths with travel, found in some of the cells, adjusted in all of them."""
    starts = [_spread(path, one.graph) for path, one in zip(found, stretches, strict=True)]
    if any(one.model is not None for one in stretches):
        expected = [one.expected for one in stretches]
        before = [
            replace(path, inverse_depth=one.mean.ravel())
            for path, one in zip(starts, expected, strict=True)
        ]
        full = full.expecting(
            [
                _agreed(one, start, sight)
                for one, start, sight in zip(
                    stretches, starts, inspect(full, before, _MOVES / NOISE), strict=True
                )
            ]
        )
    settled = _adjusted(full, starts, _SETTLING, translate=True, zoom=zoom)
    return [_in_scene_depths(path, one) for path, one in zip(settled, stretches, strict=True)]


def _agreed(stretch: Stretch, path: Solution, sight: Sight) -> Expected:
    """What to think of depths once a path was found; see :func:`aligned`."""
    if stretch.model is None:
        return stretch.plain
    # The information is per squared noise, and MegaSaM's pictures are an eighth of the size.
    moved = sight.information * (NOISE * stretch.unit / CELL) ** 2
    found = path.inverse_depth.reshape(stretch.plain.mean.shape)
    return aligned(stretch.model, stretch.plain, found, float(np.median(moved)))


def _stacked(stretches: Sequence[Stretch], device: str) -> Problem:
    return stack(
        [one.graph for one in stretches],
        [one.expected for one in stretches],
        [one.focal for one in stretches],
        [NOISE * one.unit for one in stretches],
        device,
    )


def _thinned(stretch: Stretch) -> Stretch:
    """The same, with one cell of each block: the one that is seen best."""
    graph = stretch.graph
    cells = _blocks(graph.grid)
    strength = graph.confidence.sum(axis=0)[:, cells]
    best = np.take_along_axis(cells[None], strength.argmax(axis=2)[..., None], axis=2)[..., 0]

    def thin(expected: Expected) -> Expected:
        return Expected(
            np.take_along_axis(expected.mean, best, axis=1),
            np.take_along_axis(expected.precision, best, axis=1),
        )

    return replace(
        stretch,
        graph=replace(
            graph,
            grid=(graph.grid[0] // BLOCK, graph.grid[1] // BLOCK),
            xy=np.take_along_axis(graph.xy, best[..., None], axis=1),
            seen=np.take_along_axis(graph.seen, best[None, ..., None], axis=2),
            confidence=np.take_along_axis(graph.confidence, best[None], axis=2),
        ),
        plain=thin(stretch.plain),
        model=None if stretch.model is None else thin(stretch.model),
    )


def _blocks(grid: tuple[int, int]) -> IntArray:
    """(blocks, cells of a block) numbers of cells; what does not fill a block is left out."""
    rows, columns = grid[0] // BLOCK, grid[1] // BLOCK
    number = np.arange(grid[0] * grid[1]).reshape(grid)
    inside = number[: rows * BLOCK, : columns * BLOCK]
    parts = inside.reshape(rows, BLOCK, columns, BLOCK).swapaxes(1, 2)
    return parts.reshape(-1, BLOCK * BLOCK)


def _spread(path: Solution, graph: FlowGraph) -> Solution:
    """A path found in one cell of each block, with depths for all of them."""
    rows, columns = graph.grid
    high, wide = rows // BLOCK, columns // BLOCK
    blocks = path.inverse_depth.reshape(len(path.zooms), high, wide)
    row = np.minimum(np.arange(rows) // BLOCK, high - 1)
    column = np.minimum(np.arange(columns) // BLOCK, wide - 1)
    return replace(path, inverse_depth=blocks[:, row[:, None], column].ravel())


def _in_scene_depths(path: Solution, stretch: Stretch) -> Solution:
    """The same path in a unit in which the median depth of what was seen well is 1."""
    seen = stretch.graph.confidence.max(axis=0).ravel() > _BELIEVED
    if not seen.any():
        return path
    middle = float(np.median(path.inverse_depth[seen]))
    unit = float(np.clip(middle, 1.0 / _DEEPER, _DEEPER))
    scale = np.ones(7)
    scale[3:6] = unit
    return replace(
        path,
        centers=path.centers * unit,
        inverse_depth=path.inverse_depth / unit,
        sigmas=path.sigmas * scale,
    )


def _better(*paths: Solution) -> Solution:
    return min(paths, key=lambda path: path.energy)


def _zoomless(path: Solution) -> Solution:
    return replace(path, zooms=np.zeros(len(path.zooms)))


def _sane(path: Solution, stretch: Stretch) -> Solution:
    """A start for travel: without parallax the focal length may have run away."""
    return replace(
        path,
        focal=float(np.clip(path.focal, 0.7 * stretch.focal, 2.0 * stretch.focal)),
        inverse_depth=stretch.expected.mean.ravel(),
    )


def _standing(stretch: Stretch) -> Solution:
    """The path of a camera that does not move."""
    graph, chain = stretch.graph, stretch.path()
    return replace(
        _zoomless(chain),
        rotations=np.repeat(np.eye(3)[None], len(chain.zooms), axis=0),
        residual=np.linalg.norm(graph.seen - graph.xy, axis=-1).ravel(),
    )


def _weighed(
    stretch: Stretch, solutions: Mapping[str, Solution], sights: Mapping[str, Sight]
) -> DenseClimb:
    explained = _explained(stretch, solutions)
    pairs = int((stretch.graph.confidence.max(axis=2) > 0.0).sum())
    residuals = _residuals(stretch, solutions)
    return DenseClimb(solutions, explained, weigh(explained), residuals, pairs, sights)


def _residuals(stretch: Stretch, solutions: Mapping[str, Solution]) -> dict[str, float]:
    """Median pixels by which each model misses what was seen well."""
    believed = stretch.graph.confidence.ravel() > _BELIEVED
    return {
        model: float(np.median(path.residual[believed])) if believed.any() else 0.0
        for model, path in solutions.items()
    }


def _explained(stretch: Stretch, solutions: Mapping[str, Solution]) -> dict[str, float]:
    """Share of what was seen that each model explains."""
    residuals = _residuals(stretch, solutions)
    finest = min(residual for model, residual in residuals.items() if model != STATIC)
    scale = float(np.clip(_SCALE * finest, _SCALE_LEAST * stretch.unit, _SCALE_MOST * stretch.unit))
    weights = _spread_out(stretch.graph).ravel()
    return {
        model: explained_share(path.residual, scale, weights) for model, path in solutions.items()
    }


def _spread_out(graph: FlowGraph) -> FloatArray:
    """(O, N, P) weights of what was seen: a detailed subject must not outvote bare walls.

    Halfway between counting what was seen and counting the parts of the picture it was seen in.
    """
    rows, columns = graph.grid
    row, column = np.divmod(np.arange(rows * columns), columns)
    part = row // _PART * columns + column // _PART
    seen = graph.confidence.sum(axis=0)
    total = np.stack([np.bincount(part, one) for one in seen])[:, part]
    share = np.divide(1.0, np.sqrt(total), out=np.zeros_like(total), where=total > 0.0)
    return graph.confidence * share
