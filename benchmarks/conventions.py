"""Exact poses of rendered clips, read as if written in a wrong convention: is it found out?

Where the wrong convention gives the same path (a plain dolly under ``camera_from_world opengl``),
or one that looks the same, there is nothing to find; what counts is whether the labels differ.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.poses import read_path
from benchmarks.tables import Cells, listing, mean, number
from benchmarks.truth import add_choice_of_clips, read_truth
from dollygrip.api import label_trajectory
from dollygrip.geometry.conventions import Convention, from_opencv, to_opencv
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.estimators.plausibility import plausibility
from dollygrip.runners.estimators.poses import PosesEstimator
from dollygrip.runners.estimators.tracks import Tracks, track_points
from dollygrip.runners.formats.path import CameraPath
from dollygrip.runners.video import read_frames

TRUE = Convention()
WRONG = (
    "camera_from_world",
    "opengl",
    "camera_from_world opengl",
    "unreal",
    "body",
    "rotations_inverted",
)


@dataclass(frozen=True)
class Reading:
    """What came of one clip's poses in one convention.

    Attributes:
        convention: The words of the convention they were read with.
        matters: The labels differ from those of the right reading.
        named: The right convention is among those that are named.
        blamed: Some convention is named.
        explained: Share of what is seen that the poses explain.
    """

    convention: str
    matters: bool
    named: bool
    blamed: bool
    explained: float


def readings(clip: Path, focal_known: bool = True) -> list[Reading]:
    """Hold the poses beside a clip against it, as they are and in each wrong convention."""
    exact = read_path(clip.with_suffix(".npz"))
    cameras = CameraPath.of(exact)
    if not focal_known:
        cameras = replace(cameras, intrinsics=None)
    tracks = track_points(read_frames(clip, PosesEstimator.frame_request))
    return [_reading(words, cameras, exact, tracks) for words in ("", *WRONG)]


def _reading(words: str, cameras: CameraPath, exact: Trajectory, tracks: Tracks) -> Reading:
    used = Convention.parse(words)
    raw = from_opencv(cameras.world_from_camera, TRUE)
    cameras = replace(cameras, world_from_camera=to_opencv(raw, used))
    found = plausibility(cameras, used, exact.times, tracks)
    right = label_trajectory(exact).labels
    return Reading(
        convention=words or "as written",
        matters=label_trajectory(cameras.at(exact.times)).labels != right,
        named=TRUE in found.better,
        blamed=bool(found.better),
        explained=found.explained,
    )


def add_command(commands: Any) -> None:
    """Add ``conventions`` to the benchmarks' command line."""
    parser = commands.add_parser("conventions", help="wrong pose conventions, found out or not")
    add_choice_of_clips(parser)
    parser.add_argument(
        "--without-focal", action="store_true", help="as files that tell no focal length"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    truths = read_truth(options.folder, options.only, options.limit)
    clips = [truth.path for truth in truths if truth.path.with_suffix(".npz").exists()]
    if not clips:
        raise ValueError(f"{options.folder} has no clip with its path (NAME.npz) beside it")
    found = [reading for clip in clips for reading in readings(clip, not options.without_focal)]
    by_words = {words: [r for r in found if r.convention == words] for words in _words(found)}
    cells: Cells[tuple[str, list[Reading]]] = (
        ("read as", lambda item: item[0]),
        ("clips", lambda item: str(len(item[1]))),
        ("labels differ", lambda item: str(sum(r.matters for r in item[1]))),
        ("of these found", lambda item: number(mean(r.named for r in item[1] if r.matters))),
        ("others blamed", lambda item: str(sum(r.blamed and not r.matters for r in item[1]))),
        ("explained", lambda item: number(float(np.median([r.explained for r in item[1]])))),
    )
    print(listing(cells, by_words.items()))
    return 0


def _words(found: Sequence[Reading]) -> list[str]:
    return list(dict.fromkeys(reading.convention for reading in found))
