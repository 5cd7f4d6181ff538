"""Dense optical flow over a graph of keyframes: where every part of a picture went in others.

Each picture is divided into cells of 8 pixels, and each cell is spoken for by its most telling
pixel. Flow is computed both ways between keyframes that are 1, 2, 4 and 8 apart; where the way
there and back ends elsewhere than it began, the flow is worth little.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray
from dollygrip.runners.estimators.overlays import burnt_in

GrayImage = npt.NDArray[np.uint8]
FloatImage = npt.NDArray[np.float32]

CELL = 8
"""Side of a cell, pixels."""
OFFSETS = (-8, -4, -2, -1, 1, 2, 4, 8)
"""How many keyframes lie between a frame and those that its pixels are looked for in."""

# Flow is half believed where going there and back misses by this much, in pixels, or by this share
# of the way.
_MISS, _MISS_SHARE = 0.7, 0.03
# Texture at which a pixel is half believed: smaller eigenvalue of the structure tensor as
# cv2.cornerMinEigenVal scales it. So little that bare walls count beside a detailed subject.
_TEXTURE = 2e-5
_TEXTURE_BLOCK = 7
_BORDER = 2
# Sightings that are believed less do not say where a cell of an overlay is.
_SEEN = 0.1


@dataclass(frozen=True, eq=False)
class FlowGraph:
    """What was seen of N keyframes, each of P cells, in those up to 8 keyframes away.

    Attributes:
        size: (width, height) in pixels.
        grid: (rows, columns) of the cells; P is their product, row by row.
        xy: (N, P, 2) the pixel that speaks for a cell, from the picture's centre, x right, y down.
        seen: (O, N, P, 2) where it is seen in the frame ``OFFSETS[o]`` later.
        confidence: (O, N, P) 0 to 1, how far that can be believed; 0 where there is no such frame.
    """

    size: tuple[int, int]
    grid: tuple[int, int]
    xy: FloatArray
    seen: FloatArray
    confidence: FloatArray


def flow_graph(
    images: Sequence[GrayImage],
    rotations: FloatArray,
    log_focals: FloatArray,
) -> FlowGraph:
    """Flow between keyframes that are 1, 2, 4 and 8 apart.

    Args:
        images: N pictures of one size.
        rotations: (N, 3, 3) world_from_camera, about: where the search starts.
        log_focals: (N,) log of the focal length in pixels, about.
    """
    height, width = images[0].shape
    grid = (height // CELL, width // CELL)
    center = (np.array([width, height]) - 1.0) / 2.0
    count, cells = len(images), grid[0] * grid[1]
    telling = [_telling(image) for image in images]
    pixel = np.stack([at for at, _ in telling])
    texture = np.stack([weight for _, weight in telling])
    seen = np.zeros((len(OFFSETS), count, cells, 2))
    confidence = np.zeros((len(OFFSETS), count, cells))
    search: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    for o, offset in enumerate(OFFSETS):
        if offset < 0:
            continue
        back = OFFSETS.index(-offset)
        for i in range(count - offset):
            j = i + offset
            ways = [
                search.calc(
                    images[a], images[b], _turned((height, width), rotations, log_focals, a, b)
                )
                for a, b in ((i, j), (j, i))
            ]
            for where, frame, there, home in ((o, i, *ways), (back, j, *ways[::-1])):
                at = pixel[frame]
                seen[where, frame], agreed = _followed(at, there, home)
                confidence[where, frame] = texture[frame] * agreed
    return FlowGraph((width, height), grid, pixel - center, seen - center, confidence)


def without_overlays(graph: FlowGraph, unchanging: BoolArray) -> FlowGraph:
    """The same, with no confidence in cells of logos, subtitles and letterbox; see ``burnt_in``.

    Args:
        graph: What was seen.
        unchanging: (H, W) pixels near one that never changed.
    """
    count, cells = graph.xy.shape[:2]
    where = np.concatenate([graph.xy[None], graph.seen])
    there = np.concatenate([np.ones((1, count, cells)), graph.confidence]) > _SEEN
    cell = np.broadcast_to(np.arange(count * cells).reshape(count, cells), there.shape)[there]
    burnt = np.zeros(count * cells, np.bool_)
    burnt[cell[burnt_in(cell, where[there], unchanging)]] = True
    clean = np.where(burnt.reshape(count, cells), 0.0, graph.confidence)
    return replace(graph, confidence=clean)


def _telling(image: GrayImage) -> tuple[FloatArray, FloatArray]:
    """(P, 2) the most telling pixel of each cell, and (P,) how far its flow can be believed."""
    rows, columns = image.shape[0] // CELL, image.shape[1] // CELL
    strength = cv2.cornerMinEigenVal(image, _TEXTURE_BLOCK)
    strength[:_BORDER], strength[-_BORDER:] = 0.0, 0.0
    strength[:, :_BORDER], strength[:, -_BORDER:] = 0.0, 0.0
    inside = strength[: rows * CELL, : columns * CELL]
    cells = inside.reshape(rows, CELL, columns, CELL).swapaxes(1, 2).reshape(-1, CELL * CELL)
    best = cells.argmax(axis=1)
    number = np.arange(len(cells))
    power = cells[number, best].astype(np.float64)
    # In a blank cell no pixel tells more than its middle.
    best = np.where(power > 0.0, best, (CELL // 2) * (CELL + 1))
    x = (number % columns) * CELL + best % CELL
    y = (number // columns) * CELL + best // CELL
    return np.stack([x, y], axis=1).astype(np.float64), power / (power + _TEXTURE)


def _turned(
    shape: tuple[int, int], rotations: FloatArray, log_focals: FloatArray, a: int, b: int
) -> FloatImage:
    """(H, W, 2) flow from frame a to frame b if the camera only turned and zoomed."""
    height, width = shape
    center = (np.array([width, height]) - 1.0) / 2.0
    y, x = np.mgrid[:height:4, :width:4].astype(np.float64)
    rays = np.stack([x - center[0], y - center[1], np.full_like(x, np.exp(log_focals[a]))], axis=-1)
    there = rays @ (rotations[a].T @ rotations[b])
    depth = np.maximum(there[..., 2:], 1e-3 * np.exp(log_focals[a]))
    flow = np.exp(log_focals[b]) * there[..., :2] / depth - rays[..., :2]
    limit = 0.5 * max(width, height)
    small = np.clip(flow, -limit, limit).astype(np.float32)
    return np.ascontiguousarray(cv2.resize(small, (width, height)), np.float32)


def _followed(at: FloatArray, there: FloatImage, home: FloatImage) -> tuple[FloatArray, FloatArray]:
    """(P, 2) where pixels went, and (P,) how far the way back agrees; 0 outside the picture."""
    height, width = there.shape[:2]
    column, row = at.astype(np.intp).T
    way = there[row, column].astype(np.float64)
    end = at + way
    lookup = end.astype(np.float32)
    back = cv2.remap(
        home, lookup[:, :1], lookup[:, 1:], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )[:, 0]
    miss = np.linalg.norm(way + back, axis=1)
    allowed = _MISS + _MISS_SHARE * np.linalg.norm(way, axis=1)
    last = np.array([width - 1, height - 1]) - _BORDER
    inside = ((end >= _BORDER) & (end <= last)).all(axis=1)
    return end, inside / (1.0 + (miss / allowed) ** 4)
