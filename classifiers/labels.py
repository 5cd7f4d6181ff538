"""The vocabulary: every label with its definition, its sign and what other projects call it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Definition:
    """One label.

    Attributes:
        name: The label, in film words.
        axis: The axis of ``dollygrip.geometry.profile.AXES`` it lies on; empty for none.
        sign: +1 or -1 along that axis; 0 for none.
        camerabench: The name in CameraBench's binary task; empty for none.
        meaning: What the camera does.
        synonyms: What other projects call it, as "project: word".
    """

    name: str
    axis: str
    sign: int
    camerabench: str
    meaning: str
    synonyms: tuple[str, ...] = ()


DEFINITIONS = (
    Definition("static", "", 0, "Static", "the camera stands still"),
    Definition(
        "dolly_in",
        "dolly",
        1,
        "Move_In",
        "the camera travels forward along its view",
        ("ReCamMaster, CamI2V, VideoX-Fun: zoom in", "film: push in"),
    ),
    Definition(
        "dolly_out",
        "dolly",
        -1,
        "Move_Out",
        "the camera travels backward along its view",
        ("ReCamMaster, CamI2V, VideoX-Fun: zoom out", "film: pull out"),
    ),
    Definition(
        "truck_left",
        "truck",
        -1,
        "Move_Left",
        "the camera travels to its left",
        ("CamI2V, VideoX-Fun: pan left", "film: track, crab left"),
    ),
    Definition(
        "truck_right",
        "truck",
        1,
        "Move_Right",
        "the camera travels to its right",
        ("CamI2V, VideoX-Fun: pan right", "film: track, crab right"),
    ),
    Definition(
        "pedestal_up",
        "pedestal",
        1,
        "Move_Up",
        "the camera travels up along its vertical axis",
        ("CamI2V, VideoX-Fun: pan up", "film: boom up"),
    ),
    Definition(
        "pedestal_down",
        "pedestal",
        -1,
        "Move_Down",
        "the camera travels down along its vertical axis",
        ("CamI2V, VideoX-Fun: pan down", "film: boom down"),
    ),
    Definition(
        "pan_left",
        "pan",
        -1,
        "Pan_Left",
        "the camera turns to its left",
        ("CamI2V: look left", "robotics: yaw left"),
    ),
    Definition(
        "pan_right",
        "pan",
        1,
        "Pan_Right",
        "the camera turns to its right",
        ("CamI2V: look right", "robotics: yaw right"),
    ),
    Definition(
        "tilt_up",
        "tilt",
        1,
        "Tilt_Up",
        "the camera turns upward",
        ("CamI2V: look up", "robotics: pitch up"),
    ),
    Definition(
        "tilt_down",
        "tilt",
        -1,
        "Tilt_Down",
        "the camera turns downward",
        ("CamI2V: look down", "robotics: pitch down"),
    ),
    Definition(
        "roll_cw",
        "roll",
        1,
        "Roll_Clockwise",
        "the camera turns clockwise about its view; the picture turns counter-clockwise",
        ("AnimateDiff: rolling anti-clockwise (names the picture)",),
    ),
    Definition(
        "roll_ccw",
        "roll",
        -1,
        "Roll_Counterclockwise",
        "the camera turns counter-clockwise about its view; the picture turns clockwise",
        ("AnimateDiff: rolling clockwise (names the picture)",),
    ),
    Definition("zoom_in", "zoom", 1, "Zoom_In", "the focal length grows"),
    Definition("zoom_out", "zoom", -1, "Zoom_Out", "the focal length shrinks"),
    Definition(
        "arc_cw",
        "",
        0,
        "",
        "the camera travels left around the subject while panning right: clockwise seen from above",
        ("CamI2V: orbit left",),
    ),
    Definition(
        "arc_ccw",
        "",
        0,
        "",
        "the camera travels right around the subject while panning left",
        ("CamI2V: orbit right",),
    ),
    Definition("crane_up", "", 0, "", "a rise in a vertical arc: up while tilting down"),
    Definition("crane_down", "", 0, "", "a descent in a vertical arc: down while tilting up"),
    Definition("dolly_zoom_in", "", 0, "", "zoom in while travelling backward", ("film: vertigo",)),
    Definition(
        "dolly_zoom_out", "", 0, "", "zoom out while travelling forward", ("film: vertigo",)
    ),
    Definition("shaky", "", 0, "", "the camera shakes visibly"),
)

BY_NAME = {definition.name: definition for definition in DEFINITIONS}
PRIMITIVES = tuple(d.name for d in DEFINITIONS if d.camerabench)
"""The 15 labels of CameraBench's binary task."""
DERIVED = tuple(d.name for d in DEFINITIONS if not d.camerabench)
NO_LABEL = "none"
"""In summaries, for clips that have an answer and no label."""
DIRECTIONS = tuple(d.name for d in DEFINITIONS if d.axis)
"""The 14 signed moves: the primitives but ``static``."""

_BY_WAY = {(d.axis, d.sign): d.name for d in DEFINITIONS if d.axis}


def signed(axis: str, sign: int) -> str:
    """The move along an axis of ``AXES``, +1 or -1 along it."""
    return _BY_WAY[axis, sign]


def opposite_of(name: str) -> str:
    """The other way along the same axis, of one of :data:`DIRECTIONS`."""
    return signed(BY_NAME[name].axis, -BY_NAME[name].sign)


COMBINED = {
    "arc_cw": ("pan_right", "truck_left"),
    "arc_ccw": ("pan_left", "truck_right"),
    "crane_up": ("tilt_down", "pedestal_up"),
    "crane_down": ("tilt_up", "pedestal_down"),
    "dolly_zoom_in": ("zoom_in", "dolly_out"),
    "dolly_zoom_out": ("zoom_out", "dolly_in"),
}
"""The parts of each combined move: the turn or zoom, then the travel."""

STEADINESS = ("static", "very_smooth", "smooth", "unsteady", "very_unsteady")
SPEED = ("slow", "regular", "fast")
COMPLEXITY = ("none", "minor", "simple", "complex")
