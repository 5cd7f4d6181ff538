"""A clip in space and time as a Rerun recording, which the program ``rerun`` shows."""

from collections.abc import Iterable, Sequence
from typing import BinaryIO

import cv2
import numpy as np
import rerun as rr
import rerun.blueprint as rrb

from dollygrip.classifiers.records import ShotLabels
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES, MotionProfile, motion_profile
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.drawing import BLUE, GREEN, GREY, ORANGE, WHITE, YELLOW, Color, Image
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.pipeline import ClipResult
from dollygrip.runners.space import Space, frustum, shown_cameras
from dollygrip.runners.video import Frame

_CLOCK = "time"
# Panels of the rates: name, unit, which axes, and the least full scale, so that noise looks like
# noise.
_RATES = (
    ("turns", "degrees a second", slice(0, 3), 2.0),
    ("travel", "scene depths a second", slice(3, 6), 0.03),
    ("zoom", "log focal length a second", slice(6, 7), 0.03),
)
_COLORS: dict[str, Color] = dict(
    zip(AXES, (BLUE, GREEN, ORANGE, BLUE, GREEN, ORANGE, YELLOW), strict=True)
)
# Sizes, as shares of how far the scene is: the camera of the moment, the others, lines.
_CAMERA, _FORMER, _LINE = 0.25, 0.06, 0.002
# Of a point, wherever it is, in points of the screen.
_POINT = 2.0
_JPEG_QUALITY = 80
# Beyond about three minutes there are fewer pictures a second, so that memory stays small.
_MOST_PICTURES = 1500
_MOVING = 1


def record(
    file: BinaryIO, name: str, result: ClipResult, looked: Iterable[tuple[Frame, Space]]
) -> None:
    """Write a recording.

    Each shot is a space of its own, with the axes of its first camera. All is held in memory, as
    the viewer does, too.

    Args:
        file: Gets the recording.
        name: Of the clip.
        result: What came of the clip.
        looked: Its pictures in colour, each with the space of its shot.
    """
    recording = rr.RecordingStream("dollygrip")
    # Read once, at the end: every reading closes a file of its own. Files that Rerun writes itself
    # hang on a full disk.
    stream = rr.binary_stream(recording)
    recording.send_recording_name(name)
    profiles = [_profile(motion) for motion in result.shots]
    for number, (motion, labels) in enumerate(zip(result.shots, result.record.shots, strict=True)):
        _log_words(recording, _root(number), motion, labels)
        _log_rates(recording, _root(number), profiles[number])
    spaces: list[Space] = []
    due, gap = 0.0, result.record.whole.end / _MOST_PICTURES
    for frame, space in looked:
        if not spaces or space is not spaces[-1]:
            spaces.append(space)
        if frame.time >= due:
            _log_picture(recording, space, frame)
            due = frame.time + gap
    for space in spaces:
        _log_scene(recording, space)
        _log_maps(recording, space)
    recording.send_blueprint(_blueprint(spaces, profiles))
    file.write(stream.read() or b"")


def _root(number: int) -> str:
    return f"shot{number + 1}"


def _profile(motion: ShotMotion) -> MotionProfile | None:
    if not motion.hypotheses or motion.hypotheses[0].trajectory.valid.sum() < 2:
        return None
    return motion_profile(motion.hypotheses[0].trajectory)


def _blueprint(spaces: Sequence[Space], profiles: Sequence[MotionProfile | None]) -> rrb.Blueprint:
    pages = [_page(space, profiles[space.shot.number]) for space in spaces]
    return rrb.Blueprint(
        rrb.Tabs(*pages),
        rrb.BlueprintPanel(state="collapsed"),
        rrb.SelectionPanel(state="collapsed"),
        rrb.TimePanel(state="collapsed"),
        auto_views=False,
    )


