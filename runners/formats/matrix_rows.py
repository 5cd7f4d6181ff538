"""Poses as sixteen numbers a line, a 4x4 matrix row by row, with no times, only an order.

Depth Anything 3's streaming and VGGT-Long write ``camera_poses.txt`` so: world_from_camera, in
the unit of their depths. https://github.com/ByteDance-Seed/Depth-Anything-3, da3_streaming
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.arrays import to_matrices, world_from_camera
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import CameraPath, naming
from dollygrip.runners.formats.text import looks_like_table, read_rows, write_rows


def _matches(path: Path, head: bytes) -> bool:
    return looks_like_table(head, columns=16)


def _read(path: Path, convention: Convention) -> CameraPath:
    rows = list(read_rows(path, 16))
    with naming(path, [line for line, _ in rows]):
        matrices = np.array([values for _, values in rows]).reshape(-1, 4, 4)
        return CameraPath(world_from_camera(matrices, convention))


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        write_rows(path, to_matrices(cameras, convention).reshape(-1, 16))


FORMAT = PoseFormat(
    name="matrix_rows",
    title="4x4 matrices, one a line (camera_poses.txt)",
    convention=Convention("world_from_camera", "opencv"),
    unit="any",
    kept=frozenset(),
    matches=_matches,
    read=_read,
    write=_write,
)
