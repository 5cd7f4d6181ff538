"""Camera poses from one file format to another, and what is lost on the way."""

import os
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.arrays import names_in
from dollygrip.runners.formats.catalog import names, pose_format, read_poses
from dollygrip.runners.formats.format import Kept, PoseFormat
from dollygrip.runners.formats.path import CameraPath, PoseError, naming
from dollygrip.runners.formats.trajectories import ShotMotion, read_trajectories

OWN = "dollygrip"
"""The name of this project's own motion files, ``trajectories/*.npz`` of a run."""

# What the end of a target's path, in small letters, says of its format.
_TOLD = {
    "*.chan": "chan",
    "*.npy": "npy",
    "*.usd": "usd",
    "*.usda": "usd",
    "*.usdc": "usd",
    "transforms.json": "nerfstudio",
    "camera_poses.txt": "matrix_rows",
    "pose/*.npz": "vipe",
    "*_droid.npz": "megasam",
    "*_sgd_cvd_hr.npz": "megasam",
}
_FOLDER = "colmap"
# Formats that hold one focal length for all frames.
_ONE_LENS = ("megasam",)

_WORDS: dict[Kept, str] = {
    "times": "times",
    "frames": "frame numbers",
    "intrinsics": "focal lengths",
    "names": "names of pictures",
    "gaps": "gaps",
}


@dataclass(frozen=True)
class Conversion:
    """What was done.

    Attributes:
        source: What was read.
        target: What was written.
        source_format: The format of the source; :data:`OWN` for this project's own.
        target_format: That of the target.
        source_convention: What the source's numbers were taken to mean.
        target_convention: What the target's numbers mean.
        poses: How many were written.
        lost: What the target does not hold, a sentence each.
    """

    source: Path
    target: Path
    source_format: str
    target_format: str
    source_convention: Convention
    target_convention: Convention
    poses: int
    lost: tuple[str, ...]


def convert(
    source: Path,
    target: Path,
    *,
    from_format: str | None = None,
    to_format: str | None = None,
    convention: str | None = None,
    target_convention: str | None = None,
    rate: float = 24.0,
    size: tuple[int, int] | None = None,
) -> Conversion:
    """Write the poses of one file in another format.

    Args:
        source: A pose file, a folder for formats that are one, or a motion file of a run, of which
            the likeliest path of the longest shot is taken.
        target: The file, or the folder for formats that are one. A regular file is replaced.
        from_format: The source's format; found out when not given.
        to_format: The target's; told by its name when not given.
        convention: Words in which the source differs from its format's convention.
        target_convention: The same for the target.
        rate: Frames a second, where the source has no times.
        size: (width, height) in pixels, where the source does not tell it.

    Raises:
        PoseError: The source cannot be read, the target is not told, or cannot be written.
    """
    if not (np.isfinite(rate) and rate > 0.0):
        raise PoseError(f"{rate:g} frames a second are no rate")
    if size is not None and min(size) < 1:
        raise PoseError(f"{size[0]} x {size[1]} is no size of a picture")
    written = _target_format(target, to_format)
    _check_target(source, target)
    cameras, read_as, read_with, left_out = _read(source, from_format, convention)
    used = written.convention
    if target_convention:
        with naming(target):
            used = Convention.parse(target_convention, default=written.convention)
    lost = left_out + _lost(cameras, written, rate)
    if cameras.times is None:
        cameras = replace(cameras, times=cameras.clock(rate))
    if cameras.size is None:
        cameras = replace(cameras, size=size)
    written.write(target, cameras, used)
    return Conversion(
        source,
        target,
        read_as,
        written.name,
        read_with,
        used,
        int(cameras.there.sum()),
        lost,
    )


def _target_format(target: Path, name: str | None) -> PoseFormat:
    if name is None:
        small = PurePath(str(target.absolute()).lower())
        name = next((name for end, name in _TOLD.items() if small.match(end)), None)
        if name is None and (target.is_dir() or not target.suffix):
            name = _FOLDER
    if name is None:
        raise PoseError(
            f"{target}: its name does not tell its format; name one with --to: {', '.join(names())}"
        )
    return pose_format(name)


def _check_target(source: Path, target: Path) -> None:
    """Refuse to write over the source, or over anything that is not plainly a file or folder."""
    with naming(target):
        if not os.path.lexists(target):
            return
        if target.is_symlink() or not (target.is_file() or target.is_dir()):
            raise ValueError("is no regular file; it is left as it is")
        here, there = source.resolve(), target.resolve()
        if here == there or here in there.parents or there in here.parents:
            raise ValueError(f"is part of the source, {source}; name another target")
        if source.exists() and source.samefile(target):
            raise ValueError(f"is the source, {source}; name another target")


def _read(
    source: Path, name: str | None, convention: str | None
) -> tuple[CameraPath, str, Convention, tuple[str, ...]]:
    if name != OWN and not (name is None and _is_own(source)):
        cameras, found, used = read_poses(source, name, convention)
        return cameras, found.name, used, ()
    if convention:
        raise PoseError(f"{source}: a motion file has one convention, {Convention()}")
    shot, left_out = _longest_shot(source)
    return CameraPath.of(shot.hypotheses[0].trajectory), OWN, Convention(), left_out


def _is_own(source: Path) -> bool:
    if source.suffix.lower() != ".npz" or not source.is_file():
        return False
    with naming(source), source.open("rb") as file:
        head = file.read(4)
    return "meta" in names_in(source, head)


def _longest_shot(source: Path) -> tuple[ShotMotion, tuple[str, ...]]:
    with naming(source):
        shots = read_trajectories(source)
        moving = [shot for shot in shots if shot.hypotheses]
        if not moving:
            raise ValueError("holds no path: every shot failed")
        best = max(moving, key=lambda shot: shot.end - shot.start)
    lost: tuple[str, ...] = ()
    if len(shots) > 1:
        lost += (
            f"the file has {len(shots)} shots; the longest is taken, "
            f"from {best.start:.3f} to {best.end:.3f} s",
        )
    if len(best.hypotheses) > 1:
        model = best.hypotheses[0].model
        lost += (f"only the likeliest of {len(best.hypotheses)} paths is taken, {model!r}",)
    return best, lost


def _lost(cameras: CameraPath, written: PoseFormat, rate: float) -> tuple[str, ...]:
    held: dict[Kept, bool] = {
        "times": cameras.times is not None,
        # Where there are no times, they become times.
        "frames": cameras.frames is not None
        and (cameras.times is not None or "times" not in written.kept),
        "intrinsics": cameras.intrinsics is not None,
        "names": bool(cameras.names),
        "gaps": not cameras.there.all(),
    }
    gone = [_WORDS[what] for what, there in held.items() if there and what not in written.kept]
    lost = [f"{written.name} keeps no {', no '.join(gone)}"] if gone else []
    if cameras.times is None and "times" in written.kept:
        lost.append(f"the source has no times; {rate:g} frames a second are taken")
    if cameras.intrinsics is None and "intrinsics" in written.kept:
        lost.append("the source has no focal lengths; a usual one is written")
    if written.name in _ONE_LENS and _zooms(cameras):
        lost.append(f"{written.name} has one focal length; the median of all is written")
    if written.unit == "metres" and not cameras.metric:
        lost.append(f"{written.name} is meant in metres; the source does not say that it is")
    if np.isfinite(cameras.scene_depth):
        lost.append("the median depth of the scene is not written")
    return tuple(lost)


def _zooms(cameras: CameraPath) -> bool:
    if cameras.intrinsics is None:
        return False
    focals = cameras.intrinsics[cameras.there, :2]
    return not np.allclose(focals, focals[:1])
