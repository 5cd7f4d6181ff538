"""Exact camera paths, built from their velocities."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from dollygrip.classifiers.base import Classifier
from dollygrip.classifiers.learned import LearnedClassifier
from dollygrip.classifiers.records import ShotLabels
from dollygrip.classifiers.threshold import ThresholdClassifier
from dollygrip.geometry.profile import AXES
from dollygrip.geometry.rotations import exp, rotation_from_pan_tilt_roll
from dollygrip.geometry.trajectory import Hypothesis, Trajectory

SIZE = (640, 360)


def build(
    rate: Callable[[float], dict[str, float]],
    seconds: float = 4.0,
    fps: float = 12.0,
    sigma: float = 0.0,
) -> Trajectory:
    """Integrate rates (degrees, scene depths and log focal a second) in the camera's own axes."""
    n = max(2, round(seconds * fps) + 1)
    times = np.linspace(0.0, seconds, n)
    fine = 8
    rotations, centers, focals = [np.eye(3)], [np.zeros(3)], [576.0]
    for begin, end in pairwise(times):
        rotation, center, focal = rotations[-1], centers[-1], focals[-1]
        step = (end - begin) / fine
        for k in range(fine):
            speeds = rate(begin + (k + 0.5) * step)
            v = {axis: speeds.get(axis, 0.0) * step for axis in AXES}
            half = rotation_from_pan_tilt_roll(0.5 * np.array([v["pan"], v["tilt"], v["roll"]]))
            center = center + rotation @ half @ [v["truck"], -v["pedestal"], v["dolly"]]
            rotation = rotation @ half @ half
            focal = focal * np.exp(v["zoom"])
        rotations.append(rotation)
        centers.append(center)
        focals.append(focal)
    return Trajectory(
        times=times,
        rotations=np.array(rotations),
        centers=np.array(centers),
        focals=np.array(focals),
        size=SIZE,
        valid=np.ones(n, bool),
        sigmas=np.full((n, 7), sigma),
        scene_depth=1.0,
    )


def classify(
    classifier: Classifier,
    *trajectories: Trajectory,
    probabilities: tuple[float, ...] = (1.0,),
    **told: Any,
) -> ShotLabels:
    hypotheses = [
        Hypothesis(f"model {i}", p, t)
        for i, (t, p) in enumerate(zip(trajectories, probabilities, strict=True))
    ]
    times = trajectories[0].times
    return classifier.classify(hypotheses, start=float(times[0]), end=float(times[-1]), **told)


@pytest.fixture(scope="session")
def path() -> Callable[..., Trajectory]:
    """A path of the given total amounts, eased in and out over the whole shot."""

    def make(seconds: float = 4.0, fps: float = 12.0, sigma: float = 0.0, **amounts: float):
        def rate(t: float) -> dict[str, float]:
            ease = (1.0 - np.cos(2.0 * np.pi * t / seconds)) / seconds
            return {axis: amount * ease for axis, amount in amounts.items()}

        return build(rate, seconds, fps, sigma)

    return make


@pytest.fixture(scope="session")
def sequence() -> Callable[..., Trajectory]:
    """A path of constant rates: (seconds, {axis: amount}) one after the other."""

    def make(*parts: tuple[float, dict[str, float]], fps: float = 12.0) -> Trajectory:
        ends = np.cumsum([seconds for seconds, _ in parts])

        def rate(t: float) -> dict[str, float]:
            index = min(int(np.searchsorted(ends, t)), len(parts) - 1)
            seconds, amounts = parts[index]
            return {axis: amount / seconds for axis, amount in amounts.items()}

        return build(rate, float(ends[-1]), fps)

    return make


@pytest.fixture(scope="session")
def label() -> Callable[..., ShotLabels]:
    """The threshold classifier with its own settings."""
    return partial(classify, ThresholdClassifier())


@pytest.fixture(scope="session")
def learned() -> Callable[..., ShotLabels]:
    """The learned classifier with the weights that are shipped."""
    return partial(classify, LearnedClassifier())


CALM: dict[str, Any] = {
    "moving_share": 0.0,
    "appearance": {"change": 5.0, "frozen_seconds": 0.0, "frozen_start": None, "blur": 0.1},
}


