"""CUT3R's folder ``camera``: a file ``000000.npz`` a frame.

``pose`` (4, 4) world_from_camera and ``intrinsics`` (3, 3) in pixels of the shrunk picture, whose
middle is the principal point. The unit is near to metres. https://github.com/CUT3R/CUT3R
"""

import re
from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.arrays import (
    names_in,
    read_npz,
    stack,
    to_matrices,
    world_from_camera,
)
from dollygrip.runners.formats.files import new_folder
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import (
    matrices_of,
    of_matrices,
    to_centred_pixels,
    to_shares,
)
from dollygrip.runners.formats.path import MOST_POSES, BadPose, CameraPath, PoseError, naming

_NEEDED = ("pose", "intrinsics")
_FIRST = "000000.npz"
_FILE = re.compile(r"\d{6,}\.npz", re.ASCII)


def _folder(path: Path) -> Path | None:
    places = (path / "camera", path)
    return next((place for place in places if (place / _FIRST).is_file()), None)


def _matches(path: Path, head: bytes) -> bool:
    try:
        folder = _folder(path)
        if folder is None:
            return False
        with (folder / _FIRST).open("rb") as file:
            return names_in(folder / _FIRST, file.read(4)).issuperset(_NEEDED)
    except (OSError, ValueError):
        return False


def _read(path: Path, convention: Convention) -> CameraPath:
    with naming(path):
        folder = _folder(path)
        if folder is None:
            raise PoseError(f"{path}: holds no file camera/{_FIRST}")
        count = sum(1 for found in folder.iterdir() if _FILE.fullmatch(found.name))
        if count > MOST_POSES:
            raise ValueError(f"holds {count} poses; {MOST_POSES} are the most")
    poses, calibration = [], []
    for k in range(count):
        file = folder / f"{k:06d}.npz"
        arrays = read_npz(file, _NEEDED)
        with naming(file):
            poses.append(stack("pose", arrays["pose"], (4, 4))[:1])
            calibration.append(stack("intrinsics", arrays["intrinsics"], (3, 3))[:1])
    with naming(folder):
        try:
            return CameraPath(
                world_from_camera(np.concatenate(poses), convention),
                intrinsics=to_shares(of_matrices(np.concatenate(calibration))),
            )
        except BadPose as error:
            raise PoseError(f"{folder / f'{error.pose:06d}.npz'}: {error}") from error


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        poses = to_matrices(cameras, convention)
        calibration = matrices_of(to_centred_pixels(cameras)[cameras.there])
        with new_folder(path) as folder:
            (folder / "camera").mkdir()
            for k, (pose, intrinsics) in enumerate(zip(poses, calibration, strict=True)):
                np.savez(folder / "camera" / f"{k:06d}.npz", pose=pose, intrinsics=intrinsics)


FORMAT = PoseFormat(
    name="cut3r",
    title="CUT3R cameras (a folder)",
    convention=Convention("world_from_camera", "opencv"),
    unit="any",
    kept=frozenset({"intrinsics"}),
    matches=_matches,
    read=_read,
    write=_write,
)
