"""Poses that another program estimated, read from files; with the video, held against it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.conventions import Convention
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.estimators.plausibility import (
    POOR,
    Plausibility,
    in_scene_depths,
    plausibility,
)
from dollygrip.runners.estimators.tracks import track_points
from dollygrip.runners.formats.catalog import detect, pose_format, read_poses
from dollygrip.runners.formats.path import CameraPath, PoseError, naming, positions_in_video
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.video import Frame, FrameRequest, printable, read_frames

# What the flow estimator looks at: the same tracks decide whether the poses fit.
_REQUEST = FrameRequest(long_side=480, rate=8.0)


@dataclass(frozen=True)
class PosesSettings:
    """Where poses come from and how they are read.

    Attributes:
        poses: A pose file, or a folder with one for each clip, of the clip's name. Empty when the
            inputs are pose files themselves.
        format: Name of the format; found out when not given.
        convention: Words that differ from the format's own convention, such as
            "camera_from_world opengl".
        rate: Poses a second, where neither the file nor a video has a clock.
        unit: "metres" where the path's unit is the metre for certain; then small moves count as
            small. Else only directions and proportions count.
        stamp: Changes when the pose files do, so that clips are labelled anew; set by the program.
    """

    poses: str = ""
    format: str = ""
    convention: str = ""
    rate: float = 24.0
    unit: Literal["any", "metres"] = "any"
    stamp: str = ""

    def __post_init__(self) -> None:
        """Refuse what cannot work.

        Raises:
            ValueError: A setting is out of range.
        """
        if not 0.0 < self.rate < float("inf"):
            raise ValueError(f"rate must be positive, not {self.rate}")
        Convention.parse(self.convention)
        if self.format:
            pose_format(self.format)


DEFAULTS = PosesSettings()


class PosesEstimator:
    """Reads camera paths; see the module's text. A :class:`~.base.MotionReader`."""

    name = "poses"
    # For whoever wants to show what the poses were held against.
    frame_request = _REQUEST

    def __init__(self, settings: PosesSettings = DEFAULTS) -> None:
        """Store the settings."""
        self.settings = settings

    def motions(self, path: Path) -> tuple[ShotMotion, ...]:
        """The motion of a clip, or of a pose file when the settings name no poses.

        Raises:
            VideoError: The clip cannot be read.
        """
        try:
            if self.settings.poses:
                return (self._beside_video(path),)
            return (self._alone(path),)
        except PoseError as error:
            return (_failed(Reason.NOT_READABLE, printable(str(error))),)

    def _alone(self, path: Path) -> ShotMotion:
        cameras, about, _ = self._read(path)
        return self._motion(cameras.trajectory(self.settings.rate), about)

    def _beside_video(self, clip: Path) -> ShotMotion:
        source = poses_of(clip, Path(self.settings.poses))
        cameras, about, used = self._read(source)
        watched = _FrameTimes(clip)
        tracks = track_points(watched)
        cameras = replace(cameras, size=cameras.size or tracks.size)
        with naming(source):
            times = positions_in_video(cameras, watched.all())
        fits = plausibility(cameras, used, times, tracks)
        about["explained"] = round(fits.explained, 3)
        if fits.better:
            return _failed(
                Reason.WRONG_CONVENTION, _says_better(source, used, fits), about, watched.last
            )
        path, doubts = cameras.at(times), []
        path = replace(path, focals=path.focals * fits.focal)
        if fits.explained < POOR:
            doubts = [Failure(Reason.POSES_DISAGREE, _says_poor(source, fits.explained))]
        elif np.isfinite(fits.explained):
            path = in_scene_depths(path, tracks, fits.explained)
        return replace(self._motion(path, about), end=watched.last, doubts=tuple(doubts))

    def _read(self, path: Path) -> tuple[CameraPath, dict[str, Any], Convention]:
        settings = self.settings
        cameras, found, used = read_poses(path, settings.format or None, settings.convention)
        about = {"poses": printable(path), "format": found.name, "convention": str(used)}
        return cameras, about, used

    def _motion(self, path: Trajectory, about: dict[str, Any]) -> ShotMotion:
        # Only directions and proportions count, unless somebody vouches for the unit: a file's
        # numbers do not say how far the scene is.
        path = replace(path, metric=self.settings.unit == "metres")
        return ShotMotion(
            start=float(path.times[0]),
            end=float(path.times[-1]),
            hypotheses=(Hypothesis(self.name, 1.0, path),),
            diagnostics={**about, "poses_valid": int(path.valid.sum()), "poses_all": len(path)},
        )


def poses_of(clip: Path, poses: Path) -> Path:
    """The pose file that belongs to a clip: the given one, or that of its name in a folder.

    Args:
        clip: A video file, or a folder of pictures.
        poses: A pose file, a folder that is one, or a folder of pose files.

    Raises:
        PoseError: There is none, or more than one.
    """
    if not poses.is_dir():
        return poses
    with naming(poses):
        inside = sorted(poses.iterdir())
    names = (clip.name, clip.stem) if clip.suffix else (clip.name,)
    exact = [p for p in inside if p.name in names or p.stem in names]
    found = exact or [p for p in inside if p.stem.startswith(f"{clip.stem}_")]
    if len(found) == 1:
        return found[0]
    if not found:
        if detect(poses) is not None:
            return poses
        raise PoseError(f"{poses}: no poses for {printable(clip)}; name them {clip.stem}.EXTENSION")
    listed = ", ".join(p.name for p in found[:3])
    raise PoseError(f"{poses}: {len(found)} files fit {printable(clip)} ({listed}); keep one")


class _FrameTimes:
    """The frames of a clip as the tracker wants them, with a note of when all were shown."""

    def __init__(self, clip: Path) -> None:
        self._reader = read_frames(clip, _REQUEST)
        self._kept: list[tuple[int, float]] = []

    @property
    def last(self) -> float:
        """Seconds at which the last frame is shown."""
        return float(self.all()[-1])

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._reader:
            self._kept.append((frame.index, frame.time))
            yield frame

    def all(self) -> FloatArray:
        """(F,) seconds of all frames of the file, also of those that thinning left out."""
        index, times = np.array(self._kept).T
        count = max(self._reader.frames_decoded, int(index[-1]) + 1)
        step = (times[-1] - times[0]) / max(index[-1] - index[0], 1)
        numbers = np.arange(count)
        beyond = np.maximum(numbers - index[-1], 0) * step
        return np.asarray(np.interp(numbers, index, times) + beyond)


def _failed(
    reason: Reason, message: str, about: dict[str, Any] | None = None, end: float = 0.0
) -> ShotMotion:
    return ShotMotion(0.0, end, failure=Failure(reason, message), diagnostics=about or {})


def _says_better(source: Path, used: Convention, fits: Plausibility) -> str:
    words = " or ".join(f'--convention "{other}"' for other in fits.better[:2])
    return (
        f"{printable(source)}: read as {used}, the poses explain {fits.explained:.0%} of what "
        f"moves in the pictures, but {fits.explained_better:.0%} otherwise: label with {words}"
    )


def _says_poor(source: Path, explained: float) -> str:
    return (
        f"{printable(source)}: the poses explain only {explained:.0%} of what moves in the "
        "pictures, in any convention: they may belong to another clip or start at another time."
    )
