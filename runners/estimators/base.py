"""The estimator's interface: frames in, one :class:`Estimate` out; failure is data."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from dollygrip.classifiers.reliability import Failure
from dollygrip.geometry.trajectory import Trajectory

GrayImage = npt.NDArray[np.uint8]


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
class Alternative:
    """A model of the motion that was considered.

    Attributes:
        model: Its name, e.g. "rotation" or "rotation+translation".
        probability: 0 to 1; all alternatives of a shot sum to 1.
        trajectory: The path under this model.
    """

    model: str
    probability: float
    trajectory: Trajectory


@dataclass(frozen=True, eq=False)
class Estimate:
    """What an estimator says of one shot.

    Attributes:
        trajectory: The path; None exactly when ``failure`` is set.
        failure: Why there is none.
        alternatives: All models considered, the chosen one among them; may be empty, which
            means the trajectory is the only candidate.
        diagnostics: Plain numbers and texts, JSON-ready.
        doubts: What makes the answer less certain.
        seconds: Wall time.
        estimator: Name in the registry.
        settings: The settings used, JSON-ready.
    """

    trajectory: Trajectory | None
    failure: Failure | None = None
    alternatives: tuple[Alternative, ...] = ()
    diagnostics: dict[str, Any] = field(default_factory=dict)
    doubts: tuple[Failure, ...] = ()
    seconds: float = 0.0
    estimator: str = ""
    settings: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """A trajectory or a failure, never both or neither."""
        if (self.trajectory is None) == (self.failure is None):
            raise ValueError("an estimate has either a trajectory or a failure")


class Estimator(Protocol):
    """Estimates the camera's path through one shot."""

    name: str

    def estimate(self, frames: FrameSource) -> Estimate:
        """The path. Never raises for bad pictures: failure is data."""
        ...
