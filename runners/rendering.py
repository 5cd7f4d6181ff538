"""Rendered clips with exact camera motion: pictures of a scene along a trajectory.

Every panel is warped by its own homography and painted near to far, at twice the size, then
halved; textures come from halved copies, so that nothing flickers.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.geometry.arrays import BoolArray, FloatArray
from dollygrip.geometry.rotations import exp, log
from dollygrip.geometry.synthetic import Motion, Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.encoding import encode
from dollygrip.runners.scenery import Actor, Image, Panel, Scene, person, scene

_OVERSAMPLING = 2
_NEAR = 0.03
# Rows that a rolling shutter reads at once; so many that no step between two of them is seen.
_BANDS = 27
_PULSE_SECONDS = 1.5
# A warp has so many nodes along the long side, whose waves swing this often a second.
_WARP_NODES, _WARP_WAVES, _WARP_HERTZ = 5, 3, (0.1, 0.8)
# Radians from the middle to a corner: beyond, the undistorted picture grows out of all bounds.
_WIDEST = 1.35


@dataclass(frozen=True)
class Look:
    """What happens to the picture after the camera moved.

    Attributes:
        exposure: Brightness factor; 1 leaves it.
        noise: Standard deviation of the sensor's noise, in grey levels of 255.
        flicker: Relative standard deviation of the brightness from frame to frame.
        drift: Brightness factor reached at the end, as an automatic exposure would.
        pulsing: Relative swing of the brightness, as of an automatic exposure that hunts.
        fade_in: Seconds that the picture takes to come up from black.
        fade_out: Seconds that it takes to go back to black at the end.
        frozen: From when to when, in seconds, the recording hangs and shows the picture that it
            began to hang at.
        shutter: Share of the frame interval during which the shutter is open.
        rolling: Share of the frame interval that the sensor takes to read its rows, from the top
            one to the bottom one; the middle one is read at the time of the frame.
        barrel: Radial distortion of the lens; 0.25 is a strong wide angle.
        warp: Root mean square of a displacement that bends the picture and wanders over time, as in
            generated video, as a share of its long side.
        fisheye: The lens of an action camera: equal angles are equal distances from the centre,
            where the focal length is the trajectory's.
        vignette: Darkening of the corners, 0 to 1.
        letterbox: Share of the height that black bars take.
        gate: Rounded black film gate around the picture.
        rain: Streaks in each frame.
        logo: A burnt-in logo.
        subtitles: Burnt-in lines of text that change every second and a half.
        seed: Of noise, flicker, warp and rain.
    """

    exposure: float = 1.0
    noise: float = 0.0
    flicker: float = 0.0
    drift: float = 1.0
    pulsing: float = 0.0
    fade_in: float = 0.0
    fade_out: float = 0.0
    frozen: tuple[float, float] | None = None
    shutter: float = 0.0
    rolling: float = 0.0
    barrel: float = 0.0
    warp: float = 0.0
    fisheye: bool = False
    vignette: float = 0.0
    letterbox: float = 0.0
    gate: bool = False
    rain: int = 0
    logo: bool = False
    subtitles: bool = False
    seed: int = 0


@dataclass(frozen=True, eq=False)
class _Camera:
    """One pose, in the pixels of a canvas."""

    rotation: FloatArray
    center: FloatArray
    intrinsics: FloatArray
    size: tuple[int, int]

    @cached_property
    def planes(self) -> FloatArray:
        """(5, 4) normal and offset, in camera axes: what is in view is on their positive side."""
        focal, middle = self.intrinsics[0, 0], self.intrinsics[:2, 2]
        # A hair wider than the picture, so that the clip edges are never seen.
        margin = np.maximum(0.01 * np.array(self.size), 1.0) / focal
        left, top = middle / focal + margin
        right, bottom = (np.array(self.size) - middle) / focal + margin
        return np.array(
            [
                *([0, 0, 1, -_NEAR], [1, 0, left, 0], [-1, 0, right, 0]),
                *([0, 1, top, 0], [0, -1, bottom, 0]),
            ],
            float,
        )


def render(trajectory: Trajectory, scene: Scene, look: Look | None = None) -> Iterator[Image]:
    """Pictures of a scene from every pose of a trajectory.

    Args:
        trajectory: Poses in the scene's world; ``trajectory.size`` is the size of the pictures.
        scene: What is seen.
        look: What happens to the picture; nothing when not given.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The focal length is too short for a fisheye lens.
    """
    look = look or Look()
    finish = _Finish(look, trajectory)
    start, end = look.frozen or (np.inf, np.inf)
    hung = False
    for time in trajectory.times.tolist():
        hanging = start <= time < end
        if not (hanging and hung):
            picture = finish(time, _exposed(trajectory, scene, look, time))
        hung = hanging
        yield picture


def write_video(
    path: Path, frames: Iterable[Image], times: Sequence[float] | FloatArray, crf: int = 20
) -> None:
    """Write frames as H.264, each at its own time.

    Args:
        path: The file; its suffix names the container.
        frames: (H, W, 3) uint8 RGB of one even size.
        times: Seconds at which each is shown.
        crf: Constant rate factor: 0 is lossless, 20 good, 35 poor.
    """
    gap = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
    # One thread, and no macroblock tree, whose result differs from run to run: the same pictures
    # are the same file.
    options = {"crf": str(crf), "preset": "veryfast", "threads": "1", "x264-params": "mbtree=0"}
    with av.open(str(path), "w") as container:
        encode(container, zip(times, frames, strict=True), 1.0 / gap, options)


# --- drawing --------------------------------------------------------------------------------


def _exposed(trajectory: Trajectory, scene: Scene, look: Look, time: float) -> FloatArray:
    """The light that falls on the sensor while the shutter is open, (H, W, 3) in 0 to 255."""
    if look.shutter == 0:
        return _read_out(trajectory, scene, look, time).astype(np.float32)
    moments = time + look.shutter * _interval(trajectory) * np.linspace(-0.5, 0.5, 7)
    return np.asarray(
        np.mean([_read_out(trajectory, scene, look, float(t)) for t in moments], axis=0)
    )


def _read_out(trajectory: Trajectory, scene: Scene, look: Look, time: float) -> Image:
    """One instant, or of a rolling shutter one sweep: each band of rows at its own moment."""
    height = trajectory.size[1]
    bands = _BANDS if look.rolling else 1
    edges = np.linspace(0, height, bands + 1).round().astype(int).tolist()
    sweep = look.rolling * _interval(trajectory) / height
    first, last = trajectory.times[[0, -1]]
    pictures = []
    for top, bottom in pairwise(edges):
        moment = time + sweep * 0.5 * (top + bottom - height)
        moment = float(np.clip(moment, first, last))
        pictures.append(_drawn(trajectory, scene, look, moment, (top, bottom)))
    return np.concatenate(pictures)


def _interval(trajectory: Trajectory) -> float:
    return float(np.median(np.diff(trajectory.times)))


def _camera(trajectory: Trajectory, time: float) -> _Camera:
    """The camera at any time between the poses, oversampled."""
    times = trajectory.times
    after = int(np.clip(np.searchsorted(times, time, side="right"), 1, len(times) - 1))
    before = after - 1
    share = float((time - times[before]) / (times[after] - times[before]))
    turn = log(trajectory.rotations[before].T @ trajectory.rotations[after])
    width, height = (_OVERSAMPLING * side for side in trajectory.size)
    focal = _OVERSAMPLING * np.interp(time, times, trajectory.focals)
    return _Camera(
        trajectory.rotations[before] @ exp(share * turn),
        (1 - share) * trajectory.centers[before] + share * trajectory.centers[after],
        np.array([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]]),
        (width, height),
    )


def _drawn(
    trajectory: Trajectory, scene: Scene, look: Look, time: float, rows: tuple[int, int]
) -> Image:
    """The rows of the picture from ``rows[0]`` up to ``rows[1]`` at one instant."""
    camera = _camera(trajectory, time)
    top, bottom = (_OVERSAMPLING * row for row in rows)
    bent = _bent(camera, look, top, bottom)
    low, high = (np.array([0, top]), np.array([camera.size[0], bottom]))
    if bent is not None:
        low, high = (np.floor(bent.min(axis=(0, 1))) - 1, np.ceil(bent.max(axis=(0, 1))) + 2)
    canvas = _canvas(_window(camera, low, high), scene, time)
    if bent is not None:
        map_x, map_y = np.moveaxis((bent - low).astype(np.float32), -1, 0)
        canvas = np.asarray(cv2.remap(canvas, map_x, map_y, cv2.INTER_LINEAR), np.uint8)
    size = (trajectory.size[0], rows[1] - rows[0])
    halved = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(halved, cv2.COLOR_RGBA2RGB), np.uint8)


def _window(camera: _Camera, low: FloatArray, high: FloatArray) -> _Camera:
    """The same camera for a canvas that shows the picture from pixel ``low`` up to ``high``."""
    intrinsics = camera.intrinsics.copy()
    intrinsics[:2, 2] -= low
    width, height = (high - low).astype(int).tolist()
    return replace(camera, intrinsics=intrinsics, size=(width, height))


def _bent(camera: _Camera, look: Look, top: int, bottom: int) -> FloatArray | None:
    """(H, W, 2) where the lens finds the pixels of some rows in an undistorted picture.

    The centre keeps its scale. None for a perfect lens.

    Raises:
        ValueError: A fisheye sees too much at once.
    """
    if not (look.barrel or look.fisheye):
        return None
    middle = camera.intrinsics[:2, 2]
    grid = np.meshgrid(np.arange(camera.size[0]), np.arange(top, bottom))
    offsets = np.stack(grid, axis=-1) + 0.5 - middle
    radius = np.linalg.norm(offsets, axis=-1, keepdims=True)
    stretch = 1.0 + look.barrel * (radius / middle[0]) ** 2
    if look.fisheye:
        angle = np.maximum(radius / camera.intrinsics[0, 0], 1e-6)
        if angle.max() > _WIDEST:
            seen = 2.0 * np.degrees(float(angle.max()))
            raise ValueError(f"a fisheye of {seen:.0f} degrees from corner to corner is too wide")
        stretch *= np.tan(angle) / angle
    bent: FloatArray = offsets * stretch + middle - 0.5
    return bent


def _canvas(camera: _Camera, scene: Scene, time: float) -> Image:
    """(H, W, 4) what the camera sees at one instant through a perfect lens."""
    width, height = camera.size
    canvas = np.zeros((height, width, 4), np.uint8)
    bare = np.full((height, width), 255, np.uint8)
    panels = [scene.panels[i] for i in np.flatnonzero(_in_view(scene.corners, camera))]
    things = [panel for panel in panels if not panel.shell]
    things += [actor.panel(time, camera.center) for actor in scene.actors]
    things.sort(key=lambda panel: -_distance(panel, camera))
    # The nearest first: what is hidden behind it need not be painted at all.
    for panel in reversed([*(panel for panel in panels if panel.shell), *things]):
        _paint(canvas, bare, panel, camera)
    return canvas


def _distance(panel: Panel, camera: _Camera) -> float:
    middle = panel.origin + 0.5 * (panel.right + panel.down)
    return float((middle - camera.center) @ camera.rotation[:, 2])


def _paint(canvas: Image, bare: Image, panel: Panel, camera: _Camera) -> None:
    """Warp a panel onto the canvas where it is still bare (255), and mark what it covers (0)."""
    axes = np.stack([panel.right, panel.down, panel.origin - camera.center], axis=1)
    # Closed things show only their front; cut-outs and the hull are seen from either side.
    cut_out = panel.texture.shape[2] == 4
    if not (panel.shell or cut_out) and np.linalg.det(axes) < 0:
        return
    corners = (panel.corners - camera.center) @ camera.rotation
    focal = camera.intrinsics[0, 0]
    visible = _clipped(corners, camera.planes)
    if len(visible) < 3:
        return
    outline = visible[:, :2] / visible[:, 2:] * focal + camera.intrinsics[:2, 2]
    area = cv2.contourArea(outline.astype(np.float32))
    if area < 0.5:
        return
    x0, y0 = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 1, 0).tolist()
    x1, y1 = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 1, camera.size).tolist()
    if x1 <= x0 or y1 <= y0:
        return

    mask = np.zeros((y1 - y0, x1 - x0), np.uint8)
    shifted = np.round((outline - np.array([x0, y0]) - 0.5) * 16).astype(np.int32)
    cv2.fillConvexPoly(mask, shifted, 255, shift=4)
    mask &= bare[y0:y1, x0:x1]
    left, top, columns, rows = cv2.boundingRect(mask)
    if columns == 0:
        return
    mask = mask[top : top + rows, left : left + columns]
    x0, y0 = x0 + left, y0 + top
    window = slice(y0, y0 + rows), slice(x0, x0 + columns)

    picture_from_panel = camera.intrinsics @ camera.rotation.T @ axes
    texture = panel.mipmaps[_level(panel, picture_from_panel, outline, area)]
    tall, wide = texture.shape[:2]
    # Pixel centres are at halves, on either side.
    panel_from_texel = np.array([[1 / wide, 0, 0.5 / wide], [0, 1 / tall, 0.5 / tall], [0, 0, 1]])
    window_from_picture = np.array([[1, 0, -0.5 - x0], [0, 1, -0.5 - y0], [0, 0, 1.0]])
    homography = window_from_picture @ picture_from_panel @ panel_from_texel
    if abs(np.linalg.det(homography)) < 1e-12:
        return
    warped = cv2.warpPerspective(
        texture, homography, (columns, rows), flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    if cut_out:
        # Hard edges are enough: halving the canvas softens them.
        _, cover = cv2.threshold(warped[..., 3], 127, 255, cv2.THRESH_BINARY)
        mask &= cover.astype(np.uint8)
    cv2.copyTo(warped, mask, canvas[window])
    bare[window] &= ~mask


def _level(panel: Panel, picture_from_panel: FloatArray, outline: FloatArray, area: float) -> int:
    """Which halved copy has about one texel to a pixel of the canvas over the visible part."""
    back = np.linalg.inv(picture_from_panel)
    on_panel = np.column_stack([outline, np.ones(len(outline))]) @ back.T
    shares = (on_panel[:, :2] / on_panel[:, 2:]).astype(np.float32)
    height, width = panel.texture.shape[:2]
    texels = abs(cv2.contourArea(shares * np.array([width, height], np.float32)))
    level = round(0.5 * np.log2(max(texels / area, 1.0)))
    return int(min(level, len(panel.mipmaps) - 1))


def _in_view(corners: FloatArray, camera: _Camera) -> BoolArray:
    """(P,) False for polygons (P, 4, 3) that are out of view for certain."""
    in_camera = (corners - camera.center) @ camera.rotation
    sides: FloatArray = in_camera @ camera.planes[:, :3].T + camera.planes[:, 3]
    return np.asarray(np.all(np.any(sides >= 0, axis=1), axis=1))


def _clipped(corners: FloatArray, planes: FloatArray) -> FloatArray:
    """The part of a polygon (N, 3) on the positive side of all planes (M, 4)."""
    sides = corners @ planes[:, :3].T + planes[:, 3]
    polygon = corners
    for plane in planes[(sides < 0).any(axis=0)]:
        side = polygon @ plane[:3] + plane[3]
        kept: list[FloatArray] = []
        for i in range(len(polygon)):
            j = (i + 1) % len(polygon)
            if side[i] >= 0:
                kept.append(polygon[i])
            if (side[i] >= 0) != (side[j] >= 0):
                share = side[i] / (side[i] - side[j])
                kept.append(polygon[i] + share * (polygon[j] - polygon[i]))
        if len(kept) < 3:
            return np.empty((0, 3))
        polygon = np.array(kept)
    return polygon


# --- the picture after the lens -------------------------------------------------------------


class _Finish:
    """Sensor, projector and editor: everything that is done to the light of one frame."""

    def __init__(self, look: Look, trajectory: Trajectory) -> None:
        self.look = look
        self.rng = np.random.default_rng([look.seed, 3])
        self.end = float(trajectory.times[-1])
        width, height = trajectory.size
        x, y = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
        self.shade = (1.0 - look.vignette * 0.5 * (x**2 + y**2))[..., None].astype(np.float32)
        self.warp = _Warp(look, trajectory.size) if look.warp else None
        # A Lamé curve: straight sides, round corners.
        self.outside = x**8 + y**8 > 0.85 if look.gate else None

    def __call__(self, time: float, light: FloatArray) -> Image:
        look, rng = self.look, self.rng
        if self.warp is not None:
            light = self.warp(time, light)
        gain = look.exposure * (1.0 + (look.drift - 1.0) * time / self.end)
        gain *= max(0.1, 1.0 + look.flicker * rng.normal())
        gain *= 1.0 + look.pulsing * np.sin(2.0 * np.pi * time / _PULSE_SECONDS)
        if look.rain:
            light = self._rained(light)
        light = light * (np.float32(gain) * self.shade)
        if look.noise:
            grain = rng.standard_normal(light.shape[:2], dtype=np.float32)
            light += look.noise * grain[..., None]
        picture = np.clip(light, 0, 255, out=light).astype(np.uint8)
        if self.outside is not None:
            picture[self.outside] = 6
        height = len(picture)
        bar = round(0.5 * look.letterbox * height)
        picture[:bar] = 0
        picture[height - bar :] = 0
        if look.logo:
            self._write(picture, "NEWS 7", 0.78, 0.12, 0.0022)
        if look.subtitles:
            lines = ("And then nobody moved.", "Where were you going?", "Listen to me, please.")
            self._write(picture, lines[int(time / 1.5) % 3], 0.2, 0.93, 0.0024)
        return np.asarray(picture * self._light(time), np.uint8)

    def _light(self, time: float) -> float:
        """How far a fade has come: 0 is black, 1 the whole picture."""
        risen = time / self.look.fade_in if self.look.fade_in else 1.0
        left = (self.end - time) / self.look.fade_out if self.look.fade_out else 1.0
        return max(0.0, min(1.0, risen, left))

    def _rained(self, light: FloatArray) -> FloatArray:
        height, width = light.shape[:2]
        streaks = np.zeros((height, width), np.float32)
        for _ in range(self.look.rain):
            x, y = self.rng.uniform(0, width), self.rng.uniform(-0.1, 1) * height
            long = self.rng.uniform(0.05, 0.14) * height
            end = (int(x + 0.15 * long), int(y + long))
            cv2.line(
                streaks, (int(x), int(y)), end, float(self.rng.uniform(15, 60)), 1, cv2.LINE_AA
            )
        return light + streaks[..., None]

    @staticmethod
    def _write(picture: Image, text: str, x: float, y: float, scale: float) -> None:
        height, width = picture.shape[:2]
        spot, size = (int(x * width), int(y * height)), scale * height
        shadow = (spot[0] + 1, spot[1] + 1)
        for place, tone in ((shadow, (0, 0, 0)), (spot, (255, 255, 255))):
            cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, size, tone, 1, cv2.LINE_AA)


class _Warp:
    """A picture that bends by itself: slow waves at the nodes of a coarse grid, no net shift."""

    def __init__(self, look: Look, size: tuple[int, int]) -> None:
        rng = np.random.default_rng([look.seed, 7])
        width, height = size
        self.size = size
        self.height = look.warp * max(size)
        shape = (
            _WARP_WAVES,
            *(2 + round(_WARP_NODES * side / max(size)) for side in (height, width)),
        )
        self.hertz = rng.uniform(*_WARP_HERTZ, (*shape, 2))
        self.phases = rng.uniform(0.0, 2.0 * np.pi, (*shape, 2))
        self.grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)

    def __call__(self, time: float, light: FloatArray) -> FloatArray:
        nodes = np.sin(2.0 * np.pi * self.hertz * time + self.phases).sum(axis=0)
        nodes -= nodes.mean(axis=(0, 1))
        nodes *= self.height / np.sqrt((nodes**2).sum(axis=2).mean())
        bent = cv2.resize(nodes, self.size, interpolation=cv2.INTER_CUBIC) + self.grid
        map_x, map_y = np.moveaxis(bent.astype(np.float32), -1, 0)
        border = cv2.BORDER_REFLECT_101
        return np.asarray(cv2.remap(light, map_x, map_y, cv2.INTER_LINEAR, borderMode=border))


# --- samples --------------------------------------------------------------------------------


def make_samples(folder: Path) -> list[tuple[Path, tuple[str, ...]]]:
    """A few clips with known motion, always the same, and ``labels.csv`` with the truth.

    Args:
        folder: Where to put them; made if missing.

    Returns:
        Each file with the labels that hold for it.
    """
    walker = person(1, 0.5, start=(-0.5, 0.42, 0.8), velocity=(0.3, 0.0, 0.0))
    clips: tuple[tuple[str, str, tuple[Motion, ...], tuple[Actor, ...], tuple[str, ...]], ...] = (
        ("pan_right", "street", (Move("pan_right", 20.0, eased=True),), (), ("pan_right",)),
        ("tilt_up", "room", (Move("tilt_up", 12.0, eased=True),), (), ("tilt_up",)),
        ("dolly_in", "street", (Move("dolly_in", 0.5),), (), ("dolly_in",)),
        ("truck_left", "room", (Move("truck_left", 0.35),), (), ("truck_left",)),
        ("zoom_in", "room", (Move("zoom_in", 0.4),), (), ("zoom_in",)),
        ("static_subject", "room", (), (walker,), ("static",)),
        (
            "pan_left_then_tilt_up",
            "street",
            (
                Move("pan_left", 16.0, end=1.9, eased=True),
                Move("tilt_up", 10.0, start=2.0, eased=True),
            ),
            (),
            ("pan_left", "tilt_up"),
        ),
        ("handheld", "room", (Shake(0.6, 0.005, seed=4),), (), ("shaky",)),
    )
    folder.mkdir(parents=True, exist_ok=True)
    worlds = {world: scene(world, seed=7) for world in {world for _, world, *_ in clips}}
    samples = []
    for name, world, moves, actors, labels in clips:
        path = folder / f"{name}.mp4"
        trajectory = camera_path(moves, duration=3.6)
        view = worlds[world].with_actors(*actors)
        write_video(path, render(trajectory, view, Look(noise=1.5)), trajectory.times)
        samples.append((path, labels))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip", *PRIMITIVES])
        for path, labels in samples:
            # A camera in the hand that goes nowhere is neither still nor moving on purpose.
            doubt = {"static"} if "shaky" in labels else set()
            marks = [
                "yes" if name in labels else "unsure" if name in doubt else "no"
                for name in PRIMITIVES
            ]
            writer.writerow([path.name, *marks])
    return samples
