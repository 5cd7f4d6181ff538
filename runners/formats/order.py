"""Poses that are known by the names of their pictures: their order, and what is missing."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from posixpath import splitext

import numpy as np

from dollygrip.geometry.arrays import FloatArray, IntArray
from dollygrip.runners.formats.path import MOST_POSES, CameraPath

LONGEST_NAME = 1024
MOST_FRAMES = 2**31
"""No video has so many."""
_NUMBERED = re.compile(r"(.*?)(\d{1,12})(\D*)")
# Numbers that leave out more than this for each picture count something else, such as time.
_MOST_LEFT_OUT = 100


def natural_order(names: Sequence[str]) -> list[int]:
    """The order in which a person would sort names: ``frame_9`` before ``frame_10``."""
    return sorted(range(len(names)), key=lambda k: _natural(names[k]))


def with_gaps(cameras: CameraPath) -> CameraPath:
    """Poses without their pictures put back, where the names of all others tell the numbers.

    A structure-from-motion model leaves out the pictures that it could not place. Where names are
    one text with one number that grows (``frame_00012.png``), the places of those between the
    first and the last are known, up to the step between the numbers. Which frame of a video a
    picture is cannot be told: people number every tenth frame as they number all.
    """
    slots = _slots(cameras.names)
    if slots is None or slots[-1] + 1 == len(cameras):
        return cameras
    count = int(slots[-1]) + 1
    names = np.full(count, "", dtype=object)
    names[slots] = cameras.names
    return replace(
        cameras,
        world_from_camera=_spread(cameras.world_from_camera, slots, np.eye(4)),
        intrinsics=(
            None
            if cameras.intrinsics is None
            else _spread(cameras.intrinsics, slots, cameras.intrinsics[0])
        ),
        valid=np.isin(np.arange(count), slots),
        names=tuple(names),
    )


def frame_numbers(cameras: CameraPath) -> IntArray:
    """(M,) frame of each pose that there is: its own number, or its place where it has none.

    Raises:
        ValueError: There is no pose, or one belongs to a frame that no video has.
    """
    numbers = np.arange(len(cameras)) if cameras.frames is None else cameras.frames
    held: IntArray = numbers[cameras.there]
    if len(held) == 0:
        raise ValueError("there is no pose to write")
    for frame in (held[0], held[-1]):
        if not 0 <= frame < MOST_FRAMES:
            raise ValueError(f"a pose belongs to frame {frame}, which no video has")
    return held


def picture_names(cameras: CameraPath) -> list[str]:
    """A name for the picture of each pose: the file's own, or one with its number."""
    own = [name for name, there in zip(cameras.names, cameras.there, strict=False) if there]
    plain = all(name and name.isprintable() and " " not in name for name in own)
    if own and plain and len(set(own)) == len(own):
        return list(cameras.names)
    frames = range(len(cameras)) if cameras.frames is None else cameras.frames.tolist()
    return [f"frame_{frame:06d}.png" for frame in frames]


def check_name(name: str) -> str:
    """The name.

    Raises:
        ValueError: It is too long for one.
    """
    if len(name) > LONGEST_NAME:
        raise ValueError(f"a picture has a name of {len(name)} characters")
    return name


def _slots(names: Sequence[str]) -> IntArray | None:
    found = [_NUMBERED.fullmatch(splitext(name)[0]) for name in names]
    parts = [(match[1], match[3], int(match[2])) for match in found if match is not None]
    if len(parts) != len(names) or len({(before, after) for before, after, _ in parts}) != 1:
        return None
    numbers = np.array([number for _, _, number in parts], np.int64)
    steps = np.diff(numbers)
    if len(steps) == 0 or (steps <= 0).any():
        return None
    slots = (numbers - numbers[0]) // math.gcd(*steps.tolist())
    few = slots[-1] < min(_MOST_LEFT_OUT * len(names), MOST_POSES)
    return slots.astype(np.intp) if few else None


def _spread(rows: FloatArray, slots: IntArray, filler: FloatArray) -> FloatArray:
    whole = np.tile(filler, (int(slots[-1]) + 1, *(1,) * filler.ndim))
    whole[slots] = rows
    return whole


def _natural(name: str) -> list[tuple[int, int, str]]:
    # A number sorts before text, by its length and then its digits: no length is too much.
    parts = re.split(r"(\d+)", name)
    return [
        (0, len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (1, 0, part)
        for part in parts
    ]
