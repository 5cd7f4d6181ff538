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
        creep: ... where the picture drifts by less than this share of its typical rate: the slow
            start of an eased move is not a hold.
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
    """A stretch of time, in seconds.

    Attributes:
        start: When it begins.
        end: When it ends.
        score: How surely the label holds in it, 0 to 1; None for as surely as in the whole shot.
    """

    start: float
    end: float
    score: float | None = None

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


# Rates have been smoothed; that far from the border of a move some of it is still in them.
_TAIL = 0.15
# Farther than that the smoothing does not shift the border of a move, in seconds.
_BLUR = 0.4


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
    times = _clock(motion.times)
    rate = np.interp(times, motion.times, motion.rates[:, axis])
    sharp = np.interp(times, motion.times, motion.sharp_rates[:, axis])
    state = np.zeros(len(times), dtype=np.intp)
    for sign in signs:
        state[_moving(times, sign * rate, sign * sharp, settings)] = sign
    state = _without_flicker(times, state, settings)
    spans = {sign: _spans(times, state == sign) for sign in signs}
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

    Returns:
        The spans in order of time; the score is 1 where nothing stirs, and a half where it begins
        to be seen.
    """
    pace = typical_rate(np.linalg.norm(motion.rates, axis=1))
    # Of anything shorter, too little is left between its tails.
    shortest = max(settings.hold, 3.0 * _TAIL)
    last = float(motion.times[-1])
    found = []
    reached = float(motion.times[0])
    for span in (*sorted(moves, key=lambda span: span.start), Span(last, last)):
        if span.start - reached >= shortest:
            stir, drift = _stir(motion, Span(reached + _TAIL, span.start - _TAIL))
            if (stir < unseen).all() and np.linalg.norm(drift) <= settings.creep * pace:
                score = 1.0 / (1.0 + float((stir / unseen).max()) ** 2)
                found.append(Span(reached, span.start, score))
        reached = max(reached, span.end)
    return tuple(found)


def _stir(motion: VisibleMotion, span: Span) -> tuple[FloatArray, FloatArray]:
    """(7,) how far the picture gets about in a stretch of time, and (7,) how fast it drifts."""
    times = np.linspace(span.start, span.end, 50)
    rates = np.stack([np.interp(times, motion.times, column) for column in motion.sharp_rates.T])
    way = np.cumsum(rates, axis=1) * (times[1] - times[0])
    return np.ptp(way, axis=1), np.polyfit(times - times[0], way.T, 1)[0]


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
        scores: The score of each label, for spans without their own.
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
                score = scores[motion] if span.score is None else span.score
                segments.append(Segment(motion, begin, stop, score))
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


def _clock(times: FloatArray) -> FloatArray:
    steps = int(np.clip((times[-1] - times[0]) / 0.02, 1, 5000))
    return np.linspace(times[0], times[-1], steps + 1)


def _moving(
    times: FloatArray, rate: FloatArray, sharp: FloatArray, settings: SegmentSettings
) -> BoolArray:
    """(M,) where an axis moves; the smooth rate says what is a move, the sharp one from when on."""
    typical = typical_rate(rate)
    runs = [
        (begin, end, float(np.trapezoid(rate[begin : end + 1], times[begin : end + 1])))
        for begin, end in _hysteresis(rate, settings.enter * typical, settings.leave * typical)
    ]
    largest = max((amount for _, _, amount in runs), default=0.0)
    moving = np.zeros(len(times), dtype=np.bool_)
    for begin, end, amount in runs:
        if amount >= settings.carries * largest:
            first, last = _sharpened(times, sharp, begin, end, settings)
            moving[first : last + 1] = True
    return moving


def _hysteresis(values: FloatArray, enter: float, leave: float) -> list[tuple[int, int]]:
    """First and last index of each run above ``leave`` that reaches ``enter``."""
    above = values > leave
    runs = _runs(above, above.astype(np.intp))
    return [(begin, end) for begin, end in runs if values[begin : end + 1].max() >= enter]


def _sharpened(
    times: FloatArray, sharp: FloatArray, begin: int, end: int, settings: SegmentSettings
) -> tuple[int, int]:
    """The borders of a run, moved to where the sharp rate crosses its limit nearest to them."""
    above = sharp > settings.leave * typical_rate(sharp[begin : end + 1])
    change = np.diff(above.astype(np.intp), prepend=0, append=0)
    middle = 0.5 * (times[begin] + times[end])
    first = _nearest(times, np.flatnonzero(change == 1), begin, times <= middle)
    last = _nearest(times, np.flatnonzero(change == -1) - 1, end, times >= middle)
    return first, last


def _nearest(times: FloatArray, candidates: IntArray, index: int, allowed: BoolArray) -> int:
    """The candidate next to an index; the index itself where none is near."""
    gaps = np.abs(times[candidates] - times[index])
    near = candidates[(gaps < _BLUR) & allowed[candidates]]
    return int(min(near, key=lambda i: abs(i - index), default=index))


def _runs(wanted: BoolArray, state: IntArray) -> list[tuple[int, int]]:
    """First and last index of each run of equal ``state`` that is ``wanted``."""
    borders = np.flatnonzero(np.diff(state)) + 1
    firsts = np.concatenate([[0], borders])
    lasts = np.concatenate([borders, [len(state)]]) - 1
    return [(int(a), int(b)) for a, b in zip(firsts, lasts, strict=True) if wanted[a]]


def _spans(times: FloatArray, there: BoolArray) -> tuple[Span, ...]:
    runs = _runs(there, there.astype(np.intp))
    return tuple(Span(float(times[begin]), float(times[end])) for begin, end in runs)


def _without_flicker(times: FloatArray, state: IntArray, settings: SegmentSettings) -> IntArray:
    """The same without short pauses, and then without short moves."""
    calm = _fill(times, state, settings.gap)
    for begin, end in _runs(calm != 0, calm):
        if times[end] - times[begin] < settings.shortest:
            calm[begin : end + 1] = 0
    return _fill(times, calm, settings.gap)


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
