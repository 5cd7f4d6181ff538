"""The splits ``filmed-train`` and ``filmed``: random shots in random places, as clips come.

Camera work is drawn by :func:`dollygrip.geometry.filming.film`; worlds, subjects and what is done
to the picture are drawn to look like phone video, film, web video, archives and generated video.
``filmed-train`` is for fitting; ``filmed`` only says how it went.
"""

import json
from collections.abc import Callable
from dataclasses import replace
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
from dollygrip.geometry.arrays import FloatArray
from dollygrip.geometry.filming import STYLES, Shot, film
from dollygrip.geometry.rotations import log
from dollygrip.geometry.synthetic import SIGNED_AXES, Move
from dollygrip.runners.rendering import Look
from dollygrip.runners.scenery import Actor, Scene, person

LAYOUTS = 5
SEGMENTS = "segments.jsonl"

# How common a world is; where in it the camera may go (least and most x, y, z in scene depths); and
# how many degrees it may look away from straight ahead.
_WORLDS: dict[str, tuple[float, tuple[FloatArray, FloatArray], float]] = {
    name: (common, (np.array(low), np.array(high)), degrees)
    for name, common, low, high, degrees in (
        ("street", 0.24, (-0.28, -0.8, -1.5), (0.28, 0.1, 0.12), 180.0),
        ("room", 0.22, (-0.4, -0.38, -1.0), (0.4, 0.2, 0.12), 180.0),
        ("nature", 0.18, (-1.0, -1.2, -1.7), (1.0, 0.15, 0.25), 180.0),
        ("landscape", 0.18, (-1.0, -1.2, -1.7), (1.0, 0.13, 0.12), 180.0),
        ("corridor", 0.08, (-0.18, -0.18, -1.9), (0.18, 0.16, 1.2), 180.0),
        ("flat", 0.04, (-0.6, -0.5, -0.6), (0.6, 0.4, 0.4), 28.0),
        # Nothing there is nearer than the rest, so only turns and zooms are as they should be.
        ("far", 0.06, (-0.01, -0.01, -0.01), (0.01, 0.01, 0.01), 180.0),
    )
}
_NO_PARALLAX = ("flat", "far")
_LONGEST, _REACH = 3.6, 1.6
# Tries to find a shot that a world has room for.
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
    """Write when each move is visible, a line a clip: ``clip``, ``segments``."""
    lines = []
    for plan in sorted(clips, key=lambda plan: plan.name):
        told = [
            {"motion": label, "start": round(span.start, 4), "end": round(span.end, 4),
             "sure": bool(plan.told[label])}
            for label, found in spans(plan.moves, plan.duration).items()
            if plan.told is not None and plan.told[label] is not False
            for span in found
        ]  # fmt: skip
        told.sort(key=lambda segment: (segment["start"], segment["end"]))
        lines.append(json.dumps({"clip": f"{plan.name}.mp4", "segments": told}) + "\n")
    path = folder / SEGMENTS
    path.write_text("".join(lines), encoding="utf-8")
    return path


def _plan(name: str, rng: np.random.Generator) -> ClipPlan:
    shares = np.array([common for common, _, _ in _WORLDS.values()])
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
    _, (low, high), widest = _WORLDS[world]
    for attempt in range(_TRIES):
        # A style is not given up at once, or what needs room would be rare.
        if attempt % _INSISTENCE == 0:
            style = str(rng.choice(list(STYLES), p=np.array(list(STYLES.values())) / _ALL_STYLES))
        shot = film(rng, style=style, longest=_LONGEST, reach=_REACH)
        path = replace(shot, rate=8.0).path()
        least, most = path.centers.min(axis=0), path.centers.max(axis=0)
        away = np.degrees(np.linalg.norm(log(path.rotations)[:, :2], axis=1)).max()
        if (most - least > high - low).any() or away > widest:
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
