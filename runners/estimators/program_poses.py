"""The poses that a program wrote: read, put where they belong, and held against its pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.conventions import Convention
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.geometry.twoview import accumulate
from dollygrip.runners.estimators.plausibility import POOR, in_scene_depths, plausibility
from dollygrip.runners.estimators.programs import Findings, NoAnswer, Program
from dollygrip.runners.estimators.structure import agreement
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.estimators.windows import chain_steps
from dollygrip.runners.formats.catalog import read_poses
from dollygrip.runners.formats.path import BadPose, CameraPath, PoseError, positions_in_video
from dollygrip.runners.pictures import CLIP_RATE, Clip, Pictures
from dollygrip.runners.video import Frame, FrameRequest, read_frames

# Poses are held against pictures of the size that the flow estimator looks at.
_LONG_SIDE = 480
# A program that gives fewer frames a pose has lost the camera for much of the shot.
_COVERED = 0.7
# A program with one focal length for all pictures may let it vary by this, in log; a zoom that can
# be seen grows by that.
_SAME_FOCAL, _VISIBLE_ZOOM = 0.01, 0.03
# Rendered zooms are explained as well by travel; of dollies before a scene with depth, turn and
# zoom leave a tenth and more unexplained.
_AS_GOOD = 0.03
# How far from the time of a picture a time may be, as a share of the interval.
_OFF_BEAT = 0.1


def read_output(
    program: Program, path: Path, form: str, convention: str = ""
) -> tuple[CameraPath, Convention]:
    """The poses that a program wrote, and the convention they were read with.

    Args:
        program: The program.
        path: The file or folder.
        form: Its format.
        convention: Words that differ from the format's own convention.

    Raises:
        NoAnswer: They cannot be read.
    """
    try:
        cameras, _, used = read_poses(path, form, convention or None)
    except PoseError as error:
        said = str(error).replace(f"{program.work}/", "")
        if isinstance(error.__cause__, BadPose):
            message = f"{program.title} wrote a pose that is none: {said}."
            raise NoAnswer(Reason.DID_NOT_CONVERGE, message) from error
        message = f"{program.title} ended well, but its poses cannot be read: {said}."
        raise NoAnswer(Reason.ESTIMATOR_CRASHED, message) from error
    return cameras, used


def trajectory(
    program: Program,
    cameras: CameraPath,
    used: Convention,
    shown: Pictures | Clip,
    findings: Findings,
    *,
    frame_rate: float | None = None,
    fix: str = "read them in another convention",
) -> Trajectory:
    """The path through the shot, at the times of its pictures, held against them.

    Args:
        program: The program that wrote the poses.
        cameras: The poses.
        used: The convention they were read with.
        shown: The pictures it was given.
        findings: Gets what is found out.
        frame_rate: Times of the poses are those of pictures shown at this many a second.
        fix: What to do when another convention fits far better.

    Returns:
        The path, in scene depths where the pictures tell how far the scene is. Travel of which the
        pictures show nothing is left out: at the scale of a far scene it is noise.

    Raises:
        NoAnswer: It is not known which picture each pose belongs to, there are too few of them, or
            they are written in another convention.
    """
    cameras = _numbered(program, cameras, shown, frame_rate)
    try:
        positions = positions_in_video(cameras, shown.times)
    except ValueError as error:
        message = f"{program.title} wrote poses of other pictures: its output {error}."
        raise NoAnswer(Reason.ESTIMATOR_CRASHED, message) from error
    if cameras.size is None:
        cameras = replace(cameras, size=shown.size)
    there = int(cameras.there.sum())
    findings.diagnostics |= {"pictures": len(shown.times), "poses": there}
    if there < 2:
        message = f"{program.title} gave only {there} of {len(shown.times)} pictures a pose."
        raise NoAnswer(Reason.FEW_FRAMES_REGISTERED, message)
    tracks = track_points(_grey_frames(shown))
    fits = plausibility(cameras, used, positions, tracks)
    path = resample(cameras.at(positions), shown.times)
    path = replace(path, focals=path.focals * fits.focal)
    covered = float(path.valid.mean())
    if covered < _COVERED:
        message = f"{program.title} knows the camera's path for only {covered:.0%} of the shot."
        findings.doubts.append(Failure(Reason.FEW_FRAMES_REGISTERED, message))
    if fits.better:
        others = " or ".join(f"{other}" for other in fits.better[:3])
        message = (
            f"The poses that {program.title} wrote, read as {used}, explain {fits.explained:.0%} "
            f"of what moves in the pictures, but {fits.explained_better:.0%} as {others}: {fix}."
        )
        raise NoAnswer(Reason.WRONG_CONVENTION, message)
    return _checked(program, path, tracks, fits.explained, findings)


def _checked(
    program: Program, path: Trajectory, tracks: Tracks, explained: float, findings: Findings
) -> Trajectory:
    """The path in scene depths, with doubts where the pictures disagree.

    Args:
        program: The program.
        path: Through the shot.
        tracks: Points followed through its pictures.
        explained: Share of these that the path explains; NaN where there are none.
        findings: Gets the doubts.
    """
    if not np.isfinite(explained):
        message = f"Nothing can be followed in the pictures to check {program.title}'s poses by."
        findings.doubts.append(Failure(Reason.NO_TEXTURE, message))
        return path
    findings.diagnostics["explained"] = round(explained, 3)
    if explained < POOR:
        message = (
            f"The poses that {program.title} wrote explain only {explained:.0%} of what moves in "
            "the pictures."
        )
        findings.doubts.append(Failure(Reason.POSES_DISAGREE, message))
        return path
    turning = _explained_without_travel(path, tracks)
    if turning > explained - _AS_GOOD:
        message = (
            f"{program.title} keeps one focal length, so what it takes for a dolly may be a zoom: "
            f"turn and zoom explain {turning:.0%} of what moves in the pictures, its path "
            f"{explained:.0%}."
        )
        findings.doubts.append(Failure(Reason.AMBIGUOUS_ZOOM_DOLLY, message))
    return in_scene_depths(path, tracks, explained)


def _explained_without_travel(path: Trajectory, tracks: Tracks) -> float:
    """Share of the observations that a camera explains which turns and zooms, but stays.

    Args:
        path: What a program says.
        tracks: Points followed through the pictures.

    Returns:
        0 to 1; 0 where the program has a focal length for each picture, and where there is no zoom
        to be seen.
    """
    logs = np.log(path.focals[path.valid])
    if np.ptp(logs) > _SAME_FOCAL:
        return 0.0
    focal = float(np.exp(np.median(logs))) * max(tracks.size) / max(path.size)
    steps = chain_steps(tracks, focal)
    grown = np.concatenate([[0.0], np.cumsum(steps[:-1, 3])])
    # They were fitted with the first focal length: with a longer one, turns are smaller.
    steps[:, :2] *= np.exp(-grown)[:, None]
    rotations, zooms = accumulate(steps)
    if np.ptp(zooms) < _VISIBLE_ZOOM:
        return 0.0
    poses = np.tile(np.eye(4), (len(rotations), 1, 1))
    poses[:, :3, :3] = rotations
    staying = Trajectory.from_poses(
        tracks.times, poses, size=tracks.size, focals=focal * np.exp(zooms)
    )
    return agreement(tracks, staying)


def _numbered(
    program: Program, cameras: CameraPath, shown: Pictures | Clip, frame_rate: float | None
) -> CameraPath:
    """The poses with the number of the picture that each belongs to, in order.

    Raises:
        NoAnswer: It is not known.
    """
    if isinstance(shown, Clip) and frame_rate is None:
        frame_rate = float(CLIP_RATE)
    try:
        if cameras.names and isinstance(shown, Pictures):
            return _by_name(cameras, shown.names)
        if cameras.frames is None and cameras.times is not None and frame_rate is not None:
            beats = cameras.times * frame_rate
            numbers = np.rint(beats)
            if np.abs(beats - numbers).max() > _OFF_BEAT:
                raise ValueError(f"its times are not those of {frame_rate:g} pictures a second")
            return replace(cameras, frames=numbers.astype(np.intp))
        if cameras.frames is None and len(cameras) != len(shown.times):
            raise ValueError(
                f"there are {len(cameras)} poses for {len(shown.times)} pictures, and nothing "
                "says to which of them they belong"
            )
    except ValueError as error:
        message = f"{program.title} wrote poses that cannot be placed: {error}."
        raise NoAnswer(Reason.ESTIMATOR_CRASHED, message) from error
    return cameras


def _by_name(cameras: CameraPath, names: Sequence[str]) -> CameraPath:
    """The poses in the order of the pictures that they name.

    Raises:
        ValueError: A picture is not one of these, or has two poses.
    """
    number = {Path(name).stem: k for k, name in enumerate(names)}
    rows = np.flatnonzero(cameras.there)
    try:
        frames = np.array([number[Path(cameras.names[row]).stem] for row in rows], np.intp)
    except KeyError as error:
        raise ValueError(f"there is no picture {error}") from error
    order = np.argsort(frames, kind="stable")
    kept = rows[order]
    return CameraPath(
        cameras.world_from_camera[kept],
        frames=frames[order],
        intrinsics=None if cameras.intrinsics is None else cameras.intrinsics[kept],
        size=cameras.size,
        scene_depth=cameras.scene_depth,
        metric=cameras.metric,
    )


def _grey_frames(shown: Pictures | Clip) -> Iterator[Frame]:
    """What the program was given, as the tracker wants it."""
    for number, (seconds, image) in enumerate(zip(shown.times, _grey(shown), strict=False)):
        shrink = min(1.0, _LONG_SIDE / max(image.shape))
        small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
        yield Frame(number, float(seconds), np.asarray(small, np.uint8))


def _grey(shown: Pictures | Clip) -> Iterator[Any]:
    if isinstance(shown, Pictures):
        for name in shown.names:
            image = cv2.imread(str(shown.folder / name), cv2.IMREAD_GRAYSCALE)
            if image is None:  # the program made away with it
                return
            yield image
    else:
        for frame in read_frames(shown.path, FrameRequest(max(shown.size), rate=2.0 * CLIP_RATE)):
            yield frame.image
