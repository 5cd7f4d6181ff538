"""What a model of COLMAP's says of the camera: its path, how sure that is, and numbers about it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.geometry.bundle import Solution, adjust
from dollygrip.geometry.ladder import ALL, COARSE, FINEST, NOISE, ROTATION, TRANSLATION, ZOOM
from dollygrip.geometry.observations import gather

Arrays = dict[str, FloatArray | BoolArray]
"""Of a path, as :class:`~dollygrip.geometry.trajectory.Trajectory` wants them."""

# Tracks that the standard deviations are reckoned from.
_TRACKS = 300
# Scene depths; a point behind its camera is a mistake.
_NEAREST = 0.05


@dataclass(frozen=True, eq=False)
class _Model:
    """A reconstruction as arrays; N registered pictures in order of their names, T points.

    Attributes:
        names: (N,) of the pictures.
        rotations: (N, 3, 3) world_from_camera.
        centers: (N, 3) in the model's unit.
        focals: (N,) pixels.
        size: (width, height) in pixels.
        points: (T, 3) in the world.
        frame: (K,) picture of each observation; of one track together, in order of time.
        track: (K,) point of each observation.
        xy: (K, 2) pixels from the middle of the picture.
    """

    names: tuple[str, ...]
    rotations: FloatArray
    centers: FloatArray
    focals: FloatArray
    size: tuple[int, int]
    points: FloatArray
    frame: IntArray
    track: IntArray
    xy: FloatArray

    @property
    def depths(self) -> FloatArray:
        """(K,) depth of each observation in its camera."""
        rays = self.points[self.track] - self.centers[self.frame]
        return np.asarray(np.einsum("ki,ki->k", rays, self.rotations[self.frame, :, 2]))

    @property
    def scene_depth(self) -> float:
        """Median depth of the observations that lie ahead; 1 where there are none."""
        ahead = self.depths[self.depths > 0]
        return float(np.median(ahead)) if len(ahead) else 1.0


def path_of(model: Any, names: Sequence[str], kind: str) -> Arrays:
    """The path as arrays for :class:`~dollygrip.geometry.trajectory.Trajectory`.

    Args:
        model: pycolmap's Reconstruction.
        names: (N,) all pictures in order of time.
        kind: The model of motion, of :data:`~dollygrip.geometry.ladder.MODELS`.

    Returns:
        ``rotations`` (N, 3, 3), ``centers`` (N, 3) in scene depths, ``focals`` (N,), ``valid``
        (N,) and ``sigmas`` (N, 7); the world is the first registered camera.
    """
    read = _read(model)
    path = _start(read, travels=kind != ROTATION)
    # COLMAP's covariance fixes the scale by the baseline of two cameras, which may be neighbours;
    # in scene depths every centre would then seem as unsure as that little baseline.
    sigmas = _adjusted(read, path, kind, np.full(2, FINEST)).sigmas
    return _arrays(replace(path, sigmas=sigmas), read, names)


def zoomed_path_of(model: Any, names: Sequence[str]) -> Arrays:
    """As :func:`path_of`, the path of a camera that turns and zooms and has seen the same."""
    read = _read(model)
    path = _start(read, travels=True)
    # What it would have taken for a zoom to make things grow as they do.
    zooms = -np.log(np.clip(1.0 - path.centers[:, 2], 0.2, 5.0))
    start = replace(path, centers=np.zeros_like(path.centers), zooms=zooms)
    return _arrays(_adjusted(read, start, ZOOM, COARSE), read, names)


def write(file: Path, arrays: Arrays) -> None:
    """Write a path where :mod:`dollygrip.runners.estimators.colmap` reads it."""
    everything: dict[str, Any] = dict(arrays)
    np.savez(file, **everything)


def described(model: Any, kind: str) -> dict[str, Any]:
    """Numbers about a model, JSON-ready."""
    read = _read(model)
    numbers: dict[str, Any] = {
        "registered": len(read.names),
        "focal": float(np.median(read.focals)),
    }
    if kind == ROTATION:
        return numbers
    return numbers | {
        "points": len(read.points),
        "reprojection_error": float(model.compute_mean_reprojection_error()),
        "track_length": float(model.compute_mean_track_length()),
        "parallax_deg": _parallax_deg(read),
    }


def _read(model: Any) -> _Model:
    images = sorted((i for i in model.images.values() if i.has_pose), key=lambda image: image.name)
    number = {image.image_id: n for n, image in enumerate(images)}
    poses = [image.cam_from_world() for image in images]
    rotations = np.array([pose.rotation.matrix().T for pose in poses])
    centers = np.array([-(r @ pose.translation) for r, pose in zip(rotations, poses, strict=True)])
    camera = images[0].camera
    seen = {
        # A point that is seen twice in one picture is so by mistake; one of the two is kept.
        (track, number[element.image_id]): element
        for track, point in enumerate(model.points3D.values())
        for element in point.track.elements
        if element.image_id in number
    }
    order = sorted(seen)
    xy = [model.images[e.image_id].points2D[e.point2D_idx].xy for e in map(seen.__getitem__, order)]
    return _Model(
        names=tuple(image.name for image in images),
        rotations=rotations,
        centers=centers,
        focals=np.array([image.camera.focal_length for image in images]),
        size=(camera.width, camera.height),
        points=np.array([point.xyz for point in model.points3D.values()]).reshape(-1, 3),
        frame=np.array([frame for _, frame in order], dtype=np.intp),
        track=np.array([track for track, _ in order], dtype=np.intp),
        xy=np.array(xy).reshape(-1, 2) - 0.5 * np.array([camera.width, camera.height]),
    )


def _parallax_deg(read: _Model) -> float:
    """Median angle under which a point is seen from the first and the last camera that see it."""
    first = np.flatnonzero(np.diff(read.track, prepend=-1))
    last = np.append(first[1:], len(read.track)) - 1
    rays = read.points[read.track] - read.centers[read.frame]
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    cosine = np.clip((rays[first] * rays[last]).sum(axis=1), -1.0, 1.0)
    return float(np.degrees(np.median(np.arccos(cosine)))) if len(first) else 0.0


def _start(read: _Model, *, travels: bool) -> Solution:
    """The path in scene depths, in the world of the first camera; of points it says nothing."""
    n, home = len(read.names), read.rotations[0]
    return Solution(
        rotations=home.T @ read.rotations,
        centers=(read.centers - read.centers[0]) @ home / read.scene_depth
        if travels
        else np.zeros((n, 3)),
        zooms=np.log(read.focals / read.focals[0]),
        focal=float(read.focals[0]),
        inverse_depth=np.empty(0),
        residual=np.empty(0),
        energy=0.0,
        sigmas=np.zeros((n, 7)),
    )


def _adjusted(read: _Model, start: Solution, kind: str, scales: FloatArray) -> Solution:
    """The path after the project's own adjustment to COLMAP's tracks.

    Args:
        read: The model.
        start: The path.
        kind: The model of motion.
        scales: Of the adjustment's kernel, pixels of a picture 480 wide.
    """
    if not len(read.track):
        return start
    unit = max(read.size) / 480
    seen, kept = gather(read.frame, read.track, read.xy, frames=len(read.names), limit=_TRACKS)
    depth = np.ones(len(kept))
    if kind in (TRANSLATION, ALL):
        rays = read.points[kept] - read.centers[seen.anchor]
        depth = np.einsum("ti,ti->t", rays, read.rotations[seen.anchor, :, 2]) / read.scene_depth
    return adjust(
        seen,
        replace(start, inverse_depth=1.0 / np.maximum(depth, _NEAREST)),
        translate=kind in (TRANSLATION, ALL),
        zoom=kind in (ZOOM, ALL),
        focal_prior=start.focal,
        noise=NOISE * unit,
        scales=scales * unit,
    )


def _arrays(path: Solution, read: _Model, names: Sequence[str]) -> Arrays:
    """The path at all pictures; at those that were not registered it is filler."""
    n, there = len(names), np.isin(names, read.names)
    rotations, centers = np.tile(np.eye(3), (n, 1, 1)), np.zeros((n, 3))
    focals, sigmas = np.full(n, path.focal), np.zeros((n, 7))
    rotations[there], centers[there] = path.rotations, path.centers
    focals[there], sigmas[there] = path.focal * np.exp(path.zooms), path.sigmas
    return {
        "rotations": rotations,
        "centers": centers,
        "focals": focals,
        "valid": there,
        "sigmas": sigmas,
    }
