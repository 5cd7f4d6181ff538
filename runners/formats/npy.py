"""Plain arrays of poses, ``.npy`` or ``.npz``: (N, 4, 4) or (N, 3, 4), or (N, 7) when named.

Taken as world_from_camera with OpenCV axes, as AnyCam (``trajectory.npy``) and Pi3
(``camera_poses``) write them. Rows of seven are x, y, z and a quaternion; which way they lead is
not to be seen (DROID-SLAM's and MegaSaM's differ), so they are read only where the format is named.
"""

import io
from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention, from_opencv
from dollygrip.runners.formats.arrays import (
    layout,
    names_in,
    read_npy,
    read_npz,
    stack,
    world_from_camera,
)
from dollygrip.runners.formats.files import write_atomically
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import CameraPath, PoseError, naming
from dollygrip.runners.formats.quaternions import from_rows

_NAMES = frozenset(
    {"poses", "camera_poses", "trajectory", "world_from_camera", "cam2world", "c2w", "arr_0"}
)


def _matches(path: Path, head: bytes) -> bool:
    if head.startswith(b"PK"):
        return len(names_in(path, head) & _NAMES) == 1
    try:
        shape = layout(head).shape
    except ValueError:
        return False
    # One axis of batches may come before.
    return shape[-2:] in ((4, 4), (3, 4)) and (len(shape) == 3 or len(shape) == 4)


def _read(path: Path, convention: Convention) -> CameraPath:
    with naming(path):
        with path.open("rb") as file:
            head = file.read(4096)
        if head.startswith(b"PK"):
            names = sorted(names_in(path, head))
            ours = [name for name in names if name in _NAMES] or names
            if len(ours) > 1:
                raise PoseError(f"{path}: several arrays could be poses: {', '.join(ours)[:200]}")
            values = read_npz(path, ours or ["poses"])[ours[0] if ours else "poses"]
        else:
            values = read_npy(path)
        if values.ndim == 2 and values.shape[1] == 7:
            return CameraPath(from_rows(values.astype(np.float64), convention))
        poses = stack("poses", values, (4, 4), (3, 4))
        return CameraPath(world_from_camera(poses, convention))


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        file = io.BytesIO()
        np.save(file, from_opencv(cameras.world_from_camera, convention)[cameras.there])
        write_atomically(path, file.getvalue())


FORMAT = PoseFormat(
    name="npy",
    title="array of matrices (.npy, .npz)",
    convention=Convention("world_from_camera", "opencv"),
    unit="any",
    kept=frozenset(),
    matches=_matches,
    read=_read,
    write=_write,
)
