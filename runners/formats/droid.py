"""Reconstructions of DROID-SLAM and of MegaSaM: a folder, or DROID-SLAM's newer ``.pth`` file.

``poses`` (N, 7) camera_from_world, translation and quaternion. DROID-SLAM has only keyframes, the
numbers of whose pictures are in ``tstamps``, counted over the pictures that it was given (every
third of a video, unless told otherwise), and ``intrinsics`` (N, 4) at an eighth of the size of
``images``. MegaSaM has all frames, no ``tstamps``, and intrinsics at the size of ``images``.

What is written is a folder as DROID-SLAM's, with an ``images`` (0, 3, H, W) that holds no picture
and tells their size, and without ``disps``.
https://github.com/princeton-vl/DROID-SLAM, demo.py; https://github.com/mega-sam/mega-sam
"""

from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.geometry.conventions import Convention
from dollygrip.runners.formats.arrays import (
    Numbers,
    layout,
    median_depth,
    read_npy,
    shape_in,
    some_frames,
)
from dollygrip.runners.formats.files import new_folder
from dollygrip.runners.formats.format import PoseFormat
from dollygrip.runners.formats.intrinsics import to_pixels, to_shares
from dollygrip.runners.formats.order import MOST_FRAMES, frame_numbers
from dollygrip.runners.formats.path import MOST_POSES, CameraPath, PoseError, naming
from dollygrip.runners.formats.quaternions import from_rows, to_rows

_SHRUNK = 8.0
_SUFFIXES = (".pth", ".pt")
# In the first bytes of a file that torch.save made of a dictionary with these.
_KEYS = (b"tstamps", b"poses", b"intrinsics")


def _folder(path: Path) -> Path | None:
    folder = path.parent if path.name == "poses.npy" else path
    there = all((folder / name).is_file() for name in ("poses.npy", "intrinsics.npy"))
    return folder if there else None


def _matches(path: Path, head: bytes) -> bool:
    try:
        if path.suffix.lower() in _SUFFIXES:
            return head.startswith(b"PK\x03\x04") and all(key in head for key in _KEYS)
        folder = _folder(path)
        if folder is None:
            return False
        with (folder / "poses.npy").open("rb") as file:
            return layout(file.read(4096)).shape[1:] == (7,)
    except (OSError, ValueError):
        return False


def _read(path: Path, convention: Convention) -> CameraPath:
    if path.suffix.lower() in _SUFFIXES and path.is_file():
        return _read_saved(path, convention)
    with naming(path):
        folder = _folder(path)
    if folder is None:
        raise PoseError(f"{path}: holds no poses.npy and intrinsics.npy")
    poses, pixels = read_npy(folder / "poses.npy"), read_npy(folder / "intrinsics.npy")
    tstamps = folder / "tstamps.npy"
    stamps = read_npy(tstamps) if tstamps.is_file() else None
    images = shape_in(folder / "images.npy")
    disparity = some_frames(folder / "disps.npy", len(poses)) if poses.ndim else None
    return _cameras(folder / "poses.npy", convention, poses, pixels, stamps, images, disparity)


def _read_saved(path: Path, convention: Convention) -> CameraPath:
    """What torch.save wrote, with nothing allowed in it but tensors and plain containers."""
    try:
        import torch
    except ImportError as error:
        raise PoseError(f"{path}: torch is needed to read it; install dollygrip[dense]") from error
    try:
        # Pictures stay in the file.
        saved = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        tensors = {key: saved[key].detach() for key in ("poses", "intrinsics", "tstamps", "images")}
        if any(tensors[key].numel() > 7 * MOST_POSES for key in ("poses", "intrinsics", "tstamps")):
            raise ValueError("too many poses")
        arrays = {key: tensors[key].numpy() for key in ("poses", "intrinsics", "tstamps")}
        images = tuple(tensors["images"].shape)
    except Exception as error:  # a damaged pickle raises whatever it trips over
        said = " ".join(str(error).split())[:200]
        raise PoseError(f"{path}: no reconstruction of DROID-SLAM: {said}") from error
    return _cameras(
        path, convention, arrays["poses"], arrays["intrinsics"], arrays["tstamps"], images, None
    )


# What is not finite, or becomes so here, is for whoever checks the poses.
@np.errstate(over="ignore", invalid="ignore")
def _cameras(
    path: Path,
    convention: Convention,
    poses: Numbers,
    pixels: Numbers,
    stamps: Numbers | None,
    images: tuple[int, ...] | None,
    disparity: Any,
) -> CameraPath:
    with naming(path):
        if poses.ndim != 2 or poses.shape[1] != 7:
            raise ValueError(f"has poses of shape {poses.shape}, expected (N, 7)")
        if pixels.ndim != 2 or pixels.shape[1] != 4 or len(pixels) < 1:
            raise ValueError(f"has intrinsics of shape {pixels.shape}, expected (N, 4)")
        frames = None
        size = (images[3], images[2]) if images is not None and len(images) == 4 else None
        rows = pixels.astype(np.float64)
        if stamps is None:
            # Only the first row is MegaSaM's answer; it has one camera for all.
            rows = np.repeat(rows[:1], len(poses), axis=0)
        else:
            if stamps.shape != (len(poses),) or rows.shape != (len(poses), 4):
                raise ValueError("has not as many tstamps and intrinsics as poses")
            if not ((stamps >= 0) & (stamps < MOST_FRAMES) & (stamps == np.round(stamps))).all():
                raise ValueError("has tstamps that are no numbers of pictures")
            frames, rows = stamps.astype(np.intp), rows * _SHRUNK
        depth = float("nan")
        if disparity is not None:
            depth = 1.0 / median_depth(disparity)
        return CameraPath(
            from_rows(poses.astype(np.float64), convention),
            frames=frames,
            intrinsics=to_shares(rows, size),
            size=size,
            scene_depth=depth,
        )


def _write(path: Path, cameras: CameraPath, convention: Convention) -> None:
    with naming(path):
        if path.suffix.lower() in (*_SUFFIXES, ".npy"):
            raise ValueError(f"a reconstruction is a folder; leave {path.suffix} out of its name")
        there = cameras.there
        pixels, (width, height) = to_pixels(cameras)
        arrays: dict[str, Numbers] = {
            "tstamps": frame_numbers(cameras).astype(np.float64),
            "images": np.zeros((0, 3, height, width), np.uint8),
            "poses": to_rows(cameras.world_from_camera[there], convention),
            "intrinsics": pixels[there] / _SHRUNK,
        }
        with new_folder(path) as folder:
            for name, array in arrays.items():
                np.save(folder / f"{name}.npy", array)


FORMAT = PoseFormat(
    name="droid",
    title="DROID-SLAM or MegaSaM reconstruction (a folder, or .pth)",
    convention=Convention("camera_from_world", "opencv", quaternion="xyzw"),
    unit="any",
    kept=frozenset({"frames", "intrinsics", "gaps"}),
    matches=_matches,
    read=_read,
    write=_write,
)
