"""What estimators make of an exact camera path: a model of how they fail.

Two kinds of answer are made. Pose files (COLMAP, learned systems) give one path, bent by some of
:data:`FAULTS`. Estimators that weigh models against each other give the path as each rung of
:mod:`dollygrip.geometry.ladder` would read it, weighed by the ladder's own rule from how much of
the pictures each would explain. How far the numbers scatter was set on the answers of the ``flow``
estimator to rendered clips, in aggregate.

All works on curves (N, 7) along ``AXES``: degrees, scene depths and log focal since the first pose.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate

import numpy as np

from dollygrip.geometry.arrays import BoolArray, FloatArray
from dollygrip.geometry.ladder import (
    ALL,
    MOVING,
    ROTATION,
    STATIC,
    TRANSLATION,
    ZOOM,
    weigh,
)
from dollygrip.geometry.normalize import camera_motion
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Hypothesis, Trajectory

Fault = Callable[[FloatArray, FloatArray, np.random.Generator], FloatArray]
"""From times (N,) and a curve (N, 7) to a wrong curve (N, 7)."""

_PAN, _TILT, _ROLL, _TRUCK, _PEDESTAL, _DOLLY, _ZOOM = range(len(AXES))
_TURNS, _TRAVELS = slice(0, 3), slice(3, 6)
# A turn and the travel that shifts the picture the same way.
_ALIKE = ((_PAN, _TRUCK), (_TILT, _PEDESTAL))

# Poses a second of estimators that weigh models.
_LADDER_RATE = 8.0
# How often an answer is one path.
_POSES_SHARE = 0.35
# How often a subject is taken for the scene: one that moves by itself; one that keeps its place in
# the picture by chance; one that the camera follows.
_DOMINATED, _ACCOMPANIED, _FOLLOWED = 0.06, 0.02, 0.3
# How often the pictures show next to nothing.
_HIDDEN = 0.05
# Noise of a path: degrees, scene depths, log focal.
_NOISE = np.array([0.1, 0.1, 0.08, 0.003, 0.003, 0.006, 0.003])
# Travel, in scene depths, that makes half of the parallax that a scene has.
_HALF_SEEN = 0.06
# Growth, in log focal length, of which a model without misses half.
_HALF_GROWN = 0.03
# Degrees, scene depths and log focal by which a picture that stands still may seem to move.
_STILL = np.array([0.4, 0.4, 0.7, 0.008, 0.008, 0.012, 0.012])


# --- faults of a path -----------------------------------------------------------------------


def drift(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Errors add up: a slow turn and travel that was not there."""
    amount = rng.normal(0.0, 1.0, 7) * _spread(rng, 0.2, 3.0) * 10.0 * _NOISE
    amount[_ZOOM] = 0.0
    return np.asarray(curve + amount * _since(times)[:, None] ** rng.uniform(0.7, 2.0))


