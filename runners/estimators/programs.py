"""What estimators that are other programs share: pictures go out, poses come in.

Nothing of what such a program says is taken on trust: its output must lie where it was told to put
it, belong to the pictures it was given, and explain what moves in them.
"""

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.conventions import Convention
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.geometry.twoview import accumulate
from dollygrip.runners.children import Limits, run
from dollygrip.runners.estimators.base import Estimate
from dollygrip.runners.estimators.plausibility import POOR, in_scene_depths, plausibility
from dollygrip.runners.estimators.structure import agreement
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.estimators.windows import chain_steps
from dollygrip.runners.formats.catalog import read_poses
from dollygrip.runners.formats.path import BadPose, CameraPath, PoseError, positions_in_video
from dollygrip.runners.needs import Need, missing
from dollygrip.runners.pictures import CLIP_RATE, Clip, Pictures
from dollygrip.runners.scratch import scratch_folder
from dollygrip.runners.video import Frame, FrameRequest, read_frames

PICTURES, VIDEO, OUT = "images", "shot.mp4", "out"
"""Names in the work folder."""

NAME = "shot"
"""What programs call the shot that they look at."""

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
# An output folder with more in it than this is none of poses.
_MOST_FILES = 100_000
# How far from the time of a picture a time may be, as a share of the interval.
_OFF_BEAT = 0.1


class NoAnswer(Exception):
    """Ends an estimate.

    Attributes:
        failure: Why.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        """Keep the reason and the message as data."""
        super().__init__(message)
        self.failure = Failure(reason, message)


@dataclass(eq=False)
class Findings:
    """What becomes known on the way to an answer.

    Attributes:
        diagnostics: Plain numbers and texts.
        doubts: What makes the answer less certain.
    """

    diagnostics: dict[str, Any] = field(default_factory=dict)
    doubts: list[Failure] = field(default_factory=list)


@dataclass(frozen=True)
class Program:
    """A program as it is run for one shot.

    Attributes:
        title: What to call it, at the start of a sentence.
        work: The work folder.
        limits: What all its steps together may use.
    """

    title: str
    work: Path
    limits: Limits


def answer(
    name: str, settings: Mapping[str, Any], find: Callable[[Findings], Trajectory]
) -> Estimate:
    """The estimate that comes of a search for a path.

    Args:
        name: Of the estimator.
        settings: Of the estimator, JSON-ready.
        find: The search; raises :class:`NoAnswer`.
    """
    started, findings = time.perf_counter(), Findings()
    hypotheses: tuple[Hypothesis, ...] = ()
    failure = None
    try:
        hypotheses = (Hypothesis(name, 1.0, find(findings)),)
    except NoAnswer as end:
        failure = end.failure
    return Estimate(
        hypotheses,
        failure,
        diagnostics=findings.diagnostics,
        doubts=tuple(findings.doubts),
        seconds=time.perf_counter() - started,
        estimator=name,
        settings=dict(settings),
    )


def require(needs: Sequence[Need], title: str) -> None:
    """Go on only when everything is there.

    Raises:
        NoAnswer: Something is missing.
    """
    failure = missing(needs, title)
    if failure is not None:
        raise NoAnswer(failure.reason, failure.message)


def own_folder(given: str, variable: str) -> Path | None:
    """The folder that a program came in, as the settings or an environment variable say."""
    found = given or os.environ.get(variable, "")
    # Unlike Path.expanduser, this does not raise for a user that there is not.
    return Path(os.path.expanduser(found)).absolute() if found else None  # noqa: PTH111


def interpreter(given: str, variable: str) -> str:
    """The Python interpreter that a program is installed for; this one when nothing is said."""
    wanted = given or os.environ.get(variable, "") or sys.executable
    # As a path from here, since it runs elsewhere; links are kept, which virtual environments are.
    return os.path.abspath(shutil.which(wanted) or wanted)  # noqa: PTH100


@contextmanager
def work_folder(keep_in: str) -> Iterator[Path]:
    """A new folder for one shot, absolute and without links in its path; removed afterwards.

    Args:
        keep_in: A folder to put it in, and leave it; a temporary one when empty.

    Raises:
        NoAnswer: It cannot be made.
    """
    try:
        if keep_in:
            Path(keep_in).mkdir(parents=True, exist_ok=True)
            yield _furnished(Path(tempfile.mkdtemp(prefix=f"{NAME}-", dir=keep_in)).resolve())
            return
        with scratch_folder() as made:
            yield _furnished(made)
    except OSError as error:
        message = f"The work folder cannot be used: {error}; check the disk and the setting work."
        raise NoAnswer(Reason.ESTIMATOR_CRASHED, message) from error


def _furnished(folder: Path) -> Path:
    (folder / PICTURES).mkdir()
    (folder / OUT).mkdir()
    return folder


def enough(shown: Pictures | Clip, title: str, fewest: int = 3) -> None:
    """Go on only when there are enough pictures.

    Args:
        shown: What was written for the program.
        title: What to call it.
        fewest: How many it takes.

    Raises:
        NoAnswer: There are too few.
    """
    count = len(shown.times)
    if count < fewest:
        message = f"There are only {count} pictures; {title} takes {fewest} to see a motion."
        raise NoAnswer(Reason.TOO_SHORT, message)


def do_step(
    program: Program,
    command: Sequence[str],
    findings: Findings,
    *,
    step: str = "",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run one command of a program.

    Args:
        program: The program.
        command: The words of the command.
        findings: Gets the time it took, which counts against the limit of further steps.
        step: What the command does, where there is more than one.
        folder: Where it runs; the work folder when not given.
        environment: Variables to add.

    Raises:
        NoAnswer: It did not end well.
    """
    spent = findings.diagnostics.get("program_seconds", 0.0)
    limits = replace(program.limits, seconds=max(program.limits.seconds - spent, 1.0))
    ended = run(command, folder=folder or program.work, limits=limits, environment=environment)
    with (program.work / "log.txt").open("a", encoding="utf-8") as log:
        log.write(f"$ {' '.join(command)}\n{ended.log}\n")
    findings.diagnostics["program_seconds"] = round(spent + ended.seconds, 3)
    failure = ended.failure(f"{program.title}, {step}," if step else program.title)
    if failure is not None:
        raise NoAnswer(failure.reason, failure.message)


