"""RealEstate10K camera files, also those of CameraCtrl and CamI2V.

The first line is the address of the video, or anything; then come nineteen columns: the time in
microseconds, fx fy cx cy as shares of the picture's width and height, two that mean nothing, and
the twelve numbers of a 3x4 camera_from_world matrix. The unit is that of a reconstruction.

In the wild the first column holds other things, too. One and the same number in every line is a
placeholder. Whole numbers too close for the frames of any video (over 1,000 a second) are numbers
of frames. A focal length that is not known is written as 0 0 0 0, and read as such.
https://google.github.io/realestate10k/download.html
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.matrices import from_rows, to_rows
from dollygrip.runners.formats.path import CameraPath, naming
from dollygrip.runners.formats.text import looks_like_table, read_lines, read_rows, write_text

_COLUMNS = 19
_PER_SECOND = 1e6
_FASTEST = 1000.0


def _matches(path: Path, head: bytes) -> bool:
    return any(looks_like_table(head, _COLUMNS, skip=skip) for skip in (0, 1))


def _read(path: Path, convention: Convention) -> CameraPath:
    # A file that lacks the first line must not lose its first pose.
    _, first = next(read_lines(path), (1, ""))
    skip = 0 if looks_like_table(first.encode(), _COLUMNS) else 1
    rows = list(read_rows(path, _COLUMNS, skip=skip))
    with naming(path, [line for line, _ in rows]):
        table = np.array([values for _, values in rows]).reshape(-1, _COLUMNS)
        stamps, shares = table[:, 0], table[:, 1:5]
        poses = from_rows(table[:, 7:], convention)
        intrinsics = shares if shares.any() else None
        if len(stamps) > 1 and (stamps == stamps[0]).all():
            return CameraPath(poses, intrinsics=intrinsics)
        if _counts(stamps):
            return CameraPath(poses, frames=stamps.astype(np.intp), intrinsics=intrinsics)
        return CameraPath(poses, times=stamps / _PER_SECOND, intrinsics=intrinsics)


def _counts(stamps: FloatArray) -> bool:
    """Whether these are numbers of frames, not microseconds."""
    if len(stamps) < 2 or not ((stamps >= 0) & (stamps < 2**31)).all():
        return False
    steps = np.diff(stamps)
    whole = bool((stamps == np.round(stamps)).all())
    return whole and 0 < float(np.median(steps)) < _PER_SECOND / _FASTEST


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    there = cameras.there
    rows = np.zeros((int(there.sum()), _COLUMNS))
    rows[:, 0] = np.round(cameras.clock()[there] * _PER_SECOND)
    if cameras.intrinsics is not None:
        rows[:, 1:5] = cameras.intrinsics[there]
    rows[:, 7:] = to_rows(cameras.world_from_camera[there], convention)
    lines = [f"{row[0]:.0f} {' '.join(map(repr, row[1:]))}\n" for row in rows.tolist()]
    write_text(path, "\n" + "".join(lines))


FORMAT = PoseFormat(
    name="realestate10k",
    title="RealEstate10K camera file",
    convention=Convention("camera_from_world", "opencv"),
    unit="any",
    kept=frozenset({"times", "intrinsics", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
