"""Estimated paths against exact ones: ``NAME.npz`` beside the clips, as ``rendered.py`` makes them.

The likeliest hypothesis of a clip counts; of a clip that was split into shots, that of the longest.
Clips weigh alike, however many frames they have.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.labelling import in_workers, look
from benchmarks.pose_errors import COLUMNS, PoseErrors, pose_errors
from benchmarks.tables import Cells, comparison, listing, mean, number, write_csv, write_json
from benchmarks.truth import add_choice_of_clips, read_truth
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners import registry

# Axes that are one kind of number: which columns of the normalised errors.
KINDS = {"rotation": (0, 1, 2), "travel": (3, 4, 5), "focal length": (6,)}


@dataclass(frozen=True, eq=False)
class ClipPose:
    """One clip.

    Attributes:
        clip: File name.
        model: Name of the likeliest hypothesis; empty on failure.
        errors: None on failure.
        failure: Why there is no path; None for one.
    """

    clip: str
    model: str = ""
    errors: PoseErrors | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Spread:
    """Of a number at every frame, or of one a clip.

    Attributes:
        median: Half are below.
        most: 95 percent are below.
    """

    median: float
    most: float

    def __str__(self) -> str:
        """Median / 95th percentile."""
        return f"{number(self.median)} / {number(self.most)}"


@dataclass(frozen=True)
class Honesty:
    """How errors compare with the sigmas that were stated.

    Attributes:
        rms: Root mean square of error / sigma; 1 is honest, less is too careful.
        median_rms: The same for the median clip, which one clip far off cannot move.
        within_one: Share of frames within one sigma; 0.68 is honest for normal errors.
        within_two: Share within two; 0.95.
        clips: On how many clips a sigma was stated.
    """

    rms: float
    median_rms: float
    within_one: float
    within_two: float
    clips: int


@dataclass(frozen=True)
class Summary:
    """Some clips taken together.

    Attributes:
        clips: How many have a path.
        right_model: Share whose path may move as the true one does.
        rotation_deg: Angle to the true rotation.
        net_direction_deg: Angle to the true travel from the first to the last frame.
        direction_deg: Angle to the true travel over half a second.
        still: Share of the travelling clips of which the estimate does not travel.
        travel: Error of the centre on travelling clips, scene depths.
        unit: Estimated scene depths in a true one, on travelling clips.
        zoom: Absolute error of the log focal length against the first frame's, on zooming clips.
        focal: Absolute error of the first frame's log focal length.
        honesty: For each of :data:`KINDS` and each axis.
    """

    clips: int
    right_model: float
    rotation_deg: Spread
    net_direction_deg: Spread
    direction_deg: Spread
    still: float
    travel: Spread
    unit: Spread
    zoom: Spread
    focal: Spread
    honesty: dict[str, Honesty]


def read_path(file: Path) -> Trajectory:
    """The true path beside a rendered clip.

    Raises:
        ValueError: The file holds no path.
        OSError: The file cannot be read.
    """
    with np.load(file, allow_pickle=False) as stored:
        try:
            times = stored["times"]
            return Trajectory(
                times=times,
                rotations=stored["rotations"],
                centers=stored["centers"],
                focals=stored["focals"],
                size=tuple(stored["size"].tolist()),
                valid=np.ones(len(times), np.bool_),
                sigmas=np.zeros((len(times), 7)),
                scene_depth=float(stored["scene_depth"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"{file.name} holds no path: {error}") from error


def clip_pose(clip: Path, estimator: str, kept: Path | None) -> ClipPose:
    """Estimate one clip and compare; see ``labelling.verdict`` for the arguments."""
    said, shots = look(clip, estimator, kept=kept)
    told = [shot for shot in shots if shot.hypotheses]
    if not told:
        return ClipPose(clip.name, failure=said.failure or "no motion")
    likeliest = max(told, key=lambda shot: shot.end - shot.start).hypotheses[0]
    errors = pose_errors(read_path(clip.with_suffix(".npz")), likeliest.trajectory)
    return ClipPose(clip.name, likeliest.model, errors)


def summary(errors: Sequence[PoseErrors]) -> Summary:
    """Take clips together; each weighs alike."""
    travelling = [e for e in errors if e.travels]
    nets = np.array([e.net_direction_deg for e in travelling])
    return Summary(
        clips=len(errors),
        right_model=mean(e.right_model for e in errors),
        rotation_deg=spread([e.rotation_deg for e in errors]),
        net_direction_deg=spread([nets]),
        direction_deg=spread([e.direction_deg for e in travelling]),
        still=mean(np.isnan(nets).tolist()),
        travel=spread([e.travel for e in travelling]),
        unit=spread([np.array([e.unit for e in travelling])]),
        zoom=spread([np.abs(e.zoom) for e in errors if e.zooms]),
        focal=spread([np.array([abs(e.focal) for e in errors])]),
        honesty={kind: honesty(errors, columns) for kind, columns in KINDS.items()}
        | {name: honesty(errors, (axis,)) for axis, name in enumerate(COLUMNS[:6])},
    )


def spread(values: Sequence[FloatArray]) -> Spread:
    """Median and 95th percentile over all values, each array weighing alike; NaN left out."""
    known = [column[~np.isnan(column)] for column in values]
    known = [column for column in known if len(column)]
    if not known:
        return Spread(float("nan"), float("nan"))
    pooled = np.concatenate(known)
    weights = np.concatenate([np.full(len(column), 1.0 / len(column)) for column in known])
    order = np.argsort(pooled)
    below = np.cumsum(weights[order]) / weights.sum()
    at = np.minimum(np.searchsorted(below, (0.5 - 1e-9, 0.95 - 1e-9)), len(pooled) - 1)
    median, most = pooled[order][at]
    return Spread(float(median), float(most))


def honesty(errors: Sequence[PoseErrors], columns: tuple[int, ...]) -> Honesty:
    """Compare errors with sigmas on some axes."""
    squares, one, two = [], [], []
    for clip in errors:
        values = clip.normalised[:, columns]
        values = values[~np.isnan(values)]
        if len(values):
            squares.append(float((values**2).mean()))
            one.append(float((np.abs(values) <= 1.0).mean()))
            two.append(float((np.abs(values) <= 2.0).mean()))
    typical = float(np.median(squares)) if squares else float("nan")
    return Honesty(mean(squares) ** 0.5, typical**0.5, mean(one), mean(two), len(squares))


# What is said of all clips, of those whose model is right, and of the others.
_CHOICES: dict[str, Callable[[PoseErrors], bool]] = {
    "all": lambda errors: True,
    "right model": lambda errors: errors.right_model,
    "wrong model": lambda errors: not errors.right_model,
}


def summaries(poses: Sequence[ClipPose]) -> dict[str, Summary]:
    """Over all clips with a path, those whose model is right, and the others."""
    known = [pose.errors for pose in poses if pose.errors is not None]
    return {name: summary([e for e in known if chosen(e)]) for name, chosen in _CHOICES.items()}


_ERRORS: Cells[Summary] = (
    ("clips", lambda s: str(s.clips)),
    ("right model, share", lambda s: number(s.right_model)),
    ("rotation, degrees", lambda s: str(s.rotation_deg)),
    ("direction of travel, first to last, degrees", lambda s: str(s.net_direction_deg)),
    ("direction of travel over 0.5 s, degrees", lambda s: str(s.direction_deg)),
    ("travelling clips without travel, share", lambda s: number(s.still)),
    ("centre, scene depths, travelling clips", lambda s: str(s.travel)),
    ("estimated scene depths in a true one", lambda s: str(s.unit)),
    ("change of log focal length, zooming clips", lambda s: str(s.zoom)),
    ("log focal length of the first frame", lambda s: str(s.focal)),
)
_HONESTY: Cells[tuple[str, Honesty]] = (
    ("error over sigma of", lambda h: h[0]),
    ("clips", lambda h: str(h[1].clips)),
    ("root mean square", lambda h: number(h[1].rms, 2)),
    ("median clip's", lambda h: number(h[1].median_rms, 2)),
    ("within 1 sigma", lambda h: number(h[1].within_one, 2)),
    ("within 2 sigma", lambda h: number(h[1].within_two, 2)),
)
_FAILED: Cells[ClipPose] = (
    ("clip", lambda pose: pose.clip),
    ("why", lambda pose: pose.failure or ""),
)


def render(estimator: str, poses: Sequence[ClipPose]) -> str:
    """The whole comparison as Markdown that also reads well as plain text."""
    told = summaries(poses)
    failed = [pose for pose in poses if pose.errors is None]
    parts = [
        f"## Poses of {estimator} on {len(poses)} clips, {len(failed)} of them without an answer",
        comparison("error: median / 95th percentile", _ERRORS, told),
        "### Sigmas, all clips",
        listing(_HONESTY, told["all"].honesty.items()),
        "### Sigmas, clips of which the right model is likeliest",
        listing(_HONESTY, told["right model"].honesty.items()),
    ]
    if failed:
        parts += ["### Without an answer", listing(_FAILED, failed)]
    return "\n\n".join(parts) + "\n"


def by_clip(pose: ClipPose) -> dict[str, Any]:
    """One clip in plain numbers."""
    row: dict[str, Any] = {"clip": pose.clip, "model": pose.model, "failure": pose.failure or ""}
    if pose.errors is None:
        return row
    one = summary([pose.errors])
    numbers = {
        "rotation_deg": one.rotation_deg.median,
        "rotation_deg_95": one.rotation_deg.most,
        "net_direction_deg": pose.errors.net_direction_deg,
        "direction_deg": one.direction_deg.median,
        "travel": one.travel.median,
        "unit": pose.errors.unit,
        "zoom": float(np.median(np.abs(pose.errors.zoom))),
        "focal": pose.errors.focal,
        **{f"{name} over sigma": h.rms for name, h in one.honesty.items()},
    }
    told = {name: "" if np.isnan(value) else round(value, 4) for name, value in numbers.items()}
    return row | {"right_model": int(pose.errors.right_model)} | told


def add_command(commands: Any) -> None:
    """Add ``poses`` to the argument parser's commands."""
    parser = commands.add_parser("poses", help="estimated paths against exact ones")
    add_choice_of_clips(parser)
    parser.add_argument("--estimator", default="flow", metavar="NAME")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes")
    parser.add_argument("--out", type=Path, help="folder for poses.md, poses.json and poses.csv")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep motion between runs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Estimate, compare, print and write."""
    registry.choose("estimator", options.estimator)
    truths = read_truth(options.folder, options.only, options.limit)
    clips = [truth.path for truth in truths if truth.path.with_suffix(".npz").exists()]
    if not clips:
        raise ValueError(f"{options.folder} has no clip with its path (NAME.npz) beside it")
    tasks = [(clip, options.estimator, options.cache) for clip in clips]
    results = in_workers(
        clip_pose, tasks, options.jobs, "poses", lambda why: ClipPose("", failure=why)
    )
    poses = [replace(pose, clip=clip.name) for clip, pose in zip(clips, results, strict=True)]
    text = render(options.estimator, poses)
    if options.out:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "poses.md").write_text(text, encoding="utf-8")
        told = {name: asdict(s) for name, s in summaries(poses).items()}
        write_json(options.out / "poses.json", told)
        write_csv(options.out / "poses.csv", [by_clip(pose) for pose in poses])
    print(text)
    return 0
