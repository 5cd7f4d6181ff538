"""Camera animation of Nuke, Natron, 3DEqualizer and Blender: ``frame tx ty tz rx ry rz [vfov]``.

Angles in degrees; axes as in OpenGL. Up is +y in its world, which is turned so that up is -y, as
this project's cameras see it. The file does not tell the order of the turns: it is taken to be
Nuke's own, ZXY, where the camera turns about z first, then x, then y (matrix Ry Rx Rz). The
eighth column is the vertical field of view. The shape of the picture is not told either, so the
horizontal one is that of a 16:9 picture.
https://learn.foundry.com/nuke (Import chan file); Blender's io_anim_nuke_chan
"""

from pathlib import Path

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.geometry.conventions import Convention, from_opencv, to_opencv
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import BadPose, CameraPath, PoseError, naming
from dollygrip.runners.formats.text import looks_like_table, read_rows, write_text

_ASPECT = 16 / 9
_MOST_FRAMES = 2**31
# Its own inverse.
_FROM_Y_UP = np.diag([1.0, -1.0, -1.0, 1.0])


def _matches(path: Path, head: bytes) -> bool:
    if path.suffix.lower() != ".chan":
        return False
    return looks_like_table(head, columns=7) or looks_like_table(head, columns=8)


def _read(path: Path, convention: Convention) -> CameraPath:
    rows = list(read_rows(path, (7, 8)))
    columns = len(rows[0][1]) if rows else 7
    for line, values in rows:
        if len(values) != columns:
            raise PoseError(f"{path}:{line}: {len(values)} columns, {columns} in the lines before")
    with naming(path, [line for line, _ in rows]):
        _check(convention)
        table = np.array([values for _, values in rows]).reshape(-1, columns)
        poses = np.tile(np.eye(4), (len(table), 1, 1))
        with np.errstate(over="ignore", invalid="ignore"):
            poses[:, :3, :3] = _from_angles(table[:, 4:7])
            poses[:, :3, 3] = table[:, 1:4]
            poses = _FROM_Y_UP @ to_opencv(poses, convention)
        shares = _from_view(table[:, 7]) if columns == 8 else None
        return CameraPath(poses, frames=_frames(table[:, 0]), intrinsics=shares)


def _frames(numbers: FloatArray) -> IntArray:
    """(N,) whole numbers of frames, which may start anywhere."""
    off = ~((numbers >= 0) & (numbers < _MOST_FRAMES) & (numbers == np.round(numbers)))
    if off.any():
        k = int(off.argmax())
        raise BadPose(k, f"has the frame number {numbers[k]:.15g}; whole ones from 0 count")
    return numbers.astype(np.intp)


# A view of next to nothing has no finite focal length, which is for whoever checks it.
@np.errstate(over="ignore")
def _from_view(degrees: FloatArray) -> FloatArray:
    """(N, 4) intrinsics of vertical fields of view (N,)."""
    off = ~((degrees > 0.0) & (degrees < 180.0))
    if off.any():
        k = int(off.argmax())
        raise BadPose(k, f"has a field of view of {degrees[k]:.6g} degrees")
    focal = 0.5 / np.tan(np.radians(degrees) / 2.0)
    middle = np.full_like(focal, 0.5)
    return np.column_stack([focal / _ASPECT, focal, middle, middle])


def _from_angles(degrees: FloatArray) -> FloatArray:
    """(N, 3, 3) matrices Ry Rx Rz of the angles about x, y and z (N, 3)."""
    x, y, z = (_about(axis, np.radians(degrees[:, axis])) for axis in range(3))
    return y @ x @ z


def _to_angles(rotations: FloatArray) -> FloatArray:
    """The inverse of :func:`_from_angles`, without jumps from one row to the next."""
    y = np.arctan2(rotations[:, 0, 2], rotations[:, 2, 2])
    # Without the turn about y, the other two can be told at any angle.
    rest = _about(1, -y) @ rotations
    x = np.arctan2(-rest[:, 1, 2], rest[:, 2, 2])
    z = np.arctan2(-rest[:, 0, 1], rest[:, 0, 0])
    return np.unwrap(np.degrees(np.column_stack([x, y, z])), period=360.0, axis=0)


def _about(axis: int, angles: FloatArray) -> FloatArray:
    """(N, 3, 3) turns by angles (N,) in radians about one axis."""
    turn = np.tile(np.eye(3), (len(angles), 1, 1))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    turn[:, i, i] = turn[:, j, j] = np.cos(angles)
    turn[:, j, i] = np.sin(angles)
    turn[:, i, j] = -turn[:, j, i]
    return turn


def _check(convention: Convention) -> None:
    if convention.transposed:
        raise ValueError("only matrices can be transposed; these poses are angles")


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        _check(convention)
        there = cameras.there
        poses = from_opencv(_FROM_Y_UP @ cameras.world_from_camera[there], convention)
        columns = [poses[:, :3, 3], _to_angles(poses[:, :3, :3])]
        if cameras.intrinsics is not None:
            columns.append(np.degrees(2.0 * np.arctan2(0.5, cameras.intrinsics[there, 1:2])))
        frames = np.arange(len(cameras)) if cameras.frames is None else cameras.frames
        # Some programs take only a whole number for a frame.
        lines = [
            f"{frame} {' '.join(map(repr, row))}\n"
            for frame, row in zip(frames[there], np.hstack(columns).tolist(), strict=True)
        ]
        write_text(path, "".join(lines))


FORMAT = PoseFormat(
    name="chan",
    title="Nuke camera (.chan)",
    convention=Convention("world_from_camera", "opengl"),
    unit="any",
    kept=frozenset({"frames", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
