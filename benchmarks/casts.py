"""Who moves in a rendered clip: casts, which are made once the place is known."""

import numpy as np

from benchmarks.plan import Cast
from dollygrip.runners.scenery import Actor, Scene, car, person, tree


def nobody(place: Scene) -> tuple[Actor, ...]:
    """An empty place."""
    return ()


def walkers(count: int, seed: int, speed: float = 0.3) -> Cast:
    """People who cross the picture at several depths, half of them to either side."""

    def cast(place: Scene) -> tuple[Actor, ...]:
        rng = np.random.default_rng([seed, 5])
        actors = []
        for index in range(count):
            z, way = float(rng.uniform(0.45, 0.75)), 1.0 if (index + seed) % 2 else -1.0
            begin = -way * float(rng.uniform(0.15, 0.6)) * z
            actors.append(
                person(
                    seed + index,
                    tall=0.45 * z,
                    start=(begin, min(place.floor, 0.28 * z), z),
                    velocity=(way * speed * z, 0.0, 0.0),
                    cadence=1.2,
                )
            )
        return tuple(actors)

    return cast


def filling(seed: int, drift: float = 0.0, sway: float = 0.05) -> Cast:
    """Somebody close who moves about and covers most of the picture."""
    return lambda place: (
        person(
            seed,
            tall=0.95,
            start=(-1.2 * drift, 0.62, 0.5),
            velocity=(drift, 0.0, 0.0),
            sway=sway,
            cadence=0.6,
        ),
    )


def looming(seed: int, drift: float = 0.0, sway: float = 0.04) -> Cast:
    """A chest so close that it hides nearly everything."""
    return lambda place: (
        person(
            seed,
            tall=1.7,
            start=(-1.2 * drift, 1.02, 0.5),
            velocity=(drift, 0.0, 0.0),
            sway=sway,
            cadence=0.43,
        ),
    )


def bus(seed: int, speed: float, wait: float = 0.3) -> Cast:
    """Something as high as the picture that drives through it from ``wait`` seconds on."""
    begin = -np.sign(speed) * 1.15 - speed * wait
    return lambda place: (
        car(seed, tall=0.8, start=(begin, 0.32, 0.5), velocity=(speed, 0.0, 0.0)),
    )


def forest(seed: int, count: int, bend: float) -> Cast:
    """Trees in the wind, near and far; their tops swing by ``bend`` of their height."""

    def cast(place: Scene) -> tuple[Actor, ...]:
        rng = np.random.default_rng([seed, 6])
        trees = []
        for index in range(count):
            z = float(rng.uniform(0.5, 1.3))
            tall = float(rng.uniform(0.7, 1.1)) * z
            across = (index + float(rng.uniform(0.2, 0.8))) / count - 0.5
            trees.append(
                tree(
                    seed + index,
                    tall,
                    start=(1.2 * across * z, min(place.floor, 0.35 * z), z),
                    cadence=float(rng.uniform(0.35, 0.7)),
                    bend=bend * tall,
                )
            )
        return tuple(trees)

    return cast


def approaching(seed: int, away: bool = False) -> Cast:
    """Somebody who walks up to the camera, or away from it."""
    start, speed = ((0.05, 0.2, 0.35), 0.18) if away else ((0.05, 0.2, 0.95), -0.2)
    return lambda place: (
        person(seed, tall=0.35, start=start, velocity=(0.0, 0.0, speed), cadence=1.2),
    )


def cars(seed: int, z: float, speed: float) -> Cast:
    """A car that passes at distance ``z``, to the right where ``speed`` is positive."""
    return lambda place: (
        car(
            seed,
            tall=0.22 * max(z, 0.4),
            start=(-np.sign(speed) * 0.9 * z, min(place.floor, 0.25 * z), z),
            velocity=(speed, 0.0, 0.0),
        ),
    )


def followed(seed: int, share: float = 0.75, z: float = 0.6) -> Cast:
    """Somebody whom the camera accompanies: always at the same place in the picture."""
    tall = share * 0.625 * z
    return lambda place: (
        person(
            seed, tall=tall, start=(0.02, 0.55 * tall, z), tracked=True, cadence=1.4, sway=0.008
        ),
    )
