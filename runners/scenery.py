"""Textured worlds with real depth: what :mod:`dollygrip.runners.rendering` points its camera at.

A world is made of flat panels. It is scaled so that the median depth of the first picture, seen
from the origin along +z, is 1.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, NotRequired, TypedDict, Unpack

import cv2
import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Trajectory

Image = npt.NDArray[np.uint8]
Pixels = npt.NDArray[np.float32]
Color = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Panel:
    """A flat textured parallelogram.

    Attributes:
        origin: (3,) its upper left corner; x right, y down, z ahead.
        right: (3,) its upper edge.
        down: (3,) its left edge.
        texture: (H, W, 3) RGB, or (H, W, 4) with coverage.
        shell: Part of the world's outermost hull, behind everything else.
        mipmaps: The texture and halved copies of it, all with coverage, filled in by themselves.
    """

    origin: FloatArray
    right: FloatArray
    down: FloatArray
    texture: Image
    shell: bool = False
    mipmaps: tuple[Image, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        """Make the halved copies, once: a texture is drawn many times."""
        if self.mipmaps:
            return
        # OpenCV warps four channels twice as fast as three.
        opaque = self.texture.shape[2] == 3
        whole = cv2.cvtColor(self.texture, cv2.COLOR_RGB2RGBA) if opaque else self.texture
        levels = [np.asarray(whole, np.uint8)]
        while min(levels[-1].shape[:2]) > 8:
            height, width = levels[-1].shape[:2]
            half = (max(1, width // 2), max(1, height // 2))
            shrunk = cv2.resize(levels[-1], half, interpolation=cv2.INTER_AREA)
            levels.append(shrunk.astype(np.uint8))
        object.__setattr__(self, "mipmaps", tuple(levels))

    @property
    def corners(self) -> FloatArray:
        """(4, 3) around the panel."""
        o, r, d = self.origin, self.right, self.down
        return np.stack([o, o + r, o + r + d, o + d])

    def moved(self, scale: float, offset: FloatArray) -> "Panel":
        """The panel scaled about the world's origin, then shifted."""
        return replace(
            self,
            origin=self.origin * scale + offset,
            right=self.right * scale,
            down=self.down * scale,
        )


@dataclass(frozen=True, eq=False)
class Actor:
    """A moving subject: an upright cut-out that faces the first camera.

    Attributes:
        phases: Panels of one step of its gait, standing at the origin.
        start: (3,) where it stands at time zero (its feet).
        velocity: (3,) scene depths a second.
        tracked: Keeps its distance to the camera: ``start`` and ``velocity`` then count from the
            camera's centre instead of the world's origin.
        cadence: Gaits a second.
        sway: Sideways swing, in scene depths.
        bend: Sideways swing of its top while it stands, as wind bends a tree, in scene depths.
    """

    phases: tuple[Panel, ...]
    start: tuple[float, float, float]
    velocity: tuple[float, float, float] = (0.0, 0.0, 0.0)
    tracked: bool = False
    cadence: float = 1.0
    sway: float = 0.0
    bend: float = 0.0

    def panel(self, time: float, camera_center: FloatArray) -> Panel:
        """Where and how it stands at ``time`` seconds."""
        feet = np.asarray(self.start) + time * np.asarray(self.velocity)
        turn = 2.0 * np.pi * self.cadence * time
        feet = feet + np.array([np.sin(turn), 0.15 * np.sin(2.0 * turn), 0.0]) * self.sway
        if self.tracked:
            feet = feet + camera_center
        phase = int(self.cadence * time * len(self.phases)) % len(self.phases)
        panel = self.phases[phase].moved(1.0, feet)
        lean = np.array([self.bend * np.sin(turn), 0.0, 0.0])
        return replace(panel, origin=panel.origin + lean, down=panel.down - lean)


class Whereabouts(TypedDict):
    """The fields of :class:`Actor` that say where it is and how it goes."""

    start: tuple[float, float, float]
    velocity: NotRequired[tuple[float, float, float]]
    tracked: NotRequired[bool]
    cadence: NotRequired[float]
    sway: NotRequired[float]
    bend: NotRequired[float]


