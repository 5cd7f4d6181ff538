"""What a trained annotator would say of known moves: the truth that classifiers are fitted to.

Amounts are compared with the same least amounts as in :mod:`dollygrip.classifiers.criteria`, with
room on either side: from :data:`SURE` times the least amount a move is there, below
:data:`SURELY_NOT` times it is not, and between them nobody can tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from dollygrip.classifiers.criteria import ThresholdSettings
from dollygrip.classifiers.labels import BY_NAME, COMBINED, DEFINITIONS, DIRECTIONS
from dollygrip.classifiers.segments import Span, overlap
from dollygrip.classifiers.visibility import TRANSLATIONS, visible_units
from dollygrip.geometry.arrays import BoolArray, FloatArray
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.smoothing import smooth
from dollygrip.geometry.synthetic import Bob, Motion, Move, Shake
from dollygrip.geometry.trajectory import FOCAL_PRIOR

SURE, SURELY_NOT = 1.5, 0.5
"""In least amounts."""

# What shakes the picture without leading anywhere.
_TREMOR = (Shake, Bob)
# A move is seen where its rate exceeds this share of its peak.
_SEEN_SHARE = 0.1
_CLOCK = 1.0 / 120.0
# The window, in seconds, of what counts as shake, as in the motion profile.
_SHAKE_WINDOW = 0.12
# What a move cannot be told from where nothing is nearer than the rest.
_TWINS = {
    **{"pan_right": "truck_right", "pan_left": "truck_left"},
    **{"tilt_up": "pedestal_up", "tilt_down": "pedestal_down"},
    **{"zoom_in": "dolly_in", "zoom_out": "dolly_out"},
}
_TWINS |= {twin: name for name, twin in _TWINS.items()}


@dataclass(frozen=True, eq=False)
class _Seen:
    """What a viewer sees of moves; columns follow ``AXES``.

    Attributes:
        times: (N,) seconds.
        intended: (N, 7) of the moves made on purpose, in picture sizes.
        drift: (N, 7) of what creeps in besides, in picture sizes.
        stir: (N, 7) of everything, shake included, in picture sizes.
        shake: Typical distance of the picture from its path, in picture sizes.
        units: (7,) picture sizes per degree, scene depth or log focal length.
    """

    times: FloatArray
    intended: FloatArray
    drift: FloatArray
    stir: FloatArray
    shake: float
    units: FloatArray


def marks(
    moves: Sequence[Motion],
    duration: float,
    *,
    focal: float = FOCAL_PRIOR,
    parallax: bool = True,
    settings: ThresholdSettings | None = None,
) -> dict[str, bool | None]:
    """What is true of a camera that makes ``moves``.

    A move counts where it is visible and no mere by-product of one at the same time; the turn
    inside an arc or a crane is part of it, which people name or not. What a gimbal or a hand drifts
    by is never a move, but may be taken for one. Shake alone is no move at all, nor stillness.

    Args:
        moves: At the same time or one after the other; none for a still camera.
        duration: Seconds.
        focal: First focal length as a share of the picture's long side.
        parallax: Whether anything in the scene is nearer than the rest. Where nothing is, nobody
            can tell a turn from a travel or a zoom from a dolly.
        settings: The least amounts.

    Returns:
        True, False or None (nobody can tell) for each label of ``DEFINITIONS``, in that order.
    """
    settings = settings or ThresholdSettings()
    seen = _seen(moves, duration, focal)
    found: dict[str, bool | None] = dict.fromkeys((d.name for d in DEFINITIONS), False)
    for name in DIRECTIONS:
        found[name] = _mark(_share_of_least(seen, name, settings))
        if found[name] is False and _drifts(seen, name, settings):
            found[name] = None
    still = settings.still_share * settings.thresholds
    stir = max(float((np.ptp(seen.stir, axis=0) / still).max()), seen.shake / settings.still_shake)
    found["static"] = _not(_mark(stir))
    found["shaky"] = _mark(seen.shake / settings.shake)
    for name in COMBINED:
        found[name] = _combined(seen, name, found, settings)
    for name, (turn, _) in COMBINED.items():
        if found[name] and not name.startswith("dolly_zoom"):
            found[turn] = None
    return found if parallax else _without_parallax(found)


def spans(moves: Sequence[Motion], duration: float) -> dict[str, tuple[Span, ...]]:
    """When each move is really visible: where its rate exceeds a tenth of its peak.

    Args:
        moves: As in :func:`marks`.
        duration: Seconds.

    Returns:
        For each label of ``DEFINITIONS`` its spans in order of time: for moves made of two when
        both parts move, for ``static`` while nothing moves on purpose, for ``shaky`` all of a shot
        in which something trembles. Whether it is enough to be named is for :func:`marks`.
    """
    times = _clock(duration)
    found: dict[str, tuple[Span, ...]] = {d.name: () for d in DEFINITIONS}
    for name in DIRECTIONS:
        found[name] = _stretches(times, _moving(moves, times, name))
    for name, (first, second) in COMBINED.items():
        found[name] = overlap(found[first], found[second], _CLOCK)
    moved = np.any([_moving(moves, times, name) for name in DIRECTIONS], axis=0)
    found["static"] = _stretches(times, ~moved)
    if any(isinstance(move, _TREMOR) for move in moves):
        found["shaky"] = (Span(0.0, duration),)
    return found


def _clock(duration: float) -> FloatArray:
    return np.linspace(0.0, duration, max(3, round(duration / _CLOCK) + 1))


def _seen(moves: Sequence[Motion], duration: float, focal: float) -> _Seen:
    times = _clock(duration)

    def total(chosen: Sequence[Motion]) -> FloatArray:
        return sum((move.position(times) for move in chosen), start=np.zeros((len(times), 7)))

    purpose = total([move for move in moves if isinstance(move, Move)])
    tremor = total([move for move in moves if isinstance(move, _TREMOR)])
    everything = total(moves)
    typical = focal * np.exp(np.median(everything[:, AXES.index("zoom")]))
    units = visible_units((float(np.degrees(2.0 * np.arctan(0.5 / typical))), 0.0))
    away = tremor * units
    for _ in range(2):
        away = away - smooth(times, away, _SHAKE_WINDOW)
    return _Seen(
        times=times,
        intended=purpose * units,
        drift=(everything - purpose - tremor) * units,
        stir=everything * units,
        shake=float(np.median(np.linalg.norm(away, axis=1))),
        units=units,
    )


def _mark(share: float) -> bool | None:
    """What follows from so many times the least amount."""
    return True if share >= SURE else False if share < SURELY_NOT else None


def _not(mark: bool | None) -> bool | None:
    return None if mark is None else not mark


def _along(curve: FloatArray, name: str) -> FloatArray:
    return np.asarray(BY_NAME[name].sign * curve[:, AXES.index(BY_NAME[name].axis)])


def _share_of_least(seen: _Seen, name: str, settings: ThresholdSettings) -> float:
    """How much of a move there is, in the least amount that is named beside the other moves."""
    axis = AXES.index(BY_NAME[name].axis)
    amount, begin, end = _largest_rise(_along(seen.intended, name))
    meanwhile = np.abs(seen.intended[end] - seen.intended[begin])
    others = np.delete(np.arange(len(AXES)), axis)
    if TRANSLATIONS[axis]:
        # In scene depths: a slant is a matter of the heading.
        depths = np.where(TRANSLATIONS, meanwhile / seen.units, 0.0)[others].max()
        rival = settings.travel_share * depths * seen.units[axis]
    else:
        shares = np.minimum(meanwhile / settings.thresholds, settings.turn_cap)[others]
        rival = settings.turn_share * shares.max() * settings.thresholds[axis]
    return float(amount / max(settings.thresholds[axis], rival))


def _drifts(seen: _Seen, name: str, settings: ThresholdSettings) -> bool:
    """Whether what creeps in besides the moves may be taken for one."""
    least = settings.thresholds[AXES.index(BY_NAME[name].axis)]
    return _largest_rise(_along(seen.drift, name))[0] >= float(SURE * SURELY_NOT * least)


def _largest_rise(position: FloatArray) -> tuple[float, int, int]:
    """The most that a curve gains between two moments, and their indices."""
    above = position - np.minimum.accumulate(position)
    end = int(np.argmax(above))
    # The last of the lowest moments: what came before the move started is not meanwhile.
    begin = end - int(np.argmin(position[end::-1]))
    return float(above[end]), begin, end


def _combined(
    seen: _Seen, name: str, found: dict[str, bool | None], settings: ThresholdSettings
) -> bool | None:
    """Two moves are one where both are there, at the same time and in proportion."""
    parts = COMBINED[name]
    if any(found[part] is False for part in parts):
        return False
    rates = [_forward_rate(seen, part) for part in parts]
    turned, travelled = (float(np.trapezoid(rate, seen.times)) for rate in rates)
    at_once = float(np.trapezoid(np.sqrt(rates[0] * rates[1]), seen.times))
    low, high = sorted((turned, travelled))
    together = at_once / max(np.sqrt(turned * travelled), 1e-9)
    shares = (
        at_once / settings.combined,
        together / settings.combined_share,
        settings.combined_ratio * low / max(high, 1e-9),
    )
    if min(shares) < SURELY_NOT:
        return False
    sure = min(shares) >= SURE and all(found[part] for part in parts)
    return True if sure else None


def _forward_rate(seen: _Seen, name: str) -> FloatArray:
    """(N,) intended rate in a direction: radians, scene depths or log focal length a second."""
    unit = seen.units[AXES.index(BY_NAME[name].axis)]
    rate = np.maximum(np.gradient(_along(seen.intended, name), seen.times) / unit, 0.0)
    return np.asarray(np.radians(rate) if BY_NAME[name].axis in ("pan", "tilt", "roll") else rate)


def _without_parallax(found: dict[str, bool | None]) -> dict[str, bool | None]:
    told = dict(found)
    for name, twin in _TWINS.items():
        if found[name]:
            told[twin] = None
            # Keystone and habit tell a turn from a travel; nothing tells a zoom from a dolly.
            if BY_NAME[name].axis in ("zoom", "dolly"):
                told[name] = None
    return told


def _moving(moves: Sequence[Motion], times: FloatArray, name: str) -> BoolArray:
    """(N,) whether some move is visibly under way in a direction."""
    under_way = np.zeros(len(times), np.bool_)
    for move in moves:
        if isinstance(move, Move):
            rate = np.gradient(_along(move.position(times), name), times)
            under_way |= rate > max(_SEEN_SHARE * rate.max(), 1e-9)
    return under_way


def _stretches(times: FloatArray, wanted: BoolArray) -> tuple[Span, ...]:
    borders = np.flatnonzero(np.diff(wanted)) + 1
    edges = [0, *borders.tolist(), len(times)]
    return tuple(
        Span(float(times[begin]), float(times[end - 1]))
        for begin, end in pairwise(edges)
        if wanted[begin] and end - begin > 1
    )
