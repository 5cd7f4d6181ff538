"""TUM trajectories, one ``timestamp tx ty tz qx qy qz qw`` a line, in seconds.

MASt3R-SLAM, DPVO, ORB-SLAM and evo write them, too; only the data set itself is in metres.
https://cvg.cit.tum.de/data/datasets/rgbd-dataset/file_formats
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats import chan, euroc, monst3r
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import CameraPath, naming
from dollygrip.runners.formats.quaternions import from_rows, to_rows
from dollygrip.runners.formats.text import looks_like_table, read_rows, write_rows


def _matches(path: Path, head: bytes) -> bool:
    if not looks_like_table(head, columns=8):
        return False
    # These have eight columns, too, which mean something else.
    return not any(other.FORMAT.matches(path, head) for other in (chan, euroc, monst3r))


def _read(path: Path, convention: Convention) -> CameraPath:
    rows = list(read_rows(path, 8))
    with naming(path, [line for line, _ in rows]):
        table = np.array([values for _, values in rows]).reshape(-1, 8)
        return CameraPath(from_rows(table[:, 1:], convention), times=table[:, 0])


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        rows = np.column_stack([cameras.clock(), to_rows(cameras.world_from_camera, convention)])
        write_rows(path, rows[cameras.there], header="timestamp tx ty tz qx qy qz qw")


FORMAT = PoseFormat(
    name="tum",
    title="TUM trajectory",
    convention=Convention("world_from_camera", "opencv", quaternion="xyzw"),
    unit="any",
    kept=frozenset({"times", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
