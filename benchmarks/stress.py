"""The splits ``stress-tune`` and ``stress``: what an estimator of camera motion must not get wrong.

Every clip is tagged with the kind of difficulty: ``still``, ``slow3``, ``pairs``, ``ambiguous``,
``fourcases``, or what the camera and its recording do to the picture.
"""

from collections.abc import Iterator

import numpy as np

from benchmarks.casts import (
    approaching,
    bus,
    cars,
    filling,
    followed,
    forest,
    looming,
    nobody,
    walkers,
)
from benchmarks.plan import Cast, ClipPlan
from dollygrip.geometry.synthetic import SIGNED_AXES, Motion, Move, Shake
from dollygrip.runners.rendering import Look

_OPEN = ("street", "room", "nature", "landscape")
_RATES = (24.0, 12.0, 25.0, 15.0, 30.0)
# How much moves what is seen at the edge by 3% of the picture's width; 58 degrees along it.
_SLOW = {
    "pan": 1.9,
    "tilt": 1.9,
    "roll": 3.4,
    "truck": 0.034,
    "pedestal": 0.034,
    "dolly": 0.065,
    "zoom": 0.06,
}
_REGULAR = {
    "pan": 14.0,
    "tilt": 9.0,
    "roll": 15.0,
    "truck": 0.25,
    "pedestal": 0.18,
    "dolly": 0.3,
    "zoom": 0.35,
}
# An equidistant lens that shows 118 degrees along the long side.
_ACTION_CAMERA = 1.0 / float(np.radians(118.0))


def plans(shift: int) -> Iterator[ClipPlan]:
    """All clips of a split; ``shift`` (0 or 1) tells the two apart."""
    makers = (_still, _slow, _pairs, _ambiguous, _four_cases, _lenses, _shaken, _edited, _files)
    return (plan for maker in makers for plan in maker(shift))


def _mirrored(name: str, shift: int) -> str:
    """The same move, in the second split to the other side."""
    axis, sign = SIGNED_AXES[name]
    wanted = (axis, -sign if shift else sign)
    return next(other for other, signed in SIGNED_AXES.items() if signed == wanted)


def _regular(name: str, shift: int) -> float:
    """An amount that nobody overlooks."""
    return (1.0, 0.85)[shift] * _REGULAR[SIGNED_AXES[name][0]]


