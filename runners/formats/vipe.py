"""ViPE's ``pose/NAME.npz``, with ``intrinsics/NAME.npz`` beside it.

``data`` (M, 4, 4) world_from_camera, or (M, 4) fx fy cx cy in pixels of the video, and ``inds``
(M,), the frame of the video that each belongs to. The unit is near to metres.

The principal point is taken for the middle of the video, whose size no file tells, and written
there.
https://github.com/nv-tlabs/vipe
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.arrays import (
    Numbers,
    names_in,
    read_npz,
    stack,
    to_matrices,
    world_from_camera,
)
from dollygrip.runners.formats.files import write_npz
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import to_centred_pixels, to_shares
from dollygrip.runners.formats.order import MOST_FRAMES, frame_numbers
from dollygrip.runners.formats.path import CameraPath, PoseError, naming

_NEEDED = ("data", "inds")
_FOLDER = "pose"


def _matches(path: Path, head: bytes) -> bool:
    return path.parent.name != "intrinsics" and names_in(path, head).issuperset(_NEEDED)


def _read(path: Path, convention: Convention) -> CameraPath:
    arrays = read_npz(path, _NEEDED)
    beside = _beside(path)
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


def _beside(path: Path) -> Path:
    """Where the intrinsics of a file of poses are."""
    return path.absolute().parent.parent / "intrinsics" / path.name


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
    if ((inds < 0) | (inds >= MOST_FRAMES)).any():
        raise ValueError("has a frame number that is none")
    return inds.astype(np.intp)


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        folder = path.absolute().parent
        if folder.name != _FOLDER:
            raise ValueError(
                f"is in no folder {_FOLDER!r}; ViPE's poses are, with their focal lengths in a "
                f"folder 'intrinsics' beside it: name {path.parent / _FOLDER / path.name}"
            )
        frames, poses = frame_numbers(cameras), to_matrices(cameras, convention)
        pixels = to_centred_pixels(cameras)[cameras.there]
        beside = _beside(path)
        for place in (folder, beside.parent):
            place.mkdir(exist_ok=True)
        # First, since intrinsics alone are no result, but poses alone look like a whole one.
        write_npz(beside, {"data": pixels, "inds": frames})
        write_npz(path, {"data": poses, "inds": frames})


FORMAT = PoseFormat(
    name="vipe",
    title="ViPE poses (pose/NAME.npz)",
    convention=Convention("world_from_camera", "opencv"),
    unit="any",
    kept=frozenset({"frames", "intrinsics", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
