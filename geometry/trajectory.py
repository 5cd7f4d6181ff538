"""What every estimator and every file reader returns: a camera's path through one shot."""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from dollygrip.geometry.arrays import BoolArray, FloatArray, read_only
from dollygrip.geometry.rotations import is_rotation

# Focal length assumed where nothing tells, in units of the picture's long side. 0.9 is a
# horizontal view of 58 degrees, between a phone (0.75) and a 35 mm cinema lens (1.0).
FOCAL_PRIOR = 0.9


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Camera poses over time, OpenCV axes (x right, y down, z ahead).

    Attributes:
        times: (N,) seconds from the first frame of the clip, strictly increasing.
        rotations: (N, 3, 3) world_from_camera.
        centers: (N, 3) camera centres in the world, in any unit.
        focals: (N,) focal length in pixels of ``size``.
        size: (width, height) in pixels that ``focals`` refers to.
        valid: (N,) False where the estimator has no pose; those rows hold filler.
        sigmas: (N, 7) one standard deviation of rotation about the camera's x, y, z (radians),
            of the centre along the camera's x, y, z (unit of ``centers``), and of log focal.
            Zero means "not stated".
        scene_depth: Median depth of the scene in the unit of ``centers``; NaN when unknown.
        metric: True when ``centers`` are in metres.
    """

    times: FloatArray
    rotations: FloatArray
    centers: FloatArray
    focals: FloatArray
    size: tuple[int, int]
    valid: BoolArray
    sigmas: FloatArray
    scene_depth: float = float("nan")
    metric: bool = False

    def __post_init__(self) -> None:
        """Check shapes and values; store read-only copies."""
        n = len(self.times)
        put = object.__setattr__
        put(self, "times", read_only("times", self.times, (n,), np.float64))
        put(self, "rotations", read_only("rotations", self.rotations, (n, 3, 3), np.float64))
        put(self, "centers", read_only("centers", self.centers, (n, 3), np.float64))
        put(self, "focals", read_only("focals", self.focals, (n,), np.float64))
        put(self, "valid", read_only("valid", self.valid, (n,), np.bool_))
        put(self, "sigmas", read_only("sigmas", self.sigmas, (n, 7), np.float64))
        put(self, "size", (int(self.size[0]), int(self.size[1])))
        if n == 0:
            raise ValueError("a trajectory needs at least one pose")
        if not np.isfinite(self.times).all() or (np.diff(self.times) <= 0).any():
            raise ValueError("times must be finite and strictly increasing")
        if not np.isfinite(self.centers[self.valid]).all():
            raise ValueError("centers must be finite where valid")
        focals, sigmas = self.focals[self.valid], self.sigmas[self.valid]
        if not (np.isfinite(focals) & (focals > 0)).all():
            raise ValueError("focals must be positive and finite where valid")
        if not (np.isfinite(sigmas) & (sigmas >= 0)).all():
            raise ValueError("sigmas must be finite and not negative where valid")
        if min(self.size) < 1:
            raise ValueError(f"size must be at least 1 x 1, not {self.size[0]} x {self.size[1]}")
        if not is_rotation(self.rotations[self.valid]):
            raise ValueError("rotations must be orthonormal with determinant +1 where valid")

    @classmethod
    def from_poses(
        cls,
        times: npt.ArrayLike,
        world_from_camera: npt.ArrayLike,
        *,
        size: tuple[int, int],
        focals: npt.ArrayLike | None = None,
        valid: npt.ArrayLike | None = None,
        sigmas: npt.ArrayLike | None = None,
        scene_depth: float = float("nan"),
        metric: bool = False,
    ) -> Self:
        """Build from pose matrices.

        Args:
            times: (N,) seconds.
            world_from_camera: (N, 4, 4) or (N, 3, 4) matrices, OpenCV camera axes.
            size: (width, height) in pixels.
            focals: (N,) or one focal length in pixels; the prior when not given.
            valid: (N,) which poses count; all when not given.
            sigmas: (N, 7) as in the class; zeros when not given.
            scene_depth: Median scene depth in the unit of the poses.
            metric: True for metres.

        Returns:
            The trajectory.

        Raises:
            ValueError: A shape or value is off.
        """
        poses = np.asarray(world_from_camera, dtype=np.float64)
        if poses.ndim != 3 or poses.shape[1:] not in ((4, 4), (3, 4)):
            raise ValueError(f"world_from_camera has shape {poses.shape}, expected (N, 4, 4)")
        n = len(poses)
        prior = FOCAL_PRIOR * max(size)
        return cls(
            times=np.asarray(times, dtype=np.float64),
            rotations=poses[:, :3, :3],
            centers=poses[:, :3, 3],
            focals=np.broadcast_to(np.asarray(prior if focals is None else focals, float), (n,)),
            size=size,
            valid=np.ones(n, dtype=np.bool_) if valid is None else np.asarray(valid, np.bool_),
            sigmas=np.zeros((n, 7)) if sigmas is None else np.asarray(sigmas, np.float64),
            scene_depth=scene_depth,
            metric=metric,
        )

    def __len__(self) -> int:
        """Number of poses, valid or not."""
        return len(self.times)

    @property
    def field_of_view_deg(self) -> tuple[float, float]:
        """Horizontal and vertical field of view in degrees, at the median focal length."""
        focal = float(np.median(self.focals[self.valid])) if self.valid.any() else float("nan")
        width, height = self.size
        horizontal = 2.0 * np.degrees(np.arctan2(width / 2.0, focal))
        vertical = 2.0 * np.degrees(np.arctan2(height / 2.0, focal))
        return float(horizontal), float(vertical)

    def reversed(self) -> "Trajectory":
        """The same path run backwards; the clock still starts at the same time."""
        back = slice(None, None, -1)
        return replace(
            self,
            times=self.times[0] + (self.times[-1] - self.times[back]),
            rotations=self.rotations[back],
            centers=self.centers[back],
            focals=self.focals[back],
            valid=self.valid[back],
            sigmas=self.sigmas[back],
        )

    def mirrored(self) -> "Trajectory":
        """The path seen in a left-right mirror: pan, roll and truck change sign."""
        flip = np.diag([-1.0, 1.0, 1.0])
        return replace(self, rotations=flip @ self.rotations @ flip, centers=self.centers @ flip)


@dataclass(frozen=True, eq=False)
class Hypothesis:
    """One explanation of a shot.

    Attributes:
        model: What may move, e.g. "static", "rotation", "rotation+zoom",
            "rotation+translation", "all".
        probability: 0 to 1; those of a shot sum to 1.
        trajectory: The path under this model.
    """

    model: str
    probability: float
    trajectory: Trajectory
