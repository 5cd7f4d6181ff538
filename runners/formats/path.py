"""What a pose file holds: the common form between all formats, and its way to a trajectory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray, read_only
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Trajectory

# More than an hour at 120 poses a second.
MOST_POSES = 500_000
MOST_BYTES = 256 * 2**20
# Where a file does not tell the size of the picture.
_SIZE = (1920, 1080)
# How far from orthonormal a rotation may be. Text files keep few digits.
_TOLERANCE = 0.02


class PoseError(ValueError):
    """A pose file that cannot be read or written; one plain line that names the file."""


class BadPose(ValueError):
    """A pose that is none.

    Attributes:
        pose: Its number, from 0.
    """

    def __init__(self, pose: int, what: str) -> None:
        """Say what is wrong with it."""
        super().__init__(f"pose {pose + 1} {what}")
        self.pose = pose


@dataclass(frozen=True, eq=False)
class CameraPath:
    """Camera poses as a file gives them, in this project's convention.

    Attributes:
        world_from_camera: (N, 4, 4) rigid motions; camera axes x right, y down, z ahead. Rows that
            are not ``valid`` hold anything.
        times: (N,) seconds, strictly increasing; None where the file has only an order.
        frames: (N,) number of the video frame that each pose belongs to, from 0, strictly
            increasing; None where the file does not say.
        intrinsics: (N, 4) fx, fy, cx, cy, as shares of the picture's width (fx, cx) and height
            (fy, cy); None where the file does not say.
        size: (width, height) of the picture in pixels, where the file says.
        valid: (N,) which poses there are; all when not given.
        names: Name of the picture that each pose belongs to; none where the file does not say.
        scene_depth: Median depth of the scene in the unit of the poses; NaN when unknown.
        metric: True where the format promises metres.
    """

    world_from_camera: FloatArray
    times: FloatArray | None = None
    frames: IntArray | None = None
    intrinsics: FloatArray | None = None
    size: tuple[int, int] | None = None
    valid: BoolArray | None = None
    names: tuple[str, ...] = ()
    scene_depth: float = float("nan")
    metric: bool = False

    def __post_init__(self) -> None:
        """Check shapes and values; store read-only copies.

        Raises:
            BadPose: A pose has a value that is off.
            ValueError: A shape is off.
        """
        n = len(self.world_from_camera)
        put = object.__setattr__
        poses = read_only("world_from_camera", self.world_from_camera, (n, 4, 4), np.float64)
        valid = np.ones(n, np.bool_) if self.valid is None else self.valid
        put(self, "world_from_camera", poses)
        put(self, "valid", read_only("valid", valid, (n,), np.bool_))
        if n == 0:
            raise ValueError("holds no pose")
        if n > MOST_POSES:
            raise ValueError(f"holds {n} poses; {MOST_POSES} are the most")
        self._check_poses()
        if self.times is not None:
            put(self, "times", read_only("times", self.times, (n,), np.float64))
            _check_order(self.times, "time")
        if self.frames is not None:
            put(self, "frames", read_only("frames", self.frames, (n,), np.intp))
            _check_order(self.frames, "frame number")
        if self.intrinsics is not None:
            put(self, "intrinsics", read_only("intrinsics", self.intrinsics, (n, 4), np.float64))
            finite = np.isfinite(self.intrinsics).all(axis=1)
            if (~finite & self.there).any():
                raise BadPose(_first(~finite & self.there), "has intrinsics that are not finite")
            behind = ~(self.intrinsics[:, :2] > 0).all(axis=1) & self.there
            if behind.any():
                raise BadPose(_first(behind), "has a focal length that is not positive")
        if self.names and len(self.names) != n:
            raise ValueError(f"{len(self.names)} names for {n} poses")

    @classmethod
    def of(cls, trajectory: Trajectory) -> Self:
        """What a file of a trajectory would hold."""
        n = len(trajectory)
        poses = np.tile(np.eye(4), (n, 1, 1))
        poses[:, :3, :3], poses[:, :3, 3] = trajectory.rotations, trajectory.centers
        focals = trajectory.focals[:, None] / np.array(trajectory.size)
        return cls(
            poses,
            times=trajectory.times,
            intrinsics=np.column_stack([focals, np.full((n, 2), 0.5)]),
            size=trajectory.size,
            valid=trajectory.valid,
            scene_depth=trajectory.scene_depth,
            metric=trajectory.metric,
        )

    def __len__(self) -> int:
        """Number of poses, valid or not."""
        return len(self.world_from_camera)

    def trajectory(self, rate: float) -> Trajectory:
        """The path as a trajectory that starts at second 0.

        Args:
            rate: Frames a second, where the file has no times.
        """
        times = self.clock(rate)
        return self.at(times - times[0])

    @property
    def there(self) -> BoolArray:
        """(N,) which poses there are."""
        assert self.valid is not None
        return self.valid

    def clock(self, rate: float = 24.0) -> FloatArray:
        """(N,) seconds: the file's own, or those of its frames at some rate."""
        if self.times is not None:
            return self.times
        return (np.arange(len(self)) if self.frames is None else self.frames) / rate

    def at(self, times: FloatArray) -> Trajectory:
        """The path as a trajectory with other times (N,), seconds."""
        size = self.size or _SIZE
        if self.intrinsics is None:
            focals = np.full(len(self), FOCAL_PRIOR * max(size))
        else:
            if self.size is None:  # square pixels tell its shape
                fx, fy = np.median(self.intrinsics[self.there, :2], axis=0)
                size = (_SIZE[0], max(1, round(_SIZE[0] * fx / fy)))
            focals = self.intrinsics[:, 0] * size[0]
        valid = self.there
        return Trajectory(
            times=times,
            rotations=np.where(
                valid[:, None, None],
                _orthonormal(self.world_from_camera[:, :3, :3], valid),
                np.eye(3),
            ),
            centers=self.world_from_camera[:, :3, 3],
            focals=focals,
            size=size,
            valid=valid,
            sigmas=np.zeros((len(self), 7)),
            scene_depth=self.scene_depth,
            metric=self.metric,
        )

    def _check_poses(self) -> None:
        poses, valid = self.world_from_camera, self.there
        finite = np.isfinite(poses).all(axis=(1, 2)) | ~valid
        if not finite.all():
            raise BadPose(_first(~finite), "has numbers that are not finite")
        mixed = np.abs(poses[:, 3] - (0.0, 0.0, 0.0, 1.0)).max(axis=1) > _TOLERANCE
        if (mixed & valid).any():
            raise BadPose(
                _first(mixed & valid),
                "has a matrix whose last row is not 0 0 0 1; perhaps it is transposed",
            )
        rotations = np.where(valid[:, None, None], poses[:, :3, :3], np.eye(3))
        with np.errstate(over="ignore", invalid="ignore"):
            gram = rotations @ np.swapaxes(rotations, -1, -2)
        # Numbers that overflow make NaN here, which is within no tolerance.
        skew = ~(np.abs(gram - np.eye(3)).max(axis=(1, 2)) <= _TOLERANCE)
        if skew.any():
            raise BadPose(
                _first(skew),
                "has a matrix that is no rotation: its axes are not perpendicular and of length 1",
            )
        mirrored = np.linalg.det(rotations) < 0
        if mirrored.any():
            raise BadPose(
                _first(mirrored),
                "has a reflection for a rotation (determinant -1): an axis of the camera points "
                "the wrong way",
            )