def _still(shift: int) -> Iterator[ClipPlan]:
    """A camera that stands, whatever else moves or changes."""
    seed = 1100 + 100 * shift
    way = -1.0 if shift else 1.0
    dark = Look(exposure=0.14, noise=5.0, seed=seed)
    old = Look(gate=True, noise=9.0, flicker=0.04, vignette=0.6, seed=seed)
    rain = Look(rain=110, seed=seed)
    text = Look(logo=True, subtitles=True)
    some: tuple[tuple[str, str, Cast, Look], ...] = (
        ("crossing", "street", walkers(1, seed), Look()),
        ("crossing_car", "landscape", cars(seed + 1, 0.5, 0.55 * way), Look(shutter=0.5)),
        ("crossing_bare", "corridor", walkers(1, seed + 2), Look(noise=2.0)),
        ("approaching", "street", approaching(seed + 3), Look()),
        ("approaching_bare", "corridor", approaching(seed + 4), Look(noise=1.5)),
        ("receding", "room", approaching(seed + 5, away=True), Look()),
        ("receding_far", "nature", approaching(seed + 6, away=True), Look(noise=3.0)),
        ("crowd", "room", walkers(8, seed + 7), Look()),
        ("crowd_dense", "street", walkers(14, seed + 20), Look(noise=2.0)),
        ("crowd_compressed", "landscape", walkers(9, seed + 40), Look()),
        ("trees", "nature", forest(seed + 60, 7, 0.06), Look()),
        ("trees_storm", "landscape", forest(seed + 70, 9, 0.16), Look()),
        ("trees_dense", "street", forest(seed + 80, 16, 0.08), Look(noise=2.0)),
        ("rain", "street", nobody, rain),
        ("rain_crowd", "nature", walkers(4, seed + 8), rain),
        ("flicker_walker", "room", walkers(2, seed + 9), Look(flicker=0.08, seed=seed)),
        ("text_walker", "street", walkers(2, seed + 10), text),
        ("letterbox_walker", "nature", walkers(2, seed + 11), Look(letterbox=0.26)),
        ("gate_walker", "street", walkers(2, seed + 12), old),
        ("dark_walker", "room", walkers(2, seed + 13), dark),
        ("pulsing_walker", "landscape", walkers(2, seed + 14), Look(pulsing=0.18)),
        ("frozen_walker", "street", walkers(2, seed + 15), Look(frozen=(0.9, 1.7))),
        ("fade_walker", "room", walkers(2, seed + 16), Look(fade_in=0.7, fade_out=0.6)),
    )
    dominant: tuple[tuple[str, str, Cast, Look], ...] = (
        ("filling", "room", filling(seed + 30), Look()),
        ("filling_bare", "corridor", filling(seed + 31), Look(noise=1.5)),
        ("filling_drifts", "street", filling(seed + 32, drift=0.3 * way), Look()),
        ("looming", "room", looming(seed + 33), Look()),
        ("looming_street", "street", looming(seed + 34, sway=0.07), Look(noise=2.0)),
        ("looming_drifts", "nature", looming(seed + 35, drift=0.25 * way), Look()),
        ("bus_passes", "street", bus(seed + 36, 1.2 * way), Look(shutter=0.5)),
        ("bus_stays", "landscape", bus(seed + 37, 0.5 * way), Look()),
    )
    none: tuple[tuple[str, str, Cast, Look], ...] = (
        ("flicker", "nature", nobody, Look(flicker=0.1, seed=seed)),
        ("grain", "street", nobody, Look(noise=16.0, seed=seed)),
        ("compressed", "room", nobody, Look(noise=3.0)),
        ("compressed_bare", "corridor", nobody, Look(noise=2.0)),
        ("exposure", "landscape", nobody, Look(drift=0.4)),
        ("pulsing", "room", nobody, Look(pulsing=0.25)),
        ("text", "nature", nobody, text),
        ("gate", "landscape", nobody, old),
        ("dark", "street", nobody, dark),
        ("fade", "landscape", nobody, Look(fade_in=0.8, fade_out=0.6)),
        ("empty", "nature", nobody, Look()),
    )
    cases = [
        (subject, *case)
        for subject, cases in (("some", some), ("dominant", dominant), ("none", none))
        for case in cases
    ]
    for index, (subject, name, world, cast, look) in enumerate(cases):
        yield ClipPlan(
            f"still_{name}",
            world,
            cast=cast,
            subject=subject,
            look=look,
            duration=2.5,
            rate=_RATES[(index + shift) % len(_RATES)],
            crf=(38, 42)[index % 2] if "compressed" in name else 21,
            tags=("still", name.split("_")[0]),
            layout=(index + shift) % 2,
        )


