"""AC3D's ``camera_info.json``: poses (``w2c``), pixel intrinsics and the size of the picture.

``{"imH": 576, "imW": 1024, "intrinsics": [3x3, ...], "w2c": [3x4, ...]}``, one entry a frame of
the video. The matrices are camera_from_world, as in RealEstate10K, from which they come. Without
a size the intrinsics mean nothing; a path that has none is written without them.
https://github.com/snap-research/ac3d, data/metric_scale_camera
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.matrices import from_rows, numbers, shape, to_rows
from dollygrip.runners.formats.path import CameraPath, naming
from dollygrip.runners.formats.text import read_json, write_text

_FIRST_KEY = re.compile(rb'\s*\{\s*"(?:w2c|imH|imW)"\s*:')


def _matches(path: Path, head: bytes) -> bool:
    return _FIRST_KEY.match(head) is not None


def _read(path: Path, convention: Convention) -> CameraPath:
    with naming(path):
        data = read_json(path)
        if not isinstance(data, dict):
            raise ValueError("an object with the poses as w2c is expected")
        rows = numbers(data["w2c"], shape(convention)).reshape(-1, 12)
        size = _size(data)
        shares = None
        if size and "intrinsics" in data:
            shares = _shares(numbers(data["intrinsics"], (3, 3)), size)
        return CameraPath(from_rows(rows, convention), intrinsics=shares, size=size)


def _size(data: dict[str, Any]) -> tuple[int, int] | None:
    if "imW" not in data and "imH" not in data:
        return None
    width, height = data["imW"], data["imH"]
    if not all(type(pixels) is int and 0 < pixels < 2**20 for pixels in (width, height)):
        raise ValueError("imW and imH are to be the width and height in pixels")
    return width, height


def _shares(matrices: FloatArray, size: tuple[int, int]) -> FloatArray:
    """(N, 4) fx, fy, cx, cy as shares of the picture, of (N, 3, 3) in pixels."""
    return matrices[:, [0, 1, 0, 1], [0, 1, 2, 2]] / (size * 2)


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    rows = to_rows(cameras.world_from_camera[cameras.there], convention)
    data: dict[str, Any] = {}
    if cameras.size:
        data["imW"], data["imH"] = cameras.size
        if cameras.intrinsics is not None:
            pixels = cameras.intrinsics[cameras.there] * (cameras.size * 2)
            matrices = np.tile(np.eye(3), (len(pixels), 1, 1))
            matrices[:, [0, 1, 0, 1], [0, 1, 2, 2]] = pixels
            data["intrinsics"] = matrices.tolist()
    data["w2c"] = rows.reshape(-1, *shape(convention)).tolist()
    write_text(path, json.dumps(data, indent=1) + "\n")


FORMAT = PoseFormat(
    name="ac3d",
    title="AC3D camera info",
    convention=Convention("camera_from_world", "opencv"),
    unit="any",
    kept=frozenset({"intrinsics"}),
    matches=_matches,
    read=_read,
    write=_write,
)
