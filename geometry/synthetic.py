"""Exact camera paths made from named moves: the truth that tests and benchmarks measure against.

Every move is a curve over :data:`~dollygrip.geometry.profile.AXES`, in the moving camera's own
axes; curves add up, and the sum is integrated into poses. A truck with a proportional pan is
therefore an exact circle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

import numpy as np

from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Trajectory

SIGNED_AXES: dict[str, tuple[str, int]] = {
    "pan_right": ("pan", 1),
    "pan_left": ("pan", -1),
    "tilt_up": ("tilt", 1),
    "tilt_down": ("tilt", -1),
    "roll_cw": ("roll", 1),
    "roll_ccw": ("roll", -1),
    "truck_right": ("truck", 1),
    "truck_left": ("truck", -1),
    "pedestal_up": ("pedestal", 1),
    "pedestal_down": ("pedestal", -1),
    "dolly_in": ("dolly", 1),
    "dolly_out": ("dolly", -1),
    "zoom_in": ("zoom", 1),
    "zoom_out": ("zoom", -1),
}
"""The 14 signed moves: axis and sign."""

# An arc turns about the subject: which axis turns and which one travels, in signs.
_ARCS: dict[str, tuple[str, int, str, int]] = {
    "arc_cw": ("pan", 1, "truck", -1),
    "arc_ccw": ("pan", -1, "truck", 1),
    "crane_up": ("tilt", -1, "pedestal", 1),
    "crane_down": ("tilt", 1, "pedestal", -1),
}
# Sign of the dolly; the zoom undoes its effect on the subject's size.
_DOLLY_ZOOMS = {"dolly_zoom_in": -1, "dolly_zoom_out": 1}

# Fine enough that the midpoint rule's error is far below anything a picture shows.
_INTEGRATION_STEP = 1.0 / 240.0


class Motion(Protocol):
    """Anything that adds to a camera's motion."""

    def position(self, times: FloatArray) -> FloatArray:
        """(N, 7) motion along ``AXES`` since the start, at ``times`` (N,) seconds."""
        ...


@dataclass(frozen=True)
class Move:
    """One named move.

    Attributes:
        name: One of the 14 signed moves, an arc, a crane or a dolly zoom.
        amount: Degrees for turns, arcs and cranes; scene depths for travel and dolly zooms; log
            focal for zooms. Not negative: the name carries the sign.
        start: Seconds at which it starts.
        end: Seconds at which it ends; None for the end of the path.
        eased: Starts and stops gently instead of moving at constant speed.
        distance: From the camera to the subject that an arc, crane or dolly zoom keeps in place,
            in scene depths.
    """

    name: str
    amount: float
    start: float = 0.0
    end: float | None = None
    eased: bool = False
    distance: float = 1.0

    def __post_init__(self) -> None:
        """Check the name and the amount."""
        if self.name not in SIGNED_AXES and self.name not in _ARCS | _DOLLY_ZOOMS:
            raise ValueError(f"unknown move {self.name!r}")
        if self.amount < 0:
            raise ValueError(f"amount of {self.name} is {self.amount}, expected 0 or more")
        if self.name == "dolly_zoom_out" and self.amount >= self.distance:
            raise ValueError("a dolly zoom cannot travel through its subject")

    def position(self, times: FloatArray) -> FloatArray:
        """(N, 7) motion along ``AXES`` since the start, at ``times`` (N,) seconds."""
        end = float(times[-1]) if self.end is None else self.end
        share = np.clip((times - self.start) / max(end - self.start, 1e-9), 0.0, 1.0)
        if self.eased:
            share = share * share * (3.0 - 2.0 * share)
        done = self.amount * share
        curve = np.zeros((len(times), 7))
        if self.name in SIGNED_AXES:
            axis, sign = SIGNED_AXES[self.name]
            curve[:, AXES.index(axis)] = sign * done
        elif self.name in _ARCS:
            turn, turn_sign, travel, travel_sign = _ARCS[self.name]
            curve[:, AXES.index(turn)] = turn_sign * done
            curve[:, AXES.index(travel)] = travel_sign * np.radians(done) * self.distance
        else:
            dolly = _DOLLY_ZOOMS[self.name] * done
            curve[:, AXES.index("dolly")] = dolly
            curve[:, AXES.index("zoom")] = np.log1p(-dolly / self.distance)
        return curve


@dataclass(frozen=True)
class Shake:
    """A hand that is not steady: noise between 1 and 6 Hz, the same at every frame rate.

    Attributes:
        degrees: Root mean square of pan and of tilt; roll has half of it.
        travel: Root mean square of truck, pedestal and dolly, in scene depths.
        seed: Of the noise.
    """

    degrees: float
    travel: float = 0.0
    seed: int = 0

    def position(self, times: FloatArray) -> FloatArray:
        """(N, 7) motion along ``AXES`` since the start, at ``times`` (N,) seconds."""
        rng = np.random.default_rng(self.seed)
        waves = 12
        hertz = rng.uniform(1.0, 6.0, (waves, 1, 6))
        phases = rng.uniform(0.0, 2.0 * np.pi, (waves, 1, 6))
        # Hands are slow: the faster, the smaller.
        heights = 1.0 / hertz
        heights /= np.sqrt(0.5 * (heights**2).sum(axis=0))
        noise = (heights * np.sin(2.0 * np.pi * hertz * times[None, :, None] + phases)).sum(axis=0)
        noise *= np.array([self.degrees, self.degrees, 0.5 * self.degrees] + 3 * [self.travel])
        return np.concatenate([noise - noise[:1], np.zeros((len(times), 1))], axis=1)