@dataclass(frozen=True, eq=False)
class Scene:
    """A world and who moves in it.

    Attributes:
        name: Which kind of world.
        panels: What stands still.
        floor: How far below the camera the ground is, in scene depths.
        actors: What moves.
    """

    name: str
    panels: tuple[Panel, ...]
    floor: float
    actors: tuple[Actor, ...] = ()

    @cached_property
    def corners(self) -> FloatArray:
        """(P, 4, 3) around each panel."""
        return np.stack([panel.corners for panel in self.panels])

    def with_actors(self, *actors: Actor) -> "Scene":
        """The same world with these subjects."""
        return replace(self, actors=actors)


# --- textures -------------------------------------------------------------------------------


def _noise(rng: np.random.Generator, height: int, width: int, coarsest: int = 3) -> Pixels:
    """Smooth noise of all sizes (H, W), about -1 to 1."""
    cells = coarsest
    total: Pixels = np.zeros((2, 2), np.float32)
    weight = 1.0
    while True:
        size = (min(width, max(2, cells * width // min(height, width))),
                min(height, max(2, cells * height // min(height, width))))  # fmt: skip
        grain = rng.random(size[::-1], dtype=np.float32) - 0.5
        total = (cv2.resize(total, size) + weight * grain).astype(np.float32)
        if size == (width, height):
            return np.clip(total, -1.0, 1.0)
        cells, weight = cells * 2, weight * 0.88


def _tinted(rng: np.random.Generator, shape: tuple[int, int], color: Color, depth: float) -> Image:
    """Noise of ``depth`` grey levels around a colour."""
    light = depth * _noise(rng, *shape)
    hue = 0.3 * np.roll(light, (shape[0] // 2, shape[1] // 2), (0, 1))
    red, green, blue = color
    return _bytes(np.stack([light + hue + red, light + green, light - hue + blue], axis=-1))


def _bytes(picture: npt.NDArray[Any]) -> Image:
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _tone(red: int, green: int, blue: int) -> Pixels:
    return np.array([red, green, blue], np.float32)


def _color(rng: np.random.Generator, low: int = 30, high: int = 225) -> Color:
    """A muted colour, as most things have."""
    grey = rng.integers(low, high)
    red, green, blue = np.clip(grey + rng.normal(0.0, 15.0, 3), 5, 250).astype(int)
    return int(red), int(green), int(blue)


def _near(rng: np.random.Generator, color: Color, spread: int) -> Color:
    """The colour, lighter or darker, a little off its hue."""
    light = rng.integers(-spread, spread + 1)
    hue = rng.integers(-9, 10, 3).tolist()
    red, green, blue = (
        min(max(c + int(light) + h, 0), 255) for c, h in zip(color, hue, strict=True)
    )
    return red, green, blue


def _plaster(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    grey = int(rng.integers(150, 205))
    return _tinted(rng, shape, _near(rng, (grey, grey, grey), 12), 9.0)


def _wall(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """A lived-in wall: stains, pictures, shelves with books."""
    height, width = shape
    picture = _tinted(rng, shape, _color(rng, 90, 210), 28.0)
    unit = min(height, max(width // 3, 64))
    for _ in range(int(10 * width / unit)):
        w, h = (rng.uniform(0.06, 0.26, 2) * unit).astype(int)
        x, y = int(rng.uniform(0, width - w)), int(rng.uniform(0.03, 0.85) * height)
        inside = _tinted(rng, (max(h, 8), max(w, 8)), _color(rng), 55.0)
        for _ in range(6):
            spot = (int(rng.uniform(0, w)), int(rng.uniform(0, h)))
            cv2.circle(inside, spot, int(rng.uniform(0.05, 0.25) * w) + 1, _color(rng), -1)
        fit = picture[y : y + h, x : x + w]
        fit[:] = inside[: fit.shape[0], : fit.shape[1]]
        cv2.rectangle(picture, (x, y), (x + w, y + h), _color(rng, 10, 120), max(1, unit // 90))
    return picture


def _brick(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    height, width = shape
    picture = _tinted(rng, shape, (150, 142, 135), 20.0)
    base = _color(rng, 70, 180)
    rise = 26
    for row, y in enumerate(range(0, height, rise)):
        x = -int(rng.uniform(0, 50)) - (row % 2) * 25
        while x < width:
            length = int(rng.uniform(45, 75))
            corner = (x + length - 4, y + rise - 4)
            cv2.rectangle(picture, (x, y), corner, _near(rng, base, 35), -1)
            x += length
    return _bytes(picture + 26.0 * _noise(rng, height, width)[..., None])


def _planks(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    height, width = shape
    picture = np.empty((height, width, 3), np.uint8)
    base = _color(rng, 70, 170)
    across = max(24, width // 16)
    for x in range(0, width, across):
        y = -int(rng.uniform(0, 200))
        while y < height:
            length = int(rng.uniform(120, 320))
            cv2.rectangle(picture, (x, y), (x + across, y + length), _near(rng, base, 28), -1)
            cv2.rectangle(picture, (x, y), (x + across, y + length), _near(rng, base, 60), 2)
            y += length
    grain = rng.normal(0.0, 14.0, (height // 12 + 2, width)).astype(np.float32)
    mottle = cv2.resize(grain, (width, height)) + 18.0 * _noise(rng, height, width)
    return _bytes(picture + mottle[..., None])


def _ground(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Soil, gravel and grass."""
    height, width = shape
    picture = _tinted(rng, shape, _near(rng, (112, 106, 82), 30), 45.0)
    for _ in range(height * width // 900):
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        radii = (int(rng.uniform(2, 9)), int(rng.uniform(2, 6)))
        tone = _near(rng, (118, 116, 92), 55)
        cv2.ellipse(picture, spot, radii, float(rng.uniform(0, 180)), 0, 360, tone, -1)
    return picture


def _leaves(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    height, width = shape
    green = _near(rng, (70, 110, 52), 25)
    picture = _tinted(rng, shape, _near(rng, green, 15), 35.0)
    for _ in range(height * width // 260):
        spot = (int(rng.uniform(0, width)), int(rng.uniform(0, height)))
        radii = (int(rng.uniform(4, 13)), int(rng.uniform(2, 5)))
        tone = _near(rng, green, 45)
        cv2.ellipse(picture, spot, radii, float(rng.uniform(0, 180)), 0, 360, tone, -1)
    return picture


def _facade(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """House fronts: storeys of windows, doors and signs, no two houses alike."""
    height, width = shape
    picture = np.empty((height, width, 3), np.uint8)
    x = 0
    while x < width:
        house = min(int(rng.uniform(0.5, 1.0) * height * 0.6) + 40, width - x)
        part = picture[:, x : x + house]
        part[:] = _tinted(rng, (height, house), _color(rng, 80, 200), 24.0)
        storey = int(rng.uniform(0.13, 0.2) * height)
        bay = int(rng.uniform(0.6, 1.0) * storey)
        glass, frame = _color(rng, 20, 110), _color(rng, 120, 240)
        for top in range(storey // 4, height - storey, storey):
            for left in range(bay // 4, house - bay // 2, bay):
                low = (left + int(0.55 * bay), top + int(0.65 * storey))
                cv2.rectangle(part, (left, top), low, _near(rng, glass, 40), -1)
                cv2.rectangle(part, (left, top), low, frame, 3)
                middle = left + int(0.27 * bay)
                cv2.line(part, (middle, top), (middle, low[1]), frame, 2)
        for left in range(4, house - 20, int(1.3 * bay) + 8):
            door = (left + int(rng.uniform(0.4, 1.0) * bay), height)
            cv2.rectangle(part, (left, height - int(0.8 * storey)), door, _color(rng), -1)
            sign = (left, height - storey)
            word = ("SHOP", "BAR", "CAFE")[int(rng.integers(3))]
            size = storey / 90
            cv2.putText(part, word, sign, cv2.FONT_HERSHEY_DUPLEX, size, _color(rng), 2)
        x += house
    return picture


def _sky(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    height, width = shape
    down = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None, None]
    blue = _tone(105, 145, 200) * (1 - down) + _tone(190, 205, 220) * down
    clouds = np.clip(1.2 * _noise(rng, height, width) + 0.1, 0.0, 1.0)[..., None]
    return _bytes(blue * (1 - clouds) + 238.0 * clouds)


def _hills(rng: np.random.Generator, shape: tuple[int, int]) -> Image:
    """Sky over ridges of wooded hills with towns on them."""
    height, width = shape
    picture = _sky(rng, shape)
    wood = _noise(rng, height, width, coarsest=24)[..., None]
    row = np.arange(height)[:, None]
    for ridge in range(6):
        level = height * (0.42 + 0.09 * ridge)
        knots = np.linspace(0, width, width // 24)
        peaks = cv2.GaussianBlur(rng.normal(0.0, 1.0, (1, len(knots))), (0, 0), 4.0)[0]
        peaks += 0.06 * rng.normal(0.0, 1.0, len(knots))
        bumps = np.interp(np.arange(width), knots, peaks) * height * 0.16
        tops = np.clip(level + bumps, 0, height - 1).astype(int)
        haze = 0.7 - 0.13 * ridge
        tone = _tone(*_near(rng, (62, 84, 58), 14)) * (1 - haze)
        tone += _tone(170, 185, 200) * haze
        top = tops.min()
        slope = _bytes(tone + (35.0 + 12.0 * ridge) * np.roll(wood[top:], 97 * ridge, axis=1))
        np.copyto(picture[top:], slope, where=(row[top:] >= tops)[..., None])
        for _ in range(width // 24):
            x = int(rng.uniform(0, width - 12))
            y = int(tops[x] + rng.uniform(0.005, 0.1) * height)
            w, h = (rng.uniform(0.01, 0.03, 2) * height).astype(int) + 2
            wall = _near(rng, (190, 180, 165), 40)
            cv2.rectangle(picture, (x, y - h), (x + w, y), wall, -1)
            roof = np.array([[x - 2, y - h], [x + w // 2, y - h - h // 2], [x + w + 2, y - h]])
            cv2.fillPoly(picture, [roof], _near(rng, (130, 75, 60), 30))
            for window in range(x + 2, x + w - 2, 5):
                cv2.rectangle(
                    picture, (window, y - h // 2), (window + 2, y - h // 3), (60, 60, 70), -1
                )
    return picture


STYLES: dict[str, Callable[[np.random.Generator, tuple[int, int]], Image]] = {
    "plaster": _plaster,
    "wall": _wall,
    "brick": _brick,
    "planks": _planks,
    "ground": _ground,
    "leaves": _leaves,
    "facade": _facade,
    "sky": _sky,
    "hills": _hills,
}


# --- building blocks ------------------------------------------------------------------------


def _panel(
    rng: np.random.Generator,
    style: str,
    origin: Sequence[float],
    right: Sequence[float],
    down: Sequence[float],
    density: float = 320.0,
    shell: bool = False,
) -> Panel:
    """A panel with ``density`` texels to a unit of length."""
    edges = np.linalg.norm(np.asarray([down, right], float), axis=1)
    height, width = np.clip(edges * density, 32, 2048).astype(int).tolist()
    return Panel(
        np.asarray(origin, float),
        np.asarray(right, float),
        np.asarray(down, float),
        STYLES[style](rng, (height, width)),
        shell,
    )


def _strips(panel: Panel, pieces: int, along_right: bool = False) -> list[Panel]:
    """Cut a long panel, so that its near and its far end are filtered each as it needs."""
    height, width = panel.texture.shape[:2]
    cuts = np.linspace(0, width if along_right else height, pieces + 1).astype(int)
    strips = []
    for low, high in pairwise(cuts.tolist()):
        if along_right:
            part, begin, share = panel.texture[:, low:high], low / width, (high - low) / width
            origin = panel.origin + begin * panel.right
            right, down = panel.right * share, panel.down
        else:
            part, begin, share = panel.texture[low:high], low / height, (high - low) / height
            origin = panel.origin + begin * panel.down
            right, down = panel.right, panel.down * share
        strips.append(Panel(origin, right, down, np.ascontiguousarray(part), panel.shell))
    return strips


def _box(
    rng: np.random.Generator, style: str, low: Sequence[float], high: Sequence[float]
) -> list[Panel]:
    """A closed box; a face seen from inside is never drawn."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    w, h, d = x1 - x0, y1 - y0, z1 - z0
    faces = [
        ([x0, y0, z0], [w, 0, 0], [0, h, 0]),
        ([x1, y0, z1], [-w, 0, 0], [0, h, 0]),
        ([x0, y0, z1], [0, 0, -d], [0, h, 0]),
        ([x1, y0, z0], [0, 0, d], [0, h, 0]),
        ([x0, y0, z1], [w, 0, 0], [0, 0, -d]),
        ([x0, y1, z0], [w, 0, 0], [0, 0, d]),
    ]
    return [_panel(rng, style, *face) for face in faces]


def _hull(
    rng: np.random.Generator,
    low: Sequence[float],
    high: Sequence[float],
    styles: tuple[str, str, str, str],
    density: float = 320.0,
) -> list[Panel]:
    """The inside of a box: ends, sides, floor, ceiling; long ones in strips."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    w, h, d = x1 - x0, y1 - y0, z1 - z0
    end, side, floor, ceiling = styles
    pieces = max(4, round(d / 0.8))

    def inside(style: str, origin: list[float], right: list[float], down: list[float]) -> Panel:
        return _panel(rng, style, origin, right, down, density, shell=True)

    return [
        inside(end, [x0, y0, z1], [w, 0, 0], [0, h, 0]),
        inside(end, [x1, y0, z0], [-w, 0, 0], [0, h, 0]),
        *_strips(inside(side, [x0, y0, z0], [0, 0, d], [0, h, 0]), pieces, along_right=True),
        *_strips(inside(side, [x1, y0, z1], [0, 0, -d], [0, h, 0]), pieces, along_right=True),
        *_strips(inside(floor, [x0, y1, z1], [w, 0, 0], [0, 0, -d]), pieces),
        *_strips(inside(ceiling, [x0, y0, z0], [w, 0, 0], [0, 0, d]), pieces),
    ]


def _ring(rng: np.random.Generator, style: str, radius: float, top: float, bottom: float,
          width: int = 4096, height: int = 640) -> list[Panel]:  # fmt: skip
    """A panorama all around, its seam behind the first camera."""
    sides = 16
    view = STYLES[style](rng, (height, width))
    angles = np.pi + 2 * np.pi * np.arange(sides + 1) / sides
    rim = np.stack([np.sin(angles), np.zeros(sides + 1), np.cos(angles)], axis=1) * radius
    cuts = np.linspace(0, width, sides + 1).astype(int)
    return [
        Panel(
            rim[i] + np.array([0.0, top, 0.0]),
            rim[i + 1] - rim[i],
            np.array([0.0, bottom - top, 0.0]),
            np.ascontiguousarray(view[:, cuts[i] : cuts[i + 1]]),
            shell=True,
        )
        for i in range(sides)
    ]


def _cut_out(rng: np.random.Generator, style: str, kind: str) -> Image:
    """A texture with coverage: a tree or a bush."""
    height, width = 384, 256
    picture = STYLES[style](rng, (height, width))
    cover = np.zeros((height, width), np.uint8)
    low, high = (60, 220) if kind == "tree" else (130, 384)
    if kind == "tree":
        bark = _tinted(rng, (height, width), (92, 74, 58), 40.0)
        cv2.rectangle(cover, (118, high), (138, height), 255, -1)
        picture[high + 16 :] = bark[high + 16 :]
    for _ in range(70):
        x, y = rng.uniform(50, 206), rng.uniform(low, high)
        cv2.circle(cover, (int(x), int(y)), int(rng.uniform(10, 38)), 255, -1)
    if kind == "tree":
        cover[high + 16 :, :118] = 0
        cover[high + 16 :, 138:] = 0
    return np.dstack([picture, cover])


def _plants(rng: np.random.Generator, count: int, floor: float, near: float, far: float,
            gap: float) -> list[Panel]:  # fmt: skip
    """Trees and bushes on the ground, more of them near, none nearer to the axis than ``gap``."""
    plants = []
    for _ in range(count):
        z = near * (far / near) ** rng.uniform()
        x = rng.uniform(gap, 1.3 * z + gap) * rng.choice([-1.0, 1.0])
        kind = "tree" if rng.uniform() < 0.5 else "bush"
        tall = rng.uniform(0.7, 1.4) * (1.3 if kind == "tree" else 0.5)
        wide = tall * 0.67
        plants.append(
            Panel(
                np.array([x - wide / 2, floor - tall, z]),
                np.array([wide, 0.0, 0.0]),
                np.array([0.0, tall, 0.0]),
                _cut_out(rng, "leaves", kind),
            )
        )
    return plants


# --- worlds ---------------------------------------------------------------------------------


# Panels, and how far the ground lies below the camera.
World = tuple[list[Panel], float]


def _room(rng: np.random.Generator) -> World:
    wide, depth, floor = rng.uniform(1.0, 1.35), rng.uniform(1.9, 2.4), 0.65
    panels = _hull(
        rng,
        [-wide, -1.0, -3.0],
        [wide, floor, depth],
        ("wall", str(rng.choice(["wall", "brick"])), "planks", "plaster"),
    )
    for _ in range(9):
        w, h, d = rng.uniform([0.12, 0.2, 0.1], [0.35, 1.0, 0.35])
        x, z = rng.uniform(-wide + 0.1, wide - 0.45), rng.uniform(0.75, depth - 0.4)
        style = str(rng.choice(["wall", "planks", "brick", "leaves"]))
        panels += _box(rng, style, [x, floor - h, z], [x + w, floor, z + d])
    return panels, floor


def _corridor(rng: np.random.Generator) -> World:
    panels = _hull(
        rng, [-0.55, -0.55, -5.0], [0.55, 0.5, 5.0], ("plaster", "plaster", "plaster", "plaster"),
        density=200.0,
    )  # fmt: skip
    for z in np.arange(-4.0, 4.5, 1.1):
        side = float(rng.choice([-1.0, 1.0]))
        door = _plaster(rng, (300, 140))
        door[:] = np.clip(door.astype(int) - int(rng.uniform(40, 90)), 0, 255)
        along = np.array([0.0, 0.0, -0.4 * side])
        corner = np.array([side * 0.545, -0.35, z])
        panels.append(Panel(corner, along, np.array([0.0, 0.85, 0.0]), door))
    return panels, 0.5


def _street(rng: np.random.Generator) -> World:
    wide, floor, far = rng.uniform(1.4, 1.8), 0.6, 5.5
    panels = _ring(rng, "hills", 30.0, -16.0, 12.0)
    panels += [_panel(rng, "sky", [-30, -16, 30], [60, 0, 0], [0, 0, -60], 20.0, shell=True)]
    road = _panel(rng, "ground", [-wide, floor, far], [2 * wide, 0, 0], [0, 0, -far - 5], 300.0,
                  shell=True)  # fmt: skip
    panels += _strips(road, 22)
    for side in (-1.0, 1.0):
        origin = [side * wide, -2.6, -5.0 if side < 0 else far]
        front = _panel(rng, "facade", origin, [0, 0, -side * (far + 5)], [0, floor + 2.6, 0],
                       300.0, shell=True)  # fmt: skip
        panels += _strips(front, 20, along_right=True)
    panels += [_panel(rng, "facade", [-wide, -1.4, far], [2 * wide, 0, 0], [0, floor + 1.4, 0],
                      shell=True)]  # fmt: skip
    for _ in range(9):
        side, z = float(rng.choice([-1.0, 1.0])), rng.uniform(0.6, 4.0)
        w, h, d = rng.uniform([0.06, 0.25, 0.06], [0.3, 1.1, 0.5])
        x = side * rng.uniform(0.55, wide - 0.15)
        style = str(rng.choice(["wall", "brick", "leaves"]))
        panels += _box(rng, style, [x - w / 2, floor - h, z], [x + w / 2, floor, z + d])
    return panels, floor


def _open_country(rng: np.random.Generator, floor: float, plants: int) -> World:
    far = 14.0
    panels = _ring(rng, "hills", 30.0, -16.0, 14.0)
    panels += [_panel(rng, "sky", [-30, -16, 30], [60, 0, 0], [0, 0, -60], 20.0, shell=True)]
    for near, end, density in ((-14.0, -2.0, 90.0), (-2.0, 4.0, 300.0), (4.0, far, 90.0)):
        field_ = _panel(rng, "ground", [-far, floor, end], [2 * far, 0, 0], [0, 0, near - end],
                        density, shell=True)  # fmt: skip
        panels += _strips(field_, max(4, round((end - near) / 0.4)))
    panels += _plants(rng, plants, floor, 0.8, 9.0, 0.25)
    # Where the horizon were the median, the ground would lie at the camera's feet.
    while np.median(depths(panels)) > 3.0:
        panels += _plants(rng, 3, floor, 0.8, 5.0, 0.25)
    return panels, floor


def _landscape(rng: np.random.Generator) -> World:
    return _open_country(rng, 0.6, 20)


def _nature(rng: np.random.Generator) -> World:
    return _open_country(rng, 0.35, 38)


def _flat(rng: np.random.Generator) -> World:
    style = str(rng.choice(["wall", "brick"]))
    wall = [_panel(rng, style, [-3.2, -2.2, 1.0], [6.4, 0, 0], [0, 4.4, 0], 320.0, shell=True)]
    return wall, 0.45


def _far(rng: np.random.Generator) -> World:
    panels = _ring(rng, "hills", 1.0, -0.75, 0.75, width=6144, height=1024)
    for y in (-0.75, 0.75):
        style = "sky" if y < 0 else "ground"
        panels.append(_panel(rng, style, [-1, y, 1], [2, 0, 0], [0, 0, -2], shell=True))
    return panels, 0.5


WORLDS: dict[str, Callable[[np.random.Generator], World]] = {
    "room": _room,
    "street": _street,
    "landscape": _landscape,
    "nature": _nature,
    "corridor": _corridor,
    "flat": _flat,
    "far": _far,
}
"""``flat`` is one wall, ``far`` has no parallax, ``corridor`` is bare."""


def scene(world: str, seed: int) -> Scene:
    """A world with nobody in it.

    Args:
        world: A name of :data:`WORLDS`.
        seed: Of its layout and textures.

    Returns:
        The scene, scaled to a median depth of 1 for a 16:9 camera with the prior focal length.

    Raises:
        ValueError: There is no such world.
    """
    if world not in WORLDS:
        raise ValueError(f"unknown world {world!r}, expected one of {', '.join(WORLDS)}")
    panels, floor = WORLDS[world](np.random.default_rng([seed, list(WORLDS).index(world)]))
    scale = 1.0 / float(np.median(depths(panels)))
    scaled = tuple(panel.moved(scale, np.zeros(3)) for panel in panels)
    return Scene(world, scaled, floor * scale)


def median_depth(scene: Scene, trajectory: Trajectory) -> float:
    """Median depth of what a 16:9 camera in the trajectory's first pose sees, without actors."""
    turn, center = trajectory.rotations[0], trajectory.centers[0]
    local = [
        replace(
            panel,
            origin=(panel.origin - center) @ turn,
            right=panel.right @ turn,
            down=panel.down @ turn,
        )
        for panel in scene.panels
    ]
    return float(np.median(depths(local)))


def depths(panels: Sequence[Panel], columns: int = 64, rows: int = 36) -> FloatArray:
    """(rows, columns) distance along z of what a 16:9 camera at the origin sees; inf for nothing.

    Coverage is ignored: a tree counts as its whole panel.
    """
    x = (np.arange(columns) + 0.5 - columns / 2) / (FOCAL_PRIOR * columns)
    y = (np.arange(rows) + 0.5 - rows / 2) / (FOCAL_PRIOR * columns)
    rays = np.stack([*np.meshgrid(x, y), np.ones((rows, columns))], axis=-1)
    nearest = np.full((rows, columns), np.inf)
    for panel in panels:
        # origin + a right + b down = t ray, solved for a, b and t at once for all rays.
        normal = np.cross(panel.right, panel.down)
        facing = rays @ normal
        facing[np.abs(facing) < 1e-12] = np.nan
        t = (panel.origin @ normal) / facing
        hit = t[..., None] * rays - panel.origin
        a = hit @ np.cross(panel.down, normal) / (panel.right @ np.cross(panel.down, normal))
        b = hit @ np.cross(panel.right, normal) / (panel.down @ np.cross(panel.right, normal))
        # A hair of overlap: a ray may hit the seam between two panels.
        inside = (t > 0) & (np.abs(a - 0.5) < 0.5 + 1e-9) & (np.abs(b - 0.5) < 0.5 + 1e-9)
        nearest = np.where(inside, np.fmin(nearest, t), nearest)
    return nearest


# --- subjects -------------------------------------------------------------------------------


def _standing(picture: Image, tall: float) -> Panel:
    """A cut-out whose feet are at the origin, facing the first camera."""
    wide = tall * picture.shape[1] / picture.shape[0]
    return Panel(
        np.array([-wide / 2, -tall, 0.0]),
        np.array([wide, 0.0, 0.0]),
        np.array([0.0, tall, 0.0]),
        picture,
    )


def person(seed: int, tall: float, **path: Unpack[Whereabouts]) -> Actor:
    """Somebody who walks.

    Args:
        seed: Of the clothes.
        tall: Height in scene depths.
        path: As in :class:`Whereabouts`.
    """
    phases = []
    for stride in np.sin(2.0 * np.pi * np.arange(8) / 8):
        rng = np.random.default_rng([seed, 1])
        skin = _near(rng, (205, 160, 130), 30)
        size = (512, 320)
        cloth = _tinted(rng, size, _color(rng), 50.0)
        for _ in range(40):
            spot = (int(rng.uniform(90, 230)), int(rng.uniform(100, 320)))
            cv2.circle(cloth, spot, int(rng.uniform(4, 14)), _color(rng), -1)
        cloth[290:] = _tinted(rng, size, _color(rng, 20, 120), 35.0)[290:]
        cover = np.zeros(size, np.uint8)
        swing = int(42 * stride)
        for way, arm in ((swing, -1), (-swing, 1)):
            cv2.line(cover, (160, 290), (160 + way, 400), 255, 46)
            foot = (160 + way - max(0, -way) // 2, 495)
            cv2.line(cover, (160 + way, 400), foot, 255, 36)
            shoulder, hand = (160 + 44 * arm, 130), (160 + 62 * arm - way, 285)
            cv2.line(cover, shoulder, hand, 255, 30)
        cv2.ellipse(cover, (160, 205), (64, 112), 0, 0, 360, 255, -1)
        cv2.ellipse(cover, (160, 52), (36, 46), 0, 0, 360, 255, -1)
        cv2.ellipse(cloth, (160, 56), (40, 48), 0, 0, 360, skin, -1)
        cv2.ellipse(cloth, (160, 30), (42, 30), 0, 180, 360, _color(rng, 10, 110), -1)
        for eye in (146, 174):
            cv2.circle(cloth, (eye, 52), 5, (30, 25, 25), -1)
        cv2.line(cloth, (148, 76), (172, 76), (140, 60, 60), 4)
        phases.append(_standing(np.dstack([cloth, cover]), tall))
    return Actor(tuple(phases), **path)


def car(seed: int, tall: float, **path: Unpack[Whereabouts]) -> Actor:
    """A car seen from the side; ``path`` as for :func:`person`."""
    rng = np.random.default_rng([seed, 2])
    size = (224, 512)
    paint = _tinted(rng, size, _color(rng), 35.0)
    cover = np.zeros(size, np.uint8)
    cv2.rectangle(cover, (10, 90), (502, 185), 255, -1)
    roof = np.array([[100, 95], [165, 15], [350, 15], [430, 95]])
    cv2.fillPoly(cover, [roof], 255)
    for low, high in ((120, 250), (262, 400)):
        glass = np.array([[low, 90], [max(low, 172), 28], [min(high, 342), 28], [high, 90]])
        cv2.fillPoly(paint, [glass], _color(rng, 20, 90))
    for wheel in (115, 400):
        for canvas, tone in ((cover, (255,)), (paint, (25, 25, 28))):
            cv2.circle(canvas, (wheel, 180), 42, tone, -1)
        cv2.circle(paint, (wheel, 180), 20, (150, 150, 155), -1)
    cv2.putText(paint, "TAXI 42", (190, 150), cv2.FONT_HERSHEY_DUPLEX, 1.3, _color(rng), 3)
    return Actor((_standing(np.dstack([paint, cover]), tall),), **path)


def tree(seed: int, tall: float, **path: Unpack[Whereabouts]) -> Actor:
    """A tree whose leaves stir; ``path`` as for :func:`person`, its ``bend`` is the wind."""
    rng = np.random.default_rng([seed, 4])
    still = _cut_out(rng, "leaves", "tree")
    height, width = still.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    stir = np.stack([_noise(rng, height, width, coarsest=6) for _ in range(2)])
    # Trunks stand still.
    loose = np.clip((230.0 - y) / 60.0, 0.0, 1.0)
    phases = []
    for turn in (2.0 * np.pi * np.arange(12) / 12).tolist():
        shift = 8.0 * loose * np.sin(turn + 3.0 * stir)
        moved = cv2.remap(still, x + shift[0], y + 0.6 * shift[1], cv2.INTER_LINEAR)
        phases.append(_standing(np.asarray(moved, np.uint8), tall))
    return Actor(tuple(phases), **path)
