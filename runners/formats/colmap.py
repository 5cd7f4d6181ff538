"""COLMAP models, text and binary: a folder with ``cameras``, ``images`` and ``points3D``.

Read without COLMAP's own library: a few damaged bytes make that one ask for more memory than there
is, which no caller can catch, and it loads every observation of every point. Each picture's own
pose stands in ``images`` also where a model has rigs and frames, so these are not needed.
https://colmap.github.io/format.html
"""

import math
import struct
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, inverse
from dollygrip.runners.formats.arrays import median_depth
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import to_pixels, to_shares
from dollygrip.runners.formats.order import (
    LONGEST_NAME,
    check_name,
    natural_order,
    picture_names,
    with_gaps,
)
from dollygrip.runners.formats.path import MOST_POSES, BadPose, CameraPath, PoseError, naming
from dollygrip.runners.formats.quaternions import from_rows, to_rows
from dollygrip.runners.formats.text import read_text, write_text

_PLACES = ("", "sparse/0", "sparse", "0")
_WRITTEN = ("cameras.txt", "images.txt", "points3D.txt")
# For the median depth of the scene.
_SAMPLED_POINTS = 20_000
_LONGEST_TRACK = 100_000

# By number, the name of each camera model, how many parameters it has, and how many of them come
# before the principal point: one focal length or two.
_MODELS = {
    0: ("SIMPLE_PINHOLE", 3, 1),
    1: ("PINHOLE", 4, 2),
    2: ("SIMPLE_RADIAL", 4, 1),
    3: ("RADIAL", 5, 1),
    4: ("OPENCV", 8, 2),
    5: ("OPENCV_FISHEYE", 8, 2),
    6: ("FULL_OPENCV", 12, 2),
    7: ("FOV", 5, 2),
    8: ("SIMPLE_RADIAL_FISHEYE", 4, 1),
    9: ("RADIAL_FISHEYE", 5, 1),
    10: ("THIN_PRISM_FISHEYE", 12, 2),
    11: ("RAD_TAN_THIN_PRISM_FISHEYE", 16, 2),
    12: ("SIMPLE_DIVISION", 4, 1),
    13: ("DIVISION", 5, 2),
    14: ("SIMPLE_FISHEYE", 3, 1),
    15: ("FISHEYE", 4, 2),
    16: ("EUCM", 6, 2),
    17: ("EQUIRECTANGULAR", 2, 0),
}
_BY_NAME = {name: (name, count, focals) for name, count, focals in _MODELS.values()}


@dataclass(frozen=True)
class _Camera:
    size: tuple[int, int]
    pixels: tuple[float, float, float, float]


class _Image(NamedTuple):
    """A picture that has a pose.

    Attributes:
        number: By which points know it.
        row: tx ty tz qw qx qy qz, camera_from_world.
        camera: The number of its camera.
        name: Its file, below a folder that a model does not tell.
        line: Of the file that says so; 0 in a binary one.
    """

    number: int
    row: tuple[float, ...]
    camera: int
    name: str
    line: int = 0


# A point, and the numbers of the pictures that saw it.
_Point = tuple[tuple[float, ...], list[int]]
_Kind = TypeVar("_Kind")


def _model(path: Path) -> Path | None:
    """The folder of the model that a path means."""
    if path.is_file():
        path = path.parent if path.stem in ("images", "cameras", "points3D") else path
    for place in _PLACES:
        for suffix in (".bin", ".txt"):
            folder = path / place
            if all((folder / f"{part}{suffix}").is_file() for part in ("cameras", "images")):
                return folder
    return None


def _matches(path: Path, head: bytes) -> bool:
    try:
        return _model(path) is not None
    except (OSError, ValueError):
        return False


