"""Exact tracks of random points, seen along an exact path."""

from collections.abc import Callable

import numpy as np
import pytest

from dollygrip.geometry.observations import Observations
from dollygrip.geometry.trajectory import Trajectory


def observe(
    path: Trajectory,
    *,
    seed: int = 0,
    tracks: int = 100,
    inverse_depths: tuple[float, float] = (0.3, 1.7),
    noise: float = 0.0,
    outliers: float = 0.0,
    lens: float = 0.0,
    lasting: int | None = None,
) -> tuple[Observations, np.ndarray]:
    """Tracks of ``path`` and their true inverse depths, of mean 1 by default.

    Args:
        path: Unit of length: the scene's typical depth.
        seed: Of everything that is random.
        tracks: How many points.
        inverse_depths: Between which they are; one value twice for a flat scene.
        noise: Standard deviation in pixels of where they are seen.
        outliers: Share of the observations that are anywhere in the picture instead.
        lens: Bending of the lens at the distance of one focal length from the middle.
        lasting: For how many frames before and after its anchor a track is seen; None for ever.
    """
    rng = np.random.default_rng(seed)
    half = np.array(path.size) / 2.0
    anchor = rng.integers(0, len(path), tracks)
    anchor_xy = rng.uniform(-0.9, 0.9, (tracks, 2)) * half
    depth = rng.uniform(*inverse_depths, tracks)
    ray = np.concatenate([anchor_xy / path.focals[anchor, None], np.ones((tracks, 1))], axis=1)
    # Points are kept as a direction and an inverse depth, so that they may be at infinity.
    point = np.einsum("kij,kj->ki", path.rotations[anchor], ray)
    point = point + depth[:, None] * path.centers[anchor]
    away = point[None] - depth[None, :, None] * path.centers[:, None]
    local = np.einsum("nji,nkj->nki", path.rotations, away)
    seen = local[..., :2] / local[..., 2:] * path.focals[:, None, None]
    visible = (np.abs(seen) < half).all(axis=2) & (local[..., 2] > 0.05)
    visible[anchor, np.arange(tracks)] = False
    if lasting is not None:
        visible &= np.abs(np.arange(len(path))[:, None] - anchor) <= lasting
    frame, track = np.nonzero(visible)
    xy = bent(seen[frame, track], lens / path.focals[0] ** 2) + rng.normal(
        0.0, noise, (len(frame), 2)
    )
    lost = rng.uniform(size=len(frame)) < outliers
    xy[lost] = rng.uniform(-1.0, 1.0, (int(lost.sum()), 2)) * half
    seen_by_camera = Observations(
        frame=frame,
        track=track,
        xy=xy,
        anchor=anchor,
        anchor_xy=bent(anchor_xy, lens / path.focals[0] ** 2),
        inverse_depth=np.ones(tracks),
        frames=len(path),
    )
    return seen_by_camera, depth


def bent(xy: np.ndarray, strength: float) -> np.ndarray:
    """Where a lens shows what a pinhole would show at ``xy``: r = (1 + strength r^2) r_pinhole."""
    if not strength:
        return xy
    radius = np.linalg.norm(xy, axis=1, keepdims=True)
    steep = 2.0 * strength * radius
    return xy * (1.0 - np.sqrt(1.0 - 2.0 * steep * radius)) / (steep * radius)


@pytest.fixture(scope="session")
def scene() -> Callable[..., tuple[Observations, np.ndarray]]:
    """``scene(path, ...)``: exact tracks and their inverse depths."""
    return observe
