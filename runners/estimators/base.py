"""The estimator's interface: frames in, one :class:`Estimate` out; failure is data."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from dollygrip.classifiers.reliability import Failure, Reason
from dollygrip.geometry.trajectory import Hypothesis, Trajectory
from dollygrip.runners.formats.maps import SceneMaps
from dollygrip.runners.formats.trajectories import ShotMotion
from dollygrip.runners.video import Frame, FrameRequest, VideoError

logger = logging.getLogger(__name__)


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
        maps: Depth and movement of whole pictures, where they were asked for.
    """

    hypotheses: tuple[Hypothesis, ...]
    failure: Failure | None = None
    diagnostics: dict[str, Any] = field(default_factory=dict)
    doubts: tuple[Failure, ...] = ()
    seconds: float = 0.0
    estimator: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    maps: SceneMaps | None = None

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
    frame_request: FrameRequest

    def estimate(self, frames: Iterable[Frame]) -> Estimate:
        """The path through the frames of one shot, read once and in order.

        Never raises for bad pictures: failure is data.
        """
        ...


@runtime_checkable
class BatchEstimator(Protocol):
    """An :class:`Estimator` that is quicker with several shots at once, as on a GPU."""

    name: str
    frame_request: FrameRequest

    def estimate_many(self, shots: Sequence[Iterable[Frame]]) -> list[Estimate]:
        """The paths through several shots; each as if it were the only one."""
        ...


@runtime_checkable
class MotionReader(Protocol):
    """Knows the camera's path through a whole clip from elsewhere than its pictures."""

    name: str

    def motions(self, path: Path) -> tuple[ShotMotion, ...]:
        """The motion of each shot of a clip; failure is data.

        Raises:
            VideoError: The clip cannot be read.
        """
        ...


def estimated(estimator: Estimator, frames: Iterable[Frame]) -> Estimate:
    """What an estimator says of a shot; a failure where it raises.

    Raises:
        VideoError: The frames cannot be read.
    """
    try:
        return estimator.estimate(frames)
    except VideoError:
        raise
    except Exception as error:
        return Estimate((), failure=crash(f"the estimator {estimator.name}", error))


def crash(who: str, error: Exception) -> Failure:
    """What to say of code that raised."""
    logger.debug("%s crashed", who, exc_info=error)
    if isinstance(error, MemoryError):
        return Failure(Reason.OUT_OF_MEMORY, f"{who} ran out of memory; use fewer --jobs.")
    text = " ".join(str(error).split())
    return Failure(Reason.ESTIMATOR_CRASHED, f"{who} crashed: {type(error).__name__}: {text}")
