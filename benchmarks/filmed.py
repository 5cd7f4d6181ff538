"""The splits ``filmed-train`` and ``filmed``: random shots in random places, as clips come.

Camera work is drawn by :func:`dollygrip.geometry.filming.film`; worlds, subjects and what is done
to the picture are drawn to look like phone video, film, web video, archives and generated video.
``filmed-train`` is for fitting; ``filmed`` only says how it went.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

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
from dollygrip.classifiers.targets import marks, spans
from dollygrip.geometry.filming import STYLES, Shot, film
from dollygrip.geometry.rotations import log
from dollygrip.geometry.synthetic import SIGNED_AXES, Move
from dollygrip.runners.rendering import Look
from dollygrip.runners.scenery import Actor, Scene, person

LAYOUTS = 5
SEGMENTS = "segments.jsonl"


@dataclass(frozen=True)
class _World:
    """Where a camera may go: how common it is, a box in scene depths, degrees off straight ahead.

    The box is that of the camera's centre: least and most x to the right, y down, z ahead.
    """

    common: float
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    widest: float = 180.0


_WORLDS = {
    "street": _World(0.24, (-0.28, -0.8, -1.5), (0.28, 0.1, 0.12)),
    "room": _World(0.22, (-0.4, -0.38, -1.0), (0.4, 0.2, 0.12)),
    "nature": _World(0.18, (-1.0, -1.2, -1.7), (1.0, 0.15, 0.25)),
    "landscape": _World(0.18, (-1.0, -1.2, -1.7), (1.0, 0.13, 0.12)),
    "corridor": _World(0.08, (-0.18, -0.18, -1.9), (0.18, 0.16, 1.2)),
    "flat": _World(0.04, (-0.6, -0.5, -0.6), (0.6, 0.4, 0.4), widest=28.0),
    # Nothing there is nearer than the rest, so only turns and zooms are as they should be.
    "far": _World(0.06, (-0.01, -0.01, -0.01), (0.01, 0.01, 0.01)),
}
_NO_PARALLAX = ("flat", "far")
_LONGEST, _REACH = 3.6, 1.6
# Stillness from so many seconds on is surely a hold; below the other limit it is none.
_SURE_HOLD, _LEAST_HOLD = 0.7, 0.25
# Tries to find a shot that a world has room for; so many before another style is tried.
_TRIES, _INSISTENCE = 600, 30
_ALL_STYLES = sum(STYLES.values())
_RATES = {"ai": (8.0, 8.0, 12.0, 16.0, 24.0), "web": (24.0, 25.0, 30.0, 15.0)}
# Small enough to be rendered quickly; with what is drawn smaller and enlarged.
_SIZES = {
    "ai": ((256, 256), (480, 272), (384, 224), (320, 320), (272, 480), (448, 256)),
    "phone": ((480, 270), (270, 480), (270, 480), (360, 480)),
    "web": ((426, 240), (320, 180), (480, 360), (320, 240)),
    "any": ((480, 270), (480, 270), (480, 270), (480, 204), (480, 360)),
}


def plans(name: str, count: int, seed: int) -> tuple[ClipPlan, ...]:
    """Random clips.

    Args:
        name: First part of the names of the clips.
        count: How many.
        seed: Of all chance; clip by clip, so that more clips leave the first ones as they are.
    """
    return tuple(
        _plan(f"{name}_{index:03d}", np.random.default_rng([seed, index])) for index in range(count)
    )


def write_segments(folder: Path, clips: tuple[ClipPlan, ...]) -> Path:
    """Write what happens when, a line a clip: its ``clip`` and its ``segments``.

    Segments have ``motion``, ``start``, ``end`` and ``sure``: whether a viewer must name it; where
    not, naming it is not wrong.
    """
    lines = [
        json.dumps({"clip": f"{plan.name}.mp4", "segments": _segments(plan)}) + "\n"
        for plan in sorted(clips, key=lambda plan: plan.name)
    ]
    path = folder / SEGMENTS
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _segments(plan: ClipPlan) -> list[dict[str, str | float | bool]]:
    told = plan.told or {}
    moves = any(isinstance(move, Move) for move in plan.moves)
    found: list[tuple[float, float, str, bool]] = []
    for label, stretches in spans(plan.moves, plan.duration).items():
        for span in stretches:
            if label == "static":
                steady = told["shaky"] is False and (moves or told["static"] is True)
                sure = steady and span.length >= _SURE_HOLD
                possible = span.length >= _LEAST_HOLD
            else:
                sure, possible = told[label] is True, told[label] is not False
            if possible:
                found.append((round(span.start, 4), round(span.end, 4), label, sure))
    return [
        {"motion": label, "start": start, "end": end, "sure": sure}
        for start, end, label, sure in sorted(found)
    ]


def _plan(name: str, rng: np.random.Generator) -> ClipPlan:
    shares = np.array([place.common for place in _WORLDS.values()])
    world = str(rng.choice(list(_WORLDS), p=shares / shares.sum()))
    shot, begins = _fitting(world, rng)
    kind = str(rng.choice(list(_LOOKS), p=[share for share, _ in _LOOKS.values()]))
    look = _LOOKS[kind][1](rng)
    sizes = _SIZES.get(kind, _SIZES["any"])
    size = sizes[int(rng.integers(len(sizes)))]
    rate = float(rng.choice(_RATES[kind])) if kind in _RATES else min(shot.rate, 30.0)
    subject, cast = _cast(shot, rng)
    # Many instants make a picture with an open shutter or a slow sensor.
    dear = look.shutter > 0 or look.rolling > 0
    soft = dear or bool(rng.random() < 0.3)
    told = marks(shot.moves, shot.duration, focal=shot.focal, parallax=world not in _NO_PARALLAX)
    return ClipPlan(
        f"{name}_{shot.style}_{world}",
        world,
        shot.moves,
        cast,
        subject,
        look,
        duration=shot.duration,
        rate=rate,
        size=size,
        enlarged=2 if soft else 1,
        focal=shot.focal,
        crf=int(rng.integers(33, 41)) if kind == "web" else int(rng.integers(18, 29)),
        tags=(shot.style, kind, *((f"{shot.follows}-tracking",) if shot.follows else ())),
        layout=int(rng.integers(LAYOUTS)),
        begins=begins,
        told=told,
    )


def _fitting(world: str, rng: np.random.Generator) -> tuple[Shot, tuple[float, float, float]]:
    """A shot that the world has room for, and where in it the camera starts."""
    place = _WORLDS[world]
    low, high = np.array(place.low), np.array(place.high)
    for attempt in range(_TRIES):
        # Were a style given up at once, what needs room would be rare.
        if attempt % _INSISTENCE == 0:
            style = str(rng.choice(list(STYLES), p=np.array(list(STYLES.values())) / _ALL_STYLES))
        shot = film(rng, style=style, longest=_LONGEST, reach=_REACH)
        path = replace(shot, rate=8.0).path()
        least, most = path.centers.min(axis=0), path.centers.max(axis=0)
        away = np.degrees(np.linalg.norm(log(path.rotations)[:, :2], axis=1)).max()
        if (most - least > high - low).any() or away > place.widest:
            continue
        begins = np.clip(0.0, low - least, high - most)
        return shot, (float(begins[0]), float(begins[1]), float(begins[2]))
    raise RuntimeError(f"no shot in {_TRIES} fits into {world}")


def _cast(shot: Shot, rng: np.random.Generator) -> tuple[str, Cast]:
    """Who moves, and how much of the picture that is."""
    seed = int(rng.integers(1_000_000))
    if shot.follows == "pan":
        return "some", _passing(seed, shot)
    if shot.follows:
        return "dominant", followed(seed, float(rng.uniform(0.6, 1.5)))
    way = float(rng.choice([-1.0, 1.0]))
    drawn = str(rng.choice(list(_CASTS), p=list(_CASTS.values())))
    if drawn == "nobody":
        return "none", nobody
    casts: dict[str, tuple[str, Callable[[], Cast]]] = {
        "walkers": ("some", lambda: walkers(int(rng.integers(1, 5)), seed, rng.uniform(0.05, 0.5))),
        "crowd": ("some", lambda: walkers(int(rng.integers(6, 14)), seed)),
        "filling": ("dominant", lambda: filling(seed, way * rng.uniform(0.0, 0.3))),
        "looming": ("dominant", lambda: looming(seed, way * rng.uniform(0.0, 0.2))),
        "car": ("some", lambda: cars(seed, rng.uniform(0.35, 0.7), way * rng.uniform(0.2, 0.7))),
        "bus": ("dominant", lambda: bus(seed, way * rng.uniform(0.5, 1.2))),
        "forest": ("some", lambda: forest(seed, int(rng.integers(4, 10)), rng.uniform(0.03, 0.12))),
        "approaching": ("some", lambda: approaching(seed, away=bool(rng.random() < 0.5))),
    }
    share, cast = casts[drawn]
    return share, cast()


_CASTS = {
    **{"nobody": 0.4, "walkers": 0.27, "crowd": 0.06, "filling": 0.07, "looming": 0.03},
    **{"car": 0.05, "bus": 0.02, "forest": 0.05, "approaching": 0.05},
}


def _passing(seed: int, shot: Shot) -> Cast:
    """Somebody whom a pan keeps in the picture."""
    pan = next(m for m in shot.moves if isinstance(m, Move) and SIGNED_AXES[m.name][0] == "pan")
    sign = SIGNED_AXES[pan.name][1]

    def cast(place: Scene) -> tuple[Actor, ...]:
        z, end = 0.6, np.tan(np.radians(min(pan.amount, 45.0)))
        return (
            person(
                seed,
                tall=0.3,
                start=(0.0, min(place.floor, 0.2), z),
                velocity=(sign * z * end / shot.duration, 0.0, 0.0),
                cadence=1.4,
            ),
        )

    return cast


# --- looks ----------------------------------------------------------------------------------


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(1_000_000))


def _clean(rng: np.random.Generator) -> Look:
    return Look(noise=float(rng.uniform(0.0, 2.0)), seed=_seed(rng))


def _phone(rng: np.random.Generator) -> Look:
    return Look(
        noise=float(rng.uniform(1.0, 4.0)),
        rolling=float(rng.choice([0.0, 0.0, rng.uniform(0.3, 0.8)])),
        drift=float(rng.choice([1.0, rng.uniform(0.6, 1.5)])),
        pulsing=float(rng.choice([0.0, 0.0, 0.0, 0.12])),
        barrel=float(rng.choice([0.0, 0.0, rng.uniform(0.02, 0.2)])),
        seed=_seed(rng),
    )


def _film(rng: np.random.Generator) -> Look:
    return Look(
        noise=float(rng.uniform(2.0, 8.0)),
        shutter=float(rng.choice([0.0, 0.5])),
        letterbox=float(rng.choice([0.0, rng.uniform(0.1, 0.26)])),
        vignette=float(rng.uniform(0.0, 0.5)),
        fade_in=float(rng.choice([0.0, 0.0, 0.0, 0.4])),
        seed=_seed(rng),
    )


def _web(rng: np.random.Generator) -> Look:
    return Look(
        noise=float(rng.uniform(0.0, 3.0)),
        logo=bool(rng.random() < 0.35),
        subtitles=bool(rng.random() < 0.25),
        seed=_seed(rng),
    )


def _generated(rng: np.random.Generator) -> Look:
    return Look(
        warp=float(np.exp(rng.uniform(np.log(0.0007), np.log(0.006)))),
        flicker=float(rng.choice([0.0, 0.01])),
        seed=_seed(rng),
    )


def _dark(rng: np.random.Generator) -> Look:
    return Look(
        exposure=float(rng.uniform(0.15, 0.35)), noise=float(rng.uniform(2.5, 6.0)), seed=_seed(rng)
    )


def _archive(rng: np.random.Generator) -> Look:
    return Look(
        gate=bool(rng.random() < 0.5),
        noise=float(rng.uniform(5.0, 12.0)),
        flicker=float(rng.uniform(0.0, 0.06)),
        vignette=0.4,
        rain=int(rng.choice([0, 0, 60])),
        seed=_seed(rng),
    )


_LOOKS: dict[str, tuple[float, Callable[[np.random.Generator], Look]]] = {
    "clean": (0.2, _clean),
    "phone": (0.2, _phone),
    "film": (0.14, _film),
    "web": (0.14, _web),
    "ai": (0.2, _generated),
    "dark": (0.06, _dark),
    "archive": (0.06, _archive),
}