def _page(space: Space, profile: MotionProfile | None) -> rrb.Container:
    root = _root(space.shot.number)
    view = f"/{root}/world/camera/view"
    plots = []
    for title, unit, axes, least in _RATES:
        full = least if profile is None else max(least, 1.1 * np.abs(profile.rates[:, axes]).max())
        plots.append(
            rrb.TimeSeriesView(
                origin=f"/{root}/rates/{title}",
                name=f"{title}, {unit}",
                axis_y=rrb.ScalarAxis(range=(-full, full)),
            )
        )
    return rrb.Vertical(
        rrb.Horizontal(
            rrb.Spatial3DView(origin=f"/{root}/world", name="space", eye_controls=_eye(space)),
            rrb.Spatial2DView(
                origin=view, contents=["$origin/**", f"/{root}/world/points"], name="picture"
            ),
            column_shares=[3, 2],
        ),
        rrb.Horizontal(*plots),
        rrb.Horizontal(
            rrb.TextDocumentView(origin=f"/{root}/summary", name="summary"),
            rrb.TextLogView(origin=f"/{root}/labels", name="labels"),
        ),
        row_shares=[5, 2, 2],
        name=f"shot {space.shot.number + 1}",
    )


def _eye(space: Space) -> rrb.EyeControls3D:
    """A look over the cameras' shoulder, from above; far things may be left out of the picture."""
    centers = np.zeros((1, 3)) if space.path is None else space.path.centers[space.path.valid]
    low, high = centers.min(axis=0), centers.max(axis=0)
    middle = 0.5 * (low + high) + [0.0, 0.0, 0.5 * space.reach]
    distance = space.reach + float(np.linalg.norm(high - low))
    position = middle + distance * np.array([-0.3, -0.5, -1.1])
    return rrb.EyeControls3D(position=position, look_target=middle, eye_up=(0.0, -1.0, 0.0))


def _log_words(
    recording: rr.RecordingStream, root: str, motion: ShotMotion, labels: ShotLabels
) -> None:
    """The summary, and the moves as they begin."""
    said = [labels.caption or "No answer."]
    if labels.failure is not None:
        said.append(labels.failure.message)
    else:
        models = ", ".join(f"{h.model} {h.probability:.2f}" for h in motion.hypotheses[:3])
        said.append(f"Trust {labels.trust:.2f}. Path: {models}.")
    said += [f"Doubt: {doubt.message}" for doubt in labels.doubts]
    said.append(
        "Axes of the first camera: x right, y down, z ahead. Orange points do not move as still "
        "ones would; grey ones show only a direction, as the path does not tell how far they are."
    )
    document = rr.TextDocument("\n\n".join(said))
    recording.log(f"{root}/summary", document, static=True)
    for segment in labels.segments:
        recording.set_time(_CLOCK, duration=segment.start)
        words = f"{segment.motion.replace('_', ' ')}, until {segment.end:.2f} s"
        recording.log(f"{root}/labels", rr.TextLog(words, level=rr.TextLogLevel.INFO))


def _log_rates(recording: rr.RecordingStream, root: str, profile: MotionProfile | None) -> None:
    if profile is None:
        return
    clock = rr.TimeColumn(_CLOCK, duration=profile.times)
    for title, _, axes, _ in _RATES:
        for axis, rates in zip(AXES[axes], profile.rates[:, axes].T, strict=True):
            entity = f"{root}/rates/{title}/{axis}"
            line = rr.SeriesLines(colors=_COLORS[axis], names=axis, widths=2)
            recording.log(entity, line, static=True)
            recording.send_columns(entity, [clock], rr.Scalars.columns(scalars=rates))


def _log_maps(recording: rr.RecordingStream, space: Space) -> None:
    """Depth as a camera of its own, since its pictures may have another size."""
    maps = space.shot.motion.maps
    if maps is None or space.path is None:
        return
    entity = f"{_root(space.shot.number)}/world/depth"
    path = resample(space.path, maps.times)
    known = maps.depths[np.isfinite(maps.depths)]
    # What is far beyond the rest must not use up all the colours.
    colored = (0.0, 2.0 * float(np.quantile(known, 0.8)) if len(known) else 1.0)
    for pose in np.flatnonzero(path.valid).tolist():
        depth = np.nan_to_num(maps.depths[pose], nan=0.0, posinf=0.0)
        recording.set_time(_CLOCK, duration=float(maps.times[pose]))
        _log_camera(recording, entity, path, pose, depth.shape[::-1], 0.0)
        seen = rr.DepthImage(depth, meter=1.0, depth_range=colored)
        recording.log(f"{entity}/view", seen)


