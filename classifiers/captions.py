"""One plain English sentence from labels and timeline: nothing is said without a label."""

from collections.abc import Sequence
from dataclasses import dataclass

from dollygrip.classifiers.labels import COMBINED
from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.reliability import Failure
from dollygrip.classifiers.segments import follows


@dataclass(frozen=True)
class _Verb:
    """A move in words: "pans right", "panning right"."""

    does: str
    doing: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.does} {self.where}".strip()


_VERBS = {
    "dolly_in": _Verb("pushes", "pushing", "in"),
    "dolly_out": _Verb("pulls", "pulling", "out"),
    "truck_left": _Verb("trucks", "trucking", "left"),
    "truck_right": _Verb("trucks", "trucking", "right"),
    "pedestal_up": _Verb("moves", "moving", "up"),
    "pedestal_down": _Verb("moves", "moving", "down"),
    "pan_left": _Verb("pans", "panning", "left"),
    "pan_right": _Verb("pans", "panning", "right"),
    "tilt_up": _Verb("tilts", "tilting", "up"),
    "tilt_down": _Verb("tilts", "tilting", "down"),
    "roll_cw": _Verb("rolls", "rolling", "clockwise"),
    "roll_ccw": _Verb("rolls", "rolling", "counter-clockwise"),
    "zoom_in": _Verb("zooms", "zooming", "in"),
    "zoom_out": _Verb("zooms", "zooming", "out"),
    "arc_cw": _Verb("arcs", "arcing", "clockwise"),
    "arc_ccw": _Verb("arcs", "arcing", "counter-clockwise"),
    "crane_up": _Verb("cranes", "craning", "up"),
    "crane_down": _Verb("cranes", "craning", "down"),
    "dolly_zoom_in": _Verb("dolly-zooms", "dolly-zooming", "in"),
    "dolly_zoom_out": _Verb("dolly-zooms", "dolly-zooming", "out"),
    "static": _Verb("holds", "holding", "still"),
}

_PACE = {"slow": " slowly", "fast": " fast"}
_MANNER = {
    "very_smooth": "steady",
    "smooth": "steady",
    "unsteady": "unsteady",
    "very_unsteady": "very unsteady",
}

# Longer stories are told as a list of what happens.
_MOST_STEPS = 4


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
    moves = [label for label in labels if label in _VERBS]
    told = _told(moves, segments)
    if not moves:
        shaky = "shaky" in labels
        return f"The camera {'shakes but goes nowhere' if shaky else 'makes no clear move'}."
    endings = [
        "the pictures cannot tell which" if _unsure(told, ambiguous) else "",
        "shaky" if "shaky" in labels else _MANNER.get(steadiness, ""),
    ]
    story = _story(told, ambiguous, _PACE.get(speed or "", "")) or _listed(moves, ambiguous)
    return "; ".join([f"The camera {story}", *filter(None, endings)]) + "."


def failure_caption(failure: Failure) -> str:
    """Why nothing can be said."""
    return f"Could not tell: {failure.message}"


def _told(moves: Sequence[str], segments: Sequence[Segment]) -> list[Segment]:
    """Segments worth telling, by start."""
    # A combined move says what its parts say.
    timed = {segment.motion for segment in segments}
    hidden = {part for move in moves for part in COMBINED.get(move, ()) if move in timed}
    said = {*moves, "static"} - hidden
    return sorted((s for s in segments if s.motion in said), key=lambda segment: segment.start)


def _story(told: Sequence[Segment], ambiguous: Sequence[tuple[str, str]], pace: str) -> str:
    if all(segment.motion == "static" for segment in told):
        return ""
    groups: list[list[str]] = []
    before: list[Segment] = []
    for segment in told:
        if not before or any(follows(earlier, segment) for earlier in before):
            groups.append([])
            before = []
        groups[-1].append(segment.motion)
        before.append(segment)
    # A move that pauses and goes on is one step of the story.
    groups = [group for k, group in enumerate(groups) if k == 0 or group != groups[k - 1]]
    if len(groups) > _MOST_STEPS:
        distinct = list(dict.fromkeys(s.motion for s in told if s.motion != "static"))
        return f"in turn {_listed(distinct, ambiguous)}{pace}"
    first_move = next(i for i, group in enumerate(groups) if group != ["static"])
    steps = [_listed(group, ambiguous) for group in groups]
    steps[first_move] += pace
    return ", then ".join(steps)


def _listed(motions: Sequence[str], ambiguous: Sequence[tuple[str, str]]) -> str:
    verbs = [_either(motion, ambiguous) for motion in dict.fromkeys(motions)]
    if len(verbs) == 2 and not _likeness(motions[1], ambiguous):
        second = _VERBS[motions[1]]
        return f"{verbs[0]} while {second.doing} {second.where}"
    return " and ".join([", ".join(verbs[:-1]), verbs[-1]]) if len(verbs) > 1 else verbs[0]


def _either(motion: str, ambiguous: Sequence[tuple[str, str]]) -> str:
    verb, other = _VERBS[motion], _likeness(motion, ambiguous)
    if other is None:
        return str(verb)
    same_way = verb.where == _VERBS[other].where
    return f"{verb.does if same_way else verb} or {_VERBS[other]}"


def _likeness(motion: str, ambiguous: Sequence[tuple[str, str]]) -> str | None:
    """What the motion cannot be told from."""
    for first, second in ambiguous:
        if motion in (first, second):
            return second if motion == first else first
    return None


def _unsure(told: Sequence[Segment], ambiguous: Sequence[tuple[str, str]]) -> bool:
    return any(_likeness(segment.motion, ambiguous) for segment in told)
