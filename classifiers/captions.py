"""One plain English sentence from labels and timeline: nothing is said without a label."""

from collections.abc import Sequence

from dollygrip.classifiers.labels import DIRECTIONS
from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.reliability import Failure

_VERBS = {
    "dolly_in": "pushes in",
    "dolly_out": "pulls out",
    "truck_left": "trucks left",
    "truck_right": "trucks right",
    "pedestal_up": "rises",
    "pedestal_down": "sinks",
    "pan_left": "pans left",
    "pan_right": "pans right",
    "tilt_up": "tilts up",
    "tilt_down": "tilts down",
    "roll_cw": "rolls clockwise",
    "roll_ccw": "rolls counter-clockwise",
    "zoom_in": "zooms in",
    "zoom_out": "zooms out",
    "arc_cw": "arcs clockwise",
    "arc_ccw": "arcs counter-clockwise",
    "crane_up": "cranes up",
    "crane_down": "cranes down",
    "dolly_zoom_in": "zooms in while pulling out",
    "dolly_zoom_out": "zooms out while pushing in",
    "static": "holds still",
}

# A combined move says what its parts say.
_PARTS = {
    "arc_cw": ("truck_left", "pan_right"),
    "arc_ccw": ("truck_right", "pan_left"),
    "crane_up": ("pedestal_up", "tilt_down"),
    "crane_down": ("pedestal_down", "tilt_up"),
    "dolly_zoom_in": ("zoom_in", "dolly_out"),
    "dolly_zoom_out": ("zoom_out", "dolly_in"),
}

_PACE = {"slow": " slowly", "fast": " fast"}
_MANNER = {"very_smooth": "steady", "smooth": "steady", "unsteady": "unsteady"}

# Moves whose starts lie closer than this many seconds are told as simultaneous.
_TOGETHER = 0.5


def caption(
    labels: Sequence[str],
    segments: Sequence[Segment],
    ambiguous: Sequence[tuple[str, str]],
    speed: str | None,
    steadiness: str,
) -> str:
    """What the camera does, in the order of time.

    Args:
        labels: The labels that are present.
        segments: The timeline.
        ambiguous: Pairs that cannot be told apart.
        speed: As in :mod:`dollygrip.classifiers.labels`, None where nothing moves.
        steadiness: As in :mod:`dollygrip.classifiers.labels`.
    """
    if "static" in labels:
        return "The camera stands still."
    shaky = "shaky" in labels
    if not any(label in _VERBS for label in labels):
        if shaky:
            return "The camera shakes but goes nowhere."
        return "The camera makes no clear move."
    told = [segment for segment in segments if segment.motion in _said(labels)]
    steps = [_step(group, ambiguous) for group in _groups(told)]
    steps[0] += _PACE.get(speed or "", "")
    manner = "shaky" if shaky else _MANNER.get(steadiness, "")
    ending = f"; {manner}." if manner else "."
    return f"The camera {', then '.join(steps)}{_cannot_tell(labels, ambiguous)}{ending}"


def failure_caption(failure: Failure) -> str:
    """Why nothing can be said."""
    return f"Could not tell: {failure.message}"


def _said(labels: Sequence[str]) -> set[str]:
    hidden = {part for label in labels for part in _PARTS.get(label, ())}
    return {label for label in (*labels, "static") if label in _VERBS} - hidden


def _groups(segments: Sequence[Segment]) -> list[list[Segment]]:
    groups: list[list[Segment]] = []
    for segment in sorted(segments, key=lambda s: s.start):
        if groups and segment.start - groups[-1][0].start < _TOGETHER:
            groups[-1].append(segment)
        else:
            groups.append([segment])
    return groups


def _step(group: Sequence[Segment], ambiguous: Sequence[tuple[str, str]]) -> str:
    verbs = [_verb(segment.motion, ambiguous) for segment in group]
    if len(verbs) == 1:
        return verbs[0]
    return ", ".join(verbs[:-1]) + " and " + verbs[-1]


def _verb(motion: str, ambiguous: Sequence[tuple[str, str]]) -> str:
    for pair in ambiguous:
        if motion in pair:
            other = pair[1] if motion == pair[0] else pair[0]
            return f"{_VERBS[motion]} or {_VERBS[other]}"
    return _VERBS[motion]


def _cannot_tell(labels: Sequence[str], ambiguous: Sequence[tuple[str, str]]) -> str:
    said = any(label in pair for pair in ambiguous for label in labels if label in DIRECTIONS)
    return " (the pictures cannot tell which)" if said else ""