def _read(path: Path, convention: Convention) -> CameraPath:
    with naming(path):
        folder = _model(path)
    if folder is None:
        raise PoseError(f"{path}: holds no COLMAP model (cameras and images, .bin or .txt)")
    if all((folder / f"{part}.bin").is_file() for part in ("cameras", "images")):
        file = folder / "images.bin"
        cameras = _unpack(folder / "cameras.bin", _binary_cameras)
        images = _unpack(file, _binary_images)
    else:
        file = folder / "images.txt"
        cameras = _text_cameras(folder / "cameras.txt")
        images = _text_images(file)
    images = [images[k] for k in natural_order([image.name for image in images])]
    with naming(file, [image.line for image in images if image.line]):
        for k, image in enumerate(images):
            if image.camera not in cameras:
                raise BadPose(k, f"has the camera {image.camera}, which is not there")
        used = [cameras[image.camera] for image in images]
        if not used:
            raise ValueError("holds no picture with a pose")
        found = CameraPath(
            from_rows(np.array([image.row for image in images]), convention),
            intrinsics=np.vstack(
                [to_shares(np.array([camera.pixels]), camera.size) for camera in used]
            ),
            size=used[0].size,
            names=tuple(image.name for image in images),
        )
    points = _points(folder / f"points3D{file.suffix}")
    depth = _median_depth(points, images, found.world_from_camera)
    return with_gaps(replace(found, scene_depth=depth))


def _camera(model: tuple[str, int, int], size: tuple[int, int], values: list[float]) -> _Camera:
    name, count, focals = model
    if focals == 0:
        raise ValueError(f"has a camera of the model {name}, which has no focal length")
    if len(values) != count:
        raise ValueError(f"{len(values)} parameters for the model {name}, expected {count}")
    if not (0 < size[0] < 2**20 and 0 < size[1] < 2**20):
        raise ValueError(f"has a camera of {size[0]} x {size[1]} pixels")
    cx, cy = values[focals : focals + 2]
    return _Camera(size, (values[0], values[focals - 1], cx, cy))


def _points(path: Path) -> list[_Point]:
    if not path.is_file():
        return []
    return _unpack(path, _binary_points) if path.suffix == ".bin" else _text_points(path)


def _median_depth(points: list[_Point], images: list[_Image], poses: FloatArray) -> float:
    """Of points (their place in the world) in front of the cameras that saw them."""
    row = {image.number: k for k, image in enumerate(images)}
    seen = [(k, xyz) for xyz, track in points for k in map(row.get, track) if k is not None]
    if not seen:
        return math.nan
    back = inverse(poses)
    which = np.array([k for k, _ in seen])
    places = np.array([xyz for _, xyz in seen])
    with np.errstate(over="ignore", invalid="ignore"):
        return median_depth(np.einsum("ni,ni->n", back[which, 2, :3], places) + back[which, 2, 3])


# --- binary ---


