"""nerfstudio's ``transforms.json``, and instant-ngp's: world_from_camera with OpenGL axes.

Frames are often in no order, so they are taken in that of their ``file_path``, where each has one.
The turn of the world that nerfstudio adds (``applied_transform``) is taken back; lenses are taken
to be straight. https://docs.nerf.studio/quickstart/data_conventions.html
"""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention, from_opencv
from dollygrip.runners.formats.arrays import world_from_camera
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import to_pixels
from dollygrip.runners.formats.order import (
    check_name,
    natural_order,
    picture_names,
    with_gaps,
)
from dollygrip.runners.formats.path import MOST_POSES, BadPose, CameraPath, naming
from dollygrip.runners.formats.text import read_json, write_text

_KEY = re.compile(rb'"(transform_matrix|camera_angle_x|applied_transform|fl_x)"\s*:')
_CALIBRATION = ("fl_x", "fl_y", "cx", "cy")
# Where a file tells only the horizontal field of view.
_ASPECT = 16 / 9


def _matches(path: Path, head: bytes) -> bool:
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and bool(_KEY.search(head))


def _read(path: Path, convention: Convention) -> CameraPath:
    data = read_json(path)
    with naming(path):
        if not isinstance(data, dict) or not isinstance(data.get("frames"), list):
            raise ValueError("has no list of frames")
        frames = data["frames"]
        if len(frames) > MOST_POSES:
            raise ValueError(f"holds {len(frames)} frames; {MOST_POSES} are the most")
        if not all(isinstance(frame, dict) for frame in frames):
            raise ValueError("has a frame that is no object")
        names = [frame.get("file_path") for frame in frames]
        if all(isinstance(name, str) for name in names):
            frames = [frames[k] for k in natural_order([check_name(name) for name in names])]
            names = [frame["file_path"] for frame in frames]
        else:
            names = []
        matrices = [_matrix(frame, k) for k, frame in enumerate(frames)]
        poses = world_from_camera(np.array(matrices).reshape(-1, 4, 4), convention)
        if data.get("applied_transform") is not None:
            poses = np.linalg.inv(_square(data["applied_transform"])) @ poses
        sizes = [_size({**data, **frame}) for frame in frames]
        cameras = CameraPath(
            poses,
            intrinsics=_shares(data, frames),
            size=sizes[0] if sizes else None,
            names=tuple(names),
        )
        return with_gaps(cameras)


def _matrix(frame: dict[str, Any], k: int) -> FloatArray:
    if "transform_matrix" not in frame:
        raise BadPose(k, "has no transform_matrix")
    try:
        return _square(frame["transform_matrix"])
    except (TypeError, ValueError, OverflowError) as error:
        raise BadPose(k, "has a transform_matrix that is none of 4 x 4 numbers") from error


def _square(value: object) -> FloatArray:
    matrix = np.asarray(value, np.float64)
    if matrix.shape == (3, 4):
        matrix = np.vstack([matrix, [0.0, 0.0, 0.0, 1.0]])
    if matrix.shape != (4, 4):
        raise ValueError(f"a matrix of {matrix.shape}, expected 4 x 4")
    return matrix


def _shares(data: dict[str, Any], frames: list[dict[str, Any]]) -> FloatArray | None:
    """(N, 4) shares of the picture, where every frame, or the file for all of them, says them."""
    found = [_calibration({**data, **frame}) for frame in frames]
    if any(shares is None for shares in found):
        return None
    return np.array(found)


def _calibration(said: dict[str, Any]) -> list[float] | None:
    size = _size(said)
    fx, fy, cx, cy = (_number(said, key) for key in _CALIBRATION)
    if fx is not None:
        # Without a size, the principal point is taken for the middle of the picture.
        width = size[0] if size else 2.0 * cx if cx else None
        height = size[1] if size else 2.0 * cy if cy else None
        if not width or not height:
            return None
        middle = (0.5 if cx is None else cx / width, 0.5 if cy is None else cy / height)
        return [fx / width, (fx if fy is None else fy) / height, *middle]
    across, up = _number(said, "camera_angle_x"), _number(said, "camera_angle_y")
    if across is None or not 0.0 < across < math.pi:
        return None
    share = 0.5 / math.tan(across / 2.0)
    if up is not None and 0.0 < up < math.pi:
        return [share, 0.5 / math.tan(up / 2.0), 0.5, 0.5]
    return [share, share * (size[0] / size[1] if size else _ASPECT), 0.5, 0.5]


def _size(said: dict[str, Any]) -> tuple[int, int] | None:
    width, height = _number(said, "w"), _number(said, "h")
    if width is None or height is None:
        return None
    if not (1.0 <= width < 2**20 and 1.0 <= height < 2**20):
        raise ValueError(f"has a picture of {width:g} x {height:g} pixels")
    return round(width), round(height)


def _number(said: dict[str, Any], key: str) -> float | None:
    value = said.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{key} is no number")
    return float(value) if abs(value) < 1e300 else math.inf


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        matrices = from_opencv(cameras.world_from_camera, convention)
        pixels, (width, height) = to_pixels(cameras)
        names = picture_names(cameras)
        there = np.flatnonzero(cameras.there).tolist()
        steady = len(np.unique(pixels[there], axis=0)) == 1
        said = [dict(zip(_CALIBRATION, row, strict=True)) for row in pixels.tolist()]
        data = {
            "camera_model": "OPENCV",
            "w": width,
            "h": height,
            **(said[there[0]] if steady else {}),
            "frames": [
                {
                    "file_path": names[k],
                    **({} if steady else said[k]),
                    "transform_matrix": matrices[k].tolist(),
                }
                for k in there
            ],
        }
        write_text(path, json.dumps(data, indent=2, allow_nan=False) + "\n")


FORMAT = PoseFormat(
    name="nerfstudio",
    title="nerfstudio or instant-ngp (transforms.json)",
    convention=Convention("world_from_camera", "opengl"),
    unit="any",
    kept=frozenset({"intrinsics", "names", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
