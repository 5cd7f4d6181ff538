"""ViPE's ``pose/NAME.npz``, with ``intrinsics/NAME.npz`` beside it.

``data`` (M, 4, 4) world_from_camera, or (M, 4) fx fy cx cy in pixels of the video, and ``inds``
(M,), the frame of the video that each belongs to. The unit is near to metres.
https://github.com/nv-tlabs/vipe
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.arrays import Numbers, names_in, read_npz, stack, world_from_camera
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import to_shares
from dollygrip.runners.formats.path import CameraPath, PoseError, naming

_NEEDED = ("data", "inds")
_MOST_FRAMES = 2**31


def _matches(path: Path, head: bytes) -> bool:
    return path.parent.name != "intrinsics" and names_in(path, head).issuperset(_NEEDED)


def _read(path: Path, convention: Convention) -> CameraPath:
    arrays = read_npz(path, _NEEDED)
    beside = path.absolute().parent.parent / "intrinsics" / path.name
    with naming(path):
        if arrays["data"].shape[1:] == (4,):
            raise ValueError("holds intrinsics; the poses are in the folder pose")
        poses = stack("data", arrays["data"], (4, 4))
        frames = _frames(arrays["inds"], len(poses))
    shares = None
    if beside.is_file() and beside != path.absolute():
        shares = _shares(beside, frames)
    with naming(path):
        return CameraPath(world_from_camera(poses, convention), frames=frames, intrinsics=shares)


def _shares(path: Path, frames: IntArray) -> FloatArray:
    arrays = read_npz(path, _NEEDED)
    with naming(path):
        data = arrays["data"]
        if data.ndim != 2 or data.shape[1] < 4:
            raise ValueError(f"has the array 'data' of shape {data.shape}, expected (M, 4)")
        known = _frames(arrays["inds"], len(data))
        rows = np.minimum(np.searchsorted(known, frames), len(known) - 1)
        if len(known) == 0 or (known[rows] != frames).any():
            raise PoseError(f"{path}: does not have the frames of the poses")
        return to_shares(data[rows, :4].astype(np.float64))


def _frames(inds: Numbers, count: int) -> IntArray:
    if inds.shape != (count,) or inds.dtype.kind not in "iu":
        raise ValueError(f"has the array 'inds' of shape {inds.shape}, expected {count} numbers")
    if ((inds < 0) | (inds > _MOST_FRAMES)).any():
        raise ValueError("has a frame number that is none")
    return inds.astype(np.intp)


FORMAT = PoseFormat(
    name="vipe",
    title="ViPE poses (pose/NAME.npz)",
    convention=Convention("world_from_camera", "opencv"),
    unit="any",
    kept=frozenset({"frames", "intrinsics", "gaps"}),
    matches=_matches,
    read=_read,
)
