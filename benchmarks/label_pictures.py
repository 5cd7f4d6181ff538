"""A small picture of every label: first and last frame of a clip with exact motion, and its camera.

On the left the first frame over the last one, with arrows that say where things went in the
picture; on the right the camera, grey before and blue after, from where its motion is best seen.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.classifiers.labels import DEFINITIONS
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.rotations import exp
from dollygrip.geometry.synthetic import Motion, Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.rendering import render
from dollygrip.runners.scenery import Image, Panel, Scene

Point = tuple[float, float]
Color = tuple[int, int, int]

FRAME = (144, 96)
DIAGRAM = (150, 196)
_GAP = 4
# Lines are drawn this much larger, then shrunk.
_FINE = 4
_BEFORE, _AFTER, _MOVES = (150, 150, 150), (20, 90, 200), (215, 30, 30)
_SUBJECT, _INK, _PAPER = (200, 60, 50), (70, 70, 70), (255, 255, 255)
# Few colours make small files.
_TONES = 16

# Clear to see, as in `Move`, by the first word or words of a label.
_AMOUNTS = {
    **{"pan": 16.0, "tilt": 11.0, "roll": 20.0},
    **{"truck": 0.28, "pedestal": 0.2, "dolly": 0.4, "zoom": 0.45},
    **{"arc": 36.0, "crane": 24.0, "dolly_zoom": 0.4},
}
_FROM_THE_SIDE = ("tilt_up", "tilt_down", "pedestal_up", "pedestal_down", "crane_up", "crane_down")
_FROM_BEHIND = ("roll_cw", "roll_ccw")
# How far ahead of the camera the subject stands, and how far below it the ground is.
_DISTANCE, _FLOOR = 1.0, 0.3
_TRUNK = (120, 85, 60)


def add_command(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``label_pictures``."""
    parser = commands.add_parser("label_pictures", help="a small picture of every label")
    parser.add_argument("folder", type=Path, help="where to put them")
    parser.set_defaults(run=_run)


def label_picture(name: str) -> Image:
    """(H, W, 3) RGB: what a label looks like, in the picture and in space."""
    path = label_path(name)
    first, last = render(_ends(path), _world())
    loose = name == "shaky"
    if name != "static":
        last = _with_arrows(last, path, loose)
    frames = (_written(first, "first frame"), _written(last, "last frame"))
    if name in _FROM_BEHIND:
        camera = _from_behind(path)
    else:
        camera = _plan(path, from_above=name not in _FROM_THE_SIDE, loose=loose)
    gap = np.full((_GAP, FRAME[0], 3), _PAPER, np.uint8)
    left = np.concatenate([frames[0], gap, frames[1]])
    gap = np.full((len(left), _GAP, 3), _PAPER, np.uint8)
    step = 256 / _TONES
    toned = np.round(np.concatenate([left, gap, camera], axis=1) / step) * step
    return np.asarray(np.minimum(toned, 255), np.uint8)


def label_path(name: str) -> Trajectory:
    """A clear example of a label, as the exact path of its camera."""
    moves: list[Motion] = []
    if name == "shaky":
        moves.append(Shake(1.6, 0.01, seed=5))
    elif name != "static":
        # A crane that comes down is one that goes up, backwards: else it would end below ground.
        risen = name.replace("crane_down", "crane_up")
        moves.append(Move(risen, _AMOUNTS[name.rsplit("_", 1)[0]], distance=_DISTANCE))
    path = camera_path(moves, duration=2.0, rate=12.0, size=FRAME)
    return path.reversed() if name == "crane_down" else path


