"""Motion files of a run: ``trajectories/*.npz`` and ``profiles/*.npz``, without pickle.

``docs/records.md`` lists the arrays for programs that read them.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.profile import AXES, MotionProfile, motion_profile
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.formats.arrays import MotionArrays, motion_arrays
from dollygrip.runners.formats.files import npz
from dollygrip.runners.formats.json_data import parse
from dollygrip.runners.formats.jsonl import plain
from dollygrip.runners.formats.maps import SceneMaps

FORMAT_VERSION = 1

# Of the description: a shot has about 150 pieces.
_MOST_PIECES = 4_000_000
_LARGEST = 1e300

_TRAJECTORY_ARRAYS = ("times", "rotations", "centers", "focals", "valid", "sigmas")
_PROFILE_ARRAYS = (
    "times",
    "rates",
    "sigmas",
    "net",
    "net_first",
    "path",
    "shake",
    "field_of_view_deg",
)


@dataclass(frozen=True, eq=False)
class ShotMotion:
    """What is known of the camera in one shot: all that a classifier is given.

    Attributes:
        start: Seconds from the first frame of the clip at which the shot starts.
        end: Seconds at which it ends.
        hypotheses: Explanations of the motion, likeliest first; empty exactly on failure.
        failure: Why there is no motion.
        doubts: What makes the motion less certain.
        diagnostics: Numbers from the estimator, JSON-ready.
        maps: Depth and movement of whole pictures, where they were asked for; kept in a file of
            their own.
    """

    start: float
    end: float
    hypotheses: tuple[Hypothesis, ...] = ()
    failure: Failure | None = None
    doubts: tuple[Failure, ...] = ()
    diagnostics: dict[str, Any] = field(default_factory=dict)
    maps: SceneMaps | None = None


def trajectories_npz(shots: Sequence[ShotMotion]) -> bytes:
    """All hypotheses of all shots, as a file of ``trajectories``."""
    arrays: dict[str, Any] = {}
    described = []
    for i, shot in enumerate(shots):
        models = []
        for j, hypothesis in enumerate(shot.hypotheses):
            trajectory = hypothesis.trajectory
            for name in _TRAJECTORY_ARRAYS:
                arrays[f"shot{i}_model{j}_{name}"] = getattr(trajectory, name)
            models.append(
                {
                    "model": hypothesis.model,
                    "probability": hypothesis.probability,
                    "size": trajectory.size,
                    "scene_depth": trajectory.scene_depth,
                    "metric": trajectory.metric,
                }
            )
        described.append(
            {
                "start": shot.start,
                "end": shot.end,
                "failure": None if shot.failure is None else _failure_to_dict(shot.failure),
                "doubts": [_failure_to_dict(doubt) for doubt in shot.doubts],
                "diagnostics": shot.diagnostics,
                "models": models,
            }
        )
    meta = {"format": "dollygrip trajectories", "version": FORMAT_VERSION, "shots": described}
    return npz({"meta": np.array(json.dumps(plain(meta), allow_nan=False)), **arrays})


def read_trajectories(path: Path) -> tuple[ShotMotion, ...]:
    """Read what :func:`trajectories_npz` made.

    Raises:
        ValueError: The file is missing, damaged, a bomb or of another version.
    """
    try:
        with motion_arrays(path) as arrays:
            meta = parse(path, arrays.text("meta"), _MOST_PIECES)
            if meta["version"] != FORMAT_VERSION:
                raise ValueError(f"format version {meta['version']}, expected {FORMAT_VERSION}")
            return tuple(_shot(arrays, i, shot) for i, shot in enumerate(meta["shots"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{path.name} holds no trajectories: {error}") from error


def profiles_npz(shots: Sequence[ShotMotion]) -> bytes:
    """The motion profile of each shot's likeliest hypothesis; shots without one are left out."""
    arrays: dict[str, Any] = {"axes": np.array(AXES)}
    for i, shot in enumerate(shots):
        profile = _profile(shot)
        if profile is not None:
            for name in _PROFILE_ARRAYS:
                arrays[f"shot{i}_{name}"] = getattr(profile, name)
    return npz(arrays)


def _profile(shot: ShotMotion) -> MotionProfile | None:
    if not shot.hypotheses or shot.hypotheses[0].trajectory.valid.sum() < 2:
        return None
    return motion_profile(shot.hypotheses[0].trajectory)


def _shot(arrays: MotionArrays, i: int, described: dict[str, Any]) -> ShotMotion:
    failure, diagnostics = described["failure"], described["diagnostics"]
    if not isinstance(diagnostics, dict):
        raise ValueError("has diagnostics that are none")
    if failure is None and not described["models"]:
        raise ValueError("has a shot without a path that did not fail")
    return ShotMotion(
        start=_number(described["start"]),
        end=_number(described["end"]),
        hypotheses=tuple(
            _hypothesis(arrays, f"shot{i}_model{j}_", model)
            for j, model in enumerate(described["models"])
        ),
        failure=None if failure is None else _failure_from_dict(failure),
        doubts=tuple(_failure_from_dict(doubt) for doubt in described["doubts"]),
        diagnostics=diagnostics,
    )


def _hypothesis(arrays: MotionArrays, prefix: str, described: dict[str, Any]) -> Hypothesis:
    depth, (width, height) = described["scene_depth"], described["size"]
    trajectory = Trajectory(
        **{name: arrays[prefix + name] for name in _TRAJECTORY_ARRAYS},
        size=(int(_number(width)), int(_number(height))),
        scene_depth=math.nan if depth is None else _number(depth),
        metric=described["metric"] is True,
    )
    return Hypothesis(_text(described["model"]), _number(described["probability"]), trajectory)


def _number(value: Any) -> float:
    if type(value) not in (int, float) or not abs(value) <= _LARGEST:
        raise ValueError(f"has {str(value)[:40]!r} where a number should be")
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"has {str(value)[:40]!r} where a text should be")
    return value


def _failure_to_dict(failure: Failure) -> dict[str, str]:
    return {"reason": failure.reason.value, "message": failure.message}


def _failure_from_dict(data: dict[str, str]) -> Failure:
    return Failure(Reason(data["reason"]), _text(data["message"]))