def jitter(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Every pose is off by itself."""
    return np.asarray(curve + rng.normal(0.0, 1.0, curve.shape) * _spread(rng, 0.3, 4.0) * _NOISE)


def scale_jump(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """From some moment on the unit of length is another."""
    moment = rng.uniform(times[0], times[-1])
    return _rescaled(curve, _TRAVELS, np.where(times > moment, np.exp(rng.normal(0.0, 0.7)), 1.0))


def leak(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Pans read as trucks and tilts as rises in part, or as too much of the one less the other."""
    share = float(rng.choice([1.0, 1.0, -1.0])) * rng.uniform(0.1, 0.9)
    return _exchanged(curve, share)


def leak_back(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Trucks read as pans and rises as tilts in part."""
    wrong, share = curve.copy(), rng.uniform(0.2, 1.0)
    for turn, travel in _ALIKE:
        wrong[:, turn] += np.degrees(share * curve[:, travel])
        wrong[:, travel] -= share * curve[:, travel]
    return wrong


def zoom_as_dolly(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The focal length is taken for constant, so that zooms become travel."""
    wrong = curve.copy()
    wrong[:, _DOLLY] += rng.uniform(0.6, 1.2) * curve[:, _ZOOM]
    wrong[:, _ZOOM] = 0.0
    return wrong


def dolly_as_zoom(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Travel along the view is taken for a zoom, all or in part."""
    wrong, share = curve.copy(), float(rng.choice([1.0, rng.uniform(0.2, 1.0)]))
    wrong[:, _ZOOM] += share * rng.uniform(0.7, 1.2) * curve[:, _DOLLY]
    wrong[:, _DOLLY] *= 1.0 - share
    return wrong


def focal_wobble(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """The focal length wanders, mostly with a dolly that undoes what it does."""
    wander = _wander(times, rng) * _spread(rng, 0.01, 0.12)
    wrong = curve.copy()
    wrong[:, _ZOOM] += wander
    wrong[:, _DOLLY] -= wander * float(rng.choice([0.0, 1.0, rng.uniform(0.5, 1.0)]))
    return wrong


def wrong_focal(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """With a focal length too long, the same pictures are smaller turns and travels."""
    return _seen_through_lens(curve, float(np.exp(rng.normal(0.0, 0.2))))


def subject(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A subject that fills the picture is taken for the scene: its motion is added, reversed."""
    wrong = curve.copy()
    gone = _wander(times, rng)[:, None] * rng.normal(0.0, 1.0, 3) * _spread(rng, 0.03, 0.7)
    if rng.random() < 0.5:
        wrong[:, _TRAVELS] += gone
    else:
        wrong[:, _TURNS] += np.degrees(gone) * np.array([1.0, 0.3, 0.15])
    return wrong


def companion(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A subject that keeps its place in the picture is taken for the scene: no travel is left."""
    return _rescaled(curve, _TRAVELS, np.full(len(times), 1.0 - rng.uniform(0.5, 1.0)))


def hidden(times: FloatArray, curve: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Blur, darkness or a bare wall: of all that moves hardly anything is found."""
    return np.asarray(curve * rng.uniform(0.0, 0.3, 7) ** 2)


FAULTS: dict[str, tuple[float, Fault]] = {
    "drift": (0.35, drift),
    "jitter": (0.4, jitter),
    "scale_jump": (0.12, scale_jump),
    "leak": (0.2, leak),
    "leak_back": (0.06, leak_back),
    "zoom_as_dolly": (0.45, zoom_as_dolly),
    "dolly_as_zoom": (0.06, dolly_as_zoom),
    "focal_wobble": (0.2, focal_wobble),
    "wrong_focal": (0.35, wrong_focal),
    "subject": (_DOMINATED, subject),
    "companion": (_ACCOMPANIED, companion),
    "hidden": (_HIDDEN, hidden),
}
"""What befalls the path of a pose file, how often, in this order."""


# --- answers --------------------------------------------------------------------------------


def seen_through(
    path: Trajectory, rng: np.random.Generator, *, followed: bool = False
) -> tuple[Hypothesis, ...]:
    """What some estimator would say of a path.

    Args:
        path: The truth, at least two valid poses.
        rng: Where all chance comes from.
        followed: Whether the camera follows a subject, which is then oftener taken for the scene.

    Returns:
        Hypotheses, likeliest first: one named ``poses``, or those of the ladder.

    Raises:
        ValueError: Fewer than two valid poses.
    """
    answer = as_poses if rng.random() < _POSES_SHARE else as_ladder
    return answer(path, rng, followed=followed)


def as_poses(
    path: Trajectory, rng: np.random.Generator, *, followed: bool = False
) -> tuple[Hypothesis, ...]:
    """One path, as files of poses have it; see :func:`seen_through`."""
    stride = int(rng.choice([1, 1, 2, 3, 5]))
    times, curve = _curve(path, stride)
    for name, (often, fault) in FAULTS.items():
        if rng.random() < (_FOLLOWED if followed and name == "companion" else often):
            curve = fault(times, curve, rng)
    told = rng.random() < 0.25
    sigmas = _NOISE * _spread(rng, 0.2, 5.0) if told else np.zeros(7)
    depth_told = rng.random() < 0.4
    read = _Reading(
        focal=_first_focal(path) * float(np.exp(rng.normal(0.0, 0.1))),
        sigmas=sigmas,
        valid=_registered(len(times), rng),
        unit=_spread(rng, 0.1, 10.0),
        depth_factor=float(np.exp(rng.normal(0.0, 0.35))) if depth_told else float("nan"),
    )
    return (Hypothesis("poses", 1.0, read.trajectory(path, times, curve)),)


def as_ladder(
    path: Trajectory, rng: np.random.Generator, *, followed: bool = False
) -> tuple[Hypothesis, ...]:
    """The path under each model of the ladder, weighed; see :func:`seen_through`."""
    rate = (len(path) - 1) / float(path.times[-1] - path.times[0])
    times, curve = _curve(path, max(1, round(rate / _LADDER_RATE)))
    scene = _Scene.drawn(rng, followed)
    # The focal length shows only in parallax and wide turns; else a usual one is assumed.
    assumed = FOCAL_PRIOR * max(path.size)
    known = scene.relief > 0.3 and rng.random() < 0.6
    focal = _first_focal(path) if known else assumed
    seen = _seen_through_lens(curve, focal / _first_focal(path))
    if scene.mistaken is not None:
        seen = scene.mistaken(times, seen, rng)
    beliefs = _beliefs(seen, scene, rng)
    if beliefs[STATIC] == 1.0:
        beliefs = {STATIC: 1.0}
    found = []
    for model, belief in beliefs.items():
        wrong, sigmas = _read_by(model, times, seen, scene, rng)
        read = _Reading(focal=focal, sigmas=sigmas, valid=np.ones(len(times), np.bool_))
        found.append(Hypothesis(model, belief, read.trajectory(path, times, wrong)))
    return tuple(sorted(found, key=lambda hypothesis: -hypothesis.probability))


@dataclass(frozen=True, eq=False)
class _Reading:
    """How a curve is told as a trajectory.

    Attributes:
        focal: First focal length, pixels.
        sigmas: (7,) standard deviations of the last row of the curve; zeros when not stated.
        valid: (N,) which poses were found.
        unit: Of the centres, per scene depth.
        depth_factor: By how much the scene's depth is told too far; NaN when it is not told.
    """

    focal: float
    sigmas: FloatArray
    valid: BoolArray
    unit: float = 1.0
    depth_factor: float = 1.0

    def trajectory(self, path: Trajectory, times: FloatArray, curve: FloatArray) -> Trajectory:
        count = len(times)
        poses = np.tile(np.eye(4), (count, 1, 1))
        poses[:, :3, :3], poses[:, :3, 3] = integrated(curve)
        poses[:, :3, 3] *= self.unit
        # Nothing is unknown of the first pose, which is the world.
        ramp = np.sqrt(np.linspace(0.0, 1.0, count))[:, None]
        turn, travel = np.radians(self.sigmas[_TURNS][[1, 0, 2]]), self.sigmas[_TRAVELS] * self.unit
        return Trajectory.from_poses(
            times,
            poses,
            size=path.size,
            focals=self.focal * np.exp(curve[:, _ZOOM] - curve[0, _ZOOM]),
            valid=self.valid,
            sigmas=ramp * np.concatenate([turn, travel, self.sigmas[[_ZOOM]]]),
            scene_depth=self.unit * self.depth_factor,
        )


def integrated(curve: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The path whose :func:`~dollygrip.geometry.normalize.camera_motion` is a curve.

    Args:
        curve: (N, 7) along ``AXES``.

    Returns:
        Rotations (N, 3, 3) world_from_camera and centres (N, 3) in scene depths; the world is the
        first camera.
    """
    steps = np.diff(curve, axis=0)
    turns = rotation_from_pan_tilt_roll(steps[:, _TURNS])
    rotations = np.stack([*accumulate(turns, np.matmul, initial=np.eye(3))])
    # A step is the mean of what it is in the axes of the cameras at its two ends.
    from_world = 0.5 * np.swapaxes(rotations[:-1] + rotations[1:], 1, 2)
    travels = steps[:, _TRAVELS] * np.array([1.0, -1.0, 1.0])
    moved = np.linalg.solve(from_world, travels[..., None])[..., 0]
    return rotations, np.concatenate([np.zeros((1, 3)), np.cumsum(moved, axis=0)])


# --- the ladder -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scene:
    """What of the pictures decides how well they are read.

    Attributes:
        relief: 0 for a scene without parallax, 1 for one with much of it.
        unrest: Share of the pictures that only freer models explain though nothing is there:
            lenses, subjects, warps.
        noise: Factor on the noise of every path.
        honesty: Stated over true noise.
        mistaken: What befalls the path under every model.
    """

    relief: float
    unrest: float
    noise: float
    honesty: float
    mistaken: Fault | None

    @classmethod
    def drawn(cls, rng: np.random.Generator, followed: bool) -> "_Scene":
        flat = rng.random() < 0.12
        mistaken: Fault | None = None
        accompanied = _FOLLOWED if followed else _ACCOMPANIED
        for often, fault in ((_HIDDEN, hidden), (_DOMINATED, subject), (accompanied, companion)):
            if rng.random() < often:
                mistaken = fault
        return cls(
            relief=float(rng.uniform(0.0, 0.25) if flat else rng.beta(4.0, 1.5)),
            unrest=float(rng.beta(1.2, 12.0)),
            noise=_spread(rng, 0.3, 6.0),
            honesty=float(np.exp(rng.normal(0.2, 0.6))),
            mistaken=mistaken,
        )


def _beliefs(seen: FloatArray, scene: _Scene, rng: np.random.Generator) -> dict[str, float]:
    """Probability of each model, from how much of the pictures each would explain."""
    extent = np.ptp(seen, axis=0)
    travel, growth = float(np.linalg.norm(extent[_TRAVELS])), float(extent[_ZOOM])
    still = float((extent / _STILL).max())
    standing = 1.0 / (1.0 + (0.6 * still) ** 4)
    if still < 0.3 and scene.mistaken is None and rng.random() < 0.85:
        return {STATIC: 1.0} | dict.fromkeys(MOVING, 0.0)
    parallax = scene.relief * travel / (travel + _HALF_SEEN)
    zooming = growth / (growth + _HALF_GROWN)
    swelling = max(zooming, float(extent[_DOLLY]) / (float(extent[_DOLLY]) + _HALF_GROWN))
    missed = {
        ROTATION: 0.9 * parallax + scene.unrest + 0.6 * swelling * rng.uniform(0.5, 1.2),
        ZOOM: 0.75 * parallax * rng.uniform(0.8, 1.1) + 0.9 * scene.unrest,
        TRANSLATION: 0.1 * scene.unrest + scene.relief * zooming * rng.uniform(0.0, 0.07),
        ALL: 0.0,
    }
    explained = {m: max(1.0 - missed[m] + rng.normal(0.0, 0.02), 0.01) for m in MOVING}
    moving = weigh(explained)
    return {STATIC: standing} | {m: (1.0 - standing) * p for m, p in moving.items()}


def _read_by(
    model: str, times: FloatArray, seen: FloatArray, scene: _Scene, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """The curve as a model reads it, and the (7,) standard deviations it states."""
    sure = np.zeros(7)
    if model == STATIC:
        return np.zeros_like(seen), sure
    wrong = _rescaled(seen, _TURNS, np.full(len(times), np.exp(rng.normal(0.0, 0.025))))
    sure[_TURNS] = _NOISE[_TURNS]
    if model in (ROTATION, ZOOM):
        taken = rng.uniform(0.4, 1.0)
        for turn, travel in _ALIKE:
            wrong[:, turn] += np.degrees(taken * wrong[:, travel])
        growth = wrong[:, _ZOOM] + rng.uniform(0.7, 1.1) * wrong[:, _DOLLY]
        wrong[:, _TRAVELS] = 0.0
        wrong[:, _ZOOM] = growth if model == ZOOM else 0.0
    else:
        # Without parallax there is little to tell a travel from a turn by.
        blind = (1.0 - scene.relief) ** 2
        if rng.random() < 0.3 * scene.unrest + blind:
            wrong = _exchanged(wrong, float(rng.normal(0.0, 0.35)))
        wrong = _rescaled(wrong, _TRAVELS, np.full(len(times), np.exp(rng.normal(0.0, 0.2))))
        sure[_TURNS] *= 2.0
        sure[_TRAVELS] = 1.5 * _NOISE[_TRAVELS] + 0.1 * np.ptp(wrong[:, _TRAVELS], axis=0)
        if model == TRANSLATION:
            wrong[:, _DOLLY] += rng.uniform(0.7, 1.1) * wrong[:, _ZOOM]
            wrong[:, _ZOOM] = 0.0
        else:
            # What the one grows by the other takes back.
            traded = rng.normal(0.0, 1.0) * (0.01 + 0.15 * np.abs(wrong[-1, [_DOLLY, _ZOOM]]).sum())
            wrong[:, _DOLLY] += traded * _since(times)
            wrong[:, _ZOOM] -= traded * _since(times)
            sure[[_DOLLY, _ZOOM]] += abs(traded) + 0.01
    if model in (ZOOM, ALL):
        sure[_ZOOM] += _NOISE[_ZOOM]
    # Half of the error creeps in over the shot, half is every pose's own.
    moves = sure > 0.0
    wrong = wrong + np.sqrt(_since(times))[:, None] * (scene.noise * sure * rng.standard_t(4.0, 7))
    wrong += 0.1 * scene.noise * _NOISE * moves * rng.normal(0.0, 1.0, wrong.shape)
    return wrong - wrong[:1], scene.honesty * scene.noise * sure


# --- pieces ---------------------------------------------------------------------------------


def _curve(path: Trajectory, stride: int) -> tuple[FloatArray, FloatArray]:
    """Every so manieth moment of a path, the last one included, and its motion until then."""
    motion = camera_motion(path)
    kept = np.unique(np.append(np.arange(0, len(motion.times), stride), len(motion.times) - 1))
    return motion.times[kept], motion.position[kept]


def _first_focal(path: Trajectory) -> float:
    return float(path.focals[path.valid][0])


def _registered(count: int, rng: np.random.Generator) -> BoolArray:
    """(N,) which poses were found: mostly all; else all but some in a row, some, or the last."""
    found = np.ones(count, np.bool_)
    begin, end = np.sort(rng.integers(0, count + 1, 2))
    match int(rng.integers(10)):
        case 0:
            found[begin:end] = False
        case 1:
            found &= rng.random(count) > rng.uniform(0.05, 0.6)
        case 2:
            found[max(2, count // 3, begin) :] = False
    found[:2] |= found.sum() < 2
    return found


def _spread(rng: np.random.Generator, low: float, high: float) -> float:
    """A positive number; every octave is as likely."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _since(times: FloatArray) -> FloatArray:
    """(N,) from 0 at the first moment to 1 at the last."""
    return np.asarray((times - times[0]) / (times[-1] - times[0]))


def _wander(times: FloatArray, rng: np.random.Generator) -> FloatArray:
    """(N,) a slow wave from 0 that reaches about 1."""
    hertz, phase = rng.uniform(0.05, 0.6), rng.uniform(0.0, 2.0 * np.pi)
    wave = np.sin(2.0 * np.pi * hertz * (times - times[0]) + phase) - np.sin(phase)
    return np.asarray(wave / max(float(np.abs(wave).max()), 1e-9))


def _exchanged(curve: FloatArray, share: float) -> FloatArray:
    """A share of pan and tilt as travel that shifts the picture as much; negative: the reverse."""
    wrong = curve.copy()
    for turn, travel in _ALIKE:
        wrong[:, travel] += np.radians(share * curve[:, turn])
        wrong[:, turn] -= share * curve[:, turn]
    return wrong


def _seen_through_lens(curve: FloatArray, longer: float) -> FloatArray:
    """What shifts the picture as ``curve`` does through a focal length so many times as long."""
    wrong = curve.copy()
    wrong[:, [_PAN, _TILT, _TRUCK, _PEDESTAL]] /= longer
    return wrong


def _rescaled(curve: FloatArray, axes: slice, factors: FloatArray) -> FloatArray:
    """The steps of some axes times ``factors`` (N,), that of the earlier end of each step."""
    wrong = curve.copy()
    steps = np.diff(curve[:, axes], axis=0) * factors[:-1, None]
    wrong[1:, axes] = curve[0, axes] + np.cumsum(steps, axis=0)
    return wrong
