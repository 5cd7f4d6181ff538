"""Exact camera paths, built from their velocities."""

from collections.abc import Callable
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
from dollygrip.geometry.rotations import rotation_from_pan_tilt_roll
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
