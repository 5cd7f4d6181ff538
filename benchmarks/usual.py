"""The splits ``tune`` and ``held-out``: every move, alone and together, as it is usually filmed."""

from collections.abc import Iterator

import numpy as np

from benchmarks.casts import approaching, cars, filling, followed, walkers
from benchmarks.plan import ClipPlan
from dollygrip.geometry.synthetic import SIGNED_AXES, Move, Shake
from dollygrip.runners.rendering import Look

_OPEN = ("street", "landscape", "nature", "room")
# Slow is 3 to 5% of the picture's width in three seconds.
_AMOUNTS = {
    "pan": (2.4, 14.0, 45.0),
    "tilt": (1.7, 9.0, 22.0),
    "roll": (3.5, 15.0, 40.0),
    "truck": (0.05, 0.25, 0.5),
    "pedestal": (0.045, 0.18, 0.35),
    "dolly": (0.09, 0.3, 0.55),
    "zoom": (0.09, 0.35, 0.8),
}
_RATES = (24.0, 30.0, 12.0, 25.0, 8.0, 50.0, 24.0, 60.0, 15.0)


def plans(shift: int) -> Iterator[ClipPlan]:
    """All clips of a split; ``shift`` (0 or 1) tells the two apart."""
    makers = (_primitives, _still, _tracking, _around, _together, _in_hand, _hard, _formats)
    return (plan for maker in makers for plan in maker(shift))


def _primitives(shift: int) -> Iterator[ClipPlan]:
    rng = np.random.default_rng([shift, 11])
    for index, (name, (axis, _)) in enumerate(SIGNED_AXES.items()):
        for step, speed in enumerate(("slow", "regular", "fast")):
            amount = _AMOUNTS[axis][step] * float(rng.uniform(0.85, 1.15))
            rate = _RATES[(3 * index + step + 4 * shift) % len(_RATES)]
            world = _OPEN[(index + step + shift) % 4]
            # A street is too narrow for a long way across it.
            across = axis == "truck" and step == 2 and world == "street"
            yield ClipPlan(
                f"{name}_{speed}",
                "nature" if across else world,
                (Move(name, amount, eased=step == 1),),
                duration=2.0 if rate > 30 else (3.0, 2.5, 2.0)[step],
                rate=rate,
                tags=(speed,),
                arrives=name in ("pedestal_down", "dolly_in") and step > 0,
                layout=step % 2,
            )


def _still(shift: int) -> Iterator[ClipPlan]:
    seed = 100 + 50 * shift
    noise = Look(noise=6.0, seed=seed)
    scenes = (
        ("empty", "room", None, "none", Look(noise=1.0)),
        ("corridor", "corridor", None, "none", Look(noise=2.0)),
        ("walker", "street", walkers(1, seed), "some", Look()),
        ("crowd", "room", walkers(6, seed + 1), "some", noise),
        ("crowd_fast", "nature", walkers(5, seed + 2, speed=0.6), "some", Look()),
        ("filling_sway", "room", filling(seed + 3), "dominant", Look()),
        ("filling_sway_bare", "corridor", filling(seed + 4), "dominant", Look(noise=1.0)),
        ("filling_passes", "street", filling(seed + 5, drift=0.35), "dominant", Look()),
        ("approaching", "street", approaching(seed + 6), "some", Look()),
        ("leaving", "landscape", approaching(seed + 7, away=True), "some", Look()),
        ("car", "street", cars(seed + 8, 0.6, 0.5), "some", Look(shutter=0.5)),
        ("car_close", "landscape", cars(seed + 9, 0.32, -0.25), "dominant", Look()),
        ("noise", "room", None, "none", Look(noise=14.0, seed=seed)),
        ("flicker", "nature", None, "none", Look(flicker=0.06, seed=seed)),
        ("exposure", "street", None, "none", Look(drift=0.45)),
        ("rain", "street", walkers(2, seed + 10), "some", Look(rain=90, seed=seed)),
        ("overlay", "landscape", walkers(1, seed + 11), "some", Look(logo=True, subtitles=True)),
        ("letterbox", "room", walkers(2, seed + 12), "some", Look(letterbox=0.24)),
        ("gate", "street", None, "none", Look(gate=True, noise=8.0, flicker=0.04, vignette=0.6)),
        ("lowlight", "room", walkers(1, seed + 13), "some", Look(exposure=0.16, noise=5.0)),
    )
    for index, (name, world, cast, subject, look) in enumerate(scenes):
        tags = ("subject",) if cast else (name,)
        yield ClipPlan(
            f"static_{name}",
            world,
            cast=cast or (lambda place: ()),
            subject=subject,
            look=look,
            duration=2.5,
            rate=(24.0, 12.0, 30.0)[index % 3],
            crf=33 if name == "crowd" else 21,
            tags=tags,
            layout=index % 2,
        )