class _Cursor:
    """Takes numbers off a file, never more than it has."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file, self._left = file, size

    def take(self, what: str) -> tuple[Any, ...]:
        size = struct.calcsize(f"<{what}")
        self._spend(size)
        return struct.unpack(f"<{what}", self._file.read(size))

    def count(self, smallest: int) -> int:
        """A number of things of so many bytes at least."""
        (number,) = self.take("Q")
        if number * smallest > self._left:
            raise ValueError(f"says that it holds {number} things; it is cut off or damaged")
        return int(number)

    def skip(self, size: int) -> None:
        self._spend(size)
        self._file.seek(size, 1)

    def word(self) -> str:
        """A text that ends with a zero byte."""
        letters = b""
        while not letters.endswith(b"\0"):
            letters += self.take("c")[0]
            if len(letters) > LONGEST_NAME:
                raise ValueError("holds a picture with a name too long for one")
        return letters[:-1].decode(errors="replace")

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise ValueError("is cut off")


def _unpack(path: Path, reader: Callable[[_Cursor], _Kind]) -> _Kind:
    with naming(path), path.open("rb") as file:
        return reader(_Cursor(file, path.stat().st_size))


def _binary_cameras(cursor: _Cursor) -> dict[int, _Camera]:
    cameras = {}
    for _ in range(_limited(cursor.count(24), "cameras", MOST_POSES)):
        number, model, width, height = cursor.take("IiQQ")
        if model not in _MODELS:
            raise ValueError(f"has a camera of the unknown model {model}")
        values = cursor.take(f"{_MODELS[model][1]}d")
        cameras[number] = _camera(_MODELS[model], (width, height), list(values))
    return cameras


def _binary_images(cursor: _Cursor) -> list[_Image]:
    images = []
    for _ in range(_limited(cursor.count(73), "pictures", MOST_POSES)):
        number, *pose, camera = cursor.take("I7dI")
        images.append(_Image(number, (*pose[4:], *pose[:4]), camera, cursor.word()))
        cursor.skip(24 * cursor.count(24))
    return images


def _binary_points(cursor: _Cursor) -> list[_Point]:
    points: list[_Point] = []
    count = cursor.count(51)
    step = max(1, count // _SAMPLED_POINTS)
    for k in range(count):
        _, *place, _, _, _, _ = cursor.take("Q3d3Bd")
        track = cursor.count(8)
        if k % step or track > _LONGEST_TRACK:
            cursor.skip(8 * track)
        else:
            points.append((tuple(place), list(cursor.take(f"{2 * track}I")[::2])))
    return points


def _limited(count: int, what: str, most: int) -> int:
    if count > most:
        raise ValueError(f"holds {count} {what}; {most} are the most")
    return count


# --- text ---


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip() and not line.startswith("#"):
            yield number, line


def _text_cameras(path: Path) -> dict[int, _Camera]:
    cameras = {}
    for number, line in _rows(path):
        with _at(path, number):
            camera, model, width, height, *values = line.split()
            if model not in _BY_NAME:
                raise ValueError(f"an unknown camera model, {model[:40]!r}")
            size = int(width), int(height)
            cameras[int(camera)] = _camera(_BY_NAME[model], size, list(map(float, values)))
    return cameras


def _text_images(path: Path) -> list[_Image]:
    images = []
    lines = iter(enumerate(read_text(path).splitlines(), start=1))
    for at, line in lines:
        if not line.strip() or line.startswith("#"):
            continue
        with _at(path, at):
            words = line.split(maxsplit=9)
            if len(words) != 10:
                raise ValueError(f"{len(words)} columns, expected 10: a number, a pose, a name")
            number, *numbers, camera, name = words
            pose = tuple(map(float, numbers))
            name = check_name(name.strip())
            images.append(_Image(int(number), (*pose[4:], *pose[:4]), int(camera), name, at))
        below, points = next(lines, (at + 1, ""))
        # Files without these lines would lose every second picture.
        if len(points.split()) % 3:
            raise PoseError(f"{path}:{below}: not the points of the picture in the line before")
    return images


def _text_points(path: Path) -> list[_Point]:
    rows = list(_rows(path))
    points: list[_Point] = []
    for number, line in rows[:: max(1, len(rows) // _SAMPLED_POINTS)]:
        with _at(path, number):
            words = line.split()
            if len(words) < 8:
                raise ValueError(f"{len(words)} columns, expected 8 or more")
            place = tuple(map(float, words[1:4]))
            points.append((place, [int(word) for word in words[8 : 8 + 2 * _LONGEST_TRACK : 2]]))
    return points


def _at(path: Path, line: int) -> AbstractContextManager[None]:
    return naming(Path(f"{path}:{line}"))


# --- writing ---


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        path.mkdir(exist_ok=True)
        strange = sorted(set(found.name for found in path.iterdir()) - set(_WRITTEN))
        if strange:
            raise ValueError(
                f"holds {strange[0]!r}; a model is written to an empty folder, or over a text model"
            )
        rows = to_rows(cameras.world_from_camera, convention)
        pixels, (width, height) = to_pixels(cameras)
    there = np.flatnonzero(cameras.there)
    # A picture each where the focal length changes, one for all otherwise.
    kinds, kind = np.unique(pixels[there], axis=0, return_inverse=True)
    names = picture_names(cameras)
    camera_lines = ["# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]"]
    camera_lines += [
        f"{k} PINHOLE {width} {height} {' '.join(map(repr, values))}"
        for k, values in enumerate(kinds.tolist(), start=1)
    ]
    image_lines = ["# IMAGE_ID, QW, QX, QY, QZ, TX, TY, TZ, CAMERA_ID, NAME, and a line of points"]
    for k, (place, camera) in enumerate(zip(there, kind.reshape(-1), strict=True), start=1):
        numbers = " ".join(map(repr, [*rows[place, 3:].tolist(), *rows[place, :3].tolist()]))
        image_lines += [f"{k} {numbers} {camera + 1} {names[place]}", ""]
    for name, lines in zip(_WRITTEN, (camera_lines, image_lines, ["# no points"]), strict=True):
        write_text(path / name, "\n".join(lines) + "\n")


FORMAT = PoseFormat(
    name="colmap",
    title="COLMAP model (a folder)",
    convention=Convention("camera_from_world", "opencv", quaternion="wxyz"),
    unit="any",
    kept=frozenset({"intrinsics", "names", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
