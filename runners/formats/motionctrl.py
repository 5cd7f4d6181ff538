"""MotionCtrl's camera paths: a JSON list of poses, each a list of the twelve numbers of a 3x4.

As in RealEstate10K, from which they come, the matrices are camera_from_world; there are no times
and no unit. https://github.com/TencentARC/MotionCtrl
"""

import json
import re
from pathlib import Path

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.matrices import from_rows, numbers, to_rows
from dollygrip.runners.formats.path import CameraPath, naming
from dollygrip.runners.formats.text import read_json, write_text

_TWELVE = re.compile(rb"\s*\[\s*\[(?:\s*[-+.\deE]+\s*,){11}\s*[-+.\deE]+\s*\]")


def _matches(path: Path, head: bytes) -> bool:
    return _TWELVE.match(head) is not None


def _read(path: Path, convention: Convention) -> CameraPath:
    with naming(path):
        return CameraPath(from_rows(numbers(read_json(path), (12,)), convention))


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    rows = to_rows(cameras.world_from_camera[cameras.there], convention)
    write_text(path, json.dumps(rows.tolist(), indent=1) + "\n")


FORMAT = PoseFormat(
    name="motionctrl",
    title="MotionCtrl camera path",
    convention=Convention("camera_from_world", "opencv"),
    unit="any",
    kept=frozenset(),
    matches=_matches,
    read=_read,
    write=_write,
)
