"""Depth Anything 3's ``results.npz``, and what VGGT predicts, saved under its own names.

``extrinsics`` (N, 3, 4) camera_from_world and ``intrinsics`` (N, 3, 3) in pixels of ``depth``
(N, H, W); VGGT says ``extrinsic`` and ``intrinsic`` and may keep an axis of batches. Written
without ``depth``, and with the principal point in the middle, where both have it.
https://github.com/ByteDance-Seed/Depth-Anything-3, https://github.com/facebookresearch/vggt
"""

from pathlib import Path

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
from dollygrip.runners.formats.intrinsics import (
    matrices_of,
    of_matrices,
    to_centred_pixels,
    to_shares,
)
from dollygrip.runners.formats.path import CameraPath, PoseError, naming

_PAIRS = (("extrinsics", "intrinsics"), ("extrinsic", "intrinsic"))


def _matches(path: Path, head: bytes) -> bool:
    names = names_in(path, head)
    return any(names.issuperset(pair) for pair in _PAIRS)


def _read(path: Path, convention: Convention) -> CameraPath:
    arrays = read_npz(path, (), optional=[name for pair in _PAIRS for name in pair])
    pair = next((pair for pair in _PAIRS if set(pair) <= set(arrays)), None)
    if pair is None:
        raise PoseError(f"{path}: lacks the arrays 'extrinsics' and 'intrinsics'")
    extrinsics, intrinsics = pair
    depth = shape_in(path, "depth")
    with naming(path):
        poses = stack(extrinsics, arrays[extrinsics], (4, 4), (3, 4))
        calibration = stack(intrinsics, arrays[intrinsics], (3, 3))
        size = None
        if depth is not None:
            # (N, H, W), perhaps with batches before it, perhaps with one channel after it.
            sides = depth[:-1] if len(depth) > 3 and depth[-1] == 1 else depth
            size = (sides[-1], sides[-2]) if len(sides) >= 3 else None
        return CameraPath(
            world_from_camera(poses, convention),
            intrinsics=to_shares(of_matrices(calibration), size),
            size=size,
            scene_depth=median_depth(some_frames(path, len(poses), "depth")),
        )


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        poses = to_matrices(cameras, convention)
        pixels = to_centred_pixels(cameras)[cameras.there]
        arrays = {
            # Transposed, the last row is not the one without a meaning.
            "extrinsics": poses if convention.transposed else poses[:, :3],
            "intrinsics": matrices_of(pixels),
        }
        write_npz(path, arrays)


FORMAT = PoseFormat(
    name="depth_anything",
    title="Depth Anything 3 or VGGT predictions (.npz)",
    convention=Convention("camera_from_world", "opencv"),
    unit="any",
    kept=frozenset({"intrinsics"}),
    matches=_matches,
    read=_read,
    write=_write,
)
