"""Random camera paths as people shoot them: on a tripod, in a hand, from a crane, a car, a drone.

Each style is one small function that draws the moves of a shot; :data:`STYLES` says how common it
is. Everything is drawn from one generator, so a seed is a shot.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dollygrip.geometry.synthetic import (
    SIGNED_AXES,
    Bob,
    Float,
    Motion,
    Move,
    Shake,
    camera_path,
)
from dollygrip.geometry.trajectory import FOCAL_PRIOR, Trajectory

# Least, usual and most of a move: degrees, scene depths, log focal. The least is about half of
# what a viewer sees.
_AMOUNTS = {
    "pan": (1.0, 14.0, 110.0),
    "tilt": (0.9, 10.0, 60.0),
    "roll": (1.5, 14.0, 90.0),
    "truck": (0.018, 0.25, 1.6),
    "pedestal": (0.018, 0.2, 1.2),
    "dolly": (0.03, 0.35, 2.5),
    "zoom": (0.03, 0.35, 1.4),
}
_TRAVELS = ("truck", "pedestal", "dolly")
# Film and video; generated video has 8 to 16.
_RATES = (24.0, 25.0, 30.0, 50.0, 60.0, 15.0, 12.0, 8.0, 16.0)
_RATE_SHARES = (0.3, 0.12, 0.25, 0.04, 0.06, 0.05, 0.04, 0.07, 0.07)
_SHORTEST = 1.5
# People roll less often than they pan.
_COMMON = {
    **{"pan": 5.0, "tilt": 3.0, "roll": 3.0},
    **{"truck": 3.0, "pedestal": 2.0, "dolly": 4.5, "zoom": 4.5},
}


@dataclass(frozen=True)
class Shot:
    """What the camera does in one shot.

    Attributes:
        style: Its name in :data:`STYLES`.
        moves: What the camera does, at the same time or one after the other.
        duration: Seconds.
        rate: Frames a second.
        focal: First focal length as a share of the picture's long side.
        follows: How it follows a subject: ``lead``, ``tail``, ``side``, ``pan``; empty for none.
    """

    style: str
    moves: tuple[Motion, ...]
    duration: float
    rate: float
    focal: float
    follows: str = ""

    def path(self, size: tuple[int, int] = (480, 270)) -> Trajectory:
        """The exact path for pictures of ``size`` (width, height), in scene depths."""
        return camera_path(
            self.moves,
            duration=self.duration,
            rate=self.rate,
            size=size,
            focal=self.focal * max(size),
        )


@dataclass(frozen=True)
class _Crew:
    """Who draws the moves of a shot: how long it is, and how far the camera may travel."""

    rng: np.random.Generator
    duration: float
    reach: float

    def chance(self, share: float) -> bool:
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        """A positive number; every octave is as likely."""
        return float(np.exp(self.rng.uniform(np.log(low), np.log(high))))

    def seed(self) -> int:
        return int(self.rng.integers(2**31))

    def amount(self, axis: str, least: float = 0.0, most: float = np.inf) -> float:
        """How much of a move: mostly the usual, seldom hardly anything or very much."""
        low, usual, high = np.log(_AMOUNTS[axis])
        drawn = float(np.exp(self.rng.triangular(low, usual, high)))
        if axis in _TRAVELS:
            most = min(most, self.reach)
        return min(max(drawn, least), most)

    def names(self, count: int) -> list[str]:
        """Signed moves along ``count`` different axes."""
        weights = np.array(list(_COMMON.values()))
        axes = self.rng.choice(list(_COMMON), count, replace=False, p=weights / weights.sum())
        return [self.signed(str(axis)) for axis in axes]

    def signed(self, axis: str) -> str:
        """A move along an axis, to either side."""
        return self.one_of([name for name, (own, _) in SIGNED_AXES.items() if own == axis])

    def one_of(self, names: Sequence[str]) -> str:
        return str(self.rng.choice(names))

    def move(self, name: str, span: tuple[float, float | None], most: float = np.inf) -> Move:
        """A signed move of random amount, at most ``most``, and easing."""
        amount = self.amount(SIGNED_AXES[name][0], most=most)
        return Move(name, amount, *span, eased=self.chance(0.55))

    def when(self) -> tuple[float, float | None]:
        """All of the shot, or a part of it with the camera held before, after or both."""
        if self.chance(0.65):
            return 0.0, None
        begin, end = np.sort(self.rng.uniform(0.0, self.duration, 2)).tolist()
        if end - begin < 0.25 * self.duration:
            return 0.0, None
        hold = self.rng.integers(3)
        return (0.0 if hold == 0 else begin), (None if hold == 1 else end)

    def support(self) -> tuple[Motion, ...]:
        """What the camera rests on, as it shows in the picture."""
        match self.one_of(["tripod", "tripod", "worn", "gimbal", "hand", "hand", "shoulder"]):
            case "worn":
                return (Shake(self.between(0.005, 0.03), 0.0, self.seed()),)
            case "gimbal":
                return self.gimbal()
            case "hand":
                return self.hand(0.08, 0.9)
            case "shoulder":
                return self.hand(0.04, 0.2)
        return ()

    def hand(self, low: float, high: float) -> tuple[Motion, ...]:
        """Between ``low`` and ``high`` degrees of tremor, with the sway that goes with it."""
        degrees = self.between(low, high)
        travel = degrees * self.between(0.003, 0.012)
        sway = Float(0.3 * degrees, 0.3 * travel, self.seed())
        return Shake(degrees, travel, self.seed()), sway

    def gimbal(self) -> tuple[Motion, ...]:
        """No tremor, but a slight float."""
        return (Float(self.between(0.03, 0.25), self.between(0.0005, 0.004), self.seed()),)

    def gait(self) -> tuple[Motion, ...]:
        """Steps and tremor of somebody who walks with the camera."""
        steps = Bob(
            self.between(0.1, 0.7),
            self.between(0.003, 0.015),
            float(self.rng.uniform(1.5, 2.6)),
            float(self.rng.uniform(0.0, 2.0 * np.pi)),
        )
        return steps, *self.hand(0.08, 0.6)

    def engine(self) -> tuple[Motion, ...]:
        """A road under a car, or a rotor."""
        degrees = self.between(0.02, 0.4)
        return (Shake(degrees, degrees * self.between(0.002, 0.02), self.seed()),)


# --- styles ---------------------------------------------------------------------------------


def _locked(crew: _Crew) -> tuple[Motion, ...]:
    return () if crew.chance(0.75) else (Shake(crew.between(0.003, 0.03), 0.0, crew.seed()),)


def _held(crew: _Crew) -> tuple[Motion, ...]:
    return crew.hand(0.05, 1.5)


def _hovering(crew: _Crew) -> tuple[Motion, ...]:
    return crew.gimbal()


def _single(crew: _Crew) -> tuple[Motion, ...]:
    return (crew.move(crew.names(1)[0], crew.when()), *crew.support())


def _creep(crew: _Crew) -> tuple[Motion, ...]:
    """Slow, from hardly to just visible, all through the shot."""
    name = crew.names(1)[0]
    least = _AMOUNTS[SIGNED_AXES[name][0]][0]
    return (Move(name, crew.between(least, 5.0 * least)), *crew.support())


def _whip(crew: _Crew) -> tuple[Motion, ...]:
    name = crew.one_of(["pan_left", "pan_right", "pan_left", "pan_right", "tilt_up", "tilt_down"])
    amount = crew.between(25.0, 100.0) * (0.5 if name.startswith("tilt") else 1.0)
    long = crew.between(0.25, 0.7)
    begin = float(crew.rng.uniform(0.1, crew.duration - long - 0.1))
    return (Move(name, amount, begin, begin + long, eased=True), *crew.support())


def _together(crew: _Crew) -> tuple[Motion, ...]:
    """Two or three at once, as a rule from the same start to the same end."""
    span, eased = crew.when(), crew.chance(0.55)
    names = crew.names(3 if crew.chance(0.25) else 2)
    moves = [crew.move(name, span if crew.chance(0.8) else crew.when()) for name in names]
    return (*(replace(move, eased=eased) for move in moves), *crew.support())


def _in_turn(crew: _Crew) -> tuple[Motion, ...]:
    """One after the other, with or without pauses."""
    count = 3 if crew.duration > 4.0 and crew.chance(0.4) else 2
    cuts = np.linspace(0.0, crew.duration, count + 1)
    cuts[1:-1] += crew.rng.uniform(-0.15, 0.15, count - 1) * crew.duration / count
    names = [crew.names(1)[0] for _ in range(count)]
    moves = []
    for name, begin, end in zip(names, cuts[:-1], cuts[1:], strict=True):
        pause = 0.0 if crew.chance(0.35) else float(crew.rng.uniform(0.1, 0.4)) * (end - begin)
        if not crew.chance(0.12):
            moves.append(crew.move(name, (float(begin), float(end - pause))))
    return (*moves, *crew.support())


def _there_and_back(crew: _Crew) -> tuple[Motion, ...]:
    name = crew.names(1)[0]
    axis, sign = SIGNED_AXES[name]
    back = next(other for other, signed in SIGNED_AXES.items() if signed == (axis, -sign))
    amount, middle = crew.amount(axis), float(crew.rng.uniform(0.4, 0.6)) * crew.duration
    share = float(crew.rng.uniform(0.5, 1.1)) if crew.chance(0.6) else 1.0
    return (
        Move(name, amount, 0.0, middle, eased=True),
        Move(back, share * amount, middle, None, eased=True),
        *crew.support(),
    )


def _settling(crew: _Crew) -> tuple[Motion, ...]:
    """A pan or tilt that goes a little too far and is taken back."""
    name, back = ("pan_right", "pan_left") if crew.chance(0.7) else ("tilt_up", "tilt_down")
    if crew.chance(0.5):
        name, back = back, name
    amount, end = crew.between(6.0, 60.0), 0.7 * crew.duration
    undone = min(0.1 * amount, 2.5) * float(crew.rng.uniform(0.2, 1.0))
    settle = Move(back, undone, end, end + 0.4, eased=True)
    return (Move(name, amount, 0.0, end, eased=True), settle, *crew.support())


def _around(*names: str) -> Callable[[_Crew], tuple[Motion, ...]]:
    """Around a subject that is nearer or farther than the scene."""

    def style(crew: _Crew) -> tuple[Motion, ...]:
        distance = crew.between(0.6, 1.4)
        degrees = min(crew.between(4.0, 90.0), float(np.degrees(crew.reach / distance)))
        eased = crew.chance(0.55)
        moves = [Move(crew.one_of(names), degrees, *crew.when(), eased, distance)]
        if crew.chance(0.15):
            moves.append(crew.move(crew.signed("dolly"), (0.0, None)))
        return (*moves, *(crew.gimbal() if crew.chance(0.5) else crew.support()))

    return style


def _vertigo(crew: _Crew) -> tuple[Motion, ...]:
    name = crew.one_of(["dolly_zoom_in", "dolly_zoom_out"])
    amount = min(crew.between(0.12, 0.7), crew.reach)
    return (Move(name, amount, *crew.when(), eased=crew.chance(0.6)), *crew.support())


def _boom(crew: _Crew) -> tuple[Motion, ...]:
    """A crane that rises or sinks, often with a tilt that keeps the subject in view."""
    way, tilt = ("up", "down") if crew.chance(0.5) else ("down", "up")
    moves: list[Motion] = [Move(f"pedestal_{way}", crew.amount("pedestal", 0.08), eased=True)]
    if crew.chance(0.4):
        moves.append(crew.move(f"tilt_{tilt}", (0.0, None)))
    if crew.chance(0.3):
        moves.append(crew.move(crew.signed("dolly"), (0.0, None)))
    return (*moves, *crew.gimbal())


def _accompany(name: str) -> Callable[[_Crew], tuple[Motion, ...]]:
    """Travel that keeps a subject where it is in the picture."""

    def style(crew: _Crew) -> tuple[Motion, ...]:
        drawn = crew.signed(name) if name in _AMOUNTS else name
        amount = min(crew.between(0.2, 2.5), crew.reach)
        carried = {"gimbal": crew.gimbal(), "gait": crew.gait(), "rails": ()}
        how = crew.one_of(["gimbal", "gimbal", "gait", "rails"])
        return (Move(drawn, amount, eased=crew.chance(0.2)), *carried[how])

    return style


def _pan_after(crew: _Crew) -> tuple[Motion, ...]:
    """A pan with somebody who walks past."""
    return (Move(crew.signed("pan"), crew.between(6.0, 45.0)), *crew.support())


def _walking(crew: _Crew) -> tuple[Motion, ...]:
    name = crew.one_of(["dolly_in", "dolly_in", "dolly_in", "dolly_out", crew.signed("truck")])
    moves: list[Motion] = [Move(name, min(crew.between(0.15, 2.5), crew.reach))]
    if crew.chance(0.35):
        moves.append(crew.move(crew.signed("pan"), crew.when()))
    return (*moves, *crew.gait())


def _steadicam(crew: _Crew) -> tuple[Motion, ...]:
    """A smooth walk, with a slow look to a side."""
    name = crew.one_of(["dolly_in", "dolly_in", "dolly_out", "truck_left", "truck_right"])
    moves: list[Motion] = [Move(name, min(crew.between(0.15, 2.0), crew.reach))]
    if crew.chance(0.5):
        moves.append(crew.move(crew.signed("pan"), crew.when()))
    return (*moves, *crew.gimbal())


def _flight(crew: _Crew) -> tuple[Motion, ...]:
    """A drone: forward, backward, up, sometimes turning."""
    pieces = ["dolly_in", "dolly_out", "pedestal_up", "pedestal_down", "truck_left", "truck_right"]
    count = 1 + int(crew.rng.integers(2))
    chosen = crew.rng.choice(pieces, count, replace=False).tolist()
    along: list[Motion] = [crew.move(str(name), (0.0, None)) for name in chosen]
    if crew.chance(0.4):
        along.append(crew.move(crew.signed("pan"), (0.0, None)))
    if crew.chance(0.3):
        along.append(crew.move(crew.signed("tilt"), crew.when(), most=25.0))
    return (*along, *crew.gimbal(), *(crew.engine() if crew.chance(0.2) else ()))


def _reveal(crew: _Crew) -> tuple[Motion, ...]:
    """A drone that rises and looks up, or backs away."""
    rise = Move("pedestal_up", crew.amount("pedestal", 0.1), eased=crew.chance(0.5))
    second = crew.one_of(["tilt_up", "dolly_out", "tilt_down"])
    return (rise, crew.move(second, (0.0, None)), *crew.gimbal())


def _driving(crew: _Crew) -> tuple[Motion, ...]:
    """From a car: ahead, to the side, seldom to the back; the road turns."""
    name = crew.one_of(["dolly_in", "dolly_in", "truck_left", "truck_right", "dolly_out"])
    moves: list[Motion] = [Move(name, min(crew.between(0.3, 2.5), crew.reach))]
    if crew.chance(0.3):
        moves.append(crew.move(crew.signed("pan"), crew.when(), most=40.0))
    return (*moves, *crew.engine())


@dataclass(frozen=True)
class _Style:
    common: float
    draw: Callable[[_Crew], tuple[Motion, ...]]
    follows: str = ""


_TABLE = {
    "locked": _Style(11, _locked),
    "held": _Style(6, _held),
    "hovering": _Style(2, _hovering),
    "single": _Style(26, _single),
    "creep": _Style(6, _creep),
    "whip": _Style(3, _whip),
    "together": _Style(10, _together),
    "in_turn": _Style(9, _in_turn),
    "there_and_back": _Style(2, _there_and_back),
    "settling": _Style(2, _settling),
    "arc": _Style(6, _around("arc_cw", "arc_ccw")),
    "crane": _Style(3, _around("crane_up", "crane_down")),
    "boom": _Style(2, _boom),
    "vertigo": _Style(3, _vertigo),
    "lead": _Style(3, _accompany("dolly_out"), "lead"),
    "tail": _Style(2.5, _accompany("dolly_in"), "tail"),
    "side": _Style(2.5, _accompany("truck"), "side"),
    "pan_after": _Style(2, _pan_after, "pan"),
    "walking": _Style(4, _walking),
    "steadicam": _Style(3, _steadicam),
    "flight": _Style(4, _flight),
    "reveal": _Style(2, _reveal),
    "driving": _Style(3, _driving),
}
STYLES = {name: style.common for name, style in _TABLE.items()}
"""How common each style is, in parts of their sum."""


def film(
    rng: np.random.Generator,
    *,
    style: str | None = None,
    longest: float = 9.0,
    reach: float = 2.5,
) -> Shot:
    """Draw one shot.

    Args:
        rng: Where all chance comes from.
        style: One of :data:`STYLES`; drawn as common as it is when not given.
        longest: Most seconds that it may last, at least 2.
        reach: Most of a travel in one direction, in scene depths.

    Returns:
        The shot.

    Raises:
        ValueError: There is no such style, or the shot would be too short.
    """
    if style is not None and style not in _TABLE:
        raise ValueError(f"unknown style {style!r}, expected one of {', '.join(_TABLE)}")
    if longest < 2.0:
        raise ValueError(f"a shot of at most {longest:g} s is too short to be filmed")
    if style is None:
        shares = np.array(list(STYLES.values()))
        style = str(rng.choice(list(STYLES), p=shares / shares.sum()))
    duration = float(np.exp(rng.uniform(np.log(_SHORTEST), np.log(longest))))
    crew = _Crew(rng, duration, reach)
    lens = FOCAL_PRIOR if crew.chance(0.4) else crew.between(0.6, 1.6)
    if crew.chance(0.06):
        lens = crew.between(1.6, 3.5)
    drawn = _TABLE[style]
    return Shot(
        style=style,
        moves=drawn.draw(crew),
        duration=duration,
        rate=float(rng.choice(_RATES, p=_RATE_SHARES)),
        focal=lens,
        follows=drawn.follows,
    )