def _slow(shift: int) -> Iterator[ClipPlan]:
    """3% of the picture's width in three seconds."""
    seed = 1300 + 100 * shift
    names = [*SIGNED_AXES, "pan_right", "tilt_up", "zoom_in", "truck_left"]
    for index, name in enumerate(names):
        again = index >= len(SIGNED_AXES)
        peopled = again or index % 3 == 2
        yield ClipPlan(
            f"slow_{_mirrored(name, shift)}{'_walkers' if again else ''}",
            _OPEN[(index + index // 4 + shift) % 4],
            (Move(_mirrored(name, shift), _SLOW[SIGNED_AXES[name][0]]),),
            walkers(2, seed + index) if peopled else nobody,
            "some" if peopled else "none",
            Look(noise=1.5, seed=seed),
            rate=_RATES[(index + 2 * shift) % len(_RATES)],
            tags=("slow3",),
            layout=(index + shift) % 2,
        )


def _pairs(shift: int) -> Iterator[ClipPlan]:
    """What only parallax tells apart, where there is parallax."""
    rng = np.random.default_rng([shift, 13])
    worlds = ("street", "room", "nature", "corridor")
    names = [name for name, (axis, _) in SIGNED_AXES.items() if axis != "roll"]
    cases = [(name, step) for step in range(3) for name in names[:: 2 if step == 2 else 1]]
    for index, (name, step) in enumerate(cases):
        axis = SIGNED_AXES[name][0]
        amount = (0.5, 1.0, 1.7)[step] * _REGULAR[axis] * float(rng.uniform(0.85, 1.15))
        world = worlds[(index + index // 4 + 2 * step + shift) % 4]
        # A corridor is too narrow for a long way across it.
        narrow = world == "corridor" and step == 2 and axis in ("truck", "pedestal")
        yield ClipPlan(
            f"pair_{_mirrored(name, shift)}_{('slow', 'regular', 'fast')[step]}",
            "room" if narrow else world,
            (Move(_mirrored(name, shift), amount, eased=index % 2 == 0),),
            look=Look(noise=1.5, seed=index),
            duration=2.5,
            rate=_RATES[(index + shift) % len(_RATES)],
            tags=("pairs", axis),
            # Down to eye level, not into the ground; forward to where the view is free.
            arrives=_mirrored(name, shift) in ("pedestal_down", "dolly_in"),
            layout=(index + shift) % 2,
        )


def _ambiguous(shift: int) -> Iterator[ClipPlan]:
    """The same where nothing is nearer than the rest."""
    for index, (world, name) in enumerate(
        (
            ("flat", "pan_right"),
            ("flat", "truck_right"),
            ("flat", "tilt_up"),
            ("flat", "pedestal_up"),
            ("flat", "zoom_in"),
            ("flat", "dolly_in"),
            ("far", "pan_left"),
            ("far", "tilt_down"),
            ("far", "zoom_out"),
            ("far", "zoom_in"),
        )
    ):
        move = _mirrored(name, shift)
        yield ClipPlan(
            f"{world}_{move}",
            world,
            (Move(move, (0.7, 1.2)[shift] * _regular(move, shift)),),
            look=Look(noise=1.5, seed=index),
            duration=2.5,
            rate=_RATES[index % len(_RATES)],
            tags=("ambiguous",),
            layout=shift,
        )


def _four_cases(shift: int) -> Iterator[ClipPlan]:
    """The cases that CameraBench's authors show defeating geometry."""
    seed = 1500 + 100 * shift
    faster = (1.0, 1.3)[shift]
    dim = Look(exposure=0.2, noise=4.0, seed=seed)
    night = Look(exposure=0.18, noise=3.0, seed=seed)
    plain = Look(noise=1.5, seed=seed)
    spin, back = _mirrored("roll_cw", shift), _mirrored("roll_ccw", shift)
    cases: tuple[tuple[str, str, tuple[Motion, ...], Cast, Look], ...] = (
        ("lead", "corridor", (Move("dolly_out", 0.8 * faster),), followed(seed, 0.8), plain),
        ("lead", "corridor", (Move("dolly_out", 0.6 * faster),), followed(seed + 1, 1.1), dim),
        ("lead", "corridor", (Move("dolly_out", 0.5 * faster),), followed(seed + 2, 1.6), plain),
        (
            "lead",
            "corridor",
            (Move("dolly_out", 0.7 * faster), Shake(0.25, 0.002, seed)),
            followed(seed + 3, 0.9),
            plain,
        ),
        ("tail", "corridor", (Move("dolly_in", 0.8 * faster),), followed(seed + 4, 0.8), plain),
        ("tail", "corridor", (Move("dolly_in", 0.6 * faster),), followed(seed + 5, 1.3), dim),
        ("tail", "street", (Move("dolly_in", 0.4 * faster),), followed(seed + 6, 0.9), plain),
        (
            "tail",
            "room",
            (Move("dolly_in", 0.35 * faster), Shake(0.25, 0.002, seed + 1)),
            followed(seed + 7, 0.8),
            plain,
        ),
        ("darkroll", "far", (Move(spin, 18.0 * faster),), nobody, night),
        ("darkroll", "far", (Move(back, 9.0 * faster),), nobody, night),
        ("darkroll", "flat", (Move(spin, 25.0 * faster),), nobody, night),
        ("darkroll", "corridor", (Move(back, 20.0 * faster),), nobody, dim),
        ("standcrowd", "street", (), walkers(12, seed + 20), plain),
        ("standcrowd", "room", (), walkers(10, seed + 40, speed=0.5), dim),
        ("standcrowd", "corridor", (), walkers(8, seed + 60), plain),
        ("standcrowd", "nature", (), walkers(16, seed + 80, speed=0.45), plain),
    )
    kinds = {"lead": "lead-tracking", "tail": "tail-tracking"}
    for index, (kind, world, moves, cast, look) in enumerate(cases):
        tracked = kind in kinds
        yield ClipPlan(
            f"{kind}_{world}_{index % 4}",
            world,
            moves,
            cast,
            "dominant" if tracked else "some" if kind == "standcrowd" else "none",
            look,
            duration=2.5,
            rate=_RATES[(index + shift) % len(_RATES)],
            tags=("fourcases", kinds.get(kind, kind)),
            layout=(index + shift) % 2,
        )


def _lenses(shift: int) -> Iterator[ClipPlan]:
    """Rolling shutters, motion blur, fisheyes."""
    seed = 1700 + 100 * shift
    rolling = Look(rolling=(0.8, 0.6)[shift])
    whip = Look(shutter=0.8)
    wide = Look(fisheye=True)
    action = Look(fisheye=True, rolling=0.6)
    for index, (kind, world, name, amount, look) in enumerate(
        (
            ("rolling", "street", "pan_right", 14.0, rolling),
            ("rolling", "room", "pan_left", 40.0, rolling),
            ("rolling", "landscape", "tilt_up", 12.0, rolling),
            ("rolling", "street", "truck_right", 0.25, rolling),
            ("whip", "street", "pan_left", 80.0, whip),
            ("whip", "room", "pan_right", 55.0, whip),
            ("whip", "nature", "tilt_up", 35.0, whip),
            ("whip", "landscape", "pan_right", 65.0, whip),
            ("fisheye", "street", "pan_right", 20.0, wide),
            ("fisheye", "room", "tilt_down", 15.0, wide),
            ("fisheye", "street", "dolly_in", 0.35, wide),
            ("fisheye", "nature", "truck_left", 0.25, wide),
            ("fisheye", "room", "roll_cw", 18.0, wide),
            ("fisheye", "street", "", 0.0, wide),
            ("action", "nature", "dolly_in", 0.35, action),
        )
    ):
        move = _mirrored(name, shift) if name else "static"
        moves: list[Motion] = []
        if name:
            span = (0.5, 1.2) if kind == "whip" else (0.0, None)
            moves.append(Move(move, (1.0, 0.85)[shift] * amount, *span))
        if kind == "action":
            moves.append(Shake(0.5, 0.003, seed))
        yield ClipPlan(
            f"{kind}_{move}_{world}",
            world,
            tuple(moves),
            look=look,
            focal=_ACTION_CAMERA if look.fisheye else None,
            duration=1.8 if kind == "whip" else 2.2,
            rate=(30.0, 24.0)[(index + shift) % 2],
            tags=("fisheye", "rolling-shutter") if kind == "action" else (_KINDS[kind],),
            layout=(index + shift) % 2,
        )


_KINDS = {"rolling": "rolling-shutter", "whip": "whip", "fisheye": "fisheye"}


def _shaken(shift: int) -> Iterator[ClipPlan]:
    """In a hand: standing, and moving on purpose."""
    seed = 1800 + 100 * shift
    for index, (world, name, degrees, look) in enumerate(
        (
            ("room", "", 0.4, Look()),
            ("street", "", 1.0, Look(rolling=0.7)),
            ("street", "pan_right", 0.5, Look()),
            ("nature", "tilt_up", 0.7, Look()),
            ("street", "dolly_in", 0.5, Look()),
            ("room", "truck_left", 0.5, Look()),
            ("landscape", "zoom_in", 0.4, Look()),
            ("room", "pan_left", 0.8, Look(rolling=0.7)),
        )
    ):
        shake = Shake(degrees, 0.006 * degrees, seed + index)
        move = _mirrored(name, shift) if name else ""
        moves = (Move(move, _regular(move, shift)), shake) if move else (shake,)
        yield ClipPlan(
            f"handheld_{move or 'stand'}_{world}{'_rolling' if look.rolling else ''}",
            world,
            moves,
            look=look,
            duration=2.5,
            rate=(30.0, 24.0)[index % 2],
            tags=("handheld", "rolling-shutter") if look.rolling else ("handheld",),
            arrives=move == "dolly_in",
            layout=(index + shift) % 2,
        )


def _edited(shift: int) -> Iterator[ClipPlan]:
    """Moves in recordings that fade, hang, pause or are masked."""
    seed = 1900 + 100 * shift
    pause = ((0.0, 0.9), (1.6, 2.5))
    hang = Look(frozen=(0.9, 1.6))
    for index, (kind, world, name, spans, look) in enumerate(
        (
            ("fade", "street", "pan_left", ((0.0, 2.5),), Look(fade_in=0.7, fade_out=0.7)),
            ("fade", "room", "dolly_out", ((0.0, 2.5),), Look(fade_in=0.6, fade_out=0.6)),
            ("freeze", "room", "pan_right", pause, Look()),
            ("freeze", "street", "pan_left", pause, hang),
            ("freeze", "nature", "truck_right", pause, hang),
            ("freeze", "landscape", "tilt_up", ((0.0, 2.5),), Look(frozen=(1.0, 1.3))),
            ("letterbox", "street", "pan_right", ((0.0, 2.5),), Look(letterbox=0.26)),
            ("gate", "nature", "tilt_down", ((0.0, 2.5),), Look(gate=True, noise=7.0, seed=seed)),
            ("pulsing", "street", "dolly_out", ((0.0, 2.5),), Look(pulsing=0.18)),
            ("compressed", "room", "pan_left", ((0.0, 2.5),), Look()),
        )
    ):
        move = _mirrored(name, shift)
        # What was done before a pause is part of the whole, so the halves share the amount.
        part = _regular(move, shift) / len(spans)
        yield ClipPlan(
            f"{kind}_{move}_{world}",
            world,
            tuple(Move(move, part, *span) for span in spans),
            look=look,
            duration=2.5,
            rate=(24.0, 30.0)[index % 2],
            crf=40 if kind == "compressed" else 21,
            tags=(kind,),
            arrives=move == "dolly_in",
            layout=(index + shift) % 2,
        )


def _files(shift: int) -> Iterator[ClipPlan]:
    """Frame rates from 12 to 120, pictures from 160 to 3840 wide, upright ones."""
    standard = (480, 270)
    for index, (kind, name, world, rate, size, enlarged) in enumerate(
        (
            ("rate", "pan_left", "street", 12.0, standard, 1),
            ("rate", "zoom_out", "room", 15.0, standard, 1),
            ("rate", "truck_right", "nature", 25.0, standard, 1),
            ("rate", "dolly_out", "street", 50.0, standard, 1),
            ("rate", "tilt_up", "landscape", 60.0, standard, 1),
            ("rate", "pan_right", "room", 120.0, standard, 1),
            ("rate", "", "street", 120.0, standard, 1),
            ("size", "pan_right", "nature", 24.0, (160, 90), 1),
            ("size", "dolly_out", "room", 24.0, (160, 90), 1),
            ("size", "truck_left", "street", 30.0, (320, 180), 1),
            ("size", "roll_cw", "landscape", 30.0, (640, 360), 1),
            ("size", "dolly_out", "street", 24.0, (1280, 720), 1),
            ("size", "zoom_in", "room", 24.0, (1920, 1080), 2),
            ("size", "pan_left", "street", 25.0, (3840, 2160), 4),
            ("size", "", "nature", 24.0, (3840, 2160), 4),
            ("upright", "pan_right", "street", 30.0, (270, 480), 1),
            ("upright", "truck_left", "room", 24.0, (270, 480), 1),
            ("upright", "zoom_in", "nature", 24.0, (360, 640), 1),
        )
    ):
        move = _mirrored(name, shift) if name else ""
        width = f"{size[0]}wide"
        yield ClipPlan(
            f"{kind}_{rate:g}fps_{width}_{move or 'static'}",
            world,
            (Move(move, _regular(move, shift)),) if move else (),
            look=Look(noise=1.0, seed=index),
            duration=1.5 if rate > 60 or size[0] > 640 else 2.0,
            rate=rate,
            size=size,
            enlarged=enlarged,
            tags=({"rate": "rates", "size": "sizes", "upright": "vertical"}[kind], width),
            arrives=move == "dolly_in",
            layout=(index + shift) % 2,
        )
