"""What was seen of a shot, in space: the cameras, and the points with their colours."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray
from dollygrip.geometry.normalize import translation_scale
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.drawing import ORANGE
from dollygrip.runners.estimators.structure import NO_POINTS, Structure, scene_depth, structure
from dollygrip.runners.video import Frame
from dollygrip.runners.views import SeenShot

# A point is shown where its inverse depth is so many standard deviations from nothing.
_SHOWN = 3.0

Colors = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Space:
    """A shot in the axes of its first camera: x right, y down, z ahead, in the path's own unit.

    Attributes:
        shot: The shot.
        path: The likeliest path, with a pose for each picture; None on failure.
        found: The points.
        colors: (P, 3) RGB of each point, as its picture showed it; black until that was seen.
    """

    shot: SeenShot
    path: Trajectory | None
    found: Structure
    colors: Colors = field(repr=False)

    @classmethod
    def of(cls, shot: SeenShot) -> "Space":
        """The space of a shot whose pictures are still to come."""
        path, found = None, NO_POINTS
        if shot.trajectory is not None:
            path = from_first(shot.trajectory)
            found = structure(shot.tracks, path)
        return cls(shot, path, found, np.zeros((len(found.track), 3), np.uint8))

    def look(self, frame: Frame) -> None:
        """Take the colours of the points that are anchored in a picture."""
        tracks, image = self.shot.tracks, frame.image
        number = int(np.abs(tracks.times - frame.time).argmin())
        mine = np.flatnonzero(tracks.frame[self.found.anchor] == number)
        size = np.array(image.shape[1::-1])
        place = tracks.xy[self.found.anchor[mine]] * (size.max() / max(tracks.size))
        x, y = np.clip(np.round(place + (size - 1) / 2).astype(np.intp), 0, size - 1).T
        self.colors[mine] = image[y, x]

    @cached_property
    def reach(self) -> float:
        """How far the scene is, about, or how far the camera goes; to draw things at a size."""
        if self.path is None:
            return 1.0
        depth = scene_depth(self.found)
        if np.isfinite(depth):
            return depth
        scale = translation_scale(self.path)
        return 1.0 / scale if scale > 0 else 1.0

    @cached_property
    def moving(self) -> BoolArray:
        """(P,) which points move by themselves, more likely than not."""
        return self.shot.belief[self.found.track] > 0.5

    @property
    def shown_colors(self) -> Colors:
        """(P, 3) RGB to show points in: orange where they move."""
        orange = np.array(ORANGE, np.uint8)
        return np.where(self.moving[:, None], orange, self.colors)

    @cached_property
    def placed(self) -> BoolArray:
        """(P,) which points have a depth that the path shows."""
        return self.found.inverse_depth > _SHOWN * self.found.sigma

    @cached_property
    def points(self) -> FloatArray:
        """(P, 3) where points are; those whose depth is unknown lie at ``reach`` on their ray."""
        if self.path is None:
            return np.zeros((0, 3))
        tracks, anchor = self.shot.tracks, self.found.anchor
        pose = tracks.frame[anchor]
        focals = self.path.focals[pose] * (max(tracks.size) / max(self.path.size))
        rays = np.column_stack([tracks.xy[anchor] / focals[:, None], np.ones(len(anchor))])
        rays /= np.linalg.norm(rays, axis=1, keepdims=True)
        along = np.einsum("pij,pj->pi", self.path.rotations[pose], rays)
        shell = self.path.centers[pose] + self.reach * along
        return np.where(self.placed[:, None], self.found.points, shell)


def spaces(looked: Iterable[tuple[Frame, SeenShot]]) -> Iterator[tuple[Frame, Space]]:
    """Pictures in colour, each with the space of its shot, which has taken its colours."""
    space: Space | None = None
    for frame, shot in looked:
        if space is None or space.shot is not shot:
            space = Space.of(shot)
        space.look(frame)
        yield frame, space


def from_first(path: Trajectory) -> Trajectory:
    """The path in the axes of its first valid camera."""
    first = int(np.argmax(path.valid))
    turn = path.rotations[first].T
    return replace(
        path,
        rotations=turn @ path.rotations,
        centers=(path.centers - path.centers[first]) @ turn.T,
    )


def frustum(path: Trajectory, pose: int, depth: float) -> FloatArray:
    """(5, 3) where a camera is and the corners of what it sees at a depth, clockwise from top left.

    Args:
        path: The path.
        pose: Number of the camera.
        depth: In the unit of the path.
    """
    half = np.array(path.size) / (2.0 * path.focals[pose])
    corners = np.array([[-1, -1, 1], [1, -1, 1], [1, 1, 1], [-1, 1, 1.0]]) * [*half, 1.0]
    center = path.centers[pose]
    return np.vstack([center, center + depth * corners @ path.rotations[pose].T])


def shown_cameras(path: Trajectory, gap: float = 0.5) -> list[int]:
    """Numbers of valid poses, about ``gap`` seconds apart, the first and the last among them."""
    there = np.flatnonzero(path.valid)
    if not len(there):
        return []
    since = path.times[there] - path.times[there[0]]
    wanted = np.linspace(0.0, since[-1], 1 + max(1, round(since[-1] / gap)))
    nearest = np.unique(np.abs(since[None] - wanted[:, None]).argmin(axis=1))
    return [int(pose) for pose in there[nearest]]
