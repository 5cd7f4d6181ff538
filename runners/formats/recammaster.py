"""ReCamMaster's ``camera_extrinsics.json`` (MultiCamVideo data set), made with Unreal Engine.

``{"frame0": {"cam01": "[r r r 0] [r r r 0] [r r r 0] [x y z 1] ", ...}, ...}``: rows of a
transposed world_from_camera matrix with Unreal's axes, in centimetres. A file may hold several
cameras that see the same scene. https://github.com/KlingTeam/ReCamMaster, train_recammaster.py
"""

import json
import re
from pathlib import Path

import numpy as np

from dollygrip.geometry.conventions import Convention, from_opencv, to_opencv
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.path import BadPose, CameraPath, PoseError, naming
from dollygrip.runners.formats.text import read_json, write_text

_PER_METRE = 100.0
_CAMERA = "cam01"
_START = re.compile(rb'\s*\{\s*"frame\d+"\s*:\s*\{\s*"[^"]*"\s*:\s*"\s*\[')
_FRAME = re.compile(r"frame(\d{1,9})", re.ASCII)
_NAME = re.compile(r"\w{1,40}", re.ASCII)
_ROW = re.compile(r"\[([^\[\]]*)\]")

# What each camera says, by the number of the frame.
_Frames = dict[int, dict[str, object]]


def cameras(path: Path) -> list[str]:
    """The names of the cameras in a file.

    Raises:
        PoseError: It cannot be read, or is none.
    """
    return _names(_frames(path))


def read_camera(path: Path, convention: Convention, camera: str) -> CameraPath:
    """The path of one camera.

    Raises:
        PoseError: The file cannot be read, or has no such camera.
    """
    frames = _frames(path)
    if camera not in _names(frames):
        raise PoseError(f"{path}: has no camera {camera!r}; it has {_listed(_names(frames))}")
    return _camera(path, frames, convention, camera)


def _read(path: Path, convention: Convention) -> CameraPath:
    frames = _frames(path)
    names = _names(frames)
    if len(names) != 1:
        raise PoseError(
            f"{path}: has {len(names)} cameras ({_listed(names)}); say which one, "
            f"as in {path.name}#{names[-1]}"
        )
    return _camera(path, frames, convention, names[0])


def _camera(path: Path, frames: _Frames, convention: Convention, camera: str) -> CameraPath:
    numbers = sorted(number for number, names in frames.items() if camera in names)
    with naming(path):
        matrices = np.array([_matrix(k, frames[n][camera]) for k, n in enumerate(numbers)])
        with np.errstate(over="ignore", invalid="ignore"):
            poses = to_opencv(matrices, convention)
        poses[:, :3, 3] /= _PER_METRE
        return CameraPath(poses, frames=np.array(numbers), metric=True)


def _names(frames: _Frames) -> list[str]:
    return sorted({name for names in frames.values() for name in names})


def _frames(path: Path) -> _Frames:
    with naming(path):
        data = read_json(path)
        if not isinstance(data, dict):
            raise ValueError("an object of frames is expected")
        frames: _Frames = {}
        for key, names in data.items():
            number = _FRAME.fullmatch(key)
            if number is None or not isinstance(names, dict):
                raise ValueError(f"{key[:40]!r} is no frame with cameras, such as frame0")
            for name in names:
                if not _NAME.fullmatch(name):
                    raise ValueError(f"{name[:40]!r} is no name of a camera")
            if int(number[1]) in frames:
                raise ValueError(f"frame {int(number[1])} is there twice")
            frames[int(number[1])] = names
        if not any(frames.values()):
            raise ValueError("holds no pose")
        return frames


def _matrix(k: int, text: object) -> list[list[float]]:
    rows = _ROW.findall(text) if isinstance(text, str) else []
    try:
        matrix = [list(map(float, row.replace(",", " ").split())) for row in rows]
    except ValueError as error:
        raise BadPose(k, f"has a matrix with something that is no number: {error}") from error
    if [len(row) for row in matrix] != [4] * 4:
        raise BadPose(k, "has no matrix of four rows [a b c d]")
    return matrix


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ", ".join(names[:12]) + more


def _matches(path: Path, head: bytes) -> bool:
    return _START.match(head) is not None


def _write(path: Path, taken: CameraPath, convention: Convention) -> None:
    poses = taken.world_from_camera.copy()
    poses[:, :3, 3] *= _PER_METRE
    matrices = from_opencv(poses, convention)
    frames = np.arange(len(taken)) if taken.frames is None else taken.frames
    data = {
        f"frame{frames[k]}": {
            _CAMERA: " ".join(f"[{' '.join(map(repr, row))}]" for row in matrices[k].tolist())
        }
        for k in np.flatnonzero(taken.there)
    }
    write_text(path, json.dumps(data, indent=1) + "\n")


FORMAT = PoseFormat(
    name="recammaster",
    title="ReCamMaster camera_extrinsics.json",
    convention=Convention("world_from_camera", "unreal", transposed=True),
    unit="metres",
    kept=frozenset({"frames", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
    cameras=cameras,
    read_camera=read_camera,
)
