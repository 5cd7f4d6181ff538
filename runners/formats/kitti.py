"""KITTI odometry poses, twelve numbers a line: a 3x4 matrix row by row, in metres.

The poses are those of the left grey camera, world_from_camera, with the first one as the world.
There are no times, only an order. evo and most odometry programs write them, too.
https://www.cvlibs.net/datasets/kitti/eval_odometry.php
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.matrices import from_rows, to_rows
from dollygrip.runners.formats.path import CameraPath, naming
from dollygrip.runners.formats.text import looks_like_table, read_rows, write_rows


def _matches(path: Path, head: bytes) -> bool:
    return looks_like_table(head, columns=12)


def _read(path: Path, convention: Convention) -> CameraPath:
    rows = list(read_rows(path, 12))
    with naming(path, [line for line, _ in rows]):
        table = np.array([values for _, values in rows]).reshape(-1, 12)
        return CameraPath(from_rows(table, convention), metric=True)


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    write_rows(path, to_rows(cameras.world_from_camera[cameras.there], convention))


FORMAT = PoseFormat(
    name="kitti",
    title="KITTI odometry poses",
    convention=Convention("world_from_camera", "opencv"),
    unit="metres",
    kept=frozenset(),
    matches=_matches,
    read=_read,
    write=_write,
)
