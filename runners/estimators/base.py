"""The estimator's interface: frames in, one :class:`Estimate` out; failure is data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dollygrip.classifiers.reliability import Failure
from dollygrip.geometry.trajectory import Hypothesis, Trajectory


@dataclass(frozen=True, eq=False)
class Frame:
    """One decoded picture.

    Attributes:
        index: Number of the frame in its file, in order of presentation.
        time: Seconds from the first frame of the file (presentation time, never index / fps).
        image: (H, W) uint8 grey or (H, W, 3) uint8 RGB; upright, square pixels.
    """

    index: int
    time: float
    image: npt.NDArray[np.uint8]


class FrameSource(Protocol):
    """Frames of one shot, in order of presentation."""

    def __iter__(self) -> Iterator[Frame]:
        """Decode from the start of the shot."""
        ...


@dataclass(frozen=True, eq=False)
class Estimate:
    """What an estimator says of one shot.

    Attributes:
        hypotheses: All models of the motion that were considered, likeliest first; an estimator
            with one answer gives one, of probability 1. Empty exactly when ``failure`` is set.
        failure: Why there is no answer.
        diagnostics: Plain numbers and texts, JSON-ready.
        doubts: What makes the answer less certain.
        seconds: Wall time.
        estimator: Name in the registry.
        settings: The settings used, JSON-ready.
    """

    hypotheses: tuple[Hypothesis, ...]
    failure: Failure | None = None
    diagnostics: dict[str, Any] = field(default_factory=dict)
    doubts: tuple[Failure, ...] = ()
    seconds: float = 0.0
    estimator: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """An answer or a failure, never both or neither."""
        if bool(self.hypotheses) == (self.failure is not None):
            raise ValueError("an estimate has either hypotheses or a failure")

    @property
    def trajectory(self) -> Trajectory | None:
        """The path under the likeliest hypothesis."""
        return self.hypotheses[0].trajectory if self.hypotheses else None


class Estimator(Protocol):
    """Estimates the camera's path through one shot."""

    name: str

    def estimate(self, frames: FrameSource) -> Estimate:
        """The path. Never raises for bad pictures: failure is data."""
        ...