@dataclass(frozen=True)
class Float:
    """A camera that hangs loosely, from a gimbal or a drone: slow waves below 0.4 Hz.

    Attributes:
        degrees: Root mean square of pan and of tilt; roll has half of it.
        travel: Root mean square of truck, pedestal and dolly, in scene depths.
        seed: Of the waves.
    """

    degrees: float
    travel: float = 0.0
    seed: int = 0

    def position(self, times: FloatArray) -> FloatArray:
        """(N, 7) motion along ``AXES`` since the start, at ``times`` (N,) seconds."""
        rng = np.random.default_rng([self.seed, 1])
        hertz = rng.uniform(0.05, 0.4, (4, 1, 6))
        phases = rng.uniform(0.0, 2.0 * np.pi, (4, 1, 6))
        waves = np.sin(2.0 * np.pi * hertz * times[None, :, None] + phases).sum(axis=0)
        waves *= np.array([self.degrees, self.degrees, 0.5 * self.degrees] + 3 * [self.travel])
        waves *= np.sqrt(0.5)
        return np.concatenate([waves - waves[:1], np.zeros((len(times), 1))], axis=1)


@dataclass(frozen=True)
class Bob:
    """The gait of whoever carries the camera: up and down with each step, aside with every other.

    Attributes:
        degrees: Amplitude of the tilt; roll, over two steps, has half of it.
        travel: Amplitude of the rise, in scene depths; to the side, over two steps, half of it.
        hertz: Steps a second.
        phase: Radians of the first step already made.
    """

    degrees: float
    travel: float = 0.0
    hertz: float = 1.9
    phase: float = 0.0

    def position(self, times: FloatArray) -> FloatArray:
        """(N, 7) motion along ``AXES`` since the start, at ``times`` (N,) seconds."""
        step = 2.0 * np.pi * self.hertz * times + self.phase
        curve = np.zeros((len(times), 7))
        curve[:, AXES.index("tilt")] = self.degrees * np.cos(step)
        curve[:, AXES.index("roll")] = 0.5 * self.degrees * np.sin(0.5 * step)
        curve[:, AXES.index("pedestal")] = self.travel * np.sin(step)
        curve[:, AXES.index("truck")] = 0.5 * self.travel * np.cos(0.5 * step)
        return curve - curve[:1]


def camera_path(
    moves: Sequence[Motion],
    *,
    duration: float = 3.0,
    rate: float = 24.0,
    size: tuple[int, int] = (480, 270),
    focal: float | None = None,
) -> Trajectory:
    """The exact path of a camera that makes all ``moves``; the world is the first camera.

    Args:
        moves: What it does, at the same time or one after the other; none for a still camera.
        duration: Seconds; the path has ``round(duration * rate)`` poses, at least two.
        rate: Poses a second.
        size: (width, height) of the picture in pixels.
        focal: First focal length in pixels; the prior when not given.

    Returns:
        The path, whose unit of length is the scene's median depth.
    """
    count = max(2, round(duration * rate))
    substeps = max(1, int(np.ceil(1.0 / (rate * _INTEGRATION_STEP))))
    fine = np.arange((count - 1) * substeps + 1) / (rate * substeps)
    curve = sum((move.position(fine) for move in moves), start=np.zeros((len(fine), 7)))
    steps = np.diff(curve, axis=0)
    turns = rotation_from_pan_tilt_roll(steps[:, :3])
    half_turns = rotation_from_pan_tilt_roll(0.5 * steps[:, :3])
    travels = steps[:, 3:6] * np.array([1.0, -1.0, 1.0])

    rotations = np.stack([*accumulate(turns, np.matmul, initial=np.eye(3))])
    moved = (rotations[:-1] @ half_turns @ travels[..., None])[..., 0]
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, :3, :3] = rotations[::substeps]
    poses[1:, :3, 3] = np.cumsum(moved, axis=0)[substeps - 1 :: substeps]
    first_focal = FOCAL_PRIOR * max(size) if focal is None else focal
    return Trajectory.from_poses(
        fine[::substeps],
        poses,
        size=size,
        focals=first_focal * np.exp(curve[::substeps, 6] - curve[0, 6]),
        scene_depth=1.0,
    )


def named_motions(duration: float = 3.0) -> dict[str, tuple[Motion, ...]]:
    """The canonical motions, each clear to a person who watches once.

    Args:
        duration: Seconds that a clip lasts; sequences are cut to it.

    Returns:
        Moves by name: ``static``, the 14 signed moves, arcs, cranes, dolly zooms, combinations,
        sequences and ``handheld``.
    """
    amounts = {"pan": 15.0, "tilt": 10.0, "roll": 15.0, "zoom": 0.35}
    amounts |= {"truck": 0.3, "pedestal": 0.22, "dolly": 0.35}
    motions: dict[str, tuple[Motion, ...]] = {"static": ()}
    for name, (axis, _) in SIGNED_AXES.items():
        motions[name] = (Move(name, amounts[axis]),)
    for name in _ARCS:
        motions[name] = (Move(name, 20.0),)
    for name in _DOLLY_ZOOMS:
        motions[name] = (Move(name, 0.35),)
    half = 0.5 * duration
    motions["pan_right+tilt_up"] = (Move("pan_right", 12.0), Move("tilt_up", 8.0))
    motions["dolly_in+pan_left"] = (Move("dolly_in", 0.3), Move("pan_left", 10.0))
    motions["pan_left>tilt_up"] = (
        Move("pan_left", 14.0, end=half, eased=True),
        Move("tilt_up", 9.0, start=half, eased=True),
    )
    motions["dolly_in>static"] = (Move("dolly_in", 0.35, end=half, eased=True),)
    motions["handheld"] = (Shake(0.5, 0.004),)
    return motions