def _log_camera(
    recording: rr.RecordingStream,
    entity: str,
    path: Trajectory,
    pose: int,
    size: tuple[int, int],
    depth: float,
) -> None:
    """One camera at the time that is set.

    Args:
        recording: Gets it.
        entity: What it is called; what it sees belongs under ``entity/view``.
        path: The path.
        pose: Number of the pose.
        size: (width, height) of its picture.
        depth: At which the picture is drawn, in the unit of the path.
    """
    focal = float(path.focals[pose]) * max(size) / max(path.size)
    place = rr.Transform3D(translation=path.centers[pose], mat3x3=path.rotations[pose])
    lens = rr.Pinhole(
        focal_length=focal,
        width=size[0],
        height=size[1],
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=depth,
    )
    recording.log(entity, place)
    recording.log(f"{entity}/view", lens)


def _log_picture(recording: rr.RecordingStream, space: Space, frame: Frame) -> None:
    """The picture inside its camera; without a pose, no camera is shown."""
    camera = f"{_root(space.shot.number)}/world/camera"
    recording.set_time(_CLOCK, duration=frame.time)
    size = (frame.image.shape[1], frame.image.shape[0])
    if space.path is not None:
        pose = int(np.abs(space.path.times - frame.time).argmin())
        if not space.path.valid[pose]:
            recording.log(camera, rr.Clear(recursive=True))
            return
        _log_camera(recording, camera, space.path, pose, size, _CAMERA * space.reach)
    recording.log(f"{camera}/view", _jpeg(frame.image))
    moving = _moving(space, frame.time, size)
    if moving is not None:
        recording.log(f"{camera}/view/moving", moving)


def _jpeg(image: Image) -> rr.EncodedImage:
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return rr.EncodedImage(contents=data.tobytes(), media_type="image/jpeg")


def _moving(space: Space, time: float, size: tuple[int, int]) -> rr.SegmentationImage | None:
    """What moves by itself in a picture, where the estimator says so."""
    maps = space.shot.motion.maps
    if maps is None or not len(maps.times):
        return None
    nearest = int(np.abs(maps.times - time).argmin())
    moving = (maps.moving[nearest] > 0.5).astype(np.uint8) * np.uint8(_MOVING)
    return rr.SegmentationImage(
        cv2.resize(moving, size, interpolation=cv2.INTER_NEAREST), opacity=0.5
    )


def _log_scene(recording: rr.RecordingStream, space: Space) -> None:
    """What holds all the time: the points, the whole path, some of its cameras."""
    world = f"{_root(space.shot.number)}/world"
    recording.log(world, rr.ViewCoordinates.RDF, static=True)
    classes = rr.AnnotationContext([(0, "still", (0, 0, 0, 0)), (_MOVING, "moving", ORANGE)])
    recording.log(world, classes, static=True)
    if space.path is None:
        return
    size, known = rr.Radius.ui_points(_POINT), space.placed
    for name, which, colors in (
        ("points", known, space.shown_colors),
        ("directions", ~known, np.where(space.moving[:, None], ORANGE, GREY)),
    ):
        points = rr.Points3D(space.points[which], colors=colors[which], radii=size)
        recording.log(f"{world}/{name}", points, static=True)
    line = _LINE * space.reach
    recording.log(f"{world}/path", _way(space.path, line), static=True)
    outlines = [
        _outline(frustum(space.path, pose, _FORMER * space.reach))
        for pose in shown_cameras(space.path)
    ]
    cameras = rr.LineStrips3D(outlines, colors=GREY, radii=0.5 * line)
    recording.log(f"{world}/cameras", cameras, static=True)


def _way(path: Trajectory, radius: float) -> rr.LineStrips3D:
    """The path from blue, where it starts, to white."""
    centers = path.centers[path.valid]
    steps = np.stack([centers[:-1], centers[1:]], axis=1)
    share = np.linspace(0.0, 1.0, max(len(steps), 1))[: len(steps), None]
    colors = (1.0 - share) * np.array(BLUE) + share * np.array(WHITE)
    return rr.LineStrips3D(list(steps), colors=colors.astype(np.uint8), radii=radius)


def _outline(corners: FloatArray) -> FloatArray:
    """One line along all edges of a camera (5, 3)."""
    return corners[[1, 2, 3, 4, 1, 0, 2, 3, 0, 4]]
