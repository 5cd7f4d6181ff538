"""What a rendered clip shows, and what is true of it: decided before a picture is drawn."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from dollygrip.classifiers.labels import PRIMITIVES
from dollygrip.geometry.synthetic import SIGNED_AXES, Motion, Move, Shake, camera_path
from dollygrip.geometry.trajectory import Trajectory
from dollygrip.runners.rendering import Look
from dollygrip.runners.scenery import Actor, Scene

MARKED = (*PRIMITIVES, "arc_cw", "arc_ccw")

# What a move cannot be told from when nothing is nearer than the rest.
_TWINS = {
    **{"pan_right": "truck_right", "pan_left": "truck_left"},
    **{"tilt_up": "pedestal_up", "tilt_down": "pedestal_down"},
    **{"zoom_in": "dolly_in", "zoom_out": "dolly_out"},
}
_TWINS |= {twin: name for name, twin in _TWINS.items()}
# The turn inside an arc or a crane is part of it: people name it or not.
_ARCS = {
    "arc_cw": ("truck_left", "pan_right"),
    "arc_ccw": ("truck_right", "pan_left"),
    "crane_up": ("pedestal_up", "tilt_down"),
    "crane_down": ("pedestal_down", "tilt_up"),
}
_DOLLY_ZOOMS = {
    "dolly_zoom_in": ("zoom_in", "dolly_out"),
    "dolly_zoom_out": ("zoom_out", "dolly_in"),
}

_OPPOSITES = {"pedestal_down": "pedestal_up", "dolly_in": "dolly_out", "crane_down": "crane_up"}

Cast = Callable[[Scene], tuple[Actor, ...]]


@dataclass(frozen=True)
class ClipPlan:
    """One clip before it is rendered.

    Attributes:
        name: File name without suffix.
        world: Where.
        moves: What the camera does.
        cast: Who moves, given the place.
        subject: Share of moving subjects: none, some or dominant.
        look: What happens to the picture.
        duration: Seconds.
        rate: Frames a second.
        size: (width, height) in pixels.
        enlarged: Drawn smaller by this factor, then enlarged to ``size``: soft, but cheap.
        focal: First focal length as a share of the long side; the prior when None.
        crf: Of the encoder.
        tags: For reports.
        arrives: The path ends at the world's origin instead of starting there: down to eye level,
            not into the ground; forward to where the view is free.
        layout: Which of the split's layouts of the world.
        begins: Where in the world the camera starts, x right, y down, z ahead, in scene depths.
        told: Truth of each label where it is known better than from the names of the moves.
    """

    name: str
    world: str
    moves: tuple[Motion, ...] = ()
    cast: Cast = field(default=lambda place: ())
    subject: str = "none"
    look: Look = field(default_factory=Look)
    duration: float = 3.0
    rate: float = 20.0
    size: tuple[int, int] = (480, 270)
    enlarged: int = 1
    focal: float | None = None
    crf: int = 21
    tags: tuple[str, ...] = ()
    arrives: bool = False
    layout: int = 0
    begins: tuple[float, float, float] = (0.0, 0.0, 0.0)
    told: Mapping[str, bool | None] | None = None


def truth(plan: ClipPlan) -> dict[str, str]:
    """``yes``, ``no`` or ``unsure`` for each of :data:`MARKED`, or of the labels that are told."""
    if plan.told is not None:
        words = {True: "yes", False: "no", None: "unsure"}
        return {name: words[mark] for name, mark in plan.told.items()}
    names = [move.name for move in plan.moves if isinstance(move, Move)]
    shaken = any(isinstance(move, Shake) for move in plan.moves)
    marks = dict.fromkeys(MARKED, "no")
    if not names:
        marks["static"] = "unsure" if shaken else "yes"
    for name in names:
        if name in _ARCS:
            travel, turn = _ARCS[name]
            marks |= {travel: "yes", turn: "unsure"} | ({name: "yes"} if name in marks else {})
        elif name in _DOLLY_ZOOMS:
            marks |= dict.fromkeys(_DOLLY_ZOOMS[name], "yes")
        else:
            marks[name] = "yes"
            if plan.world in ("flat", "far") and name in _TWINS:
                marks[_TWINS[name]] = "unsure"
                # Keystone and habit tell a turn from a travel; nothing tells a zoom from a dolly.
                if SIGNED_AXES[name][0] in ("zoom", "dolly"):
                    marks[name] = "unsure"
    return marks


def trajectory_of(plan: ClipPlan) -> Trajectory:
    """The exact path of a clip's camera."""
    moves = plan.moves
    if plan.arrives:
        moves = tuple(
            replace(move, name=_OPPOSITES[move.name]) if isinstance(move, Move) else move
            for move in moves
        )
    focal = None if plan.focal is None else plan.focal * max(plan.size)
    path = camera_path(moves, duration=plan.duration, rate=plan.rate, size=plan.size, focal=focal)
    if plan.arrives:
        return path.reversed()
    return replace(path, centers=path.centers + np.asarray(plan.begins))
