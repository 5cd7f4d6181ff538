"""The timeline: when each move of a shot happens."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dollygrip.classifiers.records import Segment
from dollygrip.classifiers.visibility import VisibleMotion
from dollygrip.geometry.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class SegmentSettings:
    """How rates become stretches of time.

    Attributes:
        enter: A move is seen where its rate exceeds this share of its typical rate, ...
        leave: ... and lasts for as long as the rate stays above this share.
        gap: Pauses shorter than this, in seconds, do not split a move.
        shortest: Moves shorter than this, in seconds, are not told.
        carries: A stretch with less than this share of the largest stretch of its direction is
            a wobble.
        hold: Stillness between moves is told from this many seconds on, ...
        creep: ... where the rate stays below this share of the typical one: the slow start of an
            eased move is not a hold.
    """

    enter: float = 0.4
    leave: float = 0.25
    gap: float = 0.3
    shortest: float = 0.3
    carries: float = 0.15
    hold: float = 0.5
    creep: float = 0.04


@dataclass(frozen=True)
class Span:
    """A stretch of time, in seconds."""

    start: float
    end: float

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


# Rates have been smoothed; that far from the border of a move some of it is still in them.
_TAIL = 0.15


def axis_spans(
    motion: VisibleMotion, axis: int, signs: tuple[int, ...], settings: SegmentSettings
) -> dict[int, tuple[Span, ...]]:
    """When an axis moves in each of the wanted directions; opposites never overlap.

    Args:
        motion: The motion of the shot.
        axis: Column of ``AXES``.
        signs: Which of +1 and -1 to look for.
        settings: How rates become stretches.

    Returns:
        The spans of each sign, in order of time.
    """
    times = _clock(motion)
    rate = np.interp(times, motion.times, motion.rates[:, axis])
    state = np.zeros(len(times), dtype=np.intp)
    for sign in signs:
        state[_moving(times, sign * rate, settings)] = sign
    state = _fill(times, state, settings.gap)
    for begin, end in _runs(state != 0, state):
        if times[end] - times[begin] < settings.shortest:
            state[begin : end + 1] = 0
    state = _fill(times, state, settings.gap)
    spans = {
        sign: tuple(Span(float(times[b]), float(times[e])) for b, e in _runs(state == sign, state))
        for sign in signs
    }
    for sign in signs:
        if not spans[sign]:
            # Too short for the rules above, but there: the stretch of largest change.
            whole = _largest_rise(motion.times, sign * motion.position[:, axis])
            if not overlap((whole,), spans.get(-sign, ()), 0.0):
                spans[sign] = (whole,)
    return spans


def holds(
    motion: VisibleMotion,
    moves: tuple[Span, ...],
    unseen: FloatArray,
    settings: SegmentSettings,
) -> tuple[Span, ...]:
    """Stretches between moves in which the camera stands still.

    Args:
        motion: The motion of the shot.
        moves: When something moves.
        unseen: (7,) motion too small to be seen, in picture sizes.
        settings: How rates become stretches.
    """
    pace = max(typical_rate(np.linalg.norm(motion.rates, axis=1)), 1e-9)
    found = []
    reached = float(motion.times[0])
    ends = (*sorted(moves, key=lambda span: span.start), Span(*[float(motion.times[-1])] * 2))
    for span in ends:
        if span.start - reached >= settings.hold:
            inside = np.linspace(reached + _TAIL, span.start - _TAIL, 50)
            columns = [np.interp(inside, motion.times, column) for column in motion.position.T]
            crept = np.ptp(np.stack(columns), axis=1)
            slow = np.linalg.norm(crept) < settings.creep * pace * (inside[-1] - inside[0])
            if slow and (crept < unseen).all():
                found.append(Span(reached, span.start))
        reached = max(reached, span.end)
    return tuple(found)


def overlap(first: tuple[Span, ...], second: tuple[Span, ...], shortest: float) -> tuple[Span, ...]:
    """When both happen, leaving out what is shorter than ``shortest`` seconds."""
    both = [Span(max(a.start, b.start), min(a.end, b.end)) for a in first for b in second]
    return tuple(span for span in both if span.length >= shortest)


def timeline(
    spans: Mapping[str, tuple[Span, ...]],
    scores: Mapping[str, float],
    *,
    start: float,
    end: float,
    snap: float,
) -> tuple[Segment, ...]:
    """Segments inside ``start`` to ``end``, by start.

    Args:
        spans: When each label holds.
        scores: The score of each label.
        start: Start of the shot in seconds.
        end: End of the shot in seconds.
        snap: A border this close to that of the shot is that of the shot: the last pose of a shot
            lies a little before its end.
    """
    segments = []
    for motion, stretches in spans.items():
        for span in stretches:
            begin = start if span.start - start < snap else min(span.start, end)
            stop = end if end - span.end < snap else max(span.end, start)
            if stop > begin:
                segments.append(Segment(motion, begin, stop, scores[motion]))
    return tuple(sorted(segments, key=lambda segment: (segment.start, segment.end)))


def follows(first: Segment, second: Segment) -> bool:
    """Whether the second comes after the first, rather than along with it."""
    shared = first.end - second.start
    shorter = min(first.end - first.start, second.end - second.start)
    return second.start > first.start and shared < 0.5 * shorter


def typical_rate(rate: FloatArray) -> float:
    """The rate above which half of the way is covered; 0 where nothing moves forward.

    A burst does not hide the rest of a move, as it would behind the largest rate.
    """
    forward = np.sort(np.maximum(rate, 0.0))[::-1]
    way = np.cumsum(forward)
    return float(forward[np.searchsorted(way, 0.5 * way[-1])])


def _clock(motion: VisibleMotion) -> FloatArray:
    steps = int(np.clip(motion.duration / 0.02, 1, 5000))
    return np.linspace(motion.times[0], motion.times[-1], steps + 1)


def _moving(times: FloatArray, rate: FloatArray, settings: SegmentSettings) -> BoolArray:
    typical = typical_rate(rate)
    above = rate > settings.leave * typical
    runs = [
        (begin, end, float(np.trapezoid(rate[begin : end + 1], times[begin : end + 1])))
        for begin, end in _runs(above, above.astype(np.intp))
        if rate[begin : end + 1].max() > settings.enter * typical
    ]
    largest = max((amount for _, _, amount in runs), default=0.0)
    moving = np.zeros(len(times), dtype=np.bool_)
    for begin, end, amount in runs:
        moving[begin : end + 1] = amount >= settings.carries * largest
    return moving


def _runs(wanted: BoolArray, state: IntArray) -> list[tuple[int, int]]:
    """First and last index of each run of equal ``state`` that is ``wanted``."""
    borders = np.flatnonzero(np.diff(state)) + 1
    firsts = np.concatenate([[0], borders])
    lasts = np.concatenate([borders, [len(state)]]) - 1
    return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True) if wanted[a]]


def _fill(times: FloatArray, state: IntArray, gap: float) -> IntArray:
    filled = state.copy()
    for begin, end in _runs(state == 0, state):
        inside = begin > 0 and end < len(state) - 1
        if inside and state[begin - 1] == state[end + 1] and times[end] - times[begin] < gap:
            filled[begin : end + 1] = state[begin - 1]
    return filled


def _largest_rise(times: FloatArray, position: FloatArray) -> Span:
    above = position - np.minimum.accumulate(position)
    end = int(np.argmax(above))
    begin = int(np.argmin(position[: end + 1]))
    return Span(float(times[begin]), float(times[end]))