def _run(options: argparse.Namespace) -> int:
    options.folder.mkdir(parents=True, exist_ok=True)
    for definition in DEFINITIONS:
        picture = cv2.cvtColor(label_picture(definition.name), cv2.COLOR_RGB2BGR)
        file = options.folder / f"{definition.name}.png"
        if not cv2.imwrite(str(file), picture, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
            raise OSError(f"{file} cannot be written")
    print(f"{len(DEFINITIONS)} pictures in {options.folder}")
    return 0


# --- the world ------------------------------------------------------------------------------


def _world() -> Scene:
    """A red box in the middle, posts before it, trees and a house behind: plain, with depth."""
    panels = [
        _wall((-200.0, -60.0, 30.0), (400.0, 0.0, 0.0), (0.0, 61.0, 0.0), (196, 222, 240)),
        *_ground(),
    ]
    for low, high, color in _boxes():
        panels += _box(low, high, color)
    return Scene("plain", tuple(panels), _FLOOR)


def _boxes() -> Iterator[tuple[FloatArray, FloatArray, Color]]:
    def standing(x: float, z: float, wide: float, tall: float, foot: float = 0.0) -> FloatArray:
        low, high = _FLOOR - foot - tall, _FLOOR - foot
        return np.array([[x - wide / 2, low, z - wide / 2], [x + wide / 2, high, z + wide / 2]])

    yield *standing(0.0, _DISTANCE + 0.1, 0.2, 0.36), _SUBJECT
    for x in (-0.24, 0.26):
        yield *standing(x, 0.62, 0.045, 0.2), (90, 100, 120)
    for x, z in ((-0.75, 2.2), (-1.25, 3.2), (0.55, 2.6), (2.3, 3.4)):
        yield *standing(x, z, 0.1, 0.5), _TRUNK
        yield *standing(x, z, 0.45, 0.55, foot=0.4), (70, 140, 80)
    yield *standing(1.7, 4.6, 1.3, 1.1), (235, 205, 140)
    yield *standing(-2.6, 6.5, 1.6, 1.5), (200, 180, 210)


def _box(low: FloatArray, high: FloatArray, color: Color) -> list[Panel]:
    (x0, y0, z0), (w, h, d) = low, high - low
    x1, z1 = high[0], high[2]
    faces = (
        ((x0, y0, z0), (w, 0, 0), (0, h, 0), 1.0),
        ((x1, y0, z1), (-w, 0, 0), (0, h, 0), 0.6),
        ((x0, y0, z1), (0, 0, -d), (0, h, 0), 0.75),
        ((x1, y0, z0), (0, 0, d), (0, h, 0), 0.65),
        ((x0, y0, z1), (w, 0, 0), (0, 0, -d), 1.2),
    )
    return [
        _wall(origin, right, down, tuple(min(255, round(light * c)) for c in color), shell=False)
        for origin, right, down, light in faces
    ]


def _ground() -> list[Panel]:
    """Tiles of half a scene depth, in rows across, so that each is filtered as it needs."""
    colors = np.array([(172, 190, 150), (154, 174, 132)], np.uint8)
    rows = [_wall((-200.0, _FLOOR, 30.0), (400.0, 0.0, 0.0), (0.0, 0.0, -16.0), (163, 182, 141))]
    for row, z in enumerate(np.arange(-2.0, 14.0, 0.5)):
        tiles = colors[(np.arange(48) + row) % 2]
        texture = np.repeat(np.repeat(tiles[None], 8, axis=1), 8, axis=0)
        origin, right, down = (-12.0, _FLOOR, z + 0.5), (24.0, 0.0, 0.0), (0.0, 0.0, -0.5)
        rows.append(_textured(origin, right, down, texture, shell=True))
    return rows


def _wall(
    origin: Sequence[float],
    right: Sequence[float],
    down: Sequence[float],
    color: Sequence[int],
    shell: bool = True,
) -> Panel:
    return _textured(origin, right, down, np.full((16, 16, 3), color, np.uint8), shell)


def _textured(
    origin: Sequence[float],
    right: Sequence[float],
    down: Sequence[float],
    texture: Image,
    shell: bool,
) -> Panel:
    return Panel(np.array(origin), np.array(right), np.array(down), texture, shell)


def _landmarks() -> FloatArray:
    """(M, 3) things whose way through the picture is told."""
    tops = [
        corner
        for low, high, color in _boxes()
        if color != _TRUNK
        for corner in ([low[0], low[1], low[2]], [high[0], low[1], low[2]])
    ]
    return np.array(tops)


# --- the frames -----------------------------------------------------------------------------


def _ends(path: Trajectory) -> Trajectory:
    """First and last pose alone."""
    poses = np.tile(np.eye(4), (2, 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = path.rotations[[0, -1]], path.centers[[0, -1]]
    return Trajectory.from_poses(
        path.times[[0, -1]], poses, size=path.size, focals=path.focals[[0, -1]], scene_depth=1.0
    )


def _with_arrows(frame: Image, path: Trajectory, loose: bool) -> Image:
    """The frame with the ways of landmarks; ``loose`` for ways that lead nowhere."""
    canvas = _enlarged(frame)
    for way in _ways(path):
        width = 0.6 if loose else 1.3
        for color, thickness in (((0, 0, 0), 2.0 * width), ((255, 235, 60), width)):
            _line(canvas, way, color, thickness, head=0.0 if loose else 5.0)
    return _shrunk(canvas, FRAME)


def _ways(path: Trajectory) -> Iterator[list[Point]]:
    """Where landmarks are in each frame, for those that stay in the picture; no two too close."""
    told: list[FloatArray] = []
    for landmark in _landmarks():
        seen = np.einsum("nji,nj->ni", path.rotations, landmark - path.centers)
        if (seen[:, 2] < 0.1).any():
            continue
        way = seen[:, :2] / seen[:, 2:] * path.focals[:, None] + 0.5 * np.array(FRAME)
        inside = ((way > 3) & (way < np.array(FRAME) - 3)).all()
        if inside and all(np.linalg.norm(way[-1] - other) > 15.0 for other in told):
            told.append(way[-1])
            yield [(float(x), float(y)) for x, y in way]


# --- the camera in space --------------------------------------------------------------------


@dataclass(frozen=True)
class _View:
    """A plan of the world: which axes go right and down on paper, and where the middle is."""

    across: FloatArray
    downward: FloatArray
    middle: FloatArray
    scale: float = 94.0

    def __call__(self, points: FloatArray) -> list[Point]:
        """Points (N, 3) on paper."""
        moved = np.atleast_2d(points) - self.middle
        x = moved @ self.across * self.scale + 0.5 * DIAGRAM[0]
        y = moved @ self.downward * self.scale + 0.5 * DIAGRAM[1]
        return [(float(a), float(b)) for a, b in zip(x, y, strict=True)]


_ABOVE = _View(np.array([1.0, 0, 0]), np.array([0, 0, -1.0]), np.array([0, 0, 0.45]))
_SIDE = _View(np.array([0, 0, 1.0]), np.array([0, 1.0, 0]), np.array([0, 0, 0.43]))


def _plan(path: Trajectory, from_above: bool, loose: bool) -> Image:
    """Where the camera is and looks, before and after."""
    view = _ABOVE if from_above else _SIDE
    canvas = _paper()
    subject = np.array([0.0, 0.12, _DISTANCE + 0.1])
    half = np.array([0.1, 0.18, 0.1])
    (left, top), (right, bottom) = view(np.stack([subject - half, subject + half]))
    _fill(canvas, [(left, top), (right, top), (right, bottom), (left, bottom)], _SUBJECT)
    if not from_above:
        (_, ground), *_ = view(np.array([0.0, _FLOOR, 0.0]))
        _line(canvas, [(4.0, ground), (DIAGRAM[0] - 4.0, ground)], _INK, 1.0)
    moved = np.ptp(path.centers, axis=0).max() > 0.02
    zoomed = abs(np.log(path.focals[-1] / path.focals[0])) > 0.02
    turned = float(np.linalg.norm(path.rotations[-1] - path.rotations[0])) > 0.02
    poses = range(0, len(path), 3) if loose else [0] if moved or zoomed or turned else []
    for pose in poses:
        _camera(canvas, view, path, pose, _BEFORE)
    _camera(canvas, view, path, len(path) - 1, _AFTER)
    if loose:
        _line(canvas, view(_sight(path, 0.0, np.linspace(0.3, 0.9, len(path)))), _MOVES, 1.6)
    elif moved:
        _line(canvas, view(_beside(path)), _MOVES, 2.2, head=9.0)
    elif turned:
        _line(canvas, view(_sight(path, 0.0)), _MOVES, 2.2, head=9.0)
    if zoomed:
        for edge in (-1.0, 1.0):
            _line(canvas, view(_sight(path, edge)), _MOVES, 2.2, head=9.0)
    return _written(_shrunk(canvas, DIAGRAM), "from above" if from_above else "from the side")


def _sight(path: Trajectory, edge: float, reach: float | FloatArray = 0.9) -> FloatArray:
    """(N, 3) a point in view of every pose: in the middle, or at the edge -1 or 1.

    Args:
        path: The camera.
        edge: Where in the picture.
        reach: How far from the camera, for each pose, in scene depths.
    """
    slopes = edge * 0.5 * FRAME[0] / path.focals
    ahead = np.stack([slopes, 0 * slopes, np.ones(len(path))], axis=1)
    ahead *= (reach / np.linalg.norm(ahead, axis=1))[:, None]
    # Zooms are seen where the camera ends, so that the arrows show nothing else.
    stays = edge != 0.0
    rotations = path.rotations[[-1] * len(path)] if stays else path.rotations
    centers = path.centers[[-1] * len(path)] if stays else path.centers
    return np.asarray(centers + np.einsum("nij,nj->ni", rotations, ahead))


def _beside(path: Trajectory) -> FloatArray:
    """(N, 3) the way of a point beside the camera, where nothing hides it."""
    travel = path.rotations[0].T @ (path.centers[-1] - path.centers[0])
    along = abs(travel[2]) > np.hypot(*travel[:2])
    offset = np.array([0.2, 0.0, 0.0] if along else [0.0, 0.0, -0.27])
    return np.asarray(path.centers + path.rotations @ offset)


def _camera(canvas: Image, view: _View, path: Trajectory, pose: int, color: Color) -> None:
    """A body, a lens, and the edges of what it sees."""
    rotation, center = path.rotations[pose], path.centers[pose]
    # Seen from above its width, from the side its height.
    wide = np.array([1.0, 0, 0]) if view is _ABOVE else np.array([0, 1.0, 0])
    side = FRAME[0] if view is _ABOVE else FRAME[1]
    slope = 0.5 * side / path.focals[pose]

    def at(ahead: float, out: float) -> FloatArray:
        return np.asarray(center + rotation @ (ahead * np.array([0, 0, 1.0]) + out * wide))

    reach = 0.95 / float(np.hypot(1.0, slope))
    for edge in (-slope, slope):
        _line(canvas, view(np.stack([center, at(reach, edge * reach)])), color, 1.4)
    body = np.stack([at(-0.16, -0.06), at(-0.16, 0.06), at(-0.03, 0.06), at(-0.03, -0.06)])
    lens = np.stack([at(-0.03, -0.025), at(-0.03, 0.025), at(0.03, 0.045), at(0.03, -0.045)])
    _fill(canvas, view(body), color)
    _fill(canvas, view(lens), color)


def _from_behind(path: Trajectory) -> Image:
    """The camera as its operator sees it, upright before and rolled after."""
    canvas = _paper()
    middle = np.array([0.5 * DIAGRAM[0], 0.5 * DIAGRAM[1]])
    box = np.array([[-48, -32], [-14, -32], [-9, -44], [9, -44], [14, -32], [48, -32], [48, 32],
                    [-48, 32], [-48, -32]], float)  # fmt: skip
    for pose, color in ((0, _BEFORE), (-1, _AFTER)):
        turn = path.rotations[pose][:2, :2]
        _line(canvas, [(float(x), float(y)) for x, y in box @ turn.T + middle], color, 3.0)
        lens = 18.0 * np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 40)])
        _line(canvas, [(float(x), float(y)) for x, y in lens + middle], color, 2.0)
    # From the top, where a clock's hand starts, and three times as far, to be seen.
    whole = float(np.arctan2(path.rotations[-1][1, 0], path.rotations[-1][0, 0]))
    turns = [exp(np.array([0.0, 0.0, angle]))[:2, :2] for angle in np.linspace(0, 3 * whole, 30)]
    way = [turn @ np.array([0.0, -66.0]) + middle for turn in turns]
    _line(canvas, [(float(x), float(y)) for x, y in way], _MOVES, 2.2, head=9.0)
    return _written(_shrunk(canvas, DIAGRAM), "from behind")


