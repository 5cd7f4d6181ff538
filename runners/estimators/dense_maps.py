"""Depth and movement of whole pictures, out of what an adjustment says of their cells."""

from collections.abc import Sequence

import cv2
import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.bundle import Solution
from dollygrip.runners.estimators.dense_bundle import INFLATION, Sight
from dollygrip.runners.estimators.dense_flow import FlowGraph
from dollygrip.runners.formats.maps import SceneMaps

# A depth is known when its standard deviation is at most this share of it.
_SURE = 0.3
# What is further than this many scene depths is as good as infinitely far.
_FARTHEST = 1000.0
# Cells of which nothing is known move as their neighbours do, up to about so many cells away.
_REACH = 1.5


def scene_maps(times: FloatArray, graph: FlowGraph, path: Solution, sight: Sight) -> SceneMaps:
    """Depth and movement of the keyframes, one value a cell.

    Args:
        times: (N,) seconds of the keyframes.
        graph: What was seen.
        path: What explains it.
        sight: What that makes of every cell.
    """
    shape = (len(times), *graph.grid)
    missed = 1.0 - sight.explained
    moving = missed**2 / (missed**2 + sight.explained**2)
    moving = np.stack([_filled(one) for one in moving.reshape(shape)])
    near = np.maximum(path.inverse_depth.reshape(shape), 1.0 / _FARTHEST)
    known = sight.information.reshape(shape) * (_SURE * near) ** 2 > INFLATION
    depths = np.where(known & (moving < 0.5), 1.0 / near, np.nan)
    return SceneMaps(times, depths.astype(np.float32), moving.astype(np.float32))


def joined(maps: Sequence[SceneMaps]) -> SceneMaps | None:
    """The maps of the pieces of a shot; what two pieces share is taken from the first."""
    if not maps:
        return None
    times = np.concatenate([one.times for one in maps])
    new = np.diff(times, prepend=-np.inf) > 0.0
    return SceneMaps(
        times[new],
        np.concatenate([one.depths for one in maps])[new],
        np.concatenate([one.moving for one in maps])[new],
    )


def _filled(values: FloatArray) -> FloatArray:
    """A map without its gaps: NaN becomes what is around it, or 0."""
    known = np.isfinite(values)
    weight = cv2.GaussianBlur(known.astype(np.float64), (0, 0), _REACH)
    total = cv2.GaussianBlur(np.where(known, values, 0.0), (0, 0), _REACH)
    around = np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-3)
    return np.where(known, values, around)