def _tracking(shift: int) -> Iterator[ClipPlan]:
    seed = 200 + 50 * shift
    dim = Look(exposure=0.2, noise=4.0, seed=seed)
    for index, (kind, world, name, amount, share, look) in enumerate(
        (
            ("lead", "corridor", "dolly_out", 0.9, 0.9, Look()),
            ("lead_dim", "corridor", "dolly_out", 0.7, 1.2, dim),
            ("lead_close", "corridor", "dolly_out", 0.6, 1.6, Look()),
            ("lead", "street", "dolly_out", 0.6, 0.8, Look()),
            ("lead_close", "room", "dolly_out", 0.5, 1.5, Look(noise=2.0)),
            ("tail", "corridor", "dolly_in", 0.8, 0.8, Look()),
            ("tail", "street", "dolly_in", 0.5, 0.7, Look()),
            ("side", "street", "truck_right", 0.3, 0.8, Look()),
            ("side", "nature", "truck_left", 0.4, 0.7, Look(shutter=0.5)),
            ("side_close", "landscape", "truck_right", 0.35, 1.3, Look()),
        )
    ):
        yield ClipPlan(
            f"{name}_{kind}_{world}",
            world,
            (Move(name, amount),),
            followed(seed + index, share),
            "dominant",
            look,
            rate=(24.0, 15.0)[index % 2],
            tags=("tracking", f"{kind.split('_')[0]}-tracking"),
            layout=index % 2,
        )