def record(path: Trajectory, **about: Any) -> ShotLabels:
    ends = {"start": float(path.times[0]), "end": float(path.times[-1])}
    return ThresholdClassifier().classify(
        [Hypothesis("any", 1.0, path)], **ends, diagnostics={**CALM, **about}
    )


def shown(**numbers: float) -> dict[str, Any]:
    return {"appearance": {**CALM["appearance"], **numbers}}


@pytest.fixture(scope="session")
def clips(path, sequence) -> dict[str, ShotLabels]:
    """One record of every kind that the questions tell apart."""
    moves = {
        "pan_left": {"pan": -30.0},
        "pan_right": {"pan": 30.0},
        "tilt_up": {"tilt": 20.0},
        "tilt_down": {"tilt": -20.0},
        "roll_cw": {"roll": 30.0},
        "roll_ccw": {"roll": -30.0},
        "truck_left": {"truck": -0.4},
        "truck_right": {"truck": 0.4},
        "up": {"pedestal": 0.4},
        "down": {"pedestal": -0.4},
        "forward": {"dolly": 0.5},
        "backward": {"dolly": -0.5},
        "zoom_in": {"zoom": 0.5},
        "zoom_out": {"zoom": -0.5},
        "arc_cw": {"pan": 30.0, "truck": -0.52},
        "arc_ccw": {"pan": -30.0, "truck": 0.52},
        "crane_up": {"tilt": -20.0, "pedestal": 0.35},
        "crane_down": {"tilt": 20.0, "pedestal": -0.35},
        "dolly_zoom_in": {"zoom": 0.4, "dolly": -0.5},
        "dolly_zoom_out": {"zoom": -0.4, "dolly": 0.4},
        "pan_left_and_more": {"pan": -30.0, "tilt": 20.0},
        "pan_right_and_more": {"pan": 30.0, "tilt": 20.0},
        "tilt_up_and_more": {"tilt": 20.0, "pan": 30.0},
        "tilt_down_and_more": {"tilt": -20.0, "pan": 30.0},
        "roll_cw_and_more": {"roll": 30.0, "pan": 30.0},
        "roll_ccw_and_more": {"roll": -30.0, "pan": 30.0},
        "truck_left_and_more": {"truck": -0.4, "zoom": 0.4},
        "truck_right_and_more": {"truck": 0.4, "zoom": 0.4},
        "up_and_more": {"pedestal": 0.4, "pan": 30.0},
        "down_and_more": {"pedestal": -0.4, "pan": 30.0},
        "forward_and_more": {"dolly": 0.5, "pan": 30.0},
        "backward_and_more": {"dolly": -0.5, "pan": 30.0},
        "zoom_in_and_more": {"zoom": 0.5, "pan": 30.0},
        "zoom_out_and_more": {"zoom": -0.5, "pan": 30.0},
    }
    found = {name: record(path(**amounts)) for name, amounts in moves.items()}
    turned = {
        "forward": ({"tilt": -90.0}, {"dolly": 0.5}),
        "backward": ({"tilt": -90.0}, {"dolly": -0.5}),
        "up": ({"tilt": -90.0}, {"pedestal": 0.5}),
        "down": ({"tilt": -90.0}, {"pedestal": -0.5}),
    }
    for way, (turn, travel) in turned.items():
        found[f"{way}_for_the_camera"] = record(sequence((4.0, turn), (2.0, {}), (4.0, travel)))
    still = path()
    jitter = np.radians(np.random.default_rng(0).normal(size=(len(still), 3)))

    def shaken(degrees: float) -> Trajectory:
        return replace(still, rotations=still.rotations @ exp(degrees * jitter))

    return found | {
        "still": record(still),
        "trembling": record(shaken(0.25)),
        "shaky": record(shaken(1.5)),
        "slow": record(path(seconds=20.0, pan=25.0)),
        "fast": record(path(seconds=1.5, pan=60.0)),
        "blurred": record(path(pan=30.0), **shown(blur=0.7)),
        "frozen": record(path(pan=30.0), **shown(frozen_seconds=2.0)),
        "busy": record(still, moving_share=0.3),
    }
