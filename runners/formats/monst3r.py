"""MonST3R's ``pred_traj.txt``, one ``number x y z qw qx qy qz`` a line.

Its own name for it is TUM format, but the quaternion begins with w: only the name of the file
tells the two apart. The first column counts the pictures that the network was shown, which need
not be all frames of the video, so it gives an order and no times. Easi3R and Align3R write the
same. https://github.com/Junyi42/monst3r
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import CameraPath, naming
from dollygrip.runners.formats.quaternions import from_rows, to_rows
from dollygrip.runners.formats.text import read_rows, write_rows


def _matches(path: Path, head: bytes) -> bool:
    return path.name == "pred_traj.txt"


def _read(path: Path, convention: Convention) -> CameraPath:
    rows = list(read_rows(path, 8))
    with naming(path, [line for line, _ in rows]):
        table = np.array([values for _, values in rows]).reshape(-1, 8)
        counted = np.array_equal(table[:, 0], np.arange(len(table)))
        times = None if counted else table[:, 0]
        return CameraPath(from_rows(table[:, 1:], convention), times=times)


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        rows = to_rows(cameras.world_from_camera[cameras.there], convention)
        write_rows(path, np.column_stack([np.arange(len(rows)), rows]))


FORMAT = PoseFormat(
    name="monst3r",
    title="MonST3R trajectory (pred_traj.txt)",
    convention=Convention("world_from_camera", "opencv", quaternion="wxyz"),
    unit="any",
    kept=frozenset(),
    matches=_matches,
    read=_read,
    write=_write,
)