def find_output(program: Program, pattern: str) -> Path:
    """The one file or folder in the work folder that fits a pattern.

    Args:
        program: The program that wrote it.
        pattern: Relative, with wildcards at will; see :attr:`.description.Output.path`.

    Raises:
        NoAnswer: There is none, or more than one; or it is or holds anything but plain files and
            folders: a link might lead out of the work folder, a pipe would never end.
    """
    found = list(islice(program.work.glob(pattern), 2))
    if not found:
        raise NoAnswer(
            Reason.ESTIMATOR_CRASHED,
            f"{program.title} ended well, but wrote no {pattern}; it may have found no motion that "
            "it could follow. Set work to keep its files and log.",
        )
    if len(found) > 1:
        listed = " and ".join(_shown(path.relative_to(program.work)) for path in sorted(found))
        raise NoAnswer(
            Reason.ESTIMATOR_CRASHED,
            f"{program.title} wrote more than one {pattern}: {listed}; only one can be read.",
        )
    path = found[0]
    way = [path, *path.parents[: len(path.relative_to(program.work).parts) - 1]]
    for count, piece in enumerate((*way, *_below(path))):
        if piece.is_symlink() or not (piece.is_file() or piece.is_dir()):
            message = (
                f"{program.title} wrote {_shown(piece.relative_to(program.work))}, which is a link "
                "or no regular file; its output is not read."
            )
            raise NoAnswer(Reason.ESTIMATOR_CRASHED, message)
        if count > _MOST_FILES:
            message = f"{program.title} wrote more than {_MOST_FILES} files to {pattern}."
            raise NoAnswer(Reason.ESTIMATOR_CRASHED, message)
    return path


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
        said = str(error).replace(f"{program.work}{os.sep}", "")
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
    path = resample(cameras.at(positions), shown.times)
    covered = float(path.valid.mean())
    if covered < _COVERED:
        message = f"{program.title} knows the camera's path for only {covered:.0%} of the shot."
        findings.doubts.append(Failure(Reason.FEW_FRAMES_REGISTERED, message))
    tracks = track_points(_grey_frames(shown))
    fits = plausibility(cameras, used, positions, tracks)
    if not np.isfinite(fits.explained):
        message = (
            f"The pictures show nothing that the poses of {program.title} could be held against."
        )
        findings.doubts.append(Failure(Reason.NO_TEXTURE, message))
        return path
    findings.diagnostics["explained"] = round(fits.explained, 3)
    if fits.better:
        others = " or ".join(f"{other}" for other in fits.better[:3])
        message = (
            f"The poses that {program.title} wrote, read as {used}, explain {fits.explained:.0%} "
            f"of what moves in the pictures, but {fits.explained_better:.0%} as {others}: {fix}."
        )
        raise NoAnswer(Reason.WRONG_CONVENTION, message)
    if fits.explained < POOR:
        message = (
            f"The poses that {program.title} wrote explain only {fits.explained:.0%} of what moves "
            "in the pictures."
        )
        findings.doubts.append(Failure(Reason.POSES_DISAGREE, message))
        return path
    path = in_scene_depths(path, tracks)
    turning = _explained_without_travel(path, tracks)
    if turning > fits.explained - _AS_GOOD:
        message = (
            f"{program.title} keeps one focal length, so what it takes for a dolly may be a zoom: "
            f"turn and zoom explain {turning:.0%} of what moves in the pictures, its path "
            f"{fits.explained:.0%}."
        )
        findings.doubts.append(Failure(Reason.AMBIGUOUS_ZOOM_DOLLY, message))
    return path


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


def _below(folder: Path) -> Iterator[Path]:
    """Everything in a folder; links are not followed."""
    for top, folders, files in os.walk(folder):
        yield from (Path(top) / name for name in (*folders, *files))


def _shown(path: Path) -> str:
    return repr(str(path))