# --- pen and paper --------------------------------------------------------------------------


def _paper() -> Image:
    return np.full((DIAGRAM[1] * _FINE, DIAGRAM[0] * _FINE, 3), _PAPER, np.uint8)


def _enlarged(frame: Image) -> Image:
    size = (frame.shape[1] * _FINE, frame.shape[0] * _FINE)
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _shrunk(canvas: Image, size: tuple[int, int]) -> Image:
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.uint8)


def _fine(points: Sequence[Point]) -> npt.NDArray[np.int32]:
    return np.round(np.array(points) * _FINE).astype(np.int32)


def _fill(canvas: Image, points: Sequence[Point], color: Color) -> None:
    cv2.fillPoly(canvas, [_fine(points)], color, cv2.LINE_AA)


def _line(
    canvas: Image, points: Sequence[Point], color: Color, thickness: float, head: float = 0.0
) -> None:
    """A line through points; with a ``head`` of some pixels an arrow, if it is long enough."""
    places = np.array(points, float)
    tip, back = places[-1], places[-1] - places[0]
    length = float(np.linalg.norm(back))
    if head and length > 2.0:
        # The head points where the line goes in its last part.
        near = places[np.linalg.norm(places - tip, axis=1) >= min(head, 0.5 * length)][-1]
        along = (tip - near) / np.linalg.norm(tip - near)
        size = min(head, 0.8 * length)
        out = np.array([-along[1], along[0]]) * 0.5 * size
        base = tip - size * along
        corners = [tuple(corner) for corner in (tip, base + out, base - out)]
        # A margin as wide as the line's own, so that outlines stay even.
        cv2.polylines(canvas, [_fine(corners)], True, color, round(thickness), cv2.LINE_AA)
        _fill(canvas, corners, color)
    cv2.polylines(canvas, [_fine(points)], False, color, round(thickness * _FINE), cv2.LINE_AA)


def _written(picture: Image, text: str) -> Image:
    """The picture with a line of text in its lower left corner."""
    canvas = _enlarged(picture)
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.36 * _FINE
    (width, _), _ = cv2.getTextSize(text, font, size, _FINE)
    height = canvas.shape[0]
    cv2.rectangle(canvas, (0, height - 13 * _FINE), (width + 6 * _FINE, height), _PAPER, -1)
    place = (3 * _FINE, height - 4 * _FINE)
    cv2.putText(canvas, text, place, font, size, _INK, _FINE, cv2.LINE_AA)
    return _shrunk(canvas, (picture.shape[1], picture.shape[0]))
