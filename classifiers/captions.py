"""One plain English sentence from labels and timeline: nothing is said without a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import shorten

from dollygrip.classifiers.labels import BY_NAME, COMBINED, SPEED
from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.reliability import Failure
from dollygrip.classifiers.segments import follows


@dataclass(frozen=True)
class _Verb:
    """A move in words: "pans right", "panning right"."""

    does: str
    doing: str
    where: str


_PAN, _TILT, _ROLL = ("pans", "panning"), ("tilts", "tilting"), ("rolls", "rolling")
_MOVE, _TRUCK, _ZOOM = ("moves", "moving"), ("trucks", "trucking"), ("zooms", "zooming")
_ARC, _CRANE = ("arcs", "arcing"), ("cranes", "craning")
_DOLLY_ZOOM = ("dolly-zooms", "dolly-zooming")
_VERBS = {
    "dolly_in": _Verb(*_MOVE, "forward"),
    "dolly_out": _Verb(*_MOVE, "backward"),
    "truck_left": _Verb(*_TRUCK, "left"),
    "truck_right": _Verb(*_TRUCK, "right"),
    "pedestal_up": _Verb(*_MOVE, "up"),
    "pedestal_down": _Verb(*_MOVE, "down"),
    "pan_left": _Verb(*_PAN, "left"),
    "pan_right": _Verb(*_PAN, "right"),
    "tilt_up": _Verb(*_TILT, "up"),
    "tilt_down": _Verb(*_TILT, "down"),
    "roll_cw": _Verb(*_ROLL, "clockwise"),
    "roll_ccw": _Verb(*_ROLL, "counterclockwise"),
    "zoom_in": _Verb(*_ZOOM, "in"),
    "zoom_out": _Verb(*_ZOOM, "out"),
    "arc_cw": _Verb(*_ARC, "clockwise"),
    "arc_ccw": _Verb(*_ARC, "counterclockwise"),
    "crane_up": _Verb(*_CRANE, "up"),
    "crane_down": _Verb(*_CRANE, "down"),
    "dolly_zoom_in": _Verb(*_DOLLY_ZOOM, "in"),
    "dolly_zoom_out": _Verb(*_DOLLY_ZOOM, "out"),
}
_HOLD = "static"

_PACE = {"slow": "slowly ", "fast": "quickly "}
_MANNER = {
    "very_smooth": "the motion is very smooth",
    "smooth": "the motion is smooth",
    "unsteady": "the motion is slightly unsteady",
    "very_unsteady": "the motion is very unsteady",
}
_SHAKY = "the motion is shaky"

# Longer stories are told as a list of what happens, the longest moves first.
_MOST_STEPS = 4
_MOST_MOVES = 6
# Of a clip with more cuts, only the first shots are told.
_MOST_SHOTS = 6
# Letters of the longest reason that is passed on.
_LONGEST_REASON = 300
# A move that begins after this share of those it joins is told to begin later, and one that takes
# up less than this share of the others, from their start, is told to end early.
_LATE, _BRIEF = 0.3, 0.6


def caption(
    labels: Sequence[str],
    segments: Sequence[Segment],
    ambiguous: Sequence[tuple[str, str]],
    speed: str | None,
    steadiness: str,
    *,
    speeds: Mapping[str, str] | None = None,
    complexity: str | None = None,
) -> str:
    """What the camera does, in the order of time.

    Args:
        labels: The labels that are present.
        segments: The timeline.
        ambiguous: Pairs that cannot be told apart.
        speed: That of the fastest move, as in :mod:`dollygrip.classifiers.labels`; None where
            nothing moves.
        steadiness: As in :mod:`dollygrip.classifiers.labels`.
        speeds: The speed of each signed move; where they are not known, the speed of the fastest
            is told only if it says something of all.
        complexity: As in :mod:`dollygrip.classifiers.labels`, where known.

    Returns:
        One sentence on one line, at most about 500 letters.
    """
    if "static" in labels:
        return "The camera stands still."
    moves = [label for label in labels if label in _VERBS]
    shakes = "shaky" in labels
    if not moves:
        return _without_moves(shakes, steadiness, complexity)
    told = _told(moves, segments)
    words = _Words(moves, ambiguous, _paces(moves, speed, speeds), slightly=complexity == "minor")
    ending = _SHAKY if shakes else _MANNER.get(steadiness, "")
    return f"The camera {'; '.join(filter(None, [_story(told, words), ending]))}."


def failure_caption(failure: Failure) -> str:
    """Why nothing can be said."""
    return f"Could not tell: {shorten(failure.message, _LONGEST_REASON, placeholder=' ...')}"


def shots_caption(told: Sequence[tuple[int, str]]) -> str:
    """What a clip with cuts shows: the sentence of each shot, like ones together.

    Args:
        told: Number of each shot that has something to tell, from 1, and its caption, in order.
    """
    said: list[tuple[list[int], str]] = []
    for number, sentence in told:
        if said and said[-1][1] == sentence and said[-1][0][-1] == number - 1:
            said[-1][0].append(number)
        else:
            said.append(([number], sentence))
    rest = sum(len(numbers) for numbers, _ in said[_MOST_SHOTS:])
    sentences = [f"{_shots(numbers)}: {sentence}" for numbers, sentence in said[:_MOST_SHOTS]]
    more = [f"And {rest} more shot{'s' if rest > 1 else ''}."] if rest else []
    return " ".join(sentences + more)


def _shots(numbers: Sequence[int]) -> str:
    first, last = numbers[0], numbers[-1]
    if first == last:
        return f"Shot {first}"
    return f"Shots {first} {'and' if last == first + 1 else 'to'} {last}"


def _without_moves(shakes: bool, steadiness: str, complexity: str | None) -> str:
    if shakes:
        return "The camera shakes but makes no clear move."
    if complexity == "minor":
        return "The camera barely moves."
    unsteady = steadiness in ("unsteady", "very_unsteady")
    return f"The camera {'is unsteady but ' if unsteady else ''}makes no clear move."


def _paces(
    moves: Sequence[str], speed: str | None, speeds: Mapping[str, str] | None
) -> dict[str, str]:
    """The speed of each move that is known, combined ones included."""
    if speeds is None:
        parts = {part for move in moves for part in COMBINED.get(move, ())}
        # All are slow where the fastest is; which one is fast is clear only of one.
        alike = speed == "slow" or len(set(moves) - parts) == 1
        speeds = dict.fromkeys((*moves, *parts), speed) if speed and alike else {}
    paces = dict(speeds)
    for move in moves:
        found = [speeds.get(part, "regular") for part in COMBINED.get(move, ())]
        if found:
            paces[move] = max(found, key=SPEED.index)
    return paces


# --- the order of time ----------------------------------------------------------------------


@dataclass(frozen=True)
class _Step:
    """What the camera does at one time.

    Attributes:
        told: The moves that begin with this step, the longest first; or one hold.
        joins: Whether what was told before goes on.
    """

    told: tuple[Segment, ...]
    joins: bool = False

    @property
    def motions(self) -> tuple[str, ...]:
        """Each once, in order."""
        return tuple(dict.fromkeys(segment.motion for segment in self.told))

    @property
    def holds(self) -> bool:
        """Whether the camera stands still."""
        return self.motions == (_HOLD,)


def _told(moves: Sequence[str], segments: Sequence[Segment]) -> list[Segment]:
    """Segments worth telling, by start: each move, and stillness between moves."""
    timed = {segment.motion for segment in segments}
    start = min((segment.start for segment in segments), default=0.0)
    end = max((segment.end for segment in segments), default=1.0)
    whole = [Segment(move, start, end, 1.0) for move in moves if move not in timed]
    # Where it is not known when a move happens, nor is it when the camera holds.
    wanted = moves if whole else (*moves, _HOLD)
    known = [*(s for s in segments if s.motion in wanted), *whole]
    # A combined move says what its parts say.
    hidden = [
        part
        for both in known
        for part in known
        if part.motion in COMBINED.get(both.motion, ()) and _shared(both, part) > 0.0
    ]
    return sorted((s for s in known if s not in hidden), key=lambda segment: segment.start)


def _steps(told: Sequence[Segment]) -> list[_Step]:
    """What happens at the same time, one after the other."""
    groups: list[list[Segment]] = []
    joining: list[bool] = []
    for segment in told:
        now = groups[-1] if groups else []
        after = any(follows(earlier, segment) for earlier in now)
        # Nothing happens along with a hold.
        after = after or _HOLD in {segment.motion, *(s.motion for s in now)}
        late = not after and bool(now) and _late(segment, now)
        if after or late or not now:
            groups.append([])
            joining.append(late)
        groups[-1].append(segment)
    steps = [
        _Step(tuple(sorted(group, key=lambda s: s.start - s.end)), late)
        for group, late in zip(groups, joining, strict=True)
    ]
    # A move that pauses and goes on is one step of the story.
    return [step for k, step in enumerate(steps) if k == 0 or not _goes_on(steps[k - 1], step)]


def _goes_on(before: _Step, step: _Step) -> bool:
    return set(step.motions) <= set(before.motions)


def _late(segment: Segment, others: Sequence[Segment]) -> bool:
    """Whether a move joins others that have been going on for a while."""
    start = min(other.start for other in others)
    return segment.start - start > _LATE * (max(other.end for other in others) - start)


def _brief(segment: Segment, longest: Segment) -> bool:
    """Whether a move begins with a longer one and ends well before it."""
    length = longest.end - longest.start
    early = segment.start - longest.start < 0.5 * _LATE * length
    return early and segment.end - longest.start < _BRIEF * length


def _shared(first: Segment, second: Segment) -> float:
    return min(first.end, second.end) - max(first.start, second.start)


# --- words ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Words:
    """How each move is said.

    Attributes:
        moves: All that are present.
        ambiguous: Pairs that cannot be told apart.
        paces: The speed of moves.
        slightly: Whether they are small.
    """

    moves: Sequence[str]
    ambiguous: Sequence[tuple[str, str]]
    paces: Mapping[str, str]
    slightly: bool

    def adverb(self, motion: str) -> str:
        """How a move is made, as "slowly "; nothing for the usual."""
        return "slightly " if self.slightly else _PACE.get(self.paces.get(motion, ""), "")

    def rival(self, motion: str) -> str | None:
        """What a move may be instead."""
        pair = next((pair for pair in self.ambiguous if motion in pair), None)
        return None if pair is None else pair[1] if motion == pair[0] else pair[0]

    def kind(self, motion: str) -> str:
        """What can share a verb: "pans left and right"."""
        return motion if self.rival(motion) else _VERBS[motion].does

    def does(self, motions: Sequence[str], adverb: str = "") -> str:
        """As "slowly pans left and right"; the moves are of one kind."""
        return self._said(motions, "does", adverb)

    def doing(self, motions: Sequence[str], adverb: str = "") -> str:
        """As "slowly panning left and right"."""
        return self._said(motions, "doing", adverb)

    def _said(self, motions: Sequence[str], form: str, adverb: str) -> str:
        verb, rival = _VERBS[motions[0]], self.rival(motions[0])
        word = f"{adverb}{getattr(verb, form)}"
        if rival is None:
            return f"{word} {_and([_VERBS[motion].where for motion in motions])}"
        if rival in self.moves or _opposite(rival) in self.moves:
            return f"{word} {verb.where} (in doubt)"
        other = _VERBS[rival]
        where = "" if verb.where == other.where else f" {verb.where}"
        doubt = "(the pictures cannot tell which)"
        return f"{word}{where} or {getattr(other, form)} {other.where} {doubt}"


def _opposite(motion: str) -> str | None:
    found = BY_NAME[motion]
    for other in BY_NAME.values():
        if found.axis and (other.axis, other.sign) == (found.axis, -found.sign):
            return other.name
    return None


def _story(told: Sequence[Segment], words: _Words) -> str:
    steps = _steps(told)
    if len(steps) > _MOST_STEPS or len({s.motion for s in told}) > _MOST_MOVES:
        return _listed(told, words)
    said: list[str] = []
    seen: set[tuple[str, ...]] = set()
    for k, step in enumerate(steps):
        if step.holds:
            last = k == len(steps) - 1
            said.append("stands still" if k == 0 else "stops" if last else "pauses")
            continue
        again = " again" if step.motions in seen else ""
        also = "also " if step.joins else ""
        said.append(f"{also}{_at_once(step, words)}{again}")
        seen.add(step.motions)
    return ", then ".join(said)


def _at_once(step: _Step, words: _Words) -> str:
    """Moves at the same time: "pans right while tilting up"."""
    kinds = _by_kind(step.motions, words)
    adverbs = [_shared_adverb(kind, words) for kind in kinds]
    if len(kinds) != 2:
        shared = _shared_adverb(step.motions, words)
        return _and([words.does(kind, shared if k == 0 else "") for k, kind in enumerate(kinds)])
    # What is said of the first move holds for the second.
    second = adverbs[1] if adverbs[1] != adverbs[0] else ""
    longest, other = (next(s for s in step.told if s.motion == kind[0]) for kind in kinds)
    at_first = " at first" if _brief(other, longest) else ""
    return f"{words.does(kinds[0], adverbs[0])} while {words.doing(kinds[1], second)}{at_first}"


def _listed(told: Sequence[Segment], words: _Words) -> str:
    """A story that is too long to be told: "pans left and right and tilts up, in turn"."""
    lengths: dict[str, float] = {}
    for segment in told:
        if segment.motion != _HOLD:
            length = segment.end - segment.start
            lengths[segment.motion] = lengths.get(segment.motion, 0.0) + length
    longest = sorted(lengths, key=lambda motion: -lengths[motion])[:_MOST_MOVES]
    motions = [motion for motion in lengths if motion in longest]
    adverb = _shared_adverb(motions, words)
    kinds = _by_kind(motions, words)
    said = [words.does(kind, adverb if k == 0 else "") for k, kind in enumerate(kinds)]
    return f"{_and(said)}, in turn"


def _by_kind(motions: Sequence[str], words: _Words) -> list[list[str]]:
    """Moves that share a verb together; what is in doubt last, so that "or" ends the list."""
    kinds: dict[str, list[str]] = {}
    for motion in sorted(motions, key=lambda motion: words.rival(motion) is not None):
        kinds.setdefault(words.kind(motion), []).append(motion)
    return list(kinds.values())


def _shared_adverb(motions: Sequence[str], words: _Words) -> str:
    adverbs = {words.adverb(motion) for motion in motions}
    return adverbs.pop() if len(adverbs) == 1 else ""


def _and(said: Sequence[str]) -> str:
    *first, last = said
    # "pans left and right, and tilts up"
    comma = "," if len(said) > 2 and any(" and " in part for part in first) else ""
    return f"{', '.join(first)}{comma} and {last}" if first else last