def positions_in_video(path: CameraPath, frame_times: FloatArray) -> FloatArray:
    """(N,) seconds at which the poses of a file belong to the frames of a video.

    Numbers of frames decide, then the file's own times, then the order: as many poses as frames
    are one each, other numbers are spread evenly. Numbers that the video does not have are counted
    from the first pose on, since shots on a timeline seldom begin at frame 0.

    Args:
        path: The poses.
        frame_times: (F,) when each frame of the video is shown.

    Raises:
        ValueError: A pose belongs to a frame that the video does not have.
    """
    if path.frames is not None:
        beyond = path.frames[-1] >= len(frame_times)
        frames = path.frames - path.frames[0] if beyond else path.frames
        if frames[-1] >= len(frame_times):
            raise ValueError(
                f"has poses for {frames[-1] + 1} frames, but the video has {len(frame_times)}"
            )
        return np.asarray(frame_times[frames], np.float64)
    if len(path) == len(frame_times):
        return frame_times
    if path.times is not None:
        return np.asarray(path.times - path.times[0] + frame_times[0])
    return np.linspace(frame_times[0], frame_times[-1], len(path))


@contextmanager
def naming(path: Path, lines: Sequence[int] = ()) -> Iterator[None]:
    """Turn what goes wrong inside into a :class:`PoseError` that names the file.

    Args:
        path: The file.
        lines: The line of each pose, from 1, so that a bad pose is named by its line.
    """
    where = f"{path}"
    try:
        yield
    except PoseError:
        raise
    except BadPose as error:
        at = f"{path}:{lines[error.pose]}" if lines else where
        raise PoseError(f"{at}: {error}") from error
    except OSError as error:
        raise PoseError(f"{where}: {error.strerror or error}") from error
    except (
        ValueError,
        KeyError,
        IndexError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as error:
        said = f"lacks {error}" if isinstance(error, KeyError) else " ".join(str(error).split())
        raise PoseError(f"{where}: {said}") from error


def _orthonormal(rotations: FloatArray, valid: BoolArray) -> FloatArray:
    """The nearest rotations (N, 3, 3); text files keep few digits."""
    left, _, right = np.linalg.svd(np.where(valid[:, None, None], rotations, np.eye(3)))
    return np.asarray(left @ right)


def _check_order(values: FloatArray | IntArray, what: str) -> None:
    if not np.isfinite(values).all():
        raise BadPose(_first(~np.isfinite(values)), f"has a {what} that is not finite")
    back = np.diff(values) <= 0
    if back.any():
        k = _first(back) + 1
        raise BadPose(
            k, f"has the {what} {values[k]:.15g}, which is not after {values[k - 1]:.15g} before it"
        )


def _first(marked: BoolArray) -> int:
    """The number of the first marked pose, from 0."""
    return int(marked.argmax())