def _around(shift: int) -> Iterator[ClipPlan]:
    """Arcs, cranes, dolly zooms."""
    worlds = ("landscape", "street", "nature", "room")
    for index, (name, amount) in enumerate(
        (
            ("arc_cw", 35.0),
            ("arc_cw", 18.0),
            ("arc_ccw", 35.0),
            ("arc_ccw", 18.0),
            ("crane_up", 20.0),
            ("crane_up", 12.0),
            ("crane_down", 20.0),
            ("crane_down", 12.0),
            ("dolly_zoom_in", 0.5),
            ("dolly_zoom_in", 0.3),
            ("dolly_zoom_out", 0.45),
            ("dolly_zoom_out", 0.3),
        )
    ):
        yield ClipPlan(
            f"{name}_{'wide' if index % 2 == 0 else 'small'}",
            worlds[(index + index // 2 + shift) % 4],
            (Move(name, amount, distance=0.9),),
            walkers(1, 300 + index + 50 * shift, speed=0.02) if index % 2 else lambda place: (),
            "some" if index % 2 else "none",
            tags=(name.rsplit("_", 1)[0],),
            arrives=name == "crane_down",
            layout=index % 2,
        )


def _together(shift: int) -> Iterator[ClipPlan]:
    """Moves at the same time, and one after the other."""
    combinations = (
        ("pan_right", "tilt_up"),
        ("pan_left", "tilt_down"),
        ("dolly_in", "pan_left"),
        ("dolly_out", "tilt_up"),
        ("truck_right", "zoom_in"),
        ("pedestal_up", "pan_right"),
        ("zoom_out", "pan_left"),
        ("roll_cw", "dolly_in"),
        ("truck_left", "pan_left"),
        ("truck_left", "dolly_in"),
    )
    for index, names in enumerate(combinations):
        moves = tuple(Move(name, _AMOUNTS[SIGNED_AXES[name][0]][1]) for name in names)
        world = _OPEN[(index + shift) % 4]
        yield ClipPlan("+".join(names), world, moves, tags=("combination",), layout=index % 2)
    sequences = (
        ("pan_left", "tilt_up"),
        ("pan_right", "pan_left"),
        ("tilt_down", "dolly_out"),
        ("zoom_in", "pan_right"),
        ("truck_right", "roll_ccw"),
        ("dolly_in", ""),
        ("", "zoom_out"),
        ("pan_right", ""),
    )
    for index, names in enumerate(sequences):
        spans = ((0.0, 1.7), (1.9, 3.6))
        parts = tuple(
            Move(name, _AMOUNTS[SIGNED_AXES[name][0]][1], start, end, eased=True)
            for name, (start, end) in zip(names, spans, strict=True)
            if name
        )
        yield ClipPlan(
            "_then_".join(name or "hold" for name in names),
            _OPEN[(index + 2 + shift) % 4],
            parts,
            duration=3.7,
            rate=(24.0, 15.0)[index % 2],
            tags=("sequence",),
            layout=index % 2,
        )


def _in_hand(shift: int) -> Iterator[ClipPlan]:
    seed = 400 + 50 * shift
    for index, (degrees, world) in enumerate(
        ((0.3, "room"), (0.7, "street"), (1.4, "nature"), (0.6, "corridor"))
    ):
        yield ClipPlan(
            f"handheld_{world}",
            world,
            (Shake(degrees, 0.006 * degrees, seed + index),),
            walkers(2, seed + index) if index % 2 else lambda place: (),
            "some" if index % 2 else "none",
            tags=("handheld",),
            layout=index % 2,
        )
    for index, (name, amount) in enumerate(
        (
            ("pan_left", 14.0),
            ("tilt_up", 9.0),
            ("dolly_in", 0.35),
            ("truck_right", 0.3),
            ("dolly_out", 0.4),
            ("zoom_in", 0.35),
        )
    ):
        yield ClipPlan(
            f"{name}_handheld",
            _OPEN[(index + shift) % 4],
            (Move(name, amount), Shake(0.5, 0.004, seed + 10 + index)),
            tags=("handheld",),
            rate=(30.0, 15.0)[index % 2],
            layout=index % 2,
        )


def _hard(shift: int) -> Iterator[ClipPlan]:
    """Blur, dark, flat, far, and moves behind moving subjects."""
    seed = 500 + 50 * shift
    whip = Look(shutter=0.8)
    for index, (kind, world, name, amount, look, cast) in enumerate(
        (
            ("whip", "street", "pan_right", 75.0, whip, None),
            ("whip", "room", "pan_left", 60.0, whip, None),
            ("lowlight", "room", "roll_cw", 18.0, Look(exposure=0.15, noise=5.0, seed=seed), None),
            ("lowlight", "street", "roll_ccw", 18.0, Look(exposure=0.2, noise=6.0), None),
            ("grain", "landscape", "pan_right", 12.0, Look(noise=14.0, seed=seed), None),
            ("overlay", "street", "dolly_in", 0.3, Look(logo=True, subtitles=True), None),
            ("letterbox", "nature", "tilt_down", 8.0, Look(letterbox=0.22), None),
            ("rain", "street", "truck_left", 0.25, Look(rain=90, seed=seed), None),
            ("flicker", "room", "zoom_in", 0.35, Look(flicker=0.06, seed=seed), None),
            ("gate", "landscape", "pan_left", 12.0, Look(gate=True, flicker=0.03), None),
            ("barrel", "street", "pan_right", 16.0, Look(barrel=0.2), None),
            ("exposure", "nature", "tilt_up", 9.0, Look(drift=1.7, exposure=0.6), None),
            ("subject", "street", "pan_left", 10.0, Look(), filling(seed + 1, sway=0.04)),
            ("subject", "room", "zoom_out", 0.3, Look(), filling(seed + 2, sway=0.04)),
            ("crowd", "nature", "truck_right", 0.25, Look(), walkers(4, seed + 3)),
            ("crowd", "street", "tilt_up", 8.0, Look(), walkers(4, seed + 4)),
            ("bare", "corridor", "dolly_in", 0.6, Look(noise=1.5), None),
            ("bare", "corridor", "pan_left", 12.0, Look(noise=1.5), None),
            ("flat", "flat", "truck_left", 0.3, Look(), None),
            ("flat", "flat", "pan_right", 14.0, Look(), None),
            ("flat", "flat", "zoom_in", 0.3, Look(), None),
            ("flat", "flat", "pedestal_up", 0.2, Look(), None),
            ("far", "far", "pan_left", 20.0, Look(), None),
            ("far", "far", "tilt_up", 8.0, Look(), None),
            ("far", "far", "zoom_out", 0.4, Look(), None),
            ("far", "far", "roll_cw", 15.0, Look(), None),
        )
    ):
        span = (0.5, 1.3) if kind == "whip" else (0.0, None)
        yield ClipPlan(
            f"{name}_{kind}",
            world,
            (Move(name, amount, *span),),
            cast or (lambda place: ()),
            "none" if cast is None else "dominant" if kind == "subject" else "some",
            look,
            duration=2.0 if kind == "whip" else 2.5,
            tags=(kind, "fast") if kind == "whip" else (kind,),
            layout=index % 2,
        )


def _formats(shift: int) -> Iterator[ClipPlan]:
    sizes = {"vertical": (270, 480), "tiny": (160, 90), "hd": (1280, 720)}
    for index, (kind, name, world) in enumerate(
        (
            ("vertical", "pan_right", "street"),
            ("vertical", "truck_left", "room"),
            ("vertical", "dolly_out", "street"),
            ("vertical", "tilt_up", "nature"),
            ("tiny", "pan_left", "landscape"),
            ("tiny", "zoom_in", "street"),
            ("tiny", "truck_right", "nature"),
            ("hd", "pan_left", "street"),
            ("hd", "pedestal_up", "nature"),
        )
    ):
        yield ClipPlan(
            f"{name}_{kind}",
            world,
            (Move(name, _AMOUNTS[SIGNED_AXES[name][0]][1]),),
            duration=2.0,
            rate=15.0 if kind == "hd" else 24.0,
            size=sizes[kind],
            tags=(kind,),
            layout=(index + shift) % 2,
        )
