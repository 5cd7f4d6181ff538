"""How other programs write poses down, and the way to this project's: world_from_camera, OpenCV.

A pose matrix says little by itself: whether it takes points to the world or to the camera, which
way the camera's axes point, in which order its quaternion stands. A wrong guess flips labels in
silence, so every file format declares its :class:`Convention`.
"""

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np

from dollygrip.geometry.arrays import FloatArray

Direction = Literal["world_from_camera", "camera_from_world"]
Quaternion = Literal["xyzw", "wxyz"]
Axes = Literal["opencv", "opengl", "unreal", "unity", "pytorch3d", "body"]

_FLAGS = ("transposed", "rotations_inverted")

# Rows are the OpenCV axes (right, down, ahead) in each convention's own x, y, z.
_OPENCV_FROM: dict[str, FloatArray] = {
    "opencv": np.array([[1.0, 0, 0], [0, 1, 0], [0, 0, 1]]),
    # Right, up, back: Blender, USD, nerfstudio, Maya.
    "opengl": np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]]),
    # Ahead, right, up: left-handed.
    "unreal": np.array([[0.0, 1, 0], [0, 0, -1], [1, 0, 0]]),
    # Right, up, ahead: left-handed.
    "unity": np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, 1]]),
    # Left, up, ahead.
    "pytorch3d": np.array([[-1.0, 0, 0], [0, -1, 0], [0, 0, 1]]),
    # Ahead, left, up: robots and vehicles (REP 103).
    "body": np.array([[0.0, -1, 0], [0, 0, -1], [1, 0, 0]]),
}


@dataclass(frozen=True)
class Convention:
    """What the numbers of a pose mean.

    Attributes:
        direction: What the matrix maps from and to.
        axes: Where the camera's x, y and z point. In the left-handed ones (unreal, unity) the
            world is left-handed, too.
        quaternion: Order of the numbers, where rotations are quaternions.
        transposed: Matrices are for row vectors, with the translation in the last row.
        rotations_inverted: The rotations, and they alone, go the other way than ``direction``
            says, as where camera_from_world rotations stand beside camera centres.
    """

    direction: Direction = "world_from_camera"
    axes: Axes = "opencv"
    quaternion: Quaternion | None = None
    transposed: bool = False
    rotations_inverted: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown words.

        Raises:
            ValueError: A field has none of its values.
        """
        for name, value, allowed in (
            ("direction", self.direction, get_args(Direction)),
            ("axes", self.axes, get_args(Axes)),
            ("quaternion", self.quaternion, (None, *get_args(Quaternion))),
        ):
            if value not in allowed:
                words = ", ".join(str(word) for word in allowed if word)
                raise ValueError(f"{name} is {value!r}; there is {words}")

    @classmethod
    def parse(cls, text: str, default: "Convention | None" = None) -> Self:
        """A convention from words in any order, such as ``"camera_from_world opengl wxyz"``.

        Args:
            text: Words of the fields; ``transposed`` and ``rotations_inverted`` for these.
            default: Gives the fields that are not named.

        Raises:
            ValueError: A word is none of any field.
        """
        base = default or cls()
        fields: dict[str, Any] = {
            "direction": base.direction,
            "axes": base.axes,
            "quaternion": base.quaternion,
            "transposed": base.transposed,
            "rotations_inverted": base.rotations_inverted,
        }
        words = {word: "direction" for word in get_args(Direction)}
        words |= {word: "axes" for word in get_args(Axes)}
        words |= {word: "quaternion" for word in get_args(Quaternion)}
        for word in text.replace(",", " ").split():
            if word in _FLAGS:
                fields[word] = True
            elif word in words:
                fields[words[word]] = word
            else:
                known = ", ".join((*words, *_FLAGS))
                raise ValueError(f"{word!r} is no word of a pose convention; there is {known}")
        return cls(**fields)

    def __str__(self) -> str:
        """In the words that :meth:`parse` reads."""
        parts: list[str] = [self.direction, self.axes]
        parts += [self.quaternion] if self.quaternion else []
        parts += [flag for flag in _FLAGS if getattr(self, flag)]
        return " ".join(parts)


def to_opencv(matrices: FloatArray, convention: Convention) -> FloatArray:
    """world_from_camera matrices with OpenCV axes, from those of a convention.

    The world stays what it is, except that a left-handed one is mirrored into a right-handed one.

    Args:
        matrices: (N, 4, 4) rigid motions.
        convention: What they mean.

    Returns:
        (N, 4, 4).
    """
    poses = np.asarray(matrices, dtype=np.float64)
    if convention.transposed:
        poses = np.swapaxes(poses, -1, -2)
    if convention.rotations_inverted:
        poses = _with_inverse_rotations(poses)
    if convention.direction == "camera_from_world":
        poses = inverse(poses)
    turn = _turn(convention.axes)
    return _mirror(turn) @ poses @ turn.T


def from_opencv(world_from_camera: FloatArray, convention: Convention) -> FloatArray:
    """The inverse of :func:`to_opencv`."""
    turn = _turn(convention.axes)
    poses = _mirror(turn).T @ np.asarray(world_from_camera, dtype=np.float64) @ turn
    if convention.direction == "camera_from_world":
        poses = inverse(poses)
    if convention.rotations_inverted:
        poses = _with_inverse_rotations(poses)
    return np.swapaxes(poses, -1, -2) if convention.transposed else poses


def inverse(poses: FloatArray) -> FloatArray:
    """Inverses of rigid motions (..., 4, 4)."""
    back = np.zeros_like(poses)
    rotation = np.swapaxes(poses[..., :3, :3], -1, -2)
    back[..., :3, :3] = rotation
    back[..., :3, 3] = -np.einsum("...ij,...j->...i", rotation, poses[..., :3, 3])
    back[..., 3, 3] = 1.0
    return back


def _with_inverse_rotations(poses: FloatArray) -> FloatArray:
    turned = poses.copy()
    turned[..., :3, :3] = np.swapaxes(poses[..., :3, :3], -1, -2)
    return turned


def _turn(axes: Axes) -> FloatArray:
    turn = np.eye(4)
    turn[:3, :3] = _OPENCV_FROM[axes]
    return turn


def _mirror(turn: FloatArray) -> FloatArray:
    """What is to be done to the world: nothing, unless it is left-handed."""
    return turn if np.linalg.det(turn) < 0 else np.eye(4)
