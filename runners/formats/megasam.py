"""MegaSaM's results, ``SCENE_droid.npz`` and ``SCENE_sgd_cvd_hr.npz``.

``cam_c2w`` (N, 4, 4) world_from_camera; ``intrinsic`` (3, 3), one for all, in pixels of ``images``
(N, H, W, 3) and ``depths`` (N, H, W), which are shrunk and cropped. The unit is that of the depths
(a depth network's, brought to one scale). Its folder ``reconstructions/SCENE`` is read as
:mod:`~dollygrip.runners.formats.droid`.

What is written has one ``intrinsic``, too, the median of all: a zoom is lost. ``images`` holds no
picture and tells their size, (0, H, W, 3), which is all that MegaSaM's own export_to_colmap.py
takes from it. There are no ``depths``: a program that needs them should say so, and not show
nothing. https://github.com/mega-sam/mega-sam
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.arrays import (
    median_depth,
    names_in,
    read_npz,
    shape_in,
    some_frames,
    stack,
    to_matrices,
    world_from_camera,
)
from dollygrip.runners.formats.files import write_npz
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import matrices_of, of_matrices, to_pixels, to_shares
from dollygrip.runners.formats.path import CameraPath, naming

_NEEDED = ("cam_c2w", "intrinsic")


def _matches(path: Path, head: bytes) -> bool:
    return names_in(path, head).issuperset(_NEEDED)


def _read(path: Path, convention: Convention) -> CameraPath:
    arrays = read_npz(path, _NEEDED)
    images, depths = shape_in(path, "images"), shape_in(path, "depths")
    with naming(path):
        poses = stack("cam_c2w", arrays["cam_c2w"], (4, 4))
        calibration = stack("intrinsic", arrays["intrinsic"], (3, 3))
        size = None
        if depths is not None and len(depths) == 3:
            size = depths[2], depths[1]
        elif images is not None and len(images) == 4:
            size = images[2], images[1]
        shares = to_shares(of_matrices(calibration[:1]), size)
        return CameraPath(
            world_from_camera(poses, convention),
            intrinsics=np.repeat(shares, len(poses), axis=0),
            size=size,
            scene_depth=median_depth(some_frames(path, len(poses), "depths")),
        )


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        poses = to_matrices(cameras, convention)
        pixels, (width, height) = to_pixels(cameras)
        lens = np.median(pixels[cameras.there], axis=0, keepdims=True)
        arrays = {
            "images": np.zeros((0, height, width, 3), np.uint8),
            "intrinsic": matrices_of(lens)[0],
            "cam_c2w": poses,
        }
        write_npz(path, arrays)


FORMAT = PoseFormat(
    name="megasam",
    title="MegaSaM results (.npz)",
    convention=Convention("world_from_camera", "opencv"),
    unit="any",
    kept=frozenset({"intrinsics"}),
    matches=_matches,
    read=_read,
    write=_write,
)
