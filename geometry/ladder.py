"""A ladder of motion models, from nothing to everything, weighed against each other.

A freer model always explains a little more: depths soak up noise, a zoom soaks up a dolly. So each
must explain more by a margin before it is believed (the trade-off of GRIC; Torr, IJCV 2002).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.geometry.bundle import (
    Solution,
    adjust,
    explained_share,
    standing_still,
)
from dollygrip.geometry.lookalikes import (
    inside_out,
    turns_as_travel,
    zoom_against_dolly,
    zoom_as_dolly,
)
from dollygrip.geometry.observations import Observations, sample
from dollygrip.geometry.rotations import exp, log

STATIC, ROTATION, ZOOM, TRANSLATION, ALL = (
    "static",
    "rotation",
    "rotation+zoom",
    "rotation+translation",
    "all",
)
MODELS = (STATIC, ROTATION, ZOOM, TRANSLATION, ALL)
MOVING = MODELS[1:]

# What each model must explain more than a plain rotation, as a share of what the best explains.
# Rendered pans leave translation less than 0.15 to gain, real ones up to 0.3 and warped AI pictures
# up to 0.4 (lenses, subjects); rendered trucks leave 0.4 and more, dollies 0.25 more than a zoom.
# Set on rendered and real clips in aggregate. The sharpness is how fast belief changes around that.
PRICES = {ROTATION: 0.0, ZOOM: 0.14, TRANSLATION: 0.4, ALL: 0.49}
SHARPNESS = 0.05

# A zoom looks like a dolly in a scene that is flat or far all over. Some scenes are: this share,
# just enough to call a zoom without parallax ambiguous.
FLAT = 0.22

# Pixels of a picture 480 wide: noise of a tracked point, coarsest and finest kernel of the search.
NOISE, COARSEST, FINEST = 0.5, 30.0, 1.5
COARSE = np.append(np.geomspace(COARSEST, 2.0, 5), [FINEST] * 2)
FINE = np.append(np.geomspace(COARSEST, 2.0, 10), [FINEST] * 6)
CLOSING = FINE[4:]
SETTLING = np.append(np.geomspace(20.0, 2.0, 6), [FINEST] * 4)
# Travel is searched for in this many frames and tracks, and settled in all.
SCOUT_FRAMES, SCOUT_TRACKS = 8, 100
# What counts as explained: this many times the median residual of the best model, so that a sharp
# picture shows a parallax that a noisy one hides; and its bounds in pixels.
_SCALE, _SCALE_LEAST, _SCALE_MOST = 2.5, 0.3, 3.0
# A wide lens bends a turn's picture as parallax would. It is believed when it is as strong as an
# action camera's and a turn through it explains this share of what the best model does. Rendered
# ones have -0.5 and less, and 0.74 and more; travel looks like -0.45, or like 0.6 at most.
WIDE_LENS, LENS_EXPLAINS = -0.4, 0.67
# Side of a part of the picture, pixels.
_PART = 60.0
# Parts of the time that are looked at one by one, the fewest observations that tell of one, and how
# little a turn may leave to other models where it is all that happens.
_PARTS, _LEAST_OF_PART, _LACKS_NOTHING = 6, 20, 0.1
# Standing still explains this much of a picture in which nothing but subjects moves.
_SURELY_STILL = 0.6


@dataclass(frozen=True, eq=False)
class Climb:
    """What the models say of one stretch of a shot.

    Attributes:
        solutions: The path under each model; that of a simpler one where a model was not tried.
        explained: Share of the observations each explains, 0 to 1.
        beliefs: Probability of each moving model, given that the camera moves.
        observations: How many there are.
    """

    solutions: Mapping[str, Solution]
    explained: Mapping[str, float]
    beliefs: Mapping[str, float]
    observations: int


def climb(
    seen: Observations, start: Solution, focal: float, unit: float, *, stands: bool = False
) -> Climb:
    """Fit the models and weigh them.

    Args:
        seen: Tracks in the keyframes.
        start: A chain of turns and zooms to start from.
        focal: Expected focal length, pixels.
        unit: Long side of the picture over 480.
        stands: Whether much of the picture stands still. If standing still then explains the
            tracks too, nothing above a rotation is tried.
    """
    still = standing_still(seen, focal)
    solve = _Solver(seen, focal, unit)
    turned = solve(_without_zoom(start), COARSE, translate=False, zoom=False)
    if stands and explained_share(still.residual, NOISE * unit) > _SURELY_STILL:
        solutions = {STATIC: still} | dict.fromkeys(MOVING, turned)
        beliefs = dict.fromkeys(MOVING, 0.0) | {ROTATION: 1.0}
        return Climb(solutions, _explained(solutions, seen, unit), beliefs, len(seen.xy))
    zoomed = solve(start, COARSE, translate=False, zoom=True)
    kept = np.unique(np.linspace(0, seen.frames - 1, SCOUT_FRAMES).round().astype(np.intp))
    few = sample(seen, kept, SCOUT_TRACKS)
    travelled, everything = _scout(
        _Solver(few, focal, unit), _at(kept, turned, few), _at(kept, zoomed, few)
    )
    solutions = {
        STATIC: still,
        ROTATION: turned,
        ZOOM: zoomed,
        TRANSLATION: solve(
            _spread(travelled, kept, turned, seen), SETTLING, translate=True, zoom=False
        ),
        ALL: solve(_spread(everything, kept, zoomed, seen), SETTLING, translate=True, zoom=True),
    }
    explained = _explained(solutions, seen, unit)
    beliefs = weigh(_where_turns_fail(solutions, seen, unit) or explained)
    if beliefs[TRANSLATION] + beliefs[ALL] > 0.5:
        bent = solve(_without_zoom(start), COARSE, translate=False, zoom=False, bend=True)
        share = _explained(solutions | {ROTATION: bent}, seen, unit)
        if bent.lens < WIDE_LENS and share[ROTATION] > LENS_EXPLAINS * max(share.values()):
            zoomed = replace(bent, zooms=start.zooms)
            zoomed = solve(zoomed, COARSE, translate=False, zoom=True, bend=True)
            solutions |= {ROTATION: bent, ZOOM: zoomed}
            explained = _explained(solutions, seen, unit)
            beliefs = weigh(explained)
    return Climb(solutions, explained, beliefs, len(seen.xy))


def _scout(solve: "_Solver", turned: Solution, zoomed: Solution) -> tuple[Solution, Solution]:
    """Paths with travel, and with travel and zoom: the best found from several starts."""
    # Without parallax the focal length may have run away; travel is not to start from there.
    turned, zoomed = _sane(turned, solve.focal), _sane(zoomed, solve.focal)
    starts = (turned, zoom_as_dolly(zoomed), turns_as_travel(zoomed))
    travelled = _best(solve(path, FINE, translate=True, zoom=False) for path in starts)
    other = solve(inside_out(travelled), FINE[2:], translate=True, zoom=False)
    travelled = _best([travelled, other])
    starts = (travelled, zoomed, zoom_against_dolly(zoomed))
    everything = _best(solve(path, CLOSING, translate=True, zoom=True) for path in starts)
    return travelled, everything


class _Solver:
    """The adjustment of some observations, at kernel scales for a picture 480 wide."""

    def __init__(self, seen: Observations, focal: float, unit: float) -> None:
        self.focal = focal
        self._seen, self._unit = seen, unit

    def __call__(
        self,
        path: Solution,
        scales: FloatArray,
        *,
        translate: bool,
        zoom: bool,
        bend: bool = False,
    ) -> Solution:
        return adjust(
            self._seen,
            path,
            translate=translate,
            zoom=zoom,
            focal_prior=self.focal,
            noise=NOISE * self._unit,
            scales=scales * self._unit,
            bend=bend,
        )


def _without_zoom(path: Solution) -> Solution:
    return replace(path, zooms=np.zeros(len(path.zooms)))


def _at(kept: IntArray, path: Solution, few: Observations) -> Solution:
    """A path at some of its frames, for the tracks seen there."""
    return replace(
        path,
        rotations=path.rotations[kept],
        centers=path.centers[kept],
        zooms=path.zooms[kept],
        inverse_depth=few.inverse_depth,
    )


def _spread(found: Solution, kept: IntArray, base: Solution, seen: Observations) -> Solution:
    """A path found at some frames, at all of them: the base path, bent to pass through it."""
    frames = np.arange(seen.frames)

    def between(values: FloatArray) -> FloatArray:
        return np.stack([np.interp(frames, kept, column) for column in values.T], axis=1)

    bend = log(np.swapaxes(base.rotations[kept], 1, 2) @ found.rotations)
    return replace(
        found,
        rotations=base.rotations @ exp(between(bend)),
        centers=between(found.centers),
        zooms=base.zooms + np.interp(frames, kept, found.zooms - base.zooms[kept]),
        inverse_depth=seen.inverse_depth,
    )


def weigh(explained: Mapping[str, float]) -> dict[str, float]:
    """Probability of each moving model from what each explains."""
    best = max(max(explained[model] for model in MOVING), 1e-6)
    score = np.array([(explained[m] / best - PRICES[m]) / SHARPNESS for m in MOVING])
    belief = np.exp(score - score.max())
    belief /= belief.sum()
    beliefs: dict[str, float] = dict(zip(MOVING, belief.tolist(), strict=True))
    if explained[TRANSLATION] > 0.95 * explained[ZOOM]:
        least = FLAT * (beliefs[ZOOM] + beliefs[TRANSLATION])
        missing = max(least - beliefs[TRANSLATION], 0.0)
        beliefs[TRANSLATION] += missing
        beliefs[ZOOM] -= missing
    return beliefs


def _explained(
    solutions: Mapping[str, Solution],
    seen: Observations,
    unit: float,
    inside: BoolArray | None = None,
) -> dict[str, float]:
    """Share of the observations, or of those ``inside``, that each model explains."""
    medians = [
        float(np.median(path.residual))
        for model, path in solutions.items()
        if model != STATIC and len(path.residual)
    ]
    finest = min(medians, default=0.0)
    scale = float(np.clip(_SCALE * finest, _SCALE_LEAST * unit, _SCALE_MOST * unit))
    weights = _spread_out(seen, unit)
    if inside is not None:
        weights = weights * inside
    return {
        model: explained_share(path.residual, scale, weights) for model, path in solutions.items()
    }


def _where_turns_fail(
    solutions: Mapping[str, Solution], seen: Observations, unit: float
) -> dict[str, float] | None:
    """What the models explain in the half of the time in which a turn explains least.

    A shot that travels and then turns is explained by a turn for half of its time, and the other
    half must not be held against that. None where turns do not explain the better half: what they
    lack then, they lack all along, as where a lens or a subject bends the picture.
    """
    part = seen.frame * _PARTS // seen.frames
    there = np.flatnonzero(np.bincount(part, minlength=_PARTS) > _LEAST_OF_PART)
    by_part = [_explained(solutions, seen, unit, part == p) for p in there]
    lacking = [1.0 - e[ROTATION] / max(max(e[m] for m in MOVING), 1e-6) for e in by_part]
    order = np.argsort(lacking)
    better, worse = order[: len(order) // 2], order[len(order) // 2 :]
    if not len(better) or np.median(np.take(lacking, better)) > _LACKS_NOTHING:
        return None
    return _explained(solutions, seen, unit, np.isin(part, there[worse]))


def _spread_out(seen: Observations, unit: float) -> FloatArray:
    """(K,) weights of the observations: a detailed subject must not outvote bare walls.

    Halfway between counting observations and counting the parts of the picture they are in.
    """
    part = np.floor(seen.xy / (_PART * unit)).astype(np.intp)
    _, number, count = np.unique(part, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / np.sqrt(count[number.ravel()]))


def _best(paths: Iterable[Solution]) -> Solution:
    return min(paths, key=lambda path: path.energy)


def _sane(path: Solution, focal: float) -> Solution:
    return replace(path, focal=float(np.clip(path.focal, 0.7 * focal, 2.0 * focal)))
