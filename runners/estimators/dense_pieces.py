"""Piece by piece: the pictures of some seconds of a shot are explained and let go.

What is kept of a piece is small, so that a shot of any length fits into memory.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.ladder import ALL, MODELS, MOVING
from dollygrip.geometry.trajectory import FOCAL_PRIOR
from dollygrip.geometry.twoview import accumulate
from dollygrip.runners.estimators.dense_depth import DepthProvider, depths_from, expected_depths
from dollygrip.runners.estimators.dense_flow import CELL, flow_graph, without_overlays
from dollygrip.runners.estimators.dense_ladder import BLOCK, DenseClimb, Stretch, climb
from dollygrip.runners.estimators.dense_maps import scene_maps
from dollygrip.runners.estimators.overlays import PixelRange
from dollygrip.runners.estimators.pieces import Account, depth_spread, subject_share
from dollygrip.runners.estimators.standing import still_share
from dollygrip.runners.estimators.tracks import Tracks, track_pieces
from dollygrip.runners.estimators.windows import chain_steps, fill_in, keyframes, still_stretch
from dollygrip.runners.formats.maps import SceneMaps
from dollygrip.runners.video import Frame

Picture = npt.NDArray[np.uint8]

# Fewer points than these, seen in two neighbouring pictures, say nothing of the way between them.
_FEWEST_SHARED = 5
# Pictures with a shorter side are a line: they have no block of cells.
_NARROWEST = BLOCK * CELL


@dataclass(frozen=True, eq=False)
class Piece:
    """Some seconds of a shot, before they are explained.

    Attributes:
        tracks: Points followed through them.
        steps: (F - 1, 4) turn and zoom from each frame to the next.
        chosen: (N,) frames that are keyframes; none where nothing can be followed.
        stretch: What was seen of them; None where nothing can be followed.
    """

    tracks: Tracks
    steps: FloatArray
    chosen: IntArray
    stretch: Stretch | None


@dataclass(frozen=True, eq=False)
class Told:
    """What is kept of a piece.

    Attributes:
        account: Paths and what they are worth.
        focals: Pixels, of the first keyframe under each model; empty where nothing was adjusted.
        residuals: Median pixels by which each model misses what was seen.
        keyframes: How many there were.
        pairs: How many pairs of them, counted both ways.
        maps: Depth and movement under each model, if asked.
    """

    account: Account
    focals: Mapping[str, float]
    residuals: Mapping[str, float]
    keyframes: int
    pairs: int
    maps: Mapping[str, SceneMaps]


def pieces(
    frames: Iterable[Frame], seconds: float, most_keyframes: int, depth: DepthProvider | None
) -> Iterator[Piece]:
    """A shot, some seconds at a time; the last frame of a piece is the first of the next.

    Args:
        frames: Pictures of one size, in order, grey or RGB; read once.
        seconds: Length of a piece.
        most_keyframes: Pictures of a piece that enter the adjustment.
        depth: A source of monocular depth, for RGB pictures.
    """
    waiting: list[Picture] = []

    def grey() -> Iterator[Frame]:
        for frame in frames:
            waiting.append(frame.image)
            yield replace(frame, image=_grey(frame.image))

    for tracks in track_pieces(grey(), seconds):
        count = len(tracks.times)
        yield _piece(tracks, waiting[:count], most_keyframes, depth)
        del waiting[: count - 1]


def explain(row: Sequence[Piece], device: str, *, maps: bool) -> list[Told]:
    """What the models make of pieces of several shots, adjusted together."""
    stretches = [piece.stretch for piece in row if piece.stretch is not None]
    climbs = iter(climb(stretches, device, look=maps) if stretches else [])
    return [_told(piece, None if piece.stretch is None else next(climbs)) for piece in row]


def _piece(
    tracks: Tracks, pictures: Sequence[Picture], most: int, depth: DepthProvider | None
) -> Piece:
    focal = FOCAL_PRIOR * max(tracks.size)
    steps = chain_steps(tracks, focal)
    connected = np.flatnonzero(_shared(tracks) >= _FEWEST_SHARED)
    if not len(connected) or min(tracks.size) < _NARROWEST:
        return Piece(tracks, steps, np.zeros(0, np.intp), None)
    first, last = int(connected[0]), int(connected[-1]) + 1
    chosen = keyframes(steps, first, last, most)
    turns, zooms = accumulate(steps[first:last])
    turns, zooms = turns[chosen - first], zooms[chosen - first]
    shown = [pictures[number] for number in chosen]
    seen = PixelRange()
    for picture in pictures:
        seen.add(_grey(picture))
    graph = without_overlays(
        flow_graph([_grey(picture) for picture in shown], turns, np.log(focal) + zooms),
        seen.unchanging(),
    )
    stretch = Stretch(
        graph=graph,
        plain=expected_depths(graph),
        model=None if depth is None else depths_from(graph, shown, depth),
        rotations=turns,
        zooms=zooms,
        focal=focal,
    )
    return Piece(tracks, steps, chosen, stretch)


def _told(piece: Piece, done: DenseClimb | None) -> Told:
    tracks, chosen = piece.tracks, piece.chosen
    frames = len(tracks.times)
    focal = FOCAL_PRIOR * max(tracks.size)
    known = tracks.times[:0]
    paths = dict.fromkeys(MOVING, still_stretch(frames, focal))
    maps = {}
    if done is not None and piece.stretch is not None:
        first, last = int(chosen[0]), int(chosen[-1])
        known = tracks.times[first : last + 1]
        paths = {
            model: fill_in(done.solutions[model], chosen, piece.steps, focal).held(
                first, frames - 1 - last
            )
            for model in MOVING
        }
        maps = {
            model: scene_maps(
                tracks.times[chosen], piece.stretch.graph, done.solutions[model], sight
            )
            for model, sight in done.sights.items()
        }
    explained = dict.fromkeys(MODELS, 0.0) if done is None else done.explained
    stillness = still_share(tracks)
    return Told(
        account=Account(
            times=tracks.times,
            size=tracks.size,
            known=known,
            paths=paths,
            explained=explained,
            beliefs=dict.fromkeys(MOVING, 0.0) if done is None else done.beliefs,
            stillness=stillness,
            moving=subject_share(tracks, paths[ALL], explained, stillness),
            depth_spread=0.0 if done is None else depth_spread(done.solutions[ALL]),
            observations=len(tracks.frame),
            continued=len(tracks.frame) - len(np.unique(tracks.track)),
            texture=float(tracks.texture.mean()),
            brightness=float(tracks.brightness.mean()),
        ),
        focals={} if done is None else {m: path.focal for m, path in done.solutions.items()},
        residuals={} if done is None else done.residuals,
        keyframes=len(chosen),
        pairs=0 if done is None else done.pairs,
        maps=maps,
    )


def _shared(tracks: Tracks) -> IntArray:
    """(F - 1,) number of points that each frame shares with the next."""
    order = np.lexsort((tracks.frame, tracks.track))
    frame, track = tracks.frame[order], tracks.track[order]
    shared = frame[:-1][(np.diff(track) == 0) & (np.diff(frame) == 1)]
    return np.bincount(shared, minlength=len(tracks.times) - 1)


def _grey(picture: Picture) -> Picture:
    if picture.ndim == 2:
        return picture
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
