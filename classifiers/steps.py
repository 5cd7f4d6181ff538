"""Rules that look at one step of a camera path at a time, with the numbers of two data sets.

They are baselines, named after whose numbers they have. What makes them weak is what they are: a
threshold on a step means a different speed at every number of steps a second, so that the same
move is named or not by how often the path was sampled, and a move that is clear as a whole may be
too small in every step. So each reads the path at the clock that its numbers were published for,
whatever the clock of the estimator.

Clip labels are not part of either source: here a move is in the shot when it is in any step, and
the shot is ``static`` when all of its steps are. A score is half the share of steps that say so,
and another half where the label is given; labels that a rule cannot say score 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import numpy as np

from dollygrip.classifiers.base import failed
from dollygrip.classifiers.captions import caption
from dollygrip.classifiers.labels import DEFINITIONS, signed
from dollygrip.classifiers.likeliest import likeliest
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.classifiers.segments import Span, timeline
from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray
from dollygrip.geometry.normalize import translation_scale
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.resampling import resample
from dollygrip.geometry.rotations import from_quaternion, to_quaternion
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

# Camera x (right), y (down), z (ahead) to truck right, pedestal up, dolly in.
_TRUCK_PEDESTAL_DOLLY = np.array([1, -1, 1])
_TRAVELS = [AXES.index(axis) for axis in ("truck", "pedestal", "dolly")]
# Five hours at 25 a second: a file of poses may hold any times.
_MOST_STEPS = 500_000


@dataclass(frozen=True)
class SpatialVidSettings:
    """The numbers of SpatialVID (Wang et al., arXiv 2509.09676), ``utils/get_instructions.py``.

    Attributes:
        step: Seconds from pose to pose: it takes every second one (``--interval 2``) of poses
            that are 0.2 s apart (``utils/extract_frames.py``, ``scripts/annotation.sh``).
        alpha: What a new pose weighs in the running average (``--alpha``).
        translation: Travel in a step, along each axis of the camera (``--translation_threshold``).
        rotation_deg: Turn in a step, each of three Euler angles (``--rotation_threshold``).
    """

    step: float = 0.4
    alpha: float = 0.1
    translation: float = 0.02
    rotation_deg: float = 0.5

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_positive(self)
        if self.alpha > 1.0:
            raise ValueError(f"alpha must be at most 1, not {self.alpha}")


@dataclass(frozen=True)
class SpatialVidSteps:
    """SpatialVID's motion instructions: a threshold on every step of a smoothed path.

    Poses are world-to-camera rows of a translation and a quaternion, the world being the first
    camera; a running average that starts with the first pose smooths both. A step then says every
    move whose change is above its threshold: travel in the axes of the camera before the step,
    turns as Euler angles "yxz", as many moves at once as there are; or that the camera stays.

    The average lags: a move is told for some seconds after its end, and less of it at the start of
    a shot. A zoom cannot be said.

    Inferred: the unit of travel. Theirs is that of MegaSaM's tracking, in which 2 percent of the
    scene are nearer than 0.5; here it is the median depth of the scene. Their repository also has
    a script in which nine such averages vote (``get_instructions_enhanced.py``); this is the plain
    one.
    """

    settings: SpatialVidSettings = field(default_factory=SpatialVidSettings)

    @property
    def name(self) -> str:
        """Name in the registry."""
        return "steps_spatialvid"

    def classify(
        self,
        hypotheses: Sequence[Hypothesis],
        *,
        start: float,
        end: float,
        doubts: Sequence[Failure] = (),
        diagnostics: Mapping[str, Any] | None = None,
    ) -> ShotLabels:
        """Label one shot; see :class:`dollygrip.classifiers.base.Classifier`."""
        rules = self.settings
        path = _sampled(hypotheses, rules.step)
        if isinstance(path, Failure):
            return failed(path, start=start, end=end, doubts=doubts, diagnostics=diagnostics)
        scale = translation_scale(path.trajectory)
        rotations, centers = _running_average(path.trajectory, scale, rules.alpha)
        turns = _pan_tilt_roll(np.swapaxes(rotations[:-1], 1, 2) @ rotations[1:])
        travels = _travels(rotations, centers)
        ways = np.zeros((len(turns), len(AXES)), dtype=np.intp)
        ways[:, :3] = _signs(turns, rules.rotation_deg)
        ways[:, _TRAVELS] = _signs(travels, rules.translation)
        return _answer(
            ways,
            path,
            start=start,
            end=end,
            doubts=doubts,
            diagnostics=diagnostics,
        )


@dataclass(frozen=True)
class ETSettings:
    """The numbers of E.T. (Courant et al., ECCV 2024): ``scripts/processing/configs/captioning``.

    Attributes:
        rate: Poses a second (``fps``).
        static: Metres a second along an axis up to which it stands still (``static_threshold``).
        apart: An axis is left out where another is ahead of it by more than this share of the
            other (``diff_threshold``).
        window: Steps of which the most frequent way counts (``smoothing_window_size``), half of
            them before and half after; shorter paths are taken as they are.
        shortest: Steps that a way must last (``min_chunk_size``).
        depth_m: Metres to the scene, where the path is not in metres. Not theirs: their paths are.
    """

    rate: float = 25.0
    static: float = 0.02
    apart: float = 0.4
    window: int = 56
    shortest: int = 25
    depth_m: float = 4.0

    def __post_init__(self) -> None:
        """Check the numbers."""
        _check_positive(self)
        if self.apart >= 1.0:
            raise ValueError(f"apart must be below 1, not {self.apart}")


@dataclass(frozen=True)
class ETSteps:
    """E.T.'s motion tags: which of the three axes of travel count in a step, smoothed in time.

    A step's velocity is in the axes of the camera before it (``src/processing/segmentation.py``).
    An axis counts that is faster than ``static`` and not far slower than another. Then the most
    frequent of the 27 ways in a window counts, and what lasts too short goes to its neighbours, the
    shortest first. Turns, zooms and rolls cannot be said.

    Inferred: that their poses are world_from_camera, since only so do they move as they are tagged.
    Left out: their paths were cleared of outliers and smoothed by a Kalman filter first, and hold
    300 poses at most. Here the path is the estimator's.
    """

    settings: ETSettings = field(default_factory=ETSettings)

    @property
    def name(self) -> str:
        """Name in the registry."""
        return "steps_et"

    def classify(
        self,
        hypotheses: Sequence[Hypothesis],
        *,
        start: float,
        end: float,
        doubts: Sequence[Failure] = (),
        diagnostics: Mapping[str, Any] | None = None,
    ) -> ShotLabels:
        """Label one shot; see :class:`dollygrip.classifiers.base.Classifier`."""
        rules = self.settings
        path = _sampled(hypotheses, 1.0 / rules.rate)
        if isinstance(path, Failure):
            return failed(path, start=start, end=end, doubts=doubts, diagnostics=diagnostics)
        metres = 1.0
        if not path.trajectory.metric:
            metres = rules.depth_m * translation_scale(path.trajectory)
        rotations, centers = path.trajectory.rotations, path.trajectory.centers
        velocities = rules.rate * metres * _travels(rotations, centers)
        codes = _code(_dominant(velocities, rules.static, rules.apart))
        codes = _without_short(_most_frequent(codes, rules.window), rules.shortest)
        ways = np.zeros((len(codes), len(AXES)), dtype=np.intp)
        ways[:, _TRAVELS] = _decode(codes)
        return _answer(
            ways,
            path,
            start=start,
            end=end,
            doubts=doubts,
            diagnostics=diagnostics,
        )


def _check_positive(settings: Any) -> None:
    for setting in fields(settings):
        value = getattr(settings, setting.name)
        if not 0.0 < value < float("inf"):
            raise ValueError(f"{setting.name} must be positive, not {value}")


def _sampled(hypotheses: Sequence[Hypothesis], step: float) -> Hypothesis | Failure:
    """The likeliest path, with a pose every ``step`` seconds from its first on."""
    told = likeliest(hypotheses)
    if isinstance(told, Failure):
        return told
    times = told.trajectory.times[told.trajectory.valid]
    steps = (times[-1] - times[0]) / step + 1e-6
    if steps < 1:
        return Failure(Reason.TOO_SHORT, f"The camera path is shorter than a step of {step:g} s.")
    if steps > _MOST_STEPS:
        return Failure(Reason.TOO_LARGE, f"The camera path has over {_MOST_STEPS} steps.")
    clock = times[0] + step * np.arange(int(steps) + 1)
    return Hypothesis(told.model, told.probability, resample(told.trajectory, clock))


def _running_average(path: Trajectory, scale: float, alpha: float) -> tuple[FloatArray, FloatArray]:
    """Rotations (N, 3, 3) world_from_camera and centres (N, 3), smoothed as rows of a pose file."""
    world = path.rotations[0].T
    camera_from_world = np.swapaxes(world @ path.rotations, 1, 2)
    centers = scale * (path.centers - path.centers[0]) @ world.T
    shifts = -np.einsum("nij,nj->ni", camera_from_world, centers)
    rows = np.concatenate([shifts, to_quaternion(camera_from_world)], axis=1)
    for last, row in pairwise(rows):
        if last[3:] @ row[3:] < 0.0:
            row[3:] *= -1.0
        row += (1.0 - alpha) * (last - row)
        row[3:] /= np.linalg.norm(row[3:])
    rotations = np.swapaxes(from_quaternion(rows[:, 3:]), 1, 2)
    return rotations, -np.einsum("nij,nj->ni", rotations, rows[:, :3])


def _pan_tilt_roll(turns: FloatArray) -> FloatArray:
    """(K, 3) degrees, of turns (K, 3, 3) = Ry(pan) Rx(tilt) Rz(roll)."""
    pan = np.arctan2(turns[:, 0, 2], turns[:, 2, 2])
    tilt = np.arcsin(np.clip(-turns[:, 1, 2], -1.0, 1.0))
    roll = np.arctan2(turns[:, 1, 0], turns[:, 1, 1])
    return np.asarray(np.degrees(np.stack([pan, tilt, roll], axis=1)))


def _travels(rotations: FloatArray, centers: FloatArray) -> FloatArray:
    """(K, 3) truck, pedestal, dolly of every step, in the axes of the camera before it."""
    steps = np.einsum("nji,nj->ni", rotations[:-1], np.diff(centers, axis=0))
    return np.asarray(steps * _TRUCK_PEDESTAL_DOLLY)


def _signs(changes: FloatArray, threshold: float) -> IntArray:
    return np.asarray(np.sign(changes) * (np.abs(changes) > threshold), dtype=np.intp)


def _dominant(velocities: FloatArray, static: float, apart: float) -> IntArray:
    """(K, 3) the sign of every axis that counts, 0 for the others."""
    speeds = np.abs(velocities)
    near = speeds >= (1.0 - apart) * speeds.max(axis=1, keepdims=True)
    return np.asarray(_signs(velocities, static) * near)


def _code(ways: IntArray) -> IntArray:
    """One number for three signs, in the order of E.T.: of ways as frequent the first counts.

    Its axes are right, down and ahead, and along each it counts none, forth, back.
    """
    return np.asarray((ways * _TRUCK_PEDESTAL_DOLLY) % 3 @ np.array([9, 3, 1]))


def _decode(codes: IntArray) -> IntArray:
    digits = codes[:, None] // np.array([9, 3, 1]) % 3
    return np.asarray(np.where(digits == 2, -1, digits) * _TRUCK_PEDESTAL_DOLLY)


def _most_frequent(codes: IntArray, window: int) -> IntArray:
    """(K,) the most frequent code around each step."""
    if len(codes) < window:
        return codes
    known = np.unique(codes)
    counts = np.zeros((len(codes) + 1, len(known)), dtype=np.intp)
    counts[1:] = np.cumsum(codes[:, None] == known, axis=0)
    middle, half = np.arange(len(codes)), window // 2
    first = np.maximum(middle - half, 0)
    last = np.minimum(middle + half + 1, len(codes))
    return np.asarray(known[np.argmax(counts[last] - counts[first], axis=1)])


def _without_short(codes: IntArray, shortest: int) -> IntArray:
    """(K,) the same; runs that are too short are shared between those before and after."""
    begins = np.append(0, np.flatnonzero(np.diff(codes)) + 1)
    ways, lengths = codes[begins], np.diff(begins, append=len(codes))
    while len(lengths) > 1 and lengths.min() < shortest:
        i = int(np.argmin(lengths))
        lengths[i - 1 if i > 0 else 1] += (lengths[i] + 1) // 2
        lengths[i + 1 if i < len(lengths) - 1 else i - 1] += lengths[i] // 2
        ways, lengths = np.delete(ways, i), np.delete(lengths, i)
    return np.repeat(ways, lengths)


def _answer(
    ways: IntArray,
    path: Hypothesis,
    *,
    start: float,
    end: float,
    doubts: Sequence[Failure],
    diagnostics: Mapping[str, Any] | None,
) -> ShotLabels:
    """The record of a shot, from the sign of every step (K, 7) along ``AXES``."""
    there = {signed(a, s): ways[:, i] == s for i, a in enumerate(AXES) for s in (1, -1)}
    named = {name for name, said in there.items() if said.any()} or {"static"}
    there["static"] = ~ways.any(axis=1)
    labels = tuple(d.name for d in DEFINITIONS if d.name in named)
    scores = dict.fromkeys((d.name for d in DEFINITIONS), 0.0)
    scores |= {n: 0.5 * (n in named) + 0.5 * float(said.mean()) for n, said in there.items()}
    spans = {name: _spans(said, path.trajectory.times) for name, said in there.items()}
    segments = timeline(spans, scores, start=start, end=end, snap=0.0)
    return ShotLabels(
        start=start,
        end=end,
        labels=labels,
        scores=scores,
        segments=segments,
        trust=path.probability,
        doubts=tuple(doubts),
        caption=caption(labels, segments, (), None, ""),
        diagnostics=dict(diagnostics or {}),
    )


def _spans(said: BoolArray, times: FloatArray) -> tuple[Span, ...]:
    """When a label holds: from the pose before the first of its steps to that after the last."""
    change = np.diff(said.astype(np.intp), prepend=0, append=0)
    begins, ends = np.flatnonzero(change == 1), np.flatnonzero(change == -1)
    return tuple(Span(float(times[a]), float(times[b])) for a, b in zip(begins, ends, strict=True))
